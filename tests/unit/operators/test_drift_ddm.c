/* tests/unit/operators/test_drift_ddm.c — drift.ddm: equal to river, and its definition. */
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

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    drift_operator_golden("drift.ddm", ", warm_start: 10", "drift_ddm_v1");
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    drift_operator_refuses("drift.ddm", ", warning_threshold: 4", "must not be above");
}

static void fields_of_errors_are_read(void **state)
{
    MR_UNUSED(state);
    drift_operator_reads_errors("drift.ddm", false);
}

static void the_definition_by_hand(void **state)
{
    MR_UNUSED(state);
    detector = (struct mr_drift_ddm){.warmup = 3, .warning_level = 1, .drift_level = 2};
    struct drift_stream stream;
    drift_stream_open(&stream, &mr_drift_ddm_model, &detector, 0, 0);
    static const double values[] = {1, 0, 0, 0};
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++)
        drift_stream_feed(&stream, "key", values[index]);
    /* p = 1/4, s = sqrt(3/64), which is the least too */
    double sd = sqrt(3.0 / 64);
    assert_true(fabs(stream.row.score - (0.25 + sd) / (0.25 + 2 * sd)) < 1e-12);
    /* p = 2/5, s = sqrt(6/125): above the least by more than 1, less than 2 of its deviations */
    drift_stream_feed(&stream, "key", 1);
    assert_true(fabs(stream.row.score - (0.4 + sqrt(0.048)) / (0.25 + 2 * sd)) < 1e-12);
    assert_true(stream.row.own[MR_DRIFT_DDM_WARNING] == 1);
    drift_stream_close(&stream);
}

static void a_first_error_after_none_is_drift(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    drift_operator_open(&harness, "drift.ddm", ", warm_start: 5");
    for (uint32_t record = 0; record < 10; record++)
        drift_operator_feed(&harness, mr_value_bool(false));
    assert_int_equal(harness.emitted_count[1], 0);
    drift_operator_feed(&harness, mr_value_bool(true));
    assert_int_equal(harness.emitted_count[1], 1);
    assert_true(harness_member(&harness, "score").number == DBL_MAX);
    assert_int_equal(harness_member(&harness, "n_detections").integer, 1);
    drift_operator_feed(&harness, mr_value_bool(true));
    assert_int_equal(harness_member(&harness, "width").integer, 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_drifts_are_found),
        cmocka_unit_test(every_record_equals_river),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(fields_of_errors_are_read),
        cmocka_unit_test(the_definition_by_hand),
        cmocka_unit_test(a_first_error_after_none_is_drift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
