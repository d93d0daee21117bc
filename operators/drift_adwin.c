/* operators/drift_adwin.c — drift.adwin: a window of the last records that grows as long as the
 * mean of its older part equals that of its newer part, whatever the cut between them.
 * Sources: Bifet and Gavalda, Learning from time-changing data with adaptive windowing (SDM 2007);
 * the variance of merged buckets: Babcock, Datar, Motwani, O'Callaghan, Maintaining variance and
 * k-medians over data stream windows (PODS 2003). Equals river 0.26 index for index.
 * Design: the window is an exponential histogram: buckets of 1, 2, 4, ... records, `max_buckets` of
 * a size at most, each with the sum and the squared deviations of its records. One record more than
 * that merges the two oldest of a size into one of the next, so that a window of n records is some
 * max_buckets log2(n / max_buckets) buckets and a record changes one row of them besides the first
 * in the mean. Row r holds the buckets of 2^r records: row 0, whose squared deviations are 0, is in
 * the object, each other row is a slot. A window has max_buckets 2^32 records at most: beyond that
 * the oldest bucket is forgotten.
 *
 *   every `clock`-th record, for each cut into n0 older and n1 newer records with means u0, u1:
 *   d = ln(2 ln(n) / delta),  m = 1 / (n0 - part_min + 1) + 1 / (n1 - part_min + 1)
 *   ratio = |u0 - u1| / (sqrt(2 m variance d) + 2/3 d m)
 *   a ratio above 1 is a change: the oldest bucket is dropped, and what is left is looked at again
 *   score = the largest ratio of the last look
 *
 * Stored object, version 1 (little-endian):
 *   0  uint64 n         8  uint64 detections  16  double sum       24  double squared deviations
 *  32  double score    40  uint32 records since the last look      44  uint8 max_buckets
 *  45  uint8 rows      46  uint8 buckets of each row, then a double for each bucket of row 0,
 *                          oldest first
 * Stored slot r - 1: buckets of row r, oldest first: double sum, double squared deviations; those
 * behind the row's count are meaningless. */
#include "operators/drift.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "operators/natural_log.h"
#include "operators/registry.h"

enum {
    ADWIN_VERSION = 1,
    ADWIN_HEAD_BYTES = 46,
    ADWIN_BYTES_MAX =
        ADWIN_HEAD_BYTES + MR_DRIFT_ADWIN_ROWS_MAX + 8 * (MR_DRIFT_ADWIN_BUCKETS_MAX + 1)
};

static const char adwin_table[] = "window";

struct adwin_object {
    uint64_t width;
    uint64_t detections;
    double total;
    double squares; /* squared deviations of the window */
    double score;   /* of the last look */
    uint32_t ticks; /* records since the last look */
    uint32_t buckets_max;
    uint32_t rows_count;
    uint8_t counts[MR_DRIFT_ADWIN_ROWS_MAX];
    double newest[MR_DRIFT_ADWIN_BUCKETS_MAX + 1]; /* row 0 */
};

/* What one record works on. */
struct adwin_window {
    const struct mr_drift_adwin *adwin;
    struct mr_model_row *row;
    struct adwin_object *entry;
    uint8_t *slots[MR_DRIFT_ADWIN_ROWS_MAX]; /* of rows from 1 on that were fetched; or NULL */
};

