/* operators/learned_queue.c — see learned_queue.h. */
#include "operators/learned_queue.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"

enum {
    QUEUE_VERSION = 2,
    FIXED_BYTES = 62,
    FIXED_BYTES_V1 = 54,
    SIZES_BYTES = 2 * MR_QUEUED_TEXTS_COUNT,
    REQUEST_BYTES_MAX = FIXED_BYTES + SIZES_BYTES + MR_REQUEST_TEXTS_BYTES_MAX,
    HEAD_BYTES = 16,
    SEQUENCE_BYTES = 8,
    FLAG_METADATA = 1,
    FLAG_NUMBER = 2
};

struct queue_head {
    uint64_t next_sequence;
    uint64_t next_turn;
};

/* ---- Stored objects ---- */

static size_t texts_size(const struct mr_queued_request *request)
{
    size_t size = 0;
    for (uint32_t text = 0; text < MR_QUEUED_TEXTS_COUNT; text++)
        size += request->sizes[text];
    return size;
}

static size_t request_encode(const void *object, uint8_t *output)
{
    const struct mr_queued_request *request = object;
    size_t size = texts_size(request);
    mr_put_u64le(output, request->samples);
    mr_put_u64le(output + 8, request->made);
    mr_put_u64le(output + 16, request->first);
    mr_put_u64le(output + 24, (uint64_t)request->time_ms);
    mr_put_double_le(output + 32, request->id_number);
    mr_put_u32le(output + 40, request->batch_size);
    output[44] = (uint8_t)((request->has_metadata ? FLAG_METADATA : 0) |
                           (request->id_is_number ? FLAG_NUMBER : 0));
    output[45] = 0;
    mr_put_u64le(output + 46, request->refused);
    mr_put_u64le(output + 54, request->redrawn);
    for (uint32_t text = 0; text < MR_QUEUED_TEXTS_COUNT; text++)
        mr_put_u16le(output + FIXED_BYTES + 2 * (size_t)text, request->sizes[text]);
    memcpy(output + FIXED_BYTES + SIZES_BYTES, request->texts, size);
    return FIXED_BYTES + SIZES_BYTES + size;
}

static bool request_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_queued_request *request = object;
    size_t fixed_bytes = version == 1 ? FIXED_BYTES_V1 : FIXED_BYTES;
    if (version < 1 || version > QUEUE_VERSION || stored.size < fixed_bytes + SIZES_BYTES)
        return false;
    request->samples = mr_get_u64le(stored.data);
    request->made = mr_get_u64le(stored.data + 8);
    request->first = mr_get_u64le(stored.data + 16);
    request->time_ms = (int64_t)mr_get_u64le(stored.data + 24);
    request->id_number = mr_get_double_le(stored.data + 32);
    request->batch_size = mr_get_u32le(stored.data + 40);
    request->has_metadata = (stored.data[44] & FLAG_METADATA) != 0;
    request->id_is_number = (stored.data[44] & FLAG_NUMBER) != 0;
    request->refused = mr_get_u64le(stored.data + 46);
    request->redrawn = version == 1 ? 0 : mr_get_u64le(stored.data + 54);
    for (uint32_t text = 0; text < MR_QUEUED_TEXTS_COUNT; text++)
        request->sizes[text] = mr_get_u16le(stored.data + fixed_bytes + 2 * (size_t)text);
    size_t size = texts_size(request);
    if (size > MR_REQUEST_TEXTS_BYTES_MAX || stored.size != fixed_bytes + SIZES_BYTES + size ||
        request->batch_size == 0 || request->made > request->samples ||
        request->refused > request->made)
        return false;
    memcpy(request->texts, stored.data + fixed_bytes + SIZES_BYTES, size);
    return true;
}

static size_t head_encode(const void *object, uint8_t *output)
{
    const struct queue_head *head = object;
    mr_put_u64le(output, head->next_sequence);
    mr_put_u64le(output + 8, head->next_turn);
    return HEAD_BYTES;
}

static bool head_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct queue_head *head = object;
    if (version < 1 || version > QUEUE_VERSION || stored.size != HEAD_BYTES)
        return false;
    head->next_sequence = mr_get_u64le(stored.data);
    head->next_turn = mr_get_u64le(stored.data + 8);
    return true;
}

enum mr_status mr_request_queue_open(struct mr_request_queue *queue,
                                     const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_table_spec requests = {.operator_name = open->node->name,
                                           .name = "requests",
                                           .version = QUEUE_VERSION,
                                           .object_size = sizeof(struct mr_queued_request),
                                           .encode = request_encode,
                                           .encoded_size_max = REQUEST_BYTES_MAX,
                                           .decode = request_decode,
                                           .timed = true};
    const struct mr_table_spec head = {.operator_name = open->node->name,
                                       .name = "requests-head",
                                       .version = QUEUE_VERSION,
                                       .object_size = sizeof(struct queue_head),
                                       .encode = head_encode,
                                       .encoded_size_max = HEAD_BYTES,
                                       .decode = head_decode};
    enum mr_status status = mr_table_open(open->state, &requests, &queue->requests, error);
    return status == MR_OK ? mr_table_open(open->state, &head, &queue->head, error) : status;
}

void mr_request_queue_estimate(struct mr_state_estimate *estimate)
{
    mr_estimate_object(sizeof(struct mr_queued_request), REQUEST_BYTES_MAX, estimate);
    mr_estimate_object(sizeof(struct queue_head), HEAD_BYTES, estimate);
}

