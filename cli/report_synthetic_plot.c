/* cli/report_synthetic_plot.c — see report_synthetic_plot.h. */
#include "cli/report_synthetic_plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

enum {
    WIDTH = 320,
    PLOT_TOP = 8,
    PLOT_HEIGHT = 110,
    PLOT_LEFT = 8,
    PLOT_WIDTH = 304,
    TICKS_Y = 136,
    NUMBERS_HEIGHT = 144,
    LABEL_WIDTH = 110,
    BAR_HEIGHT = 20,
    LABEL_BYTES = 14,
    CELL = 22,
    NAME_BYTES = 22,
    NAME_WIDTH = 160,
    SIDES = 2
};

static double share_of(uint32_t count, uint32_t all)
{
    return all == 0 ? 0 : (double)count / all;
}

/* A text that may be too long for its place. */
static void short_text(struct mr_markup *markup, const char *text, size_t bytes)
{
    char kept[NAME_BYTES + 4];
    size_t size = strlen(text);
    if (size > bytes) {
        size = mr_utf8_cut(mr_slice_text(text), bytes - 1);
        memcpy(kept, text, size);
        memcpy(kept + size, "\xe2\x80\xa6", 4); /* an ellipsis */
        text = kept;
    }
    mr_markup_text(markup, text);
}

/* ---- Numbers ---- */

struct histogram {
    double low;
    double high;
    uint32_t counts[SIDES][MR_SYNTHETIC_PLOT_BINS];
    uint32_t present[SIDES];
    double top; /* the highest share */
};

static const struct mr_synthetic_table *side_of(const struct mr_synthetic_report *report,
                                                uint32_t side)
{
    return side == 0 ? &report->tables->real : &report->tables->synthetic;
}

static void count_numbers(const struct mr_synthetic_report *report, uint32_t column,
                          struct histogram *histogram)
{
    *histogram = (struct histogram){.low = NAN, .high = NAN};
    for (uint32_t side = 0; side < SIDES; side++) {
        const struct mr_synthetic_table *table = side_of(report, side);
        for (uint32_t row = 0; row < table->rows_count; row++) {
            histogram->low = fmin(histogram->low, table->numbers[column][row]);
            histogram->high = fmax(histogram->high, table->numbers[column][row]);
        }
    }
    double scale = isfinite(histogram->high - histogram->low) ? 1 : 0.25;
    double range = histogram->high * scale - histogram->low * scale;
    for (uint32_t side = 0; side < SIDES; side++) {
        const struct mr_synthetic_table *table = side_of(report, side);
        for (uint32_t row = 0; row < table->rows_count; row++) {
            double number = table->numbers[column][row];
            if (isnan(number))
                continue;
            double place = range > 0 ? (number * scale - histogram->low * scale) / range : 0.5;
            uint32_t bin = (uint32_t)(place * MR_SYNTHETIC_PLOT_BINS);
            histogram
                ->counts[side][bin < MR_SYNTHETIC_PLOT_BINS ? bin : MR_SYNTHETIC_PLOT_BINS - 1]++;
            histogram->present[side]++;
        }
        for (uint32_t bin = 0; bin < MR_SYNTHETIC_PLOT_BINS; bin++)
            histogram->top = fmax(histogram->top,
                                  share_of(histogram->counts[side][bin], histogram->present[side]));
    }
}

static void tick(struct mr_markup *markup, enum mr_synthetic_kind kind, double number, double x,
                 const char *anchor)
{
    mr_markup_add(markup, "<text class=\"tick\" x=\"%.0f\" y=\"%d\" text-anchor=\"%s\">", x,
                  TICKS_Y, anchor);
    if (kind == MR_SYNTHETIC_DATETIME) {
        char text[MR_CLOCK_TEXT_SIZE];
        (void)mr_clock_format_rfc3339((int64_t)(number / 1e6), text);
        mr_markup_add(markup, "%.10s", text);
    } else {
        mr_markup_add(markup, "%.5g", number);
    }
    mr_markup_add(markup, "</text>\n");
}

static double height_of(const struct histogram *histogram, uint32_t side, uint32_t bin)
{
    return PLOT_HEIGHT * share_of(histogram->counts[side][bin], histogram->present[side]) /
           histogram->top;
}

