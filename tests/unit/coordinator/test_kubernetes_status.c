/* tests/unit/coordinator/test_kubernetes_status.c — status, conditions and how they change. */
#include "coordinator/kubernetes_status.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static json_t *topology(const char *health, int running, int restoring, int lag)
{
    return json_pack("{s:s, s:s, s:n, s:i, s:i, s:i, s:i, s:i}", "health", health, "reason",
                     "A sentence.", "warning", "version", 3, "tasks", 4, "tasks_running", running,
                     "tasks_restoring", restoring, "lag", lag);
}

static const char *text(const json_t *object, const char *name)
{
    const char *found = json_string_value(json_object_get(object, name));
    return found != NULL ? found : "";
}

static void expect_condition(const json_t *status, size_t index, const char *type,
                             const char *value, const char *reason, const char *since)
{
    const json_t *condition = json_array_get(json_object_get(status, "conditions"), index);
    assert_string_equal(text(condition, "type"), type);
    assert_string_equal(text(condition, "status"), value);
    assert_string_equal(text(condition, "reason"), reason);
    assert_string_equal(text(condition, "lastTransitionTime"), since);
}

static void a_running_topology_is_ready(void **state)
{
    (void)state;
    json_t *running = topology("running", 4, 0, 12);
    struct mr_kubernetes_facts facts = {.cluster = "c",
                                        .generation = 7,
                                        .verdict = MR_VERDICT_ACCEPTED,
                                        .topology = running,
                                        .wall_ms = 1500};
    json_t *status = mr_kubernetes_status(&facts, NULL);
    assert_string_equal(text(status, "state"), "Running");
    assert_string_equal(text(json_object_get(status, "tasks"), "summary"), "4/4");
    assert_int_equal(json_integer_value(json_object_get(status, "lag")), 12);
    assert_int_equal(json_integer_value(json_object_get(status, "observedGeneration")), 7);
    assert_int_equal(json_integer_value(json_object_get(status, "version")), 3);
    assert_null(json_object_get(status, "lastError"));
    expect_condition(status, 0, "Accepted", "True", "Accepted", "1970-01-01T00:00:01Z");
    expect_condition(status, 1, "Ready", "True", "Running", "1970-01-01T00:00:01Z");
    expect_condition(status, 2, "Restoring", "False", "Restored", "1970-01-01T00:00:01Z");
    json_decref(running);
    json_decref(status);
}

static void a_condition_keeps_its_time(void **state)
{
    (void)state;
    json_t *running = topology("running", 4, 0, 0);
    json_t *restoring = topology("starting", 3, 1, 0);
    struct mr_kubernetes_facts facts = {.cluster = "c",
                                        .generation = 7,
                                        .verdict = MR_VERDICT_ACCEPTED,
                                        .topology = running,
                                        .wall_ms = 1500};
    json_t *before = mr_kubernetes_status(&facts, NULL);
    facts.topology = restoring;
    facts.wall_ms = 9000;
    json_t *after = mr_kubernetes_status(&facts, before);
    expect_condition(after, 0, "Accepted", "True", "Accepted", "1970-01-01T00:00:01Z");
    expect_condition(after, 1, "Ready", "False", "Restoring", "1970-01-01T00:00:09Z");
    expect_condition(after, 2, "Restoring", "True", "Restoring", "1970-01-01T00:00:09Z");
    assert_int_equal(mr_kubernetes_status_change(before, after), MR_STATUS_OTHER);
    assert_int_equal(mr_kubernetes_status_change(NULL, after), MR_STATUS_OTHER);
    assert_int_equal(mr_kubernetes_status_change(after, after), MR_STATUS_SAME);
    (void)json_object_set_new(restoring, "lag", json_integer(5));
    (void)json_object_set_new(restoring, "reason", json_string("Another."));
    json_t *later = mr_kubernetes_status(&facts, after);
    assert_int_equal(mr_kubernetes_status_change(after, later), MR_STATUS_DETAIL);
    json_decref(running);
    json_decref(restoring);
    json_decref(before);
    json_decref(after);
    json_decref(later);
}

static void a_refused_one_says_why(void **state)
{
    (void)state;
    json_t *findings = json_pack("[{s:s}]", "message", "Wrong.");
    const struct mr_kubernetes_facts facts = {.cluster = "c",
                                              .generation = 1,
                                              .verdict = MR_VERDICT_INVALID,
                                              .message = "line 3: Wrong.",
                                              .findings = findings};
    json_t *status = mr_kubernetes_status(&facts, NULL);
    assert_string_equal(text(status, "state"), "Refused");
    assert_string_equal(text(status, "lastError"), "line 3: Wrong.");
    assert_true(json_equal(json_object_get(status, "findings"), findings));
    expect_condition(status, 0, "Accepted", "False", "Invalid", "1970-01-01T00:00:00Z");
    expect_condition(status, 1, "Ready", "False", "Refused", "1970-01-01T00:00:00Z");
    json_t *before = json_pack("{s:i, s:s}", "version", 3, "state", "Running");
    json_t *patch = mr_kubernetes_status_patch(before, status);
    assert_true(json_is_null(json_object_get(patch, "version")));
    assert_string_equal(text(patch, "state"), "Refused");
    json_decref(patch);
    json_decref(before);
    json_decref(status);
    json_decref(findings);
}

static void failures_and_deletions_are_said(void **state)
{
    (void)state;
    json_t *failed = topology("failed", 0, 0, 0);
    struct mr_kubernetes_facts facts = {
        .cluster = "c", .generation = 1, .verdict = MR_VERDICT_ACCEPTED, .topology = failed};
    json_t *status = mr_kubernetes_status(&facts, NULL);
    assert_string_equal(text(status, "state"), "Failed");
    assert_string_equal(text(status, "lastError"), "A sentence.");
    json_decref(status);
    facts.deleting = true;
    status = mr_kubernetes_status(&facts, NULL);
    assert_string_equal(text(status, "state"), "Deleting");
    json_decref(status);
    facts = (struct mr_kubernetes_facts){.cluster = "c", .verdict = MR_VERDICT_LATER};
    status = mr_kubernetes_status(&facts, NULL);
    assert_string_equal(text(status, "state"), "Starting");
    expect_condition(status, 0, "Accepted", "Unknown", "Pending", "1970-01-01T00:00:00Z");
    json_decref(status);
    json_decref(failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_topology_is_ready),
        cmocka_unit_test(a_condition_keeps_its_time),
        cmocka_unit_test(a_refused_one_says_why),
        cmocka_unit_test(failures_and_deletions_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
