/* tests/unit/coordinator/test_kubernetes_json.c — what the API server sends and jansson refuses. */
#include "coordinator/kubernetes_json.h"

#include "base/memory.h"

#include <stdio.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* expected: as jansson writes it, compact; NULL: it is no JSON. */
static void expect(const char *text, const char *expected)
{
    char written[512] = "";
    json_t *value = mr_kubernetes_json(mr_slice_text(text));
    if (expected == NULL) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    (void)json_dumpb(value, written, sizeof(written) - 1, JSON_COMPACT | JSON_REAL_PRECISION(17));
    assert_string_equal(written, expected);
    json_decref(value);
}

static void numbers_of_more_than_64_bits_are_real(void **state)
{
    (void)state;
    expect("{\"a\":100000000000000000000,\"b\":[5,-100000000000000000000]}",
           "{\"a\":1e20,\"b\":[5,-1e20]}");
    expect("[9223372036854775807,-9223372036854775808,9223372036854775808]",
           "[9223372036854775807,-9223372036854775808,9.2233720368547758e18]");
    expect("[100000000000000000000,1.5,1e21,-2E-3,7]", "[1e20,1.5,1e21,-0.002,7]");
}

static void a_nul_is_marked(void **state)
{
    (void)state;
    expect("{\"a\":\"x\\u0000y\",\"b\\u0000\":\"\\u0000\",\"c\":1}",
           "{\"a\":\"x" MR_KUBERNETES_NUL "y\",\"b" MR_KUBERNETES_NUL "\":\"" MR_KUBERNETES_NUL
           "\",\"c\":1}");
    /* A backslash and letters, and digits in a text. */
    expect("[\"\\\\u0000\",\"\\u0000\",\"\\\"100000000000000000000\"]",
           "[\"\\\\u0000\",\"" MR_KUBERNETES_NUL "\",\"\\\"100000000000000000000\"]");
}

static void what_is_too_deep_is_null(void **state)
{
    (void)state;
    enum { LEVELS = 5000 };
    char *text = mr_memory_new(1, 4 * LEVELS + 64);
    size_t size = (size_t)snprintf(text, 64, "{\"before\":1,\"deep\":");
    for (int level = 0; level < LEVELS; level++)
        text[size++] = '[';
    size += (size_t)snprintf(text + size, 32, "\"]\",1");
    for (int level = 0; level < LEVELS; level++)
        text[size++] = ']';
    (void)snprintf(text + size, 32, ",\"behind\":2}");
    json_t *value = mr_kubernetes_json(mr_slice_text(text));
    assert_int_equal(json_integer_value(json_object_get(value, "behind")), 2);
    const json_t *at = json_object_get(value, "deep");
    uint32_t depth = 1;
    for (; json_is_array(at); at = json_array_get(at, 0))
        depth++;
    assert_true(json_is_null(at));
    assert_int_equal(depth, MR_KUBERNETES_JSON_DEPTH);
    json_decref(value);
    mr_memory_free(text);
}

static void what_is_no_json_stays_none(void **state)
{
    (void)state;
    expect("", NULL);
    expect("{\"a\":\"", NULL);
    expect("{\"a\":\"\\", NULL);
    expect("{\"a\":\"\\u000", NULL);
    expect("]]]100000000000000000000", NULL);
    expect("{\"a\":1--100000000000000000000}", NULL);
    expect("[100000000000000000000", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_more_than_64_bits_are_real),
        cmocka_unit_test(a_nul_is_marked),
        cmocka_unit_test(what_is_too_deep_is_null),
        cmocka_unit_test(what_is_no_json_stays_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
