/* tests/unit/coordinator/test_shell_jobs.c — the core's jobs end to end: fences, topics that go and
 * come, positions that move, sources that grow. */
#include "tests/unit/coordinator/coordinator_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define EXPECT(method, path, body, code, text)                                                     \
    mr_coordinator_fixture_expect(fixture, method, path, body, code, text)

static struct mr_coordinator_fixture *lead(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    return fixture;
}

struct topic_search {
    const char *part;
    uint32_t count;
    char name[256];
};

static void visit(void *argument, const char *name)
{
    struct topic_search *search = argument;
    if (strstr(name, search->part) == NULL)
        return;
    search->count++;
    (void)snprintf(search->name, sizeof(search->name), "%s", name);
}

static struct topic_search topics(struct mr_coordinator_fixture *fixture, const char *part)
{
    struct topic_search search = {.part = part};
    assert_int_equal(fixture->log->ops->topics_list(fixture->log, visit, &search, &fixture->error),
                     MR_OK);
    return search;
}

static void test_a_delete_takes_the_topics_along(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    assert_int_equal(topics(fixture, ".score.changelog").count, 1);
    mr_coordinator_fixture_work(fixture, "w1", 2);
    EXPECT("DELETE", "/v1/topologies/t", NULL, 202, "t");
    mr_coordinator_fixture_work(fixture, "w1", 0);
    mr_coordinator_fixture_await(fixture, "/v1/topologies", "\"topologies\":[]");
    assert_int_equal(topics(fixture, ".score.changelog").count, 0);
    /* The same name again: another generation. */
    EXPECT("POST", "/v1/topologies", mr_fixture_renamed, 200, "is active");
}

static void test_a_reset_starts_under_another_generation(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    struct topic_search before = topics(fixture, ".score.changelog");
    EXPECT("POST", "/v1/topologies/t/reset", NULL, 202, "t");
    mr_coordinator_fixture_work(fixture, "w1", 2);
    mr_coordinator_fixture_await(fixture, "/v1/topologies", "\"state\":\"running\"");
    struct topic_search after = topics(fixture, ".score.changelog");
    assert_int_equal(after.count, 1);
    assert_string_not_equal(after.name, before.name);
}

static void test_a_seek_ends_with_the_topology_running(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    EXPECT("POST", "/v1/topologies/t/seek", "{\"source\": \"a\", \"to\": \"earliest\"}", 200,
           "state and the watermarks");
    mr_coordinator_fixture_work(fixture, "w1", 2);
}

static void test_a_source_that_grows_gets_more_tasks(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateless, 200, "is active");
    assert_int_equal(fixture->log->ops->topic_grow(fixture->log, "in", 5, &fixture->error), MR_OK);
    mr_coordinator_fixture_await(fixture, "/v1/topologies", "\"version\":2");
    mr_coordinator_fixture_work(fixture, "w1", 5);
}

static void test_growth_under_state_is_a_warning(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    assert_int_equal(fixture->log->ops->topic_grow(fixture->log, "in", 5, &fixture->error), MR_OK);
    mr_coordinator_fixture_await(fixture, "/v1/topologies", "\"warning\":\"blocked: repartition");
    mr_coordinator_fixture_work(fixture, "w1", 2); /* it goes on with what it has */
    EXPECT("GET", "/v1/why?topology=t", NULL, 200, "\"kind\":\"source\"");
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_delete_takes_the_topics_along),
        CASE(test_a_reset_starts_under_another_generation),
        CASE(test_a_seek_ends_with_the_topology_running),
        CASE(test_a_source_that_grows_gets_more_tasks),
        CASE(test_growth_under_state_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
