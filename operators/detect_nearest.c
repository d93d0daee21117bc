/* operators/detect_nearest.c — detect.nearest: how far a number, or the last few in a row, is from
 * everything that the key has shown before.
 * Design: the key keeps points, each of `shingle` numbers in a row. A record's distance is the
 * Euclidean one from its point to the nearest kept one, and the score is that distance over the
 * root mean square of the key's earlier distances. The square weighs the great distances, which
 * normal records reach now and then, so that a score says how much stranger than those a record is.
 * A point is kept only when its distance is above `resolution` times that root: points that add
 * nothing take no room, and a few hundred cover a history of any length. Of a full collection the
 * point kept first leaves. The kept points lie in slots, whole points in a slot; all are looked at
 * for each record.
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0   uint32  capacity, points          4   uint32  shingle
 *   8   uint32  points kept               12  uint32  place of the next point
 *   16  uint64  records learned           24  double  mean square of the distances
 *   32  double  the last shingle - 1 numbers, oldest first
 * Stored slot: slot_points points of shingle doubles; point i is in slot i / slot_points. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "operators/registry.h"

enum {
    NEAREST_VERSION = 1,
    NEAREST_BYTES_MIN = 32,
    NEAREST_SHINGLE_MAX = 32,
    NEAREST_POINTS_MAX = 4000,
    NEAREST_NUMBERS_MAX = 16000, /* points x shingle */
    NEAREST_SLOT_NUMBERS = 64
};
enum nearest_own { NEAREST_DISTANCE, NEAREST_SCALE, NEAREST_POINTS, NEAREST_COUNT };

static const char nearest_table[] = "points";

struct nearest_object {
    uint32_t capacity;
    uint32_t shingle;
    uint32_t count;
    uint32_t position;
    uint64_t learned;
    double mean_square;
    double last[NEAREST_SHINGLE_MAX - 1]; /* shingle - 1 of them, oldest first */
};

struct nearest {
    struct mr_detector detector;
    uint64_t warmup;
    double resolution;
    double decay;
    double scale_floor;
    uint32_t capacity;
    uint32_t shingle;
};

/* ---- Layout ---- */

static uint32_t slot_points(uint32_t shingle)
{
    return shingle < NEAREST_SLOT_NUMBERS ? NEAREST_SLOT_NUMBERS / shingle : 1;
}

static void nearest_size(const struct mr_options *options, struct mr_model_size *size)
{
    uint32_t capacity = (uint32_t)mr_options_integer(options, "points");
    uint32_t shingle = (uint32_t)mr_options_integer(options, "shingle");
    uint32_t in_slot = slot_points(shingle);
    size->encoded_bytes = NEAREST_BYTES_MIN + (size_t)(shingle - 1) * 8;
    size->slot_bytes = in_slot * shingle * 8;
    size->slots_max = (capacity + in_slot - 1) / in_slot;
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct nearest_object *entry = object;
    mr_put_u32le(output, entry->capacity);
    mr_put_u32le(output + 4, entry->shingle);
    mr_put_u32le(output + 8, entry->count);
    mr_put_u32le(output + 12, entry->position);
    mr_put_u64le(output + 16, entry->learned);
    mr_put_double_le(output + 24, entry->mean_square);
    uint8_t *at = output + NEAREST_BYTES_MIN;
    for (uint32_t index = 0; index + 1 < entry->shingle; index++, at += 8)
        mr_put_double_le(at, entry->last[index]);
    return (size_t)(at - output);
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct nearest_object *entry = object;
    if (version != NEAREST_VERSION || stored.size < NEAREST_BYTES_MIN)
        return false;
    entry->capacity = mr_get_u32le(stored.data);
    entry->shingle = mr_get_u32le(stored.data + 4);
    entry->count = mr_get_u32le(stored.data + 8);
    entry->position = mr_get_u32le(stored.data + 12);
    entry->learned = mr_get_u64le(stored.data + 16);
    entry->mean_square = mr_get_double_le(stored.data + 24);
    if (entry->shingle < 1 || entry->shingle > NEAREST_SHINGLE_MAX ||
        stored.size != NEAREST_BYTES_MIN + (size_t)(entry->shingle - 1) * 8)
        return false;
    for (uint32_t index = 0; index + 1 < entry->shingle; index++)
        entry->last[index] = mr_get_double_le(stored.data + NEAREST_BYTES_MIN + (size_t)index * 8);
    return entry->count <= entry->capacity && entry->position < entry->capacity;
}

