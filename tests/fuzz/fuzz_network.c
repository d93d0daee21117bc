/* tests/fuzz/fuzz_network.c — any bytes are a model document of a network or are refused. Input
 * that does not begin with a brace is edits of a small valid document: an offset, how many bytes go
 * there, how many come, and those. Oracles beside the sanitizers: a bounded multiple of the
 * document's memory; records of what was read are valid JSON of finite numbers. */
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/sample_model_network.h"
#include "record/json_value.h"

enum {
    TEXT_BYTES_MAX = 1 << 16,
    MEMORY_FACTOR = 256,
    MEMORY_BASE_BYTES = 4 << 20, /* of a drawing, too */
    ROWS = 3
};

static const char valid[] =
    "{\"millrace_model\":1,\"type\":\"network\",\"name\":\"n\",\"version\":1,\"rows\":9,"
    "\"effective_rows\":9,\"latents\":1,\"fields\":[{\"name\":\"a\",\"kind\":\"number\","
    "\"decimals\":2,\"modes\":[[1,2]]},{\"name\":\"b\",\"kind\":\"category\",\"categories\":["
    "{\"value\":\"x\",\"weight\":1},{\"value\":2,\"weight\":3}]}],\"hidden\":[{\"outputs\":1,"
    "\"weights\":\"AACAPwAAgD8AAIA/\",\"bias\":\"AAAAAA==\",\"normalisation\":{\"mean\":"
    "\"AAAAAA==\",\"variance\":\"AACAPw==\",\"scale\":\"AACAPw==\",\"shift\":\"AAAAAA==\","
    "\"epsilon\":0.001}}],\"output\":{\"weights\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\",\"bias\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns the size of the edited document. */
static size_t edit(char *text, const uint8_t *data, size_t size)
{
    size_t length = sizeof(valid) - 1;
    memcpy(text, valid, length);
    while (size >= 4) {
        size_t place = ((size_t)data[0] << 8 | data[1]) % (length + 1);
        size_t gone = data[2] < length - place ? data[2] : length - place;
        size_t come = data[3] < size - 4 ? data[3] : size - 4;
        if (length + come > TEXT_BYTES_MAX)
            break;
        memmove(text + place + come, text + place + gone, length - place - gone);
        memcpy(text + place, data + 4, come);
        length += come - gone;
        data += 4 + come;
        size -= 4 + come;
    }
    return length;
}

static void draw(const struct mr_sample_model *model)
{
    struct mr_sample *sample;
    struct mr_error error;
    struct mr_buffer output;
    struct mr_arena arena;
    struct mr_value value;
    mr_buffer_init(&output, 1 << 24);
    mr_arena_init(&arena, 1 << 12);
    enum mr_status status = mr_sample_open(model, mr_slice_text(""), 1, &sample, &error);
    MR_ASSERT(status == MR_OK);
    status = mr_sample_write(sample, 0, ROWS, NULL, "\n", &output);
    MR_ASSERT(status == MR_OK);
    const uint8_t *end = memchr(output.data, '\n', output.size);
    MR_ASSERT(end != NULL);
    status = mr_json_parse(mr_slice_from(output.data, (size_t)(end - output.data)), NULL, &arena,
                           &value, &error);
    MR_ASSERT(status == MR_OK);
    mr_sample_close(sample);
    mr_arena_deinit(&arena);
    mr_buffer_deinit(&output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[TEXT_BYTES_MAX];
    struct mr_slice document = mr_slice_from(data, size);
    struct mr_sample_model *model = NULL;
    struct mr_error error = {0};
    if (size == 0 || data[0] != '{')
        document = mr_slice_from(text, edit(text, data, size));
    uint64_t before = mr_memory_counters().allocation_bytes;
    enum mr_status status = mr_sample_model_read(document, &model, &error);
    MR_ASSERT(mr_memory_counters().allocation_bytes - before <=
              document.size * MEMORY_FACTOR + MEMORY_BASE_BYTES);
    MR_ASSERT(status == MR_OK || (model == NULL && error.message[0] != 0));
    if (status == MR_OK && mr_sample_model_network(model) != NULL)
        draw(model);
    mr_sample_model_destroy(model);
    return 0;
}
