/* tests/unit/operators/test_voxel_aggregate.c — points in voxels beside plain arrays, changes,
 * layers, points outside, wrong options, and the stored layout. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/voxel_rows.h"
#include "record/json_write.h"
#include "tests/support/operator_harness.h"

enum { SIDE_I = 20, SIDE_J = 11, SIDE_K = 5, VOXELS = SIDE_I * SIDE_J * SIDE_K, KEYS = 2 };

#define GRID                                                                                       \
    "position: [px, py, pz], origin: [-10, 0, 1], bounds: [10, 5.5, 2], "                          \
    "resolution: [1, 0.5, 0.2]"

static void open(struct harness *harness, const char *options, bool reads_all)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: voxel.aggregate, from: in, key: [k], %s}\n", options);
    harness_open(harness, text,
                 reads_all ? "    - {name: main, type: memory, from: op}\n"
                             "    - {name: changed, type: memory, from: op.changed}\n"
                             "    - {name: layers, type: memory, from: op.layers}\n"
                             "    - {name: outside, type: memory, from: op.outside}\n"
                           : "    - {name: main, type: memory, from: op}\n",
                 "op");
    harness->keeps_last = true;
}

static struct harness_row point(int64_t time_ms, const char *key, const double *place, double value)
{
    return (struct harness_row){
        .offset = time_ms,
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(key))},
                  {"px", mr_value_double(place[0])},
                  {"py", mr_value_double(place[1])},
                  {"pz", mr_value_double(place[2])},
                  {"value", mr_value_double(value)},
                  {"other", mr_value_double(-value)}},
    };
}

static void feed(struct harness *harness, int64_t time_ms, double x, double y, double z,
                 double value)
{
    struct harness_row row = point(time_ms, "a", (const double[]){x, y, z}, value);
    harness_feed(harness, 0, &row, 1);
}

static struct mr_value member(struct mr_value map, const char *name)
{
    assert_int_equal(map.kind, MR_KIND_MAP);
    for (uint32_t index = 0; index < map.size; index++)
        if (mr_slice_equal(mr_value_text(map.entries[index].key), mr_slice_text(name)))
            return map.entries[index].value;
    fail_msg("there is no %s", name);
    return mr_value_null();
}

static struct mr_value statistic(const struct harness *harness, enum mr_voxel_output output,
                                 const char *signal, const char *name)
{
    return member(member(harness_field(harness, output, "signals"), signal), name);
}

static int64_t whole(const struct harness *harness, enum mr_voxel_output output, const char *name)
{
    struct mr_value value = harness_field(harness, output, name);
    assert_int_equal(value.kind, MR_KIND_INT);
    return value.integer;
}

/* ---- By hand ---- */

static void one_voxel(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "signals: [value], every: 10s, " GRID, true);
    feed(&harness, 1000, 0.5, 0.25, 1.3, 4);
    feed(&harness, 3000, 0.9, 0.49, 1.39, 2);
    feed(&harness, 2000, 0, 0, 1.25, -0.0);
    harness_watermark(&harness, 9999);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 0);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 1);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_CHANGED], 1);
    assert_int_equal(whole(&harness, 0, "ix"), 10);
    assert_int_equal(whole(&harness, 0, "iy"), 0);
    assert_int_equal(whole(&harness, 0, "layer"), 1);
    assert_int_equal(whole(&harness, 0, "interval_end"), 10000);
    assert_true(harness_field(&harness, 0, "x").number == 0.5);
    assert_true(harness_field(&harness, 0, "y").number == 0.25);
    assert_int_equal(statistic(&harness, 0, "value", "n").integer, 3);
    assert_true(statistic(&harness, 0, "value", "sum").number == 6);
    assert_true(statistic(&harness, 0, "value", "mean").number == 2);
    assert_true(statistic(&harness, 0, "value", "variance").number == 4);
    assert_true(statistic(&harness, 0, "value", "min").number == 0);
    assert_true(statistic(&harness, 0, "value", "max").number == 4);
    assert_true(statistic(&harness, 0, "value", "last").number == 2);
    assert_int_equal(statistic(&harness, 0, "value", "first_time").integer, 1000);
    assert_int_equal(statistic(&harness, 0, "value", "last_time").integer, 3000);
    /* Nothing has changed since. */
    harness_watermark(&harness, 30000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 1);
    /* A point of an interval that is told counts in the one that is open. */
    feed(&harness, 5000, 0.5, 0.25, 1.3, 10);
    harness_watermark(&harness, 39999);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 1);
    harness_watermark(&harness, 40000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 2);
    assert_int_equal(statistic(&harness, 0, "value", "n").integer, 4);
    assert_true(statistic(&harness, 0, "value", "last").number == 10);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

