/* base/random.c — Philox4x32-10 and what is drawn from it.
 * Design: the 128-bit counter of a block is (counter, stream), the key is the seed. Numbers are
 * taken from a block in order; 64-bit numbers take two words, low word first, and may span two
 * blocks. */
#include "base/random.h"

#include "base/assert.h"

#include <errno.h>
#include <math.h>
#include <sys/random.h>

enum { ROUNDS = 10, BLOCK_WORDS = 4 };

void mr_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t block[4])
{
    uint32_t word0 = counter[0];
    uint32_t word1 = counter[1];
    uint32_t word2 = counter[2];
    uint32_t word3 = counter[3];
    uint32_t key0 = key[0];
    uint32_t key1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t product0 = (uint64_t)0xd2511f53u * word0;
        uint64_t product1 = (uint64_t)0xcd9e8d57u * word2;
        word0 = (uint32_t)(product1 >> 32) ^ word1 ^ key0;
        word1 = (uint32_t)product1;
        word2 = (uint32_t)(product0 >> 32) ^ word3 ^ key1;
        word3 = (uint32_t)product0;
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
    block[0] = word0;
    block[1] = word1;
    block[2] = word2;
    block[3] = word3;
}

void mr_random_init(struct mr_random *random, uint64_t seed, uint64_t stream)
{
    *random = (struct mr_random){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                                 .stream = stream,
                                 .block_used = BLOCK_WORDS};
}

uint32_t mr_random_u32(struct mr_random *random)
{
    if (random->block_used == BLOCK_WORDS) {
        const uint32_t counter[4] = {(uint32_t)random->counter, (uint32_t)(random->counter >> 32),
                                     (uint32_t)random->stream, (uint32_t)(random->stream >> 32)};
        mr_philox4x32(counter, random->key, random->block);
        random->counter++;
        random->block_used = 0;
    }
    return random->block[random->block_used++];
}

uint64_t mr_random_u64(struct mr_random *random)
{
    uint64_t low = mr_random_u32(random);
    return low | (uint64_t)mr_random_u32(random) << 32;
}

double mr_random_double(struct mr_random *random)
{
    return (double)(mr_random_u64(random) >> 11) * 0x1p-53;
}

uint64_t mr_random_below(struct mr_random *random, uint64_t bound)
{
    MR_ASSERT(bound >= 1);
    /* The lowest 2^64 mod bound numbers would make small results likelier: draw again. */
    uint64_t biased = (0 - bound) % bound;
    uint64_t number = mr_random_u64(random);
    while (number < biased)
        number = mr_random_u64(random);
    return number % bound;
}

double mr_random_normal(struct mr_random *random)
{
    const double tau = 6.283185307179586476925286766559;
    double radius = sqrt(-2.0 * log(1.0 - mr_random_double(random))); /* 1 - u is never zero */
    return radius * cos(tau * mr_random_double(random));
}

uint64_t mr_random_fresh_id(void)
{
    uint64_t id = 0;
    while (id == 0) { /* zero means "none" in stored layouts */
        ssize_t size = getrandom(&id, sizeof id, 0);
        MR_ASSERT(size == (ssize_t)sizeof id || errno == EINTR);
        if (size != (ssize_t)sizeof id)
            id = 0;
    }
    return id;
}
