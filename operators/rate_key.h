/* operators/rate_key.h — what detect.rate keeps of a key: the counts of its open windows, and what
 * is known of those that are closed. Internal to detect_rate.c.
 * Judging: the counts are taken as negative binomial (operators/count_tail.h) with the mean m of
 * the n windows learned (half a record is added to their sum, as by Jeffreys' prior) and the
 * variance max(their variance, m) (1 + 1 / n): never less than a Poisson process has, and more
 * while few windows are known. With decay n is the number of windows with equal weights that know
 * as much.
 * Control: a key that only control records have named has no window yet; it is forgotten when it
 * has none for as long as others.
 *
 * Stored, version 1 (little-endian), due in the table:
 *   0  uint8  flags: 1 partial, 2 frozen, 4 muted, 8 only named by control records
 *   1  int64 next window        9  uint32 empty windows in a row
 *   13 uint64 windows learned   21 double weight  29 double squared weights  37 double mean
 *   45 double squares           53 uint8 entries
 *   54 entries, ascending: int64 window, uint64 records
 *   frozen or muted: until when (operators/control_hold.h) */
#ifndef MR_OPERATORS_RATE_KEY_H
#define MR_OPERATORS_RATE_KEY_H

#include "operators/control_hold.h"
#include "operators/moments.h"
#include "operators/operator.h"

enum { MR_RATE_VERSION = 1, MR_RATE_ENTRIES_MAX = 16 };
enum mr_rate_direction { MR_RATE_BOTH, MR_RATE_MORE, MR_RATE_FEWER };

struct mr_rate_entry {
    int64_t window;
    uint64_t count;
};

struct mr_rate_key {
    int64_t next; /* first window that is not closed; of a named key: with whose end it goes */
    uint64_t learned;
    struct mr_decayed_moments moments;
    struct mr_control_hold hold;
    uint32_t empty;
    uint32_t entries_count;
    bool partial;  /* no window of the key was closed yet */
    bool is_named; /* by control records; no record of it came */
    struct mr_rate_entry entries[MR_RATE_ENTRIES_MAX];
};

/* A closed window. */
struct mr_rate_result {
    int64_t window;
    uint64_t count;
    uint64_t learned; /* windows that it was compared with */
    double expected;
    double sd;
    double score;
    double p_value;
    bool is_armed;
    bool is_muted;
};

extern const char mr_rate_table[];
enum mr_status mr_rate_table_open(const struct mr_operator_open *open, struct mr_table **table,
                                  struct mr_error *error) MR_NODISCARD;
void mr_rate_estimate(const struct mr_options *options, struct mr_state_estimate *estimate);
/* As describe_state. */
enum mr_status mr_rate_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                struct mr_state_description *description,
                                struct mr_error *error) MR_NODISCARD;

/* Count a record of the window; false: there is no room for one more window. */
bool mr_rate_key_count(struct mr_rate_key *key, int64_t window);
/* Take the count of the key's next window, 0 or more, off its entries. */
uint64_t mr_rate_key_take(struct mr_rate_key *key);
/* Forget all but what is counted, of which the first window is a partial one. Pre: there is one. */
void mr_rate_key_restart(struct mr_rate_key *key);
/* Fill *result from its count. */
void mr_rate_key_judge(const struct mr_rate_key *key, uint64_t warmup,
                       enum mr_rate_direction direction, struct mr_rate_result *result);

#endif
