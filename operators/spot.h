/* operators/spot.h — streaming peaks over threshold: what detect.spot and detect.dspot share.
 * Source: Siffer, Fouque, Termier, Largouet: Anomaly detection in streams with extreme value
 * theory, KDD 2017.
 * Model: the first `init` numbers of a key give each watched side a level, beyond which the share
 * 1 - level of them lies; the last `excesses` distances beyond it a tail (operators/tail.h), and
 * that the threshold beyond which a number lies with probability `rate`. A number at or below the
 * threshold that lies beyond the level is an excess: the tail is fitted anew; other numbers are
 * counted. With a depth (dspot) the numbers are first taken relative to the mean of the last
 * `depth` learned ones. The lower side is the upper one of the negated numbers.
 * The score is the distance beyond the level in units of the threshold's, 0 at or below the level;
 * beyond the threshold it goes on in the same unit, or in the tail's scale where the threshold lies
 * closer to the level than that (as many records without an excess as make the level itself
 * rarer than `rate`). It has no upper end.
 * A side without any excess (the first numbers were all equal) has no tail: a number beyond its
 * level has been seen in none of n records, its probability is taken as 1 / (n + 1) and its score
 * as rate (n + 1).
 * As published, anomalies are left out (`learn: normal_only`): no anomaly makes others normal, but
 * a tail without its end is shorter at each fit, and over many records the threshold sinks until
 * several times `rate` is found. `always` keeps the rate; a number is then learned as twice the
 * threshold's distance from the level at most, so that a single huge one does not make the tail
 * heavy for as long as it is among the last excesses.
 * Invariants: no libm but fabs: the same bits on each machine. The state and its layout are in
 * spot.c. */
#ifndef MR_OPERATORS_SPOT_H
#define MR_OPERATORS_SPOT_H

#include "operators/detector.h"
#include "operators/tail.h"

enum {
    MR_SPOT_VERSION = 1,
    MR_SPOT_INIT_MAX = 20000,
    MR_SPOT_EXCESSES_MAX = 2000,
    MR_SPOT_DEPTH_MAX = 1000
};

enum mr_spot_tails { MR_SPOT_UPPER, MR_SPOT_LOWER, MR_SPOT_BOTH };

/* Members of the added object; those of a side are null where it is not watched or unknown. */
enum mr_spot_own {
    MR_SPOT_OWN_UPPER,
    MR_SPOT_OWN_LOWER,
    MR_SPOT_OWN_UPPER_LEVEL,
    MR_SPOT_OWN_LOWER_LEVEL,
    MR_SPOT_OWN_SHAPE,
    MR_SPOT_OWN_SCALE,
    MR_SPOT_OWN_EXCESSES,
    MR_SPOT_OWN_COUNT,
    MR_SPOT_OWN_MEAN /* of dspot */
};

/* The operators' own struct. */
struct mr_spot {
    struct mr_detector detector;
    enum mr_spot_tails tails;
    uint32_t init;
    uint32_t excesses;
    uint32_t depth; /* 0: detect.spot */
    double level;
    double rate;
    double mean;     /* that the last scored number was taken relative to */
    double *numbers; /* scratch: the most of init, excesses and depth */
    double *sorted;  /* scratch: init */
};

extern const struct mr_model_type mr_spot_model;
extern const char *const mr_spot_tails_names[];

/* Bind the shared options, take memory, open the table. depth: 0 without. */
enum mr_status mr_spot_open(struct mr_spot *spot, const struct mr_operator_open *open,
                            uint32_t depth, const struct mr_detector_type *type,
                            struct mr_error *error) MR_NODISCARD;
void mr_spot_close(void *self);
enum mr_status mr_spot_check(const struct mr_options *options, const char **option,
                             struct mr_error *error) MR_NODISCARD;
void mr_spot_estimate(const struct mr_options *options, struct mr_state_estimate *estimate);
void mr_spot_describe(const void *self, const struct mr_model_row *row,
                      struct mr_detector_finding *finding);
