/* coordinator/generator_session.c — see generator_session.h.
 * Design: `receive` only takes requests down (stats and stop are answered there); `draw` works on
 * the first of them, one portion a call: open -> (wait for the time) -> portions of a message ->
 * next message -> complete. `stop` ends a message that is begun, so that what the client has is
 * JSON; other replies wait for its end, since messages cannot stand inside each other. */
#include "coordinator/generator_session.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/utf8.h"
#include "coordinator/generator_opening.h"
#include "coordinator/generator_request.h"
#include "operators/sample_model.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum { LOOK_AGAIN_MS = 5, OPENING_MS = 1, SMALL_BYTES_MAX = 4096, HELD_BYTES_MAX = 256 << 10 };

/* A request that waits or runs, with its own copies. */
struct asked {
    struct mr_generator_request request;
    struct mr_arena arena;
};

struct session {
    struct mr_generator *generator;
    uint64_t opened_ms;
    uint64_t total_samples;
    uint64_t total_batches;
    uint64_t condition_samples; /* rows under conditions, and as many as would be drawn without */
    double condition_draws;
    struct asked waiting[MR_GENERATOR_WAITING_MAX]; /* a ring; the first is being answered */
    uint32_t first;
    uint32_t count;
    struct mr_buffer portion;
    struct mr_buffer held; /* replies behind the message that is begun, each ended by NUL */
    /* Of the first request. */
    bool opened;
    uint64_t asked_ms;
    struct mr_generator_model *model;
    struct mr_generator_opening *opening; /* under way */
    struct mr_sample *sample;
    uint64_t began_ms;
    uint64_t last_batch_ms;
    uint64_t rows;         /* drawn */
    uint64_t batches;      /* messages begun */
    uint32_t message_rows; /* drawn of the message */
    uint32_t message_left;
    struct mr_sample_metadata metadata; /* of the message */
};

/* ---- Replies ---- */

static const char *copy_valid(struct mr_arena *arena, const char *text)
{
    return mr_arena_copy_bytes_text(arena, text, mr_utf8_valid_size(mr_slice_text(text)));
}

/* Send a JSON value, which is given up, with the request's id; behind the message that is begun. */
static void reply(struct session *session, struct mr_websocket *socket, json_t *value,
                  const char *id)
{
    const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER;
    struct mr_arena arena;
    if (id != NULL)
        (void)json_object_set_new(value, "request_id", json_string(id));
    size_t size = json_dumpb(value, NULL, 0, flags);
    mr_arena_init(&arena, size + 64);
    char *text = mr_arena_new(&arena, size + 1, 1);
    size_t written = json_dumpb(value, text, size, flags);
    MR_ASSERT(written == size);
    json_decref(value);
    if (!mr_websocket_in_message(socket))
        mr_websocket_send(socket, mr_slice_from(text, size), true);
    else if (mr_buffer_append(&session->held, text, size + 1) != MR_OK)
        mr_websocket_close(socket, MR_WEBSOCKET_POLICY, "replies wait and are not read",
                           mr_clock_monotonic_ms());
    mr_arena_deinit(&arena);
}

static void send_held(struct session *session, struct mr_websocket *socket)
{
    const char *text = (const char *)session->held.data;
    const char *end = text + session->held.size;
    for (; text < end; text += strlen(text) + 1)
        mr_websocket_send(socket, mr_slice_text(text), true);
    mr_buffer_clear(&session->held);
}

static void reply_error(struct session *session, struct mr_websocket *socket, const char *code,
                        const char *message, const char *id)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 1024);
    reply(session, socket,
          json_pack("{s:s, s:s, s:s, s:s}", "action", "error", "status", "error", "code", code,
                    "message", copy_valid(&arena, message)),
          id);
    mr_arena_deinit(&arena);
}

static void reply_complete(struct session *session, struct mr_websocket *socket,
                           const struct mr_generator_request *request, uint64_t rows)
{
    reply(session, socket,
          json_pack("{s:s, s:I}", request->second ? "status" : "action", "complete", "n_samples",
                    (json_int_t)rows),
          request->id);
}

