/* cli/cluster_change.c — `millrace pause`, `resume`, `delete`, `reset`, `seek`, `rollback` and
 * `drain`: one request that changes something, and what the coordinator says of it.
 * What destroys (delete, reset) or repeats (seek) is asked for on a terminal. With --dry-run the
 * coordinator says what would happen. */
#include "cli/cluster.h"

#include "base/clock.h"

#include <inttypes.h>

/* Path with dry_run=1 where the user said so. */
static const char *maybe_dry(struct mr_server *server, const struct mr_arguments *arguments,
                             const char *path)
{
    return mr_arguments_given(arguments, "dry-run") ? mr_server_query(server, path, "dry_run", "1")
                                                    : path;
}

static void print_changed(struct mr_server *server, const json_t *changed, const char *what)
{
    const json_t *difference = json_object_get(changed, "difference");
    const char *name = mr_json_text(changed, "name");
    const char *message = mr_json_text(changed, "message");
    if (name == NULL)
        name = mr_json_text(changed, "worker");
    if (mr_json_text(changed, "state") != NULL)
        printf("%s\n", mr_cluster_text(server, changed, "state"));
    if (json_is_object(difference))
        mr_cluster_print_difference(server, difference);
    if (mr_json_boolean(changed, "dry_run")) {
        printf("would %s %s", what, name == NULL ? "?" : name);
        if (mr_json_text(changed, "seek") != NULL)
            printf(" to: %s", mr_cluster_text(server, changed, "seek"));
        if (json_is_integer(json_object_get(changed, "version")))
            printf(" to version %s", mr_cluster_count(server, changed, "version"));
        if (json_is_integer(json_object_get(changed, "tasks")))
            printf(" (%s)",
                   mr_text_plural(&server->arena, mr_json_integer(changed, "tasks", 0), "task"));
        if (json_is_integer(json_object_get(changed, "active_tasks")))
            printf(
                " (%s and %s move)",
                mr_text_plural(&server->arena, mr_json_integer(changed, "active_tasks", 0), "task"),
                mr_text_plural(&server->arena, mr_json_integer(changed, "standby_tasks", 0),
                               "standby"));
        puts("; nothing was done");
        return;
    }
    printf("%s: %s\n", name == NULL ? "?" : name,
           message == NULL || message[0] == '\0' ? "done"
                                                 : mr_cluster_text(server, changed, "message"));
}

/* Send, print. what: the verb of the dry run. */
static enum mr_exit change(struct mr_server *server, const struct mr_arguments *arguments,
                           const char *method, const char *path, struct mr_slice body,
                           const char *what)
{
    struct mr_answer answer;
    enum mr_exit code = mr_server_send(server, method, maybe_dry(server, arguments, path),
                                       body.size > 0 ? "application/json" : NULL, body, &answer);
    if (code != MR_EXIT_FINE)
        return code;
    if (answer.code < 200 || answer.code > 299)
        code = mr_server_refused(server, &answer, NULL);
    else if (server->json)
        mr_answer_print(&answer);
    else
        print_changed(server, answer.json, what);
    mr_answer_free(&answer);
    return code;
}

static enum mr_exit change_topology(struct mr_server *server, const struct mr_arguments *arguments,
                                    const char *method, const char *rest, const char *what)
{
    return change(server, arguments, method, mr_cluster_path(server, arguments->operands[0], rest),
                  (struct mr_slice){0}, what);
}

/* Wait for the topology to run, when the user said so. */
static enum mr_exit then_wait(struct mr_server *server, const struct mr_arguments *arguments,
                              enum mr_exit code)
{
    struct mr_cluster_wait wait;
    bool wanted = mr_cluster_wait_begin(&wait, arguments);
    if (code != MR_EXIT_FINE || !wanted || mr_arguments_given(arguments, "dry-run"))
        return code;
    return mr_cluster_wait_running(server, &wait, arguments->operands[0]);
}

