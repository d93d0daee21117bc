/* topology/type.c — see type.h.
 * Design: a catalogue is put together once at start from a few registries and searched when a
 * topology is parsed, so a linear search does and its order need not be trusted. */
#include "topology/type.h"

#include <string.h>

const struct mr_type_spec *mr_catalogue_find(const struct mr_catalogue *catalogue,
                                             enum mr_role role, const char *name)
{
    for (uint32_t i = 0; i < catalogue->types_count; i++)
        if (catalogue->types[i]->role == role && strcmp(catalogue->types[i]->name, name) == 0)
            return catalogue->types[i];
    return NULL;
}
