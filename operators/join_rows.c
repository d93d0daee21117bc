/* operators/join_rows.c — see join_rows.h.
 * Design: a page is kept in the cache as it is stored, rows one behind the other: writing it back
 * is a copy. The list of a key's pages holds the newest ones; as long as it holds all, nothing is
 * scanned. */
#include "operators/join_rows.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"

struct listed {
    int64_t begin_ms;
    uint64_t number;
};

struct key_side {
    uint32_t rows;
    uint32_t pages;
    uint32_t listed_count;
    struct listed listed[MR_JOIN_LISTED_MAX];
};

struct key_object {
    struct key_side sides[MR_JOIN_SIDES];
};

struct task_object {
    uint64_t next_number;
    int64_t width_ms[MR_JOIN_SIDES];
};

enum { TASK_BYTES = 8 + MR_JOIN_SIDES * 8 };

/* ---- Stored bytes ---- */

static size_t key_encode(const void *object, uint8_t *output)
{
    const struct key_object *key = object;
    uint8_t *cursor = output;
    for (uint32_t side = 0; side < MR_JOIN_SIDES; side++, cursor += 9) {
        mr_put_u32le(cursor, key->sides[side].rows);
        mr_put_u32le(cursor + 4, key->sides[side].pages);
        cursor[8] = (uint8_t)key->sides[side].listed_count;
    }
    for (uint32_t side = 0; side < MR_JOIN_SIDES; side++)
        for (uint32_t index = 0; index < key->sides[side].listed_count; index++, cursor += 16) {
            mr_put_u64le(cursor, (uint64_t)key->sides[side].listed[index].begin_ms);
            mr_put_u64le(cursor + 8, key->sides[side].listed[index].number);
        }
    return (size_t)(cursor - output);
}

static bool key_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct key_object *key = object;
    struct mr_reader reader = mr_reader_from(stored);
    if (version != MR_JOIN_VERSION)
        return false;
    for (uint32_t index = 0; index < MR_JOIN_SIDES; index++) {
        struct key_side *side = &key->sides[index];
        side->rows = mr_read_u32(&reader);
        side->pages = mr_read_u32(&reader);
        side->listed_count = mr_read_u8(&reader);
        if (side->listed_count > MR_JOIN_LISTED_MAX || side->listed_count > side->pages ||
            side->pages > side->rows)
            return false;
    }
    for (uint32_t index = 0; index < MR_JOIN_SIDES; index++) {
        struct key_side *side = &key->sides[index];
        for (uint32_t page = 0; page < side->listed_count; page++) {
            side->listed[page].begin_ms = (int64_t)mr_read_u64(&reader);
            side->listed[page].number = mr_read_u64(&reader);
        }
    }
    return !reader.bad && reader.cursor == reader.end;
}

bool mr_join_rows_counts(uint32_t version, struct mr_slice encoded, uint32_t counts[MR_JOIN_SIDES])
{
    struct key_object key = {0};
    if (!key_decode(&key, version, encoded))
        return false;
    for (uint32_t side = 0; side < MR_JOIN_SIDES; side++)
        counts[side] = key.sides[side].rows;
    return true;
}

static size_t task_encode(const void *object, uint8_t *output)
{
    const struct task_object *task = object;
    mr_put_u64le(output, task->next_number);
    for (size_t side = 0; side < MR_JOIN_SIDES; side++)
        mr_put_u64le(output + 8 + side * 8, (uint64_t)task->width_ms[side]);
    return TASK_BYTES;
}

static bool task_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct task_object *task = object;
    if (version != MR_JOIN_VERSION || stored.size != TASK_BYTES)
        return false;
    task->next_number = mr_get_u64le(stored.data);
    for (size_t side = 0; side < MR_JOIN_SIDES; side++)
        task->width_ms[side] = (int64_t)mr_get_u64le(stored.data + 8 + side * 8);
    return true;
}

