/* tests/sim/scale.c — the large cluster's run: its phases, its faults, its figures.
 * Design: a clock event every 50 virtual milliseconds looks how many tasks are owned and whether
 * the phase is over. The core's steps are measured by --wrap, in CPU time of the thread that runs
 * everything; heaps by memory.c; messages by network.c. What is checked: no task stops without a
 * fault, the leader's death stops none, everything runs again within the bound, and the bounds of
 * scale.h on steps and heaps. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "coordinator/core.h"
#include "coordinator/server.h"
#include "tests/sim/disk.h"
#include "tests/sim/kafka.h"
#include "tests/sim/network.h"
#include "tests/sim/scale_internal.h"
#include "tests/sim/workload.h"
#include "worker/agent_loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    COORDINATORS = 2,
    LOOK_MS = 50,
    LEAVE_MS = 8000,
    GRACE_MS = 4000,
    MOVES_MAX = 8,      /* tasks that stop at a time to be moved: the core's default */
    STABLE_MS = 3000,   /* all tasks run and none has moved for so long: balanced */
    CALM_MS = 6000,     /* how long messages are counted, and a leader is missed */
    RETURN_MS = 10000,  /* how long the lost come back */
    FAULTS_MS = 15000,  /* how long there are faults */
    WORKERS_MS = 5000,  /* all workers are there before anything is submitted */
    START_MS = 120000,  /* bound of the start */
    BALANCE_MS = 240000 /* bound of coming to rest after the start */
};

enum phase { STARTING, SETTLING, CALM, LOSS, RETURNING, LEADERLESS, FAULTS, HEALING, PHASES };

static const char *const phase_names[PHASES] = {"start",  "settle", "calm",   "loss of a tenth",
                                                "return", "leader", "faults", "heal"};

struct figures { /* of a phase */
    double seconds;
    uint64_t step_ns_max;
    uint64_t steps_ns;
    uint64_t requests_count;
    uint64_t replies_count;
    uint64_t bytes_count;
    uint64_t decided_count;     /* tasks' records */
    uint32_t decided_count_max; /* of a step */
    uint32_t owned_min;
};

struct member {
    struct sim_process *process;
    char listen[32]; /* of a coordinator */
    bool leave;
};

static struct {
    struct sim_scale scale;
    struct member *workers;
    struct member coordinators[COORDINATORS];
    const char *addresses[COORDINATORS];
    struct sim_process *leader;
    char *definitions[SIM_SCALE_TOPOLOGIES_MAX];
    uint32_t topologies_count;
    uint32_t submitted_count;
    bool asking;
    uint64_t asked; /* number of the request under way */
    enum phase phase;
    uint64_t phase_ns; /* since when */
    uint64_t quiet_ns; /* since when all is owned and nothing was decided */
    uint32_t owned;
    uint32_t seen; /* tasks that have run since the phase began */
    bool mourning; /* those that end stay away */
    bool print;
    struct figures figures[PHASES];
} run;

/* ---- The core's steps ---- */

struct mr_core_commands __real_mr_core_step(struct mr_core *core, const struct mr_core_event *event,
                                            uint64_t now_ms);
struct mr_core_commands __wrap_mr_core_step(struct mr_core *core, const struct mr_core_event *event,
                                            uint64_t now_ms);
int __real_clock_gettime(clockid_t clock, struct timespec *now);

