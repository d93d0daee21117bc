/* tests/unit/operators/test_learned_models.c — models in state: blocks, restores, more keys than
 * expanded models, and stored bytes; through generate.copula. */
#include "operators/learned_models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.copula, learn: in, key: [k], fields: [value], %s}\n",
             options);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
}

/* Rows of so many keys in turn; their numbers repeat after a while. */
static void feed(struct harness *harness, uint32_t first, uint32_t count, uint32_t keys_count)
{
    for (uint32_t row = first; row < first + count; row++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", row % keys_count);
        struct harness_row one =
            harness_row(row, key, mr_value_double((double)(row / keys_count * 37 % 101)));
        harness_feed(harness, 0, &one, 1);
    }
}

static void entries_come_back(void **state)
{
    MR_UNUSED(state);
    const uint8_t stored[MR_LEARNED_ENTRY_BYTES] = {[0] = 9, [8] = 2, [16] = 3, [56] = 1, [60] = 5};
    struct mr_learned_entry entry;
    assert_true(mr_learned_entry_decode(&entry, MR_LEARNED_ENTRY_VERSION,
                                        mr_slice_from(stored, sizeof(stored))));
    assert_true(entry.seen == 9 && entry.blocks == 2 && entry.made == 3);
    assert_true(entry.pending_rows == 1 && entry.pending_bytes == 5);
    assert_false(mr_learned_entry_decode(&entry, MR_LEARNED_ENTRY_VERSION + 1,
                                         mr_slice_from(stored, sizeof(stored))));
    assert_false(mr_learned_entry_decode(&entry, MR_LEARNED_ENTRY_VERSION,
                                         mr_slice_from(stored, sizeof(stored) - 1)));
    const uint8_t many[MR_LEARNED_ENTRY_BYTES] = {[57] = 1}; /* 256 rows wait */
    assert_false(mr_learned_entry_decode(&entry, MR_LEARNED_ENTRY_VERSION,
                                         mr_slice_from(many, sizeof(many))));
}

/* More keys than models that are kept expanded: what comes out is the same as from a new start
 * after each row. */
static void what_is_expanded_does_not_show(void **state)
{
    MR_UNUSED(state);
    static const char options[] = "learn_batch: 3, min_records: 3, reservoir: 16";
    struct harness harness;
    struct harness other;
    open(&harness, options);
    open(&other, options);
    for (uint32_t row = 0; row < 3000; row += 250) {
        feed(&harness, row, 250, 300);
        feed(&other, row, 250, 300);
        harness_commit(&other);
        harness_restore(&other);
    }
    assert_true(strlen(harness_output(&harness, 0)) > 100);
    assert_string_equal(harness_output(&harness, 0), harness_output(&other, 0));
    harness_close(&harness);
    harness_close(&other);
}

/* A long text fills the waiting rows' room before there are enough rows. */
static void long_rows_are_learned_sooner(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    char text[2048] = "    - {name: op, type: generate.copula, learn: in, key: [k], fields: [value";
    for (int field = 1; field < 60; field++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), ", f%d", field);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "], min_records: 1}\n");
    harness_open(&harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    feed(&harness, 0, 255, 1);
    assert_int_equal(harness.emitted_count[0], 0);
    feed(&harness, 255, 2, 1);
    assert_int_equal(harness.emitted_count[0], 1);
    harness_close(&harness);
}

static void stored_bytes_are_as_written(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 3, min_records: 3, reservoir: 16");
    feed(&harness, 0, 8, 1);
    harness_commit(&harness);
    harness_check_golden(&harness, "generate_copula_v1");
    harness_close(&harness);
    /* It goes on from those bytes. */
    open(&harness, "learn_batch: 3, min_records: 3, reservoir: 16");
    harness_load_golden(&harness, "generate_copula_v1");
    feed(&harness, 8, 1, 1);
    assert_int_equal(harness.emitted_count[0], 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_back),
        cmocka_unit_test(what_is_expanded_does_not_show),
        cmocka_unit_test(long_rows_are_learned_sooner),
        cmocka_unit_test(stored_bytes_are_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
