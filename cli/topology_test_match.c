/* cli/topology_test_match.c — see topology_test_match.h. */
#include "cli/topology_test_match.h"

#include "base/buffer.h"
#include "base/number.h"
#include "cli/text.h"
#include "topology/json_text.h"

#include <inttypes.h>
#include <math.h>

enum { TEXT_BYTES_MAX = 4 << 20, NUMBER_SIZE = 512 };

/* ---- Texts ---- */

static const char *cut(struct mr_arena *arena, struct mr_slice bytes)
{
    if (bytes.size <= MR_TEST_SHOWN_BYTES_MAX)
        return mr_text_escape(arena, bytes);
    size_t size = MR_TEST_SHOWN_BYTES_MAX;
    while (size > 0 && (bytes.data[size] & 0xC0) == 0x80) /* not inside a character */
        size--;
    return mr_arena_format(arena, "%s... (%zu bytes)",
                           mr_text_escape(arena, mr_slice_from(bytes.data, size)), bytes.size);
}

static int append(const char *bytes, size_t size, void *buffer)
{
    return mr_buffer_append(buffer, bytes, size) == MR_OK ? 0 : -1;
}

const char *mr_test_json_text(struct mr_arena *arena, const json_t *value)
{
    if (value == NULL)
        return "nothing";
    if (json_is_real(value)) {
        char text[MR_NUMBER_TEXT_SIZE];
        return mr_arena_copy_bytes_text(arena, text,
                                        mr_number_format_double(json_real_value(value), text));
    }
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, TEXT_BYTES_MAX);
    const char *text = "a value that is too long to show";
    if (json_dump_callback(value, append, &buffer, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        text = cut(arena, mr_buffer_view(&buffer));
    mr_buffer_deinit(&buffer);
    return text;
}

const char *mr_test_node_text(struct mr_arena *arena, const struct mr_yaml_node *node)
{
    struct mr_buffer buffer;
    const struct mr_yaml_node *culprit = NULL;
    mr_buffer_init(&buffer, TEXT_BYTES_MAX);
    const char *text = "a value that JSON does not have";
    if (mr_json_text_node(&buffer, node, &culprit) == MR_OK)
        text = cut(arena, mr_buffer_view(&buffer));
    mr_buffer_deinit(&buffer);
    return text;
}

const char *mr_test_bytes_text(struct mr_arena *arena, struct mr_slice bytes)
{
    return cut(arena, bytes);
}

/* ---- Comparing ---- */

void mr_test_match_differs(struct mr_test_match *match, const char *path, const char *expected,
                           const char *actual)
{
    match->differing_count++;
    if (match->differences_count == MR_TEST_DIFFERENCES_MAX)
        return;
    match->differences[match->differences_count++] =
        (struct mr_test_difference){.path = path, .expected = expected, .actual = actual};
}

/* Texts are made for differences only: most comparisons look for the nearest of many records. */
static void differs(struct mr_test_match *match, const char *path,
                    const struct mr_yaml_node *expected, const json_t *actual)
{
    static const char *const forms[] = {
        [MR_TEST_EQUAL] = "", [MR_TEST_AT_LEAST] = "at least ", [MR_TEST_AT_MOST] = "at most "};
    if (match->differences_count == MR_TEST_DIFFERENCES_MAX)
        match->differing_count++;
    else
        mr_test_match_differs(match, path,
                              mr_arena_format(match->arena, "%s%s", forms[match->bound],
                                              mr_test_node_text(match->arena, expected)),
                              mr_test_json_text(match->arena, actual));
}

static bool fitting_numbers(const struct mr_test_match *match, const struct mr_yaml_node *expected,
                            const json_t *actual)
{
    double tolerance = match->tolerance;
    char text[NUMBER_SIZE];
    struct mr_number number = {.kind = MR_NUMBER_NONE};
    const char *json = mr_json_text_number(expected->text, text, sizeof(text));
    if (json == NULL || !json_is_number(actual))
        return false;
    (void)mr_number_parse((const uint8_t *)json, (const uint8_t *)json + strlen(json), &number);
    double value = json_number_value(actual);
    if (match->bound == MR_TEST_AT_LEAST)
        return value >= number.number - tolerance;
    if (match->bound == MR_TEST_AT_MOST)
        return value <= number.number + tolerance;
    if (tolerance == 0 && number.kind == MR_NUMBER_INT && json_is_integer(actual))
        return number.signed_integer == json_integer_value(actual);
    return value == number.number || fabs(value - number.number) <= tolerance;
}

static bool equal_scalars(const struct mr_test_match *match, const char *path,
                          const struct mr_yaml_node *expected, const json_t *actual)
{
    switch (expected->scalar) {
    case MR_YAML_NULL:
        return actual == NULL || json_is_null(actual);
    case MR_YAML_BOOLEAN:
        return json_is_boolean(actual) &&
               json_is_true(actual) == ((expected->text[0] | 0x20) == 't');
    case MR_YAML_INTEGER:
    case MR_YAML_FLOAT:
        return fitting_numbers(match, expected, actual);
    case MR_YAML_STRING:
        break;
    }
    if (!json_is_string(actual))
        return false;
    if (match->cause_in_part && strcmp(path, "cause") == 0)
        return strstr(json_string_value(actual), expected->text) != NULL;
    size_t size = strlen(expected->text);
    return json_string_length(actual) == size &&
           memcmp(json_string_value(actual), expected->text, size) == 0;
}

static void match_at(struct mr_test_match *match, const char *path,
                     const struct mr_yaml_node *expected, const json_t *actual);

static void match_members(struct mr_test_match *match, const char *path,
                          const struct mr_yaml_node *expected, const json_t *actual)
{
    for (uint32_t i = 0; i < expected->count; i++) {
        const char *name = expected->pairs[i].key;
        const char *inner =
            path[0] == '\0' ? name : mr_arena_format(match->arena, "%s.%s", path, name);
        match_at(match, inner, expected->pairs[i].value, json_object_get(actual, name));
    }
}

static void match_elements(struct mr_test_match *match, const char *path,
                           const struct mr_yaml_node *expected, const json_t *actual)
{
    if (expected->count != json_array_size(actual)) {
        differs(match, path, expected, actual);
        return;
    }
    for (uint32_t i = 0; i < expected->count; i++)
        match_at(match, mr_arena_format(match->arena, "%s[%" PRIu32 "]", path, i),
                 expected->items[i], json_array_get(actual, i));
}

static void match_at(struct mr_test_match *match, const char *path,
                     const struct mr_yaml_node *expected, const json_t *actual)
{
    if (expected->kind == MR_YAML_MAPPING && json_is_object(actual))
        match_members(match, path, expected, actual);
    else if (expected->kind == MR_YAML_SEQUENCE && json_is_array(actual))
        match_elements(match, path, expected, actual);
    else if (expected->kind != MR_YAML_SCALAR || !equal_scalars(match, path, expected, actual))
        differs(match, path, expected, actual);
}

void mr_test_match_value(struct mr_test_match *match, const struct mr_yaml_node *expected,
                         const json_t *actual)
{
    match_at(match, "", expected, actual);
}