static json_t *describe_model(const struct mr_sample_model *model)
{
    const struct mr_sample_facts *facts = mr_sample_model_facts(model);
    return json_pack("{s:s, s:s, s:I, s:f, s:f}", "type", facts->type, "name", facts->name,
                     "version", (json_int_t)facts->version, "rows", facts->rows, "effective_rows",
                     facts->effective_rows);
}

static void reply_stats(struct session *session, struct mr_websocket *socket, const char *id,
                        uint64_t now_ms)
{
    struct mr_generator_model *model = NULL;
    struct mr_error error;
    double elapsed_s = (double)(now_ms - session->opened_ms) / 1000;
    json_t *value = json_pack("{s:s, s:I, s:I, s:f, s:f}", "action", "stats", "total_samples",
                              (json_int_t)session->total_samples, "total_batches",
                              (json_int_t)session->total_batches, "samples_per_second",
                              elapsed_s > 0 ? (double)session->total_samples / elapsed_s : 0,
                              "elapsed_time", elapsed_s);
    (void)json_object_set_new(value, "condition_samples",
                              json_integer((json_int_t)session->condition_samples));
    (void)json_object_set_new(
        value, "condition_hit_rate",
        session->condition_draws > 0
            ? json_real((double)session->condition_samples / session->condition_draws)
            : json_null());
    if (mr_generator_acquire(session->generator, &model, &error) == MR_OK) {
        (void)json_object_set_new(value, "model", describe_model(mr_generator_model_of(model)));
        mr_generator_release(model);
    }
    reply(session, socket, value, id);
}

/* ---- The first request ---- */

static struct asked *first_of(struct session *session)
{
    return &session->waiting[session->first];
}

static void drop_first(struct session *session)
{
    mr_generator_opening_drop(session->opening);
    mr_sample_close(session->sample);
    session->opening = NULL;
    mr_generator_release(session->model);
    session->sample = NULL;
    session->model = NULL;
    session->opened = false;
    session->asked_ms = 0;
    mr_arena_deinit(&first_of(session)->arena);
    session->first = (session->first + 1) % MR_GENERATOR_WAITING_MAX;
    session->count--;
}

/* An error in place of what was asked. */
static void give_up(struct session *session, struct mr_websocket *socket, const char *code,
                    const struct mr_error *error)
{
    reply_error(session, socket, code, error->message, first_of(session)->request.id);
    drop_first(session);
}

/* The model as it is now. Conditions take their time on another thread, without them the drawing is
 * open at once. */
static enum mr_status begin_opening(struct session *session, uint64_t now_ms,
                                    struct mr_error *error)
{
    struct mr_generator_request *request = &first_of(session)->request;
    if (session->model == NULL) {
        session->asked_ms = session->asked_ms == 0 ? now_ms : session->asked_ms;
        enum mr_status status = mr_generator_acquire(session->generator, &session->model, error);
        if (status == MR_AGAIN && now_ms >= session->asked_ms + MR_GENERATOR_MODEL_MS_MAX)
            return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_RETRY,
                           "The generator's model did not come within %d s; ask again.",
                           MR_GENERATOR_MODEL_MS_MAX / 1000);
        if (status != MR_OK)
            return status;
        if (!request->seeded)
            request->seed = mr_random_fresh_id();
    }
    if (request->conditions.size == 0)
        return mr_sample_open(mr_generator_model_of(session->model), request->conditions,
                              request->seed, &session->sample, error);
    session->opening =
        mr_generator_opening_start(mr_generator_openings(session->generator), session->model,
                                   request->conditions, request->seed);
    return MR_AGAIN;
}

/* Find the model and open the drawing. False: not yet, or never. */
static bool open_first(struct session *session, struct mr_websocket *socket, uint64_t now_ms)
{
    struct mr_error error;
    bool conditions = session->opening != NULL;
    enum mr_status status = MR_AGAIN;
    if (!conditions)
        status = begin_opening(session, now_ms, &error);
    else
        status = mr_generator_opening_take(session->opening, &session->sample, &error);
    if (status == MR_AGAIN) {
        mr_websocket_want(socket, now_ms + (session->opening != NULL ? OPENING_MS : LOOK_AGAIN_MS));
        return false;
    }
    session->opening = NULL;
    if (status != MR_OK) {
        give_up(session, socket, conditions ? "conditions" : "unavailable", &error);
        return false;
    }
    session->opened = true;
    session->began_ms = now_ms;
    session->rows = 0;
    session->batches = 0;
    session->message_left = 0;
    return true;
}

