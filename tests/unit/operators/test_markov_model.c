/* tests/unit/operators/test_markov_model.c — the model of generate.markov by itself: names,
 * drawing, what was never seen. */
#include "operators/markov_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static struct harness harness; /* for its state and node */
static struct mr_markov_model model;
static struct mr_error error;

static void open_model(uint32_t order)
{
    harness_open(&harness,
                 "    - {name: op, type: generate.markov, learn: in, key: [k], field: value}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    model = (struct mr_markov_model){.states_max = 2, .order = order};
    /* Tables of a name of their own: those of the operator are open. */
    static struct mr_plan_node node;
    node = *harness.node;
    node.name = "model";
    const struct mr_operator_open open = {
        .plan = harness.plan, .node = &node, .state = harness.state, .partitions_count = 1};
    assert_int_equal(mr_markov_model_open(&model, &open, &error), MR_OK);
}

static uint8_t number_of(const char *text)
{
    uint8_t number;
    struct mr_slice slice = mr_slice_text(text);
    assert_int_equal(mr_markov_model_number(&model, slice, &number, &error), MR_OK);
    struct mr_markov_pool *pool;
    assert_int_equal(mr_markov_model_pool(&model, &pool, &error), MR_OK);
    mr_markov_pool_dirty(&model, pool);
    return number;
}

static void names_are_bounded(void **state)
{
    MR_UNUSED(state);
    struct mr_slice text;
    open_model(1);
    assert_int_equal(number_of("a"), 1);
    assert_int_equal(number_of(""), 2);
    assert_int_equal(number_of("c"), MR_MARKOV_OTHER);
    assert_int_equal(number_of("a"), 1);
    assert_int_equal(
        number_of("0123456789012345678901234567890123456789012345678901234567890123456789"),
        MR_MARKOV_OTHER);
    struct mr_slice other = mr_slice_text("rest");
    assert_int_equal(mr_markov_model_text(&model, 1, other, &text, &error), MR_OK);
    assert_true(mr_slice_equal(text, mr_slice_text("a")));
    assert_int_equal(mr_markov_model_text(&model, 0, other, &text, &error), MR_OK);
    assert_true(mr_slice_equal(text, other));
    assert_int_equal(mr_markov_model_text(&model, 3, other, &text, &error), MR_CORRUPT);
    harness_close(&harness);
}

static void shares_and_dwells_are_those_learned(void **state)
{
    MR_UNUSED(state);
    enum { DRAWS = 4000 };
    uint32_t found[3] = {0};
    struct mr_markov_place next;
    const struct mr_markov_place at_one = {MR_MARKOV_NONE, 1};
    open_model(2);
    const struct mr_markov_place nowhere = {MR_MARKOV_NONE, MR_MARKOV_NONE};
    assert_int_equal(mr_markov_model_learn(&model, nowhere, 1, 0, 0, &error), MR_OK);
    for (int times = 0; times < 3; times++)
        assert_int_equal(mr_markov_model_learn(&model, at_one, 2, 500, 0, &error), MR_OK);
    assert_int_equal(mr_markov_model_learn(&model, at_one, 0, 500, 0, &error), MR_OK);
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        struct mr_random random;
        int64_t dwell_ms;
        mr_random_init(&random, 1, draw);
        assert_int_equal(mr_markov_model_next(&model, at_one, &random, &next, &error), MR_OK);
        assert_int_equal(next.before, 1);
        found[next.state]++;
        assert_int_equal(mr_markov_model_dwell(&model, 1, &random, &dwell_ms, &error), MR_OK);
        assert_int_equal(dwell_ms, 500);
        assert_int_equal(mr_markov_model_dwell(&model, 2, &random, &dwell_ms, &error), MR_OK);
        assert_int_equal(dwell_ms, 0); /* never left */
        /* Nothing follows 2, after whatever: a sequence begins. */
        const struct mr_markov_place at_two = {1, 2};
        assert_int_equal(mr_markov_model_next(&model, at_two, &random, &next, &error), MR_OK);
        assert_int_equal(next.before, MR_MARKOV_NONE);
        assert_int_equal(next.state, 1);
    }
    assert_int_equal(found[1], 0);
    assert_in_range(found[2], DRAWS * 0.72, DRAWS * 0.78); /* 4 standard errors */
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(shares_and_dwells_are_those_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
