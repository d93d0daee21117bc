/* tests/unit/operators/test_aggregate_profile.c — a field's profile beside counts of its own, in
 * one pass and merged from parts; and that of the records. */
#include "operators/aggregate_profile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

enum { PIECE_BYTES = 1024, PARTS = 4, ROWS = 3000, TOP = 5 };

struct profiled {
    struct mr_arena arena;
    struct mr_aggregate_call call;
    struct mr_aggregate aggregate;
    uint8_t head[MR_AGGREGATE_HEAD_BYTES_MAX];
    struct mr_sketch_scratch scratch;
};

static void open(struct profiled *profiled, const struct mr_aggregate_spec *spec, double first,
                 double second)
{
    struct mr_error error;
    memset(profiled, 0, sizeof(*profiled));
    mr_arena_init(&profiled->arena, 64 << 10);
    profiled->call = (struct mr_aggregate_call){.name = "field",
                                                .text = "field",
                                                .spec = spec,
                                                .arguments_count = spec->arguments_max,
                                                .parameters = {first, second}};
    assert_int_equal(
        mr_aggregate_prepare(&profiled->call, PIECE_BYTES, &profiled->aggregate, &error), MR_OK);
    mr_sketch_scratch_init(&profiled->scratch, &profiled->arena, PIECE_BYTES,
                           profiled->aggregate.pieces_max);
}

static void add(struct profiled *profiled, struct mr_value value, struct mr_value verdict,
                int64_t time_ms)
{
    struct mr_error error;
    const struct mr_aggregate_row row = {.arguments = {value, verdict}, .event_time_ms = time_ms};
    assert_int_equal(mr_aggregate_check(&profiled->aggregate, profiled->head,
                                        &profiled->scratch.body, &row, &error),
                     MR_OK);
    assert_int_equal(mr_aggregate_add(&profiled->aggregate, profiled->head, &profiled->scratch.body,
                                      &row, &error),
                     MR_OK);
}

static void merge(struct profiled *profiled, struct profiled *other)
{
    struct mr_error error;
    assert_int_equal(mr_aggregate_merge(&profiled->aggregate, profiled->head,
                                        &profiled->scratch.body, other->head, &other->scratch.body,
                                        &error),
                     MR_OK);
}

static struct mr_value result(struct profiled *profiled)
{
    struct mr_error error;
    struct mr_value value;
    const struct mr_aggregate_span span = {0, 1000};
    assert_int_equal(mr_aggregate_result(&profiled->aggregate, profiled->head,
                                         &profiled->scratch.body, &span, &profiled->arena, &value,
                                         &error),
                     MR_OK);
    return value;
}

static struct mr_value member(struct mr_value map, const char *name)
{
    for (uint32_t index = 0; index < map.size; index++)
        if (mr_slice_equal(mr_value_text(map.entries[index].key), mr_slice_text(name)))
            return map.entries[index].value;
    return (struct mr_value){.kind = MR_KIND_ABSENT};
}

static void assert_near(struct mr_value value, double wanted)
{
    assert_int_equal(value.kind, MR_KIND_DOUBLE);
    if (!(fabs(value.number - wanted) <= 1e-12 * fabs(wanted)))
        fail_msg("%.17g is not %.17g", value.number, wanted);
}

static const struct mr_value none = {.kind = MR_KIND_ABSENT};

/* Every kind, and what is unusable. */
static void kinds_are_counted(void **state)
{
    (void)state;
    struct profiled profiled;
    open(&profiled, &mr_aggregate_profile.spec, TOP, 12);
    char long_text[200];
    memset(long_text, 'x', sizeof(long_text));
    const struct mr_value item = mr_value_int(1);
    const struct mr_value yes = mr_value_bool(true);
    add(&profiled, none, yes, 0);
    add(&profiled, mr_value_null(), yes, 0);
    add(&profiled, mr_value_bool(true), yes, 0);
    add(&profiled, mr_value_int(-7), yes, 0);
    add(&profiled, mr_value_uint(UINT64_MAX), yes, 0);
    add(&profiled, mr_value_double(-0.0), yes, 0);
    add(&profiled, mr_value_double(1e308), yes, 0);
    add(&profiled, mr_value_double((double)NAN), yes, 0);
    add(&profiled, mr_value_double((double)INFINITY), yes, 0);
    add(&profiled, mr_value_error(mr_slice_text("is no int")), yes, 0);
    add(&profiled, mr_value_string(mr_slice_from(long_text, sizeof(long_text))), yes, 0);
    add(&profiled, mr_value_bytes(mr_slice_from(long_text, sizeof(long_text))), yes, 0);
    add(&profiled, (struct mr_value){.kind = MR_KIND_TIMESTAMP, .integer = 5}, yes, 0);
    add(&profiled, (struct mr_value){.kind = MR_KIND_DURATION, .integer = 5}, yes, 0);
    add(&profiled, (struct mr_value){.kind = MR_KIND_LIST, .size = 1, .items = &item},
        mr_value_bool(false), 0);
    add(&profiled, (struct mr_value){.kind = MR_KIND_MAP}, mr_value_error(mr_slice_text("no")), 0);
    struct mr_value found = result(&profiled);
    assert_int_equal(found.size, MR_PROFILE_MEMBERS_COUNT);
    assert_int_equal(member(found, "count").integer, 16);
    assert_int_equal(member(found, "present").integer, 14);
    assert_int_equal(member(found, "missing").integer, 1);
    assert_int_equal(member(found, "null").integer, 1);
    assert_near(member(found, "completeness"), 14.0 / 16);
    assert_int_equal(member(found, "valid").integer, 9);
    assert_int_equal(member(found, "invalid").integer, 5);
    assert_near(member(found, "validity"), 9.0 / 14);
    assert_int_equal(member(found, "distinct").integer, 9);
    assert_near(member(found, "uniqueness"), 1);
    struct mr_value types = member(found, "types");
    assert_int_equal(types.size, 10);
    assert_int_equal(member(types, "int").integer, 2);
    assert_int_equal(member(types, "double").integer, 2);
    assert_int_equal(member(types, "list").integer, 1);
    assert_int_equal(member(types, "object").integer, 1);
    assert_int_equal(member(types, "unusable").integer, 3);
    assert_near(member(found, "min"), -7);
    assert_near(member(found, "max"), 1e308);
    assert_near(member(found, "mean"), ((double)UINT64_MAX - 7) / 3); /* without 1e308 */
    struct mr_value frequent = member(found, "frequent");
    assert_int_equal(frequent.size, TOP);
    mr_arena_deinit(&profiled.arena);
}

