/* tests/conformance/state_large.c — keyed state with many keys: bounds, memory, disk and speed.
 * Usage: state_large [KEYS [PHASE...]]. ctest runs it with 200,000 keys and fewer; the deep run has
 * 10,000,000 and 2,000,000. Every phase is a process of its own, so that its memory is its own.
 *   hot      mr_table_get on 10,000 cached keys, and seal throughput
 *   bounds   KEYS * 1.2 keys through max_keys = KEYS, then all of them ended by the ttl: counts are
 *            exact, resident memory stays within the configured budget
 *   timed    KEYS timed keys that are moved once, then popped in their order: memory within the
 *            budget, and the disk back to what it was before them
 *   ranges   the same with ranges of a scanned table, which are scanned and removed as windows are
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
    struct mr_table *stays; /* keys that stay while those of `table` come and go */
    uint64_t cache_bytes;
    int64_t keys;
    int64_t now_ms; /* what is added to the wall time */
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
    if (large->cache_bytes == 0)
        large->cache_bytes = CACHE_BYTES;
    large->open = (struct mr_state_open){
        .store_ops = ops,
        .resources = ops->resources_create(STORE_BYTES),
        .directory = large->directory,
        .identity = {.cluster_id = "c", .topic_id = "t", .generation = 1},
        .cache_bytes_max = large->cache_bytes,
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

static bool add_key(struct large *large, struct mr_table *table, struct mr_slice key,
                    int64_t time_ms)
{
    void *memory;
    bool created;
    must(large,
         mr_table_get(table, key, mr_hash64(key), time_ms, &memory, &created, &large->error));
    struct fixture_object *object = memory;
    object->count++;
    mr_table_dirty(table, memory);
    return created;
}

static bool add(struct large *large, int64_t number, int64_t time_ms)
{
    char text[32];
    return add_key(large, large->table, key_of(number, text), time_ms);
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
                                      mr_clock_wall_ms() + large->now_ms, &large->error));
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
    double budget = (double)large->cache_bytes + (double)STORE_BYTES;
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

/* ---- timed, ranges ---- */

enum {
    RANGE_KEYS = 2000,
    SETTLE_MS = 20000,
    REST_ROUNDS = 10,
    SHORT_SCANS = 20000,
    HOUR_MS = 3600 * 1000
};

/* What the store takes on disk, once flushes and merges have come to rest. */
static uint64_t disk_bytes(struct large *large)
{
    struct mr_state_statistics statistics;
    char text[32];
    large->now_ms += 31000; /* the rule for flushing */
    add_key(large, large->stays, key_of(0, text), 0);
    commit(large);
    uint64_t last = UINT64_MAX;
    for (uint32_t same = 0; same < REST_ROUNDS;) {
        usleep(20000);
        mr_state_statistics(large->state, &statistics);
        same = statistics.store.disk_bytes == last ? same + 1 : 0;
        last = statistics.store.disk_bytes;
    }
    return last;
}

static void open_with_keys_that_stay(struct large *large, const struct mr_table_spec *spec)
{
    struct mr_table_spec stays = fixture_spec("stays");
    /* 2,000,000 keys are measured with 64 MiB; fewer with less than they need. */
    large->cache_bytes = large->keys >= 1000000 ? 64 << 20 : 4 << 20;
    large_open(large, spec);
    must(large, mr_table_open(large->state, &stays, &large->stays, &large->error));
    for (int64_t i = 0; i < large->keys / 10; i++) {
        char text[32];
        add_key(large, large->stays, key_of(i, text), 0);
        if (i % TRANSACTION_KEYS == TRANSACTION_KEYS - 1)
            commit(large);
    }
    commit(large);
}

