/* tests/unit/worker/test_progress.c — the progress record's bytes: round trip, golden, cut,
 * unknown. */
#include "worker/progress.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* What version 1 wrote for the example: without carried_ms, producer and upstreams. */
static const uint8_t golden_1[] = {
    1,   3, 0, 0,   0,   0, 0, 0, 0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
    42,  0, 0, 0,   0,   0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
    0,   2, 0, 'i', 'n', 2, 0, 0, 0,    2,    0,    'i',  'd',  0xe8, 3,    0,    0,
    0,   0, 0, 0,   0,   0, 0, 0, 0,    0,    0,    0x80, 1,    1,    0,    1,    0,
    'f', 7, 0, 0,   0,   0, 0, 0, 0,    9,    0,    0,    0,    0,    0,    0,    0};

/* Version 2: without told_ms. */
static const uint8_t golden_2[] = {
    2,   3, 0, 0,   0,   0, 0,   0,   0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
    42,  0, 0, 0,   0,   0, 0,   0,   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
    0,   2, 0, 'i', 'n', 2, 0,   0,   0,    2,    0,    'i',  'd',  0xe8, 3,    0,    0,
    0,   0, 0, 0,   0,   0, 0,   0,   0,    0,    0,    0x80, 1,    5,    0,    0,    0,
    0,   0, 0, 0,   2,   0, 'u', 'p', 2,    0,    0,    0,    2,    1,    0,    0,    0,
    0,   0, 0, 1,   0,   0, 0,   0,   0,    0,    0,    0x80, 0,    1,    0,    1,    0,
    'f', 7, 0, 0,   0,   0, 0,   0,   0,    9,    0,    0,    0,    0,    0,    0,    0};

/* Version 3: without began_ms. */
static const uint8_t golden_3[] = {
    3,    3,    0,    0,    0,    0,    0,    0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22,
    0x11, 42,   0,    0,    0,    0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,    0,    2,    0,    'i',  'n',  2,
    0,    0,    0,    2,    0,    'i',  'd',  0xe8, 3,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0x80, 1,    5,    0,    0,    0,    0,    0,    0,    0,
    2,    0,    'u',  'p',  2,    0,    0,    0,    2,    1,    0,    0,    0,    0,    0,    0,
    1,    0,    0,    0,    0,    0,    0,    0,    0x80, 0,    1,    0,    1,    0,    'f',  7,
    0,    0,    0,    0,    0,    0,    0,    9,    0,    0,    0,    0,    0,    0,    0};

static struct mr_progress example(struct mr_arena *arena)
{
    struct mr_progress progress = {.epoch = 3,
                                   .incarnation = 0x1122334455667788u,
                                   .sequence = 42,
                                   .watermark_ms = -1,
                                   .told_ms = -2,
                                   .began_ms = -3,
                                   .inputs_count = 1,
                                   .sinks_count = 1};
    progress.inputs = mr_arena_new(arena, 1, sizeof(*progress.inputs));
    progress.inputs[0] = (struct mr_progress_input){.topic = mr_slice_text("in"),
                                                    .partition = 2,
                                                    .topic_id = mr_slice_text("id"),
                                                    .next_offset = 1000,
                                                    .highest_event_ms = INT64_MIN,
                                                    .idle = true,
                                                    .carried_ms = 5,
                                                    .producer = mr_slice_text("up"),
                                                    .upstreams_count = 2};
    progress.inputs[0].upstreams = mr_arena_new(arena, 2, sizeof(struct mr_upstream));
    progress.inputs[0].upstreams[0] = (struct mr_upstream){.watermark_ms = 258, .idle = true};
    progress.inputs[0].upstreams[1] = (struct mr_upstream){.watermark_ms = INT64_MIN};
    progress.sinks = mr_arena_new(arena, 1, sizeof(*progress.sinks));
    progress.sinks[0] =
        (struct mr_progress_sink){.name = mr_slice_text("f"), .file_number = 7, .bytes = 9};
    return progress;
}

static void test_golden_bytes(void **state)
{
    struct mr_arena arena;
    (void)state;
    mr_arena_init(&arena, 4096);
    struct mr_progress progress = example(&arena);
    struct mr_slice bytes = mr_progress_encode(&progress, &arena);
    static const uint8_t golden[] = {
        4,    3,    0,    0,    0,    0,    0,    0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33,
        0x22, 0x11, 42,   0,    0,    0,    0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 1,    0,    2,    0,    'i',  'n',  2,    0,    0,    0,    2,
        0,    'i',  'd',  0xe8, 3,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0x80, 1,    5,    0,    0,    0,    0,    0,    0,    0,    2,    0,
        'u',  'p',  2,    0,    0,    0,    2,    1,    0,    0,    0,    0,    0,    0,    1,
        0,    0,    0,    0,    0,    0,    0,    0x80, 0,    1,    0,    1,    0,    'f',  7,
        0,    0,    0,    0,    0,    0,    0,    9,    0,    0,    0,    0,    0,    0,    0};
    assert_int_equal(bytes.size, sizeof(golden));
    assert_memory_equal(bytes.data, golden, sizeof(golden));
    mr_arena_deinit(&arena);
}

