#include "http_transfer.h"

#include <string.h>

/* The names a failure can have, by libcurl's code. */
static const char *failure_code(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return "InvalidUrl";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "ResolveFailed";
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return "ProxyFailed";
    case CURLE_COULDNT_CONNECT:
        return "ConnectFailed";
    case CURLE_OPERATION_TIMEDOUT:
        return "Timeout";
    case CURLE_SSL_CONNECT_ERROR:
        return "TlsHandshakeFailed";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_SHUTDOWN_FAILED:
        return "TlsFailed";
    case CURLE_SEND_ERROR:
        return "SendFailed";
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return "ConnectionClosed";
    case CURLE_PARTIAL_FILE:
        return "TruncatedBody";
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: /* not by our callbacks, which have set a status: by a decoder */
    case CURLE_WEIRD_SERVER_REPLY:
        return "BadHttp";
    case CURLE_OUT_OF_MEMORY:
        return "OutOfMemory";
    default:
        return "TransferFailed";
    }
}

/* libcurl says "out of memory" of a header line above its own limit of 100 KiB. */
static bool is_endless_line(const struct cr_transfer *transfer, CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY && transfer->sent && !transfer->headers_end &&
           transfer->headers.status == CR_OK && transfer->body.length == 0;
}

enum cr_status cr_transfer_describe_failure(const struct cr_transfer *transfer,
                                            struct cr_http_failure *failure)
{
    CURLcode code = transfer->code;
    long connect_status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (transfer->body.status == CR_ELIMIT) {
        cr_http_refuse(failure, "ResponseTooLarge", "the answer is larger than max_response_bytes");
    } else if (transfer->headers.status == CR_ELIMIT || is_endless_line(transfer, code)) {
        cr_http_refuse(failure, "ResponseTooLarge",
                       transfer->all_header_bytes > CR_MAX_ALL_HEADER_BYTES
                           ? "the answer has more than 128 KiB of headers, interim answers included"
                           : "the answer has more than 64 KiB or 200 headers");
    } else if (transfer->headers.status == CR_EINVAL) {
        cr_http_refuse(failure, "BadHttp", "the answer is of another version than HTTP/1");
    } else if (transfer->resent) {
        cr_http_refuse(failure, "ConnectionClosed",
                       "the peer closed the kept connection unanswered");
    } else if (transfer->body.status == CR_ENOMEM || transfer->headers.status == CR_ENOMEM ||
               transfer->sockets->ran_out) {
        cr_http_refuse(failure, "OutOfMemory", "out of memory");
    } else {
        const char *name = failure_code(code);
        bool is_proxy_cut =
            code == CURLE_RECV_ERROR && !transfer->sent; /* who else was read from? */
        if (is_proxy_cut || (connect_status != 0 && connect_status / 100 != 2)) {
            name = "ProxyFailed";
        } else if ((code == CURLE_UNSUPPORTED_PROTOCOL && transfer->sent) ||
                   strstr(transfer->error, "chunked-encod") != NULL) {
            /* The peer's protocol, not the URL's; broken chunks are a read error to libcurl. */
            name = "BadHttp";
        }
        /* What libcurl says of a proxy's URL quotes it, password included. */
        bool is_shown = transfer->error[0] != '\0' && strchr(transfer->error, '@') == NULL &&
                        strstr(transfer->error, "proxy scheme") == NULL;
        cr_http_refuse(failure, name, is_shown ? transfer->error : curl_easy_strerror(code));
    }
    failure->sent = transfer->sent;
    return CR_ETRANSFER;
}
