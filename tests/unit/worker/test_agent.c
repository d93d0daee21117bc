/* Tests of worker/agent.c, agent_reconcile.c and agent_requests.c: one rule after the other, with a
 * host that the test moves by hand. test_agent_faults.c has all of them under a bad network. */
#include "worker/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { TASKS_MAX = 64, VERSIONS_MAX = 16, GENERATION = 7 };

/* ---- A host ---- */

struct host {
    struct mr_task_report tasks[TASKS_MAX];
    uint32_t tasks_count;
    struct mr_topology_report topologies[VERSIONS_MAX];
    uint32_t topologies_count;
    uint64_t questions;
    struct mr_agent_host view;
};

static const struct mr_agent_host *view_of(struct host *host)
{
    host->view = (struct mr_agent_host){.tasks = host->tasks,
                                        .tasks_count = host->tasks_count,
                                        .topologies = host->topologies,
                                        .topologies_count = host->topologies_count,
                                        .questions = host->questions};
    return &host->view;
}

static void host_add(struct host *host, const struct mr_assigned_task *task,
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

static void host_remove(struct host *host, uint32_t index)
{
    host->tasks[index] = host->tasks[--host->tasks_count];
}

static void host_open(struct host *host, uint64_t generation, uint32_t version, bool refused)
{
    assert_in_range(host->topologies_count, 0, VERSIONS_MAX - 1);
    host->topologies[host->topologies_count++] =
        (struct mr_topology_report){.generation = generation,
                                    .version = version,
                                    .refused = refused,
                                    .error = refused ? "no" : ""};
}

/* ---- One agent, moved by hand ---- */

struct scene {
    struct mr_agent *agent;
    struct host host;
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

static const char *const two_addresses[] = {"tcp://a:1", "tcp://b:1"};

static void open_scene(struct scene *scene, bool exit_when_drained)
{
    *scene = (struct scene){.now_ms = 1000, .term = 3};
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

static void close_scene(struct scene *scene)
{
    mr_agent_destroy(scene->agent);
}

static const struct mr_agent_command *find_command(const struct scene *scene,
                                                   enum mr_agent_command_kind kind)
{
    for (uint32_t index = 0; index < scene->commands.items_count; index++)
        if (scene->commands.items[index].kind == kind)
            return &scene->commands.items[index];
    return NULL;
}

static uint32_t count_commands(const struct scene *scene, enum mr_agent_command_kind kind)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < scene->commands.items_count; index++)
        count += scene->commands.items[index].kind == kind;
    return count;
}

static void step(struct scene *scene, const struct mr_agent_event *event)
{
    scene->commands = mr_agent_step(scene->agent, event, view_of(&scene->host), scene->now_ms);
    const struct mr_agent_command *send = find_command(scene, MR_AGENT_COMMAND_SEND);
    if (send == NULL)
        return;
    (void)snprintf(scene->address, sizeof(scene->address), "%s", send->address);
    if (send->request.kind == MR_REQUEST_SYNC)
        scene->sequence = send->request.sync.sequence;
}

static void tick(struct scene *scene, uint64_t later_ms)
{
    scene->now_ms += later_ms;
    step(scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_TICK});
}

static void give(struct scene *scene, const struct mr_reply *reply)
{
    step(scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_REPLY, .reply = reply});
}

static void answer_as(struct scene *scene, uint64_t term, uint64_t sequence)
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
    give(scene, &reply);
}

static void answer(struct scene *scene)
{
    answer_as(scene, scene->term, scene->sequence);
}

/* Ask, and answer with what is wanted. */
static void round_trip(struct scene *scene)
{
    do
        tick(scene, MR_AGENT_GAP_MS);
    while (find_command(scene, MR_AGENT_COMMAND_SEND) == NULL);
    answer(scene);
}

static void refuse(struct scene *scene, uint64_t term, const char *leader)
{
    struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_REFUSED};
    reply.refused = (struct mr_refused_reply){
        .term = term, .refusal = MR_REFUSAL_NOT_LEADER, .leader = leader, .text = "no"};
    give(scene, &reply);
}

static struct mr_assigned_task *want(struct scene *scene, int32_t partition, enum mr_task_role role,
                                     uint64_t epoch)
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
static void open_running(struct scene *scene)
{
    open_scene(scene, false);
    want(scene, 0, MR_TASK_ROLE_ACTIVE, 1);
    host_open(&scene->host, GENERATION, 1, false);
    host_add(&scene->host, &scene->wanted[0], MR_TASK_STATE_RUNNING);
    round_trip(scene);
    assert_int_equal(scene->commands.items_count, 1); /* ANSWERED */
}

