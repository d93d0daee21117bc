/* operators/calibration.c — see calibration.h. */
#include "operators/calibration.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "operators/estimate.h"
#include "operators/sorted_window.h"
#include "operators/tail.h"
#include "operators/value_ring.h"

enum { CALIBRATION_VERSION = 1, CALIBRATION_BYTES = 37 };

/* Scores above this count as this: sums of their excesses stay finite. */
static const double score_max = 1e140;

static const char calibration_table[] = "calibration";

struct object {
    uint32_t kind;
    uint32_t capacity;
    uint32_t count;
    uint32_t position;
    uint64_t scores;
    uint64_t peaks;
    double level; /* of spot, once count of init was reached */
    /* Not stored. */
    uint32_t stale;
    uint32_t reserved;
    struct mr_tail tail;
    double numbers[]; /* conformal: sorted; spot: as in the ring */
};

static const struct mr_option_spec spot_fields[] = {
    {.name = "init",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1000",
     .minimum = 50,
     .maximum = MR_CALIBRATION_RING_MAX,
     .help = "Scores of the key from which the level is taken."},
    {.name = "level",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0.98",
     .minimum = 0.5,
     .maximum = 0.999,
     .help = "Share of those scores below the level; what is above makes the tail."},
    {.name = "excesses",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "200",
     .minimum = 10,
     .maximum = MR_CALIBRATION_RING_MAX,
     .help = "How many of the last scores above the level the tail is fitted to."},
    {.name = NULL},
};

const struct mr_option_spec mr_calibration_fields[] = {
    {.name = "conformal",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 20,
     .maximum = MR_CALIBRATION_RING_MAX,
     .help = "Compare a score with the key's last so many."},
    {.name = "spot",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = spot_fields,
     .help = "Fit the tail of the key's scores (streaming peaks over threshold)."},
    {.name = "rate",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1e-9,
     .maximum = 0.5,
     .help = "The share of normal records that may be anomalies by chance."},
    {.name = NULL},
};

/* ---- Options ---- */

static void read_options(const struct mr_options *options, struct mr_calibration *calibration)
{
    *calibration = (struct mr_calibration){0};
    if (mr_option_specs_find(options->specs, "calibrate") < 0 ||
        !mr_options_present(options, "calibrate"))
        return;
    const struct mr_options *calibrate = mr_options_get(options, "calibrate")->objects;
    calibration->rate = mr_options_number(calibrate, "rate");
    if (mr_options_present(calibrate, "conformal")) {
        calibration->kind = MR_CALIBRATION_CONFORMAL;
        calibration->capacity = (uint32_t)mr_options_integer(calibrate, "conformal");
        return;
    }
    if (!mr_options_present(calibrate, "spot"))
        return; /* refused by the check */
    const struct mr_options *spot = mr_options_get(calibrate, "spot")->objects;
    calibration->kind = MR_CALIBRATION_SPOT;
    calibration->init = (uint32_t)mr_options_integer(spot, "init");
    calibration->excesses = (uint32_t)mr_options_integer(spot, "excesses");
    calibration->level = mr_options_number(spot, "level");
    calibration->capacity =
        calibration->init > calibration->excesses ? calibration->init : calibration->excesses;
}

enum mr_status mr_calibration_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    struct mr_calibration calibration;
    if (!mr_options_present(options, "calibrate"))
        return MR_OK;
    *option = "calibrate";
    const struct mr_options *calibrate = mr_options_get(options, "calibrate")->objects;
    if (mr_options_present(calibrate, "conformal") == mr_options_present(calibrate, "spot"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`calibrate` takes one of `conformal` and `spot`");
    read_options(options, &calibration);
    if (calibration.kind == MR_CALIBRATION_CONFORMAL &&
        calibration.rate * (calibration.capacity + 1.0) < 1)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%u scores cannot tell a rate of %g: the highest of them is exceeded by "
                       "chance at a rate of %.3g; take more, a higher rate, or `spot`",
                       calibration.capacity, calibration.rate, 1 / (calibration.capacity + 1.0));
    if (calibration.kind == MR_CALIBRATION_SPOT && calibration.rate >= 1 - calibration.level)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the rate %g must be below 1 - level, %.6g: only beyond the level the tail "
                       "is known",
                       calibration.rate, 1 - calibration.level);
    if (calibration.kind == MR_CALIBRATION_SPOT &&
        calibration.init * (1 - calibration.level) < 5 - 1e-9)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "of %u scores less than five are above the level %g: raise `init` or lower "
                       "`level`",
                       calibration.init, calibration.level);
    return MR_OK;
}

