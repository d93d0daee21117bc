/* operators/publication.c — see publication.h. */
#include "operators/publication.h"

#include "base/endian.h"

enum { VERSION = 1, BYTES = MR_PUBLICATION_BYTES };

struct entry {
    int64_t told_ms; /* INT64_MIN: never */
    int64_t due_ms;  /* INT64_MAX: nothing has changed */
};

static size_t entry_encode(const void *object, uint8_t *output)
{
    const struct entry *entry = object;
    mr_put_u64le(output, (uint64_t)entry->told_ms);
    mr_put_u64le(output + 8, (uint64_t)entry->due_ms);
    return BYTES;
}

static bool entry_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct entry *entry = object;
    if (version != VERSION || stored.size != BYTES)
        return false;
    entry->told_ms = (int64_t)mr_get_u64le(stored.data);
    entry->due_ms = (int64_t)mr_get_u64le(stored.data + 8);
    return true;
}

enum mr_status mr_publication_open(struct mr_publication *publication,
                                   const struct mr_operator_open *open, int64_t every_ms,
                                   struct mr_error *error)
{
    const struct mr_table_spec spec = {.operator_name = open->node->name,
                                       .name = "publication",
                                       .version = VERSION,
                                       .object_size = sizeof(struct entry),
                                       .encode = entry_encode,
                                       .encoded_size_max = BYTES,
                                       .decode = entry_decode,
                                       .timed = true,
                                       .keys_max = open->node->state_keys_max};
    publication->every_ms = every_ms;
    return mr_table_open(open->state, &spec, &publication->table, error);
}

enum mr_status mr_publication_touch(struct mr_publication *publication,
                                    struct mr_operator_context *context, struct mr_slice key,
                                    uint64_t hash, struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(publication->table, key, hash, 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct entry *entry = object;
    if (created)
        *entry = (struct entry){.told_ms = INT64_MIN, .due_ms = INT64_MAX};
    if (entry->due_ms == INT64_MAX) {
        entry->due_ms = context->now_ms;
        if (entry->told_ms != INT64_MIN && entry->told_ms + publication->every_ms > entry->due_ms)
            entry->due_ms = entry->told_ms + publication->every_ms;
        mr_table_schedule(publication->table, entry, entry->due_ms);
    }
    mr_operator_wake(context, entry->due_ms);
    return MR_OK;
}

enum mr_status mr_publication_next(struct mr_publication *publication,
                                   struct mr_operator_context *context, struct mr_slice *key,
                                   uint64_t *hash, bool *found, int64_t *due_ms,
                                   struct mr_error *error)
{
    void *object;
    struct mr_slice borrowed;
    *due_ms = INT64_MAX;
    enum mr_status status = mr_table_next_due(publication->table, INT64_MAX - 1, &borrowed, hash,
                                              &object, found, error);
    if (status != MR_OK || !*found)
        return status;
    struct entry *entry = object;
    if (entry->due_ms > context->now_ms) {
        *due_ms = entry->due_ms;
        *found = false;
        return MR_OK;
    }
    *key = mr_arena_copy(context->arena, borrowed);
    entry->told_ms = context->now_ms;
    entry->due_ms = INT64_MAX;
    mr_table_schedule(publication->table, entry, INT64_MAX);
    return MR_OK;
}
