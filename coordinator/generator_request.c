/* coordinator/generator_request.c — reading requests: see generator_request.h. */
#include "coordinator/generator_request.h"

#include "base/assert.h"
#include "base/options.h"

#include <jansson.h>
#include <math.h>

static const double RATE_MAX = 1e9;
static const double DELAY_S_MAX = 3600;

static const char *const members[] = {"action", "n_samples",  "count",           "n_batches",
                                      "rate",   "delay",      "batch_size",      "conditions",
                                      "seed",   "request_id", "include_metadata"};

struct reading {
    const json_t *root;
    struct mr_arena *arena;
    struct mr_generator_request *request;
    struct mr_error *error;
};

static enum mr_status read_names(const struct reading *reading)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)reading->root, name, value)
    {
        bool found = false;
        for (size_t index = 0; index < MR_ARRAY_COUNT(members); index++)
            found = found || strcmp(members[index], name) == 0;
        if (found)
            continue;
        const char *nearest = mr_options_nearest(name, members, MR_ARRAY_COUNT(members));
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "A request has no member \"%.60s\"%s%s%s", name,
                       nearest == NULL ? "." : "; did you mean \"", nearest == NULL ? "" : nearest,
                       nearest == NULL ? "" : "\"?");
    }
    return MR_OK;
}

/* A whole number from minimum to maximum; otherwise when it is not there. */
static enum mr_status read_count(const struct reading *reading, const char *name, uint64_t minimum,
                                 uint64_t maximum, uint64_t otherwise, uint64_t *count)
{
    const json_t *value = json_object_get(reading->root, name);
    *count = otherwise;
    if (value == NULL)
        return MR_OK;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number < minimum ||
        (uint64_t)number > maximum)
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "`%s` is a whole number from %llu to %llu.", name,
                       (unsigned long long)minimum, (unsigned long long)maximum);
    *count = (uint64_t)number;
    return MR_OK;
}

static enum mr_status read_number(const struct reading *reading, const char *name, double maximum,
                                  double *number)
{
    const json_t *value = json_object_get(reading->root, name);
    *number = 0;
    if (value == NULL)
        return MR_OK;
    *number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(*number) || *number < 0 || *number > maximum)
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "`%s` is a number from 0 to %g.", name, maximum);
    return MR_OK;
}

static enum mr_status read_id(const struct reading *reading)
{
    const json_t *value = json_object_get(reading->root, "request_id");
    if (value == NULL)
        return MR_OK;
    size_t size = json_string_length(value);
    const char *text = json_string_value(value);
    if (!json_is_string(value) || size > MR_GENERATOR_REQUEST_ID_BYTES_MAX || strlen(text) != size)
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "`request_id` is a text of at most %d bytes without NUL.",
                       MR_GENERATOR_REQUEST_ID_BYTES_MAX);
    reading->request->id = mr_arena_copy_text(reading->arena, text);
    return MR_OK;
}

static enum mr_status read_action(const struct reading *reading)
{
    static const char *const names[] = {[MR_GENERATOR_GENERATE] = "generate",
                                        [MR_GENERATOR_STREAM] = "stream",
                                        [MR_GENERATOR_STATS] = "stats",
                                        [MR_GENERATOR_STOP] = "stop"};
    const json_t *value = json_object_get(reading->root, "action");
    for (size_t index = 0; json_is_string(value) && index < MR_ARRAY_COUNT(names); index++)
        if (strcmp(json_string_value(value), names[index]) == 0) {
            reading->request->action = (enum mr_generator_action)index;
            return MR_OK;
        }
    return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                   "`action` is \"generate\", \"stream\", \"stats\" or \"stop\".");
}

static enum mr_status read_conditions(const struct reading *reading)
{
    const json_t *value = json_object_get(reading->root, "conditions");
    const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER;
    if (value == NULL || json_is_null(value))
        return MR_OK;
    if (!json_is_object(value))
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "`conditions` is an object by field, as in {\"age\": {\"gte\": 21}}.");
    size_t size = json_dumpb(value, NULL, 0, flags);
    char *text = mr_arena_take(reading->arena, size);
    size_t written = json_dumpb(value, text, size, flags);
    MR_ASSERT(written == size);
    if (json_object_size(value) > 0)
        reading->request->conditions = mr_slice_from(text, size);
    return MR_OK;
}

