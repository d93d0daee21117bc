/* base/zone_file.c — see zone_file.h.
 * Layout of a file (integers big-endian): a header of 44 bytes, a block with 32-bit times, which is
 * skipped, then a second header, a block with 64-bit times, and the rule between two newlines.
 *   header  "TZif"; u8 version '2'..; 15 bytes; u32 count of UT marks, standard marks, leap
 * seconds, transitions, types, bytes of abbreviations block   times of transitions; u8 type of
 * each; types: i32 offset in s, u8 daylight, u8 name; abbreviations; leap seconds (time + 4 bytes);
 * standard marks; UT marks */
#include "base/zone_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/zone_rule.h"

enum {
    HEADER_BYTES = 44,
    TYPE_BYTES = 6,
    TRANSITIONS_MAX = 4096,
    TYPES_MAX = 256,
    ABBREVIATIONS_MAX = 4096,
    MARKS_MAX = 256,
    RULE_BYTES_MAX = 256,
    RULE_YEAR_MIN = 2038, /* files list what they know up to here, or have it as a rule */
    RULE_YEARS = 421,
    YEAR_MIN = 1900, /* of a rule without transitions before it */
    NAMES_MAX = 2048,
    FOLDERS_DEEP = 3
};

/* Times before this are those of the first offset: files write -2^59 for the beginning. */
#define TIME_MIN_S (-(INT64_C(1) << 40))
#define TIME_MAX_S (INT64_C(1) << 40)

static const char folder[] = "/usr/share/zoneinfo";

#define CORRUPT(...) MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY, __VA_ARGS__)

/* ---- Bytes ---- */

struct counts {
    uint32_t ut_marks;
    uint32_t standard_marks;
    uint32_t leap_seconds;
    uint32_t transitions;
    uint32_t types;
    uint32_t abbreviations;
};

static uint32_t read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t read_i64(const uint8_t *bytes)
{
    return (int64_t)((uint64_t)read_u32(bytes) << 32 | read_u32(bytes + 4));
}

/* A header at the front of *rest, which moves behind it. */
static bool read_header(struct mr_slice *rest, struct counts *counts)
{
    const uint8_t *bytes = rest->data;
    if (rest->size < HEADER_BYTES || memcmp(bytes, "TZif", 4) != 0 || bytes[4] < '2' ||
        bytes[4] > '9')
        return false;
    *counts = (struct counts){read_u32(bytes + 20), read_u32(bytes + 24), read_u32(bytes + 28),
                              read_u32(bytes + 32), read_u32(bytes + 36), read_u32(bytes + 40)};
    *rest = mr_slice_from(bytes + HEADER_BYTES, rest->size - HEADER_BYTES);
    return counts->transitions <= TRANSITIONS_MAX && counts->types >= 1 &&
           counts->types <= TYPES_MAX && counts->abbreviations <= ABBREVIATIONS_MAX &&
           counts->ut_marks <= MARKS_MAX && counts->standard_marks <= MARKS_MAX &&
           counts->leap_seconds <= MARKS_MAX;
}

/* Bytes of a block whose times have time_bytes. */
static size_t block_bytes(const struct counts *counts, uint32_t time_bytes)
{
    return (size_t)counts->transitions * (time_bytes + 1) + (size_t)counts->types * TYPE_BYTES +
           counts->abbreviations + (size_t)counts->leap_seconds * (time_bytes + 4) +
           counts->standard_marks + counts->ut_marks;
}

/* ---- Steps ---- */

struct steps {
    struct mr_zone_step *items;
    uint32_t count;
};

static bool read_offset(const struct counts *counts, const uint8_t *types, uint32_t type,
                        int64_t *offset_ms)
{
    if (type >= counts->types)
        return false;
    int32_t offset_s = (int32_t)read_u32(types + (size_t)type * TYPE_BYTES);
    *offset_ms = INT64_C(1000) * offset_s;
    return offset_s < MR_ZONE_OFFSET_MAX_S && offset_s > -MR_ZONE_OFFSET_MAX_S;
}

/* The block's transitions. */
static bool read_steps(const struct counts *counts, const uint8_t *block, struct steps *steps)
{
    const uint8_t *indexes = block + (size_t)counts->transitions * 8;
    const uint8_t *types = indexes + counts->transitions;
    int64_t before_s = INT64_MIN;
    steps->items[0] = (struct mr_zone_step){.at_ms = INT64_MIN};
    steps->count = 1;
    if (!read_offset(counts, types, 0, &steps->items[0].offset_ms))
        return false;
    for (uint32_t i = 0; i < counts->transitions; i++) {
        int64_t at_s = read_i64(block + (size_t)i * 8);
        int64_t offset_ms;
        if ((i > 0 && at_s <= before_s) || at_s > TIME_MAX_S ||
            !read_offset(counts, types, indexes[i], &offset_ms))
            return false;
        before_s = at_s;
        if (at_s < TIME_MIN_S)
            steps->items[0].offset_ms = offset_ms;
        else
            steps->items[steps->count++] =
                (struct mr_zone_step){.at_ms = at_s * 1000, .offset_ms = offset_ms};
    }
    return true;
}

