/* tests/fuzz/fuzz_topology.c — any bytes are refused with findings or become a plan that holds
 * together. Input: a topology file; one that does not start with "apiVersion" is the body of
 * `spec`, so that the fuzzer need not find the frame. Oracle beside the sanitizers:
 * tests/support/plan_check.h, and a description that fits its buffer. Seeds: tests/golden/topology.
 */
#include "base/assert.h"
#include "tests/support/plan_check.h"
#include "tests/support/topology_catalogue.h"
#include "topology/describe.h"

enum { TEXT_BYTES_MAX = 16 << 10, DESCRIPTION_BYTES_MAX = 64 << 20 };

static const char frame[] = "apiVersion: millrace.io/v1alpha1\nkind: Topology\n"
                            "metadata: {name: fuzz}\nspec:\n";

static const char *lookup(void *argument, const char *name)
{
    (void)argument;
    return name[0] == 'A' ? "5" : NULL;
}

static struct mr_slice framed(struct mr_arena *arena, const uint8_t *data, size_t size)
{
    struct mr_slice text = mr_slice_from(data, size);
    if (size >= 10 && memcmp(data, frame, 10) == 0)
        return text;
    uint8_t *copy = mr_arena_take(arena, sizeof(frame) + size);
    memcpy(copy, frame, sizeof(frame) - 1);
    if (size > 0)
        memcpy(copy + sizeof(frame) - 1, data, size);
    return mr_slice_from(copy, sizeof(frame) - 1 + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_BYTES_MAX)
        return 0;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_plan *plan;
    struct mr_substitution substitution = {.lookup = lookup};
    mr_arena_init(&arena, 64 << 10);
    mr_report_init(&report, &arena, "fuzz");
    mr_topology_parse(framed(&arena, data, size), &mr_test_catalogue, &substitution, &arena,
                      &report, &plan);
    MR_ASSERT((plan == NULL) == (report.errors_count > 0));
    if (plan != NULL) {
        struct mr_buffer buffer;
        mr_buffer_init(&buffer, DESCRIPTION_BYTES_MAX);
        mr_plan_check(plan);
        MR_ASSERT(mr_plan_describe_text(plan, &buffer) == MR_OK);
        MR_ASSERT(mr_plan_describe_json(plan, &buffer) == MR_OK);
        mr_buffer_deinit(&buffer);
    }
    mr_arena_deinit(&arena);
    return 0;
}
