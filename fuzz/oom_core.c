/*
 * The core with failing allocators, without a Lua state.
 *
 * Each job makes, uses and frees parts of the core. A failed allocation of the core itself must
 * come out as CR_ENOMEM; libcurl and OpenSSL get along without some of theirs.
 *
 *     oom_core    from the project's folder; OOM_STRIDE=n tries every n-th allocation of OpenSSL's
 * start
 */
#include "oom_server.h"
#include "oom_trials.h"

#include "../src/core/child.h"
#include "../src/core/crypto.h"
#include "../src/core/file.h"
#include "../src/core/http.h"
#include "../src/core/nonce.h"
#include "../src/core/request.h"

#include <curl/curl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct task {
    const char *name;
    enum cr_status (*run)(struct cr_error *err);
    bool (*run_bare)(void); /* what it starts OpenSSL with, or NULL */
};

static int port;

static enum cr_status buffers(struct cr_error *err)
{
    enum { PIECES = 600, MAXIMUM = PIECES * 10 };
    struct cr_buffer plain, secret;
    cr_buffer_init(&plain, MAXIMUM, false);
    cr_buffer_init(&secret, MAXIMUM, true);
    for (int i = 0; i < PIECES; i++) {
        cr_buffer_append_text(&plain, "0123456789");
        cr_buffer_append_text(&secret, "0123456789");
    }
    enum cr_status status = cr_buffer_check(&plain, err);
    if (status == CR_OK) {
        status = cr_buffer_check(&secret, err);
    }
    cr_buffer_clean_up(&plain);
    cr_buffer_clean_up(&secret);
    return status;
}

/* What comes out in spite of a failure must be the same as ever: held against the first time. */
static bool is_same(struct cr_slice *first, char *room, size_t size, struct cr_slice out)
{
    if (first->data == NULL && out.length <= size) {
        memcpy(room, out.data, out.length);
        first->data = room;
        first->length = out.length;
    }
    return first->length == out.length && memcmp(first->data, out.data, out.length) == 0;
}

static enum cr_status hashes(struct cr_error *err)
{
    static struct cr_slice first[4 * (1 + CR_MAC_COUNT)];
    static char room[4 * (1 + CR_MAC_COUNT)][CR_SHA256_SIZE];
    struct cr_crypto crypto;
    unsigned char out[CR_SHA256_SIZE] = {0};
    const struct cr_slice result = {(const char *)out, sizeof out};
    size_t count = 0;
    enum cr_status status = cr_crypto_init(&crypto, err);
    for (int i = 0; i < 4 && status == CR_OK; i++) { /* the key changes in the third round */
        struct cr_slice key = i < 2 ? CR_LITERAL("one") : CR_LITERAL("another");
        status = cr_crypto_sha256(&crypto, CR_LITERAL("data"), out, err);
        for (int mac = 0; mac <= CR_MAC_COUNT && status == CR_OK; mac++) {
            if (!is_same(&first[count], room[count], CR_SHA256_SIZE, result)) {
                status = cr_fail(err, CR_EINVAL, "another hash than before");
            } else if (mac < CR_MAC_COUNT) {
                status =
                    cr_crypto_hmac(&crypto, (enum cr_mac)mac, key, CR_LITERAL("data"), out, err);
            }
            count++;
        }
    }
    cr_crypto_clean_up(&crypto);
    return status;
}

static enum cr_status nonces(struct cr_error *err)
{
    enum { MORE_THAN_THE_POOL = 70 };
    struct cr_nonce_pool pool = {0};
    char nonce[CR_NONCE_TEXT];
    enum cr_status status = CR_OK;
    for (int i = 0; i < MORE_THAN_THE_POOL && status == CR_OK; i++) {
        status = cr_nonce_draw(&pool, nonce, err);
    }
    cr_nonce_clean_up(&pool);
    return status;
}

typedef enum cr_status sign_function(struct cr_request *request, const struct cr_attempt *attempt,
                                     struct cr_error *err);

enum { SIGNATURE_SIZE = 2 * CR_SHA256_SIZE };

