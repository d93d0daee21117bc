/* cli/cluster_difference.c — what changes when a version of a topology follows another, and
 * `millrace diff`. */
#include "cli/cluster.h"

#include "base/clock.h"

#include <inttypes.h>

static bool is_change(const json_t *item, const char *change)
{
    const char *text = mr_json_text(item, "change");
    return text != NULL && strcmp(text, change) == 0;
}

static const char *sign_of(const json_t *item)
{
    return is_change(item, "added")     ? "+"
           : is_change(item, "dropped") ? "-"
           : is_change(item, "moved")   ? ">"
                                        : " ";
}

/* "4 tasks", "4 -> 8 tasks" */
static const char *tasks_text(struct mr_server *server, const json_t *part)
{
    struct mr_arena *arena = &server->arena;
    int64_t before = mr_json_integer(part, "tasks_before", -1);
    int64_t after = mr_json_integer(part, "tasks_after", -1);
    if (before >= 0 && after >= 0 && before != after)
        return mr_arena_format(arena, "%" PRId64 " -> %s", before,
                               mr_text_plural(arena, after, "task"));
    int64_t count = after >= 0 ? after : before;
    return count >= 0 ? mr_text_plural(arena, count, "task") : "? tasks";
}

static void print_parts(struct mr_server *server, const json_t *list)
{
    for (size_t index = 0; index < json_array_size(list); index++) {
        const json_t *part = json_array_get(list, index);
        printf("%s tasks    %s: %s%s\n", sign_of(part), mr_cluster_text(server, part, "name"),
               tasks_text(server, part), mr_json_boolean(part, "stateful") ? ", with state" : "");
    }
}

/* What becomes of stored state that would mean something else: `submit` asks for a permit. */
static const char *text_of_meaning(struct mr_server *server, const json_t *state)
{
    const char *option = mr_json_text(state, "changed_option");
    const char *field = mr_json_text(state, "changed_field");
    if (!mr_json_boolean(state, "starts_over"))
        return is_change(state, "added")     ? "new, empty"
               : is_change(state, "dropped") ? "DROPPED"
                                             : mr_cluster_text(server, state, "change");
    if (option != NULL)
        return mr_arena_format(&server->arena, "STARTS OVER: %s changes", option);
    return field != NULL
               ? mr_arena_format(&server->arena,
                                 "STARTS OVER: other fields of rows are stored (%s)", field)
               : mr_arena_format(&server->arena, "STARTS OVER: it was a %s",
                                 mr_cluster_text(server, state, "type_before"));
}

static void print_states(struct mr_server *server, const json_t *list)
{
    for (size_t index = 0; index < json_array_size(list); index++) {
        const json_t *state = json_array_get(list, index);
        printf("%s state    %s (%s): %s", sign_of(state),
               mr_cluster_text(server, state, "operator"), mr_cluster_text(server, state, "type"),
               text_of_meaning(server, state));
        if (is_change(state, "moved"))
            printf(" from %s to %s", mr_cluster_text(server, state, "subtopology_before"),
                   mr_cluster_text(server, state, "subtopology"));
        if (mr_json_text(state, "changed_harmlessly") != NULL)
            printf("; harmless to it: %s changes",
                   mr_cluster_text(server, state, "changed_harmlessly"));
        puts("");
    }
}

static void print_sources(struct mr_server *server, const json_t *list)
{
    for (size_t index = 0; index < json_array_size(list); index++) {
        const json_t *source = json_array_get(list, index);
        printf("%s source   %s", sign_of(source), mr_cluster_text(server, source, "name"));
        if (mr_json_text(source, "starts") != NULL)
            printf(": starts at %s", mr_cluster_text(server, source, "starts"));
        else if (is_change(source, "dropped"))
            printf(": DROPPED with its position");
        else if (mr_json_text(source, "type_before") != NULL)
            printf(": REFUSED: it was a %s", mr_cluster_text(server, source, "type_before"));
        else if (mr_json_text(source, "changed_option") != NULL)
            printf(": REFUSED: its position depends on %s",
                   mr_cluster_text(server, source, "changed_option"));
        else if (is_change(source, "kept"))
            printf(": goes on where it is");
        if (mr_json_text(source, "changed_for_new_records") != NULL)
            printf("; for records from then on: %s changes",
                   mr_cluster_text(server, source, "changed_for_new_records"));
        puts("");
    }
}

