/* base/hash.c — XXH3 and Kafka's murmur2.
 * Design: xxHash is compiled into this file, so that no run-time library is needed and no other
 * file sees its header. murmur2 is the 32-bit variant with the seed of Kafka's Java clients; bytes
 * are combined one by one, so the result does not depend on the machine's byte order or alignment.
 */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t mr_hash64(struct mr_slice bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}

uint64_t mr_hash64_seeded(struct mr_slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

uint32_t mr_hash_murmur2(struct mr_slice bytes)
{
    const uint32_t multiplier = 0x5bd1e995u;
    const uint32_t seed = 0x9747b28cu;
    uint32_t hash = seed ^ (uint32_t)bytes.size;
    size_t whole = bytes.size & ~(size_t)3u;
    for (size_t i = 0; i < whole; i += 4) {
        uint32_t word = (uint32_t)bytes.data[i] | (uint32_t)bytes.data[i + 1] << 8 |
                        (uint32_t)bytes.data[i + 2] << 16 | (uint32_t)bytes.data[i + 3] << 24;
        word *= multiplier;
        word ^= word >> 24;
        word *= multiplier;
        hash *= multiplier;
        hash ^= word;
    }
    size_t rest = bytes.size - whole;
    if (rest == 3)
        hash ^= (uint32_t)bytes.data[whole + 2] << 16;
    if (rest >= 2)
        hash ^= (uint32_t)bytes.data[whole + 1] << 8;
    if (rest >= 1) {
        hash ^= (uint32_t)bytes.data[whole];
        hash *= multiplier;
    }
    hash ^= hash >> 13;
    hash *= multiplier;
    hash ^= hash >> 15;
    return hash;
}
