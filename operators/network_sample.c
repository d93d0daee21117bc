/* operators/network_sample.c — rows drawn from a network (network.h).
 * Design: a row's numbers come from its own sequence (seed, n): one for each latent, two for the
 * condition where there is one, then one for each field. A row that misses the conditions is tried
 * again with the numbers from 2^32 t blocks on, t counting its tries; the first try that meets them
 * counts, so that it does not matter how many tries of how many rows share a block.
 * How likely the conditions are is told by a pilot: rows of a sequence of its own, until 64 of them
 * have met the conditions or 16,384 were made. Fewer than 4 in those: too rare, refused. A row is
 * tried 100 / probability times at most; odds of missing them all are below 1e-10 even where the
 * pilot was wrong by a factor of four. Then the pilot's first hit stands in for it. */
#include "operators/network.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/normal_score.h"
#include "operators/tail.h"

enum { PILOT_ROWS = 16384, PILOT_HITS = 64, HITS_MIN = 4, TRIES_FACTOR = 100 };

/* Streams of the seed beside other generators'. */
static const uint64_t rows_seed = 0x6e6574776f726b21u;
static const uint64_t pilot_seed = 0x70696c6f74212121u;

/* What a field must be. */
struct demand {
    bool is_given;
    bool *allowed; /* by category */
    double lowest; /* of a number, both inclusive */
    double highest;
    bool lowest_is_out;
    bool highest_is_out;
    const double *numbers; /* one of these; NULL: any within the bounds */
    uint32_t numbers_count;
};

/* One try in a block. */
struct slot {
    uint64_t row;
    struct mr_random random;
};

struct mr_network_sample {
    const struct mr_network *network;
    struct demand *demands; /* by field */
    bool is_conditioned;
    int fixed_field; /* whose category is in the network's condition; -1: any field's */
    double *fixed_shares;
    double fixed_share; /* of all that are allowed */
    uint64_t tries_max;
    uint64_t pilot_hit;
    float *activations;
    float *outputs;
    uint32_t hot[MR_NETWORK_ROWS];
    struct slot slots[MR_NETWORK_ROWS];
    /* Of the latest block: by slot and field a number, or the index of a category. */
    double *found;
    double *weights; /* of a field's choices */
};

/* ---- One row ---- */

/* 32 bits as a normal number within 6.3 deviations. */
static float latent(struct mr_random *random)
{
    return (float)mr_normal_score(((double)mr_random_u32(random) + 0.5) * 0x1p-32);
}

/* The first whose cumulated weight is above `wanted`. */
static uint32_t pick(const double *weights, uint32_t count, double wanted)
{
    uint32_t index = 0;
    double sum = weights[0];
    while (index + 1 < count && !(wanted < sum))
        sum += weights[++index];
    while (index > 0 && !(weights[index] > 0)) /* rounding led behind the last one */
        index--;
    return index;
}

/* The condition of a row: which field, which category. */
static uint32_t draw_condition(const struct mr_network_sample *sample, struct mr_random *random)
{
    const struct mr_network *network = sample->network;
    double which_field = mr_random_double(random);
    double which = mr_random_double(random);
    uint32_t number = (uint32_t)(which_field * network->categorical_count);
    const struct mr_network_field *field = &network->fields[network->categorical[number]];
    const double *shares = field->shares;
    if (sample->fixed_field >= 0) {
        field = &network->fields[sample->fixed_field];
        shares = sample->fixed_shares;
        which *= sample->fixed_share;
    }
    return field->first_place + pick(shares, field->count, which);
}

