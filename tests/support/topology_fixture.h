/* tests/support/topology_fixture.h — one topology of the fake catalogue, parsed and planned. */
#ifndef MR_TESTS_SUPPORT_TOPOLOGY_FIXTURE_H
#define MR_TESTS_SUPPORT_TOPOLOGY_FIXTURE_H

#include "topology/plan.h"

struct mr_topology_fixture {
    struct mr_arena arena;
    struct mr_report report;
    struct mr_plan *plan; /* NULL: there are errors */
};

/* Plan a topology named "test" whose `spec:` is body (each line indented by two blanks). */
void mr_topology_fixture_open(struct mr_topology_fixture *fixture, const char *body);
/* The same for a whole file. */
void mr_topology_fixture_open_file(struct mr_topology_fixture *fixture, const char *text);
void mr_topology_fixture_close(struct mr_topology_fixture *fixture);

/* Whether a finding holds part; and how many findings there are of a severity. */
bool mr_topology_fixture_says(const struct mr_topology_fixture *fixture, const char *part);
uint32_t mr_topology_fixture_count(const struct mr_topology_fixture *fixture,
                                   enum mr_severity severity);
/* The node of that name; aborts with the findings when there is no plan or no such node. */
const struct mr_plan_node *mr_topology_fixture_node(const struct mr_topology_fixture *fixture,
                                                    const char *name);
/* The domain that the node's main output, or its only input, is in. */
const struct mr_plan_domain *mr_topology_fixture_domain(const struct mr_topology_fixture *fixture,
                                                        const char *name);
/* Column of a read of the domain, or MR_SLOT_NONE. */
uint32_t mr_topology_fixture_read(const struct mr_plan_domain *domain, const char *path);
/* The edit of a member in layout, or NULL. */
const struct mr_edit *mr_topology_fixture_edit(const struct mr_layout *layout, const char *name);

#endif
