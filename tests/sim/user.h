/* tests/sim/user.h — the user of a simulated cluster: what is wanted of its topologies.
 * Model: wishes are asked of some coordinator by the HTTP API, and asked again until one was
 * answered well: submit, newer versions, rollback, pause and resume, delete and submit again under
 * the same name, reset, seek to the beginning, drain. A source topic grows, too. */
#ifndef MR_TESTS_SIM_USER_H
#define MR_TESTS_SIM_USER_H

#include "tests/sim/kernel.h"

void sim_user_begin(struct sim_process *const *coordinators, uint32_t coordinators_count);
/* Something else is wanted. */
void sim_user_fault(void);
/* No more of these: everything is submitted and runs in the end. */
void sim_user_settle(void);
bool sim_user_settled(void);
void sim_user_leave(void);
void sim_user_explain(void);

#endif
