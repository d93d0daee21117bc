/* operators/sample_model_copula.c — see sample_model_copula.h. */
#include "operators/sample_model_copula.h"

#include <math.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/copula_sampler.h"
#include "operators/symmetric.h"

#define WEIGHT_MAX 1e18
#define EFFECTIVE_ROWS_MAX 1e14
#define ROUNDING (1 + 1e-9)
/* Numbers that times stand for: what cells can hold, or more than a calendar can write. */
#define DAYS_MAX 4e6
#define SECONDS_MAX 1e12
#define TIMESTAMP_SECONDS_MAX 9223372036.0

static const char *const kind_names[MR_COPULA_KINDS_COUNT] = {
    [MR_COPULA_UNKNOWN] = "unknown",     [MR_COPULA_NUMBER] = "number",
    [MR_COPULA_BOOLEAN] = "boolean",     [MR_COPULA_TEXT] = "category",
    [MR_COPULA_DATE] = "date",           [MR_COPULA_TIME] = "time",
    [MR_COPULA_TIMESTAMP] = "timestamp", [MR_COPULA_IDENTIFIER] = "identifier",
};

const char *mr_sample_copula_kind_name(uint8_t kind)
{
    return kind_names[kind];
}

bool mr_sample_copula_has_decimals(uint8_t kind)
{
    return kind == MR_COPULA_NUMBER || kind == MR_COPULA_TIME || kind == MR_COPULA_TIMESTAMP;
}

static bool has_bins(uint8_t kind)
{
    return mr_sample_copula_has_decimals(kind) || kind == MR_COPULA_BOOLEAN ||
           kind == MR_COPULA_DATE;
}

/* ---- Writing ---- */

struct mr_slice mr_sample_copula_prefix(const struct mr_copula_texts *texts)
{
    uint32_t at = 0;
    while (at < texts->sizes[0] && !(texts->bytes[0][at] >= '0' && texts->bytes[0][at] <= '9'))
        at++;
    return mr_slice_from(texts->bytes[0], at == texts->sizes[0] ? 0 : at);
}

static void put_bins(struct mr_document_writer *writer, const struct mr_marginal *marginal)
{
    mr_document_put(writer, ", \"bins\": [");
    for (uint32_t bin = 0; bin < marginal->bins_count; bin++) {
        mr_document_put(writer, bin > 0 ? ", [" : "[");
        mr_document_put_number(writer, marginal->bins[bin].lowest);
        mr_document_put(writer, ", ");
        mr_document_put_number(writer, marginal->bins[bin].highest);
        mr_document_put(writer, ", ");
        mr_document_put_number(writer, marginal->bins[bin].weight);
        mr_document_put(writer, "]");
    }
    mr_document_put(writer, "]");
}

static void put_categories(struct mr_document_writer *writer, const struct mr_copula_texts *texts)
{
    mr_document_put(writer, ", \"categories\": [");
    for (uint32_t rank = 0; rank < texts->count; rank++) {
        uint32_t text = texts->order[rank];
        mr_document_put(writer, rank > 0 ? ", {\"value\": " : "{\"value\": ");
        mr_document_put_text(writer, mr_slice_from(texts->bytes[text], texts->sizes[text]));
        mr_document_put(writer, ", \"weight\": ");
        mr_document_put_number(writer, texts->weights[text]);
        mr_document_put(writer, "}");
    }
    mr_document_put(writer, "]");
}

static void put_field(struct mr_document_writer *writer, const struct mr_copula_column *column,
                      const char *name)
{
    mr_document_put(writer, "{\"name\": ");
    mr_document_put_text(writer, mr_slice_text(name));
    mr_document_put(writer, ", \"kind\": ");
    mr_document_put_text(writer, mr_slice_text(kind_names[column->kind]));
    mr_document_put(writer, ", \"missing\": ");
    mr_document_put_number(writer, column->missing);
    if (mr_sample_copula_has_decimals(column->kind) && column->decimals <= MR_COPULA_DECIMALS_MAX) {
        mr_document_put(writer, ", \"decimals\": ");
        mr_document_put_number(writer, column->decimals);
    }
    if (has_bins(column->kind))
        put_bins(writer, &column->marginal);
    if (column->kind == MR_COPULA_TEXT)
        put_categories(writer, &column->texts);
    if (column->kind == MR_COPULA_IDENTIFIER) {
        mr_document_put(writer, ", \"prefix\": ");
        mr_document_put_text(writer, mr_sample_copula_prefix(&column->texts));
    }
    mr_document_put(writer, "}");
}

