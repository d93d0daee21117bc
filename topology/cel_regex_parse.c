/* topology/cel_regex_parse.c — the syntax of regular expressions (RE2's syntax page).
 * Design: recursive descent to a small tree. Greedy and lazy repeats are the same here, and groups
 * only group: without captures they cannot be told apart. */
#include "base/utf8.h"
#include "topology/cel_regex.h"

enum { CLASS_RANGES_MAX = 256 };

struct flags {
    bool fold;      /* i */
    bool multiline; /* m */
    bool dot_all;   /* s */
};

struct parser {
    struct mr_arena *arena;
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    struct flags flags;
    uint32_t depth;
    const char *problem;
};

struct range_list {
    struct mr_cel_regex_range items[CLASS_RANGES_MAX];
    uint32_t count;
};

static struct mr_cel_regex_node *parse_choice(struct parser *parser);

static void *problem(struct parser *parser, const char *sentence)
{
    if (parser->problem == NULL)
        parser->problem = sentence;
    return NULL;
}

static bool more(const struct parser *parser)
{
    return parser->at < parser->end;
}

static bool take(struct parser *parser, char c)
{
    if (!more(parser) || *parser->at != (uint8_t)c)
        return false;
    parser->at++;
    return true;
}

static bool looking_at(const struct parser *parser, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(parser->end - parser->at) >= size && memcmp(parser->at, text, size) == 0;
}

static struct mr_cel_regex_node *new_node(struct parser *parser, uint8_t kind)
{
    struct mr_cel_regex_node *node = mr_arena_new(parser->arena, 1, sizeof *node);
    node->kind = kind;
    return node;
}

static bool add_range(struct parser *parser, struct range_list *list, uint32_t first, uint32_t last)
{
    if (list->count == CLASS_RANGES_MAX) {
        problem(parser, "a class has too many ranges");
        return false;
    }
    list->items[list->count++] = (struct mr_cel_regex_range){first, last};
    return true;
}

/* Add the other case of ASCII letters. */
static bool fold_ranges(struct parser *parser, struct range_list *list)
{
    uint32_t count = list->count;
    for (uint32_t i = 0; i < count; i++) {
        struct mr_cel_regex_range range = list->items[i];
        if (range.first == range.last && range.first >= 0x80) {
            problem(parser, "(?i) folds ASCII letters only; write both cases of other letters");
            return false;
        }
        for (uint32_t base = 'A'; base <= 'a'; base += 'a' - 'A') {
            uint32_t first = range.first > base ? range.first : base;
            uint32_t last = range.last < base + 25 ? range.last : base + 25;
            uint32_t shift = base == 'A' ? 'a' - 'A' : (uint32_t)'A' - 'a';
            if (first <= last && !add_range(parser, list, first + shift, last + shift))
                return false;
        }
    }
    return true;
}

static void sort_ranges(struct range_list *list)
{
    for (uint32_t i = 1; i < list->count; i++) {
        struct mr_cel_regex_range range = list->items[i];
        uint32_t place = i;
        for (; place > 0 && list->items[place - 1].first > range.first; place--)
            list->items[place] = list->items[place - 1];
        list->items[place] = range;
    }
}

static bool negate_ranges(struct parser *parser, struct range_list *list)
{
    struct range_list result = {.count = 0};
    uint32_t next = 0;
    sort_ranges(list);
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].first > next &&
            !add_range(parser, &result, next, list->items[i].first - 1))
            return false;
        if (list->items[i].last >= next)
            next = list->items[i].last + 1;
    }
    if (next <= 0x10FFFF && !add_range(parser, &result, next, 0x10FFFF))
        return false;
    *list = result;
    return true;
}

static struct mr_cel_regex_node *class_node(struct parser *parser, const struct range_list *list)
{
    struct mr_cel_regex_node *node = new_node(parser, MR_CEL_REGEX_CLASS);
    struct mr_cel_regex_range *ranges =
        mr_arena_new(parser->arena, list->count + 1, sizeof *ranges);
    memcpy(ranges, list->items, list->count * sizeof *ranges);
    node->ranges = ranges;
    node->ranges_count = list->count;
    return node;
}

