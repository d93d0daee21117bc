/* tests/unit/operators/test_detect_spectral_residual.c — detect.spectral_residual: a spike is
 * found, the window as it goes round, options, stored bytes. The scores:
 * test_spectral_residual.c; parity with numpy: tests/detectors. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/spectral_residual.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(
        text, sizeof(text),
        "    - {name: op, type: detect.spectral_residual, from: in, key: [k], field: value%s}\n",
        options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, double value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static double wave(int place)
{
    return 20 + 5 * sin(place * 0.3) + (double)(place * 37 % 11) / 10;
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.spectral_residual, from: in, key: [k], field: value, "
             "%s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void a_spike_is_found(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", window_size: 128");
    for (int place = 0; place < 400; place++) {
        feed(&harness, wave(place));
        bool learns = place < 128 - MR_SPECTRAL_AHEAD - 1;
        assert_text(harness_member(&harness, "state"), learns ? "learning" : "armed");
        assert_true(harness_member(&harness, "score").number < 8);
    }
    feed(&harness, wave(400) + 20);
    assert_true(harness_member(&harness, "score").number > 12);
    assert_non_null(strstr((const char *)mr_value_text(harness_member(&harness, "reason")).data,
                           "of the 21 records before it"));
    harness_close(&harness);
}

/* Each record is judged as the newest of the last ones, wherever the ring begins. */
static void the_window_goes_round(void **state)
{
    MR_UNUSED(state);
    enum { SIZE = 32, COUNT = SIZE - MR_SPECTRAL_AHEAD };
    struct harness harness;
    struct mr_spectral_residual residual = {.size = SIZE, .smooth = 2, .local = 9};
    void *memory = mr_memory_new(1, mr_spectral_residual_bytes(SIZE));
    mr_spectral_residual_prepare(&residual, memory);
    open(&harness, ", window_size: 32, amplitude_window: 2, score_window: 9");
    for (int place = 0; place < 100; place++) {
        double numbers[COUNT];
        feed(&harness, wave(place));
        if (place + 1 < COUNT)
            continue;
        for (int index = 0; index < COUNT; index++)
            numbers[index] = wave(place + 1 - COUNT + index);
        double asked = mr_spectral_residual_judge(&residual, numbers).score;
        double found = harness_member(&harness, "score").number;
        assert_memory_equal(&asked, &found, sizeof(double));
    }
    mr_memory_free(memory);
    harness_close(&harness);
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("window_size: 100", "must be a power of two"));
    assert_true(refused("window_size: 16", "`score_window` (21) must be below"));
    assert_true(refused("amplitude_window: 16", "amplitude_window"));
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    double scores[2];
    for (int round = 0; round < 2; round++) {
        open(&harness, ", window_size: 64");
        for (int place = 0; round == 0 && place < 70; place++)
            feed(&harness, wave(place));
        harness_commit(&harness);
        if (round == 0)
            harness_check_golden(&harness, "detect_spectral_residual_v1");
        else
            harness_load_golden(&harness, "detect_spectral_residual_v1");
        feed(&harness, 90);
        scores[round] = harness_member(&harness, "score").number;
        harness_close(&harness);
    }
    assert_true(scores[0] > 3);
    assert_memory_equal(&scores[0], &scores[1], sizeof(double));
    open(&harness, ", window_size: 128");
    harness_load_golden(&harness, "detect_spectral_residual_v1");
    struct harness_row row = harness_row(1, "a", mr_value_double(1));
    struct mr_error error;
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "made with another `window_size`"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spike_is_found),
        cmocka_unit_test(the_window_goes_round),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
