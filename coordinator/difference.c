/* coordinator/difference.c — comparing two plans by name.
 * Design: each list is made of what the new plan has, compared with the old one, and then of what
 * only the old plan has; sorted by name at the end. A state moves when its operator's subtopology
 * has another name: changelogs belong to subtopologies. */
#include "coordinator/difference.h"

#include "base/assert.h"
#include "topology/meaning.h"
#include "topology/option_text.h"
#include "topology/type.h"

#include <stdlib.h>

struct comparing {
    const struct mr_plan *before; /* NULL: none */
    const struct mr_plan *after;
    struct mr_arena *arena;
    struct mr_difference *difference;
};

const char *mr_change_name(enum mr_change change)
{
    static const char *const names[] = {"kept", "added", "dropped", "moved"};
    MR_ASSERT((size_t)change < MR_ARRAY_COUNT(names));
    return names[change];
}

static bool contains(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t index = 0; index < count; index++)
        if (strcmp(names[index], name) == 0)
            return true;
    return false;
}

static const struct mr_plan_subtopology *find_part(const struct mr_plan *plan, const char *name)
{
    for (uint32_t index = 0; plan != NULL && index < plan->subtopologies_count; index++)
        if (strcmp(plan->subtopologies[index].name, name) == 0)
            return &plan->subtopologies[index];
    return NULL;
}

static const struct mr_plan_node *find_node(const struct mr_plan *plan, const char *name,
                                            enum mr_role role)
{
    const struct mr_plan_node *node = plan == NULL ? NULL : mr_plan_node_find(plan, name);
    return node != NULL && node->type->role == role ? node : NULL;
}

static const char *part_of(const struct mr_plan *plan, const struct mr_plan_node *node)
{
    return plan->subtopologies[node->subtopology].name;
}

static bool has_state(const struct mr_plan_node *node)
{
    return node->type->role == MR_ROLE_OPERATOR && node->type->state_version > 0;
}

/* ---- Subtopologies ---- */

static void compare_parts(const struct comparing *comparing)
{
    struct mr_difference *difference = comparing->difference;
    const struct mr_plan *after = comparing->after;
    const struct mr_plan *before = comparing->before;
    uint32_t count = after->subtopologies_count + (before ? before->subtopologies_count : 0);
    difference->parts = mr_arena_new(comparing->arena, count + 1u, sizeof(*difference->parts));
    for (uint32_t index = 0; index < after->subtopologies_count; index++) {
        const struct mr_plan_subtopology *part = &after->subtopologies[index];
        difference->parts[difference->parts_count++] = (struct mr_difference_part){
            .name = part->name,
            .change = find_part(before, part->name) != NULL ? MR_CHANGE_KEPT : MR_CHANGE_ADDED,
            .stateful = part->stateful};
    }
    for (uint32_t index = 0; before != NULL && index < before->subtopologies_count; index++)
        if (find_part(after, before->subtopologies[index].name) == NULL)
            difference->parts[difference->parts_count++] =
                (struct mr_difference_part){.name = before->subtopologies[index].name,
                                            .change = MR_CHANGE_DROPPED,
                                            .stateful = before->subtopologies[index].stateful};
}

/* ---- State ---- */

/* The first option that what is stored depends on and that differs; NULL: none. */
static const char *changed_option(const struct mr_meaning *old, const struct mr_meaning *new)
{
    for (uint32_t index = 0; index < new->options_count; index++)
        if (old->options[index].value != new->options[index].value)
            return new->options[index].name;
    return NULL;
}

static void add_name(const char **names, bool differs, const char *name, struct mr_arena *arena)
{
    if (differs)
        *names = *names == NULL ? name : mr_arena_format(arena, "%s, %s", *names, name);
}

/* The names of the other options that differ. */
static const char *tuned_options(const struct mr_plan_node *old, const struct mr_plan_node *node,
                                 struct mr_arena *arena)
{
    const char *names = NULL;
    for (uint32_t index = 0; index < node->options.count; index++) {
        const struct mr_option_spec *spec = &node->options.specs[index];
        add_name(&names,
                 !mr_meaning_has_option(spec) &&
                     !mr_meaning_same_value(spec, &old->options.values[index],
                                            &node->options.values[index]),
                 spec->name, arena);
    }
    return names;
}

/* The field that the source's decoder puts into a slot; "": none does. */
static const char *slot_name(const struct mr_plan *plan, const struct mr_plan_node *source,
                             uint32_t slot)
{
    const struct mr_plan_domain *domain = &plan->domains[source->outputs[0].domain];
    for (uint32_t index = 0; index < domain->reads_count; index++)
        if (domain->reads[index].slot == slot)
            return domain->reads[index].path.text;
    return "";
}

