/* tests/unit/operators/test_drift_page_hinkley.c — drift.page_hinkley: equal to river, and its
 * definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/drift_parity.h"

static struct mr_drift_page_hinkley detector;

static void configure(void *self, const double *parameters)
{
    struct mr_drift_page_hinkley *test = self;
    *test = (struct mr_drift_page_hinkley){.warmup = (uint64_t)parameters[0],
                                           .delta = parameters[1],
                                           .limit = parameters[2],
                                           .forgetting = parameters[3],
                                           .up = parameters[4] != 2,
                                           .down = parameters[4] != 1};
}

static const struct drift_parity parity = {
    .detector = "page_hinkley",
    .model = &mr_drift_page_hinkley_model,
    .self = &detector,
    .configure = configure,
    .warning = -1,
    .numbers = {MR_DRIFT_PAGE_HINKLEY_WIDTH, MR_DRIFT_PAGE_HINKLEY_ESTIMATION,
                MR_DRIFT_PAGE_HINKLEY_INCREASE, MR_DRIFT_PAGE_HINKLEY_DECREASE},
};

static void documented_drifts_are_found(void **state)
{
    MR_UNUSED(state);
    drift_parity(&parity, "published");
}

static void every_record_equals_river(void **state)
{
    MR_UNUSED(state);
    drift_parity(&parity, "river");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_drifts_are_found),
        cmocka_unit_test(every_record_equals_river),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
