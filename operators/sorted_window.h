/* operators/sorted_window.h — order statistics of a window that is kept sorted.
 * Why: with the window sorted the median is a look-up and the median absolute deviation a search
 * over two sorted halves, both exact; keeping it sorted costs a binary search and a memmove, which
 * beats a tree for windows of a few thousand numbers (8 kB move in about 100 ns). Numbers must be
 * finite, and -0.0 must have been made 0.0: equal numbers then have equal bits. */
#ifndef MR_OPERATORS_SORTED_WINDOW_H
#define MR_OPERATORS_SORTED_WINDOW_H

#include <stdint.h>

/* Sort values[count] ascending. */
void mr_sorted_window_sort(double *values, uint32_t count);
/* Insert number into values[count]; there is room for one more. */
void mr_sorted_window_insert(double *values, uint32_t count, double number);
/* Remove number from values[count]. Pre: it is there. */
void mr_sorted_window_remove(double *values, uint32_t count, double number);
/* Remove old and insert number in one move. Pre: old is there. */
void mr_sorted_window_replace(double *values, uint32_t count, double old, double number);
/* Middle number, or the mean of the two middle ones. Pre: count >= 1. */
double mr_sorted_window_median(const double *values, uint32_t count);
/* Median of the distances from median, the window's median. Pre: count >= 1. */
double mr_sorted_window_mad(const double *values, uint32_t count, double median);
/* Mean of the distances from median. Pre: count >= 1, |values| <= 1e140. */
double mr_sorted_window_mean_distance(const double *values, uint32_t count, double median);
/* The quantile at share, 0..1, as numpy.quantile's default ("linear") defines it: at place (count -
 * 1) share, between two numbers in proportion. Pre: count >= 1, |values| <= 1e140. */
double mr_sorted_window_quantile(const double *values, uint32_t count, double share);

#endif
