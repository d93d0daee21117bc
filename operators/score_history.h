/* operators/score_history.h — the last scores of several detectors, and how strange a new score is
 * beside those of its own detector.
 * Why: scores of different detectors have different units; what they have in common is how rarely
 * each of them is that high. So a score becomes p, the probability of one as high, and its
 * surprise -log10 p: 3 is one record in a thousand, whatever the detector.
 *   conformal  p = (1 + #{earlier >= score}) / (n + 1). Above all earlier scores p falls with the
 *              distance from the highest in units of its distance from the median, as 1 / (1 + d).
 *   tail       the same up to the level that the share `tail_share` of the earlier scores is above;
 *              beyond it a generalised Pareto distribution by probability-weighted moments of the m
 *              excesses, its index from 1 / (m + 1), what m numbers leave open, to 0.9. So the tail
 *              has no end, and a surprise never saturates.
 * Sources: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World (2005); Hosking and
 * Wallis, Parameter and quantile estimation for the generalized Pareto distribution, Technometrics
 * 29 (1987).
 *
 * State: the scores lie in slots of the key's object, whole records in a slot; the object in the
 * cache has each member's order of them (2 bytes a score), made anew when it was loaded.
 * Stored slot: slot_records records of members_count doubles, little-endian; record i of the ring
 * is in slot i / slot_records.
 * Limits: members x capacity <= MR_SCORE_HISTORY_SCORES_MAX. Scores are finite, within +-1e140.
 * Threads: the task's. */
#ifndef MR_OPERATORS_SCORE_HISTORY_H
#define MR_OPERATORS_SCORE_HISTORY_H

#include "state/state.h"

enum { MR_SCORE_HISTORY_SCORES_MAX = 8000 };

struct mr_score_shape {
    uint32_t members_count;
    uint32_t capacity;     /* records */
    uint32_t slot_records; /* records in a slot */
};

/* In the cache. What is stored of it is up to the caller: count and position must be. */
struct mr_score_history {
    uint32_t members_count;
    uint32_t capacity;
    uint32_t count;
    uint32_t position; /* the next record's place in the ring */
    uint32_t stale;    /* order is to be made from the ring */
    uint32_t reserved;
    uint16_t order[]; /* of each member capacity places in the ring, by score, ascending */
};

enum mr_score_calibration { MR_SCORE_TAIL, MR_SCORE_CONFORMAL };

struct mr_score_rule {
    enum mr_score_calibration calibration;
    double tail_share;  /* above 0, below 1 */
    double scale_floor; /* a scale below this counts as this; > 0 */
};

/* A score and its place in the ring. */
struct mr_score_placed {
    double score;
    uint32_t place;
};

/* Where the scores are, and memory for what is derived from them. */
struct mr_score_access {
    struct mr_table *table;
    void *entry; /* the table's object, as handed out */
    struct mr_score_history *history;
    uint32_t slot_records;
    struct mr_score_placed *scratch; /* capacity of them */
};

struct mr_score_shape mr_score_shape(uint32_t members_count, uint32_t capacity);

static inline size_t mr_score_history_bytes(const struct mr_score_shape *shape)
{
    size_t orders = (size_t)shape->members_count * shape->capacity * sizeof(uint16_t);
    return sizeof(struct mr_score_history) + (orders + 7) / 8 * 8;
}

static inline uint32_t mr_score_history_slot_bytes(const struct mr_score_shape *shape)
{
    return shape->slot_records * shape->members_count * 8;
}

static inline uint32_t mr_score_history_slots(const struct mr_score_shape *shape)
{
    return (shape->capacity + shape->slot_records - 1) / shape->slot_records;
}

/* Make the order of a history that was loaded; of any other it does nothing. Errors: of the state.
 */
enum mr_status mr_score_history_refresh(const struct mr_score_access *access,
                                        struct mr_error *error) MR_NODISCARD;
/* How strange `score` is beside the member's earlier ones: -log10 p, >= 0; 0 while there are none.
 * Pre: refreshed. */
enum mr_status mr_score_history_surprise(const struct mr_score_access *access,
                                         const struct mr_score_rule *rule, uint32_t member,
                                         double score, double *surprise,
                                         struct mr_error *error) MR_NODISCARD;
/* Take in a record's scores, members_count of them; of a full history the oldest leaves. Pre:
 * refreshed. */
enum mr_status mr_score_history_add(const struct mr_score_access *access, const double *scores,
                                    struct mr_error *error) MR_NODISCARD;

#endif
