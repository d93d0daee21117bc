/* tests/unit/operators/test_kept_row.c — a row kept as bytes comes back as a row of the output. */
#include "operators/kept_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

enum { SLOTS = 3, SPANS = 1 };

/* The output's slots are the input's 2, none, and 0; by name they are ordered 2, 0. */
static const uint32_t slot_map[SLOTS] = {2, MR_SLOT_NONE, 0};
static const uint32_t span_map[SPANS] = {1};
static const char *const slot_names[SLOTS] = {"z", NULL, "a"};
static const char *const tracked_names[SPANS] = {"m"};
static const struct mr_plan_input input = {.slot_map = slot_map, .span_map = span_map};
static const struct mr_plan_output output = {.domain = 0};
static const struct mr_plan_node node = {
    .name = "op", .inputs = &input, .inputs_count = 1, .outputs = &output, .outputs_count = 1};

static struct mr_arena arena;
static struct mr_plan_domain domain = {.shape = {.slots_count = SLOTS, .spans_count = SPANS},
                                       .slot_names = slot_names,
                                       .tracked_names = tracked_names};
static struct mr_plan plan = {.domains = &domain, .domains_count = 1};

static struct mr_batch given;

static void make_given(void)
{
    mr_batch_init(&given, &arena, (struct mr_batch_shape){.slots_count = 3, .spans_count = 2}, 2);
    given.rows_count = 1;
    given.event_times_ms[0] = 1234;
    given.timestamps_ms[0] = 99;
    given.offsets[0] = 7;
    given.message_keys[0] = mr_slice_text("key");
    given.payloads[0] = mr_slice_text("{\"m\":1}");
    given.payload_nulls[0] = false;
    mr_batch_column(&given, 0)[0] = mr_value_string(mr_slice_text("text"));
    mr_batch_column(&given, 2)[0] = mr_value_int(-5);
    mr_batch_span(&given, 1)[0] = (struct mr_span){1, 5, 1};
}

static struct mr_batch come_back(struct mr_kept_row *kept, bool message)
{
    struct mr_operator_open open = {.plan = &plan, .node = &node};
    struct mr_error error;
    struct mr_slice bytes;
    struct mr_batch back;
    *kept = (struct mr_kept_row){0};
    mr_kept_row_open(kept, &open, message);
    assert_int_equal(mr_kept_row_write(kept, &given, 0, &arena, &bytes, &error), MR_OK);
    mr_batch_init(&back, &arena, domain.shape, 2);
    assert_int_equal(mr_kept_row_append(kept, bytes, &back, &error), MR_OK);
    return back;
}

static void cells_and_payload_come_back(void **state)
{
    MR_UNUSED(state);
    struct mr_kept_row kept;
    make_given();
    struct mr_batch back = come_back(&kept, false);
    assert_int_equal(back.rows_count, 1);
    assert_int_equal(mr_batch_column(&back, 0)[0].integer, -5);
    assert_int_equal(mr_batch_column(&back, 1)[0].kind, MR_KIND_ABSENT);
    assert_memory_equal(mr_batch_column(&back, 2)[0].text, "text", 4);
    assert_int_equal(back.payloads[0].size, 7);
    assert_int_equal(mr_batch_span(&back, 0)[0].value_offset, 5);
    assert_int_equal(back.event_times_ms[0], 1234);
    assert_int_equal(back.timestamps_ms[0], 1234);
    assert_int_equal(back.offsets[0], -1);
    assert_true(back.key_nulls[0]);
    mr_kept_row_close(&kept);
}

static void other_cells_are_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_kept_row kept;
    make_given();
    come_back(&kept, false);
    struct mr_error error;
    struct mr_slice bytes;
    assert_int_equal(mr_kept_row_write(&kept, &given, 0, &arena, &bytes, &error), MR_OK);
    kept.output.fingerprint++;
    struct mr_batch back;
    mr_batch_init(&back, &arena, domain.shape, 1);
    assert_int_equal(mr_kept_row_append(&kept, bytes, &back, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "'op'"));
    assert_int_equal(back.rows_count, 0);
    mr_kept_row_close(&kept);
}

static void the_message_comes_back_when_it_is_asked_for(void **state)
{
    MR_UNUSED(state);
    struct mr_kept_row kept;
    make_given();
    struct mr_batch back = come_back(&kept, true);
    assert_int_equal(back.offsets[0], 7);
    assert_int_equal(back.timestamps_ms[0], 99);
    assert_memory_equal(back.message_keys[0].data, "key", 3);
    assert_false(back.key_nulls[0]);
    mr_kept_row_close(&kept);
}

/* A span counts for the member that it was kept of. */
static void other_members_have_another_fingerprint(void **state)
{
    static const char *const others[SPANS] = {"other"};
    MR_UNUSED(state);
    struct mr_kept_row kept;
    make_given();
    come_back(&kept, false);
    uint32_t fingerprint = kept.output.fingerprint;
    mr_kept_row_close(&kept);
    domain.tracked_names = others;
    come_back(&kept, false);
    domain.tracked_names = tracked_names;
    assert_int_not_equal(kept.output.fingerprint, fingerprint);
    mr_kept_row_close(&kept);
}

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 1 << 14);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_and_payload_come_back),
        cmocka_unit_test(other_cells_are_refused),
        cmocka_unit_test(the_message_comes_back_when_it_is_asked_for),
        cmocka_unit_test(other_members_have_another_fingerprint),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
