/* topology/plan_join.c — pairs of rows of two inputs: what is read of each side, and what is kept.
 * Design: the main output is a row space of its own. A side's record is one write of kind RECORD:
 * whoever reads `left.price` behind the join makes a column of it there and one in the side's own
 * rows, and only those cells are kept in state. A record that is written as a whole travels as a
 * column of JSON text. Rows without a partner, and late ones, are copies in row spaces of their own
 * (plan_derive.c), where somebody reads them. */
#include "topology/planner.h"

#include "base/assert.h"

enum { SIDES_COUNT = 2, OUTPUT_LATE = 3 };

static const struct mr_record_view unknown_view = {.unknown = true};

/* ---- What expressions see ---- */

static void pair_view(struct mr_planner *planner, const struct mr_node_draft *node,
                      struct mr_record_view *view)
{
    struct mr_domain_draft *domain = mr_domain_new(planner, MR_DOMAIN_FIELDS, node->entry->name);
    struct mr_write_draft *writes = mr_arena_new(planner->arena, SIDES_COUNT, sizeof(*writes));
    domain->blank = true;
    for (uint32_t i = 0; i < SIDES_COUNT; i++) {
        node->sides[i].domain = domain;
        writes[i] = (struct mr_write_draft){.kind = MR_WRITE_RECORD,
                                            .name = node->sides[i].name,
                                            .writer = node->entry->name,
                                            .type = mr_planner_type(MR_TYPE_ANY),
                                            .side = &node->sides[i]};
    }
    *view = (struct mr_record_view){
        .domain = domain, .closed = true, .writes = writes, .writes_count = SIDES_COUNT};
}

static bool bind_sides(struct mr_planner *planner, struct mr_node_draft *node)
{
    const struct mr_option_value *key = mr_definition_value(node->entry, "key");
    bool fine = true;
    for (uint32_t i = 0; i < SIDES_COUNT; i++) {
        struct mr_join_side_draft *side = &node->sides[i];
        const struct mr_option_value *side_key = mr_planner_input_key(node, i);
        if (side_key == NULL || !side_key->present) {
            side->key = (struct mr_plan_key){.given = true, .global = true};
            continue;
        }
        if (side_key->count != key->count) {
            mr_report_add(planner->report, MR_SEVERITY_ERROR, side_key->location,
                          "'right_key' has %u fields and 'key' has %u: name the fields of the "
                          "right side that stand for those of the left, in their order",
                          side_key->count, key->count);
            fine = false;
            continue;
        }
        fine = mr_planner_bind_key(planner, side->view, side_key == key ? "key" : "right_key",
                                   side_key, &side->key) &&
               fine;
    }
    return fine;
}

void mr_planner_pairs(struct mr_planner *planner, struct mr_node_draft *node)
{
    bool known = node->graph->inputs_count == SIDES_COUNT;
    node->pairs = &unknown_view;
    for (uint32_t i = 0; known && i < SIDES_COUNT; i++)
        known = !node->inputs[i].view->unknown;
    if (!known)
        return;
    node->sides = mr_arena_new(planner->arena, SIDES_COUNT, sizeof(*node->sides));
    for (uint32_t i = 0; i < SIDES_COUNT; i++)
        node->sides[i] = (struct mr_join_side_draft){.name = node->graph->inputs[i].option,
                                                     .view = node->inputs[i].view,
                                                     .text_slot = MR_SLOT_NONE};
    if (!bind_sides(planner, node)) {
        node->sides = NULL;
        return;
    }
    struct mr_record_view *pairs = mr_arena_new(planner->arena, 1, sizeof(*pairs));
    pair_view(planner, node, pairs);
    node->pairs = pairs;
}

/* ---- Members of a side's record ---- */

static struct mr_joined_draft *find_column(struct mr_join_side_draft *side,
                                           const struct mr_path *path)
{
    for (uint32_t i = 0; i < side->columns_count; i++) {
        struct mr_joined_draft *column = &side->columns[i];
        if (column->path.steps_count == path->steps_count &&
            (path->steps_count == 0 || mr_path_equal(&column->path, path)))
            return column;
    }
    return NULL;
}

static struct mr_joined_draft *add_column(struct mr_planner *planner,
                                          struct mr_join_side_draft *side,
                                          const struct mr_path *path, uint32_t input_slot,
                                          const struct mr_type *type)
{
    side->columns = mr_planner_grow(planner->arena, side->columns, side->columns_count,
                                    &side->columns_capacity, sizeof(*side->columns));
    struct mr_joined_draft *column = &side->columns[side->columns_count++];
    *column = (struct mr_joined_draft){.path = *path,
                                       .input_slot = input_slot,
                                       .slot = mr_domain_column(planner, side->domain, type)};
    return column;
}

