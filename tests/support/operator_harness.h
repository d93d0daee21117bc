/* tests/support/operator_harness.h — one operator of a small topology, run over given rows.
 * Model: the text of the operators under test is put between fixed sources (`in`, `in2`) and
 * checked and planned as in production; the harness then plays the worker for one node: it makes
 * batches in the domain of the node's input, keeps the node's state in the memory store, and writes
 * down every row that comes out. Sealed changes are kept as a changelog, from which a new state can
 * be restored. */
#ifndef MR_TESTS_SUPPORT_OPERATOR_HARNESS_H
#define MR_TESTS_SUPPORT_OPERATOR_HARNESS_H

#include "base/buffer.h"
#include "operators/operator.h"
#include "tests/support/harness_text.h"

enum { HARNESS_CELLS_MAX = 36 };

/* A cell by the path that the topology reads it with. */
struct harness_cell {
    const char *path; /* NULL: the end */
    struct mr_value value;
};

struct harness_row {
    int64_t offset;
    int64_t event_time_ms;
    struct harness_cell cells[HARNESS_CELLS_MAX];
    int64_t watermark_ms; /* with harness.row_watermarks: the task's, just before the row */
    const char *deletes;  /* a row without a payload, with this message key; NULL: it has one */
};

struct harness_change {
    struct mr_slice key;
    struct mr_slice value;
    bool tombstone;
};

struct harness {
    struct mr_arena plan_arena;
    struct mr_arena batch_arena;
    struct mr_plan *plan;
    const struct mr_plan_node *node;
    const struct mr_operator_type *type;
    struct mr_store_resources *resources;
    struct mr_state *state;
    struct mr_operator *operator_instance;
    struct mr_operator_context context;
    struct mr_operator_runtime runtime;
    uint64_t cache_bytes_max;
    int32_t partition;
    int32_t partitions_count;
    uint64_t sequence;
    bool row_watermarks;  /* rows say theirs; else each has that of the last harness_watermark */
    int64_t watermark_ms; /* as of the last harness_watermark that is done */
    uint64_t judged_counts[4];      /* rows that the detector has judged, by its state */
    double gauges[MR_GAUGES_COUNT]; /* as the operator has told them last */
    uint64_t late_count;            /* rows that the operator has called late */
    bool in_parts;                  /* every transaction is full: what is due leaves in parts */
    uint32_t crash_every;           /* in_parts: parts between two restores; 0: none */
    uint32_t parts_count;           /* of calls that said that more is due */
    /* What came out: a line per row of each output, and per reported row. */
    struct mr_buffer outputs[MR_LIMIT_OPERATOR_OUTPUTS];
    struct mr_buffer errors;
    bool quiet;      /* count, but write nothing down */
    bool keeps_last; /* keep a deep copy of the last row of each output, for harness_last */
    struct mr_value *last[MR_LIMIT_OPERATOR_OUTPUTS];
    uint64_t emitted_count[MR_LIMIT_OPERATOR_OUTPUTS];
    uint64_t errors_count;
    uint64_t process_cpu_ns;   /* CPU time inside of the operator's calls */
    uint64_t allocation_count; /* heap allocations inside of the operator's calls */
    /* Called for every emitted view when set. */
    void (*on_emit)(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view);
    void *on_emit_argument;
    struct harness_change *changelog;
    uint32_t changelog_count;
    uint32_t changelog_capacity;
    uint64_t changelog_bytes;
};

/* operators: YAML entries below `operators:` (indented by four blanks), for instance
 *   "    - {name: op, type: filter, from: in, where: 'a > 1.0'}\n"
 * node: the name of the one to run. sinks: further YAML entries below `sinks:`, may be "". A
 * problem in the text fails the test with the report. */
void harness_open(struct harness *harness, const char *operators, const char *sinks,
                  const char *node);
/* As harness_open, with `sources` of its own. */
void harness_open_sources(struct harness *harness, const char *sources, const char *operators,
                          const char *sinks, const char *node, int32_t partition,
                          int32_t partitions_count);
/* The findings of a text that must not be valid; lives in arena. */
const char *harness_findings(struct mr_arena *arena, const char *sources, const char *operators,
                             const char *sinks);
void harness_close(struct harness *harness);

/* Rows of input port in one batch of at most MR_LIMIT_BATCH_ROWS. */
void harness_feed(struct harness *harness, uint32_t port, const struct harness_row *rows,
                  uint32_t rows_count);
/* The same, for a process call that may fail. */
enum mr_status harness_try_feed(struct harness *harness, uint32_t port,
                                const struct harness_row *rows, uint32_t rows_count,
                                struct mr_error *error);
/* Generate up to rows_max rows from position on, as text in output; returns the status. */
enum mr_status harness_generate(struct harness *harness, int64_t position, int64_t now_ms,
                                uint32_t rows_max, int64_t *next_position, int64_t *due_ms);
/* Rows that it emits leave at the watermark from before. */
void harness_watermark(struct harness *harness, int64_t watermark_ms);
/* The wall time is now_ms: on_wall is called when it is due. Returns when it wants to be called
 * next. */
int64_t harness_wall(struct harness *harness, int64_t now_ms);
/* End the transaction: changes go to the changelog and to the store. */
void harness_commit(struct harness *harness);
/* Forget everything in memory, restore a new state from the changelog, open the operator anew. */
void harness_restore(struct harness *harness);
/* Stored pairs as text, in key order; lives in arena. */
const char *harness_dump(struct harness *harness, struct mr_arena *arena);
/* Text of an output so far; NUL-ended. */
const char *harness_output(struct harness *harness, uint32_t output);
/* Text of the reported rows so far. */
const char *harness_errors(struct harness *harness);
/* Offsets of the rows of an output so far, divided by blanks. */
const char *harness_offsets(struct harness *harness, uint32_t output);
/* A cell of the last row of an output; needs keeps_last. */
struct mr_value harness_last(const struct harness *harness, uint32_t output, uint32_t slot);
/* The same by the name of an added member (output 0) or of a field of the output's own rows. */
struct mr_value harness_member(const struct harness *harness, const char *member);
struct mr_value harness_field(const struct harness *harness, uint32_t output, const char *field);
/* The slot of a path that is read from the domain of the node's input. */
uint32_t harness_input_slot(const struct harness *harness, const char *path);
void assert_text(struct mr_value value, const char *text);
/* A row with the fields k (a text) and value. */
struct harness_row harness_row(int64_t offset, const char *key, struct mr_value value);

/* Compare the stored pairs with tests/golden/operators/<name>.hex; with MILLRACE_UPDATE_GOLDEN set
 * in the environment the file is written instead. */
void harness_check_golden(struct harness *harness, const char *name);
/* Restore the state from that file, and open the operator on it. */
void harness_load_golden(struct harness *harness, const char *name);

/* The slot of a member of the object that the node adds. */
uint32_t harness_added_slot(const struct harness *harness, const char *member);

#endif
