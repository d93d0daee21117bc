/* base/sketch_quantile.c — see sketch_quantile.h.
 * Design: a bin is what doubles have in common in their upper bits: sign, exponent and the first
 * six bits of the fraction, so that the widest bin's ends are 1/64 apart and its middle is within
 * 0.8 % of both. No logarithm is taken: the same bits give the same bin on every machine. Bins lie
 * in pieces by number / bins per piece; the head says which piece holds which. When a value needs a
 * 33rd piece, all bins are joined in pairs (one bit less: twice the error) until it fits: that
 * depends on the values alone and not on their order, so that merges are exact.
 * The first 16 values of a group stay in the head, and their quantiles are exact.
 * Head, 160 bytes: u64 count; double min, max; u32 pieces (0: the values are in the head); u32
 * joins; 16 doubles in the order they came, or 32 i32: the number of each piece's bins. Body: u64
 * counts. */
#include "base/sketch_quantile.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum {
    VALUES_IN_HEAD = 16,
    PIECES_MAX = MR_SKETCH_QUANTILE_PIECES_MAX,
    BIN_SHIFT = 46, /* 52 bits of fraction less 6 */
    JOINS_MAX = 18  /* a bin then holds all numbers of a sign */
};

struct quantile_head {
    uint64_t count;
    double minimum;
    double maximum;
    uint32_t pieces;
    uint32_t joins;
    union {
        double values[VALUES_IN_HEAD];
        int32_t numbers[PIECES_MAX];
    };
};

_Static_assert(sizeof(struct quantile_head) == MR_SKETCH_QUANTILE_HEAD_BYTES,
               "the head has no padding");

/* ---- Bins ---- */

/* Half, rounded down, of numbers below zero too. */
static int32_t halved(int32_t number, uint32_t times)
{
    return number < 0 ? ~(int32_t)((uint32_t)~number >> times)
                      : (int32_t)((uint32_t)number >> times);
}

/* Ascending with the numbers: below zero the bits are turned around. */
static int32_t bin_of(double number, uint32_t joins)
{
    uint64_t bits;
    double magnitude = fabs(number) < DBL_MIN ? 0 : fabs(number);
    memcpy(&bits, &magnitude, sizeof(bits));
    int32_t bin = (int32_t)(bits >> BIN_SHIFT);
    return halved(number < 0 && magnitude > 0 ? ~bin : bin, joins);
}

/* The number whose relative distance to both ends of the bin is least. */
static double middle_of(int32_t bin, uint32_t joins)
{
    uint64_t low_bits = (uint64_t)(bin < 0 ? ~bin : bin) << joins << BIN_SHIFT;
    uint64_t high_bits = low_bits + (1ull << joins << BIN_SHIFT);
    double low;
    double high;
    memcpy(&low, &low_bits, sizeof(low));
    memcpy(&high, &high_bits, sizeof(high));
    double middle = 2 * (low / (1 + low / fmin(high, DBL_MAX)));
    return bin < 0 ? -middle : middle;
}

/* Bins of a piece are a power of two: joining two pieces of neighbours fills one. */
static uint32_t bins_shift(const struct mr_sketch_body *body)
{
    return 31 - (uint32_t)__builtin_clz(body->piece_bytes / (uint32_t)sizeof(uint64_t));
}

/* ---- Joining ---- */

struct bins {
    uint64_t counts[MR_SKETCH_PIECE_BYTES_MAX / sizeof(uint64_t)];
};

static enum mr_status read_bins(struct mr_sketch_body *body, uint32_t piece, struct bins *bins,
                                struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = body->piece(body, piece, false, &bytes, error);
    if (status == MR_OK)
        memcpy(bins->counts, bytes, body->piece_bytes);
    return status;
}

static enum mr_status write_bins(struct mr_sketch_body *body, uint32_t piece,
                                 const struct bins *bins, struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = body->piece(body, piece, true, &bytes, error);
    if (status == MR_OK)
        memcpy(bytes, bins->counts, body->piece_bytes);
    return status;
}

