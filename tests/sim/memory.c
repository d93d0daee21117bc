/* tests/sim/memory.c — heaps of the simulated processes.
 * Design: base/memory.c's calls of calloc, realloc and free come here by --wrap. Every block
 * belongs to the process whose thread takes it and is in that process's list, so that a killed
 * process leaves nothing. Small blocks are cut from pages by size class; free blocks of a class
 * are linked. Large ones go to the C library (mapped, so that zeroing costs nothing until they are
 * touched). Outside a process, and under AddressSanitizer, every block is the C library's. */
#include "base/assert.h"
#include "tests/sim/kernel.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum {
    CLASSES = 40,
    SMALL_MAX = 32 << 10,
    PAGE_BYTES = 256 << 10,
    PAGES_MAX = 1024,
    HEADER_BYTES = 32
};

#if defined(__SANITIZE_ADDRESS__)
#define SIM_HEAP_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_HEAP_PLAIN 1
#endif
#endif

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);

enum { BLOCK_OUTSIDE = 0xa110, BLOCK_SMALL = 0x5a11, BLOCK_LARGE = 0x1a46 };

/* In front of every block. */
struct sim_block {
    struct sim_block *next;  /* in the process's list (large), or of free blocks (small) */
    struct sim_block **link; /* to this block, of the list */
    size_t size;             /* asked for */
    uint16_t kind;
    uint16_t class_index;
    uint32_t owner; /* process index and life, to see what is freed by another */
};
_Static_assert(sizeof(struct sim_block) <= HEADER_BYTES, "the header fits");

struct sim_heap {
    struct sim_block *free_blocks[CLASSES];
    uint8_t *pages[PAGES_MAX];
    uint32_t pages_count;
    size_t page_used;
};

static uint8_t *spare_pages[PAGES_MAX];
static uint32_t spare_pages_count;

static uint32_t owner_of(const struct sim_process *process)
{
    return process == NULL ? 0 : (process->index + 1) << 20 | (process->life & 0xfffff);
}

static struct sim_block *header(void *memory)
{
    return (struct sim_block *)(void *)((uint8_t *)memory - HEADER_BYTES);
}

static void *memory_of(struct sim_block *block)
{
    return (uint8_t *)block + HEADER_BYTES;
}

/* Four classes to every power of two from 64 on. */
static size_t class_bytes(uint32_t index)
{
    size_t base = (size_t)64 << (index / 4);
    return base + base / 4 * (index % 4);
}

static uint32_t class_of(size_t size)
{
    uint32_t index = 0;
    while (class_bytes(index) < size)
        index++;
    return index;
}

static void chain(struct sim_process *process, struct sim_block *block)
{
    block->next = process->blocks;
    block->link = &process->blocks;
    if (block->next != NULL)
        block->next->link = &block->next;
    process->blocks = block;
}

static void unchain(struct sim_block *block)
{
    *block->link = block->next;
    if (block->next != NULL)
        block->next->link = block->link;
}

static struct sim_block *take_small(struct sim_process *process, size_t size)
{
    if (process->heap == NULL)
        process->heap = __real_calloc(1, sizeof *process->heap);
    struct sim_heap *heap = process->heap;
    uint32_t class_index = class_of(size + HEADER_BYTES);
    size_t bytes = class_bytes(class_index);
    struct sim_block *block = heap->free_blocks[class_index];
    if (block != NULL) {
        heap->free_blocks[class_index] = block->next;
    } else {
        if (heap->pages_count == 0 || heap->page_used + bytes > PAGE_BYTES) {
            MR_ASSERT(heap->pages_count < PAGES_MAX);
            uint8_t *page = spare_pages_count > 0 ? spare_pages[--spare_pages_count]
                                                  : mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
                                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            MR_ASSERT(page != MAP_FAILED);
            heap->pages[heap->pages_count++] = page;
            heap->page_used = 0;
        }
        block = (struct sim_block *)(void *)(heap->pages[heap->pages_count - 1] + heap->page_used);
        heap->page_used += bytes;
    }
    *block = (struct sim_block){.kind = BLOCK_SMALL, .class_index = (uint16_t)class_index};
    return block;
}

static void count(struct sim_process *process, size_t more, size_t less)
{
    if (process == NULL)
        return;
    process->heap_bytes += more - less;
    if (process->heap_bytes > process->heap_bytes_max)
        process->heap_bytes_max = process->heap_bytes;
}

static void *take(size_t size, bool zero)
{
    struct sim_process *process = sim_process_current();
    struct sim_block *block;
#ifdef SIM_HEAP_PLAIN
    bool small = false;
#else
    bool small = process != NULL && size <= SMALL_MAX;
#endif
    if (small) {
        block = take_small(process, size);
        if (zero)
            memset(memory_of(block), 0, size);
    } else {
        block = __real_calloc(1, size + HEADER_BYTES);
        if (block == NULL)
            return NULL;
        block->kind = process == NULL ? BLOCK_OUTSIDE : BLOCK_LARGE;
        if (process != NULL)
            chain(process, block);
    }
    block->size = size;
    block->owner = owner_of(process);
    count(process, size, 0);
    return memory_of(block);
}

/* The compiler makes it of realloc(NULL, size). */
void *__wrap_malloc(size_t size)
{
    return take(size, false);
}

void *__wrap_calloc(size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? NULL : take(total, true);
}

void __wrap_free(void *memory)
{
    if (memory == NULL)
        return;
    struct sim_block *block = header(memory);
    struct sim_process *process = sim_process_current();
    MR_ASSERT(block->owner == owner_of(process)); /* a block is freed where it was taken */
    count(process, 0, block->size);
    if (block->kind == BLOCK_SMALL) {
        struct sim_heap *heap = process->heap;
        block->kind = 0;
        memset(memory, 0xdd, block->size < 64 ? block->size : 64);
        block->next = heap->free_blocks[block->class_index];
        heap->free_blocks[block->class_index] = block;
        return;
    }
    MR_ASSERT(block->kind == BLOCK_LARGE || block->kind == BLOCK_OUTSIDE);
    if (block->kind == BLOCK_LARGE)
        unchain(block);
    __real_free(block);
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (memory == NULL)
        return take(size, false);
    struct sim_block *block = header(memory);
    if (block->kind == BLOCK_SMALL && size + HEADER_BYTES <= class_bytes(block->class_index)) {
        count(sim_process_current(), size, block->size);
        block->size = size;
        return memory;
    }
    void *larger = take(size, false);
    if (larger == NULL)
        return NULL;
    memcpy(larger, memory, block->size < size ? block->size : size);
    __wrap_free(memory);
    return larger;
}

void sim_heap_free(struct sim_process *process)
{
    process->heap_bytes = 0;
    while (process->blocks != NULL) {
        struct sim_block *block = process->blocks;
        process->blocks = block->next;
        __real_free(block);
    }
    struct sim_heap *heap = process->heap;
    if (heap == NULL)
        return;
    for (uint32_t index = 0; index < heap->pages_count; index++) {
        if (spare_pages_count < PAGES_MAX)
            spare_pages[spare_pages_count++] = heap->pages[index];
        else
            (void)munmap(heap->pages[index], PAGE_BYTES);
    }
    __real_free(heap);
    process->heap = NULL;
}
