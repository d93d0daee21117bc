/* tests/support/aggregate_fixture.c — see aggregate_fixture.h. */
#include "tests/support/aggregate_fixture.h"

#include "topology/expression.h"

#include <stdio.h>
#include <stdlib.h>

/* Every name is a column of the type that argument points to. */
static bool resolve(void *argument, const struct mr_path *path, uint32_t *steps_used,
                    uint32_t *slot, const struct mr_type **type, struct mr_error *error)
{
    MR_UNUSED(path);
    MR_UNUSED(error);
    *steps_used = 1;
    *slot = 0;
    *type = argument;
    return true;
}

static const struct mr_aggregate_spec *find_spec(const char *name)
{
    uint32_t count;
    const struct mr_aggregate_spec *const *specs = mr_aggregates(&count);
    for (uint32_t index = 0; index < count; index++)
        if (strcmp(specs[index]->name, name) == 0)
            return specs[index];
    fail_msg("there is no function %s", name);
    return NULL;
}

static struct mr_program *compile(struct aggregate_fixture *fixture, enum mr_type_code code)
{
    struct mr_type *type = mr_arena_new(&fixture->arena, 1, sizeof(*type));
    type->code = code;
    struct mr_expression_environment environment = {.resolve = resolve, .argument = type};
    struct mr_program *program;
    uint32_t column;
    enum mr_status status = mr_expression_compile(&fixture->arena, "a", MR_TYPE_ANY, &environment,
                                                  &program, &column, &fixture->error);
    if (status != MR_OK)
        fail_msg("%s", fixture->error.message);
    return program;
}

void aggregate_open(struct aggregate_fixture *fixture, const char *name, uint32_t arguments,
                    const enum mr_type_code *types, const double *parameters, uint32_t piece_bytes)
{
    *fixture = (struct aggregate_fixture){0};
    mr_arena_init(&fixture->arena, 64 << 10);
    struct mr_aggregate_call *call = &fixture->call;
    call->spec = find_spec(name);
    call->name = name;
    call->text = mr_arena_format(&fixture->arena, "%s(a)", name);
    call->arguments_count = arguments;
    for (uint32_t index = 0; index < arguments; index++)
        call->arguments[index] = compile(fixture, types[index]);
    for (uint32_t index = 0; index < call->spec->parameters_count; index++)
        call->parameters[index] =
            parameters != NULL ? parameters[index] : call->spec->parameters[index].default_number;
    enum mr_status status =
        mr_aggregate_prepare(call, piece_bytes, &fixture->aggregate, &fixture->error);
    if (status != MR_OK)
        fail_msg("%s", fixture->error.message);
    aggregate_clear(fixture);
}

void aggregate_close(struct aggregate_fixture *fixture)
{
    mr_arena_deinit(&fixture->arena);
}

static void clear_state(struct aggregate_fixture *fixture, struct aggregate_state *state)
{
    const struct mr_aggregate *aggregate = &fixture->aggregate;
    state->head = mr_arena_new(&fixture->arena, 1, aggregate->head_bytes);
    mr_sketch_scratch_init(&state->scratch, &fixture->arena, aggregate->piece_bytes,
                           aggregate->pieces_max);
}

void aggregate_clear(struct aggregate_fixture *fixture)
{
    for (uint32_t index = 0; index < AGGREGATE_STATES_MAX; index++)
        clear_state(fixture, &fixture->states[index]);
}

static struct mr_sketch_body *body_of(struct aggregate_fixture *fixture, uint32_t state)
{
    return fixture->aggregate.pieces_max == 0 ? NULL : &fixture->states[state].scratch.body;
}

enum mr_status aggregate_add(struct aggregate_fixture *fixture, uint32_t state, struct mr_value a,
                             struct mr_value b, int64_t event_time_ms)
{
    struct mr_aggregate_row row = {.arguments = {a, b}, .event_time_ms = event_time_ms};
    uint8_t *head = fixture->states[state].head;
    struct mr_sketch_body *body = body_of(fixture, state);
    enum mr_status foreseen =
        mr_aggregate_check(&fixture->aggregate, head, body, &row, &fixture->error);
    enum mr_status status =
        mr_aggregate_add(&fixture->aggregate, head, body, &row, &fixture->error);
    assert_int_equal(status, foreseen);
    return status;
}

void aggregate_take(struct aggregate_fixture *fixture, uint32_t state, struct mr_value a)
{
    if (aggregate_add(fixture, state, a, (struct mr_value){0}, 0) != MR_OK)
        fail_msg("%s", fixture->error.message);
}

enum mr_status aggregate_merge(struct aggregate_fixture *fixture, uint32_t state, uint32_t other)
{
    char *before = aggregate_dump(fixture, other);
    enum mr_status status = mr_aggregate_merge(&fixture->aggregate, fixture->states[state].head,
                                               body_of(fixture, state), fixture->states[other].head,
                                               body_of(fixture, other), &fixture->error);
    assert_string_equal(before, aggregate_dump(fixture, other));
    return status;
}

