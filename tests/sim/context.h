/* tests/sim/context.h — coroutines: stacks and the switch between them.
 * Model: a context is a stack with a saved stack pointer. Threads: one. */
#ifndef MR_TESTS_SIM_CONTEXT_H
#define MR_TESTS_SIM_CONTEXT_H

#include <stddef.h>

struct sim_context {
    void *pointer;      /* saved stack pointer, or the ucontext */
    void *stack;        /* lowest address, above the guard page */
    void *sanitizer;    /* of AddressSanitizer: the fake stack */
    const void *bottom; /* of AddressSanitizer: of the stack that was left */
    size_t bottom_size;
};

/* Make a context that runs entry(argument) when it is first switched to. entry never returns. */
void sim_context_make(struct sim_context *context, void (*entry)(void *), void *argument);
/* The context of the OS thread, to come back to. */
void sim_context_outside(struct sim_context *context);
/* Give the stack back to the pool. Not the running one. */
void sim_context_free(struct sim_context *context);
/* Go on in `to`, saving where we are in `from`. last: `from` is never gone back to. */
void sim_context_switch(struct sim_context *from, struct sim_context *to, int last);

#endif
