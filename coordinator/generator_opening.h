/* coordinator/generator_opening.h — drawings under conditions, opened on a thread of their own.
 * Why: binding several ranges and computing their probability takes milliseconds to tens of them,
 * which the thread of the sockets must not spend while others wait for their rows.
 * Model: the sockets' thread starts an opening and looks at it until it is done; one that is
 * dropped before is freed by whoever lets go last. Threads: start, take and drop belong to the
 * sockets' thread, the loop to the opener's. Limits: MR_GENERATOR_OPENINGS_MAX wait. */
#ifndef MR_COORDINATOR_GENERATOR_OPENING_H
#define MR_COORDINATOR_GENERATOR_OPENING_H

#include "base/ring.h"
#include "coordinator/generators.h"

enum { MR_GENERATOR_OPENINGS_MAX = 2048 };

struct mr_sample;
struct mr_generator_opening;

/* conditions are copied, the model is shared until the opening is freed. NULL: too many wait. */
struct mr_generator_opening *mr_generator_opening_start(struct mr_ring *ring,
                                                        struct mr_generator_model *model,
                                                        struct mr_slice conditions, uint64_t seed);
/* MR_AGAIN: look again in a moment. Otherwise the opening is freed, and what mr_sample_open gave is
 * the caller's. */
enum mr_status mr_generator_opening_take(struct mr_generator_opening *opening,
                                         struct mr_sample **sample,
                                         struct mr_error *error) MR_NODISCARD;
/* Nobody wants it any more. Accepts NULL. */
void mr_generator_opening_drop(struct mr_generator_opening *opening);

/* The opener's thread: open what comes until the ring is closed and empty. */
void mr_generator_opening_loop(struct mr_ring *ring);

#endif
