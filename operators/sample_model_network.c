/* operators/sample_model_network.c — see sample_model_network.h.
 * Design: an array's size follows from what was read before it, and is compared with its text
 * before memory is taken for it. What normalises a layer's outputs is multiplied into its weights
 * here, once, in double precision. */
#include "operators/sample_model_network.h"

#include <inttypes.h>
#include <math.h>

#include "base/assert.h"
#include "base/endian.h"
#include "record/scalar.h"

#define NUMBER_MAX 1e140

enum {
    CATEGORIES_MAX = 4096,
    VALUE_BYTES_MAX = 1024,
    KIND_BYTES_MAX = 64,
    SCRATCH_BYTES = 1 << 16,
    WHOLE_BITS = 53
};

/* An array as it stands in a document. */
struct floats {
    const uint8_t *bytes; /* NULL: there is none; all are the same number */
    float same;
};

/* Numbers by which a layer's outputs are normalised. */
struct normalisation {
    struct floats mean;
    struct floats variance;
    struct floats scale;
    struct floats shift;
    double epsilon;
};

/* ---- Arrays ---- */

static float float_at(const struct floats *floats, size_t index)
{
    float number;
    if (floats->bytes == NULL)
        return floats->same;
    uint32_t bits = mr_get_u32le(floats->bytes + index * sizeof(bits));
    memcpy(&number, &bits, sizeof(number));
    return number;
}

static struct floats read_floats(struct mr_document *document,
                                 const struct mr_document_place *place, const char *name,
                                 size_t count, struct mr_arena *scratch)
{
    static const struct mr_type bytes_type = {.code = MR_TYPE_BYTES};
    struct mr_document_place member = mr_document_member(document, place, name);
    struct mr_slice text = mr_document_text(document, place, name, MR_SAMPLE_DOCUMENT_BYTES_MAX);
    size_t bytes = count * sizeof(float);
    struct floats floats = {0};
    if (document->status != MR_OK)
        return floats;
    if (text.size != (bytes + 2) / 3 * 4) {
        mr_document_fail(document, &member,
                         "%zu numbers of 4 bytes are %zu characters of base64, and it has %zu",
                         count, (bytes + 2) / 3 * 4, text.size);
        return floats;
    }
    struct mr_value value = mr_scalar_from_string(scratch, text, &bytes_type);
    if (value.kind != MR_KIND_BYTES || value.size != bytes) {
        mr_document_fail(document, &member, "it is no base64 of %zu numbers of 4 bytes", count);
        return floats;
    }
    floats.bytes = value.text;
    for (size_t at = 0; at < count; at++) {
        float number = float_at(&floats, at);
        if (!(fabsf(number) <= MR_NETWORK_WEIGHT_MAX)) {
            mr_document_fail(document, &member, "number %zu is %g, not within +-%g", at,
                             (double)number, (double)MR_NETWORK_WEIGHT_MAX);
            return (struct floats){0};
        }
    }
    return floats;
}

/* ---- Layers ---- */

static void read_normalisation(struct mr_document *document, const struct mr_document_place *layer,
                               uint32_t outputs, struct mr_arena *scratch,
                               struct normalisation *normalisation)
{
    static const char *const names[] = {"mean", "variance", "scale", "shift", "epsilon"};
    *normalisation = (struct normalisation){.variance.same = 1, .scale.same = 1};
    if (!mr_document_has(layer, "normalisation"))
        return;
    struct mr_document_place place = mr_document_member(document, layer, "normalisation");
    mr_document_only(document, &place, names, MR_ARRAY_COUNT(names));
    normalisation->epsilon = mr_document_number(document, &place, "epsilon", 0, 1);
    normalisation->mean = read_floats(document, &place, "mean", outputs, scratch);
    normalisation->variance = read_floats(document, &place, "variance", outputs, scratch);
    normalisation->scale = read_floats(document, &place, "scale", outputs, scratch);
    normalisation->shift = read_floats(document, &place, "shift", outputs, scratch);
    for (uint32_t at = 0; at < outputs && document->status == MR_OK; at++)
        if (!((double)float_at(&normalisation->variance, at) + normalisation->epsilon > 0) ||
            float_at(&normalisation->variance, at) < 0)
            mr_document_fail(document, &place,
                             "variance %" PRIu32 " is %g: with epsilon it must be above 0", at,
                             (double)float_at(&normalisation->variance, at));
}

