/* bench/micro_operators.c — CPU time per record inside of each operator, with columns given.
 * Prints the median over batches of 4096 rows, without decoding, encoding and commits; building and
 * hashing the key's bytes is part of it. Rows come in random order over the keys. Of a slow
 * operator fewer batches are measured: those of two seconds, and seven at least. Behind them
 * sources: what a record takes to be made. With an argument: only the rows whose options contain
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tests/support/operator_harness.h"

enum { BATCH = 4096, ROUNDS = 300, ROUNDS_MIN = 7, KEY_BYTES = 24, MORE_FIELDS = 9 };

#define MEASURED_NS UINT64_C(2000000000)

struct measured {
    const char *options;
    uint32_t keys_count;
    int64_t warm_rounds; /* more than ROUNDS: until the longest window is full */
};

/* One record per ms and key 1: windows are dense. */
#define TEN_FIELDS "value, f1, f2, f3, f4, f5, f6, f7, f8, f9"
#define AGGREGATES "aggregates: {rows: count(), total: sum(value), low: min(value)}"

/* A track of points 0.4 apart in a grid of 10^9 voxels. */
#define VOXELS                                                                                     \
    "from: in, key: [k], position: [px, py, pz], signals: [value], bounds: [1000, 1000, 1000], "   \
    "resolution: [1, 1, 1]"

/* Four states of a source's chain. */
#define CHAIN                                                                                      \
    "{name: idle, next: [busy, down], weights: [9, 1], mean: 5s}, {name: busy, next: [idle, "      \
    "done], dwell: gamma, shape: 3}, {name: done, next: [idle], dwell: lognormal}, {name: down, "  \
    "dwell: fixed, mean: 9s}"

static const struct measured measured[] = {
    {"type: filter, from: in, where: 'value > 25.0'", 1, ROUNDS},
    {"type: map, from: in, set: {twice: 'value * 2.0'}", 1, ROUNDS},
    {"type: deduplicate, from: in, key: [k], within: 10ms", 10000, ROUNDS},
    {"type: detect.threshold, from: in, field: value, above: 99.9", 1, ROUNDS},
    {"type: detect.zscore, from: in, key: [], field: value", 1, ROUNDS},
    {"type: detect.zscore, from: in, key: [k], field: value", 10000, ROUNDS},
    {"type: detect.zscore, from: in, key: [k], field: value, decay: 0.01", 10000, ROUNDS},
    {"type: detect.zscore, from: in, key: [k], field: value, window: {count: 100}", 1000, ROUNDS},
    {"type: detect.zscore, from: in, key: [], field: value, window: {count: 6400, step: 100}", 1,
     ROUNDS},
    {"type: detect.ewma, from: in, key: [k], field: value", 10000, ROUNDS},
    {"type: detect.robust_z, from: in, key: [k], field: value, window: {count: 100}", 1000, ROUNDS},
    {"type: detect.robust_z, from: in, key: [k], field: value", 1000, ROUNDS},
    {"type: detect.hampel, from: in, key: [k], field: value", 1000, ROUNDS},
    {"type: detect.iqr, from: in, key: [k], field: value", 1000, ROUNDS},
    {"type: detect.relative_entropy, from: in, key: [k], field: value", 1000, ROUNDS},
    {"type: detect.mahalanobis, from: in, key: [], fields: [" TEN_FIELDS "]", 1, ROUNDS},
    {"type: detect.mahalanobis, from: in, key: [k], fields: [" TEN_FIELDS "]", 10000, ROUNDS},
    {"type: detect.half_space_trees, from: in, key: [k], fields: [" TEN_FIELDS "]", 1, ROUNDS},
    {"type: detect.loda, from: in, key: [k], fields: [" TEN_FIELDS "]", 1, ROUNDS},
    {"type: detect.nearest, from: in, key: [k], field: value", 1, 4},
    {"type: detect.nearest, from: in, key: [k], field: value, resolution: 0, points: 4000", 1, 4},
    {"type: detect.new_value, from: in, key: [], field: k, max_values: 1000", 1000, 4},
    {"type: detect.rare_value, from: in, key: [], field: k, max_values: 1000", 1000, 4},
    {"type: detect.rare_value, from: in, key: [], field: k", 100, 4},
    {"type: detect.spot, from: in, key: [k], field: value", 1000, ROUNDS},
    {"type: detect.dspot, from: in, key: [k], field: value", 1000, ROUNDS},
    {"type: detect.knn_cad, from: in, key: [k], field: value", 1, 8},
    {"type: detect.isolation_forest, from: in, key: [], fields: [" TEN_FIELDS "]", 1, 400},
    {"type: detect.random_cut_forest, from: in, key: [k], fields: [value], shingle: 4", 1, 0},
    {"type: generate.bootstrap, learn: in, key: [], fields: [" TEN_FIELDS "], ratio: 0", 1, ROUNDS},
    {"type: generate.bootstrap, learn: in, key: [], fields: [" TEN_FIELDS "], ratio: 1", 1, ROUNDS},
    {"type: generate.copula, learn: in, key: [], fields: [" TEN_FIELDS "], ratio: 0", 1, ROUNDS},
    {"type: generate.copula, learn: in, key: [], fields: [" TEN_FIELDS "], ratio: 1", 1, ROUNDS},
    {"type: generate.markov, learn: in, key: [k], field: state, keys: 10", 1, ROUNDS},
    {"type: generate.markov, learn: in, key: [k], field: state, keys: 10, chain_order: 2", 1000,
     ROUNDS},
    {"type: window.aggregate, from: in, key: [k], window: {tumbling: 1h}, " AGGREGATES, 1, 1200},
    {"type: window.aggregate, from: in, key: [k], window: {hopping: 10s, every: 2s}, " AGGREGATES,
     1, 1200},
    {"type: window.aggregate, from: in, key: [k], window: {hopping: 1m, every: 1s}, " AGGREGATES, 1,
     1200},
    {"type: window.aggregate, from: in, key: [k], window: {hopping: 1h, every: 1s}, " AGGREGATES, 1,
     1200},
    {"type: window.aggregate, from: in, key: [k], window: {tumbling: 1h, zone: "
     "Europe/Berlin}, " AGGREGATES,
     1, 1200},
    {"type: window.aggregate, from: in, key: [k], window: {sliding: 10s}, " AGGREGATES, 1, ROUNDS},
    {"type: window.aggregate, from: in, key: [k], window: {sliding: 1h}, " AGGREGATES, 1, 1200},
    {"type: window.aggregate, from: in, key: [k], window: {sliding: 1m}, " AGGREGATES, 1000,
     ROUNDS},
    {"type: voxel.aggregate, " VOXELS, 1, ROUNDS},
    {"type: voxel.aggregate, " VOXELS ", every: 1h", 1, ROUNDS},
};

