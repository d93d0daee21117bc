/* tests/unit/coordinator/test_core_random.c — workers, leaders and users who do anything at any
 * time. While they do, what must always be true is held by tests/support/core_shell.c; when they
 * stop, everything runs again within a bound, evenly, with its copies.
 *     test_coordinator_core_random [FIRST_SEED LAST_SEED]
 * A seed reproduces its run exactly. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORKERS = 5, TOPOLOGIES = 3, FAULTS = 60, QUIET_MS = 100000 };

static uint64_t first_seed = 1;
static uint64_t last_seed = 80;
static char seed_text[32];
static const char *const names[TOPOLOGIES] = {"orders", "parcels", "readings"};

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s: %s", seed_text, #condition);                                             \
    } while (0)

struct run {
    struct core_shell *shell;
    struct mr_random random;
};

static uint64_t below(struct run *run, uint64_t bound)
{
    return mr_random_below(&run->random, bound);
}

static const char *any_topology(struct run *run)
{
    return names[below(run, TOPOLOGIES)];
}

static struct shell_worker *any_worker(struct run *run)
{
    return &run->shell->workers[below(run, WORKERS)];
}

static void submit(struct run *run)
{
    static const char *const parts[] = {"main:6", "agg*:4", "agg*:4 map:3", "map:9", "a*:2 b*:5"};
    struct shell_topology topology = {.name = any_topology(run),
                                      .parts = parts[below(run, 5)],
                                      .memory_bytes = 100,
                                      .standbys_count = (uint32_t)below(run, 3)};
    core_shell_submit(run->shell, &topology);
}

static void worker_fault(struct run *run, struct shell_worker *worker)
{
    switch (below(run, 6)) {
    case 0:
        core_shell_kill(run->shell, worker);
        if (below(run, 2) == 0)
            core_shell_close(run->shell, worker);
        break;
    case 1:
        if (!worker->alive)
            core_shell_start(run->shell, worker);
        break;
    case 2:
        worker->cut = !worker->cut;
        break;
    case 3:
        worker->leaving = (enum mr_leaving)below(run, 3);
        break;
    case 4:
        core_shell_kill(run->shell, worker);
        core_shell_start(run->shell, worker);
        break;
    default:
        worker->release_ms = below(run, 3000);
        worker->claim_ms = below(run, 1000);
        worker->restore_ms = below(run, 3000);
        worker->warm_ms = below(run, 5000);
        break;
    }
}

static void user_command(struct run *run)
{
    struct core_shell *shell = run->shell;
    switch (below(run, 9)) {
    case 0:
        core_shell_user(shell, MR_ACTION_DELETE, any_topology(run), NULL);
        break;
    case 1:
        core_shell_user(shell, MR_ACTION_RESET, any_topology(run), NULL);
        break;
    case 2:
        core_shell_user(shell, MR_ACTION_SEEK, any_topology(run), "readings earliest");
        break;
    case 3:
        core_shell_rollback(shell, any_topology(run), 0);
        break;
    case 4:
        core_shell_user(shell, MR_ACTION_PAUSE, any_topology(run), NULL);
        break;
    case 5:
        core_shell_user(shell, MR_ACTION_DRAIN, any_worker(run)->name, NULL);
        break;
    case 6:
        core_shell_user(shell, MR_ACTION_UNDRAIN, any_worker(run)->name, NULL);
        break;
    default:
        submit(run);
        break;
    }
}

static void fault(struct run *run)
{
    struct core_shell *shell = run->shell;
    switch (below(run, 11)) {
    case 0:
        core_shell_take_over(shell, below(run, 2) == 0);
        break;
    case 10:
        core_shell_suspend(shell, below(run, 6000));
        break;
    case 1:
        shell->write_ms = below(run, 800);
        break;
    case 2: /* somebody claims a task: an owner of long ago, a fence that came late */
        if (shell->claims_count > 0) {
            struct shell_claim *claim = &shell->claims[below(run, shell->claims_count)];
            claim->epoch += 1 + below(run, 3);
            claim->instance = 0;
        }
        break;
    case 3:
        shell->hold_jobs = true;
        if (shell->jobs_count > 0)
            core_shell_job_done(shell, below(run, 2) == 0, "A job failed.");
        shell->hold_jobs = below(run, 3) == 0;
        break;
    case 4:
    case 5:
    case 6:
        user_command(run);
        break;
    default:
        worker_fault(run, any_worker(run));
        break;
    }
}

