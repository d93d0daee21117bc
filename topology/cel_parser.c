/* topology/cel_parser.c — see cel_parser.h.
 * Design: recursive descent over CEL's grammar with one token of look-ahead. Chains of && and ||
 * become balanced trees, so that a long list of conditions is not a deep tree; other
 * left-associative chains grow to the left and end at the depth limit. Macros are recognised here,
 * as CEL defines them, by name and number of arguments. */
#include "topology/cel_parser.h"

#include "topology/cel_lexer.h"

struct parser {
    struct mr_cel_compilation *compilation;
    struct mr_cel_lexer lexer;
    struct mr_cel_token token; /* the next, not yet taken */
    uint32_t depth;            /* of the C stack */
};

struct node_list {
    struct mr_cel_node *first;
    struct mr_cel_node *last;
    uint32_t count;
};

struct macro {
    const char *name;
    uint8_t macro;
    uint8_t variables_count;
    uint8_t arguments_count;
    bool has_condition;
};

static const struct macro macros[] = {
    {"all", MR_CEL_MACRO_ALL, 1, 2, false},
    {"all", MR_CEL_MACRO_ALL, 2, 3, false},
    {"exists", MR_CEL_MACRO_EXISTS, 1, 2, false},
    {"exists", MR_CEL_MACRO_EXISTS, 2, 3, false},
    {"exists_one", MR_CEL_MACRO_EXISTS_ONE, 1, 2, false},
    {"existsOne", MR_CEL_MACRO_EXISTS_ONE, 1, 2, false},
    {"existsOne", MR_CEL_MACRO_EXISTS_ONE, 2, 3, false},
    {"exists_one", MR_CEL_MACRO_EXISTS_ONE, 2, 3, false},
    {"map", MR_CEL_MACRO_MAP, 1, 2, false},
    {"map", MR_CEL_MACRO_MAP, 1, 3, true},
    {"filter", MR_CEL_MACRO_FILTER, 1, 2, false},
    {"transformList", MR_CEL_MACRO_MAP, 2, 3, false},
    {"transformList", MR_CEL_MACRO_MAP, 2, 4, true},
    {"transformMap", MR_CEL_MACRO_TRANSFORM_MAP, 2, 3, false},
    {"transformMap", MR_CEL_MACRO_TRANSFORM_MAP, 2, 4, true},
};

static struct mr_cel_node *parse_expression(struct parser *parser);
static struct mr_cel_node *parse_unary(struct parser *parser);

static bool advance(struct parser *parser)
{
    return mr_cel_lexer_next(&parser->lexer, &parser->token);
}

static bool at(const struct parser *parser, uint8_t kind)
{
    return parser->token.kind == kind;
}

static bool at_operator(const struct parser *parser, uint8_t operator_code)
{
    return at(parser, MR_CEL_TOKEN_OPERATOR) && parser->token.operator_code == operator_code;
}

static uint32_t here(const struct parser *parser)
{
    return parser->token.offset + 1;
}

/* Note "found X where Y was expected" and return NULL. */
static struct mr_cel_node *unexpected(struct parser *parser, const char *expected)
{
    const struct mr_cel_token *token = &parser->token;
    if (token->kind == MR_CEL_TOKEN_END)
        mr_cel_fail(parser->compilation, here(parser), "The expression ends where %s was expected.",
                    expected);
    else
        mr_cel_fail(parser->compilation, here(parser), "Found '%.*s' where %s was expected.",
                    (int)(token->size < 40 ? token->size : 40),
                    parser->compilation->text + token->offset, expected);
    return NULL;
}

static bool expect(struct parser *parser, uint8_t kind, const char *expected)
{
    if (at(parser, kind))
        return advance(parser);
    unexpected(parser, expected);
    return false;
}

static struct mr_cel_node *new_node(struct parser *parser, uint8_t kind, uint32_t column)
{
    struct mr_cel_node *node = mr_arena_new(parser->compilation->arena, 1, sizeof *node);
    node->kind = kind;
    node->column = column;
    node->depth = 1;
    return node;
}

