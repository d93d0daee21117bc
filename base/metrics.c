/* base/metrics.c — metrics.
 * Design: one thread writes a series, so a counter is a relaxed load and store, not a locked
 * instruction; readers may see a histogram whose sum is one observation ahead of its buckets, which
 * no graph shows. Series with equal labels (one per writing thread) are summed in the text output.
 * Buckets: values below 16 have one each; from there every power of two is cut into 16 equal parts.
 * A bucket is read as its middle, so the relative error is at most half of 1/16. */
#include "base/metrics.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/number.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    PARTS = 16, /* buckets per power of two */
    PARTS_BITS = 4,
    /* Bucket limits in the Prometheus text: 2^k - 1 for k up to this, exact since values are whole.
     */
    TEXT_LIMITS = 40,
    SERIES_FIRST = 16
};
_Static_assert(MR_METRIC_HISTOGRAM_BUCKETS == PARTS * (64 - PARTS_BITS + 1), "all of uint64_t");

struct mr_metric {
    const struct mr_metric_spec *spec;
    uint32_t label_count;
    char *label_values[MR_METRIC_LABELS_MAX];
    _Atomic uint64_t count;
    _Atomic uint64_t sum; /* of a histogram */
    _Atomic double value; /* of a gauge */
    _Atomic uint64_t *buckets;
};

struct mr_metrics {
    pthread_mutex_t mutex;     /* guards the list; the series' numbers are atomic */
    struct mr_metric **series; /* sorted by name, then label values */
    size_t count;
    size_t capacity;
};

struct mr_metrics *mr_metrics_create(void)
{
    struct mr_metrics *metrics = mr_memory_new(1, sizeof *metrics);
    int result = pthread_mutex_init(&metrics->mutex, NULL);
    MR_ASSERT(result == 0);
    return metrics;
}

static void metric_destroy(struct mr_metric *metric)
{
    for (uint32_t i = 0; i < metric->label_count; i++)
        mr_memory_free(metric->label_values[i]);
    mr_memory_free(metric->buckets);
    mr_memory_free(metric);
}

void mr_metrics_destroy(struct mr_metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < metrics->count; i++)
        metric_destroy(metrics->series[i]);
    mr_memory_free(metrics->series);
    pthread_mutex_destroy(&metrics->mutex);
    mr_memory_free(metrics);
}

static int compare(const struct mr_metric *left, const struct mr_metric *right)
{
    int order = strcmp(left->spec->name, right->spec->name);
    MR_ASSERT(order != 0 || left->label_count == right->label_count);
    for (uint32_t i = 0; order == 0 && i < left->label_count; i++)
        order = strcmp(left->label_values[i], right->label_values[i]);
    return order;
}

