#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */

#include "nonce.h"

#include "crypto.h"
#include "text.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NONCE_BYTES = CR_NONCE_TEXT / 2, NONCES = 64 };

struct cr_nonce_memory {
    size_t left; /* 0 also after a fork that wiped */
    unsigned char bytes[NONCES * NONCE_BYTES];
};

static enum cr_status map(struct cr_nonce_pool *pool, struct cr_error *err)
{
    void *memory = mmap(NULL, sizeof *pool->memory, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return cr_fail(err, CR_ENOMEM, "out of memory");
    }
    pool->memory = memory;
#ifdef MADV_WIPEONFORK
    pool->is_wiped_on_fork = madvise(memory, sizeof *pool->memory, MADV_WIPEONFORK) == 0;
#endif
    return CR_OK;
}

enum cr_status cr_nonce_draw(struct cr_nonce_pool *pool, char out[CR_NONCE_TEXT],
                             struct cr_error *err)
{
    if (pool->memory == NULL && map(pool, err) != CR_OK) {
        return err->status;
    }
    struct cr_nonce_memory *memory = pool->memory;
    bool is_ours = pool->is_wiped_on_fork || pool->owner == getpid();
    if (memory->left == 0 || !is_ours) {
        if (cr_crypto_random(memory->bytes, sizeof memory->bytes, err) != CR_OK) {
            return err->status;
        }
        memory->left = NONCES;
        pool->owner = getpid();
    }
    memory->left--;
    cr_text_hex(out, memory->bytes + memory->left * NONCE_BYTES, NONCE_BYTES);
    return CR_OK;
}

void cr_nonce_clean_up(struct cr_nonce_pool *pool)
{
    if (pool->memory != NULL) {
        cr_crypto_wipe(pool->memory, sizeof *pool->memory);
        munmap(pool->memory, sizeof *pool->memory);
    }
    memset(pool, 0, sizeof *pool);
}
