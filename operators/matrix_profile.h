/* operators/matrix_profile.h — the left matrix profile of the last numbers of a stream: how far the
 * newest subsequence is from the one before it that is nearest in shape.
 * Model: a subsequence is `length` numbers in a row, compared by its z-normalised form; those that
 * start within `exclusion` records of the newest are not asked. The distance follows from the dot
 * product with each earlier subsequence, which a record changes by two products: O(window) for each
 * record. Sources: Yeh et al., Matrix Profile I (ICDM 2016), STAMPI; Zhu et al., Matrix Profile II
 * (2016), STOMP. Constant subsequences are those of stumpy: 0 from each other, sqrt(length) from
 * others.
 * Invariant: everything here follows from the numbers and their count alone. Dot products are
 * computed anew whenever the count is a multiple of length (that is O(window) a record too), less a
 * number in the middle of the window, so that rounding errors do not pile up, and so that what is
 * restored from the last window + length - 1 numbers goes on bit for bit. + - * / sqrt only.
 * Numbers are finite; beyond +-1e140 they count as that. Threads: the owner's. */
#ifndef MR_OPERATORS_MATRIX_PROFILE_H
#define MR_OPERATORS_MATRIX_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_matrix_profile_shape {
    uint32_t length;    /* of a subsequence, >= 3 */
    uint32_t window;    /* numbers that count, the newest too; >= 2 * length */
    uint32_t exclusion; /* starts within so many records of each other are not compared */
};

struct mr_matrix_profile {
    struct mr_matrix_profile_shape shape;
    uint64_t count;  /* numbers learned */
    uint64_t anchor; /* count at which all was computed anew: a multiple of length */
    double middle;   /* less which `values` are */
    /* Arrays by place: place window is the anchor's number, place 0 that of window before it. */
    double *raw;       /* window + length */
    double *values;    /* window + length */
    double *means;     /* of the subsequence that starts there */
    double *inverses;  /* 1 / sqrt(its squared deviations), 0 of a constant one */
    double *constants; /* 0.5 of a constant one: the correlation whose distance is sqrt(length) */
    double *products;  /* dot products with the newest, oldest first; lag 0 is the last */
    double *next;      /* the same with the number that is judged */
    double *scratch;   /* window */
};

struct mr_matrix_profile_match {
    double distance; /* 0 .. 2 sqrt(length); NAN: there is no earlier subsequence */
    uint32_t lag;    /* how many records before the newest one the nearest starts */
};

/* exclusion as stumpy has it: a quarter of the length, rounded up. */
struct mr_matrix_profile_shape mr_matrix_profile_shape_of(uint32_t length, uint32_t window);

/* Memory for the arrays, a multiple of 8. */
size_t mr_matrix_profile_bytes(const struct mr_matrix_profile_shape *shape);
/* An empty profile whose arrays are in memory. */
void mr_matrix_profile_init(struct mr_matrix_profile *profile,
                            const struct mr_matrix_profile_shape *shape, void *memory);

/* How many of the last numbers make the profile again at count: window + length - 1 at most. */
uint32_t mr_matrix_profile_needed(const struct mr_matrix_profile_shape *shape, uint64_t count);
/* The profile as of count from those numbers, oldest first. */
void mr_matrix_profile_restore(struct mr_matrix_profile *profile, uint64_t count,
                               const double *numbers);

/* The nearest neighbour of the subsequence that number would end. Changes nothing that counts. */
struct mr_matrix_profile_match mr_matrix_profile_judge(struct mr_matrix_profile *profile,
                                                       double number);
/* Learn the number that was judged last. */
void mr_matrix_profile_learn(struct mr_matrix_profile *profile);

#endif
