/* worker/ingest.c — decoding a run of messages and checking each row.
 * Order of the checks: value present, repartition header, format, key, event time. A row fails
 * once, with the first cause. */
#include "worker/ingest.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/endian.h"
#include "base/memory.h"
#include "formats/json.h"
#include "worker/key.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct mr_ingest {
    struct mr_ingest_open open;
    const struct mr_plan_node *node;
    const struct mr_plan_domain *domain;
    const struct mr_format_type *format;
    void *decoder;
    struct mr_row_error *row_errors;  /* MR_LIMIT_BATCH_ROWS */
    bool *bad;                        /* by row */
    const struct mr_row_fault *fault; /* of the current run */
};

enum mr_status mr_ingest_create(const struct mr_ingest_open *open, struct mr_ingest **ingest,
                                struct mr_error *error)
{
    struct mr_ingest *created = mr_memory_new(1, sizeof(*created));
    created->open = *open;
    created->node = &open->plan->nodes[open->node];
    uint32_t domain = open->repartition
                          ? open->plan->repartitions[open->repartition_index].source_domain
                          : created->node->outputs[0].domain;
    created->domain = &open->plan->domains[domain];
    created->row_errors = mr_memory_new(MR_LIMIT_BATCH_ROWS, sizeof(*created->row_errors));
    created->bad = mr_memory_new(MR_LIMIT_BATCH_ROWS, sizeof(*created->bad));
    *ingest = created;
    if (!open->repartition && (created->node->type->flags & MR_TYPE_GENERATOR) != 0)
        return MR_OK;
    created->format = open->repartition || created->node->format == NULL
                          ? &mr_format_json
                          : mr_format_find(created->node->format);
    MR_ASSERT(created->format != NULL);
    created->decoder = mr_memory_new(1, created->format->decoder_size);
    struct mr_decoder_open decoder_open = {
        .options = open->repartition ? NULL : &created->node->format_options,
        .fields = created->domain->reads,
        .fields_count = created->domain->reads_count,
        .tracked_names = created->domain->tracked_names,
        .tracked_count = created->domain->shape.spans_count};
    enum mr_status status = created->format->decoder_open(created->decoder, &decoder_open, error);
    if (status != MR_OK) {
        mr_ingest_destroy(created);
        *ingest = NULL;
    }
    return status;
}

void mr_ingest_destroy(struct mr_ingest *ingest)
{
    if (ingest == NULL)
        return;
    if (ingest->decoder != NULL)
        ingest->format->decoder_close(ingest->decoder);
    mr_memory_free(ingest->decoder);
    mr_memory_free(ingest->row_errors);
    mr_memory_free(ingest->bad);
    mr_memory_free(ingest);
}

void mr_ingest_batch_init(const struct mr_ingest *ingest, struct mr_arena *arena,
                          uint32_t rows_capacity, struct mr_batch *batch)
{
    mr_batch_init(batch, arena, ingest->domain->shape, rows_capacity);
    batch->source_index = ingest->node->index;
}

static void row_fault(struct mr_ingest *ingest, const struct mr_batch *batch, uint32_t row,
                      struct mr_slice message)
{
    if (ingest->bad[row])
        return;
    ingest->bad[row] = true;
    ingest->fault->report(ingest->fault->argument, ingest->node->index, batch, row, message);
}

static void fill_rows(struct mr_ingest *ingest, const struct mr_ingest_run *run,
                      struct mr_batch *batch)
{
    batch->rows_count = run->messages_count;
    batch->origin = run->origin;
    batch->sequence_first = run->sequence_first;
    bool headers = ingest->domain->meta_slots[MR_META_HEADERS] != MR_SLOT_NONE;
    if (headers)
        batch->headers = mr_arena_new(batch->arena, run->messages_count, sizeof(*batch->headers));
    for (uint32_t row = 0; row < run->messages_count; row++) {
        const struct mr_log_message *message = &run->messages[row];
        batch->offsets[row] = message->offset;
        batch->timestamps_ms[row] = message->timestamp_ms;
        batch->event_times_ms[row] = message->timestamp_ms;
        batch->message_keys[row] = message->key;
        batch->key_nulls[row] = message->key_null;
        batch->payloads[row] = message->value;
        batch->payload_nulls[row] = message->value_null;
        ingest->bad[row] = false;
        if (headers && ingest->open.log != NULL && message->lease != NULL)
            batch->headers[row] = ingest->open.log->ops->message_headers(message, batch->arena);
    }
}

