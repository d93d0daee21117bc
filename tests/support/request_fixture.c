/* tests/support/request_fixture.c — see request_fixture.h. */
#include "tests/support/request_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/learned_answers.h"
#include "record/json_value.h"

enum { REPLIES_BYTES_MAX = 64 << 20, COLUMNS = 2, KEYS = 1, ASKED_MS = 1000000 };

static struct mr_value cell(const struct harness *harness, struct mr_view view, uint32_t index,
                            uint32_t row)
{
    const struct mr_plan_domain *domain = &harness->plan->domains[harness->node->outputs[1].domain];
    return mr_batch_column(view.batch, domain->field_slots[index])[row];
}

static void print(struct mr_buffer *text, struct mr_value value)
{
    if (value.kind == MR_KIND_STRING)
        harness_append(text, "%.*s ", (int)value.size, (const char *)value.text);
    else if (value.kind == MR_KIND_DOUBLE)
        harness_append(text, "%.15g ", value.number);
    else if (value.kind == MR_KIND_INT)
        harness_append(text, "%lld ", (long long)value.integer);
    else
        harness_append(text, "- ");
}

static void on_emit(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    struct request_fixture *fixture = argument;
    struct mr_buffer *text = &fixture->replies;
    for (uint32_t index = 0; output == 1 && index < view.rows_count; index++) {
        struct mr_value fields[MR_REPLY_FIELDS_COUNT];
        for (uint32_t field = 0; field < MR_REPLY_FIELDS_COUNT; field++)
            fields[field] = cell(harness, view, KEYS + COLUMNS + field, view.rows[index]);
        print(text, fields[MR_REPLY_REQUEST_ID]);
        if (fields[MR_REPLY_STATUS].kind == MR_KIND_ABSENT) {
            print(text, fields[MR_REPLY_BATCH_ID]);
            print(text, cell(harness, view, KEYS, view.rows[index]));
            print(text, cell(harness, view, KEYS + 1, view.rows[index]));
            harness_append(text, "v");
            print(text, fields[MR_REPLY_MODEL_VERSION]);
            print(text, fields[MR_REPLY_GENERATED_AT]);
        } else {
            print(text, fields[MR_REPLY_STATUS]);
            if (fields[MR_REPLY_CODE].kind == MR_KIND_STRING)
                print(text, fields[MR_REPLY_CODE]);
            if (fields[MR_REPLY_MESSAGE].kind == MR_KIND_STRING)
                print(text, fields[MR_REPLY_MESSAGE]);
            if (fields[MR_REPLY_N_SAMPLES].kind == MR_KIND_INT)
                harness_append(text, "n=%lld/%lld ", (long long)fields[MR_REPLY_N_SAMPLES].integer,
                               (long long)fields[MR_REPLY_N_BATCHES].integer);
        }
        if (fields[MR_REPLY_REPLY_TOPIC].kind == MR_KIND_STRING) {
            harness_append(text, "to ");
            print(text, fields[MR_REPLY_REPLY_TOPIC]);
        }
        text->size--;
        harness_append(text, "\n");
        fixture->replies_count++;
    }
}

void request_fixture_open(struct request_fixture *fixture, const char *options)
{
    request_fixture_open_type(fixture, "generate.copula", options);
}

static void open_text(struct request_fixture *fixture, const char *text)
{
    memset(fixture, 0, sizeof(*fixture));
    mr_buffer_init(&fixture->replies, REPLIES_BYTES_MAX);
    harness_open_sources(&fixture->harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: in2, type: memory, key: [k]}\n",
                         text, "    - {name: out, type: memory, from: op.replies}\n", "op", 0, 1);
    fixture->harness.on_emit = on_emit;
    fixture->harness.on_emit_argument = fixture;
}

void request_fixture_open_type(struct request_fixture *fixture, const char *type,
                               const char *options)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "    - {name: op, type: %s, learn: in, requests: in2, key: [k], fields: "
             "[value, kind], learn_batch: 50%s}\n",
             type, options);
    open_text(fixture, text);
}

