/* coordinator/seek.c — see seek.h.
 * Design: everything that can be wrong with the place is found before the first task is claimed;
 * the last claims are read before that, too, and a task whose claim has risen since is not touched:
 * a coordinator that slept in the middle of a seek must not move a task that runs again. */
#include "coordinator/seek.h"

#include "base/clock.h"
#include "base/number.h"
#include "state/state.h"
#include "worker/progress.h"

#include <inttypes.h>
#include <stdio.h>

enum { TAIL_FIRST = 64, TAIL_GROWTH = 8 };

/* ---- The place ---- */

static enum mr_status bad_place(const char *text, struct mr_error *error)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "found '%.80s' as the place to seek to; expected earliest, latest, a time such "
                   "as 2026-01-28T10:30:00Z, milliseconds since the epoch, or offsets such as "
                   "0=1200,1=1180",
                   text);
}

static bool parse_offset(char *text, struct mr_seek_offset *offset)
{
    char *equals = strchr(text, '=');
    int64_t partition;
    if (equals == NULL)
        return false;
    *equals = '\0';
    char *colon = strrchr(text, ':');
    if (colon != NULL)
        *colon = '\0';
    offset->topic = colon != NULL ? text : NULL;
    const char *number = colon != NULL ? colon + 1 : text;
    if (!mr_number_parse_int(mr_slice_text(number), &partition) || partition < 0 ||
        partition > INT32_MAX || !mr_number_parse_int(mr_slice_text(equals + 1), &offset->offset) ||
        offset->offset < 0)
        return false;
    offset->partition = (int32_t)partition;
    return true;
}

static enum mr_status parse_offsets(const char *text, struct mr_arena *arena,
                                    struct mr_seek_place *place, struct mr_error *error)
{
    char *rest = mr_arena_copy_text(arena, text);
    place->kind = MR_SEEK_OFFSETS;
    place->offsets = mr_arena_new(arena, MR_SEEK_OFFSETS_MAX, sizeof(*place->offsets));
    while (rest != NULL) {
        char *comma = strchr(rest, ',');
        if (comma != NULL)
            *comma = '\0';
        if (place->offsets_count == MR_SEEK_OFFSETS_MAX ||
            !parse_offset(rest, &place->offsets[place->offsets_count++]))
            return bad_place(text, error);
        rest = comma != NULL ? comma + 1 : NULL;
    }
    return MR_OK;
}

enum mr_status mr_seek_parse(const char *text, struct mr_arena *arena, struct mr_seek_place *place,
                             struct mr_error *error)
{
    int64_t seconds;
    int32_t nanoseconds;
    *place = (struct mr_seek_place){.kind = MR_SEEK_EARLIEST};
    if (strcmp(text, "earliest") == 0)
        return MR_OK;
    if (strcmp(text, "latest") == 0) {
        place->kind = MR_SEEK_LATEST;
        return MR_OK;
    }
    if (strchr(text, '=') != NULL)
        return parse_offsets(text, arena, place, error);
    place->kind = MR_SEEK_TIME;
    if (mr_clock_parse_rfc3339(mr_slice_text(text), &seconds, &nanoseconds)) {
        place->time_ms = seconds * 1000 + nanoseconds / 1000000;
        return place->time_ms >= 0 ? MR_OK : bad_place(text, error);
    }
    if (mr_number_parse_int(mr_slice_text(text), &place->time_ms) && place->time_ms >= 0)
        return MR_OK;
    return bad_place(text, error);
}

/* ---- Where a partition goes ---- */

static const struct mr_bound_node *find_source(const struct mr_seek *seek)
{
    const struct mr_binding *binding = &seek->version->binding;
    for (uint32_t index = 0; index < binding->nodes_count; index++)
        if (strcmp(binding->nodes[index].name, seek->source) == 0)
            return &binding->nodes[index];
    return NULL;
}

