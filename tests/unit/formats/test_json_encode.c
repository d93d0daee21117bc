/* tests/unit/formats/test_json_encode.c — json_encode.c: golden splices, groups, raw copies,
 * refusals, and random edits of random documents with jansson as the model. */
#include "formats/json_encode.h"

#include "tests/unit/formats/fixture.h"

#include <jansson.h>

/* An encoder whose edits work on the spans and slots of a fixture. */
struct splice {
    struct fixture fixture; /* tracks the names of the edits */
    struct mr_edit edits[8];
    struct mr_layout layout;
    void *encoder;
};

static void splice_init(struct splice *splice, const struct mr_edit *edits, uint32_t count,
                        uint32_t slots_count, bool from_payload)
{
    fixture_init(&splice->fixture, &mr_format_json);
    splice->fixture.slots_count = slots_count;
    for (uint32_t i = 0; i < count; i++) {
        splice->edits[i] = edits[i];
        splice->edits[i].span = i;
        fixture_track(&splice->fixture, edits[i].name);
    }
    splice->layout = (struct mr_layout){
        .from_payload = from_payload, .edits = splice->edits, .edits_count = count};
    struct mr_encoder_open open = {.layout = &splice->layout, .value_slot = MR_SLOT_NONE};
    struct mr_error error;
    splice->encoder = mr_memory_new(1, mr_format_json.encoder_size);
    assert_int_equal(mr_format_json.encoder_open(splice->encoder, &open, &error), MR_OK);
}

static void splice_deinit(struct splice *splice)
{
    mr_format_json.encoder_close(splice->encoder);
    mr_memory_free(splice->encoder);
    fixture_deinit(&splice->fixture);
}

static void splice_decode(struct splice *splice, const char *payload)
{
    fixture_decode_text(&splice->fixture, payload);
    assert_int_equal(splice->fixture.errors_count, 0);
}

static void splice_set(struct splice *splice, uint32_t slot, struct mr_value value)
{
    mr_batch_column(&splice->fixture.batch, slot)[0] = value;
}

static struct mr_slice splice_encode(struct splice *splice)
{
    struct mr_slice payload;
    struct mr_error error;
    if (mr_format_json.encode(splice->encoder, &splice->fixture.batch, 0, &splice->fixture.arena,
                              &payload, &error) != MR_OK)
        fail_msg("%s", error.message);
    return payload;
}

static void splice_expect(struct splice *splice, const char *expected)
{
    struct mr_slice payload = splice_encode(splice);
    if (!mr_slice_equal(payload, mr_slice_text(expected)))
        fail_msg("encoded %.*s, expected %s", (int)payload.size, (const char *)payload.data,
                 expected);
}

static const struct mr_edit two_edits[] = {
    {.name = "a", .slot = 0, .raw_span = MR_SLOT_NONE},
    {.name = "b", .slot = 1, .raw_span = MR_SLOT_NONE},
};
static const struct mr_value removed = {.kind = MR_KIND_REMOVED};
static const struct mr_value absent = {.kind = MR_KIND_ABSENT};