/* The disk comes back to within 10 % of what it was, when the store had time to merge its files. */
static void check_disk(struct large *large, const char *phase, uint64_t before, uint64_t full)
{
    uint64_t after = 0;
    uint64_t start = mr_clock_monotonic_ns();
    uint64_t spent_ms = 0;
    do {
        after = disk_bytes(large);
        spent_ms = (mr_clock_monotonic_ns() - start) / 1000000;
    } while (after > before + before / 10 && spent_ms < SETTLE_MS);
    printf("%s: on disk %.2f MB, with the keys %.2f MB, then %.2f MB after %.1f s\n", phase,
           (double)before / 1e6, (double)full / 1e6, (double)after / 1e6, (double)spent_ms / 1e3);
    fflush(stdout);
    check(after <= before + before / 10, "the disk is back to within 10 %");
}

static int64_t schedule_all(struct large *large, uint64_t step)
{
    int64_t least = INT64_MAX;
    for (int64_t i = 0; i < large->keys; i++) {
        char text[32];
        int64_t number = (int64_t)(((uint64_t)i * step) % (uint64_t)large->keys);
        struct mr_slice key = key_of(number, text);
        void *memory;
        bool created;
        must(large,
             mr_table_get(large->table, key, mr_hash64(key), 0, &memory, &created, &large->error));
        struct fixture_object *object = memory;
        object->count = (int64_t)(mr_hash64(key) * step % HOUR_MS);
        mr_table_schedule(large->table, memory, object->count);
        least = object->count < least ? object->count : least;
        if (i % TRANSACTION_KEYS == TRANSACTION_KEYS - 1)
            commit(large);
    }
    commit(large);
    return least;
}

static void pop_all(struct large *large, int64_t least)
{
    int64_t last = least;
    int64_t popped = 0;
    uint64_t call_max = 0;
    for (;;) {
        struct mr_slice key;
        uint64_t hash;
        void *memory;
        bool found;
        uint64_t call = mr_clock_thread_cpu_ns();
        must(large,
             mr_table_next_due(large->table, HOUR_MS, &key, &hash, &memory, &found, &large->error));
        call = mr_clock_thread_cpu_ns() - call;
        call_max = call > call_max ? call : call_max;
        if (!found)
            break;
        int64_t due_ms = ((const struct fixture_object *)memory)->count;
        check(popped > 0 || due_ms == least, "the least is first");
        check(due_ms >= last, "keys are popped in their order");
        last = due_ms;
        must(large, mr_table_remove(large->table, key, hash, &large->error));
        if (++popped % TRANSACTION_KEYS == 0)
            commit(large);
    }
    commit(large);
    check(popped == large->keys && mr_table_keys(large->table) == 0, "every key is popped once");
    printf("timed: longest call %.1f ms of its thread\n", (double)call_max / 1e6);
}

static void phase_timed(struct large *large)
{
    struct mr_table_spec spec = fixture_spec("timed");
    spec.timed = true;
    open_with_keys_that_stay(large, &spec);
    uint64_t before = disk_bytes(large);
    uint64_t cpu_start = mr_clock_process_cpu_ns();
    schedule_all(large, UINT64_C(2654435761));
    int64_t least = schedule_all(large, UINT64_C(1000003));
    uint64_t full = disk_bytes(large);
    uint64_t cpu_middle = mr_clock_process_cpu_ns();
    pop_all(large, least);
    printf("timed: %lld keys: %.2f us CPU to schedule a key, %.2f us to pop it\n",
           (long long)large->keys, (double)(cpu_middle - cpu_start) / 2e3 / (double)large->keys,
           (double)(mr_clock_process_cpu_ns() - cpu_middle) / 1e3 / (double)large->keys);
    check_disk(large, "timed", before, full);
    report_memory(large, "timed");
    large_close(large);
}

static struct mr_slice range_key(int64_t number, char text[32])
{
    return mr_slice_from(text, (size_t)snprintf(text, 32, "%08lld-%04lld",
                                                (long long)(number / RANGE_KEYS),
                                                (long long)(number % RANGE_KEYS)));
}

static bool count_object(void *argument, struct mr_slice key, void *object)
{
    MR_UNUSED(key);
    MR_UNUSED(object);
    ++*(int64_t *)argument;
    return true;
}

