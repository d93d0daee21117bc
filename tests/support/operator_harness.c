/* tests/support/operator_harness.c — see operator_harness.h.
 * Design: output is text with doubles in hexadecimal, so that two runs are equal bit for bit when
 * their texts are. A row is written with its message fields and every cell of its batch that the
 * domain's shape has, in slot order. */
#include "tests/support/operator_harness.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/zone_file.h"
#include "operators/aggregate.h"
#include "operators/sample_model.h"

enum {
    OUTPUT_BYTES_MAX = 256 << 20,
    FORMATS_COUNT = 1,
    TYPES_HERE = 3,
    DOCUMENT_BYTES_MAX = 1 << 20
};

/* ---- The catalogue ---- */

static const struct mr_option_spec no_options[] = {{.name = NULL}};
static const struct mr_output_spec source_outputs[] = {{.name = "main", .help = "Records."}};

static const struct mr_type_spec source_type = {
    .name = "memory",
    .role = MR_ROLE_SOURCE,
    .summary = "Rows of a test.",
    .description = "Rows of a test.",
    .options = no_options,
    .outputs = source_outputs,
    .outputs_count = 1,
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
};

/* The same of a topic: it keeps its records. */
static const struct mr_type_spec topic_type = {
    .name = "topic",
    .role = MR_ROLE_SOURCE,
    .flags = MR_TYPE_LOG,
    .summary = "Rows of a test.",
    .description = "Rows of a test.",
    .options = no_options,
    .outputs = source_outputs,
    .outputs_count = 1,
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
};

static const struct mr_type_spec sink_type = {
    .name = "memory",
    .role = MR_ROLE_SINK,
    .summary = "A sink of a test.",
    .description = "A sink of a test.",
    .options = no_options,
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
};

static const struct mr_format_spec formats[FORMATS_COUNT] = {
    {.name = "json", .help = "JSON.", .options = no_options, .payload_is_json = true},
};

static enum mr_status load_zone(void *argument, const char *name, struct mr_arena *arena,
                                const struct mr_zone **zone, struct mr_error *error)
{
    MR_UNUSED(argument);
    return mr_zone_load(name, arena, zone, error);
}

static const struct mr_zone_source zones = {.load = load_zone};

/* Documents are files of the source tree. */
static enum mr_status load_document(void *argument, const char *path, struct mr_arena *arena,
                                    struct mr_document_facts *facts, struct mr_error *error)
{
    MR_UNUSED(argument);
    const char *whole = mr_arena_format(arena, "%s/%s", MR_SOURCE_DIR, path);
    FILE *file = fopen(whole, "rb");
    if (file == NULL)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY, "cannot open '%s'", path);
    uint8_t *bytes = mr_arena_take(arena, DOCUMENT_BYTES_MAX);
    size_t size = fread(bytes, 1, DOCUMENT_BYTES_MAX, file);
    (void)fclose(file);
    return mr_sample_document_facts(mr_slice_from(bytes, size), arena, facts, error);
}

static const struct mr_document_source documents = {.load = load_document};

static void parse(struct mr_arena *arena, const char *sources, const char *operators,
                  const char *sinks, struct mr_report *report, struct mr_plan **plan)
{
    uint32_t types_count = 0;
    uint32_t operators_count;
    const struct mr_operator_type *const *registered = mr_operators(&operators_count);
    const struct mr_type_spec **types =
        mr_arena_new(arena, operators_count + TYPES_HERE, sizeof(*types));
    for (uint32_t index = 0; index < operators_count; index++)
        types[types_count++] = &registered[index]->spec;
    types[types_count++] = &source_type;
    types[types_count++] = &topic_type;
    types[types_count++] = &sink_type;
    struct mr_catalogue *catalogue = mr_arena_new(arena, 1, sizeof(*catalogue));
    *catalogue = (struct mr_catalogue){.types = types,
                                       .types_count = types_count,
                                       .formats = formats,
                                       .formats_count = FORMATS_COUNT};
    catalogue->aggregates = mr_aggregates(&catalogue->aggregates_count);
    catalogue->zones = &zones;
    catalogue->documents = &documents;
    char *text = mr_arena_format(arena,
                                 "apiVersion: millrace.io/v1alpha1\n"
                                 "kind: Topology\n"
                                 "metadata:\n"
                                 "  name: harness\n"
                                 "spec:\n"
                                 "  sources:\n%s%s%s%s%s",
                                 sources, operators[0] == '\0' ? "" : "  operators:\n", operators,
                                 sinks[0] == '\0' ? "" : "  sinks:\n", sinks);
    mr_report_init(report, arena, "harness.yaml");
    mr_topology_parse(mr_slice_text(text), catalogue, NULL, arena, report, plan);
}

