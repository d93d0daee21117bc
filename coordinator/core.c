/* coordinator/core.c — the coordinator's decisions: events in, commands out.
 * Design: a step takes one event, notes what it says, and then looks at what follows from all that
 * is known: operations of topologies go on, free tasks get workers, standbys their places, what was
 * decided becomes one WRITE, and workers for whom there is news are answered. Followers only note
 * the records of the control topic. */
#include "coordinator/core_internal.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

enum { STEP_ARENA_BYTES = 1 << 18, STEP_KEPT_BYTES = 1 << 20, VIEW_ARENA_BYTES = 1 << 14 };

/* ---- Small things that all files use ---- */

void *mr_core_grow(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    return mr_memory_resize(items, *capacity * size);
}

void mr_core_replace_text(char **owned, const char *text)
{
    if (*owned != NULL && text != NULL && strcmp(*owned, text) == 0)
        return;
    char *copy = text == NULL ? NULL : mr_memory_copy_text(text);
    mr_memory_free(*owned);
    *owned = copy;
}

struct mr_core_command *mr_core_command_add(struct mr_core *core, enum mr_core_command_kind kind)
{
    core->commands = mr_core_grow(core->commands, core->commands_count, &core->commands_capacity,
                                  sizeof *core->commands);
    struct mr_core_command *command = &core->commands[core->commands_count++];
    *command = (struct mr_core_command){.kind = kind};
    return command;
}

static char *MR_PRINTF(2, 0)
    format_text(struct mr_core *core, const char *format, va_list arguments)
{
    char text[MR_MESSAGE_TEXT_MAX];
    int size = vsnprintf(text, sizeof text, format, arguments);
    size_t kept = size < 0 ? 0 : (size_t)size;
    kept = kept < sizeof text ? kept : sizeof text - 1;
    while (kept > 0 && kept == sizeof text - 1 && ((unsigned char)text[kept - 1] & 0x80u) != 0)
        kept--; /* not in the middle of a character */
    return mr_arena_copy_bytes_text(&core->arena, text, kept);
}

void mr_core_news(struct mr_core *core, const char *event, const char *name, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = format_text(core, format, arguments);
    va_end(arguments);
    struct mr_core_command *command = mr_core_command_add(core, MR_COMMAND_NEWS);
    command->event = event;
    command->name = mr_arena_copy_text(&core->arena, name);
    command->text = text;
}

void mr_core_answer(struct mr_core *core, uint64_t handle, int code, const char *format, ...)
{
    if (handle == 0)
        return; /* nobody waits */
    va_list arguments;
    va_start(arguments, format);
    const char *text = format_text(core, format, arguments);
    va_end(arguments);
    struct mr_core_command *command = mr_core_command_add(core, MR_COMMAND_ANSWER);
    command->handle = handle;
    command->code = code;
    command->text = text;
}

/* ---- Life ---- */

static void fill_defaults(struct mr_core_options *options)
{
    const struct mr_core_options defaults = {.silence_ms = 1000,
                                             .gone_ms = 500,
                                             .grace_ms = 30000,
                                             .takeover_ms = 2000,
                                             .poll_ms = 250,
                                             .moves_max = 8,
                                             .warm_records_max = 10000,
                                             .settle_ms = 1000};
    if (options->silence_ms == 0)
        options->silence_ms = defaults.silence_ms;
    if (options->gone_ms == 0)
        options->gone_ms = defaults.gone_ms;
    if (options->grace_ms == 0)
        options->grace_ms = defaults.grace_ms;
    if (options->takeover_ms == 0)
        options->takeover_ms = options->silence_ms < defaults.takeover_ms / 2
                                   ? defaults.takeover_ms
                                   : options->silence_ms + defaults.takeover_ms / 2;
    if (options->poll_ms == 0)
        options->poll_ms = defaults.poll_ms;
    if (options->moves_max == 0)
        options->moves_max = defaults.moves_max;
    if (options->warm_records_max == 0)
        options->warm_records_max = defaults.warm_records_max;
    if (options->settle_ms == 0)
        options->settle_ms = defaults.settle_ms;
}

struct mr_core *mr_core_create(const struct mr_core_options *options)
{
    struct mr_core *core = mr_memory_new(1, sizeof *core);
    core->options = *options;
    fill_defaults(&core->options);
    core->cluster = mr_memory_copy_text(options->cluster);
    core->workers_set =
        options->workers_set == NULL ? NULL : mr_memory_copy_text(options->workers_set);
    core->options.workers_set = core->workers_set;
    core->wake_ms = UINT64_MAX;
    mr_arena_init(&core->arena, STEP_ARENA_BYTES);
    core->view = mr_memory_new(1, sizeof *core->view);
    mr_arena_init(&core->view->arena, VIEW_ARENA_BYTES);
    return core;
}

