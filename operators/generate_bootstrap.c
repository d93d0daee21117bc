/* operators/generate_bootstrap.c — generate.bootstrap: keeps a sample of a stream's records and
 * makes new ones from it. What it does when is in learned_generator.h, what it learns in
 * bootstrap_kind.h. */
#include "operators/bootstrap_kind.h"
#include "operators/learned_document.h"
#include "operators/learned_generator.h"
#include "operators/registry.h"

enum { RESERVOIR_MAX = 8192 };

static enum mr_status generator_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    return mr_learned_generator_open(self, open, &mr_bootstrap_kind, error);
}

static enum mr_status generator_write_model(const struct mr_state_object *object,
                                            const struct mr_plan_node *node, const char *name,
                                            struct mr_buffer *output, struct mr_error *error)
{
    return mr_learned_write_model(&mr_bootstrap_kind, object, node, name, output, error);
}

static void generator_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_learned_estimate(&mr_bootstrap_kind, options, estimate);
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
     .help = "Records of the sample, 16 to 8,192."},
    {.name = "noise",
     .type = MR_OPTION_NUMBER,
     .minimum = 0,
     .maximum = 10,
     .help = "How far numbers and times are moved: the noise's standard deviation as a share of "
             "the field's; 0 leaves them as they are. Default: Silverman's rule, which moves less "
             "the larger the sample is."},
    {.name = "flip",
     .type = MR_OPTION_SHARE,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1,
     .help = "How often a category or boolean is another record's instead."},
    {.name = NULL},
};

const struct mr_operator_type mr_operator_generate_bootstrap = {
    .spec =
        {
            .name = "generate.bootstrap",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ANSWERS,
            .summary = "Keeps a sample of what arrives and makes synthetic records from it, with "
                       "noise, online.",
            .description =
                "The smoothed bootstrap: a new record is one of a sample of the real ones, its "
                "numbers and times moved by noise. For each record that arrives `ratio` new ones "
                "leave, with its event time. Fields are told as by generate.copula: the first "
                "batch of `learn_batch` records says which are numbers, whole or with so many "
                "decimals, booleans, categories, dates, times, and identifiers (of which new ones "
                "are made).\n\n"
                "The noise is normal and goes along with the correlations of the sample, and the "
                "numbers are drawn together towards their mean by as much as it spreads them: "
                "means, variances and correlations stay. What would leave the range of the sample "
                "is reflected into it, and decimals are kept. A number that at least one in 20 "
                "records has stays as it is, "
                "so that 0, limits and small whole numbers remain what they are. Missing values "
                "stay missing.\n\n"
                "The sample is by weight: what was learned fades by `weight` or `half_life`, and "
                "an older record is drawn less. State begins with the first record; `weight`, "
                "`half_life`, `ratio`, `min_records`, `noise` and `flip` may be changed later.\n\n"
                "With `conditions` only records of the sample that meet them are drawn from; what "
                "share they are the state says (`millrace query`). Where there is none the "
                "conditions count as impossible: for rarer ones than the sample can have, use "
                "generate.copula, or a larger `reservoir`.\n\n"
                "Besides `ratio` there are two ways to drive it: by the clock (`rate`, `delay`, "
                "`max_records`), and on request (`requests`).\n\n"
                "Use it where fields have to do with each other in ways that correlations cannot "
                "say: a field that another one decides, clusters, a ring. Not for privacy: new "
                "records lie near real ones, and without numbers they are real ones. Not where "
                "records of a key follow each other in time. Its model as a document holds the "
                "sample: "
                "real records (`millrace model save` wants `--with-rows`). A category has at most "
                "128 texts of "
                "at most 64 bytes, the first ones seen; numbers beyond +-1e140 count as "
                "missing.\n\n"
                "State of a key with d fields: at most 8 (d + 2) * `reservoir` bytes, 9 kB a "
                "category, and 64 kB of rows that wait: 0.2 MB with 15 fields. Changelog per "
                "record: the slot of 1 kB that the record is in, and, once in `learn_batch` "
                "records, the sample. The last used models are kept expanded, 32 MiB of them. "
                "Numbers: Philox4x32-10. Papers: Efron, Bootstrap methods (1979); Silverman and "
                "Young, The bootstrap: to smooth or not to smooth? (1987); Duffield, Lund and "
                "Thorup, Priority sampling (2007).",
            .options = generator_options,
            .inputs = mr_learned_inputs,
            .outputs = mr_learned_outputs,
            .outputs_count = MR_LEARNED_OUTPUTS_COUNT,
            .state_version = MR_LEARNED_ENTRY_VERSION,
            .estimate = generator_estimate,
            .check = mr_learned_check,
            .reads_wall_clock = mr_learned_reads_wall_clock,
        },
    .instance_size = sizeof(struct mr_learned_generator),
    .open = generator_open,
    .process = mr_learned_generator_process,
    .on_watermark = mr_learned_generator_watermark,
    .on_wall = mr_learned_generator_wall,
    .close = mr_learned_generator_close,
    .state_table = mr_bootstrap_table,
    .describe_state = mr_learned_generator_describe,
    .write_model = generator_write_model,
};
