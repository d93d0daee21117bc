/* proto/nng_connection.c — frames over one of nng's streams.
 * Design: one receive and one send at a time are under way, each with an aio of its own that is
 * only ever ended by closing the stream: nng's TLS loses an aio that is cancelled at a bad moment,
 * but it ends all of them when it is closed after they were started, and here both happen under the
 * owner's lock. For the same reason nng's time-outs are not used; owners close what is late.
 * nng ends an aio by a callback from one of its threads, never inside the call that started it. */
#include "proto/nng_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/endian.h"
#include "base/memory.h"

_Static_assert(offsetof(struct mr_nng_frame, bytes) ==
                   offsetof(struct mr_nng_frame, head) + MR_NNG_HEAD_SIZE,
               "head and bytes are written as one");

enum { GREETING_SIZE = 8, HEAD_RESERVED_OFFSET = 4, HEAD_REQUEST_OFFSET = 8 };

static const uint8_t greeting[GREETING_SIZE] = {'M', 'R', 'T', 'R', 1, 0, 0, 0};

static void lock(struct mr_nng_connection *connection)
{
    MR_ASSERT(pthread_mutex_lock(connection->lock) == 0);
}

static void unlock(struct mr_nng_connection *connection)
{
    MR_ASSERT(pthread_mutex_unlock(connection->lock) == 0);
}

/* ---- Frames ---- */

static struct mr_nng_frame *frame_with_capacity(size_t capacity)
{
    struct mr_nng_frame *frame = mr_memory_resize(NULL, sizeof(*frame) + capacity);
    *frame = (struct mr_nng_frame){0};
    return frame;
}

struct mr_nng_frame *mr_nng_frame_create(uint64_t request, struct mr_slice bytes)
{
    MR_ASSERT(bytes.size > 0 && bytes.size <= MR_NNG_MESSAGE_BYTES_MAX);
    struct mr_nng_frame *frame = frame_with_capacity(bytes.size);
    frame->size = bytes.size;
    mr_put_u32le(frame->head, (uint32_t)bytes.size);
    mr_put_u64le(frame->head + HEAD_REQUEST_OFFSET, request);
    memcpy(frame->bytes, bytes.data, bytes.size);
    return frame;
}

void mr_nng_frame_answer(struct mr_nng_frame *frame, uint64_t request)
{
    mr_put_u64le(frame->head + HEAD_REQUEST_OFFSET, request);
}

uint64_t mr_nng_frame_request(const struct mr_nng_frame *frame)
{
    return mr_get_u64le(frame->head + HEAD_REQUEST_OFFSET);
}

/* ---- Writing. Locked. ---- */

static void write_on(struct mr_nng_connection *connection)
{
    struct mr_nng_frame *frame = connection->out;
    if (connection->sending || connection->is_closed || frame == NULL)
        return;
    if (frame->done == 0)
        connection->write_since_ms = mr_clock_monotonic_ms();
    uint8_t *start = (uint8_t *)frame + offsetof(struct mr_nng_frame, head);
    nng_iov part = {.iov_buf = start + frame->done,
                    .iov_len = sizeof(frame->head) + frame->size - frame->done};
    MR_ASSERT(nng_aio_set_iov(connection->send_aio, 1, &part) == 0);
    connection->sending = true;
    nng_stream_send(connection->stream, connection->send_aio);
}

static void drop_first_frame(struct mr_nng_connection *connection)
{
    struct mr_nng_frame *frame = connection->out;
    connection->out = frame->next;
    if (connection->out == NULL)
        connection->out_last = NULL;
    connection->out_count--;
    connection->out_bytes -= frame->size;
    mr_memory_free(frame);
}

static void append_frame(struct mr_nng_connection *connection, struct mr_nng_frame *frame)
{
    frame->next = NULL;
    if (connection->out == NULL)
        connection->out = frame;
    else
        connection->out_last->next = frame;
    connection->out_last = frame;
    connection->out_count++;
    connection->out_bytes += frame->size;
}

