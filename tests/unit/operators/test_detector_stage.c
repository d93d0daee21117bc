/* tests/unit/operators/test_detector_stage.c — the stage's stored bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/endian.h"
#include "operators/detector_stage.h"

struct model_object {
    uint64_t number;
};

static size_t encode(const void *object, uint8_t *output)
{
    const struct model_object *entry = object;
    mr_put_u64le(output, entry->number);
    return 8;
}

static bool decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct model_object *entry = object;
    if (version != 3 || stored.size != 8)
        return false;
    entry->number = mr_get_u64le(stored.data);
    return true;
}

static const struct mr_model_type model = {.table = "t",
                                           .version = 3,
                                           .object_size = sizeof(struct model_object),
                                           .encoded_size_max = 8,
                                           .encode = encode,
                                           .decode = decode};

struct whole {
    struct mr_detector_stage stage;
    struct model_object model;
};

enum { VERSION = 256 * MR_STAGE_VERSION + 3 };

static size_t round_trip(const struct whole *given, struct whole *found)
{
    uint8_t bytes[MR_STAGE_BYTES_MAX + 8];
    size_t size = mr_stage_encode(&model, MR_STAGE_WHOLE, given, bytes);
    assert_in_range(size, MR_STAGE_BYTES_MIN + 8, sizeof(bytes));
    *found = (struct whole){0};
    assert_true(
        mr_stage_decode(&model, MR_STAGE_WHOLE, found, VERSION, mr_slice_from(bytes, size)));
    for (size_t cut = 0; cut < size; cut++)
        assert_false(mr_stage_decode(&model, MR_STAGE_WHOLE, &(struct whole){0}, VERSION,
                                     mr_slice_from(bytes, cut)));
    return size;
}

static void a_stage_is_as_small_as_what_it_says(void **state)
{
    MR_UNUSED(state);
    struct whole found;
    struct whole given = {.stage = {.seen = 77}, .model = {5}};
    assert_int_equal(round_trip(&given, &found), MR_STAGE_BYTES_MIN + 8);
    assert_int_equal(found.stage.seen, 77);
    assert_int_equal(found.model.number, 5);
    assert_true(found.stage.is_loaded);
    given.stage.flags =
        MR_STAGE_FROZEN | MR_STAGE_MUTED | MR_STAGE_EPISODE_TIME | MR_STAGE_LAST_VALUE;
    given.stage.frozen_until_ms = INT64_MAX;
    given.stage.muted_until_ms = -3;
    given.stage.episode_id = UINT64_MAX - 1;
    given.stage.episode_peak = 1.5;
    given.stage.episode_last = 900;
    given.stage.last_value = -2.25;
    assert_int_equal(round_trip(&given, &found), MR_STAGE_BYTES_MAX + 8);
    assert_int_equal(found.stage.flags, given.stage.flags);
    assert_true(found.stage.frozen_until_ms == INT64_MAX);
    assert_true(found.stage.muted_until_ms == -3);
    assert_true(found.stage.episode_id == UINT64_MAX - 1);
    assert_true(found.stage.episode_peak == 1.5);
    assert_int_equal(found.stage.episode_last, 900);
    assert_true(found.stage.last_value == -2.25);
    assert_int_equal(found.model.number, 5);
}

struct head {
    uint8_t stage[offsetof(struct mr_detector_stage, frozen_until_ms)];
    struct model_object model;
    uint64_t behind;
};

/* The small layout writes the same bytes, and what it has no room for is read and left out. */
static void a_head_is_the_same_stage_without_what_only_options_ask_for(void **state)
{
    MR_UNUSED(state);
    alignas(struct mr_detector_stage) struct head found = {.behind = 99};
    struct whole given = {.stage = {.seen = 77}, .model = {5}};
    uint8_t bytes[MR_STAGE_BYTES_MAX + 8];
    uint8_t again[MR_STAGE_BYTES_MAX + 8];
    assert_int_equal(mr_stage_bytes(MR_STAGE_HEAD), 16);
    assert_ptr_equal(mr_stage_model(&found, MR_STAGE_HEAD), &found.model);
    size_t size = mr_stage_encode(&model, MR_STAGE_WHOLE, &given, bytes);
    assert_true(
        mr_stage_decode(&model, MR_STAGE_HEAD, &found, VERSION, mr_slice_from(bytes, size)));
    assert_int_equal(found.model.number, 5);
    assert_int_equal(found.behind, 99);
    assert_int_equal(mr_stage_encode(&model, MR_STAGE_HEAD, &found, again), size);
    assert_memory_equal(again, bytes, size);
    given.stage.flags =
        MR_STAGE_FROZEN | MR_STAGE_MUTED | MR_STAGE_EPISODE_TIME | MR_STAGE_LAST_VALUE;
    size_t whole_size = mr_stage_encode(&model, MR_STAGE_WHOLE, &given, bytes);
    assert_true(
        mr_stage_decode(&model, MR_STAGE_HEAD, &found, VERSION, mr_slice_from(bytes, whole_size)));
    assert_int_equal(found.behind, 99);
    assert_int_equal(mr_stage_encode(&model, MR_STAGE_HEAD, &found, bytes), size);
    assert_memory_equal(again, bytes, size);
    assert_false(
        mr_stage_decode(&model, MR_STAGE_HEAD, &found, VERSION, mr_slice_from(bytes, size - 1)));
}

static void what_was_stored_without_a_stage_is_read(void **state)
{
    MR_UNUSED(state);
    const uint8_t bytes[8] = {9};
    struct whole found = {0};
    assert_true(mr_stage_decode(&model, MR_STAGE_WHOLE, &found, 3, mr_slice_from(bytes, 8)));
    assert_int_equal(found.model.number, 9);
    assert_int_equal(found.stage.seen, 0);
    assert_int_equal(found.stage.flags, 0);
    assert_true(found.stage.is_loaded);
}

static void other_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    uint8_t bytes[17 + 24] = {0};
    struct whole found = {0};
    assert_true(mr_stage_decode(&model, MR_STAGE_WHOLE, &found, VERSION, mr_slice_from(bytes, 17)));
    assert_false(
        mr_stage_decode(&model, MR_STAGE_WHOLE, &found, VERSION + 256, mr_slice_from(bytes, 17)));
    assert_false(
        mr_stage_decode(&model, MR_STAGE_WHOLE, &found, VERSION + 1, mr_slice_from(bytes, 17)));
    assert_false(
        mr_stage_decode(&model, MR_STAGE_WHOLE, &found, VERSION, mr_slice_from(bytes, 18)));
    bytes[0] = 0x80;
    assert_false(
        mr_stage_decode(&model, MR_STAGE_WHOLE, &found, VERSION, mr_slice_from(bytes, 17)));
    bytes[0] = MR_STAGE_EPISODE; /* of both kinds */
    assert_false(
        mr_stage_decode(&model, MR_STAGE_WHOLE, &found, VERSION, mr_slice_from(bytes, 41)));
}

static void sizes_are_the_types_or_those_of_the_options(void **state)
{
    MR_UNUSED(state);
    struct mr_model_size size = mr_stage_model_size(&model, NULL);
    assert_int_equal(size.object_bytes, sizeof(struct model_object));
    assert_int_equal(size.encoded_bytes, 8);
    assert_int_equal(size.slots_max, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stage_is_as_small_as_what_it_says),
        cmocka_unit_test(a_head_is_the_same_stage_without_what_only_options_ask_for),
        cmocka_unit_test(what_was_stored_without_a_stage_is_read),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(sizes_are_the_types_or_those_of_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
