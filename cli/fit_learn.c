/* cli/fit_learn.c — see fit_learn.h. */
#include "cli/fit_learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "cli/report_synthetic_rows.h"
#include "operators/sample_model_copula.h"
#include "operators/sample_overlay.h"

enum { ARENA_BYTES = 64 << 10, ROWS_CHUNK_BYTES = 1 << 20, ROWS_FIRST = 4096 };

/* ---- Cells ---- */

static bool read_number(struct mr_value value, double *number)
{
    if (value.kind == MR_KIND_INT)
        *number = (double)value.integer;
    else if (value.kind == MR_KIND_UINT)
        *number = (double)value.unsigned_integer;
    else if (value.kind == MR_KIND_DOUBLE)
        *number = value.number;
    else
        return false;
    return fabs(*number) <= MR_COPULA_NUMBER_MAX;
}

static struct mr_slice text_of(struct mr_value value)
{
    return mr_slice_from(value.text, value.size);
}

static bool read_text_number(struct mr_value value, double *number)
{
    bool is_whole;
    return value.kind == MR_KIND_STRING &&
           mr_synthetic_text_number(text_of(value), number, &is_whole);
}

static bool is_scalar(struct mr_value value)
{
    double number;
    return value.kind == MR_KIND_STRING || value.kind == MR_KIND_BOOL ||
           read_number(value, &number);
}

static int64_t read_time_ms(struct mr_value value)
{
    double number;
    int64_t seconds;
    int32_t nanoseconds;
    if (value.kind == MR_KIND_STRING &&
        mr_clock_parse_rfc3339(text_of(value), &seconds, &nanoseconds))
        return seconds * 1000 + nanoseconds / 1000000;
    if ((read_number(value, &number) || read_text_number(value, &number)) && fabs(number) < 1e15)
        return (int64_t)number;
    return INT64_MIN;
}

static struct mr_value cell_of(const struct mr_fit_column *column, struct mr_value row)
{
    struct mr_value value = mr_path_walk(&column->path, 0, row);
    double number;
    bool truth;
    if (column->from_booleans && value.kind == MR_KIND_STRING)
        return mr_synthetic_text_bool(text_of(value), &truth)
                   ? (struct mr_value){.kind = MR_KIND_BOOL, .boolean = truth}
                   : mr_value_null();
    if (column->from_numbers && value.kind == MR_KIND_STRING)
        return read_text_number(value, &number)
                   ? (struct mr_value){.kind = MR_KIND_DOUBLE, .number = number}
                   : mr_value_null();
    return is_scalar(value) ? value : mr_value_null();
}

/* ---- Columns ---- */

static enum mr_status too_many(struct mr_error *error)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                   "there are more than %d fields: name those that matter by --fields",
                   MR_SAMPLE_FIELDS_MAX);
}

static enum mr_status add_column(struct mr_fit_learner *learner, const char *text,
                                 struct mr_error *error)
{
    if (learner->columns_count == MR_SAMPLE_FIELDS_MAX)
        return too_many(error);
    struct mr_fit_column *column = &learner->columns[learner->columns_count];
    *column = (struct mr_fit_column){0};
    enum mr_status status = mr_path_parse(&learner->arena, text, &column->path, error);
    if (status != MR_OK)
        return status;
    column->name = mr_path_last_name(&column->path);
    for (uint32_t other = 0; other < learner->columns_count; other++)
        if (strcmp(learner->columns[other].name, column->name) == 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "--fields has two fields that would both be called %.100s: a model "
                           "names them by the end of their path",
                           column->name);
    learner->columns_count++;
    return MR_OK;
}

static enum mr_status split_fields(struct mr_fit_learner *learner, const char *fields,
                                   struct mr_error *error)
{
    enum mr_status status = MR_OK;
    while (fields != NULL && status == MR_OK) {
        const char *comma = strchr(fields, ',');
        size_t size = comma == NULL ? strlen(fields) : (size_t)(comma - fields);
        status =
            add_column(learner, mr_arena_copy_bytes_text(&learner->arena, fields, size), error);
        fields = comma == NULL ? NULL : comma + 1;
    }
    return status;
}

/* A member's name as a path, whatever characters it has. */
static enum mr_status add_member(struct mr_fit_learner *learner, struct mr_slice name,
                                 struct mr_error *error)
{
    if (learner->columns_count == MR_SAMPLE_FIELDS_MAX)
        return too_many(error);
    struct mr_path_step *step = mr_arena_new(&learner->arena, 1, sizeof(*step));
    step->name = mr_arena_copy_bytes_text(&learner->arena, name.data, name.size);
    step->name_size = (uint32_t)name.size;
    struct mr_path path = {.steps = step, .steps_count = 1, .text = step->name};
    learner->columns[learner->columns_count++] =
        (struct mr_fit_column){.path = path, .name = step->name};
    return MR_OK;
}

