/* formats/csv.c — comma-separated values, one record per payload (RFC 4180).
 * Rules: the columns are named by the option `columns`, not by a header line; a row with another
 * number of cells is an error of the row. A cell is a string unless its type is declared; an
 * empty unquoted cell of another declared type is null. One line end behind the row is dropped. A
 * quoted cell may hold delimiters, line ends and doubled quotes; a quote inside an unquoted cell
 * is an error.
 * Design: cells are cut one after the other; only those of columns that are read are converted. */
#include "base/memory.h"
#include "base/utf8.h"
#include "formats/csv_cells.h"
#include "formats/json.h"
#include "record/json_value.h"
#include "record/json_write.h"
#include "record/scalar.h"

enum { COLUMNS_MAX = 4096 };

struct column_read {
    uint32_t slot;
    const struct mr_type *type;
    uint32_t next; /* read of the same column, else MR_SLOT_NONE */
};

struct csv_decoder {
    uint8_t delimiter;
    uint32_t columns_count;
    uint32_t *first_reads; /* one per column: index into reads, else MR_SLOT_NONE */
    struct column_read *reads;
    uint32_t reads_count;
    struct mr_value **cells; /* of the batch: one column per read */
};

/* What a column of the sink is written from. */
struct csv_column {
    const char *name;
    const struct mr_edit *edit;
};

struct csv_encoder {
    uint8_t delimiter;
    uint32_t columns_count;
    struct csv_column *columns;
    struct mr_slice *texts; /* scratch of a row */
};

static enum mr_status read_delimiter(const struct mr_options *options, uint8_t *delimiter,
                                     struct mr_error *error)
{
    const char *text = mr_options_text(options, "delimiter");
    if (text == NULL || strlen(text) != 1 || *text == '"' || *text == '\n' || *text == '\r' ||
        (uint8_t)*text >= 0x80u)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The delimiter of csv must be one ASCII character other than a quote or a "
                       "line end.");
    *delimiter = (uint8_t)*text;
    return MR_OK;
}

/* ---- Decoder. ---- */

static enum mr_status add_read(struct csv_decoder *decoder, const struct mr_option_value *columns,
                               const struct mr_field_read *field, struct mr_error *error)
{
    const struct mr_path_step *step = &field->path.steps[0];
    for (uint32_t i = 0; field->path.steps_count == 1 && i < columns->count; i++) {
        if (!mr_slice_equal(mr_slice_text(columns->texts[i]),
                            mr_slice_from(step->name, step->name_size)))
            continue;
        decoder->reads[decoder->reads_count] = (struct column_read){
            .slot = field->slot, .type = field->type, .next = decoder->first_reads[i]};
        decoder->first_reads[i] = decoder->reads_count++;
        return MR_OK;
    }
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "The field '%s' is none of the columns of csv.", field->path.text);
}

static enum mr_status csv_decoder_open(void *self, const struct mr_decoder_open *open,
                                       struct mr_error *error)
{
    struct csv_decoder *decoder = self;
    *decoder = (struct csv_decoder){0};
    enum mr_status status = read_delimiter(open->options, &decoder->delimiter, error);
    if (status != MR_OK)
        return status;
    const struct mr_option_value *columns = mr_options_get(open->options, "columns");
    decoder->columns_count = columns->count;
    decoder->first_reads = mr_memory_new(columns->count, sizeof(*decoder->first_reads));
    decoder->reads = mr_memory_new(open->fields_count, sizeof(*decoder->reads));
    decoder->cells = mr_memory_new(open->fields_count, sizeof(struct mr_value *));
    for (uint32_t i = 0; i < columns->count; i++)
        decoder->first_reads[i] = MR_SLOT_NONE;
    for (uint32_t i = 0; i < open->fields_count && status == MR_OK; i++)
        status = add_read(decoder, columns, &open->fields[i], error);
    return status;
}

static void csv_decoder_close(void *self)
{
    struct csv_decoder *decoder = self;
    mr_memory_free(decoder->first_reads);
    mr_memory_free(decoder->reads);
    mr_memory_free(decoder->cells);
    *decoder = (struct csv_decoder){0};
}

static struct mr_value cell_value(struct mr_arena *arena, struct mr_slice text, bool quoted,
                                  const struct mr_type *type)
{
    bool text_type = type->code == MR_TYPE_ANY || type->code == MR_TYPE_STRING;
    if (text.size == 0 && !quoted && !text_type)
        return mr_value_null();
    return mr_scalar_from_text(arena, text, type);
}

