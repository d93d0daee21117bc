/* operators/detect_ensemble.c — detect.ensemble: the scores of several detectors of a record made
 * into one.
 * Design: members are numbers of the record, as a rule scores that detectors further up have added
 * under different names (`as`); nothing has to know that they are detectors. Each is calibrated by
 * its own last scores (operators/score_history.h): its surprise is -log10 p. Members that have one
 * unit are taken as they are instead: then the score itself stands for the surprise. Then
 *   mean  the mean of the surprises: of the p the geometric mean
 *   max   the greatest of them: the least p
 *   rank  -log10 of the arithmetic mean of the p: as strange as nearly all members say
 * p_value is e, members or 2 times the mean in question, at most 1: right for members that depend
 * on each other in whatever way, and too high for others (Vovk and Wang, Combining p-values via
 * averaging, Biometrika 107 (2020); Rueschendorf 1982 for the arithmetic mean).
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h); the
 * scores are in slots:
 *   0  uint32  members   4  uint32  capacity of the window, records
 *   8  uint32  records in it   12  uint32  next position */
#include "operators/detector.h"

#include <math.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/natural_log.h"
#include "operators/registry.h"
#include "operators/score_history.h"
#include "operators/tail.h"

enum {
    ENSEMBLE_VERSION = 1,
    ENSEMBLE_BYTES = 16,
    ENSEMBLE_WINDOW_DEFAULT = 1000,
    ENSEMBLE_WINDOW_MAX = 4000
};
enum ensemble_combine { ENSEMBLE_MEAN, ENSEMBLE_MAX, ENSEMBLE_RANK };
enum ensemble_own { OWN_MEAN, OWN_MAX, OWN_RANK, OWN_COUNT };

/* A member that is taken as it is counts as this at most: sums stay finite. */
static const double score_max = 1e140;
static const double ln10 = 2.30258509299404568402;

static const char ensemble_table[] = "scores";
static const char *const ensemble_combines[] = {"mean", "max", "rank", NULL};
static const char *const ensemble_members[] = {"tail", "conformal", "as_is", NULL};
enum { MEMBERS_AS_IS = 2 }; /* behind those of enum mr_score_calibration */

struct ensemble {
    struct mr_detector detector;
    struct mr_score_shape shape;
    struct mr_score_rule rule;
    bool takes_as_is;
    enum ensemble_combine combine;
    uint64_t warmup;
    struct mr_score_placed *scratch;
    double surprises[MR_MODEL_FIELDS_MAX]; /* of the record that was scored last */
};

/* ---- The model ---- */

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct mr_score_history *history = object;
    mr_put_u32le(output, history->members_count);
    mr_put_u32le(output + 4, history->capacity);
    mr_put_u32le(output + 8, history->count);
    mr_put_u32le(output + 12, history->position);
    return ENSEMBLE_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_score_history *history = object;
    if (version != ENSEMBLE_VERSION || stored.size != ENSEMBLE_BYTES)
        return false;
    history->members_count = mr_get_u32le(stored.data);
    history->capacity = mr_get_u32le(stored.data + 4);
    history->count = mr_get_u32le(stored.data + 8);
    history->position = mr_get_u32le(stored.data + 12);
    history->stale = 1;
    return history->count <= history->capacity && history->position < history->capacity;
}

static uint32_t options_capacity(const struct mr_options *options)
{
    if (!mr_options_present(options, "window"))
        return ENSEMBLE_WINDOW_DEFAULT;
    const struct mr_option_value *window = mr_options_get(options, "window");
    return (uint32_t)mr_options_integer(&window->objects[0], "count");
}

static struct mr_score_shape options_shape(const struct mr_options *options)
{
    return mr_score_shape(mr_options_get(options, "fields")->count, options_capacity(options));
}

static void ensemble_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct mr_score_shape shape = options_shape(options);
    size->object_bytes = mr_score_history_bytes(&shape);
    size->slot_bytes = mr_score_history_slot_bytes(&shape);
    size->slots_max = mr_score_history_slots(&shape);
}

static void ensemble_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct ensemble *ensemble = self;
    struct mr_score_history *history = object;
    MR_UNUSED(row);
    history->members_count = ensemble->shape.members_count;
    history->capacity = ensemble->shape.capacity;
}

static bool ensemble_fits(const void *self, const void *object)
{
    const struct ensemble *ensemble = self;
    const struct mr_score_history *history = object;
    return history->members_count == ensemble->shape.members_count &&
           history->capacity == ensemble->shape.capacity;
}

