/* tests/support/core_shell.c — see core_shell.h.
 * Design: ten virtual milliseconds at a time: the WRITE that is due is committed, workers change
 * the states of their tasks and send the next Sync, and every hundred the core has its tick. */
#include "tests/support/core_shell.h"

#include "base/assert.h"
#include "base/memory.h"
#include "proto/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEP_MS = 10, TICK_MS = 100, RESEND_MS = 1500 };

#define SHELL_CHECK(condition, ...)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n%s\n%s\n", shell->title, shell->news);                              \
            MR_ASSERT(condition);                                                                  \
        }                                                                                          \
    } while (0)

/* ---- The control topic ---- */

static struct shell_record *record_find(const struct core_shell *shell, const char *key)
{
    for (uint32_t i = 0; i < shell->records_count; i++)
        if (strcmp(shell->records[i].key, key) == 0)
            return &shell->records[i];
    return NULL;
}

static void record_put(struct core_shell *shell, const struct shell_record *record)
{
    struct shell_record *found = record_find(shell, record->key);
    if (record->size == 0) {
        if (found != NULL) {
            mr_memory_free(found->value);
            *found = shell->records[--shell->records_count];
        }
        return;
    }
    if (found == NULL) {
        if (shell->records_count == shell->records_capacity) {
            shell->records_capacity = shell->records_capacity * 2 + 64;
            shell->records =
                mr_memory_resize(shell->records, shell->records_capacity * sizeof *shell->records);
        }
        found = &shell->records[shell->records_count++];
        *found = (struct shell_record){0};
        memcpy(found->key, record->key, sizeof found->key);
    }
    mr_memory_free(found->value);
    found->value = (uint8_t *)mr_memory_copy_bytes(record->value, record->size);
    found->size = record->size;
}

static void write_end(struct core_shell *shell, bool commits)
{
    for (uint32_t i = 0; i < shell->write_count; i++) {
        if (commits)
            record_put(shell, &shell->write_records[i]);
        mr_memory_free(shell->write_records[i].value);
    }
    mr_memory_free(shell->write_records);
    shell->write_records = NULL;
    shell->write_count = 0;
    shell->write_id = 0;
}

static bool task_record(struct core_shell *shell, const char *key, struct mr_task_record *record)
{
    const struct shell_record *found = record_find(shell, key);
    struct mr_error error;
    if (found == NULL)
        return false;
    return mr_task_record_decode(mr_slice_from(found->value, found->size), &shell->arena, record,
                                 &error) == MR_OK;
}

static void check_task_write(struct core_shell *shell, const struct shell_record *record)
{
    struct mr_task_record before;
    struct mr_task_record after;
    struct mr_error error;
    if (strncmp(record->key, "task/", 5) != 0 || record->size == 0)
        return;
    SHELL_CHECK(mr_task_record_decode(mr_slice_from(record->value, record->size), &shell->arena,
                                      &after, &error) == MR_OK,
                "%s is not readable", record->key);
    if (!task_record(shell, record->key, &before))
        return;
    SHELL_CHECK(after.epoch > before.epoch, "%s: epoch %" PRIu64 " after %" PRIu64, record->key,
                after.epoch, before.epoch);
    if (after.worker[0] == '\0')
        return;
    shell->assigned_count++;
    shell->moves_count += before.worker[0] != '\0' && strcmp(before.worker, after.worker) != 0;
}

