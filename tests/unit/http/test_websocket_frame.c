/* tests/unit/http/test_websocket_frame.c — frames: every rule of RFC 6455 that a client may break,
 * and that the pieces in which bytes come change nothing. */
#include "http/websocket_frame.h"

#include "base/assert.h"
#include "tests/unit/http/fixture.h"

enum { MESSAGE_BYTES_MAX = 70000 };

static uint8_t bytes[100000];
static size_t bytes_size;

/* Append a client's frame; first: the first byte. */
static void frame(uint8_t first, const void *payload, size_t size)
{
    static const uint8_t mask[4] = {0x11, 0xa2, 0x03, 0xf4};
    uint8_t head[MR_WEBSOCKET_HEAD_BYTES_MAX];
    size_t head_size = mr_websocket_head(MR_WEBSOCKET_TEXT, true, size, head);
    head[0] = first;
    head[1] |= 0x80;
    memcpy(bytes + bytes_size, head, head_size);
    memcpy(bytes + bytes_size + head_size, mask, 4);
    bytes_size += head_size + 4;
    for (size_t index = 0; index < size; index++)
        bytes[bytes_size + index] = ((const uint8_t *)payload)[index] ^ mask[index % 4];
    bytes_size += size;
}

static struct mr_websocket_reader reader;

