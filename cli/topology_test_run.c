/* cli/topology_test_run.c — see topology_test_run.h. */
#include "cli/topology_test_run.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "cli/topology_test_feed.h"
#include "cli/topology_test_judge.h"
#include "cli/topology_test_outputs.h"
#include "connectors/connector.h"
#include "coordinator/standalone.h"
#include "formats/json.h"
#include "worker/stepped.h"

#include <stdarg.h>
#include <stdio.h>

enum { DEPLOY_WAIT_MS = 15000, STATE_BYTES_MAX = 16 << 20, MESSAGE_SIZE = 1024 };

/* Nothing is dropped, and no source waits for a full topic: what is given bounds what is kept. */
static const uint64_t topic_bytes_max = UINT64_C(1) << 40;

struct trial {
    const struct mr_tested *tested;
    const struct mr_test *test;
    const char *folder;
    struct mr_arena *arena;
    struct mr_test_result *result;
    struct mr_log *log;
    struct mr_metrics *metrics;
    struct mr_stepped *stepped;
    struct mr_evaluator *evaluator;
    struct mr_test_feed feed;
    struct mr_test_outputs outputs;
    struct mr_test_judge judge;
};

struct mr_test_failure *mr_test_fail(struct mr_test_result *result, struct mr_arena *arena,
                                     struct mr_location location, const char *message, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    if (result->failures_count++ >= MR_TEST_FAILURES_MAX)
        return NULL;
    va_start(arguments, message);
    (void)vsnprintf(text, sizeof(text), message, arguments);
    va_end(arguments);
    struct mr_test_failure *failure = &result->failures[result->failures_count - 1];
    *failure =
        (struct mr_test_failure){.location = location, .message = mr_arena_copy_text(arena, text)};
    return failure;
}

/* ---- Making it ---- */

static enum mr_status create_topic(struct trial *trial, const char *name, struct mr_error *error)
{
    const struct mr_log_topic_create create = {.name = name,
                                               .partitions_count = trial->test->partitions_count,
                                               .replication_factor = -1,
                                               .retention_ms = -1};
    return trial->log->ops->topic_create(trial->log, &create, error);
}

/* All topics that the test writes or reads, so that they keep everything. */
static enum mr_status create_topics(struct trial *trial, struct mr_error *error)
{
    const struct mr_tested *tested = trial->tested;
    enum mr_status status = create_topic(
        trial, mr_arena_format(trial->arena, "%s.dead-letters", tested->plan->name), error);
    for (uint32_t i = 0; i < tested->outputs_count && status == MR_OK; i++)
        status = create_topic(trial, tested->outputs[i].topic, error);
    for (uint32_t i = 0; i < tested->definition->entries_count && status == MR_OK; i++)
        if (tested->definition->entries[i].role == MR_ROLE_SOURCE &&
            mr_tested_lookup(tested, tested->definition->entries[i].name) == NULL)
            status = create_topic(
                trial, mr_tested_source_topic(tested, tested->definition->entries[i].name), error);
    return status;
}

static enum mr_status start(struct trial *trial, struct mr_error *error)
{
    const struct mr_memory_log_open log = {.topic_bytes_max = topic_bytes_max};
    const struct mr_deploy_options options = {.cluster = "test",
                                              .embedded = true,
                                              .partitions_count = trial->test->partitions_count,
                                              .wait_ms = DEPLOY_WAIT_MS};
    const struct mr_standalone_version version = {.plan = trial->tested->plan};
    struct mr_deployment *deployment;
    bool changed;
    enum mr_status status = mr_memory_log_create(&log, &trial->log, error);
    if (status == MR_OK)
        status = create_topics(trial, error);
    if (status == MR_OK)
        status = mr_standalone_deploy(trial->log, &version, &options, trial->arena, &deployment,
                                      &changed, error);
    if (status != MR_OK)
        return status;
    const struct mr_stepped_open open = {.log = trial->log,
                                         .metrics = trial->metrics,
                                         .deployment = deployment,
                                         .memory_bytes =
                                             (uint64_t)trial->tested->plan->memory_bytes};
    status = mr_stepped_open(&open, &trial->stepped, error);
    if (status == MR_OK)
        status = mr_stepped_settle(trial->stepped, error);
    if (status == MR_OK)
        status =
            mr_test_outputs_open(&trial->outputs, trial->log, trial->tested, trial->arena, error);
    return status;
}

static void finish(struct trial *trial)
{
    mr_test_outputs_close(&trial->outputs);
    mr_test_feed_deinit(&trial->feed);
    mr_stepped_close(trial->stepped);
    if (trial->log != NULL)
        trial->log->ops->close(trial->log);
    mr_evaluator_destroy(trial->evaluator);
    mr_metrics_destroy(trial->metrics);
}

/* ---- Lookups ---- */

