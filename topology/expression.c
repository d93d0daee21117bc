/* topology/expression.c — see expression.h. The phases: cel_lexer.h, cel_parser.h, cel_check.h,
 * cel_program.h (folding, instructions), cel_run.h. */
#include "topology/expression.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "topology/cel_check.h"
#include "topology/cel_parser.h"
#include "topology/cel_program.h"

void mr_cel_fail(struct mr_cel_compilation *compilation, uint32_t column, const char *format, ...)
{
    if (compilation->failed)
        return;
    char text[MR_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    compilation->failed = true;
    *compilation->column = column;
    MR_FAIL(compilation->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "%s", text);
}

bool mr_cel_check_text(struct mr_cel_compilation *compilation)
{
    size_t size = compilation->size;
    if (size > MR_LIMIT_EXPRESSION_BYTES)
        mr_cel_fail(compilation, 1, "The expression has %zu bytes, at most %d are allowed.", size,
                    MR_LIMIT_EXPRESSION_BYTES);
    else if (!mr_utf8_valid(mr_slice_from(compilation->text, size)))
        mr_cel_fail(compilation, 1, "The expression is not UTF-8.");
    else if (strspn(compilation->text, " \t\r\n\f") == size)
        mr_cel_fail(compilation, 1, "The expression is empty.");
    return !compilation->failed;
}

static bool check_expected(struct mr_cel_compilation *compilation, struct mr_cel_node *root,
                           enum mr_type_code expected)
{
    const struct mr_type wanted = {.code = expected};
    const struct mr_cel_type *type = mr_cel_type_from_schema(compilation->arena, &wanted);
    if (expected == MR_TYPE_DOUBLE && mr_cel_is_integer_literal(compilation, root)) {
        root->value = mr_value_double((double)root->value.integer);
        root->type = mr_cel_type_simple(MR_KIND_DOUBLE);
    }
    if (expected == MR_TYPE_ANY || mr_cel_type_is_dyn(root->type) || root->type->kind == type->kind)
        return true;
    mr_cel_fail(compilation, 1, "The expression yields %s where %s is wanted.",
                mr_cel_type_text(compilation->arena, root->type), mr_cel_kind_text(type->kind));
    return false;
}

enum mr_status mr_expression_compile(struct mr_arena *arena, const char *text,
                                     enum mr_type_code expected,
                                     const struct mr_expression_environment *environment,
                                     struct mr_program **program, uint32_t *column,
                                     struct mr_error *error)
{
    struct mr_cel_compilation compilation = {
        .arena = arena,
        .text = text,
        .size = strlen(text),
        .environment = environment,
        .strict = environment != NULL && environment->strict,
        .unchecked = environment != NULL && environment->unchecked,
        .column = column,
        .error = error,
    };
    *program = NULL;
    *column = 1;
    struct mr_cel_node *root = mr_cel_check_text(&compilation) ? mr_cel_parse(&compilation) : NULL;
    if (root == NULL || !mr_cel_check(&compilation, root) ||
        !check_expected(&compilation, root, expected))
        return MR_INVALID;
    mr_cel_fold(&compilation, root);
    *program = mr_cel_compile(&compilation, root);
    return *program == NULL ? MR_INVALID : MR_OK;
}

const struct mr_type *mr_program_type(const struct mr_program *program)
{
    return program->type;
}

bool mr_program_uses_now(const struct mr_program *program)
{
    return program->uses_now;
}
