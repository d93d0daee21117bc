/* formats/csv_cells.c — see csv_cells.h. */
#include "formats/csv_cells.h"

const uint8_t *mr_csv_fail(struct mr_csv_line *line, const uint8_t *at, const char *error)
{
    line->error = error;
    line->error_at = at;
    return NULL;
}

/* A quoted cell at its opening quote. Returns the place behind the closing one. */
static const uint8_t *read_quoted(struct mr_csv_line *line, const uint8_t *at,
                                  struct mr_slice *text)
{
    const uint8_t *from = at + 1;
    size_t doubled = 0;
    for (at = from;; at++) {
        if (at == line->end)
            return mr_csv_fail(line, at, "expected '\"'");
        if (*at != '"')
            continue;
        if (at + 1 == line->end || at[1] != '"')
            break;
        doubled++;
        at++;
    }
    *text = mr_slice_from(from, (size_t)(at - from));
    if (doubled > 0) {
        uint8_t *output = mr_arena_take(line->arena, text->size);
        size_t size = 0;
        for (const uint8_t *cursor = from; cursor < at; cursor++) {
            output[size++] = *cursor;
            cursor += *cursor == '"'; /* the second of two */
        }
        *text = mr_slice_from(output, size);
    }
    return at + 1;
}

const uint8_t *mr_csv_read_cell(struct mr_csv_line *line, const uint8_t *at, uint8_t delimiter,
                                struct mr_slice *text, bool *quoted)
{
    *quoted = at < line->end && *at == '"';
    if (*quoted) {
        at = read_quoted(line, at, text);
        if (at != NULL && at < line->end && *at != delimiter)
            return mr_csv_fail(line, at, "expected a delimiter behind a quoted cell");
        return at;
    }
    const uint8_t *from = at;
    while (at < line->end && *at != delimiter) {
        if (*at == '"')
            return mr_csv_fail(line, at, "expected a cell with a quote to be quoted");
        if (*at == '\n' || *at == '\r')
            return mr_csv_fail(line, at, "expected a cell with a line end to be quoted");
        at++;
    }
    *text = mr_slice_from(from, (size_t)(at - from));
    return at;
}