static enum mr_status collect(struct trial *trial, const char *lookup,
                              const struct mr_test_step *step, struct mr_test_lines *lines,
                              struct mr_location *location, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < step->givens_count && status == MR_OK; i++)
        if (strcmp(step->givens[i].source, lookup) == 0)
            status = mr_test_feed_lookup(&trial->feed, &step->givens[i], trial->folder,
                                         trial->arena, lines, location, error);
    return status;
}

/* What a lookup is not given it does not hold; also not what the test before gave. */
static enum mr_status give_lookups(struct trial *trial, struct mr_location *location,
                                   struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < trial->tested->lookups_count && status == MR_OK; i++) {
        const char *lookup = trial->tested->lookups[i].source;
        struct mr_test_lines lines = {.count = 0};
        status = collect(trial, lookup, &trial->test->given_state, &lines, location, error);
        if (status == MR_OK && trial->test->steps_count > 0)
            status = collect(trial, lookup, &trial->test->steps[0], &lines, location, error);
        mr_tested_give_lookup(trial->tested, lookup, lines.texts, lines.count);
    }
    *location = status == MR_OK ? trial->test->location : *location;
    return status;
}

/* ---- Steps ---- */

static enum mr_status give_some(struct trial *trial, const struct mr_test_step *step, bool tables,
                                struct mr_location *location, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < step->givens_count && status == MR_OK; i++) {
        const struct mr_test_given *given = &step->givens[i];
        if (mr_plan_node_find(trial->tested->plan, given->source)->is_table != tables ||
            mr_tested_lookup(trial->tested, given->source) != NULL)
            continue;
        status = mr_test_feed_given(&trial->feed, given, location, error);
        if (status != MR_OK)
            return status;
        *location = given->location;
        status = mr_stepped_settle(trial->stepped, error);
    }
    return status;
}

/* Tables first, as a task reads them. */
static enum mr_status give(struct trial *trial, const struct mr_test_step *step,
                           struct mr_location *location, struct mr_error *error)
{
    enum mr_status status = give_some(trial, step, true, location, error);
    return status == MR_OK ? give_some(trial, step, false, location, error) : status;
}

/* Who waits for a time sees it soon after, as it does when time passes by itself. */
static enum mr_status advance(struct trial *trial, uint32_t duration_ms, struct mr_error *error)
{
    uint32_t step_ms = duration_ms / MR_TEST_ADVANCE_STEPS_MAX + 1;
    if (step_ms < MR_TEST_ADVANCE_STEP_MS_MIN)
        step_ms = MR_TEST_ADVANCE_STEP_MS_MIN;
    enum mr_status status = MR_OK;
    while (duration_ms > 0 && status == MR_OK) {
        uint32_t now_ms = duration_ms < step_ms ? duration_ms : step_ms;
        mr_clock_advance(now_ms);
        duration_ms -= now_ms;
        status = mr_stepped_settle(trial->stepped, error);
    }
    return status;
}

static enum mr_status end_source(struct trial *trial, const char *source, struct mr_error *error)
{
    const struct mr_plan_node *node = mr_plan_node_find(trial->tested->plan, source);
    mr_stepped_end_source(trial->stepped, node->index);
    return mr_stepped_settle(trial->stepped, error);
}

static enum mr_status end_all(struct trial *trial, struct mr_error *error)
{
    const struct mr_plan *plan = trial->tested->plan;
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        if (plan->nodes[i].type->role == MR_ROLE_SOURCE)
            mr_stepped_end_source(trial->stepped, i);
    return mr_stepped_settle(trial->stepped, error);
}

/* ---- Expectations ---- */

static enum mr_status judge_outputs(struct trial *trial, const struct mr_test_step *step,
                                    bool whole, struct mr_error *error)
{
    enum mr_status status = mr_test_outputs_read(&trial->outputs, error);
    for (uint32_t i = 0; i < step->expectations_count && status == MR_OK; i++) {
        const struct mr_test_output *output =
            mr_test_outputs_find(&trial->outputs, step->expectations[i].output);
        mr_test_judge_output(&trial->judge, &step->expectations[i],
                             whole ? output->judged_from : output->step_from);
    }
    return status;
}

static enum mr_status read_state(struct trial *trial, const struct mr_test_state *state,
                                 json_t **held, struct mr_error *error)
{
    struct mr_query query = {.topology = trial->tested->plan->name,
                             .store = state->operator_name,
                             .partition = state->partition};
    struct mr_query_answer answer;
    *held = NULL;
    enum mr_status status = mr_test_key_values(state->key_values, trial->arena, &query.key, error);
    if (status != MR_OK)
        return status;
    mr_stepped_query(trial->stepped, &query, trial->arena, &answer);
    if (answer.outcome == MR_QUERY_NO_KEY)
        return MR_OK;
    if (answer.outcome != MR_QUERY_FOUND)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "the state of '%s' cannot be read: %s",
                       state->operator_name,
                       answer.outcome == MR_QUERY_FAILED ? answer.error.message
                                                         : "no task of it runs");
    struct mr_buffer json;
    json_error_t ignored;
    mr_buffer_init(&json, STATE_BYTES_MAX);
    status = mr_json_append_value(&json, mr_description_value(&answer.description), error);
    if (status == MR_OK)
        *held = json_loadb((const char *)json.data, json.size, JSON_DECODE_ANY, &ignored);
    mr_buffer_deinit(&json);
    return status;
}

