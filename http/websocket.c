/* http/websocket.c — the machine of one WebSocket: see websocket.h.
 * Design: no sockets and no clock, as connection.c. What is sent are whole frames in one buffer, so
 * that a ping or a close frame can stand between any two. `draw` is called with an empty buffer
 * only: what waits is never more than one portion and the answers to what was read meanwhile. */
#include "http/websocket.h"

#include "base/assert.h"
#include "base/memory.h"
#include "http/internal.h"
#include "http/websocket_internal.h"

enum {
    KEPT_BYTES_MAX = 256 << 10, /* of the buffer, once it is empty */
    REASON_BYTES_MAX = MR_WEBSOCKET_CONTROL_BYTES_MAX - 2
};

struct mr_websocket {
    const struct mr_websocket_handler *handler;
    void *session;
    struct mr_websocket_reader reader;
    struct mr_buffer out;
    size_t out_offset;
    uint64_t due_ms;
    uint64_t heard_ms; /* when the client last said something */
    uint64_t sent_ms;  /* when it last took something */
    uint64_t closing_ms;
    bool in_message;
    bool pinged;
    bool overflowed;  /* the client asks and does not read */
    bool closing;     /* a close frame is in out, or sent */
    bool close_heard; /* the client's came: the end, once out is sent */
};

struct mr_websocket *mr_websocket_create(const struct mr_websocket_handler *handler, void *session,
                                         const char *key)
{
    char accept[MR_WEBSOCKET_ACCEPT_SIZE];
    struct mr_websocket *socket = mr_memory_new(1, sizeof(*socket));
    socket->handler = handler;
    socket->session = session;
    socket->due_ms = MR_WEBSOCKET_NEVER;
    mr_websocket_reader_init(&socket->reader, MR_WEBSOCKET_MESSAGE_BYTES_MAX);
    mr_buffer_init(&socket->out, MR_WEBSOCKET_OUTPUT_BYTES_MAX);
    mr_websocket_accept(key, accept);
    enum mr_status status = mr_buffer_append_format(
        &socket->out,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n\r\n",
        accept);
    MR_ASSERT(status == MR_OK);
    return socket;
}

void mr_websocket_begin(struct mr_websocket *socket, uint64_t now_ms)
{
    socket->heard_ms = now_ms;
    socket->sent_ms = now_ms;
}

void mr_websocket_destroy(struct mr_websocket *socket)
{
    if (socket == NULL)
        return;
    socket->handler->end(socket->session);
    mr_websocket_reader_deinit(&socket->reader);
    mr_buffer_deinit(&socket->out);
    mr_memory_free(socket);
}

/* ---- Sending ---- */

static void append_frame(struct mr_websocket *socket, enum mr_websocket_opcode opcode, bool final,
                         struct mr_slice payload)
{
    uint8_t head[MR_WEBSOCKET_HEAD_BYTES_MAX];
    size_t head_size = mr_websocket_head(opcode, final, payload.size, head);
    if (mr_buffer_reserve(&socket->out, head_size + payload.size) != MR_OK) {
        socket->overflowed = true;
        return;
    }
    enum mr_status status = mr_buffer_append(&socket->out, head, head_size);
    MR_ASSERT(status == MR_OK);
    status = mr_buffer_append(&socket->out, payload.data, payload.size);
    MR_ASSERT(status == MR_OK);
}

void mr_websocket_send(struct mr_websocket *socket, struct mr_slice text, bool last)
{
    if (socket->closing || socket->overflowed)
        return;
    append_frame(socket, socket->in_message ? MR_WEBSOCKET_CONTINUATION : MR_WEBSOCKET_TEXT, last,
                 text);
    socket->in_message = !last;
}

bool mr_websocket_in_message(const struct mr_websocket *socket)
{
    return socket->in_message;
}

void mr_websocket_want(struct mr_websocket *socket, uint64_t due_ms)
{
    socket->due_ms = due_ms;
}

void mr_websocket_close(struct mr_websocket *socket, enum mr_websocket_code code,
                        const char *reason, uint64_t now_ms)
{
    uint8_t payload[MR_WEBSOCKET_CONTROL_BYTES_MAX];
    size_t reason_size = strlen(reason);
    if (socket->closing)
        return;
    MR_ASSERT(reason_size <= REASON_BYTES_MAX);
    payload[0] = (uint8_t)((uint32_t)code >> 8);
    payload[1] = (uint8_t)code;
    memcpy(payload + 2, reason, reason_size);
    if (socket->overflowed)
        socket->out.size_max += sizeof(payload) + MR_WEBSOCKET_HEAD_BYTES_MAX;
    append_frame(socket, MR_WEBSOCKET_CLOSE, true,
                 mr_slice_from(payload, code == MR_WEBSOCKET_NO_CODE ? 0 : 2 + reason_size));
    socket->closing = true;
    socket->closing_ms = now_ms;
    socket->due_ms = MR_WEBSOCKET_NEVER;
}

/* ---- Receiving ---- */

