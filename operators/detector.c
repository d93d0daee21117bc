/* operators/detector.c — see detector.h.
 * Design: the driver's loop gets a row's object once, asks the model for the score, decides, and
 * lets the model learn: three indirect calls a row. Results go to the columns at once; sentences
 * and alerts are made for anomalies only. */
#include "operators/detector.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "operators/detector_control.h"
#include "operators/detector_order.h"
#include "operators/detector_rows.h"
#include "operators/estimate.h"

const char *const mr_detector_learns[] = {"always", "normal_only", "never", NULL};
const char *const mr_detector_on_missings[] = {"skip", "impute", "flag", NULL};
const char *const mr_detector_orders[] = {"arrival", "event_time", NULL};
const char *const mr_detector_states[] = {"learning", "armed", "starved", "muted"};

const struct mr_option_spec mr_detector_suppress_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .minimum = 1,
     .maximum = 1e9,
     .help = "Records of the key."},
    {.name = "time",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 366 * 86400e3,
     .help = "Event time. It is looked at when a record of the key comes."},
    {.name = NULL},
};

const struct mr_option_spec mr_detector_bands_fields[] = {
    {.name = "warning",
     .type = MR_OPTION_NUMBER,
     .minimum = 0,
     .maximum = 1e300,
     .help = "Anomalies that score lower are of severity info. Default: none are."},
    {.name = "critical",
     .type = MR_OPTION_NUMBER,
     .minimum = 0,
     .maximum = 1e300,
     .help = "Anomalies that score as high are critical. Default: twice the threshold."},
    {.name = NULL},
};

const struct mr_option_spec mr_detector_warm_fields[] = {
    {.name = "since",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 3660.0 * 86400e3,
     .help = "How far back the sources start, by the times that their topics have kept."},
    {.name = "emit",
     .type = MR_OPTION_BOOLEAN,
     .default_text = "false",
     .help = "Whether records from before the task first began are emitted like others; else they "
             "are only learned, and nothing tells of them."},
    {.name = NULL},
};

/* ---- Opening ---- */

static void bind_fields(struct mr_detector *detector, const struct mr_options *options)
{
    bool several = mr_option_specs_find(options->specs, "fields") >= 0;
    const struct mr_option_value *value = mr_options_get(options, several ? "fields" : "field");
    detector->fields_count = several ? value->count : 1;
    detector->field_texts = several ? value->texts : &value->text;
    detector->field_text = detector->field_texts[0];
    detector->field_slots = value->slots;
    MR_ASSERT(detector->fields_count >= 1 && detector->fields_count <= MR_MODEL_FIELDS_MAX);
}

static void bind_members(struct mr_detector *detector, const struct mr_type_spec *spec)
{
    uint32_t count = spec->added_fields_count;
    MR_ASSERT(count >= MR_DETECTOR_MEMBERS_COUNT);
    detector->contributes = strcmp(spec->added_fields[count - 1].name, "contributions") == 0;
    detector->own_count = count - MR_DETECTOR_MEMBERS_COUNT - (detector->contributes ? 1 : 0);
    MR_ASSERT(detector->own_count <= MR_MODEL_OWN_MAX);
    for (uint32_t own = 0; own < detector->own_count; own++)
        detector->own_types[own] = spec->added_fields[MR_DETECTOR_MEMBERS_COUNT + own].type;
}

static bool has_option(const struct mr_options *options, const char *name)
{
    return mr_option_specs_find(options->specs, name) >= 0;
}

static bool imputes(const struct mr_options *options)
{
    return has_option(options, "on_missing") &&
           mr_options_integer(options, "on_missing") == MR_ON_MISSING_IMPUTE;
}

static bool suppresses(const struct mr_options *options)
{
    return has_option(options, "suppress") && mr_options_present(options, "suppress");
}

static void bind_bands(struct mr_detector *detector, const struct mr_options *options)
{
    detector->warning_from = NAN;
    detector->critical_from = NAN;
    if (!has_option(options, "bands") || !mr_options_present(options, "bands"))
        return;
    const struct mr_options *bands = mr_options_get(options, "bands")->objects;
    if (mr_options_present(bands, "warning"))
        detector->warning_from = mr_options_number(bands, "warning");
    if (mr_options_present(bands, "critical"))
        detector->critical_from = mr_options_number(bands, "critical");
}

