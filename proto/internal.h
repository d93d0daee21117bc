/* proto/internal.h — what the codec's files share: packing, bounded unpacking, checked fields.
 * Model: an encoder builds protobuf-c's structs in a scratch arena and packs them into the
 * caller's. A decoder unpacks into a scratch arena of bounded size and copies, field by field, into
 * the caller's arena through the take functions: the first that finds something wrong notes it in
 * the decoder, later ones return empty values, and the status is looked at once, at the end. */
#ifndef MR_PROTO_INTERNAL_H
#define MR_PROTO_INTERNAL_H

#include "proto/codec.h"
#include "proto/control.pb-c.h"
#include "proto/coordination.pb-c.h"

enum {
    MR_UNPACK_FACTOR = 24,          /* scratch memory of a decoder: this times the message's size */
    MR_UNPACK_WORK_FACTOR = 96,     /* and what it may ask for in all, memory used again included */
    MR_UNPACK_BASE_BYTES = 64 << 10 /* plus this, for small messages */
};

struct mr_decoder {
    struct mr_arena *arena; /* of the caller: what is decoded */
    struct mr_arena scratch;
    struct mr_error *error;
    const char *what; /* "A request", for sentences */
    enum mr_status status;
    enum mr_status wrong; /* the status of a message that is wrong: MR_INVALID or MR_CORRUPT */
    enum mr_recovery recovery;
    size_t scratch_bytes_left;
    size_t work_bytes_left;
    struct mr_unpack_block *freed;
};

/* ---- packing.c ---- */

/* prefix and the packed message behind it. Empty when that is over MR_MESSAGE_BYTES_MAX. */
struct mr_slice mr_message_pack(struct mr_slice prefix, const ProtobufCMessage *message,
                                struct mr_arena *arena);
/* A text or bytes field; asserts the bound. */
ProtobufCBinaryData mr_field_text(const char *text, size_t size_max);
ProtobufCBinaryData mr_field_bytes(struct mr_slice bytes);
/* Texts of names; NULL when count is 0. */
ProtobufCBinaryData *mr_field_names(const char *const *names, uint32_t count,
                                    struct mr_arena *scratch);

void mr_decoder_init(struct mr_decoder *decoder, const char *what, struct mr_slice bytes,
                     struct mr_arena *arena, struct mr_error *error);
/* Returns the decoder's status. */
enum mr_status mr_decoder_deinit(struct mr_decoder *decoder);
/* NULL, and the failure noted, when bytes are no such message or cost too much. */
void *mr_message_unpack(struct mr_decoder *decoder, const ProtobufCMessageDescriptor *descriptor,
                        struct mr_slice bytes);
void mr_decoder_fail(struct mr_decoder *decoder, const char *format, ...) MR_PRINTF(2, 3);

const char *mr_take_text(struct mr_decoder *decoder, ProtobufCBinaryData field, size_t size_max,
                         const char *name);
struct mr_slice mr_take_bytes(struct mr_decoder *decoder, ProtobufCBinaryData field);
/* The names' count goes to *count; NULL when there is none. */
const char *const *mr_take_names(struct mr_decoder *decoder, const ProtobufCBinaryData *fields,
                                 size_t fields_count, const char *name, uint32_t *count);
/* A count of elements up to count_max; 0 when there are more. */
uint32_t mr_take_count(struct mr_decoder *decoder, size_t count, uint32_t count_max,
                       const char *name);
/* Enums travel as their value plus one; returns 0 when out of range. */
uint32_t mr_take_enum(struct mr_decoder *decoder, int field, uint32_t values_count,
                      const char *name);
/* A number that is not negative. */
int32_t mr_take_natural(struct mr_decoder *decoder, int32_t field, const char *name);
/* Whether a message that must be there is. */
bool mr_take_present(struct mr_decoder *decoder, const void *message, const char *name);

/* ---- binding_codec.c ---- */

Millrace__Binding *mr_binding_fields(const struct mr_binding *binding, struct mr_arena *scratch);
void mr_binding_take(struct mr_decoder *decoder, const Millrace__Binding *fields,
                     struct mr_binding *binding);

/* ---- sync_codec.c ---- */

Millrace__SyncRequest *mr_sync_request_fields(const struct mr_sync_request *sync,
                                              struct mr_arena *scratch);
void mr_sync_request_take(struct mr_decoder *decoder, const Millrace__SyncRequest *fields,
                          struct mr_sync_request *sync);
Millrace__SyncReply *mr_sync_reply_fields(const struct mr_sync_reply *sync,
                                          struct mr_arena *scratch);
void mr_sync_reply_take(struct mr_decoder *decoder, const Millrace__SyncReply *fields,
                        struct mr_sync_reply *sync);

#endif
