/* operators/learned_models.c — see learned_models.h.
 * Design: a row is written behind the key's pending rows, in one small slot or two; when there are
 * block_rows of them they are learned as one block (learned_kind.h) and what has changed of the
 * model's bytes is written. So a row logs little, and how rows arrive does not show. */
#include "operators/learned_models.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/natural_log.h"
#include "operators/pending_rows.h"

enum {
    ENTRY_VERSION = MR_LEARNED_ENTRY_VERSION,
    ENTRY_BYTES = MR_LEARNED_ENTRY_BYTES,
    SLOT_BYTES = MR_LEARNED_SLOT_BYTES,
    PENDING_SLOTS = MR_LEARNED_PENDING_SLOTS,
    PENDING_BYTES_MAX = PENDING_SLOTS * SLOT_BYTES,
    ROW_BYTES_MAX = MR_LEARNED_COLUMNS_MAX * MR_PENDING_CELL_BYTES,
    EXPANDED_BYTES = 32 << 20,
    EXPANDED_MAX = 256
};

/* ---- Layout ---- */

static size_t entry_encode(const void *object, uint8_t *output)
{
    const struct mr_learned_entry *entry = object;
    mr_put_u64le(output, entry->seen);
    mr_put_u64le(output + 8, entry->blocks);
    mr_put_u64le(output + 16, entry->made);
    mr_put_double_le(output + 24, entry->owed);
    mr_put_u64le(output + 32, (uint64_t)entry->latest_ms);
    mr_put_u64le(output + 40, (uint64_t)entry->learned_ms);
    mr_put_double_le(output + 48, entry->probability);
    mr_put_u32le(output + 56, entry->pending_rows);
    mr_put_u32le(output + 60, entry->pending_bytes);
    mr_put_u32le(output + 64, entry->model_bytes);
    mr_put_u64le(output + 68, entry->known);
    mr_put_u64le(output + 76, entry->late);
    mr_put_u64le(output + 84, entry->refused);
    return ENTRY_BYTES;
}

bool mr_learned_entry_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_learned_entry *entry = object;
    if (version != ENTRY_VERSION || stored.size != ENTRY_BYTES)
        return false;
    entry->seen = mr_get_u64le(stored.data);
    entry->blocks = mr_get_u64le(stored.data + 8);
    entry->made = mr_get_u64le(stored.data + 16);
    entry->owed = mr_get_double_le(stored.data + 24);
    entry->latest_ms = (int64_t)mr_get_u64le(stored.data + 32);
    entry->learned_ms = (int64_t)mr_get_u64le(stored.data + 40);
    entry->probability = mr_get_double_le(stored.data + 48);
    entry->pending_rows = mr_get_u32le(stored.data + 56);
    entry->pending_bytes = mr_get_u32le(stored.data + 60);
    entry->model_bytes = mr_get_u32le(stored.data + 64);
    entry->known = mr_get_u64le(stored.data + 68);
    entry->late = mr_get_u64le(stored.data + 76);
    entry->refused = mr_get_u64le(stored.data + 84);
    return entry->pending_rows < MR_LEARNED_BLOCK_MAX &&
           entry->pending_bytes <= PENDING_BYTES_MAX && entry->owed >= 0 && entry->owed < 1;
}

uint32_t mr_learned_model_slots(size_t bytes_max)
{
    return (uint32_t)((bytes_max + SLOT_BYTES - 1) / SLOT_BYTES);
}

/* ---- Opening ---- */

/* How many expanded models there are, and the bytes of one. */
static uint32_t expanded_count(const struct mr_learned_kind *kind, const struct mr_options *options,
                               size_t *bytes)
{
    uint32_t conditions_count = mr_options_get(options, "conditions")->count;
    *bytes = sizeof(struct mr_learned_expanded) + kind->memory(options, conditions_count);
    size_t count = EXPANDED_BYTES / *bytes;
    return count < 1 ? 1 : count > EXPANDED_MAX ? EXPANDED_MAX : (uint32_t)count;
}

size_t mr_learned_models_bytes(const struct mr_learned_kind *kind, const struct mr_options *options)
{
    size_t bytes;
    uint32_t count = expanded_count(kind, options, &bytes);
    size_t model = (size_t)mr_learned_model_slots(kind->bytes_max(options)) * SLOT_BYTES;
    size_t cells = (size_t)mr_options_get(options, "fields")->count * MR_LEARNED_BLOCK_MAX;
    return count * bytes + model + PENDING_BYTES_MAX + cells * sizeof(struct mr_value);
}