static void deepen(struct mr_cel_node *node, const struct mr_cel_node *child)
{
    if (child != NULL && child->depth >= node->depth)
        node->depth = child->depth + 1;
}

/* Set the depth from the children; NULL when the tree becomes too deep. */
static struct mr_cel_node *finish(struct parser *parser, struct mr_cel_node *node)
{
    deepen(node, node->target);
    for (uint32_t i = 0; i < node->items_count; i++)
        deepen(node, node->items[i]);
    if (node->depth <= MR_LIMIT_EXPRESSION_DEPTH)
        return node;
    mr_cel_fail(parser->compilation, node->column,
                "The expression is nested deeper than %d; split it into fields with map.",
                MR_LIMIT_EXPRESSION_DEPTH);
    return NULL;
}

static void set_items(struct parser *parser, struct mr_cel_node *node, const struct node_list *list)
{
    node->items = mr_arena_new(parser->compilation->arena, list->count + 1, sizeof(void *));
    for (struct mr_cel_node *item = list->first; item != NULL; item = item->next)
        node->items[node->items_count++] = item;
}

static void append(struct node_list *list, struct mr_cel_node *node)
{
    if (list->first == NULL)
        list->first = node;
    else
        list->last->next = node;
    list->last = node;
    list->count++;
}

static struct mr_cel_node *new_operation(struct parser *parser, uint8_t operator_code,
                                         uint32_t column, struct mr_cel_node *left,
                                         struct mr_cel_node *right)
{
    struct mr_cel_node *node =
        new_node(parser, right == NULL ? MR_CEL_NODE_UNARY : MR_CEL_NODE_BINARY, column);
    node->operator_code = operator_code;
    node->items = mr_arena_new(parser->compilation->arena, 2, sizeof(void *));
    node->items[0] = left;
    node->items[1] = right;
    node->items_count = right == NULL ? 1 : 2;
    return finish(parser, node);
}

static struct mr_cel_node *new_literal(struct parser *parser, struct mr_value value)
{
    struct mr_cel_node *node = new_node(parser, MR_CEL_NODE_LITERAL, here(parser));
    node->value = value;
    return advance(parser) ? node : NULL;
}

static void set_name(struct mr_cel_node *node, struct mr_slice name)
{
    node->name = (const char *)name.data;
    node->name_size = (uint32_t)name.size;
}

/* Items separated by commas up to `close`, which is taken. */
static bool parse_items(struct parser *parser, uint8_t close, bool pairs, bool trailing_comma,
                        struct node_list *list)
{
    const char *closing = close == MR_CEL_TOKEN_RIGHT_PARENTHESIS ? "',' or ')'"
                          : close == MR_CEL_TOKEN_RIGHT_BRACKET   ? "',' or ']'"
                                                                  : "',' or '}'";
    while (!at(parser, close)) {
        if (at(parser, MR_CEL_TOKEN_QUESTION)) {
            mr_cel_fail(parser->compilation, here(parser), "Optional values are not supported.");
            return false;
        }
        struct mr_cel_node *item = parse_expression(parser);
        if (item == NULL)
            return false;
        append(list, item);
        if (pairs) {
            if (!expect(parser, MR_CEL_TOKEN_COLON, "':' and the value of the map entry"))
                return false;
            struct mr_cel_node *value = parse_expression(parser);
            if (value == NULL)
                return false;
            append(list, value);
        }
        if (!at(parser, MR_CEL_TOKEN_COMMA))
            return expect(parser, close, closing);
        if (!advance(parser))
            return false;
        if (at(parser, close) && !trailing_comma) {
            unexpected(parser, "an argument");
            return false;
        }
    }
    return advance(parser);
}

static const struct macro *find_macro(const char *name, uint32_t arguments_count)
{
    for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
        if (strcmp(macros[i].name, name) == 0 && macros[i].arguments_count == arguments_count)
            return &macros[i];
    }
    return NULL;
}