static void begin(struct mr_network_sample *sample, uint32_t index, uint64_t seed, uint64_t row,
                  uint64_t try)
{
    const struct mr_network_layers *layers = &sample->network->layers;
    uint32_t width = mr_network_layers_width(layers);
    float *latents = sample->activations + (size_t)(index + 1) * width - layers->latents;
    struct slot *slot = &sample->slots[index];
    slot->row = row;
    mr_random_init(&slot->random, seed ^ rows_seed, row);
    slot->random.counter = try << 32;
    for (uint32_t at = 0; at < layers->latents; at++)
        latents[at] = latent(&slot->random);
    sample->hot[index] =
        layers->conditions == 0 ? MR_NETWORK_NO_CONDITION : draw_condition(sample, &slot->random);
}

/* e^x for x <= 0 and at least -80, else as of that: 2^k times a polynomial in what is left of
 * x / log 2, within 3e-7. Plain products and sums. */
static float exponential(float x)
{
    static const float shifter = 12582912; /* 1.5 2^23: sums with it are whole numbers */
    float scaled = (x > -80 ? x : -80) * 1.44269504f;
    float shifted = scaled + shifter;
    float rest = (scaled - (shifted - shifter)) * 0.693147181f;
    float sum =
        1 + rest * (1 + rest * (0.5f + rest * (0.166666667f +
                                               rest * (0.0416666667f + rest * 0.00833333333f))));
    uint32_t bits;
    uint32_t power;
    memcpy(&bits, &sum, sizeof(bits));
    memcpy(&power, &shifted, sizeof(power));
    bits += power << 23; /* the low bits of shifted are k, modulo 2^9 */
    memcpy(&sum, &bits, sizeof(sum));
    return sum;
}

/* A draw from the softmax of outputs. */
static uint32_t choose(const struct mr_network_sample *sample, const float *outputs, uint32_t count,
                       double uniform)
{
    float highest = outputs[0];
    for (uint32_t at = 1; at < count; at++)
        highest = outputs[at] > highest ? outputs[at] : highest;
    double sum = 0;
    for (uint32_t at = 0; at < count; at++) {
        sample->weights[at] = (double)exponential(outputs[at] - highest);
        sum += sample->weights[at];
    }
    return pick(sample->weights, count, uniform * sum);
}

static double tangent(double x) /* hyperbolic */
{
    double small = mr_tail_exponential(-2 * fabs(x));
    double size = (1 - small) / (1 + small);
    return x < 0 ? -size : size;
}

static double number_of(const struct mr_network_field *field, float place, uint32_t mode)
{
    const struct mr_network_mode *own = &field->modes[mode];
    double number = own->mean + 4 * own->deviation * tangent((double)place);
    if (field->power_of_ten > 0) {
        double rounded = nearbyint(number * field->power_of_ten) / field->power_of_ten;
        number = isfinite(rounded) ? rounded : number;
    }
    return number + 0.0; /* no -0 */
}

static bool is_met(const struct demand *demand, const struct mr_network_field *field, double found)
{
    if (!demand->is_given)
        return true;
    if (field->is_category)
        return demand->allowed[(uint32_t)found];
    for (uint32_t at = 0; at < demand->numbers_count; at++)
        if (found == demand->numbers[at])
            return true;
    return demand->numbers == NULL &&
           (demand->lowest_is_out ? found > demand->lowest : found >= demand->lowest) &&
           (demand->highest_is_out ? found < demand->highest : found <= demand->highest);
}

/* What the outputs of a slot say. False: it misses a condition, and the rest was left. */
static bool finish(struct mr_network_sample *sample, uint32_t index)
{
    const struct mr_network *network = sample->network;
    const float *outputs =
        sample->outputs + (size_t)index * mr_network_layers_stride(&network->layers);
    double *found = sample->found + (size_t)index * network->fields_count;
    for (uint32_t at = 0; at < network->fields_count; at++) {
        const struct mr_network_field *field = &network->fields[at];
        const float *own = outputs + field->first_output;
        double uniform = mr_random_double(&sample->slots[index].random);
        uint32_t choice = choose(sample, own + !field->is_category, field->count, uniform);
        found[at] = field->is_category ? choice : number_of(field, *own, choice);
        if (!is_met(&sample->demands[at], field, found[at]))
            return false;
    }
    return true;
}

