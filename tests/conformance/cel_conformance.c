/* tests/conformance/cel_conformance.c — runs expressions given as lines, for cel_conformance.py.
 * Lines of a test: test NAME, expression HEX, unchecked, container NAME, declare NAME TYPE,
 * bind NAME VALUE, type TYPE, expect value VALUE | expect error, run. Texts are in hexadecimal, "-"
 * when empty. The row under test is the middle one of three, so that rows are not confused with
 * positions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "topology/cel_program.h"

enum { VARIABLES_MAX = 32, LINE_BYTES_MAX = 1 << 16, ROW = 1, ROWS_COUNT = 3 };

struct variable {
    const char *name;
    const struct mr_cel_type *type; /* NULL: bound, not declared */
    struct mr_value value;
};

struct test {
    struct mr_arena arena;
    const char *name;
    const char *expression;
    const char *container;
    const char *type; /* expected, or NULL */
    bool unchecked;
    bool expects_error;
    bool expects_value;
    struct mr_value expected;
    struct variable variables[VARIABLES_MAX];
    uint32_t variables_count;
};

static char *next_word(char **cursor)
{
    return strsep(cursor, " ");
}

static struct mr_slice decode_hex(struct mr_arena *arena, const char *hex)
{
    size_t size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    char *bytes = mr_arena_new(arena, size + 1, 1);
    for (size_t i = 0; i < size; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes[i] = (char)strtoul(digits, NULL, 16);
    }
    return mr_slice_from(bytes, size);
}

static struct mr_value decode_value(struct mr_arena *arena, char **cursor)
{
    const char *kind = next_word(cursor);
    if (*kind == 'n')
        return mr_value_null();
    const char *word = next_word(cursor);
    struct mr_value value = {.kind = MR_KIND_LIST};
    switch (*kind) {
    case 'b':
        return mr_value_bool(*word == '1');
    case 'i':
        return mr_value_int(strtoll(word, NULL, 10));
    case 'u':
        return mr_value_uint(strtoull(word, NULL, 10));
    case 'd':
        return mr_value_double(strtod(word, NULL));
    case 's':
        return mr_value_string(decode_hex(arena, word));
    case 'y':
        return mr_value_bytes(decode_hex(arena, word));
    case 't':
        value = mr_value_string(decode_hex(arena, word));
        value.kind = MR_KIND_TYPE;
        return value;
    default:
        break;
    }
    value.size = (uint32_t)strtoul(word, NULL, 10);
    if (*kind == 'l') {
        struct mr_value *items = mr_arena_new(arena, value.size + 1, sizeof *items);
        for (uint32_t i = 0; i < value.size; i++)
            items[i] = decode_value(arena, cursor);
        value.items = items;
        return value;
    }
    MR_ASSERT(*kind == 'm');
    struct mr_map_entry *entries = mr_arena_new(arena, value.size + 1, sizeof *entries);
    for (uint32_t i = 0; i < value.size; i++) {
        entries[i].key = decode_value(arena, cursor);
        entries[i].value = decode_value(arena, cursor);
    }
    value.kind = MR_KIND_MAP;
    value.entries = entries;
    return value;
}

/* Value equality of the tests: kinds are equal too, and NaN equals NaN. */
static bool same(struct mr_value left, struct mr_value right)
{
    if (left.kind != right.kind)
        return false;
    switch (left.kind) {
    case MR_KIND_DOUBLE:
        return left.number == right.number || (isnan(left.number) && isnan(right.number));
    case MR_KIND_LIST:
        for (uint32_t i = 0; left.size == right.size && i < left.size; i++) {
            if (!same(left.items[i], right.items[i]))
                return false;
        }
        return left.size == right.size;
    case MR_KIND_MAP:
        for (uint32_t i = 0; i < left.size; i++) {
            bool found = false;
            for (uint32_t k = 0; k < right.size && !found; k++)
                found = same(left.entries[i].key, right.entries[k].key) &&
                        same(left.entries[i].value, right.entries[k].value);
            if (!found)
                return false;
        }
        return left.size == right.size;
    case MR_KIND_STRING:
    case MR_KIND_BYTES:
    case MR_KIND_TYPE:
        return mr_slice_equal(mr_value_text(left), mr_value_text(right));
    case MR_KIND_NULL:
        return true;
    case MR_KIND_BOOL:
        return left.boolean == right.boolean;
    default:
        return left.integer == right.integer;
    }
}

static struct variable *find_variable(struct test *test, const char *name)
{
    for (uint32_t i = 0; i < test->variables_count; i++) {
        if (strcmp(test->variables[i].name, name) == 0)
            return &test->variables[i];
    }
    return NULL;
}

static struct variable *add_variable(struct test *test, const char *name)
{
    struct variable *variable = find_variable(test, name);
    if (variable != NULL)
        return variable;
    MR_ASSERT(test->variables_count < VARIABLES_MAX);
    variable = &test->variables[test->variables_count++];
    variable->name = mr_arena_copy_text(&test->arena, name);
    return variable;
}

/* The first `count` steps as a qualified name, NULL when one of them is an index. */
static const char *qualified(struct test *test, const struct mr_path *path, uint32_t count)
{
    const char *name = path->steps[0].name;
    for (uint32_t i = 1; i < count; i++) {
        if (path->steps[i].name == NULL)
            return NULL;
        name = mr_arena_format(&test->arena, "%s.%s", name, path->steps[i].name);
    }
    return name;
}

