/* operators/root.h — where a rising function is 0.
 * Method: a secant between two bounds; the bound that stays counts half each time (Illinois, Dowell
 * and Jarratt 1971), and each sixth step halves the interval. Pure; plain arithmetic. */
#ifndef MR_OPERATORS_ROOT_H
#define MR_OPERATORS_ROOT_H

/* A number that rises with place. argument is the caller's. */
typedef double mr_rising(const void *argument, double place);

/* The place between low and high at which the function is 0, as near as doubles are, after at most
 * 300 evaluations; a bound, when the function has one sign on both. Pre: low <= high. */
double mr_root(mr_rising *function, const void *argument, double low, double high);

#endif
