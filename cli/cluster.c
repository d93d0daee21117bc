/* cli/cluster.c — see cluster.h. */
#include "cli/cluster.h"

#include "base/clock.h"

#include <inttypes.h>
#include <unistd.h>

enum { WAIT_DEFAULT_MS = 300000, WAIT_STEP_MS = 250, WAIT_LINE_MS = 10000 };

enum mr_exit mr_cluster_run(const struct mr_arguments *arguments,
                            enum mr_exit (*body)(struct mr_server *server,
                                                 const struct mr_arguments *arguments))
{
    struct mr_server server;
    enum mr_exit code = mr_server_open(&server, arguments);
    if (code == MR_EXIT_FINE)
        code = body(&server, arguments);
    mr_server_close(&server);
    return code;
}

enum mr_exit mr_cluster_show(struct mr_server *server, const char *path,
                             void (*print)(struct mr_server *server, const json_t *root))
{
    struct mr_answer answer;
    enum mr_exit code = mr_server_get(server, path, &answer);
    if (code != MR_EXIT_FINE)
        return code;
    if (server->json)
        mr_answer_print(&answer);
    else
        print(server, answer.json);
    mr_answer_free(&answer);
    return MR_EXIT_FINE;
}

const char *mr_cluster_path(struct mr_server *server, const char *name, const char *rest)
{
    return mr_arena_format(&server->arena, "/v1/topologies/%s%s", mr_server_part(server, name),
                           rest);
}

const char *mr_cluster_count(struct mr_server *server, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? mr_text_count(&server->arena, json_integer_value(value)) : "?";
}

const char *mr_cluster_text(struct mr_server *server, const json_t *object, const char *name)
{
    const char *text = mr_json_text(object, name);
    return text == NULL || text[0] == '\0' ? "-"
                                           : mr_text_escape(&server->arena, mr_slice_text(text));
}

/* ---- Waiting ---- */

bool mr_cluster_wait_begin(struct mr_cluster_wait *wait, const struct mr_arguments *arguments)
{
    const struct mr_flag_value *timeout = mr_arguments_flag(arguments, "timeout");
    uint64_t now_ms = mr_clock_monotonic_ms();
    *wait = (struct mr_cluster_wait){
        .until_ms = now_ms + (timeout->count > 0 ? (uint64_t)timeout->integer : WAIT_DEFAULT_MS),
        .first_remaining = -1,
        .shown_ms = now_ms,
        .terminal = isatty(STDERR_FILENO) == 1};
    return mr_arguments_given(arguments, "wait");
}

void mr_cluster_wait_show(struct mr_cluster_wait *wait, const char *line)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (!wait->terminal && now_ms - wait->shown_ms < WAIT_LINE_MS)
        return;
    wait->shown_ms = now_ms;
    (void)fprintf(stderr, "%s%s%s", wait->terminal ? "\r\033[K" : "", line,
                  wait->terminal ? "" : "\n");
}

void mr_cluster_wait_end(struct mr_cluster_wait *wait)
{
    if (wait->terminal)
        (void)fputs("\r\033[K", stderr);
}

bool mr_cluster_wait_more(struct mr_cluster_wait *wait, const char *what)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (now_ms < wait->until_ms) {
        uint64_t left_ms = wait->until_ms - now_ms;
        mr_clock_sleep_ms(left_ms < WAIT_STEP_MS ? (uint32_t)left_ms : WAIT_STEP_MS);
        return true;
    }
    mr_cluster_wait_end(wait);
    (void)fprintf(stderr, "millrace: --timeout is over and %s; it goes on all the same\n", what);
    return false;
}

/* Changelog records that tasks have still to replay. */
static int64_t remaining_of(const json_t *tasks, uint32_t *restoring_count)
{
    int64_t remaining = 0;
    *restoring_count = 0;
    for (size_t index = 0; index < json_array_size(tasks); index++) {
        const json_t *task = json_array_get(tasks, index);
        const char *state = mr_json_text(task, "state");
        const char *role = mr_json_text(task, "role");
        if (state == NULL || strcmp(state, "restoring") != 0 || role == NULL ||
            strcmp(role, "active") != 0)
            continue;
        (*restoring_count)++;
        remaining += mr_json_integer(task, "changelog_remaining", 0);
    }
    return remaining;
}

