/* tests/unit/formats/test_json_decode.c — json_decode.c: fields, spans, shapes, errors of rows; a
 * property test against the tree that json_value.c builds. */
#include "formats/json_decode.h"

#include "record/json_value.h"
#include "tests/unit/formats/fixture.h"

static void fields_are_read_by_path(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *path;
        const char *type;
        const char *expected;
    } cases[] = {
        {"s", NULL, "\"x\""},
        {"n", NULL, "1.5"},
        {"big", "int", "9007199254740993"},
        {"o.p.q", NULL, "true"},
        {"o.p", NULL, "{\"q\":true,\"r\":[1]}"},
        {"l[1]", NULL, "20"},
        {"l[2].x", NULL, "\"y\""},
        {"l[3]", NULL, "absent"},
        {"l", NULL, "[10,20,{\"x\":\"y\"}]"},
        {"o.missing", NULL, "absent"},
        {"s.x", NULL, "absent"},
        {"o[0]", NULL, "absent"},
        {"nothing", NULL, "null"},
        {"s", "int", "error"},
    };
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    for (uint32_t i = 0; i < MR_ARRAY_COUNT(cases); i++)
        fixture_field(&fixture, cases[i].path, cases[i].type);
    /* Twice: the second time by the remembered shape. */
    for (int round = 0; round < 2; round++) {
        fixture_decode_text(&fixture, "{\"s\":\"x\",\"n\":1.5,\"big\":9007199254740993,"
                                      "\"o\":{\"p\":{\"q\":true,\"r\":[1]}},"
                                      "\"l\":[10,20,{\"x\":\"y\"}],\"nothing\":null}");
        assert_int_equal(fixture.errors_count, 0);
        for (uint32_t i = 0; i < MR_ARRAY_COUNT(cases); i++)
            fixture_expect(&fixture, i, 0, cases[i].expected);
    }
    fixture_deinit(&fixture);
}

static void unescaped_strings_are_borrowed(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    struct mr_arena plan;
    mr_arena_init(&arena, 1 << 16);
    mr_arena_init(&plan, 4096);
    struct mr_error error;
    struct mr_field_read field = {.slot = 0, .type = mr_type_parse(&plan, "any")};
    assert_int_equal(mr_path_parse(&plan, "a", &field.path, &error), MR_OK);
    struct mr_decoder_open open = {.fields = &field, .fields_count = 1};
    void *decoder = mr_memory_new(1, mr_format_json.decoder_size);
    assert_int_equal(mr_format_json.decoder_open(decoder, &open, &error), MR_OK);
    struct mr_batch batch;
    mr_batch_init(&batch, &arena, (struct mr_batch_shape){.slots_count = 1}, 1);
    batch.rows_count = 1;
    batch.payloads[0] = mr_slice_text("{\"a\":\"text\"}");
    struct mr_row_error row_error;
    uint32_t errors_count;
    mr_format_json.decode(decoder, &batch, &row_error, &errors_count);
    assert_ptr_equal(batch.columns[0][0].text, batch.payloads[0].data + 6);
    mr_format_json.decoder_close(decoder);
    mr_memory_free(decoder);
    mr_arena_deinit(&arena);
    mr_arena_deinit(&plan);
}

static void expect_span(struct fixture *fixture, uint32_t span, uint32_t row, const char *member)
{
    struct mr_span place = mr_batch_span(&fixture->batch, span)[row];
    const uint8_t *payload = fixture->batch.payloads[row].data;
    assert_true(place.value_size > 0);
    struct mr_slice text = mr_slice_from(payload + place.name_offset,
                                         place.value_offset - place.name_offset + place.value_size);
    if (!mr_slice_equal(text, mr_slice_text(member)))
        fail_msg("span is %.*s, expected %s", (int)text.size, (const char *)text.data, member);
}

