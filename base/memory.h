/* base/memory.h — the one place that takes heap memory, counted.
 * Why: the record path must not allocate per record (docs/ARCHITECTURE.md); tests read the counters
 * of the calling thread before and after a batch. Libraries' own allocations are not counted here.
 * Errors: out of memory aborts with a sentence; memory is budgeted before it is taken. */
#ifndef MR_BASE_MEMORY_H
#define MR_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory for count elements of size bytes. Owner: the caller, until mr_memory_free. */
void *mr_memory_new(size_t count, size_t size);
/* Grow or shrink; memory may be NULL. New bytes are not zeroed. */
void *mr_memory_resize(void *memory, size_t size);
void mr_memory_free(void *memory);
/* A copy of text, ended by NUL. */
char *mr_memory_copy_text(const char *text);
char *mr_memory_copy_bytes(const void *data, size_t size); /* with a NUL behind it */

struct mr_memory_counters {
    uint64_t allocation_count; /* calls that took or resized memory */
    uint64_t allocation_bytes;
};

/* Counters of the calling thread since it started. */
struct mr_memory_counters mr_memory_counters(void);

#endif