static void bind_options(struct mr_detector *detector, const struct mr_options *options)
{
    if (has_option(options, "threshold"))
        detector->threshold = mr_options_number(options, "threshold");
    detector->seed =
        has_option(options, "seed") ? (uint64_t)mr_options_integer(options, "seed") : 1;
    bind_bands(detector, options);
    if (has_option(options, "learn"))
        detector->learn = (enum mr_detector_learn)mr_options_integer(options, "learn");
    if (has_option(options, "on_missing"))
        detector->on_missing =
            (enum mr_detector_on_missing)mr_options_integer(options, "on_missing");
    if (suppresses(options)) {
        const struct mr_options *suppress = mr_options_get(options, "suppress")->objects;
        detector->suppress.count = mr_options_integer(suppress, "count");
        detector->suppress.time_ms = mr_options_integer(suppress, "time");
    }
}

/* Where the present begins. */
static int64_t live_from(const struct mr_options *options, int64_t began_ms)
{
    if (!has_option(options, "warm_from") || !mr_options_present(options, "warm_from"))
        return INT64_MIN;
    const struct mr_options *warm = mr_options_get(options, "warm_from")->objects;
    return mr_options_boolean(warm, "emit") ? INT64_MIN : began_ms;
}

static enum mr_stage_layout layout_of(const struct mr_options *options, bool is_controlled)
{
    return is_controlled || imputes(options) || suppresses(options) ? MR_STAGE_WHOLE
                                                                    : MR_STAGE_HEAD;
}

static enum mr_status open_table(struct mr_detector *detector, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_model_type *model = detector->type->model;
    struct mr_model_size size = mr_stage_model_size(model, &node->options);
    MR_ASSERT(node->type->state_version == MR_DETECTOR_STATE_VERSION(model->version));
    struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = model->table,
        .version = MR_DETECTOR_STATE_VERSION(model->version),
        .object_size = mr_stage_bytes(detector->layout) + size.object_bytes,
        .encode = detector->type->encode[detector->layout],
        .encoded_size_max = MR_STAGE_BYTES_MAX + size.encoded_bytes,
        .decode = detector->type->decode[detector->layout],
        .slot_bytes = size.slot_bytes,
        .slots_max = size.slots_max,
        .ttl_ms = node->state_ttl_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    return mr_table_open(open->state, &spec, &detector->table, error);
}

enum mr_status mr_detector_open(struct mr_detector *detector, const struct mr_operator_open *open,
                                const struct mr_detector_type *type, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_options *options = &node->options;
    detector->plan = open->plan;
    detector->node = node;
    detector->type = type;
    detector->partition = open->partition;
    detector->waits = mr_plan_orders(options);
    detector->record_layout = detector->waits ? node->waited_layout : node->inputs[0].layout;
    detector->alerts_are_read =
        mr_operator_output_is_read(open->plan, node, MR_DETECTOR_OUTPUT_ALERTS);
    bind_fields(detector, options);
    bind_members(detector, node->type);
    bind_options(detector, options);
    detector->live_ms = live_from(options, open->began_ms);
    if (type->model->table == NULL)
        return MR_OK;
    detector->layout = layout_of(options, node->control != NULL);
    enum mr_status status = open_table(detector, open, error);
    if (status == MR_OK)
        status = mr_calibration_open(&detector->calibration, open, error);
    return status == MR_OK ? mr_detector_order_open(detector, open, error) : status;
}

void mr_detector_close(void *self)
{
    struct mr_detector *detector = self;
    mr_event_order_close(&detector->order);
}

struct mr_operator_reach mr_detector_reach(const struct mr_plan_node *node)
{
    /* A record waits for the watermark to pass its own time, and leaves with that time. */
    return (struct mr_operator_reach){.open_ms = mr_plan_orders(&node->options) ? 1 : 0};
}

