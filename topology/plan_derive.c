/* topology/plan_derive.c — rows copied from inputs into a domain of their own (merge, flat_map).
 * Design: the payload's bytes are shared, so the view must be true of every input's rows. A field
 * that some inputs wrote becomes an edit whose cell is ABSENT in the others' rows. What is removed,
 * renamed or kept is no cell and must be the same everywhere. */
#include "topology/planner.h"

struct derivation {
    struct mr_planner *planner;
    const struct mr_node_draft *node;
    struct mr_domain_draft *domain;
    struct mr_record_view *view;
    struct mr_write_draft *writes;
    uint32_t writes_count;
};

static const struct mr_record_view *input_view(const struct derivation *derivation, uint32_t index)
{
    return derivation->domain->inputs[index];
}

static bool has_own_payload(const struct mr_record_view *view)
{
    return view->domain->payload;
}

static bool same_kept(const struct mr_record_view *left, const struct mr_record_view *right)
{
    if (left->closed != right->closed || left->kept_count != right->kept_count)
        return false;
    for (uint32_t i = 0; i < left->kept_count; i++)
        if (!mr_view_keeps(right, left->kept[i]))
            return false;
    return true;
}

static void report_unlike(const struct derivation *derivation, const char *what)
{
    if (derivation->view->unknown)
        return; /* one reason is enough */
    mr_report_add(derivation->planner->report, MR_SEVERITY_ERROR, derivation->node->entry->location,
                  "the inputs of '%s' must look alike, but %s: do that behind '%s'",
                  derivation->node->entry->name, what, derivation->node->entry->name);
    derivation->view->unknown = true;
}

/* ---- Payload and kept fields ---- */

static void unite_kept(struct derivation *derivation)
{
    struct mr_record_view *view = derivation->view;
    uint32_t count = 0;
    for (uint32_t i = 0; i < derivation->domain->inputs_count; i++)
        count += input_view(derivation, i)->kept_count;
    const char **kept = mr_arena_new(derivation->planner->arena, count, sizeof(*kept));
    view->kept = kept;
    for (uint32_t i = 0; i < derivation->domain->inputs_count; i++)
        for (uint32_t j = 0; j < input_view(derivation, i)->kept_count; j++)
            if (!mr_view_keeps(view, input_view(derivation, i)->kept[j]))
                kept[view->kept_count++] = input_view(derivation, i)->kept[j];
    view->closed = true;
}

static void unite_payload(struct derivation *derivation)
{
    const struct mr_domain_draft *domain = derivation->domain;
    uint32_t payloads = 0;
    uint32_t blanks = 0;
    const struct mr_record_view *first = NULL;
    for (uint32_t i = 0; i < domain->inputs_count; i++) {
        const struct mr_record_view *input = input_view(derivation, i);
        blanks += input->domain->blank;
        if (!has_own_payload(input))
            continue;
        payloads++;
        if (first != NULL && !same_kept(first, input))
            report_unlike(derivation, "not the same fields are kept on the way to each");
        first = input;
    }
    derivation->domain->payload = payloads > 0;
    derivation->domain->blank = blanks == domain->inputs_count;
    if (payloads == 0) {
        unite_kept(derivation);
    } else if (payloads + blanks != domain->inputs_count) {
        report_unlike(derivation, "some have a payload of JSON and others have not");
    } else {
        derivation->view->closed = first->closed;
        derivation->view->closed_by = first->closed_by;
        derivation->view->kept = first->kept;
        derivation->view->kept_count = first->kept_count;
    }
}

/* ---- Writes ---- */

static void add_write(struct derivation *derivation, const struct mr_write_draft *write)
{
    for (uint32_t i = 0; i < derivation->writes_count; i++)
        if (strcmp(derivation->writes[i].name, write->name) == 0)
            return;
    struct mr_write_draft derived = *write;
    derived.derived = write->kind == MR_WRITE_SLOT || write->kind == MR_WRITE_GROUP ||
                      write->kind == MR_WRITE_RECORD;
    derivation->writes[derivation->writes_count++] = derived;
}

static bool same_members(const struct mr_write_draft *left, const struct mr_write_draft *right)
{
    if (left->members_count != right->members_count)
        return false;
    for (uint32_t i = 0; i < left->members_count; i++)
        if (strcmp(left->members[i].name, right->members[i].name) != 0)
            return false;
    return true;
}

static void check_write(struct derivation *derivation, const struct mr_write_draft *write)
{
    bool is_static = write->kind == MR_WRITE_REMOVED || write->kind == MR_WRITE_RENAMED;
    for (uint32_t i = 0; i < derivation->domain->inputs_count; i++) {
        const struct mr_record_view *input = input_view(derivation, i);
        const struct mr_write_draft *other = mr_view_write_find(input, write->name);
        if (other == NULL) {
            if (is_static && input->domain->payload)
                report_unlike(derivation,
                              mr_arena_format(derivation->planner->arena,
                                              "'%s' changes the field '%s' on the way to one only",
                                              write->writer, write->name));
            continue;
        }
        bool same = other->kind == write->kind && same_members(other, write);
        if (same && write->kind == MR_WRITE_RENAMED)
            same = strcmp(other->raw_name, write->raw_name) == 0;
        if (!same)
            report_unlike(derivation, mr_arena_format(derivation->planner->arena,
                                                      "'%s' and '%s' make different things of the "
                                                      "field '%s'",
                                                      write->writer, other->writer, write->name));
    }
}

