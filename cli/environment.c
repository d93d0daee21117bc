/* cli/environment.c — see environment.h.
 * Design: a first reading notes which names the environment gave. Their lines are put behind the
 * line `values:` of spec, or a `values:` with them is put before spec's first entry; entries of the
 * same name are taken out, since the environment comes first. The result is read once more, without
 * the environment, and must be the same plan. */
#include "cli/environment.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "topology/describe.h"
#include "topology/json_text.h"

#include <stdlib.h>

enum { NAMES_MAX = 256, DESCRIPTION_BYTES_MAX = 16 << 20, ADDED_BYTES_MAX = 4 << 20 };

struct taken {
    const char *names[NAMES_MAX];
    const char *values[NAMES_MAX];
    uint32_t count;
    bool too_many;
};

static const char *lookup_noting(void *argument, const char *name)
{
    struct taken *taken = argument;
    const char *value = getenv(name);
    if (value == NULL)
        return NULL;
    for (uint32_t index = 0; index < taken->count; index++)
        if (strcmp(taken->names[index], name) == 0)
            return value;
    taken->too_many = taken->too_many || taken->count == NAMES_MAX;
    if (taken->count < NAMES_MAX) {
        taken->names[taken->count] = name;
        taken->values[taken->count++] = value;
    }
    return value;
}

static const char *lookup_nothing(void *argument, const char *name)
{
    (void)argument;
    (void)name;
    return NULL;
}

/* Byte at which line (from 1) begins. */
static size_t line_start(struct mr_slice text, uint32_t line)
{
    size_t at = 0;
    for (uint32_t number = 1; number < line && at < text.size; number++) {
        const uint8_t *newline = memchr(text.data + at, '\n', text.size - at);
        at = newline == NULL ? text.size : (size_t)(newline - text.data) + 1;
    }
    return at;
}

static bool is_taken(const struct taken *taken, const char *name)
{
    for (uint32_t index = 0; index < taken->count; index++)
        if (strcmp(taken->names[index], name) == 0)
            return true;
    return false;
}

/* The names as lines of a block mapping, each behind `indent` blanks. */
static enum mr_status append_entries(struct mr_buffer *output, const struct taken *taken,
                                     uint32_t indent)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < taken->count && status == MR_OK; index++) {
        status = mr_buffer_append_format(output, "%*s%s: ", (int)indent, "", taken->names[index]);
        if (status == MR_OK)
            status = mr_json_text_string(output, taken->values[index]);
        if (status == MR_OK)
            status = mr_buffer_append_text(output, "\n");
    }
    return status;
}

static enum mr_status append_range(struct mr_buffer *output, struct mr_slice text, size_t from,
                                   size_t until)
{
    return mr_buffer_append(output, text.data + from, until - from);
}

/* A mapping whose entries begin on lines of their own, behind the line of its key. */
static bool is_block(const struct mr_yaml_pair *pair)
{
    const struct mr_yaml_node *node = pair->value;
    if (node->kind != MR_YAML_MAPPING || node->count == 0 ||
        node->pairs[0].location.line <= pair->location.line)
        return false;
    for (uint32_t index = 1; index < node->count; index++)
        if (node->pairs[index].location.line <= node->pairs[index - 1].location.line)
            return false;
    return true;
}

/* A new `values:` before spec's first entry. */
static enum mr_status add_values(struct mr_buffer *output, struct mr_slice text,
                                 const struct mr_yaml_pair *spec, const struct taken *taken)
{
    const struct mr_location first = spec->value->pairs[0].location;
    size_t at = line_start(text, first.line);
    uint32_t indent = first.column - 1;
    enum mr_status status = append_range(output, text, 0, at);
    if (status == MR_OK)
        status = mr_buffer_append_format(output, "%*svalues:\n", (int)indent, "");
    if (status == MR_OK)
        status = append_entries(output, taken, indent + 2);
    return status == MR_OK ? append_range(output, text, at, text.size) : status;
}

/* Into an existing `values:`. Its entries are scalars; one of a taken name ends where the next
 * entry begins, the last one at its own line's end. */
