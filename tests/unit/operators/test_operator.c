/* tests/unit/operators/test_operator.c — the dispatcher: order, bounds, messages, keys.
 * Broken contracts stop the process: they are tried in a child. */
#include "operators/operator.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"

struct fake {
    int calls;
};

static enum mr_status next_status;
static bool closed;
static bool emits_twice;

static enum mr_status fake_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    MR_UNUSED(open);
    assert_int_equal(((struct fake *)self)->calls, 0);
    if (next_status != MR_OK)
        return MR_FAIL(error, next_status, MR_RECOVERY_EXIT, "cannot open");
    return MR_OK;
}

static enum mr_status fake_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    MR_UNUSED(port);
    ((struct fake *)self)->calls++;
    if (next_status != MR_OK)
        return MR_FAIL(error, next_status, MR_RECOVERY_EXIT, "disk full");
    mr_operator_emit(context, 0, view);
    if (emits_twice)
        mr_operator_emit(context, 1, view);
    return MR_OK;
}

static enum mr_status fake_watermark(void *self, struct mr_operator_context *context,
                                     struct mr_error *error)
{
    MR_UNUSED(context);
    MR_UNUSED(error);
    ((struct fake *)self)->calls++;
    return MR_OK;
}

static void fake_close(void *self)
{
    MR_UNUSED(self);
    closed = true;
}

static const struct mr_operator_type fake_type = {
    .spec = {.name = "fake", .role = MR_ROLE_OPERATOR},
    .instance_size = sizeof(struct fake),
    .open = fake_open,
    .process = fake_process,
    .on_watermark = fake_watermark,
    .close = fake_close,
};

static const uint32_t key_slots[] = {0};
static const char *const key_texts[] = {"k"};
static const struct mr_plan_edge edge = {0};
static struct mr_plan_domain domain = {.shape = {.slots_count = 2, .keys_count = 1}};
static const struct mr_plan_output output = {.name = "main", .edges = &edge, .edges_count = 1};
static const struct mr_plan_input input = {.option = "from"};
static struct mr_plan_node node = {
    .index = 7,
    .name = "op",
    .type = &fake_type.spec,
    .inputs = &input,
    .inputs_count = 1,
    .outputs = &output,
    .outputs_count = 1,
    .key = {.given = true, .texts = key_texts, .slots = key_slots, .slots_count = 1},
};
static const struct mr_plan plan = {.domains = &domain, .domains_count = 1};

static uint32_t emitted;
static char reported[MR_ERROR_MESSAGE_SIZE + 1];
static size_t reported_size;

static void on_emit(void *argument, uint32_t node_index, uint32_t output_index, struct mr_view view)
{
    MR_UNUSED(argument);
    assert_int_equal(node_index, 7);
    assert_int_equal(output_index, 0);
    emitted += view.rows_count;
}

static void on_row_error(void *argument, uint32_t node_index, const struct mr_batch *batch,
                         uint32_t row, struct mr_slice message)
{
    MR_UNUSED(argument);
    MR_UNUSED(batch);
    MR_UNUSED(row);
    assert_int_equal(node_index, 7);
    memcpy(reported, message.data, message.size);
    reported[message.size] = '\0';
    reported_size = message.size;
}

static const struct mr_operator_runtime runtime = {.emit = on_emit, .row_error = on_row_error};

struct fixture {
    struct mr_arena arena;
    struct mr_batch batch;
    struct mr_operator_context context;
    struct mr_operator *instance;
    struct mr_error error;
};

static struct fixture fixture;

