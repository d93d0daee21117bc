/* connectors/file/file.h — the two halves of the `file` connector, for registry.c. */
#ifndef MR_CONNECTORS_FILE_FILE_H
#define MR_CONNECTORS_FILE_FILE_H

#include "connectors/connector.h"

extern const struct mr_type_spec mr_file_source_spec;
extern const struct mr_source_ops mr_file_source_ops;
extern const struct mr_type_spec mr_file_sink_spec;
extern const struct mr_sink_ops mr_file_sink_ops;

#endif
