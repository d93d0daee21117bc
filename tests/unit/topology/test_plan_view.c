/* tests/unit/topology/test_plan_view.c — what operators do to a view: write, remove, keep, rename.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "topology/planner.h"

struct scene {
    struct mr_arena arena;
    struct mr_report report;
    struct mr_planner planner;
    struct mr_record_view view;
    struct mr_path key;
};

static void open_scene(struct scene *scene)
{
    mr_arena_init(&scene->arena, 4096);
    mr_report_init(&scene->report, &scene->arena, "x.yaml");
    scene->planner = (struct mr_planner){.arena = &scene->arena, .report = &scene->report};
    scene->view =
        (struct mr_record_view){.domain = mr_domain_new(&scene->planner, MR_DOMAIN_SOURCE, "in")};
    scene->view.domain->payload = true;
    scene->key = mr_planner_name_path(&scene->planner, "id");
    scene->view.keyed = true;
    scene->view.key_paths = &scene->key;
    scene->view.key_count = 1;
}

static void write_slot(struct scene *scene, const char *name, const char *writer)
{
    struct mr_write_draft write = {
        .kind = MR_WRITE_SLOT, .name = name, .writer = writer, .slot = 3};
    mr_view_write(&scene->planner, &scene->view, &write, (struct mr_location){1, 1});
}

static void a_second_writer_is_an_error_and_a_removal_forgives(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    write_slot(&scene, "x", "one");
    assert_int_equal(scene.report.errors_count, 0);
    write_slot(&scene, "x", "two");
    assert_int_equal(scene.report.errors_count, 1);
    mr_view_remove(&scene.planner, &scene.view, "x", "three");
    assert_int_equal(mr_view_write_find(&scene.view, "x")->kind, MR_WRITE_REMOVED);
    write_slot(&scene, "x", "four");
    assert_int_equal(scene.report.errors_count, 1);
    assert_int_equal(scene.view.writes_count, 1);
    assert_string_equal(mr_view_write_find(&scene.view, "x")->writer, "four");
    mr_arena_deinit(&scene.arena);
}

static void copies_are_independent(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    write_slot(&scene, "x", "one");
    struct mr_record_view copy = scene.view;
    mr_view_remove(&scene.planner, &scene.view, "x", "two");
    assert_int_equal(mr_view_write_find(&copy, "x")->kind, MR_WRITE_SLOT);
    assert_true(copy.keyed);
    mr_arena_deinit(&scene.arena);
}

static void changing_a_field_of_the_key_loses_it(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    write_slot(&scene, "other", "m");
    assert_true(scene.view.keyed);
    write_slot(&scene, "id", "m");
    assert_false(scene.view.keyed);
    assert_string_equal(scene.view.key_lost, "'m' changes 'id', a field of the key");
    mr_arena_deinit(&scene.arena);
    static const char *const kept[] = {"x"};
    open_scene(&scene);
    mr_view_keep(&scene.planner, &scene.view, kept, 1, "m");
    assert_false(scene.view.keyed);
    mr_arena_deinit(&scene.arena);
}

static void keep_closes_the_view(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    static const char *const kept[] = {"id", "x", "raw"};
    write_slot(&scene, "x", "m");
    write_slot(&scene, "y", "m");
    mr_view_remove(&scene.planner, &scene.view, "z", "m");
    mr_view_keep(&scene.planner, &scene.view, kept, 3, "k");
    assert_true(scene.view.closed && scene.view.keyed);
    assert_string_equal(scene.view.closed_by, "k");
    assert_int_equal(scene.view.kept_count, 2); /* x is a write */
    assert_true(mr_view_keeps(&scene.view, "raw"));
    assert_int_equal(scene.view.writes_count, 1);
    assert_non_null(mr_view_write_find(&scene.view, "x"));
    mr_view_remove(&scene.planner, &scene.view, "raw", "r");
    assert_false(mr_view_keeps(&scene.view, "raw"));
    assert_int_equal(scene.view.writes_count, 1); /* no removal is needed in a closed view */
    mr_arena_deinit(&scene.arena);
}

static void renames_happen_all_at_once(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    write_slot(&scene, "w", "m");
    static const char *const names[] = {"a", "b", "w"};
    static const char *const texts[] = {"b", "a", "v"};
    static const struct mr_location locations[3];
    const struct mr_option_value renames = {
        .count = 3, .names = names, .texts = texts, .locations = locations};
    mr_view_rename(&scene.planner, &scene.view, &renames, "r");
    assert_int_equal(scene.report.errors_count, 0);
    const struct mr_write_draft *a = mr_view_write_find(&scene.view, "a");
    const struct mr_write_draft *b = mr_view_write_find(&scene.view, "b");
    assert_int_equal(a->kind, MR_WRITE_RENAMED);
    assert_string_equal(a->raw_name, "b");
    assert_string_equal(b->raw_name, "a");
    assert_int_equal(mr_view_write_find(&scene.view, "v")->slot, 3);
    assert_int_equal(mr_view_write_find(&scene.view, "w")->kind, MR_WRITE_REMOVED);
    mr_arena_deinit(&scene.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_writer_is_an_error_and_a_removal_forgives),
        cmocka_unit_test(copies_are_independent),
        cmocka_unit_test(changing_a_field_of_the_key_loses_it),
        cmocka_unit_test(keep_closes_the_view),
        cmocka_unit_test(renames_happen_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
