#!/usr/bin/env python3
"""Writes base/number_table.c: powers of ten as normalised 128-bit significands.

Exact integer arithmetic; run it from the root of the repository when the range changes:
    tools/make_number_tables.py > base/number_table.c
"""

MINIMUM = -342
MAXIMUM = 324
ROUNDED_UP_MINIMUM = -27  # 5**27 < 2**64: a tie can only be told apart when these are not cut


def significand(power):
    """The 128-bit significand of 10**power: cut, but rounded up from 1e-27 to 1e-1."""
    if power >= 0:
        value = 5**power
        bits = value.bit_length()
        return value << (128 - bits) if bits <= 128 else value >> (bits - 128)
    divisor = 5**-power
    # The quotient of 2**shift by the divisor lies in [2**127, 2**128).
    shift = divisor.bit_length() + 127
    return (1 << shift) // divisor + (1 if power >= ROUNDED_UP_MINIMUM else 0)


def main():
    print("""/* base/number_table.c — 128-bit significands of the powers of ten.
 * Written by tools/make_number_tables.py: change that, not this. */
#include "base/number_table.h"

const uint64_t mr_number_powers[MR_NUMBER_POWER_COUNT][2] = {""")
    for power in range(MINIMUM, MAXIMUM + 1):
        value = significand(power)
        assert 1 << 127 <= value < 1 << 128
        high, low = value >> 64, value & (2**64 - 1)
        print(f"    {{0x{high:016x}u, 0x{low:016x}u}}, /* 1e{power} */")
    print("};")


main()