static enum mr_status open_table(struct mr_learned_models *models,
                                 const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = models->kind->table,
        .version = ENTRY_VERSION,
        .object_size = sizeof(struct mr_learned_entry),
        .encode = entry_encode,
        .encoded_size_max = ENTRY_BYTES,
        .decode = mr_learned_entry_decode,
        .slot_bytes = SLOT_BYTES,
        .slots_max = PENDING_SLOTS + mr_learned_model_slots(models->model_bytes_max),
        .ttl_ms = node->state_ttl_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    return mr_table_open(open->state, &spec, &models->table, error);
}

enum mr_status mr_learned_models_open(struct mr_learned_models *models,
                                      const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_learned_kind *kind = models->kind;
    const struct mr_options *options = &open->node->options;
    models->name = open->node->name;
    models->columns_count = mr_options_get(options, "fields")->count;
    models->seed = (uint64_t)mr_options_integer(options, "seed");
    models->model_bytes_max = kind->bytes_max(options);
    models->partition = open->node->key.global ? open->partition : 0;
    models->work = kind->work_create(options);
    models->bytes = mr_memory_new(mr_learned_model_slots(models->model_bytes_max), SLOT_BYTES);
    if (models->block_rows > 0) {
        models->pending = mr_memory_new(PENDING_BYTES_MAX, 1);
        models->cells = mr_memory_new((size_t)models->columns_count * MR_LEARNED_BLOCK_MAX,
                                      sizeof(struct mr_value));
    }
    size_t bytes;
    models->expanded_count = expanded_count(kind, options, &bytes);
    models->expanded = mr_memory_new(models->expanded_count, sizeof(*models->expanded));
    for (uint32_t index = 0; index < models->expanded_count; index++) {
        models->expanded[index].model = kind->model_create(options);
        models->expanded[index].sampler = kind->sampler_create(options, models->conditions.count);
    }
    return open_table(models, open, error);
}

void mr_learned_models_close(struct mr_learned_models *models)
{
    const struct mr_learned_kind *kind = models->kind;
    for (uint32_t index = 0; index < models->expanded_count; index++) {
        kind->model_destroy(models->expanded[index].model);
        kind->sampler_destroy(models->expanded[index].sampler);
    }
    mr_memory_free(models->expanded);
    if (kind != NULL)
        kind->work_destroy(models->work);
    mr_memory_free(models->bytes);
    mr_memory_free(models->pending);
    mr_memory_free(models->cells);
}

/* ---- Slots ---- */

/* Write bytes behind the offset of the slots from first on; unchanged slots stay clean. */
static enum mr_status write_slots(struct mr_learned_models *models, void *object, uint32_t first,
                                  size_t offset, struct mr_slice bytes, struct mr_error *error)
{
    for (size_t done = 0; done < bytes.size;) {
        uint32_t index = first + (uint32_t)((offset + done) / SLOT_BYTES);
        size_t within = (offset + done) % SLOT_BYTES;
        size_t size = SLOT_BYTES - within;
        if (size > bytes.size - done)
            size = bytes.size - done;
        void *slot;
        enum mr_status status = mr_table_slot(models->table, object, index, false, &slot, error);
        if (status != MR_OK)
            return status;
        if (memcmp((uint8_t *)slot + within, bytes.data + done, size) != 0) {
            status = mr_table_slot(models->table, object, index, true, &slot, error);
            if (status != MR_OK)
                return status;
            memcpy((uint8_t *)slot + within, bytes.data + done, size);
        }
        done += size;
    }
    return MR_OK;
}

static enum mr_status read_slots(struct mr_learned_models *models, void *object, uint32_t first,
                                 uint8_t *bytes, size_t size, struct mr_error *error)
{
    for (size_t done = 0; done < size; done += SLOT_BYTES) {
        void *slot;
        enum mr_status status = mr_table_slot(
            models->table, object, first + (uint32_t)(done / SLOT_BYTES), false, &slot, error);
        if (status != MR_OK)
            return status;
        memcpy(bytes + done, slot, size - done < SLOT_BYTES ? size - done : SLOT_BYTES);
    }
    return MR_OK;
}

/* ---- Expanded models ---- */

static uint64_t key_seed(const struct mr_learned_models *models, uint64_t hash)
{
    return models->seed ^ hash ^ ((uint64_t)models->partition << 32);
}

static enum mr_status corrupt(const struct mr_learned_models *models, struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                   "a stored model of \"%s\" (%s) is damaged; reset the topology", models->name,
                   models->kind->type);
}

static enum mr_status read_model(struct mr_learned_models *models, struct mr_learned_entry *entry,
                                 uint64_t seed, struct mr_learned_expanded *expanded,
                                 struct mr_error *error)
{
    size_t size = entry->model_bytes;
    models->kind->begin(expanded->model, seed);
    if (entry->blocks == 0)
        return MR_OK;
    if (size > models->model_bytes_max)
        return corrupt(models, error);
    enum mr_status status = read_slots(models, entry, PENDING_SLOTS, models->bytes, size, error);
    if (status != MR_OK)
        return status;
    if (!models->kind->decode(expanded->model, mr_slice_from(models->bytes, size)))
        return corrupt(models, error);
    return MR_OK;
}

