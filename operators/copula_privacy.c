/* operators/copula_privacy.c — see copula_privacy.h. */
#include "operators/copula_privacy.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/memory.h"

enum { COPIES_HEAD = 8 };

/* ---- Copies ---- */

void mr_copula_copies_create(struct mr_copula_copies *copies, uint32_t capacity)
{
    MR_ASSERT(capacity >= 1 && capacity <= MR_COPULA_COPIES_MAX);
    uint32_t size = 4;
    while (size < 2 * capacity)
        size *= 2;
    memset(copies, 0, sizeof(*copies));
    copies->capacity = capacity;
    copies->mask = size - 1;
    copies->ring = mr_memory_new(capacity, sizeof(*copies->ring));
    copies->set = mr_memory_new(size, sizeof(*copies->set));
}

void mr_copula_copies_destroy(struct mr_copula_copies *copies)
{
    mr_memory_free(copies->ring);
    mr_memory_free(copies->set);
}

void mr_copula_copies_clear(struct mr_copula_copies *copies)
{
    copies->count = 0;
    copies->next = 0;
    memset(copies->ring, 0, copies->capacity * sizeof(*copies->ring));
    memset(copies->set, 0, ((size_t)copies->mask + 1) * sizeof(*copies->set));
}

static void set_add(struct mr_copula_copies *copies, uint32_t hash)
{
    uint32_t at = hash & copies->mask;
    while (copies->set[at] != 0)
        at = (at + 1) & copies->mask;
    copies->set[at] = hash;
}

/* Take out one of that hash, and move up what it had pushed aside. */
static void set_remove(struct mr_copula_copies *copies, uint32_t hash)
{
    uint32_t mask = copies->mask;
    uint32_t hole = hash & mask;
    while (copies->set[hole] != hash)
        hole = (hole + 1) & mask;
    for (uint32_t at = (hole + 1) & mask; copies->set[at] != 0; at = (at + 1) & mask) {
        uint32_t home = copies->set[at] & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        copies->set[hole] = copies->set[at];
        hole = at;
    }
    copies->set[hole] = 0;
}

void mr_copula_copies_add(struct mr_copula_copies *copies, uint32_t hash)
{
    MR_ASSERT(hash != 0);
    if (copies->count == copies->capacity)
        set_remove(copies, copies->ring[copies->next]);
    else
        copies->count++;
    copies->ring[copies->next] = hash;
    copies->next = copies->next + 1 == copies->capacity ? 0 : copies->next + 1;
    set_add(copies, hash);
}

bool mr_copula_copies_has(const struct mr_copula_copies *copies, uint32_t hash)
{
    for (uint32_t at = hash & copies->mask; copies->set[at] != 0; at = (at + 1) & copies->mask)
        if (copies->set[at] == hash)
            return true;
    return false;
}

size_t mr_copula_copies_bytes(uint32_t capacity)
{
    return COPIES_HEAD + (size_t)capacity * 4;
}

void mr_copula_copies_encode(const struct mr_copula_copies *copies, uint8_t *output)
{
    mr_put_u32le(output, copies->count);
    mr_put_u32le(output + 4, copies->next);
    for (size_t place = 0; place < copies->capacity; place++)
        mr_put_u32le(output + COPIES_HEAD + 4 * place, copies->ring[place]);
}

bool mr_copula_copies_decode(struct mr_copula_copies *copies, const uint8_t *bytes)
{
    uint32_t count = mr_get_u32le(bytes);
    uint32_t next = mr_get_u32le(bytes + 4);
    mr_copula_copies_clear(copies);
    if (count > copies->capacity || next >= copies->capacity ||
        (count < copies->capacity && next != count))
        return false;
    for (uint32_t place = 0; place < count; place++) {
        uint32_t hash = mr_get_u32le(bytes + COPIES_HEAD + 4 * (size_t)place);
        if (hash == 0) {
            mr_copula_copies_clear(copies);
            return false;
        }
        copies->ring[place] = hash;
        set_add(copies, hash);
    }
    copies->count = count;
    copies->next = next;
    return true;
}

bool mr_copula_row_hash(const struct mr_copula_column *columns, uint32_t columns_count,
                        const double *numbers, size_t stride, uint32_t *hash)
{
    uint64_t sum = 0;
    for (uint32_t index = 0; index < columns_count; index++) {
        const struct mr_copula_column *column = &columns[index];
        double number = numbers[index * stride];
        uint8_t bytes[8];
        if (column->kind == MR_COPULA_IDENTIFIER || column->kind == MR_COPULA_UNKNOWN)
            continue;
        if (column->kind == MR_COPULA_TEXT && !isnan(number)) {
            if (number >= column->texts.count)
                return false;
            uint32_t text = (uint32_t)number;
            sum = mr_hash64_seeded(
                mr_slice_from(column->texts.bytes[text], column->texts.sizes[text]), sum + 1);
            continue;
        }
        mr_put_double_le(bytes, isnan(number) ? (double)NAN : number + 0.0);
        sum = mr_hash64_seeded(mr_slice_from(bytes, sizeof(bytes)), sum);
    }
    *hash = (uint32_t)(sum ^ (sum >> 32));
    *hash += *hash == 0;
    return true;
}