/* Take the header off a repartition record, or a mark apart. False: neither is known. */
static bool strip_exchange_header(struct mr_batch *batch, uint32_t row, struct mr_carried *carried)
{
    struct mr_slice *payload = &batch->payloads[row];
    uint8_t kind = payload->size == 0 ? 0 : payload->data[0];
    size_t header_size = MR_EXCHANGE_HEADER_BYTES;
    *carried = (struct mr_carried){.watermark_ms = INT64_MIN, .upstream = MR_UPSTREAM_UNKNOWN};
    if (kind == MR_EXCHANGE_MARK && payload->size == MR_EXCHANGE_MARK_BYTES) {
        carried->mark = true;
        carried->idle = payload->data[1] != MR_UPSTREAM_ACTIVE;
        carried->ended = payload->data[1] == MR_UPSTREAM_ENDED;
        carried->upstream = mr_get_u32le(payload->data + 2);
        carried->watermark_ms = (int64_t)mr_get_u64le(payload->data + 6);
        *payload = mr_slice_text("{}"); /* what a decoder takes */
        return true;
    }
    if (kind == MR_EXCHANGE_RECORD_OLD)
        header_size = MR_EXCHANGE_OLD_HEADER_BYTES;
    else if (kind != MR_EXCHANGE_RECORD)
        return false;
    if (payload->size < header_size)
        return false;
    batch->event_times_ms[row] = (int64_t)mr_get_u64le(payload->data + 1);
    if (kind == MR_EXCHANGE_RECORD) {
        carried->upstream = mr_get_u32le(payload->data + 9);
        carried->watermark_ms = (int64_t)mr_get_u64le(payload->data + 13);
    }
    payload->data += header_size;
    payload->size -= header_size;
    return true;
}

/* Repartition records carry their event time, and the watermark of who wrote them. */
static void strip_exchange_headers(struct mr_ingest *ingest, struct mr_ingest_run *run,
                                   struct mr_batch *batch)
{
    run->carried = mr_arena_take(batch->arena, batch->rows_count * sizeof(*run->carried));
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        if (!strip_exchange_header(batch, row, &run->carried[row]))
            row_fault(ingest, batch, row,
                      mr_slice_text("A repartition record of an unknown version."));
        if (run->carried[row].mark) {
            ingest->bad[row] = true; /* no row: nobody sees it, and it is nobody's fault */
            run->marks_count++;
        }
    }
}

static void decode_rows(struct mr_ingest *ingest, struct mr_batch *batch)
{
    uint32_t errors_count = 0;
    if (!ingest->format->single_value && !ingest->node->is_table)
        for (uint32_t row = 0; row < batch->rows_count; row++)
            if (batch->payload_nulls[row])
                row_fault(ingest, batch, row,
                          mr_slice_text("The record has no value (a tombstone); streams read "
                                        "records, tombstones belong to tables."));
    ingest->format->decode(ingest->decoder, batch, ingest->row_errors, &errors_count);
    for (uint32_t index = 0; index < errors_count; index++)
        row_fault(ingest, batch, ingest->row_errors[index].row, ingest->row_errors[index].message);
}