static int64_t year_of(int64_t at_ms)
{
    int64_t year;
    int32_t month;
    int32_t day;
    mr_clock_civil_from_days(at_ms / 86400000 - (at_ms % 86400000 < 0), &year, &month, &day);
    return year;
}

static int compare_steps(const void *left, const void *right)
{
    const struct mr_zone_step *a = left;
    const struct mr_zone_step *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return (a->highest_ms > b->highest_ms) - (a->highest_ms < b->highest_ms);
}

/* Behind the listed steps those of the rule, up to where they repeat. Of two at one instant the
 * later one in the order of years holds. */
static void add_rule(const struct mr_zone_rule *rule, struct steps *steps, int64_t *repeat_ms)
{
    uint32_t listed = steps->count;
    int64_t last_ms = steps->items[listed - 1].at_ms;
    int64_t first_year = last_ms == INT64_MIN ? YEAR_MIN : year_of(last_ms);
    int64_t last_year = RULE_YEARS + (first_year < RULE_YEAR_MIN ? RULE_YEAR_MIN : first_year + 1);
    uint32_t count = listed;
    for (int64_t year = first_year; year <= last_year; year++) {
        int64_t begin_s;
        int64_t end_s;
        mr_zone_rule_year(rule, year, &begin_s, &end_s);
        /* highest_ms is the order of the year until mr_zone_make writes it. */
        bool begins_first = begin_s <= end_s;
        steps->items[count++] = (struct mr_zone_step){
            begin_s * 1000, rule->daylight_offset_s * 1000, 2 * year + !begins_first};
        steps->items[count++] =
            (struct mr_zone_step){end_s * 1000, rule->offset_s * 1000, 2 * year + begins_first};
    }
    qsort(steps->items + listed, count - listed, sizeof(*steps->items), compare_steps);
    for (uint32_t i = listed; i < count; i++) {
        const struct mr_zone_step *step = &steps->items[i];
        if (step->at_ms <= last_ms)
            continue;
        if (step->at_ms == steps->items[steps->count - 1].at_ms)
            steps->count--;
        steps->items[steps->count++] = *step;
    }
    *repeat_ms = mr_clock_days_from_civil(last_year - 1, 1, 1) * 86400000;
}

/* ---- Files ---- */

static enum mr_status read_rule(struct mr_slice rest, const char *name, struct steps *steps,
                                int64_t *repeat_ms, struct mr_error *error)
{
    const uint8_t *end = NULL;
    if (rest.size >= 2 && rest.data[0] == '\n')
        end = memchr(rest.data + 1, '\n', rest.size - 1);
    if (end == NULL || end - rest.data > RULE_BYTES_MAX)
        return CORRUPT("the file of the time zone %s has no rule at its end", name);
    struct mr_slice text = mr_slice_from(rest.data + 1, (size_t)(end - rest.data) - 1);
    struct mr_zone_rule rule;
    if (text.size == 0) /* nothing is known behind the last step: its offset stays */
        return MR_OK;
    if (!mr_zone_rule_parse(text, &rule))
        return CORRUPT("the file of the time zone %s has a rule at its end that is none", name);
    if (rule.has_daylight)
        add_rule(&rule, steps, repeat_ms);
    else if (rule.offset_s * 1000 != steps->items[steps->count - 1].offset_ms)
        return CORRUPT("the file of the time zone %s ends with another offset than its rule", name);
    return MR_OK;
}

/* The second block and the rule behind it. */
static enum mr_status read_zone(struct mr_slice rest, const char *name, struct steps *steps,
                                int64_t *repeat_ms, struct mr_error *error)
{
    struct counts counts;
    if (!read_header(&rest, &counts) || block_bytes(&counts, 8) > rest.size)
        return CORRUPT("the file of the time zone %s is torn", name);
    if (counts.leap_seconds > 0)
        return CORRUPT("the time zone %s counts leap seconds: take the one without", name);
    if (!read_steps(&counts, rest.data, steps))
        return CORRUPT("the file of the time zone %s has transitions that are out of order or of "
                       "no type",
                       name);
    size_t skipped = block_bytes(&counts, 8);
    return read_rule(mr_slice_from(rest.data + skipped, rest.size - skipped), name, steps,
                     repeat_ms, error);
}

