/* cli/topology_test_judge.c — see topology_test_judge.h.
 * Design: which expected record may stand for which actual one is a bipartite graph, one bit a
 * pair; a largest matching is found by augmenting paths, one search per expected record. Expected
 * records are written by hand, so there are few. */
#include "cli/topology_test_judge.h"

#include "cli/text.h"
#include "cli/topology_test_feed.h"

#include <inttypes.h>
#include <stdio.h>

enum { NOBODY = -1, SHOWN_EXTRA = 3, NUMBER_TEXT_SIZE = 24 };

/* One list of an expectation. */
struct list {
    struct mr_test_judge *judge;
    const struct mr_test_expectation *expectation;
    const struct mr_test_output *output;
    const struct mr_yaml_node *records;     /* or, NULL: */
    const struct mr_test_message *messages; /* expectation->messages */
    struct mr_location location;
    uint32_t count;
    struct mr_test_record *actual;
    uint32_t actual_count;
    bool whole;      /* no others */
    uint8_t *edges;  /* a bit per pair */
    int64_t *owners; /* by actual record: the expected one, NOBODY */
    bool *visited;   /* by actual record, of one search */
    bool *found;     /* by expected record */
};

/* ---- One against one ---- */

static void match_text(struct mr_test_match *match, const char *path, const char *expected,
                       struct mr_slice actual, bool null)
{
    if (!null && mr_slice_equal(mr_slice_text(expected), actual))
        return;
    mr_test_match_differs(match, path, expected,
                          null ? "nothing" : mr_test_bytes_text(match->arena, actual));
}

static void match_number(struct mr_test_match *match, const char *path, int64_t expected,
                         int64_t actual)
{
    if (expected != actual)
        mr_test_match_differs(match, path, mr_arena_format(match->arena, "%" PRId64, expected),
                              mr_arena_format(match->arena, "%" PRId64, actual));
}

static void match_headers(struct mr_test_match *match, const struct mr_test_message *message,
                          const struct mr_test_record *record)
{
    for (uint32_t i = 0; i < message->headers_count; i++) {
        uint32_t j = 0;
        while (j < record->headers.count &&
               strcmp(record->headers.items[j].name, message->header_names[i]) != 0)
            j++;
        bool missing = j == record->headers.count;
        match_text(match,
                   mr_arena_format(match->arena, "message_headers.%s", message->header_names[i]),
                   message->header_values[i],
                   missing ? mr_slice_text("") : record->headers.items[j].value, missing);
    }
}

static void match_message(const struct list *list, struct mr_test_match *match,
                          const struct mr_test_message *message, struct mr_test_record *record)
{
    if (message->record != NULL)
        mr_test_match_value(match, message->record,
                            mr_test_record_json(list->judge->outputs, list->output, record));
    if (message->payload != NULL)
        match_text(match, "payload", message->payload, record->value, record->value_null);
    if (message->tombstone && !record->value_null)
        mr_test_match_differs(match, "tombstone", "a tombstone",
                              mr_test_bytes_text(match->arena, record->value));
    if (message->key != NULL)
        match_text(match, "message_key", message->key, record->key, record->key_null);
    if (message->partition >= 0)
        match_number(match, "partition", message->partition, record->partition);
    int64_t timestamp_ms;
    struct mr_error error;
    if (message->timestamp_program != NULL &&
        mr_test_timestamp(message, 0, list->judge->evaluator, match->arena, &timestamp_ms,
                          &error) == MR_OK)
        match_number(match, "message_timestamp", timestamp_ms, record->timestamp_ms);
    match_headers(match, message, record);
}

static void compare(const struct list *list, uint32_t index, struct mr_test_record *record,
                    struct mr_test_match *match)
{
    *match = (struct mr_test_match){.arena = list->judge->arena,
                                    .tolerance = list->expectation->tolerance,
                                    .cause_in_part = list->output->dead_letters};
    if (list->messages != NULL)
        match_message(list, match, &list->messages[index], record);
    else
        mr_test_match_value(match, list->records->items[index],
                            mr_test_record_json(list->judge->outputs, list->output, record));
}

static bool matches(const struct list *list, uint32_t index, struct mr_test_record *record)
{
    struct mr_test_match match;
    compare(list, index, record, &match);
    return match.differing_count == 0;
}

/* ---- Failures ---- */

