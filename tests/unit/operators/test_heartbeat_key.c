/* tests/unit/operators/test_heartbeat_key.c — when a key is silent, is told so, and is forgotten;
 * stored bytes and learned gaps are in test_detect_heartbeat.c. */
#include "operators/heartbeat_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static const struct mr_heartbeat_keys keys = {.timeout_ms = 1000, .forget_after_ms = 9000};

static struct mr_heartbeat_key key_of(uint64_t count)
{
    struct mr_heartbeat_key key = {0};
    mr_heartbeat_key_begin(&keys, &key, 5000, count);
    return key;
}

static void obey(struct mr_heartbeat_key *key, enum mr_control_action action, int64_t until_ms)
{
    const struct mr_control_order order = {.action = action, .until_ms = until_ms};
    mr_control_hold_apply(&key->hold, &order);
}

static void sums_and_spans_end_at_the_ends(void **state)
{
    MR_UNUSED(state);
    assert_true(mr_heartbeat_sum(INT64_MAX - 1, 5) == INT64_MAX);
    assert_true(mr_heartbeat_sum(-5, 3) == -2);
    assert_true(mr_heartbeat_span(INT64_MIN, INT64_MAX) == INT64_MAX);
    assert_true(mr_heartbeat_span(7, 5) == 0);
    assert_true(mr_heartbeat_span(5, 7) == 2);
}

static void a_key_is_silent_behind_its_limit(void **state)
{
    MR_UNUSED(state);
    struct mr_heartbeat_key key = key_of(1);
    assert_true(mr_heartbeat_key_limit(&keys, &key) == 1000);
    assert_true(mr_heartbeat_key_silent_at(&keys, &key, 5000) == 6001);
    assert_true(mr_heartbeat_key_silent_at(&keys, &key, 5500) == 6501);
    assert_true(mr_heartbeat_key_end(&keys, &key) == 14001);
    key.silent = true;
    assert_true(mr_heartbeat_key_silent_at(&keys, &key, 5000) == INT64_MAX);
    key = key_of(0); /* only named */
    assert_true(mr_heartbeat_key_silent_at(&keys, &key, 5000) == INT64_MAX);
}

static void a_mute_holds_it_back(void **state)
{
    MR_UNUSED(state);
    struct mr_heartbeat_key key = key_of(1);
    static const int64_t untils[] = {6001, 6002, 14000, 14001, INT64_MAX};
    static const int64_t expected[] = {6001, 6002, 14000, INT64_MAX, INT64_MAX};
    for (size_t index = 0; index < MR_ARRAY_COUNT(untils); index++) {
        obey(&key, MR_CONTROL_MUTE, untils[index]);
        assert_true(mr_heartbeat_key_silent_at(&keys, &key, 5000) == expected[index]);
    }
    obey(&key, MR_CONTROL_UNMUTE, INT64_MAX);
    obey(&key, MR_CONTROL_FREEZE, INT64_MAX);
    assert_true(mr_heartbeat_key_silent_at(&keys, &key, 5000) == 6001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_spans_end_at_the_ends),
        cmocka_unit_test(a_key_is_silent_behind_its_limit),
        cmocka_unit_test(a_mute_holds_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