static struct mr_cel_regex_node *character_node(struct parser *parser, uint32_t code_point)
{
    struct range_list list = {.count = 0};
    if (!add_range(parser, &list, code_point, code_point) ||
        (parser->flags.fold && !fold_ranges(parser, &list)))
        return NULL;
    return class_node(parser, &list);
}

static struct mr_cel_regex_node *assertion_node(struct parser *parser, uint8_t assertion)
{
    struct mr_cel_regex_node *node = new_node(parser, MR_CEL_REGEX_ASSERT);
    node->assertion = assertion;
    return node;
}

struct named_class {
    const char *name;
    struct mr_cel_regex_range ranges[4];
    uint32_t ranges_count;
};

/* The letters of \d \w \s, then the POSIX classes of ASCII. */
static const struct named_class named_classes[] = {
    {"d", {{'0', '9'}}, 1},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, 3},
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}, 2},
    {"ascii", {{0, 0x7F}}, 1},
    {"blank", {{'\t', '\t'}, {' ', ' '}}, 2},
    {"cntrl", {{0, 0x1F}, {0x7F, 0x7F}}, 2},
    {"digit", {{'0', '9'}}, 1},
    {"graph", {{'!', '~'}}, 1},
    {"lower", {{'a', 'z'}}, 1},
    {"print", {{' ', '~'}}, 1},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
    {"space", {{'\t', '\r'}, {' ', ' '}}, 2},
    {"upper", {{'A', 'Z'}}, 1},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
};

