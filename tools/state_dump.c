/* tools/state_dump.c — prints the committed state of one task, for people and for tests.
 * Usage: state_dump DIRECTORY, the folder of a task (<state-dir>/<generation>/<subtopology>/
 * <partition>) that no process has open. One line per pair that is also in the changelog, in key
 * order: key and value in hex, as state/key_codec.h and state/stored_value.h lay them out. A first
 * line says up to which changelog offset the state goes. Writes nothing but what opening a RocksDB
 * writes. Exit codes: 0 done, 1 it cannot be read, 2 usage. */
#include "base/assert.h"
#include "base/memory.h"
#include "state/key_codec.h"
#include "state/stored_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum { CACHE_BYTES = 8 << 20 };

static void print_hex(struct mr_slice bytes)
{
    for (size_t index = 0; index < bytes.size; index++)
        (void)printf("%02x", bytes.data[index]);
}

static bool print_pair(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct mr_key parsed;
    struct mr_stored_state stored;
    MR_UNUSED(argument);
    if (mr_key_parse(key, &parsed) && parsed.kind == MR_KEY_STATE &&
        mr_stored_state_parse(value, &stored))
        (void)printf("# changelog offset %" PRId64 "\n", stored.changelog_offset);
    if (mr_key_is_local(key))
        return true;
    print_hex(key);
    (void)putchar(' ');
    print_hex(value);
    (void)putchar('\n');
    return true;
}

int main(int argument_count, char **arguments)
{
    struct stat found;
    struct mr_error error;
    if (argument_count != 2) {
        (void)fputs("usage: state_dump DIRECTORY\n", stderr);
        return 2;
    }
    /* Opening would create a missing folder. */
    if (stat(arguments[1], &found) != 0 || !S_ISDIR(found.st_mode)) {
        (void)fprintf(stderr, "state_dump: %s is not a folder\n", arguments[1]);
        return 1;
    }
    static const uint8_t last[] = {0xff, 0xff, 0xff, 0xff, 0xff};
    const struct mr_store_ops *ops = &mr_store_rocksdb;
    struct mr_store_resources *resources = ops->resources_create(CACHE_BYTES);
    void *store = mr_memory_new(1, ops->instance_size);
    struct mr_store_open open = {.directory = arguments[1], .resources = resources};
    enum mr_status status = resources == NULL ? MR_FAIL(&error, MR_LIMIT, MR_RECOVERY_EXIT,
                                                        "no memory for the store's caches")
                                              : ops->open(store, &open, &error);
    if (status == MR_OK)
        status = ops->scan(store, (struct mr_slice){0}, mr_slice_from(last, sizeof(last)),
                           print_pair, NULL, &error);
    if (status != MR_OK)
        (void)fprintf(stderr, "state_dump: %s\n", error.message);
    if (resources != NULL) {
        ops->close(store);
        ops->resources_destroy(resources);
    }
    mr_memory_free(store);
    return status == MR_OK ? 0 : 1;
}
