/* tests/unit/worker/test_share.c — lanes are given steps of known length: who is next, who waits
 * for how long, and that nobody starves. */
#include "worker/share.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS 1000000ull

enum { LANES_MAX = 8, TURNS = 2000, ROUNDS = 200 };

struct scene {
    struct mr_share items[LANES_MAX];
    struct mr_shares shares;
    uint64_t steps_ns[LANES_MAX]; /* what a step of each takes */
    uint64_t worked_ns[LANES_MAX];
    uint64_t waits_ns[LANES_MAX];            /* the longest between two steps */
    uint64_t since_ns[LANES_MAX][LANES_MAX]; /* long work of the other since one's own step */
    uint64_t last_ns[LANES_MAX];             /* the end of its last step */
    uint64_t now_ns;
};

static void open_scene(struct scene *scene, uint32_t count)
{
    *scene = (struct scene){.shares = {.count = count}};
    scene->shares.items = scene->items;
}

static void step(struct scene *scene, uint32_t index)
{
    uint64_t wait_ns = scene->now_ns - scene->last_ns[index];
    if (wait_ns > scene->waits_ns[index])
        scene->waits_ns[index] = wait_ns;
    mr_shares_stepped(&scene->shares, index, scene->steps_ns[index]);
    scene->worked_ns[index] += scene->steps_ns[index];
    scene->now_ns += scene->steps_ns[index];
    scene->last_ns[index] = scene->now_ns;
    for (uint32_t other = 0; other < scene->shares.count; other++) {
        scene->since_ns[index][other] = 0;
        if (other != index && scene->items[index].is_long)
            scene->since_ns[other][index] += scene->steps_ns[index];
    }
}

/* A turn: the lanes that it stepped, as bits. */
static uint32_t turn(struct scene *scene)
{
    uint32_t stepped = 0;
    uint32_t index;
    mr_shares_begin(&scene->shares);
    while ((index = mr_shares_next(&scene->shares)) < scene->shares.count) {
        assert_false(stepped & 1u << index);
        stepped |= 1u << index;
        step(scene, index);
    }
    return stepped;
}

static void test_without_lanes_a_turn_is_over(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0);
    assert_int_equal(turn(&scene), 0);
}

static void test_short_lanes_are_all_stepped(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 3);
    scene.steps_ns[1] = MR_SHARE_LONG_NS - 1;
    for (int count = 0; count < 3; count++)
        assert_int_equal(turn(&scene), 7);
}

static void test_a_short_lane_waits_for_one_long_step(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 4);
    for (uint32_t index = 1; index < 4; index++)
        scene.steps_ns[index] = 4 * MS;
    assert_int_equal(turn(&scene), 0xf); /* nobody has been long yet */
    (void)turn(&scene);
    scene.waits_ns[0] = 0;
    for (int count = 0; count < TURNS; count++) {
        assert_int_equal(turn(&scene), 1 | 2);
        assert_int_equal(turn(&scene), 1 | 4);
        assert_int_equal(turn(&scene), 1 | 8);
    }
    assert_true(scene.waits_ns[0] == 4 * MS);
}

static void test_long_lanes_get_the_same_time(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 3);
    scene.steps_ns[0] = 50 * MS; /* one record may take as long */
    scene.steps_ns[1] = 4 * MS;
    scene.steps_ns[2] = 1 * MS;
    (void)turn(&scene); /* all turn out long */
    for (uint32_t index = 0; index < 3; index++)
        scene.worked_ns[index] = 0;
    for (int count = 0; count < TURNS; count++)
        (void)turn(&scene);
    for (uint32_t index = 1; index < 3; index++) {
        assert_true(scene.worked_ns[index] + 50 * MS >= scene.worked_ns[0]);
        assert_true(scene.worked_ns[index] <= scene.worked_ns[0] + 50 * MS);
    }
}

static void test_one_that_finds_nothing_leaves_its_turn(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 2);
    scene.steps_ns[0] = 1 * MS;
    scene.steps_ns[1] = 4 * MS;
    (void)turn(&scene);
    scene.steps_ns[0] = 0; /* it is the next, and has nothing to do any more */
    assert_int_equal(turn(&scene), 3);
    assert_false(scene.items[0].is_long);
    assert_int_equal(turn(&scene), 3);
}

static void test_time_apart_is_neither_credit_nor_debt(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 2);
    for (uint32_t early = 0; early < 2; early++) {
        uint32_t late = 1 - early;
        scene.steps_ns[early] = 4 * MS;
        scene.steps_ns[late] = 0;
        for (int count = 0; count < TURNS; count++)
            (void)turn(&scene); /* early works alone */
        scene.steps_ns[late] = 4 * MS;
        (void)turn(&scene);
        uint64_t before_ns[2] = {scene.worked_ns[0], scene.worked_ns[1]};
        for (int count = 0; count < TURNS; count++)
            (void)turn(&scene);
        assert_int_equal(scene.worked_ns[0] - before_ns[0], TURNS / 2 * 4 * MS);
        assert_int_equal(scene.worked_ns[1] - before_ns[1], TURNS / 2 * 4 * MS);
        /* And the one that worked leaves, with much used, and comes back beside the other. */
    }
}

/* A turn in which the bounds that share.h states are looked at. */
static void check_turn(struct scene *scene, uint64_t longest_ns)
{
    uint32_t count = scene->shares.count;
    uint32_t were_long = 0;
    uint32_t long_steps = 0;
    for (uint32_t index = 0; index < count; index++)
        were_long |= (uint32_t)scene->items[index].is_long << index;
    uint32_t stepped = turn(scene);
    assert_int_equal(stepped | were_long, (1u << count) - 1); /* every short one */
    for (uint32_t one = 0; one < count; one++) {
        const struct mr_share *share = &scene->items[one];
        long_steps += share->is_long && (stepped & were_long & 1u << one) != 0;
        for (uint32_t other = 0; other < count; other++) {
            assert_true(scene->since_ns[one][other] <= 3 * longest_ns);
            assert_true(!share->is_long || !scene->items[other].is_long ||
                        share->used_ns <= scene->items[other].used_ns + 2 * longest_ns);
        }
    }
    assert_true(long_steps <= 1);
    assert_true(were_long == 0 || (stepped & were_long) != 0); /* and one of the long ones */
}

/* Lanes that change what they do at random. */
static void check_bounds(struct scene *scene, struct mr_random *random)
{
    static const uint64_t steps_ns[] = {0, 100000, 499999, 500000, 1 * MS, 4 * MS, 20 * MS};
    for (int count = 0; count < TURNS; count++) {
        uint32_t changed = (uint32_t)mr_random_below(random, scene->shares.count);
        if (mr_random_below(random, 3) == 0)
            scene->steps_ns[changed] = steps_ns[mr_random_below(random, 7)];
        check_turn(scene, 20 * MS);
    }
}

static void test_bounds_hold_at_random(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct scene scene;
        struct mr_random random;
        mr_random_init(&random, round, 0);
        open_scene(&scene, 1 + round % LANES_MAX);
        check_bounds(&scene, &random);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_lanes_a_turn_is_over),
        cmocka_unit_test(test_short_lanes_are_all_stepped),
        cmocka_unit_test(test_a_short_lane_waits_for_one_long_step),
        cmocka_unit_test(test_long_lanes_get_the_same_time),
        cmocka_unit_test(test_one_that_finds_nothing_leaves_its_turn),
        cmocka_unit_test(test_time_apart_is_neither_credit_nor_debt),
        cmocka_unit_test(test_bounds_hold_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
