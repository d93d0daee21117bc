/* tests/unit/coordinator/test_core_topologies.c — what users may ask, and what they are told. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct core_shell *begin(void)
{
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    core_shell_worker(shell, "w1");
    core_shell_worker(shell, "w2");
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:4"});
    core_shell_run(shell, 1000);
    return shell;
}

static void check_answer(const struct core_shell *shell, uint64_t handle, int code,
                         const char *text)
{
    assert_int_equal(shell->answers[handle].code, code);
    assert_string_equal(shell->answers[handle].text, text);
}

static void test_unknown_names_get_the_nearest_known_one(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    uint64_t handle = core_shell_user(shell, MR_ACTION_DELETE, "order", NULL);
    check_answer(shell, handle, 404, "There is no topology order. Did you mean orders?");
    handle = core_shell_user(shell, MR_ACTION_PAUSE, "invoices", NULL);
    check_answer(shell, handle, 404, "There is no topology invoices.");
    handle = core_shell_user(shell, MR_ACTION_PAUSE, "orders", "reading");
    check_answer(shell, handle, 404,
                 "Topology orders has no source reading. Did you mean readings?");
    handle = core_shell_user(shell, MR_ACTION_DRAIN, "w", NULL);
    assert_int_equal(shell->answers[handle].code, 404);
    core_shell_destroy(shell);
}

static uint32_t paused_count(const struct core_shell *shell)
{
    return core_shell_topology(shell, "orders").record->paused_sources_count;
}

static void test_pause_and_resume(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    uint32_t assigned = shell->assigned_count;
    uint64_t handle = core_shell_user(shell, MR_ACTION_PAUSE, "orders", NULL);
    core_shell_run(shell, 100);
    check_answer(shell, handle, 200, "Topology orders is paused.");
    core_shell_run(shell, 400);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_PAUSED);
    assert_int_equal(shell->workers[0].paused_count, 2); /* every node that may be a source */
    handle = core_shell_user(shell, MR_ACTION_PAUSE, "orders", NULL);
    check_answer(shell, handle, 200, "Topology orders is paused already.");
    handle = core_shell_user(shell, MR_ACTION_RESUME, "orders", NULL);
    core_shell_run(shell, 500);
    check_answer(shell, handle, 200, "Topology orders goes on.");
    assert_int_equal(shell->workers[0].paused_count, 0);
    handle = core_shell_user(shell, MR_ACTION_PAUSE, "orders", "users");
    core_shell_run(shell, 500);
    check_answer(shell, handle, 200, "Source users of topology orders is paused.");
    assert_int_equal(shell->workers[0].paused_count, 1);
    assert_int_equal(paused_count(shell), 1);
    handle = core_shell_user(shell, MR_ACTION_RESUME, "orders", NULL);
    check_answer(shell, handle, 200,
                 "Topology orders is not paused, but its source users is: resume that one.");
    handle = core_shell_user(shell, MR_ACTION_RESUME, "orders", "users");
    core_shell_run(shell, 500);
    assert_int_equal(paused_count(shell), 0);
    handle = core_shell_user(shell, MR_ACTION_RESUME, "orders", NULL);
    check_answer(shell, handle, 200, "Topology orders is not paused.");
    assert_int_equal(shell->assigned_count, assigned); /* no task was stopped for it */
    core_shell_destroy(shell);
}

static void test_what_waits_for_a_paused_source_is_not_stalled(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    core_shell_run(shell, 12000);
    for (uint32_t i = 0; i < 2; i++) {
        shell->workers[i].lag = 500;
        shell->workers[i].idle_ms = 15000;
    }
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_STALLED);
    (void)core_shell_user(shell, MR_ACTION_PAUSE, "orders", "users");
    core_shell_run(shell, 500);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_PAUSED);
    assert_string_equal(core_shell_topology(shell, "orders").reason,
                        "Source users is paused, and records wait.");
    core_shell_destroy(shell);
}

