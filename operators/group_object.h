/* operators/group_object.h — stored objects of groups: a head, and as many bytes as are in use.
 * Why: what an operator keeps of a group depends on its options, and state/ reads stored objects
 * without knowing them. Every such object begins with a fingerprint of the options that it depends
 * on; one with another fingerprint (of a state from before operators had lives) is foreign: it can
 * be read as far as its head and is to be removed.
 *
 * Layout, in this machine's order, as aggregates' states are: the object's first `size` bytes.
 *   0  uint32  fingerprint, never 0
 *   4  uint32  size of the object in use, with this head */
#ifndef MR_OPERATORS_GROUP_OBJECT_H
#define MR_OPERATORS_GROUP_OBJECT_H

#include "state/state.h"

enum {
    MR_GROUP_OBJECT_VERSION = 1,
    MR_GROUP_OBJECT_BYTES_MAX = 3968 /* with what state/ adds it is a stored object */
};

struct mr_group_object {
    uint32_t fingerprint; /* 0: read as far as the head */
    uint32_t size;
};

/* Object sizes come in classes. The bytes that an object of at least object_bytes has. */
size_t mr_group_object_bytes(size_t object_bytes);

/* Fill version, sizes, encode and decode for objects of up to object_bytes, which is of a class and
 * at most MR_GROUP_OBJECT_BYTES_MAX. */
void mr_group_object_spec(struct mr_table_spec *spec, size_t object_bytes);

/* The object of key, new or stored by these options: a foreign one is removed first. *created: it
 * is new; all but the head is zero. As mr_table_get otherwise. */
enum mr_status mr_group_object_get(struct mr_table *table, struct mr_slice key, uint64_t hash,
                                   uint32_t fingerprint, uint32_t head_size, void **object,
                                   bool *created, struct mr_error *error) MR_NODISCARD;

#endif
