/* tests/sim/threads.c — simulated threads, and the pthread calls of the real code on them.
 * Design: a thread that waits is in at most one queue and has a token; the event of its deadline
 * carries the token and is void when the thread was woken before. A woken thread runs after a small
 * random delay, which is what makes interleavings. Mutexes and conditions live in the storage of
 * pthread's own types, whose zeroed form is an unlocked mutex. The calls come here by --wrap. */
#include "tests/sim/threads.h"

#include "base/assert.h"
#include "tests/sim/context.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { SPIN_MAX = 400 };

struct sim_thread {
    struct sim_context context;
    struct sim_process *process;
    void *(*main)(void *);
    void *argument;
    struct sim_thread *next; /* in a queue */
    struct sim_queue *queue; /* waiting there; NULL: not */
    uint64_t token;          /* of the wait */
    struct sim_queue joiners;
    bool used;
    bool ended;
    bool woken; /* by a wake, not by the deadline */
    uint32_t spins;
};

static struct sim_thread threads[SIM_THREADS_MAX];
static uint32_t threads_used; /* highest used + 1 */
static struct sim_thread *current;
static struct sim_context outside;

/* ---- Life ---- */

void sim_threads_begin(void)
{
    memset(threads, 0, threads_used * sizeof threads[0]);
    threads_used = 0;
    current = NULL;
    sim_context_outside(&outside);
}

static void release(struct sim_thread *thread)
{
    if (thread->context.stack != NULL)
        sim_context_free(&thread->context);
    thread->used = false;
}

void sim_threads_end(void)
{
    for (uint32_t index = 0; index < threads_used; index++)
        if (threads[index].used)
            release(&threads[index]);
}

void sim_threads_kill(struct sim_process *process)
{
    for (uint32_t index = 0; index < threads_used; index++)
        if (threads[index].used && threads[index].process == process)
            release(&threads[index]);
    process->threads_count = 0;
}

struct sim_thread *sim_thread_current(void)
{
    return current;
}

struct sim_process *sim_process_current(void)
{
    return current == NULL ? NULL : current->process;
}

bool sim_thread_ended(const struct sim_thread *thread)
{
    return thread->ended;
}

static void leave(bool last)
{
    struct sim_thread *thread = current;
    current = NULL;
    sim_context_switch(&thread->context, &outside, last);
    MR_ASSERT(!last);
}

void sim_thread_abandon(void)
{
    leave(true);
    __builtin_unreachable();
}

static void end_process(void *argument, uint64_t token)
{
    MR_UNUSED(token);
    sim_process_kill(argument);
}

static void thread_main(void *argument)
{
    struct sim_thread *thread = argument;
    (void)thread->main(thread->argument);
    thread->ended = true;
    sim_wake_all(&thread->joiners);
    if (--thread->process->threads_count == 0)
        sim_after(0, thread->process, end_process, thread->process, 0);
    sim_thread_abandon();
}

static void resume(void *argument, uint64_t token)
{
    struct sim_thread *thread = argument;
    if (!thread->used || thread->ended || thread->token != token)
        return;
    if (thread->queue != NULL) { /* its deadline */
        struct sim_queue *queue = thread->queue;
        struct sim_thread **link = &queue->first;
        struct sim_thread *previous = NULL;
        while (*link != thread) {
            previous = *link;
            link = &(*link)->next;
        }
        *link = thread->next;
        if (queue->last == thread)
            queue->last = previous;
        thread->queue = NULL;
        thread->woken = false;
    }
    thread->token++;
    thread->spins = 0;
    current = thread;
    sim_context_switch(&outside, &thread->context, 0);
    if (thread->ended && thread->context.stack != NULL)
        sim_context_free(&thread->context);
}

struct sim_thread *sim_thread_create(struct sim_process *process, void *(*main)(void *),
                                     void *argument)
{
    uint32_t index = 0;
    while (index < SIM_THREADS_MAX && threads[index].used)
        index++;
    MR_ASSERT(index < SIM_THREADS_MAX);
    threads_used = index < threads_used ? threads_used : index + 1;
    struct sim_thread *thread = &threads[index];
    uint64_t token = thread->token + 1; /* events of the slot's last thread are void */
    *thread = (struct sim_thread){
        .used = true, .process = process, .main = main, .argument = argument, .token = token};
    sim_context_make(&thread->context, thread_main, thread);
    process->threads_count++;
    sim_after(sim_random(sim_machine()->run_delay_ns + 1), process, resume, thread, thread->token);
    return thread;
}

void sim_thread_join(struct sim_thread *thread)
{
    while (!thread->ended)
        (void)sim_wait(&thread->joiners, UINT64_MAX);
    release(thread);
}

/* ---- Waiting ---- */

