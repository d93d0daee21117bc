/* tests/unit/http/test_answer.c — problem documents and heads of answers. */
#include "base/memory.h"
#include "http/internal.h"
#include "tests/unit/http/fixture.h"

static void test_problem_is_json_whatever_its_detail(void **state)
{
    (void)state;
    struct mr_http_answer *answer =
        mr_http_answer_problem(404, NULL, "\"\\ \x01\x7f \xff \xe2\x82\xac");
    static const char wanted[] =
        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":"
        "\"\\\"\\\\ \\u0001\\u007f \xef\xbf\xbd \xe2\x82\xac\"}\n";
    assert_true(
        mr_slice_equal(mr_slice_from(answer->body, answer->body_size), mr_slice_text(wanted)));
    mr_http_answer_destroy(answer);
}

static void test_long_detail_is_cut(void **state)
{
    (void)state;
    char *detail = mr_memory_new(1, 100001);
    memset(detail, 1, 100000);
    struct mr_http_answer *answer = mr_http_answer_problem(999 - 400, NULL, detail);
    assert_true(answer->body_size < 17000);
    assert_memory_equal(answer->body + answer->body_size - 3, "\"}\n", 3);
    mr_http_answer_destroy(answer);
    mr_memory_free(detail);
}

static void expect_head(struct mr_http_answer *answer, bool keep_alive, const char *wanted)
{
    struct mr_buffer head;
    mr_http_answer_head(answer, keep_alive, &head);
    assert_true(mr_slice_equal(mr_buffer_view(&head), mr_slice_text(wanted)));
    mr_buffer_deinit(&head);
    mr_http_answer_destroy(answer);
}

static void test_writes_heads(void **state)
{
    (void)state;
    expect_head(mr_http_answer_create(200, "text/plain", mr_slice_text("abc")), true,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                "Connection: keep-alive\r\n\r\n");
    expect_head(mr_http_answer_create(204, "", mr_slice_from(NULL, 0)), false,
                "HTTP/1.1 204 No Content\r\n"
                "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                "Connection: close\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problem_is_json_whatever_its_detail),
        cmocka_unit_test(test_long_detail_is_cut),
        cmocka_unit_test(test_writes_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
