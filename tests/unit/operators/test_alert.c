/* tests/unit/operators/test_alert.c — the alert record. */
#include "operators/alert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static struct mr_arena arena;
static struct mr_batch cause;
static struct mr_batch alerts;
static uint32_t slots[MR_ALERT_FIELDS_COUNT];

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 1 << 16);
    mr_batch_init(&cause, &arena, (struct mr_batch_shape){.slots_count = 3}, 2);
    mr_batch_init(&alerts, &arena,
                  (struct mr_batch_shape){.slots_count = MR_ALERT_FIELDS_COUNT + 1}, 2);
    for (uint32_t field = 0; field < MR_ALERT_FIELDS_COUNT; field++)
        slots[field] = MR_ALERT_FIELDS_COUNT - field; /* not in order, slot 0 unused */
    cause.rows_count = 2;
    cause.origin = (struct mr_origin){"readings", 4};
    for (uint32_t row = 0; row < 2; row++) {
        cause.offsets[row] = 900 + row;
        cause.event_times_ms[row] = 5000 + row;
        cause.payloads[row] = mr_slice_text(row == 0 ? "{\"a\":1}" : "{\"a\":2}");
        cause.payload_nulls[row] = false;
        mr_batch_column(&cause, 0)[row] = mr_value_int(row);
        mr_batch_column(&cause, 1)[row] = mr_value_double(0.5);
    }
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

static struct mr_value field(uint32_t row, const char *name)
{
    for (uint32_t index = 0; index < MR_ALERT_FIELDS_COUNT; index++)
        if (strcmp(mr_alert_fields[index].name, name) == 0)
            return alerts.columns[slots[index]][row];
    fail_msg("no field %s", name);
    return mr_value_null();
}

static void assert_text(struct mr_value value, const char *text)
{
    assert_int_equal(value.kind, MR_KIND_STRING);
    assert_true(mr_slice_equal(mr_value_text(value), mr_slice_text(text)));
}

static const struct mr_alert example = {
    .id = {.kind = MR_KIND_STRING, .size = 2, .text = (const uint8_t *)"id"},
    .topology = "t",
    .operator_name = "score",
    .detector = "detect.zscore",
    .state = "open",
    .key = {.kind = MR_KIND_NULL},
    .severity = {.kind = MR_KIND_STRING, .size = 4, .text = (const uint8_t *)"info"},
    .message = {.kind = MR_KIND_STRING, .size = 3, .text = (const uint8_t *)"why"},
    .metric_value = 4.5,
    .threshold = 3,
};

static void an_alert_holds_the_contract_and_the_payload(void **state)
{
    MR_UNUSED(state);
    struct mr_layout layout = {.from_payload = true};
    mr_alert_write(&alerts, slots, &example, &cause, 1, &layout);
    assert_int_equal(alerts.rows_count, 1);
    assert_text(field(0, "topology"), "t");
    assert_text(field(0, "operator"), "score");
    assert_text(field(0, "detector"), "detect.zscore");
    assert_text(field(0, "state"), "open");
    assert_text(field(0, "severity"), "info");
    assert_text(field(0, "message"), "why");
    assert_int_equal(field(0, "key").kind, MR_KIND_NULL);
    assert_true(field(0, "metric_value").number == 4.5);
    assert_true(field(0, "threshold").number == 3);
    assert_int_equal(field(0, "event_time").integer, 5001);
    struct mr_value source = field(0, "source");
    assert_int_equal(source.size, 3);
    assert_text(source.entries[0].value, "readings");
    assert_int_equal(source.entries[1].value.integer, 4);
    assert_int_equal(source.entries[2].value.integer, 901);
    struct mr_value record = field(0, "record");
    assert_int_equal(record.kind, MR_KIND_JSON);
    assert_true(mr_slice_equal(mr_value_text(record), mr_slice_text("{\"a\":2}")));
    assert_int_equal(alerts.offsets[0], 901);
    assert_int_equal(alerts.event_times_ms[0], 5001);
}

static void a_tombstone_is_null(void **state)
{
    MR_UNUSED(state);
    struct mr_layout layout = {.from_payload = true};
    cause.payload_nulls[0] = true;
    mr_alert_write(&alerts, slots, &example, &cause, 0, &layout);
    assert_int_equal(field(0, "record").kind, MR_KIND_NULL);
}

static void a_record_without_payload_is_gathered_from_its_fields(void **state)
{
    MR_UNUSED(state);
    const struct mr_group_member members[] = {{"score", 1}, {"absent", 2}};
    const struct mr_edit edits[] = {
        {.name = "n", .slot = 0, .span = MR_SLOT_NONE, .raw_span = MR_SLOT_NONE},
        {.name = "gone", .slot = MR_SLOT_NONE, .remove = true},
        {.name = "missing", .slot = 2, .span = MR_SLOT_NONE, .raw_span = MR_SLOT_NONE},
        {.name = "o", .slot = MR_SLOT_NONE, .group = members, .group_count = 2},
    };
    struct mr_layout layout = {.edits = edits, .edits_count = 4};
    mr_alert_write(&alerts, slots, &example, &cause, 1, &layout);
    struct mr_value record = field(0, "record");
    assert_int_equal(record.kind, MR_KIND_MAP);
    assert_int_equal(record.size, 2);
    assert_text(record.entries[0].key, "n");
    assert_int_equal(record.entries[0].value.integer, 1);
    assert_text(record.entries[1].key, "o");
    assert_int_equal(record.entries[1].value.size, 1);
    assert_text(record.entries[1].value.entries[0].key, "score");
}

static void an_alert_about_no_record(void **state)
{
    MR_UNUSED(state);
    struct mr_layout layout = {.from_payload = true};
    mr_alert_write(&alerts, slots, &example, &cause, 0, &layout);
    mr_alert_write_alone(&alerts, slots, &example, 7000, NULL);
    assert_int_equal(alerts.rows_count, 2);
    assert_text(field(1, "message"), "why");
    assert_int_equal(field(1, "event_time").integer, 7000);
    assert_int_equal(field(1, "source").kind, MR_KIND_NULL);
    assert_int_equal(field(1, "record").kind, MR_KIND_NULL);
    assert_int_equal(alerts.offsets[1], -1);
    assert_int_equal(alerts.event_times_ms[1], 7000);
    assert_true(alerts.key_nulls[1] && !alerts.payload_nulls[1]);
    assert_int_equal(alerts.offsets[0], 900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_alert_holds_the_contract_and_the_payload, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_tombstone_is_null, setup, teardown),
        cmocka_unit_test_setup_teardown(an_alert_about_no_record, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_without_payload_is_gathered_from_its_fields, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
