/* operators/buffer.c — buffer: the last records of each key, kept to be asked for.
 * Design: per key a ring of bytes in slots; records follow each other as JSON text, as they would
 * be written here. A new record pushes out the oldest ones until it fits: by number, by bytes, and
 * those whose event time is `max_age` behind the latest. A record changes one slot, mostly. Queries
 * walk the ring of a committed state from its oldest record.
 *
 * Stored object, version 1 (little-endian):
 *   0   uint64  place of the oldest record, in bytes ever written; its place in the ring is that
 *               modulo the ring's bytes
 *   8   uint64  place of the next record
 *   16  int64   latest event time in ms
 *   24  uint32  records
 *   28  uint32  slots of the ring: with another number the ring is empty
 * A record in the ring: int64 event time in ms, uint32 bytes of the text, the text. */
#include "operators/operator.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/registry.h"

enum {
    BUFFER_VERSION = 1,
    BUFFER_BYTES = 32,
    SLOT_BYTES = 1024,
    ENTRY_HEAD_BYTES = 12,
    LAST_DEFAULT = 50
};

static const char records_table[] = "records";

struct buffer_object {
    uint64_t oldest;
    uint64_t next;
    int64_t latest_ms;
    uint32_t records;
    uint32_t slots;
};

struct buffer {
    const struct mr_plan_node *node;
    struct mr_table *table;
    uint32_t records_max;
    uint32_t slots;     /* of a ring */
    int64_t max_age_ms; /* 0: none */
    /* Of the batch at hand: the most bytes that a ring has, and the longest time that it spans. */
    uint64_t used_most;
    uint64_t age_most_ms;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct buffer_object *ring = object;
    mr_put_u64le(output, ring->oldest);
    mr_put_u64le(output + 8, ring->next);
    mr_put_u64le(output + 16, (uint64_t)ring->latest_ms);
    mr_put_u32le(output + 24, ring->records);
    mr_put_u32le(output + 28, ring->slots);
    return BUFFER_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct buffer_object *ring = object;
    if (version != BUFFER_VERSION || stored.size != BUFFER_BYTES)
        return false;
    ring->oldest = mr_get_u64le(stored.data);
    ring->next = mr_get_u64le(stored.data + 8);
    ring->latest_ms = (int64_t)mr_get_u64le(stored.data + 16);
    ring->records = mr_get_u32le(stored.data + 24);
    ring->slots = mr_get_u32le(stored.data + 28);
    return ring->slots > 0 && ring->oldest <= ring->next &&
           ring->next - ring->oldest <= (uint64_t)ring->slots * SLOT_BYTES;
}

static uint32_t slots_of(const struct mr_options *options)
{
    return (uint32_t)((mr_options_integer(options, "max_bytes") + SLOT_BYTES - 1) / SLOT_BYTES);
}

static enum mr_status buffer_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct buffer *buffer = self;
    const struct mr_options *options = &open->node->options;
    buffer->node = open->node;
    buffer->records_max = (uint32_t)mr_options_integer(options, "max_records");
    buffer->slots = slots_of(options);
    buffer->max_age_ms =
        mr_options_present(options, "max_age") ? mr_options_integer(options, "max_age") : 0;
    struct mr_table_spec spec = {
        .operator_name = open->node->name,
        .name = records_table,
        .version = BUFFER_VERSION,
        .object_size = sizeof(struct buffer_object),
        .encode = object_encode,
        .encoded_size_max = BUFFER_BYTES,
        .decode = object_decode,
        .slot_bytes = SLOT_BYTES,
        .slots_max = buffer->slots,
        .ttl_ms = open->node->state_ttl_ms,
        .keys_max = open->node->state_keys_max,
        .bytes_max = open->node->state_bytes_max,
        .on_full = open->node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    return mr_table_open(open->state, &spec, &buffer->table, error);
}

/* ---- The ring ---- */

/* Copy size bytes at place from the ring, or into it. */
static enum mr_status ring_copy(struct buffer *buffer, struct buffer_object *ring, uint64_t place,
                                uint8_t *output, const uint8_t *input, size_t size,
                                struct mr_error *error)
{
    for (size_t done = 0; done < size;) {
        uint64_t at = (place + done) % ((uint64_t)buffer->slots * SLOT_BYTES);
        size_t within = at % SLOT_BYTES;
        size_t part = SLOT_BYTES - within < size - done ? SLOT_BYTES - within : size - done;
        void *slot;
        enum mr_status status = mr_table_slot(buffer->table, ring, (uint32_t)(at / SLOT_BYTES),
                                              input != NULL, &slot, error);
        if (status != MR_OK)
            return status;
        if (input != NULL)
            memcpy((uint8_t *)slot + within, input + done, part);
        else
            memcpy(output + done, (uint8_t *)slot + within, part);
        done += part;
    }
    return MR_OK;
}