static char *report_text(struct mr_arena *arena, const struct mr_report *report)
{
    char *text = mr_arena_copy_text(arena, "");
    for (uint32_t index = 0; index < report->findings_count; index++)
        text = mr_arena_format(arena, "%s%u:%u: %s\n", text, report->findings[index].location.line,
                               report->findings[index].location.column,
                               report->findings[index].message);
    return text;
}

const char *harness_findings(struct mr_arena *arena, const char *sources, const char *operators,
                             const char *sinks)
{
    struct mr_report report;
    struct mr_plan *plan = NULL;
    parse(arena, sources, operators, sinks, &report, &plan);
    return report_text(arena, &report);
}

/* ---- What comes out ---- */

static void keep_last(struct harness *harness, uint32_t output, const struct mr_batch *batch,
                      uint32_t row)
{
    struct mr_value *cells =
        mr_arena_new(&harness->plan_arena, batch->slots_count + 1, sizeof(*cells));
    for (uint32_t slot = 0; slot < batch->slots_count; slot++)
        if (batch->columns[slot] != NULL)
            cells[slot] = mr_value_copy(&harness->plan_arena, batch->columns[slot][row]);
    harness->last[output] = cells;
}

static void on_emit(void *argument, uint32_t node, uint32_t output, struct mr_view view)
{
    struct harness *harness = argument;
    assert_int_equal(node, harness->node->index);
    harness->emitted_count[output] += view.rows_count;
    /* Rows without a reader are only counted. */
    if (!mr_operator_output_is_read(harness->plan, harness->node, output))
        return;
    for (uint32_t index = 0; index < view.rows_count && !harness->quiet; index++)
        harness_print_row(&harness->outputs[output], view.batch, view.rows[index]);
    if (harness->keeps_last)
        keep_last(harness, output, view.batch, view.rows[view.rows_count - 1]);
    if (harness->on_emit != NULL)
        harness->on_emit(harness->on_emit_argument, harness, output, view);
}

static void on_row_error(void *argument, uint32_t node, const struct mr_batch *batch, uint32_t row,
                         struct mr_slice message)
{
    struct harness *harness = argument;
    assert_int_equal(node, harness->node->index);
    assert_in_range(row, 0, batch->rows_count - 1);
    harness->errors_count++;
    if (harness->quiet)
        return;
    harness_append(&harness->errors, "@%" PRId64 " ", batch->offsets[row]);
    harness_append_bytes(&harness->errors, message);
    harness_append(&harness->errors, "\n");
}

static bool on_is_full(void *argument)
{
    const struct harness *harness = argument;
    return harness->in_parts;
}

static struct mr_batch *on_batch_new(void *argument, uint32_t node, uint32_t output,
                                     const struct mr_batch *cause, uint32_t rows_capacity)
{
    struct harness *harness = argument;
    assert_int_equal(node, harness->node->index);
    MR_UNUSED(cause);
    struct mr_operator_reach reach = {0};
    if (harness->type->reach != NULL)
        reach = harness->type->reach(harness->node);
    struct mr_batch *batch = mr_arena_new(&harness->batch_arena, 1, sizeof(*batch));
    uint32_t domain = harness->node->outputs[output].domain;
    mr_batch_init(batch, &harness->batch_arena, harness->plan->domains[domain].shape,
                  rows_capacity);
    for (uint32_t row = 0; row < rows_capacity; row++)
        mr_batch_watermarks(batch)[row] =
            harness->watermark_ms == INT64_MIN ? INT64_MIN : harness->watermark_ms - reach.held_ms;
    return batch;
}

