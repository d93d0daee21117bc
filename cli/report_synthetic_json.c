/* cli/report_synthetic_json.c — see report_synthetic_json.h. */
#include "cli/report_synthetic_json.h"

#include "cli/text.h"

#include <inttypes.h>
#include <math.h>

static const char *const file_names[MR_SYNTHETIC_FILES_MAX] = {"real", "synthetic", "holdout"};

/* ---- JSON ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *score_object(const struct mr_synthetic_score *score)
{
    json_t *object =
        json_pack("{s:s, s:o}", "metric", score->metric, "score", number(score->score));
    if (score->why != NULL)
        (void)json_object_set_new(object, "why", json_string(score->why));
    return object;
}

static json_t *score_or_null(const struct mr_synthetic_score *score)
{
    return score->metric == NULL ? json_null() : score_object(score);
}

static json_t *column_object(const struct mr_synthetic_report *report, uint32_t column)
{
    const struct mr_synthetic_column *one = &report->tables->columns[column];
    const struct mr_synthetic_column_scores *scores = &report->scores->columns[column];
    const struct mr_synthetic_score *format = &report->load->formats[column];
    json_t *validity = json_array();
    if (scores->validity.metric != NULL)
        (void)json_array_append_new(validity, score_object(&scores->validity));
    if (format->metric != NULL)
        (void)json_array_append_new(validity, score_object(format));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:I, s:I}}", "name", one->name, "kind",
                     mr_synthetic_kind_names[one->kind], "shape", score_or_null(&scores->shape),
                     "coverage", score_or_null(&scores->coverage), "validity", validity, "missing",
                     "real", (json_int_t)scores->real_missing, "synthetic",
                     (json_int_t)scores->synthetic_missing);
}

static json_t *pair_object(const struct mr_synthetic_report *report,
                           const struct mr_synthetic_pair_score *pair)
{
    const struct mr_synthetic_column *columns = report->tables->columns;
    json_t *object = score_object(&pair->score);
    (void)json_object_set_new(
        object, "columns",
        json_pack("[s, s]", columns[pair->first].name, columns[pair->second].name));
    (void)json_object_set_new(object, "counts", json_boolean(pair->counts));
    (void)json_object_set_new(object, "real_correlation", number(pair->real));
    (void)json_object_set_new(object, "synthetic_correlation", number(pair->synthetic));
    (void)json_object_set_new(object, "real_association", number(pair->association));
    return object;
}

static json_t *privacy_object(const struct mr_synthetic_privacy *privacy)
{
    json_t *object = json_pack(
        "{s:I, s:I, s:o, s:o, s:o}", "real_rows", (json_int_t)privacy->real_rows, "synthetic_rows",
        (json_int_t)privacy->synthetic_rows, "new_rows", score_object(&privacy->new_rows),
        "baseline_protection", score_object(&privacy->baseline), "overfitting_protection",
        score_or_null(&privacy->overfitting));
    json_t *baseline = json_object_get(object, "baseline_protection");
    json_t *overfitting = json_object_get(object, "overfitting_protection");
    (void)json_object_set_new(json_object_get(object, "new_rows"), "copies",
                              json_integer(privacy->copies));
    (void)json_object_set_new(baseline, "median_distance", number(privacy->median));
    (void)json_object_set_new(baseline, "random_median_distance", number(privacy->random_median));
    if (json_is_object(overfitting))
        (void)json_object_set_new(overfitting, "closer_to_real", number(privacy->closer_to_real));
    return object;
}

static json_t *files_object(const struct mr_synthetic_load *load)
{
    json_t *files = json_object();
    for (uint32_t file = 0; file < load->files_count; file++)
        (void)json_object_set_new(files, file_names[file],
                                  json_pack("{s:s, s:I, s:I}", "file", load->scans[file].path,
                                            "rows", (json_int_t)load->scans[file].rows, "compared",
                                            (json_int_t)load->tables[file].rows_count));
    return files;
}

bool mr_synthetic_report_json(const struct mr_synthetic_report *report, FILE *output)
{
    const struct mr_synthetic_scores *scores = report->scores;
    json_t *columns = json_array();
    json_t *pairs = json_array();
    for (uint32_t column = 0; column < report->tables->columns_count; column++)
        (void)json_array_append_new(columns, column_object(report, column));
    for (uint32_t index = 0; index < scores->pairs_count; index++)
        (void)json_array_append_new(pairs, pair_object(report, &scores->pairs[index]));
    json_t *quality =
        json_pack("{s:o, s:o, s:o, s:o}", "score", number(scores->quality), "column_shapes",
                  number(scores->shapes), "column_pair_trends", number(scores->trends),
                  "all_column_pair_trends", number(scores->all_trends));
    json_t *diagnostic =
        json_pack("{s:o, s:o, s:o}", "score", number(scores->diagnostic), "data_validity",
                  number(scores->validity), "data_structure", number(scores->structure));
    json_t *root =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "score", number(scores->quality),
                  "files", files_object(report->load), "quality", quality, "diagnostic", diagnostic,
                  "coverage", number(scores->coverage), "privacy", privacy_object(report->privacy),
                  "columns", columns, "pairs", pairs);
    bool written = root != NULL && json_dumpf(root, output, JSON_COMPACT) == 0 &&
                   fputc('\n', output) != EOF && fflush(output) == 0;
    json_decref(root);
    return written;
}

/* ---- Text ---- */

