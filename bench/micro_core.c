/* bench/micro_core.c — the coordinator's core with a thousand workers and twenty thousand tasks:
 * how long a step takes that assigns anew, what a Sync costs, how many there are, and the memory.
 *     micro_core [WORKERS [TOPOLOGIES]]        200 tasks a topology, half of them with a standby
 * Workers are models that have at once what they are told; time is virtual, and
 * the core's is its CPU time. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "coordinator/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARTS = 4, PARTITIONS = 50, STEP_MS = 10, TICK_MS = 100, REPORTS_MAX = 4096 };

struct model {
    char name[20];
    bool alive;
    uint64_t instance;
    uint64_t sequence;
    uint64_t handle; /* of the Sync that is under way; 0: none */
    struct mr_task_report *reports;
    char (*parts)[16];
    uint32_t reports_count;
};

struct bench {
    struct mr_core *core;
    struct model *models;
    uint32_t models_count;
    uint64_t now_ms;
    uint64_t next_handle;
    uint64_t write_id;
    uint64_t written_ms;
    uint64_t step_ns_max; /* since it was last set to 0 */
    uint64_t step_ns_sum;
    uint64_t steps_count;
    uint64_t syncs_count;
    uint64_t moved_count;
};

static void take(struct bench *bench, const struct mr_core_command *command)
{
    if (command->kind == MR_COMMAND_WRITE) {
        bench->write_id = command->id;
        bench->written_ms = bench->now_ms + STEP_MS;
        bench->moved_count += command->records_count;
    }
    if (command->kind != MR_COMMAND_REPLY || command->reply.kind != MR_REPLY_SYNC)
        return;
    struct model *model = &bench->models[command->handle % bench->models_count];
    if (model->handle != command->handle)
        return;
    const struct mr_sync_reply *reply = &command->reply.sync;
    MR_ASSERT(reply->tasks_count <= REPORTS_MAX);
    model->handle = 0;
    model->reports_count = reply->tasks_count;
    for (uint32_t i = 0; i < reply->tasks_count; i++) {
        const struct mr_assigned_task *task = &reply->tasks[i];
        bool active = task->role == MR_TASK_ROLE_ACTIVE;
        snprintf(model->parts[i], sizeof model->parts[i], "%s", task->name.subtopology);
        model->reports[i] = (struct mr_task_report){
            .name = task->name,
            .role = task->role,
            .state = active ? MR_TASK_STATE_RUNNING : MR_TASK_STATE_FOLLOWING,
            .version = task->version,
            .epoch = task->epoch,
            .load_us = active ? 20000 : 0,
            .error = "",
        };
        model->reports[i].name.subtopology = model->parts[i];
    }
}

static void step(struct bench *bench, const struct mr_core_event *event)
{
    uint64_t begun = mr_clock_thread_cpu_ns();
    struct mr_core_commands commands = mr_core_step(bench->core, event, bench->now_ms);
    uint64_t passed = mr_clock_thread_cpu_ns() - begun;
    bench->step_ns_max = passed > bench->step_ns_max ? passed : bench->step_ns_max;
    bench->step_ns_sum += passed;
    bench->steps_count++;
    for (uint32_t i = 0; i < commands.items_count; i++)
        take(bench, &commands.items[i]);
}

static void sync_model(struct bench *bench, uint32_t index)
{
    struct model *model = &bench->models[index];
    struct mr_sync_request sync = {.cluster = "bench",
                                   .worker = model->name,
                                   .instance = model->instance,
                                   .sequence = ++model->sequence,
                                   .zone = index % 3 == 0   ? "a"
                                           : index % 3 == 1 ? "b"
                                                            : "c",
                                   .http = "",
                                   .build = "",
                                   .threads_count = 4,
                                   .memory_bytes = (uint64_t)64 << 30,
                                   .tasks = model->reports,
                                   .tasks_count = model->reports_count};
    model->handle = ++bench->next_handle * bench->models_count + index;
    struct mr_core_event event = {
        .kind = MR_CORE_SYNC, .handle = model->handle, .peer = index + 1, .sync = &sync};
    bench->syncs_count++;
    step(bench, &event);
}

static void run(struct bench *bench, uint64_t ms)
{
    for (uint64_t end = bench->now_ms + ms; bench->now_ms < end;) {
        bench->now_ms += STEP_MS;
        if (bench->write_id != 0 && bench->now_ms >= bench->written_ms) {
            struct mr_core_event written = {.kind = MR_CORE_WRITTEN, .id = bench->write_id};
            bench->write_id = 0;
            step(bench, &written);
        }
        for (uint32_t i = 0; i < bench->models_count; i++)
            if (bench->models[i].alive && bench->models[i].handle == 0)
                sync_model(bench, i);
        if (bench->now_ms % TICK_MS == 0)
            step(bench, &(struct mr_core_event){.kind = MR_CORE_TICK});
    }
}

