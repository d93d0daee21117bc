/* operators/aggregate_frequent.c — heavy_hitters: Space-Saving.
 * Sources: Metwally, Agrawal, El Abbadi, Efficient computation of frequent and top-k elements in
 * data streams (2005); Agarwal and others, Mergeable summaries (2012), for the merge.
 * Design: of 10 n values there is a counter. A value without one takes that with the least count,
 * counts on from there, and notes that count as its error. So counts are never too low, and too
 * high by their error at most, which is never more than the rows divided by the counters. In a
 * merge a value that one side has no counter for may have had the least count there. Values are
 * told apart by a hash of 64 bits. Head, 16 bytes: u64 rows, u64 counters in use. Body: first the
 * slots, u64 hash and u64 count of each counter; behind them, from a piece of their own, the u64
 * errors and cells of the values, so that a row of a known value changes one piece. */
#include "operators/aggregate_cell.h"

#include "base/assert.h"
#include "base/hash.h"

#include <stdlib.h>

enum {
    COUNTERS_PER_VALUE = 10,
    VALUES_MAX = 100,
    COUNTERS_MAX = COUNTERS_PER_VALUE * VALUES_MAX,
    SLOT_BYTES = 16,
    ERROR_BYTES = 8,
    TEXT_BYTES_MAX = 200, /* an entry fits the smallest piece */
    ENTRY_BYTES_MAX = ERROR_BYTES + MR_AGGREGATE_CELL_HEAD_BYTES + TEXT_BYTES_MAX
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
    uint8_t cell[ENTRY_BYTES_MAX - ERROR_BYTES];
};

static uint32_t counters_of(const struct mr_aggregate *aggregate)
{
    return (uint32_t)aggregate->call->parameters[0] * COUNTERS_PER_VALUE;
}

static uint32_t cell_bytes_of(const struct mr_aggregate *aggregate)
{
    return mr_aggregate_cell_bytes(aggregate->call, 0, (uint32_t)aggregate->call->parameters[1]);
}

static uint32_t slot_pieces(const struct mr_aggregate *aggregate)
{
    uint32_t slots = aggregate->piece_bytes / SLOT_BYTES;
    return (counters_of(aggregate) + slots - 1) / slots;
}

static uint32_t entries_per_piece(const struct mr_aggregate *aggregate)
{
    return aggregate->piece_bytes / (ERROR_BYTES + cell_bytes_of(aggregate));
}

static enum mr_status frequent_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    uint32_t entries = entries_per_piece(aggregate);
    aggregate->pieces_max =
        slot_pieces(aggregate) + (counters_of(aggregate) + entries - 1) / entries;
    return MR_OK;
}

static uint64_t hash_of(const struct mr_value *value)
{
    struct mr_aggregate_key key = mr_aggregate_key_of(value);
    return mr_hash64(mr_slice_from(key.bytes, sizeof(key.bytes)));
}

/* ---- Slots and entries ---- */