static void asks_at_once_and_opens_before_it_assigns(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    tick(&scene, 0);
    assert_string_equal(scene.address, "tcp://a:1");
    assert_int_equal(scene.sequence, 1);
    want(&scene, 0, MR_TASK_ROLE_ACTIVE, 1);
    answer(&scene);
    const struct mr_agent_command *send = find_command(&scene, MR_AGENT_COMMAND_SEND);
    assert_non_null(send);
    assert_int_equal(send->request.kind, MR_REQUEST_TOPOLOGY);
    assert_int_equal(send->request.topology.version, 1);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_TOPOLOGY};
    reply.topology = (struct mr_topology_reply){
        .term = 3, .found = true, .name = "t", .generation = GENERATION, .version = 1};
    give(&scene, &reply);
    const struct mr_agent_command *open = find_command(&scene, MR_AGENT_COMMAND_OPEN);
    assert_non_null(open);
    assert_ptr_equal(open->topology, &reply.topology);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    host_open(&scene.host, GENERATION, 1, false);
    tick(&scene, 1);
    const struct mr_agent_command *assign = find_command(&scene, MR_AGENT_COMMAND_ASSIGN);
    assert_non_null(assign);
    assert_int_equal(assign->task->epoch, 1);
    close_scene(&scene);
}

static void a_lower_term_and_an_old_sequence_do_not_count(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    scene.wanted_count = 0;
    tick(&scene, MR_AGENT_GAP_MS);
    uint64_t old = scene.sequence - 1;
    answer_as(&scene, 3, old);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    answer_as(&scene, 2, scene.sequence);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_ANSWERED));
    /* The deposed leader's answer sends it to another coordinator. */
    do
        tick(&scene, MR_AGENT_GAP_MS);
    while (find_command(&scene, MR_AGENT_COMMAND_SEND) == NULL);
    assert_string_equal(scene.address, "tcp://b:1");
    answer(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    close_scene(&scene);
}

static void silence_changes_nothing(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    for (int round = 0; round < 20000; round++) {
        tick(&scene, MR_AGENT_GAP_MS);
        for (uint32_t index = 0; index < scene.commands.items_count; index++)
            assert_int_equal(scene.commands.items[index].kind, MR_AGENT_COMMAND_SEND);
        if (scene.commands.items_count > 0 && round % 3 == 0)
            step(&scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_BROKEN});
    }
    close_scene(&scene);
}

static void released_is_said_and_answered_before_it_is_forgotten(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    scene.wanted_count = 0;
    round_trip(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASING;
    tick(&scene, MR_AGENT_GAP_MS); /* asks; RELEASED comes only afterwards */
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    answer(&scene);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_FORGET));
    tick(&scene, MR_AGENT_GAP_MS);
    const struct mr_agent_command *send = find_command(&scene, MR_AGENT_COMMAND_SEND);
    assert_non_null(send);
    assert_int_equal(send->request.sync.tasks[0].state, MR_TASK_STATE_RELEASED);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_FORGET));
    answer(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_FORGET));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    host_remove(&scene.host, 0);
    tick(&scene, 1);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    close_scene(&scene);
}

static void a_released_task_that_is_wanted_again_runs_again(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    scene.wanted[0].epoch = 2;
    round_trip(&scene);
    const struct mr_agent_command *reassign = find_command(&scene, MR_AGENT_COMMAND_REASSIGN);
    assert_non_null(reassign);
    assert_int_equal(reassign->epoch, 2);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_FORGET));
    close_scene(&scene);
}

static void a_higher_epoch_reassigns_and_a_lower_one_does_not(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    scene.wanted[0].epoch = 5;
    round_trip(&scene);
    assert_int_equal(find_command(&scene, MR_AGENT_COMMAND_REASSIGN)->epoch, 5);
    scene.host.tasks[0].epoch = 5;
    scene.wanted[0].epoch = 4;
    round_trip(&scene);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_REASSIGN));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    close_scene(&scene);
}

static void a_standby_is_left_before_its_task_is_assigned(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    want(&scene, 0, MR_TASK_ROLE_STANDBY, 0);
    host_open(&scene.host, GENERATION, 1, false);
    round_trip(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_FOLLOW));
    host_add(&scene.host, &scene.wanted[0], MR_TASK_STATE_FOLLOWING);
    scene.wanted[0].role = MR_TASK_ROLE_ACTIVE;
    scene.wanted[0].epoch = 4;
    round_trip(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_LEAVE));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    host_remove(&scene.host, 0);
    tick(&scene, 1);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    close_scene(&scene);
}

