/* topology/plan.h — from a file's text to a checked plan that the worker runs.
 * Model: text -> YAML nodes with places -> options of each entry (by its type's table) -> graph
 * checks
 * -> domains, slots, spans, keys and layouts -> subtopologies -> plan. Everything that the topology
 * reads is known here; nothing is looked up by name on the record path.
 * Pure: text, the catalogue and the values for ${NAME} in; plan and findings out. No I/O.
 * Owner: the plan and all that it points to live in the arena given to mr_topology_parse. */
#ifndef MR_TOPOLOGY_PLAN_H
#define MR_TOPOLOGY_PLAN_H

#include "record/batch.h"
#include "record/field.h"
#include "topology/expression.h"
#include "topology/report.h"
#include "topology/type.h"

enum mr_on_error { MR_ON_ERROR_FAIL, MR_ON_ERROR_SKIP, MR_ON_ERROR_DEAD_LETTER };

/* Cells that whoever fills a source's batch writes into meta_slots, where that slot is asked for.
 */
enum mr_meta_field {
    MR_META_KEY,       /* STRING when it is UTF-8, else BYTES; NULL: no key */
    MR_META_TOPIC,     /* STRING */
    MR_META_PARTITION, /* INT */
    MR_META_OFFSET,    /* INT */
    MR_META_TIMESTAMP, /* TIMESTAMP */
    MR_META_HEADERS,   /* MAP of STRING to STRING, BYTES where a value is not UTF-8 */
    MR_META_COUNT
};

/* How a message key's bytes are made from the key's fields. */
enum mr_key_format {
    MR_KEY_FORMAT_TEXT,  /* one string: its UTF-8; otherwise a compact JSON array */
    MR_KEY_FORMAT_JSON,  /* always a compact JSON array */
    MR_KEY_FORMAT_INT32, /* big-endian, as Java's serialisers */
    MR_KEY_FORMAT_INT64,
    MR_KEY_FORMAT_BYTES /* one field, its bytes */
};

/* The row space of a source, or of an output with new rows. */
struct mr_plan_domain {
    uint32_t index;
    struct mr_batch_shape shape;
    /* Fields that the source's decoder extracts (source domains only). */
    const struct mr_field_read *reads;
    uint32_t reads_count;
    const char *const *tracked_names;   /* one per span */
    uint32_t meta_slots[MR_META_COUNT]; /* MR_SLOT_NONE: not read */
    /* Output with declared new rows: slot of each declared field, in the spec's order. */
    uint32_t *field_slots;
    enum mr_type_code *field_types;
    uint32_t field_slots_count;
    /* DERIVED_ROWS: what each slot holds of the inputs' records, for the fingerprint of rows that
     * are kept in state (record/row.h); NULL of slots that operators behind it write. */
    const char *const *slot_names;
};

/* One edge: rows of an output of `producer` go to input `port` of `consumer`. */
struct mr_plan_edge {
    uint32_t consumer; /* node index */
    uint32_t port; /* 0 = from (or inputs[0]); then further inputs in order; see input_options */
};

/* Outputs are in the type's order; of DYNAMIC_OUTPUTS types: the branches in order, then "rest". */
struct mr_plan_output {
    const char *name; /* "main", "alerts", a branch */
    uint32_t domain;  /* domain index of its rows */
    /* What a record looks like here; never NULL. Its edits have spans only where an encoder writes
     * it (a sink or a repartition reads this output): elsewhere they are MR_SLOT_NONE, so that the
     * decoder need not track them. */
    const struct mr_layout *layout;
    const struct mr_plan_edge *edges; /* without those that go through a repartition */
    uint32_t edges_count;
};

