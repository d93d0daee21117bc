/* operators/detect_spectral_residual.c — detect.spectral_residual: how salient a record is among
 * the last of its key, by the residual of their spectrum (operators/spectral_residual.h). Design:
 * stored are the numbers, in a ring; each record is judged as the newest of a whole window, which
 * is read and transformed anew. Nothing is derived that outlives a record.
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0   uint32  window_size   4  uint64 numbers learned, the n-th at place n mod (window_size - 6)
 * Stored slots: operators/value_ring.h. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/registry.h"
#include "operators/spectral_residual.h"
#include "operators/value_ring.h"

enum {
    SPECTRAL_VERSION = 1,
    SPECTRAL_BYTES = 12,
    SPECTRAL_WINDOW_MIN = 16,
    SPECTRAL_WINDOW_MAX = 4096
};
enum spectral_own { SPECTRAL_SALIENCY, SPECTRAL_LOCAL, SPECTRAL_COUNT };

static const char spectral_table[] = "window";

struct spectral_object {
    uint64_t count;
    uint32_t window;
    uint32_t reserved; /* not stored */
};

struct spectral {
    struct mr_detector detector;
    struct mr_spectral_residual residual;
    uint32_t capacity; /* earlier numbers of a window */
    void *memory;
    double *ring;    /* capacity */
    double *numbers; /* capacity + 1, oldest first */
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct spectral_object *entry = object;
    mr_put_u32le(output, entry->window);
    mr_put_u64le(output + 4, entry->count);
    return SPECTRAL_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct spectral_object *entry = object;
    if (version != SPECTRAL_VERSION || stored.size != SPECTRAL_BYTES)
        return false;
    entry->window = mr_get_u32le(stored.data);
    entry->count = mr_get_u64le(stored.data + 4);
    return true;
}

static uint32_t options_capacity(const struct mr_options *options)
{
    return (uint32_t)mr_options_integer(options, "window_size") - MR_SPECTRAL_AHEAD - 1;
}

static void spectral_size(const struct mr_options *options, struct mr_model_size *size)
{
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max = mr_value_ring_slots(options_capacity(options));
}

static void spectral_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct spectral *spectral = self;
    struct spectral_object *entry = object;
    MR_UNUSED(row);
    entry->window = spectral->residual.size;
}

static bool spectral_fits(const void *self, const void *object)
{
    const struct spectral *spectral = self;
    const struct spectral_object *entry = object;
    return entry->window == spectral->residual.size;
}

static bool spectral_ready(const void *self, const void *object)
{
    const struct spectral *spectral = self;
    const struct spectral_object *entry = object;
    return entry->count >= spectral->capacity;
}

static enum mr_status spectral_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct spectral *spectral = self;
    const struct spectral_object *entry = row->object;
    uint32_t capacity = spectral->capacity;
    row->score = 0;
    row->own[SPECTRAL_SALIENCY] = NAN;
    row->own[SPECTRAL_LOCAL] = NAN;
    row->own[SPECTRAL_COUNT] = (double)entry->count;
    if (!spectral_ready(spectral, entry))
        return MR_OK;
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, capacity, spectral->ring, error);
    if (status != MR_OK)
        return status;
    uint32_t oldest = (uint32_t)(entry->count % capacity);
    memcpy(spectral->numbers, spectral->ring + oldest, (capacity - oldest) * sizeof(double));
    memcpy(spectral->numbers + (capacity - oldest), spectral->ring, oldest * sizeof(double));
    spectral->numbers[capacity] = row->values[0];
    struct mr_spectral_saliency found =
        mr_spectral_residual_judge(&spectral->residual, spectral->numbers);
    row->score = found.score;
    row->own[SPECTRAL_SALIENCY] = found.newest;
    row->own[SPECTRAL_LOCAL] = found.local;
    return MR_OK;
}

static enum mr_status spectral_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct spectral *spectral = self;
    struct spectral_object *entry = row->object;
    double old;
    enum mr_status status = mr_value_ring_exchange(row->table, row->entry,
                                                   (uint32_t)(entry->count % spectral->capacity),
                                                   row->values[0], &old, error);
    if (status == MR_OK)
        entry->count++;
    return status;
}

static const struct mr_model_type spectral_model = {
    .table = spectral_table,
    .version = SPECTRAL_VERSION,
    .object_size = sizeof(struct spectral_object),
    .encoded_size_max = SPECTRAL_BYTES,
    .size = spectral_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = spectral_begin,
    .fits = spectral_fits,
    .ready = spectral_ready,
    .score = spectral_score,
    .learn = spectral_learn,
};

/* ---- The detector ---- */

static void spectral_describe(const void *self, const struct mr_model_row *row,
                              struct mr_detector_finding *finding)
{
    const struct spectral *spectral = self;
    mr_detector_reason(finding,
                       "%s is %.6g; its spectral saliency %.4g is %.4g times above the mean %.4g "
                       "of the %u records before it; the threshold is %.6g",
                       spectral->detector.field_text, row->values[0], row->own[SPECTRAL_SALIENCY],
                       row->score, row->own[SPECTRAL_LOCAL], spectral->residual.local,
                       finding->threshold);
}

MR_DETECTOR_CODEC(spectral, spectral_model)

static const struct mr_detector_type spectral_detector = {
    .model = &spectral_model,
    .encode = spectral_encode,
    .decode = spectral_decode,
    .describe = spectral_describe,
};

