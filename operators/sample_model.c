/* operators/sample_model.c — see sample_model.h: what all types of models share, and the list of
 * types. */
#include "operators/sample_model.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/number.h"
#include "operators/sample_model_bootstrap.h"
#include "operators/sample_model_copula.h"
#include "operators/sample_model_network.h"
#include "operators/sample_overlay.h"
#include "operators/sample_type.h"
#include "record/json_write.h"

enum { FORMAT = 1, ARENA_BYTES = 1 << 14, ROWS_COUNT_DIGITS = 53 };

static const struct mr_sample_type *const types[] = {
    &mr_sample_type_bootstrap, &mr_sample_type_copula, &mr_sample_type_network};

struct mr_sample_model {
    struct mr_arena arena;
    const struct mr_sample_type *type;
    void *own;
    struct mr_sample_facts facts;
    struct mr_sample_observed observed;
    struct mr_sample_overlay overlay;
    struct mr_slice *labels; /* by field: its name as JSON, the colon, and what comes before */
};

struct mr_sample {
    const struct mr_sample_model *model;
    struct mr_arena arena; /* of the conditions */
    struct mr_arena texts; /* of rows that are being written */
    void *drawing;
    double probability;
    uint64_t seed;
    struct mr_value *cells; /* of MR_SAMPLE_ROWS rows */
};

/* ---- Reading ---- */

static const struct mr_sample_type *find_type(struct mr_document *document,
                                              const struct mr_document_place *root)
{
    struct mr_document_place member = mr_document_member(document, root, "type");
    struct mr_slice name = mr_document_text(document, root, "type", MR_SAMPLE_NAME_BYTES_MAX);
    for (size_t at = 0; at < MR_ARRAY_COUNT(types); at++)
        if (mr_slice_equal(name, mr_slice_text(types[at]->name)))
            return types[at];
    mr_document_fail(document, &member, "\"%.*s\" is no type of model that this version knows",
                     (int)(name.size < 64 ? name.size : 64), (const char *)name.data);
    return NULL;
}

static char *copy_text(struct mr_arena *arena, struct mr_slice text)
{
    return mr_arena_copy_bytes_text(arena, text.data, text.size);
}

static void read_fields(struct mr_document *document, const struct mr_document_place *root,
                        struct mr_arena *arena, struct mr_sample_facts *facts)
{
    struct mr_document_place list =
        mr_document_list(document, root, "fields", MR_SAMPLE_FIELDS_MAX);
    const char **names = mr_arena_new(arena, list.value.size, sizeof(*names));
    if (list.value.size == 0)
        mr_document_fail(document, &list, "there is none");
    for (uint32_t at = 0; at < list.value.size; at++) {
        struct mr_document_place field = mr_document_item(&list, at);
        struct mr_slice name = mr_document_text(document, &field, "name", MR_SAMPLE_NAME_BYTES_MAX);
        names[at] = copy_text(arena, name);
        for (uint32_t earlier = 0; earlier < at; earlier++)
            if (strcmp(names[earlier], names[at]) == 0)
                mr_document_fail(document, &field, "the name \"%.64s\" is that of another field",
                                 names[at]);
    }
    facts->fields = names;
    facts->fields_count = list.value.size;
}

static void read_facts(struct mr_document *document, const struct mr_document_place *root,
                       struct mr_arena *arena, struct mr_sample_facts *facts)
{
    if (mr_document_count(document, root, "millrace_model", UINT32_MAX) != FORMAT)
        mr_document_fail(document, root,
                         "millrace_model is not %d: it was written by another version, or is no "
                         "model",
                         FORMAT);
    facts->name =
        copy_text(arena, mr_document_text(document, root, "name", MR_SAMPLE_NAME_BYTES_MAX));
    facts->version = mr_document_count(document, root, "version", (uint64_t)1 << ROWS_COUNT_DIGITS);
    facts->rows =
        (double)mr_document_count(document, root, "rows", (uint64_t)1 << ROWS_COUNT_DIGITS);
    facts->effective_rows = mr_document_number(document, root, "effective_rows", 0, 0x1p53);
    read_fields(document, root, arena, facts);
}

