/* operators/model_merge.c — model.merge: makes one model of what the learners of a stream's parts
 * have learned, and gives it to whoever follows it.
 * Design: of each learner of a key the newest snapshot (learned_snapshot.h) is kept, whole; a newer
 * one replaces it. So the merged model is a function of the newest snapshots alone, whatever came
 * twice, late or in another order; they are merged in the order of the learners' hashes. A snapshot
 * that is coming, part by part, is written beside the one that counts and takes its place when it
 * is there and sound. Merging waits for the clock (publication.h): what came meanwhile is merged
 * once.
 * Version of a merged model: the batches that its learners have learned, together; at least one
 * more than the last.
 *
 * Stored entry, version 1 (little-endian):
 *   0   uint64  version told last; 8 uint64 snapshots that came too late
 *   16  int64   latest event time
 *   24  uint32  learners; of each:
 *     0 uint64 hash of its name; 8 uint64 blocks, 16 uint64 rows and 24 uint32 bytes of its
 *     snapshot, 0: none yet; 28 uint8 where that is, 0 or 1
 *     29 uint64 blocks of the one that is coming; 37 uint32 its bytes so far; 41 uint8 its parts,
 * 42 uint8 how many of them are there Stored slots of 4 kB: of learner n (in the order in which
 * they came) and place p those of a snapshot from (2 n + p) * slots of the largest one on. */
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/copula_kind.h"
#include "operators/estimate.h"
#include "operators/learned_rows.h"
#include "operators/learned_snapshot.h"
#include "operators/publication.h"
#include "operators/registry.h"

enum {
    ENTRY_VERSION = 1,
    HEAD_BYTES = 28,
    LEARNER_BYTES = 43,
    LEARNERS_MAX = 64,
    SLOT_BYTES = 4096,
    NAME_BYTES_MAX = 256,
    DOCUMENT_BYTES_MAX = 8 << 20,
    RESERVOIR_MAX = 8192,
    EVERY_MS = 1000
};

_Static_assert(HEAD_BYTES + LEARNERS_MAX * LEARNER_BYTES <= MR_LIMIT_STATE_SLOT_BYTES,
               "an entry is one stored value");
_Static_assert(MR_SNAPSHOT_PART_BYTES % SLOT_BYTES == 0, "parts are whole slots");

enum merged_field { NAME, VERSION, ROWS, LEARNERS, MODEL, FIELDS_COUNT };

struct learner {
    uint64_t id;
    uint64_t blocks;
    uint64_t rows;
    uint32_t bytes; /* 0: none is whole yet */
    uint8_t place;
    uint64_t coming_blocks;
    uint32_t coming_bytes;
    uint8_t coming_parts; /* 0: none is coming */
    uint8_t coming_count;
};

struct entry {
    uint64_t version;
    uint64_t late;
    int64_t latest_ms;
    uint32_t count;
    struct learner learners[LEARNERS_MAX];
};

struct merger {
    const struct mr_plan_node *node;
    const uint32_t *slots; /* of the input's fields, by enum mr_snapshot_field */
    struct mr_table *table;
    struct mr_publication publication;
    struct mr_learned_rows rows;
    struct mr_copula_privacy privacy;
    uint32_t learners_max;
    uint32_t snapshot_slots;
    const char *name; /* of the documents */
    const char *fields[MR_LEARNED_COLUMNS_MAX];
    uint8_t *bytes; /* of a snapshot, in whole slots */
    struct mr_copula whole;
    struct mr_copula other;
    struct mr_copula_work work;
    struct mr_buffer document;
    struct mr_arena arena; /* of the name */
};

static const char table_name[] = "merged";

/* ---- Layout ---- */

static size_t entry_encode(const void *object, uint8_t *output)
{
    const struct entry *entry = object;
    mr_put_u64le(output, entry->version);
    mr_put_u64le(output + 8, entry->late);
    mr_put_u64le(output + 16, (uint64_t)entry->latest_ms);
    mr_put_u32le(output + 24, entry->count);
    uint8_t *at = output + HEAD_BYTES;
    for (uint32_t index = 0; index < entry->count; index++, at += LEARNER_BYTES) {
        const struct learner *learner = &entry->learners[index];
        mr_put_u64le(at, learner->id);
        mr_put_u64le(at + 8, learner->blocks);
        mr_put_u64le(at + 16, learner->rows);
        mr_put_u32le(at + 24, learner->bytes);
        at[28] = learner->place;
        mr_put_u64le(at + 29, learner->coming_blocks);
        mr_put_u32le(at + 37, learner->coming_bytes);
        at[41] = learner->coming_parts;
        at[42] = learner->coming_count;
    }
    return (size_t)(at - output);
}

