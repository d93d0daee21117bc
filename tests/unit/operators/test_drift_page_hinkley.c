/* tests/unit/operators/test_drift_page_hinkley.c — drift.page_hinkley: equal to river, and its
 * definition. */
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

static struct mr_drift_page_hinkley detector;

static void configure(void *self, const double *parameters)
{
    struct mr_drift_page_hinkley *test = self;
    *test = (struct mr_drift_page_hinkley){.warmup = (uint64_t)parameters[0],
                                           .delta = parameters[1],
                                           .limit = parameters[2],
                                           .forgetting = parameters[3],
                                           .up = parameters[4] != 2,
                                           .down = parameters[4] != 1};
}

static const struct drift_parity parity = {
    .detector = "page_hinkley",
    .model = &mr_drift_page_hinkley_model,
    .self = &detector,
    .configure = configure,
    .warning = -1,
    .numbers = {MR_DRIFT_PAGE_HINKLEY_WIDTH, MR_DRIFT_PAGE_HINKLEY_ESTIMATION,
                MR_DRIFT_PAGE_HINKLEY_INCREASE, MR_DRIFT_PAGE_HINKLEY_DECREASE},
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
    drift_operator_golden("drift.page_hinkley", "", "drift_page_hinkley_v1");
}

static void the_definition_by_hand(void **state)
{
    MR_UNUSED(state);
    detector = (struct mr_drift_page_hinkley){
        .warmup = 2, .delta = 0.5, .limit = 2, .forgetting = 1, .up = true, .down = true};
    struct drift_stream stream;
    drift_stream_open(&stream, &mr_drift_page_hinkley_model, &detector, 0, 0);
    /* mean 1, deviation 0: up -0.5, down 0.5 */
    assert_true(drift_stream_feed(&stream, "key", 1) == 0);
    /* mean 2, deviation 1: up 0, least -0.5; down 2, most 2 */
    assert_true(drift_stream_feed(&stream, "key", 3) == 0.25);
    /* mean 5, deviation 6: up 5.5 */
    assert_true(drift_stream_feed(&stream, "key", 11) == 3);
    assert_true(stream.row.own[MR_DRIFT_PAGE_HINKLEY_DETECTIONS] == 1);
    /* It begins anew. */
    assert_true(drift_stream_feed(&stream, "key", 11) == 0);
    assert_true(stream.row.own[MR_DRIFT_PAGE_HINKLEY_WIDTH] == 1);
    drift_stream_close(&stream);
}

static void numbers_that_are_too_large_are_passed(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    drift_operator_open(&harness, "drift.page_hinkley", "");
    drift_operator_feed(&harness, mr_value_double(1));
    drift_operator_feed(&harness, mr_value_double(1e308));
    assert_true(harness_member(&harness, "score").number == 0);
    assert_int_equal(harness_member(&harness, "width").kind, MR_KIND_NULL);
    drift_operator_feed(&harness, mr_value_double(1));
    assert_int_equal(harness_member(&harness, "width").integer, 2);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_drifts_are_found),
        cmocka_unit_test(every_record_equals_river),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(the_definition_by_hand),
        cmocka_unit_test(numbers_that_are_too_large_are_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
