/* tests/unit/operators/test_alert_batch.c — alerts without a record, through detect.heartbeat: more
 * than a batch holds, ids, and an output that nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/alert_batch.h"
#include "tests/support/operator_harness.h"

enum { KEYS = 3 * MR_LIMIT_BATCH_ROWS / 2 };

static void open(struct harness *harness, const char *sinks)
{
    harness_open(harness,
                 "    - {name: op, type: detect.heartbeat, from: in, key: [k], timeout: 1s}\n",
                 sinks, "op");
}

static void feed_keys(struct harness *harness)
{
    static char names[KEYS][16];
    static struct harness_row rows[MR_LIMIT_BATCH_ROWS];
    uint32_t count = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        snprintf(names[key], sizeof(names[key]), "key %u", key);
        rows[count] = harness_row(key, names[key], mr_value_int(1));
        rows[count++].event_time_ms = 1000;
        if (count == MR_ARRAY_COUNT(rows) || key == KEYS - 1) {
            harness_feed(harness, 0, rows, count);
            count = 0;
        }
    }
}

static void more_than_a_batch_holds(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "    - {name: out, type: memory, from: op}\n"
                   "    - {name: alerts, type: memory, from: op.alerts}\n");
    harness.keeps_last = true;
    feed_keys(&harness);
    harness_watermark(&harness, 5000);
    assert_int_equal(harness.emitted_count[1], KEYS);
    assert_text(harness_field(&harness, 1, "detector"), "detect.heartbeat");
    assert_text(harness_field(&harness, 1, "operator"), "op");
    assert_int_equal(harness_field(&harness, 1, "source").kind, MR_KIND_NULL);
    harness_close(&harness);
}

static void nobody_reads(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "    - {name: out, type: memory, from: op}\n");
    feed_keys(&harness);
    harness_watermark(&harness, 5000);
    assert_int_equal(harness.emitted_count[1], 0);
    assert_int_equal(harness.emitted_count[0], KEYS);
    harness_close(&harness);
}

static void ids_tell_apart(void **state)
{
    MR_UNUSED(state);
    struct mr_plan plan = {.name = "plan"};
    struct mr_plan_node node = {.name = "node"};
    struct mr_plan_node other = {.name = "other"};
    struct mr_alert_teller teller = {.plan = &plan, .node = &node};
    struct mr_slice key = mr_slice_text("key");
    uint64_t id = mr_alert_teller_id(&teller, key, 5);
    assert_true(mr_alert_teller_id(&teller, key, 5) == id);
    assert_true(mr_alert_teller_id(&teller, key, 6) != id);
    assert_true(mr_alert_teller_id(&teller, mr_slice_text("yek"), 5) != id);
    teller.node = &other;
    assert_true(mr_alert_teller_id(&teller, key, 5) != id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_a_batch_holds),
        cmocka_unit_test(nobody_reads),
        cmocka_unit_test(ids_tell_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
