/* http/certificate.c — see certificate.h. */
#include "http/certificate.h"

#include "base/assert.h"
#include "base/memory.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>

enum { SERIAL_BITS = 127, NAMES_BYTES_MAX = 8192, EARLY_S = 300, CHAIN_MAX = 8 };

static enum mr_status fail(struct mr_error *error, enum mr_status status, const char *what)
{
    char reason[200];
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    ERR_clear_error();
    return MR_FAIL(error, status, MR_RECOVERY_NONE, "%s: %s.", what, reason);
}

/* ---- PEM ---- */

static char *take_text(BIO *bio, struct mr_arena *arena)
{
    char *data = NULL;
    long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? mr_arena_copy_bytes_text(arena, data, (size_t)size) : NULL;
}

static X509 *read_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static bool write_pem(X509 *certificate, EVP_PKEY *key, struct mr_arena *arena,
                      struct mr_certificate *written)
{
    BIO *first = BIO_new(BIO_s_mem());
    BIO *second = BIO_new(BIO_s_mem());
    bool good = first != NULL && second != NULL && PEM_write_bio_X509(first, certificate) == 1 &&
                PEM_write_bio_PKCS8PrivateKey(second, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (good) {
        written->certificate = take_text(first, arena);
        written->key = take_text(second, arena);
        good = written->certificate != NULL && written->key != NULL;
    }
    BIO_free(first);
    BIO_free(second);
    return good;
}

/* ---- Making ---- */

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool good = number != NULL && BN_rand(number, SERIAL_BITS, 0, 0) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return good;
}

static bool set_times(X509 *certificate, int64_t now_ms, uint32_t days)
{
    time_t now = (time_t)(now_ms / 1000);
    return ASN1_TIME_set(X509_getm_notBefore(certificate), now - EARLY_S) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), now + (time_t)days * 86400) != NULL;
}

static bool add(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

/* Everything but issuer, extensions and signature. */
static X509 *draft(EVP_PKEY *key, const char *name, int64_t now_ms, uint32_t days)
{
    X509 *certificate = X509_new();
    bool good = certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
                set_serial(certificate) && set_times(certificate, now_ms, days) &&
                X509_set_pubkey(certificate, key) == 1 &&
                X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                           (const unsigned char *)name, -1, -1, 0) == 1;
    if (good)
        return certificate;
    X509_free(certificate);
    return NULL;
}

enum mr_status mr_certificate_make_authority(const char *name, int64_t now_ms, uint32_t days,
                                             struct mr_arena *arena,
                                             struct mr_certificate *authority,
                                             struct mr_error *error)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = key != NULL ? draft(key, name, now_ms, days) : NULL;
    bool good = made != NULL && X509_set_issuer_name(made, X509_get_subject_name(made)) == 1 &&
                add(made, made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                add(made, made, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                add(made, made, NID_subject_key_identifier, "hash") &&
                X509_sign(made, key, EVP_sha256()) > 0 && write_pem(made, key, arena, authority);
    X509_free(made);
    EVP_PKEY_free(key);
    return good ? MR_OK : fail(error, MR_INTERNAL, "An authority could not be made");
}

static bool add_names(X509 *certificate, X509 *issuer, const char *const *names, uint32_t count)
{
    char text[NAMES_BYTES_MAX] = "";
    size_t size = 0;
    for (uint32_t index = 0; index < count && size < sizeof(text); index++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%sDNS:%s", index > 0 ? "," : "",
                                 names[index]);
    return size < sizeof(text) && add(certificate, issuer, NID_subject_alt_name, text);
}

enum mr_status mr_certificate_make(const struct mr_certificate *authority, const char *const *names,
                                   uint32_t names_count, int64_t now_ms, uint32_t days,
                                   struct mr_arena *arena, struct mr_certificate *made,
                                   struct mr_error *error)
{
    X509 *issuer = read_certificate(authority->certificate);
    EVP_PKEY *issuer_key = read_key(authority->key);
    bool known =
        issuer != NULL && issuer_key != NULL && X509_check_private_key(issuer, issuer_key) == 1;
    EVP_PKEY *key = known ? EVP_EC_gen("P-256") : NULL;
    /* A name may be longer than the subject may: its names count. */
    X509 *drafted = key != NULL ? draft(key, "millrace", now_ms, days) : NULL;
    bool good =
        drafted != NULL && X509_set_issuer_name(drafted, X509_get_subject_name(issuer)) == 1 &&
        add(drafted, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
        add(drafted, issuer, NID_key_usage, "critical,digitalSignature") &&
        add(drafted, issuer, NID_ext_key_usage, "serverAuth") &&
        add(drafted, issuer, NID_subject_key_identifier, "hash") &&
        add(drafted, issuer, NID_authority_key_identifier, "keyid:always") &&
        add_names(drafted, issuer, names, names_count) &&
        X509_sign(drafted, issuer_key, EVP_sha256()) > 0 && write_pem(drafted, key, arena, made);
    X509_free(drafted);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    if (!known)
        return fail(error, MR_INVALID, "The authority's certificate and key cannot be used");
    return good ? MR_OK : fail(error, MR_INTERNAL, "A certificate could not be made");
}

/* ---- Looking ---- */

enum mr_status mr_certificate_ends(const char *pem, int64_t *ends_ms, struct mr_error *error)
{
    int days;
    int seconds;
    X509 *certificate = read_certificate(pem);
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool good = certificate != NULL && epoch != NULL &&
                ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(certificate)) == 1;
    if (good)
        *ends_ms = ((int64_t)days * 86400 + seconds) * 1000;
    ASN1_TIME_free(epoch);
    X509_free(certificate);
    return good ? MR_OK : fail(error, MR_INVALID, "This is no certificate");
}

bool mr_certificate_is_for(const char *pem, const char *name)
{
    X509 *certificate = read_certificate(pem);
    bool is = certificate != NULL && X509_check_host(certificate, name, 0, 0, NULL) == 1;
    X509_free(certificate);
    ERR_clear_error();
    return is;
}

char *mr_certificate_base64(struct mr_arena *arena, const char *text)
{
    size_t size = strlen(text);
    unsigned char *coded = mr_arena_take(arena, (size + 2) / 3 * 4 + 1);
    MR_ASSERT(size < INT32_MAX / 2);
    int written = EVP_EncodeBlock(coded, (const unsigned char *)text, (int)size);
    coded[written] = '\0';
    return (char *)coded;
}

char *mr_certificate_from_base64(struct mr_arena *arena, const char *text)
{
    size_t size = strlen(text);
    char *plain = mr_arena_take(arena, size / 4 * 3 + 4);
    if (size % 4 != 0 || size >= INT32_MAX / 2)
        return NULL;
    int written = EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)text, (int)size);
    for (size_t at = size; written > 0 && at > 0 && text[at - 1] == '=' && at + 2 > size; at--)
        written--;
    if (written < 0 || memchr(plain, '\0', (size_t)written) != NULL)
        return NULL;
    plain[written] = '\0';
    return plain;
}

