/* operators/heartbeat_key.c — see heartbeat_key.h. */
#include "operators/heartbeat_key.h"

#include <math.h>

#include "base/assert.h"
#include "operators/estimate.h"
#include "operators/registry.h"
#include "operators/sorted_window.h"
#include "operators/value_ring.h"

enum {
    HEAD_BYTES = 45,
    ENCODED_BYTES_MAX = HEAD_BYTES + MR_HOLD_BYTES_MAX,
    FLAG_SILENT = 1,
    FLAGS_ALL = FLAG_SILENT | MR_HOLD_ALL << 1
};

const char mr_heartbeat_table[] = "keys";

/* ---- Stored bytes ---- */

static size_t key_encode(const void *object, uint8_t *output)
{
    const struct mr_heartbeat_key *key = object;
    output[0] = (uint8_t)((key->silent ? FLAG_SILENT : 0) | key->hold.flags << 1);
    mr_put_u64le(output + 1, (uint64_t)key->last_ms);
    mr_put_u64le(output + 9, key->count);
    mr_put_u64le(output + 17, key->alert_id);
    mr_put_u64le(output + 25, (uint64_t)key->alert_limit_ms);
    mr_put_u32le(output + 33, key->capacity);
    mr_put_u32le(output + 37, key->gaps_count);
    mr_put_u32le(output + 41, key->position);
    return (size_t)(mr_control_hold_encode(&key->hold, output + HEAD_BYTES) - output);
}

static bool key_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_heartbeat_key *key = object;
    struct mr_reader reader = mr_reader_from(stored);
    uint8_t flags = mr_read_u8(&reader);
    if (version != MR_HEARTBEAT_VERSION || flags > FLAGS_ALL)
        return false;
    key->silent = (flags & FLAG_SILENT) != 0;
    key->last_ms = (int64_t)mr_read_u64(&reader);
    key->count = mr_read_u64(&reader);
    key->alert_id = mr_read_u64(&reader);
    key->alert_limit_ms = (int64_t)mr_read_u64(&reader);
    key->capacity = mr_read_u32(&reader);
    key->gaps_count = mr_read_u32(&reader);
    key->position = mr_read_u32(&reader);
    mr_control_hold_decode(&key->hold, flags >> 1, &reader);
    key->stale = true;
    key->due_ms = INT64_MIN;
    return !reader.bad && reader.cursor == reader.end && key->gaps_count <= key->capacity &&
           (key->position == 0 || key->position < key->capacity);
}

/* ---- Opening ---- */

const struct mr_options *mr_heartbeat_learned(const struct mr_options *options)
{
    return mr_options_present(options, "learned") ? mr_options_get(options, "learned")->objects
                                                  : NULL;
}

static uint32_t options_capacity(const struct mr_options *options)
{
    const struct mr_options *learned = mr_heartbeat_learned(options);
    return learned == NULL ? 0 : (uint32_t)mr_options_integer(learned, "gaps");
}

static enum mr_status open_table(struct mr_heartbeat_keys *keys,
                                 const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = mr_heartbeat_table,
        .version = MR_HEARTBEAT_VERSION,
        .object_size = sizeof(struct mr_heartbeat_key) + keys->capacity * sizeof(double),
        .encode = key_encode,
        .encoded_size_max = ENCODED_BYTES_MAX,
        .decode = key_decode,
        .slot_bytes = keys->capacity == 0 ? 0 : MR_VALUE_RING_SLOT_BYTES,
        .slots_max = mr_value_ring_slots(keys->capacity),
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
        .timed = true,
    };
    return mr_table_open(open->state, &spec, &keys->table, error);
}

enum mr_status mr_heartbeat_keys_open(struct mr_heartbeat_keys *keys,
                                      const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_options *learned = mr_heartbeat_learned(&node->options);
    *keys = (struct mr_heartbeat_keys){.is_controlled = node->control != NULL};
    keys->forget_after_ms = mr_options_integer(&node->options, "forget_after");
    if (node->state_ttl_ms > 0 && node->state_ttl_ms < keys->forget_after_ms)
        keys->forget_after_ms = node->state_ttl_ms;
    if (mr_options_present(&node->options, "timeout"))
        keys->timeout_ms = mr_options_integer(&node->options, "timeout");
    if (learned != NULL) {
        keys->capacity = options_capacity(&node->options);
        keys->warmup = (uint32_t)mr_options_integer(learned, "warmup");
        keys->quantile = mr_options_number(learned, "quantile");
        keys->factor = mr_options_number(learned, "factor");
        keys->minimum_ms = mr_options_integer(learned, "minimum");
    }
    return open_table(keys, open, error);
}

void mr_heartbeat_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    uint32_t capacity = options_capacity(options);
    mr_estimate_slots(sizeof(struct mr_heartbeat_key) + capacity * sizeof(double),
                      ENCODED_BYTES_MAX, capacity == 0 ? 0 : MR_VALUE_RING_SLOT_BYTES,
                      mr_value_ring_slots(capacity), estimate);
}

