/* tests/unit/operators/test_copula_privacy.c — what drawn rows may not show: copies, rare texts,
 * extremes, close neighbours; the ring of hashes beside a list. */
#include "operators/copula_privacy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/copula_rows.h"

enum { ROWS = MR_COPULA_SAMPLE_ROWS, COLUMNS = COPULA_ROWS_COLUMNS };

static const struct mr_copula_privacy usual = {
    .is_on = true, .rare_below = 5, .clip = 0.001, .redraws = 10};

static void the_ring_is_a_list(void **state)
{
    MR_UNUSED(state);
    enum { CAPACITY = 50, HASHES = 97 };
    struct mr_copula_copies copies;
    struct mr_copula_copies other;
    struct mr_random random;
    uint32_t list[5000];
    uint8_t bytes[8 + 4 * CAPACITY];
    mr_copula_copies_create(&copies, CAPACITY);
    mr_copula_copies_create(&other, CAPACITY);
    mr_random_init(&random, 3, 0);
    for (uint32_t made = 0; made < 5000; made++) {
        /* Few places in the set: they push each other aside, across its end, too. */
        list[made] = 1 + (uint32_t)mr_random_below(&random, HASHES) * 64;
        mr_copula_copies_add(&copies, list[made]);
        for (uint32_t hash = 1; hash < HASHES * 64; hash += 64) {
            bool is_there = false;
            for (uint32_t back = 0; back < CAPACITY && back <= made; back++)
                is_there = is_there || list[made - back] == hash;
            assert_true(mr_copula_copies_has(&copies, hash) == is_there);
        }
        if (made % 500 != 30)
            continue;
        mr_copula_copies_encode(&copies, bytes);
        assert_true(mr_copula_copies_decode(&other, bytes));
        for (uint32_t hash = 1; hash < HASHES * 64; hash += 64)
            assert_true(mr_copula_copies_has(&copies, hash) == mr_copula_copies_has(&other, hash));
    }
    bytes[0] = CAPACITY + 1;
    assert_false(mr_copula_copies_decode(&other, bytes));
    assert_false(mr_copula_copies_has(&other, list[4999]));
    mr_copula_copies_destroy(&copies);
    mr_copula_copies_destroy(&other);
}

/* 2000 rows; of the texts four are "rare", and one number is far out. */
static void learn(struct copula_fixture *fixture, struct copula_rows *rows)
{
    copula_rows_make(rows, 2000, 5, 0);
    copula_fixture_open(fixture, 256);
    for (uint32_t row = 0; row < 2000; row += 500)
        rows->cells[(size_t)row * COLUMNS + 2] = mr_value_string(mr_slice_text("rare"));
    rows->cells[0] = mr_value_double(1e6);
    copula_fixture_learn(fixture, rows, 250, 0);
}

static void rare_texts_and_extremes_are_not_made(void **state)
{
    MR_UNUSED(state);
    struct copula_fixture fixture;
    struct copula_rows rows;
    struct mr_copula_sampler sampler;
    struct mr_error error;
    double numbers[COLUMNS * ROWS];
    learn(&fixture, &rows);
    mr_copula_sampler_create(&sampler, COLUMNS, NULL, 0);
    mr_copula_sampler_guard(&sampler, &usual);
    assert_int_equal(mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error),
                     MR_OK);
    double rare = mr_copula_text_find(&fixture.model.columns[2].texts, mr_slice_text("rare"));
    assert_true(rare < MR_COPULA_RARE);
    /* At least five rows lie at or beyond what is the greatest. */
    double greatest = 0;
    for (uint64_t first = 0; first < 20000; first += ROWS) {
        assert_true(mr_copula_sample_guarded(&sampler, &fixture.model, 1, first, ROWS, numbers) ==
                    0);
        for (uint32_t row = 0; row < ROWS; row++) {
            assert_true(numbers[2 * ROWS + row] != rare);
            greatest = numbers[row] > greatest ? numbers[row] : greatest;
        }
    }
    uint32_t beyond = 0;
    for (uint32_t row = 0; row < 2000; row++)
        beyond += rows.cells[(size_t)row * COLUMNS].number >= greatest;
    assert_in_range(beyond, 5, 30); /* of five, as many as fill a bin */
    mr_copula_sampler_destroy(&sampler);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

/* A condition on what may not be made is impossible. */
static void conditions_follow_the_view(void **state)
{
    MR_UNUSED(state);
    static const char *const rare[] = {"rare"};
    const struct mr_copula_condition asked[2] = {
        {.column = 2, .name = "text", .texts = rare, .texts_count = 1},
        {.column = 0, .name = "number", .lowest = 1e5, .highest = 1e7}};
    struct copula_fixture fixture;
    struct copula_rows rows;
    struct mr_error error;
    learn(&fixture, &rows);
    for (uint32_t which = 0; which < 2; which++)
        for (int with = 0; with < 2; with++) {
            struct mr_copula_sampler sampler;
            mr_copula_sampler_create(&sampler, COLUMNS, &asked[which], 1);
            if (with)
                mr_copula_sampler_guard(&sampler, &usual);
            assert_int_equal(
                mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error),
                with ? MR_INVALID : MR_OK);
            mr_copula_sampler_destroy(&sampler);
        }
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

