/* tests/unit/operators/test_drift_kswin.c — drift.kswin: equal to river, and its draws. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/value_ring.h"
#include "tests/support/drift_operator.h"
#include "tests/support/drift_parity.h"

static struct mr_drift_kswin detector;

/* What the reference drew for the record. */
static uint32_t drawn_places[MR_DRIFT_KSWIN_WINDOW_MAX];
static uint32_t drawn_count;

static void replay(void *argument, uint64_t test, uint32_t *places)
{
    MR_UNUSED(argument);
    MR_UNUSED(test);
    assert_int_equal(drawn_count, detector.recent);
    memcpy(places, drawn_places, drawn_count * sizeof(*places));
}

static void keep_drawn(void *self, const uint32_t *places, uint32_t count)
{
    MR_UNUSED(self);
    drawn_count = count;
    memcpy(drawn_places, places, count * sizeof(*places));
}

static void configure(void *self, const double *parameters)
{
    struct mr_drift_kswin *kswin = self;
    static double memory[4 * MR_DRIFT_KSWIN_WINDOW_MAX];
    *kswin = (struct mr_drift_kswin){.alpha = parameters[0],
                                     .window = (uint32_t)parameters[1],
                                     .recent = (uint32_t)parameters[2],
                                     .sample = replay};
    assert_true(mr_drift_kswin_memory(kswin) <= sizeof(memory));
    mr_drift_kswin_prepare(kswin, memory);
}

static const struct drift_parity parity = {
    .detector = "kswin",
    .model = &mr_drift_kswin_model,
    .self = &detector,
    .slot_bytes = MR_VALUE_RING_SLOT_BYTES,
    .slots_max =
        (MR_DRIFT_KSWIN_WINDOW_MAX + MR_VALUE_RING_SLOT_VALUES - 1) / MR_VALUE_RING_SLOT_VALUES,
    .configure = configure,
    .warning = -1,
    .numbers = {-1, -1, -1, -1},
    .draws = true,
    .drawn = keep_drawn,
};

static void documented_drifts_are_found(void **state)
{
    MR_UNUSED(state);
    drift_parity(&parity, "published");
}

static void every_record_equals_river(void **state)
{
    MR_UNUSED(state);
    drift_parity(&parity, "river");
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    drift_operator_golden("drift.kswin", ", window_size: 40, stat_size: 12", "drift_kswin_v1");
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    drift_operator_refuses("drift.kswin", ", stat_size: 51", "must be at most half");
}

/* P(D >= h / n), from the exact fractions. */
static void probabilities_are_exact(void **state)
{
    MR_UNUSED(state);
    static const struct {
        uint32_t size;
        uint32_t places;
        double p_value;
    } known[] = {
        {1, 1, 1.0},
        {2, 1, 1.0},
        {2, 2, 0.3333333333333333},
        {7, 3, 0.5751748251748252},
        {30, 1, 1.0},
        {30, 10, 0.07088798787114436},
        {30, 14, 0.0025300622362698384},
        {30, 30, 1.6911233892144735e-17},
        {100, 24, 0.006134033421858025},
        {100, 60, 4.5283083946433384e-17},
        {1000, 99, 0.00010956387707040733},
        {1000, 500, 5.515494869858018e-114},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(known); index++) {
        double found = mr_drift_ks_p_value(known[index].size, known[index].places);
        assert_true(fabs(found - known[index].p_value) <= 1e-13 * known[index].p_value);
    }
}

static void set_own_draws(double alpha, uint32_t window, uint32_t recent)
{
    configure(&detector, (const double[]){alpha, window, recent});
    detector.sample = NULL;
}

/* Where nothing changes, a test finds a change with probability alpha at most. */
static void false_alarms_are_at_most_alpha(void **state)
{
    MR_UNUSED(state);
    enum { RECORDS = 20000 };
    static const double alphas[] = {0.005, 0.05, 0.3};
    struct mr_random random;
    mr_random_init(&random, 77, 0);
    for (size_t index = 0; index < MR_ARRAY_COUNT(alphas); index++) {
        struct drift_stream stream;
        uint32_t tests = 0;
        uint32_t alarms = 0;
        set_own_draws(alphas[index], 100, 30);
        drift_stream_open(&stream, parity.model, &detector, parity.slot_bytes, parity.slots_max);
        for (uint32_t record = 0; record < RECORDS; record++) {
            alarms += drift_stream_feed(&stream, "key", mr_random_normal(&random)) > 1;
            tests += isnan(stream.row.p_value) ? 0 : 1;
        }
        assert_true(tests > 0 && alarms <= alphas[index] * tests);
        drift_stream_close(&stream);
    }
}

/* Records are drawn from the older part only, none twice, each as often as the others: with the
 * place as the value, the older ones that are drawn are all below the recent ones. */
static void own_draws_are_even(void **state)
{
    MR_UNUSED(state);
    enum { OLDER = 14, RECENT = 6, ROUNDS = 3000 };
    uint32_t drawn[OLDER] = {0};
    set_own_draws(1e-9, OLDER + RECENT, RECENT);
    struct drift_stream stream;
    drift_stream_open(&stream, parity.model, &detector, parity.slot_bytes, parity.slots_max);
    for (uint32_t record = 0; record < OLDER + RECENT - 1 + ROUNDS; record++) {
        drift_stream_feed(&stream, "key", record % 5);
        if (isnan(stream.row.p_value))
            continue;
        bool seen[OLDER] = {false};
        for (uint32_t index = 0; index < RECENT; index++) {
            assert_true(detector.places[index] < OLDER && !seen[detector.places[index]]);
            seen[detector.places[index]] = true;
            drawn[detector.places[index]]++;
        }
    }
    /* Expected 1,286 each, standard deviation 27. */
    for (uint32_t place = 0; place < OLDER; place++)
        assert_in_range(drawn[place], 1286 - 130, 1286 + 130);
    drift_stream_close(&stream);
}

static void a_change_of_spread_is_found(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    drift_operator_open(&harness, "drift.kswin", ", alpha: 0.0001");
    for (uint32_t record = 0; record < 300; record++)
        drift_operator_feed(&harness, mr_value_double(mr_random_normal(&random)));
    assert_int_equal(harness.emitted_count[1], 0);
    for (uint32_t record = 0; record < 60; record++)
        drift_operator_feed(&harness, mr_value_double(20 * mr_random_normal(&random)));
    assert_int_equal(harness.emitted_count[1], 1);
    assert_non_null(strstr(harness_output(&harness, 1), "are distributed otherwise"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_drifts_are_found),
        cmocka_unit_test(every_record_equals_river),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(probabilities_are_exact),
        cmocka_unit_test(false_alarms_are_at_most_alpha),
        cmocka_unit_test(own_draws_are_even),
        cmocka_unit_test(a_change_of_spread_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
