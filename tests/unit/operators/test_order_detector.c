/* tests/unit/operators/test_order_detector.c — what detectors by order statistics share: stored
 * bytes that fit, the sorted numbers of a key that was loaded, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/endian.h"
#include "operators/order_detector.h"
#include "tests/support/operator_harness.h"

static const char *const types[] = {"detect.hampel", "detect.iqr", "detect.robust_z"};

static bool decodes(uint32_t version, uint32_t capacity, uint32_t count, uint32_t position,
                    size_t size)
{
    uint8_t bytes[MR_ORDER_BYTES + 1] = {0};
    struct mr_order_object object = {0};
    mr_put_u32le(bytes, capacity);
    mr_put_u32le(bytes + 4, count);
    mr_put_u32le(bytes + 8, position);
    return mr_order_decode(&object, version, mr_slice_from(bytes, size)) && object.stale == 1;
}

static void stored_bytes_must_fit(void **state)
{
    MR_UNUSED(state);
    assert_true(decodes(1, 5, 5, 4, MR_ORDER_BYTES));
    assert_true(decodes(1, 5, 0, 0, MR_ORDER_BYTES));
    assert_false(decodes(2, 5, 5, 4, MR_ORDER_BYTES));
    assert_false(decodes(1, 5, 6, 4, MR_ORDER_BYTES));
    assert_false(decodes(1, 5, 5, 5, MR_ORDER_BYTES));
    assert_false(decodes(1, 5, 5, 4, MR_ORDER_BYTES + 1));
    assert_false(decodes(1, 0, 0, 0, MR_ORDER_BYTES));
}

static void open(struct harness *harness, const char *type, const char *options)
{
    char text[256];
    snprintf(text, sizeof(text), "    - {name: op, type: %s, from: in, key: [k], field: value%s}\n",
             type, options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
}

/* Numbers of which many are equal, so that places in the sorted window are not unique. */
static void feed(struct harness *harness, uint32_t index)
{
    double value = index % 23 == 7 ? 90 : (double)(index * 7 % 5);
    struct harness_row row = harness_row(index, index % 3 == 0 ? "b" : "a", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static void a_loaded_window_goes_on_as_it_was(void **state)
{
    MR_UNUSED(state);
    for (size_t type = 0; type < MR_ARRAY_COUNT(types); type++) {
        struct harness whole;
        struct harness restored;
        open(&whole, types[type], ", warmup: 4, window: {count: 19}");
        open(&restored, types[type], ", warmup: 4, window: {count: 19}");
        for (uint32_t index = 0; index < 200; index++) {
            feed(&whole, index);
            feed(&restored, index);
            harness_commit(&restored);
            if (index % 13 == 12)
                harness_restore(&restored);
        }
        assert_string_equal(harness_output(&whole, 0), harness_output(&restored, 0));
        harness_close(&whole);
        harness_close(&restored);
    }
}

static void a_warm_up_ends_within_the_window(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {"window: {count: 29}", "warmup: 1001"};
    static const char *const sentences[] = {
        "a warm-up of 30 records never ends in a window of 29 records",
        "a warm-up of 1001 records never ends in a window of 1000 records"};
    for (size_t type = 0; type < MR_ARRAY_COUNT(types); type++) {
        for (size_t index = 0; index < MR_ARRAY_COUNT(options); index++) {
            struct mr_arena arena;
            char text[256];
            mr_arena_init(&arena, 1 << 16);
            snprintf(text, sizeof(text),
                     "    - {name: op, type: %s, from: in, key: [k], field: value, %s}\n",
                     types[type], options[index]);
            const char *findings =
                harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n", text,
                                 "    - {name: out, type: memory, from: op}\n");
            assert_non_null(strstr(findings, sentences[index]));
            mr_arena_deinit(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_bytes_must_fit),
        cmocka_unit_test(a_loaded_window_goes_on_as_it_was),
        cmocka_unit_test(a_warm_up_ends_within_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