static struct mr_location location_of(const struct list *list, uint32_t index)
{
    return list->messages != NULL ? list->messages[index].location
                                  : list->records->items[index]->location;
}

static const char *message_text(struct mr_arena *arena, const struct mr_test_message *message)
{
    const char *body = message->record != NULL    ? mr_test_node_text(arena, message->record)
                       : message->payload != NULL ? message->payload
                       : message->tombstone       ? "a tombstone"
                                                  : "any record";
    return message->key == NULL ? body : mr_arena_format(arena, "%s: %s", message->key, body);
}

static const char *record_text(const struct list *list, struct mr_test_record *record)
{
    struct mr_arena *arena = list->judge->arena;
    const char *body = list->output->dead_letters
                           ? mr_test_json_text(arena, mr_test_record_json(list->judge->outputs,
                                                                          list->output, record))
                       : record->value_null ? "a tombstone"
                                            : mr_test_bytes_text(arena, record->value);
    if (list->messages == NULL || record->key_null)
        return body;
    return mr_arena_format(arena, "%s: %s", mr_test_bytes_text(arena, record->key), body);
}

static void show_differences(const struct list *list, struct mr_test_record *record,
                             const struct mr_test_match *match, struct mr_test_failure *failure)
{
    struct mr_test_difference *copies =
        mr_arena_new(list->judge->arena, match->differences_count, sizeof(*copies));
    memcpy(copies, match->differences, match->differences_count * sizeof(*copies));
    failure->nearest = record_text(list, record);
    failure->differences = copies;
    failure->differences_count = match->differences_count;
}

/* Fill in the actual record that is meant, and how it differs. */
static void show_nearest(const struct list *list, uint32_t index, struct mr_test_record *record,
                         struct mr_test_failure *failure)
{
    struct mr_test_match match;
    compare(list, index, record, &match);
    show_differences(list, record, &match, failure);
}

static struct mr_test_failure *fail_record(const struct list *list, uint32_t index, const char *why)
{
    struct mr_test_judge *judge = list->judge;
    struct mr_test_failure *failure =
        mr_test_fail(judge->result, judge->arena, location_of(list, index), "%s: %s",
                     list->expectation->output, why);
    if (failure != NULL)
        failure->expected = list->messages != NULL
                                ? message_text(judge->arena, &list->messages[index])
                                : mr_test_node_text(judge->arena, list->records->items[index]);
    return failure;
}

/* The record with the fewest differences, of those that no other expectation has taken. */
static void fail_missing(const struct list *list, uint32_t index)
{
    struct mr_test_record *nearest = NULL;
    uint32_t fewest = UINT32_MAX;
    struct mr_test_failure *failure = fail_record(
        list, index, list->actual_count == 0 ? "there are no records" : "no record is as expected");
    for (uint32_t i = 0; failure != NULL && i < list->actual_count; i++) {
        struct mr_test_match match;
        if (list->owners[i] != NOBODY)
            continue;
        compare(list, index, &list->actual[i], &match);
        if (match.differing_count >= fewest)
            continue;
        fewest = match.differing_count;
        nearest = &list->actual[i];
    }
    if (nearest != NULL)
        show_nearest(list, index, nearest, failure);
}

static void fail_unexpected(const struct list *list)
{
    uint32_t shown = 0;
    uint32_t extra = 0;
    struct mr_test_judge *judge = list->judge;
    for (uint32_t i = 0; i < list->actual_count; i++) {
        if (list->owners[i] != NOBODY)
            continue;
        extra++;
        if (shown == SHOWN_EXTRA)
            continue;
        struct mr_test_failure *failure =
            mr_test_fail(judge->result, judge->arena, list->location,
                         "%s: a record that is not expected", list->expectation->output);
        shown++;
        if (failure != NULL)
            failure->nearest = record_text(list, &list->actual[i]);
    }
    if (extra > shown)
        (void)mr_test_fail(judge->result, judge->arena, list->location,
                           "%s: %" PRIu32 " more records that are not expected",
                           list->expectation->output, extra - shown);
}

/* ---- Lists ---- */

static bool has_edge(const struct list *list, uint32_t index, uint32_t record)
{
    uint64_t bit = (uint64_t)index * list->actual_count + record;
    return (list->edges[bit / 8] >> (bit % 8) & 1) != 0;
}