static void test_one_command_at_a_time(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    for (uint32_t i = 0; i < 2; i++)
        shell->workers[i].release_ms = 1000;
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:5"});
    core_shell_run(shell, 500);
    uint64_t handle = core_shell_user(shell, MR_ACTION_DELETE, "orders", NULL);
    check_answer(shell, handle, 409,
                 "Topology orders is being given a new version, since 500 ms: ask again when that "
                 "is done.");
    core_shell_run(shell, 2000);
    handle = core_shell_user(shell, MR_ACTION_PAUSE, "orders", NULL);
    core_shell_run(shell, 100);
    assert_int_equal(shell->answers[handle].code, 200);
    core_shell_destroy(shell);
}

static void test_a_version_of_another_generation_is_refused(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    struct shell_topology topology = {.name = "orders", .parts = "main:5", .generation = 12345};
    uint64_t handle = core_shell_submit(shell, &topology);
    check_answer(shell, handle, 409,
                 "Topology orders was deleted or reset since this version was planned: submit it "
                 "again.");
    core_shell_destroy(shell);
}

/* Two people submit at once: the second one's difference was with a version that runs no more. */
static void test_a_version_that_was_planned_too_early_is_refused(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    struct shell_topology topology = {.name = "orders", .parts = "main:4", .version = 2};
    uint64_t handle = core_shell_submit(shell, &topology);
    core_shell_run(shell, 1000);
    assert_int_equal(shell->answers[handle].code, 200);
    handle = core_shell_submit(shell, &topology);
    check_answer(shell, handle, 409,
                 "Topology orders got version 2 since this one was planned: submit it again.");
    core_shell_destroy(shell);
}

static void test_too_many_tasks_are_refused(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    struct shell_topology topology = {.name = "wide", .parts = "main:65533"};
    uint64_t handle = core_shell_submit(shell, &topology);
    check_answer(shell, handle, 422,
                 "With wide the cluster would have 65537 tasks; it can have 65536.");
    core_shell_destroy(shell);
}

static void test_a_definition_is_answered(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    const struct mr_version_record *version = mr_core_version(shell->core, "orders", 0);
    struct mr_topology_request request = {
        .cluster = "test", .worker = "w1", .generation = version->generation, .version = 1};
    struct mr_core_event event = {.kind = MR_CORE_TOPOLOGY, .handle = 9, .topology = &request};
    struct mr_core_commands commands = mr_core_step(shell->core, &event, shell->now_ms);
    assert_int_equal(commands.items_count, 1);
    const struct mr_topology_reply *reply = &commands.items[0].reply.topology;
    assert_int_equal(commands.items[0].reply.kind, MR_REPLY_TOPOLOGY);
    assert_true(reply->found);
    assert_string_equal(reply->name, "orders");
    assert_memory_equal(reply->definition.data, "main:4", 6);
    assert_int_equal(reply->binding.subtopologies[0].tasks_count, 4);
    request.version = 7;
    commands = mr_core_step(shell->core, &event, shell->now_ms);
    assert_false(commands.items[0].reply.topology.found);
    core_shell_destroy(shell);
}

static void test_rollbacks_that_cannot_be(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    check_answer(shell, core_shell_rollback(shell, "orders", 0), 404,
                 "Topology orders has no version before the active one.");
    check_answer(shell, core_shell_rollback(shell, "orders", 4), 404,
                 "Topology orders has no version 4; the last ten are kept.");
    check_answer(shell, core_shell_rollback(shell, "orders", 1), 200,
                 "Version 1 of orders is active already.");
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_names_get_the_nearest_known_one),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_what_waits_for_a_paused_source_is_not_stalled),
        cmocka_unit_test(test_one_command_at_a_time),
        cmocka_unit_test(test_a_version_of_another_generation_is_refused),
        cmocka_unit_test(test_a_version_that_was_planned_too_early_is_refused),
        cmocka_unit_test(test_too_many_tasks_are_refused),
        cmocka_unit_test(test_a_definition_is_answered),
        cmocka_unit_test(test_rollbacks_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
