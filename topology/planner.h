/* topology/planner.h — the planner's working model, shared by plan_*.c. Internal to topology/.
 * Model: a *domain* is a row space under construction: its columns, spans and keys are asked for
 * one by one while nodes are planned in topological order, and counted at the end. A *record view*
 * is what a record looks like at one output: which domain its rows are in, what of the payload is
 * visible, and what operators on the way have written, removed and renamed. A name in an option or
 * expression is resolved against a view: to the column of the last writer, or to a read of the
 * domain.
 *
 *   domain kind   columns come from                         payload
 *   SOURCE        the decoder (reads)                       JSON, or none to splice (csv, bytes)
 *   REPARTITION   the decoder, of the repartition's topic   JSON
 *   FIELDS        whoever makes the rows: declared fields   "{}"
 *   DERIVED       the same field of the inputs' domains     the inputs'
 *
 * Views are values: an operator copies its input's view and changes the copy. */
#ifndef MR_TOPOLOGY_PLANNER_H
#define MR_TOPOLOGY_PLANNER_H

#include "topology/graph.h"

struct mr_record_view;

enum mr_domain_kind {
    MR_DOMAIN_SOURCE,
    MR_DOMAIN_REPARTITION,
    MR_DOMAIN_FIELDS,
    MR_DOMAIN_DERIVED
};

struct mr_column_draft {
    bool is_read; /* path is read from the record or from the inputs; else an operator writes it */
    bool is_edit; /* DERIVED: what some inputs wrote at path, ABSENT in rows of the others */
    struct mr_path path;
    const struct mr_type *type;
    uint32_t *input_slots; /* DERIVED: the column in each input's domain; NULL: in none */
};

struct mr_span_draft {
    const char *name;
    uint32_t *input_spans; /* DERIVED */
};

struct mr_key_draft {
    const uint32_t *slots;
    uint32_t slots_count;
};

struct mr_field_draft {
    const char *name;
    const struct mr_type *type;
    uint32_t slot;
};

/* What a path was found to mean in a DERIVED domain: without it, a chain of branches that are
 * merged again would be asked for in every combination. */
struct mr_resolved_draft {
    struct mr_path path; /* as asked for */
    uint32_t slot;       /* MR_SLOT_NONE: not taken yet */
    uint32_t steps_used;
    const struct mr_type *type;
    bool whole;
    const char *missing; /* why no input has it; NULL: some have */
};

struct mr_domain_draft {
    uint32_t index;
    enum mr_domain_kind kind;
    const char *name; /* for messages: the source, or NODE.OUTPUT */
    bool payload;     /* rows have JSON bytes that a layout may start from */
    bool blank;       /* rows have the bytes "{}", into which anything can be spliced */
    bool has_meta;    /* rows are messages: meta.* means something */
    const struct mr_schema *schema;      /* SOURCE; may be NULL */
    const struct mr_field_draft *fields; /* FIELDS */
    uint32_t fields_count;
    const struct mr_record_view *const *inputs; /* DERIVED; REPARTITION: the one written to it */
    uint32_t inputs_count;
    struct mr_column_draft *columns;
    uint32_t columns_count;
    uint32_t columns_capacity;
    struct mr_resolved_draft *resolved; /* DERIVED */
    uint32_t resolved_count;
    uint32_t resolved_capacity;
    struct mr_span_draft *spans;
    uint32_t spans_count;
    uint32_t spans_capacity;
    struct mr_key_draft *keys;
    uint32_t keys_count;
    uint32_t keys_capacity;
    uint32_t meta_slots[MR_META_COUNT];
};

enum mr_write_kind {
    MR_WRITE_SLOT,
    MR_WRITE_GROUP,
    MR_WRITE_REMOVED,
    MR_WRITE_RECORD, /* the record of a join's side: its members become columns on demand */
    MR_WRITE_RENAMED /* the payload's member raw_name under another name */
};

