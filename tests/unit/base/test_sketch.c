/* tests/unit/base/test_sketch.c — written sketches: round trips, and what is refused. */
#include "base/sketch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/sketch_bloom.h"
#include "base/sketch_cardinality.h"
#include "base/sketch_frequent.h"
#include "base/sketch_quantile.h"

enum { SKETCHES = 4, PIECE_BYTES = 512, WRITTEN_BYTES_MAX = 1 << 20, HASH_BYTES = 8 };

struct fixture {
    struct mr_arena arena;
    struct mr_buffer buffer;
    struct mr_buffer again;
    struct mr_error error;
    struct mr_sketch sketch;
    uint8_t head[MR_SKETCH_HEAD_BYTES_MAX];
    struct mr_sketch_scratch scratch;
    uint8_t read_head[MR_SKETCH_HEAD_BYTES_MAX];
    struct mr_sketch_scratch read;
};

static struct mr_sketch shape(uint32_t which)
{
    switch (which) {
    case 0:
        return mr_sketch_cardinality(10, PIECE_BYTES);
    case 1:
        return mr_sketch_quantile(PIECE_BYTES);
    case 2:
        return mr_sketch_frequent(20, 8, PIECE_BYTES);
    default:
        return mr_sketch_bloom(500, 0.01);
    }
}

static enum mr_status add(struct fixture *fixture, uint32_t which, uint64_t number)
{
    uint64_t hash = mr_hash64(mr_slice_from(&number, sizeof(number)));
    uint8_t *payload;
    bool found;
    struct mr_sketch_body *body = &fixture->scratch.body;
    switch (which) {
    case 0:
        return mr_sketch_cardinality_add(&fixture->sketch, fixture->head, body, hash,
                                         &fixture->error);
    case 1:
        return mr_sketch_quantile_add(&fixture->sketch, fixture->head, body, (double)number - 100,
                                      &fixture->error);
    case 2: {
        enum mr_status status = mr_sketch_frequent_add(&fixture->sketch, fixture->head, body, hash,
                                                       &payload, &fixture->error);
        if (status == MR_OK && payload != NULL)
            memcpy(payload, &number, sizeof(number));
        return status;
    }
    default:
        return mr_sketch_bloom_add(&fixture->sketch, fixture->head, body, hash, 0, &found,
                                   &fixture->error);
    }
}

static void clear_read(struct fixture *fixture)
{
    memset(fixture->read_head, 0, sizeof(fixture->read_head));
    mr_sketch_scratch_init(&fixture->read, &fixture->arena, fixture->sketch.piece_bytes,
                           fixture->sketch.pieces_max);
}

static void open(struct fixture *fixture, uint32_t which, uint32_t values)
{
    memset(fixture, 0, sizeof(*fixture));
    mr_arena_init(&fixture->arena, 64 << 10);
    mr_buffer_init(&fixture->buffer, WRITTEN_BYTES_MAX);
    mr_buffer_init(&fixture->again, WRITTEN_BYTES_MAX);
    fixture->sketch = shape(which);
    mr_sketch_scratch_init(&fixture->scratch, &fixture->arena, fixture->sketch.piece_bytes,
                           fixture->sketch.pieces_max);
    struct mr_random random;
    mr_random_init(&random, which, values);
    for (uint32_t value = 0; value < values; value++)
        assert_int_equal(add(fixture, which, mr_random_below(&random, 300)), MR_OK);
    assert_int_equal(mr_sketch_write(&fixture->sketch, fixture->head, &fixture->scratch.body,
                                     &fixture->buffer, &fixture->error),
                     MR_OK);
    clear_read(fixture);
}

static void close(struct fixture *fixture)
{
    mr_buffer_deinit(&fixture->buffer);
    mr_buffer_deinit(&fixture->again);
    mr_arena_deinit(&fixture->arena);
}

static enum mr_status read(struct fixture *fixture, struct mr_slice bytes)
{
    return mr_sketch_read(&fixture->sketch, bytes, fixture->read_head, &fixture->read.body,
                          &fixture->error);
}

static void bytes_go_round(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 10, 29, 400};
    for (uint32_t which = 0; which < SKETCHES; which++)
        for (uint32_t index = 0; index < MR_ARRAY_COUNT(counts); index++) {
            struct fixture fixture;
            open(&fixture, which, counts[index]);
            assert_int_equal(read(&fixture, mr_buffer_view(&fixture.buffer)), MR_OK);
            assert_memory_equal(fixture.head, fixture.read_head, sizeof(fixture.head));
            assert_int_equal(mr_sketch_write(&fixture.sketch, fixture.read_head, &fixture.read.body,
                                             &fixture.again, &fixture.error),
                             MR_OK);
            assert_true(
                mr_slice_equal(mr_buffer_view(&fixture.buffer), mr_buffer_view(&fixture.again)));
            close(&fixture);
        }
}

