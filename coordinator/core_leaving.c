/* coordinator/core_leaving.c — is a worker that ends coming back?
 * Design: a worker that is told to end asks before it lets go of anything. Where nobody says how
 * many workers there should be, the answer is: a restart. Where a set of workers is scaled (a
 * StatefulSet), its members are NAME-0, NAME-1, ...; one whose number the set's replicas do not
 * reach is not coming back and drains. The number is read after the question, because whoever
 * scales writes it before it ends a process; when it cannot be read, the worker restarts, which is
 * safe: what does not come back in its grace goes elsewhere. At 0 replicas all restart: there is
 * nowhere to drain to. A restart may have been announced without that number, by a worker that got
 * no answer in time: so the number is read behind each announcement, too, and one that the
 * replicas do not reach is waited for no longer.
 * An announced restart is in the control topic, with the instance that announced it, so that a new
 * leader waits as well. It is taken out when the name is back or the grace is over.
 * Gathering: when the first of all workers comes back, a task with state waits a while for the name
 * that had it last, instead of being restored where it never was. */
#include "coordinator/core_internal.h"

#include <inttypes.h>

/* The worker's number in its set; MR_CORE_NONE: it is not of the set. */
static uint32_t ordinal(const struct mr_core *core, const char *name)
{
    const char *set = core->options.workers_set;
    size_t size = set == NULL ? 0 : strlen(set);
    if (size == 0 || strncmp(name, set, size) != 0 || name[size] != '-')
        return MR_CORE_NONE;
    const char *digits = name + size + 1;
    uint32_t number = 0;
    if (digits[0] == '\0' || (digits[0] == '0' && digits[1] != '\0') || strlen(digits) > 8)
        return MR_CORE_NONE;
    for (; *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9')
            return MR_CORE_NONE;
        number = number * 10 + (uint32_t)(*digits - '0');
    }
    return number;
}

/* The set is to have this member. */
static bool is_member(const struct mr_core *core, uint32_t number)
{
    return number != MR_CORE_NONE && number >= core->first_ordinal &&
           number - core->first_ordinal < core->replicas;
}

/* ---- The question ---- */

static void read_scale(struct mr_core *core)
{
    if (core->scale_id != 0)
        return;
    core->scale_id = ++core->next_id;
    mr_core_command_add(core, MR_COMMAND_SCALE)->id = core->scale_id;
    for (uint32_t i = 0; i < core->workers_count; i++) {
        struct mr_core_worker_state *worker = core->workers[i];
        worker->leave_read = worker->leave_asked;
        worker->restart_read = worker->restart_unread;
        worker->restart_unread = false;
    }
}

static void tell(struct mr_core *core, struct mr_core_worker_state *worker, enum mr_leaving leave)
{
    worker->leave_asked = false;
    worker->leave_read = false;
    worker->leave_told = leave;
    mr_core_worker_touch(core, worker);
}

void mr_core_leave_asked(struct mr_core *core, struct mr_core_worker_state *worker, bool asks)
{
    if (!asks) {
        worker->leave_asked = false;
        worker->leave_told = MR_LEAVING_NOT;
        return;
    }
    if (worker->leave_told != MR_LEAVING_NOT)
        return;
    if (ordinal(core, worker->name) == MR_CORE_NONE) {
        tell(core, worker, MR_LEAVING_RESTART);
        return;
    }
    worker->leave_asked = true;
    read_scale(core);
}

/* It announced a restart, but its number is beyond the replicas. */
static void end_restart(struct mr_core *core, struct mr_core_worker_state *worker)
{
    if (worker->restart_until_ms == 0)
        return; /* it is back meanwhile */
    mr_core_restart_over(core, worker);
    mr_core_news(core, "worker-gone", worker->name,
                 "Worker %s announced a restart, but %s is to have %" PRIu32
                 " workers: its tasks go to others.",
                 worker->name, core->options.workers_set, core->replicas);
}

