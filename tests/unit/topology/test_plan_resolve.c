/* tests/unit/topology/test_plan_resolve.c — what a path means at a view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "topology/planner.h"

struct scene {
    struct mr_arena arena;
    struct mr_planner planner;
    struct mr_domain_draft *domain;
    struct mr_record_view view;
};

static void open_scene(struct scene *scene)
{
    mr_arena_init(&scene->arena, 4096);
    scene->planner = (struct mr_planner){.arena = &scene->arena};
    scene->domain = mr_domain_new(&scene->planner, MR_DOMAIN_SOURCE, "in");
    scene->domain->payload = true;
    scene->view = (struct mr_record_view){.domain = scene->domain};
}

static enum mr_resolved resolve(struct scene *scene, const struct mr_record_view *view,
                                const char *text, struct mr_resolution *resolution,
                                struct mr_error *error)
{
    struct mr_path path;
    assert_int_equal(mr_path_parse(&scene->arena, text, &path, error), MR_OK);
    return mr_view_resolve(&scene->planner, view, &path, true, resolution, error);
}

static void a_path_is_read_once(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    struct mr_resolution first;
    struct mr_resolution second;
    struct mr_error error = {0};
    assert_int_equal(resolve(&scene, &scene.view, "a.b[0]", &first, &error), MR_RESOLVED_FINE);
    assert_int_equal(first.steps_used, 3);
    assert_int_equal(resolve(&scene, &scene.view, "a[\"b\"][0]", &second, &error),
                     MR_RESOLVED_FINE);
    assert_int_equal(first.slot, second.slot);
    assert_int_equal(resolve(&scene, &scene.view, "a.b", &second, &error), MR_RESOLVED_FINE);
    assert_int_not_equal(first.slot, second.slot);
    assert_string_equal(scene.domain->columns[first.slot].path.text, "a.b[0]");
    mr_arena_deinit(&scene.arena);
}

static void asking_without_taking_makes_no_column(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    struct mr_resolution resolution;
    struct mr_error error = {0};
    struct mr_path path = mr_planner_name_path(&scene.planner, "odd name");
    assert_string_equal(path.text, "[\"odd name\"]");
    assert_int_equal(
        mr_view_resolve(&scene.planner, &scene.view, &path, false, &resolution, &error),
        MR_RESOLVED_FINE);
    assert_true(resolution.slot == MR_SLOT_NONE);
    assert_int_equal(scene.domain->columns_count, 0);
    mr_arena_deinit(&scene.arena);
}

static void the_last_writer_wins(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    static const struct mr_member_draft members[] = {{"score", NULL, 7}, {"reason", NULL, 8}};
    const struct mr_write_draft writes[] = {
        {.kind = MR_WRITE_SLOT, .name = "x", .writer = "m", .slot = 5},
        {.kind = MR_WRITE_GROUP,
         .name = "g",
         .writer = "d",
         .members = members,
         .members_count = 2},
        {.kind = MR_WRITE_REMOVED, .name = "gone", .writer = "m"},
        {.kind = MR_WRITE_RENAMED, .name = "new", .writer = "m", .raw_name = "old"},
    };
    scene.view.writes = writes;
    scene.view.writes_count = 4;
    struct mr_resolution resolution;
    struct mr_error error = {0};
    assert_int_equal(resolve(&scene, &scene.view, "x.y", &resolution, &error), MR_RESOLVED_FINE);
    assert_int_equal(resolution.slot, 5);
    assert_int_equal(resolution.steps_used, 1); /* the rest is selected at run time */
    assert_int_equal(resolve(&scene, &scene.view, "g.reason", &resolution, &error),
                     MR_RESOLVED_FINE);
    assert_int_equal(resolution.slot, 8);
    assert_int_equal(resolution.steps_used, 2);
    assert_int_equal(resolve(&scene, &scene.view, "new.a", &resolution, &error), MR_RESOLVED_FINE);
    assert_string_equal(scene.domain->columns[resolution.slot].path.text, "old.a");
    assert_int_equal(resolve(&scene, &scene.view, "g", &resolution, &error), MR_RESOLVED_REFUSED);
    assert_non_null(strstr(error.message, "select a member (g.score, g.reason)"));
    assert_int_equal(resolve(&scene, &scene.view, "g.scor", &resolution, &error),
                     MR_RESOLVED_REFUSED);
    assert_non_null(strstr(error.message, "did you mean 'score'?"));
    assert_int_equal(resolve(&scene, &scene.view, "gone", &resolution, &error),
                     MR_RESOLVED_REFUSED);
    mr_arena_deinit(&scene.arena);
}