/* ---- The model ---- */

static void nearest_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct nearest *nearest = self;
    struct nearest_object *entry = object;
    MR_UNUSED(row);
    entry->capacity = nearest->capacity;
    entry->shingle = nearest->shingle;
}

static bool nearest_fits(const void *self, const void *object)
{
    const struct nearest *nearest = self;
    const struct nearest_object *entry = object;
    return entry->capacity == nearest->capacity && entry->shingle == nearest->shingle;
}

/* Points that the key's records have made. */
static uint64_t points_made(const struct nearest_object *entry)
{
    uint64_t missing = entry->shingle - 1u;
    return entry->learned > missing ? entry->learned - missing : 0;
}

static bool nearest_ready(const void *self, const void *object)
{
    const struct nearest *nearest = self;
    return points_made(object) >= nearest->warmup;
}

static enum mr_status point_at(const struct mr_model_row *row, uint32_t place, bool write,
                               uint8_t **bytes, struct mr_error *error)
{
    const struct nearest_object *entry = row->object;
    uint32_t in_slot = slot_points(entry->shingle);
    void *slot;
    enum mr_status status =
        mr_table_slot(row->table, row->entry, place / in_slot, write, &slot, error);
    if (status == MR_OK)
        *bytes = (uint8_t *)slot + (size_t)(place % in_slot) * entry->shingle * 8;
    return status;
}

/* The last numbers and this one. */
static void make_point(const struct nearest_object *entry, double value, double *point)
{
    memcpy(point, entry->last, (entry->shingle - 1) * sizeof(double));
    point[entry->shingle - 1] = value;
}

/* The least squared distance from a point to count kept ones, at most `least`. */
static double least_square(const uint8_t *kept, uint32_t count, const double *point,
                           uint32_t shingle, double least)
{
    for (uint32_t place = 0; place < count; place++, kept += (size_t)shingle * 8) {
        double squares = 0;
        for (uint32_t at = 0; at < shingle && squares < least; at++) {
            double away = point[at] - mr_get_double_le(kept + (size_t)at * 8);
            squares += away * away;
        }
        least = squares < least ? squares : least;
    }
    return least;
}

/* From a point to the nearest kept one; infinite while there is none. */
static enum mr_status nearest_distance(const struct mr_model_row *row, const double *point,
                                       double *distance, struct mr_error *error)
{
    const struct nearest_object *entry = row->object;
    uint32_t in_slot = slot_points(entry->shingle);
    double least = INFINITY;
    for (uint32_t place = 0; place < entry->count; place += in_slot) {
        uint8_t *bytes = NULL;
        enum mr_status status = point_at(row, place, false, &bytes, error);
        if (status != MR_OK)
            return status;
        uint32_t left = entry->count - place;
        least = least_square(bytes, left < in_slot ? left : in_slot, point, entry->shingle, least);
    }
    *distance = sqrt(least);
    return MR_OK;
}

static enum mr_status nearest_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct nearest *nearest = self;
    const struct nearest_object *entry = row->object;
    double point[NEAREST_SHINGLE_MAX];
    double distance = 0;
    row->score = 0;
    row->p_value = NAN;
    row->own[NEAREST_DISTANCE] = NAN;
    row->own[NEAREST_SCALE] = NAN;
    row->own[NEAREST_POINTS] = entry->count;
    row->own[NEAREST_COUNT] = (double)entry->learned;
    if (entry->count == 0 || entry->learned + 1 < entry->shingle)
        return MR_OK;
    make_point(entry, row->values[0], point);
    enum mr_status status = nearest_distance(row, point, &distance, error);
    if (status != MR_OK)
        return status;
    double scale = sqrt(entry->mean_square);
    row->own[NEAREST_DISTANCE] = distance;
    row->own[NEAREST_SCALE] = scale;
    row->score = distance / (scale < nearest->scale_floor ? nearest->scale_floor : scale);
    return MR_OK;
}

