/* topology/cel_math.c — the math. functions: those of CEL's extension library that detectors use.
 */
#include <math.h>

#include "topology/cel_functions.h"

/* The greatest (sign 1) or least (sign -1) of numbers, or of the elements of one list. */
static struct mr_value extreme(struct mr_cel_context *context, const struct mr_value *arguments,
                               uint32_t count, int sign, const char *name)
{
    if (count == 1 && arguments[0].kind == MR_KIND_LIST) {
        count = arguments[0].size;
        arguments = arguments[0].items;
    }
    if (count == 0)
        return mr_cel_error_format(context, "%s of an empty list", name);
    if (!mr_cel_charge(context, count))
        return mr_cel_error_cost();
    struct mr_value best = {.kind = MR_KIND_NULL};
    for (uint32_t i = 0; i < count; i++) {
        struct mr_value value = mr_cel_plain(context, arguments[i]);
        double number = 0;
        int order = 0;
        if (!mr_value_as_double(value, &number))
            return mr_cel_error_kinds(context, name, value.kind, MR_KIND_ABSENT);
        if (i == 0 || (mr_cel_compare(value, best, &order) && order * sign > 0))
            best = value;
    }
    return best;
}

struct mr_value mr_cel_math_greatest(struct mr_cel_context *context,
                                     const struct mr_value *arguments, uint32_t count)
{
    return extreme(context, arguments, count, 1, "math.greatest()");
}

struct mr_value mr_cel_math_least(struct mr_cel_context *context, const struct mr_value *arguments,
                                  uint32_t count)
{
    return extreme(context, arguments, count, -1, "math.least()");
}

struct mr_value mr_cel_math_abs(struct mr_cel_context *context, const struct mr_value *arguments,
                                uint32_t count)
{
    (void)context;
    (void)count;
    struct mr_value value = arguments[0];
    if (value.kind == MR_KIND_DOUBLE)
        return mr_value_double(fabs(value.number));
    if (value.kind == MR_KIND_UINT)
        return value;
    if (value.integer == INT64_MIN)
        return mr_cel_error("integer overflow");
    return mr_value_int(value.integer < 0 ? -value.integer : value.integer);
}

struct mr_value mr_cel_math_ceil(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_double(ceil(arguments[0].number));
}

struct mr_value mr_cel_math_floor(struct mr_cel_context *context, const struct mr_value *arguments,
                                  uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_double(floor(arguments[0].number));
}

/* Halves away from zero. */
struct mr_value mr_cel_math_round(struct mr_cel_context *context, const struct mr_value *arguments,
                                  uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_double(round(arguments[0].number));
}

struct mr_value mr_cel_math_trunc(struct mr_cel_context *context, const struct mr_value *arguments,
                                  uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_double(trunc(arguments[0].number));
}

struct mr_value mr_cel_math_sign(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    (void)context;
    (void)count;
    struct mr_value value = arguments[0];
    if (value.kind == MR_KIND_INT)
        return mr_value_int((value.integer > 0) - (value.integer < 0));
    if (value.kind == MR_KIND_UINT)
        return mr_value_uint(value.unsigned_integer > 0);
    if (value.number != value.number)
        return value;
    return mr_value_double((double)((value.number > 0) - (value.number < 0)));
}

struct mr_value mr_cel_math_is_nan(struct mr_cel_context *context, const struct mr_value *arguments,
                                   uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_bool(isnan(arguments[0].number) != 0);
}

struct mr_value mr_cel_math_is_inf(struct mr_cel_context *context, const struct mr_value *arguments,
                                   uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_bool(isinf(arguments[0].number) != 0);
}

struct mr_value mr_cel_math_is_finite(struct mr_cel_context *context,
                                      const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_bool(isfinite(arguments[0].number) != 0);
}

struct mr_value mr_cel_math_sqrt(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    (void)context;
    (void)count;
    double number = 0;
    (void)mr_value_as_double(arguments[0], &number);
    return mr_value_double(sqrt(number));
}
