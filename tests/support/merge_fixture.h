/* tests/support/merge_fixture.h — learners that publish and a merger, over the operator harness:
 * what leaves a generate.copula on `models` is kept, and fed to a model.merge in any order.
 * Rows have the key k and the fields value (a number), kind (a text) and whole (a whole number that
 * is sometimes missing), which depend on each other. */
#ifndef MR_TESTS_SUPPORT_MERGE_FIXTURE_H
#define MR_TESTS_SUPPORT_MERGE_FIXTURE_H

#include "tests/support/operator_harness.h"

enum { MERGE_PARTS_MAX = 256, MERGE_FIELDS = 5 };

/* Rows of an output `models`, with copies of their cells in the arena. */
struct merge_parts {
    struct mr_arena arena;
    struct harness_row rows[MERGE_PARTS_MAX];
    uint32_t count;
};

void merge_parts_open(struct merge_parts *parts);
void merge_parts_close(struct merge_parts *parts);

/* A learner: what it publishes goes to parts. options: of the operator, behind `publish`, with a
 * comma in front or ""; `fields` may be among them, here and below. */
void merge_learner_open(struct harness *harness, struct merge_parts *parts, int32_t partition,
                        const char *options);
/* Learn rows first, first + step, ... below end; then the clock comes to now_ms, and a commit. */
void merge_learner_feed(struct harness *harness, uint32_t first, uint32_t end, uint32_t step,
                        int64_t now_ms);

struct merge_models {
    struct mr_buffer document; /* the last one, ended by NUL */
    uint64_t count;
    int64_t version; /* of the last one, and so below */
    int64_t rows;
    int64_t learners;
};

/* A merger: of what leaves the last model is kept. */
void merge_merger_open(struct harness *harness, struct merge_models *models, const char *options);
void merge_merger_close(struct harness *harness, struct merge_models *models);
/* Feed one part, and let the clock come to now_ms. */
void merge_merger_feed(struct harness *harness, const struct harness_row *part, int64_t now_ms);

#endif
