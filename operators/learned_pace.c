/* operators/learned_pace.c — see learned_pace.h. */
#include "operators/learned_pace.h"

#include <math.h>

#include "base/endian.h"

enum { PACE_VERSION = 2, PACE_BYTES = 97, PACE_BYTES_V1 = 73 };

const char mr_pace_table[] = "pace";

/* ---- Options ---- */

static bool has_fit(const struct mr_options *options)
{
    return mr_option_specs_find(options->specs, "fit") >= 0 && mr_options_present(options, "fit");
}

bool mr_pace_is_timed(const struct mr_options *options)
{
    return mr_options_present(options, "rate") || mr_options_present(options, "delay") ||
           mr_options_present(options, "max_records");
}

bool mr_pace_is_asked(const struct mr_options *options)
{
    return mr_pace_is_timed(options) || has_fit(options);
}

static void bind_fit(struct mr_learned_pace *pace, const struct mr_options *options)
{
    pace->has_fit = has_fit(options);
    pace->fit_max = UINT64_MAX;
    if (!pace->has_fit)
        return;
    const struct mr_options *fit = mr_options_get(options, "fit")->objects;
    pace->fit_timeout_ms = mr_options_integer(fit, "timeout");
    pace->fit_min = (uint64_t)mr_options_integer(fit, "min_records");
    if (mr_options_present(fit, "max_records"))
        pace->fit_max = (uint64_t)mr_options_integer(fit, "max_records");
}

static void bind_timer(struct mr_learned_pace *pace, const struct mr_options *options)
{
    double rate = mr_options_present(options, "rate") ? mr_options_number(options, "rate") : 0;
    pace->is_timed = mr_pace_is_timed(options);
    pace->batch_size = (uint32_t)mr_options_integer(options, "batch_size");
    pace->samples_max = mr_options_present(options, "max_records")
                            ? (uint64_t)mr_options_integer(options, "max_records")
                            : UINT64_MAX;
    pace->interval_ms = rate > 0 ? 1000.0 * pace->batch_size / rate : 0;
    if (mr_options_present(options, "delay"))
        pace->interval_ms += (double)mr_options_integer(options, "delay");
}

/* ---- Stored objects ---- */

static size_t pace_encode(const void *object, uint8_t *output)
{
    const struct mr_pace_entry *entry = object;
    mr_put_u64le(output, entry->total_samples);
    mr_put_u64le(output + 8, entry->total_batches);
    mr_put_u64le(output + 16, (uint64_t)entry->first_ms);
    mr_put_u64le(output + 24, (uint64_t)entry->last_ms);
    mr_put_u64le(output + 32, entry->timed_samples);
    mr_put_u64le(output + 40, (uint64_t)entry->started_ms);
    mr_put_u64le(output + 48, (uint64_t)entry->next_ms);
    mr_put_u64le(output + 56, (uint64_t)entry->fit_ms);
    output[64] = entry->is_fit ? 1 : 0;
    mr_put_u64le(output + 65, (uint64_t)entry->due_ms);
    mr_put_u64le(output + 73, entry->conditioned_samples);
    mr_put_double_le(output + 81, entry->conditioned_draws);
    mr_put_u64le(output + 89, entry->redrawn);
    return PACE_BYTES;
}

static bool pace_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_pace_entry *entry = object;
    bool is_first = version == 1;
    if (version < 1 || version > PACE_VERSION ||
        stored.size != (is_first ? PACE_BYTES_V1 : PACE_BYTES) || stored.data[64] > 1)
        return false;
    entry->total_samples = mr_get_u64le(stored.data);
    entry->total_batches = mr_get_u64le(stored.data + 8);
    entry->first_ms = (int64_t)mr_get_u64le(stored.data + 16);
    entry->last_ms = (int64_t)mr_get_u64le(stored.data + 24);
    entry->timed_samples = mr_get_u64le(stored.data + 32);
    entry->started_ms = (int64_t)mr_get_u64le(stored.data + 40);
    entry->next_ms = (int64_t)mr_get_u64le(stored.data + 48);
    entry->fit_ms = (int64_t)mr_get_u64le(stored.data + 56);
    entry->is_fit = stored.data[64] != 0;
    entry->due_ms = (int64_t)mr_get_u64le(stored.data + 65);
    entry->conditioned_samples = is_first ? 0 : mr_get_u64le(stored.data + 73);
    entry->conditioned_draws = is_first ? 0 : mr_get_double_le(stored.data + 81);
    entry->redrawn = is_first ? 0 : mr_get_u64le(stored.data + 89);
    return entry->conditioned_draws >= 0;
}

enum mr_status mr_learned_pace_open(struct mr_learned_pace *pace,
                                    const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_table_spec spec = {.operator_name = open->node->name,
                                       .name = mr_pace_table,
                                       .version = PACE_VERSION,
                                       .object_size = sizeof(struct mr_pace_entry),
                                       .encode = pace_encode,
                                       .encoded_size_max = PACE_BYTES,
                                       .decode = pace_decode,
                                       .timed = true,
                                       .keys_max = open->node->state_keys_max};
    bind_fit(pace, &open->node->options);
    bind_timer(pace, &open->node->options);
    return mr_table_open(open->state, &spec, &pace->table, error);
}

/* ---- Entries ---- */

