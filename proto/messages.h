/* proto/messages.h — what coordinator and workers say to each other, and what the control topic
 * holds, as plain structs.
 * Why: generated protobuf code stays inside proto/; everybody else reads these structs, whose
 * bounds have been checked by the codec (proto/codec.h).
 * Model: a worker asks (`Sync`: what it has; `Topology`: a definition that it lacks), the
 * coordinator answers. A Sync's answer is the whole of what the worker should have, so requests and
 * answers can be lost, repeated and reordered: the one with the highest sequence counts. Everything
 * carries the cluster's name; a term orders leaders: workers refuse answers of lower terms.
 * Texts end with NUL, are valid UTF-8 and never NULL (empty when absent).
 * Limits: MR_MESSAGE_BYTES_MAX a message; the counts below. */
#ifndef MR_PROTO_MESSAGES_H
#define MR_PROTO_MESSAGES_H

#include "base/slice.h"

#include <stdbool.h>

enum {
    MR_PROTOCOL_VERSION = 1,
    MR_MESSAGE_BYTES_MAX = 8 << 20, /* a definition of at most 4 MiB and its binding fit */
    MR_MESSAGE_TASKS_MAX = 16384,   /* of one worker */
    MR_MESSAGE_TOPOLOGIES_MAX = 1024,
    MR_MESSAGE_TOPICS_MAX = 65536, /* of one binding: topics, nodes and subtopologies together */
    MR_MESSAGE_NAMES_MAX = 16384,  /* paused sources, or subtopologies, of one topology */
    MR_MESSAGE_NAME_MAX = 255,     /* bytes of a name, an address, a topic */
    MR_MESSAGE_TEXT_MAX = 4096,    /* bytes of an error's sentence */
    /* bytes of all sentences of a Sync: where they are more, each is cut to its even share */
    MR_MESSAGE_TEXTS_BYTES_MAX = 1 << 20
};

/* ---- Tasks ---- */

enum mr_task_role {
    MR_TASK_ROLE_ACTIVE,
    MR_TASK_ROLE_STANDBY /* follows the changelog without a producer; a warm-up is one, too */
};

/* What a worker says of a task that it has. */
enum mr_task_state {
    MR_TASK_STATE_WAITING,   /* for its topology, or for its lane's next incarnation */
    MR_TASK_STATE_CLAIMING,  /* fencing the last owner, committing the claim */
    MR_TASK_STATE_RESTORING, /* replaying the changelog */
    MR_TASK_STATE_RUNNING,
    MR_TASK_STATE_RELEASING, /* committing what is open, then writing `released` */
    MR_TASK_STATE_RELEASED,  /* nothing of it runs here; said until the coordinator takes it away */
    MR_TASK_STATE_FENCED,    /* a foreign claim was found: asks before it claims again */
    MR_TASK_STATE_FAILED,    /* its topology or data is wrong: `error` says why */
    MR_TASK_STATE_FOLLOWING, /* STANDBY: applies the changelog as it grows */
    MR_TASK_STATE_COUNT
};

struct mr_task_name {
    uint64_t generation; /* of the topology: random, new when it is created or reset */
    const char *subtopology;
    int32_t partition;
};

enum mr_watermark_holder {
    MR_HOLDER_NONE,
    MR_HOLDER_SOURCE,  /* a partition of a source */
    MR_HOLDER_UPSTREAM /* a task that writes a repartition */
};

struct mr_task_report {
    struct mr_task_name name;
    enum mr_task_role role;
    enum mr_task_state state;
    uint32_t version;            /* of the topology that it runs */
    uint64_t epoch;              /* that it was assigned with; 0 for a standby */
    uint64_t seen_epoch;         /* of the last claim that it has read in the log; 0: none */
    uint64_t restored_records;   /* of the present restore */
    uint64_t restored_bytes;     /* of the present restore */
    int64_t changelog_remaining; /* records to replay until it is current; -1: not known */
    int64_t lag;                 /* records of its inputs that are not committed; -1: not known */
    uint64_t load_us;            /* CPU microseconds per second, of the last seconds */
    uint64_t input_records;      /* since the task started here */
    uint64_t output_records;     /* since the task started here */
    int64_t idle_ms;             /* since its last commit that held records; -1: none yet */
    int64_t watermark_ms;        /* INT64_MIN: none */
    const char *error;           /* of FAILED and FENCED, a sentence */
    /* What holds its watermark while others are ahead; a value that is not known: nothing. */
    uint32_t held_by;           /* enum mr_watermark_holder */
    uint32_t held_by_index;     /* of the binding's nodes, or of its subtopologies */
    uint32_t held_by_partition; /* of the source, or the upstream's */
    int64_t held_ms;            /* for how long */
};

