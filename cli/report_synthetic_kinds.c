/* cli/report_synthetic_kinds.c — see report_synthetic_kinds.h. */
#include "cli/report_synthetic_kinds.h"

#include "cli/report_synthetic_time.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static bool find_kind(struct mr_slice text, enum mr_synthetic_kind *kind)
{
    for (uint32_t index = 0; index < MR_SYNTHETIC_KINDS_COUNT; index++) {
        *kind = (enum mr_synthetic_kind)index;
        if (mr_slice_equal(text, mr_slice_text(mr_synthetic_kind_names[index])))
            return true;
    }
    *kind = MR_SYNTHETIC_OTHER;
    return false;
}

static enum mr_status check_format(const char *name, const char *format, struct mr_error *error)
{
    const char *wrong;
    if (format == NULL || mr_synthetic_time_check(format, &wrong))
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "the format '%s' of the datetimes of '%s' has '%.2s', which is not known; known "
                   "are %%Y %%y %%m %%d %%j %%b %%B %%H %%I %%p %%M %%S %%f %%z %%T %%D %%F",
                   format, name, wrong);
}

/* ---- By the cells ---- */

static bool is_called_id(const char *name)
{
    size_t size = strlen(name);
    return size >= 2 && strcasecmp(name + size - 2, "id") == 0 &&
           (size == 2 || name[size - 3] == '_' || name[size - 3] == '-' || name[size - 3] == ' ' ||
            name[size - 2] == 'I');
}

static enum mr_synthetic_kind kind_of(const struct mr_synthetic_scan *real, uint32_t column)
{
    const struct mr_synthetic_tally *tally = &real->tallies[column];
    bool is_unique = !tally->repeats && tally->present >= MR_SYNTHETIC_ID_ROWS;
    if (tally->nested > 0 || tally->present == 0)
        return MR_SYNTHETIC_OTHER;
    if (tally->bools == tally->present)
        return MR_SYNTHETIC_BOOLEAN;
    if (tally->times == tally->present)
        return MR_SYNTHETIC_DATETIME;
    if (tally->numbers == tally->present)
        return is_unique && tally->wholes == tally->present && is_called_id(real->names[column])
                   ? MR_SYNTHETIC_ID
                   : MR_SYNTHETIC_NUMERICAL;
    return is_unique ? MR_SYNTHETIC_ID : MR_SYNTHETIC_CATEGORICAL;
}

static void show_kinds(struct mr_synthetic_kinds *kinds, const struct mr_synthetic_scan *real,
                       struct mr_arena *arena)
{
    kinds->columns_count = real->columns_count;
    kinds->columns = mr_arena_new(arena, real->columns_count, sizeof(*kinds->columns));
    for (uint32_t column = 0; column < real->columns_count; column++) {
        enum mr_synthetic_kind kind = kind_of(real, column);
        bool is_key = kind == MR_SYNTHETIC_ID;
        kinds->columns[column] =
            (struct mr_synthetic_declared){.column = {.name = real->names[column],
                                                      .kind = kind,
                                                      .is_key = is_key,
                                                      .is_left_out = is_key,
                                                      .minimum = NAN,
                                                      .maximum = NAN,
                                                      .nullable = -1},
                                           .is_shown = true};
    }
}

/* ---- By --types ---- */

static struct mr_synthetic_declared *find(struct mr_synthetic_kinds *kinds, const char *name)
{
    for (uint32_t column = 0; column < kinds->columns_count; column++)
        if (strcmp(kinds->columns[column].column.name, name) == 0)
            return &kinds->columns[column];
    return NULL;
}

