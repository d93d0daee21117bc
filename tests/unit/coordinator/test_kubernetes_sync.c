/* tests/unit/coordinator/test_kubernetes_sync.c — passes over objects, with a cluster that the test
 * plays and an API server of the fixture. */
#include "coordinator/kubernetes_sync.h"

#include "base/buffer.h"
#include "tests/unit/coordinator/kubernetes_fixture.h"

#include <stdio.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { LOG_SIZE = 4096 };

static struct kubernetes_fixture kubernetes;
static struct mr_kubernetes_sync sync;
static uint64_t now_ms;

/* The cluster: at most one topology. */
static char running[64]; /* its name; empty: none */
static char definition[LOG_SIZE];
static int version;
static int refuse_code; /* of submissions; 0: none */
static const char *refuse_body;
static const char *refuse_without; /* a part of the target; NULL: none */
static int removal_code;           /* of deletions */
static enum mr_status removal;     /* how they are asked */
static char asked[LOG_SIZE];       /* what changed something, or would */

static void remember(const struct mr_http_asking *asking)
{
    size_t size = strlen(asked);
    (void)snprintf(asked + size, sizeof(asked) - size, "%s %s\n",
                   asking->method == MR_HTTP_POST ? "POST" : "DELETE", asking->target);
}

static int submitted(const struct mr_http_asking *asking, const char **body)
{
    remember(asking);
    if (refuse_without != NULL && strstr(asking->target, refuse_without) == NULL) {
        *body = "{\"detail\":\"It would drop state.\"}";
        return 422;
    }
    if (refuse_code != 0) {
        *body = refuse_body;
        return refuse_code;
    }
    *body = "{\"warnings\":[]}";
    if (strstr(asking->target, "dry_run=1") != NULL)
        return 200;
    const char *name = strstr((const char *)asking->body.data, "name: ");
    assert_int_equal(sscanf(name, "name: %63s", running), 1);
    (void)snprintf(definition, sizeof(definition), "%.*s", (int)asking->body.size,
                   (const char *)asking->body.data);
    version++;
    return 200;
}

static enum mr_status ask(void *argument, const struct mr_http_asking *asking,
                          struct mr_arena *arena, struct mr_http_asked *answer,
                          struct mr_error *error)
{
    const char *body = "{}";
    int code = 200;
    (void)argument;
    if (asking->method == MR_HTTP_POST) {
        code = submitted(asking, &body);
    } else if (asking->method == MR_HTTP_DELETE) {
        remember(asking);
        if (removal != MR_OK)
            return MR_FAIL(error, removal, MR_RECOVERY_RETRY, "Nobody answered.");
        code = removal_code;
        body = "{\"detail\":\"Its topics cannot be deleted.\"}";
        if (code < 300)
            running[0] = '\0';
    } else if (strstr(asking->target, "/versions/") != NULL) {
        json_t *value = json_pack("{s:s}", "definition", definition);
        size_t size = json_dumpb(value, NULL, 0, 0);
        char *text = mr_arena_new(arena, 1, size + 1);
        (void)json_dumpb(value, text, size, 0);
        json_decref(value);
        body = text;
    } else {
        body = running[0] == '\0'
                   ? "{\"topologies\":[]}"
                   : mr_arena_format(arena,
                                     "{\"topologies\":[{\"name\":\"%s\",\"version\":%d,\"state\":"
                                     "\"running\",\"health\":\"running\",\"tasks\":2,"
                                     "\"tasks_running\":2,\"tasks_restoring\":0,\"lag\":0}]}",
                                     running, version);
    }
    *answer = (struct mr_http_asked){.code = code, .body = mr_slice_text(body)};
    return MR_OK;
}