static void golden_splices(void **state)
{
    MR_UNUSED(state);
    const struct mr_value one = mr_value_int(1);
    const struct mr_value text = mr_value_string(mr_slice_text("x\"y"));
    const struct {
        const char *payload;
        struct mr_value a;
        struct mr_value b;
        const char *expected;
    } cases[] = {
        {"{\"k\":0}", one, text, "{\"k\":0,\"a\":1,\"b\":\"x\\\"y\"}"},
        {"{}", one, text, "{\"a\":1,\"b\":\"x\\\"y\"}"},
        {" { } ", one, absent, " {\"a\":1 } "},
        {"{\"a\":0,\"k\":0}", one, text, "{\"a\":1,\"k\":0,\"b\":\"x\\\"y\"}"},
        {"{\"b\":0,\"k\":0,\"a\":{\"deep\":[1]}}", one, text, "{\"b\":\"x\\\"y\",\"k\":0,\"a\":1}"},
        {"{\"a\":0,\"k\":0}", removed, absent, "{\"k\":0}"},
        {"{\"k\":0,\"a\":0}", removed, absent, "{\"k\":0}"},
        {"{\"k\":0,\"a\":0,\"l\":0}", removed, absent, "{\"k\":0,\"l\":0}"},
        {"{\"a\":0}", removed, absent, "{}"},
        {"{\"a\":0,\"b\":0}", removed, removed, "{}"},
        {"{\"k\":0,\"a\":0,\"b\":0}", removed, removed, "{\"k\":0}"},
        {"{\"a\":0,\"k\":0,\"b\":0}", removed, removed, "{\"k\":0}"},
        {"{\"b\":0,\"a\":0,\"k\":0}", removed, removed, "{\"k\":0}"},
        {"{\"a\":0}", removed, one, "{\"b\":1}"},
        {"{ \"a\" : 0 }", removed, one, "{\"b\":1 }"},
        {"{\"k\":0,\"a\":0}", removed, one, "{\"k\":0,\"b\":1}"},
        {"{\"b\":0,\"a\":0}", removed, one, "{\"b\":1}"},
        {"{\n  \"k\" : 1.50,\n  \"a\" : \"old\" ,\n  \"l\" : [ ]\n}\n", one, one,
         "{\n  \"k\" : 1.50,\n  \"a\" : 1 ,\n  \"l\" : [ ],\"b\":1\n}\n"},
        {"{\n  \"k\" : 1.50,\n  \"a\" : \"old\" ,\n  \"l\" : [ ]\n}\n", removed, absent,
         "{\n  \"k\" : 1.50,\n  \"l\" : [ ]\n}\n"},
        {"{\n  \"k\" : 1.50 ,\n  \"a\" : \"old\"\n}", removed, absent, "{\n  \"k\" : 1.50 \n}"},
        {"{\"k\":\"a,\",\"a\":1}", removed, absent, "{\"k\":\"a,\"}"},
        {"{\"k\":0}", mr_value_null(), mr_value_double(0.1), "{\"k\":0,\"a\":null,\"b\":0.1}"},
        {"{\"k\":0}", mr_value_bool(true), mr_value_uint(UINT64_MAX),
         "{\"k\":0,\"a\":true,\"b\":18446744073709551615}"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct splice splice;
        splice_init(&splice, two_edits, 2, 2, true);
        splice_decode(&splice, cases[i].payload);
        splice_set(&splice, 0, cases[i].a);
        splice_set(&splice, 1, cases[i].b);
        splice_expect(&splice, cases[i].expected);
        splice_deinit(&splice);
    }
}

static void an_untouched_payload_is_not_copied(void **state)
{
    MR_UNUSED(state);
    struct splice splice;
    splice_init(&splice, two_edits, 2, 2, true);
    splice_decode(&splice, "{\"k\": 1.50, \"a\":0}");
    assert_ptr_equal(splice_encode(&splice).data, splice.fixture.batch.payloads[0].data);
    /* Removing what is not there touches nothing either. */
    splice_set(&splice, 1, removed);
    assert_ptr_equal(splice_encode(&splice).data, splice.fixture.batch.payloads[0].data);
    splice_set(&splice, 0, removed);
    splice_expect(&splice, "{\"k\": 1.50}");
    splice_deinit(&splice);
}

static void groups_are_nested_objects(void **state)
{
    MR_UNUSED(state);
    static const struct mr_group_member members[] = {{"score", 0}, {"why", 1}, {"flag", 2}};
    static const struct mr_edit edit = {.name = "anomaly",
                                        .slot = MR_SLOT_NONE,
                                        .raw_span = MR_SLOT_NONE,
                                        .group = members,
                                        .group_count = 3};
    struct splice splice;
    splice_init(&splice, &edit, 1, 3, true);
    splice_decode(&splice, "{\"k\":0}");
    splice_expect(&splice, "{\"k\":0}");
    splice_set(&splice, 1, mr_value_string(mr_slice_text("high")));
    splice_expect(&splice, "{\"k\":0,\"anomaly\":{\"why\":\"high\"}}");
    splice_set(&splice, 0, mr_value_double(3.5));
    splice_set(&splice, 2, mr_value_bool(false));
    splice_expect(&splice, "{\"k\":0,\"anomaly\":{\"score\":3.5,\"why\":\"high\",\"flag\":false}}");
    splice_set(&splice, 1, removed);
    splice_expect(&splice, "{\"k\":0,\"anomaly\":{\"score\":3.5,\"flag\":false}}");
    splice_decode(&splice, "{\"anomaly\":{\"old\":1},\"k\":0}");
    splice_expect(&splice, "{\"anomaly\":{\"old\":1},\"k\":0}");
    splice_set(&splice, 0, mr_value_int(1));
    splice_expect(&splice, "{\"anomaly\":{\"score\":1},\"k\":0}");
    splice_deinit(&splice);
}

static void renames_copy_raw_bytes(void **state)
{
    MR_UNUSED(state);
    /* rename {old: new}: the bytes of `old` under `new`, and `old` is dropped. */
    static const struct mr_edit edits[] = {
        {.name = "new", .slot = MR_SLOT_NONE, .raw_span = 1},
        {.name = "old", .slot = MR_SLOT_NONE, .raw_span = MR_SLOT_NONE, .remove = true},
    };
    struct splice splice;
    splice_init(&splice, edits, 2, 1, true);
    splice_decode(&splice, "{\"old\":1.500,\"k\":0}");
    splice_expect(&splice, "{\"k\":0,\"new\":1.500}");
    splice_decode(&splice, "{\"new\":0,\"old\":[1, 2]}");
    splice_expect(&splice, "{\"new\":[1, 2]}");
    splice_decode(&splice, "{\"k\":0}");
    splice_expect(&splice, "{\"k\":0}");
    splice_deinit(&splice);
}

static void keep_starts_from_an_empty_object(void **state)
{
    MR_UNUSED(state);
    static const struct mr_edit edits[] = {
        {.name = "a", .slot = MR_SLOT_NONE, .raw_span = 0},
        {.name = "b", .slot = 0, .raw_span = 1}, /* the cell wins over the payload's bytes */
    };
    struct splice splice;
    splice_init(&splice, edits, 2, 1, false);
    splice_decode(&splice, "{\"k\":0,\"b\":\"B\", \"a\" : 1.0 }");
    splice_expect(&splice, "{\"a\":1.0,\"b\":\"B\"}");
    splice_set(&splice, 0, mr_value_int(7));
    splice_expect(&splice, "{\"a\":1.0,\"b\":7}");
    splice_decode(&splice, "{\"k\":0}");
    splice_expect(&splice, "{}");
    splice_deinit(&splice);
}

static void tombstones_stay_tombstones(void **state)
{
    MR_UNUSED(state);
    struct splice splice;
    splice_init(&splice, two_edits, 2, 2, true);
    struct mr_slice payload = mr_slice_from(NULL, 0);
    fixture_decode(&splice.fixture, &payload, 1);
    splice_set(&splice, 0, mr_value_int(1));
    assert_null(splice_encode(&splice).data);
    splice_deinit(&splice);
}

static void expect_refused(struct splice *splice, const char *message)
{
    struct mr_slice payload;
    struct mr_error error;
    size_t used = splice->fixture.arena.used_bytes;
    assert_int_equal(mr_format_json.encode(splice->encoder, &splice->fixture.batch, 0,
                                           &splice->fixture.arena, &payload, &error),
                     MR_INVALID);
    assert_string_equal(error.message, message);
    assert_true(splice->fixture.arena.used_bytes <= used + 512);
}

static void what_json_cannot_hold_is_refused_by_name(void **state)
{
    MR_UNUSED(state);
    static const struct mr_group_member members[] = {{"score", 1}};
    static const struct mr_edit edits[] = {
        {.name = "a", .slot = 0, .raw_span = MR_SLOT_NONE},
        {.name = "g",
         .slot = MR_SLOT_NONE,
         .raw_span = MR_SLOT_NONE,
         .group = members,
         .group_count = 1},
    };
    struct splice splice;
    splice_init(&splice, edits, 2, 2, true);
    splice_decode(&splice, "{\"a\":0}");
    splice_set(&splice, 0, mr_value_double(__builtin_nan("")));
    expect_refused(&splice, "The field 'a' cannot be written as JSON: NaN is not a JSON number.");
    splice_set(&splice, 0, mr_value_error(mr_slice_text("no such field")));
    expect_refused(&splice, "The field 'a' cannot be written as JSON: no such field.");
    splice_set(&splice, 0, absent);
    splice_set(&splice, 1, mr_value_double(__builtin_inf()));
    expect_refused(&splice, "The field 'g.score' cannot be written as JSON: an infinity is not a "
                            "JSON number.");
    splice.fixture.batch.payloads[0] = mr_slice_text("no object");
    splice_set(&splice, 1, mr_value_int(1));
    expect_refused(&splice, "The payload is not a JSON object.");
    splice_deinit(&splice);
}

static void two_edits_of_one_field_are_refused(void **state)
{
    MR_UNUSED(state);
    const struct mr_edit edits[] = {two_edits[0], two_edits[1], two_edits[0]};
    struct mr_layout layout = {.from_payload = true, .edits = edits, .edits_count = 3};
    struct mr_encoder_open open = {.layout = &layout, .value_slot = MR_SLOT_NONE};
    struct mr_error error;
    void *encoder = mr_memory_new(1, mr_format_json.encoder_size);
    assert_int_equal(mr_format_json.encoder_open(encoder, &open, &error), MR_INVALID);
    assert_string_equal(error.message, "The field 'a' is written twice on its way to this sink.");
    mr_format_json.encoder_close(encoder);
    mr_memory_free(encoder);
}

static void no_heap_memory_is_taken_per_record(void **state)
{
    MR_UNUSED(state);
    struct splice splice;
    splice_init(&splice, two_edits, 2, 2, true);
    splice_decode(&splice, "{\"k\":0,\"a\":1}");
    splice_set(&splice, 0, mr_value_double(0.1));
    splice_set(&splice, 1, mr_value_string(mr_slice_text("text")));
    uint64_t count = mr_memory_counters().allocation_count;
    size_t used = splice.fixture.arena.used_bytes;
    for (int i = 0; i < 100; i++)
        splice_encode(&splice);
    assert_int_equal(mr_memory_counters().allocation_count, count);
    /* What was reserved beyond the text was given back: 27 bytes in units of 16. */
    assert_int_equal(splice.fixture.arena.used_bytes - used, 100 * 32);
    splice_deinit(&splice);
}

static void long_texts_fit_their_bound(void **state)
{
    MR_UNUSED(state);
    char text[3000];
    char name[200];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const struct mr_edit edit = {.name = name, .slot = 0, .raw_span = MR_SLOT_NONE};
    for (size_t size = 0; size < sizeof(text); size += 97) {
        memset(text, size % 2 == 0 ? 1 : 'x', size);
        struct splice splice;
        splice_init(&splice, &edit, 1, 1, true);
        splice_decode(&splice, "{\"k\":0}");
        splice_set(&splice, 0, mr_value_string(mr_slice_from(text, size)));
        struct mr_slice payload = splice_encode(&splice);
        size_t expected = 7 + 1 + 199 + 3 + 2 + size * (size % 2 == 0 ? 6 : 1);
        assert_int_equal(payload.size, expected);
        splice_deinit(&splice);
    }
}

/* ---- Property: parsing the output gives what jansson's edits of the parsed payload give. ---- */

static const char *const property_names[] = {"a", "b", "c", "é", "new"};

static struct mr_value random_value(struct generator *generator, json_t **model)
{
    uint32_t choice = generator_below(generator, 8);
    double number = (double)generator_below(generator, 100000) / 64.0;
    *model = NULL;
    switch (choice) {
    case 0:
    case 1:
        return absent;
    case 2:
        return removed;
    case 3:
        *model = json_null();
        return mr_value_null();
    case 4:
        *model = json_real((double)(int32_t)number);
        return mr_value_int((int32_t)number);
    case 5:
        *model = json_real(number);
        return mr_value_double(number);
    case 6:
        *model = json_string("tab\tand \"quotes\" and é");
        return mr_value_string(mr_slice_text("tab\tand \"quotes\" and é"));
    default:
        *model = json_true();
        return mr_value_bool(true);
    }
}

static void expect_model(struct mr_slice output, json_t *model, const char *payload)
{
    json_error_t error;
    json_t *parsed = json_loadb((const char *)output.data, output.size,
                                JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, &error);
    if (parsed == NULL || !json_equal(parsed, model))
        fail_msg("%s became %.*s: %s", payload, (int)output.size, (const char *)output.data,
                 parsed == NULL ? error.text : "another object");
    json_decref(parsed);
}

static void random_edits_agree_with_jansson(void **state)
{
    MR_UNUSED(state);
    static struct generator generator = {.state = 99};
    struct mr_edit edits[MR_ARRAY_COUNT(property_names)];
    for (uint32_t i = 0; i < MR_ARRAY_COUNT(property_names); i++)
        edits[i] = (struct mr_edit){.name = property_names[i], .slot = i, .raw_span = MR_SLOT_NONE};
    struct splice splice;
    splice_init(&splice, edits, MR_ARRAY_COUNT(edits), MR_ARRAY_COUNT(edits), true);
    uint32_t judged_count = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        generator.size = 0;
        generator_space(&generator);
        generator_object(&generator, 3);
        generator_space(&generator);
        json_error_t error;
        json_t *model = json_loadb(generator.text, generator.size,
                                   JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, &error);
        if (model == NULL)
            continue; /* a doubled name: what remains of it is nobody's promise */
        splice_decode(&splice, generator.text);
        for (uint32_t i = 0; i < MR_ARRAY_COUNT(edits); i++) {
            json_t *value;
            struct mr_value cell = random_value(&generator, &value);
            splice_set(&splice, i, cell);
            if (value != NULL)
                json_object_set_new(model, property_names[i], value);
            else if (cell.kind == MR_KIND_REMOVED)
                json_object_del(model, property_names[i]);
        }
        expect_model(splice_encode(&splice), model, generator.text);
        json_decref(model);
        judged_count++;
    }
    assert_true(judged_count > 5000);
    splice_deinit(&splice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_splices),
        cmocka_unit_test(an_untouched_payload_is_not_copied),
        cmocka_unit_test(groups_are_nested_objects),
        cmocka_unit_test(renames_copy_raw_bytes),
        cmocka_unit_test(keep_starts_from_an_empty_object),
        cmocka_unit_test(tombstones_stay_tombstones),
        cmocka_unit_test(what_json_cannot_hold_is_refused_by_name),
        cmocka_unit_test(two_edits_of_one_field_are_refused),
        cmocka_unit_test(no_heap_memory_is_taken_per_record),
        cmocka_unit_test(long_texts_fit_their_bound),
        cmocka_unit_test(random_edits_agree_with_jansson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
