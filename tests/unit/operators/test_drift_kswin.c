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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_drifts_are_found),
        cmocka_unit_test(every_record_equals_river),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
