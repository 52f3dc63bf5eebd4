/*
 * Text forms the protocol needs: percent-encoding, hex, base64, UTC time, UTF-8, JSON strings.
 *
 * Pure functions over bytes: no locale, no time zone, no global state, safe in any thread.
 */
#ifndef CR_CORE_TEXT_H
#define CR_CORE_TEXT_H

#include "buffer.h"
#include "slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum {
    CR_ISO8601_SIZE = sizeof "YYYY-MM-DDTHH:MM:SSZ",
    CR_BASE64_SHA1_SIZE = 29 /* base64 of 20 bytes with its terminator */
};

/* RFC 3986: A-Z a-z 0-9 - _ . ~ stay, every other byte becomes %XX in upper case. */
void cr_text_percent_encode(struct cr_buffer *out, struct cr_slice text);

/* Lower-case hex; `out` takes 2 * count characters, no terminator. */
void cr_text_hex(char *out, const unsigned char *data, size_t count);

/* RFC 4648 base64 with padding; `out` takes 4 * ceil(count / 3) characters, no terminator.
 * Returns how many were written. */
size_t cr_text_base64(char *out, const unsigned char *data, size_t count);

/* Writes `seconds` since the epoch as YYYY-MM-DDTHH:MM:SSZ with a terminator. False outside the
 * years 0000 to 9999. */
bool cr_text_iso8601(char out[CR_ISO8601_SIZE], int64_t seconds);

/* Reads what cr_text_iso8601 writes, and the same with a fraction of 1 to 9 digits, which is
 * dropped. False for every other form and for days and times that no calendar has; the leap second
 * 60 is the second that follows. */
bool cr_text_parse_iso8601(struct cr_slice text, int64_t *seconds);

/* Offset of the first byte that is not part of valid UTF-8 (no surrogates, nothing over-long,
 * nothing above U+10FFFF); text.length when all of it is valid. */
size_t cr_text_utf8_valid(struct cr_slice text);

/* Appends the text as a JSON string with its quotes. The text must be valid UTF-8. */
void cr_text_json_string(struct cr_buffer *out, struct cr_slice text);

/* The text without blanks and tabs at both ends. */
struct cr_slice cr_text_trim(struct cr_slice text);

/* Whether a header can hold the text: no CR, LF or NUL in it. */
bool cr_text_is_line(struct cr_slice text);

/* ASCII only, whatever the locale. */
static inline unsigned char cr_text_lower(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

/* Byte order of the lower-cased texts: negative, zero or positive. */
int cr_text_compare_lower(struct cr_slice a, struct cr_slice b);

#pragma GCC visibility pop

#endif
