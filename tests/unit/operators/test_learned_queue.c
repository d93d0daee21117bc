/* tests/unit/operators/test_learned_queue.c — open requests: texts, turns, stored bytes. */
#include "operators/learned_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/request_fixture.h"

static struct mr_request request_of(const char *id, const char *conditions)
{
    return (struct mr_request){.samples = 10,
                               .batch_size = 3,
                               .id = mr_value_string(mr_slice_text(id)),
                               .reply_topic = mr_slice_text("topic"),
                               .conditions = mr_slice_text(conditions)};
}

static void texts_are_kept(void **state)
{
    MR_UNUSED(state);
    struct mr_queued_request queued;
    struct mr_request request = request_of("id", "{}");
    char longest[MR_REQUEST_TEXTS_BYTES_MAX + 1];
    assert_true(mr_queued_request_set(&queued, &request, mr_slice_text("key"), 7));
    assert_true(
        mr_slice_equal(mr_queued_request_text(&queued, MR_QUEUED_KEY), mr_slice_text("key")));
    assert_true(
        mr_slice_equal(mr_queued_request_text(&queued, MR_QUEUED_TOPIC), mr_slice_text("topic")));
    assert_true(
        mr_slice_equal(mr_queued_request_text(&queued, MR_QUEUED_CONDITIONS), mr_slice_text("{}")));
    assert_true(mr_slice_equal(mr_value_text(mr_queued_request_id(&queued)), mr_slice_text("id")));
    request.id = mr_value_double(1.5);
    assert_true(mr_queued_request_set(&queued, &request, mr_slice_text("key"), 7));
    assert_true(mr_queued_request_id(&queued).number == 1.5);
    request.id = (struct mr_value){.kind = MR_KIND_ABSENT};
    assert_true(mr_queued_request_set(&queued, &request, mr_slice_text("key"), 7));
    assert_int_equal(mr_queued_request_id(&queued).kind, MR_KIND_ABSENT);
    memset(longest, 'x', sizeof(longest));
    request = request_of("", "");
    request.reply_topic = (struct mr_slice){0};
    assert_true(mr_queued_request_set(&queued, &request,
                                      mr_slice_from(longest, MR_REQUEST_TEXTS_BYTES_MAX), 7));
    assert_false(
        mr_queued_request_set(&queued, &request, mr_slice_from(longest, sizeof(longest)), 7));
}

static void stored_bytes_are_as_written(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0, reservoir: 16, min_records: 50");
    request_fixture_learn(&fixture, "a", 0, 50);
    request_fixture_ask(&fixture, "a",
                        "\"n_samples\": 10, \"batch_size\": 4, \"request_id\": \"r\", "
                        "\"conditions\": {\"value\": {\"gt\": 10}}");
    request_fixture_ask(&fixture, "a", "\"n_samples\": 3, \"request_id\": 8");
    harness_commit(&fixture.harness);
    harness_check_golden(&fixture.harness, "generate_copula_requests_v2");
    request_fixture_close(&fixture);
    /* They are answered from those bytes, and from those of the version before. */
    static const char *const versions[] = {"generate_copula_requests_v1",
                                           "generate_copula_requests_v2"};
    for (size_t version = 0; version < MR_ARRAY_COUNT(versions); version++) {
        request_fixture_open(&fixture, ", ratio: 0, reservoir: 16, min_records: 50");
        harness_load_golden(&fixture.harness, versions[version]);
        (void)harness_wall(&fixture.harness, 2000);
        const char *text = request_fixture_take(&fixture);
        assert_int_equal(request_fixture_lines(text, "r complete n=10/3"), 1);
        assert_int_equal(request_fixture_lines(text, "8 complete n=3/1"), 1);
        request_fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_kept),
        cmocka_unit_test(stored_bytes_are_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
