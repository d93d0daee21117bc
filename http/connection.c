/* http/connection.c — one client's connection: requests in, answers and events out.
 * Design: a machine without sockets and clocks. Bytes come in by receive and leave by output and
 * sent; tick looks at the time. One request at a time: what a client sends ahead waits in `input`,
 * and beyond PIPELINE_BYTES_MAX the socket is not read.
 *
 *   HEAD -> BODY -> HANDLING -> WRITING -> HEAD ...        (keep-alive)
 *                            \-> EVENTS                    (until the client leaves)
 *                            \-> SOCKET                    (websocket.c has it from then on)
 *   any  -> WRITING -> LINGER -> END                       (a refusal: what still comes is read and
 *                                                           dropped, so that the answer arrives) */
#include "base/assert.h"
#include "base/memory.h"
#include "http/internal.h"
#include "http/route.h"
#include "http/websocket_internal.h"

#include <stdio.h>

enum {
    INPUT_BYTES_MAX = 256 << 10, /* what one read of the socket adds fits always */
    PIPELINE_BYTES_MAX = 32 << 10,
    LINGER_BYTES_MAX = 1 << 20,
    HEAD_MS_MAX = 10000,
    BODY_MS_MAX = 30000,
    WRITE_MS_MAX = 30000,
    IDLE_MS_MAX = 75000,
    LINGER_MS_MAX = 2000,
    BYTES_PER_SECOND_MIN = 64 << 10,
    JOINED_BYTES_MAX = 16 << 10, /* a body up to this goes out in one piece with its head */
    HEARTBEAT_MS = 15000,
    SUBSCRIBER_STUCK_MS_MAX = 300000
};

enum phase { HEAD, BODY, HANDLING, WRITING, EVENTS, SOCKET, LINGER, END };

struct mr_http_connection {
    struct mr_http_core *core;
    const struct mr_http_settings *settings;
    void *owner;
    enum phase phase;
    bool keep_alive;
    bool head_only;
    bool refusing; /* the answer ends the connection, and the client may still be sending */
    bool stopping;
    uint64_t since_ms; /* start of the head, the body, the handling, the writing */
    uint64_t deadline_ms;
    struct mr_buffer input;
    struct mr_buffer body;
    size_t body_counted; /* in core->bodies_bytes */
    struct mr_http_head head;
    struct mr_http_chunks chunks;
    const struct mr_http_route *route;
    struct mr_http_exchange *building; /* until it is given to the handler */
    size_t linger_bytes;
    /* What is being written, in this order. */
    struct mr_buffer out;
    struct mr_http_answer *answer;
    size_t body_size; /* of the answer, behind out */
    struct mr_http_event *event;
    size_t out_offset; /* in out, then in the answer's body or the event */
    size_t written_bytes;
    uint64_t last_event_ms;
    struct mr_http_subscriber *subscriber; /* also of the mutex: others push to it */
    struct mr_websocket *socket;
    /* Guarded by the mutex. */
    struct mr_http_exchange *kept;
    struct mr_http_answer *given_answer;
    struct mr_http_subscriber *given_subscriber;
    struct mr_websocket *given_socket;
    struct mr_http_connection *news_next;
    bool has_news;
};

struct mr_http_connection *mr_http_connection_open(struct mr_http_core *core,
                                                   const struct mr_http_settings *settings,
                                                   void *owner, uint64_t now_ms)
{
    struct mr_http_connection *connection = mr_memory_new(1, sizeof *connection);
    connection->core = core;
    connection->settings = settings;
    connection->owner = owner;
    connection->deadline_ms = now_ms + HEAD_MS_MAX;
    mr_buffer_init(&connection->input, INPUT_BYTES_MAX);
    mr_buffer_init(&connection->body, MR_HTTP_BODY_BYTES_MAX);
    return connection;
}

void *mr_http_connection_owner(const struct mr_http_connection *connection)
{
    return connection->owner;
}

void mr_http_connection_has_news(struct mr_http_connection *connection)
{
    struct mr_http_core *core = connection->core;
    if (connection->has_news)
        return;
    bool first = core->news == NULL;
    connection->has_news = true;
    connection->news_next = core->news;
    core->news = connection;
    if (first && core->wake != NULL)
        core->wake(core->wake_argument);
}