/* Sources take their event times from somewhere else, or read them otherwise. */
static bool times_differ(const struct comparing *comparing, const struct mr_plan_node *old,
                         const struct mr_plan_node *node)
{
    return old->timestamp_unit_ns != node->timestamp_unit_ns ||
           strcmp(slot_name(comparing->before, old, old->timestamp_slot),
                  slot_name(comparing->after, node, node->timestamp_slot)) != 0;
}

static bool watermarks_differ(const struct comparing *comparing, const struct mr_plan_node *old,
                              const struct mr_plan_node *node)
{
    return old->max_delay_ms != node->max_delay_ms ||
           old->idle_timeout_ms != node->idle_timeout_ms ||
           old->max_ahead_ms != node->max_ahead_ms ||
           (old->watermark_when == NULL) != (node->watermark_when == NULL) ||
           strcmp(slot_name(comparing->before, old, old->watermark_slot),
                  slot_name(comparing->after, node, node->watermark_slot)) != 0;
}

/* The first option of a source that its position depends on and that differs; NULL: none. */
static const char *bound_option(const struct mr_plan_node *old, const struct mr_plan_node *node)
{
    for (uint32_t index = 0; index < node->options.count; index++) {
        const struct mr_option_spec *spec = &node->options.specs[index];
        if (mr_meaning_has_option(spec) &&
            !mr_meaning_same_value(spec, &old->options.values[index], &node->options.values[index]))
            return spec->name;
    }
    return NULL;
}

/* As people call it: a field that is edited later, or one of rows without a partner. */
static const char *field_of(const char *cell)
{
    static const char *const prefixes[] = {"only.", "edit "};
    for (size_t index = 0; index < MR_ARRAY_COUNT(prefixes); index++)
        if (strncmp(cell, prefixes[index], strlen(prefixes[index])) == 0)
            cell += strlen(prefixes[index]);
    return strncmp(cell, "meta", 4) == 0 ? "the message's metadata" : cell;
}

static const char *only_in(const struct mr_kept_rows *left, const struct mr_kept_rows *right)
{
    for (uint32_t index = 0; index < left->cells_count; index++)
        if (!contains(right->cells, right->cells_count, left->cells[index]))
            return field_of(left->cells[index]);
    return NULL;
}

/* A field that only one of them has, or has at this place; NULL: their rows are the same. */
static const char *different_field(const struct mr_kept_rows *old, const struct mr_kept_rows *kept)
{
    const char *field = only_in(kept, old);
    if (field == NULL)
        field = only_in(old, kept);
    if (field != NULL)
        return field;
    if (old->whole != kept->whole || old->message != kept->message)
        return "the whole record";
    for (uint32_t index = 0; index < kept->cells_count; index++)
        if (strcmp(old->cells[index], kept->cells[index]) != 0)
            return field_of(kept->cells[index]);
    uint32_t least =
        old->members_count < kept->members_count ? old->members_count : kept->members_count;
    for (uint32_t index = 0; index < least; index++)
        if (strcmp(old->members[index], kept->members[index]) != 0)
            return kept->members[index];
    if (old->members_count == kept->members_count)
        return NULL;
    return old->members_count > least ? old->members[least] : kept->members[least];
}

static const char *changed_field(const struct mr_meaning *old, const struct mr_meaning *new,
                                 struct mr_arena *arena)
{
    for (uint32_t index = 0; index < new->rows_count; index++) {
        const char *field = different_field(&old->rows[index], &new->rows[index]);
        if (field != NULL)
            return new->rows[index].side == NULL
                       ? field
                       : mr_arena_format(arena, "%s of %s", field, new->rows[index].side);
    }
    return NULL;
}

static void compare_meaning(const struct comparing *comparing, const struct mr_plan_node *old,
                            const struct mr_plan_node *node, struct mr_difference_state *state)
{
    struct mr_meaning before;
    struct mr_meaning after;
    mr_meaning_make(comparing->before, old, comparing->arena, &before);
    mr_meaning_make(comparing->after, node, comparing->arena, &after);
    state->option = changed_option(&before, &after);
    if (state->option == NULL)
        state->field = changed_field(&before, &after, comparing->arena);
    state->tuned = tuned_options(old, node, comparing->arena);
}

