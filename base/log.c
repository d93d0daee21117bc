/* base/log.c — structured logging.
 * Design: a line is rendered into a buffer on the stack and written by one system call, so that
 * lines of threads and processes do not mix. What does not fit is left out and the line says so.
 * Repetition: a site counts its lines per minute. Sites that have suppressed lines are linked, and
 * every later call of any site sums up those whose minute is over; mr_log_flush sums up the rest.
 * Locks: `mutex` guards the sites and their list; it is held while a line is written. */
#include "base/log.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum {
    VALUE_BYTES_MAX = 512,
    LINE_BYTES_MAX = 8192,
    TAIL_BYTES = 32, /* room that stays free for the end of a line */
    SITE_LINES_MAX = 10,
    SITE_WINDOW_MS = 60000
};

struct line {
    enum mr_log_format format;
    bool full;
    size_t size;
    char text[LINE_BYTES_MAX];
};

static const char *const level_names[] = {[MR_LOG_DEBUG] = "debug",
                                          [MR_LOG_INFO] = "info",
                                          [MR_LOG_WARNING] = "warning",
                                          [MR_LOG_ERROR] = "error"};

static _Atomic int level_min = MR_LOG_INFO;
static _Atomic int line_format = MR_LOG_LOGFMT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct mr_log_site *suppressing;

void mr_log_configure(enum mr_log_level level, enum mr_log_format format)
{
    atomic_store_explicit(&level_min, (int)level, memory_order_relaxed);
    atomic_store_explicit(&line_format, (int)format, memory_order_relaxed);
}

void mr_log_silence(void)
{
    atomic_store_explicit(&level_min, MR_LOG_ERROR + 1, memory_order_relaxed);
}

bool mr_log_level_parse(const char *text, enum mr_log_level *level)
{
    for (size_t i = 0; i < MR_ARRAY_COUNT(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum mr_log_level)i;
            return true;
        }
    }
    return false;
}

bool mr_log_enabled(enum mr_log_level level)
{
    return (int)level >= atomic_load_explicit(&level_min, memory_order_relaxed);
}

static void put(struct line *line, const char *text, size_t size)
{
    if (line->full || size > sizeof line->text - TAIL_BYTES - line->size) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* One code point inside quotes. Control characters (C0, DEL and C1: a terminal obeys them) and the
 * line separators become escapes; a byte that is not UTF-8 becomes U+FFFD. */
static void put_escaped(struct line *line, uint32_t code_point, const char *bytes, size_t size)
{
    static const char short_escapes[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char escape[8];
    if (code_point == '"' || code_point == '\\') {
        put(line, "\\", 1);
        put(line, bytes, size);
    } else if (code_point < sizeof short_escapes && short_escapes[code_point] != 0) {
        put(line, (const char[]){'\\', short_escapes[code_point]}, 2);
    } else if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||
               code_point == 0x2028 || code_point == 0x2029) {
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code_point);
        put_text(line, escape);
    } else {
        put(line, bytes, size);
    }
}

static void put_quoted(struct line *line, struct mr_slice value)
{
    const uint8_t *cursor = value.data;
    const uint8_t *end = value.data + value.size;
    put(line, "\"", 1);
    while (cursor < end) {
        uint32_t code_point;
        size_t size = mr_utf8_decode(cursor, end, &code_point);
        if (size == 0) {
            put_text(line, "\xef\xbf\xbd");
            cursor++;
        } else {
            put_escaped(line, code_point, (const char *)cursor, size);
            cursor += size;
        }
    }
    put(line, "\"", 1);
}

/* logfmt writes a value bare when it is plain ASCII without blanks, quotes and equal signs. */
static bool is_bare(struct mr_slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\')
            return false;
    }
    return value.size > 0;
}

/* Bytes of value that are shown: cut at a code point, also when what follows is not UTF-8. */
static struct mr_slice shown_part(const char *value, bool *cut)
{
    size_t size = strnlen(value, VALUE_BYTES_MAX + 1);
    *cut = size > VALUE_BYTES_MAX;
    if (*cut) {
        size = VALUE_BYTES_MAX;
        while (size > VALUE_BYTES_MAX - 4 && ((uint8_t)value[size] & 0xc0u) == 0x80u)
            size--;
    }
    return mr_slice_from(value, size);
}