enum mr_status mr_join_rows_open(struct mr_join_rows *rows, struct mr_state *state,
                                 const char *operator_name, const struct mr_join_rows_spec *spec,
                                 struct mr_error *error)
{
    MR_ASSERT(spec->width_ms[0] > 0 && spec->width_ms[1] > 0);
    rows->spec = *spec;
    rows->page_bytes = spec->small_pages ? MR_JOIN_PAGE_SMALL : MR_JOIN_PAGE_LARGE;
    struct mr_table_spec keys = {
        .operator_name = operator_name,
        .name = "keys",
        .version = MR_JOIN_VERSION,
        .object_size = sizeof(struct key_object),
        .encode = key_encode,
        .encoded_size_max = MR_JOIN_KEYS_BYTES_MAX,
        .decode = key_decode,
        .keys_max = spec->keys_max,
        .on_full = MR_ON_FULL_FAIL,
    };
    struct mr_table_spec pages = {
        .operator_name = operator_name,
        .name = "rows",
        .version = MR_JOIN_VERSION,
        .object_size = sizeof(struct mr_join_page) + rows->page_bytes,
        .encode = mr_join_page_encode,
        .encoded_size_max = MR_JOIN_PAGE_FRAME + rows->page_bytes,
        .decode = spec->small_pages ? mr_join_page_decode_small : mr_join_page_decode_large,
        .slot_bytes = MR_JOIN_SLOT_BYTES,
        .slots_max = MR_LIMIT_ROW_BYTES / MR_JOIN_SLOT_BYTES,
        .timed = true,
        .scanned = true,
    };
    struct mr_table_spec task = {
        .operator_name = operator_name,
        .name = "task",
        .version = MR_JOIN_VERSION,
        .object_size = sizeof(struct task_object),
        .encode = task_encode,
        .encoded_size_max = TASK_BYTES,
        .decode = task_decode,
    };
    enum mr_status status = mr_table_open(state, &keys, &rows->keys, error);
    if (status == MR_OK)
        status = mr_table_open(state, &pages, &rows->rows, error);
    if (status == MR_OK)
        status = mr_table_open(state, &task, &rows->task, error);
    return status;
}

/* ---- Keys of pages ---- */

static size_t write_prefix(uint8_t *output, uint32_t side, struct mr_slice key)
{
    MR_ASSERT(key.size <= MR_JOIN_KEY_BYTES_MAX && side < MR_JOIN_SIDES);
    output[0] = (uint8_t)side;
    mr_put_u16be(output + 1, (uint16_t)key.size);
    if (key.size > 0)
        memcpy(output + 3, key.data, key.size);
    return 3 + key.size;
}

static struct mr_slice write_page_key(uint8_t *output, uint32_t side, struct mr_slice key,
                                      int64_t begin_ms, uint64_t page)
{
    size_t size = write_prefix(output, side, key);
    mr_put_time_be(output + size, begin_ms);
    mr_put_u64be(output + size + 8, page);
    return mr_slice_from(output, size + 16);
}

static enum mr_status bad_key(struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "a stored row of a join does not belong to the rows that its key counts");
}

struct page_key {
    uint32_t side;
    struct mr_slice key;
    struct listed page;
};

/* What a page's key says. False: it is none. */
static bool parse_page_key(struct mr_slice stored, struct page_key *parsed)
{
    if (stored.size < MR_JOIN_FRAME_BYTES || stored.data[0] >= MR_JOIN_SIDES ||
        mr_get_u16be(stored.data + 1) != stored.size - MR_JOIN_FRAME_BYTES)
        return false;
    const uint8_t *tail = stored.data + stored.size - 16;
    parsed->side = stored.data[0];
    parsed->key = mr_slice_from(stored.data + 3, stored.size - MR_JOIN_FRAME_BYTES);
    parsed->page = (struct listed){mr_get_time_be(tail), mr_get_u64be(tail + 8)};
    return true;
}

/* Where the times of the page begin that a row of time_ms belongs to. */
static int64_t begin_of(const struct mr_join_rows *rows, uint32_t side, int64_t time_ms)
{
    int64_t width_ms = rows->spec.width_ms[side];
    int64_t behind_ms = time_ms % width_ms;
    if (behind_ms < 0)
        behind_ms += width_ms;
    return time_ms < INT64_MIN + behind_ms ? INT64_MIN : time_ms - behind_ms;
}

/* ---- Objects ---- */

static enum mr_status find_page(struct mr_join_rows *rows, uint32_t side, struct mr_slice key,
                                struct listed listed, struct mr_join_page **page,
                                struct mr_error *error)
{
    void *found = NULL;
    struct mr_slice stored = write_page_key(rows->first, side, key, listed.begin_ms, listed.number);
    enum mr_status status = mr_table_find(rows->rows, stored, mr_hash64(stored), &found, error);
    *page = found;
    return status == MR_NOT_FOUND ? bad_key(error) : status;
}

