/* http/server_tls.h — checks the files of TLS before the server starts with them.
 * Why: libwebsockets says little about a wrong file, and goes on without a missing authority. */
#ifndef MR_HTTP_SERVER_TLS_H
#define MR_HTTP_SERVER_TLS_H

#include "base/error.h"

/* authority_file may be NULL. Errors: MR_INVALID, which names the file. */
enum mr_status mr_http_server_tls_check(const char *certificate_file, const char *key_file,
                                        const char *authority_file,
                                        struct mr_error *error) MR_NODISCARD;
/* Set versions and verification on the library's context (an SSL_CTX). */
void mr_http_server_tls_prepare(void *tls, bool client_certificates);

#endif
