/* tests/conformance/operator_conformance.c — one suite over every registered operator.
 * A registered type without a case fails the suite, so that a new operator is tested by being
 * listed in the registry and given one line in operator_cases.h. For each case: the same rows in
 * other batch cuts, through a snapshot and a restore, and with a cache that holds next to nothing,
 * give the same bytes and the same state; state stays within its bounds; the changelog is no larger
 * than stated; nothing that comes out is NaN or infinite. The rows are in operator_rows.c. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "record/json_write.h"
#include "tests/conformance/operator_cases.h"
#include "tests/conformance/operator_rows.h"
#include "tests/support/operator_harness.h"

enum {
    ROWS_COUNT = OPERATOR_ROWS_COUNT,
    WATERMARK_EVERY = 1000,
    KEY_TEXT_BYTES = 64,
    LONG_KEY_BYTES = 12000,
    LONG_ROWS = 2500 /* with such keys */
};

static const int64_t WALL_MS = 1700001000000;

/* The suite runs in parts, so that they may run side by side: this process has every
 * parts_of_suite-th case, from part_first on. */
static size_t part_first = 0;
static size_t parts_of_suite = 1;

static struct mr_arena arena; /* of the rows */
static struct mr_arena texts; /* of one case: what runs are compared by */
/* Of all plain rows: they take long to make. */
static struct mr_value model;
static struct mr_value snapshot;

/* ---- Opening a case ---- */

/* The input whose rows make state; 1: in2 is a table. */
static uint32_t state_port(const struct operator_case *given)
{
    return (mr_operator_find(MR_ROLE_OPERATOR, given->type)->spec.flags & MR_TYPE_TABLE_JOIN) != 0
               ? 1
               : 0;
}

static void open_case(struct harness *harness, const struct operator_case *given,
                      const char *more_options)
{
    const char *operators = mr_arena_format(
        &arena, "    - {name: op, type: %s, %s%s}\n%s", given->type, given->options, more_options,
        given->reads_two ? "" : "    - {name: other, type: filter, from: in2, where: 'true'}\n");
    const char *sinks =
        given->reads_two ? "" : "    - {name: other-sink, type: memory, from: other}\n";
    if (strncmp(given->outputs, "high", 4) != 0)
        sinks =
            mr_arena_format(&arena, "%s    - {name: main-sink, type: memory, from: op}\n", sinks);
    char names[64];
    snprintf(names, sizeof(names), "%s", given->outputs);
    char *rest = names;
    uint32_t count = 0;
    for (char *name = strtok_r(rest, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest))
        sinks = mr_arena_format(&arena, "%s    - {name: sink-%u, type: memory, from: op.%s}\n",
                                sinks, count++, name);
    const char *table = state_port(given) == 0                         ? ""
                        : strstr(given->options, "join_wait:") == NULL ? ", key: [k], table: true"
                                                                       : ", key: [k], table: true, "
                                                                         "retention: 1m";
    harness_open_sources(harness,
                         mr_arena_format(&arena,
                                         "    - {name: in, type: memory, key: [k]}\n"
                                         "    - {name: in2, type: memory%s}\n",
                                         table),
                         operators, sinks, "op", 0, 1);
}

/* ---- What must hold for every row that comes out ---- */

static void assert_finite(struct mr_value value)
{
    if (value.kind == MR_KIND_DOUBLE)
        assert_true(isfinite(value.number));
}

