/* base/sketch_frequent.c — see sketch_frequent.h.
 * Design: a value without a counter takes that with the least count, counts on from there, and
 * notes that count as its error. In a merge a value that one side has no counter for may have had
 * the least count there. Head, 16 bytes: u64 rows, u64 counters in use. Body: first the slots, u64
 * hash and u64 count of each counter; behind them, from a piece of their own, the u64 errors and
 * payloads of the values, so that a row of a known value changes one piece. */
#include "base/sketch_frequent.h"

#include <string.h>

#include "base/assert.h"

enum {
    COUNTERS_MAX = MR_SKETCH_FREQUENT_COUNTERS_MAX,
    SLOT_BYTES = 16,
    ERROR_BYTES = 8,
    COUNTERS = 0, /* parameters */
    PAYLOAD_BYTES = 1
};

struct frequent_head {
    uint64_t rows;
    uint64_t used;
};

struct slot {
    uint64_t hash;
    uint64_t count;
};

struct entry {
    uint64_t error;
    uint8_t payload[MR_SKETCH_FREQUENT_PAYLOAD_BYTES_MAX];
};

static uint32_t entry_bytes(const struct mr_sketch *sketch)
{
    return ERROR_BYTES + sketch->parameters[PAYLOAD_BYTES];
}

static uint32_t slot_pieces(const struct mr_sketch *sketch)
{
    uint32_t slots = sketch->piece_bytes / SLOT_BYTES;
    return (sketch->parameters[COUNTERS] + slots - 1) / slots;
}

static uint32_t entries_per_piece(const struct mr_sketch *sketch)
{
    return sketch->piece_bytes / entry_bytes(sketch);
}

/* ---- Slots and entries ---- */

static enum mr_status read_slots(struct mr_sketch_body *body, uint64_t used, struct slot *slots,
                                 struct mr_error *error)
{
    uint32_t per_piece = body->piece_bytes / SLOT_BYTES;
    for (uint64_t first = 0; first < used; first += per_piece) {
        uint8_t *bytes;
        enum mr_status status =
            body->piece(body, (uint32_t)(first / per_piece), false, &bytes, error);
        if (status != MR_OK)
            return status;
        uint64_t count = used - first < per_piece ? used - first : per_piece;
        memcpy(slots + first, bytes, count * SLOT_BYTES);
    }
    return MR_OK;
}

static enum mr_status write_slot(struct mr_sketch_body *body, uint32_t index,
                                 const struct slot *slot, struct mr_error *error)
{
    uint8_t *bytes;
    uint32_t per_piece = body->piece_bytes / SLOT_BYTES;
    enum mr_status status = body->piece(body, index / per_piece, true, &bytes, error);
    if (status == MR_OK)
        memcpy(bytes + (size_t)(index % per_piece) * SLOT_BYTES, slot, SLOT_BYTES);
    return status;
}

static enum mr_status entry_place(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                  uint32_t index, bool write, uint8_t **place,
                                  struct mr_error *error)
{
    uint32_t per_piece = entries_per_piece(sketch);
    enum mr_status status =
        body->piece(body, slot_pieces(sketch) + index / per_piece, write, place, error);
    if (status == MR_OK)
        *place += (size_t)(index % per_piece) * entry_bytes(sketch);
    return status;
}

static enum mr_status read_entry(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                 uint32_t index, struct entry *entry, struct mr_error *error)
{
    uint8_t *place;
    enum mr_status status = entry_place(sketch, body, index, false, &place, error);
    if (status == MR_OK)
        memcpy(entry, place, entry_bytes(sketch));
    return status;
}

static enum mr_status write_entry(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                  uint32_t index, const struct entry *entry, struct mr_error *error)
{
    uint8_t *place;
    enum mr_status status = entry_place(sketch, body, index, true, &place, error);
    if (status == MR_OK)
        memcpy(place, entry, entry_bytes(sketch));
    return status;
}

/* The slot of hash, or `used` when there is none; *least is the first one with the least count. */
static uint32_t find_slot(const struct slot *slots, uint64_t used, uint64_t hash, uint32_t *least)
{
    *least = 0;
    for (uint32_t index = 0; index < used; index++) {
        if (slots[index].hash == hash)
            return index;
        if (slots[index].count < slots[*least].count)
            *least = index;
    }
    return (uint32_t)used;
}