static void write_begin(struct core_shell *shell, const struct mr_core_command *command)
{
    SHELL_CHECK(shell->write_id == 0, "a second WRITE is under way");
    SHELL_CHECK(command->records_count > 0, "an empty WRITE");
    shell->writes_count++;
    shell->write_id = command->id;
    shell->written_ms = shell->now_ms + shell->write_ms;
    shell->write_count = command->records_count;
    shell->write_records = mr_memory_new(command->records_count, sizeof *shell->write_records);
    for (uint32_t i = 0; i < command->records_count; i++) {
        struct shell_record *record = &shell->write_records[i];
        snprintf(record->key, sizeof record->key, "%.*s", (int)command->records[i].key.size,
                 (const char *)command->records[i].key.data);
        record->size = command->records[i].value.size;
        record->value =
            (uint8_t *)mr_memory_copy_bytes(command->records[i].value.data, record->size);
        for (uint32_t j = 0; j < i; j++)
            SHELL_CHECK(strcmp(shell->write_records[j].key, record->key) != 0,
                        "%s is twice in one WRITE", record->key);
        check_task_write(shell, record);
    }
}

/* ---- Workers ---- */

static void task_key(const struct mr_task_name *name, char *key, size_t size)
{
    snprintf(key, size, "task/%016" PRIx64 "/%s/%d", name->generation, name->subtopology,
             name->partition);
}

static struct shell_claim *claim_find(struct core_shell *shell, const struct mr_task_name *name)
{
    char key[256];
    task_key(name, key, sizeof key);
    for (uint32_t i = 0; i < shell->claims_count; i++)
        if (strcmp(shell->claims[i].key, key) == 0)
            return &shell->claims[i];
    if (shell->claims_count == shell->claims_capacity) {
        shell->claims_capacity = shell->claims_capacity * 2 + 64;
        shell->claims =
            mr_memory_resize(shell->claims, shell->claims_capacity * sizeof *shell->claims);
    }
    struct shell_claim *claim = &shell->claims[shell->claims_count++];
    *claim = (struct shell_claim){0};
    memcpy(claim->key, key, sizeof claim->key);
    return claim;
}

static struct shell_task *find_task(struct shell_worker *worker, const struct mr_task_name *name)
{
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        struct shell_task *task = &worker->tasks[i];
        if (task->report.name.generation == name->generation &&
            task->report.name.partition == name->partition &&
            strcmp(task->subtopology, name->subtopology) == 0)
            return task;
    }
    return NULL;
}

static void begin_task(struct core_shell *shell, struct shell_worker *worker,
                       struct shell_task *task, const struct mr_assigned_task *assigned)
{
    struct shell_task fresh = {.report = {.name = assigned->name,
                                          .role = assigned->role,
                                          .version = assigned->version,
                                          .epoch = assigned->epoch,
                                          .changelog_remaining = -1,
                                          .lag = -1,
                                          .idle_ms = -1,
                                          .watermark_ms = INT64_MIN,
                                          .error = ""}};
    *task = fresh;
    snprintf(task->subtopology, sizeof task->subtopology, "%s", assigned->name.subtopology);
    task->until_ms = shell->now_ms + worker->claim_ms;
    task->report.state = MR_TASK_STATE_WAITING;
    if (assigned->role == MR_TASK_ROLE_STANDBY) {
        task->report.state = MR_TASK_STATE_FOLLOWING;
        task->report.changelog_remaining = 1000000;
        task->until_ms = shell->now_ms + worker->warm_ms;
    }
}

static void claim(struct core_shell *shell, struct shell_worker *worker, struct shell_task *task)
{
    task->report.name.subtopology = task->subtopology;
    struct shell_claim *last = claim_find(shell, &task->report.name);
    task->report.seen_epoch = last->epoch;
    if (last->epoch > task->report.epoch ||
        (last->epoch == task->report.epoch && last->instance != worker->instance)) {
        task->report.state = MR_TASK_STATE_FENCED;
        return;
    }
    last->epoch = task->report.epoch;
    last->instance = worker->instance;
    task->report.state = MR_TASK_STATE_RESTORING;
    task->until_ms = shell->now_ms + worker->restore_ms;
}