struct mr_plan_input {
    const char *option; /* "from", "inputs", "control" */
    uint32_t producer;  /* node index */
    uint32_t output;    /* of the producer */
    uint32_t domain;
    /* DERIVED_ROWS, and input 0 of what waits (mr_plan_waits): column of each slot, span and key of
     * the main output's domain in the input's domain; MR_SLOT_NONE: not there. Else NULL. */
    const uint32_t *slot_map;
    const uint32_t *span_map;
    const uint32_t *key_map;
    /* What a record looks like as it arrives here: the producer's layout, or, behind a repartition,
     * the payload that was written to its topic. Spans: see mr_plan_output.layout. */
    const struct mr_layout *layout;
    bool repartition; /* records arrive through a repartition topic, not in the same batch */
    uint32_t repartition_index; /* of plan->repartitions */
};

/* Key of a source, operator or sink. */
struct mr_plan_key {
    bool given;
    bool global; /* key: [], or scope: partition without a key: one key for all records of the task
                  */
    enum mr_key_format format; /* of sources and sinks */
    const char *const *texts;
    const uint32_t *slots; /* in the input's domain */
    uint32_t slots_count;
    uint32_t key_id; /* index into mr_batch.group_keys */
};

/* One input of a join: what is kept of its rows, and where that goes. */
struct mr_plan_join_side {
    const char *name;       /* "left": the member of the output's records */
    struct mr_plan_key key; /* in the input's domain */
    /* What is kept of a row: slots of the input's domain, their names for the fingerprint
     * (record/row.h), and the same cells in the domains of the main output and of the output of
     * rows without a partner; MR_SLOT_NONE: not there. */
    const char *const *names;
    const uint32_t *input_slots;
    const uint32_t *main_slots;
    const uint32_t *only_slots;
    uint32_t slots_count;
    const uint32_t *input_spans;
    const uint32_t *only_spans;
    uint32_t spans_count;
    bool whole; /* somebody writes rows without a partner: payload and spans are kept too */
    /* Where the join writes the record's JSON text, in the input's domain, before the row is kept;
     * MR_SLOT_NONE: nobody writes whole pairs. */
    uint32_t text_slot;
    /* Maps of the outputs LEFT_only (or RIGHT_only) and `late`, as for DERIVED_ROWS; all zero where
     * nobody reads them. */
    struct mr_plan_input only;
    struct mr_plan_input late;
};

struct mr_plan_join {
    struct mr_plan_join_side sides[2]; /* by port; of a TABLE_JOIN only that of the table */
};

/* The input `control` of a detector (mr_type_is_controlled): its second. */
enum mr_control_field {
    MR_CONTROL_OPERATOR,
    MR_CONTROL_ACTION,
    MR_CONTROL_UNTIL,
    MR_CONTROL_LAYER, /* this and the following: of MR_TYPE_PLACES */
    MR_CONTROL_FROM,
    MR_CONTROL_TO,
    MR_CONTROL_COUNT
};

struct mr_plan_control {
    struct mr_plan_key key;           /* in the input's domain: the field `key` */
    uint32_t slots[MR_CONTROL_COUNT]; /* in the input's domain; MR_SLOT_NONE: no such field */
};

/* The input `alerts` (MR_TYPE_TAKES_ALERTS), the second. */
struct mr_plan_alerts {
    struct mr_plan_key key; /* in the input's domain: the field `key` */
    uint32_t key_slot;      /* the same as a cell; MR_SLOT_NONE: no such field */
    uint32_t state_slot;    /* open, update or resolved */
};

/* The second input of a type with MR_TYPE_TWIN: where its records have what the first one's have.
 */
struct mr_plan_twin {
    struct mr_plan_key key;
    const uint32_t *slots; /* of the option `fields` */
};

/* The input `requests` of a type with ANSWERS. */
enum mr_request_field {
    MR_REQUEST_ACTION,
    MR_REQUEST_N_SAMPLES,
    MR_REQUEST_COUNT,
    MR_REQUEST_N_BATCHES,
    MR_REQUEST_BATCH_SIZE,
    MR_REQUEST_CONDITIONS,
    MR_REQUEST_ID,
    MR_REQUEST_REPLY_TOPIC,
    MR_REQUEST_INCLUDE_METADATA,
    MR_REQUEST_FIELDS_COUNT
};

