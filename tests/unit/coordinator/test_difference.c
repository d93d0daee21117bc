/* tests/unit/coordinator/test_difference.c — what a new version would keep, add, move and drop, and
 * what of that is refused. */
#include "coordinator/difference.h"

#include "tests/unit/worker/lane_fixture.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
#define SOURCES "  sources:\n    - {name: a, type: kafka, format: json, topic: in, key: [k]}\n"
#define TWO SOURCES "    - {name: b, type: kafka, format: json, topic: more, start: latest}\n"
#define SCORE(name, more)                                                                          \
    "  operators:\n    - {name: " name ", type: detect.zscore, from: a, field: value, " more "}\n"
#define SINK(from) "  sinks:\n    - {name: results, type: kafka, from: " from ", topic: out}\n"

static const char first[] = HEAD SOURCES SCORE("score", "key: [k]") SINK("score");
static const char tuned[] = HEAD SOURCES SCORE("score", "key: [k], threshold: 9.0") SINK("score");
static const char warm[] =
    HEAD SOURCES SCORE("score", "key: [k], warm_from: {since: 7d}") SINK("score");
static const char renamed[] = HEAD SOURCES SCORE("other", "key: [k]") SINK("other");
static const char unkeyed[] = HEAD
    "  sources:\n    - {name: a, type: kafka, format: json, topic: in}\n" SCORE("score", "key: [k]")
        SINK("score");
static const char rekeyed[] = HEAD SOURCES SCORE("score", "key: [site]") SINK("score");
static const char wider[] = HEAD TWO SCORE("score", "key: [k]")
    SINK("score") "    - {name: copies, type: kafka, from: b, topic: out}\n";
static const char retyped[] = HEAD SOURCES
    "  operators:\n    - {name: score, type: detect.ewma, from: a, field: value, key: [k]}\n" SINK(
        "score");

struct compared {
    struct mr_arena arena;
    struct mr_difference difference;
    struct mr_error error;
};

static void compare(struct compared *compared, const char *before, const char *after)
{
    mr_arena_init(&compared->arena, 1 << 16);
    mr_difference_make(before == NULL ? NULL : mr_lane_fixture_plan(&compared->arena, before),
                       mr_lane_fixture_plan(&compared->arena, after), &compared->arena,
                       &compared->difference);
}

static enum mr_status check(struct compared *compared, const char *drop, const char *used)
{
    const struct mr_difference_permit permit = {
        .used = &used, .used_count = used != NULL, .drop = &drop, .drop_count = drop != NULL};
    return mr_difference_check(&compared->difference, &permit, &compared->error);
}

