/* tests/unit/operators/test_generate_model.c — models that are followed: the newest counts, bad
 * ones harm nothing, requests and the clock use them, all of it over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/learned_answers.h"
#include "operators/sample_model.h"
#include "tests/support/request_fixture.h"

static void restart(struct request_fixture *fixture)
{
    harness_commit(&fixture->harness);
    harness_restore(&fixture->harness);
}

static const char *answer(struct request_fixture *fixture, const char *key, const char *request)
{
    request_fixture_ask(fixture, key, request);
    (void)harness_wall(&fixture->harness, 2000);
    return request_fixture_take(fixture);
}

static void the_newest_model_answers(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open_follower(&fixture, "");
    assert_non_null(
        strstr(answer(&fixture, "a", "\"n_samples\": 2"), "- error not_ready the model"));
    request_fixture_publish(&fixture, "a", 3);
    request_fixture_publish(&fixture, "b", 9);
    assert_string_equal(answer(&fixture, "a", "\"n_samples\": 2, \"request_id\": \"r\""),
                        "r batch-001 3 low v3 1970-01-01T00:16:40Z\n"
                        "r batch-001 3 low v3 1970-01-01T00:16:40Z\n"
                        "r complete n=2/1\n");
    restart(&fixture);
    assert_non_null(strstr(answer(&fixture, "a", "\"n_samples\": 1"), "- batch-001 3 low v3 "));
    request_fixture_publish(&fixture, "a", 4);
    assert_non_null(strstr(answer(&fixture, "a", "\"n_samples\": 1"), "- batch-001 4 low v4 "));
    /* An older one again: whoever publishes it wants it. */
    request_fixture_publish(&fixture, "a", 3);
    assert_non_null(strstr(answer(&fixture, "a", "\"n_samples\": 1"), "- batch-001 3 low v3 "));
    assert_non_null(strstr(answer(&fixture, "b", "\"n_samples\": 1"), "- batch-001 9 low v9 "));
    assert_non_null(
        strstr(answer(&fixture, "a", "\"n_samples\": 1, \"conditions\": {\"value\": 4}"),
               "- error impossible"));
    assert_int_equal(fixture.harness.errors_count, 0);
    request_fixture_close(&fixture);
}

/* A large request goes on over transactions, with the model as it then is: versions rise. */
static void a_model_changes_under_a_request(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open_follower(&fixture, "");
    request_fixture_publish(&fixture, "a", 1);
    fixture.harness.in_parts = true;
    fixture.harness.crash_every = 1;
    request_fixture_ask(&fixture, "a", "\"n_samples\": 10, \"batch_size\": 4, \"request_id\": 1");
    request_fixture_publish(&fixture, "a", 2);
    (void)harness_wall(&fixture.harness, 2000);
    const char *text = request_fixture_take(&fixture);
    assert_int_equal(request_fixture_lines(text, "1 batch-"), 10);
    assert_int_equal(request_fixture_lines(text, "1 complete n=10/3"), 1);
    assert_null(strstr(text, " v1 "));
    request_fixture_close(&fixture);
}

static void bad_models_harm_nothing(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open_follower(&fixture, ", max_model_bytes: 1KiB");
    request_fixture_publish(&fixture, "a", 5);
    struct harness_row row = {.offset = 1};
    struct mr_map_entry member = {.key = mr_value_string(mr_slice_text("version")),
                                  .value = mr_value_double(6)};
    static char large[2000];
    memset(large, 'x', sizeof(large) - 1);
    struct mr_map_entry text = {.key = mr_value_string(mr_slice_text("name")),
                                .value = mr_value_string(mr_slice_text(large))};
    const struct mr_value values[] = {
        mr_value_null(),
        mr_value_string(mr_slice_text("{}")),
        {.kind = MR_KIND_MAP},
        {.kind = MR_KIND_MAP, .size = 1, .entries = &member},
        {.kind = MR_KIND_MAP, .size = 1, .entries = &text},
        {.kind = MR_KIND_ABSENT},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++) {
        row.cells[0] = (struct harness_cell){"k", mr_value_string(mr_slice_text("a"))};
        row.cells[1] = (struct harness_cell){"model", values[index]};
        harness_feed(&fixture.harness, 0, &row, 1);
    }
    assert_int_equal(fixture.harness.errors_count, MR_ARRAY_COUNT(values));
    const char *errors = harness_errors(&fixture.harness);
    assert_non_null(strstr(errors, "the field model is no object"));
    assert_non_null(strstr(errors, "bytes, above max_model_bytes, 1024"));
    assert_non_null(strstr(errors, "the model"));
    assert_non_null(strstr(answer(&fixture, "a", "\"n_samples\": 1"), " 5 low v5 "));
    request_fixture_close(&fixture);
}

