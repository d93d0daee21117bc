/* topology/type.h — what the language knows of a type of source, operator or sink.
 * Why: topology/ is pure and sees neither operators nor connectors. Both describe themselves with
 * this table; the program (cli, worker) hands topology/ a catalogue of all registered types. Model:
 * a type has options, input roles and output ports, and says how its output rows relate to its
 * input rows. */
#ifndef MR_TOPOLOGY_TYPE_H
#define MR_TOPOLOGY_TYPE_H

#include "base/options.h"
#include "record/schema.h"
#include "topology/aggregate_call.h"

enum mr_role { MR_ROLE_SOURCE, MR_ROLE_OPERATOR, MR_ROLE_SINK };

/* What a connector can promise; validate compares it with the topology's guarantee. */
enum mr_guarantee {
    MR_GUARANTEE_NONE, /* output may be lost or doubled by a crash (stdout) */
    MR_GUARANTEE_AT_LEAST_ONCE,
    MR_GUARANTEE_EXACTLY_ONCE
};

enum mr_type_flags {
    MR_TYPE_KEYED = 1u << 0,           /* takes `key`, and must have it: state per key */
    MR_TYPE_NEW_ROWS = 1u << 1,        /* main output rows are made here: outputs[0].fields */
    MR_TYPE_ADDS_FIELD = 1u << 2,      /* main output = input plus one object field `as` */
    MR_TYPE_DYNAMIC_OUTPUTS = 1u << 3, /* `branches` names the outputs; `rest` is added */
    MR_TYPE_REPARTITION = 1u << 4,     /* exists to change the key (key_by) */
    /* Keeps whole records of its inputs as JSON text: queries may ask for the last ones. */
    MR_TYPE_KEEPS_RECORDS = 1u << 13,
    /* Rows of the main output are pairs of a row of each of two inputs, as members named like the
     * inputs' options, or as the fields of `set` (join.interval). `key` is the first input's,
     * `right_key` the second's where its names differ. Further outputs are copies of input rows:
     * LEFT_only and RIGHT_only of one input, `late` of both. */
    MR_TYPE_PAIRS = 1u << 12,
    /* The second input is a source with `table: true`; what it holds of the row's `key` is added as
     * the object `as`, by default the table's name (join.table). */
    MR_TYPE_TABLE_JOIN = 1u << 14,
    /* Besides: every task reads the whole table, so that the rows stay in whatever task they are
     * (join.lookup). The table is no topic. */
    MR_TYPE_LOOKUP = 1u << 15,
    MR_TYPE_LOG = 1u << 5,          /* a source or sink of a topic in the log (kafka) */
    MR_TYPE_GENERATOR = 1u << 6,    /* a source whose rows are made by operators/generate_*.c */
    MR_TYPE_RECORD_TYPED = 1u << 7, /* a source that always yields JSON records of its own schema */
    MR_TYPE_WALL_CLOCK = 1u << 8,   /* output depends on the clock: not replayable; where only some
                                       options make it so: mr_type_spec.reads_wall_clock */
    /* Output rows are copies of input rows in a domain of its own, column by column through
     * mr_plan_input.slot_map (merge, flat_map). */
    MR_TYPE_DERIVED_ROWS = 1u << 9,
    MR_TYPE_ROW_WATERMARKS = 1u << 10, /* reads the watermark of single rows (record/batch.h) */
    /* Rows of the main output are groups of input rows: the key's fields, outputs[0].fields or,
     * without any, those of the option `fields` with their types, and one field per entry of the
     * option `aggregates`. */
    MR_TYPE_GROUPS = 1u << 11,
    /* Takes control records, though it adds no object (mr_type_is_controlled). */
    MR_TYPE_CONTROLLED = 1u << 16,
    /* State has layers and boxes: queries may ask for one, and a control record may be about one;
     * it knows no action but reset (voxel.aggregate). */
    MR_TYPE_PLACES = 1u << 17,
    /* Takes alert records on a second input, `alerts`, by their key (evaluate.detection). */
    MR_TYPE_TAKES_ALERTS = 1u << 18,
    /* Compares two streams: `key` and `fields` are read of the second input, too (mr_plan_twin). */
    MR_TYPE_TWIN = 1u << 19,
    /* Of GROUPS: the input `requests` asks for records; all inputs are grouped by `key`. */
    MR_TYPE_ANSWERS = 1u << 20,
    /* Reads records of an output `models` (topology/plan_publish.c). */
    MR_TYPE_TAKES_SNAPSHOTS = 1u << 21
};

struct mr_input_spec {
    const char *option; /* "from", "inputs", "control" */
    bool required;
    const char *help;
};

/* A field of the object that the type adds (ADDS_FIELD), or of its new rows (NEW_ROWS). */
struct mr_output_field {
    const char *name;
    enum mr_type_code type;
    const char *help;
};

