/* operators/field_rule.c — see field_rule.h. */
#include "operators/field_rule.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/number.h"

enum { UUID_SIZE = 36 };

const char *const mr_field_rule_names[] = {"sequence", "integer", "uniform", "normal",   "zipf",
                                           "boolean",  "choice",  "regex",   "template", "copy",
                                           "uuid",     "time",    NULL};

static const char *name_of(const struct mr_option_value *fields, uint32_t index)
{
    const char *name = mr_options_text(&fields->objects[index], "name");
    return name == NULL ? "" : name;
}

/* An earlier field of that name; -1: there is none. */
static int32_t earlier(const struct mr_option_value *fields, uint32_t index, struct mr_slice name)
{
    for (uint32_t other = 0; other < index; other++)
        if (mr_slice_equal(mr_slice_text(name_of(fields, other)), name))
            return (int32_t)other;
    return -1;
}

/* ---- Templates ---- */

/* Cut the text into pieces; pieces NULL: only look. NULL, or a clause about what is wrong. */
static const char *cut(const char *text, const struct mr_option_value *fields, uint32_t index,
                       struct mr_field_piece *pieces, uint32_t *count)
{
    *count = 0;
    while (*text != 0) {
        struct mr_field_piece piece = {.field = -1};
        if (*count == MR_FIELD_PIECES_MAX)
            return "has more than 32 pieces";
        bool doubled = (text[0] == '{' && text[1] == '{') || (text[0] == '}' && text[1] == '}');
        if (text[0] == '}' && !doubled)
            return "has a } without its {; the sign itself is }}";
        if (doubled) {
            piece.text = mr_slice_from(text, 1);
            text += 2;
        } else if (text[0] == '{') {
            const char *end = strchr(text, '}');
            if (end == NULL)
                return "has a { without its }; the sign itself is {{";
            piece.field = earlier(fields, index, mr_slice_from(text + 1, (size_t)(end - text - 1)));
            if (piece.field < 0)
                return "names a field that does not stand before it";
            text = end + 1;
        } else {
            piece.text = mr_slice_from(text, strcspn(text, "{}"));
            text += piece.text.size;
        }
        if (pieces != NULL)
            pieces[*count] = piece;
        (*count)++;
    }
    return NULL;
}

/* A value as text: buffer holds that of a number. */
static struct mr_slice text_of(struct mr_value value, char buffer[MR_NUMBER_TEXT_SIZE])
{
    if (value.kind == MR_KIND_STRING)
        return mr_value_text(value);
    if (value.kind == MR_KIND_INT)
        return mr_slice_from(buffer, mr_number_format_int(value.integer, buffer));
    if (value.kind == MR_KIND_DOUBLE)
        return mr_slice_from(buffer, mr_number_format_double(value.number, buffer));
    if (value.kind == MR_KIND_BOOL)
        return mr_slice_text(value.boolean ? "true" : "false");
    return (struct mr_slice){0}; /* null */
}

static struct mr_value fill_template(const struct mr_field_rule *rule, const struct mr_value *row,
                                     struct mr_arena *arena)
{
    char numbers[MR_FIELD_PIECES_MAX][MR_NUMBER_TEXT_SIZE];
    struct mr_slice texts[MR_FIELD_PIECES_MAX];
    size_t size = 0;
    for (uint32_t index = 0; index < rule->pieces_count; index++) {
        const struct mr_field_piece *piece = &rule->pieces[index];
        texts[index] = piece->field < 0 ? piece->text : text_of(row[piece->field], numbers[index]);
        size += texts[index].size;
    }
    uint8_t *text = mr_arena_take(arena, size);
    size_t at = 0;
    for (uint32_t index = 0; index < rule->pieces_count; index++) {
        if (texts[index].size > 0)
            memcpy(text + at, texts[index].data, texts[index].size);
        at += texts[index].size;
    }
    return mr_value_string(mr_slice_from(text, size));
}

/* ---- Choices ---- */

