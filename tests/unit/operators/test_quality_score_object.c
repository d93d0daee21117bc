/* tests/unit/operators/test_quality_score_object.c — what is stored comes back; what is not of this
 * layout is refused. */
#include "operators/quality_score_object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static struct mr_quality_score_object example(void)
{
    struct mr_quality_score_object entry;
    memset(&entry, 0, sizeof(entry));
    entry.records = 77;
    entry.latest_ms = -5;
    entry.alerted_ms = INT64_MIN;
    entry.episodes = 3;
    entry.lowest = 0.25;
    entry.alerted = true;
    entry.open = true;
    entry.outliers = 4;
    entry.duplicates = 5;
    entry.marked = 6;
    for (uint32_t ring = 0; ring < MR_QUALITY_SCORE_RINGS_MAX; ring++) {
        entry.counts[ring] = 20 + ring;
        entry.positions[ring] = ring;
    }
    return entry;
}

static void bytes_come_back(void **state)
{
    MR_UNUSED(state);
    uint8_t bytes[MR_QUALITY_SCORE_BYTES];
    struct mr_quality_score_object entry = example();
    struct mr_quality_score_object read;
    memset(&read, 0, sizeof(read));
    assert_int_equal(mr_quality_score_encode(&entry, bytes), MR_QUALITY_SCORE_BYTES);
    assert_true(mr_quality_score_decode(&read, 1, mr_slice_from(bytes, sizeof(bytes))));
    assert_memory_equal(&entry, &read, sizeof(entry));
    assert_true(mr_quality_score_of(&read) == 23.0 / 29.0);
}

static void other_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    uint8_t bytes[MR_QUALITY_SCORE_BYTES];
    struct mr_quality_score_object entry = example();
    mr_quality_score_encode(&entry, bytes);
    assert_false(mr_quality_score_decode(&entry, 2, mr_slice_from(bytes, sizeof(bytes))));
    assert_false(mr_quality_score_decode(&entry, 1, mr_slice_from(bytes, sizeof(bytes) - 1)));
    bytes[40] = 4;
    assert_false(mr_quality_score_decode(&entry, 1, mr_slice_from(bytes, sizeof(bytes))));
    entry = example();
    entry.counts[1] = MR_QUALITY_SCORE_WINDOW_MAX + 1;
    mr_quality_score_encode(&entry, bytes);
    assert_false(mr_quality_score_decode(&entry, 1, mr_slice_from(bytes, sizeof(bytes))));
}

static void an_empty_window_has_the_score_1(void **state)
{
    MR_UNUSED(state);
    struct mr_quality_score_object entry;
    memset(&entry, 0, sizeof(entry));
    assert_true(mr_quality_score_of(&entry) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(an_empty_window_has_the_score_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