/* Only operators that are asked for records read the source: they answer who names no key. */
static bool is_only_asked(const struct mr_ingest *ingest)
{
    const struct mr_plan *plan = ingest->open.plan;
    const struct mr_plan_output *output = &ingest->node->outputs[0];
    for (uint32_t index = 0; index < plan->repartitions_count; index++)
        if (plan->repartitions[index].producer == ingest->open.node)
            return false;
    for (uint32_t index = 0; index < output->edges_count; index++) {
        const struct mr_plan_requests *requests =
            plan->nodes[output->edges[index].consumer].requests;
        if (requests == NULL || requests->port != output->edges[index].port)
            return false;
    }
    return true;
}

/* A source's `key` promises that the message key is these fields; a promise that is broken would
 * put equal keys into different tasks. */
static void check_keys(struct mr_ingest *ingest, struct mr_batch *batch)
{
    const struct mr_plan_key *key = &ingest->node->key;
    if (ingest->open.repartition || !key->given || key->slots_count == 0)
        return;
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        struct mr_slice computed;
        struct mr_error error;
        if (ingest->bad[row])
            continue;
        if (ingest->node->is_table &&
            batch->payload_nulls[row]) { /* the message key says what is deleted */
            if (batch->key_nulls[row])
                row_fault(ingest, batch, row,
                          mr_slice_text("The record has neither a key nor a value: a table cannot "
                                        "tell what it deletes."));
            continue;
        }
        /* A file's records have no message keys; as a table it is in one task. */
        if (ingest->node->is_table && ingest->open.log == NULL && batch->key_nulls[row])
            continue;
        if (mr_key_encode(batch, key->slots, key->slots_count, key->format, row, &computed,
                          &error) != MR_OK) {
            if (!is_only_asked(ingest))
                row_fault(ingest, batch, row, mr_slice_text(error.message));
        } else if (batch->key_nulls[row] || !mr_slice_equal(computed, batch->message_keys[row]))
            row_fault(ingest, batch, row,
                      mr_slice_text("The message key is not the source's key fields; correct `key` "
                                    "of the source, or leave it out so that records are "
                                    "repartitioned."));
    }
}

/* The event time that a cell names. False with a sentence when it names none. */
static bool event_time_of(struct mr_value cell, int64_t unit_ns, int64_t *event_time_ms)
{
    double number;
    if (cell.kind == MR_KIND_TIMESTAMP) {
        *event_time_ms = cell.integer / 1000000;
        return true;
    }
    if (cell.kind == MR_KIND_STRING) {
        int64_t seconds;
        int32_t nanoseconds;
        if (!mr_clock_parse_rfc3339(mr_value_text(cell), &seconds, &nanoseconds))
            return false;
        *event_time_ms = seconds * 1000 + nanoseconds / 1000000;
        return true;
    }
    if (unit_ns == 0 || !mr_value_as_double(cell, &number) || !isfinite(number))
        return false;
    double milliseconds = number * ((double)unit_ns / 1e6);
    if (fabs(milliseconds) > 9e15)
        return false;
    *event_time_ms = (int64_t)milliseconds;
    return true;
}

static void find_event_times(struct mr_ingest *ingest, const struct mr_ingest_run *run,
                             struct mr_batch *batch)
{
    const struct mr_plan_node *node = ingest->node;
    if (ingest->open.repartition)
        return;
    const struct mr_value *cells =
        node->timestamp_slot == MR_SLOT_NONE ? NULL : mr_batch_column(batch, node->timestamp_slot);
    int64_t latest = run->now_wall_ms + node->max_ahead_ms;
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        char message[160];
        if (ingest->bad[row])
            continue;
        bool deletes = node->is_table && batch->payload_nulls[row]; /* at the message's time */
        if (cells != NULL && !deletes &&
            !event_time_of(cells[row], node->timestamp_unit_ns, &batch->event_times_ms[row])) {
            (void)snprintf(message, sizeof(message),
                           "The timestamp field is %s and not a time in the unit that the source "
                           "says.",
                           mr_kind_name((enum mr_kind)cells[row].kind));
            row_fault(ingest, batch, row, mr_slice_text(message));
        } else if (node->max_ahead_ms > 0 && batch->event_times_ms[row] > latest) {
            (void)snprintf(message, sizeof(message),
                           "The event time %" PRId64 " is %" PRId64
                           " ms ahead of the clock; max_ahead is %" PRId64 " ms.",
                           batch->event_times_ms[row],
                           batch->event_times_ms[row] - run->now_wall_ms, node->max_ahead_ms);
            row_fault(ingest, batch, row, mr_slice_text(message));
        }
    }
}