void mr_http_connection_give_answer(struct mr_http_connection *connection,
                                    struct mr_http_answer *answer)
{
    MR_ASSERT(connection->kept != NULL && connection->given_answer == NULL);
    connection->kept = NULL;
    connection->given_answer = answer;
    mr_http_connection_has_news(connection);
}

void mr_http_connection_give_subscriber(struct mr_http_connection *connection,
                                        struct mr_http_subscriber *subscriber)
{
    MR_ASSERT(connection->kept != NULL && connection->given_subscriber == NULL);
    connection->kept = NULL;
    connection->given_subscriber = subscriber;
    mr_http_connection_has_news(connection);
}

void mr_http_connection_give_websocket(struct mr_http_connection *connection,
                                       struct mr_websocket *socket)
{
    MR_ASSERT(connection->kept != NULL && connection->given_socket == NULL);
    connection->kept = NULL;
    connection->given_socket = socket;
    mr_http_connection_has_news(connection);
}

static void drop_body(struct mr_http_connection *connection)
{
    connection->core->bodies_bytes -= connection->body_counted;
    connection->body_counted = 0;
    mr_buffer_deinit(&connection->body);
    mr_buffer_init(&connection->body, MR_HTTP_BODY_BYTES_MAX);
}

/* The answer is written, or never will be. With the mutex held. */
static void drop_answer(struct mr_http_core *core, struct mr_http_answer *answer)
{
    if (answer == NULL)
        return;
    core->answers_bytes -= answer->body_size;
    mr_http_answer_destroy(answer);
}

void mr_http_connection_close(struct mr_http_connection *connection)
{
    struct mr_http_core *core = connection->core;
    pthread_mutex_lock(&core->mutex);
    if (connection->kept != NULL)
        connection->kept->connection = NULL;
    struct mr_http_connection **link = &core->news;
    while (*link != NULL && *link != connection)
        link = &(*link)->news_next;
    if (*link != NULL)
        *link = connection->news_next;
    drop_answer(core, connection->given_answer);
    drop_answer(core, connection->answer);
    if (connection->event != NULL)
        mr_http_event_release(connection->event);
    if (connection->given_subscriber != NULL)
        mr_http_subscriber_destroy(core, connection->given_subscriber);
    if (connection->subscriber != NULL)
        mr_http_subscriber_destroy(core, connection->subscriber);
    pthread_mutex_unlock(&core->mutex);
    if (connection->building != NULL)
        mr_http_exchange_discard(connection->building);
    mr_websocket_destroy(connection->given_socket);
    mr_websocket_destroy(connection->socket);
    drop_body(connection);
    mr_buffer_deinit(&connection->body);
    mr_buffer_deinit(&connection->input);
    mr_buffer_deinit(&connection->out);
    mr_memory_free(connection);
}

/* ---- Answers ---- */

/* Write answer, whose size is counted. */
static void start_answer(struct mr_http_connection *connection, struct mr_http_answer *answer,
                         uint64_t now_ms)
{
    connection->answer = answer;
    connection->keep_alive = connection->keep_alive && !connection->stopping;
    mr_buffer_deinit(&connection->out);
    mr_http_answer_head(answer, connection->keep_alive, &connection->out);
    connection->out_offset = 0;
    connection->body_size = connection->head_only ? 0 : answer->body_size;
    if (connection->body_size > 0 && connection->body_size <= JOINED_BYTES_MAX) {
        connection->out.size_max += JOINED_BYTES_MAX;
        enum mr_status status = mr_buffer_append(&connection->out, answer->body, answer->body_size);
        MR_ASSERT(status == MR_OK);
        connection->body_size = 0;
    }
    connection->written_bytes = 0;
    connection->since_ms = now_ms;
    connection->deadline_ms = now_ms + WRITE_MS_MAX;
    connection->phase = WRITING;
}

/* Refuse before a handler has seen the request. Without sync the rest of what comes cannot be told
 * from the next request. */