static bool entry_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct entry *entry = object;
    if (version != ENTRY_VERSION || stored.size < HEAD_BYTES)
        return false;
    entry->version = mr_get_u64le(stored.data);
    entry->late = mr_get_u64le(stored.data + 8);
    entry->latest_ms = (int64_t)mr_get_u64le(stored.data + 16);
    entry->count = mr_get_u32le(stored.data + 24);
    if (entry->count > LEARNERS_MAX ||
        stored.size != HEAD_BYTES + (size_t)entry->count * LEARNER_BYTES)
        return false;
    const uint8_t *at = stored.data + HEAD_BYTES;
    for (uint32_t index = 0; index < entry->count; index++, at += LEARNER_BYTES) {
        entry->learners[index] = (struct learner){
            .id = mr_get_u64le(at),
            .blocks = mr_get_u64le(at + 8),
            .rows = mr_get_u64le(at + 16),
            .bytes = mr_get_u32le(at + 24),
            .place = at[28],
            .coming_blocks = mr_get_u64le(at + 29),
            .coming_bytes = mr_get_u32le(at + 37),
            .coming_parts = at[41],
            .coming_count = at[42],
        };
        if (at[28] > 1)
            return false;
    }
    return true;
}

static uint32_t slots_of(size_t bytes)
{
    return (uint32_t)((bytes + SLOT_BYTES - 1) / SLOT_BYTES);
}

/* ---- Opening ---- */

static struct mr_copula_privacy privacy_of(const struct mr_options *options)
{
    const struct mr_option_value *given = mr_options_get(options, "privacy");
    if (!given->present)
        return (struct mr_copula_privacy){0};
    return (struct mr_copula_privacy){
        .is_on = true,
        .rare_below = (double)mr_options_integer(given->objects, "rare_below"),
        .clip = mr_options_number(given->objects, "clip"),
    };
}

static int64_t every_of(const struct mr_options *options)
{
    const struct mr_option_value *given = mr_options_get(options, "publish");
    return given->present ? mr_options_integer(given->objects, "every") : EVERY_MS;
}

static enum mr_status open_table(struct merger *merger, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = table_name,
        .version = ENTRY_VERSION,
        .object_size = sizeof(struct entry),
        .encode = entry_encode,
        .encoded_size_max = HEAD_BYTES + LEARNERS_MAX * LEARNER_BYTES,
        .decode = entry_decode,
        .slot_bytes = SLOT_BYTES,
        .slots_max = 2 * merger->learners_max * merger->snapshot_slots,
        .ttl_ms = node->state_ttl_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    return mr_table_open(open->state, &spec, &merger->table, error);
}

static enum mr_status merger_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct merger *merger = self;
    const struct mr_options *options = &open->node->options;
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    struct mr_copula_shape shape = mr_snapshot_shape(options);
    merger->node = open->node;
    merger->slots = open->node->snapshot_slots;
    merger->privacy = privacy_of(options);
    merger->learners_max = (uint32_t)mr_options_integer(options, "max_learners");
    merger->snapshot_slots = slots_of(mr_snapshot_bytes_max(options));
    mr_arena_init(&merger->arena, NAME_BYTES_MAX);
    merger->name = mr_arena_format(&merger->arena, "%s/%s", open->plan->name, open->node->name);
    for (uint32_t field = 0; field < fields->count; field++)
        merger->fields[field] = mr_path_last_name(&fields->paths[field]);
    mr_learned_rows_bind_others(&merger->rows, open->plan, open->node, 0);
    merger->bytes = mr_memory_new(merger->snapshot_slots, SLOT_BYTES);
    mr_copula_create(&merger->whole, &shape);
    mr_copula_create(&merger->other, &shape);
    mr_copula_work_create(&merger->work, shape.columns_count);
    mr_buffer_init(&merger->document, DOCUMENT_BYTES_MAX);
    enum mr_status status = open_table(merger, open, error);
    return status == MR_OK
               ? mr_publication_open(&merger->publication, open, every_of(options), error)
               : status;
}