void mr_core_scale_done(struct mr_core *core, const struct mr_core_event *event)
{
    if (event->id == 0 || event->id != core->scale_id)
        return; /* of an earlier lead */
    bool again = false;
    core->scale_id = 0;
    core->scale_known = !event->failed;
    core->replicas = event->failed ? 0 : event->replicas;
    core->first_ordinal = event->failed ? 0 : event->first_ordinal;
    core->dirty = true;
    if (event->failed)
        mr_core_news(core, "scale-unknown", core->options.workers_set,
                     "How many workers %s should have cannot be read, so one that ends is waited "
                     "for: %s",
                     core->options.workers_set, event->text);
    for (uint32_t i = 0; i < core->workers_count; i++) {
        struct mr_core_worker_state *worker = core->workers[i];
        bool stays =
            event->failed || event->replicas == 0 || is_member(core, ordinal(core, worker->name));
        again = again || (worker->leave_asked && !worker->leave_read) || worker->restart_unread;
        if (worker->leave_read)
            tell(core, worker, stays ? MR_LEAVING_RESTART : MR_LEAVING_DRAIN);
        if (worker->restart_read && !stays)
            end_restart(core, worker);
        worker->restart_read = false;
    }
    if (again)
        read_scale(core);
}

/* ---- Announced restarts ---- */

void mr_core_restart_announced(struct mr_core *core, struct mr_core_worker_state *worker,
                               uint64_t instance)
{
    worker->restart_of = instance;
    worker->restart_until_ms = instance == 0 ? 0 : core->now_ms + core->options.grace_ms;
    worker->restart_unread = instance != 0 && ordinal(core, worker->name) != MR_CORE_NONE;
    worker->restart_read = false;
    if (worker->restart_unread)
        read_scale(core);
}

void mr_core_restart_record(struct mr_core *core, struct mr_core_worker_state *worker)
{
    if (worker->restart_writing || worker->restart_recorded == worker->restart_of)
        return;
    worker->restart_writing = true;
    struct mr_core_change *change = mr_core_change_add(
        core, worker->restart_of != 0 ? MR_CHANGE_RESTART : MR_CHANGE_RESTART_GONE);
    change->worker = worker;
    change->instance = worker->restart_of;
}

bool mr_core_worker_answerable(const struct mr_core_worker_state *worker)
{
    bool announced = worker->leaving == MR_LEAVING_RESTART && worker->restart_of != 0;
    return worker->raising_count == 0 &&
           (!announced || worker->restart_recorded == worker->restart_of);
}

/* ---- Gathering ---- */

void mr_core_worker_came(struct mr_core *core, const struct mr_core_worker_state *worker,
                         bool known)
{
    if (known) { /* it has been there all the time: so have others */
        core->gather_since_ms = 0;
        return;
    }
    for (uint32_t i = 0; i < core->workers_count; i++)
        if (core->workers[i] != worker && mr_core_worker_alive(core->workers[i]))
            return;
    core->gather_since_ms = core->now_ms == 0 ? 1 : core->now_ms;
    core->scale_known = false;
    if (core->options.workers_set != NULL)
        read_scale(core);
}

/* A name that should be there is waited for as long as after an announced restart. */
static uint64_t gather_until(const struct mr_core *core, const struct mr_core_worker_state *holder)
{
    uint32_t number = ordinal(core, holder->name);
    if (core->gather_since_ms == 0)
        return 0;
    if (!core->scale_known || number == MR_CORE_NONE)
        return core->gather_since_ms + core->options.takeover_ms;
    return is_member(core, number) ? core->gather_since_ms + core->options.grace_ms : 0;
}

bool mr_core_task_gathers(struct mr_core *core, const struct mr_core_task_state *task)
{
    const struct mr_core_worker_state *holder = task->holder;
    if (!task->part->stateful || holder == NULL || mr_core_worker_alive(holder) || holder->drained)
        return false;
    uint64_t until_ms = gather_until(core, holder);
    if (until_ms <= core->now_ms)
        return false;
    if (until_ms < core->wake_ms)
        core->wake_ms = until_ms;
    return true;
}
