/* cli/doctor.h — findings of `millrace doctor`: each is one thing that was looked at, what was
 * found, and what to do when it is not right.
 * Limits: MR_FINDINGS_MAX findings; more are counted and left out. */
#ifndef MR_CLI_DOCTOR_H
#define MR_CLI_DOCTOR_H

#include "cli/server.h"
#include "connectors/connector.h"

enum { MR_FINDINGS_MAX = 512 };

enum mr_verdict { MR_VERDICT_FINE, MR_VERDICT_WARNING, MR_VERDICT_WRONG };

struct mr_health_finding {
    enum mr_verdict verdict;
    const char *check;
    const char *found;
    const char *remedy; /* NULL: nothing is to be done */
};

struct mr_examination {
    struct mr_arena arena;
    struct mr_health_finding findings[MR_FINDINGS_MAX];
    uint32_t findings_count;
    uint32_t left_out_count;
    uint32_t wrong_count;
    uint32_t warnings_count;
    bool unreached; /* Kafka or the coordinator did not answer */
    bool silent;    /* -o json: nothing is printed as it is found */
};

/* Note a finding and print it. remedy NULL: none; found is copied. */
void mr_examination_tell(struct mr_examination *examination, enum mr_verdict verdict,
                         const char *check, const char *remedy, const char *found, ...)
    MR_PRINTF(5, 6);

/* What the engine asks of Kafka (DESIGN section 4). */
void mr_examine_kafka(struct mr_examination *examination, struct mr_log *log, const char *cluster);
/* Does a coordinator answer, and does one lead? */
void mr_examine_coordinator(struct mr_examination *examination,
                            const struct mr_arguments *arguments);

#endif
