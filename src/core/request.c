#include "request.h"

#include "operations.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TEXT_SIZE = 4 * 1024 * 1024 };

void cr_request_init(struct cr_request *request)
{
    memset(request, 0, sizeof *request);
    cr_signing_init(&request->signing, NULL);
    cr_buffer_init(&request->text, MAX_TEXT_SIZE, true); /* token, and passwords as parameters */
    cr_buffer_init(&request->parameters, CR_MAX_QUERY_PAIRS * sizeof(struct cr_parameter), false);
    cr_buffer_init(&request->pairs, CR_MAX_QUERY_PAIRS * sizeof(struct cr_pair), false);
    cr_buffer_init(&request->url, CR_MAX_QUERY_SIZE + CR_MAX_QUERY_SIZE / 8, true);
}

void cr_request_clean_up(struct cr_request *request)
{
    cr_signing_clean_up(&request->signing);
    cr_buffer_clean_up(&request->text);
    cr_buffer_clean_up(&request->parameters);
    cr_buffer_clean_up(&request->pairs);
    cr_buffer_clean_up(&request->url);
}

void cr_request_clear(struct cr_request *request)
{
    cr_signing_wipe(&request->signing);
    cr_buffer_clear(&request->text);
    cr_buffer_clear(&request->parameters);
    cr_buffer_clear(&request->pairs);
    cr_buffer_clear(&request->url);
    request->header_count = 0;
    request->call_length = 0;
    struct cr_span nothing = {0, 0};
    request->origin = request->host = request->user_agent = request->version = nothing;
}

/* What was signed is not this request any more, and its slices may dangle. */
static void forget_signature(struct cr_request *request)
{
    cr_buffer_clear(&request->url);
    request->header_count = 0;
}

/* The URL is whole, or the request counts as not signed. */
static enum cr_status finish_url(struct cr_request *request, struct cr_error *err)
{
    cr_buffer_append_char(&request->url, '\0');
    enum cr_status status = cr_buffer_check(&request->url, err);
    if (status != CR_OK) {
        forget_signature(request);
    }
    return status;
}

static struct cr_span keep(struct cr_request *request, struct cr_slice text)
{
    struct cr_span span = {request->text.length, text.length};
    cr_buffer_append_slice(&request->text, text);
    if (request->text.status != CR_OK) { /* nothing was appended that it could point at */
        span.start = 0;
        span.length = 0;
    }
    return span;
}

struct cr_slice cr_request_slice(const struct cr_request *request, struct cr_span span)
{
    struct cr_slice slice = {cr_buffer_slice(&request->text).data + span.start, span.length};
    return slice;
}

void cr_request_begin(struct cr_request *request, struct cr_slice method, struct cr_slice action)
{
    cr_request_clear(request);
    request->method = keep(request, method);
    cr_buffer_append_char(&request->text, '\0'); /* libcurl takes the method as a C string */
    request->action = keep(request, action);
    request->call_length = request->text.length;
}

void cr_request_set_version(struct cr_request *request, struct cr_slice version)
{
    forget_signature(request);
    request->version = keep(request, version);
    request->call_length = request->text.length;
}

void cr_request_add(struct cr_request *request, struct cr_slice name, struct cr_slice value)
{
    forget_signature(request);
    struct cr_parameter parameter = {keep(request, name), keep(request, value)};
    cr_buffer_append(&request->parameters, &parameter, sizeof parameter);
    request->call_length = request->text.length;
}

void cr_request_aim(struct cr_request *request, struct cr_slice origin, struct cr_slice host)
{
    forget_signature(request);
    request->origin = keep(request, origin);
    request->host = keep(request, host);
    request->call_length = request->text.length;
}

void cr_request_set_user_agent(struct cr_request *request, struct cr_slice user_agent)
{
    forget_signature(request);
    request->user_agent = keep(request, user_agent);
    request->call_length = request->text.length;
}

bool cr_request_holds_all(const struct cr_request *request)
{
    return request->text.status == CR_OK && request->parameters.status == CR_OK;
}

size_t cr_request_parameter_count(const struct cr_request *request)
{
    return request->parameters.length / sizeof(struct cr_parameter);
}

struct cr_pair cr_request_parameter(const struct cr_request *request, size_t index)
{
    struct cr_parameter parameter;
    memcpy(&parameter, request->parameters.data + index * sizeof parameter, sizeof parameter);
    struct cr_pair pair = {cr_request_slice(request, parameter.name),
                           cr_request_slice(request, parameter.value)};
    return pair;
}

