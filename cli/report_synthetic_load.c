/* cli/report_synthetic_load.c — see report_synthetic_load.h. */
#include "cli/report_synthetic_load.h"

#include "base/hash.h"
#include "base/number.h"
#include "base/random.h"
#include "cli/report_synthetic_time.h"
#include "topology/cel_regex.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { SAMPLE_SEED = 1, FIRST_SLOTS = 64, SHOWN_BYTES = 40, REAL = 0, SYNTHETIC = 1 };

/* The texts of a column and their codes, 1.. */
struct mr_synthetic_dictionary {
    const char **texts; /* [code] */
    uint32_t *slots;    /* codes by hash, 0: free; a power of two of them */
    uint32_t slots_count;
    uint32_t count;  /* texts */
    bool as_numbers; /* 1 and 1.0 are the same */
    bool as_bools;   /* True and true are */
};

/* What a format is asked of. */
struct adherence {
    uint64_t asked;
    uint64_t wrong;
};

struct reading {
    struct mr_synthetic_load *load;
    struct mr_synthetic_rows *rows;
    uint32_t file;
    uint32_t place[MR_SYNTHETIC_COLUMNS_MAX]; /* in the file, of each declared column */
    double *numbers[MR_SYNTHETIC_COLUMNS_MAX];
    uint32_t *codes[MR_SYNTHETIC_COLUMNS_MAX];
    struct adherence adherence[MR_SYNTHETIC_COLUMNS_MAX];
    const struct mr_cel_regex *patterns[MR_SYNTHETIC_COLUMNS_MAX];
    struct mr_cel_regex_scratch *scratch;
};

/* ---- Codes ---- */

static uint32_t *slot_of(const struct mr_synthetic_dictionary *dictionary, struct mr_slice text)
{
    uint32_t mask = dictionary->slots_count - 1;
    uint32_t slot = (uint32_t)mr_hash64(text) & mask;
    while (dictionary->slots[slot] != 0 &&
           !mr_slice_equal(mr_slice_text(dictionary->texts[dictionary->slots[slot]]), text))
        slot = (slot + 1) & mask;
    return &dictionary->slots[slot];
}

static void grow(struct mr_synthetic_dictionary *dictionary, struct mr_arena *arena)
{
    uint32_t slots_count = dictionary->slots_count == 0 ? FIRST_SLOTS : dictionary->slots_count * 2;
    const char **texts = mr_arena_new(arena, slots_count, sizeof(*texts));
    for (uint32_t code = 1; code <= dictionary->count; code++)
        texts[code] = dictionary->texts[code];
    dictionary->texts = texts;
    dictionary->slots = mr_arena_new(arena, slots_count, sizeof(*dictionary->slots));
    dictionary->slots_count = slots_count;
    for (uint32_t code = 1; code <= dictionary->count; code++)
        *slot_of(dictionary, mr_slice_text(texts[code])) = code;
}

static enum mr_status find_code(struct mr_synthetic_load *load, uint32_t column,
                                struct mr_slice text, uint32_t *code, struct mr_error *error)
{
    struct mr_synthetic_dictionary *dictionary = &load->dictionaries[column];
    if (memchr(text.data, 0, text.size) != NULL) /* codes are found by texts that end at a NUL */
        text.size = strlen((const char *)text.data);
    if (2 * (dictionary->count + 1) >= dictionary->slots_count)
        grow(dictionary, load->arena);
    uint32_t *slot = slot_of(dictionary, text);
    if (*slot == 0) {
        if (load->arena->used_bytes >
            (size_t)MR_SYNTHETIC_TEXT_BYTES +
                load->rows_max * 16ull * load->kinds->columns_count * load->files_count)
            return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                           "the different texts of '%s' and the columns before it take more than "
                           "256 MiB: take fewer rows by --rows, or say --types '%s=other'",
                           load->columns[column].name, load->columns[column].name);
        *slot = ++dictionary->count;
        dictionary->texts[*slot] = mr_arena_copy_bytes_text(load->arena, text.data, text.size);
    }
    *code = *slot;
    return MR_OK;
}

/* What a category's cell is told apart by. */
static struct mr_slice text_of(const struct mr_synthetic_dictionary *dictionary,
                               const struct mr_synthetic_cell *cell, struct mr_arena *arena)
{
    double number = cell->number;
    bool is_whole;
    bool value = cell->number != 0;
    if (cell->kind == MR_SYNTHETIC_CELL_BOOL ||
        (dictionary->as_bools && mr_synthetic_text_bool(cell->text, &value)))
        return mr_slice_text(value ? "true" : "false");
    if (cell->kind == MR_SYNTHETIC_CELL_TEXT &&
        !(dictionary->as_numbers && mr_synthetic_text_number(cell->text, &number, &is_whole)))
        return cell->text;
    char *text = mr_arena_take(arena, MR_NUMBER_TEXT_SIZE);
    return mr_slice_from(text, mr_number_format_double(number + 0.0, text));
}

