/* operators/quality_checks.c — see quality_checks.h.
 * Design: checks run one behind the other over all rows of a view, so that each loop reads one
 * column; what they find is a bit per row and check. Sentences are made for violations alone, and
 * afterwards. */
#include "operators/quality_checks.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/number.h"
#include "record/json_write.h"

enum { SHOWN_BYTES = 60, SHOWN_VALUES = 8 };

enum parameter {
    WITH_FIELD = 1u << 0,
    WITH_WHERE = 1u << 1,
    WITH_BOUNDS = 1u << 2,
    WITH_VALUES = 1u << 3,
    WITH_PATTERN = 1u << 4,
    WITH_OF = 1u << 5,
    WITH_REFERENCES = 1u << 6,
    WITH_MOSTLY = 1u << 7
};

static const char *const expects[] = {"where",
                                      "not_null",
                                      "type",
                                      "between",
                                      "in_set",
                                      "matches",
                                      "references",
                                      "unique",
                                      "row_count_between",
                                      "mean_between",
                                      "stdev_between",
                                      "min_between",
                                      "max_between",
                                      NULL};

static const char *const types[] = {"string",    "number", "integer", "boolean",
                                    "timestamp", "list",   "object",  NULL};
enum type { OF_STRING, OF_NUMBER, OF_INTEGER, OF_BOOLEAN, OF_TIMESTAMP, OF_LIST, OF_OBJECT };

const char *const mr_quality_severities[] = {"info", "warning", "critical", NULL};

/* What each expectation must have, what it may have, and both in words. */
static const struct {
    uint32_t must;
    uint32_t may;
    const char *words;
} needs[MR_EXPECTS_COUNT] = {
    [MR_EXPECT_WHERE] = {WITH_WHERE, WITH_MOSTLY, "where, a condition"},
    [MR_EXPECT_NOT_NULL] = {WITH_FIELD, WITH_MOSTLY, "field"},
    [MR_EXPECT_TYPE] = {WITH_FIELD | WITH_OF, WITH_MOSTLY, "field and of, a type"},
    [MR_EXPECT_BETWEEN] = {WITH_FIELD | WITH_BOUNDS, WITH_MOSTLY, "field, and min, max or both"},
    [MR_EXPECT_IN_SET] = {WITH_FIELD | WITH_VALUES, WITH_MOSTLY, "field and values, a list"},
    [MR_EXPECT_MATCHES] = {WITH_FIELD | WITH_PATTERN, WITH_MOSTLY, "field and pattern"},
    [MR_EXPECT_REFERENCES] = {WITH_REFERENCES, WITH_FIELD | WITH_MOSTLY,
                              "references, a field of what a join with the table added, as in "
                              "customers.id, and may have field, the key that was looked up"},
    [MR_EXPECT_UNIQUE] = {WITH_FIELD, WITH_MOSTLY, "field"},
    [MR_EXPECT_ROW_COUNT] = {WITH_BOUNDS, 0, "min, max or both"},
    [MR_EXPECT_MEAN] = {WITH_FIELD | WITH_BOUNDS, 0, "field, and min, max or both"},
    [MR_EXPECT_STDEV] = {WITH_FIELD | WITH_BOUNDS, 0, "field, and min, max or both"},
    [MR_EXPECT_MIN] = {WITH_FIELD | WITH_BOUNDS, 0, "field, and min, max or both"},
    [MR_EXPECT_MAX] = {WITH_FIELD | WITH_BOUNDS, 0, "field, and min, max or both"},
};

static const struct {
    uint32_t parameter;
    const char *option;
} parameters[] = {
    {WITH_FIELD, "field"}, {WITH_WHERE, "where"},           {WITH_BOUNDS, "min"},
    {WITH_BOUNDS, "max"},  {WITH_VALUES, "values"},         {WITH_PATTERN, "pattern"},
    {WITH_OF, "of"},       {WITH_REFERENCES, "references"}, {WITH_MOSTLY, "mostly"},
};

