/* tests/unit/operators/test_aggregate_tree.c — a set of keys in pieces. */
#include "operators/aggregate_tree.h"
#include "tests/support/aggregate_fixture.h"

#include <stdlib.h>

enum { KEYS_MAX = 20000 };

struct scene {
    struct mr_arena arena;
    struct mr_sketch_scratch scratch;
    struct mr_aggregate_tree tree;
    struct mr_error error;
};

static void open(struct scene *scene, uint32_t piece_bytes, uint32_t keys)
{
    *scene = (struct scene){0};
    mr_arena_init(&scene->arena, 64 << 10);
    mr_sketch_scratch_init(&scene->scratch, &scene->arena, piece_bytes,
                           mr_aggregate_tree_pieces(piece_bytes, keys));
}

static bool insert(struct scene *scene, const struct mr_aggregate_key *key)
{
    bool added = false;
    assert_int_equal(
        mr_aggregate_tree_insert(&scene->tree, &scene->scratch.body, key, &added, &scene->error),
        MR_OK);
    assert_true(scene->tree.pieces <= scene->scratch.pieces_count);
    return added;
}

static bool has(struct scene *scene, const struct mr_aggregate_key *key)
{
    bool found = true;
    assert_int_equal(
        mr_aggregate_tree_has(&scene->tree, &scene->scratch.body, key, &found, &scene->error),
        MR_OK);
    return found;
}

static struct mr_aggregate_key key_at(int64_t number)
{
    struct mr_value value = mr_value_int(number);
    return mr_aggregate_key_of(&value);
}

static uint32_t count_keys(struct scene *scene)
{
    struct mr_aggregate_key keys[256];
    uint32_t sum = 0;
    for (uint32_t piece = 0; piece < scene->tree.pieces; piece++) {
        uint32_t count;
        assert_int_equal(
            mr_aggregate_tree_keys(&scene->scratch.body, piece, keys, &count, &scene->error),
            MR_OK);
        for (uint32_t index = 1; index < count; index++)
            assert_true(memcmp(&keys[index - 1], &keys[index], sizeof(keys[0])) < 0);
        sum += count;
    }
    return sum;
}

/* order: ascending, descending, or by chance, in pieces of several sizes. */
static void keys_are_found_again(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {256, 272, 1024, 4096};
    for (uint32_t size = 0; size < MR_ARRAY_COUNT(sizes); size++)
        for (uint32_t order = 0; order < 3; order++) {
            struct scene scene;
            struct mr_random random;
            mr_random_init(&random, size, order);
            uint32_t keys_count = sizes[size] < 300 ? KEYS_MAX / 8 : KEYS_MAX;
            open(&scene, sizes[size], keys_count);
            struct mr_aggregate_key absent = key_at(-1);
            assert_false(has(&scene, &absent));
            uint32_t added = 0;
            for (uint32_t index = 0; index < keys_count; index++) {
                /* Keys are ordered by their bytes: numbers below 256 steps apart ascend. */
                int64_t number = order == 0   ? (int64_t)__builtin_bswap64(index)
                                 : order == 1 ? (int64_t)__builtin_bswap64(keys_count - index)
                                              : (int64_t)mr_random_below(&random, keys_count);
                struct mr_aggregate_key key = key_at(number);
                bool known = has(&scene, &key);
                assert_int_equal(insert(&scene, &key), !known);
                assert_true(has(&scene, &key));
                assert_false(insert(&scene, &key));
                added += !known;
            }
            assert_false(has(&scene, &absent));
            assert_int_equal(count_keys(&scene), added);
            assert_true(order == 2 || added == keys_count);
            mr_arena_deinit(&scene.arena);
        }
}

static void pieces_are_taken_one_by_one(void **state)
{
    (void)state;
    struct scene scene;
    open(&scene, 1024, KEYS_MAX);
    for (int64_t number = 0; number < 63; number++) {
        struct mr_aggregate_key key = key_at(number);
        insert(&scene, &key);
    }
    assert_int_equal(scene.tree.pieces, 1);
    struct mr_aggregate_key key = key_at(63);
    insert(&scene, &key);
    assert_int_equal(scene.tree.pieces, 3); /* two leaves and a root */
    mr_arena_deinit(&scene.arena);
}

static void what_is_not_a_tree_is_said(void **state)
{
    (void)state;
    struct scene scene;
    open(&scene, 256, 100);
    uint8_t *bytes;
    /* An inner node that is its own child. */
    assert_int_equal(scene.scratch.body.piece(&scene.scratch.body, 0, true, &bytes, &scene.error),
                     MR_OK);
    bytes[0] = 1;
    scene.tree.pieces = 1;
    bool found;
    struct mr_aggregate_key key = key_at(1);
    assert_int_equal(
        mr_aggregate_tree_has(&scene.tree, &scene.scratch.body, &key, &found, &scene.error),
        MR_CORRUPT);
    mr_arena_deinit(&scene.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_again),
        cmocka_unit_test(pieces_are_taken_one_by_one),
        cmocka_unit_test(what_is_not_a_tree_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
