/* proto/packing.c — packing and bounded unpacking of protobuf messages, checked fields.
 * Design: protobuf-c asks its allocator for every sub-message, array and unknown field; a hostile
 * message of 2-byte elements would cost a hundred times its size. The allocator here takes from an
 * arena with a ceiling; it hands freed blocks out again (protobuf-c frees its scan tables), so a
 * second ceiling bounds what is asked for in all, and with it the work of merging repeated
 * sub-messages, which is quadratic in protobuf-c. */
#include "proto/internal.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum { SCRATCH_CHUNK_BYTES = 16 << 10 };

/* Before each block of the allocator. */
struct mr_unpack_block {
    size_t size;
    struct mr_unpack_block *next; /* among the freed */
};

_Static_assert(sizeof(struct mr_unpack_block) % 16 == 0, "blocks stay aligned");

struct mr_slice mr_message_pack(struct mr_slice prefix, const ProtobufCMessage *message,
                                struct mr_arena *arena)
{
    size_t size = prefix.size + protobuf_c_message_get_packed_size(message);
    if (size > MR_MESSAGE_BYTES_MAX)
        return (struct mr_slice){0};
    uint8_t *bytes = mr_arena_take(arena, size);
    if (prefix.size != 0)
        memcpy(bytes, prefix.data, prefix.size);
    size_t packed = protobuf_c_message_pack(message, bytes + prefix.size);
    MR_ASSERT(prefix.size + packed == size);
    return mr_slice_from(bytes, size);
}

ProtobufCBinaryData mr_field_bytes(struct mr_slice bytes)
{
    ProtobufCBinaryData field = {.len = bytes.size};
    memcpy(&field.data, &bytes.data, sizeof(field.data)); /* packing only reads */
    return field;
}

ProtobufCBinaryData mr_field_text(const char *text, size_t size_max)
{
    MR_ASSERT(text != NULL);
    struct mr_slice bytes = mr_slice_text(text);
    MR_ASSERT(bytes.size <= size_max);
    return mr_field_bytes(bytes);
}

ProtobufCBinaryData *mr_field_names(const char *const *names, uint32_t count,
                                    struct mr_arena *scratch)
{
    if (count == 0)
        return NULL;
    ProtobufCBinaryData *fields = mr_arena_take(scratch, count * sizeof(*fields));
    for (uint32_t index = 0; index < count; index++)
        fields[index] = mr_field_text(names[index], MR_MESSAGE_NAME_MAX);
    return fields;
}

static void *unpack_alloc(void *argument, size_t size)
{
    struct mr_decoder *decoder = argument;
    if (size > MR_MESSAGE_BYTES_MAX * (size_t)MR_UNPACK_FACTOR)
        return NULL;
    size = ((size + 15u) & ~(size_t)15u) + sizeof(struct mr_unpack_block);
    if (size > decoder->work_bytes_left)
        return NULL;
    decoder->work_bytes_left -= size;
    struct mr_unpack_block *block = decoder->freed;
    if (block != NULL && block->size == size) {
        decoder->freed = block->next;
        return block + 1;
    }
    if (size > decoder->scratch_bytes_left)
        return NULL;
    decoder->scratch_bytes_left -= size;
    block = mr_arena_take(&decoder->scratch, size);
    block->size = size;
    return block + 1;
}

static void unpack_free(void *argument, void *memory)
{
    struct mr_decoder *decoder = argument;
    if (memory == NULL)
        return;
    struct mr_unpack_block *block = (struct mr_unpack_block *)memory - 1;
    block->next = decoder->freed;
    decoder->freed = block;
}

void mr_decoder_init(struct mr_decoder *decoder, const char *what, struct mr_slice bytes,
                     struct mr_arena *arena, struct mr_error *error)
{
    *decoder = (struct mr_decoder){
        .arena = arena,
        .error = error,
        .what = what,
        .wrong = MR_INVALID,
        .recovery = MR_RECOVERY_RETRY,
        .scratch_bytes_left = MR_UNPACK_BASE_BYTES + MR_UNPACK_FACTOR * bytes.size,
        .work_bytes_left = MR_UNPACK_BASE_BYTES + MR_UNPACK_WORK_FACTOR * bytes.size};
    mr_arena_init(&decoder->scratch, SCRATCH_CHUNK_BYTES);
    if (bytes.size > MR_MESSAGE_BYTES_MAX)
        mr_decoder_fail(decoder, "it has %zu bytes, at most %d are allowed", bytes.size,
                        MR_MESSAGE_BYTES_MAX);
}