static void run(struct mr_network_sample *sample, uint32_t slots_count)
{
    mr_network_layers_run(&sample->network->layers, sample->activations, sample->hot, slots_count,
                          sample->outputs);
}

/* ---- Rows ---- */

static void take_cells(const struct mr_network_sample *sample, uint32_t slot,
                       struct mr_value *cells, uint32_t stride)
{
    const struct mr_network *network = sample->network;
    const double *found = sample->found + (size_t)slot * network->fields_count;
    for (uint32_t at = 0; at < network->fields_count; at++) {
        const struct mr_network_field *field = &network->fields[at];
        struct mr_value *cell = &cells[(size_t)at * stride];
        if (field->is_category)
            *cell = field->values[(uint32_t)found[at]];
        else if (field->power_of_ten == 1 && fabs(found[at]) < 0x1p53)
            *cell = mr_value_int((int64_t)found[at]);
        else
            *cell = mr_value_double(found[at]);
    }
}

/* The rows of a block that have met the conditions leave `pending`. */
static uint32_t try_block(struct mr_network_sample *sample, uint64_t seed, uint64_t try,
                          uint32_t tries, uint64_t first, uint32_t *pending, uint32_t pending_count,
                          struct mr_value *cells, uint32_t stride)
{
    uint32_t slots_count = pending_count * tries;
    for (uint32_t slot = 0; slot < slots_count; slot++)
        begin(sample, slot, seed, first + pending[slot / tries], try + slot % tries);
    run(sample, slots_count);
    uint32_t left = 0;
    for (uint32_t at = 0; at < pending_count; at++) {
        uint32_t slot = at * tries;
        uint32_t end = slot + tries;
        while (slot < end && !finish(sample, slot))
            slot++;
        if (slot < end)
            take_cells(sample, slot, cells + pending[at], stride);
        else
            pending[left++] = pending[at];
    }
    return left;
}

void mr_network_sample_draw(struct mr_network_sample *sample, uint64_t seed, uint64_t first,
                            uint32_t rows_count, struct mr_value *cells, uint32_t stride)
{
    uint32_t pending[MR_NETWORK_ROWS];
    uint32_t count = rows_count;
    MR_ASSERT(rows_count <= MR_NETWORK_ROWS);
    for (uint32_t row = 0; row < rows_count; row++)
        pending[row] = row;
    for (uint64_t try = 0; count > 0 && try < sample->tries_max;) {
        uint32_t tries = try == 0 ? 1 : MR_NETWORK_ROWS / count;
        if (tries > sample->tries_max - try)
            tries = (uint32_t)(sample->tries_max - try);
        count = try_block(sample, seed, try, tries, first, pending, count, cells, stride);
        try += tries;
    }
    if (count == 0)
        return;
    begin(sample, 0, pilot_seed, sample->pilot_hit, 0);
    run(sample, 1);
    bool is_hit = finish(sample, 0);
    MR_ASSERT(is_hit);
    for (uint32_t at = 0; at < count; at++)
        take_cells(sample, 0, cells + pending[at], stride);
}

/* ---- Conditions ---- */

static bool is_within(double number, const struct mr_sample_condition *condition)
{
    double bound;
    if (mr_value_as_double(condition->lowest, &bound) &&
        (condition->lowest_is_out ? number <= bound : number < bound))
        return false;
    return !mr_value_as_double(condition->highest, &bound) ||
           (condition->highest_is_out ? number < bound : number <= bound);
}

static bool is_allowed(struct mr_value value, const struct mr_sample_condition *condition)
{
    double number;
    if (condition->values_count == 0)
        return mr_value_as_double(value, &number) && is_within(number, condition);
    for (uint32_t at = 0; at < condition->values_count; at++)
        if (mr_value_equal(value, condition->values[at]))
            return true;
    return false;
}

