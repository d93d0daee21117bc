/* http/client.h — HTTP requests: to Millrace's own servers (the command line's, and a coordinator's
 * that forwards a query to a worker), and to the API server of Kubernetes. Behind it libcurl, in
 * http/client.c only.
 * Proxies from the environment are not used; a token follows redirects, but not from https to http.
 * Threads: a client belongs to one thread at a time. */
#ifndef MR_HTTP_CLIENT_H
#define MR_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

enum { MR_HTTP_REPLY_BYTES_MAX = 64 << 20 };

struct mr_http_client;

struct mr_http_client_options {
    const char *token;            /* NULL: none; sent as a bearer token */
    const char *authority_file;   /* NULL: the system's */
    const char *certificate_file; /* with key_file: a client certificate; NULL: none */
    const char *key_file;
    bool no_redirects; /* an answer that points elsewhere is an answer */
};

struct mr_http_reply {
    int code;
    const char *content_type;
    uint32_t retry_after_s; /* 0: not said */
    struct mr_slice body;   /* ends with NUL behind its size */
};

enum mr_status mr_http_client_create(const struct mr_http_client_options *options,
                                     struct mr_http_client **client,
                                     struct mr_error *error) MR_NODISCARD;
void mr_http_client_destroy(struct mr_http_client *client); /* accepts NULL */

/* From the next request on; NULL: none. token is copied. */
void mr_http_client_token(struct mr_http_client *client, const char *token);

/* Any thread: what is under way ends with MR_CLOSED within about a second, and so does every later
 * request. */
void mr_http_client_cancel(struct mr_http_client *client);

/* One request; redirects (307, 308) to http and https are followed, at most 3. content_type NULL:
 * no body. Answers of any code are MR_OK. Errors: MR_INVALID: the URL; MR_IO, MR_TIMEOUT with
 * recovery RETRY: nobody answered. */
enum mr_status mr_http_client_send(struct mr_http_client *client, const char *method,
                                   const char *url, const char *content_type, struct mr_slice body,
                                   uint32_t wait_ms, struct mr_arena *arena,
                                   struct mr_http_reply *reply,
                                   struct mr_error *error) MR_NODISCARD;
/* Read server-sent events until visit returns false or the connection ends. data borrows. */
enum mr_status mr_http_client_listen(struct mr_http_client *client, const char *url,
                                     bool (*visit)(void *argument, const char *event,
                                                   struct mr_slice data),
                                     void *argument, struct mr_error *error) MR_NODISCARD;

/* A body that is read line by line while it comes. */
struct mr_http_lines {
    uint32_t wait_ms;      /* the whole of it; MR_TIMEOUT beyond */
    size_t line_bytes_max; /* MR_LIMIT beyond */
    /* line has no end and borrows; NUL stands behind its size. False: enough. */
    bool (*visit)(void *argument, struct mr_slice line);
    /* Asked about once a second, and whenever bytes come: true ends it with MR_CLOSED. NULL: only
     * mr_http_client_cancel does. */
    bool (*given_up)(void *argument);
    void *argument;
};

/* GET lines of JSON. MR_OK: the server has ended them, or visit has; lines of an answer of another
 * code than 200 are not visited but are in reply->body, up to MR_HTTP_REFUSAL_BYTES_MAX. Errors: as
 * mr_http_client_send. */
enum { MR_HTTP_REFUSAL_BYTES_MAX = 64 << 10 };
enum mr_status mr_http_client_read_lines(struct mr_http_client *client, const char *url,
                                         const struct mr_http_lines *lines, struct mr_arena *arena,
                                         struct mr_http_reply *reply,
                                         struct mr_error *error) MR_NODISCARD;

#endif
