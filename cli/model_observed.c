/* cli/model_observed.c — see model_observed.h. */
#include "cli/model_observed.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/text.h"

/* ---- As JSON ---- */

static json_t *series_json(const struct mr_sample_series *one)
{
    json_t *seasons = json_array();
    for (uint32_t at = 0; at < one->series.seasons_count; at++)
        json_array_append_new(seasons, json_pack("{s:f, s:f, s:f}", "period_ms",
                                                 one->series.seasons[at].period_ms, "amplitude",
                                                 one->series.seasons[at].amplitude, "phase",
                                                 one->series.seasons[at].phase));
    return json_pack("{s:s, s:f, s:f, s:f, s:o}", "field", one->field, "level", one->series.level,
                     "trend_per_hour", one->series.trend_per_hour, "noise_sd", one->series.noise_sd,
                     "seasons", seasons);
}

void mr_model_observed_json(json_t *root, const struct mr_sample_observed *observed)
{
    json_t *series = json_array();
    for (uint32_t at = 0; at < observed->series_count; at++)
        json_array_append_new(series, series_json(&observed->series[at]));
    if (observed->has_arrival)
        json_object_set_new(
            root, "arrival",
            json_pack("{s:s, s:f, s:f, s:I}", "kind", mr_arrival_kinds[observed->arrival.kind],
                      "rate", observed->arrival.rate, "variation", observed->arrival.variation,
                      "begin_ms", (json_int_t)observed->begin_ms));
    if (observed->key != NULL)
        json_object_set_new(root, "keys",
                            json_pack("{s:s, s:I, s:f, s:b}", "field", observed->key, "count",
                                      (json_int_t)observed->keys.count, "exponent",
                                      observed->keys.exponent, "made",
                                      observed->keys_origin != MR_SAMPLE_KEYS_DRAWN));
    if (observed->has_arrival)
        json_object_set(root, "seasons", series);
    json_decref(series);
}

/* ---- As text ---- */

static void print_series(struct mr_arena *arena, const struct mr_sample_series *one)
{
    printf("  %s: ", mr_text_escape(arena, mr_slice_text(one->field)));
    printf("level %.6g, trend %.6g an hour, noise %.4g", one->series.level,
           one->series.trend_per_hour, one->series.noise_sd);
    for (uint32_t at = 0; at < one->series.seasons_count; at++)
        printf("%s %s of amplitude %.4g", at == 0 ? "; seasons:" : ",",
               mr_text_duration(arena, (int64_t)one->series.seasons[at].period_ms),
               one->series.seasons[at].amplitude);
    (void)putchar('\n');
}

void mr_model_observed_print(struct mr_arena *arena, const struct mr_sample_observed *observed)
{
    char begin[MR_CLOCK_TEXT_SIZE];
    if (observed->has_arrival) {
        (void)mr_clock_format_rfc3339(observed->begin_ms, begin);
        printf("arrival: %s, %.6g a second from %s on, variation of gaps %.3f\n",
               mr_arrival_kinds[observed->arrival.kind], observed->arrival.rate, begin,
               observed->arrival.variation);
    }
    if (observed->key != NULL)
        printf("keys: %" PRIu64 " of %s, Zipf exponent %.3f%s\n", observed->keys.count,
               mr_text_escape(arena, mr_slice_text(observed->key)), observed->keys.exponent,
               observed->keys_origin != MR_SAMPLE_KEYS_DRAWN ? "; rows have made ones" : "");
    if (observed->has_arrival && observed->series_count == 0)
        puts("over time: neither trend nor season");
    else if (observed->series_count > 0)
        puts("over time:");
    for (uint32_t at = 0; at < observed->series_count; at++)
        print_series(arena, &observed->series[at]);
}
