/* Tests of worker/janitor.c: what is deleted, when, and above all what is not. */
#include "base/memory.h"
#include "state/store.h"
#include "worker/janitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 512, KEEP_MS = 1000 };

static char root[PATH_SIZE];
static struct mr_store_resources *resources;

static int setup(void **state)
{
    (void)state;
    const char *folder = getenv("TMPDIR");
    (void)snprintf(root, sizeof(root), "%s/millrace-janitor-XXXXXX",
                   folder != NULL ? folder : "/tmp");
    assert_non_null(mkdtemp(root));
    resources = mr_store_rocksdb.resources_create(16 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[PATH_SIZE + 16];
    mr_store_rocksdb.resources_destroy(resources);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[PATH_SIZE * 2];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void make_folder(const char *name)
{
    char command[PATH_SIZE * 2 + 16];
    (void)snprintf(command, sizeof(command), "mkdir -p '%s'", path_of(name));
    assert_int_equal(system(command), 0);
}

static void make_file(const char *name, const char *content)
{
    FILE *file = fopen(path_of(name), "we");
    assert_non_null(file);
    (void)fputs(content, file);
    (void)fclose(file);
}

static bool exists(const char *name)
{
    struct stat found;
    return lstat(path_of(name), &found) == 0;
}

static void *open_store(const char *name)
{
    struct mr_error error;
    void *store = mr_memory_new(1, mr_store_rocksdb.instance_size);
    struct mr_store_open open = {.directory = path_of(name), .resources = resources};
    assert_int_equal(mr_store_rocksdb.open(store, &open, &error), MR_OK);
    return store;
}

static void close_store(void *store)
{
    mr_store_rocksdb.close(store);
    mr_memory_free(store);
}

static void make_store(const char *name)
{
    close_store(open_store(name));
}

static void what_left_goes_after_its_time(void **state)
{
    (void)state;
    struct mr_janitor *janitor = mr_janitor_create(root, &mr_store_rocksdb, 0);
    mr_janitor_opened(janitor, 0xabc, "score", 3);
    make_store("0000000000000abc/score/3");
    assert_false(mr_janitor_sweep(janitor, 1000000, KEEP_MS));
    mr_janitor_closed(janitor, 0xabc, "score", 3, 5000);
    assert_false(mr_janitor_sweep(janitor, 5000 + KEEP_MS - 1, KEEP_MS));
    assert_true(exists("0000000000000abc/score/3"));
    assert_true(mr_janitor_sweep(janitor, 5000 + KEEP_MS, KEEP_MS));
    assert_false(exists("0000000000000abc"));
    assert_true(exists("."));
    assert_false(mr_janitor_sweep(janitor, 1000000, KEEP_MS));
    mr_janitor_destroy(janitor);
}

static void one_that_comes_back_stays(void **state)
{
    (void)state;
    struct mr_janitor *janitor = mr_janitor_create(root, &mr_store_rocksdb, 0);
    mr_janitor_opened(janitor, 1, "score", 0);
    make_store("0000000000000001/score/0");
    mr_janitor_closed(janitor, 1, "score", 0, 1000);
    mr_janitor_opened(janitor, 1, "score", 0);
    assert_false(mr_janitor_sweep(janitor, 1000000, KEEP_MS));
    /* Opened twice, as by an old and a new version: both must have left. */
    mr_janitor_opened(janitor, 1, "score", 0);
    mr_janitor_closed(janitor, 1, "score", 0, 1000);
    assert_false(mr_janitor_sweep(janitor, 1000000, KEEP_MS));
    mr_janitor_closed(janitor, 1, "score", 0, 1000);
    assert_true(mr_janitor_sweep(janitor, 1000000, KEEP_MS));
    mr_janitor_destroy(janitor);
}

static void what_an_earlier_start_left_counts_from_now(void **state)
{
    (void)state;
    make_store("00000000000000aa/score/0");
    make_store("00000000000000aa/score/1");
    struct mr_janitor *janitor = mr_janitor_create(root, &mr_store_rocksdb, 7000);
    mr_janitor_opened(janitor, 0xaa, "score", 1);
    assert_false(mr_janitor_sweep(janitor, 7000 + KEEP_MS - 1, KEEP_MS));
    assert_true(mr_janitor_sweep(janitor, 7000 + KEEP_MS, KEEP_MS));
    assert_false(mr_janitor_sweep(janitor, 7000 + KEEP_MS, KEEP_MS));
    assert_false(exists("00000000000000aa/score/0"));
    assert_true(exists("00000000000000aa/score/1"));
    mr_janitor_destroy(janitor);
}

static void what_is_not_ours_is_never_touched(void **state)
{
    (void)state;
    static const char *const folders[] = {
        "00000000000000aa/score/01",
        "00000000000000aa/score/x",
        "00000000000000AA/score/0",
        "0000000000000aa/score/0",
        "notes/score/0",
        "00000000000000bb/score/0",
        "00000000000000aa/score/-1",
        "backup",
    };
    for (size_t index = 0; index < sizeof(folders) / sizeof(folders[0]); index++) {
        char name[PATH_SIZE];
        make_folder(folders[index]);
        (void)snprintf(name, sizeof(name), "%s/precious", folders[index]);
        make_file(name, "precious");
        (void)snprintf(name, sizeof(name), "%s/CURRENT", folders[index]);
        make_file(name, strstr(folders[index], "bb") != NULL ? "mine\n" : "MANIFEST-000001\n");
    }
    /* A link to a folder that looks like ours. */
    make_store("elsewhere/0");
    make_folder("00000000000000cc");
    char target[PATH_SIZE * 2];
    (void)snprintf(target, sizeof(target), "%s", path_of("elsewhere"));
    assert_int_equal(symlink(target, path_of("00000000000000cc/score")), 0);
    struct mr_janitor *janitor = mr_janitor_create(root, &mr_store_rocksdb, 0);
    assert_false(mr_janitor_sweep(janitor, 1000000, KEEP_MS));
    for (size_t index = 0; index < sizeof(folders) / sizeof(folders[0]); index++) {
        char name[PATH_SIZE];
        (void)snprintf(name, sizeof(name), "%s/precious", folders[index]);
        assert_true(exists(name));
    }
    assert_true(exists("elsewhere/0/CURRENT"));
    mr_janitor_destroy(janitor);
}

static void foreign_files_in_a_task_folder_stay(void **state)
{
    (void)state;
    make_store("00000000000000aa/score/0");
    make_file("00000000000000aa/score/0/notes.txt", "mine");
    struct mr_janitor *janitor = mr_janitor_create(root, &mr_store_rocksdb, 0);
    assert_true(mr_janitor_sweep(janitor, 1000000, KEEP_MS));
    assert_true(exists("00000000000000aa/score/0/notes.txt"));
    assert_false(exists("00000000000000aa/score/0/CURRENT"));
    mr_janitor_destroy(janitor);
}

static void a_store_that_is_open_is_not_deleted(void **state)
{
    (void)state;
    make_store("00000000000000aa/score/0");
    struct mr_janitor *janitor = mr_janitor_create(root, &mr_store_rocksdb, 0);
    void *store = open_store("00000000000000aa/score/0"); /* nobody noted it */
    assert_false(mr_janitor_sweep(janitor, 1000000, KEEP_MS));
    assert_true(exists("00000000000000aa/score/0/CURRENT"));
    close_store(store);
    assert_false(mr_janitor_sweep(janitor, 1000001, KEEP_MS)); /* tried again after a while */
    assert_true(mr_janitor_sweep(janitor, 1000000 + KEEP_MS, KEEP_MS));
    mr_janitor_destroy(janitor);
}

static void its_thread_ends_at_once(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_janitor *janitor = mr_janitor_create(root, &mr_store_rocksdb, 0);
    assert_int_equal(mr_janitor_start(janitor, &error), MR_OK);
    mr_janitor_destroy(janitor);
    janitor = mr_janitor_create(NULL, NULL, 0);
    mr_janitor_opened(janitor, 1, "a", 0);
    mr_janitor_closed(janitor, 1, "a", 0, 0);
    assert_false(mr_janitor_sweep(janitor, 1000000, 0));
    mr_janitor_destroy(janitor);
    mr_janitor_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_left_goes_after_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_comes_back_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_an_earlier_start_left_counts_from_now, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_ours_is_never_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_files_in_a_task_folder_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_is_open_is_not_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(its_thread_ends_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
