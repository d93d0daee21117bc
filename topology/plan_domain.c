/* topology/plan_domain.c — domains under construction: columns, spans, keys and meta fields on
 * demand. Design: see planner.h. Demands on a DERIVED domain are passed on to its inputs' domains
 * at once, so that what one node needs is known all the way up to the decoders. */
#include "topology/planner.h"

#include "base/assert.h"

enum { CAPACITY_MIN = 8 };

void *mr_planner_grow(struct mr_arena *arena, void *items, uint32_t count, uint32_t *capacity,
                      size_t item_size)
{
    if (count < *capacity)
        return items;
    uint32_t larger = *capacity == 0 ? CAPACITY_MIN : *capacity * 2;
    void *moved = mr_arena_new(arena, larger, item_size);
    if (count > 0)
        memcpy(moved, items, count * item_size);
    *capacity = larger;
    return moved;
}

struct mr_domain_draft *mr_domain_new(struct mr_planner *planner, enum mr_domain_kind kind,
                                      const char *name)
{
    struct mr_domain_draft *domain = mr_arena_new(planner->arena, 1, sizeof(*domain));
    domain->index = planner->domains_count;
    domain->kind = kind;
    domain->name = name;
    for (uint32_t i = 0; i < MR_META_COUNT; i++)
        domain->meta_slots[i] = MR_SLOT_NONE;
    planner->domains =
        mr_planner_grow(planner->arena, planner->domains, planner->domains_count,
                        &planner->domains_capacity, sizeof(struct mr_domain_draft *));
    planner->domains[planner->domains_count++] = domain;
    return domain;
}

uint32_t mr_domain_column(struct mr_planner *planner, struct mr_domain_draft *domain,
                          const struct mr_type *type)
{
    domain->columns = mr_planner_grow(planner->arena, domain->columns, domain->columns_count,
                                      &domain->columns_capacity, sizeof(*domain->columns));
    domain->columns[domain->columns_count] = (struct mr_column_draft){.type = type};
    return domain->columns_count++;
}

uint32_t mr_domain_span(struct mr_planner *planner, struct mr_domain_draft *domain,
                        const char *name)
{
    if (!domain->payload)
        return MR_SLOT_NONE;
    for (uint32_t i = 0; i < domain->spans_count; i++)
        if (strcmp(domain->spans[i].name, name) == 0)
            return i;
    struct mr_span_draft span = {.name = name};
    if (domain->kind == MR_DOMAIN_DERIVED) {
        span.input_spans =
            mr_arena_new(planner->arena, domain->inputs_count, sizeof(*span.input_spans));
        for (uint32_t i = 0; i < domain->inputs_count; i++)
            span.input_spans[i] = mr_domain_span(planner, domain->inputs[i]->domain, name);
    }
    domain->spans = mr_planner_grow(planner->arena, domain->spans, domain->spans_count,
                                    &domain->spans_capacity, sizeof(*domain->spans));
    domain->spans[domain->spans_count] = span;
    return domain->spans_count++;
}

uint32_t mr_domain_key(struct mr_planner *planner, struct mr_domain_draft *domain,
                       const uint32_t *slots, uint32_t slots_count)
{
    for (uint32_t i = 0; i < domain->keys_count; i++)
        if (domain->keys[i].slots_count == slots_count &&
            (slots_count == 0 ||
             memcmp(domain->keys[i].slots, slots, slots_count * sizeof(*slots)) == 0))
            return i;
    domain->keys = mr_planner_grow(planner->arena, domain->keys, domain->keys_count,
                                   &domain->keys_capacity, sizeof(*domain->keys));
    domain->keys[domain->keys_count] =
        (struct mr_key_draft){.slots = slots, .slots_count = slots_count};
    return domain->keys_count++;
}

const struct mr_type *mr_planner_type(enum mr_type_code code)
{
    static const struct mr_type any = {.code = MR_TYPE_ANY};
    static const struct mr_type types[] = {
        [MR_TYPE_ANY] = {.code = MR_TYPE_ANY},
        [MR_TYPE_BOOL] = {.code = MR_TYPE_BOOL},
        [MR_TYPE_INT] = {.code = MR_TYPE_INT},
        [MR_TYPE_UINT] = {.code = MR_TYPE_UINT},
        [MR_TYPE_DOUBLE] = {.code = MR_TYPE_DOUBLE},
        [MR_TYPE_STRING] = {.code = MR_TYPE_STRING},
        [MR_TYPE_BYTES] = {.code = MR_TYPE_BYTES},
        [MR_TYPE_TIMESTAMP] = {.code = MR_TYPE_TIMESTAMP},
        [MR_TYPE_DURATION] = {.code = MR_TYPE_DURATION},
        [MR_TYPE_LIST] = {.code = MR_TYPE_LIST, .element = &any},
        [MR_TYPE_OBJECT] = {.code = MR_TYPE_ANY}, /* an object whose fields are not declared */
    };
    MR_ASSERT((size_t)code < MR_ARRAY_COUNT(types));
    return &types[code];
}

static const struct mr_type *meta_type(enum mr_meta_field field)
{
    switch (field) {
    case MR_META_TOPIC:
        return mr_planner_type(MR_TYPE_STRING);
    case MR_META_PARTITION:
    case MR_META_OFFSET:
        return mr_planner_type(MR_TYPE_INT);
    case MR_META_TIMESTAMP:
        return mr_planner_type(MR_TYPE_TIMESTAMP);
    case MR_META_KEY:
    case MR_META_HEADERS:
    case MR_META_COUNT:
        break;
    }
    return mr_planner_type(MR_TYPE_ANY);
}

bool mr_domain_meta(struct mr_planner *planner, struct mr_domain_draft *domain,
                    enum mr_meta_field field, bool take, uint32_t *slot)
{
    *slot = domain->meta_slots[field];
    if (!domain->has_meta)
        return false;
    if (*slot != MR_SLOT_NONE || !take)
        return true;
    uint32_t *input_slots = NULL;
    if (domain->kind == MR_DOMAIN_DERIVED) {
        input_slots = mr_arena_new(planner->arena, domain->inputs_count, sizeof(*input_slots));
        for (uint32_t i = 0; i < domain->inputs_count; i++)
            if (!mr_domain_meta(planner, domain->inputs[i]->domain, field, true, &input_slots[i]))
                input_slots[i] = MR_SLOT_NONE;
    }
    *slot = mr_domain_column(planner, domain, meta_type(field));
    domain->columns[*slot].input_slots = input_slots;
    domain->meta_slots[field] = *slot;
    return true;
}