static void an_active_task_becomes_a_standby_after_it_is_forgotten(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    scene.wanted[0].role = MR_TASK_ROLE_STANDBY;
    scene.wanted[0].epoch = 0;
    round_trip(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    round_trip(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_FORGET));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_FOLLOW));
    host_remove(&scene.host, 0);
    tick(&scene, 1);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_FOLLOW));
    close_scene(&scene);
}

static void another_version_starts_when_the_old_one_is_gone(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    scene.wanted[0].version = 2;
    scene.wanted[0].epoch = 2;
    host_open(&scene.host, GENERATION, 2, false);
    round_trip(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    host_remove(&scene.host, 0);
    tick(&scene, 1);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    assert_int_equal(find_command(&scene, MR_AGENT_COMMAND_CLOSE)->version, 1);
    close_scene(&scene);
}

static void a_refused_version_is_reported_and_gets_no_task(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    want(&scene, 0, MR_TASK_ROLE_ACTIVE, 1);
    host_open(&scene.host, GENERATION, 1, true);
    round_trip(&scene);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    tick(&scene, MR_AGENT_GAP_MS);
    const struct mr_agent_command *send = find_command(&scene, MR_AGENT_COMMAND_SEND);
    assert_int_equal(send->request.kind, MR_REQUEST_SYNC);
    assert_true(send->request.sync.topologies[0].refused);
    scene.wanted_count = 0;
    answer(&scene);
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    close_scene(&scene);
}

static void a_name_that_is_wanted_twice_is_assigned_once(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    host_open(&scene.host, GENERATION, 1, false);
    want(&scene, 0, MR_TASK_ROLE_STANDBY, 0);
    want(&scene, 0, MR_TASK_ROLE_ACTIVE, 1);
    round_trip(&scene);
    assert_int_equal(count_commands(&scene, MR_AGENT_COMMAND_ASSIGN), 1);
    assert_int_equal(count_commands(&scene, MR_AGENT_COMMAND_FOLLOW), 0);
    close_scene(&scene);
}

static void pauses_are_said_once_and_lifted(void **state)
{
    (void)state;
    static const char *const sources[] = {"readings"};
    struct scene scene;
    open_running(&scene);
    scene.paused = sources;
    scene.paused_count = 1;
    round_trip(&scene);
    const struct mr_agent_command *pause = find_command(&scene, MR_AGENT_COMMAND_PAUSE);
    assert_non_null(pause);
    assert_int_equal(pause->sources_count, 1);
    assert_string_equal(pause->sources[0], "readings");
    round_trip(&scene);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_PAUSE));
    scene.paused_count = 0;
    round_trip(&scene);
    pause = find_command(&scene, MR_AGENT_COMMAND_PAUSE);
    assert_non_null(pause);
    assert_int_equal(pause->sources_count, 0);
    close_scene(&scene);
}

static void questions_go_back_with_the_answer_of_their_request(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    scene.host.questions = 5;
    tick(&scene, MR_AGENT_GAP_MS);
    scene.host.questions = 9; /* asked after the request was built */
    answer(&scene);
    assert_int_equal(find_command(&scene, MR_AGENT_COMMAND_ANSWERED)->questions, 5);
    scene.wanted_count = 0;
    round_trip(&scene);
    /* What the answer wants is said before the question counts as answered. */
    assert_int_equal(scene.commands.items[0].kind, MR_AGENT_COMMAND_REVOKE);
    assert_int_equal(scene.commands.items[1].kind, MR_AGENT_COMMAND_ANSWERED);
    assert_int_equal(scene.commands.items[1].questions, 9);
    close_scene(&scene);
}

static void a_changed_task_is_told_soon_but_not_too_often(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    tick(&scene, MR_AGENT_GAP_MS);
    uint64_t before = scene.sequence;
    tick(&scene, 100);
    assert_int_equal(scene.sequence, before); /* long poll: nothing new, nothing sent */
    scene.host.tasks[0].state = MR_TASK_STATE_FENCED;
    tick(&scene, 1);
    assert_int_equal(scene.sequence, before + 1);
    scene.host.tasks[0].state = MR_TASK_STATE_CLAIMING;
    tick(&scene, MR_AGENT_GAP_MS - 1);
    assert_int_equal(scene.sequence, before + 1);
    tick(&scene, 3 * MR_AGENT_GAP_MS);
    assert_int_equal(scene.sequence, before + 2);
    close_scene(&scene);
}