enum mr_status mr_decoder_deinit(struct mr_decoder *decoder)
{
    mr_arena_deinit(&decoder->scratch);
    return decoder->status;
}

void mr_decoder_fail(struct mr_decoder *decoder, const char *format, ...)
{
    if (decoder->status != MR_OK)
        return;
    char reason[MR_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    decoder->status = MR_FAIL(decoder->error, decoder->wrong, decoder->recovery,
                              "%s cannot be read: %s.", decoder->what, reason);
}

void *mr_message_unpack(struct mr_decoder *decoder, const ProtobufCMessageDescriptor *descriptor,
                        struct mr_slice bytes)
{
    if (decoder->status != MR_OK)
        return NULL;
    ProtobufCAllocator allocator = {
        .alloc = unpack_alloc, .free = unpack_free, .allocator_data = decoder};
    void *message = protobuf_c_message_unpack(descriptor, &allocator, bytes.size, bytes.data);
    if (message == NULL)
        mr_decoder_fail(decoder, "its %zu bytes are no %s message of bounded cost", bytes.size,
                        descriptor->name);
    return message;
}

const char *mr_take_text(struct mr_decoder *decoder, ProtobufCBinaryData field, size_t size_max,
                         const char *name)
{
    if (field.len == 0)
        return "";
    if (field.len > size_max) {
        mr_decoder_fail(decoder, "%s has %zu bytes, at most %zu are allowed", name, field.len,
                        size_max);
        return "";
    }
    if (memchr(field.data, 0, field.len) != NULL ||
        !mr_utf8_valid(mr_slice_from(field.data, field.len))) {
        mr_decoder_fail(decoder, "%s is not UTF-8 text without NUL", name);
        return "";
    }
    return mr_arena_copy_bytes_text(decoder->arena, field.data, field.len);
}

struct mr_slice mr_take_bytes(struct mr_decoder *decoder, ProtobufCBinaryData field)
{
    return mr_arena_copy(decoder->arena, mr_slice_from(field.data, field.len));
}

const char *const *mr_take_names(struct mr_decoder *decoder, const ProtobufCBinaryData *fields,
                                 size_t fields_count, const char *name, uint32_t *count)
{
    *count = mr_take_count(decoder, fields_count, MR_MESSAGE_NAMES_MAX, name);
    if (*count == 0)
        return NULL;
    const char **names = mr_arena_take(decoder->arena, *count * sizeof(*names));
    for (uint32_t index = 0; index < *count; index++)
        names[index] = mr_take_text(decoder, fields[index], MR_MESSAGE_NAME_MAX, name);
    return names;
}

uint32_t mr_take_count(struct mr_decoder *decoder, size_t count, uint32_t count_max,
                       const char *name)
{
    if (count > count_max) {
        mr_decoder_fail(decoder, "it has %zu %s, at most %u are allowed", count, name, count_max);
        return 0;
    }
    return (uint32_t)count;
}

uint32_t mr_take_enum(struct mr_decoder *decoder, int field, uint32_t values_count,
                      const char *name)
{
    if (field < 1 || (uint32_t)field > values_count) {
        mr_decoder_fail(decoder, "%s is missing or of an unknown value (%d)", name, field);
        return 0;
    }
    return (uint32_t)field - 1;
}

int32_t mr_take_natural(struct mr_decoder *decoder, int32_t field, const char *name)
{
    if (field < 0) {
        mr_decoder_fail(decoder, "%s is negative (%d)", name, field);
        return 0;
    }
    return field;
}

bool mr_take_present(struct mr_decoder *decoder, const void *message, const char *name)
{
    if (message == NULL)
        mr_decoder_fail(decoder, "%s is missing", name);
    return message != NULL;
}
