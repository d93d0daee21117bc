/* operators/learned_document.c — see learned_document.h. */
#include "operators/learned_document.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/learned_models.h"

enum mr_status mr_learned_read_bytes(const struct mr_state_object *object, size_t size,
                                     struct mr_slice *bytes, struct mr_error *error)
{
    uint8_t *copy = mr_arena_take(object->arena, size);
    for (size_t done = 0; done < size; done += MR_LEARNED_SLOT_BYTES) {
        struct mr_slice slot;
        uint32_t index = MR_LEARNED_PENDING_SLOTS + (uint32_t)(done / MR_LEARNED_SLOT_BYTES);
        size_t part = size - done < MR_LEARNED_SLOT_BYTES ? size - done : MR_LEARNED_SLOT_BYTES;
        enum mr_status status = mr_state_query_slot(object, index, &slot, error);
        if (status != MR_OK)
            return status;
        if (slot.size < part)
            return mr_operator_not_described(error);
        memcpy(copy + done, slot.data, part);
    }
    *bytes = mr_slice_from(copy, size);
    return MR_OK;
}

/* Synthetic records name a field by the last name of its path. */
static void name_fields(const struct mr_option_value *fields, const char **names)
{
    for (uint32_t field = 0; field < fields->count; field++)
        names[field] = mr_path_last_name(&fields->paths[field]);
}

enum mr_status mr_learned_write_model(const struct mr_learned_kind *kind,
                                      const struct mr_state_object *object,
                                      const struct mr_plan_node *node, const char *name,
                                      struct mr_buffer *output, struct mr_error *error)
{
    const char *names[MR_LEARNED_COLUMNS_MAX];
    struct mr_learned_entry entry;
    struct mr_slice bytes;
    if (!mr_learned_entry_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    if (entry.blocks == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s has learned nothing yet: %u records wait, and %lld are learned together "
                       "(learn_batch)",
                       name, entry.pending_rows,
                       (long long)mr_options_integer(&node->options, "learn_batch"));
    if (entry.model_bytes > kind->bytes_max(&node->options))
        return mr_operator_not_described(error);
    enum mr_status status = mr_learned_read_bytes(object, entry.model_bytes, &bytes, error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(kind->document != NULL); /* the type has write_model */
    void *model = kind->model_create(&node->options);
    void *work = kind->work_create(&node->options);
    kind->begin(model, 0);
    name_fields(mr_options_get(&node->options, "fields"), names);
    status = kind->decode(model, bytes)
                 ? kind->document(model, work, name, entry.blocks, names, output, error)
                 : mr_operator_not_described(error);
    kind->model_destroy(model);
    kind->work_destroy(work);
    return status;
}
