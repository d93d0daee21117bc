/* operators/followed_copula.c — see followed_copula.h. */
#include "operators/followed_copula.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/copula_sampler.h"
#include "operators/sample_model_copula.h"
#include "record/path.h"

struct followed_model {
    const struct mr_option_value *fields;
    struct mr_sample_model *read; /* NULL: none yet */
    const struct mr_sample_copula *own;
};

/* A sampler, and the numbers of the rows that it draws. */
struct followed_sampler {
    struct mr_copula_sampler sampler;
    double *numbers;
};

const char mr_followed_table[] = "followed";

static uint32_t columns_of(const struct mr_options *options)
{
    return mr_options_get(options, "fields")->count;
}

/* ---- Documents ---- */

/* Synthetic records name a field by the last name of its path, as whoever learned it did. */
static enum mr_status check_fields(const struct mr_option_value *fields,
                                   const struct mr_sample_facts *facts, struct mr_error *error)
{
    if (facts->fields_count != fields->count)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "the model \"%.64s\" has %u fields, and `fields` has %u: they must be the "
                       "same, in the same order",
                       facts->name, facts->fields_count, fields->count);
    for (uint32_t field = 0; field < fields->count; field++)
        if (strcmp(facts->fields[field], mr_path_last_name(&fields->paths[field])) != 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "field %u of the model \"%.64s\" is \"%.64s\", and that of `fields` is "
                           "\"%s\": they must be the same, in the same order",
                           field + 1, facts->name, facts->fields[field], fields->texts[field]);
    return MR_OK;
}

/* The model of a document, the caller's; NULL with an error. */
static enum mr_status read_document(const struct mr_option_value *fields, struct mr_slice document,
                                    struct mr_sample_model **model, struct mr_error *error)
{
    enum mr_status status = mr_sample_model_read(document, model, error);
    if (status != MR_OK)
        return status;
    const struct mr_sample_facts *facts = mr_sample_model_facts(*model);
    if (mr_sample_model_copula(*model) == NULL)
        status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                         "the model \"%.64s\" is a %s, and models that are followed are copulas: "
                         "a source draws from it (generate.%s)",
                         facts->name, facts->type, facts->type);
    else if (facts->version == 0)
        status =
            MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                    "the model \"%.64s\" has the version 0, and the first one is 1", facts->name);
    else
        status = check_fields(fields, facts, error);
    if (status == MR_OK)
        return MR_OK;
    mr_sample_model_destroy(*model);
    *model = NULL;
    return status;
}

enum mr_status mr_followed_copula_check(const struct mr_options *options, struct mr_slice document,
                                        struct mr_followed_facts *facts, struct mr_error *error)
{
    struct mr_sample_model *model;
    int64_t most = mr_options_integer(options, "max_model_bytes");
    if (document.size > (uint64_t)most)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "the model has %zu bytes, above max_model_bytes, %lld", document.size,
                       (long long)most);
    enum mr_status status =
        read_document(mr_options_get(options, "fields"), document, &model, error);
    if (status != MR_OK)
        return status;
    facts->version = mr_sample_model_facts(model)->version;
    facts->rows = (uint64_t)mr_sample_model_facts(model)->rows;
    mr_sample_model_destroy(model);
    return MR_OK;
}

/* ---- Models ---- */

static void *work_create(const struct mr_options *options)
{
    struct mr_copula_work *work = mr_memory_new(1, sizeof(*work));
    mr_copula_work_create(work, columns_of(options));
    return work;
}

static void work_destroy(void *work)
{
    if (work != NULL)
        mr_copula_work_destroy(work);
    mr_memory_free(work);
}

static void *model_create(const struct mr_options *options)
{
    struct followed_model *model = mr_memory_new(1, sizeof(*model));
    model->fields = mr_options_get(options, "fields");
    return model;
}

static void begin(void *self, uint64_t seed)
{
    struct followed_model *model = self;
    (void)seed;
    mr_sample_model_destroy(model->read);
    model->read = NULL;
    model->own = NULL;
}

static void model_destroy(void *self)
{
    if (self != NULL)
        begin(self, 0);
    mr_memory_free(self);
}