/* The place behind all series that are not greater. */
static size_t find_place(const struct mr_metrics *metrics, const struct mr_metric *metric)
{
    size_t low = 0;
    size_t high = metrics->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(metrics->series[middle], metric) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct mr_metric *mr_metrics_series(struct mr_metrics *metrics, const struct mr_metric_spec *spec,
                                    const char *const *label_values)
{
    struct mr_metric *metric = mr_memory_new(1, sizeof *metric);
    metric->spec = spec;
    while (spec->labels != NULL && spec->labels[metric->label_count] != NULL) {
        MR_ASSERT(metric->label_count < MR_METRIC_LABELS_MAX);
        metric->label_values[metric->label_count] =
            mr_memory_copy_text(label_values[metric->label_count]);
        metric->label_count++;
    }
    if (spec->kind == MR_METRIC_HISTOGRAM)
        metric->buckets = mr_memory_new(MR_METRIC_HISTOGRAM_BUCKETS, sizeof metric->buckets[0]);
    pthread_mutex_lock(&metrics->mutex);
    if (metrics->count == metrics->capacity) {
        metrics->capacity = metrics->capacity == 0 ? SERIES_FIRST : metrics->capacity * 2;
        metrics->series =
            mr_memory_resize(metrics->series, metrics->capacity * sizeof metrics->series[0]);
    }
    size_t place = find_place(metrics, metric);
    memmove(metrics->series + place + 1, metrics->series + place,
            (metrics->count - place) * sizeof metrics->series[0]);
    metrics->series[place] = metric;
    metrics->count++;
    pthread_mutex_unlock(&metrics->mutex);
    return metric;
}

void mr_metrics_remove(struct mr_metrics *metrics, struct mr_metric *metric)
{
    if (metric == NULL)
        return;
    pthread_mutex_lock(&metrics->mutex);
    size_t place = find_place(metrics, metric);
    while (place > 0 && metrics->series[place - 1] != metric)
        place--;
    MR_ASSERT(place > 0);
    memmove(metrics->series + place - 1, metrics->series + place,
            (metrics->count - place) * sizeof metrics->series[0]);
    metrics->count--;
    pthread_mutex_unlock(&metrics->mutex);
    metric_destroy(metric);
}

static void increase(_Atomic uint64_t *number, uint64_t amount)
{
    uint64_t old = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, old + amount, memory_order_relaxed);
}

void mr_metric_add(struct mr_metric *metric, uint64_t amount)
{
    MR_ASSERT(metric->spec->kind == MR_METRIC_COUNTER);
    increase(&metric->count, amount);
}

