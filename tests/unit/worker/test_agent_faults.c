/* The agent under a bad network: answers are lost, repeated, late and out of order, several leaders
 * answer with terms of their own, and the host takes its time or fails a task. Every command is
 * held against what the last answer that counts wants, and when the faults stop the host has just
 * that.
 */
#include "base/random.h"
#include "worker/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAMES_MAX = 12, /* two subtopologies of six partitions */
    VERSIONS = 2,
    LETTERS_MAX = 64,
    FAULTY_STEPS = 3000,
    CALM_STEPS = 1500,
    SEEDS = 300,
    GENERATION = 9
};

static const char *const subtopologies[] = {"score", "tally"};

/* What may be said of a name: whether, as what, at which version and epoch. */
struct wish {
    bool wanted;
    enum mr_task_role role;
    uint32_t version;
    uint64_t epoch;
};

/* An answer on its way. */
struct letter {
    enum mr_reply_kind kind;
    uint64_t term;
    uint64_t sequence;
    uint32_t version; /* TOPOLOGY */
    bool broken;
    struct wish wishes[NAMES_MAX];
};

struct world {
    struct mr_random random;
    struct mr_agent *agent;
    uint64_t now_ms;
    bool calm;
    /* Coordinators: the highest term is the true leader's. */
    uint64_t term;
    struct wish wishes[NAMES_MAX];
    uint64_t epochs[NAMES_MAX]; /* the highest that was given */
    struct letter letters[LETTERS_MAX];
    uint32_t letters_count;
    /* What the agent should go by. */
    uint64_t sequence; /* of the newest Sync */
    uint64_t term_seen;
    bool heard;
    uint64_t heard_sequence;
    struct wish heeded[NAMES_MAX];
    bool said_released[NAMES_MAX];
    bool answered_released[NAMES_MAX];
    uint64_t questions_sent;
    /* Host. */
    struct mr_task_report tasks[NAMES_MAX];
    uint32_t tasks_count;
    struct mr_topology_report topologies[VERSIONS];
    uint32_t topologies_count;
    uint64_t questions;
    uint64_t answered;
    bool gone[NAMES_MAX]; /* by place in tasks: to be removed after the step */
    uint32_t assigned_count;
};

static bool chance(struct world *world, uint32_t percent)
{
    return mr_random_below(&world->random, 100) < percent;
}

static struct mr_task_name name_at(uint32_t index)
{
    return (struct mr_task_name){.generation = GENERATION,
                                 .subtopology = subtopologies[index / 6],
                                 .partition = (int32_t)(index % 6)};
}

static uint32_t index_at(const struct mr_task_name *name)
{
    return (strcmp(name->subtopology, subtopologies[0]) == 0 ? 0 : 6) + (uint32_t)name->partition;
}

/* ---- Coordinators ---- */

static void change_mind(struct world *world)
{
    uint32_t index = (uint32_t)mr_random_below(&world->random, NAMES_MAX);
    struct wish *wish = &world->wishes[index];
    wish->wanted = chance(world, 70);
    wish->role = chance(world, 65) ? MR_TASK_ROLE_ACTIVE : MR_TASK_ROLE_STANDBY;
    wish->version = 1 + (uint32_t)mr_random_below(&world->random, VERSIONS);
    wish->epoch = wish->role == MR_TASK_ROLE_ACTIVE ? ++world->epochs[index] : 0;
}

static void post(struct world *world, const struct letter *letter)
{
    if (world->letters_count == LETTERS_MAX || (!world->calm && chance(world, 20)))
        return;
    world->letters[world->letters_count++] = *letter;
    if (!world->calm && chance(world, 15) && world->letters_count < LETTERS_MAX)
        world->letters[world->letters_count++] = *letter;
}

static void serve(struct world *world, const struct mr_request *request)
{
    struct letter letter = {.term = world->term};
    if (!world->calm && chance(world, 10) && world->term > 1)
        letter.term = world->term - 1; /* an old leader that does not know it */
    if (!world->calm && chance(world, 8))
        letter.kind = MR_REPLY_REFUSED;
    else if (!world->calm && chance(world, 4))
        letter.broken = true;
    else if (request->kind == MR_REQUEST_TOPOLOGY) {
        letter.kind = MR_REPLY_TOPOLOGY;
        letter.version = request->topology.version;
    } else {
        letter.kind = MR_REPLY_SYNC;
        letter.sequence = request->sync.sequence;
        memcpy(letter.wishes, world->wishes, sizeof(letter.wishes));
        if (letter.term < world->term) /* what it wants is nobody's business */
            for (uint32_t index = 0; index < NAMES_MAX; index++)
                letter.wishes[index].wanted = chance(world, 50);
    }
    post(world, &letter);
}