static enum mr_status judge_states(struct trial *trial, const struct mr_test_step *step,
                                   struct mr_location *location, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < step->states_count && status == MR_OK; i++) {
        json_t *held;
        *location = step->states[i].location;
        status = read_state(trial, &step->states[i], &held, error);
        if (status == MR_OK)
            mr_test_judge_state(&trial->judge, &step->states[i], held);
        json_decref(held);
    }
    return status;
}

static enum mr_status do_step(struct trial *trial, const struct mr_test_step *step,
                              struct mr_location *location, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    *location = step->location;
    switch (step->kind) {
    case MR_TEST_GIVEN:
        return give(trial, step, location, error);
    case MR_TEST_ADVANCE:
        return advance(trial, step->advance_ms, error);
    case MR_TEST_END:
        for (uint32_t i = 0; i < step->ends_count && status == MR_OK; i++)
            status = end_source(trial, step->ends[i], error);
        return status;
    case MR_TEST_EXPECT:
        status = judge_outputs(trial, step, false, error);
        mr_test_outputs_pass(&trial->outputs, true);
        return status;
    case MR_TEST_EXPECT_STATE:
        break;
    }
    return judge_states(trial, step, location, error);
}

static enum mr_status do_steps(struct trial *trial, struct mr_location *location,
                               struct mr_error *error)
{
    const struct mr_test *test = trial->test;
    enum mr_status status = give(trial, &test->given_state, location, error);
    if (status == MR_OK)
        status = mr_test_outputs_read(&trial->outputs, error);
    mr_test_outputs_pass(&trial->outputs, false);
    for (uint32_t i = 0; i < test->steps_count && status == MR_OK; i++)
        status = do_step(trial, &test->steps[i], location, error);
    if (status == MR_OK && test->sources_end) {
        *location = test->location;
        status = end_all(trial, error);
    }
    if (status == MR_OK)
        status = judge_outputs(trial, &test->expect, true, error);
    if (status == MR_OK)
        status = judge_states(trial, &test->expect_state, location, error);
    return status;
}

/* ---- All ---- */

/* Records that were refused explain most surprises. */
static void note_dead_letters(struct trial *trial)
{
    struct mr_error ignored;
    struct mr_test_result *result = trial->result;
    if (trial->outputs.count == 0 || mr_test_outputs_read(&trial->outputs, &ignored) != MR_OK)
        return;
    struct mr_test_output *letters = mr_test_outputs_find(&trial->outputs, mr_test_dead_letters);
    for (uint32_t i = 0; i < letters->count && result->notes_count < MR_TEST_NOTES_MAX; i++) {
        const json_t *letter = mr_test_record_json(&trial->outputs, letters, &letters->records[i]);
        result->notes[result->notes_count++] =
            mr_arena_format(trial->arena, "a dead letter of %s: %s",
                            json_string_value(json_object_get(letter, "operator")),
                            mr_test_json_text(trial->arena, letter));
    }
}

void mr_topology_test_run(const struct mr_tested *tested, const struct mr_test *test,
                          const char *folder, struct mr_arena *arena, struct mr_test_result *result)
{
    uint64_t begun_ns = mr_clock_steady_ns();
    struct trial trial = {
        .tested = tested, .test = test, .folder = folder, .arena = arena, .result = result};
    struct mr_location location = test->location;
    struct mr_error error;
    *result = (struct mr_test_result){.test = test};
    mr_clock_drive(test->clock_ms);
    trial.metrics = mr_metrics_create();
    trial.evaluator = mr_evaluator_create();
    mr_test_feed_init(&trial.feed, NULL, tested, test->partitions_count, trial.evaluator);
    trial.judge = (struct mr_test_judge){
        .outputs = &trial.outputs, .evaluator = trial.evaluator, .result = result, .arena = arena};
    enum mr_status status = give_lookups(&trial, &location, &error);
    if (status == MR_OK)
        status = start(&trial, &error);
    trial.feed.log = trial.log;
    if (status == MR_OK)
        status = do_steps(&trial, &location, &error);
    if (status != MR_OK)
        (void)mr_test_fail(result, arena, location, "%s", error.message);
    if (result->failures_count > 0)
        note_dead_letters(&trial);
    finish(&trial);
    result->duration_us = (mr_clock_steady_ns() - begun_ns) / 1000;
}
