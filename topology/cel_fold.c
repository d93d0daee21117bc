/* topology/cel_fold.c — constants are worked out once, when the expression is compiled.
 * Design: from the leaves up, with the very functions that the evaluator uses. An error is a
 * constant too: CEL raises it at run time, where && and || may absorb it. Macros and now() stay. */
#include "topology/cel_program.h"

/* Steps that folding may take in one expression; what needs more is left to the evaluator. */
enum { FOLD_COST = 20000 };

struct folder {
    struct mr_cel_context context;
    uint32_t cost;
};

static void fold(struct folder *folder, struct mr_cel_node *node);

struct mr_value mr_cel_call(struct mr_cel_context *context, const struct mr_cel_function *functions,
                            uint32_t functions_count, uint8_t style,
                            const struct mr_value *arguments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i].kind == MR_KIND_ERROR)
            return arguments[i];
    }
    for (uint32_t f = 0; f < functions_count; f++) {
        const struct mr_cel_function *function = &functions[f];
        bool fits = (function->style & style) != 0 && count >= function->arguments_min &&
                    count <= function->arguments_max;
        for (uint32_t i = 0; fits && i < count; i++)
            fits = (mr_cel_function_accepts(function, i) >> arguments[i].kind & 1u) != 0;
        if (fits)
            return function->call(context, arguments, count);
    }
    return mr_cel_error_kinds(context, functions[0].name,
                              count > 0 ? arguments[0].kind : (uint8_t)MR_KIND_ABSENT,
                              count > 1 ? arguments[1].kind : (uint8_t)MR_KIND_ABSENT);
}

struct mr_value mr_cel_map_set(struct mr_cel_context *context, struct mr_value map,
                               struct mr_value key, struct mr_value value)
{
    if (map.kind == MR_KIND_ERROR)
        return map;
    if (key.kind == MR_KIND_ERROR)
        return key;
    if (value.kind == MR_KIND_ERROR)
        return value;
    if (key.kind != MR_KIND_BOOL && key.kind != MR_KIND_INT && key.kind != MR_KIND_UINT &&
        key.kind != MR_KIND_STRING)
        return mr_cel_error_kinds(context, "the key of a map", key.kind, MR_KIND_ABSENT);
    if (!mr_cel_charge(context, map.size / 8 + 1))
        return mr_cel_error_cost();
    struct mr_map_entry *entries = mr_cel_mutable_entries(map);
    for (uint32_t i = 0; i < map.size; i++) {
        if (mr_cel_equal(context, entries[i].key, key))
            return mr_cel_error("a map has the same key twice");
    }
    key.flags = 0;
    value.flags &= (uint8_t)~MR_CEL_VALUE_LITERAL;
    entries[map.size++] = (struct mr_map_entry){.key = key, .value = value};
    return map;
}

static void become(struct folder *folder, struct mr_cel_node *node, struct mr_value value)
{
    if (folder->cost > MR_LIMIT_EXPRESSION_COST)
        return;
    node->kind = MR_CEL_NODE_LITERAL;
    node->value = value;
}

static struct mr_value list_of(struct folder *folder, const struct mr_cel_node *node)
{
    struct mr_value *items =
        mr_arena_new(folder->context.arena, node->items_count + 1, sizeof *items);
    for (uint32_t i = 0; i < node->items_count; i++) {
        items[i] = node->items[i]->value;
        if (items[i].kind == MR_KIND_ERROR)
            return items[i];
        items[i].flags = 0;
    }
    return (struct mr_value){.kind = MR_KIND_LIST, .size = node->items_count, .items = items};
}

static struct mr_value map_of(struct folder *folder, const struct mr_cel_node *node)
{
    struct mr_map_entry *entries =
        mr_arena_new(folder->context.arena, node->items_count / 2 + 1, sizeof *entries);
    struct mr_value map = {.kind = MR_KIND_MAP, .entries = entries};
    for (uint32_t i = 0; i + 1 < node->items_count; i += 2)
        map =
            mr_cel_map_set(&folder->context, map, node->items[i]->value, node->items[i + 1]->value);
    return map;
}

