/* operators/learned_publish.c — see learned_publish.h. */
#include "operators/learned_publish.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"

/* A snapshot counts as so many things that were due as it has pieces of this size. */
enum { MODELS = 2, ARENA_BYTES = 256, PIECE_BYTES = 8 << 10 };

const struct mr_option_spec mr_learned_publish_options[] = {
    MR_PUBLICATION_OPTION_EVERY("10s"),
    {.name = NULL},
};

bool mr_learned_publishes(const struct mr_options *options)
{
    return mr_option_specs_find(options->specs, "publish") >= 0 &&
           mr_options_present(options, "publish");
}

enum mr_status mr_learned_publisher_open(struct mr_learned_publisher *publisher,
                                         const struct mr_operator_open *open,
                                         struct mr_learned_models *models, uint32_t output,
                                         struct mr_error *error)
{
    const struct mr_options *options = &open->node->options;
    const struct mr_options *publish = mr_options_get(options, "publish")->objects;
    MR_ASSERT(output == MODELS);
    publisher->node = open->node;
    publisher->models = models;
    mr_learned_rows_bind_others(&publisher->rows, open->plan, open->node, MODELS);
    mr_arena_init(&publisher->arena, ARENA_BYTES);
    publisher->learner =
        mr_arena_format(&publisher->arena, "%s/%d", open->node->name, open->partition);
    publisher->bytes = mr_memory_new(mr_snapshot_bytes_max(options), 1);
    return mr_publication_open(&publisher->publication, open, mr_options_integer(publish, "every"),
                               error);
}

void mr_learned_publisher_close(struct mr_learned_publisher *publisher)
{
    if (publisher->models == NULL)
        return;
    mr_memory_free(publisher->bytes);
    mr_arena_deinit(&publisher->arena);
}

enum mr_status mr_learned_publisher_touch(struct mr_learned_publisher *publisher,
                                          struct mr_operator_context *context, struct mr_slice key,
                                          uint64_t hash, struct mr_error *error)
{
    return mr_publication_touch(&publisher->publication, context, key, hash, error);
}

/* ---- Telling ---- */

static void set(const struct mr_learned_publisher *publisher, struct mr_batch *batch, uint32_t row,
                enum mr_snapshot_field field, struct mr_value value)
{
    mr_learned_rows_other(&publisher->rows, batch, field)[row] = value;
}

static void emit_parts(struct mr_learned_publisher *publisher, struct mr_operator_context *context,
                       struct mr_slice key, const struct mr_learned_entry *entry, size_t size)
{
    uint32_t parts = mr_snapshot_parts(size);
    struct mr_batch *batch = mr_operator_batch_new(context, MODELS, NULL, parts);
    uint64_t blocks = entry->blocks;
    int64_t time_ms = entry->latest_ms;
    batch->origin = (struct mr_origin){publisher->node->name, publisher->models->partition};
    batch->sequence_first = mr_hash64_seeded(key, blocks);
    struct mr_slice bytes = mr_arena_copy(batch->arena, mr_slice_from(publisher->bytes, size));
    struct mr_slice learner = mr_slice_text(mr_arena_copy_text(batch->arena, publisher->learner));
    for (uint32_t part = 0; part < parts; part++) {
        size_t from = (size_t)part * MR_SNAPSHOT_PART_BYTES;
        size_t left = size - from;
        struct mr_value value = {
            .kind = MR_KIND_BYTES,
            .size = (uint32_t)(left < MR_SNAPSHOT_PART_BYTES ? left : MR_SNAPSHOT_PART_BYTES),
            .text = bytes.data + from};
        uint32_t row = mr_learned_rows_add(&publisher->rows, batch, key, time_ms);
        set(publisher, batch, row, MR_SNAPSHOT_LEARNER, mr_value_string(learner));
        set(publisher, batch, row, MR_SNAPSHOT_BLOCKS, mr_value_int((int64_t)blocks));
        set(publisher, batch, row, MR_SNAPSHOT_PART, mr_value_int((int64_t)part + 1));
        set(publisher, batch, row, MR_SNAPSHOT_PARTS, mr_value_int((int64_t)parts));
        set(publisher, batch, row, MR_SNAPSHOT_BYTES, value);
    }
    mr_operator_emit(context, MODELS, mr_batch_view(batch));
}

static enum mr_status tell(struct mr_learned_publisher *publisher,
                           struct mr_operator_context *context, struct mr_slice key, uint64_t hash,
                           bool *is_full, struct mr_error *error)
{
    struct mr_learned_entry *entry;
    struct mr_learned_expanded *expanded;
    enum mr_status status =
        mr_learned_models_expand(publisher->models, key, hash, &entry, &expanded, error);
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    if (entry->blocks == 0)
        return MR_OK;
    const struct mr_copula *copula = expanded->model;
    if (copula->rows == 0)
        return MR_OK; /* its window has nothing in it */
    size_t size = mr_snapshot_write(&publisher->node->options, copula, publisher->bytes);
    emit_parts(publisher, context, key, entry, size);
    for (size_t done = 0; done < size; done += PIECE_BYTES)
        *is_full = mr_operator_is_enough(context) || *is_full;
    return MR_OK;
}

enum mr_status mr_learned_publisher_go_on(struct mr_learned_publisher *publisher,
                                          struct mr_operator_context *context, int64_t *due_ms,
                                          struct mr_error *error)
{
    bool found = true;
    bool is_full = false;
    enum mr_status status = MR_OK;
    while (status == MR_OK && !is_full) {
        struct mr_slice key;
        uint64_t hash;
        status = mr_publication_next(&publisher->publication, context, &key, &hash, &found, due_ms,
                                     error);
        if (status != MR_OK || !found)
            break;
        status = tell(publisher, context, key, hash, &is_full, error);
    }
    return status == MR_OK && is_full ? MR_AGAIN : status;
}
