/* state/life.c — operators that start over under their own names.
 * Design: each life of an operator has tables with ids of its own (state/key_codec.h), so that a
 * new life sees nothing of an earlier one whatever is still stored, here or in the changelog.
 * Number and meaning are a record of the state, in the same transactions as the rest: a crash
 * before that commits leaves the old life whole. What earlier lives left is found in the store by
 * its table ids, which belong to no open table, and gets tombstones, a bounded number with each
 * transaction; a process that stops in between searches again from the beginning. */
#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/internal.h"

enum { CLEARED_PER_SEAL = 4096 };

static const uint8_t behind_all[] = {0xff, 0xff, 0xff, 0xff, 0xff};

/* ---- Records ---- */

struct mr_life *mr_life_find(const struct mr_state *state, const char *operator_name)
{
    for (uint32_t index = 0; index < state->lives_count; index++)
        if (strcmp(state->lives[index].name, operator_name) == 0)
            return &state->lives[index];
    return NULL;
}

static enum mr_status read_record(struct mr_state *state, struct mr_life *life,
                                  struct mr_error *error)
{
    uint8_t key[MR_KEY_BYTES_MAX];
    struct mr_slice value;
    size_t size = mr_key_write_life(key, mr_slice_text(life->name));
    mr_arena_reset(&state->read_arena);
    enum mr_status status =
        state->ops->get(state->store, mr_slice_from(key, size), &state->read_arena, &value, error);
    life->stored = (struct mr_stored_life){0};
    life->known = status == MR_OK;
    if (status == MR_OK && !mr_stored_life_parse(value, &life->stored))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "the stored life of operator %s is damaged", life->name);
    life->number = life->stored.number;
    return status == MR_NOT_FOUND ? MR_OK : status;
}

static void write_record(struct mr_state *state, struct mr_slice operator_name,
                         const struct mr_stored_life *life)
{
    uint8_t key[MR_KEY_BYTES_MAX];
    struct mr_slice stored = mr_slice_from(key, mr_key_write_life(key, operator_name));
    mr_stored_life_write(mr_overlay_put(&state->active->overlay, stored, mr_hash64(stored),
                                        MR_STORED_LIFE_BYTES, false),
                         life);
}

static uint32_t table_id(const struct mr_table *table, const struct mr_life *life)
{
    return mr_key_table_id(table->operator_name, table->name, life->number);
}

enum mr_status mr_lives_load(struct mr_state *state, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < state->lives_count && status == MR_OK; index++)
        status = read_record(state, &state->lives[index], error);
    for (uint32_t index = 0; index < state->tables_count && status == MR_OK; index++) {
        struct mr_table *table = state->tables[index];
        const struct mr_life *life = mr_life_find(state, table->operator_name);
        if (life == NULL || table->id == table_id(table, life))
            continue;
        status = mr_table_set_id(table, table_id(table, life), error);
        if (status == MR_OK)
            status = mr_table_load(table, error);
    }
    return status;
}

enum mr_status mr_state_declare(struct mr_state *state, const struct mr_state_operator *operators,
                                uint32_t operators_count, struct mr_error *error)
{
    MR_ASSERT(state->lives == NULL && state->tables_count == 0);
    state->lives = mr_memory_new(operators_count + 1u, sizeof *state->lives);
    for (uint32_t index = 0; index < operators_count; index++) {
        struct mr_life *life = &state->lives[index];
        size_t size = strlen(operators[index].name);
        MR_ASSERT(size > 0 && size <= MR_LIMIT_NAME_BYTES && operators[index].meaning != 0);
        memcpy(life->name, operators[index].name, size);
        life->meaning = operators[index].meaning;
    }
    state->lives_count = operators_count;
    return mr_lives_load(state, error);
}

/* ---- Beginning ---- */

static bool note_any(void *argument, struct mr_slice key, struct mr_slice value)
{
    MR_UNUSED(key);
    MR_UNUSED(value);
    *(bool *)argument = true;
    return false;
}

/* Does the store hold anything of the operator's tables? */
static enum mr_status has_stored(struct mr_state *state, const struct mr_life *life, bool *any,
                                 struct mr_error *error)
{
    enum mr_status status = MR_OK;
    *any = false;
    for (uint32_t index = 0; index < state->tables_count && status == MR_OK && !*any; index++) {
        const struct mr_table *table = state->tables[index];
        uint8_t first[MR_KEY_HEAD_BYTES];
        uint8_t end[MR_KEY_HEAD_BYTES];
        if (strcmp(table->operator_name, life->name) != 0)
            continue;
        mr_key_write_plain(first, table->id, MR_KEY_TABLE);
        mr_key_write_plain(end, table->id, MR_KEY_STATE); /* local records do not count */
        status = state->ops->scan(state->store, mr_slice_from(first, sizeof first),
                                  mr_slice_from(end, sizeof end), note_any, any, error);
    }
    return status;
}