static void refused(struct compared *compared, const char *drop, const char *sentence)
{
    assert_int_equal(check(compared, drop, NULL), MR_INVALID);
    assert_int_equal(compared->error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    if (strstr(compared->error.message, sentence) == NULL)
        fail_msg("\"%s\" is not in: %s", sentence, compared->error.message);
}

static void test_the_first_version_adds_everything(void **state)
{
    struct compared compared;
    (void)state;
    compare(&compared, NULL, first);
    assert_true(compared.difference.first);
    assert_int_equal(compared.difference.parts_count, 1);
    assert_int_equal(compared.difference.parts[0].change, MR_CHANGE_ADDED);
    assert_true(compared.difference.parts[0].stateful);
    assert_int_equal(compared.difference.states_count, 1);
    assert_string_equal(compared.difference.states[0].name, "score");
    assert_int_equal(compared.difference.sources[0].change, MR_CHANGE_ADDED);
    assert_string_equal(compared.difference.sources[0].start, "earliest");
    assert_string_equal(compared.difference.topics[0].suffix, "score.changelog");
    assert_int_equal(check(&compared, NULL, NULL), MR_OK);
    mr_arena_deinit(&compared.arena);
    compare(&compared, NULL, warm);
    assert_string_equal(compared.difference.sources[0].start, "7d back");
    mr_arena_deinit(&compared.arena);
}

static void test_options_and_sources_may_change(void **state)
{
    struct compared compared;
    (void)state;
    compare(&compared, first, first);
    assert_true(compared.difference.same);
    mr_arena_deinit(&compared.arena);
    compare(&compared, first, tuned);
    assert_false(compared.difference.same);
    assert_int_equal(compared.difference.states[0].change, MR_CHANGE_KEPT);
    assert_int_equal(check(&compared, NULL, NULL), MR_OK);
    mr_arena_deinit(&compared.arena);
    compare(&compared, first, wider);
    assert_int_equal(compared.difference.sources_count, 2);
    assert_string_equal(compared.difference.sources[1].name, "b");
    assert_int_equal(compared.difference.sources[1].change, MR_CHANGE_ADDED);
    assert_string_equal(compared.difference.sources[1].start, "latest");
    assert_int_equal(check(&compared, NULL, NULL), MR_OK);
    mr_arena_deinit(&compared.arena);
}

#define SOURCE(text) HEAD "  sources:\n    - {name: a, " text "}\n" SINK("a")

/* A position means something under the options that it was made with. */
static void test_positions_that_would_mean_something_else_are_refused(void **state)
{
    (void)state;
    static const char kafka[] = SOURCE("type: kafka, format: json, topic: in, key: [k]");
    static const struct {
        const char *before;
        const char *after;
        const char *option;
        const char *tuned;
        const char *sentence;
    } cases[] = {
        {SOURCE("type: file, path: /a, format: json"), SOURCE("type: file, path: /b, format: json"),
         "path", NULL, "Source \"a\" has a position that depends on 'path'"},
        {SOURCE("type: generate.nexmark"), SOURCE("type: generate.nexmark, kind: bid, seed: 2"),
         "kind", "seed", "Source \"a\" has a position that depends on 'kind'"},
        {SOURCE("type: generate.sequence"), SOURCE("type: generate.sequence, partitions: 4"),
         "partitions", NULL, "Source \"a\" has a position that depends on 'partitions'"},
        {SOURCE("type: generate.sequence"),
         SOURCE("type: generate.sequence, partitions: 1, count: 9"), NULL, "count", NULL},
        {kafka,
         SOURCE("type: kafka, format: json, topic: in, key: [k], timestamp: at, "
                "watermark: {max_delay: 9s}"),
         NULL, "timestamp, watermark", NULL},
    };
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct compared compared;
        compare(&compared, cases[index].before, cases[index].after);
        const struct mr_difference_source *source = &compared.difference.sources[0];
        assert_int_equal(source->change, MR_CHANGE_KEPT);
        assert_null(source->type_before);
        assert_string_equal(source->option == NULL ? "" : source->option,
                            cases[index].option == NULL ? "" : cases[index].option);
        assert_string_equal(source->tuned == NULL ? "" : source->tuned,
                            cases[index].tuned == NULL ? "" : cases[index].tuned);
        if (cases[index].sentence == NULL)
            assert_int_equal(check(&compared, NULL, NULL), MR_OK);
        else
            refused(&compared, NULL, cases[index].sentence);
        mr_arena_deinit(&compared.arena);
    }
    struct compared compared;
    compare(&compared, kafka, cases[0].after);
    assert_string_equal(compared.difference.sources[0].type_before, "kafka");
    refused(&compared, NULL, "Source \"a\" was a kafka, and its position means nothing");
    mr_arena_deinit(&compared.arena);
}

static void test_a_renamed_part_is_refused_until_it_may_be_dropped(void **state)
{
    struct compared compared;
    (void)state;
    compare(&compared, first, renamed);
    refused(&compared, NULL, "--drop-state score");
    refused(&compared, "scroe", "drops no state of that name");
    assert_int_equal(check(&compared, "score", NULL), MR_OK);
    /* The way back: the name was dropped, what it left is still there. */
    mr_arena_deinit(&compared.arena);
    compare(&compared, renamed, first);
    assert_int_equal(check(&compared, "other", "score"), MR_INVALID);
    assert_non_null(strstr(compared.error.message, "not used again"));
    mr_arena_deinit(&compared.arena);
}

