#include "sign.h"

#include "text.h"

#include <stdbool.h>
#include <string.h>

void cr_signing_init(struct cr_signing *signing, struct cr_crypto *crypto)
{
    memset(signing, 0, sizeof *signing);
    signing->crypto = crypto;
    /* The security token is in V3's canonical request, in V1's query and string to sign. */
    cr_buffer_init(&signing->query, CR_MAX_QUERY_SIZE, true);
    cr_buffer_init(&signing->names, CR_MAX_CANONICAL_SIZE, false);
    cr_buffer_init(&signing->canonical, CR_MAX_CANONICAL_SIZE, true);
    cr_buffer_init(&signing->text, CR_MAX_CANONICAL_SIZE, true);
    cr_buffer_init(&signing->signature, CR_MAX_CANONICAL_SIZE, false);
    cr_buffer_init(&signing->authorization, CR_MAX_CANONICAL_SIZE, false);
    cr_buffer_init(&signing->key, CR_MAX_KEY_SIZE, true);
}

void cr_signing_clean_up(struct cr_signing *signing)
{
    cr_buffer_clean_up(&signing->query);
    cr_buffer_clean_up(&signing->names);
    cr_buffer_clean_up(&signing->canonical);
    cr_buffer_clean_up(&signing->text);
    cr_buffer_clean_up(&signing->signature);
    cr_buffer_clean_up(&signing->authorization);
    cr_buffer_clean_up(&signing->key);
}

void cr_signing_wipe(struct cr_signing *signing)
{
    cr_buffer_clear(&signing->query);
    cr_buffer_clear(&signing->names);
    cr_buffer_clear(&signing->canonical);
    cr_buffer_clear(&signing->text);
    cr_buffer_clear(&signing->signature);
    cr_buffer_clear(&signing->authorization);
    cr_buffer_clear(&signing->key);
}

static int by_lower_name(const struct cr_pair *a, const struct cr_pair *b)
{
    return cr_text_compare_lower(a->name, b->name);
}

enum cr_status cr_sign_canonical_query(struct cr_signing *signing,
                                       const struct cr_sign_request *request, struct cr_error *err)
{
    struct cr_buffer *out = &signing->query;
    cr_buffer_clear(out);
    cr_pairs_sort(request->query, request->query_count, cr_pair_compare);
    for (size_t i = 0; i < request->query_count; i++) {
        if (i > 0) {
            if (cr_pair_compare(&request->query[i - 1], &request->query[i]) == 0) {
                return cr_fail(err, CR_EINVAL,
                               "a parameter has the name of one of the signature's");
            }
            cr_buffer_append_char(out, '&');
        }
        cr_text_percent_encode(out, request->query[i].name);
        cr_buffer_append_char(out, '=');
        cr_text_percent_encode(out, request->query[i].value);
    }
    return cr_buffer_check(out, err);
}

static bool is_signed_header(struct cr_slice name)
{
    static const char prefix[] = "x-acs-";
    struct cr_slice start = name;
    if (start.length > sizeof prefix - 1) {
        start.length = sizeof prefix - 1;
        if (cr_text_compare_lower(start, cr_slice_of(prefix)) == 0) {
            return true;
        }
    }
    return cr_text_compare_lower(name, cr_slice_of("host")) == 0 ||
           cr_text_compare_lower(name, cr_slice_of("content-type")) == 0;
}

static void append_lower(struct cr_buffer *out, struct cr_slice text)
{
    char *end = cr_buffer_reserve(out, text.length);
    if (end != NULL) {
        for (size_t i = 0; i < text.length; i++) {
            end[i] = (char)cr_text_lower(text.data[i]);
        }
        out->length += text.length;
    }
}

static void append_canonical_headers(struct cr_signing *signing,
                                     const struct cr_sign_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (i > 0) {
            cr_buffer_append_char(&signing->names, ';');
        }
        cr_buffer_append_slice(&signing->names, request->headers[i].name);
        cr_buffer_append_slice(&signing->canonical, request->headers[i].name);
        cr_buffer_append_char(&signing->canonical, ':');
        cr_buffer_append_slice(&signing->canonical, cr_text_trim(request->headers[i].value));
        cr_buffer_append_char(&signing->canonical, '\n');
    }
}

