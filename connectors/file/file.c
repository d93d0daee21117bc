/* connectors/file/file.c — the connector `file`: lines of a file in, lines of files out. */
#include "connectors/file/file.h"
#include "connectors/registry.h"

const struct mr_connector_type mr_connector_file = {.source_spec = &mr_file_source_spec,
                                                    .source = &mr_file_source_ops,
                                                    .sink_spec = &mr_file_sink_spec,
                                                    .sink = &mr_file_sink_ops};