static void merger_close(void *self)
{
    struct merger *merger = self;
    if (merger->node == NULL)
        return;
    mr_memory_free(merger->bytes);
    mr_copula_destroy(&merger->whole);
    mr_copula_destroy(&merger->other);
    mr_copula_work_destroy(&merger->work);
    mr_buffer_deinit(&merger->document);
    mr_arena_deinit(&merger->arena);
}

/* ---- Parts ---- */

/* One row, as it is read. */
struct part {
    struct mr_slice learner;
    uint64_t blocks;
    uint8_t number; /* 1 to count */
    uint8_t count;
    struct mr_slice bytes;
};

/* A whole number from 1 to most; 0: it is none. */
static uint64_t count_of(struct mr_value cell, double most)
{
    double number;
    if (!mr_value_as_double(cell, &number) || !(number >= 1 && number <= most) ||
        number != (double)(uint64_t)number)
        return 0;
    return (uint64_t)number;
}

static struct mr_value cell_of(const struct merger *merger, const struct mr_batch *batch,
                               enum mr_snapshot_field field, uint32_t row)
{
    return batch->columns[merger->slots[field]][row];
}

/* False: reported. */
static bool read_part(const struct merger *merger, struct mr_operator_context *context,
                      const struct mr_batch *batch, uint32_t row, struct part *part)
{
    struct mr_value learner = cell_of(merger, batch, MR_SNAPSHOT_LEARNER, row);
    struct mr_value bytes = cell_of(merger, batch, MR_SNAPSHOT_BYTES, row);
    uint32_t most = mr_snapshot_parts(mr_snapshot_bytes_max(&merger->node->options));
    part->blocks = count_of(cell_of(merger, batch, MR_SNAPSHOT_BLOCKS, row), 0x1p53);
    part->count = (uint8_t)count_of(cell_of(merger, batch, MR_SNAPSHOT_PARTS, row), most);
    part->number = (uint8_t)count_of(cell_of(merger, batch, MR_SNAPSHOT_PART, row), part->count);
    const char *fault = learner.kind != MR_KIND_STRING || learner.size > NAME_BYTES_MAX
                            ? "learner is no name"
                        : part->blocks == 0 ? "blocks is no whole number from 1 on"
                        : part->count == 0  ? "parts is no number of parts of such a model"
                        : part->number == 0 ? "part is no whole number from 1 to parts"
                        : bytes.kind != MR_KIND_BYTES
                            ? "snapshot is no bytes (a source says so by `schema: {snapshot: "
                              "bytes}`)"
                        : bytes.size == 0 || bytes.size > MR_SNAPSHOT_PART_BYTES ||
                                (part->number < part->count && bytes.size < MR_SNAPSHOT_PART_BYTES)
                            ? "snapshot is not as long as its part is"
                            : NULL;
    if (fault != NULL) {
        mr_operator_row_error(context, batch, row,
                              "the record is no part of a snapshot, as the output `models` of "
                              "generate.copula has them: its %s",
                              fault);
        return false;
    }
    part->learner = mr_value_text(learner);
    part->bytes = mr_value_text(bytes);
    return true;
}

/* The place of a learner among the entry's; NULL: there is no room. */
static struct learner *find_learner(const struct merger *merger, struct entry *entry, uint64_t id)
{
    for (uint32_t index = 0; index < entry->count; index++)
        if (entry->learners[index].id == id)
            return &entry->learners[index];
    if (entry->count == merger->learners_max)
        return NULL;
    struct learner *learner = &entry->learners[entry->count++];
    *learner = (struct learner){.id = id};
    return learner;
}

static uint32_t first_slot(const struct merger *merger, uint32_t learner, uint32_t place)
{
    return (2 * learner + place) * merger->snapshot_slots;
}

