/* base/sketch.c — see sketch.h. */
#include "base/sketch.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

enum { MARK = 0x6b73726d, WORDS_COUNT = 7, WORD_BYTES = 4, HASH_BYTES = 8 };
enum { WORD_MARK, WORD_VERSION, WORD_KIND, WORD_PARAMETERS, WORD_PIECE_BYTES = 5, WORD_PIECES };

/* ---- Bodies ---- */

static enum mr_status scratch_piece(struct mr_sketch_body *body, uint32_t index, bool write,
                                    uint8_t **bytes, struct mr_error *error)
{
    struct mr_sketch_scratch *scratch = (struct mr_sketch_scratch *)body;
    MR_UNUSED(write);
    MR_UNUSED(error);
    MR_ASSERT(index < scratch->pieces_count);
    if (scratch->pieces[index] == NULL)
        scratch->pieces[index] = mr_arena_new(scratch->arena, 1, body->piece_bytes);
    *bytes = scratch->pieces[index];
    return MR_OK;
}

void mr_sketch_scratch_init(struct mr_sketch_scratch *scratch, struct mr_arena *arena,
                            uint32_t piece_bytes, uint32_t pieces_max)
{
    *scratch =
        (struct mr_sketch_scratch){.body = {.piece = scratch_piece, .piece_bytes = piece_bytes},
                                   .arena = arena,
                                   .pieces = mr_arena_new(arena, pieces_max, sizeof(uint8_t *)),
                                   .pieces_count = pieces_max};
}

static enum mr_status part_piece(struct mr_sketch_body *body, uint32_t index, bool write,
                                 uint8_t **bytes, struct mr_error *error)
{
    struct mr_sketch_part *part = (struct mr_sketch_part *)body;
    return part->whole->piece(part->whole, part->first + index, write, bytes, error);
}

void mr_sketch_part_init(struct mr_sketch_part *part, struct mr_sketch_body *whole, uint32_t first)
{
    *part =
        (struct mr_sketch_part){.body = {.piece = part_piece, .piece_bytes = whole->piece_bytes},
                                .whole = whole,
                                .first = first};
}

/* ---- Writing ---- */

static bool is_zero(const uint8_t *bytes, uint32_t size)
{
    for (uint32_t index = 0; index < size; index++)
        if (bytes[index] != 0)
            return false;
    return true;
}

static enum mr_status full(const struct mr_sketch *sketch, struct mr_error *error)
{
    return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                   "the bytes of the sketch (%s) do not fit the buffer: make it larger",
                   sketch->type->name);
}

/* Append the pieces that are not all zero. */
static enum mr_status write_pieces(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                   struct mr_buffer *buffer, uint32_t *written,
                                   struct mr_error *error)
{
    for (uint32_t piece = 0; piece < sketch->pieces_max; piece++) {
        uint8_t *bytes;
        enum mr_status status = body->piece(body, piece, false, &bytes, error);
        if (status != MR_OK)
            return status;
        if (is_zero(bytes, sketch->piece_bytes))
            continue;
        if (mr_buffer_append(buffer, &piece, sizeof(piece)) != MR_OK ||
            mr_buffer_append(buffer, bytes, sketch->piece_bytes) != MR_OK)
            return full(sketch, error);
        ++*written;
    }
    return MR_OK;
}

enum mr_status mr_sketch_write(const struct mr_sketch *sketch, const uint8_t *head,
                               struct mr_sketch_body *body, struct mr_buffer *buffer,
                               struct mr_error *error)
{
    uint32_t words[WORDS_COUNT] = {[WORD_MARK] = MARK,
                                   [WORD_VERSION] = MR_SKETCH_VERSION,
                                   [WORD_KIND] = sketch->type->kind,
                                   [WORD_PARAMETERS] = sketch->parameters[0],
                                   [WORD_PARAMETERS + 1] = sketch->parameters[1],
                                   [WORD_PIECE_BYTES] = sketch->piece_bytes};
    size_t first = buffer->size;
    if (mr_buffer_append(buffer, words, sizeof(words)) != MR_OK ||
        mr_buffer_append(buffer, head, sketch->type->head_bytes) != MR_OK)
        return full(sketch, error);
    enum mr_status status = write_pieces(sketch, body, buffer, &words[WORD_PIECES], error);
    if (status != MR_OK)
        return status;
    memcpy(buffer->data + first, words, sizeof(words));
    uint64_t hash = mr_hash64(mr_slice_from(buffer->data + first, buffer->size - first));
    return mr_buffer_append(buffer, &hash, sizeof(hash)) == MR_OK ? MR_OK : full(sketch, error);
}