/* What is written before each field's value. */
static void make_labels(struct mr_sample_model *model)
{
    uint32_t count = model->facts.fields_count;
    model->labels = mr_arena_new(&model->arena, count, sizeof(*model->labels));
    for (uint32_t field = 0; field < count; field++) {
        struct mr_slice name = mr_slice_text(model->facts.fields[field]);
        size_t bound = mr_json_write_string_bound(name) + MR_JSON_WRITE_SLACK + 2;
        uint8_t *text = mr_arena_take(&model->arena, bound);
        text[0] = field == 0 ? '{' : ',';
        uint8_t *end = mr_json_write_string(text + 1, name);
        *end++ = ':';
        model->labels[field] = mr_slice_from(text, (size_t)(end - text));
    }
}

enum mr_status mr_sample_model_read(struct mr_slice document_text, struct mr_sample_model **model,
                                    struct mr_error *error)
{
    struct mr_sample_model *made = mr_memory_new(1, sizeof(*made));
    struct mr_document document = {.noun = "the model", .error = error};
    struct mr_document_place root;
    struct mr_arena values;
    *model = NULL;
    mr_arena_init(&made->arena, ARENA_BYTES);
    mr_arena_init(&values, ARENA_BYTES);
    mr_document_open(&document, document_text, MR_SAMPLE_DOCUMENT_BYTES_MAX, &values, &root);
    if (document.status == MR_OK)
        read_facts(&document, &root, &made->arena, &made->facts);
    mr_sample_observed_read(&document, &root, &made->facts, &made->arena, &made->observed);
    if (document.status == MR_OK)
        made->type = find_type(&document, &root);
    if (document.status == MR_OK) {
        made->facts.type = made->type->name;
        made->facts.holds_rows = made->type->holds_rows;
        made->type->read(&document, &root, &made->facts, &made->arena, &made->own);
    }
    mr_arena_deinit(&values);
    if (document.status != MR_OK) {
        mr_sample_model_destroy(made);
        return document.status;
    }
    make_labels(made);
    mr_sample_overlay_init(&made->overlay, &made->observed, &made->facts);
    *model = made;
    return MR_OK;
}

void mr_sample_model_destroy(struct mr_sample_model *model)
{
    if (model == NULL)
        return;
    if (model->type != NULL)
        model->type->destroy(model->own);
    mr_arena_deinit(&model->arena);
    mr_memory_free(model);
}

const struct mr_sample_facts *mr_sample_model_facts(const struct mr_sample_model *model)
{
    return &model->facts;
}

const struct mr_sample_observed *mr_sample_model_observed(const struct mr_sample_model *model)
{
    return &model->observed;
}

enum mr_status mr_sample_document_facts(struct mr_slice bytes, struct mr_arena *arena,
                                        struct mr_document_facts *facts, struct mr_error *error)
{
    struct mr_sample_model *model;
    enum mr_status status = mr_sample_model_read(bytes, &model, error);
    if (status != MR_OK)
        return status;
    uint32_t count = model->facts.fields_count;
    const char **fields = mr_arena_new(arena, count, sizeof(*fields));
    for (uint32_t field = 0; field < count; field++)
        fields[field] = mr_arena_copy_text(arena, model->facts.fields[field]);
    *facts = (struct mr_document_facts){
        .bytes = bytes, .fields = fields, .fields_count = count, .hash = mr_hash64(bytes)};
    mr_sample_model_destroy(model);
    return MR_OK;
}

bool mr_sample_model_has_texts(const struct mr_sample_model *model, const char *name)
{
    for (uint32_t field = 0; field < model->facts.fields_count; field++)
        if (strcmp(model->facts.fields[field], name) == 0)
            return model->type->has_texts(model->own, field);
    return false;
}