enum mr_status mr_spot_describe_state(const struct mr_state_object *object, struct mr_arena *arena,
                                      struct mr_state_description *description,
                                      struct mr_error *error);

/* Options of both; the table of operator dspot has its depth as well. */
#define MR_SPOT_OPTIONS                                                                            \
    MR_DETECTOR_OPTION_FIELD,                                                                      \
        MR_DETECTOR_OPTION_THRESHOLD(                                                              \
            "1.0",                                                                                 \
            "A record is an anomaly when its score is above this. 1 is where a number lies "       \
            "with probability `rate`; 2 is twice as far from the level."),                         \
        {.name = "rate",                                                                           \
         .type = MR_OPTION_SHARE,                                                                  \
         .default_text = "1e-4",                                                                   \
         .minimum = 1e-12,                                                                         \
         .maximum = 0.4,                                                                           \
         .help = "The share of normal records that may be anomalies by chance, on each side."},    \
        {.name = "tails",                                                                          \
         .type = MR_OPTION_CHOICE,                                                                 \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .default_text = "both",                                                                   \
         .choices = mr_spot_tails_names,                                                           \
         .help = "Which numbers are watched: large ones (upper), small ones (lower) or both."},    \
        {.name = "init",                                                                           \
         .type = MR_OPTION_INTEGER,                                                                \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .default_text = "1000",                                                                   \
         .minimum = 50,                                                                            \
         .maximum = MR_SPOT_INIT_MAX,                                                              \
         .help = "The key's first numbers, which give the level: their score is 0."},              \
        {.name = "level",                                                                          \
         .type = MR_OPTION_SHARE,                                                                  \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .default_text = "0.98",                                                                   \
         .minimum = 0.5,                                                                           \
         .maximum = 0.999,                                                                         \
         .help = "Share of those numbers below the level; what lies beyond it makes the tail."},   \
        {.name = "excesses",                                                                       \
         .type = MR_OPTION_INTEGER,                                                                \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .default_text = "200",                                                                    \
         .minimum = 10,                                                                            \
         .maximum = MR_SPOT_EXCESSES_MAX,                                                          \
         .help = "How many of the last numbers beyond the level each tail is fitted to."},         \
        MR_DETECTOR_OPTION_BANDS,                                                                  \
        {.name = "learn",                                                                          \
         .type = MR_OPTION_CHOICE,                                                                 \
         .default_text = "normal_only",                                                            \
         .choices = mr_detector_learns,                                                            \
         .help = "What becomes part of what is normal: those at or below the threshold "           \
                 "(normal_only, the published method), every record (always), or none after the "  \
                 "first ones (never)."},                                                           \
                                                                                                   \
        MR_DETECTOR_OPTION_ON_MISSING, MR_DETECTOR_OPTION_SUPPRESS, MR_DETECTOR_OPTION_ORDER

#define MR_SPOT_MEMBERS                                                                            \
    MR_DETECTOR_MEMBERS("Distance beyond the level over the threshold's; 0 at or below it."),      \
        {"upper", MR_TYPE_DOUBLE, "The threshold of large numbers."},                              \
        {"lower", MR_TYPE_DOUBLE, "The threshold of small numbers."},                              \
        {"upper_level", MR_TYPE_DOUBLE, "The level beyond which large numbers make the tail."},    \
        {"lower_level", MR_TYPE_DOUBLE, "The level beyond which small numbers make the tail."},    \
        {"shape", MR_TYPE_DOUBLE,                                                                  \
         "Shape of the tail that the number lies in: above 0 heavy, below 0 with an end."},        \
        {"scale", MR_TYPE_DOUBLE, "Its scale, in the field's unit."},                              \
        {"excesses", MR_TYPE_INT, "Numbers beyond the levels so far."},                            \
    {                                                                                              \
        "count", MR_TYPE_INT, "Numbers that were learned."                                         \
    }

#endif
