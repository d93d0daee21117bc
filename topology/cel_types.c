/* topology/cel_types.c — see cel_types.h. */
#include "topology/cel_types.h"

static const struct mr_cel_type simple_types[MR_CEL_TYPE_COUNT] = {
    [MR_KIND_ERROR] = {.kind = MR_CEL_DYN},
    [MR_KIND_NULL] = {.kind = MR_KIND_NULL},
    [MR_KIND_BOOL] = {.kind = MR_KIND_BOOL},
    [MR_KIND_INT] = {.kind = MR_KIND_INT},
    [MR_KIND_UINT] = {.kind = MR_KIND_UINT},
    [MR_KIND_DOUBLE] = {.kind = MR_KIND_DOUBLE},
    [MR_KIND_STRING] = {.kind = MR_KIND_STRING},
    [MR_KIND_BYTES] = {.kind = MR_KIND_BYTES},
    [MR_KIND_TIMESTAMP] = {.kind = MR_KIND_TIMESTAMP},
    [MR_KIND_DURATION] = {.kind = MR_KIND_DURATION},
    [MR_KIND_LIST] = {.kind = MR_KIND_LIST, .element = &simple_types[MR_CEL_DYN]},
    [MR_KIND_MAP] = {.kind = MR_KIND_MAP,
                     .key = &simple_types[MR_CEL_DYN],
                     .element = &simple_types[MR_CEL_DYN]},
    [MR_KIND_TYPE] = {.kind = MR_KIND_TYPE},
    [MR_CEL_DYN] = {.kind = MR_CEL_DYN},
    [MR_CEL_FREE] = {.kind = MR_CEL_FREE},
};

static const char *const kind_texts[MR_KIND_COUNT] = {
    [MR_KIND_NULL] = "null_type",
    [MR_KIND_BOOL] = "bool",
    [MR_KIND_INT] = "int",
    [MR_KIND_UINT] = "uint",
    [MR_KIND_DOUBLE] = "double",
    [MR_KIND_STRING] = "string",
    [MR_KIND_BYTES] = "bytes",
    [MR_KIND_TIMESTAMP] = "google.protobuf.Timestamp",
    [MR_KIND_DURATION] = "google.protobuf.Duration",
    [MR_KIND_LIST] = "list",
    [MR_KIND_MAP] = "map",
    [MR_KIND_TYPE] = "type",
};

const struct mr_cel_type *mr_cel_type_simple(uint8_t kind)
{
    const struct mr_cel_type *type = &simple_types[kind < MR_CEL_TYPE_COUNT ? kind : MR_CEL_DYN];
    return type->kind == 0 ? &simple_types[MR_CEL_DYN] : type;
}

const struct mr_cel_type *mr_cel_type_list(struct mr_arena *arena,
                                           const struct mr_cel_type *element)
{
    struct mr_cel_type *type = mr_arena_new(arena, 1, sizeof *type);
    type->kind = MR_KIND_LIST;
    type->element = element;
    return type;
}

const struct mr_cel_type *mr_cel_type_map(struct mr_arena *arena, const struct mr_cel_type *key,
                                          const struct mr_cel_type *element)
{
    struct mr_cel_type *type = mr_arena_new(arena, 1, sizeof *type);
    type->kind = MR_KIND_MAP;
    type->key = key;
    type->element = element;
    return type;
}

const struct mr_cel_type *mr_cel_type_from_schema(struct mr_arena *arena,
                                                  const struct mr_type *type)
{
    static const uint8_t kinds[] = {
        [MR_TYPE_ANY] = MR_CEL_DYN,
        [MR_TYPE_BOOL] = MR_KIND_BOOL,
        [MR_TYPE_INT] = MR_KIND_INT,
        [MR_TYPE_UINT] = MR_KIND_UINT,
        [MR_TYPE_DOUBLE] = MR_KIND_DOUBLE,
        [MR_TYPE_STRING] = MR_KIND_STRING,
        [MR_TYPE_BYTES] = MR_KIND_BYTES,
        [MR_TYPE_TIMESTAMP] = MR_KIND_TIMESTAMP,
        [MR_TYPE_DURATION] = MR_KIND_DURATION,
        [MR_TYPE_LIST] = MR_KIND_LIST,
        [MR_TYPE_OBJECT] = MR_KIND_MAP,
    };
    if (type == NULL)
        return mr_cel_type_simple(MR_CEL_DYN);
    if (type->code == MR_TYPE_LIST)
        return mr_cel_type_list(arena, mr_cel_type_from_schema(arena, type->element));
    if (type->code == MR_TYPE_OBJECT) {
        struct mr_cel_type *map = mr_arena_new(arena, 1, sizeof *map);
        map->kind = MR_KIND_MAP;
        map->key = mr_cel_type_simple(MR_KIND_STRING);
        map->element = mr_cel_type_simple(MR_CEL_DYN);
        map->declared = type;
        return map;
    }
    return mr_cel_type_simple(kinds[type->code]);
}

