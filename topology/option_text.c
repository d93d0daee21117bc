/* topology/option_text.c — see option_text.h. */
#include "topology/option_text.h"

#include <inttypes.h>
#include <math.h>

#include "base/assert.h"
#include "base/number.h"

struct type_words {
    const char *name;
    const char *text;
};

static const struct type_words words[] = {
    [MR_OPTION_BOOLEAN] = {"boolean", "true or false"},
    [MR_OPTION_INTEGER] = {"integer", "an integer"},
    [MR_OPTION_NUMBER] = {"number", "a number"},
    [MR_OPTION_STRING] = {"string", "a text"},
    [MR_OPTION_CHOICE] = {"choice", "one of its choices"},
    [MR_OPTION_DURATION] = {"duration", "a duration with its unit, as in 250ms, 30s or 1h30m"},
    [MR_OPTION_SIZE] = {"size", "a size with its unit, as in 64MiB or 10MB"},
    [MR_OPTION_RATE] = {"rate", "a rate, as in 1000/s"},
    [MR_OPTION_SHARE] = {"share", "a share between 0 and 1"},
    [MR_OPTION_INSTANT] = {"instant", "a quoted RFC 3339 time, as in '2026-01-28T10:30:00Z'"},
    [MR_OPTION_STRINGS] = {"strings", "a list of texts"},
    [MR_OPTION_NAMES] = {"names", "a list of names of top-level fields"},
    [MR_OPTION_STRING_MAP] = {"string map", "a mapping of names to texts"},
    [MR_OPTION_NAME_MAP] = {"name map", "a mapping of names of top-level fields to names"},
    [MR_OPTION_PATH] = {"path", "a field path, as in a.b[0].c"},
    [MR_OPTION_PATHS] = {"paths", "a list of field paths, as in [a, b.c]"},
    [MR_OPTION_EXPRESSION] = {"expression", "a CEL expression (a text)"},
    [MR_OPTION_EXPRESSIONS] = {"expressions", "a mapping of names to CEL expressions"},
    [MR_OPTION_REFERENCE] = {"reference", "one NAME or NAME.OUTPUT"},
    [MR_OPTION_REFERENCES] = {"references", "a list of NAME or NAME.OUTPUT"},
    [MR_OPTION_SCHEMA] = {"schema", "a mapping of fields to types, as in {id: int, value: double}"},
    [MR_OPTION_OBJECT] = {"object", "a mapping of options"},
    [MR_OPTION_OBJECTS] = {"objects", "a list of mappings of options"},
    [MR_OPTION_RECORDS] = {"records", "a list of records (mappings)"},
    [MR_OPTION_STEP] = {"step", "a duration with its unit, as in 2s, or a number of records"},
    [MR_OPTION_AGGREGATES] = {"aggregates",
                              "a mapping of names to aggregate calls, as in {rows: count()}"},
    [MR_OPTION_ZONE] = {"time zone", "the name of a time zone, as in Europe/Berlin"},
    [MR_OPTION_DOCUMENT] = {"document", "the path of a file"},
    [MR_OPTION_NUMBERS] = {"numbers", "a list of numbers, as in [0, 2.5]"},
};

const char *mr_option_type_text(enum mr_option_type type)
{
    MR_ASSERT((size_t)type < MR_ARRAY_COUNT(words));
    return words[type].text;
}

const char *mr_option_type_name(enum mr_option_type type)
{
    MR_ASSERT((size_t)type < MR_ARRAY_COUNT(words));
    return words[type].name;
}

const char *mr_option_duration_text(struct mr_arena *arena, int64_t duration_ms)
{
    static const struct {
        const char *name;
        int64_t milliseconds;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    const char *text = "";
    for (size_t i = 0; i < MR_ARRAY_COUNT(units); i++) {
        int64_t count = duration_ms / units[i].milliseconds;
        if (count != 0)
            text = mr_arena_format(arena, "%s%" PRId64 "%s", text, count, units[i].name);
        duration_ms %= units[i].milliseconds;
    }
    return text[0] == '\0' ? "0s" : text;
}

const char *mr_option_size_text(struct mr_arena *arena, int64_t size_bytes)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {{"GiB", 1 << 30}, {"GB", 1000000000}, {"MiB", 1 << 20},
                 {"MB", 1000000},  {"KiB", 1 << 10},   {"KB", 1000}};
    for (size_t i = 0; i < MR_ARRAY_COUNT(units); i++)
        if (size_bytes != 0 && size_bytes % units[i].bytes == 0)
            return mr_arena_format(arena, "%" PRId64 "%s", size_bytes / units[i].bytes,
                                   units[i].name);
    return mr_arena_format(arena, "%" PRId64 "B", size_bytes);
}

const char *mr_option_bound_text(struct mr_arena *arena, const struct mr_option_spec *spec,
                                 double bound)
{
    if (spec->type == MR_OPTION_DURATION && fabs(bound) < 9e18)
        return mr_option_duration_text(arena, (int64_t)bound);
    if (spec->type == MR_OPTION_SIZE && fabs(bound) < 9e18)
        return mr_option_size_text(arena, (int64_t)bound);
    char text[MR_NUMBER_TEXT_SIZE];
    size_t size = mr_number_format_double(bound, text);
    return mr_arena_format(arena, "%.*s%s", (int)size, text,
                           spec->type == MR_OPTION_RATE ? "/s" : "");
}

const char *mr_option_choices_text(struct mr_arena *arena, const struct mr_option_spec *spec)
{
    const char *text = "";
    for (const char *const *choice = spec->choices; *choice != NULL; choice++)
        text = mr_arena_format(arena, "%s%s%s", text, text[0] == '\0' ? "" : " | ", *choice);
    return text;
}
