/* http/client.c — HTTP requests by libcurl.
 * Design: one easy handle per client, so that the connection is kept; its options are set anew for
 * each request. The reply's body grows up to its ceiling; a listener cuts events out of the stream
 * line by line. */
#include "http/client.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>

enum { REDIRECTS_MAX = 3, CONNECT_MS_MAX = 10000, EVENT_BYTES_MAX = 16 << 20, KEEPALIVE_S = 15 };

struct mr_http_client {
    CURL *easy;
    char *token;
    char *authority_file;
    char *certificate_file;
    char *key_file;
    bool no_redirects;
    char reason[CURL_ERROR_SIZE];
    atomic_bool cancelled;
    bool (*given_up)(void *argument); /* of the lines that are read; NULL: none are */
    void *given_up_argument;
};

static int global_code;

static void initialize(void)
{
    global_code = (int)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : mr_memory_copy_text(text);
}

enum mr_status mr_http_client_create(const struct mr_http_client_options *options,
                                     struct mr_http_client **client, struct mr_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialize);
    CURL *easy = global_code == 0 ? curl_easy_init() : NULL;
    if (easy == NULL)
        return MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_NONE,
                       "The library for HTTP requests could not be initialised.");
    struct mr_http_client *created = mr_memory_new(1, sizeof *created);
    created->easy = easy;
    created->token = copy(options->token);
    created->authority_file = copy(options->authority_file);
    created->certificate_file = copy(options->certificate_file);
    created->key_file = copy(options->key_file);
    created->no_redirects = options->no_redirects;
    *client = created;
    return MR_OK;
}

void mr_http_client_destroy(struct mr_http_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->easy);
    mr_memory_free(client->token);
    mr_memory_free(client->authority_file);
    mr_memory_free(client->certificate_file);
    mr_memory_free(client->key_file);
    mr_memory_free(client);
}

void mr_http_client_token(struct mr_http_client *client, const char *token)
{
    mr_memory_free(client->token);
    client->token = copy(token);
}

void mr_http_client_cancel(struct mr_http_client *client)
{
    atomic_store(&client->cancelled, true);
}

/* curl asks about once a second, and whenever bytes come. */
static int is_cancelled(void *argument, curl_off_t expected, curl_off_t received,
                        curl_off_t to_send, curl_off_t sent)
{
    struct mr_http_client *client = argument;
    (void)expected;
    (void)received;
    (void)to_send;
    (void)sent;
    return atomic_load(&client->cancelled) ||
                   (client->given_up != NULL && client->given_up(client->given_up_argument))
               ? 1
               : 0;
}

/* What all requests share. */
static bool set_common(struct mr_http_client *client, const char *url)
{
    CURL *easy = client->easy;
    curl_easy_reset(easy);
    client->reason[0] = 0;
    bool good = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->reason) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, is_cancelled) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_XFERINFODATA, client) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, client->no_redirects ? 0L : 1L) ==
                       CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX) == CURLE_OK;
    good =
        good && curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
                                    strncasecmp(url, "https:", 6) == 0 ? "https" : "http,https") ==
                       CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    good = good &&
           curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    if (client->authority_file != NULL)
        good = good && curl_easy_setopt(easy, CURLOPT_CAINFO, client->authority_file) == CURLE_OK;
    if (client->certificate_file != NULL) {
        good =
            good && curl_easy_setopt(easy, CURLOPT_SSLCERT, client->certificate_file) == CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_SSLKEY, client->key_file) == CURLE_OK;
    }
    if (client->token != NULL) {
        /* A coordinator sends to the leader: the token goes along, over the same trust. */
        good = good && curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) == CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, client->token) == CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 1L) == CURLE_OK;
    }
    return good;
}

/* Nobody answered, or not in HTTP. */
static enum mr_status fail(struct mr_http_client *client, CURLcode code, const char *url,
                           struct mr_error *error)
{
    const char *reason = client->reason[0] != 0 ? client->reason : curl_easy_strerror(code);
    enum mr_status status = MR_IO;
    enum mr_recovery recovery = MR_RECOVERY_RETRY;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        status = MR_INVALID;
        recovery = MR_RECOVERY_NONE;
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        status = MR_TIMEOUT;
    } else if (code == CURLE_ABORTED_BY_CALLBACK) {
        return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_NONE, "The request was cancelled.");
    } else if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED) {
        (void)MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE, "The reply of %.200s is too large.", url);
        return MR_LIMIT;
    }
    status =
        MR_FAIL(error, status, recovery, "The request to %.200s got no answer: %s.", url, reason);
    mr_error_origin(error, "curl", (int32_t)code);
    return status;
}

static size_t add_body(char *data, size_t size, size_t count, void *argument)
{
    return mr_buffer_append(argument, data, size * count) == MR_OK ? size * count : 0;
}

