/* cli/report_read.c — see report_read.h. */
#include "cli/report_read.h"

#include "base/limits.h"
#include "cli/kafka_access.h"
#include "cli/line_reader.h"
#include "cli/load.h"
#include "cli/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STALL_MS = 15000, LINE_BYTES_MAX = 16 << 20 };

/* ---- The topology ---- */

/* A stored definition is whole: no value comes from this environment. */
static enum mr_exit plan_definition(const char *name, const char *definition,
                                    struct mr_arena *arena, const struct mr_catalogue *catalogue,
                                    struct mr_plan **plan)
{
    struct mr_report report;
    mr_report_init(&report, arena, name);
    mr_topology_parse(mr_slice_text(mr_arena_copy_text(arena, definition)), catalogue, NULL, arena,
                      &report, plan);
    if (*plan != NULL)
        return MR_EXIT_FINE;
    mr_load_print_findings(&report);
    return MR_EXIT_WRONG;
}

static enum mr_exit fetch(struct mr_server *server, const char *name, struct mr_arena *arena,
                          const struct mr_catalogue *catalogue, struct mr_plan **plan)
{
    struct mr_answer answer;
    const char *path =
        mr_arena_format(&server->arena, "/v1/topologies/%s", mr_server_part(server, name));
    enum mr_exit code = mr_server_get(server, path, &answer);
    if (code != MR_EXIT_FINE)
        return code;
    int64_t version = mr_json_integer(answer.json, "version", 0);
    mr_answer_free(&answer);
    path = mr_arena_format(&server->arena, "%s/versions/%" PRId64, path, version);
    code = mr_server_get(server, path, &answer);
    if (code != MR_EXIT_FINE)
        return code;
    const char *definition = mr_json_text(answer.json, "definition");
    if (definition != NULL) {
        code = plan_definition(name, definition, arena, catalogue, plan);
    } else {
        (void)fprintf(stderr, "millrace: the cluster holds no definition of '%s'\n", name);
        code = MR_EXIT_WRONG;
    }
    mr_answer_free(&answer);
    return code;
}

enum mr_exit mr_report_fetch(const struct mr_arguments *arguments, struct mr_arena *arena,
                             const struct mr_catalogue *catalogue, struct mr_plan **plan)
{
    struct mr_server server;
    enum mr_exit code = mr_server_open(&server, arguments);
    if (code == MR_EXIT_FINE)
        code =
            fetch(&server, mr_arguments_flag(arguments, "topology")->text, arena, catalogue, plan);
    mr_server_close(&server);
    return code;
}

/* ---- The topic ---- */

/* The sink that writes every point of the chart as it is. */
static const struct mr_plan_node *find_sink(const struct mr_plan *plan,
                                            const struct mr_plan_node *chart)
{
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        const struct mr_plan_node *node = &plan->nodes[index];
        if (node->type->role == MR_ROLE_SINK && strcmp(node->type->name, "kafka") == 0 &&
            node->inputs[0].producer == chart->index && node->inputs[0].output == 0 &&
            node->where == NULL && node->topic_from == NULL && strcmp(node->format, "json") == 0)
            return node;
    }
    return NULL;
}

struct reading {
    struct mr_series *series;
    int32_t partition;
    int32_t found_in; /* -1: nothing yet */
    bool is_scattered;
};

static enum mr_status take_message(void *argument, const struct mr_log_message *message,
                                   struct mr_error *error)
{
    struct reading *reading = argument;
    struct mr_series *series = reading->series;
    uint64_t taken = series->taken;
    (void)error;
    mr_series_add(series, message->value, message->timestamp_ms);
    if (series->taken == taken)
        return MR_OK;
    reading->is_scattered = reading->is_scattered ||
                            (reading->found_in >= 0 && reading->found_in != reading->partition);
    reading->found_in = reading->partition;
    return MR_OK;
}

static enum mr_exit read_partitions(struct mr_kafka_access *access, const char *topic,
                                    const char *sink, struct mr_series *series)
{
    struct mr_log_topic described;
    struct reading reading = {.series = series, .found_in = -1};
    enum mr_exit code = mr_kafka_access_topic(access, topic, &described);
    if (code != MR_EXIT_FINE)
        return code;
    for (; reading.partition < described.partitions_count; reading.partition++) {
        struct mr_error error;
        int64_t end;
        enum mr_status status =
            mr_log_read_to_end(access->log, topic, reading.partition, MR_LOG_OFFSET_EARLIEST,
                               take_message, &reading, STALL_MS, &end, &error);
        if (status != MR_OK)
            return mr_kafka_access_failure(access, topic, &error);
    }
    if (!reading.is_scattered)
        return MR_EXIT_FINE;
    (void)fprintf(stderr,
                  "millrace: the points of the key are in more than one partition of %s, so their "
                  "order is not known: give the sink '%s' the chart's `key`\n",
                  topic, sink);
    return MR_EXIT_WRONG;
}

enum mr_exit mr_report_read_topic(const struct mr_arguments *arguments, const struct mr_plan *plan,
                                  const struct mr_plan_node *chart, struct mr_series *series,
                                  const char **where)
{
    const struct mr_plan_node *sink = find_sink(plan, chart);
    if (sink == NULL) {
        (void)fprintf(stderr,
                      "millrace: no sink of %s takes every point of '%s' into a topic as JSON; add "
                      "one: {name: points, type: kafka, from: %s, topic: ...}, without `where`\n",
                      plan->name, chart->name, chart->name);
        return MR_EXIT_WRONG;
    }
    *where = mr_options_text(&sink->options, "topic");
    struct mr_kafka_access access;
    enum mr_exit code = mr_kafka_access_open(&access, arguments, "millrace-report");
    if (code == MR_EXIT_FINE)
        code = read_partitions(&access, *where, sink->name, series);
    mr_kafka_access_close(&access);
    return code;
}

/* ---- A file ---- */

static enum mr_exit read_lines(struct mr_line_reader *reader, const char *path,
                               struct mr_series *series)
{
    for (;;) {
        struct mr_slice line;
        struct mr_error error;
        enum mr_status status = mr_line_reader_next(reader, -1, &line, &error);
        if (status == MR_END)
            return MR_EXIT_FINE;
        if (status == MR_LIMIT) {
            (void)fprintf(stderr, "millrace: %s:%" PRIu64 ": the line is too long\n", path,
                          reader->number);
            return MR_EXIT_WRONG;
        }
        if (status == MR_OK)
            mr_series_add(series, line, INT64_MIN);
        else if (status != MR_AGAIN) {
            (void)fprintf(stderr, "millrace: %s: %s\n", path, error.message);
            return MR_EXIT_USAGE;
        }
    }
}

enum mr_exit mr_report_read_file(const char *path, struct mr_series *series)
{
    bool is_input = strcmp(path, "-") == 0;
    int descriptor = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        (void)fprintf(stderr, "millrace: %s cannot be read: %s\n", path, strerror(errno));
        return MR_EXIT_USAGE;
    }
    struct mr_line_reader reader;
    mr_line_reader_init(&reader, descriptor, LINE_BYTES_MAX);
    enum mr_exit code = read_lines(&reader, path, series);
    mr_line_reader_deinit(&reader);
    if (!is_input)
        (void)close(descriptor);
    return code;
}
