/* operators/text_pattern.c — see text_pattern.h.
 * Design: recursive descent; nodes lie in one array and know their first child and next sibling. A
 * class is the list of its characters, so that drawing is one lookup. */
#include "operators/text_pattern.h"

#include <string.h>

#include "base/memory.h"

enum { PRINTABLE_FIRST = 0x20, PRINTABLE_LAST = 0x7e, NONE = UINT16_MAX, CHARACTERS = 128 };

enum node_kind { NODE_BYTE, NODE_CLASS, NODE_SEQUENCE, NODE_ALTERNATION, NODE_REPEAT };

struct node {
    uint8_t kind; /* enum node_kind */
    uint8_t byte;
    uint16_t child; /* the first; NONE: none */
    uint16_t next;  /* sibling */
    uint16_t children_count;
    uint16_t least; /* of REPEAT */
    uint16_t most;
    uint16_t class_index;
};

struct class
{
    uint8_t count;
    uint8_t characters[CHARACTERS];
};

struct mr_text_pattern {
    struct node nodes[MR_TEXT_PATTERN_NODES_MAX];
    struct class *classes;
    uint32_t nodes_count;
    uint32_t classes_count;
    uint16_t root;
    size_t longest;
};

struct parser {
    struct mr_text_pattern *pattern;
    struct mr_slice text;
    size_t at;
    uint32_t depth;
    struct mr_error *error;
};

/* ---- Reading ---- */

static enum mr_status wrong(struct parser *parser, size_t at, const char *what)
{
    return MR_FAIL(parser->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "at byte %zu: %s", at + 1,
                   what);
}

static bool ended(const struct parser *parser)
{
    return parser->at == parser->text.size;
}

/* 0: there is no more. */
static uint8_t peek(const struct parser *parser)
{
    return ended(parser) ? 0 : parser->text.data[parser->at];
}

static bool take(struct parser *parser, char wanted)
{
    if (ended(parser) || parser->text.data[parser->at] != (uint8_t)wanted)
        return false;
    parser->at++;
    return true;
}

static enum mr_status node_new(struct parser *parser, enum node_kind kind, uint16_t *index)
{
    struct mr_text_pattern *pattern = parser->pattern;
    if (pattern->nodes_count == MR_TEXT_PATTERN_NODES_MAX)
        return wrong(parser, parser->at, "the pattern has more than 256 parts");
    *index = (uint16_t)pattern->nodes_count++;
    pattern->nodes[*index] = (struct node){.kind = (uint8_t)kind, .child = NONE, .next = NONE};
    return MR_OK;
}

/* ---- Classes ---- */

static void set_range(bool *set, uint8_t first, uint8_t last)
{
    for (uint32_t character = first; character <= last; character++)
        set[character] = true;
}

/* \d, \w, \s add to the set; false: the letter is none of them. */
static bool set_named(bool *set, uint8_t letter)
{
    switch (letter) {
    case 'd':
        set_range(set, '0', '9');
        return true;
    case 'w':
        set_range(set, '0', '9');
        set_range(set, 'a', 'z');
        set_range(set, 'A', 'Z');
        set['_'] = true;
        return true;
    case 's':
        set[' '] = true;
        return true;
    default:
        return false;
    }
}