/* Any flipped bit, and any end that is missing. */
static void damage_is_refused(void **state)
{
    (void)state;
    for (uint32_t which = 0; which < SKETCHES; which++) {
        struct fixture fixture;
        open(&fixture, which, 100);
        struct mr_random random;
        mr_random_init(&random, 7, which);
        for (uint32_t round = 0; round < 300; round++) {
            size_t byte = mr_random_below(&random, fixture.buffer.size);
            uint8_t bit = (uint8_t)(1u << mr_random_below(&random, 8));
            fixture.buffer.data[byte] ^= bit;
            assert_int_equal(read(&fixture, mr_buffer_view(&fixture.buffer)), MR_CORRUPT);
            fixture.buffer.data[byte] ^= bit;
            size_t size = mr_random_below(&random, fixture.buffer.size);
            assert_int_equal(read(&fixture, mr_slice_from(fixture.buffer.data, size)), MR_CORRUPT);
        }
        assert_int_equal(read(&fixture, (struct mr_slice){0}), MR_CORRUPT);
        close(&fixture);
    }
}

/* Change bytes and make the hash fit: what damage by chance is not. */
static void forge(struct fixture *fixture, size_t place, const void *bytes, size_t size)
{
    uint8_t *data = fixture->buffer.data;
    memcpy(data + place, bytes, size);
    size_t hashed = fixture->buffer.size - HASH_BYTES;
    uint64_t hash = mr_hash64(mr_slice_from(data, hashed));
    memcpy(data + hashed, &hash, sizeof(hash));
}

static void other_sketches_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    open(&fixture, 0, 100);
    fixture.sketch = mr_sketch_cardinality(11, PIECE_BYTES);
    assert_int_equal(read(&fixture, mr_buffer_view(&fixture.buffer)), MR_INVALID);
    assert_non_null(strstr(fixture.error.message, "merge sketches of one shape only"));
    fixture.sketch = mr_sketch_quantile(PIECE_BYTES);
    assert_int_equal(read(&fixture, mr_buffer_view(&fixture.buffer)), MR_INVALID);
    close(&fixture);
    open(&fixture, 0, 100);
    const uint32_t newer = MR_SKETCH_VERSION + 1;
    const uint32_t none = 0;
    forge(&fixture, 4, &newer, sizeof(newer));
    assert_int_equal(read(&fixture, mr_buffer_view(&fixture.buffer)), MR_VERSION);
    forge(&fixture, 4, &none, sizeof(none));
    assert_int_equal(read(&fixture, mr_buffer_view(&fixture.buffer)), MR_CORRUPT);
    close(&fixture);
}

/* Bytes with a right hash that no sketch has: each field that counts is made impossible. */
static void impossible_bytes_are_refused(void **state)
{
    (void)state;
    enum { HEAD = 28 };
    static const struct {
        uint32_t which;
        uint32_t values;
        size_t place;
        uint64_t bytes;
        uint32_t size;
    } cases[] = {
        {0, 10, HEAD, 2, 4},                      /* dense */
        {0, 10, HEAD + 4, 31, 4},                 /* entries */
        {0, 10, HEAD + 8, UINT32_MAX, 4},         /* an entry out of order */
        {0, 400, HEAD + 128 + 4, 0x40, 1},        /* a register's rank */
        {1, 10, HEAD, 17, 8},                     /* count */
        {1, 10, HEAD + 8, 0x7ff8000000000000, 8}, /* minimum: NaN */
        {1, 10, HEAD + 24, 33, 4},                /* pieces */
        {1, 400, HEAD, 401, 8},                   /* count */
        {1, 400, HEAD + 28, 99, 4},               /* joins */
        {2, 10, HEAD + 8, 21, 8},                 /* counters */
        {2, 400, HEAD + 16 + 4 + 8, 401, 8},      /* a count */
        {2, 400, HEAD + 16 + 4 + 8, 0, 8},        /* a count */
        {3, 10, HEAD, 0, 8},                      /* values */
        {3, 10, HEAD + 8 + 4, 5, 8},              /* a stamp */
        {3, 10, HEAD + 8, 5000, 4},               /* a piece's number */
        {3, 10, 24, 5000, 4},                     /* pieces */
    };
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct fixture fixture;
        open(&fixture, cases[index].which, cases[index].values);
        forge(&fixture, cases[index].place, &cases[index].bytes, cases[index].size);
        if (read(&fixture, mr_buffer_view(&fixture.buffer)) != MR_CORRUPT)
            fail_msg("case %u was taken", index);
        close(&fixture);
    }
}

static void a_small_buffer_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    open(&fixture, 0, 100);
    struct mr_buffer small;
    for (size_t size = 1; size < fixture.buffer.size; size += 97) {
        mr_buffer_init(&small, size);
        assert_int_equal(mr_sketch_write(&fixture.sketch, fixture.head, &fixture.scratch.body,
                                         &small, &fixture.error),
                         MR_LIMIT);
        mr_buffer_deinit(&small);
    }
    close(&fixture);
}

static void parts_lie_behind_each_other(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_sketch_scratch whole;
    struct mr_sketch_part part;
    struct mr_error error;
    uint8_t *bytes;
    mr_arena_init(&arena, 4096);
    mr_sketch_scratch_init(&whole, &arena, 256, 4);
    mr_sketch_part_init(&part, &whole.body, 2);
    assert_int_equal(part.body.piece_bytes, 256);
    assert_int_equal(part.body.piece(&part.body, 1, true, &bytes, &error), MR_OK);
    assert_ptr_equal(bytes, whole.pieces[3]);
    assert_null(whole.pieces[1]);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_round),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(other_sketches_are_refused),
        cmocka_unit_test(impossible_bytes_are_refused),
        cmocka_unit_test(a_small_buffer_is_refused),
        cmocka_unit_test(parts_lie_behind_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