static const struct mr_bound_subtopology *find_part(const struct mr_seek *seek)
{
    const struct mr_plan_node *node = mr_plan_node_find(seek->plan, seek->source);
    const char *name = seek->plan->subtopologies[node->subtopology].name;
    const struct mr_binding *binding = &seek->version->binding;
    for (uint32_t index = 0; index < binding->subtopologies_count; index++)
        if (strcmp(binding->subtopologies[index].name, name) == 0)
            return &binding->subtopologies[index];
    return NULL;
}

/* *offset -1: this partition stays. */
static enum mr_status place_of(const struct mr_seek *seek, const char *topic, int32_t partition,
                               int64_t *offset, struct mr_error *error)
{
    struct mr_log *log = seek->claimer->log;
    int64_t first;
    int64_t end;
    *offset = -1;
    if (seek->place.kind == MR_SEEK_EARLIEST)
        return log->ops->offset_find(log, topic, partition, MR_LOG_OFFSET_EARLIEST, offset, error);
    if (seek->place.kind == MR_SEEK_LATEST)
        return log->ops->offset_find(log, topic, partition, MR_LOG_OFFSET_LATEST, offset, error);
    if (seek->place.kind == MR_SEEK_TIME)
        return log->ops->offset_find(log, topic, partition, seek->place.time_ms, offset, error);
    for (uint32_t index = 0; index < seek->place.offsets_count; index++) {
        const struct mr_seek_offset *wanted = &seek->place.offsets[index];
        if (wanted->partition == partition &&
            (wanted->topic == NULL || strcmp(wanted->topic, topic) == 0))
            *offset = wanted->offset;
    }
    if (*offset < 0)
        return MR_OK;
    enum mr_status status =
        log->ops->offset_find(log, topic, partition, MR_LOG_OFFSET_EARLIEST, &first, error);
    if (status == MR_OK)
        status = log->ops->offset_find(log, topic, partition, MR_LOG_OFFSET_LATEST, &end, error);
    if (status == MR_OK && (*offset < first || *offset > end))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Offset %" PRId64 " lies outside of %s[%d], which has %" PRId64
                       " to %" PRId64 ".",
                       *offset, topic, partition, first, end);
    return status;
}

static bool names_partition(const struct mr_bound_node *source, const struct mr_seek_offset *wanted)
{
    for (uint32_t index = 0; index < source->topics_count; index++)
        if ((wanted->topic == NULL || strcmp(wanted->topic, source->topics[index].name) == 0) &&
            wanted->partition < source->topics[index].partitions_count)
            return true;
    return false;
}

enum mr_status mr_seek_check(const struct mr_seek *seek, struct mr_error *error)
{
    const struct mr_plan_node *node = mr_plan_node_find(seek->plan, seek->source);
    if (node == NULL || node->type->role != MR_ROLE_SOURCE)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topology \"%s\" has no source \"%s\".", seek->plan->name, seek->source);
    if (node->is_broadcast)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Source \"%s\" is a table that every task reads whole; it has no positions "
                       "to seek to.",
                       seek->source);
    const struct mr_bound_node *source = find_source(seek);
    if (source == NULL || source->topics_count == 0 || find_part(seek) == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Source \"%s\" is a %s and reads no topic; only topics have positions to "
                       "seek to.",
                       seek->source, node->type->name);
    for (uint32_t index = 0; index < seek->place.offsets_count; index++)
        if (!names_partition(source, &seek->place.offsets[index]))
            return MR_FAIL(
                error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                "Source \"%s\" has no partition %d%s%s.", seek->source,
                seek->place.offsets[index].partition,
                seek->place.offsets[index].topic != NULL ? " of topic " : "",
                seek->place.offsets[index].topic != NULL ? seek->place.offsets[index].topic : "");
    for (uint32_t index = 0; index < source->topics_count; index++)
        for (int32_t at = 0; at < source->topics[index].partitions_count; at++) {
            int64_t offset;
            enum mr_status status = place_of(seek, source->topics[index].name, at, &offset, error);
            if (status != MR_OK)
                return status;
        }
    return MR_OK;
}

/* ---- Progress ---- */