static void options_need_the_whole_path(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    const struct mr_write_draft write = {
        .kind = MR_WRITE_SLOT, .name = "x", .writer = "m", .slot = 5};
    scene.view.writes = &write;
    scene.view.writes_count = 1;
    struct mr_resolution resolution;
    struct mr_error error = {0};
    struct mr_path path;
    assert_int_equal(mr_path_parse(&scene.arena, "x.y", &path, &error), MR_OK);
    assert_int_equal(
        mr_view_resolve_path(&scene.planner, &scene.view, &path, true, &resolution, &error),
        MR_RESOLVED_REFUSED);
    assert_non_null(strstr(error.message, "compute 'x.y' by a map before"));
    mr_arena_deinit(&scene.arena);
}

static void closed_views_know_their_fields(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    static const char *const kept[] = {"value", "id"};
    scene.view.closed = true;
    scene.view.kept = kept;
    scene.view.kept_count = 2;
    struct mr_resolution resolution;
    struct mr_error error = {0};
    assert_int_equal(resolve(&scene, &scene.view, "value", &resolution, &error), MR_RESOLVED_FINE);
    assert_int_equal(resolve(&scene, &scene.view, "valeu", &resolution, &error),
                     MR_RESOLVED_MISSING);
    assert_non_null(strstr(error.message, "did you mean 'value'?"));
    scene.view.closed_by = "slim";
    assert_int_equal(resolve(&scene, &scene.view, "other", &resolution, &error),
                     MR_RESOLVED_REFUSED);
    assert_non_null(strstr(error.message, "'slim' does not keep it"));
    mr_arena_deinit(&scene.arena);
}

static void derived_rows_cover_as_much_as_every_input(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    const struct mr_write_draft write = {.kind = MR_WRITE_SLOT,
                                         .name = "a",
                                         .writer = "m",
                                         .slot = 0,
                                         .type = mr_planner_type(MR_TYPE_DOUBLE)};
    struct mr_record_view written = {.domain =
                                         mr_domain_new(&scene.planner, MR_DOMAIN_SOURCE, "other"),
                                     .writes = &write,
                                     .writes_count = 1};
    mr_domain_column(&scene.planner, written.domain, write.type);
    const struct mr_record_view *inputs[] = {&scene.view, &written};
    struct mr_record_view derived = {.domain =
                                         mr_domain_new(&scene.planner, MR_DOMAIN_DERIVED, "both")};
    derived.domain->inputs = inputs;
    derived.domain->inputs_count = 2;
    struct mr_resolution resolution;
    struct mr_error error = {0};
    assert_int_equal(resolve(&scene, &derived, "a.b", &resolution, &error), MR_RESOLVED_FINE);
    assert_int_equal(resolution.steps_used, 1);
    assert_int_equal(resolution.type->code, MR_TYPE_ANY); /* any and double */
    const struct mr_column_draft *column = &derived.domain->columns[resolution.slot];
    assert_string_equal(scene.domain->columns[column->input_slots[0]].path.text, "a");
    assert_int_equal(column->input_slots[1], 0);
    mr_arena_deinit(&scene.arena);
}

static void below_a_faulty_entry_everything_resolves(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    struct mr_record_view unknown = {.unknown = true};
    struct mr_resolution resolution;
    struct mr_error error = {0};
    assert_int_equal(resolve(&scene, &unknown, "a.b.c", &resolution, &error), MR_RESOLVED_FINE);
    assert_int_equal(resolution.steps_used, 3);
    mr_arena_deinit(&scene.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_read_once),
        cmocka_unit_test(asking_without_taking_makes_no_column),
        cmocka_unit_test(the_last_writer_wins),
        cmocka_unit_test(options_need_the_whole_path),
        cmocka_unit_test(closed_views_know_their_fields),
        cmocka_unit_test(derived_rows_cover_as_much_as_every_input),
        cmocka_unit_test(below_a_faulty_entry_everything_resolves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
