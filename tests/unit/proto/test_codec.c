/* tests/unit/proto/test_codec.c — every message and record: round trips, golden bytes, messages of
 * newer versions, cut and damaged bytes. */
#include "tests/unit/proto/message_fixture.h"

#include "base/assert.h"
#include "proto/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { ROUNDS = 150, ARENA_BYTES = 64 << 10 };

static struct mr_arena arena;
static struct mr_error error;
static _Alignas(16) uint8_t found[FIXTURE_VALUE_SIZE];

static int setup(void **state)
{
    (void)state;
    mr_arena_init(&arena, ARENA_BYTES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

static void test_tables_are_complete(void **state)
{
    (void)state;
    for (size_t index = 0; index < FIXTURE_MESSAGES_COUNT; index++)
        fixture_assert_complete(&fixture_messages[index]);
}

static void test_random_messages_survive_the_trip(void **state)
{
    struct mr_random random;
    (void)state;
    mr_random_init(&random, 20260728, 1);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t index = 0; index < FIXTURE_MESSAGES_COUNT; index++) {
            const struct fixture_message *message = &fixture_messages[index];
            mr_arena_reset(&arena);
            const void *wanted = fixture_fill(message, &random, &arena);
            struct mr_slice bytes = message->encode(wanted, &arena);
            enum mr_status status = message->decode(bytes, &arena, found, &error);
            if (status != MR_OK)
                fail_msg("%s: %s", message->name, error.message);
            fixture_assert_same(message, wanted, found);
            assert_true(mr_slice_equal(bytes, message->encode(found, &arena)));
        }
    }
}

static void print_hex(const char *name, struct mr_slice bytes)
{
    print_message("GOLDEN %s ", name);
    for (size_t index = 0; index < bytes.size; index++)
        print_message("%02x", bytes.data[index]);
    print_message("\n");
}

/* What version 1 wrote is read for ever: only lines may be added to the file. */
static void test_golden_bytes(void **state)
{
    (void)state;
    for (size_t index = 0; index < FIXTURE_MESSAGES_COUNT; index++) {
        const struct fixture_message *message = &fixture_messages[index];
        const void *wanted = fixture_fill_golden(message, 0, &arena);
        struct mr_slice bytes = message->encode(wanted, &arena);
        struct mr_slice golden = fixture_golden(message->name, &arena);
        if (!mr_slice_equal(bytes, golden))
            print_hex(message->name, bytes);
        assert_true(mr_slice_equal(bytes, golden));
        assert_int_equal(message->decode(golden, &arena, found, &error), MR_OK);
        fixture_assert_same(message, wanted, found);
    }
}

/* What fields added later look like, by the message and the number of the addition. */
static void test_golden_bytes_of_additions(void **state)
{
    static const struct {
        const char *message;
        uint32_t addition;
        const char *golden;
    } cases[] = {{"sync_request", 1, "sync_request_1"},
                 {"sync_request", 2, "sync_request_2"},
                 {"sync_reply", 2, "sync_reply_2"},
                 {"topology_record", 1, "topology_record_1"}};
    (void)state;
    uint32_t found_count = 0;
    for (size_t index = 0; index < FIXTURE_MESSAGES_COUNT * MR_ARRAY_COUNT(cases); index++) {
        const struct fixture_message *message = &fixture_messages[index % FIXTURE_MESSAGES_COUNT];
        size_t number = index / FIXTURE_MESSAGES_COUNT;
        if (strcmp(message->name, cases[number].message) != 0)
            continue;
        const void *wanted = fixture_fill_golden(message, cases[number].addition, &arena);
        struct mr_slice bytes = message->encode(wanted, &arena);
        struct mr_slice golden = fixture_golden(cases[number].golden, &arena);
        if (!mr_slice_equal(bytes, golden))
            print_hex(cases[number].golden, bytes);
        assert_true(mr_slice_equal(bytes, golden));
        assert_int_equal(message->decode(golden, &arena, found, &error), MR_OK);
        fixture_assert_same(message, wanted, found);
        found_count++;
    }
    assert_int_equal(found_count, MR_ARRAY_COUNT(cases));
}

/* Fields 1000 to 1003 of every wire type, in the outer message, the part, a task and its name. */
static void test_golden_bytes_of_a_newer_version(void **state)
{
    static const char *const names[] = {"sync_request", "sync_reply", "topology_record"};
    (void)state;
    for (size_t name = 0; name < MR_ARRAY_COUNT(names); name++) {
        for (size_t index = 0; index < FIXTURE_MESSAGES_COUNT; index++) {
            const struct fixture_message *message = &fixture_messages[index];
            if (strcmp(message->name, names[name]) != 0)
                continue;
            struct mr_slice golden =
                fixture_golden(mr_arena_format(&arena, "newer_%s", message->name), &arena);
            assert_int_equal(message->decode(golden, &arena, found, &error), MR_OK);
            fixture_assert_same(message, fixture_fill_golden(message, 0, &arena), found);
            assert_true(golden.size > message->encode(found, &arena).size);
        }
    }
}

static void expect_no_harm(const struct fixture_message *message, struct mr_slice bytes)
{
    struct mr_arena own;
    struct mr_arena again;
    struct mr_error reason = {0};
    mr_arena_init(&own, ARENA_BYTES);
    enum mr_status status = message->decode(bytes, &own, found, &reason);
    if (status == MR_OK) {
        mr_arena_init(&again, ARENA_BYTES);
        (void)message->encode(found, &again); /* asserts that every bound holds */
        mr_arena_deinit(&again);
    } else if (status != MR_NOT_FOUND) { /* a flip made it another kind */
        assert_true(status == MR_INVALID || status == MR_CORRUPT || status == MR_VERSION);
        assert_true(reason.message[0] != 0);
    }
    mr_arena_deinit(&own);
}

