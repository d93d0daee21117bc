/* record/json_scan.h — the lowest layer of the JSON reader: validated tokens of one text.
 * Model: functions take a place in the text and return the place behind what they read, or NULL
 * after noting the error in the scan. They never read at or behind `end`. */
#ifndef MR_RECORD_JSON_SCAN_H
#define MR_RECORD_JSON_SCAN_H

#include "base/arena.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct mr_json_scan {
    const uint8_t *start;
    const uint8_t *end;
    struct mr_arena *arena;  /* takes unescaped strings, containers and messages */
    const uint8_t *error_at; /* of the first error */
    const char *expected;    /* phrase: "expected ':'" */
};

/* Note an error; returns NULL. phrase is static text. */
const uint8_t *mr_json_fail(struct mr_json_scan *scan, const uint8_t *at, const char *phrase);
/* "expected ':' at byte 17", in the scan's arena. */
struct mr_slice mr_json_error_text(const struct mr_json_scan *scan);

/* An escape or a byte outside ASCII of a string at `at`: behind it (and what follows of its like).
 */
const uint8_t *mr_json_string_special(struct mr_json_scan *scan, const uint8_t *at, bool *escaped);
/* The text of a validated string's content [from, to), unescaped into the arena. */
struct mr_slice mr_json_unescape(struct mr_json_scan *scan, const uint8_t *from, const uint8_t *to);
/* A whole value of any kind, validated and dropped. depth counts the containers around it. */
const uint8_t *mr_json_skip_value(struct mr_json_scan *scan, const uint8_t *at, uint32_t depth);
const uint8_t *mr_json_skip_number(struct mr_json_scan *scan, const uint8_t *at);

static inline const uint8_t *mr_json_skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* True when the byte ends the plain run of a string: a quote, an escape, a control or not ASCII. */
static inline bool mr_json_is_special(uint8_t byte)
{
    return byte < 0x20u || byte >= 0x80u || byte == '"' || byte == '\\';
}

/* The first special byte at or behind `at`, or end. */
static inline const uint8_t *mr_json_skip_plain(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                       _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        /* Signed: below 0x20 are the controls and all bytes with the high bit. */
        __m128i outside = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
        uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_or_si128(special, outside));
        if (mask != 0)
            return at + __builtin_ctz(mask);
        at += 16;
    }
#endif
    while (at < end && !mr_json_is_special(*at))
        at++;
    return at;
}

/* The closing quote of the string whose content starts at `at`. */
static inline const uint8_t *mr_json_string_end(struct mr_json_scan *scan, const uint8_t *at,
                                                bool *escaped)
{
    *escaped = false;
    for (;;) {
        at = mr_json_skip_plain(at, scan->end);
        if (at < scan->end && *at == '"')
            return at;
        at = mr_json_string_special(scan, at, escaped);
        if (at == NULL)
            return NULL;
    }
}

#endif