static void plot_numbers(struct mr_markup *markup, const struct mr_synthetic_report *report,
                         uint32_t column)
{
    enum mr_synthetic_kind kind = report->tables->columns[column].kind;
    double width = (double)PLOT_WIDTH / MR_SYNTHETIC_PLOT_BINS;
    double bottom = PLOT_TOP + PLOT_HEIGHT;
    struct histogram histogram;
    count_numbers(report, column, &histogram);
    mr_markup_add(markup, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Distribution\">\n",
                  WIDTH, NUMBERS_HEIGHT);
    mr_markup_add(markup, "<path class=\"grid\" d=\"M%d %.0fh%d\"/>\n", PLOT_LEFT, bottom,
                  PLOT_WIDTH);
    if (histogram.top > 0) {
        for (uint32_t bin = 0; bin < MR_SYNTHETIC_PLOT_BINS; bin++) {
            double height = height_of(&histogram, 0, bin);
            mr_markup_add(markup,
                          "<rect class=\"real\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                          "height=\"%.2f\"><title>real %.2f %%, synthetic %.2f %%</title></rect>\n",
                          PLOT_LEFT + bin * width + 0.5, bottom - height, width - 1, height,
                          100 * share_of(histogram.counts[0][bin], histogram.present[0]),
                          100 * share_of(histogram.counts[1][bin], histogram.present[1]));
        }
        mr_markup_add(markup, "<path class=\"synthetic\" d=\"M%d %.0f", PLOT_LEFT, bottom);
        for (uint32_t bin = 0; bin < MR_SYNTHETIC_PLOT_BINS; bin++)
            mr_markup_add(markup, "V%.2fh%.2f", bottom - height_of(&histogram, 1, bin), width);
        mr_markup_add(markup, "V%.0f\"/>\n", bottom);
        tick(markup, kind, histogram.low, PLOT_LEFT, "start");
        if (histogram.high > histogram.low) {
            tick(markup, kind, histogram.low / 2 + histogram.high / 2, WIDTH / 2, "middle");
            tick(markup, kind, histogram.high, PLOT_LEFT + PLOT_WIDTH, "end");
        }
    }
    mr_markup_add(markup, "</svg>\n");
}

/* ---- Categories ---- */

struct bar {
    uint32_t code; /* 0: the others together */
    double shares[SIDES];
};

static int compare_bars(const void *left, const void *right)
{
    const struct bar *one = left;
    const struct bar *two = right;
    double difference = fmax(two->shares[0], two->shares[1]) - fmax(one->shares[0], one->shares[1]);
    return difference < 0   ? -1
           : difference > 0 ? 1
                            : (one->code > two->code) - (one->code < two->code);
}

/* The highest bars; the others are one. Returns how many. */
static uint32_t count_bars(const struct mr_synthetic_report *report, uint32_t column,
                           struct mr_arena *arena, struct bar **bars)
{
    uint32_t codes_count = report->tables->columns[column].codes_count;
    struct bar *all = mr_arena_new(arena, (size_t)codes_count + 1, sizeof(*all));
    for (uint32_t side = 0; side < SIDES; side++) {
        const struct mr_synthetic_table *table = side_of(report, side);
        uint32_t present = 0;
        for (uint32_t row = 0; row < table->rows_count; row++)
            present += table->codes[column][row] > 0;
        for (uint32_t row = 0; row < table->rows_count; row++)
            if (table->codes[column][row] > 0)
                all[table->codes[column][row]].shares[side] += 1.0 / present;
    }
    for (uint32_t code = 1; code < codes_count; code++)
        all[code].code = code;
    *bars = all + 1;
    uint32_t count = codes_count - 1;
    if (count > 0)
        qsort(*bars, count, sizeof(**bars), compare_bars);
    if (count <= MR_SYNTHETIC_PLOT_BARS)
        return count;
    struct bar rest = {0};
    for (uint32_t index = MR_SYNTHETIC_PLOT_BARS - 1; index < count; index++)
        for (uint32_t side = 0; side < SIDES; side++)
            rest.shares[side] += (*bars)[index].shares[side];
    (*bars)[MR_SYNTHETIC_PLOT_BARS - 1] = rest;
    return MR_SYNTHETIC_PLOT_BARS;
}

static void plot_bar(struct mr_markup *markup, const struct mr_synthetic_report *report,
                     uint32_t column, const struct bar *bar, uint32_t place, double top)
{
    double scale = (WIDTH - LABEL_WIDTH - PLOT_LEFT) / top;
    double y = PLOT_TOP + (double)place * BAR_HEIGHT;
    const char *label =
        bar->code == 0 ? "all others" : mr_synthetic_load_label(report->load, column, bar->code);
    mr_markup_add(markup, "<g><title>");
    mr_markup_text(markup, label);
    mr_markup_add(markup,
                  ": real %.2f %%, synthetic %.2f %%</title><text class=\"tick\" x=\"%d\" "
                  "y=\"%.0f\" text-anchor=\"end\">",
                  100 * bar->shares[0], 100 * bar->shares[1], LABEL_WIDTH - 6, y + 13);
    short_text(markup, label, LABEL_BYTES);
    mr_markup_add(markup,
                  "</text><rect class=\"real\" x=\"%d\" y=\"%.0f\" width=\"%.2f\" height=\"16\"/>"
                  "<rect class=\"synthetic-bar\" x=\"%d\" y=\"%.0f\" width=\"%.2f\" "
                  "height=\"6\"/></g>\n",
                  LABEL_WIDTH, y + 1, scale * bar->shares[0], LABEL_WIDTH, y + 6,
                  scale * bar->shares[1]);
}