static void run_task(struct core_shell *shell, struct shell_worker *worker, struct shell_task *task)
{
    struct mr_task_report *report = &task->report;
    if (report->state == MR_TASK_STATE_RUNNING) {
        const struct shell_claim *last = claim_find(shell, &report->name);
        report->seen_epoch = last->epoch;
        bool odd = report->name.partition % 2 != 0 && worker->odd_load_us != 0;
        report->load_us = odd ? worker->odd_load_us : worker->load_us;
        report->lag = worker->lag;
        report->idle_ms = worker->idle_ms;
        if (last->epoch > report->epoch)
            report->state = MR_TASK_STATE_FENCED;
    }
    if (shell->now_ms < task->until_ms)
        return;
    if (report->state == MR_TASK_STATE_WAITING && worker->fails_version == report->version) {
        report->state = MR_TASK_STATE_FAILED;
        report->error = "the operator cannot start";
    } else if (report->state == MR_TASK_STATE_WAITING) {
        claim(shell, worker, task);
    } else if (report->state == MR_TASK_STATE_RESTORING) {
        report->state = MR_TASK_STATE_RUNNING;
    } else if (report->state == MR_TASK_STATE_RELEASING) {
        report->state = MR_TASK_STATE_RELEASED;
    } else if (report->state == MR_TASK_STATE_FOLLOWING) {
        report->changelog_remaining = 0;
    }
}

/* What is not wanted any more is released; what was released and is not wanted is forgotten. */
static void let_go(struct core_shell *shell, struct shell_worker *worker)
{
    for (uint32_t i = worker->tasks_count; i-- > 0;) {
        struct shell_task *task = &worker->tasks[i];
        if (task->told)
            continue;
        bool rests = task->report.state == MR_TASK_STATE_RELEASED ||
                     task->report.role == MR_TASK_ROLE_STANDBY ||
                     task->report.state == MR_TASK_STATE_FENCED ||
                     task->report.state == MR_TASK_STATE_FAILED;
        if (rests) {
            *task = worker->tasks[--worker->tasks_count];
        } else if (task->report.state != MR_TASK_STATE_RELEASING) {
            task->report.state = MR_TASK_STATE_RELEASING;
            task->until_ms = shell->now_ms + worker->release_ms;
        }
    }
}

static void take_answer(struct core_shell *shell, struct shell_worker *worker,
                        const struct mr_sync_reply *reply)
{
    if (!worker->alive || worker->cut || reply->instance != worker->instance ||
        reply->sequence <= worker->answered_sequence || reply->term < worker->term)
        return;
    worker->answered_sequence = reply->sequence;
    worker->term = reply->term;
    worker->left = worker->left || reply->leaves;
    worker->to_leave = reply->leave;
    worker->more = reply->more;
    worker->paused_count =
        reply->topologies_count == 0 ? 0 : reply->topologies[0].paused_sources_count;
    for (uint32_t i = 0; i < worker->tasks_count; i++)
        worker->tasks[i].told = false;
    for (uint32_t i = 0; i < reply->tasks_count; i++) {
        const struct mr_assigned_task *assigned = &reply->tasks[i];
        struct shell_task *task = find_task(worker, &assigned->name);
        bool same = task != NULL && task->report.role == assigned->role &&
                    task->report.version == assigned->version &&
                    task->report.epoch == assigned->epoch;
        bool ended = same && (task->report.state == MR_TASK_STATE_RELEASING ||
                              task->report.state == MR_TASK_STATE_RELEASED);
        if (task == NULL) {
            SHELL_CHECK(worker->tasks_count < CORE_SHELL_TASKS, "too many tasks for the shell");
            task = &worker->tasks[worker->tasks_count++];
        }
        if (!same)
            begin_task(shell, worker, task, assigned);
        task->told = !ended;
    }
    let_go(shell, worker);
}

