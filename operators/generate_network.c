/* operators/generate_network.c — generate.network: records drawn from a trained generator network
 * such as CTGAN's. All but the table is in model_source.c. */
#include "base/assert.h"
#include "operators/model_source.h"
#include "operators/registry.h"
#include "operators/sample_model_network.h"

static enum mr_status network_open(void *self, const struct mr_operator_open *open,
                                   struct mr_error *error)
{
    return mr_model_source_open(self, &mr_sample_type_network, open, error);
}

static enum mr_status network_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    return mr_model_source_check(&mr_sample_type_network, options, option, error);
}

static const struct mr_option_spec network_options[] = {
    MR_MODEL_SOURCE_OPTIONS(
        "The model document of type network (docs/NETWORK_MODEL.md). It is read when the topology "
        "is planned, by every process at this path: a worker that finds another file there refuses "
        "the topology.",
        "What every record meets, one condition per field, at most 16. The rarest of those on "
        "categories goes into the network; what misses any is drawn again. Impossible conditions, "
        "and those that fewer than 4 of 16,384 records meet, are an error of the topology."),
    {.name = NULL},
};

static const struct mr_refused_option network_refused[] = {
    {"fit", "a network is trained elsewhere, and its document written by tools/network_model.py"},
    {"learn", "a network is trained elsewhere; `type: generate.copula` below `operators` learns "
              "from its input"},
    {"fields", "the model says which fields records have"},
    {"max_records", "say `count`"},
    {NULL, NULL},
};

const struct mr_operator_type mr_operator_generate_network = {
    .spec =
        {
            .name = "generate.network",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR,
            .summary = "Makes records with a trained generator network, such as CTGAN's.",
            .description =
                "The network comes from a model document, which tools/network_model.py writes from "
                "a CTGAN that was trained elsewhere (Xu and others, Modeling Tabular Data using "
                "Conditional GAN, NeurIPS 2019): dense layers with normalisation, numbers in the "
                "modes of a Gaussian mixture each, a condition that names a category.\n\n"
                "Record n of a partition is a function of the document, the conditions, the seed "
                "and n, with the same bits on every machine: after a restart the source continues "
                "at its position with the same records, on any number of workers, so that "
                "exactly-once holds from end to end. Each record is drawn by itself.\n\n"
                "Training is not done here. Data that changes needs generate.copula, which learns "
                "from the stream. Numbers are doubles, unless `schema` declares int. Memory: 4 "
                "bytes per weight and 256 per number of a row of activations, for each task. Cost: "
                "a product per weight and record, 10 to 20 us with CTGAN's default layers; under "
                "conditions so many times as much as there are records for one that meets them.",
            .options = network_options,
            .refused = network_refused,
            .outputs = mr_model_source_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
            .check = mr_model_source_check_conditions,
            .check_bound = network_check,
        },
    .instance_size = sizeof(struct mr_model_source),
    .open = network_open,
    .generate = mr_model_source_generate,
    .close = mr_model_source_close,
};