/* ---- Cells ---- */

static enum mr_status wrong_cell(const struct reading *reading, uint32_t column,
                                 const struct mr_synthetic_cell *cell, struct mr_error *error)
{
    const struct mr_synthetic_declared *declared = &reading->load->kinds->columns[column];
    const char *shown = cell->kind == MR_SYNTHETIC_CELL_BOOL     ? "a boolean"
                        : cell->kind == MR_SYNTHETIC_CELL_NUMBER ? "a number"
                                                                 : "a text";
    int size = cell->text.size > SHOWN_BYTES ? SHOWN_BYTES : (int)cell->text.size;
    const char *name = declared->column.name;
    const char *kind = mr_synthetic_kind_names[declared->column.kind];
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "%s:%" PRIu64
                   ": '%s' is %s%s, and here is %s%s%.*s%s: say by --types what it is",
                   reading->rows->path, reading->rows->line, name, kind,
                   declared->is_shown ? " in the real table" : "", shown, size > 0 ? " '" : "",
                   size, (const char *)cell->text.data, size > 0 ? "'" : "");
}

static bool read_number(const struct mr_synthetic_cell *cell, double *number)
{
    bool is_whole;
    *number = cell->number;
    if (cell->kind == MR_SYNTHETIC_CELL_TEXT)
        return mr_synthetic_text_number(cell->text, number, &is_whole);
    return cell->kind == MR_SYNTHETIC_CELL_NUMBER;
}

static enum mr_status take_number(struct reading *reading, uint32_t column,
                                  const struct mr_synthetic_cell *cell, double *number,
                                  struct mr_error *error)
{
    const struct mr_synthetic_declared *declared = &reading->load->kinds->columns[column];
    int64_t nanoseconds;
    *number = NAN;
    if (cell->kind == MR_SYNTHETIC_CELL_MISSING)
        return MR_OK;
    if (declared->column.kind == MR_SYNTHETIC_NUMERICAL)
        return read_number(cell, number) ? MR_OK : wrong_cell(reading, column, cell, error);
    if (cell->kind == MR_SYNTHETIC_CELL_TEXT &&
        mr_synthetic_time_parse(declared->datetime_format, cell->text, &nanoseconds)) {
        *number = (double)nanoseconds;
        return MR_OK;
    }
    if (declared->datetime_format == NULL)
        return wrong_cell(reading, column, cell, error);
    reading->adherence[column].wrong++;
    return MR_OK;
}

static bool is_bool(const struct mr_synthetic_cell *cell, bool *value)
{
    double number;
    if (cell->kind == MR_SYNTHETIC_CELL_TEXT && mr_synthetic_text_bool(cell->text, value))
        return true;
    if (cell->kind != MR_SYNTHETIC_CELL_BOOL && !read_number(cell, &number))
        return false;
    if (cell->kind == MR_SYNTHETIC_CELL_BOOL)
        number = cell->number;
    *value = number == 1;
    return number == 0 || number == 1;
}

static enum mr_status take_code(struct reading *reading, uint32_t column,
                                const struct mr_synthetic_cell *cell, uint32_t *code,
                                struct mr_error *error)
{
    struct mr_synthetic_load *load = reading->load;
    const struct mr_synthetic_column *one = &load->columns[column];
    bool value;
    *code = 0;
    if (cell->kind == MR_SYNTHETIC_CELL_MISSING)
        return MR_OK;
    struct mr_slice text = text_of(&load->dictionaries[column], cell, &reading->rows->arena);
    if (reading->patterns[column] != NULL &&
        !mr_cel_regex_matches(reading->patterns[column], reading->scratch, text))
        reading->adherence[column].wrong++;
    if (one->kind == MR_SYNTHETIC_BOOLEAN) {
        if (!is_bool(cell, &value))
            return wrong_cell(reading, column, cell, error);
        text = mr_slice_text(value ? "true" : "false");
    }
    if (mr_synthetic_is_scored(one->kind) || one->is_key)
        return find_code(load, column, text, code, error);
    *code = 1; /* there, that is all that matters */
    return MR_OK;
}

