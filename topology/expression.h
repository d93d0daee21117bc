/* topology/expression.h — the Common Expression Language: parse, check, compile, run over columns.
 * Model: text -> syntax tree -> type check against what the environment knows -> a compact program
 * whose variables are column slots. A program runs over the rows of a view and writes a result
 * column; errors are cells of kind ERROR, absorbed by && and || as CEL defines. Extension
 * (DESIGN 2.1 rule 7): an integer literal beside a double reads as a double; an undeclared JSON
 * number is a double. Limits: MR_LIMIT_EXPRESSION_*; a macro whose cost passes the limit yields an
 * ERROR cell. Threads: a program is immutable and shared; an evaluator belongs to one thread. */
#ifndef MR_TOPOLOGY_EXPRESSION_H
#define MR_TOPOLOGY_EXPRESSION_H

#include "record/batch.h"
#include "record/schema.h"

/* Asked for every variable path that an expression reads (`value`, `anomaly.is_anomaly`, `a.b[0]`,
 * `meta.offset`): the longest static path. Returns false when the name is unknown; error is then
 * filled with the sentence for the user. On success *slot is the column and *type its declared type
 * (code ANY when dynamic). The environment may answer for a prefix by setting *steps_used smaller
 * than the path's count; the rest is selected at run time. */
struct mr_expression_environment {
    bool (*resolve)(void *argument, const struct mr_path *path, uint32_t *steps_used,
                    uint32_t *slot, const struct mr_type **type, struct mr_error *error);
    void *argument;
    /* CEL to the letter, for its conformance tests: without the extension above. */
    bool strict;
    /* CEL without its check phase: unknown names and calls that do not fit fail when the program
     * runs. */
    bool unchecked;
};

struct mr_program;

/* Compile text. expected: MR_TYPE_BOOL for conditions, MR_TYPE_ANY otherwise; a program that cannot
 * yield it is an error. Owner: the program lives in arena. Errors: MR_INVALID; *column is the
 * 1-based byte column in text. */
enum mr_status mr_expression_compile(struct mr_arena *arena, const char *text,
                                     enum mr_type_code expected,
                                     const struct mr_expression_environment *environment,
                                     struct mr_program **program, uint32_t *column,
                                     struct mr_error *error) MR_NODISCARD;

/* What is known of the result. */
const struct mr_type *mr_program_type(const struct mr_program *program);
/* The program reads the clock: now(). */
bool mr_program_uses_now(const struct mr_program *program);

struct mr_evaluator; /* registers for the largest program it has run */
struct mr_evaluator *mr_evaluator_create(void);
void mr_evaluator_destroy(struct mr_evaluator *evaluator);

/* Run program over view's rows; result[row] is written for each selected row (indexed by row number
 * of the batch). Strings, lists and maps of results live in the batch's arena. now_ms is what now()
 * returns. */
void mr_program_run(const struct mr_program *program, struct mr_evaluator *evaluator,
                    struct mr_view view, int64_t now_ms, struct mr_value *result);

#endif
