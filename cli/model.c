/* cli/model.c — `millrace model`: save what a running generator has learned, show and compare. */
#include "cli/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "cli/model_observed.h"
#include "cli/output_file.h"
#include "cli/table.h"
#include "operators/sample_distance.h"

enum { ARENA_BYTES = 1 << 16, TOP_MAX = 12, DAY_MS = 86400000, DATE_BYTES = 10 };

/* ---- Shared pieces ---- */

enum mr_exit mr_model_print_json(json_t *value)
{
    bool is_printed = json_dumpf(value, stdout, JSON_INDENT(2)) == 0;
    (void)puts("");
    json_decref(value);
    return is_printed ? MR_EXIT_FINE : MR_EXIT_USAGE;
}

json_t *mr_model_facts_json(const struct mr_sample_model *model)
{
    const struct mr_sample_facts *facts = mr_sample_model_facts(model);
    json_t *value = json_object();
    json_object_set_new(value, "type", json_string(facts->type));
    json_object_set_new(value, "name", json_string(facts->name));
    json_object_set_new(value, "version", json_integer((json_int_t)facts->version));
    json_object_set_new(value, "rows", json_integer((json_int_t)facts->rows));
    json_object_set_new(value, "effective_rows", json_real(facts->effective_rows));
    json_object_set_new(value, "holds_rows", json_boolean(facts->holds_rows));
    return value;
}

const char *mr_model_facts_text(struct mr_modelling *modelling, const struct mr_sample_model *model)
{
    const struct mr_sample_facts *facts = mr_sample_model_facts(model);
    struct mr_arena *arena = &modelling->arena;
    return mr_arena_format(arena, "%s, version %llu: a %s of %s, learned from %s (%s effective)%s",
                           mr_text_escape(arena, mr_slice_text(facts->name)),
                           (unsigned long long)facts->version, facts->type,
                           mr_text_plural(arena, facts->fields_count, "field"),
                           mr_text_plural(arena, (int64_t)facts->rows, "row"),
                           mr_text_count(arena, (int64_t)nearbyint(facts->effective_rows)),
                           facts->holds_rows ? "; holds real records" : "");
}

const char *mr_model_number(struct mr_modelling *modelling, const struct mr_copula_column *column,
                            double number)
{
    char text[MR_CLOCK_TEXT_SIZE];
    bool is_date = column->kind == MR_COPULA_DATE;
    if (is_date || column->kind == MR_COPULA_TIME || column->kind == MR_COPULA_TIMESTAMP) {
        double time_ms = is_date ? floor(number) * DAY_MS : nearbyint(number * 1000);
        (void)mr_clock_format_rfc3339((int64_t)time_ms, text);
        if (is_date)
            text[DATE_BYTES] = '\0';
        return mr_arena_copy_text(&modelling->arena, text);
    }
    return mr_arena_format(&modelling->arena, "%.6g", number + 0.0);
}

const char *mr_model_latent(struct mr_modelling *modelling, const struct mr_sample_model *model,
                            uint32_t latent)
{
    const struct mr_sample_facts *facts = mr_sample_model_facts(model);
    const char *name = facts->fields[latent % facts->fields_count];
    return mr_arena_format(&modelling->arena, "%s%s",
                           mr_text_escape(&modelling->arena, mr_slice_text(name)),
                           latent >= facts->fields_count ? " is missing" : "");
}

/* ---- Showing ---- */

static double missing_share(const struct mr_sample_copula *own, uint32_t field)
{
    return own->model.weight > 0 ? own->model.columns[field].missing / own->model.weight : 0;
}

/* Categories by their share, the largest first. */
static void order_by_share(const struct mr_copula_texts *texts, uint32_t order[])
{
    for (uint32_t made = 0; made < texts->count; made++) {
        uint32_t at = made;
        for (; at > 0 && texts->weights[order[at - 1]] < texts->weights[made]; at--)
            order[at] = order[at - 1];
        order[at] = made;
    }
}

static const char *words_of_texts(struct mr_modelling *modelling,
                                  const struct mr_copula_texts *texts)
{
    uint32_t order[MR_COPULA_TEXTS_MAX];
    const char *words = "";
    struct mr_arena *arena = &modelling->arena;
    order_by_share(texts, order);
    for (uint32_t at = 0; at < texts->count && at < 4; at++) {
        struct mr_slice text = mr_slice_from(texts->bytes[order[at]], texts->sizes[order[at]]);
        words =
            mr_arena_format(arena, "%s%s%s %.1f%%", words, at > 0 ? ", " : "",
                            mr_text_escape(arena, text), 100 * mr_sample_text_share(texts, text));
    }
    return texts->count > 4 ? mr_arena_format(arena, "%s, %u more", words, texts->count - 4)
                            : words;
}

