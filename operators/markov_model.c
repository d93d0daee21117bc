/* operators/markov_model.c — see markov_model.h. */
#include "operators/markov_model.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/tail.h"

struct context {
    double age;
    double weights[MR_MARKOV_NUMBERS_MAX];
};

struct dwell {
    double age;
    struct mr_marginal marginal;
};

_Static_assert(MR_MARKOV_DWELL_BYTES <= (int)MR_LIMIT_STATE_SLOT_BYTES,
               "a distribution is stored as one object");

/* ---- Layout ---- */

static size_t pool_encode(const void *object, uint8_t *output)
{
    const struct mr_markov_pool *pool = object;
    mr_put_u64le(output, pool->transitions);
    mr_put_u64le(output + 8, (uint64_t)pool->clock_ms);
    mr_put_double_le(output + 16, pool->age);
    mr_put_u64le(output + 24, pool->begun);
    mr_put_u32le(output + 32, pool->running);
    mr_put_u32le(output + 36, pool->states_count);
    return MR_MARKOV_POOL_BYTES;
}

static bool pool_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_markov_pool *pool = object;
    if (version != MR_MARKOV_MODEL_VERSION || stored.size != MR_MARKOV_POOL_BYTES)
        return false;
    pool->transitions = mr_get_u64le(stored.data);
    pool->clock_ms = (int64_t)mr_get_u64le(stored.data + 8);
    pool->age = mr_get_double_le(stored.data + 16);
    pool->begun = mr_get_u64le(stored.data + 24);
    pool->running = mr_get_u32le(stored.data + 32);
    pool->states_count = mr_get_u32le(stored.data + 36);
    return pool->states_count <= MR_MARKOV_STATES_MAX && pool->age >= 0;
}

static size_t context_encode(const void *object, uint8_t *output)
{
    const struct context *context = object;
    uint32_t count = MR_MARKOV_NUMBERS_MAX;
    while (count > 0 && !(context->weights[count - 1] > 0))
        count--;
    mr_put_double_le(output, context->age);
    for (uint32_t at = 0; at < count; at++)
        mr_put_double_le(output + 8 + 8 * (size_t)at, context->weights[at]);
    return 8 + 8 * (size_t)count;
}

static bool context_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct context *context = object;
    if (version != MR_MARKOV_MODEL_VERSION || stored.size < 8 || stored.size % 8 != 0 ||
        stored.size > MR_MARKOV_CONTEXT_BYTES)
        return false;
    context->age = mr_get_double_le(stored.data);
    for (uint32_t at = 0; at < stored.size / 8 - 1; at++) {
        context->weights[at] = mr_get_double_le(stored.data + 8 + 8 * (size_t)at);
        if (!(context->weights[at] >= 0))
            return false;
    }
    return true;
}

static size_t dwell_encode(const void *object, uint8_t *output)
{
    const struct dwell *dwell = object;
    mr_put_double_le(output, dwell->age);
    for (uint32_t bin = 0; bin < dwell->marginal.bins_count; bin++) {
        uint8_t *at = output + 8 + 24 * (size_t)bin;
        mr_put_double_le(at, dwell->marginal.bins[bin].lowest);
        mr_put_double_le(at + 8, dwell->marginal.bins[bin].highest);
        mr_put_double_le(at + 16, dwell->marginal.bins[bin].weight);
    }
    return 8 + 24 * (size_t)dwell->marginal.bins_count;
}

static bool dwell_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct dwell *dwell = object;
    if (version != MR_MARKOV_MODEL_VERSION || stored.size < 8 || stored.size % 24 != 8 ||
        stored.size > MR_MARKOV_DWELL_BYTES)
        return false;
    dwell->age = mr_get_double_le(stored.data);
    dwell->marginal.bins_count = (uint32_t)(stored.size / 24);
    for (uint32_t bin = 0; bin < dwell->marginal.bins_count; bin++) {
        const uint8_t *at = stored.data + 8 + 24 * (size_t)bin;
        struct mr_marginal_bin *one = &dwell->marginal.bins[bin];
        one->lowest = mr_get_double_le(at);
        one->highest = mr_get_double_le(at + 8);
        one->weight = mr_get_double_le(at + 16);
        if (!(one->lowest <= one->highest) || !(one->weight >= 0))
            return false;
    }
    return true;
}

/* ---- Opening ---- */

