/* tests/unit/operators/test_generate_datagen.c — the same records however they are cut and however
 * many partitions make them, and the first ones' bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { NOW_MS = 1700000000 };

#define FIELDS                                                                                     \
    "fields: [{name: id, rule: sequence, first: 100}, {name: who, rule: zipf, minimum: 1, "        \
    "maximum: 1000}, {name: m, rule: integer, maximum: 9}, {name: level, rule: normal, "           \
    "null_share: 0.2}, "                                                                           \
    "{name: sku, rule: regex, pattern: '[A-Z]{2}[0-9]{2}'}, {name: room, rule: choice, values: "   \
    "[a, b, c], weights: [5, 2, 1]}, {name: text, rule: template, text: '{room}/{sku}'}, "         \
    "{name: uid, rule: uuid}, {name: ts, rule: time}]"

static void open_made(struct harness *harness, int32_t partition, int32_t partitions)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "    - {name: made, type: generate.datagen, seed: 4, count: 3000, partitions: %d, "
             "%s}\n",
             partitions, FIELDS);
    harness_open_sources(harness, text, "", "    - {name: out, type: memory, from: made}\n", "made",
                         partition, partitions);
}

static void make_all(struct harness *harness, uint32_t rows_max)
{
    int64_t position = 0;
    int64_t due_ms = 0;
    while (harness_generate(harness, position, NOW_MS, rows_max, &position, &due_ms) == MR_OK) {
    }
}

static void records_do_not_depend_on_cuts(void **state)
{
    MR_UNUSED(state);
    struct harness harness[2];
    for (int index = 0; index < 2; index++) {
        open_made(&harness[index], 0, 1);
        make_all(&harness[index], index == 0 ? 4096 : 37);
        assert_int_equal(harness[index].emitted_count[0], 3000);
    }
    assert_string_equal(harness_output(&harness[0], 0), harness_output(&harness[1], 0));
    harness_close(&harness[0]);
    harness_close(&harness[1]);
}

/* Record 7 of one partition is record 1 of the last of four. */
static void partitions_share_the_records(void **state)
{
    MR_UNUSED(state);
    struct harness one;
    struct harness last;
    open_made(&one, 0, 1);
    open_made(&last, 3, 4);
    one.keeps_last = last.keeps_last = true;
    static const char *const fields[] = {"id", "who", "m", "sku", "room", "text", "uid", "ts"};
    for (int64_t position = 0; position < 50; position++) {
        int64_t next;
        int64_t due_ms;
        assert_int_equal(harness_generate(&one, position * 4 + 3, NOW_MS, 1, &next, &due_ms),
                         MR_OK);
        assert_int_equal(harness_generate(&last, position, NOW_MS, 1, &next, &due_ms), MR_OK);
        for (size_t at = 0; at < sizeof(fields) / sizeof(fields[0]); at++)
            assert_true(mr_value_equal(harness_field(&one, 0, fields[at]),
                                       harness_field(&last, 0, fields[at])));
    }
    harness_close(&one);
    harness_close(&last);
}

/* A change of these bytes changes what users' topologies make: it needs a reason. */
static void the_first_records_stay(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    int64_t next;
    int64_t due_ms;
    open_made(&harness, 0, 1);
    assert_int_equal(harness_generate(&harness, 0, NOW_MS, 5, &next, &due_ms), MR_OK);
    harness_check_golden(&harness, "generate.datagen");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_do_not_depend_on_cuts),
        cmocka_unit_test(partitions_share_the_records),
        cmocka_unit_test(the_first_records_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