/* Two attempts of one call, the second with a session and as a repetition. */
static enum cr_status sign_with(sign_function *sign, struct cr_slice *first, char *room,
                                struct cr_error *err)
{
    struct cr_crypto crypto;
    struct cr_request request;
    struct cr_attempt attempt = {
        .time = 1572839125,
        .nonce = CR_LITERAL("00112233445566778899aabbccddeeff"),
        .access_key_id = CR_LITERAL("id"),
        .access_key_secret = CR_LITERAL("not-a-real-secret"),
    };
    char value[700]; /* so that every buffer grows */
    memset(value, '/', sizeof value);
    enum cr_status status = cr_crypto_init(&crypto, err);
    cr_request_init(&request);
    request.signing.crypto = &crypto;
    if (status == CR_OK) {
        cr_request_begin(&request, CR_LITERAL("GET"), CR_LITERAL("GetRepoTag"));
        for (int i = 0; i < 40; i++) {
            char name[] = {(char)('A' + i % 26), (char)('a' + i / 26)};
            struct cr_slice name_slice = {name, sizeof name}, value_slice = {value, sizeof value};
            cr_request_add(&request, name_slice, value_slice);
        }
        cr_request_aim(&request, CR_LITERAL("http://127.0.0.1:1"), CR_LITERAL("127.0.0.1:1"));
        cr_request_set_user_agent(&request, CR_LITERAL("oom"));
        status = sign(&request, &attempt, err);
    }
    if (status == CR_OK) {
        attempt.retry = 1;
        attempt.security_token = CR_LITERAL("not-a-real-token");
        status = sign(&request, &attempt, err);
    }
    if (status == CR_OK &&
        !is_same(first, room, SIGNATURE_SIZE, cr_buffer_slice(&request.signing.signature))) {
        status = cr_fail(err, CR_EINVAL, "another signature than before");
    }
    cr_request_clean_up(&request);
    cr_crypto_clean_up(&crypto);
    return status;
}

static enum cr_status sign_v3(struct cr_error *err)
{
    static struct cr_slice first;
    static char room[SIGNATURE_SIZE];
    return sign_with(cr_request_sign_v3, &first, room, err);
}

static enum cr_status sign_v1(struct cr_error *err)
{
    static struct cr_slice first;
    static char room[SIGNATURE_SIZE];
    return sign_with(cr_request_sign_v1, &first, room, err);
}

/* One exchange, or CR_ENOMEM when that is what hindered it. */
static enum cr_status exchange(struct cr_http *http, const struct cr_http_request *request,
                               struct cr_error *err)
{
    struct cr_http_response response = {0};
    struct cr_http_failure failure = {0};
    struct cr_transfer *transfer = cr_http_start(http, request, &failure);
    enum cr_status status = CR_ETRANSFER;
    if (transfer != NULL) {
        cr_http_wait(http, transfer);
        status = cr_http_result(transfer, &response, &failure);
    }
    bool is_right = response.status == 200 && response.body.length > 0;
    if (transfer != NULL) {
        cr_http_release(http, transfer);
    }
    if (status != CR_OK) {
        bool is_memory = strcmp(failure.code, "OutOfMemory") == 0;
        return cr_fail(err, is_memory ? CR_ENOMEM : CR_ETRANSFER, "exchange");
    }
    if (response.status == 400) { /* libcurl 7.88 may send a URL without its query */
        return cr_fail(err, CR_ETRANSFER, "the query was lost");
    }
    return is_right ? CR_OK : cr_fail(err, CR_EINVAL, "the answer is not the server's");
}

/* New connection, kept connection, another trust and method, and the first again. */
static enum cr_status exchanges(struct cr_error *err)
{
    char url[64];
    struct cr_pair header = {CR_LITERAL("x-acs-action"), CR_LITERAL("GetRepoTag")};
    struct cr_http_request get = {
        .method = "GET",
        .url = url,
        .headers = &header,
        .header_count = 1,
        .timeout = 2,
        .connect_timeout = 2,
        .max_body = 4096,
        .proxy = "",
    };
    struct cr_http_request post = get;
    post.method = "POST";
    post.ca_file = "/dev/null";
    post.ca_path = "/dev";
    snprintf(url, sizeof url, "http://127.0.0.1:%d/?a=b", port);
    struct cr_http *http = cr_http_new();
    if (http == NULL) {
        return cr_fail(err, CR_ENOMEM, "no handle");
    }
    enum cr_status status = exchange(http, &get, err);
    const struct cr_http_request *next[] = {&get, &post, &get};
    for (size_t i = 0; i < sizeof next / sizeof next[0] && status == CR_OK; i++) {
        status = exchange(http, next[i], err);
    }
    cr_http_free(http);
    return status;
}

