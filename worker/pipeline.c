/* worker/pipeline.c — wiring and running the operators of one task. */
#include "worker/pipeline.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "formats/json.h"

#include <stdio.h>

enum { ENDED_PORTS_MAX = 64 };

struct pipeline_node {
    struct mr_operator *instance;
    struct mr_operator_context context;
    struct mr_egress *egress;
    struct mr_series *series;
    uint32_t anomaly_slot;  /* of is_anomaly, or of the object that has it; MR_SLOT_NONE: none */
    int64_t input_held_ms;  /* how far its watermark is behind the task's */
    int64_t output_held_ms; /* and that of its outputs */
    bool behind_holding;    /* an operator in front of it, or it itself, holds rows */
    bool is_ended;          /* nothing more comes from it */
    bool gathers;           /* some of its inputs' rows were held, others perhaps not */
    void *texts[2];         /* encoders of the inputs' records, where the operator keeps them */
    struct mr_gauge_series gauges[MR_GAUGES_COUNT]; /* those of the type */
};

struct mr_pipeline {
    struct mr_pipeline_open open;
    const struct mr_plan *plan;
    const struct mr_plan_subtopology *subtopology;
    struct pipeline_node *nodes;    /* by plan index; unused where not of this subtopology */
    struct mr_exchange **exchanges; /* by repartition index, those that this task writes */
    bool *ended_repartitions;       /* by the same, of those that it reads */
    struct mr_operator_runtime runtime;
    struct mr_row_fault fault;
    struct mr_arena *arena; /* of the batch that is being pushed */
    uint32_t sinks_count;   /* sinks with positions */
    int64_t watermark_ms;   /* of the task, as all nodes know it */
    int64_t due_ms;         /* the one in progress; else as above */
    uint32_t due_node;      /* of the subtopology's: those before it have been told */
    enum mr_status status;
    struct mr_error error;
};

static void keep_failure(struct mr_pipeline *pipeline, enum mr_status status,
                         const struct mr_error *error)
{
    if (pipeline->status != MR_OK)
        return;
    pipeline->status = status;
    pipeline->error = *error;
}

/* ---- What operators call ---- */

static void report_fault(void *argument, uint32_t node_index, const struct mr_batch *batch,
                         uint32_t row, struct mr_slice message)
{
    struct mr_pipeline *pipeline = argument;
    const struct mr_plan_node *node = &pipeline->plan->nodes[node_index];
    struct mr_series *series = &pipeline->open.series[node_index];
    mr_metric_add(series->errors, 1);
    mr_metric_set(series->last_error_time, (double)pipeline->open.writer->now_wall_ms);
    if (node->on_error == MR_ON_ERROR_DEAD_LETTER && node->is_broadcast &&
        pipeline->open.partition > 0) {
        mr_metric_add(series->dropped, 1); /* task 0 writes it: all of them read the record */
        return;
    }
    if (node->on_error == MR_ON_ERROR_DEAD_LETTER) {
        struct mr_dead_letter letter = {.node = node->name, .cause = message};
        mr_writer_dead_letter(pipeline->open.writer, batch, row, &letter);
        /* The first one only: a topology that is wrong for all its input shall say so at once. */
        if (mr_metric_count(series->dead) == 0)
            MR_LOG_AT(MR_LOG_WARNING, "worker",
                      MR_LOG_FIELDS("topology", pipeline->plan->name, "operator", node->name),
                      "a record went to the dead letters: %.*s; further ones are only counted",
                      (int)message.size, (const char *)message.data);
        mr_metric_add(series->dead, 1);
        return;
    }
    mr_metric_add(series->dropped, 1);
    if (node->on_error == MR_ON_ERROR_SKIP)
        return;
    struct mr_error error;
    enum mr_status status =
        MR_FAIL(&error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                "%s: record at %s[%d]@%lld: %.*s (on_error: fail stops the topology)", node->name,
                batch->origin.topic, batch->origin.partition, (long long)batch->offsets[row],
                (int)message.size, (const char *)message.data);
    keep_failure(pipeline, status, &error);
}

/* What rows know for the watermark at a node that gathers. Theirs are ahead of the results that an
 * operator beside them makes of the same run later, which would come late: they know what the node
 * was told last. */
