/* proto/nng_transport.c — the transport over nng: its table of operations, addresses, certificates
 * and errors. The client is in nng_client.c, the server in nng_server.c, what both do
 * with a connection in nng_connection.c.
 * Limits: API that nng 1.5 (Debian 12) and 1.10 (Debian 13) both have. With TLS both sides demand a
 * certificate of the authority; the client also checks the server's name, which with nng 1.5's
 * engine must be a DNS name of the certificate (addresses in subjectAltName are not compared). */
#include "proto/nng_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "proto/messages.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)MR_NNG_MESSAGE_BYTES_MAX == (int)MR_MESSAGE_BYTES_MAX,
               "the largest message fits");

enum { PEM_BYTES_MAX = 1 << 20, PORT_MAX = 65535, NANOSECONDS = 1000000000 };

void mr_nng_monitor_init(struct mr_nng_monitor *monitor)
{
    pthread_condattr_t attributes;
    MR_ASSERT(pthread_mutex_init(&monitor->lock, NULL) == 0);
    MR_ASSERT(pthread_condattr_init(&attributes) == 0);
    MR_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    MR_ASSERT(pthread_cond_init(&monitor->changed, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
}

void mr_nng_monitor_deinit(struct mr_nng_monitor *monitor)
{
    MR_ASSERT(pthread_cond_destroy(&monitor->changed) == 0);
    MR_ASSERT(pthread_mutex_destroy(&monitor->lock) == 0);
}

bool mr_nng_monitor_wait(struct mr_nng_monitor *monitor, uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / NANOSECONDS),
                             .tv_nsec = (long)(deadline_ns % NANOSECONDS)};
    int code = pthread_cond_timedwait(&monitor->changed, &monitor->lock, &until);
    MR_ASSERT(code == 0 || code == ETIMEDOUT);
    return code == 0;
}

enum mr_status mr_nng_fail(struct mr_error *error, int code, const char *format, ...)
{
    char sentence[MR_ERROR_MESSAGE_SIZE];
    enum mr_status status = MR_IO;
    enum mr_recovery recovery = MR_RECOVERY_RETRY;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    if (code == NNG_EADDRINVAL || code == NNG_EINVAL || code == NNG_ENOTSUP ||
        code == NNG_ECRYPTO) {
        status = MR_INVALID;
        recovery = MR_RECOVERY_EXIT;
    }
    (void)MR_FAIL(error, status, recovery, "%s: %s.", sentence, nng_strerror(code));
    mr_error_origin(error, "nng", code);
    return status;
}

static enum mr_status refuse_address(struct mr_error *error, const char *address,
                                     const char *reason)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_EXIT,
                   "The address '%s' cannot be used: %s. Write tcp://HOST:PORT, ipc://PATH or "
                   "tls+tcp://HOST:PORT.",
                   address, reason);
}

/* Host and port behind the scheme; an IPv6 host stands in brackets. */
static const char *parse_host(const char *text, struct mr_nng_address *parsed)
{
    const char *start = text;
    const char *colon = strrchr(text, ':');
    const char *end = colon;
    char *rest;
    if (colon == NULL)
        return "it has no port";
    if (*start == '[') {
        start++;
        end--;
        if (end <= start || *end != ']')
            return "a bracket is not closed";
    } else if (strchr(text, ':') != colon) {
        return "an IPv6 host must stand in brackets";
    }
    if (end == start || end - start >= MR_NNG_HOST_SIZE)
        return "it has no host, or one that is too long";
    unsigned long port = strtoul(colon + 1, &rest, 10);
    if (colon[1] < '0' || colon[1] > '9' || *rest != 0 || port == 0 || port > PORT_MAX)
        return "its port is not a number from 1 to 65535";
    memcpy(parsed->host, start, (size_t)(end - start));
    parsed->host[end - start] = 0;
    if (strpbrk(parsed->host, "/?#@ ") != NULL)
        return "its host has characters that no host has";
    return NULL;
}

enum mr_status mr_nng_address_parse(const char *address, const struct mr_nng_identity *identity,
                                    struct mr_nng_address *parsed, struct mr_error *error)
{
    static const char tls[] = "tls+tcp://";
    static const char tcp[] = "tcp://";
    static const char ipc[] = "ipc://";
    const char *reason = NULL;
    *parsed = (struct mr_nng_address){.tls = strncmp(address, tls, sizeof(tls) - 1) == 0,
                                      .ipc = strncmp(address, ipc, sizeof(ipc) - 1) == 0};
    if (strlen(address) >= MR_TRANSPORT_ADDRESS_SIZE)
        return refuse_address(error, address, "it is too long");
    if (parsed->ipc)
        reason = address[sizeof(ipc) - 1] == 0 ? "it has no path" : NULL;
    else if (parsed->tls)
        reason = parse_host(address + sizeof(tls) - 1, parsed);
    else if (strncmp(address, tcp, sizeof(tcp) - 1) == 0)
        reason = parse_host(address + sizeof(tcp) - 1, parsed);
    else
        reason = "its scheme is not known";
    if (reason != NULL)
        return refuse_address(error, address, reason);
    if (parsed->tls && identity->key == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_EXIT,
                       "The address '%s' asks for TLS, and no certificate is configured. Name a "
                       "certificate, its key and the authority.",
                       address);
    if (!parsed->tls && identity->key != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_EXIT,
                       "The address '%s' is without TLS although certificates are configured. "
                       "Write tls+tcp://HOST:PORT, or configure no certificates.",
                       address);
    return MR_OK;
}

