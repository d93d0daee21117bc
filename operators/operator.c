/* operators/operator.c — calls operators, and checks their side and the caller's side of the
 * contract. Design: every pointer of the operator table is called here and nowhere else, so that
 * flags, order and bounds are checked once for all operators: ports exist, views ascend within
 * their batch, outputs exist and get rows of their own domain, a failed instance is not called
 * again. The checks cost a comparison per row and batch; a broken contract stops the process
 * (base/assert.h). */
#include "operators/operator.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/utf8.h"

enum { ASK_EVERY = 16 /* things done between two questions to the runtime */ };

struct mr_operator {
    const struct mr_operator_type *type;
    const struct mr_plan *plan;
    const struct mr_plan_node *node;
    void *self;
    bool reads_wall_clock; /* on_wall is called */
    bool reads_row_watermarks;
    bool failed;
};

enum mr_status mr_operator_create(const struct mr_operator_type *type,
                                  const struct mr_operator_open *open,
                                  struct mr_operator **instance, struct mr_error *error)
{
    MR_ASSERT(open->node->type == &type->spec);
    MR_ASSERT(open->partition >= 0 && open->partition < open->partitions_count);
    MR_ASSERT(type->spec.state_version == 0 || open->state != NULL);
    struct mr_operator *created = mr_memory_new(1, sizeof(*created));
    created->type = type;
    created->plan = open->plan;
    created->node = open->node;
    created->self = mr_memory_new(1, type->instance_size);
    created->reads_wall_clock = type->on_wall != NULL && mr_plan_is_woken(open->node);
    created->reads_row_watermarks =
        (type->spec.flags & MR_TYPE_ROW_WATERMARKS) != 0 || mr_plan_waits(&open->node->options);
    enum mr_status status = type->open(created->self, open, error);
    if (status != MR_OK) {
        mr_error_context(error, "operator \"%s\"", open->node->name);
        mr_operator_destroy(created);
        return status;
    }
    *instance = created;
    return MR_OK;
}

void mr_operator_destroy(struct mr_operator *instance)
{
    if (instance == NULL)
        return;
    instance->type->close(instance->self);
    mr_memory_free(instance->self);
    mr_memory_free(instance);
}

/* The rows ascend and lie within the batch. */
static bool view_is_valid(struct mr_view view)
{
    uint32_t next = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        if (view.rows[index] < next)
            return false;
        next = view.rows[index] + 1u;
    }
    return next <= view.batch->rows_count;
}

/* Note a failure, so that no half-done instance is called again. */
static enum mr_status settle(struct mr_operator *instance, enum mr_status status,
                             struct mr_error *error)
{
    if (status == MR_OK || status == MR_END || status == MR_AGAIN)
        return status;
    instance->failed = true;
    mr_error_context(error, "operator \"%s\"", instance->node->name);
    return status;
}

enum mr_status mr_operator_process(struct mr_operator *instance,
                                   struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    MR_ASSERT(!instance->failed);
    MR_ASSERT((instance->type->spec.flags & MR_TYPE_GENERATOR) == 0);
    MR_ASSERT(port < instance->node->inputs_count);
    MR_ASSERT(context->node == instance->node->index);
    if (view.rows_count == 0)
        return MR_OK;
    MR_ASSERT(view_is_valid(view));
    MR_ASSERT(!instance->reads_row_watermarks || view.batch->watermarks_ms != NULL);
    struct mr_operator *outer = context->instance;
    context->instance = instance;
    enum mr_status status = instance->type->process(instance->self, context, port, view, error);
    context->instance = outer;
    MR_ASSERT(status != MR_END && status != MR_AGAIN);
    return settle(instance, status, error);
}

enum mr_status mr_operator_watermark(struct mr_operator *instance,
                                     struct mr_operator_context *context, struct mr_error *error)
{
    MR_ASSERT(!instance->failed);
    MR_ASSERT(context->node == instance->node->index);
    if (instance->type->on_watermark == NULL)
        return MR_OK;
    struct mr_operator *outer = context->instance;
    context->instance = instance;
    enum mr_status status = instance->type->on_watermark(instance->self, context, error);
    context->instance = outer;
    MR_ASSERT(status != MR_END);
    return settle(instance, status, error);
}

enum mr_status mr_operator_horizon(struct mr_operator *instance, int64_t wanted_ms,
                                   int64_t *watermark_ms, struct mr_error *error)
{
    MR_ASSERT(!instance->failed);
    *watermark_ms = INT64_MAX;
    if (instance->type->horizon == NULL)
        return MR_OK;
    enum mr_status status = instance->type->horizon(instance->self, wanted_ms, watermark_ms, error);
    MR_ASSERT(status != MR_END && status != MR_AGAIN);
    return settle(instance, status, error);
}