/* Rows of two booleans and a small number: most draws are copies; with none left, none is made. */
static void copies_are_drawn_anew(void **state)
{
    MR_UNUSED(state);
    struct mr_copula_shape shape = {.columns_count = 2, .reservoir_rows = 64, .seed = 1};
    struct mr_copula model;
    struct mr_copula_work work;
    struct mr_copula_sampler sampler;
    struct mr_copula_copies copies;
    struct mr_error error;
    struct mr_value cells[2 * 100];
    double numbers[2 * ROWS];
    uint32_t hash;
    for (uint32_t row = 0; row < 100; row++) {
        cells[2 * row] = mr_value_double(row % 10);
        cells[2 * row + 1] = mr_value_double((row + row / 10) % 10 < 5 ? row % 3 : 3 + row % 5);
    }
    mr_copula_create(&model, &shape);
    mr_copula_work_create(&work, 2);
    (void)mr_copula_learn(&model, &work, cells, 100, 0);
    mr_copula_copies_create(&copies, 100);
    for (uint32_t row = 0; row < 100; row++) {
        const double pair[2] = {cells[2 * row].number, cells[2 * row + 1].number};
        assert_true(mr_copula_row_hash(model.columns, 2, pair, 1, &hash));
        mr_copula_copies_add(&copies, hash);
    }
    struct mr_copula_privacy privacy = {.is_on = true, .redraws = 20};
    mr_copula_sampler_create(&sampler, 2, NULL, 0);
    mr_copula_sampler_guard(&sampler, &privacy);
    sampler.guard->copies = &copies;
    assert_int_equal(mr_copula_sampler_make(&sampler, &model, &work, &error), MR_OK);
    uint64_t refused = mr_copula_sample_guarded(&sampler, &model, 1, 0, ROWS, numbers);
    assert_true(__builtin_popcountll(refused) < ROWS / 2);
    for (uint32_t row = 0; row < ROWS; row++) {
        if (refused >> row & 1) {
            assert_true(isnan(numbers[row]) && isnan(numbers[ROWS + row]));
            continue;
        }
        for (uint32_t real = 0; real < 100; real++)
            assert_false(cells[2 * real].number == numbers[row] &&
                         cells[2 * real + 1].number == numbers[ROWS + row]);
    }
    /* Every pair that there is was learned. */
    for (uint32_t pair = 0; pair < 100; pair++) {
        const double all[2] = {pair / 10, pair % 10};
        assert_true(mr_copula_row_hash(model.columns, 2, all, 1, &hash));
        mr_copula_copies_add(&copies, hash);
    }
    refused = mr_copula_sample_guarded(&sampler, &model, 1, 0, ROWS, numbers);
    assert_true(refused == UINT64_MAX);
    mr_copula_copies_destroy(&copies);
    mr_copula_sampler_destroy(&sampler);
    mr_copula_work_destroy(&work);
    mr_copula_destroy(&model);
}

/* No row is closer to a kept one than the guard says; without it some are. */
static void neighbours_are_drawn_anew(void **state)
{
    MR_UNUSED(state);
    struct copula_fixture fixture;
    struct copula_rows rows;
    struct mr_error error;
    double numbers[COLUMNS * ROWS];
    struct mr_copula_privacy privacy = {.is_on = true, .distance = 0.2, .redraws = 50};
    learn(&fixture, &rows);
    uint32_t close[2] = {0, 0};
    for (int with = 0; with < 2; with++) {
        struct mr_copula_sampler sampler;
        struct mr_copula_guard judge;
        mr_copula_sampler_create(&sampler, COLUMNS, NULL, 0);
        if (with)
            mr_copula_sampler_guard(&sampler, &privacy);
        mr_copula_guard_create(&judge, &privacy, COLUMNS, ROWS);
        mr_copula_guard_make(&judge, &fixture.model);
        assert_true(judge.least > 0);
        assert_int_equal(mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error),
                         MR_OK);
        for (uint64_t first = 0; first < 640; first += ROWS) {
            uint64_t refused =
                mr_copula_sample_guarded(&sampler, &fixture.model, 1, first, ROWS, numbers);
            for (uint32_t row = 0; row < ROWS; row++)
                close[with] += (refused >> row & 1) == 0 &&
                               !mr_copula_guard_allows(&judge, &fixture.model, numbers + row, ROWS);
        }
        mr_copula_guard_destroy(&judge);
        mr_copula_sampler_destroy(&sampler);
    }
    assert_true(close[0] > 32);
    assert_int_equal(close[1], 0);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

static void little_is_survived(void **state)
{
    MR_UNUSED(state);
    struct copula_fixture fixture;
    struct copula_rows rows;
    struct mr_error error;
    struct mr_copula_sampler sampler;
    double numbers[COLUMNS * ROWS];
    struct mr_copula_privacy privacy = usual;
    privacy.distance = 0.5;
    copula_rows_make(&rows, 1, 5, 0);
    copula_fixture_open(&fixture, 256);
    mr_copula_sampler_create(&sampler, COLUMNS, NULL, 0);
    mr_copula_sampler_guard(&sampler, &privacy);
    for (int learned = 0; learned < 2; learned++) {
        assert_int_equal(mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error),
                         MR_OK);
        (void)mr_copula_sample_guarded(&sampler, &fixture.model, 1, 0, ROWS, numbers);
        for (uint32_t at = 0; at < COLUMNS * ROWS; at++)
            assert_true(isnan(numbers[at]) || isfinite(numbers[at]));
        copula_fixture_learn(&fixture, &rows, 1, 0);
    }
    assert_true(isnan(numbers[2 * ROWS])); /* the only text is rare */
    mr_copula_sampler_destroy(&sampler);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ring_is_a_list),
        cmocka_unit_test(rare_texts_and_extremes_are_not_made),
        cmocka_unit_test(conditions_follow_the_view),
        cmocka_unit_test(copies_are_drawn_anew),
        cmocka_unit_test(neighbours_are_drawn_anew),
        cmocka_unit_test(little_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
