#include "job.h"

#include <stdlib.h>

enum {
    MAX_TEXT =
        CR_MAX_REQUEST_BODY_BYTES + 1024 * 1024, /* of a request: URL, headers, body, paths */
    KEPT = 1024 * 1024                           /* bytes; a larger answer gives its memory back */
};

struct cr_job *cr_job_new(void)
{
    struct cr_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return NULL;
    }
    atomic_init(&job->owners, 1);
    atomic_init(&job->is_done, false);
    cr_buffer_init(&job->text, MAX_TEXT, true);
    cr_buffer_init(&job->answer, 0, true);
    return job;
}

bool cr_job_has_one_owner(const struct cr_job *job)
{
    return atomic_load_explicit(&job->owners, memory_order_acquire) == 1;
}

void cr_job_lend(struct cr_job *job)
{
    atomic_fetch_add_explicit(&job->owners, 1, memory_order_relaxed);
}

void cr_job_release(struct cr_job *job)
{
    if (atomic_fetch_sub_explicit(&job->owners, 1, memory_order_acq_rel) == 1) {
        cr_buffer_clean_up(&job->text);
        cr_buffer_clean_up(&job->answer);
        free(job);
    }
}

static size_t length_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Bytes of everything that is copied, terminators included. */
static size_t size_of(const struct cr_http_request *request)
{
    size_t size = length_of(request->method) + length_of(request->url) + request->body.length +
                  length_of(request->ca_file) + length_of(request->ca_path) +
                  length_of(request->proxy);
    for (size_t i = 0; i < request->header_count; i++) {
        size += request->headers[i].name.length + request->headers[i].value.length;
    }
    return size;
}

/* The copy; there is room, so that the buffer does not move. */
static const char *keep(struct cr_job *job, const char *data, size_t length)
{
    const char *copy = job->text.data + job->text.length;
    cr_buffer_append(&job->text, data, length);
    return copy;
}

static const char *keep_text(struct cr_job *job, const char *text)
{
    return text != NULL ? keep(job, text, strlen(text) + 1) : NULL;
}

static struct cr_slice keep_slice(struct cr_job *job, struct cr_slice slice)
{
    slice.data = keep(job, slice.data, slice.length);
    return slice;
}

enum cr_status cr_job_prepare(struct cr_job *job, const struct cr_http_request *request)
{
    struct cr_http_request *copy = &job->request;
    cr_buffer_clear(&job->text);
    if (request->header_count > CR_MAX_REQUEST_HEADERS) {
        return CR_ELIMIT;
    }
    if (cr_buffer_reserve(&job->text, size_of(request)) == NULL) {
        return job->text.status;
    }
    *copy = *request;
    copy->method = keep_text(job, request->method);
    copy->url = keep_text(job, request->url);
    copy->ca_file = keep_text(job, request->ca_file);
    copy->ca_path = keep_text(job, request->ca_path);
    copy->proxy = keep_text(job, request->proxy);
    copy->body = keep_slice(job, request->body);
    for (size_t i = 0; i < request->header_count; i++) {
        job->headers[i].name = keep_slice(job, request->headers[i].name);
        job->headers[i].value = keep_slice(job, request->headers[i].value);
    }
    copy->headers = job->headers;
    atomic_store_explicit(&job->is_done, false, memory_order_relaxed);
    return CR_OK;
}

/* What the exchange holds until it is released, as the job's own. */
static enum cr_status keep_answer(struct cr_job *job)
{
    struct cr_http_response *response = &job->response;
    struct cr_http_failure no_memory = {"OutOfMemory", "out of memory", true};
    size_t size = response->headers.length + response->body.length;
    cr_buffer_reset(&job->answer, CR_MAX_RESPONSE_HEADER_BYTES + job->request.max_body);
    char *copy = cr_buffer_reserve(&job->answer, size);
    if (copy == NULL) {
        job->failure = no_memory;
        return CR_ENOMEM;
    }
    cr_buffer_append_slice(&job->answer, response->headers);
    cr_buffer_append_slice(&job->answer, response->body);
    response->headers.data = copy;
    response->body.data = copy + response->headers.length;
    return CR_OK;
}

static void run(struct cr_job *job, struct cr_http *http)
{
    struct cr_transfer *transfer = cr_http_start(http, &job->request, &job->failure);
    if (transfer == NULL) {
        job->status = CR_ETRANSFER;
        return;
    }
    cr_http_wait(http, transfer);
    job->status = cr_http_result(transfer, &job->response, &job->failure);
    if (job->status == CR_OK) {
        job->status = keep_answer(job);
    }
    cr_http_release(http, transfer);
}

void cr_job_run(struct cr_job *job, struct cr_http *http)
{
    run(job, http);
    cr_buffer_clear(&job->text);
    atomic_store_explicit(&job->is_done, true, memory_order_release);
}

bool cr_job_is_done(const struct cr_job *job)
{
    return atomic_load_explicit(&job->is_done, memory_order_acquire);
}

void cr_job_forget(struct cr_job *job)
{
    cr_buffer_clear(&job->answer);
    if (job->answer.capacity > KEPT) {
        cr_buffer_clean_up(&job->answer);
    }
}
