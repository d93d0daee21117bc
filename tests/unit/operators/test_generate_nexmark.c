/* tests/unit/operators/test_generate_nexmark.c — generate.nexmark: fields, sizes, one auction told
 * by several sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open_nexmark(struct harness *harness, const char *options, int32_t partition,
                         int32_t partitions_count)
{
    char source[256];
    snprintf(source, sizeof(source), "    - {name: made, type: generate.nexmark, %s}\n", options);
    harness_open_sources(harness, source, "", "    - {name: out, type: memory, from: made}\n",
                         "made", partition, partitions_count);
    harness->keeps_last = true;
}

/* All records of a partition as text. */
static const char *make_all(struct harness *harness)
{
    int64_t position = 0;
    int64_t due_ms = 0;
    while (harness_generate(harness, position, 1000, 4096, &position, &due_ms) == MR_OK)
        continue;
    return harness_output(harness, 0);
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The lines of a text, cut into it and sorted, without the offset that begins each. */
static size_t sorted_lines(char *text, char **lines, size_t lines_max)
{
    size_t count = 0;
    char *rest = text;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_true(count < lines_max);
        char *behind = strchr(line, ' ');
        lines[count++] = behind == NULL ? line : behind + 1;
    }
    qsort(lines, count, sizeof(*lines), compare_lines);
    return count;
}

static void assert_same_records(struct mr_arena *arena, const char *left, const char *right)
{
    enum { LINES_MAX = 2000 };
    static char *left_lines[LINES_MAX];
    static char *right_lines[LINES_MAX];
    char *left_text = mr_arena_copy_text(arena, left);
    char *right_text = mr_arena_copy_text(arena, right);
    size_t count = sorted_lines(left_text, left_lines, LINES_MAX);
    assert_int_equal(count, sorted_lines(right_text, right_lines, LINES_MAX));
    assert_true(count > 0);
    for (size_t line = 0; line < count; line++)
        assert_string_equal(left_lines[line], right_lines[line]);
}

static void a_person_an_auction_and_a_bid_have_their_fields(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_nexmark(&harness, "count: 5, start: '2020-01-01T00:00:00Z', event_rate: 1000/s", 0, 1);
    int64_t next = 0;
    int64_t due_ms = 0;
    assert_int_equal(harness_generate(&harness, 0, 0, 1, &next, &due_ms), MR_OK);
    assert_int_equal(harness_field(&harness, 0, "event_type").integer, 0);
    assert_int_equal(harness_field(&harness, 0, "id").integer, 1000);
    assert_int_equal(harness_field(&harness, 0, "creditCard").size, 19);
    assert_int_equal(harness_field(&harness, 0, "state").size, 2);
    assert_int_equal(harness_field(&harness, 0, "dateTime").integer, 1577836800000);
    assert_int_equal(harness_field(&harness, 0, "bidder").kind, MR_KIND_ABSENT);
    assert_int_equal(harness_generate(&harness, 3, 0, 1, &next, &due_ms), MR_OK);
    assert_int_equal(harness_field(&harness, 0, "event_type").integer, 1);
    assert_int_equal(harness_field(&harness, 0, "id").integer, 1002);
    assert_int_equal(harness_field(&harness, 0, "dateTime").integer, 1577836800003);
    assert_in_range(harness_field(&harness, 0, "expires").integer - 1577836800003, 1, 3333);
    assert_in_range(harness_field(&harness, 0, "category").integer, 10, 14);
    assert_true(harness_field(&harness, 0, "reserve").integer >
                harness_field(&harness, 0, "initialBid").integer);
    assert_int_equal(harness_field(&harness, 0, "name").kind, MR_KIND_ABSENT);
    assert_int_equal(harness_generate(&harness, 4, 0, 1, &next, &due_ms), MR_OK);
    assert_int_equal(harness_field(&harness, 0, "event_type").integer, 2);
    assert_in_range(harness_field(&harness, 0, "auction").integer, 1000, 1012);
    assert_in_range(harness_field(&harness, 0, "price").integer, 100, 100000000);
    assert_int_equal(harness_field(&harness, 0, "id").kind, MR_KIND_ABSENT);
    assert_int_equal(harness_generate(&harness, 5, 0, 1, &next, &due_ms), MR_END);
    harness_close(&harness);
}

struct sizes {
    uint64_t bytes[3];
    uint64_t counts[3];
    uint64_t channel_bytes;
};