struct mr_value aggregate_result_over(struct aggregate_fixture *fixture, uint32_t state,
                                      int64_t span_ms)
{
    struct mr_aggregate_span span = {.start_ms = 1000, .end_ms = 1000 + span_ms};
    struct mr_value result = {.kind = MR_KIND_ERROR};
    enum mr_status status = mr_aggregate_result(&fixture->aggregate, fixture->states[state].head,
                                                body_of(fixture, state), &span, &fixture->arena,
                                                &result, &fixture->error);
    if (status != MR_OK)
        fail_msg("%s", fixture->error.message);
    return result;
}

struct mr_value aggregate_result(struct aggregate_fixture *fixture, uint32_t state)
{
    return aggregate_result_over(fixture, state, 10000);
}

static char *put_hex(char *output, const uint8_t *bytes, size_t size)
{
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    for (size_t index = 0; index < size; index++) {
        *output++ = "0123456789abcdef"[bytes[index] >> 4];
        *output++ = "0123456789abcdef"[bytes[index] & 15];
    }
    return output;
}

char *aggregate_dump(struct aggregate_fixture *fixture, uint32_t state)
{
    const struct mr_aggregate *aggregate = &fixture->aggregate;
    const struct mr_sketch_scratch *scratch = &fixture->states[state].scratch;
    size_t size = 2 * (size_t)aggregate->head_bytes + 1;
    for (uint32_t index = 0; index < aggregate->pieces_max; index++)
        size += scratch->pieces[index] == NULL ? 0 : 2 * (size_t)aggregate->piece_bytes + 16;
    char *text = mr_arena_take(&fixture->arena, size);
    char *output = put_hex(text, fixture->states[state].head, aggregate->head_bytes);
    for (uint32_t index = 0; index < aggregate->pieces_max; index++) {
        if (scratch->pieces[index] == NULL)
            continue;
        char *start = output;
        output += snprintf(output, 16, " %u:", index);
        char *end = put_hex(output, scratch->pieces[index], aggregate->piece_bytes);
        output = end == output ? start : end; /* read, never written */
    }
    *output = '\0';
    return text;
}

/* ---- Golden files ---- */

void aggregate_golden_add(struct aggregate_golden *golden, struct aggregate_fixture *fixture,
                          uint32_t state)
{
    size_t room = sizeof(golden->text) - golden->size;
    int size = snprintf(golden->text + golden->size, room, "%s %s\n", fixture->call.spec->name,
                        aggregate_dump(fixture, state));
    assert_true(size > 0 && (size_t)size < room);
    golden->size += (size_t)size;
}

void aggregate_golden_check(const struct aggregate_golden *golden, const char *file)
{
    static char expected[sizeof(golden->text)];
    char path[512];
    snprintf(path, sizeof(path), "%s/tests/golden/operators/%s.hex", MR_SOURCE_DIR, file);
    bool update = getenv("MILLRACE_UPDATE_GOLDEN") != NULL;
    FILE *stream = fopen(path, update ? "w" : "r");
    if (stream == NULL)
        fail_msg("cannot open %s", path);
    if (update) {
        assert_int_equal(fwrite(golden->text, 1, golden->size, stream), golden->size);
        assert_int_equal(fclose(stream), 0);
        return;
    }
    size_t size = fread(expected, 1, sizeof(expected) - 1, stream);
    expected[size] = '\0';
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(golden->text, expected);
}

/* ---- Properties ---- */

static void must(struct aggregate_fixture *fixture, enum mr_status status)
{
    if (status != MR_OK)
        fail_msg("%s", fixture->error.message);
}

void aggregate_spread(struct aggregate_fixture *fixture, const struct aggregate_row *rows,
                      uint32_t rows_count, uint64_t seed)
{
    enum { FIRST_PART = 3, PARTS = 8 };
    struct mr_random random;
    uint32_t ends[PARTS];
    mr_random_init(&random, seed, rows_count);
    for (uint32_t part = 0; part < PARTS; part++)
        ends[part] = (uint32_t)mr_random_below(&random, rows_count + 1);
    aggregate_clear(fixture);
    for (uint32_t index = 0; index < rows_count; index++) {
        const struct aggregate_row *row = &rows[index];
        uint32_t part = 0; /* how many cuts lie before the row: parts keep the rows' order */
        for (uint32_t cut = 1; cut < PARTS; cut++)
            part += ends[cut] <= index;
        must(fixture, aggregate_add(fixture, 0, row->a, row->b, row->event_time_ms));
        must(fixture,
             aggregate_add(fixture, FIRST_PART + part, row->a, row->b, row->event_time_ms));
    }
    for (uint32_t part = 0; part < PARTS; part++)
        must(fixture, aggregate_merge(fixture, 1, FIRST_PART + part));
    for (uint32_t step = 1; step < PARTS; step *= 2)
        for (uint32_t part = 0; part + step < PARTS; part += 2 * step)
            must(fixture, aggregate_merge(fixture, FIRST_PART + part, FIRST_PART + part + step));
    must(fixture, aggregate_merge(fixture, 2, FIRST_PART));
}
