/* http/head.h — the head of a request: from bytes to checked fields (RFC 9112, read strictly).
 * Why: whatever two readers could understand differently is refused, so that nothing behind a proxy
 * is taken for another request: bare line feeds, folded lines, blanks around names, a length beside
 * chunks, lengths that are not plain digits. Pure: bytes in, fields or an HTTP code out.
 * Owner: everything is copied into the arena. */
#ifndef MR_HTTP_HEAD_H
#define MR_HTTP_HEAD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "http/server.h"

enum { MR_HTTP_HEAD_BYTES_MAX = 16 << 10, MR_HTTP_FIELDS_MAX = 100 };

struct mr_http_head {
    bool method_known;
    bool head_only; /* HEAD: GET without the body of the answer */
    bool version_1_0;
    bool keep_alive;
    bool chunked;
    bool has_length;
    bool expects_continue;
    enum mr_http_method method;
    uint64_t content_length;
    const char *path;  /* as sent, still encoded */
    const char *query; /* as sent, without '?'; empty: none */
    const char *content_type;
    const char *accept;
    const char *authorization;
    const char *origin;
    bool connection_upgrade;
    bool upgrade_websocket;
    const char *websocket_version; /* empty: none */
    const char *websocket_key;     /* as sent, the last one; empty: none */
    uint32_t websocket_keys_count;
};

/* Where the head at the start of bytes ends (behind the empty line), 0 when it is not whole yet. */
size_t mr_http_head_size(struct mr_slice bytes);
/* Whether what has come so far can become a request: 0, or the HTTP code that refuses it. */
int mr_http_head_check_start(struct mr_slice bytes, const char **reason);
/* Parse a whole head. Returns 0, or the HTTP code that refuses it with a sentence in reason. */
int mr_http_head_parse(struct mr_slice bytes, struct mr_arena *arena, struct mr_http_head *head,
                       const char **reason);

/* Whether the head asks for a WebSocket, rightly: RFC 6455, 4.2.1. */
bool mr_http_head_asks_websocket(const struct mr_http_head *head);

/* Percent-decode text of size bytes. NULL when an escape is broken, yields NUL, or the result is
 * not UTF-8. */
char *mr_http_percent_decode(struct mr_arena *arena, const char *text, size_t size);

/* The body of a request in chunks, decoded as it comes. Zero-initialised. */
struct mr_http_chunks {
    int phase;
    uint64_t left;
    uint32_t line_bytes;
    uint32_t trailer_bytes;
};

enum mr_http_chunk_result {
    MR_HTTP_CHUNK_MORE,
    MR_HTTP_CHUNK_END,
    MR_HTTP_CHUNK_BAD,
    MR_HTTP_CHUNK_TOO_LARGE
};

/* Take from bytes, append to body (whose ceiling is the limit); used says how many were taken. */
enum mr_http_chunk_result mr_http_chunks_take(struct mr_http_chunks *chunks, struct mr_slice bytes,
                                              size_t *used, struct mr_buffer *body);

#endif
