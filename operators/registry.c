/* operators/registry.c — the table of all operators and generators, and its own check.
 * To add one: list it here, in name order; docs/ADDING_AN_OPERATOR.md has the rest. */
#include "operators/operator.h"

#include <string.h>

#include "base/assert.h"
#include "base/number.h"
#include "operators/registry.h"

static const struct mr_operator_type *const registered[] = {
    &mr_operator_aggregate,
    &mr_operator_branch,
    &mr_operator_buffer,
    &mr_operator_deduplicate,
    &mr_operator_detect_dspot,
    &mr_operator_detect_ensemble,
    &mr_operator_detect_ewma,
    &mr_operator_detect_forecast,
    &mr_operator_detect_half_space_trees,
    &mr_operator_detect_hampel,
    &mr_operator_detect_heartbeat,
    &mr_operator_detect_iqr,
    &mr_operator_detect_isolation_forest,
    &mr_operator_detect_knn_cad,
    &mr_operator_detect_loda,
    &mr_operator_detect_mahalanobis,
    &mr_operator_detect_matrix_profile,
    &mr_operator_detect_nearest,
    &mr_operator_detect_new_value,
    &mr_operator_detect_random_cut_forest,
    &mr_operator_detect_rare_value,
    &mr_operator_detect_rate,
    &mr_operator_detect_relative_entropy,
    &mr_operator_detect_robust_z,
    &mr_operator_detect_seasonal_esd,
    &mr_operator_detect_spectral_residual,
    &mr_operator_detect_spot,
    &mr_operator_detect_threshold,
    &mr_operator_detect_zscore,
    &mr_operator_drift_adwin,
    &mr_operator_drift_ddm,
    &mr_operator_drift_eddm,
    &mr_operator_drift_hddm_a,
    &mr_operator_drift_hddm_w,
    &mr_operator_drift_kswin,
    &mr_operator_drift_page_hinkley,
    &mr_operator_evaluate_detection,
    &mr_operator_filter,
    &mr_operator_flat_map,
    &mr_operator_generate_bootstrap_source,
    &mr_operator_generate_bootstrap,
    &mr_operator_generate_copula_source,
    &mr_operator_generate_copula,
    &mr_operator_generate_datagen,
    &mr_operator_generate_markov_source,
    &mr_operator_generate_markov,
    &mr_operator_generate_model,
    &mr_operator_generate_network,
    &mr_operator_generate_nexmark,
    &mr_operator_generate_random,
    &mr_operator_generate_sequence,
    &mr_operator_generate_shuffle,
    &mr_operator_generate_timeseries,
    &mr_operator_join_interval,
    &mr_operator_join_lookup,
    &mr_operator_join_table,
    &mr_operator_key_by,
    &mr_operator_map,
    &mr_operator_merge,
    &mr_operator_model_merge,
    &mr_operator_quality_checkpoint,
    &mr_operator_quality_duplicates,
    &mr_operator_quality_profile,
    &mr_operator_quality_rules,
    &mr_operator_quality_score,
    &mr_operator_quality_synthetic,
    &mr_operator_rank,
    &mr_operator_sort,
    &mr_operator_spc_c,
    &mr_operator_spc_capability,
    &mr_operator_spc_cusum,
    &mr_operator_spc_ewma,
    &mr_operator_spc_i_mr,
    &mr_operator_spc_mewma,
    &mr_operator_spc_np,
    &mr_operator_spc_p,
    &mr_operator_spc_t2,
    &mr_operator_spc_u,
    &mr_operator_spc_xbar_r,
    &mr_operator_spc_xbar_s,
    &mr_operator_spc_xbar_t2,
    &mr_operator_voxel_aggregate,
    &mr_operator_window_aggregate,
};

const struct mr_operator_type *const *mr_operators(uint32_t *count)
{
    *count = (uint32_t)MR_ARRAY_COUNT(registered);
    return registered;
}

/* Order of a type and another one's name and role. */
static int compare(const struct mr_operator_type *type, enum mr_role role, const char *name)
{
    int order = strcmp(type->spec.name, name);
    return order != 0 ? order : (int)type->spec.role - (int)role;
}

const struct mr_operator_type *mr_operator_find(enum mr_role role, const char *name)
{
    uint32_t first = 0;
    uint32_t count = (uint32_t)MR_ARRAY_COUNT(registered);
    while (count > 0) {
        uint32_t half = count / 2;
        int order = compare(registered[first + half], role, name);
        if (order == 0)
            return registered[first + half];
        if (order < 0) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return NULL;
}

static enum mr_status broken(struct mr_error *error, const char *type, const char *what)
{
    return MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_EXIT, "the operator table of %s: %s", type,
                   what);
}

static bool is_sentence(const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);
    return size > 1 && text[size - 1] == '.';
}

