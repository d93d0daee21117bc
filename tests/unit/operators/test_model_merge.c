/* tests/unit/operators/test_model_merge.c — one model of several learners': as of one that has
 * learned all, whatever comes twice, late, in another order or damaged, and over restarts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/learned_snapshot.h"
#include "operators/sample_distance.h"
#include "operators/sample_model_copula.h"
#include "tests/support/merge_fixture.h"

enum { LEARNERS = 3 };

static const char keeps[] = ", half_life: 1000000000000000"; /* hardly anything is forgotten */

/* The model of rows that one learner has learned, or several, as the merger makes it of their last
 * snapshots. */
static struct mr_sample_model *learn(uint32_t learners, uint32_t rows_count, const char *options,
                                     struct merge_models *models)
{
    struct merge_parts parts;
    struct harness merger;
    struct mr_sample_model *model;
    struct mr_error error;
    merge_merger_open(&merger, models, options);
    char text[256];
    snprintf(text, sizeof(text), "%s%s", keeps, options);
    for (uint32_t learner = 0; learner < learners; learner++) {
        struct harness harness;
        merge_parts_open(&parts);
        merge_learner_open(&harness, &parts, (int32_t)learner, text);
        merge_learner_feed(&harness, learner, rows_count, learners, 1000);
        assert_true(parts.count > 0);
        merge_merger_feed(&merger, &parts.rows[parts.count - 1], 1000);
        harness_close(&harness);
        merge_parts_close(&parts);
    }
    assert_int_equal(merger.errors_count, 0);
    assert_int_equal(models->learners, learners);
    assert_int_equal(models->rows, rows_count);
    assert_int_equal(mr_sample_model_read(mr_buffer_view(&models->document), &model, &error),
                     MR_OK);
    harness_close(&merger);
    return model;
}

static void compare(uint32_t rows_count, const char *options, double text_error,
                    double quantile_error, double correlation_error)
{
    struct merge_models one_models;
    struct merge_models models;
    struct mr_sample_model *one_read = learn(1, rows_count, options, &one_models);
    struct mr_sample_model *read = learn(LEARNERS, rows_count, options, &models);
    const struct mr_sample_copula *one = mr_sample_model_copula(one_read);
    const struct mr_sample_copula *all = mr_sample_model_copula(read);
    assert_int_equal(one_models.version, models.version);
    assert_true(fabs(one->model.weight - all->model.weight) < 1e-6);
    for (uint32_t column = 0; column < 3; column++) {
        const struct mr_copula_column *left = &one->model.columns[column];
        const struct mr_copula_column *right = &all->model.columns[column];
        assert_int_equal(left->kind, right->kind);
        assert_int_equal(left->decimals, right->decimals);
        assert_true(fabs(left->missing - right->missing) < 1e-6);
        for (uint32_t text = 0; text < left->texts.count; text++) {
            struct mr_slice name = mr_slice_from(left->texts.bytes[text], left->texts.sizes[text]);
            assert_true(fabs(mr_sample_text_share(&left->texts, name) -
                             mr_sample_text_share(&right->texts, name)) < text_error);
        }
        for (double share = 0.05; left->texts.count == 0 && share < 0.96; share += 0.05)
            assert_true(fabs(mr_sample_quantile(&left->marginal, share) -
                             mr_sample_quantile(&right->marginal, share)) <= quantile_error);
    }
    assert_int_equal(one->latents_count, all->latents_count);
    for (uint32_t at = 0; at < one->latents_count * one->latents_count; at++)
        if (!(fabs(one->correlations[at] - all->correlations[at]) <= correlation_error))
            fail_msg("correlation %u is %g, not %g", at, all->correlations[at],
                     one->correlations[at]);
    mr_sample_model_destroy(one_read);
    mr_sample_model_destroy(read);
    mr_buffer_deinit(&one_models.document);
    mr_buffer_deinit(&models.document);
}

/* While the reservoir holds every row all is the same but for the bins of many different values;
 * texts, weights, missing values always are; correlations of many rows within a sample's error. */
static void it_is_as_of_one_learner(void **state)
{
    MR_UNUSED(state);
    compare(900, ", reservoir: 1024", 1e-9, 1.0, 0.01);
    compare(6000, ", reservoir: 512", 1e-9, 1.0, 0.03);
}

