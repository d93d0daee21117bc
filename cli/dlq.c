/* cli/dlq.c — `millrace dlq list|show|replay`: the dead letters of a topology.
 * Order to read: dlq_read.h, this file, dlq_replay.c. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "cli/dlq_replay.h"
#include "cli/record_text.h"
#include "cli/table.h"
#include "formats/json.h"

#include <inttypes.h>
#include <stdlib.h>

enum { GROUPS_MAX = 10000, SLOTS_COUNT = 32768, JSON_BYTES_MAX = 256 << 20 };

/* ---- list: counts by cause and node ---- */

struct group {
    const char *node;
    const char *cause;
    const char *topic;
    uint64_t count;
    uint64_t replayed_count;
    int64_t last_ms;
};

struct listing {
    struct mr_arena *arena;
    struct group *groups; /* GROUPS_MAX */
    uint32_t *slots;      /* SLOTS_COUNT: by hash, a group's number plus 1; 0: free */
    uint32_t groups_count;
    uint64_t letters_count;
    uint64_t ungrouped_count; /* of causes beyond GROUPS_MAX */
};

static bool is_text(const char *text, struct mr_slice slice)
{
    return mr_slice_equal(mr_slice_text(text), slice);
}

static struct group *add_group(struct listing *listing, const struct mr_dead_letter_read *letter)
{
    struct mr_arena *arena = listing->arena;
    struct group *group = &listing->groups[listing->groups_count++];
    *group = (struct group){
        .node = mr_arena_copy_bytes_text(arena, letter->node.data, letter->node.size),
        .cause = mr_arena_copy_bytes_text(arena, letter->cause.data, letter->cause.size),
        .topic = mr_arena_copy_bytes_text(arena, letter->topic.data, letter->topic.size)};
    return group;
}

/* The letter's group; NULL: there are GROUPS_MAX others already. */
static struct group *find_group(struct listing *listing, const struct mr_dead_letter_read *letter)
{
    uint64_t hash = mr_hash64_seeded(letter->cause, mr_hash64(letter->node));
    for (uint32_t slot = (uint32_t)(hash % SLOTS_COUNT);; slot = (slot + 1) % SLOTS_COUNT) {
        uint32_t number = listing->slots[slot];
        if (number == 0 && listing->groups_count == GROUPS_MAX)
            return NULL;
        if (number == 0) {
            listing->slots[slot] = listing->groups_count + 1;
            return add_group(listing, letter);
        }
        struct group *group = &listing->groups[number - 1];
        if (is_text(group->cause, letter->cause) && is_text(group->node, letter->node))
            return group;
    }
}

static enum mr_status count_letter(void *argument, const struct mr_dead_letter_read *letter,
                                   struct mr_error *error)
{
    struct listing *listing = argument;
    (void)error;
    listing->letters_count++;
    struct group *group = find_group(listing, letter);
    if (group == NULL) {
        listing->ungrouped_count++;
        return MR_OK;
    }
    group->count++;
    group->replayed_count += letter->replayed;
    if (letter->message->timestamp_ms > group->last_ms)
        group->last_ms = letter->message->timestamp_ms;
    return MR_OK;
}

static int more_letters_first(const void *left, const void *right)
{
    const struct group *a = left;
    const struct group *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    int order = strcmp(a->node, b->node);
    return order != 0 ? order : strcmp(a->cause, b->cause);
}

static void print_list(const struct listing *listing, const char *topic_name)
{
    static const struct mr_table_column columns[] = {
        {"COUNT", true},   {"REPLAYED", true}, {"NODE", false}, {"FROM", false},
        {"NEWEST", false}, {"CAUSE", false},   {NULL, false}};
    struct mr_table table;
    if (listing->letters_count == 0) {
        printf("%s holds no dead letters\n", topic_name);
        return;
    }
    mr_table_init(&table, listing->arena, columns);
    for (uint32_t index = 0; index < listing->groups_count; index++) {
        const struct group *group = &listing->groups[index];
        mr_table_count(&table, (int64_t)group->count);
        mr_table_count(&table, (int64_t)group->replayed_count);
        mr_table_text(&table, group->node);
        mr_table_text(&table, group->topic);
        mr_table_text(&table, mr_text_ago(listing->arena, group->last_ms, mr_clock_wall_ms()));
        mr_table_text(&table, group->cause);
    }
    mr_table_print(&table, stdout);
    mr_table_deinit(&table);
    if (listing->ungrouped_count > 0)
        printf("and %" PRIu64 " letters of other causes\n", listing->ungrouped_count);
}

