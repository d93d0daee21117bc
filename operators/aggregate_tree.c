/* operators/aggregate_tree.c — see aggregate_tree.h.
 * Design: a key is sought from the root, noting the way; a full node is split, and what it splits
 * off is put into the node above, which may be full too. Only one piece is in use at a time, so
 * that the upper half of a split goes through a copy. */
#include "operators/aggregate_tree.h"

#include "base/assert.h"

enum {
    NODE_HEAD_BYTES = 16,
    KEY_BYTES = sizeof(struct mr_aggregate_key),
    CHILD_BYTES = 4,
    /* Each inner node of the smallest piece leads to 6 others at least: 6^5 > 4,096. */
    HEIGHT_MAX = 6,
    KEYS_MAX = MR_SKETCH_PIECE_BYTES_MAX / KEY_BYTES
};

struct node_head {
    uint32_t count;
    uint32_t leaf;
    uint64_t reserved;
};

/* A node in memory. */
struct node {
    struct node_head head;
    struct mr_aggregate_key keys[KEYS_MAX + 1];
    uint32_t children[KEYS_MAX + 1];
};

struct step {
    uint32_t piece;
    uint32_t position;
};

static uint32_t capacity_of(uint32_t piece_bytes, bool leaf)
{
    return (piece_bytes - NODE_HEAD_BYTES) / (leaf ? KEY_BYTES : KEY_BYTES + CHILD_BYTES);
}

uint32_t mr_aggregate_tree_pieces(uint32_t piece_bytes, uint32_t keys_max)
{
    uint32_t least = (capacity_of(piece_bytes, true) + 1) / 2;
    uint32_t nodes = keys_max / least + 1;
    uint32_t sum = nodes;
    least = (capacity_of(piece_bytes, false) + 1) / 2;
    while (nodes > 1) {
        nodes = nodes / least + 1;
        sum += nodes;
    }
    return sum;
}

