/* operators/generate_copula.c — generate.copula: learns what records look like and makes new ones.
 * What it does when is in learned_generator.h, what it learns in copula_kind.h. */
#include "operators/copula_kind.h"
#include "operators/estimate.h"
#include "operators/learned_document.h"
#include "operators/learned_generator.h"
#include "operators/registry.h"

enum { RESERVOIR_MAX = 8192 };

static enum mr_status generator_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    struct mr_learned_generator *generator = self;
    struct mr_copula_window_bounds bounds = mr_copula_window_bounds(&open->node->options);
    enum mr_status status = mr_learned_generator_open(generator, open, &mr_copula_kind, error);
    generator->models.block_rows = bounds.block_rows;
    generator->models.pane_ms = bounds.pane_ms;
    return status;
}

static enum mr_status generator_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    enum mr_status status = mr_learned_check(options, option, error);
    return status == MR_OK ? mr_copula_window_check(options, option, error) : status;
}

static enum mr_status generator_describe(const struct mr_state_object *object,
                                         struct mr_arena *arena,
                                         struct mr_state_description *description,
                                         struct mr_error *error)
{
    struct mr_learned_entry entry;
    enum mr_status status = mr_learned_generator_describe(object, arena, description, error);
    if (status != MR_OK || !mr_learned_entry_decode(&entry, object->version, object->encoded))
        return status;
    return mr_copula_kind_describe(object, entry.model_bytes, arena, description, error);
}

static void generator_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    struct mr_copula_window_bounds bounds = mr_copula_window_bounds(options);
    uint64_t slots = mr_learned_model_slots(mr_copula_kind.bytes_max(options));
    uint64_t slot_bytes = MR_LEARNED_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    mr_learned_estimate(&mr_copula_kind, options, estimate);
    /* At the worst each record begins a pane of event time. */
    if (bounds.pane_ms > 0) {
        estimate->changelog_bytes_per_record += slots * slot_bytes;
        return;
    }
    if (bounds.pane_rows > 0)
        estimate->changelog_bytes_per_record += slots / bounds.block_rows * slot_bytes;
    if (mr_learned_publishes(options))
        estimate->changelog_bytes_per_record +=
            MR_PUBLICATION_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
}

static enum mr_status generator_write_model(const struct mr_state_object *object,
                                            const struct mr_plan_node *node, const char *name,
                                            struct mr_buffer *output, struct mr_error *error)
{
    return mr_learned_write_model(&mr_copula_kind, object, node, name, output, error);
}

static bool generator_reads_wall_clock(const struct mr_options *options)
{
    return mr_learned_reads_wall_clock(options) || mr_learned_publishes(options);
}

static const struct mr_option_spec generator_options[] = {
    MR_LEARNED_OPTION_FIELDS("The fields that are learned and made, 1 to 64: numbers, booleans, "
                             "texts and timestamps, of which any may be missing. The key's fields "
                             "are made too and not listed."),
    MR_LEARNED_OPTIONS,
    {.name = "reservoir",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1024",
     .minimum = 16,
     .maximum = RESERVOIR_MAX,
     .help = "Records of a sample that corrects the correlations when distributions move, 16 to "
             "8,192; the first so many are learned exactly."},
    {.name = "learn_window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = mr_copula_window_options,
     .help = "Instead of `weight` and `half_life`: learn from the newest records alone, "
             "{count: 10000} or {sliding: 10m}; what has left the window is forgotten wholly, an "
             "eighth of it at a time."},
    {.name = "privacy",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = mr_copula_privacy_options,
     .help = "What synthetic records may not show of real ones; {} for the defaults. Not given: "
             "texts and extremes are real ones, and a record may equal one."},
    {.name = "publish",
     .type = MR_OPTION_OBJECT,
     .fields = mr_learned_publish_options,
     .help = "Tell what is known on the output `models`, for model.merge, which makes one model of "
             "what the learners of all partitions know (with `scope: partition` each is learned by "
             "itself)."},
    {.name = NULL},
};