/* As joins do it: few neighbours of any key, beside a transaction's changes. */
static void scan_few(struct large *large)
{
    uint64_t start = mr_clock_thread_cpu_ns();
    int64_t scanned = 0;
    for (int64_t i = 0; i < SHORT_SCANS; i++) {
        char first[32];
        char end[32];
        int64_t number = (int64_t)((uint64_t)i * UINT64_C(2654435761) % (uint64_t)large->keys);
        number -= number % 10;
        must(large,
             mr_table_scan(large->table, range_key(number, first), range_key(number + 10, end),
                           count_object, &scanned, &large->error));
    }
    check(scanned == 10 * SHORT_SCANS, "ten keys in each short range");
    printf("ranges: %.2f us to scan ten neighbours\n",
           (double)(mr_clock_thread_cpu_ns() - start) / 1e3 / SHORT_SCANS);
}

/* Ranges are filled, scanned and removed one after the other, from a scan's view from the first
 * key on: what was removed before must not make it slower. */
static void remove_ranges(struct large *large)
{
    uint64_t scan_ns = 0;
    uint64_t remove_ns = 0;
    int64_t scanned = 0;
    for (int64_t i = 0; i < large->keys; i += RANGE_KEYS) {
        char text[32];
        struct mr_slice end = mr_slice_from(range_key(i + RANGE_KEYS, text).data, 8);
        struct mr_slice rest;
        uint64_t start = mr_clock_process_cpu_ns();
        must(large, mr_table_scan(large->table, mr_slice_text(""), end, count_object, &scanned,
                                  &large->error));
        uint64_t middle = mr_clock_process_cpu_ns();
        must(large,
             mr_table_remove_range(large->table, mr_slice_text(""), end, &rest, &large->error));
        check(rest.data == NULL, "a range is removed in one call");
        scan_ns += middle - start;
        remove_ns += mr_clock_process_cpu_ns() - middle;
        commit(large);
    }
    check(scanned == large->keys && mr_table_keys(large->table) == 0, "each key is seen once");
    printf("ranges: %.0f ns to scan a key, %.0f ns to remove it\n",
           (double)scan_ns / (double)large->keys, (double)remove_ns / (double)large->keys);
}

static void phase_ranges(struct large *large)
{
    struct mr_table_spec spec = fixture_spec("ranges");
    spec.scanned = true;
    open_with_keys_that_stay(large, &spec);
    uint64_t before = disk_bytes(large);
    large->keys -= large->keys % RANGE_KEYS;
    for (int64_t i = 0; i < large->keys; i++) {
        char text[32];
        add_key(large, large->table, range_key(i, text), 0);
        if (i % TRANSACTION_KEYS == TRANSACTION_KEYS - 1)
            commit(large);
    }
    uint64_t full = disk_bytes(large);
    scan_few(large);
    remove_ranges(large);
    check_disk(large, "ranges", before, full);
    report_memory(large, "ranges");
    large_close(large);
}

/* ---- restore ---- */

static void phase_restore(struct large *large)
{
    struct mr_table_spec spec = fixture_spec("restore");
    large_open(large, &spec);
    uint32_t id = mr_key_table_id("restore", "counts", 0);
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
    } phases[] = {{"hot", phase_hot},
                  {"bounds", phase_bounds},
                  {"timed", phase_timed},
                  {"ranges", phase_ranges},
                  {"restore", phase_restore}};
    int64_t keys = argc > 1 ? strtoll(argv[1], NULL, 10) : 200000;
    int failed = 0;
    for (size_t i = 0; i < MR_ARRAY_COUNT(phases); i++) {
        bool chosen = argc <= 2;
        for (int given = 2; given < argc; given++)
            chosen = chosen || strcmp(argv[given], phases[i].name) == 0;
        if (chosen)
            failed |= run_phase(phases[i].name, phases[i].phase, keys);
    }
    return failed;
}