/* Push out the oldest records until there is room for `size` bytes more, and none is too old. */
static enum mr_status make_room(struct buffer *buffer, struct buffer_object *ring, size_t size,
                                struct mr_error *error)
{
    uint64_t capacity = (uint64_t)buffer->slots * SLOT_BYTES;
    while (ring->records > 0) {
        uint8_t head[ENTRY_HEAD_BYTES];
        enum mr_status status =
            ring_copy(buffer, ring, ring->oldest, head, NULL, sizeof(head), error);
        if (status != MR_OK)
            return status;
        int64_t time_ms = (int64_t)mr_get_u64le(head);
        bool is_old = buffer->max_age_ms > 0 && time_ms < ring->latest_ms &&
                      (uint64_t)ring->latest_ms - (uint64_t)time_ms > (uint64_t)buffer->max_age_ms;
        if (!is_old && ring->records < buffer->records_max &&
            ring->next - ring->oldest + size <= capacity)
            break;
        ring->oldest += ENTRY_HEAD_BYTES + mr_get_u32le(head + 8);
        ring->records--;
        if (ring->records == 0)
            ring->oldest = ring->next; /* whatever was stored */
    }
    return MR_OK;
}

/* What the gauges say of a ring that has just got a record. */
static enum mr_status measure(struct buffer *buffer, struct buffer_object *ring,
                              struct mr_error *error)
{
    uint8_t head[ENTRY_HEAD_BYTES];
    enum mr_status status = ring_copy(buffer, ring, ring->oldest, head, NULL, sizeof(head), error);
    if (status != MR_OK)
        return status;
    uint64_t age_ms = (uint64_t)ring->latest_ms - mr_get_u64le(head);
    if (age_ms > buffer->age_most_ms)
        buffer->age_most_ms = age_ms;
    if (ring->next - ring->oldest > buffer->used_most)
        buffer->used_most = ring->next - ring->oldest;
    return MR_OK;
}

static enum mr_status keep_record(struct buffer *buffer, struct mr_slice key, int64_t event_time_ms,
                                  struct mr_slice text, struct mr_error *error)
{
    uint8_t head[ENTRY_HEAD_BYTES];
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(buffer->table, key, mr_hash64(key), event_time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct buffer_object *ring = object;
    if (created || ring->slots != buffer->slots)
        *ring = (struct buffer_object){.slots = buffer->slots, .latest_ms = event_time_ms};
    if (event_time_ms > ring->latest_ms)
        ring->latest_ms = event_time_ms;
    mr_table_dirty(buffer->table, ring);
    status = make_room(buffer, ring, ENTRY_HEAD_BYTES + text.size, error);
    if (status != MR_OK)
        return status;
    mr_put_u64le(head, (uint64_t)event_time_ms);
    mr_put_u32le(head + 8, (uint32_t)text.size);
    status = ring_copy(buffer, ring, ring->next, NULL, head, sizeof(head), error);
    if (status == MR_OK)
        status = ring_copy(buffer, ring, ring->next + ENTRY_HEAD_BYTES, NULL, text.data, text.size,
                           error);
    ring->next += ENTRY_HEAD_BYTES + text.size;
    ring->records++;
    return status == MR_OK ? measure(buffer, ring, error) : status;
}

static enum mr_status buffer_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    struct buffer *buffer = self;
    struct mr_view keyed;
    const struct mr_slice *keys = mr_operator_keys(context, buffer->node, view, &keyed);
    uint16_t *rows = mr_arena_take(context->arena, (keyed.rows_count + 1) * sizeof(*rows));
    uint32_t rows_count = 0;
    size_t most = (size_t)buffer->slots * SLOT_BYTES - ENTRY_HEAD_BYTES;
    buffer->used_most = buffer->age_most_ms = 0;
    for (uint32_t index = 0; index < keyed.rows_count; index++) {
        uint16_t row = keyed.rows[index];
        struct mr_slice text;
        if (mr_operator_record_text(context, port, view.batch, row, &text, error) != MR_OK) {
            mr_operator_row_error(context, view.batch, row, "%s", error->message);
            continue;
        }
        if (text.data == NULL)
            text = mr_slice_text("null");
        if (text.size > most) {
            mr_operator_row_error(context, view.batch, row,
                                  "the record has %zu bytes, and the buffer of a key has room for "
                                  "%zu: raise max_bytes, or take what is needed by a map before",
                                  text.size, most);
            continue;
        }
        enum mr_status status =
            keep_record(buffer, keys[row], view.batch->event_times_ms[row], text, error);
        if (status != MR_OK)
            return status;
        rows[rows_count++] = row;
    }
    if (rows_count > 0) {
        mr_operator_gauge(context, MR_GAUGE_UTILISATION,
                          (double)buffer->used_most / ((double)buffer->slots * SLOT_BYTES));
        mr_operator_gauge(context, MR_GAUGE_KEPT_AGE, (double)buffer->age_most_ms);
    }
    mr_operator_emit(context, 0, (struct mr_view){view.batch, rows, rows_count});
    return MR_OK;
}

