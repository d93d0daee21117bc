/* tests/unit/worker/test_key.c — keys as bytes in every format, their refusals, and topic_allow. */
#include "worker/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct mr_arena arena;
    struct mr_batch batch;
    struct mr_slice key;
    struct mr_error error;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    mr_arena_init(&fixture.arena, 4096);
    mr_batch_init(&fixture.batch, &fixture.arena, (struct mr_batch_shape){.slots_count = 2}, 1);
    fixture.batch.rows_count = 1;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    mr_arena_deinit(&fixture->arena);
    return 0;
}

static enum mr_status encode(struct fixture *fixture, struct mr_value cell,
                             enum mr_key_format format)
{
    static const uint32_t slots[] = {0};
    mr_batch_column(&fixture->batch, 0)[0] = cell;
    return mr_key_encode(&fixture->batch, slots, 1, format, 0, &fixture->key, &fixture->error);
}

static void gives(struct fixture *fixture, struct mr_value cell, enum mr_key_format format,
                  const void *bytes, size_t size)
{
    assert_int_equal(encode(fixture, cell, format), MR_OK);
    assert_int_equal(fixture->key.size, size);
    assert_memory_equal(fixture->key.data, bytes, size);
}

static void refuses(struct fixture *fixture, struct mr_value cell, enum mr_key_format format,
                    const char *sentence)
{
    assert_int_equal(encode(fixture, cell, format), MR_INVALID);
    assert_non_null(strstr(fixture->error.message, sentence));
}

static void test_integers_are_big_endian(void **state)
{
    struct fixture *fixture = *state;
    gives(fixture, mr_value_int(0x01020304), MR_KEY_FORMAT_INT32, "\x01\x02\x03\x04", 4);
    gives(fixture, mr_value_int(-2), MR_KEY_FORMAT_INT32, "\xff\xff\xff\xfe", 4);
    gives(fixture, mr_value_int(-2), MR_KEY_FORMAT_INT64, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8);
    gives(fixture, mr_value_uint(9007199254740993u), MR_KEY_FORMAT_INT64,
          "\x00\x20\x00\x00\x00\x00\x00\x01", 8);
    gives(fixture, mr_value_double(7), MR_KEY_FORMAT_INT32, "\0\0\0\x07", 4);
    gives(fixture, mr_value_int(INT32_MAX), MR_KEY_FORMAT_INT32, "\x7f\xff\xff\xff", 4);
}

static void test_integers_that_do_not_fit(void **state)
{
    struct fixture *fixture = *state;
    refuses(fixture, mr_value_int((int64_t)INT32_MAX + 1), MR_KEY_FORMAT_INT32, "does not fit");
    refuses(fixture, mr_value_int((int64_t)INT32_MIN - 1), MR_KEY_FORMAT_INT32, "does not fit");
    refuses(fixture, mr_value_double(0.5), MR_KEY_FORMAT_INT64, "takes an integer");
    refuses(fixture, mr_value_string(mr_slice_text("7")), MR_KEY_FORMAT_INT64, "takes an integer");
    /* Numbers that no int64 holds are refused, and not converted to some other number. */
    refuses(fixture, mr_value_double(1e19), MR_KEY_FORMAT_INT64, "takes an integer");
    refuses(fixture, mr_value_double(-1e300), MR_KEY_FORMAT_INT64, "takes an integer");
    refuses(fixture, mr_value_double(9223372036854775808.0), MR_KEY_FORMAT_INT64, "integer");
    refuses(fixture, mr_value_uint(UINT64_MAX), MR_KEY_FORMAT_INT64, "takes an integer");
}

static void test_json_is_always_an_array(void **state)
{
    struct fixture *fixture = *state;
    gives(fixture, mr_value_string(mr_slice_text("a\"b\\\n")), MR_KEY_FORMAT_JSON,
          "[\"a\\\"b\\\\\\u000a\"]", 16);
    gives(fixture, mr_value_int(5), MR_KEY_FORMAT_JSON, "[5]", 3);
}

