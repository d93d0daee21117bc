/* http/certificate.h — certificates for a server of our own: an authority, and what it signs.
 * Why: the API server of Kubernetes calls a coordinator over TLS and is told whom to trust; nobody
 * should have to make certificates for that by hand. Keys are on the curve P-256.
 * Model: PEM texts in and out, in the caller's arena. Times are given, in milliseconds since 1970.
 * By OpenSSL, in http/certificate.c only. */
#ifndef MR_HTTP_CERTIFICATE_H
#define MR_HTTP_CERTIFICATE_H

#include "base/arena.h"
#include "base/error.h"

struct mr_certificate {
    const char *certificate; /* PEM */
    const char *key;         /* PEM, not encrypted */
};

/* A new authority. MR_INTERNAL: OpenSSL fails. */
enum mr_status mr_certificate_make_authority(const char *name, int64_t now_ms, uint32_t days,
                                             struct mr_arena *arena,
                                             struct mr_certificate *authority,
                                             struct mr_error *error) MR_NODISCARD;
/* A new key and a certificate of a server with these DNS names (1 to 16). MR_INVALID: the authority
 * is none. */
enum mr_status mr_certificate_make(const struct mr_certificate *authority, const char *const *names,
                                   uint32_t names_count, int64_t now_ms, uint32_t days,
                                   struct mr_arena *arena, struct mr_certificate *made,
                                   struct mr_error *error) MR_NODISCARD;
/* When the first certificate of a PEM text ends. MR_INVALID: there is none. */
enum mr_status mr_certificate_ends(const char *pem, int64_t *ends_ms,
                                   struct mr_error *error) MR_NODISCARD;
/* Whether the first certificate of a PEM text is for a DNS name. */
bool mr_certificate_is_for(const char *pem, const char *name);

/* RFC 4648, with padding; in arena. NULL: text is no Base64, or has NUL in it. */
char *mr_certificate_base64(struct mr_arena *arena, const char *text);
char *mr_certificate_from_base64(struct mr_arena *arena, const char *text);

/* ---- What a server shows, replaced while it runs (mr_http_server_options.identity) ---- */

struct mr_http_identity;

struct mr_http_identity *mr_http_identity_create(void);
void mr_http_identity_destroy(struct mr_http_identity *identity); /* accepts NULL */
/* Any thread: new connections get this certificate (with those that sign it behind it). Until it is
 * set no connection succeeds. MR_INVALID: they are not PEM, or do not belong together. */
enum mr_status mr_http_identity_set(struct mr_http_identity *identity,
                                    const struct mr_certificate *certificate,
                                    struct mr_error *error) MR_NODISCARD;
bool mr_http_identity_is_set(struct mr_http_identity *identity);
/* Of the server: let an SSL_CTX show it. */
void mr_http_identity_install(struct mr_http_identity *identity, void *tls);

#endif