/* ---- Host ---- */

static struct mr_topology_report *host_version(struct world *world, uint32_t version)
{
    for (uint32_t index = 0; index < world->topologies_count; index++)
        if (world->topologies[index].version == version)
            return &world->topologies[index];
    return NULL;
}

static void advance(struct world *world, struct mr_task_report *task)
{
    switch (task->state) {
    case MR_TASK_STATE_WAITING:
    case MR_TASK_STATE_CLAIMING:
        task->state = MR_TASK_STATE_RESTORING;
        break;
    case MR_TASK_STATE_RESTORING:
        task->state = MR_TASK_STATE_RUNNING;
        break;
    case MR_TASK_STATE_RELEASING:
        task->state = MR_TASK_STATE_RELEASED;
        break;
    case MR_TASK_STATE_RUNNING:
        if (!world->calm && chance(world, 5)) {
            task->state = MR_TASK_STATE_FENCED;
            world->questions++;
        } else if (!world->calm && chance(world, 2)) {
            task->state = MR_TASK_STATE_FAILED;
        }
        break;
    case MR_TASK_STATE_FENCED:
        if (world->answered >= world->questions)
            task->state = MR_TASK_STATE_CLAIMING;
        break;
    case MR_TASK_STATE_FAILED:
    case MR_TASK_STATE_RELEASED:
    case MR_TASK_STATE_FOLLOWING:
    case MR_TASK_STATE_COUNT:
        break;
    }
}

static bool host_has(const struct world *world, uint32_t name)
{
    for (uint32_t index = 0; index < world->tasks_count; index++)
        if (index_at(&world->tasks[index].name) == name)
            return true;
    return false;
}

static void host_add(struct world *world, const struct mr_assigned_task *task)
{
    uint32_t name = index_at(&task->name);
    const struct wish *wish = &world->heeded[name];
    const struct mr_topology_report *version = host_version(world, task->version);
    assert_true(world->heard && wish->wanted);
    assert_int_equal(wish->role, task->role);
    assert_int_equal(wish->version, task->version);
    assert_int_equal(wish->epoch, task->epoch);
    assert_non_null(version);
    assert_false(version->refused);
    assert_false(host_has(world, name)); /* rule 3 */
    assert_in_range(world->tasks_count, 0, NAMES_MAX - 1);
    world->assigned_count++;
    world->tasks[world->tasks_count++] = (struct mr_task_report){
        .name = name_at(name),
        .role = task->role,
        .version = task->version,
        .epoch = task->epoch,
        .state =
            task->role == MR_TASK_ROLE_ACTIVE ? MR_TASK_STATE_WAITING : MR_TASK_STATE_FOLLOWING,
        .error = ""};
}

static bool should_stay(const struct world *world, const struct mr_task_report *task)
{
    const struct wish *wish = &world->heeded[index_at(&task->name)];
    return wish->wanted && wish->role == task->role && wish->version == task->version;
}

static void obey_task(struct world *world, const struct mr_agent_command *command)
{
    assert_in_range(command->index, 0, world->tasks_count - 1);
    struct mr_task_report *task = &world->tasks[command->index];
    uint32_t name = index_at(&task->name);
    assert_true(world->heard);
    switch ((int)command->kind) {
    case MR_AGENT_COMMAND_REASSIGN:
        assert_true(should_stay(world, task));
        assert_int_equal(command->epoch, world->heeded[name].epoch);
        assert_true(command->epoch >= task->epoch);
        task->epoch = command->epoch;
        task->state = MR_TASK_STATE_CLAIMING;
        break;
    case MR_AGENT_COMMAND_REVOKE:
        assert_false(should_stay(world, task));
        assert_int_equal(task->role, MR_TASK_ROLE_ACTIVE);
        task->state = MR_TASK_STATE_RELEASING;
        break;
    case MR_AGENT_COMMAND_FORGET:
        assert_false(should_stay(world, task));
        assert_int_equal(task->state, MR_TASK_STATE_RELEASED);
        assert_true(world->answered_released[name]); /* rule 4 */
        world->gone[command->index] = chance(world, 50);
        break;
    default:
        assert_int_equal(command->kind, MR_AGENT_COMMAND_LEAVE);
        assert_false(should_stay(world, task));
        assert_int_equal(task->role, MR_TASK_ROLE_STANDBY);
        world->gone[command->index] = chance(world, 50);
        break;
    }
}