static void outside_and_odd_values(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "signals: [value, other], " GRID, true);
    feed(&harness, 1, 10, 0, 1, 1);
    feed(&harness, 2, 0, -1e-9, 1, 1);
    feed(&harness, 3, 0, 0, 1e139, 1);
    assert_string_equal(harness_offsets(&harness, MR_VOXEL_OUTPUT_OUTSIDE), "1 2 3");
    assert_int_equal(harness.errors_count, 0);
    feed(&harness, 4, (double)NAN, 0, 1, 1);
    feed(&harness, 5, 0, 0, 1, (double)INFINITY);
    feed(&harness, 6, 0, 0, 1, 1e141);
    struct harness_row row = point(7, "a", (const double[]){0, 0, 1}, 1);
    row.cells[4].value = mr_value_null();
    row.cells[5].value = (struct mr_value){.kind = MR_KIND_ABSENT};
    harness_feed(&harness, 0, &row, 1);
    row.cells[4].value = mr_value_string(mr_slice_text("7"));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.errors_count, 5);
    row.cells[4].value = mr_value_null();
    row.cells[5].value = mr_value_int(3);
    harness_feed(&harness, 0, &row, 1);
    harness_watermark(&harness, 20000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 1);
    assert_int_equal(statistic(&harness, 0, "value", "n").integer, 0);
    assert_int_equal(statistic(&harness, 0, "value", "mean").kind, MR_KIND_NULL);
    assert_int_equal(statistic(&harness, 0, "other", "n").integer, 1);
    assert_int_equal(statistic(&harness, 0, "other", "variance").kind, MR_KIND_NULL);
    harness_close(&harness);
}

static void layers_close(void **state)
{
    MR_UNUSED(state);
    const enum mr_voxel_output layers = MR_VOXEL_OUTPUT_LAYERS;
    struct harness harness;
    open(&harness, "signals: [value], lateness: 2s, layer_timeout: 1m, " GRID, true);
    feed(&harness, 1000, 0, 0, 1, 1);
    feed(&harness, 2000, 1, 0, 1, 2);
    feed(&harness, 5000, 1, 0, 1.3, 7);
    harness_watermark(&harness, 7000);
    assert_int_equal(harness.emitted_count[layers], 0);
    harness_watermark(&harness, 7001);
    assert_int_equal(harness.emitted_count[layers], 1);
    assert_int_equal(whole(&harness, layers, "layer"), 0);
    assert_int_equal(whole(&harness, layers, "points"), 2);
    assert_int_equal(whole(&harness, layers, "filled"), 2);
    assert_int_equal(whole(&harness, layers, "total"), SIDE_I * SIDE_J);
    assert_int_equal(whole(&harness, layers, "grid_filled"), 3);
    assert_int_equal(whole(&harness, layers, "grid_total"), VOXELS);
    assert_int_equal(whole(&harness, layers, "closing"), 1);
    assert_int_equal(whole(&harness, layers, "first_time"), 1000);
    assert_int_equal(whole(&harness, layers, "last_time"), 2000);
    assert_true(harness_field(&harness, layers, "fill_ratio").number == 2.0 / (SIDE_I * SIDE_J));
    assert_true(statistic(&harness, layers, "value", "mean").number == 1.5);
    /* A point that comes when it is closed: it is told again, whole. */
    harness_commit(&harness);
    harness_restore(&harness);
    feed(&harness, 3000, 2, 0, 1, 3);
    harness_watermark(&harness, 9999);
    assert_int_equal(harness.emitted_count[layers], 1);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[layers], 2);
    assert_int_equal(whole(&harness, layers, "closing"), 2);
    assert_int_equal(whole(&harness, layers, "points"), 3);
    assert_true(statistic(&harness, layers, "value", "sum").number == 6);
    /* The highest one closes when nothing more comes. */
    harness_watermark(&harness, 65000);
    assert_int_equal(harness.emitted_count[layers], 2);
    harness_watermark(&harness, 65001);
    assert_int_equal(harness.emitted_count[layers], 3);
    assert_int_equal(whole(&harness, layers, "layer"), 1);
    harness_close(&harness);
}

/* ---- Beside plain arrays ---- */

struct expected_voxel {
    uint32_t count;
    long double sum;
    long double squares;
    double minimum;
    double maximum;
    bool changed; /* since it was last told */
    bool boxed;   /* the same of boxes */
};

static struct expected_voxel expected[KEYS][VOXELS];
static uint32_t told_count;

static struct expected_voxel *voxel_of(struct mr_value key, int64_t i, int64_t j, int64_t k)
{
    return &expected[key.text[0] - 'a'][(k * SIDE_J + j) * SIDE_I + i];
}

