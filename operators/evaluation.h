/* operators/evaluation.h — how well labelled anomalies are found: the rules of evaluate.detection,
 * over entries in the order of their event times.
 * Model: a *series* is what has one course: its records follow each other. An entry is a record of
 * it, labelled or not, flagged or not, or an alert, which flags a record of its own event time.
 *   episode      labelled records with the same id and kind. It is open from its first record until
 *                an unlabelled record comes later than `tolerance` behind its last one; until event
 *                time is more than `tolerance` and more than `close_after` behind its last one; or
 *                until there are more than MR_EVALUATION_EPISODES_MAX, which closes the one whose
 *                last record is the earliest.
 *   reach        of an open episode: from each of its records to `tolerance` later.
 *   detection    of an episode: a flagged record of it, or something flagged in its reach. The
 *                time to detect is from its first record to its first detection.
 *   false alarm  something flagged that is unlabelled and in no reach. Those that follow within
 *                `tolerance` of the last one are one false alarm.
 * Records are true and false positives and negatives by label and flag; an unlabelled one that is
 * flagged within a reach is tolerated: neither. An alert flags, of the records of its time that
 * nothing has flagged, a labelled one of the oldest episode, else an unlabelled one; where there
 * is none it is something flagged without a record.
 * What an entry or the time changes is told as a *delta*, which is added to the counts of the
 * group; an episode counts when it is closed.
 * Limits: as the enum says; more kinds than there is room for count as MR_EVALUATION_OTHERS.
 * Pure: no state, no clock. */
#ifndef MR_OPERATORS_EVALUATION_H
#define MR_OPERATORS_EVALUATION_H

#include "base/endian.h"
#include "base/slice.h"

#include <stdbool.h>

enum {
    MR_EVALUATION_EPISODES_MAX = 8, /* open, of a series */
    MR_EVALUATION_KINDS_MAX = 16,   /* of a group, with the one of all others */
    MR_EVALUATION_ID_MAX = 96,      /* bytes */
    MR_EVALUATION_KIND_MAX = 32,    /* bytes */
    MR_EVALUATION_EPISODE_BYTES = 8 * 6 + 2 + MR_EVALUATION_ID_MAX + MR_EVALUATION_KIND_MAX,
    MR_EVALUATION_SERIES_BYTES_MAX =
        8 * 3 + 1 + MR_EVALUATION_EPISODES_MAX * MR_EVALUATION_EPISODE_BYTES,
    MR_EVALUATION_KIND_BYTES = 8 * 6 + 1 + MR_EVALUATION_KIND_MAX,
    MR_EVALUATION_GROUP_BYTES_MAX = 8 * 15 + 2 + MR_EVALUATION_KINDS_MAX * MR_EVALUATION_KIND_BYTES
};

#define MR_EVALUATION_OTHERS "(others)"
#define MR_EVALUATION_NEVER INT64_MIN

struct mr_evaluation_rules {
    int64_t tolerance_ms;
    int64_t close_after_ms;
    bool by_alerts; /* records are flagged by alerts alone */
};

/* A short text; compared by bytes. */
struct mr_evaluation_text {
    uint8_t size;
    uint8_t bytes[MR_EVALUATION_ID_MAX];
};

enum mr_evaluation_entry_kind { MR_ENTRY_RECORD, MR_ENTRY_ALERT };

struct mr_evaluation_entry {
    enum mr_evaluation_entry_kind what;
    bool labelled; /* of a record */
    bool flagged;  /* of a record; false with by_alerts */
    int64_t time_ms;
    struct mr_slice kind; /* of a labelled record; size 0: it says none */
    struct mr_slice id;
};

struct mr_evaluation_episode {
    int64_t first_ms;
    int64_t last_ms;
    int64_t detected_ms; /* MR_EVALUATION_NEVER: not yet */
    uint64_t records;
    uint64_t flagged;  /* of them */
    uint64_t unproved; /* by_alerts: records at last_ms that nothing has flagged */
    struct mr_evaluation_text id;
    struct mr_evaluation_text kind; /* up to MR_EVALUATION_KIND_MAX */
};

