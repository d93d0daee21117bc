/* cli/report_read.h — where `millrace report` gets the topology and the chart's records from. */
#ifndef MR_CLI_REPORT_READ_H
#define MR_CLI_REPORT_READ_H

#include "cli/command.h"
#include "cli/report_series.h"
#include "topology/plan.h"

/* The active version of the topology that --topology names, from the cluster, planned. Prints what
 * is wrong. Owner: the plan is in arena. */
enum mr_exit mr_report_fetch(const struct mr_arguments *arguments, struct mr_arena *arena,
                             const struct mr_catalogue *catalogue, struct mr_plan **plan);

/* Feed the series with all committed records of the topic that takes every point of the chart;
 * *where: its name, borrowed from the plan. Prints what is wrong, also when points of the key are
 * in more than one partition, so that their order is not known. */
enum mr_exit mr_report_read_topic(const struct mr_arguments *arguments, const struct mr_plan *plan,
                                  const struct mr_plan_node *chart, struct mr_series *series,
                                  const char **where);

/* Feed the series with the lines of a file, "-": standard input. */
enum mr_exit mr_report_read_file(const char *path, struct mr_series *series);

#endif
