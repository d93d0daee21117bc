/* tests/unit/operators/test_control_hold.c — what orders hold back, until when, and how it is
 * stored. */
#include "operators/control_hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static void obey(struct mr_control_hold *hold, enum mr_control_action action, int64_t until_ms)
{
    const struct mr_control_order order = {.action = action, .until_ms = until_ms};
    mr_control_hold_apply(hold, &order);
}

static void a_hold_lasts_until_its_time(void **state)
{
    MR_UNUSED(state);
    struct mr_control_hold hold = {0};
    assert_false(mr_control_hold_lasts(&hold, MR_HOLD_FROZEN, INT64_MIN));
    assert_false(mr_control_hold_lasts(&hold, MR_HOLD_MUTED, INT64_MAX));
    obey(&hold, MR_CONTROL_FREEZE, 100);
    obey(&hold, MR_CONTROL_MUTE, INT64_MAX);
    assert_true(mr_control_hold_lasts(&hold, MR_HOLD_FROZEN, 99));
    assert_false(mr_control_hold_lasts(&hold, MR_HOLD_FROZEN, 100));
    assert_true(mr_control_hold_lasts(&hold, MR_HOLD_MUTED, INT64_MAX));
    obey(&hold, MR_CONTROL_UNMUTE, INT64_MAX);
    assert_false(mr_control_hold_lasts(&hold, MR_HOLD_MUTED, 0));
    assert_true(mr_control_hold_lasts(&hold, MR_HOLD_FROZEN, 0));
    obey(&hold, MR_CONTROL_UNFREEZE, INT64_MAX);
    assert_int_equal(hold.flags, 0);
}

static void what_is_over_is_forgotten(void **state)
{
    MR_UNUSED(state);
    struct mr_control_hold hold = {0};
    obey(&hold, MR_CONTROL_FREEZE, 100);
    obey(&hold, MR_CONTROL_MUTE, 200);
    mr_control_hold_wake(&hold, 99);
    assert_int_equal(hold.flags, MR_HOLD_ALL);
    mr_control_hold_wake(&hold, 100);
    assert_int_equal(hold.flags, MR_HOLD_MUTED);
    mr_control_hold_wake(&hold, 200);
    assert_int_equal(hold.flags, 0);
    obey(&hold, MR_CONTROL_MUTE, INT64_MAX);
    mr_control_hold_wake(&hold, INT64_MAX);
    assert_int_equal(hold.flags, MR_HOLD_MUTED);
}

static void stored_times_come_back(void **state)
{
    MR_UNUSED(state);
    static const enum mr_control_action actions[] = {MR_CONTROL_FREEZE, MR_CONTROL_MUTE};
    for (int way = 0; way < 4; way++) {
        struct mr_control_hold hold = {0};
        struct mr_control_hold read;
        uint8_t bytes[MR_HOLD_BYTES_MAX];
        for (int bit = 0; bit < 2; bit++)
            if ((way >> bit & 1) != 0)
                obey(&hold, actions[bit], -5 + 1000 * bit);
        size_t size = (size_t)(mr_control_hold_encode(&hold, bytes) - bytes);
        assert_int_equal(size, 8 * ((way & 1) + (way >> 1)));
        struct mr_reader reader = mr_reader_from(mr_slice_from(bytes, size));
        mr_control_hold_decode(&read, hold.flags, &reader);
        assert_false(reader.bad);
        assert_ptr_equal(reader.cursor, bytes + size);
        assert_int_equal(read.flags, way);
        assert_int_equal(read.frozen_until_ms, (way & 1) != 0 ? -5 : 0);
        assert_int_equal(read.muted_until_ms, (way & 2) != 0 ? 995 : 0);
        reader = mr_reader_from(mr_slice_from(bytes, size > 0 ? size - 1 : 0));
        mr_control_hold_decode(&read, hold.flags, &reader);
        assert_int_equal(reader.bad, way > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_lasts_until_its_time),
        cmocka_unit_test(what_is_over_is_forgotten),
        cmocka_unit_test(stored_times_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