/* A repartition goes in: the source is read by tasks of another name, without its position. */
static void test_a_source_that_moves_is_refused(void **state)
{
    struct compared compared;
    (void)state;
    compare(&compared, first, unkeyed);
    assert_int_equal(compared.difference.sources[0].change, MR_CHANGE_MOVED);
    refused(&compared, NULL, "Source \"a\" would be read by other tasks than those of \"score\"");
    assert_int_equal(check(&compared, "a", NULL), MR_OK);
    bool repartition = false;
    for (uint32_t index = 0; index < compared.difference.topics_count; index++)
        repartition |= strcmp(compared.difference.topics[index].suffix, "score-repartition") == 0 &&
                       compared.difference.topics[index].change == MR_CHANGE_ADDED;
    assert_true(repartition);
    mr_arena_deinit(&compared.arena);
}

static void test_another_type_under_the_same_name_starts_over(void **state)
{
    struct compared compared;
    (void)state;
    compare(&compared, first, retyped);
    refused(&compared, NULL, "was a detect.zscore and keeps state");
    refused(&compared, NULL, "or let it start over: --drop-state score");
    assert_int_equal(check(&compared, "score", NULL), MR_OK);
    mr_arena_deinit(&compared.arena);
}

#define SUM(key, window, aggregates, more)                                                         \
    HEAD SOURCES "  operators:\n    - {name: w, type: window.aggregate, from: a, key: [" key       \
                 "], window: {" window "}, aggregates: {" aggregates "}" more "}\n" SINK("w")

static void test_groups_that_would_mean_something_else_are_refused(void **state)
{
    static const char before[] = SUM("k", "tumbling: 10s", "size: count()", "");
    static const struct {
        const char *after;
        const char *option; /* NULL: fine */
    } cases[] = {
        {SUM("k", "tumbling: 10s", "size: count()", ", having: size > 1, emit: update"), NULL},
        {SUM("k", "tumbling: 20s", "size: count()", ""), "window"},
        {SUM("k", "tumbling: 10s, offset: 1s", "size: count()", ""), "window"},
        {SUM("k", "hopping: 10s, every: 10s", "size: count()", ""), "window"},
        {SUM("k", "tumbling: 10s", "size: count(value)", ""), "aggregates"},
        {SUM("k", "tumbling: 10s", "rows: count()", ""), "aggregates"},
        {SUM("k", "tumbling: 10s", "size: count(), low: min(value)", ""), "aggregates"},
        {SUM("k", "tumbling: 10s", "size: count()", ", lateness: 1s"), "lateness"},
    };
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct compared compared;
        compare(&compared, before, cases[index].after);
        if (cases[index].option == NULL) {
            assert_int_equal(check(&compared, NULL, NULL), MR_OK);
            assert_int_equal(check(&compared, "w", NULL), MR_INVALID); /* nothing is dropped */
        } else {
            refused(&compared, NULL, "--drop-state w");
            assert_non_null(strstr(compared.error.message, cases[index].option));
            assert_int_equal(check(&compared, "w", NULL), MR_OK);
        }
        mr_arena_deinit(&compared.arena);
    }
}

#define OPERATORS(lines) HEAD TWO_KEYED "  operators:\n" lines
#define TWO_KEYED SOURCES "    - {name: b, type: kafka, format: json, topic: more, key: [k]}\n"
#define PAIRS(interval, more)                                                                      \
    "    - {name: pairs, type: join.interval, left: a, right: b, key: [k], interval: {" interval   \
    "}" more "}\n"
#define JOINED(interval, more)                                                                     \
    OPERATORS(PAIRS(interval, more ", set: {id: left.id, price: right.price}") SINK("pairs"))

static const char pairs[] = JOINED("after: 10s", "");

#define BEST(key, options, set)                                                                    \
    HEAD SOURCES "  operators:\n    - {name: best, type: rank, from: a, key: [" key "], " options  \
                 "}\n    - {name: shown, type: map, from: best, set: {x: " set                     \
                 "}}\n" SINK("shown")