void mr_calibration_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    struct mr_calibration calibration;
    struct mr_state_estimate own;
    read_options(options, &calibration);
    if (calibration.kind == MR_CALIBRATION_NONE)
        return;
    mr_estimate_slots(sizeof(struct object) + calibration.capacity * sizeof(double),
                      CALIBRATION_BYTES, MR_VALUE_RING_SLOT_BYTES,
                      mr_value_ring_slots(calibration.capacity), &own);
    estimate->object_bytes += own.object_bytes;
    estimate->stored_bytes += own.stored_bytes;
    estimate->changelog_bytes_per_record += own.changelog_bytes_per_record;
}

/* ---- State ---- */

static size_t encode(const void *stored, uint8_t *output)
{
    const struct object *object = stored;
    output[0] = (uint8_t)object->kind;
    mr_put_u32le(output + 1, object->capacity);
    mr_put_u32le(output + 5, object->count);
    mr_put_u32le(output + 9, object->position);
    mr_put_u64le(output + 13, object->scores);
    mr_put_u64le(output + 21, object->peaks);
    mr_put_double_le(output + 29, object->level);
    return CALIBRATION_BYTES;
}

static bool decode(void *stored, uint32_t version, struct mr_slice bytes)
{
    struct object *object = stored;
    if (version != CALIBRATION_VERSION || bytes.size != CALIBRATION_BYTES)
        return false;
    object->kind = bytes.data[0];
    object->capacity = mr_get_u32le(bytes.data + 1);
    object->count = mr_get_u32le(bytes.data + 5);
    object->position = mr_get_u32le(bytes.data + 9);
    object->scores = mr_get_u64le(bytes.data + 13);
    object->peaks = mr_get_u64le(bytes.data + 21);
    object->level = mr_get_double_le(bytes.data + 29);
    object->stale = 1;
    return object->position < object->capacity && object->count <= object->capacity;
}

enum mr_status mr_calibration_open(struct mr_calibration *calibration,
                                   const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    read_options(&node->options, calibration);
    if (calibration->kind == MR_CALIBRATION_NONE)
        return MR_OK;
    struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = calibration_table,
        .version = CALIBRATION_VERSION,
        .object_size = sizeof(struct object) + calibration->capacity * sizeof(double),
        .encode = encode,
        .encoded_size_max = CALIBRATION_BYTES,
        .decode = decode,
        .slot_bytes = MR_VALUE_RING_SLOT_BYTES,
        .slots_max = mr_value_ring_slots(calibration->capacity),
        .ttl_ms = node->state_ttl_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    return mr_table_open(open->state, &spec, &calibration->table, error);
}

static bool has_level(const struct mr_calibration *calibration, const struct object *object)
{
    return calibration->kind == MR_CALIBRATION_SPOT && object->scores >= calibration->init;
}

/* What follows from the ring of a loaded object. */
static enum mr_status refresh(const struct mr_calibration *calibration, struct object *object,
                              struct mr_error *error)
{
    if (object->kind != calibration->kind || object->capacity != calibration->capacity)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the stored state was made with another `calibrate`; reset the topology or "
                       "restore the old option");
    if (object->stale == 0)
        return MR_OK;
    enum mr_status status =
        mr_value_ring_read(calibration->table, object, object->count, object->numbers, error);
    if (status != MR_OK)
        return status;
    if (calibration->kind == MR_CALIBRATION_CONFORMAL)
        mr_sorted_window_sort(object->numbers, object->count);
    else if (has_level(calibration, object) && object->count > 0)
        object->tail = mr_tail_fit(object->numbers, object->count);
    object->stale = 0;
    return MR_OK;
}

/* Put a number into the ring and the array beside it. */
static enum mr_status put(const struct mr_calibration *calibration, struct object *object,
                          double number, uint32_t length, struct mr_error *error)
{
    double oldest;
    enum mr_status status = mr_value_ring_exchange(calibration->table, object, object->position,
                                                   number, &oldest, error);
    if (status != MR_OK)
        return status;
    if (calibration->kind == MR_CALIBRATION_SPOT)
        object->numbers[object->position] = number;
    else if (object->count == length)
        mr_sorted_window_replace(object->numbers, object->count, oldest, number);
    else
        mr_sorted_window_insert(object->numbers, object->count, number);
    if (object->count < length)
        object->count++;
    object->position = object->position + 1 >= length ? 0 : object->position + 1;
    return MR_OK;
}

/* ---- Conformal ---- */

/* How many numbers of the sorted array are >= score. */
static uint32_t count_from(const struct object *object, double score)
{
    uint32_t low = 0;
    uint32_t high = object->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (object->numbers[middle] < score)
            low = middle + 1;
        else
            high = middle;
    }
    return object->count - low;
}

