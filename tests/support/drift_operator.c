/* tests/support/drift_operator.c — see drift_operator.h. */
#include "tests/support/drift_operator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { GOLDEN_RECORDS = 70, LATER_RECORDS = 40 };

static void make_text(char *text, size_t size, const char *type, const char *options)
{
    snprintf(text, size, "    - {name: op, type: %s, from: in, key: [k], field: value%s}\n", type,
             options);
}

void drift_operator_open(struct harness *harness, const char *type, const char *options)
{
    char text[512];
    make_text(text, sizeof(text), type, options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

void drift_operator_feed(struct harness *harness, struct mr_value value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", value);
    harness_feed(harness, 0, &row, 1);
}

void drift_operator_refuses(const char *type, const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    make_text(text, sizeof(text), type, options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("found instead: %s", findings);
    mr_arena_deinit(&arena);
}

/* Numbers that every detector reads. */
static struct mr_value golden_value(uint32_t record)
{
    return mr_value_int(record * record % 7 == 2 || record > GOLDEN_RECORDS ? 1 : 0);
}

void drift_operator_golden(const char *type, const char *options, const char *name)
{
    struct harness undisturbed;
    struct harness loaded;
    drift_operator_open(&undisturbed, type, options);
    for (uint32_t record = 0; record < GOLDEN_RECORDS; record++)
        drift_operator_feed(&undisturbed, golden_value(record));
    harness_commit(&undisturbed);
    harness_check_golden(&undisturbed, name);
    drift_operator_open(&loaded, type, options);
    harness_load_golden(&loaded, name);
    for (uint32_t record = GOLDEN_RECORDS; record < GOLDEN_RECORDS + LATER_RECORDS; record++) {
        drift_operator_feed(&undisturbed, golden_value(record));
        drift_operator_feed(&loaded, golden_value(record));
        assert_true(harness_member(&undisturbed, "score").number ==
                    harness_member(&loaded, "score").number);
        assert_true(harness_member(&undisturbed, "width").integer ==
                    harness_member(&loaded, "width").integer);
    }
    assert_true(harness_member(&loaded, "width").integer > 0);
    harness_close(&undisturbed);
    harness_close(&loaded);
}

void drift_operator_reads_errors(const char *type, bool half_is_fine)
{
    struct harness harness;
    drift_operator_open(&harness, type, "");
    drift_operator_feed(&harness, mr_value_bool(true));
    assert_true(harness_member(&harness, "estimation").number == 1);
    drift_operator_feed(&harness, mr_value_bool(false));
    drift_operator_feed(&harness, mr_value_uint(1));
    drift_operator_feed(&harness, mr_value_double(-0.0));
    assert_int_equal(harness.errors_count, 0);
    drift_operator_feed(&harness, mr_value_double(0.5));
    assert_int_equal(harness.errors_count, half_is_fine ? 0 : 1);
    drift_operator_feed(&harness, mr_value_int(2));
    assert_int_equal(harness.errors_count, half_is_fine ? 1 : 2);
    assert_non_null(strstr(harness_errors(&harness), half_is_fine
                                                         ? "field value is 2, not from 0 to 1"
                                                         : "field value is 0.5, not 0 or 1"));
    assert_int_equal(harness_member(&harness, "width").integer, half_is_fine ? 5 : 4);
    harness_close(&harness);
}
