/* operators/spot.c — see spot.h.
 * Design: the object holds two sides, of which `tails` says which are used; the lower one sees the
 * negated numbers. Excesses and the last numbers of dspot are rings in slots; they are read when a
 * tail is fitted, so that one copy of them is in the cache. A tail and its threshold follow from
 * the ring, the counts at the time of the fit and the options: they are computed anew when an
 * object is loaded. As published, the threshold changes with an excess and not with the records in
 * between, although these make the share of excesses a little smaller: so the count at the fit is
 * stored.
 *
 * Stored object, version 1 (little-endian):
 *   0   uint8   tails   1 uint32 init   5 uint32 excesses   9 uint32 depth   13 double level's
 * share 21  uint64  numbers learned, without the first `depth` 29  uint32  numbers in dspot's
 * window   33 uint32 next position in it 37  of the upper, then the lower side: uint64 excesses so
 * far, uint64 numbers learned at the last fit, double level, uint32 excesses in the ring, uint32
 * next position in it Stored slots (operators/value_ring.h), one ring behind the other, each from a
 * slot's beginning: dspot's window; the first `init` numbers, and from then on in their place upper
 * excesses, lower excesses. */
#include "operators/spot.h"

#include <float.h>
#include <math.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/estimate.h"
#include "operators/sorted_window.h"
#include "operators/value_ring.h"

enum { SPOT_SIDES = 2, SPOT_HEAD_BYTES = 37, SPOT_SIDE_BYTES = 32 };
enum { SPOT_BYTES = SPOT_HEAD_BYTES + SPOT_SIDES * SPOT_SIDE_BYTES };

static const char spot_table[] = "tails";

const char *const mr_spot_tails_names[] = {"upper", "lower", "both", NULL};

struct side {
    uint64_t peaks;
    uint64_t fitted_at;
    double level;
    uint32_t count;
    uint32_t position;
    /* Not stored: mean something while count > 0. */
    struct mr_tail tail;
    double reach; /* from the level to the threshold */
};

struct spot_object {
    uint32_t tails;
    uint32_t init;
    uint32_t excesses;
    uint32_t depth;
    double level_share;
    uint64_t count;
    uint32_t window_count;
    uint32_t window_position;
    bool is_stale; /* what is not stored is to be computed */
    struct side sides[SPOT_SIDES];
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct spot_object *entry = object;
    output[0] = (uint8_t)entry->tails;
    mr_put_u32le(output + 1, entry->init);
    mr_put_u32le(output + 5, entry->excesses);
    mr_put_u32le(output + 9, entry->depth);
    mr_put_double_le(output + 13, entry->level_share);
    mr_put_u64le(output + 21, entry->count);
    mr_put_u32le(output + 29, entry->window_count);
    mr_put_u32le(output + 33, entry->window_position);
    uint8_t *at = output + SPOT_HEAD_BYTES;
    for (uint32_t index = 0; index < SPOT_SIDES; index++, at += SPOT_SIDE_BYTES) {
        const struct side *side = &entry->sides[index];
        mr_put_u64le(at, side->peaks);
        mr_put_u64le(at + 8, side->fitted_at);
        mr_put_double_le(at + 16, side->level);
        mr_put_u32le(at + 24, side->count);
        mr_put_u32le(at + 28, side->position);
    }
    return SPOT_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct spot_object *entry = object;
    if (version != MR_SPOT_VERSION || stored.size != SPOT_BYTES)
        return false;
    entry->tails = stored.data[0];
    entry->init = mr_get_u32le(stored.data + 1);
    entry->excesses = mr_get_u32le(stored.data + 5);
    entry->depth = mr_get_u32le(stored.data + 9);
    entry->level_share = mr_get_double_le(stored.data + 13);
    entry->count = mr_get_u64le(stored.data + 21);
    entry->window_count = mr_get_u32le(stored.data + 29);
    entry->window_position = mr_get_u32le(stored.data + 33);
    entry->is_stale = true;
    bool has_window = entry->depth > 0;
    if (entry->window_count > entry->depth ||
        (has_window && entry->window_position >= entry->depth))
        return false;
    const uint8_t *at = stored.data + SPOT_HEAD_BYTES;
    for (uint32_t index = 0; index < SPOT_SIDES; index++, at += SPOT_SIDE_BYTES) {
        struct side *side = &entry->sides[index];
        side->peaks = mr_get_u64le(at);
        side->fitted_at = mr_get_u64le(at + 8);
        side->level = mr_get_double_le(at + 16);
        side->count = mr_get_u32le(at + 24);
        side->position = mr_get_u32le(at + 28);
        if (side->count > entry->excesses || side->position >= entry->excesses)
            return false;
    }
    return true;
}

