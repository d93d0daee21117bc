/* tests/conformance/operator_rows.c — see operator_rows.h. */
#include "tests/conformance/operator_rows.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/learned_snapshot.h"
#include "record/json_value.h"

enum { KEYS_COUNT = 40 };

/* A constant series, a step, and every odd value now and then. */
static struct mr_value odd_value(uint32_t index, struct mr_random *random)
{
    uint32_t key = index % KEYS_COUNT;
    switch (mr_random_below(random, 60)) {
    case 0:
        return mr_value_null();
    case 1:
        return (struct mr_value){.kind = MR_KIND_ABSENT};
    case 2:
        return mr_value_string(mr_slice_text("12.5"));
    case 3:
        return mr_value_double((double)NAN);
    case 4:
        return mr_value_double(index % 2 == 0 ? (double)INFINITY : -(double)INFINITY);
    case 5:
        return mr_value_double(index % 2 == 0 ? 1e308 : -DBL_MAX);
    case 6:
        return mr_value_double(-0.0);
    case 7:
        return mr_value_double(5e-324);
    case 8:
        return mr_value_int(-4);
    case 9:
        return mr_value_uint(UINT64_MAX);
    case 10:
        return mr_value_bool(true);
    case 11:
        return mr_value_error(mr_slice_text("not a double at byte 7"));
    case 12:
        return mr_value_double(1e140);
    default:
        if (key == 0)
            return mr_value_double(7.25);
        if (key == 1)
            return mr_value_double(index < OPERATOR_ROWS_COUNT / 2 ? 1.0 : 1000.0);
        return mr_value_double(20 + 5 * mr_random_normal(random));
    }
}

/* Errors of which some are bools, some numbers, and that become more. */
static struct mr_value failed_value(uint32_t index, struct mr_random *random)
{
    bool failed = mr_random_below(random, 100) < (index < OPERATOR_ROWS_COUNT / 2 ? 10 : 60);
    switch (mr_random_below(random, 40)) {
    case 0:
        return (struct mr_value){.kind = MR_KIND_ABSENT};
    case 1:
        return mr_value_double(0.5);
    case 2:
        return mr_value_int(2);
    default:
        return index % 3 == 0 ? mr_value_double(failed ? 1 : -0.0) : mr_value_bool(failed);
    }
}

/* A sample of 4 to 11 units and its defects; some are empty or odd. */
static void put_sample(struct harness_row *row, uint32_t index, struct mr_random *random)
{
    uint64_t units = 4 + mr_random_below(random, 8);
    struct mr_value size = mr_value_int((int64_t)units);
    struct mr_value defects = mr_value_double((double)mr_random_below(random, 4));
    switch (mr_random_below(random, 30)) {
    case 0:
        size = mr_value_double(index % 3 == 0 ? 5e-324 : index % 3 == 1 ? 1e300 : (double)NAN);
        break;
    case 1:
        size = index % 2 == 0 ? mr_value_null() : (struct mr_value){.kind = MR_KIND_ABSENT};
        break;
    case 2:
        size = mr_value_double(-0.0);
        defects = mr_value_int(index % 3);
        break;
    case 3:
        defects = mr_value_int((int64_t)units + (int64_t)(index % 3) - 1);
        break;
    case 4:
    case 5:
        defects = odd_value(index, random);
        break;
    default:
        break;
    }
    row->cells[6] = (struct harness_cell){"defects", defects};
    row->cells[7] = (struct harness_cell){"units", size};
}

static struct mr_value tags_value(struct mr_arena *arena, struct mr_random *random)
{
    uint64_t size = mr_random_below(random, 5);
    if (size == 4)
        return mr_value_double(3);
    if (size == 3)
        return (struct mr_value){.kind = MR_KIND_ABSENT};
    struct mr_value *items = mr_arena_take(arena, (size + 1) * sizeof(*items));
    for (uint64_t index = 0; index < size; index++)
        items[index] = mr_value_int((int64_t)index);
    return (struct mr_value){.kind = MR_KIND_LIST, .size = (uint32_t)size, .items = items};
}

struct mr_value operator_rows_key(struct mr_arena *arena, uint64_t key, int width)
{
    char *text = mr_arena_take(arena, (size_t)width + 1);
    int size = snprintf(text, (size_t)width + 1, "%08llu", (unsigned long long)key);
    memset(text + size, 'k', (size_t)(width - size));
    text[width] = '\0';
    return mr_value_string(mr_slice_text(text));
}

struct mr_value operator_rows_model(struct mr_arena *arena, uint64_t version)
{
    struct mr_value model;
    struct mr_error error;
    const char *text = mr_arena_format(
        arena,
        "{\"millrace_model\": 1, \"type\": \"copula\", \"name\": \"a model\", \"version\": %llu, "
        "\"rows\": 100, \"effective_rows\": 100, \"weight\": 100, \"squared_weights\": 100, "
        "\"fields\": [{\"name\": \"value\", \"kind\": \"number\", \"missing\": 0, \"decimals\": 1, "
        "\"bins\": [[0, 5, 30], [6, 9.5, 70]]}], \"correlations\": {\"values\": [\"value\"], "
        "\"missingness\": [], \"matrix\": [[]]}}",
        (unsigned long long)version);
    enum mr_status status = mr_json_parse(mr_slice_text(text), NULL, arena, &model, &error);
    MR_ASSERT(status == MR_OK);
    return model;
}

