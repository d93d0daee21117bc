/* operators/copula_kind.c — see copula_kind.h. */
#include "operators/copula_kind.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/copula_sampler.h"
#include "operators/copula_window.h"
#include "operators/sample_model_copula.h"

enum { VERSION = 1, HEAD_BYTES = 48, COLUMN_BYTES = 16, NS_PER_MS = 1000000 };

_Static_assert(MR_LEARNED_DRAW_MAX == (int)MR_COPULA_SAMPLE_ROWS,
               "rows of a call are drawn at once");

/* The copula comes first: who follows the model sees a struct mr_copula. */
struct copula_model {
    struct mr_copula whole;
    struct mr_copula_window window; /* panes NULL: none */
    struct mr_copula_work scratch;  /* of a window: its sums alone */
    struct mr_copula_window_bounds bounds;
    struct mr_copula_privacy privacy;
    struct mr_copula_copies copies; /* capacity 0: none */
    uint64_t refits;
    int64_t refit_ms;
};

/* A sampler, and the numbers of the rows that it draws. */
struct copula_sampler {
    struct mr_copula_sampler sampler;
    double *numbers;
    uint64_t refused; /* rows of the last drawing */
};

const char mr_copula_table[] = "copula";

static struct mr_copula_shape shape_of(const struct mr_options *options)
{
    return (struct mr_copula_shape){
        .columns_count = mr_options_get(options, "fields")->count,
        .reservoir_rows = (uint32_t)mr_options_integer(options, "reservoir"),
        .seed = (uint64_t)mr_options_integer(options, "seed"),
    };
}

/* ---- The window ---- */

static bool has_window(const struct mr_copula_window_bounds *bounds)
{
    return bounds->pane_rows > 0 || bounds->pane_ms > 0;
}

/* Panes of whole blocks: as many as `learn_batch` asks for at least. */
struct mr_copula_window_bounds mr_copula_window_bounds(const struct mr_options *options)
{
    struct mr_copula_window_bounds bounds = {
        .block_rows = (uint32_t)mr_options_integer(options, "learn_batch")};
    const struct mr_option_value *given = mr_options_get(options, "learn_window");
    if (!given->present)
        return bounds;
    const struct mr_options *window = given->objects;
    if (mr_options_present(window, "sliding")) {
        bounds.pane_ms = mr_options_integer(window, "sliding") / MR_COPULA_PANES;
        return bounds;
    }
    bounds.pane_rows = (uint64_t)mr_options_integer(window, "count") / MR_COPULA_PANES;
    uint64_t blocks = (bounds.pane_rows + bounds.block_rows - 1) / bounds.block_rows;
    bounds.block_rows = (uint32_t)(bounds.pane_rows / blocks);
    return bounds;
}

enum mr_status mr_copula_window_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    const struct mr_option_value *given = mr_options_get(options, "learn_window");
    *option = "learn_window";
    if (!given->present)
        return MR_OK;
    const struct mr_options *window = given->objects;
    bool by_count = mr_options_present(window, "count");
    if (by_count == mr_options_present(window, "sliding"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a window of records or one of event time is wanted: say {count: 10000} or "
                       "{sliding: 10m}");
    if (mr_options_get(options, "weight")->given || mr_options_get(options, "half_life")->given)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`learn_window` forgets what has left it; `weight` and `half_life` say how "
                       "fast records fade: give one of the three");
    int64_t least = by_count ? mr_options_integer(window, "count") : 0;
    least -= least / MR_COPULA_PANES;
    if (by_count && mr_options_integer(options, "min_records") > least)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a window of so many records stands on %lld of them at least, fewer than "
                       "`min_records`: nothing would be made; make the window larger",
                       (long long)least);
    return MR_OK;
}

const struct mr_option_spec mr_copula_window_options[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 80,
     .maximum = 1e12,
     .help = "Of records: the newest so many, less at most an eighth of them."},
    {.name = "sliding",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 80,
     .maximum = 366.0 * 86400e3,
     .help = "Of event time: what is not older than this, less at most an eighth of it. A record "
             "that comes later than that is not learned, which is counted (`late`); it makes its "
             "`ratio` of records all the same."},
    {.name = NULL},
};