static void find_edges(struct list *list)
{
    for (uint32_t index = 0; index < list->count; index++)
        for (uint32_t record = 0; record < list->actual_count; record++) {
            uint64_t bit = (uint64_t)index * list->actual_count + record;
            if (matches(list, index, &list->actual[record]))
                list->edges[bit / 8] |= (uint8_t)(1u << (bit % 8));
        }
}

/* Give the expected record an actual one, moving others where they have another choice. */
static bool augment(struct list *list, uint32_t index)
{
    for (uint32_t record = 0; record < list->actual_count; record++) {
        if (list->visited[record] || !has_edge(list, index, record))
            continue;
        list->visited[record] = true;
        if (list->owners[record] == NOBODY || augment(list, (uint32_t)list->owners[record])) {
            list->owners[record] = index;
            return true;
        }
    }
    return false;
}

static void judge_unordered(struct list *list)
{
    find_edges(list);
    for (uint32_t index = 0; index < list->count; index++) {
        memset(list->visited, 0, list->actual_count * sizeof(*list->visited));
        list->found[index] = augment(list, index);
    }
    for (uint32_t index = 0; index < list->count; index++)
        if (!list->found[index])
            fail_missing(list, index);
    if (list->whole && list->actual_count > list->count)
        fail_unexpected(list);
}

/* All of them, one beside the other. */
static void judge_sequence(struct list *list)
{
    for (uint32_t index = 0; index < list->count && index < list->actual_count; index++) {
        list->owners[index] = index;
        if (matches(list, index, &list->actual[index]))
            continue;
        char why[64];
        (void)snprintf(why, sizeof(why), "record %" PRIu32 " is not as expected", index + 1);
        struct mr_test_failure *failure = fail_record(list, index, why);
        if (failure != NULL)
            show_nearest(list, index, &list->actual[index], failure);
    }
    for (uint32_t index = list->actual_count; index < list->count; index++)
        (void)fail_record(list, index, "there are no more records");
    if (list->actual_count > list->count)
        fail_unexpected(list);
}

/* Some of them, in their order: taking the first that matches is always right. */
static void judge_subsequence(struct list *list)
{
    uint32_t record = 0;
    for (uint32_t index = 0; index < list->count; index++) {
        uint32_t from = record;
        while (record < list->actual_count && !matches(list, index, &list->actual[record]))
            record++;
        if (record < list->actual_count) {
            list->owners[record++] = index;
            continue;
        }
        fail_missing(list, index);
        record = from;
    }
}

static void judge_list(struct list *list)
{
    struct mr_test_judge *judge = list->judge;
    struct mr_arena *arena = judge->arena;
    uint64_t pairs = (uint64_t)list->count * list->actual_count;
    if (pairs > MR_TEST_PAIRS_MAX) {
        (void)mr_test_fail(judge->result, arena, list->location,
                           "%s: %" PRIu32 " expected and %" PRIu32
                           " actual records are too many to compare: expect fewer, or a count",
                           list->expectation->output, list->count, list->actual_count);
        return;
    }
    list->owners = mr_arena_new(arena, list->actual_count, sizeof(*list->owners));
    for (uint32_t i = 0; i < list->actual_count; i++)
        list->owners[i] = NOBODY;
    list->visited = mr_arena_new(arena, list->actual_count, sizeof(*list->visited));
    list->found = mr_arena_new(arena, list->count, sizeof(*list->found));
    list->edges = mr_arena_new(arena, pairs / 8 + 1, 1);
    if (!list->expectation->ordered)
        judge_unordered(list);
    else if (list->whole)
        judge_sequence(list);
    else
        judge_subsequence(list);
}

/* ---- Bounds ---- */

