/* topology/common_options.h — options of the file itself and those that every entry of a role has.
 * Why beside the types' tables: name, from, key, on_error and the like mean the same everywhere;
 * they are declared once, and parsing and reference pages read them here. */
#ifndef MR_TOPOLOGY_COMMON_OPTIONS_H
#define MR_TOPOLOGY_COMMON_OPTIONS_H

#include "base/arena.h"
#include "topology/type.h"

/* Top level of the file, `metadata`, and `spec`; lists of entries and tests are declared for their
 * names and help. */
extern const struct mr_option_spec mr_file_options[];
extern const struct mr_option_spec mr_metadata_options[];
extern const struct mr_option_spec mr_spec_options[];

/* The common options that apply to entries of this type, ended by a NULL name: those of its role
 * that its flags allow, its inputs, and one mapping per format. Options that the type declares
 * itself are left out. Owner: the table is in arena. */
const struct mr_option_spec *mr_common_options(struct mr_arena *arena,
                                               const struct mr_catalogue *catalogue,
                                               const struct mr_type_spec *type);

/* The inputs of a type: its own, or `from` for operators and sinks; ended by a NULL option. */
const struct mr_input_spec *mr_common_inputs(const struct mr_type_spec *type);

/* Whether entries of the type take `format`. */
bool mr_common_has_format(const struct mr_type_spec *type);

#endif