static enum mr_status spectral_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct spectral *spectral = self;
    const struct mr_options *options = &open->node->options;
    struct mr_spectral_residual *residual = &spectral->residual;
    residual->size = (uint32_t)mr_options_integer(options, "window_size");
    residual->smooth = (uint32_t)mr_options_integer(options, "amplitude_window");
    residual->local = (uint32_t)mr_options_integer(options, "score_window");
    spectral->capacity = options_capacity(options);
    spectral->memory = mr_memory_new(1, mr_spectral_residual_bytes(residual->size));
    spectral->ring = mr_memory_new(spectral->capacity, sizeof(double));
    spectral->numbers = mr_memory_new(spectral->capacity + 1, sizeof(double));
    mr_spectral_residual_prepare(residual, spectral->memory);
    return mr_detector_open(&spectral->detector, open, &spectral_detector, error);
}

static void spectral_close(void *self)
{
    struct spectral *spectral = self;
    mr_detector_close(self);
    mr_memory_free(spectral->memory);
    mr_memory_free(spectral->ring);
    mr_memory_free(spectral->numbers);
    spectral->memory = NULL;
    spectral->ring = NULL;
    spectral->numbers = NULL;
}

static enum mr_status spectral_describe_state(const struct mr_state_object *object,
                                              struct mr_arena *arena,
                                              struct mr_state_description *description,
                                              struct mr_error *error)
{
    MR_UNUSED(arena);
    struct spectral_object entry = {0};
    if (!mr_stage_describe(&spectral_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "window_size", mr_value_uint(entry.window));
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    return MR_OK;
}

static void spectral_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&spectral_model, options, estimate);
}

static enum mr_status spectral_check(const struct mr_options *options, const char **option,
                                     struct mr_error *error)
{
    int64_t window = mr_options_integer(options, "window_size");
    int64_t local = mr_options_integer(options, "score_window");
    if ((window & (window - 1)) != 0) {
        *option = "window_size";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`window_size` (%lld) must be a power of two, for instance 512: the window "
                       "is transformed as a whole",
                       (long long)window);
    }
    if (local < window - MR_SPECTRAL_AHEAD)
        return mr_detector_check(options, option, error);
    *option = "score_window";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`score_window` (%lld) must be below `window_size` (%lld) less %d: so many "
                   "records before the newest are in a window",
                   (long long)local, (long long)window, MR_SPECTRAL_AHEAD);
}

static const struct mr_option_spec spectral_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD("3.0", "A record is an anomaly when its saliency is more than so "
                                        "many times above that of the records before it."),
    MR_DETECTOR_OPTIONS,
    {.name = "window_size",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "512",
     .minimum = SPECTRAL_WINDOW_MIN,
     .maximum = SPECTRAL_WINDOW_MAX,
     .help = "Numbers that are transformed, a power of two: the record, those before it, and 5 "
             "estimated ones behind it. Until so many came a key is learning."},
    {.name = "amplitude_window",
     .type = MR_OPTION_INTEGER,
     .default_text = "3",
     .minimum = 1,
     .maximum = MR_SPECTRAL_SMOOTH_MAX,
     .help =
         "Over so many frequencies the logarithm of the amplitude is averaged (the paper's q)."},
    {.name = "score_window",
     .type = MR_OPTION_INTEGER,
     .default_text = "21",
     .minimum = 1,
     .maximum = SPECTRAL_WINDOW_MAX,
     .help = "Records before the newest whose saliency it is compared with (the paper's z)."},
    {.name = NULL},
};

static const struct mr_output_field spectral_fields[] = {
    MR_DETECTOR_MEMBERS("(saliency - local) / local, 0 below it."),
    {"saliency", MR_TYPE_DOUBLE,
     "The record's place in the saliency map; null while the window fills."},
    {"local", MR_TYPE_DOUBLE, "Mean saliency of the records before it."},
    {"count", MR_TYPE_INT, "Records that were learned."},
};

const struct mr_operator_type mr_operator_detect_spectral_residual = {
    .spec =
        {
            .name = "detect.spectral_residual",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds records that stand out from the course of their series, by the "
                       "residual of its spectrum.",
            .description =
                "Transforms the last window of each key, takes from the logarithm of each "
                "amplitude the mean of its neighbours, and transforms back: what the spectrum has "
                "beside its smooth course makes a map of what is salient. The record's saliency is "
                "compared with the mean of those before it. Behind the record stand five numbers "
                "estimated from the slopes before it, so that it is not at the edge.\n\n"
                "Finds spikes, dips and sudden changes in series with or without a season, without "
                "knowing its length, at any level and scale. It has no memory beyond its window: a "
                "shape that is odd but smooth does not stand out (use detect.matrix_profile). The "
                "threshold is "
                "the paper's; usual records of a noisy series pass it now and then, which "
                "`calibrate` mends. Not where a record must be cheap.\n\n"
                "Details are those of the authors' code; scores equal a port to numpy to 1e-9 of "
                "their size. Exactly periodic numbers without noise leave most of the spectrum to "
                "rounding errors: what is below 1e-13 of the greatest amplitude is left out. No "
                "libm: the same bits on every machine. Numbers beyond +-1e140 are judged but not "
                "learned. State: 21 bytes and 8 for each number of the window, 4 kB a key by "
                "default. Changelog: 21 and 128 bytes per record beside the keys. Cost: two "
                "transforms per record, O(n log n), some 40 microseconds by default. Paper: Ren et "
                "al., Time-Series Anomaly "
                "Detection Service at Microsoft (KDD 2019).",
            .options = spectral_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = spectral_fields,
            .added_fields_count = MR_ARRAY_COUNT(spectral_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(SPECTRAL_VERSION),
            .estimate = spectral_estimate,
            .check = spectral_check,
        },
    .instance_size = sizeof(struct spectral),
    .open = spectral_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = spectral_close,
    .state_table = spectral_table,
    .describe_state = spectral_describe_state,
};