static const char *words_of_column(struct mr_modelling *modelling,
                                   const struct mr_copula_column *column)
{
    const struct mr_marginal *marginal = &column->marginal;
    if (column->kind == MR_COPULA_TEXT)
        return words_of_texts(modelling, &column->texts);
    if (column->kind == MR_COPULA_IDENTIFIER)
        return mr_arena_format(&modelling->arena, "%.*sNNN", column->texts.sizes[0] - 1,
                               (const char *)column->texts.bytes[0]);
    if (column->kind == MR_COPULA_UNKNOWN || marginal->bins_count == 0)
        return "no value";
    if (column->kind == MR_COPULA_BOOLEAN) {
        double below = 0;
        for (uint32_t bin = 0; bin < marginal->bins_count; bin++)
            below += marginal->bins[bin].lowest > 0 ? marginal->bins[bin].weight : 0;
        return mr_arena_format(&modelling->arena, "true %.1f%%",
                               100 * below / mr_marginal_weight(marginal));
    }
    return mr_arena_format(&modelling->arena, "%s to %s, quartiles %s, %s, %s",
                           mr_model_number(modelling, column, mr_sample_quantile(marginal, 0)),
                           mr_model_number(modelling, column, mr_sample_quantile(marginal, 1)),
                           mr_model_number(modelling, column, mr_sample_quantile(marginal, 0.25)),
                           mr_model_number(modelling, column, mr_sample_quantile(marginal, 0.5)),
                           mr_model_number(modelling, column, mr_sample_quantile(marginal, 0.75)));
}

struct pair {
    uint32_t row;
    uint32_t column;
    double r;
};

static int compare_pairs(const void *left, const void *right)
{
    double a = fabs(((const struct pair *)left)->r);
    double b = fabs(((const struct pair *)right)->r);
    return (a < b) - (a > b);
}

/* The correlations, the strongest first. */
static struct pair *sort_pairs(struct mr_modelling *modelling, const struct mr_sample_copula *own,
                               uint32_t *count)
{
    uint32_t latents = own->latents_count;
    struct pair *pairs =
        mr_arena_new(&modelling->arena, (size_t)latents * latents + 1, sizeof(*pairs));
    *count = 0;
    for (uint32_t row = 0; row < latents; row++)
        for (uint32_t column = 0; column < row; column++)
            pairs[(*count)++] = (struct pair){own->latents[row], own->latents[column],
                                              own->correlations[(size_t)row * latents + column]};
    qsort(pairs, *count, sizeof(*pairs), compare_pairs);
    return pairs;
}

static json_t *column_json(struct mr_modelling *modelling, const struct mr_sample_model *model,
                           const struct mr_sample_copula *own, uint32_t field)
{
    static const double shares[] = {0, 0.25, 0.5, 0.75, 1};
    const struct mr_copula_column *column = &own->model.columns[field];
    json_t *value = json_object();
    json_object_set_new(value, "name", json_string(mr_sample_model_facts(model)->fields[field]));
    json_object_set_new(value, "kind", json_string(mr_sample_copula_kind_name(column->kind)));
    json_object_set_new(value, "missing", json_real(missing_share(own, field)));
    if (column->kind == MR_COPULA_TEXT) {
        uint32_t order[MR_COPULA_TEXTS_MAX];
        json_t *categories = json_array();
        order_by_share(&column->texts, order);
        for (uint32_t at = 0; at < column->texts.count; at++) {
            struct mr_slice text =
                mr_slice_from(column->texts.bytes[order[at]], column->texts.sizes[order[at]]);
            json_t *one = json_object();
            json_object_set_new(one, "value", json_stringn((const char *)text.data, text.size));
            json_object_set_new(one, "share",
                                json_real(mr_sample_text_share(&column->texts, text)));
            json_array_append_new(categories, one);
        }
        json_object_set_new(value, "categories", categories);
    } else if (column->marginal.bins_count > 0) {
        json_t *quartiles = json_array();
        bool is_number = column->kind == MR_COPULA_NUMBER || column->kind == MR_COPULA_BOOLEAN;
        for (int at = 0; at < 5; at++) {
            double number = mr_sample_quantile(&column->marginal, shares[at]);
            json_array_append_new(
                quartiles, is_number ? json_real(number)
                                     : json_string(mr_model_number(modelling, column, number)));
        }
        json_object_set_new(value, "quartiles", quartiles);
    }
    return value;
}

