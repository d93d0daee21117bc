/* topology/cel_lexer.c — see cel_lexer.h.
 * Design: one pass without look-ahead buffers; the parser asks for a token at a time. The text ends
 * with a NUL, so that reading one byte ahead is always allowed. */
#include "topology/cel_lexer.h"

struct word {
    const char *text;
    uint8_t token;
};

/* CEL's keywords, and the words that it reserves for its hosts. */
static const struct word words[] = {
    {"as", MR_CEL_TOKEN_RESERVED},     {"break", MR_CEL_TOKEN_RESERVED},
    {"const", MR_CEL_TOKEN_RESERVED},  {"continue", MR_CEL_TOKEN_RESERVED},
    {"else", MR_CEL_TOKEN_RESERVED},   {"false", MR_CEL_TOKEN_FALSE},
    {"for", MR_CEL_TOKEN_RESERVED},    {"function", MR_CEL_TOKEN_RESERVED},
    {"if", MR_CEL_TOKEN_RESERVED},     {"import", MR_CEL_TOKEN_RESERVED},
    {"in", MR_CEL_TOKEN_OPERATOR},     {"let", MR_CEL_TOKEN_RESERVED},
    {"loop", MR_CEL_TOKEN_RESERVED},   {"namespace", MR_CEL_TOKEN_RESERVED},
    {"null", MR_CEL_TOKEN_NULL},       {"package", MR_CEL_TOKEN_RESERVED},
    {"return", MR_CEL_TOKEN_RESERVED}, {"true", MR_CEL_TOKEN_TRUE},
    {"var", MR_CEL_TOKEN_RESERVED},    {"void", MR_CEL_TOKEN_RESERVED},
    {"while", MR_CEL_TOKEN_RESERVED},
};

struct punctuator {
    const char *text;
    uint8_t token;
    uint8_t operator_code;
};

/* Longer ones first. */
static const struct punctuator punctuators[] = {
    {"&&", MR_CEL_TOKEN_OPERATOR, MR_CEL_AND},
    {"||", MR_CEL_TOKEN_OPERATOR, MR_CEL_OR},
    {"==", MR_CEL_TOKEN_OPERATOR, MR_CEL_EQUAL},
    {"!=", MR_CEL_TOKEN_OPERATOR, MR_CEL_NOT_EQUAL},
    {"<=", MR_CEL_TOKEN_OPERATOR, MR_CEL_LESS_EQUAL},
    {">=", MR_CEL_TOKEN_OPERATOR, MR_CEL_GREATER_EQUAL},
    {"<", MR_CEL_TOKEN_OPERATOR, MR_CEL_LESS},
    {">", MR_CEL_TOKEN_OPERATOR, MR_CEL_GREATER},
    {"!", MR_CEL_TOKEN_OPERATOR, MR_CEL_NOT},
    {"+", MR_CEL_TOKEN_OPERATOR, MR_CEL_ADD},
    {"-", MR_CEL_TOKEN_OPERATOR, MR_CEL_SUBTRACT},
    {"*", MR_CEL_TOKEN_OPERATOR, MR_CEL_MULTIPLY},
    {"/", MR_CEL_TOKEN_OPERATOR, MR_CEL_DIVIDE},
    {"%", MR_CEL_TOKEN_OPERATOR, MR_CEL_MODULO},
    {"?", MR_CEL_TOKEN_QUESTION, 0},
    {":", MR_CEL_TOKEN_COLON, 0},
    {",", MR_CEL_TOKEN_COMMA, 0},
    {".", MR_CEL_TOKEN_DOT, 0},
    {"(", MR_CEL_TOKEN_LEFT_PARENTHESIS, 0},
    {")", MR_CEL_TOKEN_RIGHT_PARENTHESIS, 0},
    {"[", MR_CEL_TOKEN_LEFT_BRACKET, 0},
    {"]", MR_CEL_TOKEN_RIGHT_BRACKET, 0},
    {"{", MR_CEL_TOKEN_LEFT_BRACE, 0},
    {"}", MR_CEL_TOKEN_RIGHT_BRACE, 0},
};

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

void mr_cel_lexer_init(struct mr_cel_lexer *lexer, struct mr_cel_compilation *compilation)
{
    *lexer = (struct mr_cel_lexer){.compilation = compilation};
}

static void skip_space(struct mr_cel_lexer *lexer)
{
    const char *text = lexer->compilation->text;
    for (;;) {
        char c = text[lexer->offset];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f')
            lexer->offset++;
        else if (c == '/' && text[lexer->offset + 1] == '/')
            lexer->offset += (uint32_t)strcspn(text + lexer->offset, "\n");
        else
            return;
    }
}

/* The offset of the closing quote of a literal whose content starts at `from`, or UINT32_MAX. */
static uint32_t find_quote(const char *text, uint32_t from, char quote, bool triple, bool raw)
{
    for (uint32_t at = from; text[at] != '\0'; at++) {
        if (text[at] == '\\' && !raw) {
            if (text[++at] == '\0')
                return UINT32_MAX;
        } else if (text[at] == quote) {
            if (!triple || (text[at + 1] == quote && text[at + 2] == quote))
                return at;
        } else if (!triple && (text[at] == '\n' || text[at] == '\r')) {
            return UINT32_MAX;
        }
    }
    return UINT32_MAX;
}