/* The same snapshots in any order, twice, with older ones between: the same bytes. */
static void it_depends_on_the_newest_snapshots_alone(void **state)
{
    MR_UNUSED(state);
    struct merge_parts parts;
    struct merge_models forth;
    struct merge_models back;
    struct harness merger;
    merge_parts_open(&parts);
    for (int32_t learner = 0; learner < LEARNERS; learner++) {
        struct harness harness;
        merge_learner_open(&harness, &parts, learner, "");
        for (uint32_t round = 0; round < 3; round++)
            merge_learner_feed(&harness, (uint32_t)learner * 1000 + round * 100,
                               (uint32_t)learner * 1000 + round * 100 + 100, 1, 1000 + round);
        harness_close(&harness);
    }
    assert_int_equal(parts.count, 3 * LEARNERS);
    merge_merger_open(&merger, &forth, "");
    for (uint32_t part = 0; part < parts.count; part++)
        merge_merger_feed(&merger, &parts.rows[part], 1000 + part);
    assert_int_equal(forth.count, parts.count);
    assert_int_equal(forth.version, 18);
    harness_commit(&merger);
    harness_restore(&merger);
    merge_merger_feed(&merger, &parts.rows[0], 5000); /* older, and again: nothing new leaves */
    merge_merger_feed(&merger, &parts.rows[parts.count - 1], 5000);
    assert_int_equal(forth.count, parts.count);
    harness_close(&merger);
    merge_merger_open(&merger, &back, "");
    for (uint32_t part = parts.count; part-- > 0;) {
        int64_t version = back.version;
        merge_merger_feed(&merger, &parts.rows[part], 2000 - part);
        assert_true(back.version >= version);
        harness_commit(&merger);
        harness_restore(&merger);
    }
    assert_int_equal(back.count, LEARNERS);
    assert_string_equal((const char *)forth.document.data, (const char *)back.document.data);
    assert_int_equal(merger.errors_count, 0);
    merge_merger_close(&merger, &back);
    mr_buffer_deinit(&forth.document);
    merge_parts_close(&parts);
}

/* What is longer than a message may be comes in parts: all of them or nothing counts. */
static void parts_are_put_together(void **state)
{
    MR_UNUSED(state);
    enum { ROWS = 8200 };
    static const char many[] =
        ", reservoir: 8192, fields: [value, kind, whole, f1, f2, f3, f4, f5, "
        "f6, f7]";
    struct harness learner;
    struct harness merger;
    struct merge_parts parts;
    struct merge_models models;
    merge_parts_open(&parts);
    merge_learner_open(&learner, &parts, 0, many);
    merge_learner_feed(&learner, 0, ROWS, 1, 1000);
    merge_learner_feed(&learner, ROWS, ROWS + 100, 1, 2000);
    assert_int_equal(parts.count, 4); /* 11 numbers of 8,192 rows: 721 kB */
    merge_merger_open(&merger, &models, many);
    merge_merger_feed(&merger, &parts.rows[1], 1000);
    assert_int_equal(merger.errors_count, 1); /* the first part is missing */
    merge_merger_feed(&merger, &parts.rows[0], 1000);
    assert_int_equal(models.count, 0);
    harness_commit(&merger);
    harness_restore(&merger);
    merge_merger_feed(&merger, &parts.rows[1], 1000);
    assert_int_equal(models.count, 1);
    assert_int_equal(models.rows, ROWS);
    /* A newer one that never becomes whole leaves it where it is. */
    merge_merger_feed(&merger, &parts.rows[2], 2000);
    merge_merger_feed(&merger, &parts.rows[1], 2000);
    harness_commit(&merger);
    harness_restore(&merger);
    assert_int_equal(models.count, 1);
    merge_merger_feed(&merger, &parts.rows[3], 2000);
    assert_int_equal(models.count, 2);
    assert_int_equal(models.rows, ROWS + 100);
    assert_int_equal(merger.errors_count, 1);
    harness_close(&learner);
    merge_merger_close(&merger, &models);
    merge_parts_close(&parts);
}

/* What a window's learner tells stands on the newest records alone, and is merged like any. */
static void windows_are_merged(void **state)
{
    MR_UNUSED(state);
    struct harness merger;
    struct merge_parts parts;
    struct merge_models models;
    merge_parts_open(&parts);
    merge_merger_open(&merger, &models, "");
    for (int32_t learner = 0; learner < 2; learner++) {
        struct harness harness;
        merge_learner_open(&harness, &parts, learner,
                           ", learn_window: {count: 800}, min_records: 100");
        merge_learner_feed(&harness, 0, 2000, 1, 1000);
        assert_int_equal(parts.count, learner + 1);
        merge_merger_feed(&merger, &parts.rows[learner], 1000);
        harness_close(&harness);
    }
    assert_int_equal(merger.errors_count, 0);
    assert_int_equal(models.learners, 2);
    assert_true(models.rows >= 2 * 700 && models.rows <= 2 * 800);
    merge_merger_close(&merger, &models);
    merge_parts_close(&parts);
}