/* What a watch would tell. */
static void look(void)
{
    static const char *const collections[] = {KUBERNETES_TOPOLOGIES, KUBERNETES_CONFIG_MAPS};
    static const char *const names[] = {"t", "u", "one", "two"};
    for (uint32_t kind = 0; kind < MR_KUBERNETES_KINDS; kind++) {
        enum mr_kubernetes_kind as = (enum mr_kubernetes_kind)kind;
        mr_kubernetes_objects_note(sync.objects, as, MR_KUBERNETES_LISTING, NULL);
        for (size_t at = 0; at < 4; at++) {
            json_t *object = kubernetes_get(&kubernetes, collections[kind], names[at]);
            if (object != NULL)
                mr_kubernetes_objects_note(sync.objects, as, MR_KUBERNETES_OBJECT, object);
            json_decref(object);
        }
        mr_kubernetes_objects_note(sync.objects, as, MR_KUBERNETES_LISTED, NULL);
    }
}

static enum mr_status pass(uint64_t later_ms)
{
    struct mr_error error;
    now_ms += later_ms;
    look();
    return mr_kubernetes_sync_pass(&sync, now_ms, &error);
}

static json_t *topology(const char *name)
{
    return json_pack("{s:s, s:s, s:{s:s}, s:{s:[]}}", "apiVersion", "millrace.io/v1alpha1", "kind",
                     "Topology", "metadata", "name", name, "spec", "sources");
}

static json_t *config_map(const char *name, const char *topology_name)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "kind: Topology\nmetadata:\n  name: %s\n", topology_name);
    return json_pack("{s:{s:s}, s:{s:s}}", "metadata", "name", name, "data", "topology.yaml", text);
}

static void expect(const char *collection, const char *name, const char *path, const char *text)
{
    json_t *value = kubernetes_value(&kubernetes, collection, name, path);
    const char *found = json_string_value(value);
    if (text == NULL)
        assert_null(found);
    else if (found == NULL)
        fail_msg("%s of %s is not there", path, name);
    else
        assert_string_equal(found, text);
    json_decref(value);
}

static int set_up(void **state)
{
    (void)state;
    struct mr_error error;
    kubernetes_start(&kubernetes);
    sync = (struct mr_kubernetes_sync){
        .objects = mr_kubernetes_objects_create(), .cluster = "c", .ask = ask};
    assert_int_equal(mr_kubernetes_client_create(&kubernetes.options, &sync.client, &error), MR_OK);
    now_ms = 100000;
    running[0] = '\0';
    asked[0] = '\0';
    version = 0;
    refuse_code = 0;
    refuse_without = NULL;
    removal_code = 200;
    removal = MR_OK;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_kubernetes_objects_destroy(sync.objects);
    mr_kubernetes_client_destroy(sync.client);
    kubernetes_stop(&kubernetes);
    return 0;
}

static void an_object_is_deployed_once(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("t"));
    assert_int_equal(pass(0), MR_OK);
    assert_string_equal(asked, "POST /v1/topologies?drop_state=&dry_run=1\n"
                               "POST /v1/topologies?drop_state=\n");
    expect(KUBERNETES_TOPOLOGIES, "t", "metadata:finalizers:0", "millrace.io/topology");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:conditions:Accepted:status", "True");
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(pass(3000), MR_OK);
    expect(KUBERNETES_TOPOLOGIES, "t", "status:conditions:Ready:status", "True");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:tasks:summary", "2/2");
    uint32_t patches = kubernetes.patches_count;
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(kubernetes.patches_count, patches);
    assert_int_equal(version, 1);
}

static void another_leader_finds_it_deployed(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("t"));
    assert_int_equal(pass(0), MR_OK);
    mr_kubernetes_objects_clear(sync.objects);
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(version, 1);
    /* One that ended between the submission and the status. */
    json_t *gone = json_pack("{s:{s:s}, s:n}", "metadata", "name", "t", "status");
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, gone);
    mr_kubernetes_objects_clear(sync.objects);
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(version, 1);
    expect(KUBERNETES_TOPOLOGIES, "t", "status:conditions:Accepted:status", "True");
}