struct mr_member_draft {
    const char *name;
    const struct mr_type *type;
    uint32_t slot;
};

/* A member of a side's record that is read behind the join. */
struct mr_joined_draft {
    struct mr_path path; /* in the side's record; no steps: all of it, as text */
    uint32_t input_slot; /* in the side's domain */
    uint32_t slot;       /* in the domain of the rows behind the join */
    uint32_t steps_used;
    const struct mr_type *type;
};

/* One input of a join, as its rows show it. */
struct mr_join_side_draft {
    const char *name; /* of the member */
    const struct mr_record_view *view;
    struct mr_domain_draft *domain; /* of the rows behind the join */
    struct mr_joined_draft *columns;
    uint32_t columns_count;
    uint32_t columns_capacity;
    uint32_t text_slot; /* in the side's domain; MR_SLOT_NONE */
    struct mr_plan_key key;
    /* Outputs of rows without a partner and of late ones; NULL: nobody reads them. */
    const struct mr_output_draft *only;
    const struct mr_output_draft *late;
};

struct mr_write_draft {
    enum mr_write_kind kind;
    const char *name;   /* top-level member */
    const char *writer; /* node */
    bool derived;  /* of some inputs of a DERIVED domain: its columns are reads of the domain */
    uint32_t slot; /* SLOT */
    const struct mr_type *type;
    const struct mr_member_draft *members; /* GROUP */
    uint32_t members_count;
    const char *raw_name;            /* RENAMED */
    struct mr_join_side_draft *side; /* RECORD */
};

struct mr_written {
    const char *name;
    const char *writer;
};

struct mr_record_view {
    struct mr_domain_draft *domain;
    bool unknown;          /* something upstream is faulty: every name resolves */
    bool closed;           /* besides the writes there are only the fields `kept` */
    const char *closed_by; /* the map with `keep`; NULL: these are all fields of the domain */
    const char *const *kept;
    uint32_t kept_count;
    const struct mr_write_draft *writes; /* at most one per name, in writing order */
    uint32_t writes_count;
    const struct mr_written *written; /* also through repartitions: for "two writers" */
    uint32_t written_count;
    /* How the rows are spread over tasks. */
    bool keyed;
    bool key_is_text; /* their partition is that of the text of the key (MR_KEY_FORMAT_TEXT) */
    const struct mr_path *key_paths; /* count 0 with keyed: all in one task */
    uint32_t key_count;
    const char *key_lost; /* why it is not keyed, for the reason of a repartition */
};

struct mr_output_draft {
    struct mr_record_view view;
    bool encoded; /* some reader writes whole records: layouts need spans */
    const struct mr_layout *layout;
};

struct mr_repartition_draft {
    uint32_t producer;
    uint32_t output;
    uint32_t consumer; /* the first */
    uint32_t input;
    struct mr_plan_key key;
    const struct mr_path *paths;
    const char *name;
    const char *reason;
    struct mr_record_view view; /* at the consumers */
};

struct mr_input_draft {
    const struct mr_record_view *view;
    bool repartition;
    uint32_t repartition_index;
};

struct mr_node_draft {
    const struct mr_graph_node *graph;
    struct mr_definition_entry *entry;
    struct mr_input_draft *inputs;
    struct mr_output_draft *outputs;
    struct mr_plan_node *plan;
    bool is_claimed;                    /* a table that a join reads */
    struct mr_join_side_draft *sides;   /* of a join: one per input */
    const struct mr_record_view *pairs; /* of PAIRS: what its expressions see */
    /* Of mr_plan_orders: input 0's records when they have waited, which its options see. */
    const struct mr_record_view *waited;
    bool alerts_are_read; /* rows that are made about records: they may hold the record */
};