static struct mr_value field(const struct harness *harness, uint32_t output, struct mr_view view,
                             uint32_t row, uint32_t number)
{
    const struct mr_plan_domain *domain =
        &harness->plan->domains[harness->node->outputs[output].domain];
    return view.batch->columns[domain->field_slots[number]][row];
}

static void check_voxel(const struct harness *harness, struct mr_view view, uint32_t row)
{
    struct expected_voxel *voxel =
        voxel_of(field(harness, 0, view, row, 0), field(harness, 0, view, row, 1).integer,
                 field(harness, 0, view, row, 2).integer, field(harness, 0, view, row, 3).integer);
    struct mr_value cell = member(field(harness, 0, view, row, 8), "value");
    assert_true(voxel->changed);
    voxel->changed = false;
    told_count++;
    assert_int_equal(member(cell, "n").integer, voxel->count);
    assert_true(member(cell, "sum").number == (double)voxel->sum);
    assert_true(member(cell, "min").number == voxel->minimum);
    assert_true(member(cell, "max").number == voxel->maximum);
    long double mean = voxel->sum / voxel->count;
    assert_true(fabsl(member(cell, "mean").number - mean) <= 1e-15L * fabsl(mean));
    if (voxel->count < 2)
        return;
    long double variance = (voxel->squares - voxel->sum * mean) / (voxel->count - 1);
    assert_true(fabsl(member(cell, "variance").number - variance) <= 1e-12L * variance);
}

static void check_box(const struct harness *harness, struct mr_view view, uint32_t row)
{
    int64_t ends[6]; /* i, j, k, voxels */
    for (uint32_t number = 0; number < 6; number++)
        ends[number] = field(harness, 1, view, row, number + 1).integer;
    assert_int_equal(ends[5], (ends[1] - ends[0] + 1) * (ends[3] - ends[2] + 1));
    for (int64_t j = ends[2]; j <= ends[3]; j++)
        for (int64_t i = ends[0]; i <= ends[1]; i++) {
            struct expected_voxel *voxel = voxel_of(field(harness, 1, view, row, 0), i, j, ends[4]);
            assert_true(voxel->boxed);
            voxel->boxed = false;
        }
}

static void check_emitted(void *argument, const struct harness *harness, uint32_t output,
                          struct mr_view view)
{
    MR_UNUSED(argument);
    for (uint32_t index = 0; index < view.rows_count; index++)
        if (output == MR_VOXEL_OUTPUT_MAIN)
            check_voxel(harness, view, view.rows[index]);
        else if (output == MR_VOXEL_OUTPUT_CHANGED)
            check_box(harness, view, view.rows[index]);
}

/* Numbers are sixty-fourths, so that long doubles hold all sums. */
static struct harness_row random_point(struct mr_random *random, int64_t time_ms)
{
    uint64_t i = mr_random_below(random, SIDE_I);
    uint64_t j = mr_random_below(random, SIDE_J);
    uint64_t k = mr_random_below(random, SIDE_K);
    uint32_t key = (uint32_t)mr_random_below(random, KEYS);
    double value = (double)mr_random_below(random, 100000) / 64 - 500;
    const double place[] = {-10 + (double)i + 0.5, (double)j * 0.5 + 0.25, 1.1 + (double)k * 0.2};
    struct expected_voxel *voxel = &expected[key][(k * SIDE_J + j) * SIDE_I + i];
    bool is_first = voxel->count++ == 0;
    voxel->sum += value;
    voxel->squares += (long double)value * value;
    voxel->minimum = is_first || value < voxel->minimum ? value : voxel->minimum;
    voxel->maximum = is_first || value > voxel->maximum ? value : voxel->maximum;
    voxel->changed = true;
    voxel->boxed = true;
    return point(time_ms, key == 0 ? "a" : "b", place, value);
}

