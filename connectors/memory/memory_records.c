/* connectors/memory/memory_records.c — the source `memory`: records written in the topology itself.
 * Why: a topology can be shown and tested without anything around it.
 * Model: position = index of the record among all repeats. With several partitions, record i
 * belongs to partition i modulo their number, and positions count within the partition. */
#include "base/assert.h"
#include "connectors/registry.h"

struct memory_source {
    const struct mr_option_value *records;
    int64_t count; /* records of this partition, all repeats together */
    int64_t delay_ms;
    int32_t partition;
    int32_t partitions_count;
    int64_t position;
    int64_t paced_from; /* the position that was due at paced_ms */
    int64_t paced_ms;
    bool paced;
};

static enum mr_status memory_open(void *self, const struct mr_connector_open *open,
                                  int64_t position, struct mr_error *error)
{
    struct memory_source *source = self;
    source->records = mr_options_get(open->options, "records");
    int64_t repeat = mr_options_integer(open->options, "repeat");
    int64_t total = (int64_t)source->records->count * repeat;
    source->partition = open->partition;
    source->partitions_count = open->partitions_count > 0 ? open->partitions_count : 1;
    source->count =
        (total - open->partition + source->partitions_count - 1) / source->partitions_count;
    if (source->count < 0)
        source->count = 0;
    source->delay_ms = mr_options_integer(open->options, "delay");
    if (position < 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Source '%s' cannot start at position %lld.", open->name,
                       (long long)position);
    source->position = position;
    return MR_OK;
}

/* How many records are due now; they keep their pace when a poll comes late. */
static int64_t due_count(struct memory_source *source, int64_t now_wall_ms, int64_t *due_ms)
{
    int64_t left = source->count - source->position;
    if (source->delay_ms == 0)
        return left;
    if (!source->paced) {
        source->paced = true;
        source->paced_from = source->position;
        source->paced_ms = now_wall_ms;
    }
    int64_t passed_ms = now_wall_ms < source->paced_ms ? 0 : now_wall_ms - source->paced_ms;
    int64_t due = source->paced_from + passed_ms / source->delay_ms + 1 - source->position;
    *due_ms = source->paced_ms + (source->position - source->paced_from) * source->delay_ms;
    return due < left ? due : left;
}

static enum mr_status memory_poll(void *self, struct mr_arena *arena, uint32_t messages_max,
                                  int64_t now_wall_ms, struct mr_log_message **messages,
                                  uint32_t *messages_count, int64_t *next_position, int64_t *due_ms,
                                  struct mr_error *error)
{
    MR_UNUSED(error);
    struct memory_source *source = self;
    *messages_count = 0;
    *next_position = source->position;
    *due_ms = 0;
    if (source->position >= source->count)
        return MR_END;
    int64_t due = due_count(source, now_wall_ms, due_ms);
    if (due <= 0)
        return MR_AGAIN;
    uint32_t count = due < messages_max ? (uint32_t)due : messages_max;
    struct mr_log_message *list = mr_arena_new(arena, count, sizeof(*list));
    for (uint32_t i = 0; i < count; i++) {
        int64_t index = source->position * source->partitions_count + source->partition;
        list[i].event = MR_LOG_RECORD;
        list[i].offset = source->position++;
        list[i].timestamp_ms = now_wall_ms;
        list[i].key_null = true;
        list[i].value = mr_slice_text(source->records->texts[index % source->records->count]);
    }
    *messages = list;
    *messages_count = count;
    *next_position = source->position;
    return MR_OK;
}

static int64_t memory_end_position(void *self)
{
    const struct memory_source *source = self;
    return source->count;
}

static void memory_close(void *self)
{
    MR_UNUSED(self);
}

static const struct mr_option_spec memory_options[] = {
    {.name = "records",
     .type = MR_OPTION_RECORDS,
     .flags = MR_OPTION_REQUIRED,
     .help = "The records, in order."},
    {.name = "delay",
     .type = MR_OPTION_DURATION,
     .default_text = "0ms",
     .minimum = 0,
     .maximum = 86400000,
     .help = "Time between two records; 0ms hands all out at once."},
    {.name = "repeat",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 1,
     .maximum = 1e9,
     .help = "How often the list is gone through."},
    {.name = NULL},
};

static const struct mr_output_spec memory_outputs[] = {
    {.name = "main", .help = "The records."},
};

static const struct mr_type_spec memory_spec = {
    .name = "memory",
    .role = MR_ROLE_SOURCE,
    .summary = "Records written in the topology itself.",
    .description =
        "Hands out the records of its option `records`, once or `repeat` times, and ends.\n\n"
        "For examples, demonstrations and tests. Records carry no key; their timestamp is the time "
        "at which they are handed out. For data of more than a few hundred records use `file`.",
    .options = memory_options,
    .outputs = memory_outputs,
    .outputs_count = 1,
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
};

static const struct mr_source_ops memory_ops = {
    .instance_size = sizeof(struct memory_source),
    .open = memory_open,
    .poll = memory_poll,
    .end_position = memory_end_position,
    .close = memory_close,
};

const struct mr_connector_type mr_connector_memory = {.source_spec = &memory_spec,
                                                      .source = &memory_ops};
