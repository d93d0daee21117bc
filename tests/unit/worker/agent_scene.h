/* tests/unit/worker/agent_scene.h — one agent, moved by hand, with a host of plain arrays. */
#ifndef MR_TESTS_AGENT_SCENE_H
#define MR_TESTS_AGENT_SCENE_H

#include "worker/agent.h"

enum { TASKS_MAX = 64, VERSIONS_MAX = 16, GENERATION = 7 };

struct agent_scene_host {
    struct mr_task_report tasks[TASKS_MAX];
    uint32_t tasks_count;
    struct mr_topology_report topologies[VERSIONS_MAX];
    uint32_t topologies_count;
    uint64_t questions;
    struct mr_agent_host view;
};

struct agent_scene {
    struct mr_agent *agent;
    struct agent_scene_host host;
    uint64_t now_ms;
    uint64_t term;
    struct mr_agent_commands commands;
    uint64_t sequence; /* of the newest Sync */
    char address[64];
    struct mr_assigned_task wanted[TASKS_MAX];
    uint32_t wanted_count;
    const char *const *paused;
    uint32_t paused_count;
};

/* What the host has. */
void agent_host_add(struct agent_scene_host *host, const struct mr_assigned_task *task,
                    enum mr_task_state state);
void agent_host_remove(struct agent_scene_host *host, uint32_t index);
void agent_host_open(struct agent_scene_host *host, uint64_t generation, uint32_t version,
                     bool refused);
/* Not stepped yet. */
void agent_open_scene(struct agent_scene *scene, bool exit_when_drained);
void agent_close_scene(struct agent_scene *scene);
/* Of the last step; NULL: none of the kind. */
const struct mr_agent_command *agent_find_command(const struct agent_scene *scene,
                                                  enum mr_agent_command_kind kind);
uint32_t agent_count_commands(const struct agent_scene *scene, enum mr_agent_command_kind kind);
void agent_step(struct agent_scene *scene, const struct mr_agent_event *event);
/* Time passes. */
void agent_tick(struct agent_scene *scene, uint64_t later_ms);
void agent_give(struct agent_scene *scene, const struct mr_reply *reply);
/* Answers with what is wanted. */
void agent_answer_as(struct agent_scene *scene, uint64_t term, uint64_t sequence);
void agent_answer(struct agent_scene *scene);
/* Ask, and answer with what is wanted. */
void agent_round_trip(struct agent_scene *scene);
void agent_refuse(struct agent_scene *scene, uint64_t term, const char *leader);
struct mr_assigned_task *agent_want(struct agent_scene *scene, int32_t partition,
                                    enum mr_task_role role, uint64_t epoch);
/* A scene with one task that runs at epoch 1. */
void agent_open_running(struct agent_scene *scene);

#endif