static enum mr_status write_bytes(struct merger *merger, struct entry *entry, uint32_t slot,
                                  struct mr_slice bytes, struct mr_error *error)
{
    for (size_t done = 0; done < bytes.size; done += SLOT_BYTES, slot++) {
        void *stored;
        size_t left = bytes.size - done;
        size_t size = left < SLOT_BYTES ? left : SLOT_BYTES;
        enum mr_status status = mr_table_slot(merger->table, entry, slot, false, &stored, error);
        if (status == MR_OK && memcmp(stored, bytes.data + done, size) != 0) {
            status = mr_table_slot(merger->table, entry, slot, true, &stored, error);
            if (status == MR_OK)
                memcpy(stored, bytes.data + done, size);
        }
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static enum mr_status read_bytes(struct merger *merger, struct entry *entry, uint32_t slot,
                                 size_t size, struct mr_error *error)
{
    for (size_t done = 0; done < size; done += SLOT_BYTES, slot++) {
        void *stored;
        size_t left = size - done;
        enum mr_status status = mr_table_slot(merger->table, entry, slot, false, &stored, error);
        if (status != MR_OK)
            return status;
        memcpy(merger->bytes + done, stored, left < SLOT_BYTES ? left : SLOT_BYTES);
    }
    return MR_OK;
}

/* All parts are there: the snapshot counts from now on, if it is sound. *taken: it does. */
static enum mr_status complete(struct merger *merger, struct mr_operator_context *context,
                               const struct mr_batch *batch, uint32_t row, struct entry *entry,
                               struct learner *learner, bool *taken, struct mr_error *error)
{
    struct mr_error fault = {0};
    uint8_t place = learner->place ^ 1;
    uint32_t slot = first_slot(merger, (uint32_t)(learner - entry->learners), place);
    size_t size = learner->coming_bytes;
    learner->coming_parts = 0;
    enum mr_status status = read_bytes(merger, entry, slot, size, error);
    if (status != MR_OK)
        return status;
    if (mr_snapshot_read(&merger->node->options, mr_slice_from(merger->bytes, size), &merger->other,
                         &fault) != MR_OK) {
        mr_operator_row_error(context, batch, row, "%s", fault.message);
        return MR_OK;
    }
    learner->place = place;
    learner->bytes = (uint32_t)size;
    learner->blocks = learner->coming_blocks;
    learner->rows = merger->other.rows;
    *taken = true;
    return MR_OK;
}

/* Parts come in order. What is known already is passed over; *taken: the last one has come. */
static enum mr_status take_part(struct merger *merger, struct mr_operator_context *context,
                                const struct mr_batch *batch, uint32_t row, struct entry *entry,
                                const struct part *part, bool *taken, struct mr_error *error)
{
    struct learner *learner = find_learner(merger, entry, mr_hash64(part->learner));
    if (learner == NULL) {
        mr_operator_row_error(context, batch, row,
                              "%u learners have published already, as many as may (max_learners)",
                              merger->learners_max);
        return MR_OK;
    }
    if (part->blocks <= learner->blocks) {
        entry->late += part->blocks < learner->blocks && part->number == part->count;
        return MR_OK;
    }
    if (part->number == 1) {
        learner->coming_blocks = part->blocks;
        learner->coming_parts = part->count;
        learner->coming_count = 0;
        learner->coming_bytes = 0;
    } else if (learner->coming_blocks != part->blocks || learner->coming_parts != part->count ||
               learner->coming_count + 1 != part->number) {
        mr_operator_row_error(context, batch, row,
                              "part %u of a snapshot came without those before it: the snapshot "
                              "before it stays",
                              part->number);
        learner->coming_parts = 0;
        return MR_OK;
    }
    uint32_t slot = first_slot(merger, (uint32_t)(learner - entry->learners), learner->place ^ 1) +
                    learner->coming_bytes / SLOT_BYTES;
    if (learner->coming_bytes + part->bytes.size > (size_t)merger->snapshot_slots * SLOT_BYTES) {
        mr_operator_row_error(context, batch, row,
                              "the snapshot is larger than one of these `fields` and this "
                              "`reservoir` can be");
        learner->coming_parts = 0;
        return MR_OK;
    }
    enum mr_status status = write_bytes(merger, entry, slot, part->bytes, error);
    learner->coming_bytes += (uint32_t)part->bytes.size;
    learner->coming_count++;
    if (status != MR_OK || learner->coming_count < learner->coming_parts)
        return status;
    return complete(merger, context, batch, row, entry, learner, taken, error);
}

static enum mr_status take_row(struct merger *merger, struct mr_operator_context *context,
                               const struct mr_batch *batch, uint32_t row, struct mr_slice key,
                               struct mr_error *error)
{
    struct part part;
    void *object;
    bool created;
    bool taken = false;
    uint64_t hash = mr_hash64(key);
    int64_t time_ms = batch->event_times_ms[row];
    if (!read_part(merger, context, batch, row, &part))
        return MR_OK;
    enum mr_status status =
        mr_table_get(merger->table, key, hash, time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct entry *entry = object;
    mr_table_dirty(merger->table, entry);
    if (created || time_ms > entry->latest_ms)
        entry->latest_ms = time_ms;
    status = take_part(merger, context, batch, row, entry, &part, &taken, error);
    return status == MR_OK && taken
               ? mr_publication_touch(&merger->publication, context, key, hash, error)
               : status;
}

static enum mr_status merger_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    struct merger *merger = self;
    struct mr_view keyed;
    MR_UNUSED(port);
    const struct mr_slice *keys = mr_operator_keys(context, merger->node, view, &keyed);
    for (uint32_t field = 0; field < MR_SNAPSHOT_FIELDS_COUNT; field++)
        (void)mr_batch_column(view.batch, merger->slots[field]);
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < keyed.rows_count && status == MR_OK; index++) {
        uint32_t row = keyed.rows[index];
        status = take_row(merger, context, view.batch, row, keys[row], error);
    }
    return status;
}

/* ---- Merging ---- */

/* The learners that have a snapshot, by their hashes. Returns how many. */
static uint32_t order_learners(const struct entry *entry, uint32_t order[])
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < entry->count; index++) {
        uint32_t at = count;
        if (entry->learners[index].bytes == 0)
            continue;
        for (; at > 0 && entry->learners[order[at - 1]].id > entry->learners[index].id; at--)
            order[at] = order[at - 1];
        order[at] = index;
        count++;
    }
    return count;
}

