/* operators/join_page.c — see join_page.h. */
#include "operators/join_page.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"

enum { AT_DUE = 8, AT_SIZE = 16, AT_PLACE = 20, AT_MATCHED = 21 };

static uint32_t length_of(uint32_t page_bytes, size_t size)
{
    uint32_t most = page_bytes - MR_JOIN_ROW_HEAD;
    return MR_JOIN_ROW_HEAD + (size < most ? (uint32_t)size : most);
}

/* The row at kept->at. Pre: its head is there. */
static void read_kept(const uint8_t *rows, uint32_t page_bytes, struct mr_join_kept *kept)
{
    const uint8_t *head = rows + kept->at;
    kept->time_ms = (int64_t)mr_get_u64le(head);
    kept->due_ms = (int64_t)mr_get_u64le(head + AT_DUE);
    kept->size = mr_get_u32le(head + AT_SIZE);
    kept->place = head[AT_PLACE];
    kept->matched = head[AT_MATCHED] == 1;
    kept->length = length_of(page_bytes, kept->size);
}

bool mr_join_page_next(const struct mr_join_page *page, uint32_t page_bytes,
                       struct mr_join_kept *kept)
{
    kept->at += kept->length;
    if (kept->at >= page->size)
        return false;
    read_kept(page->rows, page_bytes, kept);
    return true;
}

bool mr_join_page_find(const struct mr_join_page *page, uint32_t page_bytes, uint32_t place,
                       struct mr_join_kept *kept)
{
    *kept = (struct mr_join_kept){0};
    while (mr_join_page_next(page, page_bytes, kept))
        if (kept->place == place)
            return true;
    return false;
}

int64_t mr_join_page_due(const struct mr_join_page *page, uint32_t page_bytes, bool last)
{
    struct mr_join_kept kept = {0};
    int64_t due_ms = last ? INT64_MIN : INT64_MAX;
    while (mr_join_page_next(page, page_bytes, &kept))
        if (last ? kept.due_ms > due_ms : kept.due_ms < due_ms)
            due_ms = kept.due_ms;
    return due_ms;
}

void mr_join_page_first_due(const struct mr_join_page *page, uint32_t page_bytes,
                            struct mr_join_kept *first)
{
    struct mr_join_kept kept = {0};
    bool any = false;
    while (mr_join_page_next(page, page_bytes, &kept)) {
        bool before = any && (kept.due_ms != first->due_ms ? kept.due_ms < first->due_ms
                                                           : kept.time_ms < first->time_ms);
        if (!any || before)
            *first = kept;
        any = true;
    }
}

bool mr_join_page_has_room(const struct mr_join_page *page, uint32_t page_bytes, size_t size)
{
    return page->ever < MR_JOIN_PAGE_ROWS && length_of(page_bytes, size) <= page_bytes - page->size;
}

void mr_join_page_append(struct mr_join_page *page, uint32_t page_bytes, struct mr_join_kept *kept,
                         struct mr_slice bytes)
{
    MR_ASSERT(mr_join_page_has_room(page, page_bytes, bytes.size));
    uint8_t *head = page->rows + page->size;
    kept->size = (uint32_t)bytes.size;
    kept->place = page->ever++;
    kept->at = page->size;
    kept->length = length_of(page_bytes, bytes.size);
    mr_put_u64le(head, (uint64_t)kept->time_ms);
    mr_put_u64le(head + AT_DUE, (uint64_t)kept->due_ms);
    mr_put_u32le(head + AT_SIZE, kept->size);
    head[AT_PLACE] = (uint8_t)kept->place;
    head[AT_MATCHED] = kept->matched;
    if (bytes.size > 0)
        memcpy(head + MR_JOIN_ROW_HEAD, bytes.data, kept->length - MR_JOIN_ROW_HEAD);
    page->size += kept->length;
}

void mr_join_page_match(struct mr_join_page *page, const struct mr_join_kept *kept)
{
    page->rows[kept->at + AT_MATCHED] = 1;
}

void mr_join_page_schedule(struct mr_join_page *page, const struct mr_join_kept *kept,
                           int64_t due_ms)
{
    mr_put_u64le(page->rows + kept->at + AT_DUE, (uint64_t)due_ms);
}

void mr_join_page_remove(struct mr_join_page *page, const struct mr_join_kept *kept)
{
    uint32_t end = kept->at + kept->length;
    memmove(page->rows + kept->at, page->rows + end, page->size - end);
    page->size -= kept->length;
}

size_t mr_join_page_encode(const void *object, uint8_t *output)
{
    const struct mr_join_page *page = object;
    output[0] = (uint8_t)page->ever;
    memcpy(output + MR_JOIN_PAGE_FRAME, page->rows, page->size);
    return MR_JOIN_PAGE_FRAME + page->size;
}

static bool decode(uint32_t page_bytes, struct mr_join_page *page, uint32_t version,
                   struct mr_slice stored)
{
    if (version != MR_JOIN_VERSION || stored.size <= MR_JOIN_PAGE_FRAME ||
        stored.size > MR_JOIN_PAGE_FRAME + page_bytes || stored.data[0] > MR_JOIN_PAGE_ROWS)
        return false;
    const uint8_t *rows = stored.data + MR_JOIN_PAGE_FRAME;
    uint32_t size = (uint32_t)(stored.size - MR_JOIN_PAGE_FRAME);
    struct mr_join_kept kept = {0};
    for (; kept.at < size; kept.at += kept.length) {
        if (size - kept.at < MR_JOIN_ROW_HEAD)
            return false;
        read_kept(rows, page_bytes, &kept);
        if (kept.size > MR_LIMIT_ROW_BYTES || kept.length > size - kept.at ||
            kept.place >= stored.data[0] || rows[kept.at + AT_MATCHED] > 1)
            return false;
    }
    page->ever = stored.data[0];
    page->size = size;
    memcpy(page->rows, rows, size);
    return true;
}

bool mr_join_page_decode_small(void *object, uint32_t version, struct mr_slice stored)
{
    return decode(MR_JOIN_PAGE_SMALL, object, version, stored);
}

bool mr_join_page_decode_large(void *object, uint32_t version, struct mr_slice stored)
{
    return decode(MR_JOIN_PAGE_LARGE, object, version, stored);
}
