/* topology/hash.c — the hash of a topology: equal for files that mean the same.
 * Over: the name and `spec` with ${...} filled in, without `tests` and `values`. Mappings count
 * sorted by key, lists in order, scalars by what YAML makes of them; comments, white space and
 * quoting do not count. Secrets stay references (topology/substitute.h). Time zones and documents
 * count with what they say from 1970 on: where their rules differ, plans do. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"
#include "topology/planner.h"

static uint64_t hash_node(const struct mr_yaml_node *node, uint64_t seed, bool top);

static uint64_t hash_text(const char *text, uint64_t seed)
{
    return mr_hash64_seeded(mr_slice_text(text), seed);
}

static uint64_t hash_number(uint64_t number, uint64_t seed)
{
    uint8_t bytes[8]; /* little-endian everywhere: the hash is stored */
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    return mr_hash64_seeded(mr_slice_from(bytes, sizeof(bytes)), seed);
}

static int compare_pairs(const void *left, const void *right)
{
    const struct mr_yaml_pair *a = left;
    const struct mr_yaml_pair *b = right;
    return strcmp(a->key, b->key);
}

static uint64_t hash_mapping(const struct mr_yaml_node *node, uint64_t seed, bool top)
{
    struct mr_yaml_pair *sorted = mr_memory_new(node->count, sizeof(*sorted));
    if (node->count > 0) {
        memcpy(sorted, node->pairs, node->count * sizeof(*sorted));
        qsort(sorted, node->count, sizeof(*sorted), compare_pairs);
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_yaml_pair *pair = &sorted[i];
        if (top && (strcmp(pair->key, "tests") == 0 || strcmp(pair->key, "values") == 0))
            continue;
        seed = hash_text(pair->key, seed);
        seed = hash_node(pair->value, seed, false);
    }
    mr_memory_free(sorted);
    return seed;
}

static uint64_t hash_node(const struct mr_yaml_node *node, uint64_t seed, bool top)
{
    if (node->kind == MR_YAML_SCALAR)
        return hash_text(node->text, hash_number((uint64_t)node->scalar + 16, seed));
    seed = hash_number((uint64_t)node->kind, seed);
    if (!top) /* of spec, parts do not count */
        seed = hash_number(node->count, seed);
    if (node->kind == MR_YAML_MAPPING)
        return hash_mapping(node, seed, top);
    for (uint32_t i = 0; i < node->count; i++)
        seed = hash_node(node->items[i], seed, false);
    return seed;
}

uint64_t mr_topology_hash(const char *name, const struct mr_yaml_node *spec, uint64_t loaded_hash)
{
    uint64_t hash = hash_node(spec, hash_text(name, 0), true);
    return loaded_hash == 0 ? hash : hash_number(loaded_hash, hash);
}
