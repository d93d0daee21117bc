/* operators/detector_stage.c — see detector_stage.h. */
#include "operators/detector_stage.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"

struct mr_model_size mr_stage_model_size(const struct mr_model_type *model,
                                         const struct mr_options *options)
{
    struct mr_model_size size = {.object_bytes = model->object_size,
                                 .encoded_bytes = model->encoded_size_max};
    if (model->size != NULL)
        model->size(options, &size);
    MR_ASSERT(size.encoded_bytes <= MR_MODEL_OBJECT_BYTES);
    return size;
}

/* ---- Episodes ---- */

/* Where an episode's clock stands. */
static int64_t clock_of(const struct mr_stage_suppress *suppress, const struct mr_model_row *row)
{
    return suppress->count > 0 ? (int64_t)row->seen : row->event_time_ms;
}

static bool is_over(const struct mr_detector_stage *stage, const struct mr_stage_suppress *suppress,
                    int64_t now, bool above)
{
    int64_t length = suppress->count > 0 ? suppress->count : suppress->time_ms;
    int64_t since;
    if (__builtin_sub_overflow(now, stage->episode_last, &since))
        return now > stage->episode_last;
    /* The n-th normal record ends it; the n-th record does not when it is an anomaly itself. */
    return suppress->count > 0 && above ? since > length : since >= length;
}

struct mr_stage_step mr_stage_judge(struct mr_detector_stage *stage,
                                    const struct mr_stage_suppress *suppress,
                                    const struct mr_model_row *row, bool above)
{
    struct mr_stage_step step = {0};
    uint8_t kind = 0;
    if (suppress->count > 0 || suppress->time_ms > 0)
        kind = suppress->count > 0 ? MR_STAGE_EPISODE_COUNT : MR_STAGE_EPISODE_TIME;
    /* One of another kind was opened under other options: nobody waits for its end. */
    if ((stage->flags & MR_STAGE_EPISODE) != kind)
        stage->flags &= (uint8_t)~MR_STAGE_EPISODE;
    if (kind == 0) {
        step.tells = above;
        return step;
    }
    int64_t now = clock_of(suppress, row);
    bool is_open = (stage->flags & MR_STAGE_EPISODE) != 0;
    if (is_open && is_over(stage, suppress, now, above)) {
        step.resolves = true;
        step.resolved_id = stage->episode_id;
        step.resolved_peak = stage->episode_peak;
        stage->flags &= (uint8_t)~MR_STAGE_EPISODE;
        is_open = false;
    }
    if (!above)
        return step;
    step.opens = !is_open;
    step.tells = step.opens || row->score > stage->episode_peak;
    if (step.tells)
        stage->episode_peak = row->score;
    if (step.opens || now > stage->episode_last)
        stage->episode_last = now;
    stage->flags |= kind;
    return step;
}

/* ---- Stored bytes ---- */

static uint8_t *put_i64(uint8_t *output, int64_t value)
{
    mr_put_u64le(output, (uint64_t)value);
    return output + 8;
}

static uint8_t *put_double(uint8_t *output, double value)
{
    mr_put_double_le(output, value);
    return output + 8;
}

static uint8_t *encode_stage(const struct mr_detector_stage *stage, uint8_t *output)
{
    output[0] = stage->flags;
    output = put_i64(output + 1, (int64_t)stage->seen);
    if (stage->flags == 0)
        return output;
    if ((stage->flags & MR_STAGE_FROZEN) != 0)
        output = put_i64(output, stage->frozen_until_ms);
    if ((stage->flags & MR_STAGE_MUTED) != 0)
        output = put_i64(output, stage->muted_until_ms);
    if ((stage->flags & MR_STAGE_EPISODE) != 0) {
        output = put_i64(output, (int64_t)stage->episode_id);
        output = put_double(output, stage->episode_peak);
        output = put_i64(output, stage->episode_last);
    }
    if ((stage->flags & MR_STAGE_LAST_VALUE) != 0)
        output = put_double(output, stage->last_value);
    return output;
}

static int64_t read_i64(struct mr_reader *reader)
{
    return (int64_t)mr_read_u64(reader);
}

static double read_double(struct mr_reader *reader)
{
    return mr_get_double_le(mr_read_bytes(reader, 8));
}

static bool decode_stage(struct mr_detector_stage *stage, struct mr_reader *reader)
{
    stage->flags = mr_read_u8(reader);
    stage->seen = mr_read_u64(reader);
    if ((stage->flags & MR_STAGE_FROZEN) != 0)
        stage->frozen_until_ms = read_i64(reader);
    if ((stage->flags & MR_STAGE_MUTED) != 0)
        stage->muted_until_ms = read_i64(reader);
    if ((stage->flags & MR_STAGE_EPISODE) != 0) {
        stage->episode_id = mr_read_u64(reader);
        stage->episode_peak = read_double(reader);
        stage->episode_last = read_i64(reader);
    }
    if ((stage->flags & MR_STAGE_LAST_VALUE) != 0)
        stage->last_value = read_double(reader);
    return !reader->bad && (stage->flags & ~MR_STAGE_FLAGS_ALL) == 0 &&
           (stage->flags & MR_STAGE_EPISODE) != MR_STAGE_EPISODE;
}

size_t mr_stage_encode(const struct mr_model_type *model, enum mr_stage_layout layout,
                       const void *object, uint8_t *output)
{
    uint8_t *end = encode_stage(object, output);
    const uint8_t *own = (const uint8_t *)object + mr_stage_bytes(layout);
    return (size_t)(end - output) + model->encode(own, end);
}

/* Stage and model of stored bytes, into two structs. */
static bool decode_parts(const struct mr_model_type *model, uint32_t version,
                         struct mr_slice stored, struct mr_detector_stage *stage,
                         void *model_object)
{
    *stage = (struct mr_detector_stage){.is_loaded = true};
    uint32_t stage_version = version >> 8;
    if (stage_version == 0)
        return model->decode(model_object, version, stored);
    struct mr_reader reader = mr_reader_from(stored);
    if (stage_version != MR_STAGE_VERSION || !decode_stage(stage, &reader))
        return false;
    return model->decode(model_object, version & 0xff,
                         mr_slice_from(reader.cursor, (size_t)(reader.end - reader.cursor)));
}

bool mr_stage_decode(const struct mr_model_type *model, enum mr_stage_layout layout, void *object,
                     uint32_t version, struct mr_slice stored)
{
    struct mr_detector_stage stage;
    if (!decode_parts(model, version, stored, &stage, mr_stage_model(object, layout)))
        return false;
    if (layout == MR_STAGE_HEAD)
        stage.flags = 0;
    memcpy(object, &stage, mr_stage_bytes(layout));
    return true;
}

bool mr_stage_describe(const struct mr_model_type *model, const struct mr_state_object *object,
                       void *model_object, struct mr_state_description *description)
{
    struct mr_detector_stage stage;
    if (!decode_parts(model, object->version, object->encoded, &stage, model_object))
        return false;
    mr_describe_member(description, "seen", mr_value_uint(stage.seen));
    if ((stage.flags & MR_STAGE_FROZEN) != 0)
        mr_describe_time(description, "frozen_until", stage.frozen_until_ms);
    if ((stage.flags & MR_STAGE_MUTED) != 0)
        mr_describe_time(description, "muted_until", stage.muted_until_ms);
    if ((stage.flags & MR_STAGE_EPISODE) != 0)
        mr_describe_member(description, "episode_peak", mr_value_double(stage.episode_peak));
    return true;
}
