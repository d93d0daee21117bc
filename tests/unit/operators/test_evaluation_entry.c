/* tests/unit/operators/test_evaluation_entry.c — what is read of records, what is reported instead,
 * and bytes that are no entry. */
#include "operators/evaluation_entry.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static struct harness harness;

static void start(void)
{
    harness_open(&harness,
                 "    - {name: op, type: evaluate.detection, from: in, key: [], series: [k, nr], "
                 "is_anomaly: truth, label: kind, anomaly_id: id, detection: found, "
                 "window: {tumbling: 1s}}\n"
                 "    - {name: episodes, type: filter, from: op.episodes, where: "
                 "'has(record.records)'}\n",
                 "", "op");
    harness.keeps_last = true;
}

static void feed(struct mr_value truth, struct mr_value found, struct mr_value kind,
                 struct mr_value id, struct mr_value key)
{
    const struct harness_row row = {.event_time_ms = 5,
                                    .cells = {{"truth", truth},
                                              {"found", found},
                                              {"kind", kind},
                                              {"id", id},
                                              {"k", key},
                                              {"nr", mr_value_int(3)}}};
    harness_feed(&harness, 0, &row, 1);
}

static struct mr_value text(const char *value)
{
    return mr_value_string(mr_slice_text(value));
}

static void odd_cells_are_reported(void **state)
{
    MR_UNUSED(state);
    static char long_text[MR_EVALUATION_SERIES_MAX + 2];
    memset(long_text, 'x', sizeof(long_text) - 1);
    const struct mr_value yes = mr_value_bool(true);
    const struct mr_value none = mr_value_null();
    const struct mr_value odd[] = {none,
                                   {.kind = MR_KIND_ABSENT},
                                   mr_value_double((double)NAN),
                                   mr_value_double(0.5),
                                   mr_value_int(2),
                                   mr_value_double(5e-324),
                                   mr_value_double(1e308),
                                   text("true")};
    start();
    for (size_t index = 0; index < MR_ARRAY_COUNT(odd); index++) {
        feed(odd[index], yes, none, none, text("a"));
        feed(yes, odd[index], none, none, text("a"));
    }
    assert_int_equal(harness.errors_count, 2 * MR_ARRAY_COUNT(odd));
    assert_non_null(strstr(harness_errors(&harness), "is_anomaly: the value is null"));
    assert_non_null(strstr(harness_errors(&harness), "detection: the value is"));
    feed(yes, yes, text("a kind of more bytes than there is room for"), none, text("a"));
    assert_non_null(strstr(harness_errors(&harness), "label has 43 bytes, at most 32 are kept"));
    feed(yes, yes, none, (struct mr_value){.kind = MR_KIND_LIST}, text("a"));
    assert_non_null(strstr(harness_errors(&harness), "anomaly_id: the value is"));
    feed(yes, yes, none, mr_value_double((double)INFINITY), text("a"));
    feed(yes, yes, none, none, none);
    assert_non_null(strstr(harness_errors(&harness), "series: one of its fields (k, ...)"));
    feed(yes, yes, none, none, text(long_text));
    assert_non_null(strstr(harness_errors(&harness), "series has"));
    assert_int_equal(harness.errors_count, 2 * MR_ARRAY_COUNT(odd) + 5);
    harness_close(&harness);
}

static void names_are_texts_or_plain_values(void **state)
{
    MR_UNUSED(state);
    start();
    feed(mr_value_double(-0.0), mr_value_int(0), text("unread"), mr_value_null(), text("a"));
    feed(mr_value_int(1), mr_value_double(1), mr_value_null(), mr_value_int(-7), text("a"));
    assert_int_equal(harness.errors_count, 0);
    harness_watermark(&harness, 10000000);
    assert_int_equal(harness.emitted_count[MR_EVALUATION_OUTPUT_EPISODES], 1);
    assert_text(harness_field(&harness, MR_EVALUATION_OUTPUT_EPISODES, "anomaly_id"), "-7");
    assert_text(harness_field(&harness, MR_EVALUATION_OUTPUT_EPISODES, "series"), "[\"a\",3]");
    assert_int_equal(harness_field(&harness, MR_EVALUATION_OUTPUT_EPISODES, "label").kind,
                     MR_KIND_NULL);
    harness_close(&harness);
}

static void other_bytes_are_no_entry(void **state)
{
    MR_UNUSED(state);
    const uint8_t bytes[] = {3, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 's', 2, 'k', 'k', 1, 'i'};
    struct mr_evaluation_moment moment = {0};
    struct mr_evaluation_entry entry;
    assert_true(
        mr_evaluation_entry_decode(mr_slice_from(bytes, sizeof(bytes)), true, &moment, &entry));
    assert_int_equal(moment.time_ms, 5);
    assert_true(mr_slice_equal(moment.series, mr_slice_text("s")));
    assert_true(mr_slice_equal(entry.kind, mr_slice_text("kk")));
    assert_true(mr_slice_equal(entry.id, mr_slice_text("i")));
    assert_true(entry.labelled && entry.flagged && entry.what == MR_ENTRY_RECORD);
    for (size_t size = 0; size < sizeof(bytes); size++)
        assert_false(
            mr_evaluation_entry_decode(mr_slice_from(bytes, size), false, &moment, &entry));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_cells_are_reported),
        cmocka_unit_test(names_are_texts_or_plain_values),
        cmocka_unit_test(other_bytes_are_no_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