/* A string or bytes literal whose opening quote is at token->offset + prefix_size. */
static bool lex_text(struct mr_cel_lexer *lexer, struct mr_cel_token *token, uint32_t prefix_size,
                     bool bytes, bool raw)
{
    const char *text = lexer->compilation->text;
    uint32_t open = token->offset + prefix_size;
    char quote = text[open];
    bool triple = text[open + 1] == quote && text[open + 2] == quote;
    uint32_t quote_size = triple ? 3 : 1;
    uint32_t from = open + quote_size;
    uint32_t to = find_quote(text, from, quote, triple, raw);
    if (to == UINT32_MAX) {
        mr_cel_fail(lexer->compilation, token->offset + 1,
                    "The %s that starts here has no closing %.*s.",
                    bytes ? "bytes literal" : "string", (int)quote_size, text + open);
        return false;
    }
    token->kind = bytes ? MR_CEL_TOKEN_BYTES : MR_CEL_TOKEN_STRING;
    token->size = to + quote_size - token->offset;
    if (raw) {
        token->text =
            mr_arena_copy(lexer->compilation->arena, mr_slice_from(text + from, to - from));
        return true;
    }
    return mr_cel_decode_text(lexer->compilation, from, to, bytes, &token->text);
}

/* The size of a literal's prefix (r, b, br, rb in any case) when a quote follows, else UINT32_MAX.
 */
static uint32_t text_prefix(const char *text, bool *bytes, bool *raw)
{
    *bytes = false;
    *raw = false;
    uint32_t size = 0;
    for (; size < 2; size++) {
        char c = text[size];
        if ((c == 'b' || c == 'B') && !*bytes)
            *bytes = true;
        else if ((c == 'r' || c == 'R') && !*raw)
            *raw = true;
        else
            break;
    }
    return text[size] == '"' || text[size] == '\'' ? size : UINT32_MAX;
}

static void lex_name(struct mr_cel_lexer *lexer, struct mr_cel_token *token)
{
    const char *text = lexer->compilation->text + token->offset;
    uint32_t size = 0;
    while (is_name_part(text[size]))
        size++;
    token->kind = MR_CEL_TOKEN_IDENT;
    token->size = size;
    token->text =
        mr_slice_from(mr_arena_copy_bytes_text(lexer->compilation->arena, text, size), size);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].text) == size && memcmp(words[i].text, text, size) == 0) {
            token->kind = words[i].token;
            token->operator_code = MR_CEL_IN;
        }
    }
}

static bool lex_quoted_name(struct mr_cel_lexer *lexer, struct mr_cel_token *token)
{
    const char *text = lexer->compilation->text + token->offset;
    uint32_t size = 1;
    while (is_name_part(text[size]) || (text[size] != '\0' && strchr("./- ", text[size]) != NULL))
        size++;
    if (text[size] != '`' || size == 1) {
        mr_cel_fail(
            lexer->compilation, token->offset + 1,
            "A name in backquotes holds letters, digits, '_', '.', '-', '/' and spaces, and "
            "ends with '`'.");
        return false;
    }
    token->kind = MR_CEL_TOKEN_QUOTED;
    token->size = size + 1;
    token->text = mr_slice_from(
        mr_arena_copy_bytes_text(lexer->compilation->arena, text + 1, size - 1), size - 1);
    return true;
}

static bool lex_punctuator(struct mr_cel_lexer *lexer, struct mr_cel_token *token)
{
    const char *text = lexer->compilation->text + token->offset;
    for (size_t i = 0; i < sizeof punctuators / sizeof punctuators[0]; i++) {
        size_t size = strlen(punctuators[i].text);
        if (strncmp(text, punctuators[i].text, size) == 0) {
            token->kind = punctuators[i].token;
            token->operator_code = punctuators[i].operator_code;
            token->size = (uint32_t)size;
            return true;
        }
    }
    const char *hint = *text == '='   ? " Equality is written '=='."
                       : *text == '&' ? " Logical and is written '&&'."
                       : *text == '|' ? " Logical or is written '||'."
                                      : "";
    int size = 1;
    while (((uint8_t)text[size] & 0xC0u) == 0x80u)
        size++;
    mr_cel_fail(lexer->compilation, token->offset + 1, "'%.*s' means nothing here.%s", size, text,
                hint);
    return false;
}

bool mr_cel_lexer_next(struct mr_cel_lexer *lexer, struct mr_cel_token *token)
{
    skip_space(lexer);
    const char *text = lexer->compilation->text;
    *token = (struct mr_cel_token){.kind = MR_CEL_TOKEN_END, .offset = lexer->offset};
    char c = text[lexer->offset];
    if (c == '\0')
        return true;
    bool bytes = false;
    bool raw = false;
    bool success = true;
    uint32_t prefix_size = text_prefix(text + lexer->offset, &bytes, &raw);
    if (prefix_size != UINT32_MAX)
        success = lex_text(lexer, token, prefix_size, bytes, raw);
    else if (is_name_start(c))
        lex_name(lexer, token);
    else if ((c >= '0' && c <= '9') ||
             (c == '.' && text[lexer->offset + 1] >= '0' && text[lexer->offset + 1] <= '9'))
        success = mr_cel_lex_number(lexer->compilation, token);
    else if (c == '`')
        success = lex_quoted_name(lexer, token);
    else
        success = lex_punctuator(lexer, token);
    lexer->offset += token->size;
    return success;
}
