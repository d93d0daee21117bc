/* topology/substitute.c — see substitute.h.
 * Design: one walk over the tree; a scalar without "${" costs one search and is left as it is. */
#include "topology/substitute.h"

#include "base/limits.h"
#include "base/utf8.h"

struct filling {
    const struct mr_yaml_node *values;
    const struct mr_substitution *substitution;
    struct mr_arena *arena;
    struct mr_report *report;
    const struct mr_yaml_node *node; /* the scalar being filled */
    char *output;                    /* room for MR_LIMIT_EXPRESSION_BYTES */
    size_t size;
    bool failed;
};

static const char *const kept_prefixes[] = {"${file:", "${secret:"};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_kept(const char *text)
{
    return starts_with(text, kept_prefixes[0]) || starts_with(text, kept_prefixes[1]);
}

bool mr_substitute_is_secret(const char *text)
{
    return strstr(text, kept_prefixes[0]) != NULL || strstr(text, kept_prefixes[1]) != NULL;
}

static void append(struct filling *filling, const char *text, size_t size)
{
    if (filling->failed)
        return;
    if (size > MR_LIMIT_EXPRESSION_BYTES - filling->size) {
        mr_report_add(filling->report, MR_SEVERITY_ERROR, filling->node->location,
                      "with its ${...} filled in, this value has more than %d bytes",
                      MR_LIMIT_EXPRESSION_BYTES);
        filling->failed = true;
        return;
    }
    memcpy(filling->output + filling->size, text, size);
    filling->size += size;
}

static bool is_name(const char *text, size_t size)
{
    if (size == 0 || (text[0] >= '0' && text[0] <= '9'))
        return false;
    for (size_t i = 0; i < size; i++) {
        char letter = text[i];
        if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
              (letter >= '0' && letter <= '9') || letter == '_'))
            return false;
    }
    return true;
}

static const char *find_value(const struct filling *filling, const char *name)
{
    const char *value = NULL;
    if (filling->substitution != NULL)
        value = filling->substitution->lookup(filling->substitution->argument, name);
    if (value != NULL || filling->values == NULL)
        return value;
    const struct mr_yaml_pair *pair = mr_yaml_find(filling->values, name);
    return pair != NULL && pair->value->kind == MR_YAML_SCALAR ? pair->value->text : NULL;
}

/* text starts with "${" and ends at `end`, which is its "}". */
static void fill_one(struct filling *filling, const char *text, const char *end)
{
    const char *start = text + 2;
    const char *colon = memchr(start, ':', (size_t)(end - start));
    size_t name_size = (size_t)((colon == NULL ? end : colon) - start);
    if (!is_name(start, name_size)) {
        mr_report_add(filling->report, MR_SEVERITY_ERROR, filling->node->location,
                      "%.*s is none of ${NAME}, ${NAME:default}, ${file:PATH} and "
                      "${secret:NAME/KEY}; write $${ for a literal ${",
                      (int)(end - text + 1), text);
        filling->failed = true;
        return;
    }
    const char *name = mr_arena_copy_bytes_text(filling->arena, start, name_size);
    const char *value = find_value(filling, name);
    if (value != NULL && !mr_utf8_valid(mr_slice_text(value))) {
        mr_report_add(filling->report, MR_SEVERITY_ERROR, filling->node->location,
                      "the value of ${%s} is not valid UTF-8", name);
        filling->failed = true;
    } else if (value != NULL) {
        append(filling, value, strlen(value));
    } else if (colon != NULL) {
        append(filling, colon + 1, (size_t)(end - colon - 1));
    } else {
        mr_report_add(filling->report, MR_SEVERITY_ERROR, filling->node->location,
                      "${%s} has no value: set it in the environment or in spec.values, or write a "
                      "default as in ${%s:default}",
                      name, name);
        filling->failed = true;
    }
}

static void fill_text(struct filling *filling, const char *text)
{
    while (!filling->failed && *text != '\0') {
        const char *dollar = strstr(text, "${");
        if (dollar == NULL) {
            append(filling, text, strlen(text));
            return;
        }
        if (dollar > text && dollar[-1] == '$') {
            append(filling, text, (size_t)(dollar - text)); /* the first $ stands for itself */
            append(filling, "{", 1);
            text = dollar + 2;
            continue;
        }
        append(filling, text, (size_t)(dollar - text));
        const char *end = strchr(dollar, '}');
        if (end == NULL) {
            mr_report_add(filling->report, MR_SEVERITY_ERROR, filling->node->location,
                          "${ is not closed by }; write $${ for a literal ${");
            filling->failed = true;
            return;
        }
        if (is_kept(dollar))
            append(filling, dollar, (size_t)(end - dollar + 1));
        else
            fill_one(filling, dollar, end);
        text = end + 1;
    }
}

static bool is_one_substitution(const char *text)
{
    return starts_with(text, "${") && !is_kept(text) &&
           strchr(text, '}') == text + strlen(text) - 1;
}

static void fill_scalar(struct filling *filling, struct mr_yaml_node *node)
{
    if (strstr(node->text, "${") == NULL)
        return;
    filling->node = node;
    filling->size = 0;
    filling->failed = false;
    fill_text(filling, node->text);
    node->multiline = true; /* columns inside no longer are those of the file */
    node->substituted = is_one_substitution(node->text);
    if (filling->failed) {
        node->faulty = true;
        return;
    }
    node->text = mr_arena_copy_bytes_text(filling->arena, filling->output, filling->size);
    if (node->style == MR_YAML_PLAIN || node->substituted)
        node->scalar = mr_yaml_classify(node->text);
}

static void fill_node(struct filling *filling, struct mr_yaml_node *node)
{
    if (node == filling->values)
        return;
    if (node->kind == MR_YAML_SCALAR)
        fill_scalar(filling, node);
    for (uint32_t i = 0; i < node->count; i++)
        fill_node(filling, node->kind == MR_YAML_MAPPING ? node->pairs[i].value : node->items[i]);
}

void mr_substitute(struct mr_yaml_node *root, const struct mr_yaml_node *values,
                   const struct mr_substitution *substitution, struct mr_arena *arena,
                   struct mr_report *report)
{
    struct filling filling = {
        .values = values != NULL && values->kind == MR_YAML_MAPPING ? values : NULL,
        .substitution = substitution,
        .arena = arena,
        .report = report,
        .output = mr_arena_take(arena, MR_LIMIT_EXPRESSION_BYTES),
    };
    fill_node(&filling, root);
}