static int64_t *told_watermarks(const struct mr_pipeline *pipeline,
                                const struct pipeline_node *target, const struct mr_batch *batch)
{
    int64_t told_ms = mr_watermark_held(pipeline->watermark_ms, target->input_held_ms);
    int64_t *watermarks_ms =
        mr_arena_take(pipeline->arena, batch->rows_count * sizeof(*watermarks_ms));
    for (uint32_t row = 0; row < batch->rows_count; row++)
        watermarks_ms[row] = told_ms;
    return watermarks_ms;
}

static enum mr_status process(struct mr_pipeline *pipeline, struct pipeline_node *target,
                              uint32_t port, struct mr_view view, struct mr_error *error)
{
    int64_t *own_ms = view.batch->watermarks_ms;
    if (target->gathers && own_ms != NULL)
        view.batch->watermarks_ms = told_watermarks(pipeline, target, view.batch);
    enum mr_status status =
        mr_operator_process(target->instance, &target->context, port, view, error);
    view.batch->watermarks_ms = own_ms;
    return status;
}

static void push(struct mr_pipeline *pipeline, const struct mr_plan_edge *edge, struct mr_view view)
{
    struct pipeline_node *target = &pipeline->nodes[edge->consumer];
    struct mr_error error;
    enum mr_status status;
    mr_metric_add(target->series->in, view.rows_count);
    if (target->egress != NULL) {
        uint32_t written_count;
        status = mr_egress_write(target->egress, view, &pipeline->fault, &written_count, &error);
        mr_metric_add(target->series->out, written_count);
        atomic_fetch_add_explicit(pipeline->open.output_records, written_count,
                                  memory_order_relaxed);
    } else {
        uint64_t start_ns = mr_clock_monotonic_ns();
        status = process(pipeline, target, edge->port, view, &error);
        mr_metric_observe(target->series->duration, (mr_clock_monotonic_ns() - start_ns) / 1000);
    }
    if (status != MR_OK)
        keep_failure(pipeline, status, &error);
}

/* is_anomaly itself, or an object with such a member. */
static bool is_flagged(const struct mr_value *value)
{
    if (value->kind == MR_KIND_BOOL)
        return value->boolean;
    for (uint32_t index = 0; value->kind == MR_KIND_MAP && index < value->size; index++)
        if (mr_slice_equal(mr_value_text(value->entries[index].key), mr_slice_text("is_anomaly")))
            return is_flagged(&value->entries[index].value);
    return false;
}

/* Rows that a detector flags, for the progress line and the status. */
static void count_anomalies(struct mr_pipeline *pipeline, const struct mr_plan_node *node,
                            struct mr_view view)
{
    uint32_t slot = pipeline->nodes[node->index].anomaly_slot;
    if (slot == MR_SLOT_NONE)
        return;
    const struct mr_value *flags = mr_batch_column(view.batch, slot);
    uint32_t count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++)
        count += is_flagged(&flags[view.rows[index]]);
    if (count > 0)
        atomic_fetch_add_explicit(pipeline->open.anomalies, count, memory_order_relaxed);
}

/* What consumers of the node's outputs know as the watermark. */
static int64_t output_watermark(const struct mr_pipeline *pipeline, uint32_t node)
{
    int64_t told_ms = MR_GUARD(MARK_BEHIND_PARTS) ? pipeline->watermark_ms : pipeline->due_ms;
    return mr_watermark_held(told_ms, pipeline->nodes[node].output_held_ms);
}

static void emit(void *argument, uint32_t node, uint32_t output_index, struct mr_view view)
{
    struct mr_pipeline *pipeline = argument;
    const struct mr_plan_output *output = &pipeline->plan->nodes[node].outputs[output_index];
    mr_metric_add(pipeline->open.series[node].out, view.rows_count);
    if (output_index == 0) {
        count_anomalies(pipeline, &pipeline->plan->nodes[node], view);
        if (pipeline->open.taps != NULL &&
            atomic_load_explicit(&pipeline->open.taps[node].open, memory_order_relaxed))
            mr_tap_show(&pipeline->open.taps[node], pipeline->open.outlet, pipeline->plan,
                        &pipeline->plan->nodes[node], view);
    }
    for (uint32_t index = 0; index < output->edges_count && pipeline->status == MR_OK; index++)
        push(pipeline, &output->edges[index], view);
    bool read = output->edges_count > 0;
    for (uint32_t index = 0; index < pipeline->plan->repartitions_count; index++) {
        const struct mr_plan_repartition *repartition = &pipeline->plan->repartitions[index];
        struct mr_error error;
        if (repartition->producer != node || repartition->output != output_index ||
            pipeline->status != MR_OK)
            continue;
        read = true;
        enum mr_status status =
            mr_exchange_write(pipeline->exchanges[index], view, output_watermark(pipeline, node),
                              &pipeline->fault, &error);
        if (status != MR_OK)
            keep_failure(pipeline, status, &error);
    }
    if (!read)
        mr_metric_add(pipeline->open.series[node].dropped, view.rows_count);
}

