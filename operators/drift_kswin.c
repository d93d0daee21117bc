/* operators/drift_kswin.c — drift.kswin: the last `recent` records have another distribution than
 * the records before them in a sliding window, by the test of Kolmogorov and Smirnov.
 * Source: Raab, Heusinger, Schleif, Reactive soft prototype computing for concept drift streams
 * (Neurocomputing 416, 2020). With river 0.26's draws it equals river index for index; its own are
 * made by a counter, so that a replay makes them again.
 * Design: from the window - recent older records as many as the recent ones are drawn at each
 * record; D is the largest distance of the two empirical distributions, h = D recent a whole
 * number, and its exact probability under one continuous distribution
 *   P(D >= h / n) = 2 sum over i >= 1 of (-1)^(i-1) C(2n, n - i h) / C(2n, n)
 * (Gnedenko and Korolyuk, 1951), a table by h. Drift is P <= alpha and D > 0.1, so h >= a whole
 * number found at open; the score is D over half a place less than that. The window is read from
 * its slots at each record, so that what is cached is what is stored.
 *
 * Stored object, version 1 (little-endian):
 *   0  uint32 window_size   4  uint32 records in the window   8  uint32 next position in the ring
 *  12  uint64 tests since the last drift   20  uint64 detections
 * Slots: operators/value_ring.h. */
#include "operators/drift.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/registry.h"
#include "operators/sorted_window.h"
#include "operators/value_ring.h"

enum { KSWIN_VERSION = 1, KSWIN_BYTES = 28 };

/* Below this distance nothing is drift, however large the samples. */
static const double distance_min = 0.1;

static const char kswin_table[] = "window";

struct kswin_object {
    uint32_t window;
    uint32_t count;
    uint32_t position;
    uint64_t tests;
    uint64_t detections;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct kswin_object *entry = object;
    mr_put_u32le(output, entry->window);
    mr_put_u32le(output + 4, entry->count);
    mr_put_u32le(output + 8, entry->position);
    mr_put_u64le(output + 12, entry->tests);
    mr_put_u64le(output + 20, entry->detections);
    return KSWIN_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct kswin_object *entry = object;
    if (version != KSWIN_VERSION || stored.size != KSWIN_BYTES)
        return false;
    entry->window = mr_get_u32le(stored.data);
    entry->count = mr_get_u32le(stored.data + 4);
    entry->position = mr_get_u32le(stored.data + 8);
    entry->tests = mr_get_u64le(stored.data + 12);
    entry->detections = mr_get_u64le(stored.data + 20);
    return entry->count <= entry->window && entry->position < entry->window;
}

/* Nested from the last term on, each over the one before it: no term overflows or cancels. */
double mr_drift_ks_p_value(uint32_t size, uint32_t places)
{
    if (places == 0)
        return 1;
    double nested = 0;
    for (uint32_t term = size / places + 1; term-- > 0;) {
        double ratio = 1; /* C(2n, n - (term + 1) h) / C(2n, n - term h) */
        double from = (double)term * places;
        for (uint32_t step = 0; step < places; step++)
            ratio = (size - from - step) * ratio / (size + from + step + 1);
        nested = ratio * (1 - nested);
    }
    double p_value = 2 * nested;
    return p_value < 1 ? p_value : 1;
}

size_t mr_drift_kswin_memory(const struct mr_drift_kswin *kswin)
{
    return (kswin->recent + 1 + kswin->window + 2 * kswin->recent) * sizeof(double) +
           kswin->window * sizeof(uint32_t);
}

void mr_drift_kswin_prepare(struct mr_drift_kswin *kswin, void *memory)
{
    kswin->p_values = memory;
    kswin->numbers = kswin->p_values + kswin->recent + 1;
    kswin->places = (uint32_t *)(kswin->numbers + kswin->window + 2 * (size_t)kswin->recent);
    kswin->critical_places = kswin->recent + 1;
    for (uint32_t places = kswin->recent + 1; places-- > 0;) {
        kswin->p_values[places] = mr_drift_ks_p_value(kswin->recent, places);
        if (kswin->p_values[places] <= kswin->alpha &&
            (double)places / kswin->recent > distance_min)
            kswin->critical_places = places;
    }
    kswin->critical = (kswin->critical_places - 0.5) / kswin->recent;
}

static void kswin_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct mr_drift_kswin *kswin = self;
    struct kswin_object *entry = object;
    MR_UNUSED(row);
    entry->window = kswin->window;
}

static bool kswin_fits(const void *self, const void *object)
{
    const struct mr_drift_kswin *kswin = self;
    const struct kswin_object *entry = object;
    return entry->window == kswin->window;
}

static void kswin_size(const struct mr_options *options, struct mr_model_size *size)
{
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max = mr_value_ring_slots((uint32_t)mr_options_integer(options, "window_size"));
}

static bool kswin_ready(const void *self, const void *object)
{
    const struct mr_drift_kswin *kswin = self;
    const struct kswin_object *entry = object;
    return entry->count + 1 >= kswin->window;
}

