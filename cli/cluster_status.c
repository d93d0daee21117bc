/* cli/cluster_status.c — `millrace status`, `describe` and `why`: one topology. */
#include "cli/cluster.h"

#include "base/clock.h"
#include "cli/catalogue.h"
#include "topology/describe.h"

#include <inttypes.h>

enum { PLAN_BYTES_MAX = 16 << 20 };

/* ---- status ---- */

static void print_line(const char *name, const char *value)
{
    printf("  %-10s %s\n", name, value);
}

/* "1, 2, 3" of a list of numbers or texts. */
static const char *join(struct mr_server *server, const json_t *list)
{
    const char *text = "";
    for (size_t index = 0; index < json_array_size(list); index++) {
        const json_t *item = json_array_get(list, index);
        const char *one =
            json_is_string(item)
                ? mr_text_escape(&server->arena, mr_slice_text(json_string_value(item)))
                : mr_arena_format(&server->arena, "%" PRId64, (int64_t)json_integer_value(item));
        text = index == 0 ? one : mr_arena_format(&server->arena, "%s, %s", text, one);
    }
    return text;
}

void mr_cluster_print_topology(struct mr_server *server, const json_t *topology)
{
    struct mr_arena *arena = &server->arena;
    const json_t *paused = json_object_get(topology, "paused_sources");
    int64_t changed_ms;
    printf("%s: %s\n", mr_cluster_text(server, topology, "name"),
           mr_cluster_text(server, topology, "health"));
    if (mr_json_text(topology, "reason") != NULL)
        print_line("reason", mr_cluster_text(server, topology, "reason"));
    if (mr_json_text(topology, "warning") != NULL)
        print_line("warning", mr_cluster_text(server, topology, "warning"));
    const char *changed = mr_json_time(topology, "changed_ms", &changed_ms)
                              ? mr_text_ago(arena, changed_ms, mr_clock_wall_ms())
                              : "?";
    print_line("version", mr_arena_format(arena, "%s, changed %s; kept: %s",
                                          mr_cluster_count(server, topology, "version"), changed,
                                          join(server, json_object_get(topology, "versions"))));
    print_line("tasks", mr_arena_format(arena, "%s of %s run",
                                        mr_cluster_count(server, topology, "tasks_running"),
                                        mr_cluster_count(server, topology, "tasks")));
    print_line("lag", mr_cluster_count(server, topology, "lag"));
    print_line("records", mr_arena_format(arena, "%s in, %s out since the tasks started",
                                          mr_cluster_count(server, topology, "input_records"),
                                          mr_cluster_count(server, topology, "output_records")));
    if (json_array_size(paused) > 0)
        print_line("paused", join(server, paused));
}

static enum mr_exit status(struct mr_server *server, const struct mr_arguments *arguments)
{
    return mr_cluster_show(server, mr_cluster_path(server, arguments->operands[0], ""),
                           mr_cluster_print_topology);
}

/* ---- describe ---- */

static const char *lookup_nothing(void *argument, const char *name)
{
    (void)argument;
    (void)name;
    return NULL;
}

/* The plan as `millrace plan` prints it, of the definition that the cluster holds. */
static void print_plan(struct mr_server *server, const char *definition)
{
    struct mr_catalogue catalogue;
    struct mr_report report;
    struct mr_plan *plan;
    struct mr_buffer text;
    struct mr_substitution substitution = {.lookup = lookup_nothing};
    mr_catalogue_make(&server->arena, &catalogue);
    mr_report_init(&report, &server->arena, "definition");
    mr_topology_parse(mr_slice_text(definition), &catalogue, &substitution, &server->arena, &report,
                      &plan);
    if (plan == NULL) {
        puts("This version of the program does not read the definition; use that of the cluster.");
        return;
    }
    mr_buffer_init(&text, PLAN_BYTES_MAX);
    if (mr_plan_describe_text(plan, &text) == MR_OK)
        (void)fwrite(text.data, 1, text.size, stdout);
    mr_buffer_deinit(&text);
}

static enum mr_exit describe_version(struct mr_server *server, const char *name, int64_t version)
{
    struct mr_answer answer;
    char rest[48];
    (void)snprintf(rest, sizeof rest, "/versions/%" PRId64, version);
    enum mr_exit code = mr_server_get(server, mr_cluster_path(server, name, rest), &answer);
    if (code != MR_EXIT_FINE)
        return code;
    const char *definition = mr_json_text(answer.json, "definition");
    if (definition != NULL)
        print_plan(server, definition);
    mr_answer_free(&answer);
    return MR_EXIT_FINE;
}