static enum mr_status append_group(struct mr_buffer *json, const struct group *group)
{
    char last[MR_CLOCK_TEXT_SIZE];
    (void)mr_clock_format_rfc3339(group->last_ms, last);
    enum mr_status status = mr_buffer_append_text(json, "{\"node\":");
    if (status == MR_OK)
        status = mr_json_append_string(json, mr_slice_text(group->node));
    if (status == MR_OK)
        status = mr_buffer_append_text(json, ",\"cause\":");
    if (status == MR_OK)
        status = mr_json_append_string(json, mr_slice_text(group->cause));
    if (status == MR_OK)
        status = mr_buffer_append_text(json, ",\"topic\":");
    if (status == MR_OK)
        status = mr_json_append_string(json, mr_slice_text(group->topic));
    if (status == MR_OK)
        status = mr_buffer_append_format(
            json, ",\"count\":%" PRIu64 ",\"replayed\":%" PRIu64 ",\"newest\":\"%s\"}",
            group->count, group->replayed_count, last);
    return status;
}

static enum mr_status print_list_json(const struct listing *listing, const char *topic_name)
{
    struct mr_buffer json;
    mr_buffer_init(&json, JSON_BYTES_MAX);
    enum mr_status status = mr_buffer_append_format(
        &json, "{\"topic\":\"%s\",\"letters\":%" PRIu64 ",\"ungrouped\":%" PRIu64 ",\"causes\":[",
        topic_name, listing->letters_count, listing->ungrouped_count);
    for (uint32_t index = 0; index < listing->groups_count && status == MR_OK; index++) {
        if (index > 0)
            status = mr_buffer_append_text(&json, ",");
        if (status == MR_OK)
            status = append_group(&json, &listing->groups[index]);
    }
    if (status == MR_OK)
        status = mr_buffer_append_text(&json, "]}\n");
    if (status == MR_OK)
        (void)fwrite(json.data, 1, json.size, stdout);
    mr_buffer_deinit(&json);
    return status;
}

static enum mr_exit list(struct mr_dlq *dlq, const struct mr_dlq_choice *choice, bool json)
{
    struct mr_error error;
    struct listing listing = {.arena = &dlq->access->arena};
    (void)choice;
    listing.groups = mr_memory_new(GROUPS_MAX, sizeof *listing.groups);
    listing.slots = mr_memory_new(SLOTS_COUNT, sizeof *listing.slots);
    enum mr_status status = mr_dlq_read_marks(dlq, &error);
    if (status == MR_OK)
        status = mr_dlq_read(dlq, count_letter, &listing, &error);
    if (status == MR_OK && listing.groups_count > 1)
        qsort(listing.groups, listing.groups_count, sizeof *listing.groups, more_letters_first);
    if (status == MR_OK && !json)
        print_list(&listing, dlq->topic_name);
    else if (status == MR_OK && print_list_json(&listing, dlq->topic_name) != MR_OK)
        status = MR_FAIL(&error, MR_LIMIT, MR_RECOVERY_NONE, "The causes are too long for JSON.");
    mr_memory_free(listing.slots);
    mr_memory_free(listing.groups);
    return status == MR_OK ? MR_EXIT_FINE
                           : mr_kafka_access_failure(dlq->access, dlq->topic_name, &error);
}

/* ---- show: letters with headers and payload ---- */

struct showing {
    struct mr_dlq *dlq;
    const struct mr_dlq_choice *choice;
    struct mr_buffer line;
    struct mr_arena arena;
    uint64_t shown_count;
    bool json;
};

static void show_text(struct showing *showing, const struct mr_dead_letter_read *letter)
{
    const struct mr_log_message *message = letter->message;
    struct mr_arena *arena = &showing->arena;
    printf("%d:%" PRId64 "  %s  %s%s\n  cause  ", (int)letter->partition, message->offset,
           mr_text_escape(arena, letter->node),
           mr_text_ago(arena, message->timestamp_ms, mr_clock_wall_ms()),
           letter->replayed ? "  (replayed)" : "");
    mr_text_write(stdout, letter->cause);
    printf("\n  from   %s[%d]@%" PRId64 "\n  key    ", mr_text_escape(arena, letter->topic),
           (int)letter->origin_partition, letter->origin_offset);
    if (message->key_null)
        printf("-");
    else
        mr_text_write(stdout, message->key);
    printf("\n  value  ");
    if (message->value_null)
        printf("-");
    else
        mr_text_write(stdout, message->value);
    printf("%s\n", letter->truncated ? "  (cut: the record was too large)" : "");
}

static enum mr_status show_letter(void *argument, const struct mr_dead_letter_read *letter,
                                  struct mr_error *error)
{
    struct showing *showing = argument;
    if (!mr_dlq_chosen(showing->choice, letter))
        return MR_OK;
    if (showing->choice->count_max > 0 && showing->shown_count == showing->choice->count_max)
        return MR_END;
    showing->shown_count++;
    mr_arena_reset(&showing->arena);
    if (!showing->json) {
        show_text(showing, letter);
        return ferror(stdout) ? MR_END : MR_OK;
    }
    struct mr_record_text record = {.topic = showing->dlq->topic_name,
                                    .partition = letter->partition,
                                    .message = letter->message,
                                    .headers = letter->headers};
    mr_buffer_clear(&showing->line);
    enum mr_status status = mr_record_text_json(&showing->line, &record, &showing->arena);
    if (status != MR_OK)
        return MR_FAIL(error, status, MR_RECOVERY_NONE, "A letter is too large to be shown.");
    showing->line.size--; /* one more member goes before the brace */
    (void)fwrite(showing->line.data, 1, showing->line.size, stdout);
    printf(",\"replayed\":%s}\n", letter->replayed ? "true" : "false");
    return ferror(stdout) ? MR_END : MR_OK;
}