static void plot_codes(struct mr_markup *markup, const struct mr_synthetic_report *report,
                       uint32_t column)
{
    struct mr_arena arena;
    struct bar *bars;
    double top = 0;
    mr_arena_init(&arena, 64 << 10);
    uint32_t count = count_bars(report, column, &arena, &bars);
    for (uint32_t index = 0; index < count; index++)
        top = fmax(top, fmax(bars[index].shares[0], bars[index].shares[1]));
    mr_markup_add(markup, "<svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"Shares\">\n", WIDTH,
                  2u * PLOT_TOP + count * BAR_HEIGHT);
    for (uint32_t index = 0; index < count && top > 0; index++)
        plot_bar(markup, report, column, &bars[index], index, top);
    mr_markup_add(markup, "</svg>\n");
    mr_arena_deinit(&arena);
}

void mr_synthetic_plot_column(struct mr_markup *markup, const struct mr_synthetic_report *report,
                              uint32_t column)
{
    if (mr_synthetic_is_number(report->tables->columns[column].kind))
        plot_numbers(markup, report, column);
    else
        plot_codes(markup, report, column);
}

/* ---- Pairs ---- */

/* Where each scored column stands. Returns how many. */
static uint32_t place_columns(const struct mr_synthetic_report *report, uint32_t *places)
{
    uint32_t count = 0;
    for (uint32_t column = 0; column < report->tables->columns_count; column++)
        if (mr_synthetic_is_scored(report->tables->columns[column].kind))
            places[column] = count++;
    return count;
}

static void plot_pair(struct mr_markup *markup, const struct mr_synthetic_report *report,
                      const struct mr_synthetic_pair_score *pair, uint32_t x, uint32_t y)
{
    double score = pair->score.score;
    mr_markup_add(markup, "<g class=\"pair%s\"><title>", pair->counts ? " counts" : "");
    mr_markup_text(markup, report->tables->columns[pair->first].name);
    mr_markup_add(markup, " and ");
    mr_markup_text(markup, report->tables->columns[pair->second].name);
    if (isnan(score)) {
        mr_markup_add(
            markup, ": %s</title><path class=\"none\" d=\"M%u %ul%d %dm0 %dl%d %d\"/></g>\n",
            pair->score.why, x + 6, y + 6, CELL - 12, CELL - 12, 12 - CELL, 12 - CELL, CELL - 12);
        return;
    }
    mr_markup_add(markup,
                  ": %s %.4f</title><rect class=\"worse\" x=\"%u\" y=\"%u\" width=\"%d\" "
                  "height=\"%d\" fill-opacity=\"%.3f\"/></g>\n",
                  pair->score.metric, score, x + 1, y + 1, CELL - 2, CELL - 2,
                  fmin(1, 0.04 + 2.4 * (1 - score)));
}

void mr_synthetic_plot_pairs(struct mr_markup *markup, const struct mr_synthetic_report *report)
{
    uint32_t places[MR_SYNTHETIC_COLUMNS_MAX] = {0};
    uint32_t count = place_columns(report, places);
    uint32_t side = count * CELL;
    mr_markup_add(markup,
                  "<svg class=\"map\" viewBox=\"0 0 %u %u\" width=\"%u\" role=\"img\" "
                  "aria-label=\"Scores of all pairs\">\n",
                  NAME_WIDTH + side + 8, side + NAME_WIDTH, NAME_WIDTH + side + 8);
    for (uint32_t column = 0; column < report->tables->columns_count; column++) {
        const struct mr_synthetic_column *one = &report->tables->columns[column];
        if (!mr_synthetic_is_scored(one->kind))
            continue;
        uint32_t middle = places[column] * CELL + CELL / 2;
        mr_markup_add(markup, "<text class=\"tick\" x=\"%d\" y=\"%u\" text-anchor=\"end\">",
                      NAME_WIDTH - 6, middle + 4);
        short_text(markup, one->name, NAME_BYTES);
        mr_markup_add(markup,
                      "</text><text class=\"tick\" text-anchor=\"end\" transform=\"translate(%u %u)"
                      " rotate(-60)\">",
                      NAME_WIDTH + middle + 4, side + 10);
        short_text(markup, one->name, NAME_BYTES);
        mr_markup_add(markup,
                      "</text>\n<rect class=\"self\" x=\"%u\" y=\"%u\" width=\"%d\" "
                      "height=\"%d\"/>\n",
                      NAME_WIDTH + places[column] * CELL + 1, places[column] * CELL + 1, CELL - 2,
                      CELL - 2);
    }
    for (uint32_t index = 0; index < report->scores->pairs_count; index++) {
        const struct mr_synthetic_pair_score *pair = &report->scores->pairs[index];
        uint32_t first = places[pair->first] * CELL;
        uint32_t second = places[pair->second] * CELL;
        plot_pair(markup, report, pair, NAME_WIDTH + first, second);
        plot_pair(markup, report, pair, NAME_WIDTH + second, first);
    }
    mr_markup_add(markup, "</svg>\n");
}
