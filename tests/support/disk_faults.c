/* tests/support/disk_faults.c — a disk that fails, for tests of whole processes.
 * Preloaded (LD_PRELOAD) into a program: calls on files below the folder MILLRACE_DISK_FOLDER fail
 * as the first byte of the file MILLRACE_DISK_FILE says, which the test changes while it runs:
 *   '-' nothing fails          'S' writes: ENOSPC            'E' writes: EIO
 *   'F' fsync, fdatasync: EIO  'R' reads: EIO                'W' fsync, fdatasync take 300 ms
 * What is written through a memory map is not seen. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, SLOW_NS = 300000000 };

static const volatile char *fault;
static const char *folder;

__attribute__((constructor)) static void open_fault(void)
{
    const char *path = getenv("MILLRACE_DISK_FILE");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    folder = getenv("MILLRACE_DISK_FOLDER");
    if (file < 0 || folder == NULL)
        return;
    const void *map = mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0);
    if (map != MAP_FAILED)
        fault = map;
    (void)close(file);
}

/* Is one of these faults asked for, and the file below the folder? */
static bool hits(const char *faults, int file)
{
    char link[64];
    char path[PATH_SIZE];
    int kept = errno;
    if (fault == NULL || *fault == '\0' || strchr(faults, *fault) == NULL)
        return false;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    errno = kept;
    return size > 0 && strncmp(path, folder, strlen(folder)) == 0;
}

static bool write_fails(int file)
{
    if (!hits("SE", file))
        return false;
    errno = *fault == 'S' ? ENOSPC : EIO;
    return true;
}

static bool sync_fails(int file)
{
    if (!hits("FW", file))
        return false;
    if (*fault == 'W') {
        const struct timespec slow = {.tv_nsec = SLOW_NS};
        (void)nanosleep(&slow, NULL);
        return false;
    }
    errno = EIO;
    return true;
}

static bool read_fails(int file)
{
    if (!hits("R", file))
        return false;
    errno = EIO;
    return true;
}

/* The next definition of a function, as a function. */
#define NEXT(type, name)                                                                           \
    static type *next_##name(void)                                                                 \
    {                                                                                              \
        static union {                                                                             \
            void *object;                                                                          \
            type *function;                                                                        \
        } found;                                                                                   \
        if (found.object == NULL)                                                                  \
            found.object = dlsym(RTLD_NEXT, #name);                                                \
        return found.function;                                                                     \
    }

typedef ssize_t write_fn(int, const void *, size_t);
typedef ssize_t pwrite_fn(int, const void *, size_t, off_t);
typedef ssize_t pread_fn(int, void *, size_t, off_t);
typedef ssize_t read_fn(int, void *, size_t);
typedef int sync_fn(int);
NEXT(write_fn, write)
NEXT(pwrite_fn, pwrite)
NEXT(pread_fn, pread)
NEXT(read_fn, read)
NEXT(sync_fn, fsync)
NEXT(sync_fn, fdatasync)

ssize_t write(int file, const void *data, size_t size)
{
    return write_fails(file) ? -1 : next_write()(file, data, size);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    return write_fails(file) ? -1 : next_pwrite()(file, data, size, offset);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t offset)
{
    return pwrite(file, data, size, offset);
}

ssize_t read(int file, void *data, size_t size)
{
    return read_fails(file) ? -1 : next_read()(file, data, size);
}

ssize_t pread(int file, void *data, size_t size, off_t offset)
{
    return read_fails(file) ? -1 : next_pread()(file, data, size, offset);
}

ssize_t pread64(int file, void *data, size_t size, off_t offset)
{
    return pread(file, data, size, offset);
}

int fsync(int file)
{
    return sync_fails(file) ? -1 : next_fsync()(file);
}

int fdatasync(int file)
{
    return sync_fails(file) ? -1 : next_fdatasync()(file);
}
