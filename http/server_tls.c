/* http/server_tls.c — the files and settings of TLS, by OpenSSL.
 * Design: the files are loaded into a context that is thrown away; what does not load there is
 * named. Certificates of clients are checked by OpenSSL's own verifier: libwebsockets' goes through
 * a process-wide index that a second server's start replaces. */
#include "http/server_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static enum mr_status fail(struct mr_error *error, const char *what, const char *file)
{
    char reason[200];
    unsigned long code = ERR_get_error();
    ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                   "The HTTP server's %s, %.150s, cannot be used: %s. Give a readable PEM file.",
                   what, file, reason);
}

enum mr_status mr_http_server_tls_check(const char *certificate_file, const char *key_file,
                                        const char *authority_file, struct mr_error *error)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL)
        return MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_NONE, "OpenSSL gives no context.");
    enum mr_status status = MR_OK;
    if (SSL_CTX_use_certificate_chain_file(tls, certificate_file) != 1)
        status = fail(error, "certificate", certificate_file);
    else if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_check_private_key(tls) != 1)
        status = fail(error, "key, which must fit its certificate", key_file);
    else if (authority_file != NULL &&
             SSL_CTX_load_verify_locations(tls, authority_file, NULL) != 1)
        status = fail(error, "authority of clients", authority_file);
    SSL_CTX_free(tls);
    return status;
}

void mr_http_server_tls_prepare(void *tls, bool client_certificates)
{
    int mode =
        client_certificates ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE;
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls, mode, NULL);
}
