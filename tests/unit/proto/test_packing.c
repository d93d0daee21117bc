/* tests/unit/proto/test_packing.c — checked fields, and what a hostile message may cost. */
#include "base/clock.h"
#include "base/memory.h"
#include "proto/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct mr_arena arena;
static struct mr_error error;

static int setup(void **state)
{
    (void)state;
    mr_arena_init(&arena, 64 << 10);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

static enum mr_status decode_worker(const char *bytes, size_t size)
{
    Millrace__TaskRecord fields = MILLRACE__TASK_RECORD__INIT;
    struct mr_task_record record;
    static const uint8_t layout = 2;
    fields.worker = mr_field_bytes(mr_slice_from(bytes, size));
    struct mr_slice packed = mr_message_pack(mr_slice_from(&layout, 1), &fields.base, &arena);
    enum mr_status status = mr_task_record_decode(packed, &arena, &record, &error);
    if (status == MR_OK) {
        assert_int_equal(strlen(record.worker), size);
        assert_memory_equal(record.worker, bytes, size);
    }
    return status;
}

static void test_texts_are_checked(void **state)
{
    char name[MR_MESSAGE_NAME_MAX + 1];
    (void)state;
    memset(name, 'w', sizeof(name));
    assert_int_equal(decode_worker("", 0), MR_OK);
    assert_int_equal(decode_worker("w\xc3\xa9", 3), MR_OK);
    assert_int_equal(decode_worker(name, MR_MESSAGE_NAME_MAX), MR_OK);
    assert_int_equal(decode_worker(name, MR_MESSAGE_NAME_MAX + 1), MR_CORRUPT);
    assert_non_null(strstr(error.message, "256 bytes"));
    assert_int_equal(decode_worker("a\0b", 3), MR_CORRUPT);
    assert_int_equal(decode_worker("\0", 1), MR_CORRUPT);
    assert_int_equal(decode_worker("\xc3", 1), MR_CORRUPT);
    assert_int_equal(decode_worker("\xed\xa0\x80", 3), MR_CORRUPT); /* a surrogate */
    assert_int_equal(decode_worker("\xc0\xaf", 2), MR_CORRUPT);     /* not the shortest form */
}

/* Decode bytes, and assert that no more memory was taken than the header says: the scratch, what is
 * decoded (arena), and the arenas' chunks around them. */
static enum mr_status decode_bounded(struct mr_slice bytes)
{
    struct mr_arena own;
    struct mr_request request;
    mr_arena_init(&own, 4096);
    uint64_t before = mr_memory_counters().allocation_bytes;
    enum mr_status status = mr_request_decode(bytes, &own, &request, &error);
    uint64_t taken = mr_memory_counters().allocation_bytes - before;
    assert_true(taken <= bytes.size * (MR_UNPACK_FACTOR + 2) + 2 * MR_UNPACK_BASE_BYTES);
    mr_arena_deinit(&own);
    return status;
}

/* `element` again and again inside the Sync, or inside the request. */
static struct mr_slice repeated(const char *element, size_t element_size, size_t count, bool inside)
{
    size_t size = count * element_size;
    uint8_t *bytes = mr_arena_take(&arena, size + 16);
    size_t used = 0;
    bytes[used++] = 0x08;
    bytes[used++] = 0x01;
    if (inside) {
        bytes[used++] = 0x12;
        for (size_t rest = size;; rest >>= 7) {
            bytes[used++] = (uint8_t)(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
            if (rest < 0x80)
                break;
        }
    }
    for (size_t index = 0; index < count; index++, used += element_size)
        memcpy(bytes + used, element, element_size);
    return mr_slice_from(bytes, used);
}

static void test_hostile_messages_cost_little(void **state)
{
    static const struct {
        const char *element;
        size_t size;
        bool inside;
    } cases[] = {
        {"\x62\x00", 2, true},                  /* empty tasks */
        {"\x6a\x00", 2, true},                  /* empty topologies */
        {"\x12\x00", 2, false},                 /* the Sync itself, merged again and again */
        {"\x12\x02\x62\x00", 4, false},         /* with one more task each time */
        {"\x12\x04\x62\x02\x0a\x00", 6, false}, /* with one more named task each time */
        {"\xc0\x3e\x01", 3, false},             /* an unknown number */
        {"\xc2\x3e\x00", 3, true},              /* an unknown text */
        {"\x62\x02\x0a\x00", 4, true},          /* tasks with an empty name */
        {"\x62\x04\x0a\x00\x0a\x00", 6, true},  /* tasks with two names */
    };
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        size_t count = (MR_MESSAGE_BYTES_MAX - 64) / cases[index].size;
        mr_arena_reset(&arena);
        struct mr_slice bytes =
            repeated(cases[index].element, cases[index].size, count, cases[index].inside);
        uint64_t start_ns = mr_clock_thread_cpu_ns();
        assert_int_equal(decode_bounded(bytes), MR_INVALID);
        uint64_t cost_ms = (mr_clock_thread_cpu_ns() - start_ns) / 1000000;
        assert_true(cost_ms < 20000); /* quadratic work would take hours */
    }
}

/* What a newer version may add must not run into the ceilings: tasks with 40 more fields each. */
static void test_newer_fields_are_affordable(void **state)
{
    char task[128] = "\x62\x5c\x0a\x02\x18\x01\x10\x01\x18\x01";
    size_t used = 10;
    (void)state;
    while (used < 94) {
        task[used++] = (char)0xc0; /* field 1000, a number */
        task[used++] = 0x3e;
        task[used++] = 0x01;
    }
    assert_int_equal(used, 94);
    struct mr_slice bytes = repeated(task, used, 10000, true);
    assert_int_equal(decode_bounded(bytes), MR_INVALID); /* only its leaving is missing */
    assert_non_null(strstr(error.message, "leaving"));
}

static void test_oversize_is_refused_unread(void **state)
{
    struct mr_request request;
    (void)state;
    struct mr_slice bytes = repeated("\x62\x00", 2, MR_MESSAGE_BYTES_MAX / 2, true);
    assert_true(bytes.size > MR_MESSAGE_BYTES_MAX);
    assert_int_equal(mr_request_decode(bytes, &arena, &request, &error), MR_INVALID);
    assert_non_null(strstr(error.message, "at most 8388608"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_texts_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_messages_cost_little, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_fields_are_affordable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversize_is_refused_unread, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
