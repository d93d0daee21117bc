/* coordinator/shell.c — the core thread and the receive thread.
 * Design: an event is made where something happens and told to the core here; what the core
 * commands is done at once or handed to the thread that may wait. Whatever a command points to is
 * valid until the next step only, so that everything that leaves this thread is a copy. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "coordinator/internal.h"
#include "proto/codec.h"

#include <stdio.h>

enum { RECEIVE_WAIT_MS = 200, GAUGES_MS = 1000, STEP_SLOW_MS = 200 };

/* ---- Requests of workers ---- */

static void reply_bytes(struct mr_coordinator *coordinator, uint64_t handle, struct mr_slice bytes)
{
    struct mr_transport_server *server = coordinator->server;
    server->transport->ops->server_reply(server, handle, bytes);
}

static void refuse(struct mr_coordinator *coordinator, uint64_t handle, enum mr_refusal refusal,
                   const char *text)
{
    struct mr_arena arena;
    char address[MR_SHELL_TEXT_MAX];
    char http[MR_SHELL_TEXT_MAX];
    uint64_t term;
    mr_arena_init(&arena, 1024);
    (void)mr_lead_known(coordinator, address, http, &term);
    const struct mr_reply reply = {
        .protocol_version = MR_PROTOCOL_VERSION,
        .kind = MR_REPLY_REFUSED,
        .refused = {.term = term, .refusal = refusal, .leader = address, .text = text}};
    reply_bytes(coordinator, handle, mr_reply_encode(&reply, &arena));
    mr_metric_add(coordinator->series.refused, 1);
    mr_arena_deinit(&arena);
}

static void finish_request(struct mr_coordinator *coordinator, struct mr_work *work,
                           uint64_t now_ms)
{
    const struct mr_request *request = work->data;
    struct mr_core_event event = {.handle = work->handle, .peer = work->peer};
    if (!atomic_load(&coordinator->leads)) {
        refuse(coordinator, work->handle, MR_REFUSAL_NOT_LEADER, "This coordinator does not lead.");
        return;
    }
    if (request->kind == MR_REQUEST_SYNC) {
        event.kind = MR_CORE_SYNC;
        event.sync = &request->sync;
        mr_metric_add(coordinator->series.syncs, 1);
    } else {
        event.kind = MR_CORE_TOPOLOGY;
        event.topology = &request->topology;
    }
    mr_shell_step(coordinator, &event, now_ms);
}

static void finish_peer_gone(struct mr_coordinator *coordinator, struct mr_work *work,
                             uint64_t now_ms)
{
    const struct mr_core_event event = {.kind = MR_CORE_PEER_GONE, .peer = work->peer};
    if (atomic_load(&coordinator->leads))
        mr_shell_step(coordinator, &event, now_ms);
}

static const char *cluster_of(const struct mr_request *request)
{
    return request->kind == MR_REQUEST_SYNC ? request->sync.cluster : request->topology.cluster;
}

/* What cannot be read costs its sender the connection, after an answer that says why. */
static void refuse_malformed(struct mr_coordinator *coordinator,
                             const struct mr_transport_incoming *incoming, enum mr_status status,
                             const struct mr_error *error)
{
    MR_LOG_AT(MR_LOG_WARNING, "coordinator", NULL, "a request is refused: %s", error->message);
    refuse(coordinator, incoming->handle,
           status == MR_VERSION ? MR_REFUSAL_VERSION : MR_REFUSAL_MALFORMED, error->message);
    if (status != MR_VERSION)
        coordinator->server->transport->ops->server_drop(coordinator->server, incoming->peer);
}

