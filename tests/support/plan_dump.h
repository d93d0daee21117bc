/* tests/support/plan_dump.h — everything that a plan says, as text: what golden plans are compared
 * by. */
#ifndef MR_TESTS_SUPPORT_PLAN_DUMP_H
#define MR_TESTS_SUPPORT_PLAN_DUMP_H

#include "base/buffer.h"
#include "topology/plan.h"

/* Append the findings of report, then the plan (may be NULL). The hash is left out. */
void mr_plan_dump(const struct mr_report *report, const struct mr_plan *plan,
                  struct mr_buffer *output);

#endif