static struct mr_difference_state compare_state(const struct comparing *comparing,
                                                const struct mr_plan_node *node)
{
    const struct mr_plan_node *old = find_node(comparing->before, node->name, MR_ROLE_OPERATOR);
    struct mr_difference_state state = {.name = node->name,
                                        .type = node->type->name,
                                        .change = MR_CHANGE_ADDED,
                                        .part = part_of(comparing->after, node)};
    if (old == NULL || !has_state(old))
        return state;
    state.part_before = part_of(comparing->before, old);
    state.change = strcmp(state.part, state.part_before) == 0 ? MR_CHANGE_KEPT : MR_CHANGE_MOVED;
    if (strcmp(old->type->name, node->type->name) != 0)
        state.type_before = old->type->name;
    else if (state.change == MR_CHANGE_KEPT)
        compare_meaning(comparing, old, node, &state);
    return state;
}

static void compare_states(const struct comparing *comparing)
{
    struct mr_difference *difference = comparing->difference;
    const struct mr_plan *after = comparing->after;
    const struct mr_plan *before = comparing->before;
    uint32_t count = after->nodes_count + (before ? before->nodes_count : 0);
    difference->states = mr_arena_new(comparing->arena, count + 1u, sizeof(*difference->states));
    for (uint32_t index = 0; index < after->nodes_count; index++)
        if (has_state(&after->nodes[index]))
            difference->states[difference->states_count++] =
                compare_state(comparing, &after->nodes[index]);
    for (uint32_t index = 0; before != NULL && index < before->nodes_count; index++) {
        const struct mr_plan_node *old = &before->nodes[index];
        const struct mr_plan_node *new = find_node(after, old->name, MR_ROLE_OPERATOR);
        if (has_state(old) && (new == NULL || !has_state(new)))
            difference->states[difference->states_count++] =
                (struct mr_difference_state){.name = old->name,
                                             .type = old->type->name,
                                             .change = MR_CHANGE_DROPPED,
                                             .part = part_of(before, old)};
    }
}

/* ---- Sources ---- */

static const char *start_of(const struct mr_plan_node *node, struct mr_arena *arena)
{
    if ((node->type->flags & MR_TYPE_LOG) == 0)
        return NULL;
    if (node->history_ms > 0) /* for a detector with `warm_from` */
        return mr_arena_format(arena, "%s back", mr_option_duration_text(arena, node->history_ms));
    return mr_options_text(&node->options, "start");
}

static struct mr_difference_source compare_source(const struct comparing *comparing,
                                                  const struct mr_plan_node *node)
{
    const struct mr_plan_node *old = find_node(comparing->before, node->name, MR_ROLE_SOURCE);
    struct mr_difference_source source = {
        .name = node->name, .change = MR_CHANGE_ADDED, .start = start_of(node, comparing->arena)};
    if (old == NULL)
        return source;
    source.part_before = part_of(comparing->before, old);
    source.change = strcmp(source.part_before, part_of(comparing->after, node)) == 0
                        ? MR_CHANGE_KEPT
                        : MR_CHANGE_MOVED;
    if (source.change == MR_CHANGE_MOVED)
        return source;
    if (strcmp(old->type->name, node->type->name) != 0) {
        source.type_before = old->type->name;
        return source;
    }
    source.option = bound_option(old, node);
    source.tuned = tuned_options(old, node, comparing->arena);
    add_name(&source.tuned, times_differ(comparing, old, node), "timestamp", comparing->arena);
    add_name(&source.tuned, watermarks_differ(comparing, old, node), "watermark", comparing->arena);
    return source;
}

static void compare_sources(const struct comparing *comparing)
{
    struct mr_difference *difference = comparing->difference;
    const struct mr_plan *after = comparing->after;
    const struct mr_plan *before = comparing->before;
    uint32_t count = after->nodes_count + (before ? before->nodes_count : 0);
    difference->sources = mr_arena_new(comparing->arena, count + 1u, sizeof(*difference->sources));
    for (uint32_t index = 0; index < after->nodes_count; index++)
        if (after->nodes[index].type->role == MR_ROLE_SOURCE)
            difference->sources[difference->sources_count++] =
                compare_source(comparing, &after->nodes[index]);
    for (uint32_t index = 0; before != NULL && index < before->nodes_count; index++) {
        const struct mr_plan_node *old = &before->nodes[index];
        if (old->type->role == MR_ROLE_SOURCE && !find_node(after, old->name, MR_ROLE_SOURCE))
            difference->sources[difference->sources_count++] =
                (struct mr_difference_source){.name = old->name,
                                              .change = MR_CHANGE_DROPPED,
                                              .part_before = part_of(before, old)};
    }
}

