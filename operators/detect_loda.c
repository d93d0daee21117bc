/* operators/detect_loda.c — detect.loda: how unlikely a record is in many
 * histograms of random projections of the key's last window. Design: the
 * projections are the operator's own, drawn from the option `seed` (loda.h). A
 * record is kept as it is in a ring; histograms are made anew of all records of
 * the ring when a window is full, and while the first one fills whenever it has
 * doubled, so that few records are judged by none. A record logs its slot of
 * the ring, 1 kB; histograms are written once per window.
 *
 * Stored object, version 1 (little-endian):
 *   0   uint8   bins; 1 uint16 cuts; 3 uint16 window; 5 uint16 fields; 7 uint64
 * seed 15  uint64  records learned Stored slots of 1024 bytes: the ring,
 * LODA_SLOT_BYTES / (8 fields) records a slot, the n-th record of the key at n
 * mod window; then one of scales, double low and inverse of each field; then
 * the histograms, as many whole ones as fit in a slot: double low, double
 * inverse, float costs[bins + 2] of each cut. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/estimate.h"
#include "operators/loda.h"
#include "operators/registry.h"

enum { LODA_VERSION = 1, LODA_BYTES = 23, LODA_SLOT_BYTES = 1024, LODA_FIRST = 32 };
enum { LODA_WINDOW_MAX = 8192, LODA_HISTOGRAM_HEAD = 16 };
enum loda_own { LODA_COUNT };

static const char loda_table[] = "window";

struct loda_object {
    uint64_t seed;
    uint64_t count;
    uint16_t cuts_count;
    uint16_t window;
    uint16_t fields_count;
    uint8_t bins;
    uint8_t reserved; /* not stored */
};

/* Where things are in the slots. */
struct loda_shape {
    uint32_t fields_count;
    uint32_t cuts_count;
    uint32_t bins;
    uint32_t window;
    uint32_t slot_records;
    uint32_t ring_slots;
    uint32_t histogram_bytes;
    uint32_t slot_histograms;
    uint32_t histogram_slots;
};

struct loda {
    struct mr_detector detector;
    struct loda_shape shape;
    struct mr_loda_cuts cuts;
    uint64_t seed;
    uint64_t warmup;
    double *records; /* window * fields_count */
    double *column;  /* window */
    double *point;   /* fields_count */
    struct mr_loda_scale *scales;
    uint32_t *uses;     /* by field: cuts that use it */
    double *field_cost; /* by field: their costs */
};

static struct loda_shape shape_of(const struct mr_options *options)
{
    struct loda_shape shape = {
        .fields_count = mr_options_get(options, "fields")->count,
        .cuts_count = (uint32_t)mr_options_integer(options, "cuts"),
        .bins = (uint32_t)mr_options_integer(options, "bins"),
        .window = (uint32_t)mr_options_integer(options, "window_size"),
    };
    shape.slot_records = LODA_SLOT_BYTES / (8 * shape.fields_count);
    shape.ring_slots = (shape.window + shape.slot_records - 1) / shape.slot_records;
    shape.histogram_bytes = LODA_HISTOGRAM_HEAD + 4 * (shape.bins + 2);
    shape.slot_histograms = LODA_SLOT_BYTES / shape.histogram_bytes;
    shape.histogram_slots = (shape.cuts_count + shape.slot_histograms - 1) / shape.slot_histograms;
    return shape;
}

static void loda_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct loda_shape shape = shape_of(options);
    size->slot_bytes = LODA_SLOT_BYTES;
    size->slots_max = shape.ring_slots + 1 + shape.histogram_slots;
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct loda_object *entry = object;
    output[0] = entry->bins;
    mr_put_u16le(output + 1, entry->cuts_count);
    mr_put_u16le(output + 3, entry->window);
    mr_put_u16le(output + 5, entry->fields_count);
    mr_put_u64le(output + 7, entry->seed);
    mr_put_u64le(output + 15, entry->count);
    return LODA_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct loda_object *entry = object;
    if (version != LODA_VERSION || stored.size != LODA_BYTES)
        return false;
    entry->bins = stored.data[0];
    entry->cuts_count = mr_get_u16le(stored.data + 1);
    entry->window = mr_get_u16le(stored.data + 3);
    entry->fields_count = mr_get_u16le(stored.data + 5);
    entry->seed = mr_get_u64le(stored.data + 7);
    entry->count = mr_get_u64le(stored.data + 15);
    return true;
}