static void a_change_is_submitted_and_a_rollback_left(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("t"));
    assert_int_equal(pass(0), MR_OK);
    json_t *changed = topology("t");
    (void)json_object_set_new(json_object_get(changed, "spec"), "standbys", json_integer(1));
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, changed);
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(version, 2);
    (void)snprintf(definition, sizeof(definition), "rolled back");
    assert_int_equal(pass(60000), MR_OK);
    assert_int_equal(version, 2);
    running[0] = '\0'; /* deleted by hand: the object still wants it */
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(version, 3);
}

static void what_is_refused_says_why_and_is_tried_again(void **state)
{
    (void)state;
    refuse_code = 422;
    refuse_body =
        "{\"detail\":\"The definition has 1 errors.\",\"errors\":[{\"severity\":\"error\","
        "\"line\":6,\"column\":12,\"message\":\"It is wrong\"}]}";
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("t"));
    assert_int_equal(pass(0), MR_OK);
    expect(KUBERNETES_TOPOLOGIES, "t", "status:state", "Refused");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:lastError",
           "line 6, spec.sources: It is wrong (`sources: []`)");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:conditions:Accepted:reason", "Invalid");
    expect(KUBERNETES_TOPOLOGIES, "t", "metadata:finalizers:0", NULL);
    refuse_code = 0;
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(version, 0);
    assert_int_equal(pass(30000), MR_OK);
    assert_int_equal(version, 1);
    expect(KUBERNETES_TOPOLOGIES, "t", "status:lastError", NULL);
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("u"));
    refuse_code = 503;
    refuse_body = "{\"detail\":\"Kafka is away.\"}";
    running[0] = '\0';
    assert_int_equal(pass(3000), MR_OK);
    expect(KUBERNETES_TOPOLOGIES, "u", "status:conditions:Accepted:status", "Unknown");
    expect(KUBERNETES_TOPOLOGIES, "u", "status:lastError", "Kafka is away.");
}

static void a_deleted_object_takes_its_topology_along(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("t"));
    assert_int_equal(pass(0), MR_OK);
    kubernetes_delete(&kubernetes, KUBERNETES_TOPOLOGIES, "t");
    asked[0] = '\0';
    assert_int_equal(pass(3000), MR_OK);
    assert_string_equal(asked, "DELETE /v1/topologies/t\n");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:state", "Deleting");
    assert_int_equal(pass(3000), MR_OK);
    assert_null(kubernetes_get(&kubernetes, KUBERNETES_TOPOLOGIES, "t"));
}

static void a_config_map_works_alike(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map("one", "t"));
    assert_int_equal(pass(0), MR_OK);
    assert_string_equal(running, "t");
    assert_int_equal(pass(3000), MR_OK);
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:annotations:millrace.io/state", "Running");
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:annotations:millrace.io/version", "1");
    mr_kubernetes_objects_clear(sync.objects);
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(version, 1);
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map("one", "other"));
    assert_int_equal(pass(3000), MR_OK);
    assert_string_equal(running, "t");
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:annotations:millrace.io/state", "Refused");
    kubernetes_delete(&kubernetes, KUBERNETES_CONFIG_MAPS, "one");
    assert_int_equal(pass(3000), MR_OK);
    assert_string_equal(running, "");
    assert_int_equal(pass(3000), MR_OK);
    assert_null(kubernetes_get(&kubernetes, KUBERNETES_CONFIG_MAPS, "one"));
}

static void of_two_for_one_topology_the_older_counts(void **state)
{
    (void)state;
    json_t *younger = topology("t");
    (void)json_object_set_new(json_object_get(younger, "metadata"), "creationTimestamp",
                              json_string("2026-01-01T00:00:09Z"));
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map("one", "t"));
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, younger);
    assert_int_equal(pass(0), MR_OK);
    assert_int_equal(version, 1);
    expect(KUBERNETES_TOPOLOGIES, "t", "status:conditions:Accepted:reason", "Conflict");
    kubernetes_delete(&kubernetes, KUBERNETES_TOPOLOGIES, "t");
    assert_int_equal(pass(3000), MR_OK);
    assert_string_equal(running, "t");
}

