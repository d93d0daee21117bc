/* operators/sample_where.c — see sample_where.h.
 * Design: the tree is the expression language's own; each comparison adds a part to its field's
 * condition, so that `age >= 21 && age < 65` is one condition with two bounds. */
#include "operators/sample_where.h"

#include <string.h>

#include "operators/sample_type.h"
#include "topology/cel_parser.h"

enum { ARENA_BYTES = 1 << 14 };

struct part {
    const char *name; /* "gte" */
    struct mr_value value;
};

struct where_field {
    const char *name;
    bool is_equal; /* or in a set */
    struct mr_value value;
    const struct mr_cel_node *set; /* NULL: value */
    struct part parts[2];          /* lowest and highest; name NULL: none */
};

struct where {
    struct mr_cel_compilation *compilation;
    struct where_field fields[MR_SAMPLE_CONDITIONS_MAX];
    uint32_t fields_count;
};

static void refuse(struct where *where, const struct mr_cel_node *node, const char *reason)
{
    mr_cel_fail(where->compilation, node->column, "%s", reason);
}

/* ---- Pieces of the tree ---- */

static bool is_literal(const struct mr_cel_node *node, struct mr_value *value)
{
    double number;
    if (node->kind == MR_CEL_NODE_UNARY && node->operator_code == MR_CEL_NEGATE &&
        node->items[0]->kind == MR_CEL_NODE_LITERAL &&
        mr_value_as_double(node->items[0]->value, &number)) {
        *value = mr_value_double(-number);
        return true;
    }
    if (node->kind == MR_CEL_NODE_CALL && node->target == NULL && node->items_count == 1 &&
        strcmp(node->name, "timestamp") == 0 && node->items[0]->kind == MR_CEL_NODE_LITERAL &&
        node->items[0]->value.kind == MR_KIND_STRING) {
        *value = node->items[0]->value;
        return true;
    }
    *value = node->value;
    return node->kind == MR_CEL_NODE_LITERAL &&
           (node->value.kind == MR_KIND_STRING || node->value.kind == MR_KIND_BOOL ||
            mr_value_as_double(node->value, &number));
}

static struct where_field *field_of(struct where *where, const struct mr_cel_node *node)
{
    if (node->kind != MR_CEL_NODE_IDENT) {
        refuse(where, node,
               node->kind == MR_CEL_NODE_SELECT
                   ? "a field of a drawn row has one name, without dots"
                   : "rows are drawn by comparisons of a field with a value: write FIELD >= 21, "
                     "FIELD == 'a' or FIELD in ['a', 'b'], joined by &&");
        return NULL;
    }
    for (uint32_t at = 0; at < where->fields_count; at++)
        if (strcmp(where->fields[at].name, node->name) == 0)
            return &where->fields[at];
    if (where->fields_count == MR_SAMPLE_CONDITIONS_MAX) {
        refuse(where, node, "there are conditions on more than 16 fields");
        return NULL;
    }
    struct where_field *field = &where->fields[where->fields_count++];
    *field = (struct where_field){.name = node->name};
    return field;
}

static bool is_free(const struct where_field *field)
{
    return !field->is_equal && field->parts[0].name == NULL && field->parts[1].name == NULL;
}

/* ---- Conditions ---- */

static void add_value(struct where *where, const struct mr_cel_node *node,
                      const struct mr_cel_node *name, struct mr_value value,
                      const struct mr_cel_node *set)
{
    struct where_field *field = field_of(where, name);
    if (field == NULL)
        return;
    if (!is_free(field)) {
        refuse(where, node, "there is another condition on the same field: make one of them");
        return;
    }
    field->is_equal = true;
    field->value = value;
    field->set = set;
}

