/* cli/dlq_replay.c — see dlq_replay.h.
 * Design: letters are copied into a batch; a full batch is one transaction: its records, then one
 * mark for each partition of the dead letters that it has letters of. */
#include "cli/dlq_replay.h"

#include "base/memory.h"
#include "base/number.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    BATCH_RECORDS_MAX = 2000,
    BATCH_BYTES_MAX = 8 << 20,
    MARK_BYTES_MAX = BATCH_RECORDS_MAX * 21 + 32, /* an offset has at most 20 bytes */
    TARGETS_MAX = 256,
    INITIALISE_MS = 30000,
    TRANSACTION_MS = 60000,
    ARENA_CHUNK_BYTES = 1 << 20
};

/* ---- The choice ---- */

static bool read_place(const char *text, struct mr_dlq_place *place)
{
    const char *colon = strchr(text, ':');
    int64_t partition;
    if (colon == NULL ||
        !mr_number_parse_int(mr_slice_from(text, (size_t)(colon - text)), &partition) ||
        !mr_number_parse_int(mr_slice_text(colon + 1), &place->offset))
        return false;
    place->partition = (int32_t)partition;
    return partition >= 0 && partition <= INT32_MAX && place->offset >= 0;
}

enum mr_exit mr_dlq_choice_read(struct mr_dlq_choice *choice, const struct mr_arguments *arguments,
                                struct mr_arena *arena)
{
    const struct mr_flag_value *offsets = mr_arguments_flag(arguments, "offset");
    struct mr_dlq_place *places = mr_arena_new(arena, offsets->count, sizeof *places);
    for (uint32_t index = 0; index < offsets->count; index++)
        if (!read_place(offsets->texts[index], &places[index])) {
            (void)fprintf(stderr,
                          "millrace: --offset: found '%.80s', expected PARTITION:OFFSET such as "
                          "0:17; see `millrace help dlq`\n",
                          offsets->texts[index]);
            return MR_EXIT_USAGE;
        }
    *choice = (struct mr_dlq_choice){.cause = mr_arguments_flag(arguments, "cause")->text,
                                     .node = mr_arguments_flag(arguments, "operator")->text,
                                     .places = places,
                                     .places_count = offsets->count,
                                     .count_max =
                                         (uint64_t)mr_arguments_flag(arguments, "count")->integer};
    choice->any = choice->cause == NULL && choice->node == NULL && choice->places_count == 0;
    return MR_EXIT_FINE;
}

bool mr_dlq_chosen(const struct mr_dlq_choice *choice, const struct mr_dead_letter_read *letter)
{
    bool placed = choice->places_count == 0;
    for (uint32_t index = 0; index < choice->places_count && !placed; index++)
        placed = choice->places[index].partition == letter->partition &&
                 choice->places[index].offset == letter->message->offset;
    if (!placed)
        return false;
    if (choice->node != NULL && !mr_slice_equal(mr_slice_text(choice->node), letter->node))
        return false;
    return choice->cause == NULL || choice->cause[0] == '\0' ||
           (letter->cause.size > 0 && memmem(letter->cause.data, letter->cause.size, choice->cause,
                                             strlen(choice->cause)) != NULL);
}

/* ---- Replaying ---- */

struct target {
    const char *name;
    int32_t partitions_count; /* 0: the topic is not there */
    int64_t message_bytes_max;
    uint64_t count;
};

/* Why a chosen letter is left alone. */
enum skipped { SKIPPED_REPLAYED, SKIPPED_CUT, SKIPPED_INTERNAL, SKIPPED_NOWHERE, SKIPPED_COUNT };

