/* tests/unit/operators/test_series_anomaly.c — where anomalies are: shares, what happens to the
 * records, and that a record does not depend on who asks first. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/series_anomaly.h"

enum { NUMBERS = 400000, SERIES = 3 };

static struct mr_series_anomaly entry_of(enum mr_series_anomaly_kind kind, double share,
                                         int64_t length)
{
    struct mr_option_value values[8] = {0};
    struct mr_options options = {.specs = mr_series_anomaly_options,
                                 .count = mr_option_specs_count(mr_series_anomaly_options),
                                 .values = values};
    values[mr_option_specs_find(mr_series_anomaly_options, "kind")].integer = kind;
    values[mr_option_specs_find(mr_series_anomaly_options, "share")].number = share;
    values[mr_option_specs_find(mr_series_anomaly_options, "size")].number = 8;
    struct mr_option_value *lengths =
        &values[mr_option_specs_find(mr_series_anomaly_options, "length")];
    lengths->integer = length;
    lengths->present = length > 0;
    struct mr_series_anomaly entry = mr_series_anomaly_of(&options);
    entry.fields = 1;
    return entry;
}

static struct mr_series_anomalies one(enum mr_series_anomaly_kind kind, double share,
                                      int64_t length)
{
    struct mr_series_anomalies anomalies = {
        .seed = 8, .count = 1, .duplicates = MR_SERIES_ANOMALIES_MAX};
    anomalies.entries[0] = entry_of(kind, share, length);
    if (kind == MR_SERIES_DUPLICATE)
        anomalies.duplicates = 0;
    return anomalies;
}

/* Five standard errors, of episodes and not of records. */
static void assert_share(uint32_t count, double share, int64_t length)
{
    double expected = share * NUMBERS;
    assert_true(fabs(count - expected) < 5 * sqrt(expected * (double)length) + (double)length);
}

static void values_change_in_their_share(void **state)
{
    MR_UNUSED(state);
    static const struct {
        enum mr_series_anomaly_kind kind;
        int64_t length;
    } given[] = {{MR_SERIES_SPIKE, 1},
                 {MR_SERIES_LEVEL_SHIFT, 20},
                 {MR_SERIES_DRIFT, 50},
                 {MR_SERIES_VARIANCE_CHANGE, 7}};
    for (size_t index = 0; index < MR_ARRAY_COUNT(given); index++) {
        struct mr_series_anomalies anomalies = one(given[index].kind, 0.02, given[index].length);
        struct mr_series_episode cache[1] = {0};
        uint32_t labelled = 0;
        uint32_t down = 0;
        for (int64_t number = 0; number < NUMBERS; number++) {
            struct mr_series_record record;
            mr_series_record_at(&anomalies, SERIES, number, cache, &record);
            assert_int_equal(record.content, number);
            assert_false(record.missing);
            struct mr_series_change change =
                mr_series_change_at(&anomalies, SERIES, number, 0, cache, &record);
            bool is_changed = change.noise != 1 || change.shift != 0;
            assert_int_equal(is_changed, record.entry == 0);
            labelled += is_changed;
            down += change.shift < 0;
            assert_true(fabs(change.shift) <= 8 && (change.noise == 1 || change.noise == 8));
            struct mr_series_change other =
                mr_series_change_at(&anomalies, SERIES, number, 1, cache, &record);
            assert_true(other.noise == 1 && other.shift == 0);
        }
        assert_share(labelled, 0.02, given[index].length);
        if (given[index].kind != MR_SERIES_VARIANCE_CHANGE)
            assert_in_range(down, labelled / 3, labelled * 2 / 3);
    }
}

static void copies_come_behind_their_original(void **state)
{
    MR_UNUSED(state);
    struct mr_series_anomalies anomalies = one(MR_SERIES_DUPLICATE, 0.03, 2);
    struct mr_series_episode cache[1] = {0};
    int64_t last = -1;
    uint32_t copies = 0;
    for (int64_t number = 0; number < NUMBERS; number++) {
        struct mr_series_record record;
        mr_series_record_at(&anomalies, SERIES, number, cache, &record);
        bool is_copy = record.content == last;
        assert_true(is_copy || record.content == last + 1); /* nothing is lost */
        assert_int_equal(is_copy, record.entry == 0);
        copies += is_copy;
        last = record.content;
    }
    assert_share(copies, 0.03, 2);
    assert_int_equal(last + copies, NUMBERS - 1);
}

static void what_is_late_was_left_out_before(void **state)
{
    MR_UNUSED(state);
    struct mr_series_anomalies anomalies = one(MR_SERIES_REORDER, 0.01, 5);
    struct mr_series_episode cache[1] = {0};
    static uint8_t seen[NUMBERS + 1];
    uint32_t late = 0;
    for (int64_t number = 0; number < NUMBERS; number++) {
        struct mr_series_record record;
        mr_series_record_at(&anomalies, SERIES, number, cache, &record);
        assert_true(record.content == number || record.content == number + 1 ||
                    record.content == number - 5);
        assert_int_equal(record.content == number - 5, record.entry == 0);
        seen[record.content]++;
        late += record.entry == 0;
    }
    for (int64_t number = 0; number < NUMBERS - 6; number++)
        assert_int_equal(seen[number], 1);
    assert_share(late, 0.01, 1);
}

