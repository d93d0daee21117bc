/* formats/json.c — the JSON format's type, and values as JSON text behind a buffer. */
#include "formats/json.h"

#include "formats/json_decode.h"
#include "formats/json_encode.h"
#include "record/json_write.h"

enum mr_status mr_json_append_value(struct mr_buffer *output, struct mr_value value,
                                    struct mr_error *error)
{
    size_t bound = mr_json_write_bound(value) + MR_JSON_WRITE_SLACK;
    struct mr_arena arena; /* apart: the bound may exceed the ceiling where the text does not */
    mr_arena_init(&arena, bound);
    uint8_t *text = mr_arena_take(&arena, bound);
    uint8_t *end = mr_json_write(text, value);
    enum mr_status status = MR_OK;
    if (end == NULL) {
        status =
            MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "The value cannot be written as JSON: %s.",
                    mr_json_write_refusal(&arena, value));
        goto cleanup;
    }
    status = mr_buffer_append(output, text, (size_t)(end - text));
    if (status != MR_OK)
        status = MR_FAIL(error, status, MR_RECOVERY_NONE,
                         "A JSON text of %zu bytes exceeds the limit of %zu bytes.",
                         output->size + (size_t)(end - text), output->size_max);
cleanup:
    mr_arena_deinit(&arena);
    return status;
}

enum mr_status mr_json_append_string(struct mr_buffer *output, struct mr_slice text)
{
    struct mr_error error;
    return mr_json_append_value(output, mr_value_string(text), &error);
}

static const struct mr_option_spec options[] = {{0}};

const struct mr_format_type mr_format_json = {
    .name = "json",
    .help = "One JSON object per record; fields that nobody writes keep their bytes.",
    .options = options,
    .payload_is_json = true,
    .single_value = false,
    .decoder_size = sizeof(struct mr_json_decoder),
    .decoder_open = mr_json_decoder_open,
    .decode = mr_json_decode,
    .decoder_close = mr_json_decoder_close,
    .encoder_size = sizeof(struct mr_json_encoder),
    .encoder_open = mr_json_encoder_open,
    .encode = mr_json_encode,
    .encoder_close = mr_json_encoder_close,
};