/* all() and exists() with three arguments are macros of two variables only when both are names. */
static struct mr_cel_node *expand_macro(struct parser *parser, const struct macro *macro,
                                        struct mr_cel_node *call)
{
    for (uint32_t i = 0; i < macro->variables_count; i++) {
        const struct mr_cel_node *variable = call->items[i];
        if (variable->kind != MR_CEL_NODE_IDENT || variable->rooted) {
            mr_cel_fail(parser->compilation, variable->column,
                        "Argument %u of %s() names a variable: write a plain name here.", i + 1,
                        call->name);
            return NULL;
        }
        call->variables[i] = variable->name;
    }
    if (macro->variables_count == 2 && strcmp(call->variables[0], call->variables[1]) == 0) {
        mr_cel_fail(parser->compilation, call->items[1]->column,
                    "The two variables of %s() have the same name '%s'.", call->name,
                    call->variables[0]);
        return NULL;
    }
    call->kind = MR_CEL_NODE_MACRO;
    call->macro = macro->macro;
    call->variables_count = macro->variables_count;
    call->has_condition = macro->has_condition;
    call->items += macro->variables_count;
    call->items_count -= macro->variables_count;
    return finish(parser, call);
}

static struct mr_cel_node *expand_has(struct parser *parser, struct mr_cel_node *call)
{
    const struct mr_cel_node *argument = call->items[0];
    bool field = argument->kind == MR_CEL_NODE_SELECT;
    bool plain = argument->kind == MR_CEL_NODE_IDENT || argument->kind == MR_CEL_NODE_INDEX;
    if (!field && !(plain && !parser->compilation->strict)) {
        mr_cel_fail(parser->compilation, argument->column,
                    "has() takes a field, as in has(value) or has(position.x).");
        return NULL;
    }
    call->kind = MR_CEL_NODE_HAS;
    return finish(parser, call);
}

/* A call whose opening parenthesis is the next token. */
static struct mr_cel_node *parse_call(struct parser *parser, struct mr_cel_node *target,
                                      struct mr_slice name, uint32_t column)
{
    struct mr_cel_node *node = new_node(parser, MR_CEL_NODE_CALL, column);
    struct node_list arguments = {0};
    set_name(node, name);
    node->target = target;
    if (!advance(parser) ||
        !parse_items(parser, MR_CEL_TOKEN_RIGHT_PARENTHESIS, false, false, &arguments))
        return NULL;
    set_items(parser, node, &arguments);
    if (target == NULL && node->items_count == 1 && strcmp(node->name, "has") == 0)
        return expand_has(parser, node);
    const struct macro *macro = target == NULL ? NULL : find_macro(node->name, arguments.count);
    if (macro != NULL)
        return expand_macro(parser, macro, node);
    return finish(parser, node);
}

static bool is_name_chain(const struct mr_cel_node *node)
{
    while (node->kind == MR_CEL_NODE_SELECT)
        node = node->target;
    return node->kind == MR_CEL_NODE_IDENT;
}

static struct mr_cel_node *parse_ident(struct parser *parser, bool rooted)
{
    uint32_t column = here(parser);
    struct mr_slice name = parser->token.text;
    if (!advance(parser))
        return NULL;
    if (at(parser, MR_CEL_TOKEN_LEFT_PARENTHESIS))
        return parse_call(parser, NULL, name, column);
    struct mr_cel_node *node = new_node(parser, MR_CEL_NODE_IDENT, column);
    set_name(node, name);
    node->rooted = rooted;
    return node;
}

static struct mr_cel_node *parse_collection(struct parser *parser, bool map)
{
    struct mr_cel_node *node =
        new_node(parser, map ? MR_CEL_NODE_MAP : MR_CEL_NODE_LIST, here(parser));
    struct node_list items = {0};
    uint8_t close = map ? MR_CEL_TOKEN_RIGHT_BRACE : MR_CEL_TOKEN_RIGHT_BRACKET;
    if (!advance(parser) || !parse_items(parser, close, map, true, &items))
        return NULL;
    set_items(parser, node, &items);
    return finish(parser, node);
}

