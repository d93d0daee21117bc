/* tests/sim/kernel.c — events, chance, processes and the run itself.
 * Design: a binary heap of events ordered by (time, order of making); nothing depends on an
 * address. Memory of the run comes from chunks that are kept between runs. The trace's hash takes
 * in every event that runs, so that two runs of a seed can be compared by one number. */
#include "tests/sim/kernel.h"

#include "base/assert.h"
#include "tests/sim/threads.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK_BYTES = 4 << 20, CHUNKS_MAX = 256 };

struct event {
    uint64_t at_ns;
    uint64_t order;
    sim_event_fn run;
    void *argument;
    uint64_t token;
    struct sim_process *owner;
    uint32_t life;
};

static struct {
    struct sim_options options;
    struct sim_verdict verdict;
    uint64_t random[2];
    uint64_t now_ns;
    uint64_t order;
    bool stopped;
    struct sim_machine machine;
    struct sim_process *processes[SIM_PROCESSES_MAX];
    uint32_t processes_count;
    void (*process_ended)(struct sim_process *process);
} run;

/* Kept between runs. */
static struct event *events;
static size_t events_count;
static size_t events_capacity;
static struct event *deferred; /* of paused processes, in the order in which they came up */
static size_t deferred_count;
static size_t deferred_capacity;
static uint8_t *chunks[CHUNKS_MAX];
static size_t chunk_index;
static size_t chunk_used;

/* Of one run: what is larger than a chunk. */
struct large {
    struct large *next;
    size_t size;
};
static struct large *larges;

/* ---- Memory of the run ---- */

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MR_ASSERT(memory != MAP_FAILED);
    return memory;
}

static void *new_large(size_t size)
{
    struct large *large = map(size + 64);
    *large = (struct large){.next = larges, .size = size + 64};
    larges = large;
    return (uint8_t *)large + 64;
}

static void free_larges(void)
{
    while (larges != NULL) {
        struct large *large = larges;
        larges = large->next;
        (void)munmap(large, large->size);
    }
}

void *sim_new(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size > CHUNK_BYTES)
        return new_large(size);
    if (chunk_used + size > CHUNK_BYTES) {
        MR_ASSERT(chunk_index + 1 < CHUNKS_MAX); /* a run may take 1 GB */
        chunk_index++;
        chunk_used = 0;
    }
    if (chunks[chunk_index] == NULL)
        chunks[chunk_index] = map(CHUNK_BYTES);
    void *memory = chunks[chunk_index] + chunk_used;
    chunk_used += size;
    memset(memory, 0, size);
    return memory;
}

