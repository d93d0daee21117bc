/* coordinator/kubernetes_certificate.c — see kubernetes_certificate.h. */
#include "coordinator/kubernetes_certificate.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>

enum {
    AUTHORITY_DAYS = 3650,
    AUTHORITY_LEFT_DAYS = 365,
    DAYS = 90,
    LEFT_DAYS = 30,
    PATH_SIZE = 768,
    NAME_SIZE = 320,
    BUNDLE_BYTES_MAX = 64 << 10
};

static const char ours_label[] = "millrace.io/renew";
static const char ours[] = "true";

/* What a Secret holds, as texts; NULL: it does not. */
struct held {
    const char *authority;
    const char *authority_key;
    const char *certificate;
    const char *key;
};

struct look {
    struct mr_kubernetes_certificate *of;
    struct mr_arena arena;
    int64_t wall_ms;
    bool leads;
    struct mr_error *error;
};

static void path_of(const struct look *look, const char *name, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "/api/v1/namespaces/%s/secrets%s%s",
                   mr_kubernetes_client_namespace(look->of->client), name != NULL ? "/" : "",
                   name != NULL ? name : "");
}

static const char *entry(struct look *look, const json_t *secret, const char *name)
{
    const char *coded = json_string_value(json_object_get(json_object_get(secret, "data"), name));
    return coded != NULL ? mr_certificate_from_base64(&look->arena, coded) : NULL;
}

static struct held read_secret(struct look *look, const json_t *secret)
{
    return (struct held){.authority = entry(look, secret, "ca.crt"),
                         .authority_key = entry(look, secret, "ca.key"),
                         .certificate = entry(look, secret, "tls.crt"),
                         .key = entry(look, secret, "tls.key")};
}

static bool is_ours(const json_t *secret)
{
    const char *label = json_string_value(json_object_get(
        json_object_get(json_object_get(secret, "metadata"), "labels"), ours_label));
    return label != NULL && strcmp(label, ours) == 0;
}

/* ---- Making and renewing ---- */

static bool lasts(const char *pem, int64_t wall_ms, int64_t days)
{
    int64_t ends_ms;
    struct mr_error error;
    return pem != NULL && mr_certificate_ends(pem, &ends_ms, &error) == MR_OK &&
           ends_ms - wall_ms > days * 86400000;
}

static void service_name(const struct look *look, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%s.%s.svc", look->of->service,
                   mr_kubernetes_client_namespace(look->of->client));
}

/* The first of the authorities that are trusted signs; the last one is kept beside it. */
static enum mr_status renew_authority(struct look *look, struct held *held)
{
    struct mr_certificate authority;
    const char *before = held->authority;
    enum mr_status status = mr_certificate_make_authority(
        "millrace admission", look->wall_ms, AUTHORITY_DAYS, &look->arena, &authority, look->error);
    if (status != MR_OK)
        return status;
    if (before != NULL && strlen(before) > BUNDLE_BYTES_MAX)
        before = NULL;
    held->authority =
        mr_arena_format(&look->arena, "%s%s", authority.certificate,
                        before != NULL && lasts(before, look->wall_ms, 0) ? before : "");
    held->authority_key = authority.key;
    held->certificate = NULL;
    return MR_OK;
}

/* *changed: the Secret is to be written. */
static enum mr_status renew(struct look *look, struct held *held, bool *changed)
{
    char name[NAME_SIZE];
    enum mr_status status = MR_OK;
    service_name(look, name);
    *changed = false;
    if (held->authority_key == NULL || !lasts(held->authority, look->wall_ms, AUTHORITY_LEFT_DAYS))
        status = renew_authority(look, held);
    if (status != MR_OK ||
        (held->key != NULL && lasts(held->certificate, look->wall_ms, LEFT_DAYS) &&
         mr_certificate_is_for(held->certificate, name)))
        return status;
    char local[NAME_SIZE + 16];
    (void)snprintf(local, sizeof(local), "%s.cluster.local", name);
    const char *const names[] = {name, local};
    const struct mr_certificate authority = {.certificate = held->authority,
                                             .key = held->authority_key};
    struct mr_certificate made;
    status = mr_certificate_make(&authority, names, 2, look->wall_ms, DAYS, &look->arena, &made,
                                 look->error);
    if (status != MR_OK)
        return status;
    held->certificate = made.certificate;
    held->key = made.key;
    *changed = true;
    return MR_OK;
}

static json_t *data_of(struct look *look, const struct held *held)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "ca.crt",
                     mr_certificate_base64(&look->arena, held->authority), "ca.key",
                     mr_certificate_base64(&look->arena, held->authority_key), "tls.crt",
                     mr_certificate_base64(&look->arena, held->certificate), "tls.key",
                     mr_certificate_base64(&look->arena, held->key));
}