static uint64_t cpu_ns(void)
{
    struct timespec now;
    (void)__real_clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note_step(const struct mr_core_commands *commands, uint64_t step_ns)
{
    struct figures *figures = &run.figures[run.phase];
    uint32_t decided = 0;
    for (uint32_t index = 0; index < commands->items_count; index++)
        if (commands->items[index].kind == MR_COMMAND_WRITE)
            decided += commands->items[index].records_count;
    figures->steps_ns += step_ns;
    figures->decided_count += decided;
    if (decided > 0)
        run.quiet_ns = sim_now_ns();
    if (decided > figures->decided_count_max)
        figures->decided_count_max = decided;
    if (step_ns > figures->step_ns_max)
        figures->step_ns_max = step_ns;
}

struct mr_core_commands __wrap_mr_core_step(struct mr_core *core, const struct mr_core_event *event,
                                            uint64_t now_ms)
{
    if (run.workers == NULL)
        return __real_mr_core_step(core, event, now_ms);
    uint64_t start_ns = cpu_ns();
    struct mr_core_commands commands = __real_mr_core_step(core, event, now_ms);
    note_step(&commands, cpu_ns() - start_ns);
    if (mr_core_leads(core))
        run.leader = sim_process_current();
    return commands;
}

/* ---- Processes ---- */

static void *coordinator_main(void *argument)
{
    struct member *self = argument;
    struct mr_coordinator *running = NULL;
    struct mr_error error;
    struct mr_log *log = kafka_log_create();
    const struct mr_coordinator_options options = {.cluster = "sim",
                                                   .log = log,
                                                   .transport = sim_transport_create(),
                                                   .catalogue = sim_workload_catalogue(),
                                                   .listen = self->listen,
                                                   .http = "user:0",
                                                   .grace_ms = GRACE_MS};
    while (mr_coordinator_start(&options, &running, &error) != MR_OK) {
        if (error.recovery != MR_RECOVERY_RETRY)
            sim_violation("%s does not start: %s", self->process->name, error.message);
        mr_clock_sleep_ms(500);
    }
    struct sim_queue never = {0};
    (void)sim_wait(&never, UINT64_MAX);
    return NULL;
}

static void *worker_main(void *argument)
{
    struct member *self = argument;
    struct mr_agent_loop *loop;
    struct mr_error error;
    bool leaving = false;
    const struct mr_agent_loop_open open = {.agent = {.cluster = "sim",
                                                      .worker = self->process->name,
                                                      .instance = mr_random_fresh_id(),
                                                      .zone = "",
                                                      .http = "",
                                                      .build = "simulated",
                                                      .threads_count = 2,
                                                      .addresses = run.addresses,
                                                      .addresses_count = COORDINATORS,
                                                      .seed = mr_random_fresh_id()},
                                            .host = sim_scale_host_create(),
                                            .transport = sim_transport_create()};
    enum mr_status status = mr_agent_loop_create(&open, &loop, &error);
    MR_ASSERT(status == MR_OK);
    do {
        if (self->leave && !leaving)
            mr_agent_loop_leave(loop, LEAVE_MS, LEAVE_MS);
        leaving = self->leave;
    } while (mr_agent_loop_turn(loop) == MR_AGENT_LOOP_GOES_ON);
    mr_agent_loop_destroy(loop);
    return NULL;
}

static void start(void *argument, uint64_t token)
{
    struct member *member = argument;
    MR_UNUSED(token);
    if (member->process->alive)
        return;
    member->leave = false;
    sim_process_start(member->process, member->listen[0] == '\0' ? worker_main : coordinator_main,
                      member);
}

static void process_ended(struct sim_process *process)
{
    kafka_process_ended(process);
    sim_network_process_ended(process);
    sim_http_process_ended(process);
    if (process == run.leader)
        run.leader = NULL;
    if (!run.mourning)
        sim_after(sim_between(50 * SIM_MS, 6 * SIM_SECOND), NULL, start, process->user, 0);
}

static void resume(void *argument, uint64_t token)
{
    MR_UNUSED(token);
    sim_process_resume(argument);
}

/* ---- The user ---- */

static void answered(void *argument, int code, struct mr_slice body)
{
    MR_UNUSED(argument);
    run.asking = false;
    if (code == 400 || code == 422)
        sim_violation("the user was refused with %d: %.*s", code, (int)body.size,
                      (const char *)body.data);
    run.submitted_count += code >= 200 && code < 300;
}

static void submit(void)
{
    if (run.submitted_count == run.topologies_count)
        return;
    if (run.asking && sim_now_ns() < run.asked + 10 * SIM_SECOND)
        return;
    run.asking = true;
    run.asked = sim_now_ns();
    struct sim_process *asked = run.coordinators[sim_random(COORDINATORS)].process;
    if (run.leader != NULL)
        asked = run.leader;
    (void)sim_http_send(asked, "POST", "/v1/topologies", "application/yaml",
                        mr_slice_text(run.definitions[run.submitted_count]), answered, NULL);
}

/* ---- Faults ---- */

static struct member *random_worker(void)
{
    return &run.workers[sim_random(run.scale.workers_count)];
}

static void pause_process(struct sim_process *process)
{
    if (!process->alive || process->paused)
        return;
    sim_process_pause(process);
    sim_after(sim_between(100 * SIM_MS, 6 * SIM_SECOND), NULL, resume, process, 0);
}

static void cut(const struct sim_process *worker)
{
    const struct sim_process *coordinator = run.coordinators[sim_random(COORDINATORS)].process;
    uint64_t duration_ns = sim_random(5 * SIM_SECOND);
    if (sim_chance(700000))
        sim_network_cut(worker, coordinator, duration_ns);
    else
        sim_network_cut(coordinator, worker, duration_ns);
}

static void fault(void)
{
    struct member *worker = random_worker();
    uint64_t kind = sim_random(100);
    if (kind < 30)
        sim_process_kill(worker->process);
    else if (kind < 55)
        pause_process(worker->process);
    else if (kind < 75)
        worker->leave = true;
    else
        cut(worker->process);
}

static void fault_coordinator(void)
{
    struct sim_process *process = run.coordinators[sim_random(COORDINATORS)].process;
    if (sim_chance(500000))
        sim_process_kill(process);
    else
        pause_process(process);
}

/* Some faults in each look, the more the more workers there are. */
static void make_faults(void)
{
    uint64_t count = sim_random(run.scale.workers_count / 100 + 2);
    while (count-- > 0)
        fault();
    if (sim_chance(15000))
        fault_coordinator();
    if (sim_chance(15000))
        kafka_stall(sim_random(2 * SIM_SECOND));
}

static void kill_a_tenth(void)
{
    run.mourning = true;
    for (uint32_t count = run.scale.workers_count / 10; count > 0;) {
        struct sim_process *process = random_worker()->process;
        if (!process->alive)
            continue;
        sim_process_kill(process);
        count--;
    }
}

static void start_all(uint64_t within_ns)
{
    for (uint32_t index = 0; index < run.scale.workers_count; index++)
        if (!run.workers[index].process->alive)
            sim_after(sim_random(within_ns), NULL, start, &run.workers[index], 0);
    for (uint32_t index = 0; index < COORDINATORS; index++)
        if (!run.coordinators[index].process->alive)
            sim_after(sim_random(within_ns), NULL, start, &run.coordinators[index], 0);
}

static void heal(void)
{
    kafka_heal();
    sim_network_heal();
    sim_network.doubled_per_million = 0;
    for (uint32_t index = 0; index < run.scale.workers_count; index++)
        sim_process_resume(run.workers[index].process);
    for (uint32_t index = 0; index < COORDINATORS; index++)
        sim_process_resume(run.coordinators[index].process);
    start_all(SIM_SECOND);
}

/* ---- Phases ---- */

static void count_owned(bool anew)
{
    run.owned = 0;
    run.seen = 0;
    for (uint32_t index = 0; index < sim_scale_claims.generations_count; index++)
        for (uint32_t number = 0; number < SIM_SCALE_PARTITIONS; number++) {
            struct sim_scale_task *task = &sim_scale_claims.generations[index]->tasks[number];
            bool owned = sim_scale_owned(task);
            task->seen = owned || (task->seen && !anew);
            run.owned += owned;
            run.seen += task->seen;
        }
}

static void enter(enum phase phase)
{
    struct figures *ended = &run.figures[run.phase];
    ended->seconds = (double)(sim_now_ns() - run.phase_ns) / 1e9;
    ended->requests_count = sim_network.requests_count;
    ended->replies_count = sim_network.replies_count;
    ended->bytes_count = sim_network.bytes_count;
    sim_network.requests_count = 0;
    sim_network.replies_count = 0;
    sim_network.bytes_count = 0;
    sim_trace("phase %s after %.1f s", phase == PHASES ? "end" : phase_names[phase],
              ended->seconds);
    if (phase == PHASES) {
        sim_stop();
        return;
    }
    run.phase = phase;
    run.phase_ns = sim_now_ns();
    run.quiet_ns = sim_now_ns();
    count_owned(true);
    run.figures[phase].owned_min = run.owned;
    sim_scale_claims.takeovers_count = 0;
}

/* Every task has run since the phase began. Some are moved again all the time. */
static bool all_seen(void)
{
    return run.seen == run.scale.tasks_count;
}

static bool all_owned(void)
{
    return run.submitted_count == run.topologies_count && run.owned == run.scale.tasks_count;
}

static bool for_ms(uint64_t since_ns, uint64_t duration_ms)
{
    return sim_now_ns() >= since_ns + duration_ms * SIM_MS;
}

/* Without a fault nothing stops, and nobody fences an owner that lives. */
static void check_calm(uint32_t stopped_max)
{
    if (run.owned + stopped_max < run.scale.tasks_count)
        sim_violation("%s: %u of %u tasks run, and nothing has happened to the others",
                      phase_names[run.phase], run.owned, run.scale.tasks_count);
    if (sim_scale_claims.takeovers_count > 0)
        sim_violation("%s: %" PRIu64 " owners that lived were fenced", phase_names[run.phase],
                      sim_scale_claims.takeovers_count);
}

static void check_within(uint64_t bound_ms)
{
    if (for_ms(run.phase_ns, bound_ms))
        sim_violation("%s: %u of %u tasks have run after %" PRIu64 " s", phase_names[run.phase],
                      run.seen, run.scale.tasks_count, bound_ms / 1000);
}

static bool at_rest(void)
{
    check_within(BALANCE_MS);
    return all_owned() && for_ms(run.quiet_ns, STABLE_MS);
}

static void begin_faults(void)
{
    enter(FAULTS);
    sim_network.lost_per_million = 20000;
    sim_network.doubled_per_million = 20000;
}

static void go_on(void)
{
    switch (run.phase) {
    case STARTING:
        if (for_ms(run.phase_ns, WORKERS_MS))
            submit();
        check_within(START_MS);
        if (all_owned())
            enter(SETTLING);
        break;
    case SETTLING:
        if (at_rest())
            enter(CALM);
        break;
    case CALM:
        check_calm(0);
        if (!for_ms(run.phase_ns, CALM_MS))
            break;
        kill_a_tenth();
        enter(LOSS);
        break;
    case LOSS:
        check_within(SIM_SCALE_OWNED_SECONDS_MAX * 1000);
        if (!all_seen())
            break;
        enter(RETURNING);
        run.mourning = false;
        start_all(2 * SIM_SECOND);
        break;
    case RETURNING:
        if (!for_ms(run.phase_ns, RETURN_MS) || run.leader == NULL)
            break;
        enter(LEADERLESS);
        sim_process_kill(run.leader);
        break;
    case LEADERLESS:
        check_calm(2 * MOVES_MAX); /* its predecessor's moves, and its own */
        if (run.leader != NULL && for_ms(run.phase_ns, CALM_MS))
            begin_faults();
        break;
    case FAULTS:
        make_faults();
        if (!for_ms(run.phase_ns, FAULTS_MS))
            break;
        heal();
        enter(HEALING);
        break;
    case HEALING:
    case PHASES:
        check_within(SIM_SCALE_OWNED_SECONDS_MAX * 1000);
        if (all_seen())
            enter(PHASES);
        break;
    }
}

static void look(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    count_owned(false);
    if (run.owned < run.figures[run.phase].owned_min)
        run.figures[run.phase].owned_min = run.owned;
    sim_trace("%u tasks run", run.owned);
    go_on();
    sim_after(LOOK_MS * SIM_MS, NULL, look, NULL, 0);
}

/* ---- The beginning and the end ---- */

static void define(uint32_t index, int32_t partitions_count)
{
    char text[640];
    char topic[16];
    (void)snprintf(topic, sizeof topic, "in-%02u", index);
    (void)kafka_topic_make(topic, partitions_count, MR_LOG_CLEANUP_DELETE);
    (void)snprintf(text, sizeof text,
                   "apiVersion: millrace.io/v1alpha1\nkind: Topology\n"
                   "metadata: {name: flow-%02u}\nspec:\n%s  sources:\n"
                   "    - {name: readings, type: kafka, topic: %s, format: json, key: [k]}\n"
                   "  operators:\n    - {name: chart, type: detect.ewma, from: readings, key: [k],"
                   " field: value, lambda: 0.25}\n"
                   "  sinks:\n    - {name: results, type: kafka, from: chart, topic: out,"
                   " key: [k]}\n",
                   index, index % 4 == 0 ? "  standbys: 1\n" : "", topic);
    run.definitions[index] = sim_copy_text(text);
}

static void create_member(struct member *member, const char *name)
{
    member->process = sim_process_create(name);
    member->process->user = member;
}

static void create_members(void)
{
    char name[SIM_NAME_SIZE];
    for (uint32_t index = 0; index < COORDINATORS; index++) {
        struct member *member = &run.coordinators[index];
        (void)snprintf(member->listen, sizeof member->listen, "coordinator-%u", index);
        create_member(member, member->listen);
        run.addresses[index] = member->listen;
        start(member, 0);
    }
    run.workers = sim_new(run.scale.workers_count * sizeof *run.workers);
    for (uint32_t index = 0; index < run.scale.workers_count; index++) {
        (void)snprintf(name, sizeof name, "worker-%04u", index);
        create_member(&run.workers[index], name);
        sim_after(sim_random(2 * SIM_SECOND), NULL, start, &run.workers[index], 0);
    }
}

static void begin(void)
{
    kafka_begin();
    sim_disk_begin();
    sim_network_begin();
    sim_http_begin();
    sim_scale_hosts(true);
    struct sim_machine *machine = sim_machine();
    machine->sleep_min_ns = sim_between(2, 10) * SIM_MS;
    machine->run_delay_ns = sim_between(1, 200) * 1000;
    kafka.tuning.delay_min_ns = sim_between(50, 500) * 1000;
    kafka.tuning.delay_max_ns = kafka.tuning.delay_min_ns + sim_between(100, 5000) * 1000;
    kafka.tuning.request_timeout_ns = sim_between(1000, 4000) * SIM_MS;
    sim_network.delay_max_ns = sim_between(1, 10) * SIM_MS;
    (void)kafka_topic_make("out", 8, MR_LOG_CLEANUP_DELETE);
    uint32_t left = run.scale.tasks_count;
    for (; left > 0; run.topologies_count++) {
        uint32_t partitions = left < SIM_SCALE_PARTITIONS ? left : SIM_SCALE_PARTITIONS;
        define(run.topologies_count, (int32_t)partitions);
        left -= partitions;
    }
    sim_on_process_end(process_ended);
    create_members();
    run.phase_ns = sim_now_ns();
    sim_after(LOOK_MS * SIM_MS, NULL, look, NULL, 0);
}

static size_t heap_max(void)
{
    size_t most = 0;
    for (uint32_t index = 0; index < COORDINATORS; index++)
        if (run.coordinators[index].process->heap_bytes_max > most)
            most = run.coordinators[index].process->heap_bytes_max;
    return most;
}

static void check_figures(void)
{
    if (heap_max() > (size_t)SIM_SCALE_HEAP_MB_MAX << 20)
        sim_violation("a coordinator took %zu MB", heap_max() >> 20);
    for (uint32_t phase = 0; phase < PHASES; phase++)
        if (run.figures[phase].step_ns_max > SIM_SCALE_STEP_MS_MAX * SIM_MS)
            sim_violation("%s: a step of the core took %.1f ms of CPU time", phase_names[phase],
                          (double)run.figures[phase].step_ns_max / 1e6);
}

static void print_figures(void)
{
    (void)printf("%u workers, %u tasks in %u topologies, seed %" PRIu64
                 ": a coordinator's heap was at most %.1f MB\n",
                 run.scale.workers_count, run.scale.tasks_count, run.topologies_count, sim_seed(),
                 (double)heap_max() / (1 << 20));
    for (uint32_t phase = 0; phase < PHASES; phase++) {
        const struct figures *figures = &run.figures[phase];
        double share = figures->seconds * run.scale.workers_count;
        (void)printf("%-16s %6.2f s; tasks running at least %5u; decided %5" PRIu64
                     ", at once %5u; longest step %6.2f ms of CPU, all steps %4.1f %% of a core; "
                     "per worker and second %.2f requests, %.2f answers, %.0f bytes\n",
                     phase_names[phase], figures->seconds, figures->owned_min,
                     figures->decided_count, figures->decided_count_max,
                     (double)figures->step_ns_max / 1e6,
                     (double)figures->steps_ns / 1e7 / figures->seconds,
                     (double)figures->requests_count / share,
                     (double)figures->replies_count / share, (double)figures->bytes_count / share);
    }
}

void sim_scale_run(const struct sim_options *options, const struct sim_scale *scale, bool print,
                   struct sim_verdict *verdict)
{
    memset(&run, 0, sizeof run);
    run.scale = *scale;
    run.print = print;
    sim_begin(options);
    begin();
    sim_run();
    check_figures();
    if (print)
        print_figures();
    sim_end(verdict);
    run.workers = NULL;
    sim_scale_hosts(false);
}
