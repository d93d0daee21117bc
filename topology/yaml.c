/* topology/yaml.c — see yaml.h.
 * Design: libyaml's events drive a recursive builder (depth is bounded). Children are gathered in
 * chains in the arena and laid out as arrays when their parent ends. */
#include "topology/yaml.h"

#include <inttypes.h>
#include <yaml.h>

#include "base/limits.h"
#include "base/utf8.h"

enum { DESCRIBED_TEXT_MAX = 60 };

struct chain {
    struct chain *next;
    struct mr_yaml_pair pair;
};

struct builder {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool failed;
    struct mr_arena *arena;
    struct mr_report *report;
};

static struct mr_location location_of(yaml_mark_t mark)
{
    return (struct mr_location){.line = (uint32_t)mark.line + 1,
                                .column = (uint32_t)mark.column + 1};
}

static bool next_event(struct builder *builder)
{
    yaml_event_delete(&builder->event);
    if (yaml_parser_parse(&builder->parser, &builder->event))
        return true;
    builder->failed = true;
    const yaml_parser_t *parser = &builder->parser;
    struct mr_location location = location_of(parser->problem_mark);
    if (parser->error == YAML_READER_ERROR)
        mr_report_add(builder->report, MR_SEVERITY_ERROR, (struct mr_location){0, 0},
                      "the file is not YAML: %s at byte %zu", parser->problem,
                      parser->problem_offset);
    else if (parser->context != NULL)
        mr_report_add(builder->report, MR_SEVERITY_ERROR, location,
                      "this is not YAML: %s (%s that began in line %" PRIu32 ")", parser->problem,
                      parser->context, location_of(parser->context_mark).line);
    else
        mr_report_add(builder->report, MR_SEVERITY_ERROR, location, "this is not YAML: %s",
                      parser->problem == NULL ? "no reason given" : parser->problem);
    return false;
}

/* ---- Scalars ---- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static size_t span_of(const char *text, const char *set)
{
    return strspn(text, set);
}

static bool is_integer(const char *text)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
        const char *digits = text[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567";
        size_t size = span_of(text + 2, digits);
        return size > 0 && text[2 + size] == '\0';
    }
    text += text[0] == '-' || text[0] == '+';
    size_t size = span_of(text, "0123456789");
    return size > 0 && text[size] == '\0';
}

static bool is_float(const char *text)
{
    static const char *const words[] = {".nan", ".NaN", ".NAN", NULL};
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    if (is_one_of(text, words))
        return true;
    text += text[0] == '-' || text[0] == '+';
    if (is_one_of(text, infinities))
        return true;
    size_t whole = span_of(text, "0123456789");
    text += whole;
    size_t fraction = 0;
    if (*text == '.') {
        fraction = span_of(text + 1, "0123456789");
        text += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = span_of(text, "0123456789");
        if (exponent == 0)
            return false;
        text += exponent;
    }
    return *text == '\0';
}

enum mr_yaml_scalar mr_yaml_classify(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    if (is_one_of(text, nulls))
        return MR_YAML_NULL;
    if (is_one_of(text, booleans))
        return MR_YAML_BOOLEAN;
    if (is_integer(text))
        return MR_YAML_INTEGER;
    return is_float(text) ? MR_YAML_FLOAT : MR_YAML_STRING;
}

/* 12:30, 1:02:03.5: numbers to the base of 60. */
static bool is_sexagesimal(const char *text)
{
    text += text[0] == '-' || text[0] == '+';
    size_t size = span_of(text, "0123456789_");
    if (size == 0 || text[size] != ':')
        return false;
    uint32_t parts = 0;
    while (text[size] == ':') {
        text += size + 1;
        size = span_of(text, "0123456789");
        if (size == 0 || size > 2)
            return false;
        parts++;
    }
    if (text[size] == '.')
        size += 1 + span_of(text + size + 1, "0123456789_");
    return parts > 0 && text[size] == '\0';
}

/* 2026-01-28, with or without a time. */
static bool is_date(const char *text)
{
    size_t year = span_of(text, "0123456789");
    if (year != 4 || text[4] != '-')
        return false;
    size_t month = span_of(text + 5, "0123456789");
    if (month < 1 || month > 2 || text[5 + month] != '-')
        return false;
    const char *day = text + 5 + month + 1;
    size_t day_size = span_of(day, "0123456789");
    if (day_size < 1 || day_size > 2)
        return false;
    const char *rest = day + day_size;
    return *rest == '\0' || *rest == 'T' || *rest == 't' || *rest == ' ';
}