static int setup(void **state)
{
    MR_UNUSED(state);
    next_status = MR_OK;
    closed = false;
    emits_twice = false;
    emitted = 0;
    mr_arena_init(&fixture.arena, 1 << 16);
    mr_batch_init(&fixture.batch, &fixture.arena, domain.shape, 4);
    fixture.batch.rows_count = 3;
    fixture.context =
        (struct mr_operator_context){.runtime = &runtime, .node = 7, .arena = &fixture.arena};
    struct mr_operator_open open = {.plan = &plan, .node = &node, .partitions_count = 1};
    return mr_operator_create(&fake_type, &open, &fixture.instance, &fixture.error) == MR_OK ? 0
                                                                                             : -1;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_operator_destroy(fixture.instance);
    mr_arena_deinit(&fixture.arena);
    return 0;
}

static enum mr_status process(uint32_t port, const uint16_t *rows, uint32_t rows_count)
{
    return mr_operator_process(fixture.instance, &fixture.context, port,
                               (struct mr_view){&fixture.batch, rows, rows_count}, &fixture.error);
}

static void rows_go_through(void **state)
{
    MR_UNUSED(state);
    const uint16_t rows[] = {0, 2};
    assert_int_equal(process(0, rows, 2), MR_OK);
    assert_int_equal(emitted, 2);
    assert_null(fixture.context.instance);
    /* Nothing is called for no rows. */
    next_status = MR_IO;
    assert_int_equal(process(0, rows, 0), MR_OK);
    assert_int_equal(mr_operator_watermark(fixture.instance, &fixture.context, &fixture.error),
                     MR_OK);
}

static void a_failed_open_closes(void **state)
{
    MR_UNUSED(state);
    struct mr_operator_open open = {.plan = &plan, .node = &node, .partitions_count = 1};
    struct mr_operator *other = NULL;
    next_status = MR_LIMIT;
    assert_int_equal(mr_operator_create(&fake_type, &open, &other, &fixture.error), MR_LIMIT);
    assert_null(other);
    assert_true(closed);
    assert_string_equal(fixture.error.message, "operator \"op\": cannot open");
}

static void a_failure_names_the_operator(void **state)
{
    MR_UNUSED(state);
    const uint16_t rows[] = {0};
    next_status = MR_IO;
    assert_int_equal(process(0, rows, 1), MR_IO);
    assert_string_equal(fixture.error.message, "operator \"op\": disk full");
}

/* ---- Broken contracts ---- */

static void after_a_failure(void)
{
    const uint16_t rows[] = {0};
    next_status = MR_IO;
    if (process(0, rows, 1) != MR_IO)
        _exit(1);
    next_status = MR_OK;
    MR_UNUSED(process(0, rows, 1) == MR_OK);
}

static void unknown_port(void)
{
    const uint16_t rows[] = {0};
    MR_UNUSED(process(1, rows, 1) == MR_OK);
}

static void unordered_rows(void)
{
    const uint16_t rows[] = {1, 1};
    MR_UNUSED(process(0, rows, 2) == MR_OK);
}

static void rows_behind_the_end(void)
{
    const uint16_t rows[] = {2, 3};
    MR_UNUSED(process(0, rows, 2) == MR_OK);
}

static void unknown_output(void)
{
    const uint16_t rows[] = {0};
    emits_twice = true;
    MR_UNUSED(process(0, rows, 1) == MR_OK);
}

static void rows_of_another_domain(void)
{
    const uint16_t rows[] = {0};
    domain.shape.slots_count = 3;
    MR_UNUSED(process(0, rows, 1) == MR_OK);
}

static void an_outcome_from_process(void)
{
    const uint16_t rows[] = {0};
    next_status = MR_END;
    MR_UNUSED(process(0, rows, 1) == MR_OK);
}

static void another_node(void)
{
    const uint16_t rows[] = {0};
    fixture.context.node = 8;
    MR_UNUSED(process(0, rows, 1) == MR_OK);
}

static void broken_contracts_stop_the_process(void **state)
{
    MR_UNUSED(state);
    void (*const broken[])(void) = {after_a_failure,         unknown_port,   unordered_rows,
                                    rows_behind_the_end,     unknown_output, rows_of_another_domain,
                                    an_outcome_from_process, another_node};
    for (size_t index = 0; index < MR_ARRAY_COUNT(broken); index++) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            if (freopen("/dev/null", "w", stderr) != NULL)
                broken[index]();
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
            fail_msg("broken contract %zu was not noticed", index);
    }
}