void mr_core_destroy(struct mr_core *core)
{
    if (core == NULL)
        return;
    mr_core_write_forget(core);
    mr_core_changes_free(&core->pending);
    mr_core_changes_free(&core->writing);
    mr_core_records_free(core);
    mr_core_plan_free(&core->plan);
    mr_memory_free(core->touched);
    mr_memory_free(core->commands);
    mr_memory_free(core->leader);
    mr_memory_free(core->cluster);
    mr_memory_free(core->workers_set);
    mr_arena_deinit(&core->arena);
    mr_arena_deinit(&core->view->arena);
    mr_memory_free(core->view->rows);
    mr_memory_free(core->view);
    mr_memory_free(core);
}

/* ---- The lead ---- */

static void begin_worker(struct mr_core *core, struct mr_core_worker_state *worker)
{
    worker->instance = 0;
    worker->sequence = 0;
    worker->gone = true;
    worker->gone_ms = core->now_ms;
    worker->seen_ms = 0;
    worker->leaving = MR_LEAVING_NOT;
    worker->restart_until_ms = 0;
    worker->restart_of = 0;
    worker->leave_asked = false;
    worker->leave_read = false;
    worker->leave_told = MR_LEAVING_NOT;
    worker->actives_count = 0;
    worker->copies_count = 0;
    worker->incoming_count = 0;
    worker->raising_count = 0;
    worker->peer_gone_ms = 0;
    memset(worker->replaced, 0, sizeof worker->replaced);
}

/* Tasks of generations that no topology has any more: their names need not be kept. */
static void sweep(struct mr_core *core)
{
    for (uint32_t i = 0; i < core->tasks_count; i++) {
        struct mr_core_task_state *task = core->tasks[i];
        if (mr_core_task_topology(task) == NULL && task->recorded && task->phase == MR_PHASE_FREE)
            mr_core_change_add(core, MR_CHANGE_TASK_GONE)->task = task;
    }
}

static void follow(struct mr_core *core)
{
    if (!core->leads)
        return;
    core->leads = false;
    core->suspended = false;
    mr_core_workers_follow(core);
    mr_core_write_forget(core);
    mr_core_operations_follow(core);
    for (uint32_t i = 0; i < core->tasks_count; i++) {
        struct mr_core_task_state *task = core->tasks[i];
        task->phase = MR_PHASE_FREE;
        task->copies_count = 0;
        task->next = NULL;
        task->target = NULL;
        task->before = NULL;
        task->reported = false;
        task->vacating = false;
        task->raising = false;
    }
    for (uint32_t i = 0; i < core->workers_count; i++)
        begin_worker(core, core->workers[i]);
    for (uint32_t i = 0; i < core->topologies_count; i++)
        core->topologies[i]->busy_count = 0;
    mr_core_news(core, "leader", "", "This coordinator leads no more.");
}

static void lead(struct mr_core *core, uint64_t term)
{
    if (core->leads)
        follow(core);
    core->leads = true;
    core->term = term;
    mr_random_init(&core->random, core->options.seed, term);
    core->listening = true;
    core->listen_until_ms = core->now_ms + core->options.takeover_ms;
    core->wake_ms = UINT64_MAX;
    core->weigh_ms = core->now_ms;
    core->skewed_count = 0;
    core->patient_until_ms = 0;
    core->gather_since_ms = 0;
    core->scale_id = 0;
    for (uint32_t i = 0; i < core->workers_count; i++) {
        begin_worker(core, core->workers[i]);
        mr_core_restart_announced(core, core->workers[i], core->workers[i]->restart_recorded);
    }
    mr_core_operations_resume(core);
    for (uint32_t i = 0; i < core->tasks_count; i++)
        mr_core_task_begin(core, core->tasks[i]);
    mr_core_set_changed(core);
    mr_core_news(core, "leader", "", "This coordinator leads as of term %llu.",
                 (unsigned long long)term);
}

/* Workers look elsewhere meanwhile; they find nobody who leads, or this one is fenced. */
static void suspend(struct mr_core *core)
{
    if (!core->leads)
        return;
    core->suspended = true;
    mr_core_workers_follow(core);
}

static void resume(struct mr_core *core)
{
    if (!core->suspended)
        return;
    core->suspended = false;
    core->patient_until_ms = core->now_ms + core->options.takeover_ms;
    mr_core_workers_resume(core);
}

