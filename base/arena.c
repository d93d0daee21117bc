/* base/arena.c — chunked arena.
 * Design: one list of chunks. `current` is the chunk that the cursor walks; usual chunks behind it
 * were kept by an earlier reset and are walked next. A request larger than a chunk gets a chunk of
 * its own, put behind `current` without moving the cursor, so that one large record does not waste
 * the rest of the current chunk; reset frees these. */
#include "base/arena.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

struct mr_arena_chunk {
    struct mr_arena_chunk *next;
    size_t size;
    bool large; /* holds one request above chunk_bytes */
};

enum { HEADER_BYTES = 32, ARENA_ALIGNMENT = 16 };
_Static_assert(sizeof(struct mr_arena_chunk) <= HEADER_BYTES, "the header fits its place");
_Static_assert(HEADER_BYTES % ARENA_ALIGNMENT == 0, "memory behind the header stays aligned");

/* Where the cursor stands before the first chunk: a request of no bytes is not NULL either. */
static _Alignas(ARENA_ALIGNMENT) uint8_t empty[ARENA_ALIGNMENT];

static uint8_t *chunk_memory(struct mr_arena_chunk *chunk)
{
    return (uint8_t *)chunk + HEADER_BYTES;
}

static struct mr_arena_chunk *chunk_create(size_t size, bool large)
{
    MR_ASSERT(size <= SIZE_MAX - HEADER_BYTES);
    struct mr_arena_chunk *chunk = mr_memory_resize(NULL, HEADER_BYTES + size);
    *chunk = (struct mr_arena_chunk){.size = size, .large = large};
    return chunk;
}

static void rewind_cursor(struct mr_arena *arena)
{
    arena->current = arena->first;
    arena->cursor = arena->first != NULL ? chunk_memory(arena->first) : empty;
    arena->end = arena->first != NULL ? arena->cursor + arena->first->size : empty;
    arena->used_bytes = 0;
}

void mr_arena_init(struct mr_arena *arena, size_t chunk_bytes)
{
    MR_ASSERT(chunk_bytes > 0);
    size_t rounded = (chunk_bytes + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    *arena = (struct mr_arena){.chunk_bytes = rounded};
    rewind_cursor(arena);
}

void mr_arena_deinit(struct mr_arena *arena)
{
    struct mr_arena_chunk *chunk = arena->first;
    while (chunk != NULL) {
        struct mr_arena_chunk *next = chunk->next;
        mr_memory_free(chunk);
        chunk = next;
    }
    *arena = (struct mr_arena){0};
}

void mr_arena_reset(struct mr_arena *arena)
{
    struct mr_arena_chunk **link = &arena->first;
    while (*link != NULL) {
        struct mr_arena_chunk *chunk = *link;
        if (chunk->large) {
            *link = chunk->next;
            mr_memory_free(chunk);
        } else {
            link = &chunk->next;
        }
    }
    rewind_cursor(arena);
}

static void insert_behind_current(struct mr_arena *arena, struct mr_arena_chunk *chunk)
{
    if (arena->current == NULL) {
        arena->first = chunk;
        arena->current = chunk;
        return;
    }
    chunk->next = arena->current->next;
    arena->current->next = chunk;
}

static void *take_large(struct mr_arena *arena, size_t size)
{
    struct mr_arena_chunk *chunk = chunk_create(size, true);
    insert_behind_current(arena, chunk);
    if (arena->current == chunk) {
        arena->cursor = chunk_memory(chunk) + size;
        arena->end = arena->cursor;
    }
    arena->used_bytes += size;
    return chunk_memory(chunk);
}

/* Move to the next usual chunk, kept or new. */
static void advance(struct mr_arena *arena)
{
    struct mr_arena_chunk *last = arena->current;
    while (last != NULL && last->next != NULL) {
        last = last->next;
        if (!last->large) {
            arena->current = last;
            return;
        }
    }
    arena->current = last;
    struct mr_arena_chunk *chunk = chunk_create(arena->chunk_bytes, false);
    insert_behind_current(arena, chunk);
    arena->current = chunk;
}

void *mr_arena_grow(struct mr_arena *arena, size_t size)
{
    MR_ASSERT(arena->chunk_bytes > 0 && size > 0);
    if (size > arena->chunk_bytes)
        return take_large(arena, size);
    advance(arena);
    arena->cursor = chunk_memory(arena->current);
    arena->end = arena->cursor + arena->current->size;
    void *memory = arena->cursor;
    arena->cursor += size;
    arena->used_bytes += size;
    return memory;
}

void *mr_arena_new(struct mr_arena *arena, size_t count, size_t size)
{
    size_t total;
    bool overflow = __builtin_mul_overflow(count, size, &total);
    MR_ASSERT(!overflow && total <= SIZE_MAX - ARENA_ALIGNMENT);
    void *memory = mr_arena_take(arena, total);
    memset(memory, 0, total);
    return memory;
}

struct mr_slice mr_arena_copy(struct mr_arena *arena, struct mr_slice bytes)
{
    uint8_t *copy = mr_arena_take(arena, bytes.size);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return mr_slice_from(copy, bytes.size);
}

char *mr_arena_copy_text(struct mr_arena *arena, const char *text)
{
    return mr_arena_copy_bytes_text(arena, text, strlen(text));
}

char *mr_arena_copy_bytes_text(struct mr_arena *arena, const void *data, size_t size)
{
    char *copy = mr_arena_take(arena, size + 1);
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *mr_arena_format(struct mr_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    MR_ASSERT(length >= 0);
    size_t size = (size_t)length + 1;
    char *text = mr_arena_take(arena, size);
    va_start(arguments, format);
    vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return text;
}
