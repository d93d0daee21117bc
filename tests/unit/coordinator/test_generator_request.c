/* tests/unit/coordinator/test_generator_request.c — both dialects, and a sentence for each thing
 * that a request must not say. */
#include "coordinator/generator_request.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mr_arena arena;
static struct mr_error error;

static struct mr_generator_request read_fine(const char *text)
{
    struct mr_generator_request request;
    enum mr_status status =
        mr_generator_request_read(mr_slice_text(text), &arena, &request, &error);
    if (status != MR_OK)
        print_error("%s: %s\n", text, error.message);
    assert_int_equal(status, MR_OK);
    return request;
}

static void test_reads_the_first_dialect(void **state)
{
    (void)state;
    struct mr_generator_request request = read_fine(
        "{\"action\":\"generate\",\"n_samples\":250,\"conditions\":{\"age\":{\"gte\":21.5}}}");
    assert_int_equal(request.action, MR_GENERATOR_GENERATE);
    assert_false(request.second);
    assert_false(request.in_batches);
    assert_int_equal(request.rows, 250);
    assert_int_equal(request.batch_rows, 250);
    assert_true(request.metadata);
    assert_false(request.seeded);
    assert_true(mr_slice_equal(request.conditions, mr_slice_text("{\"age\":{\"gte\":21.5}}")));
    request = read_fine("{\"action\":\"stream\",\"n_batches\":10,\"batch_size\":100}");
    assert_int_equal(request.action, MR_GENERATOR_STREAM);
    assert_true(request.in_batches);
    assert_int_equal(request.rows, 1000);
    assert_int_equal(request.batch_rows, 100);
    assert_int_equal(request.conditions.size, 0);
    assert_null(request.id);
    request = read_fine("{\"action\":\"stream\"}");
    assert_true(request.rows == MR_GENERATOR_ENDLESS);
    assert_int_equal(request.batch_rows, 100);
    request = read_fine("{\"action\":\"generate\",\"n_samples\":5000000,\"batch_size\":10000,"
                        "\"rate\":2500.5,\"delay\":0.25,\"conditions\":{},\"seed\":7,"
                        "\"include_metadata\":false,\"request_id\":\"r-1\"}");
    assert_true(request.in_batches);
    assert_int_equal(request.batch_rows, 10000);
    assert_true(request.rate == 2500.5);
    assert_true(request.delay_s == 0.25);
    assert_true(request.seeded);
    assert_int_equal(request.seed, 7);
    assert_false(request.metadata);
    assert_string_equal(request.id, "r-1");
    assert_int_equal(request.conditions.size, 0);
}

static void test_reads_the_second_dialect(void **state)
{
    (void)state;
    struct mr_generator_request request =
        read_fine("{\"action\":\"generate\",\"count\":1000,\"batch_size\":300,"
                  "\"conditions\":{\"age\":{\"gte\":21},\"region\":\"West\"}}");
    assert_true(request.second);
    assert_true(request.in_batches);
    assert_int_equal(request.rows, 1000);
    assert_int_equal(request.batch_rows, 300);
    request = read_fine("{\"action\":\"generate\",\"count\":7}");
    assert_int_equal(request.batch_rows, 100);
    request = read_fine("{\"action\":\"stream\",\"count\":700,\"n_batches\":3}");
    assert_int_equal(request.rows, 300);
}

static void test_reads_short_actions(void **state)
{
    (void)state;
    assert_int_equal(read_fine("{\"action\":\"stats\"}").action, MR_GENERATOR_STATS);
    assert_int_equal(read_fine(" {\"action\" : \"stop\", \"request_id\":\"x\"} ").action,
                     MR_GENERATOR_STOP);
}

static void test_refuses_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *sentence;
    } cases[] = {
        {"", "The request is no JSON"},
        {"{\"action\":", "The request is no JSON"},
        {"[]", "A request is a JSON object"},
        {"17", "The request is no JSON"},
        {"{}", "`action` is \"generate\""},
        {"{\"action\":7}", "`action` is \"generate\""},
        {"{\"action\":\"fit\"}", "`action` is \"generate\""},
        {"{\"action\":\"stats\",\"action\":\"stop\"}", "The request is no JSON"},
        {"{\"action\":\"generate\"}", "\"generate\" needs `n_samples`"},
        {"{\"action\":\"generate\",\"n_sample\":1}", "did you mean \"n_samples\"?"},
        {"{\"action\":\"generate\",\"n_samples\":0}", "`n_samples` is a whole number from 1"},
        {"{\"action\":\"generate\",\"n_samples\":-5}", "`n_samples` is a whole number"},
        {"{\"action\":\"generate\",\"n_samples\":1.5}", "`n_samples` is a whole number"},
        {"{\"action\":\"generate\",\"count\":\"7\"}", "`count` is a whole number"},
        {"{\"action\":\"generate\",\"count\":2000000000000}", "`count` is a whole number"},
        {"{\"action\":\"generate\",\"count\":99999999999999999999}", "The request is no JSON"},
        {"{\"action\":\"generate\",\"count\":7,\"n_samples\":7}", "say the same"},
        {"{\"action\":\"generate\",\"n_samples\":1000001}", "too many for one message"},
        {"{\"action\":\"generate\",\"n_samples\":9,\"batch_size\":1000001}", "`batch_size` is"},
        {"{\"action\":\"generate\",\"n_samples\":9,\"n_batches\":1}", "`n_batches` belongs to"},
        {"{\"action\":\"stream\",\"rate\":-1}", "`rate` is a number from 0"},
        {"{\"action\":\"stream\",\"rate\":\"fast\"}", "`rate` is a number"},
        {"{\"action\":\"stream\",\"delay\":4000}", "`delay` is a number from 0 to 3600"},
        {"{\"action\":\"stream\",\"seed\":-1}", "`seed` is a whole number"},
        {"{\"action\":\"stream\",\"include_metadata\":1}", "`include_metadata` is true"},
        {"{\"action\":\"stream\",\"conditions\":[]}", "`conditions` is an object"},
        {"{\"action\":\"stats\",\"request_id\":7}", "`request_id` is a text"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_generator_request request;
        assert_int_equal(
            mr_generator_request_read(mr_slice_text(cases[index].text), &arena, &request, &error),
            MR_INVALID);
        if (strstr(error.message, cases[index].sentence) == NULL)
            fail_msg("%s: %s", cases[index].text, error.message);
    }
}

static void test_keeps_what_the_reply_needs(void **state)
{
    (void)state;
    struct mr_generator_request request;
    assert_int_equal(
        mr_generator_request_read(
            mr_slice_text("{\"request_id\":\"r\",\"count\":0,\"action\":\"generate\"}"), &arena,
            &request, &error),
        MR_INVALID);
    assert_true(request.second);
    assert_string_equal(request.id, "r");
}

static int set_up(void **state)
{
    (void)state;
    mr_arena_init(&arena, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_the_first_dialect),
        cmocka_unit_test(test_reads_the_second_dialect),
        cmocka_unit_test(test_reads_short_actions),
        cmocka_unit_test(test_refuses_with_a_sentence),
        cmocka_unit_test(test_keeps_what_the_reply_needs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