static bool is_called(const struct mr_fit_learner *learner, uint32_t column, struct mr_slice name)
{
    return column < learner->columns_count &&
           mr_slice_equal(name, mr_slice_text(learner->columns[column].name));
}

static enum mr_status find_members_of(struct mr_fit_learner *learner, struct mr_value row,
                                      struct mr_error *error)
{
    enum mr_status status = MR_OK;
    uint32_t next = 0; /* rows mostly have their members in the same order */
    for (uint32_t at = 0; at < row.size && status == MR_OK; at++) {
        struct mr_slice name = text_of(row.entries[at].key);
        if (!(is_scalar(row.entries[at].value) || row.entries[at].value.kind == MR_KIND_NULL) ||
            name.size == 0)
            continue;
        uint32_t column = next;
        if (!is_called(learner, column, name))
            for (column = 0; column < learner->columns_count; column++)
                if (is_called(learner, column, name))
                    break;
        if (column >= learner->columns_count)
            status = add_member(learner, name, error);
        next = column + 1;
    }
    return status;
}

static enum mr_status find_members(struct mr_fit_learner *learner, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint64_t row = 0; row < learner->rows_count && status == MR_OK; row++)
        status = find_members_of(learner, learner->values[row], error);
    return status;
}

/* What the texts of a column of CSV are. */
static void tell_texts(const struct mr_fit_learner *learner, struct mr_fit_column *column)
{
    uint64_t seen = 0;
    uint64_t numbers = 0;
    uint64_t booleans = 0;
    for (uint64_t row = 0; row < learner->rows_count; row++) {
        struct mr_value value = mr_path_walk(&column->path, 0, learner->values[row]);
        double number;
        bool truth;
        if (value.kind != MR_KIND_STRING)
            continue;
        seen++;
        numbers += read_text_number(value, &number);
        booleans += mr_synthetic_text_bool(text_of(value), &truth);
    }
    column->from_numbers = seen > 0 && numbers == seen;
    column->from_booleans = seen > 0 && booleans == seen;
}

static void count_missing(const struct mr_fit_learner *learner, struct mr_fit_column *column)
{
    for (uint64_t row = 0; row < learner->rows_count; row++) {
        double number;
        struct mr_value cell = cell_of(column, learner->values[row]);
        column->missing += cell.kind == MR_KIND_NULL;
        column->has_number = column->has_number || read_number(cell, &number);
    }
}

static enum mr_status decide_columns(struct mr_fit_learner *learner, struct mr_error *error)
{
    enum mr_status status = learner->has_fields ? MR_OK : find_members(learner, error);
    bool has_values = false;
    for (uint32_t at = 0; at < learner->columns_count && status == MR_OK; at++) {
        if (learner->is_csv)
            tell_texts(learner, &learner->columns[at]);
        count_missing(learner, &learner->columns[at]);
        has_values = has_values || learner->columns[at].missing < learner->rows_count;
    }
    if (status != MR_OK || has_values)
        return status;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "none of the records has %s",
                   learner->has_fields
                       ? "a text, a number or a boolean in one of the --fields"
                       : "a member that is a text, a number or a boolean: name fields within by "
                         "--fields a.b");
}

/* ---- Times ---- */

struct timed_row {
    int64_t time_ms;
    uint64_t row;
};