static enum mr_exit describe(struct mr_server *server, const struct mr_arguments *arguments)
{
    struct mr_answer answer;
    const char *name = arguments->operands[0];
    enum mr_exit code = mr_server_get(server, mr_cluster_path(server, name, ""), &answer);
    if (code != MR_EXIT_FINE)
        return code;
    if (server->json) {
        mr_answer_print(&answer);
    } else {
        int64_t version = mr_json_integer(answer.json, "version", 0);
        mr_cluster_print_topology(server, answer.json);
        puts("");
        mr_cluster_print_tasks(server, json_object_get(answer.json, "task_list"));
        puts("");
        if (version > 0)
            code = describe_version(server, name, version);
    }
    mr_answer_free(&answer);
    return code;
}

/* ---- why ---- */

static void print_why(struct mr_server *server, const json_t *why)
{
    const char *kind = mr_json_text(why, "kind");
    printf("%s: %s\n", mr_cluster_text(server, why, "topology"),
           mr_cluster_text(server, why, "health"));
    if (kind == NULL || strcmp(kind, "nothing") == 0) {
        print_line("holds", "nothing holds it back");
        return;
    }
    const char *subject = mr_json_text(why, "subject");
    print_line("holds",
               mr_arena_format(&server->arena, "%s%s%s", kind, subject == NULL ? "" : " ",
                               subject == NULL ? "" : mr_cluster_text(server, why, "subject")));
    if (mr_json_text(why, "reason") != NULL)
        print_line("reason", mr_cluster_text(server, why, "reason"));
    print_line("since", mr_arena_format(&server->arena, "%s ago",
                                        mr_text_duration(&server->arena,
                                                         mr_json_integer(why, "since_ms", -1))));
    if (mr_json_text(why, "release") != NULL)
        print_line("released", mr_arena_format(&server->arena, "by: %s",
                                               mr_cluster_text(server, why, "release")));
}

static enum mr_exit why_one(struct mr_server *server, const char *name)
{
    return mr_cluster_show(server, mr_server_query(server, "/v1/why", "topology", name), print_why);
}

/* Without a name: every topology, in JSON one object a line. */
static enum mr_exit why(struct mr_server *server, const struct mr_arguments *arguments)
{
    struct mr_answer answer;
    if (arguments->operands_count > 0)
        return why_one(server, arguments->operands[0]);
    enum mr_exit code = mr_server_get(server, "/v1/topologies", &answer);
    if (code != MR_EXIT_FINE)
        return code;
    const json_t *list = mr_json_list(answer.json, "topologies");
    for (size_t index = 0; index < json_array_size(list) && code == MR_EXIT_FINE; index++) {
        const char *name = mr_json_text(json_array_get(list, index), "name");
        code = why_one(server, name == NULL ? "" : name);
    }
    if (json_array_size(list) == 0 && !server->json)
        puts("no topologies");
    mr_answer_free(&answer);
    return code;
}

/* ---- The commands ---- */

static enum mr_exit run_status(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, status);
}

static enum mr_exit run_describe(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, describe);
}

static enum mr_exit run_why(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, why);
}

static const struct mr_flag flags[] = {MR_FLAG_OUTPUT, MR_FLAGS_SERVER, {.name = NULL}};

const struct mr_command mr_command_status = {.name = "status",
                                             .operands = "NAME",
                                             .operands_min = 1,
                                             .operands_max = 1,
                                             .summary = "Show how a topology does.",
                                             .flags = flags,
                                             .run = run_status};

const struct mr_command mr_command_describe = {.name = "describe",
                                               .operands = "NAME",
                                               .operands_min = 1,
                                               .operands_max = 1,
                                               .summary =
                                                   "Show a topology with its tasks and its plan.",
                                               .flags = flags,
                                               .run = run_describe};

const struct mr_command mr_command_why = {
    .name = "why",
    .operands = "[NAME]",
    .operands_max = 1,
    .summary = "Name the one thing that holds a topology back, and what releases it.",
    .flags = flags,
    .run = run_why};