static void check_added(const struct harness *harness, const struct mr_batch *batch, uint32_t row)
{
    const struct mr_plan_node *node = harness->node;
    for (uint32_t field = 0; field < node->type->added_fields_count; field++) {
        const struct mr_value *column = batch->columns[node->added_slots[field]];
        const char *name = node->type->added_fields[field].name;
        bool may_miss = strcmp(name, "p_value") == 0 || strcmp(name, "contributions") == 0;
        if (may_miss && column == NULL)
            continue;
        assert_non_null(column);
        if (!may_miss)
            assert_int_not_equal(column[row].kind, MR_KIND_ABSENT);
        assert_finite(column[row]);
    }
    double score = batch->columns[harness_added_slot(harness, "score")][row].number;
    double threshold = batch->columns[harness_added_slot(harness, "threshold")][row].number;
    bool is_anomaly = batch->columns[harness_added_slot(harness, "is_anomaly")][row].boolean;
    struct mr_value reason = batch->columns[harness_added_slot(harness, "reason")][row];
    struct mr_value severity = batch->columns[harness_added_slot(harness, "severity")][row];
    assert_true(score >= 0);
    bool suppresses = mr_option_specs_find(node->options.specs, "suppress") >= 0 &&
                      mr_options_present(&node->options, "suppress");
    /* A control chart has rules besides the threshold, and limits of the spread. */
    bool is_chart = strncmp(node->type->name, "spc.", 4) == 0;
    if ((is_anomaly || !suppresses) && !is_chart)
        assert_int_equal(is_anomaly, score > threshold);
    assert_int_equal(is_anomaly, reason.size > 0);
    assert_int_equal(is_anomaly, severity.size != strlen("info"));
}

/* What quality.* adds: a verdict, with its reason where one is asked. */
static void check_quality(const struct harness *harness, const struct mr_batch *batch, uint32_t row)
{
    bool passed = batch->columns[harness_added_slot(harness, "passed")][row].boolean;
    struct mr_value reason = batch->columns[harness_added_slot(harness, "reason")][row];
    assert_int_equal(passed, reason.size == 0);
    if (strcmp(harness->type->spec.name, "quality.duplicates") == 0)
        return; /* it has no score */
    double score = batch->columns[harness_added_slot(harness, "score")][row].number;
    assert_true(score >= 0 && score <= 1);
    if (strcmp(harness->type->spec.name, "quality.score") != 0)
        assert_int_equal(passed,
                         batch->columns[harness_added_slot(harness, "failed")][row].size == 0);
}

static void check_emitted(void *argument, const struct harness *harness, uint32_t output,
                          struct mr_view view)
{
    MR_UNUSED(argument);
    bool detects = (harness->type->spec.flags & MR_TYPE_ADDS_FIELD) != 0;
    bool checks = strncmp(harness->type->spec.name, "quality.", 8) == 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        if (detects && checks && output == 0)
            check_quality(harness, view.batch, row);
        else if (detects && output == 0)
            check_added(harness, view.batch, row);
        if (detects && output == 1)
            for (uint32_t slot = 0; slot < view.batch->slots_count; slot++)
                if (view.batch->columns[slot] != NULL)
                    assert_finite(view.batch->columns[slot][row]);
    }
}

/* ---- Running ---- */

struct run {
    uint32_t rows_count;      /* 0: all */
    uint64_t cut_seed;        /* 0: batches as large as possible */
    uint64_t commit_every;    /* rows; 0: only at the end */
    bool restores;            /* after every commit but the last */
    uint64_t cache_bytes_max; /* 0: the usual */
    bool in_parts;            /* what is due leaves in the smallest parts */
    uint32_t crash_every;     /* parts, and then everything in memory is lost; 0: never */
};

static uint32_t next_cut(struct mr_random *random, const struct run *run, uint32_t left)
{
    uint32_t most =
        run->cut_seed == 0 ? MR_LIMIT_BATCH_ROWS : 1 + (uint32_t)mr_random_below(random, 90);
    return left < most ? left : most;
}

/* Feed all rows; watermarks come behind every thousandth row, whatever the cuts. */
static void run_rows(struct harness *harness, const struct operator_case *given,
                     const struct harness_row *rows, const struct run *run)
{
    struct mr_random random;
    mr_random_init(&random, run->cut_seed, 1);
    uint32_t row = 0;
    uint32_t rows_count = run->rows_count == 0 ? ROWS_COUNT : run->rows_count;
    while (row < rows_count) {
        uint32_t stop = (row / WATERMARK_EVERY + 1) * WATERMARK_EVERY;
        if (run->commit_every > 0) {
            uint32_t commit = (uint32_t)((row / run->commit_every + 1) * run->commit_every);
            stop = commit < stop ? commit : stop;
        }
        stop = stop < rows_count ? stop : rows_count;
        uint32_t part = (row / WATERMARK_EVERY) % 2;
        while (row < stop) {
            uint32_t count = next_cut(&random, run, stop - row);
            harness_feed(harness, given->reads_two ? part : 0, rows + row, count);
            row += count;
        }
        if (row % WATERMARK_EVERY == 0)
            harness_watermark(harness, rows[row - 1].event_time_ms - 50);
        if (run->commit_every > 0 && row % run->commit_every == 0 && row < rows_count) {
            harness_commit(harness);
            if (run->restores)
                harness_restore(harness);
        }
    }
    if ((harness->type->spec.flags & MR_TYPE_TAKES_SNAPSHOTS) != 0)
        (void)harness_wall(harness, WALL_MS); /* what leaves by the clock */
    harness_commit(harness);
}

