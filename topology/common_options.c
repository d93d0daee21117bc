/* topology/common_options.c — see common_options.h.
 * Design: one full table per role; a condition per option says for which types it holds. */
#include "topology/common_options.h"

#include <string.h>

#include "base/assert.h"

static const char *const guarantees[] = {"exactly_once", "at_least_once", NULL};
static const char *const on_errors[] = {"fail", "skip", "dead_letter", NULL};
static const char *const key_formats[] = {"text", "json", "int32", "int64", "bytes", NULL};
static const char *const timestamp_units[] = {"s", "ms", "us", "ns", "rfc3339", NULL};
static const char *const scopes[] = {"key", "partition", NULL};
static const char *const on_fulls[] = {"evict_oldest", "fail", NULL};

enum { KEY_PATHS_MAX = 32, INPUTS_MAX = 64 };

#define DAYS(count) ((count)*86400e3)

const struct mr_option_spec mr_file_options[] = {
    {.name = "apiVersion",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "millrace.io/v1alpha1."},
    {.name = "kind", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED, .help = "Topology."},
    {.name = "metadata",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED,
     .fields = mr_metadata_options,
     .help = "The topology's name; labels and annotations as Kubernetes has them."},
    {.name = "spec",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED,
     .fields = mr_spec_options,
     .help = "The topology."},
    {.name = NULL},
};

