/* worker/agent.c — the worker's side of coordination: answers, leaving, the step.
 * Design: an answer only replaces what is wanted. `reconcile` (agent_reconcile.c) compares it with
 * what the host has and says every step that may be taken now, again and again until the reports
 * show it; it keeps no record of what it has said. `pace` (agent_requests.c) decides what is sent
 * to whom and when. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "worker/agent_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 4096, REFUSAL_SAID_MS = 30000 };

/* ---- Life ---- */

struct mr_agent *mr_agent_create(const struct mr_agent_options *options)
{
    MR_ASSERT(options->addresses_count >= 1 && options->addresses_count <= MR_AGENT_ADDRESSES_MAX);
    struct mr_agent *agent = mr_memory_new(1, sizeof(*agent));
    agent->options = *options;
    mr_random_init(&agent->random, options->seed, 0);
    mr_arena_init(&agent->wanted.arena, ARENA_CHUNK_BYTES);
    mr_arena_init(&agent->said.arena, ARENA_CHUNK_BYTES);
    mr_arena_init(&agent->answered.arena, ARENA_CHUNK_BYTES);
    mr_arena_init(&agent->arena, ARENA_CHUNK_BYTES);
    agent->gap_ms = MR_AGENT_GAP_MS;
    return agent;
}

void mr_agent_destroy(struct mr_agent *agent)
{
    if (agent == NULL)
        return;
    mr_arena_deinit(&agent->wanted.arena);
    mr_arena_deinit(&agent->said.arena);
    mr_arena_deinit(&agent->answered.arena);
    mr_arena_deinit(&agent->arena);
    mr_memory_free(agent->versions);
    mr_memory_free(agent->sorted);
    mr_memory_free(agent->commands);
    mr_memory_free(agent);
}

struct mr_agent_command *mr_agent_command(struct mr_agent *agent, enum mr_agent_command_kind kind)
{
    if (agent->commands_count == agent->commands_capacity) {
        agent->commands_capacity =
            agent->commands_capacity == 0 ? 16 : agent->commands_capacity * 2;
        agent->commands =
            mr_memory_resize(agent->commands, agent->commands_capacity * sizeof(*agent->commands));
    }
    struct mr_agent_command *added = &agent->commands[agent->commands_count++];
    *added = (struct mr_agent_command){.kind = kind};
    return added;
}

/* ---- Answers ---- */

static void keep_topologies(struct mr_agent_wanted *wanted, const struct mr_sync_reply *reply)
{
    wanted->topologies =
        mr_arena_new(&wanted->arena, reply->topologies_count + 1u, sizeof(*wanted->topologies));
    wanted->topologies_count = reply->topologies_count;
    for (uint32_t index = 0; index < reply->topologies_count; index++) {
        struct mr_assigned_topology *kept = &wanted->topologies[index];
        *kept = reply->topologies[index];
        kept->name = mr_arena_copy_text(&wanted->arena, kept->name);
        const char **sources =
            mr_arena_new(&wanted->arena, kept->paused_sources_count + 1u, sizeof(*sources));
        for (uint32_t source = 0; source < kept->paused_sources_count; source++)
            sources[source] =
                mr_arena_copy_text(&wanted->arena, reply->topologies[index].paused_sources[source]);
        kept->paused_sources = sources;
    }
}

/* A name that is wanted twice would break rule 3: the active role counts. */
static void keep_wanted(struct mr_agent_wanted *wanted, const struct mr_sync_reply *reply)
{
    mr_arena_reset(&wanted->arena);
    wanted->tasks = mr_arena_new(&wanted->arena, reply->tasks_count + 1u, sizeof(*wanted->tasks));
    wanted->tasks_count = 0;
    for (uint32_t index = 0; index < reply->tasks_count; index++) {
        wanted->tasks[index] = reply->tasks[index];
        wanted->tasks[index].name = mr_agent_copy_name(&reply->tasks[index].name, &wanted->arena);
    }
    if (reply->tasks_count > 1)
        qsort(wanted->tasks, reply->tasks_count, sizeof(*wanted->tasks), mr_agent_compare_assigned);
    for (uint32_t index = 0; index < reply->tasks_count; index++)
        if (wanted->tasks_count == 0 ||
            mr_agent_compare_names(&wanted->tasks[wanted->tasks_count - 1].name,
                                   &wanted->tasks[index].name) != 0)
            wanted->tasks[wanted->tasks_count++] = wanted->tasks[index];
    keep_topologies(wanted, reply);
}

static bool heed_term(struct mr_agent *agent, uint64_t term)
{
    if (term < agent->term)
        return false;
    agent->term = term;
    return true;
}

