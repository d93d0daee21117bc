/* tests/sim/kernel.h — the machine that a simulation runs on: one OS thread, a virtual clock, one
 * random sequence.
 * Why: the real code runs here unchanged. What it asks of the system (clocks, threads, mutexes,
 * conditions, memory, fresh ids, log lines) is answered by this kernel (system.c, threads.c,
 * memory.c), linked by --wrap.
 * Model: a process is a name, a heap and threads; a thread is a coroutine. Everything that happens
 * is an event at a time in nanoseconds; events of the same time run in the order of their making.
 * An event belongs to a process (its life: a process that was killed and started again has another)
 * or to nobody. Events of a dead life are dropped, those of a paused process wait.
 * Invariants: the same seed gives the same events in the same order, whatever memory addresses are.
 * Threads: everything on the one OS thread. Limits: SIM_THREADS_MAX, SIM_PROCESSES_MAX. */
#ifndef MR_TESTS_SIM_KERNEL_H
#define MR_TESTS_SIM_KERNEL_H

#include "base/error.h"

#include <stddef.h>

enum { SIM_THREADS_MAX = 2048, SIM_PROCESSES_MAX = 1280, SIM_NAME_SIZE = 32 };

#define SIM_MS UINT64_C(1000000)
#define SIM_SECOND (1000 * SIM_MS)

struct sim_thread;
struct sim_block; /* of a process's heap */
struct sim_rule;

struct sim_process {
    char name[SIM_NAME_SIZE];
    bool alive;
    bool paused;
    uint32_t life; /* rises with every start */
    uint32_t index;
    int64_t wall_offset_ms; /* of its wall clock against virtual time */
    uint32_t threads_count;
    void *user; /* of who made it */
    struct sim_block *blocks;
    struct sim_heap *heap;
    size_t heap_bytes; /* asked for and not freed, by this life */
    size_t heap_bytes_max;
};

typedef void (*sim_event_fn)(void *argument, uint64_t token);

/* ---- One run ---- */

struct sim_options {
    uint64_t seed;
    const struct sim_rule *rule; /* who assigns: rule.h */
    bool trace;                  /* print what happens */
};

/* What a run found. */
struct sim_verdict {
    bool violated;
    char text[1024];
    uint64_t hash; /* of the trace of events */
    uint64_t events_count;
    uint64_t owned_ns; /* from the last fault until every task ran */
};

void sim_begin(const struct sim_options *options);
/* Run events until one of them calls sim_stop, a violation is found, or none is left. */
void sim_run(void);
void sim_stop(void);
/* Frees everything. */
void sim_end(struct sim_verdict *verdict);
uint64_t sim_seed(void);
bool sim_tracing(void);
/* A line of the trace; formatted only while tracing. */
void sim_trace(const char *format, ...) MR_PRINTF(1, 2);
/* Mix a number into the trace's hash. */
void sim_note(uint64_t number);
/* The run has shown a fault: it ends. Does not return when called on a simulated thread. */
void sim_violation(const char *format, ...) MR_PRINTF(1, 2);

/* ---- Chance ---- */

uint64_t sim_random(uint64_t bound); /* in [0, bound) */
uint64_t sim_between(uint64_t low, uint64_t high);
bool sim_chance(uint32_t per_million);

/* ---- Time and events ---- */

uint64_t sim_now_ns(void);
/* owner NULL: nobody's. */
void sim_at(uint64_t at_ns, struct sim_process *owner, sim_event_fn run, void *argument,
            uint64_t token);
void sim_after(uint64_t delay_ns, struct sim_process *owner, sim_event_fn run, void *argument,
               uint64_t token);

/* ---- Memory of the run: zeroed, freed by sim_end ---- */

void *sim_new(size_t size);
char *sim_copy_text(const char *text);
void *sim_copy(const void *data, size_t size);

/* ---- Processes ---- */

struct sim_process *sim_process_create(const char *name);
/* A new life. Its first thread runs main(argument). */
void sim_process_start(struct sim_process *process, void *(*main)(void *), void *argument);
/* kill -9: its threads never run again, its heap is gone. Not from its own threads. */
void sim_process_kill(struct sim_process *process);
void sim_process_pause(struct sim_process *process);
void sim_process_resume(struct sim_process *process);
/* Of the running thread; NULL outside. */
struct sim_process *sim_process_current(void);
/* Called when a process has ended (killed, or its last thread returned). */
void sim_on_process_end(void (*ended)(struct sim_process *process));

/* ---- Threads ---- */

struct sim_queue { /* of waiting threads; all zero: empty */
    struct sim_thread *first;
    struct sim_thread *last;
};

struct sim_thread *sim_thread_create(struct sim_process *process, void *(*main)(void *),
                                     void *argument);
struct sim_thread *sim_thread_current(void);
void sim_thread_join(struct sim_thread *thread);
bool sim_thread_ended(const struct sim_thread *thread);
void sim_sleep(uint64_t duration_ns);
/* Wait in a queue; deadline_ns UINT64_MAX: for ever. False: the deadline has passed. */
bool sim_wait(struct sim_queue *queue, uint64_t deadline_ns);
void sim_wake(struct sim_queue *queue);
void sim_wake_all(struct sim_queue *queue);
/* A place where another thread may run: with the run's chance the caller waits a moment. */
void sim_preempt(void);

/* ---- How coarse the machine is, drawn per run ---- */

struct sim_machine {
    uint32_t preempt_per_million;
    uint32_t part_ends_per_million; /* per question whether a part of what is due is enough */
    uint64_t sleep_min_ns;          /* no sleep is shorter: a loaded machine */
    uint64_t run_delay_ns;          /* between being woken and running, at most */
};
struct sim_machine *sim_machine(void);

/* ---- For memory.c and threads.c ---- */

void sim_heap_free(struct sim_process *process);
_Noreturn void sim_thread_abandon(void);

#endif
