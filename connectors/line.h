/* connectors/line.h — a sink's record as a line of text, and what an errno of a file allows.
 * Rules for lines: a line break inside a value is written as a space (in JSON it can only stand
 * between tokens, so the meaning stays); a tombstone is written as `null`; the key is not written.
 */
#ifndef MR_CONNECTORS_LINE_H
#define MR_CONNECTORS_LINE_H

#include "base/buffer.h"
#include "connectors/connector.h"

/* Append the record and a line feed. MR_LIMIT: the buffer's ceiling is reached, nothing was added.
 */
enum mr_status mr_line_append(struct mr_buffer *buffer,
                              const struct mr_sink_record *record) MR_NODISCARD;
/* Bytes of the record's line with its line feed. */
size_t mr_line_size(const struct mr_sink_record *record);

/* RETRY for what may heal while we wait (disk full, out of handles, I/O), else FAIL_TOPOLOGY. */
enum mr_recovery mr_file_recovery(int errno_value);

#endif
