/* tests/unit/operators/test_generate_copula.c — generate.copula: what the records that it makes
 * look like. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/registry.h"
#include "tests/support/operator_harness.h"

static const char out[] = "    - {name: out, type: memory, from: op}\n";

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.copula, learn: in, key: [k], fields: [value, kind], "
             "%s}\n",
             options);
    harness_open(harness, text, out, "op");
}

static struct harness_row row_of(uint32_t number, const char *key, struct mr_value value,
                                 const char *kind)
{
    struct harness_row row = harness_row(number, key, value);
    row.cells[2] = (struct harness_cell){"kind", mr_value_string(mr_slice_text(kind))};
    return row;
}

static void feed(struct harness *harness, uint32_t first, uint32_t count, const char *key)
{
    struct mr_random random;
    for (uint32_t number = first; number < first + count; number++) {
        mr_random_init(&random, 3, number);
        double value = 20 + (double)mr_random_below(&random, 30);
        struct harness_row row =
            row_of(number, key, mr_value_double(value), value < 35 ? "low" : "high");
        harness_feed(harness, 0, &row, 1);
    }
}

/* The number that is printed as the bytes of a double behind the name. */
static double number_behind(const char *line, const char *name)
{
    unsigned long long bits;
    double number;
    const char *at = strstr(line, name);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(name), "%llx", &bits), 1);
    bits = __builtin_bswap64(bits);
    memcpy(&number, &bits, sizeof(number));
    return number;
}

/* The key's field, whole numbers within what was seen, and texts that go along with them. */
static void records_look_like_the_real_ones(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 50, min_records: 500");
    feed(&harness, 0, 700, "a");
    harness_restore(&harness);
    const char *text = harness_output(&harness, 0);
    uint32_t rows = 0;
    uint32_t agree = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1, rows++) {
        char kind[8];
        double value = number_behind(line, "0=string:'a'; 1=double:");
        assert_int_equal(sscanf(strstr(line, "2=string:"), "2=string:'%4[a-z]", kind), 1);
        assert_true(value >= 20 && value <= 49 && floor(value) == value);
        agree += (value < 35) == (strcmp(kind, "low") == 0);
    }
    assert_int_equal(rows, 200);
    assert_in_range(agree, 160, 200);
    harness_close(&harness);
}

static void conditions_are_met(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 50, min_records: 500, conditions: [{field: value, gt: 40}, "
                   "{field: kind, any_of: [low, high]}]");
    feed(&harness, 0, 700, "a");
    assert_int_equal(harness.emitted_count[0], 200);
    for (const char *line = harness_output(&harness, 0); *line != '\0';
         line = strchr(line, '\n') + 1) {
        double value = number_behind(line, "1=double:");
        assert_true(value >= 41 && value <= 49);
    }
    harness_close(&harness);
}

/* Feed rows of a value around a number, so far apart in event time. */
static void feed_around(struct harness *harness, uint32_t first, uint32_t count, double around,
                        int64_t apart_ms)
{
    for (uint32_t number = first; number < first + count; number++) {
        struct harness_row row = row_of(number, "a", mr_value_double(around + number * 7 % 11),
                                        around < 500 ? "old" : "new");
        row.event_time_ms = number * apart_ms;
        harness_feed(harness, 0, &row, 1);
    }
}

/* Of the records from a line on. */
static void check_values(struct harness *harness, uint64_t from, double lowest, double highest,
                         const char *kind)
{
    uint32_t number = 0;
    for (const char *line = harness_output(harness, 0); *line != '\0';
         line = strchr(line, '\n') + 1, number++) {
        if (number < from)
            continue;
        double value = number_behind(line, "1=double:");
        const char *text = strstr(line, "2=string:'");
        assert_non_null(text);
        assert_true(value >= lowest && value <= highest);
        assert_memory_equal(text + 10, kind, 3);
    }
    assert_true(number > from);
}

static void a_window_of_records_forgets(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 10, min_records: 60, reservoir: 32, learn_window: {count: 160}");
    feed_around(&harness, 0, 400, 0, 1);
    uint64_t before = harness.emitted_count[0];
    assert_int_equal(before, 340);
    check_values(&harness, 0, 0, 10, "old");
    harness_restore(&harness);
    feed_around(&harness, 400, 160, 1000, 1);
    uint64_t mixed = harness.emitted_count[0];
    harness_restore(&harness);
    feed_around(&harness, 560, 100, 1000, 1);
    check_values(&harness, mixed, 1000, 1010, "new");
    harness_close(&harness);
}

