/* proto/codec.h — between the structs of proto/messages.h and protobuf bytes.
 * Every decoder checks the bounds of messages.h, UTF-8 and the ranges of enums; unknown fields are
 * skipped, a protocol version that is not spoken is MR_VERSION. Decoded arrays and texts are in the
 * arena. Encoders assert the bounds of counts and texts: the caller has kept them. Where the bytes
 * would be more than MR_MESSAGE_BYTES_MAX all the same (a large binding with long names) an encoder
 * returns an empty slice: a message is never empty. A Sync of a worker always fits.
 * Errors: MR_INVALID for a message, MR_CORRUPT for a record, MR_VERSION for both.
 * Limits: decoding takes at most 24 times the message's size plus 64 KiB while it works, and a
 * message that would cost more is refused. Threads: any. */
#ifndef MR_PROTO_CODEC_H
#define MR_PROTO_CODEC_H

#include "base/arena.h"
#include "base/error.h"
#include "proto/messages.h"

struct mr_slice mr_request_encode(const struct mr_request *request, struct mr_arena *arena);
enum mr_status mr_request_decode(struct mr_slice bytes, struct mr_arena *arena,
                                 struct mr_request *request, struct mr_error *error) MR_NODISCARD;
struct mr_slice mr_reply_encode(const struct mr_reply *reply, struct mr_arena *arena);
enum mr_status mr_reply_decode(struct mr_slice bytes, struct mr_arena *arena,
                               struct mr_reply *reply, struct mr_error *error) MR_NODISCARD;

/* Values of the control topic: u8 layout version (2), then protobuf. */
struct mr_slice mr_leader_record_encode(const struct mr_leader_record *record,
                                        struct mr_arena *arena);
enum mr_status mr_leader_record_decode(struct mr_slice bytes, struct mr_arena *arena,
                                       struct mr_leader_record *record,
                                       struct mr_error *error) MR_NODISCARD;
struct mr_slice mr_topology_record_encode(const struct mr_topology_record *record,
                                          struct mr_arena *arena);
/* Also reads layout version 1 (u8 1 | u64 generation | u64 plan_hash), what `millrace run` of
 * version 0.1 wrote: name is empty then, version 0. */
enum mr_status mr_topology_record_decode(struct mr_slice bytes, struct mr_arena *arena,
                                         struct mr_topology_record *record,
                                         struct mr_error *error) MR_NODISCARD;
struct mr_slice mr_version_record_encode(const struct mr_version_record *record,
                                         struct mr_arena *arena);
enum mr_status mr_version_record_decode(struct mr_slice bytes, struct mr_arena *arena,
                                        struct mr_version_record *record,
                                        struct mr_error *error) MR_NODISCARD;
struct mr_slice mr_task_record_encode(const struct mr_task_record *record, struct mr_arena *arena);
enum mr_status mr_task_record_decode(struct mr_slice bytes, struct mr_arena *arena,
                                     struct mr_task_record *record,
                                     struct mr_error *error) MR_NODISCARD;

#endif
