/* tests/unit/operators/test_control_constants.c — the constants of control charts, beside an
 * independent program (tests/support/control_reference.py: scipy's quadrature and gamma function).
 */
#include "operators/control_constants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

static bool is_near(double found, double expected, double relative)
{
    return fabs(found - expected) <= relative * fabs(expected);
}

/* control_reference.py constants */
static const struct {
    uint32_t size;
    double d2;
    double d3;
    double c4;
} references[] = {
    {2, 1.128379167095, 0.852502466424, 0.797884560803},
    {3, 1.692568750643, 0.888368004042, 0.886226925453},
    {4, 2.058750746008, 0.879808202822, 0.921317731924},
    {5, 2.325928947281, 0.864081941097, 0.939985602987},
    {6, 2.534412721223, 0.848039686115, 0.951532861948},
    {7, 2.704356751213, 0.833205335619, 0.959368788700},
    {8, 2.847200612090, 0.819831489789, 0.965030456147},
    {9, 2.970026324418, 0.807834274551, 0.969310699714},
    {10, 3.077505461670, 0.797050673517, 0.972659274122},
    {11, 3.172872703816, 0.787314620548, 0.975350077145},
    {12, 3.258455279743, 0.778478341201, 0.977559351855},
    {13, 3.335980354098, 0.770416202061, 0.979405604314},
    {14, 3.406763108200, 0.763023095622, 0.980971436756},
    {15, 3.471826889882, 0.756211429725, 0.982316177163},
    {16, 3.531982786109, 0.749908089407, 0.983483531616},
    {17, 3.587883961765, 0.744051783958, 0.984506405472},
    {18, 3.640063757937, 0.738590853375, 0.985410043808},
    {19, 3.688963023207, 0.733481495516, 0.986214136860},
    {20, 3.734950119596, 0.728686345705, 0.986934267525},
    {21, 3.778335829842, 0.724173340715, 0.987582928826},
    {22, 3.819384643363, 0.719914808431, 0.988170253316},
    {23, 3.858323423285, 0.715886735489, 0.988704545234},
    {24, 3.895348148451, 0.712068175145, 0.989192674959},
    {25, 3.930629219507, 0.708440765886, 0.989640375586},
    {30, 4.085521688343, 0.692665098881, 0.991418053293},
    {50, 4.498147258779, 0.652142588427, 0.994911304670},
    {100, 5.015187272883, 0.605179109485, 0.997477976071},
};

static void they_equal_another_programs(void **state)
{
    MR_UNUSED(state);
    for (size_t index = 0; index < MR_ARRAY_COUNT(references); index++) {
        struct mr_range_constants range = mr_control_range(references[index].size);
        assert_true(is_near(range.d2, references[index].d2, 1e-11));
        assert_true(is_near(range.d3, references[index].d3, 1e-10));
        assert_true(is_near(mr_control_c4(references[index].size), references[index].c4, 1e-11));
    }
}

/* 2 / sqrt(pi), sqrt(2 - 4 / pi), sqrt(2 / pi) for two values, 3 / sqrt(pi) for three. */
static void small_sizes_have_closed_forms(void **state)
{
    MR_UNUSED(state);
    const double pi = 3.14159265358979323846;
    struct mr_range_constants two = mr_control_range(2);
    assert_true(is_near(two.d2, 2 / sqrt(pi), 1e-12));
    assert_true(is_near(two.d3, sqrt(2 - 4 / pi), 1e-11));
    assert_true(is_near(mr_control_range(3).d2, 3 / sqrt(pi), 1e-12));
    assert_true(is_near(mr_control_c4(2), sqrt(2 / pi), 1e-15));
    assert_true(is_near(mr_control_c4(3), sqrt(pi) / 2, 1e-15));
}

static void large_sizes_go_on_smoothly(void **state)
{
    MR_UNUSED(state);
    double before = mr_control_c4(4095);
    double last = mr_control_c4(4096);
    double next = mr_control_c4(4097);
    assert_true(fabs((next - last) / (last - before) - 1) < 1e-3);
    assert_true(mr_control_c4(INT32_MAX) < 1 && mr_control_c4(INT32_MAX) > 1 - 1e-9);
    for (uint32_t size = 3; size <= MR_CONTROL_SIZE_MAX; size++)
        assert_true(mr_control_range(size).d2 > mr_control_range(size - 1).d2);
}

/* Rounded as textbooks print them. */
static void factors_follow(void **state)
{
    MR_UNUSED(state);
    struct mr_control_factors five = mr_control_factors(5, 3);
    assert_true(fabs(five.a2 - 0.577) < 5e-4);
    assert_true(fabs(five.a3 - 1.427) < 5e-4);
    assert_true(five.b3 == 0);
    assert_true(fabs(five.b4 - 2.089) < 5e-4);
    assert_true(five.big_d3 == 0);
    assert_true(fabs(five.big_d4 - 2.114) < 1e-3);
    struct mr_control_factors ten = mr_control_factors(10, 3);
    assert_true(fabs(ten.a2 - 0.308) < 5e-4);
    assert_true(fabs(ten.a3 - 0.975) < 5e-4);
    assert_true(fabs(ten.b3 - 0.284) < 5e-4);
    assert_true(fabs(ten.b4 - 1.716) < 5e-4);
    assert_true(fabs(ten.big_d3 - 0.223) < 5e-4);
    assert_true(fabs(ten.big_d4 - 1.777) < 5e-4);
    assert_true(fabs(mr_control_factors(2, 3).e2 - 2.66) < 5e-3);
    assert_true(is_near(mr_control_factors(2, 2).e2 * 1.5, mr_control_factors(2, 3).e2, 1e-14));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_equal_another_programs),
        cmocka_unit_test(small_sizes_have_closed_forms),
        cmocka_unit_test(large_sizes_go_on_smoothly),
        cmocka_unit_test(factors_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
