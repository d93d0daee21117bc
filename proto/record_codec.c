/* proto/record_codec.c — values of the control topic: u8 layout version (2), then protobuf. */
#include "proto/codec.h"

#include "proto/internal.h"

#include "base/assert.h"
#include "base/endian.h"

enum {
    SCRATCH_CHUNK_BYTES = 4 << 10,
    LAYOUT_VERSION = 2,
    FIRST_LAYOUT_VERSION = 1, /* of a topology's record: u8 1 | u64 generation | u64 plan_hash */
    FIRST_LAYOUT_BYTES = 17
};

static struct mr_slice pack_record(const ProtobufCMessage *message, struct mr_arena *arena)
{
    static const uint8_t version = LAYOUT_VERSION;
    return mr_message_pack(mr_slice_from(&version, 1), message, arena);
}

static void record_decoder_init(struct mr_decoder *decoder, const char *what, struct mr_slice bytes,
                                struct mr_arena *arena, struct mr_error *error)
{
    mr_decoder_init(decoder, what, bytes, arena, error);
    decoder->wrong = MR_CORRUPT;
    decoder->recovery = MR_RECOVERY_FAIL_TOPOLOGY;
}

/* NULL, and the failure noted, when the layout is not the present one or the message is wrong. */
static void *unpack_record(struct mr_decoder *decoder, const ProtobufCMessageDescriptor *descriptor,
                           struct mr_slice bytes)
{
    if (bytes.size == 0) {
        mr_decoder_fail(decoder, "it is empty");
        return NULL;
    }
    if (bytes.data[0] != LAYOUT_VERSION) {
        decoder->status =
            MR_FAIL(decoder->error, MR_VERSION, decoder->recovery,
                    "%s of the control topic has layout version %u; this build reads version %d. "
                    "Run a version of Millrace that is at least as new as the one that wrote it.",
                    decoder->what, bytes.data[0], LAYOUT_VERSION);
        return NULL;
    }
    return mr_message_unpack(decoder, descriptor, mr_slice_from(bytes.data + 1, bytes.size - 1));
}

struct mr_slice mr_leader_record_encode(const struct mr_leader_record *record,
                                        struct mr_arena *arena)
{
    Millrace__LeaderRecord fields = MILLRACE__LEADER_RECORD__INIT;
    fields.term = record->term;
    fields.address = mr_field_text(record->address, MR_MESSAGE_NAME_MAX);
    fields.http = mr_field_text(record->http, MR_MESSAGE_NAME_MAX);
    fields.candidate = record->candidate;
    fields.beat = record->beat;
    fields.resigned = record->resigned;
    return pack_record(&fields.base, arena);
}

enum mr_status mr_leader_record_decode(struct mr_slice bytes, struct mr_arena *arena,
                                       struct mr_leader_record *record, struct mr_error *error)
{
    struct mr_decoder decoder;
    *record = (struct mr_leader_record){.address = "", .http = ""};
    record_decoder_init(&decoder, "The leader's record", bytes, arena, error);
    const Millrace__LeaderRecord *fields =
        unpack_record(&decoder, &millrace__leader_record__descriptor, bytes);
    if (fields != NULL) {
        record->term = fields->term;
        record->address =
            mr_take_text(&decoder, fields->address, MR_MESSAGE_NAME_MAX, "the address");
        record->http = mr_take_text(&decoder, fields->http, MR_MESSAGE_NAME_MAX, "http");
        record->candidate = fields->candidate;
        record->beat = fields->beat;
        record->resigned = fields->resigned;
    }
    return mr_decoder_deinit(&decoder);
}

struct mr_slice mr_topology_record_encode(const struct mr_topology_record *record,
                                          struct mr_arena *arena)
{
    struct mr_arena scratch;
    Millrace__TopologyRecord fields = MILLRACE__TOPOLOGY_RECORD__INIT;
    MR_ASSERT((uint32_t)record->state <= MR_TOPOLOGY_RESETTING);
    MR_ASSERT(record->paused_sources_count <= MR_MESSAGE_NAMES_MAX);
    MR_ASSERT(record->subtopologies_count <= MR_MESSAGE_NAMES_MAX);
    mr_arena_init(&scratch, SCRATCH_CHUNK_BYTES);
    fields.name = mr_field_text(record->name, MR_MESSAGE_NAME_MAX);
    fields.generation = record->generation;
    fields.next_generation = record->next_generation;
    fields.version = record->version;
    fields.version_before = record->version_before;
    fields.version_last = record->version_last;
    fields.state = (Millrace__TopologyState)(record->state + 1);
    fields.n_paused_sources = record->paused_sources_count;
    fields.paused_sources =
        mr_field_names(record->paused_sources, record->paused_sources_count, &scratch);
    fields.n_subtopologies = record->subtopologies_count;
    fields.subtopologies =
        mr_field_names(record->subtopologies, record->subtopologies_count, &scratch);
    fields.dropped_topics_prefix =
        mr_field_text(record->dropped_topics_prefix, MR_MESSAGE_NAME_MAX);
    fields.changed_ms = record->changed_ms;
    fields.plan_hash = record->plan_hash;
    fields.definition = mr_field_bytes(record->definition);
    struct mr_slice bytes = pack_record(&fields.base, arena);
    mr_arena_deinit(&scratch);
    return bytes;
}

