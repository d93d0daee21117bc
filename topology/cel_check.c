/* topology/cel_check.c — see cel_check.h.
 * Design: one walk from the leaves up. Where a type is known to be wrong the user is told now, with
 * the place; where it is DYN the operator looks at the cells. An integer literal beside a double
 * becomes a double literal here; beside DYN it is marked, and the evaluator decides per row. Static
 * types are a help to users, never a promise to the evaluator: cells are looked at again. */
#include "topology/cel_check.h"

#include "base/assert.h"
#include "topology/cel_functions.h"
#include "topology/cel_value.h"

static bool check(struct mr_cel_compilation *compilation, const struct mr_cel_scope *scope,
                  struct mr_cel_node *node);

static const char *text_of(struct mr_cel_compilation *compilation, const struct mr_cel_type *type)
{
    return mr_cel_type_text(compilation->arena, type);
}

/* A mistake of types: a failure, or in an unchecked compilation left to the evaluator. */
static bool mismatch(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    node->type = mr_cel_type_simple(MR_CEL_DYN);
    return compilation->unchecked;
}

static void promote(struct mr_cel_node *literal)
{
    literal->value = mr_value_double((double)literal->value.integer);
    literal->type = mr_cel_type_simple(MR_KIND_DOUBLE);
}

/* Apply the extension to a pair of operands that should be of one type. */
static void promote_pair(struct mr_cel_compilation *compilation, struct mr_cel_node *left,
                         struct mr_cel_node *right)
{
    if (mr_cel_is_integer_literal(compilation, left)) {
        if (right->type->kind == MR_KIND_DOUBLE)
            promote(left);
        else if (mr_cel_type_is_dyn(right->type))
            left->value.flags |= MR_CEL_VALUE_LITERAL;
    }
    if (mr_cel_is_integer_literal(compilation, right)) {
        if (left->type->kind == MR_KIND_DOUBLE)
            promote(right);
        else if (mr_cel_type_is_dyn(left->type))
            right->value.flags |= MR_CEL_VALUE_LITERAL;
    }
}

/* Comparisons see numbers by value: a literal that a double holds exactly may be one from the
 * start, which keeps undeclared numbers on the evaluator's fast path. */
static void promote_exact(struct mr_cel_node *literal)
{
    int64_t integer = literal->value.integer;
    bool marked = (literal->value.flags & MR_CEL_VALUE_LITERAL) != 0;
    if (marked && integer >= -(1ll << 53) && integer <= 1ll << 53)
        promote(literal);
}

static void promote_comparison(struct mr_cel_compilation *compilation, struct mr_cel_node *left,
                               struct mr_cel_node *right)
{
    promote_pair(compilation, left, right);
    if (left->kind == MR_CEL_NODE_LITERAL)
        promote_exact(left);
    if (right->kind == MR_CEL_NODE_LITERAL)
        promote_exact(right);
}

/* The type of an operand for the result: a marked literal may turn into a double. */
static uint8_t operand_kind(const struct mr_cel_node *node)
{
    bool marked =
        node->kind == MR_CEL_NODE_LITERAL && (node->value.flags & MR_CEL_VALUE_LITERAL) != 0;
    return marked ? (uint8_t)MR_CEL_DYN : node->type->kind;
}

static bool is_number(uint8_t kind)
{
    return kind == MR_KIND_INT || kind == MR_KIND_UINT || kind == MR_KIND_DOUBLE;
}

/* Result of an arithmetic operator over two known kinds, 0 when it does not take them. */
static uint8_t arithmetic_result(uint8_t operator_code, uint8_t left, uint8_t right)
{
    bool add = operator_code == MR_CEL_ADD;
    bool subtract = operator_code == MR_CEL_SUBTRACT;
    if (left == right && is_number(left))
        return operator_code == MR_CEL_MODULO && left == MR_KIND_DOUBLE ? 0 : left;
    if (add && left == right &&
        (left == MR_KIND_STRING || left == MR_KIND_BYTES || left == MR_KIND_LIST))
        return left;
    if ((add || subtract) && left == MR_KIND_DURATION && right == MR_KIND_DURATION)
        return MR_KIND_DURATION;
    if ((add || subtract) && left == MR_KIND_TIMESTAMP && right == MR_KIND_DURATION)
        return MR_KIND_TIMESTAMP;
    if (add && left == MR_KIND_DURATION && right == MR_KIND_TIMESTAMP)
        return MR_KIND_TIMESTAMP;
    return subtract && left == MR_KIND_TIMESTAMP && right == MR_KIND_TIMESTAMP ? MR_KIND_DURATION
                                                                               : 0;
}