/* ---- Adding and merging ---- */

enum mr_status mr_sketch_frequent_add(const struct mr_sketch *sketch, uint8_t *head,
                                      struct mr_sketch_body *body, uint64_t hash, uint8_t **payload,
                                      struct mr_error *error)
{
    struct slot slots[COUNTERS_MAX];
    struct frequent_head frequent;
    uint32_t least;
    memcpy(&frequent, head, sizeof(frequent));
    enum mr_status status = read_slots(body, frequent.used, slots, error);
    if (status != MR_OK)
        return status;
    uint32_t index = find_slot(slots, frequent.used, hash, &least);
    struct slot slot = {.hash = hash, .count = 1};
    struct entry entry = {0};
    bool is_new = index == frequent.used;
    if (!is_new) {
        slot.count = slots[index].count + 1;
    } else if (frequent.used < sketch->parameters[COUNTERS]) {
        frequent.used++;
    } else {
        index = least;
        entry.error = slots[index].count;
        slot.count = entry.error + 1;
    }
    frequent.rows++;
    *payload = NULL;
    status = write_slot(body, index, &slot, error);
    if (status == MR_OK && is_new)
        status = write_entry(sketch, body, index, &entry, error);
    if (status == MR_OK && is_new)
        status = entry_place(sketch, body, index, true, payload, error);
    if (status != MR_OK)
        return status;
    if (is_new)
        *payload += ERROR_BYTES;
    memcpy(head, &frequent, sizeof(frequent));
    return MR_OK;
}

/* What a value without a counter may have counted. */
static uint64_t least_count(const struct mr_sketch *sketch, const struct slot *slots, uint64_t used)
{
    uint32_t least;
    find_slot(slots, used, 0, &least);
    return used < sketch->parameters[COUNTERS] ? 0 : slots[least].count;
}

/* One side of a merge. */
struct side {
    struct frequent_head head;
    struct mr_sketch_body *body;
    struct slot slots[COUNTERS_MAX];
    uint64_t missing; /* count of a value without a counter */
};

static enum mr_status open_side(const struct mr_sketch *sketch, const uint8_t *head,
                                struct mr_sketch_body *body, struct side *side,
                                struct mr_error *error)
{
    memcpy(&side->head, head, sizeof(side->head));
    side->body = body;
    enum mr_status status = read_slots(body, side->head.used, side->slots, error);
    if (status == MR_OK)
        side->missing = least_count(sketch, side->slots, side->head.used);
    return status;
}

/* Add to each own counter what the other side counted of its value. */
static enum mr_status raise_known(const struct mr_sketch *sketch, struct side *own,
                                  const struct side *other, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < own->head.used && status == MR_OK; index++) {
        uint32_t least;
        struct entry entry;
        struct entry others = {.error = other->missing};
        uint64_t count = other->missing;
        uint32_t found = find_slot(other->slots, other->head.used, own->slots[index].hash, &least);
        if (found < other->head.used) {
            count = other->slots[found].count;
            status = read_entry(sketch, other->body, found, &others, error);
        }
        own->slots[index].count += count;
        if (status == MR_OK && others.error > 0) {
            status = read_entry(sketch, own->body, index, &entry, error);
            entry.error += others.error;
            if (status == MR_OK)
                status = write_entry(sketch, own->body, index, &entry, error);
        }
    }
    return status;
}

/* Values that only the other side has counters for take free ones, or those of less. What is pushed
 * out here and met again later stays out: its count with `missing` is no larger. */
static enum mr_status take_new(const struct mr_sketch *sketch, struct side *own,
                               const struct side *other, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < other->head.used && status == MR_OK; index++) {
        struct slot slot = other->slots[index];
        struct entry entry;
        uint32_t least;
        uint32_t place = find_slot(own->slots, own->head.used, slot.hash, &least);
        slot.count += own->missing;
        if (place < own->head.used)
            continue;
        if (own->head.used < sketch->parameters[COUNTERS])
            own->head.used++;
        else if (own->slots[least].count < slot.count)
            place = least;
        else
            continue;
        status = read_entry(sketch, other->body, index, &entry, error);
        entry.error += own->missing;
        if (status == MR_OK)
            status = write_entry(sketch, own->body, place, &entry, error);
        own->slots[place] = slot;
    }
    return status;
}