/* secret NULL: there is none yet. The answer replaces it. */
static enum mr_status write_secret(struct look *look, const struct held *held, json_t **secret)
{
    char path[PATH_SIZE];
    const json_t *metadata = json_object_get(*secret, "metadata");
    const char *version = json_string_value(json_object_get(metadata, "resourceVersion"));
    bool exists = *secret != NULL;
    json_t *body = exists ? json_pack("{s:{s:s}, s:o}", "metadata", "resourceVersion",
                                      version != NULL ? version : "", "data", data_of(look, held))
                          : json_pack("{s:s, s:s, s:s, s:{s:s, s:{s:s}}, s:o}", "apiVersion", "v1",
                                      "kind", "Secret", "type", "kubernetes.io/tls", "metadata",
                                      "name", look->of->secret, "labels", ours_label, ours, "data",
                                      data_of(look, held));
    json_t *answer;
    path_of(look, exists ? look->of->secret : NULL, path);
    enum mr_status status = mr_kubernetes_client_send(
        look->of->client, exists ? "PATCH" : "POST", path,
        exists ? "application/merge-patch+json" : "application/json", body, &answer, look->error);
    json_decref(body);
    if (status != MR_OK)
        return status;
    json_decref(*secret);
    *secret = answer;
    MR_LOG_AT(MR_LOG_INFO, "kubernetes", MR_LOG_FIELDS("secret", look->of->secret),
              "a certificate for the admission webhook was made");
    return MR_OK;
}

/* ---- caBundle ---- */

static enum mr_status write_bundle(struct look *look, const char *authority)
{
    char path[PATH_SIZE];
    json_t *configuration;
    bool changed = false;
    (void)snprintf(path, sizeof(path),
                   "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/%s",
                   look->of->webhook);
    enum mr_status status =
        mr_kubernetes_client_get(look->of->client, path, &configuration, look->error);
    if (status == MR_NOT_FOUND) /* the webhook is not installed */
        return MR_OK;
    if (status != MR_OK)
        return status;
    const char *bundle = mr_certificate_base64(&look->arena, authority);
    json_t *webhooks = json_object_get(configuration, "webhooks");
    for (size_t index = 0; index < json_array_size(webhooks); index++) {
        json_t *client = json_object_get(json_array_get(webhooks, index), "clientConfig");
        const char *known = json_string_value(json_object_get(client, "caBundle"));
        if (!json_is_object(client) || (known != NULL && strcmp(known, bundle) == 0))
            continue;
        (void)json_object_set_new(client, "caBundle", json_string(bundle));
        changed = true;
    }
    if (changed) {
        const json_t *version =
            json_object_get(json_object_get(configuration, "metadata"), "resourceVersion");
        json_t *patch = json_pack("{s:{s:s}, s:O}", "metadata", "resourceVersion",
                                  json_string_value(version), "webhooks", webhooks);
        status =
            mr_kubernetes_client_send(look->of->client, "PATCH", path,
                                      "application/merge-patch+json", patch, NULL, look->error);
        json_decref(patch);
    }
    json_decref(configuration);
    return status == MR_FENCED ? MR_OK : status; /* changed meanwhile: at the next look */
}

/* ---- A look ---- */

static enum mr_status show(struct look *look, const json_t *secret, const struct held *held)
{
    const struct mr_certificate shown = {.certificate = held->certificate, .key = held->key};
    const char *version =
        json_string_value(json_object_get(json_object_get(secret, "metadata"), "resourceVersion"));
    if (held->certificate == NULL || held->key == NULL)
        return MR_FAIL(look->error, MR_INVALID, MR_RECOVERY_NONE,
                       "The Secret %.200s has no tls.crt with tls.key for the admission webhook.",
                       look->of->secret);
    if (version != NULL && look->of->shown != NULL && strcmp(version, look->of->shown) == 0)
        return MR_OK;
    enum mr_status status = mr_http_identity_set(look->of->identity, &shown, look->error);
    if (status != MR_OK)
        return status;
    mr_memory_free(look->of->shown);
    look->of->shown = version != NULL ? mr_memory_copy_text(version) : NULL;
    return MR_OK;
}

static enum mr_status look_at(struct look *look, json_t **secret)
{
    char path[PATH_SIZE];
    bool changed = false;
    path_of(look, look->of->secret, path);
    enum mr_status status = mr_kubernetes_client_get(look->of->client, path, secret, look->error);
    if (status == MR_NOT_FOUND && !look->leads)
        return MR_AGAIN;
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    struct held held = read_secret(look, *secret);
    status = MR_OK;
    if (!look->leads && held.certificate == NULL && is_ours(*secret))
        return MR_AGAIN;
    if (look->leads && (*secret == NULL || is_ours(*secret)))
        status = renew(look, &held, &changed);
    if (status == MR_OK && changed)
        status = write_secret(look, &held, secret);
    if (status == MR_FENCED) /* another leader was faster: at the next look */
        return MR_AGAIN;
    if (status == MR_OK)
        status = show(look, *secret, &held);
    if (status == MR_OK && look->leads && look->of->webhook != NULL && held.authority != NULL)
        status = write_bundle(look, held.authority);
    return status;
}

enum mr_status mr_kubernetes_certificate_look(struct mr_kubernetes_certificate *certificate,
                                              bool leads, int64_t wall_ms, struct mr_error *error)
{
    struct look look = {.of = certificate, .wall_ms = wall_ms, .leads = leads, .error = error};
    json_t *secret = NULL;
    mr_arena_init(&look.arena, 16 << 10);
    enum mr_status status = look_at(&look, &secret);
    json_decref(secret);
    mr_arena_deinit(&look.arena);
    return status;
}

void mr_kubernetes_certificate_deinit(struct mr_kubernetes_certificate *certificate)
{
    mr_memory_free(certificate->shown);
    certificate->shown = NULL;
}
