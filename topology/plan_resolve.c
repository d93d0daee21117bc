/* topology/plan_resolve.c — what a path means at a place of the graph.
 * Design: the last writer on the way wins; what nobody wrote is read from the domain. A DERIVED
 * domain asks each of its inputs; where they cover the path to different depths (one wrote `a` as a
 * whole, the other has it in its payload) the column holds the shortest, and the rest is selected
 * at run time. */
#include "topology/planner.h"

#include <inttypes.h>

#include "topology/parse_options.h"

struct lookup {
    struct mr_planner *planner;
    const struct mr_path *path;
    bool take;
    struct mr_resolution *resolution;
    struct mr_error *error;
};

static enum mr_resolved missing(const struct lookup *lookup, const char *sentence)
{
    MR_FAIL(lookup->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "%s", sentence);
    return MR_RESOLVED_MISSING;
}

static enum mr_resolved refused(const struct lookup *lookup, const char *sentence)
{
    MR_FAIL(lookup->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "%s", sentence);
    return MR_RESOLVED_REFUSED;
}

static enum mr_resolved found(const struct lookup *lookup, uint32_t slot, uint32_t steps_used,
                              const struct mr_type *type)
{
    *lookup->resolution =
        (struct mr_resolution){.slot = slot, .steps_used = steps_used, .type = type};
    return MR_RESOLVED_FINE;
}

/* ---- Paths ---- */

static bool is_plain_name(const struct mr_path_step *step)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return step->name_size > 0 && strchr(letters, step->name[0]) != NULL &&
           strspn(step->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") ==
               step->name_size;
}

struct mr_path mr_planner_part_path(struct mr_planner *planner, const struct mr_path *path,
                                    uint32_t from, uint32_t to)
{
    const char *text = "";
    for (uint32_t i = from; i < to; i++) {
        const struct mr_path_step *step = &path->steps[i];
        if (step->name == NULL)
            text = mr_arena_format(planner->arena, "%s[%" PRIu32 "]", text, step->index);
        else if (is_plain_name(step))
            text =
                mr_arena_format(planner->arena, "%s%s%s", text, i == from ? "" : ".", step->name);
        else
            text = mr_arena_format(planner->arena, "%s[\"%s\"]", text, step->name);
    }
    return (struct mr_path){.steps = path->steps + from, .steps_count = to - from, .text = text};
}

struct mr_path mr_planner_name_path(struct mr_planner *planner, const char *name)
{
    struct mr_path_step *step = mr_arena_new(planner->arena, 1, sizeof(*step));
    *step = (struct mr_path_step){.name = name, .name_size = (uint32_t)strlen(name)};
    struct mr_path path = {.steps = step, .steps_count = 1};
    return mr_planner_part_path(planner, &path, 0, 1);
}

/* path with another first step. */
static struct mr_path renamed_path(struct mr_planner *planner, const struct mr_path *path,
                                   const char *name)
{
    struct mr_path_step *steps = mr_arena_new(planner->arena, path->steps_count, sizeof(*steps));
    memcpy(steps, path->steps, path->steps_count * sizeof(*steps));
    steps[0] = (struct mr_path_step){.name = name, .name_size = (uint32_t)strlen(name)};
    struct mr_path renamed = {.steps = steps, .steps_count = path->steps_count};
    return mr_planner_part_path(planner, &renamed, 0, renamed.steps_count);
}

/* The type below type along the steps from `from` on. */
static const struct mr_type *type_below(const struct mr_type *type, const struct mr_path *path,
                                        uint32_t from)
{
    if (from == path->steps_count)
        return type;
    if (type->code != MR_TYPE_OBJECT && type->code != MR_TYPE_LIST)
        return mr_planner_type(MR_TYPE_ANY);
    if (type->code == MR_TYPE_LIST)
        return path->steps[from].name == NULL && type->element != NULL
                   ? type_below(type->element, path, from + 1)
                   : mr_planner_type(MR_TYPE_ANY);
    struct mr_schema schema = {.root = *type};
    struct mr_path rest = {.steps = path->steps + from, .steps_count = path->steps_count - from};
    const struct mr_type *below =
        rest.steps[0].name == NULL ? NULL : mr_schema_find(&schema, &rest);
    return below == NULL ? mr_planner_type(MR_TYPE_ANY) : below;
}

