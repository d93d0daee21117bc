/* operators/aggregate_distinct.c — count_distinct: exact, up to a bound.
 * Design: values become keys of 16 bytes (aggregate_cell.h). The first seven are in the head, so
 * that small groups stay small; from the eighth on all are in a tree (aggregate_tree.h). Head, 128
 * bytes: u64 count; u32 root, u32 pieces of the tree (0: none); 7 keys in the order they came, zero
 * once there is a tree. */
#include "operators/aggregate_tree.h"

#include "base/assert.h"

enum { KEYS_IN_HEAD = 7 };

struct distinct_head {
    uint64_t count;
    struct mr_aggregate_tree tree;
    struct mr_aggregate_key keys[KEYS_IN_HEAD];
};

static enum mr_status distinct_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    uint32_t most = (uint32_t)aggregate->call->parameters[0];
    MR_UNUSED(error);
    if (most > KEYS_IN_HEAD)
        aggregate->pieces_max = mr_aggregate_tree_pieces(aggregate->piece_bytes, most);
    return MR_OK;
}

static enum mr_status has_key(const struct distinct_head *distinct, struct mr_sketch_body *body,
                              const struct mr_aggregate_key *key, bool *found,
                              struct mr_error *error)
{
    *found = false;
    if (distinct->tree.pieces > 0)
        return mr_aggregate_tree_has(&distinct->tree, body, key, found, error);
    for (uint64_t index = 0; index < distinct->count && !*found; index++)
        *found = memcmp(&distinct->keys[index], key, sizeof(*key)) == 0;
    return MR_OK;
}

/* Only a full set must be asked whether the key is new. */
static enum mr_status check_bound(const struct mr_aggregate *aggregate,
                                  const struct distinct_head *distinct, struct mr_sketch_body *body,
                                  const struct mr_aggregate_key *key, struct mr_error *error)
{
    uint64_t most = (uint64_t)aggregate->call->parameters[0];
    if (distinct->count < most)
        return MR_OK;
    bool found;
    enum mr_status status = has_key(distinct, body, key, &found, error);
    if (status != MR_OK || found)
        return status;
    return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                   "%s: the group has more than %llu distinct values: raise the function's "
                   "parameter `max`, or use approx_count_distinct, which has no bound",
                   aggregate->call->text, (unsigned long long)most);
}

static enum mr_status insert(struct distinct_head *distinct, struct mr_sketch_body *body,
                             const struct mr_aggregate_key *key, struct mr_error *error)
{
    bool added = false;
    enum mr_status status = MR_OK;
    if (distinct->tree.pieces == 0) {
        status = has_key(distinct, body, key, &added, error);
        if (status != MR_OK || added)
            return status;
        if (distinct->count < KEYS_IN_HEAD) {
            distinct->keys[distinct->count++] = *key;
            return MR_OK;
        }
        for (uint32_t index = 0; index < KEYS_IN_HEAD && status == MR_OK; index++)
            status = mr_aggregate_tree_insert(&distinct->tree, body, &distinct->keys[index], &added,
                                              error);
        memset(distinct->keys, 0, sizeof(distinct->keys));
        if (status != MR_OK)
            return status;
    }
    status = mr_aggregate_tree_insert(&distinct->tree, body, key, &added, error);
    distinct->count += added;
    return status;
}

static enum mr_status distinct_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_row *row, struct mr_error *error)
{
    const struct mr_value *value = &row->arguments[0];
    if (mr_aggregate_skips(value))
        return MR_OK;
    enum mr_status status = mr_aggregate_cell_check(aggregate, UINT32_MAX, value, error);
    if (status != MR_OK)
        return status;
    struct distinct_head distinct;
    memcpy(&distinct, head, sizeof(distinct));
    struct mr_aggregate_key key = mr_aggregate_key_of(value);
    return check_bound(aggregate, &distinct, body, &key, error);
}

static enum mr_status distinct_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                   struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                   struct mr_error *error)
{
    enum mr_status status = distinct_check(aggregate, head, body, row, error);
    if (status != MR_OK || mr_aggregate_skips(&row->arguments[0]))
        return status;
    struct distinct_head distinct;
    memcpy(&distinct, head, sizeof(distinct));
    struct mr_aggregate_key key = mr_aggregate_key_of(&row->arguments[0]);
    status = insert(&distinct, body, &key, error);
    if (status == MR_OK)
        memcpy(head, &distinct, sizeof(distinct));
    return status;
}

static enum mr_status take_keys(const struct mr_aggregate *aggregate,
                                struct distinct_head *distinct, struct mr_sketch_body *body,
                                const struct mr_aggregate_key *keys, uint32_t count,
                                struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < count && status == MR_OK; index++) {
        status = check_bound(aggregate, distinct, body, &keys[index], error);
        if (status == MR_OK)
            status = insert(distinct, body, &keys[index], error);
    }
    return status;
}

static enum mr_status distinct_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                     struct mr_sketch_body *body, const uint8_t *other_head,
                                     struct mr_sketch_body *other_body, struct mr_error *error)
{
    struct distinct_head distinct;
    struct distinct_head other;
    struct mr_aggregate_key keys[MR_SKETCH_PIECE_BYTES_MAX / sizeof(struct mr_aggregate_key)];
    memcpy(&distinct, head, sizeof(distinct));
    memcpy(&other, other_head, sizeof(other));
    enum mr_status status = MR_OK;
    if (other.tree.pieces == 0)
        status = take_keys(aggregate, &distinct, body, other.keys, (uint32_t)other.count, error);
    for (uint32_t piece = 0; piece < other.tree.pieces && status == MR_OK; piece++) {
        uint32_t count = 0;
        status = mr_aggregate_tree_keys(other_body, piece, keys, &count, error);
        if (status == MR_OK)
            status = take_keys(aggregate, &distinct, body, keys, count, error);
    }
    memcpy(head, &distinct, sizeof(distinct));
    return status;
}

static enum mr_status distinct_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                      struct mr_sketch_body *body,
                                      const struct mr_aggregate_span *span, struct mr_arena *arena,
                                      struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    struct distinct_head distinct;
    memcpy(&distinct, head, sizeof(distinct));
    *result = mr_value_int((int64_t)distinct.count);
    return MR_OK;
}

static const struct mr_aggregate_parameter distinct_parameters[] = {
    {.name = "max",
     .minimum = 1,
     .maximum = 100000,
     .is_integer = true,
     .default_number = 1000,
     .help = "The most distinct values of a group; a row with one more fails."}};

const struct mr_aggregate_function mr_aggregate_count_distinct = {
    .spec = {.name = "count_distinct",
             .help =
                 "The number of distinct values, without null and absent ones; equal numbers of "
                 "different types are one value. Exact; texts of more than 15 bytes are told "
                 "apart by a hash of 120 bits.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = distinct_parameters,
             .parameters_count = MR_ARRAY_COUNT(distinct_parameters),
             .result = MR_TYPE_INT},
    .head_bytes = sizeof(struct distinct_head),
    .prepare = distinct_prepare,
    .check = distinct_check,
    .add = distinct_add,
    .merge = distinct_merge,
    .result = distinct_result};