static void host_open(struct world *world, const struct mr_topology_reply *topology)
{
    assert_null(host_version(world, topology->version));
    assert_in_range(world->topologies_count, 0, VERSIONS - 1);
    world->topologies[world->topologies_count++] = (struct mr_topology_report){
        .generation = topology->generation, .version = topology->version, .error = ""};
}

static void host_close(struct world *world, uint32_t version)
{
    struct mr_topology_report *closed = host_version(world, version);
    assert_non_null(closed);
    for (uint32_t index = 0; index < world->tasks_count; index++)
        assert_int_not_equal(world->tasks[index].version, version);
    if (chance(world, 50))
        *closed = world->topologies[--world->topologies_count];
}

static void obey_send(struct world *world, const struct mr_request *request)
{
    if (request->kind == MR_REQUEST_SYNC) {
        assert_true(request->sync.sequence > world->sequence);
        assert_int_equal(request->sync.term, world->term_seen);
        world->sequence = request->sync.sequence;
        world->questions_sent = world->questions;
        memset(world->said_released, 0, sizeof(world->said_released));
        for (uint32_t index = 0; index < request->sync.tasks_count; index++)
            if (request->sync.tasks[index].state == MR_TASK_STATE_RELEASED)
                world->said_released[index_at(&request->sync.tasks[index].name)] = true;
    }
    serve(world, request);
}

static void obey(struct world *world, const struct mr_agent_command *command)
{
    switch (command->kind) {
    case MR_AGENT_COMMAND_SEND:
        obey_send(world, &command->request);
        break;
    case MR_AGENT_COMMAND_OPEN:
        host_open(world, command->topology);
        break;
    case MR_AGENT_COMMAND_CLOSE:
        host_close(world, command->version);
        break;
    case MR_AGENT_COMMAND_ASSIGN:
    case MR_AGENT_COMMAND_FOLLOW:
        host_add(world, command->task);
        break;
    case MR_AGENT_COMMAND_REASSIGN:
    case MR_AGENT_COMMAND_REVOKE:
    case MR_AGENT_COMMAND_FORGET:
    case MR_AGENT_COMMAND_LEAVE:
        obey_task(world, command);
        break;
    case MR_AGENT_COMMAND_ANSWERED:
        assert_int_equal(command->questions, world->questions_sent); /* rule 5 */
        world->answered = command->questions;
        break;
    case MR_AGENT_COMMAND_PAUSE:
    case MR_AGENT_COMMAND_SAY:
        break;
    case MR_AGENT_COMMAND_EXIT:
        fail_msg("nobody told it to go");
        break;
    }
}

/* ---- Steps ---- */

static void run_step(struct world *world, const struct mr_agent_event *event)
{
    struct mr_task_report seen[NAMES_MAX];
    struct mr_topology_report topologies[VERSIONS];
    memcpy(seen, world->tasks, sizeof(seen));
    memcpy(topologies, world->topologies, sizeof(topologies));
    struct mr_agent_host host = {.tasks = seen,
                                 .tasks_count = world->tasks_count,
                                 .topologies = topologies,
                                 .topologies_count = world->topologies_count,
                                 .questions = world->questions};
    struct mr_agent_commands commands = mr_agent_step(world->agent, event, &host, world->now_ms);
    memset(world->gone, 0, sizeof(world->gone));
    for (uint32_t index = 0; index < commands.items_count; index++)
        obey(world, &commands.items[index]);
    for (uint32_t index = NAMES_MAX; index-- > 0;)
        if (world->gone[index])
            world->tasks[index] = world->tasks[--world->tasks_count];
}

/* The test's own view of which answers count. */
static void note(struct world *world, const struct letter *letter)
{
    if (letter->kind == MR_REPLY_SYNC &&
        (letter->sequence != world->sequence || letter->sequence == world->heard_sequence))
        return;
    if (letter->term < world->term_seen)
        return;
    world->term_seen = letter->term;
    if (letter->kind != MR_REPLY_SYNC)
        return;
    world->heard = true;
    world->heard_sequence = letter->sequence;
    memcpy(world->heeded, letter->wishes, sizeof(world->heeded));
    memcpy(world->answered_released, world->said_released, sizeof(world->said_released));
}