/* Sources of the harness have nothing to encode. */
static enum mr_status on_record_text(void *argument, uint32_t node, uint32_t port,
                                     const struct mr_batch *batch, uint32_t row,
                                     struct mr_slice *text, struct mr_error *error)
{
    MR_UNUSED(argument);
    MR_UNUSED(node);
    MR_UNUSED(port);
    MR_UNUSED(error);
    *text = batch->payloads[row];
    return MR_OK;
}

static void on_judged(void *argument, uint32_t node, const uint32_t *rows_counts)
{
    struct harness *harness = argument;
    MR_UNUSED(node);
    for (uint32_t state = 0; state < MR_ARRAY_COUNT(harness->judged_counts); state++)
        harness->judged_counts[state] += rows_counts[state];
}

static void on_gauge(void *argument, uint32_t node, enum mr_operator_gauge gauge, double value)
{
    struct harness *harness = argument;
    assert_int_equal(node, harness->node->index);
    harness->gauges[gauge] = value;
}

static void on_late(void *argument, uint32_t node, uint32_t rows_count)
{
    struct harness *harness = argument;
    assert_int_equal(node, harness->node->index);
    harness->late_count += rows_count;
}

/* ---- State ---- */

static void state_open(struct harness *harness)
{
    struct mr_state_open open = {
        .store_ops = &mr_store_memory,
        .directory = "",
        .identity = {.cluster_id = "c", .topic_id = "t", .generation = 1},
        .cache_bytes_max = harness->cache_bytes_max,
        .now_wall_ms = 1000,
        .tombstone_margin_ms = 86400000,
    };
    struct mr_state_opened opened;
    struct mr_error error;
    harness->resources = mr_store_memory.resources_create(1 << 20);
    open.resources = harness->resources;
    enum mr_status status = mr_state_open(&open, &harness->state, &opened, &error);
    if (status != MR_OK)
        fail_msg("%s", error.message);
}

static void restore_changelog(struct harness *harness)
{
    struct mr_error error;
    for (uint32_t index = 0; index < harness->changelog_count; index++) {
        const struct harness_change *change = &harness->changelog[index];
        if (mr_state_restore_record(harness->state, change->key, change->value, change->tombstone,
                                    &error) != MR_OK)
            fail_msg("%s", error.message);
    }
    if (mr_state_restore_commit(harness->state, (int64_t)harness->changelog_count + 1, 1000,
                                &error) != MR_OK ||
        mr_state_restore_finish(harness->state, &error) != MR_OK)
        fail_msg("%s", error.message);
}

static void operator_open(struct harness *harness)
{
    struct mr_operator_open open = {
        .plan = harness->plan,
        .node = harness->node,
        .state = harness->state,
        .partition = harness->partition,
        .partitions_count = harness->partitions_count,
    };
    struct mr_error error;
    if (mr_operator_create(harness->type, &open, &harness->operator_instance, &error) != MR_OK)
        fail_msg("%s", error.message);
}

static void start(struct harness *harness)
{
    if (harness->type->spec.state_version > 0)
        state_open(harness);
    operator_open(harness);
    if (harness->state != NULL)
        restore_changelog(harness);
}

static void stop(struct harness *harness)
{
    mr_operator_destroy(harness->operator_instance);
    mr_state_close(harness->state);
    if (harness->resources != NULL)
        mr_store_memory.resources_destroy(harness->resources);
    harness->operator_instance = NULL;
    harness->state = NULL;
    harness->resources = NULL;
}