/* When the next message may begin, or the next portion of the only one. */
static uint64_t due_ms(const struct session *session, const struct mr_generator_request *request)
{
    uint64_t due = session->began_ms;
    if (session->batches > 0 && request->in_batches)
        due = session->last_batch_ms + (uint64_t)(request->delay_s * 1000);
    if (request->rate > 0) {
        double by_rate_ms = (double)session->rows / request->rate * 1000;
        uint64_t paced =
            by_rate_ms < 1e15 ? session->began_ms + (uint64_t)by_rate_ms : MR_WEBSOCKET_NEVER - 1;
        due = paced > due ? paced : due;
    }
    return due;
}

/* ---- Messages of rows ---- */

static void append(struct session *session, const char *text)
{
    enum mr_status status = mr_buffer_append_text(&session->portion, text);
    MR_ASSERT(status == MR_OK); /* room for it was left */
}

static void begin_message(struct session *session, const struct mr_generator_request *request,
                          uint64_t now_ms)
{
    uint64_t left = request->rows - session->rows;
    session->message_left = left < request->batch_rows ? (uint32_t)left : request->batch_rows;
    session->message_rows = 0;
    session->batches++;
    session->last_batch_ms = now_ms;
    session->metadata =
        (struct mr_sample_metadata){.generated_ms = mr_clock_wall_ms(), .batch = session->batches};
    append(session, request->second       ? "{\"records\":["
                    : request->in_batches ? "{\"action\":\"batch\",\"data\":["
                                          : "{\"action\":\"data\",\"data\":[");
}

static void end_message(struct session *session, const struct mr_generator_request *request)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "],\"n_samples\":%" PRIu32, session->message_rows);
    append(session, request->second ? "],\"status\":\"batch\"" : text);
    if (request->id != NULL) {
        json_t *id = json_string(request->id);
        char quoted[6 * MR_GENERATOR_REQUEST_ID_BYTES_MAX + 8];
        size_t size = json_dumpb(id, quoted, sizeof(quoted) - 1, JSON_ENCODE_ANY);
        quoted[size < sizeof(quoted) ? size : 0] = '\0';
        json_decref(id);
        append(session, ",\"request_id\":");
        append(session, quoted);
    }
    append(session, "}");
    session->total_batches++;
}

/* Draw a portion; fewer rows when they are large. False: not even one fits. */
static bool draw_rows(struct session *session, const struct mr_generator_request *request)
{
    uint32_t count = session->message_left < MR_GENERATOR_PORTION_ROWS ? session->message_left
                                                                       : MR_GENERATOR_PORTION_ROWS;
    const struct mr_sample_metadata *metadata = request->metadata ? &session->metadata : NULL;
    if (session->message_rows > 0)
        append(session, ",");
    session->portion.size_max = MR_GENERATOR_PORTION_BYTES_MAX;
    while (count > 0 && mr_sample_write(session->sample, session->rows, count, metadata, ",",
                                        &session->portion) != MR_OK)
        count /= 2;
    session->portion.size_max = MR_GENERATOR_PORTION_BYTES_MAX + SMALL_BYTES_MAX;
    session->rows += count;
    session->total_samples += count;
    if (request->conditions.size > 0) {
        session->condition_samples += count;
        session->condition_draws += count / mr_sample_probability(session->sample);
    }
    session->message_rows += count;
    session->message_left -= count;
    return count > 0;
}

/* The next portion of the first request's rows. */
static void draw_portion(struct session *session, struct mr_websocket *socket, uint64_t now_ms)
{
    const struct mr_generator_request *request = &first_of(session)->request;
    mr_buffer_clear(&session->portion);
    if (!mr_websocket_in_message(socket))
        begin_message(session, request, now_ms);
    if (!draw_rows(session, request)) {
        mr_websocket_close(socket, MR_WEBSOCKET_TOO_LARGE, "a record is too large", now_ms);
        return;
    }
    bool last = session->message_left == 0;
    if (last)
        end_message(session, request);
    mr_websocket_send(socket, mr_buffer_view(&session->portion), last);
    if (!last)
        return;
    send_held(session, socket);
    if (session->rows < request->rows)
        return;
    if (request->in_batches)
        reply_complete(session, socket, request, session->rows);
    drop_first(session);
}