static enum mr_status read_flags(const struct reading *reading)
{
    struct mr_generator_request *request = reading->request;
    const json_t *metadata = json_object_get(reading->root, "include_metadata");
    request->metadata = metadata == NULL || json_is_true(metadata);
    if (metadata != NULL && !json_is_boolean(metadata))
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "`include_metadata` is true or false.");
    request->seeded = json_object_get(reading->root, "seed") != NULL;
    return read_count(reading, "seed", 0, INT64_MAX, 0, &request->seed);
}

/* How many rows, and in which messages. */
static enum mr_status read_amount(const struct reading *reading)
{
    struct mr_generator_request *request = reading->request;
    uint64_t samples;
    uint64_t batches;
    uint64_t batch_rows;
    const char *name = request->second ? "count" : "n_samples";
    bool stream = request->action == MR_GENERATOR_STREAM;
    bool sized = json_object_get(reading->root, "batch_size") != NULL;
    enum mr_status status =
        read_count(reading, name, 1, MR_GENERATOR_ROWS_MAX, MR_GENERATOR_ENDLESS, &samples);
    if (status == MR_OK)
        status = read_count(reading, "n_batches", 1, MR_GENERATOR_ROWS_MAX, MR_GENERATOR_ENDLESS,
                            &batches);
    if (status == MR_OK)
        status = read_count(reading, "batch_size", 1, MR_GENERATOR_MESSAGE_ROWS_MAX,
                            MR_GENERATOR_BATCH_ROWS, &batch_rows);
    if (status != MR_OK)
        return status;
    if (!stream && samples == MR_GENERATOR_ENDLESS)
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "\"generate\" needs `n_samples`, or `count`; \"stream\" goes on without.");
    if (request->second && json_object_get(reading->root, "n_samples") != NULL)
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "`count` and `n_samples` say the same; give one of them.");
    if (!stream && batches != MR_GENERATOR_ENDLESS)
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "`n_batches` belongs to \"stream\"; \"generate\" takes a number of rows.");
    request->in_batches = stream || request->second || sized;
    if (!request->in_batches && samples > MR_GENERATOR_MESSAGE_ROWS_MAX)
        return MR_FAIL(reading->error, MR_INVALID, MR_RECOVERY_NONE,
                       "%llu rows are too many for one message of at most %d; add a `batch_size`.",
                       (unsigned long long)samples, MR_GENERATOR_MESSAGE_ROWS_MAX);
    request->rows = samples;
    if (batches != MR_GENERATOR_ENDLESS && batches * batch_rows < samples)
        request->rows = batches * batch_rows;
    request->batch_rows = (uint32_t)(request->in_batches ? batch_rows : samples);
    return MR_OK;
}

static enum mr_status read_members(const struct reading *reading)
{
    struct mr_generator_request *request = reading->request;
    enum mr_status status = read_id(reading);
    if (status == MR_OK)
        status = read_action(reading);
    if (status == MR_OK)
        status = read_names(reading);
    if (status != MR_OK || request->action >= MR_GENERATOR_STATS)
        return status;
    status = read_amount(reading);
    if (status == MR_OK)
        status = read_number(reading, "rate", RATE_MAX, &request->rate);
    if (status == MR_OK)
        status = read_number(reading, "delay", DELAY_S_MAX, &request->delay_s);
    if (status == MR_OK)
        status = read_flags(reading);
    return status == MR_OK ? read_conditions(reading) : status;
}

enum mr_status mr_generator_request_read(struct mr_slice text, struct mr_arena *arena,
                                         struct mr_generator_request *request,
                                         struct mr_error *error)
{
    json_error_t broken;
    *request = (struct mr_generator_request){0};
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &broken);
    bool is_json = root != NULL;
    if (!json_is_object(root)) {
        json_decref(root);
        return is_json ? MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                                 "A request is a JSON object, as in {\"action\": "
                                 "\"generate\", \"n_samples\": 100}.")
                       : MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                                 "The request is no JSON: line %d, column %d: %.100s.", broken.line,
                                 broken.column, broken.text);
    }
    request->second = json_object_get(root, "count") != NULL;
    const struct reading reading = {root, arena, request, error};
    enum mr_status status = read_members(&reading);
    json_decref(root);
    return status;
}
