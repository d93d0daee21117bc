/* worker/http_query.c — GET /v1/state/{topology}/{store}/{key}: from a URL to committed state and
 * back to JSON. */
#include "base/clock.h"
#include "base/number.h"
#include "worker/http_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { MOVING_RETRY_S = 1, RESTORING_RETRY_S = 2 };

/* partition=N. False: it is not a number. */
static bool read_partition(const struct mr_http_exchange *exchange, int32_t *partition)
{
    const char *text = mr_http_query(exchange, "partition");
    *partition = -1;
    if (text == NULL)
        return true;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] != 0)
        return false;
    *partition = (int32_t)strtol(text, NULL, 10);
    return true;
}

/* last=N and since=DURATION. False: one is not of its kind. */
static bool read_last(const struct mr_http_exchange *exchange, struct mr_query *query)
{
    const char *last = mr_http_query(exchange, "last");
    const char *since = mr_http_query(exchange, "since");
    if (last != NULL) {
        size_t digits = strspn(last, "0123456789");
        query->last = digits == 0 || digits > 9 ? 0 : (uint32_t)strtoul(last, NULL, 10);
        if (last[digits] != 0 || query->last == 0)
            return false;
    }
    return since == NULL || (mr_option_parse_duration(mr_slice_text(since), &query->since_ms) &&
                             query->since_ms > 0);
}

/* "X,Y,Z". */
static bool read_corner(const char *text, double *corner)
{
    struct mr_slice rest = mr_slice_text(text);
    const uint8_t *end = rest.data + rest.size;
    for (uint32_t axis = 0; axis < 3; axis++) {
        struct mr_number number;
        const uint8_t *behind = mr_number_parse(rest.data, end, &number);
        if (behind == NULL || !isfinite(number.number))
            return false;
        corner[axis] = number.number;
        if (axis < 2 && (behind == end || *behind != ','))
            return false;
        rest.data = axis < 2 ? behind + 1 : behind;
    }
    return rest.data == end;
}

/* layer=N, from=X,Y,Z and to=X,Y,Z. False: one is not of its kind, or a corner is missing. */
static bool read_place(const struct mr_http_exchange *exchange, struct mr_state_place *place)
{
    const char *layer = mr_http_query(exchange, "layer");
    const char *from = mr_http_query(exchange, "from");
    const char *to = mr_http_query(exchange, "to");
    if (layer != NULL) {
        size_t digits = strspn(layer, "0123456789");
        if (digits == 0 || digits > 9 || layer[digits] != 0)
            return false;
        place->has_layer = true;
        place->layer = strtol(layer, NULL, 10);
    }
    if (from == NULL && to == NULL)
        return true;
    place->has_box = true;
    return from != NULL && to != NULL && read_corner(from, place->from) &&
           read_corner(to, place->to);
}

