/* base/cgroup.c — see cgroup.h.
 * Design: a hierarchy is a folder and a path below it. `climb` goes from the path's end to the
 * folder and takes the lowest limit on the way; what a file means is a function's affair. */
#include "base/cgroup.h"

#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_SIZE = 128, MILLIS = 1000 };

#define MOUNT "/sys/fs/cgroup"
/* Version 1 has no word for "none": it says the largest number of pages. */
#define BYTES_MAX (UINT64_C(1) << 60)

struct reading {
    const char *root;
    struct mr_cgroup *cgroup;
    struct mr_error *error;
};

/* Takes what the files of one level say. */
typedef enum mr_status (*level_fn)(const struct reading *reading, const char *folder);

/* ---- Files ---- */

/* MR_NOT_FOUND: it is not there. text ends in NUL. */
static enum mr_status read_text(const struct reading *reading, const char *path, char *text,
                                size_t size)
{
    char full[MR_CGROUP_PATH_SIZE * 2];
    if (snprintf(full, sizeof(full), "%s%s", reading->root, path) >= (int)sizeof(full))
        return MR_FAIL(reading->error, MR_LIMIT, MR_RECOVERY_NONE, "The path %.200s is too long.",
                       path);
    int file = open(full, O_RDONLY | O_CLOEXEC);
    if (file < 0 && (errno == ENOENT || errno == ENOTDIR))
        return MR_NOT_FOUND;
    size_t count = 0;
    ssize_t got = -1;
    while (file >= 0 && count < size && (got = read(file, text + count, size - count)) > 0)
        count += (size_t)got;
    int failed = errno;
    if (file >= 0)
        (void)close(file);
    if (got < 0) {
        (void)MR_FAIL_ERRNO(reading->error, failed, MR_RECOVERY_NONE, "%s cannot be read", path);
        return MR_IO;
    }
    if (count == size)
        return MR_FAIL(reading->error, MR_CORRUPT, MR_RECOVERY_NONE,
                       "%s is longer than %zu bytes: it is not a control group's file.", path,
                       size - 1);
    text[count] = '\0';
    return MR_OK;
}

static enum mr_status not_understood(const struct reading *reading, const char *path,
                                     const char *text)
{
    return MR_FAIL(reading->error, MR_CORRUPT, MR_RECOVERY_NONE,
                   "%s says '%.40s', which is no limit of a control group: give --memory and "
                   "--threads.",
                   path, text);
}

/* A number, or `max` as none. *rest is behind it. */
static bool parse_number(const char *text, uint64_t *number, bool *none, const char **rest)
{
    *none = strncmp(text, "max", 3) == 0;
    *number = 0;
    if (*none) {
        *rest = text + 3;
        return true;
    }
    if (text[0] < '0' || text[0] > '9')
        return false;
    char *end = NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    *rest = end;
    return errno == 0;
}

static bool is_end(const char *text)
{
    return text[0] == '\0' || (text[0] == '\n' && text[1] == '\0');
}

static bool join(const struct reading *reading, const char *folder, const char *file, char *path,
                 enum mr_status *status)
{
    int size = snprintf(path, MR_CGROUP_PATH_SIZE, "%s/%s", folder, file);
    if (size < MR_CGROUP_PATH_SIZE)
        return true;
    *status = MR_FAIL(reading->error, MR_LIMIT, MR_RECOVERY_NONE,
                      "The control group's path %.200s is too long.", folder);
    return false;
}

/* ---- Limits ---- */

static enum mr_status take_memory(const struct reading *reading, const char *folder,
                                  const char *file)
{
    char path[MR_CGROUP_PATH_SIZE];
    char text[VALUE_SIZE];
    uint64_t bytes = 0;
    bool none = false;
    const char *rest = NULL;
    enum mr_status status = MR_OK;
    if (!join(reading, folder, file, path, &status))
        return status;
    status = read_text(reading, path, text, sizeof(text));
    if (status == MR_NOT_FOUND)
        return MR_OK;
    if (status != MR_OK)
        return status;
    if (!parse_number(text, &bytes, &none, &rest) || !is_end(rest) || (!none && bytes == 0))
        return not_understood(reading, path, text);
    struct mr_cgroup *cgroup = reading->cgroup;
    if (none || bytes >= BYTES_MAX || (cgroup->memory_bytes != 0 && cgroup->memory_bytes <= bytes))
        return MR_OK;
    cgroup->memory_bytes = bytes;
    (void)snprintf(cgroup->memory_file, sizeof(cgroup->memory_file), "%s", path);
    return MR_OK;
}

