/* operators/known_values.c — see known_values.h. */
#include "operators/known_values.h"

#include <math.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"

enum { PLACES_PER_SLOT = 4, PLACE_BYTES = 32, NO_PLACE = -1 };

static const double unit_max = 1e140;

void mr_known_values_begin(struct mr_known_values *values, uint32_t capacity)
{
    MR_ASSERT(capacity >= 1 && capacity <= MR_KNOWN_VALUES_MAX);
    values->capacity = capacity;
    values->unit = 1;
}

size_t mr_known_values_encode(const void *object, uint8_t *output)
{
    const struct mr_known_values *values = object;
    mr_put_u32le(output, values->capacity);
    mr_put_u32le(output + 4, values->places);
    mr_put_u64le(output + 8, values->learned);
    mr_put_double_le(output + 16, values->unit);
    mr_put_double_le(output + 24, values->evicted);
    return MR_KNOWN_VALUES_BYTES;
}

bool mr_known_values_decode(void *object, struct mr_slice stored)
{
    struct mr_known_values *values = object;
    if (stored.size != MR_KNOWN_VALUES_BYTES)
        return false;
    values->capacity = mr_get_u32le(stored.data);
    values->places = mr_get_u32le(stored.data + 4);
    values->learned = mr_get_u64le(stored.data + 8);
    values->unit = mr_get_double_le(stored.data + 16);
    values->evicted = mr_get_double_le(stored.data + 24);
    values->stale = 1;
    return values->places <= values->capacity;
}

/* ---- Places ---- */

static enum mr_status place_at(const struct mr_known_access *access, uint32_t place, bool write,
                               uint8_t **bytes, struct mr_error *error)
{
    void *slot;
    enum mr_status status =
        mr_table_slot(access->table, access->entry, place / PLACES_PER_SLOT, write, &slot, error);
    if (status == MR_OK)
        *bytes = (uint8_t *)slot + (size_t)(place % PLACES_PER_SLOT) * PLACE_BYTES;
    return status;
}

/* What was loaded has only the head. */
static enum mr_status refresh(const struct mr_known_access *access, struct mr_error *error)
{
    struct mr_known_values *values = access->values;
    if (values->stale == 0)
        return MR_OK;
    values->count = 0;
    for (uint32_t place = 0; place < values->places; place++) {
        uint8_t *bytes = NULL;
        enum mr_status status = place_at(access, place, false, &bytes, error);
        if (status != MR_OK)
            return status;
        struct mr_known_value *value = &values->values[place];
        value->hash = mr_get_u64le(bytes);
        value->weight = mr_get_double_le(bytes + 8);
        values->count += value->weight > 0;
    }
    values->stale = 0;
    return MR_OK;
}

static bool is_forgotten(const struct mr_known_access *access, const uint8_t *bytes,
                         int64_t time_ms)
{
    int64_t age_ms;
    int64_t last_ms = (int64_t)mr_get_u64le(bytes + 24);
    if (access->forget_after_ms == 0)
        return false;
    if (__builtin_sub_overflow(time_ms, last_ms, &age_ms))
        return time_ms > last_ms;
    return age_ms >= access->forget_after_ms;
}

/* ---- Looking ---- */

enum mr_status mr_known_values_look(const struct mr_known_access *access, struct mr_slice text,
                                    int64_t time_ms, struct mr_known_look *look,
                                    struct mr_error *error)
{
    const struct mr_known_values *values = access->values;
    *look =
        (struct mr_known_look){.hash = mr_hash64(text), .time_ms = time_ms, .place = UINT32_MAX};
    enum mr_status status = refresh(access, error);
    if (status != MR_OK)
        return status;
    for (uint32_t place = 0; place < values->places; place++)
        if (values->values[place].hash == look->hash && values->values[place].weight > 0)
            look->place = place;
    if (look->place == UINT32_MAX)
        return MR_OK;
    uint8_t *bytes = NULL;
    status = place_at(access, look->place, false, &bytes, error);
    if (status == MR_OK && !is_forgotten(access, bytes, time_ms))
        look->weight = values->values[look->place].weight;
    return status;
}

double mr_known_values_p(const struct mr_known_values *values, const struct mr_known_look *look,
                         double *share)
{
    double own = look->weight + values->unit;
    double rare = values->evicted + own;
    double frequent = 0;
    for (uint32_t place = 0; place < values->places; place++) {
        if (place == look->place)
            continue;
        double weight = values->values[place].weight;
        if (weight <= own)
            rare += weight;
        else
            frequent += weight;
    }
    double earlier = rare - values->unit + frequent;
    *share = values->learned > 0 && earlier > 0 ? look->weight / earlier : NAN;
    return rare / (rare + frequent);
}

