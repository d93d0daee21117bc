/* operators/drift.h — what the change detectors (drift.*) share: the running mean, the score, and
 * their models for operators and tests. Model: a change detector judges the stream of a key with
 * the record in it, so that `learn` fills the results and there is no `score`. The score is the
 * test's statistic over its threshold: above 1 the detector says drift, reports it with that record
 * and begins anew with the next. All arithmetic is + - * / sqrt and mr_natural_log in a fixed
 * order: the same bits on every machine. */
#ifndef MR_OPERATORS_DRIFT_H
#define MR_OPERATORS_DRIFT_H

#include <float.h>
#include <math.h>

#include "operators/detector.h"

/* The mean of the numbers so far. */
struct mr_drift_mean {
    uint64_t count;
    double mean;
};

static inline void mr_drift_mean_learn(struct mr_drift_mean *mean, double number)
{
    mean->count++;
    mean->mean += 1.0 / (double)mean->count * (number - mean->mean);
}

/* statistic / threshold, so that it is above 1 exactly when statistic > threshold: division rounds
 * correctly, and the least double above a threshold is at least half a unit in the last place of 1
 * above 1 times it. 0 for what is not above 0; threshold >= 0. */
static inline double mr_drift_score(double statistic, double threshold)
{
    if (!(statistic > 0))
        return 0;
    double score = statistic / threshold;
    return score <= DBL_MAX ? score : DBL_MAX;
}

/* ---- What all their tables have ---- */

/* Options behind the detector's own. They always learn: there is no `learn`. */
#define MR_DRIFT_OPTIONS                                                                           \
    MR_DETECTOR_OPTION_BANDS, MR_DETECTOR_OPTION_ON_MISSING, MR_DETECTOR_OPTION_SUPPRESS,          \
        MR_DETECTOR_OPTION_WARM_FROM, MR_DETECTOR_OPTION_ORDER

/* A field of errors: 0 or 1, or a bool. */
#define MR_DRIFT_OPTION_ERRORS                                                                     \
    {                                                                                              \
        .name = "field", .type = MR_OPTION_PATH, .flags = MR_OPTION_REQUIRED,                      \
        .help = "Whether the record is an error of what is watched: 1 or true, 0 or false."        \
    }

/* A field of shares. */
#define MR_DRIFT_OPTION_SHARES                                                                     \
    {                                                                                              \
        .name = "field", .type = MR_OPTION_PATH, .flags = MR_OPTION_REQUIRED,                      \
        .help = "The number from 0 to 1 to watch, for instance whether a record is an error; "     \
                "false and true are 0 and 1."                                                      \
    }

#define MR_DRIFT_MEMBERS                                                                           \
    MR_DETECTOR_MEMBERS("The test's statistic over its threshold: above 1 is drift.")

/* mr_detector_open with the threshold 1 that all of them have. */
static inline enum mr_status mr_drift_open(struct mr_detector *detector,
                                           const struct mr_operator_open *open,
                                           const struct mr_detector_type *type,
                                           struct mr_error *error)
{
    enum mr_status status = mr_detector_open(detector, open, type, error);
    detector->threshold = 1;
    return status;
}

/* ---- What each detector's operator is made of: its options, and its model ---- */

struct mr_drift_adwin {
    struct mr_detector detector;
    double delta;
    uint32_t clock;
    uint32_t buckets_max; /* of one size, <= MR_DRIFT_ADWIN_BUCKETS_MAX */
    uint32_t part_min;    /* records of each part of a cut */
    uint32_t grace;       /* no look at the window up to this width */
};
enum {
    MR_DRIFT_ADWIN_BUCKETS_MAX = 32,
    MR_DRIFT_ADWIN_ROWS_MAX = 32, /* bucket sizes 1, 2, 4, ... 2^31 */
    MR_DRIFT_ADWIN_BUCKET_BYTES = 16
};
enum mr_drift_adwin_own {
    MR_DRIFT_ADWIN_WIDTH,
    MR_DRIFT_ADWIN_ESTIMATION,
    MR_DRIFT_ADWIN_VARIANCE,
    MR_DRIFT_ADWIN_DETECTIONS
};
extern const struct mr_model_type mr_drift_adwin_model;

