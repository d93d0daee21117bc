/* base/arena.h — memory that is given back all at once: per batch, per transaction, per plan.
 * Model: a list of chunks; reset keeps the chunks, so that after the first batches a batch takes no
 * heap memory. Allocations are 16-byte aligned.
 * Limits: chunk_bytes is the usual chunk; a larger request gets a chunk of its own, which reset
 * gives back. Threads: one at a time. */
#ifndef MR_BASE_ARENA_H
#define MR_BASE_ARENA_H

#include "base/error.h"
#include "base/slice.h"

struct mr_arena_chunk;

struct mr_arena {
    uint8_t *cursor;
    uint8_t *end;
    struct mr_arena_chunk *current;
    struct mr_arena_chunk *first;
    size_t chunk_bytes;
    size_t used_bytes; /* handed out since the last reset */
};

void mr_arena_init(struct mr_arena *arena, size_t chunk_bytes);
void mr_arena_deinit(struct mr_arena *arena);
/* Everything handed out becomes invalid. */
void mr_arena_reset(struct mr_arena *arena);
void *mr_arena_grow(struct mr_arena *arena, size_t size); /* slow path of mr_arena_take */

/* Uninitialised memory, valid until reset. Never NULL. */
static inline void *mr_arena_take(struct mr_arena *arena, size_t size)
{
    size_t rounded = (size + 15u) & ~(size_t)15u;
    if (rounded > (size_t)(arena->end - arena->cursor))
        return mr_arena_grow(arena, rounded);
    void *memory = arena->cursor;
    arena->cursor += rounded;
    arena->used_bytes += rounded;
    return memory;
}

/* Give back the tail of the latest allocation: memory was taken with taken_bytes, the first
 * kept_bytes stay. For writers that take an upper bound first. Does nothing when something was
 * taken since. */
static inline void mr_arena_give_back(struct mr_arena *arena, void *memory, size_t taken_bytes,
                                      size_t kept_bytes)
{
    size_t taken = (taken_bytes + 15u) & ~(size_t)15u;
    size_t kept = (kept_bytes + 15u) & ~(size_t)15u;
    if ((uint8_t *)memory + taken != arena->cursor || kept > taken)
        return;
    arena->cursor -= taken - kept;
    arena->used_bytes -= taken - kept;
}

/* Zeroed memory for count elements. */
void *mr_arena_new(struct mr_arena *arena, size_t count, size_t size);
struct mr_slice mr_arena_copy(struct mr_arena *arena, struct mr_slice bytes);
char *mr_arena_copy_text(struct mr_arena *arena, const char *text);
char *mr_arena_copy_bytes_text(struct mr_arena *arena, const void *data, size_t size);
char *mr_arena_format(struct mr_arena *arena, const char *format, ...) MR_PRINTF(2, 3);

#endif