static void on_draw(void *argument, struct mr_websocket *socket, uint64_t now_ms)
{
    struct session *session = argument;
    mr_websocket_want(socket, 0);
    if (session->count > 0 && !session->opened && !open_first(session, socket, now_ms))
        return;
    if (session->count > 0) {
        const struct mr_generator_request *request = &first_of(session)->request;
        bool inside = mr_websocket_in_message(socket) && request->in_batches;
        uint64_t due = inside ? 0 : due_ms(session, request);
        if (due > now_ms) {
            mr_websocket_want(socket, due);
            return;
        }
        draw_portion(session, socket, now_ms);
    }
    if (session->count == 0)
        mr_websocket_want(socket, MR_WEBSOCKET_NEVER);
}

/* ---- Requests ---- */

/* End what runs with what was sent so far, and forget what waits. */
static void stop(struct session *session, struct mr_websocket *socket, const char *id)
{
    const struct mr_generator_request nothing = {.id = id};
    if (session->count == 0) {
        reply_complete(session, socket, &nothing, 0);
        return;
    }
    while (session->count > 1) {
        session->count--;
        mr_arena_deinit(
            &session->waiting[(session->first + session->count) % MR_GENERATOR_WAITING_MAX].arena);
    }
    const struct mr_generator_request *request = &first_of(session)->request;
    if (mr_websocket_in_message(socket)) {
        mr_buffer_clear(&session->portion);
        end_message(session, request);
        mr_websocket_send(socket, mr_buffer_view(&session->portion), true);
        send_held(session, socket);
    }
    bool said = session->opened && !request->in_batches && session->batches > 0;
    if (!said)
        reply_complete(session, socket, request, session->opened ? session->rows : 0);
    drop_first(session);
    mr_websocket_want(socket, MR_WEBSOCKET_NEVER);
}

static void heed(struct session *session, struct mr_websocket *socket, struct asked *asked,
                 uint64_t now_ms)
{
    switch (asked->request.action) {
    case MR_GENERATOR_STATS:
        reply_stats(session, socket, asked->request.id, now_ms);
        break;
    case MR_GENERATOR_STOP:
        stop(session, socket, asked->request.id);
        break;
    case MR_GENERATOR_GENERATE:
    case MR_GENERATOR_STREAM:
    default:
        if (session->count == MR_GENERATOR_WAITING_MAX) {
            reply_error(session, socket, "busy",
                        "16 requests wait already; read their replies first.", asked->request.id);
            break;
        }
        session->waiting[(session->first + session->count++) % MR_GENERATOR_WAITING_MAX] = *asked;
        *asked = (struct asked){0};
        if (session->count == 1)
            mr_websocket_want(socket, 0);
    }
}

static void on_receive(void *argument, struct mr_websocket *socket, struct mr_slice text,
                       uint64_t now_ms)
{
    struct session *session = argument;
    struct asked asked;
    struct mr_error error;
    mr_arena_init(&asked.arena, 1024);
    if (mr_generator_request_read(text, &asked.arena, &asked.request, &error) == MR_OK)
        heed(session, socket, &asked, now_ms);
    else
        reply_error(session, socket, "request", error.message, asked.request.id);
    mr_arena_deinit(&asked.arena);
}

static void on_end(void *argument)
{
    struct session *session = argument;
    while (session->count > 0)
        drop_first(session);
    mr_buffer_deinit(&session->portion);
    mr_buffer_deinit(&session->held);
    mr_generator_leave(session->generator);
    mr_memory_free(session);
}

void *mr_generator_session_create(struct mr_generator *generator, uint64_t now_ms)
{
    struct session *session = mr_memory_new(1, sizeof(*session));
    session->generator = generator;
    session->opened_ms = now_ms;
    mr_buffer_init(&session->portion, MR_GENERATOR_PORTION_BYTES_MAX + SMALL_BYTES_MAX);
    mr_buffer_init(&session->held, HELD_BYTES_MAX);
    return session;
}

const struct mr_websocket_handler mr_generator_session_handler = {on_receive, on_draw, on_end};