struct replaying {
    struct mr_dlq *dlq;
    const struct mr_dlq_choice *choice;
    const char *internal_prefix; /* "<cluster>." */
    struct mr_log_producer *producer;
    struct mr_arena batch_arena;
    struct mr_log_record records[BATCH_RECORDS_MAX + 1];
    int64_t offsets[BATCH_RECORDS_MAX]; /* of the letters of the batch, all of one partition */
    struct mr_header mark_header;
    struct mr_headers mark_headers;
    uint32_t batch_count;
    size_t batch_bytes;
    int32_t batch_partition;
    struct target targets[TARGETS_MAX];
    uint32_t targets_count;
    uint64_t replayed_count;
    uint64_t skipped_counts[SKIPPED_COUNT];
    bool dry_run;
};

static enum mr_status find_target(struct replaying *replaying, struct mr_slice name,
                                  struct target **found, struct mr_error *error)
{
    for (uint32_t index = 0; index < replaying->targets_count; index++)
        if (mr_slice_equal(mr_slice_text(replaying->targets[index].name), name)) {
            *found = &replaying->targets[index];
            return MR_OK;
        }
    if (replaying->targets_count == TARGETS_MAX)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                       "The letters come from more than %d topics; choose fewer of them.",
                       TARGETS_MAX);
    struct mr_kafka_access *access = replaying->dlq->access;
    struct mr_log_topic topic;
    struct target *target = &replaying->targets[replaying->targets_count];
    target->name = mr_arena_copy_bytes_text(&access->arena, name.data, name.size);
    enum mr_status status =
        access->log->ops->topic_describe(access->log, target->name, &topic, error);
    if (status != MR_OK && error->recovery == MR_RECOVERY_RETRY)
        return status;
    /* No such topic, or no topic's name at all: a file, a generator. */
    target->partitions_count = status == MR_OK ? topic.partitions_count : 0;
    target->message_bytes_max = status == MR_OK ? topic.message_bytes_max : 0;
    replaying->targets_count++;
    *found = target;
    return MR_OK;
}

static enum mr_status commit_batch(struct replaying *replaying, struct mr_error *error)
{
    const struct mr_log_ops *ops = replaying->dlq->access->log->ops;
    uint32_t count = replaying->batch_count;
    if (count == 0)
        return MR_OK;
    struct mr_buffer mark;
    mr_buffer_init(&mark, MARK_BYTES_MAX);
    enum mr_status status = mr_dlq_mark_encode(&mark, replaying->offsets, count);
    if (status != MR_OK)
        status = MR_FAIL(error, status, MR_RECOVERY_NONE, "The mark of a batch is too long.");
    replaying->records[count] = (struct mr_log_record){.topic = replaying->dlq->topic_name,
                                                       .partition = replaying->batch_partition,
                                                       .key_null = true,
                                                       .value = mr_buffer_view(&mark),
                                                       .timestamp_ms = -1,
                                                       .headers = &replaying->mark_headers};
    if (status == MR_OK)
        status = ops->producer_begin(replaying->producer, error);
    if (status == MR_OK)
        status = ops->producer_send(replaying->producer, replaying->records, count + 1, error);
    if (status == MR_OK)
        status = ops->producer_commit(replaying->producer, error);
    if (status != MR_OK) { /* it may read the mark until it is gone */
        ops->producer_destroy(replaying->producer);
        replaying->producer = NULL;
    } else {
        replaying->replayed_count += count;
    }
    mr_buffer_deinit(&mark);
    replaying->batch_count = 0;
    replaying->batch_bytes = 0;
    if (status == MR_OK)
        mr_arena_reset(&replaying->batch_arena);
    return status;
}

static bool is_internal(const struct replaying *replaying, struct mr_slice topic)
{
    size_t size = strlen(replaying->internal_prefix);
    return topic.size >= size && memcmp(topic.data, replaying->internal_prefix, size) == 0;
}

