/* tests/unit/operators/test_evaluation.c — episodes, detections, false alarms and their counts by
 * hand, and the stored bytes. */
#include "operators/evaluation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static struct mr_evaluation_rules rules;
static struct mr_evaluation_series series;
static struct mr_evaluation_group group;
static struct mr_evaluation_delta delta;

static void start(int64_t tolerance_ms, int64_t close_after_ms, bool by_alerts)
{
    rules = (struct mr_evaluation_rules){tolerance_ms, close_after_ms, by_alerts};
    group = (struct mr_evaluation_group){0};
    mr_evaluation_series_init(&series);
}

static void take(const struct mr_evaluation_entry *entry)
{
    mr_evaluation_delta_init(&delta);
    mr_evaluation_take(&rules, &series, entry, &delta);
    mr_evaluation_add(&group, &delta);
}

static void plain(int64_t time_ms, bool flagged)
{
    take(&(struct mr_evaluation_entry){.time_ms = time_ms, .flagged = flagged});
}

static void labelled(int64_t time_ms, const char *kind, const char *id, bool flagged)
{
    take(&(struct mr_evaluation_entry){.time_ms = time_ms,
                                       .labelled = true,
                                       .flagged = flagged,
                                       .kind = mr_slice_text(kind),
                                       .id = mr_slice_text(id)});
}

static void alert(int64_t time_ms)
{
    take(&(struct mr_evaluation_entry){.what = MR_ENTRY_ALERT, .time_ms = time_ms});
}

static void pass(int64_t now_ms)
{
    mr_evaluation_delta_init(&delta);
    mr_evaluation_pass(&rules, &series, now_ms, &delta);
    mr_evaluation_add(&group, &delta);
}

/* True and false positives, false and true negatives, tolerated, false alarms. */
static void assert_counts(uint64_t tp, uint64_t fp, uint64_t fn, uint64_t tn, uint64_t tolerated,
                          uint64_t alarms)
{
    assert_int_equal(group.all.flagged, tp);
    assert_int_equal(group.plain_flagged, fp);
    assert_int_equal(group.all.records - group.all.flagged, fn);
    assert_int_equal(group.plain, tn);
    assert_int_equal(group.tolerated, tolerated);
    assert_int_equal(group.false_alarms, alarms);
}

static void an_episode_is_found_by_its_first_flagged_record(void **state)
{
    MR_UNUSED(state);
    start(0, 1000, false);
    plain(10, false);
    labelled(20, "spike", "a", false);
    labelled(30, "spike", "a", true);
    labelled(40, "spike", "a", true);
    assert_int_equal(group.all.episodes, 0); /* it is not over */
    plain(50, false);
    assert_int_equal(delta.closed_count, 1);
    assert_int_equal(delta.closed[0].first_ms, 20);
    assert_int_equal(delta.closed[0].last_ms, 40);
    assert_int_equal(delta.closed[0].records, 3);
    assert_int_equal(group.all.episodes, 1);
    assert_int_equal(group.all.found, 1);
    assert_int_equal(group.all.delay_ms, 10);
    assert_counts(2, 0, 1, 2, 0, 0);
    assert_int_equal(group.first_ms, 10);
    assert_int_equal(group.last_ms, 50);
    assert_int_equal(mr_evaluation_due_ms(&rules, &series), INT64_MAX);
}

static void what_is_flagged_in_reach_detects_and_is_tolerated(void **state)
{
    MR_UNUSED(state);
    start(20, 0, false);
    labelled(100, "shift", "a", false);
    plain(120, true); /* just within */
    assert_counts(0, 0, 1, 0, 1, 0);
    plain(121, true); /* just beyond: the episode is over */
    assert_counts(0, 1, 1, 0, 1, 1);
    assert_int_equal(group.all.found, 1);
    assert_int_equal(group.all.delay_max_ms, 20);
    plain(141, true); /* of the same false alarm, which goes on */
    plain(161, true);
    assert_counts(0, 3, 1, 0, 1, 1);
    plain(182, true);
    assert_counts(0, 4, 1, 0, 1, 2);
    assert_int_equal(mr_evaluation_due_ms(&rules, &series), 203);
    pass(203);
    assert_int_equal(mr_evaluation_due_ms(&rules, &series), INT64_MAX);
}