/* Add the joined bins of `from` to the half of `to` that is theirs. */
static void join_bins(struct bins *to, const struct bins *from, bool upper, uint32_t count)
{
    uint64_t *half = to->counts + (upper ? count / 2 : 0);
    for (uint32_t index = 0; index < count; index++)
        half[index / 2] += from->counts[index];
}

/* One bit less. Pieces are visited in ascending order and land in one that was visited before, or
 * in their own place moved down: nothing is overwritten before it was read. */
static enum mr_status join(struct quantile_head *quantile, struct mr_sketch_body *body,
                           struct mr_error *error)
{
    uint32_t pieces = 0;
    uint32_t bins_count = 1u << bins_shift(body);
    for (uint32_t piece = 0; piece < quantile->pieces; piece++) {
        struct bins from;
        struct bins to = {0};
        int32_t number = halved(quantile->numbers[piece], 1);
        uint32_t place = 0;
        while (place < pieces && quantile->numbers[place] != number)
            place++;
        enum mr_status status = read_bins(body, piece, &from, error);
        if (status == MR_OK && place < pieces)
            status = read_bins(body, place, &to, error);
        if (status != MR_OK)
            return status;
        join_bins(&to, &from, (quantile->numbers[piece] & 1) != 0, bins_count);
        status = write_bins(body, place, &to, error);
        if (status != MR_OK)
            return status;
        quantile->numbers[place] = number;
        pieces += place == pieces;
    }
    for (uint32_t piece = pieces; piece < quantile->pieces; piece++) {
        static const struct bins nothing;
        enum mr_status status = write_bins(body, piece, &nothing, error);
        if (status != MR_OK)
            return status;
        quantile->numbers[piece] = 0;
    }
    quantile->pieces = pieces;
    quantile->joins++;
    return MR_OK;
}

/* ---- Counting ---- */

/* Count a value whose bin at `joins` joins is given; the head may have joined more often. */
static enum mr_status count_bin(struct quantile_head *quantile, struct mr_sketch_body *body,
                                int32_t bin, uint32_t joins, uint64_t count, struct mr_error *error)
{
    uint32_t shift = bins_shift(body);
    for (;;) {
        int32_t joined = halved(bin, quantile->joins - joins);
        int32_t number = halved(joined, shift);
        uint32_t piece = 0;
        while (piece < quantile->pieces && quantile->numbers[piece] != number)
            piece++;
        if (piece < PIECES_MAX) {
            uint8_t *bytes;
            uint64_t counted;
            enum mr_status status = body->piece(body, piece, true, &bytes, error);
            if (status != MR_OK)
                return status;
            uint8_t *place = bytes + (((uint32_t)joined & ((1u << shift) - 1)) * sizeof(counted));
            memcpy(&counted, place, sizeof(counted));
            counted += count;
            memcpy(place, &counted, sizeof(counted));
            quantile->numbers[piece] = number;
            quantile->pieces += piece == quantile->pieces;
            return MR_OK;
        }
        enum mr_status status = join(quantile, body, error);
        if (status != MR_OK)
            return status;
    }
}

/* From values in the head to bins. */
static enum mr_status spill(struct quantile_head *quantile, struct mr_sketch_body *body,
                            struct mr_error *error)
{
    double values[VALUES_IN_HEAD];
    memcpy(values, quantile->values, sizeof(values));
    memset(quantile->values, 0, sizeof(quantile->values));
    enum mr_status status = MR_OK;
    for (uint64_t index = 0; index < quantile->count && status == MR_OK; index++)
        status = count_bin(quantile, body, bin_of(values[index], quantile->joins), quantile->joins,
                           1, error);
    return status;
}

static void note_extremes(struct quantile_head *quantile, double minimum, double maximum)
{
    quantile->minimum = quantile->count == 0 ? minimum : fmin(quantile->minimum, minimum);
    quantile->maximum = quantile->count == 0 ? maximum : fmax(quantile->maximum, maximum);
}

