/* operators/learned_conditions.c — see learned_conditions.h. */
#include "operators/learned_conditions.h"

#include "operators/sample_type.h"

enum mr_status mr_learned_conditions_read(struct mr_slice text,
                                          const struct mr_option_value *fields,
                                          const struct mr_learned_kind *kind, const void *model,
                                          struct mr_arena *arena,
                                          struct mr_learned_conditions *conditions,
                                          struct mr_error *error)
{
    const struct mr_sample_facts facts = {.fields_count = fields->count, .fields = fields->texts};
    struct mr_sample_condition *asked;
    uint32_t count;
    *conditions = (struct mr_learned_conditions){0};
    enum mr_status status = mr_sample_conditions_read(text, &facts, arena, &asked, &count, error);
    if (status != MR_OK || count == 0)
        return status;
    struct mr_copula_condition *bound = mr_arena_new(arena, count, sizeof(*bound));
    for (uint32_t index = 0; index < count && status == MR_OK; index++)
        status = kind->bind(model, &asked[index], arena, &bound[index], error);
    *conditions = (struct mr_learned_conditions){bound, count};
    return status;
}

enum mr_status mr_learned_condition_check(const struct mr_options *condition,
                                          struct mr_error *error)
{
    const char *name = mr_options_text(condition, "field");
    bool has_texts = mr_options_get(condition, "any_of")->count > 0;
    bool has_bounds = mr_options_present(condition, "gte") || mr_options_present(condition, "gt") ||
                      mr_options_present(condition, "lte") || mr_options_present(condition, "lt");
    bool has_instants =
        mr_options_present(condition, "since") || mr_options_present(condition, "before");
    if (name == NULL)
        return MR_OK;
    if (has_texts + has_bounds + has_instants != 1)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the condition on \"%s\" needs either `any_of`, or bounds by `gte`, `gt`, "
                       "`lte` and `lt`, or of a date or time by `since` and `before`",
                       name);
    if ((mr_options_present(condition, "gte") && mr_options_present(condition, "gt")) ||
        (mr_options_present(condition, "lte") && mr_options_present(condition, "lt")))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the condition on \"%s\" has two bounds on one side: leave one out", name);
    return MR_OK;
}
