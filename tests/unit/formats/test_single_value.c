/* tests/unit/formats/test_single_value.c — single_value.c: the formats string and bytes. */
#include "tests/unit/formats/fixture.h"

static void strings_are_valid_text(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_string);
    fixture_field(&fixture, "value", NULL);
    const struct mr_slice payloads[] = {mr_slice_text("é{"), mr_slice_text("a\xC3z"),
                                        mr_slice_text(""), mr_slice_from(NULL, 0)};
    fixture_decode(&fixture, payloads, 4);
    fixture_expect_error(&fixture, "expected valid UTF-8 at byte 1");
    assert_int_equal(fixture.errors[0].row, 1);
    fixture_expect(&fixture, 0, 0, "\"é{\"");
    fixture_expect(&fixture, 0, 1, "absent");
    fixture_expect(&fixture, 0, 2, "\"\"");
    fixture_expect(&fixture, 0, 3, "absent");
    fixture_deinit(&fixture);
}

static void strings_may_declare_a_type(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_string);
    fixture_field(&fixture, "value", "double");
    const struct mr_slice payloads[] = {mr_slice_text("1.5"), mr_slice_text("x")};
    fixture_decode(&fixture, payloads, 2);
    assert_int_equal(fixture.errors_count, 0);
    fixture_expect(&fixture, 0, 0, "1.5");
    fixture_expect(&fixture, 0, 1, "error");
    fixture_deinit(&fixture);
}

static void bytes_are_opaque(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_bytes);
    fixture_field(&fixture, "value", NULL);
    const struct mr_slice payloads[] = {mr_slice_text("\xFF\xFE\xFD"), mr_slice_from(NULL, 0)};
    fixture_decode(&fixture, payloads, 2);
    assert_int_equal(fixture.errors_count, 0);
    assert_int_equal(fixture_cell(&fixture, 0, 0).kind, MR_KIND_BYTES);
    fixture_expect(&fixture, 0, 0, "\"//79\"");
    fixture_expect(&fixture, 0, 1, "absent");
    fixture_deinit(&fixture);
}

