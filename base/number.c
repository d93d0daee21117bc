/* base/number.c — numbers from and to text, exact.
 * Design, text to double. The digits become an integer w (the first 19 digits; a flag when more
 * follow) and a power of ten q.
 *   1. w < 2^53 and |q| <= 22: both are doubles, one multiplication or division rounds once
 *      (Clinger, "How to read floating point numbers accurately", 1990).
 *   2. w * 10^q from the table of 128-bit powers; the product's error is below what could move the
 *      rounding unless the bits say so (Lemire, "Number parsing at a gigabyte per second", 2021).
 *      With more than 19 digits the result stands when w and w + 1 agree.
 *   3. Otherwise the candidate is compared with the exact value by big integers, half a unit at
 *      a time.
 * Digits are read eight at a time within a word.
 * Design, double to text: Schubfach (Giulietti, "The Schubfach way to render doubles", 2020). Of
 * the decimals that read back as the double, the shortest; of those, the closest. */
#include "base/number.h"

#include "base/assert.h"
#include "base/number_table.h"

enum {
    SIGNIFICAND_BITS = 52,
    EXPONENT_BIAS = 1075, /* value = significand * 2^(exponent - EXPONENT_BIAS) */
    EXPONENT_MAX = 0x7FF, /* of infinities and NaN */
    DIGITS_MAX = 19,      /* 10^19 - 1 < 2^64 */
    DECIMAL_DIGITS = 800, /* 767 digits tell every tie apart; the rest is one sticky digit */
    LIMBS = 48            /* both sides of a comparison stay below 2^2800 (801 digits) */
};

static const uint64_t HIDDEN_BIT = (uint64_t)1 << SIGNIFICAND_BITS;
static const uint64_t INFINITY_BITS = (uint64_t)EXPONENT_MAX << SIGNIFICAND_BITS;

__extension__ typedef unsigned __int128 wide;

/* A number's text, taken apart. */
struct decimal {
    const uint8_t *digits;     /* of the integer part */
    const uint8_t *digits_end; /* behind the last digit of the fraction; a point may lie between */
    uint64_t significand;      /* its first 19 significant digits */
    int64_t power;             /* value = significand * 10^power (more digits cut: see truncated) */
    bool negative;
    bool integer;   /* neither fraction nor exponent */
    bool truncated; /* more than 19 significant digits */
};

static double double_from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t bits_from_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static bool is_digit(uint8_t byte)
{
    return (uint8_t)(byte - '0') < 10;
}

/* ---- Big integers: little-endian limbs, for the rare case only. ---- */

struct big {
    uint32_t count; /* without leading zero limbs */
    uint64_t limbs[LIMBS];
};

