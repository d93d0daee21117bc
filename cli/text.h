/* cli/text.h — what people read: escaped text, times ("3 s ago"), durations, sizes and counts.
 * Why: names, causes and sentences come from files, topics and servers; a terminal obeys control
 * characters, so nothing from outside is printed as it came.
 * Owner: what is returned is in arena. */
#ifndef MR_CLI_TEXT_H
#define MR_CLI_TEXT_H

#include "base/arena.h"

#include <stdio.h>

/* Write UTF-8 text; control characters (C0, DEL, C1) and bytes that are no UTF-8 are written as
 * \xNN. */
void mr_text_write(FILE *output, struct mr_slice text);
/* The same as text, NUL-ended. */
const char *mr_text_escape(struct mr_arena *arena, struct mr_slice text);
/* Columns that escaped text takes on a terminal: its code points. */
uint32_t mr_text_width(const char *text);

/* "0.3 s", "42 s", "3 min 20 s", "5 h 12 min", "3 d 4 h"; negative: "unknown". */
const char *mr_text_duration(struct mr_arena *arena, int64_t duration_ms);
/* "3 s ago", "in 3 s", "now" (within a second). Both are milliseconds since the epoch. */
const char *mr_text_ago(struct mr_arena *arena, int64_t then_ms, int64_t now_ms);
/* "12,345". */
const char *mr_text_count(struct mr_arena *arena, int64_t count);
/* "512 B", "1.5 KiB", "64 MiB". */
const char *mr_text_bytes(struct mr_arena *arena, int64_t bytes);
/* "1 task", "2 tasks". */
const char *mr_text_plural(struct mr_arena *arena, int64_t count, const char *noun);

/* Percent-encode all but RFC 3986's unreserved characters: one segment of a URL's path or a query
 * value. */
const char *mr_text_percent(struct mr_arena *arena, struct mr_slice text);

#endif
