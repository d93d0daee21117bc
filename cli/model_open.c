/* cli/model_open.c — see model_open.h. */
#include "cli/model_open.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/load.h"
#include "cli/server.h"

static enum mr_exit parse(struct mr_cli_model *model, const char *from)
{
    struct mr_error error;
    if (mr_sample_model_read(model->text, &model->model, &error) == MR_OK)
        return MR_EXIT_FINE;
    (void)fprintf(stderr, "millrace: %s: ", from);
    mr_text_write(stderr, mr_slice_text(error.message));
    (void)fputc('\n', stderr);
    return MR_EXIT_WRONG;
}

enum mr_exit mr_cli_model_read(struct mr_cli_model *model, const char *path, struct mr_arena *arena)
{
    struct mr_error error;
    *model = (struct mr_cli_model){0};
    if (mr_load_file(arena, path, MR_SAMPLE_DOCUMENT_BYTES_MAX, &model->text, &error) != MR_OK) {
        (void)fprintf(stderr, "millrace: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    return parse(model, path);
}

/* ---- From a cluster ---- */

static enum mr_exit fetch(struct mr_server *server, struct mr_cli_model *model,
                          const struct mr_arguments *arguments, const char *operand,
                          struct mr_arena *arena)
{
    struct mr_answer answer;
    const char *slash = strchr(operand, '/');
    const char *topology =
        mr_arena_copy_bytes_text(&server->arena, operand, (size_t)(slash - operand));
    const char *key = mr_arguments_flag(arguments, "key")->text;
    const char *path =
        mr_arena_format(&server->arena, "/v1/models/%s/%s%s%s", mr_server_part(server, topology),
                        mr_server_part(server, slash + 1), key == NULL ? "" : "/",
                        key == NULL ? "" : mr_server_part(server, key));
    if (mr_arguments_given(arguments, "partition"))
        path = mr_server_query(server, path, "partition",
                               mr_arguments_flag(arguments, "partition")->text);
    enum mr_exit code = mr_server_get(server, path, &answer);
    if (code != MR_EXIT_FINE)
        return code;
    model->text = mr_arena_copy(arena, answer.body);
    mr_answer_free(&answer);
    return parse(model, operand);
}

enum mr_exit mr_cli_model_fetch(struct mr_cli_model *model, const struct mr_arguments *arguments,
                                const char *operand, struct mr_arena *arena)
{
    struct mr_server server;
    const char *slash = strchr(operand, '/');
    *model = (struct mr_cli_model){0};
    if (slash == NULL || slash == operand || slash[1] == '\0' || strchr(slash + 1, '/') != NULL) {
        (void)fputs("millrace: '", stderr);
        mr_text_write(stderr, mr_slice_text(operand));
        (void)fputs("' is no TOPOLOGY/OPERATOR of a cluster\n", stderr);
        return MR_EXIT_USAGE;
    }
    enum mr_exit code = mr_server_open(&server, arguments);
    if (code == MR_EXIT_FINE)
        code = fetch(&server, model, arguments, operand, arena);
    mr_server_close(&server);
    return code;
}

enum mr_exit mr_cli_model_open(struct mr_cli_model *model, const struct mr_arguments *arguments,
                               const char *operand, struct mr_arena *arena)
{
    bool is_file = strcmp(operand, "-") == 0 || access(operand, F_OK) == 0;
    bool of_cluster =
        mr_arguments_given(arguments, "key") || mr_arguments_given(arguments, "partition");
    *model = (struct mr_cli_model){0};
    if (is_file && of_cluster && arguments->operands_count < 3) { /* two may be of either kind */
        (void)fprintf(stderr,
                      "millrace: --key and --partition are for TOPOLOGY/OPERATOR of a "
                      "cluster, and %s is a file\n",
                      operand);
        return MR_EXIT_USAGE;
    }
    if (is_file)
        return mr_cli_model_read(model, operand, arena);
    const char *slash = strchr(operand, '/');
    if (slash != NULL && strchr(slash + 1, '/') == NULL)
        return mr_cli_model_fetch(model, arguments, operand, arena);
    (void)fputs("millrace: '", stderr);
    mr_text_write(stderr, mr_slice_text(operand));
    (void)fputs("' is neither a file that is there nor TOPOLOGY/OPERATOR of a cluster; `millrace "
                "model save` writes such a file\n",
                stderr);
    return MR_EXIT_USAGE;
}

void mr_cli_model_close(struct mr_cli_model *model)
{
    mr_sample_model_destroy(model->model);
    model->model = NULL;
}
