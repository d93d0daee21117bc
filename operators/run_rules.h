/* operators/run_rules.h — the rules that tell by the last points of a control chart that a process
 * is out of control: Western Electric (Statistical Quality Control Handbook, 1956) and Nelson
 * (Journal of Quality Technology 16, 1984). One place for all charts.
 * Model: each point leaves one byte of marks: its side of the centre line, whether it is beyond one
 * and two standard errors and beyond the limit, and whether it went up or down from the point
 * before. All rules look at the newest point and at most 14 before it, and hold only when the
 * newest is one of the points that break it; so each of them is told when it happens, not again
 * later. A point on the centre line is on no side; one on a limit is not beyond it.
 * Missing points count as never having been: a run goes on over them. */
#ifndef MR_OPERATORS_RUN_RULES_H
#define MR_OPERATORS_RUN_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum mr_run_rule {
    MR_RULE_WE1,     /* one point beyond the limits */
    MR_RULE_WE2,     /* 2 of 3 beyond 2 sigma on one side */
    MR_RULE_WE3,     /* 4 of 5 beyond 1 sigma on one side */
    MR_RULE_WE4,     /* 8 in a row on one side */
    MR_RULE_NELSON1, /* one point beyond the limits */
    MR_RULE_NELSON2, /* 9 in a row on one side */
    MR_RULE_NELSON3, /* 6 in a row steadily rising or falling */
    MR_RULE_NELSON4, /* 14 in a row alternately up and down */
    MR_RULE_NELSON5, /* 2 of 3 beyond 2 sigma on one side */
    MR_RULE_NELSON6, /* 4 of 5 beyond 1 sigma on one side */
    MR_RULE_NELSON7, /* 15 in a row within 1 sigma, on either side */
    MR_RULE_NELSON8, /* 8 in a row beyond 1 sigma, on either side */
    MR_RULES_COUNT
};

enum {
    MR_RULE_POINTS_MAX = 15,
    MR_RULES_LIMITS = 1u << MR_RULE_WE1 | 1u << MR_RULE_NELSON1,
    MR_RULES_WESTERN_ELECTRIC = 0x00f,
    MR_RULES_NELSON = 0xff0
};

/* The last points of one chart; all zero: none. */
struct mr_run_history {
    uint8_t marks[MR_RULE_POINTS_MAX]; /* the newest first; see run_rules.c */
    uint8_t count;                     /* of them, at most MR_RULE_POINTS_MAX */
    double last;                       /* the newest value */
};

/* "we1", "nelson8" */
extern const char *const mr_run_rule_names[MR_RULES_COUNT];
/* What it says, as part of a sentence: "2 of 3 points beyond 2 sigma on one side". */
extern const char *const mr_run_rule_texts[MR_RULES_COUNT];

/* The rules that a name in a topology means: one rule, or western_electric, or nelson; 0: none. */
uint32_t mr_run_rules_named(struct mr_slice name);

/* Add a point. value: as plotted; distance: from the centre line in standard errors, above it > 0;
 * beyond: outside of the limits. */
void mr_run_history_add(struct mr_run_history *history, double value, double distance, bool beyond);

/* Which of the enabled rules (bits by enum mr_run_rule) the newest point breaks. */
uint32_t mr_run_rules_broken(const struct mr_run_history *history, uint32_t enabled);

/* The points that broke a rule, as distances back from the newest (0), the oldest first; returns
 * how many. Pre: the rule is broken. */
uint32_t mr_run_rule_points(const struct mr_run_history *history, enum mr_run_rule rule,
                            uint8_t back[MR_RULE_POINTS_MAX]);

#endif