/* ---- Messages and keys ---- */

static enum mr_status report_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    MR_UNUSED(self);
    MR_UNUSED(port);
    MR_UNUSED(error);
    char text[2 * MR_ERROR_MESSAGE_SIZE];
    for (size_t place = 0; place + 3 < sizeof(text); place += 3)
        memcpy(text + place, "\xe2\x82\xac", 4);
    mr_operator_row_error(context, view.batch, view.rows[0], "a%s", text);
    return MR_OK;
}

static int64_t wall_answer;
static uint32_t wall_calls;

static enum mr_status fake_wall(void *self, struct mr_operator_context *context, int64_t *due_ms,
                                struct mr_error *error)
{
    MR_UNUSED(self);
    MR_UNUSED(error);
    assert_true(*due_ms <= context->now_ms);
    wall_calls++;
    mr_operator_wake(context, 9000);
    *due_ms = wall_answer;
    return MR_OK;
}

static bool always_reads(const struct mr_options *options)
{
    MR_UNUSED(options);
    return true;
}

static uint32_t calls_at(struct mr_operator *instance, int64_t now_ms)
{
    bool called;
    uint32_t before = wall_calls;
    fixture.context.now_ms = now_ms;
    assert_int_equal(mr_operator_wall(instance, &fixture.context, &called, &fixture.error), MR_OK);
    assert_int_equal(called, wall_calls != before);
    return wall_calls - before;
}

static void wall_times_are_called_when_they_are_due(void **state)
{
    MR_UNUSED(state);
    struct mr_operator_type type = fake_type;
    struct mr_plan_node other = node;
    type.on_wall = fake_wall;
    other.type = &type.spec;
    struct mr_operator_open open = {.plan = &plan, .node = &other, .partitions_count = 1};
    struct mr_operator *instance;
    wall_calls = 0;
    /* Options that do not use it: never called. */
    assert_int_equal(mr_operator_create(&type, &open, &instance, &fixture.error), MR_OK);
    assert_int_equal(calls_at(instance, 1000), 0);
    assert_false(mr_operator_waits(instance, &fixture.context));
    mr_operator_destroy(instance);
    type.spec.reads_wall_clock = always_reads;
    assert_int_equal(mr_operator_create(&type, &open, &instance, &fixture.error), MR_OK);
    wall_answer = 5000;
    assert_int_equal(calls_at(instance, 1000), 1);
    assert_int_equal(calls_at(instance, 4999), 0);
    wall_answer = INT64_MAX;
    assert_int_equal(calls_at(instance, 5000), 1);
    /* It was woken for 9000 inside of the call, and is woken for less between calls. */
    mr_operator_wake(&fixture.context, 7000);
    assert_int_equal(calls_at(instance, 6999), 0);
    assert_int_equal(calls_at(instance, 7000), 1);
    assert_true(mr_operator_waits(instance, &fixture.context));
    fixture.context.wall_due_ms = INT64_MAX; /* nothing is open any more */
    assert_false(mr_operator_waits(instance, &fixture.context));
    mr_operator_destroy(instance);
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    MR_UNUSED(state);
    struct mr_operator_type type = fake_type;
    struct mr_plan_node other = node;
    type.process = report_process;
    other.type = &type.spec;
    struct mr_operator_open open = {.plan = &plan, .node = &other, .partitions_count = 1};
    struct mr_operator *instance;
    assert_int_equal(mr_operator_create(&type, &open, &instance, &fixture.error), MR_OK);
    assert_int_equal(mr_operator_process(instance, &fixture.context, 0,
                                         mr_batch_view(&fixture.batch), &fixture.error),
                     MR_OK);
    assert_in_range(reported_size, MR_ERROR_MESSAGE_SIZE - 6, MR_ERROR_MESSAGE_SIZE - 1);
    assert_int_equal(reported_size % 3, 1);
    mr_operator_destroy(instance);
}

