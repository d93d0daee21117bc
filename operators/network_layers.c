/* operators/network_layers.c — see network_layers.h.
 * Design: four rows and a panel of 16 outputs at a time, so that their sums stay in registers while
 * the inputs pass; a panel's weights stay in the first cache for all rows of a block. The condition
 * is one line of weights that is added. The same code is compiled for the processor's wider vectors
 * where it has them: an output's sum is made in the same order by each. */
#include "operators/network_layers.h"

#include <string.h>

#include "base/assert.h"

enum { TILE_ROWS = 4, HALF = MR_NETWORK_PANEL / 2 };

/* Half a panel; the compiler makes of it what the processor has. */
typedef float half_panel __attribute__((vector_size(HALF * sizeof(float))));
/* The same in memory: where floats may stand. */
typedef float half_panel_place
    __attribute__((vector_size(HALF * sizeof(float)), aligned(sizeof(float)), may_alias));

/* What is added up for some rows and a panel. */
struct tile {
    const float *rows; /* inputs of the first row */
    size_t stride;     /* from row to row */
    uint32_t inputs;   /* without the condition */
    const float *weights;
    float sums[TILE_ROWS][MR_NETWORK_PANEL];
};

void mr_network_layer_create(struct mr_network_layer *layer, uint32_t inputs, uint32_t outputs,
                             struct mr_arena *arena)
{
    size_t panels = (outputs + MR_NETWORK_PANEL - 1) / MR_NETWORK_PANEL;
    *layer = (struct mr_network_layer){
        .inputs = inputs,
        .outputs = outputs,
        .weights = mr_arena_new(arena, panels * inputs * MR_NETWORK_PANEL, sizeof(*layer->weights)),
        .bias = mr_arena_new(arena, panels * MR_NETWORK_PANEL, sizeof(*layer->bias))};
}

uint32_t mr_network_layers_width(const struct mr_network_layers *layers)
{
    return layers->layers[layers->hidden_count].inputs - layers->conditions;
}

uint32_t mr_network_layers_stride(const struct mr_network_layers *layers)
{
    uint32_t outputs = layers->layers[layers->hidden_count].outputs;
    return (outputs + MR_NETWORK_PANEL - 1) / MR_NETWORK_PANEL * MR_NETWORK_PANEL;
}

static inline __attribute__((always_inline)) void add_products(struct tile *tile)
{
    half_panel sums[TILE_ROWS][2];
    const float *weights = tile->weights;
    const float *numbers = tile->rows;
    size_t stride = tile->stride;
    memcpy(sums, tile->sums, sizeof(sums));
    for (uint32_t input = 0; input < tile->inputs; input++) {
        half_panel left = *(const half_panel_place *)weights;
        half_panel right = *(const half_panel_place *)(weights + HALF);
        weights += MR_NETWORK_PANEL;
#pragma GCC unroll 4
        for (int row = 0; row < TILE_ROWS; row++) {
            float number = numbers[(size_t)row * stride + input];
            sums[row][0] += left * number;
            sums[row][1] += right * number;
        }
    }
    memcpy(tile->sums, sums, sizeof(sums));
}

static void add_products_plain(struct tile *tile)
{
    add_products(tile);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void add_products_wide(struct tile *tile)
{
    add_products(tile);
}
#endif

typedef void add_products_fn(struct tile *tile);

static add_products_fn *choose(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return add_products_wide;
#endif
    return add_products_plain;
}

/* Where a layer's outputs go. */
struct target {
    float *rows;
    size_t stride;
    bool is_hidden;
};

static void take_sums(const struct tile *tile, uint32_t rows_count, uint32_t first,
                      uint32_t outputs_count, const struct target *target)
{
    for (uint32_t row = 0; row < rows_count; row++) {
        float *numbers = target->rows + row * target->stride + first;
        for (uint32_t output = 0; output < outputs_count; output++) {
            float sum = tile->sums[row][output];
            if (target->is_hidden) {
                sum = sum > 0 ? sum : 0;
                sum = sum < MR_NETWORK_ACTIVATION_MAX ? sum : MR_NETWORK_ACTIVATION_MAX;
            }
            numbers[output] = sum;
        }
    }
}

static void run_layer(const struct mr_network_layer *layer, uint32_t conditions, struct tile *tile,
                      const uint32_t *hot, uint32_t rows_count, const struct target *target)
{
    add_products_fn *add = choose();
    const float *rows = tile->rows;
    tile->inputs = layer->inputs - conditions;
    for (uint32_t first = 0; first < layer->outputs; first += MR_NETWORK_PANEL) {
        tile->weights = layer->weights + (size_t)first * layer->inputs;
        uint32_t outputs = layer->outputs - first;
        for (uint32_t row = 0; row < rows_count; row += TILE_ROWS) {
            uint32_t count = rows_count - row < TILE_ROWS ? rows_count - row : TILE_ROWS;
            tile->rows = rows + row * tile->stride;
            for (uint32_t at = 0; at < TILE_ROWS; at++)
                memcpy(tile->sums[at], layer->bias + first, sizeof(tile->sums[at]));
            add(tile);
            for (uint32_t at = 0; at < count; at++) {
                if (hot[row + at] == MR_NETWORK_NO_CONDITION)
                    continue;
                const float *line =
                    tile->weights + (size_t)(tile->inputs + hot[row + at]) * MR_NETWORK_PANEL;
                for (uint32_t output = 0; output < MR_NETWORK_PANEL; output++)
                    tile->sums[at][output] += line[output];
            }
            struct target part = *target;
            part.rows += row * part.stride;
            take_sums(tile, count, first, outputs < MR_NETWORK_PANEL ? outputs : MR_NETWORK_PANEL,
                      &part);
        }
    }
}

void mr_network_layers_run(const struct mr_network_layers *layers, float *activations,
                           const uint32_t *hot, uint32_t rows_count, float *outputs)
{
    uint32_t width = mr_network_layers_width(layers);
    MR_ASSERT(rows_count <= MR_NETWORK_ROWS);
    for (uint32_t index = 0; index <= layers->hidden_count; index++) {
        const struct mr_network_layer *layer = &layers->layers[index];
        float *inputs = activations + (width - (layer->inputs - layers->conditions));
        bool is_hidden = index < layers->hidden_count;
        struct tile tile = {.rows = inputs, .stride = width};
        struct target target = {.rows = is_hidden ? inputs - layer->outputs : outputs,
                                .stride = is_hidden ? width : mr_network_layers_stride(layers),
                                .is_hidden = is_hidden};
        run_layer(layer, layers->conditions, &tile, hot, rows_count, &target);
    }
}