/* ---- Privacy ---- */

static struct mr_copula_privacy privacy_of(const struct mr_options *options)
{
    const struct mr_option_value *given = mr_options_get(options, "privacy");
    if (!given->present)
        return (struct mr_copula_privacy){0};
    const struct mr_options *privacy = given->objects;
    return (struct mr_copula_privacy){
        .is_on = true,
        .rare_below = (double)mr_options_integer(privacy, "rare_below"),
        .clip = mr_options_number(privacy, "clip"),
        .no_copies = (uint32_t)mr_options_integer(privacy, "no_copies"),
        .distance = mr_options_number(privacy, "distance"),
        .redraws = (uint32_t)mr_options_integer(privacy, "redraws"),
    };
}

const struct mr_option_spec mr_copula_privacy_options[] = {
    {.name = "rare_below",
     .type = MR_OPTION_INTEGER,
     .default_text = "5",
     .minimum = 0,
     .maximum = 1e6,
     .help = "A text, or a boolean, of fewer records than this is never made; nor is a number "
             "that is beyond all but so many."},
    {.name = "clip",
     .type = MR_OPTION_SHARE,
     .default_text = "0.001",
     .minimum = 0,
     .maximum = 0.25,
     .help = "Numbers, dates and times are made between the quantiles of this share and of 1 less "
             "it; what is beyond lies on them."},
    {.name = "no_copies",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "10000",
     .minimum = 0,
     .maximum = MR_COPULA_COPIES_MAX,
     .help = "No record is made that equals one of the newest so many of the key that were learned "
             "in all fields but identifiers; 0: not asked."},
    {.name = "distance",
     .type = MR_OPTION_SHARE,
     .default_text = "0",
     .minimum = 0,
     .maximum = 0.5,
     .help = "No record is made that is closer to one of the `reservoir` than this share of these "
             "are to their closest other one; 0.05 is usual, 0: not asked."},
    {.name = "redraws",
     .type = MR_OPTION_INTEGER,
     .default_text = "10",
     .minimum = 1,
     .maximum = 100,
     .help = "How often a record that may not be made is drawn anew; then it is left out, which "
             "the state counts (`refused`)."},
    {.name = NULL},
};

/* ---- Models ---- */

static void *work_create(const struct mr_options *options)
{
    struct mr_copula_work *work = mr_memory_new(1, sizeof(*work));
    mr_copula_work_create(work, shape_of(options).columns_count);
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
    struct mr_copula_shape shape = shape_of(options);
    struct copula_model *model = mr_memory_new(1, sizeof(*model));
    mr_copula_create(&model->whole, &shape);
    model->bounds = mr_copula_window_bounds(options);
    if (has_window(&model->bounds)) {
        mr_copula_window_create(&model->window, &shape);
        model->scratch.sums =
            mr_memory_new((size_t)shape.columns_count * MR_COPULA_TEXTS_MAX, sizeof(double));
    }
    model->privacy = privacy_of(options);
    if (model->privacy.no_copies > 0)
        mr_copula_copies_create(&model->copies, model->privacy.no_copies);
    model->refit_ms = INT64_MIN;
    return model;
}

static void model_destroy(void *self)
{
    struct copula_model *model = self;
    if (model == NULL)
        return;
    mr_copula_window_destroy(&model->window);
    mr_copula_work_destroy(&model->scratch);
    mr_copula_copies_destroy(&model->copies);
    mr_copula_destroy(&model->whole);
    mr_memory_free(model);
}

static void begin(void *self, uint64_t seed)
{
    struct copula_model *model = self;
    model->whole.shape.seed = seed;
    model->refits = 0;
    model->refit_ms = INT64_MIN;
    mr_copula_clear(&model->whole);
    if (model->copies.capacity > 0)
        mr_copula_copies_clear(&model->copies);
    if (has_window(&model->bounds))
        mr_copula_window_clear(&model->window, &model->whole.shape);
}

