/* connectors/file/file_parts.c — see file_parts.h; the rules are in file_sink.c. */
#include "connectors/file/file_parts.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/number.h"
#include "connectors/line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char part_suffix[] = ".part";

/* ---- Names ---- */

static enum mr_status too_long(const char *path, struct mr_error *error)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "The path '%.100s' is longer than %d bytes.", path, MR_FILE_NAME_SIZE - 64);
}

static bool is_folder(const char *path)
{
    struct stat status;
    size_t size = strlen(path);
    return (size > 0 && path[size - 1] == '/') ||
           (stat(path, &status) == 0 && S_ISDIR(status.st_mode));
}

static enum mr_status take_apart(struct mr_file_parts *parts, const char *path, const char *name,
                                 int32_t partition, struct mr_error *error)
{
    if (strlen(path) > MR_FILE_NAME_SIZE - 64)
        return too_long(path, error);
    if (is_folder(path)) {
        (void)snprintf(parts->folder_path, sizeof(parts->folder_path), "%s", path);
        (void)snprintf(parts->stem, sizeof(parts->stem), "%s-%" PRId32, name, partition);
        return MR_OK;
    }
    const char *slash = strrchr(path, '/');
    const char *file = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(file, '.');
    if (dot == file || dot == NULL)
        dot = file + strlen(file);
    (void)snprintf(parts->folder_path, sizeof(parts->folder_path), "%.*s",
                   slash == NULL ? 1 : (int)(slash - path + 1), slash == NULL ? "." : path);
    (void)snprintf(parts->stem, sizeof(parts->stem), "%.*s-%" PRId32, (int)(dot - file), file,
                   partition);
    (void)snprintf(parts->extension, sizeof(parts->extension), "%s", dot);
    if (strcmp(dot, part_suffix) == 0 || strcmp(dot, ".stale") == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A file sink's files cannot end in '%s': unfinished files do.", dot);
    return MR_OK;
}

static void name_of(const struct mr_file_parts *parts, int64_t number, const char *suffix,
                    char name[MR_FILE_PART_NAME_SIZE])
{
    (void)snprintf(name, MR_FILE_PART_NAME_SIZE, "%s-%06" PRId64 "%s", parts->stem, number, suffix);
}

/* The number in a file's name, or 0 when it is not one of ours with that suffix. */
static int64_t number_of(const struct mr_file_parts *parts, const char *name, const char *suffix)
{
    size_t stem_size = strlen(parts->stem);
    size_t suffix_size = strlen(suffix);
    size_t size = strlen(name);
    int64_t number = 0;
    char again[MR_FILE_PART_NAME_SIZE];
    if (size <= stem_size + 1 + suffix_size || strncmp(name, parts->stem, stem_size) != 0 ||
        name[stem_size] != '-')
        return 0;
    const char *digits = name + stem_size + 1;
    size_t digits_size = size - stem_size - 1 - suffix_size;
    while (digits_size > 1 && *digits == '0') {
        digits++;
        digits_size--;
    }
    if (!mr_number_parse_int(mr_slice_from(digits, digits_size), &number) || number < 1)
        return 0;
    name_of(parts, number, suffix, again);
    return strcmp(again, name) == 0 ? number : 0;
}

/* ---- Folder ---- */

static enum mr_status failed(const struct mr_file_parts *parts, const char *what, const char *name,
                             int errno_value, struct mr_error *error)
{
    return MR_FAIL_ERRNO(error, errno_value, mr_file_recovery(errno_value),
                         "'%s' in the folder '%s' cannot be %s", name, parts->folder_path, what);
}

enum mr_status mr_file_parts_open(struct mr_file_parts *parts, const char *path, const char *name,
                                  int32_t partition, struct mr_error *error)
{
    parts->folder = -1;
    enum mr_status status = take_apart(parts, path, name, partition, error);
    if (status != MR_OK)
        return status;
    parts->folder = open(parts->folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parts->folder < 0)
        return MR_FAIL_ERRNO(error, errno, mr_file_recovery(errno),
                             "The folder '%s' of sink '%s' cannot be opened", parts->folder_path,
                             name);
    return MR_OK;
}

void mr_file_parts_close(struct mr_file_parts *parts)
{
    if (parts->folder >= 0)
        (void)close(parts->folder);
    parts->folder = -1;
}

enum mr_status mr_file_parts_sync_folder(struct mr_file_parts *parts, struct mr_error *error)
{
    if (fsync(parts->folder) != 0)
        return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_REINCARNATE,
                             "The folder '%s' cannot be made durable", parts->folder_path);
    return MR_OK;
}

