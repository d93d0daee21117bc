/* cli/output_file.c — see output_file.h. */
#include "cli/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static enum mr_exit fail(struct mr_output_file *output, int why)
{
    (void)fprintf(stderr, "millrace: %s cannot be written: %s\n", output->path, strerror(why));
    mr_output_file_abandon(output);
    return MR_EXIT_USAGE;
}

enum mr_exit mr_output_file_open(struct mr_output_file *output, const char *path, bool is_private,
                                 struct mr_arena *arena)
{
    output->path = path;
    output->beside = mr_arena_format(arena, "%s.part", path);
    (void)unlink(output->beside); /* a file of its own: another one's mode would stay */
    int descriptor =
        open(output->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_private ? 0600 : 0666);
    output->file = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    if (output->file != NULL)
        return MR_EXIT_FINE;
    int why = errno;
    if (descriptor < 0)
        output->beside = NULL;
    else
        (void)close(descriptor);
    return fail(output, why);
}

enum mr_exit mr_output_file_finish(struct mr_output_file *output, struct mr_slice text)
{
    bool is_written = fwrite(text.data, 1, text.size, output->file) == text.size;
    int why = errno;
    FILE *file = output->file;
    output->file = NULL;
    if (fclose(file) != 0 && is_written) {
        is_written = false;
        why = errno;
    }
    if (is_written && rename(output->beside, output->path) != 0) {
        is_written = false;
        why = errno;
    }
    if (!is_written)
        return fail(output, why);
    output->beside = NULL;
    return MR_EXIT_FINE;
}

void mr_output_file_abandon(struct mr_output_file *output)
{
    if (output->file != NULL)
        (void)fclose(output->file);
    if (output->beside != NULL)
        (void)remove(output->beside);
    output->file = NULL;
    output->beside = NULL;
}
