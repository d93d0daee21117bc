/* tests/unit/operators/test_learned_publish.c — a learner tells all that it knows, once per change,
 * over restarts, and what the end of a fit learns, too. */
#include "operators/learned_publish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/merge_fixture.h"

static int64_t blocks_of(const struct merge_parts *parts, uint32_t part)
{
    return parts->rows[part].cells[1 + MR_SNAPSHOT_BLOCKS].value.integer;
}

static void what_was_learned_is_told_once(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct merge_parts parts;
    merge_parts_open(&parts);
    merge_learner_open(&harness, &parts, 3, "");
    merge_learner_feed(&harness, 0, 49, 1, 1000); /* they wait */
    assert_int_equal(parts.count, 0);
    merge_learner_feed(&harness, 49, 120, 1, 2000);
    assert_int_equal(parts.count, 1);
    assert_int_equal(blocks_of(&parts, 0), 2);
    assert_true(mr_value_equal(parts.rows[0].cells[1 + MR_SNAPSHOT_LEARNER].value,
                               mr_value_string(mr_slice_text("op/3"))));
    harness_restore(&harness);
    (void)harness_wall(&harness, 3000);
    assert_int_equal(parts.count, 1);
    merge_learner_feed(&harness, 120, 160, 1, 4000);
    assert_int_equal(parts.count, 2);
    assert_int_equal(blocks_of(&parts, 1), 3);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
    merge_parts_close(&parts);
}

static void a_crash_forgets_no_change(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct merge_parts parts;
    merge_parts_open(&parts);
    merge_learner_open(&harness, &parts, 0, "");
    merge_learner_feed(&harness, 0, 100, 1, 0); /* the clock stands before what is due */
    parts.count = 0;
    merge_learner_feed(&harness, 100, 200, 1, 0);
    uint32_t told = parts.count;
    harness_restore(&harness);
    (void)harness_wall(&harness, 1 << 30);
    assert_int_equal(parts.count, told == 0 ? 1 : told);
    assert_int_equal(blocks_of(&parts, parts.count - 1), 4);
    harness_close(&harness);
    merge_parts_close(&parts);
}

static void the_end_of_a_fit_is_told(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct merge_parts parts;
    merge_parts_open(&parts);
    merge_learner_open(&harness, &parts, 0, ", fit: {max_records: 70, min_records: 70}");
    merge_learner_feed(&harness, 0, 300, 1, 1000);
    (void)harness_wall(&harness, 2000);
    assert_true(parts.count >= 1);
    assert_int_equal(blocks_of(&parts, parts.count - 1), 2); /* of 50 and of 20 */
    harness_close(&harness);
    merge_parts_close(&parts);
}

static void what_makes_no_sense_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *sinks;
        const char *sentence;
    } cases[] = {
        {"publish: {}", "", "'publish' tells what is known on 'op.models', and nobody reads that"},
        {"ratio: 0", "    - {name: told, type: memory, from: op.models}\n",
         "'op.models' has no records: 'op' publishes nothing unless it says publish: {}"},
        {"publish: {}, state: {ttl: 1h}", "    - {name: told, type: memory, from: op.models}\n",
         "a model that 'state' drops would begin again below what was published of it"},
        {"publish: {}, state: {max_keys: 9}", "    - {name: told, type: memory, from: op.models}\n",
         "a model that 'state' drops would begin again below what was published of it"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        mr_arena_init(&arena, 4096);
        const char *findings = harness_findings(
            &arena, "    - {name: in, type: memory, key: [k]}\n    - {name: in2, type: memory}\n",
            mr_arena_format(&arena,
                            "    - {name: op, type: generate.copula, learn: in, key: [k], fields: "
                            "[value], %s}\n",
                            cases[index].options),
            mr_arena_format(&arena,
                            "    - {name: out, type: memory, from: op}\n%s    - {name: rest, type: "
                            "memory, from: in2}\n",
                            cases[index].sinks));
        if (strstr(findings, cases[index].sentence) == NULL)
            fail_msg("%s: %s", cases[index].options, findings);
        mr_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_learned_is_told_once),
        cmocka_unit_test(a_crash_forgets_no_change),
        cmocka_unit_test(the_end_of_a_fit_is_told),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
