/* cli/cluster_submit.c — `millrace submit`: bring topologies, or new versions of them, to a
 * cluster. Design: each file is checked here first, as `validate` does, so that findings have the
 * file's places and nothing is sent that cannot be; then the coordinator compares it with what runs
 * and answers what changes. */
#include "cli/cluster.h"

#include "cli/catalogue.h"
#include "cli/load.h"

#include <inttypes.h>

struct submitting {
    struct mr_server *server;
    const struct mr_arguments *arguments;
    struct mr_catalogue catalogue;
    struct mr_arena arena; /* of one file */
    const char *path;
    const char *shown_path;
    bool dry_run;
};

/* Read, check, and put the environment's values in. */
static enum mr_exit prepare(struct submitting *submitting, struct mr_slice *definition)
{
    uint32_t names_count = 0;
    struct mr_plan *plan;
    enum mr_exit code = mr_load_definition(&submitting->arena, submitting->path,
                                           &submitting->catalogue, &plan, definition, &names_count);
    if (code == MR_EXIT_FINE && names_count > 0 && !submitting->server->json)
        (void)fprintf(stderr, "%s: %s from the environment, stored in spec.values\n",
                      submitting->shown_path,
                      mr_text_plural(&submitting->arena, names_count, "value"));
    return code;
}

static void print_submission(struct submitting *submitting, const json_t *submission)
{
    struct mr_server *server = submitting->server;
    const json_t *difference = json_object_get(submission, "difference");
    const char *message = mr_json_text(submission, "message");
    printf("%s: version %s%s%s\n", mr_cluster_text(server, submission, "name"),
           mr_cluster_count(server, submission, "version"),
           mr_json_boolean(difference, "new") ? ", the first" : "",
           mr_json_boolean(submission, "dry_run") ? " (dry run: nothing was done)" : "");
    mr_cluster_print_difference(server, difference);
    if (message != NULL && message[0] != '\0')
        printf("  %s\n", mr_cluster_text(server, submission, "message"));
}

static enum mr_exit send(struct submitting *submitting, struct mr_slice definition,
                         const char **name)
{
    struct mr_server *server = submitting->server;
    struct mr_answer answer;
    const char *path = mr_cluster_drop_state(
        server, mr_arguments_flag(submitting->arguments, "drop-state"), "/v1/topologies");
    if (submitting->dry_run)
        path = mr_server_query(server, path, "dry_run", "1");
    enum mr_exit code =
        mr_server_send(server, "POST", path, "application/yaml", definition, &answer);
    if (code != MR_EXIT_FINE)
        return code;
    *name = mr_json_text(answer.json, "name");
    if (*name != NULL)
        *name = mr_arena_copy_text(&server->arena, *name);
    if (answer.code < 200 || answer.code > 299)
        code = mr_server_refused(server, &answer, submitting->shown_path);
    else if (server->json)
        mr_answer_print(&answer);
    else
        print_submission(submitting, answer.json);
    mr_answer_free(&answer);
    return code;
}

static enum mr_exit submit_one(struct submitting *submitting)
{
    struct mr_cluster_wait wait;
    struct mr_slice definition;
    const char *name = NULL;
    enum mr_exit code = prepare(submitting, &definition);
    if (code == MR_EXIT_FINE)
        code = send(submitting, definition, &name);
    if (code != MR_EXIT_FINE || submitting->dry_run || name == NULL ||
        !mr_cluster_wait_begin(&wait, submitting->arguments))
        return code;
    code = mr_cluster_wait_running(submitting->server, &wait, name);
    if (code == MR_EXIT_FINE && !submitting->server->json)
        printf("%s runs\n", name);
    return code;
}

/* A file that is refused does not keep the others away; a cluster that is away does. */
static enum mr_exit submit(struct mr_server *server, const struct mr_arguments *arguments)
{
    enum { ARENA_CHUNK_BYTES = 256 << 10 };
    struct submitting submitting = {.server = server,
                                    .arguments = arguments,
                                    .dry_run = mr_arguments_given(arguments, "dry-run")};
    enum mr_exit code = MR_EXIT_FINE;
    mr_catalogue_make(&server->arena, &submitting.catalogue);
    mr_arena_init(&submitting.arena, ARENA_CHUNK_BYTES);
    for (uint32_t index = 0; index < arguments->operands_count && code != MR_EXIT_UNREACHED;
         index++) {
        submitting.path = arguments->operands[index];
        submitting.shown_path =
            strcmp(submitting.path, "-") == 0 ? "standard input" : submitting.path;
        mr_arena_reset(&submitting.arena);
        enum mr_exit one = submit_one(&submitting);
        code = one > code ? one : code;
    }
    mr_arena_deinit(&submitting.arena);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, submit);
}

static const struct mr_flag flags[] = {
    {.name = "drop-state",
     .kind = MR_FLAG_TEXTS,
     .value = "NAME",
     .help = "State or position that may be dropped; more than once."},
    MR_FLAGS_WAIT,
    MR_FLAG_DRY_RUN,
    MR_FLAG_OUTPUT,
    MR_FLAGS_SERVER,
    {.name = NULL}};

const struct mr_command mr_command_submit = {
    .name = "submit",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = MR_OPERANDS_MAX,
    .summary = "Bring topologies, or new versions of them, to a cluster.",
    .description =
        "Says what changes: `+` is added, `-` dropped, `>` moved. A version that would drop state "
        "or a source's\nposition is refused unless each is named by --drop-state. Findings are "
        "those of `validate`. ${NAME} is\ntaken from this environment and stored in spec.values. "
        "`-` reads standard input. With --wait it returns when\nall tasks run, with exit code 1 "
        "when the topology has failed or the time is over.",
    .flags = flags,
    .run = run};