/* The watermarks that records carry themselves: a running maximum is made of them later
 * (worker/watermark.h), here each row says its own or nothing. */
static void find_watermarks(struct mr_ingest *ingest, struct mr_ingest_run *run,
                            struct mr_batch *batch)
{
    const struct mr_plan_node *node = ingest->node;
    if (ingest->open.repartition || node->watermark_slot == MR_SLOT_NONE)
        return;
    const struct mr_value *cells = mr_batch_column(batch, node->watermark_slot);
    int64_t latest = run->now_wall_ms + node->max_ahead_ms;
    run->says_ms = mr_arena_take(batch->arena, batch->rows_count * sizeof(*run->says_ms));
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        char message[160];
        int64_t *says_ms = &run->says_ms[row];
        *says_ms = INT64_MIN;
        if (ingest->bad[row] || cells[row].kind == MR_KIND_ABSENT ||
            cells[row].kind == MR_KIND_NULL)
            continue;
        if (!event_time_of(cells[row], node->timestamp_unit_ns, says_ms)) {
            (void)snprintf(message, sizeof(message),
                           "The watermark's field is %s and not a time in the unit that the source "
                           "says.",
                           mr_kind_name((enum mr_kind)cells[row].kind));
            row_fault(ingest, batch, row, mr_slice_text(message));
        } else if (node->max_ahead_ms > 0 && *says_ms > latest) {
            (void)snprintf(message, sizeof(message),
                           "The watermark %" PRId64 " is %" PRId64
                           " ms ahead of the clock; max_ahead is %" PRId64 " ms.",
                           *says_ms, *says_ms - run->now_wall_ms, node->max_ahead_ms);
            row_fault(ingest, batch, row, mr_slice_text(message));
        } else if (*says_ms > run->carried_ms) {
            run->carried_ms = *says_ms;
        }
    }
}

/* The same where a condition says which rows do: the watermark is then the row's own time. */
static void find_punctuation(struct mr_ingest *ingest, struct mr_ingest_run *run,
                             struct mr_batch *batch)
{
    const struct mr_plan_node *node = ingest->node;
    if (ingest->open.repartition || node->watermark_when == NULL)
        return;
    uint16_t *rows = mr_arena_take(batch->arena, batch->rows_count * sizeof(*rows));
    struct mr_value *results = mr_arena_take(batch->arena, batch->rows_capacity * sizeof(*results));
    struct mr_view view = {.batch = batch, .rows = rows};
    run->says_ms = mr_arena_take(batch->arena, batch->rows_count * sizeof(*run->says_ms));
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        run->says_ms[row] = INT64_MIN;
        if (!ingest->bad[row] && !batch->payload_nulls[row])
            rows[view.rows_count++] = (uint16_t)row;
    }
    mr_program_run(node->watermark_when, run->evaluator, view, run->now_wall_ms, results);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = rows[index];
        const struct mr_value *result = &results[row];
        char message[200];
        if (result->kind == MR_KIND_BOOL && result->boolean) {
            run->says_ms[row] = batch->event_times_ms[row];
            if (run->says_ms[row] > run->carried_ms)
                run->carried_ms = run->says_ms[row];
        } else if (result->kind == MR_KIND_ERROR) {
            (void)snprintf(message, sizeof(message), "The watermark's condition: %.*s",
                           (int)result->size, (const char *)result->text);
            row_fault(ingest, batch, row, mr_slice_text(message));
        } else if (result->kind != MR_KIND_BOOL) {
            (void)snprintf(message, sizeof(message),
                           "The watermark's condition is %s and not true or false.",
                           mr_kind_name((enum mr_kind)result->kind));
            row_fault(ingest, batch, row, mr_slice_text(message));
        }
    }
}