static bool ensemble_ready(const void *self, const void *object)
{
    const struct ensemble *ensemble = self;
    const struct mr_score_history *history = object;
    return history->count >= ensemble->warmup;
}

static struct mr_score_access access_to(const struct ensemble *ensemble,
                                        const struct mr_model_row *row)
{
    return (struct mr_score_access){.table = row->table,
                                    .entry = row->entry,
                                    .history = row->object,
                                    .slot_records = ensemble->shape.slot_records,
                                    .scratch = ensemble->scratch};
}

/* The three ways to make one number of the surprises. */
static void combine(const double *surprises, uint32_t count, double *own)
{
    double least = surprises[0];
    double most = surprises[0];
    double sum = 0;
    double shares = 0; /* of p, in units of the greatest p */
    for (uint32_t member = 0; member < count; member++) {
        sum += surprises[member];
        if (surprises[member] < least)
            least = surprises[member];
        if (surprises[member] > most)
            most = surprises[member];
    }
    for (uint32_t member = 0; member < count; member++)
        shares += mr_tail_exponential(ln10 * (least - surprises[member]));
    own[OWN_MEAN] = sum / count;
    own[OWN_MAX] = most;
    own[OWN_RANK] = least + mr_natural_log(count / shares) / ln10;
}

static void share_out(const struct ensemble *ensemble, struct mr_model_row *row)
{
    const double *surprises = ensemble->surprises;
    double sum = row->own[OWN_MEAN] * row->fields_count;
    uint32_t most = 0;
    for (uint32_t member = 0; member < row->fields_count; member++) {
        row->contributions[member] = 0;
        if (surprises[member] > surprises[most])
            most = member;
        if (ensemble->combine != ENSEMBLE_MAX && sum > 0)
            row->contributions[member] = row->score * (surprises[member] / sum);
    }
    if (ensemble->combine == ENSEMBLE_MAX)
        row->contributions[most] = row->score;
}

/* What the members say of the record. */
static enum mr_status judge_members(struct ensemble *ensemble, const struct mr_model_row *row,
                                    struct mr_error *error)
{
    const struct mr_score_access access = access_to(ensemble, row);
    enum mr_status status = mr_score_history_refresh(&access, error);
    for (uint32_t member = 0; member < row->fields_count && status == MR_OK; member++) {
        double score = row->values[member];
        if (ensemble->takes_as_is)
            ensemble->surprises[member] = score < 0 ? 0 : score > score_max ? score_max : score;
        else
            status = mr_score_history_surprise(&access, &ensemble->rule, member, score,
                                               &ensemble->surprises[member], error);
    }
    return status;
}

static enum mr_status ensemble_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct ensemble *ensemble = self;
    const struct mr_score_history *history = row->object;
    enum mr_status status = judge_members(ensemble, row, error);
    if (status != MR_OK)
        return status;
    const double factors[] = {[ENSEMBLE_MEAN] = 2.71828182845904523536,
                              [ENSEMBLE_MAX] = row->fields_count,
                              [ENSEMBLE_RANK] = 2};
    combine(ensemble->surprises, row->fields_count, row->own);
    row->own[OWN_COUNT] = history->count;
    row->score = row->own[ensemble->combine];
    double p_value = (row->fields_count == 1 ? 1 : factors[ensemble->combine]) *
                     mr_tail_exponential(-ln10 * row->score);
    row->p_value = p_value < 1 ? p_value : 1;
    if (ensemble->takes_as_is) {
        row->p_value = NAN;
        row->own[OWN_RANK] = NAN;
    }
    share_out(ensemble, row);
    return MR_OK;
}

static enum mr_status ensemble_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_score_access access = access_to(self, row);
    enum mr_status status = mr_score_history_refresh(&access, error);
    return status == MR_OK ? mr_score_history_add(&access, row->values, error) : status;
}

static const struct mr_model_type ensemble_model = {
    .table = ensemble_table,
    .version = ENSEMBLE_VERSION,
    .object_size = sizeof(struct mr_score_history),
    .encoded_size_max = ENSEMBLE_BYTES,
    .size = ensemble_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = ensemble_begin,
    .fits = ensemble_fits,
    .ready = ensemble_ready,
    .score = ensemble_score,
    .learn = ensemble_learn,
};

/* ---- The detector ---- */

