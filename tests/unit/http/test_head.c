/* tests/unit/http/test_head.c — requests' heads, chunks and escapes, without sockets. */
#include "base/assert.h"
#include "http/head.h"
#include "tests/unit/http/fixture.h"

static struct mr_arena arena;

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

static int parse(const char *text, struct mr_http_head *head)
{
    const char *reason = NULL;
    int code = mr_http_head_parse(mr_slice_text(text), &arena, head, &reason);
    assert_true((code == 0) == (reason == NULL));
    return code;
}

static void test_reads_the_fields_that_matter(void **state)
{
    (void)state;
    struct mr_http_head head;
    assert_int_equal(
        parse("PATCH http://h:1/a%2Fb?x=1&y HTTP/1.1\r\nhOST:h\r\nAccept: \t a/b \t\r\n"
              "content-TYPE:c/d\r\nAuthorization: Bearer x\r\nContent-Length: 0012\r\n"
              "Expect: 100-Continue\r\nConnection: foo, Close\r\n\r\n",
              &head),
        0);
    assert_int_equal(head.method, MR_HTTP_PATCH);
    assert_true(head.method_known && !head.head_only && !head.keep_alive && !head.chunked);
    assert_true(head.has_length && head.expects_continue);
    assert_int_equal(head.content_length, 12);
    assert_string_equal(head.path, "/a%2Fb");
    assert_string_equal(head.query, "x=1&y");
    assert_string_equal(head.accept, "a/b");
    assert_string_equal(head.content_type, "c/d");
    assert_string_equal(head.authorization, "Bearer x");
    assert_int_equal(parse("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &head), 0);
    assert_true(head.head_only && head.keep_alive && head.version_1_0);
    assert_int_equal(parse("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", &head), 0);
    assert_false(head.method_known);
    assert_int_equal(parse("get / HTTP/1.1\r\nHost: a\r\n\r\n", &head), 0);
    assert_false(head.method_known);
}

static void test_refuses_what_can_be_read_in_two_ways(void **state)
{
    (void)state;
    struct mr_http_head head;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost:a\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
        {"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"G\x7fT / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET http://h HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
        {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
         "Transfer-Encoding: chunked\r\n\r\n",
         400},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++)
        assert_int_equal(parse(cases[i].text, &head), cases[i].code);
    const char *reason;
    static const char nul[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    assert_int_equal(mr_http_head_parse(mr_slice_from(nul, sizeof nul - 1), &arena, &head, &reason),
                     400);
}

static void test_knows_who_asks_for_a_websocket(void **state)
{
    (void)state;
    static const char fine[] = "GET /a HTTP/1.1\r\nHost: h\r\nconnection: keep-alive, UPGRADE\r\n"
                               "Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               "Origin: http://localhost\r\n\r\n";
    static const char *const changed[][2] = {{"GET", "PUT"},
                                             {"GET", "HEAD"},
                                             {"HTTP/1.1", "HTTP/1.0"},
                                             {"UPGRADE", "close"},
                                             {"WebSocket", "h2c"},
                                             {": 13", ": 8"},
                                             {"Sec-WebSocket-Key", "X-Key"},
                                             {"b25j", "b2-j"},
                                             {"Origin", "Sec-WebSocket-Key"}};
    struct mr_http_head head;
    assert_int_equal(parse(fine, &head), 0);
    assert_true(mr_http_head_asks_websocket(&head));
    assert_string_equal(head.origin, "http://localhost");
    for (size_t index = 0; index < MR_ARRAY_COUNT(changed); index++) {
        const char *at = strstr(fine, changed[index][0]);
        assert_non_null(at);
        const char *text = mr_arena_format(&arena, "%.*s%s%s", (int)(at - fine), fine,
                                           changed[index][1], at + strlen(changed[index][0]));
        assert_int_equal(parse(text, &head), 0);
        if (mr_http_head_asks_websocket(&head))
            fail_msg("%s", text);
    }
}

static void test_counts_fields(void **state)
{
    (void)state;
    struct mr_http_head head;
    char text[2000] = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 1; i < MR_HTTP_FIELDS_MAX; i++)
        memcpy(text + strlen(text), "X: y\r\n", 7);
    size_t size = strlen(text);
    memcpy(text + size, "\r\n", 3);
    assert_int_equal(parse(text, &head), 0);
    memcpy(text + size, "X: y\r\n\r\n", 9);
    assert_int_equal(parse(text, &head), 431);
}

static void test_decodes_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *decoded;
    } cases[] = {
        {"", ""},         {"a+b", "a+b"}, {"%41%6d%6D", "Amm"}, {"%e2%82%ac", "\xe2\x82\xac"},
        {"%2541", "%41"}, {"%", NULL},    {"a%4", NULL},        {"%g1", NULL},
        {"%1g", NULL},    {"%00", NULL},  {"%80", NULL},        {"%ed%a0%80", NULL},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        const char *decoded = mr_http_percent_decode(&arena, cases[i].text, strlen(cases[i].text));
        if (cases[i].decoded == NULL)
            assert_null(decoded);
        else
            assert_string_equal(decoded, cases[i].decoded);
    }
}

