/* connectors/metrics/metrics_source.c — the source `metrics`: the engine's own operators as a
 * stream. Why: a topology can watch other topologies with the same detectors as any data. Model: at
 * each multiple of `every` on the wall clock, one record per (topology, operator) of this process,
 * in name order. in, out, dropped, late and dead count since the record before; the first record of
 * an operator counts since it started. Latencies are quantiles of the time per batch since the
 * operator started, of its slowest task. Position: how many records were made; a record that was
 * not committed when the process ended is not made again, since its moment has passed.
 * An interval's records are made at once and handed out over as many polls as needed. */
#include "base/assert.h"
#include "base/engine_metrics.h"
#include "base/memory.h"
#include "connectors/registry.h"

#include <inttypes.h>

enum { COUNTS = 5, LINES_BYTES_MAX = 16 << 20, SERIES_MAX = 100000 };

static const enum mr_engine_metric counters[COUNTS] = {
    MR_ENGINE_OPERATOR_IN, MR_ENGINE_OPERATOR_OUT, MR_ENGINE_OPERATOR_DROPPED,
    MR_ENGINE_OPERATOR_LATE, MR_ENGINE_OPERATOR_DEAD_LETTERS};
static const char *const counter_names[COUNTS] = {"in", "out", "dropped", "late", "dead"};

/* One operator; kept between intervals for the differences. */
struct watched {
    char *topology;
    char *operator_name;
    bool present; /* in this interval */
    uint64_t counts[COUNTS];
    uint64_t counts_before[COUNTS];
    double latency_p50;
    double latency_p99;
};

struct metrics_source {
    struct mr_metrics *metrics;
    int64_t every_ms;
    bool idle; /* another partition than the first */
    int64_t position;
    int64_t due_ms;
    struct watched *watched;
    uint32_t watched_count;
    struct mr_buffer lines; /* of the interval; ended by NUL bytes */
    size_t lines_used;
    int64_t lines_ms;
};

static enum mr_status metrics_open(void *self, const struct mr_connector_open *open,
                                   int64_t position, struct mr_error *error)
{
    MR_UNUSED(error);
    struct metrics_source *source = self;
    MR_ASSERT(open->metrics != NULL);
    source->metrics = open->metrics;
    source->every_ms = mr_options_integer(open->options, "every");
    source->idle = open->partition > 0;
    source->position = position;
    mr_buffer_init(&source->lines, LINES_BYTES_MAX);
    return MR_OK;
}

static void forget(struct metrics_source *source, uint32_t index)
{
    mr_memory_free(source->watched[index].topology);
    mr_memory_free(source->watched[index].operator_name);
    source->watched_count--;
    memmove(&source->watched[index], &source->watched[index + 1],
            (source->watched_count - index) * sizeof(struct watched));
}

static void metrics_close(void *self)
{
    struct metrics_source *source = self;
    while (source->watched_count > 0)
        forget(source, source->watched_count - 1);
    mr_memory_free(source->watched);
    source->watched = NULL;
    mr_buffer_deinit(&source->lines);
}

/* ---- Look at the registry ---- */

/* The place of an operator in the sorted list; it is added when it is new. NULL: there are too
 * many. */
static struct watched *watched_find(struct metrics_source *source, const char *topology,
                                    const char *operator_name)
{
    uint32_t low = 0;
    uint32_t high = source->watched_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct watched *here = &source->watched[middle];
        int order = strcmp(here->topology, topology);
        if (order == 0)
            order = strcmp(here->operator_name, operator_name);
        if (order == 0)
            return here;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (source->watched_count == SERIES_MAX)
        return NULL;
    source->watched =
        mr_memory_resize(source->watched, (source->watched_count + 1u) * sizeof(struct watched));
    memmove(&source->watched[low + 1], &source->watched[low],
            (source->watched_count - low) * sizeof(struct watched));
    source->watched_count++;
    struct watched *added = &source->watched[low];
    memset(added, 0, sizeof(*added));
    added->topology = mr_memory_copy_text(topology);
    added->operator_name = mr_memory_copy_text(operator_name);
    return added;
}