/* All snapshots of the key as one copula, in whole. */
static enum mr_status merge(struct merger *merger, struct entry *entry, const uint32_t *order,
                            uint32_t count, struct mr_error *error)
{
    struct mr_error fault = {0};
    for (uint32_t at = 0; at < count; at++) {
        const struct learner *learner = &entry->learners[order[at]];
        struct mr_copula *model = at == 0 ? &merger->whole : &merger->other;
        enum mr_status status = read_bytes(
            merger, entry, first_slot(merger, order[at], learner->place), learner->bytes, error);
        if (status != MR_OK)
            return status;
        if (mr_snapshot_read(&merger->node->options, mr_slice_from(merger->bytes, learner->bytes),
                             model, &fault) != MR_OK)
            return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                           "a stored snapshot of \"%s\" (model.merge) is damaged; reset the "
                           "topology",
                           merger->node->name);
        if (at > 0)
            mr_copula_merge(&merger->whole, &merger->work, &merger->other);
    }
    return MR_OK;
}

static void emit_model(struct merger *merger, struct mr_operator_context *context,
                       struct mr_slice key, const struct entry *entry, uint32_t learners)
{
    struct mr_batch *batch = mr_operator_batch_new(context, 0, NULL, 1);
    batch->origin = (struct mr_origin){merger->node->name, 0};
    batch->sequence_first = mr_hash64_seeded(key, entry->version);
    struct mr_slice text = mr_arena_copy(batch->arena, mr_buffer_view(&merger->document));
    const struct mr_value values[FIELDS_COUNT] = {
        [NAME] = mr_value_string(mr_slice_text(mr_arena_copy_text(batch->arena, merger->name))),
        [VERSION] = mr_value_int((int64_t)entry->version),
        [ROWS] = mr_value_int((int64_t)merger->whole.rows),
        [LEARNERS] = mr_value_int(learners),
        [MODEL] = {.kind = MR_KIND_JSON, .size = (uint32_t)text.size, .text = text.data},
    };
    uint32_t row = mr_learned_rows_add(&merger->rows, batch, key, entry->latest_ms);
    for (uint32_t field = 0; field < FIELDS_COUNT; field++)
        mr_learned_rows_other(&merger->rows, batch, field)[row] = values[field];
    mr_operator_emit(context, 0, mr_batch_view(batch));
}