/* ---- pause, resume ---- */

static const char *with_source(struct mr_server *server, const struct mr_arguments *arguments,
                               const char *rest)
{
    return mr_server_query(server, rest, "source", mr_arguments_flag(arguments, "source")->text);
}

static enum mr_exit pause_topology(struct mr_server *server, const struct mr_arguments *arguments)
{
    return change_topology(server, arguments, "POST", with_source(server, arguments, "/pause"),
                           "pause");
}

static enum mr_exit resume(struct mr_server *server, const struct mr_arguments *arguments)
{
    enum mr_exit code = change_topology(server, arguments, "POST",
                                        with_source(server, arguments, "/resume"), "resume");
    return then_wait(server, arguments, code);
}

/* ---- delete, reset ---- */

/* Until the topology is no longer there. */
static enum mr_exit wait_gone(struct mr_server *server, struct mr_cluster_wait *wait,
                              const char *name)
{
    const char *path = mr_cluster_path(server, name, "");
    do {
        struct mr_answer answer;
        enum mr_exit code =
            mr_server_send(server, "GET", path, NULL, (struct mr_slice){0}, &answer);
        if (code != MR_EXIT_FINE)
            continue;
        bool gone = answer.code == 404;
        mr_answer_free(&answer);
        mr_cluster_wait_show(
            wait, mr_arena_format(&server->reply_arena, "%s: its tasks and topics go", name));
        if (gone) {
            mr_cluster_wait_end(wait);
            if (!server->json)
                printf("%s is gone\n", name);
            return MR_EXIT_FINE;
        }
    } while (mr_cluster_wait_more(wait, "the topology is still there"));
    return MR_EXIT_WRONG;
}

static bool is_dry(const struct mr_arguments *arguments)
{
    return mr_arguments_given(arguments, "dry-run");
}

static enum mr_exit delete_topology(struct mr_server *server, const struct mr_arguments *arguments)
{
    struct mr_cluster_wait wait;
    const char *name = arguments->operands[0];
    if (!is_dry(arguments) &&
        !mr_cluster_confirmed(
            arguments,
            mr_arena_format(&server->arena, "Delete %s with its state? Its outputs stay.", name)))
        return MR_EXIT_WRONG;
    enum mr_exit code = change_topology(server, arguments, "DELETE", "", "delete");
    if (code != MR_EXIT_FINE || is_dry(arguments) || !mr_cluster_wait_begin(&wait, arguments))
        return code;
    return wait_gone(server, &wait, name);
}

static enum mr_exit reset(struct mr_server *server, const struct mr_arguments *arguments)
{
    if (!is_dry(arguments) &&
        !mr_cluster_confirmed(
            arguments, mr_arena_format(&server->arena,
                                       "Reset %s? Its state goes, and each source begins at its "
                                       "`start` again: results are written again.",
                                       arguments->operands[0])))
        return MR_EXIT_WRONG;
    enum mr_exit code = change_topology(server, arguments, "POST", "/reset", "reset");
    return then_wait(server, arguments, code);
}

/* ---- seek ---- */

static enum mr_exit seek(struct mr_server *server, const struct mr_arguments *arguments)
{
    const char *name = arguments->operands[0];
    if (!mr_arguments_given(arguments, "to")) {
        (void)fputs("millrace: seek: --to says where: earliest, latest, a time such as "
                    "2026-01-28T10:30:00Z, or offsets such as 0=1200,1=1180\n",
                    stderr);
        return MR_EXIT_USAGE;
    }
    if (!is_dry(arguments) &&
        !mr_cluster_confirmed(
            arguments, mr_arena_format(&server->arena,
                                       "Move source %s of %s? State stays as it is, and results "
                                       "of records that are read twice are written twice.",
                                       arguments->operands[1], name)))
        return MR_EXIT_WRONG;
    json_t *body = json_pack("{s:s, s:s}", "source", arguments->operands[1], "to",
                             mr_arguments_flag(arguments, "to")->text);
    struct mr_slice text = mr_server_json(server, body);
    if (text.size == 0) {
        (void)fputs("millrace: seek: the source or --to is not valid UTF-8\n", stderr);
        return MR_EXIT_USAGE;
    }
    enum mr_exit code = change(server, arguments, "POST", mr_cluster_path(server, name, "/seek"),
                               text, "move a source of");
    return then_wait(server, arguments, code);
}

