/* tests/fuzz/fuzz_message.c — any bytes are a request, a reply or a record, or are refused. Oracles
 * beside the sanitizers: what is read can be written (the encoders assert every bound), and what
 * was written reads as the same message again; reading takes no more memory than the header says.
 */
#include "base/assert.h"
#include "base/memory.h"
#include "proto/codec.h"

enum { CHUNK_BYTES = 4096, MEMORY_FACTOR = 32, MEMORY_BASE_BYTES = 256 << 10 };

enum message_kind { REQUEST, REPLY, LEADER, TOPOLOGY, VERSION, TASK, KINDS_COUNT };

union message {
    struct mr_request request;
    struct mr_reply reply;
    struct mr_leader_record leader;
    struct mr_topology_record topology;
    struct mr_version_record version;
    struct mr_task_record task;
};

static enum mr_status decode(enum message_kind kind, struct mr_slice bytes, struct mr_arena *arena,
                             union message *message, struct mr_error *error)
{
    switch (kind) {
    case REQUEST:
        return mr_request_decode(bytes, arena, &message->request, error);
    case REPLY:
        return mr_reply_decode(bytes, arena, &message->reply, error);
    case LEADER:
        return mr_leader_record_decode(bytes, arena, &message->leader, error);
    case TOPOLOGY:
        return mr_topology_record_decode(bytes, arena, &message->topology, error);
    case VERSION:
        return mr_version_record_decode(bytes, arena, &message->version, error);
    case TASK:
    case KINDS_COUNT:
        break;
    }
    return mr_task_record_decode(bytes, arena, &message->task, error);
}

static struct mr_slice encode(enum message_kind kind, const union message *message,
                              struct mr_arena *arena)
{
    switch (kind) {
    case REQUEST:
        return mr_request_encode(&message->request, arena);
    case REPLY:
        return mr_reply_encode(&message->reply, arena);
    case LEADER:
        return mr_leader_record_encode(&message->leader, arena);
    case TOPOLOGY:
        return mr_topology_record_encode(&message->topology, arena);
    case VERSION:
        return mr_version_record_encode(&message->version, arena);
    case TASK:
    case KINDS_COUNT:
        break;
    }
    return mr_task_record_encode(&message->task, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int kind = 0; kind < KINDS_COUNT; kind++) {
        struct mr_arena arena;
        struct mr_error error = {0};
        union message message;
        union message again;
        mr_arena_init(&arena, CHUNK_BYTES);
        uint64_t before = mr_memory_counters().allocation_bytes;
        enum mr_status status =
            decode((enum message_kind)kind, mr_slice_from(data, size), &arena, &message, &error);
        MR_ASSERT(mr_memory_counters().allocation_bytes - before <=
                  size * MEMORY_FACTOR + MEMORY_BASE_BYTES);
        if (status == MR_OK) {
            struct mr_slice bytes = encode((enum message_kind)kind, &message, &arena);
            status = decode((enum message_kind)kind, bytes, &arena, &again, &error);
            MR_ASSERT(status == MR_OK);
            MR_ASSERT(mr_slice_equal(bytes, encode((enum message_kind)kind, &again, &arena)));
        } else {
            MR_ASSERT(error.status == status && error.message[0] != 0);
        }
        mr_arena_deinit(&arena);
    }
    return 0;
}