static int by_time(const void *left, const void *right)
{
    const struct timed_row *a = left;
    const struct timed_row *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static bool is_same_path(const struct mr_path *path, const struct mr_path *other)
{
    return path != NULL && mr_path_equal(path, other);
}

static const struct mr_fit_column *column_at(const struct mr_fit_learner *learner,
                                             const struct mr_path *path)
{
    for (uint32_t at = 0; at < learner->columns_count; at++)
        if (is_same_path(path, &learner->columns[at].path))
            return &learner->columns[at];
    return NULL;
}

/* Bounds and digits of a series' values; false: there are at most two different ones. */
static bool describe_values(const double *values, uint64_t count, struct mr_sample_series *one)
{
    static const double powers_of_ten[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    bool is_varied = false;
    one->lowest = INFINITY;
    one->highest = -INFINITY;
    one->decimals = 0;
    for (uint64_t at = 0; at < count; at++) {
        if (isnan(values[at]))
            continue;
        one->lowest = fmin(one->lowest, values[at]);
        one->highest = fmax(one->highest, values[at]);
        while (one->decimals <= MR_COPULA_DECIMALS_MAX) {
            double scale = powers_of_ten[one->decimals];
            if (nearbyint(values[at] * scale) / scale == values[at])
                break;
            one->decimals++;
        }
    }
    one->has_decimals = one->decimals <= MR_COPULA_DECIMALS_MAX;
    for (uint64_t at = 0; at < count; at++)
        is_varied = is_varied || (values[at] > one->lowest && values[at] < one->highest);
    return is_varied;
}

/* Series of columns in which time shows. order: the rows with times, by them. */
static void see_series(struct mr_fit_learner *learner, const int64_t *times_ms,
                       const struct timed_row *order, uint64_t timed)
{
    struct mr_sample_series *found =
        mr_arena_new(&learner->arena, learner->columns_count, sizeof(*found));
    double *values = mr_memory_new(timed, sizeof(*values));
    uint32_t count = 0;
    for (uint32_t index = 0; index < learner->columns_count; index++) {
        struct mr_fit_column *column = &learner->columns[index];
        struct mr_sample_series *one = &found[count];
        if (!column->has_number || is_same_path(learner->timestamp, &column->path) ||
            is_same_path(learner->key, &column->path))
            continue;
        for (uint64_t at = 0; at < timed; at++)
            if (!read_number(cell_of(column, learner->values[order[at].row]), &values[at]))
                values[at] = NAN;
        if (!describe_values(values, timed, one))
            continue;
        mr_fit_series(times_ms, values, timed, &one->series);
        if (one->series.seasons_count == 0 && one->series.trend_per_hour == 0)
            continue;
        one->field = column->name;
        column->series = one;
        count++;
    }
    mr_memory_free(values);
    learner->observed.series = found;
    learner->observed.series_count = count;
}

static enum mr_status see_times(struct mr_fit_learner *learner, struct mr_error *error)
{
    struct timed_row *order = mr_memory_new(learner->rows_count, sizeof(*order));
    int64_t *times_ms = mr_memory_new(learner->rows_count, sizeof(*times_ms));
    uint64_t timed = 0;
    for (uint64_t row = 0; row < learner->rows_count; row++)
        if (learner->times_ms[row] != INT64_MIN)
            order[timed++] = (struct timed_row){.time_ms = learner->times_ms[row], .row = row};
    qsort(order, timed, sizeof(*order), by_time);
    for (uint64_t at = 0; at < timed; at++)
        times_ms[at] = order[at].time_ms;
    enum mr_status status = MR_OK;
    if (timed == 0 && learner->timestamp != NULL)
        status =
            MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                    "no record has a time in %s, the field of --timestamp: neither text as RFC "
                    "3339 writes it nor milliseconds since 1970",
                    learner->timestamp->text);
    if (timed >= 2) {
        learner->observed.has_arrival = true;
        learner->observed.begin_ms = times_ms[0];
        mr_fit_arrival(times_ms, timed, &learner->observed.arrival);
        if (!learner->is_static)
            see_series(learner, times_ms, order, timed);
    }
    mr_memory_free(times_ms);
    mr_memory_free(order);
    return status;
}

/* The column of the event time holds it again in rows that are drawn. */
static void see_time_field(struct mr_fit_learner *learner)
{
    const struct mr_fit_column *column =
        learner->timestamp == NULL ? NULL : column_at(learner, learner->timestamp);
    if (column == NULL || !learner->observed.has_arrival || learner->is_static)
        return;
    learner->observed.time = column->name;
    learner->observed.time_is_text = !column->has_number;
}

/* ---- Keys ---- */

/* What a made key looks like: the texts' common beginning up to the first digit, or the lowest
 * number. */
struct key_form {
    bool has_text;
    struct mr_slice prefix;
    double lowest;
};

static size_t common_prefix(struct mr_slice text, struct mr_slice prefix)
{
    size_t size = 0;
    while (size < prefix.size && size < text.size && text.data[size] == prefix.data[size] &&
           !(text.data[size] >= '0' && text.data[size] <= '9'))
        size++;
    return size;
}

static bool read_key(const struct mr_fit_learner *learner, struct mr_value row, uint64_t *hash,
                     struct key_form *form)
{
    struct mr_value key = mr_path_walk(learner->key, 0, row);
    double number = 0;
    bool truth;
    if (key.kind == MR_KIND_STRING && learner->is_csv && read_text_number(key, &number))
        key = mr_value_double(number);
    else if (key.kind == MR_KIND_STRING && learner->is_csv &&
             mr_synthetic_text_bool(text_of(key), &truth))
        key = mr_value_bool(truth);
    if (key.kind == MR_KIND_STRING) {
        struct mr_slice text = text_of(key);
        form->prefix.size = common_prefix(text, form->has_text ? form->prefix : text);
        form->prefix.data = text.data;
        form->has_text = true;
        *hash = mr_hash64(text);
        return true;
    }
    if (key.kind == MR_KIND_BOOL)
        number = key.boolean;
    else if (!read_number(key, &number))
        return false;
    form->lowest = fmin(form->lowest, number);
    *hash = mr_hash64(mr_slice_from((const uint8_t *)&number, sizeof(number)));
    return true;
}

/* Up to this many keys the copula knows each by itself. */
static bool are_made(const struct mr_sample_observed *observed)
{
    return observed->keys.count > MR_COPULA_TEXTS_MAX;
}

static enum mr_status see_keys(struct mr_fit_learner *learner, struct mr_error *error)
{
    struct mr_sample_observed *observed = &learner->observed;
    struct key_form form = {.lowest = INFINITY};
    uint64_t count = 0;
    if (learner->key == NULL)
        return MR_OK;
    uint64_t *hashes = mr_memory_new(learner->rows_count, sizeof(*hashes));
    for (uint64_t row = 0; row < learner->rows_count; row++)
        count += read_key(learner, learner->values[row], &hashes[count], &form);
    if (count > 0)
        mr_fit_keys(hashes, count, &observed->keys);
    mr_memory_free(hashes);
    if (count == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "no record has a text, a number or a boolean in %s, the field of --key",
                       learner->key->text);
    const struct mr_fit_column *column = column_at(learner, learner->key);
    observed->key = column != NULL ? column->name : learner->key->text;
    if (column == NULL || !are_made(observed))
        return MR_OK;
    observed->keys_origin = form.has_text ? MR_SAMPLE_KEYS_TEXTS : MR_SAMPLE_KEYS_NUMBERS;
    observed->keys_prefix =
        mr_arena_copy_bytes_text(&learner->arena, form.prefix.data, form.prefix.size);
    observed->keys_first =
        form.has_text ? 0 : (int64_t)fmax(-0x1p53, fmin(0x1p53, floor(form.lowest)));
    return MR_OK;
}

/* ---- Learning ---- */

/* A number less what its time adds to it, with the digits that the numbers have. */
static struct mr_value static_cell(const struct mr_fit_column *column, struct mr_value cell,
                                   int64_t time_ms, int64_t begin_ms)
{
    static const double powers_of_ten[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    double number;
    if (column->series == NULL || time_ms == INT64_MIN || !read_number(cell, &number))
        return cell;
    number -= mr_sample_series_at(&column->series->series, time_ms, begin_ms);
    if (column->series->has_decimals) {
        double scale = powers_of_ten[column->series->decimals];
        number = nearbyint(number * scale) / scale;
    }
    return mr_value_double(number);
}

/* What is learned of a cell. Of times and keys that are made nothing but whether they are there. */
static struct mr_value learned_cell(const struct mr_fit_learner *learner,
                                    const struct mr_fit_column *column, uint64_t row)
{
    const struct mr_sample_observed *observed = &learner->observed;
    struct mr_value cell = cell_of(column, learner->values[row]);
    bool is_key = column->name == observed->key && observed->keys_origin != MR_SAMPLE_KEYS_DRAWN;
    if (cell.kind == MR_KIND_NULL || !(is_key || column->name == observed->time))
        return static_cell(column, cell, learner->times_ms[row], observed->begin_ms);
    return is_key && observed->keys_origin == MR_SAMPLE_KEYS_TEXTS
               ? mr_value_string(mr_slice_text(observed->keys_prefix))
               : mr_value_double(is_key ? (double)observed->keys_first
                                        : (double)observed->begin_ms);
}

static void learn_rows(const struct mr_fit_learner *learner, struct mr_copula *model,
                       struct mr_copula_work *work)
{
    uint32_t width = learner->columns_count;
    struct mr_value *cells = mr_memory_new((size_t)width * MR_COPULA_BLOCK_MAX, sizeof(*cells));
    uint32_t count = 0;
    for (uint64_t row = 0; row < learner->rows_count; row++) {
        for (uint32_t at = 0; at < width; at++)
            cells[(size_t)count * width + at] = learned_cell(learner, &learner->columns[at], row);
        if (++count < MR_COPULA_BLOCK_MAX && row + 1 < learner->rows_count)
            continue;
        (void)mr_copula_learn(model, work, cells, count, 0);
        count = 0;
    }
    mr_memory_free(cells);
}

static enum mr_status write_model(struct mr_fit_learner *learner, const char *name,
                                  struct mr_buffer *output, struct mr_error *error)
{
    const char *names[MR_SAMPLE_FIELDS_MAX];
    struct mr_copula model;
    struct mr_copula_work work;
    mr_copula_create(&model, &(struct mr_copula_shape){.columns_count = learner->columns_count,
                                                       .reservoir_rows = MR_FIT_RESERVOIR_ROWS,
                                                       .seed = 1});
    mr_copula_work_create(&work, learner->columns_count);
    learn_rows(learner, &model, &work);
    for (uint32_t column = 0; column < learner->columns_count; column++) {
        names[column] = learner->columns[column].name;
        learner->columns[column].kind = model.columns[column].kind;
    }
    enum mr_status status = mr_sample_copula_write(&model, &work, name, 1, names, output, error);
    if (status == MR_OK)
        status = mr_sample_observed_write(&learner->observed, output, error);
    mr_copula_destroy(&model);
    mr_copula_work_destroy(&work);
    return status;
}

enum mr_status mr_fit_learner_finish(struct mr_fit_learner *learner, const char *name,
                                     struct mr_buffer *output, struct mr_error *error)
{
    MR_ASSERT(learner->rows_count > 0);
    enum mr_status status = decide_columns(learner, error);
    if (status == MR_OK)
        status = see_times(learner, error);
    if (status == MR_OK)
        status = see_keys(learner, error);
    if (status != MR_OK)
        return status;
    see_time_field(learner);
    return write_model(learner, name, output, error);
}

/* ---- Rows ---- */

struct mr_arena *mr_fit_learner_arena(struct mr_fit_learner *learner)
{
    return &learner->rows;
}

enum mr_status mr_fit_learner_add(struct mr_fit_learner *learner, struct mr_value row,
                                  int64_t time_ms, struct mr_error *error)
{
    if (learner->rows.used_bytes > MR_FIT_ROW_BYTES)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                       "the first %llu records take more than %d MiB of memory: say --max-records "
                       "with less",
                       (unsigned long long)learner->rows_count, MR_FIT_ROW_BYTES >> 20);
    if (learner->rows_count == learner->room) {
        learner->room = learner->room == 0 ? ROWS_FIRST : 2 * learner->room;
        learner->values =
            mr_memory_resize(learner->values, learner->room * sizeof(*learner->values));
        learner->times_ms =
            mr_memory_resize(learner->times_ms, learner->room * sizeof(*learner->times_ms));
    }
    if (learner->timestamp != NULL)
        time_ms = read_time_ms(mr_path_walk(learner->timestamp, 0, row));
    learner->values[learner->rows_count] = row;
    learner->times_ms[learner->rows_count++] = time_ms;
    return MR_OK;
}

/* ---- Opening ---- */

static enum mr_status parse_path(struct mr_fit_learner *learner, const char *text,
                                 const struct mr_path **path, struct mr_error *error)
{
    if (text == NULL)
        return MR_OK;
    struct mr_path *made = mr_arena_new(&learner->arena, 1, sizeof(*made));
    *path = made;
    return mr_path_parse(&learner->arena, text, made, error);
}

enum mr_status mr_fit_learner_open(struct mr_fit_learner *learner,
                                   const struct mr_fit_settings *settings, struct mr_error *error)
{
    *learner = (struct mr_fit_learner){.has_fields = settings->fields != NULL,
                                       .is_csv = settings->is_csv,
                                       .is_static = settings->is_static};
    mr_arena_init(&learner->arena, ARENA_BYTES);
    mr_arena_init(&learner->rows, ROWS_CHUNK_BYTES);
    enum mr_status status = split_fields(learner, settings->fields, error);
    if (status == MR_OK)
        status = parse_path(learner, settings->key, &learner->key, error);
    if (status == MR_OK)
        status = parse_path(learner, settings->timestamp, &learner->timestamp, error);
    return status;
}

void mr_fit_learner_close(struct mr_fit_learner *learner)
{
    mr_memory_free(learner->values);
    mr_memory_free(learner->times_ms);
    mr_arena_deinit(&learner->rows);
    mr_arena_deinit(&learner->arena);
}