static void a_gap_is_told_behind_it(void **state)
{
    MR_UNUSED(state);
    struct mr_series_anomalies anomalies = one(MR_SERIES_GAP, 0.05, 10);
    struct mr_series_episode cache[1] = {0};
    uint32_t missing = 0;
    uint32_t in_a_row = 0;
    for (int64_t number = 0; number < NUMBERS; number++) {
        struct mr_series_record record;
        mr_series_record_at(&anomalies, SERIES, number, cache, &record);
        assert_int_equal(record.entry == 0, in_a_row == 10 && !record.missing);
        in_a_row = record.missing ? in_a_row + 1 : 0;
        assert_in_range(in_a_row, 0, 10);
        missing += record.missing;
    }
    assert_share(missing, 0.05, 10);
}

static void what_is_stuck_holds_its_first(void **state)
{
    MR_UNUSED(state);
    struct mr_series_anomalies anomalies = one(MR_SERIES_STUCK, 0.05, 6);
    struct mr_series_episode cache[1] = {0};
    uint32_t stuck = 0;
    for (int64_t number = 0; number < NUMBERS; number++) {
        struct mr_series_record record;
        mr_series_record_at(&anomalies, SERIES, number, cache, &record);
        assert_int_equal(record.content, number);
        assert_in_range(number - record.held, 0, 5);
        assert_int_equal(record.entry == 0, record.held < number);
        assert_int_equal(record.held_fields, record.held < number || record.held_fields ? 1 : 0);
        stuck += record.held_fields != 0;
    }
    assert_share(stuck, 0.05, 6);
}

static struct mr_series_anomalies many(void)
{
    struct mr_series_anomalies anomalies = {.seed = 21, .count = 6, .duplicates = 2};
    anomalies.entries[0] = entry_of(MR_SERIES_GAP, 0.04, 10);
    anomalies.entries[1] = entry_of(MR_SERIES_REORDER, 0.02, 3);
    anomalies.entries[2] = entry_of(MR_SERIES_DUPLICATE, 0.02, 1);
    anomalies.entries[3] = entry_of(MR_SERIES_STUCK, 0.03, 12);
    anomalies.entries[4] = entry_of(MR_SERIES_SPIKE, 0.01, 1);
    anomalies.entries[5] = entry_of(MR_SERIES_DRIFT, 0.03, 30);
    return anomalies;
}

/* Contents that nobody has are in gaps; contents that several have are labelled copies. */
static void all_kinds_go_together(void **state)
{
    MR_UNUSED(state);
    struct mr_series_anomalies anomalies = many();
    struct mr_series_episode cache[6] = {0};
    static uint8_t seen[NUMBERS + 1];
    memset(seen, 0, sizeof(seen));
    uint32_t labels[6] = {0};
    int64_t highest = 0;
    uint32_t missing = 0;
    for (int64_t number = 0; number < NUMBERS; number++) {
        struct mr_series_record record;
        mr_series_record_at(&anomalies, SERIES, number, cache, &record);
        if (record.missing) {
            missing++;
            continue;
        }
        (void)mr_series_change_at(&anomalies, SERIES, record.content, 0, cache, &record);
        bool is_copy = record.entry == 2;
        assert_true(seen[record.content] == 0 || is_copy);
        seen[record.content]++;
        if (record.entry >= 0)
            labels[record.entry]++;
        highest = record.content > highest ? record.content : highest;
    }
    uint32_t left_out = 0;
    for (int64_t number = 0; number < highest - 10; number++)
        left_out += seen[number] == 0;
    assert_in_range(left_out, missing - missing / 20, missing + 10);
    for (uint32_t entry = 0; entry < 6; entry++)
        assert_true(labels[entry] > 100);
}

static void who_asks_first_does_not_matter(void **state)
{
    MR_UNUSED(state);
    struct mr_series_anomalies anomalies = many();
    struct mr_series_episode forward[6] = {0};
    for (int64_t number = 0; number < 5000; number++) {
        struct mr_series_episode fresh[6] = {0};
        struct mr_series_record first;
        struct mr_series_record second;
        mr_series_record_at(&anomalies, SERIES, number, forward, &first);
        mr_series_record_at(&anomalies, SERIES, number, fresh, &second);
        struct mr_series_change one_change =
            mr_series_change_at(&anomalies, SERIES, first.content, 0, forward, &first);
        struct mr_series_change other_change =
            mr_series_change_at(&anomalies, SERIES, second.content, 0, fresh, &second);
        assert_int_equal(first.content, second.content);
        assert_int_equal(first.entry, second.entry);
        assert_int_equal(first.missing, second.missing);
        assert_int_equal(first.held, second.held);
        assert_true(one_change.shift == other_change.shift &&
                    one_change.noise == other_change.noise);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_change_in_their_share),
        cmocka_unit_test(copies_come_behind_their_original),
        cmocka_unit_test(what_is_late_was_left_out_before),
        cmocka_unit_test(a_gap_is_told_behind_it),
        cmocka_unit_test(what_is_stuck_holds_its_first),
        cmocka_unit_test(all_kinds_go_together),
        cmocka_unit_test(who_asks_first_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
