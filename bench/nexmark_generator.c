/* bench/nexmark_generator.c — records per CPU-second that generate.nexmark alone makes, by kind:
 * columns only, without encoding and commits. */
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "tests/support/operator_harness.h"

enum { ROUNDS = 100 };

int main(void)
{
    static const char *const kinds[] = {"all", "person", "auction", "bid"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(kinds); index++) {
        char source[128];
        snprintf(source, sizeof(source), "    - {name: made, type: generate.nexmark, kind: %s}\n",
                 kinds[index]);
        struct harness harness;
        harness_open_sources(&harness, source, "", "    - {name: out, type: memory, from: made}\n",
                             "made", 0, 1);
        harness.quiet = true;
        int64_t position = 0;
        int64_t due_ms = 0;
        uint64_t start_ns = mr_clock_thread_cpu_ns();
        for (int round = 0; round < ROUNDS; round++)
            if (harness_generate(&harness, position, 0, MR_LIMIT_BATCH_ROWS, &position, &due_ms) !=
                MR_OK)
                return 1;
        printf("generate.nexmark, kind %-7s %12.0f records per CPU-second\n", kinds[index],
               (double)position * 1e9 / (double)(mr_clock_thread_cpu_ns() - start_ns));
        harness_close(&harness);
    }
    return 0;
}