static void loda_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct loda *loda = self;
    struct loda_object *entry = object;
    MR_UNUSED(row);
    entry->seed = loda->seed;
    entry->cuts_count = (uint16_t)loda->shape.cuts_count;
    entry->window = (uint16_t)loda->shape.window;
    entry->fields_count = (uint16_t)loda->shape.fields_count;
    entry->bins = (uint8_t)loda->shape.bins;
}

static bool loda_fits(const void *self, const void *object)
{
    const struct loda *loda = self;
    const struct loda_object *entry = object;
    return entry->seed == loda->seed && entry->cuts_count == loda->shape.cuts_count &&
           entry->window == loda->shape.window && entry->fields_count == loda->shape.fields_count &&
           entry->bins == loda->shape.bins;
}

static bool loda_ready(const void *self, const void *object)
{
    const struct loda *loda = self;
    const struct loda_object *entry = object;
    return entry->count >= loda->warmup;
}

/* ---- Judging ---- */

static enum mr_status read_scales(struct loda *loda, struct mr_model_row *row,
                                  struct mr_error *error)
{
    void *slot;
    enum mr_status status =
        mr_table_slot(row->table, row->entry, loda->shape.ring_slots, false, &slot, error);
    if (status != MR_OK)
        return status;
    const uint8_t *bytes = slot;
    for (uint32_t field = 0; field < loda->shape.fields_count; field++, bytes += 16)
        loda->scales[field] = (struct mr_loda_scale){.low = mr_get_double_le(bytes),
                                                     .inverse = mr_get_double_le(bytes + 8)};
    return MR_OK;
}

static double cut_cost(const struct loda *loda, uint32_t cut, const uint8_t *histogram)
{
    struct mr_loda_scale scale = {.low = mr_get_double_le(histogram),
                                  .inverse = mr_get_double_le(histogram + 8)};
    double beyond;
    uint32_t bin = mr_loda_bin(scale, loda->shape.bins,
                               mr_loda_project(&loda->cuts, cut, loda->point), &beyond);
    uint32_t bits = mr_get_u32le(histogram + LODA_HISTOGRAM_HEAD + 4 * (size_t)bin);
    float cost;
    memcpy(&cost, &bits, sizeof(cost));
    return beyond > 0 ? (double)cost + mr_loda_tail_cost(beyond) : (double)cost;
}

/* What the cuts with a field cost more than those without it, scaled to add up to the score. */
static void fill_contributions(const struct loda *loda, double total, struct mr_model_row *row)
{
    double sum = 0;
    for (uint32_t field = 0; field < row->fields_count; field++) {
        uint32_t with = loda->uses[field];
        uint32_t without = loda->shape.cuts_count - with;
        double more = with > 0 ? loda->field_cost[field] / with : 0;
        if (without > 0)
            more -= (total - loda->field_cost[field]) / without;
        row->contributions[field] = more > 0 ? more : 0;
        sum += row->contributions[field];
    }
    for (uint32_t field = 0; sum > 0 && field < row->fields_count; field++)
        row->contributions[field] *= row->score / sum;
}

static enum mr_status loda_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct loda *loda = self;
    const struct loda_shape *shape = &loda->shape;
    const struct loda_object *entry = row->object;
    row->score = 0;
    row->p_value = NAN;
    row->own[LODA_COUNT] = (double)entry->count;
    memset(row->contributions, 0, sizeof(double) * row->fields_count);
    if (entry->count < LODA_FIRST)
        return MR_OK;
    enum mr_status status = read_scales(loda, row, error);
    if (status != MR_OK)
        return status;
    mr_loda_map(loda->scales, row->values, row->fields_count, loda->point);
    memset(loda->field_cost, 0, sizeof(double) * row->fields_count);
    const uint8_t *fields = loda->cuts.fields;
    double total = 0;
    for (uint32_t cut = 0, slot_index = shape->ring_slots + 1; cut < shape->cuts_count;
         slot_index++) {
        void *slot;
        status = mr_table_slot(row->table, row->entry, slot_index, false, &slot, error);
        if (status != MR_OK)
            return status;
        const uint8_t *histogram = slot;
        for (uint32_t last = cut + shape->slot_histograms; cut < last && cut < shape->cuts_count;
             cut++, histogram += shape->histogram_bytes) {
            double cost = cut_cost(loda, cut, histogram);
            total += cost;
            for (uint32_t used = 0; used < loda->cuts.used_count; used++)
                loda->field_cost[*fields++] += cost;
        }
    }
    row->score = total / shape->cuts_count;
    fill_contributions(loda, total, row);
    return MR_OK;
}

