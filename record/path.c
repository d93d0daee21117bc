/* record/path.c — parsing and walking field paths.
 * Grammar:
 *   path   = name { "." name | "[" index "]" | "[" quoted "]" } | "[" quoted "]" { ... }
 *   name   = (letter | "_" | byte >= 0x80) { letter | digit | "_" | "-" | byte >= 0x80 }
 *   index  = "0" | nonzero-digit { digit }
 *   quoted = '"' { any byte but '"' and '\' | '\"' | '\\' } '"' */
#include "record/path.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "record/value.h"

struct reader {
    struct mr_arena *arena;
    const char *text;
    const char *cursor;
    struct mr_error *error;
    struct mr_path_step steps[MR_LIMIT_PATH_STEPS];
    uint32_t steps_count;
};

static bool starts_name(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           (uint8_t)byte >= 0x80u;
}

static bool continues_name(char byte)
{
    return starts_name(byte) || (byte >= '0' && byte <= '9') || byte == '-';
}

static enum mr_status fail(struct reader *reader, const char *place, const char *expected)
{
    return MR_FAIL(reader->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "The path '%s' has an error at column %zu: expected %s.", reader->text,
                   (size_t)(place - reader->text) + 1, expected);
}

static enum mr_status add_step(struct reader *reader, struct mr_path_step step)
{
    if (reader->steps_count == MR_LIMIT_PATH_STEPS)
        return MR_FAIL(reader->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The path '%s' has an error at column %zu: it has more than %d steps.",
                       reader->text, (size_t)(reader->cursor - reader->text) + 1,
                       MR_LIMIT_PATH_STEPS);
    reader->steps[reader->steps_count++] = step;
    return MR_OK;
}

static enum mr_status read_name(struct reader *reader)
{
    const char *start = reader->cursor;
    if (!starts_name(*start))
        return fail(reader, start,
                    "a name (other names than [A-Za-z_][A-Za-z0-9_-]* are written [\"name\"])");
    while (continues_name(*reader->cursor))
        reader->cursor++;
    size_t size = (size_t)(reader->cursor - start);
    struct mr_path_step step = {.name = mr_arena_copy_bytes_text(reader->arena, start, size),
                                .name_size = (uint32_t)size};
    return add_step(reader, step);
}

static enum mr_status read_index(struct reader *reader)
{
    const char *start = reader->cursor;
    uint64_t index = 0;
    while (*reader->cursor >= '0' && *reader->cursor <= '9') {
        index = index * 10 + (uint64_t)(*reader->cursor++ - '0');
        if (index > UINT32_MAX)
            return fail(reader, start, "an index of at most 4294967295");
    }
    if (*start == '0' && reader->cursor - start > 1)
        return fail(reader, start, "an index without leading zeros");
    return add_step(reader, (struct mr_path_step){.index = (uint32_t)index});
}

static enum mr_status read_quoted(struct reader *reader)
{
    const char *start = ++reader->cursor;
    char *name = mr_arena_take(reader->arena, strlen(start) + 1);
    size_t size = 0;
    while (*reader->cursor != '"') {
        if (*reader->cursor == '\\') {
            reader->cursor++;
            if (*reader->cursor != '"' && *reader->cursor != '\\')
                return fail(reader, reader->cursor, "'\"' or '\\' behind '\\'");
        }
        if (*reader->cursor == '\0')
            return fail(reader, reader->cursor, "'\"'");
        name[size++] = *reader->cursor++;
    }
    name[size] = '\0';
    reader->cursor++;
    return add_step(reader, (struct mr_path_step){.name = name, .name_size = (uint32_t)size});
}

/* What stands between brackets. */
static enum mr_status read_brackets(struct reader *reader, bool first)
{
    reader->cursor++;
    enum mr_status status;
    if (*reader->cursor == '"')
        status = read_quoted(reader);
    else if (!first && *reader->cursor >= '0' && *reader->cursor <= '9')
        status = read_index(reader);
    else
        status =
            fail(reader, reader->cursor, first ? "a quoted name" : "an index or a quoted name");
    if (status != MR_OK)
        return status;
    if (*reader->cursor != ']')
        return fail(reader, reader->cursor, "']'");
    reader->cursor++;
    return MR_OK;
}

static bool is_bare(const struct mr_path_step *step)
{
    if (step->name_size == 0 || !starts_name(step->name[0]))
        return false;
    for (uint32_t i = 1; i < step->name_size; i++) {
        if (!continues_name(step->name[i]))
            return false;
    }
    return true;
}