static enum mr_status tell(struct merger *merger, struct mr_operator_context *context,
                           struct mr_slice key, uint64_t hash, struct mr_error *error)
{
    uint32_t order[LEARNERS_MAX];
    void *object;
    uint64_t version = 0;
    enum mr_status status = mr_table_find(merger->table, key, hash, &object, error);
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status; /* dropped since (`state`) */
    struct entry *entry = object;
    uint32_t count = order_learners(entry, order);
    MR_ASSERT(count > 0);
    status = merge(merger, entry, order, count, error);
    if (status != MR_OK)
        return status;
    for (uint32_t at = 0; at < count; at++)
        version += entry->learners[order[at]].blocks;
    entry->version = version > entry->version ? version : entry->version + 1;
    mr_table_dirty(merger->table, entry);
    mr_buffer_clear(&merger->document);
    status = mr_copula_kind_document(&merger->whole, &merger->privacy, &merger->work, merger->name,
                                     entry->version, merger->fields, &merger->document, error);
    if (status == MR_OK)
        emit_model(merger, context, key, entry, count);
    return status;
}

static enum mr_status merger_wall(void *self, struct mr_operator_context *context, int64_t *due_ms,
                                  struct mr_error *error)
{
    struct merger *merger = self;
    bool found = true;
    bool is_full = false;
    enum mr_status status = MR_OK;
    while (status == MR_OK && !is_full) {
        struct mr_slice key;
        uint64_t hash;
        status =
            mr_publication_next(&merger->publication, context, &key, &hash, &found, due_ms, error);
        if (status != MR_OK || !found)
            break;
        status = tell(merger, context, key, hash, error);
        is_full = mr_operator_is_enough(context);
    }
    return status == MR_OK && is_full ? MR_AGAIN : status;
}

static enum mr_status merger_watermark(void *self, struct mr_operator_context *context,
                                       struct mr_error *error)
{
    struct merger *merger = self;
    return mr_table_expire(merger->table, context->watermark_ms, error);
}

/* ---- Description ---- */

static enum mr_status merger_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                      struct mr_state_description *description,
                                      struct mr_error *error)
{
    struct entry entry;
    uint64_t rows = 0;
    uint64_t learners = 0;
    MR_UNUSED(arena);
    if (!entry_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    for (uint32_t index = 0; index < entry.count; index++) {
        rows += entry.learners[index].bytes > 0 ? entry.learners[index].rows : 0;
        learners += entry.learners[index].bytes > 0;
    }
    mr_describe_member(description, "version", mr_value_uint(entry.version));
    mr_describe_member(description, "learners", mr_value_uint(learners));
    mr_describe_member(description, "rows", mr_value_uint(rows));
    mr_describe_member(description, "late", mr_value_uint(entry.late));
    mr_describe_time(description, "latest", entry.latest_ms);
    return MR_OK;
}

static void merger_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    uint64_t learners = (uint64_t)mr_options_integer(options, "max_learners");
    uint64_t slots = slots_of(mr_snapshot_bytes_max(options));
    uint64_t slot_bytes = SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    mr_estimate_slots(sizeof(struct entry), HEAD_BYTES + learners * LEARNER_BYTES, SLOT_BYTES,
                      2 * learners * slots, estimate);
    uint64_t part_slots = MR_SNAPSHOT_PART_BYTES / SLOT_BYTES;
    estimate->changelog_bytes_per_record += (slots < part_slots ? slots : part_slots) * slot_bytes +
                                            MR_PUBLICATION_BYTES + MR_ESTIMATE_KEY_BYTES +
                                            MR_ESTIMATE_RECORD_BYTES;
}

/* ---- Tables ---- */

static const struct mr_output_field merged_fields[FIELDS_COUNT] = {
    [NAME] = {"name", MR_TYPE_STRING, "TOPOLOGY/OPERATOR of the merger."},
    [VERSION] = {"version", MR_TYPE_INT, "Of the model: it only rises."},
    [ROWS] = {"rows", MR_TYPE_INT, "Records that were learned."},
    [LEARNERS] = {"learners", MR_TYPE_INT, "How many learners' models it is made of."},
    [MODEL] = {"model", MR_TYPE_ANY, "The model, as `millrace model save` writes it."},
};

static const struct mr_output_spec merger_outputs[] = {
    {.name = "main",
     .help = "Merged models, the key's fields in front: for a compacted topic.",
     .fields = merged_fields,
     .fields_count = FIELDS_COUNT},
};

