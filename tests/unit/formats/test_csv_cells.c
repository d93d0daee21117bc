/* tests/unit/formats/test_csv_cells.c — csv_cells.c: where cells end, quotes, and what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "formats/csv_cells.h"

/* The first cell of a text; NULL: the error. */
static const char *cell_of(struct mr_arena *arena, const char *text, bool *quoted,
                           const char **error)
{
    struct mr_csv_line line = {.arena = arena,
                               .start = (const uint8_t *)text,
                               .end = (const uint8_t *)text + strlen(text)};
    struct mr_slice cell;
    const uint8_t *at = mr_csv_read_cell(&line, line.start, ',', &cell, quoted);
    *error = line.error;
    if (at == NULL)
        return NULL;
    assert_true(at == line.end || *at == ',');
    return mr_arena_copy_bytes_text(arena, cell.data, cell.size);
}

static void cells_end_at_delimiters(void **state)
{
    (void)state;
    struct mr_arena arena;
    const char *error;
    bool quoted;
    mr_arena_init(&arena, 4096);
    assert_string_equal(cell_of(&arena, "a b,c", &quoted, &error), "a b");
    assert_false(quoted);
    assert_string_equal(cell_of(&arena, "", &quoted, &error), "");
    assert_string_equal(cell_of(&arena, "\"a,\n\"\"b\"\"\",c", &quoted, &error), "a,\n\"b\"");
    assert_true(quoted);
    mr_arena_deinit(&arena);
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    struct mr_arena arena;
    const char *error;
    bool quoted;
    mr_arena_init(&arena, 4096);
    assert_null(cell_of(&arena, "a\"b", &quoted, &error));
    assert_string_equal(error, "expected a cell with a quote to be quoted");
    assert_null(cell_of(&arena, "\"a", &quoted, &error));
    assert_string_equal(error, "expected '\"'");
    assert_null(cell_of(&arena, "\"a\"b", &quoted, &error));
    assert_string_equal(error, "expected a delimiter behind a quoted cell");
    assert_null(cell_of(&arena, "a\nb", &quoted, &error));
    assert_string_equal(error, "expected a cell with a line end to be quoted");
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_end_at_delimiters),
        cmocka_unit_test(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