/* ---- Learning ---- */

static enum mr_status put_record(struct loda *loda, struct mr_model_row *row,
                                 struct mr_error *error)
{
    const struct loda_object *entry = row->object;
    uint32_t place = (uint32_t)(entry->count % loda->shape.window);
    void *slot;
    enum mr_status status =
        mr_table_slot(row->table, row->entry, place / loda->shape.slot_records, true, &slot, error);
    if (status != MR_OK)
        return status;
    uint8_t *bytes =
        (uint8_t *)slot + 8 * (size_t)(place % loda->shape.slot_records) * row->fields_count;
    for (uint32_t field = 0; field < row->fields_count; field++, bytes += 8)
        mr_put_double_le(bytes, row->values[field]);
    return MR_OK;
}

static enum mr_status read_ring(struct loda *loda, struct mr_model_row *row, uint32_t count,
                                struct mr_error *error)
{
    const struct loda_shape *shape = &loda->shape;
    double *number = loda->records;
    for (uint32_t first = 0; first < count; first += shape->slot_records) {
        void *slot;
        enum mr_status status =
            mr_table_slot(row->table, row->entry, first / shape->slot_records, false, &slot, error);
        if (status != MR_OK)
            return status;
        uint32_t records =
            count - first < shape->slot_records ? count - first : shape->slot_records;
        const uint8_t *bytes = slot;
        for (uint32_t index = 0; index < records * shape->fields_count; index++, bytes += 8)
            *number++ = mr_get_double_le(bytes);
    }
    return MR_OK;
}

/* Scales of the ring's records, written, and the records mapped by them. */
static enum mr_status make_scales(struct loda *loda, struct mr_model_row *row, uint32_t count,
                                  struct mr_error *error)
{
    uint32_t fields_count = loda->shape.fields_count;
    void *slot;
    enum mr_status status =
        mr_table_slot(row->table, row->entry, loda->shape.ring_slots, true, &slot, error);
    if (status != MR_OK)
        return status;
    uint8_t *bytes = slot;
    for (uint32_t field = 0; field < fields_count; field++, bytes += 16) {
        for (uint32_t record = 0; record < count; record++)
            loda->column[record] = loda->records[(size_t)record * fields_count + field];
        loda->scales[field] = mr_loda_scale_of(loda->column, count);
        mr_put_double_le(bytes, loda->scales[field].low);
        mr_put_double_le(bytes + 8, loda->scales[field].inverse);
    }
    for (uint32_t record = 0; record < count; record++) {
        double *values = loda->records + (size_t)record * fields_count;
        mr_loda_map(loda->scales, values, fields_count, values);
    }
    return MR_OK;
}

static void put_histogram(const struct mr_loda_histogram *histogram, uint32_t bins, uint8_t *bytes)
{
    mr_put_double_le(bytes, histogram->scale.low);
    mr_put_double_le(bytes + 8, histogram->scale.inverse);
    bytes += LODA_HISTOGRAM_HEAD;
    for (uint32_t bin = 0; bin < bins + 2; bin++, bytes += 4) {
        uint32_t bits;
        memcpy(&bits, &histogram->costs[bin], sizeof(bits));
        mr_put_u32le(bytes, bits);
    }
}

static enum mr_status make_histograms(struct loda *loda, struct mr_model_row *row, uint32_t count,
                                      struct mr_error *error)
{
    const struct loda_shape *shape = &loda->shape;
    for (uint32_t cut = 0; cut < shape->cuts_count; cut++) {
        void *slot;
        enum mr_status status =
            mr_table_slot(row->table, row->entry,
                          shape->ring_slots + 1 + cut / shape->slot_histograms, true, &slot, error);
        if (status != MR_OK)
            return status;
        for (uint32_t record = 0; record < count; record++)
            loda->column[record] = mr_loda_project(
                &loda->cuts, cut, loda->records + (size_t)record * shape->fields_count);
        struct mr_loda_histogram histogram;
        mr_loda_learn(loda->column, count, shape->bins, &histogram);
        put_histogram(&histogram, shape->bins,
                      (uint8_t *)slot +
                          (size_t)(cut % shape->slot_histograms) * shape->histogram_bytes);
    }
    return MR_OK;
}

