/* topology/window_option.h — the option `window` (DESIGN 2.1 rule 11): one object, the same for all
 * types that have windows.
 * Model: {tumbling: 10s, offset: 0s, zone: UTC} | {hopping: 10s, every: 2s} | {sliding: 10s} |
 * {session: 30s} | {count: 100, every: 10}; exactly one kind. A zone's table is found when options
 * are bound, by the catalogue's function (struct mr_zone_source): nothing here reads files. */
#ifndef MR_TOPOLOGY_WINDOW_OPTION_H
#define MR_TOPOLOGY_WINDOW_OPTION_H

#include "base/options.h"

enum mr_window_kind {
    MR_WINDOW_TUMBLING, /* one behind the other */
    MR_WINDOW_HOPPING,  /* overlapping, a new one begins every `every` */
    MR_WINDOW_SLIDING,  /* one per record, ending with it */
    MR_WINDOW_SESSION,  /* records less than a pause apart */
    MR_WINDOW_COUNT     /* the last n records, every m of them */
};

enum {
    MR_WINDOW_PANES_MAX = 8192, /* greatest common divisors of length and step in a window */
    MR_WINDOW_PARTS_MAX = 160   /* the same of a window of records */
};

/* Windows in a zone are whole days of this length on its clock, or parts of one. */
#define MR_WINDOW_DAY_MS INT64_C(86400000)

struct mr_window {
    enum mr_window_kind kind;
    int64_t size_ms;   /* TUMBLING, HOPPING, SLIDING: length; SESSION: the pause that ends it */
    int64_t every_ms;  /* HOPPING: step; TUMBLING: the length */
    int64_t offset_ms; /* TUMBLING, HOPPING: 0 <= offset < every: starts are offset + k * every */
    int64_t pane_ms;   /* TUMBLING, HOPPING: greatest common divisor of length and step */
    uint32_t count;    /* COUNT: records in a window */
    uint32_t every_count;
    const char *zone_name;      /* TUMBLING, HOPPING: of the tz database; NULL: UTC */
    const struct mr_zone *zone; /* its table, when options are bound; else NULL */
};

/* Fields of the object, for a type's table of options. */
extern const struct mr_option_spec mr_window_options[];

/* The window of a parsed option; all zero where it has none. Pre: mr_window_check was fine. */
void mr_window_read(const struct mr_options *options, struct mr_window *window);
/* One kind, and what belongs to it. MR_INVALID with a sentence. */
enum mr_status mr_window_check(const struct mr_options *options,
                               struct mr_error *error) MR_NODISCARD;

#endif