/* ---- Leaving ---- */

static void begin_leaving(struct mr_agent *agent)
{
    agent->asking = false;
    agent->leaving = true;
    agent->deadline_ms = agent->now_ms + agent->stop_ms;
}

/* Nobody who was never reached is asked. */
static void heed_leave(struct mr_agent *agent, const struct mr_agent_event *event)
{
    if (agent->asking || agent->draining || agent->leaving)
        return;
    agent->stop_ms = event->deadline_ms;
    agent->drain_ms = event->drain_ms;
    agent->asking = true;
    agent->ask_until_ms = agent->now_ms + MR_AGENT_ASK_MS;
    if (event->drain_ms == 0 || !agent->heard)
        begin_leaving(agent);
}

static void heed_leave_told(struct mr_agent *agent, enum mr_leaving leave)
{
    if (!agent->asking || leave == MR_LEAVING_NOT)
        return;
    if (leave == MR_LEAVING_RESTART) {
        begin_leaving(agent);
        return;
    }
    agent->asking = false;
    agent->draining = true;
    agent->drain_until_ms = agent->now_ms + agent->drain_ms;
    mr_agent_command(agent, MR_AGENT_COMMAND_SAY)->text =
        "this worker is scaled away: its tasks move before it ends";
}

/* No answer came, or the drain takes too long: what is left is released, so that others take it. */
static void tend_leaving(struct mr_agent *agent)
{
    if (agent->asking && agent->now_ms >= agent->ask_until_ms)
        begin_leaving(agent);
    if (agent->draining && !agent->leaving && agent->now_ms >= agent->drain_until_ms) {
        mr_agent_command(agent, MR_AGENT_COMMAND_SAY)->text =
            "the drain takes too long: the tasks that are left are released";
        begin_leaving(agent);
    }
}

static bool may_exit(struct mr_agent *agent, bool *unfinished)
{
    *unfinished = false;
    if (!agent->leaving)
        return (agent->options.exit_when_drained || agent->draining) && agent->drained &&
               agent->host->tasks_count == 0;
    bool released = mr_agent_everything_released(agent);
    if (released && agent->released_ms == 0)
        agent->released_ms = agent->now_ms;
    if (!released)
        agent->released_ms = 0;
    if (released && (agent->farewell_answered || !agent->heard ||
                     agent->now_ms - agent->released_ms >= MR_AGENT_FAREWELL_MS))
        return true;
    *unfinished = !released;
    return agent->now_ms >= agent->deadline_ms;
}

/* ---- Answers, taken ---- */

static void heed_sync(struct mr_agent *agent, const struct mr_sync_reply *reply)
{
    if (reply->instance != agent->options.instance || reply->sequence != agent->sequence ||
        reply->sequence == agent->heard_sequence)
        return;
    if (!heed_term(agent, reply->term)) {
        /* A leader that was deposed and does not know it yet. */
        if (agent->under_way == MR_AGENT_SYNC_UNDER_WAY) {
            mr_agent_ask_next(agent);
            mr_agent_request_failed(agent);
        }
        return;
    }
    keep_wanted(&agent->wanted, reply);
    agent->drained = reply->leaves;
    agent->more = reply->more;
    heed_leave_told(agent, reply->leave);
    agent->heard = true;
    agent->heard_sequence = reply->sequence;
    agent->heard_ms = agent->now_ms;
    agent->failures_count = 0;
    agent->gap_ms = MR_AGENT_GAP_MS;
    agent->answer_due = true;
    agent->farewell_answered = agent->all_released;
    struct mr_agent_released swapped = agent->answered;
    agent->answered = agent->said;
    agent->said = swapped;
    agent->said.names_count = 0;
    if (agent->under_way == MR_AGENT_SYNC_UNDER_WAY)
        agent->under_way = MR_AGENT_NOTHING_UNDER_WAY;
}

static void heed_topology(struct mr_agent *agent, const struct mr_topology_reply *reply)
{
    if (!heed_term(agent, reply->term))
        return;
    if (agent->under_way == MR_AGENT_TOPOLOGY_UNDER_WAY)
        agent->under_way = MR_AGENT_NOTHING_UNDER_WAY;
    agent->failures_count = 0;
    const struct mr_agent_version *version =
        mr_agent_find_version(agent, reply->generation, reply->version);
    if (version == NULL || !version->wanted || version->present != NULL || !reply->found ||
        agent->leaving)
        return;
    mr_agent_command(agent, MR_AGENT_COMMAND_OPEN)->topology = reply;
}