/* The whole record, as text. */
static void resolve_text(struct mr_planner *planner, struct mr_join_side_draft *side, bool take,
                         struct mr_resolution *resolution)
{
    static const struct mr_path whole = {.text = ""};
    const struct mr_type *type = mr_planner_type(MR_TYPE_ANY);
    const struct mr_joined_draft *column = find_column(side, &whole);
    if (column == NULL && take) {
        side->text_slot = mr_domain_column(planner, side->view->domain, type);
        column = add_column(planner, side, &whole, side->text_slot, type);
    }
    *resolution = (struct mr_resolution){.slot = column == NULL ? MR_SLOT_NONE : column->slot,
                                         .steps_used = 1,
                                         .type = type,
                                         .whole = true};
}

enum mr_resolved mr_join_side_resolve(struct mr_planner *planner, struct mr_join_side_draft *side,
                                      const struct mr_path *path, bool take,
                                      struct mr_resolution *resolution, struct mr_error *error)
{
    if (path->steps_count == 0) {
        resolve_text(planner, side, take, resolution);
        return MR_RESOLVED_FINE;
    }
    if (path->steps[0].name == NULL || strcmp(path->steps[0].name, "meta") == 0) {
        MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                path->steps[0].name == NULL
                    ? "'%s' is a record, it has fields and no elements"
                    : "meta.* of '%s' is not kept by the join: make a field of it by a map before",
                side->name);
        return MR_RESOLVED_REFUSED;
    }
    struct mr_resolution input;
    enum mr_resolved resolved = mr_view_resolve(planner, side->view, path, take, &input, error);
    if (resolved != MR_RESOLVED_FINE)
        return resolved;
    struct mr_path covered = mr_planner_part_path(planner, path, 0, input.steps_used);
    const struct mr_joined_draft *column = find_column(side, &covered);
    if (column == NULL && take)
        column = add_column(planner, side, &covered, input.slot, input.type);
    *resolution = (struct mr_resolution){.slot = column == NULL ? MR_SLOT_NONE : column->slot,
                                         .steps_used = input.steps_used + 1,
                                         .type = input.type,
                                         .whole = input.whole};
    return MR_RESOLVED_FINE;
}

/* ---- Outputs ---- */

static bool is_read(const struct mr_planner *planner, const struct mr_node_draft *node,
                    uint32_t output)
{
    for (uint32_t i = 0; i < planner->graph->nodes_count; i++) {
        const struct mr_graph_node *reader = &planner->graph->nodes[i];
        for (uint32_t j = 0; j < reader->inputs_count; j++)
            if (reader->inputs[j].known && reader->inputs[j].producer == node->plan->index &&
                reader->inputs[j].output == output)
                return true;
    }
    return false;
}

/* Sides that every pair has: rows can be found again by their keys. */
static bool is_always_there(const struct mr_node_draft *node, uint32_t side)
{
    const struct mr_option_value *kind = mr_definition_value(node->entry, "kind");
    const char *text = kind == NULL || !kind->present ? "inner" : kind->text;
    return strcmp(text, "inner") == 0 || (strcmp(text, "left") == 0 && side == 0);
}

/* The field of the output that holds a key field of one of the sides: a member of it, or a field of
 * `set` that is nothing but that member. False: none does. */
static bool key_field(struct mr_planner *planner, const struct mr_node_draft *node,
                      const struct mr_option_value *set, uint32_t index, struct mr_path *path)
{
    for (uint32_t i = 0; i < SIDES_COUNT; i++) {
        const struct mr_option_value *key = mr_planner_input_key(node, i);
        if (!is_always_there(node, i))
            continue;
        const char *text =
            mr_arena_format(planner->arena, "%s.%s", node->sides[i].name, key->paths[index].text);
        struct mr_error error = {0};
        if (set == NULL)
            return mr_path_parse(planner->arena, text, path, &error) == MR_OK;
        for (uint32_t j = 0; j < set->count; j++) {
            if (strcmp(set->texts[j], text) != 0)
                continue;
            *path = mr_planner_name_path(planner, set->names[j]);
            return true;
        }
    }
    return false;
}

