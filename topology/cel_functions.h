/* topology/cel_functions.h — the functions of expressions, declared once as a table.
 * Why: the checker, the messages and the evaluator must never disagree about what a function takes.
 * Model: one struct per function and overload; overloads of a name stand side by side, and the
 * first that fits the cells is called. A receiver (`text.size()`) is argument 0. */
#ifndef MR_TOPOLOGY_CEL_FUNCTIONS_H
#define MR_TOPOLOGY_CEL_FUNCTIONS_H

#include "topology/cel_types.h"
#include "topology/cel_value.h"

enum mr_cel_style { MR_CEL_GLOBAL = 1, MR_CEL_MEMBER = 2, MR_CEL_EITHER = 3 };

/* Results beside the kinds of cells and MR_CEL_DYN. */
enum {
    MR_CEL_RESULT_FIRST = MR_CEL_TYPE_COUNT, /* the type of argument 0 */
    MR_CEL_RESULT_STRINGS                    /* list(string) */
};

enum { MR_CEL_ARGUMENTS_MAX = 32 };

struct mr_cel_function {
    const char *name;
    const char *form; /* for messages: "text.contains(text)" */
    uint8_t style;    /* enum mr_cel_style */
    uint8_t arguments_min;
    uint8_t arguments_max;
    uint8_t result;
    bool reads_clock;
    uint32_t accepts[4]; /* kinds of each argument, as bits 1 << enum mr_kind; the last repeats */
    struct mr_value (*call)(struct mr_cel_context *context, const struct mr_value *arguments,
                            uint32_t count);
};

/* The overloads of a name: *count of them, NULL when there is none. */
const struct mr_cel_function *mr_cel_functions_find(const char *name, uint32_t *count);
/* All functions, sorted by name. */
const struct mr_cel_function *mr_cel_functions_all(uint32_t *count);
/* The function whose name is nearest to name, or NULL. */
const char *mr_cel_functions_nearest(const char *name);

static inline uint32_t mr_cel_function_accepts(const struct mr_cel_function *function,
                                               uint32_t argument)
{
    return function->accepts[argument < 3 ? argument : 3];
}

/* Implementations, by file. Arguments are of the kinds that the table says. */
typedef struct mr_value mr_cel_call_fn(struct mr_cel_context *context,
                                       const struct mr_value *arguments, uint32_t count);
/* cel_convert.c */
mr_cel_call_fn mr_cel_to_bool, mr_cel_to_bytes, mr_cel_to_double, mr_cel_to_int, mr_cel_to_uint,
    mr_cel_to_string, mr_cel_to_timestamp, mr_cel_to_duration, mr_cel_identity, mr_cel_type_value;
/* cel_strings.c */
mr_cel_call_fn mr_cel_size, mr_cel_contains, mr_cel_starts_with, mr_cel_ends_with, mr_cel_matches,
    mr_cel_char_at, mr_cel_index_of, mr_cel_last_index_of, mr_cel_join, mr_cel_lower_ascii,
    mr_cel_upper_ascii, mr_cel_replace, mr_cel_split, mr_cel_substring, mr_cel_trim, mr_cel_reverse;
/* cel_time.c */
mr_cel_call_fn mr_cel_now, mr_cel_get_full_year, mr_cel_get_month, mr_cel_get_date,
    mr_cel_get_day_of_month, mr_cel_get_day_of_week, mr_cel_get_day_of_year, mr_cel_get_hours,
    mr_cel_get_minutes, mr_cel_get_seconds, mr_cel_get_milliseconds, mr_cel_duration_hours,
    mr_cel_duration_minutes, mr_cel_duration_seconds, mr_cel_duration_milliseconds;
/* cel_math.c */
mr_cel_call_fn mr_cel_math_greatest, mr_cel_math_least, mr_cel_math_abs, mr_cel_math_ceil,
    mr_cel_math_floor, mr_cel_math_round, mr_cel_math_trunc, mr_cel_math_sign, mr_cel_math_is_nan,
    mr_cel_math_is_inf, mr_cel_math_is_finite, mr_cel_math_sqrt;

/* Seconds east of UTC that a time zone names ("UTC", "+02:00", "-05:30"). False: not one. */
bool mr_cel_parse_zone(struct mr_slice text, int32_t *seconds);
/* "1h30m", "-1.5s", "0". False: not a duration, or beyond +-292 years. */
bool mr_cel_parse_duration(struct mr_slice text, int64_t *nanoseconds);

#endif
