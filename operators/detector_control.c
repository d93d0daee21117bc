/* operators/detector_control.c — see detector_control.h. */
#include "operators/detector_control.h"

#include "base/hash.h"

static enum mr_status reset(struct mr_detector *detector, struct mr_slice key, uint64_t hash,
                            struct mr_error *error)
{
    enum mr_status status = mr_table_remove(detector->table, key, hash, error);
    if (status == MR_OK && detector->calibration.kind != MR_CALIBRATION_NONE)
        status = mr_calibration_reset(&detector->calibration, key, hash, error);
    return status;
}

/* A key that has no record yet may be frozen or muted as well. */
enum mr_status mr_detector_obey(struct mr_detector *detector, struct mr_slice key,
                                int64_t event_time_ms, const struct mr_control_order *order,
                                struct mr_error *error)
{
    const struct mr_model_type *model = detector->type->model;
    uint64_t hash = mr_hash64(key);
    if (order->action == MR_CONTROL_RESET)
        return reset(detector, key, hash, error);
    void *entry;
    bool created;
    enum mr_status status =
        mr_table_get(detector->table, key, hash, event_time_ms, &entry, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_model_row row = {.table = detector->table,
                               .entry = entry,
                               .object = mr_stage_model(entry, MR_STAGE_WHOLE),
                               .fields_count = detector->fields_count,
                               .event_time_ms = event_time_ms,
                               .seed = detector->seed ^ hash};
    if (created && model->begin != NULL)
        model->begin(detector, &row, row.object);
    mr_control_apply(entry, order);
    mr_table_dirty(detector->table, entry);
    return MR_OK;
}

enum mr_status mr_detector_control(struct mr_detector *detector,
                                   struct mr_operator_context *context, struct mr_view view,
                                   struct mr_error *error)
{
    const struct mr_plan_control *control = detector->node->control;
    const struct mr_slice *keys = mr_operator_keys_of(context, &control->key, view, &view);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        struct mr_control_order order;
        if (!mr_control_read(detector->node, context, view.batch, row, &order))
            continue;
        enum mr_status status =
            mr_detector_obey(detector, keys[row], view.batch->event_times_ms[row], &order, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}
