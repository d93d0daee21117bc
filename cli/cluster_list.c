/* cli/cluster_list.c — `millrace list`, `workers`, `tasks` and `lag`: one request, one table. */
#include "cli/cluster.h"

#include "base/clock.h"

#include <inttypes.h>

static void add_member(struct mr_table *table, const json_t *object, const char *name)
{
    mr_table_text(table, mr_json_text(object, name));
}

/* "3 min ago" of a time in the answer. */
static void add_ago(struct mr_table *table, const json_t *object, const char *name)
{
    int64_t time_ms;
    mr_table_text(table, mr_json_time(object, name, &time_ms)
                             ? mr_text_ago(table->arena, time_ms, mr_clock_wall_ms())
                             : NULL);
}

static void print_end(struct mr_table *table, const char *nothing)
{
    if (table->cells_count == 0)
        puts(nothing);
    mr_table_print(table, stdout);
    mr_table_deinit(table);
}

/* ---- list ---- */

static void print_topologies(struct mr_server *server, const json_t *root)
{
    static const struct mr_table_column columns[] = {
        {"NAME", false}, {"VERSION", true},  {"HEALTH", false}, {"TASKS", true},
        {"LAG", true},   {"CHANGED", false}, {"REASON", false}, {NULL, false}};
    const json_t *list = mr_json_list(root, "topologies");
    struct mr_table table;
    mr_table_init(&table, &server->arena, columns);
    for (size_t index = 0; index < json_array_size(list); index++) {
        const json_t *topology = json_array_get(list, index);
        const char *reason = mr_json_text(topology, "reason");
        add_member(&table, topology, "name");
        mr_table_text(&table, mr_cluster_count(server, topology, "version"));
        add_member(&table, topology, "health");
        mr_table_text(&table, mr_arena_format(&server->arena, "%s/%s",
                                              mr_cluster_count(server, topology, "tasks_running"),
                                              mr_cluster_count(server, topology, "tasks")));
        mr_table_text(&table, mr_cluster_count(server, topology, "lag"));
        add_ago(&table, topology, "changed_ms");
        mr_table_text(&table, reason != NULL ? reason : mr_json_text(topology, "warning"));
    }
    print_end(&table, "no topologies; `millrace submit FILE` brings one");
}

static enum mr_exit list(struct mr_server *server, const struct mr_arguments *arguments)
{
    (void)arguments;
    return mr_cluster_show(server, "/v1/topologies", print_topologies);
}

/* ---- workers ---- */

static void add_worker(struct mr_server *server, struct mr_table *table, const json_t *worker)
{
    struct mr_arena *arena = &server->arena;
    int64_t limit = mr_json_integer(worker, "memory_bytes", 0);
    int64_t planned = mr_json_integer(worker, "memory_planned_bytes", 0);
    int64_t silent_ms = mr_json_integer(worker, "silent_ms", -1);
    add_member(table, worker, "name");
    add_member(table, worker, "state");
    add_member(table, worker, "zone");
    mr_table_text(table, mr_cluster_count(server, worker, "active_tasks"));
    mr_table_text(table, mr_cluster_count(server, worker, "standby_tasks"));
    mr_table_text(table, mr_cluster_count(server, worker, "threads"));
    mr_table_text(table, mr_arena_format(arena, "%.2f cores",
                                         (double)mr_json_integer(worker, "load_us", 0) / 1e6));
    mr_table_text(table, mr_arena_format(arena, "%s of %s", mr_text_bytes(arena, planned),
                                         limit > 0 ? mr_text_bytes(arena, limit) : "no limit"));
    mr_table_text(table, silent_ms < 0 ? NULL : mr_text_ago(arena, 0, silent_ms));
    add_member(table, worker, "http");
}

static void print_workers(struct mr_server *server, const json_t *root)
{
    static const struct mr_table_column columns[] = {
        {"NAME", false},    {"STATE", false},  {"ZONE", false}, {"TASKS", true},
        {"STANDBYS", true}, {"THREADS", true}, {"LOAD", true},  {"MEMORY PLANNED", false},
        {"HEARD", false},   {"HTTP", false},   {NULL, false}};
    const json_t *workers = mr_json_list(root, "workers");
    struct mr_table table;
    mr_table_init(&table, &server->arena, columns);
    for (size_t index = 0; index < json_array_size(workers); index++)
        add_worker(server, &table, json_array_get(workers, index));
    print_end(&table, "no workers; start millrace-worker with --coordinators");
}

static enum mr_exit workers(struct mr_server *server, const struct mr_arguments *arguments)
{
    (void)arguments;
    return mr_cluster_show(server, "/v1/workers", print_workers);
}

/* ---- tasks ---- */

/* What is worth saying of a task beside its numbers. */
static const char *note_of(struct mr_server *server, const json_t *task)
{
    const char *error = mr_json_text(task, "error");
    const char *blocked = mr_json_text(task, "blocked");
    const char *moving = mr_json_text(task, "moving_to");
    int64_t remaining = mr_json_integer(task, "changelog_remaining", 0);
    const char *state = mr_json_text(task, "state");
    if (error != NULL)
        return error;
    if (blocked != NULL)
        return blocked;
    if (moving != NULL)
        return mr_arena_format(&server->arena, "moving to %s", moving);
    if (state != NULL && strcmp(state, "restoring") == 0)
        return mr_arena_format(&server->arena, "%s changelog records to go",
                               mr_text_count(&server->arena, remaining));
    return NULL;
}

