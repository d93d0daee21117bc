/* tests/unit/operators/test_aggregate.c — the table of functions, and what holds for all. */
#include "tests/support/aggregate_fixture.h"

#include <math.h>

static const enum mr_type_code any[] = {MR_TYPE_ANY, MR_TYPE_ANY};

static void the_table_is_sorted_and_whole(void **state)
{
    (void)state;
    uint32_t count;
    const struct mr_aggregate_spec *const *specs = mr_aggregates(&count);
    assert_int_equal(count, 21);
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_aggregate_spec *spec = specs[index];
        print_message("%s\n", spec->name);
        assert_true(index == 0 || strcmp(specs[index - 1]->name, spec->name) < 0);
        assert_true(strlen(spec->help) > 20 && spec->help[strlen(spec->help) - 1] == '.');
        assert_true(spec->arguments_min <= spec->arguments_max);
        assert_true(spec->arguments_max <= MR_AGGREGATE_ARGUMENTS_MAX);
        for (uint32_t argument = 0; argument < spec->arguments_max; argument++)
            assert_non_null(spec->argument_names[argument]);
        assert_true(spec->parameters_count <= MR_AGGREGATE_PARAMETERS_MAX);
        for (uint32_t i = 0; i < spec->parameters_count; i++) {
            const struct mr_aggregate_parameter *parameter = &spec->parameters[i];
            assert_true(parameter->name != NULL && parameter->help != NULL);
            assert_true(parameter->minimum < parameter->maximum);
            assert_true(parameter->required || (parameter->default_number >= parameter->minimum &&
                                                parameter->default_number <= parameter->maximum));
        }
    }
}

/* All parameters at their least: required ones have no default. */
static void open_each(struct aggregate_fixture *fixture, const struct mr_aggregate_spec *spec,
                      uint32_t piece_bytes)
{
    double parameters[MR_AGGREGATE_PARAMETERS_MAX] = {0};
    for (uint32_t i = 0; i < spec->parameters_count; i++)
        parameters[i] = spec->parameters[i].required ? spec->parameters[i].minimum
                                                     : spec->parameters[i].default_number;
    aggregate_open(fixture, spec->name, spec->arguments_max, any, parameters, piece_bytes);
}

static void zeros_are_an_empty_state(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    uint32_t count;
    const struct mr_aggregate_spec *const *specs = mr_aggregates(&count);
    for (uint32_t index = 0; index < count; index++) {
        const char *name = specs[index]->name;
        open_each(&fixture, specs[index], AGGREGATE_PIECE_BYTES);
        struct mr_value result = aggregate_result(&fixture, 0);
        if (result.kind == MR_KIND_INT)
            assert_int_equal(result.integer, 0);
        else if (result.kind == MR_KIND_LIST)
            assert_int_equal(result.size, 0);
        else
            assert_true(result.kind == MR_KIND_NULL || strcmp(name, "rate") == 0);
        assert_int_equal(aggregate_merge(&fixture, 0, 1), MR_OK);
        assert_string_equal(aggregate_dump(&fixture, 0), "");
        /* NULL and absent are skipped. */
        aggregate_add(&fixture, 0, mr_value_null(), mr_value_null(), 5);
        assert_int_equal(aggregate_add(&fixture, 0, (struct mr_value){0}, mr_value_int(1), 5),
                         MR_OK);
        assert_string_equal(aggregate_dump(&fixture, 0), "");
        aggregate_close(&fixture);
    }
}

static void a_row_that_fails_changes_nothing(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    uint32_t count;
    const struct mr_aggregate_spec *const *specs = mr_aggregates(&count);
    struct mr_value number = mr_value_double((double)NAN);
    /* Most take no list, and those that keep values none with such a number in it. */
    struct mr_value list = {.kind = MR_KIND_LIST, .size = 1, .items = &number};
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_aggregate_spec *spec = specs[index];
        if (strcmp(spec->name, "count") == 0)
            continue; /* takes everything */
        open_each(&fixture, spec, AGGREGATE_PIECE_BYTES);
        assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(7), mr_value_int(2), 3), MR_OK);
        const char *before = aggregate_dump(&fixture, 0);
        assert_int_equal(aggregate_add(&fixture, 0, list, mr_value_int(3), 1), MR_INVALID);
        assert_int_equal(fixture.error.recovery, MR_RECOVERY_NONE);
        assert_non_null(strstr(fixture.error.message, spec->name));
        assert_int_equal(aggregate_add(&fixture, 0, number, mr_value_int(3), 1), MR_INVALID);
        assert_string_equal(before, aggregate_dump(&fixture, 0));
        aggregate_close(&fixture);
    }
}

