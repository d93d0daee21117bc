/* tests/unit/operators/test_network_layers.c — layers beside numpy's (tests/support/
 * network_reference.py), and sums whose order cannot be told from their bits. */
#include "operators/network_layers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/sample_model_network.h"
#include "tests/support/network_file.h"

static void layers_are_numpys(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_model *model;
    struct mr_error error;
    char *document = network_file_read("network_model.json");
    char *expected = network_file_read("network_layers.txt");
    assert_int_equal(mr_sample_model_read(mr_slice_text(document), &model, &error), MR_OK);
    const struct mr_network_layers *layers = &mr_sample_model_network(model)->layers;
    uint32_t width = mr_network_layers_width(layers);
    uint32_t outputs_count = layers->layers[layers->hidden_count].outputs;
    assert_int_equal(width, 5 + 19 + 6);
    assert_int_equal(outputs_count, 16);
    float *activations = mr_memory_new((size_t)width * MR_NETWORK_ROWS, sizeof(*activations));
    float *outputs = mr_memory_new((size_t)outputs_count * MR_NETWORK_ROWS, sizeof(*outputs));
    char *at = expected;
    for (uint32_t place = 0; place < layers->conditions; place++) {
        /* As the fourth of five rows, so that tiles are cut. */
        uint32_t hot[5] = {0, 1, 2, 0, MR_NETWORK_NO_CONDITION};
        hot[3] = (uint32_t)strtod(at, &at);
        assert_int_equal(hot[3], place);
        for (uint32_t latent = 0; latent < layers->latents; latent++)
            activations[4 * width - layers->latents + latent] = (float)strtod(at, &at);
        mr_network_layers_run(layers, activations, hot, 5, outputs);
        for (uint32_t output = 0; output < outputs_count; output++) {
            double wanted = strtod(at, &at);
            assert_true(fabs((double)outputs[3 * outputs_count + output] - wanted) <=
                        1e-5 * fmax(1, fabs(wanted)));
        }
    }
    mr_memory_free(activations);
    mr_memory_free(outputs);
    mr_memory_free(document);
    mr_memory_free(expected);
    mr_sample_model_destroy(model);
}

/* Each output is summed in the order of its inputs, whatever vectors the processor has. */
static void sums_have_an_order(void **state)
{
    MR_UNUSED(state);
    enum { LATENTS = 37, OUTPUTS = 21, ROWS = 7 };
    struct mr_arena arena;
    struct mr_random random;
    static float activations[LATENTS * MR_NETWORK_ROWS];
    static float outputs[32 * MR_NETWORK_ROWS];
    uint32_t hot[ROWS];
    mr_arena_init(&arena, 1 << 16);
    mr_random_init(&random, 1, 2);
    struct mr_network_layers layers = {.latents = LATENTS, .conditions = 2};
    struct mr_network_layer *layer = &layers.layers[0];
    mr_network_layer_create(layer, LATENTS + 2, OUTPUTS, &arena);
    for (uint32_t output = 0; output < OUTPUTS; output++) {
        layer->bias[output] = (float)mr_random_normal(&random);
        for (uint32_t input = 0; input < LATENTS + 2; input++)
            *mr_network_layer_weight(layer, input, output) = (float)mr_random_normal(&random);
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        hot[row] = row % 3 == 2 ? MR_NETWORK_NO_CONDITION : row % 3;
        for (uint32_t input = 0; input < LATENTS; input++)
            activations[row * LATENTS + input] = (float)mr_random_normal(&random);
    }
    mr_network_layers_run(&layers, activations, hot, ROWS, outputs);
    assert_int_equal(mr_network_layers_stride(&layers), 32);
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t output = 0; output < OUTPUTS; output++) {
            volatile float sum = layer->bias[output];
            for (uint32_t input = 0; input < LATENTS; input++) {
                volatile float product = activations[row * LATENTS + input] *
                                         *mr_network_layer_weight(layer, input, output);
                sum = sum + product;
            }
            if (hot[row] != MR_NETWORK_NO_CONDITION)
                sum = sum + *mr_network_layer_weight(layer, LATENTS + hot[row], output);
            float wanted = sum;
            assert_memory_equal(&outputs[row * 32 + output], &wanted, sizeof(wanted));
        }
    mr_arena_deinit(&arena);
}

/* The largest weights make large numbers, and no infinite ones. */
static void nothing_overflows(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    static float activations[9 * MR_NETWORK_ROWS];
    static float outputs[MR_NETWORK_PANEL * MR_NETWORK_ROWS];
    uint32_t hot[1] = {MR_NETWORK_NO_CONDITION};
    mr_arena_init(&arena, 1 << 16);
    struct mr_network_layers layers = {.latents = 1, .hidden_count = MR_NETWORK_HIDDEN_MAX};
    for (uint32_t index = 0; index <= MR_NETWORK_HIDDEN_MAX; index++) {
        struct mr_network_layer *layer = &layers.layers[index];
        mr_network_layer_create(layer, 1 + index, 1, &arena);
        for (uint32_t input = 0; input <= index; input++)
            *mr_network_layer_weight(layer, input, 0) =
                index == MR_NETWORK_HIDDEN_MAX ? -MR_NETWORK_WEIGHT_MAX : MR_NETWORK_WEIGHT_MAX;
    }
    activations[8] = 6;
    mr_network_layers_run(&layers, activations, hot, 1, outputs);
    assert_true(isfinite(outputs[0]) && outputs[0] < -1e30f);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_numpys),
        cmocka_unit_test(sums_have_an_order),
        cmocka_unit_test(nothing_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
