/* coordinator/kubernetes_definition.c — see kubernetes_definition.h. */
#include "coordinator/kubernetes_definition.h"

#include "base/limits.h"
#include "base/number.h"
#include "coordinator/kubernetes_json.h"
#include "topology/json_text.h"
#include "topology/yaml.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

enum { STEP = 2, PATH_SIZE = 512, LINE_BYTES_MAX = 120 };

struct writer {
    struct mr_buffer buffer;
    enum mr_status status;
};

static void put(struct writer *writer, const char *text)
{
    if (writer->status == MR_OK)
        writer->status = mr_buffer_append_text(&writer->buffer, text);
}

static void indent(struct writer *writer, uint32_t columns)
{
    for (uint32_t column = 0; column < columns; column++)
        put(writer, " ");
}

/* ---- Scalars ---- */

/* Whether every reader of YAML takes the plain text for this text. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {"yes", "no",   "on",    "off", "y",
                                        "n",   "true", "false", "null"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t size =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-/ ");
    if (size == 0 || text[size] != '\0' || text[size - 1] == ' ' ||
        strchr(letters, text[0]) == NULL)
        return false;
    for (size_t index = 0; index < sizeof(words) / sizeof(*words); index++)
        if (strcasecmp(text, words[index]) == 0)
            return false;
    return mr_yaml_classify(text) == MR_YAML_STRING;
}

static void put_text(struct writer *writer, const char *text)
{
    if (strstr(text, MR_KUBERNETES_NUL) != NULL)
        writer->status = writer->status == MR_OK ? MR_INVALID : writer->status;
    else if (is_plain(text))
        put(writer, text);
    else if (writer->status == MR_OK)
        writer->status = mr_json_text_string(&writer->buffer, text);
}

static void put_scalar(struct writer *writer, const json_t *value)
{
    char number[MR_NUMBER_TEXT_SIZE + 1];
    if (json_is_string(value)) {
        put_text(writer, json_string_value(value));
    } else if (json_is_integer(value)) {
        number[mr_number_format_int(json_integer_value(value), number)] = '\0';
        put(writer, number);
    } else if (json_is_real(value)) {
        number[mr_number_format_double(json_real_value(value), number)] = '\0';
        put(writer, number);
    } else {
        put(writer, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
    }
}

/* ---- Lists and mappings ---- */

static void put_value(struct writer *writer, const json_t *value, uint32_t columns, uint32_t depth,
                      bool on_line);

/* columns: of the keys. on_line: the first key stands behind "- ". */
static void put_mapping(struct writer *writer, const json_t *mapping, uint32_t columns,
                        uint32_t depth, bool on_line)
{
    const char *key;
    json_t *value;
    /* jansson's iterator wants no const, and changes nothing. */
    json_t *iterated = (json_t *)(uintptr_t)mapping;
    json_object_foreach(iterated, key, value)
    {
        if (!on_line)
            indent(writer, columns);
        on_line = false;
        put_text(writer, key);
        put(writer, ":");
        put_value(writer, value, json_is_array(value) ? columns : columns + STEP, depth + 1, false);
    }
}

static void put_list(struct writer *writer, const json_t *list, uint32_t columns, uint32_t depth)
{
    for (size_t index = 0; index < json_array_size(list); index++) {
        indent(writer, columns);
        put(writer, "-");
        put_value(writer, json_array_get(list, index), columns + STEP, depth + 1, true);
    }
}

/* Behind "key:" or "-", with the end of the line. */
static void put_value(struct writer *writer, const json_t *value, uint32_t columns, uint32_t depth,
                      bool on_line)
{
    size_t count = json_is_object(value) ? json_object_size(value) : json_array_size(value);
    if (depth >= MR_LIMIT_YAML_DEPTH)
        writer->status = MR_LIMIT;
    if (writer->status != MR_OK)
        return;
    if (count == 0) {
        put(writer, " ");
        if (json_is_object(value) || json_is_array(value))
            put(writer, json_is_object(value) ? "{}" : "[]");
        else
            put_scalar(writer, value);
        put(writer, "\n");
    } else if (json_is_object(value)) {
        put(writer, on_line ? " " : "\n");
        put_mapping(writer, value, columns, depth, on_line);
    } else {
        put(writer, "\n");
        put_list(writer, value, columns, depth);
    }
}

enum mr_status mr_kubernetes_definition(const json_t *object, struct mr_arena *arena,
                                        struct mr_slice *definition, struct mr_error *error)
{
    static const char *const members[] = {"apiVersion", "kind", "metadata", "spec"};
    struct writer writer = {.status = MR_OK};
    mr_buffer_init(&writer.buffer, MR_LIMIT_TOPOLOGY_BYTES);
    for (size_t index = 0; index < sizeof(members) / sizeof(*members); index++) {
        const json_t *value = json_object_get(object, members[index]);
        json_t *name = json_object_get(json_object_get(object, "metadata"), "name");
        if (value == NULL)
            continue;
        put(&writer, members[index]);
        put(&writer, ":");
        if (strcmp(members[index], "metadata") == 0) {
            json_t *metadata = json_pack("{s:O?}", "name", name);
            put_value(&writer, metadata, STEP, 1, false);
            json_decref(metadata);
        } else {
            put_value(&writer, value, STEP, 1, false);
        }
    }
    *definition = mr_arena_copy(arena, mr_buffer_view(&writer.buffer));
    mr_buffer_deinit(&writer.buffer);
    if (writer.status == MR_INVALID)
        return MR_FAIL(
            error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
            "A text or a key of the topology holds the character NUL (U+0000, or U+FFFF, "
            "which stands for it).");
    return writer.status == MR_OK
               ? MR_OK
               : MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                         "The topology has more than %d bytes, or more than %d levels.",
                         MR_LIMIT_TOPOLOGY_BYTES, MR_LIMIT_YAML_DEPTH);
}

