/* cli/produce.c — `millrace produce`: lines of a file or of standard input become records.
 * Design: lines are gathered into a batch (as many as are there, at most BATCH_RECORDS_MAX or
 * BATCH_BYTES_MAX), written by an idempotent producer, and the next batch is read when each of them
 * was acknowledged. What was acknowledged is known by the offset that a record got. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "cli/kafka_access.h"
#include "cli/line_reader.h"
#include "cli/text.h"
#include "record/json_value.h"
#include "record/path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    BATCH_RECORDS_MAX = 10000,
    BATCH_BYTES_MAX = 8 << 20,
    LINE_BYTES_MAX = 16 << 20,
    KEYS_MAX = 16,
    IDLE_MS = 20,            /* a batch is written when no line comes for so long */
    RATE_BATCHES_PER_S = 20, /* with --rate */
    COMPLAINTS_MAX = 10,
    RECORD_OVERHEAD_BYTES = 100, /* what Kafka adds to key and value of a record */
    PROGRESS_MS = 1000,
    MESSAGE_MS = 30000
};

enum line_format { FORMAT_RAW, FORMAT_JSON };
static const char *const format_names[] = {"raw", "json", NULL};

struct producing {
    struct mr_kafka_access access;
    const char *topic_name;
    const char *input_name;
    struct mr_log_topic topic;
    struct mr_log_producer *producer;
    struct mr_line_reader reader;
    struct mr_arena batch_arena;
    struct mr_log_record *records;
    int64_t *offsets;
    uint32_t records_count;
    uint32_t records_max; /* of a batch */
    size_t batch_bytes;
    enum line_format format;
    struct mr_path keys[KEYS_MAX];
    uint32_t keys_count;
    struct mr_slice separator; /* size 0: none */
    double rate;               /* records per second; 0: as fast as it goes */
    bool dry_run;
    bool terminal;
    uint64_t started_ms;
    uint64_t shown_ms;
    uint64_t sent_count;
    uint64_t acknowledged_count;
    uint64_t refused_count;  /* lines that never became a record */
    uint64_t partition_next; /* of records without a key */
};

static void complain(struct producing *producing, const char *sentence)
{
    if (producing->refused_count++ < COMPLAINTS_MAX) {
        (void)fprintf(stderr, "%s%s:%" PRIu64 ": error: ", producing->terminal ? "\r\033[K" : "",
                      producing->input_name, producing->reader.number);
        mr_text_write(stderr, mr_slice_text(sentence));
        (void)fputc('\n', stderr);
    }
}

/* The key of a JSON record (DESIGN 2.1 rule 5): one string is its UTF-8, else a compact array. */
static enum mr_status json_key(struct producing *producing, struct mr_value value,
                               struct mr_slice *key, struct mr_error *error)
{
    struct mr_batch batch;
    uint32_t slots[KEYS_MAX];
    struct mr_batch_shape shape = {.slots_count = producing->keys_count};
    mr_batch_init(&batch, &producing->batch_arena, shape, 1);
    batch.rows_count = 1;
    for (uint32_t index = 0; index < producing->keys_count; index++) {
        slots[index] = index;
        *mr_batch_column(&batch, index) = mr_path_walk(&producing->keys[index], 0, value);
    }
    if (mr_batch_key(&batch, slots, producing->keys_count, 0, key) == MR_OK)
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                   "the record has no key: '%s'%s is missing, null or not a plain value",
                   producing->keys[0].text,
                   producing->keys_count > 1 ? " or another of --key" : "");
}

/* What a line becomes: record->key and value, in the batch's arena. */
static enum mr_status make_record(struct producing *producing, struct mr_slice line,
                                  struct mr_log_record *record, struct mr_error *error)
{
    struct mr_slice text = mr_arena_copy(&producing->batch_arena, line);
    record->value = text;
    record->key_null = true;
    if (producing->format == FORMAT_JSON) {
        struct mr_value value;
        enum mr_status status = mr_json_parse(text, NULL, &producing->batch_arena, &value, error);
        if (status == MR_OK && producing->keys_count > 0) {
            status = json_key(producing, value, &record->key, error);
            record->key_null = false;
        }
        return status;
    }
    if (producing->separator.size == 0)
        return MR_OK;
    const uint8_t *found = text.size == 0 ? NULL
                                          : memmem(text.data, text.size, producing->separator.data,
                                                   producing->separator.size);
    if (found == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "the line holds no key separator '%.20s'",
                       (const char *)producing->separator.data);
    const uint8_t *behind = found + producing->separator.size;
    record->key_null = false;
    record->key = mr_slice_from(text.data, (size_t)(found - text.data));
    record->value = mr_slice_from(behind, (size_t)(text.data + text.size - behind));
    return MR_OK;
}

