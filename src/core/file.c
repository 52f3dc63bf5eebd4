#include "file.h"

#include "crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 4096 };

void cr_file_init(struct cr_file *file)
{
    memset(file, 0, sizeof *file);
    cr_buffer_init(&file->content, 0, true);
}

void cr_file_clean_up(struct cr_file *file)
{
    cr_buffer_clean_up(&file->content);
}

ssize_t cr_file_append(struct cr_buffer *out, int descriptor)
{
    char chunk[CHUNK];
    ssize_t count = 0;
    do {
        count = read(descriptor, chunk, sizeof chunk);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        cr_buffer_append(out, chunk, (size_t)count);
        cr_crypto_wipe(chunk, (size_t)count);
    }
    return count;
}

/* Texts of errno are static for every error the system documents. */
static enum cr_status fail_with_errno(struct cr_error *err)
{
    return cr_fail(err, CR_ESYSTEM, strerror(errno));
}

static enum cr_status inspect(struct cr_file *file, int descriptor, size_t maximum,
                              struct cr_error *err)
{
    struct stat info;
    if (fstat(descriptor, &info) != 0) {
        return fail_with_errno(err);
    }
    if (!S_ISREG(info.st_mode)) {
        return cr_fail(err, CR_EINVAL,
                       S_ISDIR(info.st_mode) ? "is a directory" : "is no regular file");
    }
    if (info.st_size > 0 && (unsigned long long)info.st_size > maximum) {
        return cr_fail(err, CR_ELIMIT, "is too large");
    }
    file->mode = (unsigned)info.st_mode & 07777U;
    file->owner = info.st_uid;
    return CR_OK;
}

/* To the end, which may have moved since the size was asked. */
static enum cr_status read_all(struct cr_file *file, int descriptor, struct cr_error *err)
{
    ssize_t count = 0;
    do {
        count = cr_file_append(&file->content, descriptor);
    } while (count > 0 && file->content.status == CR_OK);
    if (count < 0) {
        return fail_with_errno(err);
    }
    if (file->content.status != CR_OK) {
        return cr_fail(err, file->content.status,
                       file->content.status == CR_ELIMIT ? "is too large" : "out of memory");
    }
    return CR_OK;
}

enum cr_status cr_file_read(struct cr_file *file, const char *path, size_t maximum,
                            struct cr_error *err)
{
    cr_buffer_reset(&file->content, maximum);
    file->is_missing = false;
    int descriptor = -1;
    do { /* without O_NONBLOCK a FIFO would wait for its writer */
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) {
        file->is_missing = errno == ENOENT || errno == ENOTDIR;
        return fail_with_errno(err);
    }
    enum cr_status status = inspect(file, descriptor, maximum, err);
    if (status == CR_OK) {
        status = read_all(file, descriptor, err);
    }
    close(descriptor);
    return status;
}
