/* formats/single_value.c — the formats string and bytes: the payload is the field `value`.
 * Rules: string is UTF-8 text, other bytes are an error of the row; bytes is opaque. A null
 * `value` writes a tombstone. When nobody reads or writes `value` (no slot), the payload goes
 * through as it is.
 * Design: cells borrow the payload, and what is a part of the payload is written without a copy. */
#include "base/memory.h"
#include "base/utf8.h"
#include "formats/json.h"
#include "record/json_write.h"
#include "record/scalar.h"

struct value_read {
    uint32_t slot;
    const struct mr_type *type;
};

struct value_decoder {
    struct value_read *reads;
    uint32_t reads_count;
};

struct value_encoder {
    uint32_t slot; /* MR_SLOT_NONE: the payload as it is */
};

/* ---- Decoders. ---- */

static enum mr_status decoder_open(struct value_decoder *decoder,
                                   const struct mr_decoder_open *open, const char *format,
                                   struct mr_error *error)
{
    *decoder =
        (struct value_decoder){.reads = mr_memory_new(open->fields_count, sizeof(*decoder->reads))};
    for (uint32_t i = 0; i < open->fields_count; i++) {
        const struct mr_field_read *field = &open->fields[i];
        if (strcmp(field->path.text, "value") != 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "The format %s has the field 'value' only, not '%s'.", format,
                           field->path.text);
        decoder->reads[decoder->reads_count++] =
            (struct value_read){.slot = field->slot, .type = field->type};
    }
    return MR_OK;
}

static enum mr_status string_decoder_open(void *self, const struct mr_decoder_open *open,
                                          struct mr_error *error)
{
    return decoder_open(self, open, "string", error);
}

static enum mr_status bytes_decoder_open(void *self, const struct mr_decoder_open *open,
                                         struct mr_error *error)
{
    enum mr_status status = decoder_open(self, open, "bytes", error);
    for (uint32_t i = 0; i < open->fields_count && status == MR_OK; i++) {
        enum mr_type_code code = open->fields[i].type->code;
        if (code != MR_TYPE_ANY && code != MR_TYPE_BYTES)
            status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                             "The field 'value' of the format bytes is always bytes.");
    }
    return status;
}

static void decoder_close(void *self)
{
    struct value_decoder *decoder = self;
    mr_memory_free(decoder->reads);
    *decoder = (struct value_decoder){0};
}

static void string_decode(void *self, struct mr_batch *batch, struct mr_row_error *errors,
                          uint32_t *errors_count)
{
    struct value_decoder *decoder = self;
    *errors_count = 0;
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        struct mr_slice text = batch->payloads[row];
        if (batch->payload_nulls[row])
            continue; /* a tombstone has no fields */
        size_t valid_size = mr_utf8_valid_size(text);
        if (valid_size < text.size) {
            const char *message =
                mr_arena_format(batch->arena, "expected valid UTF-8 at byte %zu", valid_size);
            errors[(*errors_count)++] =
                (struct mr_row_error){.row = row, .message = mr_slice_text(message)};
            continue;
        }
        for (uint32_t i = 0; i < decoder->reads_count; i++)
            mr_batch_column(batch, decoder->reads[i].slot)[row] =
                mr_scalar_from_text(batch->arena, text, decoder->reads[i].type);
    }
}

static void bytes_decode(void *self, struct mr_batch *batch, struct mr_row_error *errors,
                         uint32_t *errors_count)
{
    struct value_decoder *decoder = self;
    (void)errors;
    *errors_count = 0;
    for (uint32_t i = 0; i < decoder->reads_count; i++) {
        struct mr_value *column = mr_batch_column(batch, decoder->reads[i].slot);
        for (uint32_t row = 0; row < batch->rows_count; row++) {
            if (!batch->payload_nulls[row])
                column[row] = mr_value_bytes(batch->payloads[row]);
        }
    }
}

/* ---- Encoders. ---- */

static enum mr_status encoder_open(void *self, const struct mr_encoder_open *open,
                                   struct mr_error *error)
{
    struct value_encoder *encoder = self;
    (void)error;
    *encoder = (struct value_encoder){.slot = open->value_slot};
    return MR_OK;
}