const void *mr_sample_model_own(const struct mr_sample_model *model,
                                const struct mr_sample_type *type)
{
    return model->type == type ? model->own : NULL;
}

/* ---- Drawing ---- */

static enum mr_status check_conditions(const struct mr_sample_model *model,
                                       const struct mr_sample_condition *list, uint32_t count,
                                       struct mr_error *error)
{
    for (uint32_t at = 0; at < count; at++) {
        const char *reason = mr_sample_overlay_of(&model->overlay, list[at].field);
        if (reason != NULL)
            return mr_sample_condition_fail(&list[at], error, "%s", reason);
    }
    return MR_OK;
}

enum mr_status mr_sample_open(const struct mr_sample_model *model, struct mr_slice conditions,
                              uint64_t seed, struct mr_sample **sample, struct mr_error *error)
{
    struct mr_sample *made = mr_memory_new(1, sizeof(*made));
    struct mr_sample_condition *list;
    uint32_t count;
    *sample = NULL;
    made->model = model;
    made->seed = seed;
    mr_arena_init(&made->arena, ARENA_BYTES);
    mr_arena_init(&made->texts, ARENA_BYTES);
    enum mr_status status =
        mr_sample_conditions_read(conditions, &model->facts, &made->arena, &list, &count, error);
    if (status == MR_OK)
        status = check_conditions(model, list, count, error);
    if (status == MR_OK)
        status = model->type->open(model->own, list, count, &made->arena, &made->drawing,
                                   &made->probability, error);
    if (status != MR_OK) {
        mr_sample_close(made);
        return status;
    }
    made->cells =
        mr_memory_new((size_t)model->facts.fields_count * MR_SAMPLE_ROWS, sizeof(*made->cells));
    *sample = made;
    return MR_OK;
}

void mr_sample_close(struct mr_sample *sample)
{
    if (sample == NULL)
        return;
    if (sample->drawing != NULL)
        sample->model->type->close(sample->drawing);
    mr_memory_free(sample->cells);
    mr_arena_deinit(&sample->texts);
    mr_arena_deinit(&sample->arena);
    mr_memory_free(sample);
}

double mr_sample_probability(const struct mr_sample *sample)
{
    return sample->probability;
}

void mr_sample_cells_timed(struct mr_sample *sample, uint64_t first, uint32_t rows_count,
                           const struct mr_sample_times *times, struct mr_arena *arena,
                           struct mr_value *cells)
{
    const struct mr_sample_model *model = sample->model;
    for (uint32_t row = 0; row < rows_count; row += MR_SAMPLE_ROWS) {
        uint32_t left = rows_count - row;
        model->type->draw(sample->drawing, sample->seed, first + row,
                          left < MR_SAMPLE_ROWS ? left : MR_SAMPLE_ROWS, arena, cells + row,
                          rows_count);
    }
    mr_sample_overlay_apply(&model->overlay, sample->seed, first, rows_count, times, arena, cells,
                            rows_count);
}

void mr_sample_cells(struct mr_sample *sample, uint64_t first, uint32_t rows_count,
                     struct mr_arena *arena, struct mr_value *cells)
{
    mr_sample_cells_timed(sample, first, rows_count, NULL, arena, cells);
}

/* ---- As JSON ---- */

/* What stands behind the last field. */
static struct mr_slice tail_of(struct mr_sample *sample, const struct mr_sample_metadata *metadata)
{
    char time[MR_CLOCK_TEXT_SIZE];
    if (metadata == NULL)
        return mr_slice_text("}");
    (void)mr_clock_format_rfc3339(metadata->generated_ms, time);
    return mr_slice_text(
        mr_arena_format(&sample->texts, ",\"_generated_at\":\"%s\",\"_batch_id\":\"batch-%03llu\"}",
                        time, (unsigned long long)metadata->batch));
}