static const char best[] = BEST("k", "sort_by: [{by: price}]", "price");

#define SORTED(options, set)                                                                       \
    HEAD SOURCES "  operators:\n    - {name: order, type: sort, from: a, key: [k]" options         \
                 "}\n    - {name: shown, type: map, from: order, set: {" set "}}\n" SINK("shown")

static const char sorted[] = SORTED("", "x: price + 1");

#define LAST(options)                                                                              \
    HEAD SOURCES "  operators:\n    - {name: last, type: buffer, from: a, key: [" options          \
                 "}\n" SINK("last")

#define KNOWN(options, table, set)                                                                 \
    HEAD SOURCES                                                                                   \
        "    - {name: users, type: kafka, format: json, topic: users, table: true, " table         \
        "}\n  operators:\n    - {name: known, type: join.table, from: a, table: users, "           \
        "key: [k]" options "}\n    - {name: shown, type: map, from: known, set: {x: " set          \
        "}}\n" SINK("shown")

#define WINDOWED(window) HEAD SOURCES SCORE("score", "key: [k], window: {" window "}") SINK("score")

#define WAITING(more) HEAD SOURCES SCORE("score", "key: [k], order: event_time" more) SINK("score")

static const char known[] = KNOWN("", "key: [id]", "users.name");

/* What is said of each change of joins, `rank`, `sort` and `buffer`; "" of a harmless one. */
static void test_rows_that_would_mean_something_else_are_refused(void **state)
{
    static const struct {
        const char *before;
        const char *after;
        const char *said;
        const char *tuned;
    } cases[] = {
        {pairs, pairs, "", NULL},
        {pairs, JOINED("after: 20s", ""), "\"pairs\" keeps state that depends on 'interval'", NULL},
        {pairs, JOINED("before: 1s, after: 10s", ""), "depends on 'interval'", NULL},
        {pairs, JOINED("after: 10s", ", kind: left"), "depends on 'kind'", NULL},
        {pairs, JOINED("after: 10s", ", lateness: 1s"), "depends on 'lateness'", NULL},
        {pairs, JOINED("after: 10s", ", right_key: [other]"), "depends on 'right_key'", NULL},
        {pairs, JOINED("after: 10s", ", max_rows: 7, where: left.x > right.x"),
         "\"pairs\" keeps rows, of which the two versions store different fields (x of left)",
         "where, max_rows"},
        {pairs, JOINED("after: 10s", ", max_rows: 7"), "", "max_rows"},
        {best, BEST("k", "sort_by: [{by: price, descending: true}]", "price"),
         "\"best\" keeps state that depends on 'sort_by'", NULL},
        {best, BEST("k", "sort_by: [{by: cost}]", "price"), "depends on 'sort_by'", NULL},
        {best, BEST("k", "sort_by: [{by: price}], until: due", "price"), "depends on 'until'",
         NULL},
        {best, BEST("k", "sort_by: [{by: price}], count: 2", "price"), "depends on 'count'", NULL},
        {best, BEST("k", "sort_by: [{by: price}]", "cost"), "store different fields (cost)", NULL},
        {sorted, SORTED(", max_records: 9", "x: price + 1"), "", "max_records"},
        {sorted, SORTED("", "x: price + cost"), "store different fields (cost)", NULL},
        {sorted, SORTED("", "w: price + 1"), "store different fields (w)", NULL},
        {LAST("k]"), LAST("k], max_records: 5"), "", "max_records"},
        {LAST("k]"), LAST("k], max_bytes: 4KiB"), "depends on 'max_bytes'", NULL},
        {known, KNOWN(", kind: left", "key: [id]", "users.name"), "", "kind"},
        {known, KNOWN("", "key: [name]", "users.name"), "depends on 'key of the table'", NULL},
        {known, KNOWN("", "key: [id]", "users.age"), "different fields (age of", NULL},
        {unkeyed, rekeyed, "\"score\" keeps state that depends on 'key'", NULL},
        {first, WINDOWED("count: 200"), "\"score\" keeps state that depends on 'window'", NULL},
        {WINDOWED("count: 200"), WINDOWED("count: 300"), "depends on 'window'", NULL},
        {first, tuned, "", "threshold"},
        {first, WAITING(""), "\"score\" keeps state that depends on 'order'", "order"},
        {WAITING(""), WAITING(", max_waiting: 9"), "", "max_waiting"},
    };
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct compared compared;
        compare(&compared, cases[index].before, cases[index].after);
        const struct mr_difference_state *kept = &compared.difference.states[0];
        if (cases[index].said[0] == '\0')
            assert_int_equal(check(&compared, NULL, NULL), MR_OK);
        else
            refused(&compared, NULL, cases[index].said);
        if (cases[index].tuned == NULL)
            assert_null(kept->tuned);
        else
            assert_string_equal(kept->tuned, cases[index].tuned);
        mr_arena_deinit(&compared.arena);
    }
}

