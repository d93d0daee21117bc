/* tests/conformance/log_conformance.h — what every log must do, as one suite over struct
 * mr_log_ops. Why: worker/ relies on the same contract from Kafka and from the memory log
 * (connectors/log.h); a new log is tested by running this suite over it. Model: topics get a random
 * prefix and are deleted at the end, so that a shared broker can be used. */
#ifndef MR_TESTS_LOG_CONFORMANCE_H
#define MR_TESTS_LOG_CONFORMANCE_H

#include "connectors/log.h"

struct mr_log_conformance {
    const char *name; /* of the log under test, for the report */
    enum mr_status (*create)(struct mr_log **log, struct mr_error *error);
    uint32_t patience_ms;         /* how long an answer may take */
    uint32_t stress_transactions; /* per producer of the stress test */
    /* A commit that did not return MR_OK is never there. (Of Kafka's a lost answer may hide one.)
     */
    bool acknowledged_is_all;
};

/* Run the suite; returns the number of failed tests. Not reentrant. */
int mr_log_conformance_run(const struct mr_log_conformance *conformance);

#endif