/* A file's text, with a NUL behind it. */
static enum mr_status read_pem(const char *name, const char *path, char **text,
                               struct mr_error *error)
{
    if (path == NULL || *path == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_EXIT,
                       "TLS needs a certificate, its key and an authority, and %s is not "
                       "configured. Name its file.",
                       name);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_EXIT, "Cannot open %s '%s'", name, path);
    char *content = mr_memory_new(PEM_BYTES_MAX + 1, 1);
    (void)setvbuf(file, NULL, _IONBF, 0); /* no second copy of a key in a buffer */
    size_t size = fread(content, 1, PEM_BYTES_MAX + 1, file);
    int code = ferror(file) ? errno : 0;
    (void)fclose(file);
    *text = content;
    if (code != 0)
        return MR_FAIL_ERRNO(error, code, MR_RECOVERY_EXIT, "Cannot read %s '%s'", name, path);
    if (size > PEM_BYTES_MAX || memchr(content, 0, size) != NULL ||
        strstr(content, "-----BEGIN ") == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_EXIT,
                       "%s '%s' is not a PEM file of at most %d bytes. Name a file that starts "
                       "with '-----BEGIN'.",
                       name, path, PEM_BYTES_MAX);
    return MR_OK;
}

enum mr_status mr_nng_identity_load(const struct mr_transport_tls *tls,
                                    struct mr_nng_identity *identity, struct mr_error *error)
{
    *identity = (struct mr_nng_identity){0};
    if (tls == NULL)
        return MR_OK;
    enum mr_status status =
        read_pem("the certificate", tls->certificate_file, &identity->certificate, error);
    if (status == MR_OK)
        status = read_pem("the key", tls->key_file, &identity->key, error);
    if (status == MR_OK)
        status = read_pem("the authority", tls->authority_file, &identity->authority, error);
    if (status == MR_OK) {
        identity->files.certificate_file = mr_memory_copy_text(tls->certificate_file);
        identity->files.key_file = mr_memory_copy_text(tls->key_file);
        identity->files.authority_file = mr_memory_copy_text(tls->authority_file);
    } else {
        mr_nng_identity_deinit(identity);
    }
    return status;
}

static void free_text(const char *text)
{
    mr_memory_free((void *)(uintptr_t)text);
}

void mr_nng_identity_deinit(struct mr_nng_identity *identity)
{
    if (identity->key != NULL)
        explicit_bzero(identity->key, PEM_BYTES_MAX);
    mr_memory_free(identity->certificate);
    mr_memory_free(identity->key);
    mr_memory_free(identity->authority);
    free_text(identity->files.certificate_file);
    free_text(identity->files.key_file);
    free_text(identity->files.authority_file);
    *identity = (struct mr_nng_identity){0};
}

enum mr_status mr_nng_tls_create(const struct mr_nng_identity *identity, const char *server_name,
                                 nng_tls_config **config, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    int code = nng_tls_config_alloc(config, server_name == NULL ? NNG_TLS_MODE_SERVER
                                                                : NNG_TLS_MODE_CLIENT);
    if (code != 0)
        return mr_nng_fail(error, code, "nng has no TLS here; install a build of it that has");
    if ((code = nng_tls_config_version(*config, NNG_TLS_1_2, NNG_TLS_1_3)) != 0 ||
        (code = nng_tls_config_auth_mode(*config, NNG_TLS_AUTH_MODE_REQUIRED)) != 0)
        status = mr_nng_fail(error, code, "nng's TLS cannot demand certificates with TLS 1.2");
    else if ((code = nng_tls_config_ca_chain(*config, identity->authority, NULL)) != 0)
        status = mr_nng_fail(error, code, "The authority '%s' is not a certificate in PEM",
                             identity->files.authority_file);
    else if ((code = nng_tls_config_own_cert(*config, identity->certificate, identity->key,
                                             NULL)) != 0)
        status = mr_nng_fail(error, code,
                             "The certificate '%s' or its key '%s' (without a password) is not "
                             "valid PEM",
                             identity->files.certificate_file, identity->files.key_file);
    else if (server_name != NULL && (code = nng_tls_config_server_name(*config, server_name)) != 0)
        status = mr_nng_fail(error, code, "The name '%s' cannot be checked", server_name);
    if (status != MR_OK) {
        nng_tls_config_free(*config);
        *config = NULL;
    }
    return status;
}

static void close_transport(struct mr_transport *transport)
{
    mr_memory_free(transport);
}

static const struct mr_transport_ops ops = {.name = "nng",
                                            .client_create = mr_nng_client_create,
                                            .client_destroy = mr_nng_client_destroy,
                                            .client_send = mr_nng_client_send,
                                            .client_wait = mr_nng_client_wait,
                                            .client_wake = mr_nng_client_wake,
                                            .server_create = mr_nng_server_create,
                                            .server_destroy = mr_nng_server_destroy,
                                            .server_receive = mr_nng_server_receive,
                                            .server_reply = mr_nng_server_reply,
                                            .server_drop = mr_nng_server_drop,
                                            .server_wake = mr_nng_server_wake,
                                            .close = close_transport};

enum mr_status mr_nng_address_check(const char *address, const struct mr_transport_tls *tls,
                                    struct mr_error *error)
{
    struct mr_nng_identity identity;
    struct mr_nng_address parsed;
    enum mr_status status = mr_nng_identity_load(tls, &identity, error);
    if (status != MR_OK)
        return status;
    status = mr_nng_address_parse(address, &identity, &parsed, error);
    mr_nng_identity_deinit(&identity);
    return status;
}

struct mr_transport *mr_nng_transport_create(void)
{
    struct mr_transport *transport = mr_memory_new(1, sizeof(*transport));
    transport->ops = &ops;
    return transport;
}
