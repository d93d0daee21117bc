/* cli/catalogue.h — all registered types and formats, as the language wants them.
 * Why: topology/ sees neither operators nor connectors nor formats; the program joins them here. */
#ifndef MR_CLI_CATALOGUE_H
#define MR_CLI_CATALOGUE_H

#include "base/arena.h"
#include "topology/type.h"

/* Fill catalogue from the registries. Owner: its arrays are in arena. */
void mr_catalogue_make(struct mr_arena *arena, struct mr_catalogue *catalogue);

#endif