static void take_line(struct producing *producing, struct mr_slice line)
{
    struct mr_error error;
    struct mr_log_record *record = &producing->records[producing->records_count];
    int64_t *offset = &producing->offsets[producing->records_count];
    if (line.size == 0)
        return;
    *offset = -1;
    *record = (struct mr_log_record){
        .topic = producing->topic_name, .timestamp_ms = -1, .offset = offset};
    if (make_record(producing, line, record, &error) != MR_OK) {
        complain(producing, error.message);
        return;
    }
    size_t size = record->key.size + record->value.size;
    if (size + RECORD_OVERHEAD_BYTES > (uint64_t)producing->topic.message_bytes_max) {
        complain(producing, "the record is larger than the topic takes (max.message.bytes)");
        return;
    }
    record->partition =
        record->key_null
            ? (int32_t)(producing->partition_next++ % (uint64_t)producing->topic.partitions_count)
            : mr_hash_partition(record->key, producing->topic.partitions_count);
    producing->records_count++;
    producing->batch_bytes += size;
}

/* Gather lines until the batch is full or nothing comes. MR_END behind the last line. */
static enum mr_status gather(struct producing *producing, struct mr_error *error)
{
    producing->records_count = 0;
    producing->batch_bytes = 0;
    mr_arena_reset(&producing->batch_arena);
    while (producing->records_count < producing->records_max &&
           producing->batch_bytes < BATCH_BYTES_MAX && !mr_stop_signalled()) {
        struct mr_slice line;
        int wait_ms = producing->records_count == 0 ? -1 : IDLE_MS;
        enum mr_status status = mr_line_reader_next(&producing->reader, wait_ms, &line, error);
        if (status == MR_OK)
            take_line(producing, line);
        else if (status == MR_LIMIT)
            complain(producing, "the line is longer than 16 MiB");
        else
            return status == MR_AGAIN ? MR_OK : status;
    }
    return mr_stop_signalled() ? MR_END : MR_OK;
}

static enum mr_status write_batch(struct producing *producing, struct mr_error *error)
{
    const struct mr_log_ops *ops = producing->access.log->ops;
    enum mr_status status = MR_OK;
    if (producing->records_count == 0)
        return MR_OK;
    if (producing->dry_run) {
        producing->sent_count += producing->records_count;
        return MR_OK;
    }
    status = ops->producer_send(producing->producer, producing->records, producing->records_count,
                                error);
    if (status == MR_OK)
        status = ops->producer_flush(producing->producer, error);
    if (status != MR_OK) {
        ops->producer_destroy(producing->producer); /* its last reports have come now */
        producing->producer = NULL;
    }
    producing->sent_count += producing->records_count;
    for (uint32_t index = 0; index < producing->records_count; index++)
        producing->acknowledged_count += producing->offsets[index] >= 0;
    return status;
}

static void pace(const struct producing *producing)
{
    if (producing->rate <= 0)
        return;
    double due_ms = (double)producing->sent_count * 1000.0 / producing->rate;
    double now_ms = (double)(mr_clock_monotonic_ms() - producing->started_ms);
    while (due_ms > now_ms && !mr_stop_signalled()) {
        mr_clock_sleep_ms(due_ms - now_ms > 100 ? 100 : (uint32_t)(due_ms - now_ms) + 1);
        now_ms = (double)(mr_clock_monotonic_ms() - producing->started_ms);
    }
}

static void show_progress(struct producing *producing)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (!producing->terminal || now_ms - producing->shown_ms < PROGRESS_MS)
        return;
    producing->shown_ms = now_ms;
    (void)fprintf(stderr, "\r\033[K%" PRIu64 " acknowledged, %" PRIu64 " refused",
                  producing->acknowledged_count, producing->refused_count);
}