/* Whether the operator takes `kind` beside something unknown, and what it yields then. */
static uint8_t arithmetic_result_half(uint8_t operator_code, uint8_t kind)
{
    if (kind >= MR_CEL_DYN)
        return MR_CEL_DYN;
    uint8_t same = arithmetic_result(operator_code, kind, kind);
    if (kind == MR_KIND_TIMESTAMP || kind == MR_KIND_DURATION)
        return operator_code == MR_CEL_ADD || operator_code == MR_CEL_SUBTRACT ? MR_CEL_DYN : 0;
    return same;
}

static bool check_arithmetic(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    struct mr_cel_node *left = node->items[0];
    struct mr_cel_node *right = node->items[1];
    promote_pair(compilation, left, right);
    uint8_t left_kind = operand_kind(left);
    uint8_t right_kind = operand_kind(right);
    uint8_t result = 0;
    if (left_kind >= MR_CEL_DYN)
        result = arithmetic_result_half(node->operator_code, right_kind);
    else if (right_kind >= MR_CEL_DYN)
        result = arithmetic_result_half(node->operator_code, left_kind);
    else
        result = arithmetic_result(node->operator_code, left_kind, right_kind);
    if (result != 0 && result == MR_KIND_LIST) {
        const struct mr_cel_type *joined =
            mr_cel_type_join(compilation->arena, left->type, right->type);
        node->type = joined != NULL ? joined : mr_cel_type_simple(MR_KIND_LIST);
        return true;
    }
    if (result != 0) {
        node->type = mr_cel_type_simple(result);
        return true;
    }
    if (!compilation->unchecked)
        mr_cel_fail(compilation, node->column, "'%s' does not take %s and %s%s.",
                    mr_cel_operator_text(node->operator_code), text_of(compilation, left->type),
                    text_of(compilation, right->type),
                    is_number(left_kind) && is_number(right_kind)
                        ? (node->operator_code == MR_CEL_MODULO
                               ? "; convert to whole numbers with int()"
                               : "; convert one side with int(), uint() or double()")
                        : "");
    return mismatch(compilation, node);
}

static bool is_ordered(uint8_t kind)
{
    return kind == MR_KIND_BOOL || is_number(kind) || kind == MR_KIND_STRING ||
           kind == MR_KIND_BYTES || kind == MR_KIND_TIMESTAMP || kind == MR_KIND_DURATION ||
           kind >= MR_CEL_DYN;
}

static bool check_order(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    struct mr_cel_node *left = node->items[0];
    struct mr_cel_node *right = node->items[1];
    promote_comparison(compilation, left, right);
    uint8_t left_kind = left->type->kind;
    uint8_t right_kind = right->type->kind;
    node->type = mr_cel_type_simple(MR_KIND_BOOL);
    if (is_ordered(left_kind) && is_ordered(right_kind) &&
        (left_kind == right_kind || left_kind >= MR_CEL_DYN || right_kind >= MR_CEL_DYN))
        return true;
    if (!compilation->unchecked)
        mr_cel_fail(compilation, node->column, "'%s' cannot order %s and %s%s.",
                    mr_cel_operator_text(node->operator_code), text_of(compilation, left->type),
                    text_of(compilation, right->type),
                    is_ordered(left_kind) && is_ordered(right_kind)
                        ? "; convert one side, for instance with double() or string()"
                        : "");
    return compilation->unchecked;
}

static bool check_equality(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    struct mr_cel_node *left = node->items[0];
    struct mr_cel_node *right = node->items[1];
    promote_comparison(compilation, left, right);
    node->type = mr_cel_type_simple(MR_KIND_BOOL);
    if (mr_cel_type_join(compilation->arena, left->type, right->type) != NULL)
        return true;
    if (!compilation->unchecked)
        mr_cel_fail(compilation, node->column,
                    "'%s' compares values of one type, found %s and %s; convert one side.",
                    mr_cel_operator_text(node->operator_code), text_of(compilation, left->type),
                    text_of(compilation, right->type));
    return compilation->unchecked;
}