static struct mr_cel_node *parse_int(struct parser *parser, bool negative)
{
    uint64_t integer = parser->token.integer;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (integer > limit) {
        mr_cel_fail(parser->compilation, here(parser),
                    "The number %.*s does not fit into an int; a uint ends with u, a double has a "
                    "point.",
                    (int)parser->token.size, parser->compilation->text + parser->token.offset);
        return NULL;
    }
    int64_t value = negative ? (int64_t)(0 - integer) : (int64_t)integer;
    return new_literal(parser, mr_value_int(value));
}

static struct mr_cel_node *parse_primary(struct parser *parser)
{
    const struct mr_cel_token *token = &parser->token;
    struct mr_cel_node *node = NULL;
    switch (token->kind) {
    case MR_CEL_TOKEN_TRUE:
        return new_literal(parser, mr_value_bool(true));
    case MR_CEL_TOKEN_FALSE:
        return new_literal(parser, mr_value_bool(false));
    case MR_CEL_TOKEN_NULL:
        return new_literal(parser, mr_value_null());
    case MR_CEL_TOKEN_INT:
        return parse_int(parser, false);
    case MR_CEL_TOKEN_UINT:
        return new_literal(parser, mr_value_uint(token->integer));
    case MR_CEL_TOKEN_DOUBLE:
        return new_literal(parser, mr_value_double(token->number));
    case MR_CEL_TOKEN_STRING:
        return new_literal(parser, mr_value_string(token->text));
    case MR_CEL_TOKEN_BYTES:
        return new_literal(parser, mr_value_bytes(token->text));
    case MR_CEL_TOKEN_IDENT:
        return parse_ident(parser, false);
    case MR_CEL_TOKEN_LEFT_BRACKET:
        return parse_collection(parser, false);
    case MR_CEL_TOKEN_LEFT_BRACE:
        return parse_collection(parser, true);
    case MR_CEL_TOKEN_LEFT_PARENTHESIS:
        if (!advance(parser) || (node = parse_expression(parser)) == NULL ||
            !expect(parser, MR_CEL_TOKEN_RIGHT_PARENTHESIS, "')'"))
            return NULL;
        return node;
    case MR_CEL_TOKEN_DOT:
        if (!advance(parser))
            return NULL;
        if (!at(parser, MR_CEL_TOKEN_IDENT))
            return unexpected(parser, "a name");
        return parse_ident(parser, true);
    case MR_CEL_TOKEN_RESERVED:
        mr_cel_fail(parser->compilation, here(parser),
                    "'%s' is a reserved word of CEL; a field of that name is record[\"%s\"].",
                    (const char *)token->text.data, (const char *)token->text.data);
        return NULL;
    default:
        return unexpected(parser, "a value");
    }
}

/* .name, .name(arguments) */
static struct mr_cel_node *parse_select(struct parser *parser, struct mr_cel_node *target)
{
    if (!advance(parser))
        return NULL;
    if (at(parser, MR_CEL_TOKEN_QUESTION)) {
        mr_cel_fail(parser->compilation, here(parser),
                    "Optional fields ('.?') are not supported; use has().");
        return NULL;
    }
    uint32_t column = here(parser);
    bool quoted = at(parser, MR_CEL_TOKEN_QUOTED);
    if (!quoted && !at(parser, MR_CEL_TOKEN_IDENT) && !at(parser, MR_CEL_TOKEN_RESERVED))
        return unexpected(parser, "the name of a field or function");
    struct mr_slice name = parser->token.text;
    if (!advance(parser))
        return NULL;
    if (at(parser, MR_CEL_TOKEN_LEFT_PARENTHESIS) && !quoted)
        return parse_call(parser, target, name, column);
    struct mr_cel_node *node = new_node(parser, MR_CEL_NODE_SELECT, column);
    set_name(node, name);
    node->target = target;
    return finish(parser, node);
}

