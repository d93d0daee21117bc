/* topology/plan_layout.c — views to layouts (record/layout.h), when all nodes are planned.
 * Design: an open view starts from the payload and edits it; a closed one starts from an empty
 * object and copies the kept members' bytes, or writes their columns where there are no bytes. */
#include "topology/planner.h"

#include "base/assert.h"

struct drawing {
    struct mr_planner *planner;
    const struct mr_record_view *view;
    bool encoded;
    struct mr_edit *edits;
    uint32_t edits_count;
};

static uint32_t span_of(const struct drawing *drawing, const char *name)
{
    return drawing->encoded ? mr_domain_span(drawing->planner, drawing->view->domain, name)
                            : MR_SLOT_NONE;
}

static struct mr_path member_path(struct mr_planner *planner, const char *name, const char *member)
{
    struct mr_path_step *steps = mr_arena_new(planner->arena, 2, sizeof(*steps));
    steps[0] = (struct mr_path_step){.name = name, .name_size = (uint32_t)strlen(name)};
    steps[1] = (struct mr_path_step){.name = member, .name_size = (uint32_t)strlen(member)};
    struct mr_path path = {.steps = steps, .steps_count = 2};
    return mr_planner_part_path(planner, &path, 0, 2);
}

/* The column of path at view, which is known to resolve. */
static uint32_t column_of(struct mr_planner *planner, const struct mr_record_view *view,
                          const struct mr_path *path)
{
    struct mr_resolution resolution;
    struct mr_error error = {0};
    return mr_view_resolve(planner, view, path, true, &resolution, &error) == MR_RESOLVED_FINE
               ? resolution.slot
               : MR_SLOT_NONE;
}

/* ---- Columns of derived writes ---- */

static uint32_t edit_column(struct mr_planner *planner, const struct mr_record_view *view,
                            const struct mr_path *path);

/* What the operator on the way to this input wrote at path: NONE where nobody did. */
static uint32_t input_edit(struct mr_planner *planner, const struct mr_record_view *view,
                           const struct mr_path *path)
{
    const char *name = path->steps[0].name;
    const struct mr_write_draft *write = mr_view_write_find(view, name);
    if (write == NULL) {
        bool is_field = !view->domain->payload && mr_view_keeps(view, name);
        return is_field ? column_of(planner, view, path) : MR_SLOT_NONE;
    }
    if (write->derived)
        return edit_column(planner, view, path);
    return column_of(planner, view, path);
}

/* A column of the derived domain that is ABSENT in rows of inputs that did not write path. */
static uint32_t edit_column(struct mr_planner *planner, const struct mr_record_view *view,
                            const struct mr_path *path)
{
    struct mr_domain_draft *domain = view->domain;
    for (uint32_t i = 0; i < domain->columns_count; i++)
        if (domain->columns[i].is_edit && mr_path_equal(&domain->columns[i].path, path))
            return i;
    uint32_t *input_slots =
        mr_arena_new(planner->arena, domain->inputs_count, sizeof(*input_slots));
    for (uint32_t i = 0; i < domain->inputs_count; i++)
        input_slots[i] = input_edit(planner, domain->inputs[i], path);
    uint32_t slot = mr_domain_column(planner, domain, mr_planner_type(MR_TYPE_ANY));
    struct mr_column_draft *column = &domain->columns[slot];
    column->is_edit = true;
    column->path = *path;
    column->input_slots = input_slots;
    return slot;
}

/* The column that stands for a write's cell. A closed layout has no payload to fall back on and
 * takes the field's value from every input. */
static uint32_t derived_column(const struct drawing *drawing, const struct mr_path *path)
{
    return drawing->view->closed ? column_of(drawing->planner, drawing->view, path)
                                 : edit_column(drawing->planner, drawing->view, path);
}

/* ---- Edits ---- */

static void draw_group(const struct drawing *drawing, const struct mr_write_draft *write,
                       struct mr_edit *edit)
{
    struct mr_group_member *group =
        mr_arena_new(drawing->planner->arena, write->members_count, sizeof(*group));
    for (uint32_t i = 0; i < write->members_count; i++) {
        group[i].name = write->members[i].name;
        group[i].slot = write->members[i].slot;
        if (!write->derived)
            continue;
        struct mr_path path = member_path(drawing->planner, write->name, group[i].name);
        group[i].slot = derived_column(drawing, &path);
    }
    edit->group = group;
    edit->group_count = write->members_count;
}

/* An edit that nobody has asked for has neither column nor span, and says nothing. */
static void add_edit(struct drawing *drawing, const struct mr_edit *edit)
{
    if (edit->slot != MR_SLOT_NONE || edit->raw_span != MR_SLOT_NONE || edit->group != NULL ||
        edit->remove)
        drawing->edits[drawing->edits_count++] = *edit;
}

static void draw_write(struct drawing *drawing, const struct mr_write_draft *write)
{
    bool open = !drawing->view->closed;
    if (write->kind == MR_WRITE_REMOVED && !open)
        return;
    struct mr_edit edit = {.name = write->name,
                           .slot = MR_SLOT_NONE,
                           .span = open ? span_of(drawing, write->name) : MR_SLOT_NONE,
                           .raw_span = MR_SLOT_NONE};
    struct mr_path path = mr_planner_name_path(drawing->planner, write->name);
    switch (write->kind) {
    case MR_WRITE_SLOT:
        edit.slot = write->derived ? derived_column(drawing, &path) : write->slot;
        break;
    case MR_WRITE_GROUP:
        draw_group(drawing, write, &edit);
        break;
    case MR_WRITE_REMOVED:
        edit.remove = true;
        break;
    case MR_WRITE_RECORD:
        if (drawing->encoded)
            edit.slot = write->derived ? derived_column(drawing, &path)
                                       : column_of(drawing->planner, drawing->view, &path);
        break;
    case MR_WRITE_RENAMED:
        edit.raw_span = span_of(drawing, write->raw_name);
        break;
    }
    add_edit(drawing, &edit);
}