static int set_up(void **state)
{
    (void)state;
    bytes_size = 0;
    mr_websocket_reader_init(&reader, MESSAGE_BYTES_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_websocket_reader_deinit(&reader);
    return 0;
}

/* The next event of the bytes from *at on, given in pieces. */
static enum mr_websocket_event next(size_t *at, size_t piece)
{
    while (*at < bytes_size) {
        size_t used;
        size_t size = bytes_size - *at < piece ? bytes_size - *at : piece;
        enum mr_websocket_event event =
            mr_websocket_reader_take(&reader, mr_slice_from(bytes + *at, size), &used);
        assert_true(used <= size);
        *at += used;
        if (event != MR_WEBSOCKET_GOT_NOTHING)
            return event;
        assert_int_equal(used, size);
    }
    return MR_WEBSOCKET_GOT_NOTHING;
}

static void expect_error(enum mr_websocket_code code)
{
    size_t at = 0;
    assert_int_equal(next(&at, bytes_size), MR_WEBSOCKET_GOT_ERROR);
    assert_int_equal(reader.code, code);
    assert_non_null(reader.reason);
    (void)tear_down(NULL);
    (void)set_up(NULL);
}

static void test_reads_messages_in_any_pieces(void **state)
{
    (void)state;
    static char large[66000];
    memset(large, 'x', sizeof(large));
    for (size_t piece = 1; piece < 20; piece += 3) {
        size_t at = 0;
        bytes_size = 0;
        frame(0x81, "hello", 5);
        frame(0x81, "", 0);
        frame(0x81, large, 300);
        frame(0x81, large, sizeof(large));
        assert_int_equal(next(&at, piece), MR_WEBSOCKET_GOT_MESSAGE);
        assert_true(mr_slice_equal(mr_buffer_view(&reader.message), mr_slice_text("hello")));
        assert_int_equal(next(&at, piece), MR_WEBSOCKET_GOT_MESSAGE);
        assert_int_equal(reader.message.size, 0);
        assert_int_equal(next(&at, piece), MR_WEBSOCKET_GOT_MESSAGE);
        assert_int_equal(reader.message.size, 300);
        assert_int_equal(next(&at, piece * 1000), MR_WEBSOCKET_GOT_MESSAGE);
        assert_true(
            mr_slice_equal(mr_buffer_view(&reader.message), mr_slice_from(large, sizeof(large))));
        assert_int_equal(next(&at, piece), MR_WEBSOCKET_GOT_NOTHING);
    }
}

static void test_joins_fragments_around_control_frames(void **state)
{
    (void)state;
    size_t at = 0;
    frame(0x01, "one ", 4);
    frame(0x89, "ping", 4);
    frame(0x00, "two \xe2", 5); /* a character in two fragments */
    frame(0x8a, "", 0);
    frame(0x80, "\x82\xac", 2);
    assert_int_equal(next(&at, 3), MR_WEBSOCKET_GOT_PING);
    assert_memory_equal(reader.control, "ping", 4);
    assert_int_equal(reader.control_size, 4);
    assert_int_equal(next(&at, 3), MR_WEBSOCKET_GOT_PONG);
    assert_int_equal(next(&at, 3), MR_WEBSOCKET_GOT_MESSAGE);
    assert_true(
        mr_slice_equal(mr_buffer_view(&reader.message), mr_slice_text("one two \xe2\x82\xac")));
}

static void test_reads_close_frames(void **state)
{
    (void)state;
    size_t at = 0;
    frame(0x88, "", 0);
    frame(0x88,
          "\x03\xe8"
          "bye",
          5);
    frame(0x88, "\x0f\xa0", 2);
    assert_int_equal(next(&at, 100), MR_WEBSOCKET_GOT_CLOSE);
    assert_int_equal(reader.code, MR_WEBSOCKET_NO_CODE);
    assert_int_equal(next(&at, 100), MR_WEBSOCKET_GOT_CLOSE);
    assert_int_equal(reader.code, MR_WEBSOCKET_NORMAL);
    assert_int_equal(next(&at, 100), MR_WEBSOCKET_GOT_CLOSE);
    assert_int_equal(reader.code, 4000);
}

static void test_refuses_broken_frames(void **state)
{
    (void)state;
    static const uint8_t firsts[] = {0xc1, 0xa1, 0x91, 0x83, 0x87, 0x8b, 0x8f, 0x80, 0x00, 0x09};
    for (size_t index = 0; index < MR_ARRAY_COUNT(firsts); index++) {
        frame(firsts[index], "x", 1);
        expect_error(MR_WEBSOCKET_PROTOCOL_ERROR);
    }
    bytes[bytes_size++] = 0x81; /* no mask */
    bytes[bytes_size++] = 0x01;
    expect_error(MR_WEBSOCKET_PROTOCOL_ERROR);
    static const char long_text[126];
    frame(0x89, long_text, 126); /* too long for a control frame */
    expect_error(MR_WEBSOCKET_PROTOCOL_ERROR);
    frame(0x01, "a", 1); /* a second message inside the first */
    frame(0x81, "b", 1);
    expect_error(MR_WEBSOCKET_PROTOCOL_ERROR);
    static const uint8_t longer[] = {0x81, 0xfe, 0, 125, 1, 2, 3, 4}; /* a length written longer */
    memcpy(bytes, longer, sizeof(longer));
    bytes_size = sizeof(longer);
    expect_error(MR_WEBSOCKET_PROTOCOL_ERROR);
    static const uint8_t negative[] = {0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4};
    memcpy(bytes, negative, sizeof(negative));
    bytes_size = sizeof(negative);
    expect_error(MR_WEBSOCKET_PROTOCOL_ERROR);
}

static void test_refuses_other_kinds(void **state)
{
    (void)state;
    frame(0x82, "x", 1);
    expect_error(MR_WEBSOCKET_UNSUPPORTED);
    frame(0x81, "\xff\xfe", 2);
    expect_error(MR_WEBSOCKET_NOT_TEXT);
    frame(0x88, "\x03\xe8\xff", 3);
    expect_error(MR_WEBSOCKET_NOT_TEXT);
    frame(0x88, "\x03", 1);
    expect_error(MR_WEBSOCKET_PROTOCOL_ERROR);
    static const uint16_t codes[] = {0, 999, 1004, 1005, 1006, 1015, 2999, 5000};
    for (size_t index = 0; index < MR_ARRAY_COUNT(codes); index++) {
        uint8_t code[2] = {(uint8_t)(codes[index] >> 8), (uint8_t)codes[index]};
        frame(0x88, code, 2);
        expect_error(MR_WEBSOCKET_PROTOCOL_ERROR);
    }
}

static void test_refuses_large_messages_by_their_heads(void **state)
{
    (void)state;
    static const uint8_t large[] = {0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4};
    memcpy(bytes, large, sizeof(large));
    bytes_size = sizeof(large);
    expect_error(MR_WEBSOCKET_TOO_LARGE);
    static char half[40000];
    frame(0x01, half, sizeof(half));
    frame(0x80, half, sizeof(half)); /* each would fit */
    expect_error(MR_WEBSOCKET_TOO_LARGE);
}

static void test_writes_heads(void **state)
{
    (void)state;
    uint8_t head[MR_WEBSOCKET_HEAD_BYTES_MAX];
    assert_int_equal(mr_websocket_head(MR_WEBSOCKET_TEXT, true, 125, head), 2);
    assert_memory_equal(head, "\x81\x7d", 2);
    assert_int_equal(mr_websocket_head(MR_WEBSOCKET_CONTINUATION, false, 126, head), 4);
    assert_memory_equal(head, "\x00\x7e\x00\x7e", 4);
    assert_int_equal(mr_websocket_head(MR_WEBSOCKET_TEXT, false, 65536, head), 10);
    assert_memory_equal(head, "\x01\x7f\0\0\0\0\0\x01\0\0", 10);
}

static void test_answers_keys(void **state)
{
    (void)state;
    char accept[MR_WEBSOCKET_ACCEPT_SIZE];
    mr_websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", accept); /* RFC 6455, 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(mr_websocket_key_valid(""));
    assert_false(mr_websocket_key_valid("dGhlIHNhbXBsZSBub25jZQ="));
    assert_false(mr_websocket_key_valid("dGhlIHNhbXBsZSBub25jZQ==="));
    assert_false(mr_websocket_key_valid("dGhlIHNhbXBsZSBub25j-Q=="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_messages_in_any_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_joins_fragments_around_control_frames, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_reads_close_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_broken_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_other_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_large_messages_by_their_heads, set_up,
                                        tear_down),
        cmocka_unit_test(test_writes_heads),
        cmocka_unit_test(test_answers_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
