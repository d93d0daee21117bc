/* base/metrics.h — counters, gauges and histograms, declared once in a table, written without
 * locks. Model: a metric is declared by a static `struct mr_metric_spec` (docs/METRICS.md is
 * generated from the registered ones); a series is one metric with label values, owned by one
 * thread that writes; readers on other threads see relaxed atomic values. Histograms are
 * log-linear: 16 buckets per power of two, so a quantile's relative error is at most 1/32. Threads:
 * create and remove take the registry's lock; add, set and observe take none. */
#ifndef MR_BASE_METRICS_H
#define MR_BASE_METRICS_H

#include "base/buffer.h"

enum mr_metric_kind { MR_METRIC_COUNTER, MR_METRIC_GAUGE, MR_METRIC_HISTOGRAM };

struct mr_metric_spec {
    const char
        *name; /* as Prometheus wants it, with its unit: millrace_operator_in_records_total */
    const char *help;
    const char *watch; /* for documents: which value or change is worth a look, and what to do */
    enum mr_metric_kind kind;
    const char *const *labels; /* ended by NULL: {"topology", "operator", NULL} */
    /* The text has gauges and histograms divided by this, since Prometheus counts in seconds where
     * we count in microseconds or milliseconds. 0: as they are. */
    uint32_t text_divisor;
};

enum { MR_METRIC_LABELS_MAX = 6, MR_METRIC_HISTOGRAM_BUCKETS = 976 };

struct mr_metrics; /* a registry */
struct mr_metric;  /* one series */

struct mr_metrics *mr_metrics_create(void);
void mr_metrics_destroy(struct mr_metrics *metrics);

/* Create a series. label_values: one text per label of spec, copied. Owner: the registry; the
 * pointer is valid until mr_metrics_remove or mr_metrics_destroy. */
struct mr_metric *mr_metrics_series(struct mr_metrics *metrics, const struct mr_metric_spec *spec,
                                    const char *const *label_values);
void mr_metrics_remove(struct mr_metrics *metrics, struct mr_metric *metric);

void mr_metric_add(struct mr_metric *metric, uint64_t amount); /* counter */
void mr_metric_set(struct mr_metric *metric, double value);    /* gauge */
void mr_metric_observe(struct mr_metric *metric,
                       uint64_t value);                   /* histogram; unit is in the name */
uint64_t mr_metric_count(const struct mr_metric *metric); /* counter, or a histogram's count */
double mr_metric_value(const struct mr_metric *metric);   /* gauge */
/* Quantile 0..1 of a histogram, in its unit; 0 when empty. */
double mr_metric_quantile(const struct mr_metric *metric, double quantile);
/* The same over all series of a metric together. Takes the registry's lock. */
double mr_metrics_quantile(struct mr_metrics *metrics, const struct mr_metric_spec *spec,
                           double quantile);

struct mr_metric_view {
    const struct mr_metric_spec *spec;
    const char *const *label_values;
    const struct mr_metric *metric;
};

/* Visit every series under the registry's lock, sorted by name and labels. */
void mr_metrics_visit(struct mr_metrics *metrics,
                      void (*visit)(void *argument, const struct mr_metric_view *view),
                      void *argument);
/* Prometheus text format 0.0.4. */
enum mr_status mr_metrics_format_prometheus(struct mr_metrics *metrics,
                                            struct mr_buffer *output) MR_NODISCARD;

#endif
