/* operators/detect_mahalanobis.c — detect.mahalanobis: distance of a record of several numbers from
 * the mean of its key's earlier records, measured by their covariance.
 * Design: the moments (operators/covariance.h), all of which each record changes, lie in the key's
 * object, so that a record needs one look-up. Those of more than 26 fields do not fit there: they
 * lie in slots, as one array of doubles cut into pieces, as few as fit; score reads them into
 * scratch memory, learn goes on from there. So do objects of version 1 of any number of fields,
 * until they learn again.
 *
 * Stored object, version 2 (little-endian):
 *   0   uint32  number of fields
 *   4   uint64  records learned
 *   12  double  sum of weights
 *   20  double  sum of squared weights
 *   28  mr_covariance_numbers(fields) doubles, or nothing: they are in slots
 * Version 1 has them in slots always.
 * Stored slots: mr_covariance_numbers(fields) doubles, little-endian, moments_shape.slot_numbers in
 * each. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/covariance.h"
#include "operators/registry.h"

enum { MAHALANOBIS_VERSION = 2, MAHALANOBIS_BYTES = 28 };
enum mahalanobis_own { MAHALANOBIS_SQUARED, MAHALANOBIS_COUNT };

static const char mahalanobis_table[] = "covariance";

struct mahalanobis_object {
    struct mr_covariance_weights weights;
    uint64_t count;
    uint32_t fields_count;
    uint32_t is_whole; /* not stored: the moments are in this object, or will be */
    double moments[];
};

struct moments_shape {
    uint32_t numbers;
    bool fits; /* into an object */
    uint32_t slots_count;
    uint32_t slot_numbers;
};

struct mahalanobis {
    struct mr_detector detector;
    struct moments_shape shape;
    struct mr_covariance_regular regular;
    uint64_t warmup;
    double keep;     /* 1 - decay */
    double *moments; /* of an object whose own are in slots, as score read them */
    double *scratch;
};

static bool is_whole(size_t numbers)
{
    return MAHALANOBIS_BYTES + numbers * sizeof(double) <= MR_MODEL_OBJECT_BYTES;
}

static struct moments_shape shape_of(const struct mr_options *options)
{
    uint32_t fields_count = mr_options_get(options, "fields")->count;
    uint32_t numbers = (uint32_t)mr_covariance_numbers(fields_count);
    uint32_t slots = (numbers * 8 + MR_LIMIT_STATE_SLOT_BYTES - 1) / MR_LIMIT_STATE_SLOT_BYTES;
    return (struct moments_shape){.numbers = numbers,
                                  .fits = is_whole(numbers),
                                  .slots_count = slots,
                                  .slot_numbers = (numbers + slots - 1) / slots};
}

static void mahalanobis_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct moments_shape shape = shape_of(options);
    size->slot_bytes = shape.slot_numbers * 8;
    size->slots_max = shape.slots_count;
    size->slots_are_old = shape.fits;
    size->encoded_bytes = MAHALANOBIS_BYTES;
    if (!shape.fits)
        return;
    size->object_bytes += shape.numbers * sizeof(double);
    size->encoded_bytes += shape.numbers * sizeof(double);
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct mahalanobis_object *entry = object;
    mr_put_u32le(output, entry->fields_count);
    mr_put_u64le(output + 4, entry->count);
    mr_put_double_le(output + 12, entry->weights.total);
    mr_put_double_le(output + 20, entry->weights.squares);
    if (!entry->is_whole)
        return MAHALANOBIS_BYTES;
    size_t numbers = mr_covariance_numbers(entry->fields_count);
    for (size_t index = 0; index < numbers; index++)
        mr_put_double_le(output + MAHALANOBIS_BYTES + 8 * index, entry->moments[index]);
    return MAHALANOBIS_BYTES + 8 * numbers;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mahalanobis_object *entry = object;
    if (version < 1 || version > MAHALANOBIS_VERSION || stored.size < MAHALANOBIS_BYTES)
        return false;
    entry->fields_count = mr_get_u32le(stored.data);
    entry->count = mr_get_u64le(stored.data + 4);
    entry->weights.total = mr_get_double_le(stored.data + 12);
    entry->weights.squares = mr_get_double_le(stored.data + 20);
    if (entry->fields_count < 1 || entry->fields_count > MR_MODEL_FIELDS_MAX)
        return false;
    if (stored.size == MAHALANOBIS_BYTES)
        return true;
    size_t numbers = mr_covariance_numbers(entry->fields_count);
    if (version == 1 || stored.size != MAHALANOBIS_BYTES + 8 * numbers || !is_whole(numbers))
        return false;
    entry->is_whole = true;
    for (size_t index = 0; index < numbers; index++)
        entry->moments[index] =
            mr_get_double_le((const uint8_t *)stored.data + MAHALANOBIS_BYTES + 8 * index);
    return true;
}

