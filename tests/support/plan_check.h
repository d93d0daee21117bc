/* tests/support/plan_check.h — what must hold of every plan: indexes are within bounds, and what
 * one part says of another is true. */
#ifndef MR_TESTS_SUPPORT_PLAN_CHECK_H
#define MR_TESTS_SUPPORT_PLAN_CHECK_H

#include "topology/plan.h"

/* Aborts with the place where plan contradicts itself. */
void mr_plan_check(const struct mr_plan *plan);

#endif
