/* topology/meaning.c — see meaning.h. */
#include "topology/meaning.h"

#include "base/assert.h"
#include "base/hash.h"

#include <stdlib.h>

/* ---- Values ---- */

static uint64_t hash_number(uint64_t number, uint64_t seed)
{
    uint8_t bytes[8]; /* little-endian everywhere: the hash is stored */
    for (int index = 0; index < 8; index++)
        bytes[index] = (uint8_t)(number >> (8 * index));
    return mr_hash64_seeded(mr_slice_from(bytes, sizeof(bytes)), seed);
}

static uint64_t hash_text(const char *text, uint64_t seed)
{
    return text == NULL ? hash_number(0, seed)
                        : mr_hash64_seeded(mr_slice_text(text), hash_number(1, seed));
}

static uint64_t hash_texts(const char *const *texts, uint32_t count, uint64_t seed)
{
    if (texts == NULL)
        count = 0;
    seed = hash_number(count, seed);
    for (uint32_t index = 0; index < count; index++)
        seed = hash_text(texts[index], seed);
    return seed;
}

static bool is_default(const struct mr_option_spec *spec, const struct mr_option_value *value)
{
    const char *text = spec->default_text;
    int64_t integer;
    if (text == NULL || !value->given)
        return !value->given;
    if (spec->type == MR_OPTION_BOOLEAN)
        return value->boolean == (strcmp(text, "true") == 0);
    if (spec->type == MR_OPTION_INTEGER)
        return value->integer == strtoll(text, NULL, 10);
    if (spec->type == MR_OPTION_NUMBER || spec->type == MR_OPTION_SHARE)
        return value->number == strtod(text, NULL);
    if (spec->type == MR_OPTION_DURATION)
        return mr_option_parse_duration(mr_slice_text(text), &integer) && integer == value->integer;
    if (spec->type == MR_OPTION_SIZE)
        return mr_option_parse_size(mr_slice_text(text), &integer) && integer == value->integer;
    return value->text != NULL && strcmp(text, value->text) == 0;
}

static uint64_t hash_options(const struct mr_options *options, uint64_t seed);

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

/* 0: absent, or the default. */
static uint64_t hash_value(const struct mr_option_spec *spec, const struct mr_option_value *value)
{
    if (!value->present || is_default(spec, value))
        return 0;
    uint64_t hash = hash_number(value->boolean, 1);
    hash = hash_number((uint64_t)value->integer, hash);
    hash = hash_number(bits_of(value->number), hash);
    hash = hash_text(value->text, hash);
    hash = hash_texts(value->names, value->count, hash);
    hash = hash_texts(value->texts, value->count, hash);
    uint32_t count = spec->type == MR_OPTION_OBJECT ? 1 : value->count;
    for (uint32_t index = 0; value->objects != NULL && index < count; index++)
        hash = hash_options(&value->objects[index], hash);
    return hash | 1;
}

static uint64_t hash_options(const struct mr_options *options, uint64_t seed)
{
    for (uint32_t index = 0; index < options->count; index++) {
        uint64_t value = hash_value(&options->specs[index], &options->values[index]);
        if (value != 0)
            seed = hash_number(value, hash_text(options->specs[index].name, seed));
    }
    return hash_number(0, seed);
}

bool mr_meaning_has_option(const struct mr_option_spec *spec)
{
    bool bound = (spec->flags & MR_OPTION_STATE_BOUND) != 0;
    for (const struct mr_option_spec *field = spec->fields; field != NULL && field->name != NULL;
         field++)
        bound = bound || mr_meaning_has_option(field);
    return bound;
}

bool mr_meaning_same_value(const struct mr_option_spec *spec, const struct mr_option_value *left,
                           const struct mr_option_value *right)
{
    return hash_value(spec, left) == hash_value(spec, right);
}

/* ---- Options ---- */

static uint64_t hash_key(const struct mr_plan_key *key)
{
    return hash_texts(key->texts, key->slots_count, 1) | 1;
}