enum mr_status mr_operator_wall(struct mr_operator *instance, struct mr_operator_context *context,
                                bool *called, struct mr_error *error)
{
    MR_ASSERT(!instance->failed);
    MR_ASSERT(context->node == instance->node->index);
    *called = false;
    if (!instance->reads_wall_clock || context->wall_due_ms > context->now_ms)
        return MR_OK;
    *called = true;
    struct mr_operator *outer = context->instance;
    context->instance = instance;
    int64_t due_ms = context->wall_due_ms;
    context->wall_due_ms = INT64_MAX; /* what the call wakes counts, too */
    enum mr_status status = instance->type->on_wall(instance->self, context, &due_ms, error);
    mr_operator_wake(context, status == MR_AGAIN ? context->now_ms : due_ms);
    context->instance = outer;
    MR_ASSERT(status != MR_END);
    return settle(instance, status, error);
}

bool mr_operator_waits(const struct mr_operator *instance,
                       const struct mr_operator_context *context)
{
    return instance->reads_wall_clock && !instance->type->watches_for_silence &&
           context->wall_due_ms != INT64_MAX;
}

enum mr_status mr_operator_generate(struct mr_operator *instance,
                                    struct mr_operator_context *context, int64_t position,
                                    struct mr_batch *batch, int64_t *next_position, int64_t *due_ms,
                                    struct mr_error *error)
{
    MR_ASSERT(!instance->failed);
    MR_ASSERT((instance->type->spec.flags & MR_TYPE_GENERATOR) != 0);
    MR_ASSERT(context->node == instance->node->index);
    MR_ASSERT(position >= 0 && batch->rows_count == 0 && batch->rows_capacity > 0);
    struct mr_operator *outer = context->instance;
    context->instance = instance;
    *next_position = position;
    enum mr_status status = instance->type->generate(instance->self, context, position, batch,
                                                     next_position, due_ms, error);
    context->instance = outer;
    if (status == MR_OK)
        MR_ASSERT(*next_position > position && batch->rows_count <= batch->rows_capacity);
    else
        MR_ASSERT(*next_position == position && batch->rows_count == 0);
    return settle(instance, status, error);
}

bool mr_operator_output_is_read(const struct mr_plan *plan, const struct mr_plan_node *node,
                                uint32_t output)
{
    if (node->outputs[output].edges_count > 0)
        return true;
    for (uint32_t index = 0; index < plan->repartitions_count; index++)
        if (plan->repartitions[index].producer == node->index &&
            plan->repartitions[index].output == output)
            return true;
    return false;
}

void mr_operator_emit(struct mr_operator_context *context, uint32_t output, struct mr_view view)
{
    const struct mr_operator *instance = context->instance;
    const struct mr_plan_node *node = instance->node;
    MR_ASSERT(output < node->outputs_count);
    if (view.rows_count == 0)
        return;
    const struct mr_plan_output *port = &node->outputs[output];
    if (port->edges_count > 0) {
        const struct mr_plan_domain *domain = &instance->plan->domains[port->domain];
        MR_ASSERT(view.batch->slots_count == domain->shape.slots_count);
    }
    MR_ASSERT(view_is_valid(view));
    context->runtime->emit(context->runtime->argument, context->node, output, view);
}

void mr_operator_late(struct mr_operator_context *context, uint32_t rows_count)
{
    context->runtime->late(context->runtime->argument, context->node, rows_count);
}

void mr_operator_judged(struct mr_operator_context *context, const uint32_t *rows_counts)
{
    context->runtime->judged(context->runtime->argument, context->node, rows_counts);
}

void mr_operator_gauge(struct mr_operator_context *context, enum mr_operator_gauge gauge,
                       double value)
{
    MR_ASSERT((context->instance->type->gauges & 1u << gauge) != 0);
    context->runtime->gauge(context->runtime->argument, context->node, gauge, value);
}

bool mr_operator_is_enough(struct mr_operator_context *context)
{
    if (++context->taken_count % ASK_EVERY != 0)
        return false;
    return context->runtime->is_full(context->runtime->argument);
}

void mr_operator_wake(struct mr_operator_context *context, int64_t due_ms)
{
    if (due_ms < context->wall_due_ms)
        context->wall_due_ms = due_ms;
}