enum mr_status mr_learned_pace_get(struct mr_learned_pace *pace, struct mr_slice key, uint64_t hash,
                                   int64_t now_ms, struct mr_pace_entry **entry,
                                   struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status = mr_table_get(pace->table, key, hash, 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    *entry = object;
    if (created)
        **entry = (struct mr_pace_entry){.first_ms = INT64_MIN,
                                         .last_ms = INT64_MIN,
                                         .started_ms = INT64_MIN,
                                         .next_ms = INT64_MIN,
                                         .due_ms = INT64_MAX,
                                         .fit_ms = pace->has_fit ? now_ms : INT64_MIN};
    return MR_OK;
}

enum mr_status mr_learned_pace_is_fit(struct mr_learned_pace *pace, struct mr_slice key,
                                      uint64_t hash, bool *is_fit, struct mr_error *error)
{
    void *object;
    *is_fit = !pace->has_fit;
    if (*is_fit)
        return MR_OK;
    enum mr_status status = mr_table_find(pace->table, key, hash, &object, error);
    if (status == MR_OK)
        *is_fit = ((const struct mr_pace_entry *)object)->is_fit;
    return status == MR_NOT_FOUND ? MR_OK : status;
}

void mr_learned_pace_schedule(struct mr_learned_pace *pace, struct mr_pace_entry *entry,
                              int64_t due_ms)
{
    entry->due_ms = due_ms;
    mr_table_schedule(pace->table, entry, due_ms);
}

int64_t mr_learned_pace_due(const struct mr_learned_pace *pace, const struct mr_pace_entry *entry)
{
    if (pace->has_fit && !entry->is_fit)
        return entry->fit_ms + pace->fit_timeout_ms;
    bool is_over = !pace->is_timed || entry->timed_samples >= pace->samples_max;
    return is_over || entry->started_ms == INT64_MIN ? INT64_MAX : entry->next_ms;
}

int64_t mr_learned_pace_batch_ms(const struct mr_learned_pace *pace, uint64_t batch)
{
    double after = pace->interval_ms * (double)batch;
    return after < 9e15 ? (int64_t)after : (int64_t)9e15;
}

void mr_pace_note(struct mr_pace_entry *entry, uint64_t samples, uint64_t batches, int64_t now_ms)
{
    entry->total_samples += samples;
    entry->total_batches += batches;
    if (entry->first_ms == INT64_MIN)
        entry->first_ms = now_ms;
    if (now_ms > entry->last_ms)
        entry->last_ms = now_ms;
}

void mr_pace_note_conditions(struct mr_pace_entry *entry, uint64_t samples, double probability)
{
    entry->conditioned_samples += samples;
    entry->conditioned_draws += (double)samples / probability;
}

/* ---- Statistics ---- */

void mr_pace_statistics(const struct mr_pace_entry *entry, struct mr_pace_statistics *statistics)
{
    bool is_any = entry->first_ms != INT64_MIN;
    double elapsed_s = is_any ? ((double)entry->last_ms - (double)entry->first_ms) / 1000 : 0;
    *statistics = (struct mr_pace_statistics){
        .total_samples = entry->total_samples,
        .total_batches = entry->total_batches,
        .samples_per_second = elapsed_s > 0 ? (double)entry->total_samples / elapsed_s : 0,
        .elapsed_s = elapsed_s > 0 ? elapsed_s : 0,
        .conditioned_samples = entry->conditioned_samples,
        .hit_rate = entry->conditioned_draws > 0
                        ? (double)entry->conditioned_samples / entry->conditioned_draws
                        : (double)NAN,
        .redrawn = entry->redrawn,
    };
}

static enum mr_status read_entry(void *argument, const struct mr_state_object *object,
                                 struct mr_error *error)
{
    return pace_decode(argument, object->version, object->encoded)
               ? MR_OK
               : mr_operator_not_described(error);
}

enum mr_status mr_learned_pace_describe(const struct mr_state_object *object,
                                        struct mr_arena *arena,
                                        struct mr_state_description *description,
                                        struct mr_error *error)
{
    const struct mr_plan_node *node = description->node;
    struct mr_pace_entry entry = {.first_ms = INT64_MIN};
    struct mr_pace_statistics statistics;
    int64_t changelog_offset;
    struct mr_error unread;
    if (node->requests == NULL && !mr_pace_is_asked(&node->options))
        return MR_OK;
    const struct mr_state_query query = {.operator_name = node->name,
                                         .table_name = mr_pace_table,
                                         .key = object->key,
                                         .visit = read_entry,
                                         .argument = &entry};
    enum mr_status status =
        mr_state_query(object->state, &query, arena, &changelog_offset, &unread);
    if (status != MR_OK && status != MR_NOT_FOUND) {
        *error = unread;
        return status;
    }
    mr_pace_statistics(&entry, &statistics);
    mr_describe_member(description, "total_samples", mr_value_uint(statistics.total_samples));
    mr_describe_member(description, "total_batches", mr_value_uint(statistics.total_batches));
    mr_describe_member(description, "samples_per_second",
                       mr_value_double(statistics.samples_per_second));
    mr_describe_member(description, "elapsed_time", mr_value_double(statistics.elapsed_s));
    mr_describe_member(description, "condition_samples",
                       mr_value_uint(statistics.conditioned_samples));
    mr_describe_member(description, "condition_hit_rate",
                       isnan(statistics.hit_rate) ? mr_value_null()
                                                  : mr_value_double(statistics.hit_rate));
    mr_describe_member(description, "redrawn", mr_value_uint(statistics.redrawn));
    if (has_fit(&node->options))
        mr_describe_member(description, "is_fit", mr_value_bool(entry.is_fit));
    return MR_OK;
}
