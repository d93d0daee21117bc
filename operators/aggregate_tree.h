/* operators/aggregate_tree.h — a set of keys of 16 bytes in the pieces of a body: a B+ tree.
 * Why: a hash table in pieces would touch all of them from the start, and move everything when it
 * grows. A tree takes pieces one by one, in order, and a key that is new changes one of them.
 * Layout of a piece: u32 keys, u32 1 for a leaf, 8 bytes of zeros; then the keys, sorted by their
 * bytes; in inner nodes behind room for all keys the u32 numbers of the children. Key i of an inner
 * node is the least below child i; the first is not looked at. The root's number, the height and
 * the number of pieces are the caller's head. Nodes split in halves: half is the least that a leaf
 * holds. */
#ifndef MR_OPERATORS_AGGREGATE_TREE_H
#define MR_OPERATORS_AGGREGATE_TREE_H

#include "operators/aggregate_cell.h"

struct mr_aggregate_tree {
    uint32_t root;
    uint32_t pieces; /* in use; 0: the tree is empty */
};

/* Pieces that keys_max keys can take at most. */
uint32_t mr_aggregate_tree_pieces(uint32_t piece_bytes, uint32_t keys_max);
enum mr_status mr_aggregate_tree_has(const struct mr_aggregate_tree *tree,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_key *key, bool *found,
                                     struct mr_error *error) MR_NODISCARD;
/* *added: the key is new. */
enum mr_status mr_aggregate_tree_insert(struct mr_aggregate_tree *tree, struct mr_sketch_body *body,
                                        const struct mr_aggregate_key *key, bool *added,
                                        struct mr_error *error) MR_NODISCARD;
/* Copy the keys of a piece: none of an inner node. Pre: piece < tree->pieces. */
enum mr_status mr_aggregate_tree_keys(struct mr_sketch_body *body, uint32_t piece,
                                      struct mr_aggregate_key *keys, uint32_t *count,
                                      struct mr_error *error) MR_NODISCARD;

#endif