static void heads_are_small(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t arguments;
        enum mr_type_code type;
        uint32_t head_bytes;
    } sizes[] = {{"count", 0, MR_TYPE_ANY, 8},      {"count", 1, MR_TYPE_ANY, 8},
                 {"sum", 1, MR_TYPE_ANY, 24},       {"avg", 1, MR_TYPE_DOUBLE, 24},
                 {"min", 1, MR_TYPE_DOUBLE, 16},    {"max", 1, MR_TYPE_ANY, 72},
                 {"var", 1, MR_TYPE_ANY, 24},       {"rate", 0, MR_TYPE_ANY, 8},
                 {"rate", 1, MR_TYPE_ANY, 24},      {"first", 1, MR_TYPE_INT, 24},
                 {"last", 1, MR_TYPE_STRING, 144},  {"argmax", 2, MR_TYPE_INT, 40},
                 {"covariance", 2, MR_TYPE_INT, 48}};
    for (size_t index = 0; index < MR_ARRAY_COUNT(sizes); index++) {
        struct aggregate_fixture fixture;
        const enum mr_type_code types[] = {sizes[index].type, sizes[index].type};
        aggregate_open(&fixture, sizes[index].name, sizes[index].arguments, types, NULL, 4096);
        assert_int_equal(fixture.aggregate.head_bytes, sizes[index].head_bytes);
        assert_int_equal(fixture.aggregate.pieces_max, 0);
        assert_int_equal(fixture.aggregate.piece_bytes, 0);
        assert_true(mr_aggregate_is_light(&fixture.aggregate));
        aggregate_close(&fixture);
    }
}

static void what_asks_for_too_much_is_refused(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    const double parameters[] = {1000, 1000};
    aggregate_open(&fixture, "collect", 1, any, parameters, 256);
    fixture.call.parameters[0] = 10000;
    assert_int_equal(mr_aggregate_prepare(&fixture.call, 256, &fixture.aggregate, &fixture.error),
                     MR_LIMIT);
    assert_int_equal(fixture.error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_string_equal(fixture.error.message,
                        "collect(a) asks for a state of 39258 pieces of 256 bytes, and 4096 is the "
                        "most: make its parameters smaller");
    aggregate_close(&fixture);
}

static void scratch_bodies_read_as_zeros(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_sketch_scratch scratch;
    struct mr_error error;
    uint8_t *bytes;
    mr_arena_init(&arena, 4096);
    mr_sketch_scratch_init(&scratch, &arena, 256, 3);
    assert_int_equal(scratch.body.piece_bytes, 256);
    assert_int_equal(scratch.body.piece(&scratch.body, 2, false, &bytes, &error), MR_OK);
    for (uint32_t index = 0; index < 256; index++)
        assert_int_equal(bytes[index], 0);
    assert_int_equal(scratch.body.piece(&scratch.body, 0, true, &bytes, &error), MR_OK);
    bytes[255] = 9;
    assert_int_equal(scratch.body.piece(&scratch.body, 2, false, &bytes, &error), MR_OK);
    assert_int_equal(bytes[255], 0);
    assert_int_equal(scratch.body.piece(&scratch.body, 0, false, &bytes, &error), MR_OK);
    assert_int_equal(bytes[255], 9);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sorted_and_whole),
        cmocka_unit_test(zeros_are_an_empty_state),
        cmocka_unit_test(a_row_that_fails_changes_nothing),
        cmocka_unit_test(heads_are_small),
        cmocka_unit_test(what_asks_for_too_much_is_refused),
        cmocka_unit_test(scratch_bodies_read_as_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