/* What `millrace run` of version 0.1 wrote. */
static void take_first_layout(struct mr_decoder *decoder, struct mr_slice bytes,
                              struct mr_topology_record *record)
{
    if (bytes.size != FIRST_LAYOUT_BYTES) {
        mr_decoder_fail(decoder, "it has layout version 1 and %zu bytes instead of %d", bytes.size,
                        FIRST_LAYOUT_BYTES);
        return;
    }
    record->generation = mr_get_u64le(bytes.data + 1);
    record->plan_hash = mr_get_u64le(bytes.data + 9);
}

static void take_topology_record(struct mr_decoder *decoder, const Millrace__TopologyRecord *fields,
                                 struct mr_topology_record *record)
{
    record->name = mr_take_text(decoder, fields->name, MR_MESSAGE_NAME_MAX, "the name");
    record->generation = fields->generation;
    record->next_generation = fields->next_generation;
    record->version = fields->version;
    record->version_before = fields->version_before;
    record->version_last = fields->version_last;
    record->state = (enum mr_topology_state)mr_take_enum(decoder, (int)fields->state,
                                                         MR_TOPOLOGY_RESETTING + 1, "the state");
    record->paused_sources =
        mr_take_names(decoder, fields->paused_sources, fields->n_paused_sources, "paused sources",
                      &record->paused_sources_count);
    record->subtopologies = mr_take_names(decoder, fields->subtopologies, fields->n_subtopologies,
                                          "subtopologies", &record->subtopologies_count);
    record->dropped_topics_prefix = mr_take_text(decoder, fields->dropped_topics_prefix,
                                                 MR_MESSAGE_NAME_MAX, "the dropped topics' prefix");
    record->changed_ms = fields->changed_ms;
    record->plan_hash = fields->plan_hash;
    record->definition = mr_take_bytes(decoder, fields->definition);
}

enum mr_status mr_topology_record_decode(struct mr_slice bytes, struct mr_arena *arena,
                                         struct mr_topology_record *record, struct mr_error *error)
{
    struct mr_decoder decoder;
    *record = (struct mr_topology_record){.name = "", .dropped_topics_prefix = ""};
    record_decoder_init(&decoder, "A topology's record", bytes, arena, error);
    if (bytes.size != 0 && bytes.data[0] == FIRST_LAYOUT_VERSION) {
        take_first_layout(&decoder, bytes, record);
    } else {
        const Millrace__TopologyRecord *fields =
            unpack_record(&decoder, &millrace__topology_record__descriptor, bytes);
        if (fields != NULL)
            take_topology_record(&decoder, fields, record);
    }
    return mr_decoder_deinit(&decoder);
}

struct mr_slice mr_version_record_encode(const struct mr_version_record *record,
                                         struct mr_arena *arena)
{
    struct mr_arena scratch;
    Millrace__VersionRecord fields = MILLRACE__VERSION_RECORD__INIT;
    mr_arena_init(&scratch, SCRATCH_CHUNK_BYTES);
    fields.name = mr_field_text(record->name, MR_MESSAGE_NAME_MAX);
    fields.generation = record->generation;
    fields.version = record->version;
    fields.definition = mr_field_bytes(record->definition);
    fields.plan_hash = record->plan_hash;
    fields.submitted_ms = record->submitted_ms;
    fields.memory_bytes = record->memory_bytes;
    fields.standbys_count = record->standbys_count;
    fields.binding = mr_binding_fields(&record->binding, &scratch);
    struct mr_slice bytes = pack_record(&fields.base, arena);
    mr_arena_deinit(&scratch);
    return bytes;
}

enum mr_status mr_version_record_decode(struct mr_slice bytes, struct mr_arena *arena,
                                        struct mr_version_record *record, struct mr_error *error)
{
    struct mr_decoder decoder;
    *record = (struct mr_version_record){.name = ""};
    record_decoder_init(&decoder, "A version's record", bytes, arena, error);
    const Millrace__VersionRecord *fields =
        unpack_record(&decoder, &millrace__version_record__descriptor, bytes);
    if (fields != NULL && mr_take_present(&decoder, fields->binding, "the binding")) {
        record->name = mr_take_text(&decoder, fields->name, MR_MESSAGE_NAME_MAX, "the name");
        record->generation = fields->generation;
        record->version = fields->version;
        record->definition = mr_take_bytes(&decoder, fields->definition);
        record->plan_hash = fields->plan_hash;
        record->submitted_ms = fields->submitted_ms;
        record->memory_bytes = fields->memory_bytes;
        record->standbys_count = fields->standbys_count;
        mr_binding_take(&decoder, fields->binding, &record->binding);
    }
    return mr_decoder_deinit(&decoder);
}

struct mr_slice mr_task_record_encode(const struct mr_task_record *record, struct mr_arena *arena)
{
    Millrace__TaskRecord fields = MILLRACE__TASK_RECORD__INIT;
    fields.epoch = record->epoch;
    fields.worker = mr_field_text(record->worker, MR_MESSAGE_NAME_MAX);
    fields.instance = record->instance;
    return pack_record(&fields.base, arena);
}

enum mr_status mr_task_record_decode(struct mr_slice bytes, struct mr_arena *arena,
                                     struct mr_task_record *record, struct mr_error *error)
{
    struct mr_decoder decoder;
    *record = (struct mr_task_record){.worker = ""};
    record_decoder_init(&decoder, "A task's record", bytes, arena, error);
    const Millrace__TaskRecord *fields =
        unpack_record(&decoder, &millrace__task_record__descriptor, bytes);
    if (fields != NULL) {
        record->epoch = fields->epoch;
        record->worker = mr_take_text(&decoder, fields->worker, MR_MESSAGE_NAME_MAX, "the worker");
        record->instance = fields->instance;
    }
    return mr_decoder_deinit(&decoder);
}
