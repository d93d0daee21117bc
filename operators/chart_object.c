/* operators/chart_object.c — see chart_object.h. */
#include "operators/chart_object.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/limits.h"

const char mr_chart_table[] = "chart";

enum { POINT_BYTES = 4 * 8 };

static uint8_t *put_double(uint8_t *output, double value)
{
    mr_put_double_le(output, value);
    return output + 8;
}

static double read_double(struct mr_reader *reader)
{
    return mr_get_double_le(mr_read_bytes(reader, 8));
}

static void sample_put(uint8_t output[MR_CHART_SAMPLE_BYTES], const struct mr_chart_sample *sample)
{
    mr_put_u64le(output, sample->count);
    mr_put_double_le(output + 8, sample->mean);
    mr_put_double_le(output + 16, sample->squares);
    mr_put_double_le(output + 24, sample->minimum);
    mr_put_double_le(output + 32, sample->maximum);
    mr_put_u64le(output + 40, (uint64_t)sample->first_ms);
    mr_put_u64le(output + 48, (uint64_t)sample->last_ms);
}

static struct mr_chart_sample sample_get(const uint8_t stored[MR_CHART_SAMPLE_BYTES])
{
    return (struct mr_chart_sample){
        .count = mr_get_u64le(stored),
        .mean = mr_get_double_le(stored + 8),
        .squares = mr_get_double_le(stored + 16),
        .minimum = mr_get_double_le(stored + 24),
        .maximum = mr_get_double_le(stored + 32),
        .first_ms = (int64_t)mr_get_u64le(stored + 40),
        .last_ms = (int64_t)mr_get_u64le(stored + 48),
    };
}

void mr_chart_slot_put(uint8_t *slot, uint32_t index, const struct mr_chart_measure *measure)
{
    uint8_t *output = slot + (size_t)index * POINT_BYTES;
    output = put_double(output, measure->location);
    output = put_double(output, measure->weight);
    output = put_double(output, measure->sigma);
    put_double(output, measure->spread);
}

struct mr_chart_measure mr_chart_slot_get(const uint8_t *slot, uint32_t index)
{
    const uint8_t *stored = slot + (size_t)index * POINT_BYTES;
    return (struct mr_chart_measure){
        .location = mr_get_double_le(stored),
        .weight = mr_get_double_le(stored + 8),
        .sigma = mr_get_double_le(stored + 16),
        .spread = mr_get_double_le(stored + 24),
    };
}

uint32_t mr_chart_point_bytes(const struct mr_chart_counts_of *numbers)
{
    return numbers->kept > 0 ? numbers->kept * 8 : POINT_BYTES;
}

uint32_t mr_chart_slot_points(const struct mr_chart_counts_of *numbers)
{
    uint32_t points = MR_LIMIT_STATE_SLOT_BYTES / mr_chart_point_bytes(numbers);
    MR_ASSERT(points > 0);
    return points < MR_CHART_SLOT_POINTS ? points : MR_CHART_SLOT_POINTS;
}

void mr_chart_slot_put_numbers(uint8_t *slot, uint32_t index, uint32_t count, const double *numbers)
{
    uint8_t *output = slot + (size_t)index * count * 8;
    for (uint32_t number = 0; number < count; number++)
        output = put_double(output, numbers[number]);
}

void mr_chart_slot_get_numbers(const uint8_t *slot, uint32_t index, uint32_t count, double *numbers)
{
    const uint8_t *stored = slot + (size_t)index * count * 8;
    for (uint32_t number = 0; number < count; number++)
        numbers[number] = mr_get_double_le(stored + 8 * (size_t)number);
}

/* Those of sample and baseline, where these are. */
static uint8_t *put_numbers(const struct mr_chart_object *chart, unsigned flags, uint8_t *end)
{
    mr_put_u16le(end, chart->sample_numbers);
    mr_put_u16le(end + 2, chart->baseline_numbers);
    end += MR_CHART_NUMBERS_HEAD_BYTES;
    const double *numbers = chart->numbers;
    for (uint32_t index = 0; index < chart->sample_numbers; index++, numbers++)
        if ((flags & MR_CHART_HAS_SAMPLE) != 0)
            end = put_double(end, *numbers);
    for (uint32_t index = 0; index < chart->baseline_numbers; index++, numbers++)
        if ((flags & MR_CHART_HAS_BASELINE) != 0)
            end = put_double(end, *numbers);
    return end;
}