/* ---- Domains ---- */

static uint32_t find_read(const struct mr_domain_draft *domain, const struct mr_path *path)
{
    for (uint32_t i = 0; i < domain->columns_count; i++)
        if (domain->columns[i].is_read && mr_path_equal(&domain->columns[i].path, path))
            return i;
    return MR_SLOT_NONE;
}

static uint32_t read_column(const struct lookup *lookup, struct mr_domain_draft *domain,
                            const struct mr_path *path, const struct mr_type *type)
{
    uint32_t slot = find_read(domain, path);
    if (slot != MR_SLOT_NONE || !lookup->take)
        return slot;
    slot = mr_domain_column(lookup->planner, domain, type);
    domain->columns[slot].is_read = true;
    domain->columns[slot].path = mr_planner_part_path(lookup->planner, path, 0, path->steps_count);
    return slot;
}

static enum mr_resolved read_source(const struct lookup *lookup, struct mr_domain_draft *domain)
{
    const struct mr_type *type = mr_planner_type(MR_TYPE_ANY);
    if (domain->schema != NULL)
        type = mr_schema_find(domain->schema, lookup->path);
    if (type == NULL)
        return refused(lookup, mr_arena_format(lookup->planner->arena,
                                               "the schema of '%s' leaves no room for '%s'",
                                               domain->name, lookup->path->text));
    return found(lookup, read_column(lookup, domain, lookup->path, type), lookup->path->steps_count,
                 type);
}

static enum mr_resolved read_repartition(const struct lookup *lookup,
                                         struct mr_domain_draft *domain)
{
    struct mr_resolution upstream;
    enum mr_resolved resolved = mr_view_resolve(lookup->planner, domain->inputs[0], lookup->path,
                                                false, &upstream, lookup->error);
    if (resolved != MR_RESOLVED_FINE)
        return resolved;
    const struct mr_type *type = type_below(upstream.type, lookup->path, upstream.steps_used);
    return found(lookup, read_column(lookup, domain, lookup->path, type), lookup->path->steps_count,
                 type);
}

static enum mr_resolved read_fields(const struct lookup *lookup,
                                    const struct mr_domain_draft *domain)
{
    for (uint32_t i = 0; i < domain->fields_count; i++)
        if (strcmp(domain->fields[i].name, lookup->path->steps[0].name) == 0)
            return found(lookup, domain->fields[i].slot, 1, domain->fields[i].type);
    return missing(lookup, mr_arena_format(lookup->planner->arena, "'%s' has no field '%s'",
                                           domain->name, lookup->path->steps[0].name));
}

static struct mr_resolved_draft *find_resolved(struct mr_domain_draft *domain,
                                               const struct mr_path *path)
{
    for (uint32_t i = 0; i < domain->resolved_count; i++)
        if (mr_path_equal(&domain->resolved[i].path, path))
            return &domain->resolved[i];
    return NULL;
}

/* Note how much of the path every input covers, and its type there; or that none has it. */
static enum mr_resolved measure_inputs(const struct lookup *lookup, struct mr_domain_draft *domain)
{
    struct mr_resolved_draft draft = {.slot = MR_SLOT_NONE,
                                      .steps_used = lookup->path->steps_count};
    bool any = false;
    for (uint32_t i = 0; i < domain->inputs_count; i++) {
        struct mr_resolution input;
        enum mr_resolved resolved = mr_view_resolve(lookup->planner, domain->inputs[i],
                                                    lookup->path, false, &input, lookup->error);
        if (resolved == MR_RESOLVED_REFUSED)
            return resolved;
        if (resolved == MR_RESOLVED_MISSING)
            continue;
        any = true;
        if (input.steps_used < draft.steps_used)
            draft.steps_used = input.steps_used;
        draft.whole = draft.whole || input.whole;
        bool same = draft.type == NULL || draft.type->code == input.type->code;
        draft.type = same ? input.type : mr_planner_type(MR_TYPE_ANY);
    }
    if (!any) /* the sentence is that of the last input */
        draft.missing = mr_arena_copy_text(lookup->planner->arena, lookup->error->message);
    draft.path = mr_planner_part_path(lookup->planner, lookup->path, 0, lookup->path->steps_count);
    domain->resolved =
        mr_planner_grow(lookup->planner->arena, domain->resolved, domain->resolved_count,
                        &domain->resolved_capacity, sizeof(*domain->resolved));
    domain->resolved[domain->resolved_count++] = draft;
    return MR_RESOLVED_FINE;
}

