/* operators/deduplicate.c — deduplicate: the first record of each key within a time.
 * Design: per key the event time of the record that passed last. A record within `within` of it, on
 * either side (records may be late), is a duplicate. The state needs no timer: the table forgets a
 * key when the watermark is `within` past its last record, and a stale time makes no duplicate
 * anyway: expiry decides about memory, and about results only for records that late.
 *
 * Stored object, version 1 (little-endian):
 *   0  int64  event time in ms of the last record that passed */
#include "operators/operator.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/registry.h"

enum { DEDUPLICATE_VERSION = 1, DEDUPLICATE_BYTES = 8 };

static const char deduplicate_table[] = "passed";

struct deduplicate_object {
    int64_t passed_ms;
};

struct deduplicate {
    const struct mr_plan_node *node;
    struct mr_table *table;
    int64_t within_ms;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct deduplicate_object *entry = object;
    mr_put_u64le(output, (uint64_t)entry->passed_ms);
    return DEDUPLICATE_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct deduplicate_object *entry = object;
    if (version != DEDUPLICATE_VERSION || stored.size != DEDUPLICATE_BYTES)
        return false;
    entry->passed_ms = (int64_t)mr_get_u64le(stored.data);
    return true;
}

static enum mr_status deduplicate_describe(const struct mr_state_object *object,
                                           struct mr_arena *arena,
                                           struct mr_state_description *description,
                                           struct mr_error *error)
{
    MR_UNUSED(arena);
    struct deduplicate_object entry;
    if (!object_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_time(description, "passed", entry.passed_ms);
    return MR_OK;
}

static enum mr_status deduplicate_open(void *self, const struct mr_operator_open *open,
                                       struct mr_error *error)
{
    struct deduplicate *deduplicate = self;
    deduplicate->node = open->node;
    deduplicate->within_ms = mr_options_integer(&open->node->options, "within");
    struct mr_table_spec spec = {
        .operator_name = open->node->name,
        .name = deduplicate_table,
        .version = DEDUPLICATE_VERSION,
        .object_size = sizeof(struct deduplicate_object),
        .encode = object_encode,
        .encoded_size_max = DEDUPLICATE_BYTES,
        .decode = object_decode,
        /* Shorter than `within` would let duplicates through. */
        .ttl_ms = open->node->state_ttl_ms > deduplicate->within_ms ? open->node->state_ttl_ms
                                                                    : deduplicate->within_ms,
        .keys_max = open->node->state_keys_max,
        .bytes_max = open->node->state_bytes_max,
        .on_full = open->node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    return mr_table_open(open->state, &spec, &deduplicate->table, error);
}

/* Distance in time, without overflow. */
static uint64_t distance_ms(int64_t left, int64_t right)
{
    return left > right ? (uint64_t)left - (uint64_t)right : (uint64_t)right - (uint64_t)left;
}

static enum mr_status deduplicate_process(void *self, struct mr_operator_context *context,
                                          uint32_t port, struct mr_view view,
                                          struct mr_error *error)
{
    struct deduplicate *deduplicate = self;
    MR_UNUSED(port);
    struct mr_view keyed;
    const struct mr_slice *keys = mr_operator_keys(context, deduplicate->node, view, &keyed);
    uint16_t *rows = mr_arena_take(context->arena, (keyed.rows_count + 1) * sizeof(*rows));
    uint64_t *hashes = mr_arena_take(context->arena, (keyed.rows_count + 1) * sizeof(*hashes));
    for (uint32_t index = 0; index < keyed.rows_count; index++)
        hashes[index] = mr_hash64(keys[keyed.rows[index]]);
    uint32_t rows_count = 0;
    for (uint32_t index = 0; index < keyed.rows_count; index++) {
        mr_table_prefetch(deduplicate->table, hashes, keyed.rows_count, index);
        uint16_t row = keyed.rows[index];
        int64_t event_time_ms = view.batch->event_times_ms[row];
        void *object;
        bool created;
        enum mr_status status = mr_table_get(deduplicate->table, keys[row], mr_hash64(keys[row]),
                                             event_time_ms, &object, &created, error);
        if (status != MR_OK)
            return status;
        struct deduplicate_object *entry = object;
        if (!created &&
            distance_ms(event_time_ms, entry->passed_ms) < (uint64_t)deduplicate->within_ms)
            continue;
        /* A record far behind passes, but does not move the time back. */
        if (created || event_time_ms > entry->passed_ms)
            entry->passed_ms = event_time_ms;
        mr_table_dirty(deduplicate->table, object);
        rows[rows_count++] = row;
    }
    mr_operator_emit(context, 0, (struct mr_view){view.batch, rows, rows_count});
    return MR_OK;
}

static enum mr_status deduplicate_watermark(void *self, struct mr_operator_context *context,
                                            struct mr_error *error)
{
    struct deduplicate *deduplicate = self;
    return mr_table_expire(deduplicate->table, context->watermark_ms, error);
}

static void deduplicate_close(void *self)
{
    MR_UNUSED(self); /* the table belongs to the state */
}

static void deduplicate_estimate(const struct mr_options *options,
                                 struct mr_state_estimate *estimate)
{
    MR_UNUSED(options);
    mr_estimate_object(sizeof(struct deduplicate_object), DEDUPLICATE_BYTES, estimate);
}

static const struct mr_option_spec deduplicate_options[] = {
    {.name = "within",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Event time within which a record with the same key as one that passed is a "
             "duplicate; 1 ms to 366 days."},
    {.name = NULL},
};

static const struct mr_output_spec deduplicate_outputs[] = {
    {.name = "main", .help = "The first record of each key within the time, unchanged."},
};

const struct mr_operator_type mr_operator_deduplicate = {
    .spec =
        {
            .name = "deduplicate",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED,
            .summary = "Lets the first record of each key through and drops its repetitions.",
            .description =
                "The first record of a `key` passes; later ones whose event time is less than "
                "`within` away from it, before or after, are dropped and counted. Then the next "
                "one "
                "passes again. Late records are compared with the last record that passed only.\n\n"
                "Memory is bounded by time: a key is forgotten `within` (or `state.ttl`, if that "
                "is "
                "longer) after its last record. With `state.max_keys` the oldest keys are "
                "forgotten "
                "first, and a repetition of a forgotten key passes. Exactly-once processing does "
                "not "
                "need this operator: use it for senders that repeat themselves. State: 8 bytes a "
                "key.",
            .options = deduplicate_options,
            .outputs = deduplicate_outputs,
            .outputs_count = 1,
            .state_version = DEDUPLICATE_VERSION,
            .estimate = deduplicate_estimate,
        },
    .instance_size = sizeof(struct deduplicate),
    .open = deduplicate_open,
    .process = deduplicate_process,
    .on_watermark = deduplicate_watermark,
    .close = deduplicate_close,
    .state_table = deduplicate_table,
    .describe_state = deduplicate_describe,
};