/* ---- Rings ---- */

/* The first position of the ring in slots behind a ring of that length. */
static uint32_t position_behind(uint32_t length)
{
    return mr_value_ring_slots(length) * MR_VALUE_RING_SLOT_VALUES;
}

static uint32_t first_position(const struct mr_spot *spot, uint32_t side)
{
    return position_behind(spot->depth) + side * position_behind(spot->excesses);
}

static enum mr_status put(const struct mr_model_row *row, uint32_t position, double number,
                          struct mr_error *error)
{
    double old;
    return mr_value_ring_exchange(row->table, row->entry, position, number, &old, error);
}

/* ---- A side ---- */

static bool is_watched(const struct mr_spot *spot, uint32_t side)
{
    return spot->tails == MR_SPOT_BOTH || (uint32_t)spot->tails == side;
}

static bool has_level(const struct spot_object *object)
{
    return object->count >= object->init;
}

static double share(const struct side *side)
{
    return (double)side->peaks / (double)side->fitted_at;
}

/* How far beyond the side's level; the lower one sees negated numbers. */
static double excess_of(const struct side *side, uint32_t index, double number)
{
    return (index == MR_SPOT_LOWER ? -number : number) - side->level;
}

/* What one more of the score is beyond the threshold. */
static double unit(const struct side *side)
{
    return side->reach > side->tail.sigma ? side->reach : side->tail.sigma;
}

static double side_score(const struct mr_spot *spot, const struct spot_object *object,
                         const struct side *side, double excess)
{
    if (!(excess > 0))
        return 0;
    if (side->count == 0)
        return spot->rate * ((double)object->count + 1);
    if (excess <= side->reach)
        return excess / side->reach;
    return 1 + (excess - side->reach) / unit(side);
}

/* How likely a number's score on this side is as high. */
static double side_probability(const struct side *side, double score)
{
    if (side->count == 0)
        return 0;
    double excess = score <= 1 ? score * side->reach : side->reach + (score - 1) * unit(side);
    return mr_tail_probability(&side->tail, share(side), excess <= DBL_MAX ? excess : DBL_MAX);
}

/* Fit the tail to its ring, as of fitted_at. */
static enum mr_status fit(const struct mr_spot *spot, const struct mr_model_row *row,
                          uint32_t index, struct mr_error *error)
{
    struct spot_object *object = row->object;
    struct side *side = &object->sides[index];
    enum mr_status status = mr_value_ring_read_from(
        row->table, row->entry, first_position(spot, index), side->count, spot->numbers, error);
    if (status != MR_OK || side->count == 0)
        return status;
    side->tail = mr_tail_fit(spot->numbers, side->count);
    side->reach = mr_tail_quantile(&side->tail, share(side), spot->rate);
    return MR_OK;
}

/* An excess as it is learned: one far beyond the threshold would hide others for as long as it is
 * in the ring. */
static double bounded_excess(const struct side *side, double excess)
{
    double most = side->reach + unit(side);
    return side->count > 0 && excess > most ? most : excess;
}

static enum mr_status put_excess(const struct mr_spot *spot, const struct mr_model_row *row,
                                 uint32_t index, double excess, struct mr_error *error)
{
    struct spot_object *object = row->object;
    struct side *side = &object->sides[index];
    enum mr_status status = put(row, first_position(spot, index) + side->position, excess, error);
    side->peaks++;
    side->position = side->position + 1 == spot->excesses ? 0 : side->position + 1;
    side->count += side->count < spot->excesses;
    return status;
}

/* ---- The model ---- */

static void spot_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct mr_spot *spot = self;
    struct spot_object *entry = object;
    MR_UNUSED(row);
    entry->tails = spot->tails;
    entry->init = spot->init;
    entry->excesses = spot->excesses;
    entry->depth = spot->depth;
    entry->level_share = spot->level;
}

static bool spot_fits(const void *self, const void *object)
{
    const struct mr_spot *spot = self;
    const struct spot_object *entry = object;
    return entry->tails == (uint32_t)spot->tails && entry->init == spot->init &&
           entry->excesses == spot->excesses && entry->depth == spot->depth &&
           entry->level_share == spot->level;
}