static bool check_in(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    struct mr_cel_node *left = node->items[0];
    struct mr_cel_node *right = node->items[1];
    node->type = mr_cel_type_simple(MR_KIND_BOOL);
    if (mr_cel_type_is_dyn(right->type))
        return true;
    bool map = right->type->kind == MR_KIND_MAP;
    if (!map && right->type->kind != MR_KIND_LIST) {
        if (!compilation->unchecked)
            mr_cel_fail(compilation, right->column,
                        "'in' wants a list or a map on its right, found %s%s.",
                        text_of(compilation, right->type),
                        right->type->kind == MR_KIND_STRING ? "; use text.contains(part)" : "");
        return compilation->unchecked;
    }
    const struct mr_cel_type *element = map ? right->type->key : right->type->element;
    if (mr_cel_is_integer_literal(compilation, left) && element->kind == MR_KIND_DOUBLE)
        promote(left);
    bool literals = right->kind == MR_CEL_NODE_LIST && left->type->kind == MR_KIND_DOUBLE;
    for (uint32_t i = 0; literals && i < right->items_count; i++)
        literals = mr_cel_is_integer_literal(compilation, right->items[i]) ||
                   right->items[i]->type->kind == MR_KIND_DOUBLE;
    if (literals || mr_cel_type_join(compilation->arena, left->type, element) != NULL)
        return true;
    if (!compilation->unchecked)
        mr_cel_fail(compilation, node->column, "'in' looks for %s among %s; convert one side.",
                    text_of(compilation, left->type), text_of(compilation, element));
    return compilation->unchecked;
}

static bool want_bool(struct mr_cel_compilation *compilation, const struct mr_cel_node *operand,
                      const char *where)
{
    if (operand->type->kind == MR_KIND_BOOL || mr_cel_type_is_dyn(operand->type) ||
        compilation->unchecked)
        return true;
    mr_cel_fail(compilation, operand->column, "%s wants a bool, found %s.", where,
                text_of(compilation, operand->type));
    return false;
}

static bool check_binary(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    switch (node->operator_code) {
    case MR_CEL_AND:
    case MR_CEL_OR:
        node->type = mr_cel_type_simple(MR_KIND_BOOL);
        return want_bool(compilation, node->items[0],
                         node->operator_code == MR_CEL_AND ? "'&&'" : "'||'") &&
               want_bool(compilation, node->items[1],
                         node->operator_code == MR_CEL_AND ? "'&&'" : "'||'");
    case MR_CEL_EQUAL:
    case MR_CEL_NOT_EQUAL:
        return check_equality(compilation, node);
    case MR_CEL_IN:
        return check_in(compilation, node);
    case MR_CEL_LESS:
    case MR_CEL_LESS_EQUAL:
    case MR_CEL_GREATER:
    case MR_CEL_GREATER_EQUAL:
        return check_order(compilation, node);
    default:
        return check_arithmetic(compilation, node);
    }
}

static bool check_unary(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    struct mr_cel_node *operand = node->items[0];
    if (node->operator_code == MR_CEL_NOT) {
        node->type = mr_cel_type_simple(MR_KIND_BOOL);
        return want_bool(compilation, operand, "'!'");
    }
    node->type = operand->type;
    uint8_t kind = operand->type->kind;
    if (kind == MR_KIND_INT || kind == MR_KIND_DOUBLE || mr_cel_type_is_dyn(operand->type))
        return true;
    if (!compilation->unchecked)
        mr_cel_fail(compilation, node->column, "'-' wants an int or a double, found %s.",
                    text_of(compilation, operand->type));
    return mismatch(compilation, node);
}

static bool check_conditional(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    struct mr_cel_node *chosen = node->items[1];
    struct mr_cel_node *other = node->items[2];
    if (!want_bool(compilation, node->items[0], "The condition before '?'"))
        return false;
    promote_pair(compilation, chosen, other);
    node->type = mr_cel_type_join(compilation->arena, chosen->type, other->type);
    if (node->type != NULL)
        return true;
    if (!compilation->unchecked)
        mr_cel_fail(compilation, node->column,
                    "Both values of '?:' need one type, found %s and %s; convert one.",
                    text_of(compilation, chosen->type), text_of(compilation, other->type));
    return mismatch(compilation, node);
}

static bool check_select(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    const struct mr_cel_type *target = node->target->type;
    node->type = mr_cel_type_simple(MR_CEL_DYN);
    if (mr_cel_type_is_dyn(target))
        return true;
    if (target->kind == MR_KIND_MAP) {
        node->type = target->element;
        for (uint32_t i = 0; target->declared != NULL && i < target->declared->fields_count; i++) {
            const struct mr_schema_field *field = &target->declared->fields[i];
            if (strcmp(field->name, node->name) == 0)
                node->type = mr_cel_type_from_schema(compilation->arena, field->type);
        }
        return true;
    }
    if (!compilation->unchecked)
        mr_cel_fail(compilation, node->column, "%s has no fields: '.%s' needs an object or a map.",
                    text_of(compilation, target), node->name);
    return compilation->unchecked;
}

