/* base/memory.c — the one place that takes heap memory, counted.
 * Design: thin wrappers over the C library. The counters are thread-local and plain, since a test
 * asks about the thread it runs on and the record path must not pay for an atomic. */
#include "base/memory.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct mr_memory_counters counters;

_Noreturn static void out_of_memory(size_t size)
{
    fprintf(stderr, "millrace: out of memory: %zu bytes were refused by the system.\n", size);
    abort();
}

static void count(size_t size)
{
    counters.allocation_count++;
    counters.allocation_bytes += size;
}

void *mr_memory_new(size_t element_count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(element_count, size, &total))
        out_of_memory(SIZE_MAX);
    if (total == 0)
        total = 1; /* so that NULL never means success */
    void *memory = calloc(1, total);
    if (memory == NULL)
        out_of_memory(total);
    count(total);
    return memory;
}

void *mr_memory_resize(void *memory, size_t size)
{
    if (size == 0)
        size = 1; /* realloc to nothing would free */
    void *resized = realloc(memory, size);
    if (resized == NULL)
        out_of_memory(size);
    count(size);
    return resized;
}

void mr_memory_free(void *memory)
{
    free(memory);
}

char *mr_memory_copy_text(const char *text)
{
    return mr_memory_copy_bytes(text, strlen(text));
}

char *mr_memory_copy_bytes(const void *data, size_t size)
{
    MR_ASSERT(size < SIZE_MAX);
    char *copy = mr_memory_resize(NULL, size + 1);
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

struct mr_memory_counters mr_memory_counters(void)
{
    return counters;
}