static enum mr_status keep_point(const struct mr_model_row *row, const double *point,
                                 struct mr_error *error)
{
    struct nearest_object *entry = row->object;
    uint8_t *bytes = NULL;
    enum mr_status status = point_at(row, entry->position, true, &bytes, error);
    if (status != MR_OK)
        return status;
    for (uint32_t at = 0; at < entry->shingle; at++)
        mr_put_double_le(bytes + (size_t)at * 8, point[at]);
    entry->position = entry->position + 1 == entry->capacity ? 0 : entry->position + 1;
    if (entry->count < entry->capacity)
        entry->count++;
    return MR_OK;
}

/* The distance is as score left it. */
static enum mr_status nearest_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct nearest *nearest = self;
    struct nearest_object *entry = row->object;
    double point[NEAREST_SHINGLE_MAX];
    enum mr_status status = MR_OK;
    make_point(entry, row->values[0], point);
    if (entry->learned + 1 >= entry->shingle) {
        double distance = row->own[NEAREST_DISTANCE];
        if (entry->count == 0 || distance > nearest->resolution * sqrt(entry->mean_square))
            status = keep_point(row, point, error);
        uint64_t made = points_made(entry);
        if (made > 0) {
            double weight = 1 / (double)made;
            weight = weight > nearest->decay ? weight : nearest->decay;
            entry->mean_square += weight * (distance * distance - entry->mean_square);
        }
    }
    memcpy(entry->last, point + 1, (entry->shingle - 1) * sizeof(double));
    entry->learned++;
    return status;
}

static const struct mr_model_type nearest_model = {
    .table = nearest_table,
    .version = NEAREST_VERSION,
    .object_size = sizeof(struct nearest_object),
    .encoded_size_max = NEAREST_BYTES_MIN,
    .size = nearest_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = nearest_begin,
    .fits = nearest_fits,
    .ready = nearest_ready,
    .score = nearest_score,
    .learn = nearest_learn,
};

/* ---- The detector ---- */

static void nearest_describe(const void *self, const struct mr_model_row *row,
                             struct mr_detector_finding *finding)
{
    const struct nearest *nearest = self;
    mr_detector_reason(finding,
                       "%s is %.6g, %.6g away from the nearest of %.0f kept %s, %.4g times the "
                       "usual distance %.6g; the threshold is %.6g",
                       nearest->detector.field_text, row->values[0], row->own[NEAREST_DISTANCE],
                       row->own[NEAREST_POINTS], nearest->shingle > 1 ? "sequences" : "numbers",
                       row->score, row->own[NEAREST_SCALE], finding->threshold);
}

MR_DETECTOR_CODEC(nearest, nearest_model)

static const struct mr_detector_type nearest_detector = {
    .model = &nearest_model,
    .encode = nearest_encode,
    .decode = nearest_decode,
    .describe = nearest_describe,
};

static enum mr_status nearest_open(void *self, const struct mr_operator_open *open,
                                   struct mr_error *error)
{
    struct nearest *nearest = self;
    const struct mr_options *options = &open->node->options;
    nearest->warmup = (uint64_t)mr_options_integer(options, "warmup");
    nearest->capacity = (uint32_t)mr_options_integer(options, "points");
    nearest->shingle = (uint32_t)mr_options_integer(options, "shingle");
    nearest->resolution = mr_options_number(options, "resolution");
    nearest->decay = mr_options_number(options, "decay");
    nearest->scale_floor = mr_options_number(options, "scale_floor");
    return mr_detector_open(&nearest->detector, open, &nearest_detector, error);
}

static enum mr_status nearest_describe_state(const struct mr_state_object *object,
                                             struct mr_arena *arena,
                                             struct mr_state_description *description,
                                             struct mr_error *error)
{
    MR_UNUSED(arena);
    struct nearest_object entry = {0};
    if (!mr_stage_describe(&nearest_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.learned));
    mr_describe_member(description, "points", mr_value_uint(entry.count));
    mr_describe_member(description, "capacity", mr_value_uint(entry.capacity));
    mr_describe_member(description, "shingle", mr_value_uint(entry.shingle));
    mr_describe_member(description, "scale", mr_value_double(sqrt(entry.mean_square)));
    return MR_OK;
}

static void nearest_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&nearest_model, options, estimate);
}