/* At least a thousandth: a limit of 0 would be none. */
static void take_processors(const struct reading *reading, const char *path, uint64_t quota,
                            uint64_t period)
{
    struct mr_cgroup *cgroup = reading->cgroup;
    uint64_t millis = quota > UINT64_MAX / MILLIS ? UINT64_MAX : quota * MILLIS / period;
    millis = millis == 0 ? 1 : millis;
    if (cgroup->processor_millis != 0 && cgroup->processor_millis <= millis)
        return;
    cgroup->processor_millis = millis;
    (void)snprintf(cgroup->processor_file, sizeof(cgroup->processor_file), "%s", path);
}

static enum mr_status version_two_memory(const struct reading *reading, const char *folder)
{
    enum mr_status status = take_memory(reading, folder, "memory.max");
    return status == MR_OK ? take_memory(reading, folder, "memory.high") : status;
}

static enum mr_status version_two_processors(const struct reading *reading, const char *folder)
{
    char path[MR_CGROUP_PATH_SIZE];
    char text[VALUE_SIZE];
    uint64_t quota = 0;
    uint64_t period = 0;
    bool none = false;
    bool period_none = false;
    const char *rest = NULL;
    enum mr_status status = MR_OK;
    if (!join(reading, folder, "cpu.max", path, &status))
        return status;
    status = read_text(reading, path, text, sizeof(text));
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    if (!parse_number(text, &quota, &none, &rest) || rest[0] != ' ' ||
        !parse_number(rest + 1, &period, &period_none, &rest) || !is_end(rest) || period_none ||
        period == 0 || (!none && quota == 0))
        return not_understood(reading, path, text);
    if (!none)
        take_processors(reading, path, quota, period);
    return MR_OK;
}

static enum mr_status version_two_level(const struct reading *reading, const char *folder)
{
    enum mr_status status = version_two_memory(reading, folder);
    return status == MR_OK ? version_two_processors(reading, folder) : status;
}

static enum mr_status version_one_memory(const struct reading *reading, const char *folder)
{
    return take_memory(reading, folder, "memory.limit_in_bytes");
}

static enum mr_status version_one_processors(const struct reading *reading, const char *folder)
{
    char quota_path[MR_CGROUP_PATH_SIZE];
    char period_path[MR_CGROUP_PATH_SIZE];
    char quota_text[VALUE_SIZE];
    char period_text[VALUE_SIZE];
    uint64_t quota = 0;
    uint64_t period = 0;
    bool none = false;
    const char *rest = NULL;
    enum mr_status status = MR_OK;
    if (!join(reading, folder, "cpu.cfs_quota_us", quota_path, &status) ||
        !join(reading, folder, "cpu.cfs_period_us", period_path, &status))
        return status;
    status = read_text(reading, quota_path, quota_text, sizeof(quota_text));
    if (status == MR_OK)
        status = read_text(reading, period_path, period_text, sizeof(period_text));
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    if (strcmp(quota_text, "-1\n") == 0 || strcmp(quota_text, "-1") == 0)
        return MR_OK;
    if (!parse_number(quota_text, &quota, &none, &rest) || none || !is_end(rest) || quota == 0)
        return not_understood(reading, quota_path, quota_text);
    if (!parse_number(period_text, &period, &none, &rest) || none || !is_end(rest) || period == 0)
        return not_understood(reading, period_path, period_text);
    take_processors(reading, quota_path, quota, period);
    return MR_OK;
}

/* ---- Hierarchies ---- */

static bool exists(const struct reading *reading, const char *path)
{
    char full[MR_CGROUP_PATH_SIZE * 2];
    return snprintf(full, sizeof(full), "%s%s", reading->root, path) < (int)sizeof(full) &&
           access(full, F_OK) == 0;
}

/* A name from outside of this process's namespace goes up first: it says nothing here. */
static bool is_inside(const char *path)
{
    return path[0] == '/' && strstr(path, "/..") == NULL;
}

static enum mr_status climb(const struct reading *reading, const char *mount, const char *path,
                            level_fn level)
{
    char folder[MR_CGROUP_PATH_SIZE];
    size_t mount_size = strlen(mount);
    int size = snprintf(folder, sizeof(folder), "%s%s", mount, is_inside(path) ? path : "");
    if (size >= (int)sizeof(folder))
        return MR_FAIL(reading->error, MR_LIMIT, MR_RECOVERY_NONE,
                       "The control group's path %.200s is too long.", path);
    while (folder[size - 1] == '/')
        folder[--size] = '\0';
    if (!exists(reading, folder))
        folder[mount_size] = '\0';
    for (int count = 0; count < MR_CGROUP_LEVELS_MAX; count++) {
        enum mr_status status = level(reading, folder);
        char *slash = strrchr(folder, '/');
        if (status != MR_OK || (size_t)(slash - folder) < mount_size)
            return status;
        *slash = '\0';
    }
    return MR_FAIL(reading->error, MR_LIMIT, MR_RECOVERY_NONE,
                   "The control group %.200s lies deeper than %d levels.", path,
                   MR_CGROUP_LEVELS_MAX);
}

