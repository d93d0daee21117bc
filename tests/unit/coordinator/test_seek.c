/* tests/unit/coordinator/test_seek.c — places, and positions that move with the next claim. */
#include "coordinator/seek.h"

#include "coordinator/binding.h"
#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char topology[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n    - {name: a, type: kafka, format: json, topic: in, key: [k]}\n"
    "  operators:\n    - {name: pass, type: filter, from: a, where: 'k != \"\"'}\n"
    "  sinks:\n    - {name: results, type: kafka, from: pass, topic: out}\n";
static const struct mr_lane_topic topics[] = {{"in", 2}, {"out", 1}};

struct moved {
    struct mr_lane_fixture fixture;
    struct mr_version_record version;
    struct mr_claimer claimer;
    struct mr_seek seek;
    struct mr_error error;
};

static int set_up(void **state)
{
    static struct moved moved;
    memset(&moved, 0, sizeof(moved));
    mr_lane_fixture_open(&moved.fixture, topology, topics, 2);
    /* The memory log drops what every reader has passed: this one never moves. */
    for (int32_t partition = 0; partition < 2; partition++)
        assert_int_equal(moved.fixture.log->ops->readers_passed(moved.fixture.log, "in", partition,
                                                                "keeper", 0, &moved.error),
                         MR_OK);
    mr_lane_fixture_start(&moved.fixture);
    for (int at = 0; at < 3; at++)
        mr_lane_fixture_write(&moved.fixture, "in", 0, "x", "{\"k\":\"x\"}");
    mr_lane_fixture_write(&moved.fixture, "in", 1, "y", "{\"k\":\"y\"}");
    mr_lane_fixture_settle(&moved.fixture);
    mr_lane_fixture_stop(&moved.fixture);
    const struct mr_deployment *deployment = moved.fixture.deployment;
    moved.version.generation = deployment->generation;
    mr_binding_make(deployment, &moved.fixture.arena, &moved.version.binding);
    moved.claimer =
        (struct mr_claimer){.log = moved.fixture.log,
                            .cluster = "c",
                            .worker = "coordinator",
                            .claims_topic = deployment->claims.name,
                            .claims_partitions_count = deployment->claims.partitions_count,
                            .wait_ms = 1000};
    moved.seek = (struct mr_seek){.claimer = &moved.claimer,
                                  .plan = moved.fixture.plan,
                                  .version = &moved.version,
                                  .source = "a"};
    *state = &moved;
    return 0;
}

static int tear_down(void **state)
{
    struct moved *moved = *state;
    mr_lane_fixture_close(&moved->fixture);
    return 0;
}

static enum mr_status parse(struct moved *moved, const char *text)
{
    return mr_seek_parse(text, &moved->fixture.arena, &moved->seek.place, &moved->error);
}

static void seek_to(struct moved *moved, const char *text)
{
    uint32_t count = 0;
    assert_int_equal(parse(moved, text), MR_OK);
    if (mr_seek_run(&moved->seek, &count, &moved->error) != MR_OK)
        fail_msg("%s", moved->error.message);
    assert_int_equal(count, 2);
}

/* Records in `out` once everything is processed. */
static uint32_t outputs(struct moved *moved)
{
    uint32_t count;
    mr_lane_fixture_start(&moved->fixture);
    mr_lane_fixture_settle(&moved->fixture);
    mr_lane_fixture_stop(&moved->fixture);
    (void)mr_lane_fixture_read(&moved->fixture, "out", 0, &count);
    return count;
}

static void test_places(void **state)
{
    struct moved *moved = *state;
    assert_int_equal(parse(moved, "earliest"), MR_OK);
    assert_int_equal(moved->seek.place.kind, MR_SEEK_EARLIEST);
    assert_int_equal(parse(moved, "latest"), MR_OK);
    assert_int_equal(parse(moved, "2026-01-28T10:30:00.5Z"), MR_OK);
    assert_int_equal(moved->seek.place.kind, MR_SEEK_TIME);
    assert_true(moved->seek.place.time_ms == 1769596200500);
    assert_int_equal(parse(moved, "1769596200500"), MR_OK);
    assert_true(moved->seek.place.time_ms == 1769596200500);
    assert_int_equal(parse(moved, "0=12,in:1=30"), MR_OK);
    assert_int_equal(moved->seek.place.offsets_count, 2);
    assert_null(moved->seek.place.offsets[0].topic);
    assert_string_equal(moved->seek.place.offsets[1].topic, "in");
    assert_true(moved->seek.place.offsets[1].offset == 30);
    static const char *const wrong[] = {"",      "soon", "-5",  "0=",    "=1",
                                        "0=1,,", "0=-1", "x=1", "0=1,2", NULL};
    for (int at = 0; wrong[at] != NULL; at++)
        assert_int_equal(parse(moved, wrong[at]), MR_INVALID);
}

static void test_a_table_of_every_task_has_no_positions(void **state)
{
    struct moved *moved = *state;
    static const char lookup[] =
        "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
        "  sources:\n"
        "    - {name: a, type: kafka, topic: in}\n"
        "    - {name: t, type: kafka, topic: rates, key: [k], table: true}\n"
        "  operators:\n"
        "    - {name: known, type: join.lookup, from: a, table: t, key: [k]}\n"
        "  sinks:\n    - {name: results, type: kafka, from: known, topic: out}\n";
    assert_int_equal(parse(moved, "earliest"), MR_OK);
    moved->seek.plan = mr_lane_fixture_plan(&moved->fixture.arena, lookup);
    moved->seek.source = "t";
    assert_int_equal(mr_seek_check(&moved->seek, &moved->error), MR_INVALID);
    assert_non_null(strstr(moved->error.message, "a table that every task reads whole"));
}

static void test_back_to_the_start_reads_everything_again(void **state)
{
    struct moved *moved = *state;
    assert_int_equal(outputs(moved), 4); /* nothing new */
    seek_to(moved, "earliest");
    assert_int_equal(outputs(moved), 8);
    assert_int_equal(outputs(moved), 8); /* once */
}

static void test_offsets_move_what_they_name(void **state)
{
    struct moved *moved = *state;
    seek_to(moved, "0=2");
    assert_int_equal(outputs(moved), 5);
}

static void test_latest_leaves_out_what_waits(void **state)
{
    struct moved *moved = *state;
    mr_lane_fixture_write(&moved->fixture, "in", 0, "x", "{\"k\":\"x\"}");
    seek_to(moved, "latest");
    assert_int_equal(outputs(moved), 4);
}

static void test_what_cannot_be_is_refused_before_anything_moves(void **state)
{
    struct moved *moved = *state;
    uint32_t count;
    assert_int_equal(parse(moved, "0=0,1=99"), MR_OK);
    assert_int_equal(mr_seek_run(&moved->seek, &count, &moved->error), MR_INVALID);
    assert_non_null(strstr(moved->error.message, "Offset 99 lies outside of in[1]"));
    assert_int_equal(outputs(moved), 4);
    assert_int_equal(parse(moved, "7=0"), MR_OK);
    assert_int_equal(mr_seek_check(&moved->seek, &moved->error), MR_INVALID);
    assert_int_equal(parse(moved, "earliest"), MR_OK);
    moved->seek.source = "pass";
    assert_int_equal(mr_seek_check(&moved->seek, &moved->error), MR_NOT_FOUND);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_places),
        CASE(test_a_table_of_every_task_has_no_positions),
        CASE(test_back_to_the_start_reads_everything_again),
        CASE(test_offsets_move_what_they_name),
        CASE(test_latest_leaves_out_what_waits),
        CASE(test_what_cannot_be_is_refused_before_anything_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
