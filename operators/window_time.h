/* operators/window_time.h — where windows begin and end.
 * Model: aligned windows are numbered by k: window k begins at offset + k * every and is size long.
 * Time is cut into *panes* of the greatest common divisor of both, so that a window is a row of
 * whole panes: window k has the panes k * step .. k * step + panes - 1, and pane p is in the
 * windows first(p) .. last(p). Times beyond +-MR_WINDOW_TIME_MAX are clamped to it, so that no sum
 * here overflows.
 * In a time zone all this happens on the zone's clock (base/zone.h): an instant is turned into its
 * reading before it gets a pane, and a window's begin and end, which are readings, into their
 * instants. Readings never fall as instants rise, so that nothing else has to know: a window is as
 * long as the clock takes for it, and a part of a day that the clock skips is a window without
 * records. */
#ifndef MR_OPERATORS_WINDOW_TIME_H
#define MR_OPERATORS_WINDOW_TIME_H

#include "base/zone.h"
#include "topology/window_option.h"

#define MR_WINDOW_TIME_MAX (INT64_C(1) << 60)

struct mr_window_grid {
    int64_t size_ms;
    int64_t every_ms;
    int64_t offset_ms;
    int64_t pane_ms;
    int64_t panes;              /* of a window */
    int64_t step;               /* panes between the beginnings of windows */
    const struct mr_zone *zone; /* NULL: UTC */
};

/* Of TUMBLING and HOPPING. */
void mr_window_grid_init(struct mr_window_grid *grid, const struct mr_window *window);

static inline int64_t mr_window_clamp(int64_t time_ms)
{
    if (time_ms > MR_WINDOW_TIME_MAX)
        return MR_WINDOW_TIME_MAX;
    return time_ms < -MR_WINDOW_TIME_MAX ? -MR_WINDOW_TIME_MAX : time_ms;
}

/* Towards minus infinity. */
static inline int64_t mr_window_divide(int64_t number, int64_t divisor)
{
    int64_t quotient = number / divisor;
    return number % divisor < 0 ? quotient - 1 : quotient;
}

/* What the zone's clock reads, and when it does. */
static inline int64_t mr_window_reading_ms(const struct mr_window_grid *grid, int64_t time_ms)
{
    time_ms = mr_window_clamp(time_ms);
    return grid->zone == NULL ? time_ms : mr_zone_reading_ms(grid->zone, time_ms);
}

static inline int64_t mr_window_instant_ms(const struct mr_window_grid *grid, int64_t reading_ms)
{
    return grid->zone == NULL ? reading_ms : mr_zone_instant_ms(grid->zone, reading_ms);
}

static inline int64_t mr_window_pane(const struct mr_window_grid *grid, int64_t time_ms)
{
    return mr_window_divide(mr_window_reading_ms(grid, time_ms) - grid->offset_ms, grid->pane_ms);
}

static inline int64_t mr_window_first(const struct mr_window_grid *grid, int64_t pane)
{
    return mr_window_divide(pane - grid->panes, grid->step) + 1;
}

static inline int64_t mr_window_last(const struct mr_window_grid *grid, int64_t pane)
{
    return mr_window_divide(pane, grid->step);
}

static inline int64_t mr_window_start_ms(const struct mr_window_grid *grid, int64_t window)
{
    return mr_window_instant_ms(grid, grid->offset_ms + window * grid->every_ms);
}

static inline int64_t mr_window_end_ms(const struct mr_window_grid *grid, int64_t window)
{
    return mr_window_instant_ms(grid, grid->offset_ms + window * grid->every_ms + grid->size_ms);
}

/* The first window that ends behind time_ms. */
int64_t mr_window_first_open(const struct mr_window_grid *grid, int64_t time_ms);

#endif