static void mahalanobis_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct mahalanobis *mahalanobis = self;
    struct mahalanobis_object *entry = object;
    entry->fields_count = row->fields_count;
    entry->is_whole = mahalanobis->shape.fits;
}

static bool mahalanobis_fits(const void *self, const void *object)
{
    const struct mahalanobis *mahalanobis = self;
    const struct mahalanobis_object *entry = object;
    return entry->fields_count == mahalanobis->detector.fields_count;
}

static bool mahalanobis_ready(const void *self, const void *object)
{
    const struct mahalanobis *mahalanobis = self;
    const struct mahalanobis_object *entry = object;
    return entry->count >= mahalanobis->warmup;
}

static enum mr_status moments_read(struct mahalanobis *mahalanobis, struct mr_model_row *row,
                                   struct mr_error *error)
{
    const struct moments_shape *shape = &mahalanobis->shape;
    double *moments = mahalanobis->moments;
    for (uint32_t slot = 0, first = 0; first < shape->numbers; slot++) {
        void *bytes;
        enum mr_status status = mr_table_slot(row->table, row->entry, slot, false, &bytes, error);
        if (status != MR_OK)
            return status;
        uint32_t end = first + shape->slot_numbers;
        for (const uint8_t *at = bytes; first < end && first < shape->numbers; first++, at += 8)
            moments[first] = mr_get_double_le(at);
    }
    return MR_OK;
}

static enum mr_status moments_write(struct mahalanobis *mahalanobis, struct mr_model_row *row,
                                    struct mr_error *error)
{
    const struct moments_shape *shape = &mahalanobis->shape;
    const double *moments = mahalanobis->moments;
    for (uint32_t slot = 0, first = 0; first < shape->numbers; slot++) {
        void *bytes;
        enum mr_status status = mr_table_slot(row->table, row->entry, slot, true, &bytes, error);
        if (status != MR_OK)
            return status;
        uint32_t end = first + shape->slot_numbers;
        for (uint8_t *at = bytes; first < end && first < shape->numbers; first++, at += 8)
            mr_put_double_le(at, moments[first]);
    }
    return MR_OK;
}

static enum mr_status mahalanobis_score(void *self, struct mr_model_row *row,
                                        struct mr_error *error)
{
    struct mahalanobis *mahalanobis = self;
    const struct mahalanobis_object *entry = row->object;
    const double *moments = entry->moments;
    if (!entry->is_whole) {
        enum mr_status status = moments_read(mahalanobis, row, error);
        if (status != MR_OK)
            return status;
        moments = mahalanobis->moments;
    }
    row->score = mr_covariance_distance(moments, &entry->weights, row->values, row->fields_count,
                                        &mahalanobis->regular, mahalanobis->scratch);
    double squared = row->score * row->score;
    row->p_value = mr_chi_square_tail(squared, row->fields_count);
    row->own[MAHALANOBIS_SQUARED] = squared;
    row->own[MAHALANOBIS_COUNT] = (double)entry->count;
    return MR_OK;
}

static enum mr_status mahalanobis_explain(void *self, struct mr_model_row *row,
                                          struct mr_error *error)
{
    struct mahalanobis *mahalanobis = self;
    MR_UNUSED(error);
    mr_covariance_contributions(mahalanobis->scratch, row->fields_count, row->score,
                                row->contributions);
    return MR_OK;
}

