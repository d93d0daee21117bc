/* worker/key.h — message keys as bytes (DESIGN 2.1 rule 5), and which topics
 * records of sinks may name. */
#ifndef MR_WORKER_KEY_H
#define MR_WORKER_KEY_H

#include "topology/plan.h"

/* Key bytes of a row, in the batch's arena or borrowed from a cell. Big-endian for int32 and int64,
 * as Java's serializers write them. MR_INVALID with a sentence. */
enum mr_status mr_key_encode(struct mr_batch *batch, const uint32_t *slots, uint32_t slots_count,
                             enum mr_key_format format, uint32_t row, struct mr_slice *key,
                             struct mr_error *error) MR_NODISCARD;

/* A cell as text, for headers: strings and bytes as they are, numbers and booleans printed. False
 * for absent, null and error cells. */
bool mr_key_text(struct mr_value value, struct mr_arena *arena, struct mr_slice *text);

/* Does topic_allow of a sink list this topic? In a pattern `*` is any characters and `?` is one. */
bool mr_topic_allowed(const struct mr_plan_node *node, const char *topic);
/* Is it a topic of Kafka's own (names that begin with __) or one that Millrace keeps state and
 * progress in (<cluster>.*)? Records may name neither, whatever topic_allow lists. */
bool mr_topic_is_internal(const char *cluster, const char *topic);

#endif