static int compare(const void *left, const void *right)
{
    const uint64_t *first = left;
    const uint64_t *second = right;
    return (*first > *second) - (*first < *second);
}

/* Numbers beside the key and the value, for detectors of several fields. */
static void add_fields(struct harness_row *row, struct mr_random *random)
{
    static const char *const names[MORE_FIELDS] = {"f1", "f2", "f3", "f4", "f5",
                                                   "f6", "f7", "f8", "f9"};
    for (uint32_t field = 0; field < MORE_FIELDS; field++)
        row->cells[2 + field] =
            (struct harness_cell){names[field], mr_value_double(mr_random_normal(random))};
}

/* A laser's way: tracks along the first axis, half a unit apart on the second, in layers. */
static void add_place(struct harness_row *row, int64_t number)
{
    enum { TRACK = 2500, TRACKS = 2000 };
    int64_t track = number / TRACK;
    row->cells[2] = (struct harness_cell){"px", mr_value_double((double)(number % TRACK) * 0.4)};
    row->cells[3] = (struct harness_cell){"py", mr_value_double((double)(track % TRACKS) * 0.5)};
    row->cells[4] = (struct harness_cell){"pz", mr_value_double((double)(track / TRACKS))};
}

/* One of eight states, a while each. */
static void add_state(struct harness_row *row, int64_t number, struct mr_random *random)
{
    static const char *const states[] = {"idle", "busy", "blocked", "down",
                                         "warm", "hot",  "cold",    "done"};
    static const char *state = "idle";
    if (number % 5 == 0)
        state = states[mr_random_below(random, MR_ARRAY_COUNT(states))];
    row->cells[2] = (struct harness_cell){"state", mr_value_string(mr_slice_text(state))};
}

