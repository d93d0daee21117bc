/* base/utf8.h — UTF-8 validation and stepping (RFC 3629: no surrogates, no overlong forms). */
#ifndef MR_BASE_UTF8_H
#define MR_BASE_UTF8_H

#include "base/slice.h"

bool mr_utf8_valid(struct mr_slice bytes);
/* Size of the longest prefix that is valid: the offset of the first wrong byte, or bytes.size. */
size_t mr_utf8_valid_size(struct mr_slice bytes);
/* Count of code points; bytes must be valid. */
size_t mr_utf8_length(struct mr_slice bytes);
/* Decode the code point at [text, end). Returns its size in bytes, 0 when invalid or at the end. */
size_t mr_utf8_decode(const uint8_t *text, const uint8_t *end, uint32_t *code_point);
/* Encode a code point (not a surrogate, <= 0x10FFFF); returns 1..4. */
size_t mr_utf8_encode(uint32_t code_point, uint8_t text[4]);
/* The longest size <= size_max at which bytes can be cut without splitting a code point. */
size_t mr_utf8_cut(struct mr_slice bytes, size_t size_max);

#endif