/* Whether histograms are made of a ring that has learned so many records. */
static bool is_due(uint64_t count, uint32_t window)
{
    if (count % window == 0)
        return true;
    return count >= LODA_FIRST && count < window && (count & (count - 1)) == 0;
}

static enum mr_status loda_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct loda *loda = self;
    struct loda_object *entry = row->object;
    enum mr_status status = put_record(loda, row, error);
    if (status != MR_OK)
        return status;
    entry->count++;
    if (!is_due(entry->count, loda->shape.window))
        return MR_OK;
    uint32_t count =
        entry->count < loda->shape.window ? (uint32_t)entry->count : loda->shape.window;
    status = read_ring(loda, row, count, error);
    if (status == MR_OK)
        status = make_scales(loda, row, count, error);
    return status == MR_OK ? make_histograms(loda, row, count, error) : status;
}

static void loda_describe(const void *self, const struct mr_model_row *row,
                          struct mr_detector_finding *finding)
{
    const struct loda *loda = self;
    uint32_t most = 0;
    for (uint32_t field = 1; field < row->fields_count; field++)
        if (row->contributions[field] > row->contributions[most])
            most = field;
    mr_detector_reason(finding,
                       "in %u random projections the record is e^%.4g times less "
                       "likely than the "
                       "likeliest of the last window, on average; most by %s = "
                       "%.6g; the threshold "
                       "is %.6g",
                       loda->shape.cuts_count, row->score, loda->detector.field_texts[most],
                       row->values[most], finding->threshold);
}

static const struct mr_model_type loda_model = {
    .table = loda_table,
    .version = LODA_VERSION,
    .object_size = sizeof(struct loda_object),
    .encoded_size_max = LODA_BYTES,
    .size = loda_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = loda_begin,
    .fits = loda_fits,
    .ready = loda_ready,
    .score = loda_score,
    .learn = loda_learn,
};

MR_DETECTOR_CODEC(loda, loda_model)

static const struct mr_detector_type loda_detector = {
    .model = &loda_model,
    .encode = loda_encode,
    .decode = loda_decode,
    .describe = loda_describe,
};

static enum mr_status loda_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    struct loda *loda = self;
    const struct mr_options *options = &open->node->options;
    loda->shape = shape_of(options);
    loda->seed = (uint64_t)mr_options_integer(options, "seed");
    loda->warmup = (uint64_t)mr_options_integer(options, "warmup");
    uint32_t fields_count = loda->shape.fields_count;
    uint32_t used = mr_loda_used(fields_count);
    size_t weights_count = (size_t)loda->shape.cuts_count * used;
    loda->cuts = (struct mr_loda_cuts){.cuts_count = loda->shape.cuts_count,
                                       .fields_count = fields_count,
                                       .used_count = used,
                                       .fields = mr_memory_new(weights_count, 1),
                                       .weights = mr_memory_new(weights_count, sizeof(double))};
    loda->records = mr_memory_new((size_t)loda->shape.window * fields_count, sizeof(double));
    loda->column = mr_memory_new(loda->shape.window, sizeof(double));
    loda->point = mr_memory_new(fields_count, sizeof(double));
    loda->scales = mr_memory_new(fields_count, sizeof(struct mr_loda_scale));
    loda->uses = mr_memory_new(fields_count, sizeof(uint32_t));
    loda->field_cost = mr_memory_new(fields_count, sizeof(double));
    mr_loda_draw(&loda->cuts, loda->seed);
    for (size_t index = 0; index < weights_count; index++)
        loda->uses[loda->cuts.fields[index]]++;
    return mr_detector_open(&loda->detector, open, &loda_detector, error);
}

