/* cli/progress.h — what `run` shows while it runs: one line that is redrawn on a terminal, plain
 * lines every ten seconds elsewhere, and a summary at the end. Everything goes to standard error.
 */
#ifndef MR_CLI_PROGRESS_H
#define MR_CLI_PROGRESS_H

#include "worker/worker.h"

struct mr_progress_view {
    struct mr_metrics *metrics;
    bool quiet;
    bool terminal;
    uint64_t started_ms;
    uint64_t last_ms;
    uint64_t last_records;
    uint64_t last_line_ms;
};

void mr_progress_view_init(struct mr_progress_view *view, struct mr_metrics *metrics, bool quiet);
void mr_progress_view_print(struct mr_progress_view *view, struct mr_running *const *runnings,
                            uint32_t count);
void mr_progress_view_finish(struct mr_progress_view *view, struct mr_running *const *runnings,
                             uint32_t count);

#endif
