/* tests/unit/base/test_random.c — Philox known answers, replay, bounds and moments. */
#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The known-answer tests published with the algorithm for philox4x32 with 10 rounds. */
static void test_philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4];
        uint32_t key[2];
        uint32_t block[4];
    } vectors[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                   {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                    {0xffffffff, 0xffffffff},
                    {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                   {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                    {0xa4093822, 0x299f31d0},
                    {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint32_t block[4];
        mr_philox4x32(vectors[i].counter, vectors[i].key, block);
        assert_memory_equal(block, vectors[i].block, sizeof block);
    }
}

static void test_sequence_is_the_blocks_in_order(void **state)
{
    (void)state;
    struct mr_random random;
    mr_random_init(&random, 0x0123456789abcdefu, 0xfedcba9876543210u);
    for (uint32_t block_index = 0; block_index < 3; block_index++) {
        const uint32_t counter[4] = {block_index, 0, 0x76543210, 0xfedcba98};
        const uint32_t key[2] = {0x89abcdef, 0x01234567};
        uint32_t block[4];
        mr_philox4x32(counter, key, block);
        for (int i = 0; i < 4; i++)
            assert_int_equal(mr_random_u32(&random), block[i]);
    }
}

static void test_streams_and_seeds_differ_and_repeat(void **state)
{
    (void)state;
    struct mr_random first;
    struct mr_random again;
    struct mr_random stream;
    struct mr_random seed;
    mr_random_init(&first, 1, 2);
    mr_random_init(&again, 1, 2);
    mr_random_init(&stream, 1, 3);
    mr_random_init(&seed, 2, 2);
    for (int i = 0; i < 1000; i++) {
        uint64_t number = mr_random_u64(&first);
        assert_true(number == mr_random_u64(&again));
        assert_true(number != mr_random_u64(&stream));
        assert_true(number != mr_random_u64(&seed));
    }
}

static void test_double_is_in_its_range(void **state)
{
    (void)state;
    struct mr_random random;
    mr_random_init(&random, 42, 0);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double number = mr_random_double(&random);
        assert_true(number >= 0.0 && number < 1.0);
        sum += number;
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
}

static void test_below_is_even(void **state)
{
    (void)state;
    struct mr_random random;
    mr_random_init(&random, 42, 1);
    uint32_t counts[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t number = mr_random_below(&random, 7);
        assert_in_range(number, 0, 6);
        counts[number]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_int_equal(mr_random_below(&random, 1), 0);
    /* A bound of three quarters of the range shows the bias that a plain modulo has: the lowest
     * third of the results would come twice as often. */
    uint64_t bound = 0xc000000000000000u;
    int low = 0;
    for (int i = 0; i < 30000; i++)
        low += mr_random_below(&random, bound) < bound / 3 ? 1 : 0;
    assert_in_range(low, 9600, 10400);
}

static void test_normal_has_its_moments(void **state)
{
    (void)state;
    struct mr_random random;
    mr_random_init(&random, 7, 7);
    double sum = 0;
    double squares = 0;
    int beyond_two = 0;
    for (int i = 0; i < 100000; i++) {
        double number = mr_random_normal(&random);
        assert_true(isfinite(number));
        sum += number;
        squares += number * number;
        beyond_two += fabs(number) > 2.0 ? 1 : 0;
    }
    assert_true(fabs(sum / 100000) < 0.015);
    assert_true(fabs(squares / 100000 - 1.0) < 0.02);
    assert_in_range(beyond_two, 4300, 4800); /* 4.55 % */
}

static void test_fresh_ids_differ(void **state)
{
    (void)state;
    uint64_t first = mr_random_fresh_id();
    uint64_t second = mr_random_fresh_id();
    assert_true(first != 0 && second != 0 && first != second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_sequence_is_the_blocks_in_order),
        cmocka_unit_test(test_streams_and_seeds_differ_and_repeat),
        cmocka_unit_test(test_double_is_in_its_range),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_normal_has_its_moments),
        cmocka_unit_test(test_fresh_ids_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