const struct mr_option_spec mr_quality_check_options[] = {
    {.name = "name",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The check's name, by which it is reported: a letter, then letters, digits, _ and -."},
    {.name = "expect",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "where",
     .choices = expects,
     .help = "What is expected of each record: where (a condition), not_null, type, between, "
             "in_set, matches, references; of the records of a batch or window together: unique, "
             "row_count_between, mean_between, stdev_between (sample standard deviation), "
             "min_between, max_between."},
    {.name = "field",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "The field that is looked at. Where it is missing or null only not_null is violated."},
    {.name = "where",
     .type = MR_OPTION_EXPRESSION,
     .help = "where: a CEL condition, over several fields if need be. One that cannot be computed "
             "is violated: guard fields that may be missing by has()."},
    {.name = "min",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e300,
     .maximum = 1e300,
     .help = "The least number, inclusive; without it there is none."},
    {.name = "max",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e300,
     .maximum = 1e300,
     .help = "The largest number, inclusive; without it there is none."},
    {.name = "values",
     .type = MR_OPTION_STRINGS,
     .minimum = 1,
     .maximum = MR_QUALITY_VALUES_MAX,
     .help = "in_set: the values, 1 to 1,000, as texts; \"1\" also stands for the number and "
             "\"true\" for the boolean."},
    {.name = "pattern",
     .type = MR_OPTION_STRING,
     .help = "matches: a regular expression in RE2's syntax, matched in linear time. It may match "
             "anywhere: anchor it by ^ and $ to mean the whole text."},
    {.name = "of",
     .type = MR_OPTION_CHOICE,
     .choices = types,
     .help = "type: string, number, integer (a number without a fraction), boolean, timestamp (or "
             "a text in RFC 3339), list or object."},
    {.name = "references",
     .type = MR_OPTION_PATH,
     .help = "references: a field of the object that a join.lookup or join.table with `kind: left` "
             "in front adds, best its key, as in customers.id; where the table has no record the "
             "check is violated."},
    {.name = "mostly",
     .type = MR_OPTION_SHARE,
     .default_text = "1.0",
     .minimum = 0,
     .maximum = 1,
     .help = "Of a batch or window: the share of the records looked at that must satisfy the "
             "check."},
    {.name = "severity",
     .type = MR_OPTION_CHOICE,
     .default_text = "warning",
     .choices = mr_quality_severities,
     .help = "The severity of a violation."},
    {.name = NULL},
};

/* ---- Checking the options ---- */

static bool has_option(const struct mr_options *check, const char *option)
{
    return mr_options_present(check, option) &&
           (strcmp(option, "mostly") != 0 || mr_options_get(check, option)->given);
}

static uint32_t parameters_of(const struct mr_options *check)
{
    uint32_t given = 0;
    for (size_t index = 0; index < MR_ARRAY_COUNT(parameters); index++)
        if (has_option(check, parameters[index].option))
            given |= parameters[index].parameter;
    return given;
}

static bool is_name(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > MR_QUALITY_NAME_BYTES_MAX || !isalpha((unsigned char)name[0]))
        return false;
    for (size_t index = 1; index < size; index++)
        if (!isalnum((unsigned char)name[index]) && name[index] != '_' && name[index] != '-')
            return false;
    return true;
}

static enum mr_status check_parameters(const char *name, const struct mr_options *check,
                                       struct mr_error *error)
{
    uint32_t expect = (uint32_t)mr_options_integer(check, "expect");
    uint32_t given = parameters_of(check);
    if (!mr_options_get(check, "expect")->given && (given & WITH_WHERE) == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "check '%s' says nothing to expect: give it a condition, as in where: 'a < "
                       "b', or expect: not_null, between, in_set or another one",
                       name);
    if ((given & needs[expect].must) != needs[expect].must)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "check '%s': %s needs %s",
                       name, expects[expect], needs[expect].words);
    uint32_t wrong = given & ~(needs[expect].must | needs[expect].may);
    for (size_t index = 0; index < MR_ARRAY_COUNT(parameters); index++)
        if ((parameters[index].parameter & wrong) != 0 &&
            has_option(check, parameters[index].option))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "check '%s': '%s' means nothing to %s, which takes %s", name,
                           parameters[index].option, expects[expect], needs[expect].words);
    if (mr_options_present(check, "min") && mr_options_present(check, "max") &&
        mr_options_number(check, "min") > mr_options_number(check, "max"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "check '%s': min (%g) must not exceed max (%g): nothing could satisfy it",
                       name, mr_options_number(check, "min"), mr_options_number(check, "max"));
    return MR_OK;
}