static bool check_index(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    const struct mr_cel_type *target = node->target->type;
    const struct mr_cel_type *index = node->items[0]->type;
    node->type = mr_cel_type_simple(MR_CEL_DYN);
    if (mr_cel_type_is_dyn(target))
        return true;
    const struct mr_cel_type *key =
        target->kind == MR_KIND_MAP ? target->key : mr_cel_type_simple(MR_KIND_INT);
    if (target->kind == MR_KIND_LIST || target->kind == MR_KIND_MAP) {
        node->type = target->element;
        if (mr_cel_type_join(compilation->arena, key, index) != NULL || compilation->unchecked)
            return true;
        mr_cel_fail(compilation, node->items[0]->column, "A %s is indexed by %s, found %s.",
                    target->kind == MR_KIND_LIST ? "list" : "map", text_of(compilation, key),
                    text_of(compilation, index));
        return false;
    }
    if (!compilation->unchecked)
        mr_cel_fail(compilation, node->column, "%s cannot be indexed: '[' needs a list or a map.",
                    text_of(compilation, target));
    return compilation->unchecked;
}

/* The type of every items[first], items[first + step], ...; DYN when they differ. */
static const struct mr_cel_type *join_items(struct mr_cel_compilation *compilation,
                                            const struct mr_cel_node *node, uint32_t first,
                                            uint32_t step)
{
    const struct mr_cel_type *joined = mr_cel_type_simple(MR_CEL_FREE);
    for (uint32_t i = first; i < node->items_count; i += step) {
        joined = mr_cel_type_join(compilation->arena, joined, node->items[i]->type);
        if (joined == NULL)
            return mr_cel_type_simple(MR_CEL_DYN);
    }
    return joined;
}

static bool check_map(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    for (uint32_t i = 0; i < node->items_count && !compilation->unchecked; i += 2) {
        uint8_t kind = node->items[i]->type->kind;
        if (kind == MR_KIND_BOOL || kind == MR_KIND_INT || kind == MR_KIND_UINT ||
            kind == MR_KIND_STRING || kind >= MR_CEL_DYN)
            continue;
        mr_cel_fail(compilation, node->items[i]->column,
                    "The key of a map is an int, a uint, a bool or a string, found %s.",
                    text_of(compilation, node->items[i]->type));
        return false;
    }
    node->type = mr_cel_type_map(compilation->arena, join_items(compilation, node, 0, 2),
                                 join_items(compilation, node, 1, 2));
    return true;
}

static void set_variable_types(struct mr_cel_scope *scope, const struct mr_cel_type *range)
{
    bool map = range->kind == MR_KIND_MAP;
    bool list = range->kind == MR_KIND_LIST;
    const struct mr_cel_type *dyn = mr_cel_type_simple(MR_CEL_DYN);
    const struct mr_cel_type *element = map || list ? range->element : dyn;
    const struct mr_cel_type *key = map ? range->key : list ? mr_cel_type_simple(MR_KIND_INT) : dyn;
    bool single = scope->variables_count == 1;
    scope->types[0] = single && list ? element : key;
    scope->types[1] = element;
}

static bool check_macro(struct mr_cel_compilation *compilation, const struct mr_cel_scope *outer,
                        struct mr_cel_node *node)
{
    if (!check(compilation, outer, node->target))
        return false;
    const struct mr_cel_type *range = node->target->type;
    if (range->kind != MR_KIND_LIST && range->kind != MR_KIND_MAP && !mr_cel_type_is_dyn(range) &&
        !compilation->unchecked) {
        mr_cel_fail(compilation, node->column, "%s() goes over a list or a map, found %s.",
                    node->name, text_of(compilation, range));
        return false;
    }
    struct mr_cel_scope scope = {
        .macro = node, .variables_count = node->variables_count, .outer = outer};
    set_variable_types(&scope, range);
    for (uint32_t i = 0; i < node->items_count; i++) {
        if (!check(compilation, &scope, node->items[i]))
            return false;
    }
    const struct mr_cel_node *body = node->items[node->items_count - 1];
    bool predicate = node->macro != MR_CEL_MACRO_MAP && node->macro != MR_CEL_MACRO_TRANSFORM_MAP;
    if ((predicate || node->has_condition) &&
        !want_bool(compilation, node->items[0], "The condition of a macro"))
        return false;
    if (node->macro == MR_CEL_MACRO_MAP)
        node->type = mr_cel_type_list(compilation->arena, body->type);
    else if (node->macro == MR_CEL_MACRO_FILTER)
        node->type = mr_cel_type_list(compilation->arena, scope.types[0]);
    else if (node->macro == MR_CEL_MACRO_TRANSFORM_MAP)
        node->type = mr_cel_type_map(compilation->arena, scope.types[0], body->type);
    else
        node->type = mr_cel_type_simple(MR_KIND_BOOL);
    return true;
}