static bool spot_ready(const void *self, const void *object)
{
    MR_UNUSED(self);
    return has_level(object);
}

static enum mr_status refresh(const struct mr_spot *spot, const struct mr_model_row *row,
                              struct mr_error *error)
{
    struct spot_object *object = row->object;
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; object->is_stale && index < SPOT_SIDES && status == MR_OK; index++)
        status = fit(spot, row, index, error);
    object->is_stale = false;
    return status;
}

/* What the number is taken relative to: 0, or the mean of the last `depth` ones. */
static enum mr_status find_mean(struct mr_spot *spot, const struct mr_model_row *row,
                                struct mr_error *error)
{
    const struct spot_object *object = row->object;
    double sum = 0;
    spot->mean = 0;
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, object->window_count, spot->numbers, error);
    if (status != MR_OK || object->window_count == 0)
        return status;
    for (uint32_t index = 0; index < object->window_count; index++)
        sum += spot->numbers[index];
    spot->mean = sum / object->window_count;
    return MR_OK;
}

static void fill_members(const struct mr_spot *spot, struct mr_model_row *row)
{
    static const enum mr_spot_own thresholds[SPOT_SIDES] = {MR_SPOT_OWN_UPPER, MR_SPOT_OWN_LOWER};
    static const enum mr_spot_own levels[SPOT_SIDES] = {MR_SPOT_OWN_UPPER_LEVEL,
                                                        MR_SPOT_OWN_LOWER_LEVEL};
    const struct spot_object *object = row->object;
    row->own[MR_SPOT_OWN_EXCESSES] = (double)(object->sides[0].peaks + object->sides[1].peaks);
    row->own[MR_SPOT_OWN_COUNT] = (double)object->count;
    row->own[MR_SPOT_OWN_SHAPE] = NAN;
    row->own[MR_SPOT_OWN_SCALE] = NAN;
    if (spot->depth > 0)
        row->own[MR_SPOT_OWN_MEAN] = object->window_count > 0 ? spot->mean : NAN;
    for (uint32_t index = 0; index < SPOT_SIDES; index++) {
        const struct side *side = &object->sides[index];
        double sign = index == MR_SPOT_LOWER ? -1 : 1;
        bool is_known = is_watched(spot, index) && has_level(object);
        row->own[levels[index]] = is_known ? spot->mean + sign * side->level : NAN;
        row->own[thresholds[index]] =
            is_known && side->count > 0 ? spot->mean + sign * (side->level + side->reach) : NAN;
    }
}

/* The number is beyond a side's level. */
static void judge_excess(const struct mr_spot *spot, struct mr_model_row *row, uint32_t index,
                         double excess)
{
    const struct spot_object *object = row->object;
    const struct side *side = &object->sides[index];
    double score = side_score(spot, object, side, excess);
    row->score = score <= DBL_MAX ? score : DBL_MAX;
    if (side->count == 0) {
        row->p_value = 1 / ((double)object->count + 1);
        return;
    }
    double probability = side_probability(&object->sides[0], row->score) +
                         side_probability(&object->sides[1], row->score);
    row->p_value = probability < 1 ? probability : 1;
    row->own[MR_SPOT_OWN_SHAPE] = side->tail.gamma;
    row->own[MR_SPOT_OWN_SCALE] = side->tail.sigma;
}

static enum mr_status spot_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct mr_spot *spot = self;
    const struct spot_object *object = row->object;
    enum mr_status status = refresh(spot, row, error);
    if (status == MR_OK)
        status = find_mean(spot, row, error);
    if (status != MR_OK)
        return status;
    row->score = 0;
    row->p_value = NAN;
    fill_members(spot, row);
    for (uint32_t index = 0; has_level(object) && index < SPOT_SIDES; index++) {
        double excess = excess_of(&object->sides[index], index, row->values[0] - spot->mean);
        if (is_watched(spot, index) && excess > 0)
            judge_excess(spot, row, index, excess);
    }
    return MR_OK;
}