static void ensemble_describe(const void *self, const struct mr_model_row *row,
                              struct mr_detector_finding *finding)
{
    const struct ensemble *ensemble = self;
    uint32_t most = 0;
    for (uint32_t member = 1; member < row->fields_count; member++)
        if (ensemble->surprises[member] > ensemble->surprises[most])
            most = member;
    if (ensemble->takes_as_is) {
        mr_detector_reason(finding,
                           "the %s of %u scores is %.4g; the strangest is %s = %.6g; the "
                           "threshold is %.6g",
                           ensemble_combines[ensemble->combine], row->fields_count, row->score,
                           ensemble->detector.field_texts[most], row->values[most],
                           finding->threshold);
        return;
    }
    mr_detector_reason(finding,
                       "the %s of %u scores is %.4g (-log10 p beside the last %.0f records); the "
                       "strangest is %s = %.6g with %.4g; the threshold is %.6g",
                       ensemble_combines[ensemble->combine], row->fields_count, row->score,
                       row->own[OWN_COUNT], ensemble->detector.field_texts[most], row->values[most],
                       ensemble->surprises[most], finding->threshold);
}

MR_DETECTOR_CODEC(ensemble, ensemble_model)

static const struct mr_detector_type ensemble_detector = {
    .model = &ensemble_model,
    .encode = ensemble_encode,
    .decode = ensemble_decode,
    .describe = ensemble_describe,
};

static enum mr_status ensemble_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct ensemble *ensemble = self;
    const struct mr_options *options = &open->node->options;
    ensemble->shape = options_shape(options);
    ensemble->warmup = (uint64_t)mr_options_integer(options, "warmup");
    ensemble->combine = (enum ensemble_combine)mr_options_integer(options, "combine");
    int64_t members = mr_options_integer(options, "members");
    ensemble->takes_as_is = members == MEMBERS_AS_IS;
    ensemble->rule = (struct mr_score_rule){
        .calibration = members == MR_SCORE_CONFORMAL ? MR_SCORE_CONFORMAL : MR_SCORE_TAIL,
        .tail_share = mr_options_number(options, "tail_share"),
        .scale_floor = mr_options_number(options, "scale_floor"),
    };
    ensemble->scratch = mr_memory_new(ensemble->shape.capacity, sizeof(*ensemble->scratch));
    return mr_detector_open(&ensemble->detector, open, &ensemble_detector, error);
}

static void ensemble_close(void *self)
{
    struct ensemble *ensemble = self;
    mr_detector_close(self);
    mr_memory_free(ensemble->scratch);
    ensemble->scratch = NULL;
}

static enum mr_status ensemble_describe_state(const struct mr_state_object *object,
                                              struct mr_arena *arena,
                                              struct mr_state_description *description,
                                              struct mr_error *error)
{
    MR_UNUSED(arena);
    struct mr_score_history history = {0};
    if (!mr_stage_describe(&ensemble_model, object, &history, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "members", mr_value_uint(history.members_count));
    mr_describe_member(description, "count", mr_value_uint(history.count));
    mr_describe_member(description, "window", mr_value_uint(history.capacity));
    return MR_OK;
}

static void ensemble_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&ensemble_model, options, estimate);
}

static enum mr_status ensemble_check(const struct mr_options *options, const char **option,
                                     struct mr_error *error)
{
    uint32_t members = mr_options_get(options, "fields")->count;
    uint32_t capacity = options_capacity(options);
    if (members * capacity > MR_SCORE_HISTORY_SCORES_MAX) {
        *option = "window";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%u members over %u records are %u scores, and a key keeps at most %d: "
                       "take a window of at most %u records",
                       members, capacity, members * capacity, MR_SCORE_HISTORY_SCORES_MAX,
                       MR_SCORE_HISTORY_SCORES_MAX / members);
    }
    if (mr_options_integer(options, "warmup") > capacity) {
        *option = "warmup";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a warm-up of %lld records never ends in a window of %u records",
                       (long long)mr_options_integer(options, "warmup"), capacity);
    }
    if (mr_options_integer(options, "members") == MEMBERS_AS_IS &&
        mr_options_integer(options, "combine") == ENSEMBLE_RANK) {
        *option = "combine";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "members that are taken as they are have no rank: take their mean or max");
    }
    return mr_detector_check(options, option, error);
}

static const struct mr_option_spec ensemble_window_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1000",
     .minimum = 20,
     .maximum = ENSEMBLE_WINDOW_MAX,
     .help = "How many of the key's last records count, 20 to 4,000; times the members at most "
             "8,000."},
    {.name = NULL},
};