const struct mr_option_spec mr_metadata_options[] = {
    {.name = "name",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The topology's name: a lower-case letter, then up to 62 letters, digits and -."},
    {.name = "namespace", .type = MR_OPTION_STRING, .help = "Kept for Kubernetes, not used."},
    {.name = "labels", .type = MR_OPTION_STRING_MAP, .help = "Kept for Kubernetes, not used."},
    {.name = "annotations", .type = MR_OPTION_STRING_MAP, .help = "Kept for Kubernetes, not used."},
    {.name = NULL},
};

const struct mr_option_spec mr_spec_options[] = {
    {.name = "guarantee",
     .type = MR_OPTION_CHOICE,
     .default_text = "exactly_once",
     .choices = guarantees,
     .help = "What a crash may do to outputs and state: nothing, or double them."},
    {.name = "commit_interval",
     .type = MR_OPTION_DURATION,
     .default_text = "100ms",
     .minimum = 5,
     .maximum = 60000,
     .help = "Upper bound of the time between commits; outputs become visible at a commit."},
    {.name = "memory",
     .type = MR_OPTION_SIZE,
     .default_text = "256MiB",
     .minimum = 16 << 20,
     .maximum = 1e15,
     .help = "Budget of caches and queues of one process for this topology."},
    {.name = "standbys",
     .type = MR_OPTION_INTEGER,
     .default_text = "0",
     .minimum = 0,
     .maximum = 3,
     .help = "Warm copies of each task's state on other workers of a cluster, from which a task "
             "whose worker is lost goes on without a restore. `run` in one process has none."},
    {.name = "values",
     .type = MR_OPTION_STRING_MAP,
     .help = "Values for ${NAME} where the environment has none."},
    {.name = "sources", .type = MR_OPTION_OBJECTS, .help = "Where records come from."},
    {.name = "operators", .type = MR_OPTION_OBJECTS, .help = "What is done with them."},
    {.name = "sinks", .type = MR_OPTION_OBJECTS, .help = "Where they go."},
    {.name = "tests", .type = MR_OPTION_OBJECTS, .help = "Given records and expected outputs."},
    {.name = NULL},
};

static const struct mr_option_spec watermark_options[] = {
    {.name = "max_delay",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = DAYS(366),
     .help = "How far records may be out of order: the watermark is the highest event time minus "
             "this."},
    {.name = "idle_timeout",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = DAYS(366),
     .help = "Silence after which a partition no longer holds the watermark, and, when all sources "
             "are silent, the last windows close; 0s: never."},
    {.name = "field",
     .type = MR_OPTION_PATH,
     .help =
         "A field with the watermark itself, in the unit of the timestamp: records that have it "
         "say that no earlier ones follow. Instead of max_delay."},
    {.name = "when",
     .type = MR_OPTION_EXPRESSION,
     .help = "A CEL condition: a record for which it is true says that none with an earlier event "
             "time than its own follows; others do not move the watermark. Instead of max_delay "
             "and field."},
    {.name = NULL},
};

static const struct mr_option_spec state_options[] = {
    {.name = "ttl",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = DAYS(3660),
     .help = "Event time after which a key that got no record is forgotten."},
    {.name = "max_keys",
     .type = MR_OPTION_INTEGER,
     .minimum = 1,
     .maximum = 1e12,
     .help = "Keys that one task keeps."},
    {.name = "max_bytes",
     .type = MR_OPTION_SIZE,
     .minimum = 4096,
     .maximum = 1e15,
     .help = "Stored bytes that one task keeps."},
    {.name = "on_full",
     .type = MR_OPTION_CHOICE,
     .default_text = "evict_oldest",
     .choices = on_fulls,
     .help = "What a new key does at a bound: the key longest without a record is forgotten, or "
             "(fail) the topology stops with the reason."},
    {.name = NULL},
};

/* ---- Conditions ---- */

static bool always(const struct mr_type_spec *type)
{
    return type != NULL;
}

bool mr_common_has_format(const struct mr_type_spec *type)
{
    return type->role != MR_ROLE_OPERATOR &&
           (type->flags & (MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED)) == 0;
}

static bool is_log(const struct mr_type_spec *type)
{
    return (type->flags & MR_TYPE_LOG) != 0;
}

static bool takes_key(const struct mr_type_spec *type)
{
    return (type->flags & (MR_TYPE_KEYED | MR_TYPE_REPARTITION)) != 0;
}

static bool is_keyed(const struct mr_type_spec *type)
{
    return (type->flags & MR_TYPE_KEYED) != 0;
}

static bool adds_field(const struct mr_type_spec *type)
{
    return (type->flags & MR_TYPE_ADDS_FIELD) != 0;
}

static bool has_state(const struct mr_type_spec *type)
{
    /* Joins bound their state by time and rows of a key, or hold what their table holds. */
    return type->state_version > 0 && (type->flags & (MR_TYPE_PAIRS | MR_TYPE_TABLE_JOIN)) == 0;
}

/* A source that can stand for a table: it has keys and an end. */
static bool can_be_table(const struct mr_type_spec *type)
{
    return mr_common_has_format(type);
}

struct common_option {
    struct mr_option_spec spec;
    bool (*holds)(const struct mr_type_spec *type);
};

#define NAME_AND_TYPE                                                                              \
    {{.name = "name",                                                                              \
      .type = MR_OPTION_STRING,                                                                    \
      .flags = MR_OPTION_REQUIRED,                                                                 \
      .help = "Unique over sources, operators and sinks: a lower-case letter, then up to 62 "      \
              "letters, digits and -. State belongs to it."},                                      \
     always},                                                                                      \
    {                                                                                              \
        {.name = "type",                                                                           \
         .type = MR_OPTION_STRING,                                                                 \
         .flags = MR_OPTION_REQUIRED,                                                              \
         .help = "The type; `millrace docs` lists them."},                                         \
            always                                                                                 \
    }

#define ON_ERROR(what)                                                                             \
    {                                                                                              \
        {.name = "on_error",                                                                       \
         .type = MR_OPTION_CHOICE,                                                                 \
         .default_text = "dead_letter",                                                            \
         .choices = on_errors,                                                                     \
         .help = what},                                                                            \
            always                                                                                 \
    }

#define FORMAT                                                                                     \
    {                                                                                              \
        {.name = "format",                                                                         \
         .type = MR_OPTION_STRING,                                                                 \
         .default_text = "json",                                                                   \
         .help = "The format of the records; its options are in a mapping of the format's name."}, \
            mr_common_has_format                                                                   \
    }

static const struct common_option source_options[] = {
    NAME_AND_TYPE,
    FORMAT,
    {{.name = "schema",
      .type = MR_OPTION_SCHEMA,
      .help = "Types of fields, as in {id: int, value: double}; other fields are dynamic: their "
              "numbers read as doubles."},
     always},
    {{.name = "key",
      .type = MR_OPTION_PATHS,
      .minimum = 1,
      .maximum = KEY_PATHS_MAX,
      .help = "The fields that the message key is made of; checked per record. Operators with the "
              "same key need no repartition."},
     always},
    {{.name = "key_format",
      .type = MR_OPTION_CHOICE,
      .default_text = "text",
      .choices = key_formats,
      .help = "Bytes of the message key: one string's UTF-8 or else a JSON array (text), always a "
              "JSON array, big-endian integers, or the bytes of one field."},
     always},
    {{.name = "timestamp",
      .type = MR_OPTION_PATH,
      .help = "The field with the event time; without it the message's timestamp is."},
     always},
    {{.name = "timestamp_unit",
      .type = MR_OPTION_CHOICE,
      .choices = timestamp_units,
      .help = "Unit of that field; without it numbers are ms and texts RFC 3339."},
     always},
    {{.name = "watermark",
      .type = MR_OPTION_OBJECT,
      .default_text = "{}",
      .fields = watermark_options,
      .help = "How event time advances."},
     always},
    {{.name = "max_ahead",
      .type = MR_OPTION_DURATION,
      .default_text = "1h",
      .minimum = 0,
      .maximum = DAYS(3660),
      .help = "How far an event time may be ahead of the clock; records further ahead follow "
              "on_error."},
     always},
    {{.name = "table",
      .type = MR_OPTION_BOOLEAN,
      .default_text = "false",
      .help = "The records are a table: the last one of each `key` counts, and one without a value "
              "deletes its key. Only the input `table` of a join reads it."},
     can_be_table},
    {{.name = "retention",
      .type = MR_OPTION_DURATION,
      .default_text = "0s",
      .minimum = 0,
      .maximum = DAYS(366),
      .help =
          "Of a table: for how long, in event time, replaced records stay, so that a join finds "
          "the one as of its record's time; 0s: the last one counts for all."},
     can_be_table},
    {{.name = "load_timeout",
      .type = MR_OPTION_DURATION,
      .default_text = "60s",
      .minimum = 0,
      .maximum = DAYS(1),
      .help = "Of a table: a task that starts reads it to its end before its streams, but for so "
              "long at most; then it goes on and says so in the log."},
     can_be_table},
    ON_ERROR("What happens to a record that cannot be decoded."),
};

static const struct common_option operator_options[] = {
    NAME_AND_TYPE,
    {{.name = "key",
      .type = MR_OPTION_PATHS,
      .minimum = 0,
      .maximum = KEY_PATHS_MAX,
      .help = "The fields to group by; a repartition is planned where the input is grouped "
              "otherwise. []: one group for the whole stream, in one task."},
     takes_key},
    {{.name = "scope",
      .type = MR_OPTION_CHOICE,
      .default_text = "key",
      .choices = scopes,
      .help = "partition: state per key and partition, without a repartition; key is optional."},
     is_keyed},
    {{.name = "as",
      .type = MR_OPTION_STRING,
      .help = "The top-level field that gets the object of results."},
     adds_field},
    {{.name = "state",
      .type = MR_OPTION_OBJECT,
      .fields = state_options,
      .help = "Bounds of the state."},
     has_state},
    ON_ERROR("What happens to a record that the operator cannot process."),
};

static const struct common_option sink_options[] = {
    NAME_AND_TYPE,
    {{.name = "where",
      .type = MR_OPTION_EXPRESSION,
      .help = "A CEL condition: records for which it is false are not written."},
     always},
    {{.name = "key",
      .type = MR_OPTION_PATHS,
      .minimum = 1,
      .maximum = KEY_PATHS_MAX,
      .help = "The fields that the message key is made of; without it messages have no key."},
     always},
    {{.name = "key_format",
      .type = MR_OPTION_CHOICE,
      .default_text = "text",
      .choices = key_formats,
      .help = "Bytes of the message key, as at sources."},
     always},
    FORMAT,
    {{.name = "headers",
      .type = MR_OPTION_EXPRESSIONS,
      .help = "Message headers: a mapping of name to CEL expression."},
     is_log},
    {{.name = "topic_from",
      .type = MR_OPTION_EXPRESSION,
      .help = "A CEL expression for the topic, instead of `topic`; needs topic_allow."},
     is_log},
    {{.name = "topic_allow",
      .type = MR_OPTION_STRINGS,
      .minimum = 1,
      .maximum = 64,
      .help = "Patterns (* and ?) of the topics that topic_from may name. Internal ones (__*, and "
              "those with the cluster's prefix) are refused whatever they say."},
     is_log},
    ON_ERROR("What happens to a record that cannot be written."),
};

/* ---- Tables of a type ---- */

static const struct mr_input_spec from_input[] = {
    {.option = "from", .required = true, .help = "The input: NAME or NAME.OUTPUT."},
    {.option = NULL},
};
static const struct mr_input_spec controlled_inputs[] = {
    {.option = "from", .required = true, .help = "The input: NAME or NAME.OUTPUT."},
    {.option = "control",
     .help = "Records {operator, key, action, until} that freeze, unfreeze, reset, mute or unmute "
             "a key: its text as alerts have it; until: in ms since the epoch, event time."},
    {.option = NULL},
};
static const struct mr_input_spec place_inputs[] = {
    {.option = "from", .required = true, .help = "The input: NAME or NAME.OUTPUT."},
    {.option = "control",
     .help =
         "Records {operator, key, action: reset, layer, from, to} that forget what is kept of a "
         "key: a layer by its index, a box by two corners [x, y, z] in the unit of the fields, "
         "both, or, without them, all."},
    {.option = NULL},
};
static const struct mr_input_spec no_input[] = {{.option = NULL}};

const struct mr_input_spec *mr_common_inputs(const struct mr_type_spec *type)
{
    if (type->inputs != NULL)
        return type->inputs;
    if (type->role == MR_ROLE_SOURCE)
        return no_input;
    if ((type->flags & MR_TYPE_PLACES) != 0)
        return place_inputs;
    return mr_type_is_controlled(type) ? controlled_inputs : from_input;
}

static struct mr_option_spec input_option(const struct mr_input_spec *input)
{
    bool list = strcmp(input->option, "inputs") == 0;
    return (struct mr_option_spec){
        .name = input->option,
        .type = list ? MR_OPTION_REFERENCES : MR_OPTION_REFERENCE,
        .flags = input->required ? MR_OPTION_REQUIRED : 0,
        .minimum = list ? 2 : 0,
        .maximum = list ? INPUTS_MAX : 0,
        .help = input->help,
    };
}

struct table {
    const struct mr_type_spec *type;
    struct mr_option_spec *specs;
    uint32_t count;
};

static void table_add(struct table *table, const struct mr_option_spec *spec)
{
    if (mr_option_specs_find(table->type->options, spec->name) < 0)
        table->specs[table->count++] = *spec;
}

static void table_add_all(struct table *table, const struct common_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mr_option_spec spec = options[i].spec;
        if (!options[i].holds(table->type))
            continue;
        if (strcmp(spec.name, "as") == 0)
            spec.default_text = table->type->as_default;
        table_add(table, &spec);
        if (strcmp(spec.name, "type") != 0)
            continue;
        for (const struct mr_input_spec *input = mr_common_inputs(table->type);
             input->option != NULL; input++) {
            struct mr_option_spec reference = input_option(input);
            table_add(table, &reference);
        }
    }
}