static enum mr_status extend_values(struct mr_buffer *output, struct mr_slice text,
                                    const struct mr_yaml_pair *values, const struct taken *taken)
{
    const struct mr_yaml_node *node = values->value;
    size_t at = line_start(text, node->pairs[0].location.line);
    enum mr_status status = append_range(output, text, 0, at);
    if (status == MR_OK)
        status = append_entries(output, taken, node->pairs[0].location.column - 1);
    for (uint32_t index = 0; index < node->count && status == MR_OK; index++) {
        const struct mr_yaml_pair *pair = &node->pairs[index];
        size_t end = index + 1 < node->count
                         ? line_start(text, node->pairs[index + 1].location.line)
                         : line_start(text, pair->location.line + 1);
        if (!is_taken(taken, pair->key))
            status = append_range(output, text, at, end);
        at = end;
    }
    return status == MR_OK ? append_range(output, text, at, text.size) : status;
}

static enum mr_status refuse(struct mr_error *error)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                   "the values that come from the environment are stored in `spec.values`, and "
                   "`spec` (with its `values`, if there is one) is not written as one entry a "
                   "line: write it so, or submit without these variables");
}

/* The plan as text: two readings mean the same when these are equal. */
static enum mr_status describe(struct mr_slice text, const struct mr_catalogue *catalogue,
                               const struct mr_substitution *substitution, struct mr_arena *arena,
                               struct mr_buffer *output)
{
    struct mr_report report;
    struct mr_plan *plan;
    mr_report_init(&report, arena, "definition");
    mr_topology_parse(text, catalogue, substitution, arena, &report, &plan);
    return plan == NULL ? MR_INVALID : mr_plan_describe_json(plan, output);
}

static enum mr_status same_plan(struct mr_slice text, struct mr_slice stored,
                                const struct mr_catalogue *catalogue, struct mr_arena *arena,
                                struct mr_error *error)
{
    struct taken again = {.count = 0};
    struct mr_buffer before;
    struct mr_buffer after;
    mr_buffer_init(&before, DESCRIPTION_BYTES_MAX);
    mr_buffer_init(&after, DESCRIPTION_BYTES_MAX);
    const struct mr_substitution with = {.lookup = lookup_noting, .argument = &again};
    const struct mr_substitution without = {.lookup = lookup_nothing};
    enum mr_status status = describe(text, catalogue, &with, arena, &before);
    if (status == MR_OK)
        status = describe(stored, catalogue, &without, arena, &after);
    bool same = status == MR_OK && mr_slice_equal(mr_buffer_view(&before), mr_buffer_view(&after));
    mr_buffer_deinit(&before);
    mr_buffer_deinit(&after);
    return same ? MR_OK : refuse(error);
}

static enum mr_status write_stored(struct mr_slice text, const struct mr_catalogue *catalogue,
                                   const struct taken *taken, struct mr_arena *arena,
                                   struct mr_slice *stored, struct mr_error *error)
{
    struct mr_report report;
    struct mr_buffer output;
    mr_report_init(&report, arena, "definition");
    const struct mr_yaml_node *root = mr_yaml_parse(text, arena, &report);
    const struct mr_yaml_pair *spec =
        root != NULL && root->kind == MR_YAML_MAPPING ? mr_yaml_find(root, "spec") : NULL;
    if (spec == NULL || !is_block(spec))
        return refuse(error);
    const struct mr_yaml_pair *values = mr_yaml_find(spec->value, "values");
    if (values != NULL && !is_block(values))
        return refuse(error);
    mr_buffer_init(&output, text.size + ADDED_BYTES_MAX);
    enum mr_status status = values == NULL ? add_values(&output, text, spec, taken)
                                           : extend_values(&output, text, values, taken);
    if (status == MR_OK)
        *stored = mr_arena_copy(arena, mr_buffer_view(&output));
    mr_buffer_deinit(&output);
    if (status != MR_OK || stored->size > MR_LIMIT_TOPOLOGY_BYTES)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                       "with the values of the environment the definition is larger than %d bytes",
                       MR_LIMIT_TOPOLOGY_BYTES);
    return same_plan(text, *stored, catalogue, arena, error);
}

enum mr_status mr_environment_store(struct mr_slice text, const struct mr_catalogue *catalogue,
                                    struct mr_arena *arena, struct mr_slice *stored,
                                    uint32_t *names_count, struct mr_error *error)
{
    struct taken taken = {.count = 0};
    struct mr_report report;
    struct mr_plan *plan;
    const struct mr_substitution noting = {.lookup = lookup_noting, .argument = &taken};
    mr_report_init(&report, arena, "definition");
    mr_topology_parse(text, catalogue, &noting, arena, &report, &plan);
    *stored = text;
    *names_count = taken.count;
    if (taken.too_many)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                       "more than %d values come from the environment", NAMES_MAX);
    return taken.count == 0 ? MR_OK : write_stored(text, catalogue, &taken, arena, stored, error);
}