static struct mr_cel_node *parse_index(struct parser *parser, struct mr_cel_node *target)
{
    struct mr_cel_node *node = new_node(parser, MR_CEL_NODE_INDEX, here(parser));
    node->target = target;
    if (!advance(parser))
        return NULL;
    if (at(parser, MR_CEL_TOKEN_QUESTION)) {
        mr_cel_fail(parser->compilation, here(parser),
                    "Optional indexing ('[?') is not supported; use 'in' or has().");
        return NULL;
    }
    struct mr_cel_node *index = parse_expression(parser);
    if (index == NULL || !expect(parser, MR_CEL_TOKEN_RIGHT_BRACKET, "']'"))
        return NULL;
    struct node_list items = {0};
    append(&items, index);
    set_items(parser, node, &items);
    return finish(parser, node);
}

static struct mr_cel_node *parse_member(struct parser *parser, struct mr_cel_node *node)
{
    while (node != NULL) {
        if (at(parser, MR_CEL_TOKEN_DOT)) {
            node = parse_select(parser, node);
        } else if (at(parser, MR_CEL_TOKEN_LEFT_BRACKET)) {
            node = parse_index(parser, node);
        } else if (at(parser, MR_CEL_TOKEN_LEFT_BRACE) && is_name_chain(node)) {
            mr_cel_fail(parser->compilation, node->column,
                        "Protobuf messages (NAME{...}) are not supported; a map is written "
                        "{\"name\": value}.");
            return NULL;
        } else {
            return node;
        }
    }
    return NULL;
}

/* !, - and what follows. The last minus before a number belongs to it, so that the smallest int can
 * be written. */
static struct mr_cel_node *parse_unary(struct parser *parser)
{
    uint32_t column = here(parser);
    bool negate = at_operator(parser, MR_CEL_SUBTRACT);
    if (!negate && !at_operator(parser, MR_CEL_NOT))
        return parse_member(parser, parse_primary(parser));
    if (++parser->depth > MR_LIMIT_EXPRESSION_DEPTH) {
        mr_cel_fail(parser->compilation, column, "The expression is nested deeper than %d.",
                    MR_LIMIT_EXPRESSION_DEPTH);
        return NULL;
    }
    if (!advance(parser))
        return NULL;
    if (at_operator(parser, negate ? MR_CEL_NOT : MR_CEL_SUBTRACT))
        return unexpected(parser, "a value");
    struct mr_cel_node *node = NULL;
    if (negate && at(parser, MR_CEL_TOKEN_INT)) {
        node = parse_int(parser, true);
    } else if (negate && at(parser, MR_CEL_TOKEN_DOUBLE)) {
        node = new_literal(parser, mr_value_double(-parser->token.number));
    } else {
        struct mr_cel_node *operand = parse_unary(parser);
        parser->depth--;
        if (operand == NULL)
            return NULL;
        return new_operation(parser, negate ? MR_CEL_NEGATE : MR_CEL_NOT, column, operand, NULL);
    }
    parser->depth--;
    if (node != NULL)
        node->column = column;
    return parse_member(parser, node);
}

/* 3: * / %, 2: + -, 1: relations, 0: no operator of these. */
static int precedence(const struct mr_cel_token *token)
{
    if (token->kind != MR_CEL_TOKEN_OPERATOR)
        return 0;
    if (token->operator_code >= MR_CEL_MULTIPLY && token->operator_code <= MR_CEL_MODULO)
        return 3;
    if (token->operator_code == MR_CEL_ADD || token->operator_code == MR_CEL_SUBTRACT)
        return 2;
    return token->operator_code >= MR_CEL_LESS && token->operator_code <= MR_CEL_IN ? 1 : 0;
}

