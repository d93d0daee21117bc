/* tests/unit/topology/test_meaning.c — meaning.c: what changes a meaning, what does not, and that
 * the hash, which is stored, stays what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/topology_fixture.h"
#include "topology/meaning.h"

static const struct mr_option_spec inner_specs[] = {
    {.name = "records", .type = MR_OPTION_INTEGER, .flags = MR_OPTION_STATE_BOUND},
    {.name = "slack", .type = MR_OPTION_DURATION, .default_text = "1m"},
    {.name = NULL}};

static const struct mr_option_spec specs[] = {
    {.name = "span",
     .type = MR_OPTION_DURATION,
     .default_text = "10s",
     .flags = MR_OPTION_STATE_BOUND},
    {.name = "kind",
     .type = MR_OPTION_CHOICE,
     .default_text = "inner",
     .flags = MR_OPTION_STATE_BOUND},
    {.name = "window", .type = MR_OPTION_OBJECT, .fields = inner_specs},
    {.name = "threshold", .type = MR_OPTION_NUMBER, .default_text = "3"},
    {.name = "names", .type = MR_OPTION_NAMES, .flags = MR_OPTION_STATE_BOUND},
    {.name = NULL}};

enum { SPAN, KIND, WINDOW, THRESHOLD, NAMES, COUNT };

struct made {
    struct mr_option_value inner[2];
    struct mr_options nested;
    struct mr_option_value values[COUNT];
    struct mr_type_spec type;
    struct mr_plan_node node;
    struct mr_meaning meaning;
};

static struct mr_arena arena;
static const char *const keys[] = {"k", "site"};

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

/* The node with its defaults. */
static struct made *start(struct made *made)
{
    *made = (struct made){.type = {.name = "t", .role = MR_ROLE_OPERATOR, .state_version = 1}};
    made->values[SPAN] = (struct mr_option_value){.present = true, .integer = 10000};
    made->values[KIND] = (struct mr_option_value){.present = true, .text = "inner"};
    made->values[THRESHOLD] = (struct mr_option_value){.present = true, .number = 3};
    made->node =
        (struct mr_plan_node){.type = &made->type,
                              .options = {.specs = specs, .count = COUNT, .values = made->values},
                              .key = {.texts = keys, .slots_count = 1}};
    return made;
}

static uint64_t hash_of(struct made *made)
{
    mr_meaning_make(NULL, &made->node, &arena, &made->meaning);
    return made->meaning.hash;
}

static struct mr_option_value *give(struct made *made, int option)
{
    made->values[option].given = true;
    made->values[option].present = true;
    return &made->values[option];
}

static void a_default_does_not_count(void **state)
{
    MR_UNUSED(state);
    struct made made;
    uint64_t plain = hash_of(start(&made));
    assert_int_equal(made.meaning.options_count, 5); /* key, span, kind, window, names */
    assert_string_equal(made.meaning.options[0].name, "key");
    assert_int_equal(made.meaning.options[1].value, 0);
    give(start(&made), SPAN)->integer = 10000; /* the default, written in the file */
    give(&made, KIND)->text = "inner";
    assert_true(hash_of(&made) == plain);
    start(&made)->values[SPAN] = (struct mr_option_value){0}; /* an older program had no such one */
    assert_true(hash_of(&made) == plain);
    give(start(&made), THRESHOLD)->number = 9; /* state does not depend on it */
    assert_true(hash_of(&made) == plain);
}

static void what_state_depends_on_counts(void **state)
{
    MR_UNUSED(state);
    enum { CASES = 9 };
    struct made made;
    uint64_t hashes[CASES];
    uint32_t count = 0;
    hashes[count++] = hash_of(start(&made));
    give(start(&made), SPAN)->integer = 20000;
    hashes[count++] = hash_of(&made);
    give(start(&made), KIND)->text = "left";
    hashes[count++] = hash_of(&made);
    start(&made)->node.key.slots_count = 2;
    hashes[count++] = hash_of(&made);
    start(&made)->node.key.slots_count = 0;
    hashes[count++] = hash_of(&made);
    start(&made)->type.name = "u";
    hashes[count++] = hash_of(&made);
    for (int records = 5; records < 7; records++) {
        struct mr_option_value *window = give(start(&made), WINDOW);
        made.nested = (struct mr_options){.specs = inner_specs, .count = 2, .values = made.inner};
        made.inner[0] =
            (struct mr_option_value){.given = true, .present = true, .integer = records};
        window->objects = &made.nested;
        hashes[count++] = hash_of(&made);
    }
    *give(start(&made), NAMES) =
        (struct mr_option_value){.given = true, .present = true, .names = keys, .count = 2};
    hashes[count++] = hash_of(&made);
    assert_int_equal(count, CASES);
    for (uint32_t left = 0; left < CASES; left++)
        for (uint32_t right = 0; right < left; right++)
            assert_true(hashes[left] != hashes[right]);
}

/* Whoever changes these drops the state of everybody. */
static void hashes_stay(void **state)
{
    MR_UNUSED(state);
    struct made made;
    assert_true(hash_of(start(&made)) == UINT64_C(0x17db0678e70105df));
    give(start(&made), SPAN)->integer = 20000;
    give(&made, KIND)->text = "left";
    *give(&made, NAMES) =
        (struct mr_option_value){.given = true, .present = true, .names = keys, .count = 2};
    assert_true(hash_of(&made) == UINT64_C(0x0553145657b98f99));
}

static struct mr_topology_fixture fixture;

static uint64_t join_hash(const char *set, struct mr_meaning *meaning)
{
    mr_topology_fixture_open(
        &fixture, mr_arena_format(&arena,
                                  "  sources:\n"
                                  "    - {name: a, type: kafka, topic: a, key: [id]}\n"
                                  "    - {name: b, type: kafka, topic: b, key: [id]}\n"
                                  "  operators:\n"
                                  "    - {name: pairs, type: join.interval, left: a, right: b, "
                                  "key: [id], set: {%s}}\n"
                                  "  sinks:\n    - {name: o, type: kafka, topic: o, from: pairs}\n",
                                  set));
    mr_meaning_make(fixture.plan, mr_topology_fixture_node(&fixture, "pairs"), &arena, meaning);
    return meaning->hash;
}

static void kept_rows_count(void **state)
{
    MR_UNUSED(state);
    struct mr_meaning meaning;
    uint64_t first = join_hash("x: left.p + right.q", &meaning);
    assert_int_equal(meaning.rows_count, 2);
    assert_string_equal(meaning.rows[0].side, "left");
    assert_int_equal(meaning.rows[0].cells_count, 1);
    assert_string_equal(meaning.rows[0].cells[0], "p");
    assert_string_equal(meaning.options[1].name, "right_key");
    mr_topology_fixture_close(&fixture);
    assert_true(join_hash("z: right.q - left.p", &meaning) == first); /* the same cells */
    mr_topology_fixture_close(&fixture);
    assert_true(join_hash("x: left.q + right.p", &meaning) != first);
    mr_topology_fixture_close(&fixture);
    assert_true(join_hash("x: left.p + left.q + right.q", &meaning) != first);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_default_does_not_count),
        cmocka_unit_test(what_state_depends_on_counts),
        cmocka_unit_test(hashes_stay),
        cmocka_unit_test(kept_rows_count),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
