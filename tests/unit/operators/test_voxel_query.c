/* tests/unit/operators/test_voxel_query.c — what queries show of committed grids: counts, layers,
 * boxes, times, and where an answer ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { SIDE = 60, SHOWN_MAX = 1000 };

static void open(struct harness *harness)
{
    harness_open(harness,
                 "    - {name: op, type: voxel.aggregate, from: in, control: in2, key: [k], "
                 "position: [px, py, pz], signals: [value], bounds: [60, 60, 6], resolution: [1, "
                 "1, 2]}\n",
                 "    - {name: main, type: memory, from: op}\n", "op");
    harness->quiet = true;
}

static struct harness_row point(int64_t time_ms, uint32_t i, uint32_t j, uint32_t k, double value)
{
    return (struct harness_row){
        .offset = time_ms,
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text("a"))},
                  {"px", mr_value_double((double)i)},
                  {"py", mr_value_double((double)j)},
                  {"pz", mr_value_double((double)k * 2)},
                  {"value", mr_value_double(value)}},
    };
}

static struct harness harness;
static struct mr_state_description asked;
static struct mr_state_description answer;

static enum mr_status describe(void *argument, const struct mr_state_object *object,
                               struct mr_error *error)
{
    MR_UNUSED(argument);
    answer = asked;
    answer.node = harness.node;
    return harness.type->describe_state(object, &harness.plan_arena, &answer, error);
}

static struct mr_value member(const char *name)
{
    for (uint32_t index = 0; index < answer.members_count; index++)
        if (mr_slice_equal(mr_value_text(answer.members[index].key), mr_slice_text(name)))
            return answer.members[index].value;
    return (struct mr_value){0};
}

static struct mr_value entry(struct mr_value map, const char *name)
{
    for (uint32_t index = 0; index < map.size; index++)
        if (mr_slice_equal(mr_value_text(map.entries[index].key), mr_slice_text(name)))
            return map.entries[index].value;
    return (struct mr_value){0};
}

static enum mr_status ask(struct mr_state_place place, int64_t since_ms)
{
    struct mr_error error = {0};
    int64_t offset;
    asked = (struct mr_state_description){.place = place, .since_ms = since_ms};
    const struct mr_state_query query = {.operator_name = "op",
                                         .table_name = harness.type->state_table,
                                         .key = mr_slice_text("a"),
                                         .visit = describe};
    return mr_state_query(harness.state, &query, &harness.plan_arena, &offset, &error);
}

/* The places of the voxels shown, as "i.j.k=sum". */
static const char *shown(void)
{
    static char text[512];
    struct mr_value voxels = member("voxels");
    size_t size = 0;
    text[0] = 0;
    assert_int_equal(voxels.kind, MR_KIND_LIST);
    for (uint32_t index = 0; index < voxels.size && size < sizeof(text) - 40; index++) {
        struct mr_value voxel = voxels.items[index];
        struct mr_value signal = entry(entry(voxel, "signals"), "value");
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%d.%d.%d=%g",
                                 index == 0 ? "" : " ", (int)entry(voxel, "ix").integer,
                                 (int)entry(voxel, "iy").integer,
                                 (int)entry(voxel, "layer").integer, entry(signal, "sum").number);
    }
    return text;
}

static void add(int64_t time_ms, uint32_t i, uint32_t j, uint32_t k, double value)
{
    struct harness_row row = point(time_ms, i, j, k, value);
    harness_feed(&harness, 0, &row, 1);
}

