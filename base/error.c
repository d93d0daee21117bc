/* base/error.c — the error object.
 * Design: every text is rendered into a buffer on the stack first, since callers pass the old
 * message as an argument of the new one. */
#include "base/error.h"

#include "base/assert.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[MR_STATUS_COUNT] = {[MR_OK] = "ok",
                                                          [MR_END] = "end",
                                                          [MR_AGAIN] = "again",
                                                          [MR_INVALID] = "invalid",
                                                          [MR_NOT_FOUND] = "not_found",
                                                          [MR_LIMIT] = "limit",
                                                          [MR_TIMEOUT] = "timeout",
                                                          [MR_CLOSED] = "closed",
                                                          [MR_FENCED] = "fenced",
                                                          [MR_CORRUPT] = "corrupt",
                                                          [MR_IO] = "io",
                                                          [MR_VERSION] = "version",
                                                          [MR_INTERNAL] = "internal"};

static const char *const recovery_names[] = {[MR_RECOVERY_NONE] = "none",
                                             [MR_RECOVERY_RETRY] = "retry",
                                             [MR_RECOVERY_REINCARNATE] = "reincarnate",
                                             [MR_RECOVERY_RESTORE] = "restore",
                                             [MR_RECOVERY_FAIL_TOPOLOGY] = "fail_topology",
                                             [MR_RECOVERY_EXIT] = "exit"};

/* Copies text into a message, cut at a code point when it does not fit. The text is ours or was
 * checked, so looking for continuation bytes is enough. */
static void set_message(char message[MR_ERROR_MESSAGE_SIZE], const char *text)
{
    size_t size = strlen(text);
    if (size >= MR_ERROR_MESSAGE_SIZE) {
        size = MR_ERROR_MESSAGE_SIZE - 1;
        while (size > 0 && ((uint8_t)text[size] & 0xc0u) == 0x80u)
            size--;
    }
    memcpy(message, text, size);
    message[size] = '\0';
}

static void fill(struct mr_error *error, enum mr_status status, enum mr_recovery recovery,
                 const char *file, int line, const char *text)
{
    MR_ASSERT(status > MR_AGAIN && status < MR_STATUS_COUNT);
    set_message(error->message, text);
    error->status = status;
    error->recovery = recovery;
    error->origin = "millrace";
    error->origin_code = 0;
    error->file = file;
    error->line = line;
}

enum mr_status mr_error_set(struct mr_error *error, enum mr_status status,
                            enum mr_recovery recovery, const char *file, int line,
                            const char *format, ...)
{
    char text[MR_ERROR_MESSAGE_SIZE * 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fill(error, status, recovery, file, line, text);
    return status;
}

void mr_error_origin(struct mr_error *error, const char *origin, int32_t code)
{
    error->origin = origin;
    error->origin_code = code;
}

void mr_error_context(struct mr_error *error, const char *format, ...)
{
    char context[MR_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    char text[sizeof context + MR_ERROR_MESSAGE_SIZE + 2];
    snprintf(text, sizeof text, "%s: %s", context, error->message);
    set_message(error->message, text);
}

enum mr_status mr_error_from_errno(struct mr_error *error, int errno_value,
                                   enum mr_recovery recovery, const char *file, int line,
                                   const char *format, ...)
{
    char sentence[MR_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    char reason_storage[128];
    const char *reason = strerror_r(errno_value, reason_storage, sizeof reason_storage);
    char text[sizeof sentence + sizeof reason_storage + 2];
    snprintf(text, sizeof text, "%s: %s", sentence, reason);
    enum mr_status status = errno_value == ENOENT ? MR_NOT_FOUND : MR_IO;
    fill(error, status, recovery, file, line, text);
    mr_error_origin(error, "errno", errno_value);
    return status;
}

const char *mr_status_name(enum mr_status status)
{
    return (unsigned)status < MR_STATUS_COUNT ? status_names[status] : "unknown";
}

const char *mr_recovery_name(enum mr_recovery recovery)
{
    return (unsigned)recovery < MR_ARRAY_COUNT(recovery_names) ? recovery_names[recovery]
                                                               : "unknown";
}

_Noreturn void mr_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "millrace: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
