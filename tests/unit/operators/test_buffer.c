/* tests/unit/operators/test_buffer.c — the last records of a key, as queries see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "record/json_write.h"
#include "tests/support/operator_harness.h"

static void open_buffer(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: named, type: map, from: in, set: {copy: k}}\n"
             "    - {name: op, type: buffer, from: named, key: [k]%s}\n"
             "    - {name: behind, type: filter, from: op, where: 'value > -1e9'}\n",
             options);
    harness_open(harness, text, "", "op");
}

static struct harness_row row_at(int64_t offset, const char *key, int64_t time_ms)
{
    struct harness_row row = harness_row(offset, key, mr_value_double((double)offset));
    row.event_time_ms = time_ms;
    return row;
}

static void feed(struct harness *harness, int64_t offset, const char *key, int64_t time_ms)
{
    struct harness_row row = row_at(offset, key, time_ms);
    harness_feed(harness, 0, &row, 1);
}

struct asking {
    struct harness *harness;
    uint32_t last;
    int64_t since_ms;
    char text[65536];
    struct mr_state_description description;
};

static enum mr_status describe(void *argument, const struct mr_state_object *object,
                               struct mr_error *error)
{
    struct asking *asking = argument;
    asking->description = (struct mr_state_description){
        .node = asking->harness->node, .last = asking->last, .since_ms = asking->since_ms};
    return asking->harness->type->describe_state(object, &asking->harness->plan_arena,
                                                 &asking->description, error);
}

static struct mr_value member(const struct asking *asking, const char *name)
{
    for (uint32_t index = 0; index < asking->description.members_count; index++) {
        const struct mr_map_entry *entry = &asking->description.members[index];
        if (mr_slice_equal(mr_value_text(entry->key), mr_slice_text(name)))
            return entry->value;
    }
    return (struct mr_value){0};
}

/* The offsets of the records that the query shows, divided by blanks. */
static const char *ask(struct harness *harness, const char *key, uint32_t last, int64_t since_ms,
                       struct asking *asking)
{
    struct mr_error error = {0};
    int64_t changelog_offset;
    asking->harness = harness;
    asking->last = last;
    asking->since_ms = since_ms;
    asking->text[0] = '\0';
    struct mr_state_query query = {.operator_name = "op",
                                   .table_name = harness->type->state_table,
                                   .key = mr_slice_text(key),
                                   .visit = describe,
                                   .argument = asking};
    enum mr_status status =
        mr_state_query(harness->state, &query, &harness->plan_arena, &changelog_offset, &error);
    if (status == MR_NOT_FOUND)
        return "not found";
    if (status != MR_OK)
        fail_msg("%s", error.message);
    struct mr_value list = member(asking, "last");
    assert_int_equal(list.kind, MR_KIND_LIST);
    size_t size = 0;
    for (uint32_t index = 0; index < list.size; index++) {
        struct mr_value record = list.items[index].entries[1].value;
        assert_int_equal(record.kind, MR_KIND_JSON);
        char text[128];
        assert_true(record.size < sizeof(text));
        memcpy(text, record.text, record.size);
        text[record.size] = '\0';
        long offset = -1;
        assert_int_equal(sscanf(text, "{\"offset\":%ld", &offset), 1);
        size += (size_t)snprintf(asking->text + size, sizeof(asking->text) - size, "%s%ld",
                                 index == 0 ? "" : " ", offset);
    }
    return asking->text;
}