static void refuse(struct mr_http_connection *connection, int code, const char *fields,
                   const char *detail, bool in_sync, uint64_t now_ms)
{
    struct mr_http_answer *answer = mr_http_answer_problem(code, fields, detail);
    if (connection->building != NULL)
        mr_http_exchange_discard(connection->building); /* detail may have lived in it */
    connection->building = NULL;
    drop_body(connection);
    pthread_mutex_lock(&connection->core->mutex);
    connection->core->answers_bytes += answer->body_size;
    pthread_mutex_unlock(&connection->core->mutex);
    if (!in_sync) {
        connection->keep_alive = false;
        connection->refusing = true;
    }
    start_answer(connection, answer, now_ms);
}

void mr_http_connection_refuse(struct mr_http_connection *connection, uint64_t now_ms)
{
    refuse(connection, 503, "Retry-After: 1\r\n", "The server has too many connections.", false,
           now_ms);
}

/* ---- Requests ---- */

static bool same_text(const char *left, const char *right)
{
    size_t left_size = strlen(left);
    size_t right_size = strlen(right);
    volatile uint8_t difference = left_size != right_size;
    for (size_t i = 0; i < left_size; i++)
        difference |= (uint8_t)left[i] ^ (uint8_t)right[right_size == 0 ? 0 : i % right_size];
    return difference == 0;
}

/* ?access_token=TOKEN: for a WebSocket only, since a page cannot set its fields. */
static bool has_token_in_query(const struct mr_http_connection *connection)
{
    static const char name[] = "access_token=";
    const char *query = connection->head.query;
    if (!mr_http_head_asks_websocket(&connection->head))
        return false;
    while (strncmp(query, name, sizeof(name) - 1) != 0) {
        query = strchr(query, '&');
        if (query == NULL)
            return false;
        query++;
    }
    query += sizeof(name) - 1;
    const char *given =
        mr_http_percent_decode(&connection->building->arena, query, strcspn(query, "&"));
    return given != NULL && same_text(given, connection->settings->token);
}

static bool is_authorized(const struct mr_http_connection *connection)
{
    const char *token = connection->settings->token;
    const char *given = connection->head.authorization;
    if (token == NULL || mr_http_route_is_open(connection->head.path))
        return true;
    if (given[0] == '\0')
        return has_token_in_query(connection);
    if (strncmp(given, "Bearer ", 7) != 0 && strncmp(given, "bearer ", 7) != 0)
        return false;
    return same_text(given + 7, token);
}

/* The route, or a refusal. */
static bool find_route(struct mr_http_connection *connection, bool in_sync, uint64_t now_ms)
{
    const struct mr_http_head *head = &connection->head;
    struct mr_http_exchange *exchange = connection->building;
    struct mr_http_match match;
    int code = mr_http_route_find(connection->settings->routes, head->method_known, head->method,
                                  head->path, &exchange->arena, &match);
    if (code == 200 && !mr_http_exchange_read_query(exchange, head->query))
        code = 400;
    if (code == 200) {
        connection->route = match.route;
        memcpy(exchange->request.parts, match.parts, sizeof match.parts);
        return true;
    }
    char *detail;
    char *fields = NULL;
    if (code == 404 && match.nearest != NULL) {
        detail = mr_arena_format(&exchange->arena, "There is no path %s; the nearest is %s.",
                                 head->path, match.nearest);
    } else if (code == 405) {
        detail = mr_arena_format(&exchange->arena, "%s takes %s.", head->path, match.allow);
        fields = mr_arena_format(&exchange->arena, "Allow: %s\r\n", match.allow);
    } else {
        detail = mr_arena_format(&exchange->arena,
                                 code == 404 ? "There is no path %s."
                                             : "%s or its query has a broken escape, an escaped "
                                               "NUL, text that is not UTF-8, or more than 16 "
                                               "parameters.",
                                 head->path);
    }
    refuse(connection, code, fields, detail, in_sync, now_ms);
    return false;
}

