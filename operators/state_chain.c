/* operators/state_chain.c — see state_chain.h. */
#include "operators/state_chain.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"

enum { MEAN_STEPS = 1024 };

static const double dwell_max_ms = 0x1p46;

static const char *const dwell_names[] = {"fixed", "exponential", "gamma", "lognormal", NULL};

const struct mr_option_spec mr_state_chain_options[] = {
    {.name = "name",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "What the state is called."},
    {.name = "next",
     .type = MR_OPTION_STRINGS,
     .minimum = 0,
     .maximum = MR_STATE_CHAIN_MAX,
     .help = "The states that may follow it, also itself. Default: none, and the sequence ends "
             "with it."},
    {.name = "weights",
     .type = MR_OPTION_NUMBERS,
     .minimum = 1,
     .maximum = MR_STATE_CHAIN_MAX,
     .help = "How likely each of `next` is, in proportion; up to 1e12 each. Default: all alike."},
    {.name = "start",
     .type = MR_OPTION_NUMBER,
     .minimum = 0,
     .maximum = 1e12,
     .help = "How likely a sequence begins with it, in proportion. Default: none does; where no "
             "state says it, all begin with the first one."},
    {.name = "dwell",
     .type = MR_OPTION_CHOICE,
     .default_text = "exponential",
     .choices = dwell_names,
     .help = "How its duration is distributed: fixed, exponential, gamma (`shape`), lognormal "
             "(`sigma`); in whole ms, at least 1."},
    {.name = "mean",
     .type = MR_OPTION_DURATION,
     .default_text = "1s",
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "How long it lasts on average; of a state without `next`: until the key's next "
             "sequence begins."},
    {.name = "shape",
     .type = MR_OPTION_NUMBER,
     .default_text = "2",
     .minimum = 0.01,
     .maximum = 1e6,
     .help = "Of gamma: its shape; 1 is exponential, and the more the more regular."},
    {.name = "sigma",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = 0,
     .maximum = 5,
     .help = "Of lognormal: the standard deviation of the duration's logarithm."},
    {.name = "label",
     .type = MR_OPTION_STRING,
     .help = "What the field `label` says in this state. Default: null."},
    {.name = "value",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e100,
     .maximum = 1e100,
     .help = "Mean of the field `value` in this state. Default: null."},
    {.name = "value_sd",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1e100,
     .help = "Its standard deviation; it is normal, with three decimals."},
    {.name = NULL},
};

/* ---- Checks ---- */

static uint32_t find_state(const struct mr_option_value *states, const char *name)
{
    for (uint32_t index = 0; index < states->count; index++) {
        const char *known = mr_options_text(&states->objects[index], "name");
        if (known != NULL && strcmp(known, name) == 0)
            return index;
    }
    return MR_STATE_CHAIN_MAX;
}

static enum mr_status check_weights(const char *name, const struct mr_option_value *next,
                                    const struct mr_option_value *weights, struct mr_error *error)
{
    double sum = 0;
    if (weights->count == 0)
        return MR_OK;
    if (weights->count != next->count)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "state \"%s\": `weights` needs one number for each of `next`: there are %u "
                       "and %u",
                       name, weights->count, next->count);
    for (uint32_t index = 0; index < weights->count; index++) {
        double weight = weights->numbers[index];
        if (!(weight >= 0 && weight <= 1e12))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "state \"%s\": a weight is from 0 to 1e12, and %g is not", name, weight);
        sum += weight;
    }
    if (sum > 0)
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "state \"%s\": all `weights` are 0; leave `next` out where the sequence ends",
                   name);
}

static enum mr_status check_state(const struct mr_option_value *states, uint32_t index,
                                  struct mr_error *error)
{
    const struct mr_options *state = &states->objects[index];
    const struct mr_option_value *next = mr_options_get(state, "next");
    const char *name = mr_options_text(state, "name");
    if (name[0] == '\0')
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "state %u of the list has an empty `name`", index + 1);
    if (find_state(states, name) != index)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "two states are named \"%s\"",
                       name);
    for (uint32_t at = 0; at < next->count; at++) {
        if (find_state(states, next->texts[at]) == MR_STATE_CHAIN_MAX)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "state \"%s\": no state is named \"%s\", which `next` says", name,
                           next->texts[at]);
        for (uint32_t earlier = 0; earlier < at; earlier++)
            if (strcmp(next->texts[earlier], next->texts[at]) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "state \"%s\": `next` names \"%s\" twice; give it a greater weight",
                               name, next->texts[at]);
    }
    return check_weights(name, next, mr_options_get(state, "weights"), error);
}

enum mr_status mr_state_chain_check(const struct mr_option_value *states, struct mr_error *error)
{
    double sum = 0;
    bool has_start = false;
    for (uint32_t index = 0; index < states->count; index++) {
        const struct mr_options *state = &states->objects[index];
        if (mr_options_text(state, "name") == NULL)
            return MR_OK; /* that it is missing was told */
    }
    for (uint32_t index = 0; index < states->count; index++) {
        enum mr_status status = check_state(states, index, error);
        if (status != MR_OK)
            return status;
        if (mr_options_present(&states->objects[index], "start")) {
            has_start = true;
            sum += mr_options_number(&states->objects[index], "start");
        }
    }
    if (has_start && !(sum > 0))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`start` is 0 in all states: no sequence could begin");
    return MR_OK;
}

/* ---- Opening ---- */