void mr_nng_connection_send(struct mr_nng_connection *connection, struct mr_nng_frame *frame)
{
    if (connection->is_closed) {
        mr_memory_free(frame);
        return;
    }
    append_frame(connection, frame);
    write_on(connection);
}

void mr_nng_connection_forget(struct mr_nng_connection *connection)
{
    struct mr_nng_frame *first = connection->out;
    if (first == NULL)
        return;
    struct mr_nng_frame *next = first->next; /* the first is being written */
    while (next != NULL) {
        struct mr_nng_frame *frame = next;
        next = frame->next;
        connection->out_count--;
        connection->out_bytes -= frame->size;
        mr_memory_free(frame);
    }
    first->next = NULL;
    connection->out_last = first;
}

/* ---- Reading. Locked. ---- */

static void read_into(struct mr_nng_connection *connection, uint8_t *place, size_t size)
{
    nng_iov part = {.iov_buf = place, .iov_len = size};
    MR_ASSERT(nng_aio_set_iov(connection->receive_aio, 1, &part) == 0);
    connection->receiving = true;
    nng_stream_recv(connection->stream, connection->receive_aio);
}

static size_t head_size_wanted(const struct mr_nng_connection *connection)
{
    return connection->reading == MR_NNG_READING_GREETING ? GREETING_SIZE : MR_NNG_HEAD_SIZE;
}

/* The body's memory follows what has come, not what the head claims. */
static void grow_body(struct mr_nng_connection *connection)
{
    size_t capacity =
        connection->body_capacity == 0 ? MR_NNG_SMALL_BYTES : connection->body_capacity * 2;
    if (capacity > connection->body_size)
        capacity = connection->body_size;
    bool fresh = connection->body == NULL;
    connection->body = mr_memory_resize(connection->body, sizeof(struct mr_nng_frame) + capacity);
    if (fresh)
        *connection->body = (struct mr_nng_frame){0};
    connection->body_capacity = capacity;
}

static void read_on(struct mr_nng_connection *connection)
{
    if (connection->is_closed || connection->receiving ||
        connection->reading == MR_NNG_READING_PARKED)
        return;
    if (connection->reading != MR_NNG_READING_BODY) {
        read_into(connection, connection->head + connection->head_size,
                  head_size_wanted(connection) - connection->head_size);
        return;
    }
    if (connection->body == NULL || connection->body->done == connection->body_capacity)
        grow_body(connection);
    read_into(connection, connection->body->bytes + connection->body->done,
              connection->body_capacity - connection->body->done);
}

static void begin_head(struct mr_nng_connection *connection)
{
    connection->reading = MR_NNG_READING_HEAD;
    connection->head_size = 0;
    connection->read_since_ms = mr_clock_monotonic_ms();
}

static void head_complete(struct mr_nng_connection *connection)
{
    size_t size = mr_get_u32le(connection->head);
    if (size == 0 || size > MR_NNG_MESSAGE_BYTES_MAX ||
        mr_get_u32le(connection->head + HEAD_RESERVED_OFFSET) != 0) {
        mr_nng_connection_close(connection,
                                size > MR_NNG_MESSAGE_BYTES_MAX ? NNG_EMSGSIZE : NNG_EPROTO);
        return;
    }
    connection->body_size = size;
    connection->reading = connection->owner->may_receive(connection, size) ? MR_NNG_READING_BODY
                                                                           : MR_NNG_READING_PARKED;
}

static void body_complete(struct mr_nng_connection *connection)
{
    struct mr_nng_frame *frame = connection->body;
    frame->size = connection->body_size;
    memcpy(frame->head, connection->head, sizeof(frame->head));
    connection->body = NULL;
    connection->body_capacity = 0;
    begin_head(connection);
    connection->owner->received(connection, frame);
}

