/* topology/cel_arithmetic.c — + - * / % over two cells of one kind; overflow is an error, never a
 * wrap. Times are nanoseconds since the epoch in an int64 (record/value.h): a result outside is an
 * error too. */
#include "topology/cel_value.h"

static struct mr_value overflow(void)
{
    return mr_cel_error("integer overflow");
}

static struct mr_value unsupported(struct mr_cel_context *context, uint8_t operator_code,
                                   struct mr_value left, struct mr_value right)
{
    return mr_cel_error_kinds(context, mr_cel_operator_text(operator_code), left.kind, right.kind);
}

static struct mr_value int_arithmetic(uint8_t operator_code, int64_t left, int64_t right)
{
    int64_t result = 0;
    bool failed = false;
    switch (operator_code) {
    case MR_CEL_ADD:
        failed = __builtin_add_overflow(left, right, &result);
        break;
    case MR_CEL_SUBTRACT:
        failed = __builtin_sub_overflow(left, right, &result);
        break;
    case MR_CEL_MULTIPLY:
        failed = __builtin_mul_overflow(left, right, &result);
        break;
    case MR_CEL_DIVIDE:
        if (right == 0)
            return mr_cel_error("division by zero");
        failed = left == INT64_MIN && right == -1;
        result = failed ? 0 : left / right;
        break;
    default:
        if (right == 0)
            return mr_cel_error("modulus by zero");
        failed = left == INT64_MIN && right == -1;
        result = failed ? 0 : left % right;
        break;
    }
    return failed ? overflow() : mr_value_int(result);
}

static struct mr_value uint_arithmetic(uint8_t operator_code, uint64_t left, uint64_t right)
{
    uint64_t result = 0;
    bool failed = false;
    switch (operator_code) {
    case MR_CEL_ADD:
        failed = __builtin_add_overflow(left, right, &result);
        break;
    case MR_CEL_SUBTRACT:
        failed = __builtin_sub_overflow(left, right, &result);
        break;
    case MR_CEL_MULTIPLY:
        failed = __builtin_mul_overflow(left, right, &result);
        break;
    case MR_CEL_DIVIDE:
        if (right == 0)
            return mr_cel_error("division by zero");
        result = left / right;
        break;
    default:
        if (right == 0)
            return mr_cel_error("modulus by zero");
        result = left % right;
        break;
    }
    return failed ? overflow() : mr_value_uint(result);
}

static struct mr_value double_arithmetic(struct mr_cel_context *context, uint8_t operator_code,
                                         struct mr_value left, struct mr_value right)
{
    switch (operator_code) {
    case MR_CEL_ADD:
        return mr_value_double(left.number + right.number);
    case MR_CEL_SUBTRACT:
        return mr_value_double(left.number - right.number);
    case MR_CEL_MULTIPLY:
        return mr_value_double(left.number * right.number);
    case MR_CEL_DIVIDE:
        return mr_value_double(left.number / right.number);
    default:
        return unsupported(context, operator_code, left, right);
    }
}

static struct mr_value time_arithmetic(struct mr_cel_context *context, uint8_t operator_code,
                                       struct mr_value left, struct mr_value right)
{
    bool left_is_instant = left.kind == MR_KIND_TIMESTAMP;
    bool right_is_instant = right.kind == MR_KIND_TIMESTAMP;
    struct mr_value result = {.kind = MR_KIND_DURATION};
    bool failed = false;
    if (operator_code == MR_CEL_ADD && !(left_is_instant && right_is_instant)) {
        failed = __builtin_add_overflow(left.integer, right.integer, &result.integer);
        if (left_is_instant || right_is_instant)
            result.kind = MR_KIND_TIMESTAMP;
    } else if (operator_code == MR_CEL_SUBTRACT && (left_is_instant || !right_is_instant)) {
        failed = __builtin_sub_overflow(left.integer, right.integer, &result.integer);
        if (left_is_instant && !right_is_instant)
            result.kind = MR_KIND_TIMESTAMP;
    } else {
        return unsupported(context, operator_code, left, right);
    }
    if (failed)
        return mr_cel_error(result.kind == MR_KIND_TIMESTAMP ? "timestamp out of range"
                                                             : "duration out of range");
    return result;
}

static struct mr_value concatenate_text(struct mr_cel_context *context, struct mr_value left,
                                        struct mr_value right)
{
    if (left.size == 0 || right.size == 0)
        return left.size == 0 ? right : left;
    size_t size = (size_t)left.size + right.size;
    uint8_t *text = size > UINT32_MAX ? NULL : mr_cel_take(context, size);
    if (text == NULL)
        return mr_cel_error_cost();
    memcpy(text, left.text, left.size);
    memcpy(text + left.size, right.text, right.size);
    left.text = text;
    left.size = (uint32_t)size;
    return left;
}

static struct mr_value concatenate_lists(struct mr_cel_context *context, struct mr_value left,
                                         struct mr_value right)
{
    if (left.size == 0 || right.size == 0)
        return left.size == 0 ? right : left;
    size_t size = (size_t)left.size + right.size;
    struct mr_value *items = size > UINT32_MAX ? NULL : mr_cel_take(context, size * sizeof *items);
    if (items == NULL)
        return mr_cel_error_cost();
    memcpy(items, left.items, left.size * sizeof *items);
    memcpy(items + left.size, right.items, right.size * sizeof *items);
    return (struct mr_value){.kind = MR_KIND_LIST, .size = (uint32_t)size, .items = items};
}

static bool is_time(uint8_t kind)
{
    return kind == MR_KIND_TIMESTAMP || kind == MR_KIND_DURATION;
}

struct mr_value mr_cel_arithmetic(struct mr_cel_context *context, uint8_t operator_code,
                                  struct mr_value left, struct mr_value right)
{
    /* DESIGN 2.1 rule 7: an integer literal beside a double reads as a double. */
    if (left.kind == MR_KIND_DOUBLE && (right.flags & MR_CEL_VALUE_LITERAL) != 0)
        right = mr_value_double((double)right.integer);
    if (right.kind == MR_KIND_DOUBLE && (left.flags & MR_CEL_VALUE_LITERAL) != 0)
        left = mr_value_double((double)left.integer);
    if (is_time(left.kind) && is_time(right.kind))
        return time_arithmetic(context, operator_code, left, right);
    if (left.kind != right.kind)
        return unsupported(context, operator_code, left, right);
    if (left.kind == MR_KIND_INT)
        return int_arithmetic(operator_code, left.integer, right.integer);
    if (left.kind == MR_KIND_UINT)
        return uint_arithmetic(operator_code, left.unsigned_integer, right.unsigned_integer);
    if (left.kind == MR_KIND_DOUBLE)
        return double_arithmetic(context, operator_code, left, right);
    if (operator_code == MR_CEL_ADD && (left.kind == MR_KIND_STRING || left.kind == MR_KIND_BYTES))
        return concatenate_text(context, left, right);
    if (operator_code == MR_CEL_ADD && left.kind == MR_KIND_LIST)
        return concatenate_lists(context, left, right);
    return unsupported(context, operator_code, left, right);
}
