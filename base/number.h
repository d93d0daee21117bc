/* base/number.h — numbers from and to text, exact.
 * Why: a detector's input must be the double that the text names (correctly rounded), its output
 * the shortest text that reads back as the same double; strtod and printf do neither fast, and both
 * depend on the locale.
 * Method: Clinger's fast path, then Eisel-Lemire with a table of 128-bit powers of five, then big
 * integers for the rare halfway case; Schubfach for the shortest output. */
#ifndef MR_BASE_NUMBER_H
#define MR_BASE_NUMBER_H

#include "base/slice.h"

enum { MR_NUMBER_TEXT_SIZE = 32 };

enum mr_number_kind {
    MR_NUMBER_NONE = 0, /* the text is not a JSON number */
    MR_NUMBER_INT,      /* an integer in int64's range, without fraction and exponent */
    MR_NUMBER_UINT,     /* an integer above int64's range, within uint64's */
    MR_NUMBER_DOUBLE    /* everything else; beyond the largest double it is +-infinity */
};

struct mr_number {
    enum mr_number_kind kind;
    union {
        int64_t signed_integer;
        uint64_t unsigned_integer;
    };
    double number; /* the correctly rounded double, whatever the kind */
};

/* Parse a JSON number (RFC 8259 grammar) at the start of [text, end). Returns the first byte behind
 * it, or NULL when there is none. Does not look at what follows. "-0" is the double -0.0. */
const uint8_t *mr_number_parse(const uint8_t *text, const uint8_t *end, struct mr_number *number);

/* Parse all of text as decimal int64; false when it is not one or does not fit. */
bool mr_number_parse_int(struct mr_slice text, int64_t *value);

/* Shortest text that reads back as the same double, as JavaScript prints it: 1e21, 0.1, 5e-324,
 * 100, -0 prints as "-0.0". NaN and infinities are not numbers in JSON: the caller decides. Returns
 * the length. */
size_t mr_number_format_double(double value, char text[MR_NUMBER_TEXT_SIZE]);
size_t mr_number_format_int(int64_t value, char text[MR_NUMBER_TEXT_SIZE]);
size_t mr_number_format_uint(uint64_t value, char text[MR_NUMBER_TEXT_SIZE]);

#endif