struct bucket {
    double total;
    double squares;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct adwin_object *entry = object;
    mr_put_u64le(output, entry->width);
    mr_put_u64le(output + 8, entry->detections);
    mr_put_double_le(output + 16, entry->total);
    mr_put_double_le(output + 24, entry->squares);
    mr_put_double_le(output + 32, entry->score);
    mr_put_u32le(output + 40, entry->ticks);
    output[44] = (uint8_t)entry->buckets_max;
    output[45] = (uint8_t)entry->rows_count;
    memcpy(output + ADWIN_HEAD_BYTES, entry->counts, entry->rows_count);
    size_t size = ADWIN_HEAD_BYTES + entry->rows_count;
    for (uint32_t index = 0; index < entry->counts[0]; index++, size += 8)
        mr_put_double_le(output + size, entry->newest[index]);
    return size;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct adwin_object *entry = object;
    if (version != ADWIN_VERSION || stored.size < ADWIN_HEAD_BYTES)
        return false;
    entry->width = mr_get_u64le(stored.data);
    entry->detections = mr_get_u64le(stored.data + 8);
    entry->total = mr_get_double_le(stored.data + 16);
    entry->squares = mr_get_double_le(stored.data + 24);
    entry->score = mr_get_double_le(stored.data + 32);
    entry->ticks = mr_get_u32le(stored.data + 40);
    entry->buckets_max = stored.data[44];
    entry->rows_count = stored.data[45];
    if (entry->rows_count < 1 || entry->rows_count > MR_DRIFT_ADWIN_ROWS_MAX ||
        stored.size < ADWIN_HEAD_BYTES + entry->rows_count + 0u)
        return false;
    memcpy(entry->counts, stored.data + ADWIN_HEAD_BYTES, entry->rows_count);
    size_t size = ADWIN_HEAD_BYTES + entry->rows_count;
    if (entry->counts[0] > MR_DRIFT_ADWIN_BUCKETS_MAX ||
        stored.size != size + 8u * entry->counts[0])
        return false;
    for (uint32_t index = 0; index < entry->counts[0]; index++, size += 8)
        entry->newest[index] = mr_get_double_le(stored.data + size);
    return true;
}

/* The stream begins, for the first time or behind a drift. */
static void restart(struct adwin_object *entry)
{
    *entry = (struct adwin_object){
        .detections = entry->detections, .buckets_max = entry->buckets_max, .rows_count = 1};
}

static void adwin_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct mr_drift_adwin *adwin = self;
    struct adwin_object *entry = object;
    MR_UNUSED(row);
    entry->buckets_max = adwin->buckets_max;
    restart(entry);
}

static bool adwin_fits(const void *self, const void *object)
{
    const struct mr_drift_adwin *adwin = self;
    const struct adwin_object *entry = object;
    return entry->buckets_max == adwin->buckets_max;
}

static void adwin_size(const struct mr_options *options, struct mr_model_size *size)
{
    uint32_t buckets_max = (uint32_t)mr_options_integer(options, "max_buckets");
    size->encoded_bytes = ADWIN_HEAD_BYTES + MR_DRIFT_ADWIN_ROWS_MAX + 8 * (buckets_max + 1);
    size->slot_bytes = MR_DRIFT_ADWIN_BUCKET_BYTES * (buckets_max + 1);
    size->slots_max = MR_DRIFT_ADWIN_ROWS_MAX - 1;
}

static bool adwin_ready(const void *self, const void *object)
{
    const struct mr_drift_adwin *adwin = self;
    const struct adwin_object *entry = object;
    return entry->width >= adwin->grace;
}

static enum mr_status fetch(struct adwin_window *window, uint32_t row, bool write,
                            struct mr_error *error)
{
    void *slot;
    enum mr_status status =
        mr_table_slot(window->row->table, window->row->entry, row - 1, write, &slot, error);
    if (status == MR_OK)
        window->slots[row] = slot;
    return status;
}

/* Pre: the row's slot was fetched. */
static struct bucket bucket_at(const struct adwin_window *window, uint32_t row, uint32_t index)
{
    if (row == 0)
        return (struct bucket){window->entry->newest[index], 0};
    const uint8_t *bytes = window->slots[row] + (size_t)index * MR_DRIFT_ADWIN_BUCKET_BYTES;
    return (struct bucket){mr_get_double_le(bytes), mr_get_double_le(bytes + 8)};
}

/* Forget the oldest buckets of a row; its slot was fetched to write. */
static void row_shift(struct adwin_window *window, uint32_t row, uint32_t buckets)
{
    uint32_t left = window->entry->counts[row] - buckets;
    size_t size = row == 0 ? sizeof(double) : MR_DRIFT_ADWIN_BUCKET_BYTES;
    uint8_t *bytes = row == 0 ? (uint8_t *)window->entry->newest : window->slots[row];
    memmove(bytes, bytes + buckets * size, left * size);
    window->entry->counts[row] = (uint8_t)left;
}