/* Digits with underscores, 0b101, 010 and 0o17: numbers of one version of YAML only. */
static bool is_other_number(const char *text)
{
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    if (digits[0] == '0' && (digits[1] == 'b' || digits[1] == 'o')) {
        size_t size = span_of(digits + 2, "01234567_");
        return size > 0 && digits[2 + size] == '\0';
    }
    size_t size = span_of(digits, "0123456789");
    if (digits[0] == '0' && size > 1 && digits[size] == '\0')
        return true;
    size = span_of(digits, "0123456789_.");
    if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
        size = 2 + span_of(digits + 2, "0123456789abcdefABCDEF_");
    return digits[size] == '\0' && digits[0] >= '0' && digits[0] <= '9' &&
           strchr(digits, '_') != NULL;
}

struct otherwise {
    const char *what;   /* a reader of YAML 1.1 makes of it */
    const char *remedy; /* besides quoting it */
};

/* What a reader of YAML 1.1 makes of a plain scalar; what is NULL where that is the same. */
static struct otherwise read_otherwise(const char *text)
{
    static const char *const booleans[] = {"y",  "Y",   "yes", "Yes", "YES", "n",
                                           "N",  "no",  "No",  "NO",  "on",  "On",
                                           "ON", "off", "Off", "OFF", NULL};
    if (is_one_of(text, booleans))
        return (struct otherwise){"a boolean", "write true or false"};
    if (strcmp(text, "~") == 0)
        return (struct otherwise){"no value", "leave it out"};
    if (strcmp(text, "=") == 0)
        return (struct otherwise){"a default value", "leave it out"};
    if (is_sexagesimal(text))
        return (struct otherwise){"a number to the base of 60", "write a decimal number"};
    if (is_date(text))
        return (struct otherwise){"a date", "write an instant"};
    if (is_other_number(text))
        return (struct otherwise){"another number", "write plain decimal digits"};
    return (struct otherwise){NULL, NULL};
}

static const char *scalar_text(struct builder *builder, struct mr_location location)
{
    const char *text = (const char *)builder->event.data.scalar.value;
    size_t size = builder->event.data.scalar.length;
    if (memchr(text, '\0', size) != NULL) {
        mr_report_add(builder->report, MR_SEVERITY_ERROR, location,
                      "the text holds a NUL character, which no name or value may");
        size = strlen(text);
    }
    return mr_arena_copy_bytes_text(builder->arena, text, size);
}

/* False: reported. */
static bool check_plain(struct builder *builder, struct mr_location location, const char *text)
{
    struct otherwise otherwise = read_otherwise(text);
    if (otherwise.what == NULL)
        return true;
    mr_report_add(builder->report, MR_SEVERITY_ERROR, location,
                  "the plain value %s is %s to readers of YAML 1.1: %s, or quote it ('%s') when it "
                  "is a text",
                  text, otherwise.what, otherwise.remedy, text);
    return false;
}

static const char core_tag[] = "tag:yaml.org,2002:";

static bool is_core_tag(const yaml_char_t *tag)
{
    return strncmp((const char *)tag, core_tag, strlen(core_tag)) == 0;
}

static void check_properties(struct builder *builder, struct mr_location location,
                             const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        mr_report_add(builder->report, MR_SEVERITY_ERROR, location,
                      "anchors are not part of the grammar (found &%s): write the value out",
                      (const char *)anchor);
    if (tag != NULL)
        mr_report_add(builder->report, MR_SEVERITY_ERROR, location,
                      "tags are not part of the grammar (found %s%s): the option's type decides, "
                      "quote a value that is a text",
                      is_core_tag(tag) ? "!!" : "",
                      (const char *)tag + (is_core_tag(tag) ? strlen(core_tag) : 0));
}

static enum mr_yaml_style style_of(yaml_scalar_style_t style)
{
    if (style == YAML_PLAIN_SCALAR_STYLE)
        return MR_YAML_PLAIN;
    if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE)
        return MR_YAML_SINGLE_QUOTED;
    return style == YAML_DOUBLE_QUOTED_SCALAR_STYLE ? MR_YAML_DOUBLE_QUOTED : MR_YAML_BLOCK;
}