static enum mr_status nearest_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    uint32_t points = (uint32_t)mr_options_integer(options, "points");
    uint32_t shingle = (uint32_t)mr_options_integer(options, "shingle");
    if (points * shingle <= NEAREST_NUMBERS_MAX)
        return mr_detector_check(options, option, error);
    *option = "points";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "%u points with a shingle of %u are %u numbers, and a key keeps at most %d: "
                   "take at most %u points",
                   points, shingle, points * shingle, NEAREST_NUMBERS_MAX,
                   NEAREST_NUMBERS_MAX / shingle);
}

static const struct mr_option_spec nearest_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD("4.0",
                                 "A record is an anomaly when its score, in usual distances, "
                                 "is above this."),
    MR_DETECTOR_OPTION_WARMUP("30", 2, 1e9),
    MR_DETECTOR_OPTIONS,
    {.name = "shingle",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 1,
     .maximum = NEAREST_SHINGLE_MAX,
     .help = "A point is made of this many records of the key in a row, so that unusual sequences "
             "of usual numbers are found, 1 to 32."},
    {.name = "points",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "500",
     .minimum = 2,
     .maximum = NEAREST_POINTS_MAX,
     .help = "Points that a key keeps, 2 to 4,000; times the shingle at most 16,000. Of a "
             "full collection the one kept first leaves. Each is looked at for each record."},
    {.name = "resolution",
     .type = MR_OPTION_SHARE,
     .default_text = "0.5",
     .minimum = 0,
     .maximum = 1,
     .help = "A point nearer to a kept one than this share of the usual distance is not kept. 0: "
             "all are that differ from each kept one."},
    {.name = "decay",
     .type = MR_OPTION_SHARE,
     .default_text = "0.0001",
     .minimum = 0,
     .maximum = 0.5,
     .help = "Least weight of the newest distance in the usual one: 0.0001 remembers about the "
             "last 10,000 records. 0: all count alike."},
    {.name = "scale_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-9",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help = "A usual distance below this, in the field's unit, counts as this."},
    {.name = NULL},
};

static const struct mr_output_field nearest_fields[] = {
    MR_DETECTOR_MEMBERS("Distance over the usual one, taken before the record is learned."),
    {"distance", MR_TYPE_DOUBLE,
     "From the record's point to the nearest kept one; null while there is none."},
    {"scale", MR_TYPE_DOUBLE,
     "The usual distance: the root mean square of the key's earlier ones, before the floor."},
    {"points", MR_TYPE_INT, "Points that are kept."},
    {"count", MR_TYPE_INT, "Records that were learned."},
};

const struct mr_operator_type mr_operator_detect_nearest = {
    .spec =
        {
            .name = "detect.nearest",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers, or short sequences, that are far from everything their key "
                       "has shown before.",
            .description =
                "The score is the distance from the record's number to the nearest one that the "
                "key has shown, in units of the root mean square of the key's earlier distances. "
                "With a shingle the last records together make one point. What is nearer to a kept "
                "point than `resolution` usual distances is not kept, so that a few hundred points "
                "cover a long history. A number that comes again is no longer strange: each new "
                "level is told once.\n\n"
                "Finds the new: values between and beyond the usual ones, new levels, states that "
                "were never seen, in distributions of any shape and number of levels. No season "
                "has to be known: each phase has its points. Not for what is strange only by when "
                "it comes (use a shingle, or detect.forecast), nor for values that drift without "
                "end, which are always new.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State: 41 bytes a key, and 8 "
                "per point and record of the shingle; 512 bytes of changelog more for a record "
                "whose point is kept, of which there are few. A record costs about 2.5 ns "
                "for each number kept. Papers: "
                "Knorr and Ng, Algorithms for Mining Distance-Based Outliers in Large Datasets "
                "(1998); Ramaswamy, Rastogi and Shim, Efficient Algorithms for Mining Outliers "
                "from Large Data Sets (2000).",
            .options = nearest_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = nearest_fields,
            .added_fields_count = MR_ARRAY_COUNT(nearest_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(NEAREST_VERSION),
            .estimate = nearest_estimate,
            .check = nearest_check,
        },
    .instance_size = sizeof(struct nearest),
    .open = nearest_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = nearest_table,
    .describe_state = nearest_describe_state,
};