/* Names as CEL resolves them: the longest prefix, in the container and then in its parents. */
static bool resolve(void *argument, const struct mr_path *path, uint32_t *steps_used,
                    uint32_t *slot, const struct mr_type **type, struct mr_error *error)
{
    struct test *test = argument;
    bool rooted = path->text[0] == '.';
    for (uint32_t count = path->steps_count; count > 0; count--) {
        const char *name = qualified(test, path, count);
        char *scope = mr_arena_copy_text(&test->arena, rooted ? "" : test->container);
        while (name != NULL) {
            const char *full =
                *scope == '\0' ? name : mr_arena_format(&test->arena, "%s.%s", scope, name);
            const struct variable *found = find_variable(test, full);
            if (found != NULL && (found->type != NULL || test->unchecked)) {
                *steps_used = count;
                *slot = (uint32_t)(found - test->variables);
                *type = found->type == NULL || test->unchecked
                            ? NULL
                            : mr_cel_type_to_schema(&test->arena, found->type);
                return true;
            }
            if (*scope == '\0')
                break;
            char *dot = strrchr(scope, '.');
            *(dot == NULL ? scope : dot) = '\0';
        }
    }
    MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "There is no field '%s'.", path->text);
    return false;
}

static struct mr_value run_program(struct test *test, const struct mr_program *program)
{
    struct mr_batch batch;
    struct mr_batch_shape shape = {.slots_count = test->variables_count + 1};
    mr_batch_init(&batch, &test->arena, shape, ROWS_COUNT);
    batch.rows_count = ROWS_COUNT;
    for (uint32_t i = 0; i < test->variables_count; i++)
        mr_batch_column(&batch, i)[ROW] = test->variables[i].value;
    const uint16_t rows[] = {ROW};
    struct mr_view view = {.batch = &batch, .rows = rows, .rows_count = 1};
    struct mr_value results[ROWS_COUNT] = {{.kind = MR_KIND_ABSENT}};
    struct mr_evaluator *evaluator = mr_evaluator_create();
    mr_program_run(program, evaluator, view, 0, results);
    mr_evaluator_destroy(evaluator);
    return results[ROW];
}

static bool verdict(const struct test *test, bool passed, const char *sentence)
{
    if (passed)
        printf("pass %s\n", test->name);
    else
        printf("FAIL %s: %s: %s\n", test->name, test->expression, sentence);
    return passed;
}

static bool run_test(struct test *test)
{
    struct mr_expression_environment environment = {
        .resolve = resolve, .argument = test, .strict = true, .unchecked = test->unchecked};
    struct mr_program *program = NULL;
    struct mr_error error = {0};
    uint32_t column = 0;
    if (mr_expression_compile(&test->arena, test->expression, MR_TYPE_ANY, &environment, &program,
                              &column, &error) != MR_OK)
        return verdict(test, test->expects_error && test->unchecked, error.message);
    const char *type = mr_cel_type_text(&test->arena, program->cel_type);
    if (test->type != NULL && strcmp(type, test->type) != 0)
        return verdict(test, false,
                       mr_arena_format(&test->arena, "type %s, expected %s", type, test->type));
    if (!test->expects_error && !test->expects_value)
        return verdict(test, true, "");
    struct mr_value value = run_program(test, program);
    bool failed = value.kind == MR_KIND_ERROR;
    if (test->expects_error)
        return verdict(test, failed, "no error");
    return verdict(test, same(value, test->expected),
                   failed ? mr_arena_format(&test->arena, "error: %.*s", (int)value.size,
                                            (const char *)value.text)
                          : mr_arena_format(&test->arena, "another value, of kind %s",
                                            mr_kind_name((enum mr_kind)value.kind)));
}

static const struct mr_cel_type *decode_type(struct mr_arena *arena, const char *text)
{
    if (strncmp(text, "map(", 4) == 0)
        return mr_cel_type_simple(MR_KIND_MAP);
    const struct mr_type *type = strcmp(text, "dyn") == 0 ? NULL : mr_type_parse(arena, text);
    return mr_cel_type_from_schema(arena, type);
}

static void begin(struct test *test, const char *name)
{
    mr_arena_reset(&test->arena);
    struct mr_arena arena = test->arena;
    *test = (struct test){.arena = arena, .container = ""};
    test->name = mr_arena_copy_text(&test->arena, name);
}

/* One line of a test; false when it was its end and the test failed. */
static bool take_line(struct test *test, char *line)
{
    char *cursor = line;
    const char *word = next_word(&cursor);
    if (strcmp(word, "run") == 0)
        return run_test(test);
    if (strcmp(word, "test") == 0) {
        begin(test, cursor);
    } else if (strcmp(word, "expression") == 0) {
        struct mr_slice text = decode_hex(&test->arena, cursor);
        test->expression = (const char *)text.data;
    } else if (strcmp(word, "unchecked") == 0) {
        test->unchecked = true;
    } else if (strcmp(word, "container") == 0) {
        test->container = mr_arena_copy_text(&test->arena, cursor);
    } else if (strcmp(word, "declare") == 0) {
        struct variable *variable = add_variable(test, next_word(&cursor));
        variable->type = decode_type(&test->arena, cursor);
    } else if (strcmp(word, "bind") == 0) {
        struct variable *variable = add_variable(test, next_word(&cursor));
        variable->value = decode_value(&test->arena, &cursor);
    } else if (strcmp(word, "type") == 0) {
        test->type = mr_arena_copy_text(&test->arena, cursor);
    } else {
        MR_ASSERT(strcmp(word, "expect") == 0);
        test->expects_error = strcmp(next_word(&cursor), "error") == 0;
        test->expects_value = !test->expects_error;
        if (test->expects_value)
            test->expected = decode_value(&test->arena, &cursor);
    }
    return true;
}

int main(void)
{
    static char line[LINE_BYTES_MAX];
    struct test test = {.container = ""};
    bool success = true;
    mr_arena_init(&test.arena, 1 << 16);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0' && !take_line(&test, line))
            success = false;
    }
    mr_arena_deinit(&test.arena);
    return success ? 0 : 1;
}