static void build_scalar(struct builder *builder, struct mr_yaml_node *node)
{
    const yaml_event_t *event = &builder->event;
    check_properties(builder, node->location, event->data.scalar.anchor, event->data.scalar.tag);
    node->kind = MR_YAML_SCALAR;
    node->text = scalar_text(builder, node->location);
    node->faulty = event->data.scalar.tag != NULL;
    node->style = style_of(event->data.scalar.style);
    node->multiline =
        node->style == MR_YAML_BLOCK || event->start_mark.line != event->end_mark.line;
    if (node->style != MR_YAML_PLAIN)
        return;
    node->faulty = !check_plain(builder, node->location, node->text) || node->faulty;
    node->scalar = mr_yaml_classify(node->text);
}

/* ---- Collections ---- */

static struct mr_yaml_node *build_node(struct builder *builder, uint32_t depth);

static struct chain *chain_new(struct builder *builder, struct chain ***tail)
{
    struct chain *link = mr_arena_new(builder->arena, 1, sizeof(*link));
    **tail = link;
    *tail = &link->next;
    return link;
}

static void build_sequence(struct builder *builder, struct mr_yaml_node *node, uint32_t depth)
{
    struct chain *first = NULL;
    struct chain **tail = &first;
    node->kind = MR_YAML_SEQUENCE;
    check_properties(builder, node->location, builder->event.data.sequence_start.anchor,
                     builder->event.data.sequence_start.tag);
    while (next_event(builder) && builder->event.type != YAML_SEQUENCE_END_EVENT) {
        struct mr_yaml_node *item = build_node(builder, depth + 1);
        if (builder->failed)
            return;
        chain_new(builder, &tail)->pair.value = item;
        node->count++;
    }
    struct mr_yaml_node **items = mr_arena_new(builder->arena, node->count, sizeof(*items));
    for (uint32_t i = 0; first != NULL; first = first->next)
        items[i++] = first->pair.value;
    node->items = items;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct mr_yaml_pair *const *a = left;
    const struct mr_yaml_pair *const *b = right;
    int order = strcmp((*a)->key, (*b)->key);
    if (order != 0)
        return order;
    return *a < *b ? -1 : *a > *b;
}

static void check_duplicates(struct builder *builder, const struct mr_yaml_node *node)
{
    struct mr_yaml_pair **sorted = mr_arena_new(builder->arena, node->count, sizeof(*sorted));
    for (uint32_t i = 0; i < node->count; i++)
        sorted[i] = &node->pairs[i];
    if (node->count > 1)
        qsort(sorted, node->count, sizeof(struct mr_yaml_pair *), compare_pairs);
    for (uint32_t i = 1; i < node->count; i++)
        if (strcmp(sorted[i]->key, sorted[i - 1]->key) == 0)
            mr_report_add(builder->report, MR_SEVERITY_ERROR, sorted[i]->location,
                          "the key %s occurs twice in this mapping, first in line %" PRIu32
                          ": remove one",
                          sorted[i]->key, sorted[i - 1]->location.line);
}

/* The key of the current event. */
static bool build_key(struct builder *builder, struct mr_yaml_pair *pair)
{
    const yaml_event_t *event = &builder->event;
    pair->location = location_of(event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        mr_report_add(builder->report, MR_SEVERITY_ERROR, pair->location,
                      event->type == YAML_ALIAS_EVENT
                          ? "aliases are not part of the grammar: write the value out"
                          : "a key must be a plain or quoted name, not a collection");
        builder->failed = true;
        return false;
    }
    check_properties(builder, pair->location, event->data.scalar.anchor, event->data.scalar.tag);
    pair->key = scalar_text(builder, pair->location);
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return true;
    if (strcmp(pair->key, "<<") == 0)
        mr_report_add(builder->report, MR_SEVERITY_ERROR, pair->location,
                      "merge keys (<<) are not part of the grammar: write the values out");
    else
        (void)check_plain(builder, pair->location, pair->key);
    return true;
}

static void build_mapping(struct builder *builder, struct mr_yaml_node *node, uint32_t depth)
{
    struct chain *first = NULL;
    struct chain **tail = &first;
    node->kind = MR_YAML_MAPPING;
    check_properties(builder, node->location, builder->event.data.mapping_start.anchor,
                     builder->event.data.mapping_start.tag);
    while (next_event(builder) && builder->event.type != YAML_MAPPING_END_EVENT) {
        struct mr_yaml_pair pair = {0};
        if (!build_key(builder, &pair) || !next_event(builder))
            return;
        pair.value = build_node(builder, depth + 1);
        if (builder->failed)
            return;
        chain_new(builder, &tail)->pair = pair;
        node->count++;
    }
    node->pairs = mr_arena_new(builder->arena, node->count, sizeof(*node->pairs));
    for (uint32_t i = 0; first != NULL; first = first->next)
        node->pairs[i++] = first->pair;
    if (!builder->failed)
        check_duplicates(builder, node);
}

