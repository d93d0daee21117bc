/* topology/cel_run.h — what the evaluator's parts share. See cel_program.h for the model. */
#ifndef MR_TOPOLOGY_CEL_RUN_H
#define MR_TOPOLOGY_CEL_RUN_H

#include "topology/cel_program.h"

/* Rows that a macro is still working on. */
struct mr_cel_selection {
    uint16_t active[MR_LIMIT_BATCH_ROWS];
    uint16_t passed[MR_LIMIT_BATCH_ROWS]; /* of those: rows whose element passed the condition */
};

struct mr_evaluator {
    struct mr_value **registers; /* [0] is unused: the result's place */
    uint32_t registers_count;
    struct mr_value **loaded; /* copies of variables that have absent or undeclared cells */
    const struct mr_value **loads;
    uint32_t loads_count;
    struct mr_cel_selection **selections; /* one per level of nested macros */
    uint32_t selections_count;
    struct mr_cel_regex_scratch *regex_scratch;
    uint32_t costs[MR_LIMIT_BATCH_ROWS];
};

struct mr_cel_run {
    const struct mr_program *program;
    struct mr_evaluator *evaluator;
    struct mr_batch *batch;
    struct mr_value *result;
    uint32_t macros_depth;
    struct mr_cel_context context;
};

/* A column of cells, or one constant: cells[row & mask]. */
struct mr_cel_cells {
    const struct mr_value *cells;
    uint32_t mask;
};

struct mr_cel_cells mr_cel_run_operand(const struct mr_cel_run *run, uint32_t operand);
struct mr_value *mr_cel_run_register(const struct mr_cel_run *run, uint32_t index);
/* Execute instructions [from, to) over rows. */
void mr_cel_run_range(struct mr_cel_run *run, uint32_t from, uint32_t to, const uint16_t *rows,
                      uint32_t rows_count);
/* Execute the macro at `instruction` with its condition and body (cel_macro.c). */
void mr_cel_run_macro(struct mr_cel_run *run, uint32_t instruction, const uint16_t *rows,
                      uint32_t rows_count);
/* Execute an operator over rows (cel_kernels.c). */
void mr_cel_run_binary(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                       const uint16_t *rows, uint32_t rows_count);
void mr_cel_run_unary(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                      const uint16_t *rows, uint32_t rows_count);

#endif