static int compare_lines(const void *left, const void *right)
{
    const char *const *first = left;
    const char *const *second = right;
    return strcmp(*first, *second);
}

/* Rows are checked a column at a time, so that the order of reported rows depends on the cuts. */
static char *sorted_lines(const char *text)
{
    char *copy = mr_arena_copy_text(&texts, text);
    size_t most = 1;
    for (const char *byte = text; *byte != '\0'; byte++)
        most += *byte == '\n';
    char **lines = mr_arena_new(&texts, most, sizeof(*lines));
    size_t count = 0;
    char *rest = copy;
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        lines[count++] = line;
    qsort(lines, count, sizeof(*lines), compare_lines);
    char *sorted = mr_arena_take(&texts, strlen(text) + 2);
    size_t size = 0;
    for (size_t index = 0; index < count; index++) {
        size_t line_size = strlen(lines[index]);
        memcpy(sorted + size, lines[index], line_size);
        size += line_size;
        sorted[size++] = '\n';
    }
    sorted[size] = '\0';
    return sorted;
}

static void assert_same_text(const char *what, const char *expected, const char *found)
{
    if (strcmp(expected, found) == 0)
        return;
    size_t place = 0;
    size_t line = 0;
    for (; expected[place] == found[place]; place++)
        if (expected[place] == '\n')
            line = place + 1;
    fail_msg("%s differs:\n  %.*s\n  %.*s", what, (int)strcspn(expected + line, "\n"),
             expected + line, (int)strcspn(found + line, "\n"), found + line);
}

static uint32_t parts_count; /* of the runs compared */

/* A case that has run in one way, which others are compared with. */
struct expected {
    const struct operator_case *given;
    const struct harness_row *rows;
    struct harness harness;
    const char *errors; /* sorted */
    const char *stored;
};

static void expect(struct expected *expected, const struct operator_case *given,
                   const struct harness_row *rows, const struct run *run)
{
    struct harness *harness = &expected->harness;
    mr_arena_reset(&texts);
    expected->given = given;
    expected->rows = rows;
    open_case(harness, given, "");
    harness->on_emit = check_emitted;
    run_rows(harness, given, rows, run);
    expected->errors = sorted_lines(harness_errors(harness));
    expected->stored = harness_dump(harness, &texts);
    uint64_t emitted = 0;
    for (uint32_t output = 0; output < harness->node->outputs_count; output++)
        if (strcmp(harness->node->outputs[output].name, "alerts") != 0 &&
            strcmp(harness->node->outputs[output].name, "duplicates") != 0) /* also in main */
            emitted += harness->emitted_count[output];
    if (emitted == 0)
        fail_msg("%s emitted nothing", given->options);
    if (given->one_to_one)
        assert_int_equal(emitted + harness->errors_count,
                         run->rows_count == 0 ? ROWS_COUNT : run->rows_count);
}