static const struct mr_option_spec merger_privacy_options[] = {
    {.name = "rare_below",
     .type = MR_OPTION_INTEGER,
     .default_text = "5",
     .minimum = 0,
     .maximum = 1e6,
     .help = "A text, or a boolean, of fewer records of all learners than this is not in the "
             "model; nor is a number that is beyond all but so many."},
    {.name = "clip",
     .type = MR_OPTION_SHARE,
     .default_text = "0.001",
     .minimum = 0,
     .maximum = 0.25,
     .help = "Numbers, dates and times are in the model between the quantiles of this share and of "
             "1 less it; what is beyond lies on them."},
    {.name = NULL},
};

static const struct mr_option_spec merger_publish_options[] = {
    MR_PUBLICATION_OPTION_EVERY("1s"),
    {.name = NULL},
};

static const struct mr_option_spec merger_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND | MR_OPTION_OF_OUTPUT,
     .minimum = 1,
     .maximum = MR_LEARNED_COLUMNS_MAX,
     .help = "The `fields` of the learners, in the same order, 1 to 64."},
    {.name = "reservoir",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1024",
     .minimum = 16,
     .maximum = RESERVOIR_MAX,
     .help = "The `reservoir` of the learners, and of the merged model, 16 to 8,192 records."},
    {.name = "max_learners",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "16",
     .minimum = 1,
     .maximum = LEARNERS_MAX,
     .help = "Learners of a key, 1 to 64: one for each task that learns. Snapshots of further ones "
             "follow `on_error`."},
    {.name = "publish",
     .type = MR_OPTION_OBJECT,
     .fields = merger_publish_options,
     .help = "How often a merged model leaves; not given: {every: 1s}."},
    {.name = "privacy",
     .type = MR_OPTION_OBJECT,
     .fields = merger_privacy_options,
     .help = "What the merged models may not show of real records; {} for the defaults. Not given: "
             "texts and extremes are real ones."},
    {.name = NULL},
};

const struct mr_operator_type mr_operator_model_merge = {
    .spec =
        {
            .name = "model.merge",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_WALL_CLOCK | MR_TYPE_TAKES_SNAPSHOTS,
            .summary = "Makes one model of what several learners have learned.",
            .description =
                "Learners (generate.copula with `publish`) tell what they know, each of its own "
                "part of the stream: with `scope: partition` nothing of a stream has to go through "
                "one task to be learned. The newest snapshot of each learner of a key counts, and "
                "replaces the one before: what comes twice counts once, and the merged model "
                "depends on the newest snapshots alone, not on the order in which they came. It "
                "leaves as a document without records (`millrace model`), with the key's fields, "
                "`version` (batches learned; it only rises), `rows` and `learners`: for a "
                "compacted topic, which any number of topologies follow (generate.model). As a "
                "message key of a merger with `key: []` say key: [name].\n\n"
                "Distributions, texts, weights and missing values add up. Correlations add up "
                "where the learners' distributions are alike (their greatest distance at most "
                "0.05); otherwise, and while the reservoir holds every record, they are made anew "
                "from the sample of all learners' reservoirs: so a stream that is spread evenly "
                "is learned as by one learner, and one that is not within the error of a sample "
                "of `reservoir` records. Records weigh as in their learner, which forgets by its "
                "own records. A field that learners have told to be of different kinds counts as "
                "missing in those that come behind in the order of their names' hashes.\n\n"
                "A snapshot is checked like all that comes from outside; one that is damaged, "
                "incomplete or of other `fields` follows `on_error`, and the learner's one before "
                "stays. It holds the records of the learner's reservoir: a topic of snapshots is "
                "as secret as the stream. `privacy` is about the merged model.\n\n"
                "State of a key: of each learner two snapshots of at most 21000 d + 20 d^2 + 8 (d "
                "+ 1) * `reservoir` bytes with d fields, the newest and the one that is coming; "
                "0.18 MB each with 15 fields of numbers, which is also what the changelog gets for "
                "one. Merging costs about 2 ms for each learner then, once in `publish.every`, and "
                "the document has 8 kB a field.",
            .options = merger_options,
            .outputs = merger_outputs,
            .outputs_count = 1,
            .state_version = ENTRY_VERSION,
            .estimate = merger_estimate,
        },
    .instance_size = sizeof(struct merger),
    .open = merger_open,
    .process = merger_process,
    .on_watermark = merger_watermark,
    .on_wall = merger_wall,
    .close = merger_close,
    .state_table = table_name,
    .describe_state = merger_describe,
};
