/* tests/unit/formats/test_csv.c — csv.c: quoting, declared types, wrong rows, writing, round trips.
 */
#include "tests/unit/formats/fixture.h"

/* The options `{delimiter, columns: [a, b, c]}`. */
struct csv_options {
    struct mr_option_value values[2];
    struct mr_options options;
};

static const char *const abc[] = {"a", "b", "c"};

static void options_init(struct csv_options *options, const char *delimiter)
{
    *options = (struct csv_options){0};
    options->values[0] = (struct mr_option_value){.present = true, .text = delimiter};
    options->values[1] = (struct mr_option_value){.present = true, .count = 3, .texts = abc};
    options->options =
        (struct mr_options){.specs = mr_format_csv.options, .count = 2, .values = options->values};
}

static void csv_fixture(struct fixture *fixture, struct csv_options *options)
{
    options_init(options, ",");
    fixture_init(fixture, &mr_format_csv);
    fixture->options = &options->options;
}

static void cells_are_strings_or_of_their_type(void **state)
{
    MR_UNUSED(state);
    struct csv_options options;
    struct fixture fixture;
    csv_fixture(&fixture, &options);
    fixture_field(&fixture, "a", NULL);
    fixture_field(&fixture, "b", "int");
    fixture_field(&fixture, "c", "bool");
    fixture_field(&fixture, "b", NULL);
    const struct mr_slice payloads[] = {
        mr_slice_text("x,1,true"), mr_slice_text("\"a,\"\"b\"\"\nc\",\"2\",false\r\n"),
        mr_slice_text(",,"),       mr_slice_text("é,\"\",1.5\n"),
        mr_slice_from(NULL, 0),
    };
    fixture_decode(&fixture, payloads, 5);
    assert_int_equal(fixture.errors_count, 0);
    static const char *const expected[5][4] = {
        {"\"x\"", "1", "true", "\"1\""},          {"\"a,\\\"b\\\"\\nc\"", "2", "false", "\"2\""},
        {"\"\"", "null", "null", "\"\""},         {"\"é\"", "error", "error", "\"\""},
        {"absent", "absent", "absent", "absent"},
    };
    for (uint32_t row = 0; row < 5; row++) {
        for (uint32_t slot = 0; slot < 4; slot++)
            fixture_expect(&fixture, slot, row, expected[row][slot]);
    }
    fixture_deinit(&fixture);
}

static void wrong_rows_are_named_and_stay_empty(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "expected as many cells as there are columns at byte 0"},
        {"x,2", "expected as many cells as there are columns at byte 3"},
        {"x,2,3,4", "expected no more cells than there are columns at byte 6"},
        {"x,2,3,", "expected no more cells than there are columns at byte 6"},
        {"x,\"2,3", "expected '\"' at byte 6"},
        {"x,\"2\"y,3", "expected a delimiter behind a quoted cell at byte 5"},
        {"x,2\"y,3", "expected a cell with a quote to be quoted at byte 3"},
        {"x,2\ny,3,4", "expected a cell with a line end to be quoted at byte 3"},
        {"x,\xFF,3", "expected valid UTF-8 at byte 2"},
    };
    struct csv_options options;
    struct fixture fixture;
    csv_fixture(&fixture, &options);
    fixture_field(&fixture, "a", NULL);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_slice payloads[] = {mr_slice_text(cases[i].text), mr_slice_text("1,2,3")};
        fixture_decode(&fixture, payloads, 2);
        fixture_expect_error(&fixture, cases[i].message);
        assert_int_equal(fixture.errors[0].row, 0);
        fixture_expect(&fixture, 0, 0, "absent");
        fixture_expect(&fixture, 0, 1, "\"1\"");
    }
    fixture_deinit(&fixture);
}

static void opening_checks_delimiter_and_fields(void **state)
{
    MR_UNUSED(state);
    static const char *const bad[] = {"", ",,", "\"", "\n", "\r", "é"};
    struct mr_error error;
    for (size_t i = 0; i < MR_ARRAY_COUNT(bad); i++) {
        struct csv_options options;
        struct fixture fixture;
        csv_fixture(&fixture, &options);
        options.values[0].text = bad[i];
        assert_int_equal(fixture_open(&fixture, &error), MR_INVALID);
        fixture_deinit(&fixture);
    }
    static const char *const paths[] = {"d", "a.b"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(paths); i++) {
        struct csv_options options;
        struct fixture fixture;
        csv_fixture(&fixture, &options);
        fixture_field(&fixture, paths[i], NULL);
        assert_int_equal(fixture_open(&fixture, &error), MR_INVALID);
        fixture_deinit(&fixture);
    }
}

