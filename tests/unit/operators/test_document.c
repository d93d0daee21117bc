/* tests/unit/operators/test_document.c — places of errors, kinds, bounds, and going on after an
 * error. */
#include "operators/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

static struct mr_arena arena;
static struct mr_error error;
static struct mr_document document;
static struct mr_document_place root;

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

static void open_text(const char *text)
{
    document = (struct mr_document){.noun = "the thing", .error = &error};
    mr_document_open(&document, mr_slice_text(text), 200, &arena, &root);
}

static void expect_error(const char *message)
{
    assert_int_equal(document.status, MR_INVALID);
    assert_string_equal(error.message, message);
}

static void members_are_read(void **state)
{
    MR_UNUSED(state);
    static const char *const known[] = {"n", "t", "c", "l"};
    open_text("{\"n\": -2.5, \"t\": \"x\", \"c\": 7, \"l\": [1, \"two\"]}");
    mr_document_only(&document, &root, known, 4);
    assert_true(mr_document_has(&root, "n"));
    assert_false(mr_document_has(&root, "m"));
    assert_true(mr_document_number(&document, &root, "n", -3, 3) == -2.5);
    assert_true(mr_slice_equal(mr_document_text(&document, &root, "t", 1), mr_slice_text("x")));
    assert_int_equal(mr_document_count(&document, &root, "c", 7), 7);
    struct mr_document_place list = mr_document_list(&document, &root, "l", 2);
    assert_int_equal(list.value.size, 2);
    assert_true(mr_document_item_number(&document, &list, 0, 1, 1) == 1);
    assert_int_equal(mr_document_item_text(&document, &list, 1, 3).size, 3);
    assert_int_equal(document.status, MR_OK);
}

static void errors_name_their_place(void **state)
{
    MR_UNUSED(state);
    open_text("{\"a\": {\"b\": [1, {\"c\": null}]}}");
    struct mr_document_place a = mr_document_member(&document, &root, "a");
    struct mr_document_place list = mr_document_list(&document, &a, "b", 2);
    struct mr_document_place item = mr_document_item(&list, 1);
    assert_true(mr_document_number(&document, &item, "c", 0, 1) == 0);
    expect_error("the thing, a.b[1].c: it is no number, or one beyond the doubles");
    /* The first one stays, and lists are empty from then on. */
    (void)mr_document_text(&document, &root, "missing", 1);
    assert_int_equal(mr_document_list(&document, &a, "b", 2).value.size, 0);
    expect_error("the thing, a.b[1].c: it is no number, or one beyond the doubles");
}

static void what_is_wrong_is_said(void **state)
{
    MR_UNUSED(state);
    static const char *const none[] = {"other"};
    open_text("[1]");
    expect_error("the thing: it is no JSON object");
    open_text("{\"a\": 1");
    expect_error("the thing: Invalid JSON: expected ',' or '}' at byte 7, where the text ends.");
    char large[300];
    memset(large, ' ', sizeof(large));
    large[299] = 0;
    open_text(large);
    expect_error("the thing: it has 299 bytes, above the limit of 200");
    open_text("{\"a\": 1}");
    mr_document_only(&document, &root, none, 1);
    expect_error("the thing: the member \"a\" is not known");
    open_text("{\"a\": 1}");
    (void)mr_document_member(&document, &root, "b");
    expect_error("the thing: the member \"b\" is missing");
    open_text("{\"a\": 1.5}");
    (void)mr_document_count(&document, &root, "a", 3);
    expect_error("the thing, a: 1.5 is no whole number");
    open_text("{\"a\": 4}");
    (void)mr_document_count(&document, &root, "a", 3);
    expect_error("the thing, a: 4 is not within 0 and 3");
    open_text("{\"a\": 1e999}");
    (void)mr_document_number(&document, &root, "a", 0, 3);
    expect_error("the thing, a: it is no number, or one beyond the doubles");
    open_text("{\"a\": \"\\u0000\"}");
    (void)mr_document_text(&document, &root, "a", 3);
    expect_error("the thing, a: it has a NUL character");
    open_text("{\"a\": \"four\"}");
    (void)mr_document_text(&document, &root, "a", 3);
    expect_error("the thing, a: it has 4 bytes, above the limit of 3");
    open_text("{\"a\": 1}");
    struct mr_document_place a = mr_document_member(&document, &root, "a");
    (void)mr_document_member(&document, &a, "b");
    expect_error("the thing, a: it is no object");
    open_text("{\"a\": [1, 2]}");
    (void)mr_document_list(&document, &root, "a", 1);
    expect_error("the thing, a: it has 2 items, above the limit of 1");
}

static void long_places_are_cut(void **state)
{
    MR_UNUSED(state);
    char name[180];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    open_text("{}");
    struct mr_document_place one = {.above = &root, .name = name};
    struct mr_document_place two = {.above = &one, .name = name};
    mr_document_fail(&document, &two, "it is bad");
    assert_int_equal(document.status, MR_INVALID);
    assert_int_equal(strlen(error.message), strlen("the thing, : it is bad") + 199);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_name_their_place, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(long_places_are_cut, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