/* ---- Reading ---- */

enum mr_status mr_sketch_corrupt(const struct mr_sketch *sketch, const char *what,
                                 struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "the bytes of the sketch (%s) are not what was written: %s", sketch->type->name,
                   what);
}

static enum mr_status check_words(const struct mr_sketch *sketch, const uint32_t words[WORDS_COUNT],
                                  struct mr_error *error)
{
    if (words[WORD_VERSION] > MR_SKETCH_VERSION)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_NONE,
                       "the sketch was written by version %u, and this program reads up to %d: "
                       "read it with a newer one",
                       words[WORD_VERSION], MR_SKETCH_VERSION);
    if (words[WORD_VERSION] != MR_SKETCH_VERSION)
        return mr_sketch_corrupt(sketch, "there is no such version", error);
    if (words[WORD_KIND] != sketch->type->kind || words[WORD_PARAMETERS] != sketch->parameters[0] ||
        words[WORD_PARAMETERS + 1] != sketch->parameters[1] ||
        words[WORD_PIECE_BYTES] != sketch->piece_bytes)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "the sketch is of kind %u with the parameters %u, %u and pieces of %u "
                       "bytes; %s with %u, %u and %u is wanted: merge sketches of one shape only",
                       words[WORD_KIND], words[WORD_PARAMETERS], words[WORD_PARAMETERS + 1],
                       words[WORD_PIECE_BYTES], sketch->type->name, sketch->parameters[0],
                       sketch->parameters[1], sketch->piece_bytes);
    return MR_OK;
}

/* bytes: the pieces, of the right size together. */
static enum mr_status read_pieces(const struct mr_sketch *sketch, const uint8_t *bytes,
                                  uint32_t count, struct mr_sketch_body *body,
                                  struct mr_error *error)
{
    uint32_t next = 0;
    for (uint32_t read = 0; read < count; read++) {
        uint32_t piece;
        uint8_t *place;
        memcpy(&piece, bytes, sizeof(piece));
        bytes += sizeof(piece);
        if (piece < next || piece >= sketch->pieces_max)
            return mr_sketch_corrupt(sketch, "a piece is out of order", error);
        enum mr_status status = body->piece(body, piece, true, &place, error);
        if (status != MR_OK)
            return status;
        memcpy(place, bytes, sketch->piece_bytes);
        bytes += sketch->piece_bytes;
        next = piece + 1;
    }
    return MR_OK;
}

enum mr_status mr_sketch_read(const struct mr_sketch *sketch, struct mr_slice bytes, uint8_t *head,
                              struct mr_sketch_body *body, struct mr_error *error)
{
    uint32_t words[WORDS_COUNT];
    uint64_t hash;
    size_t head_end = sizeof(words) + sketch->type->head_bytes;
    if (bytes.size < head_end + HASH_BYTES)
        return mr_sketch_corrupt(sketch, "they are too few", error);
    memcpy(words, bytes.data, sizeof(words));
    size_t hashed = bytes.size - HASH_BYTES;
    memcpy(&hash, bytes.data + hashed, sizeof(hash));
    if (words[WORD_MARK] != MARK || hash != mr_hash64(mr_slice_from(bytes.data, hashed)))
        return mr_sketch_corrupt(sketch, "the mark or the hash is another one", error);
    enum mr_status status = check_words(sketch, words, error);
    if (status != MR_OK)
        return status;
    if (words[WORD_PIECES] > sketch->pieces_max ||
        hashed - head_end != (size_t)words[WORD_PIECES] * (WORD_BYTES + sketch->piece_bytes))
        return mr_sketch_corrupt(sketch, "the number of pieces is wrong", error);
    memcpy(head, bytes.data + sizeof(words), sketch->type->head_bytes);
    status = read_pieces(sketch, bytes.data + head_end, words[WORD_PIECES], body, error);
    return status == MR_OK ? sketch->type->check(sketch, head, body, error) : status;
}