/* ---- Topics ---- */

static uint32_t topic_suffixes(const struct mr_plan *plan, struct mr_arena *arena,
                               const char **suffixes)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < plan->subtopologies_count; index++)
        suffixes[count++] =
            mr_arena_format(arena, "%s.%s", plan->subtopologies[index].name,
                            plan->subtopologies[index].stateful ? "changelog" : "progress");
    for (uint32_t index = 0; index < plan->repartitions_count; index++)
        suffixes[count++] = plan->repartitions[index].name;
    return count;
}

static void compare_topics(const struct comparing *comparing)
{
    struct mr_difference *difference = comparing->difference;
    const struct mr_plan *plans[] = {comparing->after, comparing->before};
    const char **suffixes[2] = {NULL, NULL};
    uint32_t counts[2] = {0, 0};
    for (int which = 0; which < 2 && plans[which] != NULL; which++) {
        uint32_t most = plans[which]->subtopologies_count + plans[which]->repartitions_count;
        suffixes[which] = mr_arena_new(comparing->arena, most + 1u, sizeof(char *));
        counts[which] = topic_suffixes(plans[which], comparing->arena, suffixes[which]);
    }
    difference->topics =
        mr_arena_new(comparing->arena, counts[0] + counts[1] + 1u, sizeof(*difference->topics));
    for (uint32_t index = 0; index < counts[0]; index++)
        difference->topics[difference->topics_count++] = (struct mr_difference_topic){
            .suffix = suffixes[0][index],
            .change = contains(suffixes[1], counts[1], suffixes[0][index]) ? MR_CHANGE_KEPT
                                                                           : MR_CHANGE_ADDED};
    for (uint32_t index = 0; index < counts[1]; index++)
        if (!contains(suffixes[0], counts[0], suffixes[1][index]))
            difference->topics[difference->topics_count++] = (struct mr_difference_topic){
                .suffix = suffixes[1][index], .change = MR_CHANGE_DROPPED};
}

/* ---- All ---- */

/* Each kind of entry starts with its name. */
static int by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void mr_difference_make(const struct mr_plan *before, const struct mr_plan *after,
                        struct mr_arena *arena, struct mr_difference *difference)
{
    struct comparing comparing = {
        .before = before, .after = after, .arena = arena, .difference = difference};
    *difference = (struct mr_difference){.first = before == NULL,
                                         .same = before != NULL && before->hash == after->hash};
    compare_parts(&comparing);
    compare_states(&comparing);
    compare_sources(&comparing);
    compare_topics(&comparing);
    qsort(difference->parts, difference->parts_count, sizeof(*difference->parts), by_name);
    qsort(difference->states, difference->states_count, sizeof(*difference->states), by_name);
    qsort(difference->sources, difference->sources_count, sizeof(*difference->sources), by_name);
    qsort(difference->topics, difference->topics_count, sizeof(*difference->topics), by_name);
}

bool mr_difference_starts_over(const struct mr_difference_state *state)
{
    return state->type_before != NULL || state->option != NULL || state->field != NULL;
}

/* ---- May it follow? ---- */

static enum mr_status check_part(const struct mr_difference_part *part,
                                 const struct mr_difference_permit *permit, struct mr_error *error)
{
    if (part->change == MR_CHANGE_DROPPED &&
        !contains(permit->drop, permit->drop_count, part->name))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The running version has %s under \"%s\", for which the new version has no "
                       "part: a source or stateful operator was renamed, removed, or moved. It "
                       "would start over and double its outputs. Keep the name, or say that it may "
                       "be dropped: --drop-state %s.",
                       part->stateful ? "state and progress" : "progress", part->name, part->name);
    if (part->change == MR_CHANGE_ADDED && contains(permit->used, permit->used_count, part->name))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "An earlier version had \"%s\" and dropped it; what it left behind is still "
                       "there, so the name is not used again. Give the operator or source another "
                       "name, or reset the topology.",
                       part->name);
    return MR_OK;
}

/* What is stored would mean something else. */
static enum mr_status check_meaning(const struct mr_difference_state *state, struct mr_error *error)
{
    if (state->type_before != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Operator \"%s\" was a %s and keeps state; the new version makes it a %s, "
                       "which cannot read that. Give it another name, or let it start over: "
                       "--drop-state %s.",
                       state->name, state->type_before, state->type, state->name);
    if (state->option != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Operator \"%s\" keeps state that depends on '%s', which the new version "
                       "changes: what is stored would mean something else. Leave it as it was, or "
                       "let the operator start over: --drop-state %s.",
                       state->name, state->option, state->name);
    if (state->field != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Operator \"%s\" keeps rows, of which the two versions store different "
                       "fields (%s): what waits could not be read. Read the same fields behind it, "
                       "or let the operator start over: --drop-state %s.",
                       state->name, state->field, state->name);
    return MR_OK;
}