static enum mr_exit finish(struct producing *producing, enum mr_output output, enum mr_exit code)
{
    struct mr_arena *arena = &producing->access.arena;
    uint64_t lost = producing->dry_run ? 0 : producing->sent_count - producing->acknowledged_count;
    if (producing->terminal)
        (void)fputs("\r\033[K", stderr);
    if (producing->refused_count > COMPLAINTS_MAX)
        (void)fprintf(stderr, "millrace: and %" PRIu64 " more lines were refused\n",
                      producing->refused_count - COMPLAINTS_MAX);
    if (output == MR_OUTPUT_JSON)
        printf("{\"topic\":\"%s\",\"lines\":%" PRIu64 ",\"records\":%" PRIu64
               ",\"acknowledged\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"not_acknowledged\":%" PRIu64
               ",\"dry_run\":%s}\n",
               producing->topic_name, producing->reader.number, producing->sent_count,
               producing->acknowledged_count, producing->refused_count, lost,
               producing->dry_run ? "true" : "false");
    else if (producing->dry_run)
        printf("%s: %s would be written, %s refused\n", producing->topic_name,
               mr_text_plural(arena, (int64_t)producing->sent_count, "record"),
               mr_text_plural(arena, (int64_t)producing->refused_count, "line"));
    else
        printf("%s: %s acknowledged, %s refused%s\n", producing->topic_name,
               mr_text_plural(arena, (int64_t)producing->acknowledged_count, "record"),
               mr_text_plural(arena, (int64_t)producing->refused_count, "line"),
               lost > 0 ? "; others were sent and not acknowledged" : "");
    if (code == MR_EXIT_FINE && (producing->refused_count > 0 || lost > 0))
        code = MR_EXIT_WRONG;
    return code;
}

static enum mr_exit produce_all(struct producing *producing)
{
    struct mr_error error;
    enum mr_status more = MR_OK;
    while (more == MR_OK) {
        more = gather(producing, &error);
        if (more != MR_OK && more != MR_END) {
            (void)fprintf(stderr, "millrace: %s: %s\n", producing->input_name, error.message);
            return MR_EXIT_USAGE;
        }
        enum mr_status status = write_batch(producing, &error);
        if (status != MR_OK)
            return mr_kafka_access_failure(&producing->access, producing->topic_name, &error);
        show_progress(producing);
        pace(producing);
    }
    return MR_EXIT_FINE;
}

static enum mr_exit wrong_use(const char *sentence)
{
    (void)fprintf(stderr, "millrace: %s; see `millrace help produce`\n", sentence);
    return MR_EXIT_USAGE;
}

static enum mr_exit read_flags(struct producing *producing, const struct mr_arguments *arguments)
{
    struct mr_error error;
    const struct mr_flag_value *keys = mr_arguments_flag(arguments, "key");
    const struct mr_flag_value *format = mr_arguments_flag(arguments, "format");
    bool separator = mr_arguments_given(arguments, "key-separator");
    producing->format = format->count > 0 ? (enum line_format)format->integer
                        : keys->count > 0 ? FORMAT_JSON
                                          : FORMAT_RAW;
    if (keys->count > 0 && separator)
        return wrong_use("--key and --key-separator exclude each other");
    if (keys->count > 0 && producing->format == FORMAT_RAW)
        return wrong_use("--key is a path of JSON records; raw lines take --key-separator");
    if (separator && producing->format == FORMAT_JSON)
        return wrong_use("--key-separator is for raw lines; JSON records take --key");
    if (keys->count > KEYS_MAX)
        return wrong_use("--key can be given 16 times at most");
    for (uint32_t index = 0; index < keys->count; index++)
        if (mr_path_parse(&producing->access.arena, keys->texts[index], &producing->keys[index],
                          &error) != MR_OK) {
            (void)fprintf(stderr, "millrace: --key '%s': %s\n", keys->texts[index], error.message);
            return MR_EXIT_USAGE;
        }
    producing->keys_count = keys->count;
    if (separator)
        producing->separator = mr_slice_text(mr_arguments_flag(arguments, "key-separator")->text);
    if (separator && producing->separator.size == 0)
        return wrong_use("--key-separator is empty");
    if (mr_arguments_given(arguments, "rate") &&
        (!mr_option_parse_rate(mr_slice_text(mr_arguments_flag(arguments, "rate")->text),
                               &producing->rate) ||
         !(producing->rate > 0)))
        return wrong_use("--rate: expected a rate such as 1000/s");
    double batch = producing->rate / RATE_BATCHES_PER_S;
    producing->records_max = batch < 1                   ? 1
                             : batch > BATCH_RECORDS_MAX ? BATCH_RECORDS_MAX
                                                         : (uint32_t)batch;
    if (producing->rate <= 0)
        producing->records_max = BATCH_RECORDS_MAX;
    producing->dry_run = mr_arguments_given(arguments, "dry-run");
    return MR_EXIT_FINE;
}

