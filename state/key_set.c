/* state/key_set.c — a skip list over an arena: see state/key_set.h. */
#include "state/key_set.h"

enum { ARENA_CHUNK_BYTES = 64 << 10 };

void mr_key_set_init(struct mr_key_set *set)
{
    *set = (struct mr_key_set){0};
    mr_arena_init(&set->arena, ARENA_CHUNK_BYTES);
}

void mr_key_set_deinit(struct mr_key_set *set)
{
    mr_arena_deinit(&set->arena);
    *set = (struct mr_key_set){0};
}

void mr_key_set_clear(struct mr_key_set *set)
{
    mr_arena_reset(&set->arena);
    memset(set->first, 0, sizeof set->first);
    set->count = 0;
}

/* 1 + the number of pairs of zero bits: a quarter of the nodes reaches each next level. */
static uint32_t levels_of(uint64_t number)
{
    uint64_t bits = number * UINT64_C(0x9e3779b97f4a7c15);
    bits ^= bits >> 32;
    bits *= UINT64_C(0xd6e8feb86659fd93);
    bits ^= bits >> 29;
    uint32_t levels = 1;
    while ((bits & 3u) == 0 && levels < MR_KEY_SET_LEVELS) {
        bits >>= 2;
        levels++;
    }
    return levels;
}

void mr_key_set_add(struct mr_key_set *set, struct mr_slice key)
{
    struct mr_key_node **links[MR_KEY_SET_LEVELS];
    struct mr_key_node **row = set->first;
    const struct mr_key_node *behind = NULL; /* known not to be before key */
    for (size_t level = MR_KEY_SET_LEVELS; level-- > 0;) {
        while (row[level] != NULL && row[level] != behind) {
            int order = mr_slice_compare(mr_key_set_key(row[level]), key);
            if (order == 0)
                return;
            if (order > 0)
                break;
            row = row[level]->next;
        }
        behind = row[level];
        links[level] = &row[level];
    }
    uint32_t levels = levels_of(++set->count);
    size_t head = sizeof(struct mr_key_node) + levels * sizeof(struct mr_key_node *);
    struct mr_key_node *node = mr_arena_take(&set->arena, head + key.size);
    node->key_size = (uint32_t)key.size;
    node->levels = levels;
    if (key.size > 0)
        memcpy(node->next + levels, key.data, key.size);
    for (uint32_t level = 0; level < levels; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
}

const struct mr_key_node *mr_key_set_seek(const struct mr_key_set *set, struct mr_slice key)
{
    struct mr_key_node *const *row = set->first;
    for (size_t level = MR_KEY_SET_LEVELS; level-- > 0;) {
        while (row[level] != NULL && mr_slice_compare(mr_key_set_key(row[level]), key) < 0)
            row = row[level]->next;
    }
    return row[0];
}