struct mr_output_spec {
    const char *name; /* "main", "alerts" */
    const char *help;
    const struct mr_output_field
        *fields; /* fields of new rows of this output; NULL: the input's rows */
    uint32_t fields_count;
    bool is_like_main; /* rows of the main output's kind, with what the type adds to them */
    /* Of GROUPS, behind main: the key's fields come first, and the rows stay in its task. */
    bool has_key;
    /* Of GROUPS: those of the option `fields` come before `fields` of this table. */
    bool has_made_fields;
    /* Of GROUPS: with these options the rows have `fields`. NULL: always. */
    bool (*has_fields)(const struct mr_options *options);
};

/* Worst case per key and per record, from the options: what `plan` and `docs` print. */
struct mr_state_estimate {
    uint64_t object_bytes;               /* of one key in the cache */
    uint64_t stored_bytes;               /* of one key on disk */
    uint64_t changelog_bytes_per_record; /* over many records */
    /* State that one record may change at once, where that is more; 0: it is not. */
    uint64_t burst_bytes_per_record;
    uint64_t instance_bytes; /* of a task besides its keys' state, where it is worth telling */
};

/* An option that types like this one have, and this one has not. */
struct mr_refused_option {
    const char *name;
    const char *why; /* a clause behind "has no option 'x': " */
};

struct mr_type_spec {
    const char *name; /* "detect.zscore" */
    enum mr_role role;
    uint32_t flags;
    const char *summary;     /* one sentence */
    const char *description; /* what it does and when not to use it; paragraphs divided by \n\n */
    const struct mr_option_spec *options;    /* ended by a NULL name; without the common ones */
    const struct mr_refused_option *refused; /* ended by a NULL name; may be NULL */
    const struct mr_input_spec
        *inputs; /* ended by a NULL option; NULL: {"from"} for operators, sinks */
    const struct mr_output_spec *outputs; /* [0] is main; NULL for sinks */
    uint32_t outputs_count;
    const char *as_default;                     /* of ADDS_FIELD */
    const struct mr_output_field *added_fields; /* of ADDS_FIELD: members of the object */
    uint32_t added_fields_count;
    enum mr_guarantee guarantee; /* of sources and sinks */
    uint32_t state_version;      /* of the stored layout; 0: no state */
    void (*estimate)(const struct mr_options *options, struct mr_state_estimate *estimate);
    /* Checks across options; MR_INVALID names the option in *option and fills error. May be NULL.
     */
    enum mr_status (*check)(const struct mr_options *options, const char **option,
                            struct mr_error *error);
    /* The same for what can be told only when expressions and aggregates are compiled; called while
     * nothing was found wrong. May be NULL. */
    enum mr_status (*check_bound)(const struct mr_options *options, const char **option,
                                  struct mr_error *error);
    /* With these options a KEYED type keeps no state and needs no `key`. May be NULL: never. */
    bool (*is_stateless)(const struct mr_options *options);
    /* Whether these options make the output depend on the clock, where not all do. May be NULL. */
    bool (*reads_wall_clock)(const struct mr_options *options);
};

/* Types with state per key that judge records (detectors): beside `from` they take control records
 * on `control`. */
static inline bool mr_type_is_controlled(const struct mr_type_spec *type)
{
    const uint32_t both = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD;
    return type->inputs == NULL &&
           ((type->flags & both) == both || (type->flags & MR_TYPE_CONTROLLED) != 0);
}

/* A format as the language sees it. */
struct mr_format_spec {
    const char *name;
    const char *help;
    const struct mr_option_spec *options;
    bool payload_is_json;
    bool single_value;
};

/* Where the planner finds time zones: it does no I/O itself. What is found goes into the plan, and
 * into the plan's hash, so that a process with another tz database refuses the plan instead of
 * cutting other days. */
struct mr_zone_source {
    /* The zone of a name, in arena. MR_NOT_FOUND, MR_INVALID, MR_CORRUPT, MR_IO with a sentence. */
    enum mr_status (*load)(void *argument, const char *name, struct mr_arena *arena,
                           const struct mr_zone **zone, struct mr_error *error);
    void *argument;
};

/* Where the planner finds documents that options name by a path, likewise: all processes must see
 * the same bytes. */
struct mr_document_facts {
    struct mr_slice bytes;
    const char *const *fields; /* of the records that it tells how to make */
    uint32_t fields_count;
    uint64_t hash;
};
struct mr_document_source {
    /* What is at the path, in arena. MR_NOT_FOUND, MR_INVALID, MR_LIMIT, MR_IO with a sentence. */
    enum mr_status (*load)(void *argument, const char *path, struct mr_arena *arena,
                           struct mr_document_facts *facts, struct mr_error *error);
    void *argument;
};

struct mr_catalogue {
    const struct mr_type_spec *const *types; /* sorted by role, then name */
    uint32_t types_count;
    const struct mr_format_spec *formats;
    uint32_t formats_count;
    const struct mr_aggregate_spec *const *aggregates; /* sorted by name */
    uint32_t aggregates_count;
    const struct mr_zone_source *zones;         /* NULL: there is none but UTC */
    const struct mr_document_source *documents; /* NULL: none can be read */
};

const struct mr_type_spec *mr_catalogue_find(const struct mr_catalogue *catalogue,
                                             enum mr_role role, const char *name);

#endif