struct mr_plan_requests {
    uint32_t port;                           /* of the input */
    struct mr_plan_key key;                  /* in the input's domain */
    uint32_t slots[MR_REQUEST_FIELDS_COUNT]; /* in the input's domain; MR_SLOT_NONE: not there */
};

/* Fields of the records of an output `models`, which a type with TAKES_SNAPSHOTS reads. */
enum { MR_PLAN_SNAPSHOT_FIELDS_COUNT = 5 };
extern const char *const mr_plan_snapshot_fields[MR_PLAN_SNAPSHOT_FIELDS_COUNT];

struct mr_plan_node {
    uint32_t index;
    const char *name;
    const struct mr_type_spec *type;
    struct mr_options options; /* of the type's table */
    struct mr_location location;
    enum mr_on_error on_error;
    uint32_t subtopology;
    struct mr_plan_key key;
    const struct mr_plan_input *inputs;
    uint32_t inputs_count;
    const struct mr_plan_output *outputs;
    uint32_t outputs_count;
    /* ADDS_FIELD: name of the object and the slot of each added field (MR_SLOT_NONE is never). */
    const char *as;
    const uint32_t *added_slots;
    /* map, flat_map and the like: slots of `set` members in option order. */
    const uint32_t *set_slots;
    uint32_t set_slots_count;
    /* Sources and sinks. */
    const char *format; /* "json" */
    struct mr_options format_options;
    struct mr_program *where;       /* sinks: condition, NULL: all */
    struct mr_program *topic_from;  /* sinks: NULL: literal topic */
    const char *const *topic_allow; /* sinks: patterns that a computed topic must match */
    uint32_t topic_allow_count;
    struct mr_program **header_programs;
    const char *const *header_names;
    uint32_t headers_count;
    uint32_t value_slot;            /* sinks of single-value formats: the field `value` */
    const struct mr_layout *layout; /* sinks: what the encoder writes; NULL of others */
    /* Sources: event time and watermark. */
    uint32_t timestamp_slot; /* MR_SLOT_NONE: the message's timestamp */
    uint32_t watermark_slot; /* a field with the watermark; MR_SLOT_NONE: max_delay_ms makes it */
    /* Rows for which it is true carry their own time as the watermark; NULL: none do. */
    struct mr_program *watermark_when;
    int64_t timestamp_unit_ns; /* of numbers: 1, 1000, 1000000, 1000000000; 0: rfc3339 text */
    int64_t max_delay_ms;
    int64_t idle_timeout_ms; /* 0: never idle */
    int64_t max_ahead_ms;
    /* Sources: how far before the time at which a task first began they start (`warm_from` of a
     * detector behind them); 0: as `start` says. */
    int64_t history_ms;
    /* State options (common `state:`): 0 = none. */
    int64_t state_ttl_ms;
    int64_t state_keys_max;
    int64_t state_bytes_max;
    bool state_full_fails;                   /* on_full: fail */
    const struct mr_plan_join *join;         /* NULL of other types */
    const struct mr_plan_control *control;   /* NULL: nobody sends control records */
    const struct mr_plan_alerts *alerts;     /* NULL: no such input */
    const struct mr_plan_twin *twin;         /* NULL of other types */
    const struct mr_plan_requests *requests; /* NULL: nobody asks for records */
    const uint32_t *snapshot_slots;          /* of mr_plan_snapshot_fields; NULL of other types */
    /* Detectors in the order of event times (mr_plan_orders): what a record looks like that has
     * waited, in the domain of the main output, which the slots of the options are of; the key is
     * the input's. NULL of others, and where nobody reads alerts. */
    const struct mr_layout *waited_layout;
    /* Sources with `table: true`: null payloads delete, and tasks read it before their streams. */
    bool is_table;
    bool is_broadcast;    /* every task of the subtopology reads it whole, all its partitions */
    int64_t retention_ms; /* for which replaced records stay, as of the watermark */
    int64_t load_timeout_ms;
};

