/* operators/rate_key.c — see rate_key.h. */
#include "operators/rate_key.h"

#include <string.h>

#include "base/assert.h"
#include "operators/count_tail.h"
#include "operators/estimate.h"
#include "operators/registry.h"
#include "operators/tail.h"

enum {
    HEAD_BYTES = 54,
    ENTRY_BYTES = 16,
    ENCODED_BYTES_MAX = HEAD_BYTES + MR_RATE_ENTRIES_MAX * ENTRY_BYTES + MR_HOLD_BYTES_MAX,
    FLAG_PARTIAL = 1,
    FLAG_NAMED = 8,
    FLAGS_ALL = FLAG_PARTIAL | MR_HOLD_ALL << 1 | FLAG_NAMED
};

static const double ln10 = 2.30258509299404568402;
static const double ln2 = 0.69314718055994530942;

const char mr_rate_table[] = "keys";

/* ---- Stored bytes ---- */

static size_t key_encode(const void *object, uint8_t *output)
{
    const struct mr_rate_key *key = object;
    output[0] = (uint8_t)((key->partial ? FLAG_PARTIAL : 0) | key->hold.flags << 1 |
                          (key->is_named ? FLAG_NAMED : 0));
    mr_put_u64le(output + 1, (uint64_t)key->next);
    mr_put_u32le(output + 9, key->empty);
    mr_put_u64le(output + 13, key->learned);
    mr_put_double_le(output + 21, key->moments.weight);
    mr_put_double_le(output + 29, key->moments.weight_squares);
    mr_put_double_le(output + 37, key->moments.mean);
    mr_put_double_le(output + 45, key->moments.squares);
    output[53] = (uint8_t)key->entries_count;
    uint8_t *end = output + HEAD_BYTES;
    for (uint32_t index = 0; index < key->entries_count; index++, end += ENTRY_BYTES) {
        mr_put_u64le(end, (uint64_t)key->entries[index].window);
        mr_put_u64le(end + 8, key->entries[index].count);
    }
    return (size_t)(mr_control_hold_encode(&key->hold, end) - output);
}

static bool key_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_rate_key *key = object;
    if (version != MR_RATE_VERSION || stored.size < HEAD_BYTES || stored.data[0] > FLAGS_ALL ||
        stored.data[53] > MR_RATE_ENTRIES_MAX ||
        stored.size < HEAD_BYTES + (size_t)stored.data[53] * ENTRY_BYTES)
        return false;
    key->partial = (stored.data[0] & FLAG_PARTIAL) != 0;
    key->is_named = (stored.data[0] & FLAG_NAMED) != 0;
    key->next = (int64_t)mr_get_u64le(stored.data + 1);
    key->empty = mr_get_u32le(stored.data + 9);
    key->learned = mr_get_u64le(stored.data + 13);
    key->moments.weight = mr_get_double_le(stored.data + 21);
    key->moments.weight_squares = mr_get_double_le(stored.data + 29);
    key->moments.mean = mr_get_double_le(stored.data + 37);
    key->moments.squares = mr_get_double_le(stored.data + 45);
    key->entries_count = stored.data[53];
    const uint8_t *bytes = stored.data + HEAD_BYTES;
    for (uint32_t index = 0; index < key->entries_count; index++, bytes += ENTRY_BYTES)
        key->entries[index] =
            (struct mr_rate_entry){(int64_t)mr_get_u64le(bytes), mr_get_u64le(bytes + 8)};
    struct mr_reader reader =
        mr_reader_from(mr_slice_from(bytes, (size_t)(stored.data + stored.size - bytes)));
    mr_control_hold_decode(&key->hold, stored.data[0] >> 1, &reader);
    return !reader.bad && reader.cursor == reader.end;
}

enum mr_status mr_rate_table_open(const struct mr_operator_open *open, struct mr_table **table,
                                  struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = mr_rate_table,
        .version = MR_RATE_VERSION,
        .object_size = sizeof(struct mr_rate_key),
        .encode = key_encode,
        .encoded_size_max = ENCODED_BYTES_MAX,
        .decode = key_decode,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
        .timed = true,
    };
    return mr_table_open(open->state, &spec, table, error);
}