void request_fixture_open_follower(struct request_fixture *fixture, const char *options)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.model, models: in, requests: in2, key: [k], fields: "
             "[value, kind]%s}\n",
             options);
    open_text(fixture, text);
}

void request_fixture_publish(struct request_fixture *fixture, const char *key, uint32_t version)
{
    struct mr_arena arena;
    struct mr_error error;
    struct harness_row row = {.offset = version, .event_time_ms = version};
    mr_arena_init(&arena, 1 << 14);
    const char *text = mr_arena_format(
        &arena,
        "{\"millrace_model\": 1, \"type\": \"copula\", \"name\": \"a model\", \"version\": %u, "
        "\"rows\": 100, \"effective_rows\": 100, \"weight\": 100, \"squared_weights\": 100, "
        "\"fields\": [{\"name\": \"value\", \"kind\": \"number\", \"missing\": 0, \"decimals\": 0, "
        "\"bins\": [[%u, %u, 100]]}, {\"name\": \"kind\", \"kind\": \"category\", \"missing\": 0, "
        "\"categories\": [{\"value\": \"low\", \"weight\": 100}]}], \"correlations\": {\"values\": "
        "[], \"missingness\": [], \"matrix\": []}}",
        version, version, version);
    row.cells[0] = (struct harness_cell){"k", mr_value_string(mr_slice_text(key))};
    row.cells[1].path = "model";
    if (version % 2 == 0) /* as a merger in the same task has it */
        row.cells[1].value = (struct mr_value){
            .kind = MR_KIND_JSON, .size = (uint32_t)strlen(text), .text = (const uint8_t *)text};
    else if (mr_json_parse(mr_slice_text(text), NULL, &arena, &row.cells[1].value, &error) != MR_OK)
        fail_msg("%s", error.message);
    harness_feed(&fixture->harness, 0, &row, 1);
    mr_arena_deinit(&arena);
}

void request_fixture_close(struct request_fixture *fixture)
{
    harness_close(&fixture->harness);
    mr_buffer_deinit(&fixture->replies);
}

void request_fixture_learn(struct request_fixture *fixture, const char *key, uint32_t first,
                           uint32_t count)
{
    for (uint32_t number = first; number < first + count; number++) {
        struct mr_random random;
        mr_random_init(&random, 3, number);
        double value = (double)mr_random_below(&random, 101);
        struct harness_row row = harness_row(number, key, mr_value_double(value));
        row.cells[2] = (struct harness_cell){
            "kind", mr_value_string(mr_slice_text(value < 50 ? "low" : "high"))};
        harness_feed(&fixture->harness, 0, &row, 1);
    }
}

void request_fixture_ask(struct request_fixture *fixture, const char *key, const char *json)
{
    struct mr_arena arena;
    struct mr_error error;
    struct mr_value members;
    mr_arena_init(&arena, 1 << 14);
    const char *text = mr_arena_format(&arena, "{%s}", json);
    if (mr_json_parse(mr_slice_text(text), NULL, &arena, &members, &error) != MR_OK)
        fail_msg("%s", error.message);
    struct harness_row row = {.event_time_ms = ASKED_MS};
    row.cells[0] = (struct harness_cell){"k", key == NULL ? mr_value_null()
                                                          : mr_value_string(mr_slice_text(key))};
    assert_true(members.size + 1 < HARNESS_CELLS_MAX);
    for (uint32_t index = 0; index < members.size; index++) {
        struct mr_slice name = mr_value_text(members.entries[index].key);
        row.cells[index + 1] = (struct harness_cell){
            mr_arena_copy_bytes_text(&arena, name.data, name.size), members.entries[index].value};
    }
    harness_feed(&fixture->harness, 1, &row, 1);
    mr_arena_deinit(&arena);
}

const char *request_fixture_take(struct request_fixture *fixture)
{
    static const char end = 0;
    assert_int_equal(mr_buffer_append(&fixture->replies, &end, 1), MR_OK);
    fixture->replies.size = 0;
    fixture->replies_count = 0;
    return (const char *)fixture->replies.data;
}

uint32_t request_fixture_lines(const char *text, const char *beginning)
{
    uint32_t count = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, beginning, strlen(beginning)) == 0;
    return count;
}
