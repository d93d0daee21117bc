/* cli/fit_learn.h — a model document made from rows: for `millrace fit`.
 * Model: rows are kept until all have come, because what varies with time is known only then. The
 * columns are those of `fields`, else the members of the top level that hold a text, a number or a
 * boolean in one of the rows, in the order in which they first come. Cells of CSV are texts; a
 * column is numbers or booleans when all its texts are. Of the event times comes the arrival
 * process (fit_arrival.h), of each column of numbers its trend and seasons (fit_series.h), of the
 * keys their skew (fit_keys.h). Then a copula (copula.h) learns all rows with the same weight,
 * numbers less their trend and seasons. sample_overlay.h undoes that when rows are drawn.
 * Trend and seasons are not looked for in the columns of the time and of the key, and in numbers of
 * which there are only two different ones.
 * Times: RFC 3339 text, or milliseconds since 1970.
 * Limits: MR_SAMPLE_FIELDS_MAX columns; rows that take MR_FIT_ROW_BYTES in memory: MR_LIMIT.
 * Memory: that, 24 bytes a row, a copula and mr_fit_series. Threads: one. */
#ifndef MR_CLI_FIT_LEARN_H
#define MR_CLI_FIT_LEARN_H

#include "operators/copula.h"
#include "operators/sample_observed.h"
#include "record/path.h"

enum { MR_FIT_ROW_BYTES = 1 << 30, MR_FIT_RESERVOIR_ROWS = 2000 };

struct mr_fit_column {
    struct mr_path path;
    const char *name;
    bool from_numbers; /* of CSV: its texts are numbers */
    bool from_booleans;
    bool has_number;
    uint64_t missing;
    uint8_t kind;                          /* of the copula */
    const struct mr_sample_series *series; /* NULL: it does not vary with time */
};

struct mr_fit_learner {
    struct mr_arena arena; /* of the learner */
    struct mr_arena rows;
    bool has_fields;
    bool is_csv;
    bool is_static;
    const struct mr_path *key;       /* NULL: none */
    const struct mr_path *timestamp; /* NULL: what _add is given */
    uint32_t columns_count;
    struct mr_fit_column columns[MR_SAMPLE_FIELDS_MAX];
    uint64_t rows_count;
    size_t room;                        /* rows that the arrays have room for */
    struct mr_value *values;            /* MAPs */
    int64_t *times_ms;                  /* INT64_MIN: none */
    struct mr_sample_observed observed; /* after _finish */
};

struct mr_fit_settings {
    const char *fields; /* paths separated by commas; NULL: told by the rows */
    const char *key;    /* a path; NULL: none */
    const char *timestamp;
    bool is_csv;
    bool is_static; /* values as they are over the whole time: neither trend nor season */
};

/* MR_INVALID: a path is wrong. To be closed in any case. */
enum mr_status mr_fit_learner_open(struct mr_fit_learner *learner,
                                   const struct mr_fit_settings *settings,
                                   struct mr_error *error) MR_NODISCARD;
void mr_fit_learner_close(struct mr_fit_learner *learner);

/* Where rows are made; they stay as long as the learner. */
struct mr_arena *mr_fit_learner_arena(struct mr_fit_learner *learner);
/* Keep a row, a MAP. time_ms: of the record, INT64_MIN: none. */
enum mr_status mr_fit_learner_add(struct mr_fit_learner *learner, struct mr_value row,
                                  int64_t time_ms, struct mr_error *error) MR_NODISCARD;
/* Append the model's document; once. MR_INVALID: no columns, too many, or no time or no key in any
 * row although one was named. MR_LIMIT: the output is full. */
enum mr_status mr_fit_learner_finish(struct mr_fit_learner *learner, const char *name,
                                     struct mr_buffer *output, struct mr_error *error) MR_NODISCARD;

#endif
