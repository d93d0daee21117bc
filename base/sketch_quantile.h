/* base/sketch_quantile.h — quantiles of numbers: DDSketch, with UDDSketch's joining.
 * Sources: Masson, Rim, Lee, DDSketch (2019), for quantiles with a bounded relative error from
 * counted bins that merge exactly; Epicoco and others, UDDSketch (2020), for bounding the number of
 * bins by joining neighbours everywhere instead of at one end.
 * Error: exact for up to 16 numbers, and always the least and the greatest; else within 0.8 % of
 * the number at that rank, certainly and not only as a rule, as long as the magnitudes span less
 * than 18 powers of ten (8 where there are negative numbers too) with pieces of 1,024 bytes; twice
 * that for twice the powers. The rank is exact. Numbers nearer to 0 than the smallest normal double
 * count as 0. Bytes: a head of 160, and up to 32 pieces.
 * Merge: exact: it answers as one pass over all numbers would (the bins' pieces may lie elsewhere).
 * Parameters: none. */
#ifndef MR_BASE_SKETCH_QUANTILE_H
#define MR_BASE_SKETCH_QUANTILE_H

#include "base/sketch.h"

enum { MR_SKETCH_QUANTILE_HEAD_BYTES = 160, MR_SKETCH_QUANTILE_PIECES_MAX = 32 };

struct mr_sketch mr_sketch_quantile(uint32_t piece_bytes);
/* number is finite. */
enum mr_status mr_sketch_quantile_add(const struct mr_sketch *sketch, uint8_t *head,
                                      struct mr_sketch_body *body, double number,
                                      struct mr_error *error) MR_NODISCARD;
enum mr_status mr_sketch_quantile_merge(const struct mr_sketch *sketch, uint8_t *head,
                                        struct mr_sketch_body *body, const uint8_t *other_head,
                                        struct mr_sketch_body *other_body,
                                        struct mr_error *error) MR_NODISCARD;
uint64_t mr_sketch_quantile_count(const uint8_t *head);
/* The smallest number that at least the share (0..1) of the numbers does not exceed. Pre: there is
 * a number. MR_CORRUPT: the bins do not add up. */
enum mr_status mr_sketch_quantile_of_share(const uint8_t *head, struct mr_sketch_body *body,
                                           double share, double *number,
                                           struct mr_error *error) MR_NODISCARD;

#endif