enum mr_status mr_markov_model_open(struct mr_markov_model *model,
                                    const struct mr_operator_open *open, struct mr_error *error)
{
    struct mr_table_spec pool = {
        .operator_name = open->node->name,
        .name = "pool",
        .version = MR_MARKOV_MODEL_VERSION,
        .object_size = sizeof(struct mr_markov_pool),
        .encode = pool_encode,
        .encoded_size_max = MR_MARKOV_POOL_BYTES,
        .decode = pool_decode,
        .slot_bytes = sizeof(struct mr_markov_name),
        .slots_max = MR_MARKOV_STATES_MAX,
    };
    struct mr_table_spec contexts = {
        .operator_name = open->node->name,
        .name = "contexts",
        .version = MR_MARKOV_MODEL_VERSION,
        .object_size = sizeof(struct context),
        .encode = context_encode,
        .encoded_size_max = MR_MARKOV_CONTEXT_BYTES,
        .decode = context_decode,
    };
    struct mr_table_spec dwells = {
        .operator_name = open->node->name,
        .name = "dwells",
        .version = MR_MARKOV_MODEL_VERSION,
        .object_size = sizeof(struct dwell),
        .encode = dwell_encode,
        .encoded_size_max = MR_MARKOV_DWELL_BYTES,
        .decode = dwell_decode,
    };
    MR_ASSERT(model->states_max <= MR_MARKOV_STATES_MAX);
    enum mr_status status = mr_table_open(open->state, &pool, &model->pool, error);
    if (status == MR_OK)
        status = mr_table_open(open->state, &contexts, &model->contexts, error);
    return status == MR_OK ? mr_table_open(open->state, &dwells, &model->dwells, error) : status;
}

/* ---- The pool ---- */

enum mr_status mr_markov_model_pool(struct mr_markov_model *model, struct mr_markov_pool **pool,
                                    struct mr_error *error)
{
    struct mr_slice key = mr_slice_text("");
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(model->pool, key, mr_hash64(key), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    *pool = object;
    if (created)
        (*pool)->clock_ms = INT64_MIN;
    return MR_OK;
}

void mr_markov_pool_dirty(struct mr_markov_model *model, struct mr_markov_pool *pool)
{
    mr_table_dirty(model->pool, pool);
}

/* Read the names that are not read yet; all of them anew where the state was. */
static enum mr_status read_names(struct mr_markov_model *model, struct mr_markov_pool *pool,
                                 struct mr_error *error)
{
    if (model->names_count > pool->states_count)
        model->names_count = 0;
    while (model->names_count < pool->states_count) {
        void *slot;
        enum mr_status status =
            mr_table_slot(model->pool, pool, model->names_count, false, &slot, error);
        if (status != MR_OK)
            return status;
        memcpy(&model->names[model->names_count], slot, sizeof(struct mr_markov_name));
        if (model->names[model->names_count].size > MR_MARKOV_TEXT_BYTES)
            return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                           "the stored states of generate.markov are damaged; reset the topology");
        model->names_count++;
    }
    return MR_OK;
}

static enum mr_status add_name(struct mr_markov_model *model, struct mr_markov_pool *pool,
                               struct mr_slice text, struct mr_error *error)
{
    void *slot;
    struct mr_markov_name *name = &model->names[model->names_count];
    memset(name, 0, sizeof(*name));
    name->size = (uint8_t)text.size;
    if (text.size > 0)
        memcpy(name->text, text.data, text.size);
    enum mr_status status =
        mr_table_slot(model->pool, pool, model->names_count, true, &slot, error);
    if (status != MR_OK)
        return status;
    memcpy(slot, name, sizeof(*name));
    pool->states_count = ++model->names_count;
    mr_table_dirty(model->pool, pool);
    return MR_OK;
}

enum mr_status mr_markov_model_number(struct mr_markov_model *model, struct mr_slice text,
                                      uint8_t *number, struct mr_error *error)
{
    struct mr_markov_pool *pool;
    *number = MR_MARKOV_OTHER;
    enum mr_status status = mr_markov_model_pool(model, &pool, error);
    if (status == MR_OK)
        status = read_names(model, pool, error);
    if (status != MR_OK || text.size > MR_MARKOV_TEXT_BYTES)
        return status;
    for (uint32_t at = 0; at < model->names_count; at++) {
        const struct mr_markov_name *name = &model->names[at];
        if (name->size == text.size &&
            (text.size == 0 || memcmp(name->text, text.data, text.size) == 0)) {
            *number = (uint8_t)(at + 1);
            return MR_OK;
        }
    }
    if (model->names_count >= model->states_max)
        return MR_OK;
    status = add_name(model, pool, text, error);
    *number = (uint8_t)model->names_count;
    return status;
}

enum mr_status mr_markov_model_text(struct mr_markov_model *model, uint8_t number,
                                    struct mr_slice other, struct mr_slice *text,
                                    struct mr_error *error)
{
    struct mr_markov_pool *pool;
    *text = other;
    if (number == MR_MARKOV_OTHER)
        return MR_OK;
    enum mr_status status = mr_markov_model_pool(model, &pool, error);
    if (status == MR_OK)
        status = read_names(model, pool, error);
    if (status == MR_OK && number > model->names_count)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the stored sequences of generate.markov are damaged; reset the topology");
    if (status == MR_OK)
        *text = mr_slice_from(model->names[number - 1].text, model->names[number - 1].size);
    return status;
}

/* ---- Contexts ---- */