/* The body in pieces of every size gives the same. */
static void take_in_pieces(const char *text, enum mr_http_chunk_result wanted,
                           const char *wanted_body, size_t wanted_left)
{
    size_t size = strlen(text);
    for (size_t piece = 1; piece <= size; piece++) {
        struct mr_http_chunks chunks = {0};
        struct mr_buffer body;
        mr_buffer_init(&body, 20);
        enum mr_http_chunk_result result = MR_HTTP_CHUNK_MORE;
        size_t offset = 0;
        while (offset < size && result == MR_HTTP_CHUNK_MORE) {
            size_t used = 0;
            size_t given = size - offset < piece ? size - offset : piece;
            result =
                mr_http_chunks_take(&chunks, mr_slice_from(text + offset, given), &used, &body);
            offset += used;
        }
        assert_int_equal(result, wanted);
        if (wanted == MR_HTTP_CHUNK_END) {
            assert_int_equal(size - offset, wanted_left);
            assert_true(mr_slice_equal(mr_buffer_view(&body), mr_slice_text(wanted_body)));
        }
        mr_buffer_deinit(&body);
    }
}

static void test_takes_chunks_in_any_pieces(void **state)
{
    (void)state;
    take_in_pieces("0\r\n\r\n", MR_HTTP_CHUNK_END, "", 0);
    take_in_pieces("3\r\nabc\r\n00A;n=\"v\"\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\nGET",
                   MR_HTTP_CHUNK_END, "abc0123456789", 3);
    take_in_pieces("3\r\nabc\r\n", MR_HTTP_CHUNK_MORE, "", 0);
    take_in_pieces("15\r\n0123456789012345678901\r\n", MR_HTTP_CHUNK_TOO_LARGE, "", 0);
    static const char *const bad[] = {"\r\n",          ";\r\n",       "3\nabc",        "3 \r\nabc",
                                      "3\r\nabcd\r\n", "3\r\nabc\n0", "000000003\r\n", "0\r\n\n",
                                      "0\r\nA\n",      "0\r\n\rx",    "0x3\r\n",       "-1\r\n"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(bad); i++)
        take_in_pieces(bad[i], MR_HTTP_CHUNK_BAD, "", 0);
}

static void test_refuses_early(void **state)
{
    (void)state;
    const char *reason = NULL;
    static char large[MR_HTTP_HEAD_BYTES_MAX + 1];
    memset(large, 'a', sizeof large);
    assert_int_equal(mr_http_head_check_start(mr_slice_text("GET"), &reason), 0);
    assert_int_equal(mr_http_head_check_start(mr_slice_text("\x16"), &reason), 400);
    assert_int_equal(mr_http_head_check_start(mr_slice_from(large, 2000), &reason), 0);
    assert_int_equal(mr_http_head_check_start(mr_slice_from(large, 2100), &reason), 414);
    large[100] = '\n';
    assert_int_equal(mr_http_head_check_start(mr_slice_from(large, 2100), &reason), 0);
    assert_int_equal(mr_http_head_check_start(mr_slice_from(large, sizeof large), &reason), 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_the_fields_that_matter),
        cmocka_unit_test(test_refuses_what_can_be_read_in_two_ways),
        cmocka_unit_test(test_counts_fields),
        cmocka_unit_test(test_decodes_escapes),
        cmocka_unit_test(test_knows_who_asks_for_a_websocket),
        cmocka_unit_test(test_takes_chunks_in_any_pieces),
        cmocka_unit_test(test_refuses_early),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