static void spans_are_tracked(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "b", NULL);
    fixture_track(&fixture, "a");
    fixture_track(&fixture, "b");
    fixture_track(&fixture, "zz");
    for (int round = 0; round < 2; round++) {
        fixture_decode_text(&fixture, " { \"a\" : [1, 2] , \"x\":{\"zz\":1},\"b\":\"v\"\n} ");
        expect_span(&fixture, 0, 0, "\"a\" : [1, 2]");
        expect_span(&fixture, 1, 0, "\"b\":\"v\"");
        assert_int_equal(mr_batch_span(&fixture.batch, 2)[0].value_size, 0);
        fixture_expect(&fixture, 0, 0, "\"v\"");
    }
    fixture_decode_text(&fixture, "{\"\\u0061\":7}");
    expect_span(&fixture, 0, 0, "\"\\u0061\":7");
    /* A tracked name that is repeated cannot be spliced, however it is written. */
    fixture_decode_text(&fixture, "{\"a\":1,\"\\u0061\":2}");
    fixture_expect_error(&fixture, "expected names that the topology writes only once, but one is "
                                   "repeated at byte 7");
    assert_int_equal(mr_batch_span(&fixture.batch, 0)[0].value_size, 0);
    fixture_deinit(&fixture);
}

static void the_last_of_a_name_wins(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "a", NULL);
    fixture_field(&fixture, "o.x", NULL);
    fixture_field(&fixture, "o.y", NULL);
    for (int round = 0; round < 2; round++) {
        fixture_decode_text(&fixture,
                            "{\"a\":1,\"o\":{\"x\":1,\"y\":[2]},\"a\":\"two\",\"o\":{\"y\":3}}");
        fixture_expect(&fixture, 0, 0, "\"two\"");
        fixture_expect(&fixture, 1, 0, "absent");
        fixture_expect(&fixture, 2, 0, "3");
    }
    fixture_decode_text(&fixture, "{\"o\":{\"x\":1},\"o\":null}");
    fixture_expect(&fixture, 1, 0, "absent");
    fixture_deinit(&fixture);
}

static void shapes_may_change_between_records(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "a", NULL);
    fixture_field(&fixture, "bb", NULL);
    const struct mr_slice payloads[] = {
        mr_slice_text("{\"a\":1,\"bb\":2}"),
        mr_slice_text("{\"bb\":3,\"a\":4}"),
        mr_slice_text("{ \"a\": 5, \"bb\": 6}"),
        mr_slice_text("{\"a\":7}"),
        mr_slice_text("{}"),
        mr_slice_text("{\"c\":0,\"a\":8,\"bb\":9}"),
        mr_slice_text("{\"ab\":1,\"b\":2}"),
        mr_slice_text("{\"a\":10,\"bb\":11}"),
        mr_slice_text("{\"a\":12,\"bb\":13 , \"a\":14 }"),
        mr_slice_text("{\"a\": 15,\"bb\":\n16}"),
    };
    static const char *const expected[][2] = {
        {"1", "2"}, {"4", "3"},           {"5", "6"},   {"7", "absent"}, {"absent", "absent"},
        {"8", "9"}, {"absent", "absent"}, {"10", "11"}, {"14", "13"},    {"15", "16"}};
    for (int round = 0; round < 2; round++) {
        fixture_decode(&fixture, payloads, MR_ARRAY_COUNT(payloads));
        assert_int_equal(fixture.errors_count, 0);
        for (uint32_t row = 0; row < MR_ARRAY_COUNT(payloads); row++) {
            fixture_expect(&fixture, 0, row, expected[row][0]);
            fixture_expect(&fixture, 1, row, expected[row][1]);
        }
    }
    fixture_deinit(&fixture);
}