struct progress_search {
    struct mr_arena *arena;
    bool found;
    struct mr_progress progress;
};

static enum mr_status progress_visit(void *argument, const struct mr_log_message *message,
                                     struct mr_error *error)
{
    struct progress_search *search = argument;
    if (message->key_null || message->value_null ||
        !mr_slice_equal(message->key, MR_STATE_PROGRESS_KEY))
        return MR_OK;
    search->found = true;
    return mr_progress_decode(mr_arena_copy(search->arena, message->value), search->arena,
                              &search->progress, error);
}

/* The last progress record, searched from the end in growing steps. */
static enum mr_status find_progress(const struct mr_seek *seek, const char *topic,
                                    int32_t partition, struct progress_search *search,
                                    struct mr_error *error)
{
    struct mr_log *log = seek->claimer->log;
    int64_t first;
    int64_t end;
    enum mr_status status =
        log->ops->offset_find(log, topic, partition, MR_LOG_OFFSET_EARLIEST, &first, error);
    if (status == MR_OK)
        status = log->ops->offset_find(log, topic, partition, MR_LOG_OFFSET_LATEST, &end, error);
    for (int64_t tail = TAIL_FIRST; status == MR_OK && !search->found && first < end;
         tail *= TAIL_GROWTH) {
        int64_t from = end - tail > first ? end - tail : first;
        int64_t read_end;
        status = mr_log_read_to_end(log, topic, partition, from, progress_visit, search,
                                    seek->claimer->wait_ms, &read_end, error);
        if (from == first)
            break;
    }
    return status;
}

struct moving {
    const struct mr_seek *seek;
    const struct mr_bound_subtopology *part;
    int32_t partition;
    struct mr_arena arena;
};

static struct mr_progress_input *input_of(struct mr_progress *progress, const char *topic,
                                          int32_t partition)
{
    for (uint32_t index = 0; index < progress->inputs_count; index++)
        if (progress->inputs[index].partition == partition &&
            mr_slice_equal(progress->inputs[index].topic, mr_slice_text(topic)))
            return &progress->inputs[index];
    return NULL;
}

static enum mr_status move_inputs(struct moving *moving, struct mr_progress *progress, bool *moved,
                                  struct mr_error *error)
{
    const struct mr_bound_node *source = find_source(moving->seek);
    struct mr_progress_input *inputs = mr_arena_new(
        &moving->arena, progress->inputs_count + source->topics_count, sizeof(*inputs));
    for (uint32_t index = 0; index < progress->inputs_count; index++)
        inputs[index] = progress->inputs[index];
    progress->inputs = inputs;
    for (uint32_t index = 0; index < source->topics_count; index++) {
        const struct mr_bound_topic *topic = &source->topics[index];
        int64_t offset;
        if (moving->partition >= topic->partitions_count)
            continue;
        enum mr_status status =
            place_of(moving->seek, topic->name, moving->partition, &offset, error);
        if (status != MR_OK)
            return status;
        if (offset < 0)
            continue;
        struct mr_progress_input *input = input_of(progress, topic->name, moving->partition);
        if (input == NULL) {
            input = &inputs[progress->inputs_count++];
            *input = (struct mr_progress_input){.topic = mr_slice_text(topic->name),
                                                .partition = moving->partition,
                                                .highest_event_ms = INT64_MIN,
                                                .carried_ms = INT64_MIN};
        }
        input->topic_id = mr_slice_text(topic->topic_id);
        input->next_offset = offset;
        input->idle = false;
        *moved = true;
    }
    return MR_OK;
}

