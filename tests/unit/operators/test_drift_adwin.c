/* tests/unit/operators/test_drift_adwin.c — drift.adwin: equal to river, and few false alarms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/random.h"
#include "tests/support/drift_operator.h"
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

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    drift_operator_golden("drift.adwin", ", clock: 4", "drift_adwin_v1");
}

/* The paper's promise: where nothing changes, a look finds a change with probability delta at most.
 * 40 streams of each kind and 1,024 records, which is 1,280 looks of each. */
static void false_alarms_are_at_most_delta(void **state)
{
    MR_UNUSED(state);
    enum { STREAMS = 40, RECORDS = 1024, KINDS = 3 };
    static const double deltas[] = {0.002, 0.05, 0.3};
    struct mr_random random;
    mr_random_init(&random, 2024, 0);
    for (size_t index = 0; index < MR_ARRAY_COUNT(deltas) * KINDS; index++) {
        double delta = deltas[index / KINDS];
        detector = (struct mr_drift_adwin){
            .delta = delta, .clock = 32, .buckets_max = 5, .part_min = 5, .grace = 10};
        uint32_t alarms = 0;
        for (uint32_t number = 0; number < STREAMS; number++) {
            struct drift_stream stream;
            drift_stream_open(&stream, parity.model, &detector, parity.slot_bytes,
                              parity.slots_max);
            for (uint32_t record = 0; record < RECORDS; record++) {
                double value = index % KINDS == 0   ? mr_random_normal(&random)
                               : index % KINDS == 1 ? mr_random_double(&random)
                                                    : mr_random_below(&random, 5) == 0;
                alarms += drift_stream_feed(&stream, "key", value) > 1;
            }
            drift_stream_close(&stream);
        }
        assert_true(alarms <= delta * STREAMS * RECORDS / 32);
    }
}

/* A window that is as long as can be forgets its oldest bucket. */
static void a_full_window_forgets(void **state)
{
    MR_UNUSED(state);
    detector = (struct mr_drift_adwin){
        .delta = 0.002, .clock = 1000, .buckets_max = 2, .part_min = 5, .grace = 10};
    enum { ROWS = MR_DRIFT_ADWIN_ROWS_MAX, HEAD = 46 };
    struct drift_stream stream;
    drift_stream_open(&stream, parity.model, &detector, parity.slot_bytes, parity.slots_max);
    drift_stream_feed(&stream, "key", 0);
    /* As if all rows were full: two buckets each, of zeros. */
    uint8_t stored[512];
    size_t size = parity.model->encode(stream.row.object, stored);
    uint64_t width = 2 * ((UINT64_C(1) << ROWS) - 1);
    mr_put_u64le(stored, width);
    stored[45] = ROWS;
    memset(stored + HEAD, 2, ROWS);
    memset(stored + HEAD + ROWS, 0, 16);
    size = HEAD + ROWS + 16;
    assert_true(parity.model->decode(stream.row.object, parity.model->version,
                                     mr_slice_from(stored, size)));
    for (uint32_t slot = 0; slot + 1 < ROWS; slot++) {
        void *bytes;
        struct mr_error error;
        assert_int_equal(mr_table_slot(stream.table, stream.row.entry, slot, true, &bytes, &error),
                         MR_OK);
    }
    drift_stream_feed(&stream, "key", 0);
    /* Each row gave two buckets to the next, and the last one dropped its oldest. */
    assert_true(stream.row.own[MR_DRIFT_ADWIN_WIDTH] ==
                (double)(width + 1 - (UINT64_C(1) << (ROWS - 1))));
    for (uint32_t record = 0; record < 20; record++)
        drift_stream_feed(&stream, "key", 0);
    drift_stream_close(&stream);
}

static void odd_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    detector = (struct mr_drift_adwin){
        .delta = 0.002, .clock = 32, .buckets_max = 5, .part_min = 5, .grace = 10};
    struct drift_stream stream;
    drift_stream_open(&stream, parity.model, &detector, parity.slot_bytes, parity.slots_max);
    for (uint32_t record = 0; record < 9; record++)
        drift_stream_feed(&stream, "key", record);
    uint8_t stored[512];
    uint8_t object[1024] = {0};
    assert_true(parity.model->object_size <= sizeof(object));
    size_t size = parity.model->encode(stream.row.object, stored);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(parity.model->decode(object, 1, mr_slice_from(stored, cut)));
    assert_true(parity.model->decode(object, 1, mr_slice_from(stored, size)));
    assert_false(parity.model->decode(object, 2, mr_slice_from(stored, size)));
    stored[45] = 0;
    assert_false(parity.model->decode(object, 1, mr_slice_from(stored, size)));
    drift_stream_close(&stream);
}

static void a_drift_is_told(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    drift_operator_open(&harness, "drift.adwin", "");
    for (uint32_t record = 0; record < 256; record++)
        drift_operator_feed(&harness, mr_value_double(record < 160 ? record % 2 : 5));
    assert_int_equal(harness.emitted_count[1], 1);
    assert_int_equal(harness_member(&harness, "n_detections").integer, 1);
    assert_true(harness_member(&harness, "estimation").number == 5);
    assert_non_null(strstr(harness_output(&harness, 1), "the mean of value has changed"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_drifts_are_found),
        cmocka_unit_test(every_record_equals_river),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(false_alarms_are_at_most_delta),
        cmocka_unit_test(a_full_window_forgets),
        cmocka_unit_test(odd_bytes_are_refused),
        cmocka_unit_test(a_drift_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