/* ---- rollback ---- */

static enum mr_exit rollback(struct mr_server *server, const struct mr_arguments *arguments)
{
    const struct mr_flag_value *drop = mr_arguments_flag(arguments, "drop-state");
    const char *rest = "/rollback";
    if (mr_arguments_given(arguments, "to"))
        rest = mr_server_query(server, rest, "to", mr_arguments_flag(arguments, "to")->text);
    rest = mr_cluster_drop_state(server, drop, rest);
    enum mr_exit code = change_topology(server, arguments, "POST", rest, "roll back");
    return then_wait(server, arguments, code);
}

/* ---- drain ---- */

/* Tasks that a worker still has; -1: not told. */
static int64_t tasks_of(const json_t *root, const char *worker)
{
    const json_t *workers = mr_json_list(root, "workers");
    for (size_t index = 0; index < json_array_size(workers); index++) {
        const json_t *one = json_array_get(workers, index);
        const char *name = mr_json_text(one, "name");
        if (name != NULL && strcmp(name, worker) == 0)
            return mr_json_integer(one, "active_tasks", -1) +
                   mr_json_integer(one, "standby_tasks", 0);
    }
    return 0; /* it has left */
}

static enum mr_exit wait_drained(struct mr_server *server, struct mr_cluster_wait *wait,
                                 const char *worker)
{
    do {
        struct mr_answer answer;
        enum mr_exit code = mr_server_get(server, "/v1/workers", &answer);
        if (code != MR_EXIT_FINE && code != MR_EXIT_UNREACHED)
            return code;
        if (code != MR_EXIT_FINE)
            continue;
        int64_t left = tasks_of(answer.json, worker);
        mr_answer_free(&answer);
        mr_cluster_wait_show(wait,
                             mr_arena_format(&server->reply_arena, "%s: %s left", worker,
                                             mr_text_plural(&server->reply_arena, left, "task")));
        if (left == 0) {
            mr_cluster_wait_end(wait);
            if (!server->json)
                printf("%s has no tasks any more\n", worker);
            return MR_EXIT_FINE;
        }
    } while (mr_cluster_wait_more(wait, "the worker has tasks still"));
    return MR_EXIT_WRONG;
}

static enum mr_exit drain(struct mr_server *server, const struct mr_arguments *arguments)
{
    struct mr_cluster_wait wait;
    const char *worker = arguments->operands[0];
    bool undo = mr_arguments_given(arguments, "undo");
    const char *path = mr_arena_format(&server->arena, "/v1/workers/%s/%s",
                                       mr_server_part(server, worker), undo ? "undrain" : "drain");
    enum mr_exit code = change(server, arguments, "POST", path, (struct mr_slice){0},
                               undo ? "give tasks again to" : "drain");
    if (code != MR_EXIT_FINE || undo || is_dry(arguments) ||
        !mr_cluster_wait_begin(&wait, arguments))
        return code;
    return wait_drained(server, &wait, worker);
}

/* ---- The commands ---- */

static enum mr_exit run_pause(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, pause_topology);
}

static enum mr_exit run_resume(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, resume);
}

static enum mr_exit run_delete(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, delete_topology);
}

static enum mr_exit run_reset(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, reset);
}

static enum mr_exit run_seek(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, seek);
}

static enum mr_exit run_rollback(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, rollback);
}

static enum mr_exit run_drain(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, drain);
}

#define FLAG_SOURCE                                                                                \
    {                                                                                              \
        .name = "source", .kind = MR_FLAG_TEXT, .value = "NAME", .help = "One source only."        \
    }

