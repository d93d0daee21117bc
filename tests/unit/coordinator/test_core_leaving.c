/* tests/unit/coordinator/test_core_leaving.c — who ends and comes back, who ends and does not, and
 * what a new leader knows of it. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TASKS = 12 };

/* Three workers w-0, w-1, w-2 of the set w, which should have `replicas`. */
static struct core_shell *scaled(const char *parts, uint32_t replicas)
{
    static const char *const names[] = {"w-0", "w-1", "w-2"};
    const struct mr_core_options options = {.workers_set = "w"};
    struct core_shell *shell = core_shell_create(&options);
    shell->replicas = replicas;
    core_shell_lead(shell);
    for (size_t i = 0; i < 3; i++)
        core_shell_worker(shell, names[i]);
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = parts});
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), TASKS);
    return shell;
}

static enum mr_worker_state state_of(const struct core_shell *shell, const char *name)
{
    for (uint32_t i = 0; i < mr_core_workers_count(shell->core); i++)
        if (strcmp(mr_core_worker_at(shell->core, i, shell->now_ms).name, name) == 0)
            return mr_core_worker_at(shell->core, i, shell->now_ms).state;
    return (enum mr_worker_state)99;
}

static enum mr_leaving ask_to_leave(struct core_shell *shell, struct shell_worker *worker)
{
    worker->asks = true;
    worker->sent_ms = 0; /* it says so at once */
    worker->handle = 0;
    core_shell_run(shell, 100);
    enum mr_leaving answer = worker->to_leave;
    worker->asks = false;
    worker->handle = 0;
    core_shell_run(shell, 50);
    return answer;
}

/* As the agent of a process does. */
static void leave(struct core_shell *shell, struct shell_worker *worker, enum mr_leaving leaving)
{
    worker->leaving = leaving;
    worker->handle = 0;
    for (int i = 0; i < 200 && !worker->left; i++)
        core_shell_run(shell, 50);
    assert_true(worker->left);
    core_shell_kill(shell, worker);
    core_shell_close(shell, worker);
}

static void test_without_a_set_everybody_restarts(void **state)
{
    (void)state;
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    struct shell_worker *worker = core_shell_worker(shell, "w-7");
    core_shell_run(shell, 500);
    assert_int_equal(worker->to_leave, MR_LEAVING_NOT);
    assert_int_equal(ask_to_leave(shell, worker), MR_LEAVING_RESTART);
    assert_int_equal(shell->scales_count, 0);
    core_shell_destroy(shell);
}

static void test_a_number_at_the_replicas_drains_and_one_below_restarts(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 2);
    assert_int_equal(ask_to_leave(shell, &shell->workers[2]), MR_LEAVING_DRAIN);
    assert_int_equal(ask_to_leave(shell, &shell->workers[1]), MR_LEAVING_RESTART);
    shell->replicas = 3; /* it is read anew each time */
    assert_int_equal(ask_to_leave(shell, &shell->workers[2]), MR_LEAVING_RESTART);
    core_shell_destroy(shell);
}

static void test_names_outside_of_the_set_restart(void **state)
{
    static const char *const names[] = {"w",    "w-",    "w-01", "w-1a",       "x-1",
                                        "ww-1", "w-1-1", "w--1", "w-999999999"};
    (void)state;
    const struct mr_core_options options = {.workers_set = "w"};
    struct core_shell *shell = core_shell_create(&options);
    core_shell_lead(shell);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct shell_worker *worker = core_shell_worker(shell, names[i]);
        core_shell_run(shell, 300);
        uint32_t before = shell->scales_count;
        assert_int_equal(ask_to_leave(shell, worker), MR_LEAVING_RESTART);
        assert_int_equal(shell->scales_count, before);
    }
    core_shell_destroy(shell);
}

/* What is read before the question may be from before the scaling: it does not count. */
static void test_a_question_behind_a_read_is_read_for_again(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 3);
    uint32_t before = shell->scales_count;
    shell->scale_takes_ms = 300;
    for (uint32_t i = 1; i < 3; i++) {
        shell->workers[i].asks = true;
        shell->workers[i].handle = 0;
        core_shell_run(shell, 100);
    }
    assert_int_equal(shell->workers[1].to_leave, MR_LEAVING_NOT);
    core_shell_run(shell, 150);
    assert_int_equal(shell->workers[1].to_leave, MR_LEAVING_RESTART);
    assert_int_equal(shell->workers[2].to_leave, MR_LEAVING_NOT);
    shell->replicas = 2;
    core_shell_run(shell, 400);
    assert_int_equal(shell->workers[2].to_leave, MR_LEAVING_DRAIN);
    assert_int_equal(shell->scales_count - before, 2);
    core_shell_destroy(shell);
}

static void test_what_cannot_be_read_is_a_restart_and_is_said(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 1);
    shell->scale_fails = true;
    assert_int_equal(ask_to_leave(shell, &shell->workers[2]), MR_LEAVING_RESTART);
    assert_true(
        core_shell_told(shell, "cannot be read, so one that ends is waited for: forbidden"));
    core_shell_destroy(shell);
}

