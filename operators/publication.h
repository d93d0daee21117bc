/* operators/publication.h — when something of a key that has changed is published: soon, and no
 * more often than every so often by the clock. Why: a model changes with each batch of records, and
 * telling it costs as much as learning some thousand. What is told late is told as it then is, so
 * nothing is told twice and the last change is always told. Model: a timed table. A key that has
 * changed is due `every_ms` after it was told last, at once when that is longer ago. Times are
 * those of the task's wall clock and are kept, so that a crash forgets no change. Limits: one
 * object of 16 bytes per key.
 *
 * Stored object, version 1 (little-endian): 0 int64 when it was told last, 8 int64 when it is due;
 * INT64_MAX: nothing has changed. */
#ifndef MR_OPERATORS_PUBLICATION_H
#define MR_OPERATORS_PUBLICATION_H

#include "operators/operator.h"

enum { MR_PUBLICATION_BYTES = 16 };

struct mr_publication {
    struct mr_table *table;
    int64_t every_ms;
};

enum mr_status mr_publication_open(struct mr_publication *publication,
                                   const struct mr_operator_open *open, int64_t every_ms,
                                   struct mr_error *error) MR_NODISCARD;
/* The key has changed: on_wall is woken for it. Objects handed out before are not valid any more.
 */
enum mr_status mr_publication_touch(struct mr_publication *publication,
                                    struct mr_operator_context *context, struct mr_slice key,
                                    uint64_t hash, struct mr_error *error) MR_NODISCARD;
/* The next key that is due now, counted as told; *found: there is one, else *due_ms says when.
 * *key is in the context's arena. */
enum mr_status mr_publication_next(struct mr_publication *publication,
                                   struct mr_operator_context *context, struct mr_slice *key,
                                   uint64_t *hash, bool *found, int64_t *due_ms,
                                   struct mr_error *error) MR_NODISCARD;

/* Members of the option `publish` of a type, of which `every` is the usual length. */
#define MR_PUBLICATION_OPTION_EVERY(usual)                                                         \
    {                                                                                              \
        .name = "every", .type = MR_OPTION_DURATION, .default_text = (usual), .minimum = 0,        \
        .maximum = 86400e3,                                                                        \
        .help = "No more often than this, by the clock, and only what has changed."                \
    }

#endif