/* The model of the key whose object this is. */
static enum mr_status find_expanded(struct mr_learned_models *models, uint64_t hash,
                                    struct mr_learned_entry *entry,
                                    struct mr_learned_expanded **found, struct mr_error *error)
{
    struct mr_learned_expanded *oldest = &models->expanded[0];
    uint64_t seed = key_seed(models, hash);
    models->calls++;
    for (uint32_t index = 0; index < models->expanded_count; index++) {
        struct mr_learned_expanded *expanded = &models->expanded[index];
        if (expanded->is_valid && expanded->seed == seed && expanded->blocks == entry->blocks) {
            expanded->used = models->calls;
            *found = expanded;
            return MR_OK;
        }
        if (!expanded->is_valid || expanded->seed == seed)
            expanded->used = 0;
        if (expanded->used < oldest->used)
            oldest = expanded;
    }
    oldest->is_valid = false;
    oldest->is_made = false;
    enum mr_status status = read_model(models, entry, seed, oldest, error);
    if (status != MR_OK)
        return status;
    oldest->seed = seed;
    oldest->blocks = entry->blocks;
    oldest->used = models->calls;
    oldest->is_valid = true;
    *found = oldest;
    return MR_OK;
}

static void forget_expanded(struct mr_learned_models *models, uint64_t hash)
{
    for (uint32_t index = 0; index < models->expanded_count; index++)
        if (models->expanded[index].seed == key_seed(models, hash))
            models->expanded[index].is_valid = false;
}

/* ---- Learning ---- */

static double decay_of(const struct mr_learned_models *models, const struct mr_learned_entry *entry)
{
    if (models->decay_ms <= 0)
        return models->decay_rows * entry->pending_rows;
    if (entry->blocks == 0 || entry->latest_ms <= entry->learned_ms)
        return 0;
    return ((double)entry->latest_ms - (double)entry->learned_ms) / models->decay_ms;
}

/* The expanded model learns the block, and is written. */
static enum mr_status learn_block(struct mr_learned_models *models, struct mr_learned_entry *entry,
                                  struct mr_learned_expanded *expanded,
                                  const struct mr_learned_block *block, struct mr_error *error)
{
    const struct mr_learned_kind *kind = models->kind;
    kind->learn(expanded->model, models->work, block);
    expanded->is_made = false;
    expanded->blocks = ++entry->blocks;
    size_t size = kind->encode(expanded->model, models->bytes);
    entry->model_bytes = (uint32_t)size;
    entry->known =
        kind->rows == NULL ? entry->known + block->rows_count : kind->rows(expanded->model);
    entry->learned_ms = block->latest_ms;
    return write_slots(models, entry, PENDING_SLOTS, 0, mr_slice_from(models->bytes, size), error);
}

enum mr_status mr_learned_models_learn(struct mr_learned_models *models, uint64_t hash,
                                       struct mr_learned_entry *entry, struct mr_error *error)
{
    struct mr_learned_expanded *expanded;
    uint32_t rows = entry->pending_rows;
    enum mr_status status = find_expanded(models, hash, entry, &expanded, error);
    if (status == MR_OK)
        status = read_slots(models, entry, 0, models->pending, entry->pending_bytes, error);
    if (status != MR_OK)
        return status;
    if (!mr_pending_read(mr_slice_from(models->pending, entry->pending_bytes), models->cells,
                         (size_t)rows * models->columns_count))
        return corrupt(models, error);
    const struct mr_learned_block block = {.cells = models->cells,
                                           .rows_count = rows,
                                           .decay = decay_of(models, entry),
                                           .latest_ms = entry->latest_ms};
    entry->pending_rows = 0;
    entry->pending_bytes = 0;
    return learn_block(models, entry, expanded, &block, error);
}

enum mr_status mr_learned_models_replace(struct mr_learned_models *models, uint64_t hash,
                                         struct mr_learned_entry *entry, struct mr_slice bytes,
                                         uint64_t version, struct mr_error *error)
{
    MR_ASSERT(bytes.size <= models->model_bytes_max);
    forget_expanded(models, hash);
    entry->blocks = version;
    entry->model_bytes = (uint32_t)bytes.size;
    return write_slots(models, entry, PENDING_SLOTS, 0, bytes, error);
}

/* ---- Panes of event time ---- */

int64_t mr_learned_pane(int64_t time_ms, int64_t pane_ms)
{
    return time_ms / pane_ms - (time_ms % pane_ms < 0);
}