static void encoder_close(void *self)
{
    struct value_encoder *encoder = self;
    *encoder = (struct value_encoder){.slot = MR_SLOT_NONE};
}

/* True when the row is done without looking at the value's kind: payload as it is, or a tombstone.
 */
static bool encode_null(const struct value_encoder *encoder, const struct mr_batch *batch,
                        uint32_t row, struct mr_value *value, struct mr_slice *payload)
{
    *value = (struct mr_value){.kind = MR_KIND_ABSENT};
    if (encoder->slot == MR_SLOT_NONE) {
        *payload = batch->payload_nulls[row] ? mr_slice_from(NULL, 0) : batch->payloads[row];
        return true;
    }
    if (batch->columns[encoder->slot] != NULL)
        *value = batch->columns[encoder->slot][row];
    bool null =
        value->kind == MR_KIND_NULL || (value->kind == MR_KIND_ABSENT && batch->payload_nulls[row]);
    if (null)
        *payload = mr_slice_from(NULL, 0);
    return null;
}

/* Text of a cell as a payload: a part of the row's own payload as it is; a text that was computed
 * lives no longer than the batch and is copied. A payload of no bytes is not a tombstone: its data
 * is not NULL. */
static struct mr_slice settle(const struct mr_batch *batch, uint32_t row, struct mr_arena *arena,
                              struct mr_slice text)
{
    static const uint8_t nothing[1];
    struct mr_slice payload = batch->payloads[row];
    if (text.size == 0)
        return mr_slice_from(nothing, 0);
    bool inside = payload.size > 0 && text.data >= payload.data &&
                  text.data + text.size <= payload.data + payload.size;
    return inside ? text : mr_arena_copy(arena, text);
}

static enum mr_status string_encode(void *self, const struct mr_batch *batch, uint32_t row,
                                    struct mr_arena *arena, struct mr_slice *payload,
                                    struct mr_error *error)
{
    struct mr_value value;
    if (encode_null(self, batch, row, &value, payload))
        return MR_OK;
    if (value.kind == MR_KIND_BYTES) {
        if (!mr_utf8_valid(mr_value_text(value)))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "The field 'value' holds bytes that are not valid UTF-8.");
        value.kind = MR_KIND_STRING;
    }
    if (value.kind == MR_KIND_STRING) {
        *payload = settle(batch, row, arena, mr_value_text(value));
        return MR_OK;
    }
    *payload = mr_scalar_to_text(arena, value);
    if (payload->data == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "The field 'value' cannot be written as text: %s.",
                       mr_json_write_refusal(arena, value));
    return MR_OK;
}

static enum mr_status bytes_encode(void *self, const struct mr_batch *batch, uint32_t row,
                                   struct mr_arena *arena, struct mr_slice *payload,
                                   struct mr_error *error)
{
    struct mr_value value;
    if (encode_null(self, batch, row, &value, payload))
        return MR_OK;
    if (value.kind != MR_KIND_BYTES && value.kind != MR_KIND_STRING)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "The field 'value' must be bytes or a string, but it is of kind %s.",
                       mr_kind_name((enum mr_kind)value.kind));
    *payload = settle(batch, row, arena, mr_value_text(value));
    return MR_OK;
}

static const struct mr_option_spec options[] = {{0}};

const struct mr_format_type mr_format_string = {
    .name = "string",
    .help = "UTF-8 text in the field `value`.",
    .options = options,
    .payload_is_json = false,
    .single_value = true,
    .decoder_size = sizeof(struct value_decoder),
    .decoder_open = string_decoder_open,
    .decode = string_decode,
    .decoder_close = decoder_close,
    .encoder_size = sizeof(struct value_encoder),
    .encoder_open = encoder_open,
    .encode = string_encode,
    .encoder_close = encoder_close,
};

const struct mr_format_type mr_format_bytes = {
    .name = "bytes",
    .help = "Opaque bytes in the field `value`.",
    .options = options,
    .payload_is_json = false,
    .single_value = true,
    .decoder_size = sizeof(struct value_decoder),
    .decoder_open = bytes_decoder_open,
    .decode = bytes_decode,
    .decoder_close = decoder_close,
    .encoder_size = sizeof(struct value_encoder),
    .encoder_open = encoder_open,
    .encode = bytes_encode,
    .encoder_close = encoder_close,
};
