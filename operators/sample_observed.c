/* operators/sample_observed.c — see sample_observed.h. */
#include "operators/sample_observed.h"

#include "base/assert.h"
#include "operators/copula.h"
#include "operators/zipf.h"

#include <string.h>

#define TIME_MAX_MS 1e15
enum { COUNT_BITS = 53 };

static const char *const time_forms[] = {"ms", "text"};

/* ---- Writing ---- */

static void put_member(struct mr_document_writer *writer, const char *name, double number)
{
    mr_document_put(writer, name);
    mr_document_put_number(writer, number);
}

static void put_series(struct mr_document_writer *writer, const struct mr_sample_series *one)
{
    const struct mr_fit_series *series = &one->series;
    mr_document_put(writer, "{\"field\": ");
    mr_document_put_text(writer, mr_slice_text(one->field));
    put_member(writer, ", \"points\": ", (double)series->points);
    put_member(writer, ", \"level\": ", series->level);
    put_member(writer, ", \"trend_per_hour\": ", series->trend_per_hour);
    put_member(writer, ", \"noise_sd\": ", series->noise_sd);
    put_member(writer, ", \"lowest\": ", one->lowest);
    put_member(writer, ", \"highest\": ", one->highest);
    if (one->has_decimals)
        put_member(writer, ", \"decimals\": ", one->decimals);
    mr_document_put(writer, ", \"seasons\": [");
    for (uint32_t at = 0; at < series->seasons_count; at++) {
        put_member(writer, at > 0 ? ", {\"period_ms\": " : "{\"period_ms\": ",
                   series->seasons[at].period_ms);
        put_member(writer, ", \"amplitude\": ", series->seasons[at].amplitude);
        put_member(writer, ", \"phase\": ", series->seasons[at].phase);
        mr_document_put(writer, "}");
    }
    mr_document_put(writer, "]}");
}

static void put_arrival(struct mr_document_writer *writer,
                        const struct mr_sample_observed *observed)
{
    mr_document_put(writer, ",\n\"arrival\": {\"kind\": \"");
    mr_document_put(writer, mr_arrival_kinds[observed->arrival.kind]);
    put_member(writer, "\", \"rate\": ", observed->arrival.rate);
    put_member(writer, ", \"variation\": ", observed->arrival.variation);
    put_member(writer, ", \"gaps\": ", (double)observed->arrival.gaps);
    put_member(writer, ", \"begin_ms\": ", (double)observed->begin_ms);
    mr_document_put(writer, "}");
}

static void put_keys(struct mr_document_writer *writer, const struct mr_sample_observed *observed)
{
    mr_document_put(writer, ",\n\"keys\": {\"field\": ");
    mr_document_put_text(writer, mr_slice_text(observed->key));
    put_member(writer, ", \"count\": ", (double)observed->keys.count);
    put_member(writer, ", \"exponent\": ", observed->keys.exponent);
    if (observed->keys_origin == MR_SAMPLE_KEYS_TEXTS) {
        mr_document_put(writer, ", \"prefix\": ");
        mr_document_put_text(writer, mr_slice_text(observed->keys_prefix));
    } else if (observed->keys_origin == MR_SAMPLE_KEYS_NUMBERS) {
        put_member(writer, ", \"first\": ", (double)observed->keys_first);
    }
    mr_document_put(writer, "}");
}

