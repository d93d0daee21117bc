/* http/exchange.c — one request and its answer to be.
 * Design: an exchange belongs to whoever handles it, and is freed by the answer. Its connection may
 * go first: then exchange->connection is NULL and the answer is dropped. */
#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/internal.h"

#include <stdarg.h>
#include <stdio.h>

enum { ARENA_CHUNK_BYTES = 4096, DETAIL_BYTES_MAX = 4096 };

struct mr_http_core *mr_http_core_create(void)
{
    struct mr_http_core *core = mr_memory_new(1, sizeof *core);
    int code = pthread_mutex_init(&core->mutex, NULL);
    MR_ASSERT(code == 0);
    core->references = 1;
    return core;
}

void mr_http_core_unlock_release(struct mr_http_core *core)
{
    bool last = --core->references == 0;
    pthread_mutex_unlock(&core->mutex);
    if (!last)
        return;
    pthread_mutex_destroy(&core->mutex);
    mr_memory_free(core);
}

struct mr_http_exchange *mr_http_exchange_create(struct mr_http_core *core)
{
    struct mr_http_exchange *exchange = mr_memory_new(1, sizeof *exchange);
    mr_arena_init(&exchange->arena, ARENA_CHUNK_BYTES);
    exchange->core = core;
    pthread_mutex_lock(&core->mutex);
    core->references++;
    pthread_mutex_unlock(&core->mutex);
    return exchange;
}

void mr_http_exchange_discard(struct mr_http_exchange *exchange)
{
    struct mr_http_core *core = exchange->core;
    mr_arena_deinit(&exchange->arena);
    mr_memory_free(exchange);
    pthread_mutex_lock(&core->mutex);
    mr_http_core_unlock_release(core);
}

bool mr_http_exchange_read_query(struct mr_http_exchange *exchange, const char *query)
{
    while (*query != 0) {
        size_t size = strcspn(query, "&");
        size_t name_size = strcspn(query, "=&");
        const char *value = query + name_size + (name_size < size ? 1 : 0);
        if (size > 0) {
            if (exchange->parameters_count == MR_HTTP_PARAMETERS_MAX)
                return false;
            uint32_t index = exchange->parameters_count++;
            exchange->names[index] = mr_http_percent_decode(&exchange->arena, query, name_size);
            exchange->values[index] =
                mr_http_percent_decode(&exchange->arena, value, (size_t)(query + size - value));
            if (exchange->names[index] == NULL || exchange->values[index] == NULL)
                return false;
        }
        query += size;
        query += *query == '&';
    }
    return true;
}

const char *mr_http_query(const struct mr_http_exchange *exchange, const char *name)
{
    for (uint32_t i = 0; i < exchange->parameters_count; i++) {
        if (strcmp(exchange->names[i], name) == 0)
            return exchange->values[i];
    }
    return NULL;
}

const struct mr_http_request *mr_http_request_of(const struct mr_http_exchange *exchange)
{
    return &exchange->request;
}

struct mr_arena *mr_http_arena(struct mr_http_exchange *exchange)
{
    return &exchange->arena;
}

void mr_http_exchange_finish(struct mr_http_exchange *exchange, struct mr_http_answer *answer)
{
    struct mr_http_core *core = exchange->core;
    struct mr_http_answer *dropped = NULL;
    pthread_mutex_lock(&core->mutex);
    if (exchange->asker != NULL) {
        exchange->asker->answer = answer;
        (void)pthread_cond_signal(&exchange->asker->answered);
    } else if (exchange->connection == NULL) {
        dropped = answer;
    } else {
        if (answer->body_size > (size_t)MR_HTTP_ANSWERS_BYTES_MAX - core->answers_bytes) {
            dropped = answer;
            answer = mr_http_answer_problem(503, "Retry-After: 1\r\n",
                                            "Too many answers wait to be read by their clients.");
        }
        core->answers_bytes += answer->body_size;
        mr_http_connection_give_answer(exchange->connection, answer);
    }
    pthread_mutex_unlock(&core->mutex);
    mr_http_answer_destroy(dropped);
    mr_http_exchange_discard(exchange);
}

void mr_http_answer(struct mr_http_exchange *exchange, int code, const char *content_type,
                    struct mr_slice body)
{
    mr_http_exchange_finish(exchange, mr_http_answer_create(code, content_type, body));
}

void mr_http_problem(struct mr_http_exchange *exchange, int code, uint32_t retry_after_s,
                     const char *detail, ...)
{
    char text[DETAIL_BYTES_MAX];
    char fields[64] = "";
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(text, sizeof text, detail, arguments);
    va_end(arguments);
    if (retry_after_s > 0)
        snprintf(fields, sizeof fields, "Retry-After: %u\r\n", retry_after_s);
    mr_http_exchange_finish(exchange, mr_http_answer_problem(code, fields, text));
}

void mr_http_redirect(struct mr_http_exchange *exchange, const char *url)
{
    bool good = strlen(url) <= MR_HTTP_PATH_BYTES_MAX + 512;
    for (const char *cursor = url; *cursor != 0; cursor++)
        good = good && (uint8_t)*cursor > ' ' && (uint8_t)*cursor < 0x7f;
    if (!good) {
        mr_http_problem(exchange, 500, 0, "The address to go to instead is not a URL.");
        return;
    }
    struct mr_http_answer *answer = mr_http_answer_create(307, "", mr_slice_from(NULL, 0));
    char *fields = mr_arena_format(&exchange->arena, "Location: %s\r\n", url);
    answer->fields = mr_memory_copy_text(fields);
    mr_http_exchange_finish(exchange, answer);
}

void mr_http_subscribe(struct mr_http_exchange *exchange, const char *channel)
{
    struct mr_http_core *core = exchange->core;
    MR_ASSERT(strlen(channel) <= MR_HTTP_CHANNEL_BYTES_MAX);
    struct mr_http_subscriber *subscriber = NULL;
    if (exchange->asker != NULL) {
        mr_http_problem(exchange, 406, 0, "Events are not for requests from within the process.");
        return;
    }
    pthread_mutex_lock(&core->mutex);
    bool gone = exchange->connection == NULL;
    if (!gone)
        subscriber = mr_http_subscriber_create(core, channel, exchange->connection);
    if (subscriber != NULL)
        mr_http_connection_give_subscriber(exchange->connection, subscriber);
    pthread_mutex_unlock(&core->mutex);
    if (gone || subscriber != NULL)
        mr_http_exchange_discard(exchange);
    else
        mr_http_problem(exchange, 503, 5, "There are %d subscribers already.",
                        MR_HTTP_SUBSCRIBERS_MAX);
}