void mr_detector_estimate(const struct mr_model_type *model, const struct mr_options *options,
                          struct mr_state_estimate *estimate)
{
    struct mr_model_size size = mr_stage_model_size(model, options);
    size_t stage_bytes = MR_STAGE_BYTES_MIN;
    if (suppresses(options))
        stage_bytes += MR_STAGE_BYTES_EPISODE;
    if (imputes(options))
        stage_bytes += MR_STAGE_BYTES_LAST_VALUE;
    mr_estimate_slots(sizeof(struct mr_detector_stage) + size.object_bytes,
                      stage_bytes + size.encoded_bytes, size.slot_bytes,
                      size.slots_are_old ? 0 : size.slots_max, estimate);
    mr_calibration_estimate(options, estimate);
    if (mr_plan_orders(options))
        mr_detector_order_estimate(estimate);
}

static enum mr_status check_bands(const struct mr_options *options, const char **option,
                                  struct mr_error *error)
{
    const struct mr_options *bands = mr_options_get(options, "bands")->objects;
    if (!mr_options_present(bands, "warning") || !mr_options_present(bands, "critical") ||
        mr_options_number(bands, "warning") <= mr_options_number(bands, "critical"))
        return MR_OK;
    *option = "bands";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`bands` has warning from %g and critical from %g on: critical is the higher",
                   mr_options_number(bands, "warning"), mr_options_number(bands, "critical"));
}

static enum mr_status check_order(const struct mr_options *options, const char **option,
                                  struct mr_error *error)
{
    if (mr_plan_orders(options) || !mr_options_get(options, "max_waiting")->given)
        return MR_OK;
    *option = "max_waiting";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`max_waiting` bounds what waits with `order: event_time`: say that too, or "
                   "leave it out");
}

static enum mr_status check_fields(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    *option = "fields";
    for (uint32_t index = 1; index < fields->count; index++)
        for (uint32_t before = 0; before < index; before++)
            if (strcmp(fields->texts[index], fields->texts[before]) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "`fields` names %s twice: leave one out", fields->texts[index]);
    if (!imputes(options))
        return MR_OK;
    *option = "on_missing";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`on_missing: impute` is for detectors of one `field`: fill the gaps of several "
                   "by a `map` before, or say skip or flag");
}

enum mr_status mr_detector_check(const struct mr_options *options, const char **option,
                                 struct mr_error *error)
{
    if (suppresses(options)) {
        const struct mr_options *suppress = mr_options_get(options, "suppress")->objects;
        *option = "suppress";
        if (mr_options_present(suppress, "count") == mr_options_present(suppress, "time"))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "`suppress` takes one of `count` and `time`: how many records, or how "
                           "long, without an anomaly end an episode");
    }
    enum mr_status status = MR_OK;
    if (has_option(options, "bands") && mr_options_present(options, "bands"))
        status = check_bands(options, option, error);
    if (status == MR_OK && has_option(options, "calibrate"))
        status = mr_calibration_check(options, option, error);
    if (status == MR_OK && has_option(options, "order"))
        status = check_order(options, option, error);
    if (status == MR_OK && has_option(options, "fields"))
        status = check_fields(options, option, error);
    return status;
}

/* ---- Judging ---- */

struct judging {
    struct mr_detector *detector;
    const struct mr_model_type *model;
    struct mr_detector_rows *rows;
    struct mr_model_row row;
    struct mr_detector_stage *stage; /* NULL: stateless */
    double threshold;                /* of this row */
};

/* The options of the type that bind the state, for the sentence. */
static const char *bound_options(const struct mr_detector *detector, char *text, size_t text_size)
{
    size_t used = 0;
    text[0] = '\0';
    for (const struct mr_option_spec *spec = detector->node->options.specs; spec->name != NULL;
         spec++)
        if ((spec->flags & MR_OPTION_STATE_BOUND) != 0 && strcmp(spec->name, "calibrate") != 0 &&
            used < text_size) /* calibrate has a table of its own */
            used += (size_t)snprintf(text + used, text_size - used, "%s`%s`",
                                     used == 0 ? "" : " or ", spec->name);
    return text;
}

