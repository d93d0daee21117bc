/* topology/aggregate_call.h — aggregates as they are written: `p99: 'quantile(value, 0.99)'`.
 * Why: topology/ checks and compiles the calls and knows nothing of how they are computed;
 * operators/aggregate.h computes them and knows nothing of text. This is what both share.
 * Grammar: NAME ( expression, ... , parameter, ... ). Expressions are CEL over the input's record,
 * evaluated once per row; parameters are literal numbers, the same for all rows. An expression that
 * fails for a row fails that row (on_error), for all aggregates of the operator. */
#ifndef MR_TOPOLOGY_AGGREGATE_CALL_H
#define MR_TOPOLOGY_AGGREGATE_CALL_H

#include "base/options.h"
#include "record/schema.h"

enum { MR_AGGREGATE_ARGUMENTS_MAX = 2, MR_AGGREGATE_PARAMETERS_MAX = 2 };

struct mr_aggregate_parameter {
    const char *name; /* "q", "n" */
    double minimum;   /* inclusive */
    double maximum;
    bool is_integer;
    bool required;
    double default_number;
    const char *help;
};

/* What an argument must be where its type is declared; else it is checked per row. */
enum mr_aggregate_argument { MR_AGGREGATE_ANY, MR_AGGREGATE_NUMBER };

/* The result's type: MR_TYPE_ANY where it is that of the first argument. */
struct mr_aggregate_spec {
    const char *name; /* "quantile" */
    const char *help; /* a sentence; with the error bound where there is one */
    enum mr_aggregate_argument arguments[MR_AGGREGATE_ARGUMENTS_MAX];
    const char *argument_names[MR_AGGREGATE_ARGUMENTS_MAX];
    uint32_t arguments_min; /* count() and count(x): 0 */
    uint32_t arguments_max;
    const struct mr_aggregate_parameter *parameters;
    uint32_t parameters_count;
    enum mr_type_code result;
};

/* One call, compiled. Owner: the parsed topology's arena. */
struct mr_aggregate_call {
    const char *name; /* of the output field */
    const char *text; /* as written */
    const struct mr_aggregate_spec *spec;
    struct mr_program *arguments[MR_AGGREGATE_ARGUMENTS_MAX];
    uint32_t arguments_count;
    double parameters[MR_AGGREGATE_PARAMETERS_MAX]; /* defaults filled in */
    struct mr_location location;
};

#endif
