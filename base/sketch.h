/* base/sketch.h — what all sketches share: where their bytes are, and how they are written out.
 * Why: a sketch sums up a stream of any length in bounded bytes, with an error that its header
 * states. Aggregates, profiles and duplicate filters keep the same ones, each where it keeps its
 * state: so the algorithms are here, and know nothing of where their bytes lie.
 * Model: a sketch is a *head* of fixed size and a *body* of pieces of equal size that are touched
 * one by one, so that a record dirties one piece and not the whole. All-zero bytes are an empty
 * sketch. What a sketch does not use is zero. Bytes are in this machine's order, without pointers;
 * a head needs no alignment. `struct mr_sketch` is the shape: which sketch, with which parameters;
 * it is made by the sketch's own function, and sketches of the same shape can be merged.
 * Owner: the caller, of all bytes. Threads: whoever owns the bytes; nothing is shared.
 * Errors: those of the body's pieces; MR_CORRUPT for bytes that no sketch has. */
#ifndef MR_BASE_SKETCH_H
#define MR_BASE_SKETCH_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

enum {
    MR_SKETCH_VERSION = 1, /* of what mr_sketch_write writes, of all sketches together */
    MR_SKETCH_PIECE_BYTES_MAX = 4096,
    MR_SKETCH_HEAD_BYTES_MAX = 512,
    MR_SKETCH_PARAMETERS = 2
};

/* The pieces of one body. Whoever keeps states implements it. A piece never touched reads as zeros.
 * The bytes are valid until the next call. write: the piece will be changed. */
struct mr_sketch_body {
    enum mr_status (*piece)(struct mr_sketch_body *body, uint32_t index, bool write,
                            uint8_t **bytes, struct mr_error *error);
    uint32_t piece_bytes; /* of every piece; a multiple of 16, 256..4096 */
};

struct mr_sketch;

/* One table per sketch, beside its code. */
struct mr_sketch_type {
    const char *name; /* in messages */
    uint32_t kind;    /* in written bytes: 1.., never another one's */
    uint32_t head_bytes;
    /* Whether the bytes are those of a sketch of this shape. MR_CORRUPT with a sentence. */
    enum mr_status (*check)(const struct mr_sketch *sketch, const uint8_t *head,
                            struct mr_sketch_body *body, struct mr_error *error);
};

struct mr_sketch {
    const struct mr_sketch_type *type;
    uint32_t parameters[MR_SKETCH_PARAMETERS]; /* the type's header says which */
    uint32_t piece_bytes;
    uint32_t pieces_max;
};

/* ---- Bodies ---- */

/* A body in an arena, which owns the bytes: for merged results. */
struct mr_sketch_scratch {
    struct mr_sketch_body body; /* first */
    struct mr_arena *arena;
    uint8_t **pieces; /* NULL: never touched */
    uint32_t pieces_count;
};
void mr_sketch_scratch_init(struct mr_sketch_scratch *scratch, struct mr_arena *arena,
                            uint32_t piece_bytes, uint32_t pieces_max);

/* The pieces of another body from `first` on: several sketches in one body. */
struct mr_sketch_part {
    struct mr_sketch_body body; /* first */
    struct mr_sketch_body *whole;
    uint32_t first;
};
void mr_sketch_part_init(struct mr_sketch_part *part, struct mr_sketch_body *whole, uint32_t first);

/* ---- Bytes ----
 * Written: u32 mark (in this machine's order, as the rest), u32 version, u32 kind, u32 parameters
 * [2], u32 piece bytes, u32 pieces written; the head; per piece that is not all zero, ascending,
 * u32 index and its bytes; last the u64 hash of all before. */

/* Append the sketch to the buffer. MR_LIMIT: beyond the buffer's ceiling. */
enum mr_status mr_sketch_write(const struct mr_sketch *sketch, const uint8_t *head,
                               struct mr_sketch_body *body, struct mr_buffer *buffer,
                               struct mr_error *error) MR_NODISCARD;
/* The written sketch into an empty head and body. MR_CORRUPT: the bytes are damaged, or no
 * sketch's; MR_VERSION: a newer version wrote them; MR_INVALID: a sketch of another type or shape.
 * Head and body are then undefined. */
enum mr_status mr_sketch_read(const struct mr_sketch *sketch, struct mr_slice bytes, uint8_t *head,
                              struct mr_sketch_body *body, struct mr_error *error) MR_NODISCARD;

/* For the checks of sketches. */
enum mr_status mr_sketch_corrupt(const struct mr_sketch *sketch, const char *what,
                                 struct mr_error *error) MR_NODISCARD;

#endif
