/* topology/plan_view.c — what operators do to a record's view: write, remove, keep, rename.
 * Design: views are values; every change copies the short lists it touches into the arena. */
#include "topology/planner.h"

#include "base/assert.h"

const struct mr_write_draft *mr_view_write_find(const struct mr_record_view *view, const char *name)
{
    for (uint32_t i = 0; i < view->writes_count; i++)
        if (strcmp(view->writes[i].name, name) == 0)
            return &view->writes[i];
    return NULL;
}

bool mr_view_keeps(const struct mr_record_view *view, const char *name)
{
    for (uint32_t i = 0; i < view->kept_count; i++)
        if (strcmp(view->kept[i], name) == 0)
            return true;
    return false;
}

/* ---- Lists ---- */

static void drop_write(struct mr_planner *planner, struct mr_record_view *view, const char *name)
{
    struct mr_write_draft *writes =
        mr_arena_new(planner->arena, view->writes_count + 1, sizeof(*writes));
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->writes_count; i++)
        if (strcmp(view->writes[i].name, name) != 0)
            writes[count++] = view->writes[i];
    view->writes = writes;
    view->writes_count = count;
}

static void add_write(struct mr_planner *planner, struct mr_record_view *view,
                      const struct mr_write_draft *write)
{
    drop_write(planner, view, write->name); /* leaves room for one more */
    struct mr_write_draft *writes =
        mr_arena_new(planner->arena, view->writes_count + 1, sizeof(*writes));
    if (view->writes_count > 0)
        memcpy(writes, view->writes, view->writes_count * sizeof(*writes));
    writes[view->writes_count++] = *write;
    view->writes = writes;
}

static void drop_kept(struct mr_planner *planner, struct mr_record_view *view, const char *name)
{
    const char **kept = mr_arena_new(planner->arena, view->kept_count, sizeof(*kept));
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->kept_count; i++)
        if (strcmp(view->kept[i], name) != 0)
            kept[count++] = view->kept[i];
    view->kept = kept;
    view->kept_count = count;
}

static void forget_written(struct mr_planner *planner, struct mr_record_view *view,
                           const char *name)
{
    struct mr_written *written =
        mr_arena_new(planner->arena, view->written_count, sizeof(*written));
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->written_count; i++)
        if (strcmp(view->written[i].name, name) != 0)
            written[count++] = view->written[i];
    view->written = written;
    view->written_count = count;
}

static void note_written(struct mr_planner *planner, struct mr_record_view *view, const char *name,
                         const char *writer)
{
    forget_written(planner, view, name);
    struct mr_written *written =
        mr_arena_new(planner->arena, view->written_count + 1, sizeof(*written));
    if (view->written_count > 0)
        memcpy(written, view->written, view->written_count * sizeof(*written));
    written[view->written_count++] = (struct mr_written){name, writer};
    view->written = written;
}

/* The rows stay where they are, but their key can no longer be told from the record. */
static void lose_key(struct mr_planner *planner, struct mr_record_view *view, const char *name,
                     const char *writer)
{
    for (uint32_t i = 0; view->keyed && i < view->key_count; i++) {
        if (strcmp(view->key_paths[i].steps[0].name, name) != 0)
            continue;
        view->keyed = false;
        view->key_lost =
            mr_arena_format(planner->arena, "'%s' changes '%s', a field of the key", writer, name);
    }
}

/* Take name out of the view: neither written nor kept, and dropped from the payload. */
static void take_out(struct mr_planner *planner, struct mr_record_view *view, const char *name,
                     const char *writer)
{
    drop_write(planner, view, name);
    drop_kept(planner, view, name);
    forget_written(planner, view, name);
    lose_key(planner, view, name, writer);
    if (view->closed || !view->domain->payload)
        return;
    struct mr_write_draft removed = {.kind = MR_WRITE_REMOVED, .name = name, .writer = writer};
    add_write(planner, view, &removed);
}

/* ---- What operators do ---- */