static struct mr_batch *batch_new(void *argument, uint32_t node, uint32_t output_index,
                                  const struct mr_batch *cause, uint32_t rows_capacity)
{
    struct mr_pipeline *pipeline = argument;
    const struct mr_plan_output *output = &pipeline->plan->nodes[node].outputs[output_index];
    struct mr_batch *batch = mr_arena_new(pipeline->arena, 1, sizeof(*batch));
    mr_batch_init(batch, pipeline->arena, pipeline->plan->domains[output->domain].shape,
                  rows_capacity);
    if (pipeline->subtopology->row_watermarks) {
        int64_t watermark_ms = output_watermark(pipeline, node);
        int64_t *watermarks_ms = mr_batch_watermarks(batch);
        for (uint32_t row = 0; row < rows_capacity; row++)
            watermarks_ms[row] = watermark_ms;
    }
    batch->origin = (struct mr_origin){pipeline->plan->nodes[node].name, pipeline->open.partition};
    if (cause != NULL) {
        batch->source_index = cause->source_index;
        batch->sequence_first = cause->sequence_first;
        batch->origin = cause->origin;
    }
    return batch;
}

static enum mr_status record_text(void *argument, uint32_t node, uint32_t port,
                                  const struct mr_batch *batch, uint32_t row, struct mr_slice *text,
                                  struct mr_error *error)
{
    const struct mr_pipeline *pipeline = argument;
    return mr_format_json.encode(pipeline->nodes[node].texts[port], batch, row, batch->arena, text,
                                 error);
}

static void count_late(void *argument, uint32_t node, uint32_t rows_count)
{
    const struct mr_pipeline *pipeline = argument;
    mr_metric_add(pipeline->open.series[node].late, rows_count);
}

static void count_judged(void *argument, uint32_t node, const uint32_t *rows_counts)
{
    const struct mr_pipeline *pipeline = argument;
    struct mr_metric *const *states = pipeline->open.detector_series[node].states;
    for (uint32_t state = 0; state < MR_SERIES_STATES; state++)
        if (states[state] != NULL && rows_counts[state] > 0)
            mr_metric_add(states[state], rows_counts[state]);
}

static void set_gauge(void *argument, uint32_t node, enum mr_operator_gauge gauge, double value)
{
    struct mr_pipeline *pipeline = argument;
    mr_gauge_series_set(&pipeline->nodes[node].gauges[gauge], value,
                        pipeline->open.writer->now_wall_ms);
}

/* Output, changes of the state and rows on their way: what a transaction, and a call, may hold. And
 * what the lane's step may take: others share its thread. */
static bool is_full(void *argument)
{
    const struct mr_pipeline *pipeline = argument;
    const struct mr_transaction *transaction = pipeline->open.writer->transaction;
    uint64_t bytes = transaction->arena.used_bytes;
    if (pipeline->open.state != NULL)
        bytes += mr_state_dirty_bytes(pipeline->open.state);
    return bytes >= MR_LIMIT_TRANSACTION_BYTES || mr_transaction_full(transaction) ||
           pipeline->arena->used_bytes >= MR_LIMIT_TRANSACTION_BYTES ||
           mr_clock_monotonic_ns() >= *pipeline->open.part_end_ns;
}

/* ---- Life ---- */

static uint64_t node_seed(const struct mr_pipeline *pipeline, const struct mr_plan_node *node)
{
    char text[256];
    int size = snprintf(text, sizeof(text), "%016llx/%s/%d/%s",
                        (unsigned long long)pipeline->open.deployment->generation,
                        pipeline->subtopology->name, pipeline->open.partition, node->name);
    return mr_hash64(mr_slice_from(text, (size_t)size));
}

static struct mr_sink_position stored_position(const struct mr_pipeline_open *open,
                                               const char *name)
{
    for (uint32_t index = 0; open->progress != NULL && index < open->progress->sinks_count;
         index++) {
        const struct mr_progress_sink *sink = &open->progress->sinks[index];
        if (mr_slice_equal(sink->name, mr_slice_text(name)))
            return (struct mr_sink_position){sink->file_number, sink->bytes};
    }
    return (struct mr_sink_position){0, 0};
}