enum mr_status mr_sketch_frequent_merge(const struct mr_sketch *sketch, uint8_t *head,
                                        struct mr_sketch_body *body, const uint8_t *other_head,
                                        struct mr_sketch_body *other_body, struct mr_error *error)
{
    struct side own;
    struct side other;
    enum mr_status status = open_side(sketch, head, body, &own, error);
    if (status == MR_OK)
        status = open_side(sketch, other_head, other_body, &other, error);
    if (status == MR_OK)
        status = raise_known(sketch, &own, &other, error);
    if (status == MR_OK)
        status = take_new(sketch, &own, &other, error);
    for (uint32_t index = 0; index < own.head.used && status == MR_OK; index++)
        status = write_slot(body, index, &own.slots[index], error);
    own.head.rows += other.head.rows;
    if (status == MR_OK)
        memcpy(head, &own.head, sizeof(own.head));
    return status;
}

/* ---- Reading ---- */

uint32_t mr_sketch_frequent_used(const uint8_t *head)
{
    struct frequent_head frequent;
    memcpy(&frequent, head, sizeof(frequent));
    return (uint32_t)frequent.used;
}

enum mr_status mr_sketch_frequent_value(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                        uint32_t index, struct mr_sketch_frequent_value *value,
                                        struct mr_error *error)
{
    uint8_t *place;
    uint32_t per_piece = sketch->piece_bytes / SLOT_BYTES;
    enum mr_status status = body->piece(body, index / per_piece, false, &place, error);
    if (status != MR_OK)
        return status;
    struct slot slot;
    memcpy(&slot, place + (size_t)(index % per_piece) * SLOT_BYTES, sizeof(slot));
    status = entry_place(sketch, body, index, false, &place, error);
    if (status != MR_OK)
        return status;
    *value = (struct mr_sketch_frequent_value){.count = slot.count, .payload = place + ERROR_BYTES};
    memcpy(&value->error, place, sizeof(value->error));
    return MR_OK;
}

/* ---- The shape ---- */

static enum mr_status frequent_check(const struct mr_sketch *sketch, const uint8_t *head,
                                     struct mr_sketch_body *body, struct mr_error *error)
{
    struct frequent_head frequent;
    struct slot slots[COUNTERS_MAX];
    memcpy(&frequent, head, sizeof(frequent));
    if (frequent.used > sketch->parameters[COUNTERS] || frequent.used > frequent.rows)
        return mr_sketch_corrupt(sketch, "its head cannot be", error);
    enum mr_status status = read_slots(body, frequent.used, slots, error);
    for (uint32_t index = 0; index < frequent.used && status == MR_OK; index++) {
        struct mr_sketch_frequent_value value;
        uint32_t least;
        status = mr_sketch_frequent_value(sketch, body, index, &value, error);
        if (status == MR_OK &&
            (value.count == 0 || value.count > frequent.rows || value.error >= value.count ||
             find_slot(slots, index, slots[index].hash, &least) < index))
            status = mr_sketch_corrupt(sketch, "a counter cannot be", error);
    }
    return status;
}

static const struct mr_sketch_type frequent_type = {.name = "frequent",
                                                    .kind = 3,
                                                    .head_bytes = MR_SKETCH_FREQUENT_HEAD_BYTES,
                                                    .check = frequent_check};

struct mr_sketch mr_sketch_frequent(uint32_t counters, uint32_t payload_bytes, uint32_t piece_bytes)
{
    struct mr_sketch sketch = {.type = &frequent_type,
                               .parameters = {counters, payload_bytes},
                               .piece_bytes = piece_bytes};
    MR_ASSERT(counters >= 1 && counters <= COUNTERS_MAX && payload_bytes > 0 &&
              payload_bytes <= MR_SKETCH_FREQUENT_PAYLOAD_BYTES_MAX);
    uint32_t entries = entries_per_piece(&sketch);
    sketch.pieces_max = slot_pieces(&sketch) + (counters + entries - 1) / entries;
    return sketch;
}
