/* worker/janitor.h — local state of tasks that have left: kept for ten minutes, then deleted.
 * Why: a task that comes back finds its state warm; a disk does not fill with what moved away.
 * Rules: only folders that a task's state was opened in by this program are ever deleted: those of
 * the layout <state>/<generation, 16 hex digits>/<subtopology>/<partition> that hold the store's
 * own files; anything else is left alone, whatever it is called. Of such a folder the store deletes
 * its own files only. A folder that somebody has open is never touched; links are not followed.
 * Threads: notes from any thread, they never wait for the disk; the deletions are made by the
 * janitor's own thread, or by who calls mr_janitor_sweep. */
#ifndef MR_WORKER_JANITOR_H
#define MR_WORKER_JANITOR_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_janitor;
struct mr_store_ops;

enum { MR_JANITOR_KEEP_MS = 600000, MR_JANITOR_FOLDERS_MAX = 65536 };

/* Looks at what is there: folders of an earlier start count as left now. directory, borrowed; NULL:
 * state is in memory, nothing to do. */
struct mr_janitor *mr_janitor_create(const char *directory, const struct mr_store_ops *store_ops,
                                     uint64_t now_ms);
/* Sweep now and then on a thread of its own, until the janitor is destroyed. */
enum mr_status mr_janitor_start(struct mr_janitor *janitor, struct mr_error *error) MR_NODISCARD;
void mr_janitor_destroy(struct mr_janitor *janitor); /* accepts NULL */
/* The state of a task is about to be opened, or was closed. */
void mr_janitor_opened(struct mr_janitor *janitor, uint64_t generation, const char *subtopology,
                       int32_t partition);
void mr_janitor_closed(struct mr_janitor *janitor, uint64_t generation, const char *subtopology,
                       int32_t partition, uint64_t now_ms);
/* Delete what has been left for keep_ms; at most one folder a call. True: it deleted one. */
bool mr_janitor_sweep(struct mr_janitor *janitor, uint64_t now_ms, uint64_t keep_ms);

#endif