void mr_cluster_print_tasks(struct mr_server *server, const json_t *tasks)
{
    static const struct mr_table_column columns[] = {
        {"TOPOLOGY", false}, {"TASK", false},   {"ROLE", false}, {"STATE", false},
        {"SINCE", true},     {"WORKER", false}, {"EPOCH", true}, {"LAG", true},
        {"IN", true},        {"OUT", true},     {"NOTE", false}, {NULL, false}};
    struct mr_table table;
    mr_table_init(&table, &server->arena, columns);
    for (size_t index = 0; index < json_array_size(tasks); index++) {
        const json_t *task = json_array_get(tasks, index);
        const char *subtopology = mr_json_text(task, "subtopology");
        add_member(&table, task, "topology");
        mr_table_text(&table, mr_arena_format(&server->arena, "%s/%" PRId64,
                                              subtopology == NULL ? "?" : subtopology,
                                              mr_json_integer(task, "partition", -1)));
        add_member(&table, task, "role");
        add_member(&table, task, "state");
        mr_table_text(&table,
                      mr_text_duration(&server->arena, mr_json_integer(task, "since_ms", -1)));
        add_member(&table, task, "worker");
        mr_table_text(&table, mr_cluster_count(server, task, "epoch"));
        mr_table_text(&table, mr_cluster_count(server, task, "lag"));
        mr_table_text(&table, mr_cluster_count(server, task, "input_records"));
        mr_table_text(&table, mr_cluster_count(server, task, "output_records"));
        mr_table_text(&table, note_of(server, task));
    }
    print_end(&table, "no tasks");
}

static void print_tasks(struct mr_server *server, const json_t *root)
{
    mr_cluster_print_tasks(server, mr_json_list(root, "tasks"));
}

static enum mr_exit tasks(struct mr_server *server, const struct mr_arguments *arguments)
{
    const char *path = mr_server_query(server, "/v1/tasks", "topology",
                                       mr_arguments_flag(arguments, "topology")->text);
    path = mr_server_query(server, path, "worker", mr_arguments_flag(arguments, "worker")->text);
    return mr_cluster_show(server, path, print_tasks);
}

/* ---- lag ---- */

static void print_lag(struct mr_server *server, const json_t *root)
{
    static const struct mr_table_column columns[] = {
        {"TOPOLOGY", false}, {"LAG", true}, {"TASK", false}, {"WORKER", false}, {NULL, false}};
    const json_t *list = mr_json_list(root, "topologies");
    struct mr_table table;
    mr_table_init(&table, &server->arena, columns);
    for (size_t index = 0; index < json_array_size(list); index++) {
        const json_t *topology = json_array_get(list, index);
        const json_t *of_tasks = json_object_get(topology, "tasks");
        add_member(&table, topology, "topology");
        mr_table_text(&table, mr_cluster_count(server, topology, "lag"));
        mr_table_text(&table, "all");
        mr_table_text(&table, NULL);
        for (size_t at = 0; at < json_array_size(of_tasks); at++) {
            const json_t *task = json_array_get(of_tasks, at);
            add_member(&table, topology, "topology");
            mr_table_text(&table, mr_cluster_count(server, task, "lag"));
            mr_table_text(&table, mr_arena_format(&server->arena, "%s/%" PRId64,
                                                  mr_cluster_text(server, task, "subtopology"),
                                                  mr_json_integer(task, "partition", -1)));
            add_member(&table, task, "worker");
        }
    }
    print_end(&table, "no topologies");
}

static enum mr_exit lag(struct mr_server *server, const struct mr_arguments *arguments)
{
    struct mr_answer answer;
    const char *name = arguments->operands_count > 0 ? arguments->operands[0] : NULL;
    if (name == NULL)
        return mr_cluster_show(server, "/v1/lag", print_lag);
    /* A name that is not there must not look like one without lag. */
    enum mr_exit code = mr_server_get(server, mr_cluster_path(server, name, ""), &answer);
    if (code != MR_EXIT_FINE)
        return code;
    mr_answer_free(&answer);
    return mr_cluster_show(server, mr_server_query(server, "/v1/lag", "topology", name), print_lag);
}

/* ---- The commands ---- */

static enum mr_exit run_list(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, list);
}

static enum mr_exit run_workers(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, workers);
}

static enum mr_exit run_tasks(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, tasks);
}

static enum mr_exit run_lag(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, lag);
}

static const struct mr_flag plain_flags[] = {MR_FLAG_OUTPUT, MR_FLAGS_SERVER, {.name = NULL}};
static const struct mr_flag tasks_flags[] = {
    {.name = "topology",
     .letter = 't',
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "Of this topology only."},
    {.name = "worker", .kind = MR_FLAG_TEXT, .value = "NAME", .help = "On this worker only."},
    MR_FLAG_OUTPUT,
    MR_FLAGS_SERVER,
    {.name = NULL}};

const struct mr_command mr_command_list = {
    .name = "list",
    .operands = "",
    .summary = "List the topologies of a cluster.",
    .description = "`running` means that records flow or that lag is 0. `?` is a number that is "
                   "not known yet.",
    .flags = plain_flags,
    .run = run_list};

const struct mr_command mr_command_workers = {
    .name = "workers",
    .operands = "",
    .summary = "List the workers with their load, memory and tasks.",
    .flags = plain_flags,
    .run = run_workers};

const struct mr_command mr_command_tasks = {.name = "tasks",
                                            .operands = "",
                                            .summary =
                                                "List tasks: where each runs, its state and lag.",
                                            .flags = tasks_flags,
                                            .run = run_tasks};

const struct mr_command mr_command_lag = {
    .name = "lag",
    .operands = "[NAME]",
    .operands_max = 1,
    .summary = "Show how many records of its inputs a topology has not committed yet.",
    .flags = plain_flags,
    .run = run_lag};
