/* tests/unit/operators/test_publication.c — what has changed is told soon, once, and no more often
 * than asked, also over restarts; driven through model.merge, which does nothing else by the clock.
 */
#include "operators/publication.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/learned_snapshot.h"
#include "tests/support/operator_harness.h"

static struct mr_arena arena;

static struct mr_value snapshot(void)
{
    const struct mr_copula_shape shape = {.columns_count = 1, .reservoir_rows = 16};
    struct mr_value cells[3] = {mr_value_double(1), mr_value_double(2), mr_value_double(3)};
    struct mr_copula copula;
    struct mr_copula_work work;
    uint8_t *bytes = mr_arena_take(&arena, MR_SNAPSHOT_HEAD_BYTES + mr_copula_bytes_max(&shape));
    mr_copula_create(&copula, &shape);
    mr_copula_work_create(&work, 1);
    (void)mr_copula_learn(&copula, &work, cells, 3, 0);
    bytes[0] = 1;
    bytes[1] = 1;
    mr_put_u16le(bytes + 2, 1);
    mr_put_u32le(bytes + 4, 16);
    mr_put_u64le(bytes + 8, mr_hash64_seeded(mr_slice_text("value"), 0));
    size_t size =
        MR_SNAPSHOT_HEAD_BYTES + mr_copula_encode(&copula, bytes + MR_SNAPSHOT_HEAD_BYTES);
    mr_copula_work_destroy(&work);
    mr_copula_destroy(&copula);
    return mr_value_bytes(mr_slice_from(bytes, size));
}

static void feed(struct harness *harness, const char *key, int64_t blocks, int64_t now_ms)
{
    struct harness_row row = {
        .offset = blocks,
        .cells = {{"k", mr_value_string(mr_slice_text(key))},
                  {"learner", mr_value_string(mr_slice_text("op/0"))},
                  {"blocks", mr_value_int(blocks)},
                  {"part", mr_value_int(1)},
                  {"parts", mr_value_int(1)},
                  {"snapshot", snapshot()}},
    };
    harness->context.now_ms = now_ms;
    harness_feed(harness, 0, &row, 1);
}

static void changes_are_told_once_and_not_too_often(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    mr_arena_init(&arena, 1 << 16);
    harness_open(&harness,
                 "    - {name: op, type: model.merge, from: in, key: [k], fields: [value], "
                 "reservoir: 16, publish: {every: 1s}}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    assert_true(harness_wall(&harness, 1000) == INT64_MAX);
    feed(&harness, "a", 1, 1000);
    feed(&harness, "b", 1, 1000);
    assert_true(harness_wall(&harness, 1000) == INT64_MAX);
    assert_int_equal(harness.emitted_count[0], 2);
    /* Changes within the second are told at its end, together. */
    feed(&harness, "a", 2, 1300);
    feed(&harness, "a", 3, 1600);
    assert_true(harness_wall(&harness, 1600) == 2000);
    assert_int_equal(harness.emitted_count[0], 2);
    harness_commit(&harness);
    harness_restore(&harness);
    assert_true(harness_wall(&harness, 1900) == 2000);
    assert_int_equal(harness.emitted_count[0], 2);
    assert_true(harness_wall(&harness, 2000) == INT64_MAX);
    assert_int_equal(harness.emitted_count[0], 3);
    /* What changes later than that is told at once. */
    feed(&harness, "a", 4, 9000);
    assert_true(harness_wall(&harness, 9000) == INT64_MAX);
    assert_int_equal(harness.emitted_count[0], 4);
    harness_commit(&harness);
    harness_restore(&harness);
    assert_true(harness_wall(&harness, 99000) == INT64_MAX);
    assert_int_equal(harness.emitted_count[0], 4);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told_once_and_not_too_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
