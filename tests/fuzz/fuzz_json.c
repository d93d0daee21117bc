/* tests/fuzz/fuzz_json.c — any bytes are a JSON text or are refused. Oracles beside the sanitizers:
 * what is read is written as a text that reads the same; the record decoder accepts what the parser
 * accepts and finds the cells that a walk through the tree finds, also by a remembered shape; what
 * the encoder splices is a JSON object again. */
#include "base/assert.h"
#include "base/memory.h"
#include "formats/json.h"
#include "record/json_value.h"

enum { ROWS_COUNT = 3, FIELDS_COUNT = 5, TRACKED_COUNT = 2, TEXT_BYTES_MAX = 1 << 16 };

static const char *const paths[FIELDS_COUNT] = {"a", "b.c", "a[1]", "b", "a[0].a"};
static const char *const tracked[TRACKED_COUNT] = {"a", "b"};
static const struct mr_type any = {.code = MR_TYPE_ANY};

static void expect_round_trip(struct mr_arena *arena, struct mr_value value)
{
    struct mr_buffer output;
    struct mr_error error;
    mr_buffer_init(&output, (size_t)TEXT_BYTES_MAX * 16);
    /* Refused: a number beyond the doubles is an ERROR cell. */
    if (mr_json_append_value(&output, value, &error) == MR_OK) {
        struct mr_value again;
        enum mr_status status = mr_json_parse(mr_buffer_view(&output), NULL, arena, &again, &error);
        MR_ASSERT(status == MR_OK);
        MR_ASSERT(mr_value_equal(value, again));
    }
    mr_buffer_deinit(&output);
}

static void expect_spliced(const struct mr_batch *batch, uint32_t row, struct mr_arena *arena)
{
    static const struct mr_edit edits[] = {
        {.name = "a", .slot = FIELDS_COUNT, .span = 0, .raw_span = MR_SLOT_NONE},
        {.name = "b", .slot = MR_SLOT_NONE, .span = 1, .raw_span = MR_SLOT_NONE, .remove = true},
        {.name = "n", .slot = MR_SLOT_NONE, .span = MR_SLOT_NONE, .raw_span = 1},
    };
    static const struct mr_layout layout = {.from_payload = true, .edits = edits, .edits_count = 3};
    struct mr_encoder_open open = {.layout = &layout, .value_slot = MR_SLOT_NONE};
    struct mr_error error;
    struct mr_slice payload;
    struct mr_value tree;
    void *encoder = mr_memory_new(1, mr_format_json.encoder_size);
    MR_ASSERT(mr_format_json.encoder_open(encoder, &open, &error) == MR_OK);
    MR_ASSERT(mr_format_json.encode(encoder, batch, row, arena, &payload, &error) == MR_OK);
    MR_ASSERT(mr_json_parse(payload, NULL, arena, &tree, &error) == MR_OK);
    MR_ASSERT(tree.kind == MR_KIND_MAP);
    mr_format_json.encoder_close(encoder);
    mr_memory_free(encoder);
}

static bool is_repeated_name(struct mr_slice message)
{
    return message.size > 60 && memcmp(message.data, "expected names that", 19) == 0;
}

static void expect_decoded(struct mr_slice text, const struct mr_value *tree,
                           struct mr_arena *arena)
{
    struct mr_field_read fields[FIELDS_COUNT];
    struct mr_error error;
    for (uint32_t i = 0; i < FIELDS_COUNT; i++) {
        fields[i] = (struct mr_field_read){.slot = i, .type = &any};
        MR_ASSERT(mr_path_parse(arena, paths[i], &fields[i].path, &error) == MR_OK);
    }
    struct mr_decoder_open open = {.fields = fields,
                                   .fields_count = FIELDS_COUNT,
                                   .tracked_names = tracked,
                                   .tracked_count = TRACKED_COUNT};
    void *decoder = mr_memory_new(1, mr_format_json.decoder_size);
    MR_ASSERT(mr_format_json.decoder_open(decoder, &open, &error) == MR_OK);
    struct mr_batch batch;
    mr_batch_init(&batch, arena, (struct mr_batch_shape){FIELDS_COUNT + 1, TRACKED_COUNT, 0},
                  ROWS_COUNT);
    batch.rows_count = ROWS_COUNT;
    batch.payloads[0] = text;
    batch.payloads[1] = mr_slice_text("{\"a\":[{\"a\":1},2],\"b\":{\"c\":\"x\"}}");
    batch.payloads[2] = text;
    struct mr_row_error errors[ROWS_COUNT];
    uint32_t errors_count;
    mr_format_json.decode(decoder, &batch, errors, &errors_count);
    bool record = tree != NULL && tree->kind == MR_KIND_MAP;
    bool repeated = errors_count > 0 && is_repeated_name(errors[0].message);
    MR_ASSERT(errors_count == (record && !repeated ? 0 : 2));
    for (uint32_t row = 0; row < ROWS_COUNT && record && !repeated; row += 2) {
        for (uint32_t i = 0; i < FIELDS_COUNT; i++) {
            struct mr_value expected = mr_path_walk(&fields[i].path, 0, *tree);
            struct mr_value cell = batch.columns[i][row];
            MR_ASSERT(cell.kind == expected.kind && mr_value_equal(cell, expected));
        }
        mr_batch_column(&batch, FIELDS_COUNT)[row] = mr_value_int(row);
        expect_spliced(&batch, row, arena);
    }
    mr_format_json.decoder_close(decoder);
    mr_memory_free(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_BYTES_MAX)
        return 0;
    struct mr_arena arena;
    struct mr_value value;
    struct mr_error error;
    mr_arena_init(&arena, 1 << 16);
    struct mr_slice text = mr_slice_from(data, size);
    bool accepted = mr_json_parse(text, NULL, &arena, &value, &error) == MR_OK;
    if (accepted)
        expect_round_trip(&arena, value);
    expect_decoded(text, accepted ? &value : NULL, &arena);
    mr_arena_deinit(&arena);
    return 0;
}