struct mr_drift_kswin {
    struct mr_detector detector;
    double alpha;
    uint32_t window;          /* <= MR_DRIFT_KSWIN_WINDOW_MAX */
    uint32_t recent;          /* <= window / 2 */
    uint32_t critical_places; /* the least distance, in places of 1 / recent, that is drift */
    double critical;          /* its threshold: half a place less */
    double *p_values;         /* by distance in places, recent + 1 of them */
    double *numbers;          /* scratch: window + 2 recent */
    uint32_t *places;         /* scratch: window */
    void *memory;             /* of these, where the operator took it */
    /* Choose recent of window - recent places, no two alike, for the test-th test of the key since
     * its last drift. Tests put another one here; NULL: the detector's own. */
    void (*sample)(void *argument, uint64_t test, uint32_t *places);
    void *sample_argument;
};
enum { MR_DRIFT_KSWIN_WINDOW_MAX = 2000 };
enum mr_drift_kswin_own {
    MR_DRIFT_KSWIN_DISTANCE,
    MR_DRIFT_KSWIN_WIDTH,
    MR_DRIFT_KSWIN_DETECTIONS
};
extern const struct mr_model_type mr_drift_kswin_model;
/* Doubles of p_values, numbers and places together, as mr_drift_kswin_prepare wants them. */
size_t mr_drift_kswin_memory(const struct mr_drift_kswin *kswin);
/* Fill the tables that follow from alpha, window and recent; memory is mr_drift_kswin_memory bytes,
 * kept by the caller, aligned for doubles. */
void mr_drift_kswin_prepare(struct mr_drift_kswin *kswin, void *memory);
/* P(D >= places / size) of two samples of `size` of one continuous distribution: exact. */
double mr_drift_ks_p_value(uint32_t size, uint32_t places);

struct mr_drift_page_hinkley {
    struct mr_detector detector;
    uint64_t warmup; /* records before the first judgement */
    double delta;
    double limit;
    double forgetting;
    bool up;
    bool down;
};
enum mr_drift_page_hinkley_own {
    MR_DRIFT_PAGE_HINKLEY_WIDTH,
    MR_DRIFT_PAGE_HINKLEY_ESTIMATION,
    MR_DRIFT_PAGE_HINKLEY_INCREASE,
    MR_DRIFT_PAGE_HINKLEY_DECREASE,
    MR_DRIFT_PAGE_HINKLEY_DETECTIONS
};
extern const struct mr_model_type mr_drift_page_hinkley_model;

struct mr_drift_ddm {
    struct mr_detector detector;
    uint64_t warmup;
    double warning_level; /* standard deviations above the minimum */
    double drift_level;
};
enum mr_drift_ddm_own {
    MR_DRIFT_DDM_WARNING,
    MR_DRIFT_DDM_WIDTH,
    MR_DRIFT_DDM_ESTIMATION,
    MR_DRIFT_DDM_SD,
    MR_DRIFT_DDM_LEAST,
    MR_DRIFT_DDM_LEAST_SD,
    MR_DRIFT_DDM_DETECTIONS
};
extern const struct mr_model_type mr_drift_ddm_model;

struct mr_drift_eddm {
    struct mr_detector detector;
    uint64_t warmup;      /* errors */
    double warning_level; /* alpha */
    double drift_level;   /* beta */
};
enum mr_drift_eddm_own {
    MR_DRIFT_EDDM_WARNING,
    MR_DRIFT_EDDM_WIDTH,
    MR_DRIFT_EDDM_ERRORS,
    MR_DRIFT_EDDM_ESTIMATION,
    MR_DRIFT_EDDM_SD,
    MR_DRIFT_EDDM_DETECTIONS
};
extern const struct mr_model_type mr_drift_eddm_model;

struct mr_drift_hddm_a {
    struct mr_detector detector;
    double drift_confidence;
    double warning_confidence;
    bool two_sided;
    double cut_log;     /* ln(1 / drift_confidence) */
    double drift_log;   /* ln(2 / drift_confidence) */
    double warning_log; /* ln(2 / warning_confidence) */
};
enum mr_drift_hddm_own {
    MR_DRIFT_HDDM_WARNING,
    MR_DRIFT_HDDM_WIDTH,
    MR_DRIFT_HDDM_ESTIMATION,
    MR_DRIFT_HDDM_DETECTIONS
};
extern const struct mr_model_type mr_drift_hddm_a_model;
void mr_drift_hddm_a_prepare(struct mr_drift_hddm_a *hddm); /* the logarithms */

struct mr_drift_hddm_w {
    struct mr_detector detector;
    double drift_confidence;
    double warning_confidence;
    double lambda;
    bool two_sided;
    double drift_log;   /* ln(1 / drift_confidence) */
    double warning_log; /* ln(1 / warning_confidence) */
};
extern const struct mr_model_type mr_drift_hddm_w_model;
void mr_drift_hddm_w_prepare(struct mr_drift_hddm_w *hddm); /* the logarithms */

#endif