enum mr_status mr_kubernetes_definition_text(const json_t *object, struct mr_slice *definition,
                                             struct mr_error *error)
{
    json_t *data = json_object_get(object, "data");
    const json_t *text = json_object_get(data, "topology.yaml");
    if (text == NULL && json_object_size(data) == 1)
        text = json_object_iter_value(json_object_iter(data));
    if (!json_is_string(text))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The ConfigMap has no topology: its data needs an entry topology.yaml, or "
                       "only one entry, with a definition as `millrace submit` takes it.");
    if (strstr(json_string_value(text), MR_KUBERNETES_NUL) != NULL)
        return MR_FAIL(
            error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
            "The ConfigMap's definition holds the character NUL (U+0000, or U+FFFF, which "
            "stands for it).");
    *definition = mr_slice_from(json_string_value(text), json_string_length(text));
    return MR_OK;
}

/* ---- Findings ---- */

static bool is_behind(struct mr_location location, struct mr_location place)
{
    return place.line > location.line ||
           (place.line == location.line && place.column > location.column);
}

static bool is_at(struct mr_location location, struct mr_location place)
{
    return place.line == location.line && place.column == location.column;
}

static void add_step(char path[PATH_SIZE], const char *name, uint32_t index)
{
    size_t size = strlen(path);
    if (name != NULL)
        (void)snprintf(path + size, PATH_SIZE - size, "%s%s", size > 0 ? "." : "", name);
    else
        (void)snprintf(path + size, PATH_SIZE - size, "[%u]", index);
}

/* The path of the deepest node that begins at or before the place: an entry, or one of its keys. */
static void find_path(const struct mr_yaml_node *node, struct mr_location place,
                      char path[PATH_SIZE])
{
    while (node != NULL && node->count > 0 && node->kind != MR_YAML_SCALAR) {
        const struct mr_yaml_node *next = NULL;
        uint32_t found = 0;
        bool mapping = node->kind == MR_YAML_MAPPING;
        if (mapping && path[0] != '\0' && is_at(node->location, place))
            return; /* of the whole of it, not of its first key */
        for (uint32_t index = 0; index < node->count; index++) {
            struct mr_location begins =
                mapping ? node->pairs[index].location : node->items[index]->location;
            if (is_behind(place, begins))
                break;
            found = index;
            next = mapping ? node->pairs[index].value : node->items[index];
        }
        if (next != NULL)
            add_step(path, mapping ? node->pairs[found].key : NULL, found);
        node = next;
    }
}

/* Line `number` without blanks around it, cut. */
static json_t *line_of(struct mr_slice text, json_int_t number)
{
    const char *at = (const char *)text.data;
    const char *end = at + text.size;
    for (json_int_t line = 1; line < number && at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline == NULL ? end : newline + 1;
    }
    while (at < end && *at == ' ')
        at++;
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    size_t size = (size_t)((newline == NULL ? end : newline) - at);
    size = size < LINE_BYTES_MAX ? size : LINE_BYTES_MAX;
    while (size > 0 && ((uint8_t)at[size - 1] & 0xC0) == 0x80) /* not within a character */
        size--;
    if (size > 0 && (uint8_t)at[size - 1] >= 0xC0)
        size--;
    return json_stringn(at, size);
}

json_t *mr_kubernetes_findings(struct mr_slice definition, const json_t *findings)
{
    struct mr_arena arena;
    struct mr_report report;
    mr_arena_init(&arena, 1 << 16);
    mr_report_init(&report, &arena, "definition");
    const struct mr_yaml_node *root = mr_yaml_parse(definition, &arena, &report);
    json_t *described = json_array();
    for (size_t index = 0; index < json_array_size(findings); index++) {
        json_t *finding = json_deep_copy(json_array_get(findings, index));
        json_int_t line = json_integer_value(json_object_get(finding, "line"));
        json_int_t column = json_integer_value(json_object_get(finding, "column"));
        char path[PATH_SIZE] = "";
        if (line > 0 && line <= UINT32_MAX)
            find_path(root,
                      (struct mr_location){.line = (uint32_t)line, .column = (uint32_t)column},
                      path);
        if (path[0] != '\0')
            (void)json_object_set_new(finding, "field", json_string(path));
        if (line > 0)
            (void)json_object_set_new(finding, "text", line_of(definition, line));
        (void)json_array_append_new(described, finding);
    }
    mr_arena_deinit(&arena);
    return described;
}

void mr_kubernetes_findings_text(const json_t *findings, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t index = 0; index < json_array_size(findings); index++) {
        const json_t *finding = json_array_get(findings, index);
        const char *severity = json_string_value(json_object_get(finding, "severity"));
        const char *message = json_string_value(json_object_get(finding, "message"));
        const char *field = json_string_value(json_object_get(finding, "field"));
        const char *line_text = json_string_value(json_object_get(finding, "text"));
        if (message == NULL || severity == NULL || strcmp(severity, "error") != 0)
            continue;
        int length =
            snprintf(text + used, size - used, "%sline %lld%s%s: %s%s%s%s", used > 0 ? "\n" : "",
                     (long long)json_integer_value(json_object_get(finding, "line")),
                     field != NULL ? ", " : "", field != NULL ? field : "", message,
                     line_text != NULL && line_text[0] != '\0' ? " (`" : "",
                     line_text != NULL ? line_text : "",
                     line_text != NULL && line_text[0] != '\0' ? "`)" : "");
        if (length < 0 || (size_t)length >= size - used) {
            text[used] = '\0';
            return;
        }
        used += (size_t)length;
    }
}
