/* tests/unit/operators/test_sample_overlay.c — rows of a model with seasons, times and keys laid
 * over them, against the formula and against the rows without. */
#include "operators/sample_overlay.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/support/copula_rows.h"

enum { ROWS = 200, FIELDS = COPULA_ROWS_COLUMNS };

static struct copula_fixture fixture;
static struct mr_buffer plain;
static struct mr_error error;
static struct mr_arena arena;

static int setup(void **state)
{
    MR_UNUSED(state);
    struct copula_rows rows;
    copula_rows_make(&rows, 1000, 3, 0);
    copula_fixture_open(&fixture, 200);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&plain, 1 << 20);
    copula_fixture_document(&fixture, &plain);
    mr_arena_init(&arena, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    mr_buffer_deinit(&plain);
    copula_fixture_close(&fixture);
    return 0;
}

static struct mr_sample_model *model_with(const struct mr_sample_observed *observed)
{
    struct mr_sample_model *model;
    struct mr_buffer document;
    mr_buffer_init(&document, 1 << 20);
    assert_int_equal(mr_buffer_append(&document, plain.data, plain.size), MR_OK);
    assert_int_equal(mr_sample_observed_write(observed, &document, &error), MR_OK);
    assert_int_equal(mr_sample_model_read(mr_buffer_view(&document), &model, &error), MR_OK);
    mr_buffer_deinit(&document);
    return model;
}

static uint32_t field_of(const struct mr_sample_model *model, const char *name)
{
    const struct mr_sample_facts *facts = mr_sample_model_facts(model);
    for (uint32_t field = 0; field < facts->fields_count; field++)
        if (strcmp(facts->fields[field], name) == 0)
            return field;
    fail_msg("no field %s", name);
    return 0;
}

/* The rows of a model with what was seen, cells[field * ROWS + row]. */
static const struct mr_value *draw(const struct mr_sample_observed *observed, uint64_t first,
                                   const struct mr_sample_times *times)
{
    struct mr_sample_model *model = model_with(observed);
    struct mr_sample *sample;
    uint32_t fields = mr_sample_model_facts(model)->fields_count;
    struct mr_value *cells = mr_arena_new(&arena, (size_t)fields * ROWS, sizeof(*cells));
    assert_int_equal(mr_sample_open(model, mr_slice_text(""), 5, &sample, &error), MR_OK);
    mr_sample_cells_timed(sample, first, ROWS, times, &arena, cells);
    for (uint32_t cell = 0; cell < fields * ROWS; cell++)
        cells[cell] = mr_value_copy(&arena, cells[cell]); /* texts may be the model's */
    mr_sample_close(sample);
    mr_sample_model_destroy(model);
    return cells;
}

static uint32_t place_of(const char *name)
{
    struct mr_sample_model *model = model_with(&(struct mr_sample_observed){0});
    uint32_t field = field_of(model, name);
    mr_sample_model_destroy(model);
    return field;
}

static const struct mr_sample_series wave = {
    .field = "e",
    .lowest = -1e6,
    .highest = 1e6,
    .series = {.trend_per_hour = 0.5,
               .seasons_count = 2,
               .seasons = {{.period_ms = 60000, .amplitude = 3, .phase = 0.25},
                           {.period_ms = 7000, .amplitude = 1}}}};

static void seasons_are_added_at_the_rows_own_time(void **state)
{
    MR_UNUSED(state);
    int64_t times_ms[ROWS];
    for (int row = 0; row < ROWS; row++)
        times_ms[row] = 1700000000000 + row * 997;
    struct mr_sample_times times = {.origin_ms = 1700000000000, .times_ms = times_ms};
    struct mr_sample_observed observed = {.has_arrival = true, .series_count = 1, .series = &wave};
    uint32_t field = place_of("e");
    const struct mr_value *drawn = draw(&(struct mr_sample_observed){0}, 0, NULL);
    const struct mr_value *timed = draw(&observed, 0, &times);
    int compared = 0;
    for (uint32_t row = 0; row < ROWS; row++) {
        struct mr_value before = drawn[field * ROWS + row];
        struct mr_value after = timed[field * ROWS + row];
        assert_int_equal(before.kind, after.kind); /* what is missing stays so */
        if (before.kind != MR_KIND_DOUBLE)
            continue;
        double minutes = (double)times_ms[row] / 60000;
        double expected = 0.5 * row * 0.997 / 3600 +
                          3 * cos(2 * M_PI * (minutes - floor(minutes))) +
                          sin(2 * M_PI * (double)(times_ms[row] % 7000) / 7000);
        assert_true(fabs(after.number - before.number - expected) < 1e-6);
        compared++;
    }
    assert_true(compared > ROWS / 2);
    /* The other fields are as they were. */
    for (uint32_t other = 0; other < FIELDS; other++)
        for (uint32_t row = 0; row < ROWS && other != field; row++)
            assert_true(mr_value_equal(drawn[other * ROWS + row], timed[other * ROWS + row]));
}