static void episodes_overlap_and_an_id_comes_again(void **state)
{
    MR_UNUSED(state);
    start(0, 1000, false);
    labelled(1, "drift", "d", false);
    labelled(2, "spike", "s", true); /* a labelled record ends no episode of another id */
    labelled(3, "drift", "d", false);
    plain(4, false);
    assert_int_equal(group.all.episodes, 2);
    assert_int_equal(group.all.found, 1);
    assert_int_equal(group.kinds_count, 2);
    assert_int_equal(group.kinds[0].detections.episodes, 1);
    assert_int_equal(group.kinds[0].detections.found, 0);
    assert_int_equal(group.kinds[1].detections.found, 1);
    labelled(5, "drift", "d", true);
    pass(1006);
    assert_int_equal(group.all.episodes, 3);
    assert_int_equal(group.all.found, 2);
}

static void time_closes_an_episode(void **state)
{
    MR_UNUSED(state);
    start(50, 20, false);
    labelled(100, "", "", false);
    assert_int_equal(mr_evaluation_due_ms(&rules, &series), 151);
    pass(150);
    assert_int_equal(group.all.episodes, 0);
    pass(151);
    assert_int_equal(group.all.episodes, 1);
    assert_int_equal(group.all.found, 0);
    start(0, INT64_MAX / 2, false);
    labelled(INT64_MAX - 1, "", "", false); /* no overflow */
    assert_int_equal(mr_evaluation_due_ms(&rules, &series), INT64_MAX);
    start(0, 10, false);
    labelled(-500, "", "", true); /* before the epoch */
    pass(-489);
    assert_int_equal(group.all.found, 1);
}

static void a_ninth_episode_closes_the_one_that_was_silent_longest(void **state)
{
    MR_UNUSED(state);
    start(1000, 1000, false);
    char id[16];
    for (int index = 0; index < MR_EVALUATION_EPISODES_MAX; index++) {
        snprintf(id, sizeof(id), "e%d", index);
        labelled(index, "k", id, false);
    }
    labelled(20, "k", "e0", false);
    assert_int_equal(delta.closed_count, 0);
    labelled(21, "k", "e8", true);
    assert_int_equal(delta.closed_count, 1);
    assert_memory_equal(delta.closed[0].id.bytes, "e1", 2);
    assert_int_equal(series.count, MR_EVALUATION_EPISODES_MAX);
    pass(5000);
    assert_int_equal(group.all.episodes, 9);
    assert_int_equal(group.all.found, 1);
}

static void alerts_flag_records_of_their_time(void **state)
{
    MR_UNUSED(state);
    start(10, 100, true);
    plain(1, false);
    alert(1);
    assert_counts(0, 1, 0, 0, 0, 1);
    labelled(20, "k", "a", false);
    plain(20, false);
    alert(20); /* the labelled one first */
    assert_counts(1, 1, 0, 1, 0, 1);
    alert(20); /* then the other, which is in reach */
    assert_counts(1, 1, 0, 0, 1, 1);
    alert(20); /* then none: it stands for itself */
    assert_counts(1, 1, 0, 0, 2, 1);
    alert(40); /* about no record, in no reach */
    assert_counts(1, 2, 0, 0, 2, 2);
    assert_int_equal(group.records, 3);
    pass(41);
    pass(130);
    assert_int_equal(group.all.found, 1);
    assert_int_equal(mr_evaluation_due_ms(&rules, &series), INT64_MAX);
    /* Two labelled records of one time. */
    labelled(200, "k", "b", false);
    labelled(200, "k", "b", false);
    alert(200);
    alert(200);
    assert_int_equal(group.all.flagged, 3);
    assert_int_equal(group.all.records, 3);
}

static void an_alert_whose_counts_were_forgotten_does_not_wrap(void **state)
{
    MR_UNUSED(state);
    start(0, 0, true);
    plain(1, false);
    group = (struct mr_evaluation_group){0};
    alert(1);
    assert_int_equal(group.plain, 0);
}