/* Canonical headers into `canonical`, their names into `names`. */
static enum cr_status append_headers(struct cr_signing *signing,
                                     const struct cr_sign_request *request, struct cr_error *err)
{
    if (request->headers_are_canonical) {
        append_canonical_headers(signing, request);
        return CR_OK;
    }
    cr_pairs_sort(request->headers, request->header_count, by_lower_name);
    for (size_t i = 0; i < request->header_count; i++) {
        struct cr_pair *header = &request->headers[i];
        if (!is_signed_header(header->name)) {
            continue;
        }
        if (i > 0 && by_lower_name(header - 1, header) == 0) {
            return cr_fail(err, CR_EINVAL, "a header is given twice in different case");
        }
        if (!cr_text_is_line(header->name) || !cr_text_is_line(header->value)) {
            /* the text that is signed would be that of other headers */
            return cr_fail(err, CR_EINVAL, "a header holds a line break or a NUL");
        }
        if (signing->names.length > 0) {
            cr_buffer_append_char(&signing->names, ';');
        }
        append_lower(&signing->names, header->name);
        append_lower(&signing->canonical, header->name);
        cr_buffer_append_char(&signing->canonical, ':');
        cr_buffer_append_slice(&signing->canonical, cr_text_trim(header->value));
        cr_buffer_append_char(&signing->canonical, '\n');
    }
    return CR_OK;
}

static enum cr_status append_sha256(struct cr_signing *signing, struct cr_buffer *out,
                                    struct cr_slice data, struct cr_error *err)
{
    unsigned char digest[CR_SHA256_SIZE];
    if (cr_crypto_sha256(signing->crypto, data, digest, err) != CR_OK) {
        return err->status;
    }
    char *end = cr_buffer_reserve(out, 2 * sizeof digest);
    if (end != NULL) {
        cr_text_hex(end, digest, sizeof digest);
        out->length += 2 * sizeof digest;
    }
    return CR_OK;
}

enum cr_status cr_sign_v3_canonical_request(struct cr_signing *signing,
                                            const struct cr_sign_request *request,
                                            struct cr_error *err)
{
    struct cr_buffer *out = &signing->canonical;
    cr_buffer_clear(out);
    cr_buffer_clear(&signing->names);
    cr_buffer_append_slice(out, request->method);
    cr_buffer_append_char(out, '\n');
    cr_buffer_append_slice(out, request->path);
    cr_buffer_append_char(out, '\n');
    cr_buffer_append_slice(out, cr_buffer_slice(&signing->query));
    cr_buffer_append_char(out, '\n');
    if (append_headers(signing, request, err) != CR_OK) {
        return err->status;
    }
    cr_buffer_append_char(out, '\n');
    cr_buffer_append_slice(out, cr_buffer_slice(&signing->names));
    cr_buffer_append_char(out, '\n');
    if (request->body.length == 0) {
        cr_buffer_append_slice(out, CR_LITERAL(CR_EMPTY_SHA256));
    } else if (append_sha256(signing, out, request->body, err) != CR_OK) {
        return err->status;
    }
    if (cr_buffer_check(&signing->names, err) != CR_OK) {
        return err->status;
    }
    return cr_buffer_check(out, err);
}

enum cr_status cr_sign_v3_string_to_sign(struct cr_signing *signing, struct cr_error *err)
{
    cr_buffer_clear(&signing->text);
    cr_buffer_append_text(&signing->text, "ACS3-HMAC-SHA256\n");
    if (append_sha256(signing, &signing->text, cr_buffer_slice(&signing->canonical), err) !=
        CR_OK) {
        return err->status;
    }
    return cr_buffer_check(&signing->text, err);
}

