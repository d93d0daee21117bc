/* operators/heartbeat_key.h — what detect.heartbeat keeps of a key: when it was last heard of, how
 * long it may be silent, when it must be looked at again. Internal to detect_heartbeat.c.
 * Limit: `timeout`; or factor times the quantile of the key's last gaps, the ceil(quantile (n +
 * 1))-th smallest of n (conformal: a share 1 - quantile of gaps like these is longer). A gap above
 * the limit is learned as the limit, so that one outage does not hide the next and a slower rhythm
 * becomes normal by and by.
 * Control: a key that is muted is not told silent before its mute is over; a silence that lasts
 * longer is told then. A key that only control records have named has no record yet (count 0): it
 * is never silent, and forgotten as others are.
 *
 * Stored, version 1 (little-endian), due in the table:
 *   0  uint8  flags: 1 silent, 2 frozen, 4 muted   1 int64 time of the last record in ms (of an
 *   order, while there is none)   9 uint64 records
 *   17 uint64 id of the open alert   25 int64 limit in ms of the open alert
 *   33 uint32 capacity of the gaps  37 uint32 gaps   41 uint32 next position
 *   45 frozen or muted: until when (operators/control_hold.h)
 * Slots: the ring of gaps in ms (operators/value_ring.h). */
#ifndef MR_OPERATORS_HEARTBEAT_KEY_H
#define MR_OPERATORS_HEARTBEAT_KEY_H

#include "operators/control_hold.h"
#include "operators/operator.h"

enum { MR_HEARTBEAT_VERSION = 1, MR_HEARTBEAT_GAPS_MAX = 1000 };

struct mr_heartbeat_key {
    int64_t last_ms;
    uint64_t count; /* 0: only control records named it */
    uint64_t alert_id;
    int64_t alert_limit_ms;
    struct mr_control_hold hold;
    uint32_t capacity;
    uint32_t gaps_count;
    uint32_t position;
    bool silent;
    /* Not stored. */
    bool stale;     /* gaps are to be made from the ring */
    int64_t due_ms; /* as scheduled; INT64_MIN: not known */
    double gaps[];  /* capacity numbers, sorted */
};

/* All keys, and the options about them. */
struct mr_heartbeat_keys {
    struct mr_table *table;
    bool is_controlled;
    int64_t timeout_ms; /* 0: none */
    int64_t forget_after_ms;
    /* Of `learned`; capacity 0: without. */
    uint32_t capacity;
    uint32_t warmup;
    double quantile;
    double factor;
    int64_t minimum_ms;
};

/* NULL: without. */
const struct mr_options *mr_heartbeat_learned(const struct mr_options *options);
enum mr_status mr_heartbeat_keys_open(struct mr_heartbeat_keys *keys,
                                      const struct mr_operator_open *open,
                                      struct mr_error *error) MR_NODISCARD;
void mr_heartbeat_estimate(const struct mr_options *options, struct mr_state_estimate *estimate);
/* As describe_state. */
enum mr_status mr_heartbeat_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error) MR_NODISCARD;
extern const char mr_heartbeat_table[];

/* left + right, at most INT64_MAX. */
int64_t mr_heartbeat_sum(int64_t left, int64_t right);
/* later - earlier, at least 0, at most INT64_MAX. */
int64_t mr_heartbeat_span(int64_t earlier, int64_t later);

/* Of a new object: heard of, or named, at time_ms. It is to be settled. */
void mr_heartbeat_key_begin(const struct mr_heartbeat_keys *keys, struct mr_heartbeat_key *key,
                            int64_t time_ms, uint64_t count);
/* Make what is not stored, of an object that was loaded. Errors: MR_VERSION for one of another
 * `learned`; those of the table. */
enum mr_status mr_heartbeat_key_refresh(const struct mr_heartbeat_keys *keys,
                                        struct mr_heartbeat_key *key,
                                        struct mr_error *error) MR_NODISCARD;
/* How long the key may be silent; 0: that is not known yet. Pre: refreshed, as for all below. */
int64_t mr_heartbeat_key_limit(const struct mr_heartbeat_keys *keys,
                               const struct mr_heartbeat_key *key);
/* From when on a key silent since since_ms is to be told of, at the end of its mute or later;
 * INT64_MAX: never, since it is told, is not known, or is forgotten before. */
int64_t mr_heartbeat_key_silent_at(const struct mr_heartbeat_keys *keys,
                                   const struct mr_heartbeat_key *key, int64_t since_ms);
/* When it is forgotten. */
int64_t mr_heartbeat_key_end(const struct mr_heartbeat_keys *keys,
                             const struct mr_heartbeat_key *key);
enum mr_status mr_heartbeat_key_learn(const struct mr_heartbeat_keys *keys,
                                      struct mr_heartbeat_key *key, int64_t gap_ms,
                                      struct mr_error *error) MR_NODISCARD;
/* Set when the key must be looked at again: when it is silent, or is given up. */
void mr_heartbeat_key_settle(const struct mr_heartbeat_keys *keys, struct mr_heartbeat_key *key);

#endif
