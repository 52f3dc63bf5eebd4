/*
 * Baseline of "load": the least a program pays that uses these two libraries. It is linked with
 * libcurl and libcrypto and touches one function of each.
 */
#include <curl/curl.h>
#include <openssl/crypto.h>

int main(void)
{
    return curl_version() != NULL && OpenSSL_version_num() != 0 ? 0 : 1;
}
