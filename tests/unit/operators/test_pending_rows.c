/* tests/unit/operators/test_pending_rows.c — cells as bytes and back, and bytes that are none. */
#include "operators/pending_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static void cells_come_back(void **state)
{
    MR_UNUSED(state);
    char longer[100];
    memset(longer, 'x', sizeof(longer));
    const struct mr_value cells[] = {
        mr_value_null(),
        mr_value_bool(true),
        mr_value_bool(false),
        mr_value_double(-1e308),
        mr_value_int(-7),
        mr_value_string(mr_slice_text("")),
        mr_value_string(mr_slice_text("text")),
        mr_value_string(mr_slice_from(longer, sizeof(longer))),
        {.kind = MR_KIND_TIMESTAMP, .integer = -5000000000},
        {.kind = MR_KIND_ABSENT},
    };
    uint8_t bytes[MR_ARRAY_COUNT(cells) * MR_PENDING_CELL_BYTES];
    struct mr_value read[MR_ARRAY_COUNT(cells)];
    size_t size = 0;
    for (size_t at = 0; at < MR_ARRAY_COUNT(cells); at++)
        size += mr_pending_write(cells[at], bytes + size);
    assert_true(mr_pending_read(mr_slice_from(bytes, size), read, MR_ARRAY_COUNT(cells)));
    assert_int_equal(read[0].kind, MR_KIND_NULL);
    assert_true(read[1].boolean && !read[2].boolean);
    assert_true(read[3].number == -1e308 && read[4].number == -7);
    assert_int_equal(read[5].size, 0);
    assert_memory_equal(read[6].text, "text", 4);
    assert_int_equal(read[7].size, MR_PENDING_TEXT_BYTES);
    assert_true(read[8].kind == MR_KIND_TIMESTAMP && read[8].integer == -5000000000);
    assert_int_equal(read[9].kind, MR_KIND_NULL);
    for (size_t short_by = 1; short_by <= size; short_by++)
        assert_false(
            mr_pending_read(mr_slice_from(bytes, size - short_by), read, MR_ARRAY_COUNT(cells)));
    assert_false(mr_pending_read(mr_slice_from(bytes, size), read, MR_ARRAY_COUNT(cells) - 1));
}

static void unknown_tags_are_refused(void **state)
{
    MR_UNUSED(state);
    static const uint8_t bytes[] = {6};
    struct mr_value cell;
    assert_false(mr_pending_read(mr_slice_from(bytes, 1), &cell, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_come_back),
        cmocka_unit_test(unknown_tags_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
