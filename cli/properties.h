/* cli/properties.h — files of name=value lines: client settings with secrets, kept off command
 * lines. */
#ifndef MR_CLI_PROPERTIES_H
#define MR_CLI_PROPERTIES_H

#include "base/arena.h"
#include "base/error.h"

/* Pairs name, value ended by NULL. Empty lines and lines that start with # are left out. Errors
 * name file and line, never a value. */
enum mr_status mr_properties_read(const char *path, struct mr_arena *arena,
                                  const char *const **pairs, struct mr_error *error) MR_NODISCARD;

#endif