/* What a worker thinks of a topology's version. */
struct mr_topology_report {
    uint64_t generation;
    uint32_t version;
    bool refused; /* it cannot run here: `error` says why */
    const char *error;
};

enum mr_leaving {
    MR_LEAVING_NOT,
    MR_LEAVING_RESTART, /* SIGTERM: its tasks are released; it comes back under this name */
    MR_LEAVING_DRAIN    /* its tasks should move elsewhere first */
};

/* ---- Worker -> coordinator ---- */

struct mr_sync_request {
    const char *cluster;
    const char *worker;     /* its name, stable across restarts */
    uint64_t instance;      /* random, new with each start of the process */
    uint64_t sequence;      /* rises with each request of an instance */
    uint64_t term;          /* highest that it has seen */
    const char *zone;       /* empty: none */
    const char *http;       /* HOST:PORT of its HTTP server; empty: none */
    const char *build;      /* version of the program */
    uint32_t threads_count; /* task threads */
    uint64_t memory_bytes;  /* its budget; 0: no limit */
    enum mr_leaving leaving;
    bool leave_asked;                   /* it was told to end: is it coming back? */
    const struct mr_task_report *tasks; /* all that it has */
    uint32_t tasks_count;
    const struct mr_topology_report *topologies; /* those that it has loaded or refused */
    uint32_t topologies_count;
};

struct mr_topology_request {
    const char *cluster;
    const char *worker;
    uint64_t generation;
    uint32_t version;
};

enum mr_request_kind { MR_REQUEST_SYNC, MR_REQUEST_TOPOLOGY };

struct mr_request {
    uint32_t protocol_version;
    enum mr_request_kind kind;
    union {
        struct mr_sync_request sync;
        struct mr_topology_request topology;
    };
};

/* ---- Coordinator -> worker ---- */

struct mr_assigned_task {
    struct mr_task_name name;
    enum mr_task_role role;
    uint32_t version; /* of the topology */
    uint64_t epoch;   /* 0 for a standby */
};

struct mr_assigned_topology {
    uint64_t generation;
    uint32_t version;
    const char *name;
    const char *const *paused_sources; /* their partitions are not read */
    uint32_t paused_sources_count;
};

struct mr_sync_reply {
    uint64_t term;
    uint64_t instance;     /* as asked */
    uint64_t sequence;     /* as asked */
    bool leaves;           /* it has asked to leave, or is drained, and nothing is wanted of it */
    bool more;             /* tasks are on their way to it that this answer does not name yet */
    enum mr_leaving leave; /* to leave_asked: as what it ends; NOT: not known yet */
    const struct mr_assigned_task *tasks; /* all that it should have */
    uint32_t tasks_count;
    const struct mr_assigned_topology *topologies; /* of these tasks */
    uint32_t topologies_count;
};

/* A topology's version bound to the cluster: topology/deployment.h without pointers to the plan. */
struct mr_bound_topic {
    const char *name;
    const char *topic_id;
    int32_t partitions_count;
    int64_t message_bytes_max;
    int64_t delete_retention_ms;
};

struct mr_bound_node { /* of each node of the plan that has topics or partitions, by name */
    const char *name;
    int32_t partitions_count;
    const struct mr_bound_topic *topics;
    uint32_t topics_count;
};

struct mr_bound_subtopology {
    const char *name;
    int32_t tasks_count;
    int32_t tasks_before;
    struct mr_bound_topic log_topic;
    bool stateful;
};