static void big_multiply_add(struct big *big, uint64_t factor, uint64_t addend)
{
    uint64_t carry = addend;
    for (uint32_t i = 0; i < big->count; i++) {
        wide product = (wide)big->limbs[i] * factor + carry;
        big->limbs[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    if (carry != 0) {
        MR_ASSERT(big->count < LIMBS);
        big->limbs[big->count++] = carry;
    }
}

static void big_multiply_power_of_five(struct big *big, uint32_t power)
{
    const uint64_t five_27 = 7450580596923828125u; /* the largest that fits */
    for (; power >= 27; power -= 27)
        big_multiply_add(big, five_27, 0);
    uint64_t rest = 1;
    for (; power > 0; power--)
        rest *= 5;
    big_multiply_add(big, rest, 0);
}

static void big_shift_left(struct big *big, uint32_t bits)
{
    uint32_t whole = bits / 64;
    uint32_t part = bits % 64;
    if (big->count == 0)
        return;
    if (part != 0)
        big_multiply_add(big, (uint64_t)1 << part, 0);
    MR_ASSERT(big->count + whole <= LIMBS);
    memmove(big->limbs + whole, big->limbs, big->count * sizeof(big->limbs[0]));
    memset(big->limbs, 0, whole * sizeof(big->limbs[0]));
    big->count += whole;
}

static int big_compare(const struct big *left, const struct big *right)
{
    if (left->count != right->count)
        return left->count < right->count ? -1 : 1;
    for (uint32_t i = left->count; i-- > 0;) {
        if (left->limbs[i] != right->limbs[i])
            return left->limbs[i] < right->limbs[i] ? -1 : 1;
    }
    return 0;
}

/* The digits of a decimal as a big integer, and its power of ten. */
static void big_from_decimal(struct big *big, const struct decimal *decimal, int64_t *power)
{
    uint32_t kept = 0;
    int64_t dropped = 0;
    bool sticky = false;
    big->count = 0;
    for (const uint8_t *digit = decimal->digits; digit < decimal->digits_end; digit++) {
        if (*digit == '.' || (kept == 0 && *digit == '0'))
            continue;
        if (kept < DECIMAL_DIGITS) {
            big_multiply_add(big, 10, (uint64_t)(*digit - '0'));
            kept++;
        } else {
            dropped++;
            sticky |= *digit != '0';
        }
    }
    /* significand holds min(kept + dropped, 19) of these digits. */
    int64_t held = kept + dropped < DIGITS_MAX ? (int64_t)kept + dropped : DIGITS_MAX;
    *power = decimal->power - ((int64_t)kept - held);
    if (sticky) {
        big_multiply_add(big, 10, 1);
        (*power)--;
    }
}

/* Compares digits * 10^power with the middle between the double `bits` and the next one. */
static int compare_with_middle(const struct big *digits, int64_t power, uint64_t bits)
{
    uint64_t exponent = bits >> SIGNIFICAND_BITS;
    uint64_t significand = bits & (HIDDEN_BIT - 1);
    if (exponent != 0)
        significand |= HIDDEN_BIT;
    else
        exponent = 1;
    struct big left = *digits;
    struct big right = {.count = 1, .limbs = {2 * significand + 1}};
    int64_t right_shift = (int64_t)exponent - EXPONENT_BIAS - 1;
    /* digits * 5^power * 2^power against (2s + 1) * 2^right_shift, negative exponents moved over.
     */
    int64_t left_shift = power - right_shift;
    if (power >= 0)
        big_multiply_power_of_five(&left, (uint32_t)power);
    else
        big_multiply_power_of_five(&right, (uint32_t)-power);
    if (left_shift >= 0)
        big_shift_left(&left, (uint32_t)left_shift);
    else
        big_shift_left(&right, (uint32_t)-left_shift);
    return big_compare(&left, &right);
}

/* ---- Text to double. ---- */

struct approximation {
    uint64_t bits; /* of the double, rounded to even */
    bool exact;    /* the rounding is certain */
};

/* w * 10^power rounded by the table; w != 0 and the power within the table. */
static struct approximation approximate(uint64_t w, int64_t power)
{
    const uint64_t *entry = mr_number_powers[power - MR_NUMBER_POWER_MIN];
    uint32_t zeros = (uint32_t)__builtin_clzll(w);
    uint64_t shifted = w << zeros;
    wide product = (wide)shifted * entry[0];
    uint64_t high = (uint64_t)(product >> 64);
    uint64_t low = (uint64_t)product;
    if ((high & 0x1FFu) == 0x1FFu) {
        /* The nine bits below the significand and its rounding bit are ones: a carry could matter.
         */
        uint64_t more = (uint64_t)(((wide)shifted * entry[1]) >> 64);
        low += more;
        high += low < more;
    }
    bool exact = !(low == UINT64_MAX &&
                   (power < MR_NUMBER_POWER_ROUNDED_UP_MIN || power > MR_NUMBER_POWER_EXACT_MAX));
    uint32_t upper = (uint32_t)(high >> 63);
    uint32_t shift = upper + 64 - SIGNIFICAND_BITS - 3;
    uint64_t significand = high >> shift; /* 54 bits: one for the rounding */
    /* floor(log2(10^power)) by a fixed-point log2(10); exact for |power| <= 400. */
    int64_t binary = ((217706 * power) >> 16) + 63;
    int64_t exponent = binary + upper - zeros + 1023;
    if (exponent <= 0) {
        if (exponent <= -63)
            return (struct approximation){.bits = 0, .exact = exact};
        /* A denormal is never a tie here: that needs hundreds of digits. */
        significand >>= 1 - exponent;
        significand += significand & 1u;
        return (struct approximation){.bits = significand >> 1, .exact = exact};
    }
    /* A tie can only be named by few digits; then the bits that were cut say that it is one. */
    if (low <= 1 && power >= -4 && power <= 23 && (significand & 3u) == 1u &&
        (significand << shift) == high)
        significand &= ~(uint64_t)1;
    significand += significand & 1u;
    significand >>= 1; /* 2^53 carries into the exponent by the addition below */
    if (exponent >= EXPONENT_MAX)
        return (struct approximation){.bits = INFINITY_BITS, .exact = exact};
    uint64_t bits = ((uint64_t)exponent << SIGNIFICAND_BITS) + (significand - HIDDEN_BIT);
    return (struct approximation){.bits = bits, .exact = exact};
}

/* The bits of the double nearest to the decimal, by comparing with the middles from below. */
static uint64_t round_exactly(const struct decimal *decimal, uint64_t candidate)
{
    struct big digits;
    int64_t power;
    big_from_decimal(&digits, decimal, &power);
    /* The candidate comes from digits that were cut, and is at most one unit too high. */
    uint64_t bits = candidate > 0 ? candidate - 1 : 0;
    while (bits < INFINITY_BITS) {
        int order = compare_with_middle(&digits, power, bits);
        if (order < 0)
            return bits;
        if (order == 0)
            return bits + (bits & 1u);
        bits++;
    }
    return INFINITY_BITS;
}

static double decimal_to_double(const struct decimal *decimal)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t w = decimal->significand;
    int64_t power = decimal->power;
    double value;
    if (w < HIDDEN_BIT * 2 && !decimal->truncated && power >= -22 && power <= 22) {
        value = power < 0 ? (double)w / powers[-power] : (double)w * powers[power];
    } else if (w == 0 || power < MR_NUMBER_POWER_MIN) {
        value = 0;
    } else if (power > 308) {
        value = double_from_bits(INFINITY_BITS);
    } else {
        struct approximation lower = approximate(w, power);
        bool exact = lower.exact;
        if (exact && decimal->truncated) {
            struct approximation upper = approximate(w + 1, power);
            exact = upper.exact && upper.bits == lower.bits;
        }
        value = double_from_bits(exact ? lower.bits : round_exactly(decimal, lower.bits));
    }
    return decimal->negative ? -value : value;
}

/* ---- Reading digits. ---- */

/* How many of a word's first eight bytes (in memory order) are digits before the first other byte.
 */
static uint32_t leading_digits(uint64_t word)
{
    uint64_t low = word ^ 0x3030303030303030u;
    uint64_t other = ((low + 0x7676767676767676u) | low) & 0x8080808080808080u;
    return other == 0 ? 8 : (uint32_t)__builtin_ctzll(other) >> 3;
}

/* The value of eight digits; the first in memory is the highest. */
static uint64_t eight_digits(uint64_t word)
{
    word = (word & 0x0F0F0F0F0F0F0F0Fu) * 2561 >> 8;     /* pairs: 10 * a + b */
    word = (word & 0x00FF00FF00FF00FFu) * 6553601 >> 16; /* fours */
    return (word & 0x0000FFFF0000FFFFu) * 42949672960001 >> 32;
}

/* Read digits into *value (wrapping when there are too many). Returns the byte behind the last. */
static const uint8_t *read_digits(const uint8_t *text, const uint8_t *end, uint64_t *value)
{
    static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    uint64_t sum = *value;
    while (end - text >= 8) {
        uint64_t word;
        memcpy(&word, text, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        uint32_t count = leading_digits(word);
        if (count < 8) {
            if (count != 0) /* Zeros before the digits make them eight. */
                sum = sum * powers[count] + eight_digits(word << (64 - 8 * count));
            *value = sum;
            return text + count;
        }
        sum = sum * 100000000 + eight_digits(word);
        text += 8;
    }
    while (text < end && is_digit(*text)) {
        sum = sum * 10 + (uint64_t)(*text - '0');
        text++;
    }
    *value = sum;
    return text;
}

/* More than 19 digits: take the first 19 significant ones again, and correct the power. */
static void cut_digits(struct decimal *decimal, const uint8_t *point)
{
    uint64_t significand = 0;
    uint32_t kept = 0;
    int64_t dropped = 0;
    for (const uint8_t *digit = decimal->digits; digit < decimal->digits_end; digit++) {
        if (digit == point || (kept == 0 && *digit == '0'))
            continue;
        if (kept < DIGITS_MAX) {
            significand = significand * 10 + (uint64_t)(*digit - '0');
            kept++;
        } else {
            dropped++;
        }
    }
    decimal->significand = significand;
    decimal->power += dropped;
    decimal->truncated = dropped > 0;
}

/* [eE][+-]?[0-9]+ at text; NULL when it is not complete. */
static const uint8_t *read_exponent(const uint8_t *text, const uint8_t *end, int64_t *exponent)
{
    text++;
    bool negative = text < end && *text == '-';
    if (text < end && (*text == '-' || *text == '+'))
        text++;
    if (text == end || !is_digit(*text))
        return NULL;
    int64_t value = 0;
    for (; text < end && is_digit(*text); text++) {
        if (value < INT64_MAX / 100)
            value = value * 10 + (*text - '0');
    }
    *exponent = negative ? -value : value;
    return text;
}

static const uint8_t *read_decimal(const uint8_t *text, const uint8_t *end, struct decimal *decimal)
{
    const uint8_t *point = NULL;
    *decimal = (struct decimal){.negative = text < end && *text == '-', .integer = true};
    text += decimal->negative;
    decimal->digits = text;
    if (text == end || !is_digit(*text))
        return NULL;
    if (*text == '0')
        text++;
    else
        text = read_digits(text, end, &decimal->significand);
    size_t digits_count = (size_t)(text - decimal->digits);
    decimal->digits_end = text;
    if (text < end && *text == '.') {
        point = text;
        text = read_digits(text + 1, end, &decimal->significand);
        if (text == point + 1)
            return NULL;
        decimal->integer = false;
        decimal->digits_end = text;
        decimal->power = -(int64_t)(text - point - 1);
        digits_count += (size_t)(text - point - 1);
    }
    if (digits_count > DIGITS_MAX)
        cut_digits(decimal, point);
    if (text < end && (*text == 'e' || *text == 'E')) {
        int64_t exponent;
        text = read_exponent(text, end, &exponent);
        if (text == NULL)
            return NULL;
        decimal->integer = false;
        decimal->power += exponent;
    }
    return text;
}

/* An integer of 20 digits may still fit uint64. */
static bool read_twenty_digits(const struct decimal *decimal, uint64_t *value)
{
    if (decimal->digits_end - decimal->digits != DIGITS_MAX + 1)
        return false;
    uint64_t last = (uint64_t)(decimal->digits_end[-1] - '0');
    return !__builtin_mul_overflow(decimal->significand, (uint64_t)10, value) &&
           !__builtin_add_overflow(*value, last, value);
}

const uint8_t *mr_number_parse(const uint8_t *text, const uint8_t *end, struct mr_number *number)
{
    struct decimal decimal;
    number->kind = MR_NUMBER_NONE;
    text = read_decimal(text, end, &decimal);
    if (text == NULL)
        return NULL;
    uint64_t magnitude = decimal.significand;
    if (!decimal.integer || (decimal.truncated && !read_twenty_digits(&decimal, &magnitude))) {
        number->kind = MR_NUMBER_DOUBLE;
        number->signed_integer = 0;
        number->number = decimal_to_double(&decimal);
        return text;
    }
    number->number = decimal.negative ? -(double)magnitude : (double)magnitude;
    if (magnitude <= (uint64_t)INT64_MAX) {
        number->kind = MR_NUMBER_INT;
        number->signed_integer = decimal.negative ? -(int64_t)magnitude : (int64_t)magnitude;
    } else if (!decimal.negative) {
        number->kind = MR_NUMBER_UINT;
        number->unsigned_integer = magnitude;
    } else {
        bool least = magnitude == (uint64_t)1 << 63;
        number->kind = least ? MR_NUMBER_INT : MR_NUMBER_DOUBLE;
        number->signed_integer = least ? INT64_MIN : 0;
    }
    return text;
}

bool mr_number_parse_int(struct mr_slice text, int64_t *value)
{
    if (text.size == 0)
        return false;
    bool negative = text.data[0] == '-';
    size_t i = negative;
    if (i == text.size)
        return false;
    int64_t sum = 0;
    for (; i < text.size; i++) {
        if (!is_digit(text.data[i]))
            return false;
        int64_t digit = text.data[i] - '0';
        /* Summed below zero: the negative range is the larger one. */
        if (__builtin_mul_overflow(sum, (int64_t)10, &sum) ||
            __builtin_sub_overflow(sum, digit, &sum))
            return false;
    }
    if (!negative && sum == INT64_MIN)
        return false;
    *value = negative ? sum : -sum;
    return true;
}

/* ---- Integers to text. ---- */

static const char DIGIT_PAIRS[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static uint32_t count_digits(uint64_t value)
{
    static const uint64_t powers[] = {0,
                                      10u,
                                      100u,
                                      1000u,
                                      10000u,
                                      100000u,
                                      1000000u,
                                      10000000u,
                                      100000000u,
                                      1000000000u,
                                      10000000000u,
                                      100000000000u,
                                      1000000000000u,
                                      10000000000000u,
                                      100000000000000u,
                                      1000000000000000u,
                                      10000000000000000u,
                                      100000000000000000u,
                                      1000000000000000000u,
                                      10000000000000000000u};
    /* bits * log10(2), at most one too low. */
    uint32_t guess = (64 - (uint32_t)__builtin_clzll(value | 1)) * 1233 >> 12;
    return guess + (guess < MR_ARRAY_COUNT(powers) && value >= powers[guess]);
}

/* Write value right-aligned before `end`. */
static void write_digits(uint64_t value, char *end)
{
    while (value >= 100) {
        uint64_t quotient = value / 100;
        end -= 2;
        memcpy(end, DIGIT_PAIRS + 2 * (value - quotient * 100), 2);
        value = quotient;
    }
    if (value >= 10)
        memcpy(end - 2, DIGIT_PAIRS + 2 * value, 2);
    else
        end[-1] = (char)('0' + value);
}

static size_t write_unsigned(uint64_t value, char *text)
{
    uint32_t count = count_digits(value);
    write_digits(value, text + count);
    return count;
}

static size_t write_signed(int64_t value, char *text)
{
    if (value >= 0)
        return write_unsigned((uint64_t)value, text);
    text[0] = '-';
    return 1 + write_unsigned(-(uint64_t)value, text + 1);
}

size_t mr_number_format_uint(uint64_t value, char text[MR_NUMBER_TEXT_SIZE])
{
    return write_unsigned(value, text);
}

size_t mr_number_format_int(int64_t value, char text[MR_NUMBER_TEXT_SIZE])
{
    return write_signed(value, text);
}

/* ---- Double to text. ---- */

struct shortest {
    uint64_t digits;
    int32_t power; /* value = digits * 10^power */
};

/* floor(x * log10(2)), of 3/4 as much where the lower neighbour is closer. */
static int32_t floor_log10_power_of_two(int32_t exponent, bool lower_closer)
{
    return (exponent * 1262611 - (lower_closer ? 524031 : 0)) >> 22;
}

static int32_t floor_log2_power_of_ten(int32_t exponent)
{
    return (exponent * 1741647) >> 19;
}

/* floor(power * factor / 2^128), with the lowest bit set when bits were lost. */
static uint64_t multiply_round_to_odd(const uint64_t power[2], uint64_t factor)
{
    wide low = (wide)power[1] * factor;
    wide high = (wide)power[0] * factor + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* Pre: a finite double above zero. */
static struct shortest find_shortest(uint64_t bits)
{
    uint64_t fraction = bits & (HIDDEN_BIT - 1);
    int32_t exponent = (int32_t)(bits >> SIGNIFICAND_BITS);
    uint64_t significand = exponent != 0 ? fraction | HIDDEN_BIT : fraction;
    int32_t binary = (exponent != 0 ? exponent : 1) - EXPONENT_BIAS;
    if (binary <= 0 && binary > -SIGNIFICAND_BITS - 1 &&
        (significand & (((uint64_t)1 << -binary) - 1)) == 0)
        return (struct shortest){.digits = significand >> -binary}; /* a small integer */
    bool even = (significand & 1u) == 0; /* then the bounds themselves read back */
    bool lower_closer = fraction == 0 && exponent > 1;
    int32_t power = floor_log10_power_of_two(binary, lower_closer);
    const uint64_t *entry = mr_number_powers[-power - MR_NUMBER_POWER_MIN];
    uint64_t scale[2] = {entry[0], entry[1]};
    if (-power < MR_NUMBER_POWER_ROUNDED_UP_MIN || -power > MR_NUMBER_POWER_EXACT_MAX) {
        scale[1]++; /* the method wants inexact powers rounded up */
        scale[0] += scale[1] == 0;
    }
    /* Four times the value and its bounds, scaled to 16 or 17 digits. */
    uint32_t shift = (uint32_t)(binary + floor_log2_power_of_ten(-power) + 1);
    uint64_t middle = multiply_round_to_odd(scale, (4 * significand) << shift);
    uint64_t lower =
        multiply_round_to_odd(scale, (4 * significand - 2 + lower_closer) << shift) + !even;
    uint64_t upper = multiply_round_to_odd(scale, (4 * significand + 2) << shift) - !even;
    uint64_t digits = middle / 4;
    if (digits >= 10) {
        uint64_t fewer = digits / 10;
        bool below_inside = lower <= 40 * fewer;
        bool above_inside = 40 * fewer + 40 <= upper;
        if (below_inside != above_inside)
            return (struct shortest){.digits = fewer + above_inside, .power = power + 1};
    }
    bool below_inside = lower <= 4 * digits;
    bool above_inside = 4 * digits + 4 <= upper;
    bool up = above_inside;
    if (below_inside == above_inside)
        up = middle > 4 * digits + 2 || (middle == 4 * digits + 2 && (digits & 1u) != 0);
    return (struct shortest){.digits = digits + up, .power = power};
}

static size_t write_exponent(int32_t exponent, char *text)
{
    text[0] = 'e';
    return 1 + write_signed(exponent, text + 1);
}

/* digits * 10^power in the notation that JavaScript chooses. */
static size_t write_decimal(uint64_t digits, int32_t power, char *text)
{
    int32_t count = (int32_t)count_digits(digits);
    int32_t point = count + power; /* digits before the decimal point */
    if (power >= 0 && point <= 21) {
        write_digits(digits, text + count);
        memset(text + count, '0', (size_t)power);
        return (size_t)point;
    }
    if (point > 0 && point <= 21) {
        write_digits(digits, text + count + 1);
        memmove(text, text + 1, (size_t)point);
        text[point] = '.';
        return (size_t)count + 1;
    }
    if (point <= 0 && point > -6) {
        memset(text, '0', (size_t)(2 - point));
        text[1] = '.';
        write_digits(digits, text + 2 - point + count);
        return (size_t)(2 - point + count);
    }
    if (count == 1) {
        text[0] = (char)('0' + digits);
        return 1 + write_exponent(point - 1, text + 1);
    }
    write_digits(digits, text + count + 1);
    text[0] = text[1];
    text[1] = '.';
    return (size_t)count + 1 + write_exponent(point - 1, text + count + 1);
}

size_t mr_number_format_double(double value, char text[MR_NUMBER_TEXT_SIZE])
{
    uint64_t bits = bits_from_double(value);
    bool negative = bits >> 63 != 0;
    bits &= ~((uint64_t)1 << 63);
    MR_ASSERT(bits < INFINITY_BITS);
    if (bits == 0) {
        size_t size = negative ? 4 : 1;
        memcpy(text, negative ? "-0.0" : "0", size);
        return size;
    }
    text[0] = '-';
    struct shortest shortest = find_shortest(bits);
    while (shortest.digits % 10 == 0) {
        shortest.digits /= 10;
        shortest.power++;
    }
    return negative + write_decimal(shortest.digits, shortest.power, text + negative);
}