static size_t chart_encode(const void *object, uint8_t *output)
{
    const struct mr_chart_object *chart = object;
    uint8_t *end = output + 9;
    unsigned flags = chart->flags & MR_CHART_FLAGS_KEPT;
    flags |= chart->history.count > 0 ? MR_CHART_HAS_HISTORY : 0;
    flags |= chart->sample.count > 0 ? MR_CHART_HAS_SAMPLE : 0;
    flags |= chart->group_size > 0 ? MR_CHART_HAS_GROUP : 0;
    flags |= chart->sample_numbers + chart->baseline_numbers > 0 ? MR_CHART_HAS_NUMBERS : 0;
    output[0] = (uint8_t)flags;
    mr_put_u32le(output + 1, chart->kept);
    mr_put_u32le(output + 5, chart->excluded);
    if ((flags & MR_CHART_HAS_BASELINE) != 0) {
        end = put_double(end, chart->baseline.center);
        end = put_double(end, chart->baseline.sigma);
        end = put_double(end, chart->baseline.weight);
        end = put_double(end, chart->baseline.sigmas_count);
    }
    if ((flags & MR_CHART_HAS_HISTORY) != 0) {
        *end++ = chart->history.count;
        memcpy(end, chart->history.marks, chart->history.count);
        end = put_double(end + chart->history.count, chart->history.last);
    }
    if ((flags & MR_CHART_HAS_PREVIOUS) != 0)
        end = put_double(end, chart->previous);
    if ((flags & MR_CHART_HAS_SAMPLE) != 0) {
        sample_put(end, &chart->sample);
        end += MR_CHART_SAMPLE_BYTES;
    }
    if ((flags & MR_CHART_HAS_GROUP) != 0) {
        *end++ = chart->group_size;
        memcpy(end, chart->group, chart->group_size);
        end += chart->group_size;
    }
    for (int index = 0; (flags & MR_CHART_HAS_STATISTICS) != 0 && index < MR_CHART_STATISTICS;
         index++)
        end = put_double(end, chart->statistics[index]);
    if ((flags & MR_CHART_HAS_NUMBERS) != 0)
        end = put_numbers(chart, flags, end);
    return (size_t)(end - output);
}

static bool read_history(struct mr_reader *reader, struct mr_run_history *history)
{
    history->count = mr_read_u8(reader);
    if (history->count == 0 || history->count > MR_RULE_POINTS_MAX)
        return false;
    const uint8_t *marks = mr_read_bytes(reader, history->count);
    if (reader->bad) /* what is handed out then is short */
        return false;
    memcpy(history->marks, marks, history->count);
    history->last = read_double(reader);
    return true;
}

static bool read_sample(struct mr_reader *reader, struct mr_chart_sample *sample)
{
    const uint8_t *stored = mr_read_bytes(reader, MR_CHART_SAMPLE_BYTES);
    if (!reader->bad)
        *sample = sample_get(stored);
    return !reader->bad;
}

static bool read_group(struct mr_reader *reader, struct mr_chart_object *chart)
{
    chart->group_size = mr_read_u8(reader);
    if (chart->group_size == 0 || chart->group_size > MR_CHART_GROUP_BYTES)
        return false;
    const uint8_t *text = mr_read_bytes(reader, chart->group_size);
    if (!reader->bad)
        memcpy(chart->group, text, chart->group_size);
    return !reader->bad;
}

