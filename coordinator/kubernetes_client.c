/* coordinator/kubernetes_client.c — see kubernetes_client.h. */
#include "coordinator/kubernetes_client.h"

#include "base/memory.h"
#include "coordinator/kubernetes_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAIT_MS = 30000, ARENA_BYTES = 64 << 10, NAMESPACE_BYTES_MAX = 63, URL_BYTES_MAX = 512 };

#define POD_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount/"

struct mr_kubernetes_client {
    struct mr_http_client *http;
    char *url;
    char *token_file;
    char *name_space;
    struct mr_arena arena; /* of one request */
};

/* ---- Files ---- */

/* A small file's text without white space at its end. */
static enum mr_status read_text(const char *path, struct mr_arena *arena, const char **text,
                                struct mr_error *error)
{
    char *bytes = mr_arena_take(arena, MR_KUBERNETES_TOKEN_BYTES_MAX + 1);
    size_t size = 0;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && size <= MR_KUBERNETES_TOKEN_BYTES_MAX) {
        got = read(fd, bytes + size, MR_KUBERNETES_TOKEN_BYTES_MAX + 1 - size);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    int code = errno;
    if (fd >= 0)
        (void)close(fd);
    if (fd < 0 || got < 0)
        return MR_FAIL_ERRNO(error, code, MR_RECOVERY_RETRY, "%.200s cannot be read", path);
    if (size > MR_KUBERNETES_TOKEN_BYTES_MAX)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE, "%.200s has more than %d bytes.", path,
                       MR_KUBERNETES_TOKEN_BYTES_MAX);
    while (size > 0 && (uint8_t)bytes[size - 1] <= ' ')
        size--;
    bytes[size] = '\0';
    *text = bytes;
    return MR_OK;
}

/* The token goes into a header: visible ASCII only. */
static enum mr_status read_token(struct mr_kubernetes_client *client, struct mr_error *error)
{
    const char *token;
    if (client->token_file == NULL)
        return MR_OK;
    enum mr_status status = read_text(client->token_file, &client->arena, &token, error);
    if (status != MR_OK)
        return status;
    for (const char *at = token; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_RETRY, "%.200s holds no token.",
                           client->token_file);
    if (token[0] == '\0')
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_RETRY,
                       "%.200s is empty; it must hold the "
                       "token of a service account.",
                       client->token_file);
    mr_http_client_token(client->http, token);
    return MR_OK;
}

/* ---- Options ---- */

bool mr_kubernetes_is_name(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.");
    return size > 0 && size <= MR_KUBERNETES_NAME_BYTES_MAX && text[size] == '\0' &&
           text[0] != '.' && text[0] != '-';
}

static enum mr_status fill_address(struct mr_kubernetes_options *options, struct mr_arena *arena,
                                   struct mr_error *error)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0')
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "This process runs in no pod of Kubernetes: KUBERNETES_SERVICE_HOST and "
                       "KUBERNETES_SERVICE_PORT are not set. Give the API server's address, as in "
                       "--kubernetes https://10.0.0.1:443.");
    bool six = strchr(host, ':') != NULL;
    options->url =
        mr_arena_format(arena, "https://%s%s%s:%s", six ? "[" : "", host, six ? "]" : "", port);
    if (options->authority_file == NULL)
        options->authority_file = POD_FOLDER "ca.crt";
    if (options->token_file == NULL)
        options->token_file = POD_FOLDER "token";
    return MR_OK;
}

enum mr_status mr_kubernetes_options_fill(struct mr_kubernetes_options *options,
                                          struct mr_arena *arena, struct mr_error *error)
{
    bool in_pod = options->url == NULL;
    enum mr_status status = in_pod ? fill_address(options, arena, error) : MR_OK;
    if (status != MR_OK || options->name_space != NULL)
        return status;
    status = read_text(POD_FOLDER "namespace", arena, &options->name_space, error);
    if (status == MR_NOT_FOUND && !in_pod) {
        options->name_space = "default";
        return MR_OK;
    }
    return status;
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : mr_memory_copy_text(text);
}