static enum cr_status programs(struct cr_error *err)
{
    char *arguments[] = {(char *)"/bin/sh", (char *)"-c",
                         (char *)"echo 0123456789; head -c 5000 /dev/zero", NULL};
    struct cr_child child;
    cr_child_init(&child);
    enum cr_status status = cr_child_start(&child, arguments, err);
    if (status == CR_OK) {
        status = cr_child_poll(&child, 10, err);
    }
    cr_child_kill(&child);
    return status;
}

static enum cr_status files(struct cr_error *err)
{
    struct cr_file file;
    cr_file_init(&file);
    enum cr_status status = cr_file_read(&file, __FILE__, CR_MAX_FILE_SIZE, err);
    cr_file_clean_up(&file);
    return status;
}

static enum oom_outcome complain(const struct oom_trial *trial, long n, const char *what,
                                 const struct cr_error *err)
{
    fprintf(stderr, "%s, n = %ld: %s (status %d, %s)\n", trial->name, n, what, (int)err->status,
            err->text != NULL ? err->text : "no text");
    return OOM_WRONG;
}

/* libcurl takes some of its failed allocations for an unknown host or a closed connection, OpenSSL
 * forgets to say what some of its failures come from. The core itself does not. */
static bool is_well_told(enum oom_party party, const struct cr_error *err)
{
    bool is_told = err->status == CR_ENOMEM || (party == OOM_CURL && err->status == CR_ETRANSFER) ||
                   (party == OOM_OPENSSL && err->status == CR_ECRYPTO);
    return is_told && err->text != NULL;
}

/* A failed allocation is told as such, and doing the same again goes well. */
static enum oom_outcome run_job(const struct oom_trial *trial, enum oom_party party,
                                enum oom_mode mode, long n)
{
    struct cr_error err = {CR_OK, NULL}, err_after = {CR_OK, NULL};
    const struct task *task = trial->work;
    oom_arm(party, mode, n);
    enum cr_status status = task->run(&err);
    bool has_failed = oom_disarm();
    if (!has_failed) {
        return status == CR_OK ? OOM_COMPLETE : complain(trial, n, "failed by itself", &err);
    }
    if (status != CR_OK && !is_well_told(party, &err)) {
        return complain(trial, n, "is not told as out of memory", &err);
    }
    if (status != CR_OK && ERR_peek_error() != 0) {
        return complain(trial, n, "leaves an error in OpenSSL's queue", &err);
    }
    if (status == CR_OK && party == OOM_CORE) {
        return complain(trial, n, "passed over", &err);
    }
    if (task->run(&err_after) != CR_OK) {
        return complain(trial, n, "fails for good", &err_after);
    }
    return status == CR_OK ? OOM_SURVIVED : OOM_HANDLED;
}

static bool bare_mac(EVP_MAC *mac, const char *name)
{
    char digest[8];
    unsigned char out[CR_SHA256_SIZE];
    size_t written = 0;
    snprintf(digest, sizeof digest, "%s", name);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    bool is_done = context != NULL &&
                   EVP_MAC_init(context, (const unsigned char *)"one", 3, parameters) == 1 &&
                   EVP_MAC_update(context, (const unsigned char *)"data", 4) == 1 &&
                   EVP_MAC_final(context, out, &written, sizeof out) == 1;
    EVP_MAC_CTX_free(context);
    return is_done;
}

/* The same calls of OpenSSL in the same order as `hashes` begins with, without this library. */
static bool bare_hashes(void)
{
    unsigned char out[CR_SHA256_SIZE];
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool is_done = sha256 != NULL && context != NULL && mac != NULL &&
                   EVP_DigestInit_ex2(context, sha256, NULL) == 1 &&
                   EVP_DigestUpdate(context, "data", 4) == 1 &&
                   EVP_DigestFinal_ex(context, out, NULL) == 1 && bare_mac(mac, "SHA256") &&
                   bare_mac(mac, "SHA1");
    EVP_MAC_free(mac);
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha256);
    return is_done;
}

static bool bare_random(void)
{
    unsigned char random[16];
    return RAND_bytes(random, (int)sizeof random) == 1;
}

/* In a process of its own: what a trial says, or OOM_WRONG when it crashed. With `is_bare` the same
 * for OpenSSL alone, which after its first failure should work again. */
