/* state/big_endian.h — integers as big-endian bytes: stored keys must order by memcmp.
 * Signed times are written with the sign bit flipped, so that earlier sorts first. */
#ifndef MR_STATE_BIG_ENDIAN_H
#define MR_STATE_BIG_ENDIAN_H

#include <stdint.h>

static inline void mr_big_endian_put_u16(uint8_t *output, uint32_t value)
{
    output[0] = (uint8_t)(value >> 8);
    output[1] = (uint8_t)value;
}

static inline void mr_big_endian_put_u32(uint8_t *output, uint32_t value)
{
    mr_big_endian_put_u16(output, value >> 16);
    mr_big_endian_put_u16(output + 2, value & 0xffffu);
}

static inline void mr_big_endian_put_u64(uint8_t *output, uint64_t value)
{
    mr_big_endian_put_u32(output, (uint32_t)(value >> 32));
    mr_big_endian_put_u32(output + 4, (uint32_t)value);
}

static inline void mr_big_endian_put_time(uint8_t *output, int64_t time_ms)
{
    mr_big_endian_put_u64(output, (uint64_t)time_ms ^ (UINT64_C(1) << 63));
}

static inline uint32_t mr_big_endian_u16(const uint8_t *input)
{
    return (uint32_t)input[0] << 8 | input[1];
}

static inline uint32_t mr_big_endian_u32(const uint8_t *input)
{
    return mr_big_endian_u16(input) << 16 | mr_big_endian_u16(input + 2);
}

static inline uint64_t mr_big_endian_u64(const uint8_t *input)
{
    return (uint64_t)mr_big_endian_u32(input) << 32 | mr_big_endian_u32(input + 4);
}

static inline int64_t mr_big_endian_time(const uint8_t *input)
{
    return (int64_t)(mr_big_endian_u64(input) ^ (UINT64_C(1) << 63));
}

#endif