/* The sentences, whole, with both ways out. */
static void test_what_starts_over_in_place(void **state)
{
    static const char *const sentences[] = {
        "Operator \"w\" keeps state that depends on 'window', which the new version changes: what "
        "is stored would mean something else. Leave it as it was, or let the operator start over: "
        "--drop-state w.",
        "Operator \"pairs\" keeps state that depends on 'kind', which the new version changes: "
        "what is stored would mean something else. Leave it as it was, or let the operator start "
        "over: --drop-state pairs.",
        "Operator \"order\" keeps rows, of which the two versions store different fields (cost): "
        "what waits could not be read. Read the same fields behind it, or let the operator start "
        "over: --drop-state order.",
        "Operator \"last\" keeps state that depends on 'key', which the new version changes: what "
        "is stored would mean something else. Leave it as it was, or let the operator start over: "
        "--drop-state last.",
        "Operator \"score\" was a detect.zscore and keeps state; the new version makes it a "
        "detect.ewma, which cannot read that. Give it another name, or let it start over: "
        "--drop-state score."};
    static const struct {
        const char *before;
        const char *after;
        const char *name;
    } cases[] = {
        {SUM("k", "tumbling: 10s", "size: count()", ""),
         SUM("k", "tumbling: 20s", "size: count()", ""), "w"},
        {pairs, JOINED("after: 10s", ", kind: left"), "pairs"},
        {sorted, SORTED("", "x: price + cost"), "order"},
        {LAST("k]"), LAST("site]"), "last"},
        {first, retyped, "score"},
    };
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct compared compared;
        compare(&compared, cases[index].before, cases[index].after);
        assert_int_equal(check(&compared, NULL, NULL), MR_INVALID);
        assert_string_equal(compared.error.message, sentences[index]);
        assert_int_equal(check(&compared, cases[index].name, NULL), MR_OK);
        mr_arena_deinit(&compared.arena);
    }
}

static void test_names_alone(void **state)
{
    struct mr_arena arena;
    struct mr_error error;
    static const char *const used[] = {"score"};
    (void)state;
    mr_arena_init(&arena, 1 << 16);
    assert_int_equal(
        mr_difference_check_names(used, 1, mr_lane_fixture_plan(&arena, tuned), &error), MR_OK);
    assert_int_equal(
        mr_difference_check_names(used, 1, mr_lane_fixture_plan(&arena, renamed), &error),
        MR_INVALID);
    assert_non_null(strstr(error.message, "\"score\", for which the new version has no part"));
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_version_adds_everything),
        cmocka_unit_test(test_options_and_sources_may_change),
        cmocka_unit_test(test_positions_that_would_mean_something_else_are_refused),
        cmocka_unit_test(test_a_renamed_part_is_refused_until_it_may_be_dropped),
        cmocka_unit_test(test_a_source_that_moves_is_refused),
        cmocka_unit_test(test_another_type_under_the_same_name_starts_over),
        cmocka_unit_test(test_groups_that_would_mean_something_else_are_refused),
        cmocka_unit_test(test_rows_that_would_mean_something_else_are_refused),
        cmocka_unit_test(test_what_starts_over_in_place),
        cmocka_unit_test(test_names_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