static void an_empty_field_says_nothing(void **state)
{
    (void)state;
    struct profiled profiled;
    open(&profiled, &mr_aggregate_profile.spec, TOP, 12);
    add(&profiled, none, none, 0);
    struct mr_value found = result(&profiled);
    static const char *const nulls[] = {"uniqueness", "validity", "min",      "max",
                                        "mean",       "stddev",   "quantiles"};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(nulls); index++)
        assert_int_equal(member(found, nulls[index]).kind, MR_KIND_NULL);
    assert_near(member(found, "completeness"), 0);
    assert_int_equal(member(found, "frequent").size, 0);
    add(&profiled, mr_value_int(3), none, 0);
    found = result(&profiled);
    assert_near(member(found, "mean"), 3);
    assert_int_equal(member(found, "stddev").kind, MR_KIND_NULL);
    assert_near(member(member(found, "quantiles"), "p99"), 3);
    mr_arena_deinit(&profiled.arena);
}

/* The same numbers in one pass and in parts; moments beside two passes in long double. */
static void parts_say_what_one_pass_does(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct profiled whole;
        struct profiled parts[PARTS];
        static double numbers[ROWS];
        struct mr_random random;
        mr_random_init(&random, seed, 2);
        open(&whole, &mr_aggregate_profile.spec, TOP, 10);
        for (uint32_t part = 0; part < PARTS; part++)
            open(&parts[part], &mr_aggregate_profile.spec, TOP, 10);
        double offset = seed % 2 == 0 ? 0 : 1e6;
        for (uint32_t row = 0; row < ROWS; row++) {
            numbers[row] = offset + floor(40 * mr_random_normal(&random));
            struct mr_value verdict = mr_value_bool(numbers[row] > offset);
            add(&whole, mr_value_double(numbers[row]), verdict, row);
            add(&parts[mr_random_below(&random, PARTS)], mr_value_double(numbers[row]), verdict,
                row);
        }
        for (uint32_t part = 1; part < PARTS; part++)
            merge(&parts[0], &parts[part]);
        long double sum = 0;
        long double squares = 0;
        for (uint32_t row = 0; row < ROWS; row++)
            sum += numbers[row];
        for (uint32_t row = 0; row < ROWS; row++)
            squares += (numbers[row] - sum / ROWS) * (numbers[row] - sum / ROWS);
        struct mr_value one = result(&whole);
        struct mr_value other = result(&parts[0]);
        static const char *const exact[] = {"count", "present", "distinct", "valid", "invalid"};
        for (uint32_t index = 0; index < MR_ARRAY_COUNT(exact); index++)
            assert_int_equal(member(one, exact[index]).integer,
                             member(other, exact[index]).integer);
        for (uint32_t index = 0; index < 7; index++)
            assert_true(member(one, "quantiles").entries[index].value.number ==
                        member(other, "quantiles").entries[index].value.number);
        assert_near(member(one, "mean"), (double)(sum / ROWS) + 0.0);
        assert_near(member(other, "stddev"), (double)sqrtl(squares / (ROWS - 1)));
        assert_near(member(one, "stddev"), (double)sqrtl(squares / (ROWS - 1)));
        for (uint32_t part = 0; part < PARTS; part++)
            mr_arena_deinit(&parts[part].arena);
        mr_arena_deinit(&whole.arena);
    }
}

static void records_are_summed_up(void **state)
{
    (void)state;
    struct profiled profiled;
    struct profiled other;
    open(&profiled, &mr_aggregate_profile_records.spec, 100, 0);
    open(&other, &mr_aggregate_profile_records.spec, 100, 0);
    add(&profiled, mr_value_int(100), none, 5);
    add(&profiled, mr_value_int(-20), none, 9);
    merge(&profiled, &other); /* nothing */
    add(&other, mr_value_int(101), none, 7);
    merge(&other, &profiled);
    struct mr_value found = result(&other);
    assert_int_equal(found.items[MR_PROFILE_RECORDS].integer, 3);
    assert_int_equal(found.items[MR_PROFILE_FRESH].integer, 2);
    assert_int_equal(found.items[MR_PROFILE_DELAY_MIN].integer, -20);
    assert_near(found.items[MR_PROFILE_DELAY_MEAN], 181.0 / 3);
    assert_int_equal(found.items[MR_PROFILE_DELAY_MAX].integer, 101);
    assert_int_equal(found.items[MR_PROFILE_LATEST].integer, 9);
    mr_arena_deinit(&profiled.arena);
    mr_arena_deinit(&other.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_counted),
        cmocka_unit_test(an_empty_field_says_nothing),
        cmocka_unit_test(parts_say_what_one_pass_does),
        cmocka_unit_test(records_are_summed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
