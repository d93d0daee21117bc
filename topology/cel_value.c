/* topology/cel_value.c — see cel_value.h.
 * Design: int, uint and double lie on one number line for == and <, compared exactly, never through
 * a rounded double; arithmetic stays within one kind and reports overflow. */
#include "topology/cel_value.h"

#include <stdarg.h>
#include <stdio.h>

#include "topology/cel_types.h"

struct mr_value mr_cel_error(const char *text)
{
    return mr_value_error(mr_slice_text(text));
}

struct mr_value mr_cel_error_format(struct mr_cel_context *context, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t kept = size < 0 ? 0 : (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    return mr_value_error(mr_arena_copy(context->arena, mr_slice_from(text, kept)));
}

static const char *kind_text(uint8_t kind)
{
    const char *text = mr_cel_kind_text(kind);
    return text != NULL              ? text
           : kind == MR_KIND_JSON    ? "raw JSON"
           : kind <= MR_KIND_REMOVED ? "nothing"
                                     : "an error";
}

struct mr_value mr_cel_error_kinds(struct mr_cel_context *context, const char *what, uint8_t left,
                                   uint8_t right)
{
    uint16_t kinds = (uint16_t)(left << 8 | right);
    size_t entry = ((uintptr_t)what / 2 + left * 5u + right) % MR_CEL_MEMO_SIZE;
    if (context->memo[entry].what == what && context->memo[entry].kinds == kinds)
        return context->memo[entry].error;
    struct mr_value error =
        right == MR_KIND_ABSENT
            ? mr_cel_error_format(context, "no such overload: %s does not take %s", what,
                                  kind_text(left))
            : mr_cel_error_format(context, "no such overload: %s does not take %s and %s", what,
                                  kind_text(left), kind_text(right));
    context->memo[entry].what = what;
    context->memo[entry].kinds = kinds;
    context->memo[entry].error = error;
    return error;
}

bool mr_cel_charge(struct mr_cel_context *context, size_t steps)
{
    if (context->costs == NULL)
        return true;
    uint32_t *cost = &context->costs[context->row];
    if (steps > MR_LIMIT_EXPRESSION_COST || *cost > MR_LIMIT_EXPRESSION_COST)
        *cost = MR_LIMIT_EXPRESSION_COST + 1;
    else
        *cost += (uint32_t)steps;
    return *cost <= MR_LIMIT_EXPRESSION_COST;
}

struct mr_value mr_cel_error_cost(void)
{
    return mr_cel_error("the expression takes more steps than allowed on this record");
}

void *mr_cel_take(struct mr_cel_context *context, size_t size)
{
    /* A step of the cost limit pays for 64 bytes: at most 64 MB per row. */
    if (size / 64 > MR_LIMIT_EXPRESSION_COST || !mr_cel_charge(context, size / 64 + 1))
        return NULL;
    return mr_arena_take(context->arena, size == 0 ? 1 : size);
}

static bool is_number(uint8_t kind)
{
    return kind == MR_KIND_INT || kind == MR_KIND_UINT || kind == MR_KIND_DOUBLE;
}

static int order_of_fraction(double number, double whole)
{
    return number > whole ? -1 : number < whole;
}

static int compare_int_double(int64_t integer, double number)
{
    if (number >= 9223372036854775808.0)
        return -1;
    if (number < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)number;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    return order_of_fraction(number, (double)whole);
}

static int compare_uint_double(uint64_t integer, double number)
{
    if (number >= 18446744073709551616.0)
        return -1;
    if (number < 0)
        return 1;
    uint64_t whole = (uint64_t)number;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    return order_of_fraction(number, (double)whole);
}

static int compare_int_uint(int64_t left, uint64_t right)
{
    if (left < 0)
        return -1;
    return (uint64_t)left < right ? -1 : (uint64_t)left > right;
}

/* Pre: both are numbers. */
static bool compare_numbers(struct mr_value left, struct mr_value right, int *order)
{
    if ((left.kind == MR_KIND_DOUBLE && left.number != left.number) ||
        (right.kind == MR_KIND_DOUBLE && right.number != right.number))
        return false;
    if (left.kind == right.kind) {
        if (left.kind == MR_KIND_DOUBLE)
            *order = left.number < right.number ? -1 : left.number > right.number;
        else if (left.kind == MR_KIND_INT)
            *order = left.integer < right.integer ? -1 : left.integer > right.integer;
        else
            *order = left.unsigned_integer < right.unsigned_integer
                         ? -1
                         : left.unsigned_integer > right.unsigned_integer;
        return true;
    }
    if (left.kind > right.kind) {
        compare_numbers(right, left, order);
        *order = -*order;
        return true;
    }
    if (right.kind == MR_KIND_UINT)
        *order = compare_int_uint(left.integer, right.unsigned_integer);
    else if (left.kind == MR_KIND_INT)
        *order = compare_int_double(left.integer, right.number);
    else
        *order = compare_uint_double(left.unsigned_integer, right.number);
    return true;
}

bool mr_cel_compare(struct mr_value left, struct mr_value right, int *order)
{
    if (is_number(left.kind) && is_number(right.kind))
        return compare_numbers(left, right, order);
    if (left.kind != right.kind)
        return false;
    switch (left.kind) {
    case MR_KIND_BOOL:
        *order = (int)left.boolean - (int)right.boolean;
        return true;
    case MR_KIND_STRING:
    case MR_KIND_BYTES:
        *order = mr_slice_compare(mr_value_text(left), mr_value_text(right));
        return true;
    case MR_KIND_TIMESTAMP:
    case MR_KIND_DURATION:
        *order = left.integer < right.integer ? -1 : left.integer > right.integer;
        return true;
    default:
        return false;
    }
}

/* The value at key, NULL when the map has none. Numbers as keys match by value. */
static const struct mr_value *find_entry(struct mr_cel_context *context, struct mr_value map,
                                         struct mr_value key)
{
    for (uint32_t i = 0; i < map.size; i++) {
        struct mr_value candidate = map.entries[i].key;
        if (key.kind == MR_KIND_STRING
                ? candidate.kind == MR_KIND_STRING && candidate.size == key.size &&
                      (key.size == 0 || memcmp(candidate.text, key.text, key.size) == 0)
                : mr_cel_equal(context, candidate, key))
            return &map.entries[i].value;
    }
    return NULL;
}

static bool equal_maps(struct mr_cel_context *context, struct mr_value left, struct mr_value right)
{
    if (left.size != right.size)
        return false;
    for (uint32_t i = 0; i < left.size; i++) {
        if (!mr_cel_charge(context, right.size))
            return false;
        /* Maps of one shape have their keys in one order: look there before searching. */
        const struct mr_value *other =
            mr_cel_equal(context, left.entries[i].key, right.entries[i].key)
                ? &right.entries[i].value
                : find_entry(context, right, left.entries[i].key);
        if (other == NULL || !mr_cel_equal(context, left.entries[i].value, *other))
            return false;
    }
    return true;
}

static bool equal_lists(struct mr_cel_context *context, struct mr_value left, struct mr_value right)
{
    if (left.size != right.size || !mr_cel_charge(context, left.size))
        return false;
    for (uint32_t i = 0; i < left.size; i++) {
        if (!mr_cel_equal(context, left.items[i], right.items[i]))
            return false;
    }
    return true;
}

bool mr_cel_equal(struct mr_cel_context *context, struct mr_value left, struct mr_value right)
{
    int order = 0;
    left = mr_cel_plain(context, left);
    right = mr_cel_plain(context, right);
    if (is_number(left.kind) && is_number(right.kind))
        return compare_numbers(left, right, &order) && order == 0;
    if (left.kind != right.kind)
        return false;
    switch (left.kind) {
    case MR_KIND_NULL:
        return true;
    case MR_KIND_BOOL:
        return left.boolean == right.boolean;
    case MR_KIND_STRING:
    case MR_KIND_BYTES:
    case MR_KIND_TYPE:
    case MR_KIND_JSON:
        return mr_slice_equal(mr_value_text(left), mr_value_text(right));
    case MR_KIND_TIMESTAMP:
    case MR_KIND_DURATION:
        return left.integer == right.integer;
    case MR_KIND_LIST:
        return equal_lists(context, left, right);
    case MR_KIND_MAP:
        return equal_maps(context, left, right);
    default:
        return false;
    }
}

static struct mr_value is_in(struct mr_cel_context *context, struct mr_value needle,
                             struct mr_value container)
{
    if (container.kind == MR_KIND_LIST || container.kind == MR_KIND_MAP) {
        if (!mr_cel_charge(context, container.size))
            return mr_cel_error_cost();
    } else {
        return mr_cel_error_kinds(context, "'in'", needle.kind, container.kind);
    }
    if (container.kind == MR_KIND_MAP)
        return mr_value_bool(find_entry(context, container, needle) != NULL);
    for (uint32_t i = 0; i < container.size; i++) {
        if (mr_cel_equal(context, needle, container.items[i]))
            return mr_value_bool(true);
    }
    return mr_value_bool(false);
}

static struct mr_value order_result(struct mr_cel_context *context, uint8_t operator_code,
                                    struct mr_value left, struct mr_value right)
{
    int order = 0;
    if (!mr_cel_compare(left, right, &order)) {
        if (is_number(left.kind) && is_number(right.kind))
            return mr_value_bool(false); /* NaN */
        return mr_cel_error_kinds(context, mr_cel_operator_text(operator_code), left.kind,
                                  right.kind);
    }
    switch (operator_code) {
    case MR_CEL_LESS:
        return mr_value_bool(order < 0);
    case MR_CEL_LESS_EQUAL:
        return mr_value_bool(order <= 0);
    case MR_CEL_GREATER:
        return mr_value_bool(order > 0);
    default:
        return mr_value_bool(order >= 0);
    }
}

struct mr_value mr_cel_binary(struct mr_cel_context *context, uint8_t operator_code,
                              struct mr_value left, struct mr_value right)
{
    if (left.kind == MR_KIND_ERROR)
        return left;
    if (right.kind == MR_KIND_ERROR)
        return right;
    switch (operator_code) {
    case MR_CEL_EQUAL:
    case MR_CEL_NOT_EQUAL: {
        bool equal = mr_cel_equal(context, left, right);
        if (!mr_cel_charge(context, 0))
            return mr_cel_error_cost();
        return mr_value_bool(equal == (operator_code == MR_CEL_EQUAL));
    }
    case MR_CEL_IN: {
        struct mr_value found = is_in(context, left, right);
        return mr_cel_charge(context, 0) ? found : mr_cel_error_cost();
    }
    case MR_CEL_LESS:
    case MR_CEL_LESS_EQUAL:
    case MR_CEL_GREATER:
    case MR_CEL_GREATER_EQUAL:
        return order_result(context, operator_code, left, right);
    default:
        return mr_cel_arithmetic(context, operator_code, left, right);
    }
}

/* && and || (CEL's langdef, "Logical Operators"): one side that decides absorbs what the other is.
 */
struct mr_value mr_cel_logic(struct mr_cel_context *context, uint8_t operator_code,
                             struct mr_value left, struct mr_value right)
{
    bool deciding = operator_code == MR_CEL_OR;
    if ((left.kind == MR_KIND_BOOL && left.boolean == deciding) ||
        (right.kind == MR_KIND_BOOL && right.boolean == deciding))
        return mr_value_bool(deciding);
    if (left.kind == MR_KIND_BOOL && right.kind == MR_KIND_BOOL)
        return mr_value_bool(!deciding);
    if (left.kind == MR_KIND_ERROR)
        return left;
    if (right.kind == MR_KIND_ERROR)
        return right;
    return mr_cel_error_kinds(context, mr_cel_operator_text(operator_code), left.kind, right.kind);
}

struct mr_value mr_cel_unary(struct mr_cel_context *context, uint8_t operator_code,
                             struct mr_value operand)
{
    if (operand.kind == MR_KIND_ERROR)
        return operand;
    if (operator_code == MR_CEL_NOT) {
        if (operand.kind == MR_KIND_BOOL)
            return mr_value_bool(!operand.boolean);
        return mr_cel_error_kinds(context, "'!'", operand.kind, MR_KIND_ABSENT);
    }
    if (operand.kind == MR_KIND_DOUBLE)
        return mr_value_double(-operand.number);
    if (operand.kind != MR_KIND_INT)
        return mr_cel_error_kinds(context, "'-'", operand.kind, MR_KIND_ABSENT);
    if (operand.integer == INT64_MIN)
        return mr_cel_error("integer overflow");
    return mr_value_int(-operand.integer);
}

struct mr_value mr_cel_conditional(struct mr_cel_context *context, struct mr_value condition,
                                   struct mr_value chosen, struct mr_value other)
{
    if (condition.kind == MR_KIND_BOOL)
        return condition.boolean ? chosen : other;
    if (condition.kind == MR_KIND_ERROR)
        return condition;
    return mr_cel_error_kinds(context, "the condition of '?:'", condition.kind, MR_KIND_ABSENT);
}

/* The position in a list that a number names; doubles and uints by value. */
static bool list_position(struct mr_value index, uint32_t size, uint32_t *position)
{
    struct mr_value zero = mr_value_int(0);
    struct mr_value end = mr_value_int(size);
    int order = 0;
    if (!compare_numbers(index, zero, &order) || order < 0 ||
        !compare_numbers(index, end, &order) || order >= 0)
        return false;
    double number = 0;
    mr_value_as_double(index, &number);
    *position = (uint32_t)number;
    return compare_numbers(index, mr_value_int(*position), &order) && order == 0;
}

struct mr_value mr_cel_lookup(struct mr_cel_context *context, struct mr_value container,
                              struct mr_value index)
{
    if (container.kind == MR_KIND_ERROR)
        return container;
    if (index.kind == MR_KIND_ERROR)
        return index;
    if (container.kind == MR_KIND_MAP) {
        if (!mr_cel_charge(context, container.size / 16))
            return mr_cel_error_cost();
        const struct mr_value *found = find_entry(context, container, index);
        return found == NULL ? (struct mr_value){.kind = MR_KIND_ABSENT}
                             : mr_cel_plain(context, *found);
    }
    if (container.kind != MR_KIND_LIST || !is_number(index.kind))
        return mr_cel_error_kinds(context, "'[]'", container.kind, index.kind);
    uint32_t position = 0;
    if (!list_position(index, container.size, &position))
        return (struct mr_value){.kind = MR_KIND_ABSENT};
    return mr_cel_plain(context, container.items[position]);
}

struct mr_value mr_cel_index(struct mr_cel_context *context, struct mr_value container,
                             struct mr_value index)
{
    struct mr_value found = mr_cel_lookup(context, container, index);
    if (found.kind > MR_KIND_REMOVED)
        return found;
    if (container.kind == MR_KIND_LIST)
        return mr_cel_error_format(context, "no such element in a list of %u", container.size);
    if (index.kind == MR_KIND_STRING && context->costs != NULL)
        return mr_cel_error_format(context, "no such key: '%.*s'",
                                   (int)(index.size < 64 ? index.size : 64),
                                   (const char *)index.text);
    return mr_cel_error("no such key");
}

struct mr_value mr_cel_select(struct mr_cel_context *context, struct mr_value container,
                              struct mr_value name)
{
    if (container.kind == MR_KIND_MAP || container.kind == MR_KIND_ERROR)
        return mr_cel_index(context, container, name);
    return mr_cel_error_kinds(context, "'.'", container.kind, MR_KIND_ABSENT);
}

const char *mr_cel_operator_text(uint8_t operator_code)
{
    static const char *const texts[MR_CEL_OPERATOR_COUNT] = {
        [MR_CEL_NEGATE] = "-",         [MR_CEL_NOT] = "!",
        [MR_CEL_MULTIPLY] = "*",       [MR_CEL_DIVIDE] = "/",
        [MR_CEL_MODULO] = "%",         [MR_CEL_ADD] = "+",
        [MR_CEL_SUBTRACT] = "-",       [MR_CEL_LESS] = "<",
        [MR_CEL_LESS_EQUAL] = "<=",    [MR_CEL_GREATER] = ">",
        [MR_CEL_GREATER_EQUAL] = ">=", [MR_CEL_EQUAL] = "==",
        [MR_CEL_NOT_EQUAL] = "!=",     [MR_CEL_IN] = "in",
        [MR_CEL_AND] = "&&",           [MR_CEL_OR] = "||",
    };
    return operator_code < MR_CEL_OPERATOR_COUNT ? texts[operator_code] : "?";
}
