/*
 * Times: what is written reads back and is what the C library writes; what is read writes the same.
 *
 * Fields of an input: a text, seconds (8 bytes).
 */
#include "../src/core/http.h"
#include "../src/core/text.h"
#include "support.h"

#include <time.h>

static const int64_t year_0000 = -62167219200, year_10000 = 253402300800;

static void check_write(int64_t seconds)
{
    char text[CR_ISO8601_SIZE], http[64];
    time_t time = (time_t)seconds;
    struct tm fields;
    int64_t read_back = 0;
    bool is_written = cr_text_iso8601(text, seconds);
    FUZZ_REQUIRE(is_written == (seconds >= year_0000 && seconds < year_10000));
    if (!is_written) {
        return;
    }
    FUZZ_REQUIRE(cr_text_parse_iso8601(cr_slice_of(text), &read_back) && read_back == seconds);
    FUZZ_REQUIRE(gmtime_r(&time, &fields) != NULL);
    if (fields.tm_year >= 0) { /* strftime writes no zeros before smaller years */
        FUZZ_REQUIRE(strftime(http, sizeof http, "%Y-%m-%dT%H:%M:%SZ", &fields) > 0);
        FUZZ_REQUIRE(strcmp(http, text) == 0);
    }
    if (seconds >= 0) {
        FUZZ_REQUIRE(strftime(http, sizeof http, "%a, %d %b %Y %H:%M:%S GMT", &fields) > 0);
        FUZZ_REQUIRE(cr_http_parse_date(http) == seconds);
    }
}

static void check_read(struct cr_slice text)
{
    char written[CR_ISO8601_SIZE];
    int64_t seconds = 0;
    if (!cr_text_parse_iso8601(text, &seconds)) {
        return;
    }
    if (!cr_text_iso8601(written, seconds)) { /* the leap second of the last year */
        FUZZ_REQUIRE(seconds == year_10000);
    } else if (text.data[17] != '6') {
        FUZZ_REQUIRE(memcmp(written, text.data, 19) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice input = fuzz_input(data, size);
    int64_t seconds = 0;
    check_read(fuzz_field(&input));
    check_read(input);
    memcpy(&seconds, input.data, input.length < sizeof seconds ? input.length : sizeof seconds);
    check_write(seconds);
    check_write(seconds % year_10000);
    return 0;
}
