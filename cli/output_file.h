/* cli/output_file.h — a file that a command writes as a whole: beside its place and renamed, so
 * that a reader never sees half of it, and what was there stays until all is there. Opening it
 * first tells a path that cannot be written before the work, and not after it. */
#ifndef MR_CLI_OUTPUT_FILE_H
#define MR_CLI_OUTPUT_FILE_H

#include <stdio.h>

#include "base/arena.h"
#include "cli/command.h"

struct mr_output_file {
    const char *path;
    const char *beside; /* NULL: nothing is open */
    FILE *file;
};

/* Print what is wrong. path and arena stay until the file is finished or abandoned. is_private: for
 * its owner alone, also where another file stood there. */
enum mr_exit mr_output_file_open(struct mr_output_file *output, const char *path, bool is_private,
                                 struct mr_arena *arena);
enum mr_exit mr_output_file_finish(struct mr_output_file *output, struct mr_slice text);
/* Leave nothing; does nothing when it was finished or never opened (zeroed). */
void mr_output_file_abandon(struct mr_output_file *output);

#endif
