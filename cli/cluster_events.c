/* cli/cluster_events.c — `millrace events`: what happens in the cluster, as it happens. */
#include "cli/listen.h"

struct following {
    struct mr_server *server;
    const char *name; /* of a topology or worker; NULL: all */
    uint64_t left_count;
};

static const char *member(const json_t *event, const char *name)
{
    const char *text = mr_json_text(event, name);
    return text == NULL ? "" : text;
}

static bool take_event(void *argument, const char *kind, struct mr_slice data)
{
    struct following *following = argument;
    json_t *event = json_loadb((const char *)data.data, data.size, 0, NULL);
    (void)kind;
    if (event == NULL ||
        (following->name != NULL && strcmp(member(event, "name"), following->name) != 0)) {
        json_decref(event);
        return true;
    }
    if (following->server->json) {
        (void)fwrite(data.data, 1, data.size, stdout);
    } else {
        static const char *const names[] = {"time", "event", "name"};
        for (size_t index = 0; index < sizeof names / sizeof names[0]; index++) {
            mr_text_write(stdout, mr_slice_text(member(event, names[index])));
            (void)fputs("  ", stdout);
        }
        mr_text_write(stdout, mr_slice_text(member(event, "text")));
    }
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
    json_decref(event);
    return --following->left_count > 0;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    struct mr_server server;
    struct following following = {.server = &server,
                                  .name =
                                      arguments->operands_count > 0 ? arguments->operands[0] : NULL,
                                  .left_count = UINT64_MAX};
    if (mr_arguments_given(arguments, "count"))
        following.left_count = (uint64_t)mr_arguments_flag(arguments, "count")->integer;
    enum mr_exit code = mr_server_open(&server, arguments);
    if (code == MR_EXIT_FINE)
        code = mr_listen(&server, "/v1/events", take_event, &following);
    mr_server_close(&server);
    return code;
}

static const struct mr_flag flags[] = {{.name = "count",
                                        .letter = 'n',
                                        .kind = MR_FLAG_INTEGER,
                                        .value = "N",
                                        .minimum = 1,
                                        .maximum = INT64_MAX,
                                        .help = "End after N events."},
                                       MR_FLAG_OUTPUT,
                                       MR_FLAGS_SERVER,
                                       {.name = NULL}};

const struct mr_command mr_command_events = {
    .name = "events",
    .operands = "[NAME]",
    .operands_max = 1,
    .summary = "Follow what happens in the cluster: assignments, workers, versions.",
    .description = "Events are told from now on, of all or of one topology or worker. With `-o "
                   "json` one object a line.",
    .flags = flags,
    .run = run};
