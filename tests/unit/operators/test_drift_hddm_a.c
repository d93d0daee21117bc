/* tests/unit/operators/test_drift_hddm_a.c — drift.hddm_a: equal to river, and its definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/drift_parity.h"

static struct mr_drift_hddm_a detector;

static void configure(void *self, const double *parameters)
{
    struct mr_drift_hddm_a *hddm = self;
    *hddm = (struct mr_drift_hddm_a){.drift_confidence = parameters[0],
                                     .warning_confidence = parameters[1],
                                     .two_sided = parameters[2] != 0};
    mr_drift_hddm_a_prepare(hddm);
}

static const struct drift_parity parity = {
    .detector = "hddm_a",
    .model = &mr_drift_hddm_a_model,
    .self = &detector,
    .configure = configure,
    .warning = MR_DRIFT_HDDM_WARNING,
    .numbers = {MR_DRIFT_HDDM_WIDTH, MR_DRIFT_HDDM_ESTIMATION, -1, -1},
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