const struct mr_operator_type mr_operator_generate_copula = {
    .spec =
        {
            .name = "generate.copula",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ANSWERS,
            .summary = "Learns what records look like and makes synthetic ones like them, online.",
            .description =
                "A Gaussian copula: the distribution of each field by itself, and the correlations "
                "of the fields, learned record by record in bounded memory. For each record that "
                "arrives, `ratio` new ones leave, with its event time; each is drawn anew. The "
                "first batch of `learn_batch` records tells what a field is: a boolean; a number, "
                "whole or with so many decimals; a timestamp (to the millisecond); a date or a "
                "time where all texts are "
                "one (2026-01-28, RFC 3339); an identifier where at least 20 texts hardly ever "
                "repeat (the letters before the first digit and a new number are made); else a "
                "category. Missing values go along with what they went along with. A value that "
                "does not fit its field's kind later counts as missing.\n\n"
                "What was learned fades: `weight` or `half_life`; or it is forgotten when it "
                "leaves "
                "`learn_window`: eight panes, each of which has learned its own records, so that "
                "one that leaves takes all it knew with it. Then the newest "
                "count less at most an eighth is known, bit for bit as if nothing had been before "
                "but for the kinds of fields and the order of texts. A field whose values fit its "
                "kind in no record of a pane is told anew by the next one. When distributions "
                "move, the "
                "correlations are made anew from a sample of the records. State begins with the "
                "first record; `weight`, `half_life`, `ratio` and `min_records` may be changed "
                "later.\n\n"
                "With `conditions` the records are as if those had been kept that meet them, but "
                "drawn as such, so that rare ones cost no more; how likely that is the state says, "
                "and less than 1e-9 counts as impossible.\n\n"
                "Besides `ratio` there are two ways to drive it: by the clock (`rate`, `delay`, "
                "`max_records`), and on request (`requests`). With `publish` and model.merge "
                "what tasks learn becomes one model.\n\n"
                "A query of the state shows `model`: `rows` it stands on, `effective_rows` (as "
                "many of weight 1 as tell as much), `refits` and `last_refit` (when correlations "
                "were made anew), by field `drift` (since then; above 1 they are made anew) and "
                "the share that is `missing`; beside it `late` and `refused` records.\n\n"
                "Use it for test data that looks like production's, and for load. Not where "
                "records of a key follow each other in time: each is drawn by itself. A category "
                "has at most 128 texts of at most 64 bytes, the first ones seen; others are never "
                "made, nor numbers beyond +-1e140. Shapes that correlations cannot say (a ring, "
                "two crossing lines) are lost. Without `privacy` texts and extreme "
                "values are real ones, and a record of few categories may equal a real one.\n\n"
                "`privacy` guarantees, of each key by itself: no text or boolean of fewer than "
                "`rare_below` records; no number, date or time beyond the quantiles of `clip`, of "
                "which at least `rare_below` records lie at or beyond each; no letters of real "
                "identifiers; no copy of any of the newest `no_copies` records; none closer to a "
                "record of the `reservoir` than `distance` says (to an older one, or one that the "
                "reservoir does not hold, a record may be closer). Records count by their decayed "
                "weights. What is refused is drawn anew up to `redraws` times, then left out and "
                "counted (a model's document has rare texts and extremes taken out, too, but who "
                "draws from it has no rows to compare with): with few fields of few values "
                "everything is a copy, and nothing may be "
                "left. It does not guarantee differential privacy: shares, quantiles and "
                "correlations are those of the real records, and who knows all but one of them "
                "may learn about that one.\n\n"
                "State of a key with d fields: at most 4 kB a number, 10 kB a category, 20 d^2 and "
                "8 (d + 1) * `reservoir` bytes, and 64 kB of rows that wait: 0.3 MB with 15 "
                "fields; with `learn_window` eight times what belongs to fields: 0.9 MB. "
                "Changelog per record: the slot of 1 kB that the record is in, and, once in "
                "`learn_batch` records, the model. The last used models are kept expanded, 32 MiB "
                "of them; another key's is read from its state first. Numbers: Philox4x32-10. "
                "Papers: Sklar (1959); Olsson, Drasgow and Dorans, The polyserial correlation "
                "coefficient (1982); Efraimidis and Spirakis, Weighted random sampling with a "
                "reservoir (2006).",
            .options = generator_options,
            .inputs = mr_learned_inputs,
            .outputs = mr_learned_publishing_outputs,
            .outputs_count = MR_LEARNED_PUBLISHING_OUTPUTS_COUNT,
            .state_version = MR_LEARNED_ENTRY_VERSION,
            .estimate = generator_estimate,
            .check = generator_check,
            .reads_wall_clock = generator_reads_wall_clock,
        },
    .instance_size = sizeof(struct mr_learned_generator),
    .open = generator_open,
    .process = mr_learned_generator_process,
    .on_watermark = mr_learned_generator_watermark,
    .on_wall = mr_learned_generator_wall,
    .close = mr_learned_generator_close,
    .state_table = mr_copula_table,
    .describe_state = generator_describe,
    .write_model = generator_write_model,
};