static void test_round_trip(void **state)
{
    struct mr_arena arena;
    struct mr_error error;
    struct mr_progress read;
    (void)state;
    mr_arena_init(&arena, 4096);
    struct mr_progress progress = example(&arena);
    struct mr_slice bytes = mr_progress_encode(&progress, &arena);
    assert_int_equal(mr_progress_decode(bytes, &arena, &read, &error), MR_OK);
    assert_int_equal(read.epoch, 3);
    assert_int_equal(read.sequence, 42);
    assert_int_equal(read.watermark_ms, -1);
    assert_int_equal(read.told_ms, -2);
    assert_int_equal(read.began_ms, -3);
    assert_int_equal(read.inputs_count, 1);
    assert_int_equal(read.inputs[0].next_offset, 1000);
    assert_true(read.inputs[0].highest_event_ms == INT64_MIN);
    assert_true(read.inputs[0].idle);
    assert_true(mr_slice_equal(read.inputs[0].topic_id, mr_slice_text("id")));
    assert_int_equal(read.inputs[0].carried_ms, 5);
    assert_true(mr_slice_equal(read.inputs[0].producer, mr_slice_text("up")));
    assert_int_equal(read.inputs[0].upstreams_count, 2);
    assert_int_equal(read.inputs[0].upstreams[0].watermark_ms, 258);
    assert_true(read.inputs[0].upstreams[0].idle);
    assert_true(read.inputs[0].upstreams[1].watermark_ms == INT64_MIN);
    assert_false(read.inputs[0].upstreams[1].idle);
    assert_false(read.inputs[0].upstreams[0].ended);
    progress.inputs[0].upstreams[0].ended = true;
    assert_int_equal(
        mr_progress_decode(mr_progress_encode(&progress, &arena), &arena, &read, &error), MR_OK);
    assert_true(read.inputs[0].upstreams[0].idle && read.inputs[0].upstreams[0].ended);
    assert_false(read.inputs[0].upstreams[1].idle || read.inputs[0].upstreams[1].ended);
    assert_int_equal(read.sinks[0].bytes, 9);
    mr_arena_deinit(&arena);
}

static void test_older_versions_are_read(void **state)
{
    struct mr_arena arena;
    struct mr_error error;
    struct mr_progress read;
    const struct mr_slice versions[] = {mr_slice_from(golden_1, sizeof(golden_1)),
                                        mr_slice_from(golden_2, sizeof(golden_2)),
                                        mr_slice_from(golden_3, sizeof(golden_3))};
    (void)state;
    mr_arena_init(&arena, 4096);
    for (size_t index = 0; index < MR_ARRAY_COUNT(versions); index++) {
        assert_int_equal(mr_progress_decode(versions[index], &arena, &read, &error), MR_OK);
        assert_int_equal(read.epoch, 3);
        assert_int_equal(read.watermark_ms, -1);
        assert_int_equal(read.told_ms, index < 2 ? -1 : -2);
        assert_true(read.began_ms == INT64_MIN);
        assert_int_equal(read.inputs[0].next_offset, 1000);
        assert_true(read.inputs[0].idle);
        assert_true(read.inputs[0].carried_ms == (index == 0 ? INT64_MIN : 5));
        assert_int_equal(read.inputs[0].upstreams_count, index == 0 ? 0 : 2);
        assert_int_equal(read.sinks[0].file_number, 7);
    }
    mr_arena_deinit(&arena);
}

static void test_every_cut_is_refused(void **state)
{
    struct mr_arena arena;
    struct mr_error error;
    struct mr_progress read;
    (void)state;
    mr_arena_init(&arena, 4096);
    struct mr_progress progress = example(&arena);
    struct mr_slice bytes = mr_progress_encode(&progress, &arena);
    for (size_t size = 0; size < bytes.size; size++) {
        enum mr_status status =
            mr_progress_decode(mr_slice_from(bytes.data, size), &arena, &read, &error);
        assert_true(status == MR_CORRUPT || status == MR_VERSION);
    }
    uint8_t other[1] = {9};
    assert_int_equal(mr_progress_decode(mr_slice_from(other, 1), &arena, &read, &error),
                     MR_VERSION);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_older_versions_are_read),
        cmocka_unit_test(test_every_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