static void open_choice(struct mr_field_choice *choice, const struct mr_options *options)
{
    const struct mr_option_value *values = mr_options_get(options, "values");
    const struct mr_option_value *weights = mr_options_get(options, "weights");
    choice->values = values->texts;
    choice->values_count = values->count;
    if (weights->count == 0)
        return;
    choice->behind = mr_memory_new(values->count, sizeof(double));
    double sum = 0;
    for (uint32_t index = 0; index < values->count; index++) {
        sum += weights->numbers[index];
        choice->behind[index] = sum;
    }
}

static struct mr_value choose(const struct mr_field_choice *choice, struct mr_random *random)
{
    uint32_t low = 0;
    uint32_t high = choice->values_count - 1;
    if (choice->values_count == 0)
        return (struct mr_value){.kind = MR_KIND_NULL};
    if (choice->behind == NULL) {
        low = (uint32_t)mr_random_below(random, choice->values_count);
    } else {
        double place = mr_random_double(random) * choice->behind[high];
        while (low < high) { /* the first that lies behind the place */
            uint32_t middle = low + (high - low) / 2;
            if (choice->behind[middle] > place)
                high = middle;
            else
                low = middle + 1;
        }
    }
    return mr_value_string(mr_slice_text(choice->values[low]));
}

static const struct mr_field_choice *choice_of(const struct mr_field_rule *rule,
                                               const struct mr_value *row)
{
    char buffer[MR_NUMBER_TEXT_SIZE];
    if (rule->other < 0)
        return &rule->choice;
    struct mr_slice is = text_of(row[rule->other], buffer);
    for (uint32_t index = 0; index < rule->cases_count; index++)
        if (mr_slice_equal(rule->cases[index].is, is))
            return &rule->cases[index];
    return &rule->choice;
}

/* ---- Opening ---- */

static void open_numbers(struct mr_field_rule *rule, const struct mr_options *options)
{
    rule->minimum = mr_options_number(options, "minimum");
    rule->maximum = mr_options_number(options, "maximum");
    rule->mean = mr_options_number(options, "mean");
    rule->sd = mr_options_number(options, "sd");
    rule->power_of_ten = pow(10, (double)mr_options_integer(options, "decimals"));
    rule->lowest = (int64_t)ceil(rule->minimum);
    rule->range = (uint64_t)((int64_t)floor(rule->maximum) - rule->lowest) + 1;
    if (rule->kind == MR_FIELD_ZIPF)
        mr_zipf_init(&rule->zipf, rule->range, mr_options_number(options, "exponent"));
    rule->first = mr_options_integer(options, "first");
    rule->increment = mr_options_integer(options, "increment");
    if (mr_options_present(options, "last"))
        rule->length =
            (uint64_t)((mr_options_integer(options, "last") - rule->first) / rule->increment) + 1;
}

static void open_cases(struct mr_field_rule *rule, const struct mr_options *options)
{
    const struct mr_option_value *cases = mr_options_get(options, "cases");
    open_choice(&rule->choice, options);
    if (cases->count == 0)
        return;
    rule->cases = mr_memory_new(cases->count, sizeof(*rule->cases));
    rule->cases_count = cases->count;
    for (uint32_t index = 0; index < cases->count; index++) {
        open_choice(&rule->cases[index], &cases->objects[index]);
        rule->cases[index].is = mr_slice_text(mr_options_text(&cases->objects[index], "is"));
    }
}

static void open_texts(struct mr_field_rule *rule, const struct mr_option_value *fields,
                       uint32_t index)
{
    const struct mr_options *options = &fields->objects[index];
    if (rule->kind == MR_FIELD_REGEX) {
        struct mr_error error;
        enum mr_status status = mr_text_pattern_compile(
            mr_slice_text(mr_options_text(options, "pattern")), &rule->pattern, &error);
        MR_ASSERT(status == MR_OK); /* checked */
    }
    if (rule->kind == MR_FIELD_TEMPLATE) {
        rule->pieces = mr_memory_new(MR_FIELD_PIECES_MAX, sizeof(*rule->pieces));
        const char *wrong =
            cut(mr_options_text(options, "text"), fields, index, rule->pieces, &rule->pieces_count);
        MR_ASSERT(wrong == NULL);
    }
}