static void receive_request(struct mr_coordinator *coordinator,
                            const struct mr_transport_incoming *incoming)
{
    struct mr_work *work = mr_work_create(NULL, finish_request);
    struct mr_request *request = mr_arena_new(&work->arena, 1, sizeof(*request));
    struct mr_error error;
    enum mr_status status = mr_request_decode(incoming->bytes, &work->arena, request, &error);
    work->data = request;
    work->handle = incoming->handle;
    work->peer = incoming->peer;
    if (status != MR_OK)
        refuse_malformed(coordinator, incoming, status, &error);
    else if (strcmp(cluster_of(request), coordinator->options.cluster) != 0)
        refuse(coordinator, incoming->handle, MR_REFUSAL_WRONG_CLUSTER,
               mr_arena_format(&work->arena,
                               "it coordinates cluster %s, and the worker's --cluster is %s.",
                               coordinator->options.cluster, cluster_of(request)));
    else if (mr_work_send(coordinator->events, work))
        return;
    else
        refuse(coordinator, incoming->handle, MR_REFUSAL_BUSY, "Too much waits here.");
    mr_work_destroy(work);
}

void mr_shell_receive_loop(struct mr_coordinator *coordinator)
{
    struct mr_transport_server *server = coordinator->server;
    while (!atomic_load(&coordinator->ended)) {
        struct mr_transport_incoming incoming;
        struct mr_error error;
        atomic_store(&coordinator->receive_turned_ms, mr_clock_monotonic_ms());
        enum mr_status status =
            server->transport->ops->server_receive(server, RECEIVE_WAIT_MS, &incoming, &error);
        if (status == MR_AGAIN)
            continue;
        if (status != MR_OK) {
            MR_LOG_AT(MR_LOG_ERROR, "coordinator", NULL, "%s", error.message);
            mr_clock_sleep_ms(RECEIVE_WAIT_MS);
            continue;
        }
        if (incoming.handle != 0) {
            receive_request(coordinator, &incoming);
            continue;
        }
        struct mr_work *work = mr_work_create(NULL, finish_peer_gone);
        work->peer = incoming.peer;
        mr_work_report(coordinator, work);
    }
}

bool mr_shell_given_up(void *argument)
{
    struct mr_coordinator *coordinator = argument;
    return atomic_load(&coordinator->stopping) || !atomic_load(&coordinator->in_term);
}

/* ---- Commands of the core ---- */

static void command_reply(struct mr_coordinator *coordinator, const struct mr_core_command *command)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    if (command->reply.kind == MR_REPLY_REFUSED &&
        command->reply.refused.refusal == MR_REFUSAL_NOT_LEADER) {
        refuse(coordinator, command->handle, MR_REFUSAL_NOT_LEADER, command->reply.refused.text);
    } else {
        struct mr_slice bytes = mr_reply_encode(&command->reply, &arena);
        if (bytes.size > 0)
            reply_bytes(coordinator, command->handle, bytes);
        else
            refuse(coordinator, command->handle, MR_REFUSAL_BUSY,
                   "The answer is larger than a message may be.");
    }
    mr_arena_deinit(&arena);
}

static void execute(struct mr_coordinator *coordinator, const struct mr_core_command *command,
                    uint64_t now_ms)
{
    switch (command->kind) {
    case MR_COMMAND_REPLY:
        command_reply(coordinator, command);
        break;
    case MR_COMMAND_WRITE:
        mr_lead_write(coordinator, command->id, command->records, command->records_count, now_ms);
        break;
    case MR_COMMAND_JOB:
        mr_shell_job(coordinator, command, now_ms);
        break;
    case MR_COMMAND_SCALE:
        mr_shell_scale(coordinator, command->id);
        break;
    case MR_COMMAND_ANSWER:
        mr_api_answered(coordinator, command);
        break;
    case MR_COMMAND_NEWS:
        mr_api_news(coordinator, command->event, command->name, command->text);
        break;
    }
}

void mr_shell_step(struct mr_coordinator *coordinator, const struct mr_core_event *event,
                   uint64_t now_ms)
{
    uint64_t start_ns = mr_clock_monotonic_ns();
    struct mr_core_commands commands = mr_core_step(coordinator->core, event, now_ms);
    uint64_t duration_us = (mr_clock_monotonic_ns() - start_ns) / 1000;
    mr_metric_observe(coordinator->series.steps, duration_us);
    if (duration_us / 1000 > STEP_SLOW_MS)
        MR_LOG_AT(MR_LOG_WARNING, "coordinator", NULL, "a decision took %llu ms",
                  (unsigned long long)(duration_us / 1000));
    for (uint32_t index = 0; index < commands.items_count; index++)
        execute(coordinator, &commands.items[index], now_ms);
}