/* Several tasks have a series each for the same operator. */
static void visit(void *argument, const struct mr_metric_view *view)
{
    struct metrics_source *source = argument;
    const char *name = view->spec->name;
    uint32_t counter = 0;
    while (counter < COUNTS && strcmp(name, mr_engine_metric(counters[counter])->name) != 0)
        counter++;
    bool latency = strcmp(name, mr_engine_metric(MR_ENGINE_OPERATOR_BATCH_DURATION)->name) == 0;
    if (counter == COUNTS && !latency)
        return;
    struct watched *watched = watched_find(source, view->label_values[0], view->label_values[1]);
    if (watched == NULL)
        return;
    watched->present = true;
    if (!latency) {
        watched->counts[counter] += mr_metric_count(view->metric);
        return;
    }
    double p50 = mr_metric_quantile(view->metric, 0.5);
    double p99 = mr_metric_quantile(view->metric, 0.99);
    watched->latency_p50 = p50 > watched->latency_p50 ? p50 : watched->latency_p50;
    watched->latency_p99 = p99 > watched->latency_p99 ? p99 : watched->latency_p99;
}

/* Names are [a-z][a-z0-9-]*, so they need no escapes. */
static enum mr_status append_line(struct metrics_source *source, struct watched *watched)
{
    struct mr_buffer *lines = &source->lines;
    size_t before = lines->size;
    enum mr_status status =
        mr_buffer_append_format(lines, "{\"topology\":\"%s\",\"operator\":\"%s\",\"time\":%" PRId64,
                                watched->topology, watched->operator_name, source->lines_ms);
    for (uint32_t i = 0; i < COUNTS && status == MR_OK; i++) {
        /* A task that left took its series along. */
        uint64_t count = watched->counts[i] < watched->counts_before[i]
                             ? watched->counts[i]
                             : watched->counts[i] - watched->counts_before[i];
        status = mr_buffer_append_format(lines, ",\"%s\":%" PRIu64, counter_names[i], count);
    }
    if (status == MR_OK)
        status = mr_buffer_append_format(lines, ",\"latency_p50_us\":%.0f,\"latency_p99_us\":%.0f}",
                                         watched->latency_p50, watched->latency_p99);
    if (status == MR_OK)
        status = mr_buffer_append(lines, "", 1);
    if (status != MR_OK)
        lines->size = before;
    return status;
}

/* Make the interval's records. */
static void make_lines(struct metrics_source *source, int64_t now_wall_ms)
{
    mr_buffer_clear(&source->lines);
    source->lines_used = 0;
    source->lines_ms = now_wall_ms - now_wall_ms % source->every_ms;
    for (uint32_t i = 0; i < source->watched_count; i++) {
        struct watched *watched = &source->watched[i];
        memcpy(watched->counts_before, watched->counts, sizeof(watched->counts));
        memset(watched->counts, 0, sizeof(watched->counts));
        watched->latency_p50 = watched->latency_p99 = 0;
        watched->present = false;
    }
    mr_metrics_visit(source->metrics, visit, source);
    for (uint32_t i = 0; i < source->watched_count;) {
        if (!source->watched[i].present) {
            forget(source, i);
            continue;
        }
        if (append_line(source, &source->watched[i]) != MR_OK)
            break;
        i++;
    }
}

/* ---- Poll ---- */