bool mr_learned_models_is_behind(const struct mr_learned_models *models,
                                 const struct mr_learned_entry *entry, int64_t time_ms)
{
    return models->pane_ms > 0 && entry->seen > 0 &&
           mr_learned_pane(time_ms, models->pane_ms) >
               mr_learned_pane(entry->latest_ms, models->pane_ms);
}

enum mr_status mr_learned_models_turn(struct mr_learned_models *models, uint64_t hash,
                                      struct mr_learned_entry *entry, int64_t time_ms,
                                      struct mr_error *error)
{
    struct mr_learned_expanded *expanded;
    enum mr_status status = MR_OK;
    if (entry->pending_rows > 0)
        status = mr_learned_models_learn(models, hash, entry, error);
    if (status == MR_OK)
        status = find_expanded(models, hash, entry, &expanded, error);
    if (status != MR_OK)
        return status;
    entry->latest_ms = time_ms;
    const struct mr_learned_block nothing = {.latest_ms = time_ms};
    return learn_block(models, entry, expanded, &nothing, error);
}

static bool is_late(const struct mr_learned_models *models, const struct mr_learned_entry *entry,
                    int64_t time_ms)
{
    if (models->pane_ms <= 0 || entry->seen == 0 || time_ms >= entry->latest_ms)
        return false;
    int64_t newest = mr_learned_pane(entry->latest_ms, models->pane_ms);
    return newest - mr_learned_pane(time_ms, models->pane_ms) >= MR_LEARNED_PANES;
}

enum mr_status mr_learned_models_add(struct mr_learned_models *models,
                                     struct mr_learned_entry *entry, const struct mr_batch *batch,
                                     uint32_t row, const uint32_t *slots, struct mr_error *error)
{
    uint8_t bytes[ROW_BYTES_MAX];
    size_t size = 0;
    int64_t time_ms = batch->event_times_ms[row];
    if (is_late(models, entry, time_ms)) {
        entry->seen++;
        entry->late++;
        return MR_OK;
    }
    for (uint32_t column = 0; column < models->columns_count; column++)
        size += mr_pending_write(batch->columns[slots[column]][row], bytes + size);
    enum mr_status status =
        write_slots(models, entry, 0, entry->pending_bytes, mr_slice_from(bytes, size), error);
    entry->pending_bytes += (uint32_t)size;
    entry->pending_rows++;
    entry->seen++;
    if (entry->seen == 1 || time_ms > entry->latest_ms)
        entry->latest_ms = time_ms;
    return status;
}

bool mr_learned_models_is_due(const struct mr_learned_models *models,
                              const struct mr_learned_entry *entry)
{
    return entry->pending_rows >= models->block_rows ||
           entry->pending_bytes + ROW_BYTES_MAX > PENDING_BYTES_MAX;
}

enum mr_status mr_learned_models_get(struct mr_learned_models *models, struct mr_slice key,
                                     uint64_t hash, int64_t time_ms,
                                     struct mr_learned_entry **entry, struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(models->table, key, hash, time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    if (created)
        forget_expanded(models, hash);
    *entry = object;
    mr_table_dirty(models->table, object);
    return MR_OK;
}

enum mr_status mr_learned_models_expand(struct mr_learned_models *models, struct mr_slice key,
                                        uint64_t hash, struct mr_learned_entry **entry,
                                        struct mr_learned_expanded **found, struct mr_error *error)
{
    void *object;
    enum mr_status status = mr_table_find(models->table, key, hash, &object, error);
    if (status != MR_OK)
        return status;
    *entry = object;
    return find_expanded(models, hash, object, found, error);
}

enum mr_status mr_learned_models_sampler(struct mr_learned_models *models, struct mr_slice key,
                                         uint64_t hash, struct mr_learned_expanded **found,
                                         struct mr_error *error)
{
    struct mr_learned_entry *entry;
    enum mr_status status = mr_learned_models_expand(models, key, hash, &entry, found, error);
    if (status != MR_OK)
        return status;
    if (!(*found)->is_made)
        status = models->kind->sampler_make((*found)->sampler, (*found)->model, models->work,
                                            models->conditions, error);
    (*found)->is_made = status == MR_OK;
    entry->probability = status == MR_OK ? models->kind->probability((*found)->sampler) : 0;
    mr_table_dirty(models->table, entry);
    return status;
}

enum mr_status mr_learned_models_refuse(struct mr_learned_models *models, struct mr_slice key,
                                        uint64_t hash, uint32_t count, struct mr_error *error)
{
    void *object;
    enum mr_status status = mr_table_find(models->table, key, hash, &object, error);
    if (status != MR_OK)
        return status;
    struct mr_learned_entry *entry = object;
    entry->refused += count;
    mr_table_dirty(models->table, entry);
    return MR_OK;
}
