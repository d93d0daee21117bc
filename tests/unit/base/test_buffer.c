/* tests/unit/base/test_buffer.c — a buffer grows up to its ceiling and is unchanged when refused.
 */
#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_append_grows(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 20);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(mr_buffer_append(&buffer, "0123456789", 10), MR_OK);
    struct mr_slice view = mr_buffer_view(&buffer);
    assert_int_equal(view.size, 100000);
    assert_memory_equal(view.data + 99990, "0123456789", 10);
    mr_buffer_clear(&buffer);
    assert_int_equal(mr_buffer_view(&buffer).size, 0);
    mr_buffer_deinit(&buffer);
}

static void test_ceiling_is_exact(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 100);
    char bytes[101] = {0};
    assert_int_equal(mr_buffer_append(&buffer, bytes, 101), MR_LIMIT);
    assert_int_equal(mr_buffer_append(&buffer, bytes, 99), MR_OK);
    assert_int_equal(mr_buffer_append_format(&buffer, "%d", 12), MR_LIMIT);
    assert_int_equal(buffer.size, 99);
    assert_int_equal(mr_buffer_append_format(&buffer, "%d", 7), MR_OK);
    assert_int_equal(buffer.size, 100);
    assert_int_equal(buffer.data[99], '7');
    assert_int_equal(mr_buffer_append(&buffer, bytes, 0), MR_OK);
    assert_int_equal(mr_buffer_append_text(&buffer, "x"), MR_LIMIT);
    assert_int_equal(mr_buffer_reserve(&buffer, SIZE_MAX), MR_LIMIT);
    assert_int_equal(buffer.size, 100);
    mr_buffer_deinit(&buffer);
}

static void test_reserve_gives_room(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 5000);
    assert_int_equal(mr_buffer_reserve(&buffer, 3000), MR_OK);
    assert_true(buffer.capacity >= 3000 && buffer.capacity <= 5000);
    const uint8_t *data = buffer.data;
    for (int i = 0; i < 3000; i++)
        assert_int_equal(mr_buffer_append_text(&buffer, "x"), MR_OK);
    assert_ptr_equal(buffer.data, data);
    mr_buffer_deinit(&buffer);
}

static void test_format(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1000);
    assert_int_equal(mr_buffer_append_text(&buffer, "a="), MR_OK);
    assert_int_equal(mr_buffer_append_format(&buffer, "%d %s", -5, "units"), MR_OK);
    assert_int_equal(buffer.size, 10);
    assert_memory_equal(buffer.data, "a=-5 units", 10);
    mr_buffer_deinit(&buffer);
}

static void test_nothing_fits_everywhere(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 0);
    assert_int_equal(mr_buffer_append(&buffer, NULL, 0), MR_OK);
    assert_int_equal(mr_buffer_append_text(&buffer, "x"), MR_LIMIT);
    mr_buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_grows),
        cmocka_unit_test(test_ceiling_is_exact),
        cmocka_unit_test(test_reserve_gives_room),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_nothing_fits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