static bool is_letter_or_digit(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

/* The sign behind a backslash as a character of its own. */
static enum mr_status escaped(struct parser *parser, uint8_t *byte)
{
    if (ended(parser))
        return wrong(parser, parser->at - 1, "a backslash with nothing behind it");
    *byte = parser->text.data[parser->at];
    if (*byte == 't') {
        *byte = '\t';
    } else if (*byte >= CHARACTERS) {
        return wrong(parser, parser->at - 1, "behind a backslash stands an ASCII sign");
    } else if (is_letter_or_digit(*byte)) {
        return wrong(parser, parser->at - 1,
                     "of letters behind a backslash there are \\d, \\w, \\s and \\t, and no "
                     "back references");
    }
    parser->at++;
    return MR_OK;
}

static enum mr_status class_new(struct parser *parser, const bool *set, uint16_t *index)
{
    struct mr_text_pattern *pattern = parser->pattern;
    struct class class = {0};
    for (uint32_t character = 0; character < CHARACTERS; character++)
        if (set[character])
            class.characters[class.count++] = (uint8_t)character;
    if (class.count == 0)
        return wrong(parser, parser->at - 1, "the class has no character");
    enum mr_status status = node_new(parser, NODE_CLASS, index);
    if (status != MR_OK)
        return status;
    pattern->classes =
        mr_memory_resize(pattern->classes, (pattern->classes_count + 1) * sizeof(class));
    pattern->nodes[*index].class_index = (uint16_t)pattern->classes_count;
    pattern->classes[pattern->classes_count++] = class;
    return MR_OK;
}

/* One character of a class; *is_set: it was \d or its like, and is in the set. */
static enum mr_status class_character(struct parser *parser, bool *set, uint8_t *byte, bool *is_set)
{
    *is_set = false;
    if (ended(parser))
        return wrong(parser, parser->at, "the class is not closed by ]");
    *byte = parser->text.data[parser->at];
    if (*byte >= CHARACTERS)
        return wrong(parser, parser->at, "a class holds ASCII characters only");
    if (*byte == '[' && parser->at + 1 < parser->text.size &&
        parser->text.data[parser->at + 1] == ':')
        return wrong(parser, parser->at, "there are no named classes; say [a-z0-9]");
    parser->at++;
    if (*byte != '\\')
        return MR_OK;
    *is_set = set_named(set, peek(parser));
    if (*is_set) {
        parser->at++;
        return MR_OK;
    }
    return escaped(parser, byte);
}

static enum mr_status read_class(struct parser *parser, uint16_t *index)
{
    bool set[CHARACTERS] = {false};
    bool negated = take(parser, '^');
    bool first = true;
    while (first || peek(parser) != ']') {
        uint8_t from;
        uint8_t to;
        bool is_set;
        size_t at = parser->at;
        enum mr_status status = class_character(parser, set, &from, &is_set);
        if (status != MR_OK)
            return status;
        first = false;
        if (is_set)
            continue;
        to = from;
        if (peek(parser) == '-' && parser->at + 1 < parser->text.size &&
            parser->text.data[parser->at + 1] != ']') {
            parser->at++;
            status = class_character(parser, set, &to, &is_set);
            if (status != MR_OK)
                return status;
            if (is_set || to < from)
                return wrong(parser, at, "the range of the class goes from nowhere to nowhere");
        }
        set_range(set, from, to);
    }
    parser->at++;
    for (uint32_t character = 0; negated && character < CHARACTERS; character++)
        set[character] =
            !set[character] && character >= PRINTABLE_FIRST && character <= PRINTABLE_LAST;
    return class_new(parser, set, index);
}

/* ---- Structure ---- */

static enum mr_status read_alternation(struct parser *parser, uint16_t *index);

static enum mr_status read_group(struct parser *parser, uint16_t *index)
{
    size_t at = parser->at - 1;
    if (take(parser, '?') && !take(parser, ':'))
        return wrong(parser, at, "of groups with a question mark there is (?: ) only");
    if (++parser->depth > MR_TEXT_PATTERN_DEPTH_MAX)
        return wrong(parser, at, "groups are more than 32 deep");
    enum mr_status status = read_alternation(parser, index);
    parser->depth--;
    if (status != MR_OK)
        return status;
    return take(parser, ')') ? MR_OK : wrong(parser, at, "the group is not closed");
}

static enum mr_status read_byte(struct parser *parser, uint8_t byte, uint16_t *index)
{
    enum mr_status status = node_new(parser, NODE_BYTE, index);
    if (status == MR_OK)
        parser->pattern->nodes[*index].byte = byte;
    return status;
}

static enum mr_status read_escape(struct parser *parser, uint16_t *index)
{
    bool set[CHARACTERS] = {false};
    uint8_t byte;
    if (set_named(set, peek(parser))) {
        parser->at++;
        return class_new(parser, set, index);
    }
    enum mr_status status = escaped(parser, &byte);
    return status == MR_OK ? read_byte(parser, byte, index) : status;
}

/* A character of several bytes is a sequence, so that a count behind it repeats all of them. */
static enum mr_status read_wide(struct parser *parser, uint8_t first, uint16_t *index)
{
    enum mr_status status = node_new(parser, NODE_SEQUENCE, index);
    uint16_t last = NONE;
    uint8_t byte = first;
    while (status == MR_OK) {
        uint16_t child;
        status = read_byte(parser, byte, &child);
        if (status != MR_OK)
            return status;
        struct node *nodes = parser->pattern->nodes;
        if (last == NONE)
            nodes[*index].child = child;
        else
            nodes[last].next = child;
        nodes[*index].children_count++;
        last = child;
        if ((peek(parser) & 0xc0) != 0x80)
            break;
        byte = parser->text.data[parser->at++];
    }
    return status;
}

static enum mr_status read_atom(struct parser *parser, uint16_t *index)
{
    bool set[CHARACTERS] = {false};
    size_t at = parser->at;
    uint8_t byte = parser->text.data[parser->at++];
    switch (byte) {
    case '(':
        return read_group(parser, index);
    case '[':
        return read_class(parser, index);
    case '\\':
        return read_escape(parser, index);
    case '.':
        set_range(set, PRINTABLE_FIRST, PRINTABLE_LAST);
        return class_new(parser, set, index);
    case '*':
    case '+':
    case '?':
    case '{':
        return wrong(parser, at, "there is nothing to repeat; say \\{ for the sign itself");
    case '^':
    case '$':
        return wrong(parser, at, "^ and $ stand at the ends only");
    default:
        return byte < 0x80 ? read_byte(parser, byte, index) : read_wide(parser, byte, index);
    }
}

/* Digits; false: there are none, or they say more than the bound. */
static bool read_number(struct parser *parser, uint16_t *number)
{
    size_t begin = parser->at;
    uint32_t value = 0;
    while (peek(parser) >= '0' && peek(parser) <= '9' && value <= MR_TEXT_PATTERN_COUNT_MAX)
        value = value * 10 + (uint32_t)(parser->text.data[parser->at++] - '0');
    *number = (uint16_t)value;
    return parser->at > begin && value <= MR_TEXT_PATTERN_COUNT_MAX;
}

static enum mr_status read_braces(struct parser *parser, size_t at, uint16_t *least, uint16_t *most)
{
    static const char *const what = "a count is {n}, {n,} or {n,m} with n <= m <= 256";
    if (!read_number(parser, least))
        return wrong(parser, at, what);
    *most = *least;
    if (take(parser, ',')) {
        if (peek(parser) == '}')
            *most = (uint16_t)(*least + MR_TEXT_PATTERN_OPEN_MAX);
        else if (!read_number(parser, most))
            return wrong(parser, at, what);
    }
    return take(parser, '}') && *least <= *most ? MR_OK : wrong(parser, at, what);
}

/* The counts behind an atom. */
static enum mr_status read_counts(struct parser *parser, uint16_t *index)
{
    size_t at = parser->at;
    uint16_t least = 0;
    uint16_t most = MR_TEXT_PATTERN_OPEN_MAX;
    uint16_t repeat;
    enum mr_status status = MR_OK;
    if (take(parser, '?')) {
        most = 1;
    } else if (take(parser, '+')) {
        least = 1;
        most = 1 + MR_TEXT_PATTERN_OPEN_MAX;
    } else if (take(parser, '{')) {
        status = read_braces(parser, at, &least, &most);
    } else if (!take(parser, '*')) {
        return MR_OK;
    }
    if (status == MR_OK &&
        (peek(parser) == '?' || peek(parser) == '*' || peek(parser) == '+' || peek(parser) == '{'))
        return wrong(parser, parser->at, "one count may stand behind a part");
    if (status == MR_OK)
        status = node_new(parser, NODE_REPEAT, &repeat);
    if (status != MR_OK)
        return status;
    struct node *node = &parser->pattern->nodes[repeat];
    node->child = *index;
    node->children_count = 1;
    node->least = least;
    node->most = most;
    *index = repeat;
    return MR_OK;
}

static void add_child(struct parser *parser, uint16_t parent, uint16_t *last, uint16_t child)
{
    struct node *nodes = parser->pattern->nodes;
    if (*last == NONE)
        nodes[parent].child = child;
    else
        nodes[*last].next = child;
    nodes[parent].children_count++;
    *last = child;
}

static enum mr_status read_sequence(struct parser *parser, uint16_t *index)
{
    uint16_t last = NONE;
    enum mr_status status = node_new(parser, NODE_SEQUENCE, index);
    while (status == MR_OK && !ended(parser) && peek(parser) != '|' && peek(parser) != ')') {
        uint16_t child;
        if (peek(parser) == '$' && parser->depth == 0 && parser->at + 1 == parser->text.size) {
            parser->at++;
            break;
        }
        status = read_atom(parser, &child);
        if (status == MR_OK)
            status = read_counts(parser, &child);
        if (status == MR_OK)
            add_child(parser, *index, &last, child);
    }
    return status;
}

static enum mr_status read_alternation(struct parser *parser, uint16_t *index)
{
    uint16_t last = NONE;
    uint16_t branch;
    enum mr_status status = node_new(parser, NODE_ALTERNATION, index);
    do {
        if (status == MR_OK)
            status = read_sequence(parser, &branch);
        if (status != MR_OK)
            return status;
        add_child(parser, *index, &last, branch);
    } while (take(parser, '|'));
    return MR_OK;
}

/* ---- Sizes ---- */

static size_t longest_of(const struct mr_text_pattern *pattern, uint16_t index)
{
    const struct node *node = &pattern->nodes[index];
    size_t sum = 0;
    size_t most = 0;
    if (node->kind == NODE_BYTE || node->kind == NODE_CLASS)
        return 1;
    for (uint16_t child = node->child; child != NONE; child = pattern->nodes[child].next) {
        size_t size = longest_of(pattern, child);
        sum += size;
        most = size > most ? size : most;
    }
    if (node->kind == NODE_ALTERNATION)
        return most;
    /* Far beyond the bound is as good as at it: counts of counts must not overflow. */
    size_t longest = node->kind == NODE_REPEAT ? sum * node->most : sum;
    return longest > MR_TEXT_PATTERN_BYTES_MAX ? MR_TEXT_PATTERN_BYTES_MAX + 1 : longest;
}

enum mr_status mr_text_pattern_compile(struct mr_slice text, struct mr_text_pattern **pattern,
                                       struct mr_error *error)
{
    struct mr_text_pattern *made = mr_memory_new(1, sizeof(*made));
    struct parser parser = {.pattern = made, .text = text, .error = error};
    (void)take(&parser, '^');
    enum mr_status status = read_alternation(&parser, &made->root);
    if (status == MR_OK && !ended(&parser))
        status = wrong(&parser, parser.at, "a ) without its (");
    if (status == MR_OK) {
        made->longest = longest_of(made, made->root);
        if (made->longest > MR_TEXT_PATTERN_BYTES_MAX)
            status = wrong(&parser, 0, "a text may become longer than 1,024 bytes");
    }
    if (status != MR_OK) {
        mr_text_pattern_destroy(made);
        made = NULL;
    }
    *pattern = made;
    return status;
}

void mr_text_pattern_destroy(struct mr_text_pattern *pattern)
{
    if (pattern == NULL)
        return;
    mr_memory_free(pattern->classes);
    mr_memory_free(pattern);
}

size_t mr_text_pattern_longest(const struct mr_text_pattern *pattern)
{
    return pattern->longest;
}

/* ---- Drawing ---- */

static uint8_t *write_node(const struct mr_text_pattern *pattern, uint16_t index,
                           struct mr_random *random, uint8_t *output)
{
    const struct node *node = &pattern->nodes[index];
    switch ((enum node_kind)node->kind) {
    case NODE_BYTE:
        *output++ = node->byte;
        break;
    case NODE_CLASS: {
        const struct class *class = &pattern->classes[node->class_index];
        *output++ = class->characters[mr_random_below(random, class->count)];
        break;
    }
    case NODE_SEQUENCE:
        for (uint16_t child = node->child; child != NONE; child = pattern->nodes[child].next)
            output = write_node(pattern, child, random, output);
        break;
    case NODE_ALTERNATION: {
        uint16_t child = node->child;
        uint64_t skipped =
            node->children_count > 1 ? mr_random_below(random, node->children_count) : 0;
        for (; skipped > 0; skipped--)
            child = pattern->nodes[child].next;
        output = write_node(pattern, child, random, output);
        break;
    }
    case NODE_REPEAT: {
        uint64_t count = node->least;
        if (node->most > node->least)
            count += mr_random_below(random, (uint64_t)(node->most - node->least) + 1);
        for (; count > 0; count--)
            output = write_node(pattern, node->child, random, output);
        break;
    }
    }
    return output;
}

size_t mr_text_pattern_write(const struct mr_text_pattern *pattern, struct mr_random *random,
                             uint8_t *output)
{
    return (size_t)(write_node(pattern, pattern->root, random, output) - output);
}