/* Every worker that the records name was heard, or it is time: what nobody spoke of is free. */
static void listen(struct mr_core *core)
{
    bool heard = true;
    for (uint32_t i = 0; i < core->workers_count; i++)
        heard = heard && (core->workers[i]->instance != 0 || core->workers[i]->actives_count == 0);
    if (!heard && core->now_ms < core->listen_until_ms)
        return;
    core->listening = false;
    for (uint32_t i = 0; i < core->workers_count; i++) {
        struct mr_core_worker_state *worker = core->workers[i];
        if (worker->instance != 0 || worker->actives_count == 0)
            continue;
        if (!mr_core_worker_awaited(core, worker))
            mr_core_news(core, "worker-gone", worker->name,
                         "Worker %s was not heard of since this coordinator leads: %u tasks go to "
                         "other workers.",
                         worker->name, worker->actives_count);
        mr_core_worker_lost(core, worker);
    }
    sweep(core);
    core->dirty = true;
}

/* ---- Steps ---- */

static void tick(struct mr_core *core)
{
    mr_core_workers_tick(core);
    if (!core->listening)
        mr_core_balance(core);
}

static void handle(struct mr_core *core, const struct mr_core_event *event)
{
    switch (event->kind) {
    case MR_CORE_RECORD:
        if (!core->leads) /* a leader wrote them itself */
            mr_core_record_event(core, event->key, event->value);
        break;
    case MR_CORE_LEAD:
        lead(core, event->term);
        break;
    case MR_CORE_FOLLOW:
        follow(core);
        break;
    case MR_CORE_SUSPEND:
        suspend(core);
        break;
    case MR_CORE_RESUME:
        resume(core);
        break;
    case MR_CORE_SYNC:
        mr_core_sync_event(core, event);
        break;
    case MR_CORE_TOPOLOGY:
        mr_core_topology_request(core, event);
        break;
    case MR_CORE_PEER_GONE:
        if (core->leads && !core->suspended)
            mr_core_peer_gone(core, event->peer);
        break;
    case MR_CORE_WRITTEN:
        if (core->leads)
            mr_core_write_done(core, event->id, event->failed);
        break;
    case MR_CORE_USER:
        mr_core_user_event(core, event);
        break;
    case MR_CORE_JOB_DONE:
        if (core->leads)
            mr_core_job_done(core, event);
        break;
    case MR_CORE_SCALE:
        if (core->leads)
            mr_core_scale_done(core, event);
        break;
    case MR_CORE_TICK:
        if (core->leads && !core->suspended)
            tick(core);
        break;
    }
}

static void answer_touched(struct mr_core *core)
{
    for (uint32_t i = 0; i < core->touched_count; i++) {
        struct mr_core_worker_state *worker = core->touched[i];
        worker->touched = false;
        if (core->leads && worker->kept && mr_core_worker_answerable(worker) &&
            worker->revision != worker->told_revision)
            mr_core_reply_sync(core, worker);
    }
    core->touched_count = 0;
}

/* Each part may give another something to do: a task that is free lets an upgrade go on, whose
 * tasks are free then. */
static void decide(struct mr_core *core)
{
    if (core->listening)
        listen(core);
    if (core->wake_ms <= core->now_ms)
        core->dirty = true;
    mr_core_operations_run(core);
    if (core->dirty && !core->listening) {
        core->dirty = false;
        core->wake_ms = UINT64_MAX;
        mr_core_assign_free(core);
        mr_core_standbys_plan(core);
        mr_core_operations_run(core); /* a version may have been found to fail */
    }
    mr_core_write_flush(core);
}

/* What a great step has taken is given back: a reset walks over all that an arena has, and the
 * steps that follow are small. */
static void clear_arena(struct mr_arena *arena, size_t chunk_bytes)
{
    if (arena->used_bytes <= STEP_KEPT_BYTES) {
        mr_arena_reset(arena);
        return;
    }
    mr_arena_deinit(arena);
    mr_arena_init(arena, chunk_bytes);
}

struct mr_core_commands mr_core_step(struct mr_core *core, const struct mr_core_event *event,
                                     uint64_t now_ms)
{
    clear_arena(&core->arena, STEP_ARENA_BYTES);
    clear_arena(&core->view->arena, VIEW_ARENA_BYTES);
    core->view->rows_valid = false;
    core->commands_count = 0;
    if (now_ms > core->now_ms)
        core->now_ms = now_ms;
    handle(core, event);
    if (core->leads && !core->suspended)
        decide(core);
    answer_touched(core);
    return (struct mr_core_commands){.items = core->commands, .items_count = core->commands_count};
}

bool mr_core_leads(const struct mr_core *core)
{
    return core->leads;
}

uint64_t mr_core_term(const struct mr_core *core)
{
    return core->term;
}
