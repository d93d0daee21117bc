/* topology/aggregate_parse.c — see aggregate_parse.h. */
#include "topology/aggregate_parse.h"

#include <inttypes.h>
#include <math.h>

#include "topology/cel_check.h"
#include "topology/cel_parser.h"
#include "topology/cel_program.h"
#include "topology/parse_options.h"

enum { SHOWN_LETTER = 'F' };

struct parsing {
    struct mr_cel_compilation compilation;
    const struct mr_catalogue *catalogue;
    struct mr_aggregate_call *call;
    const struct mr_cel_node *root;
    bool uses_now;
};

static const struct mr_aggregate_spec *find(const struct mr_catalogue *catalogue, const char *name)
{
    for (uint32_t i = 0; i < catalogue->aggregates_count; i++)
        if (strcmp(catalogue->aggregates[i]->name, name) == 0)
            return catalogue->aggregates[i];
    return NULL;
}

/* CEL reserves words that are names of functions here (var): the parser is shown another first
 * letter, at the same place, of the name of a known function. */
static const char *shown_text(struct mr_arena *arena, const struct mr_catalogue *catalogue,
                              const char *text)
{
    size_t start = strspn(text, " \t\r\n\f");
    size_t size = strspn(text + start, "abcdefghijklmnopqrstuvwxyz_0123456789");
    char *copy = mr_arena_copy_text(arena, text);
    if (find(catalogue, mr_arena_copy_bytes_text(arena, text + start, size)) != NULL)
        copy[start] = SHOWN_LETTER;
    return copy;
}

/* The function's name as it was written. */
static const char *written_name(const struct parsing *parsing)
{
    const struct mr_cel_node *root = parsing->root;
    return mr_arena_copy_bytes_text(parsing->compilation.arena,
                                    parsing->call->text + root->column - 1, root->name_size);
}

static bool find_function(struct parsing *parsing)
{
    const struct mr_catalogue *catalogue = parsing->catalogue;
    const struct mr_cel_node *root = parsing->root;
    struct mr_arena *arena = parsing->compilation.arena;
    if (root->kind != MR_CEL_NODE_CALL || root->target != NULL) {
        mr_cel_fail(&parsing->compilation, root->column,
                    "Expected one call of an aggregate function, as in count() or avg(value); what "
                    "is computed from results belongs into a map behind it.");
        return false;
    }
    const char *name = written_name(parsing);
    parsing->call->spec = find(catalogue, name);
    if (parsing->call->spec != NULL)
        return true;
    const char **names = mr_arena_new(arena, catalogue->aggregates_count, sizeof(*names));
    for (uint32_t i = 0; i < catalogue->aggregates_count; i++)
        names[i] = catalogue->aggregates[i]->name;
    mr_cel_fail(&parsing->compilation, root->column, "There is no aggregate function '%s'%s", name,
                mr_nearest_text(arena, name, names, catalogue->aggregates_count));
    return false;
}

/* ---- Parameters ---- */

static bool literal_number(const struct mr_cel_node *node, double *number)
{
    if (node->kind == MR_CEL_NODE_LITERAL)
        return mr_value_as_double(node->value, number);
    bool negative = node->kind == MR_CEL_NODE_UNARY && node->operator_code == MR_CEL_NEGATE;
    if (!negative || !literal_number(node->items[0], number))
        return false;
    *number = -*number;
    return true;
}

/* "quantile(value, q)" */
static const char *usage(struct mr_arena *arena, const struct mr_aggregate_spec *spec)
{
    const char *text = mr_arena_format(arena, "%s(", spec->name);
    uint32_t count = 0;
    for (uint32_t i = 0; i < spec->arguments_max; i++)
        text = mr_arena_format(arena, "%s%s%s%s", text, count++ == 0 ? "" : ", ",
                               spec->argument_names[i], i < spec->arguments_min ? "" : "?");
    for (uint32_t i = 0; i < spec->parameters_count; i++)
        text = mr_arena_format(arena, "%s%s%s%s", text, count++ == 0 ? "" : ", ",
                               spec->parameters[i].name, spec->parameters[i].required ? "" : "?");
    return mr_arena_format(arena, "%s)", text);
}

static bool wrong_count(struct parsing *parsing)
{
    const struct mr_aggregate_spec *spec = parsing->call->spec;
    mr_cel_fail(&parsing->compilation, parsing->root->column,
                "%s has %" PRIu32 " arguments here; it is called as %s, where ? marks what may be "
                "left out.",
                spec->name, parsing->root->items_count, usage(parsing->compilation.arena, spec));
    return false;
}

static bool split(struct parsing *parsing)
{
    struct mr_aggregate_call *call = parsing->call;
    const struct mr_aggregate_spec *spec = call->spec;
    uint32_t count = parsing->root->items_count;
    uint32_t literals = 0;
    double number;
    while (literals < count && literals < spec->parameters_count &&
           count - literals > spec->arguments_min &&
           literal_number(parsing->root->items[count - literals - 1], &number))
        literals++;
    call->arguments_count = count - literals;
    if (call->arguments_count < spec->arguments_min || call->arguments_count > spec->arguments_max)
        return wrong_count(parsing);
    for (uint32_t i = literals; i < spec->parameters_count; i++)
        if (spec->parameters[i].required) {
            mr_cel_fail(&parsing->compilation, parsing->root->column,
                        "%s needs the literal number '%s': %s", spec->name,
                        spec->parameters[i].name, usage(parsing->compilation.arena, spec));
            return false;
        }
    return true;
}

