/* operators/estimate.h — the state estimates of operators, on one set of assumptions.
 * Model: a changelog record is a stored key and a value. Keys are assumed to have up to 64 bytes;
 * the conformance suite measures with such keys and fails when more is written than stated. */
#ifndef MR_OPERATORS_ESTIMATE_H
#define MR_OPERATORS_ESTIMATE_H

#include "topology/type.h"

enum {
    MR_ESTIMATE_KEY_BYTES = 64, /* of a user key */
    MR_ESTIMATE_RECORD_BYTES =
        48, /* stored key's frame, object's header, the table's own counters */
    MR_ESTIMATE_OBJECT_BYTES = 128, /* of the cache entry around an object */
};

/* An object without slots, written at every record. */
void mr_estimate_object(size_t object_bytes, size_t encoded_bytes,
                        struct mr_state_estimate *estimate);

/* An object with slots_count slots of slot_bytes, one of which is written at every record. */
void mr_estimate_slots(size_t object_bytes, size_t encoded_bytes, size_t slot_bytes,
                       size_t slots_count, struct mr_state_estimate *estimate);

#endif
