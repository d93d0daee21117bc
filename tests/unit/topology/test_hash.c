/* tests/unit/topology/test_hash.c — the hash is that of the meaning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_catalogue.h"
#include "tests/support/topology_fixture.h"

static const char base[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: test}\n"
    "spec:\n"
    "  sources:\n"
    "    - {name: in, type: kafka, topic: in, key: [id]}\n"
    "  operators:\n"
    "    - {name: score, type: detect.zscore, from: in, key: [id], field: v, threshold: 4.0}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: score}\n";

static uint64_t hash_of(const char *text)
{
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open_file(&fixture, text);
    if (fixture.plan == NULL)
        print_error("%s: %s\n", text, fixture.report.findings[0].message);
    assert_non_null(fixture.plan);
    uint64_t hash = fixture.plan->hash;
    mr_topology_fixture_close(&fixture);
    return hash;
}

/* base with the first `from` replaced. */
static uint64_t hash_with(const char *from, const char *to)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    const char *place = strstr(base, from);
    assert_non_null(place);
    uint64_t hash = hash_of(
        mr_arena_format(&arena, "%.*s%s%s", (int)(place - base), base, to, place + strlen(from)));
    mr_arena_deinit(&arena);
    return hash;
}

static void form_does_not_count(void **state)
{
    (void)state;
    uint64_t hash = hash_of(base);
    assert_int_equal(hash, hash_of(base));
    assert_int_equal(hash, hash_with("apiVersion", "# a comment\n\napiVersion"));
    assert_int_equal(hash, hash_with("topic: in,", "'topic':   \"in\",   "));
    assert_int_equal(hash, hash_with("{name: in, type: kafka, topic: in, key: [id]}",
                                     "{key: [id], topic: in, type: kafka, name: in}"));
    assert_int_equal(hash, hash_with("{name: in, type: kafka, topic: in, key: [id]}",
                                     "name: in\n      key:\n        - id\n      type: kafka\n"
                                     "      topic: in"));
    assert_int_equal(hash,
                     hash_with("metadata: {name: test}", "metadata: {name: test, labels: {a: b}}"));
    assert_int_equal(hash, hash_with("threshold: 4.0", "threshold: '${NONE:4.0}'"));
    assert_int_equal(hash, hash_with("  sinks:", "  values: {A: b}\n  tests: []\n  sinks:"));
}

static void every_option_counts(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
    } changes[] = {
        {"name: test", "name: other"},
        {"topic: in", "topic: in2"},
        {"key: [id]", "key: [id, b]"},
        {"key: [id]}", "key: [id], key_format: json}"},
        {"threshold: 4.0", "threshold: 4.5"},
        {", threshold: 4.0", ""},
        {"field: v", "field: w"},
        {"topic: out", "topic: '5'"},
        {"from: score}", "from: score, where: ok}"},
        {"spec:", "spec:\n  commit_interval: 50ms"},
        {"spec:", "spec:\n  guarantee: at_least_once"},
        {"    - {name: in,", "    - {name: in2, type: kafka, topic: x}\n    - {name: in,"},
    };
    uint64_t hashes[sizeof(changes) / sizeof(changes[0]) + 1];
    size_t count = 0;
    hashes[count++] = hash_of(base);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        uint64_t hash = hash_with(changes[i].from, changes[i].to);
        for (size_t j = 0; j < count; j++)
            assert_true(hashes[j] != hash);
        hashes[count++] = hash;
    }
}

/* Stored by clusters: it must not change from one build to the next. */
static void the_hash_is_stable(void **state)
{
    (void)state;
    assert_true(hash_of(base) == 0xfb3a929fcf2c1ac5u);
}

/* The rules of a zone count, where a topology names it; others do not. */
static void time_zones_count(void **state)
{
    (void)state;
    static const char from[] = "{name: score, type: detect.zscore, from: in, key: [id], field: v, "
                               "threshold: 4.0}";
    static const char *const windows[] = {
        "{name: score, type: window.aggregate, from: in, key: [id], "
        "window: {tumbling: 1d, zone: Europe/Berlin}, aggregates: {size: count()}}",
        "{name: score, type: window.aggregate, from: in, key: [id], "
        "window: {tumbling: 1d, zone: UTC}, aggregates: {size: count()}}"};
    uint64_t before[] = {hash_with(from, windows[0]), hash_with(from, windows[1]), hash_of(base)};
    mr_test_zone_step_ms++;
    uint64_t after[] = {hash_with(from, windows[0]), hash_with(from, windows[1]), hash_of(base)};
    mr_test_zone_step_ms--;
    assert_int_not_equal(before[0], after[0]);
    assert_int_equal(before[1], after[1]);
    assert_int_equal(before[2], after[2]);
    assert_int_equal(before[0], hash_with(from, windows[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_does_not_count),
        cmocka_unit_test(every_option_counts),
        cmocka_unit_test(time_zones_count),
        cmocka_unit_test(the_hash_is_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
