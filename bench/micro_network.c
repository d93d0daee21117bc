/* bench/micro_network.c — records per CPU second of a network with CTGAN's layers: 128 latents,
 * twice 256 outputs; 15 fields of which 9 have 100 categories in all and 6 have ten modes. And with
 * 55 fields: 10 numbers, and 45 of two categories. Weights are random; cells are made as well. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/network.h"

enum { LATENTS = 128, HIDDEN = 256, MODES = 10, MADE = 64000 };

static void fill_layer(struct mr_network_layer *layer, uint32_t inputs, uint32_t outputs,
                       struct mr_arena *arena, struct mr_random *random)
{
    mr_network_layer_create(layer, inputs, outputs, arena);
    for (uint32_t input = 0; input < inputs; input++)
        for (uint32_t output = 0; output < outputs; output++)
            *mr_network_layer_weight(layer, input, output) =
                (float)(mr_random_normal(random) * 0.05);
}

static void add_field(struct mr_network *network, uint32_t categories, uint32_t *outputs,
                      struct mr_arena *arena)
{
    struct mr_network_field *field = &network->fields[network->fields_count];
    field->is_category = categories > 0;
    field->count = categories > 0 ? categories : MODES;
    field->first_output = *outputs;
    field->modes = mr_arena_new(arena, field->count, sizeof(*field->modes));
    field->values = mr_arena_new(arena, field->count, sizeof(*field->values));
    field->shares = mr_arena_new(arena, field->count, sizeof(*field->shares));
    for (uint32_t at = 0; at < field->count; at++) {
        field->modes[at] = (struct mr_network_mode){at, 0.5};
        field->values[at] = mr_value_int(at);
        field->shares[at] = 1.0 / field->count;
    }
    *outputs += field->count + !field->is_category;
    if (field->is_category) {
        field->first_place = network->layers.conditions;
        network->layers.conditions += field->count;
        network->categorical[network->categorical_count++] = network->fields_count;
    }
    network->fields_count++;
}

static void measure(uint32_t numbers, uint32_t categorical, uint32_t categories)
{
    struct mr_arena arena;
    struct mr_random random;
    struct mr_error error;
    struct mr_network_sample *sample;
    uint32_t outputs = 0;
    double probability;
    mr_arena_init(&arena, 1 << 16);
    mr_random_init(&random, 1, 1);
    struct mr_network network = {.layers = {.latents = LATENTS, .hidden_count = 2}};
    network.fields = mr_arena_new(&arena, MR_SAMPLE_FIELDS_MAX, sizeof(*network.fields));
    for (uint32_t at = 0; at < numbers + categorical; at++)
        add_field(&network, at < numbers ? 0 : categories, &outputs, &arena);
    uint32_t inputs = LATENTS + network.layers.conditions;
    fill_layer(&network.layers.layers[0], inputs, HIDDEN, &arena, &random);
    fill_layer(&network.layers.layers[1], inputs + HIDDEN, HIDDEN, &arena, &random);
    fill_layer(&network.layers.layers[2], inputs + 2 * HIDDEN, outputs, &arena, &random);
    if (mr_network_sample_open(&network, NULL, 0, &sample, &probability, &error) != MR_OK)
        exit(EXIT_FAILURE);
    struct mr_value *cells =
        mr_memory_new((size_t)network.fields_count * MR_NETWORK_ROWS, sizeof(*cells));
    uint64_t begun_ns = mr_clock_thread_cpu_ns();
    for (uint64_t row = 0; row < MADE; row += MR_NETWORK_ROWS)
        mr_network_sample_draw(sample, 1, row, MR_NETWORK_ROWS, cells, MR_NETWORK_ROWS);
    double seconds = (double)(mr_clock_thread_cpu_ns() - begun_ns) / 1e9;
    printf("network, %2u fields, %u outputs: made %.0f rows/s\n", network.fields_count, outputs,
           MADE / seconds);
    mr_network_sample_close(sample);
    mr_memory_free(cells);
    mr_arena_deinit(&arena);
}

int main(void)
{
    measure(6, 9, 11);
    measure(10, 45, 2);
    return 0;
}