static void odd_records_harm_nothing(void **state)
{
    MR_UNUSED(state);
    struct harness learner;
    struct harness merger;
    struct merge_parts parts;
    struct merge_models models;
    merge_parts_open(&parts);
    merge_learner_open(&learner, &parts, 0, "");
    merge_learner_feed(&learner, 0, 100, 1, 1000);
    merge_learner_feed(&learner, 100, 200, 1, 2000);
    merge_merger_open(&merger, &models, ", max_learners: 1");
    merge_merger_feed(&merger, &parts.rows[0], 1000);
    assert_int_equal(models.count, 1);
    merger.quiet = false;
    static const struct {
        uint32_t field;
        struct mr_value value;
        const char *sentence;
    } cases[] = {
        {MR_SNAPSHOT_LEARNER, {.kind = MR_KIND_NULL}, "its learner is no name"},
        {MR_SNAPSHOT_BLOCKS, {.kind = MR_KIND_DOUBLE, .number = 1.5}, "its blocks is no whole"},
        {MR_SNAPSHOT_PARTS, {.kind = MR_KIND_INT, .integer = 99}, "its parts is no number of"},
        {MR_SNAPSHOT_PART, {.kind = MR_KIND_INT, .integer = 2}, "its part is no whole number"},
        {MR_SNAPSHOT_BYTES, {.kind = MR_KIND_ABSENT}, "its snapshot is no bytes"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct harness_row row = parts.rows[1];
        row.cells[1 + cases[index].field].value = cases[index].value;
        merge_merger_feed(&merger, &row, 2000);
        if (strstr(harness_errors(&merger), cases[index].sentence) == NULL)
            fail_msg("%s: %s", cases[index].sentence, harness_errors(&merger));
    }
    struct harness_row other = parts.rows[1];
    other.cells[1 + MR_SNAPSHOT_LEARNER].value = mr_value_string(mr_slice_text("op/9"));
    merge_merger_feed(&merger, &other, 2000);
    assert_non_null(strstr(harness_errors(&merger), "1 learners have published already"));
    struct harness_row damaged = parts.rows[1];
    struct mr_value *bytes = &damaged.cells[1 + MR_SNAPSHOT_BYTES].value;
    bytes->size -= 5;
    merge_merger_feed(&merger, &damaged, 2000);
    assert_non_null(strstr(harness_errors(&merger), "the snapshot is damaged"));
    assert_int_equal(models.count, 1);
    merger.quiet = true;
    merge_merger_feed(&merger, &parts.rows[1], 3000);
    assert_int_equal(models.count, 2);
    assert_int_equal(models.rows, 200);
    harness_commit(&merger);
    harness_check_golden(&merger, "model_merge_1");
    harness_close(&learner);
    merge_merger_close(&merger, &models);
    merge_parts_close(&parts);
}

static void privacy_is_of_all_learners(void **state)
{
    MR_UNUSED(state);
    struct harness learner;
    struct merge_parts parts;
    merge_parts_open(&parts);
    merge_learner_open(&learner, &parts, 0, "");
    merge_learner_feed(&learner, 0, 100, 1, 1000);
    harness_close(&learner);
    for (uint32_t rare_below = 0; rare_below < 100; rare_below += 60) {
        struct harness merger;
        struct merge_models models;
        char text[64];
        snprintf(text, sizeof(text), ", privacy: {rare_below: %u}", rare_below);
        merge_merger_open(&merger, &models, text);
        merge_merger_feed(&merger, &parts.rows[0], 1000);
        assert_int_equal(strstr((const char *)models.document.data, "\"low\"") == NULL,
                         rare_below > 0);
        merge_merger_close(&merger, &models);
    }
    merge_parts_close(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_as_of_one_learner),
        cmocka_unit_test(it_depends_on_the_newest_snapshots_alone),
        cmocka_unit_test(parts_are_put_together),
        cmocka_unit_test(windows_are_merged),
        cmocka_unit_test(odd_records_harm_nothing),
        cmocka_unit_test(privacy_is_of_all_learners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
