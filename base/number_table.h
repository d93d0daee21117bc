/* base/number_table.h — powers of ten for number.c, as exact as 128 bits are.
 * Why: both directions, text to double and double to text, multiply by a power of ten once; the
 * table spares them big integers. tools/make_number_tables.py writes it.
 * Model: entry i is the significand s of 10^(MR_NUMBER_POWER_MIN + i) = s * 2^e with 2^127 <= s <
 * 2^128, {high 64 bits, low 64 bits}. s is exact for 0 <= power <= MR_NUMBER_POWER_EXACT_MAX,
 * rounded up for MR_NUMBER_POWER_ROUNDED_UP_MIN <= power < 0, and cut everywhere else; e =
 * floor(log2(10^power)) - 127. */
#ifndef MR_BASE_NUMBER_TABLE_H
#define MR_BASE_NUMBER_TABLE_H

#include <stdint.h>

enum {
    MR_NUMBER_POWER_MIN = -342, /* 19 digits times 10^-343 are below half of the least double */
    MR_NUMBER_POWER_MAX = 324,  /* scales the least double to an integer of 17 digits */
    MR_NUMBER_POWER_COUNT = MR_NUMBER_POWER_MAX - MR_NUMBER_POWER_MIN + 1,
    MR_NUMBER_POWER_EXACT_MAX = 55,      /* 5^55 < 2^128 */
    MR_NUMBER_POWER_ROUNDED_UP_MIN = -27 /* 5^27 < 2^64: text can name a tie down to here */
};

extern const uint64_t mr_number_powers[MR_NUMBER_POWER_COUNT][2];

#endif
