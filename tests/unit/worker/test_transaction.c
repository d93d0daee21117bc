/* tests/unit/worker/test_transaction.c — staged records by target and partition, bounds, reuse. */
#include "worker/transaction.h"

#include "base/limits.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_lists_are_by_target_and_partition(void **state)
{
    struct mr_targets targets = {0};
    struct mr_transaction *transaction = mr_transaction_create();
    (void)state;
    struct mr_target *first = mr_targets_add(&targets, "first", 3, 1000);
    struct mr_target *second = mr_targets_add(&targets, "second", 2, 1000);
    assert_ptr_equal(mr_targets_add(&targets, "first", 3, 1000), first);
    assert_ptr_equal(mr_targets_find(&targets, mr_slice_text("second")), second);
    assert_null(mr_targets_find(&targets, mr_slice_text("third")));
    mr_transaction_append(transaction, first, 2)->value = mr_slice_text("a");
    mr_transaction_append(transaction, second, 0)->value = mr_slice_text("b");
    mr_transaction_append(transaction, first, 2)->value = mr_slice_text("c");
    const struct mr_record_list *list = &transaction->lists[first->first_list + 2];
    assert_int_equal(list->count, 2);
    assert_true(mr_slice_equal(list->records[1].value, mr_slice_text("c")));
    assert_string_equal(list->records[0].topic, "first");
    assert_int_equal(transaction->lists[second->first_list].count, 1);
    mr_transaction_destroy(transaction);
    mr_targets_deinit(&targets);
}

static void test_bounds_of_targets(void **state)
{
    struct mr_targets targets = {0};
    (void)state;
    assert_non_null(mr_targets_add(&targets, "wide", MR_TARGET_LISTS_MAX, 1000));
    assert_null(mr_targets_add(&targets, "more", 1, 1000));
    mr_targets_deinit(&targets);
}

static void test_full_and_reused_without_allocation(void **state)
{
    struct mr_targets targets = {0};
    struct mr_transaction *transaction = mr_transaction_create();
    (void)state;
    struct mr_target *target = mr_targets_add(&targets, "out", 1, 1000);
    for (int round = 0; round < 3; round++) {
        struct mr_memory_counters before = mr_memory_counters();
        assert_false(mr_transaction_full(transaction));
        for (int index = 0; index < MR_LIMIT_TRANSACTION_RECORDS; index++) {
            struct mr_log_record *record = mr_transaction_append(transaction, target, 0);
            record->value = mr_arena_copy(&transaction->arena, mr_slice_text("payload"));
        }
        assert_true(mr_transaction_full(transaction));
        (void)mr_transaction_seal(transaction);
        if (round > 0)
            assert_int_equal(mr_memory_counters().allocation_count, before.allocation_count);
        mr_transaction_reset(transaction);
    }
    transaction->input_count = MR_TRANSACTION_INPUTS_MAX - 1;
    assert_false(mr_transaction_full(transaction));
    transaction->input_count++;
    assert_true(mr_transaction_full(transaction));
    mr_transaction_reset(transaction);
    mr_arena_take(&transaction->arena, MR_LIMIT_TRANSACTION_BYTES);
    assert_true(mr_transaction_full(transaction));
    mr_transaction_destroy(transaction);
    mr_targets_deinit(&targets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_are_by_target_and_partition),
        cmocka_unit_test(test_bounds_of_targets),
        cmocka_unit_test(test_full_and_reused_without_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