static enum mr_status check(const struct mr_kubernetes_options *options, struct mr_error *error)
{
    size_t size = strlen(options->url);
    bool known =
        strncmp(options->url, "https://", 8) == 0 || strncmp(options->url, "http://", 7) == 0;
    if (!known || size > URL_BYTES_MAX || strpbrk(options->url, "@?# \t\r\n") != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "The address of the API server is like https://10.0.0.1:443, without a "
                       "name or password in it.");
    if (strlen(options->name_space) > NAMESPACE_BYTES_MAX ||
        !mr_kubernetes_is_name(options->name_space))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "'%.70s' is no namespace of Kubernetes: lower-case letters, digits and -.",
                       options->name_space);
    return MR_OK;
}

enum mr_status mr_kubernetes_client_create(const struct mr_kubernetes_options *options,
                                           struct mr_kubernetes_client **client,
                                           struct mr_error *error)
{
    const struct mr_http_client_options http = {.authority_file = options->authority_file,
                                                .no_redirects = true};
    struct mr_http_client *sender;
    enum mr_status status = check(options, error);
    if (status == MR_OK)
        status = mr_http_client_create(&http, &sender, error);
    if (status != MR_OK)
        return status;
    struct mr_kubernetes_client *created = mr_memory_new(1, sizeof(*created));
    created->http = sender;
    created->url = copy(options->url);
    created->token_file = copy(options->token_file);
    created->name_space = copy(options->name_space);
    for (size_t size = strlen(created->url); created->url[size - 1] == '/'; size--)
        created->url[size - 1] = '\0';
    mr_arena_init(&created->arena, ARENA_BYTES);
    *client = created;
    return MR_OK;
}

void mr_kubernetes_client_destroy(struct mr_kubernetes_client *client)
{
    if (client == NULL)
        return;
    mr_http_client_destroy(client->http);
    mr_memory_free(client->url);
    mr_memory_free(client->token_file);
    mr_memory_free(client->name_space);
    mr_arena_deinit(&client->arena);
    mr_memory_free(client);
}

void mr_kubernetes_client_cancel(struct mr_kubernetes_client *client)
{
    mr_http_client_cancel(client->http);
}

const char *mr_kubernetes_client_namespace(const struct mr_kubernetes_client *client)
{
    return client->name_space;
}

/* ---- Answers ---- */

/* What the server said, as a sentence: the message of its Status. */
static enum mr_status refused(const struct mr_http_reply *reply, const char *path,
                              struct mr_error *error)
{
    json_t *said = mr_kubernetes_json(reply->body);
    const char *message = json_string_value(json_object_get(said, "message"));
    enum mr_status status = MR_INVALID;
    enum mr_recovery recovery = MR_RECOVERY_NONE;
    if (reply->code == 404) {
        status = MR_NOT_FOUND;
    } else if (reply->code == 409) {
        status = MR_FENCED;
        recovery = MR_RECOVERY_RETRY;
    } else if (reply->code == 410) {
        status = MR_VERSION;
        recovery = MR_RECOVERY_RETRY;
    } else if (reply->code == 429 || reply->code >= 500) {
        status = MR_IO;
        recovery = MR_RECOVERY_RETRY;
    }
    status =
        MR_FAIL(error, status, recovery, "Kubernetes answered %d for %.160s%s%.300s", reply->code,
                path, message != NULL ? ": " : ".", message != NULL ? message : "");
    mr_error_origin(error, "kubernetes", reply->code);
    json_decref(said);
    return status;
}

static enum mr_status read_answer(const struct mr_http_reply *reply, const char *path,
                                  json_t **answer, struct mr_error *error)
{
    if (reply->code < 200 || reply->code > 299)
        return refused(reply, path, error);
    if (answer == NULL)
        return MR_OK;
    *answer = mr_kubernetes_json(reply->body);
    if (json_is_object(*answer))
        return MR_OK;
    json_decref(*answer);
    *answer = NULL;
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RETRY,
                   "The API server's answer for %.200s is no JSON object.", path);
}

