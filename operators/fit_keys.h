/* operators/fit_keys.h — how many keys there are and how unevenly records fall on them.
 * Model: the k-th most frequent of n keys has a probability proportional to k^-exponent (zipf.h
 * draws such). The exponent is that of greatest likelihood, found by bisection of its slope; n is
 * the number of keys seen. Because ranks are told by the same counts, equally likely keys show a
 * small exponent: below 0.1 at 100 records a key, 0.3 at 10.
 * Keys are compared by 64-bit hashes. Pure. */
#ifndef MR_OPERATORS_FIT_KEYS_H
#define MR_OPERATORS_FIT_KEYS_H

#include <stddef.h>
#include <stdint.h>

struct mr_fit_keys {
    uint64_t count;
    double exponent; /* 0..MR_ZIPF_EXPONENT_MAX */
};

/* hashes[count], one for each record: sorted, then used for counts. */
void mr_fit_keys(uint64_t *hashes, size_t count, struct mr_fit_keys *keys);

#endif