/* ---- Identities ---- */

struct mr_http_identity {
    pthread_mutex_t mutex; /* guards the rest */
    X509 *certificate;     /* NULL: not set */
    EVP_PKEY *key;
    X509 *chain[CHAIN_MAX];
    uint32_t chain_count;
};

struct mr_http_identity *mr_http_identity_create(void)
{
    struct mr_http_identity *identity = mr_memory_new(1, sizeof(*identity));
    int failed = pthread_mutex_init(&identity->mutex, NULL);
    MR_ASSERT(failed == 0);
    return identity;
}

static void clear(struct mr_http_identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    for (uint32_t index = 0; index < identity->chain_count; index++)
        X509_free(identity->chain[index]);
    identity->certificate = NULL;
    identity->key = NULL;
    identity->chain_count = 0;
}

void mr_http_identity_destroy(struct mr_http_identity *identity)
{
    if (identity == NULL)
        return;
    clear(identity);
    (void)pthread_mutex_destroy(&identity->mutex);
    mr_memory_free(identity);
}

static void read_chain(struct mr_http_identity *identity, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *next = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    X509_free(next); /* the server's own */
    while (next != NULL && identity->chain_count < CHAIN_MAX) {
        next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (next != NULL)
            identity->chain[identity->chain_count++] = next;
    }
    BIO_free(bio);
    ERR_clear_error(); /* of the end */
}

enum mr_status mr_http_identity_set(struct mr_http_identity *identity,
                                    const struct mr_certificate *certificate,
                                    struct mr_error *error)
{
    X509 *own = read_certificate(certificate->certificate);
    EVP_PKEY *key = read_key(certificate->key);
    if (own == NULL || key == NULL || X509_check_private_key(own, key) != 1) {
        X509_free(own);
        EVP_PKEY_free(key);
        return fail(error, MR_INVALID, "A certificate and its key cannot be used");
    }
    (void)pthread_mutex_lock(&identity->mutex);
    clear(identity);
    identity->certificate = own;
    identity->key = key;
    read_chain(identity, certificate->certificate);
    (void)pthread_mutex_unlock(&identity->mutex);
    return MR_OK;
}

bool mr_http_identity_is_set(struct mr_http_identity *identity)
{
    (void)pthread_mutex_lock(&identity->mutex);
    bool set = identity->certificate != NULL;
    (void)pthread_mutex_unlock(&identity->mutex);
    return set;
}

/* Of each handshake. */
static int show(SSL *connection, void *argument)
{
    struct mr_http_identity *identity = argument;
    (void)pthread_mutex_lock(&identity->mutex);
    bool good = identity->certificate != NULL &&
                SSL_use_certificate(connection, identity->certificate) == 1 &&
                SSL_use_PrivateKey(connection, identity->key) == 1;
    for (uint32_t index = 0; index < identity->chain_count && good; index++)
        good = SSL_add1_chain_cert(connection, identity->chain[index]) == 1;
    (void)pthread_mutex_unlock(&identity->mutex);
    return good ? 1 : 0;
}

void mr_http_identity_install(struct mr_http_identity *identity, void *tls)
{
    SSL_CTX_set_cert_cb(tls, show, identity);
}
