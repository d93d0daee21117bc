/* tests/support/state_fixture.c — see the header. */
#include "tests/support/state_fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"

enum { RESOURCES_BYTES = 16 << 20 };

static void assert_ok(const struct state_fixture *fixture, enum mr_status status)
{
    if (status != MR_OK)
        fail_msg("%s: %s", mr_status_name(status), fixture->error.message);
}

void fixture_init(struct state_fixture *fixture, const struct mr_store_ops *ops,
                  uint64_t cache_bytes)
{
    *fixture = (struct state_fixture){.now_ms = INT64_C(1700000000000)};
    const char *base = getenv("TMPDIR");
    snprintf(fixture->directory, sizeof fixture->directory, "%s/mr-state-XXXXXX",
             base == NULL || strlen(base) > 40 ? "/tmp" : base);
    assert_non_null(mkdtemp(fixture->directory));
    fixture->open = (struct mr_state_open){
        .store_ops = ops,
        .resources = ops->resources_create(RESOURCES_BYTES),
        .directory = fixture->directory,
        .identity = {.cluster_id = "cluster-1", .topic_id = "topic-1", .generation = 7},
        .cache_bytes_max = cache_bytes,
        .tombstone_margin_ms = INT64_C(84) * 3600 * 1000,
    };
    mr_arena_init(&fixture->arena, 1 << 20);
}

void fixture_remove_folder(const char *directory)
{
    char path[512];
    DIR *folder = opendir(directory);
    if (folder == NULL)
        return;
    for (struct dirent *file = readdir(folder); file != NULL; file = readdir(folder)) {
        snprintf(path, sizeof path, "%s/%s", directory, file->d_name);
        unlink(path);
    }
    closedir(folder);
    rmdir(directory);
}

void fixture_deinit(struct state_fixture *fixture)
{
    fixture_close(fixture);
    fixture->open.store_ops->resources_destroy(fixture->open.resources);
    fixture_remove_folder(fixture->directory);
    mr_arena_deinit(&fixture->arena);
    mr_memory_free(fixture->log);
}

void fixture_open(struct state_fixture *fixture)
{
    fixture->open.now_wall_ms = fixture->now_ms;
    assert_ok(fixture,
              mr_state_open(&fixture->open, &fixture->state, &fixture->opened, &fixture->error));
    fixture->sealed = NULL;
}

void fixture_close(struct state_fixture *fixture)
{
    mr_state_close(fixture->state);
    fixture->state = NULL;
    fixture->sealed = NULL;
}

static size_t encode(const void *object, uint8_t *output)
{
    memcpy(output, object, sizeof(struct fixture_object));
    return sizeof(struct fixture_object);
}

static bool decode(void *object, uint32_t version, struct mr_slice stored)
{
    if (version != 3 || stored.size != sizeof(struct fixture_object))
        return false;
    memcpy(object, stored.data, stored.size);
    return true;
}

struct mr_table_spec fixture_spec(const char *operator_name)
{
    return (struct mr_table_spec){.operator_name = operator_name,
                                  .name = "counts",
                                  .version = 3,
                                  .object_size = sizeof(struct fixture_object),
                                  .encode = encode,
                                  .encoded_size_max = sizeof(struct fixture_object),
                                  .decode = decode};
}

struct mr_table *fixture_table(struct state_fixture *fixture, const struct mr_table_spec *spec)
{
    struct mr_table *table = NULL;
    assert_ok(fixture, mr_table_open(fixture->state, spec, &table, &fixture->error));
    return table;
}

size_t fixture_restore(struct state_fixture *fixture)
{
    size_t replayed = 0;
    for (size_t i = 0; i < fixture->log_count; i++) {
        const struct fixture_record *record = &fixture->log[i];
        if (record->offset < fixture->opened.changelog_offset)
            continue;
        replayed++;
        if (record->progress)
            assert_ok(fixture, mr_state_restore_commit(fixture->state, record->offset + 1,
                                                       fixture->now_ms, &fixture->error));
        else
            assert_ok(fixture, mr_state_restore_record(fixture->state, record->key, record->value,
                                                       record->tombstone, &fixture->error));
    }
    assert_ok(fixture, mr_state_restore_finish(fixture->state, &fixture->error));
    return replayed;
}

static void append(struct state_fixture *fixture, struct fixture_record record)
{
    if (fixture->log_count == fixture->log_capacity) {
        fixture->log_capacity = fixture->log_capacity == 0 ? 1024 : fixture->log_capacity * 2;
        fixture->log = mr_memory_resize(fixture->log, fixture->log_capacity * sizeof *fixture->log);
    }
    record.offset = fixture->next_offset++;
    fixture->log[fixture->log_count++] = record;
    fixture->sealed_bytes += (int64_t)(record.key.size + record.value.size);
}

void fixture_seal(struct state_fixture *fixture, bool logged)
{
    const struct mr_state_change *changes;
    size_t changes_count;
    assert_ok(fixture, mr_state_seal(fixture->state, &fixture->sealed, &changes, &changes_count,
                                     &fixture->error));
    fixture->sealed_bytes = 0;
    if (!logged)
        return;
    for (size_t i = 0; i < changes_count; i++)
        append(fixture,
               (struct fixture_record){.key = mr_arena_copy(&fixture->arena, changes[i].key),
                                       .value = mr_arena_copy(&fixture->arena, changes[i].value),
                                       .tombstone = changes[i].tombstone});
    append(fixture, (struct fixture_record){.key = MR_STATE_PROGRESS_KEY, .progress = true});
    fixture->sealed_offset = fixture->next_offset;
    fixture->next_offset += 1 + (int64_t)(changes_count % 3); /* control records */
}

