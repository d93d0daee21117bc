/* base/log.h — structured logging on standard error: logfmt or JSON lines.
 * Model: a line is a time, a level, a component, a sentence and key=value fields.
 * Rules: no secret is ever passed to a log call; values from outside are escaped and cut at 512
 * bytes; a line that repeats (same call site) more than 10 times within a minute is counted and
 * summed up in one line. Threads: any. */
#ifndef MR_BASE_LOG_H
#define MR_BASE_LOG_H

#include "base/error.h"

enum mr_log_level { MR_LOG_DEBUG, MR_LOG_INFO, MR_LOG_WARNING, MR_LOG_ERROR };
enum mr_log_format { MR_LOG_LOGFMT, MR_LOG_JSON };

void mr_log_configure(enum mr_log_level level, enum mr_log_format format);
/* Write nothing any more: for a process whose own output says what went wrong. */
void mr_log_silence(void);
bool mr_log_level_parse(const char *text, enum mr_log_level *level);
bool mr_log_enabled(enum mr_log_level level);

/* One rate-limited call site. Zero-initialised static storage: suppressed lines are summed up
 * later. The members belong to log.c. */
struct mr_log_site {
    uint64_t window_start_ms;
    uint32_t count;
    uint32_t suppressed;
    enum mr_log_level level;
    const char *component;
    const char *format;
    struct mr_log_site *next;
};

/* Write one line, unless its site has written too many. component is static text. fields: pairs
 * "name", "value" up to a name of NULL, or NULL; names are plain; a pair whose value is NULL is
 * left out. Keeps errno. */
void mr_log_write(struct mr_log_site *site, enum mr_log_level level, const char *component,
                  const char *const *fields, const char *format, ...) MR_PRINTF(5, 6);

/* Sum up what is still suppressed: before the process ends. */
void mr_log_flush(void);

/* Fields are written inline:
 * MR_LOG_AT(MR_LOG_INFO, "worker", MR_LOG_FIELDS("task", name), "The task is restored."). */
#define MR_LOG_FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define MR_LOG_AT(level, component, fields, ...)                                                   \
    do {                                                                                           \
        static struct mr_log_site mr_log_site_here;                                                \
        if (mr_log_enabled(level))                                                                 \
            mr_log_write(&mr_log_site_here, (level), (component), (fields), __VA_ARGS__);          \
    } while (0)

#endif
