/* operators/bootstrap_kind.c — see bootstrap_kind.h. */
#include "operators/bootstrap_kind.h"

#include "base/assert.h"
#include "base/memory.h"
#include "operators/bootstrap_sampler.h"
#include "operators/sample_model_bootstrap.h"
#include "operators/sample_model_copula.h"

_Static_assert(MR_LEARNED_DRAW_MAX == (int)MR_COPULA_SAMPLE_ROWS,
               "rows of a call are drawn at once");

/* A model, and what its document says besides. Functions of samples take it for its first member.
 */
struct bootstrap_model {
    struct mr_bootstrap model;
    struct mr_bootstrap_noise noise;
};

/* A sampler, and the numbers of the rows that it draws. */
struct bootstrap_sampler {
    struct mr_bootstrap_sampler sampler;
    double *numbers;
};

const char mr_bootstrap_table[] = "bootstrap";

static struct mr_bootstrap_noise noise_of(const struct mr_options *options)
{
    return (struct mr_bootstrap_noise){
        .bandwidth =
            mr_options_present(options, "noise") ? mr_options_number(options, "noise") : -1,
        .flip = mr_options_number(options, "flip"),
    };
}

static struct mr_copula_shape shape_of(const struct mr_options *options)
{
    return (struct mr_copula_shape){
        .columns_count = mr_options_get(options, "fields")->count,
        .reservoir_rows = (uint32_t)mr_options_integer(options, "reservoir"),
        .seed = (uint64_t)mr_options_integer(options, "seed"),
    };
}

/* ---- Models ---- */

static void *work_create(const struct mr_options *options)
{
    struct mr_bootstrap_work *work = mr_memory_new(1, sizeof(*work));
    mr_bootstrap_work_create(work, shape_of(options).columns_count);
    return work;
}

static void work_destroy(void *work)
{
    if (work != NULL)
        mr_bootstrap_work_destroy(work);
    mr_memory_free(work);
}

static void *model_create(const struct mr_options *options)
{
    struct mr_copula_shape shape = shape_of(options);
    struct bootstrap_model *model = mr_memory_new(1, sizeof(*model));
    mr_bootstrap_create(&model->model, &shape);
    model->noise = noise_of(options);
    return model;
}

static void model_destroy(void *model)
{
    if (model != NULL)
        mr_bootstrap_destroy(model);
    mr_memory_free(model);
}

static void begin(void *model, uint64_t seed)
{
    struct mr_bootstrap *bootstrap = model;
    bootstrap->shape.seed = seed;
    mr_bootstrap_clear(bootstrap);
}

static void learn(void *model, void *work, const struct mr_learned_block *block)
{
    mr_bootstrap_learn(model, work, block->cells, block->rows_count, block->decay);
}

static size_t bytes_max(const struct mr_options *options)
{
    struct mr_copula_shape shape = shape_of(options);
    return mr_bootstrap_bytes_max(&shape);
}

static size_t encode(const void *model, uint8_t *output)
{
    return mr_bootstrap_encode(model, output);
}

static bool decode(void *model, struct mr_slice bytes)
{
    return mr_bootstrap_decode(model, bytes);
}

/* ---- Samplers ---- */

static void *sampler_create(const struct mr_options *options, uint32_t conditions_max)
{
    struct mr_copula_shape shape = shape_of(options);
    struct bootstrap_sampler *self = mr_memory_new(1, sizeof(*self));
    MR_UNUSED(conditions_max);
    mr_bootstrap_sampler_create(&self->sampler, &shape, noise_of(options));
    self->numbers =
        mr_memory_new((size_t)shape.columns_count * MR_COPULA_SAMPLE_ROWS, sizeof(double));
    return self;
}

static void sampler_destroy(void *sampler)
{
    struct bootstrap_sampler *self = sampler;
    if (self == NULL)
        return;
    mr_bootstrap_sampler_destroy(&self->sampler);
    mr_memory_free(self->numbers);
    mr_memory_free(self);
}

static enum mr_status sampler_make(void *sampler, const void *model, void *work,
                                   struct mr_learned_conditions conditions, struct mr_error *error)
{
    struct bootstrap_sampler *self = sampler;
    MR_UNUSED(work);
    return mr_bootstrap_sampler_make(&self->sampler, model, conditions.items, conditions.count,
                                     error);
}

static enum mr_status bind(const void *model, const struct mr_sample_condition *condition,
                           struct mr_arena *arena, struct mr_copula_condition *bound,
                           struct mr_error *error)
{
    const struct mr_bootstrap *bootstrap = model;
    return mr_sample_copula_bind(condition, &bootstrap->columns[condition->field], arena, bound,
                                 error);
}

static double probability(const void *sampler)
{
    return ((const struct bootstrap_sampler *)sampler)->sampler.probability;
}

static void draw(void *sampler, const void *model, uint64_t seed, uint64_t first,
                 uint32_t rows_count, struct mr_arena *arena, struct mr_value *const *columns)
{
    struct bootstrap_sampler *self = sampler;
    const struct mr_bootstrap *bootstrap = model;
    mr_bootstrap_sample(&self->sampler, bootstrap, seed, first, rows_count, self->numbers);
    for (uint32_t column = 0; column < bootstrap->shape.columns_count; column++)
        mr_copula_cells_kept(&bootstrap->columns[column],
                             self->numbers + (size_t)column * MR_COPULA_SAMPLE_ROWS, first,
                             rows_count, arena, columns[column]);
}

static enum mr_status document(const void *model, void *work, const char *name, uint64_t version,
                               const char *const *fields, struct mr_buffer *output,
                               struct mr_error *error)
{
    const struct bootstrap_model *own = model;
    MR_UNUSED(work);
    return mr_sample_bootstrap_write(&own->model, own->noise, name, version, fields, output, error);
}

static size_t memory(const struct mr_options *options, uint32_t conditions_max)
{
    struct mr_copula_shape shape = shape_of(options);
    size_t columns = shape.columns_count;
    MR_UNUSED(conditions_max);
    return sizeof(struct bootstrap_model) + sizeof(struct bootstrap_sampler) +
           columns * (sizeof(struct mr_copula_column) + 8 * MR_COPULA_SAMPLE_ROWS) +
           (size_t)shape.reservoir_rows * (8 * (columns + MR_BOOTSTRAP_ROW_HEAD) + 4) +
           mr_bootstrap_sampler_memory(&shape);
}

const struct mr_learned_kind mr_bootstrap_kind = {
    .type = "generate.bootstrap",
    .table = mr_bootstrap_table,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .model_create = model_create,
    .model_destroy = model_destroy,
    .begin = begin,
    .learn = learn,
    .bytes_max = bytes_max,
    .encode = encode,
    .decode = decode,
    .sampler_create = sampler_create,
    .sampler_destroy = sampler_destroy,
    .sampler_make = sampler_make,
    .bind = bind,
    .probability = probability,
    .draw = draw,
    .document = document,
    .memory = memory,
};
