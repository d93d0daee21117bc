/* tests/unit/coordinator/test_kubernetes_admission.c — reviews over TLS, beside a whole
 * coordinator.
 */
#include "coordinator/kubernetes_admission.h"

#include "base/clock.h"
#include "tests/unit/coordinator/coordinator_fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mr_http_identity *identity;
static struct mr_kubernetes_admission *admission;
static struct mr_http_client *client;
static char authority_path[64];
static char said[4096]; /* the last refusal */

static void open_client(struct mr_arena *arena)
{
    struct mr_certificate authority;
    struct mr_certificate made;
    struct mr_error error;
    const char *const names[] = {"localhost"};
    int64_t now_ms = mr_clock_wall_ms();
    assert_int_equal(mr_certificate_make_authority("a", now_ms, 1, arena, &authority, &error),
                     MR_OK);
    assert_int_equal(mr_certificate_make(&authority, names, 1, now_ms, 1, arena, &made, &error),
                     MR_OK);
    assert_int_equal(mr_http_identity_set(identity, &made, &error), MR_OK);
    (void)snprintf(authority_path, sizeof(authority_path), "/tmp/mr-authority-XXXXXX");
    int fd = mkstemp(authority_path);
    assert_true(fd >= 0);
    assert_true(write(fd, authority.certificate, strlen(authority.certificate)) > 0);
    (void)close(fd);
    const struct mr_http_client_options options = {.authority_file = authority_path};
    assert_int_equal(mr_http_client_create(&options, &client, &error), MR_OK);
}

static int set_up(void **state)
{
    if (mr_coordinator_fixture_set_up(state) != 0)
        return -1;
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_error error;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    identity = mr_http_identity_create();
    assert_int_equal(mr_kubernetes_admission_start(fixture->coordinators[0], "127.0.0.1:0",
                                                   identity, &admission, &error),
                     MR_OK);
    open_client(&fixture->arena);
    return 0;
}

static int tear_down(void **state)
{
    mr_kubernetes_admission_stop(admission);
    mr_http_client_destroy(client);
    (void)unlink(authority_path);
    int failed = mr_coordinator_fixture_tear_down(state);
    mr_http_identity_destroy(identity);
    return failed;
}

static struct mr_http_reply send_body(struct mr_coordinator_fixture *fixture, const char *body)
{
    char url[64];
    struct mr_http_reply reply = {0};
    (void)snprintf(url, sizeof(url), "https://localhost:%d/v1/admission",
                   mr_kubernetes_admission_port(admission));
    assert_int_equal(mr_http_client_send(client, "POST", url, "application/json",
                                         mr_slice_text(body), 10000, &fixture->arena, &reply,
                                         &fixture->error),
                     MR_OK);
    return reply;
}

/* Whether it is allowed; its parts are given up. old may be NULL. */
static bool review(struct mr_coordinator_fixture *fixture, const char *operation, json_t *object,
                   json_t *old)
{
    json_t *body = json_pack("{s:s, s:s, s:{s:s, s:s, s:o?, s:o?}}", "apiVersion",
                             "admission.k8s.io/v1", "kind", "AdmissionReview", "request", "uid",
                             "an id", "operation", operation, "object", object, "oldObject", old);
    size_t size = json_dumpb(body, NULL, 0, 0);
    char *text = mr_arena_new(&fixture->arena, 1, size + 1);
    (void)json_dumpb(body, text, size, 0);
    json_decref(body);
    struct mr_http_reply reply = send_body(fixture, text);
    assert_int_equal(reply.code, 200);
    json_t *answer = json_loadb((const char *)reply.body.data, reply.body.size, 0, NULL);
    const json_t *response = json_object_get(answer, "response");
    assert_string_equal(json_string_value(json_object_get(answer, "kind")), "AdmissionReview");
    assert_string_equal(json_string_value(json_object_get(response, "uid")), "an id");
    const char *message =
        json_string_value(json_object_get(json_object_get(response, "status"), "message"));
    (void)snprintf(said, sizeof(said), "%s", message != NULL ? message : "");
    bool allowed = json_is_true(json_object_get(response, "allowed"));
    json_decref(answer);
    return allowed;
}