/* Give the whole request to its handler. */
static void handle(struct mr_http_connection *connection, uint64_t now_ms)
{
    struct mr_http_exchange *exchange = connection->building;
    struct mr_http_request *request = &exchange->request;
    request->method = connection->head.method;
    request->path = connection->head.path;
    request->query = connection->head.query;
    request->content_type = connection->head.content_type;
    request->accept = connection->head.accept;
    request->authorization = connection->head.authorization;
    request->origin = connection->head.origin;
    request->websocket_key =
        mr_http_head_asks_websocket(&connection->head) ? connection->head.websocket_key : NULL;
    request->body = mr_arena_copy(&exchange->arena, mr_buffer_view(&connection->body));
    drop_body(connection);
    connection->building = NULL;
    connection->phase = HANDLING;
    connection->since_ms = now_ms;
    connection->deadline_ms = now_ms + MR_HTTP_REQUEST_MS_MAX;
    pthread_mutex_lock(&connection->core->mutex);
    exchange->connection = connection;
    connection->kept = exchange;
    pthread_mutex_unlock(&connection->core->mutex);
    connection->route->handle(connection->settings->argument, exchange);
}

/* The head is whole: check it, and go on to the body or the handler. */
static void begin_request(struct mr_http_connection *connection, struct mr_slice bytes,
                          uint64_t now_ms)
{
    const char *reason = NULL;
    connection->building = mr_http_exchange_create(connection->core);
    struct mr_http_head *head = &connection->head;
    int code = mr_http_head_parse(bytes, &connection->building->arena, head, &reason);
    connection->keep_alive = code == 0 && head->keep_alive;
    connection->head_only = code == 0 && head->head_only;
    if (code != 0) {
        refuse(connection, code, NULL, reason, false, now_ms);
        return;
    }
    bool has_body = head->chunked || head->content_length > 0;
    if (!is_authorized(connection)) {
        refuse(connection, 401, "WWW-Authenticate: Bearer\r\n",
               "The request needs the server's token: Authorization: Bearer TOKEN.", !has_body,
               now_ms);
        return;
    }
    if (!find_route(connection, !has_body, now_ms))
        return;
    if (head->content_length > MR_HTTP_BODY_BYTES_MAX) {
        refuse(connection, 413, NULL, "The request's body is larger than 5 MiB.", false, now_ms);
        return;
    }
    if (!has_body) {
        handle(connection, now_ms);
        return;
    }
    connection->phase = BODY;
    connection->since_ms = now_ms;
    connection->deadline_ms = now_ms + BODY_MS_MAX;
    connection->chunks = (struct mr_http_chunks){0};
    if (head->expects_continue && connection->input.size == bytes.size) {
        mr_buffer_deinit(&connection->out);
        mr_buffer_init(&connection->out, 64);
        enum mr_status status =
            mr_buffer_append_text(&connection->out, "HTTP/1.1 100 Continue\r\n\r\n");
        MR_ASSERT(status == MR_OK);
        connection->out_offset = 0;
    }
}

static void take_input(struct mr_http_connection *connection, size_t size)
{
    struct mr_buffer *input = &connection->input;
    memmove(input->data, input->data + size, input->size - size);
    input->size -= size;
    if (input->size == 0 && input->capacity > PIPELINE_BYTES_MAX) {
        mr_buffer_deinit(input);
        mr_buffer_init(input, INPUT_BYTES_MAX);
    }
}

/* Returns whether the head was there. */
static bool read_head(struct mr_http_connection *connection, uint64_t now_ms)
{
    struct mr_buffer *input = &connection->input;
    size_t blank = 0; /* an empty line before a request is forgiven, once */
    if (input->size >= 2 && memcmp(input->data, "\r\n", 2) == 0)
        blank = 2;
    struct mr_slice bytes = mr_slice_from(input->data + blank, input->size - blank);
    size_t size = mr_http_head_size(bytes);
    const char *reason = NULL;
    bool cr_only = bytes.size == 1 && bytes.data[0] == '\r';
    struct mr_slice seen = size > 0 ? mr_slice_from(bytes.data, size) : bytes;
    int code = cr_only ? 0 : mr_http_head_check_start(seen, &reason);
    if (code != 0) {
        connection->head_only = false;
        refuse(connection, code, NULL, reason, false, now_ms);
        return false;
    }
    if (size == 0)
        return false;
    begin_request(connection, seen, now_ms);
    take_input(connection, blank + size);
    return true;
}

/* Bodies of all connections have one budget. */
static bool count_body(struct mr_http_connection *connection)
{
    struct mr_http_core *core = connection->core;
    core->bodies_bytes += connection->body.size - connection->body_counted;
    connection->body_counted = connection->body.size;
    return core->bodies_bytes <= MR_HTTP_BODIES_BYTES_MAX;
}