static bool accepts(const struct mr_cel_function *function, uint32_t argument,
                    const struct mr_cel_type *type)
{
    return mr_cel_type_is_dyn(type) ||
           (mr_cel_function_accepts(function, argument) >> type->kind & 1u) != 0;
}

static bool fits(const struct mr_cel_function *function, const struct mr_cel_node *node)
{
    uint32_t count = node->items_count;
    if (count < function->arguments_min || count > function->arguments_max)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!accepts(function, i, node->items[i]->type))
            return false;
    }
    return true;
}

static void call_failed(struct mr_cel_compilation *compilation, const struct mr_cel_node *node,
                        const struct mr_cel_function *functions, uint32_t count)
{
    const char *found = "";
    for (uint32_t i = 0; i < node->items_count; i++)
        found = mr_arena_format(compilation->arena, "%s%s%s", found, i == 0 ? "" : ", ",
                                text_of(compilation, node->items[i]->type));
    const char *forms = functions[0].form;
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(functions[i].form, functions[i - 1].form) != 0)
            forms = mr_arena_format(compilation->arena, "%s or %s", forms, functions[i].form);
    }
    mr_cel_fail(compilation, node->column, "%s() does not take (%s); it is written %s.", node->name,
                found, forms);
}

static bool unknown_function(struct mr_cel_compilation *compilation, struct mr_cel_node *node)
{
    if (compilation->unchecked) {
        const char *text = mr_arena_format(compilation->arena, "unbound function '%s'", node->name);
        *node = (struct mr_cel_node){.kind = MR_CEL_NODE_LITERAL,
                                     .column = node->column,
                                     .depth = node->depth,
                                     .checked = true,
                                     .value = mr_value_error(mr_slice_text(text)),
                                     .type = mr_cel_type_simple(MR_CEL_DYN)};
        return true;
    }
    const char *nearest = mr_cel_functions_nearest(node->name);
    if (nearest != NULL)
        mr_cel_fail(compilation, node->column, "There is no function '%s'; did you mean '%s'?",
                    node->name, nearest);
    else
        mr_cel_fail(compilation, node->column, "There is no function '%s'.", node->name);
    return false;
}

/* math.abs(x): a name before the dot that belongs to the function, not a field. */
static void qualify(struct mr_cel_compilation *compilation, const struct mr_cel_scope *scope,
                    struct mr_cel_node *node)
{
    const struct mr_cel_node *target = node->target;
    if (target == NULL || target->kind != MR_CEL_NODE_IDENT)
        return;
    for (; scope != NULL; scope = scope->outer) {
        for (uint32_t i = 0; i < scope->variables_count; i++) {
            if (strcmp(scope->macro->variables[i], target->name) == 0 && !target->rooted)
                return;
        }
    }
    const char *name = mr_arena_format(compilation->arena, "%s.%s", target->name, node->name);
    uint32_t count = 0;
    bool is_namespace = strcmp(target->name, "math") == 0 && !compilation->unchecked;
    if (mr_cel_functions_find(name, &count) == NULL && !is_namespace)
        return;
    node->name = name;
    node->column = target->column;
    node->target = NULL;
}

/* A constant time that no record can make right is told now. */
static bool check_literal_time(struct mr_cel_compilation *compilation,
                               const struct mr_cel_function *function,
                               const struct mr_cel_node *node)
{
    bool time = function->call == mr_cel_to_duration || function->call == mr_cel_to_timestamp;
    if (!time || compilation->strict || compilation->unchecked ||
        node->items[0]->kind != MR_CEL_NODE_LITERAL)
        return true;
    struct mr_cel_context context = {.arena = compilation->arena};
    struct mr_value value = function->call(&context, &node->items[0]->value, 1);
    if (value.kind != MR_KIND_ERROR)
        return true;
    mr_cel_fail(compilation, node->items[0]->column, "%.*s.", (int)value.size,
                (const char *)value.text);
    return false;
}