static void more_kinds_than_there_is_room_for_are_others(void **state)
{
    MR_UNUSED(state);
    start(0, 0, false);
    char kind[16];
    for (int index = 0; index < 20; index++) {
        snprintf(kind, sizeof(kind), "k%02d", index);
        labelled(index, kind, "", true);
        pass(index + 1);
    }
    const struct mr_evaluation_kind *others = &group.kinds[MR_EVALUATION_KINDS_MAX - 1];
    assert_int_equal(group.kinds_count, MR_EVALUATION_KINDS_MAX);
    assert_memory_equal(others->name.bytes, MR_EVALUATION_OTHERS, others->name.size);
    assert_int_equal(others->detections.records, 5);
    assert_int_equal(others->detections.episodes, 5);
    assert_int_equal(group.all.episodes, 20);
}

static void shares_have_no_value_without_a_divisor(void **state)
{
    MR_UNUSED(state);
    assert_true(isnan(mr_evaluation_share(0, 0)));
    assert_true(isnan(mr_evaluation_f1(0, 0, 0)));
    assert_true(mr_evaluation_share(0, 3) == 0);
    assert_true(mr_evaluation_share(3, 1) == 0.75);
    assert_true(mr_evaluation_f1(2, 1, 1) == 4.0 / 6);
    assert_true(isfinite(mr_evaluation_share(UINT64_MAX, UINT64_MAX)));
}

static void stored_bytes_are_read_back_and_others_refused(void **state)
{
    MR_UNUSED(state);
    static uint8_t bytes[MR_EVALUATION_SERIES_BYTES_MAX + MR_EVALUATION_GROUP_BYTES_MAX];
    static uint8_t again[sizeof(bytes)];
    struct mr_evaluation_series other;
    struct mr_evaluation_group counts;
    char kind[MR_EVALUATION_KIND_MAX + 1];
    char id[MR_EVALUATION_ID_MAX + 1];
    start(5, 5, true);
    for (int index = 0; index < 40; index++) {
        snprintf(kind, sizeof(kind), "%0*d", MR_EVALUATION_KIND_MAX, index);
        snprintf(id, sizeof(id), "%0*d", MR_EVALUATION_ID_MAX, index);
        labelled(index / 8, kind, id, false);
        alert(index / 8);
        plain(index / 8, false);
    }
    size_t size = mr_evaluation_series_encode(&series, bytes);
    assert_in_range(size, 1000, MR_EVALUATION_SERIES_BYTES_MAX);
    assert_true(mr_evaluation_series_decode(&other, 1, mr_slice_from(bytes, size)));
    assert_int_equal(mr_evaluation_series_encode(&other, again), size);
    assert_memory_equal(bytes, again, size);
    assert_false(mr_evaluation_series_decode(&other, 2, mr_slice_from(bytes, size)));
    for (size_t part = 0; part < size; part++)
        assert_false(mr_evaluation_series_decode(&other, 1, mr_slice_from(bytes, part)));
    size = mr_evaluation_group_encode(&group, bytes);
    assert_in_range(size, 1000, MR_EVALUATION_GROUP_BYTES_MAX);
    assert_true(mr_evaluation_group_decode(&counts, 1, mr_slice_from(bytes, size)));
    assert_int_equal(mr_evaluation_group_encode(&counts, again), size);
    assert_memory_equal(bytes, again, size);
    assert_false(mr_evaluation_group_decode(&counts, 0, mr_slice_from(bytes, size)));
    for (size_t part = 0; part < size; part++)
        assert_false(mr_evaluation_group_decode(&counts, 1, mr_slice_from(bytes, part)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_episode_is_found_by_its_first_flagged_record),
        cmocka_unit_test(what_is_flagged_in_reach_detects_and_is_tolerated),
        cmocka_unit_test(episodes_overlap_and_an_id_comes_again),
        cmocka_unit_test(time_closes_an_episode),
        cmocka_unit_test(a_ninth_episode_closes_the_one_that_was_silent_longest),
        cmocka_unit_test(alerts_flag_records_of_their_time),
        cmocka_unit_test(an_alert_whose_counts_were_forgotten_does_not_wrap),
        cmocka_unit_test(more_kinds_than_there_is_room_for_are_others),
        cmocka_unit_test(shares_have_no_value_without_a_divisor),
        cmocka_unit_test(stored_bytes_are_read_back_and_others_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
