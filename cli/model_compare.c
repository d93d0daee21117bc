/* cli/model_compare.c — `millrace model compare`: two models of the same fields, field by field and
 * correlation by correlation.
 * Distances: of numbers and times Kolmogorov and Smirnov's, of categories the total variation, each
 * from 0 (the same) to 1. Fields of another kind on the other side have none. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/model.h"
#include "cli/table.h"
#include "operators/sample_distance.h"

enum { TOP_MAX = 12, NAMES_MAX = 5 };

struct side {
    struct mr_cli_model document;
    const struct mr_sample_facts *facts;
    const struct mr_sample_copula *own;
};

struct comparing {
    struct mr_modelling *modelling;
    struct side sides[2];
};

struct change {
    uint32_t row; /* latents of the first side */
    uint32_t column;
    double before;
    double after;
};

static uint32_t find_field(const struct mr_sample_facts *facts, const char *name)
{
    uint32_t field = 0;
    while (field < facts->fields_count && strcmp(facts->fields[field], name) != 0)
        field++;
    return field;
}

/* ---- Fields ---- */

static const struct mr_copula_column *column_of(const struct side *side, uint32_t field)
{
    return field == side->facts->fields_count ? NULL : &side->own->model.columns[field];
}

static double missing_share(const struct side *side, uint32_t field)
{
    double weight = side->own->model.weight;
    return weight > 0 ? side->own->model.columns[field].missing / weight : 0;
}

/* False: they cannot be compared. */
static bool distance_of(const struct mr_copula_column *one, const struct mr_copula_column *other,
                        double *distance)
{
    *distance = 0;
    if (one == NULL || other == NULL || one->kind != other->kind)
        return false;
    if (one->kind == MR_COPULA_TEXT)
        *distance = mr_sample_distance_texts(&one->texts, &other->texts);
    else
        *distance = mr_sample_distance_numbers(&one->marginal, &other->marginal);
    return one->kind != MR_COPULA_IDENTIFIER && one->kind != MR_COPULA_UNKNOWN;
}

/* Categories that the other side does not have. */
static json_t *only_in(const struct mr_copula_column *one, const struct mr_copula_column *other)
{
    json_t *names = json_array();
    if (one->kind != MR_COPULA_TEXT || other->kind != MR_COPULA_TEXT)
        return names;
    for (uint32_t rank = 0; rank < one->texts.count; rank++) {
        uint32_t text = one->texts.order[rank];
        struct mr_slice name = mr_slice_from(one->texts.bytes[text], one->texts.sizes[text]);
        if (mr_sample_text_share(&one->texts, name) > 0 &&
            !(mr_sample_text_share(&other->texts, name) > 0))
            json_array_append_new(names, json_stringn((const char *)name.data, name.size));
    }
    return names;
}

static json_t *kind_json(const struct mr_copula_column *column)
{
    return column == NULL ? json_null() : json_string(mr_sample_copula_kind_name(column->kind));
}

static json_t *compare_field(const struct comparing *comparing, const char *name)
{
    const struct side *sides = comparing->sides;
    uint32_t fields[2] = {find_field(sides[0].facts, name), find_field(sides[1].facts, name)};
    const struct mr_copula_column *one = column_of(&sides[0], fields[0]);
    const struct mr_copula_column *other = column_of(&sides[1], fields[1]);
    json_t *value = json_object();
    double distance;
    bool has_distance = distance_of(one, other, &distance);
    json_object_set_new(value, "name", json_string(name));
    json_object_set_new(value, "kinds", json_pack("[o, o]", kind_json(one), kind_json(other)));
    json_object_set_new(value, "distance", has_distance ? json_real(distance) : json_null());
    if (one == NULL || other == NULL)
        return value;
    json_object_set_new(value, "missing",
                        json_pack("[f, f]", missing_share(&sides[0], fields[0]),
                                  missing_share(&sides[1], fields[1])));
    json_object_set_new(value, "came", only_in(other, one));
    json_object_set_new(value, "went", only_in(one, other));
    return value;
}

static json_t *compare_fields(const struct comparing *comparing)
{
    json_t *fields = json_array();
    const struct mr_sample_facts *one = comparing->sides[0].facts;
    const struct mr_sample_facts *other = comparing->sides[1].facts;
    for (uint32_t field = 0; field < one->fields_count; field++)
        json_array_append_new(fields, compare_field(comparing, one->fields[field]));
    for (uint32_t field = 0; field < other->fields_count; field++)
        if (find_field(one, other->fields[field]) == one->fields_count)
            json_array_append_new(fields, compare_field(comparing, other->fields[field]));
    return fields;
}

