/* worker/follower.h — standbys: tasks' states kept warm from their changelogs, without a producer.
 * Model: one thread with one consumer follows all changelog partitions that this worker stands by
 * for. Records are buffered and applied at progress records only, so that the local state is always
 * a prefix of committed transactions (docs/EXACTLY_ONCE.md). A standby that becomes active, or
 * leaves, is flushed and closed; the task then opens the same folder and replays what is left.
 * A worker without a state directory keeps states in memory: a standby then warms nothing.
 * Threads: these functions belong to the worker's controlling thread and never wait for the log or
 * the disk; wishes are carried out by the follower's thread. */
#ifndef MR_WORKER_FOLLOWER_H
#define MR_WORKER_FOLLOWER_H

#include "connectors/log.h"
#include "proto/messages.h"
#include "state/store.h"
#include "topology/deployment.h"

struct mr_follower;
struct mr_standby;
struct mr_worker;

enum mr_status mr_follower_create(struct mr_worker *worker, struct mr_follower **follower,
                                  struct mr_error *error) MR_NODISCARD;
/* Flushes and closes all standbys and ends the thread. Accepts NULL. */
void mr_follower_destroy(struct mr_follower *follower);
/* Milliseconds since the follower's thread has last turned. Any thread. */
uint64_t mr_follower_silence_ms(const struct mr_follower *follower);

/* Follow a stateful task's changelog. Owner: deployment is borrowed until the standby is gone. */
struct mr_standby *mr_follower_follow(struct mr_follower *follower,
                                      const struct mr_deployment *deployment, uint32_t subtopology,
                                      int32_t partition);
/* Stop following. True when its state is flushed and closed and standby is freed; else ask again
 * in a moment. The controlling thread assigns the task actively only after that. */
bool mr_follower_leave(struct mr_standby *standby);
/* FOLLOWING with what remains, or FAILED with a sentence (text: MR_ERROR_MESSAGE_SIZE bytes). A
 * standby that fails for a passing reason tries again by itself. */
void mr_follower_report(struct mr_standby *standby, char *text, struct mr_task_report *report);

#endif
