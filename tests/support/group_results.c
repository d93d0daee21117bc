/* tests/support/group_results.c — see group_results.h. */
#include "tests/support/group_results.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct group_result group_results[GROUP_RESULTS_MAX];
uint32_t group_results_count;
const char *const group_cells[2] = {"", ", zz: count_distinct(value)"};

static void collect(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    MR_UNUSED(argument);
    const struct mr_plan_domain *domain = &harness->plan->domains[harness->node->outputs[0].domain];
    const uint32_t *slots = domain->field_slots;
    bool windowed = strcmp(harness->node->type->name, "window.aggregate") == 0;
    uint32_t aggregates = windowed ? 4 : 1; /* size, total */
    if (output != 0)
        return;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        struct mr_value **columns = view.batch->columns;
        uint32_t row = view.rows[index];
        assert_true(group_results_count < GROUP_RESULTS_MAX);
        struct group_result *result = &group_results[group_results_count++];
        struct mr_value key = columns[slots[0]][row];
        snprintf(result->key, sizeof(result->key), "%.*s", (int)key.size, (const char *)key.text);
        result->start_ms = windowed ? columns[slots[1]][row].integer : 0;
        result->end_ms =
            windowed ? columns[slots[2]][row].integer : view.batch->event_times_ms[row];
        result->retracted =
            windowed && columns[slots[3]] != NULL && columns[slots[3]][row].kind == MR_KIND_BOOL;
        result->count = columns[slots[aggregates]][row].integer;
        assert_true(mr_value_as_double(columns[slots[aggregates + 1]][row], &result->sum));
    }
}

void group_expect(uint32_t index, const char *key, int64_t start_ms, int64_t end_ms, int64_t count,
                  double sum)
{
    assert_true(index < group_results_count);
    assert_string_equal(group_results[index].key, key);
    assert_int_equal(group_results[index].start_ms, start_ms);
    assert_int_equal(group_results[index].end_ms, end_ms);
    assert_int_equal(group_results[index].count, count);
    assert_true(group_results[index].sum == sum);
}

void group_open(struct harness *harness, const char *type, const char *further, const char *more)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: %s, from: in, key: [k], "
             "aggregates: {size: count(), total: sum(value)%s}%s}\n",
             type, further, more);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    harness->on_emit = collect;
    harness->quiet = true;
    group_results_count = 0;
}

void group_feed(struct harness *harness, const char *key, int64_t time_ms, double value)
{
    struct harness_row row = harness_row(time_ms, key, mr_value_double(value));
    row.event_time_ms = time_ms;
    harness_feed(harness, 0, &row, 1);
}
