/* tests/unit/operators/test_voxel_reset.c — control records forget boxes, layers and all, beside
 * plain arrays; wrong records; what is left behind goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/voxel_rows.h"
#include "tests/support/operator_harness.h"

enum { SIDE_I = 30, SIDE_J = 19, SIDE_K = 4, ROWS = 400 };

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: voxel.aggregate, from: in, control: in2, key: [k], position: "
             "[px, py, pz], signals: [value], bounds: [30, 9.5, 4], resolution: [1, 0.5, 1], "
             "every: 100ms, %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: main, type: memory, from: op}\n"
                 "    - {name: layers, type: memory, from: op.layers}\n",
                 "op");
}

static struct harness_row point(int64_t time_ms, const char *key, uint32_t i, uint32_t j,
                                uint32_t k)
{
    return (struct harness_row){
        .offset = time_ms,
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(key))},
                  {"px", mr_value_double((double)i + 0.5)},
                  {"py", mr_value_double((double)j * 0.5 + 0.2)},
                  {"pz", mr_value_double((double)k)},
                  {"value", mr_value_double(1)}},
    };
}

/* A control record; a layer below 0, or corners NULL: none. */
static void control(struct harness *harness, const char *key, const char *action, int64_t layer,
                    const double *from, const double *to)
{
    struct mr_value corners[2][3];
    struct harness_row row = {.cells = {{"key", mr_value_string(mr_slice_text(key))},
                                        {"action", mr_value_string(mr_slice_text(action))}}};
    uint32_t cell = 2;
    if (layer >= 0)
        row.cells[cell++] = (struct harness_cell){"layer", mr_value_int(layer)};
    for (uint32_t axis = 0; axis < 3; axis++) {
        corners[0][axis] = mr_value_double(from == NULL ? 0 : from[axis]);
        corners[1][axis] = mr_value_double(to == NULL ? 0 : to[axis]);
    }
    if (from != NULL)
        row.cells[cell++] =
            (struct harness_cell){"from", {.kind = MR_KIND_LIST, .size = 3, .items = corners[0]}};
    if (to != NULL)
        row.cells[cell++] =
            (struct harness_cell){"to", {.kind = MR_KIND_LIST, .size = 3, .items = corners[1]}};
    harness_feed(harness, 1, &row, 1);
}

static const char *const keys[] = {"a", "b"};
static uint32_t expected[2][SIDE_K][SIDE_J][SIDE_I];
static uint32_t told_count;

static struct mr_value field(const struct harness *harness, uint32_t output, struct mr_view view,
                             uint32_t row, uint32_t number)
{
    const struct mr_plan_domain *domain =
        &harness->plan->domains[harness->node->outputs[output].domain];
    return view.batch->columns[domain->field_slots[number]][row];
}

static void check_told(void *argument, const struct harness *harness, uint32_t output,
                       struct mr_view view)
{
    MR_UNUSED(argument);
    enum { FIELD_KEY, FIELD_I, FIELD_J, FIELD_K, FIELD_SIGNALS = 8 };
    for (uint32_t index = 0; index < view.rows_count && output == 0; index++) {
        uint32_t row = view.rows[index];
        uint32_t key = field(harness, 0, view, row, FIELD_KEY).text[0] - 'a';
        int64_t i = field(harness, 0, view, row, FIELD_I).integer;
        int64_t j = field(harness, 0, view, row, FIELD_J).integer;
        int64_t k = field(harness, 0, view, row, FIELD_K).integer;
        struct mr_value cell = field(harness, 0, view, row, FIELD_SIGNALS).entries[0].value;
        assert_int_equal(cell.entries[0].value.integer, expected[key][k][j][i]);
        told_count++;
    }
}

static void add_points(struct harness *harness, struct mr_random *random, int64_t time_ms)
{
    static struct harness_row rows[ROWS];
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t key = (uint32_t)mr_random_below(random, 2);
        uint32_t i = (uint32_t)mr_random_below(random, SIDE_I);
        uint32_t j = (uint32_t)mr_random_below(random, SIDE_J);
        uint32_t k = (uint32_t)mr_random_below(random, SIDE_K);
        expected[key][k][j][i]++;
        rows[row] = point(time_ms + row / 8, keys[key], i, j, k);
    }
    harness_feed(harness, 0, rows, ROWS);
}

