/* tests/unit/operators/test_field_rule.c — what each rule yields, that fields depend on nothing but
 * their name and what they refer to, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { NOW_MS = 1700000000, ROWS = 4000 };

static void open_fields(struct harness *harness, const char *fields)
{
    char text[2048];
    int64_t next;
    int64_t due_ms;
    snprintf(text, sizeof(text),
             "    - {name: made, type: generate.datagen, count: %d, fields: [%s]}\n", ROWS, fields);
    harness_open_sources(harness, text, "", "    - {name: out, type: memory, from: made}\n", "made",
                         0, 1);
    harness->keeps_last = true;
    assert_int_equal(harness_generate(harness, 0, NOW_MS, ROWS, &next, &due_ms), MR_OK);
    assert_int_equal(next, ROWS);
}

/* harness_field shows the first row of what was emitted last: this makes one row alone. */
static struct mr_value value_at(struct harness *harness, int64_t number, const char *field)
{
    int64_t next;
    int64_t due_ms;
    assert_int_equal(harness_generate(harness, number, NOW_MS, 1, &next, &due_ms), MR_OK);
    return harness_field(harness, 0, field);
}

static bool text_is(struct mr_value value, const char *text)
{
    return value.kind == MR_KIND_STRING &&
           mr_slice_equal(mr_value_text(value), mr_slice_text(text));
}

static void sequences_go_on_or_begin_again(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_fields(&harness, "{name: a, rule: sequence}, {name: b, rule: sequence, first: 10, "
                          "increment: -3, last: 3}, {name: c, rule: sequence, first: 7, last: 7}, "
                          "{name: d, rule: sequence, first: 0, increment: 4, last: 9}");
    static const int64_t b[] = {10, 7, 4, 10};
    static const int64_t d[] = {0, 4, 8, 0};
    for (int64_t number = 0; number < 4; number++) {
        assert_int_equal(value_at(&harness, number, "a").integer, number);
        assert_int_equal(harness_field(&harness, 0, "b").integer, b[number]);
        assert_int_equal(harness_field(&harness, 0, "c").integer, 7);
        assert_int_equal(harness_field(&harness, 0, "d").integer, d[number]);
    }
    harness_close(&harness);
}

static void numbers_have_their_distributions(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_fields(&harness,
                "{name: i, rule: integer, minimum: -2.5, maximum: 2.5}, {name: u, rule: uniform, "
                "minimum: 1, maximum: 3, decimals: 1}, {name: g, rule: normal, mean: 5, sd: 2}, "
                "{name: z, rule: zipf, minimum: 10, maximum: 12}, {name: t, rule: boolean, "
                "true_share: 0.9}");
    uint32_t integers[5] = {0};
    uint32_t zipf[3] = {0};
    uint32_t trues = 0;
    double uniform = 0;
    double normal = 0;
    double squares = 0;
    for (int64_t number = 0; number < ROWS; number++) {
        integers[value_at(&harness, number, "i").integer + 2]++;
        double u = harness_field(&harness, 0, "u").number;
        assert_true(u >= 1 && u <= 3 && fabs(u * 10 - nearbyint(u * 10)) < 1e-9);
        uniform += u;
        double g = harness_field(&harness, 0, "g").number - 5;
        normal += g;
        squares += g * g;
        zipf[harness_field(&harness, 0, "z").integer - 10]++;
        trues += harness_field(&harness, 0, "t").boolean;
    }
    for (int at = 0; at < 5; at++)
        assert_in_range(integers[at], 700, 900); /* 800, four standard deviations of 25 */
    assert_true(fabs(uniform / ROWS - 2) < 0.04);
    assert_true(fabs(normal / ROWS) < 0.13 && fabs(squares / ROWS - 4) < 0.4);
    assert_in_range(zipf[0], 2055, 2310); /* 6/11, 3/11, 2/11 of 4,000 */
    assert_in_range(zipf[1], 975, 1210);
    assert_in_range(zipf[2], 625, 830);
    assert_in_range(trues, 3520, 3680);
    harness_close(&harness);
}

static void choices_follow_weights_and_other_fields(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_fields(&harness,
                "{name: m, rule: integer, maximum: 3}, {name: w, rule: choice, values: [a, b, c], "
                "weights: [1, 0, 3]}, {name: by, rule: choice, by: m, values: [other], cases: ["
                "{is: '1', values: [one]}, {is: '2', values: [two, deux], weights: [1, 1]}]}, "
                "{name: none, rule: choice, by: w, cases: [{is: a, values: [A]}]}");
    uint32_t a = 0;
    uint32_t deux = 0;
    uint32_t twos = 0;
    for (int64_t number = 0; number < ROWS; number++) {
        int64_t n = value_at(&harness, number, "m").integer;
        struct mr_value by = harness_field(&harness, 0, "by");
        struct mr_value w = harness_field(&harness, 0, "w");
        assert_true(text_is(w, "a") || text_is(w, "c"));
        a += text_is(w, "a");
        if (n == 2) {
            twos++;
            deux += text_is(by, "deux");
            assert_true(text_is(by, "two") || text_is(by, "deux"));
        } else {
            assert_true(text_is(by, n == 1 ? "one" : "other"));
        }
        struct mr_value none = harness_field(&harness, 0, "none");
        assert_true(text_is(w, "a") ? text_is(none, "A") : none.kind == MR_KIND_NULL);
    }
    assert_in_range(a, 890, 1110);
    assert_true(deux * 100 > twos * 42 && deux * 100 < twos * 58);
    harness_close(&harness);
}