static void print_score(FILE *output, const char *name, double score, const char *note)
{
    (void)fprintf(output, "%-26s ", name);
    if (isnan(score))
        (void)fputs("-     ", output);
    else
        (void)fprintf(output, "%.4f", score);
    (void)fprintf(output, "%s%s\n", note[0] != '\0' ? "  " : "", note);
}

static void print_column(const struct mr_synthetic_report *report, uint32_t column, FILE *output)
{
    const struct mr_synthetic_column *one = &report->tables->columns[column];
    const struct mr_synthetic_score *shape = &report->scores->columns[column].shape;
    (void)fputs("  ", output);
    mr_text_write(output, mr_slice_text(one->name));
    (void)fprintf(output, " (%s) ", mr_synthetic_kind_names[one->kind]);
    if (shape->metric == NULL)
        (void)fputs("not scored\n", output);
    else if (isnan(shape->score))
        (void)fprintf(output, "%s -: %s\n", shape->metric, shape->why);
    else
        (void)fprintf(output, "%s %.4f\n", shape->metric, shape->score);
}

bool mr_synthetic_report_text(const struct mr_synthetic_report *report, FILE *output)
{
    const struct mr_synthetic_scores *scores = report->scores;
    const struct mr_synthetic_privacy *privacy = report->privacy;
    char pairs[64];
    (void)snprintf(pairs, sizeof(pairs), "%u of %u pairs count", scores->pairs_counted,
                   scores->pairs_count);
    for (uint32_t file = 0; file < report->load->files_count; file++) {
        uint64_t rows = report->load->scans[file].rows;
        uint32_t compared = report->load->tables[file].rows_count;
        (void)fprintf(output, "%s: %" PRIu64 " rows", file_names[file], rows);
        if (compared < rows)
            (void)fprintf(output, ", a sample of %u is compared", compared);
        (void)fputc('\n', output);
    }
    print_score(output, "overall", scores->quality, "");
    print_score(output, "column shapes", scores->shapes, "");
    print_score(output, "column pair trends", scores->trends, pairs);
    print_score(output, "data validity", scores->validity, "");
    print_score(output, "data structure", scores->structure, "");
    print_score(output, "coverage", scores->coverage, "");
    print_score(output, "new rows", privacy->new_rows.score, "");
    print_score(output, "distance to real rows", privacy->baseline.score, "");
    if (privacy->overfitting.metric != NULL)
        print_score(output, "overfitting protection", privacy->overfitting.score, "");
    (void)fputs("columns:\n", output);
    for (uint32_t column = 0; column < report->tables->columns_count; column++)
        print_column(report, column, output);
    return fflush(output) == 0;
}
