/* worker/place.c — opening a task's local state and placing it in the changelog. */
#include "worker/place.h"

#include "base/clock.h"
#include "topology/meaning.h"

#include <inttypes.h>
#include <stdio.h>

static const struct mr_deployed_topic *changelog(const struct mr_place *place)
{
    return &place->deployment->subtopologies[place->subtopology].log_topic;
}

void mr_place_path(const struct mr_place *place, char path[MR_PLACE_PATH_SIZE])
{
    (void)snprintf(
        path, MR_PLACE_PATH_SIZE, "%s/%016" PRIx64 "/%s/%d",
        place->state_directory == NULL ? "" : place->state_directory, place->deployment->generation,
        place->deployment->plan->subtopologies[place->subtopology].name, place->partition);
}

static void describe(const struct mr_place *place, char path[MR_PLACE_PATH_SIZE],
                     struct mr_state_open *open)
{
    mr_place_path(place, path);
    *open =
        (struct mr_state_open){.store_ops = place->store_ops,
                               .resources = place->resources,
                               .directory = path,
                               .cache_bytes_max = place->cache_bytes_max,
                               .now_wall_ms = mr_clock_wall_ms(),
                               .tombstone_margin_ms = changelog(place)->delete_retention_ms / 2};
    (void)snprintf(open->identity.cluster_id, sizeof(open->identity.cluster_id), "%s",
                   place->deployment->cluster_id);
    (void)snprintf(open->identity.topic_id, sizeof(open->identity.topic_id), "%s",
                   changelog(place)->topic_id);
    open->identity.generation = place->deployment->generation;
}

/* What its operators' state means to this version of the topology. */
static enum mr_status declare(const struct mr_place *place, struct mr_state *state,
                              struct mr_error *error)
{
    enum { ARENA_CHUNK_BYTES = 1 << 13 };
    const struct mr_plan *plan = place->deployment->plan;
    const struct mr_plan_subtopology *part = &plan->subtopologies[place->subtopology];
    struct mr_arena arena;
    mr_arena_init(&arena, ARENA_CHUNK_BYTES);
    struct mr_state_operator *operators =
        mr_arena_new(&arena, part->nodes_count + 1u, sizeof(*operators));
    uint32_t count = 0;
    for (uint32_t index = 0; index < part->nodes_count; index++) {
        const struct mr_plan_node *node = &plan->nodes[part->nodes[index]];
        struct mr_meaning meaning;
        if (node->type->role != MR_ROLE_OPERATOR || node->type->state_version == 0)
            continue;
        mr_meaning_make(plan, node, &arena, &meaning);
        operators[count++] =
            (struct mr_state_operator){.name = node->name, .meaning = meaning.hash};
    }
    enum mr_status status = mr_state_declare(state, operators, count, error);
    mr_arena_deinit(&arena);
    return status;
}

enum mr_status mr_place_open(const struct mr_place *place, bool wipe, struct mr_state **state,
                             struct mr_placed *placed, struct mr_error *error)
{
    char path[MR_PLACE_PATH_SIZE];
    struct mr_state_open open;
    struct mr_state_opened opened = {0};
    const struct mr_log_ops *ops = place->log->ops;
    int64_t first;
    int64_t end;
    describe(place, path, &open);
    enum mr_status status = ops->offset_find(place->log, changelog(place)->name, place->partition,
                                             MR_LOG_OFFSET_EARLIEST, &first, error);
    if (status == MR_OK)
        status = ops->offset_find(place->log, changelog(place)->name, place->partition,
                                  MR_LOG_OFFSET_LATEST, &end, error);
    if (status == MR_OK && wipe)
        status = mr_state_wipe(&open, error);
    if (status == MR_OK)
        status = mr_state_open(&open, state, &opened, error);
    if (status == MR_OK && opened.changelog_offset > 0 &&
        (opened.changelog_offset < first || opened.changelog_offset > end)) {
        mr_state_close(*state);
        *state = NULL;
        status = mr_state_wipe(&open, error);
        if (status == MR_OK)
            status = mr_state_open(&open, state, &opened, error);
        opened.wiped = true;
        opened.wiped_reason = "its offset lies outside the changelog";
    }
    if (status == MR_OK && opened.changelog_offset < first) {
        mr_state_close(*state);
        *state = NULL;
        status = MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                         "%s[%d] begins at offset %lld: what was before was deleted, which "
                         "compaction never does, and the state here does not hold it. Bring back a "
                         "state folder that does, or reset the topology.",
                         changelog(place)->name, (int)place->partition, (long long)first);
    }
    if (status == MR_OK)
        status = declare(place, *state, error);
    if (status != MR_OK)
        return status;
    placed->wiped = opened.wiped || wipe;
    placed->wiped_reason = wipe ? "it was found damaged" : opened.wiped_reason;
    placed->offset = opened.changelog_offset > first ? opened.changelog_offset : first;
    placed->end = end;
    return MR_OK;
}
