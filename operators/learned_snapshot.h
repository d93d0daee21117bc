/* operators/learned_snapshot.h — what a learner knows, as bytes that a merger takes: models of one
 * stream that was learned in parts.
 * Model: a snapshot is all that one learner knows of one key; it replaces the one before, so that
 * whatever comes again counts once. It is published as rows of parts, in order, in one transaction:
 *   learner   NAME/PARTITION of the operator and task that learned
 *   blocks    batches learned: of one learner they only rise
 *   part      1 to parts, each of MR_SNAPSHOT_PART_BYTES but the last
 *   snapshot  the part's bytes
 * Bytes, version 1 (little-endian): 0 uint8 1; 1 uint8 kind, 1: a copula; 2 uint16 columns; 4
 * uint32 rows of the reservoir; 8 uint64 hash of the names of the fields; then the kind's bytes
 * (copula.h). They hold rows of what was learned, as the reservoir does: they are for mergers
 * alone. Limits: MR_SNAPSHOT_PARTS_MAX parts. Pure. */
#ifndef MR_OPERATORS_LEARNED_SNAPSHOT_H
#define MR_OPERATORS_LEARNED_SNAPSHOT_H

#include "base/options.h"
#include "operators/copula.h"
#include "topology/type.h"

enum {
    MR_SNAPSHOT_HEAD_BYTES = 16,
    MR_SNAPSHOT_PART_BYTES = 512 << 10, /* as base64 below the usual bound of a message, 1 MiB */
    MR_SNAPSHOT_PARTS_MAX = 64
};

/* Fields of the rows. */
enum mr_snapshot_field {
    MR_SNAPSHOT_LEARNER,
    MR_SNAPSHOT_BLOCKS,
    MR_SNAPSHOT_PART,
    MR_SNAPSHOT_PARTS,
    MR_SNAPSHOT_BYTES,
    MR_SNAPSHOT_FIELDS_COUNT
};
extern const struct mr_output_field mr_snapshot_fields[MR_SNAPSHOT_FIELDS_COUNT];

/* The shape of copulas of these options, by `fields` and `reservoir`. */
struct mr_copula_shape mr_snapshot_shape(const struct mr_options *options);
/* Bytes of a snapshot of these options, at most, and how many parts they are. */
size_t mr_snapshot_bytes_max(const struct mr_options *options);
uint32_t mr_snapshot_parts(size_t bytes);
size_t mr_snapshot_write(const struct mr_options *options, const struct mr_copula *model,
                         uint8_t *output);
/* MR_INVALID with a sentence: it is no snapshot, one of other fields, or not sound; the model is
 * then empty. Bytes may come from outside. */
enum mr_status mr_snapshot_read(const struct mr_options *options, struct mr_slice bytes,
                                struct mr_copula *model, struct mr_error *error) MR_NODISCARD;

#endif