static void long_names_and_many_members(void **state)
{
    MR_UNUSED(state);
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_buffer_append_text(&text, "{"), MR_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(mr_buffer_append_format(
                             &text, "\"%.*s%d\":%d,", i,
                             "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
                             "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
                             i, i),
                         MR_OK);
    assert_int_equal(mr_buffer_append_text(&text, "\"last\":1}"), MR_OK);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "nnn3", NULL);
    fixture_field(&fixture,
                  "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn70", NULL);
    fixture_field(&fixture, "last", NULL);
    struct mr_slice payload = mr_buffer_view(&text);
    for (int round = 0; round < 3; round++) {
        fixture_decode(&fixture, &payload, 1);
        fixture_expect(&fixture, 0, 0, "3");
        fixture_expect(&fixture, 1, 0, "70");
        fixture_expect(&fixture, 2, 0, "1");
    }
    fixture_deinit(&fixture);
    mr_buffer_deinit(&text);
}

static void a_remembered_brace_is_no_comma(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "a", NULL);
    for (int round = 0; round < 2; round++) {
        fixture_decode_text(&fixture, "{\"a\":{}{\"a\":{}}");
        fixture_expect_error(&fixture, "expected ',' or '}' at byte 7");
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
        {"", "expected a value at byte 0, where the text ends"},
        {"  ", "expected a value at byte 2, where the text ends"},
        {"[1]", "a record must be a JSON object, but it starts otherwise at byte 0"},
        {"\"a\"", "a record must be a JSON object, but it starts otherwise at byte 0"},
        {"{\"a\":1", "expected ',' or '}' at byte 6, where the text ends"},
        {"{\"a\":1}}", "expected the end of the text at byte 7"},
        {"{\"a\":1,}", "expected a name at byte 7"},
        {"{,\"a\":1}", "expected a name at byte 1"},
        {"{\"a\":}", "expected a value at byte 5"},
        {"{\"a\":", "expected a value at byte 5, where the text ends"},
        {"{\"a\"1}", "expected ':' at byte 4"},
        {"{\"b\":[1,{\"c\":tru}]}", "expected a value at byte 13"},
        {"{\"a\":1,\"b\":\"\x01\"}",
         "expected no control character in a string, but there is one at byte 12"},
    };
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "a", NULL);
    fixture_track(&fixture, "a");
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_slice payloads[] = {mr_slice_text("{\"a\":1}"), mr_slice_text(cases[i].text),
                                      mr_slice_text("{\"a\":2}")};
        fixture_decode(&fixture, payloads, 3);
        fixture_expect_error(&fixture, cases[i].message);
        assert_int_equal(fixture.errors[0].row, 1);
        fixture_expect(&fixture, 0, 0, "1");
        fixture_expect(&fixture, 0, 1, "absent");
        fixture_expect(&fixture, 0, 2, "2");
        assert_int_equal(mr_batch_span(&fixture.batch, 0)[1].value_size, 0);
    }
    fixture_deinit(&fixture);
}

static void tombstones_have_no_fields(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "a", NULL);
    struct mr_slice payloads[] = {mr_slice_from(NULL, 0), mr_slice_text("{\"a\":1}")};
    fixture_decode(&fixture, payloads, 2);
    assert_int_equal(fixture.errors_count, 0);
    fixture_expect(&fixture, 0, 0, "absent");
    fixture_expect(&fixture, 0, 1, "1");
    fixture_deinit(&fixture);
}

static void no_heap_memory_is_taken_per_record(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "a", NULL);
    fixture_field(&fixture, "l", NULL);
    fixture_decode_text(&fixture, "{}");
    struct mr_batch *batch = &fixture.batch;
    uint64_t count = 0;
    for (int round = 0; round < 3; round++) {
        count = mr_memory_counters().allocation_count;
        mr_arena_reset(&fixture.arena);
        mr_batch_init(batch, &fixture.arena, (struct mr_batch_shape){.slots_count = 2}, 64);
        batch->rows_count = 64;
        for (uint32_t row = 0; row < 64; row++)
            batch->payloads[row] =
                mr_slice_text("{\"a\":\"es\\ncaped\",\"l\":[1,2,3,4,5,6,7,8,9,{\"x\":\"y\"}]}");
        fixture.format->decode(fixture.decoder, batch, fixture.errors, &fixture.errors_count);
    }
    assert_int_equal(mr_memory_counters().allocation_count, count);
    assert_int_equal(fixture.errors_count, 0);
    fixture_deinit(&fixture);
}

