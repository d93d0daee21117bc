/* record/schema.c — declared types: their text form, and the lookup of a path. */
#include "record/schema.h"

#include "base/limits.h"

static const struct {
    const char *name;
    struct mr_type type;
} scalars[] = {
    {"any", {.code = MR_TYPE_ANY}},           {"bool", {.code = MR_TYPE_BOOL}},
    {"int", {.code = MR_TYPE_INT}},           {"uint", {.code = MR_TYPE_UINT}},
    {"double", {.code = MR_TYPE_DOUBLE}},     {"string", {.code = MR_TYPE_STRING}},
    {"bytes", {.code = MR_TYPE_BYTES}},       {"timestamp", {.code = MR_TYPE_TIMESTAMP}},
    {"duration", {.code = MR_TYPE_DURATION}},
};

enum { SCALARS_COUNT = sizeof(scalars) / sizeof(scalars[0]) };

static const struct mr_type *const any_type = &scalars[0].type;

static struct mr_slice trim(struct mr_slice text)
{
    while (text.size > 0 && text.data[0] == ' ') {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

static const struct mr_type *parse_type(struct mr_arena *arena, struct mr_slice text, int depth)
{
    static const char list_open[] = "list(";
    const size_t open_size = sizeof(list_open) - 1;
    text = trim(text);
    for (size_t i = 0; i < SCALARS_COUNT; i++) {
        if (mr_slice_equal(text, mr_slice_text(scalars[i].name)))
            return &scalars[i].type;
    }
    if (depth == MR_LIMIT_PATH_STEPS || text.size <= open_size ||
        memcmp(text.data, list_open, open_size) != 0 || text.data[text.size - 1] != ')')
        return NULL;
    struct mr_slice inner = mr_slice_from(text.data + open_size, text.size - open_size - 1);
    const struct mr_type *element = parse_type(arena, inner, depth + 1);
    if (element == NULL)
        return NULL;
    struct mr_type *list = mr_arena_new(arena, 1, sizeof(*list));
    list->code = MR_TYPE_LIST;
    list->element = element;
    return list;
}

const struct mr_type *mr_type_parse(struct mr_arena *arena, const char *text)
{
    return parse_type(arena, mr_slice_text(text), 0);
}

static const struct mr_type *find_field(const struct mr_type *object,
                                        const struct mr_path_step *step)
{
    for (uint32_t i = 0; i < object->fields_count; i++) {
        if (mr_slice_equal(mr_slice_text(object->fields[i].name),
                           mr_slice_from(step->name, step->name_size)))
            return object->fields[i].type;
    }
    return any_type;
}

const struct mr_type *mr_schema_find(const struct mr_schema *schema, const struct mr_path *path)
{
    if (schema == NULL)
        return any_type;
    const struct mr_type *type = &schema->root;
    for (uint32_t i = 0; i < path->steps_count && type->code != MR_TYPE_ANY; i++) {
        const struct mr_path_step *step = &path->steps[i];
        if (step->name != NULL && type->code == MR_TYPE_OBJECT)
            type = find_field(type, step);
        else if (step->name == NULL && type->code == MR_TYPE_LIST)
            type = type->element;
        else
            return NULL;
    }
    return type;
}

const char *mr_type_name(struct mr_arena *arena, const struct mr_type *type)
{
    if (type->code == MR_TYPE_LIST)
        return mr_arena_format(arena, "list(%s)", mr_type_name(arena, type->element));
    if (type->code == MR_TYPE_OBJECT) {
        const char *text = "{";
        for (uint32_t i = 0; i < type->fields_count; i++)
            text = mr_arena_format(arena, "%s%s%s: %s", text, i > 0 ? ", " : "",
                                   type->fields[i].name, mr_type_name(arena, type->fields[i].type));
        return mr_arena_format(arena, "%s}", text);
    }
    for (size_t i = 0; i < SCALARS_COUNT; i++) {
        if (scalars[i].type.code == type->code)
            return scalars[i].name;
    }
    return "unknown";
}
