/* connectors/registry.h — the connector types by symbol, for connectors/registry.c only. */
#ifndef MR_CONNECTORS_REGISTRY_H
#define MR_CONNECTORS_REGISTRY_H

#include "connectors/connector.h"

extern const struct mr_connector_type mr_connector_file;
extern const struct mr_connector_type mr_connector_memory;
extern const struct mr_connector_type mr_connector_metrics;
extern const struct mr_connector_type mr_connector_stdout;

/* The name of a connector type, from whichever spec it has. */
const char *mr_connector_name(const struct mr_connector_type *type);

/* What is wrong with a table of types, as mr_connector_registry_check sees it. */
enum mr_status mr_connector_table_check(const struct mr_connector_type *const *types,
                                        uint32_t count, struct mr_error *error) MR_NODISCARD;

#endif