/* ---- Correlations ---- */

/* The other side's place of a latent; its count: it does not vary there. */
static uint32_t place_of(const struct comparing *comparing, uint32_t latent)
{
    const struct side *sides = comparing->sides;
    uint32_t count = sides[0].facts->fields_count;
    uint32_t field = find_field(sides[1].facts, sides[0].facts->fields[latent % count]);
    uint32_t wanted = latent < count ? field : sides[1].facts->fields_count + field;
    uint32_t place = 0;
    while (place < sides[1].own->latents_count && sides[1].own->latents[place] != wanted)
        place++;
    return field == sides[1].facts->fields_count ? sides[1].own->latents_count : place;
}

static int compare_changes(const void *left, const void *right)
{
    const struct change *a = left;
    const struct change *b = right;
    double first = fabs(a->after - a->before);
    double second = fabs(b->after - b->before);
    return (first < second) - (first > second);
}

static struct change *find_changes(const struct comparing *comparing, uint32_t *count)
{
    const struct mr_sample_copula *one = comparing->sides[0].own;
    const struct mr_sample_copula *other = comparing->sides[1].own;
    uint32_t places[2 * MR_COPULA_COLUMNS_MAX];
    struct change *changes =
        mr_arena_new(&comparing->modelling->arena,
                     (size_t)one->latents_count * one->latents_count + 1, sizeof(*changes));
    *count = 0;
    for (uint32_t row = 0; row < one->latents_count; row++) {
        places[row] = place_of(comparing, one->latents[row]);
        for (uint32_t column = 0; column < row; column++) {
            if (places[row] == other->latents_count || places[column] == other->latents_count)
                continue;
            changes[(*count)++] = (struct change){
                .row = one->latents[row],
                .column = one->latents[column],
                .before = one->correlations[(size_t)row * one->latents_count + column],
                .after =
                    other
                        ->correlations[(size_t)places[row] * other->latents_count + places[column]],
            };
        }
    }
    qsort(changes, *count, sizeof(*changes), compare_changes);
    return changes;
}

static json_t *compare_correlations(const struct comparing *comparing)
{
    uint32_t count;
    const struct change *changes = find_changes(comparing, &count);
    const struct mr_sample_model *model = comparing->sides[0].document.model;
    json_t *list = json_array();
    for (uint32_t at = 0; at < count; at++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:f, s:f}", "one",
                            mr_model_latent(comparing->modelling, model, changes[at].column),
                            "other", mr_model_latent(comparing->modelling, model, changes[at].row),
                            "before", changes[at].before, "after", changes[at].after));
    return list;
}

/* ---- For people ---- */

static const char *join_names(struct mr_modelling *modelling, const char *head, const json_t *names)
{
    const char *text = "";
    struct mr_arena *arena = &modelling->arena;
    size_t count = json_array_size(names);
    for (size_t at = 0; at < count && at < NAMES_MAX; at++)
        text = mr_arena_format(
            arena, "%s%s%s", text, at > 0 ? ", " : head,
            mr_text_escape(arena, mr_slice_text(json_string_value(json_array_get(names, at)))));
    return count > NAMES_MAX ? mr_arena_format(arena, "%s and %zu more", text, count - NAMES_MAX)
                             : text;
}

static const char *words_of(struct mr_modelling *modelling, const json_t *field)
{
    struct mr_arena *arena = &modelling->arena;
    const json_t *kinds = json_object_get(field, "kinds");
    const json_t *missing = json_object_get(field, "missing");
    const char *one = json_string_value(json_array_get(kinds, 0));
    const char *other = json_string_value(json_array_get(kinds, 1));
    if (one == NULL || other == NULL)
        return one == NULL ? "is new" : "is gone";
    if (strcmp(one, other) != 0)
        return mr_arena_format(arena, "was a %s, is a %s", one, other);
    double before = json_real_value(json_array_get(missing, 0));
    double after = json_real_value(json_array_get(missing, 1));
    const char *words =
        fabs(before - after) >= 0.001
            ? mr_arena_format(arena, "missing %.1f%%, then %.1f%%; ", 100 * before, 100 * after)
            : "";
    return mr_arena_format(arena, "%s%s%s%s", words,
                           join_names(modelling, "came: ", json_object_get(field, "came")),
                           json_array_size(json_object_get(field, "came")) > 0 &&
                                   json_array_size(json_object_get(field, "went")) > 0
                               ? "; "
                               : "",
                           join_names(modelling, "went: ", json_object_get(field, "went")));
}

