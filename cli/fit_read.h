/* cli/fit_read.h — where `millrace fit` has its rows from: a topic's committed records, or a file.
 * A topic is read from its beginning, and waited on where it holds too few records: until --timeout
 * ends. Records are JSON objects; ones that are not are counted and left out. */
#ifndef MR_CLI_FIT_READ_H
#define MR_CLI_FIT_READ_H

#include "cli/command.h"
#include "cli/fit_learn.h"

enum mr_fit_format { MR_FIT_JSON, MR_FIT_CSV };

struct mr_fit_reading {
    const struct mr_arguments *arguments;
    struct mr_fit_learner *learner;
    uint64_t rows_min;
    uint64_t rows_max;
    int64_t timeout_ms;
    uint64_t left_out;  /* records that are no JSON objects */
    int32_t partitions; /* of the topic */
    bool timed_out;
};

/* Print what is wrong, but not that rows are too few. */
enum mr_exit mr_fit_read_topic(struct mr_fit_reading *reading, const char *topic);
enum mr_exit mr_fit_read_file(struct mr_fit_reading *reading, const char *path,
                              enum mr_fit_format format);

#endif