static enum mr_status take_value(struct quantile_head *quantile, struct mr_sketch_body *body,
                                 double number, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    number += 0.0; /* no -0.0 */
    if (quantile->pieces == 0 && quantile->count == VALUES_IN_HEAD)
        status = spill(quantile, body, error);
    if (status == MR_OK && quantile->pieces > 0)
        status =
            count_bin(quantile, body, bin_of(number, quantile->joins), quantile->joins, 1, error);
    else if (status == MR_OK)
        quantile->values[quantile->count] = number;
    note_extremes(quantile, number, number);
    quantile->count++;
    return status;
}

enum mr_status mr_sketch_quantile_add(const struct mr_sketch *sketch, uint8_t *head,
                                      struct mr_sketch_body *body, double number,
                                      struct mr_error *error)
{
    MR_UNUSED(sketch);
    MR_ASSERT(isfinite(number));
    struct quantile_head quantile;
    memcpy(&quantile, head, sizeof(quantile));
    enum mr_status status = take_value(&quantile, body, number, error);
    if (status == MR_OK)
        memcpy(head, &quantile, sizeof(quantile));
    return status;
}

static enum mr_status merge_bins(struct quantile_head *quantile, struct mr_sketch_body *body,
                                 const struct quantile_head *other,
                                 struct mr_sketch_body *other_body, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    while (quantile->joins < other->joins && status == MR_OK)
        status = join(quantile, body, error);
    int32_t bins_count = (int32_t)(1u << bins_shift(body));
    for (uint32_t piece = 0; piece < other->pieces && status == MR_OK; piece++) {
        struct bins bins;
        status = read_bins(other_body, piece, &bins, error);
        for (int32_t index = 0; index < bins_count && status == MR_OK; index++)
            if (bins.counts[index] > 0)
                status = count_bin(quantile, body, other->numbers[piece] * bins_count + index,
                                   other->joins, bins.counts[index], error);
    }
    return status;
}

enum mr_status mr_sketch_quantile_merge(const struct mr_sketch *sketch, uint8_t *head,
                                        struct mr_sketch_body *body, const uint8_t *other_head,
                                        struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(sketch);
    struct quantile_head quantile;
    struct quantile_head other;
    memcpy(&quantile, head, sizeof(quantile));
    memcpy(&other, other_head, sizeof(other));
    enum mr_status status = MR_OK;
    if (other.pieces == 0) {
        for (uint64_t index = 0; index < other.count && status == MR_OK; index++)
            status = take_value(&quantile, body, other.values[index], error);
    } else {
        if (quantile.pieces == 0)
            status = spill(&quantile, body, error);
        if (status == MR_OK)
            status = merge_bins(&quantile, body, &other, other_body, error);
        note_extremes(&quantile, other.minimum, other.maximum);
        quantile.count += other.count;
    }
    if (status == MR_OK)
        memcpy(head, &quantile, sizeof(quantile));
    return status;
}

/* ---- Results ---- */

static int compare_doubles(const void *left, const void *right)
{
    double first;
    double second;
    memcpy(&first, left, sizeof(first));
    memcpy(&second, right, sizeof(second));
    return first < second ? -1 : first > second;
}

/* A piece's place by the number of its bins. */
struct place {
    int32_t number;
    uint32_t piece;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *first = left;
    const struct place *second = right;
    return first->number < second->number ? -1 : first->number > second->number;
}

/* The number of the bin that holds the value of this rank, from 1. */
static enum mr_status find_rank(const struct quantile_head *quantile, struct mr_sketch_body *body,
                                uint64_t rank, int32_t *bin, struct mr_error *error)
{
    struct place places[PIECES_MAX];
    for (uint32_t piece = 0; piece < quantile->pieces; piece++)
        places[piece] = (struct place){quantile->numbers[piece], piece};
    qsort(places, quantile->pieces, sizeof(places[0]), compare_places);
    int32_t bins_count = (int32_t)(1u << bins_shift(body));
    uint64_t seen = 0;
    for (uint32_t index = 0; index < quantile->pieces; index++) {
        struct bins bins;
        enum mr_status status = read_bins(body, places[index].piece, &bins, error);
        if (status != MR_OK)
            return status;
        for (int32_t place = 0; place < bins_count; place++) {
            seen += bins.counts[place];
            *bin = places[index].number * bins_count + place;
            if (seen >= rank)
                return MR_OK;
        }
    }
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "the bins of a sketch (quantile) are not what was written");
}

