/* cli/report_synthetic_page.c — see report_synthetic_page.h. */
#include "cli/report_synthetic_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report_style.h"

/* Beside the style of all reports. */
static const char extra_style[] =
    ".scores{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;"
    "margin:0 0 12px}.scores div{border:1px solid var(--edge);border-radius:6px;padding:8px 12px}"
    ".scores dd{font-size:20px}.scores small{display:block;font-size:12px;color:var(--soft)}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(290px,100%),1fr));"
    "gap:14px;margin:12px 0 0}.card{border:1px solid var(--edge);border-radius:6px;padding:10px "
    "12px;background:var(--plane);min-width:0}.card h3{font-size:15px;margin:0;overflow-wrap:"
    "anywhere}.card p{margin:0 0 4px;font-size:13px;color:var(--soft)}.card b{color:var(--text)}"
    ".card svg{display:block;width:100%;height:auto}\n"
    "svg .real{fill:var(--soft);fill-opacity:.45}svg .synthetic{stroke:var(--value);"
    "stroke-width:2}svg .synthetic-bar{fill:var(--value)}svg .worse{fill:var(--limit);stroke:"
    "var(--edge);stroke-width:.5}svg .self{fill:var(--grid)}svg .none{stroke:var(--soft)}"
    ".pair.counts rect{stroke:var(--text);stroke-width:1.5}"
    ".wide>svg.map{width:auto;min-width:0;max-width:none}.legend svg.ramp{width:80px}\n"
    "td.name{overflow-wrap:anywhere;min-width:110px}\n";

struct page {
    struct mr_markup *markup;
    const struct mr_synthetic_report *report;
};