static enum mr_status take_row(struct reading *reading, uint32_t row, struct mr_error *error)
{
    static const struct mr_synthetic_cell missing = {0};
    enum mr_status status = MR_OK;
    for (uint32_t column = 0; column < reading->load->kinds->columns_count && status == MR_OK;
         column++) {
        uint32_t place = reading->place[column];
        const struct mr_synthetic_cell *cell =
            place < reading->rows->names_count ? &reading->rows->cells[place] : &missing;
        reading->adherence[column].asked++;
        status = reading->numbers[column] != NULL
                     ? take_number(reading, column, cell, &reading->numbers[column][row], error)
                     : take_code(reading, column, cell, &reading->codes[column][row], error);
    }
    return status;
}

/* ---- Files ---- */

static enum mr_status read_rows(struct reading *reading, uint32_t wanted, struct mr_error *error)
{
    const struct mr_synthetic_scan *scan = &reading->load->scans[reading->file];
    struct mr_random random;
    uint32_t taken = 0;
    enum mr_status status = mr_synthetic_rows_open(reading->rows, scan->path, error);
    mr_random_init(&random, SAMPLE_SEED, reading->file);
    for (uint64_t row = 0; status == MR_OK && row < scan->rows && taken < wanted; row++) {
        status = mr_synthetic_rows_next(reading->rows, error);
        if (status != MR_OK)
            break;
        if (mr_random_below(&random, scan->rows - row) < wanted - taken)
            status = take_row(reading, taken++, error);
    }
    if (status == MR_END)
        return MR_FAIL(error, MR_IO, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s has become shorter while it was read", scan->path);
    return status;
}

static void open_patterns(struct reading *reading)
{
    struct mr_synthetic_load *load = reading->load;
    for (uint32_t column = 0; column < load->kinds->columns_count; column++) {
        const char *format = load->kinds->columns[column].regex_format;
        const char *why;
        size_t offset;
        if (format == NULL || load->columns[column].kind != MR_SYNTHETIC_ID)
            continue;
        load->formats[column] =
            (struct mr_synthetic_score){.metric = "RegexFormatAdherence", .score = NAN};
        if (strstr(format, "(?P<") != NULL) {
            load->formats[column].why = "patterns with named groups are not compared";
            continue;
        }
        const char *whole = mr_arena_format(load->arena, "^(?:%s)$", format);
        reading->patterns[column] =
            mr_cel_regex_compile(load->arena, mr_slice_text(whole), &why, &offset);
        if (reading->patterns[column] == NULL)
            load->formats[column].why = why;
    }
}

static void score_formats(const struct reading *reading)
{
    struct mr_synthetic_load *load = reading->load;
    for (uint32_t column = 0; column < load->kinds->columns_count; column++) {
        const struct adherence *adherence = &reading->adherence[column];
        bool is_time = load->columns[column].kind == MR_SYNTHETIC_DATETIME &&
                       load->kinds->columns[column].datetime_format != NULL;
        if (is_time)
            load->formats[column].metric = "DatetimeFormatAdherence";
        if (is_time || reading->patterns[column] != NULL)
            load->formats[column].score =
                (double)(adherence->asked - adherence->wrong) / (double)adherence->asked;
    }
}

static enum mr_status load_file(struct mr_synthetic_load *load, uint32_t file,
                                struct mr_error *error)
{
    const struct mr_synthetic_scan *scan = &load->scans[file];
    uint32_t columns_count = load->kinds->columns_count;
    uint32_t wanted = scan->rows < load->rows_max ? (uint32_t)scan->rows : load->rows_max;
    struct mr_arena *arena = load->arena;
    struct reading *reading = mr_arena_new(arena, 1, sizeof(*reading));
    const double **numbers = mr_arena_new(arena, columns_count, sizeof(*numbers));
    const uint32_t **codes = mr_arena_new(arena, columns_count, sizeof(*codes));
    enum mr_synthetic_type *types = mr_arena_new(arena, columns_count, sizeof(*types));
    *reading = (struct reading){.load = load, .file = file};
    reading->rows = mr_arena_new(arena, 1, sizeof(*reading->rows));
    reading->scratch = mr_cel_regex_scratch_create();
    for (uint32_t column = 0; column < columns_count; column++) {
        enum mr_synthetic_kind kind = load->columns[column].kind;
        uint32_t place = mr_synthetic_scan_find(scan, load->columns[column].name);
        reading->place[column] = place;
        types[column] = kind == MR_SYNTHETIC_DATETIME ? MR_SYNTHETIC_TYPE_DATETIME
                                                      : mr_synthetic_scan_type(scan, place);
        if (mr_synthetic_is_number(kind))
            numbers[column] = reading->numbers[column] =
                mr_arena_take(arena, wanted * sizeof(double));
        else
            codes[column] = reading->codes[column] = mr_arena_new(arena, wanted, sizeof(uint32_t));
    }
    if (file == SYNTHETIC)
        open_patterns(reading);
    enum mr_status status = read_rows(reading, wanted, error);
    if (status == MR_OK && file == SYNTHETIC)
        score_formats(reading);
    mr_synthetic_rows_close(reading->rows);
    mr_cel_regex_scratch_destroy(reading->scratch);
    load->tables[file] = (struct mr_synthetic_table){
        .rows_count = wanted, .numbers = numbers, .codes = codes, .types = types};
    return status;
}

/* `range_values`: the codes that are allowed. */
static enum mr_status allow_values(struct mr_synthetic_load *load, uint32_t column,
                                   struct mr_error *error)
{
    const json_t *values = load->kinds->columns[column].values;
    struct mr_synthetic_dictionary *dictionary = &load->dictionaries[column];
    size_t count = json_array_size(values);
    uint32_t *codes = mr_arena_new(load->arena, count + 1, sizeof(*codes));
    for (size_t index = 0; index < count; index++) {
        const json_t *value = json_array_get(values, index);
        struct mr_synthetic_cell cell = {.kind = MR_SYNTHETIC_CELL_TEXT,
                                         .number =
                                             json_is_true(value) ? 1 : json_number_value(value)};
        if (json_is_null(value))
            continue;
        if (json_is_string(value))
            cell.text = mr_slice_text(json_string_value(value));
        else
            cell.kind = json_is_boolean(value) ? MR_SYNTHETIC_CELL_BOOL : MR_SYNTHETIC_CELL_NUMBER;
        enum mr_status status =
            find_code(load, column, text_of(dictionary, &cell, load->arena), &codes[index], error);
        if (status != MR_OK)
            return status;
    }
    bool *allowed = mr_arena_new(load->arena, dictionary->count + 1, sizeof(*allowed));
    for (size_t index = 0; index < count; index++)
        allowed[codes[index]] = codes[index] > 0;
    load->columns[column].allowed = allowed;
    return MR_OK;
}

/* All cells of a column, of all files, that are there are numbers (or booleans). */
static bool are_all(const struct mr_synthetic_load *load, const char *name, bool bools)
{
    for (uint32_t file = 0; file < load->files_count; file++) {
        uint32_t place = mr_synthetic_scan_find(&load->scans[file], name);
        const struct mr_synthetic_tally *tally = &load->scans[file].tallies[place];
        if ((bools ? tally->bools : tally->numbers) != tally->present)
            return false;
    }
    return true;
}

enum mr_status mr_synthetic_load(struct mr_synthetic_load *load, struct mr_error *error)
{
    uint32_t columns_count = load->kinds->columns_count;
    enum mr_status status = MR_OK;
    load->columns = mr_arena_new(load->arena, columns_count, sizeof(*load->columns));
    load->formats = mr_arena_new(load->arena, columns_count, sizeof(*load->formats));
    load->dictionaries = mr_arena_new(load->arena, columns_count, sizeof(*load->dictionaries));
    for (uint32_t column = 0; column < columns_count; column++) {
        load->columns[column] = load->kinds->columns[column].column;
        load->formats[column].score = NAN;
        const char *name = load->columns[column].name;
        load->dictionaries[column].as_numbers = are_all(load, name, false);
        load->dictionaries[column].as_bools = are_all(load, name, true);
    }
    for (uint32_t file = 0; file < load->files_count && status == MR_OK; file++)
        status = load_file(load, file, error);
    for (uint32_t column = 0; column < columns_count && status == MR_OK; column++) {
        struct mr_synthetic_column *one = &load->columns[column];
        bool is_coded = mr_synthetic_is_scored(one->kind) && !mr_synthetic_is_number(one->kind);
        if (is_coded && load->kinds->columns[column].values != NULL)
            status = allow_values(load, column, error);
        one->codes_count = load->dictionaries[column].count + 1;
        if (!mr_synthetic_is_scored(one->kind) && !one->is_key)
            one->codes_count = 2;
    }
    return status;
}

const char *mr_synthetic_load_label(const struct mr_synthetic_load *load, uint32_t column,
                                    uint32_t code)
{
    const struct mr_synthetic_dictionary *dictionary = &load->dictionaries[column];
    return code == 0 || code > dictionary->count ? "" : dictionary->texts[code];
}
