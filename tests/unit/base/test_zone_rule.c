/* tests/unit/base/test_zone_rule.c — the rule at the end of a zone's file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/zone_rule.h"

static int64_t instant(int64_t year, int32_t month, int32_t day, int64_t second)
{
    return mr_clock_days_from_civil(year, month, day) * 86400 + second;
}

static void rules_say_when_clocks_change(void **state)
{
    MR_UNUSED(state);
    struct mr_zone_rule rule;
    int64_t begin;
    int64_t end;
    assert_true(mr_zone_rule_parse(mr_slice_text("CET-1CEST,M3.5.0,M10.5.0/3"), &rule));
    assert_int_equal(rule.offset_s, 3600);
    assert_int_equal(rule.daylight_offset_s, 7200);
    mr_zone_rule_year(&rule, 2026, &begin, &end);
    assert_int_equal(begin, instant(2026, 3, 29, 3600));
    assert_int_equal(end, instant(2026, 10, 25, 3600));
    assert_true(mr_zone_rule_parse(mr_slice_text("EST5EDT,M3.2.0,M11.1.0"), &rule));
    mr_zone_rule_year(&rule, 2025, &begin, &end);
    assert_int_equal(begin, instant(2025, 3, 9, 7 * 3600));
    assert_int_equal(end, instant(2025, 11, 2, 6 * 3600));
    assert_true(mr_zone_rule_parse(mr_slice_text("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"), &rule));
    assert_int_equal(rule.offset_s, 37800);
    mr_zone_rule_year(&rule, 2024, &begin, &end);
    assert_true(end < begin); /* the south */
    assert_int_equal(end, instant(2024, 4, 6, 15 * 3600));
    assert_true(mr_zone_rule_parse(mr_slice_text("<-02>2<-01>,M3.5.0/-1,M10.5.0/0"), &rule));
    mr_zone_rule_year(&rule, 2026, &begin, &end);
    assert_int_equal(begin, instant(2026, 3, 29, 3600));
    assert_true(mr_zone_rule_parse(mr_slice_text("XXX3EDT4,0/0,J365/23"), &rule));
    mr_zone_rule_year(&rule, 2024, &begin, &end);
    assert_int_equal(begin, instant(2024, 1, 1, 3 * 3600));
    assert_int_equal(end, instant(2025, 1, 1, 3 * 3600));
    assert_true(mr_zone_rule_parse(mr_slice_text("AAA0BBB,J60,59"), &rule));
    mr_zone_rule_year(&rule, 2024, &begin, &end);
    assert_int_equal(begin, instant(2024, 3, 1, 7200));
    assert_int_equal(end, instant(2024, 2, 29, 3600));
    mr_zone_rule_year(&rule, 2100, &begin, &end);
    assert_int_equal(begin, instant(2100, 3, 1, 7200));
    assert_int_equal(end, instant(2100, 3, 1, 3600));
    assert_true(mr_zone_rule_parse(mr_slice_text("<+0545>-5:45"), &rule));
    assert_false(rule.has_daylight);
    assert_int_equal(rule.offset_s, 5 * 3600 + 45 * 60);
}

static void what_is_no_rule_is_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {
        "",
        "CE",
        "CET",
        "CET-",
        "CET-25",
        "CET-1CEST",
        "CET-1CEST,",
        "C3T-1",
        "<CET-1",
        "CET-1CEST,M3.5.0",
        "CET-1:60",
        "CET-1:-1",
        "CET-1x",
        "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,M0.1.0,M10.5.0",
        "CET-1CEST,J0,J5",
        "CET-1CEST,J366,J5",
        "CET-1CEST,366,5",
        "CET-1CEST,M3.5.0,M10.5.0/3 ",
        "CET-1CEST,M3.5.0;M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0/",
        "CET-1CEST,M3.5.0/1:2:3:4,M10.5",
        "CET-9999",
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++) {
        struct mr_zone_rule rule;
        if (mr_zone_rule_parse(mr_slice_text(texts[i]), &rule))
            fail_msg("'%s' was taken", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_say_when_clocks_change),
        cmocka_unit_test(what_is_no_rule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
