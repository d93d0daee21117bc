/* operators/natural_log.h — the natural logarithm with the same bits on every machine.
 * Why: what a detector decides by a logarithm ends up in its state, and the logarithms of libm
 * differ between machines in the last bit. This one uses + - * / and fma only, which IEEE 754
 * defines to the bit. Accuracy: within 0.5001 units in the last place; so it is the correctly
 * rounded logarithm for all but about one number in ten thousand. Cost: some 100 ns. */
#ifndef MR_OPERATORS_NATURAL_LOG_H
#define MR_OPERATORS_NATURAL_LOG_H

/* Pre: number is finite and above 0. */
double mr_natural_log(double number);

#endif