void sim_sleep(uint64_t duration_ns)
{
    MR_ASSERT(current != NULL);
    sim_after(duration_ns, current->process, resume, current, current->token);
    leave(false);
}

bool sim_wait(struct sim_queue *queue, uint64_t deadline_ns)
{
    struct sim_thread *thread = current;
    MR_ASSERT(thread != NULL && thread->queue == NULL);
    thread->queue = queue;
    thread->next = NULL;
    thread->woken = false;
    if (queue->last == NULL)
        queue->first = thread;
    else
        queue->last->next = thread;
    queue->last = thread;
    if (deadline_ns != UINT64_MAX)
        sim_at(deadline_ns, thread->process, resume, thread, thread->token);
    leave(false);
    return thread->woken;
}

void sim_wake(struct sim_queue *queue)
{
    struct sim_thread *thread = queue->first;
    if (thread == NULL)
        return;
    queue->first = thread->next;
    if (queue->first == NULL)
        queue->last = NULL;
    thread->queue = NULL;
    thread->woken = true;
    thread->token++; /* the deadline is void */
    sim_after(sim_random(sim_machine()->run_delay_ns + 1), thread->process, resume, thread,
              thread->token);
}

void sim_wake_all(struct sim_queue *queue)
{
    while (queue->first != NULL)
        sim_wake(queue);
}

void sim_preempt(void)
{
    if (current == NULL)
        return;
    /* Code that looks at the clock again and again waits for something: let time pass. */
    bool spins = ++current->spins >= SPIN_MAX;
    if (!spins && !sim_chance(sim_machine()->preempt_per_million))
        return;
    current->spins = 0;
    sim_sleep(spins ? SIM_MS / 10 : sim_random(2 * SIM_MS));
}

/* ---- The calls of the real code ---- */

struct mutex {
    struct sim_thread *owner;
    struct sim_queue waiters;
};
struct condition {
    struct sim_queue waiters;
};
_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "a mutex fits");
_Static_assert(sizeof(struct condition) <= sizeof(pthread_cond_t), "a condition fits");

static struct mutex *mutex_of(pthread_mutex_t *mutex)
{
    return (struct mutex *)(void *)mutex;
}

static struct condition *condition_of(pthread_cond_t *condition)
{
    return (struct condition *)(void *)condition;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *argument);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_destroy(pthread_cond_t *condition);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *deadline);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *argument)
{
    MR_UNUSED(attributes);
    MR_ASSERT(current != NULL);
    struct sim_thread *created = sim_thread_create(current->process, main, argument);
    uint64_t number = (uint64_t)(created - threads) + 1;
    memcpy(thread, &number, sizeof *thread);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    MR_UNUSED(result);
    uint64_t number = 0;
    memcpy(&number, &thread, sizeof thread);
    sim_thread_join(&threads[number - 1]);
    return 0;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    MR_UNUSED(attributes);
    memset(mutex, 0, sizeof *mutex);
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    MR_ASSERT(mutex_of(mutex)->owner == NULL);
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    struct mutex *lock = mutex_of(mutex);
    if (current == NULL)
        return 0;
    sim_preempt();
    MR_ASSERT(lock->owner != current);
    while (lock->owner != NULL)
        (void)sim_wait(&lock->waiters, UINT64_MAX);
    lock->owner = current;
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct mutex *lock = mutex_of(mutex);
    if (current == NULL)
        return 0;
    MR_ASSERT(lock->owner == current);
    lock->owner = NULL;
    sim_wake(&lock->waiters);
    sim_preempt();
    return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    MR_UNUSED(attributes);
    memset(condition, 0, sizeof *condition);
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *condition)
{
    MR_ASSERT(condition_of(condition)->waiters.first == NULL);
    return 0;
}

static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t deadline_ns)
{
    struct mutex *lock = mutex_of(mutex);
    MR_ASSERT(lock->owner == current);
    lock->owner = NULL;
    sim_wake(&lock->waiters);
    bool woken = sim_wait(&condition_of(condition)->waiters, deadline_ns);
    while (lock->owner != NULL)
        (void)sim_wait(&lock->waiters, UINT64_MAX);
    lock->owner = current;
    return woken;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)wait_until(condition, mutex, UINT64_MAX);
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *deadline)
{
    uint64_t deadline_ns = (uint64_t)deadline->tv_sec * SIM_SECOND + (uint64_t)deadline->tv_nsec;
    uint64_t earliest_ns = sim_now_ns() + sim_machine()->sleep_min_ns;
    return wait_until(condition, mutex, deadline_ns > earliest_ns ? deadline_ns : earliest_ns)
               ? 0
               : ETIMEDOUT;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    sim_wake(&condition_of(condition)->waiters);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    sim_wake_all(&condition_of(condition)->waiters);
    return 0;
}
