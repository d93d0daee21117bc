/* cli/server.c — see server.h. */
#include "cli/server.h"

#include "base/clock.h"
#include "cli/kafka_access.h"
#include "cli/load.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

enum {
    ARENA_CHUNK_BYTES = 16 << 10,
    TOKEN_BYTES_MAX = 64 << 10,
    URL_BYTES_MAX = 1024,
    PROBE_MS = 5000,
    CURL_RESOLVE = 6, /* libcurl's codes: no connection came about, so nothing was sent */
    CURL_CONNECT = 7,
    CURL_TLS_CONNECT = 35,
    CURL_TLS_PEER = 60
};

static const char default_server[] = "http://127.0.0.1:8080";

/* ---- Opening ---- */

static enum mr_exit bad_address(const char *address, const char *why)
{
    (void)fprintf(stderr, "millrace: --server: '%.200s' %s\n", address, why);
    return MR_EXIT_USAGE;
}

static enum mr_exit add_address(struct mr_server *server, struct mr_slice address)
{
    while (address.size > 0 && isspace(address.data[0]))
        address = mr_slice_from(address.data + 1, address.size - 1);
    while (address.size > 0 &&
           (isspace(address.data[address.size - 1]) || address.data[address.size - 1] == '/'))
        address.size--;
    char *text = mr_arena_copy_bytes_text(&server->arena, address.data, address.size);
    if (address.size == 0)
        return bad_address("", "holds an empty address");
    if (strchr(text, '@') != NULL)
        return bad_address("...", "holds a user or password; a token is given by --token-file");
    if (server->urls_count == MR_SERVERS_MAX)
        return bad_address(text, "is one more than the 16 addresses that are tried");
    if (address.size > URL_BYTES_MAX)
        return bad_address(text, "is too long for an address");
    if (strstr(text, "://") == NULL)
        text = mr_arena_format(&server->arena, "http://%s", text);
    if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
        return bad_address(text, "is no http:// or https:// address");
    server->urls[server->urls_count++] = text;
    return MR_EXIT_FINE;
}

static enum mr_exit read_addresses(struct mr_server *server, const char *list)
{
    enum mr_exit code = MR_EXIT_FINE;
    for (const char *cursor = list; cursor != NULL && code == MR_EXIT_FINE;) {
        const char *comma = strchr(cursor, ',');
        size_t size = comma == NULL ? strlen(cursor) : (size_t)(comma - cursor);
        code = add_address(server, mr_slice_from(cursor, size));
        cursor = comma == NULL ? NULL : comma + 1;
    }
    return code;
}