static const struct mr_option_spec ensemble_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = MR_MODEL_FIELDS_MAX,
     .help = "The members: numbers that are larger for stranger records, as a rule scores of "
             "detectors further up, for instance [level.score, shape.score]."},
    MR_DETECTOR_OPTION_THRESHOLD(
        "3.0", "A record is an anomaly when its score is above this: 3 is one in a thousand "
               "records for each member alone."),
    MR_DETECTOR_OPTION_WARMUP("100", 1, ENSEMBLE_WINDOW_MAX),
    MR_DETECTOR_OPTIONS,
    {.name = "combine",
     .type = MR_OPTION_CHOICE,
     .default_text = "mean",
     .choices = ensemble_combines,
     .help = "The score: the mean of the members' -log10 p, the max of them, or -log10 of the mean "
             "of their p (rank), which is high only where nearly all members are."},
    {.name = "members",
     .type = MR_OPTION_CHOICE,
     .default_text = "tail",
     .choices = ensemble_members,
     .help = "How a member's score becomes p: by its rank among the window's scores with a fitted "
             "tail (tail), or by the rank alone, and above all of them by the distance "
             "(conformal). as_is: the scores have one unit, for instance those of several "
             "detect.nearest, and take the place of -log10 p; below 0 they count as 0."},
    {.name = "tail_share",
     .type = MR_OPTION_SHARE,
     .default_text = "0.1",
     .minimum = 0.001,
     .maximum = 0.5,
     .help = "Share of the window's scores that the tail is fitted to."},
    {.name = "scale_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-6",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help = "A spread of a member's highest scores below this, in its unit, counts as this."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = ensemble_window_fields,
     .help = "The key's last records whose scores are compared with. Default: the last 1,000."},
    {.name = NULL},
};

static const struct mr_output_field ensemble_fields[] = {
    MR_DETECTOR_MEMBERS("What `combine` makes of the members' -log10 p."),
    {"mean", MR_TYPE_DOUBLE, "Mean of the members' -log10 p."},
    {"max", MR_TYPE_DOUBLE, "The greatest of them."},
    {"rank", MR_TYPE_DOUBLE, "-log10 of the mean of their p; null of members as_is."},
    {"count", MR_TYPE_INT, "How many earlier records the members were compared with."},
    MR_DETECTOR_MEMBER_CONTRIBUTIONS,
};

const struct mr_operator_type mr_operator_detect_ensemble = {
    .spec =
        {
            .name = "detect.ensemble",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Makes one score of the scores of several detectors.",
            .description =
                "Detectors further up each add their object under a name of its own (`as`), and "
                "`fields` names their scores. Each member is calibrated by its own scores of the "
                "key's last records: p is how likely one as high is, -log10 p its surprise, "
                "so that members of different units weigh the same and a noisy one weighs no more "
                "than others. The score is the mean of the surprises, their max, or the mean rank; "
                "all three are told. It is taken before the record is learned, and grows without "
                "end: beyond the highest scores a tail without an end is assumed.\n\n"
                "With `members: as_is` the scores themselves take the place of the surprises, for "
                "detectors of one unit: how far apart the highest scores are then counts, which "
                "ranks do not tell. Weigh them in a map before.\n\n"
                "p_value holds for members that depend on each other in any way, and is too high "
                "for most: e, the number of members, or 2 times the mean in question (Vovk and "
                "Wang). Contributions are each member's part of the score.\n\n"
                "Use mean where several detectors see parts of one change, max where each sees "
                "another kind, rank where they should agree. Not for one detector, which "
                "`calibrate` serves, and not where a detector is silent for most records: its rank "
                "means little.\n\n"
                "A record without one of the scores follows on_missing. Detectors that learn "
                "score 0, which is p = 1. State for m members and a window of n records: 2 m n "
                "bytes in the cache for their order, 8 m n in slots; of the changelog one slot a "
                "record, of at most 128 bytes or 8 m. Papers: Vovk and Wang, Biometrika 107 "
                "(2020); Hosking and Wallis, Technometrics 29 (1987).",
            .options = ensemble_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = ensemble_fields,
            .added_fields_count = MR_ARRAY_COUNT(ensemble_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(ENSEMBLE_VERSION),
            .estimate = ensemble_estimate,
            .check = ensemble_check,
        },
    .instance_size = sizeof(struct ensemble),
    .open = ensemble_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = ensemble_close,
    .state_table = ensemble_table,
    .describe_state = ensemble_describe_state,
};
