/* tests/unit/base/test_zone.c — readings and instants: by hand and beside the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "base/zone.h"

enum { STEPS = 40, TIME_MAX = 4000 };

static void skipped_and_repeated_readings(void **state)
{
    MR_UNUSED(state);
    struct mr_zone_step steps[] = {{INT64_MIN, 100, 0}, {1000, 160, 0}, {2000, 100, 0}};
    struct mr_zone zone;
    mr_zone_make(&zone, "Test/Zone", steps, 3, INT64_MAX);
    assert_int_equal(zone.spread_ms, 60);
    assert_int_equal(mr_zone_reading_ms(&zone, -5), 95);
    assert_int_equal(mr_zone_reading_ms(&zone, 999), 1099);
    assert_int_equal(mr_zone_reading_ms(&zone, 1000), 1160);
    assert_int_equal(mr_zone_instant_ms(&zone, 1099), 999);
    assert_int_equal(mr_zone_instant_ms(&zone, 1100), 1000); /* skipped: the jump */
    assert_int_equal(mr_zone_instant_ms(&zone, 1159), 1000);
    assert_int_equal(mr_zone_instant_ms(&zone, 1161), 1001);
    assert_int_equal(mr_zone_reading_ms(&zone, 1999), 2159);
    assert_int_equal(mr_zone_reading_ms(&zone, 2000), 2159); /* the clock shows 2100 again */
    assert_int_equal(mr_zone_reading_ms(&zone, 2059), 2159);
    assert_int_equal(mr_zone_reading_ms(&zone, 2060), 2160);
    assert_int_equal(mr_zone_instant_ms(&zone, 2150), 1990); /* the first time */
    assert_int_equal(mr_zone_instant_ms(&zone, 2160), 2060);
    assert_int_equal(mr_zone_reading_ms(&zone, INT64_MAX), MR_ZONE_TIME_MAX + 100);
    assert_int_equal(mr_zone_reading_ms(&zone, INT64_MIN), -MR_ZONE_TIME_MAX + 100);
}

static void both_are_what_the_definition_says(void **state)
{
    MR_UNUSED(state);
    struct mr_random random;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct mr_zone_step steps[STEPS] = {{.at_ms = INT64_MIN}};
        mr_random_init(&random, 31, seed);
        uint32_t count = 1 + (uint32_t)mr_random_below(&random, STEPS);
        for (uint32_t i = 1; i < count; i++) {
            int64_t before = i == 1 ? 0 : steps[i - 1].at_ms;
            steps[i].at_ms = before + 1 + (int64_t)mr_random_below(&random, 150);
            steps[i].offset_ms = 200 - (int64_t)mr_random_below(&random, 400);
        }
        struct mr_zone_step given[STEPS];
        memcpy(given, steps, sizeof(given));
        struct mr_zone zone;
        mr_zone_make(&zone, "Test/Zone", steps, count, INT64_MAX);
        int64_t highest = INT64_MIN;
        uint32_t place = 0;
        int64_t next = -999;
        for (int64_t instant = -1000; instant < TIME_MAX; instant++) {
            while (place + 1 < count && given[place + 1].at_ms <= instant)
                place++;
            int64_t reading = instant + given[place].offset_ms;
            highest = reading > highest ? reading : highest;
            assert_int_equal(mr_zone_reading_ms(&zone, instant), highest);
            for (; next <= highest; next++)
                assert_int_equal(mr_zone_instant_ms(&zone, next), instant);
        }
    }
}

/* A zone of one rule, which repeats: far ahead it says what it says before. */
static void what_repeats_repeats(void **state)
{
    MR_UNUSED(state);
    static const int64_t year = INT64_C(31556952) * 1000; /* a 400th of the period */
    static struct mr_zone_step steps[1 + 2 * 420] = {{.at_ms = INT64_MIN}};
    for (int64_t i = 0; i < 420; i++) {
        steps[1 + 2 * i] = (struct mr_zone_step){i * year + year / 4, 3600000, 0};
        steps[2 + 2 * i] = (struct mr_zone_step){i * year + 3 * year / 4, 0, 0};
    }
    struct mr_zone zone;
    mr_zone_make(&zone, "Test/Zone", steps, 841, 415 * year);
    struct mr_random random;
    mr_random_init(&random, 8, 8);
    for (int i = 0; i < 20000; i++) {
        int64_t part = (int64_t)mr_random_below(&random, (uint64_t)year);
        if (i % 3 == 0)
            part = 3 * year / 4 + part % 7200000 - 3600000;
        int64_t expected = part >= year / 4 && part < 3 * year / 4 ? part + 3600000 : part;
        if (part >= 3 * year / 4 && part < 3 * year / 4 + 3600000)
            expected = 3 * year / 4 + 3599999;
        int64_t base = (int64_t)mr_random_below(&random, 100000) * year;
        assert_int_equal(mr_zone_reading_ms(&zone, base + part), base + expected);
        if (expected == part || expected == part + 3600000)
            assert_int_equal(mr_zone_instant_ms(&zone, base + expected), base + part);
    }
}

static void zones_that_say_the_same_have_the_same_hash(void **state)
{
    MR_UNUSED(state);
    struct mr_zone_step steps[] = {{INT64_MIN, 7, 0}, {-50, 3600000, 0}, {2000, 7200000, 0}};
    struct mr_zone_step idle[] = {
        {INT64_MIN, 8, 0}, {-40, 3600000, 0}, {1000, 3600000, 0}, {2000, 7200000, 0}};
    struct mr_zone_step other[] = {{INT64_MIN, 7, 0}, {-50, 3600000, 0}, {2001, 7200000, 0}};
    struct mr_zone zones[4];
    mr_zone_make(&zones[0], "A/B", steps, 3, INT64_MAX);
    mr_zone_make(&zones[1], "A/B", idle, 4, INT64_MAX);
    mr_zone_make(&zones[2], "A/B", other, 3, INT64_MAX);
    mr_zone_make(&zones[3], "A/C", steps, 3, INT64_MAX);
    assert_true(zones[0].hash == zones[1].hash);
    assert_true(zones[0].hash != zones[2].hash);
    assert_true(zones[0].hash != zones[3].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skipped_and_repeated_readings),
        cmocka_unit_test(both_are_what_the_definition_says),
        cmocka_unit_test(what_repeats_repeats),
        cmocka_unit_test(zones_that_say_the_same_have_the_same_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
