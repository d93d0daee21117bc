/* tests/unit/operators/test_drift_hddm_a.c — drift.hddm_a: equal to river, and its definition. */
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

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    drift_operator_golden("drift.hddm_a", ", two_sided_test: true", "drift_hddm_a_v1");
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    drift_operator_refuses("drift.hddm_a", ", warning_confidence: 0.0001", "must not be below");
}

static void fields_of_errors_are_read(void **state)
{
    MR_UNUSED(state);
    drift_operator_reads_errors("drift.hddm_a", true);
}

static void a_change_at_its_bound_is_drift(void **state)
{
    MR_UNUSED(state);
    /* The cut is at the second of four records, so that the bound is sqrt(1/8 ln(2 / c)); with c
     * = 2 e^-2 it is 1/2, which is what the mean rises by from 0 to 1/2. */
    detector = (struct mr_drift_hddm_a){.drift_log = 2, .warning_log = 1, .cut_log = 1};
    struct drift_stream stream;
    drift_stream_open(&stream, &mr_drift_hddm_a_model, &detector, 0, 0);
    drift_stream_feed(&stream, "key", 0);
    drift_stream_feed(&stream, "key", 0);
    assert_true(drift_stream_feed(&stream, "key", 1) <= 1);
    assert_true(drift_stream_feed(&stream, "key", 1) == 1 + DBL_EPSILON);
    drift_stream_close(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_drifts_are_found),
        cmocka_unit_test(every_record_equals_river),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(fields_of_errors_are_read),
        cmocka_unit_test(a_change_at_its_bound_is_drift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