/* Drop the oldest bucket of the window. */
static enum mr_status drop_oldest(struct adwin_window *window, struct mr_error *error)
{
    struct adwin_object *entry = window->entry;
    uint32_t row = entry->rows_count - 1;
    enum mr_status status = row == 0 ? MR_OK : fetch(window, row, true, error);
    if (status != MR_OK)
        return status;
    struct bucket oldest = bucket_at(window, row, 0);
    double size = (double)(UINT64_C(1) << row);
    double mean = oldest.total / size;
    entry->width -= UINT64_C(1) << row;
    entry->total -= oldest.total;
    double left = (double)entry->width;
    double left_mean = entry->total / left;
    entry->squares -=
        oldest.squares + size * left * (mean - left_mean) * (mean - left_mean) / (size + left);
    row_shift(window, row, 1);
    if (entry->counts[row] == 0 && row > 0)
        entry->rows_count--;
    return MR_OK;
}

/* Merge the two oldest buckets of a row that has one too many into one of the next row. */
static enum mr_status merge_oldest(struct adwin_window *window, uint32_t row,
                                   struct mr_error *error)
{
    struct adwin_object *entry = window->entry;
    enum mr_status status = fetch(window, row + 1, true, error);
    if (status != MR_OK)
        return status;
    struct bucket first = bucket_at(window, row, 0);
    struct bucket second = bucket_at(window, row, 1);
    double size = (double)(UINT64_C(1) << row);
    double apart = first.total / size - second.total / size;
    if (row + 1 == entry->rows_count)
        entry->rows_count++;
    uint8_t *bytes =
        window->slots[row + 1] + (size_t)entry->counts[row + 1] * MR_DRIFT_ADWIN_BUCKET_BYTES;
    mr_put_double_le(bytes, first.total + second.total);
    mr_put_double_le(bytes + 8, first.squares + second.squares + size * 0.5 * apart * apart);
    entry->counts[row + 1]++;
    row_shift(window, row, 2);
    return MR_OK;
}

static enum mr_status insert(struct adwin_window *window, double number, struct mr_error *error)
{
    struct adwin_object *entry = window->entry;
    double before = (double)entry->width;
    entry->newest[entry->counts[0]++] = number;
    entry->width++;
    if (before > 0) {
        double deviation = number - entry->total / before;
        entry->squares += before * deviation * deviation / (before + 1);
    }
    entry->total += number;
    uint32_t row = 0;
    for (; row + 1 < MR_DRIFT_ADWIN_ROWS_MAX && entry->counts[row] > window->adwin->buckets_max;
         row++) {
        enum mr_status status = merge_oldest(window, row, error);
        if (status != MR_OK)
            return status;
    }
    if (entry->counts[row] > window->adwin->buckets_max)
        return drop_oldest(window, error);
    return MR_OK;
}

/* The window cut in two. */
struct cut {
    double older; /* records */
    double newer;
    double older_total;
    double newer_total;
};

/* How far apart the means of the two parts are, over what chance explains; 0 where a part is too
 * short to be judged. */
static double cut_ratio(const struct adwin_window *window, const struct cut *cut,
                        double confidence_log)
{
    double part_min = window->adwin->part_min;
    if (cut->older < part_min || cut->newer < part_min)
        return 0;
    double apart = fabs(cut->older_total / cut->older - cut->newer_total / cut->newer);
    double variance = window->entry->squares / (double)window->entry->width;
    double shares = 1.0 / (cut->older - part_min + 1.0) + 1.0 / (cut->newer - part_min + 1.0);
    double bound =
        sqrt(2.0 * shares * variance * confidence_log) + 2.0 / 3.0 * confidence_log * shares;
    /* After a drop the variance may be below 0 by rounding: then there is no bound. */
    return bound >= 0 ? mr_drift_score(apart, bound) : 0;
}

/* Try the cuts from the oldest on until one is a change; the largest ratio. */
static double try_cuts(const struct adwin_window *window)
{
    const struct adwin_object *entry = window->entry;
    struct cut cut = {.newer = (double)entry->width, .newer_total = entry->total};
    if (entry->width < 2)
        return 0; /* nothing to cut */
    double confidence_log = mr_natural_log(2.0 * mr_natural_log(cut.newer) / window->adwin->delta);
    double largest = 0;
    for (uint32_t row = entry->rows_count; row-- > 0;) {
        double size = (double)(UINT64_C(1) << row);
        for (uint32_t index = 0; index < entry->counts[row]; index++) {
            double total = bucket_at(window, row, index).total;
            cut.older += size;
            cut.newer -= size;
            cut.older_total += total;
            cut.newer_total -= total;
            if (row == 0 && index + 1u == entry->counts[0])
                return largest;
            double ratio = cut_ratio(window, &cut, confidence_log);
            largest = ratio > largest ? ratio : largest;
            if (ratio > 1)
                return largest;
        }
    }
    return largest;
}