static void check_reply(struct core_shell *shell, const struct shell_worker *worker,
                        const struct mr_sync_reply *reply)
{
    for (uint32_t i = 0; i < reply->tasks_count; i++) {
        const struct mr_assigned_task *task = &reply->tasks[i];
        struct mr_task_record record;
        char key[256];
        task_key(&task->name, key, sizeof key);
        for (uint32_t j = 0; j < i; j++)
            SHELL_CHECK(task->name.partition != reply->tasks[j].name.partition ||
                            task->name.generation != reply->tasks[j].name.generation ||
                            strcmp(task->name.subtopology, reply->tasks[j].name.subtopology) != 0,
                        "%s is twice in the answer to %s", key, worker->name);
        if (task->role == MR_TASK_ROLE_STANDBY)
            continue;
        SHELL_CHECK(task_record(shell, key, &record), "%s was told before it was written", key);
        SHELL_CHECK(record.epoch == task->epoch && strcmp(record.worker, worker->name) == 0 &&
                        record.instance == reply->instance,
                    "%s was told to %s at epoch %" PRIu64 "; written is %s at %" PRIu64, key,
                    worker->name, task->epoch, record.worker, record.epoch);
    }
}

static void take_reply(struct core_shell *shell, const struct mr_core_command *command)
{
    if (command->reply.kind == MR_REPLY_REFUSED)
        shell->refused_count++;
    for (uint32_t i = 0; i < shell->workers_count; i++) {
        struct shell_worker *worker = &shell->workers[i];
        if (worker->handle != command->handle)
            continue;
        worker->handle = 0;
        worker->answers_count++;
        if (command->reply.kind != MR_REPLY_SYNC)
            return;
        if (command->reply.sync.instance == worker->instance)
            check_reply(shell, worker, &command->reply.sync);
        take_answer(shell, worker, &command->reply.sync);
        return;
    }
}

/* ---- Commands ---- */

static void take_news(struct core_shell *shell, const struct mr_core_command *command)
{
    size_t left = sizeof shell->news - shell->news_size;
    if (left < 2048) {
        shell->news_size = 0;
        left = sizeof shell->news;
    }
    int size = snprintf(shell->news + shell->news_size, left, "%" PRIu64 " %s: %.1500s\n",
                        shell->now_ms, command->event, command->text);
    shell->news_size += (size_t)size;
}

static void take_job(struct core_shell *shell, const struct mr_core_command *command)
{
    SHELL_CHECK(shell->jobs_count < CORE_SHELL_JOBS, "too many jobs");
    struct shell_job *job = &shell->jobs[shell->jobs_count++];
    *job = (struct shell_job){.id = command->id,
                              .kind = command->job,
                              .generation = command->generation,
                              .next_generation = command->next_generation};
    snprintf(job->name, sizeof job->name, "%s", command->name);
}

struct mr_core_commands core_shell_step(struct core_shell *shell, const struct mr_core_event *event)
{
    mr_arena_reset(&shell->arena);
    struct mr_core_commands commands = mr_core_step(shell->core, event, shell->now_ms);
    for (uint32_t i = 0; i < commands.items_count; i++) {
        const struct mr_core_command *command = &commands.items[i];
        switch (command->kind) {
        case MR_COMMAND_REPLY:
            take_reply(shell, command);
            break;
        case MR_COMMAND_WRITE:
            write_begin(shell, command);
            break;
        case MR_COMMAND_JOB:
            take_job(shell, command);
            break;
        case MR_COMMAND_ANSWER: {
            struct shell_answer *answer = &shell->answers[command->handle % CORE_SHELL_HANDLES];
            SHELL_CHECK(answer->code == 0, "a user is answered twice: %s; %s", answer->text,
                        command->text);
            answer->code = command->code;
            snprintf(answer->text, sizeof answer->text, "%s", command->text);
            break;
        }
        case MR_COMMAND_NEWS:
            take_news(shell, command);
            break;
        case MR_COMMAND_SCALE:
            shell->scale_id = command->id;
            shell->scale_ms = shell->now_ms + shell->scale_takes_ms;
            shell->scales_count++;
            break;
        }
    }
    return commands;
}

/* ---- The lead ---- */

