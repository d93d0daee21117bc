/* operators/quality_rules.c — quality.rules: which of its checks a record violates.
 * Design: no state and no key: each record is judged alone, by quality_checks.h, and goes on with
 * what was found. */
#include "operators/quality_rows.h"

#include "base/assert.h"
#include "operators/registry.h"

enum { OUTPUT_ALERTS = 1 };

struct quality_rules {
    const struct mr_plan_node *node;
    struct mr_quality_checks checks;
    struct mr_alert_teller teller;
};

static enum mr_status rules_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct quality_rules *rules = self;
    MR_UNUSED(error);
    rules->node = open->node;
    mr_quality_checks_open(&rules->checks, &open->node->options);
    mr_alert_teller_open(&rules->teller, open, OUTPUT_ALERTS);
    return MR_OK;
}

static enum mr_status rules_process(void *self, struct mr_operator_context *context, uint32_t port,
                                    struct mr_view view, struct mr_error *error)
{
    const struct quality_rules *rules = self;
    struct mr_quality_findings findings;
    struct mr_alert_batch alerts = {
        .teller = &rules->teller, .context = context, .cause = view.batch};
    MR_UNUSED(port);
    MR_UNUSED(error);
    mr_quality_find(&rules->checks, context, view, &findings);
    mr_quality_rows_write(&rules->checks, &findings, view, view.batch, rules->node->added_slots);
    mr_quality_rows_alert(&rules->checks, &findings, view, NULL, &alerts);
    mr_alert_batch_end(&alerts);
    mr_operator_emit(context, 0, view);
    return MR_OK;
}

static void rules_close(void *self)
{
    struct quality_rules *rules = self;
    mr_quality_checks_close(&rules->checks);
}

static enum mr_status rules_check(const struct mr_options *options, const char **option,
                                  struct mr_error *error)
{
    return mr_quality_check(options, false, option, error);
}

static const struct mr_option_spec rules_options[] = {
    {.name = "checks",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = MR_QUALITY_CHECKS_MAX,
     .fields = mr_quality_check_options,
     .help = "What is expected of each record, 1 to 32 named checks; all are judged."},
    {.name = NULL},
};

static const struct mr_output_field rules_fields[] = {MR_QUALITY_MEMBERS("on the record")};

static const struct mr_output_spec rules_outputs[] = {
    {.name = "main", .help = "Every record, with the object added."},
    {.name = "alerts",
     .help = "One alert record per record and check that failed, with the record and its place.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

const struct mr_operator_type mr_operator_quality_rules = {
    .spec =
        {
            .name = "quality.rules",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_ADDS_FIELD,
            .summary = "Checks each record by named rules and adds what it violates.",
            .description =
                "Each entry of `checks` says what is expected: a condition (`{name: ordered, "
                "where: 'begin <= end'}`), or an expectation of a field (`{name: plausible, "
                "field: value, expect: between, min: -50, max: 150}`): not_null, type, between, "
                "in_set, matches, references. All checks are judged for each record, also those "
                "behind one that failed; the record goes on, with the names of the checks that "
                "failed and a sentence. A field that is missing or null violates not_null and "
                "nothing else. A condition that cannot be computed is violated, so that no record "
                "is lost to a check.\n\n"
                "A reference to a table: put join.lookup (a file) or join.table (a topic) with "
                "`kind: left` in front, and expect `references: NAME.KEY`, a field of the object "
                "that the join adds; `field` is the key that was looked up, for the sentence, and "
                "a record without it is passed over.\n\n"
                "Use it to mark records; filter behind it by `quality.passed`, or use "
                "quality.checkpoint, which divides them, and judges batches and windows as a "
                "whole. Keeps no state and needs no key.",
            .options = rules_options,
            .outputs = rules_outputs,
            .outputs_count = MR_ARRAY_COUNT(rules_outputs),
            .as_default = "quality",
            .added_fields = rules_fields,
            .added_fields_count = MR_ARRAY_COUNT(rules_fields),
            .check = rules_check,
            .check_bound = mr_quality_check_bound,
        },
    .instance_size = sizeof(struct quality_rules),
    .open = rules_open,
    .process = rules_process,
    .close = rules_close,
};