static bool decode_row(struct csv_decoder *decoder, struct mr_csv_line *line, uint32_t row)
{
    const uint8_t *at = line->start;
    for (uint32_t column = 0;; column++) {
        struct mr_slice text;
        bool quoted;
        const uint8_t *cell_at = at;
        at = mr_csv_read_cell(line, at, decoder->delimiter, &text, &quoted);
        if (at == NULL)
            return false;
        if (column == decoder->columns_count) {
            mr_csv_fail(line, cell_at, "expected no more cells than there are columns");
            return false;
        }
        for (uint32_t i = decoder->first_reads[column]; i != MR_SLOT_NONE;
             i = decoder->reads[i].next)
            decoder->cells[i][row] = cell_value(line->arena, text, quoted, decoder->reads[i].type);
        if (at == line->end) {
            if (column + 1 == decoder->columns_count)
                return true;
            mr_csv_fail(line, at, "expected as many cells as there are columns");
            return false;
        }
        at++;
    }
}

static struct mr_slice without_line_end(struct mr_slice payload)
{
    if (payload.size > 0 && payload.data[payload.size - 1] == '\n')
        payload.size--;
    if (payload.size > 0 && payload.data[payload.size - 1] == '\r')
        payload.size--;
    return payload;
}

static void csv_decode(void *self, struct mr_batch *batch, struct mr_row_error *errors,
                       uint32_t *errors_count)
{
    struct csv_decoder *decoder = self;
    for (uint32_t i = 0; i < decoder->reads_count; i++)
        decoder->cells[i] = mr_batch_column(batch, decoder->reads[i].slot);
    *errors_count = 0;
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        if (batch->payload_nulls[row])
            continue; /* a tombstone has no fields */
        struct mr_slice text = without_line_end(batch->payloads[row]);
        struct mr_csv_line line = {
            .arena = batch->arena, .start = text.data, .end = text.data + text.size};
        size_t valid_size = mr_utf8_valid_size(text);
        if (valid_size < text.size)
            mr_csv_fail(&line, text.data + valid_size, "expected valid UTF-8");
        else if (decode_row(decoder, &line, row))
            continue;
        const char *message = mr_arena_format(batch->arena, "%s at byte %zu", line.error,
                                              (size_t)(line.error_at - line.start));
        errors[(*errors_count)++] =
            (struct mr_row_error){.row = row, .message = mr_slice_text(message)};
        for (uint32_t i = 0; i < decoder->reads_count; i++)
            decoder->cells[i][row] = (struct mr_value){.kind = MR_KIND_ABSENT};
    }
}

/* ---- Encoder. ---- */

static enum mr_status csv_encoder_open(void *self, const struct mr_encoder_open *open,
                                       struct mr_error *error)
{
    struct csv_encoder *encoder = self;
    *encoder = (struct csv_encoder){0};
    enum mr_status status = read_delimiter(open->options, &encoder->delimiter, error);
    if (status != MR_OK)
        return status;
    const struct mr_option_value *columns = mr_options_get(open->options, "columns");
    encoder->columns = mr_memory_new(columns->count, sizeof(*encoder->columns));
    encoder->texts = mr_memory_new(columns->count, sizeof(*encoder->texts));
    encoder->columns_count = columns->count;
    for (uint32_t i = 0; i < columns->count; i++) {
        struct csv_column *column = &encoder->columns[i];
        column->name = columns->texts[i];
        for (uint32_t k = 0; k < open->layout->edits_count; k++) {
            const struct mr_edit *edit = &open->layout->edits[k];
            if (!edit->remove && strcmp(edit->name, column->name) == 0)
                column->edit = edit;
        }
        if (column->edit == NULL)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "The csv column '%s' is not a field that reaches this sink.",
                           column->name);
    }
    return MR_OK;
}

static void csv_encoder_close(void *self)
{
    struct csv_encoder *encoder = self;
    mr_memory_free(encoder->columns);
    mr_memory_free(encoder->texts);
    *encoder = (struct csv_encoder){0};
}

static struct mr_value cell_of(const struct mr_batch *batch, uint32_t slot, uint32_t row)
{
    const struct mr_value *column = slot == MR_SLOT_NONE ? NULL : batch->columns[slot];
    return column == NULL ? (struct mr_value){.kind = MR_KIND_ABSENT} : column[row];
}

