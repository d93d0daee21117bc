/* tests/support/merge_fixture.c — see merge_fixture.h. */
#include "tests/support/merge_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/learned_snapshot.h"

enum {
    DOCUMENT_BYTES_MAX = 8 << 20,
    MODELS = 2,
    KEYS = 1,
    NAME = 0,
    VERSION,
    ROWS,
    LEARNERS,
    MODEL
};

_Static_assert((int)MERGE_FIELDS == (int)MR_SNAPSHOT_FIELDS_COUNT, "all of them are kept");

void merge_parts_open(struct merge_parts *parts)
{
    memset(parts, 0, sizeof(*parts));
    mr_arena_init(&parts->arena, 1 << 16);
}

void merge_parts_close(struct merge_parts *parts)
{
    mr_arena_deinit(&parts->arena);
}

static struct mr_value cell(const struct harness *harness, uint32_t output, struct mr_view view,
                            uint32_t index, uint32_t row)
{
    const struct mr_plan_domain *domain =
        &harness->plan->domains[harness->node->outputs[output].domain];
    return mr_batch_column(view.batch, domain->field_slots[index])[row];
}

static struct mr_value kept(struct merge_parts *parts, struct mr_value value)
{
    if (value.kind == MR_KIND_STRING)
        return mr_value_string(mr_arena_copy(&parts->arena, mr_value_text(value)));
    if (value.kind == MR_KIND_BYTES)
        return mr_value_bytes(mr_arena_copy(&parts->arena, mr_value_text(value)));
    return value;
}

static void keep_parts(void *argument, const struct harness *harness, uint32_t output,
                       struct mr_view view)
{
    struct merge_parts *parts = argument;
    for (uint32_t index = 0; output == MODELS && index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        assert_true(parts->count < MERGE_PARTS_MAX);
        struct harness_row *part = &parts->rows[parts->count++];
        *part = (struct harness_row){.offset = parts->count,
                                     .event_time_ms = view.batch->event_times_ms[row]};
        part->cells[0] =
            (struct harness_cell){"k", kept(parts, cell(harness, MODELS, view, 0, row))};
        for (uint32_t field = 0; field < MERGE_FIELDS; field++)
            part->cells[1 + field] =
                (struct harness_cell){mr_snapshot_fields[field].name,
                                      kept(parts, cell(harness, MODELS, view, KEYS + field, row))};
    }
}

static const char *fields_of(const char *options)
{
    return strstr(options, "fields:") == NULL ? "fields: [value, kind, whole], " : "";
}

void merge_learner_open(struct harness *harness, struct merge_parts *parts, int32_t partition,
                        const char *options)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.copula, learn: in, key: [k], scope: partition, "
             "%sratio: 0, learn_batch: 50, publish: {every: 0s}%s}\n",
             fields_of(options), options);
    harness_open_sources(harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: in2, type: memory, key: [k]}\n",
                         text,
                         "    - {name: out, type: memory, from: op.models}\n"
                         "    - {name: rest, type: memory, from: in2}\n",
                         "op", partition, 4);
    harness->quiet = true;
    harness->on_emit = keep_parts;
    harness->on_emit_argument = parts;
}

void merge_learner_feed(struct harness *harness, uint32_t first, uint32_t end, uint32_t step,
                        int64_t now_ms)
{
    harness->context.now_ms = now_ms;
    for (uint32_t number = first; number < end; number += step) {
        struct mr_random random;
        mr_random_init(&random, 3, number);
        double value = 50 + 10 * mr_random_normal(&random);
        double other = value + 10 * mr_random_normal(&random);
        struct harness_row row = harness_row(number, "a", mr_value_double(value));
        row.cells[2] =
            (struct harness_cell){"kind", mr_value_string(mr_slice_text(other < 40   ? "low"
                                                                        : other < 60 ? "middle"
                                                                                     : "high"))};
        row.cells[3] = (struct harness_cell){
            "whole", other > 65 ? mr_value_null() : mr_value_double((double)(int)other)};
        harness_feed(harness, 0, &row, 1);
    }
    (void)harness_wall(harness, now_ms);
    harness_commit(harness);
}

static void keep_model(void *argument, const struct harness *harness, uint32_t output,
                       struct mr_view view)
{
    struct merge_models *models = argument;
    for (uint32_t index = 0; output == 0 && index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        struct mr_value model = cell(harness, 0, view, KEYS + MODEL, row);
        assert_int_equal(model.kind, MR_KIND_JSON);
        mr_buffer_clear(&models->document);
        assert_int_equal(mr_buffer_append(&models->document, model.text, model.size), MR_OK);
        assert_int_equal(mr_buffer_append(&models->document, "", 1), MR_OK);
        models->document.size--;
        models->version = cell(harness, 0, view, KEYS + VERSION, row).integer;
        models->rows = cell(harness, 0, view, KEYS + ROWS, row).integer;
        models->learners = cell(harness, 0, view, KEYS + LEARNERS, row).integer;
        models->count++;
    }
}

void merge_merger_open(struct harness *harness, struct merge_models *models, const char *options)
{
    char text[1024];
    memset(models, 0, sizeof(*models));
    mr_buffer_init(&models->document, DOCUMENT_BYTES_MAX);
    snprintf(text, sizeof(text),
             "    - {name: op, type: model.merge, from: in, key: [k], %spublish: {every: "
             "0s}%s}\n",
             fields_of(options), options);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    harness->quiet = true;
    harness->on_emit = keep_model;
    harness->on_emit_argument = models;
}

void merge_merger_close(struct harness *harness, struct merge_models *models)
{
    harness_close(harness);
    mr_buffer_deinit(&models->document);
}

void merge_merger_feed(struct harness *harness, const struct harness_row *part, int64_t now_ms)
{
    harness->context.now_ms = now_ms;
    harness_feed(harness, 0, part, 1);
    (void)harness_wall(harness, now_ms);
}
