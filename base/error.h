/* base/error.h — statuses, and the error object that says what the caller may do about it.
 * Why: librdkafka, RocksDB and the operating system each have their own codes. One file per library
 * translates them, and decides there, once, which recovery is right; callers branch on `recovery`.
 * Model: fallible functions return `enum mr_status` and take `struct mr_error *error` last (never
 * NULL) in the caller's storage; it is written only when the status is a failure.
 * Invariants: MR_END and MR_AGAIN are outcomes, not failures. Nothing here allocates. */
#ifndef MR_BASE_ERROR_H
#define MR_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#define MR_NODISCARD __attribute__((warn_unused_result))
#define MR_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(printf, format_index, first_index)))

enum mr_status {
    MR_OK = 0,
    MR_END,       /* outcome: nothing more will come */
    MR_AGAIN,     /* outcome: nothing now */
    MR_INVALID,   /* the caller's data or configuration is wrong */
    MR_NOT_FOUND, /* the named thing does not exist */
    MR_LIMIT,     /* a stated bound is reached */
    MR_TIMEOUT,   /* no answer in time */
    MR_CLOSED,    /* the thing is being closed */
    MR_FENCED,    /* a newer owner exists */
    MR_CORRUPT,   /* stored bytes are not what was written */
    MR_IO,        /* disk, network or broker */
    MR_VERSION,   /* a stored or received layout is of an unknown version */
    MR_INTERNAL,  /* a foreign library broke its contract */
    MR_STATUS_COUNT
};

/* What the caller may do; decided where the foreign error is translated. */
enum mr_recovery {
    MR_RECOVERY_NONE = 0,    /* not a failure */
    MR_RECOVERY_RETRY,       /* the same call again, after a back-off */
    MR_RECOVERY_REINCARNATE, /* outcome unknown or producer unusable: new incarnation, claim anew */
    MR_RECOVERY_RESTORE,     /* local state is unusable: wipe and restore from the changelog */
    MR_RECOVERY_FAIL_TOPOLOGY, /* topology or data is wrong: stop it and tell the user */
    MR_RECOVERY_EXIT           /* the process cannot go on */
};

enum { MR_ERROR_MESSAGE_SIZE = 512 };

struct mr_error {
    enum mr_status status;
    enum mr_recovery recovery;
    const char *origin; /* static text: "kafka", "rocksdb", "errno", "millrace", ... */
    int32_t origin_code;
    int32_t line;
    const char *file;
    char message[MR_ERROR_MESSAGE_SIZE]; /* full sentences; cut at a UTF-8 boundary when too long */
};

/* Fill error and return status. Owner: format and arguments are copied. */
enum mr_status mr_error_set(struct mr_error *error, enum mr_status status,
                            enum mr_recovery recovery, const char *file, int line,
                            const char *format, ...) MR_PRINTF(6, 7);

/* Note which foreign library and code an error came from. origin is static text. */
void mr_error_origin(struct mr_error *error, const char *origin, int32_t code);

/* Put context before the message: "<context>: <message>". */
void mr_error_context(struct mr_error *error, const char *format, ...) MR_PRINTF(2, 3);

/* Fill error from errno: "<sentence>: <reason>". Returns: MR_NOT_FOUND for ENOENT, else MR_IO. */
enum mr_status mr_error_from_errno(struct mr_error *error, int errno_value,
                                   enum mr_recovery recovery, const char *file, int line,
                                   const char *format, ...) MR_PRINTF(6, 7);

/* The status's name in lower case, static text: "not_found". */
const char *mr_status_name(enum mr_status status);
const char *mr_recovery_name(enum mr_recovery recovery);

#define MR_FAIL(error, status, recovery, ...)                                                      \
    mr_error_set((error), (status), (recovery), __FILE__, __LINE__, __VA_ARGS__)
#define MR_FAIL_ERRNO(error, errno_value, recovery, ...)                                           \
    mr_error_from_errno((error), (errno_value), (recovery), __FILE__, __LINE__, __VA_ARGS__)

#endif
