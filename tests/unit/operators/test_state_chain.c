/* tests/unit/operators/test_state_chain.c — how often states follow each other, how long they last,
 * and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/state_chain.h"
#include "tests/support/operator_harness.h"

enum { DRAWS = 40000 };

static void assert_near(double found, double wanted, double by)
{
    if (!(fabs(found - wanted) <= by))
        fail_msg("%g is not %g +- %g", found, wanted, by);
}

/* The chain of a topology's source. */
static struct mr_state_chain *open_chain(struct harness *harness, const char *states)
{
    char text[2048];
    struct mr_state_chain *chain = mr_memory_new(1, sizeof(*chain));
    snprintf(text, sizeof(text),
             "    - {name: made, type: generate.markov, count: 1, states: [%s]}\n", states);
    harness_open_sources(harness, text, "", "    - {name: out, type: memory, from: made}\n", "made",
                         0, 1);
    mr_state_chain_open(chain, mr_options_get(&harness->node->options, "states"));
    return chain;
}

static void close_chain(struct harness *harness, struct mr_state_chain *chain)
{
    mr_memory_free(chain);
    harness_close(harness);
}

static void states_follow_by_their_weights(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    uint32_t counts[4] = {0};
    uint32_t starts[4] = {0};
    struct mr_state_chain *chain = open_chain(
        &harness, "{name: a, start: 3, next: [b, c, d], weights: [1, 0, 3]}, {name: b, next: [c, "
                  "d, a, b]}, {name: c, start: 1}, {name: d, next: [d], start: 0}");
    mr_random_init(&random, 1, 2);
    for (int draw = 0; draw < DRAWS; draw++) {
        counts[mr_state_chain_next(chain, 0, &random)]++;
        starts[mr_state_chain_first(chain, &random)]++;
        assert_int_equal(mr_state_chain_next(chain, 3, &random), 3);
    }
    assert_int_equal(counts[0] + counts[2], 0);
    assert_near(counts[1] / (double)DRAWS, 0.25, 0.01);
    assert_int_equal(starts[1] + starts[3], 0);
    assert_near(starts[0] / (double)DRAWS, 0.75, 0.01);
    assert_true(mr_state_chain_is_final(chain, 2));
    assert_false(mr_state_chain_is_final(chain, 1));
    close_chain(&harness, chain);
}

static void the_first_state_begins_where_none_says_so(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    struct mr_state_chain *chain = open_chain(&harness, "{name: a, next: [b]}, {name: b}");
    mr_random_init(&random, 1, 2);
    for (int draw = 0; draw < 1000; draw++)
        assert_int_equal(mr_state_chain_first(chain, &random), 0);
    close_chain(&harness, chain);
}

static void durations_have_their_mean_and_spread(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    /* Standard deviations: 0, the mean, mean / sqrt(k), mean sqrt(e^(sigma^2) - 1). */
    static const double sds[] = {0, 10000, 5000, 14142.1356, 5329.4};
    struct mr_state_chain *chain = open_chain(
        &harness, "{name: f, dwell: fixed, mean: 10s}, {name: e, mean: 10s}, {name: g, dwell: "
                  "gamma, shape: 4, mean: 10s}, {name: h, dwell: gamma, shape: 0.5, mean: 10s}, "
                  "{name: l, dwell: lognormal, sigma: 0.5, mean: 10s}");
    for (uint8_t at = 0; at < MR_ARRAY_COUNT(sds); at++) {
        double sum = 0;
        double squares = 0;
        mr_random_init(&random, 7, at);
        for (int draw = 0; draw < DRAWS; draw++) {
            double dwell = (double)mr_state_chain_dwell(chain, at, &random);
            assert_true(dwell >= 1);
            sum += dwell;
            squares += dwell * dwell;
        }
        double mean = sum / DRAWS;
        assert_near(mean, 10000, 5 * sds[at] / sqrt(DRAWS) + 1e-9);
        assert_near(sqrt(fabs(squares / DRAWS - mean * mean)), sds[at], 0.04 * sds[at] + 1e-3);
    }
    close_chain(&harness, chain);
}

static void durations_are_bounded(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    struct mr_state_chain *chain =
        open_chain(&harness, "{name: a, dwell: gamma, shape: 0.01, mean: 1ms}, {name: b, dwell: "
                             "lognormal, sigma: 5, mean: 366d}, {name: c, dwell: lognormal, sigma: "
                             "0, mean: 5ms}");
    mr_random_init(&random, 7, 0);
    for (int draw = 0; draw < DRAWS; draw++) {
        int64_t shortest = mr_state_chain_dwell(chain, 0, &random);
        int64_t longest = mr_state_chain_dwell(chain, 1, &random);
        assert_true(shortest >= 1);
        assert_true(longest >= 1 && longest <= (int64_t)1 << 46);
        assert_int_equal(mr_state_chain_dwell(chain, 2, &random), 5);
    }
    close_chain(&harness, chain);
}

static void the_mean_is_that_of_what_is_visited(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    /* Two of three visits are of b; c is never reached. */
    struct mr_state_chain *chain = open_chain(
        &harness, "{name: a, next: [b], mean: 3s}, {name: b, next: [a, b], mean: 6s}, {name: c, "
                  "mean: 1h}");
    assert_near(mr_state_chain_mean_ms(chain), 5000, 10);
    close_chain(&harness, chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_by_their_weights),
        cmocka_unit_test(the_first_state_begins_where_none_says_so),
        cmocka_unit_test(durations_have_their_mean_and_spread),
        cmocka_unit_test(durations_are_bounded),
        cmocka_unit_test(the_mean_is_that_of_what_is_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
