/* tests/unit/operators/test_learned_answers.c — requests answered: each once, by turns, over
 * transactions and restarts; what is refused and why. */
#include "operators/learned_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/support/request_fixture.h"

static void a_request_is_answered_in_batches(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0");
    request_fixture_learn(&fixture, "a", 0, 500);
    request_fixture_ask(&fixture, "a",
                        "\"action\": \"generate\", \"n_samples\": 5, \"batch_size\": 2, "
                        "\"request_id\": \"r\"");
    assert_int_equal(fixture.replies_count, 0);
    assert_true(harness_wall(&fixture.harness, 2000) == INT64_MAX);
    const char *text = request_fixture_take(&fixture);
    assert_int_equal(request_fixture_lines(text, ""), 6);
    assert_int_equal(request_fixture_lines(text, "r batch-001 "), 2);
    assert_int_equal(request_fixture_lines(text, "r batch-002 "), 2);
    assert_int_equal(request_fixture_lines(text, "r batch-003 "), 1);
    assert_non_null(strstr(text, " v10 1970-01-01T00:16:40Z\nr complete n=5/3\n"));
    /* Once, and never again. */
    harness_commit(&fixture.harness);
    harness_restore(&fixture.harness);
    assert_true(harness_wall(&fixture.harness, 3000) == INT64_MAX);
    assert_int_equal(fixture.replies_count, 0);
    /* The next one has other rows. */
    request_fixture_ask(&fixture, "a",
                        "\"count\": 5, \"request_id\": \"r\", \"include_metadata\": false");
    (void)harness_wall(&fixture.harness, 3000);
    text = request_fixture_take(&fixture);
    assert_int_equal(request_fixture_lines(text, "r - "), 5);
    assert_int_equal(request_fixture_lines(text, "r complete n=5/1"), 1);
    assert_int_equal(fixture.harness.errors_count, 0);
    request_fixture_close(&fixture);
}

static void conditions_are_met(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0, conditions: [{field: value, gt: 90}]");
    request_fixture_learn(&fixture, "a", 0, 1000);
    request_fixture_ask(&fixture, "a",
                        "\"n_samples\": 200, \"request_id\": 7, \"conditions\": "
                        "{\"value\": {\"gte\": 21, \"lt\": 30}, \"kind\": \"low\"}");
    (void)harness_wall(&fixture.harness, 2000);
    const char *text = request_fixture_take(&fixture);
    uint32_t rows = 0;
    for (const char *line = text; strncmp(line, "7 batch", 7) == 0; rows++) {
        char kind[8];
        double value;
        assert_int_equal(sscanf(line, "7 %*s %lf %7s", &value, kind), 2);
        assert_true(value >= 21 && value < 30);
        assert_string_equal(kind, "low");
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(rows, 200);
    request_fixture_close(&fixture);
}

/* A request that does not say of which key is answered, and not a record's error. */
static void requests_without_a_key_are_answered(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0, reply_topics: ['answers-*']");
    request_fixture_learn(&fixture, "a", 0, 500);
    request_fixture_ask(&fixture, NULL,
                        "\"request_id\": 5, \"n_samples\": 2, \"reply_topic\": \"answers-b\"");
    assert_int_equal(fixture.replies_count, 1);
    const char *text = request_fixture_take(&fixture);
    assert_non_null(strstr(text, "5 error bad_request the request has no \"k\": 'op' has a model "
                                 "for each key"));
    assert_non_null(strstr(text, " to answers-b"));
    request_fixture_ask(&fixture, NULL, "\"n_samples\": 2, \"reply_topic\": \"other\"");
    text = request_fixture_take(&fixture);
    assert_non_null(strstr(text, "- error bad_request the request has no \"k\""));
    assert_null(strstr(text, " to other"));
    request_fixture_close(&fixture);
}

/* A fit that is not complete answers, and does not let requests wait. */
static void requests_during_the_fit_are_answered(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0, fit: {min_records: 100, timeout: 1h}");
    request_fixture_learn(&fixture, "a", 0, 300);
    request_fixture_ask(&fixture, "a", "\"request_id\": 5, \"n_samples\": 2");
    assert_non_null(strstr(request_fixture_take(&fixture),
                           "5 error not_ready the model is being fitted: it makes no records "
                           "before it has learned 100 (fit.min_records)"));
    /* What it learns from ends: the same request is answered with records. */
    fixture.harness.context.ended_ports = 1;
    mr_operator_wake(&fixture.harness.context, 2000);
    (void)harness_wall(&fixture.harness, 2000);
    request_fixture_ask(&fixture, "a", "\"request_id\": 5, \"n_samples\": 2");
    (void)harness_wall(&fixture.harness, 2001);
    assert_int_equal(strncmp(request_fixture_take(&fixture), "5 batch", 7), 0);
    request_fixture_close(&fixture);
}

/* What is refused is answered where it was read, and makes nothing. */
static void refusals_say_why(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *request;
        const char *reply;
    } cases[] = {
        {"\"request_id\": \"x\"", "x error bad_request the request does not say how many"},
        {"\"action\": \"dance\"", "- error bad_request the request's action is no generate"},
        {"\"n_samples\": 0", "- error bad_request the request's n_samples is no whole number"},
        {"\"n_samples\": 1.5", "- error bad_request the request's n_samples is no whole number"},
        {"\"n_samples\": 2, \"batch_size\": -1", "- error bad_request the request's batch_size"},
        {"\"n_samples\": 2, \"conditions\": 5", "- error bad_request the request's conditions"},
        {"\"n_samples\": 2, \"conditions\": {\"none\": 5}",
         "- error bad_request the conditions: the model has no field \"none\""},
        {"\"n_samples\": 2, \"conditions\": {\"value\": \"x\"}",
         "- error bad_request the condition on field value: it is a number"},
        {"\"n_samples\": 2, \"conditions\": {\"value\": {\"gt\": 1000}}", "- error impossible the"},
        {"\"n_samples\": 2, \"conditions\": {\"kind\": \"none\"}", "- error impossible the"},
        {"\"n_samples\": 2, \"reply_topic\": \"other\"",
         "- error reply_topic_refused replies do not go to the topic other"},
        {"\"n_samples\": 0, \"reply_topic\": \"answers-b\"", "- error bad_request the"},
    };
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0, reply_topics: ['answers-*']");
    request_fixture_learn(&fixture, "a", 0, 500);
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        request_fixture_ask(&fixture, "a", cases[index].request);
        assert_int_equal(fixture.replies_count, 1);
        const char *text = request_fixture_take(&fixture);
        if (strncmp(text, cases[index].reply, strlen(cases[index].reply)) != 0)
            fail_msg("%s: %s", cases[index].request, text);
        assert_int_equal(strstr(text, " to ") != NULL && strstr(text, " to answers-b") != NULL,
                         strstr(cases[index].request, "answers-b") != NULL);
    }
    request_fixture_ask(&fixture, "b", "\"n_samples\": 2");
    assert_non_null(strstr(request_fixture_take(&fixture),
                           "- error not_ready the model has learned 0 records, and makes none"));
    assert_true(harness_wall(&fixture.harness, 2000) == INT64_MAX);
    assert_int_equal(fixture.replies_count, 0);
    request_fixture_close(&fixture);
}

