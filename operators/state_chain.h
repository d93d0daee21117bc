/* operators/state_chain.h — a semi-Markov chain that a topology spells out: states, what follows
 * them, and how long they last.
 * Model: a state is drawn from the start weights; the one behind it from the weights of its
 * `next`, whatever was before; and how long it lasts from its own distribution, whatever follows.
 *   fixed        the mean
 *   exponential  of that mean
 *   gamma        of that mean and shape k (Marsaglia and Tsang, A simple method for generating
 *                gamma variables, 2000; below k = 1: that of k + 1 times u^(1/k))
 *   lognormal    of that mean and the standard deviation sigma of its logarithm
 * in whole ms, at least 1. A state without `next` is final: it ends a sequence.
 * Limits: 64 states. Pure; no memory is taken. Texts are the options'. */
#ifndef MR_OPERATORS_STATE_CHAIN_H
#define MR_OPERATORS_STATE_CHAIN_H

#include "base/options.h"
#include "base/random.h"

enum { MR_STATE_CHAIN_MAX = 64 };

enum mr_dwell_kind { MR_DWELL_FIXED, MR_DWELL_EXPONENTIAL, MR_DWELL_GAMMA, MR_DWELL_LOGNORMAL };

struct mr_chain_state {
    struct mr_slice name;
    struct mr_slice label; /* no data: none */
    bool has_value;
    double value;
    double value_sd;
    enum mr_dwell_kind dwell;
    double mean_ms;
    double shape; /* of gamma */
    double sigma; /* of lognormal */
    uint32_t next_count;
    uint8_t next[MR_STATE_CHAIN_MAX];
    double cumulated[MR_STATE_CHAIN_MAX]; /* weights of next up to and with this one */
};

struct mr_state_chain {
    uint32_t states_count;
    struct mr_chain_state states[MR_STATE_CHAIN_MAX];
    double start[MR_STATE_CHAIN_MAX]; /* cumulated */
};

/* Of one entry of a generator's option `states`. */
extern const struct mr_option_spec mr_state_chain_options[];

/* MR_INVALID with a sentence: names that are double, unknown or empty, weights that do not fit. */
enum mr_status mr_state_chain_check(const struct mr_option_value *states,
                                    struct mr_error *error) MR_NODISCARD;
/* Pre: checked. The options must stay. */
void mr_state_chain_open(struct mr_state_chain *chain, const struct mr_option_value *states);

uint8_t mr_state_chain_first(const struct mr_state_chain *chain, struct mr_random *random);
/* Pre: the state is not final. */
uint8_t mr_state_chain_next(const struct mr_state_chain *chain, uint8_t state,
                            struct mr_random *random);
static inline bool mr_state_chain_is_final(const struct mr_state_chain *chain, uint8_t state)
{
    return chain->states[state].next_count == 0;
}
/* ms, 1 to 2^46. */
int64_t mr_state_chain_dwell(const struct mr_state_chain *chain, uint8_t state,
                             struct mr_random *random);

/* Mean time from one state to the next, ms, over the first states of a sequence (1,024 of them;
 * behind a final state another sequence begins). */
double mr_state_chain_mean_ms(const struct mr_state_chain *chain);

#endif
