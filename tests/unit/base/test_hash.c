/* tests/unit/base/test_hash.c — known answers of XXH3 and of murmur2 as Java's Kafka clients
 * compute it. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The vectors of the Java client's own test (Utils.murmur2 as a signed int). */
static void test_murmur2_known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t hash;
    } vectors[] = {{"21", -973932308},
                   {"foobar", -790332482},
                   {"a-little-bit-long-string", -985981536},
                   {"a-little-bit-longer-string", -1486304829},
                   {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                   {"abc", 479470107}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        assert_int_equal((int32_t)mr_hash_murmur2(mr_slice_text(vectors[i].text)), vectors[i].hash);
}

static void test_murmur2_does_not_need_alignment(void **state)
{
    (void)state;
    char storage[16] = {0};
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(storage + shift, "foobar", 6);
        assert_int_equal((int32_t)mr_hash_murmur2(mr_slice_from(storage + shift, 6)), -790332482);
    }
}

static void test_partition_masks_the_sign(void **state)
{
    (void)state;
    /* -973932308 & 0x7fffffff is 1173551340. */
    assert_int_equal(mr_hash_partition(mr_slice_text("21"), 1000), 340);
    assert_int_equal(mr_hash_partition(mr_slice_text("21"), 7), 1173551340 % 7);
    assert_int_equal(mr_hash_partition(mr_slice_text("abc"), 10), 7);
    for (int i = 0; i < 1000; i++) {
        int32_t partition = mr_hash_partition(mr_slice_from(&i, sizeof i), 13);
        assert_in_range(partition, 0, 12);
    }
}

static void test_xxh3_known_answers(void **state)
{
    (void)state;
    assert_true(mr_hash64(mr_slice_from("", 0)) == 0x2d06800538d394c2u);
    assert_true(mr_hash64(mr_slice_from(NULL, 0)) == 0x2d06800538d394c2u);
    struct mr_slice text = mr_slice_text("millrace");
    assert_true(mr_hash64(text) == mr_hash64_seeded(text, 0));
    assert_true(mr_hash64(text) != mr_hash64_seeded(text, 1));
    assert_true(mr_hash64(text) != mr_hash64(mr_slice_text("millracd")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_murmur2_known_answers),
        cmocka_unit_test(test_murmur2_does_not_need_alignment),
        cmocka_unit_test(test_partition_masks_the_sign),
        cmocka_unit_test(test_xxh3_known_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