/* ---- The view ---- */

void mr_copula_guard_create(struct mr_copula_guard *guard, const struct mr_copula_privacy *privacy,
                            uint32_t columns_count, uint32_t rows)
{
    memset(guard, 0, sizeof(*guard));
    guard->privacy = *privacy;
    guard->columns_count = columns_count;
    guard->columns = mr_memory_new(columns_count, sizeof(*guard->columns));
    guard->numbers = mr_memory_new((size_t)columns_count * rows, sizeof(double));
}

void mr_copula_guard_destroy(struct mr_copula_guard *guard)
{
    mr_memory_free(guard->columns);
    mr_memory_free(guard->numbers);
}

/* Bounds that values of at least this weight lie at or beyond, each: ends of whole bins, as it is
 * not known where in a bin its values are. */
static void bounds_of(const struct mr_marginal *marginal, double weight, double scale,
                      double *lowest, double *highest)
{
    uint32_t first = 0;
    uint32_t last = marginal->bins_count - 1;
    double below = marginal->bins[first].weight;
    double above = marginal->bins[last].weight;
    while (below < weight && first + 1 < marginal->bins_count)
        below += marginal->bins[++first].weight;
    while (above < weight && last > 0)
        above += marginal->bins[--last].weight;
    *lowest = marginal->bins[first].highest;
    *highest = marginal->bins[last].lowest;
    if (*lowest <= *highest)
        return;
    double middle = *highest + (*lowest - *highest) / 2;
    *lowest = scale > 0 ? nearbyint(middle * scale) / scale : middle;
    *highest = *lowest;
}

/* Make all that is beyond the bounds lie on them. */
static void cut_off(struct mr_marginal *marginal, double lowest, double highest)
{
    struct mr_marginal from = *marginal;
    struct mr_marginal_bin ends[2] = {{lowest, lowest, 0}, {highest, highest, 0}};
    uint32_t made = 1;
    for (uint32_t index = 0; index < from.bins_count; index++) {
        struct mr_marginal_bin bin = from.bins[index];
        double width = bin.highest - bin.lowest;
        double below = bin.highest <= lowest ? 1 : width > 0 ? (lowest - bin.lowest) / width : 0;
        double above = bin.lowest >= highest ? 1 : width > 0 ? (bin.highest - highest) / width : 0;
        below = below < 0 ? 0 : below;
        above = below >= 1 || above < 0 ? 0 : above;
        ends[0].weight += below * bin.weight;
        ends[1].weight += above * bin.weight;
        bin.weight *= 1 - below - above;
        bin.lowest = bin.lowest < lowest ? lowest : bin.lowest;
        bin.highest = bin.highest > highest ? highest : bin.highest;
        if (below + above < 1 && made < MR_MARGINAL_BINS_MAX - 1)
            marginal->bins[made++] = bin;
        else if (below + above < 1)
            ends[1].weight += bin.weight;
    }
    marginal->bins[0] = ends[0];
    marginal->bins[made++] = ends[1];
    marginal->bins_count = made;
}

static void clip_numbers(const struct mr_copula_privacy *privacy, struct mr_copula_column *column)
{
    double weight = mr_marginal_weight(&column->marginal);
    double scale = mr_copula_scale(column);
    double beyond = privacy->clip * weight;
    beyond = beyond < privacy->rare_below ? privacy->rare_below : beyond;
    beyond = beyond > weight / 2 ? weight / 2 : beyond;
    if (!(weight > 0) || !(beyond > 0))
        return;
    double lowest;
    double highest;
    bounds_of(&column->marginal, beyond, scale, &lowest, &highest);
    cut_off(&column->marginal, lowest, highest);
}

static void view_column(const struct mr_copula_privacy *privacy, struct mr_copula_column *column)
{
    switch ((enum mr_copula_kind)column->kind) {
    case MR_COPULA_TEXT:
        for (uint32_t text = 0; text < column->texts.count; text++)
            if (column->texts.weights[text] < privacy->rare_below)
                column->texts.weights[text] = 0;
        break;
    case MR_COPULA_BOOLEAN:
        for (uint32_t bin = 0; bin < column->marginal.bins_count; bin++)
            if (column->marginal.bins[bin].weight < privacy->rare_below)
                column->marginal.bins[bin].weight = 0;
        break;
    case MR_COPULA_NUMBER:
    case MR_COPULA_DATE:
    case MR_COPULA_TIME:
    case MR_COPULA_TIMESTAMP:
        clip_numbers(privacy, column);
        break;
    case MR_COPULA_IDENTIFIER:
        column->texts.sizes[0] = 0;
        break;
    case MR_COPULA_UNKNOWN:
    case MR_COPULA_KINDS_COUNT:
        break;
    }
}

