/* tests/fuzz/fuzz_http.c — any bytes of a client are answered or refused, and cost nothing else.
 * Oracle beside the sanitizers: what is answered does not depend on how the bytes were cut. */
#include <stdlib.h>

#include "base/assert.h"
#include "http/internal.h"

enum { OUTPUT_BYTES_MAX = 16 << 20, PIECE_BYTES_MAX = 64 };

static void echo(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    const struct mr_http_request *request = mr_http_request_of(exchange);
    const char *query = mr_http_query(exchange, "q");
    char *text = mr_arena_format(mr_http_arena(exchange), "%s|%s|%zu", request->parts[0],
                                 query == NULL ? "" : query, request->body.size);
    mr_http_answer(exchange, 200, "text/plain", mr_slice_text(text));
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_GET, "/a/{part}", echo},
    {MR_HTTP_POST, "/a/{part}", echo},
    {MR_HTTP_PUT, "/b/{rest*}", echo},
    {MR_HTTP_GET, NULL, NULL},
};

static const struct mr_http_settings settings = {.routes = routes};

/* "100 Continue" depends on what has come already: it is left out. */
static void drain(struct mr_http_connection *connection, struct mr_buffer *output)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct mr_slice bytes;
    while ((bytes = mr_http_connection_output(connection)).size > 0) {
        if (!mr_slice_equal(bytes, mr_slice_text(interim)))
            MR_ASSERT(mr_buffer_append(output, bytes.data, bytes.size) == MR_OK);
        MR_ASSERT(mr_http_connection_sent(connection, bytes.size, 0));
    }
}

static void run(const uint8_t *data, size_t size, size_t piece, struct mr_buffer *output)
{
    struct mr_http_core *core = mr_http_core_create();
    struct mr_http_connection *connection = mr_http_connection_open(core, &settings, NULL, 0);
    mr_buffer_init(output, OUTPUT_BYTES_MAX);
    bool open = true;
    for (size_t offset = 0; offset < size && open; offset += piece) {
        size_t given = size - offset < piece ? size - offset : piece;
        open = mr_http_connection_receive(connection, mr_slice_from(data + offset, given), 0);
        drain(connection, output);
    }
    mr_http_connection_close(connection);
    MR_ASSERT(core->references == 1 && core->answers_bytes == 0 && core->bodies_bytes == 0);
    pthread_mutex_lock(&core->mutex);
    mr_http_core_unlock_release(core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct mr_buffer whole;
    struct mr_buffer cut;
    run(data + 1, size - 1, size, &whole);
    run(data + 1, size - 1, 1u + data[0] % PIECE_BYTES_MAX, &cut);
    MR_ASSERT(mr_slice_equal(mr_buffer_view(&whole), mr_buffer_view(&cut)));
    mr_buffer_deinit(&whole);
    mr_buffer_deinit(&cut);
    return 0;
}
