/* tests/unit/coordinator/test_kubernetes.c — whole coordinators beside an API server of the
 * fixture: an object is deployed, changed, refused and deleted; a second leader goes on; a stop
 * while the cluster does not answer. */
#include "coordinator/kubernetes.h"

#include "base/clock.h"
#include "coordinator/internal.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/kubernetes_fixture.h"

#include <stdio.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct kubernetes_fixture kubernetes;

static int set_up(void **state)
{
    if (mr_coordinator_fixture_set_up(state) != 0)
        return -1;
    struct mr_coordinator_fixture *fixture = *state;
    kubernetes_start(&kubernetes);
    fixture->kubernetes = &kubernetes.options;
    fixture->kubernetes_topologies = true;
    return 0;
}

static int tear_down(void **state)
{
    int failed = mr_coordinator_fixture_tear_down(state);
    kubernetes_stop(&kubernetes);
    return failed;
}

static json_t *config_map(const char *definition)
{
    return json_pack("{s:{s:s}, s:{s:s}}", "metadata", "name", "one", "data", "any", definition);
}

static void await(const char *annotation, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "metadata:annotations:millrace.io/%s", annotation);
    kubernetes_await(&kubernetes, KUBERNETES_CONFIG_MAPS, "one", path, text);
}

static void an_object_becomes_a_topology_and_goes(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map(mr_fixture_stateful));
    await("version", "1");
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map(mr_fixture_renamed));
    await("state", "Refused"); /* it would drop state */
    mr_coordinator_fixture_expect(fixture, "GET", "/v1/topologies/t", NULL, 200, "\"version\":1");
    kubernetes_delete(&kubernetes, KUBERNETES_CONFIG_MAPS, "one");
    kubernetes_await(&kubernetes, KUBERNETES_CONFIG_MAPS, "one", "", NULL);
    mr_coordinator_fixture_expect(fixture, "GET", "/v1/topologies/t", NULL, 404, NULL);
}

static void the_next_leader_goes_on(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map(mr_fixture_stateful));
    await("version", "1");
    mr_coordinator_fixture_start(fixture, 1);
    mr_coordinator_fixture_stop(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 1);
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map(mr_fixture_tuned));
    await("version", "2");
}

/* For people who may not install the kind, or not let it be looked at. */
static void a_config_map_needs_no_kind(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    atomic_store(&kubernetes.unseen_code, 404);
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map(mr_fixture_stateful));
    await("version", "1");
    atomic_store(&kubernetes.unseen_code, 403);
    mr_coordinator_fixture_start(fixture, 1);
    mr_coordinator_fixture_stop(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 1);
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map(mr_fixture_tuned));
    await("version", "2");
}

/* ---- A coordinator whose jobs take long ---- */

static atomic_bool blocked;
static atomic_bool released;

static void block(struct mr_coordinator *coordinator, struct mr_work *work)
{
    (void)coordinator;
    (void)work;
    atomic_store(&blocked, true);
    while (!atomic_load(&released))
        mr_clock_sleep_ms(5);
}

static void end_block(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t at_ms)
{
    (void)coordinator;
    (void)work;
    (void)at_ms;
}

static void a_stop_does_not_wait_for_an_answer(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    struct mr_coordinator *coordinator = fixture->coordinators[0];
    atomic_store(&blocked, false);
    atomic_store(&released, false);
    assert_true(mr_work_send(coordinator->jobs_ring, mr_work_create(block, end_block)));
    while (!atomic_load(&blocked))
        mr_clock_sleep_ms(5);
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map(mr_fixture_stateful));
    mr_clock_sleep_ms(2000); /* some passes: it is submitted, and nobody answers */
    uint64_t begun_ms = mr_clock_monotonic_ms();
    mr_kubernetes_stop(coordinator->kubernetes_topologies);
    uint64_t took_ms = mr_clock_monotonic_ms() - begun_ms;
    coordinator->kubernetes_topologies = NULL;
    atomic_store(&released, true);
    assert_true(took_ms < 10000);
}

#define WITH_COORDINATOR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_COORDINATOR(an_object_becomes_a_topology_and_goes),
        WITH_COORDINATOR(the_next_leader_goes_on),
        WITH_COORDINATOR(a_config_map_needs_no_kind),
        WITH_COORDINATOR(a_stop_does_not_wait_for_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