static size_t write_quoted(const struct mr_path_step *step, char *text)
{
    size_t size = 0;
    text[size++] = '[';
    text[size++] = '"';
    for (uint32_t i = 0; i < step->name_size; i++) {
        if (step->name[i] == '"' || step->name[i] == '\\')
            text[size++] = '\\';
        text[size++] = step->name[i];
    }
    text[size++] = '"';
    text[size++] = ']';
    return size;
}

/* The canonical text: bare names where they can be. */
static const char *write_text(struct mr_arena *arena, const struct mr_path *path)
{
    size_t bound = 1;
    for (uint32_t i = 0; i < path->steps_count; i++)
        bound += path->steps[i].name != NULL ? 2 * (size_t)path->steps[i].name_size + 5 : 13;
    char *text = mr_arena_take(arena, bound);
    size_t size = 0;
    for (uint32_t i = 0; i < path->steps_count; i++) {
        const struct mr_path_step *step = &path->steps[i];
        if (step->name == NULL) {
            const char *index = mr_arena_format(arena, "[%u]", (unsigned)step->index);
            memcpy(text + size, index, strlen(index));
            size += strlen(index);
        } else if (is_bare(step)) {
            if (i > 0)
                text[size++] = '.';
            memcpy(text + size, step->name, step->name_size);
            size += step->name_size;
        } else {
            size += write_quoted(step, text + size);
        }
    }
    text[size] = '\0';
    return text;
}

enum mr_status mr_path_parse(struct mr_arena *arena, const char *text, struct mr_path *path,
                             struct mr_error *error)
{
    struct reader reader = {.arena = arena, .text = text, .cursor = text, .error = error};
    if (!mr_utf8_valid(mr_slice_text(text)))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A path has an error at column 1: it is not valid UTF-8.");
    enum mr_status status = *text == '[' ? read_brackets(&reader, true) : read_name(&reader);
    while (status == MR_OK && *reader.cursor != '\0') {
        if (*reader.cursor == '.') {
            reader.cursor++;
            status = read_name(&reader);
        } else if (*reader.cursor == '[') {
            status = read_brackets(&reader, false);
        } else {
            status = fail(&reader, reader.cursor, "'.', '[' or the end");
        }
    }
    if (status != MR_OK)
        return status;
    size_t bytes = reader.steps_count * sizeof(reader.steps[0]);
    struct mr_path_step *steps = mr_arena_take(arena, bytes);
    memcpy(steps, reader.steps, bytes);
    *path = (struct mr_path){.steps = steps, .steps_count = reader.steps_count};
    path->text = write_text(arena, path);
    return MR_OK;
}

static bool steps_equal(const struct mr_path_step *left, const struct mr_path_step *right)
{
    if (left->name == NULL || right->name == NULL)
        return left->name == right->name && left->index == right->index;
    return left->name_size == right->name_size &&
           memcmp(left->name, right->name, left->name_size) == 0;
}

bool mr_path_starts_with(const struct mr_path *path, const struct mr_path *prefix)
{
    if (prefix->steps_count > path->steps_count)
        return false;
    for (uint32_t i = 0; i < prefix->steps_count; i++) {
        if (!steps_equal(&path->steps[i], &prefix->steps[i]))
            return false;
    }
    return true;
}

bool mr_path_equal(const struct mr_path *left, const struct mr_path *right)
{
    return left->steps_count == right->steps_count && mr_path_starts_with(left, right);
}

const char *mr_path_last_name(const struct mr_path *path)
{
    const char *name = path->steps[0].name;
    for (uint32_t i = 1; i < path->steps_count; i++)
        if (path->steps[i].name != NULL)
            name = path->steps[i].name;
    return name;
}

static struct mr_value find_member(struct mr_value map, const struct mr_path_step *step)
{
    struct mr_slice name = mr_slice_from(step->name, step->name_size);
    for (uint32_t i = 0; i < map.size; i++) {
        if (map.entries[i].key.kind == MR_KIND_STRING &&
            mr_slice_equal(mr_value_text(map.entries[i].key), name))
            return map.entries[i].value;
    }
    return (struct mr_value){.kind = MR_KIND_ABSENT};
}

struct mr_value mr_path_walk(const struct mr_path *path, uint32_t from, struct mr_value value)
{
    for (uint32_t i = from; i < path->steps_count; i++) {
        const struct mr_path_step *step = &path->steps[i];
        if (step->name != NULL && value.kind == MR_KIND_MAP)
            value = find_member(value, step);
        else if (step->name == NULL && value.kind == MR_KIND_LIST && step->index < value.size)
            value = value.items[step->index];
        else
            return (struct mr_value){.kind = MR_KIND_ABSENT};
    }
    return value;
}