static const struct mr_group_member group[] = {{"x", 2}, {"y", 3}};
static const struct mr_edit edits[] = {
    {.name = "c", .slot = 1, .span = MR_SLOT_NONE, .raw_span = MR_SLOT_NONE},
    {.name = "a", .slot = 0, .span = MR_SLOT_NONE, .raw_span = 0},
    {.name = "b",
     .slot = MR_SLOT_NONE,
     .span = MR_SLOT_NONE,
     .raw_span = MR_SLOT_NONE,
     .group = group,
     .group_count = 2},
};

struct sink {
    struct csv_options options;
    struct mr_layout layout;
    struct mr_arena arena;
    struct mr_batch batch;
    void *encoder;
};

static void sink_init(struct sink *sink, const char *delimiter)
{
    options_init(&sink->options, delimiter);
    sink->layout = (struct mr_layout){.edits = edits, .edits_count = 3};
    struct mr_encoder_open open = {
        .options = &sink->options.options, .layout = &sink->layout, .value_slot = MR_SLOT_NONE};
    struct mr_error error;
    mr_arena_init(&sink->arena, 1 << 16);
    mr_batch_init(&sink->batch, &sink->arena,
                  (struct mr_batch_shape){.slots_count = 4, .spans_count = 1}, 1);
    sink->batch.rows_count = 1;
    sink->encoder = mr_memory_new(1, mr_format_csv.encoder_size);
    assert_int_equal(mr_format_csv.encoder_open(sink->encoder, &open, &error), MR_OK);
}

static void sink_deinit(struct sink *sink)
{
    mr_format_csv.encoder_close(sink->encoder);
    mr_memory_free(sink->encoder);
    mr_arena_deinit(&sink->arena);
}

static void sink_set(struct sink *sink, uint32_t slot, struct mr_value value)
{
    mr_batch_column(&sink->batch, slot)[0] = value;
}

static void sink_expect(struct sink *sink, const char *expected)
{
    struct mr_slice payload;
    struct mr_error error;
    if (mr_format_csv.encode(sink->encoder, &sink->batch, 0, &sink->arena, &payload, &error) !=
        MR_OK)
        fail_msg("%s", error.message);
    if (!mr_slice_equal(payload, mr_slice_text(expected)))
        fail_msg("encoded %.*s, expected %s", (int)payload.size, (const char *)payload.data,
                 expected);
}

static void rows_are_written_in_the_order_of_the_columns(void **state)
{
    MR_UNUSED(state);
    struct sink sink;
    sink_init(&sink, ",");
    sink_expect(&sink, ",,");
    sink_set(&sink, 0, mr_value_string(mr_slice_text("plain")));
    sink_set(&sink, 1, mr_value_double(1.5));
    sink_expect(&sink, "plain,,1.5");
    sink_set(&sink, 0, mr_value_string(mr_slice_text("a,\"b\"\nc")));
    sink_set(&sink, 1, mr_value_null());
    sink_set(&sink, 2, mr_value_int(1));
    sink_set(&sink, 3, mr_value_string(mr_slice_text("z")));
    sink_expect(&sink, "\"a,\"\"b\"\"\nc\",\"{\"\"x\"\":1,\"\"y\"\":\"\"z\"\"}\",");
    sink_set(&sink, 1, (struct mr_value){.kind = MR_KIND_TIMESTAMP, .integer = 0});
    sink_set(&sink, 0, mr_value_bool(true));
    sink_set(&sink, 2, (struct mr_value){.kind = MR_KIND_ABSENT});
    sink_set(&sink, 3, (struct mr_value){.kind = MR_KIND_ABSENT});
    sink_expect(&sink, "true,,1970-01-01T00:00:00Z");
    sink_deinit(&sink);
    sink_init(&sink, ";");
    sink_set(&sink, 0, mr_value_string(mr_slice_text("a,b")));
    sink_set(&sink, 1, mr_value_string(mr_slice_text("c;d")));
    sink_expect(&sink, "a,b;;\"c;d\"");
    sink_deinit(&sink);
}

