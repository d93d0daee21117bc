/* tests/unit/operators/test_drift_hddm_w.c — drift.hddm_w: equal to river, and its definition. */
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

static struct mr_drift_hddm_w detector;

static void configure(void *self, const double *parameters)
{
    struct mr_drift_hddm_w *hddm = self;
    *hddm = (struct mr_drift_hddm_w){.drift_confidence = parameters[0],
                                     .warning_confidence = parameters[1],
                                     .lambda = parameters[2],
                                     .two_sided = parameters[3] != 0};
    mr_drift_hddm_w_prepare(hddm);
}

static const struct drift_parity parity = {
    .detector = "hddm_w",
    .model = &mr_drift_hddm_w_model,
    .self = &detector,
    .configure = configure,
    .warning = MR_DRIFT_HDDM_WARNING,
    .numbers = {MR_DRIFT_HDDM_ESTIMATION, -1, -1, -1},
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
    drift_operator_golden("drift.hddm_w", ", two_sided_test: true", "drift_hddm_w_v1");
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    drift_operator_refuses("drift.hddm_w", ", warning_confidence: 0.0001", "must not be below");
}

static void fields_of_errors_are_read(void **state)
{
    MR_UNUSED(state);
    drift_operator_reads_errors("drift.hddm_w", true);
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