static enum mr_status buffer_watermark(void *self, struct mr_operator_context *context,
                                       struct mr_error *error)
{
    struct buffer *buffer = self;
    return mr_table_expire(buffer->table, context->watermark_ms, error);
}

static void buffer_close(void *self)
{
    MR_UNUSED(self); /* the table belongs to the state */
}

/* ---- Queries ---- */

/* A walk over a committed ring. */
struct reading {
    const struct mr_state_object *object;
    struct buffer_object ring;
    struct mr_arena *arena;
};

static enum mr_status read_ring(const struct reading *reading, uint64_t place, uint8_t *output,
                                size_t size, struct mr_error *error)
{
    for (size_t done = 0; done < size;) {
        uint64_t at = (place + done) % ((uint64_t)reading->ring.slots * SLOT_BYTES);
        size_t within = at % SLOT_BYTES;
        size_t part = SLOT_BYTES - within < size - done ? SLOT_BYTES - within : size - done;
        struct mr_slice slot;
        enum mr_status status =
            mr_state_query_slot(reading->object, (uint32_t)(at / SLOT_BYTES), &slot, error);
        if (status == MR_NOT_FOUND || (status == MR_OK && slot.size != SLOT_BYTES))
            return mr_operator_not_described(error);
        if (status != MR_OK)
            return status;
        memcpy(output + done, slot.data + within, part);
        done += part;
    }
    return MR_OK;
}

struct kept {
    int64_t time_ms;
    uint64_t place; /* of the text */
    uint32_t size;
};

/* The heads of all records, oldest first. */
static enum mr_status read_heads(const struct reading *reading, struct kept *kept,
                                 struct mr_error *error)
{
    uint64_t place = reading->ring.oldest;
    for (uint32_t index = 0; index < reading->ring.records; index++) {
        uint8_t head[ENTRY_HEAD_BYTES];
        enum mr_status status = read_ring(reading, place, head, sizeof(head), error);
        if (status != MR_OK)
            return status;
        kept[index] = (struct kept){.time_ms = (int64_t)mr_get_u64le(head),
                                    .place = place + ENTRY_HEAD_BYTES,
                                    .size = mr_get_u32le(head + 8)};
        place += ENTRY_HEAD_BYTES + kept[index].size;
        if (place > reading->ring.next)
            return mr_operator_not_described(error);
    }
    return MR_OK;
}

static enum mr_status show(const struct reading *reading, const struct kept *kept,
                           struct mr_value *value, struct mr_error *error)
{
    struct mr_state_description *shown = mr_arena_new(reading->arena, 1, sizeof(*shown));
    uint8_t *text = mr_arena_take(reading->arena, kept->size);
    enum mr_status status = read_ring(reading, kept->place, text, kept->size, error);
    if (status != MR_OK)
        return status;
    mr_describe_time(shown, "event_time", kept->time_ms);
    mr_describe_member(shown, "record",
                       (struct mr_value){.kind = MR_KIND_JSON, .size = kept->size, .text = text});
    *value = mr_description_value(shown);
    return MR_OK;
}