static void read_body(struct mr_http_connection *connection, uint64_t now_ms)
{
    struct mr_slice bytes = mr_buffer_view(&connection->input);
    enum mr_http_chunk_result result = MR_HTTP_CHUNK_MORE;
    size_t used = bytes.size;
    if (connection->head.chunked) {
        result = mr_http_chunks_take(&connection->chunks, bytes, &used, &connection->body);
    } else {
        size_t left = (size_t)connection->head.content_length - connection->body.size;
        used = used < left ? used : left;
        enum mr_status status = mr_buffer_append(&connection->body, bytes.data, used);
        MR_ASSERT(status == MR_OK);
        if (used == left)
            result = MR_HTTP_CHUNK_END;
    }
    take_input(connection, used);
    connection->deadline_ms =
        connection->since_ms + BODY_MS_MAX + connection->body.size * 1000 / BYTES_PER_SECOND_MIN;
    if (result == MR_HTTP_CHUNK_BAD)
        refuse(connection, 400, NULL, "A chunk of the request's body is broken.", false, now_ms);
    else if (result == MR_HTTP_CHUNK_TOO_LARGE)
        refuse(connection, 413, NULL, "The request's body is larger than 5 MiB.", false, now_ms);
    else if (!count_body(connection))
        refuse(connection, 503, "Retry-After: 1\r\n", "Too many bodies are being received.", false,
               now_ms);
    else if (result == MR_HTTP_CHUNK_END)
        handle(connection, now_ms);
}

/* What came behind the handshake is the socket's already. */
static void start_socket(struct mr_http_connection *connection, uint64_t now_ms)
{
    mr_buffer_deinit(&connection->out);
    connection->out_offset = 0;
    connection->phase = SOCKET;
    mr_websocket_begin(connection->socket, now_ms);
    mr_websocket_receive(connection->socket, mr_buffer_view(&connection->input), now_ms);
    mr_buffer_deinit(&connection->input);
}