static enum mr_exit show_json(struct mr_modelling *modelling, const struct mr_sample_model *model,
                              const struct mr_sample_copula *own)
{
    json_t *value = mr_model_facts_json(model);
    uint32_t count = 0;
    if (own == NULL)
        return mr_model_print_json(value);
    json_t *fields = json_array();
    for (uint32_t field = 0; field < own->model.shape.columns_count; field++)
        json_array_append_new(fields, column_json(modelling, model, own, field));
    json_object_set_new(value, "fields", fields);
    const struct pair *pairs = sort_pairs(modelling, own, &count);
    json_t *correlations = json_array();
    for (uint32_t at = 0; at < count; at++) {
        json_t *one = json_object();
        json_object_set_new(one, "one",
                            json_string(mr_model_latent(modelling, model, pairs[at].column)));
        json_object_set_new(one, "other",
                            json_string(mr_model_latent(modelling, model, pairs[at].row)));
        json_object_set_new(one, "correlation", json_real(pairs[at].r));
        json_array_append_new(correlations, one);
    }
    json_object_set_new(value, "correlations", correlations);
    mr_model_observed_json(value, mr_sample_model_observed(model));
    return mr_model_print_json(value);
}

static void show_fields(struct mr_modelling *modelling, const struct mr_sample_model *model,
                        const struct mr_sample_copula *own)
{
    static const struct mr_table_column columns[] = {
        {"FIELD", false}, {"KIND", false}, {"MISSING", true}, {"DISTRIBUTION", false}, {0}};
    struct mr_table table;
    mr_table_init(&table, &modelling->arena, columns);
    for (uint32_t field = 0; field < own->model.shape.columns_count; field++) {
        const struct mr_copula_column *column = &own->model.columns[field];
        mr_table_text(&table, mr_sample_model_facts(model)->fields[field]);
        mr_table_text(&table, mr_sample_copula_kind_name(column->kind));
        mr_table_text(
            &table, mr_arena_format(&modelling->arena, "%.1f%%", 100 * missing_share(own, field)));
        mr_table_text(&table, words_of_column(modelling, column));
    }
    mr_table_print(&table, stdout);
    mr_table_deinit(&table);
}

static void show_correlations(struct mr_modelling *modelling, const struct mr_sample_model *model,
                              const struct mr_sample_copula *own)
{
    static const struct mr_table_column columns[] = {
        {"CORRELATION", true}, {"OF", false}, {"WITH", false}, {0}};
    struct mr_table table;
    uint32_t count = 0;
    const struct pair *pairs = sort_pairs(modelling, own, &count);
    mr_table_init(&table, &modelling->arena, columns);
    for (uint32_t at = 0; at < count && at < TOP_MAX; at++) {
        mr_table_text(&table, mr_arena_format(&modelling->arena, "%+.3f", pairs[at].r));
        mr_table_text(&table, mr_model_latent(modelling, model, pairs[at].column));
        mr_table_text(&table, mr_model_latent(modelling, model, pairs[at].row));
    }
    if (count > 0)
        (void)puts("");
    mr_table_print(&table, stdout);
    if (count > TOP_MAX)
        printf("%u weaker ones are not shown; -o json has all.\n", count - TOP_MAX);
    mr_table_deinit(&table);
}

static enum mr_exit show(struct mr_modelling *modelling)
{
    struct mr_cli_model model;
    enum mr_exit code = mr_cli_model_open(&model, modelling->arguments,
                                          modelling->arguments->operands[1], &modelling->arena);
    if (code == MR_EXIT_FINE) {
        const struct mr_sample_copula *own = mr_sample_model_copula(model.model);
        if (modelling->json) {
            code = show_json(modelling, model.model, own);
        } else {
            puts(mr_model_facts_text(modelling, model.model));
            if (own != NULL) {
                show_fields(modelling, model.model, own);
                show_correlations(modelling, model.model, own);
            }
            mr_model_observed_print(&modelling->arena, mr_sample_model_observed(model.model));
        }
    }
    mr_cli_model_close(&model);
    return code;
}

/* ---- Saving ---- */

