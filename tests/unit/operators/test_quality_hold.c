/* tests/unit/operators/test_quality_hold.c — what waits leaves nothing behind, values are told
 * apart exactly, records keep the place that they came from. */
#include "operators/quality_hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { LONG_BYTES = 9000 };

static void open_unique(struct harness *harness, const char *field)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: quality.checkpoint, from: in, key: [], window: {count: 4}, "
             "checks: [{name: once, field: %s, expect: unique}]}\n",
             field);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: bad, type: memory, from: op.fail}\n",
                 "op");
    harness->keeps_last = true;
}

/* Two values in a batch of four; whether the second is a repetition. */
static bool repeats(struct mr_value first, struct mr_value second)
{
    struct harness harness;
    open_unique(&harness, "value");
    struct harness_row rows[4] = {harness_row(0, "a", first), harness_row(1, "a", second),
                                  harness_row(2, "a", mr_value_null()),
                                  harness_row(3, "a", mr_value_null())};
    harness_feed(&harness, 0, rows, 4);
    harness_commit(&harness);
    assert_int_equal(harness.emitted_count[0] + harness.emitted_count[1], 4);
    bool repeated = harness.emitted_count[1] == 4;
    harness_close(&harness);
    return repeated;
}

static struct mr_value text(const char *value)
{
    return mr_value_string(mr_slice_text(value));
}

static void values_are_told_apart(void **state)
{
    MR_UNUSED(state);
    static char left[LONG_BYTES];
    static char right[LONG_BYTES];
    memset(left, 'x', LONG_BYTES - 1);
    memcpy(right, left, LONG_BYTES);
    assert_true(repeats(text(left), text(right)));
    right[LONG_BYTES - 2] = 'y';
    assert_false(repeats(text(left), text(right)));
    assert_true(repeats(mr_value_double(1), mr_value_int(1)));
    assert_true(repeats(mr_value_double(0), mr_value_double(-0.0)));
    assert_false(repeats(mr_value_double(1), text("1")));
    assert_false(repeats(mr_value_bool(true), text("true")));
    assert_true(repeats(text(""), text("")));
    assert_false(repeats(text("a"), text("b")));
    assert_true(repeats(mr_value_double((double)__builtin_nan("")),
                        mr_value_double((double)__builtin_nan(""))));
    assert_false(repeats(mr_value_null(), mr_value_null()));
}

static void a_unit_leaves_nothing_behind(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    open_unique(&harness, "value");
    for (uint32_t round = 0; round < 3; round++) {
        struct harness_row rows[4];
        for (uint32_t row = 0; row < 4; row++)
            rows[row] = harness_row(4 * round + row, "a", mr_value_double(row));
        harness_feed(&harness, 0, rows, 3);
        harness_commit(&harness);
        harness_restore(&harness);
        harness_feed(&harness, 0, rows + 3, 1);
        harness_commit(&harness);
    }
    assert_int_equal(harness.emitted_count[0], 12); /* of another unit nothing is seen */
    uint32_t lines = 0;
    for (const char *byte = harness_dump(&harness, &arena); *byte != '\0'; byte++)
        lines += *byte == '\n';
    assert_in_range(lines, 1, 8); /* the key's entry, the next number, counters of tables */
    harness_close(&harness);
    mr_arena_deinit(&arena);
}

static void records_keep_their_place(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: quality.checkpoint, from: in, key: [k], window: {count: "
                 "2}, checks: [{name: high, field: value, expect: between, min: 5}]}\n",
                 "    - {name: out, type: memory, from: op.fail}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness.keeps_last = true;
    struct harness_row rows[2] = {harness_row(40, "a", mr_value_double(7)),
                                  harness_row(41, "a", mr_value_double(1))};
    harness_feed(&harness, 0, rows, 1);
    harness_commit(&harness);
    harness_restore(&harness);
    harness_feed(&harness, 0, rows + 1, 1);
    assert_string_equal(harness_offsets(&harness, 1), "40 41");
    struct mr_value source = harness_field(&harness, 2, "source");
    assert_int_equal(source.kind, MR_KIND_MAP);
    assert_int_equal(source.entries[2].value.integer, 41);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_told_apart),
        cmocka_unit_test(a_unit_leaves_nothing_behind),
        cmocka_unit_test(records_keep_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
