/* tests/support/drift_parity.c — see drift_parity.h. */
#include "tests/support/drift_parity.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"

enum { CACHE_BYTES = 1 << 20, DRAWS_MAX = 512 };

static void open_table(struct drift_stream *stream)
{
    const struct mr_model_type *model = stream->model;
    struct mr_table_spec spec = {.operator_name = "op",
                                 .name = model->table,
                                 .version = model->version,
                                 .object_size = model->object_size,
                                 .encode = model->encode,
                                 .encoded_size_max = model->encoded_size_max,
                                 .decode = model->decode,
                                 .slot_bytes = stream->slot_bytes,
                                 .slots_max = stream->slots_max};
    fixture_open(&stream->fixture);
    stream->table = fixture_table(&stream->fixture, &spec);
    fixture_restore(&stream->fixture);
}

void drift_stream_open(struct drift_stream *stream, const struct mr_model_type *model, void *self,
                       uint32_t slot_bytes, uint32_t slots_max)
{
    *stream = (struct drift_stream){
        .model = model, .self = self, .slot_bytes = slot_bytes, .slots_max = slots_max};
    fixture_init(&stream->fixture, &mr_store_memory, CACHE_BYTES);
    open_table(stream);
}

void drift_stream_close(struct drift_stream *stream)
{
    fixture_deinit(&stream->fixture);
}

double drift_stream_feed(struct drift_stream *stream, const char *key, double value)
{
    struct mr_slice name = mr_slice_text(key);
    struct mr_error error;
    void *object;
    bool created;
    assert_int_equal(
        mr_table_get(stream->table, name, mr_hash64(name), 0, &object, &created, &error), MR_OK);
    stream->row = (struct mr_model_row){.table = stream->table,
                                        .entry = object,
                                        .object = object,
                                        .values = &value,
                                        .fields_count = 1,
                                        .seed = mr_hash64(name),
                                        .p_value = NAN};
    if (created)
        stream->model->begin(stream->self, &stream->row, object);
    assert_int_equal(stream->model->learn(stream->self, &stream->row, &error), MR_OK);
    mr_table_dirty(stream->table, object);
    assert_true(stream->row.score >= 0 && stream->row.score <= DBL_MAX);
    return stream->row.score;
}

void drift_stream_restart(struct drift_stream *stream)
{
    fixture_commit(&stream->fixture);
    fixture_close(&stream->fixture);
    open_table(stream);
}

/* ---- The reference ---- */

/* The Python that the tests' requirements are installed for, or any. */
static const char *find_python(bool needs_river)
{
    static char path[512];
    char command[1024];
    const char *cache = getenv("MILLRACE_CACHE");
    const char *home = getenv("HOME");
    if (cache != NULL)
        snprintf(path, sizeof(path), "%s/venv/bin/python", cache);
    else
        snprintf(path, sizeof(path), "%s/.cache/millrace/venv/bin/python",
                 home == NULL ? "" : home);
    for (int round = 0; round < 2; round++) {
        snprintf(command, sizeof(command), "'%s' -c '%s' >/dev/null 2>&1", path,
                 needs_river ? "import river.drift" : "pass");
        if (system(command) == 0)
            return path;
        snprintf(path, sizeof(path), "python3");
    }
    return NULL;
}

static double read_number(FILE *reference)
{
    char text[64];
    if (fscanf(reference, "%63s", text) != 1)
        fail_msg("the reference ended in the middle of a line");
    return strtod(text, NULL);
}

static void check(const char *what, const char *title, uint32_t record, double expected,
                  double found)
{
    bool equal = expected == found || (isnan(expected) && isnan(found));
    if (!equal)
        fail_msg("%s, record %u: %s is %.17g, river says %.17g", title, record, what, found,
                 expected);
}

/* What river says of a record, a line: value drift warning numbers... draws... */
static void check_record(const struct drift_parity *parity, struct drift_stream *stream,
                         FILE *reference, const char *title, uint32_t record, bool complete)
{
    double value = read_number(reference);
    double drift = read_number(reference);
    double warning = read_number(reference);
    double numbers[DRIFT_NUMBERS];
    for (uint32_t index = 0; index < DRIFT_NUMBERS; index++)
        numbers[index] = read_number(reference);
    if (parity->draws) {
        uint32_t places[DRAWS_MAX];
        uint32_t count = (uint32_t)read_number(reference);
        assert_true(count <= DRAWS_MAX);
        for (uint32_t index = 0; index < count; index++)
            places[index] = (uint32_t)read_number(reference);
        parity->drawn(parity->self, places, count);
    }
    double score = drift_stream_feed(stream, "key", value);
    check("drift", title, record, drift, score > 1);
    if (!complete)
        return;
    if (parity->warning >= 0)
        check("warning", title, record, warning, stream->row.own[parity->warning]);
    for (uint32_t index = 0; index < DRIFT_NUMBERS; index++)
        if (parity->numbers[index] >= 0)
            check("a number", title, record, numbers[index],
                  stream->row.own[parity->numbers[index]]);
    /* Near 1 scipy's sum may be above 1 by rounding; scipy takes the asymptotic value then. */
    double p_value = numbers[DRIFT_NUMBERS - 1];
    if (parity->draws && !(p_value > 0.99 && stream->row.p_value > 0.99))
        check("p_value", title, record, p_value, stream->row.p_value);
}

/* A stream: "stream TITLE COMPLETE RECORDS PARAMETERS p..." and a line for each record. */
static bool check_stream(const struct drift_parity *parity, FILE *reference, uint64_t *drifts)
{
    char title[128];
    int complete;
    uint32_t records;
    uint32_t parameters_count;
    double parameters[DRIFT_PARAMETERS_MAX] = {0};
    if (fscanf(reference, " stream %127s %d %" SCNu32 " %" SCNu32, title, &complete, &records,
               &parameters_count) != 4)
        return false;
    assert_true(parameters_count <= DRIFT_PARAMETERS_MAX);
    for (uint32_t index = 0; index < parameters_count; index++)
        parameters[index] = read_number(reference);
    parity->configure(parity->self, parameters);
    struct drift_stream stream;
    drift_stream_open(&stream, parity->model, parity->self, parity->slot_bytes, parity->slots_max);
    for (uint32_t record = 0; record < records; record++) {
        if (record == records / 3) /* a restart changes nothing */
            drift_stream_restart(&stream);
        check_record(parity, &stream, reference, title, record, complete != 0);
        *drifts += stream.row.score > 1;
    }
    drift_stream_close(&stream);
    return true;
}

void drift_parity(const struct drift_parity *parity, const char *kind)
{
    const char *python = find_python(strcmp(kind, "river") == 0);
    if (python == NULL) {
        print_message("SKIPPED: no python3 (with river for the kind river) to run the reference\n");
        skip();
    }
    char command[1024];
    snprintf(command, sizeof(command), "'%s' -B '%s/tests/support/drift_reference.py' %s %s",
             python, MR_SOURCE_DIR, parity->detector, kind);
    FILE *reference = popen(command, "r");
    assert_non_null(reference);
    uint32_t streams = 0;
    uint64_t drifts = 0;
    while (check_stream(parity, reference, &drifts))
        streams++;
    char end[8] = "";
    if (fscanf(reference, "%7s", end) != 1 || strcmp(end, "end") != 0)
        fail_msg("the reference did not end as it should: %s", command);
    assert_int_equal(pclose(reference), 0);
    assert_true(streams > 0 && drifts > 0);
    print_message("%s: %u streams, %" PRIu64 " drifts\n", parity->detector, streams, drifts);
}