/* The same one comes with every try: it is said now and then. */
static void say_refusal(struct mr_agent *agent, const char *reason)
{
    const char *text =
        mr_arena_format(&agent->arena, "the coordinator at %s refuses this worker: %s",
                        mr_agent_address(agent), reason);
    uint64_t hash = mr_hash64_seeded(mr_slice_text(text), 1);
    if (hash == agent->refusal_hash && agent->now_ms - agent->refusal_ms < REFUSAL_SAID_MS)
        return;
    agent->refusal_hash = hash;
    agent->refusal_ms = agent->now_ms;
    mr_agent_command(agent, MR_AGENT_COMMAND_SAY)->text = text;
}

static void heed_refusal(struct mr_agent *agent, const struct mr_refused_reply *reply)
{
    if (agent->under_way == MR_AGENT_NOTHING_UNDER_WAY)
        return;
    bool newer = reply->term > agent->term;
    bool current = heed_term(agent, reply->term);
    if (reply->refusal == MR_REFUSAL_NOT_LEADER) {
        /* Two that name each other know nothing new: who was named names nobody. */
        bool named = current && reply->leader[0] != '\0' &&
                     strlen(reply->leader) < sizeof(agent->leader) &&
                     strcmp(reply->leader, mr_agent_address(agent)) != 0 &&
                     (newer || agent->leader[0] == '\0');
        bool first = agent->failures_count == 0;
        if (named)
            (void)snprintf(agent->leader, sizeof(agent->leader), "%s", reply->leader);
        else
            mr_agent_ask_next(agent);
        mr_agent_request_failed(agent);
        if (named && (first || newer))
            agent->retry_at_ms = agent->now_ms;
        return;
    }
    if (reply->refusal != MR_REFUSAL_BUSY) {
        say_refusal(agent, reply->text);
        mr_agent_ask_next(agent);
    }
    mr_agent_request_failed(agent);
}

static void heed(struct mr_agent *agent, const struct mr_agent_event *event)
{
    switch (event->kind) {
    case MR_AGENT_EVENT_TICK:
        break;
    case MR_AGENT_EVENT_REPLY:
        if (event->reply->kind == MR_REPLY_SYNC)
            heed_sync(agent, &event->reply->sync);
        else if (event->reply->kind == MR_REPLY_TOPOLOGY)
            heed_topology(agent, &event->reply->topology);
        else
            heed_refusal(agent, &event->reply->refused);
        break;
    case MR_AGENT_EVENT_BROKEN:
        if (agent->under_way != MR_AGENT_NOTHING_UNDER_WAY) {
            mr_agent_ask_next(agent);
            mr_agent_request_failed(agent);
        }
        break;
    case MR_AGENT_EVENT_LEAVE:
        heed_leave(agent, event);
        break;
    }
}

/* ---- Step ---- */

static void run_step(struct mr_agent *agent, const struct mr_agent_event *event)
{
    bool unfinished;
    mr_agent_sort_host(agent);
    mr_agent_see_versions(agent);
    heed(agent, event);
    tend_leaving(agent);
    mr_agent_see_versions(agent);
    mr_agent_reconcile(agent);
    if (agent->answer_due)
        mr_agent_command(agent, MR_AGENT_COMMAND_ANSWERED)->questions = agent->questions;
    agent->answer_due = false;
    if (may_exit(agent, &unfinished)) {
        agent->exited = true;
        mr_agent_command(agent, MR_AGENT_COMMAND_EXIT)->unfinished = unfinished;
        return;
    }
    mr_agent_pace(agent);
}

struct mr_agent_commands mr_agent_step(struct mr_agent *agent, const struct mr_agent_event *event,
                                       const struct mr_agent_host *host, uint64_t now_ms)
{
    if (!agent->started)
        agent->started_ms = now_ms;
    agent->started = true;
    agent->now_ms = now_ms;
    agent->host = host;
    agent->commands_count = 0;
    mr_arena_reset(&agent->arena);
    if (!agent->exited)
        run_step(agent, event);
    return (struct mr_agent_commands){.items = agent->commands,
                                      .items_count = agent->commands_count};
}

struct mr_agent_contact mr_agent_contact(const struct mr_agent *agent, uint64_t now_ms)
{
    uint64_t since_ms = agent->heard ? agent->heard_ms : agent->started_ms;
    return (struct mr_agent_contact){.answered = agent->heard,
                                     .silent_ms = agent->started ? now_ms - since_ms : 0,
                                     .term = agent->term,
                                     .address = mr_agent_address(agent),
                                     .leaving = agent->asking || agent->draining || agent->leaving,
                                     .more = agent->more || agent->lacks};
}