/* ---- Distances ---- */

static const double *kept_row(const struct mr_copula *model, uint32_t row)
{
    return model->reservoir + (size_t)row * (model->shape.columns_count + 1) + 1;
}

/* columns_count times the distance; `enough` or more where it is not less. */
static double distance(const struct mr_copula_guard *guard, const struct mr_copula *model,
                       const double *numbers, size_t stride, uint32_t row, double enough)
{
    const double *kept = kept_row(model, row);
    double sum = 0;
    for (uint32_t index = 0; index < guard->columns_count && sum < enough; index++) {
        uint8_t kind = model->columns[index].kind;
        double one = numbers[index * stride];
        double other = kept[index];
        if (kind == MR_COPULA_IDENTIFIER || (isnan(one) && isnan(other)))
            continue;
        double width = guard->widths[index];
        double off = fabs(one - other);
        if (isnan(off) || !(width > 0))
            sum += isnan(off) || off > 0 ? 1 : 0;
        else
            sum += off < width ? off / width : 1;
    }
    return sum;
}

static double closest(const struct mr_copula_guard *guard, const struct mr_copula *model,
                      const double *numbers, size_t stride, uint32_t except, double enough)
{
    double least = INFINITY;
    for (uint32_t row = 0; row < model->kept && least >= enough; row++) {
        double off = row == except ? INFINITY : distance(guard, model, numbers, stride, row, least);
        least = off < least ? off : least;
    }
    return least;
}

/* The quantile of how far kept rows are from the closest other one; of some, evenly taken. */
static double least_distance(const struct mr_copula_guard *guard, const struct mr_copula *model)
{
    double found[MR_COPULA_DISTANCE_ROWS];
    uint32_t count = model->kept < MR_COPULA_DISTANCE_ROWS ? model->kept : MR_COPULA_DISTANCE_ROWS;
    if (model->kept < 2)
        return 0;
    for (uint32_t made = 0; made < count; made++) {
        uint32_t row = (uint32_t)((uint64_t)made * model->kept / count);
        double off = closest(guard, model, kept_row(model, row), 1, row, 0);
        uint32_t at = made;
        for (; at > 0 && found[at - 1] > off; at--)
            found[at] = found[at - 1];
        found[at] = off;
    }
    return found[(uint32_t)(guard->privacy.distance * (count - 1))];
}

/* Of a text and a boolean 0: equal or not. */
static double width_of(const struct mr_copula_column *column)
{
    const struct mr_marginal *marginal = &column->marginal;
    if (column->kind == MR_COPULA_TEXT || column->kind == MR_COPULA_BOOLEAN ||
        marginal->bins_count == 0)
        return 0;
    return marginal->bins[marginal->bins_count - 1].highest - marginal->bins[0].lowest;
}

void mr_copula_guard_make(struct mr_copula_guard *guard, const struct mr_copula *model)
{
    MR_ASSERT(model->shape.columns_count == guard->columns_count);
    for (uint32_t index = 0; index < guard->columns_count; index++) {
        guard->columns[index] = model->columns[index];
        guard->widths[index] = width_of(&model->columns[index]);
        view_column(&guard->privacy, &guard->columns[index]);
        mr_copula_map_column(model, &guard->columns[index]);
    }
    guard->least = guard->privacy.distance > 0 ? least_distance(guard, model) : 0;
}

static void strip_texts(struct mr_copula_texts *texts)
{
    struct mr_copula_texts left = {0};
    for (uint32_t rank = 0; rank < texts->count; rank++) {
        uint32_t text = texts->order[rank];
        if (!(texts->weights[text] > 0))
            continue;
        left.sizes[left.count] = texts->sizes[text];
        memcpy(left.bytes[left.count], texts->bytes[text], MR_COPULA_TEXT_BYTES);
        left.weights[left.count] = texts->weights[text];
        left.order[left.count] = (uint8_t)left.count;
        left.ranks[left.count] = (uint8_t)left.count;
        left.count++;
    }
    *texts = left;
}

void mr_copula_guard_strip(struct mr_copula_guard *guard)
{
    for (uint32_t index = 0; index < guard->columns_count; index++)
        if (guard->columns[index].kind == MR_COPULA_TEXT)
            strip_texts(&guard->columns[index].texts);
}

bool mr_copula_guard_allows(const struct mr_copula_guard *guard, const struct mr_copula *model,
                            const double *numbers, size_t stride)
{
    uint32_t hash;
    if (guard->copies != NULL &&
        mr_copula_row_hash(guard->columns, guard->columns_count, numbers, stride, &hash) &&
        mr_copula_copies_has(guard->copies, hash))
        return false;
    return !(guard->least > 0) ||
           closest(guard, model, numbers, stride, model->kept, guard->least) >= guard->least;
}