static void unite_writes(struct derivation *derivation)
{
    const struct mr_domain_draft *domain = derivation->domain;
    uint32_t room = 0;
    for (uint32_t i = 0; i < domain->inputs_count; i++)
        room += input_view(derivation, i)->writes_count + input_view(derivation, i)->kept_count;
    derivation->writes =
        mr_arena_new(derivation->planner->arena, room, sizeof(*derivation->writes));
    for (uint32_t i = 0; i < domain->inputs_count; i++) {
        const struct mr_record_view *input = input_view(derivation, i);
        for (uint32_t j = 0; j < input->writes_count; j++) {
            check_write(derivation, &input->writes[j]);
            add_write(derivation, &input->writes[j]);
        }
        /* Fields of rows without a payload are edits where the other rows have one. */
        for (uint32_t j = 0; domain->payload && !has_own_payload(input) && j < input->kept_count;
             j++) {
            struct mr_write_draft write = {.kind = MR_WRITE_SLOT,
                                           .name = input->kept[j],
                                           .writer = input->domain->name,
                                           .type = mr_planner_type(MR_TYPE_ANY)};
            add_write(derivation, &write);
        }
    }
    derivation->view->writes = derivation->writes;
    derivation->view->writes_count = derivation->writes_count;
}

static void unite_written(struct derivation *derivation)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < derivation->domain->inputs_count; i++)
        count += input_view(derivation, i)->written_count;
    struct mr_written *written = mr_arena_new(derivation->planner->arena, count, sizeof(*written));
    count = 0;
    for (uint32_t i = 0; i < derivation->domain->inputs_count; i++) {
        const struct mr_record_view *input = input_view(derivation, i);
        for (uint32_t j = 0; j < input->written_count; j++) {
            bool known = false;
            for (uint32_t k = 0; k < count && !known; k++)
                known = strcmp(written[k].name, input->written[j].name) == 0;
            if (!known)
                written[count++] = input->written[j];
        }
    }
    derivation->view->written = written;
    derivation->view->written_count = count;
}

/* ---- Keys ---- */

static bool same_key(const struct mr_record_view *left, const struct mr_record_view *right)
{
    if (!left->keyed || !right->keyed || left->key_count != right->key_count)
        return false;
    for (uint32_t i = 0; i < left->key_count; i++)
        if (!mr_path_equal(&left->key_paths[i], &right->key_paths[i]))
            return false;
    return true;
}

static void unite_keys(struct derivation *derivation)
{
    const struct mr_record_view *first = input_view(derivation, 0);
    struct mr_record_view *view = derivation->view;
    view->keyed = first->keyed;
    view->key_is_text = first->key_is_text;
    view->key_paths = first->key_paths;
    view->key_count = first->key_count;
    view->key_lost = first->key_lost;
    for (uint32_t i = 1; i < derivation->domain->inputs_count; i++) {
        view->key_is_text = view->key_is_text && input_view(derivation, i)->key_is_text;
        if (same_key(first, input_view(derivation, i)))
            continue;
        view->keyed = false;
        view->key_lost = mr_arena_format(derivation->planner->arena,
                                         "the inputs of '%s' are not grouped by one key",
                                         derivation->node->entry->name);
    }
}

void mr_view_derive_from(struct mr_planner *planner, const struct mr_node_draft *node,
                         const uint32_t *indexes, uint32_t inputs_count,
                         struct mr_record_view *view)
{
    *view = (struct mr_record_view){0};
    view->domain = mr_domain_new(planner, MR_DOMAIN_DERIVED, node->entry->name);
    struct derivation derivation = {
        .planner = planner, .node = node, .domain = view->domain, .view = view};
    const struct mr_record_view **inputs =
        mr_arena_new(planner->arena, inputs_count, sizeof(const struct mr_record_view *));
    view->unknown = inputs_count == 0;
    for (uint32_t i = 0; i < inputs_count; i++) {
        inputs[i] = node->inputs[indexes[i]].view;
        view->unknown = view->unknown || inputs[i]->unknown; /* such a view has no domain */
        view->domain->has_meta =
            view->domain->has_meta || (!inputs[i]->unknown && inputs[i]->domain->has_meta);
    }
    view->domain->inputs = inputs;
    view->domain->inputs_count = inputs_count;
    if (view->unknown)
        return;
    unite_payload(&derivation);
    if (view->unknown)
        return;
    unite_writes(&derivation);
    unite_written(&derivation);
    unite_keys(&derivation);
}

void mr_view_derive(struct mr_planner *planner, const struct mr_node_draft *node,
                    struct mr_record_view *view)
{
    uint32_t count = node->graph->inputs_count;
    uint32_t *indexes = mr_arena_new(planner->arena, count, sizeof(*indexes));
    for (uint32_t i = 0; i < count; i++)
        indexes[i] = i;
    mr_view_derive_from(planner, node, indexes, count, view);
}
