/* base/zone.c — see zone.h. */
#include "base/zone.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"

static uint64_t hash_step(int64_t at_ms, int64_t offset_ms, uint64_t hash)
{
    uint8_t bytes[16]; /* little-endian everywhere: the hash is stored */
    mr_put_u64le(bytes, (uint64_t)at_ms);
    mr_put_u64le(bytes + 8, (uint64_t)offset_ms);
    return mr_hash64_seeded(mr_slice_from(bytes, sizeof(bytes)), hash);
}

static uint64_t hash_of(const struct mr_zone *zone)
{
    uint32_t next = 1;
    while (next < zone->steps_count && zone->steps[next].at_ms <= 0)
        next++;
    uint64_t hash =
        hash_step(0, zone->steps[next - 1].offset_ms, mr_hash64(mr_slice_text(zone->name)));
    for (; next < zone->steps_count; next++)
        hash = hash_step(zone->steps[next].at_ms, zone->steps[next].offset_ms, hash);
    return hash == 0 ? 1 : hash;
}

void mr_zone_make(struct mr_zone *zone, const char *name, struct mr_zone_step *steps,
                  uint32_t steps_count, int64_t repeat_ms)
{
    MR_ASSERT(steps_count > 0 && steps_count <= MR_ZONE_STEPS_MAX && steps[0].at_ms == INT64_MIN);
    int64_t least_ms = steps[0].offset_ms;
    int64_t greatest_ms = steps[0].offset_ms;
    uint32_t count = 1;
    steps[0].highest_ms = INT64_MIN;
    for (uint32_t i = 1; i < steps_count; i++) {
        struct mr_zone_step step = steps[i];
        const struct mr_zone_step *before = &steps[count - 1];
        MR_ASSERT(step.at_ms > before->at_ms && step.at_ms <= MR_ZONE_TIME_MAX);
        if (step.offset_ms == before->offset_ms)
            continue;
        step.highest_ms = step.at_ms - 1 + before->offset_ms;
        if (step.highest_ms < before->highest_ms)
            step.highest_ms = before->highest_ms;
        least_ms = step.offset_ms < least_ms ? step.offset_ms : least_ms;
        greatest_ms = step.offset_ms > greatest_ms ? step.offset_ms : greatest_ms;
        steps[count++] = step;
    }
    *zone = (struct mr_zone){.name = name,
                             .steps = steps,
                             .steps_count = count,
                             .spread_ms = greatest_ms - least_ms,
                             .repeat_ms = INT64_MAX,
                             .repeat_reading_ms = INT64_MAX};
    zone->hash = hash_of(zone);
    if (repeat_ms == INT64_MAX)
        return;
    zone->repeat_reading_ms = mr_zone_reading_ms(zone, repeat_ms);
    zone->repeat_ms = repeat_ms;
}

static int64_t clamp(int64_t time_ms)
{
    if (time_ms > MR_ZONE_TIME_MAX)
        return MR_ZONE_TIME_MAX;
    return time_ms < -MR_ZONE_TIME_MAX ? -MR_ZONE_TIME_MAX : time_ms;
}

/* What to go back by whole periods, so that the time lies before `from`. */
static int64_t periods_ms(int64_t time_ms, int64_t from)
{
    return time_ms < from ? 0 : ((time_ms - from) / MR_ZONE_PERIOD_MS + 1) * MR_ZONE_PERIOD_MS;
}

int64_t mr_zone_reading_ms(const struct mr_zone *zone, int64_t instant_ms)
{
    instant_ms = clamp(instant_ms);
    int64_t back_ms = periods_ms(instant_ms, zone->repeat_ms);
    instant_ms -= back_ms;
    uint32_t low = 0; /* the last step that is not behind the instant */
    uint32_t high = zone->steps_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->steps[middle].at_ms <= instant_ms)
            low = middle;
        else
            high = middle;
    }
    const struct mr_zone_step *step = &zone->steps[low];
    int64_t reading_ms = instant_ms + step->offset_ms;
    return back_ms + (reading_ms > step->highest_ms ? reading_ms : step->highest_ms);
}

int64_t mr_zone_instant_ms(const struct mr_zone *zone, int64_t reading_ms)
{
    reading_ms = clamp(reading_ms);
    int64_t back_ms = periods_ms(reading_ms, zone->repeat_reading_ms);
    reading_ms -= back_ms;
    uint32_t low = 0; /* the last step before which the reading was not reached */
    uint32_t high = zone->steps_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->steps[middle].highest_ms < reading_ms)
            low = middle;
        else
            high = middle;
    }
    const struct mr_zone_step *step = &zone->steps[low];
    int64_t instant_ms = reading_ms - step->offset_ms;
    return back_ms + (instant_ms > step->at_ms ? instant_ms : step->at_ms);
}