/* ---- Property: cells are what a walk through the whole tree finds. ---- */

static const char *const property_paths[] = {"a",   "b",     "a.b", "c[1]", "c[0].a",
                                             "d.a", "b.c.d", "é",   "a[2]", "long_name_of_a_field"};

static bool same_cell(struct mr_value cell, struct mr_value expected)
{
    if (cell.kind == MR_KIND_ERROR && expected.kind == MR_KIND_ERROR)
        return true;
    return cell.kind == expected.kind && mr_value_equal(cell, expected);
}

static void judge_row(struct fixture *fixture, struct mr_arena *arena, struct mr_slice text,
                      uint32_t row, bool failed)
{
    struct mr_value tree;
    struct mr_error error;
    bool valid =
        mr_json_parse(text, NULL, arena, &tree, &error) == MR_OK && tree.kind == MR_KIND_MAP;
    if (valid == failed)
        fail_msg("%.*s: the decoder and the parser disagree", (int)text.size,
                 (const char *)text.data);
    for (uint32_t i = 0; i < fixture->fields_count; i++) {
        struct mr_value expected = {.kind = MR_KIND_ABSENT};
        if (valid)
            expected = mr_path_walk(&fixture->fields[i].path, 0, tree);
        if (!same_cell(fixture_cell(fixture, i, row), expected))
            fail_msg("%.*s: %s is read differently", (int)text.size, (const char *)text.data,
                     fixture->fields[i].path.text);
    }
}

static void cells_are_what_the_tree_holds(void **state)
{
    MR_UNUSED(state);
    enum { BATCH = 16 };
    static struct generator generators[BATCH];
    struct fixture fixture;
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    fixture_init(&fixture, &mr_format_json);
    for (size_t i = 0; i < MR_ARRAY_COUNT(property_paths); i++)
        fixture_field(&fixture, property_paths[i], NULL);
    uint32_t valid_count = 0;
    generators[0].state = 4;
    for (uint32_t round = 0; round < 1500; round++) {
        struct mr_slice payloads[BATCH];
        for (uint32_t i = 0; i < BATCH; i++) {
            struct generator *generator = &generators[i];
            if (i > 0)
                *generator = generators[i - 1];
            if (i % 4 == 0) { /* a fresh document, then variants of it */
                generator->size = 0;
                generator_object(generator, 0);
            } else {
                generator_damage(generator);
            }
            payloads[i] = generator_view(generator);
        }
        generators[0].state = generators[BATCH - 1].state;
        fixture_decode(&fixture, payloads, BATCH);
        uint32_t next_error = 0;
        for (uint32_t row = 0; row < BATCH; row++) {
            bool failed =
                next_error < fixture.errors_count && fixture.errors[next_error].row == row;
            next_error += failed;
            valid_count += !failed;
            judge_row(&fixture, &arena, payloads[row], row, failed);
        }
        assert_int_equal(next_error, fixture.errors_count);
        mr_arena_reset(&arena);
    }
    assert_true(valid_count > 5000);
    fixture_deinit(&fixture);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_by_path),
        cmocka_unit_test(unescaped_strings_are_borrowed),
        cmocka_unit_test(spans_are_tracked),
        cmocka_unit_test(the_last_of_a_name_wins),
        cmocka_unit_test(shapes_may_change_between_records),
        cmocka_unit_test(long_names_and_many_members),
        cmocka_unit_test(a_remembered_brace_is_no_comma),
        cmocka_unit_test(wrong_rows_are_named_and_stay_empty),
        cmocka_unit_test(tombstones_have_no_fields),
        cmocka_unit_test(no_heap_memory_is_taken_per_record),
        cmocka_unit_test(cells_are_what_the_tree_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