struct core_shell *core_shell_create(const struct mr_core_options *options)
{
    struct core_shell *shell = mr_memory_new(1, sizeof *shell);
    shell->options = options == NULL ? (struct mr_core_options){0} : *options;
    shell->options.cluster = "test";
    shell->title = "";
    shell->now_ms = 1000;
    shell->write_ms = 10;
    shell->next_instance = 100;
    mr_arena_init(&shell->arena, 1 << 16);
    shell->core = mr_core_create(&shell->options);
    return shell;
}

void core_shell_destroy(struct core_shell *shell)
{
    write_end(shell, false);
    for (uint32_t i = 0; i < shell->records_count; i++)
        mr_memory_free(shell->records[i].value);
    mr_memory_free(shell->records);
    mr_memory_free(shell->claims);
    mr_core_destroy(shell->core);
    mr_arena_deinit(&shell->arena);
    mr_memory_free(shell);
}

void core_shell_lead(struct core_shell *shell)
{
    struct mr_core_event event = {.kind = MR_CORE_LEAD, .term = ++shell->term};
    core_shell_step(shell, &event);
}

void core_shell_follow(struct core_shell *shell)
{
    write_end(shell, false);
    shell->jobs_count = 0;
    core_shell_step(shell, &(struct mr_core_event){.kind = MR_CORE_FOLLOW});
}

void core_shell_suspend(struct core_shell *shell, uint64_t ms)
{
    core_shell_step(shell, &(struct mr_core_event){.kind = MR_CORE_SUSPEND});
    core_shell_run(shell, ms);
    core_shell_step(shell, &(struct mr_core_event){.kind = MR_CORE_RESUME});
}

/* Compaction keeps the last record of each key, in any order between keys. */
void core_shell_take_over(struct core_shell *shell, bool commits)
{
    write_end(shell, commits);
    mr_core_destroy(shell->core);
    shell->core = mr_core_create(&shell->options);
    shell->jobs_count = 0;
    for (uint32_t i = 0; i < shell->workers_count; i++)
        shell->workers[i].handle = 0;
    for (uint32_t i = shell->records_count; i-- > 0;) {
        const struct shell_record *record = &shell->records[i];
        struct mr_core_event event = {.kind = MR_CORE_RECORD,
                                      .key = mr_slice_text(record->key),
                                      .value = mr_slice_from(record->value, record->size)};
        core_shell_step(shell, &event);
    }
    core_shell_lead(shell);
}

/* ---- Time ---- */

static void send_sync(struct core_shell *shell, struct shell_worker *worker)
{
    struct mr_task_report *reports = mr_memory_new(worker->tasks_count + 1, sizeof *reports);
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        reports[i] = worker->tasks[i].report;
        reports[i].name.subtopology = worker->tasks[i].subtopology;
    }
    struct mr_topology_report refused = {.generation = worker->refuses_generation,
                                         .version = worker->refuses_version,
                                         .refused = true,
                                         .error = "the operator is not known here"};
    struct mr_sync_request sync = {.cluster = "test",
                                   .worker = worker->name,
                                   .instance = worker->instance,
                                   .sequence = ++worker->sequence,
                                   .term = worker->term,
                                   .zone = worker->zone,
                                   .http = "",
                                   .build = "test",
                                   .threads_count = worker->threads_count,
                                   .memory_bytes = worker->memory_bytes,
                                   .leaving = worker->leaving,
                                   .leave_asked = worker->asks,
                                   .tasks = reports,
                                   .tasks_count = worker->tasks_count,
                                   .topologies = &refused,
                                   .topologies_count = worker->refuses_version != 0};
    worker->handle = ++shell->next_handle;
    worker->sent_ms = shell->now_ms;
    struct mr_core_event event = {
        .kind = MR_CORE_SYNC, .handle = worker->handle, .peer = worker->peer, .sync = &sync};
    core_shell_step(shell, &event);
    mr_memory_free(reports);
}

