/* tests/unit/coordinator/test_kubernetes_definition.c — objects as definitions, places of findings.
 */
#include "coordinator/kubernetes_definition.h"

#include "coordinator/kubernetes_json.h"
#include "topology/yaml.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mr_arena arena;

static int set_up(void **state)
{
    (void)state;
    mr_arena_init(&arena, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

static const char object_text[] =
    "{\"apiVersion\":\"millrace.io/v1alpha1\",\"kind\":\"Topology\",\"metadata\":{\"name\":\"t\","
    "\"namespace\":\"n\",\"annotations\":{\"a\":\"b\"}},\"spec\":{\"operators\":[{\"key\":[\"a\"],"
    "\"name\":\"yes\",\"nothing\":[],\"window\":{\"count\":5,\"share\":0.1,\"more\":{}}},"
    "{\"name\":\"two\",\"set\":{\"odd name\":\"a: #1\\n\\\"b\\\"\",\"1\":\"5\",\"ok\":true,"
    "\"none\":null}}],\"nested\":[[1,2],[\"\"]]},\"status\":{\"version\":1}}";

static const char definition_text[] = "apiVersion: millrace.io/v1alpha1\n"
                                      "kind: Topology\n"
                                      "metadata:\n"
                                      "  name: t\n"
                                      "spec:\n"
                                      "  operators:\n"
                                      "  - key:\n"
                                      "    - a\n"
                                      "    name: \"yes\"\n"
                                      "    nothing: []\n"
                                      "    window:\n"
                                      "      count: 5\n"
                                      "      share: 0.1\n"
                                      "      more: {}\n"
                                      "  - name: two\n"
                                      "    set:\n"
                                      "      odd name: \"a: #1\\n\\\"b\\\"\"\n"
                                      "      \"1\": \"5\"\n"
                                      "      ok: true\n"
                                      "      none: null\n"
                                      "  nested:\n"
                                      "  -\n"
                                      "    - 1\n"
                                      "    - 2\n"
                                      "  -\n"
                                      "    - \"\"\n";

static void an_object_is_laid_out_like_kubectl_does(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_slice definition;
    struct mr_report report;
    json_t *object = json_loads(object_text, 0, NULL);
    assert_non_null(object);
    assert_int_equal(mr_kubernetes_definition(object, &arena, &definition, &error), MR_OK);
    if (!mr_slice_equal(definition, mr_slice_text(definition_text)))
        fail_msg("%.*s", (int)definition.size, (const char *)definition.data);
    mr_report_init(&report, &arena, "d");
    assert_non_null(mr_yaml_parse(definition, &arena, &report));
    assert_int_equal(report.findings_count, 0);
    json_decref(object);
}

static void what_is_too_deep_or_too_large_is_refused(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_slice definition;
    json_t *value = json_array();
    for (int depth = 0; depth < 100; depth++)
        value = json_pack("[o]", value);
    json_t *object = json_pack("{s:o}", "spec", value);
    assert_int_equal(mr_kubernetes_definition(object, &arena, &definition, &error), MR_LIMIT);
    json_decref(object);
}

static void a_large_number_is_kept_and_a_nul_refused(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_slice definition;
    json_t *object =
        mr_kubernetes_json(mr_slice_text("{\"spec\":{\"a\":100000000000000000000,\"count\":5}}"));
    assert_int_equal(mr_kubernetes_definition(object, &arena, &definition, &error), MR_OK);
    assert_string_equal(mr_arena_copy_bytes_text(&arena, definition.data, definition.size),
                        "spec:\n  a: 100000000000000000000\n  count: 5\n");
    json_decref(object);
    static const char *const texts[] = {"{\"spec\":{\"a\":\"x\\u0000y\"}}",
                                        "{\"spec\":{\"a\\u0000\":1}}"};
    for (size_t index = 0; index < 2; index++) {
        object = mr_kubernetes_json(mr_slice_text(texts[index]));
        assert_int_equal(mr_kubernetes_definition(object, &arena, &definition, &error), MR_INVALID);
        assert_non_null(strstr(error.message, "the character NUL"));
        json_decref(object);
    }
    object = mr_kubernetes_json(mr_slice_text("{\"data\":{\"a\":\"kind: x\\u0000\"}}"));
    assert_int_equal(mr_kubernetes_definition_text(object, &definition, &error), MR_INVALID);
    assert_non_null(strstr(error.message, "the character NUL"));
    json_decref(object);
}

static void a_config_map_holds_one_text(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_slice definition;
    json_t *object = json_pack("{s:{s:s}}", "data", "any", "kind: Topology");
    assert_int_equal(mr_kubernetes_definition_text(object, &definition, &error), MR_OK);
    assert_true(mr_slice_equal(definition, mr_slice_text("kind: Topology")));
    (void)json_object_set_new(json_object_get(object, "data"), "other", json_string("x"));
    assert_int_equal(mr_kubernetes_definition_text(object, &definition, &error), MR_INVALID);
    (void)json_object_set_new(json_object_get(object, "data"), "topology.yaml", json_string("y"));
    assert_int_equal(mr_kubernetes_definition_text(object, &definition, &error), MR_OK);
    assert_true(mr_slice_equal(definition, mr_slice_text("y")));
    json_decref(object);
}

static void expect_field(int line, int column, const char *field, const char *text)
{
    json_t *findings = json_pack("[{s:i,s:i,s:s,s:s}]", "line", line, "column", column, "severity",
                                 "error", "message", "It is wrong");
    json_t *described = mr_kubernetes_findings(mr_slice_text(definition_text), findings);
    const json_t *finding = json_array_get(described, 0);
    assert_string_equal(json_string_value(json_object_get(finding, "field")), field);
    assert_string_equal(json_string_value(json_object_get(finding, "text")), text);
    json_decref(described);
    json_decref(findings);
}

static void a_finding_names_its_field(void **state)
{
    (void)state;
    expect_field(13, 14, "spec.operators[0].window.share", "share: 0.1");
    expect_field(12, 7, "spec.operators[0].window", "count: 5");
    expect_field(13, 7, "spec.operators[0].window.share", "share: 0.1");
    expect_field(15, 5, "spec.operators[1]", "- name: two");
    expect_field(15, 11, "spec.operators[1].name", "- name: two");
    expect_field(8, 7, "spec.operators[0].key[0]", "- a");
    expect_field(4, 9, "metadata.name", "name: t");
    expect_field(5, 1, "spec", "spec:");
}

static void findings_become_text(void **state)
{
    (void)state;
    char text[256];
    json_t *findings = json_pack("[{s:i,s:s,s:s,s:s,s:s},{s:i,s:s,s:s},{s:i,s:s,s:s}]", "line", 4,
                                 "severity", "error", "message", "Wrong", "field", "spec.x", "text",
                                 "x: 1", "line", 5, "severity", "warning", "message", "Odd", "line",
                                 0, "severity", "error", "message", "All of it");
    mr_kubernetes_findings_text(findings, text, sizeof(text));
    assert_string_equal(text, "line 4, spec.x: Wrong (`x: 1`)\nline 0: All of it");
    mr_kubernetes_findings_text(findings, text, 40);
    assert_string_equal(text, "line 4, spec.x: Wrong (`x: 1`)");
    json_decref(findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_is_laid_out_like_kubectl_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_deep_or_too_large_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_large_number_is_kept_and_a_nul_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_config_map_holds_one_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_finding_names_its_field, set_up, tear_down),
        cmocka_unit_test_setup_teardown(findings_become_text, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
