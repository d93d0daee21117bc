/* proto/codec.c — requests and replies: the outer messages, and those parts that are small.
 * Design: the protocol's version is field 1 and protobuf-c packs fields by number, so a message
 * starts with its tag; decoders read it by hand and unpack the rest only when they speak it. */
#include "proto/codec.h"

#include "proto/internal.h"

#include "base/assert.h"

enum {
    SCRATCH_CHUNK_BYTES = 16 << 10,
    VERSION_TAG = 0x08, /* field 1, a varint */
    VERSION_BYTES_MAX = 5
};

/* False, and the failure noted, when bytes do not start with a version that is spoken. */
static bool check_version(struct mr_decoder *decoder, struct mr_slice bytes)
{
    uint64_t version = 0;
    size_t size = 1;
    if (decoder->status != MR_OK)
        return false;
    if (bytes.size < 2 || bytes.data[0] != VERSION_TAG) {
        mr_decoder_fail(decoder, "it does not start with the protocol's version");
        return false;
    }
    for (; size < bytes.size && size <= VERSION_BYTES_MAX; size++) {
        version |= (uint64_t)(bytes.data[size] & 0x7f) << (7 * (size - 1));
        if (bytes.data[size] < 0x80)
            break;
    }
    if (size == bytes.size || size > VERSION_BYTES_MAX) {
        mr_decoder_fail(decoder, "it does not start with the protocol's version");
        return false;
    }
    if (version != MR_PROTOCOL_VERSION) {
        decoder->status =
            MR_FAIL(decoder->error, MR_VERSION, decoder->recovery,
                    "%s is of protocol version %llu; this build speaks %d. Run the same version "
                    "of Millrace on coordinators and workers.",
                    decoder->what, (unsigned long long)version, MR_PROTOCOL_VERSION);
        return false;
    }
    return true;
}

static Millrace__TopologyRequest *
topology_request_fields(const struct mr_topology_request *topology, struct mr_arena *scratch)
{
    Millrace__TopologyRequest *fields = mr_arena_take(scratch, sizeof(*fields));
    millrace__topology_request__init(fields);
    fields->cluster = mr_field_text(topology->cluster, MR_MESSAGE_NAME_MAX);
    fields->worker = mr_field_text(topology->worker, MR_MESSAGE_NAME_MAX);
    fields->generation = topology->generation;
    fields->version = topology->version;
    return fields;
}

struct mr_slice mr_request_encode(const struct mr_request *request, struct mr_arena *arena)
{
    struct mr_arena scratch;
    Millrace__Request fields = MILLRACE__REQUEST__INIT;
    MR_ASSERT(request->protocol_version != 0);
    mr_arena_init(&scratch, SCRATCH_CHUNK_BYTES);
    fields.version = request->protocol_version;
    switch (request->kind) {
    case MR_REQUEST_SYNC:
        fields.sync = mr_sync_request_fields(&request->sync, &scratch);
        break;
    case MR_REQUEST_TOPOLOGY:
        fields.topology = topology_request_fields(&request->topology, &scratch);
        break;
    default:
        mr_assert_failed("a request of an unknown kind", __FILE__, __LINE__);
    }
    struct mr_slice bytes = mr_message_pack((struct mr_slice){0}, &fields.base, arena);
    mr_arena_deinit(&scratch);
    return bytes;
}

static void take_topology_request(struct mr_decoder *decoder,
                                  const Millrace__TopologyRequest *fields,
                                  struct mr_topology_request *topology)
{
    topology->cluster = mr_take_text(decoder, fields->cluster, MR_MESSAGE_NAME_MAX, "the cluster");
    topology->worker = mr_take_text(decoder, fields->worker, MR_MESSAGE_NAME_MAX, "the worker");
    topology->generation = fields->generation;
    topology->version = fields->version;
}

enum mr_status mr_request_decode(struct mr_slice bytes, struct mr_arena *arena,
                                 struct mr_request *request, struct mr_error *error)
{
    struct mr_decoder decoder;
    Millrace__Request *fields = NULL;
    *request = (struct mr_request){0};
    mr_decoder_init(&decoder, "A request", bytes, arena, error);
    if (check_version(&decoder, bytes))
        fields = mr_message_unpack(&decoder, &millrace__request__descriptor, bytes);
    if (fields != NULL) {
        request->protocol_version = fields->version;
        if (fields->version != MR_PROTOCOL_VERSION) {
            mr_decoder_fail(&decoder, "it has two protocol versions");
        } else if ((fields->sync != NULL) + (fields->topology != NULL) != 1) {
            mr_decoder_fail(&decoder, "it asks for nothing that this build knows, or twice");
        } else if (fields->sync != NULL) {
            request->kind = MR_REQUEST_SYNC;
            mr_sync_request_take(&decoder, fields->sync, &request->sync);
        } else {
            request->kind = MR_REQUEST_TOPOLOGY;
            take_topology_request(&decoder, fields->topology, &request->topology);
        }
    }
    return mr_decoder_deinit(&decoder);
}

