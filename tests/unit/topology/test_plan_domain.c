/* tests/unit/topology/test_plan_domain.c — columns, spans, keys and types of domains on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "topology/planner.h"

struct drafts {
    struct mr_arena arena;
    struct mr_planner planner;
};

static void open_drafts(struct drafts *drafts)
{
    mr_arena_init(&drafts->arena, 4096);
    drafts->planner = (struct mr_planner){.arena = &drafts->arena};
}

static void domains_are_numbered(void **state)
{
    (void)state;
    struct drafts drafts;
    open_drafts(&drafts);
    for (uint32_t i = 0; i < 20; i++) {
        struct mr_domain_draft *domain = mr_domain_new(&drafts.planner, MR_DOMAIN_SOURCE, "x");
        assert_int_equal(domain->index, i);
        assert_ptr_equal(drafts.planner.domains[i], domain);
    }
    assert_int_equal(drafts.planner.domains_count, 20);
    mr_arena_deinit(&drafts.arena);
}

static void columns_are_new_and_spans_and_keys_shared(void **state)
{
    (void)state;
    struct drafts drafts;
    open_drafts(&drafts);
    struct mr_domain_draft *domain = mr_domain_new(&drafts.planner, MR_DOMAIN_SOURCE, "x");
    for (uint32_t i = 0; i < 30; i++)
        assert_int_equal(mr_domain_column(&drafts.planner, domain, mr_planner_type(MR_TYPE_INT)),
                         i);
    assert_int_equal(domain->columns[17].type->code, MR_TYPE_INT);
    assert_true(mr_domain_span(&drafts.planner, domain, "a") == MR_SLOT_NONE);
    domain->payload = true;
    assert_int_equal(mr_domain_span(&drafts.planner, domain, "a"), 0);
    assert_int_equal(mr_domain_span(&drafts.planner, domain, "b"), 1);
    assert_int_equal(mr_domain_span(&drafts.planner, domain, "a"), 0);
    static const uint32_t one[] = {1, 2};
    static const uint32_t two[] = {2, 1};
    assert_int_equal(mr_domain_key(&drafts.planner, domain, one, 2), 0);
    assert_int_equal(mr_domain_key(&drafts.planner, domain, two, 2), 1);
    assert_int_equal(mr_domain_key(&drafts.planner, domain, one, 1), 2);
    assert_int_equal(mr_domain_key(&drafts.planner, domain, NULL, 0), 3);
    assert_int_equal(mr_domain_key(&drafts.planner, domain, one, 2), 0);
    mr_arena_deinit(&drafts.arena);
}

static void demands_on_derived_domains_reach_the_inputs(void **state)
{
    (void)state;
    struct drafts drafts;
    open_drafts(&drafts);
    struct mr_domain_draft *json = mr_domain_new(&drafts.planner, MR_DOMAIN_SOURCE, "json");
    struct mr_domain_draft *made = mr_domain_new(&drafts.planner, MR_DOMAIN_FIELDS, "made");
    struct mr_domain_draft *both = mr_domain_new(&drafts.planner, MR_DOMAIN_DERIVED, "both");
    struct mr_record_view views[2] = {{.domain = json}, {.domain = made}};
    const struct mr_record_view *inputs[2] = {&views[0], &views[1]};
    json->payload = true;
    json->has_meta = true;
    both->payload = true;
    both->has_meta = true;
    both->inputs = inputs;
    both->inputs_count = 2;
    uint32_t span = mr_domain_span(&drafts.planner, both, "a");
    assert_int_equal(json->spans_count, 1);
    assert_int_equal(both->spans[span].input_spans[0], 0);
    assert_true(both->spans[span].input_spans[1] == MR_SLOT_NONE);
    uint32_t slot = 99;
    assert_true(mr_domain_meta(&drafts.planner, both, MR_META_TOPIC, false, &slot));
    assert_true(slot == MR_SLOT_NONE); /* not taken */
    assert_true(mr_domain_meta(&drafts.planner, both, MR_META_TOPIC, true, &slot));
    assert_int_equal(both->columns[slot].input_slots[0], json->meta_slots[MR_META_TOPIC]);
    assert_true(both->columns[slot].input_slots[1] == MR_SLOT_NONE);
    assert_int_equal(both->columns[slot].type->code, MR_TYPE_STRING);
    assert_false(mr_domain_meta(&drafts.planner, made, MR_META_TOPIC, true, &slot));
    mr_arena_deinit(&drafts.arena);
}

static void every_code_has_a_type(void **state)
{
    (void)state;
    for (int code = MR_TYPE_ANY; code <= MR_TYPE_LIST; code++)
        assert_int_equal(mr_planner_type((enum mr_type_code)code)->code, code);
    assert_int_equal(mr_planner_type(MR_TYPE_LIST)->element->code, MR_TYPE_ANY);
    /* Without declared fields an object says nothing. */
    assert_int_equal(mr_planner_type(MR_TYPE_OBJECT)->code, MR_TYPE_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domains_are_numbered),
        cmocka_unit_test(columns_are_new_and_spans_and_keys_shared),
        cmocka_unit_test(demands_on_derived_domains_reach_the_inputs),
        cmocka_unit_test(every_code_has_a_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
