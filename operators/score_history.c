/* operators/score_history.c — see score_history.h.
 * Design: a search reads about 11 of 1,000 scores by their places; nothing is copied but when the
 * order is made. Equal scores may be in any order: no result depends on it. */
#include "operators/score_history.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "operators/natural_log.h"

enum { SLOT_NUMBERS = 16 };

static const double log10_e = 0.43429448190325182765;
static const double index_max = 0.9;
/* Distances in units of a scale are at most this: their logarithms stay finite. */
static const double distance_max = 1e300;

static double decimal_log(double number)
{
    return log10_e * mr_natural_log(number);
}

struct mr_score_shape mr_score_shape(uint32_t members_count, uint32_t capacity)
{
    MR_ASSERT(members_count >= 1 && members_count * capacity <= MR_SCORE_HISTORY_SCORES_MAX);
    uint32_t records = SLOT_NUMBERS / members_count;
    return (struct mr_score_shape){members_count, capacity, records > 0 ? records : 1};
}

/* ---- Places ---- */

static uint16_t *order_of(struct mr_score_history *history, uint32_t member)
{
    return history->order + (size_t)member * history->capacity;
}

/* The bytes of a record's scores. */
static enum mr_status record_at(const struct mr_score_access *access, uint32_t place, bool write,
                                uint8_t **bytes, struct mr_error *error)
{
    void *slot;
    enum mr_status status = mr_table_slot(access->table, access->entry,
                                          place / access->slot_records, write, &slot, error);
    if (status == MR_OK)
        *bytes = (uint8_t *)slot +
                 (size_t)(place % access->slot_records) * access->history->members_count * 8;
    return status;
}

static enum mr_status score_at(const struct mr_score_access *access, uint32_t place,
                               uint32_t member, double *score, struct mr_error *error)
{
    uint8_t *bytes = NULL;
    enum mr_status status = record_at(access, place, false, &bytes, error);
    if (status == MR_OK)
        *score = mr_get_double_le(bytes + (size_t)member * 8);
    return status;
}