struct mr_planner {
    const struct mr_catalogue *catalogue;
    const struct mr_definition *definition;
    const struct mr_graph *graph;
    struct mr_arena *arena;
    struct mr_report *report;
    struct mr_plan *plan;
    struct mr_node_draft *nodes;
    struct mr_domain_draft **domains;
    uint32_t domains_count;
    uint32_t domains_capacity;
    struct mr_repartition_draft *repartitions;
    uint32_t repartitions_count;
    uint32_t repartitions_capacity;
    const char *uses_now; /* a node whose expressions read the clock */
    uint64_t loaded_hash; /* of the time zones and documents that options name; 0: none */
};

/* ---- plan.c: the steps of mr_topology_parse, for who changes the tree in between ---- */

/* The tree of the text with ${...} filled in; NULL: it is no YAML (reported). */
struct mr_yaml_node *mr_topology_tree(struct mr_slice text,
                                      const struct mr_substitution *substitution,
                                      struct mr_arena *arena, struct mr_report *report);
/* Read, check and plan it. *plan is NULL when report has errors. */
void mr_topology_plan_tree(const struct mr_yaml_node *root, const struct mr_catalogue *catalogue,
                           struct mr_arena *arena, struct mr_report *report,
                           struct mr_definition *definition, struct mr_plan **plan);

/* ---- plan_domain.c ---- */

/* Make room for one more element behind count. */
void *mr_planner_grow(struct mr_arena *arena, void *items, uint32_t count, uint32_t *capacity,
                      size_t item_size);
struct mr_domain_draft *mr_domain_new(struct mr_planner *planner, enum mr_domain_kind kind,
                                      const char *name);
/* A column that an operator writes. */
uint32_t mr_domain_column(struct mr_planner *planner, struct mr_domain_draft *domain,
                          const struct mr_type *type);
/* The tracked span of a top-level member; MR_SLOT_NONE where there is no payload. */
uint32_t mr_domain_span(struct mr_planner *planner, struct mr_domain_draft *domain,
                        const char *name);
uint32_t mr_domain_key(struct mr_planner *planner, struct mr_domain_draft *domain,
                       const uint32_t *slots, uint32_t slots_count);
/* The column of meta.FIELD. False: the rows are no messages. */
bool mr_domain_meta(struct mr_planner *planner, struct mr_domain_draft *domain,
                    enum mr_meta_field field, bool take, uint32_t *slot);
/* A type without structure, static. */
const struct mr_type *mr_planner_type(enum mr_type_code code);

/* ---- plan_resolve.c ---- */

enum mr_resolved { MR_RESOLVED_FINE, MR_RESOLVED_MISSING, MR_RESOLVED_REFUSED };

struct mr_resolution {
    uint32_t slot; /* MR_SLOT_NONE when it was not taken */
    uint32_t steps_used;
    const struct mr_type *type;
    bool whole; /* a record of a join's side as text, which only sinks and the like can write */
};

/* What path means at view. take: make the column where there is none yet. MISSING and REFUSED fill
 * error with a sentence. */
enum mr_resolved mr_view_resolve(struct mr_planner *planner, const struct mr_record_view *view,
                                 const struct mr_path *path, bool take,
                                 struct mr_resolution *resolution, struct mr_error *error);
/* The same for a path that must be covered as a whole. */
enum mr_resolved mr_view_resolve_path(struct mr_planner *planner, const struct mr_record_view *view,
                                      const struct mr_path *path, bool take,
                                      struct mr_resolution *resolution, struct mr_error *error);
/* The path of one top-level name. */
struct mr_path mr_planner_name_path(struct mr_planner *planner, const char *name);
/* The path's steps from..to with canonical text. */
struct mr_path mr_planner_part_path(struct mr_planner *planner, const struct mr_path *path,
                                    uint32_t from, uint32_t to);

/* ---- plan_view.c: what operators do to a view; all errors are reported at location ---- */

const struct mr_write_draft *mr_view_write_find(const struct mr_record_view *view,
                                                const char *name);