static void raw_members_of_json_are_read(void **state)
{
    MR_UNUSED(state);
    struct sink sink;
    sink_init(&sink, ",");
    sink.batch.payloads[0] = mr_slice_text("{\"a\":\"x\\ny\"}");
    mr_batch_span(&sink.batch, 0)[0] =
        (struct mr_span){.name_offset = 1, .value_offset = 5, .value_size = 6};
    sink_expect(&sink, "\"x\ny\",,");
    sink_set(&sink, 0, mr_value_int(1));
    sink_expect(&sink, "1,,");
    sink_deinit(&sink);
}

static void what_csv_cannot_hold_is_refused(void **state)
{
    MR_UNUSED(state);
    struct sink sink;
    struct mr_slice payload;
    struct mr_error error;
    sink_init(&sink, ",");
    sink_set(&sink, 1, mr_value_double(__builtin_nan("")));
    assert_int_equal(
        mr_format_csv.encode(sink.encoder, &sink.batch, 0, &sink.arena, &payload, &error),
        MR_INVALID);
    assert_string_equal(error.message,
                        "The field 'c' cannot be written as csv: NaN is not a JSON number.");
    sink_deinit(&sink);
    /* A column that no field reaches would always be empty. */
    struct csv_options options;
    options_init(&options, ",");
    struct mr_layout layout = {.edits = edits, .edits_count = 2};
    struct mr_encoder_open open = {.options = &options.options, .layout = &layout};
    void *encoder = mr_memory_new(1, mr_format_csv.encoder_size);
    assert_int_equal(mr_format_csv.encoder_open(encoder, &open, &error), MR_INVALID);
    assert_string_equal(error.message, "The csv column 'b' is not a field that reaches this sink.");
    mr_format_csv.encoder_close(encoder);
    mr_memory_free(encoder);
}

static void rows_round_trip(void **state)
{
    MR_UNUSED(state);
    static const char pieces[] = "ab ,\"\n\r;é";
    struct sink sink;
    struct csv_options options;
    struct fixture fixture;
    csv_fixture(&fixture, &options);
    fixture_field(&fixture, "a", NULL);
    fixture_field(&fixture, "c", NULL);
    static struct generator generator = {.state = 3};
    sink_init(&sink, ",");
    for (int round = 0; round < 3000; round++) {
        char texts[2][16];
        for (uint32_t slot = 0; slot < 2; slot++) {
            size_t size = generator_below(&generator, 8);
            for (size_t i = 0; i < size; i++)
                texts[slot][i] = pieces[generator_below(&generator, 8)]; /* ASCII ones */
            texts[slot][size] = '\0';
            sink_set(&sink, slot, mr_value_string(mr_slice_text(texts[slot])));
        }
        struct mr_slice payload;
        struct mr_error error;
        assert_int_equal(
            mr_format_csv.encode(sink.encoder, &sink.batch, 0, &sink.arena, &payload, &error),
            MR_OK);
        fixture_decode(&fixture, &payload, 1);
        assert_int_equal(fixture.errors_count, 0);
        for (uint32_t slot = 0; slot < 2; slot++) {
            struct mr_value cell = fixture_cell(&fixture, slot, 0);
            if (!mr_slice_equal(mr_value_text(cell), mr_slice_text(texts[slot])))
                fail_msg("'%s' came back as '%.*s'", texts[slot], (int)cell.size,
                         (const char *)cell.text);
        }
    }
    sink_deinit(&sink);
    fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_strings_or_of_their_type),
        cmocka_unit_test(wrong_rows_are_named_and_stay_empty),
        cmocka_unit_test(opening_checks_delimiter_and_fields),
        cmocka_unit_test(rows_are_written_in_the_order_of_the_columns),
        cmocka_unit_test(raw_members_of_json_are_read),
        cmocka_unit_test(what_csv_cannot_hold_is_refused),
        cmocka_unit_test(rows_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
