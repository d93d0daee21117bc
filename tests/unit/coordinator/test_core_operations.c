/* tests/unit/coordinator/test_core_operations.c — upgrades, rollbacks, deletes, resets, seeks, each
 * through to its end, through failures, and through a change of the leader. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct core_shell *begin(const char *parts)
{
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    core_shell_worker(shell, "w1");
    core_shell_worker(shell, "w2");
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = parts});
    core_shell_run(shell, 1000);
    return shell;
}

static uint64_t submit(struct core_shell *shell, const char *parts)
{
    return core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = parts});
}

static const struct mr_topology_record *record(const struct core_shell *shell)
{
    return core_shell_topology(shell, "orders").record;
}

/* Versions that run at this moment, as bits. */
static uint32_t versions_that_run(const struct core_shell *shell)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < shell->workers_count; i++)
        for (uint32_t j = 0; j < shell->workers[i].tasks_count; j++) {
            enum mr_task_state state = shell->workers[i].tasks[j].report.state;
            if (state != MR_TASK_STATE_RELEASED && state != MR_TASK_STATE_FAILED)
                bits |= 1u << shell->workers[i].tasks[j].report.version;
        }
    return bits;
}

static void test_an_upgrade_runs_one_version_at_a_time(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:4");
    shell->workers[1].release_ms = 400;
    uint64_t handle = submit(shell, "agg*:4 map:2");
    for (uint32_t i = 0; i < 200; i++) {
        core_shell_run(shell, 10);
        uint32_t bits = versions_that_run(shell);
        assert_true(bits == 0 || bits == 2 || bits == 4);
    }
    assert_int_equal(shell->answers[handle].code, 200);
    assert_int_equal(core_shell_running(shell), 6);
    assert_int_equal(shell->moves_count, 0); /* everything is where it was */
    assert_int_equal(record(shell)->version, 2);
    assert_int_equal(record(shell)->version_before, 0); /* it has run: there is no way back */
    assert_int_equal(record(shell)->subtopologies_count, 2);
    core_shell_destroy(shell);
}

static void test_a_version_that_does_not_start_is_rolled_back(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    shell->workers[0].fails_version = shell->workers[1].fails_version = 2;
    uint64_t handle = submit(shell, "main:4");
    core_shell_run(shell, 3000);
    assert_int_equal(shell->answers[handle].code, 200); /* it was active, for a moment */
    assert_int_equal(record(shell)->version, 1);
    assert_int_equal(record(shell)->version_last, 2);
    assert_int_equal(core_shell_running(shell), 4);
    struct mr_core_topology orders = core_shell_topology(shell, "orders");
    assert_int_equal(orders.health, MR_HEALTH_RUNNING);
    assert_non_null(strstr(orders.reason, "the operator cannot start"));
    assert_true(core_shell_told(shell, "topology-rolled-back: Topology orders is back at"));
    uint32_t numbers[MR_CORE_VERSIONS_KEPT];
    assert_int_equal(mr_core_versions(shell->core, "orders", numbers), 2); /* to look at */
    core_shell_destroy(shell);
}

static void test_a_version_that_all_refuse_is_rolled_back(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    for (uint32_t i = 0; i < 2; i++) {
        shell->workers[i].refuses_version = 2;
        shell->workers[i].refuses_generation = record(shell)->generation;
    }
    submit(shell, "main:4");
    core_shell_run(shell, 3000);
    assert_int_equal(record(shell)->version, 1);
    assert_int_equal(core_shell_running(shell), 4);
    assert_true(core_shell_told(shell, "the operator is not known here"));
    core_shell_destroy(shell);
}

/* It has run while a pause was being recorded: that it has is not in the topology's record yet. */
static void test_a_version_that_has_run_stays_when_it_fails(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    submit(shell, "main:4");
    for (uint32_t i = 0; i < 100 && (record(shell)->version != 2 || shell->write_count != 4); i++)
        core_shell_run(shell, 10); /* until its tasks are on their way */
    core_shell_user(shell, MR_ACTION_PAUSE, "orders", NULL);
    shell->write_ms = 3000;
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), 4);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t j = 0; j < shell->workers[i].tasks_count; j++)
            shell->workers[i].tasks[j].report.state = MR_TASK_STATE_FAILED;
    core_shell_run(shell, 10000);
    assert_int_equal(record(shell)->version, 2);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_FAILED);
    core_shell_destroy(shell);
}

