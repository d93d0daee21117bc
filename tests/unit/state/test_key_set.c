/* tests/unit/state/test_key_set.c — a set of keys is in order and holds each once, against a sorted
 * array, also while it is walked. */
#include "state/key_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"

enum { NUMBERS = 5000, ROUNDS = 3 };

/* Odd numbers have the key of the even one before and one byte more. */
static struct mr_slice key_of(uint32_t number, char text[16])
{
    int size = snprintf(text, 16, "%04u", number / 2);
    return mr_slice_from(text, (size_t)size + number % 2);
}

static void assert_node(const struct mr_key_node *node, const bool *there, uint32_t from)
{
    while (from < NUMBERS && !there[from])
        from++;
    assert_int_equal(node != NULL, from < NUMBERS);
    char text[16];
    if (node != NULL)
        assert_true(mr_slice_equal(mr_key_set_key(node), key_of(from, text)));
}

static void test_order(void **state)
{
    (void)state;
    struct mr_key_set set;
    struct mr_random random;
    mr_key_set_init(&set);
    mr_random_init(&random, 3, 1);
    assert_null(mr_key_set_seek(&set, mr_slice_text("")));
    for (int round = 0; round < ROUNDS; round++) {
        bool there[NUMBERS] = {false};
        uint64_t count = 0;
        for (uint32_t i = 0; i < NUMBERS; i++) {
            char text[16];
            uint32_t number = (uint32_t)mr_random_below(&random, NUMBERS);
            mr_key_set_add(&set, key_of(number, text));
            count += !there[number];
            there[number] = true;
            uint32_t from = (uint32_t)mr_random_below(&random, NUMBERS);
            assert_node(mr_key_set_seek(&set, key_of(from, text)), there, from);
        }
        assert_int_equal(set.count, count);
        const struct mr_key_node *node = mr_key_set_seek(&set, mr_slice_text(""));
        for (uint32_t i = 0; i < NUMBERS; i++) {
            if (!there[i])
                continue;
            assert_node(node, there, i);
            node = node->next[0];
        }
        assert_null(node);
        mr_key_set_clear(&set);
        assert_null(mr_key_set_seek(&set, mr_slice_text("")));
    }
    mr_key_set_deinit(&set);
}

static void test_added_while_walked(void **state)
{
    (void)state;
    struct mr_key_set set;
    mr_key_set_init(&set);
    mr_key_set_add(&set, mr_slice_text("b"));
    mr_key_set_add(&set, mr_slice_text("d"));
    const struct mr_key_node *node = mr_key_set_seek(&set, mr_slice_text("a"));
    mr_key_set_add(&set, mr_slice_text("a"));
    mr_key_set_add(&set, mr_slice_text("c"));
    assert_true(mr_slice_equal(mr_key_set_key(node), mr_slice_text("b")));
    assert_true(mr_slice_equal(mr_key_set_key(node->next[0]), mr_slice_text("c")));
    mr_key_set_deinit(&set);
}

static void test_memory_is_kept(void **state)
{
    (void)state;
    struct mr_key_set set;
    mr_key_set_init(&set);
    uint64_t before = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < NUMBERS; i++) {
            char text[16];
            mr_key_set_add(&set, key_of(i, text));
        }
        mr_key_set_clear(&set);
        uint64_t count = mr_memory_counters().allocation_count;
        if (round > 0)
            assert_int_equal(count, before);
        before = count;
    }
    mr_key_set_deinit(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_added_while_walked),
        cmocka_unit_test(test_memory_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
