/* tests/unit/cli/test_topology_test_judge.c — expected records against actual ones, without a
 * topology. */
#include "cli/topology_test_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct mr_arena arena;
    struct mr_test_outputs outputs;
    struct mr_test_output output;
    struct mr_test_result result;
    struct mr_test_judge judge;
};

static struct mr_yaml_node *yaml(struct fixture *fixture, const char *text)
{
    struct mr_report report;
    mr_report_init(&report, &fixture->arena, "test");
    struct mr_yaml_node *node = mr_yaml_parse(mr_slice_text(text), &fixture->arena, &report);
    assert_int_equal(report.errors_count, 0);
    return node;
}

/* records: JSON texts, ended by NULL. */
static void open_fixture(struct fixture *fixture, const char *const *records)
{
    memset(fixture, 0, sizeof(*fixture));
    mr_arena_init(&fixture->arena, 4096);
    fixture->output.name = "out";
    while (records[fixture->output.count] != NULL)
        fixture->output.count++;
    fixture->output.records =
        mr_arena_new(&fixture->arena, fixture->output.count, sizeof(*fixture->output.records));
    for (uint32_t i = 0; i < fixture->output.count; i++)
        fixture->output.records[i] =
            (struct mr_test_record){.key_null = true, .value = mr_slice_text(records[i])};
    fixture->outputs =
        (struct mr_test_outputs){.arena = &fixture->arena, .items = &fixture->output, .count = 1};
    fixture->judge = (struct mr_test_judge){
        .outputs = &fixture->outputs, .result = &fixture->result, .arena = &fixture->arena};
}

static void close_fixture(struct fixture *fixture)
{
    mr_test_outputs_close(&fixture->outputs);
    mr_arena_deinit(&fixture->arena);
}

/* Failures of one list. */
static uint32_t judge(const char *const *records, const char *expected, bool whole, bool ordered,
                      double tolerance)
{
    struct fixture fixture;
    open_fixture(&fixture, records);
    struct mr_yaml_node *list = yaml(&fixture, expected);
    const struct mr_test_expectation expectation = {.output = "out",
                                                    .records = whole ? list : NULL,
                                                    .contains = whole ? NULL : list,
                                                    .ordered = ordered,
                                                    .tolerance = tolerance};
    mr_test_judge_output(&fixture.judge, &expectation, 0);
    uint32_t failures_count = fixture.result.failures_count;
    close_fixture(&fixture);
    return failures_count;
}

static const char *const three[] = {"{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":3.5}",
                                    NULL};
static const char *const none[] = {NULL};

/* Failures of bounds. */
static uint32_t judge_bounds(const char *const *records, const char *least, const char *most,
                             double tolerance)
{
    struct fixture fixture;
    open_fixture(&fixture, records);
    const struct mr_test_expectation expectation = {
        .output = "out",
        .least = least == NULL ? NULL : yaml(&fixture, least),
        .most = most == NULL ? NULL : yaml(&fixture, most),
        .tolerance = tolerance};
    mr_test_judge_output(&fixture.judge, &expectation, 0);
    uint32_t failures_count = fixture.result.failures_count;
    if (failures_count > 0 && fixture.outputs.items[0].count > 0 && least != NULL)
        assert_non_null(strstr(fixture.result.failures[0].differences[0].expected, "at least "));
    close_fixture(&fixture);
    return failures_count;
}

static void bounds_hold_for_all_records(void **state)
{
    (void)state;
    static const char *const odd[] = {"{\"a\":null}", "{\"a\":\"9\"}", "{}",
                                      "{\"a\":{\"b\":1e308}}", NULL};
    assert_int_equal(judge_bounds(three, "{a: 1, b: 1}", "{a: 2, b: 3.5}", 0), 0);
    assert_int_equal(judge_bounds(three, "{b: 1.5}", NULL, 0), 1);
    assert_int_equal(judge_bounds(three, "{b: 1.5}", NULL, 0.5), 0);
    assert_int_equal(judge_bounds(three, NULL, "{b: 0.5, a: 1}", 0), 3);
    assert_int_equal(judge_bounds(three, NULL, "{b: 3}", 0.5), 0);
    assert_int_equal(judge_bounds(three, "{c: 0}", NULL, 1e300), 3);
    assert_int_equal(judge_bounds(odd, "{a: 0}", NULL, 0), 3); /* of four three are shown */
    assert_int_equal(judge_bounds(none, "{a: 0}", "{a: 1}", 0), 2);
}

static void whole_lists(void **state)
{
    (void)state;
    assert_int_equal(judge(three, "[{a: 2}, {b: 2}, {a: 1}]", true, false, 0), 0);
    assert_int_equal(judge(three, "[{a: 1}, {a: 1}, {a: 2}]", true, true, 0), 0);
    assert_int_equal(judge(three, "[{a: 2}, {b: 2}, {a: 1}]", true, true, 0), 2);
    assert_int_equal(judge(three, "[{a: 1}, {a: 1}]", true, false, 0), 1);
    assert_int_equal(judge(three, "[{a: 1}, {a: 1}, {a: 2}, {a: 2}]", true, false, 0), 1);
    assert_int_equal(judge(three, "[]", true, false, 0), 3);
    assert_int_equal(judge(none, "[]", true, false, 0), 0);
    assert_int_equal(judge(none, "[{}]", true, true, 0), 1);
}

