/* operators/sample_overlay.c — see sample_overlay.h. */
#include "operators/sample_overlay.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

#define MS_PER_HOUR 3600000.0
#define TIME_MAX_MS 0x1p60
static const double two_pi = 6.283185307179586476925286766559;
/* Stream of the seed beside the rows' own. */
static const uint64_t key_seed = 0x6b657973206f6620u;

static uint32_t find_field(const struct mr_sample_facts *facts, const char *name)
{
    uint32_t field = 0;
    while (field < facts->fields_count && strcmp(facts->fields[field], name) != 0)
        field++;
    return field;
}

void mr_sample_overlay_init(struct mr_sample_overlay *overlay,
                            const struct mr_sample_observed *observed,
                            const struct mr_sample_facts *facts)
{
    bool has_keys = observed->keys_origin != MR_SAMPLE_KEYS_DRAWN;
    *overlay = (struct mr_sample_overlay){.observed = observed,
                                          .key_field = facts->fields_count,
                                          .time_field = facts->fields_count,
                                          .is_active = has_keys || observed->time != NULL ||
                                                       observed->series_count > 0};
    if (observed->time != NULL)
        overlay->time_field = find_field(facts, observed->time);
    for (uint32_t at = 0; at < observed->series_count; at++)
        overlay->series_fields[at] = find_field(facts, observed->series[at].field);
    if (!has_keys)
        return;
    overlay->key_field = find_field(facts, observed->key);
    mr_zipf_init(&overlay->zipf, observed->keys.count, observed->keys.exponent);
}

const char *mr_sample_overlay_of(const struct mr_sample_overlay *overlay, uint32_t field)
{
    if (field == overlay->time_field)
        return "it is the time of the record, which the stream's start and rate say";
    if (field == overlay->key_field)
        return "it is a key that is made, of which the model knows only how often which rank comes";
    for (uint32_t at = 0; at < overlay->observed->series_count; at++)
        if (overlay->series_fields[at] == field)
            return "it varies with time in this model, so that what it is the row's time says; fit "
                   "one without times (millrace fit --static) to set conditions on it";
    return NULL;
}

double mr_sample_series_at(const struct mr_fit_series *series, int64_t time_ms, int64_t origin_ms)
{
    double since_hours = ((double)time_ms - (double)origin_ms) / MS_PER_HOUR;
    double sum = series->trend_per_hour * since_hours;
    for (uint32_t at = 0; at < series->seasons_count; at++) {
        const struct mr_fit_season *season = &series->seasons[at];
        double turn = fmod((double)time_ms, season->period_ms) / season->period_ms;
        sum += season->amplitude * sin(two_pi * (turn + season->phase));
    }
    return sum;
}

static int64_t time_of(const struct mr_sample_overlay *overlay, uint64_t number,
                       const struct mr_sample_times *times, uint32_t row)
{
    const struct mr_sample_observed *observed = overlay->observed;
    if (times != NULL)
        return times->times_ms[row];
    double rate = observed->arrival.rate;
    double since = rate > 0 ? floor((double)number * 1000 / rate) : 0;
    return observed->begin_ms + (int64_t)fmin(since, TIME_MAX_MS);
}

static double round_to(double number, uint32_t decimals)
{
    static const double powers_of_ten[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    double scale = powers_of_ten[decimals];
    double scaled = number * scale;
    return fabs(scaled) < 0x1p53 ? nearbyint(scaled) / scale : number;
}

/* A number of that time, from what was drawn. */
static double number_at(const struct mr_sample_series *one, double drawn, int64_t time_ms,
                        int64_t origin_ms)
{
    double number = drawn + mr_sample_series_at(&one->series, time_ms, origin_ms);
    if (one->has_decimals)
        number = round_to(number, one->decimals);
    if (one->series.trend_per_hour == 0)
        return fmax(one->lowest, fmin(one->highest, number));
    return fmax(-MR_SAMPLE_OBSERVED_NUMBER_MAX, fmin(MR_SAMPLE_OBSERVED_NUMBER_MAX, number));
}

static struct mr_value time_cell(const struct mr_sample_overlay *overlay, int64_t time_ms,
                                 struct mr_arena *arena)
{
    char text[MR_CLOCK_TEXT_SIZE];
    if (!overlay->observed->time_is_text)
        return mr_value_double((double)time_ms);
    return mr_value_string(
        mr_arena_copy(arena, mr_slice_from(text, mr_clock_format_rfc3339(time_ms, text))));
}

static struct mr_value key_cell(const struct mr_sample_overlay *overlay, uint64_t seed,
                                uint64_t number, struct mr_arena *arena)
{
    const struct mr_sample_observed *observed = overlay->observed;
    struct mr_random random;
    mr_random_init(&random, seed ^ key_seed, number);
    uint64_t rank = mr_zipf_draw(&overlay->zipf, &random);
    if (observed->keys_origin == MR_SAMPLE_KEYS_NUMBERS)
        return mr_value_double((double)observed->keys_first + (double)(rank - 1));
    return mr_value_string(
        mr_slice_text(mr_arena_format(arena, "%s%" PRIu64, observed->keys_prefix, rank)));
}

void mr_sample_overlay_apply(const struct mr_sample_overlay *overlay, uint64_t seed, uint64_t first,
                             uint32_t rows_count, const struct mr_sample_times *times,
                             struct mr_arena *arena, struct mr_value *cells, uint32_t stride)
{
    const struct mr_sample_observed *observed = overlay->observed;
    int64_t origin_ms = times != NULL ? times->origin_ms : observed->begin_ms;
    for (uint32_t row = 0; row < rows_count && overlay->is_active; row++) {
        int64_t time_ms = time_of(overlay, first + row, times, row);
        for (uint32_t at = 0; at < observed->series_count; at++) {
            struct mr_value *cell = &cells[(size_t)overlay->series_fields[at] * stride + row];
            if (cell->kind == MR_KIND_DOUBLE)
                cell->number = number_at(&observed->series[at], cell->number, time_ms, origin_ms);
        }
        if (observed->time != NULL)
            cells[(size_t)overlay->time_field * stride + row] = time_cell(overlay, time_ms, arena);
        struct mr_value *key = observed->keys_origin == MR_SAMPLE_KEYS_DRAWN
                                   ? NULL
                                   : &cells[(size_t)overlay->key_field * stride + row];
        if (key != NULL && key->kind != MR_KIND_NULL)
            *key = key_cell(overlay, seed, first + row, arena);
    }
}
