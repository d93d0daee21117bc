/* operators/sample_model_bootstrap.c — see sample_model_bootstrap.h. */
#include "operators/sample_model_bootstrap.h"

#include <math.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/sample_model_copula.h"

#define WEIGHT_MAX 1e18
#define NOISE_MAX 10
enum { RARE = -1, MEMBERS_MAX = 4 };

_Static_assert((int)MR_SAMPLE_ROWS == (int)MR_COPULA_SAMPLE_ROWS, "one draw is one of the sampler");
_Static_assert((int)MR_SAMPLE_CONDITIONS_MAX <= (int)MR_COPULA_CONDITIONS_MAX, "they fit");
_Static_assert((int)MR_SAMPLE_FIELDS_MAX <= (int)MR_COPULA_COLUMNS_MAX, "they fit");

struct sample_bootstrap {
    struct mr_bootstrap model; /* the rows alone, with what they stand for as their weights */
    struct mr_bootstrap_noise noise;
};

/* ---- Writing ---- */

static void put_categories(struct mr_document_writer *writer, const struct mr_copula_texts *texts)
{
    mr_document_put(writer, ", \"categories\": [");
    for (uint32_t text = 0; text < texts->count; text++) {
        mr_document_put(writer, text > 0 ? ", " : "");
        mr_document_put_text(writer, mr_slice_from(texts->bytes[text], texts->sizes[text]));
    }
    mr_document_put(writer, "]");
}

static void put_field(struct mr_document_writer *writer, const struct mr_copula_column *column,
                      const char *name)
{
    mr_document_put(writer, "{\"name\": ");
    mr_document_put_text(writer, mr_slice_text(name));
    mr_document_put(writer, ", \"kind\": ");
    mr_document_put_text(writer, mr_slice_text(mr_sample_copula_kind_name(column->kind)));
    if (mr_sample_copula_has_decimals(column->kind) && column->decimals <= MR_COPULA_DECIMALS_MAX) {
        mr_document_put(writer, ", \"decimals\": ");
        mr_document_put_number(writer, column->decimals);
    }
    if (column->kind == MR_COPULA_TEXT)
        put_categories(writer, &column->texts);
    if (column->kind == MR_COPULA_IDENTIFIER) {
        mr_document_put(writer, ", \"prefix\": ");
        mr_document_put_text(writer, mr_sample_copula_prefix(&column->texts));
    }
    mr_document_put(writer, "}");
}

static void put_cell(struct mr_document_writer *writer, const struct mr_copula_column *column,
                     double number)
{
    if (isnan(number))
        mr_document_put(writer, ", null");
    else
        mr_document_put(writer, ", ");
    if (isnan(number))
        return;
    if (column->kind == MR_COPULA_IDENTIFIER)
        number = 0;
    else if (column->kind == MR_COPULA_TEXT && number == MR_COPULA_RARE)
        number = RARE;
    mr_document_put_number(writer, number);
}

static void put_rows(struct mr_document_writer *writer, const struct mr_bootstrap *model)
{
    for (uint32_t row = 0; row < model->kept; row++) {
        const double *numbers = mr_bootstrap_row_numbers(model, row);
        mr_document_put(writer, row > 0 ? ",\n[" : "\n[");
        mr_document_put_number(writer, mr_bootstrap_row_weight(model, row));
        for (uint32_t index = 0; index < model->shape.columns_count; index++)
            put_cell(writer, &model->columns[index], numbers[index]);
        mr_document_put(writer, "]");
    }
}