/* How many of the first count of the member's order are below score. */
static enum mr_status count_below(const struct mr_score_access *access, uint32_t member,
                                  uint32_t count, double score, uint32_t *below,
                                  struct mr_error *error)
{
    const uint16_t *order = order_of(access->history, member);
    *below = 0;
    while (count > 0) {
        uint32_t half = count / 2;
        double middle = 0;
        enum mr_status status = score_at(access, order[*below + half], member, &middle, error);
        if (status != MR_OK)
            return status;
        if (middle < score) {
            *below += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return MR_OK;
}

/* ---- Making the order ---- */

static int compare(const void *left, const void *right)
{
    struct mr_score_placed first;
    struct mr_score_placed second;
    memcpy(&first, left, sizeof(first));
    memcpy(&second, right, sizeof(second));
    return (first.score > second.score) - (first.score < second.score);
}

enum mr_status mr_score_history_refresh(const struct mr_score_access *access,
                                        struct mr_error *error)
{
    struct mr_score_history *history = access->history;
    if (history->stale == 0)
        return MR_OK;
    struct mr_score_placed *placed = access->scratch;
    for (uint32_t member = 0; member < history->members_count; member++) {
        for (uint32_t place = 0; place < history->count; place++) {
            placed[place].place = place;
            enum mr_status status = score_at(access, place, member, &placed[place].score, error);
            if (status != MR_OK)
                return status;
        }
        qsort(placed, history->count, sizeof(*placed), compare);
        uint16_t *order = order_of(history, member);
        for (uint32_t index = 0; index < history->count; index++)
            order[index] = (uint16_t)placed[index].place;
    }
    history->stale = 0;
    return MR_OK;
}

/* ---- Surprise ---- */

/* -log10 of how likely an excess is above `above` (>= 0), by the tail of m excesses, ascending. */
static double tail_surprise(const struct mr_score_placed *excesses, uint32_t count, double above,
                            double scale_floor)
{
    double sum = 0;
    double weighted = 0; /* the j-th of m by (m - j) / (m - 1) */
    for (uint32_t index = 0; index < count; index++) {
        sum += excesses[index].score;
        if (count > 1)
            weighted += excesses[index].score * (count - 1 - index) / (count - 1);
    }
    double mean = count > 0 ? sum / count : 0;
    double spread = count > 0 ? mean - 2 * (weighted / count) : 0;
    double index_min = 1 / (1.0 + count);
    double tail_index = count > 1 && spread > 0 ? 2 - mean / spread : index_min;
    if (!(tail_index >= index_min))
        tail_index = index_min;
    if (tail_index > index_max && count > 0)
        tail_index = index_max;
    double scale = mean * (1 - tail_index);
    double distance = above / (scale < scale_floor ? scale_floor : scale);
    if (!(distance <= distance_max))
        distance = distance_max;
    return decimal_log(1 + tail_index * distance) / tail_index;
}

/* Above all earlier scores, by their order alone. */
static enum mr_status top_surprise(const struct mr_score_access *access,
                                   const struct mr_score_rule *rule, uint32_t member, double score,
                                   double *surprise, struct mr_error *error)
{
    const struct mr_score_history *history = access->history;
    const uint16_t *order = order_of(access->history, member);
    double highest = 0;
    double median = 0;
    enum mr_status status = score_at(access, order[history->count - 1], member, &highest, error);
    if (status == MR_OK)
        status = score_at(access, order[history->count / 2], member, &median, error);
    if (status != MR_OK)
        return status;
    double scale = highest - median;
    double distance = (score - highest) / (scale < rule->scale_floor ? rule->scale_floor : scale);
    if (!(distance <= distance_max))
        distance = distance_max;
    *surprise = decimal_log(1.0 + history->count) + decimal_log(1 + distance);
    return MR_OK;
}

/* Above the level: the excesses over it are gathered, their order is there. */
static enum mr_status level_surprise(const struct mr_score_access *access,
                                     const struct mr_score_rule *rule, uint32_t member,
                                     double score, double level, uint32_t first, double *surprise,
                                     struct mr_error *error)
{
    const uint32_t count = access->history->count;
    const uint16_t *order = order_of(access->history, member);
    uint32_t excesses = 0;
    for (uint32_t index = first; index < count; index++) {
        double found = 0;
        enum mr_status status = score_at(access, order[index], member, &found, error);
        if (status != MR_OK)
            return status;
        if (found > level)
            access->scratch[excesses++].score = found - level;
    }
    *surprise = decimal_log((count + 1.0) / (excesses + 1.0)) +
                tail_surprise(access->scratch, excesses, score - level, rule->scale_floor);
    return MR_OK;
}

enum mr_status mr_score_history_surprise(const struct mr_score_access *access,
                                         const struct mr_score_rule *rule, uint32_t member,
                                         double score, double *surprise, struct mr_error *error)
{
    const uint32_t count = access->history->count;
    const uint16_t *order = order_of(access->history, member);
    MR_ASSERT(access->history->stale == 0);
    *surprise = 0;
    if (count == 0)
        return MR_OK;
    if (rule->calibration == MR_SCORE_TAIL) {
        uint32_t tail = (uint32_t)(rule->tail_share * count);
        uint32_t first = tail < count ? count - tail : 1;
        double level = 0;
        enum mr_status status = score_at(access, order[first - 1], member, &level, error);
        if (status != MR_OK)
            return status;
        if (score > level)
            return level_surprise(access, rule, member, score, level, first, surprise, error);
    }
    uint32_t below = 0;
    enum mr_status status = count_below(access, member, count, score, &below, error);
    if (status != MR_OK)
        return status;
    if (below == count)
        return top_surprise(access, rule, member, score, surprise, error);
    *surprise = decimal_log((count + 1.0) / (count - below + 1.0));
    return MR_OK;
}

/* ---- Learning ---- */

/* Take the record at history->position, which is the oldest, out of the orders. */
static enum mr_status forget_oldest(const struct mr_score_access *access, struct mr_error *error)
{
    struct mr_score_history *history = access->history;
    uint32_t count = history->count;
    for (uint32_t member = 0; member < history->members_count; member++) {
        double oldest = 0;
        uint32_t index = 0;
        uint16_t *order = order_of(history, member);
        enum mr_status status = score_at(access, history->position, member, &oldest, error);
        if (status == MR_OK)
            status = count_below(access, member, count, oldest, &index, error);
        if (status != MR_OK)
            return status;
        while (index < count && order[index] != history->position)
            index++;
        MR_ASSERT(index < count);
        memmove(order + index, order + index + 1, (count - index - 1) * sizeof(*order));
    }
    history->count--;
    return MR_OK;
}

enum mr_status mr_score_history_add(const struct mr_score_access *access, const double *scores,
                                    struct mr_error *error)
{
    struct mr_score_history *history = access->history;
    uint8_t *bytes = NULL;
    enum mr_status status = MR_OK;
    MR_ASSERT(history->stale == 0);
    if (history->count == history->capacity)
        status = forget_oldest(access, error);
    if (status == MR_OK)
        status = record_at(access, history->position, true, &bytes, error);
    if (status != MR_OK)
        return status;
    uint32_t count = history->count;
    for (uint32_t member = 0; member < history->members_count; member++)
        mr_put_double_le(bytes + (size_t)member * 8, scores[member]);
    for (uint32_t member = 0; member < history->members_count; member++) {
        uint32_t index = 0;
        uint16_t *order = order_of(history, member);
        status = count_below(access, member, count, scores[member], &index, error);
        if (status != MR_OK)
            return status;
        memmove(order + index + 1, order + index, (count - index) * sizeof(*order));
        order[index] = (uint16_t)history->position;
    }
    history->count++;
    history->position = history->position + 1 == history->capacity ? 0 : history->position + 1;
    return MR_OK;
}