static void add_options(const struct mr_plan_node *node, struct mr_arena *arena,
                        struct mr_meaning *meaning)
{
    enum { OWN_MAX = 3 };
    struct mr_meaning_option *options =
        mr_arena_new(arena, node->options.count + OWN_MAX, sizeof(*options));
    uint32_t count = 0;
    options[count++] = (struct mr_meaning_option){.name = "key", .value = hash_key(&node->key)};
    if (node->join != NULL)
        options[count++] = (struct mr_meaning_option){
            .name =
                (node->type->flags & MR_TYPE_TABLE_JOIN) != 0 ? "key of the table" : "right_key",
            .value = hash_key(&node->join->sides[1].key)};
    if (node->join != NULL) /* how long does not matter, but whether rows wait at all */
        options[count++] =
            (struct mr_meaning_option){.name = "join_wait", .value = mr_plan_waits(&node->options)};
    if (mr_option_specs_find(node->options.specs, "order") >= 0) /* likewise */
        options[count++] =
            (struct mr_meaning_option){.name = "order", .value = mr_plan_orders(&node->options)};
    for (uint32_t index = 0; index < node->options.count; index++) {
        const struct mr_option_spec *spec = &node->options.specs[index];
        if (mr_meaning_has_option(spec))
            options[count++] = (struct mr_meaning_option){
                .name = spec->name, .value = hash_value(spec, &node->options.values[index])};
    }
    meaning->options = options;
    meaning->options_count = count;
}

/* ---- Kept rows ---- */

static struct mr_kept_rows kept_by_join(const struct mr_plan *plan, const struct mr_plan_node *node,
                                        uint32_t port, struct mr_arena *arena)
{
    const struct mr_plan_join_side *side = &node->join->sides[port];
    const char **cells = mr_arena_new(arena, side->slots_count + 1u, sizeof(char *));
    struct mr_kept_rows kept = {.side = side->name,
                                .cells = cells,
                                .cells_count = side->slots_count,
                                .whole = side->whole,
                                .message = side->only.slot_map != NULL};
    for (uint32_t index = 0; index < side->slots_count; index++)
        cells[index] = side->names[index];
    if (side->spans_count > 0) { /* of rows without a partner: outputs 1 and 2 */
        kept.members = plan->domains[node->outputs[1 + port].domain].tracked_names;
        kept.members_count = side->spans_count;
    }
    return kept;
}

static struct mr_kept_rows kept_for_output(const struct mr_plan *plan,
                                           const struct mr_plan_node *node, struct mr_arena *arena)
{
    const struct mr_plan_domain *domain = &plan->domains[node->outputs[0].domain];
    const char **cells = mr_arena_new(arena, domain->shape.slots_count + 1u, sizeof(char *));
    struct mr_kept_rows kept = {.cells = cells,
                                .members = domain->tracked_names,
                                .members_count = domain->shape.spans_count};
    for (uint32_t slot = 0; slot < domain->shape.slots_count; slot++)
        if (domain->slot_names[slot] != NULL && node->inputs[0].slot_map[slot] != MR_SLOT_NONE)
            cells[kept.cells_count++] = domain->slot_names[slot];
    return kept;
}

static void add_rows(const struct mr_plan *plan, const struct mr_plan_node *node,
                     struct mr_arena *arena, struct mr_meaning *meaning)
{
    if ((node->type->flags & MR_TYPE_DERIVED_ROWS) != 0) {
        meaning->rows[meaning->rows_count++] = kept_for_output(plan, node, arena);
        return;
    }
    uint32_t first = (node->type->flags & MR_TYPE_TABLE_JOIN) != 0;
    if (mr_plan_waits(&node->options))
        meaning->rows[meaning->rows_count++] = kept_for_output(plan, node, arena);
    for (uint32_t port = first; node->join != NULL && port < MR_MEANING_ROWS_MAX; port++)
        meaning->rows[meaning->rows_count++] = kept_by_join(plan, node, port, arena);
}

static uint64_t hash_rows(const struct mr_kept_rows *rows, uint64_t seed)
{
    seed = hash_texts(rows->cells, rows->cells_count, seed);
    seed = hash_texts(rows->members, rows->members_count, seed);
    return hash_number((rows->whole ? 1u : 0u) + (rows->message ? 2u : 0u), seed);
}

void mr_meaning_make(const struct mr_plan *plan, const struct mr_plan_node *node,
                     struct mr_arena *arena, struct mr_meaning *meaning)
{
    MR_ASSERT(node->type->role == MR_ROLE_OPERATOR && node->type->state_version > 0);
    *meaning = (struct mr_meaning){.hash = hash_text(node->type->name, 0)};
    add_options(node, arena, meaning);
    add_rows(plan, node, arena, meaning);
    for (uint32_t index = 0; index < meaning->options_count; index++) {
        const struct mr_meaning_option *option = &meaning->options[index];
        if (option->value != 0)
            meaning->hash = hash_number(option->value, hash_text(option->name, meaning->hash));
    }
    for (uint32_t index = 0; index < meaning->rows_count; index++)
        meaning->hash = hash_rows(&meaning->rows[index], hash_number(index, meaning->hash));
    meaning->hash |= 1;
}
