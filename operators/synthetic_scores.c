/* operators/synthetic_scores.c — see synthetic_scores.h. */
#include "operators/synthetic_scores.h"

#include <math.h>

struct mean {
    double sum;
    double count;
};

static void add(struct mean *mean, double score)
{
    if (isnan(score))
        return;
    mean->sum += score;
    mean->count++;
}

static double result(struct mean mean)
{
    return mean.count == 0 ? NAN : mean.sum / mean.count;
}

static double mean_of_two(double one, double two)
{
    struct mean mean = {0};
    add(&mean, one);
    add(&mean, two);
    return result(mean);
}

static void score_columns(const struct mr_synthetic_pair_of_tables *tables,
                          const struct mr_synthetic_score *formats, struct mr_arena *arena,
                          struct mr_synthetic_scores *scores)
{
    struct mr_arena scratch;
    struct mean shapes = {0};
    struct mean coverage = {0};
    struct mean validity = {0};
    double alike = 0;
    scores->columns = mr_arena_new(arena, tables->columns_count, sizeof(*scores->columns));
    mr_arena_init(&scratch, 256 << 10);
    for (uint32_t column = 0; column < tables->columns_count; column++) {
        struct mr_synthetic_column_scores *one = &scores->columns[column];
        mr_arena_reset(&scratch);
        mr_synthetic_column_score(tables, column, &scratch, one);
        add(&shapes, one->shape.score);
        add(&coverage, one->coverage.score);
        add(&validity, one->validity.score);
        if (formats != NULL && formats[column].metric != NULL)
            add(&validity, formats[column].score);
        alike += tables->real.types[column] == tables->synthetic.types[column];
    }
    mr_arena_deinit(&scratch);
    scores->shapes = result(shapes);
    scores->coverage = result(coverage);
    scores->validity = result(validity);
    scores->structure = alike / (2 * tables->columns_count - alike); /* of those of either table */
}

void mr_synthetic_score(const struct mr_synthetic_pair_of_tables *tables,
                        const struct mr_synthetic_score *formats, struct mr_arena *arena,
                        struct mr_synthetic_scores *scores)
{
    struct mean trends = {0};
    struct mean all = {0};
    *scores = (struct mr_synthetic_scores){0};
    score_columns(tables, formats, arena, scores);
    scores->pairs = mr_synthetic_pairs_score(tables, arena, &scores->pairs_count);
    for (uint32_t index = 0; index < scores->pairs_count; index++) {
        const struct mr_synthetic_pair_score *pair = &scores->pairs[index];
        add(&all, pair->score.score);
        if (!pair->counts)
            continue;
        add(&trends, pair->score.score);
        scores->pairs_counted++;
    }
    scores->trends = result(trends);
    scores->all_trends = result(all);
    scores->quality = mean_of_two(scores->shapes, scores->trends);
    scores->diagnostic = mean_of_two(scores->validity, scores->structure);
}
