/* topology/cel_names.c — what a name means: a variable of a macro, a field, or a type of CEL.
 * Design: an identifier with selects and constant indexes behind it is offered to the environment
 * as one path, the longest there is, since the environment may know `anomaly.score` as a column of
 * its own. It answers how much of the path the column covers; the rest stays in the tree. A field
 * wins over a type's name: where the environment cannot say at compile time whether a field exists
 * (no schema), the program takes the type for records without such a field. */
#include "base/assert.h"
#include "base/buffer.h"
#include "topology/cel_check.h"

struct chain {
    struct mr_cel_node *nodes[MR_LIMIT_PATH_STEPS + 1]; /* from the identifier outwards */
    uint32_t count;
};

static bool is_static_step(const struct mr_cel_node *node)
{
    if (node->kind == MR_CEL_NODE_SELECT)
        return true;
    if (node->kind != MR_CEL_NODE_INDEX || node->items[0]->kind != MR_CEL_NODE_LITERAL)
        return false;
    struct mr_value index = node->items[0]->value;
    return (index.kind == MR_KIND_STRING && memchr(index.text, 0, index.size) == NULL) ||
           (index.kind == MR_KIND_INT && index.integer >= 0 && index.integer < UINT32_MAX);
}

/* The chain from node down to its identifier; false when it does not start with one. */
static bool collect(struct mr_cel_node *node, struct chain *chain)
{
    uint32_t length = 1;
    struct mr_cel_node *base = node;
    for (; is_static_step(base); base = base->target)
        length++;
    if (base->kind != MR_CEL_NODE_IDENT)
        return false;
    chain->count = length < MR_ARRAY_COUNT(chain->nodes) ? length : MR_ARRAY_COUNT(chain->nodes);
    for (uint32_t i = length; i > 0; i--, node = node->target) {
        if (i <= chain->count)
            chain->nodes[i - 1] = node;
    }
    return true;
}

static struct mr_path_step step_of(struct mr_cel_compilation *compilation,
                                   const struct mr_cel_node *node)
{
    if (node->kind != MR_CEL_NODE_INDEX)
        return (struct mr_path_step){.name = node->name, .name_size = node->name_size};
    struct mr_value index = node->items[0]->value;
    if (index.kind == MR_KIND_INT)
        return (struct mr_path_step){.index = (uint32_t)index.integer};
    return (struct mr_path_step){
        .name = mr_arena_copy_bytes_text(compilation->arena, index.text, index.size),
        .name_size = index.size};
}

static bool is_plain_name(const struct mr_path_step *step)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return step->name_size > 0 && strchr(letters, step->name[0]) != NULL &&
           strspn(step->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") ==
               step->name_size;
}

/* The canonical text of a path; one written with a leading dot keeps it. */
static const char *path_text(struct mr_cel_compilation *compilation, bool rooted,
                             const struct mr_path_step *steps, uint32_t count)
{
    const char *text = rooted ? "." : "";
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].name == NULL)
            text = mr_arena_format(compilation->arena, "%s[%u]", text, steps[i].index);
        else if (is_plain_name(&steps[i]))
            text = mr_arena_format(compilation->arena, "%s%s%s", text, i == 0 ? "" : ".",
                                   steps[i].name);
        else
            text = mr_arena_format(compilation->arena, "%s[\"%s\"]", text, steps[i].name);
    }
    return text;
}

/* The type of CEL that the first `count` nodes of the chain name, or NULL. */
static const char *type_name(const struct chain *chain, uint32_t count)
{
    static const char *const qualified[][3] = {{"google", "protobuf", "Timestamp"},
                                               {"google", "protobuf", "Duration"}};
    if (count == 1) {
        for (uint8_t kind = 0; kind < MR_KIND_COUNT; kind++) {
            const char *text = mr_cel_kind_text(kind);
            if (text != NULL && strcmp(text, chain->nodes[0]->name) == 0)
                return text;
        }
    }
    for (size_t i = 0; count == 3 && i < MR_ARRAY_COUNT(qualified); i++) {
        bool same = true;
        for (uint32_t step = 0; step < 3; step++)
            same = same && chain->nodes[step]->name != NULL &&
                   strcmp(chain->nodes[step]->name, qualified[i][step]) == 0;
        if (same)
            return mr_cel_kind_text(i == 0 ? MR_KIND_TIMESTAMP : MR_KIND_DURATION);
    }
    return NULL;
}

