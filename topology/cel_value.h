/* topology/cel_value.h — what CEL's operators do to two cells: equality, order, arithmetic,
 * indexing. Why: the evaluator has fast loops for the common kinds; everything else, constant
 * folding included, comes here, so that there is one definition of each operator. Errors are cells
 * of kind ERROR; their text is static or in the context's arena. */
#ifndef MR_TOPOLOGY_CEL_VALUE_H
#define MR_TOPOLOGY_CEL_VALUE_H

#include "record/batch.h"
#include "topology/cel_ast.h"

/* Beside MR_VALUE_UNDECLARED: an integer literal that turns into a double beside one. Inside of
 * programs only. */
enum { MR_CEL_VALUE_LITERAL = 1u << 1 };

enum { MR_CEL_MEMO_SIZE = 16 };

struct mr_cel_regex_scratch;
struct mr_cel_regex;

/* What an operator or function may use while it works on one row. */
struct mr_cel_context {
    struct mr_arena *arena;
    uint32_t *costs; /* per row; NULL while constants are folded */
    uint32_t row;
    int64_t now_ms;
    bool strict;
    struct mr_cel_regex_scratch *regex_scratch;
    /* The pattern of matches() that was compiled last in this run, when it is not a constant. */
    const struct mr_cel_regex *regex;
    struct mr_value regex_pattern;
    /* Messages made in this run: the same mistake in every row of a batch is worded once. */
    struct {
        const char *what;
        uint16_t kinds;
        struct mr_value error;
    } memo[MR_CEL_MEMO_SIZE];
};

/* An error cell of static text. */
struct mr_value mr_cel_error(const char *text);
struct mr_value mr_cel_error_format(struct mr_cel_context *context, const char *format, ...)
    MR_PRINTF(2, 3);
/* "'<' does not take string and int". what is static text or lives as long as the program. */
struct mr_value mr_cel_error_kinds(struct mr_cel_context *context, const char *what, uint8_t left,
                                   uint8_t right);
/* Count steps on the context's row; false when the row has passed MR_LIMIT_EXPRESSION_COST. */
bool mr_cel_charge(struct mr_cel_context *context, size_t steps);
struct mr_value mr_cel_error_cost(void);
/* Charge for size new bytes and take them; NULL when the cost limit is reached. */
void *mr_cel_take(struct mr_cel_context *context, size_t size);

/* An element as expressions see it: an undeclared JSON number is a double. */
static inline struct mr_value mr_cel_plain(const struct mr_cel_context *context,
                                           struct mr_value value)
{
    double number = 0;
    if ((value.flags & MR_VALUE_UNDECLARED) == 0 || context->strict)
        return value;
    return mr_value_as_double(value, &number) ? mr_value_double(number) : value;
}

/* == of CEL: numbers by value whatever their kind, NaN equals nothing, lists and maps deep. */
bool mr_cel_equal(struct mr_cel_context *context, struct mr_value left, struct mr_value right);
/* Order of two cells of one kind, or of two numbers: false when there is none (kinds differ, NaN).
 */
bool mr_cel_compare(struct mr_value left, struct mr_value right, int *order);
/* Any binary operator but && and ||. */
struct mr_value mr_cel_binary(struct mr_cel_context *context, uint8_t operator_code,
                              struct mr_value left, struct mr_value right);
struct mr_value mr_cel_logic(struct mr_cel_context *context, uint8_t operator_code,
                             struct mr_value left, struct mr_value right);
struct mr_value mr_cel_unary(struct mr_cel_context *context, uint8_t operator_code,
                             struct mr_value operand);
struct mr_value mr_cel_arithmetic(struct mr_cel_context *context, uint8_t operator_code,
                                  struct mr_value left, struct mr_value right);
struct mr_value mr_cel_conditional(struct mr_cel_context *context, struct mr_value condition,
                                   struct mr_value chosen, struct mr_value other);
/* container[index] and container.name; ABSENT when a map has no such key. */
struct mr_value mr_cel_lookup(struct mr_cel_context *context, struct mr_value container,
                              struct mr_value index);
/* The same, with an error where lookup finds nothing. */
struct mr_value mr_cel_index(struct mr_cel_context *context, struct mr_value container,
                             struct mr_value index);
/* container.name: like an index, but a list has no fields. */
struct mr_value mr_cel_select(struct mr_cel_context *context, struct mr_value container,
                              struct mr_value name);

/* Elements of a list or map that is being built in memory of ours; items is const for readers only.
 */
static inline struct mr_value *mr_cel_mutable_items(struct mr_value list)
{
    return (struct mr_value *)(uintptr_t)list.items;
}
static inline struct mr_map_entry *mr_cel_mutable_entries(struct mr_value map)
{
    return (struct mr_map_entry *)(uintptr_t)map.entries;
}

#endif
