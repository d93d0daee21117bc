/* tests/unit/operators/test_flat_map.c — flat_map: a row per element. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static const struct mr_value two[] = {
    {.kind = MR_KIND_INT, .integer = 7},
    {.kind = MR_KIND_STRING, .size = 1, .text = (const uint8_t *)"x"}};

static struct harness_row tagged(int64_t offset, struct mr_value tags)
{
    return (struct harness_row){
        .offset = offset, .event_time_ms = offset, .cells = {{"tags", tags}}};
}

static struct mr_value list(const struct mr_value *items, uint32_t size)
{
    return (struct mr_value){.kind = MR_KIND_LIST, .size = size, .items = items};
}

static void open(struct harness *harness)
{
    harness_open(harness, "    - {name: op, type: flat_map, from: in, field: tags, into: tag}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
}

static void check_origin(void *argument, const struct harness *harness, uint32_t output,
                         struct mr_view view)
{
    MR_UNUSED(argument);
    MR_UNUSED(harness);
    MR_UNUSED(output);
    assert_string_equal(view.batch->origin.topic, "topic");
    assert_int_equal(view.batch->origin.partition, 2);
}

static void each_element_makes_a_row(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness);
    struct harness_row rows[] = {
        tagged(1, list(two, 2)), tagged(2, list(two, 0)),    tagged(3, mr_value_null()),
        tagged(4, list(two, 1)), tagged(5, mr_value_int(3)), tagged(6, list(two + 1, 1)),
    };
    harness.keeps_last = true;
    harness.on_emit = check_origin;
    harness_feed(&harness, 0, rows, 6);
    assert_string_equal(harness_offsets(&harness, 0), "1 1 4 6");
    assert_text(harness_last(&harness, 0, harness.node->set_slots[0]), "x");
    assert_int_equal(harness.errors_count, 1);
    assert_string_equal(harness_errors(&harness), "@5 'field tags is int, not a list'\n");
    harness_close(&harness);
}

static void many_elements_take_several_batches(void **state)
{
    MR_UNUSED(state);
    enum { ELEMENTS = 3 * MR_LIMIT_BATCH_ROWS + 17 };
    static struct mr_value many[ELEMENTS];
    for (int64_t index = 0; index < ELEMENTS; index++)
        many[index] = mr_value_int(index);
    struct harness harness;
    open(&harness);
    struct harness_row rows[] = {tagged(1, list(many, ELEMENTS))};
    harness.keeps_last = true;
    harness_feed(&harness, 0, rows, 1);
    assert_int_equal(harness.emitted_count[0], ELEMENTS);
    assert_int_equal(harness_last(&harness, 0, harness.node->set_slots[0]).integer, ELEMENTS - 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_makes_a_row),
        cmocka_unit_test(many_elements_take_several_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