static void run_worker(struct core_shell *shell, struct shell_worker *worker)
{
    if (!worker->alive)
        return;
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        worker->tasks[i].report.name.subtopology = worker->tasks[i].subtopology;
        run_task(shell, worker, &worker->tasks[i]);
    }
    bool waits = worker->handle != 0 && shell->now_ms - worker->sent_ms < RESEND_MS;
    if (!worker->cut && !waits && shell->now_ms - worker->sent_ms >= STEP_MS)
        send_sync(shell, worker);
}

/* No two workers may run a task with one epoch. */
static void check_owners(struct core_shell *shell)
{
    for (uint32_t i = 0; i < shell->workers_count; i++)
        for (uint32_t j = 0; j < shell->workers[i].tasks_count; j++) {
            const struct shell_task *task = &shell->workers[i].tasks[j];
            if (!shell->workers[i].alive || task->report.state != MR_TASK_STATE_RUNNING)
                continue;
            struct mr_task_name name = task->report.name;
            name.subtopology = task->subtopology;
            const struct shell_claim *last = claim_find(shell, &name);
            SHELL_CHECK(last->epoch != task->report.epoch ||
                            last->instance == shell->workers[i].instance,
                        "%s is run twice at epoch %" PRIu64, last->key, last->epoch);
        }
}

static void answer_scale(struct core_shell *shell)
{
    const struct mr_core_event event = {.kind = MR_CORE_SCALE,
                                        .id = shell->scale_id,
                                        .failed = shell->scale_fails,
                                        .text = "forbidden",
                                        .replicas = shell->replicas};
    shell->scale_id = 0;
    core_shell_step(shell, &event);
}

void core_shell_run(struct core_shell *shell, uint64_t ms)
{
    for (uint64_t end = shell->now_ms + ms; shell->now_ms < end;) {
        shell->now_ms += STEP_MS;
        if (shell->write_id != 0 && shell->now_ms >= shell->written_ms) {
            struct mr_core_event written = {.kind = MR_CORE_WRITTEN, .id = shell->write_id};
            write_end(shell, true);
            core_shell_step(shell, &written);
        }
        if (shell->scale_id != 0 && shell->now_ms >= shell->scale_ms)
            answer_scale(shell);
        for (uint32_t i = 0; i < shell->workers_count; i++)
            run_worker(shell, &shell->workers[i]);
        if (!shell->hold_jobs && shell->jobs_count > 0)
            core_shell_job_done(shell, false, "");
        if (shell->now_ms - shell->ticked_ms >= TICK_MS) {
            shell->ticked_ms = shell->now_ms;
            core_shell_step(shell, &(struct mr_core_event){.kind = MR_CORE_TICK});
        }
        check_owners(shell);
    }
}

struct shell_worker *core_shell_find(struct core_shell *shell, const char *name)
{
    for (uint32_t i = 0; i < shell->workers_count; i++)
        if (strcmp(shell->workers[i].name, name) == 0)
            return &shell->workers[i];
    return NULL;
}

struct shell_worker *core_shell_worker(struct core_shell *shell, const char *name)
{
    SHELL_CHECK(shell->workers_count < CORE_SHELL_WORKERS, "too many workers");
    struct shell_worker *worker = &shell->workers[shell->workers_count++];
    snprintf(worker->name, sizeof worker->name, "%s", name);
    worker->threads_count = 2;
    worker->claim_ms = 20;
    worker->restore_ms = 20;
    worker->release_ms = 20;
    worker->warm_ms = 500;
    core_shell_start(shell, worker);
    return worker;
}

void core_shell_start(struct core_shell *shell, struct shell_worker *worker)
{
    worker->alive = true;
    worker->left = false;
    worker->instance = ++shell->next_instance;
    worker->peer = worker->instance;
    worker->sequence = 0;
    worker->answered_sequence = 0;
    worker->handle = 0;
    worker->leaving = MR_LEAVING_NOT;
    worker->to_leave = MR_LEAVING_NOT;
    worker->asks = false;
    worker->tasks_count = 0;
    worker->sent_ms = 0;
}