static struct mr_value group_value(const struct mr_edit *edit, const struct mr_batch *batch,
                                   uint32_t row, struct mr_arena *arena)
{
    struct mr_map_entry *entries = mr_arena_take(arena, edit->group_count * sizeof(*entries));
    uint32_t count = 0;
    for (uint32_t i = 0; i < edit->group_count; i++) {
        struct mr_value value = cell_of(batch, edit->group[i].slot, row);
        if (value.kind == MR_KIND_ABSENT || value.kind == MR_KIND_REMOVED)
            continue;
        entries[count].key = mr_value_string(mr_slice_text(edit->group[i].name));
        entries[count++].value = value;
    }
    if (count == 0)
        return (struct mr_value){.kind = MR_KIND_ABSENT};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

/* The value that the edit gives the column in this row. */
static enum mr_status column_value(const struct csv_column *column, const struct mr_batch *batch,
                                   uint32_t row, struct mr_arena *arena, struct mr_value *value,
                                   struct mr_error *error)
{
    const struct mr_edit *edit = column->edit;
    *value = edit->group != NULL ? group_value(edit, batch, row, arena)
                                 : cell_of(batch, edit->slot, row);
    const struct mr_span *spans =
        edit->raw_span == MR_SLOT_NONE ? NULL : batch->spans[edit->raw_span];
    if (value->kind != MR_KIND_ABSENT || spans == NULL || spans[row].value_size == 0)
        return MR_OK;
    struct mr_slice raw =
        mr_slice_from(batch->payloads[row].data + spans[row].value_offset, spans[row].value_size);
    return mr_json_parse(raw, NULL, arena, value, error);
}

static bool needs_quotes(struct mr_slice text, uint8_t delimiter)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == delimiter || byte == '"' || byte == '\n' || byte == '\r')
            return true;
    }
    return false;
}

static uint8_t *write_cell(uint8_t *output, struct mr_slice text, uint8_t delimiter)
{
    if (!needs_quotes(text, delimiter)) {
        if (text.size > 0)
            memcpy(output, text.data, text.size);
        return output + text.size;
    }
    *output++ = '"';
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            *output++ = '"';
        *output++ = text.data[i];
    }
    *output++ = '"';
    return output;
}

static enum mr_status csv_encode(void *self, const struct mr_batch *batch, uint32_t row,
                                 struct mr_arena *arena, struct mr_slice *payload,
                                 struct mr_error *error)
{
    struct csv_encoder *encoder = self;
    size_t bound = 1;
    for (uint32_t i = 0; i < encoder->columns_count; i++) {
        const struct csv_column *column = &encoder->columns[i];
        struct mr_value value;
        enum mr_status status = column_value(column, batch, row, arena, &value, error);
        if (status != MR_OK)
            return status;
        encoder->texts[i] = mr_slice_from(NULL, 0);
        if (value.kind != MR_KIND_ABSENT && value.kind != MR_KIND_REMOVED &&
            value.kind != MR_KIND_NULL) {
            encoder->texts[i] = mr_scalar_to_text(arena, value);
            if (encoder->texts[i].data == NULL)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                               "The field '%s' cannot be written as csv: %s.", column->name,
                               mr_json_write_refusal(arena, value));
        }
        bound += 2 * encoder->texts[i].size + 3;
    }
    uint8_t *output = mr_arena_take(arena, bound);
    uint8_t *cursor = output;
    for (uint32_t i = 0; i < encoder->columns_count; i++) {
        if (i > 0)
            *cursor++ = encoder->delimiter;
        cursor = write_cell(cursor, encoder->texts[i], encoder->delimiter);
    }
    *payload = mr_slice_from(output, (size_t)(cursor - output));
    mr_arena_give_back(arena, output, bound, payload->size);
    return MR_OK;
}

static const struct mr_option_spec options[] = {
    {.name = "delimiter",
     .type = MR_OPTION_STRING,
     .default_text = ",",
     .help = "One ASCII character between cells."},
    {.name = "columns",
     .type = MR_OPTION_NAMES,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = COLUMNS_MAX,
     .help = "The names of the columns, in their order. What a cell is says `schema`, as in {age: "
             "int}: without it, it is a string. A heading line in a file: `skip_header`."},
    {0},
};

const struct mr_format_type mr_format_csv = {
    .name = "csv",
    .help = "One row of comma-separated values per record (RFC 4180), without a header line.",
    .options = options,
    .payload_is_json = false,
    .single_value = false,
    .decoder_size = sizeof(struct csv_decoder),
    .decoder_open = csv_decoder_open,
    .decode = csv_decode,
    .decoder_close = csv_decoder_close,
    .encoder_size = sizeof(struct csv_encoder),
    .encoder_open = csv_encoder_open,
    .encode = csv_encode,
    .encoder_close = csv_encoder_close,
};
