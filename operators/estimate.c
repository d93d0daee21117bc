/* operators/estimate.c — see estimate.h. */
#include "operators/estimate.h"

void mr_estimate_object(size_t object_bytes, size_t encoded_bytes,
                        struct mr_state_estimate *estimate)
{
    mr_estimate_slots(object_bytes, encoded_bytes, 0, 0, estimate);
}

void mr_estimate_slots(size_t object_bytes, size_t encoded_bytes, size_t slot_bytes,
                       size_t slots_count, struct mr_state_estimate *estimate)
{
    uint64_t record_bytes = MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    estimate->object_bytes = object_bytes + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_OBJECT_BYTES +
                             slots_count * (slot_bytes + MR_ESTIMATE_OBJECT_BYTES);
    estimate->stored_bytes =
        record_bytes + encoded_bytes + slots_count * (record_bytes + slot_bytes);
    estimate->changelog_bytes_per_record = record_bytes + encoded_bytes;
    if (slots_count > 0)
        estimate->changelog_bytes_per_record += record_bytes + slot_bytes;
}