void mr_operator_row_error(struct mr_operator_context *context, const struct mr_batch *batch,
                           uint32_t row, const char *format, ...)
{
    char message[MR_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    MR_ASSERT(written >= 0 && row < batch->rows_count);
    size_t size = (size_t)written;
    if (size >= sizeof(message))
        size = mr_utf8_cut(mr_slice_from(message, sizeof(message) - 1), sizeof(message) - 2);
    context->runtime->row_error(context->runtime->argument, context->node, batch, row,
                                mr_slice_from(message, size));
}

struct mr_batch *mr_operator_batch_new(struct mr_operator_context *context, uint32_t output,
                                       const struct mr_batch *cause, uint32_t rows_capacity)
{
    const struct mr_plan_node *node = context->instance->node;
    MR_ASSERT(output < node->outputs_count);
    MR_ASSERT(rows_capacity > 0 && rows_capacity <= MR_LIMIT_BATCH_ROWS);
    struct mr_batch *batch = context->runtime->batch_new(context->runtime->argument, context->node,
                                                         output, cause, rows_capacity);
    MR_ASSERT(batch->rows_count == 0 && batch->rows_capacity >= rows_capacity);
    return batch;
}

enum mr_status mr_operator_not_described(struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_NONE,
                   "the stored object is not of the operator's present type and options");
}

/* Key bytes never have data NULL: that marks a row whose key nobody has made. */
static const uint8_t no_bytes[1];

/* The key of one row; false when the row was reported. */
static bool make_key(struct mr_operator_context *context, const struct mr_plan_key *plan_key,
                     struct mr_batch *batch, uint32_t row, struct mr_slice *key)
{
    struct mr_slice made = {.data = no_bytes, .size = 0};
    if (plan_key->slots_count > 0) {
        enum mr_status status =
            mr_batch_key(batch, plan_key->slots, plan_key->slots_count, row, &made);
        if (status != MR_OK) {
            mr_operator_row_error(context, batch, row,
                                  "the record has no key: one of its %u key fields (%s%s) is "
                                  "missing, null or not a plain value",
                                  plan_key->slots_count, plan_key->texts[0],
                                  plan_key->slots_count > 1 ? ", ..." : "");
            return false;
        }
        if (made.data == NULL)
            made.data = no_bytes;
    }
    if (made.size > MR_LIMIT_KEY_BYTES) {
        mr_operator_row_error(context, batch, row, "the key has %zu bytes, at most %d are allowed",
                              made.size, (int)MR_LIMIT_KEY_BYTES);
        return false;
    }
    *key = made;
    return true;
}

const struct mr_slice *mr_operator_keys(struct mr_operator_context *context,
                                        const struct mr_plan_node *node, struct mr_view view,
                                        struct mr_view *keyed)
{
    return mr_operator_keys_of(context, &node->key, view, keyed);
}

const struct mr_slice *mr_operator_keys_of(struct mr_operator_context *context,
                                           const struct mr_plan_key *plan_key, struct mr_view view,
                                           struct mr_view *keyed)
{
    struct mr_batch *batch = view.batch;
    struct mr_slice *keys;
    if (plan_key->slots_count > 0) {
        MR_ASSERT(plan_key->key_id < batch->keys_count);
        if (batch->group_keys[plan_key->key_id] == NULL)
            batch->group_keys[plan_key->key_id] =
                mr_arena_new(batch->arena, batch->rows_capacity, sizeof(*keys));
        keys = batch->group_keys[plan_key->key_id];
    } else {
        keys = mr_arena_new(context->arena, batch->rows_capacity, sizeof(*keys));
    }
    uint16_t *rows = mr_arena_take(context->arena, view.rows_count * sizeof(*rows));
    uint32_t rows_count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        if (keys[row].data == NULL && !make_key(context, plan_key, batch, row, &keys[row]))
            continue;
        rows[rows_count++] = (uint16_t)row;
    }
    *keyed = (struct mr_view){.batch = batch, .rows = rows, .rows_count = rows_count};
    return keys;
}

enum mr_status mr_operator_record_text(struct mr_operator_context *context, uint32_t port,
                                       const struct mr_batch *batch, uint32_t row,
                                       struct mr_slice *text, struct mr_error *error)
{
    const struct mr_layout *layout = context->instance->node->inputs[port].layout;
    if (layout->from_payload && layout->edits_count == 0) {
        *text = batch->payload_nulls[row] ? (struct mr_slice){0} : batch->payloads[row];
        return MR_OK;
    }
    return context->runtime->record_text(context->runtime->argument, context->node, port, batch,
                                         row, text, error);
}