static void forget(uint32_t key, const uint32_t *first, const uint32_t *end)
{
    for (uint32_t k = first[2]; k < end[2]; k++)
        for (uint32_t j = first[1]; j < end[1]; j++)
            for (uint32_t i = first[0]; i < end[0]; i++)
                expected[key][k][j][i] = 0;
}

/* A box of the grid, sometimes all of its layers. */
static void reset_some(struct harness *harness, struct mr_random *random)
{
    static const uint32_t sides[] = {SIDE_I, SIDE_J, SIDE_K};
    static const double resolution[] = {1, 0.5, 1};
    uint32_t first[3];
    uint32_t end[3];
    double from[3];
    double to[3];
    uint32_t key = (uint32_t)mr_random_below(random, 2);
    uint64_t kind = mr_random_below(random, 4);
    for (uint32_t axis = 0; axis < 3; axis++) {
        first[axis] = (uint32_t)mr_random_below(random, sides[axis]);
        end[axis] = first[axis] + 1 + (uint32_t)mr_random_below(random, sides[axis] - first[axis]);
        if (kind == 0 || (kind == 1 && axis < 2)) {
            first[axis] = 0;
            end[axis] = sides[axis];
        }
        from[axis] = first[axis] * resolution[axis];
        to[axis] = end[axis] * resolution[axis];
    }
    if (kind == 1) {
        end[2] = first[2] + 1;
        control(harness, keys[key], "reset", first[2], NULL, NULL);
    } else if (kind == 0) {
        control(harness, keys[key], "reset", -1, NULL, NULL);
    } else {
        control(harness, keys[key], "reset", -1, from, to);
    }
    forget(key, first, end);
}

static void beside_plain_arrays(void **state)
{
    MR_UNUSED(state);
    enum { ROUNDS = 60 };
    struct harness harness;
    struct mr_random random;
    memset(expected, 0, sizeof(expected));
    told_count = 0;
    mr_random_init(&random, 3, 0);
    open(&harness, "layer_timeout: 1h, lateness: 20ms");
    harness.quiet = true;
    harness.on_emit = check_told;
    for (int64_t round = 0; round < ROUNDS; round++) {
        add_points(&harness, &random, round * 100);
        harness_watermark(&harness, round * 100 + 10);
        if (round % 3 == 1)
            reset_some(&harness, &random);
        if (round % 5 == 1)
            harness_commit(&harness);
        if (round % 10 == 1)
            harness_restore(&harness);
        harness_watermark(&harness, round * 100 + 100);
    }
    assert_true(told_count > ROUNDS * ROWS / 4);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

/* What a layer says after its voxels were forgotten in part, and as a whole. */
static void counts_follow(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct harness_row row;
    const enum mr_voxel_output layers = MR_VOXEL_OUTPUT_LAYERS;
    open(&harness, "layer_timeout: 1s");
    harness.keeps_last = true;
    for (uint32_t i = 0; i < 20; i++) {
        row = point(i, "a", i, 3, 1);
        harness_feed(&harness, 0, &row, 1);
    }
    control(&harness, "a", "reset", 1, (const double[]){4.5, 0, 0}, (const double[]){9.5, 9.5, 4});
    harness_watermark(&harness, 5000);
    assert_int_equal(harness_field(&harness, layers, "filled").integer, 14);
    assert_int_equal(harness_field(&harness, layers, "grid_filled").integer, 14);
    assert_int_equal(harness_field(&harness, layers, "points").integer, 20);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 14);
    row = point(6000, "a", 5, 3, 1);
    harness_feed(&harness, 0, &row, 1);
    control(&harness, "a", "reset", 1, NULL, NULL);
    harness_watermark(&harness, 9000);
    assert_int_equal(harness.emitted_count[layers], 1); /* nothing is left to be closed */
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 14);
    row = point(10000, "a", 5, 3, 1);
    harness_feed(&harness, 0, &row, 1);
    harness_watermark(&harness, 19000);
    assert_int_equal(harness.emitted_count[layers], 2);
    assert_int_equal(harness_field(&harness, layers, "points").integer, 1);
    assert_int_equal(harness_field(&harness, layers, "grid_filled").integer, 1);
    assert_int_equal(harness_field(&harness, layers, "closing").integer, 1);
    harness_close(&harness);
}