/* Open the pane that the block belongs to, if it is not the newest one. */
static void turn_window(struct copula_model *model, struct mr_copula_work *work,
                        const struct mr_learned_block *block)
{
    struct mr_copula_window *window = &model->window;
    const struct mr_copula *pane = mr_copula_window_pane(window);
    int64_t number = pane == NULL ? 0 : window->newest;
    if (model->bounds.pane_ms > 0)
        number = mr_learned_pane(block->latest_ms, model->bounds.pane_ms);
    else if (pane != NULL && pane->rows + block->rows_count > model->bounds.pane_rows)
        number++;
    if (pane == NULL || number > window->newest)
        mr_copula_window_open(window, &model->whole, work, number);
}

/* Remember the rows of the block that was learned last. */
static void note_rows(struct copula_model *model, const struct mr_copula_work *work,
                      uint32_t rows_count)
{
    const struct mr_copula *whole = &model->whole;
    uint32_t hash;
    for (uint32_t row = 0; row < rows_count; row++)
        if (mr_copula_row_hash(whole->columns, whole->shape.columns_count, work->numbers + row,
                               MR_COPULA_BLOCK_MAX, &hash))
            mr_copula_copies_add(&model->copies, hash);
}

static void learn(void *self, void *work, const struct mr_learned_block *block)
{
    struct copula_model *model = self;
    bool is_refit = false;
    if (!has_window(&model->bounds)) {
        is_refit =
            mr_copula_learn(&model->whole, work, block->cells, block->rows_count, block->decay);
    } else {
        turn_window(model, work, block);
        if (block->rows_count > 0)
            is_refit = mr_copula_window_learn(&model->window, &model->whole, work, block->cells,
                                              block->rows_count);
    }
    if (model->copies.capacity > 0)
        note_rows(model, work, block->rows_count);
    if (!is_refit)
        return;
    model->refits++;
    model->refit_ms = block->latest_ms;
}

static uint64_t rows(const void *self)
{
    return ((const struct copula_model *)self)->whole.rows;
}

/* ---- Bytes ---- */

static size_t head_bytes(uint32_t columns_count)
{
    return HEAD_BYTES + (size_t)columns_count * COLUMN_BYTES;
}

static size_t copies_bytes(uint32_t capacity)
{
    return capacity > 0 ? mr_copula_copies_bytes(capacity) : 0;
}

static size_t bytes_max(const struct mr_options *options)
{
    struct mr_copula_shape shape = shape_of(options);
    struct mr_copula_window_bounds bounds = mr_copula_window_bounds(options);
    return head_bytes(shape.columns_count) + copies_bytes(privacy_of(options).no_copies) +
           (has_window(&bounds) ? mr_copula_window_bytes(&shape) : mr_copula_bytes_max(&shape));
}

static void encode_head(const struct copula_model *model, uint8_t *output)
{
    const struct mr_copula *whole = &model->whole;
    uint32_t columns_count = whole->shape.columns_count;
    output[0] = VERSION;
    output[1] = has_window(&model->bounds);
    mr_put_u16le(output + 2, (uint16_t)columns_count);
    mr_put_u32le(output + 4, model->copies.capacity);
    mr_put_u64le(output + 8, model->refits);
    mr_put_u64le(output + 16, (uint64_t)model->refit_ms);
    mr_put_u64le(output + 24, whole->rows);
    mr_put_double_le(output + 32, whole->weight);
    mr_put_double_le(output + 40, mr_copula_effective_rows(whole));
    for (uint32_t column = 0; column < columns_count; column++) {
        double share = whole->weight > 0 ? whole->columns[column].missing / whole->weight : 0;
        uint8_t *at = output + HEAD_BYTES + (size_t)column * COLUMN_BYTES;
        mr_put_double_le(at, mr_copula_drift(whole, column));
        mr_put_double_le(at + 8, share);
    }
}

static size_t encode(const void *self, uint8_t *output)
{
    const struct copula_model *model = self;
    const struct mr_copula *whole = &model->whole;
    size_t head = head_bytes(whole->shape.columns_count);
    bool is_window = has_window(&model->bounds);
    encode_head(model, output);
    if (model->copies.capacity > 0)
        mr_copula_copies_encode(&model->copies, output + head);
    head += copies_bytes(model->copies.capacity);
    if (!is_window)
        return head + mr_copula_encode(whole, output + head);
    mr_copula_window_encode(&model->window, output + head);
    return head + mr_copula_window_bytes(&whole->shape);
}