void harness_open_sources(struct harness *harness, const char *sources, const char *operators,
                          const char *sinks, const char *node, int32_t partition,
                          int32_t partitions_count)
{
    *harness = (struct harness){
        .partition = partition, .partitions_count = partitions_count, .cache_bytes_max = 64 << 20};
    mr_arena_init(&harness->plan_arena, 1 << 16);
    mr_arena_init(&harness->batch_arena, 1 << 20);
    for (uint32_t output = 0; output < MR_LIMIT_OPERATOR_OUTPUTS; output++)
        mr_buffer_init(&harness->outputs[output], OUTPUT_BYTES_MAX);
    mr_buffer_init(&harness->errors, OUTPUT_BYTES_MAX);
    struct mr_report report;
    parse(&harness->plan_arena, sources, operators, sinks, &report, &harness->plan);
    if (harness->plan == NULL)
        fail_msg("the topology is not valid:\n%s", report_text(&harness->plan_arena, &report));
    harness->node = mr_plan_node_find(harness->plan, node);
    assert_non_null(harness->node);
    harness->type = mr_operator_find(harness->node->type->role, harness->node->type->name);
    assert_non_null(harness->type);
    harness->runtime = (struct mr_operator_runtime){
        .argument = harness,
        .emit = on_emit,
        .row_error = on_row_error,
        .batch_new = on_batch_new,
        .record_text = on_record_text,
        .late = on_late,
        .judged = on_judged,
        .gauge = on_gauge,
        .is_full = on_is_full,
    };
    harness->watermark_ms = INT64_MIN;
    harness->context = (struct mr_operator_context){
        .runtime = &harness->runtime,
        .node = harness->node->index,
        .arena = &harness->batch_arena,
        .evaluator = mr_evaluator_create(),
        .now_ms = 1700000000000,
        .watermark_ms = INT64_MIN,
        .seed = 1,
    };
    start(harness);
}

void harness_open(struct harness *harness, const char *operators, const char *sinks,
                  const char *node)
{
    harness_open_sources(harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: in2, type: memory}\n",
                         operators, sinks, node, 0, 1);
}

void harness_close(struct harness *harness)
{
    stop(harness);
    mr_evaluator_destroy(harness->context.evaluator);
    for (uint32_t index = 0; index < harness->changelog_count; index++) {
        mr_memory_free((void *)(uintptr_t)harness->changelog[index].key.data);
        mr_memory_free((void *)(uintptr_t)harness->changelog[index].value.data);
    }
    mr_memory_free(harness->changelog);
    for (uint32_t output = 0; output < MR_LIMIT_OPERATOR_OUTPUTS; output++)
        mr_buffer_deinit(&harness->outputs[output]);
    mr_buffer_deinit(&harness->errors);
    mr_arena_deinit(&harness->batch_arena);
    mr_arena_deinit(&harness->plan_arena);
}

/* ---- Running ---- */

static void fill_row(struct harness *harness, const struct mr_plan_domain *domain,
                     struct mr_batch *batch, uint32_t row, const struct harness_row *given)
{
    batch->offsets[row] = given->offset;
    batch->timestamps_ms[row] = given->event_time_ms;
    batch->event_times_ms[row] = given->event_time_ms;
    mr_batch_watermarks(batch)[row] =
        harness->row_watermarks ? given->watermark_ms : harness->watermark_ms;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payload_nulls[row] = false;
    batch->payloads[row] = mr_slice_text(
        mr_arena_format(&harness->batch_arena, "{\"offset\":%" PRId64 "}", given->offset));
    if (given->deletes != NULL) {
        batch->message_keys[row] = mr_slice_text(given->deletes);
        batch->key_nulls[row] = false;
        batch->payload_nulls[row] = true;
        batch->payloads[row] = (struct mr_slice){0};
    }
    for (uint32_t read = 0; read < domain->reads_count; read++) {
        const struct mr_field_read *field = &domain->reads[read];
        for (uint32_t cell = 0; cell < HARNESS_CELLS_MAX && given->cells[cell].path != NULL; cell++)
            if (strcmp(given->cells[cell].path, field->path.text) == 0)
                mr_batch_column(batch, field->slot)[row] = given->cells[cell].value;
    }
}

