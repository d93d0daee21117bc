/* operators/duplicate_memory.c — see duplicate_memory.h.
 *
 * Stored, all little-endian.
 * Table `groups`, version 1, by the node's key:
 *   0  uint64 records  8 uint64 duplicates  16 int64 highest event time in ms  24 uint64 life
 *   32 of a Bloom filter the 256 bytes of its head (this machine's order)
 *   Slots of 512 bytes: of a window of records the digests by number modulo (window + 1), 16 bytes
 *   each; of a Bloom filter its blocks.
 * Table `values`, version 1, by key and digest:
 *   0  int64 first event time  8 int64 last event time  16 uint64 records  24 uint64 number of the
 *   last record  32 uint64 life  40 int64 offset of the first record  48 int32 its partition
 *   52 int64 its event time  60 uint8 size of its topic's name, and the name */
#include "operators/duplicate_memory.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"

enum {
    GROUP_BYTES = 32,
    GROUP_BYTES_MAX = GROUP_BYTES + MR_SKETCH_GENERATIONS_HEAD_BYTES,
    VALUE_BYTES = 61,
    TOPIC_BYTES_MAX = MR_DUPLICATE_TOPIC_BYTES_MAX,
    VALUE_BYTES_MAX = VALUE_BYTES + TOPIC_BYTES_MAX,
    DIGEST_BYTES = sizeof(struct mr_duplicate_digest),
    SLOT_BYTES = MR_SKETCH_BLOOM_PIECE_BYTES,
    DIGESTS_PER_SLOT = SLOT_BYTES / DIGEST_BYTES
};

const char mr_duplicate_groups_table[] = "groups";
static const char values_table[] = "values";

struct group_object {
    uint64_t records;
    uint64_t duplicates;
    int64_t latest_ms;
    uint64_t life;
    uint8_t head[MR_SKETCH_GENERATIONS_HEAD_BYTES];
};

struct value_object {
    int64_t first_ms;
    int64_t last_ms;
    uint64_t count;
    uint64_t last_record;
    uint64_t life;
    struct mr_duplicate_position first;
};

/* ---- State ---- */

static size_t group_encode_exact(const void *object, uint8_t *output)
{
    const struct group_object *group = object;
    mr_put_u64le(output, group->records);
    mr_put_u64le(output + 8, group->duplicates);
    mr_put_u64le(output + 16, (uint64_t)group->latest_ms);
    mr_put_u64le(output + 24, group->life);
    return GROUP_BYTES;
}

static size_t group_encode_bloom(const void *object, uint8_t *output)
{
    const struct group_object *group = object;
    memcpy(output + group_encode_exact(object, output), group->head, sizeof(group->head));
    return GROUP_BYTES_MAX;
}

static bool group_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct group_object *group = object;
    if (version != MR_DUPLICATE_VERSION ||
        (stored.size != GROUP_BYTES && stored.size != GROUP_BYTES_MAX))
        return false;
    group->records = mr_get_u64le(stored.data);
    group->duplicates = mr_get_u64le(stored.data + 8);
    group->latest_ms = (int64_t)mr_get_u64le(stored.data + 16);
    group->life = mr_get_u64le(stored.data + 24);
    if (stored.size == GROUP_BYTES_MAX)
        memcpy(group->head, stored.data + GROUP_BYTES, sizeof(group->head));
    return true;
}

static size_t value_encode(const void *object, uint8_t *output)
{
    const struct value_object *value = object;
    mr_put_u64le(output, (uint64_t)value->first_ms);
    mr_put_u64le(output + 8, (uint64_t)value->last_ms);
    mr_put_u64le(output + 16, value->count);
    mr_put_u64le(output + 24, value->last_record);
    mr_put_u64le(output + 32, value->life);
    mr_put_u64le(output + 40, (uint64_t)value->first.offset);
    mr_put_u32le(output + 48, (uint32_t)value->first.partition);
    mr_put_u64le(output + 52, (uint64_t)value->first.time_ms);
    output[60] = value->first.topic_bytes;
    memcpy(output + VALUE_BYTES, value->first.topic, value->first.topic_bytes);
    return (size_t)VALUE_BYTES + value->first.topic_bytes;
}

