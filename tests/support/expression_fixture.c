/* tests/support/expression_fixture.c — see expression_fixture.h. */
#include "tests/support/expression_fixture.h"

enum { FIELDS_MAX = 24, ROW = 1, ROWS_COUNT = 3 };

struct field {
    const char *path;
    enum mr_type_code type;
    struct mr_value value;
};

static const struct mr_value null_cell = {.kind = MR_KIND_NULL};
static const struct mr_type types[] = {
    [MR_TYPE_ANY] = {.code = MR_TYPE_ANY},
    [MR_TYPE_BOOL] = {.code = MR_TYPE_BOOL},
    [MR_TYPE_INT] = {.code = MR_TYPE_INT},
    [MR_TYPE_UINT] = {.code = MR_TYPE_UINT},
    [MR_TYPE_DOUBLE] = {.code = MR_TYPE_DOUBLE},
    [MR_TYPE_STRING] = {.code = MR_TYPE_STRING},
    [MR_TYPE_BYTES] = {.code = MR_TYPE_BYTES},
    [MR_TYPE_TIMESTAMP] = {.code = MR_TYPE_TIMESTAMP},
    [MR_TYPE_DURATION] = {.code = MR_TYPE_DURATION},
    [MR_TYPE_LIST] = {.code = MR_TYPE_LIST, .element = &types[MR_TYPE_STRING]},
};

static struct mr_value undeclared(int64_t integer)
{
    return (struct mr_value){.kind = MR_KIND_INT, .flags = MR_VALUE_UNDECLARED, .integer = integer};
}

static struct mr_value text(const char *content)
{
    return mr_value_string(mr_slice_text(content));
}

static struct mr_value nested(void)
{
    static struct mr_value numbers[2];
    static struct mr_map_entry inner[1];
    static struct mr_map_entry outer[3];
    numbers[0] = undeclared(10);
    numbers[1] = undeclared(20);
    inner[0] =
        (struct mr_map_entry){text("y"), {.kind = MR_KIND_LIST, .size = 2, .items = numbers}};
    outer[0] = (struct mr_map_entry){text("x"), mr_value_double(1.5)};
    outer[1] = (struct mr_map_entry){text("in"), undeclared(2)};
    outer[2] =
        (struct mr_map_entry){text("deep"), {.kind = MR_KIND_MAP, .size = 1, .entries = inner}};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = 3, .entries = outer};
}

static uint32_t fill(struct field fields[FIELDS_MAX])
{
    static struct mr_value tags[3];
    static struct mr_value numbers[3];
    static const uint8_t raw[] = {0xFF, 0x00, 0x61};
    for (int i = 0; i < 3; i++)
        tags[i] = text(i == 0 ? "a" : i == 1 ? "b" : "c");
    numbers[0] = undeclared(1);
    numbers[1] = mr_value_double(2.5);
    numbers[2] = undeclared(4);
    const struct field all[] = {
        {"value", MR_TYPE_ANY, mr_value_double(2.5)},
        {"flag", MR_TYPE_ANY, mr_value_bool(true)},
        {"whole", MR_TYPE_ANY, undeclared(7)},
        {"temperature", MR_TYPE_DOUBLE, mr_value_double(21.5)},
        {"id", MR_TYPE_INT, mr_value_int(42)},
        {"size_u", MR_TYPE_UINT, mr_value_uint(9)},
        {"name", MR_TYPE_STRING, text("sensor-a")},
        {"none", MR_TYPE_ANY, null_cell},
        {"gone", MR_TYPE_ANY, {.kind = MR_KIND_ABSENT}},
        {"broken", MR_TYPE_ANY, mr_value_error(mr_slice_text("a broken field"))},
        {"tags", MR_TYPE_LIST, {.kind = MR_KIND_LIST, .size = 3, .items = tags}},
        {"numbers", MR_TYPE_ANY, {.kind = MR_KIND_LIST, .size = 3, .items = numbers}},
        {"pos", MR_TYPE_ANY, nested()},
        {"at", MR_TYPE_TIMESTAMP, {.kind = MR_KIND_TIMESTAMP, .integer = 1769596200250000000}},
        {"wait", MR_TYPE_DURATION, {.kind = MR_KIND_DURATION, .integer = 90000000000}},
        {"raw", MR_TYPE_BYTES, mr_value_bytes(mr_slice_from(raw, sizeof raw))},
        {"anomaly.score", MR_TYPE_DOUBLE, mr_value_double(0.75)},
        {"double", MR_TYPE_ANY, {.kind = MR_KIND_ABSENT}},
        {"string", MR_TYPE_ANY, text("a field")},
        {"in", MR_TYPE_ANY, text("reserved")},
        {"ms", MR_TYPE_ANY, undeclared(250)},
    };
    _Static_assert(MR_ARRAY_COUNT(all) <= FIELDS_MAX, "room for all fields");
    memcpy(fields, all, sizeof all);
    return MR_ARRAY_COUNT(all);
}

