/* operators/aggregate_cardinality.c — approx_count_distinct: HyperLogLog.
 * Sources: Flajolet, Fusy, Gandouet, Meunier, HyperLogLog: the analysis of a near-optimal
 * cardinality estimation algorithm (2007); Heule, Nunkesser, Hall, HyperLogLog in practice (2013),
 * for the sparse form; Ertl, New cardinality estimation algorithms for HyperLogLog sketches (2017),
 * for an estimate without tables and without a bias at small numbers.
 * Design: a value's hash of 64 bits names a register by its first bits and a rank: the place of the
 * first 1 behind them. A register keeps the largest rank. Small groups are sparse: a sorted list of
 * up to 30 entries, each with the first 25 bits and the rank behind them, from which every register
 * can be made; their number is the estimate. Head, 128 bytes: u32 1 when dense; u32 entries; the
 * entries (u32: 25 bits of hash, 7 of rank), zero when dense. Body when dense: one byte per
 * register. A merge takes the larger rank: it is exact, whatever the grouping. */
#include "operators/aggregate_cell.h"

#include "base/assert.h"
#include "base/hash.h"

#include <math.h>

enum { ENTRIES_MAX = 30, SPARSE_BITS = 25, RANK_BITS = 7, RANKS_MAX = 64, PRECISION_MAX = 16 };

struct cardinality_head {
    uint32_t dense;
    uint32_t count;
    uint32_t entries[ENTRIES_MAX];
};

_Static_assert(sizeof(struct cardinality_head) == 128, "the head has no padding");

static uint32_t precision_of(const struct mr_aggregate *aggregate)
{
    return (uint32_t)aggregate->call->parameters[0];
}

static enum mr_status cardinality_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    uint32_t registers = 1u << precision_of(aggregate);
    aggregate->pieces_max = (registers + aggregate->piece_bytes - 1) / aggregate->piece_bytes;
    return MR_OK;
}

/* The place of the first 1 among bits_count bits, which are the upper ones of bits; bits_count + 1
 * when there is none. */
static uint32_t rank_of(uint64_t bits, uint32_t bits_count)
{
    uint32_t zeros = bits == 0 ? 64 : (uint32_t)__builtin_clzll(bits);
    return (zeros < bits_count ? zeros : bits_count) + 1;
}

static uint32_t entry_of(const struct mr_value *value)
{
    struct mr_aggregate_key key = mr_aggregate_key_of(value);
    uint64_t hash = mr_hash64(mr_slice_from(key.bytes, sizeof(key.bytes)));
    uint32_t index = (uint32_t)(hash >> (64 - SPARSE_BITS));
    return index << RANK_BITS | rank_of(hash << SPARSE_BITS, 64 - SPARSE_BITS);
}

/* ---- Dense ---- */

static enum mr_status raise_register(struct mr_aggregate_body *body, uint32_t index, uint8_t rank,
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
static enum mr_status raise_by_entry(struct mr_aggregate_body *body, uint32_t precision,
                                     uint32_t entry, struct mr_error *error)
{
    uint32_t index = entry >> RANK_BITS;
    uint32_t between_count = SPARSE_BITS - precision;
    uint64_t between = (uint64_t)index << (64 - between_count);
    uint32_t rank = between == 0 ? between_count + (entry & ((1u << RANK_BITS) - 1))
                                 : rank_of(between, between_count);
    return raise_register(body, index >> between_count, (uint8_t)rank, error);
}

static enum mr_status make_dense(struct cardinality_head *cardinality,
                                 struct mr_aggregate_body *body, uint32_t precision,
                                 struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < cardinality->count && status == MR_OK; index++)
        status = raise_by_entry(body, precision, cardinality->entries[index], error);
    *cardinality = (struct cardinality_head){.dense = 1};
    return status;
}

/* ---- Sparse ---- */

static enum mr_status take_entry(struct cardinality_head *cardinality,
                                 struct mr_aggregate_body *body, uint32_t precision, uint32_t entry,
                                 struct mr_error *error)
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

/* ---- The function ---- */

