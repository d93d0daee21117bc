/* base/options.c — option tables: lookup, and the scalars of the grammar.
 * Design: tables have at most a few dozen entries and are searched when a topology is opened, never
 * per record, so a linear search does. All numbers are parsed by hand: the C library's functions
 * take signs, blanks, hexadecimal and the locale's decimal point. */
#include "base/options.h"

#include "base/assert.h"

enum { NEAREST_TEXT_MAX = 64, NEAREST_DISTANCE_MAX = 3 };

uint32_t mr_option_specs_count(const struct mr_option_spec *specs)
{
    uint32_t count = 0;
    while (specs != NULL && specs[count].name != NULL)
        count++;
    return count;
}

int mr_option_specs_find(const struct mr_option_spec *specs, const char *name)
{
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++)
        if (strcmp(specs[i].name, name) == 0)
            return i;
    return -1;
}

const struct mr_option_value *mr_options_get(const struct mr_options *options, const char *name)
{
    uint32_t index = 0;
    while (index < options->count && strcmp(options->specs[index].name, name) != 0)
        index++;
    MR_ASSERT(index < options->count); /* a name that the table does not declare */
    return &options->values[index];
}

bool mr_options_present(const struct mr_options *options, const char *name)
{
    return mr_options_get(options, name)->present;
}

int64_t mr_options_integer(const struct mr_options *options, const char *name)
{
    return mr_options_get(options, name)->integer;
}

double mr_options_number(const struct mr_options *options, const char *name)
{
    return mr_options_get(options, name)->number;
}

bool mr_options_boolean(const struct mr_options *options, const char *name)
{
    return mr_options_get(options, name)->boolean;
}

const char *mr_options_text(const struct mr_options *options, const char *name)
{
    return mr_options_get(options, name)->text;
}

uint32_t mr_options_slot(const struct mr_options *options, const char *name)
{
    const struct mr_option_value *value = mr_options_get(options, name);
    return value->present && value->slots != NULL ? value->slots[0] : MR_SLOT_NONE;
}

struct mr_program *mr_options_program(const struct mr_options *options, const char *name)
{
    const struct mr_option_value *value = mr_options_get(options, name);
    return value->present && value->programs != NULL ? value->programs[0] : NULL;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Reads at least one digit. False: there is none, or the number is above int64's range. */
static bool read_integer(struct mr_slice text, size_t *cursor, int64_t *value)
{
    size_t start = *cursor;
    *value = 0;
    while (*cursor < text.size && is_digit(text.data[*cursor])) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, text.data[*cursor] - '0', value))
            return false;
        (*cursor)++;
    }
    return *cursor > start;
}

static bool rest_is(struct mr_slice text, size_t cursor, const char *unit)
{
    return mr_slice_equal(mr_slice_from(text.data + cursor, text.size - cursor),
                          mr_slice_text(unit));
}