static float checked(struct mr_document *document, const struct mr_document_place *place,
                     double number)
{
    if (fabs(number) <= (double)MR_NETWORK_WEIGHT_MAX)
        return (float)number;
    mr_document_fail(document, place, "a normalised weight is %g, not within +-%g", number,
                     (double)MR_NETWORK_WEIGHT_MAX);
    return 0;
}

/* Weights and bias with the normalisation multiplied in. */
static void fill_layer(struct mr_document *document, const struct mr_document_place *place,
                       const struct floats *weights, const struct floats *bias,
                       const struct normalisation *normalisation, struct mr_network_layer *layer)
{
    for (uint32_t output = 0; output < layer->outputs && document->status == MR_OK; output++) {
        double scale =
            (double)float_at(&normalisation->scale, output) /
            sqrt((double)float_at(&normalisation->variance, output) + normalisation->epsilon);
        double moved =
            (double)float_at(bias, output) - (double)float_at(&normalisation->mean, output);
        layer->bias[output] = checked(
            document, place, moved * scale + (double)float_at(&normalisation->shift, output));
        for (uint32_t input = 0; input < layer->inputs; input++)
            *mr_network_layer_weight(layer, input, output) =
                checked(document, place,
                        (double)float_at(weights, (size_t)input * layer->outputs + output) * scale);
    }
}

static void read_layer(struct mr_document *document, const struct mr_document_place *place,
                       uint32_t inputs, uint32_t outputs, struct mr_arena *arena,
                       struct mr_network_layer *layer)
{
    struct mr_arena scratch;
    struct normalisation normalisation;
    mr_arena_init(&scratch, SCRATCH_BYTES);
    struct floats weights =
        read_floats(document, place, "weights", (size_t)inputs * outputs, &scratch);
    struct floats bias = read_floats(document, place, "bias", outputs, &scratch);
    read_normalisation(document, place, outputs, &scratch, &normalisation);
    if (document->status == MR_OK) {
        mr_network_layer_create(layer, inputs, outputs, arena);
        fill_layer(document, place, &weights, &bias, &normalisation, layer);
    }
    mr_arena_deinit(&scratch);
}

static void read_layers(struct mr_document *document, const struct mr_document_place *root,
                        uint32_t outputs, struct mr_arena *arena, struct mr_network_layers *layers)
{
    static const char *const hidden_names[] = {"outputs", "weights", "bias", "normalisation"};
    static const char *const output_names[] = {"weights", "bias"};
    layers->latents =
        (uint32_t)mr_document_count(document, root, "latents", MR_NETWORK_LATENTS_MAX);
    if (layers->latents == 0)
        mr_document_fail(document, root, "latents is 0: there must be at least one");
    struct mr_document_place list =
        mr_document_list(document, root, "hidden", MR_NETWORK_HIDDEN_MAX);
    uint32_t inputs = layers->latents + layers->conditions;
    for (uint32_t at = 0; at < list.value.size && document->status == MR_OK; at++) {
        struct mr_document_place place = mr_document_item(&list, at);
        mr_document_only(document, &place, hidden_names, MR_ARRAY_COUNT(hidden_names));
        uint32_t own =
            (uint32_t)mr_document_count(document, &place, "outputs", MR_NETWORK_OUTPUTS_MAX);
        if (own == 0)
            mr_document_fail(document, &place, "a layer has at least one output");
        if (document->status == MR_OK)
            read_layer(document, &place, inputs, own, arena, &layers->layers[at]);
        inputs += own;
        layers->hidden_count++;
    }
    struct mr_document_place last = mr_document_member(document, root, "output");
    mr_document_only(document, &last, output_names, MR_ARRAY_COUNT(output_names));
    if (document->status == MR_OK)
        read_layer(document, &last, inputs, outputs, arena, &layers->layers[layers->hidden_count]);
}