static void a_removal_that_is_refused_says_why_and_is_tried_again(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("t"));
    assert_int_equal(pass(0), MR_OK);
    kubernetes_delete(&kubernetes, KUBERNETES_TOPOLOGIES, "t");
    asked[0] = '\0';
    removal_code = 503;
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(pass(500), MR_OK);
    assert_string_equal(asked, "DELETE /v1/topologies/t\n");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:state", "Deleting");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:lastError", "Its topics cannot be deleted.");
    removal = MR_TIMEOUT;
    assert_int_equal(pass(3000), MR_TIMEOUT);
    expect(KUBERNETES_TOPOLOGIES, "t", "status:lastError", "Nobody answered.");
    removal = MR_OK;
    removal_code = 307;
    assert_int_equal(pass(3000), MR_AGAIN);
    removal_code = 202;
    assert_int_equal(pass(3000), MR_OK);
    assert_string_equal(running, "");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:lastError", NULL);
    assert_int_equal(pass(3000), MR_OK);
    assert_null(kubernetes_get(&kubernetes, KUBERNETES_TOPOLOGIES, "t"));
}

static enum mr_status pass_without_look(void)
{
    struct mr_error error;
    now_ms += 3000;
    return mr_kubernetes_sync_pass(&sync, now_ms, &error);
}

/* What its watch tells when the label is removed: the object, as it was before. */
static void lose_label(void)
{
    json_t *object = kubernetes_get(&kubernetes, KUBERNETES_CONFIG_MAPS, "one");
    mr_kubernetes_objects_note(sync.objects, MR_KUBERNETES_CONFIG_MAP, MR_KUBERNETES_DELETED,
                               object);
    json_decref(object);
}

static void a_config_map_without_its_label_lets_its_topology_go(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map("one", "t"));
    assert_int_equal(pass(0), MR_OK);
    assert_int_equal(pass(3000), MR_OK);
    lose_label();
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, config_map("one", "t")); /* a newer one */
    removal_code = 503;
    assert_int_equal(pass_without_look(), MR_OK);
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:annotations:millrace.io/state", "Deleting");
    removal_code = 200;
    assert_int_equal(pass_without_look(), MR_OK);
    assert_string_equal(running, "");
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:finalizers:0", "millrace.io/topology");
    assert_int_equal(pass_without_look(), MR_OK);
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:name", "one");
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:finalizers:0", NULL);
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:annotations:millrace.io/state", NULL);
    assert_int_equal(pass_without_look(), MR_OK);
    assert_int_equal(version, 1);
}

static void a_label_that_is_back_or_an_object_that_is_gone_lets_nothing_go(void **state)
{
    (void)state;
    json_t *labelled = config_map("one", "t");
    (void)json_object_set_new(json_object_get(labelled, "metadata"), "labels",
                              json_pack("{s:s}", "millrace.io/topology", "true"));
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, labelled);
    assert_int_equal(pass(0), MR_OK);
    lose_label();
    asked[0] = '\0';
    assert_int_equal(pass_without_look(), MR_OK);
    assert_string_equal(asked, "");
    expect(KUBERNETES_CONFIG_MAPS, "one", "metadata:finalizers:0", "millrace.io/topology");
    json_t *freed = json_pack("{s:{s:s, s:[]}}", "metadata", "name", "one", "finalizers");
    kubernetes_put(&kubernetes, KUBERNETES_CONFIG_MAPS, freed);
    kubernetes_delete(&kubernetes, KUBERNETES_CONFIG_MAPS, "one");
    assert_int_equal(pass_without_look(), MR_OK);
    assert_int_equal(pass_without_look(), MR_OK);
    assert_string_equal(asked, "");
    struct mr_kubernetes_object *const *items;
    uint32_t count;
    assert_true(mr_kubernetes_objects_take(sync.objects, &items, &count));
    assert_int_equal(count, 0);
}