/* A state that changes all the time must not keep every answer from being the newest one's. */
static void constant_change_leaves_time_for_an_answer(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    uint64_t sent_ms = 0;
    uint64_t longest_ms = 0;
    for (int round = 0; round < 200; round++) {
        scene.host.tasks[0].seen_epoch++;
        uint64_t before = scene.sequence;
        tick(&scene, 10);
        if (scene.sequence == before)
            continue;
        longest_ms = scene.now_ms - sent_ms > longest_ms && sent_ms > 0 ? scene.now_ms - sent_ms
                                                                        : longest_ms;
        sent_ms = scene.now_ms;
    }
    assert_in_range(longest_ms, MR_AGENT_GAP_MS_MAX, 2 * MR_AGENT_GAP_MS_MAX);
    close_scene(&scene);
}

static void the_named_leader_is_asked_then_the_list(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    tick(&scene, 0);
    refuse(&scene, 4, "tcp://c:1");
    tick(&scene, MR_AGENT_GAP_MS);
    assert_string_equal(scene.address, "tcp://c:1"); /* at once: the first redirection */
    step(&scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_BROKEN});
    assert_null(find_command(&scene, MR_AGENT_COMMAND_SEND));
    tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    assert_string_equal(scene.address, "tcp://b:1");
    refuse(&scene, 4, "");
    tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    assert_string_equal(scene.address, "tcp://a:1");
    /* Term 4 was named: an answer of term 3 does not count any more. */
    answer_as(&scene, 3, scene.sequence);
    assert_false(mr_agent_contact(scene.agent, scene.now_ms).answered);
    tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    answer_as(&scene, 4, scene.sequence);
    assert_true(mr_agent_contact(scene.agent, scene.now_ms).answered);
    close_scene(&scene);
}

/* A follower names the leader that has died, again and again; that one answers nobody. Whoever asks
 * it must be back within the two seconds that a new leader waits for its workers. */
static void a_leader_that_died_is_asked_once_between_two_followers_words(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    uint64_t asked_ms = 0;
    for (uint32_t at = 0; at < 20000; at += 10) {
        tick(&scene, 10);
        if (find_command(&scene, MR_AGENT_COMMAND_SEND) == NULL ||
            strcmp(scene.address, "tcp://b:1") != 0)
            continue;
        if (asked_ms > 0)
            assert_in_range(scene.now_ms - asked_ms, 1,
                            MR_AGENT_RESEND_MS + MR_AGENT_BACK_OFF_MS_MAX + 50);
        asked_ms = scene.now_ms;
        refuse(&scene, 4, "tcp://a:1");
    }
    assert_true(asked_ms > 18000);
    /* News of another leader is followed at once. */
    while (strcmp(scene.address, "tcp://b:1") != 0 ||
           find_command(&scene, MR_AGENT_COMMAND_SEND) == NULL)
        tick(&scene, 10);
    refuse(&scene, 5, "tcp://c:1");
    tick(&scene, MR_AGENT_GAP_MS);
    assert_string_equal(scene.address, "tcp://c:1");
    close_scene(&scene);
}

/* Two that do not lead and name each other must not keep the third from being asked. */
static void who_was_named_names_nobody(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    tick(&scene, 0);
    refuse(&scene, 4, "tcp://c:1");
    tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    assert_string_equal(scene.address, "tcp://c:1");
    refuse(&scene, 4, "tcp://a:1");
    tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    assert_string_equal(scene.address, "tcp://b:1");
    close_scene(&scene);
}

static void failures_back_off_up_to_a_second(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    uint64_t last_ms = 0;
    for (int failure = 0; failure < 40; failure++) {
        uint64_t before = scene.sequence;
        do
            tick(&scene, 1);
        while (scene.sequence == before);
        if (failure > 6)
            assert_in_range(scene.now_ms - last_ms, MR_AGENT_BACK_OFF_MS_MAX / 2,
                            MR_AGENT_BACK_OFF_MS_MAX + 1);
        last_ms = scene.now_ms;
        refuse(&scene, 0, "");
    }
    close_scene(&scene);
}

static void an_answer_that_does_not_come_is_asked_for_elsewhere(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, false);
    tick(&scene, 0);
    assert_string_equal(scene.address, "tcp://a:1");
    tick(&scene, MR_AGENT_RESEND_MS - 1);
    assert_int_equal(scene.sequence, 1);
    tick(&scene, 1);
    assert_int_equal(scene.sequence, 2);
    assert_string_equal(scene.address, "tcp://b:1");
    close_scene(&scene);
}

