/* tests/unit/operators/test_learned_snapshot.c — snapshots from outside: what is another learner's,
 * or damaged, is refused, and what is accepted can be merged and written. */
#include "operators/learned_snapshot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/sample_model.h"
#include "operators/sample_model_copula.h"
#include "tests/support/copula_rows.h"
#include "tests/support/operator_harness.h"

enum { RESERVOIR = 256, DOCUMENT_BYTES_MAX = 4 << 20 };

static const char *const names[] = {"a", "b", "c", "d", "e", "f"};

struct fixture {
    struct harness harness;
    const struct mr_options *options;
    struct copula_fixture copula;
    struct mr_copula read;
    uint8_t *bytes;
    size_t size;
};

static void open_fixture(struct fixture *fixture, const char *options)
{
    char text[512];
    struct copula_rows rows;
    memset(fixture, 0, sizeof(*fixture));
    snprintf(text, sizeof(text),
             "    - {name: one, type: generate.copula, learn: in, key: [k], publish: {}, fields: "
             "[a, b, c, d, e, f], reservoir: 256}\n"
             "    - {name: op, type: model.merge, from: one.models, key: [k], %s}\n",
             options);
    harness_open(&fixture->harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    fixture->options = &fixture->harness.node->options;
    copula_rows_make(&rows, 2000, 3, 0);
    copula_fixture_open(&fixture->copula, RESERVOIR);
    copula_fixture_learn(&fixture->copula, &rows, 100, 0.001);
    copula_rows_free(&rows);
    struct mr_copula_shape shape = mr_snapshot_shape(fixture->options);
    mr_copula_create(&fixture->read, &shape);
    fixture->bytes = mr_memory_new(
        MR_SNAPSHOT_HEAD_BYTES + mr_copula_bytes_max(&fixture->copula.model.shape), 1);
    fixture->size = mr_snapshot_write(fixture->options, &fixture->copula.model, fixture->bytes);
}

static void close_fixture(struct fixture *fixture)
{
    mr_copula_destroy(&fixture->read);
    mr_memory_free(fixture->bytes);
    copula_fixture_close(&fixture->copula);
    harness_close(&fixture->harness);
}

static void what_is_written_reads_as_the_same(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    struct mr_error error = {0};
    open_fixture(&fixture, "fields: [a, b, c, d, e, f], reservoir: 256");
    assert_true(fixture.size <= mr_snapshot_bytes_max(fixture.options));
    assert_int_equal(mr_snapshot_read(fixture.options, mr_slice_from(fixture.bytes, fixture.size),
                                      &fixture.read, &error),
                     MR_OK);
    uint8_t *again = mr_memory_new(fixture.size, 1);
    assert_int_equal(mr_snapshot_write(fixture.options, &fixture.read, again), fixture.size);
    assert_memory_equal(again, fixture.bytes, fixture.size);
    mr_memory_free(again);
    assert_int_equal(mr_snapshot_parts(1), 1);
    assert_int_equal(mr_snapshot_parts(MR_SNAPSHOT_PART_BYTES), 1);
    assert_int_equal(mr_snapshot_parts(MR_SNAPSHOT_PART_BYTES + 1), 2);
    close_fixture(&fixture);
}

static void refuse(struct fixture *fixture, size_t size, const char *sentence)
{
    struct mr_error error = {0};
    assert_int_equal(mr_snapshot_read(fixture->options, mr_slice_from(fixture->bytes, size),
                                      &fixture->read, &error),
                     MR_INVALID);
    if (strstr(error.message, sentence) == NULL)
        fail_msg("%s", error.message);
    assert_int_equal(fixture->read.rows, 0);
}

static void other_shapes_are_refused(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    open_fixture(&fixture, "fields: [a, b, c, d, e, f], reservoir: 512");
    refuse(&fixture, fixture.size, "has a reservoir of 256 rows, not of 512");
    close_fixture(&fixture);
    open_fixture(&fixture, "fields: [a, b, c, d, f, e], reservoir: 256");
    fixture.bytes[8] ^= 1; /* as of a learner of other names */
    refuse(&fixture, fixture.size, "has 6 fields and others than `fields`");
    close_fixture(&fixture);
    open_fixture(&fixture, "fields: [a], reservoir: 256");
    refuse(&fixture, fixture.size, "has 6 fields and others than `fields`");
    fixture.bytes[0] = 2;
    refuse(&fixture, fixture.size, "is none that this version knows");
    refuse(&fixture, 3, "is none that this version knows");
    close_fixture(&fixture);
}

static void numbers_that_are_not_sound_are_refused(void **state)
{
    MR_UNUSED(state);
    static const double odd[] = {(double)NAN, (double)INFINITY, -1e300, -1};
    struct fixture fixture;
    open_fixture(&fixture, "fields: [a, b, c, d, e, f], reservoir: 256");
    for (size_t index = 0; index < MR_ARRAY_COUNT(odd); index++) /* the weight of all rows */
    {
        double before = mr_get_double_le(fixture.bytes + MR_SNAPSHOT_HEAD_BYTES + 16);
        mr_put_double_le(fixture.bytes + MR_SNAPSHOT_HEAD_BYTES + 16, odd[index]);
        refuse(&fixture, fixture.size, "the snapshot is damaged");
        mr_put_double_le(fixture.bytes + MR_SNAPSHOT_HEAD_BYTES + 16, before);
    }
    refuse(&fixture, fixture.size - 1, "the snapshot is damaged");
    close_fixture(&fixture);
}

/* Whatever bits are turned over: it is refused, or merges into what can be written and read. */
static void damaged_snapshots_do_no_harm(void **state)
{
    MR_UNUSED(state);
    enum { TRIES = 300 };
    struct fixture fixture;
    struct mr_random random;
    struct mr_buffer document;
    uint32_t accepted = 0;
    open_fixture(&fixture, "fields: [a, b, c, d, e, f], reservoir: 256");
    mr_buffer_init(&document, DOCUMENT_BYTES_MAX);
    mr_random_init(&random, 11, 0);
    uint8_t *copy = mr_memory_new(fixture.size, 1);
    memcpy(copy, fixture.bytes, fixture.size);
    struct mr_slice bytes = mr_slice_from(copy, fixture.size);
    struct mr_copula whole = {0};
    mr_copula_create(&whole, &fixture.read.shape);
    for (uint32_t number = 0; number < TRIES; number++) {
        struct mr_error error = {0};
        memcpy(copy, fixture.bytes, fixture.size);
        for (uint64_t changes = 1 + mr_random_below(&random, 3); changes > 0; changes--)
            copy[mr_random_below(&random, fixture.size)] ^=
                (uint8_t)(1u << mr_random_below(&random, 8));
        if (mr_snapshot_read(fixture.options, bytes, &fixture.read, &error) != MR_OK)
            continue;
        accepted++;
        assert_int_equal(mr_snapshot_read(fixture.options,
                                          mr_slice_from(fixture.bytes, fixture.size), &whole,
                                          &error),
                         MR_OK);
        mr_copula_merge(&whole, &fixture.copula.work, &fixture.read);
        mr_buffer_clear(&document);
        assert_int_equal(
            mr_sample_copula_write(&whole, &fixture.copula.work, "t", 1, names, &document, &error),
            MR_OK);
    }
    assert_in_range(accepted, 1, TRIES);
    mr_copula_destroy(&whole);
    mr_memory_free(copy);
    mr_buffer_deinit(&document);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_as_the_same),
        cmocka_unit_test(other_shapes_are_refused),
        cmocka_unit_test(numbers_that_are_not_sound_are_refused),
        cmocka_unit_test(damaged_snapshots_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