static struct mr_view seen;
static const struct mr_slice *seen_keys;

static enum mr_status keys_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    MR_UNUSED(self);
    MR_UNUSED(port);
    MR_UNUSED(error);
    seen_keys = mr_operator_keys(context, &node, view, &seen);
    return MR_OK;
}

static void keys_are_made_once_and_rows_without_one_reported(void **state)
{
    MR_UNUSED(state);
    struct mr_operator_type type = fake_type;
    struct mr_plan_node other = node;
    type.process = keys_process;
    other.type = &type.spec;
    struct mr_operator_open open = {.plan = &plan, .node = &other, .partitions_count = 1};
    struct mr_operator *instance;
    assert_int_equal(mr_operator_create(&type, &open, &instance, &fixture.error), MR_OK);
    struct mr_value *column = mr_batch_column(&fixture.batch, 0);
    column[0] = mr_value_string(mr_slice_text("a"));
    column[1] = mr_value_null();
    column[2] = mr_value_string(mr_slice_text(""));
    const uint16_t last[] = {2};
    /* First a narrow view, then all rows: what is there stays, what is missing is made. */
    assert_int_equal(mr_operator_process(instance, &fixture.context, 0,
                                         (struct mr_view){&fixture.batch, last, 1}, &fixture.error),
                     MR_OK);
    assert_int_equal(seen.rows_count, 1);
    const struct mr_slice *first_keys = seen_keys;
    assert_int_equal(mr_operator_process(instance, &fixture.context, 0,
                                         mr_batch_view(&fixture.batch), &fixture.error),
                     MR_OK);
    assert_ptr_equal(seen_keys, first_keys);
    assert_int_equal(seen.rows_count, 2);
    assert_int_equal(seen.rows[0], 0);
    assert_int_equal(seen.rows[1], 2);
    assert_true(mr_slice_equal(seen_keys[0], mr_slice_text("a")));
    assert_true(seen_keys[2].data != NULL && seen_keys[2].size == 0);
    assert_non_null(strstr(reported, "has no key"));
    mr_operator_destroy(instance);
}

static void a_key_above_the_limit_is_reported(void **state)
{
    MR_UNUSED(state);
    struct mr_operator_type type = fake_type;
    struct mr_plan_node other = node;
    type.process = keys_process;
    other.type = &type.spec;
    struct mr_operator_open open = {.plan = &plan, .node = &other, .partitions_count = 1};
    struct mr_operator *instance;
    assert_int_equal(mr_operator_create(&type, &open, &instance, &fixture.error), MR_OK);
    char *text = mr_arena_new(&fixture.arena, 1, MR_LIMIT_KEY_BYTES + 1);
    memset(text, 'k', MR_LIMIT_KEY_BYTES + 1);
    struct mr_value *column = mr_batch_column(&fixture.batch, 0);
    column[0] = mr_value_string(mr_slice_from(text, MR_LIMIT_KEY_BYTES));
    column[1] = mr_value_string(mr_slice_from(text, MR_LIMIT_KEY_BYTES + 1));
    column[2] = column[0];
    assert_int_equal(mr_operator_process(instance, &fixture.context, 0,
                                         mr_batch_view(&fixture.batch), &fixture.error),
                     MR_OK);
    assert_int_equal(seen.rows_count, 2);
    assert_string_equal(reported, "the key has 32769 bytes, at most 32768 are allowed");
    mr_operator_destroy(instance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_go_through, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_open_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_names_the_operator, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_contracts_stop_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(wall_times_are_called_when_they_are_due, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_message_is_cut_at_a_character, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_made_once_and_rows_without_one_reported, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_key_above_the_limit_is_reported, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
