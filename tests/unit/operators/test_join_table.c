/* tests/unit/operators/test_join_table.c — join.table beside a list of all versions of a table, in
 * random order, with deletes, crashes and restores; by hand: whole records, keys that nobody knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

enum { STREAM, TABLE, EVENTS = 1500, KEYS = 4, NONE = -1, RETENTION_MS = 50 };

static const char *const keys[KEYS] = {"a", "b", "c", "d"};

struct version {
    uint32_t key;
    int64_t time_ms;
    double value; /* NONE: deleted */
};

static struct version versions[EVENTS];
static uint32_t versions_count;

/* What the table says of a key; NONE: nothing. */
static double known(uint32_t key, int64_t time_ms, bool versioned)
{
    const struct version *best = NULL;
    for (uint32_t i = 0; i < versions_count; i++) {
        const struct version *version = &versions[i];
        if (version->key != key || (versioned && version->time_ms > time_ms))
            continue;
        if (best == NULL || !versioned || version->time_ms >= best->time_ms)
            best = version; /* of equal times the later one */
    }
    return best == NULL ? NONE : best->value;
}

/* The value that the last stream row got. */
struct seen {
    uint32_t rows_count;
    double value;
    int64_t time_ms;
};

static void note(void *argument, const struct harness *harness, uint32_t output,
                 struct mr_view view)
{
    struct seen *seen = argument;
    MR_UNUSED(harness);
    assert_int_equal(output, 0);
    for (uint32_t i = 0; i < view.rows_count; i++) {
        uint32_t row = view.rows[i];
        seen->rows_count++;
        seen->value = NONE;
        seen->time_ms = view.batch->event_times_ms[row];
        for (uint32_t slot = 0; slot < view.batch->slots_count; slot++) {
            const struct mr_value *column = view.batch->columns[slot];
            if (column != NULL && column[row].kind == MR_KIND_DOUBLE)
                seen->value = column[row].number;
        }
    }
}

static void open_join(struct harness *harness, bool versioned, const char *kind, struct seen *seen)
{
    char sources[256];
    char operators[256];
    snprintf(sources, sizeof(sources),
             "    - {name: in, type: memory, key: [k]}\n"
             "    - {name: facts, type: memory, key: [k], table: true%s}\n",
             versioned ? ", retention: 50ms" : "");
    snprintf(operators, sizeof(operators),
             "    - {name: op, type: join.table, from: in, table: facts, key: [k], kind: %s}\n"
             "    - {name: reader, type: filter, from: op, where: 'facts.v > 0.0'}\n",
             kind);
    harness_open_sources(harness, sources, operators,
                         "    - {name: s, type: memory, from: reader}\n", "op", 0, 1);
    harness->quiet = true;
    harness->on_emit = note;
    harness->on_emit_argument = seen;
}

static void put(struct harness *harness, uint32_t key, int64_t time_ms, double value)
{
    struct harness_row row = {
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(keys[key]))}, {"v", mr_value_double(value)}},
        .deletes = value == NONE ? keys[key] : NULL,
    };
    versions[versions_count++] = (struct version){key, time_ms, value};
    harness_feed(harness, TABLE, &row, 1);
}

static void look_up(struct harness *harness, uint32_t key, int64_t time_ms)
{
    struct harness_row row = {
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(keys[key]))}},
    };
    harness_feed(harness, STREAM, &row, 1);
}

static void records_get_what_the_table_says(void **state)
{
    MR_UNUSED(state);
    for (uint64_t seed = 0; seed < 16; seed++) {
        bool versioned = seed % 2 == 1;
        bool left = seed % 4 < 2;
        struct harness harness;
        struct mr_random random;
        struct seen seen = {0};
        int64_t now = 1000;
        int64_t watermark = 900;
        mr_random_init(&random, seed, 0);
        versions_count = 0;
        open_join(&harness, versioned, left ? "left" : "inner", &seen);
        for (uint32_t event = 0; event < EVENTS; event++) {
            uint32_t key = (uint32_t)mr_random_below(&random, KEYS);
            uint64_t what = mr_random_below(&random, 100);
            /* Not before what the retention promises. */
            int64_t time = now - (int64_t)mr_random_below(&random, 60);
            if (time < watermark - RETENTION_MS)
                time = watermark - RETENTION_MS;
            now += (int64_t)mr_random_below(&random, 3);
            if (what < 40) {
                /* A table's rows are in time or a little late, never behind the watermark. */
                put(&harness, key, time < watermark ? watermark : time,
                    mr_random_below(&random, 6) == 0 ? NONE : (double)event + 1);
            } else if (what < 90) {
                uint32_t before = seen.rows_count;
                double value = known(key, time, versioned);
                look_up(&harness, key, time);
                assert_int_equal(seen.rows_count - before, left || value != NONE);
                if (seen.rows_count > before && seen.value != value)
                    fail_msg("seed %u event %u: expected %g, found %g", (unsigned)seed, event,
                             value, seen.value);
                if (seen.rows_count > before)
                    assert_true(seen.time_ms == time);
            } else if (what < 98) {
                watermark = now - 30 > watermark ? now - 30 : watermark;
                harness_watermark(&harness, watermark);
            } else {
                harness_commit(&harness);
                harness_restore(&harness);
            }
        }
        assert_int_equal(harness.errors_count, 0);
        harness_close(&harness);
    }
}

static uint32_t count_text_lines(const char *text)
{
    uint32_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

/* What was replaced or deleted does not stay. */
static void old_versions_leave(void **state)
{
    MR_UNUSED(state);
    for (int versioned = 0; versioned < 2; versioned++) {
        struct harness harness;
        struct seen seen = {0};
        versions_count = 0;
        open_join(&harness, versioned == 1, "inner", &seen);
        for (int64_t round = 0; round < 40; round++)
            put(&harness, 0, 1000 + round, (double)round);
        put(&harness, 1, 1000, 5);
        put(&harness, 1, 1001, NONE);
        put(&harness, 2, 1001, NONE); /* nothing to delete */
        harness_watermark(&harness, 1039 + RETENTION_MS);
        harness_commit(&harness);
        /* One row of one key, with its order entry, and what the tables say of themselves. */
        assert_in_range(count_text_lines(harness_dump(&harness, &harness.plan_arena)), 3, 6);
        look_up(&harness, 0, 2000);
        assert_true(seen.value == 39.0);
        look_up(&harness, 1, 2000);
        look_up(&harness, 3, 2000);
        assert_int_equal(seen.rows_count, 1);
        harness_close(&harness);
    }
}

static void whole_records_are_added_as_text(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open_sources(
        &harness,
        "    - {name: in, type: memory, key: [k]}\n"
        "    - {name: facts, type: memory, key: [k], table: true}\n",
        "    - {name: op, type: join.table, from: in, table: facts, key: [k], as: f}\n",
        "    - {name: s, type: memory, from: op}\n", "op", 0, 1);
    struct harness_row row = {.offset = 77, .cells = {{"k", mr_value_string(mr_slice_text("a"))}}};
    harness_feed(&harness, TABLE, &row, 1);
    row.offset = 78;
    harness_feed(&harness, STREAM, &row, 1);
    assert_non_null(strstr(harness_output(&harness, 0), "{\"offset\":77}"));
    assert_non_null(strstr(harness_output(&harness, 0), "{\"offset\":78}"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_get_what_the_table_says),
        cmocka_unit_test(old_versions_leave),
        cmocka_unit_test(whole_records_are_added_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
