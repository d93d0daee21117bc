/* tests/unit/operators/test_drift_eddm.c — drift.eddm: equal to river, and its definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/drift_operator.h"
#include "tests/support/drift_parity.h"

static struct mr_drift_eddm detector;

static void configure(void *self, const double *parameters)
{
    struct mr_drift_eddm *eddm = self;
    *eddm = (struct mr_drift_eddm){.warmup = (uint64_t)parameters[0],
                                   .warning_level = parameters[1],
                                   .drift_level = parameters[2]};
}

static const struct drift_parity parity = {
    .detector = "eddm",
    .model = &mr_drift_eddm_model,
    .self = &detector,
    .configure = configure,
    .warning = MR_DRIFT_EDDM_WARNING,
    .numbers = {MR_DRIFT_EDDM_WIDTH, MR_DRIFT_EDDM_ERRORS, MR_DRIFT_EDDM_ESTIMATION, -1},
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
    drift_operator_golden("drift.eddm", ", warm_start: 4", "drift_eddm_v1");
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    drift_operator_refuses("drift.eddm", ", alpha: 0.8", "must not be below");
}

static void fields_of_errors_are_read(void **state)
{
    MR_UNUSED(state);
    drift_operator_reads_errors("drift.eddm", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_drifts_are_found), cmocka_unit_test(every_record_equals_river),
        cmocka_unit_test(stored_bytes_stay_readable),  cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(fields_of_errors_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