/* By event time: a gap of a window leaves nothing to draw from; late records are not learned. */
static void a_window_of_time_forgets(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 10, min_records: 20, reservoir: 32, learn_window: {sliding: 8s}");
    feed_around(&harness, 0, 300, 0, 100);
    uint64_t before = harness.emitted_count[0];
    assert_in_range(before, 270, 280);
    feed_around(&harness, 400, 1, 1000, 100);
    assert_int_equal(harness.emitted_count[0], before);
    assert_int_equal(harness.late_count, 0);
    feed_around(&harness, 0, 50, 0, 100); /* late */
    assert_int_equal(harness.late_count, 50);
    assert_int_equal(harness.emitted_count[0], before);
    feed_around(&harness, 401, 40, 1000, 100);
    assert_in_range(harness.emitted_count[0] - before, 10, 21);
    check_values(&harness, before, 1000, 1010, "new");
    harness_close(&harness);
}

/* Without panes of time a late record is learned like any other, and nothing fades for it: the
 * model is that of records which all have the latest time. */
static void late_records_are_learned(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct harness other;
    open(&harness, "learn_batch: 10, min_records: 20, reservoir: 32, half_life: 1h");
    open(&other, "learn_batch: 10, min_records: 20, reservoir: 32, half_life: 1h");
    for (uint32_t number = 0; number < 300; number++) {
        struct harness_row row = row_of(number, "a", mr_value_double(sqrt(number)), "low");
        row.event_time_ms = number == 0 ? 9000000 : number; /* two hours late */
        harness_feed(&harness, 0, &row, 1);
        row.event_time_ms = 9000000;
        harness_feed(&other, 0, &row, 1);
    }
    assert_int_equal(harness.late_count, 0);
    assert_int_equal(harness.emitted_count[0], other.emitted_count[0]);
    const char *own = harness_output(&harness, 0);
    const char *others = harness_output(&other, 0);
    for (uint64_t row = 0; row < harness.emitted_count[0]; row++) {
        own = strstr(own, "0=string:'a'; 1=");
        others = strstr(others, "0=string:'a'; 1=");
        assert_non_null(own);
        assert_non_null(others);
        own++;
        others++;
    }
    assert_string_equal(own, others); /* the last one, of the last model */
    harness_close(&harness);
    harness_close(&other);
}

/* All pairs that go together were learned: what is made are others, the rest is left out. */
static void copies_are_not_made(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 50, min_records: 500, ratio: 2, privacy: {}");
    feed(&harness, 0, 600, "a");
    harness_restore(&harness);
    feed(&harness, 600, 100, "a");
    assert_in_range(harness.emitted_count[0], 1, 100);
    assert_int_equal(harness.errors_count, 0);
    for (const char *line = harness_output(&harness, 0); *line != '\0';
         line = strchr(line, '\n') + 1) {
        bool is_low = memcmp(strstr(line, "2=string:'") + 10, "low", 3) == 0;
        assert_true((number_behind(line, "1=double:") < 35) != is_low);
    }
    harness_close(&harness);
    /* Some are left out of what is made. */
    open(&harness, "learn_batch: 50, min_records: 500, ratio: 2, privacy: {no_copies: 20}");
    feed(&harness, 0, 700, "a");
    assert_in_range(harness.emitted_count[0], 300, 400);
    harness_close(&harness);
}

static struct mr_value member_of(struct mr_value map, const char *name)
{
    for (uint32_t index = 0; index < map.size; index++)
        if (mr_slice_equal(mr_value_text(map.entries[index].key), mr_slice_text(name)))
            return map.entries[index].value;
    fail_msg("no member %s", name);
    return (struct mr_value){0};
}

struct asking {
    struct harness *harness;
    struct mr_state_description description;
};

static enum mr_status describe(void *argument, const struct mr_state_object *object,
                               struct mr_error *error)
{
    struct asking *asking = argument;
    asking->description = (struct mr_state_description){.node = asking->harness->node};
    return asking->harness->type->describe_state(object, &asking->harness->plan_arena,
                                                 &asking->description, error);
}

