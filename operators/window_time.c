/* operators/window_time.c — see window_time.h. */
#include "operators/window_time.h"

void mr_window_grid_init(struct mr_window_grid *grid, const struct mr_window *window)
{
    *grid = (struct mr_window_grid){
        .size_ms = window->size_ms,
        .every_ms = window->every_ms,
        .offset_ms = window->offset_ms,
        .pane_ms = window->pane_ms,
        .panes = window->size_ms / window->pane_ms,
        .step = window->every_ms / window->pane_ms,
        .zone = window->zone,
    };
}

int64_t mr_window_first_open(const struct mr_window_grid *grid, int64_t time_ms)
{
    return mr_window_divide(mr_window_reading_ms(grid, time_ms) - grid->size_ms - grid->offset_ms,
                            grid->every_ms) +
           1;
}