static enum mr_status refuse_object(const struct mr_detector *detector, struct mr_error *error)
{
    char options[256];
    return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                   "the stored state was made with another %s; reset the topology or restore the "
                   "old option",
                   bound_options(detector, options, sizeof(options)));
}

/* The key's object, made ready when it is new. */
static enum mr_status find_object(struct judging *judging, uint32_t index, uint32_t row_number,
                                  struct mr_error *error)
{
    struct mr_detector *detector = judging->detector;
    const struct mr_detector_rows *rows = judging->rows;
    struct mr_model_row *row = &judging->row;
    const struct mr_model_type *model = judging->model;
    bool created;
    mr_table_prefetch(detector->table, rows->hashes, rows->view.rows_count, index);
    enum mr_status status =
        mr_table_get(detector->table, rows->keys[row_number], rows->hashes[index],
                     row->event_time_ms, &row->entry, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_detector_stage *stage = row->entry;
    judging->stage = stage;
    row->object = mr_stage_model(stage, detector->layout);
    row->seen = stage->seen;
    row->seed = detector->seed ^ rows->hashes[index];
    if (created) {
        if (model->begin != NULL)
            model->begin(detector, row, row->object);
    } else if (stage->is_loaded) {
        if (model->fits != NULL && !model->fits(detector, row->object))
            return refuse_object(detector, error);
        stage->is_loaded = false;
        if (detector->node->control == NULL) /* nobody could unfreeze or unmute it */
            stage->flags &= (uint8_t) ~(MR_STAGE_FROZEN | MR_STAGE_MUTED);
    }
    return MR_OK;
}

static struct mr_value contributions_value(const struct judging *judging)
{
    const struct mr_detector *detector = judging->detector;
    uint32_t count = detector->fields_count;
    struct mr_map_entry *entries =
        mr_arena_take(judging->rows->view.batch->arena, count * sizeof(*entries));
    for (uint32_t field = 0; field < count; field++) {
        double share = judging->row.contributions[field];
        entries[field].key = mr_value_string(mr_slice_text(detector->field_texts[field]));
        entries[field].value = isfinite(share) ? mr_value_double(share) : mr_value_null();
    }
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

static const char *severity_of(const struct judging *judging)
{
    const struct mr_detector *detector = judging->detector;
    double score = judging->row.score;
    double critical = detector->critical_from;
    if (score >= (isnan(critical) ? 2 * judging->threshold : critical))
        return "critical";
    return score < detector->warning_from ? "info" : "warning"; /* NAN: a warning */
}

static enum mr_status describe_anomaly(struct judging *judging, struct mr_detector_finding *finding,
                                       struct mr_error *error)
{
    struct mr_detector *detector = judging->detector;
    struct mr_model_row *row = &judging->row;
    if (judging->model->explain != NULL) {
        enum mr_status status = judging->model->explain(detector, row, error);
        if (status != MR_OK)
            return status;
    }
    if (detector->type->describe != NULL)
        detector->type->describe(detector, row, finding);
    else
        mr_detector_reason(finding, "the score of %s is %.4g; the threshold is %.6g",
                           detector->field_text, row->score, judging->threshold);
    if (finding->severity == NULL)
        finding->severity = severity_of(judging);
    return MR_OK;
}

static void report_end(const struct judging *judging, uint32_t index,
                       const struct mr_stage_step *step)
{
    const struct mr_detector *detector = judging->detector;
    struct mr_detector_finding finding = {
        .metric_value = judging->row.score, .threshold = judging->threshold, .severity = "info"};
    if (detector->suppress.count > 0)
        mr_detector_reason(&finding,
                           "%s is as usual again: no anomaly in %lld records; the highest score "
                           "was %.4g",
                           detector->field_text, (long long)detector->suppress.count,
                           step->resolved_peak);
    else
        mr_detector_reason(&finding,
                           "%s is as usual again: no anomaly for %.10g s; the highest score was "
                           "%.4g",
                           detector->field_text, (double)detector->suppress.time_ms / 1000,
                           step->resolved_peak);
    mr_detector_rows_alert(judging->rows, index, &finding, "resolved", step->resolved_id);
}

static enum mr_status report_anomaly(struct judging *judging, uint32_t index,
                                     const struct mr_stage_step *step, struct mr_error *error)
{
    const struct mr_detector *detector = judging->detector;
    struct mr_detector_rows *rows = judging->rows;
    struct mr_detector_finding finding = {.metric_value = judging->row.score,
                                          .threshold = judging->threshold};
    uint64_t id = 0;
    enum mr_status status = describe_anomaly(judging, &finding, error);
    if (status != MR_OK)
        return status;
    if (detector->contributes)
        rows->contributions[rows->view.rows[index]] = contributions_value(judging);
    bool lasts = detector->suppress.count > 0 || detector->suppress.time_ms > 0;
    if (lasts && step->opens)
        judging->stage->episode_id = mr_detector_rows_id(rows, index);
    if (lasts)
        id = judging->stage->episode_id;
    mr_detector_rows_found(rows, index, &finding, lasts && !step->opens ? "update" : "open", id);
    return MR_OK;
}

/* Tell what the row means: a muted key's tell nothing. */
static enum mr_status tell(struct judging *judging, uint32_t index, bool above,
                           struct mr_error *error)
{
    struct mr_detector_stage *stage = judging->stage;
    struct mr_stage_step step = {.tells = above};
    if (judging->row.event_time_ms < judging->detector->live_ms ||
        (stage != NULL && (stage->flags & MR_STAGE_MUTED) != 0))
        return MR_OK;
    if (stage != NULL)
        step = mr_stage_judge(stage, &judging->detector->suppress, &judging->row, above);
    if (step.resolves)
        report_end(judging, index, &step);
    return step.tells ? report_anomaly(judging, index, &step, error) : MR_OK;
}

static void write_state(const struct judging *judging, uint32_t row_number,
                        enum mr_detector_state state)
{
    judging->rows->judged_counts[state]++;
    if (state != MR_DETECTOR_ARMED)
        judging->rows->columns[MR_DETECTOR_STATE][row_number] =
            mr_value_string(mr_slice_text(mr_detector_states[state]));
}

/* Columns of a judged row, besides those of an anomaly. */
static void write_row(const struct judging *judging, uint32_t row_number)
{
    const struct mr_detector *detector = judging->detector;
    const struct mr_detector_rows *rows = judging->rows;
    const struct mr_model_row *row = &judging->row;
    rows->columns[MR_DETECTOR_SCORE][row_number] = mr_value_double(row->score);
    if (!isnan(row->p_value))
        mr_detector_rows_p_value(judging->rows, row_number, row->p_value);
    for (uint32_t own = 0; own < detector->own_count; own++)
        rows->own[own][row_number] = mr_detector_rows_own(detector, own, row->own[own]);
}

static void clear_results(struct judging *judging)
{
    judging->row.score = 0;
    judging->row.p_value = NAN;
    for (uint32_t own = 0; own < judging->detector->own_count; own++)
        judging->row.own[own] = NAN;
}

/* A row without a number: nothing is judged, learned or counted. */
static void pass_starved(struct judging *judging, uint32_t row_number)
{
    clear_results(judging);
    write_row(judging, row_number);
    write_state(judging, row_number, MR_DETECTOR_STARVED);
}

/* The number of a row that has none, from the key's last; false: there is none. */
static bool impute(struct judging *judging, double *value)
{
    if ((judging->stage->flags & MR_STAGE_LAST_VALUE) == 0)
        return false;
    *value = judging->stage->last_value;
    judging->row.values = value;
    return true;
}

static void keep_last_value(const struct judging *judging)
{
    judging->stage->last_value = judging->row.values[0];
    judging->stage->flags |= MR_STAGE_LAST_VALUE;
}

static enum mr_status score_row(struct judging *judging, bool ready, bool learns,
                                struct mr_error *error)
{
    struct mr_model_row *row = &judging->row;
    const struct mr_model_type *model = judging->model;
    enum mr_status status = MR_OK;
    if (model->score != NULL)
        status = model->score(judging->detector, row, error);
    else if (learns)
        status = model->learn(judging->detector, row, error);
    else
        clear_results(judging);
    if (status != MR_OK)
        return status;
    MR_ASSERT(row->score >= 0);
    if (!ready) {
        row->score = 0;
        row->p_value = NAN;
    }
    row->score = row->score <= DBL_MAX ? row->score : DBL_MAX;
    return MR_OK;
}

static bool may_learn(const struct judging *judging, bool ready)
{
    if (judging->model->learn == NULL || fabs(judging->row.values[0]) > MR_DETECTOR_LEARNED_MAX)
        return false;
    if (judging->stage != NULL && (judging->stage->flags & MR_STAGE_FROZEN) != 0)
        return false;
    return !ready || judging->detector->learn != MR_LEARN_NEVER;
}

/* Threshold and p_value by the key's own scores. The object is found again afterwards; when it had
 * to be loaded again, what the model had made of it is made again by scoring again. */
static enum mr_status calibrate(struct judging *judging, uint32_t index, bool learned,
                                struct mr_error *error)
{
    struct mr_detector *detector = judging->detector;
    struct mr_detector_rows *rows = judging->rows;
    struct mr_model_row *row = &judging->row;
    uint32_t row_number = rows->view.rows[index];
    const struct mr_calibration_score score = {.key = rows->keys[row_number],
                                               .hash = rows->hashes[index],
                                               .event_time_ms = row->event_time_ms,
                                               .score = row->score,
                                               .learns =
                                                   (judging->stage->flags & MR_STAGE_FROZEN) == 0};
    struct mr_calibration_result result;
    mr_table_dirty(detector->table, judging->stage);
    enum mr_status status =
        mr_calibration_judge(&detector->calibration, &score, rows->context->arena, &result, error);
    if (status == MR_OK)
        status = find_object(judging, index, row_number, error);
    if (status != MR_OK)
        return status;
    if (!learned)
        status = score_row(judging, true, false, error);
    if (!result.is_calibrated)
        return status;
    judging->threshold = result.threshold;
    row->p_value = result.p_value;
    rows->columns[MR_DETECTOR_THRESHOLD][row_number] = mr_value_double(result.threshold);
    return status;
}

/* A row whose key's object is there. */
static enum mr_status judge_row(struct judging *judging, uint32_t index, struct mr_error *error)
{
    const struct mr_detector *detector = judging->detector;
    const struct mr_model_type *model = judging->model;
    struct mr_model_row *row = &judging->row;
    uint32_t row_number = judging->rows->view.rows[index];
    if (judging->stage != NULL)
        mr_stage_wake(judging->stage, row->event_time_ms);
    bool ready = model->ready == NULL || model->ready(detector, row->object);
    bool learns =
        (judging->rows->marks[index] & MR_MARK_UNLEARNED) == 0 && may_learn(judging, ready);
    enum mr_status status = score_row(judging, ready, learns, error);
    bool learned = model->score == NULL;
    bool calibrates = ready && detector->calibration.kind != MR_CALIBRATION_NONE;
    if (status == MR_OK && calibrates) {
        /* Learning must not see another object than scoring did, unless it has to wait. */
        if (learns && !learned && detector->learn != MR_LEARN_NORMAL_ONLY) {
            status = model->learn(judging->detector, row, error);
            learned = true;
        }
        if (status == MR_OK)
            status = calibrate(judging, index, learned || !learns, error);
    }
    if (status != MR_OK)
        return status;
    bool above = row->score > judging->threshold;
    struct mr_detector_stage *stage = judging->stage;
    write_row(judging, row_number);
    if (stage != NULL && (stage->flags & MR_STAGE_MUTED) != 0)
        write_state(judging, row_number, MR_DETECTOR_MUTED);
    else
        write_state(judging, row_number, ready ? MR_DETECTOR_ARMED : MR_DETECTOR_LEARNING);
    if (above || (stage != NULL && (stage->flags & MR_STAGE_EPISODE) != 0))
        status = tell(judging, index, above, error);
    if (status == MR_OK && learns && !learned &&
        !(above && detector->learn == MR_LEARN_NORMAL_ONLY))
        status = model->learn(judging->detector, row, error);
    return status;
}

static enum mr_status judge(struct judging *judging, uint32_t index, struct mr_error *error)
{
    struct mr_detector *detector = judging->detector;
    const struct mr_detector_rows *rows = judging->rows;
    struct mr_model_row *row = &judging->row;
    uint32_t row_number = rows->view.rows[index];
    bool is_missing = (rows->marks[index] & MR_MARK_MISSING) != 0;
    double imputed;
    row->values = rows->values + (size_t)index * detector->fields_count;
    row->event_time_ms = rows->view.batch->event_times_ms[row_number];
    row->p_value = NAN;
    judging->threshold = detector->threshold;
    if (rows->texts != NULL)
        row->text = rows->texts[index];
    if (is_missing && detector->on_missing == MR_ON_MISSING_FLAG) {
        pass_starved(judging, row_number);
        return MR_OK;
    }
    if (detector->table == NULL)
        return judge_row(judging, index, error);
    enum mr_status status = find_object(judging, index, row_number, error);
    if (status != MR_OK)
        return status;
    if (is_missing && !impute(judging, &imputed)) {
        pass_starved(judging, row_number);
        return MR_OK;
    }
    status = judge_row(judging, index, error);
    if (status != MR_OK)
        return status;
    if (detector->on_missing == MR_ON_MISSING_IMPUTE)
        keep_last_value(judging);
    judging->stage->seen++;
    mr_table_dirty(detector->table, judging->stage);
    return MR_OK;
}

/* The view without history. */
static struct mr_view present_rows(const struct mr_detector *detector,
                                   const struct mr_detector_rows *rows)
{
    struct mr_view view = rows->view;
    uint16_t *present =
        mr_arena_take(rows->context->arena, (view.rows_count + 1u) * sizeof(*present));
    uint32_t count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++)
        if (view.batch->event_times_ms[view.rows[index]] >= detector->live_ms)
            present[count++] = view.rows[index];
    return (struct mr_view){view.batch, present, count};
}

enum mr_status mr_detector_judge(struct mr_detector *detector, struct mr_operator_context *context,
                                 struct mr_view view, const struct mr_slice *keys,
                                 struct mr_error *error)
{
    struct mr_detector_rows rows;
    mr_detector_rows_begin(detector, context, view, keys, &rows);
    struct judging judging = {.detector = detector, .model = detector->type->model, .rows = &rows};
    judging.row.table = detector->table;
    judging.row.fields_count = detector->fields_count;
    judging.row.contributions =
        mr_arena_take(context->arena, detector->fields_count * sizeof(double));
    for (uint32_t index = 0; index < rows.view.rows_count; index++) {
        enum mr_status status = judge(&judging, index, error);
        if (status != MR_OK)
            return status;
    }
    rows.present = detector->live_ms == INT64_MIN ? rows.view : present_rows(detector, &rows);
    mr_detector_rows_finish(&rows);
    return MR_OK;
}

enum mr_status mr_detector_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    struct mr_detector *detector = self;
    if (detector->waits)
        return mr_detector_order_take(detector, context, port, view, error);
    if (port != 0)
        return mr_detector_control(detector, context, view, error);
    return mr_detector_judge(detector, context, view, NULL, error);
}

enum mr_status mr_detector_watermark(void *self, struct mr_operator_context *context,
                                     struct mr_error *error)
{
    struct mr_detector *detector = self;
    if (detector->table == NULL)
        return MR_OK;
    if (detector->waits) {
        enum mr_status status = mr_detector_order_watermark(detector, context, error);
        if (status != MR_OK)
            return status;
    }
    return mr_table_expire(detector->table, context->watermark_ms, error);
}

void mr_detector_reason(struct mr_detector_finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(finding->reason, sizeof(finding->reason), format, arguments);
    va_end(arguments);
    MR_ASSERT(written >= 0);
    if ((size_t)written < sizeof(finding->reason))
        return;
    size_t size = mr_utf8_cut(mr_slice_from(finding->reason, sizeof(finding->reason) - 1),
                              sizeof(finding->reason) - 2);
    finding->reason[size] = '\0';
}