struct mr_evaluation_series {
    int64_t alarm_ms;  /* of the last false alarm; MR_EVALUATION_NEVER */
    int64_t latest_ms; /* by_alerts: of the unlabelled records below; MR_EVALUATION_NEVER */
    uint64_t unproved; /* by_alerts: those at latest_ms that nothing has flagged */
    uint32_t count;
    struct mr_evaluation_episode episodes[MR_EVALUATION_EPISODES_MAX]; /* as they began */
};

/* Of all kinds, or of one. */
struct mr_evaluation_detections {
    uint64_t records; /* labelled ones */
    uint64_t flagged; /* of them */
    uint64_t episodes;
    uint64_t found;
    uint64_t delay_ms; /* sum of the times to detect */
    uint64_t delay_max_ms;
};

struct mr_evaluation_kind {
    struct mr_evaluation_text name;
    struct mr_evaluation_detections detections;
};

/* Counts of a group; zeroed: none. */
struct mr_evaluation_group {
    int64_t start_ms; /* of the window, or, running, of the first one */
    int64_t end_ms;   /* of the window that is open; MR_EVALUATION_NEVER: none is */
    int64_t first_ms; /* event times of the records */
    int64_t last_ms;
    uint64_t records;
    uint64_t plain_flagged; /* false positives */
    uint64_t plain;         /* true negatives */
    uint64_t tolerated;
    uint64_t false_alarms;
    struct mr_evaluation_detections all;
    uint32_t kinds_count;
    bool changed; /* since it was told last */
    struct mr_evaluation_kind kinds[MR_EVALUATION_KINDS_MAX];
};

/* What one call has changed. */
struct mr_evaluation_delta {
    int64_t records; /* 1 for a record */
    int64_t labelled;
    int64_t labelled_flagged;
    int64_t plain_flagged;
    int64_t plain;
    int64_t tolerated;
    int64_t false_alarms;
    int64_t time_ms;                /* of the record */
    struct mr_evaluation_text kind; /* of `labelled` and `labelled_flagged` */
    uint32_t closed_count;          /* what is behind needs no zeros */
    struct mr_evaluation_episode closed[MR_EVALUATION_EPISODES_MAX + 1];
};

void mr_evaluation_delta_init(struct mr_evaluation_delta *delta);
void mr_evaluation_series_init(struct mr_evaluation_series *series);
/* Whether the series has to be known for this entry: else it is a plain record that changes
 * nothing in a series of which nothing is known. */
bool mr_evaluation_needs_series(const struct mr_evaluation_rules *rules,
                                const struct mr_evaluation_entry *entry);
/* Entries come in the order of their times, of one time records first. Adds to delta. Pre: kind and
 * id are within their bounds. */
void mr_evaluation_take(const struct mr_evaluation_rules *rules,
                        struct mr_evaluation_series *series,
                        const struct mr_evaluation_entry *entry, struct mr_evaluation_delta *delta);
/* When mr_evaluation_pass has something to do; INT64_MAX: the series is empty, and may be
 * forgotten.
 */
int64_t mr_evaluation_due_ms(const struct mr_evaluation_rules *rules,
                             const struct mr_evaluation_series *series);
/* Event time has come to now_ms: all entries before have been taken. */
void mr_evaluation_pass(const struct mr_evaluation_rules *rules,
                        struct mr_evaluation_series *series, int64_t now_ms,
                        struct mr_evaluation_delta *delta);

void mr_evaluation_add(struct mr_evaluation_group *group, const struct mr_evaluation_delta *delta);

/* Shares of counts; NAN where the divisor is 0. */
double mr_evaluation_share(uint64_t part, uint64_t rest);
/* 2 hits / (2 hits + misses + false alarms). */
double mr_evaluation_f1(uint64_t hits, uint64_t misses, uint64_t alarms);

/* Stored bytes, version 1 (little-endian): the members in their order, numbers as 64 bits, counts
 * of lists and sizes of texts, and `changed`, as a byte in front of what they count. Output has
 * MR_EVALUATION_*_BYTES_MAX. False: these are none. */
size_t mr_evaluation_series_encode(const void *series, uint8_t *output);
bool mr_evaluation_series_decode(void *series, uint32_t version, struct mr_slice stored);
size_t mr_evaluation_group_encode(const void *group, uint8_t *output);
bool mr_evaluation_group_decode(void *group, uint32_t version, struct mr_slice stored);

enum { MR_EVALUATION_VERSION = 1 };

#endif