static enum mr_status check_state(const struct mr_difference_state *state,
                                  const struct mr_difference_permit *permit, struct mr_error *error)
{
    if (contains(permit->drop, permit->drop_count, state->name))
        return MR_OK;
    enum mr_status status = check_meaning(state, error);
    if (status != MR_OK)
        return status;
    if (state->change == MR_CHANGE_DROPPED &&
        !contains(permit->drop, permit->drop_count, state->part))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The new version has no operator \"%s\", which keeps state. Keep it, or say "
                       "that its state may be dropped: --drop-state %s.",
                       state->name, state->name);
    if (state->change == MR_CHANGE_MOVED)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Operator \"%s\" moves from the tasks of \"%s\" to those of \"%s\", and its "
                       "state does not follow. Leave it where it is, or let it start over: "
                       "--drop-state %s.",
                       state->name, state->part_before, state->part, state->name);
    return MR_OK;
}

static enum mr_status check_source(const struct mr_difference_source *source,
                                   const struct mr_difference_permit *permit,
                                   struct mr_error *error)
{
    if (source->type_before != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Source \"%s\" was a %s, and its position means nothing to what the new "
                       "version makes of it. Give it another name: it then starts anew.",
                       source->name, source->type_before);
    if (source->option != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Source \"%s\" has a position that depends on '%s', which the new version "
                       "changes: it would go on in the middle of something else. Leave it as it "
                       "was, or give the source another name: it then starts anew.",
                       source->name, source->option);
    if (source->change != MR_CHANGE_MOVED ||
        contains(permit->drop, permit->drop_count, source->name) ||
        contains(permit->drop, permit->drop_count, source->part_before))
        return MR_OK;
    return MR_FAIL(
        error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
        "Source \"%s\" would be read by other tasks than those of \"%s\", which have its "
        "position (a key or repartition behind it changed): it would start at its "
        "`start` again and double outputs. Submit under another name, or allow it: "
        "--drop-state %s.",
        source->name, source->part_before, source->name);
}

static bool is_dropped(const struct mr_difference *difference, const char *name)
{
    for (uint32_t index = 0; index < difference->parts_count; index++)
        if (difference->parts[index].change == MR_CHANGE_DROPPED &&
            strcmp(difference->parts[index].name, name) == 0)
            return true;
    for (uint32_t index = 0; index < difference->states_count; index++) {
        const struct mr_difference_state *state = &difference->states[index];
        if (strcmp(state->name, name) == 0 &&
            (state->change == MR_CHANGE_DROPPED || state->change == MR_CHANGE_MOVED ||
             mr_difference_starts_over(state)))
            return true;
    }
    for (uint32_t index = 0; index < difference->sources_count; index++)
        if (difference->sources[index].change == MR_CHANGE_MOVED &&
            (strcmp(difference->sources[index].name, name) == 0 ||
             strcmp(difference->sources[index].part_before, name) == 0))
            return true;
    return false;
}

enum mr_status mr_difference_check(const struct mr_difference *difference,
                                   const struct mr_difference_permit *permit,
                                   struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < permit->drop_count; index++)
        if (!is_dropped(difference, permit->drop[index]))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "--drop-state %s: the new version drops no state of that name.",
                           permit->drop[index]);
    for (uint32_t index = 0; index < difference->states_count && status == MR_OK; index++)
        status = check_state(&difference->states[index], permit, error);
    for (uint32_t index = 0; index < difference->parts_count && status == MR_OK; index++)
        status = check_part(&difference->parts[index], permit, error);
    for (uint32_t index = 0; index < difference->sources_count && status == MR_OK; index++)
        status = check_source(&difference->sources[index], permit, error);
    return status;
}

enum mr_status mr_difference_check_names(const char *const *used, uint32_t used_count,
                                         const struct mr_plan *after, struct mr_error *error)
{
    for (uint32_t index = 0; index < used_count; index++)
        if (find_part(after, used[index]) == NULL)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "The version of this topology that ran last kept state or progress "
                           "under \"%s\", for which the new version has no part: a source or "
                           "stateful operator was renamed, removed, or moved. It would start over "
                           "there and double its outputs. Keep the name, or start the new version "
                           "under another topology name.",
                           used[index]);
    return MR_OK;
}
