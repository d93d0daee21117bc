/* operators/join_page.h — a page of rows of a join, as the cache keeps it and as it is stored.
 * Model: rows lie one behind the other with a head each, so that writing a page back is a copy. A
 * row's place counts the rows that the page ever had: it is never given again. What an empty page
 * has no room for of a row's bytes is kept elsewhere by the caller. Layout: operators/join_rows.h.
 * Limits: page_bytes is MR_JOIN_PAGE_SMALL or MR_JOIN_PAGE_LARGE, always the same for a page;
 * MR_JOIN_PAGE_ROWS rows in its life. Threads: no state. */
#ifndef MR_OPERATORS_JOIN_PAGE_H
#define MR_OPERATORS_JOIN_PAGE_H

#include "base/limits.h"
#include "base/slice.h"

enum {
    MR_JOIN_VERSION = 1,
    MR_JOIN_PLACE_BITS = 4,
    MR_JOIN_PAGE_ROWS = 1 << MR_JOIN_PLACE_BITS,
    MR_JOIN_ROW_HEAD = 22,
    MR_JOIN_PAGE_SMALL = MR_JOIN_ROW_HEAD + 240, /* keys with one row mostly */
    MR_JOIN_PAGE_LARGE = MR_JOIN_ROW_HEAD + 1200,
    MR_JOIN_PAGE_FRAME = 1 /* stored before the rows */
};

struct mr_join_page {
    uint32_t ever; /* rows that it ever had */
    uint32_t size;
    uint8_t rows[]; /* room for page_bytes */
};

/* A row in a page. */
struct mr_join_kept {
    int64_t time_ms;
    int64_t due_ms;
    uint32_t size; /* of the whole row */
    uint32_t place;
    bool matched;
    uint32_t at;     /* in the page */
    uint32_t length; /* of what lies in the page, with its head */
};

/* Go through the rows of a page, oldest first; *kept is zeroed before the first call. */
bool mr_join_page_next(const struct mr_join_page *page, uint32_t page_bytes,
                       struct mr_join_kept *kept);
bool mr_join_page_find(const struct mr_join_page *page, uint32_t page_bytes, uint32_t place,
                       struct mr_join_kept *kept);
/* When the first row is due, or the last one. Pre: there is a row. */
int64_t mr_join_page_due(const struct mr_join_page *page, uint32_t page_bytes, bool last);
/* The row that is due first, of several the one of the least time and place. Pre: as above. */
void mr_join_page_first_due(const struct mr_join_page *page, uint32_t page_bytes,
                            struct mr_join_kept *first);
bool mr_join_page_has_room(const struct mr_join_page *page, uint32_t page_bytes, size_t size);
/* Add a row behind the others. Given: kept's time, due time and matched; the rest is set. Pre: it
 * has room. */
void mr_join_page_append(struct mr_join_page *page, uint32_t page_bytes, struct mr_join_kept *kept,
                         struct mr_slice bytes);
void mr_join_page_match(struct mr_join_page *page, const struct mr_join_kept *kept);
void mr_join_page_schedule(struct mr_join_page *page, const struct mr_join_kept *kept,
                           int64_t due_ms);
void mr_join_page_remove(struct mr_join_page *page, const struct mr_join_kept *kept);

/* For a table: bytes of at most MR_JOIN_PAGE_FRAME + page_bytes. */
size_t mr_join_page_encode(const void *object, uint8_t *output);
bool mr_join_page_decode_small(void *object, uint32_t version, struct mr_slice stored);
bool mr_join_page_decode_large(void *object, uint32_t version, struct mr_slice stored);

#endif