void *sim_copy(const void *data, size_t size)
{
    uint8_t *copy = sim_new(size + 1);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

char *sim_copy_text(const char *text)
{
    return sim_copy(text, strlen(text));
}

static void grow(struct event **items, size_t *capacity, size_t count)
{
    if (count < *capacity)
        return;
    size_t wanted = *capacity == 0 ? 1 << 14 : *capacity * 2;
    struct event *larger = map(wanted * sizeof *larger);
    if (*items != NULL) {
        memcpy(larger, *items, count * sizeof *larger);
        (void)munmap(*items, *capacity * sizeof *larger);
    }
    *items = larger;
    *capacity = wanted;
}

/* ---- Chance: xoroshiro128+ ---- */

__extension__ typedef unsigned __int128 wide;

static uint64_t next_random(void)
{
    uint64_t first = run.random[0];
    uint64_t second = run.random[1];
    uint64_t result = first + second;
    second ^= first;
    run.random[0] = (first << 24 | first >> 40) ^ second ^ (second << 16);
    run.random[1] = second << 37 | second >> 27;
    return result;
}

static uint64_t splitmix(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = *state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

uint64_t sim_random(uint64_t bound)
{
    MR_ASSERT(bound > 0);
    return (uint64_t)(((wide)next_random() * bound) >> 64);
}

uint64_t sim_between(uint64_t low, uint64_t high)
{
    return low + sim_random(high - low + 1);
}

bool sim_chance(uint32_t per_million)
{
    return per_million > 0 && sim_random(1000000) < per_million;
}

/* ---- Trace and verdict ---- */

uint64_t sim_seed(void)
{
    return run.options.seed;
}

bool sim_tracing(void)
{
    return run.options.trace;
}

struct sim_machine *sim_machine(void)
{
    return &run.machine;
}

void sim_note(uint64_t number)
{
    run.verdict.hash = (run.verdict.hash ^ number) * UINT64_C(0x100000001b3);
    run.verdict.hash ^= run.verdict.hash >> 29;
}

void sim_trace(const char *format, ...)
{
    if (!run.options.trace)
        return;
    const struct sim_process *process = sim_process_current();
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)printf("%12.6f %-14s %s\n", (double)run.now_ns / 1e9,
                 process == NULL ? "-" : process->name, text);
}

void sim_violation(const char *format, ...)
{
    char text[sizeof run.verdict.text];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sim_trace("VIOLATION: %s", text);
    if (!run.verdict.violated)
        memcpy(run.verdict.text, text, sizeof text);
    run.verdict.violated = true;
    run.stopped = true;
    if (sim_thread_current() != NULL)
        sim_thread_abandon();
}

/* ---- Events ---- */

uint64_t sim_now_ns(void)
{
    return run.now_ns;
}

static bool before(const struct event *left, const struct event *right)
{
    return left->at_ns != right->at_ns ? left->at_ns < right->at_ns : left->order < right->order;
}

static void push(const struct event *event)
{
    grow(&events, &events_capacity, events_count);
    size_t at = events_count++;
    while (at > 0 && before(event, &events[(at - 1) / 2])) {
        events[at] = events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events[at] = *event;
}

static struct event pop(void)
{
    struct event first = events[0];
    struct event last = events[--events_count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= events_count)
            break;
        if (child + 1 < events_count && before(&events[child + 1], &events[child]))
            child++;
        if (!before(&events[child], &last))
            break;
        events[at] = events[child];
        at = child;
    }
    events[at] = last;
    return first;
}

void sim_at(uint64_t at_ns, struct sim_process *owner, sim_event_fn function, void *argument,
            uint64_t token)
{
    if (owner != NULL && !owner->alive)
        return;
    struct event event = {.at_ns = at_ns < run.now_ns ? run.now_ns : at_ns,
                          .order = run.order++,
                          .run = function,
                          .argument = argument,
                          .token = token,
                          .owner = owner,
                          .life = owner == NULL ? 0 : owner->life};
    push(&event);
}

void sim_after(uint64_t delay_ns, struct sim_process *owner, sim_event_fn function, void *argument,
               uint64_t token)
{
    uint64_t at_ns = delay_ns > INT64_MAX ? INT64_MAX : run.now_ns + delay_ns;
    sim_at(at_ns, owner, function, argument, token);
}

static void step(void)
{
    struct event event = pop();
    struct sim_process *owner = event.owner;
    run.now_ns = event.at_ns;
    if (owner != NULL && (!owner->alive || owner->life != event.life))
        return;
    if (owner != NULL && owner->paused) {
        grow(&deferred, &deferred_capacity, deferred_count);
        deferred[deferred_count++] = event;
        return;
    }
    run.verdict.events_count++;
    sim_note(event.at_ns ^ event.order << 40);
    event.run(event.argument, event.token);
}

void sim_stop(void)
{
    run.stopped = true;
}

void sim_run(void)
{
    while (!run.stopped && events_count > 0)
        step();
}

void sim_begin(const struct sim_options *options)
{
    memset(&run, 0, sizeof run);
    run.options = *options;
    run.verdict.hash = UINT64_C(0xcbf29ce484222325);
    uint64_t state = options->seed;
    run.random[0] = splitmix(&state);
    run.random[1] = splitmix(&state);
    run.now_ns = 1000 * SIM_SECOND;
    events_count = 0;
    deferred_count = 0;
    chunk_index = 0;
    chunk_used = 0;
    sim_threads_begin();
}

void sim_end(struct sim_verdict *verdict)
{
    for (uint32_t index = 0; index < run.processes_count; index++) {
        run.process_ended = NULL;
        sim_process_kill(run.processes[index]);
    }
    sim_threads_end();
    free_larges();
    *verdict = run.verdict;
}

/* ---- Processes ---- */

struct sim_process *sim_process_create(const char *name)
{
    MR_ASSERT(run.processes_count < SIM_PROCESSES_MAX);
    struct sim_process *process = sim_new(sizeof *process);
    (void)snprintf(process->name, sizeof process->name, "%s", name);
    process->index = run.processes_count;
    run.processes[run.processes_count++] = process;
    return process;
}

void sim_on_process_end(void (*ended)(struct sim_process *process))
{
    run.process_ended = ended;
}

void sim_process_start(struct sim_process *process, void *(*main)(void *), void *argument)
{
    MR_ASSERT(!process->alive);
    process->alive = true;
    process->paused = false;
    process->life++;
    sim_trace("process %s starts, life %u", process->name, process->life);
    (void)sim_thread_create(process, main, argument);
}

void sim_process_kill(struct sim_process *process)
{
    if (!process->alive)
        return;
    struct sim_thread *current = sim_thread_current();
    MR_ASSERT(current == NULL || sim_process_current() != process);
    sim_trace("process %s ends", process->name);
    process->alive = false;
    process->paused = false;
    sim_threads_kill(process);
    sim_heap_free(process);
    if (run.process_ended != NULL)
        run.process_ended(process);
}

void sim_process_pause(struct sim_process *process)
{
    sim_trace("process %s is stopped", process->name);
    process->paused = true;
}

void sim_process_resume(struct sim_process *process)
{
    if (!process->paused)
        return;
    sim_trace("process %s goes on", process->name);
    process->paused = false;
    size_t kept = 0;
    for (size_t index = 0; index < deferred_count; index++) {
        if (deferred[index].owner != process) {
            deferred[kept++] = deferred[index];
            continue;
        }
        deferred[index].at_ns = run.now_ns;
        deferred[index].order = run.order++;
        push(&deferred[index]);
    }
    deferred_count = kept;
}