enum mr_status mr_zone_read(struct mr_slice bytes, const char *name, struct mr_arena *arena,
                            const struct mr_zone **zone, struct mr_error *error)
{
    struct mr_slice rest = bytes;
    struct counts counts;
    if (bytes.size > MR_ZONE_FILE_BYTES_MAX || !read_header(&rest, &counts) ||
        block_bytes(&counts, 4) > rest.size)
        return CORRUPT("the file of the time zone %s is torn, or older than version 2 of TZif",
                       name);
    size_t skipped = block_bytes(&counts, 4);
    struct steps steps = {.items = mr_memory_new(MR_ZONE_STEPS_MAX, sizeof(*steps.items))};
    int64_t repeat_ms = INT64_MAX;
    enum mr_status status = read_zone(mr_slice_from(rest.data + skipped, rest.size - skipped), name,
                                      &steps, &repeat_ms, error);
    if (status == MR_OK) {
        struct mr_zone_step *kept = mr_arena_new(arena, steps.count, sizeof(*kept));
        memcpy(kept, steps.items, steps.count * sizeof(*kept));
        struct mr_zone *made = mr_arena_new(arena, 1, sizeof(*made));
        mr_zone_make(made, name, kept, steps.count, repeat_ms);
        *zone = made;
    }
    mr_memory_free(steps.items);
    return status;
}

/* ---- The database ---- */

struct names {
    struct mr_arena *arena;
    const char **items;
    uint32_t count;
};

/* Names below a folder; deep: folders above it. */
static void list_names(struct names *names, const char *prefix, int deep)
{
    char path[256];
    int size = snprintf(path, sizeof(path), "%s/%s", folder, prefix);
    DIR *opened = size < 0 || (size_t)size >= sizeof(path) ? NULL : opendir(path);
    const struct dirent *entry;
    while (opened != NULL && names->count < NAMES_MAX && (entry = readdir(opened)) != NULL) {
        const char *found = entry->d_name;
        if (strchr(found, '.') != NULL || found[0] < 'A' || found[0] > 'Z' ||
            strlen(prefix) + strlen(found) >= MR_ZONE_NAME_BYTES - 1)
            continue; /* tables, and copies under lower-case names */
        char *name = mr_arena_format(names->arena, "%s%s", prefix, found);
        if (entry->d_type == DT_DIR && deep + 1 < FOLDERS_DEEP)
            list_names(names, mr_arena_format(names->arena, "%s/", name), deep + 1);
        else if (entry->d_type != DT_DIR && names->count < NAMES_MAX)
            names->items[names->count++] = name;
    }
    if (opened != NULL)
        (void)closedir(opened);
}

static enum mr_status not_found(const char *name, struct mr_arena *arena, struct mr_error *error)
{
    struct names names = {.arena = arena,
                          .items = mr_arena_new(arena, NAMES_MAX, sizeof(*names.items))};
    list_names(&names, "", 0);
    if (names.count == 0)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                       "there is no time zone '%s': this machine has no tz database in %s; install "
                       "tzdata",
                       name, folder);
    const char *nearest = mr_options_nearest(name, names.items, names.count);
    return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                   "there is no time zone '%s' in this machine's tz database%s%s%s", name,
                   nearest == NULL ? ", whose names are as Europe/Berlin" : "; did you mean '",
                   nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?");
}

/* Letters, digits, + - _ in parts divided by /, of which the first begins with a letter. */
static bool is_name(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size >= MR_ZONE_NAME_BYTES || name[size - 1] == '/')
        return false;
    for (size_t i = 0; i < size; i++) {
        char letter = (char)(name[i] | 0x20);
        bool is_letter = letter >= 'a' && letter <= 'z';
        bool is_other =
            i > 0 && ((name[i] >= '0' && name[i] <= '9') || name[i] == '+' || name[i] == '-' ||
                      name[i] == '_' || (name[i] == '/' && name[i - 1] != '/'));
        if (!is_letter && !is_other)
            return false;
    }
    return true;
}

enum mr_status mr_zone_load(const char *name, struct mr_arena *arena, const struct mr_zone **zone,
                            struct mr_error *error)
{
    if (!is_name(name))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'%.80s' is not the name of a time zone, as Europe/Berlin", name);
    char path[sizeof(folder) + MR_ZONE_NAME_BYTES];
    int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
    MR_ASSERT(length > 0 && (size_t)length < sizeof(path));
    FILE *file = fopen(path, "rbe");
    if (file == NULL && (errno == ENOENT || errno == ENOTDIR))
        return not_found(name, arena, error);
    if (file == NULL)
        return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_FAIL_TOPOLOGY,
                             "the file %s of the time zone cannot be opened", path);
    uint8_t *bytes = mr_memory_new(MR_ZONE_FILE_BYTES_MAX + 1, 1);
    size_t size = fread(bytes, 1, MR_ZONE_FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    enum mr_status status =
        failed ? not_found(name, arena, error) /* a folder, too: Europe is no zone */
               : mr_zone_read(mr_slice_from(bytes, size), mr_arena_copy_text(arena, name), arena,
                              zone, error);
    mr_memory_free(bytes);
    return status;
}