static void read_letter(struct world *world, const struct letter *letter)
{
    struct mr_assigned_task tasks[NAMES_MAX];
    struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = letter->kind};
    uint32_t count = 0;
    if (letter->kind == MR_REPLY_SYNC) {
        for (uint32_t index = NAMES_MAX; index-- > 0;)
            if (letter->wishes[index].wanted)
                tasks[count++] = (struct mr_assigned_task){.name = name_at(index),
                                                           .role = letter->wishes[index].role,
                                                           .version = letter->wishes[index].version,
                                                           .epoch = letter->wishes[index].epoch};
        reply.sync = (struct mr_sync_reply){.term = letter->term,
                                            .instance = 1,
                                            .sequence = letter->sequence,
                                            .tasks = tasks,
                                            .tasks_count = count};
    } else if (letter->kind == MR_REPLY_TOPOLOGY) {
        reply.topology = (struct mr_topology_reply){.term = letter->term,
                                                    .found = world->calm || chance(world, 80),
                                                    .name = "t",
                                                    .generation = GENERATION,
                                                    .version = letter->version};
    } else {
        reply.refused = (struct mr_refused_reply){.term = letter->term,
                                                  .refusal = MR_REFUSAL_NOT_LEADER,
                                                  .leader = "tcp://c:1",
                                                  .text = ""};
    }
    run_step(world, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_REPLY, .reply = &reply});
}

/* A refusal counts only while something is under way, which the test does not follow: its term is
 * taken from the agent. */
static void deliver(struct world *world)
{
    uint32_t place =
        world->calm ? 0 : (uint32_t)mr_random_below(&world->random, world->letters_count);
    struct letter letter = world->letters[place];
    world->letters_count--;
    memmove(&world->letters[place], &world->letters[place + 1],
            (world->letters_count - place) * sizeof(letter));
    if (letter.broken) {
        run_step(world, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_BROKEN});
        return;
    }
    if (letter.kind == MR_REPLY_REFUSED)
        letter.term = letter.term < world->term_seen ? letter.term : world->term_seen;
    note(world, &letter);
    read_letter(world, &letter);
}

static void turn(struct world *world)
{
    world->now_ms += 1 + mr_random_below(&world->random, 30);
    if (!world->calm && chance(world, 10))
        change_mind(world);
    if (!world->calm && chance(world, 1))
        world->term++;
    for (uint32_t index = 0; index < world->tasks_count; index++)
        if (chance(world, 30))
            advance(world, &world->tasks[index]);
    if (world->letters_count > 0 && chance(world, 60))
        deliver(world);
    else
        run_step(world, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_TICK});
}

static void check_converged(const struct world *world)
{
    uint32_t wanted_count = 0;
    for (uint32_t index = 0; index < NAMES_MAX; index++)
        wanted_count += world->wishes[index].wanted;
    assert_int_equal(world->tasks_count, wanted_count);
    for (uint32_t index = 0; index < world->tasks_count; index++) {
        const struct mr_task_report *task = &world->tasks[index];
        const struct wish *wish = &world->wishes[index_at(&task->name)];
        assert_true(wish->wanted);
        assert_int_equal(wish->role, task->role);
        assert_int_equal(wish->version, task->version);
        assert_int_equal(wish->epoch, task->epoch);
        if (task->role == MR_TASK_ROLE_ACTIVE && task->state != MR_TASK_STATE_FAILED)
            assert_int_equal(task->state, MR_TASK_STATE_RUNNING);
    }
}

static void run_seed(uint64_t seed)
{
    static const char *const addresses[] = {"tcp://a:1", "tcp://b:1"};
    static struct world world;
    struct mr_agent_options options = {.cluster = "c",
                                       .worker = "w",
                                       .instance = 1,
                                       .zone = "",
                                       .http = "",
                                       .build = "",
                                       .threads_count = 1,
                                       .addresses = addresses,
                                       .addresses_count = 2,
                                       .seed = seed};
    world = (struct world){.term = 1};
    mr_random_init(&world.random, seed, 1);
    for (uint32_t index = 0; index < NAMES_MAX; index++)
        world.wishes[index].version = 1;
    world.agent = mr_agent_create(&options);
    for (uint32_t step = 0; step < FAULTY_STEPS; step++)
        turn(&world);
    assert_true(world.assigned_count > 0);
    world.calm = true;
    for (uint32_t step = 0; step < CALM_STEPS; step++)
        turn(&world);
    check_converged(&world);
    mr_agent_destroy(world.agent);
}

static void any_network_converges_and_no_rule_is_broken(void **state)
{
    (void)state;
    const char *given = getenv("MILLRACE_SEED");
    if (given != NULL) {
        run_seed(strtoull(given, NULL, 10));
        return;
    }
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        print_message("seed %llu\r", (unsigned long long)seed);
        run_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_network_converges_and_no_rule_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
