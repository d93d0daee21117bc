/* tests/support/network_file.h — the files that network_reference.py wrote, for tests. */
#ifndef MR_TESTS_SUPPORT_NETWORK_FILE_H
#define MR_TESTS_SUPPORT_NETWORK_FILE_H

#include "base/slice.h"

/* The text of tests/golden/operators/<name>, ended by NUL. Owner: the caller, until
 * mr_memory_free; a file that is missing fails the test. */
char *network_file_read(const char *name);

/* The small network's document with the first `find` replaced. Owner: the caller. */
char *network_file_changed(const char *find, const char *replacement);

#endif