/* One NAME=KIND; text is the arena's. */
static enum mr_status take_type(struct mr_synthetic_kinds *kinds, char *text,
                                struct mr_error *error)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "--types takes NAME=KIND, separated by commas; '%s' is none", text);
    *equals = '\0';
    char *format = strchr(equals + 1, ':');
    if (format != NULL)
        *format++ = '\0';
    struct mr_synthetic_declared *declared = find(kinds, text);
    if (declared == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "--types names '%s', which is no column of the files", text);
    enum mr_synthetic_kind kind;
    if (!find_kind(mr_slice_text(equals + 1), &kind) ||
        (format != NULL && kind != MR_SYNTHETIC_DATETIME))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "--types says '%s' of '%s'; a kind is numerical, datetime, "
                       "datetime:FORMAT, categorical, boolean, ordinal, id or other",
                       equals + 1, text);
    declared->column.kind = kind;
    declared->column.is_key = kind == MR_SYNTHETIC_ID;
    declared->column.is_left_out = declared->column.is_key;
    declared->datetime_format = format;
    declared->is_shown = false;
    return check_format(text, format, error);
}

static enum mr_status take_types(struct mr_synthetic_kinds *kinds, const char *const *types,
                                 uint32_t types_count, struct mr_arena *arena,
                                 struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < types_count && status == MR_OK; index++) {
        char *text = mr_arena_copy_text(arena, types[index]);
        char *rest;
        for (char *one = strtok_r(text, ",", &rest); one != NULL && status == MR_OK;
             one = strtok_r(NULL, ",", &rest))
            status = take_type(kinds, one, error);
    }
    return status;
}

/* ---- By metadata ---- */

static enum mr_status open_metadata(struct mr_synthetic_kinds *kinds, const char *path,
                                    json_t **table, struct mr_error *error)
{
    json_error_t problem;
    kinds->metadata = json_load_file(path, 0, &problem);
    if (kinds->metadata == NULL && problem.line > 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "%s:%d: %s", path,
                       problem.line, problem.text);
    if (kinds->metadata == NULL) /* the text has the file's name */
        return MR_FAIL(error, MR_IO, MR_RECOVERY_FAIL_TOPOLOGY, "%s", problem.text);
    *table = kinds->metadata;
    json_t *tables = json_object_get(kinds->metadata, "tables");
    if (json_is_object(tables)) {
        if (json_object_size(tables) != 1)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s has %zu tables: one is compared at a time, so give the metadata of "
                           "that one",
                           path, json_object_size(tables));
        *table = json_object_iter_value(json_object_iter(tables));
    }
    if (!json_is_object(json_object_get(*table, "columns")))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s is no metadata of sdmetrics: it has no `columns`", path);
    return MR_OK;
}

static bool is_in(const json_t *list, const char *name)
{
    size_t index;
    const json_t *item;
    if (json_is_string(list))
        return strcmp(json_string_value(list), name) == 0;
    json_array_foreach((json_t *)(uintptr_t)list, index, item) if (is_in(item, name)) return true;
    return false;
}

/* `range_min` and `range_max`: a number, or the text of a time. */
static enum mr_status read_bound(const struct mr_synthetic_declared *declared, const json_t *value,
                                 double *bound, struct mr_error *error)
{
    int64_t nanoseconds;
    *bound = NAN;
    if (value == NULL || json_is_null(value))
        return MR_OK;
    if (json_is_number(value) && declared->column.kind == MR_SYNTHETIC_NUMERICAL) {
        *bound = json_number_value(value);
        return MR_OK;
    }
    if (json_is_string(value) && declared->column.kind == MR_SYNTHETIC_DATETIME &&
        mr_synthetic_time_parse(declared->datetime_format, mr_slice_text(json_string_value(value)),
                                &nanoseconds)) {
        *bound = (double)nanoseconds;
        return MR_OK;
    }
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "the metadata's range of '%s' is not of its kind, %s", declared->column.name,
                   mr_synthetic_kind_names[declared->column.kind]);
}