/* The last records that the query asks for, oldest first. */
static enum mr_status show_last(const struct reading *reading, const struct kept *kept,
                                const struct mr_state_description *asked, struct mr_value *list,
                                struct mr_error *error)
{
    uint32_t records = reading->ring.records;
    uint32_t most = asked->last == 0 && asked->since_ms == 0 ? LAST_DEFAULT : asked->last;
    uint32_t wanted = most == 0 || most > records ? records : most;
    struct mr_value *items = mr_arena_new(reading->arena, wanted, sizeof(*items));
    uint32_t count = 0;
    for (uint32_t index = records; index-- > 0 && count < wanted;) {
        uint64_t age_ms = (uint64_t)reading->ring.latest_ms - (uint64_t)kept[index].time_ms;
        if (asked->since_ms > 0 && age_ms > (uint64_t)asked->since_ms)
            continue;
        enum mr_status status = show(reading, &kept[index], &items[wanted - ++count], error);
        if (status != MR_OK)
            return status;
    }
    *list =
        (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items + (wanted - count)};
    return MR_OK;
}

static enum mr_status buffer_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                      struct mr_state_description *description,
                                      struct mr_error *error)
{
    struct reading reading = {.object = object, .arena = arena};
    struct buffer_object *ring = &reading.ring;
    struct mr_value list;
    if (!object_decode(ring, object->version, object->encoded))
        return mr_operator_not_described(error);
    struct kept *kept = mr_arena_new(arena, (size_t)ring->records + 1, sizeof(*kept));
    enum mr_status status = read_heads(&reading, kept, error);
    if (status == MR_OK)
        status = show_last(&reading, kept, description, &list, error);
    if (status != MR_OK)
        return status;
    uint64_t used = ring->next - ring->oldest;
    mr_describe_member(description, "records", mr_value_int(ring->records));
    mr_describe_member(description, "bytes", mr_value_int((int64_t)used));
    mr_describe_member(description, "utilisation",
                       mr_value_double((double)used / ((double)ring->slots * SLOT_BYTES)));
    if (ring->records > 0)
        mr_describe_time(description, "oldest", kept[0].time_ms);
    mr_describe_time(description, "latest", ring->latest_ms);
    mr_describe_member(description, "last", list);
    return MR_OK;
}

/* ---- The type ---- */

static void buffer_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_estimate_slots(sizeof(struct buffer_object), BUFFER_BYTES, SLOT_BYTES, slots_of(options),
                      estimate);
    /* A record may lie in two slots. */
    estimate->changelog_bytes_per_record +=
        MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES + SLOT_BYTES;
}

static const struct mr_option_spec buffer_options[] = {
    {.name = "max_records",
     .type = MR_OPTION_INTEGER,
     .default_text = "1000",
     .minimum = 1,
     .maximum = 100000,
     .help = "Records that are kept of a key at most: the last ones."},
    {.name = "max_age",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 3660.0 * 86400e3,
     .help = "Records whose event time is further behind the latest of their key are dropped when "
             "a new one comes; not given: none are."},
    {.name = "max_bytes",
     .type = MR_OPTION_SIZE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "256KiB",
     .minimum = SLOT_BYTES,
     .maximum = 4 << 20,
     .help =
         "Bytes of a key's records, 12 for each of them included; rounded up to 1 KiB. A record "
         "that does not fit by itself follows `on_error`."},
    {.name = NULL},
};

static const struct mr_output_spec buffer_outputs[] = {
    {.name = "main", .help = "The records, unchanged."},
};

const struct mr_operator_type mr_operator_buffer = {
    .spec =
        {
            .name = "buffer",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_KEEPS_RECORDS,
            .summary = "Keeps the last records of each key, to be asked for, and passes all on.",
            .description =
                "What happened just before: the last `max_records` of a key, and of these the last "
                "`max_age`, as JSON text in the state. A query reads them while the topology runs: "
                "`GET /v1/state/TOPOLOGY/OPERATOR/KEY?last=50`, or `?since=10s` for those whose "
                "event time is within ten seconds of the key's latest; both together are the "
                "last 50 of these, without either it is the last 50. The answer also says how "
                "many records and bytes there are, how full the ring is, and the oldest and "
                "latest time.\n\n"
                "Order is that in which the records came. State: a ring of up to `max_bytes` a "
                "key, of which a record changes one or two pieces of 1 KiB.",
            .options = buffer_options,
            .outputs = buffer_outputs,
            .outputs_count = 1,
            .state_version = BUFFER_VERSION,
            .estimate = buffer_estimate,
        },
    .instance_size = sizeof(struct buffer),
    .open = buffer_open,
    .process = buffer_process,
    .on_watermark = buffer_watermark,
    .close = buffer_close,
    .state_table = records_table,
    .gauges = 1u << MR_GAUGE_UTILISATION | 1u << MR_GAUGE_KEPT_AGE,
    .describe_state = buffer_describe,
};