/* Names of the latents from..behind - 1 of the list. */
static void put_names(struct mr_document_writer *writer, const uint32_t *latents, uint32_t from,
                      uint32_t behind, uint32_t columns_count, const char *const *fields)
{
    mr_document_put(writer, "[");
    for (uint32_t at = from; at < behind; at++) {
        if (at > from)
            mr_document_put(writer, ", ");
        mr_document_put_text(writer, mr_slice_text(fields[latents[at] % columns_count]));
    }
    mr_document_put(writer, "]");
}

static void put_correlations(struct mr_document_writer *writer, const struct mr_copula *model,
                             struct mr_copula_work *work, const char *const *fields)
{
    uint32_t latents[2 * MR_COPULA_COLUMNS_MAX];
    uint32_t columns_count = model->shape.columns_count;
    uint32_t count = mr_copula_correlations(model, latents, work->matrix);
    uint32_t values = 0;
    while (values < count && latents[values] < columns_count)
        values++;
    mr_document_put(writer, "\"correlations\": {\n\"values\": ");
    put_names(writer, latents, 0, values, columns_count, fields);
    mr_document_put(writer, ",\n\"missingness\": ");
    put_names(writer, latents, values, count, columns_count, fields);
    mr_document_put(writer, ",\n\"matrix\": [");
    for (uint32_t row = 0; row < count; row++) {
        mr_document_put(writer, row > 0 ? ",\n[" : "\n[");
        for (uint32_t column = 0; column < row; column++) {
            if (column > 0)
                mr_document_put(writer, ", ");
            mr_document_put_number(writer, work->matrix[(size_t)row * count + column]);
        }
        mr_document_put(writer, "]");
    }
    mr_document_put(writer, "]\n}\n}\n");
}