static void fold_call(struct folder *folder, struct mr_cel_node *node)
{
    struct mr_value arguments[MR_CEL_ARGUMENTS_MAX];
    uint32_t count = 0;
    const struct mr_cel_function *functions = mr_cel_functions_find(node->name, &count);
    /* matches() needs the evaluator's scratch. */
    if (functions->reads_clock || functions->call == mr_cel_matches ||
        node->items_count > MR_CEL_ARGUMENTS_MAX)
        return;
    for (uint32_t i = 0; i < node->items_count; i++)
        arguments[i] = node->items[i]->value;
    become(folder, node,
           mr_cel_call(&folder->context, functions, count,
                       node->has_receiver ? MR_CEL_MEMBER : MR_CEL_GLOBAL, arguments,
                       node->items_count));
}

/* Whether all children are literals. */
static bool is_constant(const struct mr_cel_node *node)
{
    bool constant = node->target == NULL || node->target->kind == MR_CEL_NODE_LITERAL;
    for (uint32_t i = 0; constant && i < node->items_count; i++)
        constant = node->items[i]->kind == MR_CEL_NODE_LITERAL;
    return constant;
}

static void fold_operator(struct folder *folder, struct mr_cel_node *node)
{
    struct mr_value left = node->items[0]->value;
    if (node->kind == MR_CEL_NODE_UNARY)
        become(folder, node, mr_cel_unary(&folder->context, node->operator_code, left));
    else if (node->operator_code == MR_CEL_AND || node->operator_code == MR_CEL_OR)
        become(folder, node,
               mr_cel_logic(&folder->context, node->operator_code, left, node->items[1]->value));
    else
        become(folder, node,
               mr_cel_binary(&folder->context, node->operator_code, left, node->items[1]->value));
}

static void fold_children(struct folder *folder, struct mr_cel_node *node)
{
    if (node->target != NULL)
        fold(folder, node->target);
    for (uint32_t i = 0; i < node->items_count; i++)
        fold(folder, node->items[i]);
}

static void fold(struct folder *folder, struct mr_cel_node *node)
{
    if (node->kind == MR_CEL_NODE_HAS) {
        /* has() asks whether the field is there: the field itself must stay in the tree. */
        fold_children(folder, node->items[0]);
        return;
    }
    fold_children(folder, node);
    if (!is_constant(node) || folder->cost > MR_LIMIT_EXPRESSION_COST)
        return;
    switch (node->kind) {
    case MR_CEL_NODE_UNARY:
    case MR_CEL_NODE_BINARY:
        fold_operator(folder, node);
        break;
    case MR_CEL_NODE_CONDITIONAL:
        become(folder, node,
               mr_cel_conditional(&folder->context, node->items[0]->value, node->items[1]->value,
                                  node->items[2]->value));
        break;
    case MR_CEL_NODE_LIST:
        become(folder, node, list_of(folder, node));
        break;
    case MR_CEL_NODE_MAP:
        become(folder, node, map_of(folder, node));
        break;
    case MR_CEL_NODE_INDEX:
        become(folder, node,
               mr_cel_index(&folder->context, node->target->value, node->items[0]->value));
        break;
    case MR_CEL_NODE_SELECT:
        become(folder, node,
               mr_cel_select(&folder->context, node->target->value,
                             mr_value_string(mr_slice_from(node->name, node->name_size))));
        break;
    case MR_CEL_NODE_CALL:
        fold_call(folder, node);
        break;
    default:
        break;
    }
}

void mr_cel_fold(struct mr_cel_compilation *compilation, struct mr_cel_node *root)
{
    struct folder folder = {.cost = MR_LIMIT_EXPRESSION_COST - FOLD_COST};
    folder.context.arena = compilation->arena;
    folder.context.strict = compilation->strict;
    folder.context.costs = &folder.cost;
    fold(&folder, root);
}
