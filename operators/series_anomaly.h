/* operators/series_anomaly.h — where the labelled anomalies of generated series are, and what they
 * do: functions of (seed, series, number of the record), so that any record can be asked for alone.
 * Model: of each kind of anomaly that is asked for (an entry), a series' records are cut into slots
 * of equal length; a slot has at most one episode, at a random place within it. The share of
 * records in episodes is as asked for on average. Three layers lie over each other:
 *   duplicate   a record comes `length` times more. Every slot has exactly one such episode, so
 *               that the number of a record without its copies (its content) is known anywhere;
 *   gap, reorder, stuck
 *               choose which content a record has: none, that of another record, or a held one. An
 *               episode that would touch one of an earlier entry is left out;
 *   spike, level_shift, drift, variance_change
 *               change values, and add to each other.
 * Limits: 16 entries; episodes of 100,000 records; a share of 0.25 per entry. */
#ifndef MR_OPERATORS_SERIES_ANOMALY_H
#define MR_OPERATORS_SERIES_ANOMALY_H

#include "base/options.h"

enum mr_series_anomaly_kind {
    MR_SERIES_SPIKE,
    MR_SERIES_LEVEL_SHIFT,
    MR_SERIES_DRIFT,
    MR_SERIES_VARIANCE_CHANGE,
    MR_SERIES_GAP,
    MR_SERIES_DUPLICATE,
    MR_SERIES_REORDER,
    MR_SERIES_STUCK
};
enum mr_series_direction { MR_SERIES_BOTH, MR_SERIES_UP, MR_SERIES_DOWN };
enum { MR_SERIES_ANOMALIES_MAX = 16, MR_SERIES_EPISODE_MAX = 100000 };

extern const char *const mr_series_anomaly_kinds[]; /* ended by NULL */
/* Of one entry of a generator's option `anomalies`. */
extern const struct mr_option_spec mr_series_anomaly_options[];

struct mr_series_anomaly {
    enum mr_series_anomaly_kind kind;
    enum mr_series_direction direction;
    double size;
    int64_t length; /* records of an episode */
    int64_t slot;   /* records of a slot */
    double chance;  /* that a slot has an episode */
    uint32_t
        fields; /* a bit per series field that it changes; of kinds that change values, and stuck */
};

struct mr_series_anomalies {
    uint64_t seed;
    struct mr_series_anomaly entries[MR_SERIES_ANOMALIES_MAX];
    uint32_t count;
    uint32_t duplicates; /* the entry of that kind; MR_SERIES_ANOMALIES_MAX: none */
};

/* The episode of a slot. Records first .. first + length - 1. */
struct mr_series_episode {
    int64_t slot; /* whose it is, plus 1; 0: not drawn yet */
    int64_t first;
    bool exists;
    bool down;
};

/* What a record of a series is. */
struct mr_series_record {
    bool missing;    /* it is not there at all */
    int64_t content; /* whose time, number and noise it has */
    int64_t held;    /* of held_fields: whose values it has while they are stuck */
    uint32_t held_fields;
    /* The label, if any: the entry and the number of its slot. -1: none. */
    int32_t entry;
    int64_t slot;
};

/* What its values are multiplied and moved by, of one series field. */
struct mr_series_change {
    double noise; /* times the noise */
    double shift; /* plus so many standard deviations */
};

/* The entry of an option set of mr_series_anomaly_options; without `fields`. */
struct mr_series_anomaly mr_series_anomaly_of(const struct mr_options *options);

/* Rules across the entries of the option; the sentence goes to error. */
enum mr_status mr_series_anomalies_check(const struct mr_option_value *entries,
                                         struct mr_error *error) MR_NODISCARD;

/* Record `number` >= 0 of a series. cache: `count` episodes, zeroed at first, of this series. */
void mr_series_record_at(const struct mr_series_anomalies *anomalies, uint64_t series,
                         int64_t number, struct mr_series_episode *cache,
                         struct mr_series_record *record);

/* What happens to a field's value of a content, and, where *entry is -1, the label that this makes.
 */
struct mr_series_change mr_series_change_at(const struct mr_series_anomalies *anomalies,
                                            uint64_t series, int64_t content, uint32_t field,
                                            struct mr_series_episode *cache,
                                            struct mr_series_record *record);

#endif
