/* connectors/file/file_parts.h — names, recovery and renaming of the files of one sink partition.
 * Model: see file_sink.c. Numbers begin at 1 and have at least six digits. */
#ifndef MR_CONNECTORS_FILE_FILE_PARTS_H
#define MR_CONNECTORS_FILE_FILE_PARTS_H

#include "connectors/connector.h"

enum {
    MR_FILE_NAME_SIZE = 512,
    MR_FILE_PART_NAME_SIZE = 2 * MR_FILE_NAME_SIZE + 32 /* stem, number, extension */
};

struct mr_file_parts {
    int folder; /* its handle, -1: closed */
    char folder_path[MR_FILE_NAME_SIZE];
    char stem[MR_FILE_NAME_SIZE];      /* "readings-0" */
    char extension[MR_FILE_NAME_SIZE]; /* ".jsonl", or "" */
};

/* Take path apart (see the sink's option) and open the folder. Close is safe after a failure. */
enum mr_status mr_file_parts_open(struct mr_file_parts *parts, const char *path, const char *name,
                                  int32_t partition, struct mr_error *error) MR_NODISCARD;
void mr_file_parts_close(struct mr_file_parts *parts);
/* Bring the folder to the stored position, and position to where writing goes on. MR_CORRUPT: what
 * was committed is not there. */
enum mr_status mr_file_parts_recover(struct mr_file_parts *parts, struct mr_sink_position *position,
                                     struct mr_error *error) MR_NODISCARD;
/* Open the part of a number for writing, creating it if needed. */
enum mr_status mr_file_parts_open_part(struct mr_file_parts *parts, int64_t number, int *handle,
                                       struct mr_error *error) MR_NODISCARD;
/* Lines in an open part. */
enum mr_status mr_file_parts_count_lines(const struct mr_file_parts *parts, int handle,
                                         int64_t *lines_count, struct mr_error *error) MR_NODISCARD;
/* Give a part its final name. MR_OK too when that was done before. */
enum mr_status mr_file_parts_finish(struct mr_file_parts *parts, int64_t number,
                                    struct mr_error *error) MR_NODISCARD;
/* Make names durable. */
enum mr_status mr_file_parts_sync_folder(struct mr_file_parts *parts,
                                         struct mr_error *error) MR_NODISCARD;

#endif