static enum mr_status cardinality_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                        struct mr_aggregate_body *body,
                                        const struct mr_aggregate_row *row, struct mr_error *error)
{
    MR_UNUSED(head);
    MR_UNUSED(body);
    return mr_aggregate_skips(&row->arguments[0])
               ? MR_OK
               : mr_aggregate_cell_check(aggregate, UINT32_MAX, &row->arguments[0], error);
}

static enum mr_status cardinality_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                      struct mr_aggregate_body *body,
                                      const struct mr_aggregate_row *row, struct mr_error *error)
{
    enum mr_status status = cardinality_check(aggregate, head, body, row, error);
    if (status != MR_OK || mr_aggregate_skips(&row->arguments[0]))
        return status;
    struct cardinality_head cardinality;
    memcpy(&cardinality, head, sizeof(cardinality));
    status = take_entry(&cardinality, body, precision_of(aggregate), entry_of(&row->arguments[0]),
                        error);
    if (status == MR_OK)
        memcpy(head, &cardinality, sizeof(cardinality));
    return status;
}

static enum mr_status merge_registers(struct mr_aggregate_body *body,
                                      struct mr_aggregate_body *other_body, uint32_t piece,
                                      struct mr_error *error)
{
    uint8_t copy[MR_AGGREGATE_PIECE_BYTES_MAX];
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

static enum mr_status cardinality_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                        struct mr_aggregate_body *body, const uint8_t *other_head,
                                        struct mr_aggregate_body *other_body,
                                        struct mr_error *error)
{
    struct cardinality_head cardinality;
    struct cardinality_head other;
    memcpy(&cardinality, head, sizeof(cardinality));
    memcpy(&other, other_head, sizeof(other));
    uint32_t precision = precision_of(aggregate);
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < other.count && status == MR_OK; index++)
        status = take_entry(&cardinality, body, precision, other.entries[index], error);
    if (status == MR_OK && other.dense != 0) {
        if (cardinality.dense == 0)
            status = make_dense(&cardinality, body, precision, error);
        for (uint32_t piece = 0; piece < aggregate->pieces_max && status == MR_OK; piece++)
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

static enum mr_status cardinality_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                         struct mr_aggregate_body *body,
                                         const struct mr_aggregate_span *span,
                                         struct mr_arena *arena, struct mr_value *result,
                                         struct mr_error *error)
{
    MR_UNUSED(span);
    MR_UNUSED(arena);
    struct cardinality_head cardinality;
    memcpy(&cardinality, head, sizeof(cardinality));
    *result = mr_value_int(cardinality.count);
    if (cardinality.dense == 0)
        return MR_OK;
    uint32_t counts[RANKS_MAX] = {0};
    uint32_t registers = 1u << precision_of(aggregate);
    for (uint32_t first = 0; first < registers; first += body->piece_bytes) {
        uint8_t *bytes;
        enum mr_status status = body->piece(body, first / body->piece_bytes, false, &bytes, error);
        if (status != MR_OK)
            return status;
        for (uint32_t index = 0; index < body->piece_bytes && first + index < registers; index++)
            counts[bytes[index] % RANKS_MAX]++;
    }
    *result = mr_value_int((int64_t)llround(estimate(counts, precision_of(aggregate))));
    return MR_OK;
}

static const struct mr_aggregate_parameter cardinality_parameters[] = {
    {.name = "precision",
     .minimum = 8,
     .maximum = PRECISION_MAX,
     .is_integer = true,
     .default_number = 12,
     .help = "2^precision bytes per group, and a standard error of 1.04 / 2^(precision / 2): 1.6 % "
             "with 12, 0.4 % with 16."}};

const struct mr_aggregate_function mr_aggregate_approx_count_distinct = {
    .spec = {.name = "approx_count_distinct",
             .help = "About the number of distinct values, without null and absent ones, by "
                     "HyperLogLog: exact up to 30, then with a standard error of 1.6 % (2 of 3 "
                     "results are nearer, 997 of 1000 within three times that). Equal numbers of "
                     "different types are one value.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = cardinality_parameters,
             .parameters_count = MR_ARRAY_COUNT(cardinality_parameters),
             .result = MR_TYPE_INT},
    .head_bytes = sizeof(struct cardinality_head),
    .prepare = cardinality_prepare,
    .check = cardinality_check,
    .add = cardinality_add,
    .merge = cardinality_merge,
    .result = cardinality_result};