/* Run the case in a second way and compare with the first. */
static void compare_with(struct expected *expected, const struct run *run)
{
    struct harness found;
    open_case(&found, expected->given, "");
    if (run->cache_bytes_max > 0) {
        found.cache_bytes_max = run->cache_bytes_max;
        harness_restore(&found);
    }
    found.in_parts = run->in_parts;
    found.crash_every = run->crash_every;
    run_rows(&found, expected->given, expected->rows, run);
    parts_count += found.parts_count;
    if (run->cache_bytes_max > 0 && found.state != NULL) {
        struct mr_state_statistics statistics;
        mr_state_statistics(found.state, &statistics);
        assert_true(statistics.cache_misses > run->rows_count / 10);
    }
    const struct mr_plan_node *node = expected->harness.node;
    for (uint32_t output = 0; output < node->outputs_count; output++)
        assert_same_text(node->outputs[output].name, harness_output(&expected->harness, output),
                         harness_output(&found, output));
    assert_same_text("the reported rows", expected->errors, sorted_lines(harness_errors(&found)));
    assert_same_text("the state", expected->stored, harness_dump(&found, &texts));
    harness_close(&found);
}

/* In other cuts; with a restore after every commit; and what one watermark makes due in the
 * smallest parts, also with a crash between two of them. */
static void replay_gives_the_same(void **state)
{
    MR_UNUSED(state);
    const struct harness_row *rows = operator_rows(&arena, KEY_TEXT_BYTES);
    const struct run whole = {0};
    const struct run cut = {.cut_seed = 3};
    const struct run restored = {.cut_seed = 5, .commit_every = 777, .restores = true};
    const struct run parts = {.cut_seed = 7, .in_parts = true};
    const struct run crashing = {.commit_every = 1500, .in_parts = true, .crash_every = 3};
    for (size_t index = part_first; index < MR_ARRAY_COUNT(cases); index += parts_of_suite) {
        struct expected expected;
        expect(&expected, &cases[index], rows, &whole);
        compare_with(&expected, &cut);
        compare_with(&expected, &restored);
        parts_count = 0;
        if (expected.harness.type->on_watermark != NULL) {
            compare_with(&expected, &parts);
            compare_with(&expected, &crashing);
        }
        harness_close(&expected.harness);
        print_message("  %-16s %u parts: %s\n", cases[index].type, parts_count,
                      cases[index].options);
    }
}

static void a_small_cache(void **state)
{
    MR_UNUSED(state);
    /* The smallest cache holds fewer objects than there are keys when these are that long. */
    const struct harness_row *rows = operator_rows(&arena, LONG_KEY_BYTES);
    const struct run whole = {.rows_count = LONG_ROWS, .commit_every = 450};
    const struct run small = {
        .rows_count = LONG_ROWS, .cut_seed = 9, .commit_every = 450, .cache_bytes_max = 1};
    for (size_t index = part_first; index < MR_ARRAY_COUNT(cases); index += parts_of_suite) {
        struct expected expected;
        if (mr_operator_find(MR_ROLE_OPERATOR, cases[index].type)->spec.state_version == 0)
            continue;
        expect(&expected, &cases[index], rows, &whole);
        compare_with(&expected, &small);
        harness_close(&expected.harness);
    }
}

/* ---- State: bounds and changelog ---- */