static bool is_set(const char *text)
{
    return text != NULL && (strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
}

/* The key as JSON writers may have laid it out, without blanks outside of texts: compact, as
 * message keys are. NULL: there are none. */
static const char *without_blanks(const char *key, struct mr_arena *arena)
{
    char *compact = mr_arena_copy_text(arena, key);
    size_t size = 0;
    bool in_text = false;
    for (const char *cursor = key; *cursor != 0; cursor++) {
        if (!in_text && (*cursor == ' ' || *cursor == '\t' || *cursor == '\n' || *cursor == '\r'))
            continue;
        if (*cursor == '"')
            in_text = !in_text;
        compact[size++] = *cursor;
        if (in_text && *cursor == '\\' && cursor[1] != 0)
            compact[size++] = *++cursor;
    }
    compact[size] = 0;
    return strlen(key) == size ? NULL : compact;
}

static void answer_found(struct mr_http_exchange *exchange, const struct mr_query *query,
                         const struct mr_query_answer *answer)
{
    struct mr_state_description as_of = {0};
    mr_describe_member(&as_of, "changelog_offset", mr_value_int(answer->changelog_offset));
    struct mr_state_description all = {0};
    mr_describe_member(&all, "topology", mr_value_string(mr_slice_text(query->topology)));
    mr_describe_member(&all, "store", mr_value_string(mr_slice_text(query->store)));
    mr_describe_member(&all, "key", mr_value_string(query->key));
    mr_describe_member(&all, "partition", mr_value_int(answer->partition));
    mr_describe_member(&all, "value", mr_description_value(&answer->description));
    if (answer->event_time_ms != INT64_MIN)
        mr_describe_time(&all, "event_time", answer->event_time_ms);
    mr_describe_member(&all, "as_of", mr_description_value(&as_of));
    if (answer->by_standby) {
        int64_t age_ms = mr_clock_wall_ms() - answer->current_ms;
        mr_describe_member(&all, "standby", mr_value_bool(true));
        mr_describe_member(&all, "staleness_ms",
                           answer->current_ms == 0 ? mr_value_null()
                                                   : mr_value_int(age_ms < 0 ? 0 : age_ms));
        mr_describe_member(&all, "staleness_records",
                           answer->remaining < 0 ? mr_value_null()
                                                 : mr_value_int(answer->remaining));
    }
    mr_worker_http_answer_value(exchange, mr_description_value(&all));
}

static void answer_restoring(struct mr_http_exchange *exchange, const struct mr_query *query,
                             const struct mr_query_answer *answer)
{
    if (answer->remaining < 0)
        mr_http_problem(exchange, 503, RESTORING_RETRY_S,
                        "Partition %d of %s is being restored. A standby may answer: ?standby=1.",
                        answer->partition, query->topology);
    else
        mr_http_problem(exchange, 503, RESTORING_RETRY_S,
                        "Partition %d of %s is being restored, %" PRId64
                        " records are left. A standby may answer: ?standby=1.",
                        answer->partition, query->topology, answer->remaining);
}

static void answer_other(struct mr_http_exchange *exchange, const struct mr_query *query,
                         const struct mr_query_answer *answer)
{
    const char *nearest = answer->nearest == NULL ? "" : answer->nearest;
    const char *hint = answer->nearest == NULL ? "" : "; the nearest is ";
    switch (answer->outcome) {
    case MR_QUERY_NO_TOPOLOGY:
        mr_http_problem(exchange, 404, 0,
                        "This worker has no task with state of a topology \"%s\"%s%s.",
                        query->topology, hint, nearest);
        break;
    case MR_QUERY_NO_STORE:
        mr_http_problem(exchange, 404, 0, "Topology %s has no operator \"%s\" with state%s%s.",
                        query->topology, query->store, hint, nearest);
        break;
    case MR_QUERY_NO_KEY:
        mr_http_problem(exchange, 404, 0,
                        "Operator %s of %s holds nothing for the key (partition "
                        "%d).",
                        query->store, query->topology, answer->partition);
        break;
    case MR_QUERY_NOT_HERE:
        mr_http_problem(exchange, 503, MOVING_RETRY_S,
                        "Partition %d of %s, where the key belongs, is not on this worker now.",
                        answer->partition, query->topology);
        break;
    case MR_QUERY_RESTORING:
        answer_restoring(exchange, query, answer);
        break;
    case MR_QUERY_FOUND:
    case MR_QUERY_FAILED:
    default:
        mr_http_problem(exchange, answer->error.status == MR_INVALID ? 400 : 503,
                        answer->error.status == MR_INVALID ? 0 : MOVING_RETRY_S,
                        "The state could not be read: %s.", answer->error.message);
    }
}

bool mr_worker_http_run_query(struct mr_worker_http *api, struct mr_http_exchange *exchange,
                              struct mr_query *query, struct mr_query_answer *answer)
{
    struct mr_arena *arena = mr_http_arena(exchange);
    const char *key = mr_http_request_of(exchange)->parts[2];
    query->key = mr_slice_text(key == NULL ? "" : key);
    query->standby = is_set(mr_http_query(exchange, "standby"));
    if (!read_partition(exchange, &query->partition)) {
        mr_http_problem(exchange, 400, 0, "`partition` is not a number.");
        return false;
    }
    if (key == NULL && query->document != NULL && query->partition < 0)
        query->partition = 0; /* of models that partitions learn by themselves: the first one's */
    mr_query_run(api->options.queries, query, arena, answer);
    const char *compact = key != NULL && key[0] == '[' ? without_blanks(key, arena) : NULL;
    if (answer->outcome != MR_QUERY_FOUND && compact != NULL) {
        query->key = mr_slice_text(compact);
        mr_query_run(api->options.queries, query, arena, answer);
    }
    if (answer->outcome != MR_QUERY_FOUND)
        answer_other(exchange, query, answer);
    return answer->outcome == MR_QUERY_FOUND;
}

void mr_worker_http_query(void *argument, struct mr_http_exchange *exchange)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    struct mr_query query = {.topology = request->parts[0], .store = request->parts[1]};
    struct mr_query_answer answer;
    if (!read_last(exchange, &query)) {
        mr_http_problem(exchange, 400, 0,
                        "`last` is a number of records and `since` a duration, as in last=50 and "
                        "since=10s.");
        return;
    }
    if (!read_place(exchange, &query.place)) {
        mr_http_problem(exchange, 400, 0,
                        "`layer` is the index of a layer, `from` and `to` are the corners of a "
                        "box, as in layer=3 and from=0,0,0&to=10,10,2.5.");
        return;
    }
    if (mr_worker_http_run_query(argument, exchange, &query, &answer))
        answer_found(exchange, &query, &answer);
}