static void draw_kept(struct drawing *drawing, const char *name)
{
    const struct mr_record_view *view = drawing->view;
    struct mr_edit edit = {
        .name = name, .slot = MR_SLOT_NONE, .span = MR_SLOT_NONE, .raw_span = MR_SLOT_NONE};
    if (view->domain->payload) {
        edit.raw_span = span_of(drawing, name);
    } else if (drawing->encoded || view->domain->kind == MR_DOMAIN_FIELDS) {
        struct mr_path path = mr_planner_name_path(drawing->planner, name);
        edit.slot = column_of(drawing->planner, view, &path);
    }
    add_edit(drawing, &edit);
}

const struct mr_layout *mr_planner_layout(struct mr_planner *planner,
                                          const struct mr_record_view *view, bool encoded)
{
    struct drawing drawing = {.planner = planner, .view = view, .encoded = encoded};
    struct mr_layout *layout = mr_arena_new(planner->arena, 1, sizeof(*layout));
    drawing.edits =
        mr_arena_new(planner->arena, view->kept_count + view->writes_count, sizeof(*drawing.edits));
    layout->from_payload = !view->closed && view->domain->payload;
    for (uint32_t i = 0; view->closed && i < view->kept_count; i++)
        draw_kept(&drawing, view->kept[i]);
    for (uint32_t i = 0; i < view->writes_count; i++)
        draw_write(&drawing, &view->writes[i]);
    layout->edits = drawing.edits;
    layout->edits_count = drawing.edits_count;
    return layout;
}

/* ---- Sinks ---- */

/* A format with columns (csv): each column's name is a field path, or else an odd top-level name.
 */
static void draw_columns(struct mr_planner *planner, struct mr_node_draft *node,
                         const struct mr_option_value *columns)
{
    struct mr_layout *layout = mr_arena_new(planner->arena, 1, sizeof(*layout));
    struct mr_edit *edits = mr_arena_new(planner->arena, columns->count, sizeof(*edits));
    for (uint32_t i = 0; i < columns->count; i++) {
        struct mr_path path;
        struct mr_error error = {0};
        struct mr_resolution resolution = {.slot = MR_SLOT_NONE};
        if (mr_path_parse(planner->arena, columns->texts[i], &path, &error) != MR_OK)
            path = mr_planner_name_path(planner, columns->texts[i]);
        if (mr_view_resolve_path(planner, node->inputs[0].view, &path, true, &resolution, &error) !=
            MR_RESOLVED_FINE)
            mr_report_add(planner->report, MR_SEVERITY_ERROR,
                          columns->locations == NULL ? columns->location : columns->locations[i],
                          "'columns': %s", error.message);
        edits[i] = (struct mr_edit){.name = columns->texts[i],
                                    .slot = resolution.slot,
                                    .span = MR_SLOT_NONE,
                                    .raw_span = MR_SLOT_NONE};
    }
    layout->edits = edits;
    layout->edits_count = columns->count;
    node->plan->layout = layout;
}

void mr_planner_sink_layout(struct mr_planner *planner, struct mr_node_draft *node)
{
    const struct mr_format_spec *format = node->entry->format;
    const struct mr_record_view *view = node->inputs[0].view;
    if (view->unknown || (format == NULL && mr_definition_has(node->entry, "format")))
        return;
    if (format != NULL && format->single_value) {
        struct mr_path path = mr_planner_name_path(planner, "value");
        struct mr_resolution resolution;
        struct mr_error error = {0};
        if (mr_view_resolve_path(planner, view, &path, true, &resolution, &error) !=
            MR_RESOLVED_FINE)
            mr_report_add(planner->report, MR_SEVERITY_ERROR, node->entry->location,
                          "'%s' writes the field 'value' as the format %s does, but %s",
                          node->entry->name, format->name, error.message);
        node->plan->value_slot = resolution.slot;
        node->plan->layout = mr_arena_new(planner->arena, 1, sizeof(*node->plan->layout));
        return;
    }
    int index = format == NULL ? -1 : mr_option_specs_find(format->options, "columns");
    const struct mr_option_value *columns =
        index < 0 ? NULL : &node->entry->format_options.values[index];
    if (columns != NULL && columns->present && columns->texts != NULL) {
        draw_columns(planner, node, columns);
        return;
    }
    if (!view->closed && (!view->domain->payload || (format != NULL && !format->payload_is_json)))
        mr_report_add(planner->report, MR_SEVERITY_ERROR, node->entry->location,
                      "'%s' cannot know the fields of its records: %s", node->entry->name,
                      view->domain->payload ? "name them in `columns` of its format"
                                            : "give the source a schema");
    if (format != NULL && !format->payload_is_json && view->closed && view->domain->payload)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, node->entry->location,
                      "'%s' cannot know the fields of its records: name them in `columns` of its "
                      "format",
                      node->entry->name);
}
