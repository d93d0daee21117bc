/* operators/value_detector.h — what detect.new_value and detect.rare_value share: options, memory
 * and members. They differ in what they make of a look at the key's known values. */
#ifndef MR_OPERATORS_VALUE_DETECTOR_H
#define MR_OPERATORS_VALUE_DETECTOR_H

#include "operators/detector.h"
#include "operators/known_values.h"

struct mr_value_detector {
    struct mr_detector detector;
    uint64_t warmup;
    uint32_t capacity;
    double keep;
    int64_t forget_after_ms;
    struct mr_known_look look; /* of the record that was scored last */
};

#define MR_VALUE_DETECTOR_OPTION_FIELD                                                             \
    {                                                                                              \
        .name = "field", .type = MR_OPTION_PATH, .flags = MR_OPTION_REQUIRED,                      \
        .help = "The value to watch: a text, a number or a boolean, by its text."                  \
    }

#define MR_VALUE_DETECTOR_OPTIONS                                                                  \
    {.name = "max_values",                                                                         \
     .type = MR_OPTION_INTEGER,                                                                    \
     .flags = MR_OPTION_STATE_BOUND,                                                               \
     .default_text = "250",                                                                        \
     .minimum = 1,                                                                                 \
     .maximum = MR_KNOWN_VALUES_MAX,                                                               \
     .help = "Values of a key that are remembered; with one more the one that was not seen for "   \
             "the most records is forgotten."},                                                    \
    {                                                                                              \
        .name = "forget_after", .type = MR_OPTION_DURATION, .minimum = 1,                          \
        .maximum = 3660.0 * 86400e3,                                                               \
        .help = "A value that the key's records did not have for so long, in event time, is "      \
                "forgotten. Default: never."                                                       \
    }

/* For the model and the type. mr_value_detector_open opens the shared part as well. */
enum mr_status mr_value_detector_open(struct mr_value_detector *detector,
                                      const struct mr_operator_open *open,
                                      const struct mr_detector_type *type,
                                      struct mr_error *error) MR_NODISCARD;
void mr_value_detector_size(const struct mr_options *options, struct mr_model_size *size);
bool mr_value_detector_decode(void *object, uint32_t version, struct mr_slice stored);
void mr_value_detector_begin(const void *self, const struct mr_model_row *row, void *object);
bool mr_value_detector_fits(const void *self, const void *object);
bool mr_value_detector_ready(const void *self, const void *object);
enum mr_status mr_value_detector_learn(void *self, struct mr_model_row *row,
                                       struct mr_error *error);
enum mr_status mr_value_detector_check(const struct mr_options *options, const char **option,
                                       struct mr_error *error);
void mr_value_detector_estimate(const struct mr_model_type *model, const struct mr_options *options,
                                struct mr_state_estimate *estimate);
enum mr_status mr_value_detector_describe_state(const struct mr_model_type *model,
                                                const struct mr_state_object *object,
                                                struct mr_state_description *description,
                                                struct mr_error *error);

/* Find the row's value: detector->look. Errors: of the state. */
enum mr_status mr_value_detector_look(struct mr_value_detector *detector,
                                      const struct mr_model_row *row,
                                      struct mr_error *error) MR_NODISCARD;
/* -log10 of a p-value above 0, >= 0. */
double mr_value_detector_surprise(double p_value);
/* The row's value for a sentence: at most 64 bytes of it. */
struct mr_slice mr_value_detector_text(const struct mr_model_row *row);

#endif