const struct mr_option_spec *mr_common_options(struct mr_arena *arena,
                                               const struct mr_catalogue *catalogue,
                                               const struct mr_type_spec *type)
{
    enum { OPTIONS_MAX = 32 };
    uint32_t inputs_count = 0;
    while (mr_common_inputs(type)[inputs_count].option != NULL)
        inputs_count++;
    struct table table = {.type = type};
    table.specs = mr_arena_new(arena, OPTIONS_MAX + inputs_count + catalogue->formats_count,
                               sizeof(*table.specs));
    if (type->role == MR_ROLE_SOURCE)
        table_add_all(&table, source_options, MR_ARRAY_COUNT(source_options));
    else if (type->role == MR_ROLE_OPERATOR)
        table_add_all(&table, operator_options, MR_ARRAY_COUNT(operator_options));
    else
        table_add_all(&table, sink_options, MR_ARRAY_COUNT(sink_options));
    for (uint32_t i = 0; mr_common_has_format(type) && i < catalogue->formats_count; i++) {
        const struct mr_format_spec *format = &catalogue->formats[i];
        if (mr_option_specs_count(format->options) == 0)
            continue;
        struct mr_option_spec spec = {
            .name = format->name,
            .type = MR_OPTION_OBJECT,
            .fields = format->options,
            .help = mr_arena_format(arena, "Options of the format %s.", format->name)};
        table_add(&table, &spec);
    }
    return table.specs;
}