enum mr_status mr_sample_observed_write(const struct mr_sample_observed *observed,
                                        struct mr_buffer *output, struct mr_error *error)
{
    struct mr_document_writer writer = {.output = output};
    while (output->size > 0 && output->data[output->size - 1] != '}')
        output->size--;
    MR_ASSERT(output->size > 0);
    output->size--;
    while (output->size > 0 && output->data[output->size - 1] == '\n')
        output->size--;
    if (observed->has_arrival)
        put_arrival(&writer, observed);
    if (observed->time != NULL) {
        mr_document_put(&writer, ",\n\"time\": {\"field\": ");
        mr_document_put_text(&writer, mr_slice_text(observed->time));
        mr_document_put(&writer, ", \"form\": \"");
        mr_document_put(&writer, time_forms[observed->time_is_text]);
        mr_document_put(&writer, "\"}");
    }
    if (observed->key != NULL)
        put_keys(&writer, observed);
    if (observed->series_count > 0)
        mr_document_put(&writer, ",\n\"seasons\": [");
    for (uint32_t at = 0; at < observed->series_count; at++) {
        mr_document_put(&writer, at > 0 ? ",\n" : "\n");
        put_series(&writer, &observed->series[at]);
    }
    mr_document_put(&writer, observed->series_count > 0 ? "\n]\n}\n" : "\n}\n");
    if (writer.status != MR_OK)
        return MR_FAIL(error, writer.status, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the model's document exceeds %zu bytes", output->size_max);
    return MR_OK;
}

/* ---- Reading ---- */

static const char *read_text(struct mr_document *document, const struct mr_document_place *place,
                             const char *name, struct mr_arena *arena)
{
    struct mr_slice text = mr_document_text(document, place, name, MR_SAMPLE_NAME_BYTES_MAX);
    return mr_arena_copy_bytes_text(arena, text.data, text.size);
}

/* A text that names one of the model's fields. */
static const char *read_field(struct mr_document *document, const struct mr_document_place *place,
                              const struct mr_sample_facts *facts)
{
    struct mr_slice name = mr_document_text(document, place, "field", MR_SAMPLE_NAME_BYTES_MAX);
    for (uint32_t field = 0; field < facts->fields_count; field++)
        if (mr_slice_equal(name, mr_slice_text(facts->fields[field])))
            return facts->fields[field];
    mr_document_fail(document, place, "the field is none of the model's");
    return "";
}

static void read_arrival(struct mr_document *document, const struct mr_document_place *root,
                         struct mr_sample_observed *observed)
{
    static const char *const members[] = {"kind", "rate", "variation", "gaps", "begin_ms"};
    struct mr_document_place place = mr_document_member(document, root, "arrival");
    mr_document_only(document, &place, members, MR_ARRAY_COUNT(members));
    struct mr_slice text = mr_document_text(document, &place, "kind", 16);
    uint32_t kind = 0;
    while (mr_arrival_kinds[kind] != NULL &&
           !mr_slice_equal(text, mr_slice_text(mr_arrival_kinds[kind])))
        kind++;
    if (mr_arrival_kinds[kind] == NULL)
        mr_document_fail(document, &place, "the kind is none of regular, jitter and poisson");
    observed->has_arrival = true;
    observed->arrival = (struct mr_fit_arrival){
        .kind = (enum mr_arrival_kind)kind,
        .rate = mr_document_number(document, &place, "rate", 0, MR_SAMPLE_OBSERVED_NUMBER_MAX),
        .variation =
            mr_document_number(document, &place, "variation", 0, MR_SAMPLE_OBSERVED_NUMBER_MAX),
        .gaps = mr_document_count(document, &place, "gaps", (uint64_t)1 << COUNT_BITS)};
    observed->begin_ms =
        (int64_t)mr_document_number(document, &place, "begin_ms", -TIME_MAX_MS, TIME_MAX_MS);
}

static void read_time(struct mr_document *document, const struct mr_document_place *root,
                      const struct mr_sample_facts *facts, struct mr_sample_observed *observed)
{
    static const char *const members[] = {"field", "form"};
    struct mr_document_place place = mr_document_member(document, root, "time");
    mr_document_only(document, &place, members, MR_ARRAY_COUNT(members));
    struct mr_slice form = mr_document_text(document, &place, "form", 16);
    observed->time = read_field(document, &place, facts);
    observed->time_is_text = mr_slice_equal(form, mr_slice_text(time_forms[true]));
    if (!observed->time_is_text && !mr_slice_equal(form, mr_slice_text(time_forms[false])))
        mr_document_fail(document, &place, "the form is neither ms nor text");
}

static void read_keys(struct mr_document *document, const struct mr_document_place *root,
                      const struct mr_sample_facts *facts, struct mr_arena *arena,
                      struct mr_sample_observed *observed)
{
    static const char *const members[] = {"field", "count", "exponent", "prefix", "first"};
    struct mr_document_place place = mr_document_member(document, root, "keys");
    mr_document_only(document, &place, members, MR_ARRAY_COUNT(members));
    bool has_prefix = mr_document_has(&place, "prefix");
    bool has_first = mr_document_has(&place, "first");
    observed->key = has_prefix || has_first ? read_field(document, &place, facts)
                                            : read_text(document, &place, "field", arena);
    observed->keys = (struct mr_fit_keys){
        .count = mr_document_count(document, &place, "count", (uint64_t)1 << COUNT_BITS),
        .exponent = mr_document_number(document, &place, "exponent", 0, MR_ZIPF_EXPONENT_MAX)};
    if (has_prefix && has_first)
        mr_document_fail(document, &place, "keys are texts with a prefix or numbers from a first");
    if ((has_prefix || has_first) && observed->keys.count == 0)
        mr_document_fail(document, &place, "the count is 0, and keys are to be made");
    if (has_prefix) {
        observed->keys_origin = MR_SAMPLE_KEYS_TEXTS;
        observed->keys_prefix = read_text(document, &place, "prefix", arena);
    } else if (has_first) {
        observed->keys_origin = MR_SAMPLE_KEYS_NUMBERS;
        observed->keys_first =
            (int64_t)mr_document_number(document, &place, "first", -0x1p53, 0x1p53);
    }
}

static void read_season(struct mr_document *document, const struct mr_document_place *place,
                        struct mr_fit_season *season)
{
    static const char *const members[] = {"period_ms", "amplitude", "phase"};
    mr_document_only(document, place, members, MR_ARRAY_COUNT(members));
    season->period_ms = mr_document_number(document, place, "period_ms", 1e-3, TIME_MAX_MS);
    season->amplitude =
        mr_document_number(document, place, "amplitude", 0, MR_SAMPLE_OBSERVED_NUMBER_MAX);
    season->phase = mr_document_number(document, place, "phase", 0, 1);
}

static void read_series(struct mr_document *document, const struct mr_document_place *place,
                        const struct mr_sample_facts *facts, struct mr_sample_series *one)
{
    static const char *const members[] = {"field",          "points",   "level",
                                          "trend_per_hour", "noise_sd", "decimals",
                                          "lowest",         "highest",  "seasons"};
    const double most = MR_SAMPLE_OBSERVED_NUMBER_MAX;
    struct mr_fit_series *series = &one->series;
    mr_document_only(document, place, members, MR_ARRAY_COUNT(members));
    one->field = read_field(document, place, facts);
    series->points = mr_document_count(document, place, "points", (uint64_t)1 << COUNT_BITS);
    series->level = mr_document_number(document, place, "level", -most, most);
    series->trend_per_hour = mr_document_number(document, place, "trend_per_hour", -most, most);
    series->noise_sd = mr_document_number(document, place, "noise_sd", 0, most);
    one->lowest = mr_document_number(document, place, "lowest", -most, most);
    one->highest = mr_document_number(document, place, "highest", one->lowest, most);
    one->has_decimals = mr_document_has(place, "decimals");
    if (one->has_decimals)
        one->decimals =
            (uint32_t)mr_document_count(document, place, "decimals", MR_COPULA_DECIMALS_MAX);
    struct mr_document_place seasons =
        mr_document_list(document, place, "seasons", MR_FIT_SEASONS_MAX);
    series->seasons_count = seasons.value.size;
    for (uint32_t at = 0; at < seasons.value.size && document->status == MR_OK; at++) {
        struct mr_document_place season = mr_document_item(&seasons, at);
        read_season(document, &season, &series->seasons[at]);
    }
}

static void read_all_series(struct mr_document *document, const struct mr_document_place *root,
                            const struct mr_sample_facts *facts, struct mr_arena *arena,
                            struct mr_sample_observed *observed)
{
    struct mr_document_place list =
        mr_document_list(document, root, "seasons", MR_SAMPLE_FIELDS_MAX);
    struct mr_sample_series *series = mr_arena_new(arena, list.value.size, sizeof(*series));
    for (uint32_t at = 0; at < list.value.size && document->status == MR_OK; at++) {
        struct mr_document_place one = mr_document_item(&list, at);
        read_series(document, &one, facts, &series[at]);
        for (uint32_t other = 0; other < at && document->status == MR_OK; other++)
            if (series[other].field == series[at].field)
                mr_document_fail(document, &one, "the field has seasons already");
    }
    observed->series = series;
    observed->series_count = list.value.size;
}

void mr_sample_observed_read(struct mr_document *document, const struct mr_document_place *root,
                             const struct mr_sample_facts *facts, struct mr_arena *arena,
                             struct mr_sample_observed *observed)
{
    *observed = (struct mr_sample_observed){0};
    if (document->status == MR_OK && mr_document_has(root, "arrival"))
        read_arrival(document, root, observed);
    if (document->status == MR_OK && mr_document_has(root, "time"))
        read_time(document, root, facts, observed);
    if (document->status == MR_OK && mr_document_has(root, "keys"))
        read_keys(document, root, facts, arena, observed);
    if (document->status == MR_OK && mr_document_has(root, "seasons"))
        read_all_series(document, root, facts, arena, observed);
    if (document->status == MR_OK && !observed->has_arrival &&
        (observed->time != NULL || observed->series_count > 0))
        mr_document_fail(document, root, "time and seasons need arrival: when the stream began");
}