enum mr_status mr_sample_bootstrap_write(const struct mr_bootstrap *model,
                                         struct mr_bootstrap_noise noise, const char *name,
                                         uint64_t version, const char *const *fields,
                                         struct mr_buffer *output, struct mr_error *error)
{
    struct mr_document_writer writer = {.output = output};
    struct mr_sample_facts facts = {
        .type = mr_sample_type_bootstrap.name,
        .name = name,
        .version = version,
        .rows = (double)model->rows,
        .effective_rows = mr_bootstrap_effective_rows(model),
    };
    if (model->rows == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s has learned nothing yet: its first batch of records is not complete",
                       name);
    mr_document_put_facts(&writer, &facts);
    mr_document_put(&writer, "\"holds_rows\": true,\n");
    if (noise.bandwidth >= 0) {
        mr_document_put(&writer, "\"noise\": ");
        mr_document_put_number(&writer, noise.bandwidth);
        mr_document_put(&writer, ",\n");
    }
    mr_document_put(&writer, "\"flip\": ");
    mr_document_put_number(&writer, noise.flip);
    mr_document_put(&writer, ",\n\"fields\": [");
    for (uint32_t index = 0; index < model->shape.columns_count; index++) {
        mr_document_put(&writer, index > 0 ? ",\n" : "\n");
        put_field(&writer, &model->columns[index], fields[index]);
    }
    mr_document_put(&writer, "\n],\n\"sample\": [");
    put_rows(&writer, model);
    mr_document_put(&writer, "\n]\n}\n");
    if (writer.status != MR_OK)
        return MR_FAIL(error, writer.status, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the document of %s exceeds %zu bytes", name, output->size_max);
    return MR_OK;
}

/* ---- Reading ---- */

static void read_categories(struct mr_document *document, const struct mr_document_place *field,
                            struct mr_copula_texts *texts)
{
    struct mr_document_place list =
        mr_document_list(document, field, "categories", MR_COPULA_TEXTS_MAX);
    for (uint32_t at = 0; at < list.value.size && document->status == MR_OK; at++) {
        struct mr_document_place item = mr_document_item(&list, at);
        struct mr_slice text = mr_document_item_text(document, &list, at, MR_COPULA_TEXT_BYTES);
        if (document->status == MR_OK && mr_copula_text_number(texts, text) != at)
            mr_document_fail(document, &item, "the category is there already");
    }
}

static void read_field(struct mr_document *document, const struct mr_document_place *field,
                       struct mr_copula_column *column)
{
    const char *members[MEMBERS_MAX] = {"name", "kind"};
    uint32_t count = 2;
    mr_sample_copula_read_kind(document, field, column);
    if (mr_sample_copula_has_decimals(column->kind)) {
        members[count++] = "decimals";
        mr_sample_copula_read_decimals(document, field, column);
    } else if (column->kind == MR_COPULA_TEXT) {
        members[count++] = "categories";
        read_categories(document, field, &column->texts);
    } else if (column->kind == MR_COPULA_IDENTIFIER) {
        members[count++] = "prefix";
        mr_sample_copula_read_prefix(document, field, column);
    }
    mr_document_only(document, field, members, count);
}

/* The number of a field in a row of the sample. */
static double read_cell(struct mr_document *document, const struct mr_document_place *row,
                        uint32_t index, const struct mr_copula_column *column)
{
    struct mr_document_place item = mr_document_item(row, index + 1);
    double most = mr_sample_copula_number_max(column->kind);
    double least = column->kind == MR_COPULA_BOOLEAN ? 0 : -most;
    if (item.value.kind == MR_KIND_NULL)
        return (double)NAN;
    if (column->kind == MR_COPULA_UNKNOWN) {
        mr_document_fail(document, &item, "null is wanted: the field never had a value");
    } else if (column->kind == MR_COPULA_TEXT) {
        least = RARE;
        most = (double)column->texts.count - 1;
    } else if (column->kind == MR_COPULA_IDENTIFIER) {
        least = most = 0;
    }
    double number = mr_document_item_number(document, row, index + 1, least, most);
    bool is_whole = column->kind == MR_COPULA_TEXT || column->kind == MR_COPULA_BOOLEAN;
    if (is_whole && number != floor(number))
        mr_document_fail(document, &item, "a whole number is wanted");
    return column->kind == MR_COPULA_TEXT && number < 0 ? MR_COPULA_RARE : number;
}

static void read_row(struct mr_document *document, const struct mr_document_place *row,
                     struct mr_bootstrap *model, double *stored)
{
    uint32_t columns_count = model->shape.columns_count;
    if (row->value.kind != MR_KIND_LIST || row->value.size != columns_count + 1) {
        mr_document_fail(document, row, "a list of %u is wanted: a weight, and a number by field",
                         columns_count + 1);
        return;
    }
    stored[0] = mr_document_item_number(document, row, 0, 0, WEIGHT_MAX);
    stored[1] = 1;
    model->weight += stored[0];
    for (uint32_t index = 0; index < columns_count; index++)
        stored[MR_BOOTSTRAP_ROW_HEAD + index] =
            read_cell(document, row, index, &model->columns[index]);
}

static void read_sample(struct mr_document *document, const struct mr_document_place *list,
                        struct mr_bootstrap *model)
{
    size_t stride = (size_t)model->shape.columns_count + MR_BOOTSTRAP_ROW_HEAD;
    for (uint32_t at = 0; at < list->value.size && document->status == MR_OK; at++) {
        struct mr_document_place row = mr_document_item(list, at);
        read_row(document, &row, model, model->reservoir + at * stride);
        model->kept++;
    }
    if (document->status == MR_OK && !(model->weight > 0))
        mr_document_fail(document, list, "no row has a weight above 0");
}

static void read_noise(struct mr_document *document, const struct mr_document_place *root,
                       struct mr_bootstrap_noise *noise)
{
    struct mr_document_place holds = mr_document_member(document, root, "holds_rows");
    if (holds.value.kind != MR_KIND_BOOL || !holds.value.boolean)
        mr_document_fail(document, &holds, "it must be true: the sample is of real rows");
    noise->bandwidth = mr_document_has(root, "noise")
                           ? mr_document_number(document, root, "noise", 0, NOISE_MAX)
                           : -1;
    noise->flip = mr_document_number(document, root, "flip", 0, 1);
}

static void bootstrap_read(struct mr_document *document, const struct mr_document_place *root,
                           const struct mr_sample_facts *facts, struct mr_arena *arena, void **made)
{
    static const char *const members[] = {MR_SAMPLE_MEMBERS, "holds_rows", "noise", "flip",
                                          "sample"};
    struct sample_bootstrap *own = mr_memory_new(1, sizeof(*own));
    MR_UNUSED(arena);
    *made = own;
    struct mr_document_place sample =
        mr_document_list(document, root, "sample", MR_SAMPLE_BOOTSTRAP_ROWS_MAX);
    mr_bootstrap_create(&own->model, &(struct mr_copula_shape){
                                         .columns_count = facts->fields_count,
                                         .reservoir_rows = sample.value.size + 1,
                                     });
    mr_document_only(document, root, members, MR_ARRAY_COUNT(members));
    read_noise(document, root, &own->noise);
    struct mr_document_place list =
        mr_document_list(document, root, "fields", MR_SAMPLE_FIELDS_MAX);
    for (uint32_t index = 0; index < list.value.size && document->status == MR_OK; index++) {
        struct mr_document_place field = mr_document_item(&list, index);
        read_field(document, &field, &own->model.columns[index]);
    }
    if (document->status == MR_OK)
        read_sample(document, &sample, &own->model);
}

static void bootstrap_destroy(void *argument)
{
    struct sample_bootstrap *own = argument;
    if (own == NULL)
        return;
    mr_bootstrap_destroy(&own->model);
    mr_memory_free(own);
}

static bool bootstrap_has_texts(const void *argument, uint32_t field)
{
    const struct sample_bootstrap *own = argument;
    uint8_t kind = own->model.columns[field].kind;
    return kind != MR_COPULA_NUMBER && kind != MR_COPULA_BOOLEAN;
}

/* ---- Drawing ---- */

struct drawing {
    const struct sample_bootstrap *own;
    struct mr_copula_condition conditions[MR_SAMPLE_CONDITIONS_MAX];
    struct mr_bootstrap_sampler sampler;
    double *numbers; /* of MR_SAMPLE_ROWS rows */
};

static void bootstrap_close(void *argument)
{
    struct drawing *drawing = argument;
    mr_bootstrap_sampler_destroy(&drawing->sampler);
    mr_memory_free(drawing->numbers);
    mr_memory_free(drawing);
}

static enum mr_status bootstrap_open(const void *argument,
                                     const struct mr_sample_condition *conditions,
                                     uint32_t conditions_count, struct mr_arena *arena, void **made,
                                     double *probability, struct mr_error *error)
{
    const struct sample_bootstrap *own = argument;
    const struct mr_bootstrap *model = &own->model;
    struct drawing *drawing = mr_memory_new(1, sizeof(*drawing));
    enum mr_status status = MR_OK;
    drawing->own = own;
    for (uint32_t index = 0; index < conditions_count && status == MR_OK; index++)
        status = mr_sample_copula_bind(&conditions[index], &model->columns[conditions[index].field],
                                       arena, &drawing->conditions[index], error);
    if (status == MR_OK) {
        mr_bootstrap_sampler_create(&drawing->sampler, &model->shape, own->noise);
        drawing->numbers =
            mr_memory_new((size_t)model->shape.columns_count * MR_SAMPLE_ROWS, sizeof(double));
        status = mr_bootstrap_sampler_make(&drawing->sampler, model, drawing->conditions,
                                           conditions_count, error);
    }
    if (status != MR_OK) {
        bootstrap_close(drawing);
        return status;
    }
    *probability = drawing->sampler.probability;
    *made = drawing;
    return MR_OK;
}

static void bootstrap_draw(void *argument, uint64_t seed, uint64_t first, uint32_t rows_count,
                           struct mr_arena *arena, struct mr_value *cells, uint32_t stride)
{
    struct drawing *drawing = argument;
    const struct mr_bootstrap *model = &drawing->own->model;
    mr_bootstrap_sample(&drawing->sampler, model, seed, first, rows_count, drawing->numbers);
    for (uint32_t index = 0; index < model->shape.columns_count; index++)
        mr_copula_cells(&model->columns[index], drawing->numbers + (size_t)index * MR_SAMPLE_ROWS,
                        first, rows_count, arena, cells + (size_t)index * stride);
}

const struct mr_sample_type mr_sample_type_bootstrap = {
    .name = "bootstrap",
    .holds_rows = true,
    .read = bootstrap_read,
    .destroy = bootstrap_destroy,
    .has_texts = bootstrap_has_texts,
    .open = bootstrap_open,
    .close = bootstrap_close,
    .draw = bootstrap_draw,
};
