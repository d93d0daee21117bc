/* topology/parse_value.h — one YAML value to one option's value: the scalars, lists and mappings of
 * the grammar (DESIGN 2.1 rules 6 to 9). Internal to the parser of options. */
#ifndef MR_TOPOLOGY_PARSE_VALUE_H
#define MR_TOPOLOGY_PARSE_VALUE_H

#include "topology/parse_options.h"

/* Parse node as spec's type (every type but OBJECT and OBJECTS). A wrong value is reported and
 * value stays without `present`. */
void mr_value_parse(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                    const struct mr_yaml_node *node, struct mr_option_value *value);

/* Report a value outside of the spec's bounds: a number, or the length of a list. */
void mr_value_check_bounds(const struct mr_options_parser *parser,
                           const struct mr_option_spec *spec, const struct mr_yaml_node *node,
                           const struct mr_option_value *value);

/* "'field' is a list, a field path was expected". */
void mr_value_report_type(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                          const struct mr_yaml_node *node);

/* A set of options without any value. */
void mr_options_empty(struct mr_arena *arena, const struct mr_option_spec *specs,
                      struct mr_options *options);

#endif
