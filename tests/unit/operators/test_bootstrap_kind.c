/* tests/unit/operators/test_bootstrap_kind.c — the table of the bootstrap: bytes and back,
 * conditions that change from one making of a sampler to the next. */
#include "operators/bootstrap_kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/support/copula_rows.h"
#include "tests/support/operator_harness.h"

enum { ROWS = MR_LEARNED_DRAW_MAX, COLUMNS = COPULA_ROWS_COLUMNS };

struct drawn {
    struct mr_arena arena;
    struct mr_value cells[COLUMNS][ROWS];
};

struct fixture {
    struct harness harness; /* for its options */
    const struct mr_options *options;
    void *work;
    void *model;
    void *sampler;
};

static void fixture_open(struct fixture *fixture)
{
    const struct mr_learned_kind *kind = &mr_bootstrap_kind;
    struct copula_rows rows;
    harness_open(&fixture->harness,
                 "    - {name: op, type: generate.bootstrap, learn: in, key: [k], reservoir: 256, "
                 "flip: 0.2, "
                 "fields: [a, b, c, d, e, f]}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    fixture->options = &fixture->harness.node->options;
    fixture->work = kind->work_create(fixture->options);
    fixture->model = kind->model_create(fixture->options);
    fixture->sampler = kind->sampler_create(fixture->options, MR_LEARNED_CONDITIONS_MAX);
    copula_rows_make(&rows, 1024, 5, 0);
    kind->begin(fixture->model, 7);
    for (uint32_t row = 0; row < rows.count; row += 256) {
        const struct mr_learned_block block = {
            .cells = rows.cells + (size_t)row * COLUMNS, .rows_count = 256, .decay = 0.01};
        kind->learn(fixture->model, fixture->work, &block);
    }
    copula_rows_free(&rows);
}

static void fixture_close(struct fixture *fixture)
{
    mr_bootstrap_kind.work_destroy(fixture->work);
    mr_bootstrap_kind.model_destroy(fixture->model);
    mr_bootstrap_kind.sampler_destroy(fixture->sampler);
    harness_close(&fixture->harness);
}

static void draw(struct fixture *fixture, const void *model,
                 struct mr_learned_conditions conditions, struct drawn *drawn)
{
    const struct mr_learned_kind *kind = &mr_bootstrap_kind;
    struct mr_value *columns[COLUMNS];
    struct mr_error error = {0};
    mr_arena_init(&drawn->arena, 1 << 16);
    for (uint32_t column = 0; column < COLUMNS; column++)
        columns[column] = drawn->cells[column];
    assert_int_equal(kind->sampler_make(fixture->sampler, model, fixture->work, conditions, &error),
                     MR_OK);
    kind->draw(fixture->sampler, model, 7, 1000, ROWS, &drawn->arena, columns);
}

static void assert_same(const struct drawn *one, const struct drawn *other)
{
    for (uint32_t column = 0; column < COLUMNS; column++)
        for (uint32_t row = 0; row < ROWS; row++)
            assert_true(mr_value_equal(one->cells[column][row], other->cells[column][row]));
}

static void bytes_draw_the_same_rows(void **state)
{
    MR_UNUSED(state);
    const struct mr_learned_kind *kind = &mr_bootstrap_kind;
    struct fixture fixture;
    struct drawn drawn;
    struct drawn again;
    fixture_open(&fixture);
    draw(&fixture, fixture.model, (struct mr_learned_conditions){0}, &drawn);
    uint8_t *bytes = mr_memory_new(kind->bytes_max(fixture.options), 1);
    size_t size = kind->encode(fixture.model, bytes);
    void *other = kind->model_create(fixture.options);
    kind->begin(other, 7);
    assert_true(kind->decode(other, mr_slice_from(bytes, size)));
    draw(&fixture, other, (struct mr_learned_conditions){0}, &again);
    assert_same(&drawn, &again);
    assert_false(kind->decode(other, mr_slice_from(bytes, size - 1)));
    kind->model_destroy(other);
    mr_memory_free(bytes);
    mr_arena_deinit(&drawn.arena);
    mr_arena_deinit(&again.arena);
    fixture_close(&fixture);
}

/* One sampler serves one request after the other. */
static void conditions_change(void **state)
{
    MR_UNUSED(state);
    static const struct mr_copula_condition above = {
        .column = 1, .name = "b", .lowest = 45, .highest = 1e9};
    static const struct mr_copula_condition beyond = {
        .column = 1, .name = "b", .lowest = 1e6, .highest = 1e9};
    struct fixture fixture;
    struct drawn free_rows;
    struct drawn bound;
    struct drawn again;
    struct mr_error error = {0};
    fixture_open(&fixture);
    draw(&fixture, fixture.model, (struct mr_learned_conditions){0}, &free_rows);
    assert_true(mr_bootstrap_kind.probability(fixture.sampler) == 1);
    draw(&fixture, fixture.model, (struct mr_learned_conditions){&above, 1}, &bound);
    for (uint32_t row = 0; row < ROWS; row++)
        assert_true(bound.cells[1][row].number >= 45);
    double probability = mr_bootstrap_kind.probability(fixture.sampler);
    assert_true(probability > 0.2 && probability < 0.5);
    assert_int_equal(mr_bootstrap_kind.sampler_make(fixture.sampler, fixture.model, fixture.work,
                                                    (struct mr_learned_conditions){&beyond, 1},
                                                    &error),
                     MR_INVALID);
    draw(&fixture, fixture.model, (struct mr_learned_conditions){0}, &again);
    assert_same(&free_rows, &again);
    mr_arena_deinit(&free_rows.arena);
    mr_arena_deinit(&bound.arena);
    mr_arena_deinit(&again.arena);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_draw_the_same_rows),
        cmocka_unit_test(conditions_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
