/* operators/run_rules.c — see run_rules.h. Design: every rule is "at least `least` of the last
 * `window` points have these marks", where the newest has them too; sides are tried one by one. */
#include "operators/run_rules.h"

#include <string.h>

#include "base/assert.h"

enum mark {
    ABOVE = 1u << 0,
    BELOW = 1u << 1,
    BEYOND_ONE = 1u << 2, /* standard errors */
    BEYOND_TWO = 1u << 3,
    BEYOND_LIMIT = 1u << 4,
    UP = 1u << 5, /* from the point before */
    DOWN = 1u << 6
};

const char *const mr_run_rule_names[MR_RULES_COUNT] = {
    "we1",     "we2",     "we3",     "we4",     "nelson1", "nelson2",
    "nelson3", "nelson4", "nelson5", "nelson6", "nelson7", "nelson8",
};

const char *const mr_run_rule_texts[MR_RULES_COUNT] = {
    "a point beyond the limits",
    "2 of 3 points beyond 2 sigma on one side",
    "4 of 5 points beyond 1 sigma on one side",
    "8 points in a row on one side",
    "a point beyond the limits",
    "9 points in a row on one side",
    "6 points in a row rising or falling",
    "14 points in a row alternately up and down",
    "2 of 3 points beyond 2 sigma on one side",
    "4 of 5 points beyond 1 sigma on one side",
    "15 points in a row within 1 sigma",
    "8 points in a row beyond 1 sigma",
};

/* Points that all have `has` and nothing of `lacks`; with one_side, all on one side. */
struct pattern {
    uint8_t least;
    uint8_t window;
    uint8_t has;
    uint8_t lacks;
    bool one_side;
};

static const struct pattern patterns[MR_RULES_COUNT] = {
    [MR_RULE_WE1] = {1, 1, BEYOND_LIMIT, 0, false},
    [MR_RULE_WE2] = {2, 3, BEYOND_TWO, 0, true},
    [MR_RULE_WE3] = {4, 5, BEYOND_ONE, 0, true},
    [MR_RULE_WE4] = {8, 8, 0, 0, true},
    [MR_RULE_NELSON1] = {1, 1, BEYOND_LIMIT, 0, false},
    [MR_RULE_NELSON2] = {9, 9, 0, 0, true},
    [MR_RULE_NELSON5] = {2, 3, BEYOND_TWO, 0, true},
    [MR_RULE_NELSON6] = {4, 5, BEYOND_ONE, 0, true},
    [MR_RULE_NELSON7] = {15, 15, 0, BEYOND_ONE, false},
    [MR_RULE_NELSON8] = {8, 8, BEYOND_ONE, 0, false},
};

enum { TREND_POINTS = 6, ALTERNATING_POINTS = 14 };

uint32_t mr_run_rules_named(struct mr_slice name)
{
    if (mr_slice_equal(name, mr_slice_text("western_electric")))
        return MR_RULES_WESTERN_ELECTRIC;
    if (mr_slice_equal(name, mr_slice_text("nelson")))
        return MR_RULES_NELSON;
    for (uint32_t rule = 0; rule < MR_RULES_COUNT; rule++)
        if (mr_slice_equal(name, mr_slice_text(mr_run_rule_names[rule])))
            return 1u << rule;
    return 0;
}

void mr_run_history_add(struct mr_run_history *history, double value, double distance, bool beyond)
{
    unsigned marks = beyond ? BEYOND_LIMIT : 0;
    double size = distance < 0 ? -distance : distance;
    if (distance != 0)
        marks |= distance > 0 ? ABOVE : BELOW;
    if (size > 1)
        marks |= BEYOND_ONE;
    if (size > 2)
        marks |= BEYOND_TWO;
    if (history->count > 0 && value != history->last)
        marks |= value > history->last ? UP : DOWN;
    memmove(history->marks + 1, history->marks, MR_RULE_POINTS_MAX - 1);
    history->marks[0] = (uint8_t)marks;
    history->last = value;
    if (history->count < MR_RULE_POINTS_MAX)
        history->count++;
}

/* ---- Counting ---- */

static uint32_t count_of(const struct mr_run_history *history, const struct pattern *pattern,
                         uint8_t side, uint8_t back[MR_RULE_POINTS_MAX])
{
    uint8_t has = pattern->has | side;
    uint32_t count = 0;
    for (int index = pattern->window - 1; index >= 0; index--)
        if (index < history->count && (history->marks[index] & has) == has &&
            (history->marks[index] & pattern->lacks) == 0)
            back[count++] = (uint8_t)index;
    /* The newest is one of them. */
    return count >= pattern->least && back[count - 1] == 0 ? count : 0;
}

static uint32_t pattern_points(const struct mr_run_history *history, const struct pattern *pattern,
                               uint8_t back[MR_RULE_POINTS_MAX])
{
    if (!pattern->one_side)
        return count_of(history, pattern, 0, back);
    uint32_t count = count_of(history, pattern, ABOVE, back);
    return count > 0 ? count : count_of(history, pattern, BELOW, back);
}

/* Steps in one direction, or in alternating ones, up to the newest point. */
static uint32_t steps_points(const struct mr_run_history *history, uint32_t points, bool alternate,
                             uint8_t back[MR_RULE_POINTS_MAX])
{
    if (history->count < points)
        return 0;
    unsigned direction = history->marks[0] & (UP | DOWN);
    for (uint32_t index = 0; index + 1 < points; index++) {
        if (direction == 0 || (history->marks[index] & (UP | DOWN)) != direction)
            return 0;
        if (alternate)
            direction ^= UP | DOWN;
    }
    for (uint32_t index = 0; index < points; index++)
        back[index] = (uint8_t)(points - 1 - index);
    return points;
}

static uint32_t points_of(const struct mr_run_history *history, enum mr_run_rule rule,
                          uint8_t back[MR_RULE_POINTS_MAX])
{
    if (history->count == 0)
        return 0;
    if (rule == MR_RULE_NELSON3)
        return steps_points(history, TREND_POINTS, false, back);
    if (rule == MR_RULE_NELSON4)
        return steps_points(history, ALTERNATING_POINTS, true, back);
    return pattern_points(history, &patterns[rule], back);
}

uint32_t mr_run_rules_broken(const struct mr_run_history *history, uint32_t enabled)
{
    uint8_t back[MR_RULE_POINTS_MAX];
    uint32_t broken = 0;
    for (uint32_t rule = 0; rule < MR_RULES_COUNT; rule++)
        if ((enabled & 1u << rule) != 0 && points_of(history, (enum mr_run_rule)rule, back) > 0)
            broken |= 1u << rule;
    return broken;
}

uint32_t mr_run_rule_points(const struct mr_run_history *history, enum mr_run_rule rule,
                            uint8_t back[MR_RULE_POINTS_MAX])
{
    uint32_t count = points_of(history, rule, back);
    MR_ASSERT(count > 0);
    return count;
}