void core_shell_kill(struct core_shell *shell, struct shell_worker *worker)
{
    MR_UNUSED(shell);
    worker->alive = false;
    worker->tasks_count = 0;
}

void core_shell_close(struct core_shell *shell, struct shell_worker *worker)
{
    struct mr_core_event event = {.kind = MR_CORE_PEER_GONE, .peer = worker->peer};
    core_shell_step(shell, &event);
}

/* ---- Users and jobs ---- */

static void bind(struct mr_arena *arena, const char *parts, struct mr_version_record *version)
{
    struct mr_bound_subtopology *bound = mr_arena_new(arena, 32, sizeof *bound);
    const struct mr_bound_topic none = {.name = "", .topic_id = ""};
    char *text = mr_arena_copy_text(arena, parts);
    char *rest = NULL;
    uint32_t count = 0;
    for (char *part = strtok_r(text, " ", &rest); part != NULL; part = strtok_r(NULL, " ", &rest)) {
        char *colon = strchr(part, ':');
        *colon = '\0';
        bound[count].tasks_count = (int32_t)strtol(colon + 1, NULL, 10);
        bound[count].stateful = colon[-1] == '*';
        if (bound[count].stateful)
            colon[-1] = '\0';
        bound[count].name = part;
        bound[count].log_topic = none;
        count++;
    }
    struct mr_bound_node *nodes = mr_arena_new(arena, 2, sizeof *nodes);
    nodes[0] = (struct mr_bound_node){.name = "readings", .partitions_count = 1};
    nodes[1] = (struct mr_bound_node){.name = "users", .partitions_count = 1};
    version->binding = (struct mr_binding){.cluster_id = "kafka",
                                           .nodes = nodes,
                                           .nodes_count = 2,
                                           .subtopologies = bound,
                                           .subtopologies_count = count,
                                           .dead_letters = none,
                                           .claims = none};
}

uint64_t core_shell_submit(struct core_shell *shell, const struct shell_topology *topology)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    const struct mr_version_record *active = mr_core_version(shell->core, topology->name, 0);
    struct mr_version_record version = {.name = topology->name,
                                        .generation = topology->generation,
                                        .version = topology->version,
                                        .definition = mr_slice_text(topology->parts),
                                        .memory_bytes = topology->memory_bytes,
                                        .standbys_count = topology->standbys_count};
    if (version.generation == 0)
        version.generation = active != NULL ? active->generation : 0xabc000 + shell->next_handle;
    bind(&arena, topology->parts, &version);
    struct mr_core_event event = {.kind = MR_CORE_USER,
                                  .action = MR_ACTION_SUBMIT,
                                  .handle = ++shell->next_handle,
                                  .name = topology->name,
                                  .version_record = &version};
    shell->answers[event.handle % CORE_SHELL_HANDLES].code = 0;
    core_shell_step(shell, &event);
    mr_arena_deinit(&arena);
    return event.handle;
}

uint64_t core_shell_user(struct core_shell *shell, enum mr_core_action action, const char *name,
                         const char *argument)
{
    struct mr_core_event event = {.kind = MR_CORE_USER,
                                  .action = action,
                                  .handle = ++shell->next_handle,
                                  .name = name,
                                  .worker = name,
                                  .source = argument,
                                  .argument = argument};
    shell->answers[event.handle % CORE_SHELL_HANDLES].code = 0;
    core_shell_step(shell, &event);
    return event.handle;
}

uint64_t core_shell_rollback(struct core_shell *shell, const char *name, uint32_t version)
{
    struct mr_core_event event = {.kind = MR_CORE_USER,
                                  .action = MR_ACTION_ROLLBACK,
                                  .handle = ++shell->next_handle,
                                  .name = name,
                                  .version = version};
    shell->answers[event.handle % CORE_SHELL_HANDLES].code = 0;
    core_shell_step(shell, &event);
    return event.handle;
}