/* Content type and what is sent; the list is freed by the caller. */
static bool set_body(CURL *easy, const char *method, const char *content_type, struct mr_slice body,
                     struct curl_slist **fields)
{
    char field[300];
    bool good = true;
    if (content_type != NULL) {
        snprintf(field, sizeof field, "Content-Type: %s", content_type);
        *fields = curl_slist_append(*fields, field);
        /* Without it curl waits a second for "100 Continue" before larger bodies. */
        struct curl_slist *more = *fields == NULL ? NULL : curl_slist_append(*fields, "Expect:");
        good = more != NULL;
        good = good && curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size) ==
                           CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                        body.size == 0 ? "" : (const char *)body.data) == CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *fields) == CURLE_OK;
    }
    if (strcmp(method, "HEAD") == 0)
        return good && curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    return good && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

static void read_reply(CURL *easy, struct mr_buffer *buffer, struct mr_arena *arena,
                       struct mr_http_reply *reply)
{
    long code = 0;
    const char *type = NULL;
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    (void)curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
    reply->code = (int)code;
    reply->content_type = mr_arena_copy_text(arena, type == NULL ? "" : type);
    reply->retry_after_s = retry_after < 0 || retry_after > INT32_MAX ? 0 : (uint32_t)retry_after;
    reply->body =
        mr_slice_from(mr_arena_copy_bytes_text(arena, buffer->data, buffer->size), buffer->size);
}

enum mr_status mr_http_client_send(struct mr_http_client *client, const char *method,
                                   const char *url, const char *content_type, struct mr_slice body,
                                   uint32_t wait_ms, struct mr_arena *arena,
                                   struct mr_http_reply *reply, struct mr_error *error)
{
    struct mr_buffer buffer;
    struct curl_slist *fields = NULL;
    mr_buffer_init(&buffer, MR_HTTP_REPLY_BYTES_MAX);
    CURL *easy = client->easy;
    bool good = set_common(client, url) && set_body(easy, method, content_type, body, &fields);
    good = good && curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)wait_ms) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, add_body) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEDATA, &buffer) == CURLE_OK;
    enum mr_status status = MR_OK;
    CURLcode code = good ? curl_easy_perform(easy) : CURLE_FAILED_INIT;
    if (code == CURLE_OK)
        read_reply(easy, &buffer, arena, reply);
    else
        status = fail(client, code, url, error);
    curl_slist_free_all(fields);
    mr_buffer_deinit(&buffer);
    return status;
}

struct listener {
    CURL *easy;
    struct mr_buffer line;
    struct mr_buffer data;
    char event[128];
    bool ended; /* by visit */
    bool (*visit)(void *argument, const char *event, struct mr_slice data);
    void *argument;
};

/* A whole line of the stream, without its end. An empty one sends the event off. */
static bool take_line(struct listener *listener, const char *line)
{
    if (line[0] == 0) {
        bool more = true;
        if (listener->data.size > 0)
            more = listener->visit(listener->argument,
                                   listener->event[0] == 0 ? "message" : listener->event,
                                   mr_buffer_view(&listener->data));
        mr_buffer_clear(&listener->data);
        listener->event[0] = 0;
        listener->ended = !more;
        return more;
    }
    const char *colon = strchr(line, ':');
    size_t name_size = colon == NULL ? strlen(line) : (size_t)(colon - line);
    const char *value = colon == NULL ? "" : colon + 1;
    value += *value == ' ';
    if (name_size == 5 && memcmp(line, "event", 5) == 0)
        snprintf(listener->event, sizeof listener->event, "%s", value);
    if (name_size != 4 || memcmp(line, "data", 4) != 0)
        return true;
    if (listener->data.size > 0 && mr_buffer_append_text(&listener->data, "\n") != MR_OK)
        return false;
    return mr_buffer_append_text(&listener->data, value) == MR_OK;
}

static size_t add_events(char *data, size_t size, size_t count, void *argument)
{
    struct listener *listener = argument;
    long code = 0;
    (void)curl_easy_getinfo(listener->easy, CURLINFO_RESPONSE_CODE, &code);
    for (size_t i = 0; i < size * count; i++) {
        char byte = data[i];
        if (byte == '\n' && code == 200) {
            if (mr_buffer_append(&listener->line, "", 1) != MR_OK ||
                !take_line(listener, (const char *)listener->line.data))
                return 0;
            mr_buffer_clear(&listener->line);
        } else if (byte != '\r' && mr_buffer_append(&listener->line, &byte, 1) != MR_OK) {
            return 0;
        }
    }
    return size * count;
}