static enum mr_status begin_life(struct mr_state *state, struct mr_life *life, bool *changed,
                                 struct mr_error *error)
{
    bool any = true;
    life->beginning = MR_BEGINNING_NONE;
    if (life->known && life->stored.meaning == life->meaning)
        return MR_OK;
    if (life->known) {
        life->number++;
        life->beginning = MR_BEGINNING_AGAIN;
    } else { /* also a state that was written before lives were */
        enum mr_status status = has_stored(state, life, &any, error);
        if (status != MR_OK)
            return status;
        life->beginning = any ? MR_BEGINNING_NONE : MR_BEGINNING_NEW;
    }
    *changed = *changed || any;
    const struct mr_stored_life stored = {.number = life->number, .meaning = life->meaning};
    write_record(state, mr_slice_text(life->name), &stored);
    return MR_OK;
}

struct gone {
    struct mr_state *state;
    bool *changed;
};

static bool visit_record(void *argument, struct mr_slice stored_key, struct mr_slice value)
{
    const struct gone *gone = argument;
    char name[MR_LIMIT_NAME_BYTES + 1] = {0};
    struct mr_key key;
    struct mr_stored_life life;
    if (!mr_key_parse(stored_key, &key) || !mr_stored_life_parse(value, &life) || life.meaning == 0)
        return true;
    memcpy(name, key.user.data, key.user.size);
    if (mr_life_find(gone->state, name) != NULL)
        return true;
    life.meaning = 0;
    write_record(gone->state, key.user, &life);
    *gone->changed = true;
    return true;
}

/* Operators that the task has no more: whoever comes under the name again starts over. */
static enum mr_status note_gone(struct mr_state *state, bool *changed, struct mr_error *error)
{
    uint8_t first[MR_KEY_HEAD_BYTES];
    uint8_t end[MR_KEY_HEAD_BYTES];
    struct gone gone = {.state = state, .changed = changed};
    mr_key_write_plain(first, 0, MR_KEY_LIFE);
    mr_key_write_plain(end, 0, MR_KEY_LIFE + 1);
    return state->ops->scan(state->store, mr_slice_from(first, sizeof first),
                            mr_slice_from(end, sizeof end), visit_record, &gone, error);
}

enum mr_status mr_state_begin(struct mr_state *state, bool *changed, struct mr_error *error)
{
    MR_ASSERT(state->ready && state->cache.entries_count == 0);
    *changed = false;
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < state->lives_count && status == MR_OK; index++)
        status = begin_life(state, &state->lives[index], changed, error);
    if (status == MR_OK)
        status = note_gone(state, changed, error);
    for (uint32_t index = 0; index < state->tables_count && status == MR_OK; index++) {
        struct mr_table *table = state->tables[index];
        const struct mr_life *life = mr_life_find(state, table->operator_name);
        if (life == NULL || table->id == table_id(table, life))
            continue;
        status = mr_table_set_id(table, table_id(table, life), error);
        if (status == MR_OK)
            status = mr_table_load(table, error);
        if (status == MR_OK)
            status = mr_restore_table(table, error);
    }
    state->leftovers.wanted = true;
    mr_put_u32be(state->leftovers.next, 1);
    state->leftovers.next_size = sizeof(uint32_t);
    return status;
}

enum mr_beginning mr_state_beginning(const struct mr_state *state, const char *operator_name)
{
    const struct mr_life *life = mr_life_find(state, operator_name);
    return life == NULL ? MR_BEGINNING_NONE : life->beginning;
}

/* ---- What earlier lives left ---- */

struct clearing {
    struct mr_state *state;
    uint32_t count;
    bool ended; /* nothing was met that stays */
};

static bool visit_leftover(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct clearing *clearing = argument;
    struct mr_state *state = clearing->state;
    uint32_t id = mr_get_u32be(key.data);
    MR_UNUSED(value);
    if (mr_state_table(state, id) != NULL) { /* go on behind the table */
        clearing->ended = id == UINT32_MAX;
        mr_put_u32be(state->leftovers.next, id + 1);
        state->leftovers.next_size = sizeof(uint32_t);
        return false;
    }
    mr_overlay_delete(&state->active->overlay, key, mr_hash64(key), mr_key_is_local(key));
    memcpy(state->leftovers.next, key.data, key.size);
    state->leftovers.next[key.size] = 0;
    state->leftovers.next_size = key.size + 1;
    clearing->ended = ++clearing->count < CLEARED_PER_SEAL;
    return clearing->ended;
}

enum mr_status mr_lives_clear(struct mr_state *state, struct mr_error *error)
{
    struct clearing clearing = {.state = state};
    while (state->leftovers.wanted && clearing.count < CLEARED_PER_SEAL) {
        uint8_t first[sizeof state->leftovers.next];
        size_t size = state->leftovers.next_size;
        memcpy(first, state->leftovers.next, size);
        clearing.ended = true;
        enum mr_status status = state->ops->scan(state->store, mr_slice_from(first, size),
                                                 mr_slice_from(behind_all, sizeof behind_all),
                                                 visit_leftover, &clearing, error);
        if (status != MR_OK)
            return status;
        state->leftovers.wanted = !clearing.ended;
    }
    return MR_OK;
}