static enum mr_status value_of_rank(struct quantile_head *quantile, struct mr_sketch_body *body,
                                    uint64_t rank, double *value, struct mr_error *error)
{
    if (quantile->pieces == 0) {
        qsort(quantile->values, quantile->count, sizeof(quantile->values[0]), compare_doubles);
        *value = quantile->values[rank - 1];
        return MR_OK;
    }
    *value = rank == 1 ? quantile->minimum : quantile->maximum;
    if (rank == 1 || rank == quantile->count)
        return MR_OK;
    int32_t bin;
    enum mr_status status = find_rank(quantile, body, rank, &bin, error);
    if (status == MR_OK)
        *value = fmax(quantile->minimum, fmin(quantile->maximum, middle_of(bin, quantile->joins)));
    return status;
}

uint64_t mr_sketch_quantile_count(const uint8_t *head)
{
    struct quantile_head quantile;
    memcpy(&quantile, head, sizeof(quantile));
    return quantile.count;
}

enum mr_status mr_sketch_quantile_of_share(const uint8_t *head, struct mr_sketch_body *body,
                                           double share, double *number, struct mr_error *error)
{
    struct quantile_head quantile;
    memcpy(&quantile, head, sizeof(quantile));
    MR_ASSERT(quantile.count > 0);
    double wanted = ceil(share * (double)quantile.count);
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
    return value_of_rank(&quantile, body, rank < quantile.count ? rank : quantile.count, number,
                         error);
}

/* ---- The shape ---- */

static bool head_is_fine(const struct quantile_head *quantile)
{
    if (quantile->pieces > PIECES_MAX || quantile->joins > JOINS_MAX ||
        !isfinite(quantile->minimum) || !isfinite(quantile->maximum) ||
        quantile->minimum > quantile->maximum)
        return false;
    if (quantile->pieces > 0) {
        for (uint32_t piece = 0; piece < PIECES_MAX; piece++)
            for (uint32_t other = 0; other < piece && piece < quantile->pieces; other++)
                if (quantile->numbers[piece] == quantile->numbers[other])
                    return false;
        return true;
    }
    for (uint32_t index = 0; index < VALUES_IN_HEAD; index++)
        if (index < quantile->count ? !(quantile->values[index] >= quantile->minimum &&
                                        quantile->values[index] <= quantile->maximum)
                                    : quantile->values[index] != 0)
            return false;
    return quantile->count <= VALUES_IN_HEAD;
}

static enum mr_status quantile_check(const struct mr_sketch *sketch, const uint8_t *head,
                                     struct mr_sketch_body *body, struct mr_error *error)
{
    struct quantile_head quantile;
    uint64_t counted = 0;
    memcpy(&quantile, head, sizeof(quantile));
    if (!head_is_fine(&quantile))
        return mr_sketch_corrupt(sketch, "its head cannot be", error);
    for (uint32_t piece = 0; piece < sketch->pieces_max; piece++) {
        struct bins bins;
        enum mr_status status = read_bins(body, piece, &bins, error);
        if (status != MR_OK)
            return status;
        for (uint32_t bin = 0; bin < 1u << bins_shift(body); bin++) {
            counted += bins.counts[bin];
            if (bins.counts[bin] > quantile.count ||
                (piece >= quantile.pieces && bins.counts[bin] > 0))
                return mr_sketch_corrupt(sketch, "a bin cannot be", error);
        }
    }
    return counted == (quantile.pieces == 0 ? 0 : quantile.count)
               ? MR_OK
               : mr_sketch_corrupt(sketch, "its bins do not add up", error);
}

static const struct mr_sketch_type quantile_type = {.name = "quantile",
                                                    .kind = 2,
                                                    .head_bytes = MR_SKETCH_QUANTILE_HEAD_BYTES,
                                                    .check = quantile_check};

struct mr_sketch mr_sketch_quantile(uint32_t piece_bytes)
{
    return (struct mr_sketch){
        .type = &quantile_type, .piece_bytes = piece_bytes, .pieces_max = PIECES_MAX};
}
