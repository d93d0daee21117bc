/* worker/progress.c — codec of the progress record. */
#include "worker/progress.h"

#include "base/endian.h"

enum { PROGRESS_VERSION = 4, PROGRESS_VERSION_OLDEST = 1, UPSTREAM_BYTES = 9 };

static uint8_t *put_text(uint8_t *cursor, struct mr_slice text)
{
    mr_put_u16le(cursor, (uint16_t)text.size);
    if (text.size > 0)
        memcpy(cursor + 2, text.data, text.size);
    return cursor + 2 + text.size;
}

static uint8_t *put_u64(uint8_t *cursor, uint64_t value)
{
    mr_put_u64le(cursor, value);
    return cursor + 8;
}

static uint8_t *put_input(uint8_t *cursor, const struct mr_progress_input *input)
{
    cursor = put_text(cursor, input->topic);
    mr_put_u32le(cursor, (uint32_t)input->partition);
    cursor = put_text(cursor + 4, input->topic_id);
    cursor = put_u64(cursor, (uint64_t)input->next_offset);
    cursor = put_u64(cursor, (uint64_t)input->highest_event_ms);
    *cursor++ = input->idle ? 1 : 0;
    cursor = put_u64(cursor, (uint64_t)input->carried_ms);
    cursor = put_text(cursor, input->producer);
    mr_put_u32le(cursor, input->upstreams_count);
    cursor += 4;
    for (uint32_t index = 0; index < input->upstreams_count; index++) {
        cursor = put_u64(cursor, (uint64_t)input->upstreams[index].watermark_ms);
        *cursor++ = input->upstreams[index].ended  ? MR_UPSTREAM_ENDED
                    : input->upstreams[index].idle ? MR_UPSTREAM_IDLE
                                                   : MR_UPSTREAM_ACTIVE;
    }
    return cursor;
}

static size_t input_size(const struct mr_progress_input *input)
{
    return 2 + input->topic.size + 4 + 2 + input->topic_id.size + 8 + 8 + 1 + 8 + 2 +
           input->producer.size + 4 + (size_t)input->upstreams_count * UPSTREAM_BYTES;
}

struct mr_slice mr_progress_encode(const struct mr_progress *progress, struct mr_arena *arena)
{
    size_t size = 1 + 6 * 8 + 2 + 2;
    for (uint32_t index = 0; index < progress->inputs_count; index++)
        size += input_size(&progress->inputs[index]);
    for (uint32_t index = 0; index < progress->sinks_count; index++)
        size += 2 + progress->sinks[index].name.size + 16;
    uint8_t *bytes = mr_arena_take(arena, size);
    uint8_t *cursor = bytes;
    *cursor++ = PROGRESS_VERSION;
    cursor = put_u64(cursor, progress->epoch);
    cursor = put_u64(cursor, progress->incarnation);
    cursor = put_u64(cursor, progress->sequence);
    cursor = put_u64(cursor, (uint64_t)progress->watermark_ms);
    cursor = put_u64(cursor, (uint64_t)progress->told_ms);
    cursor = put_u64(cursor, (uint64_t)progress->began_ms);
    mr_put_u16le(cursor, (uint16_t)progress->inputs_count);
    cursor += 2;
    for (uint32_t index = 0; index < progress->inputs_count; index++)
        cursor = put_input(cursor, &progress->inputs[index]);
    mr_put_u16le(cursor, (uint16_t)progress->sinks_count);
    cursor += 2;
    for (uint32_t index = 0; index < progress->sinks_count; index++) {
        cursor = put_text(cursor, progress->sinks[index].name);
        cursor = put_u64(cursor, (uint64_t)progress->sinks[index].file_number);
        cursor = put_u64(cursor, (uint64_t)progress->sinks[index].bytes);
    }
    return mr_slice_from(bytes, (size_t)(cursor - bytes));
}

static void read_input(struct mr_reader *reader, uint8_t version, struct mr_arena *arena,
                       struct mr_progress_input *input)
{
    input->topic = mr_read_text(reader);
    input->partition = (int32_t)mr_read_u32(reader);
    input->topic_id = mr_read_text(reader);
    input->next_offset = (int64_t)mr_read_u64(reader);
    input->highest_event_ms = (int64_t)mr_read_u64(reader);
    input->idle = mr_read_u8(reader) != 0;
    input->carried_ms = INT64_MIN;
    if (version < 2)
        return;
    input->carried_ms = (int64_t)mr_read_u64(reader);
    input->producer = mr_read_text(reader);
    uint32_t count = mr_read_u32(reader);
    if (count > (size_t)(reader->end - reader->cursor) / UPSTREAM_BYTES) {
        reader->bad = true;
        return;
    }
    input->upstreams = mr_arena_new(arena, count, sizeof(*input->upstreams));
    input->upstreams_count = count;
    for (uint32_t index = 0; index < count; index++) {
        input->upstreams[index].watermark_ms = (int64_t)mr_read_u64(reader);
        uint8_t rest = mr_read_u8(reader);
        input->upstreams[index].idle = rest != MR_UPSTREAM_ACTIVE;
        input->upstreams[index].ended = rest == MR_UPSTREAM_ENDED;
    }
}

enum mr_status mr_progress_decode(struct mr_slice bytes, struct mr_arena *arena,
                                  struct mr_progress *progress, struct mr_error *error)
{
    struct mr_reader reader = mr_reader_from(bytes);
    uint8_t version = mr_read_u8(&reader);
    if (version < PROGRESS_VERSION_OLDEST || version > PROGRESS_VERSION)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A progress record has version %u; this build reads versions %d to %d. "
                       "Run the build that wrote it, or a newer one.",
                       version, PROGRESS_VERSION_OLDEST, PROGRESS_VERSION);
    *progress = (struct mr_progress){0};
    progress->epoch = mr_read_u64(&reader);
    progress->incarnation = mr_read_u64(&reader);
    progress->sequence = mr_read_u64(&reader);
    progress->watermark_ms = (int64_t)mr_read_u64(&reader);
    progress->told_ms = version < 3 ? progress->watermark_ms : (int64_t)mr_read_u64(&reader);
    progress->began_ms = version < 4 ? INT64_MIN : (int64_t)mr_read_u64(&reader);
    progress->inputs_count = mr_read_u16(&reader);
    progress->inputs = mr_arena_new(arena, progress->inputs_count, sizeof(*progress->inputs));
    for (uint32_t index = 0; index < progress->inputs_count; index++)
        read_input(&reader, version, arena, &progress->inputs[index]);
    progress->sinks_count = mr_read_u16(&reader);
    progress->sinks = mr_arena_new(arena, progress->sinks_count, sizeof(*progress->sinks));
    for (uint32_t index = 0; index < progress->sinks_count; index++) {
        progress->sinks[index].name = mr_read_text(&reader);
        progress->sinks[index].file_number = (int64_t)mr_read_u64(&reader);
        progress->sinks[index].bytes = (int64_t)mr_read_u64(&reader);
    }
    if (reader.bad || reader.cursor != reader.end)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A progress record of %zu bytes is not complete.", bytes.size);
    return MR_OK;
}