static void put_pair(struct line *line, const char *name, const char *value)
{
    size_t size_before = line->size;
    bool full_before = line->full;
    bool cut;
    char stored[VALUE_BYTES_MAX + 4];
    struct mr_slice shown = shown_part(value, &cut);
    if (cut) {
        memcpy(stored, shown.data, shown.size);
        memcpy(stored + shown.size, "...", 3);
        shown = mr_slice_from(stored, shown.size + 3);
    }
    bool json = line->format == MR_LOG_JSON;
    if (line->size > 1)
        put_text(line, json ? "," : " ");
    if (json)
        put_quoted(line, mr_slice_text(name));
    else
        put_text(line, name);
    put_text(line, json ? ":" : "=");
    if (!json && is_bare(shown))
        put(line, (const char *)shown.data, shown.size);
    else
        put_quoted(line, shown);
    if (line->full && !full_before)
        line->size = size_before; /* no half of a pair */
}

static void line_start(struct line *line, enum mr_log_level level, const char *component)
{
    char time_text[MR_CLOCK_TEXT_SIZE];
    line->format = (enum mr_log_format)atomic_load_explicit(&line_format, memory_order_relaxed);
    line->full = false;
    line->size = 0;
    mr_clock_format_rfc3339(mr_clock_wall_ms(), time_text);
    if (line->format == MR_LOG_JSON)
        put_text(line, "{");
    put_pair(line, "time", time_text);
    put_pair(line, "level", level_names[level]);
    put_pair(line, "component", component);
}

static void line_write(struct line *line)
{
    if (line->full) {
        line->full = false;
        const char *mark = line->format == MR_LOG_JSON ? ",\"cut\":\"true\"" : " cut=true";
        memcpy(line->text + line->size, mark, strlen(mark));
        line->size += strlen(mark);
    }
    if (line->format == MR_LOG_JSON)
        line->text[line->size++] = '}';
    line->text[line->size++] = '\n';
    size_t written = 0;
    while (written < line->size) {
        ssize_t size = write(STDERR_FILENO, line->text + written, line->size - written);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return; /* nobody can be told that standard error is gone */
        written += (size_t)size;
    }
}

static void write_summary(const struct mr_log_site *site)
{
    char sentence[96];
    snprintf(sentence, sizeof sentence, "left out %u more lines like the last of this kind",
             site->suppressed);
    struct line line;
    line_start(&line, site->level, site->component);
    put_pair(&line, "message", sentence);
    put_pair(&line, "kind", site->format);
    line_write(&line);
}

/* Sums up the sites whose minute is over, or all. */
static void sum_up(uint64_t now_ms, bool all)
{
    struct mr_log_site **link = &suppressing;
    while (*link != NULL) {
        struct mr_log_site *site = *link;
        if (all || now_ms - site->window_start_ms >= SITE_WINDOW_MS) {
            write_summary(site);
            *link = site->next;
            site->next = NULL;
            site->suppressed = 0;
        } else {
            link = &site->next;
        }
    }
}

/* Counts a line of site. False: it is to be suppressed. */
static bool site_admits(struct mr_log_site *site, uint64_t now_ms)
{
    if (site->count == 0 || now_ms - site->window_start_ms >= SITE_WINDOW_MS) {
        site->window_start_ms = now_ms;
        site->count = 0;
    }
    if (site->count < SITE_LINES_MAX) {
        site->count++;
        return true;
    }
    if (site->suppressed++ == 0) {
        site->next = suppressing;
        suppressing = site;
    }
    return false;
}

void mr_log_write(struct mr_log_site *site, enum mr_log_level level, const char *component,
                  const char *const *fields, const char *format, ...)
{
    int errno_before = errno; /* a log call must not change what its caller is about to read */
    char sentence[VALUE_BYTES_MAX + 8];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&mutex);
    uint64_t now_ms = mr_clock_monotonic_ms();
    sum_up(now_ms, false);
    site->level = level;
    site->component = component;
    site->format = format;
    if (site_admits(site, now_ms)) {
        struct line line;
        line_start(&line, level, component);
        put_pair(&line, "message", sentence);
        for (size_t i = 0; fields != NULL && fields[i] != NULL; i += 2)
            if (fields[i + 1] != NULL)
                put_pair(&line, fields[i], fields[i + 1]);
        line_write(&line);
    }
    pthread_mutex_unlock(&mutex);
    errno = errno_before;
}

void mr_log_flush(void)
{
    pthread_mutex_lock(&mutex);
    sum_up(mr_clock_monotonic_ms(), true);
    pthread_mutex_unlock(&mutex);
}
