/* operators/learned_request.c — see learned_request.h. */
#include "operators/learned_request.h"

#include <math.h>

#include "record/json_write.h"

const char mr_request_bad[] = "bad_request";

static const char *const names[MR_REQUEST_FIELDS_COUNT] = {
    "action",     "n_samples",  "count",       "n_batches",       "batch_size",
    "conditions", "request_id", "reply_topic", "include_metadata"};

struct reading {
    const struct mr_plan_requests *requests;
    struct mr_batch *batch;
    uint32_t row;
    struct mr_error *error;
    enum mr_status status; /* of the first failure */
};

/* ABSENT: it does not say. */
static struct mr_value cell_of(struct reading *reading, enum mr_request_field field)
{
    uint32_t slot = reading->requests->slots[field];
    struct mr_value cell = slot == MR_SLOT_NONE
                               ? (struct mr_value){.kind = MR_KIND_ABSENT}
                               : mr_batch_column(reading->batch, slot)[reading->row];
    if (cell.kind == MR_KIND_NULL)
        cell.kind = MR_KIND_ABSENT;
    return cell;
}

static void refuse(struct reading *reading, enum mr_request_field field, const char *wanted)
{
    if (reading->status == MR_OK)
        reading->status = MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                                  "the request's %s is no %s", names[field], wanted);
}

/* A whole number 1 to most; 0: none is there, or it was refused. */
static uint64_t count_of(struct reading *reading, enum mr_request_field field, uint64_t most)
{
    struct mr_value cell = cell_of(reading, field);
    double number;
    if (cell.kind == MR_KIND_ABSENT)
        return 0;
    if (cell.kind != MR_KIND_STRING && mr_value_as_double(cell, &number) && number >= 1 &&
        number <= (double)most && floor(number) == number)
        return (uint64_t)number;
    if (reading->status == MR_OK)
        reading->status = MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                                  "the request's %s is no whole number from 1 to %llu",
                                  names[field], (unsigned long long)most);
    return 0;
}

static void read_id(struct reading *reading, struct mr_request *request)
{
    struct mr_value cell = cell_of(reading, MR_REQUEST_ID);
    double number;
    if (cell.kind == MR_KIND_STRING && cell.size <= MR_REQUEST_ID_BYTES_MAX)
        request->id = cell;
    else if (cell.kind != MR_KIND_STRING && mr_value_as_double(cell, &number) && isfinite(number))
        request->id = mr_value_double(number);
    else if (cell.kind != MR_KIND_ABSENT)
        refuse(reading, MR_REQUEST_ID, "number, and no text of at most 256 bytes");
}

static void read_topic(struct reading *reading, struct mr_request *request)
{
    struct mr_value cell = cell_of(reading, MR_REQUEST_REPLY_TOPIC);
    if (cell.kind == MR_KIND_STRING && cell.size > 0 && cell.size <= MR_REQUEST_TOPIC_BYTES_MAX)
        request->reply_topic = mr_value_text(cell);
    else if (cell.kind != MR_KIND_ABSENT)
        refuse(reading, MR_REQUEST_REPLY_TOPIC, "name of a topic");
}

static void read_conditions(struct reading *reading, struct mr_arena *arena,
                            struct mr_request *request)
{
    struct mr_value cell = cell_of(reading, MR_REQUEST_CONDITIONS);
    if (cell.kind == MR_KIND_ABSENT || (cell.kind == MR_KIND_MAP && cell.size == 0))
        return;
    if (cell.kind != MR_KIND_MAP) {
        refuse(reading, MR_REQUEST_CONDITIONS,
               "object such as {\"age\": {\"gte\": 21}, \"region\": \"West\"}");
        return;
    }
    uint8_t *text = mr_arena_take(arena, mr_json_write_bound(cell) + MR_JSON_WRITE_SLACK);
    const uint8_t *end = mr_json_write(text, cell);
    if (end == NULL)
        refuse(reading, MR_REQUEST_CONDITIONS, "JSON object");
    else
        request->conditions = mr_slice_from(text, (size_t)(end - text));
}

static void read_metadata(struct reading *reading, struct mr_request *request)
{
    struct mr_value cell = cell_of(reading, MR_REQUEST_INCLUDE_METADATA);
    request->has_metadata = cell.kind != MR_KIND_BOOL || cell.boolean;
    if (cell.kind != MR_KIND_ABSENT && cell.kind != MR_KIND_BOOL)
        refuse(reading, MR_REQUEST_INCLUDE_METADATA, "boolean");
}

/* How many are asked for, by whatever name. */
static void read_samples(struct reading *reading, bool is_stream, struct mr_request *request)
{
    uint64_t samples = count_of(reading, MR_REQUEST_N_SAMPLES, MR_REQUEST_SAMPLES_MAX);
    uint64_t count = count_of(reading, MR_REQUEST_COUNT, MR_REQUEST_SAMPLES_MAX);
    uint64_t batches =
        is_stream ? count_of(reading, MR_REQUEST_N_BATCHES, MR_REQUEST_SAMPLES_MAX) : 0;
    uint64_t batch_size = count_of(reading, MR_REQUEST_BATCH_SIZE, MR_REQUEST_BATCH_MOST);
    request->batch_size = batch_size > 0 ? (uint32_t)batch_size : MR_REQUEST_BATCH_DEFAULT;
    batches *= request->batch_size;
    if (reading->status != MR_OK)
        return;
    request->samples = samples > 0 ? samples : count > 0 ? count : batches;
    if (request->samples == 0)
        reading->status = MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                                  "the request does not say how many records it wants: give "
                                  "n_samples or count%s",
                                  is_stream ? ", or n_batches" : "");
    else if (request->samples > MR_REQUEST_SAMPLES_MAX ||
             (samples > 0 && count > 0 && samples != count))
        reading->status = MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                                  request->samples > MR_REQUEST_SAMPLES_MAX
                                      ? "the request wants more than %llu records"
                                      : "the request's n_samples and count differ, at most %llu",
                                  MR_REQUEST_SAMPLES_MAX);
}

/* False: there is no such action. */
static bool read_action(struct reading *reading, struct mr_request *request, bool *is_stream)
{
    struct mr_value cell = cell_of(reading, MR_REQUEST_ACTION);
    struct mr_slice text =
        cell.kind == MR_KIND_STRING ? mr_value_text(cell) : mr_slice_text("generate");
    bool is_text = cell.kind == MR_KIND_STRING || cell.kind == MR_KIND_ABSENT;
    *is_stream = mr_slice_equal(text, mr_slice_text("stream"));
    if (is_text && mr_slice_equal(text, mr_slice_text("stats")))
        request->action = MR_REQUEST_STATS;
    else if (!is_text || (!*is_stream && !mr_slice_equal(text, mr_slice_text("generate"))))
        refuse(reading, MR_REQUEST_ACTION, "generate, stream or stats");
    return reading->status == MR_OK;
}

enum mr_status mr_request_read(const struct mr_plan_node *node, struct mr_batch *batch,
                               uint32_t row, struct mr_arena *arena, struct mr_request *request,
                               struct mr_error *error)
{
    struct reading reading = {
        .requests = node->requests, .batch = batch, .row = row, .error = error};
    bool is_stream;
    *request = (struct mr_request){.action = MR_REQUEST_GENERATE};
    read_id(&reading, request);
    read_topic(&reading, request);
    if (read_action(&reading, request, &is_stream) && request->action == MR_REQUEST_GENERATE) {
        read_metadata(&reading, request);
        read_samples(&reading, is_stream, request);
        read_conditions(&reading, arena, request);
    }
    return reading.status;
}