static enum mr_status demand_category(struct mr_network_sample *sample,
                                      const struct mr_sample_condition *condition,
                                      struct mr_error *error)
{
    const struct mr_network_field *field = &sample->network->fields[condition->field];
    struct demand *demand = &sample->demands[condition->field];
    double share = 0;
    demand->allowed = mr_memory_new(field->count, sizeof(*demand->allowed));
    for (uint32_t at = 0; at < field->count; at++) {
        demand->allowed[at] = is_allowed(field->values[at], condition);
        share += demand->allowed[at] ? field->shares[at] : 0;
    }
    if (share <= 0)
        return mr_sample_condition_fail(
            condition, error, "it is impossible: none of the %u categories meets it%s",
            field->count, condition->values_count == 0 ? "; bounds are met by numbers alone" : "");
    if (sample->fixed_field < 0 || share < sample->fixed_share) {
        sample->fixed_field = (int)condition->field;
        sample->fixed_share = share;
    }
    return MR_OK;
}

/* Some mode reaches into the bounds. */
static bool is_reached(const struct mr_network_field *field, double lowest, double highest)
{
    double rounding = field->power_of_ten > 0 ? 0.5 / field->power_of_ten : 0;
    for (uint32_t mode = 0; mode < field->count; mode++) {
        double reach = 4 * field->modes[mode].deviation + rounding;
        if (field->modes[mode].mean - reach <= highest && field->modes[mode].mean + reach >= lowest)
            return true;
    }
    return false;
}

static enum mr_status demand_number(struct mr_network_sample *sample,
                                    const struct mr_sample_condition *condition,
                                    struct mr_error *error)
{
    const struct mr_network_field *field = &sample->network->fields[condition->field];
    struct demand *demand = &sample->demands[condition->field];
    bool has_lowest = mr_value_as_double(condition->lowest, &demand->lowest);
    bool has_highest = mr_value_as_double(condition->highest, &demand->highest);
    if ((!has_lowest && condition->lowest.kind != MR_KIND_ABSENT) ||
        (!has_highest && condition->highest.kind != MR_KIND_ABSENT))
        return mr_sample_condition_fail(condition, error, "a text bounds no number");
    demand->lowest = has_lowest ? demand->lowest : -DBL_MAX;
    demand->highest = has_highest ? demand->highest : DBL_MAX;
    demand->lowest_is_out = condition->lowest_is_out;
    demand->highest_is_out = condition->highest_is_out;
    if (condition->values_count > 0 && field->power_of_ten == 0)
        return mr_sample_condition_fail(
            condition, error,
            "it is impossible: the network makes numbers of any digits here, and none equals a "
            "given one; give bounds");
    if (condition->values_count > 0) {
        double *numbers = mr_memory_new(condition->values_count, sizeof(*numbers));
        demand->numbers = numbers;
        demand->numbers_count = condition->values_count;
        demand->lowest = DBL_MAX;
        demand->highest = -DBL_MAX;
        for (uint32_t at = 0; at < condition->values_count; at++) {
            if (!mr_value_as_double(condition->values[at], &numbers[at]))
                return mr_sample_condition_fail(condition, error, "a number is wanted");
            demand->lowest = fmin(demand->lowest, numbers[at]);
            demand->highest = fmax(demand->highest, numbers[at]);
        }
    }
    if (!is_reached(field, demand->lowest, demand->highest))
        return mr_sample_condition_fail(condition, error,
                                        "it is impossible: the network makes no such number "
                                        "(its first mode is %g +- %g)",
                                        field->modes[0].mean, 4 * field->modes[0].deviation);
    return MR_OK;
}