static void loda_close(void *self)
{
    struct loda *loda = self;
    mr_detector_close(self);
    mr_memory_free(loda->cuts.fields);
    mr_memory_free(loda->cuts.weights);
    mr_memory_free(loda->records);
    mr_memory_free(loda->column);
    mr_memory_free(loda->point);
    mr_memory_free(loda->scales);
    mr_memory_free(loda->uses);
    mr_memory_free(loda->field_cost);
    *loda = (struct loda){0};
}

static enum mr_status loda_describe_state(const struct mr_state_object *object,
                                          struct mr_arena *arena,
                                          struct mr_state_description *description,
                                          struct mr_error *error)
{
    MR_UNUSED(arena);
    struct loda_object entry = {0};
    if (!mr_stage_describe(&loda_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "window", mr_value_uint(entry.window));
    mr_describe_member(description, "cuts", mr_value_uint(entry.cuts_count));
    return MR_OK;
}

/* Beside its slot of the ring each record bears its share of the histograms. While the first window
 * fills they are written when it has doubled: at the worst once per LODA_FIRST records. */
static void loda_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&loda_model, options, estimate);
    uint64_t slots = 1 + shape_of(options).histogram_slots;
    estimate->changelog_bytes_per_record +=
        slots * (LODA_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES) / LODA_FIRST;
}

static const struct mr_option_spec loda_options[] = {
    MR_DETECTOR_OPTION_FIELDS(1),
    MR_DETECTOR_OPTION_THRESHOLD("4.0", "A record is an anomaly when its score is "
                                        "above this: it is e^score times less "
                                        "likely than the likeliest ones."),
    MR_DETECTOR_OPTION_WARMUP("32", 32, 1e9),
    MR_DETECTOR_OPTIONS,
    {.name = "cuts",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "100",
     .minimum = 1,
     .maximum = MR_LODA_CUTS_MAX,
     .help = "Random projections, 1 to 256. More make the score steadier; time "
             "grows alike."},
    {.name = "bins",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "10",
     .minimum = 2,
     .maximum = MR_LODA_BINS_MAX,
     .help = "Bins of each histogram, 2 to 64."},
    {.name = "window_size",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "512",
     .minimum = 32,
     .maximum = LODA_WINDOW_MAX,
     .help = "Records of a key that the histograms are made of, 32 to 8,192; "
             "made anew each time "
             "so many more were learned."},
    {.name = "seed",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e15,
     .help = "What the projections are drawn from."},
    {.name = NULL},
};

static const struct mr_output_field loda_fields[] = {
    MR_DETECTOR_MEMBERS("Mean over the projections of ln(highest density / density)."),
    {"count", MR_TYPE_INT, "Records that were learned."},
    MR_DETECTOR_MEMBER_CONTRIBUTIONS,
};

const struct mr_operator_type mr_operator_detect_loda = {
    .spec =
        {
            .name = "detect.loda",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds records of several numbers that are unlikely in histograms of random "
                       "projections of their key's last window.",
            .description =
                "Each of 100 random projections onto a few of the fields gets a histogram of the "
                "key's last window. The score is how much less likely the record is than the "
                "likeliest ones, as a logarithm, on average over the projections, taken before the "
                "record is learned. Fields are brought to one scale by the middle 98 % of the "
                "window, so that units do not matter and outliers do not widen the bins; beyond "
                "the bins the score goes on growing. Contributions compare the projections with a "
                "field with those without it, as the paper does.\n\n"
                "Cheap for its accuracy, follows drift by windows, tells which field it was. Not "
                "for anomalies that only a combination of many fields shows: the projections are "
                "sparse; use detect.random_cut_forest. For one field detect.zscore is cheaper.\n\n"
                "The first 32 records of a key are only learned. Numbers beyond +-1e140 are scored "
                "but not learned. State of a key: 8 bytes per field and record of the window, and "
                "64 bytes per projection: 48 kB for 10 fields by default. Changelog per record: a "
                "slot of 1 kB, and the histograms once per window. Paper: Pevny, Loda: Lightweight "
                "on-line detector of anomalies (2016).",
            .options = loda_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = loda_fields,
            .added_fields_count = MR_ARRAY_COUNT(loda_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(LODA_VERSION),
            .estimate = loda_estimate,
            .check = mr_detector_check,
        },
    .instance_size = sizeof(struct loda),
    .open = loda_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = loda_close,
    .state_table = loda_table,
    .describe_state = loda_describe_state,
};