static enum mr_status check_pattern(const char *name, const char *pattern, struct mr_error *error)
{
    struct mr_arena arena;
    const char *problem = NULL;
    size_t offset = 0;
    if (pattern == NULL)
        return MR_OK;
    mr_arena_init(&arena, 4096);
    bool fine = mr_cel_regex_compile(&arena, mr_slice_text(pattern), &problem, &offset) != NULL;
    enum mr_status status =
        fine ? MR_OK
             : MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "check '%s': the pattern is no regular expression, at its byte %zu: %s",
                       name, offset + 1, problem);
    mr_arena_deinit(&arena);
    return status;
}

/* Whether an expression reads the variable `records`: outside of texts, and no member of another.
 */
static bool reads_records(const char *text)
{
    static const char variable[] = "records";
    char quote = '\0';
    for (const char *at = text; *at != '\0'; at++) {
        bool begins =
            at == text || (!isalnum((unsigned char)at[-1]) && strchr("_.", at[-1]) == NULL);
        size_t size = sizeof(variable) - 1;
        if (quote != '\0' && *at == '\\' && at[1] != '\0')
            at++;
        else if (quote != '\0')
            quote = *at == quote ? '\0' : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (begins && strncmp(at, variable, size) == 0 && !isalnum((unsigned char)at[size]) &&
                 at[size] != '_')
            return true;
    }
    return false;
}

/* A condition of a check is one of a single record, also over a batch. */
static enum mr_status check_condition(const char *name, const char *where, struct mr_error *error)
{
    if (where == NULL || !reads_records(where))
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "check '%s': a condition is about one record; what is about all `records` of a "
                   "batch is said by expect: row_count_between, mean_between, unique and the like. "
                   "A field of that name is record[\"records\"]",
                   name);
}

static enum mr_status check_scope(const char *name, const struct mr_options *check, bool of_many,
                                  struct mr_error *error)
{
    uint32_t expect = (uint32_t)mr_options_integer(check, "expect");
    if (of_many)
        return MR_OK;
    if (mr_quality_is_of_many((enum mr_quality_expect)expect))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "check '%s': %s is about many records: it needs quality.checkpoint with a "
                       "window, as in window: {count: 100} or {tumbling: 1m}",
                       name, expects[expect]);
    if (mr_options_get(check, "mostly")->given)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "check '%s': 'mostly' is a share of many records: it needs "
                       "quality.checkpoint with a window, as in window: {count: 100}",
                       name);
    return MR_OK;
}