enum mr_status mr_http_client_listen(struct mr_http_client *client, const char *url,
                                     bool (*visit)(void *argument, const char *event,
                                                   struct mr_slice data),
                                     void *argument, struct mr_error *error)
{
    struct listener listener = {.easy = client->easy, .visit = visit, .argument = argument};
    mr_buffer_init(&listener.line, EVENT_BYTES_MAX);
    mr_buffer_init(&listener.data, EVENT_BYTES_MAX);
    CURL *easy = client->easy;
    bool good = set_common(client, url);
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, add_events) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEDATA, &listener) == CURLE_OK;
    /* The server sends a heartbeat every 15 s: a minute without a byte is a dead connection. */
    good = good && curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 60L) == CURLE_OK;
    CURLcode code = good ? curl_easy_perform(easy) : CURLE_FAILED_INIT;
    enum mr_status status = MR_OK;
    long answer = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer);
    if (code != CURLE_OK && !listener.ended)
        status = fail(client, code, url, error);
    else if (answer != 200)
        status = MR_FAIL(error, answer == 404 ? MR_NOT_FOUND : MR_IO,
                         answer == 503 ? MR_RECOVERY_RETRY : MR_RECOVERY_NONE,
                         "%.200s answered %ld: %.*s", url, answer,
                         (int)(listener.line.size < 200 ? listener.line.size : 200),
                         listener.line.size == 0 ? "" : (const char *)listener.line.data);
    mr_buffer_deinit(&listener.line);
    mr_buffer_deinit(&listener.data);
    return status;
}

/* ---- Lines ---- */

struct line_reader {
    CURL *easy;
    const struct mr_http_lines *lines;
    struct mr_buffer line;
    struct mr_buffer refusal; /* the body of an answer that is not 200 */
    bool ended;               /* by visit */
    bool too_long;
};

static bool end_line(struct line_reader *reader)
{
    const struct mr_slice line = mr_slice_from(reader->line.data, reader->line.size);
    if (line.size == 0)
        return true;
    reader->too_long = mr_buffer_append(&reader->line, "", 1) != MR_OK;
    if (reader->too_long)
        return false;
    reader->ended =
        !reader->lines->visit(reader->lines->argument, mr_slice_from(reader->line.data, line.size));
    mr_buffer_clear(&reader->line);
    return !reader->ended;
}

static size_t add_lines(char *data, size_t size, size_t count, void *argument)
{
    struct line_reader *reader = argument;
    size_t left = size * count;
    long code = 0;
    (void)curl_easy_getinfo(reader->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200) {
        size_t room = MR_HTTP_REFUSAL_BYTES_MAX - reader->refusal.size;
        return mr_buffer_append(&reader->refusal, data, left < room ? left : room) == MR_OK ? left
                                                                                            : 0;
    }
    while (left > 0) {
        const char *end = memchr(data, '\n', left);
        size_t piece = end == NULL ? left : (size_t)(end - data);
        reader->too_long = mr_buffer_append(&reader->line, data, piece) != MR_OK;
        if (reader->too_long || (end != NULL && !end_line(reader)))
            return 0;
        piece += end != NULL;
        data += piece;
        left -= piece;
    }
    return size * count;
}

static bool set_lines(struct mr_http_client *client, const char *url, struct line_reader *reader)
{
    CURL *easy = client->easy;
    bool good = set_common(client, url);
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, add_lines) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEDATA, reader) == CURLE_OK;
    good = good &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)reader->lines->wait_ms) == CURLE_OK;
    /* Silence is no sign: whether the other side still lives, the kernel asks. */
    good = good && curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S) == CURLE_OK;
    return good && curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S) == CURLE_OK;
}

enum mr_status mr_http_client_read_lines(struct mr_http_client *client, const char *url,
                                         const struct mr_http_lines *lines, struct mr_arena *arena,
                                         struct mr_http_reply *reply, struct mr_error *error)
{
    struct line_reader reader = {.easy = client->easy, .lines = lines};
    mr_buffer_init(&reader.line, lines->line_bytes_max + 1);
    mr_buffer_init(&reader.refusal, MR_HTTP_REFUSAL_BYTES_MAX);
    client->given_up = lines->given_up;
    client->given_up_argument = lines->argument;
    bool good = set_lines(client, url, &reader);
    CURLcode code = good ? curl_easy_perform(client->easy) : CURLE_FAILED_INIT;
    client->given_up = NULL;
    enum mr_status status = MR_OK;
    if (code == CURLE_OK || reader.ended)
        read_reply(client->easy, &reader.refusal, arena, reply);
    else if (reader.too_long)
        status = MR_FAIL(error, MR_LIMIT, MR_RECOVERY_RETRY,
                         "A line of %.200s has more than %zu bytes.", url, lines->line_bytes_max);
    else
        status = fail(client, code, url, error);
    mr_buffer_deinit(&reader.line);
    mr_buffer_deinit(&reader.refusal);
    return status;
}