/* Topology `t` with one operator. */
static json_t *topology(const char *operator_name, const char *field)
{
    return json_pack(
        "{s:s, s:s, s:{s:s}, s:{s:[{s:s, s:s, s:s, s:[s]}], s:[{s:s, s:s, s:s, s:[s], s:s}],"
        " s:[{s:s, s:s, s:s, s:s}]}}",
        "apiVersion", "millrace.io/v1alpha1", "kind", "Topology", "metadata", "name", "t", "spec",
        "sources", "name", "a", "type", "kafka", "topic", "in", "key", "k", "operators", "name",
        operator_name, "type", "detect.zscore", "from", "a", "key", "k", field, "value", "sinks",
        "name", "results", "type", "kafka", "from", operator_name, "topic", "out");
}

static void what_is_sound_is_allowed(void **state)
{
    assert_true(review(*state, "CREATE", topology("score", "field"), NULL));
    assert_true(review(*state, "DELETE", NULL, topology("score", "wrong")));
    json_t *leaving = topology("score", "wrong");
    (void)json_object_set_new(json_object_get(leaving, "metadata"), "deletionTimestamp",
                              json_string("2026-01-01T00:00:00Z"));
    assert_true(review(*state, "UPDATE", leaving, topology("score", "wrong")));
    /* The finalizer of one that was let in while the webhook was off. */
    assert_true(review(*state, "UPDATE", topology("score", "wrong"), topology("score", "wrong")));
    assert_true(review(*state, "CREATE", json_pack("{s:s}", "kind", "Pod"), NULL));
}

static void what_is_wrong_is_named(void **state)
{
    assert_false(review(*state, "CREATE", topology("score", "feild"), NULL));
    assert_non_null(strstr(said, "line "));
    assert_non_null(strstr(said, "spec.operators[0].feild"));
    assert_non_null(strstr(said, "did you mean 'field'"));
    assert_non_null(strstr(said, "(`feild: value`)"));
    assert_false(review(*state, "UPDATE", topology("score", "feild"), topology("score", "field")));
}

/* The API server keeps them, and says so in the review. */
static void odd_values_are_judged_like_others(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    static const char *const values[] = {"100000000000000000000", "\"x\\u0000\""};
    static const char *const reasons[] = {"\"allowed\":true", "the character NUL"};
    for (size_t index = 0; index < 2; index++) {
        json_t *object = topology("score", "field");
        json_t *operator=
            json_array_get(json_object_get(json_object_get(object, "spec"), "operators"), 0);
        (void)json_object_set_new(operator, "threshold", json_string("PLACE"));
        json_t *body = json_pack("{s:{s:s, s:s, s:o}}", "request", "uid", "an id", "operation",
                                 "CREATE", "object", object);
        char text[4096] = "";
        (void)json_dumpb(body, text, sizeof(text) - 1, 0);
        json_decref(body);
        char *place = strstr(text, "\"PLACE\"");
        *place = '\0';
        struct mr_http_reply reply =
            send_body(fixture, mr_arena_format(&fixture->arena, "%s%s%s", text, values[index],
                                               place + strlen("\"PLACE\"")));
        assert_int_equal(reply.code, 200);
        const char *told =
            mr_arena_copy_bytes_text(&fixture->arena, reply.body.data, reply.body.size);
        if (strstr(told, reasons[index]) == NULL)
            fail_msg("%s", told);
    }
}

static void what_would_drop_state_is_refused(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    mr_coordinator_fixture_expect(fixture, "POST", "/v1/topologies", mr_fixture_stateful, 200,
                                  NULL);
    assert_true(review(fixture, "UPDATE", topology("score", "field"), topology("x", "field")));
    assert_false(review(fixture, "UPDATE", topology("other", "field"), topology("score", "field")));
    assert_non_null(strstr(said, "score"));
    json_t *permitted = topology("other", "field");
    (void)json_object_set_new(json_object_get(permitted, "metadata"), "annotations",
                              json_pack("{s:s}", "millrace.io/drop-state", "score"));
    assert_true(review(fixture, "UPDATE", permitted, topology("score", "field")));
}

static void what_is_no_review_is_refused(void **state)
{
    assert_int_equal(send_body(*state, "{}").code, 400);
    assert_int_equal(send_body(*state, "no JSON").code, 400);
}

#define WITH_COORDINATOR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_COORDINATOR(what_is_sound_is_allowed),
        WITH_COORDINATOR(what_is_wrong_is_named),
        WITH_COORDINATOR(odd_values_are_judged_like_others),
        WITH_COORDINATOR(what_would_drop_state_is_refused),
        WITH_COORDINATOR(what_is_no_review_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
