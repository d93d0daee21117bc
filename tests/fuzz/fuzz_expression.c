/* tests/fuzz/fuzz_expression.c — any text compiles or is refused with a sentence, and what compiles
 * runs over cells of every kind. Oracle beside the sanitizers: a row's result does not depend on
 * the other rows of the view. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "topology/cel_value.h"
#include "topology/expression.h"

enum { ROWS_COUNT = 6, SLOTS_COUNT = 4, TEXT_BYTES_MAX = 4096 };

static const struct mr_type types[SLOTS_COUNT] = {{.code = MR_TYPE_ANY},
                                                  {.code = MR_TYPE_DOUBLE},
                                                  {.code = MR_TYPE_STRING},
                                                  {.code = MR_TYPE_ANY}};

/* One-letter names a, b, c, d are fields; every other name is unknown. */
static bool resolve(void *argument, const struct mr_path *path, uint32_t *steps_used,
                    uint32_t *slot, const struct mr_type **type, struct mr_error *error)
{
    (void)argument;
    const char *name = path->steps[0].name;
    if (name[0] < 'a' || name[0] >= 'a' + SLOTS_COUNT || name[1] != '\0') {
        MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "There is no field '%s'.",
                path->text);
        return false;
    }
    *steps_used = 1;
    *slot = (uint32_t)(name[0] - 'a');
    *type = &types[*slot];
    return true;
}

static struct mr_value text(const char *content)
{
    return mr_value_string(mr_slice_text(content));
}

static void fill(struct mr_batch *batch)
{
    static struct mr_value items[4];
    static struct mr_map_entry entries[3];
    items[0] = (struct mr_value){
        .kind = MR_KIND_INT, .flags = MR_VALUE_UNDECLARED, .integer = 9007199254740993};
    items[1] = text("\xC3\xBF\xF0\x9F\x90\xB1 a");
    items[2] = mr_value_null();
    items[3] = mr_value_double(0.5);
    const struct mr_value list = {.kind = MR_KIND_LIST, .size = 4, .items = items};
    entries[0] = (struct mr_map_entry){text("a"), list};
    entries[1] = (struct mr_map_entry){text("b"), mr_value_bool(true)};
    entries[2] = (struct mr_map_entry){text("d"), mr_value_double(-3)};
    const struct mr_value map = {.kind = MR_KIND_MAP, .size = 3, .entries = entries};
    const struct mr_value cells[ROWS_COUNT][SLOTS_COUNT] = {
        {list, mr_value_double(1.5), mr_value_string(mr_slice_from(NULL, 0)), map},
        {mr_value_int(INT64_MIN), mr_value_null(), text("abc, d\xC3\xBF"), list},
        {mr_value_uint(UINT64_MAX), mr_value_double(1e300), text("2026-01-28T10:30:00Z"), items[0]},
        {{.kind = MR_KIND_ABSENT}, mr_value_error(mr_slice_text("bad")), text("1h2m"), items[2]},
        {{.kind = MR_KIND_TIMESTAMP, .integer = INT64_MIN},
         mr_value_double(-0.0),
         mr_value_bytes(mr_slice_text("\xFFz")),
         {.kind = MR_KIND_DURATION, .integer = -1}},
        {text("aaaaaaaaaaaaaaaaaaaaaaaa"),
         {.kind = MR_KIND_REMOVED},
         text("[a-z]+"),
         {.kind = MR_KIND_JSON, .size = 2, .text = (const uint8_t *)"{}"}},
    };
    for (uint32_t row = 0; row < ROWS_COUNT; row++) {
        for (uint32_t slot = 0; slot < SLOTS_COUNT; slot++)
            mr_batch_column(batch, slot)[row] = cells[row][slot];
    }
}

/* The same value, errors by their kind alone: their text names what was seen first. */
static bool same(struct mr_arena *arena, struct mr_value left, struct mr_value right)
{
    struct mr_cel_context context = {.arena = arena, .strict = true};
    if (left.kind != right.kind)
        return false;
    bool nan = left.kind == MR_KIND_DOUBLE && left.number != left.number;
    bool deep = left.kind == MR_KIND_LIST || left.kind == MR_KIND_MAP; /* may hold NaN */
    if (nan || left.kind == MR_KIND_ERROR || deep)
        return left.kind == MR_KIND_ERROR || nan || left.size == right.size;
    return mr_cel_equal(&context, left, right);
}

static void run(struct mr_arena *arena, struct mr_evaluator *evaluator,
                const struct mr_program *program)
{
    struct mr_batch batch;
    mr_batch_init(&batch, arena, (struct mr_batch_shape){.slots_count = SLOTS_COUNT}, ROWS_COUNT);
    batch.rows_count = ROWS_COUNT;
    fill(&batch);
    struct mr_value together[ROWS_COUNT];
    struct mr_value alone[ROWS_COUNT];
    mr_program_run(program, evaluator, mr_batch_view(&batch), 1700000000000, together);
    for (uint16_t row = 0; row < ROWS_COUNT; row++) {
        struct mr_view view = {.batch = &batch, .rows = &row, .rows_count = 1};
        mr_program_run(program, evaluator, view, 1700000000000, alone);
        MR_ASSERT(together[row].kind > MR_KIND_REMOVED && together[row].kind < MR_KIND_COUNT);
        MR_ASSERT(same(arena, together[row], alone[row]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mr_evaluator *evaluator;
    if (size < 1 || size > TEXT_BYTES_MAX)
        return 0;
    if (evaluator == NULL)
        evaluator = mr_evaluator_create();
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    const char *expression = mr_arena_copy_bytes_text(&arena, data + 1, size - 1);
    struct mr_expression_environment environment = {
        .resolve = resolve, .strict = (data[0] & 1) != 0, .unchecked = (data[0] & 2) != 0};
    struct mr_program *program = NULL;
    struct mr_error error = {0};
    uint32_t column = 0;
    if (mr_expression_compile(&arena, expression, MR_TYPE_ANY, &environment, &program, &column,
                              &error) == MR_OK) {
        run(&arena, evaluator, program);
    } else {
        MR_ASSERT(column >= 1 && column <= strlen(expression) + 1);
        MR_ASSERT(error.status == MR_INVALID && error.message[0] != '\0');
    }
    mr_arena_deinit(&arena);
    return 0;
}
