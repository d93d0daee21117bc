/* tests/support/faulty_log.h — a log whose commits fail when a test says so.
 * Model: the operations of a real log with one exchanged; everything else is the log's own. A
 * failing commit asks for a new incarnation, as a commit in doubt does. Two kinds: the commit was
 * never carried out, or it was and only its answer is lost: the caller cannot tell them apart.
 * Threads: one log at a time; commits from any thread. */
#ifndef MR_TESTS_FAULTY_LOG_H
#define MR_TESTS_FAULTY_LOG_H

#include "connectors/log.h"

enum mr_fault_kind { MR_FAULT_NOT_COMMITTED, MR_FAULT_ANSWER_LOST };

struct mr_fault {
    enum mr_fault_kind kind;
    uint32_t first; /* the first commit that fails, counted from 1 over all producers */
    uint32_t count; /* how many of them; UINT32_MAX: for ever */
};

/* Exchange the log's commit. Counting begins anew with each call. */
void mr_faulty_log_install(struct mr_log *log, const struct mr_fault *fault);
/* How many commits have been asked for, and how many of them failed. */
uint32_t mr_faulty_log_commits(void);
uint32_t mr_faulty_log_failures(void);
/* From here on commits work. */
void mr_faulty_log_heal(void);
/* Give the log its own operations back, before it is closed. */
void mr_faulty_log_remove(struct mr_log *log);

#endif