static enum mr_status take_metadata(struct mr_synthetic_declared *declared, const json_t *table,
                                    const char *name, const json_t *meta, struct mr_error *error)
{
    const char *kind = json_string_value(json_object_get(meta, "sdtype"));
    const json_t *nullable = json_object_get(meta, "range_is_nullable");
    bool is_key = is_in(json_object_get(table, "primary_key"), name) ||
                  is_in(json_object_get(table, "alternate_keys"), name);
    if (kind == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the metadata of '%s' has no `sdtype`", name);
    *declared = (struct mr_synthetic_declared){
        .column = {.name = name,
                   .is_key = is_key,
                   .is_left_out = is_key || json_object_get(meta, "pii") != NULL,
                   .nullable = json_is_boolean(nullable) ? json_is_true(nullable) : -1},
        .datetime_format = json_string_value(json_object_get(meta, "datetime_format")),
        .regex_format = json_string_value(json_object_get(meta, "regex_format")),
        .values = json_object_get(meta, "range_values")};
    (void)find_kind(mr_slice_text(kind), &declared->column.kind); /* any other one is not scored */
    enum mr_status status = check_format(name, declared->datetime_format, error);
    if (status == MR_OK)
        status = read_bound(declared, json_object_get(meta, "range_min"), &declared->column.minimum,
                            error);
    if (status == MR_OK)
        status = read_bound(declared, json_object_get(meta, "range_max"), &declared->column.maximum,
                            error);
    return status;
}

static enum mr_status declare_by(struct mr_synthetic_kinds *kinds, const char *path,
                                 struct mr_arena *arena, struct mr_error *error)
{
    json_t *table;
    const char *name;
    json_t *meta;
    uint32_t count = 0;
    enum mr_status status = open_metadata(kinds, path, &table, error);
    if (status != MR_OK)
        return status;
    const json_t *key = json_object_get(table, "primary_key");
    if (json_is_array(key) && json_array_size(key) > 1)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s has a primary key of several columns; name one column, or none", path);
    json_t *columns = json_object_get(table, "columns");
    struct mr_synthetic_declared *declared =
        mr_arena_new(arena, json_object_size(columns) + 1, sizeof(*declared));
    json_object_foreach(columns, name, meta)
    {
        if (find(kinds, name) == NULL)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s has the column '%s', which the files have not", path, name);
        status = take_metadata(&declared[count++], table, name, meta, error);
        if (status != MR_OK)
            return status;
    }
    for (uint32_t column = 0; column < kinds->columns_count; column++)
        if (json_object_get(columns, kinds->columns[column].column.name) == NULL)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "the column '%s' is not in %s: add its `sdtype` there",
                           kinds->columns[column].column.name, path);
    kinds->columns = declared;
    return MR_OK;
}

/* ---- Both ---- */

static enum mr_status check_columns(const struct mr_synthetic_scan *scan,
                                    const struct mr_synthetic_scan *other, struct mr_error *error)
{
    for (uint32_t column = 0; column < scan->columns_count; column++)
        if (mr_synthetic_scan_find(other, scan->names[column]) == other->columns_count)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s has no column '%s', which %s has: both need the same columns",
                           other->path, scan->names[column], scan->path);
    return MR_OK;
}

enum mr_status mr_synthetic_kinds_open(struct mr_synthetic_kinds *kinds,
                                       const struct mr_synthetic_scan *real,
                                       const struct mr_synthetic_scan *synthetic,
                                       const char *metadata, const char *const *types,
                                       uint32_t types_count, struct mr_arena *arena,
                                       struct mr_error *error)
{
    *kinds = (struct mr_synthetic_kinds){0};
    enum mr_status status = check_columns(real, synthetic, error);
    if (status == MR_OK)
        status = check_columns(synthetic, real, error);
    if (status != MR_OK)
        return status;
    show_kinds(kinds, real, arena);
    return metadata != NULL ? declare_by(kinds, metadata, arena, error)
                            : take_types(kinds, types, types_count, arena, error);
}

void mr_synthetic_kinds_close(struct mr_synthetic_kinds *kinds)
{
    json_decref(kinds->metadata);
}
