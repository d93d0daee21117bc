/* operators/group_object.c — see group_object.h.
 * Design: state/ hands decode the object's memory without its size; a function per size class knows
 * it. What is stored and larger was made by other options. */
#include "operators/group_object.h"

#include <string.h>

#include "base/assert.h"

static size_t encode(const void *object, uint8_t *output)
{
    const struct mr_group_object *head = object;
    memcpy(output, object, head->size);
    return head->size;
}

static bool decode_within(void *object, size_t bytes, uint32_t version, struct mr_slice stored)
{
    struct mr_group_object head;
    if (version != MR_GROUP_OBJECT_VERSION || stored.size < sizeof(head))
        return false;
    memcpy(&head, stored.data, sizeof(head));
    if (head.size != stored.size || head.fingerprint == 0)
        return false;
    if (stored.size <= bytes) {
        memcpy(object, stored.data, stored.size);
        return true;
    }
    head = (struct mr_group_object){.fingerprint = 0, .size = sizeof(head)};
    memcpy(object, &head, sizeof(head));
    return true;
}

static bool decode_64(void *object, uint32_t version, struct mr_slice stored)
{
    return decode_within(object, 64, version, stored);
}

static bool decode_96(void *object, uint32_t version, struct mr_slice stored)
{
    return decode_within(object, 96, version, stored);
}

static bool decode_160(void *object, uint32_t version, struct mr_slice stored)
{
    return decode_within(object, 160, version, stored);
}

static bool decode_256(void *object, uint32_t version, struct mr_slice stored)
{
    return decode_within(object, 256, version, stored);
}

static bool decode_512(void *object, uint32_t version, struct mr_slice stored)
{
    return decode_within(object, 512, version, stored);
}

static bool decode_1024(void *object, uint32_t version, struct mr_slice stored)
{
    return decode_within(object, 1024, version, stored);
}

static bool decode_2048(void *object, uint32_t version, struct mr_slice stored)
{
    return decode_within(object, 2048, version, stored);
}

static bool decode_3968(void *object, uint32_t version, struct mr_slice stored)
{
    return decode_within(object, MR_GROUP_OBJECT_BYTES_MAX, version, stored);
}

struct size_class {
    size_t bytes;
    bool (*decode)(void *object, uint32_t version, struct mr_slice stored);
};

static const struct size_class classes[] = {
    {64, decode_64},     {96, decode_96},
    {160, decode_160},   {256, decode_256},
    {512, decode_512},   {1024, decode_1024},
    {2048, decode_2048}, {MR_GROUP_OBJECT_BYTES_MAX, decode_3968},
};

static const struct size_class *class_of(size_t object_bytes)
{
    size_t index = 0;
    while (classes[index].bytes < object_bytes) {
        index++;
        MR_ASSERT(index < MR_ARRAY_COUNT(classes));
    }
    return &classes[index];
}

size_t mr_group_object_bytes(size_t object_bytes)
{
    return class_of(object_bytes)->bytes;
}

void mr_group_object_spec(struct mr_table_spec *spec, size_t object_bytes)
{
    const struct size_class *class = class_of(object_bytes);
    MR_ASSERT(class->bytes == object_bytes);
    spec->version = MR_GROUP_OBJECT_VERSION;
    spec->object_size = object_bytes;
    spec->encode = encode;
    spec->encoded_size_max = object_bytes;
    spec->decode = class->decode;
}

enum mr_status mr_group_object_get(struct mr_table *table, struct mr_slice key, uint64_t hash,
                                   uint32_t fingerprint, uint32_t head_size, void **object,
                                   bool *created, struct mr_error *error)
{
    enum mr_status status = mr_table_get(table, key, hash, 0, object, created, error);
    if (status == MR_OK && !*created &&
        ((const struct mr_group_object *)*object)->fingerprint != fingerprint) {
        status = mr_table_remove(table, key, hash, error);
        if (status == MR_OK)
            status = mr_table_get(table, key, hash, 0, object, created, error);
    }
    if (status == MR_OK && *created)
        *(struct mr_group_object *)*object =
            (struct mr_group_object){.fingerprint = fingerprint, .size = head_size};
    return status;
}
