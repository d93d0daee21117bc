/* tests/unit/coordinator/test_kubernetes_objects.c — what watches note, and what is taken of it. */
#include "coordinator/kubernetes_objects.h"

#include "base/memory.h"

#include <stdio.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mr_kubernetes_objects *objects;
static struct mr_kubernetes_object *const *items;
static uint32_t count;

static int set_up(void **state)
{
    (void)state;
    objects = mr_kubernetes_objects_create();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_kubernetes_objects_destroy(objects);
    return 0;
}

static void note(enum mr_kubernetes_kind kind, enum mr_kubernetes_event event, const char *name,
                 const char *uid)
{
    json_t *object =
        name == NULL ? NULL : json_pack("{s:{s:s, s:s}}", "metadata", "name", name, "uid", uid);
    mr_kubernetes_objects_note(objects, kind, event, object);
    json_decref(object);
}

static void nothing_is_told_before_all_are_listed(void **state)
{
    (void)state;
    assert_false(mr_kubernetes_objects_take(objects, &items, &count));
    note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_LISTING, NULL, NULL);
    note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_OBJECT, "a", "1");
    note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_LISTED, NULL, NULL);
    assert_false(mr_kubernetes_objects_take(objects, &items, &count));
    note(MR_KUBERNETES_CONFIG_MAP, MR_KUBERNETES_LISTING, NULL, NULL);
    note(MR_KUBERNETES_CONFIG_MAP, MR_KUBERNETES_OBJECT, "a", "2");
    note(MR_KUBERNETES_CONFIG_MAP, MR_KUBERNETES_LISTED, NULL, NULL);
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 2);
    assert_true(items[0]->fresh);
    assert_int_equal(items[1]->kind, MR_KUBERNETES_CONFIG_MAP);
    mr_kubernetes_objects_clear(objects);
    assert_false(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 0);
}

static void list_all(const char *name)
{
    for (uint32_t kind = 0; kind < MR_KUBERNETES_KINDS; kind++) {
        note((enum mr_kubernetes_kind)kind, MR_KUBERNETES_LISTING, NULL, NULL);
        if (kind == MR_KUBERNETES_TOPOLOGY)
            note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_OBJECT, name, "1");
        note((enum mr_kubernetes_kind)kind, MR_KUBERNETES_LISTED, NULL, NULL);
    }
}

static void what_a_list_does_not_hold_is_gone(void **state)
{
    (void)state;
    list_all("a");
    note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_OBJECT, "b", "2");
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 2);
    list_all("b");
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 1);
    assert_string_equal(items[0]->id, "b");
    note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_DELETED, "b", "2");
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 0);
}

static void notes_are_kept_while_it_is_the_same_object(void **state)
{
    (void)state;
    list_all("a");
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    items[0]->verdict = MR_VERDICT_ACCEPTED;
    items[0]->attempted = mr_memory_copy_text("1");
    items[0]->fresh = false;
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_false(items[0]->fresh);
    note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_OBJECT, "a", "1");
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_true(items[0]->fresh);
    assert_int_equal(items[0]->verdict, MR_VERDICT_ACCEPTED);
    note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_DELETED, "a", "1");
    note(MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_OBJECT, "a", "2"); /* made anew */
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(items[0]->verdict, MR_VERDICT_NONE);
    assert_null(items[0]->attempted);
}

static void note_config_map(enum mr_kubernetes_event event, const char *more)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"m\",\"uid\":\"1\"%s}}", more);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    mr_kubernetes_objects_note(objects, MR_KUBERNETES_CONFIG_MAP, event, object);
    json_decref(object);
}

static void a_config_map_without_its_label_is_kept_until_it_is_let_go(void **state)
{
    (void)state;
    static const char held[] = ",\"finalizers\":[\"other\",\"millrace.io/topology\"]";
    list_all("a");
    note_config_map(MR_KUBERNETES_OBJECT, held);
    note_config_map(MR_KUBERNETES_DELETED, held);
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 2);
    assert_true(items[1]->released);
    /* Marked as deleted behind that: still to be let go. */
    json_t *metadata = json_object_get(items[1]->json, "metadata");
    (void)json_object_set_new(metadata, "deletionTimestamp", json_string("now"));
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 2);
    note_config_map(MR_KUBERNETES_OBJECT, held); /* the label is back */
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_false(items[1]->released);
    note_config_map(MR_KUBERNETES_DELETED, held);
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    (void)json_object_del(json_object_get(items[1]->json, "metadata"), "finalizers");
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 1);
}

static void a_config_map_that_is_deleted_is_not_kept(void **state)
{
    (void)state;
    static const char deleted[] =
        ",\"finalizers\":[\"millrace.io/topology\"],\"deletionTimestamp\":\"now\"";
    list_all("a");
    note_config_map(MR_KUBERNETES_OBJECT, deleted);
    note_config_map(MR_KUBERNETES_DELETED, deleted);
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 1);
    note_config_map(MR_KUBERNETES_OBJECT, "");
    note_config_map(MR_KUBERNETES_DELETED, "");
    assert_true(mr_kubernetes_objects_take(objects, &items, &count));
    assert_int_equal(count, 1);
}

#define WITH_OBJECTS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OBJECTS(nothing_is_told_before_all_are_listed),
        WITH_OBJECTS(what_a_list_does_not_hold_is_gone),
        WITH_OBJECTS(notes_are_kept_while_it_is_the_same_object),
        WITH_OBJECTS(a_config_map_without_its_label_is_kept_until_it_is_let_go),
        WITH_OBJECTS(a_config_map_that_is_deleted_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