enum cr_status cr_sign_v3_authorization(struct cr_signing *signing,
                                        const struct cr_sign_request *request, struct cr_error *err)
{
    unsigned char mac[CR_SHA256_SIZE];
    char hex[2 * CR_SHA256_SIZE];
    if (cr_crypto_hmac(signing->crypto, CR_HMAC_SHA256, request->access_key_secret,
                       cr_buffer_slice(&signing->text), mac, err) != CR_OK) {
        return err->status;
    }
    cr_text_hex(hex, mac, sizeof mac);
    cr_buffer_clear(&signing->signature);
    cr_buffer_append(&signing->signature, hex, sizeof hex);

    struct cr_buffer *out = &signing->authorization;
    cr_buffer_clear(out);
    cr_buffer_append_text(out, "ACS3-HMAC-SHA256 Credential=");
    cr_buffer_append_slice(out, request->access_key_id);
    cr_buffer_append_text(out, ",SignedHeaders=");
    cr_buffer_append_slice(out, cr_buffer_slice(&signing->names));
    cr_buffer_append_text(out, ",Signature=");
    cr_buffer_append(out, hex, sizeof hex);
    if (cr_buffer_check(&signing->signature, err) != CR_OK) {
        return err->status;
    }
    return cr_buffer_check(out, err);
}

enum cr_status cr_sign_v3(struct cr_signing *signing, const struct cr_sign_request *request,
                          struct cr_error *err)
{
    if (cr_sign_canonical_query(signing, request, err) != CR_OK ||
        cr_sign_v3_canonical_request(signing, request, err) != CR_OK ||
        cr_sign_v3_string_to_sign(signing, err) != CR_OK ||
        cr_sign_v3_authorization(signing, request, err) != CR_OK) {
        return err->status;
    }
    return CR_OK;
}

/* The signature travels as a parameter of that name, which the other side leaves out. */
static bool has_signature(const struct cr_sign_request *request)
{
    for (size_t i = 0; i < request->query_count; i++) {
        if (cr_text_compare_lower(request->query[i].name, CR_LITERAL("signature")) == 0) {
            return true;
        }
    }
    return false;
}

enum cr_status cr_sign_v1_string_to_sign(struct cr_signing *signing,
                                         const struct cr_sign_request *request,
                                         struct cr_error *err)
{
    struct cr_buffer *out = &signing->text;
    if (has_signature(request)) {
        return cr_fail(err, CR_EINVAL, "a parameter cannot be named Signature");
    }
    cr_buffer_clear(out);
    cr_buffer_append_slice(out, request->method);
    cr_buffer_append_char(out, '&');
    cr_text_percent_encode(out, request->path);
    cr_buffer_append_char(out, '&');
    cr_text_percent_encode(out, cr_buffer_slice(&signing->query));
    return cr_buffer_check(out, err);
}

enum cr_status cr_sign_v1_signature(struct cr_signing *signing,
                                    const struct cr_sign_request *request, struct cr_error *err)
{
    unsigned char mac[CR_SHA1_SIZE];
    char base64[CR_BASE64_SHA1_SIZE];
    if (request->access_key_secret.length == 0) {
        return cr_fail(err, CR_EINVAL, "the access key secret is empty");
    }
    cr_buffer_clear(&signing->key);
    cr_buffer_append_slice(&signing->key, request->access_key_secret);
    cr_buffer_append_char(&signing->key, '&');
    if (signing->key.status == CR_ELIMIT) {
        return cr_fail(err, CR_EINVAL, "the access key secret is longer than 511 bytes");
    }
    if (cr_buffer_check(&signing->key, err) != CR_OK ||
        cr_crypto_hmac(signing->crypto, CR_HMAC_SHA1, cr_buffer_slice(&signing->key),
                       cr_buffer_slice(&signing->text), mac, err) != CR_OK) {
        return err->status;
    }
    cr_buffer_clear(&signing->signature);
    cr_buffer_append(&signing->signature, base64, cr_text_base64(base64, mac, sizeof mac));
    return cr_buffer_check(&signing->signature, err);
}

enum cr_status cr_sign_v1(struct cr_signing *signing, const struct cr_sign_request *request,
                          struct cr_error *err)
{
    if (cr_sign_canonical_query(signing, request, err) != CR_OK ||
        cr_sign_v1_string_to_sign(signing, request, err) != CR_OK ||
        cr_sign_v1_signature(signing, request, err) != CR_OK) {
        return err->status;
    }
    return CR_OK;
}