static bool value_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct value_object *value = object;
    if (version != MR_DUPLICATE_VERSION || stored.size < VALUE_BYTES ||
        stored.data[60] > TOPIC_BYTES_MAX || stored.size != (size_t)VALUE_BYTES + stored.data[60])
        return false;
    value->first_ms = (int64_t)mr_get_u64le(stored.data);
    value->last_ms = (int64_t)mr_get_u64le(stored.data + 8);
    value->count = mr_get_u64le(stored.data + 16);
    value->last_record = mr_get_u64le(stored.data + 24);
    value->life = mr_get_u64le(stored.data + 32);
    value->first.offset = (int64_t)mr_get_u64le(stored.data + 40);
    value->first.partition = (int32_t)mr_get_u32le(stored.data + 48);
    value->first.time_ms = (int64_t)mr_get_u64le(stored.data + 52);
    value->first.topic_bytes = stored.data[60];
    memcpy(value->first.topic, stored.data + VALUE_BYTES, stored.data[60]);
    return true;
}

enum mr_status mr_duplicate_memory_describe(const struct mr_state_object *object,
                                            struct mr_arena *arena,
                                            struct mr_state_description *description,
                                            struct mr_error *error)
{
    MR_UNUSED(arena);
    struct group_object group = {0};
    if (!group_decode(&group, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "records", mr_value_uint(group.records));
    mr_describe_member(description, "duplicates", mr_value_uint(group.duplicates));
    mr_describe_time(description, "latest", group.latest_ms);
    if (object->encoded.size == GROUP_BYTES)
        return MR_OK;
    uint64_t values;
    uint32_t filters;
    if (!mr_sketch_generations_count(group.head, &values, &filters))
        return mr_operator_not_described(error);
    mr_describe_member(description, "filters", mr_value_uint(filters));
    mr_describe_member(description, "added", mr_value_uint(values));
    return MR_OK;
}

/* ---- Opening ---- */

static const struct mr_options *nested(const struct mr_options *options, const char *name)
{
    return mr_options_present(options, name) ? mr_options_get(options, name)->objects : NULL;
}

/* The window and the form. */
void mr_duplicate_memory_read(struct mr_duplicate_memory *memory, const struct mr_options *options)
{
    const struct mr_options *window = nested(options, "window");
    const struct mr_options *bloom = nested(options, "bloom");
    memory->by_records = mr_options_present(window, "count");
    if (memory->by_records)
        memory->window_records = (uint64_t)mr_options_integer(window, "count");
    else
        memory->window_ms = mr_options_integer(window, "sliding");
    memory->form = memory->by_records ? MR_DUPLICATE_RECORDS : MR_DUPLICATE_TIME;
    if (bloom == NULL)
        return;
    memory->form = MR_DUPLICATE_BLOOM;
    double rate = mr_options_number(bloom, "rate");
    if (memory->by_records) {
        int64_t records = (int64_t)memory->window_records + 1;
        mr_sketch_generations_init(&memory->generations, records, (uint64_t)records, rate);
        return;
    }
    memory->window_ms += mr_options_integer(bloom, "lateness");
    mr_sketch_generations_init(&memory->generations, memory->window_ms,
                               (uint64_t)mr_options_integer(bloom, "capacity"), rate);
}

static uint32_t slots_of(const struct mr_duplicate_memory *memory)
{
    if (memory->form == MR_DUPLICATE_BLOOM)
        return mr_sketch_generations_pieces(&memory->generations);
    return memory->form == MR_DUPLICATE_TIME
               ? 0
               : (uint32_t)((memory->window_records + DIGESTS_PER_SLOT) / DIGESTS_PER_SLOT);
}

static void open_spec(const struct mr_duplicate_memory *memory, const char *name,
                      struct mr_table_spec *spec)
{
    const struct mr_plan_node *node = memory->node;
    *spec = (struct mr_table_spec){
        .operator_name = node->name,
        .name = name,
        .version = MR_DUPLICATE_VERSION,
        /* Shorter than the window would let duplicates through. */
        .ttl_ms = memory->by_records || node->state_ttl_ms > memory->window_ms ? node->state_ttl_ms
                                                                               : memory->window_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
}

enum mr_status mr_duplicate_memory_open(struct mr_duplicate_memory *memory,
                                        const struct mr_operator_open *open, struct mr_error *error)
{
    memory->node = open->node;
    mr_duplicate_memory_read(memory, &open->node->options);
    struct mr_table_spec spec;
    open_spec(memory, mr_duplicate_groups_table, &spec);
    spec.object_size = sizeof(struct group_object);
    spec.encode = memory->form == MR_DUPLICATE_BLOOM ? group_encode_bloom : group_encode_exact;
    spec.encoded_size_max = GROUP_BYTES_MAX;
    spec.decode = group_decode;
    spec.slots_max = slots_of(memory);
    spec.slot_bytes = spec.slots_max > 0 ? SLOT_BYTES : 0;
    enum mr_status status = mr_table_open(open->state, &spec, &memory->groups, error);
    if (status != MR_OK || memory->form == MR_DUPLICATE_BLOOM)
        return status;
    open_spec(memory, values_table, &spec);
    spec.object_size = sizeof(struct value_object);
    spec.encode = value_encode;
    spec.encoded_size_max = VALUE_BYTES_MAX;
    spec.decode = value_decode;
    return mr_table_open(open->state, &spec, &memory->values, error);
}

/* The key of the table `values`, in the arena. */
static struct mr_slice value_key(struct mr_arena *arena, struct mr_slice key,
                                 const struct mr_duplicate_digest *digest)
{
    uint8_t *bytes = mr_arena_take(arena, key.size + sizeof(*digest));
    if (key.size > 0)
        memcpy(bytes, key.data, key.size);
    mr_put_u64le(bytes + key.size, digest->words[0]);
    mr_put_u64le(bytes + key.size + 8, digest->words[1]);
    return mr_slice_from(bytes, key.size + sizeof(*digest));
}

/* ---- The three ways ---- */

/* The blocks of the group that was got last. */
struct group_body {
    struct mr_sketch_body body;
    struct mr_table *table;
    void *object;
};

static enum mr_status group_piece(struct mr_sketch_body *body, uint32_t index, bool write,
                                  uint8_t **bytes, struct mr_error *error)
{
    struct group_body *group = (struct group_body *)body;
    void *slot = NULL;
    enum mr_status status = mr_table_slot(group->table, group->object, index, write, &slot, error);
    *bytes = slot;
    return status;
}

static enum mr_status look_in_filters(const struct mr_duplicate_memory *memory,
                                      struct mr_duplicate_row *row, struct group_object *group,
                                      struct mr_error *error)
{
    struct group_body body = {.body = {.piece = group_piece, .piece_bytes = SLOT_BYTES},
                              .table = memory->groups,
                              .object = group};
    int64_t now = memory->by_records ? (int64_t)row->finding.number : group->latest_ms;
    return mr_sketch_generations_add(&memory->generations, group->head, &body.body,
                                     row->digest.words[0], now, &row->finding.is_duplicate,
                                     &row->finding.load, error);
}

/* Put the digest into the ring; *old is the one that it takes the place of. */
static enum mr_status turn_ring(const struct mr_duplicate_memory *memory,
                                const struct mr_duplicate_row *row, struct group_object *group,
                                struct mr_duplicate_digest *old, struct mr_error *error)
{
    void *slot;
    uint64_t place = row->finding.number % (memory->window_records + 1);
    enum mr_status status = mr_table_slot(memory->groups, group,
                                          (uint32_t)(place / DIGESTS_PER_SLOT), true, &slot, error);
    if (status != MR_OK)
        return status;
    uint8_t *bytes = (uint8_t *)slot + place % DIGESTS_PER_SLOT * DIGEST_BYTES;
    old->words[0] = mr_get_u64le(bytes);
    old->words[1] = mr_get_u64le(bytes + 8);
    mr_put_u64le(bytes, row->digest.words[0]);
    mr_put_u64le(bytes + 8, row->digest.words[1]);
    return MR_OK;
}

static void note_position(const struct mr_duplicate_row *row,
                          struct mr_duplicate_position *position)
{
    const struct mr_batch *batch = row->batch;
    const char *topic = batch->origin.topic == NULL ? "" : batch->origin.topic;
    size_t size = strlen(topic);
    *position = (struct mr_duplicate_position){.offset = batch->offsets[row->row],
                                               .time_ms = batch->event_times_ms[row->row],
                                               .partition = batch->origin.partition};
    position->topic_bytes = (uint8_t)(size < TOPIC_BYTES_MAX ? size : TOPIC_BYTES_MAX);
    memcpy(position->topic, topic, position->topic_bytes);
}

/* Whether left + window > right, for a window above 0. */
static bool reaches(int64_t left, int64_t window, int64_t right)
{
    return left >= right || (uint64_t)right - (uint64_t)left < (uint64_t)window;
}

static bool is_in_chain(const struct mr_duplicate_memory *memory, const struct value_object *value,
                        const struct mr_duplicate_row *row, uint64_t life)
{
    int64_t time_ms = row->batch->event_times_ms[row->row];
    if (memory->by_records)
        return value->life == life && row->finding.number > value->last_record &&
               row->finding.number - value->last_record <= memory->window_records;
    return reaches(value->last_ms, memory->window_ms, time_ms) &&
           reaches(time_ms, memory->window_ms, value->first_ms);
}

static enum mr_status look_among_values(const struct mr_duplicate_memory *memory,
                                        struct mr_duplicate_row *row, uint64_t life,
                                        struct mr_error *error)
{
    int64_t time_ms = row->batch->event_times_ms[row->row];
    struct mr_slice key = value_key(row->context->arena, row->key, &row->digest);
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(memory->values, key, mr_hash64(key), time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct value_object *value = object;
    struct mr_duplicate_finding *finding = &row->finding;
    finding->is_duplicate = !created && is_in_chain(memory, value, row, life);
    finding->count = 1;
    if (!finding->is_duplicate) {
        if (!created && !memory->by_records && time_ms < value->first_ms)
            return MR_OK; /* a window or more before what is known: not remembered */
        *value = (struct value_object){.first_ms = time_ms, .last_ms = time_ms, .life = life};
        note_position(row, &value->first);
    } else if (time_ms < value->first_ms) {
        value->first_ms = time_ms;
    } else if (time_ms > value->last_ms) {
        value->last_ms = time_ms;
    }
    value->last_record = finding->number;
    finding->count = ++value->count;
    finding->first = value->first;
    mr_table_dirty(memory->values, value);
    return MR_OK;
}

/* The record that left the window was the last one with its digest: forget that. */
static enum mr_status forget(const struct mr_duplicate_memory *memory,
                             const struct mr_duplicate_row *row,
                             const struct mr_duplicate_digest *old, uint64_t life,
                             struct mr_error *error)
{
    if (row->finding.number <= memory->window_records + 1)
        return MR_OK;
    struct mr_slice key = value_key(row->context->arena, row->key, old);
    uint64_t hash = mr_hash64(key);
    uint64_t left = row->finding.number - memory->window_records - 1;
    void *object;
    enum mr_status status = mr_table_find(memory->values, key, hash, &object, error);
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    const struct value_object *value = object;
    return value->life == life && value->last_record == left
               ? mr_table_remove(memory->values, key, hash, error)
               : MR_OK;
}

/* ---- Rows ---- */

/* Of the row's place. */
static uint64_t place_hash(const struct mr_duplicate_row *row, uint64_t sequence)
{
    const struct mr_batch *batch = row->batch;
    const char *topic = batch->origin.topic == NULL ? "" : batch->origin.topic;
    const int64_t numbers[] = {batch->offsets[row->row], batch->event_times_ms[row->row],
                               batch->origin.partition, (int64_t)sequence};
    return mr_hash64_seeded(mr_slice_text(topic),
                            mr_hash64(mr_slice_from(numbers, sizeof(numbers))));
}

static uint64_t sequence_of(const struct mr_duplicate_row *row)
{
    return row->batch->sequence_first + row->row;
}

/* Names a group's life; the same in a replay. */
static uint64_t new_life(const struct mr_duplicate_row *row)
{
    return place_hash(row, sequence_of(row));
}

/* Names a duplicate: the same in a replay, also where the ttl drops its group at another record (it
 * does between batches). */
static uint64_t name_of(const struct mr_duplicate_row *row)
{
    bool is_placed = row->batch->offsets[row->row] >= 0;
    uint64_t place = place_hash(row, is_placed ? 0 : sequence_of(row));
    return mr_hash64_seeded(mr_slice_from(&row->digest, sizeof(row->digest)),
                            place + row->finding.count);
}

static enum mr_status count_duplicate(const struct mr_duplicate_memory *memory,
                                      const struct mr_duplicate_row *row, struct mr_error *error)
{
    void *object;
    enum mr_status status =
        mr_table_find(memory->groups, row->key, mr_hash64(row->key), &object, error);
    if (status != MR_OK) /* a bound has dropped the group meanwhile */
        return status == MR_NOT_FOUND ? MR_OK : status;
    struct group_object *group = object;
    group->duplicates++;
    mr_table_dirty(memory->groups, group);
    return MR_OK;
}

enum mr_status mr_duplicate_memory_take(struct mr_duplicate_memory *memory,
                                        struct mr_duplicate_row *row, struct mr_error *error)
{
    int64_t time_ms = row->batch->event_times_ms[row->row];
    struct mr_duplicate_digest old = {0};
    void *object;
    bool created;
    enum mr_status status = mr_table_get(memory->groups, row->key, mr_hash64(row->key), time_ms,
                                         &object, &created, error);
    if (status != MR_OK)
        return status;
    struct group_object *group = object;
    if (created)
        *group = (struct group_object){.latest_ms = time_ms, .life = new_life(row)};
    if (time_ms > group->latest_ms)
        group->latest_ms = time_ms;
    row->finding.number = ++group->records;
    uint64_t life = group->life;
    mr_table_dirty(memory->groups, group);
    if (memory->form == MR_DUPLICATE_BLOOM)
        status = look_in_filters(memory, row, group, error);
    else if (memory->form == MR_DUPLICATE_RECORDS)
        status = turn_ring(memory, row, group, &old, error);
    if (status == MR_OK && memory->form != MR_DUPLICATE_BLOOM)
        status = look_among_values(memory, row, life, error);
    if (status == MR_OK && memory->form == MR_DUPLICATE_RECORDS)
        status = forget(memory, row, &old, life, error);
    if (status != MR_OK || !row->finding.is_duplicate)
        return status;
    row->finding.name = name_of(row);
    return count_duplicate(memory, row, error);
}

enum mr_status mr_duplicate_memory_expire(struct mr_duplicate_memory *memory, int64_t watermark_ms,
                                          struct mr_error *error)
{
    enum mr_status status = mr_table_expire(memory->groups, watermark_ms, error);
    if (status == MR_OK && memory->values != NULL)
        status = mr_table_expire(memory->values, watermark_ms, error);
    return status;
}

void mr_duplicate_memory_estimate(const struct mr_options *options,
                                  struct mr_state_estimate *estimate)
{
    struct mr_duplicate_memory memory = {0};
    struct mr_state_estimate value = {0};
    mr_duplicate_memory_read(&memory, options);
    mr_estimate_slots(sizeof(struct group_object),
                      memory.form == MR_DUPLICATE_BLOOM ? GROUP_BYTES_MAX : GROUP_BYTES, SLOT_BYTES,
                      slots_of(&memory), estimate);
    if (memory.form == MR_DUPLICATE_BLOOM)
        return;
    mr_estimate_object(sizeof(struct value_object), DIGEST_BYTES + VALUE_BYTES_MAX, &value);
    uint64_t values = memory.by_records ? memory.window_records + 1 : 1;
    estimate->object_bytes += values * value.object_bytes;
    estimate->stored_bytes += values * value.stored_bytes;
    estimate->changelog_bytes_per_record += value.changelog_bytes_per_record;
    if (memory.by_records) /* and the one that is forgotten */
        estimate->changelog_bytes_per_record +=
            MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES + DIGEST_BYTES;
}