static bool resolve(void *argument, const struct mr_path *path, uint32_t *steps_used,
                    uint32_t *slot, const struct mr_type **type, struct mr_error *error)
{
    struct field fields[FIELDS_MAX];
    uint32_t count = fill(fields);
    (void)argument;
    for (uint32_t i = 0; i < count; i++) {
        bool two = path->steps_count > 1 && path->steps[1].name != NULL &&
                   strcmp(fields[i].path, "anomaly.score") == 0 &&
                   strcmp(path->steps[0].name, "anomaly") == 0 &&
                   strcmp(path->steps[1].name, "score") == 0;
        if (!two && strcmp(fields[i].path, path->steps[0].name) != 0)
            continue;
        *steps_used = two ? 2 : 1;
        *slot = i;
        *type = &types[fields[i].type];
        return true;
    }
    MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "There is no field '%s'.", path->text);
    return false;
}

int expression_setup(void **state)
{
    static struct expression_fixture fixture;
    fixture = (struct expression_fixture){.environment = {.resolve = resolve}};
    mr_arena_init(&fixture.arena, 1 << 16);
    fixture.evaluator = mr_evaluator_create();
    *state = &fixture;
    return 0;
}

int expression_teardown(void **state)
{
    struct expression_fixture *fixture = *state;
    mr_evaluator_destroy(fixture->evaluator);
    mr_arena_deinit(&fixture->arena);
    return 0;
}

const struct mr_program *expression_compile(struct expression_fixture *fixture, const char *text_in)
{
    struct mr_program *program = NULL;
    enum mr_status status =
        mr_expression_compile(&fixture->arena, text_in, MR_TYPE_ANY, &fixture->environment,
                              &program, &fixture->column, &fixture->error);
    assert_true((status == MR_OK) == (program != NULL));
    return program;
}

struct mr_value expression_run(struct expression_fixture *fixture, const struct mr_program *program)
{
    struct field fields[FIELDS_MAX];
    uint32_t count = fill(fields);
    struct mr_batch batch;
    mr_batch_init(&batch, &fixture->arena, (struct mr_batch_shape){.slots_count = FIELDS_MAX},
                  ROWS_COUNT);
    batch.rows_count = ROWS_COUNT;
    for (uint32_t i = 0; i < count; i++)
        mr_batch_column(&batch, i)[ROW] = fields[i].value;
    const uint16_t rows[] = {ROW};
    struct mr_view view = {.batch = &batch, .rows = rows, .rows_count = 1};
    struct mr_value result[ROWS_COUNT];
    mr_program_run(program, fixture->evaluator, view, EXPRESSION_NOW_MS * INT64_C(1000), result);
    return result[ROW];
}

struct mr_value expression_value(struct expression_fixture *fixture, const char *text_in)
{
    const struct mr_program *program = expression_compile(fixture, text_in);
    if (program == NULL)
        fail_msg("%s: refused at %u: %s", text_in, fixture->column, fixture->error.message);
    return expression_run(fixture, program);
}

void expression_assert_true(struct expression_fixture *fixture, const char *const *texts,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mr_value value = expression_value(fixture, texts[i]);
        if (value.kind == MR_KIND_ERROR)
            fail_msg("%s: error: %.*s", texts[i], (int)value.size, (const char *)value.text);
        if (value.kind != MR_KIND_BOOL || !value.boolean)
            fail_msg("%s: not true but of kind %s", texts[i],
                     mr_kind_name((enum mr_kind)value.kind));
    }
}

void expression_assert_refused(struct expression_fixture *fixture,
                               const struct expression_problem *problems, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (expression_compile(fixture, problems[i].text) != NULL)
            fail_msg("%s: not refused", problems[i].text);
        if (strstr(fixture->error.message, problems[i].part) == NULL)
            fail_msg("%s: '%s' does not say '%s'", problems[i].text, fixture->error.message,
                     problems[i].part);
        if (problems[i].column != 0 && problems[i].column != fixture->column)
            fail_msg("%s: column %u, expected %u", problems[i].text, fixture->column,
                     problems[i].column);
    }
}

void expression_assert_errors(struct expression_fixture *fixture,
                              const struct expression_problem *problems, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mr_value value = expression_value(fixture, problems[i].text);
        if (value.kind != MR_KIND_ERROR)
            fail_msg("%s: no error", problems[i].text);
        const char *message = mr_arena_copy_bytes_text(&fixture->arena, value.text, value.size);
        if (strstr(message, problems[i].part) == NULL)
            fail_msg("%s: '%s' does not say '%s'", problems[i].text, message, problems[i].part);
    }
}