/* The first numbers are there: a level for each side, and what is beyond it, in order of time. */
static enum mr_status set_levels(const struct mr_spot *spot, const struct mr_model_row *row,
                                 struct mr_error *error)
{
    struct spot_object *object = row->object;
    enum mr_status status = mr_value_ring_read_from(row->table, row->entry, first_position(spot, 0),
                                                    spot->init, spot->numbers, error);
    if (status != MR_OK)
        return status;
    for (uint32_t at = 0; at < spot->init; at++)
        mr_sorted_window_insert(spot->sorted, at, spot->numbers[at]);
    uint32_t place = (uint32_t)(spot->level * spot->init);
    place = place < spot->init ? place : spot->init - 1;
    object->sides[MR_SPOT_UPPER].level = spot->sorted[place];
    object->sides[MR_SPOT_LOWER].level = -spot->sorted[spot->init - 1 - place];
    for (uint32_t index = 0; index < SPOT_SIDES; index++) {
        struct side *side = &object->sides[index];
        for (uint32_t at = 0; is_watched(spot, index) && at < spot->init; at++) {
            double excess = excess_of(side, index, spot->numbers[at]);
            if (!(excess > 0))
                continue;
            status = put_excess(spot, row, index, excess, error);
            if (status != MR_OK)
                return status;
        }
        side->fitted_at = object->count;
    }
    object->is_stale = true; /* fitted by the next record */
    return MR_OK;
}

static enum mr_status learn_number(const struct mr_spot *spot, const struct mr_model_row *row,
                                   double number, struct mr_error *error)
{
    struct spot_object *object = row->object;
    if (!has_level(object)) {
        uint32_t position = first_position(spot, 0) + (uint32_t)object->count;
        enum mr_status status = put(row, position, number, error);
        object->count++;
        return status == MR_OK && has_level(object) ? set_levels(spot, row, error) : status;
    }
    object->count++;
    for (uint32_t index = 0; index < SPOT_SIDES; index++) {
        struct side *side = &object->sides[index];
        double excess = excess_of(side, index, number);
        if (!is_watched(spot, index) || !(excess > 0))
            continue;
        enum mr_status status = put_excess(spot, row, index, bounded_excess(side, excess), error);
        side->fitted_at = object->count;
        if (status == MR_OK)
            status = fit(spot, row, index, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* A number as it enters dspot's window: as far from the mean as bounded_excess allows, whichever
 * side is watched. */
static double bounded_number(const struct mr_spot *spot, const struct spot_object *object,
                             double value)
{
    double most = 0;
    for (uint32_t index = 0; index < SPOT_SIDES; index++) {
        const struct side *side = &object->sides[index];
        double bound = fabs(side->level) + side->reach + unit(side);
        if (side->count > 0 && bound > most)
            most = bound;
    }
    double number = value - spot->mean;
    if (most > 0 && number > most)
        return spot->mean + most;
    return most > 0 && number < -most ? spot->mean - most : value;
}

/* spot->mean is as score left it. */
static enum mr_status spot_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_spot *spot = self;
    struct spot_object *object = row->object;
    double kept = bounded_number(spot, object, row->values[0]);
    enum mr_status status = MR_OK;
    if (object->window_count == spot->depth)
        status = learn_number(spot, row, row->values[0] - spot->mean, error);
    if (status != MR_OK || spot->depth == 0)
        return status;
    status = put(row, object->window_position, kept, error);
    object->window_position =
        object->window_position + 1 == spot->depth ? 0 : object->window_position + 1;
    object->window_count += object->window_count < spot->depth;
    return status;
}

static uint32_t options_depth(const struct mr_options *options)
{
    return mr_option_specs_find(options->specs, "depth") >= 0
               ? (uint32_t)mr_options_integer(options, "depth")
               : 0;
}

static void spot_size(const struct mr_options *options, struct mr_model_size *size)
{
    uint32_t init = (uint32_t)mr_options_integer(options, "init");
    uint32_t excesses = (uint32_t)mr_options_integer(options, "excesses");
    uint32_t tails = SPOT_SIDES * mr_value_ring_slots(excesses);
    uint32_t first = mr_value_ring_slots(init);
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max = mr_value_ring_slots(options_depth(options)) + (first > tails ? first : tails);
}

const struct mr_model_type mr_spot_model = {
    .table = spot_table,
    .version = MR_SPOT_VERSION,
    .object_size = sizeof(struct spot_object),
    .encoded_size_max = SPOT_BYTES,
    .size = spot_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = spot_begin,
    .fits = spot_fits,
    .ready = spot_ready,
    .score = spot_score,
    .learn = spot_learn,
};

/* ---- The operators ---- */

void mr_spot_describe(const void *self, const struct mr_model_row *row,
                      struct mr_detector_finding *finding)
{
    const struct mr_spot *spot = self;
    double value = row->values[0];
    double upper_level = row->own[MR_SPOT_OWN_UPPER_LEVEL]; /* may be NAN */
    bool is_upper = value > upper_level;
    double limit = row->own[is_upper ? MR_SPOT_OWN_UPPER : MR_SPOT_OWN_LOWER];
    if (isnan(row->own[MR_SPOT_OWN_SCALE])) {
        mr_detector_reason(finding,
                           "%s is %.6g; none of %.0f earlier numbers was %s %.6g; the score is "
                           "%.4g, the threshold %.6g",
                           spot->detector.field_text, value, row->own[MR_SPOT_OWN_COUNT],
                           is_upper ? "above" : "below",
                           is_upper ? upper_level : row->own[MR_SPOT_OWN_LOWER_LEVEL], row->score,
                           finding->threshold);
        return;
    }
    mr_detector_reason(finding,
                       "%s is %.6g, %s %.6g, where a number lies with probability %.3g by the tail "
                       "(shape %.3g, scale %.4g) of earlier ones; so far out it lies with %.3g",
                       spot->detector.field_text, value, is_upper ? "above" : "below", limit,
                       spot->rate, row->own[MR_SPOT_OWN_SHAPE], row->own[MR_SPOT_OWN_SCALE],
                       row->p_value);
}

enum mr_status mr_spot_open(struct mr_spot *spot, const struct mr_operator_open *open,
                            uint32_t depth, const struct mr_detector_type *type,
                            struct mr_error *error)
{
    const struct mr_options *options = &open->node->options;
    spot->tails = (enum mr_spot_tails)mr_options_integer(options, "tails");
    spot->init = (uint32_t)mr_options_integer(options, "init");
    spot->excesses = (uint32_t)mr_options_integer(options, "excesses");
    spot->level = mr_options_number(options, "level");
    spot->rate = mr_options_number(options, "rate");
    spot->depth = depth;
    uint32_t most = spot->init > spot->excesses ? spot->init : spot->excesses;
    spot->numbers = mr_memory_new(most > depth ? most : depth, sizeof(double));
    spot->sorted = mr_memory_new(spot->init, sizeof(double));
    return mr_detector_open(&spot->detector, open, type, error);
}

void mr_spot_close(void *self)
{
    struct mr_spot *spot = self;
    mr_detector_close(self);
    mr_memory_free(spot->numbers);
    mr_memory_free(spot->sorted);
    spot->numbers = NULL;
    spot->sorted = NULL;
}

enum mr_status mr_spot_check(const struct mr_options *options, const char **option,
                             struct mr_error *error)
{
    double rate = mr_options_number(options, "rate");
    double level = mr_options_number(options, "level");
    long long init = (long long)mr_options_integer(options, "init");
    if (rate >= 1 - level) {
        *option = "rate";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the rate %g must be below 1 - level, %.6g: only beyond the level the tail "
                       "is known",
                       rate, 1 - level);
    }
    if ((double)init * (1 - level) < 5 - 1e-9) {
        *option = "init";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "of %lld numbers less than five are above the level %g: raise `init` or "
                       "lower `level`",
                       init, level);
    }
    return mr_detector_check(options, option, error);
}