static enum mr_status mahalanobis_learn(void *self, struct mr_model_row *row,
                                        struct mr_error *error)
{
    struct mahalanobis *mahalanobis = self;
    struct mahalanobis_object *entry = row->object;
    const struct moments_shape *shape = &mahalanobis->shape;
    entry->count++;
    if (!entry->is_whole && shape->fits) { /* of version 1: out of its slots */
        memcpy(entry->moments, mahalanobis->moments, shape->numbers * sizeof(double));
        entry->is_whole = true;
    }
    double *moments = entry->is_whole ? entry->moments : mahalanobis->moments;
    mr_covariance_learn(moments, &entry->weights, row->values, row->fields_count, mahalanobis->keep,
                        mahalanobis->scratch);
    return entry->is_whole ? MR_OK : moments_write(mahalanobis, row, error);
}

static void mahalanobis_describe(const void *self, const struct mr_model_row *row,
                                 struct mr_detector_finding *finding)
{
    const struct mahalanobis *mahalanobis = self;
    const struct mr_detector *detector = &mahalanobis->detector;
    uint32_t most = 0;
    for (uint32_t field = 1; field < row->fields_count; field++)
        if (row->contributions[field] > row->contributions[most])
            most = field;
    double share = row->score > 0 ? 100 * (row->contributions[most] / row->score) : 0;
    mr_detector_reason(finding,
                       "the record is %.4g from the mean of %.0f earlier ones, a distance that a "
                       "normal record exceeds with probability %.2g; %.0f %% of it is %s = %.6g; "
                       "the threshold is %.6g",
                       row->score, row->own[MAHALANOBIS_COUNT], row->p_value, share,
                       detector->field_texts[most], row->values[most], finding->threshold);
}

static const struct mr_model_type mahalanobis_model = {
    .table = mahalanobis_table,
    .version = MAHALANOBIS_VERSION,
    .object_size = sizeof(struct mahalanobis_object),
    .encoded_size_max = MAHALANOBIS_BYTES,
    .size = mahalanobis_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = mahalanobis_begin,
    .fits = mahalanobis_fits,
    .ready = mahalanobis_ready,
    .score = mahalanobis_score,
    .learn = mahalanobis_learn,
    .explain = mahalanobis_explain,
};

MR_DETECTOR_CODEC(mahalanobis, mahalanobis_model)

static const struct mr_detector_type mahalanobis_detector = {
    .model = &mahalanobis_model,
    .encode = mahalanobis_encode,
    .decode = mahalanobis_decode,
    .describe = mahalanobis_describe,
};

static enum mr_status mahalanobis_open(void *self, const struct mr_operator_open *open,
                                       struct mr_error *error)
{
    struct mahalanobis *mahalanobis = self;
    const struct mr_options *options = &open->node->options;
    uint32_t fields_count = mr_options_get(options, "fields")->count;
    mahalanobis->shape = shape_of(options);
    mahalanobis->warmup = (uint64_t)mr_options_integer(options, "warmup");
    mahalanobis->keep =
        mr_options_present(options, "decay") ? 1 - mr_options_number(options, "decay") : 1;
    mahalanobis->regular =
        (struct mr_covariance_regular){.shrink = mr_options_number(options, "shrink"),
                                       .sd_floor = mr_options_number(options, "sd_floor")};
    mahalanobis->moments = mr_memory_new(mahalanobis->shape.numbers, sizeof(double));
    mahalanobis->scratch = mr_memory_new(mr_covariance_scratch(fields_count), sizeof(double));
    return mr_detector_open(&mahalanobis->detector, open, &mahalanobis_detector, error);
}

static void mahalanobis_close(void *self)
{
    struct mahalanobis *mahalanobis = self;
    mr_detector_close(self);
    mr_memory_free(mahalanobis->moments);
    mr_memory_free(mahalanobis->scratch);
    mahalanobis->moments = NULL;
    mahalanobis->scratch = NULL;
}