static enum mr_status learn_context(struct mr_markov_model *model, uint8_t before, uint8_t state,
                                    uint8_t next, double age, struct mr_error *error)
{
    uint8_t bytes[2] = {before, state};
    struct mr_slice key = mr_slice_from(bytes, sizeof(bytes));
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(model->contexts, key, mr_hash64(key), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct context *context = object;
    if (age > context->age && !created) {
        double factor = mr_tail_exponential(context->age - age);
        for (uint32_t at = 0; at < MR_MARKOV_NUMBERS_MAX; at++)
            context->weights[at] *= factor;
    }
    context->age = age;
    context->weights[next] += 1;
    mr_table_dirty(model->contexts, context);
    return MR_OK;
}

/* *next: MR_MARKOV_NONE where nothing has followed. */
static enum mr_status draw_context(struct mr_markov_model *model, uint8_t before, uint8_t state,
                                   double share, uint8_t *next, struct mr_error *error)
{
    uint8_t bytes[2] = {before, state};
    struct mr_slice key = mr_slice_from(bytes, sizeof(bytes));
    void *object;
    *next = MR_MARKOV_NONE;
    enum mr_status status = mr_table_find(model->contexts, key, mr_hash64(key), &object, error);
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    const struct context *context = object;
    double sum = 0;
    for (uint32_t at = 0; at < MR_MARKOV_NUMBERS_MAX; at++)
        sum += context->weights[at];
    double left = share * sum;
    for (uint32_t at = 0; at < MR_MARKOV_NUMBERS_MAX; at++) {
        if (!(context->weights[at] > 0))
            continue;
        *next = (uint8_t)at;
        left -= context->weights[at];
        if (left < 0)
            break;
    }
    return MR_OK;
}

/* ---- Dwell times ---- */

static enum mr_status learn_dwell(struct mr_markov_model *model, uint8_t state, int64_t dwell_ms,
                                  double age, struct mr_error *error)
{
    struct mr_slice key = mr_slice_from(&state, 1);
    double value = (double)dwell_ms;
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(model->dwells, key, mr_hash64(key), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct dwell *dwell = object;
    if (age > dwell->age && !created)
        mr_marginal_decay(&dwell->marginal, mr_tail_exponential(dwell->age - age));
    dwell->age = age;
    mr_marginal_learn(&dwell->marginal, &value, 1, 1);
    mr_table_dirty(model->dwells, dwell);
    return MR_OK;
}

enum mr_status mr_markov_model_dwell(struct mr_markov_model *model, uint8_t state,
                                     struct mr_random *random, int64_t *dwell_ms,
                                     struct mr_error *error)
{
    struct mr_slice key = mr_slice_from(&state, 1);
    void *object;
    double share = mr_random_double(random);
    double within = mr_random_double(random);
    *dwell_ms = 0;
    enum mr_status status = mr_table_find(model->dwells, key, mr_hash64(key), &object, error);
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    const struct mr_marginal *marginal = &((const struct dwell *)object)->marginal;
    double left = share * mr_marginal_weight(marginal);
    for (uint32_t bin = 0; bin < marginal->bins_count; bin++) {
        const struct mr_marginal_bin *one = &marginal->bins[bin];
        double value = one->lowest + floor(within * (one->highest - one->lowest + 1));
        *dwell_ms = value < 1 ? 1 : (int64_t)value;
        left -= one->weight;
        if (left < 0)
            break;
    }
    return MR_OK;
}

/* ---- Sequences ---- */

enum mr_status mr_markov_model_learn(struct mr_markov_model *model, struct mr_markov_place place,
                                     uint8_t next, int64_t dwell_ms, double age,
                                     struct mr_error *error)
{
    enum mr_status status = learn_context(model, MR_MARKOV_NONE, place.state, next, age, error);
    if (status != MR_OK || place.state == MR_MARKOV_NONE)
        return status;
    if (model->order == 2 && place.before != MR_MARKOV_NONE)
        status = learn_context(model, place.before, place.state, next, age, error);
    return status == MR_OK ? learn_dwell(model, place.state, dwell_ms, age, error) : status;
}

enum mr_status mr_markov_model_next(struct mr_markov_model *model, struct mr_markov_place place,
                                    struct mr_random *random, struct mr_markov_place *next,
                                    struct mr_error *error)
{
    double share = mr_random_double(random);
    uint8_t found = MR_MARKOV_NONE;
    enum mr_status status = MR_OK;
    if (model->order == 2 && place.before != MR_MARKOV_NONE)
        status = draw_context(model, place.before, place.state, share, &found, error);
    if (status == MR_OK && found == MR_MARKOV_NONE)
        status = draw_context(model, MR_MARKOV_NONE, place.state, share, &found, error);
    *next = (struct mr_markov_place){place.state, found};
    if (status == MR_OK && found == MR_MARKOV_NONE && place.state != MR_MARKOV_NONE) {
        status = draw_context(model, MR_MARKOV_NONE, MR_MARKOV_NONE, share, &found, error);
        *next = (struct mr_markov_place){MR_MARKOV_NONE, found};
    }
    MR_ASSERT(status != MR_OK || found != MR_MARKOV_NONE);
    return status;
}