static enum mr_exit save(struct mr_modelling *modelling)
{
    struct mr_output_file output = {0};
    struct mr_cli_model model;
    const char *path = mr_arguments_flag(modelling->arguments, "out")->text;
    if (path == NULL) {
        (void)fputs("millrace: --out is missing: say into which file\n", stderr);
        return MR_EXIT_USAGE;
    }
    enum mr_exit code = mr_cli_model_fetch(&model, modelling->arguments,
                                           modelling->arguments->operands[1], &modelling->arena);
    bool holds_rows = code == MR_EXIT_FINE && mr_sample_model_facts(model.model)->holds_rows;
    if (holds_rows && !mr_arguments_given(modelling->arguments, "with-rows")) {
        (void)fputs("millrace: this model holds records as they were learned, and so would the "
                    "file; say --with-rows if that is wanted, or use the model where it is: "
                    "millrace generate TOPOLOGY/OPERATOR\n",
                    stderr);
        code = MR_EXIT_USAGE;
    }
    if (code == MR_EXIT_FINE)
        code = mr_output_file_open(&output, path, holds_rows, &modelling->arena);
    if (code == MR_EXIT_FINE)
        code = mr_output_file_finish(&output, model.text);
    if (code == MR_EXIT_FINE && modelling->json)
        code = mr_model_print_json(mr_model_facts_json(model.model));
    else if (code == MR_EXIT_FINE)
        puts(mr_model_facts_text(modelling, model.model));
    mr_cli_model_close(&model);
    return code;
}

/* ---- The command ---- */

static enum mr_exit run(const struct mr_arguments *arguments)
{
    static const struct {
        const char *name;
        uint32_t operands;
        enum mr_exit (*run)(struct mr_modelling *modelling);
    } actions[] = {{"save", 2, save}, {"show", 2, show}, {"compare", 3, mr_model_compare}};
    struct mr_modelling modelling = {.arguments = arguments,
                                     .json = mr_arguments_flag(arguments, "output")->integer ==
                                             MR_OUTPUT_JSON};
    size_t action = 0;
    while (action < 3 && strcmp(actions[action].name, arguments->operands[0]) != 0)
        action++;
    if (action == 3) {
        (void)fprintf(stderr,
                      "millrace: there is no model action '%s'; there are: save, show, "
                      "compare\n",
                      arguments->operands[0]);
        return MR_EXIT_USAGE;
    }
    if (arguments->operands_count != actions[action].operands) {
        (void)fprintf(stderr, "millrace: model %s takes %s\n", actions[action].name,
                      action == 0   ? "TOPOLOGY/OPERATOR"
                      : action == 1 ? "one MODEL"
                                    : "two MODELs");
        return MR_EXIT_USAGE;
    }
    if (action != 0 &&
        (mr_arguments_given(arguments, "out") || mr_arguments_given(arguments, "with-rows"))) {
        (void)fputs("millrace: --out and --with-rows are for model save\n", stderr);
        return MR_EXIT_USAGE;
    }
    mr_arena_init(&modelling.arena, ARENA_BYTES);
    enum mr_exit code = actions[action].run(&modelling);
    mr_arena_deinit(&modelling.arena);
    return code;
}

static const struct mr_flag flags[] = {{.name = "out",
                                        .kind = MR_FLAG_TEXT,
                                        .value = "FILE",
                                        .help = "Of save: where the model is written."},
                                       {.name = "with-rows",
                                        .kind = MR_FLAG_SWITCH,
                                        .help = "Of save: also a model that holds real records; "
                                                "only you may read the file."},
                                       MR_FLAGS_MODEL,
                                       MR_FLAG_OUTPUT,
                                       MR_FLAGS_SERVER,
                                       {.name = NULL}};

const struct mr_command mr_command_model = {
    .name = "model",
    .operands = "save TOPOLOGY/OPERATOR | show MODEL | compare MODEL MODEL",
    .operands_min = 1,
    .operands_max = 3,
    .summary = "Save, show and compare what generators have learned.",
    .description =
        "A model is a JSON document: distributions and correlations, no record of what was "
        "learned. `save` takes it from\ncommitted state of a running operator (generate.copula). "
        "That of generate.bootstrap is a sample of real records:\n--with-rows saves it, too. "
        "MODEL is such a file or TOPOLOGY/OPERATOR of a cluster.\n`compare` tells per field how "
        "far "
        "the distributions are apart, which categories came and went, and the correlations\nthat "
        "changed most. `millrace generate` draws rows from a model.",
    .flags = flags,
    .run = run};
