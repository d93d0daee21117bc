/* tests/unit/coordinator/test_api_views.c — what is not known is null; every state has a name. */
#include "coordinator/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_what_is_not_known_is_null(void **state)
{
    const struct mr_core_task task = {.topology = "t",
                                      .name = {.generation = 0xab, .subtopology = "s"},
                                      .worker = "",
                                      .moving_to = "",
                                      .blocked = "no worker"};
    json_t *value = mr_view_task(&task);
    (void)state;
    assert_string_equal(json_string_value(json_object_get(value, "generation")),
                        "00000000000000ab");
    assert_true(json_is_null(json_object_get(value, "worker")));
    assert_true(json_is_null(json_object_get(value, "state")));
    assert_true(json_is_null(json_object_get(value, "lag")));
    assert_true(json_is_null(json_object_get(value, "watermark_ms")));
    assert_string_equal(json_string_value(json_object_get(value, "blocked")), "no worker");
    json_decref(value);
}

static void test_a_report_goes_along(void **state)
{
    const struct mr_core_task task = {
        .topology = "t",
        .name = {.generation = 1, .subtopology = "s", .partition = 3},
        .worker = "w",
        .reported = true,
        .report = {.state = MR_TASK_STATE_RESTORING, .lag = 7, .watermark_ms = 5, .error = ""}};
    json_t *value = mr_view_task(&task);
    (void)state;
    assert_string_equal(json_string_value(json_object_get(value, "state")), "restoring");
    assert_int_equal(json_integer_value(json_object_get(value, "lag")), 7);
    assert_int_equal(json_integer_value(json_object_get(value, "partition")), 3);
    json_decref(value);
}

static void test_every_state_has_a_name(void **state)
{
    (void)state;
    for (int at = 0; at < MR_TASK_STATE_COUNT; at++)
        assert_non_null(mr_view_task_state((enum mr_task_state)at));
    assert_string_equal(mr_view_task_state(MR_TASK_STATE_FOLLOWING), "following");
    assert_string_equal(mr_view_health(MR_HEALTH_DELETING), "deleting");
    assert_string_equal(mr_view_worker_state(MR_WORKER_GONE), "gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_known_is_null),
        cmocka_unit_test(test_a_report_goes_along),
        cmocka_unit_test(test_every_state_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
