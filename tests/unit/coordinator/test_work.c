/* tests/unit/coordinator/test_work.c — items of work: sent, run, reported, dropped. */
#include "coordinator/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int runs;
static int drops;

static void run(struct mr_coordinator *coordinator, struct mr_work *work)
{
    (void)coordinator;
    work->status = MR_OK;
    runs++;
}

static void drop(struct mr_work *work)
{
    (void)work;
    drops++;
}

static struct mr_work *item(void)
{
    struct mr_work *work = mr_work_create(run, NULL);
    work->drop = drop;
    return work;
}

static void test_items_run_and_are_reported(void **state)
{
    static struct mr_coordinator coordinator;
    void *reported = NULL;
    (void)state;
    runs = drops = 0;
    coordinator.events = mr_ring_create(4);
    struct mr_ring *ring = mr_ring_create(2);
    assert_true(mr_work_send(ring, item()));
    assert_true(mr_work_send(ring, item()));
    struct mr_work *extra = item();
    assert_false(mr_work_send(ring, extra)); /* full: still ours */
    mr_work_destroy(extra);
    mr_ring_close(ring);
    mr_work_loop(&coordinator, ring);
    assert_int_equal(runs, 2);
    assert_int_equal(mr_ring_pop(coordinator.events, &reported, 0), MR_OK);
    mr_work_destroy(reported);
    mr_ring_close(coordinator.events);
    mr_work_report(&coordinator, item()); /* too late */
    assert_int_equal(drops, 1);
    mr_work_drain(coordinator.events);
    assert_int_equal(drops, 2);
    mr_ring_destroy(ring);
    mr_ring_destroy(coordinator.events);
}

static void test_what_a_step_puts_off_keeps_its_order(void **state)
{
    static struct mr_coordinator coordinator;
    (void)state;
    coordinator.later_end = &coordinator.later;
    struct mr_work *first = item();
    struct mr_work *second = item();
    mr_work_later(&coordinator, first);
    mr_work_later(&coordinator, second);
    assert_ptr_equal(coordinator.later, first);
    assert_ptr_equal(first->next, second);
    assert_null(second->next);
    mr_work_destroy(first);
    mr_work_destroy(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_run_and_are_reported),
        cmocka_unit_test(test_what_a_step_puts_off_keeps_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