/* ---- Requests ---- */

enum mr_status mr_kubernetes_client_send(struct mr_kubernetes_client *client, const char *method,
                                         const char *path, const char *content_type,
                                         const json_t *body, json_t **answer,
                                         struct mr_error *error)
{
    struct mr_http_reply reply = {0};
    struct mr_slice bytes = {0};
    enum mr_status status = MR_OK;
    if (answer != NULL)
        *answer = NULL;
    mr_arena_reset(&client->arena);
    if (body != NULL) {
        size_t size = json_dumpb(body, NULL, 0, JSON_COMPACT);
        char *text = mr_arena_take(&client->arena, size + 1);
        bytes = mr_slice_from(text, json_dumpb(body, text, size, JSON_COMPACT));
    }
    const char *url = mr_arena_format(&client->arena, "%s%s", client->url, path);
    for (int attempt = 0; status == MR_OK && attempt < 2; attempt++) {
        status = read_token(client, error);
        if (status == MR_OK)
            status =
                mr_http_client_send(client->http, method, url, body != NULL ? content_type : NULL,
                                    bytes, WAIT_MS, &client->arena, &reply, error);
        if (reply.code != 401) /* else the token may just have been replaced */
            break;
    }
    return status == MR_OK ? read_answer(&reply, path, answer, error) : status;
}

enum mr_status mr_kubernetes_client_get(struct mr_kubernetes_client *client, const char *path,
                                        json_t **answer, struct mr_error *error)
{
    return mr_kubernetes_client_send(client, "GET", path, NULL, NULL, answer, error);
}

enum mr_status mr_kubernetes_client_read_lines(struct mr_kubernetes_client *client,
                                               const char *path, const struct mr_http_lines *lines,
                                               struct mr_error *error)
{
    struct mr_http_reply reply = {0};
    mr_arena_reset(&client->arena);
    const char *url = mr_arena_format(&client->arena, "%s%s", client->url, path);
    enum mr_status status = read_token(client, error);
    if (status == MR_OK)
        status = mr_http_client_read_lines(client->http, url, lines, &client->arena, &reply, error);
    return status == MR_OK ? read_answer(&reply, path, NULL, error) : status;
}

enum mr_status mr_kubernetes_client_replicas(struct mr_kubernetes_client *client,
                                             const char *stateful_set,
                                             struct mr_kubernetes_replicas *replicas,
                                             struct mr_error *error)
{
    char path[2 * MR_KUBERNETES_NAME_BYTES_MAX + 64];
    json_t *answer;
    if (!mr_kubernetes_is_name(stateful_set))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "'%.60s' is no name of a StatefulSet: lower-case letters, digits, - and .",
                       stateful_set);
    (void)snprintf(path, sizeof(path), "/apis/apps/v1/namespaces/%s/statefulsets/%s",
                   client->name_space, stateful_set);
    enum mr_status status = mr_kubernetes_client_get(client, path, &answer, error);
    if (status != MR_OK)
        return status;
    const json_t *spec = json_object_get(answer, "spec");
    const json_t *count = json_object_get(spec, "replicas");
    json_int_t start =
        json_integer_value(json_object_get(json_object_get(spec, "ordinals"), "start"));
    json_int_t wanted = json_is_integer(count) ? json_integer_value(count) : 1;
    if (wanted < 0 || wanted > INT32_MAX || start < 0 || start > INT32_MAX - wanted)
        status =
            MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RETRY,
                    "The API server's answer for %.300s has no sound count of replicas.", path);
    else
        *replicas = (struct mr_kubernetes_replicas){.replicas = (int32_t)wanted,
                                                    .first_ordinal = (int32_t)start};
    json_decref(answer);
    return status;
}