/* Look at all cuts, drop the oldest bucket as long as one is a change; the score is the largest
 * ratio. */
static enum mr_status look(struct adwin_window *window, struct mr_error *error)
{
    struct adwin_object *entry = window->entry;
    for (uint32_t row = 1; row < entry->rows_count; row++) {
        enum mr_status status = fetch(window, row, false, error);
        if (status != MR_OK)
            return status;
    }
    entry->score = 0;
    for (;;) {
        double ratio = try_cuts(window);
        entry->score = ratio > entry->score ? ratio : entry->score;
        if (!(ratio > 1))
            return MR_OK;
        enum mr_status status = drop_oldest(window, error);
        if (status != MR_OK)
            return status;
    }
}

static enum mr_status adwin_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct adwin_object *entry = row->object;
    struct adwin_window window = {.adwin = self, .row = row, .entry = entry};
    enum mr_status status = insert(&window, row->values[0], error);
    if (status == MR_OK && ++entry->ticks == window.adwin->clock) {
        entry->ticks = 0;
        if (entry->width > window.adwin->grace)
            status = look(&window, error);
    }
    if (status != MR_OK)
        return status;
    row->score = entry->score;
    bool drift = row->score > 1;
    entry->detections += drift;
    double variance = entry->squares / (double)entry->width;
    row->own[MR_DRIFT_ADWIN_WIDTH] = (double)entry->width;
    row->own[MR_DRIFT_ADWIN_ESTIMATION] = entry->total / (double)entry->width;
    row->own[MR_DRIFT_ADWIN_VARIANCE] = variance > 0 ? variance : 0;
    row->own[MR_DRIFT_ADWIN_DETECTIONS] = (double)entry->detections;
    if (drift)
        restart(entry);
    return MR_OK;
}

const struct mr_model_type mr_drift_adwin_model = {
    .table = adwin_table,
    .version = ADWIN_VERSION,
    .object_size = sizeof(struct adwin_object),
    .encoded_size_max = ADWIN_BYTES_MAX,
    .encode = object_encode,
    .decode = object_decode,
    .size = adwin_size,
    .begin = adwin_begin,
    .fits = adwin_fits,
    .ready = adwin_ready,
    .learn = adwin_learn,
};

/* ---- The detector ---- */

static void adwin_describe(const void *self, const struct mr_model_row *row,
                           struct mr_detector_finding *finding)
{
    const struct mr_drift_adwin *adwin = self;
    mr_detector_reason(finding,
                       "the mean of %s has changed: the older and the newer part of its window "
                       "differ by %.4g times what chance explains at delta %.6g; the last %.0f "
                       "records have mean %.6g",
                       adwin->detector.field_text, row->score, adwin->delta,
                       row->own[MR_DRIFT_ADWIN_WIDTH], row->own[MR_DRIFT_ADWIN_ESTIMATION]);
}

MR_DETECTOR_CODEC(adwin, mr_drift_adwin_model)

static const struct mr_detector_type adwin_detector = {
    .model = &mr_drift_adwin_model,
    .encode = adwin_encode,
    .decode = adwin_decode,
    .describe = adwin_describe,
};

static enum mr_status adwin_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct mr_drift_adwin *adwin = self;
    const struct mr_options *options = &open->node->options;
    adwin->delta = mr_options_number(options, "delta");
    adwin->clock = (uint32_t)mr_options_integer(options, "clock");
    adwin->buckets_max = (uint32_t)mr_options_integer(options, "max_buckets");
    adwin->part_min = (uint32_t)mr_options_integer(options, "min_window_length");
    adwin->grace = (uint32_t)mr_options_integer(options, "grace_period");
    return mr_drift_open(&adwin->detector, open, &adwin_detector, error);
}

