/* operators/order_detector.c — see order_detector.h. */
#include "operators/order_detector.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/sorted_window.h"
#include "operators/value_ring.h"

enum { WINDOW_DEFAULT = 1000 };

const char mr_order_table[] = "window";

const struct mr_option_spec mr_order_window_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1000",
     .minimum = 3,
     .maximum = MR_ORDER_WINDOW_MAX,
     .help = "How many of the key's last records count, 3 to 2,000."},
    {.name = NULL},
};

/* ---- The model ---- */

size_t mr_order_encode(const void *object, uint8_t *output)
{
    const struct mr_order_object *entry = object;
    mr_put_u32le(output, entry->capacity);
    mr_put_u32le(output + 4, entry->count);
    mr_put_u32le(output + 8, entry->position);
    return MR_ORDER_BYTES;
}

bool mr_order_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_order_object *entry = object;
    if (version != MR_ORDER_VERSION || stored.size != MR_ORDER_BYTES)
        return false;
    entry->capacity = mr_get_u32le(stored.data);
    entry->count = mr_get_u32le(stored.data + 4);
    entry->position = mr_get_u32le(stored.data + 8);
    entry->stale = 1;
    return entry->position < entry->capacity && entry->count <= entry->capacity;
}

static uint32_t options_capacity(const struct mr_options *options)
{
    if (!mr_options_present(options, "window"))
        return WINDOW_DEFAULT;
    return (uint32_t)mr_options_integer(mr_options_get(options, "window")->objects, "count");
}

void mr_order_size(const struct mr_options *options, struct mr_model_size *size)
{
    uint32_t capacity = options_capacity(options);
    size->object_bytes = sizeof(struct mr_order_object) + capacity * sizeof(double);
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max = mr_value_ring_slots(capacity);
}

void mr_order_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct mr_order_detector *order = self;
    struct mr_order_object *entry = object;
    MR_UNUSED(row);
    entry->capacity = order->capacity;
}

bool mr_order_fits(const void *self, const void *object)
{
    const struct mr_order_detector *order = self;
    const struct mr_order_object *entry = object;
    return entry->capacity == order->capacity;
}

bool mr_order_ready(const void *self, const void *object)
{
    const struct mr_order_detector *order = self;
    const struct mr_order_object *entry = object;
    return entry->count >= order->warmup;
}

enum mr_status mr_order_refresh(const struct mr_model_row *row, struct mr_error *error)
{
    struct mr_order_object *object = row->object;
    if (object->stale == 0)
        return MR_OK;
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, object->count, object->sorted, error);
    if (status != MR_OK)
        return status;
    mr_sorted_window_sort(object->sorted, object->count);
    object->stale = 0;
    return MR_OK;
}

enum mr_status mr_order_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct mr_order_object *object = row->object;
    double value = row->values[0];
    double oldest;
    MR_UNUSED(self);
    enum mr_status status =
        mr_value_ring_exchange(row->table, row->entry, object->position, value, &oldest, error);
    if (status != MR_OK)
        return status;
    if (object->count == object->capacity)
        mr_sorted_window_replace(object->sorted, object->count, oldest, value);
    else
        mr_sorted_window_insert(object->sorted, object->count++, value);
    object->position = object->position + 1 == object->capacity ? 0 : object->position + 1;
    return MR_OK;
}

/* ---- The detector ---- */

enum mr_status mr_order_open(struct mr_order_detector *order, const struct mr_operator_open *open,
                             const struct mr_detector_type *type, struct mr_error *error)
{
    const struct mr_options *options = &open->node->options;
    order->warmup = (uint64_t)mr_options_integer(options, "warmup");
    order->scale_floor = mr_options_number(options, "scale_floor");
    order->capacity = options_capacity(options);
    return mr_detector_open(&order->detector, open, type, error);
}

enum mr_status mr_order_check(const struct mr_options *options, const char **option,
                              struct mr_error *error)
{
    uint32_t capacity = options_capacity(options);
    if (mr_options_integer(options, "warmup") <= capacity)
        return mr_detector_check(options, option, error);
    *option = "warmup";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "a warm-up of %lld records never ends in a window of %u records",
                   (long long)mr_options_integer(options, "warmup"), capacity);
}

/* The numbers of the stored ring, sorted. */
static enum mr_status stored_numbers(const struct mr_state_object *object, uint32_t count,
                                     double *numbers, struct mr_error *error)
{
    for (uint32_t index = 0; index < count; index += MR_VALUE_RING_SLOT_VALUES) {
        struct mr_slice bytes;
        enum mr_status status =
            mr_state_query_slot(object, index / MR_VALUE_RING_SLOT_VALUES, &bytes, error);
        if (status == MR_NOT_FOUND || (status == MR_OK && bytes.size != MR_VALUE_RING_SLOT_BYTES))
            return mr_operator_not_described(error);
        if (status != MR_OK)
            return status;
        for (uint32_t i = 0; i < MR_VALUE_RING_SLOT_VALUES && index + i < count; i++)
            numbers[index + i] = mr_get_double_le(bytes.data + (size_t)i * 8);
    }
    mr_sorted_window_sort(numbers, count);
    return MR_OK;
}

enum mr_status mr_order_describe_state(const struct mr_model_type *model,
                                       const struct mr_state_object *object, struct mr_arena *arena,
                                       struct mr_state_description *description,
                                       const double **numbers, uint32_t *count,
                                       struct mr_error *error)
{
    struct mr_order_object entry = {0};
    if (!mr_stage_describe(model, object, &entry, description) ||
        entry.capacity > MR_ORDER_WINDOW_MAX)
        return mr_operator_not_described(error);
    double *sorted = mr_arena_take(arena, (entry.count + 1u) * sizeof(*sorted));
    enum mr_status status = stored_numbers(object, entry.count, sorted, error);
    if (status != MR_OK)
        return status;
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "window", mr_value_uint(entry.capacity));
    *numbers = sorted;
    *count = entry.count;
    return MR_OK;
}
