/* cli/report_synthetic.h — `millrace report --real A --synthetic B`: how alike a synthetic table is
 * to the real one, and how far from being a copy of it. */
#ifndef MR_CLI_REPORT_SYNTHETIC_H
#define MR_CLI_REPORT_SYNTHETIC_H

#include "cli/command.h"

/* The flags of this form, for the command's table; the names again, ended by NULL. */
#define MR_FLAGS_REPORT_SYNTHETIC                                                                  \
    {.name = "real",                                                                               \
     .kind = MR_FLAG_TEXT,                                                                         \
     .value = "FILE",                                                                              \
     .help = "The real table: CSV with a header line, or a JSON object a line."},                  \
        {.name = "synthetic",                                                                      \
         .kind = MR_FLAG_TEXT,                                                                     \
         .value = "FILE",                                                                          \
         .help = "The synthetic one, with the same columns."},                                     \
        {.name = "holdout",                                                                        \
         .kind = MR_FLAG_TEXT,                                                                     \
         .value = "FILE",                                                                          \
         .help = "Real rows that the synthetic ones were not made from, to find overfitting."},    \
        {.name = "metadata",                                                                       \
         .kind = MR_FLAG_TEXT,                                                                     \
         .value = "FILE",                                                                          \
         .help = "The columns' kinds, as sdmetrics' metadata.json."},                              \
        {.name = "types",                                                                          \
         .kind = MR_FLAG_TEXTS,                                                                    \
         .value = "LIST",                                                                          \
         .help = "The kinds of some columns: NAME=KIND,...; the cells show the others. Kinds are " \
                 "numerical, datetime, datetime:FORMAT, categorical, boolean, ordinal, id, "       \
                 "other."},                                                                        \
        {.name = "rows",                                                                           \
         .kind = MR_FLAG_INTEGER,                                                                  \
         .value = "N",                                                                             \
         .minimum = 2,                                                                             \
         .maximum = 10000000,                                                                      \
         .help = "Compare at most so many rows of a table (default 200000); of more a sample is "  \
                 "drawn."},                                                                        \
    {                                                                                              \
        .name = "privacy-rows", .kind = MR_FLAG_INTEGER, .value = "N", .minimum = 2,               \
        .maximum = 100000,                                                                         \
        .help = "The same for privacy, which compares each row with each (default 10000)."         \
    }
extern const char *const mr_report_synthetic_flags[];

enum mr_exit mr_report_synthetic(const struct mr_arguments *arguments);

#endif
