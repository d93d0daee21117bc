/* cli/server.h — the cluster that a command talks to: one of its coordinators, over HTTP.
 * Flags: MR_FLAGS_SERVER. --server (else MILLRACE_SERVER, else http://127.0.0.1:8080) holds one or
 * more addresses, tried in turn until one answers. A request that changes something is sent to an
 * address that is known to answer, and never twice: where no answer came it may have been carried
 * out, and the user is told so.
 * Secrets: the token comes from a file (--token-file, else MILLRACE_TOKEN_FILE) and is never
 * printed; addresses with a password in them are refused.
 * Limits: MR_SERVERS_MAX addresses, MR_HTTP_REPLY_BYTES_MAX of a reply. */
#ifndef MR_CLI_SERVER_H
#define MR_CLI_SERVER_H

#include "cli/command.h"
#include "cli/text.h"
#include "http/client.h"

#include <jansson.h>

enum { MR_SERVERS_MAX = 16 };

struct mr_server {
    struct mr_arena arena;       /* texts that live as long as this */
    struct mr_arena reply_arena; /* of the last reply */
    struct mr_http_client *client;
    const char *urls[MR_SERVERS_MAX]; /* without a slash at the end */
    uint32_t urls_count;
    uint32_t current; /* the one that answered last */
    bool answered;    /* any has answered */
    uint32_t wait_ms; /* of one request; 0: READ or CHANGE below */
    bool json;        /* -o json */
};

enum { MR_SERVER_READ_MS = 15000, MR_SERVER_CHANGE_MS = 65000 };

struct mr_answer {
    int code;
    json_t *json;           /* NULL: the body is no JSON */
    struct mr_slice body;   /* borrowed until the next request */
    uint32_t retry_after_s; /* 0: not said */
};

/* Prints what is wrong and returns the exit code; close it in any case. */
enum mr_exit mr_server_open(struct mr_server *server, const struct mr_arguments *arguments);
void mr_server_close(struct mr_server *server);

/* One request. path starts with a slash; body size 0: none, else of content_type. FINE: an answer
 * of any code in JSON; otherwise what is wrong was printed. Free the answer when it is FINE. */
enum mr_exit mr_server_send(struct mr_server *server, const char *method, const char *path,
                            const char *content_type, struct mr_slice body,
                            struct mr_answer *answer);
void mr_answer_free(struct mr_answer *answer);

/* The same, and an answer that is not 2xx is printed as mr_server_refused does; then there is
 * nothing to free. */
enum mr_exit mr_server_get(struct mr_server *server, const char *path, struct mr_answer *answer);
enum mr_exit mr_server_change(struct mr_server *server, const char *method, const char *path,
                              struct mr_answer *answer);
/* Print a problem document (RFC 9457), on standard error, in JSON on standard output as well; file
 * names the findings' file, NULL: there is none. 3 when the cluster could not serve it (502 to
 * 504), else 1. */
enum mr_exit mr_server_refused(const struct mr_server *server, const struct mr_answer *answer,
                               const char *file);
/* The body as it came, with a newline: `-o json`. */
void mr_answer_print(const struct mr_answer *answer);

/* Text for a path or a query value, percent-encoded, in the server's arena. */
const char *mr_server_part(struct mr_server *server, const char *text);

/* path with NAME=TEXT behind ? or &; text NULL: path as it is. */
const char *mr_server_query(struct mr_server *server, const char *path, const char *name,
                            const char *text);
/* A body: the JSON of value, which is given up, in the server's arena; size 0 for NULL. */
struct mr_slice mr_server_json(struct mr_server *server, json_t *value);

/* ---- Reading answers: a missing or differently typed member gives the stated default ---- */

const char *mr_json_text(const json_t *object, const char *name); /* NULL */
int64_t mr_json_integer(const json_t *object, const char *name, int64_t otherwise);
bool mr_json_boolean(const json_t *object, const char *name); /* false */
/* A list's elements: the member `name` of an object, or the root itself. NULL: none, which jansson
 * takes as empty. */
const json_t *mr_json_list(const json_t *root, const char *name);
/* RFC 3339 text or integer milliseconds since the epoch. False: not there. */
bool mr_json_time(const json_t *object, const char *name, int64_t *time_ms);

#endif