static enum mr_exit open_all(struct producing *producing, const struct mr_arguments *arguments)
{
    struct mr_error error;
    enum mr_exit code = mr_kafka_access_open(&producing->access, arguments, "millrace-produce");
    if (code == MR_EXIT_FINE)
        code = read_flags(producing, arguments);
    if (code != MR_EXIT_FINE)
        return code;
    const char *path = arguments->operands_count > 1 ? arguments->operands[1] : "-";
    int descriptor = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        (void)fprintf(stderr, "millrace: cannot open '%s': %s\n", path, strerror(errno));
        return MR_EXIT_USAGE;
    }
    producing->input_name = descriptor == STDIN_FILENO ? "standard input" : path;
    producing->reader.descriptor = descriptor;
    code = mr_kafka_access_topic(&producing->access, producing->topic_name, &producing->topic);
    if (code != MR_EXIT_FINE || producing->dry_run)
        return code;
    static const char message_ms[] = "30000";
    static const char *const settings[] = {"message.timeout.ms", message_ms, NULL};
    struct mr_log_producer_options options = {
        .batch_bytes_max = (uint64_t)producing->topic.message_bytes_max, .settings = settings};
    struct mr_log *log = producing->access.log;
    if (log->ops->producer_create(log, &options, MESSAGE_MS, &producing->producer, &error) != MR_OK)
        return mr_kafka_access_failure(&producing->access, producing->topic_name, &error);
    return MR_EXIT_FINE;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    enum { ARENA_CHUNK_BYTES = 1 << 20 };
    struct producing *producing = mr_memory_new(1, sizeof *producing);
    producing->topic_name = arguments->operands[0];
    producing->terminal = isatty(STDERR_FILENO) == 1 && isatty(STDIN_FILENO) == 0;
    producing->records = mr_memory_new(BATCH_RECORDS_MAX, sizeof *producing->records);
    producing->offsets = mr_memory_new(BATCH_RECORDS_MAX, sizeof *producing->offsets);
    mr_arena_init(&producing->batch_arena, ARENA_CHUNK_BYTES);
    mr_line_reader_init(&producing->reader, -1, LINE_BYTES_MAX);
    enum mr_exit code = open_all(producing, arguments);
    if (code == MR_EXIT_FINE) {
        mr_catch_stop_signals();
        producing->started_ms = mr_clock_monotonic_ms();
        code = produce_all(producing);
        code = finish(producing, (enum mr_output)mr_arguments_flag(arguments, "output")->integer,
                      code);
    }
    if (producing->producer != NULL)
        producing->access.log->ops->producer_destroy(producing->producer);
    if (producing->reader.descriptor > STDIN_FILENO)
        (void)close(producing->reader.descriptor);
    mr_line_reader_deinit(&producing->reader);
    mr_arena_deinit(&producing->batch_arena);
    mr_kafka_access_close(&producing->access);
    mr_memory_free(producing->offsets);
    mr_memory_free(producing->records);
    mr_memory_free(producing);
    return code;
}

static const struct mr_flag flags[] = {
    {.name = "format",
     .letter = 'f',
     .kind = MR_FLAG_CHOICE,
     .value = "FORMAT",
     .choices = format_names,
     .help = "Lines are `raw` bytes (the default) or `json`, which is checked."},
    {.name = "key",
     .letter = 'k',
     .kind = MR_FLAG_TEXTS,
     .value = "PATH",
     .help = "The key is this field of the JSON record; more than one make an array."},
    {.name = "key-separator",
     .kind = MR_FLAG_TEXT,
     .value = "TEXT",
     .help = "A raw line is KEY, this text, VALUE."},
    {.name = "rate",
     .kind = MR_FLAG_TEXT,
     .value = "RATE",
     .help = "At most so many records, such as 1000/s."},
    {.name = "dry-run", .kind = MR_FLAG_SWITCH, .help = "Check the lines, write nothing."},
    MR_FLAG_OUTPUT,
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    {.name = NULL}};

const struct mr_command mr_command_produce = {
    .name = "produce",
    .operands = "TOPIC [FILE]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "Write lines of a file or of standard input to a Kafka topic.",
    .description = "Empty lines are left out. A record with a key goes where every other client "
                   "puts it (murmur2), one\nwithout goes to the partitions in turn. Exit code 1 "
                   "when a line was refused or a record was not\nacknowledged; the others are "
                   "written all the same.",
    .flags = flags,
    .run = run};