static void the_last_records_are_shown(void **state)
{
    MR_UNUSED(state);
    static struct asking asking;
    struct harness harness;
    open_buffer(&harness, ", max_records: 4");
    for (int64_t row = 0; row < 6; row++)
        feed(&harness, row, row == 2 ? "b" : "a", 1000 * row);
    assert_string_equal(ask(&harness, "a", 0, 0, &asking), "not found"); /* not committed */
    harness_commit(&harness);
    assert_string_equal(ask(&harness, "a", 0, 0, &asking), "1 3 4 5");
    assert_string_equal(ask(&harness, "a", 2, 0, &asking), "4 5");
    assert_string_equal(ask(&harness, "a", 9, 0, &asking), "1 3 4 5");
    assert_string_equal(ask(&harness, "a", 0, 2000, &asking), "3 4 5");
    assert_string_equal(ask(&harness, "a", 2, 2000, &asking), "4 5");
    assert_string_equal(ask(&harness, "a", 9, 1999, &asking), "4 5");
    assert_string_equal(ask(&harness, "b", 0, 0, &asking), "2");
    assert_string_equal(ask(&harness, "c", 0, 0, &asking), "not found");
    harness_restore(&harness);
    feed(&harness, 6, "a", 500);
    harness_commit(&harness);
    assert_string_equal(ask(&harness, "a", 0, 0, &asking), "3 4 5 6");
    assert_string_equal(ask(&harness, "a", 0, 1500, &asking), "4 5");
    assert_int_equal(member(&asking, "records").integer, 4);
    assert_int_equal(member(&asking, "oldest").integer, 3000000000);
    assert_int_equal(member(&asking, "latest").integer, 5000000000);
    assert_string_equal(harness_offsets(&harness, 0), "0 1 2 3 4 5 6");
    harness_close(&harness);
}

static void old_records_are_dropped(void **state)
{
    MR_UNUSED(state);
    static struct asking asking;
    struct harness harness;
    open_buffer(&harness, ", max_age: 2s");
    feed(&harness, 0, "a", 1000);
    feed(&harness, 1, "a", 2000);
    feed(&harness, 2, "a", 3000);
    harness_commit(&harness);
    assert_string_equal(ask(&harness, "a", 0, 0, &asking), "0 1 2");
    feed(&harness, 3, "a", 4001);
    harness_commit(&harness);
    assert_string_equal(ask(&harness, "a", 0, 0, &asking), "2 3");
    feed(&harness, 4, "a", 90000);
    harness_commit(&harness);
    assert_string_equal(ask(&harness, "a", 0, 0, &asking), "4");
    harness_close(&harness);
}

/* The texts have `set` fields in them: they are the records as they are here. */
/* Of the keys of a batch the fullest ring, and the one that reaches furthest back. */
static void gauges_tell_how_full_it_is(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_buffer(&harness, ", max_records: 10, max_bytes: 1KiB, max_age: 1h");
    feed(&harness, 0, "a", 0);
    double one = harness.gauges[MR_GAUGE_UTILISATION];
    assert_true(one > 0.01 && one < 0.1);
    assert_true(harness.gauges[MR_GAUGE_KEPT_AGE] == 0);
    feed(&harness, 1, "a", 60000);
    assert_true(harness.gauges[MR_GAUGE_UTILISATION] == 2 * one);
    assert_true(harness.gauges[MR_GAUGE_KEPT_AGE] == 60000);
    feed(&harness, 2, "a", 30000);
    assert_true(harness.gauges[MR_GAUGE_KEPT_AGE] == 60000);
    feed(&harness, 3, "b", 9000000); /* a key of its own */
    assert_true(harness.gauges[MR_GAUGE_UTILISATION] == one);
    assert_true(harness.gauges[MR_GAUGE_KEPT_AGE] == 0);
    feed(&harness, 4, "a", 3660000); /* pushes the first one out, which is older than max_age */
    assert_true(harness.gauges[MR_GAUGE_UTILISATION] == 3 * one);
    assert_true(harness.gauges[MR_GAUGE_KEPT_AGE] == 3600000);
    harness_close(&harness);
}

static void records_are_as_they_pass(void **state)
{
    MR_UNUSED(state);
    static struct asking asking;
    struct harness harness;
    open_buffer(&harness, "");
    feed(&harness, 7, "a", 1000);
    harness_commit(&harness);
    ask(&harness, "a", 0, 0, &asking);
    struct mr_value shown = member(&asking, "last").items[0];
    uint8_t text[256];
    assert_true(mr_json_write_bound(shown) + MR_JSON_WRITE_SLACK < sizeof(text));
    *mr_json_write(text, shown) = 0;
    print_message("%s\n", (char *)text);
    assert_non_null(strstr((char *)text, "\"event_time\":\"1970-01-01T00:00:01Z\""));
    assert_non_null(strstr((char *)text, "\"record\":{\"offset\":7"));
    harness_close(&harness);
}

