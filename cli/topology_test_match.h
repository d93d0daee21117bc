/* cli/topology_test_match.h — one expected value, as written in YAML, against one actual value.
 * Rules: a mapping says what its fields are, other fields do not matter; a list is the whole list;
 * null also stands for a field that is not there; numbers are equal when they differ by no more
 * than the tolerance, integers exactly without one; a bound is passed by no more than that. */
#ifndef MR_CLI_TOPOLOGY_TEST_MATCH_H
#define MR_CLI_TOPOLOGY_TEST_MATCH_H

#include "cli/topology_test.h"

#include <jansson.h>

enum mr_test_bound {
    MR_TEST_EQUAL,
    MR_TEST_AT_LEAST, /* numbers are not below those that are written */
    MR_TEST_AT_MOST
};

struct mr_test_match {
    struct mr_arena *arena; /* of the differences' texts */
    double tolerance;
    enum mr_test_bound bound; /* otherwise than EQUAL: all that is written are numbers */
    bool cause_in_part;       /* dead letters: the top-level text `cause` need only be a part */
    struct mr_test_difference differences[MR_TEST_DIFFERENCES_MAX];
    uint32_t differences_count;
    uint32_t differing_count; /* also those that were not kept; 0: it matches */
};

/* Compare, adding to match. actual NULL: there is none. */
void mr_test_match_value(struct mr_test_match *match, const struct mr_yaml_node *expected,
                         const json_t *actual);
/* One difference more, as texts that live in the arena or are static. */
void mr_test_match_differs(struct mr_test_match *match, const char *path, const char *expected,
                           const char *actual);

/* As compact JSON, cut where it is long. */
const char *mr_test_json_text(struct mr_arena *arena, const json_t *value);
const char *mr_test_node_text(struct mr_arena *arena, const struct mr_yaml_node *node);
/* Bytes as they came, control characters escaped, cut where they are long. */
const char *mr_test_bytes_text(struct mr_arena *arena, struct mr_slice bytes);

#endif
