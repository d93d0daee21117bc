/* base/sketch_bloom.c — see sketch_bloom.h.
 * Design: a block is a piece: u64 stamp, then 4,032 bits. The upper bits of a value's hash choose
 * the block; numbers mixed from the whole hash choose the bits in it, each on its own: two bits
 * that gave all others would make values alike far more often than rates of 1e-6 allow. */
#include "base/sketch_bloom.h"

#include <string.h>

#include "base/assert.h"

enum {
    STAMP_BYTES = 8,
    BLOCK_BITS = (MR_SKETCH_BLOOM_PIECE_BYTES - STAMP_BYTES) * 8,
    BLOCKS = 0, /* parameters */
    BITS = 1
};

/* The next of the numbers that follow from a hash (SplitMix64: Steele, Lea, Flood, 2014). */
static uint64_t mixed(uint64_t *state)
{
    uint64_t number = *state += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

/* The value's bits, two to a number. */
static void choose_bits(uint64_t hash, uint32_t count, uint32_t places[MR_SKETCH_BLOOM_BITS_MAX])
{
    uint64_t state = hash;
    uint64_t number = 0;
    for (uint32_t bit = 0; bit < count; bit++) {
        number = bit % 2 == 0 ? mixed(&state) : number >> 32;
        places[bit] = (uint32_t)(((number & UINT32_MAX) * BLOCK_BITS) >> 32);
    }
}

static uint32_t block_of(const struct mr_sketch *sketch, uint64_t hash)
{
    return (uint32_t)(((hash >> 32) * sketch->parameters[BLOCKS]) >> 32);
}

static bool has_stamp(const uint8_t *block, uint64_t stamp)
{
    uint64_t stored;
    memcpy(&stored, block, sizeof(stored));
    return stored == stamp;
}

static bool has_bits(const uint8_t *block, const uint32_t *places, uint32_t count)
{
    for (uint32_t bit = 0; bit < count; bit++)
        if ((block[STAMP_BYTES + places[bit] / 8] >> places[bit] % 8 & 1) == 0)
            return false;
    return true;
}

enum mr_status mr_sketch_bloom_find(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                    uint64_t hash, uint64_t stamp, bool *found,
                                    struct mr_error *error)
{
    uint32_t places[MR_SKETCH_BLOOM_BITS_MAX];
    uint8_t *block;
    choose_bits(hash, sketch->parameters[BITS], places);
    enum mr_status status = body->piece(body, block_of(sketch, hash), false, &block, error);
    *found = status == MR_OK && has_stamp(block, stamp) &&
             has_bits(block, places, sketch->parameters[BITS]);
    return status;
}

enum mr_status mr_sketch_bloom_add(const struct mr_sketch *sketch, uint8_t *head,
                                   struct mr_sketch_body *body, uint64_t hash, uint64_t stamp,
                                   bool *found, struct mr_error *error)
{
    uint32_t places[MR_SKETCH_BLOOM_BITS_MAX];
    uint8_t *block;
    enum mr_status status = mr_sketch_bloom_find(sketch, body, hash, stamp, found, error);
    if (status != MR_OK || *found)
        return status;
    status = body->piece(body, block_of(sketch, hash), true, &block, error);
    if (status != MR_OK)
        return status;
    if (!has_stamp(block, stamp)) {
        memset(block, 0, MR_SKETCH_BLOOM_PIECE_BYTES);
        memcpy(block, &stamp, sizeof(stamp));
    }
    choose_bits(hash, sketch->parameters[BITS], places);
    for (uint32_t bit = 0; bit < sketch->parameters[BITS]; bit++)
        block[STAMP_BYTES + places[bit] / 8] |= (uint8_t)(1u << places[bit] % 8);
    uint64_t count = mr_sketch_bloom_count(head) + 1;
    memcpy(head, &count, sizeof(count));
    return MR_OK;
}

uint64_t mr_sketch_bloom_count(const uint8_t *head)
{
    uint64_t count;
    memcpy(&count, head, sizeof(count));
    return count;
}

enum mr_status mr_sketch_bloom_merge(const struct mr_sketch *sketch, uint8_t *head,
                                     struct mr_sketch_body *body, const uint8_t *other_head,
                                     struct mr_sketch_body *other_body, struct mr_error *error)
{
    for (uint32_t piece = 0; piece < sketch->pieces_max; piece++) {
        uint8_t copy[MR_SKETCH_BLOOM_PIECE_BYTES];
        uint8_t *block;
        enum mr_status status = other_body->piece(other_body, piece, false, &block, error);
        if (status != MR_OK)
            return status;
        memcpy(copy, block, sizeof(copy));
        status = body->piece(body, piece, true, &block, error);
        if (status != MR_OK)
            return status;
        for (uint32_t index = 0; index < sizeof(copy); index++)
            block[index] |= copy[index];
    }
    uint64_t count = mr_sketch_bloom_count(head) + mr_sketch_bloom_count(other_head);
    memcpy(head, &count, sizeof(count));
    return MR_OK;
}

/* ---- The shape ---- */

/* A written filter has the stamp 0, and bits when it has values. */
static enum mr_status bloom_check(const struct mr_sketch *sketch, const uint8_t *head,
                                  struct mr_sketch_body *body, struct mr_error *error)
{
    uint64_t bits = 0;
    for (uint32_t piece = 0; piece < sketch->pieces_max; piece++) {
        uint8_t *block;
        enum mr_status status = body->piece(body, piece, false, &block, error);
        if (status != MR_OK)
            return status;
        if (!has_stamp(block, 0))
            return mr_sketch_corrupt(sketch, "a block's stamp is not 0", error);
        for (uint32_t index = 0; index < MR_SKETCH_BLOOM_PIECE_BYTES; index++)
            bits += (uint32_t)__builtin_popcount(block[index]);
    }
    uint64_t count = mr_sketch_bloom_count(head);
    return (bits == 0) == (count == 0) && bits / sketch->parameters[BITS] <= count
               ? MR_OK
               : mr_sketch_corrupt(sketch, "its bits and its count do not agree", error);
}

static const struct mr_sketch_type bloom_type = {
    .name = "bloom", .kind = 4, .head_bytes = MR_SKETCH_BLOOM_HEAD_BYTES, .check = bloom_check};

struct mr_sketch mr_sketch_bloom(uint64_t capacity, double rate)
{
    MR_ASSERT(capacity >= 1 && capacity <= MR_SKETCH_BLOOM_CAPACITY_MAX);
    MR_ASSERT(rate >= 0x1p-32 && rate <= 0.5);
    uint32_t bits = 0;
    for (double power = 1; power > rate; power /= 2)
        bits++;
    uint64_t room = (capacity * bits * (1445 + 6 * bits) + 999) / 1000;
    uint32_t blocks = (uint32_t)((room + BLOCK_BITS - 1) / BLOCK_BITS);
    return (struct mr_sketch){.type = &bloom_type,
                              .parameters = {blocks, bits},
                              .piece_bytes = MR_SKETCH_BLOOM_PIECE_BYTES,
                              .pieces_max = blocks};
}