static struct listed page_of(const struct mr_join_rows *rows, const struct mr_join_row *row)
{
    return (struct listed){begin_of(rows, row->side, row->time_ms),
                           row->number >> MR_JOIN_PLACE_BITS};
}

static enum mr_status find_row(struct mr_join_rows *rows, const struct mr_join_row *row,
                               struct mr_join_page **page, struct mr_join_kept *kept,
                               struct mr_error *error)
{
    enum mr_status status = find_page(rows, row->side, row->key, page_of(rows, row), page, error);
    if (status == MR_OK &&
        !mr_join_page_find(*page, rows->page_bytes, row->number & (MR_JOIN_PAGE_ROWS - 1), kept))
        return bad_key(error);
    return status;
}

static enum mr_status find_key(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                               struct key_object **object, struct mr_error *error)
{
    void *found = NULL;
    enum mr_status status = mr_table_find(rows->keys, key, hash, &found, error);
    *object = found;
    if (status != MR_NOT_FOUND)
        return status;
    *object = NULL;
    return MR_OK;
}

/* Before the first page is looked for: what the task knows, and whether pages are where this
 * program looks for them. */
static enum mr_status load_task(struct mr_join_rows *rows, struct mr_error *error)
{
    struct mr_slice key = mr_slice_from("", 0);
    void *object = NULL;
    if (rows->number_known)
        return MR_OK;
    enum mr_status status = mr_table_find(rows->task, key, mr_hash64(key), &object, error);
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    const struct task_object *task = object;
    if (status == MR_OK && memcmp(task->width_ms, rows->spec.width_ms, sizeof(task->width_ms)) != 0)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the stored rows of a join were kept for other options; take the options "
                       "back, or give the operator another name, under which it begins anew");
    rows->next_number = status == MR_OK ? task->next_number : 0;
    rows->number_known = true;
    return MR_OK;
}

/* A row's bytes, copied, with what lies in slots. page is the last object handed out. */
static enum mr_status read_bytes(struct mr_join_rows *rows, struct mr_join_page *page,
                                 const struct mr_join_kept *kept, struct mr_arena *arena,
                                 struct mr_slice *bytes, struct mr_error *error)
{
    uint32_t inside = kept->length - MR_JOIN_ROW_HEAD;
    uint8_t *copy = mr_arena_take(arena, kept->size);
    memcpy(copy, page->rows + kept->at + MR_JOIN_ROW_HEAD, inside);
    *bytes = mr_slice_from(copy, kept->size);
    for (uint32_t at = inside, index = 0; at < kept->size; at += MR_JOIN_SLOT_BYTES, index++) {
        void *slot;
        enum mr_status status = mr_table_slot(rows->rows, page, index, false, &slot, error);
        if (status != MR_OK)
            return status;
        uint32_t part = kept->size - at < MR_JOIN_SLOT_BYTES ? kept->size - at : MR_JOIN_SLOT_BYTES;
        memcpy(copy + at, slot, part);
    }
    return MR_OK;
}

static void fill_row(struct mr_join_row *row, uint64_t page, const struct mr_join_kept *kept)
{
    row->time_ms = kept->time_ms;
    row->number = page << MR_JOIN_PLACE_BITS | kept->place;
    row->matched = kept->matched;
}

/* ---- Gathering rows ---- */

enum wanted { WANT_ALL, WANT_EARLIEST, WANT_LATEST };

struct gather {
    const struct mr_join_rows *rows;
    uint32_t side;
    struct mr_slice key; /* the caller's, which stays */
    int64_t first_ms;
    int64_t last_ms;
    enum wanted wanted;
    struct mr_arena *arena;
    struct mr_join_found *found;
    bool bad;
};

static struct mr_join_row *grow(struct mr_join_found *found, struct mr_arena *arena)
{
    enum { CAPACITY_MIN = 16 };
    if (found->count == found->capacity) {
        uint32_t larger = found->capacity == 0 ? CAPACITY_MIN : found->capacity * 2;
        struct mr_join_row *items = mr_arena_take(arena, larger * sizeof(*items));
        if (found->count > 0)
            memcpy(items, found->items, found->count * sizeof(*items));
        found->items = items;
        found->capacity = larger;
    }
    struct mr_join_row *row = &found->items[found->count++];
    *row = (struct mr_join_row){0};
    return row;
}