enum mr_status mr_quality_check(const struct mr_options *options, bool of_many, const char **option,
                                struct mr_error *error)
{
    const struct mr_option_value *checks = mr_options_get(options, "checks");
    *option = "checks";
    for (uint32_t index = 0; index < checks->count; index++) {
        const struct mr_options *check = &checks->objects[index];
        const char *name = mr_options_text(check, "name");
        if (name == NULL)
            continue; /* reported */
        if (!is_name(name))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "a check cannot be named '%s': its name is a letter and up to %d "
                           "letters, digits, _ and -",
                           name, MR_QUALITY_NAME_BYTES_MAX - 1);
        for (uint32_t other = 0; other < index; other++) {
            const char *earlier = mr_options_text(&checks->objects[other], "name");
            if (earlier != NULL && strcmp(earlier, name) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "two checks are named '%s'", name);
        }
        enum mr_status status = check_parameters(name, check, error);
        if (status == MR_OK)
            status = check_scope(name, check, of_many, error);
        if (status == MR_OK)
            status = check_condition(name, mr_options_text(check, "where"), error);
        if (status == MR_OK)
            status = check_pattern(name, mr_options_text(check, "pattern"), error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* What a field must be able to be; NULL: anything. */
static const char *wanted_kind(enum mr_quality_expect expect)
{
    if (expect == MR_EXPECT_MATCHES)
        return "texts";
    bool numeric = expect == MR_EXPECT_BETWEEN || expect >= MR_EXPECT_MEAN;
    return numeric ? "numbers" : NULL;
}

static bool can_be(enum mr_quality_expect expect, enum mr_type_code code)
{
    if (code == MR_TYPE_ANY)
        return true;
    if (expect == MR_EXPECT_MATCHES)
        return code == MR_TYPE_STRING;
    return code == MR_TYPE_INT || code == MR_TYPE_UINT || code == MR_TYPE_DOUBLE;
}

enum mr_status mr_quality_check_bound(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    const struct mr_option_value *checks = mr_options_get(options, "checks");
    struct mr_arena arena;
    enum mr_status status = MR_OK;
    *option = "checks";
    mr_arena_init(&arena, 1024);
    for (uint32_t index = 0; index < checks->count && status == MR_OK; index++) {
        const struct mr_options *check = &checks->objects[index];
        const struct mr_option_value *field = mr_options_get(check, "field");
        enum mr_quality_expect expect = (enum mr_quality_expect)mr_options_integer(check, "expect");
        if (wanted_kind(expect) == NULL || !field->present || field->types == NULL ||
            field->types[0] == NULL || can_be(expect, field->types[0]->code))
            continue;
        status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                         "check '%s': %s is about %s, but '%s' is %s by its declaration",
                         mr_options_text(check, "name"), expects[expect], wanted_kind(expect),
                         field->text, mr_type_name(&arena, field->types[0]));
    }
    mr_arena_deinit(&arena);
    return status;
}

/* ---- Opening ---- */

/* What else a text of `values` stands for. */
static struct mr_value other_value(const char *text)
{
    struct mr_number number;
    const uint8_t *start = (const uint8_t *)text;
    const uint8_t *end = start + strlen(text);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return mr_value_bool(text[0] == 't');
    if (start == end || mr_number_parse(start, end, &number) != end || !isfinite(number.number))
        return (struct mr_value){.kind = MR_KIND_ABSENT};
    if (number.kind == MR_NUMBER_INT)
        return mr_value_int(number.signed_integer);
    if (number.kind == MR_NUMBER_UINT)
        return mr_value_uint(number.unsigned_integer);
    return mr_value_double(number.number);
}

static void open_values(struct mr_quality_check *check, struct mr_arena *arena,
                        const struct mr_option_value *values)
{
    check->values_count = values->count;
    check->texts = mr_arena_new(arena, values->count, sizeof(*check->texts));
    check->values = mr_arena_new(arena, values->count, sizeof(*check->values));
    for (uint32_t index = 0; index < values->count; index++) {
        check->texts[index] = mr_value_string(mr_slice_text(values->texts[index]));
        check->values[index] = other_value(values->texts[index]);
    }
}

static const char *bounds_text(struct mr_arena *arena, const struct mr_quality_check *check)
{
    if (isinf(check->minimum))
        return mr_arena_format(arena, "at most %.10g", check->maximum);
    if (isinf(check->maximum))
        return mr_arena_format(arena, "at least %.10g", check->minimum);
    return mr_arena_format(arena, "from %.10g to %.10g", check->minimum, check->maximum);
}

static void open_check(struct mr_quality_checks *checks, const struct mr_options *options,
                       struct mr_quality_check *check)
{
    *check = (struct mr_quality_check){
        .name = mr_options_text(options, "name"),
        .expect = (enum mr_quality_expect)mr_options_integer(options, "expect"),
        .severity = (enum mr_quality_severity)mr_options_integer(options, "severity"),
        .field = mr_options_text(options, "field"),
        .reference = mr_options_text(options, "references"),
        .text = mr_options_text(options, "pattern"),
        .slot = MR_SLOT_NONE,
        .reference_slot = MR_SLOT_NONE,
        .minimum = -INFINITY,
        .maximum = INFINITY,
        .mostly = mr_options_number(options, "mostly"),
    };
    if (check->field != NULL)
        check->slot = mr_options_slot(options, "field");
    if (check->reference != NULL)
        check->reference_slot = mr_options_slot(options, "references");
    if (mr_options_present(options, "min"))
        check->minimum = mr_options_number(options, "min");
    if (mr_options_present(options, "max"))
        check->maximum = mr_options_number(options, "max");
    check->bounds = bounds_text(&checks->arena, check);
    if (mr_options_present(options, "of"))
        check->type = (uint32_t)mr_options_integer(options, "of");
    if (mr_options_present(options, "values"))
        open_values(check, &checks->arena, mr_options_get(options, "values"));
    if (check->expect == MR_EXPECT_WHERE) {
        check->text = mr_options_text(options, "where");
        check->program = mr_options_program(options, "where");
    }
    if (check->expect == MR_EXPECT_MATCHES) {
        const char *problem;
        size_t offset;
        check->regex =
            mr_cel_regex_compile(&checks->arena, mr_slice_text(check->text), &problem, &offset);
        MR_ASSERT(check->regex != NULL);
        if (checks->scratch == NULL)
            checks->scratch = mr_cel_regex_scratch_create();
    }
}

void mr_quality_checks_open(struct mr_quality_checks *checks, const struct mr_options *options)
{
    const struct mr_option_value *given = mr_options_get(options, "checks");
    MR_ASSERT(given->count <= MR_QUALITY_CHECKS_MAX);
    mr_arena_init(&checks->arena, 4096);
    checks->count = given->count;
    checks->fatal = UINT32_MAX;
    for (uint32_t index = 0; index < given->count; index++)
        open_check(checks, &given->objects[index], &checks->items[index]);
}

void mr_quality_checks_close(struct mr_quality_checks *checks)
{
    if (checks->scratch != NULL)
        mr_cel_regex_scratch_destroy(checks->scratch);
    if (checks->count > 0)
        mr_arena_deinit(&checks->arena);
}

/* ---- Judging ---- */

static bool is_missing(struct mr_value cell)
{
    return cell.kind == MR_KIND_ABSENT || cell.kind == MR_KIND_NULL || cell.kind == MR_KIND_REMOVED;
}

static bool is_timestamp(struct mr_value cell)
{
    int64_t seconds;
    int32_t nanoseconds;
    return cell.kind == MR_KIND_TIMESTAMP ||
           (cell.kind == MR_KIND_STRING &&
            mr_clock_parse_rfc3339(mr_value_text(cell), &seconds, &nanoseconds));
}

static uint8_t first_byte(struct mr_value cell)
{
    return cell.kind == MR_KIND_JSON && cell.size > 0 ? cell.text[0] : 0;
}

static bool has_type(struct mr_value cell, uint32_t type)
{
    double number = 0;
    bool is_number = mr_value_as_double(cell, &number) && isfinite(number);
    switch ((enum type)type) {
    case OF_STRING:
        return cell.kind == MR_KIND_STRING;
    case OF_NUMBER:
        return is_number;
    case OF_INTEGER:
        return is_number && floor(number) == number;
    case OF_BOOLEAN:
        return cell.kind == MR_KIND_BOOL;
    case OF_TIMESTAMP:
        return is_timestamp(cell);
    case OF_LIST:
        return cell.kind == MR_KIND_LIST || first_byte(cell) == '[';
    case OF_OBJECT:
        return cell.kind == MR_KIND_MAP || first_byte(cell) == '{';
    }
    return false;
}

static bool is_in_set(const struct mr_quality_check *check, struct mr_value cell)
{
    const struct mr_value *values = cell.kind == MR_KIND_STRING ? check->texts : check->values;
    for (uint32_t index = 0; index < check->values_count; index++)
        if (values[index].kind != MR_KIND_ABSENT && mr_value_equal(values[index], cell))
            return true;
    return false;
}

/* A cell that is there. */
static bool satisfies(const struct mr_quality_checks *checks, const struct mr_quality_check *check,
                      struct mr_value cell)
{
    double number;
    switch (check->expect) {
    case MR_EXPECT_TYPE:
        return has_type(cell, check->type);
    case MR_EXPECT_BETWEEN:
        return mr_value_as_double(cell, &number) && isfinite(number) && number >= check->minimum &&
               number <= check->maximum;
    case MR_EXPECT_IN_SET:
        return is_in_set(check, cell);
    case MR_EXPECT_MATCHES:
        return cell.kind == MR_KIND_STRING &&
               mr_cel_regex_matches(check->regex, checks->scratch, mr_value_text(cell));
    case MR_EXPECT_MEAN:
    case MR_EXPECT_STDEV:
    case MR_EXPECT_MIN:
    case MR_EXPECT_MAX:
        return mr_value_as_double(cell, &number) && fabs(number) <= MR_QUALITY_NUMBER_MAX;
    case MR_EXPECT_WHERE:
    case MR_EXPECT_NOT_NULL:
    case MR_EXPECT_REFERENCES:
    case MR_EXPECT_UNIQUE:
    case MR_EXPECT_ROW_COUNT:
    case MR_EXPECTS_COUNT:
        break;
    }
    return true;
}

static void find_cells(const struct mr_quality_checks *checks, uint32_t index, struct mr_view view,
                       struct mr_quality_findings *findings)
{
    const struct mr_quality_check *check = &checks->items[index];
    const struct mr_value *cells = mr_batch_column(view.batch, check->slot);
    for (uint32_t place = 0; place < view.rows_count; place++) {
        uint32_t row = view.rows[place];
        struct mr_value cell = cells[row];
        bool missing = is_missing(cell);
        if (missing && check->expect != MR_EXPECT_NOT_NULL)
            continue;
        findings->counted[row] |= 1u << index;
        if (missing || !satisfies(checks, check, cell))
            findings->violated[row] |= 1u << index;
    }
}

static void find_references(const struct mr_quality_checks *checks, uint32_t index,
                            struct mr_view view, struct mr_quality_findings *findings)
{
    const struct mr_quality_check *check = &checks->items[index];
    const struct mr_value *objects = mr_batch_column(view.batch, check->reference_slot);
    const struct mr_value *cells =
        check->field == NULL ? NULL : mr_batch_column(view.batch, check->slot);
    for (uint32_t place = 0; place < view.rows_count; place++) {
        uint32_t row = view.rows[place];
        if (cells != NULL && is_missing(cells[row]))
            continue;
        findings->counted[row] |= 1u << index;
        if (is_missing(objects[row]) || objects[row].kind == MR_KIND_ERROR)
            findings->violated[row] |= 1u << index;
    }
}

static void find_where(const struct mr_quality_checks *checks, uint32_t index,
                       struct mr_operator_context *context, struct mr_view view,
                       struct mr_quality_findings *findings)
{
    struct mr_value *results =
        mr_arena_take(context->arena, view.batch->rows_capacity * sizeof(*results));
    mr_program_run(checks->items[index].program, context->evaluator, view, context->now_ms,
                   results);
    findings->results[index] = results;
    for (uint32_t place = 0; place < view.rows_count; place++) {
        uint32_t row = view.rows[place];
        findings->counted[row] |= 1u << index;
        if (results[row].kind != MR_KIND_BOOL || !results[row].boolean)
            findings->violated[row] |= 1u << index;
    }
}

void mr_quality_find(const struct mr_quality_checks *checks, struct mr_operator_context *context,
                     struct mr_view view, struct mr_quality_findings *findings)
{
    uint32_t capacity = view.batch->rows_capacity;
    *findings = (struct mr_quality_findings){
        .counted = mr_arena_new(context->arena, capacity, sizeof(uint32_t)),
        .violated = mr_arena_new(context->arena, capacity, sizeof(uint32_t)),
    };
    for (uint32_t index = 0; index < checks->count; index++) {
        enum mr_quality_expect expect = checks->items[index].expect;
        if (expect == MR_EXPECT_WHERE)
            find_where(checks, index, context, view, findings);
        else if (expect == MR_EXPECT_REFERENCES)
            find_references(checks, index, view, findings);
        else if (expect != MR_EXPECT_ROW_COUNT)
            find_cells(checks, index, view, findings);
    }
}

/* ---- Sentences ---- */

const char *mr_quality_show(struct mr_value cell, struct mr_arena *arena)
{
    if (is_missing(cell))
        return cell.kind == MR_KIND_NULL ? "null" : "missing";
    if (cell.kind == MR_KIND_ERROR)
        return mr_arena_format(arena, "not to be read (%.*s)", (int)cell.size,
                               (const char *)cell.text);
    uint8_t *text = mr_arena_take(arena, mr_json_write_bound(cell) + MR_JSON_WRITE_SLACK);
    const uint8_t *end = mr_json_write(text, cell);
    if (end == NULL)
        return mr_json_write_refusal(arena, cell);
    size_t size = (size_t)(end - text);
    if (size <= SHOWN_BYTES)
        return mr_arena_copy_bytes_text(arena, text, size);
    size = SHOWN_BYTES;
    while (size > 0 && (text[size] & 0xc0) == 0x80)
        size--;
    return mr_arena_format(arena, "%.*s...", (int)size, (const char *)text);
}

static const char *why_bounds(const struct mr_quality_check *check, struct mr_value cell,
                              struct mr_arena *arena)
{
    double number;
    const char *shown = mr_quality_show(cell, arena);
    if (!mr_value_as_double(cell, &number) || !isfinite(number) ||
        (check->expect != MR_EXPECT_BETWEEN && fabs(number) > MR_QUALITY_NUMBER_MAX))
        return mr_arena_format(arena, "%s is %s, no number to compute with", check->field, shown);
    if (number < check->minimum)
        return mr_arena_format(arena, "%s is %s, below the minimum of %.10g", check->field, shown,
                               check->minimum);
    return mr_arena_format(arena, "%s is %s, above the maximum of %.10g", check->field, shown,
                           check->maximum);
}

static const char *why_set(const struct mr_quality_check *check, struct mr_value cell,
                           struct mr_arena *arena)
{
    uint32_t shown = check->values_count < SHOWN_VALUES ? check->values_count : SHOWN_VALUES;
    const char *list = (const char *)check->texts[0].text;
    for (uint32_t index = 1; index < shown; index++)
        list = mr_arena_format(arena, "%s, %s", list, (const char *)check->texts[index].text);
    if (shown < check->values_count)
        list = mr_arena_format(arena, "%s and %" PRIu32 " more", list, check->values_count - shown);
    return mr_arena_format(arena, "%s is %s, none of %s", check->field,
                           mr_quality_show(cell, arena), list);
}

static const char *why_where(const struct mr_quality_check *check, struct mr_value result,
                             struct mr_arena *arena)
{
    if (result.kind == MR_KIND_BOOL)
        return mr_arena_format(arena, "%s is false", check->text);
    if (result.kind == MR_KIND_ERROR)
        return mr_arena_format(arena, "%s cannot be computed: %.*s", check->text, (int)result.size,
                               (const char *)result.text);
    return mr_arena_format(arena, "%s is no boolean but %s", check->text,
                           mr_kind_name((enum mr_kind)result.kind));
}

static const char *why_reference(const struct mr_quality_check *check, struct mr_value cell,
                                 struct mr_arena *arena)
{
    int table = (int)strcspn(check->reference, ".["); /* the object's name */
    if (check->field == NULL)
        return mr_arena_format(arena, "%.*s has no record for it", table, check->reference);
    return mr_arena_format(arena, "%s is %s, which is not in %.*s", check->field,
                           mr_quality_show(cell, arena), table, check->reference);
}

const char *mr_quality_why(const struct mr_quality_checks *checks, uint32_t index,
                           const struct mr_quality_findings *findings, const struct mr_batch *batch,
                           uint32_t row, struct mr_arena *arena)
{
    const struct mr_quality_check *check = &checks->items[index];
    struct mr_value cell = {.kind = MR_KIND_ABSENT};
    if (check->field != NULL && batch->columns[check->slot] != NULL)
        cell = batch->columns[check->slot][row];
    switch (check->expect) {
    case MR_EXPECT_WHERE:
        return why_where(check, findings->results[index][row], arena);
    case MR_EXPECT_NOT_NULL:
        return mr_arena_format(arena, "%s is %s", check->field, mr_quality_show(cell, arena));
    case MR_EXPECT_TYPE:
        return mr_arena_format(arena, "%s is %s, not of the type %s", check->field,
                               mr_quality_show(cell, arena), types[check->type]);
    case MR_EXPECT_IN_SET:
        return why_set(check, cell, arena);
    case MR_EXPECT_MATCHES:
        return mr_arena_format(arena, "%s is %s, which does not match %s", check->field,
                               mr_quality_show(cell, arena), check->text);
    case MR_EXPECT_REFERENCES:
        return why_reference(check, cell, arena);
    case MR_EXPECT_UNIQUE:
        return mr_arena_format(arena, "%s is %s again", check->field, mr_quality_show(cell, arena));
    case MR_EXPECT_BETWEEN:
    case MR_EXPECT_MEAN:
    case MR_EXPECT_STDEV:
    case MR_EXPECT_MIN:
    case MR_EXPECT_MAX:
    case MR_EXPECT_ROW_COUNT:
    case MR_EXPECTS_COUNT:
        break;
    }
    return why_bounds(check, cell, arena);
}

/* ---- Sets of checks ---- */

struct mr_value mr_quality_names(const struct mr_quality_checks *checks, uint32_t bits,
                                 struct mr_arena *arena)
{
    struct mr_value *items =
        mr_arena_take(arena, (size_t)(uint32_t)__builtin_popcount(bits) * sizeof(*items));
    uint32_t count = 0;
    for (uint32_t index = 0; index < checks->count; index++)
        if ((bits >> index & 1u) != 0)
            items[count++] = mr_value_string(mr_slice_text(checks->items[index].name));
    return (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
}

enum mr_quality_severity mr_quality_worst(const struct mr_quality_checks *checks, uint32_t bits)
{
    enum mr_quality_severity worst = MR_QUALITY_INFO;
    for (uint32_t index = 0; index < checks->count; index++)
        if ((bits >> index & 1u) != 0 && checks->items[index].severity > worst)
            worst = checks->items[index].severity;
    return worst;
}