static void beside_plain_arrays(void **state)
{
    MR_UNUSED(state);
    enum { ROWS = 300, ROUNDS = 60 };
    static struct harness_row rows[ROWS];
    struct harness harness;
    struct mr_random random;
    memset(expected, 0, sizeof(expected));
    told_count = 0;
    mr_random_init(&random, 11, 0);
    open(&harness, "signals: [value, other], every: 1s, " GRID, true);
    harness.quiet = true;
    harness.keeps_last = false;
    harness.on_emit = check_emitted;
    for (int64_t round = 0; round < ROUNDS; round++) {
        uint32_t count = (uint32_t)mr_random_below(&random, ROWS);
        for (uint32_t row = 0; row < count; row++)
            rows[row] = random_point(&random, round * 1000 + row);
        harness_feed(&harness, 0, rows, count);
        harness_watermark(&harness, (round + 1) * 1000);
        for (uint32_t key = 0; key < KEYS; key++)
            for (uint32_t voxel = 0; voxel < VOXELS; voxel++)
                assert_false(expected[key][voxel].changed || expected[key][voxel].boxed);
        if (round % 7 == 0)
            harness_commit(&harness);
        if (round % 14 == 0)
            harness_restore(&harness);
    }
    assert_true(told_count > 5000);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

/* ---- Options and state ---- */

static void wrong_options_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *says;
    } wrong[] = {
        {"position: [a, b], signals: [s], bounds: [1, 1, 1], resolution: [1, 1, 1]",
         "`position` has 2 elements"},
        {"position: [a, b, c], signals: [s], bounds: [1, 1], resolution: [1, 1, 1]",
         "`bounds` has 2 elements"},
        {"position: [a, b, c], signals: [s], bounds: [1, 1, 1], resolution: [1, x, 1]",
         "'resolution' is"},
        {"position: [a, b, c], signals: [s], bounds: [1, 1, 1], resolution: [1, 0, 1]",
         "the side of a voxel must be above 0"},
        {"position: [a, b, c], signals: [s], bounds: [1, 1, -1], resolution: [1, 1, 1]",
         "-1 is not above 0"},
        {"position: [a, b, c], signals: [s], bounds: [1e9, 1, 1], resolution: [1, 1, 1]",
         "an axis would have 1e+09 voxels"},
        {"position: [a, b, c], signals: [], bounds: [1, 1, 1], resolution: [1, 1, 1]",
         "'signals' has 0 elements"},
    };
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    for (size_t index = 0; index < MR_ARRAY_COUNT(wrong); index++) {
        const char *operators = mr_arena_format(
            &arena, "    - {name: op, type: voxel.aggregate, from: in, key: [], %s}\n",
            wrong[index].options);
        const char *findings =
            harness_findings(&arena, "    - {name: in, type: memory}\n", operators,
                             "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, wrong[index].says) == NULL)
            fail_msg("%s: %s", wrong[index].options, findings);
    }
    mr_arena_deinit(&arena);
}

/* All kinds of stored objects, and that they stay readable. */
static void stored_layout(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "signals: [value, other], " GRID, true);
    for (int64_t row = 0; row < 12; row++)
        feed(&harness, 1000 * row, (double)(row % 5), 1, row < 8 ? 1 : 1.5, 0.1 * (double)row);
    harness_commit(&harness);
    harness_check_golden(&harness, "voxel_aggregate_v1");
    harness_close(&harness);
    open(&harness, "signals: [value, other], " GRID, true);
    harness_load_golden(&harness, "voxel_aggregate_v1");
    feed(&harness, 12000, 0, 1, 1.5, 1);
    harness_watermark(&harness, 20000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 9);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_LAYERS], 1);
    assert_int_equal(statistic(&harness, 0, "value", "n").integer, 1);
    harness_close(&harness);
}

/* A voxel is told for each interval that it has points of, whatever order they come in. */
static void intervals_are_those_of_the_points(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "signals: [value], every: 10s, " GRID, true);
    feed(&harness, 9000, 0, 0, 1, 1);
    feed(&harness, 10000, 1, 0, 1, 1);
    feed(&harness, 8000, 2, 0, 1, 1);
    feed(&harness, 31000, 3, 0, 1, 1);
    feed(&harness, 11000, 0, 0, 1, 1);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 2); /* at 0 and 2 */
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_CHANGED], 2);
    assert_int_equal(whole(&harness, 0, "ix"), 12);
    harness_commit(&harness);
    harness_restore(&harness);
    harness_watermark(&harness, 20000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 4); /* at 1 and 0 */
    assert_int_equal(whole(&harness, 0, "interval_end"), 20000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_CHANGED], 3);
    harness_watermark(&harness, 39999);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 4);
    harness_watermark(&harness, 40000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], 5);
    harness_close(&harness);
}

/* Rows of outputs without a reader are counted. */
static void without_readers(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "signals: [value], " GRID, false);
    feed(&harness, 1, 0, 0, 1, 1);
    feed(&harness, 2, 0, 0, 1.5, 1);
    feed(&harness, 3, 0, 0, 0, 1);
    harness_watermark(&harness, 20000);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_CHANGED], 2);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_LAYERS], 1);
    assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_OUTSIDE], 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_voxel),
        cmocka_unit_test(outside_and_odd_values),
        cmocka_unit_test(layers_close),
        cmocka_unit_test(beside_plain_arrays),
        cmocka_unit_test(stored_layout),
        cmocka_unit_test(without_readers),
        cmocka_unit_test(intervals_are_those_of_the_points),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