static void print_topics(struct mr_server *server, const json_t *list)
{
    for (size_t index = 0; index < json_array_size(list); index++) {
        const json_t *topic = json_array_get(list, index);
        if (!is_change(topic, "kept"))
            printf("%s topic    <cluster>.<topology>.<generation>.%s%s\n", sign_of(topic),
                   mr_cluster_text(server, topic, "suffix"),
                   is_change(topic, "dropped") ? ": no longer used, goes with the topology" : "");
    }
}

void mr_cluster_print_difference(struct mr_server *server, const json_t *difference)
{
    if (mr_json_boolean(difference, "same")) {
        puts("  the plan is the same as that of the active version");
        return;
    }
    print_parts(server, json_object_get(difference, "subtopologies"));
    print_sources(server, json_object_get(difference, "sources"));
    print_states(server, json_object_get(difference, "state"));
    print_topics(server, json_object_get(difference, "topics"));
}

/* ---- diff ---- */

static void print_version(struct mr_server *server, const char *sign, const json_t *version)
{
    int64_t submitted_ms;
    printf("%s version %s", sign, mr_cluster_count(server, version, "version"));
    if (mr_json_time(version, "submitted_ms", &submitted_ms))
        printf(", submitted %s", mr_text_ago(&server->arena, submitted_ms, mr_clock_wall_ms()));
    puts("");
}

static void print_diff(struct mr_server *server, const json_t *root)
{
    const json_t *from = json_object_get(root, "from");
    const json_t *to = json_object_get(root, "to");
    const char *before = mr_json_text(from, "definition");
    const char *after = mr_json_text(to, "definition");
    if (mr_json_integer(from, "version", -1) == mr_json_integer(to, "version", -2)) {
        printf("%s has version %s only; name others with --from and --to\n",
               mr_cluster_text(server, to, "name"), mr_cluster_count(server, to, "version"));
        return;
    }
    print_version(server, "---", from);
    print_version(server, "+++", to);
    mr_cluster_print_lines(server, before == NULL ? "" : before, after == NULL ? "" : after);
    puts("");
    mr_cluster_print_difference(server, json_object_get(root, "difference"));
}

static enum mr_exit diff(struct mr_server *server, const struct mr_arguments *arguments)
{
    const char *path = mr_cluster_path(server, arguments->operands[0], "/diff");
    path = mr_server_query(server, path, "from", mr_arguments_flag(arguments, "from")->text);
    path = mr_server_query(server, path, "to", mr_arguments_flag(arguments, "to")->text);
    return mr_cluster_show(server, path, print_diff);
}

static enum mr_exit run_diff(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, diff);
}

static const struct mr_flag flags[] = {{.name = "from",
                                        .kind = MR_FLAG_INTEGER,
                                        .value = "VERSION",
                                        .minimum = 1,
                                        .maximum = UINT32_MAX,
                                        .help = "Default: the one before --to."},
                                       {.name = "to",
                                        .kind = MR_FLAG_INTEGER,
                                        .value = "VERSION",
                                        .minimum = 1,
                                        .maximum = UINT32_MAX,
                                        .help = "Default: the active one."},
                                       MR_FLAG_OUTPUT,
                                       MR_FLAGS_SERVER,
                                       {.name = NULL}};

const struct mr_command mr_command_diff = {
    .name = "diff",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Show what differs between two versions of a topology.",
    .description =
        "The last ten versions are kept. The lines of the definitions are compared, then "
        "tasks, sources, state and topics.",
    .flags = flags,
    .run = run_diff};