enum mr_status harness_try_feed(struct harness *harness, uint32_t port,
                                const struct harness_row *rows, uint32_t rows_count,
                                struct mr_error *error)
{
    const struct mr_plan_domain *domain =
        &harness->plan->domains[harness->node->inputs[port].domain];
    struct mr_batch batch;
    mr_batch_init(&batch, &harness->batch_arena, domain->shape, rows_count);
    batch.rows_count = rows_count;
    batch.origin = (struct mr_origin){"topic", 2};
    batch.sequence_first = harness->sequence;
    harness->sequence += rows_count;
    for (uint32_t row = 0; row < rows_count; row++)
        fill_row(harness, domain, &batch, row, &rows[row]);
    uint64_t before = mr_memory_counters().allocation_count;
    uint64_t start_ns = mr_clock_thread_cpu_ns();
    enum mr_status status = mr_operator_process(harness->operator_instance, &harness->context, port,
                                                mr_batch_view(&batch), error);
    harness->process_cpu_ns += mr_clock_thread_cpu_ns() - start_ns;
    harness->allocation_count += mr_memory_counters().allocation_count - before;
    mr_arena_reset(&harness->batch_arena);
    return status;
}

void harness_feed(struct harness *harness, uint32_t port, const struct harness_row *rows,
                  uint32_t rows_count)
{
    struct mr_error error;
    if (harness_try_feed(harness, port, rows, rows_count, &error) != MR_OK)
        fail_msg("%s", error.message);
}

enum mr_status harness_generate(struct harness *harness, int64_t position, int64_t now_ms,
                                uint32_t rows_max, int64_t *next_position, int64_t *due_ms)
{
    const struct mr_plan_domain *domain = &harness->plan->domains[harness->node->outputs[0].domain];
    struct mr_batch batch;
    mr_batch_init(&batch, &harness->batch_arena, domain->shape, rows_max);
    harness->context.now_ms = now_ms;
    struct mr_error error;
    enum mr_status status = mr_operator_generate(harness->operator_instance, &harness->context,
                                                 position, &batch, next_position, due_ms, &error);
    if (status == MR_OK)
        on_emit(harness, harness->node->index, 0, mr_batch_view(&batch));
    else if (status != MR_END && status != MR_AGAIN)
        fail_msg("%s", error.message);
    mr_arena_reset(&harness->batch_arena);
    return status;
}

static void changelog_add(struct harness *harness, const struct mr_state_change *change)
{
    if (harness->changelog_count == harness->changelog_capacity) {
        harness->changelog_capacity =
            harness->changelog_capacity == 0 ? 1024 : 2 * harness->changelog_capacity;
        harness->changelog = mr_memory_resize(harness->changelog, harness->changelog_capacity *
                                                                      sizeof(*harness->changelog));
    }
    struct harness_change *kept = &harness->changelog[harness->changelog_count++];
    kept->key =
        mr_slice_from(mr_memory_copy_bytes(change->key.data, change->key.size), change->key.size);
    kept->value = mr_slice_from(
        mr_memory_copy_bytes(change->tombstone ? (const void *)"" : change->value.data,
                             change->tombstone ? 0 : change->value.size),
        change->tombstone ? 0 : change->value.size);
    kept->tombstone = change->tombstone;
    harness->changelog_bytes += kept->key.size + kept->value.size;
}

void harness_commit(struct harness *harness)
{
    if (harness->state == NULL)
        return;
    struct mr_sealed *sealed;
    const struct mr_state_change *changes;
    size_t changes_count;
    struct mr_error error;
    if (mr_state_seal(harness->state, &sealed, &changes, &changes_count, &error) != MR_OK)
        fail_msg("%s", error.message);
    for (size_t index = 0; index < changes_count; index++)
        changelog_add(harness, &changes[index]);
    if (mr_state_apply_sealed(harness->state, sealed, (int64_t)harness->changelog_count + 1, 0,
                              2000, &error) != MR_OK)
        fail_msg("%s", error.message);
    mr_state_release_sealed(harness->state, sealed);
}

void harness_restore(struct harness *harness)
{
    stop(harness);
    start(harness);
}

/* A part of what is due has left. */
static void end_part(struct harness *harness)
{
    harness->parts_count++;
    mr_arena_reset(&harness->batch_arena);
    if (harness->crash_every == 0 || harness->state == NULL ||
        harness->parts_count % harness->crash_every != 0)
        return;
    harness_commit(harness);
    harness_restore(harness);
}