enum mr_status mr_file_parts_open_part(struct mr_file_parts *parts, int64_t number, int *handle,
                                       struct mr_error *error)
{
    char name[MR_FILE_PART_NAME_SIZE];
    name_of(parts, number, part_suffix, name);
    *handle = openat(parts->folder, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return *handle < 0 ? failed(parts, "opened", name, errno, error) : MR_OK;
}

enum mr_status mr_file_parts_count_lines(const struct mr_file_parts *parts, int handle,
                                         int64_t *lines_count, struct mr_error *error)
{
    uint8_t block[16384];
    *lines_count = 0;
    for (int64_t at = 0;;) {
        ssize_t size = pread(handle, block, sizeof(block), at);
        if (size < 0)
            return failed(parts, "read", parts->stem, errno, error);
        if (size == 0)
            return MR_OK;
        for (ssize_t i = 0; i < size; i++)
            *lines_count += block[i] == '\n';
        at += size;
    }
}

static bool exists(const struct mr_file_parts *parts, const char *name, int64_t *bytes)
{
    struct stat status;
    if (fstatat(parts->folder, name, &status, 0) != 0)
        return false;
    *bytes = status.st_size;
    return true;
}

enum mr_status mr_file_parts_finish(struct mr_file_parts *parts, int64_t number,
                                    struct mr_error *error)
{
    char part[MR_FILE_PART_NAME_SIZE];
    char final[MR_FILE_PART_NAME_SIZE];
    int64_t bytes = 0;
    name_of(parts, number, part_suffix, part);
    name_of(parts, number, parts->extension, final);
    bool is_part = exists(parts, part, &bytes);
    bool is_final = exists(parts, final, &bytes);
    if (is_part && is_final)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'%s' in the folder '%s' exists already: another program or topology "
                       "writes files of the same name.",
                       final, parts->folder_path);
    if (is_final && !is_part)
        return MR_OK;
    if (renameat(parts->folder, part, parts->folder, final) != 0)
        return failed(parts, "given its final name", part, errno, error);
    return MR_OK;
}

/* ---- Recovery ---- */

enum entry_kind { ENTRY_PART, ENTRY_FINAL };

/* Call visit for each of our files, by reading the folder once. */
static enum mr_status
each_file(struct mr_file_parts *parts,
          enum mr_status (*visit)(struct mr_file_parts *parts, enum entry_kind kind, int64_t number,
                                  const char *name, void *argument, struct mr_error *error),
          void *argument, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    int handle = openat(parts->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = handle < 0 ? NULL : fdopendir(handle);
    if (folder == NULL) {
        status = failed(parts, "listed", ".", errno, error);
        if (handle >= 0)
            (void)close(handle);
        return status;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL && status == MR_OK;
         entry = readdir(folder)) {
        int64_t number = number_of(parts, entry->d_name, part_suffix);
        if (number > 0)
            status = visit(parts, ENTRY_PART, number, entry->d_name, argument, error);
        else if ((number = number_of(parts, entry->d_name, parts->extension)) > 0)
            status = visit(parts, ENTRY_FINAL, number, entry->d_name, argument, error);
    }
    (void)closedir(folder);
    return status;
}

/* Of another life: out of the way, and numbers go on behind everything that is there. */
static enum mr_status visit_fresh(struct mr_file_parts *parts, enum entry_kind kind, int64_t number,
                                  const char *name, void *argument, struct mr_error *error)
{
    struct mr_sink_position *position = argument;
    if (number > position->file_number)
        position->file_number = number;
    if (kind == ENTRY_FINAL)
        return MR_OK;
    char stale[MR_FILE_PART_NAME_SIZE];
    name_of(parts, number, ".stale", stale);
    MR_LOG_AT(MR_LOG_WARNING, "file", MR_LOG_FIELDS("file", name, "renamed_to", stale),
              "An unfinished file of an earlier run was set aside.");
    if (renameat(parts->folder, name, parts->folder, stale) != 0)
        return failed(parts, "set aside", name, errno, error);
    return MR_OK;
}

/* Files beside the one that the position names. */
static enum mr_status visit_known(struct mr_file_parts *parts, enum entry_kind kind, int64_t number,
                                  const char *name, void *argument, struct mr_error *error)
{
    const struct mr_sink_position *position = argument;
    if (kind == ENTRY_FINAL) {
        if (number > position->file_number)
            return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                           "'%s' in the folder '%s' is newer than the last committed file, %" PRId64
                           ": another program or topology writes files of the same name.",
                           name, parts->folder_path, position->file_number);
        return MR_OK;
    }
    if (number < position->file_number)
        return mr_file_parts_finish(parts, number, error);
    if (number > position->file_number && unlinkat(parts->folder, name, 0) != 0)
        return failed(parts, "removed", name, errno, error);
    return MR_OK;
}

/* The file that the position names: cut back, or found complete under its final name. */
static enum mr_status recover_open_file(struct mr_file_parts *parts,
                                        struct mr_sink_position *position, struct mr_error *error)
{
    char part[MR_FILE_PART_NAME_SIZE];
    char final[MR_FILE_PART_NAME_SIZE];
    int64_t bytes = 0;
    name_of(parts, position->file_number, part_suffix, part);
    name_of(parts, position->file_number, parts->extension, final);
    if (exists(parts, final, &bytes) && bytes == position->bytes) {
        position->file_number++;
        position->bytes = 0;
        return MR_OK;
    }
    if (!exists(parts, part, &bytes))
        bytes = 0;
    if (bytes < position->bytes)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'%s' in the folder '%s' has %" PRId64 " bytes, but %" PRId64
                       " were committed: it was changed, or the task is on another disk.",
                       part, parts->folder_path, bytes, position->bytes);
    if (bytes == position->bytes)
        return MR_OK;
    int handle = -1;
    enum mr_status status = mr_file_parts_open_part(parts, position->file_number, &handle, error);
    if (status == MR_OK && ftruncate(handle, position->bytes) != 0)
        status = failed(parts, "cut back", part, errno, error);
    if (handle >= 0)
        (void)close(handle);
    return status;
}

enum mr_status mr_file_parts_recover(struct mr_file_parts *parts, struct mr_sink_position *position,
                                     struct mr_error *error)
{
    if (position->file_number == 0) {
        enum mr_status status = each_file(parts, visit_fresh, position, error);
        position->file_number++;
        position->bytes = 0;
        return status;
    }
    enum mr_status status = each_file(parts, visit_known, position, error);
    return status == MR_OK ? recover_open_file(parts, position, error) : status;
}