/* ---- Fields ---- */

static void read_modes(struct mr_document *document, const struct mr_document_place *place,
                       struct mr_arena *arena, struct mr_network_field *field)
{
    static const char *const names[] = {"name", "kind", "modes", "decimals"};
    mr_document_only(document, place, names, MR_ARRAY_COUNT(names));
    if (mr_document_has(place, "decimals")) {
        uint64_t decimals = mr_document_count(document, place, "decimals", MR_NETWORK_DECIMALS_MAX);
        field->power_of_ten = 1;
        for (uint64_t at = 0; at < decimals; at++)
            field->power_of_ten *= 10;
    }
    struct mr_document_place list =
        mr_document_list(document, place, "modes", MR_NETWORK_MODES_MAX);
    field->count = list.value.size;
    field->modes = mr_arena_new(arena, field->count, sizeof(*field->modes));
    if (field->count == 0)
        mr_document_fail(document, &list, "there is none");
    for (uint32_t at = 0; at < field->count; at++) {
        struct mr_document_place mode = mr_document_item(&list, at);
        if (mode.value.kind != MR_KIND_LIST || mode.value.size != 2) {
            mr_document_fail(document, &mode, "a mode is [mean, deviation]");
            return;
        }
        field->modes[at].mean =
            mr_document_item_number(document, &mode, 0, -NUMBER_MAX, NUMBER_MAX);
        field->modes[at].deviation = mr_document_item_number(document, &mode, 1, 0, NUMBER_MAX);
    }
}

static struct mr_value read_value(struct mr_document *document,
                                  const struct mr_document_place *place, struct mr_arena *arena)
{
    struct mr_document_place member = mr_document_member(document, place, "value");
    double number;
    if (member.value.kind == MR_KIND_STRING)
        return mr_value_copy(
            arena, mr_value_string(mr_document_text(document, place, "value", VALUE_BYTES_MAX)));
    if (member.value.kind == MR_KIND_BOOL || member.value.kind == MR_KIND_NULL)
        return member.value;
    if (!mr_value_as_double(member.value, &number) || !isfinite(number))
        mr_document_fail(document, &member, "a text, a number, true, false or null is wanted");
    else if (fabs(number) < ldexp(1, WHOLE_BITS) && number == floor(number))
        return mr_value_int((int64_t)number);
    else
        return mr_value_double(number);
    return mr_value_null();
}

static void read_categories(struct mr_document *document, const struct mr_document_place *place,
                            struct mr_arena *arena, struct mr_network_field *field)
{
    static const char *const names[] = {"name", "kind", "categories"};
    static const char *const category_names[] = {"value", "weight"};
    double sum = 0;
    mr_document_only(document, place, names, MR_ARRAY_COUNT(names));
    struct mr_document_place list = mr_document_list(document, place, "categories", CATEGORIES_MAX);
    field->is_category = true;
    field->count = list.value.size;
    field->values = mr_arena_new(arena, field->count, sizeof(*field->values));
    field->shares = mr_arena_new(arena, field->count, sizeof(*field->shares));
    if (field->count == 0)
        mr_document_fail(document, &list, "there is none");
    for (uint32_t at = 0; at < field->count && document->status == MR_OK; at++) {
        struct mr_document_place category = mr_document_item(&list, at);
        mr_document_only(document, &category, category_names, MR_ARRAY_COUNT(category_names));
        field->values[at] = read_value(document, &category, arena);
        field->shares[at] = mr_document_number(document, &category, "weight", 1e-18, 1e18);
        sum += field->shares[at];
        for (uint32_t earlier = 0; earlier < at; earlier++)
            if (mr_value_equal(field->values[earlier], field->values[at]))
                mr_document_fail(document, &category, "it has the value of category %" PRIu32,
                                 earlier);
    }
    for (uint32_t at = 0; at < field->count; at++)
        field->shares[at] /= sum;
}

