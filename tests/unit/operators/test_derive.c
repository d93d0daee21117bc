/* tests/unit/operators/test_derive.c — rows and aliases in another domain. */
#include "operators/derive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

/* Input: slots 0..2, spans 0..1, key 0. Output: slot 0 <- 2, slot 1 its own, slot 2 <- 1; span 0 <-
 * 1; key 0 its own, key 1 <- 0. */
static const uint32_t slot_map[] = {2, MR_SLOT_NONE, 1};
static const uint32_t span_map[] = {1};
static const uint32_t key_map[] = {MR_SLOT_NONE, 0};
static const struct mr_plan_input maps = {
    .slot_map = slot_map, .span_map = span_map, .key_map = key_map};

struct fixture {
    struct mr_arena arena;
    struct mr_batch input;
    struct mr_batch output;
};

static struct fixture fixture;

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&fixture.arena, 1 << 16);
    struct mr_batch_shape in = {.slots_count = 3, .spans_count = 2, .keys_count = 1};
    struct mr_batch_shape out = {.slots_count = 3, .spans_count = 1, .keys_count = 2};
    struct mr_batch *input = &fixture.input;
    mr_batch_init(input, &fixture.arena, in, 4);
    mr_batch_init(&fixture.output, &fixture.arena, out, 8);
    input->rows_count = 4;
    input->origin = (struct mr_origin){"topic", 3};
    input->sequence_first = 77;
    input->group_keys[0] = mr_arena_new(&fixture.arena, 4, sizeof(struct mr_slice));
    for (uint32_t row = 0; row < 4; row++) {
        input->offsets[row] = 100 + row;
        input->event_times_ms[row] = 1000 + row;
        mr_batch_watermarks(input)[row] = 500 + row;
        input->timestamps_ms[row] = 2000 + row;
        input->payloads[row] = mr_slice_text("{}");
        input->payload_nulls[row] = row == 2;
        input->key_nulls[row] = row == 1;
        input->message_keys[row] = mr_slice_text("k");
        mr_batch_column(input, 2)[row] = mr_value_int(row);
        mr_batch_span(input, 1)[row].value_offset = row + 5;
        input->group_keys[0][row] = mr_slice_text("group");
    }
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&fixture.arena);
    return 0;
}

static void rows_are_gathered_in_the_order_given(void **state)
{
    MR_UNUSED(state);
    const uint16_t first[] = {3, 3, 1};
    const uint16_t second[] = {2};
    struct mr_batch *output = &fixture.output;
    mr_derive_batch(output, &fixture.input);
    mr_derive_rows(output, &fixture.input, &maps, first, 3);
    mr_derive_rows(output, &fixture.input, &maps, second, 1);
    const uint16_t expected[] = {3, 3, 1, 2};
    assert_int_equal(output->rows_count, 4);
    assert_int_equal(output->sequence_first, 77);
    assert_int_equal(output->origin.partition, 3);
    for (uint32_t row = 0; row < 4; row++) {
        uint16_t from = expected[row];
        assert_int_equal(output->offsets[row], 100 + from);
        assert_int_equal(output->event_times_ms[row], 1000 + from);
        assert_int_equal(output->watermarks_ms[row], 500 + from);
        assert_int_equal(output->timestamps_ms[row], 2000 + from);
        assert_int_equal(output->payload_nulls[row], from == 2);
        assert_int_equal(output->key_nulls[row], from == 1);
        assert_int_equal(output->columns[0][row].integer, from);
        assert_int_equal(output->spans[0][row].value_offset, from + 5);
        assert_int_equal(output->group_keys[1][row].size, 5);
    }
    assert_null(output->columns[1]);
    assert_null(output->columns[2]); /* nobody wrote the input's slot 1 */
    assert_null(output->group_keys[0]);
}

static void an_alias_shares_the_arrays(void **state)
{
    MR_UNUSED(state);
    struct mr_batch output;
    struct mr_batch_shape shape = {.slots_count = 3, .spans_count = 1, .keys_count = 2};
    mr_batch_init(&output, &fixture.arena, shape, 1);
    mr_derive_alias(&output, &fixture.input, &maps);
    assert_int_equal(output.rows_count, 4);
    assert_ptr_equal(output.columns[0], fixture.input.columns[2]);
    assert_ptr_equal(output.spans[0], fixture.input.spans[1]);
    assert_ptr_equal(output.group_keys[1], fixture.input.group_keys[0]);
    assert_ptr_equal(output.offsets, fixture.input.offsets);
    /* A column of its own has room for the aliased rows. */
    struct mr_value *own = mr_batch_column(&output, 1);
    for (uint32_t row = 0; row < 4; row++)
        own[row] = mr_value_int(1);
    assert_null(fixture.input.columns[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_are_gathered_in_the_order_given, setup, teardown),
        cmocka_unit_test_setup_teardown(an_alias_shares_the_arrays, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