/* Take what came from other threads, or from the handler just now. */
static void collect(struct mr_http_connection *connection, uint64_t now_ms)
{
    pthread_mutex_lock(&connection->core->mutex);
    struct mr_http_answer *answer = connection->given_answer;
    struct mr_http_subscriber *subscriber = connection->given_subscriber;
    connection->given_answer = NULL;
    connection->given_subscriber = NULL;
    connection->socket = connection->given_socket;
    connection->given_socket = NULL;
    pthread_mutex_unlock(&connection->core->mutex);
    if (answer != NULL)
        start_answer(connection, answer, now_ms);
    if (connection->socket != NULL)
        start_socket(connection, now_ms);
    if (subscriber == NULL)
        return;
    mr_buffer_deinit(&connection->out);
    mr_buffer_init(&connection->out, 512);
    enum mr_status status = mr_buffer_append_text(
        &connection->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                          "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                          "Connection: close\r\n\r\n");
    if (status == MR_OK && !connection->head_only)
        status = mr_buffer_append_text(&connection->out, "retry: 2000\n\n");
    MR_ASSERT(status == MR_OK);
    connection->subscriber = subscriber;
    connection->keep_alive = false;
    connection->out_offset = 0;
    connection->last_event_ms = now_ms;
    connection->phase = EVENTS;
}

static void advance(struct mr_http_connection *connection, uint64_t now_ms)
{
    bool more = true;
    while (more) {
        size_t input_before = connection->input.size;
        enum phase phase_before = connection->phase;
        if (connection->phase == HEAD && connection->input.size > 0)
            read_head(connection, now_ms);
        else if (connection->phase == BODY && connection->input.size > 0)
            read_body(connection, now_ms);
        if (connection->phase == HANDLING)
            collect(connection, now_ms);
        more = connection->phase != phase_before ||
               (connection->phase == BODY && connection->input.size != input_before);
    }
}

bool mr_http_connection_receive(struct mr_http_connection *connection, struct mr_slice bytes,
                                uint64_t now_ms)
{
    if (connection->phase == END)
        return false;
    if (connection->phase == SOCKET) {
        mr_websocket_receive(connection->socket, bytes, now_ms);
        return true;
    }
    if (connection->phase == LINGER || (connection->phase == WRITING && connection->refusing) ||
        connection->phase == EVENTS) {
        connection->linger_bytes += bytes.size;
        return connection->linger_bytes <= LINGER_BYTES_MAX;
    }
    if (connection->phase == HEAD && connection->input.size == 0)
        connection->deadline_ms = now_ms + HEAD_MS_MAX;
    if (mr_buffer_append(&connection->input, bytes.data, bytes.size) != MR_OK)
        return false;
    advance(connection, now_ms);
    return true;
}

bool mr_http_connection_wants_input(const struct mr_http_connection *connection)
{
    if (connection->phase == SOCKET)
        return mr_websocket_wants_input(connection->socket);
    bool reading = connection->phase == HEAD || connection->phase == BODY ||
                   connection->phase == LINGER || connection->phase == EVENTS;
    return reading || connection->refusing || connection->input.size <= PIPELINE_BYTES_MAX;
}

/* ---- Output ---- */

void mr_http_connection_prepare(struct mr_http_connection *connection, uint64_t now_ms)
{
    if (connection->phase == SOCKET)
        mr_websocket_prepare(connection->socket, now_ms);
}

uint64_t mr_http_connection_due_ms(const struct mr_http_connection *connection)
{
    return connection->phase == SOCKET ? mr_websocket_due_ms(connection->socket)
                                       : MR_WEBSOCKET_NEVER;
}

struct mr_slice mr_http_connection_output(struct mr_http_connection *connection)
{
    if (connection->phase == SOCKET)
        return mr_websocket_output(connection->socket);
    if (connection->out_offset < connection->out.size)
        return mr_slice_from(connection->out.data + connection->out_offset,
                             connection->out.size - connection->out_offset);
    if (connection->phase == WRITING && connection->body_size > 0) {
        size_t offset = connection->out_offset - connection->out.size;
        size_t left = connection->body_size - offset;
        return mr_slice_from(left == 0 ? NULL : connection->answer->body + offset, left);
    }
    if (connection->phase != EVENTS)
        return mr_slice_from(NULL, 0);
    if (connection->event == NULL) {
        pthread_mutex_lock(&connection->core->mutex);
        connection->event = mr_http_subscriber_next(connection->subscriber);
        pthread_mutex_unlock(&connection->core->mutex);
    }
    if (connection->event == NULL)
        return mr_slice_from(NULL, 0);
    struct mr_slice bytes = mr_http_event_bytes(connection->event);
    size_t offset = connection->out_offset - connection->out.size;
    return mr_slice_from(bytes.data + offset, bytes.size - offset);
}

/* The answer is written: the next request, or the end. */
static void end_answer(struct mr_http_connection *connection, uint64_t now_ms)
{
    pthread_mutex_lock(&connection->core->mutex);
    drop_answer(connection->core, connection->answer);
    pthread_mutex_unlock(&connection->core->mutex);
    connection->answer = NULL;
    mr_buffer_deinit(&connection->out);
    connection->out_offset = 0;
    if (connection->keep_alive && !connection->stopping) {
        connection->phase = HEAD;
        connection->deadline_ms =
            now_ms + (connection->input.size > 0 ? (uint64_t)HEAD_MS_MAX : (uint64_t)IDLE_MS_MAX);
        advance(connection, now_ms);
    } else {
        connection->phase = connection->refusing ? LINGER : END;
        connection->deadline_ms = now_ms + LINGER_MS_MAX;
    }
}

/* An event, or the head and heartbeats before it, is written. */
static void end_event(struct mr_http_connection *connection)
{
    if (connection->head_only)
        connection->phase = END;
    struct mr_http_event *event = connection->event;
    if (event != NULL &&
        connection->out_offset - connection->out.size < mr_http_event_bytes(event).size)
        return;
    if (event != NULL) {
        pthread_mutex_lock(&connection->core->mutex);
        mr_http_event_release(event);
        pthread_mutex_unlock(&connection->core->mutex);
    }
    connection->event = NULL;
    mr_buffer_deinit(&connection->out);
    connection->out_offset = 0;
}

bool mr_http_connection_sent(struct mr_http_connection *connection, size_t size, uint64_t now_ms)
{
    if (connection->phase == SOCKET) {
        mr_websocket_sent(connection->socket, size, now_ms);
        return true;
    }
    connection->out_offset += size;
    connection->written_bytes += size;
    connection->last_event_ms = now_ms;
    bool head_sent = connection->out_offset >= connection->out.size;
    if (connection->phase == WRITING) {
        connection->deadline_ms = connection->since_ms + WRITE_MS_MAX +
                                  connection->written_bytes * 1000 / BYTES_PER_SECOND_MIN;
        if (connection->out_offset == connection->out.size + connection->body_size)
            end_answer(connection, now_ms);
    } else if (connection->phase == EVENTS) {
        if (head_sent)
            end_event(connection);
    } else if (head_sent) {
        mr_buffer_deinit(&connection->out); /* 100 Continue */
        connection->out_offset = 0;
    }
    return true;
}

bool mr_http_connection_ended(const struct mr_http_connection *connection)
{
    return connection->phase == END ||
           (connection->phase == SOCKET && mr_websocket_ended(connection->socket));
}

/* ---- Time ---- */

static bool tick_events(struct mr_http_connection *connection, uint64_t now_ms)
{
    bool idle = connection->out.size == 0 && connection->event == NULL;
    if (idle && now_ms >= connection->last_event_ms + HEARTBEAT_MS) {
        mr_buffer_init(&connection->out, 16);
        enum mr_status status = mr_buffer_append_text(&connection->out, ":\n\n");
        MR_ASSERT(status == MR_OK);
        connection->out_offset = 0;
    }
    return now_ms < connection->last_event_ms + SUBSCRIBER_STUCK_MS_MAX;
}

/* Take the exchange back, unless it was answered just now. */
static bool take_back(struct mr_http_connection *connection)
{
    pthread_mutex_lock(&connection->core->mutex);
    bool kept = connection->kept != NULL;
    if (kept)
        connection->kept->connection = NULL;
    connection->kept = NULL;
    pthread_mutex_unlock(&connection->core->mutex);
    return kept;
}

bool mr_http_connection_tick(struct mr_http_connection *connection, uint64_t now_ms)
{
    if (connection->phase == EVENTS)
        return tick_events(connection, now_ms);
    if (connection->phase == SOCKET)
        return mr_websocket_tick(connection->socket, now_ms);
    if (now_ms < connection->deadline_ms)
        return true;
    switch (connection->phase) {
    case HEAD:
        if (connection->input.size == 0)
            return false;
        connection->head_only = false;
        refuse(connection, 408, NULL, "The request's head did not come within 10 seconds.", false,
               now_ms);
        return true;
    case BODY:
        refuse(connection, 408, NULL, "The request's body did not come in time.", false, now_ms);
        return true;
    case HANDLING:
        if (take_back(connection))
            refuse(connection, 504, NULL, "The request was not answered within 60 seconds.", true,
                   now_ms);
        return true;
    case WRITING:
    case EVENTS:
    case SOCKET:
    case LINGER:
    case END:
    default:
        return false;
    }
}

void mr_http_connection_stop(struct mr_http_connection *connection, uint64_t now_ms)
{
    connection->stopping = true;
    if (connection->phase == HANDLING) {
        if (take_back(connection))
            refuse(connection, 503, "Retry-After: 1\r\n", "The server is stopping.", true, now_ms);
    } else if (connection->phase == SOCKET) {
        mr_websocket_close(connection->socket, MR_WEBSOCKET_GOING_AWAY, "the server is stopping",
                           now_ms);
    } else if (connection->phase != WRITING) {
        connection->phase = END;
    }
}

struct mr_http_connection *mr_http_connection_next_news(struct mr_http_core *core, uint64_t now_ms)
{
    pthread_mutex_lock(&core->mutex);
    struct mr_http_connection *connection = core->news;
    if (connection != NULL) {
        core->news = connection->news_next;
        connection->news_next = NULL;
        connection->has_news = false;
    }
    pthread_mutex_unlock(&core->mutex);
    if (connection != NULL && connection->phase == HANDLING) {
        collect(connection, now_ms);
        advance(connection, now_ms);
    }
    return connection;
}