static void submit(struct bench *bench, uint32_t index)
{
    static const char *const names[PARTS] = {"ingest", "enrich", "score", "alert"};
    const struct mr_bound_topic none = {.name = "", .topic_id = ""};
    struct mr_bound_subtopology parts[PARTS];
    char name[20];
    snprintf(name, sizeof name, "topology-%04u", index);
    for (uint32_t i = 0; i < PARTS; i++)
        parts[i] = (struct mr_bound_subtopology){
            .name = names[i], .tasks_count = PARTITIONS, .log_topic = none, .stateful = i % 2 == 1};
    struct mr_version_record version = {.name = name,
                                        .generation = 1000 + index,
                                        .definition = mr_slice_text("a definition"),
                                        .memory_bytes = (uint64_t)64 << 20,
                                        .standbys_count = 1,
                                        .binding = {.cluster_id = "",
                                                    .subtopologies = parts,
                                                    .subtopologies_count = PARTS,
                                                    .dead_letters = none,
                                                    .claims = none}};
    struct mr_core_event event = {
        .kind = MR_CORE_USER, .action = MR_ACTION_SUBMIT, .name = name, .version_record = &version};
    step(bench, &event);
}

static void begin_phase(struct bench *bench)
{
    bench->step_ns_max = 0;
    bench->step_ns_sum = 0;
    bench->steps_count = 0;
    bench->syncs_count = 0;
    bench->moved_count = 0;
}

static void print_phase(const struct bench *bench, const char *name)
{
    printf("%-44s longest step %7.2f ms, %6" PRIu64 " records written\n", name,
           (double)bench->step_ns_max / 1e6, bench->moved_count);
}

static double resident_mib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        (void)fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void open_bench(struct bench *bench, uint32_t workers)
{
    struct mr_core_options options = {.cluster = "bench", .seed = 1};
    *bench = (struct bench){.now_ms = 1000, .models_count = workers};
    bench->core = mr_core_create(&options);
    bench->models = mr_memory_new(workers, sizeof *bench->models);
    for (uint32_t i = 0; i < workers; i++) {
        struct model *model = &bench->models[i];
        snprintf(model->name, sizeof model->name, "worker-%04u", i);
        model->alive = true;
        model->instance = 1 + i;
        model->reports = mr_memory_new(REPORTS_MAX, sizeof *model->reports);
        model->parts = mr_memory_new(REPORTS_MAX, sizeof *model->parts);
    }
    step(bench, &(struct mr_core_event){.kind = MR_CORE_LEAD, .term = 1});
    run(bench, 2000);
}

static void kill_some(struct bench *bench, uint32_t first, uint32_t count, const char *name)
{
    begin_phase(bench);
    for (uint32_t i = first; i < first + count; i++)
        bench->models[i].alive = false;
    run(bench, 3000);
    print_phase(bench, name);
}

static void steady(struct bench *bench)
{
    run(bench, 30000);
    begin_phase(bench);
    run(bench, 10000);
    printf("%-44s %.2f messages a worker and second, %.1f us each, longest step %.2f ms, "
           "%.1f %% of a core\n",
           "nothing happens", (double)bench->syncs_count / 10 / (double)bench->models_count,
           (double)bench->step_ns_sum / 1e3 / (double)bench->syncs_count,
           (double)bench->step_ns_max / 1e6, (double)bench->step_ns_sum / 1e8);
}

int main(int count, char **arguments)
{
    uint32_t workers = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 1000;
    uint32_t topologies = count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 100;
    struct bench bench;
    MR_ASSERT(workers >= 20 && workers <= MR_CORE_WORKERS_MAX);
    open_bench(&bench, workers);
    double before = resident_mib();
    begin_phase(&bench);
    for (uint32_t i = 0; i < topologies; i++)
        submit(&bench, i);
    run(&bench, 3000);
    printf("%u workers, %u rows of tasks (active and standby)\n", workers,
           mr_core_tasks_count(bench.core));
    print_phase(&bench, "all tasks are new");
    steady(&bench);
    kill_some(&bench, 0, 1, "a worker is silent");
    kill_some(&bench, 1, workers / 10, "a tenth of the workers is silent");
    begin_phase(&bench);
    for (uint32_t i = 0; i <= workers / 10; i++) {
        bench.models[i].alive = true;
        bench.models[i].instance += workers;
        bench.models[i].sequence = bench.models[i].handle = bench.models[i].reports_count = 0;
    }
    run(&bench, 60000);
    print_phase(&bench, "they come back, and loads are evened out");
    printf("resident memory: %.1f MiB, of these %.1f MiB since the first submit\n", resident_mib(),
           resident_mib() - before);
    mr_core_destroy(bench.core);
    for (uint32_t i = 0; i < workers; i++) {
        mr_memory_free(bench.models[i].reports);
        mr_memory_free(bench.models[i].parts);
    }
    mr_memory_free(bench.models);
    return 0;
}