static void the_model_is_described(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_error error = {0};
    int64_t offset;
    struct asking asking = {.harness = &harness};
    struct mr_state_query query = {.operator_name = "op",
                                   .table_name = "copula",
                                   .key = mr_slice_text("a"),
                                   .visit = describe,
                                   .argument = &asking};
    open(&harness, "learn_batch: 50, min_records: 100, reservoir: 100, half_life: 1000");
    feed_around(&harness, 0, 1000, 0, 1);
    feed_around(&harness, 1000, 100, 1000, 1);
    harness_commit(&harness);
    assert_int_equal(mr_state_query(harness.state, &query, &harness.plan_arena, &offset, &error),
                     MR_OK);
    struct mr_value model = member_of(mr_description_value(&asking.description), "model");
    assert_int_equal(member_of(model, "rows").unsigned_integer, 1100);
    double effective = member_of(model, "effective_rows").number;
    assert_true(effective > 800 && effective < 1100);
    assert_true(member_of(model, "refits").unsigned_integer >= 1);
    assert_in_range(member_of(model, "last_refit").integer, (int64_t)1049 * 1000000,
                    (int64_t)1099 * 1000000);
    assert_true(member_of(member_of(model, "drift"), "value").number >= 0);
    assert_true(member_of(member_of(model, "missing"), "kind").number == 0);
    assert_int_equal(
        member_of(mr_description_value(&asking.description), "refused").unsigned_integer, 0);
    harness_close(&harness);
}

/* Whatever is learned in whatever transactions, a record logs no more than stated, and a key's
 * state is no larger. Texts of the greatest length, all different: the worst there is. */
static void the_changelog_of_learning_is_as_stated(void **state)
{
    MR_UNUSED(state);
    enum { COLUMNS = 4, KEYS = 3, RECORDS = 4 * 64 * KEYS };
    static const uint32_t rows_of_commit[] = {1, 7, 200, RECORDS};
    for (size_t way = 0; way < MR_ARRAY_COUNT(rows_of_commit); way++) {
        struct harness harness;
        struct mr_state_estimate estimate = {0};
        harness_open(&harness,
                     "    - {name: op, type: generate.copula, learn: in, key: [k], learn_batch: "
                     "64, reservoir: 128, fields: [value, a, b, c], ratio: 0}\n",
                     out, "op");
        mr_operator_generate_copula.spec.estimate(&harness.node->options, &estimate);
        for (uint32_t number = 0; number < RECORDS; number++) {
            char key[80];
            char texts[COLUMNS][80];
            struct harness_row row;
            snprintf(key, sizeof(key), "%064u", number % KEYS);
            row = harness_row(number, key, mr_value_double(sqrt(number)));
            for (int column = 1; column < COLUMNS; column++) {
                static const char *const names[] = {"", "a", "b", "c"};
                snprintf(texts[column], sizeof(texts[column]), "%064u", number / 7 * 31 % 97);
                row.cells[1 + column] = (struct harness_cell){
                    names[column], mr_value_string(mr_slice_text(texts[column]))};
            }
            harness_feed(&harness, 0, &row, 1);
            if ((number + 1) % rows_of_commit[way] == 0)
                harness_commit(&harness);
        }
        uint64_t logged = harness.changelog_bytes / RECORDS;
        print_message("commits of %u rows: %llu bytes a record, stated %llu\n", rows_of_commit[way],
                      (unsigned long long)logged,
                      (unsigned long long)estimate.changelog_bytes_per_record);
        assert_in_range(logged, 100, estimate.changelog_bytes_per_record);
        if (rows_of_commit[way] == RECORDS) /* each piece of the state once */
            assert_in_range(harness.changelog_bytes / KEYS, 1, estimate.stored_bytes);
        harness_close(&harness);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_look_like_the_real_ones),
        cmocka_unit_test(conditions_are_met),
        cmocka_unit_test(a_window_of_records_forgets),
        cmocka_unit_test(a_window_of_time_forgets),
        cmocka_unit_test(late_records_are_learned),
        cmocka_unit_test(copies_are_not_made),
        cmocka_unit_test(the_model_is_described),
        cmocka_unit_test(the_changelog_of_learning_is_as_stated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
