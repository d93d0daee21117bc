/* tests/unit/operators/test_group_object.c — stored objects of groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/group_object.h"
#include "tests/support/operator_harness.h"

static void objects_are_stored_as_far_as_they_are_used(void **state)
{
    MR_UNUSED(state);
    for (size_t wanted = 1; wanted <= MR_GROUP_OBJECT_BYTES_MAX; wanted += 97) {
        struct mr_table_spec spec = {0};
        size_t bytes = mr_group_object_bytes(wanted);
        assert_true(bytes >= wanted);
        mr_group_object_spec(&spec, bytes);
        assert_int_equal(spec.object_size, bytes);
        _Alignas(8) uint8_t object[MR_GROUP_OBJECT_BYTES_MAX];
        _Alignas(8) uint8_t copy[MR_GROUP_OBJECT_BYTES_MAX] = {0};
        uint8_t stored[MR_GROUP_OBJECT_BYTES_MAX];
        memset(object, 0x5a, sizeof(object));
        *(struct mr_group_object *)object =
            (struct mr_group_object){.fingerprint = 7, .size = (uint32_t)bytes - 8};
        size_t size = spec.encode(object, stored);
        assert_int_equal(size, bytes - 8);
        assert_true(spec.decode(copy, 1, mr_slice_from(stored, size)));
        assert_memory_equal(copy, object, size);
        assert_false(spec.decode(copy, 1, mr_slice_from(stored, size - 1)));
        assert_false(spec.decode(copy, 2, mr_slice_from(stored, size)));
        assert_false(spec.decode(copy, 1, mr_slice_from(stored, 7)));
    }
}

static void what_is_too_large_is_foreign(void **state)
{
    MR_UNUSED(state);
    struct mr_table_spec spec = {0};
    _Alignas(8) uint8_t object[256] = {0};
    _Alignas(8) uint8_t copy[64] = {0};
    mr_group_object_spec(&spec, 64);
    *(struct mr_group_object *)object = (struct mr_group_object){.fingerprint = 7, .size = 100};
    assert_true(spec.decode(copy, 1, mr_slice_from(object, 100)));
    const struct mr_group_object *head = (const struct mr_group_object *)copy;
    assert_int_equal(head->fingerprint, 0);
    assert_int_equal(head->size, sizeof(*head));
}

static struct mr_group_object *get(struct mr_table *table, uint32_t fingerprint, bool *created)
{
    void *object = NULL;
    struct mr_error error;
    struct mr_slice key = mr_slice_text("a");
    assert_int_equal(
        mr_group_object_get(table, key, mr_hash64(key), fingerprint, 16, &object, created, &error),
        MR_OK);
    return object;
}

static void foreign_objects_are_removed(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness, "    - {name: op, type: deduplicate, from: in, key: [k], within: 1s}\n",
                 "", "op");
    struct mr_table_spec spec = {.operator_name = "x", .name = "groups", .timed = true};
    struct mr_table *table;
    struct mr_error error;
    mr_group_object_spec(&spec, 64);
    assert_int_equal(mr_table_open(harness.state, &spec, &table, &error), MR_OK);
    bool created;
    struct mr_group_object *object = get(table, 5, &created);
    assert_true(created);
    assert_int_equal(object->size, 16);
    object->size = 40;
    mr_table_schedule(table, object, 100);
    object = get(table, 5, &created);
    assert_false(created);
    assert_int_equal(object->size, 40);
    object = get(table, 6, &created);
    assert_true(created);
    assert_int_equal(object->size, 16);
    assert_int_equal(object->fingerprint, 6);
    assert_int_equal(mr_table_keys(table), 0);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_stored_as_far_as_they_are_used),
        cmocka_unit_test(what_is_too_large_is_foreign),
        cmocka_unit_test(foreign_objects_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