/* " 3 restoring, 120,000 records to go, about 4 s" */
static const char *restore_text(struct mr_server *server, struct mr_cluster_wait *wait,
                                const json_t *tasks)
{
    uint32_t restoring_count;
    int64_t remaining = remaining_of(tasks, &restoring_count);
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (restoring_count == 0)
        return "";
    if (wait->first_remaining < remaining) { /* the first look, or more tasks have begun */
        wait->first_remaining = remaining;
        wait->first_ms = now_ms;
    }
    int64_t done = wait->first_remaining - remaining;
    const char *text =
        mr_arena_format(&server->reply_arena, ", %u restoring, %s records to go", restoring_count,
                        mr_text_count(&server->reply_arena, remaining));
    if (done <= 0)
        return text;
    int64_t left_ms =
        (int64_t)((double)remaining * (double)(now_ms - wait->first_ms) / (double)done);
    return mr_arena_format(&server->reply_arena, "%s, about %s", text,
                           mr_text_duration(&server->reply_arena, left_ms));
}

/* Is it decided? Sets *code. */
static bool settled(struct mr_server *server, struct mr_cluster_wait *wait, const char *name,
                    const json_t *topology, enum mr_exit *code)
{
    struct mr_arena *arena = &server->reply_arena;
    const char *health = mr_cluster_text(server, topology, "health");
    const char *reason = mr_json_text(topology, "reason");
    const char *state = mr_json_text(topology, "state");
    int64_t tasks = mr_json_integer(topology, "tasks", 0);
    int64_t running = mr_json_integer(topology, "tasks_running", 0);
    bool runs = strcmp(health, "running") == 0 && tasks == running && state != NULL &&
                strcmp(state, "running") == 0;
    bool failed = strcmp(health, "failed") == 0;
    const char *escaped = reason == NULL ? "" : mr_text_escape(arena, mr_slice_text(reason));
    if (failed) {
        mr_cluster_wait_end(wait);
        (void)fprintf(stderr, "millrace: %s has failed: %s\n", name, escaped);
    } else if (!runs) {
        mr_cluster_wait_show(
            wait,
            mr_arena_format(arena, "%s: %s, %" PRId64 " of %" PRId64 " tasks run%s%s%s", name,
                            health, running, tasks,
                            restore_text(server, wait, json_object_get(topology, "task_list")),
                            escaped[0] == '\0' ? "" : "; ", escaped));
    }
    *code = runs ? MR_EXIT_FINE : MR_EXIT_WRONG;
    return runs || failed;
}

enum mr_exit mr_cluster_wait_running(struct mr_server *server, struct mr_cluster_wait *wait,
                                     const char *name)
{
    const char *path = mr_cluster_path(server, name, "");
    for (;;) {
        struct mr_answer answer;
        enum mr_exit code = mr_server_get(server, path, &answer);
        if (code == MR_EXIT_FINE) {
            bool end = settled(server, wait, name, answer.json, &code);
            mr_answer_free(&answer);
            if (end) {
                mr_cluster_wait_end(wait);
                return code;
            }
        } else if (code != MR_EXIT_UNREACHED) {
            return code;
        }
        if (!mr_cluster_wait_more(wait, "it does not run yet (`millrace why` says what it waits "
                                        "for)"))
            return MR_EXIT_WRONG;
    }
}

/* ---- Changing ---- */

const char *mr_cluster_drop_state(struct mr_server *server, const struct mr_flag_value *drop,
                                  const char *path)
{
    const char *names = NULL;
    for (uint32_t index = 0; index < drop->count; index++)
        names = index == 0 ? drop->texts[0]
                           : mr_arena_format(&server->arena, "%s,%s", names, drop->texts[index]);
    return mr_server_query(server, path, "drop_state", names);
}

bool mr_cluster_confirmed(const struct mr_arguments *arguments, const char *question)
{
    char answer[16];
    if (mr_arguments_given(arguments, "yes") || isatty(STDIN_FILENO) != 1 ||
        isatty(STDERR_FILENO) != 1)
        return true;
    (void)fprintf(stderr, "%s [y/N] ", question);
    if (fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    (void)fputs("nothing was done\n", stderr);
    return false;
}