static bool decode(void *self, struct mr_slice bytes)
{
    struct copula_model *model = self;
    struct mr_copula *whole = &model->whole;
    size_t head = head_bytes(whole->shape.columns_count);
    bool is_window = has_window(&model->bounds);
    size_t copies = copies_bytes(model->copies.capacity);
    if (bytes.size < head + copies || bytes.data[0] != VERSION || bytes.data[1] != is_window ||
        mr_get_u16le(bytes.data + 2) != whole->shape.columns_count ||
        mr_get_u32le(bytes.data + 4) != model->copies.capacity ||
        (copies > 0 && !mr_copula_copies_decode(&model->copies, bytes.data + head)))
        return false;
    head += copies;
    model->refits = mr_get_u64le(bytes.data + 8);
    model->refit_ms = (int64_t)mr_get_u64le(bytes.data + 16);
    struct mr_slice rest = mr_slice_from(bytes.data + head, bytes.size - head);
    return is_window ? mr_copula_window_decode(&model->window, whole, &model->scratch, rest)
                     : mr_copula_decode(whole, rest);
}

/* ---- Samplers ---- */

static void *sampler_create(const struct mr_options *options, uint32_t conditions_max)
{
    uint32_t columns_count = shape_of(options).columns_count;
    struct copula_sampler *self = mr_memory_new(1, sizeof(*self));
    mr_copula_sampler_create(&self->sampler, columns_count, NULL, conditions_max);
    self->numbers = mr_memory_new((size_t)columns_count * MR_COPULA_SAMPLE_ROWS, sizeof(double));
    struct mr_copula_privacy privacy = privacy_of(options);
    if (privacy.is_on)
        mr_copula_sampler_guard(&self->sampler, &privacy);
    return self;
}

static void sampler_destroy(void *sampler)
{
    struct copula_sampler *self = sampler;
    if (self == NULL)
        return;
    mr_copula_sampler_destroy(&self->sampler);
    mr_memory_free(self->numbers);
    mr_memory_free(self);
}

static enum mr_status sampler_make(void *sampler, const void *model, void *work,
                                   struct mr_learned_conditions conditions, struct mr_error *error)
{
    struct copula_sampler *self = sampler;
    self->sampler.conditions = conditions.items;
    self->sampler.conditions_count = conditions.count;
    const struct copula_model *own = model;
    if (self->sampler.guard != NULL)
        self->sampler.guard->copies = own->copies.capacity > 0 ? &own->copies : NULL;
    return mr_copula_sampler_make(&self->sampler, &own->whole, work, error);
}

static enum mr_status bind(const void *model, const struct mr_sample_condition *condition,
                           struct mr_arena *arena, struct mr_copula_condition *bound,
                           struct mr_error *error)
{
    const struct mr_copula *copula = &((const struct copula_model *)model)->whole;
    return mr_sample_copula_bind(condition, &copula->columns[condition->field], arena, bound,
                                 error);
}

static double probability(const void *sampler)
{
    return mr_copula_sampler_probability(&((const struct copula_sampler *)sampler)->sampler);
}

static void draw(void *sampler, const void *model, uint64_t seed, uint64_t first,
                 uint32_t rows_count, struct mr_arena *arena, struct mr_value *const *columns)
{
    struct copula_sampler *self = sampler;
    const struct mr_copula *copula = &((const struct copula_model *)model)->whole;
    const struct mr_copula_column *made = mr_copula_sampler_columns(&self->sampler, copula);
    self->refused =
        mr_copula_sample_guarded(&self->sampler, copula, seed, first, rows_count, self->numbers);
    for (uint32_t column = 0; column < copula->shape.columns_count; column++) {
        const double *numbers = self->numbers + (size_t)column * MR_COPULA_SAMPLE_ROWS;
        bool is_borrowed = made[column].kind == MR_COPULA_TEXT;
        for (uint32_t row = 0; row < rows_count; row++) {
            struct mr_value cell = mr_copula_cell(&made[column], numbers[row], first + row, arena);
            if (is_borrowed && cell.kind == MR_KIND_STRING)
                cell = mr_value_string(mr_arena_copy(arena, mr_value_text(cell)));
            columns[column][row] = cell;
        }
    }
}