void harness_watermark(struct harness *harness, int64_t watermark_ms)
{
    struct mr_error error;
    enum mr_status status;
    do {
        harness->context.watermark_ms = watermark_ms;
        status = mr_operator_watermark(harness->operator_instance, &harness->context, &error);
        if (status == MR_AGAIN)
            end_part(harness);
    } while (status == MR_AGAIN);
    if (status != MR_OK)
        fail_msg("%s", error.message);
    harness->watermark_ms = watermark_ms;
    mr_arena_reset(&harness->batch_arena);
}

int64_t harness_wall(struct harness *harness, int64_t now_ms)
{
    struct mr_error error;
    bool called;
    harness->context.now_ms = now_ms;
    enum mr_status status;
    do {
        status = mr_operator_wall(harness->operator_instance, &harness->context, &called, &error);
        if (status == MR_AGAIN)
            end_part(harness);
    } while (status == MR_AGAIN);
    if (status != MR_OK)
        fail_msg("%s", error.message);
    mr_arena_reset(&harness->batch_arena);
    return harness->context.wall_due_ms;
}

static bool dump_pair(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct mr_buffer *text = argument;
    harness_append_hex(text, key.data, key.size);
    harness_append_text(text, " ");
    harness_append_hex(text, value.data, value.size);
    harness_append_text(text, "\n");
    return true;
}

const char *harness_dump(struct harness *harness, struct mr_arena *arena)
{
    if (harness->state == NULL)
        return "";
    struct mr_buffer text;
    mr_buffer_init(&text, OUTPUT_BYTES_MAX);
    struct mr_error error;
    if (mr_state_visit(harness->state, dump_pair, &text, &error) != MR_OK)
        fail_msg("%s", error.message);
    const char *copy = mr_arena_copy_bytes_text(arena, text.data, text.size);
    mr_buffer_deinit(&text);
    return copy;
}

static const char *buffer_text(struct mr_buffer *buffer)
{
    assert_int_equal(mr_buffer_reserve(buffer, 1), MR_OK);
    buffer->data[buffer->size] = '\0';
    return (const char *)buffer->data;
}

const char *harness_output(struct harness *harness, uint32_t output)
{
    return buffer_text(&harness->outputs[output]);
}

const char *harness_errors(struct harness *harness)
{
    return buffer_text(&harness->errors);
}

uint32_t harness_added_slot(const struct harness *harness, const char *member)
{
    const struct mr_type_spec *spec = &harness->type->spec;
    for (uint32_t index = 0; index < spec->added_fields_count; index++)
        if (strcmp(spec->added_fields[index].name, member) == 0)
            return harness->node->added_slots[index];
    fail_msg("%s adds no %s", spec->name, member);
    return MR_SLOT_NONE;
}

struct mr_value harness_last(const struct harness *harness, uint32_t output, uint32_t slot)
{
    assert_non_null(harness->last[output]);
    assert_int_not_equal(slot, MR_SLOT_NONE);
    return harness->last[output][slot];
}

struct mr_value harness_member(const struct harness *harness, const char *member)
{
    return harness_last(harness, 0, harness_added_slot(harness, member));
}

struct mr_value harness_field(const struct harness *harness, uint32_t output, const char *field)
{
    const struct mr_output_spec *spec = &harness->type->spec.outputs[output];
    const struct mr_plan_domain *domain =
        &harness->plan->domains[harness->node->outputs[output].domain];
    /* Groups have the key's fields first. */
    bool is_group =
        (output == 0 && (harness->type->spec.flags & MR_TYPE_GROUPS) != 0) || spec->has_key;
    uint32_t first = is_group ? harness->node->key.slots_count : 0;
    if (spec->has_made_fields) /* behind those of the option */
        first = domain->field_slots_count - spec->fields_count;
    for (uint32_t index = 0; index < spec->fields_count; index++)
        if (strcmp(spec->fields[index].name, field) == 0)
            return harness_last(harness, output, domain->field_slots[first + index]);
    if ((harness->type->spec.flags & MR_TYPE_GENERATOR) != 0 && spec->fields_count == 0) {
        const struct mr_option_value *fields = mr_options_get(&harness->node->options, "fields");
        for (uint32_t index = 0; index < fields->count; index++)
            if (strcmp(mr_options_text(&fields->objects[index], "name"), field) == 0)
                return harness_last(harness, output, domain->field_slots[index]);
    }
    fail_msg("output %s has no field %s", spec->name, field);
    return mr_value_null();
}