static const struct mr_flag pause_flags[] = {
    FLAG_SOURCE, MR_FLAG_DRY_RUN, MR_FLAG_OUTPUT, MR_FLAGS_SERVER, {.name = NULL}};
static const struct mr_flag resume_flags[] = {FLAG_SOURCE,    MR_FLAGS_WAIT,   MR_FLAG_DRY_RUN,
                                              MR_FLAG_OUTPUT, MR_FLAGS_SERVER, {.name = NULL}};
static const struct mr_flag destroy_flags[] = {MR_FLAG_YES,    MR_FLAGS_WAIT,   MR_FLAG_DRY_RUN,
                                               MR_FLAG_OUTPUT, MR_FLAGS_SERVER, {.name = NULL}};
static const struct mr_flag seek_flags[] = {
    {.name = "to",
     .kind = MR_FLAG_TEXT,
     .value = "WHERE",
     .help = "earliest, latest, a time, or offsets: 0=1200,1=1180."},
    MR_FLAG_YES,
    MR_FLAGS_WAIT,
    MR_FLAG_DRY_RUN,
    MR_FLAG_OUTPUT,
    MR_FLAGS_SERVER,
    {.name = NULL}};
static const struct mr_flag rollback_flags[] = {
    {.name = "to",
     .kind = MR_FLAG_INTEGER,
     .value = "VERSION",
     .minimum = 1,
     .maximum = UINT32_MAX,
     .help = "Default: the one before the active one."},
    {.name = "drop-state",
     .kind = MR_FLAG_TEXTS,
     .value = "NAME",
     .help = "State or position that may be dropped; more than once."},
    MR_FLAGS_WAIT,
    MR_FLAG_DRY_RUN,
    MR_FLAG_OUTPUT,
    MR_FLAGS_SERVER,
    {.name = NULL}};
static const struct mr_flag drain_flags[] = {
    {.name = "undo", .kind = MR_FLAG_SWITCH, .help = "Give it tasks again."},
    MR_FLAGS_WAIT,
    MR_FLAG_DRY_RUN,
    MR_FLAG_OUTPUT,
    MR_FLAGS_SERVER,
    {.name = NULL}};

const struct mr_command mr_command_pause = {
    .name = "pause",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Stop a topology, or the reading of one of its sources; state stays.",
    .flags = pause_flags,
    .run = run_pause};

const struct mr_command mr_command_resume = {
    .name = "resume",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Let a topology or a source go on; tasks that failed start again.",
    .flags = resume_flags,
    .run = run_resume};

const struct mr_command mr_command_delete = {
    .name = "delete",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Delete a topology with its state and internal topics; its outputs stay.",
    .flags = destroy_flags,
    .run = run_delete};

const struct mr_command mr_command_reset = {
    .name = "reset",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Start a topology over, without state, at each source's `start`.",
    .flags = destroy_flags,
    .run = run_reset};

const struct mr_command mr_command_seek = {
    .name = "seek",
    .operands = "NAME SOURCE",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Move a source to another place; state stays as it is.",
    .description =
        "The topology is released, the source's positions are moved, and it goes on there. State, "
        "watermarks and\nresults stay: records that are read twice count twice in state, and their "
        "results are written twice; records\nthat are skipped are not seen. `reset` starts over "
        "without state instead.",
    .flags = seek_flags,
    .run = run_seek};

const struct mr_command mr_command_rollback = {
    .name = "rollback",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Activate an earlier version of a topology again.",
    .flags = rollback_flags,
    .run = run_rollback};

const struct mr_command mr_command_drain = {.name = "drain",
                                            .operands = "WORKER",
                                            .operands_min = 1,
                                            .operands_max = 1,
                                            .summary =
                                                "Move a worker's tasks elsewhere and give it none.",
                                            .flags = drain_flags,
                                            .run = run_drain};
