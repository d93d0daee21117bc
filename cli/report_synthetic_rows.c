/* cli/report_synthetic_rows.c — see report_synthetic_rows.h. */
#include "cli/report_synthetic_rows.h"

#include "base/number.h"
#include "base/utf8.h"
#include "formats/csv_cells.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { ROW_BYTES_MAX = 1 << 20, NUMBER_BYTES_MAX = 64, ARENA_BYTES = 64 << 10 };

/* ---- Texts ---- */

static bool is_among(struct mr_slice text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (mr_slice_equal(text, mr_slice_text(*words)))
            return true;
    return false;
}

/* As pandas.read_csv has it. */
static bool is_missing_word(struct mr_slice text)
{
    static const char *const words[] = {"#N/A", "#N/A N/A", "#NA",    "-1.#IND", "-1.#QNAN",
                                        "-NaN", "-nan",     "1.#IND", "1.#QNAN", "<NA>",
                                        "N/A",  "NA",       "NULL",   "NaN",     "None",
                                        "n/a",  "nan",      "null",   NULL};
    return text.size == 0 || (text.size <= 8 && is_among(text, words));
}

bool mr_synthetic_text_bool(struct mr_slice text, bool *value)
{
    static const char *const yes[] = {"True", "TRUE", "true", NULL};
    static const char *const no[] = {"False", "FALSE", "false", NULL};
    *value = is_among(text, yes);
    return *value || is_among(text, no);
}

bool mr_synthetic_text_number(struct mr_slice text, double *number, bool *is_whole)
{
    uint8_t bytes[NUMBER_BYTES_MAX + 2];
    const uint8_t *end = text.data + text.size;
    const uint8_t *at = text.data;
    size_t size = 0;
    struct mr_number parsed;
    if (text.size == 0 || text.size > NUMBER_BYTES_MAX)
        return false;
    if (*at == '-')
        bytes[size++] = '-';
    at += *at == '-' || *at == '+';
    while (at + 1 < end && at[0] == '0' && at[1] >= '0' && at[1] <= '9')
        at++;
    if (at < end && *at == '.' && at + 1 < end && at[1] >= '0' && at[1] <= '9')
        bytes[size++] = '0';
    for (; at < end; at++) {
        bool is_open = *at == '.' && (at + 1 == end || at[1] < '0' || at[1] > '9');
        bool follows = at > text.data && at[-1] >= '0' && at[-1] <= '9';
        if (!is_open || !follows)
            bytes[size++] = *at;
    }
    if (mr_number_parse(bytes, bytes + size, &parsed) != bytes + size || !isfinite(parsed.number))
        return false;
    *number = parsed.number;
    *is_whole = parsed.kind != MR_NUMBER_DOUBLE && end[-1] != '.';
    return true;
}

/* ---- Columns ---- */

static enum mr_status add_column(struct mr_synthetic_rows *rows, struct mr_slice name,
                                 struct mr_error *error)
{
    if (rows->names_count == MR_SYNTHETIC_COLUMNS_MAX)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s has more than %d columns: compare those that matter in files of their "
                       "own",
                       rows->path, MR_SYNTHETIC_COLUMNS_MAX);
    rows->cells[rows->names_count] = (struct mr_synthetic_cell){0};
    rows->names[rows->names_count++] =
        mr_arena_copy_bytes_text(&rows->names_arena, name.data, name.size);
    return MR_OK;
}

static uint32_t find_column(const struct mr_synthetic_rows *rows, const char *name, uint32_t guess)
{
    if (guess < rows->names_count && strcmp(rows->names[guess], name) == 0)
        return guess;
    for (uint32_t column = 0; column < rows->names_count; column++)
        if (strcmp(rows->names[column], name) == 0)
            return column;
    return rows->names_count;
}

/* ---- CSV ---- */

/* Whether an odd number of quotes is in the line: then a quoted cell begins or ends in it. */
static bool turns_quote(struct mr_slice line)
{
    bool turns = false;
    for (size_t index = 0; index < line.size; index++)
        turns ^= line.data[index] == '"';
    return turns;
}

static enum mr_status join(struct mr_synthetic_rows *rows, struct mr_slice line)
{
    enum mr_status status = MR_OK;
    if (rows->joined.size > 0)
        status = mr_buffer_append(&rows->joined, "\n", 1);
    return status == MR_OK ? mr_buffer_append(&rows->joined, line.data, line.size) : status;
}