static bool add_named_class(struct parser *parser, struct range_list *list, const char *name,
                            size_t name_size, bool negated)
{
    for (size_t i = 0; i < sizeof named_classes / sizeof named_classes[0]; i++) {
        const struct named_class *found = &named_classes[i];
        if (strlen(found->name) != name_size || memcmp(found->name, name, name_size) != 0)
            continue;
        struct range_list part = {.count = 0};
        for (uint32_t r = 0; r < found->ranges_count; r++)
            part.items[part.count++] = found->ranges[r];
        if (negated && !negate_ranges(parser, &part))
            return false;
        for (uint32_t r = 0; r < part.count; r++) {
            if (!add_range(parser, list, part.items[r].first, part.items[r].last))
                return false;
        }
        return true;
    }
    problem(parser, "a class of this name is not known");
    return false;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind \x: two digits, or any number of them in braces. */
static bool parse_hex(struct parser *parser, uint32_t *code_point)
{
    bool braces = take(parser, '{');
    uint32_t digits = 0;
    *code_point = 0;
    while (more(parser) && hex_digit(*parser->at) >= 0 && (braces || digits < 2)) {
        *code_point = *code_point << 4 | (uint32_t)hex_digit(*parser->at++);
        if (++digits > 6)
            break;
    }
    if (digits == 0 || (!braces && digits < 2) || (braces && !take(parser, '}')) ||
        *code_point > 0x10FFFF) {
        problem(parser, "\\x wants two hexadecimal digits, or a code point in braces");
        return false;
    }
    return true;
}

static bool parse_octal(struct parser *parser, uint32_t *code_point)
{
    *code_point = 0;
    for (int i = 0; i < 3 && more(parser) && *parser->at >= '0' && *parser->at <= '7'; i++)
        *code_point = *code_point << 3 | (uint32_t)(*parser->at++ - '0');
    return true;
}

/* An escape that stands for one character; parser->at is behind the backslash. */
static bool parse_character_escape(struct parser *parser, uint32_t *code_point)
{
    static const char letters[] = "aftnrv";
    static const char meanings[] = "\a\f\t\n\r\v";
    if (!more(parser)) {
        problem(parser, "a backslash ends the pattern");
        return false;
    }
    uint8_t c = *parser->at;
    const char *found = c == 0 ? NULL : strchr(letters, c);
    if (found != NULL) {
        parser->at++;
        *code_point = (uint32_t)meanings[found - letters];
        return true;
    }
    if (c == 'x') {
        parser->at++;
        return parse_hex(parser, code_point);
    }
    if (c == '0')
        return parse_octal(parser, code_point);
    bool word = hex_digit(c) >= 0 || (c >= 'g' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                c >= 0x80;
    if (!word) {
        parser->at++;
        *code_point = c;
        return true;
    }
    problem(parser, c == 'p' || c == 'P'   ? "Unicode classes (\\p) are not supported"
                    : c >= '1' && c <= '9' ? "back-references are not part of RE2's syntax"
                                           : "this escape is not known");
    return false;
}

static bool parse_code_point(struct parser *parser, uint32_t *code_point)
{
    size_t size = mr_utf8_decode(parser->at, parser->end, code_point);
    if (size == 0) {
        problem(parser, "the pattern is not UTF-8");
        return false;
    }
    parser->at += size;
    return true;
}

/* \d \D \w \W \s \S: adds the class and takes it. */
static bool take_escape_class(struct parser *parser, struct range_list *list, bool *taken)
{
    *taken = false;
    if (parser->end - parser->at < 2 || parser->at[0] != '\\')
        return true;
    char lower = (char)(parser->at[1] | 0x20);
    if (lower != 'd' && lower != 'w' && lower != 's')
        return true;
    *taken = true;
    bool negated = parser->at[1] < 'a';
    parser->at += 2;
    return add_named_class(parser, list, &lower, 1, negated);
}

/* [:alpha:] inside of brackets. */
static bool take_posix_class(struct parser *parser, struct range_list *list, bool *taken)
{
    *taken = looking_at(parser, "[:");
    if (!*taken)
        return true;
    parser->at += 2;
    bool negated = take(parser, '^');
    const uint8_t *name = parser->at;
    while (more(parser) && *parser->at >= 'a' && *parser->at <= 'z')
        parser->at++;
    size_t size = (size_t)(parser->at - name);
    if (!looking_at(parser, ":]")) {
        problem(parser, "a class [:name:] is not closed");
        return false;
    }
    parser->at += 2;
    return add_named_class(parser, list, (const char *)name, size, negated);
}

static bool parse_class_character(struct parser *parser, uint32_t *code_point)
{
    return take(parser, '\\') ? parse_character_escape(parser, code_point)
                              : parse_code_point(parser, code_point);
}

static bool parse_class_item(struct parser *parser, struct range_list *list)
{
    bool taken = false;
    if (!take_escape_class(parser, list, &taken))
        return false;
    if (taken)
        return true;
    if (!take_posix_class(parser, list, &taken))
        return false;
    if (taken)
        return true;
    uint32_t first = 0;
    if (!parse_class_character(parser, &first))
        return false;
    uint32_t last = first;
    if (parser->end - parser->at >= 2 && parser->at[0] == '-' && parser->at[1] != ']') {
        parser->at++;
        if (!parse_class_character(parser, &last))
            return false;
    }
    if (last < first) {
        problem(parser, "a range ends before it starts");
        return false;
    }
    return add_range(parser, list, first, last);
}

static struct mr_cel_regex_node *parse_brackets(struct parser *parser)
{
    struct range_list list = {.count = 0};
    bool negated = take(parser, '^');
    bool first = true;
    while (first || !take(parser, ']')) {
        if (!more(parser))
            return problem(parser, "'[' is not closed");
        if (!parse_class_item(parser, &list))
            return NULL;
        first = false;
    }
    if (parser->flags.fold && !fold_ranges(parser, &list))
        return NULL;
    if (negated && !negate_ranges(parser, &list))
        return NULL;
    return class_node(parser, &list);
}

/* Behind "(?": flags. *group: a colon follows, so they hold for a group. */
static bool parse_flags(struct parser *parser, bool *group)
{
    bool value = true;
    while (more(parser)) {
        char c = (char)*parser->at++;
        if (c == 'i')
            parser->flags.fold = value;
        else if (c == 'm')
            parser->flags.multiline = value;
        else if (c == 's')
            parser->flags.dot_all = value;
        else if (c == '-' && value)
            value = false;
        else if (c == ':' || c == ')') {
            *group = c == ':';
            return true;
        } else if (c != 'U') {
            break;
        }
    }
    problem(parser,
            "(? wants a flag of i, m, s, U, a name <...> or ':'; look-around is not part of "
            "RE2's syntax");
    return false;
}

/* Behind '('. */
static struct mr_cel_regex_node *parse_group(struct parser *parser)
{
    struct flags outer = parser->flags;
    bool group = true;
    if (looking_at(parser, "?P<") ||
        (looking_at(parser, "?<") && !looking_at(parser, "?<=") && !looking_at(parser, "?<!"))) {
        while (more(parser) && *parser->at != '>')
            parser->at++;
        if (!take(parser, '>'))
            return problem(parser, "the name of a group is not closed");
    } else if (take(parser, '?') && !parse_flags(parser, &group)) {
        return NULL;
    }
    if (!group)
        return new_node(parser, MR_CEL_REGEX_EMPTY);
    if (++parser->depth > MR_CEL_REGEX_DEPTH_MAX)
        return problem(parser, "groups are nested too deeply");
    struct mr_cel_regex_node *node = parse_choice(parser);
    parser->depth--;
    if (node == NULL)
        return NULL;
    if (!take(parser, ')'))
        return problem(parser, "'(' is not closed");
    parser->flags = outer;
    return node;
}

/* \Q...\E, behind \Q: the characters as they are. */
static struct mr_cel_regex_node *parse_quoted(struct parser *parser)
{
    struct mr_cel_regex_node *sequence = new_node(parser, MR_CEL_REGEX_SEQUENCE);
    struct mr_cel_regex_node **last = &sequence->first;
    while (more(parser)) {
        if (looking_at(parser, "\\E")) {
            parser->at += 2;
            break;
        }
        uint32_t code_point = 0;
        if (!parse_code_point(parser, &code_point) ||
            (*last = character_node(parser, code_point)) == NULL)
            return NULL;
        last = &(*last)->next;
    }
    return sequence;
}

static struct mr_cel_regex_node *parse_escape(struct parser *parser)
{
    struct range_list list = {.count = 0};
    bool taken = false;
    parser->at--;
    if (!take_escape_class(parser, &list, &taken))
        return NULL;
    if (taken)
        return class_node(parser, &list);
    parser->at++;
    static const struct {
        char letter;
        uint8_t assertion;
    } assertions[] = {{'A', MR_CEL_REGEX_BEGIN_TEXT},
                      {'z', MR_CEL_REGEX_END_TEXT},
                      {'b', MR_CEL_REGEX_WORD_EDGE},
                      {'B', MR_CEL_REGEX_NO_WORD_EDGE}};
    for (size_t i = 0; i < sizeof assertions / sizeof assertions[0]; i++) {
        if (take(parser, assertions[i].letter))
            return assertion_node(parser, assertions[i].assertion);
    }
    if (take(parser, 'Q'))
        return parse_quoted(parser);
    uint32_t code_point = 0;
    return parse_character_escape(parser, &code_point) ? character_node(parser, code_point) : NULL;
}

static struct mr_cel_regex_node *parse_dot(struct parser *parser)
{
    struct range_list list = {.count = 0};
    if (parser->flags.dot_all) {
        add_range(parser, &list, 0, 0x10FFFF);
    } else {
        add_range(parser, &list, 0, '\n' - 1);
        add_range(parser, &list, '\n' + 1, 0x10FFFF);
    }
    return class_node(parser, &list);
}

static struct mr_cel_regex_node *parse_atom(struct parser *parser)
{
    bool multiline = parser->flags.multiline;
    if (take(parser, '('))
        return parse_group(parser);
    if (take(parser, '['))
        return parse_brackets(parser);
    if (take(parser, '.'))
        return parse_dot(parser);
    if (take(parser, '^'))
        return assertion_node(parser,
                              multiline ? MR_CEL_REGEX_BEGIN_LINE : MR_CEL_REGEX_BEGIN_TEXT);
    if (take(parser, '$'))
        return assertion_node(parser, multiline ? MR_CEL_REGEX_END_LINE : MR_CEL_REGEX_END_TEXT);
    if (take(parser, '\\'))
        return parse_escape(parser);
    if (*parser->at == '*' || *parser->at == '+' || *parser->at == '?')
        return problem(parser, "a repeat has nothing to repeat");
    uint32_t code_point = 0;
    return parse_code_point(parser, &code_point) ? character_node(parser, code_point) : NULL;
}

static bool parse_number(struct parser *parser, uint32_t *number)
{
    const uint8_t *start = parser->at;
    *number = 0;
    while (more(parser) && *parser->at >= '0' && *parser->at <= '9') {
        *number = *number * 10 + (uint32_t)(*parser->at++ - '0');
        if (*number > MR_CEL_REGEX_REPEAT_MAX * 10)
            *number = MR_CEL_REGEX_REPEAT_MAX * 10;
    }
    return parser->at > start;
}

/* {n}, {n,} or {n,m} at the cursor; anything else is an ordinary brace. */
static bool take_counts(struct parser *parser, uint32_t *minimum, uint32_t *maximum)
{
    const uint8_t *start = parser->at;
    if (take(parser, '{') && parse_number(parser, minimum)) {
        *maximum = *minimum;
        if (take(parser, ',') && !parse_number(parser, maximum))
            *maximum = UINT32_MAX;
        if (take(parser, '}'))
            return true;
    }
    parser->at = start;
    return false;
}

static struct mr_cel_regex_node *parse_repeat(struct parser *parser)
{
    struct mr_cel_regex_node *node = parse_atom(parser);
    bool repeated = false;
    while (node != NULL && more(parser)) {
        uint32_t minimum = 0;
        uint32_t maximum = UINT32_MAX;
        if (take(parser, '+'))
            minimum = 1;
        else if (take(parser, '?'))
            maximum = 1;
        else if (!take(parser, '*') && !take_counts(parser, &minimum, &maximum))
            break;
        if (repeated)
            return problem(parser, "a repeat of a repeat wants parentheses");
        if (minimum > MR_CEL_REGEX_REPEAT_MAX ||
            (maximum != UINT32_MAX && maximum > MR_CEL_REGEX_REPEAT_MAX) || maximum < minimum)
            return problem(parser, "a repeat counts up to 1000, the smaller number first");
        (void)take(parser, '?');
        struct mr_cel_regex_node *repeat = new_node(parser, MR_CEL_REGEX_REPEAT);
        repeat->minimum = minimum;
        repeat->maximum = maximum;
        repeat->first = node;
        node = repeat;
        repeated = true;
    }
    return node;
}

static struct mr_cel_regex_node *parse_sequence(struct parser *parser)
{
    struct mr_cel_regex_node *sequence = new_node(parser, MR_CEL_REGEX_SEQUENCE);
    struct mr_cel_regex_node **last = &sequence->first;
    while (more(parser) && *parser->at != '|' && *parser->at != ')') {
        *last = parse_repeat(parser);
        if (*last == NULL)
            return NULL;
        last = &(*last)->next;
    }
    return sequence;
}

static struct mr_cel_regex_node *parse_choice(struct parser *parser)
{
    struct mr_cel_regex_node *choice = new_node(parser, MR_CEL_REGEX_CHOICE);
    struct mr_cel_regex_node **last = &choice->first;
    do {
        *last = parse_sequence(parser);
        if (*last == NULL)
            return NULL;
        last = &(*last)->next;
    } while (take(parser, '|'));
    return choice->first->next == NULL ? choice->first : choice;
}

struct mr_cel_regex_node *mr_cel_regex_parse(struct mr_arena *arena, struct mr_slice pattern,
                                             const char **problem_text, size_t *offset)
{
    struct parser parser = {.arena = arena,
                            .start = pattern.data,
                            .at = pattern.data,
                            .end = pattern.data + pattern.size};
    struct mr_cel_regex_node *node = NULL;
    if (pattern.size > MR_CEL_REGEX_PATTERN_BYTES_MAX)
        problem(&parser, "the pattern is longer than 4096 bytes");
    else if ((node = parse_choice(&parser)) != NULL && more(&parser))
        node = problem(&parser, "')' closes nothing");
    *problem_text = parser.problem;
    *offset = (size_t)(parser.at - parser.start);
    return node;
}