/* A ring of 2 KiB: what fits are the last ones whose texts and heads fit, whatever the sizes. */
static void the_ring_goes_round(void **state)
{
    MR_UNUSED(state);
    static struct asking asking;
    enum { ROWS = 1500, CAPACITY = 2048, HEAD = 12 };
    struct harness harness;
    struct mr_random random;
    mr_random_init(&random, 5, 5);
    open_buffer(&harness, ", max_records: 50, max_bytes: 2KiB");
    for (int64_t row = 0; row < ROWS; row++) {
        /* Offsets of 1 to 16 digits make texts of different sizes. */
        int64_t offset = 1;
        for (uint64_t digits = mr_random_below(&random, 16); digits > 0; digits--)
            offset = 10 * offset + (int64_t)mr_random_below(&random, 10);
        feed(&harness, offset, "a", row);
        if (row % 40 != 39)
            continue;
        harness_commit(&harness);
        if (row % 200 == 199)
            harness_restore(&harness);
        ask(&harness, "a", 1000, 0, &asking);
        struct mr_value list = member(&asking, "last");
        uint64_t used = 0;
        for (uint32_t index = 0; index < list.size; index++) {
            used += HEAD + list.items[index].entries[1].value.size;
            int64_t time_ms = list.items[index].entries[0].value.integer / 1000000;
            assert_int_equal(time_ms, row - (list.size - 1) + index);
        }
        assert_int_equal(member(&asking, "bytes").integer, used);
        assert_int_equal(member(&asking, "records").integer, list.size);
        assert_true(used <= CAPACITY);
        assert_true(list.size == 50 || list.size == row + 1 || used + 120 > CAPACITY);
    }
    harness_close(&harness);
}

static enum mr_status large_text(void *argument, uint32_t node, uint32_t port,
                                 const struct mr_batch *batch, uint32_t row, struct mr_slice *text,
                                 struct mr_error *error)
{
    static char bytes[1013];
    MR_UNUSED(argument);
    MR_UNUSED(node);
    MR_UNUSED(port);
    memset(bytes, '7', sizeof(bytes));
    if (batch->offsets[row] == 3)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "there is no text");
    *text = mr_slice_from(bytes, batch->offsets[row] == 1 ? 1012 : 1013);
    return MR_OK;
}

static void a_record_that_does_not_fit_is_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_buffer(&harness, ", max_bytes: 1KiB");
    harness.runtime.record_text = large_text; /* the map's edit makes it be asked */
    for (int64_t row = 0; row < 4; row++)
        feed(&harness, row, "a", 0);
    assert_string_equal(harness_offsets(&harness, 0), "1");
    assert_non_null(strstr(harness_errors(&harness),
                           "the record has 1013 bytes, and the buffer of a key has room for 1012: "
                           "raise max_bytes"));
    assert_non_null(strstr(harness_errors(&harness), "there is no text"));
    assert_int_equal(harness.errors_count, 3);
    harness_close(&harness);
}

static void stored_bytes_stay(void **state)
{
    MR_UNUSED(state);
    static struct asking asking;
    struct harness harness;
    open_buffer(&harness, ", max_records: 2, max_bytes: 1KiB");
    for (int64_t row = 0; row < 3; row++)
        feed(&harness, row, "a", 1000 * row);
    harness_commit(&harness);
    harness_check_golden(&harness, "buffer_v1");
    harness_close(&harness);
    open_buffer(&harness, ", max_records: 2, max_bytes: 1KiB");
    harness_load_golden(&harness, "buffer_v1");
    assert_string_equal(ask(&harness, "a", 0, 0, &asking), "1 2");
    harness_close(&harness);
    /* A ring of another size begins anew. */
    open_buffer(&harness, ", max_records: 2, max_bytes: 2KiB");
    harness_load_golden(&harness, "buffer_v1");
    feed(&harness, 9, "a", 100);
    harness_commit(&harness);
    assert_string_equal(ask(&harness, "a", 0, 0, &asking), "9");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_records_are_shown),
        cmocka_unit_test(old_records_are_dropped),
        cmocka_unit_test(gauges_tell_how_full_it_is),
        cmocka_unit_test(records_are_as_they_pass),
        cmocka_unit_test(the_ring_goes_round),
        cmocka_unit_test(a_record_that_does_not_fit_is_reported),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