/* The vague record could take the one that the exact one needs. */
static void vague_records_leave_exact_ones_theirs(void **state)
{
    (void)state;
    assert_int_equal(judge(three, "[{a: 1}, {}, {b: 1}]", true, false, 0), 0);
    assert_int_equal(judge(three, "[{}, {a: 1}, {a: 1, b: 2}]", true, false, 0), 0);
    assert_int_equal(judge(three, "[{}, {b: 1}, {b: 1}]", true, false, 0), 1);
}

static void contained_lists(void **state)
{
    (void)state;
    assert_int_equal(judge(three, "[{a: 2}]", false, false, 0), 0);
    assert_int_equal(judge(three, "[{a: 2}, {a: 2}]", false, false, 0), 1);
    assert_int_equal(judge(three, "[{a: 1}, {a: 2}]", false, true, 0), 0);
    assert_int_equal(judge(three, "[{a: 2}, {a: 1}]", false, true, 0), 1);
    assert_int_equal(judge(three, "[]", false, false, 0), 0);
}

static void values_match_by_their_kind(void **state)
{
    (void)state;
    static const char *const records[] = {
        "{\"i\":9007199254740993,\"d\":0.5,\"t\":\"1\",\"l\":[1,{\"x\":2}],\"b\":true,\"o\":null}",
        NULL};
    static const struct {
        const char *expected;
        double tolerance;
        uint32_t failures_count;
    } cases[] = {
        {"[{i: 9007199254740993}]", 0, 0},
        {"[{i: 9007199254740992}]", 0, 1},
        {"[{i: 9007199254740000}]", 1e4, 0},
        {"[{d: 0.5}]", 0, 0},
        {"[{d: 0.4}]", 0, 1},
        {"[{d: 0.4}]", 0.11, 0},
        {"[{d: 5e-1}]", 0, 0},
        {"[{t: '1'}]", 0, 0},
        {"[{t: 1}]", 0, 1},
        {"[{i: '9007199254740993'}]", 0, 1},
        {"[{l: [1, {x: 2}]}]", 0, 0},
        {"[{l: [1, {}]}]", 0, 0},
        {"[{l: [1]}]", 0, 1},
        {"[{l: [1, {x: 3}]}]", 0, 1},
        {"[{b: true}]", 0, 0},
        {"[{b: false}]", 0, 1},
        {"[{o: null, missing: null}]", 0, 0},
        {"[{d: null}]", 0, 1},
        {"[{o: {}}]", 0, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].expected);
        assert_int_equal(judge(records, cases[i].expected, true, false, cases[i].tolerance),
                         cases[i].failures_count);
    }
}

static void the_nearest_record_is_shown(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, three);
    const struct mr_test_expectation expectation = {
        .output = "out", .contains = yaml(&fixture, "[{a: 2, b: 3, c: x}]")};
    mr_test_judge_output(&fixture.judge, &expectation, 0);
    assert_int_equal(fixture.result.failures_count, 1);
    const struct mr_test_failure *failure = &fixture.result.failures[0];
    assert_string_equal(failure->message, "out: no record is as expected");
    assert_string_equal(failure->expected, "{\"a\":2,\"b\":3,\"c\":\"x\"}");
    assert_string_equal(failure->nearest, three[2]);
    assert_int_equal(failure->differences_count, 2);
    assert_string_equal(failure->differences[0].path, "b");
    assert_string_equal(failure->differences[0].actual, "3.5");
    assert_string_equal(failure->differences[1].actual, "nothing");
    close_fixture(&fixture);
}

static void counts_and_what_came_before(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, three);
    struct mr_test_expectation expectation = {.output = "out", .counted = true, .count = 3};
    mr_test_judge_output(&fixture.judge, &expectation, 0);
    expectation.count = 1;
    mr_test_judge_output(&fixture.judge, &expectation, 2);
    assert_int_equal(fixture.result.failures_count, 0);
    mr_test_judge_output(&fixture.judge, &expectation, 0);
    assert_int_equal(fixture.result.failures_count, 1);
    assert_string_equal(fixture.result.failures[0].message, "out: expected 1 record, got 3");
    close_fixture(&fixture);
}

static void many_failures_are_counted(void **state)
{
    (void)state;
    const char *records[MR_TEST_FAILURES_MAX + 6] = {NULL};
    struct fixture fixture;
    for (uint32_t i = 0; i < MR_TEST_FAILURES_MAX + 5; i++)
        records[i] = "{}";
    open_fixture(&fixture, records);
    struct mr_test_expectation expectation = {.output = "out", .counted = true};
    for (uint32_t i = 0; i < MR_TEST_FAILURES_MAX + 5; i++)
        mr_test_judge_output(&fixture.judge, &expectation, 0);
    assert_int_equal(fixture.result.failures_count, MR_TEST_FAILURES_MAX + 5);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_hold_for_all_records),
        cmocka_unit_test(whole_lists),
        cmocka_unit_test(vague_records_leave_exact_ones_theirs),
        cmocka_unit_test(contained_lists),
        cmocka_unit_test(values_match_by_their_kind),
        cmocka_unit_test(the_nearest_record_is_shown),
        cmocka_unit_test(counts_and_what_came_before),
        cmocka_unit_test(many_failures_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