static enum mr_status open_sink(struct mr_pipeline *pipeline, const struct mr_plan_node *node,
                                struct pipeline_node *target, struct mr_error *error)
{
    const struct mr_pipeline_open *open = &pipeline->open;
    struct mr_connector_open connector = {.options = &node->options,
                                          .topology = pipeline->plan->name,
                                          .name = node->name,
                                          .subtopology = pipeline->subtopology->name,
                                          .partition = open->partition,
                                          .partitions_count = open->partitions_count,
                                          .metrics = open->metrics,
                                          .exactly_once = pipeline->plan->exactly_once};
    enum mr_status status = mr_egress_create(
        open->writer, node, &connector, stored_position(open, node->name), &target->egress, error);
    if (status == MR_OK && mr_egress_has_position(target->egress))
        pipeline->sinks_count++;
    return status;
}

/* How far rows are held on the way to the node and behind it. Producers come first. */
static void find_held(struct mr_pipeline *pipeline, const struct mr_plan_node *node,
                      const struct mr_operator_type *type)
{
    struct pipeline_node *target = &pipeline->nodes[node->index];
    for (uint32_t index = 0; index < node->inputs_count; index++) {
        const struct mr_plan_input *input = &node->inputs[index];
        if (input->repartition)
            continue;
        const struct pipeline_node *producer = &pipeline->nodes[input->producer];
        if (producer->output_held_ms > target->input_held_ms)
            target->input_held_ms = producer->output_held_ms;
        target->behind_holding = target->behind_holding || producer->behind_holding;
    }
    target->gathers = target->behind_holding && node->inputs_count > 1;
    target->behind_holding = target->behind_holding || type->reach != NULL;
    target->output_held_ms = target->input_held_ms;
    if (type->reach != NULL)
        target->output_held_ms += type->reach(node).held_ms;
}

/* By record_text: a join's records where pairs are written as a whole, and those of a type that
 * keeps them. */
static bool keeps_text(const struct mr_plan_node *node, uint32_t port)
{
    if (node->join != NULL)
        return node->join->sides[port].text_slot != MR_SLOT_NONE;
    return (node->type->flags & MR_TYPE_KEEPS_RECORDS) != 0 && port < node->inputs_count;
}