static void add_bound(struct where *where, const struct mr_cel_node *node,
                      const struct mr_cel_node *name, uint8_t operator_code, struct mr_value value)
{
    static const char *const names[] = {
        [MR_CEL_LESS] = "lt",
        [MR_CEL_LESS_EQUAL] = "lte",
        [MR_CEL_GREATER] = "gt",
        [MR_CEL_GREATER_EQUAL] = "gte",
    };
    struct where_field *field = field_of(where, name);
    bool is_highest = operator_code == MR_CEL_LESS || operator_code == MR_CEL_LESS_EQUAL;
    if (field == NULL)
        return;
    if (field->is_equal || field->parts[is_highest].name != NULL) {
        refuse(where, node,
               "there is another condition on the same side of the field: leave one out");
        return;
    }
    field->parts[is_highest] = (struct part){names[operator_code], value};
}

static uint8_t turned(uint8_t operator_code)
{
    switch ((enum mr_cel_operator)operator_code) {
    case MR_CEL_LESS:
        return MR_CEL_GREATER;
    case MR_CEL_LESS_EQUAL:
        return MR_CEL_GREATER_EQUAL;
    case MR_CEL_GREATER:
        return MR_CEL_LESS;
    case MR_CEL_GREATER_EQUAL:
        return MR_CEL_LESS_EQUAL;
    case MR_CEL_NEGATE:
    case MR_CEL_NOT:
    case MR_CEL_MULTIPLY:
    case MR_CEL_DIVIDE:
    case MR_CEL_MODULO:
    case MR_CEL_ADD:
    case MR_CEL_SUBTRACT:
    case MR_CEL_EQUAL:
    case MR_CEL_NOT_EQUAL:
    case MR_CEL_IN:
    case MR_CEL_AND:
    case MR_CEL_OR:
    case MR_CEL_OPERATOR_COUNT:
        break;
    }
    return operator_code;
}

static void add_comparison(struct where *where, const struct mr_cel_node *node)
{
    const struct mr_cel_node *name = node->items[0];
    const struct mr_cel_node *other = node->items[1];
    uint8_t operator_code = node->operator_code;
    struct mr_value value;
    if (is_literal(name, &value)) {
        other = name;
        name = node->items[1];
        operator_code = turned(operator_code);
    }
    if (!is_literal(other, &value))
        refuse(
            where, other,
            "a field is compared with a value that is written out: rows are drawn, not filtered");
    else if (operator_code == MR_CEL_EQUAL)
        add_value(where, node, name, value, NULL);
    else
        add_bound(where, node, name, operator_code, value);
}

static void add_set(struct where *where, const struct mr_cel_node *node)
{
    const struct mr_cel_node *list = node->items[1];
    struct mr_value value = mr_value_null();
    bool is_fine = list->kind == MR_CEL_NODE_LIST && list->items_count > 0;
    for (uint32_t at = 0; is_fine && at < list->items_count; at++)
        is_fine = is_literal(list->items[at], &value);
    if (is_fine)
        add_value(where, node, node->items[0], value, list);
    else
        refuse(where, list, "behind `in` stands a list of values: FIELD in ['a', 'b']");
}

static void add_binary(struct where *where, const struct mr_cel_node *node);

static void add_node(struct where *where, const struct mr_cel_node *node)
{
    if (node->kind == MR_CEL_NODE_BINARY)
        add_binary(where, node);
    else if (node->kind == MR_CEL_NODE_UNARY && node->operator_code == MR_CEL_NOT)
        add_value(where, node, node->items[0], mr_value_bool(false), NULL);
    else
        add_value(where, node, node, mr_value_bool(true), NULL);
}