static void keep_key(struct mr_planner *planner, const struct mr_node_draft *node,
                     const struct mr_option_value *set, struct mr_record_view *view)
{
    const struct mr_option_value *key = mr_definition_value(node->entry, "key");
    const struct mr_option_value *scope = mr_definition_value(node->entry, "scope");
    const char *name = node->entry->name;
    if (key == NULL || !key->present ||
        (scope != NULL && scope->text != NULL && strcmp(scope->text, "partition") == 0)) {
        view->key_lost = mr_arena_format(planner->arena, "'%s' has scope: partition", name);
        return;
    }
    struct mr_path *paths = mr_arena_new(planner->arena, key->count, sizeof(*paths));
    for (uint32_t i = 0; i < key->count; i++) {
        if (key_field(planner, node, set, i, &paths[i]))
            continue;
        view->key_lost =
            mr_arena_format(planner->arena, "'%s' does not have its key in every record", name);
        return;
    }
    view->keyed = true;
    view->key_is_text = true;
    view->key_paths = paths;
    view->key_count = key->count;
}

static void main_view(struct mr_planner *planner, struct mr_node_draft *node,
                      struct mr_record_view *view)
{
    const struct mr_option_value *set = mr_definition_value(node->entry, "set");
    *view = *node->pairs;
    if (set == NULL || !set->present) {
        keep_key(planner, node, NULL, view);
        return;
    }
    view->writes = NULL;
    view->writes_count = 0;
    mr_planner_write_set(planner, node, set, view);
    keep_key(planner, node, set, view);
}

void mr_planner_pairs_outputs(struct mr_planner *planner, struct mr_node_draft *node)
{
    static const uint32_t both[SIDES_COUNT] = {0, 1};
    struct mr_output_draft *outputs = node->outputs;
    if (node->sides == NULL)
        return; /* faulty inputs: reported */
    MR_ASSERT(node->graph->outputs_count == OUTPUT_LATE + 1);
    main_view(planner, node, &outputs[0].view);
    for (uint32_t i = 0; i < SIDES_COUNT; i++) {
        struct mr_output_draft *only = &outputs[1 + i];
        only->view = *node->inputs[i].view;
        if (!is_read(planner, node, 1 + i))
            continue;
        mr_view_derive_from(planner, node, &both[i], 1, &only->view);
        node->sides[i].only = only;
    }
    outputs[OUTPUT_LATE].view = *node->inputs[0].view;
    if (!is_read(planner, node, OUTPUT_LATE))
        return;
    mr_view_derive_from(planner, node, both, SIDES_COUNT, &outputs[OUTPUT_LATE].view);
    for (uint32_t i = 0; i < SIDES_COUNT; i++)
        node->sides[i].late = &outputs[OUTPUT_LATE];
}

/* ---- Whole records ---- */

/* Somebody may write records of this node's output, as they are or changed on the way. */
static bool is_written(const struct mr_planner *planner, const bool *written,
                       const struct mr_node_draft *node, uint32_t output)
{
    if (node->outputs[output].encoded)
        return true;
    for (uint32_t i = 0; i < planner->graph->nodes_count; i++) {
        const struct mr_graph_node *reader = &planner->graph->nodes[i];
        for (uint32_t j = 0; j < reader->inputs_count; j++)
            if (written[i] && reader->inputs[j].producer == node->plan->index &&
                reader->inputs[j].output == output)
                return true;
    }
    return false;
}

void mr_planner_mark_joins(struct mr_planner *planner)
{
    uint32_t count = planner->graph->nodes_count;
    bool *written = mr_arena_new(planner->arena, count, sizeof(*written));
    for (uint32_t i = count; i-- > 0;) {
        uint32_t index = planner->graph->order[i];
        const struct mr_node_draft *node = &planner->nodes[index];
        for (uint32_t j = 0; j < node->graph->outputs_count && !written[index]; j++)
            written[index] = is_written(planner, written, node, j);
        for (uint32_t j = 0; node->sides != NULL && written[index] && j < SIDES_COUNT; j++) {
            const struct mr_graph_input *input = &node->graph->inputs[j];
            if (node->sides[j].view != NULL && !node->inputs[j].repartition)
                planner->nodes[input->producer].outputs[input->output].encoded = true;
        }
    }
}

/* ---- The plan ---- */

struct kept {
    const char *name;
    uint32_t input_slot;
    uint32_t main_slot;
    uint32_t only_slot;
};

struct keeping {
    struct kept *items;
    uint32_t count;
};