/* How many keys of a piece are <= key. */
static uint32_t keys_up_to(const uint8_t *bytes, uint32_t count, const struct mr_aggregate_key *key)
{
    const uint8_t *keys = bytes + NODE_HEAD_BYTES;
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (memcmp(keys + (size_t)middle * KEY_BYTES, key->bytes, KEY_BYTES) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The way from the root to the leaf of key: at each node the child's number, at the leaf how many
 * keys are <= key. */
static enum mr_status seek(const struct mr_aggregate_tree *tree, struct mr_sketch_body *body,
                           const struct mr_aggregate_key *key, struct step path[HEIGHT_MAX],
                           uint32_t *depth, bool *found, struct mr_error *error)
{
    uint32_t capacity = capacity_of(body->piece_bytes, false);
    uint32_t piece = tree->root;
    for (*depth = 0; *depth < HEIGHT_MAX; (*depth)++) {
        uint8_t *bytes;
        struct node_head head;
        enum mr_status status = body->piece(body, piece, false, &bytes, error);
        if (status != MR_OK)
            return status;
        memcpy(&head, bytes, sizeof(head));
        uint32_t position = keys_up_to(bytes, head.count, key);
        path[*depth] = (struct step){piece, position};
        if (head.leaf != 0) {
            const uint8_t *keys = bytes + NODE_HEAD_BYTES;
            *found = position > 0 &&
                     memcmp(keys + (size_t)(position - 1) * KEY_BYTES, key->bytes, KEY_BYTES) == 0;
            return MR_OK;
        }
        uint32_t child = position == 0 ? 0 : position - 1;
        path[*depth].position = child;
        memcpy(&piece,
               bytes + NODE_HEAD_BYTES + (size_t)capacity * KEY_BYTES + (size_t)child * CHILD_BYTES,
               CHILD_BYTES);
    }
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "the stored set of an aggregate is not what was written");
}

enum mr_status mr_aggregate_tree_has(const struct mr_aggregate_tree *tree,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_key *key, bool *found,
                                     struct mr_error *error)
{
    struct step path[HEIGHT_MAX];
    uint32_t depth;
    *found = false;
    return tree->pieces == 0 ? MR_OK : seek(tree, body, key, path, &depth, found, error);
}

/* ---- Nodes in memory ---- */

static enum mr_status read_node(struct mr_sketch_body *body, uint32_t piece, struct node *node,
                                struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = body->piece(body, piece, false, &bytes, error);
    if (status != MR_OK)
        return status;
    memcpy(&node->head, bytes, sizeof(node->head));
    uint32_t capacity = capacity_of(body->piece_bytes, node->head.leaf != 0);
    MR_ASSERT(node->head.count <= capacity);
    memcpy(node->keys, bytes + NODE_HEAD_BYTES, (size_t)node->head.count * KEY_BYTES);
    if (node->head.leaf == 0)
        memcpy(node->children, bytes + NODE_HEAD_BYTES + (size_t)capacity * KEY_BYTES,
               (size_t)node->head.count * CHILD_BYTES);
    return MR_OK;
}

static enum mr_status write_node(struct mr_sketch_body *body, uint32_t piece,
                                 const struct node *node, struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = body->piece(body, piece, true, &bytes, error);
    if (status != MR_OK)
        return status;
    uint32_t capacity = capacity_of(body->piece_bytes, node->head.leaf != 0);
    memset(bytes, 0, body->piece_bytes);
    memcpy(bytes, &node->head, sizeof(node->head));
    memcpy(bytes + NODE_HEAD_BYTES, node->keys, (size_t)node->head.count * KEY_BYTES);
    if (node->head.leaf == 0)
        memcpy(bytes + NODE_HEAD_BYTES + (size_t)capacity * KEY_BYTES, node->children,
               (size_t)node->head.count * CHILD_BYTES);
    return MR_OK;
}

static void put_into_node(struct node *node, uint32_t position, const struct mr_aggregate_key *key,
                          uint32_t child)
{
    uint32_t behind = node->head.count - position;
    memmove(node->keys + position + 1, node->keys + position, (size_t)behind * KEY_BYTES);
    memmove(node->children + position + 1, node->children + position, (size_t)behind * CHILD_BYTES);
    node->keys[position] = *key;
    node->children[position] = child;
    node->head.count++;
}

/* Put key into the node; when it is too full then, its upper half goes into a new piece, whose
 * least key and number replace *key and *child. */
static enum mr_status put_or_split(struct mr_aggregate_tree *tree, struct mr_sketch_body *body,
                                   const struct step *place, struct mr_aggregate_key *key,
                                   uint32_t *child, bool *split, struct mr_error *error)
{
    struct node node = {0};
    enum mr_status status = read_node(body, place->piece, &node, error);
    if (status != MR_OK)
        return status;
    bool leaf = node.head.leaf != 0;
    put_into_node(&node, place->position + (leaf ? 0 : 1), key, *child);
    *split = node.head.count > capacity_of(body->piece_bytes, leaf);
    if (!*split)
        return write_node(body, place->piece, &node, error);
    struct node upper = {.head.leaf = node.head.leaf};
    uint32_t kept = (node.head.count + 1) / 2;
    upper.head.count = node.head.count - kept;
    memcpy(upper.keys, node.keys + kept, (size_t)upper.head.count * KEY_BYTES);
    memcpy(upper.children, node.children + kept, (size_t)upper.head.count * CHILD_BYTES);
    node.head.count = kept;
    status = write_node(body, place->piece, &node, error);
    *key = upper.keys[0];
    *child = tree->pieces++;
    return status != MR_OK ? status : write_node(body, *child, &upper, error);
}

/* A new root above the old one and the piece that was split off from it. */
static enum mr_status grow(struct mr_aggregate_tree *tree, struct mr_sketch_body *body,
                           const struct mr_aggregate_key *key, uint32_t child,
                           struct mr_error *error)
{
    struct node root = {.head.count = 2, .keys = {[1] = *key}, .children = {tree->root, child}};
    tree->root = tree->pieces++;
    return write_node(body, tree->root, &root, error);
}

enum mr_status mr_aggregate_tree_insert(struct mr_aggregate_tree *tree, struct mr_sketch_body *body,
                                        const struct mr_aggregate_key *key, bool *added,
                                        struct mr_error *error)
{
    *added = true;
    if (tree->pieces == 0) {
        struct node leaf = {.head = {.count = 1, .leaf = 1}, .keys = {*key}};
        tree->pieces = 1;
        tree->root = 0;
        return write_node(body, 0, &leaf, error);
    }
    struct step path[HEIGHT_MAX];
    uint32_t depth;
    bool found = false;
    enum mr_status status = seek(tree, body, key, path, &depth, &found, error);
    *added = !found;
    if (status != MR_OK || found)
        return status;
    struct mr_aggregate_key rising = *key;
    uint32_t child = 0;
    bool split = true;
    for (uint32_t level = depth + 1; level-- > 0 && split;) {
        status = put_or_split(tree, body, &path[level], &rising, &child, &split, error);
        if (status != MR_OK)
            return status;
    }
    return split ? grow(tree, body, &rising, child, error) : MR_OK;
}

enum mr_status mr_aggregate_tree_keys(struct mr_sketch_body *body, uint32_t piece,
                                      struct mr_aggregate_key *keys, uint32_t *count,
                                      struct mr_error *error)
{
    uint8_t *bytes;
    struct node_head head;
    enum mr_status status = body->piece(body, piece, false, &bytes, error);
    if (status != MR_OK)
        return status;
    memcpy(&head, bytes, sizeof(head));
    *count = head.leaf == 0 ? 0 : head.count;
    MR_ASSERT(*count <= KEYS_MAX);
    memcpy(keys, bytes + NODE_HEAD_BYTES, (size_t)*count * KEY_BYTES);
    return MR_OK;
}