/* SKIPPED_COUNT: it can be replayed, to *target. */
static enum mr_status judge(struct replaying *replaying, const struct mr_dead_letter_read *letter,
                            struct target **target, enum skipped *skipped, struct mr_error *error)
{
    *skipped = SKIPPED_COUNT;
    if (letter->replayed)
        *skipped = SKIPPED_REPLAYED;
    else if (letter->truncated)
        *skipped = SKIPPED_CUT;
    else if (is_internal(replaying, letter->topic))
        *skipped = SKIPPED_INTERNAL;
    else if (letter->topic.size == 0 || letter->origin_partition < 0)
        *skipped = SKIPPED_NOWHERE;
    if (*skipped != SKIPPED_COUNT)
        return MR_OK;
    enum mr_status status = find_target(replaying, letter->topic, target, error);
    if (status == MR_OK && letter->origin_partition >= (*target)->partitions_count)
        *skipped = SKIPPED_NOWHERE;
    return status;
}

static void add_record(struct replaying *replaying, const struct mr_dead_letter_read *letter,
                       const struct target *target)
{
    const struct mr_log_message *message = letter->message;
    struct mr_arena *arena = &replaying->batch_arena;
    replaying->offsets[replaying->batch_count] = message->offset;
    replaying->records[replaying->batch_count++] =
        (struct mr_log_record){.topic = target->name,
                               .partition = letter->origin_partition,
                               .key_null = message->key_null,
                               .value_null = message->value_null,
                               .key = mr_arena_copy(arena, message->key),
                               .value = mr_arena_copy(arena, message->value),
                               .timestamp_ms = message->timestamp_ms};
    replaying->batch_bytes += message->key.size + message->value.size;
}

static enum mr_status take_letter(void *argument, const struct mr_dead_letter_read *letter,
                                  struct mr_error *error)
{
    struct replaying *replaying = argument;
    struct target *target = NULL;
    enum skipped skipped;
    uint64_t limit = replaying->choice->count_max;
    if (!mr_dlq_chosen(replaying->choice, letter))
        return MR_OK;
    if (limit > 0 && replaying->replayed_count + replaying->batch_count >= limit)
        return MR_END;
    enum mr_status status = judge(replaying, letter, &target, &skipped, error);
    if (status != MR_OK)
        return status;
    if (skipped != SKIPPED_COUNT) {
        replaying->skipped_counts[skipped]++;
        return MR_OK;
    }
    target->count++;
    if (replaying->dry_run) {
        replaying->replayed_count++;
        return MR_OK;
    }
    if (replaying->batch_count > 0 &&
        (letter->partition != replaying->batch_partition ||
         replaying->batch_count == BATCH_RECORDS_MAX || replaying->batch_bytes >= BATCH_BYTES_MAX))
        status = commit_batch(replaying, error);
    replaying->batch_partition = letter->partition;
    if (status == MR_OK)
        add_record(replaying, letter, target);
    return status;
}

/* The id is initialised first: see the guarantee. */
static enum mr_status replay_all(struct replaying *replaying, const char *topology,
                                 struct mr_error *error)
{
    struct mr_dlq *dlq = replaying->dlq;
    struct mr_log *log = dlq->access->log;
    enum mr_status status = MR_OK;
    struct mr_log_producer_options options = {
        .transactional_id = mr_arena_format(&dlq->access->arena, "%s.%s.dlq-replay",
                                            dlq->access->cluster, topology),
        .transaction_timeout_ms = TRANSACTION_MS,
        .batch_bytes_max = (uint64_t)dlq->topic.message_bytes_max};
    if (!replaying->dry_run)
        status =
            log->ops->producer_create(log, &options, INITIALISE_MS, &replaying->producer, error);
    if (status == MR_OK)
        status = mr_dlq_read_marks(dlq, error);
    if (status == MR_OK)
        status = mr_dlq_read(dlq, take_letter, replaying, error);
    return status == MR_OK ? commit_batch(replaying, error) : status;
}

