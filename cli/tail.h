/* cli/tail.h — the two halves of `millrace tail`: a topic read from Kafka, an operator's output
 * seen through the cluster. */
#ifndef MR_CLI_TAIL_H
#define MR_CLI_TAIL_H

#include "cli/command.h"

/* `tail TOPIC`. */
enum mr_exit mr_tail_topic(const struct mr_arguments *arguments);
/* `tail TOPOLOGY OPERATOR`. */
enum mr_exit mr_tail_operator(const struct mr_arguments *arguments);

#endif
