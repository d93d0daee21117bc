/* base/options.h — options declared once, as a table: the source of parsing, checks and documents.
 * Why: `validate`, `millrace docs TYPE`, the JSON Schema and the CRD's schema must never disagree,
 * so all four read the same `struct mr_option_spec`.
 * Model: a spec names an option, its type, default and bounds. The topology's parser (topology/)
 * turns a YAML mapping into `struct mr_options`: one value per spec, in the spec's order. The
 * planner then binds paths to slots and compiles expressions into the value itself. Owner:
 * everything a value points to lives in the arena of the parsed topology. */
#ifndef MR_BASE_OPTIONS_H
#define MR_BASE_OPTIONS_H

#include "base/error.h"
#include "base/slice.h"

enum mr_option_type {
    MR_OPTION_BOOLEAN,
    MR_OPTION_INTEGER,
    MR_OPTION_NUMBER, /* a double */
    MR_OPTION_STRING,
    MR_OPTION_CHOICE,      /* one of choices; integer is its index */
    MR_OPTION_DURATION,    /* "250ms", "1h30m"; integer is milliseconds */
    MR_OPTION_SIZE,        /* "64MiB", "10MB"; integer is bytes */
    MR_OPTION_RATE,        /* "1000/s"; number is per second */
    MR_OPTION_SHARE,       /* 0..1 */
    MR_OPTION_INSTANT,     /* quoted RFC 3339; integer is milliseconds since the epoch */
    MR_OPTION_STRINGS,     /* list of strings */
    MR_OPTION_NAMES,       /* list of top-level field names */
    MR_OPTION_STRING_MAP,  /* mapping of name to string */
    MR_OPTION_NAME_MAP,    /* mapping of top-level field name to top-level field name */
    MR_OPTION_PATH,        /* one field path */
    MR_OPTION_PATHS,       /* list of field paths */
    MR_OPTION_EXPRESSION,  /* one CEL expression */
    MR_OPTION_EXPRESSIONS, /* mapping of top-level field name to CEL expression, sorted by name */
    MR_OPTION_REFERENCE,   /* NAME or NAME.OUTPUT: an input */
    MR_OPTION_REFERENCES,  /* list of those */
    MR_OPTION_SCHEMA,  /* field types (DESIGN 2.1 rule 7); `schema` points to struct mr_schema */
    MR_OPTION_OBJECT,  /* nested options, by `fields` */
    MR_OPTION_OBJECTS, /* list of nested options */
    MR_OPTION_RECORDS, /* list of literal records; texts are their compact JSON */
    /* A duration, or a whole number where a count is meant: `boolean` says that it is a count. */
    MR_OPTION_STEP,
    /* Mapping of top-level field name to a call of an aggregate function, sorted by name. */
    MR_OPTION_AGGREGATES,
    MR_OPTION_ZONE,    /* a time zone by its name in the tz database */
    MR_OPTION_NUMBERS, /* list of numbers; texts are exact forms of them */
    MR_OPTION_DOCUMENT /* the path of a file that is read when the topology is planned */
};

enum mr_option_flags {
    MR_OPTION_REQUIRED = 1u << 0,
    MR_OPTION_SECRET = 1u << 1, /* never printed; only ${file:} or ${secret:} or a connection */
    MR_OPTION_STATE_BOUND = 1u << 2, /* changing it changes the meaning of stored state */
    MR_OPTION_NUMERIC = 1u << 3,     /* a PATH whose field must be a number where a schema says */
    MR_OPTION_LIST = 1u << 4,        /* a PATH whose field must be a list where a schema says */
    /* An EXPRESSION over the main output's records, or PATHS of fields that they get: nothing of
     * the input is read. */
    MR_OPTION_OF_OUTPUT = 1u << 5
};