static void become_literal(struct mr_cel_node *node, struct mr_value value, uint8_t type)
{
    node->kind = MR_CEL_NODE_LITERAL;
    node->value = value;
    node->type = mr_cel_type_simple(type);
    node->checked = true;
}

static bool become_local(const struct mr_cel_scope *scope, struct mr_cel_node *node)
{
    for (; scope != NULL; scope = scope->outer) {
        for (uint32_t i = 0; i < scope->variables_count; i++) {
            if (strcmp(scope->macro->variables[i], node->name) != 0)
                continue;
            node->kind = MR_CEL_NODE_LOCAL;
            node->local = scope->macro;
            node->local_index = i;
            node->type = scope->types[i];
            node->checked = true;
            return true;
        }
    }
    return false;
}

static bool unknown_name(struct mr_cel_compilation *compilation, const struct chain *chain)
{
    for (uint32_t count = chain->count; count > 0; count--) {
        const char *type = type_name(chain, count);
        if (type == NULL)
            continue;
        struct mr_value value = {
            .kind = MR_KIND_TYPE, .size = (uint32_t)strlen(type), .text = (const uint8_t *)type};
        become_literal(chain->nodes[count - 1], value, MR_KIND_TYPE);
        return true;
    }
    if (compilation->unchecked) {
        const char *text = mr_arena_format(compilation->arena, "undeclared reference to '%s'",
                                           chain->nodes[0]->name);
        become_literal(chain->nodes[0], mr_value_error(mr_slice_text(text)), MR_CEL_DYN);
        return true;
    }
    if (compilation->error->message[0] == '\0')
        mr_cel_fail(compilation, chain->nodes[0]->column, "'%s' is not known here.",
                    chain->nodes[0]->name);
    compilation->failed = true;
    *compilation->column = chain->nodes[0]->column;
    return false;
}

static bool resolve_chain(struct mr_cel_compilation *compilation, struct chain *chain)
{
    struct mr_path_step *steps = mr_arena_new(compilation->arena, chain->count + 1, sizeof *steps);
    for (uint32_t i = 0; i < chain->count; i++)
        steps[i] = step_of(compilation, chain->nodes[i]);
    bool rooted = chain->nodes[0]->rooted;
    uint32_t first = !compilation->strict && !rooted && chain->count > 1 &&
                     strcmp(steps[0].name, "record") == 0 && steps[1].name != NULL;
    struct mr_path path = {.steps = steps + first, .steps_count = chain->count - first};
    if (path.steps_count > MR_LIMIT_PATH_STEPS)
        path.steps_count = MR_LIMIT_PATH_STEPS;
    path.text = path_text(compilation, rooted, path.steps, path.steps_count);
    const struct mr_expression_environment *environment = compilation->environment;
    uint32_t used = path.steps_count;
    uint32_t slot = 0;
    const struct mr_type *type = NULL;
    compilation->error->message[0] = '\0';
    if (environment == NULL || environment->resolve == NULL ||
        !environment->resolve(environment->argument, &path, &used, &slot, &type,
                              compilation->error))
        return unknown_name(compilation, chain);
    MR_ASSERT(used >= 1 && used <= path.steps_count);
    struct mr_cel_node *node = chain->nodes[first + used - 1];
    node->kind = MR_CEL_NODE_VARIABLE;
    node->slot = slot;
    node->path = path_text(compilation, false, path.steps, used);
    node->type = mr_cel_type_from_schema(compilation->arena, type);
    node->checked = true;
    if (first == 0 && mr_cel_type_is_dyn(node->type))
        node->absent_type = type_name(chain, used);
    return true;
}

bool mr_cel_resolve_name(struct mr_cel_compilation *compilation, const struct mr_cel_scope *scope,
                         struct mr_cel_node *node)
{
    struct chain chain = {.count = 0};
    if (!collect(node, &chain))
        return true;
    if (!chain.nodes[0]->rooted && become_local(scope, chain.nodes[0]))
        return true;
    return resolve_chain(compilation, &chain);
}