bool mr_option_parse_duration(struct mr_slice text, int64_t *duration_ms)
{
    static const struct {
        const char *name;
        int64_t milliseconds;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t cursor = 0;
    size_t next_unit = 0; /* parts come in falling units, each at most once */
    int64_t total = 0;
    while (cursor < text.size) {
        int64_t number;
        if (!read_integer(text, &cursor, &number))
            return false;
        size_t unit_end = cursor;
        while (unit_end < text.size && !is_digit(text.data[unit_end]))
            unit_end++;
        struct mr_slice name = mr_slice_from(text.data + cursor, unit_end - cursor);
        while (next_unit < MR_ARRAY_COUNT(units) &&
               !mr_slice_equal(name, mr_slice_text(units[next_unit].name)))
            next_unit++;
        if (next_unit == MR_ARRAY_COUNT(units) ||
            __builtin_mul_overflow(number, units[next_unit].milliseconds, &number) ||
            __builtin_add_overflow(total, number, &total))
            return false;
        next_unit++;
        cursor = unit_end;
    }
    if (next_unit == 0)
        return false;
    *duration_ms = total;
    return true;
}

bool mr_option_parse_size(struct mr_slice text, int64_t *size_bytes)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {{"B", 1},      {"KB", 1000},     {"MB", 1000000},    {"GB", 1000000000},
                 {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};
    size_t cursor = 0;
    int64_t number;
    if (!read_integer(text, &cursor, &number))
        return false;
    for (size_t i = 0; i < MR_ARRAY_COUNT(units); i++)
        if (rest_is(text, cursor, units[i].name))
            return !__builtin_mul_overflow(number, units[i].bytes, size_bytes);
    return false;
}

bool mr_option_parse_rate(struct mr_slice text, double *per_second)
{
    /* Up to 15 digits are exact in a double and so is the power of ten: one rounding in all. */
    enum { DIGITS_MAX = 15 };
    size_t cursor = 0;
    size_t digits = 0;
    double mantissa = 0;
    double scale = 1;
    bool fraction = false;
    while (cursor < text.size && (is_digit(text.data[cursor]) || text.data[cursor] == '.')) {
        if (text.data[cursor] == '.') {
            if (fraction || cursor == 0)
                return false;
            fraction = true;
        } else {
            if (++digits > DIGITS_MAX)
                return false;
            mantissa = mantissa * 10 + (text.data[cursor] - '0');
            scale *= fraction ? 10 : 1;
        }
        cursor++;
    }
    if (digits == 0 || text.data[cursor - 1] == '.')
        return false;
    if (rest_is(text, cursor, "/s"))
        *per_second = mantissa / scale;
    else if (rest_is(text, cursor, "/m"))
        *per_second = mantissa / (scale * 60);
    else if (rest_is(text, cursor, "/h"))
        *per_second = mantissa / (scale * 3600);
    else
        return false;
    return true;
}

static uint32_t least(uint32_t left, uint32_t right)
{
    return left < right ? left : right;
}

/* Damerau-Levenshtein distance (restricted: no substring is edited twice) with three rows.
 * Both texts are at most NEAREST_TEXT_MAX bytes. */
static uint32_t edit_distance(struct mr_slice left, struct mr_slice right)
{
    uint32_t rows[3][NEAREST_TEXT_MAX + 1];
    uint32_t *before = rows[0];
    uint32_t *previous = rows[1];
    uint32_t *row = rows[2];
    memset(rows, 0, sizeof rows);
    for (size_t j = 0; j <= right.size; j++)
        previous[j] = (uint32_t)j;
    for (size_t i = 1; i <= left.size; i++) {
        row[0] = (uint32_t)i;
        for (size_t j = 1; j <= right.size; j++) {
            bool same = left.data[i - 1] == right.data[j - 1];
            uint32_t cost = least(previous[j] + 1, row[j - 1] + 1);
            cost = least(cost, previous[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && left.data[i - 1] == right.data[j - 2] &&
                left.data[i - 2] == right.data[j - 1])
                cost = least(cost, before[j - 2] + 1);
            row[j] = cost;
        }
        uint32_t *oldest = before;
        before = previous;
        previous = row;
        row = oldest;
    }
    return previous[right.size];
}

const char *mr_options_nearest(const char *text, const char *const *names, uint32_t count)
{
    struct mr_slice wanted = mr_slice_text(text);
    if (wanted.size > NEAREST_TEXT_MAX)
        return NULL;
    const char *nearest = NULL;
    uint32_t bound = least(NEAREST_DISTANCE_MAX, (uint32_t)wanted.size / 2) + 1;
    for (uint32_t i = 0; i < count; i++) {
        struct mr_slice name = mr_slice_text(names[i]);
        if (name.size > NEAREST_TEXT_MAX)
            continue;
        uint32_t distance = edit_distance(wanted, name);
        if (distance < bound) { /* the first of equally near ones stays */
            bound = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