static bool check_call(struct mr_cel_compilation *compilation, const struct mr_cel_scope *scope,
                       struct mr_cel_node *node)
{
    qualify(compilation, scope, node);
    bool member = node->target != NULL;
    if (member) {
        struct mr_cel_node **items =
            mr_arena_new(compilation->arena, node->items_count + 1, sizeof(void *));
        items[0] = node->target;
        for (uint32_t i = 0; i < node->items_count; i++)
            items[i + 1] = node->items[i];
        node->items = items;
        node->items_count++;
        node->target = NULL;
        node->has_receiver = true;
    }
    uint32_t count = 0;
    const struct mr_cel_function *functions = mr_cel_functions_find(node->name, &count);
    if (functions == NULL)
        return unknown_function(compilation, node);
    for (uint32_t i = 0; i < node->items_count; i++) {
        if (!check(compilation, scope, node->items[i]))
            return false;
    }
    const struct mr_cel_function *function = NULL;
    bool several = false;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t style = member ? MR_CEL_MEMBER : MR_CEL_GLOBAL;
        if ((functions[i].style & style) == 0 || !fits(&functions[i], node))
            continue;
        several = function != NULL && function->result != functions[i].result;
        function = function == NULL ? &functions[i] : function;
    }
    if (function == NULL) {
        if (compilation->unchecked)
            return mismatch(compilation, node);
        call_failed(compilation, node, functions, count);
        return false;
    }
    if (!check_literal_time(compilation, function, node))
        return false;
    if (several)
        node->type = mr_cel_type_simple(MR_CEL_DYN);
    else if (function->result == MR_CEL_RESULT_FIRST)
        node->type = node->items[0]->type;
    else if (function->result == MR_CEL_RESULT_STRINGS)
        node->type = mr_cel_type_list(compilation->arena, mr_cel_type_simple(MR_KIND_STRING));
    else
        node->type = mr_cel_type_simple(function->result);
    return true;
}

static bool check_children(struct mr_cel_compilation *compilation, const struct mr_cel_scope *scope,
                           struct mr_cel_node *node)
{
    if (node->target != NULL && !check(compilation, scope, node->target))
        return false;
    for (uint32_t i = 0; i < node->items_count; i++) {
        if (!check(compilation, scope, node->items[i]))
            return false;
    }
    return true;
}

static bool check_composite(struct mr_cel_compilation *compilation,
                            const struct mr_cel_scope *scope, struct mr_cel_node *node)
{
    if (!check_children(compilation, scope, node))
        return false;
    switch (node->kind) {
    case MR_CEL_NODE_SELECT:
        return check_select(compilation, node);
    case MR_CEL_NODE_INDEX:
        return check_index(compilation, node);
    case MR_CEL_NODE_UNARY:
        return check_unary(compilation, node);
    case MR_CEL_NODE_BINARY:
        return check_binary(compilation, node);
    case MR_CEL_NODE_CONDITIONAL:
        return check_conditional(compilation, node);
    case MR_CEL_NODE_LIST:
        node->type = mr_cel_type_list(compilation->arena, join_items(compilation, node, 0, 1));
        return true;
    case MR_CEL_NODE_MAP:
        return check_map(compilation, node);
    default:
        MR_ASSERT(node->kind == MR_CEL_NODE_HAS);
        node->type = mr_cel_type_simple(MR_KIND_BOOL);
        return true;
    }
}

static bool check(struct mr_cel_compilation *compilation, const struct mr_cel_scope *scope,
                  struct mr_cel_node *node)
{
    if (node->kind == MR_CEL_NODE_IDENT || node->kind == MR_CEL_NODE_SELECT ||
        node->kind == MR_CEL_NODE_INDEX) {
        if (!mr_cel_resolve_name(compilation, scope, node))
            return false;
    }
    if (node->checked)
        return true;
    node->checked = true;
    if (node->kind == MR_CEL_NODE_LITERAL) {
        node->type = mr_cel_type_of(compilation->arena, node->value);
        return true;
    }
    if (node->kind == MR_CEL_NODE_CALL)
        return check_call(compilation, scope, node);
    if (node->kind == MR_CEL_NODE_MACRO)
        return check_macro(compilation, scope, node);
    return check_composite(compilation, scope, node);
}

bool mr_cel_check(struct mr_cel_compilation *compilation, struct mr_cel_node *root)
{
    return check(compilation, NULL, root);
}
