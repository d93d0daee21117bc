/* operators/value_detector.c — see value_detector.h. */
#include "operators/value_detector.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "operators/estimate.h"
#include "operators/natural_log.h"

enum { TEXT_BYTES = 64, VALUES_VERSION = 1 };

static const double log10_e = 0.43429448190325182765;
static const double ln_unit_max = 322.36191301916634; /* of 1e140 */

static bool has_decay(const struct mr_options *options)
{
    return mr_option_specs_find(options->specs, "decay") >= 0 &&
           mr_options_present(options, "decay");
}

static uint32_t options_capacity(const struct mr_options *options)
{
    return (uint32_t)mr_options_integer(options, "max_values");
}

enum mr_status mr_value_detector_open(struct mr_value_detector *detector,
                                      const struct mr_operator_open *open,
                                      const struct mr_detector_type *type, struct mr_error *error)
{
    const struct mr_options *options = &open->node->options;
    detector->warmup = (uint64_t)mr_options_integer(options, "warmup");
    detector->capacity = options_capacity(options);
    detector->keep = has_decay(options) ? 1 - mr_options_number(options, "decay") : 1;
    if (mr_options_present(options, "forget_after"))
        detector->forget_after_ms = mr_options_integer(options, "forget_after");
    return mr_detector_open(&detector->detector, open, type, error);
}

/* ---- The model ---- */

void mr_value_detector_size(const struct mr_options *options, struct mr_model_size *size)
{
    uint32_t capacity = options_capacity(options);
    size->object_bytes = mr_known_values_bytes(capacity);
    size->slot_bytes = MR_KNOWN_VALUES_SLOT_BYTES;
    size->slots_max = mr_known_values_slots(capacity);
}

bool mr_value_detector_decode(void *object, uint32_t version, struct mr_slice stored)
{
    return version == VALUES_VERSION && mr_known_values_decode(object, stored);
}

void mr_value_detector_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct mr_value_detector *detector = self;
    MR_UNUSED(row);
    mr_known_values_begin(object, detector->capacity);
}

bool mr_value_detector_fits(const void *self, const void *object)
{
    const struct mr_value_detector *detector = self;
    const struct mr_known_values *values = object;
    return values->capacity == detector->capacity;
}

bool mr_value_detector_ready(const void *self, const void *object)
{
    const struct mr_value_detector *detector = self;
    const struct mr_known_values *values = object;
    return values->learned >= detector->warmup;
}

static struct mr_known_access access_to(const struct mr_value_detector *detector,
                                        const struct mr_model_row *row)
{
    return (struct mr_known_access){.table = row->table,
                                    .entry = row->entry,
                                    .values = row->object,
                                    .keep = detector->keep,
                                    .forget_after_ms = detector->forget_after_ms};
}

enum mr_status mr_value_detector_look(struct mr_value_detector *detector,
                                      const struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_known_access access = access_to(detector, row);
    return mr_known_values_look(&access, row->text, row->event_time_ms, &detector->look, error);
}

enum mr_status mr_value_detector_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct mr_value_detector *detector = self;
    const struct mr_known_access access = access_to(detector, row);
    return mr_known_values_learn(&access, &detector->look, error);
}

double mr_value_detector_surprise(double p_value)
{
    MR_ASSERT(p_value > 0 && p_value <= 1);
    return p_value < 1 ? -log10_e * mr_natural_log(p_value) : 0;
}

struct mr_slice mr_value_detector_text(const struct mr_model_row *row)
{
    struct mr_slice text = row->text;
    if (text.size > TEXT_BYTES)
        text.size = mr_utf8_cut(text, TEXT_BYTES);
    return text;
}

/* ---- The type ---- */

enum mr_status mr_value_detector_check(const struct mr_options *options, const char **option,
                                       struct mr_error *error)
{
    if (mr_options_integer(options, "on_missing") == MR_ON_MISSING_IMPUTE) {
        *option = "on_missing";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`on_missing: impute` is for numbers: the last value would be counted once "
                       "more; say skip or flag");
    }
    return mr_detector_check(options, option, error);
}

void mr_value_detector_estimate(const struct mr_model_type *model, const struct mr_options *options,
                                struct mr_state_estimate *estimate)
{
    mr_detector_estimate(model, options, estimate);
    const double slot_bytes =
        MR_KNOWN_VALUES_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    if (mr_options_present(options, "forget_after")) /* a place that is cleared */
        estimate->changelog_bytes_per_record += (uint64_t)slot_bytes;
    if (!has_decay(options))
        return;
    /* All slots, as often as weights are scaled down. */
    double records = ln_unit_max / -mr_natural_log(1 - mr_options_number(options, "decay"));
    estimate->changelog_bytes_per_record +=
        (uint64_t)(slot_bytes * mr_known_values_slots(options_capacity(options)) / records);
}

enum mr_status mr_value_detector_describe_state(const struct mr_model_type *model,
                                                const struct mr_state_object *object,
                                                struct mr_state_description *description,
                                                struct mr_error *error)
{
    struct mr_known_values values = {0};
    if (!mr_stage_describe(model, object, &values, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(values.learned));
    mr_describe_member(description, "values", mr_value_uint(values.places));
    mr_describe_member(description, "max_values", mr_value_uint(values.capacity));
    return MR_OK;
}