/* Find out how likely the conditions are, and how often a row is to be tried. */
static enum mr_status run_pilot(struct mr_network_sample *sample, double *probability,
                                struct mr_error *error)
{
    uint32_t hits = 0;
    uint32_t made = 0;
    while (hits < PILOT_HITS && made < PILOT_ROWS) {
        for (uint32_t slot = 0; slot < MR_NETWORK_ROWS; slot++)
            begin(sample, slot, pilot_seed, made + slot, 0);
        run(sample, MR_NETWORK_ROWS);
        for (uint32_t slot = 0; slot < MR_NETWORK_ROWS; slot++) {
            if (!finish(sample, slot))
                continue;
            if (hits++ == 0)
                sample->pilot_hit = sample->slots[slot].row;
        }
        made += MR_NETWORK_ROWS;
    }
    double share = (double)hits / made;
    *probability = share * sample->fixed_share;
    if (hits < HITS_MIN)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the conditions are too rare: %u of %u records that the network made for "
                       "them met them all, a probability of about %.2g; widen them",
                       hits, made, *probability);
    sample->tries_max = (uint64_t)ceil(TRIES_FACTOR / share);
    return MR_OK;
}

static enum mr_status open_conditions(struct mr_network_sample *sample,
                                      const struct mr_sample_condition *conditions, uint32_t count,
                                      double *probability, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t at = 0; at < count && status == MR_OK; at++) {
        uint32_t index = conditions[at].field;
        sample->demands[index].is_given = true;
        status = sample->network->fields[index].is_category
                     ? demand_category(sample, &conditions[at], error)
                     : demand_number(sample, &conditions[at], error);
    }
    if (status != MR_OK)
        return status;
    if (sample->fixed_field >= 0) {
        const struct mr_network_field *field = &sample->network->fields[sample->fixed_field];
        const bool *allowed = sample->demands[sample->fixed_field].allowed;
        sample->fixed_shares = mr_memory_new(field->count, sizeof(*sample->fixed_shares));
        for (uint32_t at = 0; at < field->count; at++)
            sample->fixed_shares[at] = allowed[at] ? field->shares[at] : 0;
    }
    return run_pilot(sample, probability, error);
}

enum mr_status mr_network_sample_open(const struct mr_network *network,
                                      const struct mr_sample_condition *conditions,
                                      uint32_t conditions_count, struct mr_network_sample **result,
                                      double *probability, struct mr_error *error)
{
    struct mr_network_sample *sample = mr_memory_new(1, sizeof(*sample));
    size_t width = mr_network_layers_width(&network->layers);
    size_t stride = mr_network_layers_stride(&network->layers);
    *sample = (struct mr_network_sample){
        .network = network,
        .demands = mr_memory_new(network->fields_count, sizeof(*sample->demands)),
        .fixed_field = -1,
        .fixed_share = 1,
        .tries_max = 1,
        .activations = mr_memory_new(width * MR_NETWORK_ROWS, sizeof(*sample->activations)),
        .outputs = mr_memory_new(stride * MR_NETWORK_ROWS, sizeof(*sample->outputs)),
        .found =
            mr_memory_new((size_t)network->fields_count * MR_NETWORK_ROWS, sizeof(*sample->found)),
        .weights = mr_memory_new(stride, sizeof(*sample->weights))};
    *probability = 1;
    enum mr_status status = MR_OK;
    if (conditions_count > 0)
        status = open_conditions(sample, conditions, conditions_count, probability, error);
    if (status == MR_OK) {
        *result = sample;
        return MR_OK;
    }
    mr_network_sample_close(sample);
    return status;
}

void mr_network_sample_close(struct mr_network_sample *sample)
{
    if (sample == NULL)
        return;
    for (uint32_t at = 0; at < sample->network->fields_count; at++) {
        mr_memory_free(sample->demands[at].allowed);
        mr_memory_free((void *)(uintptr_t)sample->demands[at].numbers);
    }
    mr_memory_free(sample->demands);
    mr_memory_free(sample->fixed_shares);
    mr_memory_free(sample->activations);
    mr_memory_free(sample->outputs);
    mr_memory_free(sample->found);
    mr_memory_free(sample->weights);
    mr_memory_free(sample);
}
