/* cli/record_text.h — a Kafka record as a line of JSON: `tail`, `dlq show`.
 * Form: {"topic","partition","offset","timestamp","key","headers","value"}. timestamp is RFC 3339.
 * A value that is a JSON object or array stands as it is; other text is a string, bytes that are no
 * UTF-8 are {"base64":"..."}; a missing key or value is null. Headers are a list of {"name",
 * "value"}, since names may repeat. */
#ifndef MR_CLI_RECORD_TEXT_H
#define MR_CLI_RECORD_TEXT_H

#include "base/buffer.h"
#include "connectors/log.h"

struct mr_record_text {
    const char *topic;
    int32_t partition;
    const struct mr_log_message *message;
    struct mr_headers headers;
};

/* Append the record without a newline. scratch is used for checking JSON and may be reset by the
 * caller afterwards. MR_LIMIT: the buffer is full. */
enum mr_status mr_record_text_json(struct mr_buffer *output, const struct mr_record_text *record,
                                   struct mr_arena *scratch) MR_NODISCARD;
/* Append bytes as the value of a member: see the form above. */
enum mr_status mr_record_text_bytes(struct mr_buffer *output, struct mr_slice bytes, bool null,
                                    struct mr_arena *scratch) MR_NODISCARD;

#endif