void mr_field_rule_open(struct mr_field_rule *rule, const struct mr_option_value *fields,
                        uint32_t index, uint64_t seed)
{
    const struct mr_options *options = &fields->objects[index];
    *rule = (struct mr_field_rule){
        .kind = (enum mr_field_rule_kind)mr_options_integer(options, "rule"),
        .seed = seed ^ mr_hash64(mr_slice_text(name_of(fields, index))),
        .null_share = mr_options_number(options, "null_share"),
        .true_share = mr_options_number(options, "true_share"),
        .past_ms = mr_options_integer(options, "max_past"),
        .other = -1,
    };
    const char *of = mr_options_text(options, rule->kind == MR_FIELD_COPY ? "of" : "by");
    if (of != NULL)
        rule->other = earlier(fields, index, mr_slice_text(of));
    open_numbers(rule, options);
    open_cases(rule, options);
    open_texts(rule, fields, index);
}

void mr_field_rule_close(struct mr_field_rule *rule)
{
    mr_text_pattern_destroy(rule->pattern);
    mr_memory_free(rule->pieces);
    for (uint32_t index = 0; index < rule->cases_count; index++)
        mr_memory_free(rule->cases[index].behind);
    mr_memory_free(rule->cases);
    mr_memory_free(rule->choice.behind);
    *rule = (struct mr_field_rule){0};
}

/* ---- Values ---- */