static bool read_parameters(struct parsing *parsing)
{
    struct mr_aggregate_call *call = parsing->call;
    for (uint32_t i = 0; i < call->spec->parameters_count; i++) {
        const struct mr_aggregate_parameter *parameter = &call->spec->parameters[i];
        uint32_t item = call->arguments_count + i;
        call->parameters[i] = parameter->default_number;
        if (item >= parsing->root->items_count)
            continue;
        const struct mr_cel_node *node = parsing->root->items[item];
        double number = 0;
        bool fine = literal_number(node, &number) && number >= parameter->minimum &&
                    number <= parameter->maximum &&
                    (!parameter->is_integer || number == floor(number));
        if (!fine) {
            mr_cel_fail(&parsing->compilation, node->column,
                        "'%s' of %s is %s from %g to %g, written as a literal.", parameter->name,
                        call->spec->name, parameter->is_integer ? "a whole number" : "a number",
                        parameter->minimum, parameter->maximum);
            return false;
        }
        call->parameters[i] = number;
    }
    return true;
}

/* ---- Arguments ---- */

static bool is_number(const struct mr_type *type)
{
    return type->code == MR_TYPE_ANY || type->code == MR_TYPE_INT || type->code == MR_TYPE_UINT ||
           type->code == MR_TYPE_DOUBLE;
}

static bool compile_argument(struct parsing *parsing, uint32_t index)
{
    struct mr_aggregate_call *call = parsing->call;
    struct mr_cel_compilation *compilation = &parsing->compilation;
    struct mr_cel_node *node = parsing->root->items[index];
    if (!mr_cel_check(compilation, node))
        return false;
    mr_cel_fold(compilation, node);
    struct mr_program *program = mr_cel_compile(compilation, node);
    if (program == NULL)
        return false;
    call->arguments[index] = program;
    parsing->uses_now = parsing->uses_now || mr_program_uses_now(program);
    const struct mr_type *type = mr_program_type(program);
    if (call->spec->arguments[index] != MR_AGGREGATE_NUMBER || is_number(type))
        return true;
    mr_cel_fail(compilation, node->column, "%s needs a number for '%s', but this is %s.",
                call->spec->name, call->spec->argument_names[index],
                mr_type_name(compilation->arena, type));
    return false;
}

enum mr_status mr_aggregate_parse(struct mr_arena *arena, const struct mr_catalogue *catalogue,
                                  const struct mr_expression_environment *environment,
                                  struct mr_aggregate_call *call, bool *uses_now, uint32_t *column,
                                  struct mr_error *error)
{
    struct parsing parsing = {.compilation = {.arena = arena,
                                              .text = shown_text(arena, catalogue, call->text),
                                              .size = strlen(call->text),
                                              .environment = environment,
                                              .column = column,
                                              .error = error},
                              .catalogue = catalogue,
                              .call = call};
    *column = 1;
    if (!mr_cel_check_text(&parsing.compilation))
        return MR_INVALID;
    parsing.root = mr_cel_parse(&parsing.compilation);
    if (parsing.root == NULL || !find_function(&parsing) || !split(&parsing) ||
        !read_parameters(&parsing))
        return MR_INVALID;
    for (uint32_t i = 0; i < call->arguments_count; i++)
        if (!compile_argument(&parsing, i))
            return MR_INVALID;
    *uses_now = parsing.uses_now;
    return MR_OK;
}

const struct mr_type *mr_aggregate_type(const struct mr_aggregate_call *call)
{
    static const struct mr_type any = {.code = MR_TYPE_ANY};
    static const struct mr_type codes[] = {
        [MR_TYPE_ANY] = {.code = MR_TYPE_ANY},
        [MR_TYPE_BOOL] = {.code = MR_TYPE_BOOL},
        [MR_TYPE_INT] = {.code = MR_TYPE_INT},
        [MR_TYPE_UINT] = {.code = MR_TYPE_UINT},
        [MR_TYPE_DOUBLE] = {.code = MR_TYPE_DOUBLE},
        [MR_TYPE_STRING] = {.code = MR_TYPE_STRING},
        [MR_TYPE_BYTES] = {.code = MR_TYPE_BYTES},
        [MR_TYPE_TIMESTAMP] = {.code = MR_TYPE_TIMESTAMP},
        [MR_TYPE_DURATION] = {.code = MR_TYPE_DURATION},
        [MR_TYPE_LIST] = {.code = MR_TYPE_LIST, .element = &any},
        [MR_TYPE_OBJECT] = {.code = MR_TYPE_ANY},
    };
    if (call->spec == NULL)
        return &any;
    if (call->spec->result != MR_TYPE_ANY || call->arguments_count == 0)
        return &codes[call->spec->result];
    return call->arguments[0] == NULL ? &any : mr_program_type(call->arguments[0]);
}