void fixture_apply(struct state_fixture *fixture)
{
    fixture->now_ms += 100;
    assert_ok(fixture,
              mr_state_apply_sealed(fixture->state, fixture->sealed, fixture->sealed_offset,
                                    fixture->sealed_bytes, fixture->now_ms, &fixture->error));
    mr_state_release_sealed(fixture->state, fixture->sealed);
    fixture->sealed = NULL;
}

void fixture_commit(struct state_fixture *fixture)
{
    fixture_seal(fixture, true);
    fixture_apply(fixture);
}

bool fixture_add(struct state_fixture *fixture, struct mr_table *table, struct mr_slice key,
                 int64_t time_ms, double amount)
{
    void *memory;
    bool created;
    assert_ok(fixture, mr_table_get(table, key, mr_hash64(key), time_ms, &memory, &created,
                                    &fixture->error));
    struct fixture_object *object = memory;
    object->count++;
    object->sum += amount;
    mr_table_dirty(table, memory);
    return created;
}

const struct fixture_object *fixture_find(struct state_fixture *fixture, struct mr_table *table,
                                          struct mr_slice key)
{
    void *memory;
    enum mr_status status = mr_table_find(table, key, mr_hash64(key), &memory, &fixture->error);
    if (status == MR_NOT_FOUND)
        return NULL;
    assert_ok(fixture, status);
    return memory;
}

/* ---- Maps ---- */

static size_t map_place(const struct fixture_map *map, struct mr_slice key, bool *found)
{
    size_t low = 0;
    size_t high = map->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (mr_slice_compare(map->items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < map->count && mr_slice_equal(map->items[low].key, key);
    return low;
}

void fixture_map_set(struct fixture_map *map, struct mr_slice key, struct mr_slice value)
{
    bool found;
    size_t place = map_place(map, key, &found);
    if (!found) {
        if (map->count == map->capacity) {
            map->capacity = map->capacity == 0 ? 1024 : map->capacity * 2;
            map->items = mr_memory_resize(map->items, map->capacity * sizeof *map->items);
        }
        memmove(map->items + place + 1, map->items + place,
                (map->count - place) * sizeof *map->items);
        map->count++;
    }
    map->items[place] = (struct fixture_record){.key = key, .value = value};
}

void fixture_map_remove(struct fixture_map *map, struct mr_slice key)
{
    bool found;
    size_t place = map_place(map, key, &found);
    if (!found)
        return;
    map->count--;
    memmove(map->items + place, map->items + place + 1, (map->count - place) * sizeof *map->items);
}

void fixture_map_deinit(struct fixture_map *map)
{
    mr_memory_free(map->items);
    *map = (struct fixture_map){0};
}

void fixture_fold(const struct state_fixture *fixture, struct fixture_map *map)
{
    *map = (struct fixture_map){0};
    for (size_t i = 0; i < fixture->log_count; i++) {
        const struct fixture_record *record = &fixture->log[i];
        if (record->tombstone)
            fixture_map_remove(map, record->key);
        else if (!record->progress)
            fixture_map_set(map, record->key, record->value);
    }
}

struct comparing {
    const struct fixture_map *map;
    size_t position;
};

static bool compare_pair(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct comparing *comparing = argument;
    if (comparing->position == comparing->map->count)
        fail_msg("the store holds more than the %zu pairs of the reference", comparing->position);
    const struct fixture_record *wanted = &comparing->map->items[comparing->position++];
    if (!mr_slice_equal(wanted->key, key) || !mr_slice_equal(wanted->value, value))
        fail_msg("pair %zu differs: kind %u, key of %zu bytes against kind %u, %zu bytes",
                 comparing->position - 1, key.data[4], key.size, wanted->key.data[4],
                 wanted->key.size);
    return true;
}

void fixture_assert_dump(struct state_fixture *fixture, const struct fixture_map *map)
{
    struct comparing comparing = {.map = map};
    assert_ok(fixture, mr_state_visit(fixture->state, compare_pair, &comparing, &fixture->error));
    assert_int_equal(comparing.position, map->count);
}

void fixture_assert_golden(const char *file, const char *name, struct mr_slice bytes)
{
    char path[512];
    char line[1024];
    char wanted[1024];
    snprintf(path, sizeof path, "%s/tests/golden/state/%s.hex", MR_SOURCE_DIR, file);
    size_t used = (size_t)snprintf(wanted, sizeof wanted, "%s ", name);
    for (size_t i = 0; i < bytes.size; i++)
        used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%02x", bytes.data[i]);
    size_t name_size = strlen(name);
    FILE *golden = fopen(path, "r");
    assert_non_null(golden);
    bool found = false;
    while (!found && fgets(line, sizeof line, golden) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, name, name_size) == 0 && line[name_size] == ' ';
    }
    fclose(golden);
    if (!found)
        fail_msg("%s has no line %s", path, wanted);
    assert_string_equal(wanted, line);
}
