/* topology/docs.h — reference pages of types, made from their tables: `millrace docs TYPE`.
 * Why generated: the page, the parser and the checks read the same table and cannot disagree. */
#ifndef MR_TOPOLOGY_DOCS_H
#define MR_TOPOLOGY_DOCS_H

#include "base/buffer.h"
#include "topology/type.h"

enum mr_docs_form { MR_DOCS_TEXT, MR_DOCS_MARKDOWN };

/* Append the page of one type: what it does, its options with type, default, bounds and help, the
 * common options, inputs, outputs, fields and state. MR_LIMIT when the buffer's ceiling is reached.
 */
enum mr_status mr_docs_type(const struct mr_catalogue *catalogue, const struct mr_type_spec *type,
                            enum mr_docs_form form, struct mr_buffer *output) MR_NODISCARD;

/* Append the list of all types with their summaries. */
enum mr_status mr_docs_list(const struct mr_catalogue *catalogue, enum mr_docs_form form,
                            struct mr_buffer *output) MR_NODISCARD;

/* Append the page of all aggregate functions: arguments, parameters, what they say. */
enum mr_status mr_docs_aggregates(const struct mr_catalogue *catalogue, enum mr_docs_form form,
                                  struct mr_buffer *output) MR_NODISCARD;

/* Append the page of the file's own options (apiVersion, metadata, spec). */
enum mr_status mr_docs_file(enum mr_docs_form form, struct mr_buffer *output) MR_NODISCARD;

#endif