static enum mr_exit show(struct mr_dlq *dlq, const struct mr_dlq_choice *choice, bool json)
{
    enum { ARENA_CHUNK_BYTES = 256 << 10 };
    struct mr_error error;
    struct showing showing = {.dlq = dlq, .choice = choice, .json = json};
    mr_buffer_init(&showing.line, JSON_BYTES_MAX);
    mr_arena_init(&showing.arena, ARENA_CHUNK_BYTES);
    enum mr_status status = mr_dlq_read_marks(dlq, &error);
    if (status == MR_OK)
        status = mr_dlq_read(dlq, show_letter, &showing, &error);
    mr_arena_deinit(&showing.arena);
    mr_buffer_deinit(&showing.line);
    if (status != MR_OK)
        return mr_kafka_access_failure(dlq->access, dlq->topic_name, &error);
    if (showing.shown_count == 0 && !json)
        printf("no dead letter%s\n", choice->any ? "" : " is chosen by these flags");
    return MR_EXIT_FINE;
}

/* ---- The command ---- */

static enum mr_exit run_on_topic(const struct mr_arguments *arguments,
                                 struct mr_kafka_access *access, const struct mr_dlq_choice *choice)
{
    const char *verb = arguments->operands[0];
    bool json = mr_arguments_flag(arguments, "output")->integer == MR_OUTPUT_JSON;
    struct mr_dlq dlq;
    enum mr_exit code = mr_dlq_open(&dlq, access, arguments->operands[1]);
    if (code == MR_EXIT_FINE && strcmp(verb, "list") == 0)
        code = list(&dlq, choice, json);
    else if (code == MR_EXIT_FINE && strcmp(verb, "show") == 0)
        code = show(&dlq, choice, json);
    else if (code == MR_EXIT_FINE)
        code = mr_dlq_replay(&dlq, arguments->operands[1], choice,
                             mr_arguments_given(arguments, "dry-run"), json);
    mr_dlq_close(&dlq);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    const char *verb = arguments->operands[0];
    struct mr_kafka_access access;
    struct mr_dlq_choice choice;
    if (strcmp(verb, "list") != 0 && strcmp(verb, "show") != 0 && strcmp(verb, "replay") != 0) {
        (void)fprintf(stderr,
                      "millrace: dlq: found '%.80s', expected list, show or replay; see `millrace "
                      "help dlq`\n",
                      verb);
        return MR_EXIT_USAGE;
    }
    enum mr_exit code = mr_kafka_access_open(&access, arguments, "millrace-dlq");
    if (code == MR_EXIT_FINE)
        code = mr_dlq_choice_read(&choice, arguments, &access.arena);
    if (code == MR_EXIT_FINE && choice.any && strcmp(verb, "replay") == 0 &&
        !mr_arguments_given(arguments, "all")) {
        (void)fprintf(stderr, "millrace: dlq replay: choose letters with --cause, --operator or "
                              "--offset, or take all of them with --all\n");
        code = MR_EXIT_USAGE;
    }
    if (code == MR_EXIT_FINE)
        code = run_on_topic(arguments, &access, &choice);
    mr_kafka_access_close(&access);
    return code;
}

static const struct mr_flag flags[] = {
    {.name = "cause",
     .kind = MR_FLAG_TEXT,
     .value = "TEXT",
     .help = "Letters whose cause holds this text."},
    {.name = "operator",
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "Letters of this operator, source or sink."},
    {.name = "offset",
     .kind = MR_FLAG_TEXTS,
     .value = "P:O",
     .help = "The letter at this partition and offset of the dead letters; more than once."},
    {.name = "all", .kind = MR_FLAG_SWITCH, .help = "replay: every letter not yet replayed."},
    {.name = "count",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = INT64_MAX,
     .help = "show, replay: at most N letters."},
    {.name = "dry-run", .kind = MR_FLAG_SWITCH, .help = "replay: say what would be written."},
    MR_FLAG_OUTPUT,
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    {.name = NULL}};

const struct mr_command mr_command_dlq = {
    .name = "dlq",
    .operands = "list|show|replay TOPOLOGY",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Count, show or replay the records that a topology could not process.",
    .description =
        "list counts dead letters by node and cause. show prints them. replay writes key and value "
        "back to the\ntopic and partition that each came from, as new records: the topology reads "
        "them again. Each letter is\nreplayed at most once: the records and a mark in the dead "
        "letters are one transaction, and a replay skips\nwhat is marked. What was cut, and what "
        "failed behind a repartition, cannot be replayed and is counted.",
    .flags = flags,
    .run = run};
