/* operators/network_layers.h — the layers of a generator network: blocks of rows through dense
 * layers, in single precision.
 * Model: a row starts as latents (normal numbers) and a condition, one place of which is 1 and the
 * others 0. Each hidden layer adds to what it gets: its outputs, max(0, W x + b), stand before its
 * inputs, and all of it is the input of the next layer. The last layer is W x + b alone. So a row
 * of activations is
 *
 *   [outputs of the last hidden layer | ... | of the first | latents]
 *
 * and the input of a layer is the end of it, with the condition behind.
 * Numbers: each output is b + x[0] w[0] + x[1] w[1] + ..., in that order, products and sums rounded
 * one by one: the same bits with any vector unit, on every machine. Weights are within
 * +-MR_NETWORK_WEIGHT_MAX and activations are cut at MR_NETWORK_ACTIVATION_MAX, so that nothing
 * overflows. Threads: layers are read-only once they are filled. Pure. */
#ifndef MR_OPERATORS_NETWORK_LAYERS_H
#define MR_OPERATORS_NETWORK_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum {
    MR_NETWORK_ROWS = 64,  /* a block */
    MR_NETWORK_PANEL = 16, /* outputs whose weights stand together */
    MR_NETWORK_HIDDEN_MAX = 8,
    MR_NETWORK_LATENTS_MAX = 1024,
    MR_NETWORK_OUTPUTS_MAX = 8192 /* of a layer */
};

#define MR_NETWORK_WEIGHT_MAX 1e6f
#define MR_NETWORK_ACTIVATION_MAX 1e25f
#define MR_NETWORK_NO_CONDITION UINT32_MAX

struct mr_network_layer {
    uint32_t inputs; /* with the condition */
    uint32_t outputs;
    float *weights; /* by panel, input, output of the panel; 0 behind the last output */
    float *bias;    /* by panel, too */
};

struct mr_network_layers {
    uint32_t latents;
    uint32_t conditions; /* places */
    uint32_t hidden_count;
    struct mr_network_layer layers[MR_NETWORK_HIDDEN_MAX + 1]; /* the last one behind the hidden */
};

/* A layer's memory, from arena, all 0. */
void mr_network_layer_create(struct mr_network_layer *layer, uint32_t inputs, uint32_t outputs,
                             struct mr_arena *arena);
static inline float *mr_network_layer_weight(const struct mr_network_layer *layer, uint32_t input,
                                             uint32_t output)
{
    uint32_t panel = output / MR_NETWORK_PANEL;
    return layer->weights + ((size_t)panel * layer->inputs + input) * MR_NETWORK_PANEL +
           output % MR_NETWORK_PANEL;
}

/* Numbers in a row of activations, and in a row of outputs (a multiple of the panel). */
uint32_t mr_network_layers_width(const struct mr_network_layers *layers);
uint32_t mr_network_layers_stride(const struct mr_network_layers *layers);

/* rows_count rows, at most MR_NETWORK_ROWS. activations: rows of _width numbers whose ends are the
 * latents; the rest is written. hot: of each row the place of its condition that is 1, or
 * MR_NETWORK_NO_CONDITION. outputs: rows of _stride numbers. */
void mr_network_layers_run(const struct mr_network_layers *layers, float *activations,
                           const uint32_t *hot, uint32_t rows_count, float *outputs);

#endif
