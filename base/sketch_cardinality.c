/* base/sketch_cardinality.c — see sketch_cardinality.h.
 * Design: a value's hash of 64 bits names a register by its first bits and a rank: the place of the
 * first 1 behind them. A register keeps the largest rank. Small groups are sparse: a sorted list of
 * up to 30 entries, each with the first 25 bits and the rank behind them, from which every register
 * can be made; their number is the estimate. Head, 128 bytes: u32 1 when dense; u32 entries; the
 * entries (u32: 25 bits of hash, 7 of rank), zero when dense. Body when dense: one byte per
 * register. A merge takes the larger rank. */
#include "base/sketch_cardinality.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"

enum { ENTRIES_MAX = 30, SPARSE_BITS = 25, RANK_BITS = 7, RANKS_MAX = 64 };

struct cardinality_head {
    uint32_t dense;
    uint32_t count;
    uint32_t entries[ENTRIES_MAX];
};

_Static_assert(sizeof(struct cardinality_head) == MR_SKETCH_CARDINALITY_HEAD_BYTES,
               "the head has no padding");

/* The place of the first 1 among bits_count bits, which are the upper ones of bits; bits_count + 1
 * when there is none. */
static uint32_t rank_of(uint64_t bits, uint32_t bits_count)
{
    uint32_t zeros = bits == 0 ? 64 : (uint32_t)__builtin_clzll(bits);
    return (zeros < bits_count ? zeros : bits_count) + 1;
}

static uint32_t entry_of(uint64_t hash)
{
    uint32_t index = (uint32_t)(hash >> (64 - SPARSE_BITS));
    return index << RANK_BITS | rank_of(hash << SPARSE_BITS, 64 - SPARSE_BITS);
}

/* ---- Dense ---- */

static enum mr_status raise_register(struct mr_sketch_body *body, uint32_t index, uint8_t rank,
                                     struct mr_error *error)
{
    uint8_t *bytes;
    uint32_t piece = index / body->piece_bytes;
    enum mr_status status = body->piece(body, piece, false, &bytes, error);
    if (status != MR_OK || bytes[index % body->piece_bytes] >= rank)
        return status;
    status = body->piece(body, piece, true, &bytes, error);
    if (status == MR_OK)
        bytes[index % body->piece_bytes] = rank;
    return status;
}

/* The register's rank counts the entry's bits behind the register's number too. */
static enum mr_status raise_by_entry(struct mr_sketch_body *body, uint32_t precision,
                                     uint32_t entry, struct mr_error *error)
{
    uint32_t index = entry >> RANK_BITS;
    uint32_t between_count = SPARSE_BITS - precision;
    uint64_t between = (uint64_t)index << (64 - between_count);
    uint32_t rank = between == 0 ? between_count + (entry & ((1u << RANK_BITS) - 1))
                                 : rank_of(between, between_count);
    return raise_register(body, index >> between_count, (uint8_t)rank, error);
}

static enum mr_status make_dense(struct cardinality_head *cardinality, struct mr_sketch_body *body,
                                 uint32_t precision, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < cardinality->count && status == MR_OK; index++)
        status = raise_by_entry(body, precision, cardinality->entries[index], error);
    *cardinality = (struct cardinality_head){.dense = 1};
    return status;
}

/* ---- Sparse ---- */

static enum mr_status take_entry(struct cardinality_head *cardinality, struct mr_sketch_body *body,
                                 uint32_t precision, uint32_t entry, struct mr_error *error)
{
    if (cardinality->dense != 0)
        return raise_by_entry(body, precision, entry, error);
    uint32_t place = 0;
    while (place < cardinality->count && cardinality->entries[place] < entry)
        place++;
    /* Of one index only the largest rank stays. */
    if (place < cardinality->count &&
        cardinality->entries[place] >> RANK_BITS == entry >> RANK_BITS)
        return MR_OK;
    if (place > 0 && cardinality->entries[place - 1] >> RANK_BITS == entry >> RANK_BITS) {
        cardinality->entries[place - 1] = entry;
        return MR_OK;
    }
    if (cardinality->count == ENTRIES_MAX) {
        enum mr_status status = make_dense(cardinality, body, precision, error);
        return status != MR_OK ? status : raise_by_entry(body, precision, entry, error);
    }
    memmove(cardinality->entries + place + 1, cardinality->entries + place,
            (cardinality->count - place) * sizeof(entry));
    cardinality->entries[place] = entry;
    cardinality->count++;
    return MR_OK;
}

