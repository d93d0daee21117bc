/* tests/fuzz/fuzz_row.c — any bytes are a stored row or are refused. Oracles beside the sanitizers:
 * what is read is written as the same bytes again; reading takes no more memory than its cells. */
#include "base/assert.h"
#include "base/memory.h"
#include "record/row.h"

enum {
    SLOTS_COUNT = 4,
    SPANS_COUNT = 1,
    CHUNK_BYTES = 4096,
    MEMORY_FACTOR = 64,
    MEMORY_BASE_BYTES = 64 << 10
};

static const uint32_t slots[SLOTS_COUNT] = {0, 1, 2, 3};
static const uint32_t spans[SPANS_COUNT] = {0};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned form = 0; form < 4; form++) {
        struct mr_row_shape shape = {.slots = slots,
                                     .slots_count = SLOTS_COUNT,
                                     .spans = spans,
                                     .spans_count = SPANS_COUNT,
                                     .whole = (form & 1) != 0,
                                     .message = (form & 2) != 0};
        struct mr_batch_shape batch_shape = {.slots_count = SLOTS_COUNT,
                                             .spans_count = SPANS_COUNT};
        struct mr_arena arena;
        struct mr_batch batch;
        struct mr_error error = {0};
        mr_arena_init(&arena, CHUNK_BYTES);
        mr_batch_init(&batch, &arena, batch_shape, 1);
        uint64_t before = mr_memory_counters().allocation_bytes;
        enum mr_status status = mr_row_read(&shape, mr_slice_from(data, size), &batch, 0, &error);
        MR_ASSERT(mr_memory_counters().allocation_bytes - before <=
                  size * MEMORY_FACTOR + MEMORY_BASE_BYTES);
        size_t again_size = 0;
        if (status == MR_OK && size <= MR_LIMIT_ROW_BYTES) {
            status = mr_row_size(&shape, &batch, 0, &again_size, &error);
            MR_ASSERT(status == MR_OK && again_size == size);
            uint8_t *again = mr_arena_take(&arena, again_size);
            mr_row_write(&shape, &batch, 0, again);
            MR_ASSERT(memcmp(again, data, size) == 0);
        } else if (status != MR_OK) {
            MR_ASSERT(error.status == status && error.message[0] != 0);
        }
        mr_arena_deinit(&arena);
    }
    return 0;
}
