/* tests/conformance/state_large.c — keyed state with many keys: bounds, memory, disk and speed.
 * Usage: state_large [KEYS [PHASE]]. ctest runs it with 200,000 keys; 10,000,000 keys in a release
 * build is the deep run. Every phase is a process of its own, so that its memory is its own.
 *   hot      mr_table_get on 10,000 cached keys, and seal throughput
 *   bounds   KEYS * 1.2 keys through max_keys = KEYS, then all of them ended by the ttl: counts are
 *            exact, resident memory stays within the configured budget
 *   restore  KEYS changelog records into an empty store, CPU of all threads counted */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/number.h"
#include "state/key_codec.h"
#include "state/stored_value.h"
#include "tests/support/state_fixture.h"

enum { CACHE_BYTES = 16 << 20, STORE_BYTES = 64 << 20, TRANSACTION_KEYS = 5000 };

struct large {
    struct mr_state_open open;
    struct mr_state *state;
    struct mr_table *table;
    struct mr_error error;
    char directory[64];
    int64_t keys;
    int64_t offset;
    int64_t rss_start;
    int64_t rss_max;
};

static int64_t rss_bytes(void)
{
    char text[128] = {0};
    int file = open("/proc/self/statm", O_RDONLY);
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    const char *resident = size > 0 ? strchr(text, ' ') : NULL;
    return resident == NULL ? 0 : strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void must(const struct large *large, enum mr_status status)
{
    if (status == MR_OK)
        return;
    fprintf(stderr, "%s: %s\n", mr_status_name(status), large->error.message);
    exit(1);
}

static void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static void large_open(struct large *large, const struct mr_table_spec *spec)
{
    const struct mr_store_ops *ops = &mr_store_rocksdb;
    const char *base = getenv("TMPDIR");
    snprintf(large->directory, sizeof large->directory, "%s/mr-large-XXXXXX",
             base == NULL || strlen(base) > 40 ? "/tmp" : base);
    check(mkdtemp(large->directory) != NULL, "a temporary folder");
    large->rss_start = rss_bytes();
    large->open = (struct mr_state_open){
        .store_ops = ops,
        .resources = ops->resources_create(STORE_BYTES),
        .directory = large->directory,
        .identity = {.cluster_id = "c", .topic_id = "t", .generation = 1},
        .cache_bytes_max = CACHE_BYTES,
        .now_wall_ms = mr_clock_wall_ms(),
    };
    struct mr_state_opened opened;
    must(large, mr_state_open(&large->open, &large->state, &opened, &large->error));
    must(large, mr_table_open(large->state, spec, &large->table, &large->error));
}

static void large_close(struct large *large)
{
    mr_state_close(large->state);
    large->open.store_ops->resources_destroy(large->open.resources);
    fixture_remove_folder(large->directory);
}

static struct mr_slice key_of(int64_t number, char text[32])
{
    char digits[MR_NUMBER_TEXT_SIZE];
    size_t size = mr_number_format_int(number, digits);
    memcpy(text, "sensor-", 7);
    memcpy(text + 7, digits, size);
    return mr_slice_from(text, 7 + size);
}

static bool add(struct large *large, int64_t number, int64_t time_ms)
{
    char text[32];
    struct mr_slice key = key_of(number, text);
    void *memory;
    bool created;
    must(large, mr_table_get(large->table, key, mr_hash64(key), time_ms, &memory, &created,
                             &large->error));
    struct fixture_object *object = memory;
    object->count++;
    mr_table_dirty(large->table, memory);
    return created;
}

static size_t commit(struct large *large)
{
    struct mr_sealed *sealed;
    const struct mr_state_change *changes;
    size_t count;
    must(large, mr_state_seal(large->state, &sealed, &changes, &count, &large->error));
    int64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += (int64_t)(changes[i].key.size + changes[i].value.size);
    large->offset += (int64_t)count + 2;
    must(large, mr_state_apply_sealed(large->state, sealed, large->offset, bytes,
                                      mr_clock_wall_ms(), &large->error));
    mr_state_release_sealed(large->state, sealed);
    int64_t rss = rss_bytes();
    if (rss > large->rss_max)
        large->rss_max = rss;
    return count;
}

/* ---- hot ---- */

enum { HOT_KEYS = 10000, HOT_ROUNDS = 200, SEAL_ROUNDS = 100 };

static void measure_gets(struct large *large, const struct mr_slice *keys, const uint64_t *hashes)
{
    uint64_t start = mr_clock_thread_cpu_ns();
    int64_t sum = 0;
    for (int round = 0; round < HOT_ROUNDS; round++) {
        for (uint32_t i = 0; i < HOT_KEYS; i++) {
            uint32_t place = (i * 7919u) % HOT_KEYS; /* not in the order of their creation */
            void *memory;
            bool created;
            must(large, mr_table_get(large->table, keys[place], hashes[place], round, &memory,
                                     &created, &large->error));
            sum += ((struct fixture_object *)memory)->count;
        }
    }
    uint64_t spent = mr_clock_thread_cpu_ns() - start;
    check(sum == (int64_t)HOT_KEYS * HOT_ROUNDS, "every hot key is found");
    printf("hot: mr_table_get of %d keys: %.1f ns\n", HOT_KEYS,
           (double)spent / ((double)HOT_KEYS * HOT_ROUNDS));
}

static void measure_seals(struct large *large)
{
    uint64_t seal_ns = 0;
    uint64_t changes_count = 0;
    uint64_t changes_bytes = 0;
    uint64_t allocations = 0;
    for (int round = 0; round < SEAL_ROUNDS; round++) {
        for (int64_t i = 0; i < HOT_KEYS; i++)
            add(large, i, round);
        struct mr_sealed *sealed;
        const struct mr_state_change *changes;
        size_t count;
        uint64_t before = mr_memory_counters().allocation_count;
        uint64_t start = mr_clock_thread_cpu_ns();
        must(large, mr_state_seal(large->state, &sealed, &changes, &count, &large->error));
        seal_ns += mr_clock_thread_cpu_ns() - start;
        allocations = mr_memory_counters().allocation_count - before;
        for (size_t i = 0; i < count; i++)
            changes_bytes += changes[i].key.size + changes[i].value.size;
        changes_count += count;
        large->offset += (int64_t)count;
        must(large, mr_state_apply_sealed(large->state, sealed, large->offset, 1000,
                                          mr_clock_wall_ms(), &large->error));
        mr_state_release_sealed(large->state, sealed);
    }
    check(allocations == 0, "a seal like the ones before takes no heap memory");
    printf("hot: seal: %.0f ns an object, %.0f MB/s of changelog\n",
           (double)seal_ns / (double)changes_count,
           (double)changes_bytes / ((double)seal_ns / 1e9) / 1e6);
}

static void phase_hot(struct large *large)
{
    struct mr_table_spec spec = fixture_spec("hot");
    large_open(large, &spec);
    char(*texts)[32] = mr_memory_new(HOT_KEYS, sizeof *texts);
    struct mr_slice *keys = mr_memory_new(HOT_KEYS, sizeof *keys);
    uint64_t *hashes = mr_memory_new(HOT_KEYS, sizeof *hashes);
    for (int64_t i = 0; i < HOT_KEYS; i++) {
        keys[i] = key_of(i, texts[i]);
        hashes[i] = mr_hash64(keys[i]);
        add(large, i, 0);
    }
    commit(large);
    measure_gets(large, keys, hashes);
    measure_seals(large);
    mr_memory_free(hashes);
    mr_memory_free(keys);
    mr_memory_free(texts);
    large_close(large);
}

/* ---- bounds ---- */

static bool count_objects(void *argument, struct mr_slice key, struct mr_slice value)
{
    MR_UNUSED(value);
    *(int64_t *)argument += key.data[4] == MR_KEY_OBJECT;
    return true;
}

static void report_memory(const struct large *large, const char *phase)
{
    double budget = (double)CACHE_BYTES + (double)STORE_BYTES;
    double grown = (double)(large->rss_max - large->rss_start);
    printf("%s: resident memory grew by %.1f MB at most, budget %.1f MB\n", phase, grown / 1e6,
           budget / 1e6);
    fflush(stdout);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    printf("%s: a sanitizer's memory is in it: not checked\n", phase);
#else
    check(grown <= budget * 1.2, "resident memory within the budget and 20 %");
#endif
}

static void phase_bounds(struct large *large)
{
    struct mr_table_spec spec = fixture_spec("bounds");
    spec.keys_max = large->keys;
    spec.ttl_ms = large->keys * 10;
    large_open(large, &spec);
    int64_t total = large->keys + large->keys / 5;
    uint64_t start = mr_clock_monotonic_ns();
    uint64_t cpu_start = mr_clock_process_cpu_ns();
    for (int64_t i = 0; i < total; i++) {
        check(add(large, i, i), "a fresh key is new");
        if (i % TRANSACTION_KEYS == TRANSACTION_KEYS - 1)
            commit(large);
    }
    commit(large);
    struct mr_state_statistics statistics;
    mr_state_statistics(large->state, &statistics);
    printf("bounds: %lld keys through max_keys %lld: %.1f s, %.2f us CPU a key, %.1f MB on disk\n",
           (long long)total, (long long)large->keys,
           (double)(mr_clock_monotonic_ns() - start) / 1e9,
           (double)(mr_clock_process_cpu_ns() - cpu_start) / 1e3 / (double)total,
           (double)statistics.store.disk_bytes / 1e6);
    check(mr_table_keys(large->table) == large->keys, "the count of keys is exact");
    int64_t stored = 0;
    must(large, mr_state_visit(large->state, count_objects, &stored, &large->error));
    check(stored == large->keys, "the store holds as many objects");
    start = mr_clock_monotonic_ns();
    uint64_t call_max = 0;
    int64_t end_ms = total + spec.ttl_ms;
    while (mr_table_keys(large->table) > 0) {
        uint64_t call = mr_clock_monotonic_ns();
        must(large, mr_table_expire(large->table, end_ms, &large->error));
        call = mr_clock_monotonic_ns() - call;
        call_max = call > call_max ? call : call_max;
        commit(large);
    }
    commit(large);
    stored = 0;
    must(large, mr_state_visit(large->state, count_objects, &stored, &large->error));
    check(stored == 0, "the ttl has ended every key");
    printf("bounds: all ended by the ttl in %.1f s, longest call %.1f ms\n",
           (double)(mr_clock_monotonic_ns() - start) / 1e9, (double)call_max / 1e6);
    report_memory(large, "bounds");
    large_close(large);
}

/* ---- restore ---- */

static void phase_restore(struct large *large)
{
    struct mr_table_spec spec = fixture_spec("restore");
    large_open(large, &spec);
    uint32_t id = mr_key_table_id("restore", "counts");
    uint64_t start = mr_clock_monotonic_ns();
    uint64_t cpu_start = mr_clock_process_cpu_ns();
    for (int64_t i = 0; i < large->keys; i++) {
        char text[32];
        uint8_t key[64];
        uint8_t value[64];
        /* Keys in an order that has nothing to do with the store's. */
        struct mr_slice user =
            key_of((int64_t)(((uint64_t)i * UINT64_C(2654435761)) % (uint64_t)large->keys), text);
        struct mr_stored_object head = {.version = 3, .time_ms = MR_TIME_NONE};
        struct fixture_object object = {.count = i, .sum = 1.5};
        size_t size = mr_stored_object_write_head(value, &head);
        memcpy(value + size, &object, sizeof object);
        must(large, mr_state_restore_record(
                        large->state, mr_slice_from(key, mr_key_write_object(key, id, user)),
                        mr_slice_from(value, size + sizeof object), false, &large->error));
        if (i % 10000 == 9999 || i == large->keys - 1)
            must(large,
                 mr_state_restore_commit(large->state, i + 1, mr_clock_wall_ms(), &large->error));
        int64_t rss = i % 100000 == 0 ? rss_bytes() : 0;
        large->rss_max = rss > large->rss_max ? rss : large->rss_max;
    }
    must(large, mr_state_restore_finish(large->state, &large->error));
    double cpu_s = (double)(mr_clock_process_cpu_ns() - cpu_start) / 1e9;
    printf("restore: %lld records: %.1f s, %.0f records per CPU-second\n", (long long)large->keys,
           (double)(mr_clock_monotonic_ns() - start) / 1e9, (double)large->keys / cpu_s);
    report_memory(large, "restore");
    large_close(large);
}

static int run_phase(const char *name, void (*phase)(struct large *large), int64_t keys)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct large *large = mr_memory_new(1, sizeof *large);
        large->keys = keys;
        phase(large);
        mr_memory_free(large);
        fflush(stdout);
        _exit(0);
    }
    int result = 1;
    if (child < 0 || waitpid(child, &result, 0) != child || result != 0) {
        fprintf(stderr, "phase %s failed\n", name);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*phase)(struct large *large);
    } phases[] = {{"hot", phase_hot}, {"bounds", phase_bounds}, {"restore", phase_restore}};
    int64_t keys = argc > 1 ? strtoll(argv[1], NULL, 10) : 200000;
    int failed = 0;
    for (size_t i = 0; i < MR_ARRAY_COUNT(phases); i++) {
        if (argc <= 2 || strcmp(argv[2], phases[i].name) == 0)
            failed |= run_phase(phases[i].name, phases[i].phase, keys);
    }
    return failed;
}