static void leaving_releases_says_so_and_exits(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    struct mr_assigned_task standby = *want(&scene, 1, MR_TASK_ROLE_STANDBY, 0);
    host_add(&scene.host, &standby, MR_TASK_STATE_FOLLOWING);
    tick(&scene, MR_AGENT_GAP_MS);
    uint64_t before = scene.sequence;
    scene.now_ms += MR_AGENT_GAP_MS;
    step(&scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_LEAVE, .deadline_ms = 30000});
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_non_null(find_command(&scene, MR_AGENT_COMMAND_LEAVE));
    const struct mr_agent_command *send = find_command(&scene, MR_AGENT_COMMAND_SEND);
    assert_non_null(send);
    assert_int_equal(send->request.sync.leaving, MR_LEAVING_RESTART);
    assert_int_equal(scene.sequence, before + 1);
    answer(&scene); /* still wants both: nothing of it is heeded any more */
    assert_null(find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    host_remove(&scene.host, 1);
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    tick(&scene, MR_AGENT_GAP_MS);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_EXIT));
    assert_null(find_command(&scene, MR_AGENT_COMMAND_REASSIGN));
    answer(&scene);
    const struct mr_agent_command *leave = find_command(&scene, MR_AGENT_COMMAND_EXIT);
    assert_non_null(leave);
    assert_false(leave->unfinished);
    tick(&scene, 1000);
    assert_int_equal(scene.commands.items_count, 0);
    close_scene(&scene);
}

static void leaving_ends_without_a_coordinator_and_at_the_deadline(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    struct mr_agent_event leave = {.kind = MR_AGENT_EVENT_LEAVE, .deadline_ms = 30000};
    step(&scene, &leave);
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    tick(&scene, 100);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_EXIT));
    tick(&scene, MR_AGENT_FAREWELL_MS);
    assert_false(find_command(&scene, MR_AGENT_COMMAND_EXIT)->unfinished);
    close_scene(&scene);
    open_running(&scene);
    step(&scene, &leave);
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASING;
    tick(&scene, 29000);
    assert_null(find_command(&scene, MR_AGENT_COMMAND_EXIT));
    tick(&scene, 1000);
    assert_true(find_command(&scene, MR_AGENT_COMMAND_EXIT)->unfinished);
    close_scene(&scene);
}

static void a_drained_worker_stays_unless_it_is_told_to_go(void **state)
{
    (void)state;
    for (int exits = 0; exits < 2; exits++) {
        struct scene scene;
        open_scene(&scene, exits == 1);
        tick(&scene, 0);
        struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_SYNC};
        reply.sync = (struct mr_sync_reply){
            .term = 3, .instance = 42, .sequence = scene.sequence, .leaves = true};
        give(&scene, &reply);
        assert_int_equal(find_command(&scene, MR_AGENT_COMMAND_EXIT) != NULL, exits);
        close_scene(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_at_once_and_opens_before_it_assigns),
        cmocka_unit_test(a_lower_term_and_an_old_sequence_do_not_count),
        cmocka_unit_test(silence_changes_nothing),
        cmocka_unit_test(released_is_said_and_answered_before_it_is_forgotten),
        cmocka_unit_test(a_released_task_that_is_wanted_again_runs_again),
        cmocka_unit_test(a_higher_epoch_reassigns_and_a_lower_one_does_not),
        cmocka_unit_test(a_standby_is_left_before_its_task_is_assigned),
        cmocka_unit_test(an_active_task_becomes_a_standby_after_it_is_forgotten),
        cmocka_unit_test(another_version_starts_when_the_old_one_is_gone),
        cmocka_unit_test(a_refused_version_is_reported_and_gets_no_task),
        cmocka_unit_test(a_name_that_is_wanted_twice_is_assigned_once),
        cmocka_unit_test(pauses_are_said_once_and_lifted),
        cmocka_unit_test(questions_go_back_with_the_answer_of_their_request),
        cmocka_unit_test(a_changed_task_is_told_soon_but_not_too_often),
        cmocka_unit_test(constant_change_leaves_time_for_an_answer),
        cmocka_unit_test(the_named_leader_is_asked_then_the_list),
        cmocka_unit_test(a_leader_that_died_is_asked_once_between_two_followers_words),
        cmocka_unit_test(who_was_named_names_nobody),
        cmocka_unit_test(failures_back_off_up_to_a_second),
        cmocka_unit_test(an_answer_that_does_not_come_is_asked_for_elsewhere),
        cmocka_unit_test(leaving_releases_says_so_and_exits),
        cmocka_unit_test(leaving_ends_without_a_coordinator_and_at_the_deadline),
        cmocka_unit_test(a_drained_worker_stays_unless_it_is_told_to_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