bool mr_view_keeps(const struct mr_record_view *view, const char *name);
void mr_view_write(struct mr_planner *planner, struct mr_record_view *view,
                   const struct mr_write_draft *write, struct mr_location location);
void mr_view_remove(struct mr_planner *planner, struct mr_record_view *view, const char *name,
                    const char *writer);
void mr_view_keep(struct mr_planner *planner, struct mr_record_view *view, const char *const *names,
                  uint32_t names_count, const char *writer);
void mr_view_rename(struct mr_planner *planner, struct mr_record_view *view,
                    const struct mr_option_value *renames, const char *writer);

/* ---- plan_derive.c ---- */

/* The view of rows copied from the inputs, in a domain of their own. */
void mr_view_derive(struct mr_planner *planner, const struct mr_node_draft *node,
                    struct mr_record_view *view);
/* The same of some of the node's inputs. */
void mr_view_derive_from(struct mr_planner *planner, const struct mr_node_draft *node,
                         const uint32_t *indexes, uint32_t inputs_count,
                         struct mr_record_view *view);

/* ---- plan_join.c ---- */

/* Make the sides of a PAIRS node and what its expressions see. Pre: the inputs are grouped. */
void mr_planner_pairs(struct mr_planner *planner, struct mr_node_draft *node);
/* The views of its outputs, once its options are bound. */
void mr_planner_pairs_outputs(struct mr_planner *planner, struct mr_node_draft *node);
/* Make the table's side of a TABLE_JOIN node; and write its record into the view behind it. */
void mr_planner_table_join(struct mr_planner *planner, struct mr_node_draft *node);
void mr_planner_write_table(struct mr_planner *planner, struct mr_node_draft *node,
                            struct mr_record_view *view);
/* Tables are read as tables, and only tables are. */
void mr_planner_check_tables(struct mr_planner *planner, const struct mr_node_draft *node);
void mr_planner_table_source(struct mr_planner *planner, struct mr_node_draft *node);
/* ---- plan_warm.c ---- */

/* Where sources start because of `warm_from`; reported: where they cannot. Pre: all nodes are
 * planned, and nothing is wrong with them. */
void mr_planner_warm(struct mr_planner *planner);

/* ---- plan_control.c ---- */

/* The key of a node's input `control` or `alerts`, when that is the input; else NULL. */
const struct mr_option_value *mr_planner_control_key(const struct mr_node_draft *node,
                                                     uint32_t input);
/* Bind the fields of control records, or of alerts. Pre: the inputs are grouped. */
void mr_planner_control(struct mr_planner *planner, struct mr_node_draft *node);

/* ---- plan_twin.c ---- */

/* The node compares two streams. */
bool mr_planner_twins(const struct mr_node_draft *node);
/* The second input's key and fields, into node->plan->twin. */
void mr_planner_twin(struct mr_planner *planner, struct mr_node_draft *node);

/* ---- plan_requests.c ---- */

/* Bind the fields of the input `requests`. Pre: the inputs are grouped. */
void mr_planner_requests(struct mr_planner *planner, struct mr_node_draft *node);
/* The node has that input. */
bool mr_planner_answers(const struct mr_node_draft *node);
/* plan_publish.c: what is published is read, and what is read is published. */
void mr_planner_publish(struct mr_planner *planner, const struct mr_node_draft *node);
/* And the fields of what is read, of types with TAKES_SNAPSHOTS. */
void mr_planner_snapshots(struct mr_planner *planner, struct mr_node_draft *node);

/* What path (behind the member's name) means in the record of a side. */
enum mr_resolved mr_join_side_resolve(struct mr_planner *planner, struct mr_join_side_draft *side,
                                      const struct mr_path *path, bool take,
                                      struct mr_resolution *resolution, struct mr_error *error);
/* Records of joins that are written as a whole need the spans of their inputs' layouts: mark them,
 * before layouts are drawn. */