static void texts_are_made_of_other_fields(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_fields(&harness,
                "{name: m, rule: sequence, first: 1}, {name: u, rule: uniform, decimals: 2}, "
                "{name: b, rule: boolean, true_share: 1}, {name: nil, rule: sequence, null_share: "
                "1}, {name: t, rule: template, text: '{{{m}}}:{b}:{nil}:'}, {name: c, rule: copy, "
                "of: u}, {name: v, rule: template, text: '{u}'}, {name: e, rule: template, text: "
                "''}, {name: id, rule: uuid}, {name: at, rule: time}, {name: past, rule: time, "
                "max_past: 5ms}");
    bool past[6] = {false};
    for (int64_t number = 0; number < 200; number++) {
        char text[64];
        snprintf(text, sizeof(text), "{%lld}:true::", (long long)number + 1);
        assert_true(text_is(value_at(&harness, number, "t"), text));
        double u = harness_field(&harness, 0, "u").number;
        assert_true(harness_field(&harness, 0, "c").number == u);
        snprintf(text, sizeof(text), "%g", u);
        assert_true(text_is(harness_field(&harness, 0, "v"), text) || u == 0);
        assert_true(text_is(harness_field(&harness, 0, "e"), ""));
        struct mr_value id = harness_field(&harness, 0, "id");
        assert_int_equal(id.size, 36);
        assert_true(id.text[14] == '4' && strchr("89ab", id.text[19]) != NULL);
        int64_t at = harness_field(&harness, 0, "at").integer;
        assert_int_equal(at, 1704067200000 + number);
        int64_t before = at - harness_field(&harness, 0, "past").integer;
        assert_in_range(before, 0, 5);
        past[before] = true;
    }
    for (int at = 0; at < 6; at++)
        assert_true(past[at]);
    harness_close(&harness);
}

/* A field beside it, or before it, changes nothing. */
static void a_field_depends_on_its_name_alone(void **state)
{
    MR_UNUSED(state);
    struct harness alone;
    struct harness among;
    uint32_t nulls = 0;
    open_fields(&alone, "{name: x, rule: uniform, null_share: 0.3}");
    open_fields(&among, "{name: a, rule: uniform}, {name: x, rule: uniform, null_share: 0.3}, "
                        "{name: b, rule: uniform}");
    for (int64_t number = 0; number < 1000; number++) {
        struct mr_value x = value_at(&alone, number, "x");
        struct mr_value y = value_at(&among, number, "x");
        assert_true(mr_value_equal(x, y));
        assert_false(mr_value_equal(harness_field(&among, 0, "a"), harness_field(&among, 0, "b")) &&
                     number < 3);
        nulls += x.kind == MR_KIND_NULL;
    }
    assert_in_range(nulls, 240, 360);
    harness_close(&alone);
    harness_close(&among);
}

static bool refused(const char *fields, const char *sentence)
{
    struct mr_arena arena;
    char text[1024];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text), "    - {name: made, type: generate.datagen, fields: [%s]}\n",
             fields);
    const char *findings =
        harness_findings(&arena, text, "", "    - {name: out, type: memory, from: made}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void rules_are_checked(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("{name: a, rule: uuid}, {name: a, rule: uuid}", "two fields are named"));
    assert_true(refused("{name: a, rule: sequence, increment: 0}", "must not be 0"));
    assert_true(refused("{name: a, rule: sequence, first: 3, last: 2}", "leads away from"));
    assert_true(refused("{name: a, rule: uniform, minimum: 1}", "must be below"));
    assert_true(refused("{name: a, rule: integer, minimum: 0.2, maximum: 0.8}", "no whole number"));
    assert_true(refused("{name: a, rule: choice}", "needs `values`"));
    assert_true(refused("{name: a, rule: choice, values: [x], by: b}", "belong together"));
    assert_true(refused("{name: a, rule: choice, by: b, cases: [{is: c, values: [d]}]}",
                        "does not stand before it"));
    assert_true(
        refused("{name: a, rule: choice, values: [x, y], weights: [1]}", "1 weights for 2"));
    assert_true(refused("{name: a, rule: choice, values: [x, y], weights: [0, 0]}", "no weight"));
    assert_true(refused("{name: a, rule: choice, values: [x], weights: [-1]}", "between 0 and"));
    assert_true(refused("{name: a, rule: regex}", "needs `pattern`"));
    assert_true(refused("{name: a, rule: regex, pattern: '(a'}", "at byte 1: the group"));
    assert_true(refused("{name: a, rule: template}", "needs `text`"));
    assert_true(refused("{name: a, rule: template, text: '{a}'}", "does not stand before it"));
    assert_true(refused("{name: a, rule: template, text: '{a'}", "a { without its }"));
    assert_true(refused("{name: a, rule: template, text: 'a}'}", "a } without its {"));
    assert_true(refused("{name: a, rule: copy}", "needs `of`"));
    assert_true(refused("{name: a, rule: copy, of: b}, {name: b, rule: uuid}", "does not stand"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_go_on_or_begin_again),
        cmocka_unit_test(numbers_have_their_distributions),
        cmocka_unit_test(choices_follow_weights_and_other_fields),
        cmocka_unit_test(texts_are_made_of_other_fields),
        cmocka_unit_test(a_field_depends_on_its_name_alone),
        cmocka_unit_test(rules_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
