/* tests/support/detector_parity.c — see detector_parity.h. */
#include "tests/support/detector_parity.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { ROWS_COUNT = 3000, KEYS_COUNT = 3 };

struct parity {
    double scores[ROWS_COUNT];
    double firsts[ROWS_COUNT];
    double seconds[ROWS_COUNT];
    uint32_t slots[3];
};

/* One key is calm around a large level, one has spikes, one a step and then equal values. */
static double make_value(uint32_t index, struct mr_random *random)
{
    switch (index % KEYS_COUNT) {
    case 0:
        return 1e4 + 0.5 * mr_random_normal(random);
    case 1:
        return mr_random_below(random, 50) == 0 ? 1e7 * mr_random_normal(random)
                                                : mr_random_normal(random);
    default:
        return index < ROWS_COUNT / 2 ? 5 * mr_random_double(random) : 800.25;
    }
}

static void collect(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    struct parity *parity = argument;
    MR_UNUSED(harness);
    if (output != 0)
        return;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        int64_t place = view.batch->offsets[row];
        parity->scores[place] = view.batch->columns[parity->slots[0]][row].number;
        parity->firsts[place] = view.batch->columns[parity->slots[1]][row].number;
        parity->seconds[place] = view.batch->columns[parity->slots[2]][row].number;
    }
}

static void assert_close(uint32_t row, const char *what, double expected, double found)
{
    double scale = fabs(expected) > 1 ? fabs(expected) : 1;
    if (!(fabs(expected - found) <= 1e-9 * scale))
        fail_msg("row %u: %s is %.17g, the reference says %.17g", row, what, found, expected);
}

/* Run the reference over values; false: there is no Python. */
static bool run_reference(const char *arguments, const double *values, struct parity *expected)
{
    if (system("python3 -c pass >/dev/null 2>&1") != 0)
        return false;
    char input[] = "/tmp/mr-parity-XXXXXX";
    int descriptor = mkstemp(input);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    for (uint32_t row = 0; row < ROWS_COUNT; row++)
        fprintf(file, "k%u %.17g\n", row % KEYS_COUNT, values[row]);
    assert_int_equal(fclose(file), 0);
    char command[1024];
    snprintf(command, sizeof(command),
             "python3 -B '%s/tests/support/detector_reference.py' %s < %s", MR_SOURCE_DIR,
             arguments, input);
    FILE *reference = popen(command, "r");
    assert_non_null(reference);
    for (uint32_t row = 0; row < ROWS_COUNT; row++)
        if (fscanf(reference, "%lf %lf %lf", &expected->scores[row], &expected->firsts[row],
                   &expected->seconds[row]) != 3)
            fail_msg("the reference ended at row %u", row);
    assert_int_equal(pclose(reference), 0);
    unlink(input);
    return true;
}

void detector_parity(const char *type, const char *options, const char *arguments,
                     const char *first, const char *second)
{
    static double values[ROWS_COUNT];
    static struct harness_row rows[ROWS_COUNT];
    static struct parity expected;
    static struct parity found;
    static const char *const keys[KEYS_COUNT] = {"k0", "k1", "k2"};
    struct mr_random random;
    mr_random_init(&random, 99, 0);
    for (uint32_t row = 0; row < ROWS_COUNT; row++) {
        values[row] = make_value(row, &random);
        rows[row] = (struct harness_row){
            .offset = row,
            .event_time_ms = row,
            .cells = {{"k", mr_value_string(mr_slice_text(keys[row % KEYS_COUNT]))},
                      {"value", mr_value_double(values[row])}}};
    }
    if (!run_reference(arguments, values, &expected)) {
        print_message("SKIPPED: there is no python3 to run the reference of %s\n", type);
        skip();
    }
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: %s, from: in, key: [k], field: value, %s}\n", type, options);
    struct harness harness;
    harness_open_sources(&harness, "    - {name: in, type: memory, key: [k]}\n", text,
                         "    - {name: out, type: memory, from: op}\n", "op", 0, 1);
    found.slots[0] = harness_added_slot(&harness, "score");
    found.slots[1] = harness_added_slot(&harness, first);
    found.slots[2] = harness_added_slot(&harness, second);
    harness.quiet = true;
    harness.on_emit = collect;
    harness.on_emit_argument = &found;
    harness_feed(&harness, 0, rows, ROWS_COUNT);
    assert_int_equal(harness.emitted_count[0], ROWS_COUNT);
    for (uint32_t row = 0; row < ROWS_COUNT; row++) {
        assert_close(row, first, expected.firsts[row], found.firsts[row]);
        assert_close(row, second, expected.seconds[row], found.seconds[row]);
        assert_close(row, "score", expected.scores[row], found.scores[row]);
    }
    harness_close(&harness);
}