/* Encoders of the records that an operator keeps as text. */
static enum mr_status open_texts(const struct mr_plan_node *node, struct pipeline_node *target,
                                 struct mr_error *error)
{
    for (uint32_t port = 0; port < MR_ARRAY_COUNT(target->texts); port++) {
        if (!keeps_text(node, port))
            continue;
        struct mr_encoder_open open = {.layout = node->inputs[port].layout,
                                       .value_slot = MR_SLOT_NONE};
        target->texts[port] = mr_memory_new(1, mr_format_json.encoder_size);
        enum mr_status status = mr_format_json.encoder_open(target->texts[port], &open, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static void open_gauges(const struct mr_pipeline *pipeline, const struct mr_plan_node *node,
                        const struct mr_operator_type *type, struct pipeline_node *target)
{
    static const enum mr_engine_metric metrics[MR_GAUGES_COUNT] = {
        [MR_GAUGE_UTILISATION] = MR_ENGINE_OPERATOR_UTILISATION,
        [MR_GAUGE_KEPT_AGE] = MR_ENGINE_OPERATOR_KEPT_AGE};
    for (uint32_t gauge = 0; gauge < MR_GAUGES_COUNT; gauge++)
        if ((type->gauges & 1u << gauge) != 0)
            mr_gauge_series_open(pipeline->open.metrics, metrics[gauge], pipeline->plan->name,
                                 node->name, pipeline->open.partition, &target->gauges[gauge]);
}

/* Detectors add is_anomaly to records; those that make records of their own, of subgroups or
 * windows, have it, or the object `anomaly`, behind the fields of the key. */
static uint32_t find_anomaly_slot(const struct mr_plan *plan, const struct mr_plan_node *node)
{
    const struct mr_type_spec *type = node->type;
    for (uint32_t index = 0; index < type->added_fields_count; index++)
        if (strcmp(type->added_fields[index].name, "is_anomaly") == 0)
            return node->added_slots[index];
    if ((type->flags & MR_TYPE_GROUPS) == 0)
        return MR_SLOT_NONE;
    const struct mr_output_spec *main_output = &type->outputs[0];
    const struct mr_plan_domain *domain = &plan->domains[node->outputs[0].domain];
    for (uint32_t index = 0; index < main_output->fields_count; index++) {
        const char *name = main_output->fields[index].name;
        if (strcmp(name, "is_anomaly") == 0 || strcmp(name, "anomaly") == 0)
            return domain->field_slots[node->key.slots_count + index];
    }
    return MR_SLOT_NONE;
}

static enum mr_status open_node(struct mr_pipeline *pipeline, const struct mr_plan_node *node,
                                struct mr_error *error)
{
    struct pipeline_node *target = &pipeline->nodes[node->index];
    target->series = &pipeline->open.series[node->index];
    target->anomaly_slot = find_anomaly_slot(pipeline->plan, node);
    if (node->type->role == MR_ROLE_SINK)
        return open_sink(pipeline, node, target, error);
    const struct mr_operator_type *type = mr_operator_find(node->type->role, node->type->name);
    if (type == NULL)
        return MR_OK; /* a connector's source */
    find_held(pipeline, node, type);
    open_gauges(pipeline, node, type, target);
    target->context = (struct mr_operator_context){
        .runtime = &pipeline->runtime,
        .node = node->index,
        .evaluator = pipeline->open.evaluator,
        .watermark_ms = mr_watermark_held(pipeline->watermark_ms, target->input_held_ms),
        .seed = node_seed(pipeline, node)};
    enum mr_status status = open_texts(node, target, error);
    if (status != MR_OK)
        return status;
    struct mr_operator_open open = {.plan = pipeline->plan,
                                    .node = node,
                                    .state = pipeline->open.state,
                                    .partition = pipeline->open.partition,
                                    .partitions_count = pipeline->open.partitions_count,
                                    .began_ms = pipeline->open.began_ms};
    return mr_operator_create(type, &open, &target->instance, error);
}

static enum mr_status open_all(struct mr_pipeline *pipeline, struct mr_error *error)
{
    const struct mr_plan *plan = pipeline->plan;
    for (uint32_t index = 0; index < pipeline->subtopology->nodes_count; index++) {
        enum mr_status status =
            open_node(pipeline, &plan->nodes[pipeline->subtopology->nodes[index]], error);
        if (status != MR_OK)
            return status;
    }
    uint32_t own = plan->nodes[pipeline->subtopology->nodes[0]].subtopology;
    for (uint32_t index = 0; index < plan->repartitions_count; index++) {
        if (plan->repartitions[index].from_subtopology != own)
            continue;
        enum mr_status status =
            mr_exchange_create(pipeline->open.writer, index, (uint32_t)pipeline->open.partition,
                               &pipeline->exchanges[index], error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

enum mr_status mr_pipeline_create(const struct mr_pipeline_open *open,
                                  struct mr_pipeline **pipeline, struct mr_error *error)
{
    struct mr_pipeline *created = mr_memory_new(1, sizeof(*created));
    created->open = *open;
    created->plan = open->deployment->plan;
    created->subtopology = &created->plan->subtopologies[open->subtopology];
    created->watermark_ms = open->progress == NULL ? INT64_MIN : open->progress->told_ms;
    created->due_ms = created->watermark_ms;
    created->nodes = mr_memory_new(created->plan->nodes_count, sizeof(*created->nodes));
    created->ended_repartitions =
        mr_memory_new(created->plan->repartitions_count + 1, sizeof(*created->ended_repartitions));
    created->exchanges =
        mr_memory_new(created->plan->repartitions_count + 1, sizeof(struct mr_exchange *));
    created->runtime = (struct mr_operator_runtime){.argument = created,
                                                    .emit = emit,
                                                    .row_error = report_fault,
                                                    .batch_new = batch_new,
                                                    .record_text = record_text,
                                                    .late = count_late,
                                                    .judged = count_judged,
                                                    .gauge = set_gauge,
                                                    .is_full = is_full};
    created->fault = (struct mr_row_fault){.argument = created, .report = report_fault};
    enum mr_status status = open_all(created, error);
    created->open.progress = NULL;
    if (status != MR_OK) {
        mr_pipeline_destroy(created);
        return status;
    }
    *pipeline = created;
    return MR_OK;
}

void mr_pipeline_destroy(struct mr_pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    for (uint32_t index = 0; index < pipeline->plan->nodes_count; index++) {
        struct pipeline_node *node = &pipeline->nodes[index];
        mr_operator_destroy(node->instance);
        for (uint32_t gauge = 0; gauge < MR_GAUGES_COUNT; gauge++)
            mr_gauge_series_close(pipeline->open.metrics, &node->gauges[gauge]);
        for (uint32_t port = 0; port < MR_ARRAY_COUNT(node->texts); port++) {
            if (node->texts[port] != NULL)
                mr_format_json.encoder_close(node->texts[port]);
            mr_memory_free(node->texts[port]);
        }
        mr_egress_destroy(pipeline->nodes[index].egress);
    }
    for (uint32_t index = 0; index < pipeline->plan->repartitions_count; index++)
        mr_exchange_destroy(pipeline->exchanges[index]);
    mr_memory_free(pipeline->exchanges);
    mr_memory_free(pipeline->ended_repartitions);
    mr_memory_free(pipeline->nodes);
    mr_memory_free(pipeline);
}

/* ---- Pushing ---- */

static void set_context(struct mr_pipeline *pipeline, struct mr_arena *arena)
{
    int64_t now_wall_ms = pipeline->open.writer->now_wall_ms;
    pipeline->arena = arena;
    for (uint32_t index = 0; index < pipeline->subtopology->nodes_count; index++) {
        struct mr_operator_context *context =
            &pipeline->nodes[pipeline->subtopology->nodes[index]].context;
        context->arena = arena;
        context->now_ms = now_wall_ms;
    }
}

enum mr_status mr_pipeline_status(const struct mr_pipeline *pipeline, struct mr_error *error)
{
    if (pipeline->status != MR_OK)
        *error = pipeline->error;
    return pipeline->status;
}

enum mr_status mr_pipeline_source(struct mr_pipeline *pipeline, uint32_t node, struct mr_view view,
                                  uint32_t rows_count, struct mr_error *error)
{
    MR_ASSERT(pipeline->due_ms == pipeline->watermark_ms);
    set_context(pipeline, view.batch->arena);
    mr_metric_add(pipeline->open.series[node].in, rows_count);
    if (view.rows_count > 0)
        emit(pipeline, node, 0, view);
    return mr_pipeline_status(pipeline, error);
}

enum mr_status mr_pipeline_repartition(struct mr_pipeline *pipeline, uint32_t repartition,
                                       struct mr_view view, struct mr_error *error)
{
    MR_ASSERT(pipeline->due_ms == pipeline->watermark_ms);
    set_context(pipeline, view.batch->arena);
    const struct mr_plan_repartition *planned = &pipeline->plan->repartitions[repartition];
    for (uint32_t index = 0;
         index < planned->edges_count && view.rows_count > 0 && pipeline->status == MR_OK; index++)
        push(pipeline, &planned->edges[index], view);
    return mr_pipeline_status(pipeline, error);
}

enum mr_status mr_pipeline_watermark(struct mr_pipeline *pipeline, int64_t watermark_ms,
                                     struct mr_arena *arena, struct mr_error *error)
{
    if (pipeline->due_ms == pipeline->watermark_ms)
        pipeline->due_node = 0;
    else
        MR_ASSERT(watermark_ms == pipeline->due_ms);
    pipeline->due_ms = watermark_ms;
    set_context(pipeline, arena);
    while (pipeline->due_node < pipeline->subtopology->nodes_count && pipeline->status == MR_OK) {
        struct pipeline_node *node =
            &pipeline->nodes[pipeline->subtopology->nodes[pipeline->due_node]];
        enum mr_status status = MR_OK;
        node->context.watermark_ms = mr_watermark_held(watermark_ms, node->input_held_ms);
        if (node->instance != NULL)
            status = mr_operator_watermark(node->instance, &node->context, error);
        if (status == MR_AGAIN && pipeline->status == MR_OK)
            return MR_AGAIN;
        if (status != MR_OK && status != MR_AGAIN)
            keep_failure(pipeline, status, error);
        pipeline->due_node++;
    }
    pipeline->watermark_ms = watermark_ms;
    return mr_pipeline_status(pipeline, error);
}

int64_t mr_pipeline_told(const struct mr_pipeline *pipeline)
{
    return pipeline->watermark_ms;
}

enum mr_status mr_pipeline_horizon(struct mr_pipeline *pipeline, int64_t wanted_ms,
                                   int64_t *watermark_ms, struct mr_error *error)
{
    *watermark_ms = INT64_MAX;
    for (uint32_t index = 0; index < pipeline->subtopology->nodes_count; index++) {
        struct pipeline_node *node = &pipeline->nodes[pipeline->subtopology->nodes[index]];
        int64_t own_ms;
        if (node->instance == NULL)
            continue;
        enum mr_status status = mr_operator_horizon(
            node->instance, mr_watermark_held(wanted_ms, node->input_held_ms), &own_ms, error);
        if (status != MR_OK)
            return status;
        if (own_ms < INT64_MAX - node->input_held_ms &&
            own_ms + node->input_held_ms < *watermark_ms)
            *watermark_ms = own_ms + node->input_held_ms;
    }
    if (*watermark_ms < pipeline->watermark_ms)
        *watermark_ms = pipeline->watermark_ms;
    return MR_OK;
}

enum mr_status mr_pipeline_wall(struct mr_pipeline *pipeline, struct mr_arena *arena, bool *called,
                                struct mr_error *error)
{
    set_context(pipeline, arena);
    *called = false;
    for (uint32_t index = 0;
         index < pipeline->subtopology->nodes_count && pipeline->status == MR_OK; index++) {
        struct pipeline_node *node = &pipeline->nodes[pipeline->subtopology->nodes[index]];
        bool due;
        if (node->instance == NULL)
            continue;
        enum mr_status status = mr_operator_wall(node->instance, &node->context, &due, error);
        *called = *called || due;
        if (status == MR_AGAIN && pipeline->status == MR_OK)
            return MR_AGAIN;
        if (status != MR_OK && status != MR_AGAIN)
            keep_failure(pipeline, status, error);
    }
    return mr_pipeline_status(pipeline, error);
}

/* The repartition through which rows come to the port; its count: none. */
static uint32_t find_repartition(const struct mr_plan *plan, uint32_t node, uint32_t port)
{
    for (uint32_t index = 0; index < plan->repartitions_count; index++)
        for (uint32_t edge = 0; edge < plan->repartitions[index].edges_count; edge++)
            if (plan->repartitions[index].edges[edge].consumer == node &&
                plan->repartitions[index].edges[edge].port == port)
                return index;
    return plan->repartitions_count;
}

/* Which ports of a node nothing more comes to. */
static uint64_t find_ended_ports(const struct mr_pipeline *pipeline, uint32_t node)
{
    const struct mr_plan_node *planned = &pipeline->plan->nodes[node];
    uint64_t ports = 0;
    for (uint32_t port = 0; port < planned->inputs_count && port < ENDED_PORTS_MAX; port++) {
        uint32_t number = find_repartition(pipeline->plan, node, port);
        bool is_ended = number < pipeline->plan->repartitions_count
                            ? pipeline->ended_repartitions[number]
                            : pipeline->nodes[planned->inputs[port].producer].is_ended;
        if (is_ended)
            ports |= (uint64_t)1 << port;
    }
    return ports;
}

/* Operators that only answer their rows end with their inputs; others may hold something that
 * leaves later. */
static bool ends_with_inputs(const struct mr_pipeline *pipeline, uint32_t index)
{
    const struct mr_plan_node *planned = &pipeline->plan->nodes[index];
    const struct mr_operator_type *type =
        mr_operator_find(planned->type->role, planned->type->name);
    return planned->inputs_count <= ENDED_PORTS_MAX && type != NULL && type->on_watermark == NULL &&
           !mr_plan_is_woken(planned);
}

static void tell_ends(struct mr_pipeline *pipeline)
{
    for (uint32_t at = 0; at < pipeline->subtopology->nodes_count; at++) {
        uint32_t index = pipeline->subtopology->nodes[at];
        struct pipeline_node *node = &pipeline->nodes[index];
        uint32_t inputs_count = pipeline->plan->nodes[index].inputs_count;
        uint64_t ports = find_ended_ports(pipeline, index);
        if (node->instance == NULL || inputs_count == 0 || ports == node->context.ended_ports)
            continue;
        node->context.ended_ports = ports;
        node->is_ended = (uint32_t)__builtin_popcountll(ports) == inputs_count &&
                         ends_with_inputs(pipeline, index);
        mr_operator_wake(&node->context, pipeline->open.writer->now_wall_ms);
    }
}

void mr_pipeline_source_ended(struct mr_pipeline *pipeline, uint32_t node, bool is_ended)
{
    pipeline->nodes[node].is_ended = is_ended;
    tell_ends(pipeline);
}

void mr_pipeline_repartition_ended(struct mr_pipeline *pipeline, uint32_t repartition,
                                   bool is_ended)
{
    pipeline->ended_repartitions[repartition] = is_ended;
    tell_ends(pipeline);
}

/* What readers of the repartition are told of this task. */
static enum mr_upstream_rest rest_of(const struct mr_pipeline *pipeline, uint32_t repartition,
                                     bool idle)
{
    uint32_t producer = pipeline->plan->repartitions[repartition].producer;
    if (!idle)
        return MR_UPSTREAM_ACTIVE;
    return pipeline->nodes[producer].is_ended ? MR_UPSTREAM_ENDED : MR_UPSTREAM_IDLE;
}

bool mr_pipeline_waits(const struct mr_pipeline *pipeline)
{
    for (uint32_t index = 0; index < pipeline->subtopology->nodes_count; index++) {
        const struct pipeline_node *node = &pipeline->nodes[pipeline->subtopology->nodes[index]];
        if (node->instance != NULL && mr_operator_waits(node->instance, &node->context))
            return true;
    }
    return false;
}

bool mr_pipeline_marks_due(const struct mr_pipeline *pipeline, bool idle, uint64_t now_ms)
{
    for (uint32_t index = 0; index < pipeline->plan->repartitions_count; index++) {
        uint32_t producer = pipeline->plan->repartitions[index].producer;
        if (pipeline->exchanges[index] != NULL &&
            mr_exchange_marks_due(pipeline->exchanges[index], output_watermark(pipeline, producer),
                                  rest_of(pipeline, index, idle), now_ms))
            return true;
    }
    return false;
}

void mr_pipeline_hurry_marks(struct mr_pipeline *pipeline)
{
    for (uint32_t index = 0; index < pipeline->plan->repartitions_count; index++) {
        uint32_t producer = pipeline->plan->repartitions[index].producer;
        if (pipeline->exchanges[index] != NULL)
            mr_exchange_hurry(pipeline->exchanges[index], output_watermark(pipeline, producer));
    }
}

void mr_pipeline_mark(struct mr_pipeline *pipeline, bool idle, uint64_t now_ms)
{
    for (uint32_t index = 0; index < pipeline->plan->repartitions_count; index++) {
        uint32_t producer = pipeline->plan->repartitions[index].producer;
        if (pipeline->exchanges[index] != NULL)
            mr_exchange_mark(pipeline->exchanges[index], output_watermark(pipeline, producer),
                             rest_of(pipeline, index, idle), now_ms);
    }
}

enum mr_status mr_pipeline_generate(struct mr_pipeline *pipeline, uint32_t node, int64_t position,
                                    struct mr_batch *batch, int64_t *next_position, int64_t *due_ms,
                                    struct mr_error *error)
{
    struct pipeline_node *target = &pipeline->nodes[node];
    MR_ASSERT(target->instance != NULL);
    set_context(pipeline, batch->arena);
    return mr_operator_generate(target->instance, &target->context, position, batch, next_position,
                                due_ms, error);
}

const struct mr_row_fault *mr_pipeline_fault(struct mr_pipeline *pipeline)
{
    return &pipeline->fault;
}

/* ---- Sinks with positions ---- */

uint32_t mr_pipeline_sinks_count(const struct mr_pipeline *pipeline)
{
    return pipeline->sinks_count;
}

enum mr_status mr_pipeline_prepare(struct mr_pipeline *pipeline, struct mr_progress_sink *positions,
                                   struct mr_error *error)
{
    uint32_t positions_count = 0;
    for (uint32_t index = 0; index < pipeline->plan->nodes_count; index++) {
        struct mr_egress *egress = pipeline->nodes[index].egress;
        struct mr_sink_position position;
        if (egress == NULL || !mr_egress_has_position(egress))
            continue;
        enum mr_status status = mr_egress_prepare(egress, &position, error);
        if (status != MR_OK)
            return status;
        positions[positions_count++] =
            (struct mr_progress_sink){.name = mr_slice_text(mr_egress_node(egress)->name),
                                      .file_number = position.file_number,
                                      .bytes = position.bytes};
    }
    return MR_OK;
}

enum mr_status mr_pipeline_committed(struct mr_pipeline *pipeline, struct mr_error *error)
{
    for (uint32_t index = 0; index < pipeline->plan->nodes_count; index++) {
        struct mr_egress *egress = pipeline->nodes[index].egress;
        if (egress == NULL || !mr_egress_has_position(egress))
            continue;
        enum mr_status status = mr_egress_committed(egress, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}
