/* tests/unit/operators/test_sample_model_network.c — documents of networks: what is read, and what
 * is refused with a sentence. */
#include "operators/sample_model_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/support/network_file.h"

static struct mr_error error;

static void a_network_is_read(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_model *model;
    char *document = network_file_read("network_model.json");
    assert_int_equal(mr_sample_model_read(mr_slice_text(document), &model, &error), MR_OK);
    memset(document, 'x', strlen(document)); /* the text need not stay */
    const struct mr_sample_facts *facts = mr_sample_model_facts(model);
    const struct mr_network *network = mr_sample_model_network(model);
    assert_string_equal(facts->type, "network");
    assert_string_equal(facts->name, "tiny");
    assert_int_equal(facts->version, 3);
    assert_int_equal(network->fields_count, 6);
    assert_int_equal(network->layers.hidden_count, 2);
    assert_int_equal(network->layers.conditions, 7);
    assert_int_equal(network->layers.layers[0].inputs, 12);
    assert_int_equal(network->layers.layers[2].inputs, 12 + 19 + 6);
    assert_int_equal(network->categorical_count, 3);
    assert_int_equal(network->fields[4].first_place, 3);
    assert_int_equal(network->fields[4].first_output, 12);
    assert_true(network->fields[0].power_of_ten == 1000);
    assert_true(network->fields[1].shares[1] == 0.03);
    assert_int_equal(network->fields[1].values[2].kind, MR_KIND_NULL);
    assert_int_equal(network->fields[5].values[0].kind, MR_KIND_INT);
    assert_int_equal(network->fields[5].values[1].kind, MR_KIND_DOUBLE);
    mr_sample_model_destroy(model);
    mr_memory_free(document);
}

static void what_is_wrong_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *find;
        const char *replacement;
        const char *sentence;
    } cases[] = {
        {"\"latents\": 5", "\"latents\": 0", "the model: latents is 0: there must be at least one"},
        {"\"latents\": 5", "\"latents\": 6",
         "the model, hidden[0].weights: 247 numbers of 4 bytes are 1320 characters of base64, and "
         "it has 1216"},
        {"\"latents\": 5", "\"latents\": 2000",
         "the model, latents: 2000 is not within 0 and 1024"},
        {"\"latents\": 5", "\"latent\": 5", "the model: the member \"latent\" is not known"},
        {"\"outputs\": 19", "\"outputs\": 0",
         "the model, hidden[0]: a layer has at least one output"},
        {"\"outputs\": 6", "\"outputs\": 1e9",
         "the model, hidden[1].outputs: 1000000000 is not within 0 and 8192"},
        {"\"outputs\": 6", "\"outputs\": 7", "the model, hidden[1].weights: 217 numbers"},
        {"\"kind\": \"number\"", "\"kind\": \"date\"",
         "the model, fields[0].kind: \"date\" is neither number nor category"},
        {"\"decimals\": 3", "\"decimals\": 10",
         "the model, fields[0].decimals: 10 is not within 0 and 9"},
        {"\"rare\"", "\"often\"",
         "the model, fields[1].categories[1]: it has the value of category 0"},
        {"\"weight\": 3", "\"weight\": 0", "the model, fields[1].categories[1].weight: 0 is not"},
        {"\"rare\"", "[1]",
         "the model, fields[1].categories[1].value: a text, a number, true, false or null is "
         "wanted"},
        {"\"epsilon\": 1e-05", "\"epsilon\": -1",
         "the model, hidden[0].normalisation.epsilon: -1 is not within 0 and 1"},
        {"\"variance\": \"", "\"variance\": \"AACAvw", "the model, hidden[0].normalisation.var"},
        {"\"scale\": \"", "\"scale\": 1, \"x\": \"", "the model, hidden[0].normalisation: the mem"},
        {"\"bias\": \"", "\"bias\": \"!", "the model, hidden[0].bias: 19 numbers of 4 bytes are"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_sample_model *model;
        char *document = network_file_changed(cases[at].find, cases[at].replacement);
        assert_int_equal(mr_sample_model_read(mr_slice_text(document), &model, &error), MR_INVALID);
        assert_null(model);
        assert_memory_equal(error.message, cases[at].sentence, strlen(cases[at].sentence));
        mr_memory_free(document);
    }
}

/* Replace the first characters of an array: other numbers, or none. */
static void numbers_are_checked(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *array;
        const char *start;
        const char *sentence;
    } cases[] = {
        /* NaN, infinity, 2e6, -1 as a variance, no base64. */
        {"\"weights\": \"", "AADAfw", "the model, hidden[0].weights: number 0 is nan, not within"},
        {"\"bias\": \"", "AACA/w", "the model, hidden[0].bias: number 0 is -inf, not within"},
        {"\"bias\": \"", "ACT0SQ", "the model, hidden[0].bias: number 0 is 2e+06, not within"},
        {"\"variance\": \"", "AACAvw", "the model, hidden[0].normalisation: variance 0 is -1"},
        {"\"mean\": \"", "@@@@@@",
         "the model, hidden[0].normalisation.mean: it is no base64 of 19"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_sample_model *model;
        char *document = network_file_read("network_model.json");
        char *place = strstr(document, cases[at].array) + strlen(cases[at].array);
        memcpy(place, cases[at].start, strlen(cases[at].start));
        assert_int_equal(mr_sample_model_read(mr_slice_text(document), &model, &error), MR_INVALID);
        assert_memory_equal(error.message, cases[at].sentence, strlen(cases[at].sentence));
        mr_memory_free(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_is_read),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(numbers_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