/* Blocks of a layer that was forgotten leave the store, and only they. */
static void old_blocks_go(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    mr_random_init(&random, 4, 0);
    open(&harness, "layer_timeout: 1h, lateness: 20ms");
    harness.quiet = true;
    add_points(&harness, &random, 0);
    control(&harness, "a", "reset", -1, NULL, NULL);
    control(&harness, "b", "reset", -1, NULL, NULL);
    for (int64_t step = 1; step < 20; step++) {
        harness_watermark(&harness, 1000 * step);
        harness_commit(&harness);
        if (step == 4)
            harness_restore(&harness);
    }
    assert_string_equal(harness_dump(&harness, &arena), "");
    struct harness_row row = point(20000, "a", 5, 3, 1);
    harness_feed(&harness, 0, &row, 1);
    harness_watermark(&harness, 30000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 1);
    harness_close(&harness);
    mr_arena_deinit(&arena);
}

/* A box that covers more blocks in part than a transaction should change is refused as a whole; the
 * layer can be reset. */
static void large_boxes_are_refused(void **state)
{
    MR_UNUSED(state);
    enum { BLOCKS = 257, ALL = BLOCKS * BLOCKS, BATCH = 4096 };
    static struct harness_row rows[BATCH];
    const double from[] = {1, 0, 0};
    const double to[] = {8 * BLOCKS, 8 * BLOCKS, 1};
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: voxel.aggregate, from: in, control: in2, key: [k], "
                 "position: [px, py, pz], signals: [value], bounds: [2056, 2056, 1], resolution: "
                 "[1, 1, 1]}\n",
                 "    - {name: main, type: memory, from: op}\n", "op");
    harness.quiet = true;
    for (uint32_t block = 0; block < ALL;) {
        uint32_t count = 0;
        for (; block < ALL && count < BATCH; block++) {
            rows[count] = point(1, "a", 8 * (block % BLOCKS) + 7, 0, 0);
            rows[count++].cells[2].value = mr_value_double(8.0 * (block / BLOCKS) + 0.5);
        }
        harness_feed(&harness, 0, rows, count);
    }
    control(&harness, "a", "reset", -1, from, to);
    assert_int_equal(harness.errors_count, 1);
    control(&harness, "a", "reset", -1, from, (const double[]){8 * BLOCKS, 80, 1});
    assert_int_equal(harness.errors_count, 1);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], ALL - 10 * BLOCKS);
    control(&harness, "a", "reset", 0, NULL, NULL);
    assert_int_equal(harness.errors_count, 1);
    harness_close(&harness);
}

static void wrong_records_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    const double low[] = {0, 0, 0};
    open(&harness, "layer_timeout: 1h, lateness: 20ms");
    struct harness_row row = point(1, "a", 5, 3, 1);
    harness_feed(&harness, 0, &row, 1);
    control(&harness, "a", "freeze", -1, NULL, NULL);
    assert_non_null(strstr(harness_errors(&harness), "no control record but reset"));
    control(&harness, "a", "reset", -1, low, NULL);
    assert_non_null(strstr(harness_errors(&harness), "needs two corners"));
    row = (struct harness_row){.cells = {{"key", mr_value_string(mr_slice_text("a"))},
                                         {"action", mr_value_string(mr_slice_text("reset"))},
                                         {"layer", mr_value_double(1.5)}}};
    harness_feed(&harness, 1, &row, 1);
    assert_non_null(strstr(harness_errors(&harness), "layer is no whole number"));
    assert_int_equal(harness.errors_count, 3);
    /* Places that are nowhere, keys that are unknown: nothing to forget. */
    control(&harness, "a", "reset", 4, NULL, NULL);
    control(&harness, "a", "reset", -1, low, low);
    control(&harness, "a", "reset", 0, (const double[]){0, 0, 1}, (const double[]){30, 9.5, 2});
    control(&harness, "a", "reset", -1, (const double[]){99, 0, 0}, (const double[]){199, 9, 2});
    control(&harness, "z", "reset", -1, NULL, NULL);
    assert_int_equal(harness.errors_count, 3);
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_plain_arrays),
        cmocka_unit_test(counts_follow),
        cmocka_unit_test(old_blocks_go),
        cmocka_unit_test(large_boxes_are_refused),
        cmocka_unit_test(wrong_records_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
