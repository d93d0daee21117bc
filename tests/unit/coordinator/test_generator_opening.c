/* tests/unit/coordinator/test_generator_opening.c — openings are taken, refused, and dropped before
 * and behind their turn; whoever lets go last frees them. */
#include "coordinator/generator_opening.h"

#include "base/assert.h"
#include "base/clock.h"
#include "operators/sample_model.h"
#include "tests/support/copula_rows.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* ---- A model whose references are counted here ---- */

struct mr_generator_model {
    struct mr_sample_model *model;
    _Atomic int references;
};

static struct mr_generator_model model;

const struct mr_sample_model *mr_generator_model_of(const struct mr_generator_model *of)
{
    return of->model;
}

struct mr_generator_model *mr_generator_share(struct mr_generator_model *of)
{
    of->references++;
    return of;
}

void mr_generator_release(struct mr_generator_model *of)
{
    of->references--;
}

/* ---- */

static struct mr_ring *ring;
static pthread_t opener;

static void *run_loop(void *argument)
{
    mr_generator_opening_loop(argument);
    return NULL;
}

static int set_up(void **state)
{
    MR_UNUSED(state);
    ring = mr_ring_create(4);
    return 0;
}

static void start_loop(void)
{
    assert_int_equal(pthread_create(&opener, NULL, run_loop, ring), 0);
}

static void end_loop(void)
{
    mr_ring_close(ring);
    pthread_join(opener, NULL);
    mr_ring_destroy(ring);
    assert_int_equal(model.references, 0);
}

static struct mr_generator_opening *start(const char *conditions)
{
    return mr_generator_opening_start(ring, &model, mr_slice_text(conditions), 7);
}

static enum mr_status await(struct mr_generator_opening *opening, struct mr_sample **sample,
                            struct mr_error *error)
{
    enum mr_status status;
    while ((status = mr_generator_opening_take(opening, sample, error)) == MR_AGAIN)
        mr_clock_sleep_ms(1);
    return status;
}

static void test_opens_and_refuses(void **state)
{
    MR_UNUSED(state);
    struct mr_sample *sample = NULL;
    struct mr_error error;
    struct mr_generator_opening *fine = start("{\"a\":{\"gte\":1.5},\"b\":{\"lt\":40}}");
    struct mr_generator_opening *wrong = start("{\"zz\":1}");
    assert_int_equal(mr_generator_opening_take(fine, &sample, &error), MR_AGAIN);
    start_loop();
    assert_int_equal(await(fine, &sample, &error), MR_OK);
    assert_true(mr_sample_probability(sample) < 1);
    mr_sample_close(sample);
    assert_int_equal(await(wrong, &sample, &error), MR_INVALID);
    assert_non_null(strstr(error.message, "zz"));
    end_loop();
}

static void test_frees_what_is_dropped(void **state)
{
    MR_UNUSED(state);
    mr_generator_opening_drop(start("{\"a\":{\"gte\":1.5}}")); /* before its turn */
    struct mr_generator_opening *late = start("{\"a\":{\"gte\":1.5}}");
    start_loop();
    mr_clock_sleep_ms(20);
    mr_generator_opening_drop(late); /* behind it, most likely */
    mr_generator_opening_drop(NULL);
    end_loop();
}

static void test_bounds_what_waits(void **state)
{
    MR_UNUSED(state);
    struct mr_generator_opening *openings[4];
    for (size_t index = 0; index < MR_ARRAY_COUNT(openings); index++) {
        openings[index] = start("{\"d\":true}");
        assert_non_null(openings[index]);
    }
    assert_null(start("{\"d\":true}"));
    assert_int_equal(model.references, 4);
    for (size_t index = 0; index < MR_ARRAY_COUNT(openings); index++)
        mr_generator_opening_drop(openings[index]);
    start_loop();
    end_loop();
}

static int make_model(void **state)
{
    MR_UNUSED(state);
    struct copula_fixture fixture;
    struct copula_rows rows;
    struct mr_buffer document;
    struct mr_error error;
    copula_rows_make(&rows, 2000, 3, 0);
    copula_fixture_open(&fixture, 500);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&document, 1 << 20);
    copula_fixture_document(&fixture, &document);
    copula_fixture_close(&fixture);
    enum mr_status status = mr_sample_model_read(mr_buffer_view(&document), &model.model, &error);
    mr_buffer_deinit(&document);
    return status == MR_OK ? 0 : -1;
}

static int free_model(void **state)
{
    MR_UNUSED(state);
    mr_sample_model_destroy(model.model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_opens_and_refuses, set_up),
        cmocka_unit_test_setup(test_frees_what_is_dropped, set_up),
        cmocka_unit_test_setup(test_bounds_what_waits, set_up),
    };
    return cmocka_run_group_tests(tests, make_model, free_model);
}
