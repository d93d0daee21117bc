/* operators/sample_observed.h — what was seen of a stream beside the distribution of its rows, as
 * members of a model document (sample_model.h), each of them optional:
 *   "arrival": {"kind": "regular"|"jitter"|"poisson", "rate": records per second of event time,
 *     "variation": of the gaps (fit_arrival.h), "gaps", "begin_ms": time of the first record}
 *   "time": {"field", "form": "ms"|"text"}: the field that holds the event time
 *   "keys": {"field", "count", "exponent"} (fit_keys.h), and where the keys are more than the model
 *     has categories for: "prefix" of made texts, or "first" of made numbers
 *   "seasons": [{"field", "points", "level", "trend_per_hour", "noise_sd", "lowest", "highest",
 *     "decimals" (absent: any), "seasons": [{"period_ms", "amplitude", "phase"}, ...]}, ...]
 *     (fit_series.h), one for each field that varies with time
 * They have the units and meanings of the options of generate.timeseries and generate.datagen.
 * What they change in rows that are drawn: sample_overlay.h.
 * Limits: MR_SAMPLE_FIELDS_MAX series of MR_FIT_SEASONS_MAX seasons. Pure. */
#ifndef MR_OPERATORS_SAMPLE_OBSERVED_H
#define MR_OPERATORS_SAMPLE_OBSERVED_H

#include "operators/fit_arrival.h"
#include "operators/fit_keys.h"
#include "operators/fit_series.h"
#include "operators/sample_type.h"

#define MR_SAMPLE_OBSERVED_NUMBER_MAX 1e300

struct mr_sample_series {
    const char *field;
    struct mr_fit_series series;
    double lowest; /* seen */
    double highest;
    bool has_decimals; /* numbers have this many digits behind the point, no more */
    uint32_t decimals;
};

/* Where keys of a row are from. */
enum mr_sample_keys_origin {
    MR_SAMPLE_KEYS_DRAWN,  /* the model, as any field */
    MR_SAMPLE_KEYS_TEXTS,  /* made: a prefix and the rank */
    MR_SAMPLE_KEYS_NUMBERS /* made: the rank, counted from the first */
};

struct mr_sample_observed {
    bool has_arrival; /* without it nothing is known of times, and there are no series */
    struct mr_fit_arrival arrival;
    int64_t begin_ms;
    const char *time; /* the field of the event time; NULL: none */
    bool time_is_text;
    const char *key; /* the field of the keys; NULL: none */
    struct mr_fit_keys keys;
    enum mr_sample_keys_origin keys_origin;
    const char *keys_prefix;
    int64_t keys_first;
    uint32_t series_count;
    const struct mr_sample_series *series;
};

/* Put the members into a model document, behind its other members: output ends with one, from its
 * first byte on. MR_LIMIT: the output is full. */
enum mr_status mr_sample_observed_write(const struct mr_sample_observed *observed,
                                        struct mr_buffer *output,
                                        struct mr_error *error) MR_NODISCARD;

/* Read the members into *observed, texts into arena. Fails in the document where such a member is
 * not as above, or names a field of the rows that the model does not have. */
void mr_sample_observed_read(struct mr_document *document, const struct mr_document_place *root,
                             const struct mr_sample_facts *facts, struct mr_arena *arena,
                             struct mr_sample_observed *observed);

#endif