static void test_a_scale_in_moves_tasks_before_the_worker_ends(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 1);
    struct shell_worker *leaving[] = {&shell->workers[1], &shell->workers[2]};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ask_to_leave(shell, leaving[i]), MR_LEAVING_DRAIN);
        leaving[i]->leaving = MR_LEAVING_DRAIN;
        leaving[i]->handle = 0;
    }
    uint32_t least = TASKS;
    for (int i = 0; i < 400 && !(leaving[0]->left && leaving[1]->left); i++) {
        core_shell_run(shell, 20);
        uint32_t running = core_shell_running(shell);
        least = running < least ? running : least;
    }
    assert_true(leaving[0]->left && leaving[1]->left);
    assert_true(least >= TASKS - 8); /* those that are on their way */
    core_shell_run(shell, 500);
    assert_int_equal(core_shell_count(shell, &shell->workers[0], MR_TASK_ROLE_ACTIVE), TASKS);
    core_shell_destroy(shell);
}

/* No worker is to be left: there is nowhere to go, so nothing is moved about. */
static void test_at_no_replicas_all_restart_and_nothing_moves(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 0);
    uint32_t moves = shell->moves_count;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(ask_to_leave(shell, &shell->workers[i]), MR_LEAVING_RESTART);
    for (uint32_t i = 0; i < 3; i++)
        leave(shell, &shell->workers[i], MR_LEAVING_RESTART);
    core_shell_run(shell, 3600000); /* an hour: every grace is over */
    assert_int_equal(state_of(shell, "w-1"), MR_WORKER_GONE);
    shell->replicas = 3;
    for (uint32_t i = 0; i < 3; i++) { /* one after the other */
        core_shell_start(shell, &shell->workers[i]);
        core_shell_run(shell, 5000);
    }
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_int_equal(shell->moves_count, moves);
    core_shell_destroy(shell);
}

/* The same without anybody who says how many there should be: a moment only. */
static void test_gathering_without_a_set_is_short(void **state)
{
    (void)state;
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    core_shell_worker(shell, "a");
    core_shell_worker(shell, "b");
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main*:12"});
    core_shell_run(shell, 1500);
    uint32_t moves = shell->moves_count;
    core_shell_kill(shell, &shell->workers[0]);
    core_shell_kill(shell, &shell->workers[1]);
    core_shell_run(shell, 5000);
    core_shell_start(shell, &shell->workers[0]);
    core_shell_run(shell, 1500);
    assert_int_equal(core_shell_running(shell), 6);
    core_shell_start(shell, &shell->workers[1]);
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_int_equal(shell->moves_count, moves);
    core_shell_kill(shell, &shell->workers[0]);
    core_shell_kill(shell, &shell->workers[1]);
    core_shell_run(shell, 5000);
    core_shell_start(shell, &shell->workers[0]);
    core_shell_run(shell, 4000); /* nobody else comes: it takes them all */
    assert_int_equal(core_shell_running(shell), TASKS);
    core_shell_destroy(shell);
}

static void test_a_new_leader_waits_for_an_announced_restart(void **state)
{
    (void)state;
    for (int commits = 0; commits < 2; commits++) {
        struct core_shell *shell = scaled("main*:12", 3);
        uint32_t moves = shell->moves_count;
        leave(shell, &shell->workers[1], MR_LEAVING_RESTART);
        assert_int_equal(core_shell_records(shell, "restart/"), 1);
        core_shell_take_over(shell, commits == 1);
        core_shell_run(shell, 20000);
        assert_int_equal(core_shell_running(shell), TASKS - 4);
        assert_int_equal(state_of(shell, "w-1"), MR_WORKER_RESTARTING);
        assert_false(core_shell_told(shell, "w-1 was not heard of since"));
        core_shell_start(shell, &shell->workers[1]);
        core_shell_run(shell, 1500);
        assert_int_equal(core_shell_running(shell), TASKS);
        assert_int_equal(shell->moves_count, moves);
        assert_int_equal(core_shell_records(shell, "restart/"), 0);
        core_shell_destroy(shell);
    }
}

/* Nobody answered it in time, so it said that it would be back: it will not. */
static void test_a_restart_beyond_the_replicas_is_not_waited_for(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 2);
    leave(shell, &shell->workers[2], MR_LEAVING_RESTART);
    core_shell_run(shell, 1500);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_true(core_shell_told(shell, "w-2 announced a restart, but w is to have 2 workers"));
    assert_int_equal(core_shell_records(shell, "restart/"), 0);
    leave(shell, &shell->workers[1], MR_LEAVING_RESTART); /* is one of the two */
    core_shell_run(shell, 20000);
    assert_int_equal(core_shell_running(shell), TASKS - 6);
    assert_int_equal(state_of(shell, "w-1"), MR_WORKER_RESTARTING);
    shell->replicas = 1; /* while nobody leads */
    core_shell_take_over(shell, true);
    core_shell_run(shell, 5000);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_int_equal(core_shell_records(shell, "restart/"), 0);
    core_shell_destroy(shell);
}