/* All records have the numbers, and none is on the wrong side of them. */
static void judge_bounds(const struct list *list, const struct mr_yaml_node *bounds,
                         enum mr_test_bound bound)
{
    struct mr_test_judge *judge = list->judge;
    const char *name = bound == MR_TEST_AT_LEAST ? "min" : "max";
    uint32_t shown = 0;
    if (bounds == NULL)
        return;
    if (list->actual_count == 0)
        (void)mr_test_fail(judge->result, judge->arena, bounds->location,
                           "%s: there are no records for '%s'", list->expectation->output, name);
    for (uint32_t i = 0; i < list->actual_count && shown < SHOWN_EXTRA; i++) {
        struct mr_test_match match = {
            .arena = judge->arena, .tolerance = list->expectation->tolerance, .bound = bound};
        mr_test_match_value(&match, bounds,
                            mr_test_record_json(judge->outputs, list->output, &list->actual[i]));
        if (match.differing_count == 0)
            continue;
        struct mr_test_failure *failure = mr_test_fail(
            judge->result, judge->arena, bounds->location,
            "%s: record %" PRIu32 " is not within '%s'", list->expectation->output, i + 1, name);
        shown++;
        if (failure != NULL)
            show_differences(list, &list->actual[i], &match, failure);
    }
}

/* ---- Outputs ---- */

static void judge_count(struct mr_test_judge *judge, const struct mr_test_expectation *expectation,
                        const struct mr_test_output *output, uint32_t first)
{
    uint32_t actual = output->count - first;
    if (!expectation->counted || actual == expectation->count)
        return;
    struct mr_test_failure *failure =
        mr_test_fail(judge->result, judge->arena, expectation->count_location,
                     "%s: expected %s, got %" PRIu32 "%s", expectation->output,
                     mr_text_plural(judge->arena, expectation->count, "record"), actual,
                     first > output->judged_from ? " since the last step that expects" : "");
    bool listed = expectation->records != NULL || expectation->messages_given;
    if (failure == NULL || actual == 0 || listed)
        return; /* the lists show them */
    const struct list list = {.judge = judge, .expectation = expectation, .output = output};
    failure->nearest = record_text(&list, &output->records[output->count - 1]);
}

void mr_test_judge_output(struct mr_test_judge *judge,
                          const struct mr_test_expectation *expectation, uint32_t first)
{
    struct mr_test_output *output = mr_test_outputs_find(judge->outputs, expectation->output);
    struct list list = {.judge = judge,
                        .expectation = expectation,
                        .output = output,
                        .actual = output->records + first,
                        .actual_count = output->count - first};
    judge_count(judge, expectation, output, first);
    judge_bounds(&list, expectation->least, MR_TEST_AT_LEAST);
    judge_bounds(&list, expectation->most, MR_TEST_AT_MOST);
    if (expectation->records != NULL) {
        struct list records = list;
        records.records = expectation->records;
        records.location = expectation->records->location;
        records.count = expectation->records->count;
        records.whole = true;
        judge_list(&records);
    }
    if (expectation->contains != NULL) {
        struct list contained = list;
        contained.records = expectation->contains;
        contained.location = expectation->contains->location;
        contained.count = expectation->contains->count;
        judge_list(&contained);
    }
    if (expectation->messages_given) {
        list.messages = expectation->messages;
        list.location = expectation->messages_location;
        list.count = expectation->messages_count;
        list.whole = true;
        judge_list(&list);
    }
}

void mr_test_judge_state(struct mr_test_judge *judge, const struct mr_test_state *state,
                         const json_t *held)
{
    struct mr_arena *arena = judge->arena;
    const char *key = mr_test_node_text(arena, state->key_values);
    if (state->holds == NULL && held != NULL) {
        struct mr_test_failure *failure =
            mr_test_fail(judge->result, arena, state->location,
                         "%s: expected nothing for the key %s", state->operator_name, key);
        if (failure != NULL)
            failure->nearest = mr_test_json_text(arena, held);
    }
    if (state->holds == NULL)
        return;
    struct mr_test_match match = {.arena = arena, .tolerance = state->tolerance};
    if (held != NULL)
        mr_test_match_value(&match, state->holds, held);
    if (held != NULL && match.differing_count == 0)
        return;
    struct mr_test_failure *failure = mr_test_fail(
        judge->result, arena, state->location, "%s: %s for the key %s", state->operator_name,
        held == NULL ? "it holds nothing" : "its state is not as expected", key);
    if (failure == NULL)
        return;
    struct mr_test_difference *copies =
        mr_arena_new(arena, match.differences_count, sizeof(*copies));
    memcpy(copies, match.differences, match.differences_count * sizeof(*copies));
    failure->expected = mr_test_node_text(arena, state->holds);
    failure->nearest = held == NULL ? NULL : mr_test_json_text(arena, held);
    failure->differences = copies;
    failure->differences_count = match.differences_count;
}