struct mr_option_spec {
    const char *name;
    enum mr_option_type type;
    uint32_t flags;
    const char *default_text;   /* as a user would write it, NULL: none */
    double minimum;             /* of numbers, durations (ms), sizes, list lengths; checked when */
    double maximum;             /* minimum < maximum, both inclusive */
    const char *const *choices; /* of CHOICE, ended by NULL */
    const struct mr_option_spec *fields; /* of OBJECT and OBJECTS, ended by a NULL name */
    const char *help;                    /* a sentence, with the unit */
};

/* Where a value was written: for messages. line and column count from 1; 0: a default. */
struct mr_location {
    uint32_t line;
    uint32_t column;
};

struct mr_program; /* topology/expression.h: a compiled expression, bound to slots */
struct mr_schema;  /* record/schema.h */
struct mr_type;    /* record/schema.h */
struct mr_path;    /* record/path.h */
struct mr_options;
struct mr_aggregate_call; /* topology/aggregate_call.h */
struct mr_zone;           /* base/zone.h */

#define MR_SLOT_NONE UINT32_MAX /* not an enumerator: C17 keeps those within int */

/* One option's value. Members are filled by type; the others are zero. */
struct mr_option_value {
    bool given;   /* written in the file, not a default */
    bool present; /* has a value (given or default) */
    bool boolean;
    struct mr_location location;
    int64_t integer;
    double number;
    const char *text; /* STRING, CHOICE, PATH, EXPRESSION, REFERENCE, ZONE, DOCUMENT: as written */
    uint32_t count;   /* elements of the list or mapping below */
    const char *const *names;            /* *_MAP, EXPRESSIONS: names */
    const char *const *texts;            /* lists and maps: values as text */
    const struct mr_location *locations; /* one per element */
    const double *numbers;               /* NUMBERS */
    const struct mr_path *paths;         /* PATH (one), PATHS, key lists: parsed */
    uint32_t *slots;              /* one per path: column slot in the input's domain (planner) */
    const struct mr_type **types; /* and what its declaration says (planner) */
    struct mr_program **programs; /* EXPRESSION (one), EXPRESSIONS: compiled (planner) */
    const struct mr_schema *schema;
    const struct mr_options *objects;      /* OBJECT (one), OBJECTS: nested sets */
    const struct mr_aggregate_call *calls; /* AGGREGATES: compiled (planner); NULL before */
    const struct mr_zone *zone;            /* ZONE: its table (planner); NULL before, and for UTC */
    const struct mr_slice *document;       /* DOCUMENT: its bytes (planner); NULL before */
};

struct mr_options {
    const struct mr_option_spec *specs;
    uint32_t count;
    struct mr_option_value *values; /* one per spec */
};

/* The value of an option. Pre: specs has that name (asserted). */
const struct mr_option_value *mr_options_get(const struct mr_options *options, const char *name);
bool mr_options_present(const struct mr_options *options, const char *name);
int64_t mr_options_integer(const struct mr_options *options, const char *name);
double mr_options_number(const struct mr_options *options, const char *name);
bool mr_options_boolean(const struct mr_options *options, const char *name);
const char *mr_options_text(const struct mr_options *options, const char *name); /* NULL: absent */
uint32_t mr_options_slot(const struct mr_options *options, const char *name);    /* of a PATH */
struct mr_program *mr_options_program(const struct mr_options *options, const char *name);
/* Index of a spec by name, or -1. specs is ended by a NULL name. */
int mr_option_specs_find(const struct mr_option_spec *specs, const char *name);
uint32_t mr_option_specs_count(const struct mr_option_spec *specs);

/* Parse scalars as a user writes them (DESIGN 2.1 rule 8). False: text is not one. */
bool mr_option_parse_duration(struct mr_slice text, int64_t *duration_ms);
bool mr_option_parse_size(struct mr_slice text, int64_t *size_bytes);
bool mr_option_parse_rate(struct mr_slice text, double *per_second);

/* The nearest of count names by Damerau-Levenshtein distance <= 3 and at most half its length, or
 * NULL: for "did you mean". */
const char *mr_options_nearest(const char *text, const char *const *names, uint32_t count);

#endif
