/* worker/janitor.c — deleting the local state of tasks that have left.
 * Design: a list of folders, from a look at the disk and from notes. A sweep takes one that is open
 * nowhere and old enough off the list, then deletes it without the lock. A task that opens the
 * folder meanwhile is told by the store that it is in use, and tries again. */
#include "worker/janitor.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "state/store.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, GENERATION_DIGITS = 16, SWEEP_SECONDS = 5 };

struct folder {
    uint64_t generation;
    char subtopology[MR_LIMIT_NAME_BYTES + 1];
    int32_t partition;
    uint32_t open_count;
    uint64_t left_ms;
};

struct mr_janitor {
    const char *directory; /* NULL: nothing to do */
    const struct mr_store_ops *store_ops;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    struct folder *folders;
    uint32_t folders_count;
    pthread_t thread;
    bool started;
    bool ending;
};

/* ---- The list ---- */

static struct folder *find_folder(struct mr_janitor *janitor, uint64_t generation,
                                  const char *subtopology, int32_t partition)
{
    for (uint32_t index = 0; index < janitor->folders_count; index++) {
        struct folder *folder = &janitor->folders[index];
        if (folder->generation == generation && folder->partition == partition &&
            strcmp(folder->subtopology, subtopology) == 0)
            return folder;
    }
    return NULL;
}

/* NULL: the list is full, or the name is none of ours; such a folder is never deleted. */
static struct folder *add_folder(struct mr_janitor *janitor, uint64_t generation,
                                 const char *subtopology, int32_t partition, uint64_t now_ms)
{
    if (janitor->folders_count == MR_JANITOR_FOLDERS_MAX ||
        strlen(subtopology) > MR_LIMIT_NAME_BYTES)
        return NULL;
    janitor->folders = mr_memory_resize(janitor->folders,
                                        (janitor->folders_count + 1u) * sizeof(*janitor->folders));
    struct folder *folder = &janitor->folders[janitor->folders_count++];
    *folder = (struct folder){.generation = generation, .partition = partition, .left_ms = now_ms};
    (void)snprintf(folder->subtopology, sizeof(folder->subtopology), "%s", subtopology);
    return folder;
}

void mr_janitor_opened(struct mr_janitor *janitor, uint64_t generation, const char *subtopology,
                       int32_t partition)
{
    if (janitor->directory == NULL)
        return;
    (void)pthread_mutex_lock(&janitor->mutex);
    struct folder *folder = find_folder(janitor, generation, subtopology, partition);
    if (folder == NULL)
        folder = add_folder(janitor, generation, subtopology, partition, 0);
    if (folder != NULL)
        folder->open_count++;
    (void)pthread_mutex_unlock(&janitor->mutex);
}

void mr_janitor_closed(struct mr_janitor *janitor, uint64_t generation, const char *subtopology,
                       int32_t partition, uint64_t now_ms)
{
    if (janitor->directory == NULL)
        return;
    (void)pthread_mutex_lock(&janitor->mutex);
    struct folder *folder = find_folder(janitor, generation, subtopology, partition);
    if (folder != NULL) {
        MR_ASSERT(folder->open_count > 0);
        folder->open_count--;
        folder->left_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&janitor->mutex);
}

/* ---- What is on the disk ---- */

static bool is_folder(const char *path)
{
    struct stat found;
    return lstat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static bool parse_generation(const char *text, uint64_t *generation)
{
    char *end;
    if (strlen(text) != GENERATION_DIGITS || strspn(text, "0123456789abcdef") != GENERATION_DIGITS)
        return false;
    *generation = strtoull(text, &end, 16);
    return *end == '\0';
}

static bool parse_partition(const char *text, int32_t *partition)
{
    size_t size = strspn(text, "0123456789");
    if (size == 0 || size > 9 || text[size] != '\0' || (text[0] == '0' && size > 1))
        return false;
    *partition = (int32_t)strtol(text, NULL, 10);
    return true;
}

/* The store's own files: what RocksDB cannot do without. */
static bool holds_store(const char *path)
{
    char name[PATH_SIZE];
    char content[16] = {0};
    if (snprintf(name, sizeof(name), "%s/CURRENT", path) >= (int)sizeof(name))
        return false;
    FILE *file = fopen(name, "re");
    if (file == NULL)
        return false;
    size_t size = fread(content, 1, sizeof(content) - 1, file);
    (void)fclose(file);
    return size > 0 && strncmp(content, "MANIFEST-", 9) == 0;
}

struct looking {
    struct mr_janitor *janitor;
    uint64_t now_ms;
    uint64_t generation;
    const char *subtopology;
};

/* Call visit for every folder in path. */
static void each_folder(const char *path, struct looking *looking,
                        void (*visit)(struct looking *looking, const char *path, const char *name))
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char inner[PATH_SIZE];
        if (entry->d_name[0] == '.' ||
            snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >= (int)sizeof(inner) ||
            !is_folder(inner))
            continue;
        visit(looking, inner, entry->d_name);
    }
    (void)closedir(directory);
}

static void see_partition(struct looking *looking, const char *path, const char *name)
{
    int32_t partition;
    if (parse_partition(name, &partition) && holds_store(path))
        (void)add_folder(looking->janitor, looking->generation, looking->subtopology, partition,
                         looking->now_ms);
}

static void see_subtopology(struct looking *looking, const char *path, const char *name)
{
    looking->subtopology = name;
    each_folder(path, looking, see_partition);
}

