/* cli/report_page.c — see report_page.h. */
#include "cli/report_page.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/report_style.h"
#include "operators/run_rules.h"

struct page {
    struct mr_markup *markup;
    const struct mr_report_chart *chart;
    const struct mr_series *series;
    const struct mr_series_point *points; /* one by one */
    uint32_t count;
    bool has_labels; /* subgroups have names */
    bool has_times;
};

/* ---- Pieces ---- */

static struct mr_plot plot_of(const struct page *page, const struct mr_series_point *points,
                              uint32_t count, bool of_spread)
{
    const struct mr_report_chart *chart = page->chart;
    return (struct mr_plot){
        .series = page->series,
        .points = points,
        .count = count,
        .of_spread = of_spread,
        .has_zones = chart->has_zones && !of_spread,
        .has_sums = chart->has_sums && !of_spread,
        .is_fixed = chart->is_fixed && !of_spread,
        .is_even = chart->is_even,
        .title = of_spread ? "Spread by point" : "Value by point",
    };
}

static void time_text(struct mr_markup *markup, int64_t time_ms)
{
    char text[MR_CLOCK_TEXT_SIZE];
    if (time_ms == INT64_MIN)
        return;
    (void)mr_clock_format_rfc3339(time_ms, text);
    mr_markup_add(markup, "<time>%s</time>", text);
}

static void term(const struct page *page, const char *name, const char *text)
{
    mr_markup_add(page->markup, "<div><dt>%s</dt><dd>", name);
    mr_markup_text(page->markup, text);
    mr_markup_add(page->markup, "</dd></div>\n");
}

/* Nothing where the chart has no such line, or not yet. */
static void term_number(const struct page *page, const char *name, double number, int decimals)
{
    if (isnan(number))
        return;
    mr_markup_add(page->markup, "<div><dt>%s</dt><dd>", name);
    mr_markup_number(page->markup, number, decimals);
    mr_markup_add(page->markup, "</dd></div>\n");
}

/* ---- Head ---- */

static void title(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    mr_markup_text(markup, page->chart->field);
    if (page->chart->key == NULL)
        return;
    mr_markup_add(markup, " of <bdi>");
    mr_markup_text(markup, page->chart->key);
    mr_markup_add(markup, "</bdi>");
}