/* ---- The core thread ---- */

/* Only the leader hears of workers and tasks. Whoever follows knows names from the records alone,
 * and would count each worker as gone; one that led before, what it saw last. */
static void count_states(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    uint32_t workers[4] = {0};
    uint32_t tasks[MR_TASK_STATE_COUNT + 1] = {0};
    uint32_t topologies[7] = {0};
    const struct mr_core *core = coordinator->core;
    bool leads = atomic_load(&coordinator->leads);
    for (uint32_t index = 0; leads && index < mr_core_workers_count(core); index++)
        workers[mr_core_worker_at(core, index, now_ms).state]++;
    for (uint32_t index = 0; leads && index < mr_core_tasks_count(core); index++) {
        struct mr_core_task task = mr_core_task_at(core, index, now_ms);
        tasks[task.worker[0] == '\0' || !task.reported ? MR_TASK_STATE_COUNT : task.report.state]++;
    }
    for (uint32_t index = 0; leads && index < mr_core_topologies_count(core); index++)
        topologies[mr_core_topology_at(core, index, now_ms).health]++;
    for (uint32_t index = 0; index < 4; index++)
        mr_metric_set(coordinator->series.workers[index], workers[index]);
    for (uint32_t index = 0; index <= MR_TASK_STATE_COUNT; index++)
        mr_metric_set(coordinator->series.tasks[index], tasks[index]);
    for (uint32_t index = 0; index < 7; index++)
        mr_metric_set(coordinator->series.topologies[index], topologies[index]);
    mr_metric_set(coordinator->series.leader, leads ? 1 : 0);
    mr_metric_set(coordinator->series.term, (double)mr_core_term(core));
}

static void tick(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    const struct mr_core_event event = {.kind = MR_CORE_TICK};
    coordinator->next_step_ms = now_ms + MR_SHELL_STEP_MS;
    if (atomic_load(&coordinator->stopping) && !coordinator->resigning) {
        coordinator->resigning = true;
        mr_lead_resign(coordinator, now_ms);
    }
    mr_lead_step(coordinator, now_ms);
    mr_shell_step(coordinator, &event, now_ms);
    if (now_ms >= coordinator->next_gauges_ms) {
        coordinator->next_gauges_ms = now_ms + GAUGES_MS;
        count_states(coordinator, now_ms);
    }
    mr_forward_look(coordinator, now_ms);
    if (now_ms >= coordinator->next_watch_ms) {
        coordinator->next_watch_ms = now_ms + coordinator->options.watch_ms;
        mr_shell_watch(coordinator, now_ms);
    }
}

/* What a step could not do at once. */
static void finish_later(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    while (coordinator->later != NULL) {
        struct mr_work *work = coordinator->later;
        coordinator->later = work->next;
        if (coordinator->later == NULL)
            coordinator->later_end = &coordinator->later;
        work->finish(coordinator, work, now_ms);
        mr_work_destroy(work);
    }
}

void mr_shell_core_loop(struct mr_coordinator *coordinator)
{
    while (!coordinator->gone) {
        uint64_t now_ms = mr_clock_monotonic_ms();
        void *item = NULL;
        int64_t wait_ms =
            coordinator->next_step_ms > now_ms ? (int64_t)(coordinator->next_step_ms - now_ms) : 0;
        enum mr_status status = mr_ring_pop(coordinator->events, &item, wait_ms);
        now_ms = mr_clock_monotonic_ms();
        atomic_store(&coordinator->core_turned_ms, now_ms);
        if (status == MR_OK) {
            struct mr_work *work = item;
            if (work->finish != NULL)
                work->finish(coordinator, work, now_ms);
            mr_work_destroy(work);
            finish_later(coordinator, now_ms);
        }
        if (now_ms >= coordinator->next_step_ms) {
            tick(coordinator, now_ms);
            finish_later(coordinator, now_ms);
        }
    }
}