static void test_ten_versions_are_kept(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:2");
    for (uint32_t i = 0; i < 13; i++) {
        submit(shell, "main:2");
        core_shell_run(shell, 1000);
    }
    uint32_t numbers[MR_CORE_VERSIONS_KEPT];
    assert_int_equal(mr_core_versions(shell->core, "orders", numbers), 10);
    assert_int_equal(numbers[0], 5);
    assert_int_equal(numbers[9], 14);
    assert_int_equal(core_shell_records(shell, "version/orders/"), 10);
    uint64_t handle = core_shell_rollback(shell, "orders", 7);
    core_shell_run(shell, 1000);
    assert_string_equal(shell->answers[handle].text, "Version 7 of topology orders is active.");
    handle = core_shell_rollback(shell, "orders", 0);
    core_shell_run(shell, 1000);
    assert_int_equal(record(shell)->version, 6);
    submit(shell, "main:2");
    core_shell_run(shell, 1000);
    assert_int_equal(record(shell)->version, 15); /* numbers are never given twice */
    core_shell_destroy(shell);
}

static void test_growth_adds_tasks(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    submit(shell, "main:10");
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 10);
    core_shell_destroy(shell);
}

static void test_an_upgrade_that_nobody_releases_is_given_up(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    shell->workers[1].release_ms = 100000;
    uint64_t handle = submit(shell, "main:4");
    core_shell_run(shell, 59000);
    assert_int_equal(shell->answers[handle].code, 0);
    core_shell_run(shell, 3000);
    assert_int_equal(shell->answers[handle].code, 409);
    assert_non_null(strstr(shell->answers[handle].text, "worker w2 has not released task orders/"));
    assert_int_equal(record(shell)->version, 1);
    core_shell_run(shell, 60000);
    assert_int_equal(core_shell_running(shell), 4);
    core_shell_destroy(shell);
}

static void test_a_delete_fences_drops_and_forgets(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:4");
    shell->hold_jobs = true;
    uint64_t generation = record(shell)->generation;
    uint64_t handle = core_shell_user(shell, MR_ACTION_DELETE, "orders", NULL);
    core_shell_run(shell, 1000);
    assert_int_equal(shell->answers[handle].code, 202);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_DELETING);
    assert_int_equal(core_shell_running(shell), 0);
    assert_int_equal(shell->jobs_count, 1);
    assert_int_equal(shell->jobs[0].kind, MR_JOB_FENCE);
    assert_int_equal(shell->jobs[0].generation, generation);
    core_shell_job_done(shell, false, "");
    assert_int_equal(shell->jobs[0].kind, MR_JOB_DELETE);
    core_shell_job_done(shell, false, "");
    core_shell_run(shell, 100);
    assert_int_equal(shell->records_count, 0); /* tombstones for all */
    assert_int_equal(mr_core_topologies_count(shell->core), 0);
    assert_int_equal(mr_core_tasks_count(shell->core), 0);
    shell->hold_jobs = false;
    submit(shell, "agg*:4"); /* the name is free again */
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 4);
    core_shell_destroy(shell);
}

static void test_a_delete_does_not_wait_for_a_worker_that_hangs(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    shell->workers[1].release_ms = 1000000;
    core_shell_user(shell, MR_ACTION_DELETE, "orders", NULL);
    core_shell_run(shell, 59000);
    assert_int_equal(mr_core_topologies_count(shell->core), 1);
    core_shell_run(shell, 3000);
    assert_int_equal(mr_core_topologies_count(shell->core), 0);
    core_shell_destroy(shell);
}

static void test_failed_jobs_are_tried_again_and_seen(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    shell->hold_jobs = true;
    core_shell_user(shell, MR_ACTION_DELETE, "orders", NULL);
    core_shell_run(shell, 500);
    uint64_t epoch = mr_core_task_at(shell->core, 0, shell->now_ms).epoch;
    assert_int_equal(epoch, 2); /* nobody's, above the last owner's */
    core_shell_job_done(shell, true, "Kafka does not answer.");
    assert_int_equal(shell->jobs_count, 0);
    assert_non_null(strstr(core_shell_topology(shell, "orders").reason, "Kafka does not answer."));
    core_shell_run(shell, 800);
    assert_int_equal(shell->jobs_count, 0);
    core_shell_run(shell, 400); /* a second later */
    assert_int_equal(shell->jobs_count, 1);
    /* Above what the attempt before may have claimed. */
    assert_int_equal(mr_core_task_at(shell->core, 0, shell->now_ms).epoch, epoch + 1);
    core_shell_job_done(shell, true, "Kafka does not answer.");
    core_shell_run(shell, 1700);
    assert_int_equal(shell->jobs_count, 0); /* now it takes two */
    core_shell_run(shell, 500);
    core_shell_job_done(shell, false, "");
    core_shell_job_done(shell, false, "");
    core_shell_run(shell, 100);
    assert_int_equal(mr_core_topologies_count(shell->core), 0);
    core_shell_destroy(shell);
}