static struct cr_slice version_of(const struct cr_request *request)
{
    return request->version.length > 0 ? cr_request_slice(request, request->version)
                                       : cr_slice_of(cr_api_version);
}

/* Forgets the last attempt's own text. */
static void begin_attempt(struct cr_request *request)
{
    if (request->text.status == CR_OK && request->text.length > request->call_length) {
        cr_crypto_wipe(request->text.data + request->call_length,
                       request->text.length - request->call_length);
        request->text.length = request->call_length;
    }
    cr_buffer_clear(&request->pairs);
    forget_signature(request);
}

static void add_pair(struct cr_request *request, struct cr_slice name, struct cr_slice value)
{
    struct cr_pair pair = {name, value};
    cr_buffer_append(&request->pairs, &pair, sizeof pair);
}

static void add_header(struct cr_request *request, struct cr_slice name, struct cr_slice value)
{
    struct cr_pair header = {name, value};
    request->headers[request->header_count++] = header;
}

/* `request->pairs` and `sign` as the signer wants them. Nothing may be kept in `text` any more:
 * the slices point into it. */
static enum cr_status collect(struct cr_request *request, const struct cr_attempt *attempt,
                              struct cr_sign_request *sign, struct cr_error *err)
{
    for (size_t i = 0; i < cr_request_parameter_count(request); i++) {
        struct cr_pair pair = cr_request_parameter(request, i);
        add_pair(request, pair.name, pair.value);
    }
    if (cr_buffer_check(&request->text, err) != CR_OK ||
        cr_buffer_check(&request->parameters, err) != CR_OK ||
        cr_buffer_check(&request->pairs, err) != CR_OK) {
        return err->status;
    }
    memset(sign, 0, sizeof *sign);
    sign->method = cr_request_slice(request, request->method);
    sign->path = CR_LITERAL("/");
    sign->query = (struct cr_pair *)(void *)request->pairs.data; /* malloc aligns it */
    sign->query_count = request->pairs.length / sizeof(struct cr_pair);
    sign->access_key_id = attempt->access_key_id;
    sign->access_key_secret = attempt->access_key_secret;
    return CR_OK;
}

enum cr_status cr_request_query(struct cr_request *request, struct cr_slice *query,
                                struct cr_error *err)
{
    const struct cr_attempt nobody = {0};
    struct cr_sign_request sign;
    begin_attempt(request);
    if (collect(request, &nobody, &sign, err) != CR_OK ||
        cr_sign_canonical_query(&request->signing, &sign, err) != CR_OK) {
        return err->status;
    }
    *query = cr_buffer_slice(&request->signing.query);
    return CR_OK;
}

static void build_url(struct cr_request *request)
{
    struct cr_slice query = cr_buffer_slice(&request->signing.query);
    cr_buffer_append_slice(&request->url, cr_request_slice(request, request->origin));
    cr_buffer_append_char(&request->url, '/');
    if (query.length > 0) {
        cr_buffer_append_char(&request->url, '?');
        cr_buffer_append_slice(&request->url, query);
    }
}

/* Texts an attempt adds. */
struct attempt_texts {
    struct cr_span date, nonce, id, token, retry, pause;
};

static enum cr_status keep_texts(struct cr_request *request, const struct cr_attempt *attempt,
                                 struct attempt_texts *texts, struct cr_error *err)
{
    char date[CR_ISO8601_SIZE], number[24];
    if (!cr_text_iso8601(date, attempt->time)) {
        return cr_fail(err, CR_EINVAL, "the time is not in the years 0 to 9999");
    }
    texts->date = keep(request, cr_slice_of(date));
    texts->nonce = keep(request, attempt->nonce);
    texts->id = keep(request, attempt->access_key_id);
    texts->token = keep(request, attempt->security_token);
    if (attempt->retry > 0) {
        snprintf(number, sizeof number, "%u", attempt->retry);
        texts->retry = keep(request, cr_slice_of(number));
        snprintf(number, sizeof number, "%lu", attempt->pause);
        texts->pause = keep(request, cr_slice_of(number));
    }
    return cr_buffer_check(&request->text, err);
}