/* Which request a line belongs to: the first letter. */
static uint32_t changes(const char *text)
{
    uint32_t count = 0;
    char last = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        count += *line != last;
        last = *line;
    }
    return count;
}

/* The lines of one request in the order in which they left. */
static char *lines_of(const char *text, char id)
{
    char *lines = mr_memory_new(strlen(text) + 1, 1);
    size_t size = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        if (*line == id) {
            size_t bytes = (size_t)(strchr(line, '\n') + 1 - line);
            memcpy(lines + size, line, bytes);
            size += bytes;
        }
    return lines;
}

static void ask_three(struct request_fixture *fixture)
{
    request_fixture_learn(fixture, "a", 0, 500);
    request_fixture_ask(fixture, "a", "\"n_samples\": 20000, \"request_id\": \"x\"");
    request_fixture_ask(fixture, "a",
                        "\"n_samples\": 9000, \"request_id\": \"y\", \"batch_size\": 77, "
                        "\"conditions\": {\"value\": {\"gt\": 80}}");
    request_fixture_ask(fixture, "a", "\"n_samples\": 100, \"request_id\": \"z\"");
}

/* Large ones are spread over transactions and restarts, small ones do not wait for them, and each
 * gets the same records as without any of this. */
static void requests_take_turns(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0");
    ask_three(&fixture);
    (void)harness_wall(&fixture.harness, 2000);
    assert_int_equal(fixture.replies_count, 20000 + 9000 + 100 + 3);
    const char *text = request_fixture_take(&fixture);
    assert_true(changes(text) >= 6);
    char *expected[] = {lines_of(text, 'x'), lines_of(text, 'y'), lines_of(text, 'z')};
    request_fixture_close(&fixture);

    request_fixture_open(&fixture, ", ratio: 0");
    fixture.harness.in_parts = true;
    fixture.harness.crash_every = 3;
    ask_three(&fixture);
    (void)harness_wall(&fixture.harness, 2000);
    assert_true(fixture.harness.parts_count > 10);
    text = request_fixture_take(&fixture);
    assert_true(strstr(text, "z complete n=100/1") < strstr(text, "x complete"));
    for (uint32_t index = 0; index < 3; index++) {
        char *lines = lines_of(text, (char)('x' + index));
        assert_string_equal(lines, expected[index]);
        mr_memory_free(lines);
        mr_memory_free(expected[index]);
    }
    request_fixture_close(&fixture);
}