static struct mr_value headers_value(struct mr_headers headers, struct mr_arena *arena)
{
    struct mr_map_entry *entries = mr_arena_new(arena, headers.count, sizeof(*entries));
    for (uint32_t index = 0; index < headers.count; index++)
        entries[index] =
            (struct mr_map_entry){mr_value_string(mr_slice_text(headers.items[index].name)),
                                  mr_value_bytes(headers.items[index].value)};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = headers.count, .entries = entries};
}

static void fill_meta(struct mr_ingest *ingest, struct mr_batch *batch)
{
    for (uint32_t field = 0; field < MR_META_COUNT; field++) {
        if (ingest->domain->meta_slots[field] == MR_SLOT_NONE)
            continue;
        struct mr_value *cells = mr_batch_column(batch, ingest->domain->meta_slots[field]);
        for (uint32_t row = 0; row < batch->rows_count; row++) {
            if (field == MR_META_KEY)
                cells[row] = batch->key_nulls[row] ? mr_value_null()
                                                   : mr_value_string(batch->message_keys[row]);
            else if (field == MR_META_TOPIC)
                cells[row] = mr_value_string(mr_slice_text(batch->origin.topic));
            else if (field == MR_META_PARTITION)
                cells[row] = mr_value_int(batch->origin.partition);
            else if (field == MR_META_OFFSET)
                cells[row] = mr_value_int(batch->offsets[row]);
            else if (field == MR_META_TIMESTAMP)
                cells[row] = (struct mr_value){.kind = MR_KIND_TIMESTAMP,
                                               .integer = batch->timestamps_ms[row] * 1000000};
            else
                cells[row] = headers_value(batch->headers == NULL ? (struct mr_headers){0}
                                                                  : batch->headers[row],
                                           batch->arena);
        }
    }
}

static struct mr_view good_rows(const struct mr_ingest *ingest, struct mr_batch *batch,
                                uint16_t *rows, int64_t *highest_event_ms)
{
    struct mr_view view = {.batch = batch, .rows = rows};
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        if (ingest->bad[row])
            continue;
        if (batch->event_times_ms[row] > *highest_event_ms)
            *highest_event_ms = batch->event_times_ms[row];
        rows[view.rows_count++] = (uint16_t)row;
    }
    return view;
}

struct mr_view mr_ingest_run(struct mr_ingest *ingest, struct mr_ingest_run *run,
                             struct mr_arena *arena, struct mr_batch *batch, uint16_t *rows,
                             const struct mr_row_fault *fault)
{
    MR_ASSERT(run->messages_count <= MR_LIMIT_BATCH_ROWS);
    ingest->fault = fault;
    mr_ingest_batch_init(ingest, arena, run->messages_count, batch);
    fill_rows(ingest, run, batch);
    if (ingest->open.repartition)
        strip_exchange_headers(ingest, run, batch);
    decode_rows(ingest, batch);
    check_keys(ingest, batch);
    find_event_times(ingest, run, batch);
    find_watermarks(ingest, run, batch);
    fill_meta(ingest, batch);
    find_punctuation(ingest, run, batch);
    return good_rows(ingest, batch, rows, &run->highest_event_ms);
}

struct mr_view mr_ingest_generated(struct mr_ingest *ingest, struct mr_ingest_run *run,
                                   struct mr_batch *batch, uint16_t *rows,
                                   const struct mr_row_fault *fault)
{
    ingest->fault = fault;
    memset(ingest->bad, 0, batch->rows_count * sizeof(*ingest->bad));
    find_watermarks(ingest, run, batch);
    fill_meta(ingest, batch);
    find_punctuation(ingest, run, batch);
    return good_rows(ingest, batch, rows, &run->highest_event_ms);
}