static void test_cut_messages_do_no_harm(void **state)
{
    (void)state;
    for (size_t index = 0; index < FIXTURE_MESSAGES_COUNT; index++) {
        const struct fixture_message *message = &fixture_messages[index];
        struct mr_slice golden = fixture_golden(message->name, &arena);
        for (size_t size = 0; size < golden.size; size++) {
            /* In memory of its own, so that a read behind the end is seen. */
            struct mr_arena exact;
            mr_arena_init(&exact, 16);
            expect_no_harm(message, mr_arena_copy(&exact, mr_slice_from(golden.data, size)));
            mr_arena_deinit(&exact);
        }
    }
}

static void test_flipped_bits_do_no_harm(void **state)
{
    (void)state;
    for (size_t index = 0; index < FIXTURE_MESSAGES_COUNT; index++) {
        const struct fixture_message *message = &fixture_messages[index];
        struct mr_slice golden = fixture_golden(message->name, &arena);
        uint8_t *bytes = mr_arena_take(&arena, golden.size);
        memcpy(bytes, golden.data, golden.size);
        for (size_t bit = 0; bit < golden.size * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            expect_no_harm(message, mr_slice_from(bytes, golden.size));
            bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

static enum mr_status decode_request(const char *bytes, size_t size)
{
    struct mr_request request;
    return mr_request_decode(mr_slice_from(bytes, size), &arena, &request, &error);
}

static void test_the_version_comes_first(void **state)
{
    struct mr_reply reply;
    (void)state;
    /* The rest would be no message of this build. */
    assert_int_equal(decode_request("\x08\x02\xff\xff", 4), MR_VERSION);
    assert_non_null(strstr(error.message, "version 2"));
    assert_int_equal(decode_request("\x08\xff\xff\xff\xff\x0f", 6), MR_VERSION);
    assert_non_null(strstr(error.message, "4294967295"));
    assert_int_equal(decode_request("\x08\x00", 2), MR_VERSION);
    assert_int_equal(decode_request("\x08\xff\xff\xff\xff\xff\xff", 7), MR_INVALID);
    assert_int_equal(decode_request("\x08\x81", 2), MR_INVALID);
    assert_int_equal(decode_request("\x08", 1), MR_INVALID);
    assert_int_equal(decode_request("", 0), MR_INVALID);
    assert_int_equal(decode_request("\x12\x00\x08\x01", 4), MR_INVALID);
    assert_int_equal(mr_reply_decode(mr_slice_text("\x08\x03\xff"), &arena, &reply, &error),
                     MR_VERSION);
}

static void test_a_message_says_one_thing(void **state)
{
    struct mr_reply reply;
    (void)state;
    assert_int_equal(decode_request("\x08\x01", 2), MR_INVALID);
    assert_int_equal(decode_request("\x08\x01\x12\x00\x1a\x00", 6), MR_INVALID);
    assert_int_equal(decode_request("\x08\x01\x1a\x00", 4), MR_OK);
    assert_int_equal(mr_reply_decode(mr_slice_text("\x08\x01"), &arena, &reply, &error),
                     MR_INVALID);
    assert_int_equal(
        mr_reply_decode(mr_slice_from("\x08\x01\x12\x00\x22\x00", 6), &arena, &reply, &error),
        MR_INVALID);
    /* Version 1 comes again, as another. */
    assert_int_equal(decode_request("\x08\x01\x1a\x00\x08\x02", 6), MR_INVALID);
}

static void test_a_topology_that_is_not_there(void **state)
{
    struct mr_reply reply = {
        .protocol_version = 1, .kind = MR_REPLY_TOPOLOGY, .topology = {.term = 5}};
    struct mr_reply read;
    (void)state;
    struct mr_slice bytes = mr_reply_encode(&reply, &arena);
    assert_int_equal(mr_reply_decode(bytes, &arena, &read, &error), MR_OK);
    assert_false(read.topology.found);
    assert_int_equal(read.topology.term, 5);
    assert_string_equal(read.topology.name, "");
    assert_string_equal(read.topology.binding.claims.name, "");
    /* Found, but without its binding. */
    assert_int_equal(
        mr_reply_decode(mr_slice_from("\x08\x01\x1a\x02\x10\x01", 6), &arena, &read, &error),
        MR_INVALID);
}

static void test_refusals_have_a_reason(void **state)
{
    struct mr_reply reply;
    (void)state;
    assert_int_equal(mr_reply_decode(mr_slice_from("\x08\x01\x22\x00", 4), &arena, &reply, &error),
                     MR_INVALID);
    assert_int_equal(
        mr_reply_decode(mr_slice_from("\x08\x01\x22\x02\x10\x06", 6), &arena, &reply, &error),
        MR_INVALID);
    assert_int_equal(
        mr_reply_decode(mr_slice_from("\x08\x01\x22\x02\x10\x04", 6), &arena, &reply, &error),
        MR_OK);
    assert_int_equal(reply.refused.refusal, MR_REFUSAL_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_complete),
        cmocka_unit_test(test_random_messages_survive_the_trip),
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_golden_bytes_of_additions),
        cmocka_unit_test(test_golden_bytes_of_a_newer_version),
        cmocka_unit_test(test_cut_messages_do_no_harm),
        cmocka_unit_test(test_flipped_bits_do_no_harm),
        cmocka_unit_test(test_the_version_comes_first),
        cmocka_unit_test(test_a_message_says_one_thing),
        cmocka_unit_test(test_a_topology_that_is_not_there),
        cmocka_unit_test(test_refusals_have_a_reason),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