static enum oom_outcome in_process(const struct oom_trial *trial, enum oom_party party,
                                   enum oom_mode mode, long n, bool is_bare, FILE *complaints)
{
    const struct task *task = trial->work;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        enum oom_outcome outcome = OOM_WRONG;
        dup2(fileno(complaints), STDERR_FILENO);
        if (oom_install_openssl() && !is_bare) {
            outcome = run_job(trial, party, mode, n);
        } else if (is_bare) {
            oom_arm(party, mode, n);
            task->run_bare();
            oom_disarm();
            outcome = task->run_bare() ? OOM_HANDLED : OOM_WRONG;
        }
        _exit((int)outcome);
    }
    bool has_ended = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
                     WEXITSTATUS(status) < OOM_WRONG;
    return has_ended ? (enum oom_outcome)WEXITSTATUS(status) : OOM_WRONG;
}

static void copy(FILE *from, FILE *to)
{
    char line[512];
    rewind(from);
    while (fgets(line, sizeof line, from) != NULL) {
        fputs(line, to);
    }
}

/* OpenSSL's start, which happens once per process: in a new one for each n. Where OpenSSL by itself
 * crashes, or refuses for ever after, nobody can do better. */
static enum oom_outcome first_use(const struct oom_trial *trial, enum oom_party party,
                                  enum oom_mode mode, long n)
{
    FILE *complaints = tmpfile();
    if (complaints == NULL) {
        return OOM_WRONG;
    }
    enum oom_outcome outcome = in_process(trial, party, mode, n, false, complaints);
    if (outcome == OOM_WRONG) {
        FILE *of_openssl = tmpfile();
        if (of_openssl != NULL &&
            in_process(trial, party, mode, n, true, of_openssl) == OOM_WRONG) {
            outcome = OOM_EXCUSED;
        } else {
            copy(complaints, stderr);
        }
        if (of_openssl != NULL) {
            fclose(of_openssl);
        }
    }
    fclose(complaints);
    return outcome;
}

/* The linker sends the core's call here: that libcurl cannot start is not for ever. */
CURLcode __wrap_curl_global_init(long flags);
extern CURLcode __real_curl_global_init(long flags);

CURLcode __wrap_curl_global_init(long flags)
{
    return oom_fails(OOM_CURL) ? CURLE_OUT_OF_MEMORY : __real_curl_global_init(flags);
}

static bool start_of_libcurl(void)
{
    struct cr_error err;
    oom_arm(OOM_CURL, OOM_ONCE, 1);
    bool is_right = exchanges(&err) == CR_ENOMEM;
    oom_disarm();
    is_right = is_right && exchanges(&err) == CR_OK;
    printf("%-22s %s\n", "start of libcurl", is_right ? "handled" : "FAILED");
    return is_right;
}

static bool try_modes(const struct oom_trial *trial, enum oom_party party, long stride)
{
    bool is_right = oom_try_all(trial, party, OOM_ONCE, stride);
    return oom_try_all(trial, party, OOM_LASTING, stride) && is_right;
}

int main(void)
{
    static const struct task tasks[] = {
        {"hashes", hashes, bare_hashes}, {"nonces", nonces, bare_random},
        {"buffers", buffers, NULL},      {"V3 signature", sign_v3, NULL},
        {"V1 signature", sign_v1, NULL}, {"exchanges", exchanges, NULL},
        {"programs", programs, NULL},    {"files", files, NULL},
    };
    bool is_right = true;
    for (size_t i = 0; tasks[i].run_bare != NULL; i++) {
        const struct oom_trial trial = {i == 0 ? "start, hashes" : "start, nonces", first_use,
                                        &tasks[i], true, 0};
        is_right = try_modes(&trial, OOM_OPENSSL, oom_stride("OOM_STRIDE", 1)) && is_right;
    }
    port = oom_server_start();
    if (port == 0 || !oom_install_openssl() || !oom_install_curl()) {
        fputs("oom_core: no server, or a library was in use before\n", stderr);
        return 1;
    }
    is_right = start_of_libcurl() && is_right;
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        const struct oom_trial trial = {tasks[i].name, run_job, &tasks[i], false, 0};
        for (int party = OOM_CORE; party <= OOM_OPENSSL; party++) {
            is_right = try_modes(&trial, (enum oom_party)party, 1) && is_right;
        }
    }
    return is_right ? 0 : 1;
}