void mr_view_write(struct mr_planner *planner, struct mr_record_view *view,
                   const struct mr_write_draft *write, struct mr_location location)
{
    if (view->unknown)
        return;
    if (write->name[0] == '\0')
        mr_report_add(planner->report, MR_SEVERITY_ERROR, location,
                      "'%s' writes a field without a name: give it one", write->writer);
    for (uint32_t i = 0; i < view->written_count; i++)
        if (strcmp(view->written[i].name, write->name) == 0)
            mr_report_add(planner->report, MR_SEVERITY_ERROR, location,
                          "'%s' and '%s' both write the field '%s' of one record: give one of them "
                          "another name",
                          view->written[i].writer, write->writer, write->name);
    drop_kept(planner, view, write->name);
    add_write(planner, view, write);
    note_written(planner, view, write->name, write->writer);
    lose_key(planner, view, write->name, write->writer);
}

void mr_view_remove(struct mr_planner *planner, struct mr_record_view *view, const char *name,
                    const char *writer)
{
    if (!view->unknown)
        take_out(planner, view, name, writer);
}

static bool is_named(const char *const *names, uint32_t names_count, const char *name)
{
    for (uint32_t i = 0; i < names_count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

void mr_view_keep(struct mr_planner *planner, struct mr_record_view *view, const char *const *names,
                  uint32_t names_count, const char *writer)
{
    if (view->unknown)
        return;
    struct mr_record_view before = *view;
    const char **kept = mr_arena_new(planner->arena, names_count, sizeof(*kept));
    view->kept = kept;
    view->kept_count = 0;
    for (uint32_t i = 0; i < names_count; i++) {
        bool there = !before.closed || mr_view_keeps(&before, names[i]);
        if (there && mr_view_write_find(&before, names[i]) == NULL)
            kept[view->kept_count++] = names[i];
    }
    for (uint32_t i = 0; i < before.writes_count; i++) {
        const struct mr_write_draft *write = &before.writes[i];
        if (write->kind == MR_WRITE_REMOVED || !is_named(names, names_count, write->name))
            drop_write(planner, view, write->name);
    }
    for (uint32_t i = 0; i < before.written_count; i++)
        if (!is_named(names, names_count, before.written[i].name))
            forget_written(planner, view, before.written[i].name);
    for (uint32_t i = 0; i < before.key_count; i++)
        if (!is_named(names, names_count, before.key_paths[i].steps[0].name))
            lose_key(planner, view, before.key_paths[i].steps[0].name, writer);
    view->closed = true;
    view->closed_by = writer;
}

/* What stands under `name` before any renaming. False: nothing does (reported). */
static bool rename_source(struct mr_planner *planner, const struct mr_record_view *before,
                          const char *name, struct mr_location location,
                          struct mr_write_draft *write)
{
    const struct mr_write_draft *written = mr_view_write_find(before, name);
    if (written != NULL && written->kind != MR_WRITE_REMOVED && !written->derived) {
        *write = *written;
        return true;
    }
    *write = (struct mr_write_draft){.kind = MR_WRITE_RENAMED, .raw_name = name};
    bool readable = written == NULL && (!before->closed || mr_view_keeps(before, name));
    if (readable && before->domain->payload)
        return true;
    /* No bytes to copy, or several ways to it: its column stands for it. */
    struct mr_path path = mr_planner_name_path(planner, name);
    struct mr_resolution resolution;
    struct mr_error error = {0};
    if (mr_view_resolve(planner, before, &path, true, &resolution, &error) != MR_RESOLVED_FINE) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, location, "'rename': %s", error.message);
        return false;
    }
    write->kind = MR_WRITE_SLOT;
    write->slot = resolution.slot;
    write->type = resolution.type;
    return true;
}

void mr_view_rename(struct mr_planner *planner, struct mr_record_view *view,
                    const struct mr_option_value *renames, const char *writer)
{
    if (view->unknown)
        return;
    /* All at once, so that two fields can change places. */
    const struct mr_record_view before = *view;
    struct mr_write_draft *writes = mr_arena_new(planner->arena, renames->count, sizeof(*writes));
    for (uint32_t i = 0; i < renames->count; i++) {
        if (!rename_source(planner, &before, renames->names[i], renames->locations[i], &writes[i]))
            continue;
        writes[i].name = renames->texts[i];
        writes[i].writer = writer;
        take_out(planner, view, renames->names[i], writer);
    }
    for (uint32_t i = 0; i < renames->count; i++)
        if (writes[i].name != NULL)
            mr_view_write(planner, view, &writes[i], renames->locations[i]);
}