static void number(const struct page *page, double value)
{
    mr_markup_number(page->markup, value, 4);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

/* ---- Head ---- */

static void title(const struct page *page)
{
    const struct mr_synthetic_scan *scans = page->report->load->scans;
    mr_markup_text(page->markup, base_name(scans[1].path));
    mr_markup_add(page->markup, " beside ");
    mr_markup_text(page->markup, base_name(scans[0].path));
}

static void head(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    mr_markup_add(
        markup,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    title(page);
    mr_markup_add(markup, "</title>\n<style>\n");
    for (uint32_t index = 0; mr_report_style[index] != NULL; index++)
        mr_markup_add(markup, "%s", mr_report_style[index]);
    mr_markup_add(markup,
                  "%s</style>\n</head>\n<body>\n"
                  "<a class=\"skip\" href=\"#pairs\">To the pairs of columns</a>\n"
                  "<header>\n<p class=\"kicker\">Quality of synthetic data</p>\n<h1>",
                  extra_style);
    title(page);
    mr_markup_add(markup, "</h1>\n");
}

static void verdict(const struct page *page)
{
    const struct mr_synthetic_scores *scores = page->report->scores;
    const struct mr_synthetic_column_scores *worst = NULL;
    uint32_t worst_column = 0;
    for (uint32_t column = 0; column < page->report->tables->columns_count; column++) {
        const struct mr_synthetic_column_scores *one = &scores->columns[column];
        if (isnan(one->shape.score) || (worst != NULL && one->shape.score >= worst->shape.score))
            continue;
        worst = one;
        worst_column = column;
    }
    mr_markup_add(page->markup, "<p class=\"verdict\">Overall score ");
    number(page, scores->quality);
    if (worst != NULL) {
        mr_markup_add(page->markup, ". The column least alike: <a href=\"#column-%u\">",
                      worst_column);
        mr_markup_text(page->markup, page->report->tables->columns[worst_column].name);
        mr_markup_add(page->markup, "</a>, ");
        number(page, worst->shape.score);
    }
    mr_markup_add(page->markup, ".</p>\n");
}

static void score(const struct page *page, const char *name, double value, const char *note)
{
    mr_markup_add(page->markup, "<div><dt>%s</dt><dd>", name);
    number(page, value);
    mr_markup_add(page->markup, "<small>%s</small></dd></div>\n", note);
}

static void summary(const struct page *page)
{
    const struct mr_synthetic_scores *scores = page->report->scores;
    const struct mr_synthetic_privacy *privacy = page->report->privacy;
    mr_markup_add(page->markup, "<dl class=\"scores\">\n");
    score(page, "Column shapes", scores->shapes, "each column by itself");
    score(page, "Pair trends", scores->trends, "pairs that belong together");
    score(page, "Validity", scores->validity, "within the real ranges and categories");
    score(page, "Structure", scores->structure, "columns of the same type");
    score(page, "Coverage", scores->coverage, "of the real ranges and categories");
    score(page, "New rows", privacy->new_rows.score, "no copies of real rows");
    score(page, "Distance", privacy->baseline.score, "to real rows, beside random rows");
    if (privacy->overfitting.metric != NULL)
        score(page, "Overfitting", privacy->overfitting.score,
              "1: not nearer than to held-out rows");
    mr_markup_add(page->markup, "</dl>\n");
}

static void notices(const struct page *page)
{
    static const char *const names[MR_SYNTHETIC_FILES_MAX] = {"real", "synthetic", "held-out"};
    const struct mr_synthetic_load *load = page->report->load;
    struct mr_markup *markup = page->markup;
    mr_markup_add(markup, "<p class=\"help\">");
    for (uint32_t file = 0; file < load->files_count; file++)
        mr_markup_add(markup, "%s%" PRIu64 " %s rows", file > 0 ? ", " : "", load->scans[file].rows,
                      names[file]);
    mr_markup_add(markup,
                  ", %u columns. Scores are from 0 to 1, the higher the more alike, as "
                  "sdmetrics 0.32.0 defines them.</p>\n",
                  page->report->tables->columns_count);
    for (uint32_t file = 0; file < load->files_count; file++)
        if (load->tables[file].rows_count < load->scans[file].rows)
            mr_markup_add(markup,
                          "<p class=\"notice\">Of the %s rows a random sample of %u is "
                          "compared.</p>\n",
                          names[file], load->tables[file].rows_count);
    if (page->report->privacy->real_rows < page->report->tables->real.rows_count ||
        page->report->privacy->synthetic_rows < page->report->tables->synthetic.rows_count)
        mr_markup_add(
            markup,
            "<p class=\"notice\">New rows and distances are those of samples: %u real and "
            "%u synthetic rows.</p>\n",
            page->report->privacy->real_rows, page->report->privacy->synthetic_rows);
}

/* ---- Columns ---- */

static void card(const struct page *page, uint32_t column)
{
    struct mr_markup *markup = page->markup;
    const struct mr_synthetic_column *one = &page->report->tables->columns[column];
    const struct mr_synthetic_column_scores *scores = &page->report->scores->columns[column];
    mr_markup_add(markup, "<div class=\"card\" id=\"column-%u\">\n<h3>", column);
    mr_markup_text(markup, one->name);
    mr_markup_add(markup, "</h3>\n<p>%s", mr_synthetic_kind_names[one->kind]);
    if (scores->shape.metric == NULL) {
        mr_markup_add(markup, ": its shape is not scored</p>\n</div>\n");
        return;
    }
    mr_markup_add(markup, ", %s <b>", scores->shape.metric);
    number(page, scores->shape.score);
    mr_markup_add(markup, "</b>");
    if (scores->shape.why != NULL)
        mr_markup_add(markup, ": %s", scores->shape.why);
    if (scores->real_missing > 0 || scores->synthetic_missing > 0)
        mr_markup_add(markup, "<br>missing: real %.1f %%, synthetic %.1f %%",
                      100.0 * scores->real_missing / page->report->tables->real.rows_count,
                      100.0 * scores->synthetic_missing /
                          page->report->tables->synthetic.rows_count);
    mr_markup_add(markup, "</p>\n");
    mr_synthetic_plot_column(markup, page->report, column);
    mr_markup_add(markup, "</div>\n");
}

static void columns(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    mr_markup_add(markup,
                  "<section>\n<h2>Columns</h2>\n<ul class=\"legend\">\n"
                  "<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><rect class=\"real\" "
                  "width=\"14\" height=\"14\"/></svg> real</li>\n"
                  "<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"synthetic\" "
                  "d=\"M0 11h5V3h5v6h4\"/></svg> synthetic</li>\n</ul>\n<div class=\"cards\">\n");
    for (uint32_t column = 0; column < page->report->tables->columns_count; column++)
        card(page, column);
    mr_markup_add(markup, "</div>\n</section>\n");
}

static void score_cell(const struct page *page, const struct mr_synthetic_score *one)
{
    mr_markup_add(page->markup, "<td>%s</td><td class=\"number\">",
                  one->metric == NULL ? "" : one->metric);
    if (one->metric != NULL)
        number(page, one->score);
    mr_markup_add(page->markup, "</td>");
}

static void column_rows(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    mr_markup_add(markup,
                  "<section>\n<details>\n<summary>The columns as numbers</summary>\n"
                  "<div class=\"wide\">\n<table>\n<thead><tr><th>Column</th><th>Kind</th>"
                  "<th>Shape</th><th class=\"number\">Score</th><th>Coverage</th>"
                  "<th class=\"number\">Score</th><th>Validity</th><th class=\"number\">Score</th>"
                  "<th>Format</th><th class=\"number\">Score</th></tr></thead>\n<tbody>\n");
    for (uint32_t column = 0; column < page->report->tables->columns_count; column++) {
        const struct mr_synthetic_column *one = &page->report->tables->columns[column];
        const struct mr_synthetic_column_scores *scores = &page->report->scores->columns[column];
        mr_markup_add(markup, "<tr><td class=\"name\">");
        mr_markup_text(markup, one->name);
        mr_markup_add(markup, "</td><td>%s</td>", mr_synthetic_kind_names[one->kind]);
        score_cell(page, &scores->shape);
        score_cell(page, &scores->coverage);
        score_cell(page, &scores->validity);
        score_cell(page, &page->report->load->formats[column]);
        mr_markup_add(markup, "</tr>\n");
    }
    mr_markup_add(markup, "</tbody>\n</table>\n</div>\n</details>\n</section>\n");
}

/* ---- Pairs ---- */

/* Those that count first, then the worst. */
static int compare_pairs(const void *left, const void *right)
{
    const struct mr_synthetic_pair_score *one =
        *(const struct mr_synthetic_pair_score *const *)left;
    const struct mr_synthetic_pair_score *two =
        *(const struct mr_synthetic_pair_score *const *)right;
    if (one->counts != two->counts)
        return one->counts ? -1 : 1;
    bool first_none = isnan(one->score.score);
    bool second_none = isnan(two->score.score);
    if (first_none != second_none)
        return first_none ? 1 : -1;
    if (!first_none && one->score.score != two->score.score)
        return one->score.score < two->score.score ? -1 : 1;
    return one < two ? -1 : one > two; /* of one array: the order of the columns */
}

static void pair_row(const struct page *page, const struct mr_synthetic_pair_score *pair)
{
    struct mr_markup *markup = page->markup;
    const struct mr_synthetic_column *all = page->report->tables->columns;
    const double values[] = {pair->score.score, pair->real, pair->synthetic, pair->association};
    mr_markup_add(markup, "<tr><td class=\"name\">");
    mr_markup_text(markup, all[pair->first].name);
    mr_markup_add(markup, "</td><td class=\"name\">");
    mr_markup_text(markup, all[pair->second].name);
    mr_markup_add(markup, "</td><td>%s</td>", pair->score.metric);
    for (uint32_t index = 0; index < 4; index++) {
        mr_markup_add(markup, "<td class=\"number\">");
        number(page, values[index]);
        mr_markup_add(markup, "</td>");
    }
    mr_markup_add(markup, "<td>%s</td><td>%s</td></tr>\n", pair->counts ? "yes" : "no",
                  pair->score.why == NULL ? "" : pair->score.why);
}

static void pair_rows(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    const struct mr_synthetic_scores *scores = page->report->scores;
    uint32_t count = scores->pairs_count;
    const struct mr_synthetic_pair_score **sorted = mr_arena_new(
        page->report->load->arena, count, sizeof(const struct mr_synthetic_pair_score *));
    for (uint32_t index = 0; index < count; index++)
        sorted[index] = &scores->pairs[index];
    qsort(sorted, count, sizeof(*sorted), compare_pairs);
    mr_markup_add(markup,
                  "<details>\n<summary>The pairs as numbers</summary>\n<div class=\"wide\">\n"
                  "<table>\n<thead><tr><th>Column</th><th>Column</th><th>Metric</th>"
                  "<th class=\"number\">Score</th><th class=\"number\">Real r</th>"
                  "<th class=\"number\">Synthetic r</th><th class=\"number\">Real V</th>"
                  "<th>Counts</th><th>Why not</th></tr></thead>\n<tbody>\n");
    for (uint32_t index = 0; index < count && index < MR_SYNTHETIC_PAGE_PAIRS; index++)
        pair_row(page, sorted[index]);
    mr_markup_add(markup, "</tbody>\n</table>\n</div>\n");
    if (count > MR_SYNTHETIC_PAGE_PAIRS)
        mr_markup_add(markup, "<p class=\"help\">The first %d of %u.</p>\n",
                      MR_SYNTHETIC_PAGE_PAIRS, count);
    mr_markup_add(markup, "</details>\n");
}

static void pairs(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    const struct mr_synthetic_scores *scores = page->report->scores;
    mr_markup_add(markup, "<section id=\"pairs\" tabindex=\"-1\">\n<h2>Pairs of columns</h2>\n");
    if (scores->pairs_count == 0) {
        mr_markup_add(markup, "<p>There are none.</p>\n</section>\n");
        return;
    }
    mr_markup_add(markup,
                  "<p class=\"help\">%u of %u pairs count, those that belong together in the real "
                  "table: a correlation beyond %.1f, or Cramer's V above %.1f. The mean of all "
                  "pairs is ",
                  scores->pairs_counted, scores->pairs_count, MR_SYNTHETIC_CORRELATION,
                  MR_SYNTHETIC_ASSOCIATION);
    number(page, scores->all_trends);
    mr_markup_add(markup,
                  ".</p>\n<ul class=\"legend\">\n<li><svg class=\"ramp\" viewBox=\"0 0 80 14\" "
                  "aria-hidden=\"true\">");
    for (uint32_t step = 0; step < 5; step++)
        mr_markup_add(markup,
                      "<rect class=\"worse\" x=\"%u\" width=\"15\" height=\"14\" "
                      "fill-opacity=\"%.2f\"/>",
                      step * 16, 0.04 + 2.4 * 0.1 * step);
    mr_markup_add(markup,
                  "</svg> 1.0 to 0.6</li>\n<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\">"
                  "<g class=\"pair counts\"><rect class=\"worse\" x=\"1\" y=\"1\" width=\"12\" "
                  "height=\"12\" fill-opacity=\".1\"/></g></svg> counts</li>\n"
                  "<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"none\" "
                  "d=\"M3 3l8 8m0 -8l-8 8\"/></svg> no score</li>\n</ul>\n<div class=\"wide\">\n");
    mr_synthetic_plot_pairs(markup, page->report);
    mr_markup_add(markup, "</div>\n");
    pair_rows(page);
    mr_markup_add(markup, "</section>\n");
}

/* ---- Privacy ---- */

static void privacy_line(const struct page *page, const struct mr_synthetic_score *one,
                         const char *meaning)
{
    if (one->metric == NULL)
        return;
    mr_markup_add(page->markup, "<tr><td>%s</td><td class=\"number\">", one->metric);
    number(page, one->score);
    mr_markup_add(page->markup, "</td><td class=\"what\">%s</td></tr>\n",
                  one->why != NULL ? one->why : meaning);
}

static void privacy(const struct page *page)
{
    const struct mr_synthetic_privacy *one = page->report->privacy;
    struct mr_arena *arena = page->report->load->arena;
    mr_markup_add(page->markup,
                  "<section>\n<h2>Privacy</h2>\n<div class=\"wide\">\n<table>\n<thead><tr>"
                  "<th>Metric</th><th class=\"number\">Score</th><th>What was found</th></tr>"
                  "</thead>\n<tbody>\n");
    privacy_line(page, &one->new_rows,
                 mr_arena_format(arena,
                                 "%u of %u synthetic rows equal a real one, numbers within 1 %%",
                                 one->copies, one->synthetic_rows));
    privacy_line(page, &one->baseline,
                 mr_arena_format(arena,
                                 "median distance to the closest real row %.4f, of random rows "
                                 "%.4f",
                                 one->median, one->random_median));
    privacy_line(page, &one->overfitting,
                 mr_arena_format(arena,
                                 "%.2f %% of the synthetic rows are closer to a real row than to a "
                                 "held-out one",
                                 100 * one->closer_to_real));
    mr_markup_add(page->markup, "</tbody>\n</table>\n</div>\n</section>\n");
}

void mr_synthetic_page(struct mr_markup *markup, const struct mr_synthetic_report *report)
{
    struct page page = {.markup = markup, .report = report};
    head(&page);
    verdict(&page);
    summary(&page);
    notices(&page);
    mr_markup_add(markup, "</header>\n<main>\n");
    columns(&page);
    column_rows(&page);
    pairs(&page);
    privacy(&page);
    mr_markup_add(markup, "</main>\n</body>\n</html>\n");
}
