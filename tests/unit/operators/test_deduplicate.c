/* tests/unit/operators/test_deduplicate.c — deduplicate: the first of each key within a time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static struct harness_row event(int64_t offset, const char *key, int64_t event_time_ms)
{
    struct harness_row row = harness_row(offset, key, mr_value_null());
    row.event_time_ms = event_time_ms;
    return row;
}

static void open(struct harness *harness, const char *more)
{
    char text[256];
    snprintf(text, sizeof(text),
             "    - {name: op, type: deduplicate, from: in, key: [k], within: 100ms%s}\n", more);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
}

static void repetitions_within_the_time_are_dropped(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    struct harness_row rows[] = {
        event(1, "a", 1000), event(2, "b", 1000), event(3, "a", 1099),
        event(4, "a", 1100), event(5, "a", 1199), /* of the one at 1100 */
        event(6, "a", 1001),                      /* late, within 100 ms before 1100 */
        event(7, "a", 900),                       /* late by more: passes, the time stays 1100 */
        event(8, "a", 1150), event(9, "b", 1101),
    };
    harness_feed(&harness, 0, rows, 9);
    assert_string_equal(harness_offsets(&harness, 0), "1 2 4 7 9");
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

static void keys_are_forgotten_by_time(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    for (int64_t round = 0; round < 50; round++) {
        struct harness_row rows[100];
        char keys[100][16];
        for (int64_t index = 0; index < 100; index++) {
            snprintf(keys[index], sizeof(keys[index]), "%d", (int)(round * 100 + index));
            rows[index] = event(index, keys[index], 1000 * round + index);
        }
        harness_feed(&harness, 0, rows, 100);
        harness_watermark(&harness, 1000 * round + 500);
        harness_commit(&harness);
    }
    assert_int_equal(harness.emitted_count[0], 5000);
    /* All 5000 keys would be 10,000 pairs. */
    size_t lines = 0;
    for (const char *text = harness_dump(&harness, &harness.plan_arena); *text != '\0'; text++)
        lines += *text == '\n';
    assert_in_range(lines, 0, 410);
    harness_close(&harness);
}

static void a_row_without_key_is_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    struct harness_row row = event(1, "a", 5);
    row.cells[0].value = mr_value_null();
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.emitted_count[0], 0);
    assert_non_null(strstr(harness_errors(&harness), "has no key"));
    harness_close(&harness);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    struct harness_row rows[] = {event(1, "a", 1700000000000), event(2, "b", -5)};
    harness_feed(&harness, 0, rows, 2);
    harness_commit(&harness);
    harness_check_golden(&harness, "deduplicate_v1");
    harness_close(&harness);
    open(&harness, "");
    harness_load_golden(&harness, "deduplicate_v1");
    struct harness_row later[] = {event(3, "a", 1700000000099), event(4, "b", 60), event(5, "c", 0),
                                  event(6, "a", 1700000000100)};
    harness_feed(&harness, 0, later, 4);
    assert_string_equal(harness_offsets(&harness, 0), "5 6");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetitions_within_the_time_are_dropped),
        cmocka_unit_test(keys_are_forgotten_by_time),
        cmocka_unit_test(a_row_without_key_is_reported),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