static enum mr_status write_document(void *argument, const struct mr_state_object *object,
                                     struct mr_error *error)
{
    struct request_fixture *fixture = argument;
    struct mr_arena *arena = &fixture->harness.plan_arena;
    struct mr_state_description description = {.node = fixture->harness.node};
    enum mr_status status =
        fixture->harness.type->describe_state(object, arena, &description, error);
    if (status != MR_OK)
        return status;
    mr_buffer_clear(&fixture->replies);
    return fixture->harness.type->write_model(object, fixture->harness.node, "t/op",
                                              &fixture->replies, error);
}

static void its_model_can_be_saved(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    struct mr_sample_model *model;
    struct mr_error error;
    int64_t offset;
    request_fixture_open_follower(&fixture, "");
    request_fixture_publish(&fixture, "a", 12);
    restart(&fixture);
    const struct mr_state_query query = {.operator_name = "op",
                                         .table_name = fixture.harness.type->state_table,
                                         .key = mr_slice_text("a"),
                                         .visit = write_document,
                                         .argument = &fixture};
    assert_int_equal(
        mr_state_query(fixture.harness.state, &query, &fixture.harness.plan_arena, &offset, &error),
        MR_OK);
    assert_int_equal(mr_sample_model_read(mr_buffer_view(&fixture.replies), &model, &error), MR_OK);
    assert_int_equal(mr_sample_model_facts(model)->version, 12);
    assert_string_equal(mr_sample_model_facts(model)->name, "a model");
    mr_sample_model_destroy(model);
    request_fixture_close(&fixture);
}

/* The clock waits for the first model, and makes so many of each key. */
static void the_clock_makes_records(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct request_fixture fixture;
    request_fixture_open_follower(&fixture, ", max_records: 5, batch_size: 2, min_records: 100");
    assert_true(harness_wall(&fixture.harness, 1000) == INT64_MAX);
    assert_int_equal(fixture.harness.emitted_count[0], 0);
    request_fixture_publish(&fixture, "a", 1);
    request_fixture_publish(&fixture, "b", 1);
    assert_true(harness_wall(&fixture.harness, 2000) == INT64_MAX);
    assert_int_equal(fixture.harness.emitted_count[0], 10);
    restart(&fixture);
    request_fixture_publish(&fixture, "a", 2);
    assert_true(harness_wall(&fixture.harness, 3000) == INT64_MAX);
    assert_int_equal(fixture.harness.emitted_count[0], 10);
    request_fixture_close(&fixture);
    harness_open(&harness,
                 "    - {name: op, type: generate.model, models: in, key: [], fields: [value], "
                 "min_records: 101, rate: 1/s}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    harness_close(&harness);
}

static void what_makes_no_sense_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *sentence;
    } cases[] = {
        {"models: in, key: []", "'op' (generate.model) needs the option 'fields'"},
        {"models: in, fields: [value]", "a stateful operator must say key"},
        {"learn: in, key: [], fields: [value]", "makes records from models that others have"},
        {"models: in, key: [], fields: [value], fit: {}", "its models are learned elsewhere"},
        {"models: in, key: [], fields: [value], ratio: 2", "no records are learned from"},
        {"models: in, key: [], fields: [value], batch_size: 2",
         "is about records made by the clock"},
        {"models: in, key: [], fields: [value], reply_topics: ['a']",
         "'reply_topics' is about requests"},
        {"models: in, key: [], fields: [value], conditions: [{field: other, gt: 1}]",
         "the condition's field \"other\" is not among `fields`"},
        {"models: in, key: [value], fields: [value], rate: 1/s", "makes a second field 'value'"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        mr_arena_init(&arena, 4096);
        const char *findings = harness_findings(
            &arena, "    - {name: in, type: memory, key: [k]}\n    - {name: in2, type: memory}\n",
            mr_arena_format(&arena, "    - {name: op, type: generate.model, %s}\n",
                            cases[index].options),
            "    - {name: out, type: memory, from: op}\n    - {name: rest, type: memory, from: "
            "in2}\n");
        if (strstr(findings, cases[index].sentence) == NULL)
            fail_msg("%s: %s", cases[index].options, findings);
        mr_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_model_answers),
        cmocka_unit_test(a_model_changes_under_a_request),
        cmocka_unit_test(bad_models_harm_nothing),
        cmocka_unit_test(its_model_can_be_saved),
        cmocka_unit_test(the_clock_makes_records),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
