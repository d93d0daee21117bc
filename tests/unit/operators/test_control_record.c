/* tests/unit/operators/test_control_record.c — what an order does to a stage; how records are read
 * is in test_detector_control.c. */
#include "operators/control_record.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static void orders_set_and_clear_flags(void **state)
{
    MR_UNUSED(state);
    struct mr_detector_stage stage = {.flags = MR_STAGE_LAST_VALUE};
    struct mr_control_order order = {MR_CONTROL_FREEZE, 100};
    mr_control_apply(&stage, &order);
    assert_int_equal(stage.flags, MR_STAGE_LAST_VALUE | MR_STAGE_FROZEN);
    assert_int_equal(stage.frozen_until_ms, 100);
    order = (struct mr_control_order){MR_CONTROL_MUTE, INT64_MAX};
    mr_control_apply(&stage, &order);
    assert_int_equal(stage.flags, MR_STAGE_LAST_VALUE | MR_STAGE_FROZEN | MR_STAGE_MUTED);
    assert_int_equal(stage.muted_until_ms, INT64_MAX);
    order.action = MR_CONTROL_UNFREEZE;
    mr_control_apply(&stage, &order);
    assert_int_equal(stage.flags, MR_STAGE_LAST_VALUE | MR_STAGE_MUTED);
    order.action = MR_CONTROL_UNMUTE;
    mr_control_apply(&stage, &order);
    assert_int_equal(stage.flags, MR_STAGE_LAST_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_set_and_clear_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