static void print_text(const struct replaying *replaying)
{
    static const char *const reasons[] = {
        [SKIPPED_REPLAYED] = "replayed before",
        [SKIPPED_CUT] = "cannot be replayed: the record was too large and its letter holds a part",
        [SKIPPED_INTERNAL] = "cannot be replayed: the record failed behind a repartition; write "
                             "its source record again instead",
        [SKIPPED_NOWHERE] = "cannot be replayed: the topic or partition that it came from is not "
                            "there"};
    struct mr_arena *arena = &replaying->dlq->access->arena;
    printf("%s %s\n", mr_text_plural(arena, (int64_t)replaying->replayed_count, "letter"),
           replaying->dry_run ? "would be replayed" : "replayed");
    for (uint32_t index = 0; index < replaying->targets_count; index++)
        if (replaying->targets[index].count > 0)
            printf("  %s to %s\n", mr_text_count(arena, (int64_t)replaying->targets[index].count),
                   replaying->targets[index].name);
    for (uint32_t index = 0; index < SKIPPED_COUNT; index++)
        if (replaying->skipped_counts[index] > 0)
            printf("  %s %s\n", mr_text_count(arena, (int64_t)replaying->skipped_counts[index]),
                   reasons[index]);
}

/* Chosen letters that can never be replayed are a refusal. */
static enum mr_exit exit_code(const struct replaying *replaying)
{
    const uint64_t *skipped = replaying->skipped_counts;
    return skipped[SKIPPED_CUT] + skipped[SKIPPED_INTERNAL] + skipped[SKIPPED_NOWHERE] > 0
               ? MR_EXIT_WRONG
               : MR_EXIT_FINE;
}

static void print_json(const struct replaying *replaying)
{
    const uint64_t *skipped = replaying->skipped_counts;
    printf("{\"topic\":\"%s\",\"dry_run\":%s,\"replayed\":%" PRIu64 ",\"replayed_before\":%" PRIu64
           ",\"cut\":%" PRIu64 ",\"internal\":%" PRIu64 ",\"nowhere\":%" PRIu64 "}\n",
           replaying->dlq->topic_name, replaying->dry_run ? "true" : "false",
           replaying->replayed_count, skipped[SKIPPED_REPLAYED], skipped[SKIPPED_CUT],
           skipped[SKIPPED_INTERNAL], skipped[SKIPPED_NOWHERE]);
}

/* Why it stopped, and what is certain. */
static enum mr_exit fail(const struct replaying *replaying, struct mr_error *error)
{
    if (error->status == MR_FENCED)
        (void)MR_FAIL(error, MR_FENCED, MR_RECOVERY_NONE,
                      "Another `dlq replay` of this topology has taken over; it does the rest.");
    enum mr_exit code =
        mr_kafka_access_failure(replaying->dlq->access, replaying->dlq->topic_name, error);
    if (!replaying->dry_run)
        (void)fprintf(stderr,
                      "millrace: %" PRIu64 " letters are replayed for certain; run the command "
                      "again for the others: none is replayed twice\n",
                      replaying->replayed_count);
    return code;
}

enum mr_exit mr_dlq_replay(struct mr_dlq *dlq, const char *topology,
                           const struct mr_dlq_choice *choice, bool dry_run, bool json)
{
    struct mr_error error;
    struct replaying *replaying = mr_memory_new(1, sizeof *replaying);
    replaying->dlq = dlq;
    replaying->choice = choice;
    replaying->dry_run = dry_run;
    replaying->internal_prefix = mr_arena_format(&dlq->access->arena, "%s.", dlq->access->cluster);
    replaying->mark_header = (struct mr_header){mr_dlq_mark_header, mr_slice_text("true")};
    replaying->mark_headers = (struct mr_headers){&replaying->mark_header, 1};
    mr_arena_init(&replaying->batch_arena, ARENA_CHUNK_BYTES);
    bool good = replay_all(replaying, topology, &error) == MR_OK;
    enum mr_exit code = good ? exit_code(replaying) : fail(replaying, &error);
    if (good && json)
        print_json(replaying);
    else if (good)
        print_text(replaying);
    if (replaying->producer != NULL)
        dlq->access->log->ops->producer_destroy(replaying->producer);
    mr_arena_deinit(&replaying->batch_arena);
    mr_memory_free(replaying);
    return code;
}