static void read_field(struct mr_document *document, const struct mr_document_place *place,
                       struct mr_arena *arena, struct mr_network_field *field)
{
    struct mr_document_place member = mr_document_member(document, place, "kind");
    struct mr_slice kind = mr_document_text(document, place, "kind", KIND_BYTES_MAX);
    if (mr_slice_equal(kind, mr_slice_text("number")))
        read_modes(document, place, arena, field);
    else if (mr_slice_equal(kind, mr_slice_text("category")))
        read_categories(document, place, arena, field);
    else
        mr_document_fail(document, &member, "\"%.*s\" is neither number nor category",
                         (int)kind.size, (const char *)kind.data);
}

static uint32_t read_fields(struct mr_document *document, const struct mr_document_place *root,
                            const struct mr_sample_facts *facts, struct mr_arena *arena,
                            struct mr_network *network)
{
    uint32_t outputs = 0;
    struct mr_document_place list =
        mr_document_list(document, root, "fields", MR_SAMPLE_FIELDS_MAX);
    network->fields_count = facts->fields_count;
    network->fields = mr_arena_new(arena, facts->fields_count, sizeof(*network->fields));
    for (uint32_t at = 0; at < facts->fields_count && document->status == MR_OK; at++) {
        struct mr_document_place place = mr_document_item(&list, at);
        struct mr_network_field *field = &network->fields[at];
        read_field(document, &place, arena, field);
        field->first_output = outputs;
        outputs += field->count + !field->is_category;
        if (field->is_category) {
            field->first_place = network->layers.conditions;
            network->layers.conditions += field->count;
            network->categorical[network->categorical_count++] = at;
        }
        if (outputs > MR_NETWORK_OUTPUTS_MAX)
            mr_document_fail(document, &place,
                             "modes and categories up to here take %" PRIu32
                             " outputs, above the limit of %d",
                             outputs, MR_NETWORK_OUTPUTS_MAX);
    }
    return outputs;
}

/* ---- The type ---- */

static void network_read(struct mr_document *document, const struct mr_document_place *root,
                         const struct mr_sample_facts *facts, struct mr_arena *arena, void **own)
{
    static const char *const names[] = {MR_SAMPLE_MEMBERS, "latents", "hidden", "output"};
    struct mr_network *network = mr_arena_new(arena, 1, sizeof(*network));
    *own = network;
    mr_document_only(document, root, names, MR_ARRAY_COUNT(names));
    uint32_t outputs = read_fields(document, root, facts, arena, network);
    if (document->status == MR_OK)
        read_layers(document, root, outputs, arena, &network->layers);
}

static void network_destroy(void *own)
{
    MR_UNUSED(own); /* all of it is in the model's arena */
}

static bool network_has_texts(const void *own, uint32_t index)
{
    const struct mr_network *network = own;
    const struct mr_network_field *field = &network->fields[index];
    for (uint32_t at = 0; field->is_category && at < field->count; at++)
        if (field->values[at].kind == MR_KIND_STRING)
            return true;
    return false;
}

static enum mr_status network_open(const void *own, const struct mr_sample_condition *conditions,
                                   uint32_t conditions_count, struct mr_arena *arena,
                                   void **drawing, double *probability, struct mr_error *error)
{
    MR_UNUSED(arena);
    struct mr_network_sample *sample = NULL;
    enum mr_status status =
        mr_network_sample_open(own, conditions, conditions_count, &sample, probability, error);
    *drawing = sample;
    return status;
}

static void network_close(void *drawing)
{
    mr_network_sample_close(drawing);
}

static void network_draw(void *drawing, uint64_t seed, uint64_t first, uint32_t rows_count,
                         struct mr_arena *arena, struct mr_value *cells, uint32_t stride)
{
    MR_UNUSED(arena);
    mr_network_sample_draw(drawing, seed, first, rows_count, cells, stride);
}

const struct mr_sample_type mr_sample_type_network = {
    .name = "network",
    .read = network_read,
    .destroy = network_destroy,
    .has_texts = network_has_texts,
    .open = network_open,
    .close = network_close,
    .draw = network_draw,
};

const struct mr_network *mr_sample_model_network(const struct mr_sample_model *model)
{
    return mr_sample_model_own(model, &mr_sample_type_network);
}
