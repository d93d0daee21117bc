/* topology/yaml.h — YAML text to a tree of nodes that know their places.
 * Why: every error of a topology names line and column; libyaml's own tree keeps less than that and
 * reads YAML 1.1, while the grammar is YAML 1.2's core schema without what surprises people: tags,
 * anchors, aliases, merge keys, duplicate keys and further documents are refused, and so are plain
 * values that a reader of YAML 1.1 (kubectl among them) would take for something else.
 * Limits: MR_LIMIT_TOPOLOGY_BYTES, MR_LIMIT_YAML_DEPTH. libyaml's header is included in yaml.c
 * only. Owner: nodes and texts live in the arena. */
#ifndef MR_TOPOLOGY_YAML_H
#define MR_TOPOLOGY_YAML_H

#include "topology/report.h"

enum mr_yaml_kind { MR_YAML_SCALAR, MR_YAML_SEQUENCE, MR_YAML_MAPPING };

/* What YAML 1.2's core schema makes of a scalar. */
enum mr_yaml_scalar {
    MR_YAML_STRING,
    MR_YAML_NULL,
    MR_YAML_BOOLEAN,
    MR_YAML_INTEGER,
    MR_YAML_FLOAT
};

enum mr_yaml_style { MR_YAML_PLAIN, MR_YAML_SINGLE_QUOTED, MR_YAML_DOUBLE_QUOTED, MR_YAML_BLOCK };

struct mr_yaml_pair;

struct mr_yaml_node {
    enum mr_yaml_kind kind;
    enum mr_yaml_scalar scalar;
    enum mr_yaml_style style;
    bool multiline;   /* the scalar's text spans lines of the file: columns inside are unknown */
    bool faulty;      /* what is wrong with it was reported: nothing more is said about it */
    bool substituted; /* the whole scalar was one ${...}: it fits where a text or a number is wanted
                       */
    struct mr_location location;
    const char *text;                  /* of a scalar, ended by NUL, without NUL inside */
    struct mr_yaml_node *const *items; /* of a sequence */
    struct mr_yaml_pair *pairs;        /* of a mapping, in the file's order */
    uint32_t count;
};

struct mr_yaml_pair {
    const char *key;
    struct mr_location location; /* of the key */
    struct mr_yaml_node *value;
};

/* Parse one document. NULL when the text is not YAML; breaches of the rules above are reported and
 * the tree is returned all the same, so that further errors are found. */
struct mr_yaml_node *mr_yaml_parse(struct mr_slice text, struct mr_arena *arena,
                                   struct mr_report *report);

/* The value of a key, or NULL. Pre: node is a mapping. */
const struct mr_yaml_pair *mr_yaml_find(const struct mr_yaml_node *node, const char *key);

/* What the core schema makes of a plain scalar. */
enum mr_yaml_scalar mr_yaml_classify(const char *text);

/* "a mapping", "a list", "the number 5", "the text 'x'": for messages. */
const char *mr_yaml_describe(struct mr_arena *arena, const struct mr_yaml_node *node);

#endif