static void test_a_reset_starts_over_under_a_new_generation(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:4");
    uint64_t generation = record(shell)->generation;
    uint64_t handle = core_shell_user(shell, MR_ACTION_RESET, "orders", NULL);
    core_shell_run(shell, 3000);
    assert_int_equal(shell->answers[handle].code, 202);
    assert_int_equal(core_shell_running(shell), 4);
    assert_int_not_equal(record(shell)->generation, generation);
    assert_int_equal(record(shell)->next_generation, 0);
    assert_int_equal(record(shell)->state, MR_TOPOLOGY_RUNNING);
    assert_int_equal(record(shell)->version, 1);
    assert_int_equal(mr_core_version(shell->core, "orders", 0)->generation,
                     record(shell)->generation);
    assert_int_equal(core_shell_records(shell, "task/"), 4); /* the old ones are gone */
    core_shell_destroy(shell);
}

/* The source may have grown since an attempt to bind made topics for it. */
static void test_a_reset_drops_what_an_earlier_attempt_bound(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:2");
    shell->hold_jobs = true;
    core_shell_user(shell, MR_ACTION_RESET, "orders", NULL);
    core_shell_run(shell, 500);
    uint64_t generation = record(shell)->generation;
    uint64_t next = record(shell)->next_generation;
    core_shell_job_done(shell, false, ""); /* the fence */
    assert_int_equal(shell->jobs[0].generation, generation);
    core_shell_job_done(shell, false, "");
    for (int attempt = 0; attempt < 2; attempt++) {
        core_shell_run(shell, 3000);
        assert_int_equal(shell->jobs[0].kind, MR_JOB_DELETE);
        assert_int_equal(shell->jobs[0].generation, next);
        core_shell_job_done(shell, false, "");
        assert_int_equal(shell->jobs[0].kind, MR_JOB_BIND);
        core_shell_job_done(shell, attempt == 0, "The source has more partitions.");
    }
    core_shell_run(shell, 3000);
    assert_int_equal(record(shell)->generation, next);
    assert_int_equal(core_shell_running(shell), 2);
    core_shell_destroy(shell);
}

static void test_a_seek_that_the_log_hindered_is_to_be_asked_for_again(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:2");
    shell->hold_jobs = true;
    for (int again = 0; again < 2; again++) {
        uint64_t handle = core_shell_user(shell, MR_ACTION_SEEK, "orders", "readings earliest");
        core_shell_run(shell, 1000);
        shell->jobs_transient = again == 1;
        core_shell_job_done(shell, true, "A newer owner exists.");
        assert_int_equal(shell->answers[handle].code, again == 1 ? 503 : 422);
    }
    core_shell_destroy(shell);
}

/* A version from before the reset is bound to topics that are gone. */
static void test_a_rollback_over_a_reset_binds_anew(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:4");
    submit(shell, "agg*:4");
    core_shell_run(shell, 1000);
    core_shell_user(shell, MR_ACTION_RESET, "orders", NULL);
    core_shell_run(shell, 3000);
    shell->hold_jobs = true;
    uint64_t handle = core_shell_rollback(shell, "orders", 1);
    assert_int_equal(shell->jobs_count, 1);
    assert_int_equal(shell->jobs[0].kind, MR_JOB_BIND);
    core_shell_job_done(shell, false, "");
    core_shell_run(shell, 2000);
    assert_int_equal(shell->answers[handle].code, 200);
    assert_int_equal(mr_core_version(shell->core, "orders", 0)->version, 1);
    assert_int_equal(mr_core_version(shell->core, "orders", 0)->generation,
                     record(shell)->generation);
    assert_int_equal(core_shell_running(shell), 4);
    core_shell_destroy(shell);
}

static void test_deletes_and_resets_go_on_under_another_leader(void **state)
{
    (void)state;
    for (uint32_t ms = 0; ms < 600; ms += 10) {
        struct core_shell *shell = begin("agg*:2");
        bool resets = (ms / 10) % 2 == 0;
        uint64_t generation = record(shell)->generation;
        uint64_t handle =
            core_shell_user(shell, resets ? MR_ACTION_RESET : MR_ACTION_DELETE, "orders", NULL);
        core_shell_run(shell, ms);
        bool promised = shell->answers[handle].code == 202;
        core_shell_take_over(shell, (ms / 20) % 2 == 0);
        core_shell_run(shell, 10000);
        const struct mr_core_topology orders = core_shell_topology(shell, "orders");
        if (promised && resets)
            assert_int_not_equal(orders.record->generation, generation);
        else if (promised)
            assert_null(orders.record);
        if (orders.record != NULL)
            assert_int_equal(core_shell_running(shell), 2);
        core_shell_destroy(shell);
    }
}