static struct mr_value uuid(struct mr_random *random, struct mr_arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *text = mr_arena_take(arena, UUID_SIZE);
    uint64_t halves[2] = {mr_random_u64(random), mr_random_u64(random)};
    halves[0] = (halves[0] & ~UINT64_C(0xf000)) | 0x4000; /* version 4 */
    halves[1] = (halves[1] & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    uint32_t digit = 0;
    for (uint32_t at = 0; at < UUID_SIZE; at++) {
        if (at == 8 || at == 13 || at == 18 || at == 23) {
            text[at] = '-';
            continue;
        }
        text[at] = (uint8_t)digits[halves[digit / 16] >> (60 - 4 * (digit % 16)) & 15];
        digit++;
    }
    return mr_value_string(mr_slice_from(text, UUID_SIZE));
}

static struct mr_value rounded(const struct mr_field_rule *rule, double number)
{
    return mr_value_double(nearbyint(number * rule->power_of_ten) / rule->power_of_ten + 0.0);
}

static struct mr_value sequence(const struct mr_field_rule *rule, int64_t number)
{
    uint64_t place = (uint64_t)number;
    if (rule->length > 0)
        place %= rule->length;
    /* Wraps at the ends of int64 instead of being undefined: 2^50 records times 1e6. */
    return mr_value_int((int64_t)((uint64_t)rule->first + place * (uint64_t)rule->increment));
}

static struct mr_value pattern_text(const struct mr_field_rule *rule, struct mr_random *random,
                                    struct mr_arena *arena)
{
    uint8_t buffer[MR_TEXT_PATTERN_BYTES_MAX];
    size_t size = mr_text_pattern_write(rule->pattern, random, buffer);
    return mr_value_string(mr_arena_copy(arena, mr_slice_from(buffer, size)));
}

struct mr_value mr_field_rule_value(const struct mr_field_rule *rule, int64_t number,
                                    int64_t time_ms, const struct mr_value *row,
                                    struct mr_arena *arena)
{
    struct mr_random random;
    mr_random_init(&random, rule->seed, (uint64_t)number);
    if (rule->null_share > 0 && mr_random_double(&random) < rule->null_share)
        return (struct mr_value){.kind = MR_KIND_NULL};
    switch (rule->kind) {
    case MR_FIELD_SEQUENCE:
        return sequence(rule, number);
    case MR_FIELD_INTEGER:
        return mr_value_int(rule->lowest + (int64_t)mr_random_below(&random, rule->range));
    case MR_FIELD_UNIFORM:
        return rounded(rule,
                       rule->minimum + (rule->maximum - rule->minimum) * mr_random_double(&random));
    case MR_FIELD_NORMAL:
        return rounded(rule, rule->mean + rule->sd * mr_random_normal(&random));
    case MR_FIELD_ZIPF:
        return mr_value_int(rule->lowest + (int64_t)mr_zipf_draw(&rule->zipf, &random) - 1);
    case MR_FIELD_BOOLEAN:
        return mr_value_bool(mr_random_double(&random) < rule->true_share);
    case MR_FIELD_CHOICE:
        return choose(choice_of(rule, row), &random);
    case MR_FIELD_REGEX:
        return pattern_text(rule, &random, arena);
    case MR_FIELD_TEMPLATE:
        return fill_template(rule, row, arena);
    case MR_FIELD_COPY:
        return row[rule->other];
    case MR_FIELD_UUID:
        return uuid(&random, arena);
    case MR_FIELD_TIME:
        break;
    }
    if (rule->past_ms > 0)
        time_ms -= (int64_t)mr_random_below(&random, (uint64_t)rule->past_ms + 1);
    return mr_value_int(time_ms);
}

/* ---- Checks ---- */

#define WRONG(...) MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, __VA_ARGS__)

static enum mr_status check_weights(const char *name, const struct mr_options *options,
                                    struct mr_error *error)
{
    const struct mr_option_value *values = mr_options_get(options, "values");
    const struct mr_option_value *weights = mr_options_get(options, "weights");
    double sum = 0;
    if (weights->count == 0)
        return MR_OK;
    if (weights->count != values->count)
        return WRONG("field \"%s\": %u weights for %u values; each value needs one", name,
                     weights->count, values->count);
    for (uint32_t index = 0; index < weights->count; index++) {
        if (!(weights->numbers[index] >= 0 && weights->numbers[index] <= 1e12))
            return WRONG("field \"%s\": a weight is between 0 and 1e12", name);
        sum += weights->numbers[index];
    }
    return sum > 0 ? MR_OK : WRONG("field \"%s\": no weight is above 0", name);
}

static enum mr_status check_choice(const struct mr_option_value *fields, uint32_t index,
                                   struct mr_error *error)
{
    const struct mr_options *options = &fields->objects[index];
    const struct mr_option_value *cases = mr_options_get(options, "cases");
    const char *name = name_of(fields, index);
    const char *by = mr_options_text(options, "by");
    if ((by == NULL) != (cases->count == 0))
        return WRONG("field \"%s\": `by` and `cases` belong together: `by` names the field that "
                     "decides, `cases` what follows from it",
                     name);
    if (by == NULL && mr_options_get(options, "values")->count == 0)
        return WRONG("field \"%s\" of rule choice needs `values`, or `by` and `cases`", name);
    if (by != NULL && earlier(fields, index, mr_slice_text(by)) < 0)
        return WRONG("field \"%s\": `by` names \"%s\", which does not stand before it", name, by);
    enum mr_status status = check_weights(name, options, error);
    for (uint32_t at = 0; at < cases->count && status == MR_OK; at++)
        status = check_weights(name, &cases->objects[at], error);
    return status;
}

static enum mr_status check_sequence(const char *name, const struct mr_options *options,
                                     struct mr_error *error)
{
    int64_t first = mr_options_integer(options, "first");
    int64_t increment = mr_options_integer(options, "increment");
    if (increment == 0)
        return WRONG("field \"%s\": `increment` must not be 0; a constant is `choice` of one value",
                     name);
    if (!mr_options_present(options, "last"))
        return MR_OK;
    int64_t last = mr_options_integer(options, "last");
    if (increment > 0 ? last >= first : last <= first)
        return MR_OK;
    return WRONG("field \"%s\": from `first` (%lld) `increment` (%lld) leads away from `last` "
                 "(%lld)",
                 name, (long long)first, (long long)increment, (long long)last);
}

static enum mr_status check_range(const char *name, const struct mr_options *options,
                                  enum mr_field_rule_kind kind, struct mr_error *error)
{
    double minimum = mr_options_number(options, "minimum");
    double maximum = mr_options_number(options, "maximum");
    if (kind == MR_FIELD_UNIFORM && !(minimum < maximum))
        return WRONG("field \"%s\": `minimum` (%g) must be below `maximum` (%g)", name, minimum,
                     maximum);
    if (kind != MR_FIELD_UNIFORM && ceil(minimum) > floor(maximum))
        return WRONG("field \"%s\": there is no whole number from %g to %g", name, minimum,
                     maximum);
    return MR_OK;
}

static enum mr_status check_pattern(const char *name, const struct mr_options *options,
                                    struct mr_error *error)
{
    const char *text = mr_options_text(options, "pattern");
    struct mr_text_pattern *pattern;
    struct mr_error found;
    if (text == NULL)
        return WRONG("field \"%s\" of rule regex needs `pattern`", name);
    if (mr_text_pattern_compile(mr_slice_text(text), &pattern, &found) != MR_OK)
        return WRONG("field \"%s\": no text can be made from the pattern: %s", name, found.message);
    mr_text_pattern_destroy(pattern);
    return MR_OK;
}

static enum mr_status check_reference(const struct mr_option_value *fields, uint32_t index,
                                      struct mr_error *error)
{
    const struct mr_options *options = &fields->objects[index];
    const char *name = name_of(fields, index);
    const char *of = mr_options_text(options, "of");
    if (of == NULL)
        return WRONG("field \"%s\" of rule copy needs `of`, the name of an earlier field", name);
    return earlier(fields, index, mr_slice_text(of)) >= 0
               ? MR_OK
               : WRONG("field \"%s\": `of` names \"%s\", which does not stand before it", name, of);
}

static enum mr_status check_template(const struct mr_option_value *fields, uint32_t index,
                                     struct mr_error *error)
{
    const char *text = mr_options_text(&fields->objects[index], "text");
    const char *name = name_of(fields, index);
    uint32_t count;
    if (text == NULL)
        return WRONG("field \"%s\" of rule template needs `text`", name);
    const char *wrong = cut(text, fields, index, NULL, &count);
    return wrong == NULL ? MR_OK : WRONG("field \"%s\": its `text` %s", name, wrong);
}

enum mr_status mr_field_rule_check(const struct mr_option_value *fields, uint32_t index,
                                   struct mr_error *error)
{
    const struct mr_options *options = &fields->objects[index];
    const char *name = name_of(fields, index);
    enum mr_field_rule_kind kind = (enum mr_field_rule_kind)mr_options_integer(options, "rule");
    if (name[0] != 0 && earlier(fields, index, mr_slice_text(name)) >= 0)
        return WRONG("two fields are named \"%s\"", name);
    switch (kind) {
    case MR_FIELD_SEQUENCE:
        return check_sequence(name, options, error);
    case MR_FIELD_INTEGER:
    case MR_FIELD_UNIFORM:
    case MR_FIELD_ZIPF:
        return check_range(name, options, kind, error);
    case MR_FIELD_CHOICE:
        return check_choice(fields, index, error);
    case MR_FIELD_REGEX:
        return check_pattern(name, options, error);
    case MR_FIELD_TEMPLATE:
        return check_template(fields, index, error);
    case MR_FIELD_COPY:
        return check_reference(fields, index, error);
    case MR_FIELD_NORMAL:
    case MR_FIELD_BOOLEAN:
    case MR_FIELD_UUID:
    case MR_FIELD_TIME:
        break;
    }
    return MR_OK;
}