static size_t bytes_max(const struct mr_options *options)
{
    return (size_t)mr_options_integer(options, "max_model_bytes");
}

static bool decode(void *self, struct mr_slice bytes)
{
    struct followed_model *model = self;
    struct mr_error error = {0};
    if (read_document(model->fields, bytes, &model->read, &error) != MR_OK)
        return false;
    model->own = mr_sample_model_copula(model->read);
    return true;
}

/* ---- Samplers ---- */

static void *sampler_create(const struct mr_options *options, uint32_t conditions_max)
{
    uint32_t columns_count = columns_of(options);
    struct followed_sampler *self = mr_memory_new(1, sizeof(*self));
    mr_copula_sampler_create(&self->sampler, columns_count, NULL, conditions_max);
    self->numbers = mr_memory_new((size_t)columns_count * MR_COPULA_SAMPLE_ROWS, sizeof(double));
    return self;
}

static void sampler_destroy(void *sampler)
{
    struct followed_sampler *self = sampler;
    if (self == NULL)
        return;
    mr_copula_sampler_destroy(&self->sampler);
    mr_memory_free(self->numbers);
    mr_memory_free(self);
}

static enum mr_status sampler_make(void *sampler, const void *model, void *work,
                                   struct mr_learned_conditions conditions, struct mr_error *error)
{
    struct followed_sampler *self = sampler;
    const struct mr_sample_copula *own = ((const struct followed_model *)model)->own;
    struct mr_copula_work *scratch = work;
    size_t count = own->latents_count;
    self->sampler.conditions = conditions.items;
    self->sampler.conditions_count = conditions.count;
    memcpy(scratch->matrix, own->correlations, count * count * sizeof(double));
    memcpy(self->sampler.latents, own->latents, count * sizeof(*own->latents));
    self->sampler.count = own->latents_count;
    return mr_copula_sampler_bind(&self->sampler, &own->model, scratch, error);
}

static enum mr_status bind(const void *model, const struct mr_sample_condition *condition,
                           struct mr_arena *arena, struct mr_copula_condition *bound,
                           struct mr_error *error)
{
    const struct mr_sample_copula *own = ((const struct followed_model *)model)->own;
    return mr_sample_copula_bind(condition, &own->model.columns[condition->field], arena, bound,
                                 error);
}

static double probability(const void *sampler)
{
    return mr_copula_sampler_probability(&((const struct followed_sampler *)sampler)->sampler);
}

static void draw(void *sampler, const void *model, uint64_t seed, uint64_t first,
                 uint32_t rows_count, struct mr_arena *arena, struct mr_value *const *columns)
{
    struct followed_sampler *self = sampler;
    const struct mr_copula *copula = &((const struct followed_model *)model)->own->model;
    mr_copula_sample(&self->sampler, copula, seed, first, rows_count, self->numbers);
    for (uint32_t column = 0; column < copula->shape.columns_count; column++)
        mr_copula_cells_kept(&copula->columns[column],
                             self->numbers + (size_t)column * MR_COPULA_SAMPLE_ROWS, first,
                             rows_count, arena, columns[column]);
}

static size_t memory(const struct mr_options *options, uint32_t conditions_max)
{
    size_t columns = columns_of(options);
    size_t column_bytes = sizeof(struct mr_copula_column) + 2 * sizeof(struct mr_copula_latent);
    size_t model = columns * (column_bytes + 8 * 7 * columns);
    size_t sampler = 8 * (4 * columns * columns + 5 * columns * MR_COPULA_SAMPLE_ROWS);
    return sizeof(struct mr_sample_copula) + sizeof(struct followed_sampler) + model + sampler +
           (conditions_max > 0 ? sizeof(struct mr_copula_boxes) : 0);
}

const struct mr_learned_kind mr_followed_copula_kind = {
    .type = "generate.model",
    .table = mr_followed_table,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .model_create = model_create,
    .model_destroy = model_destroy,
    .begin = begin,
    .bytes_max = bytes_max,
    .decode = decode,
    .sampler_create = sampler_create,
    .sampler_destroy = sampler_destroy,
    .sampler_make = sampler_make,
    .bind = bind,
    .probability = probability,
    .draw = draw,
    .memory = memory,
};