/* The token is the file's first line. */
static enum mr_exit read_token(struct mr_server *server, const char *path, const char **token)
{
    struct mr_slice bytes;
    struct mr_error error;
    if (path == NULL)
        return MR_EXIT_FINE;
    if (mr_load_file(&server->arena, path, TOKEN_BYTES_MAX, &bytes, &error) != MR_OK) {
        (void)fprintf(stderr, "millrace: --token-file: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    size_t size = 0;
    while (size < bytes.size && bytes.data[size] > ' ' && bytes.data[size] < 0x7f)
        size++;
    size_t rest = size;
    while (rest < bytes.size && isspace(bytes.data[rest]))
        rest++;
    if (size == 0 || rest < bytes.size) {
        (void)fprintf(stderr, "millrace: --token-file: '%s' must hold one token and nothing else\n",
                      path);
        return MR_EXIT_USAGE;
    }
    *token = mr_arena_copy_bytes_text(&server->arena, bytes.data, size);
    return MR_EXIT_FINE;
}

enum mr_exit mr_server_open(struct mr_server *server, const struct mr_arguments *arguments)
{
    struct mr_error error;
    struct mr_http_client_options options = {0};
    *server = (struct mr_server){0};
    mr_arena_init(&server->arena, ARENA_CHUNK_BYTES);
    mr_arena_init(&server->reply_arena, ARENA_CHUNK_BYTES);
    server->json = mr_arguments_declared(arguments, "output") &&
                   mr_arguments_flag(arguments, "output")->integer == MR_OUTPUT_JSON;
    server->wait_ms = (uint32_t)mr_arguments_flag(arguments, "request-timeout")->integer;
    options.authority_file = mr_access_text(arguments, "ca-file", "MILLRACE_CA_FILE", NULL);
    enum mr_exit code = read_addresses(
        server, mr_access_text(arguments, "server", "MILLRACE_SERVER", default_server));
    if (code == MR_EXIT_FINE)
        code =
            read_token(server, mr_access_text(arguments, "token-file", "MILLRACE_TOKEN_FILE", NULL),
                       &options.token);
    if (code != MR_EXIT_FINE)
        return code;
    if (mr_http_client_create(&options, &server->client, &error) != MR_OK) {
        (void)fprintf(stderr, "millrace: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    return MR_EXIT_FINE;
}

void mr_server_close(struct mr_server *server)
{
    mr_http_client_destroy(server->client);
    server->client = NULL;
    mr_arena_deinit(&server->reply_arena);
    mr_arena_deinit(&server->arena);
}

/* ---- Sending ---- */

static bool was_not_sent(const struct mr_error *error)
{
    return error->origin_code == CURL_RESOLVE || error->origin_code == CURL_CONNECT ||
           error->origin_code == CURL_TLS_CONNECT || error->origin_code == CURL_TLS_PEER;
}

static bool is_unavailable(int code)
{
    return code == 502 || code == 503 || code == 504;
}

/* What the client says, without the address that we say ourselves. */
static const char *reason_of(const struct mr_error *error)
{
    static const char marker[] = " got no answer: ";
    const char *found = strstr(error->message, marker);
    return found == NULL ? error->message : found + sizeof marker - 1;
}

/* What no address answered, and what to try. */
struct failure {
    const char *urls[MR_SERVERS_MAX];
    const char *reasons[MR_SERVERS_MAX];
    uint32_t count;
    bool unknown; /* a change may have been carried out */
};

static enum mr_exit print_failure(const struct failure *failure)
{
    for (uint32_t index = 0; index < failure->count; index++) {
        (void)fprintf(stderr, "millrace: no coordinator answers at %s: ", failure->urls[index]);
        mr_text_write(stderr, mr_slice_text(failure->reasons[index]));
        (void)fputc('\n', stderr);
    }
    if (failure->unknown)
        (void)fputs("Whether the request was carried out is not known: look with `millrace list` "
                    "before you repeat it.\n",
                    stderr);
    else
        (void)fputs("Check that millrace-coordinator runs with this --http address, or name "
                    "another with --server or MILLRACE_SERVER.\n",
                    stderr);
    return MR_EXIT_UNREACHED;
}

/* FINE: the next address may be tried. */
static enum mr_exit note_failure(struct mr_server *server, struct failure *failure, bool change,
                                 const struct mr_error *error)
{
    const char *url = server->urls[server->current];
    if (error->status == MR_INVALID) {
        (void)fprintf(stderr, "millrace: --server: %s\n", error->message);
        return MR_EXIT_USAGE;
    }
    if (error->status == MR_LIMIT) {
        (void)fprintf(stderr, "millrace: the answer of %s is larger than %d MiB\n", url,
                      (int)(MR_HTTP_REPLY_BYTES_MAX >> 20));
        return MR_EXIT_WRONG;
    }
    failure->urls[failure->count] = url;
    failure->reasons[failure->count++] = mr_arena_copy_text(&server->reply_arena, reason_of(error));
    failure->unknown = change && !was_not_sent(error);
    return failure->unknown ? print_failure(failure) : MR_EXIT_FINE;
}

/* The answers of anything else than a coordinator are of no use. */
static enum mr_exit read_answer(const struct mr_http_reply *reply, const char *url,
                                struct mr_answer *answer)
{
    json_error_t reason;
    *answer = (struct mr_answer){
        .code = reply->code, .body = reply->body, .retry_after_s = reply->retry_after_s};
    if (reply->body.size == 0)
        return MR_EXIT_FINE;
    answer->json =
        json_loadb((const char *)reply->body.data, reply->body.size, JSON_DECODE_ANY, &reason);
    if (answer->json != NULL)
        return MR_EXIT_FINE;
    (void)fprintf(stderr,
                  "millrace: %s answered %d with something else than JSON (%s): it is no "
                  "coordinator of Millrace, or there is a proxy in between\n",
                  url, reply->code,
                  reply->content_type[0] == '\0' ? "no content type" : reply->content_type);
    return MR_EXIT_UNREACHED;
}

/* Make `current` an address that answers; a failure is left to the request itself. */
static void find_server(struct mr_server *server)
{
    for (uint32_t index = 0; index < server->urls_count; index++) {
        struct mr_http_reply reply;
        struct mr_error error;
        const char *url =
            mr_arena_format(&server->reply_arena, "%s/v1/leader", server->urls[index]);
        uint32_t wait_ms =
            server->wait_ms > 0 && server->wait_ms < PROBE_MS ? server->wait_ms : PROBE_MS;
        if (mr_http_client_send(server->client, "GET", url, NULL, (struct mr_slice){0}, wait_ms,
                                &server->reply_arena, &reply, &error) == MR_OK &&
            !is_unavailable(reply.code)) {
            server->current = index;
            server->answered = true;
            return;
        }
    }
}

enum mr_exit mr_server_send(struct mr_server *server, const char *method, const char *path,
                            const char *content_type, struct mr_slice body,
                            struct mr_answer *answer)
{
    struct mr_http_reply reply;
    struct mr_error error;
    bool change = strcmp(method, "GET") != 0;
    uint32_t wait_ms = server->wait_ms > 0 ? server->wait_ms
                       : change            ? MR_SERVER_CHANGE_MS
                                           : MR_SERVER_READ_MS;
    mr_arena_reset(&server->reply_arena);
    if (change && server->urls_count > 1 && !server->answered)
        find_server(server);
    struct failure failure = {.count = 0};
    for (uint32_t tried = 0; tried < server->urls_count; tried++) {
        bool last = tried == server->urls_count - 1;
        const char *base = server->urls[server->current];
        const char *url = mr_arena_format(&server->reply_arena, "%s%s", base, path);
        if (mr_http_client_send(server->client, method, url, content_type, body, wait_ms,
                                &server->reply_arena, &reply, &error) != MR_OK) {
            enum mr_exit code = note_failure(server, &failure, change, &error);
            if (code != MR_EXIT_FINE)
                return code;
        } else if (last || change || !is_unavailable(reply.code)) {
            server->answered = true;
            return read_answer(&reply, base, answer);
        }
        server->current = (server->current + 1) % server->urls_count;
    }
    return print_failure(&failure);
}

void mr_answer_free(struct mr_answer *answer)
{
    json_decref(answer->json);
    answer->json = NULL;
}

void mr_answer_print(const struct mr_answer *answer)
{
    (void)fwrite(answer->body.data, 1, answer->body.size, stdout);
    if (answer->body.size > 0 && answer->body.data[answer->body.size - 1] != '\n')
        (void)fputc('\n', stdout);
}

static void print_findings(const json_t *errors, const char *file)
{
    for (size_t index = 0; index < json_array_size(errors); index++) {
        const json_t *finding = json_array_get(errors, index);
        int64_t line = mr_json_integer(finding, "line", 0);
        const char *severity = mr_json_text(finding, "severity");
        const char *message = mr_json_text(finding, "message");
        (void)fprintf(stderr, "%s:", file == NULL ? "millrace" : file);
        if (line > 0)
            (void)fprintf(stderr, "%" PRId64 ":%" PRId64 ":", line,
                          mr_json_integer(finding, "column", 0));
        (void)fprintf(stderr, " %s: ",
                      severity != NULL && strcmp(severity, "warning") == 0 ? "warning" : "error");
        mr_text_write(stderr, mr_slice_text(message == NULL ? "" : message));
        (void)fputc('\n', stderr);
    }
}

enum mr_exit mr_server_refused(const struct mr_server *server, const struct mr_answer *answer,
                               const char *file)
{
    const json_t *errors = json_object_get(answer->json, "errors");
    const char *detail = mr_json_text(answer->json, "detail");
    if (detail == NULL || detail[0] == '\0')
        detail = mr_json_text(answer->json, "title");
    print_findings(errors, file);
    if (json_array_size(errors) == 0 || file == NULL) {
        (void)fputs("millrace: ", stderr);
        if (detail != NULL)
            mr_text_write(stderr, mr_slice_text(detail));
        else
            (void)fprintf(stderr, "the coordinator answered %d", answer->code);
        (void)fputc('\n', stderr);
    }
    if (answer->code == 401 || answer->code == 403)
        (void)fputs("The token of --token-file or MILLRACE_TOKEN_FILE says who you are.\n", stderr);
    if (answer->retry_after_s > 0)
        (void)fprintf(stderr, "Try again in %u s.\n", answer->retry_after_s);
    if (server->json)
        mr_answer_print(answer);
    return is_unavailable(answer->code) ? MR_EXIT_UNREACHED : MR_EXIT_WRONG;
}

static enum mr_exit ask(struct mr_server *server, const char *method, const char *path,
                        struct mr_answer *answer)
{
    enum mr_exit code = mr_server_send(server, method, path, NULL, (struct mr_slice){0}, answer);
    if (code != MR_EXIT_FINE || (answer->code >= 200 && answer->code < 300))
        return code;
    code = mr_server_refused(server, answer, NULL);
    mr_answer_free(answer);
    return code;
}

enum mr_exit mr_server_get(struct mr_server *server, const char *path, struct mr_answer *answer)
{
    return ask(server, "GET", path, answer);
}

enum mr_exit mr_server_change(struct mr_server *server, const char *method, const char *path,
                              struct mr_answer *answer)
{
    return ask(server, method, path, answer);
}

const char *mr_server_part(struct mr_server *server, const char *text)
{
    return mr_text_percent(&server->arena, mr_slice_text(text));
}

const char *mr_server_query(struct mr_server *server, const char *path, const char *name,
                            const char *text)
{
    if (text == NULL)
        return path;
    return mr_arena_format(&server->arena, "%s%c%s=%s", path, strchr(path, '?') == NULL ? '?' : '&',
                           name, mr_server_part(server, text));
}

struct mr_slice mr_server_json(struct mr_server *server, json_t *value)
{
    size_t size = value == NULL ? 0 : json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text = mr_arena_take(&server->arena, size + 1);
    if (size > 0)
        (void)json_dumpb(value, text, size, JSON_COMPACT);
    json_decref(value);
    return mr_slice_from(text, size);
}

/* ---- Reading answers ---- */

const char *mr_json_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

int64_t mr_json_integer(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value))
        return json_integer_value(value);
    return json_is_real(value) ? (int64_t)json_real_value(value) : otherwise;
}

bool mr_json_boolean(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

const json_t *mr_json_list(const json_t *root, const char *name)
{
    const json_t *list = json_is_array(root) ? root : json_object_get(root, name);
    return list;
}

bool mr_json_time(const json_t *object, const char *name, int64_t *time_ms)
{
    const json_t *value = json_object_get(object, name);
    int64_t seconds;
    int32_t nanoseconds;
    if (json_is_integer(value)) {
        *time_ms = json_integer_value(value);
        return *time_ms > 0;
    }
    if (!json_is_string(value) ||
        !mr_clock_parse_rfc3339(mr_slice_text(json_string_value(value)), &seconds, &nanoseconds))
        return false;
    *time_ms = seconds * 1000 + nanoseconds / 1000000;
    return true;
}