void mr_planner_mark_joins(struct mr_planner *planner);
/* Fill node->plan->join when all columns and spans are known. */
void mr_planner_finish_join(struct mr_planner *planner, struct mr_node_draft *node);

/* ---- plan_source.c ---- */

/* The view of a source's records, in a new domain. */
void mr_view_source(struct mr_planner *planner, struct mr_node_draft *node,
                    struct mr_record_view *view);
/* The view of rows with declared fields. */
void mr_view_fields(struct mr_planner *planner, const char *name,
                    const struct mr_output_field *fields, uint32_t fields_count,
                    struct mr_record_view *view);

/* ---- plan_bind.c ---- */

/* Resolve the paths and compile the expressions of all options of the node against view; the type's
 * own against node->waited where that is given. */
void mr_planner_bind(struct mr_planner *planner, struct mr_node_draft *node,
                     const struct mr_record_view *view);
/* The same for the options that are about the records of the node's main output. */
void mr_planner_bind_outputs(struct mr_planner *planner, struct mr_node_draft *node);
/* Compile one expression of a test or an option against an environment; NULL: reported. location is
 * where its text begins; node its scalar, for columns, or NULL. */
struct mr_program *mr_planner_compile(struct mr_arena *arena, struct mr_report *report,
                                      const char *name, const char *text,
                                      enum mr_type_code expected, struct mr_location location,
                                      const struct mr_yaml_node *node,
                                      const struct mr_expression_environment *environment);

/* ---- plan_group.c ---- */

/* The view of rows that stand for groups of the input's rows (MR_TYPE_GROUPS): of main, or of
 * another output that has the key's fields. */
void mr_view_groups(struct mr_planner *planner, struct mr_node_draft *node, uint32_t number,
                    struct mr_record_view *view);

/* ---- plan_key.c ---- */

/* The paths that an input of the node is grouped by, NULL where the option is not there. */
const struct mr_option_value *mr_planner_input_key(const struct mr_node_draft *node,
                                                   uint32_t input);
/* Resolve a key's fields at view. False: reported under the option's name. */
bool mr_planner_bind_key(struct mr_planner *planner, const struct mr_record_view *view,
                         const char *option, const struct mr_option_value *key,
                         struct mr_plan_key *plan_key);
/* Decide whether a repartition goes in front of the operator, before its options are bound. */
void mr_planner_group(struct mr_planner *planner, struct mr_node_draft *node);
/* Fill node->plan->key from the bound option. */
void mr_planner_key(struct mr_planner *planner, struct mr_node_draft *node);
/* "[a, b.c]" */
const char *mr_planner_key_text(struct mr_planner *planner, const struct mr_path *paths,
                                uint32_t count);

/* ---- plan_layout.c ---- */

const struct mr_layout *mr_planner_layout(struct mr_planner *planner,
                                          const struct mr_record_view *view, bool encoded);
/* What a sink writes. */
void mr_planner_sink_layout(struct mr_planner *planner, struct mr_node_draft *node);

/* ---- plan_finish.c ---- */

/* Where each column, span and key of a derived domain is in its input of that index. */
void mr_planner_maps(struct mr_planner *planner, const struct mr_domain_draft *derived,
                     uint32_t index, struct mr_plan_input *input);

/* ---- plan_node.c, plan_subtopology.c, plan_finish.c ---- */

/* A column and a write for each member of the option `set`. */
void mr_planner_write_set(struct mr_planner *planner, struct mr_node_draft *node,
                          const struct mr_option_value *set, struct mr_record_view *view);
/* Plan the node at index; its producers are planned. */
void mr_planner_node(struct mr_planner *planner, uint32_t index);
void mr_planner_subtopologies(struct mr_planner *planner);
/* Lay the drafts out as the plan. */
void mr_planner_finish(struct mr_planner *planner);
/* Hash of the sorted, filled-in form. */
uint64_t mr_topology_hash(const char *name, const struct mr_yaml_node *spec, uint64_t loaded_hash);

#endif