/* Schemas know no maps other than declared objects: those are ANY. */
const struct mr_type *mr_cel_type_to_schema(struct mr_arena *arena, const struct mr_cel_type *type)
{
    static const uint8_t codes[MR_CEL_TYPE_COUNT] = {
        [MR_KIND_BOOL] = MR_TYPE_BOOL,           [MR_KIND_INT] = MR_TYPE_INT,
        [MR_KIND_UINT] = MR_TYPE_UINT,           [MR_KIND_DOUBLE] = MR_TYPE_DOUBLE,
        [MR_KIND_STRING] = MR_TYPE_STRING,       [MR_KIND_BYTES] = MR_TYPE_BYTES,
        [MR_KIND_TIMESTAMP] = MR_TYPE_TIMESTAMP, [MR_KIND_DURATION] = MR_TYPE_DURATION,
        [MR_KIND_LIST] = MR_TYPE_LIST,
    };
    if (type->kind == MR_KIND_MAP && type->declared != NULL)
        return type->declared;
    struct mr_type *schema = mr_arena_new(arena, 1, sizeof *schema);
    schema->code = (enum mr_type_code)codes[type->kind];
    if (type->kind == MR_KIND_LIST)
        schema->element = mr_cel_type_to_schema(arena, type->element);
    return schema;
}

const struct mr_cel_type *mr_cel_type_of(struct mr_arena *arena, struct mr_value value)
{
    const struct mr_cel_type *element = mr_cel_type_simple(MR_CEL_FREE);
    if (value.kind != MR_KIND_LIST)
        return mr_cel_type_simple(value.kind);
    for (uint32_t i = 0; i < value.size; i++) {
        element = mr_cel_type_join(arena, element, mr_cel_type_of(arena, value.items[i]));
        if (element == NULL)
            return mr_cel_type_simple(MR_KIND_LIST);
    }
    return mr_cel_type_list(arena, element);
}

const struct mr_cel_type *mr_cel_type_join(struct mr_arena *arena, const struct mr_cel_type *left,
                                           const struct mr_cel_type *right)
{
    if (left->kind == MR_CEL_FREE || left == right)
        return right;
    if (right->kind == MR_CEL_FREE)
        return left;
    if (mr_cel_type_is_dyn(left) || mr_cel_type_is_dyn(right) ||
        (left->kind != right->kind && (left->kind == MR_KIND_NULL || right->kind == MR_KIND_NULL)))
        return mr_cel_type_simple(MR_CEL_DYN);
    if (left->kind != right->kind)
        return NULL;
    if (left->kind != MR_KIND_LIST && left->kind != MR_KIND_MAP)
        return left;
    const struct mr_cel_type *element = mr_cel_type_join(arena, left->element, right->element);
    if (left->kind == MR_KIND_LIST)
        return element == NULL ? NULL : mr_cel_type_list(arena, element);
    const struct mr_cel_type *key = mr_cel_type_join(arena, left->key, right->key);
    if (key == NULL || element == NULL)
        return NULL;
    return mr_cel_type_map(arena, key, element);
}

const char *mr_cel_type_text(struct mr_arena *arena, const struct mr_cel_type *type)
{
    if (mr_cel_type_is_dyn(type))
        return "dyn";
    if (type->kind == MR_KIND_LIST)
        return mr_arena_format(arena, "list(%s)", mr_cel_type_text(arena, type->element));
    if (type->kind == MR_KIND_MAP)
        return mr_arena_format(arena, "map(%s, %s)", mr_cel_type_text(arena, type->key),
                               mr_cel_type_text(arena, type->element));
    const char *text = mr_cel_kind_text(type->kind);
    return text == NULL ? "dyn" : text;
}

const char *mr_cel_kind_text(uint8_t kind)
{
    return kind < MR_KIND_COUNT ? kind_texts[kind] : NULL;
}