static void values_have_their_digits_and_bounds(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_series one = wave;
    struct mr_sample_observed observed = {
        .has_arrival = true, .arrival = {.rate = 10}, .series_count = 1, .series = &one};
    one.has_decimals = true;
    one.decimals = 1;
    one.lowest = -1;
    one.highest = 1;
    one.series.trend_per_hour = 0;
    uint32_t field = place_of("e");
    const struct mr_value *cells = draw(&observed, 0, NULL);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct mr_value cell = cells[field * ROWS + row];
        if (cell.kind != MR_KIND_DOUBLE)
            continue;
        assert_true(cell.number >= -1 && cell.number <= 1);
        assert_true(nearbyint(cell.number * 10) / 10 == cell.number);
    }
    /* A trend leaves the bounds; nothing becomes infinite. */
    one.series.trend_per_hour = 1e300;
    cells = draw(&observed, (uint64_t)1 << 50, NULL);
    for (uint32_t row = 0; row < ROWS; row++)
        if (cells[field * ROWS + row].kind == MR_KIND_DOUBLE)
            assert_true(cells[field * ROWS + row].number == MR_SAMPLE_OBSERVED_NUMBER_MAX);
}

static void times_follow_the_rate_without_a_stream(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_observed observed = {
        .has_arrival = true, .arrival = {.rate = 4}, .begin_ms = 1700000000000, .time = "e"};
    uint32_t field = place_of("e");
    const struct mr_value *cells = draw(&observed, 8, NULL);
    for (uint32_t row = 0; row < ROWS; row++)
        assert_true(cells[field * ROWS + row].number == 1700000002000.0 + 250.0 * row);
    observed.time_is_text = true;
    cells = draw(&observed, 9, NULL);
    assert_true(mr_slice_equal(mr_value_text(cells[field * ROWS]),
                               mr_slice_text("2023-11-14T22:13:22.250Z")));
    observed.arrival.rate = 0; /* all at one time */
    cells = draw(&observed, 9, NULL);
    assert_true(mr_slice_equal(mr_value_text(cells[field * ROWS + 99]),
                               mr_slice_text("2023-11-14T22:13:20Z")));
}

static void keys_are_made_by_rank(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_observed observed = {.key = "e",
                                          .keys = {.count = 1000, .exponent = 1},
                                          .keys_origin = MR_SAMPLE_KEYS_NUMBERS,
                                          .keys_first = 70};
    uint32_t field = place_of("e");
    uint32_t of_first = 0;
    uint32_t made = 0;
    const struct mr_value *cells = draw(&observed, 0, NULL);
    const struct mr_value *drawn = draw(&(struct mr_sample_observed){0}, 0, NULL);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct mr_value cell = cells[field * ROWS + row];
        assert_int_equal(cell.kind, drawn[field * ROWS + row].kind);
        if (cell.kind == MR_KIND_NULL)
            continue;
        assert_true(cell.number >= 70 && cell.number < 1070);
        assert_true(cell.number == floor(cell.number));
        of_first += cell.number == 70;
        made++;
    }
    double share = (double)of_first / made; /* 1 / (sum of 1/k) = 0.134 */
    assert_true(share > 0.06 && share < 0.21);
    observed.keys_origin = MR_SAMPLE_KEYS_TEXTS;
    observed.keys_prefix = "user-";
    const struct mr_value *texts = draw(&observed, 0, NULL);
    for (uint32_t row = 0; row < ROWS; row++) {
        char expected[32];
        if (texts[field * ROWS + row].kind == MR_KIND_NULL)
            continue;
        snprintf(expected, sizeof(expected), "user-%.0f", cells[field * ROWS + row].number - 69);
        assert_true(
            mr_slice_equal(mr_value_text(texts[field * ROWS + row]), mr_slice_text(expected)));
    }
    /* Row n is the same wherever one begins. */
    const struct mr_value *later = draw(&observed, 100, NULL);
    for (uint32_t row = 0; row < ROWS - 100; row++)
        assert_true(mr_value_equal(later[field * ROWS + row], texts[field * ROWS + row + 100]));
}

static void refuse(const struct mr_sample_observed *observed, const char *conditions,
                   const char *sentence)
{
    struct mr_sample_model *model = model_with(observed);
    struct mr_sample *sample;
    assert_int_equal(mr_sample_open(model, mr_slice_text(conditions), 5, &sample, &error),
                     MR_INVALID);
    if (strstr(error.message, sentence) == NULL)
        print_error("%s\n", error.message);
    assert_non_null(strstr(error.message, sentence));
    assert_int_equal(
        mr_sample_open(model, mr_slice_text("{\"b\": {\"gte\": -100}}"), 5, &sample, &error),
        MR_OK);
    mr_sample_close(sample);
    mr_sample_model_destroy(model);
}

static void conditions_on_such_fields_are_refused(void **state)
{
    MR_UNUSED(state);
    static const char above[] = "{\"e\": {\"gte\": 0}}";
    struct mr_sample_observed series = {.has_arrival = true, .series_count = 1, .series = &wave};
    struct mr_sample_observed time = {.has_arrival = true, .time = "e"};
    struct mr_sample_observed keys = {
        .key = "e", .keys = {.count = 9}, .keys_origin = MR_SAMPLE_KEYS_NUMBERS};
    refuse(&series, above, "varies with time in this model");
    refuse(&time, above, "it is the time of the record");
    refuse(&keys, above, "it is a key that is made");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seasons_are_added_at_the_rows_own_time),
        cmocka_unit_test(values_have_their_digits_and_bounds),
        cmocka_unit_test(times_follow_the_rate_without_a_stream),
        cmocka_unit_test(keys_are_made_by_rank),
        cmocka_unit_test(conditions_on_such_fields_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
