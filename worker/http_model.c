/* worker/http_model.c — GET /v1/models/{topology}/{operator}/{key}: what a running operator has
 * learned, as a document, from committed state. */
#include "operators/sample_model.h"
#include "worker/http_internal.h"

/* "shop/people/West": where the model comes from. */
static const char *name_of(const struct mr_http_request *request, struct mr_arena *arena)
{
    const char *key = request->parts[2];
    return mr_arena_format(arena, "%s/%s%s%s", request->parts[0], request->parts[1],
                           key == NULL || key[0] == '\0' ? "" : "/", key == NULL ? "" : key);
}

void mr_worker_http_model(void *argument, struct mr_http_exchange *exchange)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    struct mr_buffer document;
    struct mr_query query = {.topology = request->parts[0],
                             .store = request->parts[1],
                             .document = &document,
                             .model_name = name_of(request, mr_http_arena(exchange))};
    struct mr_query_answer answer;
    mr_buffer_init(&document, MR_SAMPLE_DOCUMENT_BYTES_MAX);
    if (mr_worker_http_run_query(argument, exchange, &query, &answer))
        mr_http_answer(exchange, 200, "application/json", mr_buffer_view(&document));
    mr_buffer_deinit(&document);
}
