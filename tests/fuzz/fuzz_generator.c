/* tests/fuzz/fuzz_generator.c — any text of a WebSocket client is a request or a sentence.
 * An even first byte: the rest is the text. Odd: the rest chooses members and their values, since
 * the JSON reader is a library that is not watched and hides what is behind it.
 * Oracle beside the sanitizers: what is accepted is within the stated bounds. */
#include "base/assert.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "coordinator/generator_request.h"

enum { TEXT_BYTES_MAX = 64 << 10 };

static const char *const pieces[] = {"\"action\":",
                                     "\"n_samples\":",
                                     "\"count\":",
                                     "\"n_batches\":",
                                     "\"batch_size\":",
                                     "\"rate\":",
                                     "\"delay\":",
                                     "\"seed\":",
                                     "\"conditions\":",
                                     "\"include_metadata\":",
                                     "\"request_id\":",
                                     "\"generate\"",
                                     "\"stream\"",
                                     "\"stats\"",
                                     "\"stop\"",
                                     "true",
                                     "null",
                                     "-1",
                                     "0",
                                     "1",
                                     "100",
                                     "1000000",
                                     "1000001",
                                     "1e9",
                                     "0.5",
                                     "99999999999999999999",
                                     "\"r\\u0000\"",
                                     "{\"a\":{\"in\":[1,\"x\"]}}",
                                     "[]",
                                     "{}",
                                     ",",
                                     "\"\xc3\xa4\""};

static struct mr_slice compose(const uint8_t *data, size_t size, struct mr_buffer *text)
{
    enum mr_status status = mr_buffer_append_text(text, "{");
    for (size_t index = 0; status == MR_OK && index < size; index++)
        status = mr_buffer_append_text(text, pieces[data[index] % MR_ARRAY_COUNT(pieces)]);
    if (status == MR_OK)
        status = mr_buffer_append_text(text, "}");
    return mr_buffer_view(text);
}

static void check(const struct mr_generator_request *request)
{
    if (request->action > MR_GENERATOR_STREAM)
        return;
    MR_ASSERT(request->rows > 0 && request->batch_rows > 0);
    MR_ASSERT(request->batch_rows <= MR_GENERATOR_MESSAGE_ROWS_MAX);
    MR_ASSERT(request->in_batches || request->rows == request->batch_rows);
    MR_ASSERT(request->rate >= 0 && request->delay_s >= 0);
    MR_ASSERT(mr_utf8_valid(request->conditions));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_generator_request request;
    struct mr_buffer composed;
    struct mr_arena arena;
    struct mr_error error;
    if (size == 0)
        return 0;
    mr_buffer_init(&composed, TEXT_BYTES_MAX);
    mr_arena_init(&arena, 1024);
    struct mr_slice text = data[0] % 2 == 0 ? mr_slice_from(data + 1, size - 1)
                                            : compose(data + 1, size - 1, &composed);
    enum mr_status status = mr_generator_request_read(text, &arena, &request, &error);
    MR_ASSERT(status == MR_OK || (status == MR_INVALID && error.message[0] != '\0'));
    if (status == MR_OK)
        check(&request);
    mr_arena_deinit(&arena);
    mr_buffer_deinit(&composed);
    return 0;
}