static enum mr_status read_slots(struct mr_aggregate_body *body, uint64_t used, struct slot *slots,
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

static enum mr_status write_slot(struct mr_aggregate_body *body, uint32_t index,
                                 const struct slot *slot, struct mr_error *error)
{
    uint8_t *bytes;
    uint32_t per_piece = body->piece_bytes / SLOT_BYTES;
    enum mr_status status = body->piece(body, index / per_piece, true, &bytes, error);
    if (status == MR_OK)
        memcpy(bytes + (size_t)(index % per_piece) * SLOT_BYTES, slot, SLOT_BYTES);
    return status;
}

static enum mr_status entry_place(const struct mr_aggregate *aggregate,
                                  struct mr_aggregate_body *body, uint32_t index, bool write,
                                  uint8_t **place, struct mr_error *error)
{
    uint32_t per_piece = entries_per_piece(aggregate);
    enum mr_status status =
        body->piece(body, slot_pieces(aggregate) + index / per_piece, write, place, error);
    if (status == MR_OK)
        *place += (size_t)(index % per_piece) * (ERROR_BYTES + cell_bytes_of(aggregate));
    return status;
}

static enum mr_status read_entry(const struct mr_aggregate *aggregate,
                                 struct mr_aggregate_body *body, uint32_t index,
                                 struct entry *entry, struct mr_error *error)
{
    uint8_t *place;
    enum mr_status status = entry_place(aggregate, body, index, false, &place, error);
    if (status == MR_OK)
        memcpy(entry, place, ERROR_BYTES + cell_bytes_of(aggregate));
    return status;
}

static enum mr_status write_entry(const struct mr_aggregate *aggregate,
                                  struct mr_aggregate_body *body, uint32_t index,
                                  const struct entry *entry, struct mr_error *error)
{
    uint8_t *place;
    enum mr_status status = entry_place(aggregate, body, index, true, &place, error);
    if (status == MR_OK)
        memcpy(place, entry, ERROR_BYTES + cell_bytes_of(aggregate));
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

/* ---- The function ---- */

static enum mr_status frequent_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                     struct mr_aggregate_body *body,
                                     const struct mr_aggregate_row *row, struct mr_error *error)
{
    MR_UNUSED(head);
    MR_UNUSED(body);
    return mr_aggregate_skips(&row->arguments[0])
               ? MR_OK
               : mr_aggregate_cell_check(aggregate, cell_bytes_of(aggregate), &row->arguments[0],
                                         error);
}

static enum mr_status frequent_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                   struct mr_aggregate_body *body,
                                   const struct mr_aggregate_row *row, struct mr_error *error)
{
    const struct mr_value *value = &row->arguments[0];
    struct slot slots[COUNTERS_MAX];
    struct frequent_head frequent;
    enum mr_status status = frequent_check(aggregate, head, body, row, error);
    if (status != MR_OK || mr_aggregate_skips(value))
        return status;
    memcpy(&frequent, head, sizeof(frequent));
    status = read_slots(body, frequent.used, slots, error);
    if (status != MR_OK)
        return status;
    uint32_t least;
    uint64_t hash = hash_of(value);
    uint32_t index = find_slot(slots, frequent.used, hash, &least);
    struct slot slot = {.hash = hash};
    if (index < frequent.used) {
        slot.count = slots[index].count;
    } else {
        struct entry entry = {0};
        if (frequent.used < counters_of(aggregate)) {
            frequent.used++;
        } else {
            index = least;
            slot.count = slots[index].count;
            entry.error = slot.count;
        }
        mr_aggregate_cell_put(entry.cell, cell_bytes_of(aggregate), value);
        status = write_entry(aggregate, body, index, &entry, error);
    }
    slot.count++;
    frequent.rows++;
    if (status == MR_OK)
        status = write_slot(body, index, &slot, error);
    if (status == MR_OK)
        memcpy(head, &frequent, sizeof(frequent));
    return status;
}

/* What a value without a counter may have counted. */
static uint64_t least_count(const struct mr_aggregate *aggregate, const struct slot *slots,
                            uint64_t used)
{
    uint32_t least;
    find_slot(slots, used, 0, &least);
    return used < counters_of(aggregate) ? 0 : slots[least].count;
}

/* One side of a merge. */
struct side {
    struct frequent_head head;
    struct mr_aggregate_body *body;
    struct slot slots[COUNTERS_MAX];
    uint64_t missing; /* count of a value without a counter */
};

static enum mr_status open_side(const struct mr_aggregate *aggregate, const uint8_t *head,
                                struct mr_aggregate_body *body, struct side *side,
                                struct mr_error *error)
{
    memcpy(&side->head, head, sizeof(side->head));
    side->body = body;
    enum mr_status status = read_slots(body, side->head.used, side->slots, error);
    if (status == MR_OK)
        side->missing = least_count(aggregate, side->slots, side->head.used);
    return status;
}

/* Add to each own counter what the other side counted of its value. */
static enum mr_status raise_known(const struct mr_aggregate *aggregate, struct side *own,
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
            status = read_entry(aggregate, other->body, found, &others, error);
        }
        own->slots[index].count += count;
        if (status == MR_OK && others.error > 0) {
            status = read_entry(aggregate, own->body, index, &entry, error);
            entry.error += others.error;
            if (status == MR_OK)
                status = write_entry(aggregate, own->body, index, &entry, error);
        }
    }
    return status;
}

/* Values that only the other side has counters for take free ones, or those of less. What is pushed
 * out here and met again later stays out: its count with `missing` is no larger. */
static enum mr_status take_new(const struct mr_aggregate *aggregate, struct side *own,
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
        if (own->head.used < counters_of(aggregate))
            own->head.used++;
        else if (own->slots[least].count < slot.count)
            place = least;
        else
            continue;
        status = read_entry(aggregate, other->body, index, &entry, error);
        entry.error += own->missing;
        if (status == MR_OK)
            status = write_entry(aggregate, own->body, place, &entry, error);
        own->slots[place] = slot;
    }
    return status;
}