/* The number a default stands for, where the type has one. */
static bool default_number(const struct mr_option_spec *spec, double *number)
{
    struct mr_slice text = mr_slice_text(spec->default_text);
    struct mr_number parsed;
    int64_t integer;
    switch (spec->type) {
    case MR_OPTION_INTEGER:
    case MR_OPTION_NUMBER:
    case MR_OPTION_SHARE:
        if (mr_number_parse(text.data, text.data + text.size, &parsed) != text.data + text.size)
            return false;
        *number = parsed.number;
        return true;
    case MR_OPTION_DURATION:
        if (!mr_option_parse_duration(text, &integer))
            return false;
        *number = (double)integer;
        return true;
    case MR_OPTION_SIZE:
        if (!mr_option_parse_size(text, &integer))
            return false;
        *number = (double)integer;
        return true;
    case MR_OPTION_RATE:
        return mr_option_parse_rate(text, number);
    case MR_OPTION_CHOICE:
        *number = 0;
        for (uint32_t index = 0; spec->choices[index] != NULL; index++)
            if (strcmp(spec->choices[index], spec->default_text) == 0)
                return true;
        return false;
    case MR_OPTION_BOOLEAN:
        *number = 0;
        return strcmp(spec->default_text, "true") == 0 || strcmp(spec->default_text, "false") == 0;
    case MR_OPTION_STRING:
    case MR_OPTION_PATH:
    case MR_OPTION_INSTANT:
        *number = spec->minimum;
        return true;
    case MR_OPTION_STRINGS:
    case MR_OPTION_NAMES:
    case MR_OPTION_STRING_MAP:
    case MR_OPTION_NAME_MAP:
    case MR_OPTION_PATHS:
    case MR_OPTION_EXPRESSION:
    case MR_OPTION_EXPRESSIONS:
    case MR_OPTION_REFERENCE:
    case MR_OPTION_REFERENCES:
    case MR_OPTION_SCHEMA:
    case MR_OPTION_OBJECT:
    case MR_OPTION_OBJECTS:
    case MR_OPTION_RECORDS:
    case MR_OPTION_STEP:
    case MR_OPTION_AGGREGATES:
    case MR_OPTION_ZONE:
    case MR_OPTION_NUMBERS:
    case MR_OPTION_DOCUMENT:
        return false;
    }
    return false;
}

static enum mr_status check_options(const struct mr_option_spec *specs, const char *type,
                                    struct mr_error *error)
{
    for (; specs->name != NULL; specs++) {
        if (!is_sentence(specs->help))
            return broken(error, type, "an option has no help that is a sentence");
        bool nested = specs->type == MR_OPTION_OBJECT || specs->type == MR_OPTION_OBJECTS;
        if (nested != (specs->fields != NULL))
            return broken(error, type, "an option's nested options do not fit its type");
        if ((specs->type == MR_OPTION_CHOICE) != (specs->choices != NULL))
            return broken(error, type, "an option's choices do not fit its type");
        if (specs->default_text != NULL) {
            double number;
            if ((specs->flags & MR_OPTION_REQUIRED) != 0)
                return broken(error, type, "a required option has a default");
            if (!default_number(specs, &number))
                return broken(error, type, "a default is not of its option's type");
            if (specs->minimum < specs->maximum &&
                (number < specs->minimum || number > specs->maximum))
                return broken(error, type, "a default is out of bounds");
        }
        if (nested) {
            enum mr_status status = check_options(specs->fields, type, error);
            if (status != MR_OK)
                return status;
        }
    }
    return MR_OK;
}

static enum mr_status check_outputs(const struct mr_type_spec *spec, struct mr_error *error)
{
    bool dynamic = (spec->flags & MR_TYPE_DYNAMIC_OUTPUTS) != 0;
    if (dynamic ? spec->outputs_count != 0 : spec->outputs_count == 0)
        return broken(error, spec->name, "its outputs do not fit its flags");
    for (uint32_t index = 0; index < spec->outputs_count; index++) {
        const struct mr_output_spec *output = &spec->outputs[index];
        if (!is_sentence(output->help))
            return broken(error, spec->name, "an output has no help that is a sentence");
        for (uint32_t field = 0; field < output->fields_count; field++)
            if (!is_sentence(output->fields[field].help))
                return broken(error, spec->name, "an output's field has no help");
    }
    bool adds = (spec->flags & MR_TYPE_ADDS_FIELD) != 0;
    if (adds != (spec->added_fields_count > 0) || adds != (spec->as_default != NULL))
        return broken(error, spec->name, "its added fields do not fit its flags");
    for (uint32_t field = 0; field < spec->added_fields_count; field++)
        if (!is_sentence(spec->added_fields[field].help))
            return broken(error, spec->name, "an added field has no help that is a sentence");
    return MR_OK;
}

static enum mr_status check_type(const struct mr_operator_type *type, struct mr_error *error)
{
    const struct mr_type_spec *spec = &type->spec;
    bool generator = (spec->flags & MR_TYPE_GENERATOR) != 0;
    if (type->open == NULL || type->close == NULL || type->instance_size == 0)
        return broken(error, spec->name, "a mandatory member is missing");
    if (generator ? type->generate == NULL || type->process != NULL
                  : type->process == NULL || type->generate != NULL)
        return broken(error, spec->name, "it must have `process`, or `generate` as a generator");
    if (generator != (spec->role == MR_ROLE_SOURCE))
        return broken(error, spec->name, "its role does not fit its flags");
    if ((spec->state_version != 0) != (spec->estimate != NULL))
        return broken(error, spec->name, "what has state, and only that, estimates it");
    if ((spec->state_version != 0) != (type->describe_state != NULL) ||
        (spec->state_version != 0) != (type->state_table != NULL))
        return broken(error, spec->name, "what has state, and only that, describes it");
    if (type->write_model != NULL && spec->state_version == 0)
        return broken(error, spec->name, "it has models but no state");
    if (!is_sentence(spec->summary) || !is_sentence(spec->description))
        return broken(error, spec->name, "summary or description is not made of sentences");
    if (spec->options == NULL)
        return broken(error, spec->name, "it has no options table");
    enum mr_status status = check_options(spec->options, spec->name, error);
    return status == MR_OK ? check_outputs(spec, error) : status;
}

enum mr_status mr_operator_registry_check(struct mr_error *error)
{
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(registered); index++) {
        const struct mr_type_spec *spec = &registered[index]->spec;
        if (index > 0 && compare(registered[index - 1], spec->role, spec->name) >= 0)
            return broken(error, spec->name, "names must be unique in their role and sorted");
        enum mr_status status = check_type(registered[index], error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}