void mr_rate_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    MR_UNUSED(options);
    mr_estimate_object(sizeof(struct mr_rate_key), ENCODED_BYTES_MAX, estimate);
}

enum mr_status mr_rate_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                struct mr_state_description *description, struct mr_error *error)
{
    MR_UNUSED(arena);
    struct mr_rate_key key = {0};
    if (!key_decode(&key, object->version, object->encoded))
        return mr_operator_not_described(error);
    uint64_t waiting = 0;
    for (uint32_t index = 0; index < key.entries_count; index++)
        waiting += key.entries[index].count;
    mr_describe_time(description, "due", object->due_ms);
    mr_describe_member(description, "counted", mr_value_uint(waiting));
    mr_describe_member(description, "windows", mr_value_uint(key.learned));
    mr_describe_member(description, "mean", mr_value_double(key.moments.mean));
    mr_describe_member(description, "sd",
                       mr_value_double(key.learned < 2 ? 0 : mr_decayed_moments_sd(&key.moments)));
    mr_control_hold_describe(&key.hold, description);
    return MR_OK;
}

/* ---- A key ---- */

/* The place of a window among the entries, or of the first one behind it. */
static uint32_t place_of(const struct mr_rate_key *key, int64_t window)
{
    uint32_t place = 0;
    while (place < key->entries_count && key->entries[place].window < window)
        place++;
    return place;
}

bool mr_rate_key_count(struct mr_rate_key *key, int64_t window)
{
    uint32_t place = place_of(key, window);
    struct mr_rate_entry *entries = key->entries;
    if (place < key->entries_count && entries[place].window == window) {
        entries[place].count++;
        return true;
    }
    if (key->entries_count == MR_RATE_ENTRIES_MAX)
        return false;
    memmove(entries + place + 1, entries + place, (key->entries_count - place) * sizeof(*entries));
    entries[place] = (struct mr_rate_entry){window, 1};
    key->entries_count++;
    return true;
}

uint64_t mr_rate_key_take(struct mr_rate_key *key)
{
    if (key->entries_count == 0 || key->entries[0].window != key->next)
        return 0;
    uint64_t count = key->entries[0].count;
    key->entries_count--;
    memmove(key->entries, key->entries + 1, key->entries_count * sizeof(*key->entries));
    return count;
}

void mr_rate_key_restart(struct mr_rate_key *key)
{
    MR_ASSERT(key->entries_count > 0);
    key->next = key->entries[0].window;
    key->partial = true;
    key->empty = 0;
    key->learned = 0;
    key->moments = (struct mr_decayed_moments){0};
    key->hold = (struct mr_control_hold){0};
}

void mr_rate_key_judge(const struct mr_rate_key *key, uint64_t warmup,
                       enum mr_rate_direction direction, struct mr_rate_result *result)
{
    const struct mr_decayed_moments *moments = &key->moments;
    result->learned = key->learned;
    result->expected = moments->mean;
    result->sd = key->learned < 2 ? 0 : mr_decayed_moments_sd(moments);
    result->is_armed = !key->partial && key->learned >= warmup;
    if (!result->is_armed)
        return;
    double known = moments->weight * (moments->weight / moments->weight_squares);
    double mean = moments->mean + 0.5 / known;
    double variance = result->sd * result->sd > mean ? result->sd * result->sd : mean;
    struct mr_count_tails tails =
        mr_count_tails(mean, variance * (1 + 1 / known), (double)result->count);
    double log_p = direction == MR_RATE_FEWER ? tails.log_lower : tails.log_upper;
    if (direction == MR_RATE_BOTH)
        log_p = ln2 + (tails.log_lower < tails.log_upper ? tails.log_lower : tails.log_upper);
    if (log_p < 0)
        result->score = -log_p / ln10;
    result->p_value = log_p < 0 ? mr_tail_exponential(log_p) : 1;
}
