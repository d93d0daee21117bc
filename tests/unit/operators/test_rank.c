/* tests/unit/operators/test_rank.c — rank: the best rows, when they are told, and when it is over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { SEEN_BYTES = 4096 };

static char seen[SEEN_BYTES];

static const struct mr_value *cell(const struct harness *harness, const struct mr_batch *batch,
                                   const char *name, uint32_t row)
{
    const struct mr_plan_domain *domain = &harness->plan->domains[harness->node->outputs[0].domain];
    for (uint32_t slot = 0; slot < domain->shape.slots_count; slot++)
        if (domain->slot_names[slot] != NULL && strcmp(domain->slot_names[slot], name) == 0 &&
            batch->columns[slot] != NULL)
            return &batch->columns[slot][row];
    return NULL;
}

/* Writes down key, value, event time and rank: "a3@1000#1 ". */
static void see(void *argument, const struct harness *harness, uint32_t output, struct mr_view view)
{
    MR_UNUSED(argument);
    for (uint32_t index = 0; output == 0 && index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        const struct mr_value *key = cell(harness, view.batch, "k", row);
        const struct mr_value *value = cell(harness, view.batch, "value", row);
        size_t used = strlen(seen);
        used += (size_t)snprintf(seen + used, SEEN_BYTES - used, "%s%.*s%g@%d",
                                 used == 0 ? "" : " ", (int)key->size, (const char *)key->text,
                                 value->number, (int)view.batch->event_times_ms[row]);
        if (harness->node->set_slots_count > 0)
            snprintf(seen + used, SEEN_BYTES - used, "#%d",
                     (int)view.batch->columns[harness->node->set_slots[0]][row].integer);
    }
}

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: rank, from: in, key: [k], %s}\n"
             "    - {name: read, type: filter, from: op, where: 'k != \"\" && value > -1.0'}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: read}\n"
                 "    - {name: late, type: memory, from: op.late}\n",
                 "op");
    seen[0] = '\0';
    harness->on_emit = see;
}

static struct harness_row event(int64_t time_ms, const char *key, double value)
{
    struct harness_row row = harness_row(time_ms, key, mr_value_double(value));
    row.event_time_ms = time_ms;
    return row;
}

static void the_last_row_of_a_key_is_told_at_once(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "sort_by: [{by: value, descending: true}]");
    struct harness_row rows[] = {event(1, "a", 3), event(2, "a", 2), event(3, "b", 1),
                                 event(4, "a", 3), event(5, "a", 4)};
    harness_feed(&harness, 0, rows, 5);
    assert_string_equal(seen, "a3@1 b1@3 a4@5");
    harness_close(&harness);
}

static void rows_that_are_pushed_down_are_told_again(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "sort_by: [{by: value, descending: true}], count: 3, into: place");
    struct harness_row rows[] = {event(1, "a", 5), event(2, "a", 3), event(3, "a", 4),
                                 event(4, "a", 1), event(5, "a", 6), event(6, "b", 1)};
    harness_feed(&harness, 0, rows, 2);
    assert_string_equal(seen, "a5@1#1 a3@2#2");
    seen[0] = '\0';
    harness_commit(&harness);
    harness_restore(&harness);
    harness_feed(&harness, 0, rows + 2, 4);
    assert_string_equal(seen, "a4@3#2 a3@2#3 a6@5#1 a5@1#2 a4@3#3 b1@6#1");
    harness_close(&harness);
}

static void a_ranking_is_closed_by_the_watermark(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "sort_by: [{by: value}], count: 2, emit: close, into: place, "
                   "until: 'value > 50.0 ? 2000 : 1000'");
    struct harness_row rows[] = {event(1, "a", 5), event(2, "a", 3), event(3, "a", 4),
                                 event(4, "b", 9), event(5, "b", 60)};
    harness_feed(&harness, 0, rows, 5);
    harness_watermark(&harness, 999);
    assert_string_equal(seen, "");
    harness_watermark(&harness, 1000);
    assert_string_equal(seen, "a3@999#1 a4@999#2");
    seen[0] = '\0';
    /* Now 1000 is over: such rows are late, and counted; b is open until 2000. */
    struct harness_row more[] = {event(6, "a", 1), event(7, "a", 70), event(8, "b", 2)};
    harness_feed(&harness, 0, more, 3);
    assert_string_equal(seen, "");
    assert_string_equal(harness_offsets(&harness, 1), "6 8");
    harness_watermark(&harness, 5000);
    assert_string_equal(seen, "a70@1999#1 b9@1999#1 b60@1999#2");
    harness_commit(&harness);
    seen[0] = '\0';
    harness_watermark(&harness, 9000);
    assert_string_equal(seen, "");
    harness_close(&harness);
}