/* Adds up the sizes of the values; a number counts 8. */
static void add_sizes(void *argument, const struct harness *harness, uint32_t output,
                      struct mr_view view)
{
    struct sizes *sizes = argument;
    const struct mr_plan_domain *domain =
        &harness->plan->domains[harness->node->outputs[output].domain];
    enum { EVENT_TYPE = 0, CHANNEL = 17, URL = 18, DATE_TIME = 19, FIELDS = 21 };
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        uint64_t kind = (uint64_t)view.batch->columns[domain->field_slots[EVENT_TYPE]][row].integer;
        sizes->counts[kind]++;
        for (uint32_t field = 1; field < FIELDS; field++) {
            struct mr_value value = view.batch->columns[domain->field_slots[field]][row];
            if (field == CHANNEL || field == URL)
                sizes->channel_bytes += value.size;
            else if (value.kind == MR_KIND_STRING)
                sizes->bytes[kind] += value.size;
            else if (value.kind == MR_KIND_INT && !(kind == 0 && field == DATE_TIME))
                sizes->bytes[kind] += 8;
        }
    }
}

static void sizes_are_200_500_and_100_bytes_on_average(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct sizes sizes = {0};
    open_nexmark(&harness, "count: 50000, seed: 3", 0, 1);
    harness.quiet = true;
    harness.keeps_last = false;
    harness.on_emit = add_sizes;
    harness.on_emit_argument = &sizes;
    make_all(&harness);
    assert_int_equal(sizes.counts[0], 1000);
    assert_int_equal(sizes.counts[1], 3000);
    assert_int_equal(sizes.counts[2], 46000);
    assert_in_range(sizes.bytes[0] / sizes.counts[0], 195, 205);
    assert_in_range(sizes.bytes[1] / sizes.counts[1], 490, 510);
    assert_in_range(sizes.bytes[2] / sizes.counts[2], 98, 102);
    assert_in_range(sizes.channel_bytes / sizes.counts[2], 70, 90);
    harness_close(&harness);
}

static void every_kind_layout_and_order_tells_of_the_same_auction(void **state)
{
    MR_UNUSED(state);
    struct harness all;
    struct harness other;
    open_nexmark(&all, "count: 1000", 0, 1);
    const char *expected = make_all(&all);
    struct mr_buffer joined;
    mr_buffer_init(&joined, 4 << 20);
    static const char *const parts[] = {"count: 1000, kind: person", "count: 1000, kind: auction",
                                        "count: 1000, kind: bid, shuffle: 60"};
    for (size_t part = 0; part < MR_ARRAY_COUNT(parts); part++) {
        open_nexmark(&other, parts[part], 0, 1);
        assert_int_equal(mr_buffer_append_text(&joined, make_all(&other)), MR_OK);
        harness_close(&other);
    }
    assert_int_equal(mr_buffer_append(&joined, "", 1), MR_OK);
    assert_same_records(&all.plan_arena, expected, (const char *)joined.data);
    mr_buffer_clear(&joined);
    for (int32_t partition = 0; partition < 3; partition++) {
        open_nexmark(&other, "count: 1000, shuffle: 333, partitions: 3", partition, 3);
        assert_int_equal(mr_buffer_append_text(&joined, make_all(&other)), MR_OK);
        harness_close(&other);
    }
    assert_int_equal(mr_buffer_append(&joined, "", 1), MR_OK);
    assert_same_records(&all.plan_arena, expected, (const char *)joined.data);
    mr_buffer_deinit(&joined);
    open_nexmark(&other, "count: 1000, seed: 2", 0, 1);
    assert_string_not_equal(expected, make_all(&other));
    harness_close(&other);
    harness_close(&all);
}

static void a_source_of_one_kind_keeps_its_share_of_the_rate(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_nexmark(&harness, "kind: auction, rate: 1000/s", 0, 1);
    int64_t next = 0;
    int64_t due_ms = 0;
    assert_int_equal(harness_generate(&harness, 0, 5000, 100, &next, &due_ms), MR_OK);
    assert_int_equal(next, 1);
    /* 3 of 50 events: 60 a second. */
    assert_int_equal(harness_generate(&harness, 1, 6000, 100, &next, &due_ms), MR_OK);
    assert_int_equal(next, 61);
    harness_close(&harness);
}

static void a_group_that_cannot_be_shuffled_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    const char *findings =
        harness_findings(&arena, "    - {name: made, type: generate.nexmark, shuffle: 1906}\n", "",
                         "    - {name: out, type: memory, from: made}\n");
    assert_non_null(
        strstr(findings, "`shuffle` is 1906: a multiple of 953 cannot be shuffled; take one more"));
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_an_auction_and_a_bid_have_their_fields),
        cmocka_unit_test(sizes_are_200_500_and_100_bytes_on_average),
        cmocka_unit_test(every_kind_layout_and_order_tells_of_the_same_auction),
        cmocka_unit_test(a_source_of_one_kind_keeps_its_share_of_the_rate),
        cmocka_unit_test(a_group_that_cannot_be_shuffled_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