/* ---- Adding and merging ---- */

enum mr_status mr_sketch_cardinality_add(const struct mr_sketch *sketch, uint8_t *head,
                                         struct mr_sketch_body *body, uint64_t hash,
                                         struct mr_error *error)
{
    struct cardinality_head cardinality;
    memcpy(&cardinality, head, sizeof(cardinality));
    enum mr_status status =
        take_entry(&cardinality, body, sketch->parameters[0], entry_of(hash), error);
    if (status == MR_OK)
        memcpy(head, &cardinality, sizeof(cardinality));
    return status;
}

static enum mr_status merge_registers(struct mr_sketch_body *body,
                                      struct mr_sketch_body *other_body, uint32_t piece,
                                      struct mr_error *error)
{
    uint8_t copy[MR_SKETCH_PIECE_BYTES_MAX];
    uint8_t *bytes;
    enum mr_status status = other_body->piece(other_body, piece, false, &bytes, error);
    if (status != MR_OK)
        return status;
    memcpy(copy, bytes, body->piece_bytes);
    status = body->piece(body, piece, true, &bytes, error);
    for (uint32_t index = 0; status == MR_OK && index < body->piece_bytes; index++)
        if (bytes[index] < copy[index])
            bytes[index] = copy[index];
    return status;
}

enum mr_status mr_sketch_cardinality_merge(const struct mr_sketch *sketch, uint8_t *head,
                                           struct mr_sketch_body *body, const uint8_t *other_head,
                                           struct mr_sketch_body *other_body,
                                           struct mr_error *error)
{
    struct cardinality_head cardinality;
    struct cardinality_head other;
    memcpy(&cardinality, head, sizeof(cardinality));
    memcpy(&other, other_head, sizeof(other));
    uint32_t precision = sketch->parameters[0];
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < other.count && status == MR_OK; index++)
        status = take_entry(&cardinality, body, precision, other.entries[index], error);
    if (status == MR_OK && other.dense != 0) {
        if (cardinality.dense == 0)
            status = make_dense(&cardinality, body, precision, error);
        for (uint32_t piece = 0; piece < sketch->pieces_max && status == MR_OK; piece++)
            status = merge_registers(body, other_body, piece, error);
    }
    if (status == MR_OK)
        memcpy(head, &cardinality, sizeof(cardinality));
    return status;
}

/* ---- The estimate (Ertl, algorithm 6) ---- */

static double sigma(double x)
{
    if (x == 1)
        return (double)INFINITY;
    double term = 1;
    double sum = x;
    double before;
    do {
        x *= x;
        before = sum;
        sum += x * term;
        term += term;
    } while (sum != before);
    return sum;
}

static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double term = 1;
    double sum = 1 - x;
    double before;
    do {
        x = sqrt(x);
        before = sum;
        term *= 0.5;
        sum -= (1 - x) * (1 - x) * term;
    } while (sum != before);
    return sum / 3;
}

/* counts[rank] registers have that rank. */
static double estimate(const uint32_t counts[RANKS_MAX], uint32_t precision)
{
    double registers = (double)(1u << precision);
    uint32_t most = 64 - precision;
    double sum = registers * tau(1 - counts[most + 1] / registers);
    for (uint32_t rank = most; rank >= 1; rank--)
        sum = 0.5 * (sum + counts[rank]);
    sum += registers * sigma(counts[0] / registers);
    return registers * registers / (2 * log(2) * sum);
}

