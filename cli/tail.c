/* cli/tail.c — `millrace tail`: a topic's records from Kafka, or an operator's rows as they pass.
 * The tap: the coordinator forwards the subscription to the workers that run the operator, and
 * ends it with the connection, so that it costs nothing when nobody looks. It shows rows before
 * they are committed, may leave rows out, and never slows the topology down. */
#include "cli/tail.h"

#include "cli/listen.h"

#include <stdio.h>

struct tapping {
    uint64_t left_count;
};

static bool take_row(void *argument, const char *event, struct mr_slice data)
{
    struct tapping *tapping = argument;
    (void)event;
    if (tapping->left_count == 0)
        return false;
    (void)fwrite(data.data, 1, data.size, stdout);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
    return --tapping->left_count > 0;
}

enum mr_exit mr_tail_operator(const struct mr_arguments *arguments)
{
    struct mr_server server;
    struct tapping tapping = {.left_count = UINT64_MAX};
    if (mr_arguments_given(arguments, "count"))
        tapping.left_count = (uint64_t)mr_arguments_flag(arguments, "count")->integer;
    if (mr_arguments_given(arguments, "from")) {
        (void)fputs("millrace: --from is for a topic; an operator's rows are seen as they pass\n",
                    stderr);
        return MR_EXIT_USAGE;
    }
    enum mr_exit code = mr_server_open(&server, arguments);
    if (code == MR_EXIT_FINE) {
        const char *path = mr_arena_format(&server.arena, "/v1/taps/%s/%s",
                                           mr_server_part(&server, arguments->operands[0]),
                                           mr_server_part(&server, arguments->operands[1]));
        code = mr_listen(&server, path, take_row, &tapping);
    }
    mr_server_close(&server);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    return arguments->operands_count == 1 ? mr_tail_topic(arguments) : mr_tail_operator(arguments);
}

static const struct mr_flag flags[] = {
    {.name = "from",
     .kind = MR_FLAG_TEXT,
     .value = "WHERE",
     .help = "earliest, latest, an offset, -N (the last N of each partition) or a time."},
    {.name = "count",
     .letter = 'n',
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = INT64_MAX,
     .help = "End after N records."},
    {.name = "follow", .letter = 'f', .kind = MR_FLAG_SWITCH, .help = "Wait for more records."},
    MR_FLAG_OUTPUT,
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    MR_FLAGS_SERVER,
    {.name = NULL}};

const struct mr_command mr_command_tail = {
    .name = "tail",
    .operands = "TOPIC | TOPOLOGY OPERATOR",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "Print a topic's committed records, or an operator's rows as they pass.",
    .description =
        "TOPIC is read from Kafka (--brokers): one JSON object a line, or with `-o text` the bare "
        "values. Without\n--from it is the last 10 records of each partition, with --follow what "
        "comes from now on. Records of one\npartition stay in order, partitions are mixed.\n"
        "TOPOLOGY OPERATOR is a live tap through the cluster (--server): rows as the operator "
        "gives them, before\nthey are committed; rows are left out when they come faster than they "
        "are read. It ends with the command.",
    .flags = flags,
    .run = run};