static void measure(const struct measured *given)
{
    static struct harness_row rows[BATCH];
    static uint64_t times_ns[ROUNDS];
    char text[512];
    snprintf(text, sizeof(text), "    - {name: op, %s}\n", given->options);
    struct harness harness;
    harness_open(&harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: out2, type: memory, from: in2}\n",
                 "op");
    harness.quiet = true;
    harness.row_watermarks = true;
    char(*keys)[KEY_BYTES] = mr_memory_new(given->keys_count, KEY_BYTES);
    for (uint32_t key = 0; key < given->keys_count; key++)
        snprintf(keys[key], KEY_BYTES, "sensor-%05u", key);
    struct mr_random random;
    mr_random_init(&random, 1, 0);
    uint64_t measured_ns = 0;
    uint32_t rounds = 0;
    for (int64_t round = 0; rounds < ROUNDS && (rounds < ROUNDS_MIN || measured_ns < MEASURED_NS);
         round++) {
        for (int64_t row = 0; row < BATCH; row++)
            rows[row] =
                harness_row(round * BATCH + row, keys[mr_random_below(&random, given->keys_count)],
                            mr_value_double(100 * mr_random_double(&random)));
        if (strstr(given->options, "f9") != NULL)
            for (int64_t row = 0; row < BATCH; row++)
                add_fields(&rows[row], &random);
        if (strstr(given->options, "px") != NULL)
            for (int64_t row = 0; row < BATCH; row++)
                add_place(&rows[row], round * BATCH + row);
        if (strstr(given->options, "field: state") != NULL)
            for (int64_t row = 0; row < BATCH; row++)
                add_state(&rows[row], round * BATCH + row, &random);
        for (int64_t row = 0; row < BATCH; row++)
            rows[row].watermark_ms = rows[row].event_time_ms - 1;
        uint64_t before_ns = harness.process_cpu_ns;
        harness_feed(&harness, 0, rows, BATCH);
        if (round >= given->warm_rounds) {
            times_ns[rounds] = harness.process_cpu_ns - before_ns;
            measured_ns += times_ns[rounds++];
        }
        if (round % 12 == 11)
            harness_commit(&harness);
    }
    qsort(times_ns, rounds, sizeof(*times_ns), compare);
    printf("%8.1f ns  %6u keys  %s\n", (double)times_ns[rounds / 2] / BATCH, given->keys_count,
           given->options);
    mr_memory_free(keys);
    harness_close(&harness);
}

/* Sources: what a record takes to be made. */
static const char *const sources[] = {
    "type: generate.sequence",
    "type: generate.markov, keys: 10, states: [" CHAIN "]",
    "type: generate.markov, keys: 1000, states: [" CHAIN "]",
    "type: generate.copula, model: examples/models/people.json, include_metadata: false",
    "type: generate.bootstrap, model: examples/models/machines.json, include_metadata: false",
};

static void measure_source(const char *options)
{
    static uint64_t times_ns[ROUNDS];
    struct harness harness;
    char text[512];
    uint64_t measured_ns = 0;
    uint32_t rounds = 0;
    int64_t position = 0;
    snprintf(text, sizeof(text), "    - {name: made, %s}\n", options);
    harness_open_sources(&harness, text, "", "    - {name: out, type: memory, from: made}\n",
                         "made", 0, 1);
    harness.quiet = true;
    while (rounds < ROUNDS && (rounds < ROUNDS_MIN || measured_ns < MEASURED_NS)) {
        int64_t due_ms = 0;
        uint64_t before_ns = mr_clock_thread_cpu_ns();
        if (harness_generate(&harness, position, 0, BATCH, &position, &due_ms) != MR_OK)
            break;
        times_ns[rounds] = mr_clock_thread_cpu_ns() - before_ns;
        measured_ns += times_ns[rounds++];
    }
    qsort(times_ns, rounds, sizeof(*times_ns), compare);
    printf("%8.1f ns      source  %s\n", (double)times_ns[rounds / 2] / BATCH, options);
    harness_close(&harness);
}

int main(int argc, char **argv)
{
    for (size_t index = 0; index < MR_ARRAY_COUNT(measured); index++)
        if (argc < 2 || strstr(measured[index].options, argv[1]) != NULL)
            measure(&measured[index]);
    for (size_t index = 0; index < MR_ARRAY_COUNT(sources); index++)
        if (argc < 2 || strstr(sources[index], argv[1]) != NULL)
            measure_source(sources[index]);
    return 0;
}
