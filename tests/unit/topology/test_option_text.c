/* tests/unit/topology/test_option_text.c — options in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "topology/option_text.h"

static void durations_and_sizes_use_the_largest_exact_unit(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, 1024);
    assert_string_equal(mr_option_duration_text(&arena, 0), "0s");
    assert_string_equal(mr_option_duration_text(&arena, 5), "5ms");
    assert_string_equal(mr_option_duration_text(&arena, 60000), "1m");
    assert_string_equal(mr_option_duration_text(&arena, 5400000), "1h30m");
    assert_string_equal(mr_option_duration_text(&arena, 86400000LL * 7), "7d");
    assert_string_equal(mr_option_size_text(&arena, 0), "0B");
    assert_string_equal(mr_option_size_text(&arena, 64 << 20), "64MiB");
    assert_string_equal(mr_option_size_text(&arena, 10000000), "10MB");
    assert_string_equal(mr_option_size_text(&arena, 17), "17B");
    mr_arena_deinit(&arena);
}

static void written_durations_read_back(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, 1024);
    for (int64_t ms = 1; ms < 1000000000000; ms = ms * 7 + 3) {
        int64_t read = 0;
        const char *text = mr_option_duration_text(&arena, ms);
        assert_true(mr_option_parse_duration(mr_slice_text(text), &read));
        assert_int_equal(read, ms);
    }
    mr_arena_deinit(&arena);
}

static void bounds_have_the_unit_of_their_type(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, 1024);
    struct mr_option_spec spec = {.type = MR_OPTION_DURATION, .minimum = 5, .maximum = 60000};
    assert_true(mr_option_is_bounded(&spec));
    assert_string_equal(mr_option_bound_text(&arena, &spec, spec.maximum), "1m");
    spec.type = MR_OPTION_RATE;
    assert_string_equal(mr_option_bound_text(&arena, &spec, 5), "5/s");
    spec.type = MR_OPTION_NUMBER;
    assert_string_equal(mr_option_bound_text(&arena, &spec, 0.5), "0.5");
    spec.type = MR_OPTION_SIZE;
    assert_string_equal(mr_option_bound_text(&arena, &spec, 4096), "4KiB");
    spec.maximum = spec.minimum;
    assert_false(mr_option_is_bounded(&spec));
    mr_arena_deinit(&arena);
}

static void every_type_has_words(void **state)
{
    (void)state;
    for (int type = MR_OPTION_BOOLEAN; type <= MR_OPTION_RECORDS; type++) {
        assert_non_null(mr_option_type_name((enum mr_option_type)type));
        assert_non_null(mr_option_type_text((enum mr_option_type)type));
    }
    static const char *const choices[] = {"a", "b", NULL};
    struct mr_option_spec spec = {.type = MR_OPTION_CHOICE, .choices = choices};
    struct mr_arena arena;
    mr_arena_init(&arena, 1024);
    assert_string_equal(mr_option_choices_text(&arena, &spec), "a | b");
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_and_sizes_use_the_largest_exact_unit),
        cmocka_unit_test(written_durations_read_back),
        cmocka_unit_test(bounds_have_the_unit_of_their_type),
        cmocka_unit_test(every_type_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
