/* tests/unit/state/test_rocksdb_store.c — the store on a disk that is shared, damaged, full, or
 * whose process was killed. The contract itself is in tests/conformance/store_conformance.c. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/support/state_fixture.h"

static const struct mr_store_ops *const ops = &mr_store_rocksdb;

struct disk {
    struct mr_store_resources *resources;
    void *store;
    struct mr_arena arena;
    struct mr_error error;
    char directory[64];
};

static int setup(void **test_state)
{
    struct disk *disk = mr_memory_new(1, sizeof *disk);
    memcpy(disk->directory, "/tmp/mr-disk-XXXXXX", 20);
    if (mkdtemp(disk->directory) == NULL)
        return 1;
    mr_arena_init(&disk->arena, 1 << 16);
    *test_state = disk;
    return 0;
}

static enum mr_status try_open(struct disk *disk)
{
    struct mr_store_open open = {.directory = disk->directory, .resources = disk->resources};
    disk->store = mr_memory_new(1, ops->instance_size);
    return ops->open(disk->store, &open, &disk->error);
}

static void disk_close(struct disk *disk)
{
    if (disk->store == NULL)
        return;
    ops->close(disk->store);
    mr_memory_free(disk->store);
    disk->store = NULL;
}

static void disk_open(struct disk *disk)
{
    if (disk->resources == NULL)
        disk->resources = ops->resources_create(16 << 20);
    if (try_open(disk) != MR_OK)
        fail_msg("%s", disk->error.message);
}

static int teardown(void **test_state)
{
    struct disk *disk = *test_state;
    disk_close(disk);
    ops->resources_destroy(disk->resources);
    fixture_remove_folder(disk->directory);
    mr_arena_deinit(&disk->arena);
    mr_memory_free(disk);
    return 0;
}

/* One batch: the counter, and 20 keys that say the same. */
static enum mr_status write_round(struct disk *disk, uint32_t round, size_t value_bytes)
{
    struct mr_store_write writes[21];
    char keys[21][16];
    char text[16];
    uint8_t *value = mr_memory_new(1, value_bytes);
    struct mr_random random;
    mr_random_init(&random, round, 0);
    for (size_t i = 0; i < value_bytes; i++) /* nothing to compress */
        value[i] = (uint8_t)mr_random_u32(&random);
    size_t size = (size_t)snprintf(text, sizeof text, "%u", round);
    memcpy(value, text, size + 1);
    for (int i = 0; i < 21; i++) {
        snprintf(keys[i], sizeof keys[i], i == 20 ? "round" : "k%02d", i);
        writes[i] = (struct mr_store_write){.kind = MR_STORE_PUT,
                                            .key = mr_slice_text(keys[i]),
                                            .value = mr_slice_from(value, value_bytes)};
    }
    enum mr_status status = ops->write(disk->store, writes, 21, &disk->error);
    mr_memory_free(value);
    return status;
}

static int64_t read_number(struct disk *disk, const char *key)
{
    struct mr_slice value;
    enum mr_status status =
        ops->get(disk->store, mr_slice_text(key), &disk->arena, &value, &disk->error);
    return status == MR_OK ? strtoll((const char *)value.data, NULL, 10) : -1;
}

/* All keys are of one round: the store is a prefix of whole batches. Returns the round, -1: none.
 */
static int64_t assert_prefix(struct disk *disk)
{
    int64_t round = read_number(disk, "round");
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%02d", i);
        assert_int_equal(read_number(disk, key), round);
    }
    return round;
}

/* ---- Killed ---- */

_Noreturn static void child_writes(const char *directory, int pipe_end)
{
    struct disk disk = {0};
    snprintf(disk.directory, sizeof disk.directory, "%s", directory);
    disk.resources = ops->resources_create(16 << 20);
    if (try_open(&disk) != MR_OK)
        _exit(2);
    mr_arena_init(&disk.arena, 1 << 16);
    uint32_t first = (uint32_t)(read_number(&disk, "round") + 1);
    for (uint32_t round = first;; round++) {
        if (write_round(&disk, round, 2000) != MR_OK)
            _exit(3);
        if (round % 16 == 15 && ops->flush(disk.store, true, &disk.error) != MR_OK)
            _exit(4);
        if (write(pipe_end, &round, sizeof round) != sizeof round)
            _exit(5);
    }
}

