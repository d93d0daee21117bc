/* tests/unit/http/test_route.c — paths to routes. */
#include "base/assert.h"
#include "http/route.h"
#include "tests/unit/http/fixture.h"

static void handle(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    (void)exchange;
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_GET, "/v1/topologies", handle},
    {MR_HTTP_POST, "/v1/topologies", handle},
    {MR_HTTP_POST, "/v1/topologies/check", handle},
    {MR_HTTP_GET, "/v1/topologies/{name}", handle},
    {MR_HTTP_DELETE, "/v1/topologies/{name}", handle},
    {MR_HTTP_POST, "/v1/topologies/{name}/pause", handle},
    {MR_HTTP_GET, "/v1/state/{topology}/{store}/{key*}", handle},
    {MR_HTTP_GET, "/healthz", handle},
    {MR_HTTP_GET, NULL, NULL},
};

static int find(const char *path, enum mr_http_method method, struct mr_http_match *match)
{
    static struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    int code = mr_http_route_find(routes, true, method, path, &arena, match);
    mr_arena_deinit(&arena);
    return code;
}

static void test_finds_the_first_that_matches(void **state)
{
    (void)state;
    struct mr_http_match match;
    assert_int_equal(find("/v1/topologies", MR_HTTP_POST, &match), 200);
    assert_ptr_equal(match.route, &routes[1]);
    assert_int_equal(find("/v1/topologies/check", MR_HTTP_POST, &match), 200);
    assert_ptr_equal(match.route, &routes[2]);
    assert_int_equal(find("/v1/topologies/check", MR_HTTP_GET, &match), 200);
    assert_ptr_equal(match.route, &routes[3]);
    assert_int_equal(find("/v1/topologies/x/pause", MR_HTTP_POST, &match), 200);
    assert_ptr_equal(match.route, &routes[5]);
    assert_int_equal(find("/v1/state/a/b/c/d", MR_HTTP_GET, &match), 200);
    assert_int_equal(find("/v1/state/a/b/", MR_HTTP_GET, &match), 404);
    assert_int_equal(find("/v1/topologies/", MR_HTTP_GET, &match), 404);
    assert_int_equal(find("/", MR_HTTP_GET, &match), 404);
}

static void test_keeps_parts_decoded(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_http_match match;
    mr_arena_init(&arena, 4096);
    assert_int_equal(
        mr_http_route_find(routes, true, MR_HTTP_GET, "/v1/state/a%20/%2F/c/%64", &arena, &match),
        200);
    assert_string_equal(match.parts[0], "a ");
    assert_string_equal(match.parts[1], "/");
    assert_string_equal(match.parts[2], "c/d");
    assert_null(match.parts[3]);
    mr_arena_deinit(&arena);
    assert_int_equal(find("/v1/topologies/%", MR_HTTP_GET, &match), 400);
}

static void test_says_what_is_allowed(void **state)
{
    (void)state;
    struct mr_http_match match;
    assert_int_equal(find("/v1/topologies", MR_HTTP_PUT, &match), 405);
    assert_string_equal(match.allow, "GET, HEAD, POST");
    assert_int_equal(find("/v1/topologies/check", MR_HTTP_PUT, &match), 405);
    assert_string_equal(match.allow, "POST, GET, HEAD, DELETE");
}

static void test_names_the_nearest(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/v1/topology", "/v1/topologies"},
        {"/v1/topologies/x/pauze", "/v1/topologies/{name}/pause"},
        {"/v1/stat/a/b/c", "/v1/state/{topology}/{store}/{key*}"},
        {"/health", "/healthz"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_http_match match;
        assert_int_equal(find(cases[i][0], MR_HTTP_GET, &match), 404);
        assert_string_equal(match.nearest, cases[i][1]);
    }
}

static void test_probes_are_open(void **state)
{
    (void)state;
    assert_true(mr_http_route_is_open("/metrics"));
    assert_true(mr_http_route_is_open("/readyz"));
    assert_false(mr_http_route_is_open("/metrics/"));
    assert_false(mr_http_route_is_open("/v1/topologies"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_first_that_matches),
        cmocka_unit_test(test_keeps_parts_decoded),
        cmocka_unit_test(test_says_what_is_allowed),
        cmocka_unit_test(test_names_the_nearest),
        cmocka_unit_test(test_probes_are_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