static void open_requests_are_bounded(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0, max_open_requests: 2");
    request_fixture_learn(&fixture, "a", 0, 500);
    for (int request = 0; request < 3; request++)
        request_fixture_ask(&fixture, "a", "\"n_samples\": 10, \"request_id\": \"q\"");
    const char *text = request_fixture_take(&fixture);
    assert_int_equal(request_fixture_lines(text, "q error too_many_requests"), 1);
    (void)harness_wall(&fixture.harness, 2000);
    assert_int_equal(request_fixture_lines(request_fixture_take(&fixture), "q complete"), 2);
    request_fixture_ask(&fixture, "a", "\"n_samples\": 10");
    assert_int_equal(fixture.replies_count, 0);
    request_fixture_close(&fixture);
}

/* A model that learns on may make open conditions impossible, or be dropped. */
static void what_becomes_impossible_ends(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0, state: {max_keys: 1}");
    request_fixture_learn(&fixture, "a", 0, 500);
    request_fixture_ask(&fixture, "a", "\"n_samples\": 10, \"request_id\": \"q\"");
    request_fixture_learn(&fixture, "b", 0, 1);
    (void)harness_wall(&fixture.harness, 2000);
    const char *text = request_fixture_take(&fixture);
    assert_int_equal(request_fixture_lines(text, ""), 1);
    assert_non_null(strstr(text, "q error not_ready the model was dropped after 0 of 10 records"));
    assert_true(harness_wall(&fixture.harness, 2000) == INT64_MAX);
    request_fixture_close(&fixture);
}

/* What the model may not make is left out, and the last record says how many there are. */
static void refused_rows_are_not_counted(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    char complete[64];
    request_fixture_open(&fixture, ", ratio: 0, privacy: {no_copies: 300, redraws: 1}");
    fixture.harness.keeps_last = true;
    request_fixture_learn(&fixture, "a", 0, 500);
    request_fixture_ask(&fixture, "a", "\"n_samples\": 1000, \"request_id\": \"q\"");
    (void)harness_wall(&fixture.harness, 2000);
    const char *text = request_fixture_take(&fixture);
    uint32_t rows = request_fixture_lines(text, "q batch-");
    assert_in_range(rows, 1, 999);
    snprintf(complete, sizeof(complete), "q complete n=%u/10\n", rows);
    assert_int_equal(request_fixture_lines(text, complete), 1);
    /* With one redraw each row that is missing was drawn anew, and so were others. */
    int64_t refused = harness_field(&fixture.harness, 1, "n_refused").integer;
    int64_t redrawn = harness_field(&fixture.harness, 1, "n_redrawn").integer;
    assert_int_equal(refused, 1000 - rows);
    assert_true(redrawn > refused && redrawn <= 1000);
    request_fixture_ask(&fixture, "a", "\"action\": \"stats\"");
    assert_true(harness_field(&fixture.harness, 1, "n_refused").integer == refused);
    assert_true(harness_field(&fixture.harness, 1, "n_redrawn").integer == redrawn);
    request_fixture_close(&fixture);
}

/* Another kind of model is asked in the same way. */
static void a_bootstrap_answers(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open_type(&fixture, "generate.bootstrap", ", ratio: 0");
    request_fixture_learn(&fixture, "a", 0, 500);
    request_fixture_ask(&fixture, "a",
                        "\"n_samples\": 50, \"request_id\": 7, \"conditions\": "
                        "{\"value\": {\"gte\": 21, \"lt\": 30}, \"kind\": \"low\"}");
    request_fixture_ask(&fixture, "a",
                        "\"n_samples\": 5, \"request_id\": 8, \"conditions\": {\"kind\": 5}");
    (void)harness_wall(&fixture.harness, 2000);
    const char *text = request_fixture_take(&fixture);
    assert_int_equal(request_fixture_lines(text, "7 batch-001 2"), 50);
    assert_int_equal(request_fixture_lines(text, "7 complete n=50/1"), 1);
    assert_int_equal(request_fixture_lines(text, "8 error bad_request the condition on field"), 1);
    request_fixture_close(&fixture);
}

static void patterns_of_topics(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", reply_topics: [exact, 'a-*-z', 'b*']");
    const struct mr_options *options = &fixture.harness.node->options;
    static const char *const fine[] = {"exact", "a--z", "a-b-z-z", "b", "bcd"};
    static const char *const wrong[] = {"exactly", "exac", "a-z", "a-b-zz", "cb", ""};
    for (size_t index = 0; index < MR_ARRAY_COUNT(fine); index++)
        assert_true(mr_learned_answers_may_name(options, mr_slice_text(fine[index])));
    for (size_t index = 0; index < MR_ARRAY_COUNT(wrong); index++)
        assert_false(mr_learned_answers_may_name(options, mr_slice_text(wrong[index])));
    request_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_in_batches),
        cmocka_unit_test(conditions_are_met),
        cmocka_unit_test(requests_without_a_key_are_answered),
        cmocka_unit_test(requests_during_the_fit_are_answered),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(requests_take_turns),
        cmocka_unit_test(open_requests_are_bounded),
        cmocka_unit_test(what_becomes_impossible_ends),
        cmocka_unit_test(refused_rows_are_not_counted),
        cmocka_unit_test(a_bootstrap_answers),
        cmocka_unit_test(patterns_of_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