/* ---- Learning ---- */

static enum mr_status write_place(const struct mr_known_access *access, uint32_t place,
                                  const struct mr_known_look *look, double weight,
                                  struct mr_error *error)
{
    uint8_t *bytes = NULL;
    enum mr_status status = place_at(access, place, true, &bytes, error);
    if (status != MR_OK)
        return status;
    struct mr_known_values *values = access->values;
    bool is_same = values->values[place].hash == look->hash && values->values[place].weight > 0;
    int64_t last_ms = (int64_t)mr_get_u64le(bytes + 24);
    if (!is_same || look->time_ms > last_ms)
        last_ms = look->time_ms;
    values->values[place] = (struct mr_known_value){look->hash, weight};
    mr_put_u64le(bytes, look->hash);
    mr_put_double_le(bytes + 8, weight);
    mr_put_u64le(bytes + 16, values->learned);
    mr_put_u64le(bytes + 24, (uint64_t)last_ms);
    return MR_OK;
}

/* An empty place; NO_PLACE when all are full. */
static int64_t empty_place(const struct mr_known_values *values)
{
    if (values->count < values->places)
        for (uint32_t place = 0; place < values->places; place++)
            if (!(values->values[place].weight > 0))
                return place;
    return values->places < values->capacity ? (int64_t)values->places : NO_PLACE;
}

/* The value that was not seen for the most records makes room. */
static enum mr_status evict(const struct mr_known_access *access, uint32_t *place,
                            struct mr_error *error)
{
    struct mr_known_values *values = access->values;
    uint64_t earliest = UINT64_MAX;
    for (uint32_t index = 0; index < values->places; index++) {
        uint8_t *bytes = NULL;
        enum mr_status status = place_at(access, index, false, &bytes, error);
        if (status != MR_OK)
            return status;
        if (mr_get_u64le(bytes + 16) < earliest) {
            earliest = mr_get_u64le(bytes + 16);
            *place = index;
        }
    }
    values->evicted += values->values[*place].weight;
    values->values[*place].weight = 0;
    values->count--;
    return MR_OK;
}

/* Clear the place whose turn it is, when its value was not seen for too long. */
static enum mr_status sweep(const struct mr_known_access *access, const struct mr_known_look *look,
                            struct mr_error *error)
{
    struct mr_known_values *values = access->values;
    if (access->forget_after_ms == 0 || values->places == 0)
        return MR_OK;
    uint32_t place = (uint32_t)(values->learned % values->places);
    uint8_t *bytes = NULL;
    if (place == look->place || !(values->values[place].weight > 0))
        return MR_OK;
    enum mr_status status = place_at(access, place, false, &bytes, error);
    if (status != MR_OK || !is_forgotten(access, bytes, look->time_ms))
        return status;
    status = place_at(access, place, true, &bytes, error);
    if (status != MR_OK)
        return status;
    mr_put_double_le(bytes + 8, 0);
    values->values[place].weight = 0;
    values->count--;
    return MR_OK;
}

/* Count in units of now again. */
static enum mr_status scale_down(const struct mr_known_access *access, struct mr_error *error)
{
    struct mr_known_values *values = access->values;
    for (uint32_t place = 0; place < values->places; place++) {
        uint8_t *bytes = NULL;
        if (!(values->values[place].weight > 0))
            continue;
        enum mr_status status = place_at(access, place, true, &bytes, error);
        if (status != MR_OK)
            return status;
        values->values[place].weight /= values->unit;
        /* What is too small to be a number is no value any more. */
        values->count -= !(values->values[place].weight > 0);
        mr_put_double_le(bytes + 8, values->values[place].weight);
    }
    values->evicted /= values->unit;
    values->unit = 1;
    return MR_OK;
}

enum mr_status mr_known_values_learn(const struct mr_known_access *access,
                                     const struct mr_known_look *look, struct mr_error *error)
{
    struct mr_known_values *values = access->values;
    enum mr_status status = refresh(access, error);
    if (status == MR_OK)
        status = sweep(access, look, error);
    uint32_t place = look->place;
    if (status == MR_OK && place == UINT32_MAX) {
        int64_t empty = empty_place(values);
        if (empty == NO_PLACE)
            status = evict(access, &place, error);
        else
            place = (uint32_t)empty;
        values->places += place == values->places;
        values->count++;
    }
    if (status != MR_OK)
        return status;
    values->learned++;
    status = write_place(access, place, look, look->weight + values->unit, error);
    values->unit /= access->keep;
    return status == MR_OK && values->unit > unit_max ? scale_down(access, error) : status;
}