struct mr_plan_repartition {
    const char *name;  /* topic suffix: operator's name + "-repartition" */
    uint32_t consumer; /* node whose key made it necessary */
    uint32_t input;    /* of the consumer */
    uint32_t producer; /* node */
    uint32_t output;
    uint32_t from_subtopology;
    uint32_t to_subtopology;
    struct mr_plan_key key; /* in the producer's domain */
    bool single_partition;  /* key: [] */
    const char *reason;     /* why it is there, for `plan` */
    uint32_t source_domain; /* the consumer side's domain: decodes the records again (JSON) */
    const struct mr_plan_edge *edges; /* who reads it: the consumer and those that share it */
    uint32_t edges_count;
};

struct mr_plan_subtopology {
    const char *name;
    const uint32_t *nodes; /* in topological order */
    uint32_t nodes_count;
    const uint32_t *sources;
    uint32_t sources_count;
    const uint32_t *repartitions; /* those it reads */
    uint32_t repartitions_count;
    bool stateful; /* has a changelog; else a partition of the progress topic */
    uint64_t state_object_bytes_per_key;
    uint64_t changelog_bytes_per_record;
    uint64_t instance_bytes; /* of a task's operators besides state */
    /* Rows that a task takes at a time: what they may change at once, all together, is about a
     * transaction. MR_LIMIT_BATCH_ROWS where that is no question. */
    uint32_t batch_rows;
    bool row_watermarks; /* batches carry watermarks_ms: somebody on the way reads them */
};

struct mr_plan {
    const char *name; /* metadata.name */
    bool exactly_once;
    int64_t commit_interval_ms;
    struct mr_plan_node *nodes;
    uint32_t nodes_count;
    struct mr_plan_domain *domains;
    uint32_t domains_count;
    struct mr_plan_subtopology *subtopologies;
    uint32_t subtopologies_count;
    struct mr_plan_repartition *repartitions;
    uint32_t repartitions_count;
    uint32_t tests_count; /* entries of `tests:`; topology/definition_tests.h reads them */
    uint64_t hash;        /* over the sorted form and the time zones in it: stable across runs */
    bool replayable;
    const char *not_replayable_reason;
    int64_t memory_bytes;    /* spec.memory: budget for caches and queues of one process */
    uint32_t standbys_count; /* spec.standbys: wanted per stateful task */
};

/* Values for ${NAME} and ${NAME:default}. Returns NULL when unset. */
struct mr_substitution {
    const char *(*lookup)(void *argument, const char *name);
    void *argument;
};

/* Parse, check and plan. text need not end with NUL. *plan is NULL when report has errors.
 * Owner: everything is in arena. Never fails but through the report. */
void mr_topology_parse(struct mr_slice text, const struct mr_catalogue *catalogue,
                       const struct mr_substitution *substitution, struct mr_arena *arena,
                       struct mr_report *report, struct mr_plan **plan);

/* The node's output depends on the clock, by its type or by its options. */
bool mr_plan_reads_wall_clock(const struct mr_plan_node *node);

/* The operator's on_wall is called: it reads the clock, or what is asked of it is done by and by.
 */
bool mr_plan_is_woken(const struct mr_plan_node *node);

/* Records of these options wait, for a table (join.table's `join_wait`) or for the watermark
 * (mr_plan_orders): they leave as rows of a domain of their own, as those of DERIVED_ROWS do;
 * inputs[0] has the maps. */
bool mr_plan_waits(const struct mr_options *options);

/* A detector of these options judges in the order of event times (`order: event_time`). */
bool mr_plan_orders(const struct mr_options *options);

const struct mr_plan_node *mr_plan_node_find(const struct mr_plan *plan, const char *name);

#endif