static Millrace__TopologyReply *topology_reply_fields(const struct mr_topology_reply *topology,
                                                      struct mr_arena *scratch)
{
    Millrace__TopologyReply *fields = mr_arena_take(scratch, sizeof(*fields));
    millrace__topology_reply__init(fields);
    fields->term = topology->term;
    fields->found = topology->found;
    if (!topology->found)
        return fields;
    fields->name = mr_field_text(topology->name, MR_MESSAGE_NAME_MAX);
    fields->generation = topology->generation;
    fields->version = topology->version;
    fields->definition = mr_field_bytes(topology->definition);
    fields->plan_hash = topology->plan_hash;
    fields->binding = mr_binding_fields(&topology->binding, scratch);
    return fields;
}

static Millrace__RefusedReply *refused_reply_fields(const struct mr_refused_reply *refused,
                                                    struct mr_arena *scratch)
{
    MR_ASSERT((uint32_t)refused->refusal <= MR_REFUSAL_MALFORMED);
    Millrace__RefusedReply *fields = mr_arena_take(scratch, sizeof(*fields));
    millrace__refused_reply__init(fields);
    fields->term = refused->term;
    fields->refusal = (Millrace__Refusal)(refused->refusal + 1);
    fields->leader = mr_field_text(refused->leader, MR_MESSAGE_NAME_MAX);
    fields->text = mr_field_text(refused->text, MR_MESSAGE_TEXT_MAX);
    return fields;
}

struct mr_slice mr_reply_encode(const struct mr_reply *reply, struct mr_arena *arena)
{
    struct mr_arena scratch;
    Millrace__Reply fields = MILLRACE__REPLY__INIT;
    MR_ASSERT(reply->protocol_version != 0);
    mr_arena_init(&scratch, SCRATCH_CHUNK_BYTES);
    fields.version = reply->protocol_version;
    switch (reply->kind) {
    case MR_REPLY_SYNC:
        fields.sync = mr_sync_reply_fields(&reply->sync, &scratch);
        break;
    case MR_REPLY_TOPOLOGY:
        fields.topology = topology_reply_fields(&reply->topology, &scratch);
        break;
    case MR_REPLY_REFUSED:
        fields.refused = refused_reply_fields(&reply->refused, &scratch);
        break;
    default:
        mr_assert_failed("a reply of an unknown kind", __FILE__, __LINE__);
    }
    struct mr_slice bytes = mr_message_pack((struct mr_slice){0}, &fields.base, arena);
    mr_arena_deinit(&scratch);
    return bytes;
}

static void take_topology_reply(struct mr_decoder *decoder, const Millrace__TopologyReply *fields,
                                struct mr_topology_reply *topology)
{
    *topology = (struct mr_topology_reply){.term = fields->term,
                                           .name = "",
                                           .definition = {.data = (const uint8_t *)""},
                                           .binding = {.cluster_id = "",
                                                       .dead_letters = {.name = "", .topic_id = ""},
                                                       .claims = {.name = "", .topic_id = ""}}};
    topology->found = fields->found;
    if (!fields->found)
        return;
    topology->name = mr_take_text(decoder, fields->name, MR_MESSAGE_NAME_MAX, "the name");
    topology->generation = fields->generation;
    topology->version = fields->version;
    topology->definition = mr_take_bytes(decoder, fields->definition);
    topology->plan_hash = fields->plan_hash;
    if (mr_take_present(decoder, fields->binding, "the binding"))
        mr_binding_take(decoder, fields->binding, &topology->binding);
}

static void take_refused_reply(struct mr_decoder *decoder, const Millrace__RefusedReply *fields,
                               struct mr_refused_reply *refused)
{
    refused->term = fields->term;
    refused->refusal = (enum mr_refusal)mr_take_enum(decoder, (int)fields->refusal,
                                                     MR_REFUSAL_MALFORMED + 1, "the refusal");
    refused->leader = mr_take_text(decoder, fields->leader, MR_MESSAGE_NAME_MAX, "the leader");
    refused->text = mr_take_text(decoder, fields->text, MR_MESSAGE_TEXT_MAX, "the reason");
}

enum mr_status mr_reply_decode(struct mr_slice bytes, struct mr_arena *arena,
                               struct mr_reply *reply, struct mr_error *error)
{
    struct mr_decoder decoder;
    Millrace__Reply *fields = NULL;
    *reply = (struct mr_reply){0};
    mr_decoder_init(&decoder, "A reply", bytes, arena, error);
    if (check_version(&decoder, bytes))
        fields = mr_message_unpack(&decoder, &millrace__reply__descriptor, bytes);
    if (fields != NULL) {
        reply->protocol_version = fields->version;
        int count = (fields->sync != NULL) + (fields->topology != NULL) + (fields->refused != NULL);
        if (fields->version != MR_PROTOCOL_VERSION) {
            mr_decoder_fail(&decoder, "it has two protocol versions");
        } else if (count != 1) {
            mr_decoder_fail(&decoder, "it answers nothing that this build knows, or twice");
        } else if (fields->sync != NULL) {
            reply->kind = MR_REPLY_SYNC;
            mr_sync_reply_take(&decoder, fields->sync, &reply->sync);
        } else if (fields->topology != NULL) {
            reply->kind = MR_REPLY_TOPOLOGY;
            take_topology_reply(&decoder, fields->topology, &reply->topology);
        } else {
            reply->kind = MR_REPLY_REFUSED;
            take_refused_reply(&decoder, fields->refused, &reply->refused);
        }
    }
    return mr_decoder_deinit(&decoder);
}
