/* operators/network.h — a trained generator network, such as CTGAN's, and rows that are drawn from
 * it.
 * Model: (Xu, Skoularidou, Cuesta-Infante and Veeramachaneni, Modeling Tabular Data using
 * Conditional GAN, NeurIPS 2019)
 *   latents    independent standard normal numbers
 *   condition  names one category of one field: the field is drawn evenly, the category by its
 *              share. Without fields of categories there is none
 *   layers     (network_layers.h) make outputs of both
 *   number     1 + m outputs: one for the place within a mode, and one for each of its m modes. The
 *              mode is drawn from the softmax of the m; the value is
 *              mean + 4 deviation tanh(first output), rounded where it has decimals
 *   category   an output for each of its categories, which is drawn from their softmax
 * The winner of the outputs with Gumbel noise, as CTGAN draws modes and categories, is a draw from
 * their softmax, whatever its temperature is.
 * Row n is a function of (network, conditions, seed, n). Conditions: of those on categories, the
 * one that the fewest records meet goes into the network (the category is drawn from those that
 * meet it, by their shares); rows that miss any condition are drawn again, a bounded number of
 * times (network_sample.c).
 * Memory: a drawing takes 4 x 64 bytes for each number of a row of activations and of outputs.
 * Threads: a network is read-only; a drawing belongs to one thread. Pure, the same bits everywhere.
 */
#ifndef MR_OPERATORS_NETWORK_H
#define MR_OPERATORS_NETWORK_H

#include "operators/network_layers.h"
#include "operators/sample_type.h"

enum { MR_NETWORK_MODES_MAX = 100, MR_NETWORK_DECIMALS_MAX = 9 };

struct mr_network_mode {
    double mean;
    double deviation;
};

struct mr_network_field {
    bool is_category;
    double power_of_ten;   /* numbers are whole multiples of 1 by it; 0: as they come */
    uint32_t first_output; /* of a number: its place; the modes are behind */
    uint32_t count;        /* modes or categories */
    uint32_t first_place;  /* of categories in the condition */
    struct mr_network_mode *modes;
    struct mr_value *values; /* of categories: texts, whole and other numbers, booleans, null */
    double *shares;          /* of categories; their sum is 1 */
};

struct mr_network {
    struct mr_network_layers layers;
    struct mr_network_field *fields;
    uint32_t fields_count;
    uint32_t categorical_count;
    uint32_t categorical[MR_SAMPLE_FIELDS_MAX]; /* which fields */
};

struct mr_network_sample;

/* As mr_sample_type's open, close and draw. */
enum mr_status mr_network_sample_open(const struct mr_network *network,
                                      const struct mr_sample_condition *conditions,
                                      uint32_t conditions_count, struct mr_network_sample **sample,
                                      double *probability, struct mr_error *error) MR_NODISCARD;
void mr_network_sample_close(struct mr_network_sample *sample);
void mr_network_sample_draw(struct mr_network_sample *sample, uint64_t seed, uint64_t first,
                            uint32_t rows_count, struct mr_value *cells, uint32_t stride);

#endif
