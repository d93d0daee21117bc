/* tests/unit/worker/agent_scene.c — see agent_scene.h. */
#include "tests/unit/worker/agent_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct mr_agent_host *view_of(struct agent_scene_host *host)
{
    host->view = (struct mr_agent_host){.tasks = host->tasks,
                                        .tasks_count = host->tasks_count,
                                        .topologies = host->topologies,
                                        .topologies_count = host->topologies_count,
                                        .questions = host->questions};
    return &host->view;
}

void agent_host_add(struct agent_scene_host *host, const struct mr_assigned_task *task,
                    enum mr_task_state state)
{
    assert_in_range(host->tasks_count, 0, TASKS_MAX - 1);
    host->tasks[host->tasks_count++] = (struct mr_task_report){.name = task->name,
                                                               .role = task->role,
                                                               .state = state,
                                                               .version = task->version,
                                                               .epoch = task->epoch,
                                                               .changelog_remaining = -1,
                                                               .lag = -1,
                                                               .idle_ms = -1,
                                                               .error = ""};
}

void agent_host_remove(struct agent_scene_host *host, uint32_t index)
{
    host->tasks[index] = host->tasks[--host->tasks_count];
}

void agent_host_open(struct agent_scene_host *host, uint64_t generation, uint32_t version,
                     bool refused)
{
    assert_in_range(host->topologies_count, 0, VERSIONS_MAX - 1);
    host->topologies[host->topologies_count++] =
        (struct mr_topology_report){.generation = generation,
                                    .version = version,
                                    .refused = refused,
                                    .error = refused ? "no" : ""};
}

static const char *const two_addresses[] = {"tcp://a:1", "tcp://b:1"};

void agent_open_scene(struct agent_scene *scene, bool exit_when_drained)
{
    *scene = (struct agent_scene){.now_ms = 1000, .term = 3};
    struct mr_agent_options options = {.cluster = "c",
                                       .worker = "w1",
                                       .instance = 42,
                                       .zone = "",
                                       .http = "",
                                       .build = "0",
                                       .threads_count = 2,
                                       .addresses = two_addresses,
                                       .addresses_count = 2,
                                       .exit_when_drained = exit_when_drained,
                                       .seed = 1};
    scene->agent = mr_agent_create(&options);
}

void agent_close_scene(struct agent_scene *scene)
{
    mr_agent_destroy(scene->agent);
}

const struct mr_agent_command *agent_find_command(const struct agent_scene *scene,
                                                  enum mr_agent_command_kind kind)
{
    for (uint32_t index = 0; index < scene->commands.items_count; index++)
        if (scene->commands.items[index].kind == kind)
            return &scene->commands.items[index];
    return NULL;
}

uint32_t agent_count_commands(const struct agent_scene *scene, enum mr_agent_command_kind kind)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < scene->commands.items_count; index++)
        count += scene->commands.items[index].kind == kind;
    return count;
}

void agent_step(struct agent_scene *scene, const struct mr_agent_event *event)
{
    scene->commands = mr_agent_step(scene->agent, event, view_of(&scene->host), scene->now_ms);
    const struct mr_agent_command *send = agent_find_command(scene, MR_AGENT_COMMAND_SEND);
    if (send == NULL)
        return;
    (void)snprintf(scene->address, sizeof(scene->address), "%s", send->address);
    if (send->request.kind == MR_REQUEST_SYNC)
        scene->sequence = send->request.sync.sequence;
}

void agent_tick(struct agent_scene *scene, uint64_t later_ms)
{
    scene->now_ms += later_ms;
    agent_step(scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_TICK});
}

void agent_give(struct agent_scene *scene, const struct mr_reply *reply)
{
    agent_step(scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_REPLY, .reply = reply});
}

void agent_answer_as(struct agent_scene *scene, uint64_t term, uint64_t sequence)
{
    struct mr_assigned_topology topology = {.generation = GENERATION,
                                            .version = 1,
                                            .name = "t",
                                            .paused_sources = scene->paused,
                                            .paused_sources_count = scene->paused_count};
    struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_SYNC};
    reply.sync = (struct mr_sync_reply){.term = term,
                                        .instance = 42,
                                        .sequence = sequence,
                                        .tasks = scene->wanted,
                                        .tasks_count = scene->wanted_count,
                                        .topologies = &topology,
                                        .topologies_count = 1};
    agent_give(scene, &reply);
}

void agent_answer(struct agent_scene *scene)
{
    agent_answer_as(scene, scene->term, scene->sequence);
}

/* Ask, and answer with what is wanted. */
void agent_round_trip(struct agent_scene *scene)
{
    do
        agent_tick(scene, MR_AGENT_GAP_MS);
    while (agent_find_command(scene, MR_AGENT_COMMAND_SEND) == NULL);
    agent_answer(scene);
}

void agent_refuse(struct agent_scene *scene, uint64_t term, const char *leader)
{
    struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_REFUSED};
    reply.refused = (struct mr_refused_reply){
        .term = term, .refusal = MR_REFUSAL_NOT_LEADER, .leader = leader, .text = "no"};
    agent_give(scene, &reply);
}

struct mr_assigned_task *agent_want(struct agent_scene *scene, int32_t partition,
                                    enum mr_task_role role, uint64_t epoch)
{
    struct mr_assigned_task *task = &scene->wanted[scene->wanted_count++];
    *task = (struct mr_assigned_task){
        .name = {.generation = GENERATION, .subtopology = "score", .partition = partition},
        .role = role,
        .version = 1,
        .epoch = epoch};
    return task;
}

/* A scene with one task that runs at epoch 1. */
void agent_open_running(struct agent_scene *scene)
{
    agent_open_scene(scene, false);
    agent_want(scene, 0, MR_TASK_ROLE_ACTIVE, 1);
    agent_host_open(&scene->host, GENERATION, 1, false);
    agent_host_add(&scene->host, &scene->wanted[0], MR_TASK_STATE_RUNNING);
    agent_round_trip(scene);
    assert_int_equal(scene->commands.items_count, 1); /* ANSWERED */
}
