/* base/zone_file.h — zones of this machine's tz database (package tzdata): TZif files, RFC 8536.
 * What is read: version 2 or later, its 64-bit block and the rule behind it. Refused: version 1,
 * which ends in 2037; leap seconds; anything that is torn, out of order or out of bounds. Files are
 * at most MR_ZONE_FILE_BYTES_MAX long; their bytes are trusted in nothing.
 * This is where time zones come from, and the only place that reads them: what operators see is in
 * the plan (topology/plan.h), so that they do no I/O and all that run one plan use one table.
 * Threads: any. */
#ifndef MR_BASE_ZONE_FILE_H
#define MR_BASE_ZONE_FILE_H

#include "base/zone.h"

enum { MR_ZONE_FILE_BYTES_MAX = 256 << 10 };

/* The zone that a file's bytes say. Owner: arena; name is borrowed. MR_CORRUPT with a sentence. */
enum mr_status mr_zone_read(struct mr_slice bytes, const char *name, struct mr_arena *arena,
                            const struct mr_zone **zone, struct mr_error *error) MR_NODISCARD;

/* The zone of a name, as Europe/Berlin. MR_NOT_FOUND: there is none, with the nearest known name
 * where there is one; MR_INVALID: not the form of a name; MR_CORRUPT, MR_IO. Blocks on reads. */
enum mr_status mr_zone_load(const char *name, struct mr_arena *arena, const struct mr_zone **zone,
                            struct mr_error *error) MR_NODISCARD;

#endif
