/* tests/unit/operators/test_estimate.c — the parts that an estimate is made of. */
#include "operators/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

static void an_object_is_logged_with_its_key(void **state)
{
    MR_UNUSED(state);
    struct mr_state_estimate estimate = {0};
    mr_estimate_object(40, 25, &estimate);
    uint64_t record = MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    assert_int_equal(estimate.changelog_bytes_per_record, record + 25);
    assert_int_equal(estimate.stored_bytes, record + 25);
    assert_int_equal(estimate.object_bytes, 40 + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_OBJECT_BYTES);
}

static void one_slot_is_logged_and_all_are_stored(void **state)
{
    MR_UNUSED(state);
    struct mr_state_estimate plain = {0};
    struct mr_state_estimate slotted = {0};
    mr_estimate_object(40, 25, &plain);
    mr_estimate_slots(40, 25, 128, 63, &slotted);
    uint64_t record = MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    assert_int_equal(slotted.changelog_bytes_per_record,
                     plain.changelog_bytes_per_record + record + 128);
    assert_int_equal(slotted.stored_bytes, plain.stored_bytes + 63 * (record + 128));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_logged_with_its_key),
        cmocka_unit_test(one_slot_is_logged_and_all_are_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
