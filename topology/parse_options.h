/* topology/parse_options.h — a YAML mapping to `struct mr_options`, by a table of specs.
 * Every wrong value is reported with its place and left without a value, so that one run finds all
 * errors. Defaults are parsed from the table's text by the same code.
 * Owner: values live in the arena. */
#ifndef MR_TOPOLOGY_PARSE_OPTIONS_H
#define MR_TOPOLOGY_PARSE_OPTIONS_H

#include "topology/report.h"
#include "topology/type.h"
#include "topology/yaml.h"

struct mr_options_parser {
    struct mr_arena *arena;
    struct mr_report *report;
    const char *owner;   /* whose options these are, for messages: "detect.zscore" */
    const char *prefix;  /* of nested options: "window.", "" at the top */
    const char *excused; /* an option whose absence is no error although it is required, or NULL */
    bool entry;          /* `name` and `type` were read before: skip them */
    const struct mr_refused_option *refused; /* options that are refused with a reason, or NULL */
};

/* Parse the options of specs (ended by a NULL name; may be NULL) out of node (a mapping, or NULL:
 * only defaults). location is named where a required option is missing. Other keys are not looked
 * at. */
void mr_options_parse(const struct mr_options_parser *parser, const struct mr_option_spec *specs,
                      const struct mr_yaml_node *node, struct mr_location location,
                      struct mr_options *options);

/* Report keys of node that are in none of the tables. */
void mr_options_check_unknown(const struct mr_options_parser *parser,
                              const struct mr_yaml_node *node,
                              const struct mr_option_spec *const *tables, uint32_t tables_count);

/* "; did you mean 'x'?" or "". */
const char *mr_nearest_text(struct mr_arena *arena, const char *text, const char *const *names,
                            uint32_t count);

#endif