/* The first `recent` places of a shuffle of the older ones: each choice is as likely. */
static void draw(const struct mr_drift_kswin *kswin, const struct kswin_object *entry,
                 uint64_t seed)
{
    uint32_t older = kswin->window - kswin->recent;
    struct mr_random random;
    if (kswin->sample != NULL) {
        kswin->sample(kswin->sample_argument, entry->tests, kswin->places);
        return;
    }
    mr_random_init(&random, seed + entry->detections, entry->tests);
    for (uint32_t index = 0; index < older; index++)
        kswin->places[index] = index;
    for (uint32_t index = 0; index < kswin->recent; index++) {
        uint32_t other = index + (uint32_t)mr_random_below(&random, older - index);
        uint32_t place = kswin->places[other];
        kswin->places[other] = kswin->places[index];
        kswin->places[index] = place;
    }
}

/* The largest distance of the empirical distributions of two sorted samples, in places of 1 / size.
 */
static uint32_t distance_places(const double *first, const double *second, uint32_t size)
{
    uint32_t in_first = 0;
    uint32_t in_second = 0;
    uint32_t largest = 0;
    while (in_first < size && in_second < size) {
        double number = first[in_first] < second[in_second] ? first[in_first] : second[in_second];
        while (in_first < size && first[in_first] == number)
            in_first++;
        while (in_second < size && second[in_second] == number)
            in_second++;
        uint32_t apart = in_first > in_second ? in_first - in_second : in_second - in_first;
        largest = apart > largest ? apart : largest;
    }
    return largest;
}

/* Test the full window; the distance in places. */
static enum mr_status test_window(const struct mr_drift_kswin *kswin, struct mr_model_row *row,
                                  uint32_t *distance, struct mr_error *error)
{
    struct kswin_object *entry = row->object;
    double *window = kswin->numbers;
    double *first = window + kswin->window;
    double *second = first + kswin->recent;
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, kswin->window, window, error);
    if (status != MR_OK)
        return status;
    draw(kswin, entry, row->seed);
    entry->tests++;
    for (uint32_t index = 0; index < kswin->recent; index++) {
        /* Places count from the oldest, which is where the next record will be put. */
        uint32_t drawn = entry->position + kswin->places[index];
        uint32_t recent = entry->position + kswin->window - kswin->recent + index;
        mr_sorted_window_insert(first, index, window[drawn % kswin->window]);
        mr_sorted_window_insert(second, index, window[recent % kswin->window]);
    }
    *distance = distance_places(first, second, kswin->recent);
    return MR_OK;
}

static enum mr_status kswin_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_drift_kswin *kswin = self;
    struct kswin_object *entry = row->object;
    double forgotten;
    enum mr_status status = mr_value_ring_exchange(row->table, row->entry, entry->position,
                                                   row->values[0], &forgotten, error);
    if (status != MR_OK)
        return status;
    entry->position = entry->position + 1 == kswin->window ? 0 : entry->position + 1;
    entry->count += entry->count < kswin->window;
    row->score = 0;
    row->p_value = NAN;
    row->own[MR_DRIFT_KSWIN_DISTANCE] = NAN;
    if (entry->count == kswin->window) {
        uint32_t places = 0;
        status = test_window(kswin, row, &places, error);
        if (status != MR_OK)
            return status;
        row->p_value = kswin->p_values[places];
        row->own[MR_DRIFT_KSWIN_DISTANCE] = (double)places / kswin->recent;
        row->score = mr_drift_score((double)places / kswin->recent, kswin->critical);
    }
    bool drift = row->score > 1;
    entry->detections += drift;
    row->own[MR_DRIFT_KSWIN_WIDTH] = entry->count;
    row->own[MR_DRIFT_KSWIN_DETECTIONS] = (double)entry->detections;
    if (drift)
        *entry = (struct kswin_object){.window = entry->window, .detections = entry->detections};
    return MR_OK;
}

const struct mr_model_type mr_drift_kswin_model = {
    .table = kswin_table,
    .version = KSWIN_VERSION,
    .object_size = sizeof(struct kswin_object),
    .encoded_size_max = KSWIN_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .size = kswin_size,
    .begin = kswin_begin,
    .fits = kswin_fits,
    .ready = kswin_ready,
    .learn = kswin_learn,
};

/* ---- The detector ---- */

static void kswin_describe(const void *self, const struct mr_model_row *row,
                           struct mr_detector_finding *finding)
{
    const struct mr_drift_kswin *kswin = self;
    mr_detector_reason(finding,
                       "the last %u records of %s are distributed otherwise than those before: the "
                       "distance is %.4g (probability %.3g); from %.4g on it is drift",
                       kswin->recent, kswin->detector.field_text, row->own[MR_DRIFT_KSWIN_DISTANCE],
                       row->p_value, (double)kswin->critical_places / kswin->recent);
}

MR_DETECTOR_CODEC(kswin, mr_drift_kswin_model)