/* Canonical as they stand: in lower case, sorted, none twice. */
static void build_v3_headers(struct cr_request *request, const struct cr_attempt *attempt,
                             const struct attempt_texts *texts)
{
    bool is_session = attempt->security_token.length > 0;
    add_header(request, CR_LITERAL("host"), cr_request_slice(request, request->host));
    if (is_session) {
        add_header(request, CR_LITERAL("x-acs-accesskey-id"), cr_request_slice(request, texts->id));
    }
    add_header(request, CR_LITERAL("x-acs-action"), cr_request_slice(request, request->action));
    add_header(request, CR_LITERAL("x-acs-content-sha256"), CR_LITERAL(CR_EMPTY_SHA256));
    add_header(request, CR_LITERAL("x-acs-date"), cr_request_slice(request, texts->date));
    if (attempt->retry > 0) {
        add_header(request, CR_LITERAL("x-acs-retry-attempts"),
                   cr_request_slice(request, texts->retry));
        add_header(request, CR_LITERAL("x-acs-retry-delay"),
                   cr_request_slice(request, texts->pause));
    }
    if (is_session) {
        add_header(request, CR_LITERAL("x-acs-security-token"),
                   cr_request_slice(request, texts->token));
    }
    add_header(request, CR_LITERAL("x-acs-signature-nonce"),
               cr_request_slice(request, texts->nonce));
    add_header(request, CR_LITERAL("x-acs-version"), version_of(request));
}

static void build_plain_headers(struct cr_request *request)
{
    add_header(request, CR_LITERAL("accept"), CR_LITERAL("application/json"));
    add_header(request, CR_LITERAL("user-agent"), cr_request_slice(request, request->user_agent));
}

enum cr_status cr_request_sign_v3(struct cr_request *request, const struct cr_attempt *attempt,
                                  struct cr_error *err)
{
    struct cr_sign_request sign;
    struct attempt_texts texts = {0};
    begin_attempt(request);
    if (keep_texts(request, attempt, &texts, err) != CR_OK ||
        collect(request, attempt, &sign, err) != CR_OK) {
        return err->status;
    }
    build_v3_headers(request, attempt, &texts);
    sign.headers = request->headers;
    sign.header_count = request->header_count;
    sign.headers_are_canonical = true;
    if (cr_sign_v3(&request->signing, &sign, err) != CR_OK) {
        return err->status;
    }
    add_header(request, CR_LITERAL("authorization"),
               cr_buffer_slice(&request->signing.authorization));
    build_plain_headers(request);
    build_url(request);
    return finish_url(request, err);
}

/* The parameters that V1 puts beside the operation's own. An operation that is not in the table may
 * be given one of these names; the signer refuses a name that comes twice. */
static void add_v1_pairs(struct cr_request *request, const struct cr_attempt *attempt,
                         const struct attempt_texts *texts)
{
    const struct cr_pair system[] = {
        {CR_LITERAL("AccessKeyId"), cr_request_slice(request, texts->id)},
        {CR_LITERAL("Action"), cr_request_slice(request, request->action)},
        {CR_LITERAL("Format"), CR_LITERAL("JSON")},
        {CR_LITERAL("SignatureMethod"), CR_LITERAL("HMAC-SHA1")},
        {CR_LITERAL("SignatureNonce"), cr_request_slice(request, texts->nonce)},
        {CR_LITERAL("SignatureVersion"), CR_LITERAL("1.0")},
        {CR_LITERAL("Timestamp"), cr_request_slice(request, texts->date)},
        {CR_LITERAL("Version"), version_of(request)},
    };
    cr_buffer_append(&request->pairs, system, sizeof system);
    if (attempt->security_token.length > 0) {
        add_pair(request, CR_LITERAL("SecurityToken"), cr_request_slice(request, texts->token));
    }
}

enum cr_status cr_request_sign_v1(struct cr_request *request, const struct cr_attempt *attempt,
                                  struct cr_error *err)
{
    struct cr_sign_request sign;
    struct attempt_texts texts = {0};
    begin_attempt(request);
    if (keep_texts(request, attempt, &texts, err) != CR_OK) {
        return err->status;
    }
    add_v1_pairs(request, attempt, &texts);
    if (collect(request, attempt, &sign, err) != CR_OK ||
        cr_sign_v1(&request->signing, &sign, err) != CR_OK) {
        return err->status;
    }
    add_header(request, CR_LITERAL("host"), cr_request_slice(request, request->host));
    build_plain_headers(request);
    build_url(request);
    cr_buffer_append_text(&request->url, "&Signature=");
    cr_text_percent_encode(&request->url, cr_buffer_slice(&request->signing.signature));
    return finish_url(request, err);
}
