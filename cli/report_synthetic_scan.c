/* cli/report_synthetic_scan.c — see report_synthetic_scan.h. */
#include "cli/report_synthetic_scan.h"

#include "base/hash.h"
#include "cli/report_synthetic_time.h"

#include <string.h>

enum { SEEN_SLOTS = 2 * MR_SYNTHETIC_FIRST_ROWS };

struct scanning {
    struct mr_synthetic_rows rows;
    struct mr_synthetic_tally tallies[MR_SYNTHETIC_COLUMNS_MAX];
    uint64_t *seen[MR_SYNTHETIC_COLUMNS_MAX]; /* hashes of values, 0: a free slot */
    struct mr_arena arena;
};

/* Whether the hash was there; takes it. Pre: a slot is free. */
static bool was_seen(uint64_t *slots, uint64_t hash)
{
    hash |= 1; /* never 0 */
    for (uint64_t slot = hash % SEEN_SLOTS;; slot = (slot + 1) % SEEN_SLOTS) {
        if (slots[slot] == hash)
            return true;
        if (slots[slot] == 0) {
            slots[slot] = hash;
            return false;
        }
    }
}

static void look_for_repeats(struct scanning *scanning, uint32_t column,
                             const struct mr_synthetic_cell *cell)
{
    struct mr_slice bytes = cell->kind == MR_SYNTHETIC_CELL_TEXT
                                ? cell->text
                                : mr_slice_from(&cell->number, sizeof(cell->number));
    if (scanning->seen[column] == NULL)
        scanning->seen[column] = mr_arena_new(&scanning->arena, SEEN_SLOTS, sizeof(uint64_t));
    if (was_seen(scanning->seen[column], mr_hash64(bytes)))
        scanning->tallies[column].repeats = true;
}

static void tally_cell(struct mr_synthetic_tally *tally, const struct mr_synthetic_cell *cell)
{
    double number;
    bool is_whole = cell->is_whole;
    bool value;
    int64_t nanoseconds;
    tally->present++;
    tally->nested += cell->is_nested;
    if (cell->kind == MR_SYNTHETIC_CELL_BOOL) {
        tally->bools++;
    } else if (cell->kind == MR_SYNTHETIC_CELL_NUMBER ||
               mr_synthetic_text_number(cell->text, &number, &is_whole)) {
        tally->numbers++;
        tally->wholes += is_whole;
    } else if (mr_synthetic_text_bool(cell->text, &value)) {
        tally->bools++;
    } else if (mr_synthetic_time_parse(NULL, cell->text, &nanoseconds)) {
        tally->times++;
    }
}

static void tally_row(struct scanning *scanning, uint64_t row)
{
    const struct mr_synthetic_rows *rows = &scanning->rows;
    for (uint32_t column = 0; column < rows->names_count; column++) {
        const struct mr_synthetic_cell *cell = &rows->cells[column];
        if (cell->kind == MR_SYNTHETIC_CELL_MISSING)
            continue;
        tally_cell(&scanning->tallies[column], cell);
        if (row < MR_SYNTHETIC_FIRST_ROWS && !scanning->tallies[column].repeats)
            look_for_repeats(scanning, column, cell);
    }
}

static enum mr_status scan_rows(struct scanning *scanning, const char *path,
                                struct mr_synthetic_scan *scan, struct mr_error *error)
{
    enum mr_status status = mr_synthetic_rows_open(&scanning->rows, path, error);
    while (status == MR_OK) {
        status = mr_synthetic_rows_next(&scanning->rows, error);
        if (status == MR_OK)
            tally_row(scanning, scan->rows++);
    }
    if (status != MR_END)
        return status;
    if (scan->rows == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s has a header line and no rows", path);
    return MR_OK;
}

enum mr_status mr_synthetic_scan(const char *path, struct mr_arena *arena,
                                 struct mr_synthetic_scan *scan, struct mr_error *error)
{
    struct mr_arena scratch;
    mr_arena_init(&scratch, 64 << 10);
    struct scanning *scanning = mr_arena_new(&scratch, 1, sizeof(*scanning));
    mr_arena_init(&scanning->arena, 64 << 10);
    *scan = (struct mr_synthetic_scan){.path = path};
    enum mr_status status = scan_rows(scanning, path, scan, error);
    if (status == MR_OK) {
        const struct mr_synthetic_rows *rows = &scanning->rows;
        scan->columns_count = rows->names_count;
        scan->names = mr_arena_new(arena, rows->names_count, sizeof(*scan->names));
        scan->tallies = mr_arena_new(arena, rows->names_count, sizeof(*scan->tallies));
        for (uint32_t column = 0; column < rows->names_count; column++) {
            scan->names[column] = mr_arena_copy_text(arena, rows->names[column]);
            scan->tallies[column] = scanning->tallies[column];
        }
    }
    mr_synthetic_rows_close(&scanning->rows);
    mr_arena_deinit(&scanning->arena);
    mr_arena_deinit(&scratch);
    return status;
}

uint32_t mr_synthetic_scan_find(const struct mr_synthetic_scan *scan, const char *name)
{
    uint32_t column = 0;
    while (column < scan->columns_count && strcmp(scan->names[column], name) != 0)
        column++;
    return column;
}

enum mr_synthetic_type mr_synthetic_scan_type(const struct mr_synthetic_scan *scan, uint32_t column)
{
    const struct mr_synthetic_tally *tally = &scan->tallies[column];
    bool is_full = tally->present == scan->rows;
    if (is_full && tally->bools == tally->present)
        return MR_SYNTHETIC_TYPE_BOOL;
    if (tally->numbers < tally->present)
        return MR_SYNTHETIC_TYPE_TEXT;
    return is_full && tally->wholes == tally->present ? MR_SYNTHETIC_TYPE_INT
                                                      : MR_SYNTHETIC_TYPE_DOUBLE;
}