static void test_an_upgrade_is_whole_or_not_at_all(void **state)
{
    (void)state;
    for (uint32_t ms = 0; ms < 400; ms += 10) {
        struct core_shell *shell = begin("agg*:2");
        uint64_t handle = submit(shell, "agg*:2 map:3");
        core_shell_run(shell, ms);
        bool promised = shell->answers[handle].code == 200;
        core_shell_take_over(shell, (ms / 10) % 2 == 0);
        core_shell_run(shell, 5000);
        uint32_t version = record(shell)->version;
        assert_true(version == 2 || !promised);
        assert_int_equal(core_shell_running(shell), version == 2 ? 5 : 2);
        core_shell_destroy(shell);
    }
}

static void test_a_stuck_reset_can_be_deleted(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:2");
    shell->hold_jobs = true;
    core_shell_user(shell, MR_ACTION_RESET, "orders", NULL);
    core_shell_run(shell, 500);
    uint64_t handle = core_shell_user(shell, MR_ACTION_DELETE, "orders", NULL);
    assert_int_equal(shell->answers[handle].code, 409); /* a job is under way */
    core_shell_job_done(shell, false, "");
    core_shell_job_done(shell, true, "A topic cannot be deleted.");
    handle = core_shell_user(shell, MR_ACTION_DELETE, "orders", NULL);
    core_shell_run(shell, 500);
    assert_int_equal(shell->answers[handle].code, 202);
    uint64_t next = record(shell)->next_generation;
    assert_int_not_equal(next, 0);
    core_shell_job_done(shell, false, ""); /* the fence */
    assert_int_equal(shell->jobs[0].generation, record(shell)->generation);
    core_shell_job_done(shell, false, "");
    assert_int_equal(shell->jobs[0].kind, MR_JOB_DELETE); /* what was bound already */
    assert_int_equal(shell->jobs[0].generation, next);
    core_shell_job_done(shell, false, "");
    core_shell_run(shell, 100);
    assert_int_equal(mr_core_topologies_count(shell->core), 0);
    core_shell_destroy(shell);
}

static void test_a_seek_stops_moves_and_goes_on(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:4");
    shell->hold_jobs = true;
    uint64_t handle = core_shell_user(shell, MR_ACTION_SEEK, "orders", "readings earliest");
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), 0);
    assert_int_equal(shell->jobs_count, 1);
    assert_int_equal(shell->jobs[0].kind, MR_JOB_SEEK);
    core_shell_job_done(shell, false, "Source readings is read from 0.");
    assert_string_equal(shell->answers[handle].text, "Source readings is read from 0.");
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), 4);
    assert_int_equal(shell->moves_count, 0);
    assert_false(core_shell_told(shell, "was fenced on worker")); /* the epochs are above it */
    handle = core_shell_user(shell, MR_ACTION_SEEK, "orders", "readings 99999");
    core_shell_run(shell, 1000);
    core_shell_job_done(shell, true, "Offset 99999 is beyond the end.");
    assert_int_equal(shell->answers[handle].code, 422);
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 4);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_upgrade_runs_one_version_at_a_time),
        cmocka_unit_test(test_a_version_that_does_not_start_is_rolled_back),
        cmocka_unit_test(test_a_version_that_all_refuse_is_rolled_back),
        cmocka_unit_test(test_a_version_that_has_run_stays_when_it_fails),
        cmocka_unit_test(test_ten_versions_are_kept),
        cmocka_unit_test(test_growth_adds_tasks),
        cmocka_unit_test(test_an_upgrade_that_nobody_releases_is_given_up),
        cmocka_unit_test(test_a_delete_fences_drops_and_forgets),
        cmocka_unit_test(test_a_delete_does_not_wait_for_a_worker_that_hangs),
        cmocka_unit_test(test_failed_jobs_are_tried_again_and_seen),
        cmocka_unit_test(test_a_reset_starts_over_under_a_new_generation),
        cmocka_unit_test(test_a_rollback_over_a_reset_binds_anew),
        cmocka_unit_test(test_deletes_and_resets_go_on_under_another_leader),
        cmocka_unit_test(test_an_upgrade_is_whole_or_not_at_all),
        cmocka_unit_test(test_a_stuck_reset_can_be_deleted),
        cmocka_unit_test(test_a_reset_drops_what_an_earlier_attempt_bound),
        cmocka_unit_test(test_a_seek_that_the_log_hindered_is_to_be_asked_for_again),
        cmocka_unit_test(test_a_seek_stops_moves_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