static void ties_share_a_rank(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "sort_by: [{by: value, descending: true}], ties: true, emit: close, "
                   "into: place, until: '1000'");
    struct harness_row rows[80];
    for (int64_t index = 0; index < 80; index++)
        rows[index] = event(index, "a", index < 77 ? 1 : 2 + (double)(index == 78));
    harness_feed(&harness, 0, rows, 80);
    /* 64 rows are kept of those that are level; better ones still come in. */
    assert_int_equal(harness.errors_count, 13);
    assert_non_null(strstr(harness_errors(&harness), "more than 64 rows are among the best 1"));
    harness_watermark(&harness, 1000);
    assert_string_equal(seen, "a3@999#1");
    seen[0] = '\0';
    harness_close(&harness);

    open(&harness, "sort_by: [{by: value}], count: 2, ties: true, emit: close, into: place, "
                   "until: '1000'");
    struct harness_row level[] = {event(1, "a", 5), event(2, "a", 4), event(3, "a", 5),
                                  event(4, "a", 6), event(5, "a", 4)};
    harness_feed(&harness, 0, level, 3);
    harness_feed(&harness, 0, level + 3, 1);
    harness_watermark(&harness, 1000);
    assert_string_equal(seen, "a4@999#1 a5@999#2 a5@999#2");
    harness_close(&harness);
}

static void what_has_no_order_or_time_is_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "sort_by: [{by: value}, {by: k}]");
    struct harness_row row = event(1, "a", 5);
    harness_feed(&harness, 0, &row, 1);
    assert_non_null(strstr(harness_errors(&harness),
                           "sort_by[1]: the value is string; rows are ordered by finite numbers"));
    harness_close(&harness);
    open(&harness, "sort_by: [{by: value}], until: k, emit: close");
    harness_feed(&harness, 0, &row, 1);
    assert_non_null(strstr(harness_errors(&harness), "until: the value is string, not a time"));
    harness_close(&harness);
}

static void a_row_of_many_pieces_comes_back_whole(void **state)
{
    MR_UNUSED(state);
    static char text[70000];
    struct harness harness;
    open(&harness, "sort_by: [{by: value, descending: true}], count: 2, into: place");
    memset(text, 'x', sizeof(text));
    text[30000] = '\0';
    struct harness_row rows[] = {event(1, text, 5), event(2, text, 6)};
    harness_feed(&harness, 0, rows, 2);
    assert_int_equal(harness.errors_count, 0);
    assert_int_equal(harness.emitted_count[0], 3);
    harness_close(&harness);
}

static void options_that_do_not_fit_are_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    static const char *const given[][2] = {
        {"emit: close", "`emit: close` needs `until`"},
        {"ties: true", "`ties` needs `emit: close`"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(given); index++) {
        const char *operators = mr_arena_format(
            &arena,
            "    - {name: op, type: rank, from: in, key: [k], sort_by: [{by: value}], %s}\n",
            given[index][0]);
        const char *findings =
            harness_findings(&arena, "    - {name: in, type: memory, records: [{k: a}]}\n",
                             operators, "    - {name: out, type: memory, from: op}\n");
        assert_non_null(strstr(findings, given[index][1]));
    }
    mr_arena_deinit(&arena);
}

static void the_stored_layout_stays_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    const char *options = "sort_by: [{by: value, descending: true}], count: 3, into: place, "
                          "until: '1700000000000'";
    open(&harness, options);
    struct harness_row rows[] = {event(1, "a", 5), event(2, "a", 3), event(3, "b", 4)};
    harness_feed(&harness, 0, rows, 3);
    harness_commit(&harness);
    harness_check_golden(&harness, "rank_v1");
    harness_close(&harness);
    open(&harness, options);
    harness_load_golden(&harness, "rank_v1");
    struct harness_row more = event(4, "a", 6);
    harness_feed(&harness, 0, &more, 1);
    assert_string_equal(seen, "a6@4#1 a5@1#2 a3@2#3");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_row_of_a_key_is_told_at_once),
        cmocka_unit_test(rows_that_are_pushed_down_are_told_again),
        cmocka_unit_test(a_ranking_is_closed_by_the_watermark),
        cmocka_unit_test(ties_share_a_rank),
        cmocka_unit_test(what_has_no_order_or_time_is_reported),
        cmocka_unit_test(a_row_of_many_pieces_comes_back_whole),
        cmocka_unit_test(options_that_do_not_fit_are_refused),
        cmocka_unit_test(the_stored_layout_stays_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