static void keep(struct keeping *keeping, const char *name, uint32_t input_slot, uint32_t main_slot,
                 uint32_t only_slot)
{
    for (uint32_t i = 0; i < keeping->count; i++) {
        struct kept *item = &keeping->items[i];
        if (item->input_slot != input_slot || item->only_slot != MR_SLOT_NONE ||
            main_slot != MR_SLOT_NONE)
            continue;
        item->only_slot = only_slot;
        return;
    }
    /* By name: what is stored does not depend on the order in which the plan asks for it. */
    uint32_t at = keeping->count++;
    for (; at > 0 && strcmp(keeping->items[at - 1].name, name) > 0; at--)
        keeping->items[at] = keeping->items[at - 1];
    keeping->items[at] = (struct kept){name, input_slot, main_slot, only_slot};
}

static const char *column_name(struct mr_planner *planner, const struct mr_column_draft *column)
{
    const char *text = column->path.text == NULL ? "meta" : column->path.text;
    return mr_arena_format(planner->arena, "only.%s", text);
}

static void keep_columns(struct mr_planner *planner, const struct mr_join_side_draft *side,
                         struct keeping *keeping)
{
    const struct mr_domain_draft *only = side->only == NULL ? NULL : side->only->view.domain;
    uint32_t room = side->columns_count + (only == NULL ? 0 : only->columns_count);
    keeping->items = mr_arena_new(planner->arena, room, sizeof(*keeping->items));
    for (uint32_t i = 0; i < side->columns_count; i++)
        keep(keeping, side->columns[i].path.text, side->columns[i].input_slot,
             side->columns[i].slot, MR_SLOT_NONE);
    for (uint32_t i = 0; only != NULL && i < only->columns_count; i++) {
        const struct mr_column_draft *column = &only->columns[i];
        if (column->input_slots != NULL && column->input_slots[0] != MR_SLOT_NONE)
            keep(keeping, column_name(planner, column), column->input_slots[0], MR_SLOT_NONE, i);
    }
}

static void lay_out_columns(struct mr_planner *planner, const struct keeping *keeping,
                            struct mr_plan_join_side *plan)
{
    const char **names = mr_arena_new(planner->arena, keeping->count, sizeof(*names));
    uint32_t *inputs = mr_arena_new(planner->arena, keeping->count, sizeof(*inputs));
    uint32_t *mains = mr_arena_new(planner->arena, keeping->count, sizeof(*mains));
    uint32_t *onlys = mr_arena_new(planner->arena, keeping->count, sizeof(*onlys));
    for (uint32_t i = 0; i < keeping->count; i++) {
        names[i] = keeping->items[i].name;
        inputs[i] = keeping->items[i].input_slot;
        mains[i] = keeping->items[i].main_slot;
        onlys[i] = keeping->items[i].only_slot;
    }
    plan->names = names;
    plan->input_slots = inputs;
    plan->main_slots = mains;
    plan->only_slots = onlys;
    plan->slots_count = keeping->count;
}

static void lay_out_spans(struct mr_planner *planner, const struct mr_join_side_draft *side,
                          struct mr_plan_join_side *plan)
{
    const struct mr_domain_draft *only = side->only->view.domain;
    uint32_t *inputs = mr_arena_new(planner->arena, only->spans_count, sizeof(*inputs));
    uint32_t *onlys = mr_arena_new(planner->arena, only->spans_count, sizeof(*onlys));
    for (uint32_t i = 0; i < only->spans_count; i++) {
        inputs[i] = only->spans[i].input_spans[0];
        onlys[i] = i;
    }
    plan->whole = side->only->encoded && only->payload;
    plan->input_spans = inputs;
    plan->only_spans = onlys;
    plan->spans_count = only->spans_count;
}

void mr_planner_finish_join(struct mr_planner *planner, struct mr_node_draft *node)
{
    struct mr_plan_join *join = mr_arena_new(planner->arena, 1, sizeof(*join));
    for (uint32_t i = 0; i < SIDES_COUNT; i++) {
        const struct mr_join_side_draft *side = &node->sides[i];
        struct mr_plan_join_side *plan = &join->sides[i];
        struct keeping keeping = {0};
        plan->text_slot = MR_SLOT_NONE;
        if (side->view == NULL)
            continue; /* the stream of a TABLE_JOIN: nothing of it is kept */
        plan->name = side->name;
        plan->key = side->key;
        plan->text_slot = side->text_slot;
        keep_columns(planner, side, &keeping);
        lay_out_columns(planner, &keeping, plan);
        if (side->only != NULL) {
            lay_out_spans(planner, side, plan);
            mr_planner_maps(planner, side->only->view.domain, 0, &plan->only);
        }
        if (side->late != NULL)
            mr_planner_maps(planner, side->late->view.domain, i, &plan->late);
    }
    node->plan->join = join;
}