static void test_several_fields(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t slots[] = {0, 1};
    mr_batch_column(&fixture->batch, 0)[0] = mr_value_string(mr_slice_text("a"));
    mr_batch_column(&fixture->batch, 1)[0] = mr_value_int(2);
    assert_int_equal(mr_key_encode(&fixture->batch, slots, 2, MR_KEY_FORMAT_TEXT, 0, &fixture->key,
                                   &fixture->error),
                     MR_OK);
    assert_true(mr_slice_equal(fixture->key, mr_slice_text("[\"a\",2]")));
    mr_batch_column(&fixture->batch, 1)[0] = mr_value_null();
    assert_int_equal(mr_key_encode(&fixture->batch, slots, 2, MR_KEY_FORMAT_TEXT, 0, &fixture->key,
                                   &fixture->error),
                     MR_INVALID);
}

static void test_strings_and_bytes(void **state)
{
    struct fixture *fixture = *state;
    gives(fixture, mr_value_string(mr_slice_text("abc")), MR_KEY_FORMAT_TEXT, "abc", 3);
    gives(fixture, mr_value_bytes(mr_slice_from("\0\xff", 2)), MR_KEY_FORMAT_BYTES, "\0\xff", 2);
    refuses(fixture, mr_value_int(1), MR_KEY_FORMAT_BYTES, "has no key");
    refuses(fixture, mr_value_null(), MR_KEY_FORMAT_TEXT, "has no key");
}

static void test_texts_of_cells(void **state)
{
    struct fixture *fixture = *state;
    struct mr_slice text;
    assert_true(mr_key_text(mr_value_int(-3), &fixture->arena, &text));
    assert_true(mr_slice_equal(text, mr_slice_text("-3")));
    assert_true(mr_key_text(mr_value_bool(true), &fixture->arena, &text));
    assert_true(mr_slice_equal(text, mr_slice_text("true")));
    assert_true(mr_key_text(mr_value_uint(UINT64_MAX), &fixture->arena, &text));
    assert_true(mr_slice_equal(text, mr_slice_text("18446744073709551615")));
    assert_true(mr_key_text(mr_value_double(0.5), &fixture->arena, &text));
    assert_true(mr_slice_equal(text, mr_slice_text("0.5")));
    assert_false(mr_key_text(mr_value_null(), &fixture->arena, &text));
    assert_false(mr_key_text(mr_value_error(mr_slice_text("e")), &fixture->arena, &text));
}

static void test_topic_patterns(void **state)
{
    static const char *const allowed[] = {"plain", "a*", "*-x-*", "p*q*r", "u?v"};
    struct mr_plan_node node = {0};
    node.topic_allow = allowed;
    node.topic_allow_count = 5;
    (void)state;
    static const char *const yes[] = {"plain", "a", "abc", "1-x-2", "-x-", "pqr", "p1q2q3r", "u1v"};
    static const char *const no[] = {"plain2", "b", "1-x", "pq", "qr", "prq", "uv", "u12v", ""};
    for (size_t index = 0; index < sizeof(yes) / sizeof(yes[0]); index++)
        assert_true(mr_topic_allowed(&node, yes[index]));
    for (size_t index = 0; index < sizeof(no) / sizeof(no[0]); index++)
        assert_false(mr_topic_allowed(&node, no[index]));
}

static void test_internal_topics(void **state)
{
    static const char *const yes[] = {"__consumer_offsets", "__", "shop.claims", "shop."};
    static const char *const no[] = {"shop", "shops.claims", "_x", "a__b", "sho",
                                     "",     "Shop.claims"};
    (void)state;
    for (size_t index = 0; index < sizeof(yes) / sizeof(yes[0]); index++)
        assert_true(mr_topic_is_internal("shop", yes[index]));
    for (size_t index = 0; index < sizeof(no) / sizeof(no[0]); index++)
        assert_false(mr_topic_is_internal("shop", no[index]));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_integers_are_big_endian),    CASE(test_integers_that_do_not_fit),
        CASE(test_json_is_always_an_array),    CASE(test_several_fields),
        CASE(test_strings_and_bytes),          CASE(test_texts_of_cells),
        cmocka_unit_test(test_topic_patterns), cmocka_unit_test(test_internal_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