/* Between the fence of the last owner and nobody's claim. */
static enum mr_status new_progress(void *argument, uint64_t epoch, struct mr_log_record *record,
                                   bool *wanted, struct mr_error *error)
{
    struct moving *moving = argument;
    struct progress_search search = {
        .arena = &moving->arena, .progress = {.watermark_ms = INT64_MIN, .began_ms = INT64_MIN}};
    const char *topic = moving->part->log_topic.name;
    enum mr_status status = find_progress(moving->seek, topic, moving->partition, &search, error);
    if (status == MR_OK)
        status = move_inputs(moving, &search.progress, wanted, error);
    if (status != MR_OK || !*wanted)
        return status;
    search.progress.epoch = epoch;
    search.progress.incarnation = 0;
    *record = (struct mr_log_record){.topic = topic,
                                     .partition = moving->partition,
                                     .key = MR_STATE_PROGRESS_KEY,
                                     .value = mr_progress_encode(&search.progress, &moving->arena),
                                     .timestamp_ms = -1};
    return MR_OK;
}

/* ---- All tasks ---- */

struct epochs {
    const char *prefix; /* of the claims' keys: "<generation>/<subtopology>/" */
    uint64_t *items;    /* by partition; 0: never claimed */
    int32_t count;
};

static enum mr_status epochs_visit(void *argument, const struct mr_log_message *message,
                                   struct mr_error *error)
{
    struct epochs *epochs = argument;
    size_t size = strlen(epochs->prefix);
    int64_t partition;
    struct mr_claim claim;
    if (message->key_null || message->value_null || message->key.size <= size ||
        memcmp(message->key.data, epochs->prefix, size) != 0)
        return MR_OK;
    struct mr_slice rest = mr_slice_from(message->key.data + size, message->key.size - size);
    if (!mr_number_parse_int(rest, &partition) || partition < 0 || partition >= epochs->count)
        return MR_OK;
    enum mr_status status = mr_claim_decode(message->value, &claim, error);
    if (status == MR_OK)
        epochs->items[partition] = claim.epoch;
    return status;
}

static enum mr_status read_epochs(const struct mr_seek *seek, struct epochs *epochs,
                                  struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (int32_t at = 0; at < seek->claimer->claims_partitions_count && status == MR_OK; at++) {
        int64_t end;
        status = mr_log_read_to_end(seek->claimer->log, seek->claimer->claims_topic, at,
                                    MR_LOG_OFFSET_EARLIEST, epochs_visit, epochs,
                                    seek->claimer->wait_ms, &end, error);
    }
    return status;
}

static enum mr_status move_task(const struct mr_seek *seek, const struct mr_bound_subtopology *part,
                                int32_t partition, uint64_t epoch_max, struct mr_error *error)
{
    struct moving moving = {.seek = seek, .part = part, .partition = partition};
    struct mr_claim_request request = {.generation = seek->version->generation,
                                       .subtopology = part->name,
                                       .partition = partition,
                                       .epoch = epoch_max,
                                       .transactional = seek->plan->exactly_once};
    uint64_t epoch;
    mr_arena_init(&moving.arena, 4096);
    enum mr_status status =
        mr_claim_fence_task(seek->claimer, &request, new_progress, &moving, &epoch, error);
    mr_arena_deinit(&moving.arena);
    return status;
}

enum mr_status mr_seek_run(const struct mr_seek *seek, uint32_t *tasks_count,
                           struct mr_error *error)
{
    *tasks_count = 0;
    enum mr_status status = mr_seek_check(seek, error);
    if (status != MR_OK)
        return status;
    const struct mr_bound_subtopology *part = find_part(seek);
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    struct epochs epochs = {
        .prefix =
            mr_arena_format(&arena, "%016" PRIx64 "/%s/", seek->version->generation, part->name),
        .items = mr_arena_new(&arena, (size_t)part->tasks_count + 1u, sizeof(*epochs.items)),
        .count = part->tasks_count};
    status = read_epochs(seek, &epochs, error);
    for (int32_t at = 0; at < part->tasks_count && status == MR_OK; at++) {
        if (seek->given_up != NULL && seek->given_up(seek->argument))
            status = MR_FAIL(error, MR_CLOSED, MR_RECOVERY_RETRY,
                             "The coordinator stops, or leads no more.");
        else
            status = move_task(seek, part, at, epochs.items[at], error);
        *tasks_count += status == MR_OK;
    }
    mr_arena_deinit(&arena);
    return status;
}