/* A fence claims every task that the records name for nobody, one epoch higher. */
static void fence(struct core_shell *shell, uint64_t generation)
{
    char prefix[64];
    int size = snprintf(prefix, sizeof prefix, "task/%016" PRIx64 "/", generation);
    for (uint32_t i = 0; i < shell->claims_count; i++)
        if (strncmp(shell->claims[i].key, prefix, (size_t)size) == 0) {
            shell->claims[i].epoch++;
            shell->claims[i].instance = 0;
        }
}

void core_shell_job_done(struct core_shell *shell, bool failed, const char *text)
{
    struct shell_job job = shell->jobs[0];
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    shell->jobs_count--;
    memmove(shell->jobs, shell->jobs + 1, shell->jobs_count * sizeof job);
    struct mr_version_record version;
    struct mr_core_event event = {.kind = MR_CORE_JOB_DONE,
                                  .id = job.id,
                                  .failed = failed,
                                  .transient = shell->jobs_transient,
                                  .text = text};
    if (!failed && (job.kind == MR_JOB_FENCE || job.kind == MR_JOB_SEEK))
        fence(shell, job.generation);
    if (!failed && job.kind == MR_JOB_BIND) {
        version = *mr_core_version(shell->core, job.name, 0);
        version.generation = job.next_generation != 0 ? job.next_generation : job.generation;
        bind(&arena,
             mr_arena_copy_bytes_text(&arena, version.definition.data, version.definition.size),
             &version);
        event.version_record = &version;
    }
    core_shell_step(shell, &event);
    mr_arena_deinit(&arena);
}

/* ---- What tests ask ---- */

uint32_t core_shell_count(const struct core_shell *shell, const struct shell_worker *worker,
                          enum mr_task_role role)
{
    uint32_t count = 0;
    MR_UNUSED(shell);
    for (uint32_t i = 0; i < worker->tasks_count; i++)
        count += worker->tasks[i].report.role == role &&
                 (worker->tasks[i].report.state == MR_TASK_STATE_RUNNING ||
                  worker->tasks[i].report.state == MR_TASK_STATE_FOLLOWING);
    return count;
}

uint32_t core_shell_running(const struct core_shell *shell)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < shell->workers_count; i++)
        if (shell->workers[i].alive)
            count += core_shell_count(shell, &shell->workers[i], MR_TASK_ROLE_ACTIVE);
    return count;
}

struct shell_task *core_shell_task(struct shell_worker *worker, const char *subtopology,
                                   int32_t partition)
{
    for (uint32_t i = 0; i < worker->tasks_count; i++)
        if (worker->tasks[i].report.name.partition == partition &&
            strcmp(worker->tasks[i].subtopology, subtopology) == 0)
            return &worker->tasks[i];
    return NULL;
}

struct shell_worker *core_shell_owner(struct core_shell *shell, const char *subtopology,
                                      int32_t partition)
{
    for (uint32_t i = 0; i < shell->workers_count; i++) {
        const struct shell_task *task = core_shell_task(&shell->workers[i], subtopology, partition);
        if (shell->workers[i].alive && task != NULL && task->report.role == MR_TASK_ROLE_ACTIVE &&
            task->report.state == MR_TASK_STATE_RUNNING)
            return &shell->workers[i];
    }
    return NULL;
}

struct mr_core_topology core_shell_topology(const struct core_shell *shell, const char *name)
{
    for (uint32_t i = 0; i < mr_core_topologies_count(shell->core); i++) {
        struct mr_core_topology topology = mr_core_topology_at(shell->core, i, shell->now_ms);
        if (strcmp(topology.record->name, name) == 0)
            return topology;
    }
    return (struct mr_core_topology){.reason = "it is not there"};
}

bool core_shell_told(const struct core_shell *shell, const char *text)
{
    return strstr(shell->news, text) != NULL;
}

uint32_t core_shell_records(const struct core_shell *shell, const char *prefix)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < shell->records_count; i++)
        count += strncmp(shell->records[i].key, prefix, strlen(prefix)) == 0;
    return count;
}