static enum mr_status adwin_describe_state(const struct mr_state_object *object,
                                           struct mr_arena *arena,
                                           struct mr_state_description *description,
                                           struct mr_error *error)
{
    MR_UNUSED(arena);
    struct adwin_object entry = {0};
    if (!mr_stage_describe(&mr_drift_adwin_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "width", mr_value_uint(entry.width));
    if (entry.width > 0)
        mr_describe_member(description, "estimation",
                           mr_value_double(entry.total / (double)entry.width));
    mr_describe_member(description, "n_detections", mr_value_uint(entry.detections));
    return MR_OK;
}

static void adwin_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mr_drift_adwin_model, options, estimate);
}

static const struct mr_option_spec adwin_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    {.name = "delta",
     .type = MR_OPTION_SHARE,
     .default_text = "0.002",
     .minimum = 1e-300,
     .maximum = 1,
     .help = "How likely a look at a stream without change finds one, at most."},
    {.name = "clock",
     .type = MR_OPTION_INTEGER,
     .default_text = "32",
     .minimum = 1,
     .maximum = 1e6,
     .help = "The window is looked at with every so many records."},
    {.name = "max_buckets",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "5",
     .minimum = 2,
     .maximum = MR_DRIFT_ADWIN_BUCKETS_MAX,
     .help = "Buckets of one size that are kept: more cut the window more finely."},
    {.name = "min_window_length",
     .type = MR_OPTION_INTEGER,
     .default_text = "5",
     .minimum = 1,
     .maximum = 1e6,
     .help = "Records that each part of a cut has at least."},
    {.name = "grace_period",
     .type = MR_OPTION_INTEGER,
     .default_text = "10",
     .minimum = 1,
     .maximum = 1e6,
     .help = "The window is not looked at up to this many records."},
    MR_DRIFT_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field adwin_fields[] = {
    MR_DRIFT_MEMBERS,
    {"width", MR_TYPE_INT, "Records in the window; with a drift: those that are left."},
    {"estimation", MR_TYPE_DOUBLE, "Their mean."},
    {"variance", MR_TYPE_DOUBLE, "Their variance."},
    {"n_detections", MR_TYPE_INT, "Drifts of the key so far."},
};

const struct mr_operator_type mr_operator_drift_adwin = {
    .spec =
        {
            .name = "drift.adwin",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds changes of the mean by a window that adapts its own length.",
            .description =
                "Keeps a window of the last records of each key, which grows as long as no cut "
                "of it has an older part whose mean differs from that of the newer part by more "
                "than chance explains at confidence `delta`. The score is the largest "
                "difference over that bound at the last look; there is one with every "
                "`clock`-th record.\n\n"
                "Finds changes of the mean of any size and speed without a length or a scale to "
                "choose, and few where there are none. Not for changes of spread or shape "
                "alone: use drift.kswin; not for a trend that never ends: it drifts again and "
                "again.\n\n"
                "Judges each record with that record in it; the one after a drift begins a new "
                "stream. Index for index equal to river 0.26, whose names the options have; "
                "`n_detections` counts on where river begins anew. Logarithms are computed by "
                "our own function: the same bits on every machine. Numbers beyond +-1e140 are "
                "not learned: score 0, members null. The window is kept in about `max_buckets` "
                "log2(n) buckets of 16 bytes for n records, at most `max_buckets` 2^32 records. "
                "State: up to 135 bytes a key and 96 for each of up to 31 bucket sizes (with 5 "
                "buckets; 16 (max_buckets + 1) with others); changelog: the first and one of "
                "the second per record in the mean, beside the keys. Cost: a few additions per "
                "record, and a look through all buckets with every `clock`-th. Paper: Bifet and "
                "Gavalda, Learning from Time-Changing Data with Adaptive Windowing (SDM 2007).",
            .options = adwin_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "drift",
            .added_fields = adwin_fields,
            .added_fields_count = MR_ARRAY_COUNT(adwin_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(ADWIN_VERSION),
            .estimate = adwin_estimate,
            .check = mr_detector_check,
        },
    .instance_size = sizeof(struct mr_drift_adwin),
    .open = adwin_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = adwin_table,
    .describe_state = adwin_describe_state,
};