static void judge_conformal(const struct mr_calibration *calibration, const struct object *object,
                            double score, struct mr_calibration_result *result)
{
    /* p <= rate exactly when fewer than `allowed` scores are as high. */
    double allowed = floor(calibration->rate * (object->count + 1.0) + 1e-9);
    if (allowed < 1)
        return;
    result->is_calibrated = true;
    result->threshold = object->numbers[object->count - (uint32_t)allowed];
    result->p_value = (1.0 + count_from(object, score)) / (object->count + 1.0);
}

/* ---- SPOT ---- */

/* The first scores are there: their level, and what is above it, in the order of time. */
static enum mr_status set_level(const struct mr_calibration *calibration, struct object *object,
                                struct mr_arena *arena, struct mr_error *error)
{
    uint32_t init = calibration->init;
    double *scores = mr_arena_take(arena, init * sizeof(*scores));
    double *sorted = mr_arena_take(arena, init * sizeof(*sorted));
    memcpy(scores, object->numbers, init * sizeof(*scores));
    memcpy(sorted, scores, init * sizeof(*sorted));
    mr_sorted_window_sort(sorted, init);
    uint32_t place = (uint32_t)(calibration->level * init);
    object->level = sorted[place < init ? place : init - 1];
    object->count = 0;
    object->position = 0;
    for (uint32_t index = 0; index < init; index++) {
        double excess = scores[index] - object->level;
        if (!(excess > 0))
            continue;
        object->peaks++;
        enum mr_status status = put(calibration, object, excess, calibration->excesses, error);
        if (status != MR_OK)
            return status;
    }
    if (object->count > 0)
        object->tail = mr_tail_fit(object->numbers, object->count);
    return MR_OK;
}

static void judge_spot(const struct mr_calibration *calibration, const struct object *object,
                       double score, struct mr_calibration_result *result)
{
    if (!has_level(calibration, object) || object->count == 0)
        return; /* no score above the level: all were equal */
    double share = (double)object->peaks / (double)object->scores;
    result->is_calibrated = true;
    result->threshold = object->level + mr_tail_quantile(&object->tail, share, calibration->rate);
    result->p_value = score > object->level
                          ? mr_tail_probability(&object->tail, share, score - object->level)
                          : NAN;
}

static enum mr_status learn_spot(const struct mr_calibration *calibration, struct object *object,
                                 double score, const struct mr_calibration_result *result,
                                 struct mr_arena *arena, struct mr_error *error)
{
    if (!has_level(calibration, object)) {
        enum mr_status status = put(calibration, object, score, calibration->init, error);
        if (status != MR_OK)
            return status;
        object->scores++;
        return has_level(calibration, object) ? set_level(calibration, object, arena, error)
                                              : MR_OK;
    }
    if (result->is_calibrated && score > result->threshold)
        return MR_OK;
    object->scores++;
    double excess = score - object->level;
    if (!(excess > 0))
        return MR_OK;
    object->peaks++;
    enum mr_status status = put(calibration, object, excess, calibration->excesses, error);
    if (status == MR_OK)
        object->tail = mr_tail_fit(object->numbers, object->count);
    return status;
}

/* ---- Both ---- */

enum mr_status mr_calibration_judge(const struct mr_calibration *calibration,
                                    const struct mr_calibration_score *given,
                                    struct mr_arena *arena, struct mr_calibration_result *result,
                                    struct mr_error *error)
{
    void *found;
    bool created;
    *result = (struct mr_calibration_result){.p_value = NAN};
    enum mr_status status = mr_table_get(calibration->table, given->key, given->hash,
                                         given->event_time_ms, &found, &created, error);
    if (status != MR_OK)
        return status;
    struct object *object = found;
    if (created) {
        object->kind = calibration->kind;
        object->capacity = calibration->capacity;
    }
    status = refresh(calibration, object, error);
    if (status != MR_OK)
        return status;
    double score = given->score <= score_max ? given->score : score_max;
    if (calibration->kind == MR_CALIBRATION_CONFORMAL)
        judge_conformal(calibration, object, score, result);
    else
        judge_spot(calibration, object, score, result);
    if (!given->learns)
        return MR_OK;
    if (calibration->kind == MR_CALIBRATION_CONFORMAL)
        status = put(calibration, object, score, calibration->capacity, error);
    else
        status = learn_spot(calibration, object, score, result, arena, error);
    if (status != MR_OK)
        return status;
    mr_table_dirty(calibration->table, object);
    return MR_OK;
}

enum mr_status mr_calibration_reset(const struct mr_calibration *calibration, struct mr_slice key,
                                    uint64_t hash, struct mr_error *error)
{
    return mr_table_remove(calibration->table, key, hash, error);
}
