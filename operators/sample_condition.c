/* operators/sample_condition.c — conditions on rows that are drawn (sample_model.h), from JSON. */
#include "operators/sample_type.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { FIELDS_TEXT_BYTES = 256 };

static const char *const bounds[] = {"gte", "gt", "lte", "lt"};

enum mr_status mr_sample_condition_fail(const struct mr_sample_condition *condition,
                                        struct mr_error *error, const char *format, ...)
{
    char sentence[MR_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "the condition on field %s: %s",
                   condition->name, sentence);
}

static void list_fields(const struct mr_sample_facts *facts, char text[FIELDS_TEXT_BYTES])
{
    size_t at = 0;
    text[0] = 0;
    for (uint32_t field = 0; field < facts->fields_count && at < FIELDS_TEXT_BYTES; field++)
        at += (size_t)snprintf(text + at, FIELDS_TEXT_BYTES - at, "%s%s", field > 0 ? ", " : "",
                               facts->fields[field]);
}

static uint32_t find_field(const struct mr_sample_facts *facts, struct mr_slice name)
{
    uint32_t field = 0;
    while (field < facts->fields_count &&
           !mr_slice_equal(mr_slice_text(facts->fields[field]), name))
        field++;
    return field;
}

static bool is_value(struct mr_value value)
{
    double number;
    if (value.kind == MR_KIND_STRING)
        return value.size == 0 || memchr(value.text, 0, value.size) == NULL;
    return value.kind == MR_KIND_BOOL || (mr_value_as_double(value, &number) && isfinite(number));
}

static void take_values(struct mr_document *document, const struct mr_document_place *place,
                        struct mr_arena *arena, struct mr_sample_condition *condition)
{
    bool is_list = place->value.kind == MR_KIND_LIST;
    uint32_t count = is_list ? place->value.size : 1;
    if (count == 0 || count > MR_SAMPLE_VALUES_MAX) {
        mr_document_fail(document, place, "it has %u values; give 1 to %d", count,
                         MR_SAMPLE_VALUES_MAX);
        return;
    }
    struct mr_value *values = mr_arena_new(arena, count, sizeof(*values));
    for (uint32_t at = 0; at < count; at++) {
        struct mr_document_place item = is_list ? mr_document_item(place, at) : *place;
        if (!is_value(item.value))
            mr_document_fail(document, &item, "a text, a number, true or false is wanted");
        values[at] = item.value;
    }
    condition->values = values;
    condition->values_count = count;
}

static void take_bound(struct mr_document *document, const struct mr_document_place *place,
                       const char *closed, const char *open, struct mr_value *bound, bool *is_out)
{
    *is_out = mr_document_has(place, open);
    if (*is_out && mr_document_has(place, closed))
        mr_document_fail(document, place, "it has both %s and %s: leave one out", closed, open);
    if (!*is_out && !mr_document_has(place, closed))
        return;
    struct mr_document_place member = mr_document_member(document, place, *is_out ? open : closed);
    if (!is_value(member.value) || member.value.kind == MR_KIND_BOOL)
        mr_document_fail(document, &member, "a bound is a number, or the text of a date or time");
    *bound = member.value;
}

static void take_object(struct mr_document *document, const struct mr_document_place *place,
                        struct mr_arena *arena, struct mr_sample_condition *condition)
{
    static const char *const set[] = {"in"};
    if (place->value.size == 0) {
        mr_document_fail(document, place, "it is empty; give in, gte, gt, lte or lt");
    } else if (mr_document_has(place, "in")) {
        mr_document_only(document, place, set, 1);
        struct mr_document_place list =
            mr_document_list(document, place, "in", MR_SAMPLE_VALUES_MAX);
        if (document->status == MR_OK)
            take_values(document, &list, arena, condition);
    } else {
        mr_document_only(document, place, bounds, 4);
        take_bound(document, place, "gte", "gt", &condition->lowest, &condition->lowest_is_out);
        take_bound(document, place, "lte", "lt", &condition->highest, &condition->highest_is_out);
    }
}

static void take_condition(struct mr_document *document, const struct mr_document_place *root,
                           uint32_t index, const struct mr_sample_facts *facts,
                           struct mr_arena *arena, struct mr_sample_condition *condition)
{
    const struct mr_map_entry *entry = &root->value.entries[index];
    struct mr_slice name = mr_value_text(entry->key);
    *condition = (struct mr_sample_condition){.field = find_field(facts, name)};
    if (condition->field == facts->fields_count) {
        char fields[FIELDS_TEXT_BYTES];
        list_fields(facts, fields);
        mr_document_fail(document, root, "the model has no field \"%.*s\"; its fields are %s",
                         (int)(name.size < 64 ? name.size : 64), (const char *)name.data, fields);
        return;
    }
    condition->name = facts->fields[condition->field];
    struct mr_document_place place = {
        .above = root, .name = condition->name, .value = entry->value};
    if (place.value.kind == MR_KIND_MAP)
        take_object(document, &place, arena, condition);
    else if (place.value.kind == MR_KIND_LIST)
        mr_document_fail(document, &place, "a list is given as {\"in\": [...]}");
    else
        take_values(document, &place, arena, condition);
}

enum mr_status mr_sample_conditions_read(struct mr_slice text, const struct mr_sample_facts *facts,
                                         struct mr_arena *arena,
                                         struct mr_sample_condition **conditions, uint32_t *count,
                                         struct mr_error *error)
{
    struct mr_document document = {.noun = "the conditions", .error = error};
    struct mr_document_place root;
    *conditions = NULL;
    *count = 0;
    if (text.size == 0)
        return MR_OK;
    mr_document_open(&document, text, MR_SAMPLE_CONDITIONS_BYTES_MAX, arena, &root);
    if (document.status != MR_OK)
        return document.status;
    uint32_t members = root.value.size;
    if (members > MR_SAMPLE_CONDITIONS_MAX) {
        mr_document_fail(&document, &root, "there are %u of them, above the limit of %d", members,
                         MR_SAMPLE_CONDITIONS_MAX);
        return document.status;
    }
    *conditions = mr_arena_new(arena, members, sizeof(**conditions));
    for (uint32_t index = 0; index < members; index++)
        take_condition(&document, &root, index, facts, arena, &(*conditions)[index]);
    *count = members;
    return document.status;
}
