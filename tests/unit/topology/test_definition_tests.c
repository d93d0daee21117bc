/* tests/unit/topology/test_definition_tests.c — `tests:` of a file; the messages are in
 * tests/golden/topology. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"

static const char frame[] =
    "  sources:\n"
    "    - {name: in, type: kafka, topic: in}\n"
    "  operators:\n"
    "    - {name: ways, type: branch, from: in, branches: [{name: hot, where: v > 1}]}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: ways.hot}\n"
    "  tests:\n%s";

static uint32_t errors_of(const char *tests)
{
    struct mr_topology_fixture fixture;
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    char *body = mr_arena_take(&arena, sizeof(frame) + strlen(tests));
    memcpy(body, frame, sizeof(frame) - 3);
    memcpy(body + sizeof(frame) - 3, tests, strlen(tests) + 1);
    mr_topology_fixture_open(&fixture, body);
    uint32_t errors_count = fixture.report.errors_count;
    if (errors_count == 0)
        assert_int_equal(fixture.plan->tests_count, 1);
    mr_topology_fixture_close(&fixture);
    mr_arena_deinit(&arena);
    return errors_count;
}

static void right_tests_are_counted(void **state)
{
    (void)state;
    assert_int_equal(errors_of("    - name: x\n"
                               "      given: {in: [{record: {v: 1}, repeat: 3, set: {t: i * 2}}]}\n"
                               "      expect: {out: {count: 1, records: [{v: 1}], contains: [], "
                               "ordered: true, tolerance: 0.1}}\n"),
                     0);
    assert_int_equal(errors_of("    - {name: x, given: {}, expect: {ways.rest: {count: 0}}}\n"), 0);
    assert_int_equal(errors_of("    - {name: x, given: {}, expect: {ways.hot: {count: 0}}}\n"), 0);
}

static void wrong_tests_are_errors(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "    - {given: {}, expect: {}}\n",
        "    - {name: x, expect: {}}\n",
        "    - {name: x, given: {}}\n",
        "    - {name: x, given: [], expect: {}}\n",
        "    - {name: x, given: {out: []}, expect: {}}\n",
        "    - {name: x, given: {in: {}}, expect: {}}\n",
        "    - {name: x, given: {in: [{repeat: 1}]}, expect: {}}\n",
        "    - {name: x, given: {in: [{record: {}, set: {t: k}}]}, expect: {}}\n",
        "    - {name: x, given: {}, expect: {ways: {count: 1}}}\n",
        "    - {name: x, given: {}, expect: {ways.cold: {count: 1}}}\n",
        "    - {name: x, given: {}, expect: {out: {count: -1}}}\n",
        "    - {name: x, given: {}, expect: {out: 5}}\n",
        "    - {name: x, given: {}, expect: {}, skip: true}\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        print_message("%s", wrong[i]);
        assert_int_equal(errors_of(wrong[i]), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_tests_are_counted),
        cmocka_unit_test(wrong_tests_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
