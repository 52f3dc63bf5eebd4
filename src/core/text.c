#include "text.h"

static const char lower_digits[] = "0123456789abcdef";
static const char upper_digits[] = "0123456789ABCDEF";

/* A-Z a-z 0-9 - _ . ~ as a set of bits. */
static bool is_unreserved(unsigned char c)
{
    static const uint32_t set[8] = {0, 0x03FF6000, 0x87FFFFFE, 0x47FFFFFE, 0, 0, 0, 0};
    return (set[c >> 5] >> (c & 31) & 1) != 0;
}

void cr_text_percent_encode(struct cr_buffer *out, struct cr_slice text)
{
    size_t start = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (!is_unreserved(c)) {
            char escape[3] = {'%', upper_digits[c >> 4], upper_digits[c & 15]};
            cr_buffer_append(out, text.data + start, i - start);
            cr_buffer_append(out, escape, sizeof escape);
            start = i + 1;
        }
    }
    cr_buffer_append(out, text.data + start, text.length - start);
}

void cr_text_hex(char *out, const unsigned char *data, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        *out++ = lower_digits[data[i] >> 4];
        *out++ = lower_digits[data[i] & 15];
    }
}

size_t cr_text_base64(char *out, const unsigned char *data, size_t count)
{
    enum { PADDING = 64 };
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    char *end = out;
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t group = (uint32_t)data[i] << 16;
        group |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)data[i + 2] : 0;
        *end++ = digits[group >> 18];
        *end++ = digits[(group >> 12) & 63];
        *end++ = digits[left > 1 ? (group >> 6) & 63 : PADDING];
        *end++ = digits[left > 2 ? group & 63 : PADDING];
    }
    return (size_t)(end - out);
}

static char *put_digits(char *out, int64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

static const int64_t year_0000 = -62167219200, year_10000 = 253402300800;

bool cr_text_iso8601(char out[CR_ISO8601_SIZE], int64_t seconds)
{
    if (seconds < year_0000 || seconds >= year_10000) {
        return false;
    }
    /* Counted in years from March, so that the leap day ends a year, and from 400 years (one
     * period of 146097 days) before 0000-03-01, so that January 0000 is not negative. */
    int64_t days = (seconds - year_0000) / 86400 - 60 + 146097;
    int64_t second = (seconds - year_0000) % 86400;
    int64_t era = days / 146097;
    int64_t day_of_era = days % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153; /* 0 is March */
    int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    int64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0) - 400;
    char *end = put_digits(out, year, 4);
    *end++ = '-';
    end = put_digits(end, month, 2);
    *end++ = '-';
    end = put_digits(end, day_of_year - (153 * shifted_month + 2) / 5 + 1, 2);
    *end++ = 'T';
    end = put_digits(end, second / 3600, 2);
    *end++ = ':';
    end = put_digits(end, second / 60 % 60, 2);
    *end++ = ':';
    end = put_digits(end, second % 60, 2);
    *end++ = 'Z';
    *end = '\0';
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, DATE_FIELDS };

/* The fields of a date that begins the text and its zone at the end of it. */
static bool read_date(struct cr_slice text, int64_t fields[DATE_FIELDS])
{
    enum { MAX_FRACTION = 9 };
    static const char form[] = "0000-00-00T00:00:00";
    const size_t form_length = sizeof form - 1;
    if (text.length <= form_length || text.data[text.length - 1] != 'Z') {
        return false;
    }
    size_t field = YEAR;
    for (size_t i = 0; i < form_length; i++) {
        char c = text.data[i];
        if (form[i] != '0') {
            field++;
        }
        if (form[i] == '0' ? !is_digit(c) : c != form[i]) {
            return false;
        }
        fields[field] = form[i] == '0' ? fields[field] * 10 + (c - '0') : 0;
    }
    struct cr_slice fraction = {text.data + form_length, text.length - form_length - 1};
    if (fraction.length == 0) {
        return true;
    }
    if (fraction.data[0] != '.' || fraction.length < 2 || fraction.length > 1 + MAX_FRACTION) {
        return false;
    }
    for (size_t i = 1; i < fraction.length; i++) {
        if (!is_digit(fraction.data[i])) {
            return false;
        }
    }
    return true;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

bool cr_text_parse_iso8601(struct cr_slice text, int64_t *seconds)
{
    int64_t date[DATE_FIELDS] = {0};
    if (!read_date(text, date) || date[MONTH] < 1 || date[MONTH] > 12 || date[DAY] < 1 ||
        date[DAY] > days_of_month(date[YEAR], date[MONTH]) || date[HOUR] > 23 ||
        date[MINUTE] > 59 || date[SECOND] > 60) {
        return false;
    }
    /* Counted as cr_text_iso8601 counts. */
    bool is_before_march = date[MONTH] <= 2;
    int64_t year = date[YEAR] + 400 - (is_before_march ? 1 : 0);
    int64_t shifted_month = is_before_march ? date[MONTH] + 9 : date[MONTH] - 3;
    int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * shifted_month + 2) / 5 +
                   date[DAY] - 1 + 60 - 146097;
    *seconds = year_0000 + days * 86400 + date[HOUR] * 3600 + date[MINUTE] * 60 + date[SECOND];
    return true;
}

/* Length of the valid UTF-8 sequence at `p`, 0 when there is none (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t length = 0;
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        length = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        length = 3;
        low = p[0] == 0xE0 ? 0xA0 : low;
        high = p[0] == 0xED ? 0x9F : high;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        length = 4;
        low = p[0] == 0xF0 ? 0x90 : low;
        high = p[0] == 0xF4 ? 0x8F : high;
    }
    if (length == 0 || length > left || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

size_t cr_text_utf8_valid(struct cr_slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t i = 0;
    while (i < text.length) {
        size_t step = bytes[i] < 0x80 ? 1 : utf8_sequence(bytes + i, text.length - i);
        if (step == 0) {
            return i;
        }
        i += step;
    }
    return text.length;
}

void cr_text_json_string(struct cr_buffer *out, struct cr_slice text)
{
    static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* a byte and its letter, in pairs */
    cr_buffer_append_char(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        const char *known = c >= 0x20 && c != '"' && c != '\\' ? NULL : escapes;
        while (known != NULL && *known != '\0' && (unsigned char)*known != c) {
            known += 2;
        }
        if (known == NULL) {
            cr_buffer_append_char(out, (char)c);
        } else if (*known != '\0') {
            char pair[2] = {'\\', known[1]};
            cr_buffer_append(out, pair, sizeof pair);
        } else {
            char unicode[6] = {'\\', 'u', '0', '0', lower_digits[c >> 4], lower_digits[c & 15]};
            cr_buffer_append(out, unicode, sizeof unicode);
        }
    }
    cr_buffer_append_char(out, '"');
}

struct cr_slice cr_text_trim(struct cr_slice text)
{
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.length--;
    }
    while (text.length > 0 &&
           (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t')) {
        text.length--;
    }
    return text;
}

bool cr_text_is_line(struct cr_slice text)
{
    return memchr(text.data, '\r', text.length) == NULL &&
           memchr(text.data, '\n', text.length) == NULL &&
           memchr(text.data, '\0', text.length) == NULL;
}

int cr_text_compare_lower(struct cr_slice a, struct cr_slice b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    for (size_t i = 0; i < common; i++) {
        int difference = cr_text_lower(a.data[i]) - cr_text_lower(b.data[i]);
        if (difference != 0) {
            return difference;
        }
    }
    return (a.length > b.length) - (a.length < b.length);
}
