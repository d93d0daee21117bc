/* operators/order_detector.h — what detectors share that compare a number with order statistics
 * (median, quartiles) of the key's last n: the ring in slots, the same numbers sorted in the cache,
 * the options `window` and `scale_floor`.
 * Why sorted: median and quartiles are look-ups then, exact, and a record costs a binary search and
 * a move (operators/sorted_window.h). What is stored is the ring alone; the sorted numbers are made
 * from it when an object was loaded. They are a function of the ring, so that a restored key goes
 * on bit for bit.
 *
 * A detector gives MR_ORDER_MODEL its score, which begins with mr_order_refresh, and its own
 * `describe`; its struct is struct mr_order_detector.
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0  uint32  capacity of the window
 *   4  uint32  numbers in it
 *   8  uint32  next position in the ring
 * Stored slots: operators/value_ring.h.
 * Limits: windows of 2,000 numbers, so that an object stays within what the cache takes. */
#ifndef MR_OPERATORS_ORDER_DETECTOR_H
#define MR_OPERATORS_ORDER_DETECTOR_H

#include "operators/detector.h"

enum { MR_ORDER_VERSION = 1, MR_ORDER_BYTES = 12, MR_ORDER_WINDOW_MAX = 2000 };

struct mr_order_object {
    uint32_t capacity;
    uint32_t count;
    uint32_t position;
    uint32_t stale;  /* sorted is to be made from the ring */
    double sorted[]; /* capacity numbers */
};

struct mr_order_detector {
    struct mr_detector detector;
    uint64_t warmup;
    double scale_floor;
    uint32_t capacity;
};

/* The initialiser of a struct mr_model_type. */
#define MR_ORDER_MODEL(score_function)                                                             \
    {                                                                                              \
        .table = mr_order_table, .version = MR_ORDER_VERSION,                                      \
        .object_size = sizeof(struct mr_order_object), .encoded_size_max = MR_ORDER_BYTES,         \
        .size = mr_order_size, .encode = mr_order_encode, .decode = mr_order_decode,               \
        .begin = mr_order_begin, .fits = mr_order_fits, .ready = mr_order_ready,                   \
        .score = (score_function), .learn = mr_order_learn,                                        \
    }

#define MR_ORDER_OPTION_WINDOW                                                                     \
    {                                                                                              \
        .name = "window", .type = MR_OPTION_OBJECT, .flags = MR_OPTION_STATE_BOUND,                \
        .fields = mr_order_window_fields,                                                          \
        .help = "The key's last records to compare with. Default: the last 1,000."                 \
    }

#define MR_ORDER_OPTION_SCALE_FLOOR(help_text)                                                     \
    {                                                                                              \
        .name = "scale_floor", .type = MR_OPTION_NUMBER, .default_text = "1e-9",                   \
        .minimum = 1e-300, .maximum = 1e300, .help = (help_text)                                   \
    }

extern const char mr_order_table[];
extern const struct mr_option_spec mr_order_window_fields[];

/* ---- The model, but for its score: operators/model.h ---- */

void mr_order_size(const struct mr_options *options, struct mr_model_size *size);
size_t mr_order_encode(const void *object, uint8_t *output);
bool mr_order_decode(void *object, uint32_t version, struct mr_slice stored);
void mr_order_begin(const void *self, const struct mr_model_row *row, void *object);
bool mr_order_fits(const void *self, const void *object);
bool mr_order_ready(const void *self, const void *object);
enum mr_status mr_order_learn(void *self, struct mr_model_row *row,
                              struct mr_error *error) MR_NODISCARD;

/* Sort what was loaded: before anything looks at row's object->sorted. */
enum mr_status mr_order_refresh(const struct mr_model_row *row,
                                struct mr_error *error) MR_NODISCARD;

/* ---- The detector ---- */

/* Bind `window`, `scale_floor`, `warmup` and what all detectors share. type is static. */
enum mr_status mr_order_open(struct mr_order_detector *order, const struct mr_operator_open *open,
                             const struct mr_detector_type *type,
                             struct mr_error *error) MR_NODISCARD;

/* For .spec.check. */
enum mr_status mr_order_check(const struct mr_options *options, const char **option,
                              struct mr_error *error) MR_NODISCARD;

/* For .describe_state: the members that all have go to description; *numbers are the stored ones,
 * sorted, in arena, and *count how many. */
enum mr_status mr_order_describe_state(const struct mr_model_type *model,
                                       const struct mr_state_object *object, struct mr_arena *arena,
                                       struct mr_state_description *description,
                                       const double **numbers, uint32_t *count,
                                       struct mr_error *error) MR_NODISCARD;

#endif