static uint64_t refused(const void *sampler)
{
    return ((const struct copula_sampler *)sampler)->refused;
}

static uint64_t redrawn(const void *sampler)
{
    return ((const struct copula_sampler *)sampler)->sampler.redrawn;
}

enum mr_status mr_copula_kind_document(const struct mr_copula *model,
                                       const struct mr_copula_privacy *given,
                                       struct mr_copula_work *work, const char *name,
                                       uint64_t version, const char *const *fields,
                                       struct mr_buffer *output, struct mr_error *error)
{
    uint32_t columns_count = model->shape.columns_count;
    if (!given->is_on)
        return mr_sample_copula_write(model, work, name, version, fields, output, error);
    struct mr_copula_privacy privacy = *given;
    struct mr_copula_guard guard;
    struct mr_copula view = *model;
    struct mr_copula_latent latents[2 * MR_COPULA_COLUMNS_MAX];
    privacy.distance = 0; /* judges rows */
    mr_copula_guard_create(&guard, &privacy, columns_count, 1);
    mr_copula_guard_make(&guard, model);
    mr_copula_guard_strip(&guard);
    memcpy(latents, view.latents, 2 * columns_count * sizeof(*latents));
    for (uint32_t column = 0; column < columns_count; column++)
        if (!(guard.columns[column].map.variance > 1e-9))
            latents[column].is_active = false;
    view.columns = guard.columns;
    view.latents = latents;
    enum mr_status status =
        mr_sample_copula_write(&view, work, name, version, fields, output, error);
    mr_copula_guard_destroy(&guard);
    return status;
}

static enum mr_status document(const void *model, void *work, const char *name, uint64_t version,
                               const char *const *fields, struct mr_buffer *output,
                               struct mr_error *error)
{
    const struct copula_model *own = model;
    return mr_copula_kind_document(&own->whole, &own->privacy, work, name, version, fields, output,
                                   error);
}

static size_t memory(const struct mr_options *options, uint32_t conditions_max)
{
    struct mr_copula_shape shape = shape_of(options);
    struct mr_copula_window_bounds bounds = mr_copula_window_bounds(options);
    struct mr_copula_privacy privacy = privacy_of(options);
    size_t columns = shape.columns_count;
    size_t rows_bytes = 8 * (size_t)shape.reservoir_rows * (columns + 2);
    size_t column_bytes = sizeof(struct mr_copula_column) + 2 * sizeof(struct mr_copula_latent);
    size_t model = columns * (column_bytes + 8 * 3 * columns) + rows_bytes;
    size_t panes = MR_COPULA_PANES * columns * (column_bytes + 8 * 3 * columns) + rows_bytes;
    size_t sampler = 8 * (4 * columns * columns + 5 * columns * MR_COPULA_SAMPLE_ROWS);
    size_t guard = columns * (sizeof(struct mr_copula_column) + 8 * MR_COPULA_SAMPLE_ROWS);
    return sizeof(struct copula_model) + sizeof(struct copula_sampler) + model + sampler +
           (has_window(&bounds) ? panes + MR_COPULA_PANES * sizeof(struct mr_copula) : 0) +
           (privacy.is_on ? guard + 12 * (size_t)privacy.no_copies : 0) +
           (conditions_max > 0 ? sizeof(struct mr_copula_boxes) : 0);
}

/* ---- Description ---- */

/* Bytes from first on of the model in the object's slots, as far as they are in one slot or two. */
static enum mr_status read_model(const struct mr_state_object *object, struct mr_arena *arena,
                                 size_t size, uint8_t **bytes, struct mr_error *error)
{
    *bytes = mr_arena_take(arena, size + MR_LEARNED_SLOT_BYTES);
    for (size_t done = 0; done < size; done += MR_LEARNED_SLOT_BYTES) {
        struct mr_slice slot;
        uint32_t index = MR_LEARNED_PENDING_SLOTS + (uint32_t)(done / MR_LEARNED_SLOT_BYTES);
        enum mr_status status = mr_state_query_slot(object, index, &slot, error);
        if (status != MR_OK)
            return status;
        if (slot.size > MR_LEARNED_SLOT_BYTES)
            return mr_operator_not_described(error);
        memcpy(*bytes + done, slot.data, slot.size);
    }
    return MR_OK;
}

