/* cli/line_reader.h — lines of a file or of standard input, with a limit for each and a way to see
 * that no more is there for now.
 * Why: records typed by hand or coming from a slow pipe must be written when they come, those of a
 * file in large batches.
 * Limits: a line of more than bytes_max bytes is given cut, as too long. */
#ifndef MR_CLI_LINE_READER_H
#define MR_CLI_LINE_READER_H

#include "base/buffer.h"

struct mr_line_reader {
    int descriptor;
    size_t bytes_max;
    struct mr_buffer buffer;
    size_t taken;    /* bytes at the start of the buffer that were given out */
    bool ended;      /* no more bytes will come */
    bool skipping;   /* within a line that was too long */
    uint64_t number; /* of the last line, from 1 */
};

/* Borrows descriptor. */
void mr_line_reader_init(struct mr_line_reader *reader, int descriptor, size_t bytes_max);
void mr_line_reader_deinit(struct mr_line_reader *reader);

/* The next line without its end ("\n" or "\r\n"), borrowed until the next call. wait_ms: how long
 * to wait for one, -1: for ever. MR_AGAIN: none in time, or a signal came; MR_END; MR_LIMIT: the
 * line is too long and was left out (line is empty); MR_IO. */
enum mr_status mr_line_reader_next(struct mr_line_reader *reader, int wait_ms,
                                   struct mr_slice *line, struct mr_error *error) MR_NODISCARD;

#endif