enum mr_status mr_sample_copula_write(const struct mr_copula *model, struct mr_copula_work *work,
                                      const char *name, uint64_t version, const char *const *fields,
                                      struct mr_buffer *output, struct mr_error *error)
{
    struct mr_document_writer writer = {.output = output};
    struct mr_sample_facts facts = {
        .type = mr_sample_type_copula.name,
        .name = name,
        .version = version,
        .rows = (double)model->rows,
        .effective_rows = mr_copula_effective_rows(model),
    };
    if (model->rows == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s has learned nothing yet: its first batch of records is not complete",
                       name);
    mr_document_put_facts(&writer, &facts);
    mr_document_put(&writer, "\"weight\": ");
    mr_document_put_number(&writer, model->weight);
    mr_document_put(&writer, ",\n\"squared_weights\": ");
    mr_document_put_number(&writer, model->squares);
    mr_document_put(&writer, ",\n\"fields\": [");
    for (uint32_t index = 0; index < model->shape.columns_count; index++) {
        mr_document_put(&writer, index > 0 ? ",\n" : "\n");
        put_field(&writer, &model->columns[index], fields[index]);
    }
    mr_document_put(&writer, "\n],\n");
    put_correlations(&writer, model, work, fields);
    if (writer.status != MR_OK)
        return MR_FAIL(error, writer.status, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the document of %s exceeds %zu bytes", name, output->size_max);
    return MR_OK;
}

/* ---- Reading ---- */

double mr_sample_copula_number_max(uint8_t kind)
{
    switch ((enum mr_copula_kind)kind) {
    case MR_COPULA_BOOLEAN:
        return 1;
    case MR_COPULA_DATE:
        return DAYS_MAX;
    case MR_COPULA_TIME:
        return SECONDS_MAX;
    case MR_COPULA_TIMESTAMP:
        return TIMESTAMP_SECONDS_MAX;
    case MR_COPULA_UNKNOWN:
    case MR_COPULA_NUMBER:
    case MR_COPULA_TEXT:
    case MR_COPULA_IDENTIFIER:
    case MR_COPULA_KINDS_COUNT:
        break;
    }
    return MR_COPULA_NUMBER_MAX;
}

static void read_bins(struct mr_document *document, const struct mr_document_place *field,
                      struct mr_copula_column *column)
{
    struct mr_document_place list = mr_document_list(document, field, "bins", MR_MARGINAL_BINS_MAX);
    double most = mr_sample_copula_number_max(column->kind);
    double least = column->kind == MR_COPULA_BOOLEAN ? 0 : -most;
    double before = least;
    for (uint32_t bin = 0; bin < list.value.size && document->status == MR_OK; bin++) {
        struct mr_document_place item = mr_document_item(&list, bin);
        struct mr_marginal_bin *one = &column->marginal.bins[bin];
        if (item.value.kind != MR_KIND_LIST || item.value.size != 3) {
            mr_document_fail(document, &item, "a bin is [lowest, highest, weight]");
            return;
        }
        one->lowest = mr_document_item_number(document, &item, 0, before, most);
        one->highest = mr_document_item_number(document, &item, 1, one->lowest, most);
        one->weight = mr_document_item_number(document, &item, 2, 0, WEIGHT_MAX);
        if (column->kind == MR_COPULA_BOOLEAN && one->lowest < one->highest)
            mr_document_fail(document, &item, "a boolean's bins are 0 and 1");
        before = one->highest;
    }
    column->marginal.bins_count = list.value.size;
}

static void read_categories(struct mr_document *document, const struct mr_document_place *field,
                            struct mr_copula_texts *texts)
{
    static const char *const members[] = {"value", "weight"};
    struct mr_document_place list =
        mr_document_list(document, field, "categories", MR_COPULA_TEXTS_MAX);
    for (uint32_t at = 0; at < list.value.size && document->status == MR_OK; at++) {
        struct mr_document_place item = mr_document_item(&list, at);
        mr_document_only(document, &item, members, MR_ARRAY_COUNT(members));
        struct mr_slice text = mr_document_text(document, &item, "value", MR_COPULA_TEXT_BYTES);
        double weight = mr_document_number(document, &item, "weight", 0, WEIGHT_MAX);
        if (document->status == MR_OK && mr_copula_text_number(texts, text) != at)
            mr_document_fail(document, &item, "the category is there already");
        texts->weights[at] = weight;
    }
}

void mr_sample_copula_read_kind(struct mr_document *document, const struct mr_document_place *field,
                                struct mr_copula_column *column)
{
    struct mr_document_place member = mr_document_member(document, field, "kind");
    struct mr_slice name = mr_document_text(document, field, "kind", 16);
    uint8_t kind = 0;
    while (kind < MR_COPULA_KINDS_COUNT && !mr_slice_equal(name, mr_slice_text(kind_names[kind])))
        kind++;
    if (kind == MR_COPULA_KINDS_COUNT) {
        mr_document_fail(document, &member,
                         "it is none of number, boolean, category, date, time, timestamp, "
                         "identifier and unknown");
        kind = MR_COPULA_UNKNOWN;
    }
    column->kind = kind;
}

void mr_sample_copula_read_decimals(struct mr_document *document,
                                    const struct mr_document_place *field,
                                    struct mr_copula_column *column)
{
    column->decimals =
        mr_document_has(field, "decimals")
            ? (uint8_t)mr_document_count(document, field, "decimals", MR_COPULA_DECIMALS_MAX)
            : MR_COPULA_DECIMALS_MAX + 1;
}

void mr_sample_copula_read_prefix(struct mr_document *document,
                                  const struct mr_document_place *field,
                                  struct mr_copula_column *column)
{
    char example[MR_COPULA_TEXT_BYTES];
    struct mr_slice prefix = mr_document_text(document, field, "prefix", MR_COPULA_TEXT_BYTES - 1);
    memcpy(example, prefix.data, prefix.size);
    example[prefix.size] = '0';
    (void)mr_copula_text_number(&column->texts, mr_slice_from(example, prefix.size + 1));
}

static void read_field(struct mr_document *document, const struct mr_document_place *field,
                       double weight, struct mr_copula_column *column)
{
    static const char *const by_kind[][5] = {
        {"name", "kind", "missing", "bins", "decimals"},
        {"name", "kind", "missing", "bins"},
        {"name", "kind", "missing", "categories"},
        {"name", "kind", "missing", "prefix"},
        {"name", "kind", "missing"},
    };
    mr_sample_copula_read_kind(document, field, column);
    bool is_counted = mr_sample_copula_has_decimals(column->kind);
    uint32_t which = is_counted                             ? 0
                     : has_bins(column->kind)               ? 1
                     : column->kind == MR_COPULA_TEXT       ? 2
                     : column->kind == MR_COPULA_IDENTIFIER ? 3
                                                            : 4;
    mr_document_only(document, field, by_kind[which], which == 0 ? 5 : which == 4 ? 3 : 4);
    column->missing = mr_document_number(document, field, "missing", 0, weight * ROUNDING);
    if (is_counted)
        mr_sample_copula_read_decimals(document, field, column);
    if (has_bins(column->kind))
        read_bins(document, field, column);
    if (column->kind == MR_COPULA_TEXT)
        read_categories(document, field, &column->texts);
    if (column->kind == MR_COPULA_IDENTIFIER)
        mr_sample_copula_read_prefix(document, field, column);
}

static void read_names(struct mr_document *document, const struct mr_document_place *place,
                       const char *member, const struct mr_sample_facts *facts,
                       const struct mr_copula *model, uint32_t offset, struct mr_sample_copula *own)
{
    struct mr_document_place list = mr_document_list(document, place, member, facts->fields_count);
    uint32_t at = 0;
    for (uint32_t field = 0; field < facts->fields_count && document->status == MR_OK; field++) {
        if (!model->latents[offset + field].is_active)
            continue;
        if (at == list.value.size ||
            !mr_slice_equal(mr_document_item_text(document, &list, at, MR_SAMPLE_NAME_BYTES_MAX),
                            mr_slice_text(facts->fields[field]))) {
            mr_document_fail(document, &list,
                             "item %u should be \"%.64s\": these are the fields, in their order, "
                             "whose distributions vary",
                             at, facts->fields[field]);
            return;
        }
        own->latents[own->latents_count++] = offset + field;
        at++;
    }
    if (document->status == MR_OK && at < list.value.size)
        mr_document_fail(document, &list,
                         "item %u should not be there: these are the fields, in their order, whose "
                         "distributions vary",
                         at);
}

static void read_correlations(struct mr_document *document, const struct mr_document_place *root,
                              const struct mr_sample_facts *facts, struct mr_arena *arena,
                              struct mr_sample_copula *own)
{
    static const char *const members[] = {"values", "missingness", "matrix"};
    struct mr_document_place place = mr_document_member(document, root, "correlations");
    mr_document_only(document, &place, members, MR_ARRAY_COUNT(members));
    read_names(document, &place, "values", facts, &own->model, 0, own);
    read_names(document, &place, "missingness", facts, &own->model, facts->fields_count, own);
    uint32_t count = own->latents_count;
    struct mr_document_place matrix = mr_document_list(document, &place, "matrix", count);
    own->correlations = mr_arena_new(arena, (size_t)count * count, sizeof(double));
    if (document->status == MR_OK && matrix.value.size != count)
        mr_document_fail(document, &matrix, "it has %u rows, %u are wanted", matrix.value.size,
                         count);
    for (uint32_t row = 0; row < count && document->status == MR_OK; row++) {
        struct mr_document_place line = mr_document_item(&matrix, row);
        if (line.value.kind != MR_KIND_LIST || line.value.size != row) {
            mr_document_fail(document, &line, "a list of %u numbers is wanted", row);
            return;
        }
        own->correlations[(size_t)row * count + row] = 1;
        for (uint32_t column = 0; column < row; column++) {
            double r = mr_document_item_number(document, &line, column, -1, 1);
            own->correlations[(size_t)row * count + column] = r;
            own->correlations[(size_t)column * count + row] = r;
        }
    }
}

static void read_weights(struct mr_document *document, const struct mr_document_place *root,
                         const struct mr_sample_facts *facts, struct mr_copula *model)
{
    model->rows = (uint64_t)facts->rows;
    model->weight = mr_document_number(document, root, "weight", 1e-300, WEIGHT_MAX);
    model->squares =
        mr_document_number(document, root, "squared_weights", 1e-300, WEIGHT_MAX * WEIGHT_MAX);
    double effective = mr_copula_effective_rows(model);
    if (document->status == MR_OK &&
        !(effective <= EFFECTIVE_ROWS_MAX && effective * ROUNDING >= facts->effective_rows &&
          effective <= facts->effective_rows * ROUNDING))
        mr_document_fail(document, root,
                         "effective_rows is not weight^2 / squared_weights, which is %.17g, or "
                         "above %g",
                         effective, EFFECTIVE_ROWS_MAX);
}

/* Correlations of fields that nearly determine each other may be indefinite. They are repaired
 * once, here, and not by each drawing. */
static void keep_definite(struct mr_sample_copula *own, struct mr_arena *arena)
{
    size_t count = own->latents_count;
    double *scratch = mr_memory_new(count * (2 * count + 1) + 1, sizeof(double));
    own->definite = own->correlations;
    if (!mr_symmetric_factor(own->correlations, own->latents_count, scratch)) {
        own->definite = mr_arena_new(arena, count * count, sizeof(double));
        memcpy(own->definite, own->correlations, count * count * sizeof(double));
        mr_symmetric_repair(own->definite, own->latents_count, scratch);
    }
    mr_memory_free(scratch);
}

static void copula_read(struct mr_document *document, const struct mr_document_place *root,
                        const struct mr_sample_facts *facts, struct mr_arena *arena, void **made)
{
    static const char *const members[] = {MR_SAMPLE_MEMBERS, "weight", "squared_weights",
                                          "correlations"};
    struct mr_sample_copula *own = mr_memory_new(1, sizeof(*own));
    *made = own;
    mr_copula_create(&own->model, &(struct mr_copula_shape){.columns_count = facts->fields_count,
                                                            .reservoir_rows = 1});
    mr_document_only(document, root, members, MR_ARRAY_COUNT(members));
    read_weights(document, root, facts, &own->model);
    struct mr_document_place list =
        mr_document_list(document, root, "fields", MR_SAMPLE_FIELDS_MAX);
    for (uint32_t index = 0; index < list.value.size && document->status == MR_OK; index++) {
        struct mr_document_place field = mr_document_item(&list, index);
        read_field(document, &field, own->model.weight, &own->model.columns[index]);
    }
    if (document->status != MR_OK)
        return;
    mr_copula_map_columns(&own->model);
    mr_copula_map_latents(&own->model);
    read_correlations(document, root, facts, arena, own);
    if (document->status == MR_OK)
        keep_definite(own, arena);
}

static void copula_destroy(void *argument)
{
    struct mr_sample_copula *own = argument;
    if (own == NULL)
        return;
    mr_copula_destroy(&own->model);
    mr_memory_free(own);
}

/* ---- Conditions ---- */

/* The column's number of a value that was asked for. */
static enum mr_status number_of(const struct mr_sample_condition *condition,
                                const struct mr_copula_column *column, struct mr_value value,
                                double *number, struct mr_error *error)
{
    bool is_time = column->kind != MR_COPULA_NUMBER;
    if (!is_time && mr_value_as_double(value, number))
        return MR_OK;
    if (is_time && value.kind == MR_KIND_STRING &&
        mr_copula_instant_number(column->kind, mr_value_text(value), number))
        return MR_OK;
    return mr_sample_condition_fail(condition, error, "it is a %s, %s", kind_names[column->kind],
                                    !is_time ? "give numbers"
                                    : column->kind == MR_COPULA_DATE
                                        ? "give texts like \"2026-01-28\""
                                        : "give texts like \"2026-01-28T10:30:00Z\"");
}

static enum mr_status bind_numbers(const struct mr_sample_condition *condition,
                                   const struct mr_copula_column *column, struct mr_arena *arena,
                                   struct mr_copula_condition *bound, struct mr_error *error)
{
    bool is_equal = condition->values_count == 1;
    struct mr_value lowest = is_equal ? condition->values[0] : condition->lowest;
    struct mr_value highest = is_equal ? condition->values[0] : condition->highest;
    enum mr_status status = MR_OK;
    if (condition->values_count > 1) {
        double *numbers = mr_arena_new(arena, condition->values_count, sizeof(*numbers));
        for (uint32_t at = 0; at < condition->values_count && status == MR_OK; at++)
            status = number_of(condition, column, condition->values[at], &numbers[at], error);
        bound->numbers = numbers;
        bound->numbers_count = condition->values_count;
        return status;
    }
    bound->lowest = -INFINITY;
    bound->highest = INFINITY;
    bound->lowest_is_out = condition->lowest_is_out;
    bound->highest_is_out = condition->highest_is_out;
    if (lowest.kind != MR_KIND_ABSENT)
        status = number_of(condition, column, lowest, &bound->lowest, error);
    if (status == MR_OK && highest.kind != MR_KIND_ABSENT)
        status = number_of(condition, column, highest, &bound->highest, error);
    return status;
}

static enum mr_status bind_texts(const struct mr_sample_condition *condition,
                                 const struct mr_copula_column *column, struct mr_arena *arena,
                                 struct mr_copula_condition *bound, struct mr_error *error)
{
    bool is_boolean = column->kind == MR_COPULA_BOOLEAN;
    const char **texts = mr_arena_new(arena, condition->values_count, sizeof(*texts));
    for (uint32_t at = 0; at < condition->values_count; at++) {
        struct mr_value value = condition->values[at];
        if (value.kind != (is_boolean ? MR_KIND_BOOL : MR_KIND_STRING))
            return mr_sample_condition_fail(condition, error, "it is a %s, give %s",
                                            kind_names[column->kind],
                                            is_boolean ? "true or false" : "texts");
        texts[at] = is_boolean ? (value.boolean ? "true" : "false")
                               : mr_arena_copy_bytes_text(arena, value.text, value.size);
    }
    if (condition->values_count == 0)
        return mr_sample_condition_fail(condition, error,
                                        "it is a %s, which has no bounds: give a value, or a set "
                                        "by in",
                                        kind_names[column->kind]);
    bound->texts = texts;
    bound->texts_count = condition->values_count;
    return MR_OK;
}

enum mr_status mr_sample_copula_bind(const struct mr_sample_condition *condition,
                                     const struct mr_copula_column *column, struct mr_arena *arena,
                                     struct mr_copula_condition *bound, struct mr_error *error)
{
    *bound = (struct mr_copula_condition){.column = condition->field, .name = condition->name};
    switch ((enum mr_copula_kind)column->kind) {
    case MR_COPULA_BOOLEAN:
    case MR_COPULA_TEXT:
        return bind_texts(condition, column, arena, bound, error);
    case MR_COPULA_NUMBER:
    case MR_COPULA_DATE:
    case MR_COPULA_TIME:
    case MR_COPULA_TIMESTAMP:
        return bind_numbers(condition, column, arena, bound, error);
    case MR_COPULA_IDENTIFIER:
        return mr_sample_condition_fail(condition, error,
                                        "it is an identifier, which is made anew for each row");
    case MR_COPULA_UNKNOWN:
    case MR_COPULA_KINDS_COUNT:
        break;
    }
    return mr_sample_condition_fail(condition, error, "it had no value in what was learned");
}

/* ---- Drawing ---- */

struct drawing {
    const struct mr_sample_copula *own;
    struct mr_copula_condition conditions[MR_SAMPLE_CONDITIONS_MAX];
    struct mr_copula_sampler sampler;
    double *numbers; /* of MR_SAMPLE_ROWS rows */
};

_Static_assert((int)MR_SAMPLE_ROWS == (int)MR_COPULA_SAMPLE_ROWS, "one draw is one of the sampler");
_Static_assert((int)MR_SAMPLE_CONDITIONS_MAX <= (int)MR_COPULA_CONDITIONS_MAX, "they fit");
_Static_assert((int)MR_SAMPLE_FIELDS_MAX <= (int)MR_COPULA_COLUMNS_MAX, "they fit");

static void copula_close(void *argument)
{
    struct drawing *drawing = argument;
    mr_copula_sampler_destroy(&drawing->sampler);
    mr_memory_free(drawing->numbers);
    mr_memory_free(drawing);
}

static enum mr_status copula_open(const void *argument,
                                  const struct mr_sample_condition *conditions,
                                  uint32_t conditions_count, struct mr_arena *arena, void **made,
                                  double *probability, struct mr_error *error)
{
    const struct mr_sample_copula *own = argument;
    uint32_t columns_count = own->model.shape.columns_count;
    struct drawing *drawing = mr_memory_new(1, sizeof(*drawing));
    struct mr_copula_work work;
    enum mr_status status = MR_OK;
    drawing->own = own;
    mr_copula_work_create(&work, columns_count);
    for (uint32_t index = 0; index < conditions_count && status == MR_OK; index++)
        status =
            mr_sample_copula_bind(&conditions[index], &own->model.columns[conditions[index].field],
                                  arena, &drawing->conditions[index], error);
    if (status == MR_OK) {
        mr_copula_sampler_create(&drawing->sampler, columns_count, drawing->conditions,
                                 conditions_count);
        drawing->numbers = mr_memory_new((size_t)columns_count * MR_SAMPLE_ROWS, sizeof(double));
        memcpy(work.matrix, own->definite,
               (size_t)own->latents_count * own->latents_count * sizeof(double));
        memcpy(drawing->sampler.latents, own->latents, own->latents_count * sizeof(*own->latents));
        drawing->sampler.count = own->latents_count;
        status = mr_copula_sampler_bind(&drawing->sampler, &own->model, &work, error);
    }
    mr_copula_work_destroy(&work);
    if (status != MR_OK) {
        copula_close(drawing);
        return status;
    }
    *probability = mr_copula_sampler_probability(&drawing->sampler);
    *made = drawing;
    return MR_OK;
}

static void copula_draw(void *argument, uint64_t seed, uint64_t first, uint32_t rows_count,
                        struct mr_arena *arena, struct mr_value *cells, uint32_t stride)
{
    struct drawing *drawing = argument;
    const struct mr_copula *model = &drawing->own->model;
    mr_copula_sample(&drawing->sampler, model, seed, first, rows_count, drawing->numbers);
    for (uint32_t index = 0; index < model->shape.columns_count; index++)
        mr_copula_cells(&model->columns[index], drawing->numbers + (size_t)index * MR_SAMPLE_ROWS,
                        first, rows_count, arena, cells + (size_t)index * stride);
}

static bool copula_has_texts(const void *argument, uint32_t field)
{
    const struct mr_sample_copula *own = argument;
    uint8_t kind = own->model.columns[field].kind;
    return kind != MR_COPULA_NUMBER && kind != MR_COPULA_BOOLEAN;
}

const struct mr_sample_type mr_sample_type_copula = {
    .name = "copula",
    .read = copula_read,
    .destroy = copula_destroy,
    .has_texts = copula_has_texts,
    .open = copula_open,
    .close = copula_close,
    .draw = copula_draw,
};

const struct mr_sample_copula *mr_sample_model_copula(const struct mr_sample_model *model)
{
    return mr_sample_model_own(model, &mr_sample_type_copula);
}