static uint32_t moving(const struct core_shell *shell)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < mr_core_tasks_count(shell->core); i++)
        count += mr_core_task_at(shell->core, i, shell->now_ms).moving_to[0] != '\0';
    return count;
}

static void calm_down(struct run *run)
{
    struct core_shell *shell = run->shell;
    shell->write_ms = 10;
    shell->hold_jobs = false;
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct shell_worker *worker = &shell->workers[i];
        worker->cut = false;
        worker->release_ms = worker->claim_ms = worker->restore_ms = 20;
        worker->warm_ms = 500;
        if (!worker->alive || worker->leaving != MR_LEAVING_NOT) {
            core_shell_kill(shell, worker);
            core_shell_start(shell, worker);
        }
        for (uint32_t j = 0; j < worker->tasks_count; j++)
            if (worker->tasks[j].until_ms > shell->now_ms)
                worker->tasks[j].until_ms = shell->now_ms;
    }
    core_shell_run(shell, 1000);
    for (uint32_t i = 0; i < WORKERS; i++)
        core_shell_user(shell, MR_ACTION_UNDRAIN, shell->workers[i].name, NULL);
    core_shell_run(shell, QUIET_MS);
    for (uint32_t i = 0; i < TOPOLOGIES; i++)
        core_shell_user(shell, MR_ACTION_RESUME, names[i], NULL);
    core_shell_run(shell, 3000);
}

static uint32_t copies_wanted(const struct core_shell *shell)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < mr_core_topologies_count(shell->core); i++) {
        struct mr_core_topology topology = mr_core_topology_at(shell->core, i, shell->now_ms);
        const struct mr_binding *binding = &topology.version->binding;
        for (uint32_t j = 0; j < binding->subtopologies_count; j++)
            if (binding->subtopologies[j].stateful)
                count += (uint32_t)binding->subtopologies[j].tasks_count *
                         topology.version->standbys_count;
    }
    return count;
}

static void check_calm(struct run *run)
{
    struct core_shell *shell = run->shell;
    uint32_t wanted = 0;
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    uint32_t copies = 0;
    for (uint32_t i = 0; i < mr_core_topologies_count(shell->core); i++) {
        struct mr_core_topology topology = mr_core_topology_at(shell->core, i, shell->now_ms);
        if (topology.health != MR_HEALTH_RUNNING)
            fail_msg("%s: %s: health %d: %s\n%s", seed_text, topology.record->name,
                     (int)topology.health, topology.reason, shell->news);
        wanted += topology.tasks_count;
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        uint32_t count = core_shell_count(shell, &shell->workers[i], MR_TASK_ROLE_ACTIVE);
        least = count < least ? count : least;
        most = count > most ? count : most;
        copies += core_shell_count(shell, &shell->workers[i], MR_TASK_ROLE_STANDBY);
    }
    HOLDS(core_shell_running(shell) == wanted);
    HOLDS(most - least <= 1);
    HOLDS(copies == copies_wanted(shell));
    for (uint32_t i = 0; i < mr_core_workers_count(shell->core); i++)
        HOLDS(mr_core_worker_at(shell->core, i, shell->now_ms).state == MR_WORKER_PRESENT);
}

static void run_seed(uint64_t seed)
{
    static const char *const workers[WORKERS] = {"w1", "w2", "w3", "w4", "w5"};
    struct run run = {.shell = core_shell_create(NULL)};
    struct core_shell *shell = run.shell;
    shell->title = seed_text;
    mr_random_init(&run.random, seed, 0);
    core_shell_lead(shell);
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct shell_worker *worker = core_shell_worker(shell, workers[i]);
        (void)snprintf(worker->zone, sizeof worker->zone, "%s", i % 2 == 0 ? "a" : "b");
    }
    core_shell_run(shell, 500);
    submit(&run);
    for (uint32_t i = 0; i < FAULTS; i++) {
        core_shell_run(shell, below(&run, 4) == 0 ? below(&run, 5000) : below(&run, 300));
        HOLDS(moving(shell) <= 8);
        fault(&run);
    }
    calm_down(&run);
    check_calm(&run);
    uint32_t assigned = shell->assigned_count;
    core_shell_run(shell, 30000);
    HOLDS(shell->assigned_count == assigned); /* and stays */
    core_shell_destroy(shell);
}

static void test_whatever_happens_it_calms_down(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
        (void)snprintf(seed_text, sizeof seed_text, "seed %llu", (unsigned long long)seed);
        run_seed(seed);
    }
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_happens_it_calms_down),
    };
    if (count == 3) {
        first_seed = strtoull(arguments[1], NULL, 10);
        last_seed = strtoull(arguments[2], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