static struct mr_map_entry member(const char *name, struct mr_value value)
{
    return (struct mr_map_entry){.key = mr_value_string(mr_slice_text(name)), .value = value};
}

static struct mr_value time_value(int64_t time_ms)
{
    struct mr_value value = {.kind = MR_KIND_TIMESTAMP};
    bool is_far = __builtin_mul_overflow(time_ms, (int64_t)NS_PER_MS, &value.integer);
    return is_far ? mr_value_int(time_ms) : value;
}

/* By field: a number of each column. */
static struct mr_value by_field(const uint8_t *head, uint32_t columns_count, size_t offset,
                                const char *const *fields, struct mr_arena *arena)
{
    struct mr_map_entry *entries = mr_arena_take(arena, columns_count * sizeof(*entries));
    for (uint32_t column = 0; column < columns_count; column++) {
        const uint8_t *at = head + HEAD_BYTES + (size_t)column * COLUMN_BYTES + offset;
        entries[column] = member(fields[column], mr_value_double(mr_get_double_le(at)));
    }
    return (struct mr_value){.kind = MR_KIND_MAP, .size = columns_count, .entries = entries};
}

static struct mr_value describe_head(const uint8_t *head, uint32_t columns_count,
                                     const char *const *fields, struct mr_arena *arena)
{
    enum { MEMBERS = 6 };
    struct mr_map_entry *entries = mr_arena_take(arena, MEMBERS * sizeof(*entries));
    uint64_t refits = mr_get_u64le(head + 8);
    int64_t refit_ms = (int64_t)mr_get_u64le(head + 16);
    entries[0] = member("rows", mr_value_uint(mr_get_u64le(head + 24)));
    entries[1] = member("effective_rows", mr_value_double(mr_get_double_le(head + 40)));
    entries[2] = member("refits", mr_value_uint(refits));
    entries[3] = member("last_refit", refits == 0 ? mr_value_null() : time_value(refit_ms));
    entries[4] = member("drift", by_field(head, columns_count, 0, fields, arena));
    entries[5] = member("missing", by_field(head, columns_count, 8, fields, arena));
    return (struct mr_value){.kind = MR_KIND_MAP, .size = MEMBERS, .entries = entries};
}

static struct mr_value statistics(const void *model, const char *const *fields,
                                  struct mr_arena *arena)
{
    uint32_t columns_count = ((const struct copula_model *)model)->whole.shape.columns_count;
    uint8_t head[HEAD_BYTES + MR_COPULA_COLUMNS_MAX * COLUMN_BYTES];
    encode_head(model, head);
    return describe_head(head, columns_count, fields, arena);
}

enum mr_status mr_copula_kind_describe(const struct mr_state_object *object, uint32_t bytes,
                                       struct mr_arena *arena,
                                       struct mr_state_description *description,
                                       struct mr_error *error)
{
    uint32_t columns_count = mr_options_get(&description->node->options, "fields")->count;
    uint8_t *head;
    if (bytes < head_bytes(columns_count))
        return MR_OK; /* nothing was learned yet */
    enum mr_status status = read_model(object, arena, head_bytes(columns_count), &head, error);
    if (status != MR_OK)
        return status;
    if (head[0] != VERSION || mr_get_u16le(head + 2) != columns_count)
        return mr_operator_not_described(error);
    const char *const *fields = mr_options_get(&description->node->options, "fields")->texts;
    mr_describe_member(description, "model", describe_head(head, columns_count, fields, arena));
    return MR_OK;
}

const struct mr_learned_kind mr_copula_kind = {
    .type = "generate.copula",
    .table = mr_copula_table,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .model_create = model_create,
    .model_destroy = model_destroy,
    .begin = begin,
    .learn = learn,
    .rows = rows,
    .bytes_max = bytes_max,
    .encode = encode,
    .decode = decode,
    .sampler_create = sampler_create,
    .sampler_destroy = sampler_destroy,
    .sampler_make = sampler_make,
    .bind = bind,
    .probability = probability,
    .draw = draw,
    .refused = refused,
    .redrawn = redrawn,
    .statistics = statistics,
    .document = document,
    .memory = memory,
};