uint32_t mr_request_queue_count(const struct mr_request_queue *queue)
{
    return (uint32_t)mr_table_keys(queue->requests);
}

/* ---- Texts ---- */

bool mr_queued_request_set(struct mr_queued_request *queued, const struct mr_request *request,
                           struct mr_slice key, int64_t time_ms)
{
    bool is_text = request->id.kind == MR_KIND_STRING;
    const struct mr_slice texts[MR_QUEUED_TEXTS_COUNT] = {
        [MR_QUEUED_KEY] = key,
        [MR_QUEUED_ID] = is_text ? mr_value_text(request->id) : (struct mr_slice){0},
        [MR_QUEUED_TOPIC] = request->reply_topic,
        [MR_QUEUED_CONDITIONS] = request->conditions,
    };
    size_t size = 0;
    queued->samples = request->samples;
    queued->made = 0;
    queued->refused = 0;
    queued->redrawn = 0;
    queued->first = 0;
    queued->time_ms = time_ms;
    queued->batch_size = request->batch_size;
    queued->has_metadata = request->has_metadata;
    queued->id_is_number = request->id.kind == MR_KIND_DOUBLE;
    queued->id_number = queued->id_is_number ? request->id.number : 0;
    for (uint32_t text = 0; text < MR_QUEUED_TEXTS_COUNT; text++) {
        if (texts[text].size > MR_REQUEST_TEXTS_BYTES_MAX - size)
            return false;
        queued->sizes[text] = (uint16_t)texts[text].size;
        if (texts[text].size > 0)
            memcpy(queued->texts + size, texts[text].data, texts[text].size);
        size += texts[text].size;
    }
    return true;
}

struct mr_slice mr_queued_request_text(const struct mr_queued_request *queued,
                                       enum mr_queued_text text)
{
    size_t at = 0;
    for (uint32_t before = 0; before < (uint32_t)text; before++)
        at += queued->sizes[before];
    return mr_slice_from(queued->texts + at, queued->sizes[text]);
}

struct mr_value mr_queued_request_id(const struct mr_queued_request *queued)
{
    if (queued->id_is_number)
        return mr_value_double(queued->id_number);
    if (queued->sizes[MR_QUEUED_ID] == 0)
        return (struct mr_value){.kind = MR_KIND_ABSENT};
    return mr_value_string(mr_queued_request_text(queued, MR_QUEUED_ID));
}

/* ---- Turns ---- */

static struct mr_slice key_of(uint64_t sequence, uint8_t bytes[SEQUENCE_BYTES])
{
    mr_put_u64be(bytes, sequence);
    return mr_slice_from(bytes, SEQUENCE_BYTES);
}

/* Take the next turn, and the next sequence where one is wanted. */
static enum mr_status take(struct mr_request_queue *queue, uint64_t *sequence, int64_t *turn,
                           struct mr_error *error)
{
    void *object;
    bool created;
    struct mr_slice none = {0};
    enum mr_status status =
        mr_table_get(queue->head, none, mr_hash64(none), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct queue_head *head = object;
    if (sequence != NULL)
        *sequence = head->next_sequence++;
    *turn = (int64_t)head->next_turn++;
    mr_table_dirty(queue->head, head);
    return MR_OK;
}

enum mr_status mr_request_queue_add(struct mr_request_queue *queue,
                                    const struct mr_queued_request *request, uint64_t *sequence,
                                    struct mr_error *error)
{
    uint8_t bytes[SEQUENCE_BYTES];
    int64_t turn;
    void *object;
    bool created;
    enum mr_status status = take(queue, sequence, &turn, error);
    if (status != MR_OK)
        return status;
    struct mr_slice key = key_of(*sequence, bytes);
    status = mr_table_get(queue->requests, key, mr_hash64(key), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(created);
    memcpy(object, request, sizeof(*request));
    mr_table_schedule(queue->requests, object, turn);
    return MR_OK;
}

enum mr_status mr_request_queue_next(struct mr_request_queue *queue, uint64_t *sequence,
                                     struct mr_queued_request *request, bool *found,
                                     struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object;
    enum mr_status status =
        mr_table_next_due(queue->requests, INT64_MAX - 1, &key, &hash, &object, found, error);
    if (status != MR_OK || !*found)
        return status;
    *sequence = mr_get_u64be(key.data);
    memcpy(request, object, sizeof(*request));
    return MR_OK;
}

enum mr_status mr_request_queue_pass(struct mr_request_queue *queue, uint64_t sequence,
                                     uint64_t made, uint64_t refused, uint64_t redrawn,
                                     struct mr_error *error)
{
    uint8_t bytes[SEQUENCE_BYTES];
    int64_t turn;
    void *object;
    struct mr_slice key = key_of(sequence, bytes);
    enum mr_status status = take(queue, NULL, &turn, error);
    if (status == MR_OK)
        status = mr_table_find(queue->requests, key, mr_hash64(key), &object, error);
    if (status != MR_OK)
        return status;
    struct mr_queued_request *request = object;
    request->made = made;
    request->refused = refused;
    request->redrawn = redrawn;
    mr_table_schedule(queue->requests, object, turn);
    return MR_OK;
}

enum mr_status mr_request_queue_remove(struct mr_request_queue *queue, uint64_t sequence,
                                       struct mr_error *error)
{
    uint8_t bytes[SEQUENCE_BYTES];
    struct mr_slice key = key_of(sequence, bytes);
    return mr_table_remove(queue->requests, key, mr_hash64(key), error);
}