static void other_fields_are_refused(void **state)
{
    MR_UNUSED(state);
    const struct {
        const struct mr_format_type *format;
        const char *path;
        const char *type;
    } cases[] = {
        {&mr_format_string, "a", NULL},
        {&mr_format_bytes, "a", NULL},
        {&mr_format_string, "value.x", NULL},
        {&mr_format_bytes, "value", "string"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct fixture fixture;
        struct mr_error error;
        fixture_init(&fixture, cases[i].format);
        fixture_field(&fixture, cases[i].path, cases[i].type);
        assert_int_equal(fixture_open(&fixture, &error), MR_INVALID);
        fixture_deinit(&fixture);
    }
}

struct sink {
    const struct mr_format_type *format;
    struct mr_arena arena;
    struct mr_batch batch;
    void *encoder;
};

static void sink_init(struct sink *sink, const struct mr_format_type *format, uint32_t slot)
{
    struct mr_layout layout = {.from_payload = false};
    struct mr_encoder_open open = {.layout = &layout, .value_slot = slot};
    struct mr_error error;
    sink->format = format;
    mr_arena_init(&sink->arena, 4096);
    mr_batch_init(&sink->batch, &sink->arena, (struct mr_batch_shape){.slots_count = 1}, 1);
    sink->batch.rows_count = 1;
    sink->encoder = mr_memory_new(1, format->encoder_size);
    assert_int_equal(format->encoder_open(sink->encoder, &open, &error), MR_OK);
}

static void sink_deinit(struct sink *sink)
{
    sink->format->encoder_close(sink->encoder);
    mr_memory_free(sink->encoder);
    mr_arena_deinit(&sink->arena);
}

/* Encode value; expected NULL: refused. */
static struct mr_slice sink_write(struct sink *sink, struct mr_value value, const char *expected)
{
    struct mr_slice payload = {0};
    struct mr_error error;
    mr_batch_column(&sink->batch, 0)[0] = value;
    enum mr_status status =
        sink->format->encode(sink->encoder, &sink->batch, 0, &sink->arena, &payload, &error);
    if (status != (expected != NULL ? MR_OK : MR_INVALID))
        fail_msg("status %d", status);
    if (expected != NULL &&
        (payload.data == NULL || !mr_slice_equal(payload, mr_slice_text(expected))))
        fail_msg("encoded '%.*s', expected '%s'", (int)payload.size, (const char *)payload.data,
                 expected);
    return payload;
}

static void parts_of_the_payload_are_not_copied(void **state)
{
    MR_UNUSED(state);
    struct sink sink;
    struct mr_slice text = mr_slice_text("hello");
    struct mr_value item = mr_value_int(1);
    sink_init(&sink, &mr_format_string, 0);
    sink.batch.payloads[0] = text;
    assert_ptr_equal(sink_write(&sink, mr_value_string(text), "hello").data, text.data);
    assert_ptr_equal(sink_write(&sink, mr_value_bytes(text), "hello").data, text.data);
    assert_ptr_equal(
        sink_write(&sink, mr_value_string(mr_slice_from(text.data + 1, 3)), "ell").data,
        text.data + 1);
    /* What is no part of the payload would not outlive the batch. */
    struct mr_slice other = mr_slice_text("other");
    assert_ptr_not_equal(sink_write(&sink, mr_value_string(other), "other").data, other.data);
    sink_write(&sink, mr_value_bytes(mr_slice_text("\xFF")), NULL);
    sink_write(&sink, mr_value_string(mr_slice_from(NULL, 0)), "");
    sink_write(&sink, mr_value_double(2.5), "2.5");
    sink_write(&sink, (struct mr_value){.kind = MR_KIND_DURATION, .integer = 1500000000}, "1.5s");
    sink_write(&sink, (struct mr_value){.kind = MR_KIND_LIST, .size = 1, .items = &item}, "[1]");
    sink_write(&sink, mr_value_double(__builtin_nan("")), NULL);
    sink_write(&sink, (struct mr_value){.kind = MR_KIND_ABSENT}, NULL);
    sink_deinit(&sink);
    sink_init(&sink, &mr_format_bytes, 0);
    sink.batch.payloads[0] = text;
    assert_ptr_not_equal(sink_write(&sink, mr_value_bytes(other), "other").data, other.data);
    assert_ptr_equal(sink_write(&sink, mr_value_bytes(text), "hello").data, text.data);
    assert_ptr_equal(sink_write(&sink, mr_value_string(text), "hello").data, text.data);
    sink_write(&sink, mr_value_bytes(mr_slice_from(NULL, 0)), "");
    sink_write(&sink, mr_value_int(1), NULL);
    sink_deinit(&sink);
}

static void nulls_are_tombstones(void **state)
{
    MR_UNUSED(state);
    const struct mr_format_type *const formats[] = {&mr_format_string, &mr_format_bytes};
    for (size_t i = 0; i < 2; i++) {
        struct sink sink;
        struct mr_slice payload = mr_slice_text("before");
        struct mr_error error;
        sink_init(&sink, formats[i], 0);
        mr_batch_column(&sink.batch, 0)[0] = mr_value_null();
        assert_int_equal(
            formats[i]->encode(sink.encoder, &sink.batch, 0, &sink.arena, &payload, &error), MR_OK);
        assert_null(payload.data);
        sink_deinit(&sink);
        /* Nobody reads `value`: the payload goes through, and so does a tombstone. */
        sink_init(&sink, formats[i], MR_SLOT_NONE);
        sink.batch.payloads[0] = mr_slice_text("\xFF raw");
        assert_int_equal(
            formats[i]->encode(sink.encoder, &sink.batch, 0, &sink.arena, &payload, &error), MR_OK);
        assert_ptr_equal(payload.data, sink.batch.payloads[0].data);
        sink.batch.payload_nulls[0] = true;
        assert_int_equal(
            formats[i]->encode(sink.encoder, &sink.batch, 0, &sink.arena, &payload, &error), MR_OK);
        assert_null(payload.data);
        sink_deinit(&sink);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_valid_text),
        cmocka_unit_test(strings_may_declare_a_type),
        cmocka_unit_test(bytes_are_opaque),
        cmocka_unit_test(other_fields_are_refused),
        cmocka_unit_test(parts_of_the_payload_are_not_copied),
        cmocka_unit_test(nulls_are_tombstones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