static void test_killed_between_batches(void **test_state)
{
    struct disk *disk = *test_state;
    int64_t kept = -1;
    for (int kill_count = 0; kill_count < 8; kill_count++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork(); /* before this process has threads of the store */
        if (child == 0)
            child_writes(disk->directory, ends[1]);
        close(ends[1]);
        uint32_t round = 0;
        for (int i = 0; i < 10 + kill_count * 17; i++)
            assert_int_equal(read(ends[0], &round, sizeof round), sizeof round);
        kill(child, SIGKILL);
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result));
        while (read(ends[0], &round, sizeof round) == sizeof round)
            ; /* what it wrote before the signal came */
        close(ends[0]);
        /* Look at it in a process of its own, so that this one stays without threads. */
        child = fork();
        if (child == 0) {
            disk->resources = ops->resources_create(16 << 20);
            int64_t found = try_open(disk) == MR_OK ? read_number(disk, "round") : -2;
            for (int i = 0; i < 20; i++) {
                char key[16];
                snprintf(key, sizeof key, "k%02d", i);
                if (read_number(disk, key) != found)
                    _exit(255);
            }
            /* What was flushed is there, nothing from before is lost. */
            int64_t flushed = ((int64_t)round + 1) / 16 * 16 - 1;
            _exit(found >= flushed && found >= kept && found <= (int64_t)round + 1 ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
        kept = ((int64_t)round + 1) / 16 * 16 - 1;
    }
    assert_true(kept > 100);
}

/* ---- Full ---- */

/* A limit on the size of a file stands for a full disk: writes beyond it fail. */
_Noreturn static void child_fills(struct disk *disk)
{
    signal(SIGXFSZ, SIG_IGN);
    disk_open(disk);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 200000;
    setrlimit(RLIMIT_FSIZE, &limit);
    enum mr_status status = MR_OK;
    uint32_t round = 0;
    while (status == MR_OK && round < 100) {
        status = write_round(disk, round++, 30000);
        if (status == MR_OK)
            status = ops->flush(disk->store, true, &disk->error);
    }
    bool clear = status == MR_IO && disk->error.recovery == MR_RECOVERY_EXIT &&
                 strlen(disk->error.message) > 20;
    if (!clear)
        _exit(1);
    status = write_round(disk, round, 30000);
    if (status == MR_OK)
        status = ops->flush(disk->store, true, &disk->error);
    disk_close(disk);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (try_open(disk) != MR_OK || write_round(disk, 500, 100) != MR_OK ||
        ops->flush(disk->store, true, &disk->error) != MR_OK)
        _exit(3);
    disk_close(disk);
    if (try_open(disk) != MR_OK || read_number(disk, "round") != 500)
        _exit(4);
    _exit(0);
}

