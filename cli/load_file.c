/* cli/load_file.c — the bytes of a file (load.h); by itself, since the catalogue reads documents.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "cli/load.h"

enum { READ_BYTES = 64 << 10 };

static enum mr_status read_all(int descriptor, const char *path, struct mr_buffer *buffer,
                               struct mr_error *error)
{
    for (;;) {
        size_t room = buffer->size_max - buffer->size;
        size_t wanted = room < READ_BYTES ? room : READ_BYTES;
        enum mr_status status = mr_buffer_reserve(buffer, wanted);
        if (status != MR_OK || wanted == 0)
            return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                           "'%s' is larger than the %zu bytes that are read of such a file", path,
                           buffer->size_max - 1);
        ssize_t size = read(descriptor, buffer->data + buffer->size, wanted);
        if (size == 0)
            return MR_OK;
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_NONE, "cannot read '%s'", path);
        buffer->size += (size_t)size;
    }
}

enum mr_status mr_load_file(struct mr_arena *arena, const char *path, size_t size_max,
                            struct mr_slice *bytes, struct mr_error *error)
{
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, size_max + 1); /* room to see that there is more */
    bool standard_input = strcmp(path, "-") == 0;
    int descriptor = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    enum mr_status status;
    if (descriptor < 0) {
        status = MR_FAIL_ERRNO(error, errno, MR_RECOVERY_NONE, "cannot open '%s'", path);
        goto cleanup;
    }
    status = read_all(descriptor, path, &buffer, error);
    if (status == MR_OK)
        *bytes = mr_arena_copy(arena, mr_buffer_view(&buffer));
    if (!standard_input)
        close(descriptor);
cleanup:
    mr_buffer_deinit(&buffer);
    return status;
}
