/* tests/unit/operators/test_learned_rows.c — rows of learned models in batches: texts of one key's
 * model stay when another key's takes its place. */
#include "operators/learned_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { KEYS = 300 };

static void feed(struct harness *harness, uint32_t first, uint32_t count)
{
    static struct harness_row rows[4096];
    static char keys[4096][8];
    for (uint32_t index = 0; index < count; index++) {
        uint32_t number = first + index;
        snprintf(keys[index], sizeof(keys[index]), "k%u", number % KEYS);
        rows[index] = harness_row(number, keys[index], mr_value_double(1));
        /* Each key has one text, its own. */
        rows[index].cells[1] =
            (struct harness_cell){"value", mr_value_string(mr_slice_text(keys[index]))};
    }
    harness_feed(harness, 0, rows, count);
}

static void texts_are_those_of_the_key(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: generate.copula, learn: in, key: [k], fields: [value], "
                 "learn_batch: 2, min_records: 2, reservoir: 16}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    feed(&harness, 0, 2 * KEYS);
    feed(&harness, 2 * KEYS, 2 * KEYS);
    assert_int_equal(harness.emitted_count[0], 2 * KEYS);
    for (const char *line = harness_output(&harness, 0); *line != '\0';
         line = strchr(line, '\n') + 1) {
        char key[8];
        char text[8];
        assert_int_equal(sscanf(strstr(line, "0=string:'"),
                                "0=string:'%7[k0-9]'; 1=string:'%7[k0-9]", key, text),
                         2);
        assert_string_equal(key, text);
    }
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_are_those_of_the_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