/* A row, which is several lines where a quoted cell holds line ends. */
static enum mr_status next_csv_row(struct mr_synthetic_rows *rows, struct mr_slice *row,
                                   struct mr_error *error)
{
    enum mr_status status;
    mr_buffer_clear(&rows->joined);
    do {
        status = mr_line_reader_next(&rows->reader, -1, row, error);
    } while (status == MR_AGAIN || (status == MR_OK && row->size == 0));
    rows->line = rows->reader.number;
    if (status != MR_OK || !turns_quote(*row))
        return status;
    for (bool is_open = true; status == MR_OK && is_open;) {
        status = join(rows, *row);
        if (status != MR_OK)
            return status;
        do {
            status = mr_line_reader_next(&rows->reader, -1, row, error);
        } while (status == MR_AGAIN);
        if (status == MR_END)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s:%" PRIu64 ": a quoted cell has no end", rows->path, rows->line);
        is_open = !turns_quote(*row);
    }
    if (status == MR_OK)
        status = join(rows, *row);
    *row = mr_buffer_view(&rows->joined);
    return status;
}

static enum mr_status take_csv_cell(struct mr_synthetic_rows *rows, uint32_t column,
                                    struct mr_slice text, bool quoted, bool is_header,
                                    struct mr_error *error)
{
    if (is_header)
        return add_column(rows, text, error);
    if (column >= rows->names_count)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s:%" PRIu64 ": the row has more cells than the header's %u", rows->path,
                       rows->line, rows->names_count);
    rows->cells[column] = (struct mr_synthetic_cell){
        .kind = is_missing_word(text) && !(quoted && text.size > 0) ? MR_SYNTHETIC_CELL_MISSING
                                                                    : MR_SYNTHETIC_CELL_TEXT,
        .text = text};
    return MR_OK;
}

static enum mr_status read_csv_row(struct mr_synthetic_rows *rows, bool is_header,
                                   struct mr_error *error)
{
    struct mr_slice row;
    enum mr_status status = next_csv_row(rows, &row, error);
    if (status != MR_OK)
        return status;
    struct mr_csv_line line = {
        .arena = &rows->arena, .start = row.data, .end = row.data + row.size};
    const uint8_t *at = line.start;
    if (mr_utf8_valid_size(row) < row.size)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s:%" PRIu64 ": it is not UTF-8", rows->path, rows->line);
    for (uint32_t column = 0;; column++) {
        struct mr_slice text;
        bool quoted;
        at = mr_csv_read_cell(&line, at, ',', &text, &quoted);
        if (at == NULL)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s:%" PRIu64 ": %s at byte %zu", rows->path, rows->line, line.error,
                           (size_t)(line.error_at - line.start));
        status = take_csv_cell(rows, column, text, quoted, is_header, error);
        if (status != MR_OK)
            return status;
        if (at == line.end) {
            if (column + 1 == rows->names_count)
                return MR_OK;
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s:%" PRIu64 ": the row has %u cells, the header %u", rows->path,
                           rows->line, column + 1, rows->names_count);
        }
        at++;
    }
}

static enum mr_status check_header(const struct mr_synthetic_rows *rows, struct mr_error *error)
{
    for (uint32_t column = 0; column < rows->names_count; column++) {
        if (rows->names[column][0] == '\0')
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s: column %u has no name in the header line", rows->path, column + 1);
        if (find_column(rows, rows->names[column], 0) != column)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s: the header line has '%s' twice", rows->path, rows->names[column]);
    }
    return MR_OK;
}

/* ---- JSON lines ---- */

static void take_json(struct mr_synthetic_rows *rows, uint32_t column, json_t *value)
{
    struct mr_synthetic_cell *cell = &rows->cells[column];
    *cell = (struct mr_synthetic_cell){0};
    switch (json_typeof(value)) {
    case JSON_NULL:
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        cell->kind = MR_SYNTHETIC_CELL_BOOL;
        cell->number = json_is_true(value);
        return;
    case JSON_INTEGER:
    case JSON_REAL:
        cell->kind = MR_SYNTHETIC_CELL_NUMBER;
        cell->is_whole = json_is_integer(value);
        cell->number = json_number_value(value);
        return;
    case JSON_STRING:
        cell->kind = MR_SYNTHETIC_CELL_TEXT;
        cell->text = mr_arena_copy(
            &rows->arena, mr_slice_from(json_string_value(value), json_string_length(value)));
        return;
    case JSON_ARRAY:
    case JSON_OBJECT: {
        size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
        size_t size = json_dumpb(value, NULL, 0, flags);
        char *text = mr_arena_take(&rows->arena, size);
        (void)json_dumpb(value, text, size, flags);
        cell->kind = MR_SYNTHETIC_CELL_TEXT;
        cell->is_nested = true;
        cell->text = mr_slice_from(text, size);
        return;
    }
    }
}

