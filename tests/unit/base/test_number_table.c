/* tests/unit/base/test_number_table.c — number_table.c: known entries, and each entry from its
 * neighbour by one multiplication. */
#include "base/number_table.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t *entry(int power)
{
    return mr_number_powers[power - MR_NUMBER_POWER_MIN];
}

static void known_entries(void **state)
{
    MR_UNUSED(state);
    assert_true(entry(0)[0] == (uint64_t)1 << 63 && entry(0)[1] == 0);
    assert_true(entry(1)[0] == (uint64_t)5 << 61 && entry(1)[1] == 0);
    assert_true(entry(19)[0] == 10000000000000000000u && entry(19)[1] == 0);
    /* 0.1 = 0.000(1100)... in binary; the last bit is rounded up. */
    assert_true(entry(-1)[0] == 0xCCCCCCCCCCCCCCCCu && entry(-1)[1] == 0xCCCCCCCCCCCCCCCDu);
}

static void each_entry_is_ten_times_the_one_before(void **state)
{
    MR_UNUSED(state);
    for (int power = MR_NUMBER_POWER_MIN; power < MR_NUMBER_POWER_MAX; power++) {
        const uint64_t *low = entry(power);
        const uint64_t *high = entry(power + 1);
        assert_true(low[0] >> 63 == 1);
        /* 5/4 of a significand, or 5/8 when that is 2 or more, within one unit of either. */
        long double ratio = ((long double)high[0] + (long double)high[1] * 0x1p-64L) /
                            ((long double)low[0] + (long double)low[1] * 0x1p-64L);
        long double expected = ratio > 1 ? 1.25L : 0.625L;
        if (ratio - expected > 1e-18L || expected - ratio > 1e-18L)
            fail_msg("10^%d and its neighbour differ", power);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_entries),
        cmocka_unit_test(each_entry_is_ten_times_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
