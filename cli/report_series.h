/* cli/report_series.h — the points of one key of a control chart, gathered from the chart's output
 * records for `millrace report spc`.
 * Model: records come in the order in which they were written. What is kept does not grow with
 * them: the points of phase 1 and the first one behind them, the last points, the last rules that
 * were broken, how often each was, and columns of the whole series, each of which stands for twice
 * as many points as before whenever they are used up.
 * A point with the number 1 begins the series anew: the chart was reset. A number that is not above
 * the one before comes from a record that was written twice, and is left out.
 * What no chart writes (numbers of points from 2^53 on, values beyond 1e306) is not taken.
 * Limits: the enums below; a series takes about 1 MiB. Threads: one. */
#ifndef MR_CLI_REPORT_SERIES_H
#define MR_CLI_REPORT_SERIES_H

#include "record/path.h"

#include <jansson.h>

enum {
    MR_SERIES_FIRST_MAX = 1025, /* as long as a phase 1 can be, and one */
    MR_SERIES_LAST_MAX = 1000,
    MR_SERIES_BREACHES_MAX = 200,
    MR_SERIES_COLUMNS_MAX = 480, /* even */
    MR_SERIES_TALLIES_MAX = 32,
    MR_SERIES_KEYS_MAX = 8, /* other keys that were seen */
    MR_SERIES_TEXT_BYTES = 64,
    MR_SERIES_RULE_POINTS_MAX = 16
};

/* What a record of the chart looks like, and whose points are wanted. */
struct mr_series_shape {
    const char *type;            /* "spc.xbar_r" */
    const char *as;              /* the object with the members; NULL: the record has them */
    const struct mr_path *paths; /* of the key's fields in the record */
    uint32_t paths_count;        /* 0: the chart has no key */
    const char *key;             /* as message keys are: a text, or a compact JSON array */
};

/* Not a number: null in the record. */
struct mr_series_lines {
    double value;
    double center;
    double lower;
    double upper;
};

struct mr_series_point {
    int64_t number;
    int64_t time_ms; /* INT64_MIN: not known */
    int64_t size;    /* records of the subgroup; 0: not said */
    struct mr_series_lines value;
    struct mr_series_lines spread;
    double high; /* of spc.cusum */
    double low;
    double threshold;
    double score;
    bool is_learning;
    bool is_muted;
    bool is_anomaly;
    bool is_critical;
    char label[MR_SERIES_TEXT_BYTES]; /* the subgroup; empty: none */
};

/* A rule that a point broke. */
struct mr_series_breach {
    int64_t number;
    int64_t time_ms;
    struct mr_series_lines lines;
    bool by_spread;
    uint32_t points_count;
    int64_t points[MR_SERIES_RULE_POINTS_MAX]; /* the oldest first */
    char rule[MR_SERIES_TEXT_BYTES];
    char label[MR_SERIES_TEXT_BYTES];
};

struct mr_series_column {
    int64_t first; /* number */
    int64_t last;
    double lowest; /* of value */
    double highest;
    struct mr_series_lines lines; /* of the last point that has some */
    uint64_t anomalies;
    uint64_t critical;
};

struct mr_series_tally {
    char rule[MR_SERIES_TEXT_BYTES];
    bool by_spread;
    uint64_t count;
};

struct mr_series {
    struct mr_series_shape shape;
    uint32_t last_wanted; /* at most MR_SERIES_LAST_MAX */
    uint64_t records;     /* of all keys */
    uint64_t others;      /* lines that are no points of the chart */
    uint64_t taken;       /* points of the key, also those left out */
    uint64_t repeated;
    uint64_t restarts;
    char keys[MR_SERIES_KEYS_MAX][MR_SERIES_TEXT_BYTES]; /* when none is the wanted one */
    uint32_t keys_count;
    /* Of the series since it began last. */
    uint64_t points;
    uint64_t learning;
    uint64_t starved;
    uint64_t anomalies;
    int64_t number; /* of the newest point; 0: none */
    int64_t first_number;
    int64_t first_ms;
    int64_t last_ms;
    struct mr_series_point *first;
    uint32_t first_count;
    struct mr_series_point *lasts; /* room for two times last_wanted */
    uint32_t lasts_count;
    struct mr_series_breach *breaches; /* room for two times MR_SERIES_BREACHES_MAX */
    uint32_t breaches_count;
    uint64_t breaches_total;
    struct mr_series_column *columns;
    uint32_t columns_count;
    uint64_t column_points; /* that a column stands for */
    uint64_t column_filled; /* of the last one */
    struct mr_series_tally tallies[MR_SERIES_TALLIES_MAX];
    uint32_t tallies_count;
};

/* last_wanted: how many of the last points to keep, 1 to MR_SERIES_LAST_MAX. shape is borrowed.
 * Owner: everything is in arena. */
void mr_series_init(struct mr_series *series, const struct mr_series_shape *shape,
                    uint32_t last_wanted, struct mr_arena *arena);
/* Take a record's JSON text. time_ms: of its message, INT64_MIN where there is none. */
void mr_series_add(struct mr_series *series, struct mr_slice text, int64_t time_ms);

/* The last points and breaches, at most as many as wanted. */
const struct mr_series_point *mr_series_last(const struct mr_series *series, uint32_t *count);
const struct mr_series_breach *mr_series_breaches(const struct mr_series *series, uint32_t *count);

#endif
