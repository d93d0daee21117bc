/* tests/unit/operators/test_rate_key.c — the open windows of a key, and what they are compared
 * with; the stored bytes are in test_detect_rate.c. */
#include "operators/rate_key.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/count_tail.h"

static void windows_are_counted_in_order(void **state)
{
    MR_UNUSED(state);
    struct mr_rate_key key = {.next = 3};
    static const int64_t windows[] = {7, 5, 7, 9, 5, 5};
    for (size_t index = 0; index < MR_ARRAY_COUNT(windows); index++)
        assert_true(mr_rate_key_count(&key, windows[index]));
    assert_int_equal(key.entries_count, 3);
    assert_int_equal(mr_rate_key_take(&key), 0);
    key.next = 5;
    assert_int_equal(mr_rate_key_take(&key), 3);
    key.next = 7;
    assert_int_equal(mr_rate_key_take(&key), 2);
    assert_int_equal(key.entries_count, 1);
    assert_int_equal(key.entries[0].window, 9);
}

static void there_is_room_for_so_many(void **state)
{
    MR_UNUSED(state);
    struct mr_rate_key key = {0};
    for (int64_t window = 0; window < MR_RATE_ENTRIES_MAX; window++)
        assert_true(mr_rate_key_count(&key, -window));
    assert_false(mr_rate_key_count(&key, 1));
    assert_true(mr_rate_key_count(&key, -3));
    assert_int_equal(key.entries[0].window, 1 - MR_RATE_ENTRIES_MAX);
}

static void a_restart_keeps_what_is_counted(void **state)
{
    MR_UNUSED(state);
    struct mr_rate_key key = {.next = 2, .learned = 9, .empty = 1};
    const struct mr_control_order order = {MR_CONTROL_MUTE, INT64_MAX};
    mr_control_hold_apply(&key.hold, &order);
    mr_decayed_moments_learn(&key.moments, 5, 1);
    assert_true(mr_rate_key_count(&key, 6));
    mr_rate_key_restart(&key);
    assert_int_equal(key.next, 6);
    assert_true(key.partial);
    assert_int_equal(key.learned + key.empty + key.hold.flags, 0);
    assert_true(key.moments.weight == 0);
    assert_int_equal(mr_rate_key_take(&key), 1);
}

static void a_count_is_judged_by_those_learned(void **state)
{
    MR_UNUSED(state);
    struct mr_rate_key key = {0};
    for (int window = 0; window < 4; window++, key.learned++)
        mr_decayed_moments_learn(&key.moments, 8 + window, 1);
    struct mr_rate_result result = {.count = 30};
    mr_rate_key_judge(&key, 5, MR_RATE_MORE, &result);
    assert_false(result.is_armed);
    assert_true(result.score == 0 && result.expected == 9.5);
    mr_rate_key_judge(&key, 4, MR_RATE_MORE, &result);
    struct mr_count_tails tails = mr_count_tails(9.625, 9.625 * 1.25, 30);
    assert_true(result.is_armed);
    assert_true(fabs(result.score + tails.log_upper / log(10)) < 1e-12);
    result = (struct mr_rate_result){.count = 30};
    mr_rate_key_judge(&key, 4, MR_RATE_FEWER, &result);
    assert_true(result.score < 1e-3);
    key.partial = true;
    mr_rate_key_judge(&key, 4, MR_RATE_MORE, &result);
    assert_false(result.is_armed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_counted_in_order),
        cmocka_unit_test(there_is_room_for_so_many),
        cmocka_unit_test(a_restart_keeps_what_is_counted),
        cmocka_unit_test(a_count_is_judged_by_those_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