static void print_fields(const struct comparing *comparing, const json_t *fields)
{
    static const struct mr_table_column columns[] = {
        {"FIELD", false}, {"DISTANCE", true}, {"CHANGE", false}, {0}};
    struct mr_table table;
    mr_table_init(&table, &comparing->modelling->arena, columns);
    for (size_t at = 0; at < json_array_size(fields); at++) {
        const json_t *field = json_array_get(fields, at);
        const json_t *distance = json_object_get(field, "distance");
        mr_table_text(&table, json_string_value(json_object_get(field, "name")));
        mr_table_text(&table, json_is_real(distance)
                                  ? mr_arena_format(&comparing->modelling->arena, "%.4f",
                                                    json_real_value(distance))
                                  : NULL);
        mr_table_text(&table, words_of(comparing->modelling, field));
    }
    mr_table_print(&table, stdout);
    mr_table_deinit(&table);
}

static void print_correlations(const struct comparing *comparing)
{
    static const struct mr_table_column columns[] = {
        {"CORRELATION", true}, {"WAS", true}, {"OF", false}, {"WITH", false}, {0}};
    struct mr_modelling *modelling = comparing->modelling;
    const struct mr_sample_model *model = comparing->sides[0].document.model;
    struct mr_table table;
    uint32_t count;
    const struct change *changes = find_changes(comparing, &count);
    mr_table_init(&table, &modelling->arena, columns);
    for (uint32_t at = 0; at < count && at < TOP_MAX; at++) {
        mr_table_text(&table, mr_arena_format(&modelling->arena, "%+.3f", changes[at].after));
        mr_table_text(&table, mr_arena_format(&modelling->arena, "%+.3f", changes[at].before));
        mr_table_text(&table, mr_model_latent(modelling, model, changes[at].column));
        mr_table_text(&table, mr_model_latent(modelling, model, changes[at].row));
    }
    if (count > 0)
        (void)puts("");
    mr_table_print(&table, stdout);
    if (count > TOP_MAX)
        printf("%u smaller changes are not shown; -o json has all.\n", count - TOP_MAX);
    mr_table_deinit(&table);
}

/* ---- The action ---- */

static enum mr_exit print_all(const struct comparing *comparing)
{
    struct mr_modelling *modelling = comparing->modelling;
    json_t *fields = compare_fields(comparing);
    if (modelling->json) {
        json_t *value = json_object();
        json_object_set_new(value, "one", mr_model_facts_json(comparing->sides[0].document.model));
        json_object_set_new(value, "other",
                            mr_model_facts_json(comparing->sides[1].document.model));
        json_object_set_new(value, "fields", fields);
        json_object_set_new(value, "correlations", compare_correlations(comparing));
        return mr_model_print_json(value);
    }
    puts(mr_model_facts_text(modelling, comparing->sides[0].document.model));
    puts(mr_model_facts_text(modelling, comparing->sides[1].document.model));
    print_fields(comparing, fields);
    print_correlations(comparing);
    json_decref(fields);
    return MR_EXIT_FINE;
}

enum mr_exit mr_model_compare(struct mr_modelling *modelling)
{
    struct comparing comparing = {.modelling = modelling};
    enum mr_exit code = MR_EXIT_FINE;
    for (int which = 0; which < 2 && code == MR_EXIT_FINE; which++) {
        struct side *side = &comparing.sides[which];
        const char *operand = modelling->arguments->operands[1 + which];
        code = mr_cli_model_open(&side->document, modelling->arguments, operand, &modelling->arena);
        if (code != MR_EXIT_FINE)
            break;
        side->facts = mr_sample_model_facts(side->document.model);
        side->own = mr_sample_model_copula(side->document.model);
        if (side->own == NULL) {
            (void)fprintf(stderr,
                          "millrace: %s is a model of the type %s; copulas can be compared. Draw "
                          "rows of both by `millrace generate` and compare these\n",
                          operand, side->facts->type);
            code = MR_EXIT_WRONG;
        }
    }
    if (code == MR_EXIT_FINE)
        code = print_all(&comparing);
    mr_cli_model_close(&comparing.sides[0].document);
    mr_cli_model_close(&comparing.sides[1].document);
    return code;
}
