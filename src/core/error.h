/*
 * Status of every core function that can fail.
 *
 * The core never prints, aborts or allocates to report a failure: a function returns a status and,
 * where one sentence helps the caller, fills a struct cr_error with a fixed text. Texts are static
 * strings, so they can be kept for ever and never hold a secret.
 */
#ifndef CR_CORE_ERROR_H
#define CR_CORE_ERROR_H

#pragma GCC visibility push(hidden)

enum cr_status {
    CR_OK = 0,
    CR_ENOMEM,   /* an allocation failed */
    CR_ELIMIT,   /* a named maximum was reached */
    CR_EINVAL,   /* the input cannot be used */
    CR_ECRYPTO,  /* OpenSSL refused */
    CR_ESYSTEM,  /* the operating system refused */
    CR_ETRANSFER /* the exchange failed; the failure has its own description */
};

struct cr_error {
    enum cr_status status;
    const char *text; /* static, never NULL once a function has failed */
};

#if defined(__GNUC__) || defined(__clang__)
#define CR_CHECKED __attribute__((warn_unused_result))
#else
#define CR_CHECKED
#endif

/* Fills err and returns status, so that a failing function can end in one line. */
static inline enum cr_status cr_fail(struct cr_error *err, enum cr_status status, const char *text)
{
    err->status = status;
    err->text = text;
    return status;
}

#pragma GCC visibility pop

#endif
