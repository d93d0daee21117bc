/* cli/plan.c — `millrace plan`: what a topology becomes: tasks, topics, stores, keys, memory. */
#include "cli/catalogue.h"
#include "cli/command.h"
#include "cli/load.h"
#include "topology/describe.h"

#include <stdio.h>

enum { ARENA_CHUNK_BYTES = 256 << 10, TEXT_BYTES_MAX = 16 << 20 };

static enum mr_exit run(const struct mr_arguments *arguments)
{
    struct mr_arena arena;
    struct mr_buffer text;
    struct mr_catalogue catalogue;
    struct mr_plan *plan;
    mr_arena_init(&arena, ARENA_CHUNK_BYTES);
    mr_buffer_init(&text, TEXT_BYTES_MAX);
    mr_catalogue_make(&arena, &catalogue);
    enum mr_exit code = mr_load_plan(&arena, arguments->operands[0], &catalogue, &plan);
    if (code != MR_EXIT_FINE)
        goto cleanup;
    bool json = mr_arguments_flag(arguments, "output")->integer == MR_OUTPUT_JSON;
    enum mr_status status =
        json ? mr_plan_describe_json(plan, &text) : mr_plan_describe_text(plan, &text);
    if (status != MR_OK) {
        fprintf(stderr, "millrace: the plan's description is longer than %d bytes\n",
                (int)TEXT_BYTES_MAX);
        code = MR_EXIT_WRONG;
        goto cleanup;
    }
    fwrite(text.data, 1, text.size, stdout);
cleanup:
    mr_buffer_deinit(&text);
    mr_arena_deinit(&arena);
    return code;
}

static const struct mr_flag flags[] = {MR_FLAG_OUTPUT, {.name = NULL}};

const struct mr_command mr_command_plan = {
    .name = "plan",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Show what a topology becomes: subtopologies, topics, keys, state and memory.",
    .description = "Reads the file only; no broker is asked, so partition counts of topics are not "
                   "known. `-` reads standard input.",
    .flags = flags,
    .run = run};
