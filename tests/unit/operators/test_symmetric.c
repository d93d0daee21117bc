/* tests/unit/operators/test_symmetric.c — factors, eigenvalues and repair of matrices whose results
 * are known. */
#include "operators/symmetric.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

static void a_factor_times_itself_is_the_matrix(void **state)
{
    MR_UNUSED(state);
    double matrix[9] = {4, 0, 0, 2, 5, 0, 0, 1, 3}; /* the upper triangle is not read */
    double factor[9];
    assert_true(mr_symmetric_factor(matrix, 3, factor));
    assert_true(factor[0] == 2 && factor[3] == 1 && factor[4] == 2 && factor[6] == 0);
    assert_true(factor[7] == 0.5 && fabs(factor[8] - sqrt(2.75)) < 1e-15);
    assert_true(factor[1] == 0 && factor[2] == 0 && factor[5] == 0);
}

static void an_indefinite_matrix_has_no_factor(void **state)
{
    MR_UNUSED(state);
    double matrix[4] = {1, 1.2, 1.2, 1};
    double not_a_number[1] = {(double)NAN};
    double factor[4];
    assert_false(mr_symmetric_factor(matrix, 2, factor));
    assert_false(mr_symmetric_factor(not_a_number, 1, factor));
}

static void eigenvalues_are_found(void **state)
{
    MR_UNUSED(state);
    double matrix[9] = {2, 1, 0, 1, 2, 1, 0, 1, 2}; /* 2 and 2 +- sqrt(2) */
    double values[3];
    double vectors[9];
    mr_symmetric_eigen(matrix, 3, values, vectors);
    double sum = values[0] + values[1] + values[2];
    double product = values[0] * values[1] * values[2];
    assert_true(fabs(sum - 6) < 1e-12 && fabs(product - 4) < 1e-12);
    for (int value = 0; value < 3; value++) {
        const double *x = vectors + value;
        assert_true(fabs(2 * x[0] + x[3] - values[value] * x[0]) < 1e-12);
        assert_true(fabs(x[0] * x[0] + x[3] * x[3] + x[6] * x[6] - 1) < 1e-12);
    }
}

static void repair_gives_a_correlation_matrix_near_by(void **state)
{
    MR_UNUSED(state);
    /* Three pairs that cannot be so at once. */
    double matrix[9] = {1, 0.9, 0.9, 0.9, 1, -0.9, 0.9, -0.9, 1};
    double scratch[21];
    double factor[9];
    assert_false(mr_symmetric_factor(matrix, 3, factor));
    mr_symmetric_repair(matrix, 3, scratch);
    assert_true(mr_symmetric_factor(matrix, 3, factor));
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++) {
            assert_true(matrix[3 * row + column] == matrix[3 * column + row]);
            assert_true(row != column || matrix[3 * row + column] == 1);
        }
    /* By symmetry all three shrink alike: to 1/2. */
    assert_true(fabs(matrix[1] - 0.5) < 1e-5 && fabs(matrix[5] + 0.5) < 1e-5);
}

static void the_same_column_twice_is_repaired(void **state)
{
    MR_UNUSED(state);
    double matrix[4] = {1, 1, 1, 1};
    double scratch[10];
    double factor[4];
    mr_symmetric_repair(matrix, 2, scratch);
    assert_true(mr_symmetric_factor(matrix, 2, factor));
    assert_true(matrix[1] > 1 - 1e-5 && matrix[1] < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_factor_times_itself_is_the_matrix),
        cmocka_unit_test(an_indefinite_matrix_has_no_factor),
        cmocka_unit_test(eigenvalues_are_found),
        cmocka_unit_test(repair_gives_a_correlation_matrix_near_by),
        cmocka_unit_test(the_same_column_twice_is_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