static void head(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    const struct mr_report_chart *chart = page->chart;
    mr_markup_add(
        markup,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    mr_markup_text(markup, chart->field);
    if (chart->key != NULL) {
        mr_markup_add(markup, " of ");
        mr_markup_text(markup, chart->key);
    }
    mr_markup_add(markup, " - ");
    mr_markup_text(markup, chart->type);
    mr_markup_add(markup, "</title>\n<style>\n");
    for (uint32_t index = 0; mr_report_style[index] != NULL; index++)
        mr_markup_add(markup, "%s", mr_report_style[index]);
    mr_markup_add(markup, "</style>\n</head>\n<body>\n"
                          "<a class=\"skip\" href=\"#broken\">To the broken rules</a>\n"
                          "<header>\n<p class=\"kicker\">Control chart ");
    mr_markup_text(markup, chart->type);
    mr_markup_add(markup, "</p>\n<h1>");
    title(page);
    mr_markup_add(markup, "</h1>\n");
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* The sentence that a reader in a hurry needs. */
static void verdict(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    const struct mr_series *series = page->series;
    uint64_t judged = series->points - series->learning;
    uint32_t count;
    const struct mr_series_breach *breaches = mr_series_breaches(series, &count);
    const char *kind = judged == 0 ? "learning" : series->anomalies > 0 ? "out" : "in";
    mr_markup_add(markup, "<p class=\"verdict %s\">", kind);
    if (judged == 0)
        mr_markup_add(markup, "Phase 1: %" PRIu64 " point%s so far, nothing is told yet.",
                      series->learning, plural(series->learning));
    else if (series->anomalies == 0)
        mr_markup_add(markup, "No rule is broken by %" PRIu64 " point%s.", judged, plural(judged));
    else
        mr_markup_add(markup, "%" PRIu64 " of %" PRIu64 " point%s break%s a rule.",
                      series->anomalies, judged, plural(judged), series->anomalies == 1 ? "s" : "");
    if (count > 0) {
        int64_t number = breaches[count - 1].number;
        mr_markup_add(markup, " The last: <a href=\"#at-%" PRId64 "\">point %" PRId64 "</a>%s.",
                      number, number, number == series->number ? ", the newest" : "");
    }
    mr_markup_add(markup, "</p>\n");
}

static void summary(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    const struct mr_report_chart *chart = page->chart;
    const struct mr_series *series = page->series;
    const struct mr_series_lines *lines = &page->points[page->count - 1].value;
    struct mr_plot plot = plot_of(page, page->points, page->count, false);
    int decimals = mr_plot_decimals(&plot);
    mr_markup_add(markup, "<dl>\n<div><dt>Points</dt><dd>%" PRIu64, series->points);
    if (series->learning > 0)
        mr_markup_add(markup, ", %" PRIu64 " of them phase 1", series->learning);
    mr_markup_add(markup, "</dd></div>\n");
    term_number(page, "Upper limit", lines->upper, decimals);
    term_number(page, "Centre line", lines->center, decimals);
    term_number(page, "Lower limit", lines->lower, decimals);
    term(page, "Limits", chart->limits);
    if (chart->rules != NULL)
        term(page, "Rules", chart->rules);
    if (chart->baseline != NULL)
        term(page, "Baseline", chart->baseline);
    if (series->last_ms != INT64_MIN) {
        mr_markup_add(markup, "<div><dt>Time</dt><dd>");
        time_text(markup, series->first_ms);
        mr_markup_add(markup, " to ");
        time_text(markup, series->last_ms);
        mr_markup_add(markup, "</dd></div>\n");
    }
    term(page, "Topology", chart->topology);
    term(page, "Operator", chart->operator_name);
    mr_markup_add(markup, "</dl>\n");
}

/* What a reader must know of the points before trusting the picture. */
static void notices(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    const struct mr_series *series = page->series;
    uint64_t span = (uint64_t)(series->number - series->first_number) + 1;
    if (series->first_number > 1)
        mr_markup_add(markup,
                      "<p class=\"notice\">Points before %" PRId64 " are not in the records.</p>\n",
                      series->first_number);
    if (span > series->points)
        mr_markup_add(markup,
                      "<p class=\"notice\">%" PRIu64
                      " point%s in between %s not in the records.</p>\n",
                      span - series->points, plural(span - series->points),
                      span - series->points == 1 ? "is" : "are");
    if (series->restarts > 0)
        mr_markup_add(markup,
                      "<p class=\"notice\">The chart was reset %" PRIu64
                      " time%s; only what came since is shown.</p>\n",
                      series->restarts, plural(series->restarts));
    if (series->starved > 0)
        mr_markup_add(markup,
                      "<p class=\"notice\">%" PRIu64
                      " subgroup%s had too few records for a point.</p>\n",
                      series->starved, plural(series->starved));
}

/* ---- Pictures ---- */

static void legend_entry(const struct page *page, const char *shape, const char *meaning)
{
    mr_markup_add(page->markup,
                  "<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\">%s</svg> %s</li>\n", shape,
                  meaning);
}

static void legend(const struct page *page)
{
    const struct mr_report_chart *chart = page->chart;
    struct mr_plot plots[] = {plot_of(page, page->points, page->count, false),
                              plot_of(page, page->points, page->count, true)};
    mr_markup_add(page->markup, "<ul class=\"legend\">\n");
    legend_entry(page, "<path class=\"mark critical\" d=\"M7 1l6 6l-6 6l-6-6z\"/>",
                 "beyond the limits");
    if (chart->rules != NULL) {
        legend_entry(page, "<path class=\"mark warning\" d=\"M7 2l5.5 9.5h-11z\"/>",
                     "another rule");
        legend_entry(page, "<g class=\"runs\"><path d=\"M1 10L13 4\"/></g>",
                     "the points that broke it");
    }
    legend_entry(page, "<circle class=\"mark ok\" cx=\"7\" cy=\"7\" r=\"3.5\"/>", "no rule broken");
    if (page->series->learning > 0)
        legend_entry(page, "<circle class=\"mark learning\" cx=\"7\" cy=\"7\" r=\"3.5\"/>",
                     "phase 1");
    if (chart->has_zones)
        legend_entry(page,
                     "<path class=\"zone-c\" d=\"M0 0h5v14h-5z\"/>"
                     "<path class=\"zone-b\" d=\"M5 0h4v14h-4z\"/>"
                     "<path class=\"zone-a\" d=\"M9 0h5v14h-5z\"/>",
                     "within 1 sigma, 2 sigma, the limits");
    if (mr_plot_is_cut(&plots[0]) || (chart->spread_help != NULL && mr_plot_is_cut(&plots[1])))
        legend_entry(page, "<path class=\"mark ok\" d=\"M7 0l-6 7h4v7h4v-7h4z\"/>",
                     "out of the scale");
    mr_markup_add(page->markup, "</ul>\n");
}

static void figure(const struct page *page, const char *heading, const char *help,
                   const struct mr_plot *plot)
{
    mr_markup_add(page->markup, "<section>\n<h2>%s</h2>\n<p class=\"help\">", heading);
    mr_markup_text(page->markup, help);
    mr_markup_add(page->markup, "%s</p>\n<div class=\"wide\">\n",
                  plot->has_sums ? " The lines are both sums." : "");
    mr_plot_points(page->markup, plot);
    mr_markup_add(page->markup, "</div>\n</section>\n");
}

/* Of a series that is longer than what is shown one by one: all of it, and its phase 1. */
static void overview(const struct page *page)
{
    const struct mr_series *series = page->series;
    struct mr_markup *markup = page->markup;
    struct mr_plot plot = plot_of(page, page->points, page->count, false);
    mr_markup_add(markup,
                  "<section>\n<h2>All points</h2>\n<p class=\"help\">Lowest and highest value of "
                  "each %" PRIu64 "; the frame holds the last %u, which are below.</p>\n"
                  "<div class=\"wide\">\n",
                  series->column_points, page->count);
    plot.title = "All points, lowest and highest value";
    mr_plot_columns(markup, &plot, page->points[0].number);
    mr_markup_add(markup, "</div>\n</section>\n");
    bool is_shown = page->points[0].is_learning;
    if (series->learning == 0 || is_shown || series->first_count == 0)
        return;
    plot = plot_of(page, series->first, series->first_count, false);
    plot.id = "early";
    figure(page, "Phase 1", "The points that the limits were estimated from, and the next one.",
           &plot);
}

static void pictures(const struct page *page)
{
    const struct mr_report_chart *chart = page->chart;
    struct mr_plot plot = plot_of(page, page->points, page->count, false);
    plot.id = "value";
    plot.has_links = true;
    legend(page);
    if (page->series->points > page->count)
        overview(page);
    figure(page, "Value", chart->value_help, &plot);
    if (chart->spread_help == NULL)
        return;
    plot = plot_of(page, page->points, page->count, true);
    plot.id = "spread";
    plot.has_links = true;
    figure(page, "Spread", chart->spread_help, &plot);
}

/* ---- Tables ---- */

static const char *meaning_of(const char *rule)
{
    for (uint32_t index = 0; index < MR_RULES_COUNT; index++)
        if (strcmp(mr_run_rule_names[index], rule) == 0)
            return mr_run_rule_texts[index];
    return strcmp(rule, "limits") == 0 ? "a point beyond the limits" : NULL;
}

static void tallies(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    const struct mr_series *series = page->series;
    mr_markup_add(markup, "<ul class=\"tallies\">\n");
    for (uint32_t index = 0; index < series->tallies_count; index++) {
        const struct mr_series_tally *tally = &series->tallies[index];
        const char *meaning = meaning_of(tally->rule);
        mr_markup_add(markup, "<li><b>%" PRIu64 "</b> ", tally->count);
        mr_markup_text(markup, tally->rule);
        mr_markup_add(markup, "%s%s%s</li>\n", tally->by_spread ? " of the spread" : "",
                      meaning == NULL ? "" : ": ", meaning == NULL ? "" : meaning);
    }
    mr_markup_add(markup, "</ul>\n");
}

/* "31 to 38", or "34, 35, 37". */
static void breach_points(struct mr_markup *markup, const struct mr_series_breach *breach)
{
    uint32_t count = breach->points_count;
    bool in_a_row = count > 2;
    for (uint32_t index = 1; index < count; index++)
        in_a_row = in_a_row && breach->points[index] == breach->points[index - 1] + 1;
    if (in_a_row) {
        mr_markup_add(markup, "%" PRId64 " to %" PRId64, breach->points[0],
                      breach->points[count - 1]);
        return;
    }
    for (uint32_t index = 0; index < count; index++)
        mr_markup_add(markup, "%s%" PRId64, index > 0 ? ", " : "", breach->points[index]);
}

/* Subgroup and time, where the points have them; the first cell's end is in front of them. */
static void place_cells(const struct page *page, const char *label, int64_t time_ms)
{
    mr_markup_add(page->markup, "</td>");
    if (page->has_labels) {
        mr_markup_add(page->markup, "<td>");
        mr_markup_text(page->markup, label);
        mr_markup_add(page->markup, "</td>");
    }
    if (page->has_times) {
        mr_markup_add(page->markup, "<td>");
        time_text(page->markup, time_ms);
        mr_markup_add(page->markup, "</td>");
    }
}

static void place_heads(const struct page *page)
{
    mr_markup_add(page->markup, "%s%s", page->has_labels ? "<th>Subgroup</th>" : "",
                  page->has_times ? "<th>Time</th>" : "");
}

static void breach_row(const struct page *page, const struct mr_series_breach *breach,
                       bool is_first, int decimals)
{
    struct mr_markup *markup = page->markup;
    const char *meaning = meaning_of(breach->rule);
    const char *kind = breach->points_count < 2 ? "critical" : "warning";
    bool is_shown = breach->number >= page->points[0].number;
    mr_markup_add(markup, is_first ? "<tr id=\"at-%" PRId64 "\"><td>" : "<tr><td>", breach->number);
    if (is_shown)
        mr_markup_add(markup, "<a href=\"#%s-%" PRId64 "\">%" PRId64 "</a>",
                      breach->by_spread ? "spread" : "value", breach->number, breach->number);
    else
        mr_markup_add(markup, "%" PRId64, breach->number);
    place_cells(page, breach->label, breach->time_ms);
    mr_markup_add(markup, "<td><span class=\"tag %s\">%s</span></td><td class=\"what\"><b>", kind,
                  kind);
    mr_markup_text(markup, breach->rule);
    mr_markup_add(markup, "</b>%s%s</td><td>%s</td><td>", meaning == NULL ? "" : ": ",
                  meaning == NULL ? "" : meaning, breach->by_spread ? "spread" : "value");
    breach_points(markup, breach);
    const double numbers[] = {breach->lines.value, breach->lines.lower, breach->lines.upper};
    for (uint32_t index = 0; index < 3; index++) {
        mr_markup_add(markup, "</td><td class=\"number\">");
        mr_markup_number(markup, numbers[index], decimals);
    }
    mr_markup_add(markup, "</td></tr>\n");
}

static void broken_rules(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    const struct mr_series *series = page->series;
    uint32_t count;
    const struct mr_series_breach *breaches = mr_series_breaches(series, &count);
    struct mr_plot plots[] = {plot_of(page, page->points, page->count, false),
                              plot_of(page, page->points, page->count, true)};
    int decimals[] = {mr_plot_decimals(&plots[0]), mr_plot_decimals(&plots[1])};
    mr_markup_add(markup, "<section id=\"broken\" tabindex=\"-1\">\n<h2>Broken rules</h2>\n");
    if (count == 0) {
        mr_markup_add(markup, "<p>None.</p>\n</section>\n");
        return;
    }
    tallies(page);
    if (series->breaches_total > count)
        mr_markup_add(markup, "<p class=\"help\">The last %u of %" PRIu64 ".</p>\n", count,
                      series->breaches_total);
    mr_markup_add(markup, "<div class=\"wide\">\n<table>\n<thead><tr><th>Point</th>");
    place_heads(page);
    mr_markup_add(markup, "<th>Severity</th><th>Rule</th><th>Chart</th><th>Broken by points</th>"
                          "<th class=\"number\">Value</th><th class=\"number\">Lower</th>"
                          "<th class=\"number\">Upper</th></tr></thead>\n<tbody>\n");
    for (uint32_t end = count; end > 0;) { /* the newest point first, its rules in their order */
        uint32_t begin = end - 1;
        while (begin > 0 && breaches[begin - 1].number == breaches[begin].number)
            begin--;
        for (uint32_t index = begin; index < end; index++)
            breach_row(page, &breaches[index], index == begin, decimals[breaches[index].by_spread]);
        end = begin;
    }
    mr_markup_add(markup, "</tbody>\n</table>\n</div>\n</section>\n");
}

static void lines_cells(const struct page *page, const struct mr_series_lines *lines, int decimals)
{
    const double numbers[] = {lines->value, lines->lower, lines->center, lines->upper};
    for (uint32_t index = 0; index < 4; index++) {
        mr_markup_add(page->markup, "<td class=\"number\">");
        mr_markup_number(page->markup, numbers[index], decimals);
        mr_markup_add(page->markup, "</td>");
    }
}

/* The pictures' numbers, for who does not see them or wants to copy them. */
static void numbers(const struct page *page)
{
    struct mr_markup *markup = page->markup;
    bool has_spread = page->chart->spread_help != NULL;
    struct mr_plot plots[] = {plot_of(page, page->points, page->count, false),
                              plot_of(page, page->points, page->count, true)};
    int decimals[] = {mr_plot_decimals(&plots[0]), mr_plot_decimals(&plots[1])};
    mr_markup_add(markup, "<section>\n<details>\n<summary>The points as numbers</summary>\n"
                          "<div class=\"wide\">\n<table>\n<thead><tr><th>Point</th>");
    place_heads(page);
    mr_markup_add(markup, "<th>State</th>");
    for (int which = 0; which <= has_spread; which++) {
        mr_markup_add(markup, "<th class=\"number\">%s</th>", which == 0 ? "Value" : "Spread");
        mr_markup_add(markup, "<th class=\"number\">Lower</th><th class=\"number\">Centre</th>"
                              "<th class=\"number\">Upper</th>");
    }
    mr_markup_add(markup, "</tr></thead>\n<tbody>\n");
    for (uint32_t index = 0; index < page->count; index++) {
        const struct mr_series_point *point = &page->points[index];
        mr_markup_add(markup, "<tr><td>%" PRId64, point->number);
        place_cells(page, point->label, point->time_ms);
        mr_markup_add(markup, "<td>%s</td>",
                      point->is_learning   ? "phase 1"
                      : point->is_muted    ? "muted"
                      : !point->is_anomaly ? "ok"
                      : point->is_critical ? "critical"
                                           : "warning");
        lines_cells(page, &point->value, decimals[0]);
        if (has_spread)
            lines_cells(page, &point->spread, decimals[1]);
        mr_markup_add(markup, "</tr>\n");
    }
    mr_markup_add(markup, "</tbody>\n</table>\n</div>\n</details>\n</section>\n");
}

void mr_report_page(struct mr_markup *markup, const struct mr_report_chart *chart,
                    const struct mr_series *series)
{
    struct page page = {.markup = markup, .chart = chart, .series = series};
    page.points = mr_series_last(series, &page.count);
    page.has_labels = page.points[page.count - 1].label[0] != '\0';
    page.has_times = series->last_ms != INT64_MIN;
    head(&page);
    verdict(&page);
    summary(&page);
    notices(&page);
    mr_markup_add(markup, "</header>\n<main>\n");
    pictures(&page);
    broken_rules(&page);
    numbers(&page);
    mr_markup_add(markup, "</main>\n</body>\n</html>\n");
}