enum mr_status mr_heartbeat_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error)
{
    MR_UNUSED(arena);
    struct mr_heartbeat_key key = {0};
    if (!key_decode(&key, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_time(description, "last", key.last_ms);
    mr_describe_time(description, "due", object->due_ms);
    mr_describe_member(description, "silent", mr_value_bool(key.silent));
    mr_describe_member(description, "count", mr_value_uint(key.count));
    mr_describe_member(description, "gaps", mr_value_uint(key.gaps_count));
    mr_control_hold_describe(&key.hold, description);
    return MR_OK;
}

/* ---- A key ---- */

int64_t mr_heartbeat_sum(int64_t left, int64_t right)
{
    int64_t total;
    return __builtin_add_overflow(left, right, &total) ? INT64_MAX : total;
}

int64_t mr_heartbeat_span(int64_t earlier, int64_t later)
{
    int64_t span;
    if (later <= earlier)
        return 0;
    return __builtin_sub_overflow(later, earlier, &span) ? INT64_MAX : span;
}

void mr_heartbeat_key_begin(const struct mr_heartbeat_keys *keys, struct mr_heartbeat_key *key,
                            int64_t time_ms, uint64_t count)
{
    key->capacity = keys->capacity;
    key->last_ms = time_ms;
    key->count = count;
    key->due_ms = INT64_MIN;
}

/* Sort what was loaded. */
enum mr_status mr_heartbeat_key_refresh(const struct mr_heartbeat_keys *keys,
                                        struct mr_heartbeat_key *key, struct mr_error *error)
{
    if (!key->stale)
        return MR_OK;
    if (key->capacity != keys->capacity)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the stored state was made with another `learned`; reset the topology or "
                       "restore the old option");
    if (key->gaps_count > 0) {
        enum mr_status status =
            mr_value_ring_read(keys->table, key, key->gaps_count, key->gaps, error);
        if (status != MR_OK)
            return status;
        mr_sorted_window_sort(key->gaps, key->gaps_count);
    }
    if (!keys->is_controlled) /* nobody could unfreeze or unmute it */
        key->hold = (struct mr_control_hold){0};
    key->stale = false;
    return MR_OK;
}

int64_t mr_heartbeat_key_limit(const struct mr_heartbeat_keys *keys,
                               const struct mr_heartbeat_key *key)
{
    if (keys->capacity == 0 || key->gaps_count < keys->warmup)
        return keys->timeout_ms;
    double place = ceil(keys->quantile * (key->gaps_count + 1.0) - 1e-9);
    uint32_t index = place < 1 ? 1 : (uint32_t)place;
    index = index < key->gaps_count ? index : key->gaps_count;
    double limit = ceil(keys->factor * key->gaps[index - 1]);
    if (limit < (double)keys->minimum_ms)
        return keys->minimum_ms;
    return limit < (double)keys->forget_after_ms ? (int64_t)limit : keys->forget_after_ms;
}

int64_t mr_heartbeat_key_end(const struct mr_heartbeat_keys *keys,
                             const struct mr_heartbeat_key *key)
{
    return mr_heartbeat_sum(mr_heartbeat_sum(key->last_ms, keys->forget_after_ms), 1);
}

int64_t mr_heartbeat_key_silent_at(const struct mr_heartbeat_keys *keys,
                                   const struct mr_heartbeat_key *key, int64_t since_ms)
{
    int64_t limit = mr_heartbeat_key_limit(keys, key);
    if (key->silent || key->count == 0 || limit == 0)
        return INT64_MAX;
    int64_t silent_ms = mr_heartbeat_sum(mr_heartbeat_sum(since_ms, limit), 1);
    if (!mr_control_hold_lasts(&key->hold, MR_HOLD_MUTED, silent_ms))
        return silent_ms;
    int64_t until_ms = key->hold.muted_until_ms;
    return until_ms < mr_heartbeat_key_end(keys, key) ? until_ms : INT64_MAX;
}

enum mr_status mr_heartbeat_key_learn(const struct mr_heartbeat_keys *keys,
                                      struct mr_heartbeat_key *key, int64_t gap_ms,
                                      struct mr_error *error)
{
    double oldest;
    if (keys->capacity == 0)
        return MR_OK;
    enum mr_status status =
        mr_value_ring_exchange(keys->table, key, key->position, (double)gap_ms, &oldest, error);
    if (status != MR_OK)
        return status;
    if (key->gaps_count == key->capacity)
        mr_sorted_window_replace(key->gaps, key->gaps_count, oldest, (double)gap_ms);
    else
        mr_sorted_window_insert(key->gaps, key->gaps_count++, (double)gap_ms);
    key->position = key->position + 1 == key->capacity ? 0 : key->position + 1;
    return MR_OK;
}

void mr_heartbeat_key_settle(const struct mr_heartbeat_keys *keys, struct mr_heartbeat_key *key)
{
    int64_t due_ms = mr_heartbeat_key_silent_at(keys, key, key->last_ms);
    int64_t end_ms = mr_heartbeat_key_end(keys, key);
    due_ms = due_ms < end_ms ? due_ms : end_ms;
    if (due_ms == INT64_MIN)
        due_ms++;
    if (due_ms == key->due_ms) {
        mr_table_dirty(keys->table, key);
        return;
    }
    key->due_ms = due_ms;
    mr_table_schedule(keys->table, key, due_ms);
}