static enum mr_status take_members(struct mr_synthetic_rows *rows, json_t *object,
                                   struct mr_error *error)
{
    const char *name;
    json_t *value;
    uint32_t guess = 0;
    for (uint32_t column = 0; column < rows->names_count; column++)
        rows->cells[column] = (struct mr_synthetic_cell){0};
    json_object_foreach(object, name, value)
    {
        uint32_t column = find_column(rows, name, guess++);
        if (column == rows->names_count) {
            enum mr_status status = add_column(rows, mr_slice_text(name), error);
            if (status != MR_OK)
                return status;
        }
        take_json(rows, column, value);
    }
    return MR_OK;
}

static enum mr_status read_json_row(struct mr_synthetic_rows *rows, struct mr_error *error)
{
    struct mr_slice line;
    enum mr_status status;
    do {
        status = mr_line_reader_next(&rows->reader, -1, &line, error);
    } while (status == MR_AGAIN || (status == MR_OK && line.size == 0));
    rows->line = rows->reader.number;
    if (status != MR_OK)
        return status;
    json_error_t problem;
    json_t *object = json_loadb((const char *)line.data, line.size, 0, &problem);
    if (!json_is_object(object)) {
        bool is_json = object != NULL;
        json_decref(object);
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "%s:%" PRIu64 ": %s",
                       rows->path, rows->line,
                       is_json ? "the line is no JSON object" : problem.text);
    }
    status = take_members(rows, object, error);
    json_decref(object);
    return status;
}

/* ---- Files ---- */

/* The first byte that is no space; a mark of UTF-8 is passed over. 0: there is none. */
static uint8_t first_byte(int descriptor, off_t *start)
{
    uint8_t bytes[4096];
    ssize_t size = pread(descriptor, bytes, sizeof(bytes), 0);
    ssize_t at = size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *start = at;
    while (at < size && strchr(" \t\r\n", bytes[at]) != NULL && bytes[at] != 0)
        at++;
    return at < size ? bytes[at] : 0;
}

enum mr_status mr_synthetic_rows_open(struct mr_synthetic_rows *rows, const char *path,
                                      struct mr_error *error)
{
    off_t start;
    memset(rows, 0, sizeof(*rows));
    mr_arena_init(&rows->arena, ARENA_BYTES);
    mr_arena_init(&rows->names_arena, ARENA_BYTES);
    mr_buffer_init(&rows->joined, ROW_BYTES_MAX);
    rows->path = path;
    rows->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    mr_line_reader_init(&rows->reader, rows->descriptor, ROW_BYTES_MAX);
    if (rows->descriptor < 0)
        return MR_FAIL(error, MR_IO, MR_RECOVERY_FAIL_TOPOLOGY, "%s cannot be read: %s", path,
                       strerror(errno));
    uint8_t first = first_byte(rows->descriptor, &start);
    if (lseek(rows->descriptor, start, SEEK_SET) < 0)
        return MR_FAIL(error, MR_IO, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s is read more than once: it must be a file, not a pipe", path);
    if (first == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "%s is empty", path);
    rows->is_csv = first != '{';
    if (!rows->is_csv)
        return MR_OK;
    enum mr_status status = read_csv_row(rows, true, error);
    return status == MR_OK ? check_header(rows, error) : status;
}

enum mr_status mr_synthetic_rows_next(struct mr_synthetic_rows *rows, struct mr_error *error)
{
    mr_arena_reset(&rows->arena);
    enum mr_status status =
        rows->is_csv ? read_csv_row(rows, false, error) : read_json_row(rows, error);
    if (status == MR_LIMIT)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s:%" PRIu64 ": the row is too long, at most 1 MiB", rows->path,
                       rows->reader.number);
    return status;
}

void mr_synthetic_rows_close(struct mr_synthetic_rows *rows)
{
    mr_line_reader_deinit(&rows->reader);
    mr_buffer_deinit(&rows->joined);
    mr_arena_deinit(&rows->arena);
    mr_arena_deinit(&rows->names_arena);
    if (rows->descriptor >= 0)
        (void)close(rows->descriptor);
}