/* Take the column for the part of the path that every input covers. */
static enum mr_resolved take_derived(const struct lookup *lookup, struct mr_domain_draft *domain,
                                     const struct mr_path *path, const struct mr_type *type,
                                     uint32_t *slot)
{
    *slot = find_read(domain, path);
    if (*slot != MR_SLOT_NONE)
        return MR_RESOLVED_FINE;
    uint32_t *input_slots =
        mr_arena_new(lookup->planner->arena, domain->inputs_count, sizeof(*input_slots));
    for (uint32_t i = 0; i < domain->inputs_count; i++) {
        struct mr_resolution input;
        enum mr_resolved resolved =
            mr_view_resolve(lookup->planner, domain->inputs[i], path, true, &input, lookup->error);
        if (resolved == MR_RESOLVED_REFUSED)
            return resolved;
        input_slots[i] = resolved == MR_RESOLVED_FINE ? input.slot : MR_SLOT_NONE;
    }
    *slot = read_column(lookup, domain, path, type);
    domain->columns[*slot].input_slots = input_slots;
    return MR_RESOLVED_FINE;
}

static enum mr_resolved read_derived(const struct lookup *lookup, struct mr_domain_draft *domain)
{
    struct mr_resolved_draft *draft = find_resolved(domain, lookup->path);
    if (draft == NULL) {
        enum mr_resolved resolved = measure_inputs(lookup, domain);
        if (resolved != MR_RESOLVED_FINE)
            return resolved;
        draft = find_resolved(domain, lookup->path);
    }
    if (draft->missing != NULL)
        return missing(lookup, draft->missing);
    if (lookup->take && draft->slot == MR_SLOT_NONE) {
        uint32_t slot = MR_SLOT_NONE;
        struct mr_path path =
            mr_planner_part_path(lookup->planner, lookup->path, 0, draft->steps_used);
        enum mr_resolved resolved = take_derived(lookup, domain, &path, draft->type, &slot);
        if (resolved != MR_RESOLVED_FINE)
            return resolved;
        draft->slot = slot;
    }
    found(lookup, draft->slot, draft->steps_used, draft->type);
    lookup->resolution->whole = draft->whole;
    return MR_RESOLVED_FINE;
}

static enum mr_resolved read_domain(const struct lookup *lookup, struct mr_domain_draft *domain)
{
    switch (domain->kind) {
    case MR_DOMAIN_SOURCE:
        return read_source(lookup, domain);
    case MR_DOMAIN_REPARTITION:
        return read_repartition(lookup, domain);
    case MR_DOMAIN_FIELDS:
        return read_fields(lookup, domain);
    case MR_DOMAIN_DERIVED:
        break;
    }
    return read_derived(lookup, domain);
}

/* ---- Views ---- */

static const char *member_names(struct mr_arena *arena, const struct mr_write_draft *write)
{
    const char *text = "";
    for (uint32_t i = 0; i < write->members_count; i++)
        text = mr_arena_format(arena, "%s%s%s.%s", text, i == 0 ? "" : ", ", write->name,
                               write->members[i].name);
    return text;
}

static enum mr_resolved resolve_member(const struct lookup *lookup,
                                       const struct mr_write_draft *write)
{
    struct mr_arena *arena = lookup->planner->arena;
    const struct mr_path *path = lookup->path;
    if (path->steps_count == 1 || path->steps[1].name == NULL)
        return refused(lookup,
                       mr_arena_format(arena,
                                       "'%s' is the object that '%s' adds and cannot be "
                                       "read as a whole: select a member (%s)",
                                       write->name, write->writer, member_names(arena, write)));
    const char **names = mr_arena_new(arena, write->members_count, sizeof(*names));
    for (uint32_t i = 0; i < write->members_count; i++) {
        names[i] = write->members[i].name;
        if (strcmp(names[i], path->steps[1].name) == 0)
            return found(lookup, write->members[i].slot, 2, write->members[i].type);
    }
    return refused(lookup, mr_arena_format(arena, "'%s', which '%s' adds, has no member '%s'%s",
                                           write->name, write->writer, path->steps[1].name,
                                           mr_nearest_text(arena, path->steps[1].name, names,
                                                           write->members_count)));
}

