/* http/ask.c — requests from within the process, answered by the server's own handlers.
 * Design: an exchange without a connection; its answer goes to whoever waits. When the wait ends
 * first the two let go of each other under the core's mutex, and the answer is dropped. */
#include "base/assert.h"
#include "base/clock.h"
#include "http/internal.h"
#include "http/route.h"

#include <time.h>

enum { LOOK_MS = 100 /* between looks at whether it is cancelled */ };

static void fill(struct mr_http_exchange *exchange, const struct mr_http_asking *asking,
                 const char **path)
{
    struct mr_arena *arena = &exchange->arena;
    const char *query = strchr(asking->target, '?');
    size_t size = query != NULL ? (size_t)(query - asking->target) : strlen(asking->target);
    *path = mr_arena_copy_bytes_text(arena, asking->target, size);
    exchange->request = (struct mr_http_request){
        .method = asking->method,
        .path = *path,
        .query = query != NULL ? mr_arena_copy_text(arena, query + 1) : "",
        .content_type =
            asking->content_type != NULL ? mr_arena_copy_text(arena, asking->content_type) : "",
        .accept = "",
        .authorization = "",
        .origin = "",
        .body = mr_arena_copy(arena, asking->body)};
}

static bool is_cancelled(const struct mr_http_asking *asking)
{
    return asking->cancelled != NULL && atomic_load(asking->cancelled);
}

/* Until there is an answer, the time is up or nobody wants it any more. */
static struct mr_http_answer *await(struct mr_http_core *core, struct mr_http_exchange *exchange,
                                    struct mr_http_asker *asker,
                                    const struct mr_http_asking *asking)
{
    uint64_t now_ns = mr_clock_steady_ns();
    uint64_t until_ns = now_ns + (uint64_t)asking->wait_ms * 1000000;
    pthread_mutex_lock(&core->mutex);
    while (asker->answer == NULL && now_ns < until_ns && !is_cancelled(asking)) {
        uint64_t step_ns = now_ns + (uint64_t)LOOK_MS * 1000000;
        if (step_ns > until_ns || asking->cancelled == NULL)
            step_ns = until_ns;
        const struct timespec step = {.tv_sec = (time_t)(step_ns / 1000000000),
                                      .tv_nsec = (long)(step_ns % 1000000000)};
        (void)pthread_cond_timedwait(&asker->answered, &core->mutex, &step);
        now_ns = mr_clock_steady_ns();
    }
    if (asker->answer == NULL) /* the exchange is still there, and somebody's */
        exchange->asker = NULL;
    pthread_mutex_unlock(&core->mutex);
    return asker->answer;
}

static void open_asker(struct mr_http_asker *asker)
{
    pthread_condattr_t attributes;
    *asker = (struct mr_http_asker){0};
    int code = pthread_condattr_init(&attributes);
    MR_ASSERT(code == 0);
    code = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    MR_ASSERT(code == 0);
    code = pthread_cond_init(&asker->answered, &attributes);
    MR_ASSERT(code == 0);
    (void)pthread_condattr_destroy(&attributes);
}

enum mr_status mr_http_core_ask(struct mr_http_core *core, const struct mr_http_settings *settings,
                                const struct mr_http_asking *asking, struct mr_arena *arena,
                                struct mr_http_asked *asked, struct mr_error *error)
{
    struct mr_http_asker asker;
    struct mr_http_match match;
    const char *path;
    if (is_cancelled(asking))
        return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_NONE, "%.200s is not asked: it was cancelled.",
                       asking->target);
    struct mr_http_exchange *exchange = mr_http_exchange_create(core);
    fill(exchange, asking, &path);
    int code =
        mr_http_route_find(settings->routes, true, asking->method, path, &exchange->arena, &match);
    if (code != 200 || !mr_http_exchange_read_query(exchange, exchange->request.query)) {
        mr_http_exchange_discard(exchange);
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "There is no route for %.200s.",
                       asking->target);
    }
    memcpy(exchange->request.parts, match.parts, sizeof(exchange->request.parts));
    open_asker(&asker);
    exchange->asker = &asker;
    match.route->handle(settings->argument, exchange);
    struct mr_http_answer *answer = await(core, exchange, &asker, asking);
    (void)pthread_cond_destroy(&asker.answered);
    if (answer == NULL && is_cancelled(asking))
        return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_NONE,
                       "The wait for the answer to %.200s was cancelled.", asking->target);
    if (answer == NULL)
        return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_RETRY, "No answer to %.200s within %u ms.",
                       asking->target, asking->wait_ms);
    *asked = (struct mr_http_asked){
        .code = answer->code,
        .body = mr_slice_from(mr_arena_copy_bytes_text(arena, answer->body, answer->body_size),
                              answer->body_size)};
    mr_http_answer_destroy(answer);
    return MR_OK;
}