static void heed(struct mr_websocket *socket, enum mr_websocket_event event, uint64_t now_ms)
{
    const struct mr_websocket_reader *reader = &socket->reader;
    switch (event) {
    case MR_WEBSOCKET_GOT_MESSAGE:
        socket->handler->receive(socket->session, socket, mr_buffer_view(&reader->message), now_ms);
        break;
    case MR_WEBSOCKET_GOT_PING:
        append_frame(socket, MR_WEBSOCKET_PONG, true,
                     mr_slice_from(reader->control, reader->control_size));
        break;
    case MR_WEBSOCKET_GOT_CLOSE:
        mr_websocket_close(socket, (enum mr_websocket_code)reader->code, "", now_ms);
        socket->close_heard = true;
        break;
    case MR_WEBSOCKET_GOT_ERROR:
        mr_websocket_close(socket, (enum mr_websocket_code)reader->code, reader->reason, now_ms);
        break;
    case MR_WEBSOCKET_GOT_PONG:
    case MR_WEBSOCKET_GOT_NOTHING:
    default:
        break;
    }
    if (socket->overflowed)
        mr_websocket_close(socket, MR_WEBSOCKET_POLICY, "answers wait and are not read", now_ms);
}

/* Behind an error nothing can be read for certain. But clients answer with a close frame alone, and
 * the connection ends the sooner when one is guessed. */
static bool looks_like_close(struct mr_slice bytes)
{
    return bytes.size >= 6 && bytes.data[0] == (0x80 | MR_WEBSOCKET_CLOSE) &&
           bytes.data[1] >= 0x80 && bytes.size == 6u + (bytes.data[1] & 0x7fu);
}

void mr_websocket_receive(struct mr_websocket *socket, struct mr_slice bytes, uint64_t now_ms)
{
    socket->heard_ms = now_ms;
    socket->pinged = false;
    while (bytes.size > 0 && !socket->close_heard) {
        size_t used;
        if (socket->reader.reason != NULL) {
            socket->close_heard = looks_like_close(bytes);
            return;
        }
        enum mr_websocket_event event = mr_websocket_reader_take(&socket->reader, bytes, &used);
        bytes = mr_slice_from(bytes.data + used, bytes.size - used);
        if (!socket->closing)
            heed(socket, event, now_ms);
        else
            socket->close_heard = event == MR_WEBSOCKET_GOT_CLOSE;
    }
}

bool mr_websocket_wants_input(const struct mr_websocket *socket)
{
    return socket->closing ||
           socket->out.size - socket->out_offset <= MR_WEBSOCKET_READ_AHEAD_BYTES;
}

/* ---- The connection's side ---- */

void mr_websocket_prepare(struct mr_websocket *socket, uint64_t now_ms)
{
    if (socket->out.size > 0 || socket->closing || socket->due_ms > now_ms)
        return;
    socket->handler->draw(socket->session, socket, now_ms);
    if (socket->overflowed)
        mr_websocket_close(socket, MR_WEBSOCKET_POLICY, "a portion is too large", now_ms);
}

struct mr_slice mr_websocket_output(const struct mr_websocket *socket)
{
    size_t left = socket->out.size - socket->out_offset;
    return mr_slice_from(left == 0 ? NULL : socket->out.data + socket->out_offset, left);
}

void mr_websocket_sent(struct mr_websocket *socket, size_t size, uint64_t now_ms)
{
    socket->out_offset += size;
    socket->sent_ms = now_ms;
    MR_ASSERT(socket->out_offset <= socket->out.size);
    if (socket->out_offset < socket->out.size)
        return;
    socket->out_offset = 0;
    mr_buffer_clear(&socket->out);
    if (socket->out.capacity > KEPT_BYTES_MAX) {
        mr_buffer_deinit(&socket->out);
        mr_buffer_init(&socket->out, MR_WEBSOCKET_OUTPUT_BYTES_MAX);
    }
}

uint64_t mr_websocket_due_ms(const struct mr_websocket *socket)
{
    return socket->out.size > 0 || socket->closing ? MR_WEBSOCKET_NEVER : socket->due_ms;
}

bool mr_websocket_ended(const struct mr_websocket *socket)
{
    return socket->close_heard && socket->out.size == 0;
}

bool mr_websocket_tick(struct mr_websocket *socket, uint64_t now_ms)
{
    if (socket->closing)
        return now_ms < socket->closing_ms + MR_WEBSOCKET_CLOSE_MS_MAX;
    uint64_t last_ms = socket->heard_ms > socket->sent_ms ? socket->heard_ms : socket->sent_ms;
    if (now_ms >= last_ms + MR_WEBSOCKET_SILENT_MS_MAX)
        return false;
    if (!socket->pinged && now_ms >= socket->heard_ms + MR_WEBSOCKET_PING_MS) {
        socket->pinged = true;
        append_frame(socket, MR_WEBSOCKET_PING, true, mr_slice_from(NULL, 0));
    }
    return true;
}

/* ---- The handshake ---- */

bool mr_websocket_asked(const struct mr_http_exchange *exchange)
{
    return exchange->request.websocket_key != NULL;
}

void mr_websocket_refuse(struct mr_http_exchange *exchange)
{
    mr_http_exchange_finish(
        exchange, mr_http_answer_problem(
                      426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                      "This path speaks WebSocket (RFC 6455, version 13): a GET with Upgrade, "
                      "Connection, Sec-WebSocket-Version and Sec-WebSocket-Key."));
}

void mr_websocket_upgrade(struct mr_http_exchange *exchange,
                          const struct mr_websocket_handler *handler, void *session)
{
    struct mr_http_core *core = exchange->core;
    MR_ASSERT(mr_websocket_asked(exchange));
    struct mr_websocket *socket =
        mr_websocket_create(handler, session, exchange->request.websocket_key);
    pthread_mutex_lock(&core->mutex);
    if (exchange->connection != NULL) {
        mr_http_connection_give_websocket(exchange->connection, socket);
        socket = NULL;
    }
    pthread_mutex_unlock(&core->mutex);
    mr_websocket_destroy(socket); /* the client has gone meanwhile */
    mr_http_exchange_discard(exchange);
}
