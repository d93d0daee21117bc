/* tests/fuzz/fuzz_websocket.c — any bytes behind a handshake are answered or closed, and cost
 * nothing else. Oracle beside the sanitizers: what is answered does not depend on how the bytes
 * were cut. */
#include "base/assert.h"
#include "http/websocket_internal.h"

enum { OUTPUT_BYTES_MAX = 16 << 20, PIECE_BYTES_MAX = 64 };

static void on_receive(void *session, struct mr_websocket *socket, struct mr_slice text,
                       uint64_t now_ms)
{
    (void)session;
    (void)now_ms;
    mr_websocket_send(socket, text, text.size % 2 == 0);
}

static void on_draw(void *session, struct mr_websocket *socket, uint64_t now_ms)
{
    (void)session;
    (void)socket;
    (void)now_ms;
}

static void on_end(void *session)
{
    (void)session;
}

static const struct mr_websocket_handler handler = {on_receive, on_draw, on_end};

static void run(const uint8_t *data, size_t size, size_t piece, struct mr_buffer *output)
{
    struct mr_websocket *socket = mr_websocket_create(&handler, NULL, "dGhlIHNhbXBsZSBub25jZQ==");
    mr_buffer_init(output, OUTPUT_BYTES_MAX);
    mr_websocket_begin(socket, 0);
    for (size_t offset = 0; offset < size; offset += piece) {
        size_t given = size - offset < piece ? size - offset : piece;
        mr_websocket_receive(socket, mr_slice_from(data + offset, given), 0);
        struct mr_slice bytes = mr_websocket_output(socket);
        MR_ASSERT(mr_buffer_append(output, bytes.data, bytes.size) == MR_OK);
        if (bytes.size > 0)
            mr_websocket_sent(socket, bytes.size, 0);
    }
    mr_websocket_destroy(socket);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_buffer whole;
    struct mr_buffer cut;
    if (size < 2)
        return 0;
    run(data + 1, size - 1, size, &whole);
    run(data + 1, size - 1, 1u + data[0] % PIECE_BYTES_MAX, &cut);
    MR_ASSERT(mr_slice_equal(mr_buffer_view(&whole), mr_buffer_view(&cut)));
    mr_buffer_deinit(&whole);
    mr_buffer_deinit(&cut);
    return 0;
}