static enum mr_status mahalanobis_describe_state(const struct mr_state_object *object,
                                                 struct mr_arena *arena,
                                                 struct mr_state_description *description,
                                                 struct mr_error *error)
{
    struct mahalanobis_object *entry =
        mr_arena_new(arena, 1, sizeof(*entry) + MR_MODEL_OBJECT_BYTES);
    if (!mr_stage_describe(&mahalanobis_model, object, entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "fields", mr_value_uint(entry->fields_count));
    mr_describe_member(description, "count", mr_value_uint(entry->count));
    mr_describe_member(description, "weight", mr_value_double(entry->weights.total));
    return MR_OK;
}

static void mahalanobis_estimate(const struct mr_options *options,
                                 struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mahalanobis_model, options, estimate);
}

static const struct mr_option_spec mahalanobis_options[] = {
    MR_DETECTOR_OPTION_FIELDS(1),
    MR_DETECTOR_OPTION_THRESHOLD(
        "6.0", "A record is an anomaly when its distance is above this. Normal records of d fields "
               "lie near the square root of d."),
    MR_DETECTOR_OPTION_WARMUP("30", 2, 1e9),
    MR_DETECTOR_OPTIONS,
    {.name = "decay",
     .type = MR_OPTION_NUMBER,
     .minimum = 1e-9,
     .maximum = 0.5,
     .help = "Each record takes this share of the weight of all earlier ones. Default: all records "
             "count alike."},
    {.name = "shrink",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = 1e-6,
     .maximum = 1e9,
     .help = "Correlations count as if this many records without any had come first."},
    {.name = "sd_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-9",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help = "A field's standard deviation below this, in its unit, counts as this."},
    {.name = NULL},
};

static const struct mr_output_field mahalanobis_fields[] = {
    MR_DETECTOR_MEMBERS("Mahalanobis distance, taken before the record is learned."),
    {"squared", MR_TYPE_DOUBLE, "The square of the distance: chi-square for normal records."},
    {"count", MR_TYPE_INT, "Records that mean and covariance were learned from."},
    MR_DETECTOR_MEMBER_CONTRIBUTIONS,
};

const struct mr_operator_type mr_operator_detect_mahalanobis = {
    .spec =
        {
            .name = "detect.mahalanobis",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds records of several numbers that lie far from their key's earlier "
                       "ones, by mean and covariance.",
            .description =
                "The score is the Mahalanobis distance from the mean of the key's earlier records: "
                "the distance in standard deviations, with correlations taken out, so that a pair "
                "of ordinary numbers that do not belong together scores high. Taken before the "
                "record is learned. Correlations are shrunk towards none while few records are "
                "known, and fields that determine each other stay finite. p_value is the upper "
                "tail of chi-square with one degree per field, right for normal data and long "
                "histories; it uses libm. Contributions are each field's part of the squared "
                "distance, negative parts as 0, scaled to add up to the score.\n\n"
                "Use it for numbers that move together and have one centre. Not for several "
                "clusters, nor for shapes that an ellipse does not fit: use "
                "detect.half_space_trees "
                "or detect.random_cut_forest. One huge anomaly that is learned widens the ellipse "
                "for long: give `decay`.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State for d fields: "
                "8 d (d + 3) / 2 bytes a key, all of which is written once per transaction that "
                "changes it: 520 bytes for 10 fields, 17 kB for 64. Time grows with d^3 / 6. "
                "Papers: Mahalanobis, On the generalised distance in statistics (1936); Welford, "
                "Note on a method for calculating corrected sums of squares and products (1962).",
            .options = mahalanobis_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = mahalanobis_fields,
            .added_fields_count = MR_ARRAY_COUNT(mahalanobis_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MAHALANOBIS_VERSION),
            .estimate = mahalanobis_estimate,
            .check = mr_detector_check,
        },
    .instance_size = sizeof(struct mahalanobis),
    .open = mahalanobis_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mahalanobis_close,
    .state_table = mahalanobis_table,
    .describe_state = mahalanobis_describe_state,
};
