/* operators/field_rule.h — the rules of generate.datagen: what one field of a made record holds.
 * Model: a field's value is a function of (seed, its name, the record's number, the values of
 * earlier fields), so that adding a field changes no other. A field whose draw says null is null,
 * whatever its rule.
 * Threads: none of its own. Errors: of _check, sentences that name the field. */
#ifndef MR_OPERATORS_FIELD_RULE_H
#define MR_OPERATORS_FIELD_RULE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/options.h"
#include "operators/text_pattern.h"
#include "operators/zipf.h"
#include "record/value.h"

enum { MR_FIELD_RULES_MAX = 64, MR_FIELD_PIECES_MAX = 32, MR_FIELD_CASES_MAX = 256 };

enum mr_field_rule_kind {
    MR_FIELD_SEQUENCE,
    MR_FIELD_INTEGER,
    MR_FIELD_UNIFORM,
    MR_FIELD_NORMAL,
    MR_FIELD_ZIPF,
    MR_FIELD_BOOLEAN,
    MR_FIELD_CHOICE,
    MR_FIELD_REGEX,
    MR_FIELD_TEMPLATE,
    MR_FIELD_COPY,
    MR_FIELD_UUID,
    MR_FIELD_TIME
};

extern const char *const mr_field_rule_names[];

/* Texts to choose among. */
struct mr_field_choice {
    struct mr_slice is; /* of a case: the value of the field `by` */
    const char *const *values;
    uint32_t values_count;
    double *behind; /* sums of weights; NULL: all alike */
};

/* Part of a template. */
struct mr_field_piece {
    struct mr_slice text;
    int32_t field; /* -1: text */
};

struct mr_field_rule {
    enum mr_field_rule_kind kind;
    uint64_t seed;
    double null_share;
    int64_t first;
    int64_t increment;
    uint64_t length; /* of a sequence that starts over; 0: it does not */
    int64_t lowest;
    uint64_t range; /* of integers: how many there are */
    double minimum;
    double maximum;
    double mean;
    double sd;
    double power_of_ten;
    double true_share;
    int64_t past_ms;
    int32_t other; /* field of copy, and of `by`; -1: none */
    struct mr_zipf zipf;
    struct mr_field_choice choice;
    struct mr_field_choice *cases;
    uint32_t cases_count;
    struct mr_text_pattern *pattern;
    struct mr_field_piece *pieces;
    uint32_t pieces_count;
};

/* The rule of fields->objects[index], which _check has found right; owns memory until _close, which
 * accepts a zeroed one. */
void mr_field_rule_open(struct mr_field_rule *rule, const struct mr_option_value *fields,
                        uint32_t index, uint64_t seed);
void mr_field_rule_close(struct mr_field_rule *rule);

/* The value in record `number` of event time time_ms; row: the values of the earlier fields. Texts
 * live in arena or in the options. */
struct mr_value mr_field_rule_value(const struct mr_field_rule *rule, int64_t number,
                                    int64_t time_ms, const struct mr_value *row,
                                    struct mr_arena *arena);

enum mr_status mr_field_rule_check(const struct mr_option_value *fields, uint32_t index,
                                   struct mr_error *error) MR_NODISCARD;

#endif
