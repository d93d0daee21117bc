/* topology/cel_lexer.h — from the text of an expression to tokens. */
#ifndef MR_TOPOLOGY_CEL_LEXER_H
#define MR_TOPOLOGY_CEL_LEXER_H

#include "topology/cel_ast.h"

enum mr_cel_token_kind {
    MR_CEL_TOKEN_END,
    MR_CEL_TOKEN_IDENT,
    MR_CEL_TOKEN_RESERVED, /* a word that CEL keeps for its hosts: fields only */
    MR_CEL_TOKEN_QUOTED,   /* `content-type`: fields only */
    MR_CEL_TOKEN_TRUE,
    MR_CEL_TOKEN_FALSE,
    MR_CEL_TOKEN_NULL,
    MR_CEL_TOKEN_INT, /* without a sign */
    MR_CEL_TOKEN_UINT,
    MR_CEL_TOKEN_DOUBLE,
    MR_CEL_TOKEN_STRING,
    MR_CEL_TOKEN_BYTES,
    MR_CEL_TOKEN_OPERATOR, /* a binary operator, or ! */
    MR_CEL_TOKEN_QUESTION,
    MR_CEL_TOKEN_COLON,
    MR_CEL_TOKEN_COMMA,
    MR_CEL_TOKEN_DOT,
    MR_CEL_TOKEN_LEFT_PARENTHESIS,
    MR_CEL_TOKEN_RIGHT_PARENTHESIS,
    MR_CEL_TOKEN_LEFT_BRACKET,
    MR_CEL_TOKEN_RIGHT_BRACKET,
    MR_CEL_TOKEN_LEFT_BRACE,
    MR_CEL_TOKEN_RIGHT_BRACE
};

struct mr_cel_token {
    uint8_t kind;          /* enum mr_cel_token_kind */
    uint8_t operator_code; /* enum mr_cel_operator; '-' is MR_CEL_SUBTRACT */
    uint32_t offset;       /* of the first byte in the text */
    uint32_t size;         /* as written */
    struct mr_slice text;  /* a name (NUL-ended), or the content of a string or bytes */
    uint64_t integer;
    double number;
};

struct mr_cel_lexer {
    struct mr_cel_compilation *compilation;
    uint32_t offset;
};

void mr_cel_lexer_init(struct mr_cel_lexer *lexer, struct mr_cel_compilation *compilation);
/* Read the next token. False: the failure is noted in the compilation. */
bool mr_cel_lexer_next(struct mr_cel_lexer *lexer, struct mr_cel_token *token);

/* Decode the escapes of a literal's content [from, to) of the text into the arena (cel_literal.c).
 */
bool mr_cel_decode_text(struct mr_cel_compilation *compilation, uint32_t from, uint32_t to,
                        bool bytes, struct mr_slice *content);
/* Read a number at token->offset; sets kind, size and value (cel_literal.c). */
bool mr_cel_lex_number(struct mr_cel_compilation *compilation, struct mr_cel_token *token);

#endif
