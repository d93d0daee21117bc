/* topology/json_text.h — JSON text of strings and of YAML nodes: literal records, and `-o json`.
 * Why here: formats/ is a higher layer; what is needed of JSON is small.
 * Errors: MR_LIMIT when the buffer's ceiling is reached. */
#ifndef MR_TOPOLOGY_JSON_TEXT_H
#define MR_TOPOLOGY_JSON_TEXT_H

#include "base/buffer.h"
#include "topology/yaml.h"

/* Append text (UTF-8) as a JSON string with its quotes. */
enum mr_status mr_json_text_string(struct mr_buffer *buffer, const char *text) MR_NODISCARD;

/* Append the node as compact JSON. MR_INVALID for what JSON does not have (infinities, NaN);
 * *culprit is that node. */
enum mr_status mr_json_text_node(struct mr_buffer *buffer, const struct mr_yaml_node *node,
                                 const struct mr_yaml_node **culprit) MR_NODISCARD;

/* The number that a YAML scalar of kind INTEGER or FLOAT names, as a JSON number: ".5" is "0.5",
 * "0x1F" is "31". NULL: it has none (infinities, NaN, hexadecimal above 64 bits). */
const char *mr_json_text_number(const char *text, char *output, size_t output_size);

#endif
