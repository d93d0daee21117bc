/* base/endian.h — integers to and from bytes: little-endian for values, big-endian for ordered
 * keys. */
#ifndef MR_BASE_ENDIAN_H
#define MR_BASE_ENDIAN_H

#include "base/slice.h"

static inline void mr_put_u16le(uint8_t *bytes, uint16_t value)
{
    for (int index = 0; index < 2; index++)
        bytes[index] = (uint8_t)(value >> (8 * index));
}
static inline void mr_put_u32le(uint8_t *bytes, uint32_t value)
{
    for (int index = 0; index < 4; index++)
        bytes[index] = (uint8_t)(value >> (8 * index));
}
static inline void mr_put_u64le(uint8_t *bytes, uint64_t value)
{
    for (int index = 0; index < 8; index++)
        bytes[index] = (uint8_t)(value >> (8 * index));
}
static inline void mr_put_double_le(uint8_t *bytes, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    mr_put_u64le(bytes, bits);
}
static inline uint16_t mr_get_u16le(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | ((uint32_t)bytes[1] << 8));
}
static inline uint32_t mr_get_u32le(const uint8_t *bytes)
{
    uint32_t value = 0;
    for (int index = 3; index >= 0; index--)
        value = (value << 8) | bytes[index];
    return value;
}
static inline uint64_t mr_get_u64le(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int index = 7; index >= 0; index--)
        value = (value << 8) | bytes[index];
    return value;
}
static inline double mr_get_double_le(const uint8_t *bytes)
{
    uint64_t bits = mr_get_u64le(bytes);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
static inline void mr_put_u16be(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}
static inline uint16_t mr_get_u16be(const uint8_t *bytes)
{
    return (uint16_t)((uint32_t)bytes[0] << 8 | bytes[1]);
}
static inline void mr_put_u32be(uint8_t *bytes, uint32_t value)
{
    for (int index = 0; index < 4; index++)
        bytes[index] = (uint8_t)(value >> (24 - 8 * index));
}
static inline void mr_put_u64be(uint8_t *bytes, uint64_t value)
{
    for (int index = 0; index < 8; index++)
        bytes[index] = (uint8_t)(value >> (56 - 8 * index));
}
static inline uint32_t mr_get_u32be(const uint8_t *bytes)
{
    uint32_t value = 0;
    for (int index = 0; index < 4; index++)
        value = (value << 8) | bytes[index];
    return value;
}
static inline uint64_t mr_get_u64be(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int index = 0; index < 8; index++)
        value = (value << 8) | bytes[index];
    return value;
}

/* Signed times in ordered keys: the sign bit is flipped, so that earlier sorts first by memcmp. */
static inline void mr_put_time_be(uint8_t *bytes, int64_t time_ms)
{
    mr_put_u64be(bytes, (uint64_t)time_ms ^ (UINT64_C(1) << 63));
}
static inline int64_t mr_get_time_be(const uint8_t *bytes)
{
    return (int64_t)(mr_get_u64be(bytes) ^ (UINT64_C(1) << 63));
}

/* Reads fields one after the other; `bad` stays set once a field does not fit. */
struct mr_reader {
    const uint8_t *cursor;
    const uint8_t *end;
    bool bad;
};

static inline struct mr_reader mr_reader_from(struct mr_slice bytes)
{
    return (struct mr_reader){.cursor = bytes.data, .end = bytes.data + bytes.size};
}
static inline const uint8_t *mr_read_bytes(struct mr_reader *reader, size_t size)
{
    static const uint8_t nothing[8];
    if (reader->bad || (size_t)(reader->end - reader->cursor) < size) {
        reader->bad = true;
        return nothing;
    }
    const uint8_t *bytes = reader->cursor;
    reader->cursor += size;
    return bytes;
}
static inline uint8_t mr_read_u8(struct mr_reader *reader)
{
    return mr_read_bytes(reader, 1)[0];
}
static inline uint16_t mr_read_u16(struct mr_reader *reader)
{
    return mr_get_u16le(mr_read_bytes(reader, 2));
}
static inline uint32_t mr_read_u32(struct mr_reader *reader)
{
    return mr_get_u32le(mr_read_bytes(reader, 4));
}
static inline uint64_t mr_read_u64(struct mr_reader *reader)
{
    return mr_get_u64le(mr_read_bytes(reader, 8));
}
/* u16 size, then that many bytes; borrowed. */
static inline struct mr_slice mr_read_text(struct mr_reader *reader)
{
    size_t size = mr_read_u16(reader);
    const uint8_t *bytes = mr_read_bytes(reader, size);
    return reader->bad ? (struct mr_slice){0} : mr_slice_from(bytes, size);
}

#endif
