/* tests/unit/operators/test_run_rules.c — each rule by its definition, and the vectors that the R
 * package qcc publishes for the Western Electric rules. */
#include "operators/run_rules.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

/* The points (from 1) of a chart with centre 0, sigma 1 and limits +-3 at which a rule is broken,
 * as text. */
static const char *broken_at(enum mr_run_rule rule, const double *values, size_t count)
{
    static char text[512];
    struct mr_run_history history = {0};
    size_t used = 0;
    text[0] = '\0';
    for (size_t index = 0; index < count; index++) {
        double value = values[index];
        mr_run_history_add(&history, value, value, value > 3 || value < -3);
        if (mr_run_rules_broken(&history, 1u << rule) != 0)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%zu",
                                     used == 0 ? "" : " ", index + 1);
    }
    return text;
}

#define BROKEN_AT(rule, ...)                                                                       \
    broken_at((rule), (const double[]){__VA_ARGS__},                                               \
              sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static void the_vectors_of_qcc(void **state)
{
    MR_UNUSED(state);
    assert_string_equal(BROKEN_AT(MR_RULE_WE1, 0, 3.2, -3.5, 2.9), "2 3");
    assert_string_equal(BROKEN_AT(MR_RULE_WE2, 0, 2.5, 1, 2.6, 0), "4");
    assert_string_equal(BROKEN_AT(MR_RULE_WE3, 0, 1.2, 1.3, .2, 1.4, 1.5), "6");
    assert_string_equal(BROKEN_AT(MR_RULE_WE4, -1, -1, -1, -1, -1, -1, -1, -1, 1), "8");
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON2, .5, .5, .5, .5, .5, .5, .5, .5, .5, .5, -.5, -.5,
                                  -.5, -.5, -.5, -.5, -.5, -.5, -.5, -.5),
                        "9 10 19 20");
}

static void limits_are_not_beyond_themselves(void **state)
{
    MR_UNUSED(state);
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON1, 3, -3, 3.0000001), "3");
    assert_string_equal(BROKEN_AT(MR_RULE_WE2, 2, 2, 2), "");
    assert_string_equal(BROKEN_AT(MR_RULE_WE3, 1, 1, 1, 1, 1), "");
    /* The centre line is on no side. */
    assert_string_equal(BROKEN_AT(MR_RULE_WE4, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1), "13");
}

static void sides_are_not_mixed(void **state)
{
    MR_UNUSED(state);
    assert_string_equal(BROKEN_AT(MR_RULE_WE2, 2.5, -2.5, 0), "");
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON5, -2.5, 2.5, -2.6), "3");
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON6, -1.5, -1.5, 1.5, -1.5, 1.5), "");
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON6, -1.5, -1.5, 1.5, -1.5, -3.5), "5");
    /* Told when it happens: the newest point is one of the two. */
    assert_string_equal(BROKEN_AT(MR_RULE_WE2, 2.5, 2.5, 0, 0), "2");
}

static void trends(void **state)
{
    MR_UNUSED(state);
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON3, 0, .1, .2, .3, .4, .5, .6, .6, .7), "6 7");
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON3, 5, 4, 3, 2, 1, 1.5, 1, 0), "");
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON3, 5, 4, 3, 2, 1, 0), "6");
    assert_string_equal(
        BROKEN_AT(MR_RULE_NELSON4, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1), "14 15");
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON4, 0, 1, 2, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0),
                        "");
}

static void either_side(void **state)
{
    MR_UNUSED(state);
    assert_string_equal(BROKEN_AT(MR_RULE_NELSON7, .5, -.5, .5, 0, .5, .5, .5, .5, .5, .5, .5, .5,
                                  .5, 1, -1, 1.1, .5),
                        "15");
    assert_string_equal(
        BROKEN_AT(MR_RULE_NELSON8, 1.5, -1.5, 2, -2, 3.5, 1.1, 1.1, -1.1, -1.1, 1, 1.1), "8 9");
}

static void the_points_are_told(void **state)
{
    MR_UNUSED(state);
    static const double values[] = {0, 1.2, 1.3, .2, 1.4, 1.5};
    struct mr_run_history history = {0};
    uint8_t back[MR_RULE_POINTS_MAX];
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++)
        mr_run_history_add(&history, values[index], values[index], false);
    assert_int_equal(mr_run_rules_broken(&history, MR_RULES_WESTERN_ELECTRIC | MR_RULES_NELSON),
                     1u << MR_RULE_WE3 | 1u << MR_RULE_NELSON6);
    static const uint8_t expected[] = {4, 3, 1, 0};
    assert_int_equal(mr_run_rule_points(&history, MR_RULE_WE3, back), 4);
    assert_memory_equal(back, expected, 4);
    for (int step = 0; step < 5; step++)
        mr_run_history_add(&history, 2 + step, 0, false);
    assert_int_equal(mr_run_rule_points(&history, MR_RULE_NELSON3, back), 6);
    assert_int_equal(back[0], 5);
    assert_int_equal(back[5], 0);
}

static void names(void **state)
{
    MR_UNUSED(state);
    assert_int_equal(mr_run_rules_named(mr_slice_text("we1")), 1);
    assert_int_equal(mr_run_rules_named(mr_slice_text("nelson8")), 1u << MR_RULE_NELSON8);
    assert_int_equal(mr_run_rules_named(mr_slice_text("western_electric")), 15);
    assert_int_equal(mr_run_rules_named(mr_slice_text("nelson")), 0xff0);
    assert_int_equal(mr_run_rules_named(mr_slice_text("we5")), 0);
    assert_int_equal(mr_run_rules_broken(&(struct mr_run_history){0}, 0xfff), 0);
}

/* Mean number of points until a rule is broken, beside a Markov chain
 * (tests/support/control_reference.py run-lengths). */
static bool runs_for(uint32_t rules, double shift, uint32_t runs, double expected)
{
    struct mr_random random;
    uint64_t points = 0;
    mr_random_init(&random, 5, 1);
    for (uint32_t run = 0; run < runs; run++) {
        struct mr_run_history history = {0};
        do {
            double value = shift + mr_random_normal(&random);
            mr_run_history_add(&history, value, value, fabs(value) > 3);
            points++;
        } while (mr_run_rules_broken(&history, rules) == 0);
    }
    double found = (double)points / runs;
    if (fabs(found / expected - 1) < 0.02)
        return true;
    print_error("the mean run length is %g, not %g\n", found, expected);
    return false;
}

static void run_lengths(void **state)
{
    MR_UNUSED(state);
    assert_true(runs_for(1u << MR_RULE_WE1, 0, 20000, 370.398));
    assert_true(runs_for(1u << MR_RULE_WE1, 1, 50000, 43.895));
    assert_true(runs_for(MR_RULES_WESTERN_ELECTRIC, 0, 50000, 91.751));
    assert_true(runs_for(MR_RULES_WESTERN_ELECTRIC, 0.5, 50000, 27.325));
    assert_true(runs_for(MR_RULES_WESTERN_ELECTRIC, 1, 200000, 9.222));
    assert_true(runs_for(MR_RULES_WESTERN_ELECTRIC, 2, 200000, 3.128));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_qcc),
        cmocka_unit_test(limits_are_not_beyond_themselves),
        cmocka_unit_test(sides_are_not_mixed),
        cmocka_unit_test(trends),
        cmocka_unit_test(either_side),
        cmocka_unit_test(the_points_are_told),
        cmocka_unit_test(names),
        cmocka_unit_test(run_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