static enum mr_resolved resolve_write(const struct lookup *lookup,
                                      const struct mr_record_view *view,
                                      const struct mr_write_draft *write)
{
    struct mr_planner *planner = lookup->planner;
    switch (write->kind) {
    case MR_WRITE_SLOT:
        return found(lookup, write->slot, 1, write->type);
    case MR_WRITE_GROUP:
        return resolve_member(lookup, write);
    case MR_WRITE_REMOVED:
        return refused(lookup, mr_arena_format(planner->arena,
                                               "the field '%s' is no longer there: '%s' removes or "
                                               "renames it",
                                               write->name, write->writer));
    case MR_WRITE_RECORD: {
        struct mr_path rest = {.steps = lookup->path->steps + 1,
                               .steps_count = lookup->path->steps_count - 1};
        return mr_join_side_resolve(planner, write->side, &rest, lookup->take, lookup->resolution,
                                    lookup->error);
    }
    case MR_WRITE_RENAMED:
        break;
    }
    struct lookup renamed = *lookup;
    struct mr_path path = renamed_path(planner, lookup->path, write->raw_name);
    renamed.path = &path;
    return read_domain(&renamed, view->domain);
}

/* A field that a closed view does not have. */
static enum mr_resolved resolve_missing(const struct lookup *lookup,
                                        const struct mr_record_view *view)
{
    struct mr_arena *arena = lookup->planner->arena;
    const char *name = lookup->path->steps[0].name;
    if (view->closed_by != NULL)
        return refused(lookup, mr_arena_format(arena,
                                               "the field '%s' is no longer there: '%s' does not "
                                               "keep it",
                                               name, view->closed_by));
    const char **names = mr_arena_new(arena, view->kept_count + view->writes_count, sizeof(*names));
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->kept_count; i++)
        names[count++] = view->kept[i];
    for (uint32_t i = 0; i < view->writes_count; i++)
        names[count++] = view->writes[i].name;
    return missing(lookup, mr_arena_format(arena, "the records of '%s' have no field '%s'%s",
                                           view->domain->name, name,
                                           mr_nearest_text(arena, name, names, count)));
}

enum mr_resolved mr_view_resolve(struct mr_planner *planner, const struct mr_record_view *view,
                                 const struct mr_path *path, bool take,
                                 struct mr_resolution *resolution, struct mr_error *error)
{
    struct lookup lookup = {planner, path, take, resolution, error};
    *resolution = (struct mr_resolution){.slot = MR_SLOT_NONE};
    if (view->unknown)
        return found(&lookup, 0, path->steps_count, mr_planner_type(MR_TYPE_ANY));
    const struct mr_write_draft *write = mr_view_write_find(view, path->steps[0].name);
    if (write != NULL && !write->derived)
        return resolve_write(&lookup, view, write);
    if (write == NULL && view->closed && !mr_view_keeps(view, path->steps[0].name))
        return resolve_missing(&lookup, view);
    return read_domain(&lookup, view->domain);
}

enum mr_resolved mr_view_resolve_path(struct mr_planner *planner, const struct mr_record_view *view,
                                      const struct mr_path *path, bool take,
                                      struct mr_resolution *resolution, struct mr_error *error)
{
    enum mr_resolved resolved = mr_view_resolve(planner, view, path, take, resolution, error);
    if (resolved != MR_RESOLVED_FINE)
        return resolved;
    if (resolution->whole) {
        MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                "'%s' is a whole record of a join: select a field of it, as in %s.id", path->text,
                path->text);
        return MR_RESOLVED_REFUSED;
    }
    if (resolution->steps_used == path->steps_count)
        return resolved;
    struct mr_path covered = mr_planner_part_path(planner, path, 0, resolution->steps_used);
    MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
            "'%s' is made on the way as a whole, a path cannot go below it: compute '%s' by a map "
            "before",
            covered.text, path->text);
    return MR_RESOLVED_REFUSED;
}