/* dspot writes its window's slot beside an excess. */
void mr_spot_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mr_spot_model, options, estimate);
    if (options_depth(options) > 0)
        estimate->changelog_bytes_per_record +=
            MR_VALUE_RING_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
}

enum mr_status mr_spot_describe_state(const struct mr_state_object *object, struct mr_arena *arena,
                                      struct mr_state_description *description,
                                      struct mr_error *error)
{
    struct spot_object entry = {0};
    MR_UNUSED(arena);
    if (!mr_stage_describe(&mr_spot_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "init", mr_value_uint(entry.init));
    mr_describe_member(description, "upper_excesses",
                       mr_value_uint(entry.sides[MR_SPOT_UPPER].peaks));
    mr_describe_member(description, "lower_excesses",
                       mr_value_uint(entry.sides[MR_SPOT_LOWER].peaks));
    if (!has_level(&entry))
        return MR_OK;
    if (entry.tails != MR_SPOT_LOWER)
        mr_describe_member(description, "upper_level",
                           mr_value_double(entry.sides[MR_SPOT_UPPER].level));
    if (entry.tails != MR_SPOT_UPPER)
        mr_describe_member(description, "lower_level",
                           mr_value_double(-entry.sides[MR_SPOT_LOWER].level));
    return MR_OK;
}