void mr_metric_set(struct mr_metric *metric, double value)
{
    MR_ASSERT(metric->spec->kind == MR_METRIC_GAUGE);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

static uint32_t bucket_of(uint64_t value)
{
    if (value < PARTS)
        return (uint32_t)value;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - PARTS_BITS;
    return shift * PARTS + (uint32_t)(value >> shift);
}

/* The middle of a bucket's whole numbers. */
static double bucket_value(uint32_t bucket)
{
    if (bucket < 2 * PARTS)
        return bucket;
    uint32_t shift = bucket / PARTS - 1;
    double width = ldexp(1.0, (int)shift);
    return (double)(PARTS + bucket % PARTS) * width + (width - 1.0) / 2.0;
}

void mr_metric_observe(struct mr_metric *metric, uint64_t value)
{
    MR_ASSERT(metric->spec->kind == MR_METRIC_HISTOGRAM);
    increase(&metric->buckets[bucket_of(value)], 1);
    increase(&metric->sum, value);
    increase(&metric->count, 1);
}

uint64_t mr_metric_count(const struct mr_metric *metric)
{
    return atomic_load_explicit(&metric->count, memory_order_relaxed);
}

double mr_metric_value(const struct mr_metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

static void add_buckets(const struct mr_metric *metric, uint64_t *counts)
{
    for (uint32_t i = 0; i < MR_METRIC_HISTOGRAM_BUCKETS; i++)
        counts[i] += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
}

static double quantile_of(const uint64_t *counts, double quantile)
{
    MR_ASSERT(quantile >= 0.0 && quantile <= 1.0);
    uint64_t total = 0;
    for (uint32_t i = 0; i < MR_METRIC_HISTOGRAM_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return 0.0;
    double rank = fmax(1.0, ceil(quantile * (double)total));
    uint64_t seen = counts[0];
    uint32_t bucket = 0;
    while ((double)seen < rank) {
        bucket++;
        MR_ASSERT(bucket < MR_METRIC_HISTOGRAM_BUCKETS); /* a rank is at most the count */
        seen += counts[bucket];
    }
    return bucket_value(bucket);
}

double mr_metric_quantile(const struct mr_metric *metric, double quantile)
{
    MR_ASSERT(metric->spec->kind == MR_METRIC_HISTOGRAM);
    uint64_t counts[MR_METRIC_HISTOGRAM_BUCKETS] = {0};
    add_buckets(metric, counts);
    return quantile_of(counts, quantile);
}

double mr_metrics_quantile(struct mr_metrics *metrics, const struct mr_metric_spec *spec,
                           double quantile)
{
    MR_ASSERT(spec->kind == MR_METRIC_HISTOGRAM);
    uint64_t counts[MR_METRIC_HISTOGRAM_BUCKETS] = {0};
    pthread_mutex_lock(&metrics->mutex);
    for (size_t i = 0; i < metrics->count; i++)
        if (metrics->series[i]->spec == spec)
            add_buckets(metrics->series[i], counts);
    pthread_mutex_unlock(&metrics->mutex);
    return quantile_of(counts, quantile);
}

void mr_metrics_visit(struct mr_metrics *metrics,
                      void (*visit)(void *argument, const struct mr_metric_view *view),
                      void *argument)
{
    pthread_mutex_lock(&metrics->mutex);
    for (size_t i = 0; i < metrics->count; i++) {
        struct mr_metric *metric = metrics->series[i];
        const char *values[MR_METRIC_LABELS_MAX + 1] = {0};
        for (uint32_t j = 0; j < metric->label_count; j++)
            values[j] = metric->label_values[j];
        struct mr_metric_view view = {
            .spec = metric->spec, .label_values = values, .metric = metric};
        visit(argument, &view);
    }
    pthread_mutex_unlock(&metrics->mutex);
}

/* Text that only grows: the first failure sticks, so that callers check once. */
struct text {
    struct mr_buffer *buffer;
    enum mr_status status;
};

static void put(struct text *text, const char *bytes)
{
    if (text->status == MR_OK)
        text->status = mr_buffer_append_text(text->buffer, bytes);
}

static void put_escaped(struct text *text, const char *bytes, bool quotes)
{
    for (; *bytes != '\0'; bytes++) {
        char one[2] = {*bytes, '\0'};
        if (*bytes == '\n')
            put(text, "\\n");
        else if (*bytes == '\\')
            put(text, "\\\\");
        else if (*bytes == '"' && quotes)
            put(text, "\\\"");
        else
            put(text, one);
    }
}

static void put_double(struct text *text, double value)
{
    char digits[MR_NUMBER_TEXT_SIZE];
    if (isnan(value)) {
        put(text, "NaN");
    } else if (isinf(value)) {
        put(text, value > 0 ? "+Inf" : "-Inf");
    } else if (text->status == MR_OK) {
        size_t size = mr_number_format_double(value, digits);
        text->status = mr_buffer_append(text->buffer, digits, size);
    }
}

static void put_count(struct text *text, uint64_t value)
{
    if (text->status == MR_OK)
        text->status = mr_buffer_append_format(text->buffer, "%llu", (unsigned long long)value);
}

/* name{labels,le="limit"} and a blank; limit may be NULL. */
static void put_name(struct text *text, const struct mr_metric *metric, const char *suffix,
                     const char *limit)
{
    put(text, metric->spec->name);
    put(text, suffix);
    const char *separator = "{";
    for (uint32_t i = 0; i < metric->label_count; i++) {
        put(text, separator);
        put(text, metric->spec->labels[i]);
        put(text, "=\"");
        put_escaped(text, metric->label_values[i], true);
        put(text, "\"");
        separator = ",";
    }
    if (limit != NULL) {
        put(text, separator);
        put(text, "le=\"");
        put(text, limit);
        put(text, "\"");
        separator = ",";
    }
    put(text, *separator == ',' ? "} " : " ");
}

/* A whole number in the text's unit; returns its size. */
static size_t number_text(const struct mr_metric_spec *spec, uint64_t value,
                          char text[MR_NUMBER_TEXT_SIZE])
{
    if (spec->text_divisor > 1)
        return mr_number_format_double((double)value / spec->text_divisor, text);
    return (size_t)snprintf(text, MR_NUMBER_TEXT_SIZE, "%llu", (unsigned long long)value);
}

/* group: series with equal labels. */
static void put_histogram(struct text *text, struct mr_metric *const *group, size_t group_count)
{
    uint64_t counts[MR_METRIC_HISTOGRAM_BUCKETS] = {0};
    uint64_t sum = 0;
    for (size_t i = 0; i < group_count; i++) {
        for (uint32_t j = 0; j < MR_METRIC_HISTOGRAM_BUCKETS; j++)
            counts[j] += atomic_load_explicit(&group[i]->buckets[j], memory_order_relaxed);
        sum += atomic_load_explicit(&group[i]->sum, memory_order_relaxed);
    }
    uint64_t total = 0;
    uint32_t bucket = 0;
    for (uint32_t power = 0; power <= TEXT_LIMITS; power++) {
        uint64_t limit = ((uint64_t)1 << power) - 1;
        for (; bucket <= bucket_of(limit); bucket++)
            total += counts[bucket];
        char limit_text[MR_NUMBER_TEXT_SIZE + 1];
        limit_text[number_text(group[0]->spec, limit, limit_text)] = 0;
        put_name(text, group[0], "_bucket", limit_text);
        put_count(text, total);
        put(text, "\n");
    }
    for (; bucket < MR_METRIC_HISTOGRAM_BUCKETS; bucket++)
        total += counts[bucket];
    put_name(text, group[0], "_bucket", "+Inf");
    put_count(text, total);
    put(text, "\n");
    char sum_text[MR_NUMBER_TEXT_SIZE + 1];
    sum_text[number_text(group[0]->spec, sum, sum_text)] = 0;
    put_name(text, group[0], "_sum", NULL);
    put(text, sum_text);
    put(text, "\n");
    put_name(text, group[0], "_count", NULL);
    put_count(text, total);
    put(text, "\n");
}

static void put_group(struct text *text, struct mr_metric *const *group, size_t group_count)
{
    enum mr_metric_kind kind = group[0]->spec->kind;
    if (kind == MR_METRIC_HISTOGRAM) {
        put_histogram(text, group, group_count);
        return;
    }
    put_name(text, group[0], "", NULL);
    uint64_t count = 0;
    double value = 0.0;
    for (size_t i = 0; i < group_count; i++) {
        count += mr_metric_count(group[i]);
        value += mr_metric_value(group[i]);
    }
    if (kind == MR_METRIC_COUNTER)
        put_count(text, count);
    else
        put_double(text,
                   group[0]->spec->text_divisor > 1 ? value / group[0]->spec->text_divisor : value);
    put(text, "\n");
}

static void put_head(struct text *text, const struct mr_metric_spec *spec)
{
    static const char *const kinds[] = {[MR_METRIC_COUNTER] = " counter\n",
                                        [MR_METRIC_GAUGE] = " gauge\n",
                                        [MR_METRIC_HISTOGRAM] = " histogram\n"};
    put(text, "# HELP ");
    put(text, spec->name);
    put(text, " ");
    put_escaped(text, spec->help, false);
    put(text, "\n# TYPE ");
    put(text, spec->name);
    put(text, kinds[spec->kind]);
}

enum mr_status mr_metrics_format_prometheus(struct mr_metrics *metrics, struct mr_buffer *output)
{
    struct text text = {.buffer = output, .status = MR_OK};
    pthread_mutex_lock(&metrics->mutex);
    size_t first = 0;
    while (first < metrics->count && text.status == MR_OK) {
        struct mr_metric *const *group = metrics->series + first;
        size_t count = 1;
        while (first + count < metrics->count && compare(group[0], group[count]) == 0)
            count++;
        if (first == 0 || strcmp(group[-1]->spec->name, group[0]->spec->name) != 0)
            put_head(&text, group[0]->spec);
        put_group(&text, group, count);
        first += count;
    }
    pthread_mutex_unlock(&metrics->mutex);
    return text.status;
}