static const struct mr_detector_type kswin_detector = {
    .model = &mr_drift_kswin_model,
    .encode = kswin_encode,
    .decode = kswin_decode,
    .describe = kswin_describe,
};

static enum mr_status kswin_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct mr_drift_kswin *kswin = self;
    const struct mr_options *options = &open->node->options;
    kswin->alpha = mr_options_number(options, "alpha");
    kswin->window = (uint32_t)mr_options_integer(options, "window_size");
    kswin->recent = (uint32_t)mr_options_integer(options, "stat_size");
    kswin->memory = mr_memory_new(1, mr_drift_kswin_memory(kswin));
    mr_drift_kswin_prepare(kswin, kswin->memory);
    return mr_drift_open(&kswin->detector, open, &kswin_detector, error);
}

static void kswin_close(void *self)
{
    struct mr_drift_kswin *kswin = self;
    mr_detector_close(self);
    mr_memory_free(kswin->memory);
}

static enum mr_status kswin_describe_state(const struct mr_state_object *object,
                                           struct mr_arena *arena,
                                           struct mr_state_description *description,
                                           struct mr_error *error)
{
    MR_UNUSED(arena);
    struct kswin_object entry = {0};
    if (!mr_stage_describe(&mr_drift_kswin_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "width", mr_value_uint(entry.count));
    mr_describe_member(description, "window_size", mr_value_uint(entry.window));
    mr_describe_member(description, "n_detections", mr_value_uint(entry.detections));
    return MR_OK;
}

static void kswin_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mr_drift_kswin_model, options, estimate);
}

static enum mr_status kswin_check(const struct mr_options *options, const char **option,
                                  struct mr_error *error)
{
    int64_t window = mr_options_integer(options, "window_size");
    int64_t recent = mr_options_integer(options, "stat_size");
    if (2 * recent <= window)
        return mr_detector_check(options, option, error);
    *option = "stat_size";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`stat_size` (%lld) must be at most half of `window_size` (%lld): as many "
                   "records are drawn from those before the recent ones",
                   (long long)recent, (long long)window);
}

static const struct mr_option_spec kswin_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    {.name = "alpha",
     .type = MR_OPTION_SHARE,
     .default_text = "0.005",
     .minimum = 1e-300,
     .maximum = 1,
     .help = "How likely one test without a change finds one, at most."},
    {.name = "window_size",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "100",
     .minimum = 4,
     .maximum = MR_DRIFT_KSWIN_WINDOW_MAX,
     .help = "The key's last records that are kept."},
    {.name = "stat_size",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 2,
     .maximum = MR_DRIFT_KSWIN_WINDOW_MAX / 2,
     .help = "The newest of them, which are compared with as many drawn from the others."},
    MR_DRIFT_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field kswin_fields[] = {
    MR_DRIFT_MEMBERS,
    {"distance", MR_TYPE_DOUBLE, "Largest distance of the two distributions, 0 to 1."},
    {"width", MR_TYPE_INT, "Records in the window."},
    {"n_detections", MR_TYPE_INT, "Drifts of the key so far."},
};

const struct mr_operator_type mr_operator_drift_kswin = {
    .spec =
        {
            .name = "drift.kswin",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds changes of the distribution by the test of Kolmogorov and Smirnov.",
            .description =
                "Keeps the last `window_size` records of each key, and compares the newest "
                "`stat_size` of them with as many that are drawn from the others: D is the "
                "largest distance of their distributions. It is drift when D is above 0.1 and "
                "two samples of one distribution would differ as much with probability `alpha` "
                "at most; the score is D over the least such D (less half of the step that D "
                "has). `p_value` is that probability, exactly.\n\n"
                "Finds any change of the distribution, of spread and shape too. It tests with "
                "each record, so that one of a few thousand records of a steady stream drifts "
                "with the default: lower `alpha`. Not for slow changes, which the window "
                "follows, and not where a record must be cheap.\n\n"
                "Judges each record with that record in it; the one after a drift begins a new "
                "window. The draws come from a counter, so that a replay makes them again. Fed "
                "with river's draws, drift, distance and probability equal those of river 0.26 "
                "(scipy's exact two-sample test) record by record; with its own they differ as "
                "two seeds of river do. No libm: the same bits on every machine. Numbers beyond "
                "+-1e140 are not learned. State: 37 bytes a key and 8 for each record of the "
                "window; changelog: 37 and 128 bytes per record beside the keys. Cost: reads "
                "and sorts, a few microseconds with the default. Paper: Raab, Heusinger, "
                "Schleif, Reactive Soft Prototype Computing for Concept Drift Streams "
                "(Neurocomputing 416, 2020).",
            .options = kswin_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "drift",
            .added_fields = kswin_fields,
            .added_fields_count = MR_ARRAY_COUNT(kswin_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(KSWIN_VERSION),
            .estimate = kswin_estimate,
            .check = kswin_check,
        },
    .instance_size = sizeof(struct mr_drift_kswin),
    .open = kswin_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = kswin_close,
    .state_table = kswin_table,
    .describe_state = kswin_describe_state,
};
