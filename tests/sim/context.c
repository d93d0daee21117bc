/* tests/sim/context.c — stacks from a pool, with a guard page, and a switch of eight registers.
 * Design: a run makes hundreds of threads, so stacks are mapped once and kept. On x86-64 the switch
 * is written by hand (20 ns; swapcontext costs two system calls); elsewhere it is ucontext's.
 * AddressSanitizer is told about every switch. */
#include "tests/sim/context.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#ifndef __x86_64__
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef SIM_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum { GUARD_BYTES = 4096, POOL_MAX = 2048 };
#ifdef SIM_ADDRESS_SANITIZER
enum { STACK_BYTES = 1 << 20 };
#else
enum { STACK_BYTES = 256 << 10 };
#endif

static void *pool[POOL_MAX];
static size_t pool_count;

static void *stack_take(void)
{
    if (pool_count > 0)
        return pool[--pool_count];
    uint8_t *memory = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MR_ASSERT(memory != MAP_FAILED);
    int failed = mprotect(memory, GUARD_BYTES, PROT_NONE);
    MR_ASSERT(failed == 0);
    return memory + GUARD_BYTES;
}

struct start {
    void (*entry)(void *);
    void *argument;
    struct sim_context *context;
};

static void finish_switch(struct sim_context *here)
{
#ifdef SIM_ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(here->sanitizer, NULL, NULL);
#else
    MR_UNUSED(here);
#endif
}

#ifdef __x86_64__

void sim_context_swap(void **saved, void *next);
void sim_context_enter(void);

__asm__(".text\n"
        ".globl sim_context_swap\n"
        ".type sim_context_swap,@function\n"
        "sim_context_swap:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size sim_context_swap,.-sim_context_swap\n"
        ".globl sim_context_enter\n"
        ".type sim_context_enter,@function\n"
        "sim_context_enter:\n"
        "    movq %r12, %rdi\n"
        "    xorl %ebp, %ebp\n"
        "    callq *%r13\n"
        "    ud2\n"
        ".size sim_context_enter,.-sim_context_enter\n");

static void begin(void *argument)
{
    struct start start = *(struct start *)argument;
    finish_switch(start.context);
    start.entry(start.argument);
}

void sim_context_make(struct sim_context *context, void (*entry)(void *), void *argument)
{
    *context = (struct sim_context){.stack = stack_take()};
    uint8_t *top = (uint8_t *)context->stack + STACK_BYTES - 128;
    struct start *start = (struct start *)(void *)top;
    *start = (struct start){.entry = entry, .argument = argument, .context = context};
    void (*code)(void *) = begin;
    void (*first)(void) = sim_context_enter;
    uint64_t *words = (uint64_t *)(void *)(top - 72); /* so that the stack is aligned at the call */
    memset(words, 0, 72);
    memcpy(&words[2], &code, sizeof code);   /* r13 */
    memcpy(&words[3], &start, sizeof start); /* r12 */
    memcpy(&words[6], &first, sizeof first); /* the return address */
    context->pointer = words;
}

static void swap(struct sim_context *from, struct sim_context *to)
{
    sim_context_swap(&from->pointer, to->pointer);
}

#else

static void begin(unsigned low, unsigned high)
{
    struct start *given = NULL;
    uint64_t bits = (uint64_t)high << 32 | low;
    memcpy(&given, &bits, sizeof given);
    struct start start = *given;
    finish_switch(start.context);
    start.entry(start.argument);
}

void sim_context_make(struct sim_context *context, void (*entry)(void *), void *argument)
{
    *context = (struct sim_context){.stack = stack_take()};
    uint8_t *top = (uint8_t *)context->stack + STACK_BYTES;
    ucontext_t *machine = (ucontext_t *)(void *)(top - ((sizeof(ucontext_t) + 255) & ~255ul));
    struct start *start = (struct start *)(void *)((uint8_t *)machine - 256);
    *start = (struct start){.entry = entry, .argument = argument, .context = context};
    int failed = getcontext(machine);
    MR_ASSERT(failed == 0);
    machine->uc_stack.ss_sp = context->stack;
    machine->uc_stack.ss_size = (size_t)((uint8_t *)start - (uint8_t *)context->stack);
    uint64_t bits = 0;
    memcpy(&bits, &start, sizeof start);
    makecontext(machine, (void (*)(void))begin, 2, (unsigned)bits, (unsigned)(bits >> 32));
    context->pointer = machine;
}

static ucontext_t outside;

static void swap(struct sim_context *from, struct sim_context *to)
{
    if (from->pointer == NULL)
        from->pointer = &outside;
    (void)swapcontext(from->pointer, to->pointer);
}

#endif

void sim_context_outside(struct sim_context *context)
{
    pthread_attr_t attributes;
    void *bottom = NULL;
    *context = (struct sim_context){0};
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    (void)pthread_attr_getstack(&attributes, &bottom, &context->bottom_size);
    (void)pthread_attr_destroy(&attributes);
    context->bottom = bottom;
}

void sim_context_free(struct sim_context *context)
{
#ifdef SIM_ADDRESS_SANITIZER
    __asan_unpoison_memory_region(context->stack, STACK_BYTES);
#endif
    if (context->stack != NULL && pool_count < POOL_MAX)
        pool[pool_count++] = context->stack;
    *context = (struct sim_context){0};
}

void sim_context_switch(struct sim_context *from, struct sim_context *to, int last)
{
#ifdef SIM_ADDRESS_SANITIZER
    const void *bottom = to->stack;
    size_t size = STACK_BYTES;
    if (bottom == NULL) { /* the stack of the OS thread, known since it was left */
        bottom = to->bottom;
        size = to->bottom_size;
    }
    __sanitizer_start_switch_fiber(last ? NULL : &from->sanitizer, bottom, size);
#else
    MR_UNUSED(last);
#endif
    swap(from, to);
#ifdef SIM_ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(from->sanitizer, NULL, NULL);
#endif
}