static void test_a_full_disk(void **test_state)
{
    struct disk *disk = *test_state;
    int result;
    pid_t child = fork();
    if (child == 0)
        child_fills(disk);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

/* ---- Damaged ---- */

/* The first file of the folder whose name has this part, NULL: none. */
static const char *find_file(const struct disk *disk, const char *part, char path[400])
{
    DIR *folder = opendir(disk->directory);
    const char *found = NULL;
    for (struct dirent *file = readdir(folder); file != NULL; file = readdir(folder)) {
        if (strstr(file->d_name, part) != NULL) {
            snprintf(path, 400, "%s/%s", disk->directory, file->d_name);
            found = path;
        }
    }
    closedir(folder);
    return found;
}

static void prepare(struct disk *disk)
{
    disk_open(disk);
    assert_int_equal(write_round(disk, 7, 3000), MR_OK);
    assert_int_equal(ops->flush(disk->store, true, &disk->error), MR_OK);
    disk_close(disk);
}

static void assert_corrupt(struct disk *disk)
{
    enum mr_status status = try_open(disk);
    if (status == MR_OK) { /* found when the block is read */
        struct mr_slice value;
        status = ops->get(disk->store, mr_slice_text("k05"), &disk->arena, &value, &disk->error);
    }
    assert_int_equal(status, MR_CORRUPT);
    assert_int_equal(disk->error.recovery, MR_RECOVERY_RESTORE);
    assert_string_equal(disk->error.origin, "rocksdb");
    assert_non_null(strstr(disk->error.message, "damaged"));
    disk_close(disk);
    assert_int_equal(ops->wipe(disk->directory, &disk->error), MR_OK);
    disk_open(disk);
    assert_int_equal(read_number(disk, "k05"), -1);
    assert_int_equal(write_round(disk, 8, 100), MR_OK);
}

static void overwrite(const char *path, long offset, size_t bytes)
{
    int file = open(path, O_WRONLY);
    assert_true(file >= 0);
    uint8_t garbage[4096];
    memset(garbage, 0xa5, sizeof garbage);
    MR_ASSERT(bytes <= sizeof garbage);
    assert_int_equal(pwrite(file, garbage, bytes, offset), (ssize_t)bytes);
    close(file);
}

static void test_damaged_current(void **test_state)
{
    struct disk *disk = *test_state;
    char path[400];
    prepare(disk);
    overwrite(find_file(disk, "CURRENT", path), 0, 12);
    assert_corrupt(disk);
}

static void test_damaged_manifest(void **test_state)
{
    struct disk *disk = *test_state;
    char path[400];
    prepare(disk);
    overwrite(find_file(disk, "MANIFEST", path), 4, 40);
    assert_corrupt(disk);
}

static void test_missing_manifest(void **test_state)
{
    struct disk *disk = *test_state;
    char path[400];
    prepare(disk);
    unlink(find_file(disk, "MANIFEST", path));
    assert_corrupt(disk);
}

static void test_damaged_table(void **test_state)
{
    struct disk *disk = *test_state;
    char path[400];
    prepare(disk);
    for (long offset = 0; offset < 40000; offset += 4096)
        overwrite(find_file(disk, ".sst", path), offset, 4096);
    assert_corrupt(disk);
}

static void test_missing_table(void **test_state)
{
    struct disk *disk = *test_state;
    char path[400];
    prepare(disk);
    unlink(find_file(disk, ".sst", path));
    assert_corrupt(disk);
}

static void test_missing_current(void **test_state)
{
    struct disk *disk = *test_state;
    char path[400];
    prepare(disk);
    unlink(find_file(disk, "CURRENT", path));
    assert_corrupt(disk);
}

/* Closing waits also for a flush that was only begun. */
static void test_closing_keeps_everything(void **test_state)
{
    struct disk *disk = *test_state;
    for (uint32_t round = 0; round < 10; round++) {
        disk_open(disk);
        for (uint32_t i = 0; i < 20; i++)
            assert_int_equal(write_round(disk, round * 20 + i, 20000), MR_OK);
        assert_int_equal(ops->flush(disk->store, false, &disk->error), MR_OK);
        disk_close(disk);
        disk_open(disk);
        assert_int_equal(assert_prefix(disk), round * 20 + 19);
        disk_close(disk);
    }
}

/* ---- Shared ---- */

static void test_wipe_leaves_foreign_files(void **test_state)
{
    struct disk *disk = *test_state;
    char path[400];
    prepare(disk);
    snprintf(path, sizeof path, "%s/notes.txt", disk->directory);
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(ops->wipe(disk->directory, &disk->error), MR_OK);
    assert_null(find_file(disk, ".sst", path));
    assert_null(find_file(disk, "MANIFEST", path));
    assert_non_null(find_file(disk, "notes.txt", path));
}

static void test_a_second_opener_and_a_wipe_are_refused(void **test_state)
{
    struct disk *disk = *test_state;
    disk_open(disk);
    struct disk second = *disk;
    assert_int_equal(try_open(&second), MR_IO);
    assert_int_equal(second.error.recovery, MR_RECOVERY_RETRY);
    assert_non_null(strstr(second.error.message, "open"));
    disk_close(&second);
    assert_int_equal(ops->wipe(disk->directory, &second.error), MR_IO);
    assert_int_equal(write_round(disk, 1, 10), MR_OK);
    assert_int_equal(assert_prefix(disk), 1);
}

static void test_a_folder_that_cannot_be_made(void **test_state)
{
    struct disk *disk = *test_state;
    char saved[64];
    char path[400];
    memcpy(saved, disk->directory, sizeof saved);
    snprintf(path, sizeof path, "%s/file", disk->directory);
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    close(file);
    snprintf(disk->directory, sizeof disk->directory, "%.30s/file/sub", saved);
    disk->resources = ops->resources_create(16 << 20);
    assert_int_equal(try_open(disk), MR_IO);
    assert_non_null(strstr(disk->error.message, "cannot be created"));
    disk_close(disk);
    memcpy(disk->directory, saved, sizeof saved);
}

/* Many databases divide one budget: opening the later ones shrinks the earlier ones. */
enum { FREED_KEYS = 20000, FREED_BATCH = 1000, FREED_VALUE_BYTES = 100 };

static void write_many(struct disk *disk, struct mr_random *random, bool deleted)
{
    static char keys[FREED_BATCH][16];
    static uint8_t values[FREED_BATCH][FREED_VALUE_BYTES];
    static struct mr_store_write writes[FREED_BATCH];
    for (int i = 0; i < FREED_KEYS; i++) {
        int place = i % FREED_BATCH;
        snprintf(keys[place], sizeof keys[place], "key-%06d", i);
        for (int j = 0; j < FREED_VALUE_BYTES; j++)
            values[place][j] = (uint8_t)mr_random_u32(random);
        writes[place] = (struct mr_store_write){
            .kind = deleted ? MR_STORE_DELETE : MR_STORE_PUT,
            .key = mr_slice_text(keys[place]),
            .value = mr_slice_from(values[place], deleted ? 0 : FREED_VALUE_BYTES)};
        if (place == FREED_BATCH - 1)
            assert_int_equal(ops->write(disk->store, writes, FREED_BATCH, &disk->error), MR_OK);
    }
    assert_int_equal(ops->flush(disk->store, true, &disk->error), MR_OK);
}

/* The flush of the deletions is all it takes. */
static void test_deletions_free_the_disk(void **test_state)
{
    struct disk *disk = *test_state;
    struct mr_random random;
    struct mr_store_statistics statistics;
    mr_random_init(&random, 5, 0);
    disk_open(disk);
    write_many(disk, &random, false);
    ops->statistics(disk->store, &statistics);
    assert_true(statistics.disk_bytes > FREED_KEYS * FREED_VALUE_BYTES);
    write_many(disk, &random, true);
    uint64_t start = mr_clock_monotonic_ns();
    do {
        usleep(10000);
        ops->statistics(disk->store, &statistics);
    } while (statistics.disk_bytes > 10000 &&
             mr_clock_monotonic_ns() - start < UINT64_C(20000000000));
    assert_true(statistics.disk_bytes <= 10000);
}

static void test_write_buffers_are_divided(void **test_state)
{
    enum { DATABASES = 12 };
    struct disk *disk = *test_state;
    char path[DATABASES][80];
    void *stores[DATABASES];
    disk->resources = ops->resources_create(64 << 20);
    for (int i = 0; i < DATABASES; i++) {
        snprintf(path[i], sizeof path[i], "%s-%d", disk->directory, i);
        struct mr_store_open open = {.directory = path[i], .resources = disk->resources};
        stores[i] = mr_memory_new(1, ops->instance_size);
        assert_int_equal(ops->open(stores[i], &open, &disk->error), MR_OK);
    }
    uint64_t most = 0;
    disk->store = stores[0];
    for (uint32_t round = 0; round < 60; round++) {
        assert_int_equal(write_round(disk, round, 20000), MR_OK); /* 25 MB in all */
        struct mr_store_statistics statistics;
        ops->statistics(disk->store, &statistics);
        most = statistics.memory_bytes > most ? statistics.memory_bytes : most;
    }
    /* Alone it would have two buffers of 6 MiB; its share of 24 MiB for 12 is 2 MiB, and at most
     * twice that while it was not told. */
    assert_true(most < 6 << 20);
    disk->store = NULL;
    for (int i = 0; i < DATABASES; i++) {
        ops->close(stores[i]);
        mr_memory_free(stores[i]);
        fixture_remove_folder(path[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First those that fork: later ones leave RocksDB's threads in this process. */
        cmocka_unit_test_setup_teardown(test_killed_between_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_current, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_current, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closing_keeps_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wipe_leaves_foreign_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_second_opener_and_a_wipe_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_that_cannot_be_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deletions_free_the_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_buffers_are_divided, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
