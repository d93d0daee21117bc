/* cli/cluster_query.c — `millrace query`: committed state of a key. */
#include "cli/cluster.h"

#include "base/assert.h"
#include "base/number.h"

#include <inttypes.h>

/* Numbers as shortly as they read back, which jansson does not write. */
static void print_scalar(const json_t *value)
{
    char number[MR_NUMBER_TEXT_SIZE];
    if (json_is_real(value))
        printf("%.*s\n", (int)mr_number_format_double(json_real_value(value), number), number);
    else if (json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        puts("");
}

/* An object's members, one a line, and so the elements of a list of objects; jansson's iterators
 * take no const. */
static void print_value(const json_t *value, int depth)
{
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        const json_t *member = json_object_iter_value(at);
        printf("%*s", depth * 2, "");
        mr_text_write(stdout, mr_slice_text(json_object_iter_key(at)));
        printf(": ");
        if (json_is_object(member) && json_object_size(member) > 0) {
            puts("");
            print_value(member, depth + 1);
        } else if (json_is_object(json_array_get(member, 0))) {
            puts("");
            for (size_t index = 0; index < json_array_size(member); index++) {
                printf("%*s", (depth + 1) * 2, "");
                print_scalar(json_array_get(member, index));
            }
        } else {
            print_scalar(member);
        }
    }
}

static void print_state(struct mr_server *server, const json_t *root)
{
    const json_t *value = json_object_get(root, "value");
    printf("%s/%s of key %s, partition %" PRId64 "\n", mr_cluster_text(server, root, "topology"),
           mr_cluster_text(server, root, "store"), mr_cluster_text(server, root, "key"),
           mr_json_integer(root, "partition", -1));
    if (mr_json_boolean(root, "standby")) {
        int64_t stale_ms = mr_json_integer(root, "staleness_ms", -1);
        printf("  from a standby, %s behind (%s records)\n",
               mr_text_duration(&server->arena, stale_ms),
               mr_cluster_count(server, root, "staleness_records"));
    }
    print_value(json_is_object(value) ? value : root, 1);
}

static enum mr_exit query(struct mr_server *server, const struct mr_arguments *arguments)
{
    struct mr_answer answer;
    const char *path = mr_arena_format(&server->arena, "/v1/state/%s/%s/%s",
                                       mr_server_part(server, arguments->operands[0]),
                                       mr_server_part(server, arguments->operands[1]),
                                       mr_server_part(server, arguments->operands[2]));
    if (mr_arguments_given(arguments, "standby"))
        path = mr_server_query(server, path, "standby", "1");
    static const char *const asked[] = {"last", "since", "layer", "from", "to"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(asked); index++)
        if (mr_arguments_given(arguments, asked[index]))
            path = mr_server_query(server, path, asked[index],
                                   mr_arguments_flag(arguments, asked[index])->text);
    enum mr_exit code = mr_server_send(server, "GET", path, NULL, (struct mr_slice){0}, &answer);
    if (code != MR_EXIT_FINE)
        return code;
    if (answer.code < 200 || answer.code > 299)
        code = mr_server_refused(server, &answer, NULL);
    else if (server->json)
        mr_answer_print(&answer);
    else
        print_state(server, answer.json);
    mr_answer_free(&answer);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, query);
}

static const struct mr_flag flags[] = {
    {.name = "standby",
     .kind = MR_FLAG_SWITCH,
     .help = "A standby may answer; how far it is behind is said."},
    {.name = "last",
     .kind = MR_FLAG_TEXT,
     .value = "N",
     .help = "Of an operator that keeps records (buffer): the last so many."},
    {.name = "since",
     .kind = MR_FLAG_TEXT,
     .value = "DURATION",
     .help = "The same: those of the last 10s, for instance, of the key's event time; of "
             "voxel.aggregate the voxels that had points then."},
    {.name = "layer",
     .kind = MR_FLAG_TEXT,
     .value = "N",
     .help = "Of voxel.aggregate: what the layer says, and its voxels."},
    {.name = "from",
     .kind = MR_FLAG_TEXT,
     .value = "X,Y,Z",
     .help = "The same: the voxels of a box, of which this is the lower corner,"},
    {.name = "to",
     .kind = MR_FLAG_TEXT,
     .value = "X,Y,Z",
     .help = "and this the upper one, in the unit of the fields."},
    MR_FLAG_OUTPUT,
    MR_FLAGS_SERVER,
    {.name = NULL}};

const struct mr_command mr_command_query = {
    .name = "query",
    .operands = "TOPOLOGY OPERATOR KEY",
    .operands_min = 3,
    .operands_max = 3,
    .summary = "Read the committed state of a key from the worker that has it.",
    .description =
        "KEY is the key as message keys have it: one text is itself, several values are a compact "
        "JSON array such as\n'[\"s1\",2]'. While the key's task moves or is restored the answer "
        "is refused with exit code 3 and a time to\ncome back; a standby may answer instead.",
    .flags = flags,
    .run = run};