static void see_generation(struct looking *looking, const char *path, const char *name)
{
    if (parse_generation(name, &looking->generation))
        each_folder(path, looking, see_subtopology);
}

/* ---- Life ---- */

struct mr_janitor *mr_janitor_create(const char *directory, const struct mr_store_ops *store_ops,
                                     uint64_t now_ms)
{
    struct mr_janitor *janitor = mr_memory_new(1, sizeof(*janitor));
    pthread_condattr_t attributes;
    janitor->directory = directory;
    janitor->store_ops = store_ops;
    (void)pthread_mutex_init(&janitor->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&janitor->ended, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    struct looking looking = {.janitor = janitor, .now_ms = now_ms};
    if (directory != NULL)
        each_folder(directory, &looking, see_generation);
    return janitor;
}

static void *janitor_main(void *argument)
{
    struct mr_janitor *janitor = argument;
    (void)pthread_mutex_lock(&janitor->mutex);
    while (!janitor->ending) {
        (void)pthread_mutex_unlock(&janitor->mutex);
        while (mr_janitor_sweep(janitor, mr_clock_monotonic_ms(), MR_JANITOR_KEEP_MS))
            ;
        (void)pthread_mutex_lock(&janitor->mutex);
        uint64_t until_ns =
            mr_clock_monotonic_ns() + (uint64_t)SWEEP_SECONDS * UINT64_C(1000000000);
        struct timespec until = {.tv_sec = (time_t)(until_ns / UINT64_C(1000000000)),
                                 .tv_nsec = (long)(until_ns % UINT64_C(1000000000))};
        if (!janitor->ending)
            (void)pthread_cond_timedwait(&janitor->ended, &janitor->mutex, &until);
    }
    (void)pthread_mutex_unlock(&janitor->mutex);
    return NULL;
}

enum mr_status mr_janitor_start(struct mr_janitor *janitor, struct mr_error *error)
{
    int failed = pthread_create(&janitor->thread, NULL, janitor_main, janitor);
    if (failed != 0)
        return MR_FAIL_ERRNO(error, failed, MR_RECOVERY_EXIT, "The janitor's thread");
    janitor->started = true;
    return MR_OK;
}

void mr_janitor_destroy(struct mr_janitor *janitor)
{
    if (janitor == NULL)
        return;
    (void)pthread_mutex_lock(&janitor->mutex);
    janitor->ending = true;
    (void)pthread_cond_signal(&janitor->ended);
    (void)pthread_mutex_unlock(&janitor->mutex);
    if (janitor->started)
        (void)pthread_join(janitor->thread, NULL);
    (void)pthread_cond_destroy(&janitor->ended);
    (void)pthread_mutex_destroy(&janitor->mutex);
    mr_memory_free(janitor->folders);
    mr_memory_free(janitor);
}

/* ---- Sweeping ---- */

static bool take_old(struct mr_janitor *janitor, uint64_t now_ms, uint64_t keep_ms,
                     struct folder *taken)
{
    bool found = false;
    (void)pthread_mutex_lock(&janitor->mutex);
    for (uint32_t index = 0; index < janitor->folders_count && !janitor->ending; index++) {
        struct folder *folder = &janitor->folders[index];
        if (folder->open_count > 0 || now_ms < folder->left_ms ||
            now_ms - folder->left_ms < keep_ms)
            continue;
        *taken = *folder;
        *folder = janitor->folders[--janitor->folders_count];
        found = true;
        break;
    }
    (void)pthread_mutex_unlock(&janitor->mutex);
    return found;
}

/* Another try after a while. */
static void put_back(struct mr_janitor *janitor, const struct folder *folder, uint64_t now_ms)
{
    (void)pthread_mutex_lock(&janitor->mutex);
    if (find_folder(janitor, folder->generation, folder->subtopology, folder->partition) == NULL)
        (void)add_folder(janitor, folder->generation, folder->subtopology, folder->partition,
                         now_ms);
    (void)pthread_mutex_unlock(&janitor->mutex);
}

/* The folders around it, where they are empty now. */
static void remove_empty(char *path)
{
    for (int level = 0; level < 3 && (rmdir(path) == 0 || errno == ENOENT); level++)
        *strrchr(path, '/') = '\0';
}

bool mr_janitor_sweep(struct mr_janitor *janitor, uint64_t now_ms, uint64_t keep_ms)
{
    struct folder folder;
    struct mr_error error;
    char path[PATH_SIZE];
    if (janitor->directory == NULL || !take_old(janitor, now_ms, keep_ms, &folder))
        return false;
    int size = snprintf(path, sizeof(path), "%s/%016" PRIx64 "/%s/%d", janitor->directory,
                        folder.generation, folder.subtopology, folder.partition);
    if (size >= (int)sizeof(path) || !is_folder(path))
        return false;
    if (janitor->store_ops->wipe(path, &error) != MR_OK) {
        MR_LOG_AT(MR_LOG_WARNING, "janitor", MR_LOG_FIELDS("state", path),
                  "the state of a task that left cannot be deleted: %s", error.message);
        put_back(janitor, &folder, now_ms);
        return false;
    }
    MR_LOG_AT(MR_LOG_INFO, "janitor", MR_LOG_FIELDS("state", path),
              "the state of a task that left was deleted");
    remove_empty(path);
    return true;
}
