/* base/limits.h — every bound of the engine, in one place, with its reason. */
#ifndef MR_BASE_LIMITS_H
#define MR_BASE_LIMITS_H

enum {
    MR_LIMIT_BATCH_ROWS = 4096,       /* a column of 16-byte cells stays within 64 KiB (L2) */
    MR_LIMIT_NAME_BYTES = 63,         /* DESIGN 2.1 rule 1; fits a Kubernetes label */
    MR_LIMIT_JSON_DEPTH = 128,        /* nesting of arrays and objects in a record */
    MR_LIMIT_PATH_STEPS = 32,         /* steps of a field path */
    MR_LIMIT_RECORD_BYTES = 64 << 20, /* one record's payload */
    MR_LIMIT_TRANSACTION_RECORDS = 50000,
    MR_LIMIT_TRANSACTION_BYTES = 16 << 20,
    MR_LIMIT_TOPOLOGY_BYTES = 4 << 20, /* a topology file */
    MR_LIMIT_TOPOLOGY_NODES = 1000,    /* sources, operators and sinks of one topology */
    MR_LIMIT_YAML_DEPTH = 64,
    MR_LIMIT_EXPRESSION_BYTES = 64 << 10,
    MR_LIMIT_EXPRESSION_DEPTH = 250,    /* nesting of a CEL expression */
    MR_LIMIT_EXPRESSION_COST = 1000000, /* steps of one evaluation on one record (macros) */
    MR_LIMIT_KEY_BYTES = 32 << 10,      /* a key of state */
    MR_LIMIT_STATE_SLOT_BYTES = 4096,   /* a slot of large state */
    MR_LIMIT_ROW_BYTES = 1 << 20,       /* a row in state; the largest message of a Kafka topic */
    MR_LIMIT_PARTITIONS = 4096,         /* partitions of one source */
    MR_LIMIT_OPERATOR_OUTPUTS = 64
};

#endif
