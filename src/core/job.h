/*
 * One exchange that one thread hands to another: a copy of the request going, a copy of the answer
 * coming back, and nothing of either Lua state in between.
 *
 * A job has one owner per thread that still needs it, so that whoever asked may lose interest (a
 * client of nginx that went away) while the exchange goes on: the last owner frees it. Between
 * `lend` and the end of `run` only the running thread may touch anything but the number of owners
 * and `is_done`; handing the pointer over must order memory, as every queue of threads does.
 */
#ifndef CR_CORE_JOB_H
#define CR_CORE_JOB_H

#include "http.h"

#include <stdatomic.h>

#pragma GCC visibility push(hidden)

struct cr_job {
    atomic_uint owners;
    atomic_bool is_done;
    struct cr_http_request request; /* points into `text` and `headers` */
    struct cr_pair headers[CR_MAX_REQUEST_HEADERS];
    struct cr_buffer text;            /* secret */
    enum cr_status status;            /* of the exchange: which of the two below is filled */
    struct cr_http_response response; /* points into `answer` */
    struct cr_http_failure failure;
    struct cr_buffer answer; /* secret: header block and body */
};

/* With one owner; NULL when out of memory. */
struct cr_job *cr_job_new(void);

/* Takes a copy of a request. CR_ENOMEM or CR_ELIMIT when there is no room for it. Only for the one
 * owner of a job. */
enum cr_status cr_job_prepare(struct cr_job *job, const struct cr_http_request *request) CR_CHECKED;

bool cr_job_has_one_owner(const struct cr_job *job);

/* One owner more, and one less; the last one frees. */
void cr_job_lend(struct cr_job *job);
void cr_job_release(struct cr_job *job);

bool cr_job_is_done(const struct cr_job *job);

/* Makes the exchange, blocking, and leaves what it brought. Does not release the job. */
void cr_job_run(struct cr_job *job, struct cr_http *http);

/* Wipes the answer, and gives back the memory of a large one. */
void cr_job_forget(struct cr_job *job);

#pragma GCC visibility pop

#endif