/* Its grace begins again with the lead, and ends. */
static void test_the_grace_ends_under_a_new_leader_too(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 3);
    leave(shell, &shell->workers[1], MR_LEAVING_RESTART);
    core_shell_run(shell, 15000);
    core_shell_take_over(shell, true);
    core_shell_run(shell, 29000);
    assert_int_equal(core_shell_running(shell), TASKS - 4);
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_true(core_shell_told(shell, "Worker w-1 did not come back within 30000 ms"));
    assert_int_equal(core_shell_records(shell, "restart/"), 0);
    core_shell_destroy(shell);
}

/* Its farewell is answered only when the next leader would know. */
static void test_an_announced_restart_is_answered_when_it_is_committed(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 3);
    struct shell_worker *worker = &shell->workers[1];
    shell->write_ms = 400;
    worker->leaving = MR_LEAVING_RESTART;
    worker->handle = 0;
    core_shell_run(shell, 300);
    assert_false(worker->left);
    assert_int_equal(core_shell_records(shell, "restart/"), 0);
    core_shell_run(shell, 1000);
    assert_true(worker->left);
    assert_int_equal(core_shell_records(shell, "restart/"), 1);
    core_shell_destroy(shell);
}

/* A new leader hears of the announcement from the worker itself when it is still there. */
static void test_a_worker_that_is_leaving_goes_on_under_a_new_leader(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 1);
    struct shell_worker *worker = &shell->workers[2];
    assert_int_equal(ask_to_leave(shell, worker), MR_LEAVING_DRAIN);
    worker->leaving = MR_LEAVING_DRAIN;
    core_shell_take_over(shell, true);
    for (int i = 0; i < 200 && !worker->left; i++)
        core_shell_run(shell, 50);
    assert_true(worker->left);
    core_shell_run(shell, 500);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_int_equal(core_shell_records(shell, "restart/"), 0);
    core_shell_destroy(shell);
}

/* A rolling update of the set, a leader that dies in the middle of it: no task changes hands. */
static void test_a_rolling_update_moves_nothing(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 3);
    uint32_t moves = shell->moves_count;
    for (uint32_t i = 3; i-- > 0;) {
        assert_int_equal(ask_to_leave(shell, &shell->workers[i]), MR_LEAVING_RESTART);
        leave(shell, &shell->workers[i], MR_LEAVING_RESTART);
        core_shell_run(shell, 8000);
        if (i == 1)
            core_shell_take_over(shell, true);
        core_shell_run(shell, 4000);
        core_shell_start(shell, &shell->workers[i]);
        core_shell_run(shell, 3000);
        assert_int_equal(core_shell_running(shell), TASKS);
    }
    core_shell_run(shell, 60000);
    assert_int_equal(shell->moves_count, moves);
    core_shell_destroy(shell);
}

/* Its probe is not ready in between: no answer is both empty and final. */
static void test_a_worker_that_is_back_is_told_that_more_comes(void **state)
{
    (void)state;
    struct core_shell *shell = scaled("main*:12", 3);
    struct shell_worker *worker = &shell->workers[1];
    leave(shell, worker, MR_LEAVING_RESTART);
    shell->write_ms = 100;
    core_shell_start(shell, worker);
    worker->more = false;
    for (int i = 0; i < 200 && worker->tasks_count < 4; i++) {
        uint32_t before = worker->answers_count;
        core_shell_run(shell, 10);
        assert_true(worker->more || worker->answers_count == before || worker->tasks_count == 4);
    }
    core_shell_run(shell, 1000);
    assert_false(worker->more);
    assert_int_equal(core_shell_running(shell), TASKS);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_set_everybody_restarts),
        cmocka_unit_test(test_a_number_at_the_replicas_drains_and_one_below_restarts),
        cmocka_unit_test(test_names_outside_of_the_set_restart),
        cmocka_unit_test(test_a_question_behind_a_read_is_read_for_again),
        cmocka_unit_test(test_what_cannot_be_read_is_a_restart_and_is_said),
        cmocka_unit_test(test_a_scale_in_moves_tasks_before_the_worker_ends),
        cmocka_unit_test(test_at_no_replicas_all_restart_and_nothing_moves),
        cmocka_unit_test(test_gathering_without_a_set_is_short),
        cmocka_unit_test(test_a_new_leader_waits_for_an_announced_restart),
        cmocka_unit_test(test_a_restart_beyond_the_replicas_is_not_waited_for),
        cmocka_unit_test(test_the_grace_ends_under_a_new_leader_too),
        cmocka_unit_test(test_an_announced_restart_is_answered_when_it_is_committed),
        cmocka_unit_test(test_a_worker_that_is_leaving_goes_on_under_a_new_leader),
        cmocka_unit_test(test_a_rolling_update_moves_nothing),
        cmocka_unit_test(test_a_worker_that_is_back_is_told_that_more_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