/* The node of the current event. */
static struct mr_yaml_node *build_node(struct builder *builder, uint32_t depth)
{
    struct mr_yaml_node *node = mr_arena_new(builder->arena, 1, sizeof(*node));
    node->location = location_of(builder->event.start_mark);
    if (depth > MR_LIMIT_YAML_DEPTH) {
        mr_report_add(builder->report, MR_SEVERITY_ERROR, node->location,
                      "mappings and lists are nested more than %d deep", MR_LIMIT_YAML_DEPTH);
        builder->failed = true;
        return node;
    }
    if (builder->event.type == YAML_SEQUENCE_START_EVENT) {
        build_sequence(builder, node, depth);
    } else if (builder->event.type == YAML_MAPPING_START_EVENT) {
        build_mapping(builder, node, depth);
    } else if (builder->event.type == YAML_SCALAR_EVENT) {
        build_scalar(builder, node);
    } else {
        mr_report_add(builder->report, MR_SEVERITY_ERROR, node->location,
                      "aliases are not part of the grammar: write the value out");
        node->text = "";
        node->faulty = true;
    }
    return node;
}

/* ---- Documents ---- */

static struct mr_yaml_node *build_document(struct builder *builder)
{
    if (!next_event(builder) || !next_event(builder)) /* stream start, document start */
        return NULL;
    if (builder->event.type == YAML_STREAM_END_EVENT) {
        mr_report_add(builder->report, MR_SEVERITY_ERROR, (struct mr_location){0, 0},
                      "the file is empty, a topology was expected");
        return NULL;
    }
    if (!next_event(builder))
        return NULL;
    struct mr_yaml_node *root = build_node(builder, 1);
    if (builder->failed || !next_event(builder) || !next_event(builder))
        return NULL; /* document end, stream end */
    if (builder->event.type != YAML_STREAM_END_EVENT)
        mr_report_add(builder->report, MR_SEVERITY_ERROR, location_of(builder->event.start_mark),
                      "a second document begins here: one file holds one topology");
    return root;
}

struct mr_yaml_node *mr_yaml_parse(struct mr_slice text, struct mr_arena *arena,
                                   struct mr_report *report)
{
    if (text.size > MR_LIMIT_TOPOLOGY_BYTES) {
        mr_report_add(report, MR_SEVERITY_ERROR, (struct mr_location){0, 0},
                      "the file has %zu bytes, a topology may have %d", text.size,
                      MR_LIMIT_TOPOLOGY_BYTES);
        return NULL;
    }
    if (!mr_utf8_valid(text)) {
        mr_report_add(report, MR_SEVERITY_ERROR, (struct mr_location){0, 0},
                      "the file is not valid UTF-8");
        return NULL;
    }
    struct builder builder = {.arena = arena, .report = report};
    if (!yaml_parser_initialize(&builder.parser)) {
        mr_report_add(report, MR_SEVERITY_ERROR, (struct mr_location){0, 0},
                      "the YAML parser cannot start: out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, text.data, text.size);
    struct mr_yaml_node *root = build_document(&builder);
    yaml_event_delete(&builder.event);
    yaml_parser_delete(&builder.parser);
    return root;
}

const struct mr_yaml_pair *mr_yaml_find(const struct mr_yaml_node *node, const char *key)
{
    for (uint32_t i = 0; i < node->count; i++)
        if (strcmp(node->pairs[i].key, key) == 0)
            return &node->pairs[i];
    return NULL;
}

const char *mr_yaml_describe(struct mr_arena *arena, const struct mr_yaml_node *node)
{
    if (node->kind != MR_YAML_SCALAR)
        return node->kind == MR_YAML_MAPPING ? "a mapping" : "a list";
    switch (node->scalar) {
    case MR_YAML_NULL:
        return "no value";
    case MR_YAML_BOOLEAN:
        return mr_arena_format(arena, "the boolean %s", node->text);
    case MR_YAML_INTEGER:
    case MR_YAML_FLOAT:
        return mr_arena_format(arena, "the number %s", node->text);
    case MR_YAML_STRING:
        break;
    }
    size_t size = mr_utf8_cut(mr_slice_text(node->text), DESCRIBED_TEXT_MAX);
    return mr_arena_format(arena, "the text '%.*s'", (int)size, node->text);
}