struct mr_value operator_rows_snapshot(struct mr_arena *arena)
{
    enum { ROWS = 20, RESERVOIR = 16 };
    const struct mr_copula_shape shape = {.columns_count = 1, .reservoir_rows = RESERVOIR};
    struct mr_value cells[ROWS];
    struct mr_copula copula;
    struct mr_copula_work work;
    uint8_t *bytes = mr_arena_take(arena, MR_SNAPSHOT_HEAD_BYTES + mr_copula_bytes_max(&shape));
    for (uint32_t row = 0; row < ROWS; row++)
        cells[row] = mr_value_double(row % 7);
    mr_copula_create(&copula, &shape);
    mr_copula_work_create(&work, 1);
    (void)mr_copula_learn(&copula, &work, cells, ROWS, 0);
    bytes[0] = 1;
    bytes[1] = 1;
    mr_put_u16le(bytes + 2, 1);
    mr_put_u32le(bytes + 4, RESERVOIR);
    mr_put_u64le(bytes + 8, mr_hash64_seeded(mr_slice_text("value"), 0));
    size_t size =
        MR_SNAPSHOT_HEAD_BYTES + mr_copula_encode(&copula, bytes + MR_SNAPSHOT_HEAD_BYTES);
    mr_copula_work_destroy(&work);
    mr_copula_destroy(&copula);
    return mr_value_bytes(mr_slice_from(bytes, size));
}

/* A model that may be followed, sometimes none and sometimes no model. */
static struct mr_value model_value(struct mr_arena *arena, uint32_t index)
{
    if (index % 11 == 3)
        return index % 2 == 0 ? mr_value_null() : (struct mr_value){.kind = MR_KIND_ABSENT};
    if (index % 11 == 7)
        return index % 2 == 0 ? mr_value_double(7) : operator_rows_model(arena, 0);
    return operator_rows_model(arena, index + 1);
}

/* What learners publish: of some the number goes back, or is odd. */
static void put_snapshot(struct harness_row *row, uint32_t index, struct mr_value snapshot)
{
    static const char *const learners[] = {"op/0", "op/1", "op/2"};
    struct mr_value blocks = mr_value_int(index % 13 == 5 ? index / 2 : index + 1);
    if (index % 11 == 4)
        snapshot = index % 2 == 0 ? mr_value_null() : mr_value_string(mr_value_text(snapshot));
    if (index % 11 == 6)
        snapshot.size -= 3;
    row->cells[10] = (struct harness_cell){
        "learner", mr_value_string(mr_slice_text(learners[index / KEYS_COUNT % 3]))};
    row->cells[11] =
        (struct harness_cell){"blocks", index % 29 == 1 ? mr_value_double((double)NAN) : blocks};
    row->cells[12] = (struct harness_cell){"part", mr_value_int(1)};
    row->cells[13] = (struct harness_cell){"parts", mr_value_int(1 + (index % 31 == 2))};
    row->cells[14] = (struct harness_cell){"snapshot", snapshot};
}

struct harness_row *operator_rows(struct mr_arena *arena, int key_width)
{
    struct mr_value keys[KEYS_COUNT];
    for (uint32_t key = 0; key < KEYS_COUNT; key++)
        keys[key] = operator_rows_key(arena, key, key_width);
    struct mr_random random;
    struct mr_random failures; /* its own, so that the other cells stay what they are */
    mr_random_init(&random, 42, 0);
    struct mr_random samples; /* so too */
    mr_random_init(&failures, 42, 1);
    mr_random_init(&samples, 42, 2);
    struct mr_random found; /* and so */
    mr_random_init(&found, 42, 3);
    struct mr_value snapshot = operator_rows_snapshot(arena);
    struct harness_row *rows = mr_arena_new(arena, OPERATOR_ROWS_COUNT, sizeof(*rows));
    for (uint32_t index = 0; index < OPERATOR_ROWS_COUNT; index++) {
        struct harness_row *row = &rows[index];
        row->offset = 10 + index;
        row->event_time_ms = 1700000000000 + index - (int64_t)mr_random_below(&random, 20);
        row->cells[0] = (struct harness_cell){"k", index % 97 == 5 ? mr_value_null()
                                                                   : keys[index % KEYS_COUNT]};
        row->cells[1] = (struct harness_cell){"value", odd_value(index, &random)};
        row->cells[2] = (struct harness_cell){"tags", tags_value(arena, &random)};
        row->cells[5] = (struct harness_cell){"failed", failed_value(index, &failures)};
        row->cells[3] = (struct harness_cell){"second", mr_value_double(mr_random_normal(&random))};
        row->cells[4] = (struct harness_cell){"third", mr_value_double(index % 7)};
        row->cells[8] = (struct harness_cell){"found", failed_value(index, &found)};
        put_sample(row, index, &samples);
        row->cells[9] = (struct harness_cell){"model", model_value(arena, index)};
        put_snapshot(row, index, snapshot);
    }
    return rows;
}
