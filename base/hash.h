/* base/hash.h — hashes: XXH3 for tables in memory and stable ids, murmur2 for Kafka's partitioner.
 */
#ifndef MR_BASE_HASH_H
#define MR_BASE_HASH_H

#include "base/slice.h"

uint64_t mr_hash64(struct mr_slice bytes);
uint64_t mr_hash64_seeded(struct mr_slice bytes, uint64_t seed);

/* Kafka's Java clients' murmur2 over the key bytes (apache/kafka Utils.murmur2). */
uint32_t mr_hash_murmur2(struct mr_slice bytes);
/* Java's default partitioner for a key: (murmur2 & 0x7fffffff) % partition_count. */
static inline int32_t mr_hash_partition(struct mr_slice key, int32_t partition_count)
{
    return (int32_t)((mr_hash_murmur2(key) & 0x7fffffffu) % (uint32_t)partition_count);
}

#endif
