/* tests/unit/operators/test_student_t.c — quantiles beside tables and closed forms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/student_t.h"

static void assert_near(double found, double asked, double share)
{
    if (!(fabs(found - asked) <= share * (1e-300 + fabs(asked))))
        fail_msg("%.17g, not %.17g", found, asked);
}

static void printed_tables_agree(void **state)
{
    MR_UNUSED(state);
    /* NIST/SEMATECH e-Handbook, table of the t distribution. */
    assert_near(mr_student_t_upper(0.025, 10), 2.228, 3e-4);
    assert_near(mr_student_t_upper(0.001, 30), 3.385, 3e-4);
    assert_near(mr_student_t_upper(0.05, 100), 1.660, 4e-4);
    assert_near(mr_student_t_upper(0.025, 100000), 1.959988, 1e-6); /* the normal's, nearly */
}

static void closed_forms_agree(void **state)
{
    MR_UNUSED(state);
    static const double tails[] = {0.25, 0.1, 1e-2, 1e-4, 1e-8, 1e-12};
    for (size_t index = 0; index < MR_ARRAY_COUNT(tails); index++) {
        double tail = tails[index];
        assert_near(mr_student_t_upper(tail, 1), 1 / tan(3.14159265358979323846 * tail), 1e-11);
        double half = 1 - 2 * tail; /* of two degrees */
        assert_near(mr_student_t_upper(tail, 2), half * sqrt(2 / (4 * tail * (1 - tail))), 1e-11);
    }
}

static void more_degrees_and_wider_tails_lie_nearer(void **state)
{
    MR_UNUSED(state);
    for (uint32_t freedom = 1; freedom < 300; freedom++)
        assert_true(mr_student_t_upper(1e-4, freedom + 1) < mr_student_t_upper(1e-4, freedom));
    for (double tail = 0.25; tail > 1e-10; tail /= 2)
        assert_true(mr_student_t_upper(tail / 2, 12) > mr_student_t_upper(tail, 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printed_tables_agree),
        cmocka_unit_test(closed_forms_agree),
        cmocka_unit_test(more_degrees_and_wider_tails_lie_nearer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