static enum mr_status frequent_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                     struct mr_aggregate_body *body, const uint8_t *other_head,
                                     struct mr_aggregate_body *other_body, struct mr_error *error)
{
    struct side own;
    struct side other;
    enum mr_status status = open_side(aggregate, head, body, &own, error);
    if (status == MR_OK)
        status = open_side(aggregate, other_head, other_body, &other, error);
    if (status == MR_OK)
        status = raise_known(aggregate, &own, &other, error);
    if (status == MR_OK)
        status = take_new(aggregate, &own, &other, error);
    for (uint32_t index = 0; index < own.head.used && status == MR_OK; index++)
        status = write_slot(body, index, &own.slots[index], error);
    own.head.rows += other.head.rows;
    if (status == MR_OK)
        memcpy(head, &own.head, sizeof(own.head));
    return status;
}

/* ---- The result ---- */

struct ranked {
    uint64_t count;
    uint64_t error;
    struct mr_value value;
};

/* Largest count first, then the smaller error, then the value. */
static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *first = left;
    const struct ranked *second = right;
    if (first->count != second->count)
        return first->count > second->count ? -1 : 1;
    if (first->error != second->error)
        return first->error < second->error ? -1 : 1;
    return mr_aggregate_compare(&first->value, &second->value);
}

static struct mr_value describe(const struct ranked *ranked, struct mr_arena *arena)
{
    enum { MEMBERS = 3 };
    static const char *const names[MEMBERS] = {"value", "count", "error"};
    struct mr_map_entry *entries = mr_arena_new(arena, MEMBERS, sizeof(*entries));
    for (uint32_t index = 0; index < MEMBERS; index++)
        entries[index].key = mr_value_string(mr_slice_text(names[index]));
    entries[0].value = ranked->value;
    entries[1].value = mr_value_int((int64_t)ranked->count);
    entries[2].value = mr_value_int((int64_t)ranked->error);
    return (struct mr_value){.kind = MR_KIND_MAP, .size = MEMBERS, .entries = entries};
}

static enum mr_status frequent_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                      struct mr_aggregate_body *body,
                                      const struct mr_aggregate_span *span, struct mr_arena *arena,
                                      struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(span);
    struct slot slots[COUNTERS_MAX];
    struct frequent_head frequent;
    memcpy(&frequent, head, sizeof(frequent));
    enum mr_status status = read_slots(body, frequent.used, slots, error);
    struct ranked *ranked = mr_arena_new(arena, frequent.used, sizeof(*ranked));
    for (uint32_t index = 0; index < frequent.used && status == MR_OK; index++) {
        struct entry entry;
        status = read_entry(aggregate, body, index, &entry, error);
        if (status != MR_OK)
            break;
        ranked[index] =
            (struct ranked){.count = slots[index].count,
                            .error = entry.error,
                            .value = mr_value_copy(arena, mr_aggregate_cell_view(entry.cell))};
    }
    if (status != MR_OK)
        return status;
    qsort(ranked, frequent.used, sizeof(*ranked), compare_ranked);
    uint32_t wanted = (uint32_t)aggregate->call->parameters[0];
    uint32_t count = frequent.used < wanted ? (uint32_t)frequent.used : wanted;
    struct mr_value *items = mr_arena_new(arena, count, sizeof(*items));
    for (uint32_t index = 0; index < count; index++)
        items[index] = describe(&ranked[index], arena);
    *result = (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
    return MR_OK;
}

static const struct mr_aggregate_parameter frequent_parameters[] = {
    {.name = "n",
     .minimum = 1,
     .maximum = VALUES_MAX,
     .is_integer = true,
     .required = true,
     .help = "How many values the list has at most; there are 10 n counters, and a row costs in "
             "proportion to them."},
    {.name = "bytes",
     .minimum = 8,
     .maximum = TEXT_BYTES_MAX,
     .is_integer = true,
     .default_number = 64,
     .help = "The longest text that is kept; a row with a longer one fails."}};

const struct mr_aggregate_function mr_aggregate_heavy_hitters = {
    .spec = {.name = "heavy_hitters",
             .help =
                 "A list of the n most frequent values, most frequent first, as {value, count, "
                 "error}, by Space-Saving with 10 n counters: a count is never too low, and too "
                 "high by `error` at most, which is at most the rows / (10 n); a value that is "
                 "more frequent than that has a counter. Exact for up to 10 n distinct values.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = frequent_parameters,
             .parameters_count = MR_ARRAY_COUNT(frequent_parameters),
             .result = MR_TYPE_LIST},
    .head_bytes = sizeof(struct frequent_head),
    .prepare = frequent_prepare,
    .check = frequent_check,
    .add = frequent_add,
    .merge = frequent_merge,
    .result = frequent_result};