static void open_state(struct mr_chain_state *made, const struct mr_option_value *states,
                       const struct mr_options *state)
{
    const struct mr_option_value *next = mr_options_get(state, "next");
    const struct mr_option_value *weights = mr_options_get(state, "weights");
    const char *label = mr_options_text(state, "label");
    double sum = 0;
    *made = (struct mr_chain_state){
        .name = mr_slice_text(mr_options_text(state, "name")),
        .has_value = mr_options_present(state, "value"),
        .value_sd = mr_options_number(state, "value_sd"),
        .dwell = (enum mr_dwell_kind)mr_options_integer(state, "dwell"),
        .mean_ms = (double)mr_options_integer(state, "mean"),
        .shape = mr_options_number(state, "shape"),
        .sigma = mr_options_number(state, "sigma"),
        .next_count = next->count,
    };
    if (made->has_value)
        made->value = mr_options_number(state, "value");
    if (label != NULL)
        made->label = mr_slice_text(label);
    for (uint32_t at = 0; at < next->count; at++) {
        sum += weights->count > 0 ? weights->numbers[at] : 1;
        made->cumulated[at] = sum;
        made->next[at] = (uint8_t)find_state(states, next->texts[at]);
    }
}

void mr_state_chain_open(struct mr_state_chain *chain, const struct mr_option_value *states)
{
    double sum = 0;
    MR_ASSERT(states->count >= 1 && states->count <= MR_STATE_CHAIN_MAX);
    chain->states_count = states->count;
    for (uint32_t index = 0; index < states->count; index++) {
        const struct mr_options *state = &states->objects[index];
        open_state(&chain->states[index], states, state);
        sum += mr_options_present(state, "start") ? mr_options_number(state, "start") : 0;
        chain->start[index] = sum;
    }
    if (sum > 0)
        return;
    for (uint32_t index = 0; index < states->count; index++)
        chain->start[index] = 1; /* all in the first one */
}

/* ---- Drawing ---- */

/* The first place whose cumulated weight is above a random share of all: never one of weight 0. */
static uint32_t draw_place(const double *cumulated, uint32_t count, struct mr_random *random)
{
    double at = mr_random_double(random) * cumulated[count - 1];
    uint32_t place = 0;
    while (place + 1 < count && cumulated[place] <= at)
        place++;
    /* Rounding may have reached the end: the last one that has any weight. */
    while (place > 0 && cumulated[place] <= cumulated[place - 1])
        place--;
    return place;
}

uint8_t mr_state_chain_first(const struct mr_state_chain *chain, struct mr_random *random)
{
    return (uint8_t)draw_place(chain->start, chain->states_count, random);
}

uint8_t mr_state_chain_next(const struct mr_state_chain *chain, uint8_t state,
                            struct mr_random *random)
{
    const struct mr_chain_state *from = &chain->states[state];
    MR_ASSERT(from->next_count > 0);
    return from->next[draw_place(from->cumulated, from->next_count, random)];
}

/* Above 0 and up to 1. */
static double draw_share(struct mr_random *random)
{
    return 1 - mr_random_double(random);
}

/* Of shape k >= 1 and scale 1. */
static double draw_gamma(double k, struct mr_random *random)
{
    double d = k - 1.0 / 3;
    double c = 1 / sqrt(9 * d);
    for (;;) {
        double x = mr_random_normal(random);
        double v = 1 + c * x;
        double u = draw_share(random);
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

static double draw_dwell(const struct mr_chain_state *state, struct mr_random *random)
{
    switch (state->dwell) {
    case MR_DWELL_EXPONENTIAL:
        return -state->mean_ms * log(draw_share(random));
    case MR_DWELL_GAMMA: {
        double k = state->shape;
        double drawn = k >= 1 ? draw_gamma(k, random)
                              : draw_gamma(k + 1, random) * pow(draw_share(random), 1 / k);
        return state->mean_ms / k * drawn;
    }
    case MR_DWELL_LOGNORMAL:
        return state->mean_ms *
               exp(state->sigma * mr_random_normal(random) - state->sigma * state->sigma / 2);
    case MR_DWELL_FIXED:
        break;
    }
    return state->mean_ms;
}

int64_t mr_state_chain_dwell(const struct mr_state_chain *chain, uint8_t state,
                             struct mr_random *random)
{
    double drawn = nearbyint(draw_dwell(&chain->states[state], random));
    return (int64_t)fmin(fmax(drawn, 1), dwell_max_ms);
}

/* Where a share of the sequences is after one state more. */
static void add_shares(double *shares, const double *cumulated, const uint8_t *places,
                       uint32_t count, double share)
{
    for (uint32_t at = 0; at < count; at++) {
        double weight = cumulated[at] - (at > 0 ? cumulated[at - 1] : 0);
        shares[places == NULL ? at : places[at]] += share * (weight / cumulated[count - 1]);
    }
}

double mr_state_chain_mean_ms(const struct mr_state_chain *chain)
{
    double now[MR_STATE_CHAIN_MAX] = {0};
    double sum = 0;
    add_shares(now, chain->start, NULL, chain->states_count, 1);
    for (uint32_t step = 0; step < MEAN_STEPS; step++) {
        double then[MR_STATE_CHAIN_MAX] = {0};
        for (uint32_t state = 0; state < chain->states_count; state++) {
            const struct mr_chain_state *from = &chain->states[state];
            sum += now[state] * from->mean_ms;
            if (from->next_count > 0)
                add_shares(then, from->cumulated, from->next, from->next_count, now[state]);
            else
                add_shares(then, chain->start, NULL, chain->states_count, now[state]);
        }
        memcpy(now, then, sizeof(now));
    }
    return sum / MEAN_STEPS;
}