static int compare_rows(const void *left, const void *right)
{
    const struct mr_join_row *one = left;
    const struct mr_join_row *other = right;
    if (one->time_ms != other->time_ms)
        return one->time_ms < other->time_ms ? -1 : 1;
    return (one->number > other->number) - (one->number < other->number);
}

/* Where to put a row: NULL when a better one is known. */
static struct mr_join_row *place_for(struct gather *gather, const struct mr_join_row *row)
{
    struct mr_join_found *found = gather->found;
    if (gather->wanted == WANT_ALL || found->count == 0)
        return grow(found, gather->arena);
    int order = compare_rows(row, &found->items[0]);
    bool better = gather->wanted == WANT_EARLIEST ? order < 0 : order > 0;
    return better ? &found->items[0] : NULL;
}

/* Rows that have slots are read later: their bytes are NULL until then. */
static void gather_page(struct gather *gather, uint64_t number, const struct mr_join_page *page)
{
    const uint8_t *copy = NULL;
    struct mr_join_kept kept = {0};
    while (mr_join_page_next(page, gather->rows->page_bytes, &kept)) {
        if (kept.time_ms < gather->first_ms || kept.time_ms > gather->last_ms)
            continue;
        struct mr_join_row row = {.side = gather->side, .key = gather->key};
        fill_row(&row, number, &kept);
        struct mr_join_row *place = place_for(gather, &row);
        if (place == NULL)
            continue;
        if (copy == NULL)
            copy = mr_arena_copy(gather->arena, mr_slice_from(page->rows, page->size)).data;
        if (kept.length - MR_JOIN_ROW_HEAD == kept.size)
            row.bytes = mr_slice_from(copy + kept.at + MR_JOIN_ROW_HEAD, kept.size);
        *place = row;
    }
}

static bool visit_page(void *argument, struct mr_slice stored, void *payload)
{
    struct gather *gather = argument;
    const struct mr_join_found *found = gather->found;
    struct page_key parsed;
    gather->bad = !parse_page_key(stored, &parsed);
    if (gather->bad)
        return false;
    if (gather->wanted == WANT_EARLIEST && found->count > 0 &&
        found->items[0].time_ms < parsed.page.begin_ms)
        return false;
    gather_page(gather, parsed.page.number, payload);
    return true;
}

static enum mr_status gather_scanned(struct mr_join_rows *rows, struct gather *gather,
                                     int64_t first_ms, int64_t last_ms, struct mr_error *error)
{
    struct mr_slice first = write_page_key(rows->first, gather->side, gather->key, first_ms, 0);
    /* The number UINT64_MAX is never given: the end is behind every page of last_ms. */
    struct mr_slice end = write_page_key(rows->end, gather->side, gather->key, last_ms, UINT64_MAX);
    enum mr_status status = mr_table_scan(rows->rows, first, end, visit_page, gather, error);
    return status == MR_OK && gather->bad ? bad_key(error) : status;
}

static enum mr_status gather_listed(struct mr_join_rows *rows, struct gather *gather,
                                    const struct key_side *side, int64_t first_ms, int64_t last_ms,
                                    struct mr_error *error)
{
    struct listed listed[MR_JOIN_LISTED_MAX];
    uint32_t count = side->listed_count;
    enum mr_status status = MR_OK;
    memcpy(listed, side->listed, count * sizeof(*listed));
    for (uint32_t index = 0; status == MR_OK && index < count; index++) {
        struct mr_join_page *page;
        if (listed[index].begin_ms < first_ms || listed[index].begin_ms > last_ms)
            continue;
        status = find_page(rows, gather->side, gather->key, listed[index], &page, error);
        if (status == MR_OK)
            gather_page(gather, listed[index].number, page);
    }
    return status;
}