static struct mr_cel_node *parse_binary(struct parser *parser, int lowest)
{
    struct mr_cel_node *left = parse_unary(parser);
    while (left != NULL && precedence(&parser->token) >= lowest) {
        uint8_t operator_code = parser->token.operator_code;
        uint32_t column = here(parser);
        int level = precedence(&parser->token);
        if (!advance(parser))
            return NULL;
        struct mr_cel_node *right = parse_binary(parser, level + 1);
        left = right == NULL ? NULL : new_operation(parser, operator_code, column, left, right);
    }
    return left;
}

/* A balanced tree over the terms; links of the list are cut on the way. */
static struct mr_cel_node *balance(struct parser *parser, uint8_t operator_code,
                                   struct mr_cel_node **term, uint32_t count, uint32_t column)
{
    if (count == 1) {
        struct mr_cel_node *node = *term;
        *term = node->next;
        node->next = NULL;
        return node;
    }
    struct mr_cel_node *left = balance(parser, operator_code, term, count / 2, column);
    struct mr_cel_node *right = balance(parser, operator_code, term, count - count / 2, column);
    if (left == NULL || right == NULL)
        return NULL;
    return new_operation(parser, operator_code, column, left, right);
}

static struct mr_cel_node *parse_logic(struct parser *parser, uint8_t operator_code)
{
    struct node_list terms = {0};
    uint32_t column = here(parser);
    for (;;) {
        struct mr_cel_node *term =
            operator_code == MR_CEL_OR ? parse_logic(parser, MR_CEL_AND) : parse_binary(parser, 1);
        if (term == NULL)
            return NULL;
        append(&terms, term);
        if (!at_operator(parser, operator_code))
            break;
        column = terms.count == 1 ? here(parser) : column;
        if (!advance(parser))
            return NULL;
    }
    struct mr_cel_node *next = terms.first;
    return balance(parser, operator_code, &next, terms.count, column);
}

static struct mr_cel_node *parse_conditional(struct parser *parser)
{
    struct mr_cel_node *condition = parse_logic(parser, MR_CEL_OR);
    if (condition == NULL || !at(parser, MR_CEL_TOKEN_QUESTION))
        return condition;
    struct mr_cel_node *node = new_node(parser, MR_CEL_NODE_CONDITIONAL, here(parser));
    struct node_list items = {0};
    append(&items, condition);
    if (!advance(parser))
        return NULL;
    struct mr_cel_node *chosen = parse_logic(parser, MR_CEL_OR);
    if (chosen == NULL || !expect(parser, MR_CEL_TOKEN_COLON, "':' and the other value"))
        return NULL;
    struct mr_cel_node *other = parse_expression(parser);
    if (other == NULL)
        return NULL;
    append(&items, chosen);
    append(&items, other);
    set_items(parser, node, &items);
    return finish(parser, node);
}

static struct mr_cel_node *parse_expression(struct parser *parser)
{
    if (++parser->depth > MR_LIMIT_EXPRESSION_DEPTH) {
        mr_cel_fail(parser->compilation, here(parser),
                    "The expression is nested deeper than %d; split it into fields with map.",
                    MR_LIMIT_EXPRESSION_DEPTH);
        return NULL;
    }
    struct mr_cel_node *node = parse_conditional(parser);
    parser->depth--;
    return node;
}

struct mr_cel_node *mr_cel_parse(struct mr_cel_compilation *compilation)
{
    struct parser parser = {.compilation = compilation};
    mr_cel_lexer_init(&parser.lexer, compilation);
    if (!advance(&parser))
        return NULL;
    struct mr_cel_node *node = parse_expression(&parser);
    if (node == NULL)
        return NULL;
    static const char *const words[][2] = {{"and", "&&"}, {"or", "||"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0] && at(&parser, MR_CEL_TOKEN_IDENT); i++) {
        if (strcmp((const char *)parser.token.text.data, words[i][0]) == 0)
            mr_cel_fail(compilation, here(&parser), "Found '%s'; in CEL it is written '%s'.",
                        words[i][0], words[i][1]);
    }
    if (!at(&parser, MR_CEL_TOKEN_END))
        return unexpected(&parser, "an operator or the end of the expression");
    return node;
}
