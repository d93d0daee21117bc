/* operators/document.c — see document.h. */
#include "operators/document.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "record/json_value.h"

/* Append the way to the place: "fields[3].bins". */
static size_t write_place(const struct mr_document_place *place, char *text, size_t size)
{
    if (place->above == NULL)
        return 0;
    size_t at = write_place(place->above, text, size);
    size_t room = at < size ? size - at : 0;
    int more = place->name == NULL
                   ? snprintf(text + at, room, "[%" PRIu32 "]", place->index)
                   : snprintf(text + at, room, "%s%s", at > 0 ? "." : "", place->name);
    at += (size_t)more;
    return at < size ? at : size - 1;
}

void mr_document_fail(struct mr_document *document, const struct mr_document_place *place,
                      const char *format, ...)
{
    char way[MR_DOCUMENT_PLACE_BYTES] = "";
    char sentence[MR_ERROR_MESSAGE_SIZE];
    va_list arguments;
    if (document->status != MR_OK)
        return;
    size_t size = write_place(place, way, sizeof(way));
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    document->status = MR_FAIL(document->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "%s%s%s: %s",
                               document->noun, size > 0 ? ", " : "", way, sentence);
}

void mr_document_open(struct mr_document *document, struct mr_slice text, size_t bytes_max,
                      struct mr_arena *arena, struct mr_document_place *root)
{
    *root = (struct mr_document_place){.value = {.kind = MR_KIND_MAP}};
    document->status = MR_OK;
    if (text.size > bytes_max) {
        mr_document_fail(document, root, "it has %zu bytes, above the limit of %zu", text.size,
                         bytes_max);
        return;
    }
    struct mr_value value;
    document->status = mr_json_parse(text, NULL, arena, &value, document->error);
    if (document->status != MR_OK) {
        mr_error_context(document->error, "%s", document->noun);
        return;
    }
    if (value.kind == MR_KIND_MAP)
        root->value = value;
    else
        mr_document_fail(document, root, "it is no JSON object");
}

/* ---- Members ---- */

static const struct mr_map_entry *find(const struct mr_document_place *place, const char *name)
{
    MR_ASSERT(place->value.kind == MR_KIND_MAP);
    struct mr_slice wanted = mr_slice_text(name);
    for (uint32_t at = 0; at < place->value.size; at++)
        if (mr_slice_equal(mr_value_text(place->value.entries[at].key), wanted))
            return &place->value.entries[at];
    return NULL;
}

bool mr_document_has(const struct mr_document_place *place, const char *name)
{
    return place->value.kind == MR_KIND_MAP && find(place, name) != NULL;
}

struct mr_document_place mr_document_member(struct mr_document *document,
                                            const struct mr_document_place *place, const char *name)
{
    const struct mr_map_entry *entry = NULL;
    if (place->value.kind != MR_KIND_MAP) {
        mr_document_fail(document, place, "it is no object");
    } else {
        entry = find(place, name);
        if (entry == NULL)
            mr_document_fail(document, place, "the member \"%s\" is missing", name);
    }
    return (struct mr_document_place){
        .above = place,
        .name = name,
        .value = entry == NULL ? (struct mr_value){.kind = MR_KIND_ABSENT} : entry->value};
}

void mr_document_only(struct mr_document *document, const struct mr_document_place *place,
                      const char *const *names, uint32_t names_count)
{
    if (place->value.kind != MR_KIND_MAP) {
        mr_document_fail(document, place, "it is no object");
        return;
    }
    for (uint32_t at = 0; at < place->value.size; at++) {
        struct mr_slice own = mr_value_text(place->value.entries[at].key);
        uint32_t name = 0;
        while (name < names_count && !mr_slice_equal(own, mr_slice_text(names[name])))
            name++;
        if (name == names_count)
            mr_document_fail(document, place, "the member \"%.*s\" is not known",
                             (int)(own.size < 64 ? own.size : 64), (const char *)own.data);
    }
}

struct mr_document_place mr_document_list(struct mr_document *document,
                                          const struct mr_document_place *place, const char *name,
                                          uint32_t items_max)
{
    struct mr_document_place member = mr_document_member(document, place, name);
    if (member.value.kind != MR_KIND_LIST)
        mr_document_fail(document, &member, "it is no list");
    else if (member.value.size > items_max)
        mr_document_fail(document, &member, "it has %" PRIu32 " items, above the limit of %" PRIu32,
                         member.value.size, items_max);
    if (document->status != MR_OK)
        member.value = (struct mr_value){.kind = MR_KIND_LIST};
    return member;
}

/* ---- Values ---- */

static double number_at(struct mr_document *document, const struct mr_document_place *place,
                        double lowest, double highest)
{
    double number;
    if (document->status != MR_OK)
        return 0;
    if (!mr_value_as_double(place->value, &number)) {
        mr_document_fail(document, place, "it is no number, or one beyond the doubles");
        return 0;
    }
    if (number >= lowest && number <= highest)
        return number;
    mr_document_fail(document, place, "%.17g is not within %.17g and %.17g", number, lowest,
                     highest);
    return 0;
}

double mr_document_number(struct mr_document *document, const struct mr_document_place *place,
                          const char *name, double lowest, double highest)
{
    struct mr_document_place member = mr_document_member(document, place, name);
    return number_at(document, &member, lowest, highest);
}

uint64_t mr_document_count(struct mr_document *document, const struct mr_document_place *place,
                           const char *name, uint64_t highest)
{
    struct mr_document_place member = mr_document_member(document, place, name);
    double number = number_at(document, &member, 0, (double)highest);
    if (number == floor(number))
        return (uint64_t)number;
    mr_document_fail(document, &member, "%.17g is no whole number", number);
    return 0;
}

static struct mr_slice text_at(struct mr_document *document, const struct mr_document_place *place,
                               size_t bytes_max)
{
    struct mr_slice nothing = mr_slice_text("");
    if (document->status != MR_OK)
        return nothing;
    struct mr_slice text = mr_value_text(place->value);
    if (place->value.kind != MR_KIND_STRING) {
        mr_document_fail(document, place, "it is no text");
        return nothing;
    }
    if (text.size > bytes_max) {
        mr_document_fail(document, place, "it has %zu bytes, above the limit of %zu", text.size,
                         bytes_max);
        return nothing;
    }
    if (text.size > 0 && memchr(text.data, 0, text.size) != NULL) {
        mr_document_fail(document, place, "it has a NUL character");
        return nothing;
    }
    return text;
}

struct mr_slice mr_document_text(struct mr_document *document,
                                 const struct mr_document_place *place, const char *name,
                                 size_t bytes_max)
{
    struct mr_document_place member = mr_document_member(document, place, name);
    return text_at(document, &member, bytes_max);
}

/* ---- Items ---- */

struct mr_document_place mr_document_item(const struct mr_document_place *place, uint32_t index)
{
    MR_ASSERT(place->value.kind == MR_KIND_LIST && index < place->value.size);
    return (struct mr_document_place){
        .above = place, .index = index, .value = place->value.items[index]};
}

double mr_document_item_number(struct mr_document *document, const struct mr_document_place *place,
                               uint32_t index, double lowest, double highest)
{
    struct mr_document_place item = mr_document_item(place, index);
    return number_at(document, &item, lowest, highest);
}

struct mr_slice mr_document_item_text(struct mr_document *document,
                                      const struct mr_document_place *place, uint32_t index,
                                      size_t bytes_max)
{
    struct mr_document_place item = mr_document_item(place, index);
    return text_at(document, &item, bytes_max);
}