static enum mr_status gather_rows(struct mr_join_rows *rows, struct gather *gather, uint64_t hash,
                                  struct mr_error *error)
{
    struct key_object *object;
    struct mr_join_found *found = gather->found;
    int64_t first_ms = begin_of(rows, gather->side, gather->first_ms);
    int64_t last_ms = begin_of(rows, gather->side, gather->last_ms);
    gather->rows = rows;
    found->count = 0;
    enum mr_status status = load_task(rows, error);
    if (status == MR_OK)
        status = find_key(rows, gather->key, hash, &object, error);
    if (status != MR_OK || object == NULL || object->sides[gather->side].rows == 0)
        return status;
    const struct key_side *side = &object->sides[gather->side];
    status = side->pages > side->listed_count
                 ? gather_scanned(rows, gather, first_ms, last_ms, error)
                 : gather_listed(rows, gather, side, first_ms, last_ms, error);
    bool sorted = true;
    for (uint32_t index = 0; status == MR_OK && index < found->count; index++) {
        struct mr_join_row *row = &found->items[index];
        struct mr_join_page *page;
        struct mr_join_kept kept;
        sorted = sorted && (index == 0 || compare_rows(row - 1, row) < 0);
        if (row->bytes.data != NULL)
            continue;
        status = find_row(rows, row, &page, &kept, error);
        if (status == MR_OK)
            status = read_bytes(rows, page, &kept, gather->arena, &row->bytes, error);
    }
    if (status == MR_OK && !sorted)
        qsort(found->items, found->count, sizeof(*found->items), compare_rows);
    return status;
}

enum mr_status mr_join_rows_count(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                  uint32_t side, uint32_t *count, struct mr_error *error)
{
    struct key_object *object;
    enum mr_status status = find_key(rows, key, hash, &object, error);
    if (status == MR_OK)
        *count = object == NULL ? 0 : object->sides[side].rows;
    return status;
}

enum mr_status mr_join_rows_find(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                 uint32_t side, int64_t first_ms, int64_t last_ms,
                                 struct mr_arena *arena, struct mr_join_found *found,
                                 struct mr_error *error)
{
    struct gather gather = {.side = side,
                            .key = key,
                            .first_ms = first_ms,
                            .last_ms = last_ms,
                            .arena = arena,
                            .found = found};
    return gather_rows(rows, &gather, hash, error);
}

enum mr_status mr_join_rows_latest(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                   uint32_t side, int64_t until_ms, struct mr_arena *arena,
                                   struct mr_join_row *row, bool *any, struct mr_error *error)
{
    struct mr_join_found found = {.items = row, .capacity = 1};
    struct gather gather = {.side = side,
                            .key = key,
                            .first_ms = INT64_MIN,
                            .last_ms = until_ms,
                            .wanted = WANT_LATEST,
                            .arena = arena,
                            .found = &found};
    enum mr_status status = gather_rows(rows, &gather, hash, error);
    *any = found.count > 0;
    return status;
}

enum mr_status mr_join_rows_earliest(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                     uint32_t side, struct mr_arena *arena, struct mr_join_row *row,
                                     struct mr_error *error)
{
    struct mr_join_found found = {.items = row, .capacity = 1};
    struct gather gather = {.side = side,
                            .key = key,
                            .first_ms = INT64_MIN,
                            .last_ms = INT64_MAX,
                            .wanted = WANT_EARLIEST,
                            .arena = arena,
                            .found = &found};
    enum mr_status status = gather_rows(rows, &gather, hash, error);
    return status == MR_OK && found.count == 0 ? bad_key(error) : status;
}

/* ---- Adding ---- */