static bool read_numbers(struct mr_reader *reader, unsigned flags, struct mr_chart_object *chart)
{
    chart->sample_numbers = mr_read_u16(reader);
    chart->baseline_numbers = mr_read_u16(reader);
    if (chart->sample_numbers + chart->baseline_numbers > MR_CHART_NUMBERS_MAX)
        return false;
    double *numbers = chart->numbers;
    for (uint32_t index = 0; index < chart->sample_numbers; index++, numbers++)
        if ((flags & MR_CHART_HAS_SAMPLE) != 0)
            *numbers = read_double(reader);
    for (uint32_t index = 0; index < chart->baseline_numbers; index++, numbers++)
        if ((flags & MR_CHART_HAS_BASELINE) != 0)
            *numbers = read_double(reader);
    return !reader->bad;
}

static bool chart_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_chart_object *chart = object;
    struct mr_reader reader = mr_reader_from(stored);
    if (version != MR_CHART_VERSION)
        return false;
    uint8_t flags = mr_read_u8(&reader);
    chart->flags = flags & MR_CHART_FLAGS_KEPT;
    chart->kept = mr_read_u32(&reader);
    chart->excluded = mr_read_u32(&reader);
    if ((flags & ~MR_CHART_FLAGS_ALL) != 0)
        return false;
    if ((flags & MR_CHART_HAS_BASELINE) != 0) {
        chart->baseline.center = read_double(&reader);
        chart->baseline.sigma = read_double(&reader);
        chart->baseline.weight = read_double(&reader);
        chart->baseline.sigmas_count = read_double(&reader);
    }
    if ((flags & MR_CHART_HAS_HISTORY) != 0 && !read_history(&reader, &chart->history))
        return false;
    if ((flags & MR_CHART_HAS_PREVIOUS) != 0)
        chart->previous = read_double(&reader);
    if ((flags & MR_CHART_HAS_SAMPLE) != 0 && !read_sample(&reader, &chart->sample))
        return false;
    if ((flags & MR_CHART_HAS_GROUP) != 0 && !read_group(&reader, chart))
        return false;
    for (int index = 0; (flags & MR_CHART_HAS_STATISTICS) != 0 && index < MR_CHART_STATISTICS;
         index++)
        chart->statistics[index] = read_double(&reader);
    if ((flags & MR_CHART_HAS_NUMBERS) != 0 && !read_numbers(&reader, flags, chart))
        return false;
    return !reader.bad && reader.cursor == reader.end;
}

const struct mr_model_type mr_chart_model = {
    .table = mr_chart_table,
    .version = MR_CHART_VERSION,
    .object_size = sizeof(struct mr_chart_object),
    .encoded_size_max = MR_CHART_BYTES_MAX,
    .encode = chart_encode,
    .decode = chart_decode,
};

size_t mr_chart_object_encode(const void *object, uint8_t *output)
{
    return mr_stage_encode(&mr_chart_model, MR_STAGE_WHOLE, object, output);
}

bool mr_chart_object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    return mr_stage_decode(&mr_chart_model, MR_STAGE_WHOLE, object, version, stored);
}

size_t mr_chart_window_encode(const void *object, uint8_t *output)
{
    const struct mr_chart_window *window = object;
    uint8_t *end = output + MR_CHART_SAMPLE_BYTES;
    sample_put(output, &window->sample);
    for (uint32_t index = 0; index < window->numbers_count; index++)
        end = put_double(end, window->numbers[index]);
    return (size_t)(end - output);
}

bool mr_chart_window_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_chart_window *window = object;
    if (version != MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION) ||
        stored.size < MR_CHART_SAMPLE_BYTES || (stored.size - MR_CHART_SAMPLE_BYTES) % 8 != 0 ||
        stored.size > MR_CHART_SAMPLE_BYTES + 8 * MR_CHART_NUMBERS_MAX)
        return false;
    const uint8_t *bytes = stored.data;
    window->sample = sample_get(bytes);
    window->numbers_count = (uint32_t)(stored.size - MR_CHART_SAMPLE_BYTES) / 8;
    for (uint32_t index = 0; index < window->numbers_count; index++)
        window->numbers[index] = mr_get_double_le(bytes + MR_CHART_SAMPLE_BYTES + 8 * index);
    return true;
}