uint32_t harness_input_slot(const struct harness *harness, const char *path)
{
    const struct mr_plan_domain *domain = &harness->plan->domains[harness->node->inputs[0].domain];
    for (uint32_t index = 0; index < domain->reads_count; index++)
        if (strcmp(domain->reads[index].path.text, path) == 0)
            return domain->reads[index].slot;
    fail_msg("nobody reads %s", path);
    return MR_SLOT_NONE;
}

const char *harness_offsets(struct harness *harness, uint32_t output)
{
    const char *text = harness_output(harness, output);
    char *offsets = mr_arena_take(&harness->plan_arena, strlen(text) + 1);
    size_t size = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (size > 0)
            offsets[size++] = ' ';
        size_t width = strcspn(line + 1, " ");
        memcpy(offsets + size, line + 1, width);
        size += width;
    }
    offsets[size] = '\0';
    return offsets;
}

void assert_text(struct mr_value value, const char *text)
{
    assert_int_equal(value.kind, MR_KIND_STRING);
    if (!mr_slice_equal(mr_value_text(value), mr_slice_text(text)))
        fail_msg("the text is \"%.*s\", not \"%s\"", (int)value.size, (const char *)value.text,
                 text);
}

struct harness_row harness_row(int64_t offset, const char *key, struct mr_value value)
{
    return (struct harness_row){
        .offset = offset,
        .event_time_ms = offset,
        .cells = {{"k", mr_value_string(mr_slice_text(key))}, {"value", value}}};
}

/* ---- Golden files ---- */

static FILE *golden_file(const char *name, const char *mode)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/tests/golden/operators/%s.hex", MR_SOURCE_DIR, name);
    FILE *file = fopen(path, mode);
    if (file == NULL)
        fail_msg("cannot open %s", path);
    return file;
}

void harness_check_golden(struct harness *harness, const char *name)
{
    enum { GOLDEN_BYTES_MAX = 1 << 16 };
    static char expected[GOLDEN_BYTES_MAX];
    const char *found = harness_dump(harness, &harness->plan_arena);
    if (getenv("MILLRACE_UPDATE_GOLDEN") != NULL) {
        FILE *file = golden_file(name, "w");
        assert_int_equal(fwrite(found, 1, strlen(found), file), strlen(found));
        assert_int_equal(fclose(file), 0);
        return;
    }
    FILE *file = golden_file(name, "r");
    size_t size = fread(expected, 1, sizeof(expected) - 1, file);
    expected[size] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_string_equal(found, expected);
}

static struct mr_slice from_hex(const char *text, uint8_t *bytes)
{
    size_t size = strlen(text) / 2;
    for (size_t index = 0; index < size; index++) {
        unsigned int byte;
        assert_int_equal(sscanf(text + 2 * index, "%2x", &byte), 1);
        bytes[index] = (uint8_t)byte;
    }
    return mr_slice_from(bytes, size);
}

void harness_load_golden(struct harness *harness, const char *name)
{
    enum { PAIR_TEXT_MAX = 16384 };
    static char key[PAIR_TEXT_MAX];
    static char value[PAIR_TEXT_MAX];
    static uint8_t key_bytes[PAIR_TEXT_MAX];
    static uint8_t value_bytes[PAIR_TEXT_MAX];
    assert_int_equal(harness->changelog_count, 0);
    FILE *file = golden_file(name, "r");
    while (fscanf(file, "%16383s %16383s", key, value) == 2) {
        struct mr_state_change change = {.key = from_hex(key, key_bytes),
                                         .value = from_hex(value, value_bytes)};
        changelog_add(harness, &change);
    }
    assert_int_equal(fclose(file), 0);
    assert_true(harness->changelog_count > 0);
    harness_restore(harness);
}