static void take_in(struct mr_nng_connection *connection, size_t size)
{
    if (connection->reading == MR_NNG_READING_BODY) {
        connection->body->done += size;
        if (connection->body->done == connection->body_size)
            body_complete(connection);
        return;
    }
    if (connection->head_size == 0)
        connection->read_since_ms = mr_clock_monotonic_ms();
    connection->head_size += size;
    bool complete = connection->head_size == head_size_wanted(connection);
    if (connection->reading == MR_NNG_READING_HEAD) {
        if (complete)
            head_complete(connection);
    } else if (memcmp(connection->head, greeting, connection->head_size) != 0) {
        mr_nng_connection_close(connection, NNG_EPROTO);
    } else if (complete) {
        begin_head(connection);
        connection->owner->greeted(connection);
    }
}

void mr_nng_connection_resume(struct mr_nng_connection *connection)
{
    MR_ASSERT(connection->reading == MR_NNG_READING_PARKED);
    connection->reading = MR_NNG_READING_BODY;
    connection->read_since_ms = mr_clock_monotonic_ms();
    read_on(connection);
}

/* ---- What nng calls ---- */

static void end_if_idle(struct mr_nng_connection *connection)
{
    if (connection->is_closed && !connection->receiving && !connection->sending)
        connection->owner->ended(connection);
}

static void receive_ended(void *argument)
{
    struct mr_nng_connection *connection = argument;
    lock(connection);
    int result = nng_aio_result(connection->receive_aio);
    connection->receiving = false;
    if (connection->is_closed) {
        end_if_idle(connection);
    } else if (result != 0) {
        mr_nng_connection_close(connection, result);
    } else {
        take_in(connection, nng_aio_count(connection->receive_aio));
        read_on(connection);
    }
    unlock(connection);
}

static void send_ended(void *argument)
{
    struct mr_nng_connection *connection = argument;
    lock(connection);
    int result = nng_aio_result(connection->send_aio);
    connection->sending = false;
    if (connection->is_closed) {
        end_if_idle(connection);
    } else if (result != 0) {
        mr_nng_connection_close(connection, result);
    } else {
        struct mr_nng_frame *frame = connection->out;
        frame->done += nng_aio_count(connection->send_aio);
        if (frame->done == sizeof(frame->head) + frame->size)
            drop_first_frame(connection);
        write_on(connection);
    }
    unlock(connection);
}

/* ---- Life ---- */

void mr_nng_connection_start(struct mr_nng_connection *connection, const struct mr_nng_owner *owner,
                             pthread_mutex_t *owners_lock, nng_stream *stream)
{
    connection->owner = owner;
    connection->lock = owners_lock;
    connection->stream = stream;
    connection->read_since_ms = mr_clock_monotonic_ms();
    MR_ASSERT(nng_aio_alloc(&connection->receive_aio, receive_ended, connection) == 0);
    MR_ASSERT(nng_aio_alloc(&connection->send_aio, send_ended, connection) == 0);
    nng_aio_set_timeout(connection->receive_aio, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(connection->send_aio, NNG_DURATION_INFINITE);
    /* The greeting is a frame whose head is half written already, and that has no bytes. */
    struct mr_nng_frame *frame = frame_with_capacity(0);
    frame->done = MR_NNG_HEAD_SIZE - GREETING_SIZE;
    memcpy(frame->head + frame->done, greeting, GREETING_SIZE);
    connection->write_since_ms = connection->read_since_ms;
    append_frame(connection, frame);
    write_on(connection);
    read_on(connection);
}

void mr_nng_connection_close(struct mr_nng_connection *connection, int reason)
{
    if (connection->is_closed)
        return;
    connection->is_closed = true;
    connection->reason = reason;
    nng_stream_close(connection->stream);
    connection->owner->closed(connection);
    end_if_idle(connection);
}

void mr_nng_connection_deinit(struct mr_nng_connection *connection)
{
    MR_ASSERT(connection->is_closed);
    nng_aio_free(connection->receive_aio); /* waits for its callback */
    nng_aio_free(connection->send_aio);
    nng_stream_free(connection->stream);
    while (connection->out != NULL)
        drop_first_frame(connection);
    mr_memory_free(connection->body);
}
