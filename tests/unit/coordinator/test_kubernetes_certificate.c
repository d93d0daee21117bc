/* tests/unit/coordinator/test_kubernetes_certificate.c — the webhook's Secret: made, shown,
 * renewed, left alone where it is somebody else's; caBundle. */
#include "coordinator/kubernetes_certificate.h"

#include "tests/unit/coordinator/kubernetes_fixture.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECRETS "/api/v1/namespaces/here/secrets"
#define WEBHOOKS "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"

static const int64_t day_ms = 86400000;
static const int64_t now_ms = 1700000000000;

static struct kubernetes_fixture kubernetes;
static struct mr_kubernetes_certificate certificate;
static struct mr_arena arena;

static int set_up(void **state)
{
    (void)state;
    struct mr_error error;
    mr_arena_init(&arena, 4096);
    kubernetes_start(&kubernetes);
    certificate = (struct mr_kubernetes_certificate){.identity = mr_http_identity_create(),
                                                     .secret = "s",
                                                     .service = "millrace",
                                                     .webhook = "w"};
    assert_int_equal(mr_kubernetes_client_create(&kubernetes.options, &certificate.client, &error),
                     MR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_kubernetes_certificate_deinit(&certificate);
    mr_http_identity_destroy(certificate.identity);
    mr_kubernetes_client_destroy(certificate.client);
    kubernetes_stop(&kubernetes);
    mr_arena_deinit(&arena);
    return 0;
}

static enum mr_status look(bool leads, int64_t days)
{
    struct mr_error error;
    return mr_kubernetes_certificate_look(&certificate, leads, now_ms + days * day_ms, &error);
}

/* An entry of the Secret, decoded. */
static const char *entry(const char *path)
{
    json_t *value = kubernetes_value(&kubernetes, SECRETS, "s", path);
    assert_non_null(value);
    const char *text = mr_certificate_from_base64(&arena, json_string_value(value));
    json_decref(value);
    assert_non_null(text);
    return text;
}

static void the_leader_makes_it_and_all_show_it(void **state)
{
    (void)state;
    int64_t ends_ms;
    struct mr_error error;
    assert_int_equal(look(false, 0), MR_AGAIN);
    assert_false(mr_http_identity_is_set(certificate.identity));
    assert_int_equal(look(true, 0), MR_OK);
    assert_true(mr_http_identity_is_set(certificate.identity));
    assert_true(mr_certificate_is_for(entry("data:tls.crt"), "millrace.here.svc"));
    assert_int_equal(mr_certificate_ends(entry("data:tls.crt"), &ends_ms, &error), MR_OK);
    assert_int_equal(ends_ms, now_ms + 90 * day_ms);
    uint32_t patches = kubernetes.patches_count;
    assert_int_equal(look(true, 1), MR_OK);
    assert_int_equal(look(false, 1), MR_OK);
    assert_int_equal(kubernetes.patches_count, patches);
}

static void an_empty_one_with_the_label_is_filled(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, SECRETS,
                   json_pack("{s:{s:s, s:{s:s}}, s:s}", "metadata", "name", "s", "labels",
                             "millrace.io/renew", "true", "type", "Opaque"));
    assert_int_equal(look(false, 0), MR_AGAIN);
    assert_false(mr_http_identity_is_set(certificate.identity));
    assert_int_equal(kubernetes.patches_count, 0);
    assert_int_equal(look(true, 0), MR_OK);
    assert_int_equal(kubernetes.patches_count, 1);
    assert_true(mr_certificate_is_for(entry("data:tls.crt"), "millrace.here.svc"));
    assert_int_equal(look(false, 0), MR_OK);
    assert_true(mr_http_identity_is_set(certificate.identity));
}

static void it_is_renewed_in_time(void **state)
{
    (void)state;
    int64_t ends_ms;
    struct mr_error error;
    assert_int_equal(look(true, 0), MR_OK);
    const char *authority = entry("data:ca.crt");
    assert_int_equal(look(false, 61), MR_OK); /* only the leader does */
    assert_int_equal(look(true, 61), MR_OK);
    assert_int_equal(mr_certificate_ends(entry("data:tls.crt"), &ends_ms, &error), MR_OK);
    assert_int_equal(ends_ms, now_ms + 151 * day_ms);
    assert_string_equal(entry("data:ca.crt"), authority);
    assert_int_equal(look(true, 3300), MR_OK);
    assert_non_null(strstr(entry("data:ca.crt"), authority)); /* trusted until its end */
    assert_true(strlen(entry("data:ca.crt")) > strlen(authority));
    certificate.service = "other";
    assert_int_equal(look(true, 3301), MR_OK);
    assert_true(mr_certificate_is_for(entry("data:tls.crt"), "other.here.svc"));
}

static void somebody_elses_is_shown_and_left_alone(void **state)
{
    (void)state;
    struct mr_certificate authority;
    struct mr_certificate made;
    struct mr_error error;
    const char *const names[] = {"any"};
    assert_int_equal(mr_certificate_make_authority("a", now_ms, 1, &arena, &authority, &error),
                     MR_OK);
    assert_int_equal(mr_certificate_make(&authority, names, 1, now_ms, 1, &arena, &made, &error),
                     MR_OK);
    kubernetes_put(&kubernetes, SECRETS,
                   json_pack("{s:{s:s}, s:{s:s, s:s}}", "metadata", "name", "s", "data", "tls.crt",
                             mr_certificate_base64(&arena, made.certificate), "tls.key",
                             mr_certificate_base64(&arena, made.key)));
    assert_int_equal(look(true, 100), MR_OK);
    assert_true(mr_http_identity_is_set(certificate.identity));
    assert_int_equal(kubernetes.patches_count, 0);
    kubernetes_put(&kubernetes, SECRETS,
                   json_pack("{s:{s:s}, s:{}}", "metadata", "name", "s", "data"));
    assert_int_equal(look(true, 100), MR_INVALID);
    assert_true(mr_http_identity_is_set(certificate.identity));
}

static void the_leader_tells_whom_to_trust(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, WEBHOOKS,
                   json_pack("{s:{s:s}, s:[{s:s, s:{s:s}}]}", "metadata", "name", "w", "webhooks",
                             "name", "topologies.millrace.io", "clientConfig", "url", "https://x"));
    assert_int_equal(look(true, 0), MR_OK);
    json_t *bundle =
        kubernetes_value(&kubernetes, WEBHOOKS, "w", "webhooks:0:clientConfig:caBundle");
    json_t *authority = kubernetes_value(&kubernetes, SECRETS, "s", "data:ca.crt");
    assert_true(json_equal(bundle, authority));
    json_decref(bundle);
    json_decref(authority);
    uint32_t patches = kubernetes.patches_count;
    assert_int_equal(look(true, 0), MR_OK);
    assert_int_equal(kubernetes.patches_count, patches);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(the_leader_makes_it_and_all_show_it),
        WITH_SERVER(an_empty_one_with_the_label_is_filled),
        WITH_SERVER(it_is_renewed_in_time),
        WITH_SERVER(somebody_elses_is_shown_and_left_alone),
        WITH_SERVER(the_leader_tells_whom_to_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
