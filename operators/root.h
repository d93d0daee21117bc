/* operators/root.h — where a rising function is 0.
 * Method: bounds are sought from a guess on outwards, by steps that double; between them a secant,
 * where the bound that stays counts half each time (Illinois, Dowell and Jarratt 1971), and each
 * sixth step halves the interval. Pure; plain arithmetic. */
#ifndef MR_OPERATORS_ROOT_H
#define MR_OPERATORS_ROOT_H

/* A number that rises with place. argument is the caller's. */
typedef double mr_rising(const void *argument, double place);

struct mr_root_search {
    double begin;     /* a guess, from least to most */
    double step;      /* > 0: how far off it may be */
    double least;     /* the place is sought between these */
    double most;      /* >= least */
    double tolerance; /* how far off the place may be; 0: as near as doubles are */
};

/* The place at which the function is 0, after at most 400 evaluations; least or most, when the
 * function has one sign on both. */
double mr_root(mr_rising *function, const void *argument, const struct mr_root_search *search);

#endif