struct mr_binding {
    const char *cluster_id; /* of the log */
    const struct mr_bound_node *nodes;
    uint32_t nodes_count;
    const struct mr_bound_subtopology *subtopologies;
    uint32_t subtopologies_count;
    const struct mr_bound_node *repartitions; /* one topic each, by the repartition's name */
    uint32_t repartitions_count;
    struct mr_bound_topic dead_letters;
    struct mr_bound_topic claims;
};

struct mr_topology_reply {
    uint64_t term;
    bool found; /* false: the coordinator does not have it (any more); the rest is empty */
    const char *name;
    uint64_t generation;
    uint32_t version;
    struct mr_slice definition; /* YAML; ${NAME} is filled already, ${file:...} and ${secret:...}
                                   stay as written */
    uint64_t plan_hash;
    struct mr_binding binding;
};

/* Why a request is not served. */
enum mr_refusal {
    MR_REFUSAL_NOT_LEADER, /* `leader` is the one to ask; empty: not known */
    MR_REFUSAL_WRONG_CLUSTER,
    MR_REFUSAL_VERSION, /* a protocol version that is not spoken */
    MR_REFUSAL_BUSY,    /* a bound is reached: ask again later */
    MR_REFUSAL_MALFORMED
};

struct mr_refused_reply {
    uint64_t term;
    enum mr_refusal refusal;
    const char *leader; /* transport address */
    const char *text;
};

enum mr_reply_kind { MR_REPLY_SYNC, MR_REPLY_TOPOLOGY, MR_REPLY_REFUSED };

struct mr_reply {
    uint32_t protocol_version;
    enum mr_reply_kind kind;
    union {
        struct mr_sync_reply sync;
        struct mr_topology_reply topology;
        struct mr_refused_reply refused;
    };
};

/* ---- The control topic: <cluster>.control, one partition, compacted ----
 * Key "leader": who leads. Key "topology/<name>". Key "version/<name>/<number>": the last ten.
 * Key "task/<generation, 16 hex digits>/<subtopology>/<partition>".
 * Key "drain/<worker>": a task record that names the worker; until its tombstone it gets no tasks.
 */

struct mr_leader_record {
    uint64_t term;
    const char *address; /* transport */
    const char *http;    /* HOST:PORT */
    uint64_t candidate;  /* random id of the process */
    uint64_t beat;       /* rises by one with each heartbeat of a term */
    bool resigned;       /* handed over: a successor need not wait for silence */
};

enum mr_topology_state {
    MR_TOPOLOGY_RUNNING,
    MR_TOPOLOGY_PAUSED,
    MR_TOPOLOGY_DELETING, /* tasks are released and fenced, then topics go */
    MR_TOPOLOGY_RESETTING /* as deleting, then it starts over under a new generation */
};

struct mr_topology_record {
    const char *name;
    uint64_t generation;
    uint64_t next_generation; /* RESETTING: the one that follows */
    uint32_t version;         /* the active one */
    uint32_t version_before;  /* to go back to when `version` fails to start; 0: none */
    uint32_t version_last;    /* the highest number that was given */
    enum mr_topology_state state;
    const char *const *paused_sources;
    uint32_t paused_sources_count;
    const char *const *subtopologies; /* every name that was ever used under this generation */
    uint32_t subtopologies_count;
    const char *dropped_topics_prefix; /* DELETING: what is being deleted; empty otherwise */
    int64_t changed_ms;
    uint64_t plan_hash; /* of `version` */
    /* Of version 0, which ran in a process of its own: what it ran, as a version's; else empty. */
    struct mr_slice definition;
};

struct mr_version_record {
    const char *name;
    uint64_t generation;
    uint32_t version;
    struct mr_slice definition;
    uint64_t plan_hash;
    int64_t submitted_ms;
    uint64_t memory_bytes;   /* of one worker that runs any of its tasks */
    uint32_t standbys_count; /* wanted per stateful task */
    struct mr_binding binding;
};

struct mr_task_record {
    uint64_t epoch;
    const char *worker; /* empty: nobody */
    uint64_t instance;  /* of the worker */
};

#endif