/* How many registers have each rank. */
static enum mr_status count_ranks(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                  uint32_t counts[RANKS_MAX], struct mr_error *error)
{
    uint32_t registers = 1u << sketch->parameters[0];
    for (uint32_t first = 0; first < registers; first += body->piece_bytes) {
        uint8_t *bytes;
        enum mr_status status = body->piece(body, first / body->piece_bytes, false, &bytes, error);
        if (status != MR_OK)
            return status;
        for (uint32_t index = 0; index < body->piece_bytes && first + index < registers; index++)
            counts[bytes[index] % RANKS_MAX]++;
    }
    return MR_OK;
}

enum mr_status mr_sketch_cardinality_estimate(const struct mr_sketch *sketch, const uint8_t *head,
                                              struct mr_sketch_body *body, int64_t *values,
                                              struct mr_error *error)
{
    struct cardinality_head cardinality;
    memcpy(&cardinality, head, sizeof(cardinality));
    *values = cardinality.count;
    if (cardinality.dense == 0)
        return MR_OK;
    uint32_t counts[RANKS_MAX] = {0};
    enum mr_status status = count_ranks(sketch, body, counts, error);
    if (status == MR_OK)
        *values = (int64_t)llround(estimate(counts, sketch->parameters[0]));
    return status;
}

/* ---- The shape ---- */

static bool entries_are_fine(const struct cardinality_head *cardinality)
{
    for (uint32_t index = 0; index < ENTRIES_MAX; index++) {
        uint32_t entry = cardinality->entries[index];
        uint32_t rank = entry & ((1u << RANK_BITS) - 1);
        if (index >= cardinality->count ? entry != 0
                                        : rank < 1 || rank > 64 - SPARSE_BITS + 1 ||
                                              (index > 0 && cardinality->entries[index - 1] >>
                                                                RANK_BITS >= entry >> RANK_BITS))
            return false;
    }
    return true;
}

static enum mr_status cardinality_check(const struct mr_sketch *sketch, const uint8_t *head,
                                        struct mr_sketch_body *body, struct mr_error *error)
{
    struct cardinality_head cardinality;
    uint32_t most = 64 - sketch->parameters[0] + 1;
    memcpy(&cardinality, head, sizeof(cardinality));
    if (cardinality.dense > 1 || cardinality.count > ENTRIES_MAX ||
        (cardinality.dense == 1 && cardinality.count > 0) || !entries_are_fine(&cardinality))
        return mr_sketch_corrupt(sketch, "its entries cannot be", error);
    for (uint32_t piece = 0; piece < sketch->pieces_max; piece++) {
        uint8_t *bytes;
        enum mr_status status = body->piece(body, piece, false, &bytes, error);
        if (status != MR_OK)
            return status;
        for (uint32_t index = 0; index < sketch->piece_bytes; index++)
            if (bytes[index] > most || (cardinality.dense == 0 && bytes[index] > 0))
                return mr_sketch_corrupt(sketch, "a register cannot be", error);
    }
    return MR_OK;
}

static const struct mr_sketch_type cardinality_type = {.name = "cardinality",
                                                       .kind = 1,
                                                       .head_bytes =
                                                           MR_SKETCH_CARDINALITY_HEAD_BYTES,
                                                       .check = cardinality_check};

struct mr_sketch mr_sketch_cardinality(uint32_t precision, uint32_t piece_bytes)
{
    MR_ASSERT(precision >= MR_SKETCH_CARDINALITY_PRECISION_MIN &&
              precision <= MR_SKETCH_CARDINALITY_PRECISION_MAX);
    return (struct mr_sketch){.type = &cardinality_type,
                              .parameters = {precision},
                              .piece_bytes = piece_bytes,
                              .pieces_max = ((1u << precision) + piece_bytes - 1) / piece_bytes};
}
