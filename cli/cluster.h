/* cli/cluster.h — what the commands against a cluster share.
 * The objects are those of docs/openapi.yaml. Text output is for people: times are relative, lists
 * are tables; `-o json` is the coordinator's answer as it came. */
#ifndef MR_CLI_CLUSTER_H
#define MR_CLI_CLUSTER_H

#include "cli/server.h"
#include "cli/table.h"

/* Open the server, call body, close it. */
enum mr_exit mr_cluster_run(const struct mr_arguments *arguments,
                            enum mr_exit (*body)(struct mr_server *server,
                                                 const struct mr_arguments *arguments));
/* GET path and print it: as JSON, or by print. */
enum mr_exit mr_cluster_show(struct mr_server *server, const char *path,
                             void (*print)(struct mr_server *server, const json_t *root));
/* The path of a topology, "/v1/topologies/NAME", and what follows it. */
const char *mr_cluster_path(struct mr_server *server, const char *name, const char *rest);

/* ---- Pieces of text output ---- */

/* A number, or "?" where it is not known (null). */
const char *mr_cluster_count(struct mr_server *server, const json_t *object, const char *name);
/* Text that a terminal can be given, in the server's arena; "-" when there is none. */
const char *mr_cluster_text(struct mr_server *server, const json_t *object, const char *name);
/* A topology as `status` shows it. */
void mr_cluster_print_topology(struct mr_server *server, const json_t *topology);
void mr_cluster_print_tasks(struct mr_server *server, const json_t *tasks);
/* What a difference (docs/openapi.yaml: Difference) changes. */
void mr_cluster_print_difference(struct mr_server *server, const json_t *difference);
/* The differing lines of two texts, with three around them, as `diff -u` writes them. */
void mr_cluster_print_lines(struct mr_server *server, const char *before, const char *after);

/* ---- Waiting ---- */

struct mr_cluster_wait {
    uint64_t until_ms; /* monotonic */
    uint64_t shown_ms;
    int64_t first_remaining; /* changelog records to restore when the wait began; -1: none seen */
    uint64_t first_ms;
    bool terminal;
};

/* From the flags --wait and --timeout; false: do not wait. */
bool mr_cluster_wait_begin(struct mr_cluster_wait *wait, const struct mr_arguments *arguments);
/* Until the topology runs its active version on all tasks. Shows progress on standard error, with
 * an estimate while tasks restore. 1 when it failed or the time is over. */
enum mr_exit mr_cluster_wait_running(struct mr_server *server, struct mr_cluster_wait *wait,
                                     const char *name);
/* Show a line of progress: redrawn on a terminal, elsewhere at most every 10 s. */
void mr_cluster_wait_show(struct mr_cluster_wait *wait, const char *line);
void mr_cluster_wait_end(struct mr_cluster_wait *wait);
/* Sleep a moment; false: the time is over, which was said. */
bool mr_cluster_wait_more(struct mr_cluster_wait *wait, const char *what);

/* ---- Changing ---- */

/* path with drop_state=NAME,NAME of the flag's texts. */
const char *mr_cluster_drop_state(struct mr_server *server, const struct mr_flag_value *drop,
                                  const char *path);
/* Ask on a terminal, unless --yes; elsewhere go on. False: no. */
bool mr_cluster_confirmed(const struct mr_arguments *arguments, const char *question);

#define MR_FLAGS_WAIT                                                                              \
    {.name = "wait", .letter = 'w', .kind = MR_FLAG_SWITCH, .help = "Return when it is done."},    \
    {                                                                                              \
        .name = "timeout", .kind = MR_FLAG_DURATION, .value = "TIME", .minimum = 1,                \
        .maximum = 86400000, .help = "--wait: at most so long (default 5m)."                       \
    }
#define MR_FLAG_YES                                                                                \
    {                                                                                              \
        .name = "yes", .letter = 'y', .kind = MR_FLAG_SWITCH,                                      \
        .help = "Do not ask. It is asked on a terminal only."                                      \
    }

#endif