static void names_of_state_to_drop_go_along(void **state)
{
    (void)state;
    json_t *object = topology("t");
    (void)json_object_set_new(json_object_get(object, "metadata"), "annotations",
                              json_pack("{s:s}", "millrace.io/drop-state", "a,b"));
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, object);
    assert_int_equal(pass(0), MR_OK);
    assert_null(strstr(asked, "drop_state=a,b")); /* nothing needs it */
    refuse_without = "drop_state=a,b";
    json_t *changed = topology("t");
    (void)json_object_set_new(json_object_get(changed, "spec"), "standbys", json_integer(1));
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, changed);
    assert_int_equal(pass(3000), MR_OK);
    assert_non_null(strstr(asked, "drop_state=a,b\n"));
    assert_int_equal(version, 2);
}

static void an_api_server_that_refuses_is_said(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("t"));
    kubernetes.refuse_code = 500;
    assert_int_equal(pass(0), MR_IO);
    assert_int_equal(version, 0);
    kubernetes.refuse_code = 0;
    assert_int_equal(pass(3000), MR_OK);
    assert_int_equal(version, 1);
}

static void a_finalizer_that_failed_is_put_on_later(void **state)
{
    (void)state;
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, topology("t"));
    assert_int_equal(pass(0), MR_OK);
    /* The topology runs, and the object that wants it is new. */
    json_t *anew =
        json_pack("{s:{s:s, s:[]}, s:n}", "metadata", "name", "t", "finalizers", "status");
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, anew);
    mr_kubernetes_objects_clear(sync.objects);
    kubernetes.refuse_code = 500;
    assert_int_equal(pass(3000), MR_IO);
    expect(KUBERNETES_TOPOLOGIES, "t", "metadata:finalizers:0", NULL);
    kubernetes.refuse_code = 0;
    assert_int_equal(pass(3000), MR_OK);
    expect(KUBERNETES_TOPOLOGIES, "t", "metadata:finalizers:0", "millrace.io/topology");
    expect(KUBERNETES_TOPOLOGIES, "t", "status:conditions:Accepted:status", "True");
    assert_int_equal(version, 1);
    /* An earlier leader has accepted it, and did not hold it. */
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES,
                   json_pack("{s:{s:s, s:[]}}", "metadata", "name", "t", "finalizers"));
    assert_int_equal(pass(3000), MR_OK);
    json_t *freed = json_pack("{s:{s:s, s:[]}}", "metadata", "name", "t", "finalizers");
    kubernetes_put(&kubernetes, KUBERNETES_TOPOLOGIES, freed);
    mr_kubernetes_objects_clear(sync.objects);
    assert_int_equal(pass(3000), MR_OK);
    expect(KUBERNETES_TOPOLOGIES, "t", "metadata:finalizers:0", "millrace.io/topology");
    assert_int_equal(version, 1);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(an_object_is_deployed_once),
        WITH_SERVER(another_leader_finds_it_deployed),
        WITH_SERVER(a_change_is_submitted_and_a_rollback_left),
        WITH_SERVER(what_is_refused_says_why_and_is_tried_again),
        WITH_SERVER(a_deleted_object_takes_its_topology_along),
        WITH_SERVER(a_config_map_works_alike),
        WITH_SERVER(of_two_for_one_topology_the_older_counts),
        WITH_SERVER(names_of_state_to_drop_go_along),
        WITH_SERVER(an_api_server_that_refuses_is_said),
        WITH_SERVER(a_removal_that_is_refused_says_why_and_is_tried_again),
        WITH_SERVER(a_config_map_without_its_label_lets_its_topology_go),
        WITH_SERVER(a_label_that_is_back_or_an_object_that_is_gone_lets_nothing_go),
        WITH_SERVER(a_finalizer_that_failed_is_put_on_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