static enum mr_status write_row(const struct mr_sample *sample, uint32_t row, uint32_t rows_count,
                                struct mr_slice between, struct mr_slice tail,
                                struct mr_buffer *output)
{
    const struct mr_sample_model *model = sample->model;
    size_t bound = between.size + tail.size + MR_JSON_WRITE_SLACK;
    for (uint32_t field = 0; field < model->facts.fields_count; field++)
        bound += model->labels[field].size +
                 mr_json_write_bound(sample->cells[(size_t)field * rows_count + row]);
    enum mr_status status = mr_buffer_reserve(output, bound);
    if (status != MR_OK)
        return status;
    uint8_t *at = output->data + output->size;
    memcpy(at, between.data, between.size);
    at += between.size;
    for (uint32_t field = 0; field < model->facts.fields_count; field++) {
        memcpy(at, model->labels[field].data, model->labels[field].size);
        at += model->labels[field].size;
        at = mr_json_write(at, sample->cells[(size_t)field * rows_count + row]);
        MR_ASSERT(at != NULL); /* types draw finite numbers and valid texts */
    }
    memcpy(at, tail.data, tail.size);
    output->size = (size_t)(at + tail.size - output->data);
    return MR_OK;
}

enum mr_status mr_sample_write(struct mr_sample *sample, uint64_t first, uint32_t rows_count,
                               const struct mr_sample_metadata *metadata, const char *between,
                               struct mr_buffer *output)
{
    size_t size = output->size;
    struct mr_slice nothing = mr_slice_text("");
    struct mr_slice separator = mr_slice_text(between == NULL ? ",\n" : between);
    enum mr_status status = MR_OK;
    for (uint32_t done = 0; done < rows_count && status == MR_OK; done += MR_SAMPLE_ROWS) {
        uint32_t count = rows_count - done < MR_SAMPLE_ROWS ? rows_count - done : MR_SAMPLE_ROWS;
        mr_arena_reset(&sample->texts);
        struct mr_slice tail = tail_of(sample, metadata);
        mr_sample_cells(sample, first + done, count, &sample->texts, sample->cells);
        for (uint32_t row = 0; row < count && status == MR_OK; row++)
            status =
                write_row(sample, row, count, done + row > 0 ? separator : nothing, tail, output);
    }
    if (status != MR_OK)
        output->size = size;
    return status;
}

/* ---- Writing documents ---- */

void mr_document_put(struct mr_document_writer *writer, const char *text)
{
    if (writer->status == MR_OK)
        writer->status = mr_buffer_append_text(writer->output, text);
}

void mr_document_put_number(struct mr_document_writer *writer, double number)
{
    char text[MR_NUMBER_TEXT_SIZE];
    MR_ASSERT(isfinite(number));
    size_t size = mr_number_format_double(number, text);
    if (writer->status == MR_OK)
        writer->status = mr_buffer_append(writer->output, text, size);
}

void mr_document_put_text(struct mr_document_writer *writer, struct mr_slice text)
{
    if (writer->status == MR_OK)
        writer->status = mr_buffer_reserve(writer->output,
                                           mr_json_write_string_bound(text) + MR_JSON_WRITE_SLACK);
    if (writer->status != MR_OK)
        return;
    uint8_t *end = mr_json_write_string(writer->output->data + writer->output->size, text);
    writer->output->size = (size_t)(end - writer->output->data);
}

void mr_document_put_facts(struct mr_document_writer *writer, const struct mr_sample_facts *facts)
{
    mr_document_put(writer, "{\n\"millrace_model\": 1,\n\"type\": ");
    mr_document_put_text(writer, mr_slice_text(facts->type));
    mr_document_put(writer, ",\n\"name\": ");
    mr_document_put_text(writer, mr_slice_text(facts->name));
    mr_document_put(writer, ",\n\"version\": ");
    mr_document_put_number(writer, (double)facts->version);
    mr_document_put(writer, ",\n\"rows\": ");
    mr_document_put_number(writer, facts->rows);
    mr_document_put(writer, ",\n\"effective_rows\": ");
    mr_document_put_number(writer, facts->effective_rows);
    mr_document_put(writer, ",\n");
}
