/* worker/agent_requests.c — what is asked, of whom, and when. */
#include "base/hash.h"
#include "worker/agent_internal.h"

enum {
    DOUBLINGS_MAX = 16,
    SYNC_AFTER_MS = 200 /* definitions are asked for one by one: so often a Sync goes between */
};

/* ---- Whom to ask ---- */

const char *mr_agent_address(const struct mr_agent *agent)
{
    return agent->leader[0] != '\0' ? agent->leader
                                    : agent->options.addresses[agent->address_index];
}

/* The one behind who was asked, or behind who named it; not who has just not helped: that would be
 * asked twice in a row, and a new leader waits for its workers no longer than two seconds. */
void mr_agent_ask_next(struct mr_agent *agent)
{
    uint32_t count = agent->options.addresses_count;
    agent->address_index = (agent->address_index + 1) % count;
    if (strcmp(agent->options.addresses[agent->address_index], agent->leader) == 0)
        agent->address_index = (agent->address_index + 1) % count;
    agent->leader[0] = '\0';
}

/* Half of it for certain, half at random: workers that lost one coordinator do not come back as
 * one. */
static uint64_t back_off_ms(struct mr_agent *agent, uint32_t failures_count)
{
    uint32_t doublings = failures_count < DOUBLINGS_MAX ? failures_count : DOUBLINGS_MAX;
    uint64_t most_ms = (uint64_t)MR_AGENT_BACK_OFF_MS << doublings;
    if (most_ms > MR_AGENT_BACK_OFF_MS_MAX)
        most_ms = MR_AGENT_BACK_OFF_MS_MAX;
    return most_ms / 2 + mr_random_below(&agent->random, most_ms / 2 + 1);
}

void mr_agent_request_failed(struct mr_agent *agent)
{
    agent->under_way = MR_AGENT_NOTHING_UNDER_WAY;
    agent->retry_at_ms = agent->now_ms + back_off_ms(agent, agent->failures_count);
    if (agent->failures_count < UINT32_MAX)
        agent->failures_count++;
}

/* ---- Requests ---- */

/* What coordinators should hear of soon when it changes. */
static uint64_t hash_host(const struct mr_agent *agent)
{
    uint64_t hash =
        (uint64_t)agent->leaving + 2 * (uint64_t)agent->draining + 4 * (uint64_t)agent->asking;
    for (uint32_t index = 0; index < agent->host->tasks_count; index++) {
        const struct mr_task_report *report = agent->sorted[index];
        uint64_t facts[] = {report->name.generation, (uint32_t)report->name.partition,
                            report->version,         (uint64_t)report->role,
                            (uint64_t)report->state, report->epoch,
                            report->seen_epoch};
        hash = mr_hash64_seeded(mr_slice_from(facts, sizeof(facts)), hash);
        hash = mr_hash64_seeded(mr_slice_text(report->name.subtopology), hash);
    }
    for (uint32_t index = 0; index < agent->host->topologies_count; index++) {
        const struct mr_topology_report *report = &agent->host->topologies[index];
        uint64_t facts[] = {report->generation, report->version, report->refused};
        hash = mr_hash64_seeded(mr_slice_from(facts, sizeof(facts)), hash);
    }
    return hash;
}

bool mr_agent_everything_released(const struct mr_agent *agent)
{
    for (uint32_t index = 0; index < agent->host->tasks_count; index++)
        if (agent->host->tasks[index].state != MR_TASK_STATE_RELEASED)
            return false;
    return true;
}

static void note_released(struct mr_agent *agent)
{
    struct mr_agent_released *said = &agent->said;
    mr_arena_reset(&said->arena);
    said->names = mr_arena_new(&said->arena, agent->host->tasks_count + 1u, sizeof(*said->names));
    said->names_count = 0;
    for (uint32_t index = 0; index < agent->host->tasks_count; index++)
        if (agent->sorted[index]->role == MR_TASK_ROLE_ACTIVE &&
            agent->sorted[index]->state == MR_TASK_STATE_RELEASED)
            said->names[said->names_count++] =
                mr_agent_copy_name(&agent->sorted[index]->name, &said->arena);
}

