/* tests/unit/operators/test_drift_ddm.c — drift.ddm: equal to river, and its definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/drift_parity.h"

static struct mr_drift_ddm detector;

static void configure(void *self, const double *parameters)
{
    struct mr_drift_ddm *ddm = self;
    *ddm = (struct mr_drift_ddm){.warmup = (uint64_t)parameters[0],
                                 .warning_level = parameters[1],
                                 .drift_level = parameters[2]};
}

static const struct drift_parity parity = {
    .detector = "ddm",
    .model = &mr_drift_ddm_model,
    .self = &detector,
    .configure = configure,
    .warning = MR_DRIFT_DDM_WARNING,
    .numbers = {MR_DRIFT_DDM_WIDTH, MR_DRIFT_DDM_ESTIMATION, MR_DRIFT_DDM_LEAST,
                MR_DRIFT_DDM_LEAST_SD},
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
