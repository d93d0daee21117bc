/* state/query.c — committed reads from any thread.
 * Design: the store holds a prefix of the committed transactions, and each batch carries the
 * state's own record with the changelog offset behind it. An object and its slots are read one by
 * one; when the offset is the same before and after, no batch came in between and all of them are
 * of one transaction. Otherwise the read starts over. Nothing of the task thread's is touched. */
#include "base/assert.h"
#include "state/internal.h"

enum { TRIES_MAX = 100 };

static enum mr_status read_offset(const struct mr_state *state, struct mr_arena *arena,
                                  int64_t *offset, struct mr_error *error)
{
    uint8_t key[MR_KEY_HEAD_BYTES];
    struct mr_slice value;
    struct mr_stored_state stored;
    size_t size = mr_key_write_plain(key, 0, MR_KEY_STATE);
    *offset = 0;
    enum mr_status status =
        state->ops->get(state->store, mr_slice_from(key, size), arena, &value, error);
    if (status == MR_NOT_FOUND)
        return MR_OK; /* nothing was committed yet */
    if (status != MR_OK)
        return status;
    if (!mr_stored_state_parse(value, &stored))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_NONE,
                       "the local state's own record is damaged");
    *offset = stored.changelog_offset;
    return MR_OK;
}

/* false: damaged. */
static bool read_value(struct mr_state_object *object, struct mr_slice value)
{
    struct mr_stored_object stored;
    if (!mr_stored_object_parse(value, &stored))
        return false;
    object->version = stored.version;
    object->event_time_ms = stored.due ? MR_TIME_NONE : stored.time_ms;
    object->due_ms = stored.due ? stored.time_ms : MR_TIME_NONE;
    object->slots_count = stored.slots_count;
    object->encoded = stored.encoded;
    return true;
}

static enum mr_status read_object(struct mr_state_object *object, struct mr_error *error)
{
    uint8_t key[MR_KEY_BYTES_MAX];
    struct mr_slice value;
    size_t size = mr_key_write_object(key, object->table_id, object->key);
    enum mr_status status = object->state->ops->get(object->state->store, mr_slice_from(key, size),
                                                    object->arena, &value, error);
    if (status == MR_OK && !read_value(object, value))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_NONE, "the stored object is damaged");
    return status;
}

enum mr_status mr_state_query_slot(const struct mr_state_object *object, uint32_t slot_index,
                                   struct mr_slice *bytes, struct mr_error *error)
{
    uint8_t key[MR_KEY_BYTES_MAX];
    struct mr_slice value;
    uint32_t version;
    size_t size = mr_key_write_slot(key, object->table_id, object->key, slot_index);
    enum mr_status status = object->state->ops->get(object->state->store, mr_slice_from(key, size),
                                                    object->arena, &value, error);
    if (status == MR_OK && !mr_stored_slot_parse(value, &version, bytes))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_NONE, "the stored slot is damaged");
    return status;
}

/* The table of the operator's present life, as the store has it. *found is false: what is stored
 * has another meaning than the operator's, which is about to start over. */
static enum mr_status find_table(const struct mr_state *state, const char *operator_name,
                                 const char *table_name, struct mr_arena *arena, uint32_t *table_id,
                                 bool *found, struct mr_error *error)
{
    uint8_t key[MR_KEY_BYTES_MAX];
    struct mr_slice value;
    struct mr_stored_life stored = {0};
    const struct mr_life *life = mr_life_find(state, operator_name);
    size_t size = mr_key_write_life(key, mr_slice_text(operator_name));
    enum mr_status status =
        state->ops->get(state->store, mr_slice_from(key, size), arena, &value, error);
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    if (status == MR_OK && !mr_stored_life_parse(value, &stored))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_NONE,
                       "the stored life of operator %s is damaged", operator_name);
    *found = life == NULL || status == MR_NOT_FOUND || stored.meaning == life->meaning;
    *table_id = mr_key_table_id(operator_name, table_name, stored.number);
    return MR_OK;
}

/* ---- Ranges ---- */

struct ranging {
    const struct mr_state_query_range *range;
    struct mr_state_object object;
    bool is_damaged;
};

static bool visit_stored(void *argument, struct mr_slice stored_key, struct mr_slice value)
{
    struct ranging *ranging = argument;
    struct mr_state_object *object = &ranging->object;
    object->key =
        mr_slice_from(stored_key.data + MR_KEY_HEAD_BYTES, stored_key.size - MR_KEY_HEAD_BYTES);
    ranging->is_damaged = !read_value(object, value);
    return !ranging->is_damaged && ranging->range->each(ranging->range->argument, object);
}

enum mr_status mr_state_query_range(const struct mr_state_object *object,
                                    const struct mr_state_query_range *range,
                                    struct mr_error *error)
{
    const struct mr_state *state = object->state;
    struct ranging ranging = {.range = range, .object = {.state = state, .arena = object->arena}};
    bool found;
    if (range->first.size > MR_LIMIT_KEY_BYTES || range->end.size > MR_LIMIT_KEY_BYTES)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "a range of keys begins or ends with more than %d bytes",
                       MR_LIMIT_KEY_BYTES);
    enum mr_status status = find_table(state, range->operator_name, range->table_name,
                                       object->arena, &ranging.object.table_id, &found, error);
    if (status != MR_OK || !found)
        return status;
    uint8_t *first = mr_arena_take(object->arena, MR_KEY_BYTES_MAX);
    uint8_t *end = mr_arena_take(object->arena, MR_KEY_BYTES_MAX);
    size_t first_size = mr_key_write_object(first, ranging.object.table_id, range->first);
    size_t end_size = range->end.size > 0
                          ? mr_key_write_object(end, ranging.object.table_id, range->end)
                          : mr_key_write_plain(end, ranging.object.table_id, MR_KEY_OBJECT + 1);
    status = state->ops->scan(state->store, mr_slice_from(first, first_size),
                              mr_slice_from(end, end_size), visit_stored, &ranging, error);
    if (status == MR_OK && ranging.is_damaged)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_NONE, "the stored object is damaged");
    return status;
}

/* ---- Keys ---- */

enum mr_status mr_state_query(const struct mr_state *state, const struct mr_state_query *query,
                              struct mr_arena *arena, int64_t *changelog_offset,
                              struct mr_error *error)
{
    if (query->key.size > MR_LIMIT_KEY_BYTES)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "the key has %zu bytes, at most %d",
                       query->key.size, MR_LIMIT_KEY_BYTES);
    for (uint32_t i = 0; i < TRIES_MAX; i++) {
        struct mr_state_object object = {.state = state, .arena = arena, .key = query->key};
        int64_t before;
        int64_t after;
        bool found;
        enum mr_status status = read_offset(state, arena, &before, error);
        if (status == MR_OK)
            status = find_table(state, query->operator_name, query->table_name, arena,
                                &object.table_id, &found, error);
        if (status != MR_OK)
            return status;
        enum mr_status result = found ? read_object(&object, error) : MR_NOT_FOUND;
        if (result == MR_OK)
            result = query->visit(query->argument, &object, error);
        struct mr_error unread;
        status = read_offset(state, arena, &after, &unread);
        if (status == MR_OK && before == after) {
            *changelog_offset = after;
            return result;
        }
    }
    return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_RETRY,
                   "commits followed each other too quickly to read the key");
}
