/* tests/unit/coordinator/test_jobs.c — submit, bind, fence, delete and watch over the memory log.
 */
#include "coordinator/jobs.h"

#include "cli/catalogue.h"
#include "connectors/connector.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "worker/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct mr_jobs jobs_of(struct mr_coordinator_fixture *fixture)
{
    return (struct mr_jobs){.log = fixture->log,
                            .catalogue = &fixture->catalogue,
                            .cluster = "c",
                            .name = "test",
                            .wait_ms = 1000};
}

static struct mr_submission submit(struct mr_coordinator_fixture *fixture, const char *text)
{
    const struct mr_jobs jobs = jobs_of(fixture);
    struct mr_submission submission = {.definition = mr_slice_text(text)};
    if (mr_jobs_submit(&jobs, &submission, &fixture->arena, &fixture->error) != MR_OK)
        fail_msg("%s", fixture->error.message);
    return submission;
}

static void test_a_submission_is_planned_and_bound(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_submission submission = submit(fixture, mr_fixture_stateful);
    assert_string_equal(submission.version.name, "t");
    assert_int_equal(submission.version.version, 1);
    assert_true(submission.version.generation != 0);
    assert_int_equal(submission.version.binding.subtopologies[0].tasks_count, 2);
    assert_true(submission.version.memory_bytes > 0);
    struct mr_jobs jobs = jobs_of(fixture);
    struct mr_submission faulty = {.definition = mr_slice_text("kind: X\n")};
    assert_int_equal(mr_jobs_submit(&jobs, &faulty, &fixture->arena, &fixture->error), MR_INVALID);
    assert_true(faulty.report.errors_count > 0);
}

static void test_bound_again_under_another_generation(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_submission submission = submit(fixture, mr_fixture_stateful);
    struct mr_version_record bound;
    const struct mr_jobs jobs = jobs_of(fixture);
    assert_int_equal(mr_jobs_bind(&jobs, &submission.version, 0x77, &submission.version,
                                  &fixture->arena, &bound, &fixture->error),
                     MR_OK);
    assert_int_equal(bound.generation, 0x77);
    assert_non_null(strstr(bound.binding.subtopologies[0].log_topic.name, ".0000000000000077."));
}

/* A worker that has claimed a task cannot claim it again with its epoch. */
static void test_a_fence_ends_every_owner(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_submission submission = submit(fixture, mr_fixture_stateful);
    const struct mr_jobs jobs = jobs_of(fixture);
    const struct mr_binding *binding = &submission.version.binding;
    const struct mr_claimer claimer = {.log = fixture->log,
                                       .cluster = "c",
                                       .worker = "w",
                                       .claims_topic = binding->claims.name,
                                       .claims_partitions_count = binding->claims.partitions_count,
                                       .wait_ms = 1000};
    const struct mr_claim_request request = {.generation = submission.version.generation,
                                             .subtopology = "score",
                                             .partition = 1,
                                             .incarnation = 5,
                                             .epoch = 1,
                                             .transactional = true};
    uint64_t epoch;
    assert_int_equal(mr_claim_take(&claimer, &request, &epoch, &fixture->error), MR_OK);
    assert_int_equal(mr_jobs_fence(&jobs, &submission.version, &fixture->error), MR_OK);
    assert_int_equal(mr_claim_take(&claimer, &request, &epoch, &fixture->error), MR_FENCED);
}

static bool always(void *argument)
{
    (void)argument;
    return true;
}

static void test_who_leads_no_more_gives_up(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_submission submission = submit(fixture, mr_fixture_stateful);
    struct mr_jobs jobs = jobs_of(fixture);
    jobs.given_up = always;
    assert_int_equal(mr_jobs_fence(&jobs, &submission.version, &fixture->error), MR_CLOSED);
    assert_int_equal(mr_jobs_delete(&jobs, "t", submission.version.generation, &fixture->error),
                     MR_CLOSED);
}

static void test_a_delete_is_of_one_generation(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_submission first = submit(fixture, mr_fixture_stateful);
    struct mr_submission second = submit(fixture, mr_fixture_stateful);
    const struct mr_jobs jobs = jobs_of(fixture);
    struct mr_log_topic topic;
    const struct mr_log_ops *ops = fixture->log->ops;
    for (int again = 0; again < 2; again++)
        assert_int_equal(mr_jobs_delete(&jobs, "t", first.version.generation, &fixture->error),
                         MR_OK);
    assert_int_equal(ops->topic_describe(fixture->log,
                                         first.version.binding.subtopologies[0].log_topic.name,
                                         &topic, &fixture->error),
                     MR_NOT_FOUND);
    assert_int_equal(ops->topic_describe(fixture->log,
                                         second.version.binding.subtopologies[0].log_topic.name,
                                         &topic, &fixture->error),
                     MR_OK);
}

static void test_watching(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_submission keyed = submit(fixture, mr_fixture_stateful);
    struct mr_submission plain = submit(fixture, mr_fixture_stateless);
    const struct mr_jobs jobs = jobs_of(fixture);
    bool grown = true;
    assert_int_equal(mr_jobs_watch(&jobs, &plain.version, &grown, &fixture->error), MR_OK);
    assert_false(grown);
    assert_int_equal(fixture->log->ops->topic_grow(fixture->log, "in", 3, &fixture->error), MR_OK);
    assert_int_equal(mr_jobs_watch(&jobs, &plain.version, &grown, &fixture->error), MR_OK);
    assert_true(grown);
    assert_int_equal(mr_jobs_watch(&jobs, &keyed.version, &grown, &fixture->error), MR_INVALID);
    assert_non_null(strstr(fixture->error.message, "repartition needed"));
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_submission_is_planned_and_bound),
        CASE(test_bound_again_under_another_generation),
        CASE(test_a_fence_ends_every_owner),
        CASE(test_who_leads_no_more_gives_up),
        CASE(test_a_delete_is_of_one_generation),
        CASE(test_watching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
