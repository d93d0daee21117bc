/* operators/generate_bootstrap_source.c — generate.bootstrap as a source: records made from a
 * sample that was saved. All but the table is in model_source.c. */
#include "base/assert.h"
#include "operators/model_source.h"
#include "operators/registry.h"
#include "operators/sample_model_bootstrap.h"

static enum mr_status source_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    return mr_model_source_open(self, &mr_sample_type_bootstrap, open, error);
}

static enum mr_status source_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    return mr_model_source_check(&mr_sample_type_bootstrap, options, option, error);
}

static const struct mr_option_spec source_options[] = {
    MR_MODEL_SOURCE_OPTIONS(
        "The file that `millrace model save --with-rows` wrote; it holds real records. It is read "
        "when the topology is planned, by every process at this path: a worker that finds another "
        "file there refuses the topology.",
        "What every record meets, one condition per field, at most 16. Only rows of the sample "
        "that meet them are drawn from; where there is none they are an error of the topology."),
    {.name = NULL},
};

static const struct mr_refused_option source_refused[] = {
    {"fit", "a source draws from a model that was saved; to learn from a topic or a file, use "
            "`type: generate.bootstrap` below `operators` with `learn:`"},
    {"learn", "a source draws from a model that was saved; use `type: generate.bootstrap` below "
              "`operators`, which learns from its input"},
    {"fields", "the model says which fields records have"},
    {"max_records", "say `count`"},
    {NULL, NULL},
};

const struct mr_operator_type mr_operator_generate_bootstrap_source = {
    .spec =
        {
            .name = "generate.bootstrap",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
            .summary = "Makes synthetic records from a sample that was learned and saved.",
            .description =
                "The operator of the same name keeps a sample of a stream's records; `millrace "
                "model save --with-rows` writes it into a file, and this source makes records from "
                "it: one of the sample, its numbers and times moved by noise.\n\n"
                "Record n of a partition is a function of the model, the conditions, the seed and "
                "n: after a restart the source continues at its position with the same records, "
                "on any number of workers, so that exactly-once holds from end to end. Each record "
                "is drawn by itself; records do not follow each other in time.\n\n"
                "Not for privacy: new records lie near real ones, which are in the file. Fields "
                "have the names that they have in the model; numbers are doubles, unless `schema` "
                "declares int. Each task keeps a model: 20 kB a field, and 8 bytes for each number "
                "of the sample.",
            .options = source_options,
            .refused = source_refused,
            .outputs = mr_model_source_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
            .check = mr_model_source_check_conditions,
            .check_bound = source_check,
        },
    .instance_size = sizeof(struct mr_model_source),
    .open = source_open,
    .generate = mr_model_source_generate,
    .close = mr_model_source_close,
};
