/* operators/quality_score_object.c — see quality_score_object.h. */
#include "operators/quality_score_object.h"

#include "base/endian.h"

enum { HEAD_BYTES = 53, FLAG_ALERTED = 1, FLAG_OPEN = 2 };

size_t mr_quality_score_encode(const void *object, uint8_t *output)
{
    const struct mr_quality_score_object *entry = object;
    mr_put_u64le(output, entry->records);
    mr_put_u64le(output + 8, (uint64_t)entry->latest_ms);
    mr_put_u64le(output + 16, (uint64_t)entry->alerted_ms);
    mr_put_u64le(output + 24, entry->episodes);
    mr_put_double_le(output + 32, entry->lowest);
    output[40] = (uint8_t)((entry->alerted ? FLAG_ALERTED : 0) | (entry->open ? FLAG_OPEN : 0));
    mr_put_u32le(output + 41, entry->outliers);
    mr_put_u32le(output + 45, entry->duplicates);
    mr_put_u32le(output + 49, entry->marked);
    uint8_t *ring = output + HEAD_BYTES;
    for (uint32_t index = 0; index < MR_QUALITY_SCORE_RINGS_MAX; index++, ring += 8) {
        mr_put_u32le(ring, entry->counts[index]);
        mr_put_u32le(ring + 4, entry->positions[index]);
    }
    return MR_QUALITY_SCORE_BYTES;
}

bool mr_quality_score_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_quality_score_object *entry = object;
    if (version != MR_QUALITY_SCORE_VERSION || stored.size != MR_QUALITY_SCORE_BYTES ||
        stored.data[40] > (FLAG_ALERTED | FLAG_OPEN))
        return false;
    entry->records = mr_get_u64le(stored.data);
    entry->latest_ms = (int64_t)mr_get_u64le(stored.data + 8);
    entry->alerted_ms = (int64_t)mr_get_u64le(stored.data + 16);
    entry->episodes = mr_get_u64le(stored.data + 24);
    entry->lowest = mr_get_double_le(stored.data + 32);
    entry->alerted = (stored.data[40] & FLAG_ALERTED) != 0;
    entry->open = (stored.data[40] & FLAG_OPEN) != 0;
    entry->outliers = mr_get_u32le(stored.data + 41);
    entry->duplicates = mr_get_u32le(stored.data + 45);
    entry->marked = mr_get_u32le(stored.data + 49);
    const uint8_t *ring = stored.data + HEAD_BYTES;
    for (uint32_t index = 0; index < MR_QUALITY_SCORE_RINGS_MAX; index++, ring += 8) {
        entry->counts[index] = mr_get_u32le(ring);
        entry->positions[index] = mr_get_u32le(ring + 4);
        if (entry->counts[index] > MR_QUALITY_SCORE_WINDOW_MAX ||
            entry->positions[index] >= MR_QUALITY_SCORE_WINDOW_MAX)
            return false;
    }
    return true;
}

double mr_quality_score_of(const struct mr_quality_score_object *entry)
{
    uint32_t count = entry->counts[MR_QUALITY_SCORE_MARKS];
    return count == 0 ? 1 : (double)(count - entry->marked) / count;
}