static enum mr_status metrics_poll(void *self, struct mr_arena *arena, uint32_t messages_max,
                                   int64_t now_wall_ms, struct mr_log_message **messages,
                                   uint32_t *messages_count, int64_t *next_position,
                                   int64_t *due_ms, struct mr_error *error)
{
    MR_UNUSED(error);
    struct metrics_source *source = self;
    *messages_count = 0;
    *next_position = source->position;
    *due_ms = 0;
    if (source->idle)
        return MR_AGAIN;
    if (source->lines_used == source->lines.size && now_wall_ms >= source->due_ms) {
        /* The first poll only finds out when the interval ends. */
        if (source->due_ms > 0)
            make_lines(source, now_wall_ms);
        source->due_ms = now_wall_ms - now_wall_ms % source->every_ms + source->every_ms;
    }
    if (source->lines_used == source->lines.size) {
        *due_ms = source->due_ms;
        return MR_AGAIN;
    }
    struct mr_log_message *list = mr_arena_new(arena, messages_max, sizeof(*list));
    uint32_t count = 0;
    for (; count < messages_max && source->lines_used < source->lines.size; count++) {
        struct mr_slice line = mr_slice_text((const char *)source->lines.data + source->lines_used);
        source->lines_used += line.size + 1;
        list[count].event = MR_LOG_RECORD;
        list[count].offset = source->position++;
        list[count].timestamp_ms = source->lines_ms;
        list[count].key_null = true;
        list[count].value = mr_arena_copy(arena, line);
    }
    *messages = list;
    *messages_count = count;
    *next_position = source->position;
    return MR_OK;
}

/* It never ends by itself. */
static int64_t metrics_end_position(void *self)
{
    MR_UNUSED(self);
    return -1;
}

/* ---- What the language knows of it ---- */

static const struct mr_option_spec metrics_options[] = {
    {.name = "every",
     .type = MR_OPTION_DURATION,
     .default_text = "10s",
     .minimum = 100,
     .maximum = 86400000,
     .help = "Time between two records of an operator."},
    {.name = NULL},
};

static const struct mr_output_field metrics_fields[] = {
    {.name = "topology", .type = MR_TYPE_STRING, .help = "The operator's topology."},
    {.name = "operator", .type = MR_TYPE_STRING, .help = "The operator's name."},
    {.name = "time", .type = MR_TYPE_INT, .help = "End of the interval in ms since the epoch."},
    {.name = "in", .type = MR_TYPE_INT, .help = "Records taken in the interval."},
    {.name = "out", .type = MR_TYPE_INT, .help = "Records emitted in the interval."},
    {.name = "dropped", .type = MR_TYPE_INT, .help = "Records dropped in the interval."},
    {.name = "late", .type = MR_TYPE_INT, .help = "Late records in the interval."},
    {.name = "dead", .type = MR_TYPE_INT, .help = "Dead letters in the interval."},
    {.name = "latency_p50_us",
     .type = MR_TYPE_INT,
     .help = "Median time per batch in microseconds, since the operator started."},
    {.name = "latency_p99_us",
     .type = MR_TYPE_INT,
     .help = "99th percentile of the time per batch in microseconds, since the operator started."},
};

static const struct mr_output_spec metrics_outputs[] = {
    {.name = "main",
     .help = "A record per operator and interval.",
     .fields = metrics_fields,
     .fields_count = (uint32_t)MR_ARRAY_COUNT(metrics_fields)},
};

static const struct mr_type_spec metrics_spec = {
    .name = "metrics",
    .role = MR_ROLE_SOURCE,
    .flags = MR_TYPE_RECORD_TYPED | MR_TYPE_WALL_CLOCK,
    .summary = "Metrics of the operators that run in the same process.",
    .description =
        "Every interval it yields one record per operator of each topology that runs in the same "
        "process, so that detectors can watch the engine itself.\n\n"
        "Every record is processed exactly once, but it is made from the clock: after a crash the "
        "intervals that were not committed are missing. On several workers each sees its own "
        "operators only; use the Prometheus endpoint for the whole cluster.",
    .options = metrics_options,
    .outputs = metrics_outputs,
    .outputs_count = 1,
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
};

static const struct mr_source_ops metrics_ops = {
    .instance_size = sizeof(struct metrics_source),
    .open = metrics_open,
    .poll = metrics_poll,
    .end_position = metrics_end_position,
    .close = metrics_close,
};

const struct mr_connector_type mr_connector_metrics = {.source_spec = &metrics_spec,
                                                       .source = &metrics_ops};