enum mr_status mr_join_rows_settle(struct mr_join_rows *rows, struct mr_error *error)
{
    struct mr_slice key = mr_slice_from("", 0);
    void *object;
    bool created;
    if (!rows->number_changed)
        return MR_OK;
    enum mr_status status =
        mr_table_get(rows->task, key, mr_hash64(key), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct task_object *task = object;
    task->next_number = rows->next_number;
    memcpy(task->width_ms, rows->spec.width_ms, sizeof(task->width_ms));
    mr_table_dirty(rows->task, object);
    rows->number_changed = false;
    return MR_OK;
}

/* The page, the last object handed out, has changed: say when it is due. */
static void schedule_page(struct mr_join_rows *rows, uint32_t side, struct mr_join_page *page)
{
    mr_table_schedule(rows->rows, page,
                      mr_join_page_due(page, rows->page_bytes, rows->spec.quiet[side]));
}

/* Write the row into the page, which has room and is the last object handed out. */
static enum mr_status append(struct mr_join_rows *rows, struct mr_join_page *page,
                             const struct mr_join_row *row, int64_t due_ms, struct mr_error *error)
{
    struct mr_join_kept kept = {.time_ms = row->time_ms, .due_ms = due_ms, .matched = row->matched};
    mr_join_page_append(page, rows->page_bytes, &kept, row->bytes);
    schedule_page(rows, row->side, page);
    for (uint32_t at = kept.length - MR_JOIN_ROW_HEAD, index = 0; at < kept.size;
         at += MR_JOIN_SLOT_BYTES, index++) {
        void *slot;
        enum mr_status status = mr_table_slot(rows->rows, page, index, true, &slot, error);
        if (status != MR_OK)
            return status;
        uint32_t part = kept.size - at < MR_JOIN_SLOT_BYTES ? kept.size - at : MR_JOIN_SLOT_BYTES;
        memcpy(slot, row->bytes.data + at, part);
    }
    return MR_OK;
}

static void list_page(struct key_side *side, struct listed listed)
{
    side->pages++;
    if (side->listed_count == MR_JOIN_LISTED_MAX)
        memmove(side->listed, side->listed + 1, --side->listed_count * sizeof(*side->listed));
    side->listed[side->listed_count++] = listed;
}

/* Count the row, and choose the page that may have room for it: the newest one of its times. False:
 * there is none. */
static enum mr_status count_row(struct mr_join_rows *rows, const struct mr_join_row *row,
                                uint64_t hash, struct listed *listed, bool *any,
                                struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status = mr_table_get(rows->keys, row->key, hash, 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct key_side *side = &((struct key_object *)object)->sides[row->side];
    listed->begin_ms = begin_of(rows, row->side, row->time_ms);
    *any = false;
    for (uint32_t index = side->listed_count; !*any && index-- > 0;)
        if (side->listed[index].begin_ms == listed->begin_ms) {
            listed->number = side->listed[index].number;
            *any = true;
        }
    side->rows++;
    mr_table_dirty(rows->keys, object);
    return MR_OK;
}

static enum mr_status add_page(struct mr_join_rows *rows, struct mr_join_row *row, uint64_t hash,
                               struct listed *listed, struct mr_join_page **page,
                               struct mr_error *error)
{
    void *object;
    bool created;
    listed->number = rows->next_number++;
    rows->number_changed = true;
    enum mr_status status = mr_table_get(rows->keys, row->key, hash, 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    list_page(&((struct key_object *)object)->sides[row->side], *listed);
    mr_table_dirty(rows->keys, object);
    struct mr_slice stored =
        write_page_key(rows->first, row->side, row->key, listed->begin_ms, listed->number);
    status = mr_table_get(rows->rows, stored, mr_hash64(stored), 0, &object, &created, error);
    *page = object;
    return status;
}

enum mr_status mr_join_rows_add(struct mr_join_rows *rows, struct mr_join_row *row, uint64_t hash,
                                int64_t due_ms, struct mr_error *error)
{
    struct listed listed = {0};
    struct mr_join_page *page = NULL;
    bool any;
    enum mr_status status = load_task(rows, error);
    if (status == MR_OK)
        status = count_row(rows, row, hash, &listed, &any, error);
    if (status == MR_OK && any)
        status = find_page(rows, row->side, row->key, listed, &page, error);
    if (status != MR_OK)
        return status;
    if (page == NULL || !mr_join_page_has_room(page, rows->page_bytes, row->bytes.size))
        status = add_page(rows, row, hash, &listed, &page, error);
    if (status != MR_OK)
        return status;
    row->number = listed.number << MR_JOIN_PLACE_BITS | page->ever;
    return append(rows, page, row, due_ms, error);
}

enum mr_status mr_join_rows_match(struct mr_join_rows *rows, const struct mr_join_row *row,
                                  struct mr_error *error)
{
    struct mr_join_page *page;
    struct mr_join_kept kept;
    enum mr_status status = find_row(rows, row, &page, &kept, error);
    if (status != MR_OK || kept.matched)
        return status;
    mr_join_page_match(page, &kept);
    mr_table_dirty(rows->rows, page);
    return MR_OK;
}

enum mr_status mr_join_rows_schedule(struct mr_join_rows *rows, const struct mr_join_row *row,
                                     int64_t due_ms, struct mr_error *error)
{
    struct mr_join_page *page;
    struct mr_join_kept kept;
    enum mr_status status = find_row(rows, row, &page, &kept, error);
    if (status != MR_OK)
        return status;
    mr_join_page_schedule(page, &kept, due_ms);
    schedule_page(rows, row->side, page);
    return MR_OK;
}

/* ---- Leaving ---- */

static void unlist_page(struct key_side *side, uint64_t number)
{
    uint32_t kept = 0;
    for (uint32_t index = 0; index < side->listed_count; index++)
        if (side->listed[index].number != number)
            side->listed[kept++] = side->listed[index];
    side->listed_count = kept;
    side->pages--;
}

/* Take rows of a key off what it counts; page_gone: they were the page's last ones. */
static enum mr_status count_off(struct mr_join_rows *rows, const struct page_key *page,
                                uint32_t rows_count, bool page_gone, struct mr_error *error)
{
    uint64_t hash = mr_hash64(page->key);
    struct key_object *key;
    enum mr_status status = find_key(rows, page->key, hash, &key, error);
    if (status != MR_OK)
        return status;
    if (key == NULL || key->sides[page->side].rows < rows_count ||
        key->sides[page->side].pages < page_gone)
        return bad_key(error);
    key->sides[page->side].rows -= rows_count;
    if (page_gone)
        unlist_page(&key->sides[page->side], page->page.number);
    if (key->sides[0].rows == 0 && key->sides[1].rows == 0)
        return mr_table_remove(rows->keys, page->key, hash, error);
    mr_table_dirty(rows->keys, key);
    return MR_OK;
}

/* A page of a quiet side is over. stored: its key, valid until the next call on the state. */
static enum mr_status drop_page(struct mr_join_rows *rows, struct mr_slice stored, uint64_t hash,
                                const struct mr_join_page *page, struct mr_error *error)
{
    struct mr_join_kept kept = {0};
    struct page_key parsed;
    uint32_t rows_count = 0;
    while (mr_join_page_next(page, rows->page_bytes, &kept))
        rows_count++;
    memcpy(rows->first, stored.data, stored.size);
    stored = mr_slice_from(rows->first, stored.size);
    enum mr_status status = mr_table_remove(rows->rows, stored, hash, error);
    if (status == MR_OK && !parse_page_key(stored, &parsed))
        return bad_key(error);
    return status == MR_OK ? count_off(rows, &parsed, rows_count, true, error) : status;
}

enum mr_status mr_join_rows_due(struct mr_join_rows *rows, int64_t until_ms, struct mr_arena *arena,
                                struct mr_join_row *row, bool *any, struct mr_error *error)
{
    struct mr_slice stored;
    uint64_t hash;
    void *object;
    struct mr_join_kept first = {0};
    struct page_key parsed;
    *any = false;
    enum mr_status status = load_task(rows, error);
    if (status == MR_OK)
        status = mr_table_next_due(rows->rows, until_ms, &stored, &hash, &object, any, error);
    if (status != MR_OK || !*any)
        return status;
    if (!parse_page_key(stored, &parsed))
        return bad_key(error);
    if (rows->spec.quiet[parsed.side]) {
        *row = (struct mr_join_row){.side = MR_JOIN_SIDES};
        return drop_page(rows, stored, hash, object, error);
    }
    mr_join_page_first_due(object, rows->page_bytes, &first);
    *row = (struct mr_join_row){.side = parsed.side, .key = mr_arena_copy(arena, parsed.key)};
    fill_row(row, parsed.page.number, &first);
    return read_bytes(rows, object, &first, arena, &row->bytes, error);
}

enum mr_status mr_join_rows_remove(struct mr_join_rows *rows, const struct mr_join_row *row,
                                   struct mr_error *error)
{
    struct mr_join_page *page;
    struct mr_join_kept kept;
    struct page_key place = {.side = row->side, .key = row->key, .page = page_of(rows, row)};
    enum mr_status status = find_row(rows, row, &page, &kept, error);
    if (status != MR_OK)
        return status;
    bool gone = kept.length == page->size;
    if (gone) {
        struct mr_slice stored = write_page_key(rows->first, row->side, row->key,
                                                place.page.begin_ms, place.page.number);
        status = mr_table_remove(rows->rows, stored, mr_hash64(stored), error);
    } else {
        mr_join_page_remove(page, &kept);
        schedule_page(rows, row->side, page);
    }
    return status == MR_OK ? count_off(rows, &place, 1, gone, error) : status;
}
