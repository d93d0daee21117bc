/* tests/unit/operators/test_drift_adwin.c — drift.adwin: equal to river, and few false alarms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/drift_parity.h"

static struct mr_drift_adwin detector;

static void configure(void *self, const double *parameters)
{
    struct mr_drift_adwin *adwin = self;
    *adwin = (struct mr_drift_adwin){.delta = parameters[0],
                                     .clock = (uint32_t)parameters[1],
                                     .buckets_max = (uint32_t)parameters[2],
                                     .part_min = (uint32_t)parameters[3],
                                     .grace = (uint32_t)parameters[4]};
}

static const struct drift_parity parity = {
    .detector = "adwin",
    .model = &mr_drift_adwin_model,
    .self = &detector,
    .slot_bytes = (MR_DRIFT_ADWIN_BUCKETS_MAX + 1) * MR_DRIFT_ADWIN_BUCKET_BYTES,
    .slots_max = MR_DRIFT_ADWIN_ROWS_MAX - 1,
    .configure = configure,
    .warning = -1,
    .numbers = {MR_DRIFT_ADWIN_WIDTH, MR_DRIFT_ADWIN_ESTIMATION, MR_DRIFT_ADWIN_VARIANCE, -1},
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
