/* operators/value_ring.c — see value_ring.h. */
#include "operators/value_ring.h"

#include "base/assert.h"
#include "base/endian.h"

enum mr_status mr_value_ring_exchange(struct mr_table *table, void *object, uint32_t position,
                                      double number, double *old, struct mr_error *error)
{
    void *slot;
    enum mr_status status =
        mr_table_slot(table, object, position / MR_VALUE_RING_SLOT_VALUES, true, &slot, error);
    if (status != MR_OK)
        return status;
    uint8_t *bytes = (uint8_t *)slot + 8 * (size_t)(position % MR_VALUE_RING_SLOT_VALUES);
    *old = mr_get_double_le(bytes);
    mr_put_double_le(bytes, number);
    return MR_OK;
}

enum mr_status mr_value_ring_get(struct mr_table *table, void *object, uint32_t position,
                                 double *number, struct mr_error *error)
{
    void *slot;
    enum mr_status status =
        mr_table_slot(table, object, position / MR_VALUE_RING_SLOT_VALUES, false, &slot, error);
    if (status != MR_OK)
        return status;
    const uint8_t *bytes = slot;
    *number = mr_get_double_le(bytes + 8 * (size_t)(position % MR_VALUE_RING_SLOT_VALUES));
    return MR_OK;
}

enum mr_status mr_value_ring_read_from(struct mr_table *table, void *object, uint32_t first,
                                       uint32_t count, double *values, struct mr_error *error)
{
    MR_ASSERT(first % MR_VALUE_RING_SLOT_VALUES == 0);
    for (uint32_t done = 0; done < count; done += MR_VALUE_RING_SLOT_VALUES) {
        void *slot;
        enum mr_status status = mr_table_slot(
            table, object, (first + done) / MR_VALUE_RING_SLOT_VALUES, false, &slot, error);
        if (status != MR_OK)
            return status;
        const uint8_t *bytes = slot;
        for (uint32_t index = 0; index < MR_VALUE_RING_SLOT_VALUES && done + index < count; index++)
            values[done + index] = mr_get_double_le(bytes + 8 * (size_t)index);
    }
    return MR_OK;
}

enum mr_status mr_value_ring_read(struct mr_table *table, void *object, uint32_t count,
                                  double *values, struct mr_error *error)
{
    return mr_value_ring_read_from(table, object, 0, count, values, error);
}