static uint32_t count_lines(const char *text)
{
    uint32_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static struct harness_row plain_row(uint64_t index, uint64_t key)
{
    return (struct harness_row){
        .offset = (int64_t)index,
        .event_time_ms = 1700000000000 + (int64_t)index,
        .cells = {{"k", operator_rows_key(&arena, key, KEY_TEXT_BYTES)},
                  {"value", mr_value_double((double)(index % 11))},
                  {"second", mr_value_double((double)(index % 13))},
                  {"third", mr_value_double((double)(index % 7))},
                  {"failed", mr_value_bool(index % 7 == 3)},
                  {"defects", mr_value_int((int64_t)(index % 4))},
                  {"units", mr_value_int((int64_t)(4 + index % 9))},
                  {"found", mr_value_bool(index % 5 == 3)},
                  {"model", model},
                  {"learner", mr_value_string(mr_slice_text("op/0"))},
                  {"blocks", mr_value_int((int64_t)index + 1)},
                  {"part", mr_value_int(1)},
                  {"parts", mr_value_int(1)},
                  {"snapshot", snapshot}},
    };
}

static void key_churn_is_bounded(void **state)
{
    MR_UNUSED(state);
    enum { CHURN_ROWS = 20000, KEYS_MAX = 100, BATCH = 1000 };
    static struct harness_row rows[BATCH];
    for (size_t index = part_first; index < MR_ARRAY_COUNT(cases); index += parts_of_suite) {
        const struct operator_case *given = &cases[index];
        const struct mr_type_spec *spec = &mr_operator_find(MR_ROLE_OPERATOR, given->type)->spec;
        if (spec->state_version == 0 || (spec->flags & (MR_TYPE_PAIRS | MR_TYPE_TABLE_JOIN)) != 0)
            continue; /* joins are bounded by time, or hold a table */
        struct harness harness;
        open_case(&harness, given, ", state: {max_keys: 100}");
        harness.quiet = true;
        for (uint64_t row = 0; row < CHURN_ROWS; row += BATCH) {
            for (uint64_t place = 0; place < BATCH; place++)
                rows[place] = plain_row(row + place, row + place);
            harness_feed(&harness, 0, rows, BATCH);
            harness_commit(&harness);
        }
        /* Per key an object, an order key and at most one slot; some entries of the tables' own. */
        uint32_t pairs = count_lines(harness_dump(&harness, &arena));
        bool waits = strstr(given->options, "sliding") != NULL ||
                     strstr(given->options, "event_time") != NULL;
        uint32_t tables = waits ? 2 : 1;
        if (strcmp(given->type, "voxel.aggregate") == 0)
            tables = 4; /* blocks, regions, layers, grids */
        if (strcmp(given->type, "quality.checkpoint") == 0)
            tables = 4; /* rows, units, what was seen, keys */
        if (strcmp(given->type, "evaluate.detection") == 0)
            tables = 3; /* entries that wait, series, groups */
        if (strcmp(given->type, "quality.score") == 0)
            tables = 2; /* a slot of each ring */
        if (strcmp(given->type, "quality.duplicates") == 0)
            tables = 3; /* groups, values, what a window of records forgets */
        if (strcmp(given->type, "quality.profile") == 0)
            tables = 8; /* pieces of sketches */
        if (strcmp(given->type, "quality.synthetic") == 0)
            tables = 8; /* pieces of samples */
        assert_in_range(pairs, 1, tables * 3 * KEYS_MAX + 10);
        assert_int_equal(harness.errors_count, 0);
        harness_close(&harness);
    }
}

static enum mr_status describe(void *argument, const struct mr_state_object *object,
                               struct mr_error *error)
{
    struct harness *harness = argument;
    struct mr_state_description description = {.node = harness->node};
    enum mr_status status = harness->type->describe_state(object, &arena, &description, error);
    if (status != MR_OK)
        return status;
    struct mr_value value = mr_description_value(&description);
    assert_in_range(value.size, 1, MR_DESCRIPTION_MEMBERS_MAX);
    uint8_t *text = mr_arena_take(&arena, mr_json_write_bound(value) + MR_JSON_WRITE_SLACK);
    uint8_t *end = mr_json_write(text, value);
    assert_non_null(end);
    *end = 0;
    print_message("  %-16s %s\n", harness->type->spec.name, (const char *)text);
    return MR_OK;
}

/* Every operator with state can say what a key's state is, after a few records and after many. */
static void stored_state_is_described(void **state)
{
    MR_UNUSED(state);
    for (size_t index = part_first; index < MR_ARRAY_COUNT(cases); index += parts_of_suite) {
        const struct operator_case *given = &cases[index];
        if (mr_operator_find(MR_ROLE_OPERATOR, given->type)->spec.state_version == 0)
            continue;
        struct harness harness;
        struct mr_error error = {0};
        int64_t offset = 0;
        struct harness_row row = plain_row(0, 1);
        struct mr_state_query query = {
            .table_name = mr_operator_find(MR_ROLE_OPERATOR, given->type)->state_table,
            .key = mr_value_text(row.cells[0].value),
            .visit = describe,
            .argument = &harness};
        open_case(&harness, given, "");
        query.operator_name = harness.node->name;
        assert_int_equal(mr_state_query(harness.state, &query, &arena, &offset, &error),
                         MR_NOT_FOUND);
        for (uint32_t count = 0; count < 100; count++) {
            row = plain_row(count, 1);
            harness_feed(&harness, state_port(given), &row, 1);
            /* What waits has no state of its key. */
            if (mr_plan_orders(&harness.node->options) ||
                strcmp(given->type, "evaluate.detection") == 0)
                harness_watermark(&harness, row.event_time_ms + 1);
            harness_commit(&harness);
            if (count != 0 && count != 99)
                continue;
            enum mr_status status = mr_state_query(harness.state, &query, &arena, &offset, &error);
            if (status != MR_OK)
                print_error("%s: %s\n", given->type, error.message);
            assert_int_equal(status, MR_OK);
        }
        harness_close(&harness);
    }
}

static void the_changelog_is_as_stated(void **state)
{
    MR_UNUSED(state);
    enum { LOGGED_ROWS = 2000 };
    static struct harness_row rows[LOGGED_ROWS];
    for (size_t index = part_first; index < MR_ARRAY_COUNT(cases); index += parts_of_suite) {
        const struct operator_case *given = &cases[index];
        const struct mr_type_spec *spec = &mr_operator_find(MR_ROLE_OPERATOR, given->type)->spec;
        if (spec->state_version == 0)
            continue;
        struct harness harness;
        open_case(&harness, given, "");
        harness.quiet = true;
        struct mr_state_estimate estimate = {0};
        spec->estimate(&harness.node->options, &estimate);
        /* The worst of a transaction: every record has a key of its own. */
        for (uint32_t row = 0; row < LOGGED_ROWS; row++)
            rows[row] = plain_row(row, row);
        harness_feed(&harness, state_port(given), rows, LOGGED_ROWS);
        harness_commit(&harness);
        uint64_t wide = harness.changelog_bytes / LOGGED_ROWS;
        /* And a transaction for each record. */
        harness.changelog_bytes = 0;
        for (uint32_t row = 0; row < 200; row++) {
            struct harness_row one = plain_row(LOGGED_ROWS + 1000 * (uint64_t)row, row % 3);
            harness_feed(&harness, state_port(given), &one, 1);
            harness_commit(&harness);
        }
        uint64_t narrow = harness.changelog_bytes / 200;
        print_message("  %-16s changelog bytes per record: stated %llu, measured %llu and %llu\n",
                      given->type, (unsigned long long)estimate.changelog_bytes_per_record,
                      (unsigned long long)wide, (unsigned long long)narrow);
        assert_in_range(wide, 1, estimate.changelog_bytes_per_record);
        assert_in_range(narrow, 1, estimate.changelog_bytes_per_record);
        harness_close(&harness);
    }
}

static void no_heap_memory_per_record(void **state)
{
    MR_UNUSED(state);
    enum { BATCH = 500, WARM_ROUNDS = 6, ROUNDS = 9, ROUND_MS = 100000 };
    struct harness_row *rows = operator_rows(&arena, KEY_TEXT_BYTES);
    for (size_t index = part_first; index < MR_ARRAY_COUNT(cases); index += parts_of_suite) {
        struct harness harness;
        if (strcmp(cases[index].type, "generate.model") == 0)
            continue; /* its records are models, each of which is read as a document */
        open_case(&harness, &cases[index], "");
        harness.quiet = true;
        /* The first rounds size arenas, overlays and the cache. */
        for (uint32_t round = 0; round < ROUNDS; round++) {
            if (round == WARM_ROUNDS)
                harness.allocation_count = 0;
            for (uint32_t first = 0; first < ROWS_COUNT; first += BATCH)
                harness_feed(&harness, 0, rows + first, BATCH);
            /* What waits for others leaves before the next round comes. */
            harness_watermark(&harness, rows[0].event_time_ms + ROUND_MS / 2);
            harness_commit(&harness);
            for (uint32_t row = 0; row < ROWS_COUNT; row++)
                rows[row].event_time_ms += ROUND_MS;
        }
        if (harness.allocation_count != 0)
            fail_msg("%s: %s took heap memory %llu times in %u batches", cases[index].type,
                     cases[index].options, (unsigned long long)harness.allocation_count,
                     (uint32_t)((ROUNDS - WARM_ROUNDS) * ROWS_COUNT / BATCH));
        harness_close(&harness);
    }
}

/* ---- Generators ---- */

static void open_generator(struct harness *harness, const struct generator_case *given,
                           int32_t partition)
{
    const char *sources =
        mr_arena_format(&arena, "    - {name: made, type: %s, %s}\n", given->type, given->options);
    harness_open_sources(harness, sources, "", "    - {name: out, type: memory, from: made}\n",
                         "made", partition, 2);
}

/* All records of a partition; a new instance goes on at every reopen_every-th batch. */
static uint64_t generate_all(struct harness *harness, uint32_t rows_max, uint32_t reopen_every)
{
    int64_t position = 0;
    int64_t due_ms = 0;
    for (uint32_t batch = 1;; batch++) {
        int64_t next = 0;
        enum mr_status status =
            harness_generate(harness, position, 1700000000000, rows_max, &next, &due_ms);
        if (status == MR_END)
            return (uint64_t)position;
        assert_int_equal(status, MR_OK);
        position = next;
        if (reopen_every > 0 && batch % reopen_every == 0)
            harness_restore(harness);
    }
}

/* And no counts of records. */
static bool positions_are_times(const struct generator_case *given)
{
    return strcmp(given->type, "generate.markov") == 0;
}

static void generators_repeat_themselves(void **state)
{
    MR_UNUSED(state);
    for (size_t index = 0; index < MR_ARRAY_COUNT(generator_cases); index++) {
        const struct generator_case *given = &generator_cases[index];
        uint64_t made = 0;
        for (int32_t partition = 0; partition < 2; partition++) {
            struct harness whole;
            struct harness cut;
            open_generator(&whole, given, partition);
            open_generator(&cut, given, partition);
            uint64_t positions = generate_all(&whole, MR_LIMIT_BATCH_ROWS, 0);
            made += positions_are_times(given) ? whole.emitted_count[0] : positions;
            generate_all(&cut, 61, 7);
            assert_same_text(given->type, harness_output(&whole, 0), harness_output(&cut, 0));
            harness_close(&whole);
            harness_close(&cut);
        }
        assert_int_equal(made, 5000);
    }
}

/* ---- The registry ---- */

static bool has_case(const struct mr_type_spec *type)
{
    bool is_source = type->role == MR_ROLE_SOURCE;
    for (size_t index = 0; !is_source && index < MR_ARRAY_COUNT(cases); index++)
        if (strcmp(cases[index].type, type->name) == 0)
            return true;
    for (size_t index = 0; is_source && index < MR_ARRAY_COUNT(generator_cases); index++)
        if (strcmp(generator_cases[index].type, type->name) == 0)
            return true;
    return false;
}

static void every_operator_has_a_case_and_a_sound_table(void **state)
{
    MR_UNUSED(state);
    struct mr_error error;
    if (mr_operator_registry_check(&error) != MR_OK)
        fail_msg("%s", error.message);
    uint32_t count;
    const struct mr_operator_type *const *types = mr_operators(&count);
    for (uint32_t index = 0; index < count; index++)
        if (!has_case(&types[index]->spec))
            fail_msg("%s has no case in the conformance suite", types[index]->spec.name);
}

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 1 << 20);
    mr_arena_init(&texts, 1 << 20);
    model = operator_rows_model(&arena, 1);
    snapshot = operator_rows_snapshot(&arena);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    mr_arena_deinit(&texts);
    return 0;
}

/* conformance_operators [PART PARTS]: part 0, 1, ... of so many. */
int main(int count, char **arguments)
{
    if (count == 3) {
        part_first = strtoul(arguments[1], NULL, 10);
        parts_of_suite = strtoul(arguments[2], NULL, 10);
    }
    MR_ASSERT(part_first < parts_of_suite);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_has_a_case_and_a_sound_table),
        cmocka_unit_test_setup_teardown(replay_gives_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(a_small_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(key_churn_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(stored_state_is_described, setup, teardown),
        cmocka_unit_test_setup_teardown(the_changelog_is_as_stated, setup, teardown),
        cmocka_unit_test_setup_teardown(no_heap_memory_per_record, setup, teardown),
        cmocka_unit_test_setup_teardown(generators_repeat_themselves, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