static struct mr_agent_command *send(struct mr_agent *agent, enum mr_request_kind kind)
{
    struct mr_agent_command *send = mr_agent_command(agent, MR_AGENT_COMMAND_SEND);
    send->address = mr_agent_address(agent);
    send->request = (struct mr_request){.protocol_version = MR_PROTOCOL_VERSION, .kind = kind};
    agent->sent_ms = agent->now_ms;
    return send;
}

static enum mr_leaving leaving_as(const struct mr_agent *agent)
{
    if (agent->draining)
        return MR_LEAVING_DRAIN;
    return agent->leaving ? MR_LEAVING_RESTART : MR_LEAVING_NOT;
}

static void send_sync(struct mr_agent *agent, uint64_t hash)
{
    const struct mr_agent_options *options = &agent->options;
    const struct mr_agent_host *host = agent->host;
    /* One that replaces another: let the server come to an answer before the next does so. */
    if (agent->under_way == MR_AGENT_SYNC_UNDER_WAY && agent->gap_ms < MR_AGENT_GAP_MS_MAX)
        agent->gap_ms *= 2;
    agent->under_way = MR_AGENT_SYNC_UNDER_WAY;
    agent->synced_ms = agent->now_ms;
    agent->said_hash = hash;
    agent->questions = host->questions;
    agent->all_released = agent->leaving && mr_agent_everything_released(agent);
    agent->sequence++;
    note_released(agent);
    send(agent, MR_REQUEST_SYNC)->request.sync =
        (struct mr_sync_request){.cluster = options->cluster,
                                 .worker = options->worker,
                                 .instance = options->instance,
                                 .sequence = agent->sequence,
                                 .term = agent->term,
                                 .zone = options->zone,
                                 .http = options->http,
                                 .build = options->build,
                                 .threads_count = options->threads_count,
                                 .memory_bytes = options->memory_bytes,
                                 .leaving = leaving_as(agent),
                                 .leave_asked = agent->asking,
                                 .tasks = host->tasks,
                                 .tasks_count = host->tasks_count,
                                 .topologies = host->topologies,
                                 .topologies_count = host->topologies_count};
}

static struct mr_agent_version *lacking(const struct mr_agent *agent)
{
    for (uint32_t index = 0; index < agent->versions_count; index++)
        if (agent->versions[index].wanted && agent->versions[index].present == NULL &&
            agent->now_ms >= agent->versions[index].ask_at_ms)
            return &agent->versions[index];
    return NULL;
}

static void send_topology(struct mr_agent *agent, struct mr_agent_version *version)
{
    version->ask_at_ms = agent->now_ms + back_off_ms(agent, version->asked_count);
    version->asked_count++;
    agent->under_way = MR_AGENT_TOPOLOGY_UNDER_WAY;
    send(agent, MR_REQUEST_TOPOLOGY)->request.topology =
        (struct mr_topology_request){.cluster = agent->options.cluster,
                                     .worker = agent->options.worker,
                                     .generation = version->generation,
                                     .version = version->number};
}

static bool opens_something(const struct mr_agent *agent)
{
    for (uint32_t index = 0; index < agent->commands_count; index++)
        if (agent->commands[index].kind == MR_AGENT_COMMAND_OPEN)
            return true;
    return false;
}

void mr_agent_pace(struct mr_agent *agent)
{
    if (agent->under_way != MR_AGENT_NOTHING_UNDER_WAY &&
        agent->now_ms - agent->sent_ms >= MR_AGENT_RESEND_MS) {
        mr_agent_ask_next(agent);
        mr_agent_request_failed(agent);
        agent->retry_at_ms = agent->now_ms;
    }
    if (agent->under_way == MR_AGENT_TOPOLOGY_UNDER_WAY || agent->now_ms < agent->retry_at_ms)
        return;
    uint64_t since_ms = agent->sequence == 0 ? UINT64_MAX : agent->now_ms - agent->synced_ms;
    uint64_t hash = hash_host(agent);
    if (agent->under_way == MR_AGENT_SYNC_UNDER_WAY) {
        if (hash != agent->said_hash && since_ms >= agent->gap_ms)
            send_sync(agent, hash);
        return;
    }
    struct mr_agent_version *version = lacking(agent);
    /* What is being opened is present with the next step. */
    if (version != NULL && agent->now_ms - agent->heard_ms < SYNC_AFTER_MS &&
        !opens_something(agent))
        send_topology(agent, version);
    else if (since_ms >= MR_AGENT_GAP_MS)
        send_sync(agent, hash);
}