static bool names(const char *controllers, const char *controller)
{
    size_t size = strlen(controller);
    for (const char *at = controllers; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, controller, size) == 0 && (at[size] == ',' || at[size] == '\0'))
            return true;
    }
    return false;
}

static enum mr_status version_one(const struct reading *reading, const char *controllers,
                                  const char *path, const char *controller, level_fn level)
{
    char mount[MR_CGROUP_PATH_SIZE];
    if (!names(controllers, controller))
        return MR_OK;
    (void)snprintf(mount, sizeof(mount), MOUNT "/%.*s", (int)(sizeof(mount) / 2), controllers);
    if (!exists(reading, mount))
        (void)snprintf(mount, sizeof(mount), MOUNT "/%s", controller);
    return climb(reading, mount, path, level);
}

/* "<hierarchy>:<controllers>:<path>"; version 2 is hierarchy 0 and names no controllers. */
static enum mr_status take_line(const struct reading *reading, char *line)
{
    char *first = strchr(line, ':');
    char *second = first == NULL ? NULL : strchr(first + 1, ':');
    if (second == NULL)
        return MR_FAIL(reading->error, MR_CORRUPT, MR_RECOVERY_NONE,
                       "/proc/self/cgroup has the line '%.40s', which names no control group: give "
                       "--memory and --threads.",
                       line);
    *second = '\0';
    const char *controllers = first + 1;
    const char *path = second + 1;
    if (controllers[0] == '\0')
        return exists(reading, MOUNT "/cgroup.controllers")
                   ? climb(reading, MOUNT, path, version_two_level)
                   : MR_OK; /* beside version 1: it has no controllers there */
    enum mr_status status = version_one(reading, controllers, path, "memory", version_one_memory);
    if (status == MR_OK)
        status = version_one(reading, controllers, path, "cpu", version_one_processors);
    return status;
}

enum mr_status mr_cgroup_read(const char *root, struct mr_cgroup *cgroup, struct mr_error *error)
{
    static const char source[] = "/proc/self/cgroup";
    char text[MR_CGROUP_FILE_BYTES_MAX];
    const struct reading reading = {.root = root, .cgroup = cgroup, .error = error};
    *cgroup = (struct mr_cgroup){0};
    enum mr_status status = read_text(&reading, source, text, sizeof(text));
    if (status == MR_NOT_FOUND)
        return MR_OK;
    char *rest = text;
    char *line = NULL;
    while (status == MR_OK && (line = strsep(&rest, "\n")) != NULL)
        if (line[0] != '\0')
            status = take_line(&reading, line);
    return status;
}

/* ---- What a worker takes of it ---- */

uint64_t mr_cgroup_budget(uint64_t limit_bytes)
{
    if (limit_bytes <= MR_CGROUP_RESERVE_BYTES)
        return 0;
    uint64_t budget = ((limit_bytes - MR_CGROUP_RESERVE_BYTES) / 4 * 3) >> 20 << 20;
    return budget < MR_CGROUP_BUDGET_BYTES_MIN ? 0 : budget;
}

uint64_t mr_cgroup_limit_for(uint64_t budget_bytes)
{
    uint64_t least =
        budget_bytes < MR_CGROUP_BUDGET_BYTES_MIN ? MR_CGROUP_BUDGET_BYTES_MIN : budget_bytes;
    uint64_t mebibytes = (least + (1 << 20) - 1) >> 20;
    return ((mebibytes * 4 + 2) / 3 << 20) + MR_CGROUP_RESERVE_BYTES;
}

uint32_t mr_cgroup_processors(const struct mr_cgroup *cgroup)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    uint64_t count = 0;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = (uint64_t)CPU_COUNT(&set);
    if (count == 0) { /* more processors than the set holds */
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        count = online > 0 ? (uint64_t)online : 1;
    }
    if (cgroup->processor_millis != 0 && cgroup->processor_millis / MILLIS < count)
        count = cgroup->processor_millis / MILLIS;
    count = count == 0 ? 1 : count;
    return count < MR_CGROUP_PROCESSORS_MAX ? (uint32_t)count : MR_CGROUP_PROCESSORS_MAX;
}