static void add_binary(struct where *where, const struct mr_cel_node *node)
{
    switch ((enum mr_cel_operator)node->operator_code) {
    case MR_CEL_AND:
        add_node(where, node->items[0]);
        add_node(where, node->items[1]);
        return;
    case MR_CEL_LESS:
    case MR_CEL_LESS_EQUAL:
    case MR_CEL_GREATER:
    case MR_CEL_GREATER_EQUAL:
    case MR_CEL_EQUAL:
        add_comparison(where, node);
        return;
    case MR_CEL_IN:
        add_set(where, node);
        return;
    case MR_CEL_OR:
        refuse(where, node,
               "|| has no single distribution to draw from: draw once for each side; of one field, "
               "write FIELD in [...]");
        return;
    case MR_CEL_NOT_EQUAL:
        refuse(where, node, "!= cannot be drawn: name the other values by FIELD in [...]");
        return;
    case MR_CEL_NEGATE:
    case MR_CEL_NOT:
    case MR_CEL_MULTIPLY:
    case MR_CEL_DIVIDE:
    case MR_CEL_MODULO:
    case MR_CEL_ADD:
    case MR_CEL_SUBTRACT:
    case MR_CEL_OPERATOR_COUNT:
        break;
    }
    refuse(where, node, "this is a number or text, not a condition");
}

/* ---- Writing ---- */

static void put_value(struct mr_document_writer *writer, struct mr_value value)
{
    double number;
    if (value.kind == MR_KIND_STRING)
        mr_document_put_text(writer, mr_value_text(value));
    else if (value.kind == MR_KIND_BOOL)
        mr_document_put(writer, value.boolean ? "true" : "false");
    else if (mr_value_as_double(value, &number))
        mr_document_put_number(writer, number);
}

static void put_field(struct mr_document_writer *writer, const struct where_field *field)
{
    struct mr_value value;
    mr_document_put_text(writer, mr_slice_text(field->name));
    mr_document_put(writer, ":");
    if (field->is_equal && field->set == NULL) {
        put_value(writer, field->value);
        return;
    }
    mr_document_put(writer, "{");
    if (field->is_equal) {
        mr_document_put(writer, "\"in\":[");
        for (uint32_t at = 0; at < field->set->items_count; at++) {
            mr_document_put(writer, at > 0 ? "," : "");
            if (is_literal(field->set->items[at], &value))
                put_value(writer, value);
        }
        mr_document_put(writer, "]");
    }
    for (int side = 0; side < 2; side++) {
        if (field->parts[side].name == NULL)
            continue;
        mr_document_put(writer, side == 1 && field->parts[0].name != NULL ? ",\"" : "\"");
        mr_document_put(writer, field->parts[side].name);
        mr_document_put(writer, "\":");
        put_value(writer, field->parts[side].value);
    }
    mr_document_put(writer, "}");
}

enum mr_status mr_sample_where(const char *const *expressions, uint32_t expressions_count,
                               struct mr_buffer *output, struct mr_error *error)
{
    struct mr_arena arena;
    struct where where = {0};
    enum mr_status status = MR_OK;
    mr_arena_init(&arena, ARENA_BYTES);
    for (uint32_t at = 0; at < expressions_count && status == MR_OK; at++) {
        uint32_t column = 0;
        struct mr_cel_compilation compilation = {.arena = &arena,
                                                 .text = expressions[at],
                                                 .size = strlen(expressions[at]),
                                                 .column = &column,
                                                 .error = error};
        where.compilation = &compilation;
        struct mr_cel_node *tree =
            mr_cel_check_text(&compilation) ? mr_cel_parse(&compilation) : NULL;
        if (tree != NULL)
            add_node(&where, tree);
        if (compilation.failed) {
            mr_error_context(error, "'%s', column %u", expressions[at], column);
            status = MR_INVALID;
        }
    }
    struct mr_document_writer writer = {.output = output, .status = status};
    mr_document_put(&writer, "{");
    for (uint32_t at = 0; at < where.fields_count; at++) {
        mr_document_put(&writer, at > 0 ? "," : "");
        put_field(&writer, &where.fields[at]);
    }
    mr_document_put(&writer, "}");
    mr_arena_deinit(&arena);
    if (status == MR_OK && writer.status != MR_OK)
        return MR_FAIL(error, writer.status, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the conditions exceed %zu bytes", output->size_max);
    return status;
}
