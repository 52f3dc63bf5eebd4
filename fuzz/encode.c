/*
 * Percent-encoding against libcurl's and base64 against OpenSSL's, byte for byte.
 */
#include "../src/core/text.h"
#include "support.h"

#include <curl/curl.h>
#include <openssl/evp.h>

enum { LONGEST = 1 << 20 };

static void check_percent(struct cr_slice text, struct cr_buffer *out, struct cr_buffer *decoded)
{
    cr_text_percent_encode(out, text);
    fuzz_percent_decode(decoded, cr_buffer_slice(out));
    FUZZ_REQUIRE(fuzz_is_equal(cr_buffer_slice(decoded), text));
    if (text.length > 0) { /* libcurl takes 0 for "measure it" */
        char *theirs = curl_easy_escape(NULL, text.data, (int)text.length);
        FUZZ_REQUIRE(theirs != NULL && fuzz_is_equal(cr_buffer_slice(out), cr_slice_of(theirs)));
        curl_free(theirs);
    }
}

static void check_base64(struct cr_slice text)
{
    enum { TAKEN = 300, WRITTEN = 400 };
    char ours[WRITTEN];
    unsigned char theirs[WRITTEN + 1];
    size_t length = text.length < TAKEN ? text.length : TAKEN;
    size_t written = cr_text_base64(ours, (const unsigned char *)text.data, length);
    int expected = EVP_EncodeBlock(theirs, (const unsigned char *)text.data, (int)length);
    FUZZ_REQUIRE(written == (size_t)expected && memcmp(ours, theirs, written) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice text = fuzz_input(data, size);
    struct cr_buffer out, decoded;
    cr_buffer_init(&out, LONGEST, false);
    cr_buffer_init(&decoded, LONGEST, true);
    check_percent(text, &out, &decoded);
    check_base64(text);
    cr_buffer_clean_up(&out);
    cr_buffer_clean_up(&decoded);
    return 0;
}