static void places_and_times(void **state)
{
    MR_UNUSED(state);
    const struct mr_state_place layer = {.has_layer = true, .layer = 1};
    const struct mr_state_place box = {.has_box = true, .from = {7, 0, 0}, .to = {9.5, 20, 6}};
    struct mr_state_place both = box;
    open(&harness);
    add(1000, 8, 3, 1, 5);
    add(2000, 7, 3, 1, 6);
    add(3000, 7, 19, 1, 7);
    add(4000, 7, 20, 1, 8);
    add(5000, 9, 4, 2, 9);
    add(6000, 9, 5, 2, 10);
    assert_int_equal(ask((struct mr_state_place){0}, 0), MR_NOT_FOUND); /* not committed */
    harness_commit(&harness);
    assert_int_equal(ask((struct mr_state_place){0}, 0), MR_OK);
    assert_int_equal(member("filled").integer, 6);
    assert_int_equal(member("points").integer, 6);
    assert_int_equal(member("total").integer, 60 * 60 * 3);
    assert_int_equal(member("voxels").kind, MR_KIND_ABSENT);
    assert_int_equal(ask(layer, 0), MR_OK);
    assert_string_equal(shown(), "7.3.1=6 8.3.1=5 7.19.1=7 7.20.1=8");
    assert_int_equal(entry(member("layer"), "points").integer, 4);
    assert_true(entry(entry(entry(member("layer"), "signals"), "value"), "sum").number == 26);
    assert_false(member("more").boolean);
    assert_int_equal(ask(box, 0), MR_OK);
    assert_string_equal(shown(), "7.3.1=6 8.3.1=5 7.19.1=7 9.4.2=9 9.5.2=10");
    both.has_layer = true;
    both.layer = 2;
    assert_int_equal(ask(both, 0), MR_OK);
    assert_string_equal(shown(), "9.4.2=9 9.5.2=10");
    assert_int_equal(ask((struct mr_state_place){0}, 3000), MR_OK);
    assert_string_equal(shown(), "7.19.1=7 7.20.1=8 9.4.2=9 9.5.2=10");
    both.layer = 3;
    assert_int_equal(ask(both, 0), MR_INVALID);
    both.layer = 0;
    assert_int_equal(ask(both, 0), MR_OK);
    assert_string_equal(shown(), "");
    assert_int_equal(member("layer").kind, MR_KIND_NULL);
    harness_close(&harness);
}

/* What a reset has left behind is not shown, nor counted. */
static void forgotten_voxels_are_not_shown(void **state)
{
    MR_UNUSED(state);
    const struct mr_state_place all = {.has_box = true, .from = {0, 0, 0}, .to = {60, 60, 6}};
    open(&harness);
    add(1000, 8, 3, 1, 5);
    add(2000, 9, 3, 2, 6);
    harness_commit(&harness);
    struct harness_row row = {.cells = {{"key", mr_value_string(mr_slice_text("a"))},
                                        {"action", mr_value_string(mr_slice_text("reset"))},
                                        {"layer", mr_value_int(1)}}};
    harness_feed(&harness, 1, &row, 1);
    harness_commit(&harness);
    assert_int_equal(ask(all, 0), MR_OK);
    assert_string_equal(shown(), "9.3.2=6");
    assert_int_equal(member("filled").integer, 1);
    add(3000, 10, 3, 1, 7);
    harness_commit(&harness);
    assert_int_equal(ask(all, 0), MR_OK);
    assert_string_equal(shown(), "10.3.1=7 9.3.2=6");
    harness_close(&harness);
}

/* A whole layer has more voxels than an answer: it ends, and says so; boxes of it are whole. */
static void answers_end(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[SIDE * SIDE];
    struct mr_state_place place = {.has_layer = true};
    open(&harness);
    for (uint32_t voxel = 0; voxel < SIDE * SIDE; voxel++)
        rows[voxel] = point(voxel, voxel % SIDE, voxel / SIDE, 0, 1);
    harness_feed(&harness, 0, rows, SIDE * SIDE);
    harness_commit(&harness);
    assert_int_equal(ask(place, 0), MR_OK);
    assert_int_equal(member("voxels").size, SHOWN_MAX);
    assert_true(member("more").boolean);
    place = (struct mr_state_place){.has_box = true, .from = {3, 3, 0}, .to = {43, 28, 1}};
    assert_int_equal(ask(place, 0), MR_OK);
    assert_int_equal(member("voxels").size, SHOWN_MAX);
    assert_false(member("more").boolean);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_and_times),
        cmocka_unit_test(forgotten_voxels_are_not_shown),
        cmocka_unit_test(answers_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
