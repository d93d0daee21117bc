/* formats/json_encode.c — splices the edits of a layout into a record's bytes.
 * Design: first decide what each edit does to this row and add up an upper bound, then write once
 * into memory of that size and give the rest back. Edits of members that the payload has are walked
 * in the order of their places; the others follow behind the last member. A row that no edit
 * touches is the payload itself, not a copy.
 * `,"name":` of every edit is made when the encoder is opened, padded so that copies of a fixed
 * size can take it. */
#include "formats/json_encode.h"

#include "base/memory.h"
#include "record/json_scan.h"
#include "record/json_write.h"

enum {
    SHORT_COPY = 32,  /* prefixes up to this size are copied as this many bytes */
    WRITE_SLACK = 64, /* covers short copies and MR_JSON_WRITE_SLACK */
    PREFIX_EXTRA = 4  /* comma, quotes, colon */
};

struct prefix {
    uint8_t *bytes; /* `,"name":`, allocated to at least SHORT_COPY */
    uint32_t size;
};

struct part_member {
    struct prefix prefix;
    const char *name;
    uint32_t slot;
};

struct mr_json_part {
    struct prefix prefix;
    const char *name;
    uint32_t slot;
    uint32_t span;
    uint32_t raw_span;
    bool remove;
    uint32_t members_count;
    struct part_member *members; /* of a group */
};

enum action_kind { ACTION_LEAVE, ACTION_REMOVE, ACTION_CELL, ACTION_GROUP, ACTION_RAW };

struct mr_json_action {
    enum action_kind kind;
    struct mr_span span; /* of the member in the payload; value_size 0: not there */
    struct mr_value value;
    struct mr_slice raw;
};

/* ---- Opening. ---- */

static struct prefix make_prefix(const char *name)
{
    struct mr_slice text = mr_slice_text(name);
    size_t size = mr_json_write_string_bound(text) + PREFIX_EXTRA + MR_JSON_WRITE_SLACK;
    uint8_t *bytes = mr_memory_new(size < SHORT_COPY ? SHORT_COPY : size, 1);
    bytes[0] = ',';
    uint8_t *end = mr_json_write_string(bytes + 1, text);
    *end++ = ':';
    return (struct prefix){.bytes = bytes, .size = (uint32_t)(end - bytes)};
}

static void open_part(struct mr_json_part *part, const struct mr_edit *edit)
{
    *part = (struct mr_json_part){
        .prefix = make_prefix(edit->name),
        .name = edit->name,
        .slot = edit->slot,
        .span = edit->span,
        .raw_span = edit->raw_span,
        .remove = edit->remove,
        .members_count = edit->group != NULL ? edit->group_count : 0,
    };
    if (edit->group == NULL)
        return;
    part->members = mr_memory_new(edit->group_count, sizeof(*part->members));
    for (uint32_t i = 0; i < edit->group_count; i++)
        part->members[i] = (struct part_member){.prefix = make_prefix(edit->group[i].name),
                                                .name = edit->group[i].name,
                                                .slot = edit->group[i].slot};
}

enum mr_status mr_json_encoder_open(void *self, const struct mr_encoder_open *open,
                                    struct mr_error *error)
{
    struct mr_json_encoder *encoder = self;
    uint32_t count = open->layout->edits_count;
    *encoder = (struct mr_json_encoder){
        .from_payload = open->layout->from_payload,
        .parts_count = count,
        .parts = mr_memory_new(count, sizeof(*encoder->parts)),
        .actions = mr_memory_new(count, sizeof(*encoder->actions)),
        .placed = mr_memory_new(count, sizeof(*encoder->placed)),
    };
    for (uint32_t i = 0; i < count; i++)
        open_part(&encoder->parts[i], &open->layout->edits[i]);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(encoder->parts[i].name, encoder->parts[k].name) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "The field '%s' is written twice on its way to this sink.",
                               encoder->parts[i].name);
        }
    }
    return MR_OK;
}

void mr_json_encoder_close(void *self)
{
    struct mr_json_encoder *encoder = self;
    for (uint32_t i = 0; i < encoder->parts_count; i++) {
        struct mr_json_part *part = &encoder->parts[i];
        mr_memory_free(part->prefix.bytes);
        for (uint32_t k = 0; k < part->members_count; k++)
            mr_memory_free(part->members[k].prefix.bytes);
        mr_memory_free(part->members);
    }
    mr_memory_free(encoder->parts);
    mr_memory_free(encoder->actions);
    mr_memory_free(encoder->placed);
    *encoder = (struct mr_json_encoder){0};
}

/* ---- Deciding. ---- */

static const struct mr_value absent = {.kind = MR_KIND_ABSENT};

static inline const struct mr_value *cell_at(const struct mr_batch *batch, uint32_t slot,
                                             uint32_t row)
{
    const struct mr_value *column = slot == MR_SLOT_NONE ? NULL : batch->columns[slot];
    return column == NULL ? &absent : &column[row];
}

static inline struct mr_span span_at(const struct mr_batch *batch, uint32_t span, uint32_t row)
{
    const struct mr_span *column = span == MR_SLOT_NONE ? NULL : batch->spans[span];
    return column == NULL ? (struct mr_span){0} : column[row];
}

static inline bool is_written(const struct mr_value *value)
{
    return value->kind != MR_KIND_ABSENT && value->kind != MR_KIND_REMOVED;
}

static inline size_t bound_of(const struct mr_value *value)
{
    /* Most cells are scalars: no call for them. */
    if (value->kind <= MR_KIND_DOUBLE)
        return SHORT_COPY + 8;
    return mr_json_write_bound(*value);
}

/* Upper bound of a group's text; 0 when it has no member in this row. */
static size_t bound_of_group(const struct mr_json_part *part, const struct mr_batch *batch,
                             uint32_t row)
{
    size_t bound = 0;
    for (uint32_t i = 0; i < part->members_count; i++) {
        const struct mr_value *value = cell_at(batch, part->members[i].slot, row);
        if (is_written(value))
            bound += part->members[i].prefix.size + bound_of(value);
    }
    return bound == 0 ? 0 : bound + 2;
}

/* Decide what the edit does. Returns the upper bound of the bytes that it writes. */
static size_t decide(const struct mr_json_part *part, const struct mr_batch *batch, uint32_t row,
                     struct mr_json_action *action)
{
    action->kind = ACTION_LEAVE;
    action->span = span_at(batch, part->span, row);
    if (part->remove) {
        action->kind = ACTION_REMOVE;
        return 0;
    }
    if (part->members != NULL) {
        size_t bound = bound_of_group(part, batch, row);
        if (bound > 0)
            action->kind = ACTION_GROUP;
        return part->prefix.size + bound;
    }
    const struct mr_value *value = cell_at(batch, part->slot, row);
    if (is_written(value)) {
        action->kind = ACTION_CELL;
        action->value = *value;
        return part->prefix.size + bound_of(value);
    }
    if (value->kind == MR_KIND_REMOVED) {
        action->kind = ACTION_REMOVE;
        return 0;
    }
    struct mr_span raw = span_at(batch, part->raw_span, row);
    if (raw.value_size == 0)
        return 0;
    action->kind = ACTION_RAW;
    action->raw = mr_slice_from(batch->payloads[row].data + raw.value_offset, raw.value_size);
    return part->prefix.size + action->raw.size;
}

/* ---- Writing. ---- */

static inline uint8_t *copy_prefix(uint8_t *output, const struct prefix *prefix, uint32_t skip)
{
    if (prefix->size <= SHORT_COPY)
        memcpy(output, prefix->bytes + skip, SHORT_COPY - 1);
    else
        memcpy(output, prefix->bytes + skip, prefix->size - skip);
    return output + prefix->size - skip;
}

static uint8_t *copy(uint8_t *output, const uint8_t *from, const uint8_t *to)
{
    memcpy(output, from, (size_t)(to - from));
    return output + (to - from);
}

static enum mr_status refuse(struct mr_arena *arena, const char *group, const char *name,
                             struct mr_value value, struct mr_error *error)
{
    const char *refusal = mr_json_write_refusal(arena, value);
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                   "The field '%s%s%s' cannot be written as JSON: %s.", group != NULL ? group : "",
                   group != NULL ? "." : "", name, refusal != NULL ? refusal : "unknown kind");
}

static enum mr_status write_group(const struct mr_json_part *part, const struct mr_batch *batch,
                                  uint32_t row, struct mr_arena *arena, uint8_t **output,
                                  struct mr_error *error)
{
    uint8_t *cursor = *output;
    uint32_t skip = 1; /* the first member's comma */
    *cursor++ = '{';
    for (uint32_t i = 0; i < part->members_count; i++) {
        const struct part_member *member = &part->members[i];
        const struct mr_value *value = cell_at(batch, member->slot, row);
        if (!is_written(value))
            continue;
        cursor = copy_prefix(cursor, &member->prefix, skip);
        cursor = mr_json_write(cursor, *value);
        if (cursor == NULL)
            return refuse(arena, part->name, member->name, *value, error);
        skip = 0;
    }
    *cursor++ = '}';
    *output = cursor;
    return MR_OK;
}

struct writer {
    const struct mr_json_encoder *encoder;
    const struct mr_batch *batch;
    uint32_t row;
    struct mr_arena *arena;
    uint8_t *cursor;
};

static enum mr_status write_value(struct writer *writer, uint32_t index, struct mr_error *error)
{
    const struct mr_json_part *part = &writer->encoder->parts[index];
    const struct mr_json_action *action = &writer->encoder->actions[index];
    if (action->kind == ACTION_GROUP)
        return write_group(part, writer->batch, writer->row, writer->arena, &writer->cursor, error);
    if (action->kind == ACTION_RAW) {
        writer->cursor =
            copy(writer->cursor, action->raw.data, action->raw.data + action->raw.size);
        return MR_OK;
    }
    uint8_t *end = mr_json_write(writer->cursor, action->value);
    if (end == NULL)
        return refuse(writer->arena, NULL, part->name, action->value, error);
    writer->cursor = end;
    return MR_OK;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* Drop the comma behind which the removed last member stood. */
static uint8_t *trim_comma(uint8_t *cursor)
{
    while (is_space(cursor[-1]))
        cursor--;
    return cursor[-1] == ',' ? cursor - 1 : cursor;
}

/* Copy the payload's members up to body_end with the edits of those that are there. */
static enum mr_status write_body(struct writer *writer, struct mr_slice payload,
                                 const uint8_t *body_end, uint32_t placed_count,
                                 struct mr_error *error)
{
    const uint8_t *from = payload.data;
    for (uint32_t i = 0; i < placed_count; i++) {
        uint32_t index = writer->encoder->placed[i];
        const struct mr_json_action *action = &writer->encoder->actions[index];
        const uint8_t *value = payload.data + action->span.value_offset;
        const uint8_t *value_end = value + action->span.value_size;
        if (action->kind != ACTION_REMOVE) {
            writer->cursor = copy(writer->cursor, from, value);
            enum mr_status status = write_value(writer, index, error);
            if (status != MR_OK)
                return status;
            from = value_end;
            continue;
        }
        writer->cursor = copy(writer->cursor, from, payload.data + action->span.name_offset);
        from = mr_json_skip_space(value_end, body_end);
        if (from < body_end) {
            from = mr_json_skip_space(from + 1, body_end); /* the comma goes with it */
        } else {
            writer->cursor = trim_comma(writer->cursor);
        }
    }
    writer->cursor = copy(writer->cursor, from, body_end);
    return MR_OK;
}

static enum mr_status write_added(struct writer *writer, struct mr_error *error)
{
    for (uint32_t i = 0; i < writer->encoder->parts_count; i++) {
        const struct mr_json_action *action = &writer->encoder->actions[i];
        if (action->kind <= ACTION_REMOVE || action->span.value_size != 0)
            continue;
        uint32_t skip = writer->cursor[-1] == '{'; /* no comma before the first member */
        writer->cursor = copy_prefix(writer->cursor, &writer->encoder->parts[i].prefix, skip);
        enum mr_status status = write_value(writer, i, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* Insert the edit by the place of its member in the payload; layouts are short. */
static void place(struct mr_json_encoder *encoder, uint32_t count, uint32_t index)
{
    uint32_t offset = encoder->actions[index].span.name_offset;
    uint32_t i = count;
    for (; i > 0 && encoder->actions[encoder->placed[i - 1]].span.name_offset > offset; i--)
        encoder->placed[i] = encoder->placed[i - 1];
    encoder->placed[i] = index;
}

/* The place behind the last member, before the space and the brace that close the object. */
static const uint8_t *find_body_end(struct mr_slice payload)
{
    const uint8_t *at = payload.data + payload.size;
    while (at > payload.data && is_space(at[-1]))
        at--;
    if (at == payload.data || at[-1] != '}')
        return NULL;
    at--;
    while (at > payload.data && is_space(at[-1]))
        at--;
    return at > payload.data ? at : NULL;
}

enum mr_status mr_json_encode(void *self, const struct mr_batch *batch, uint32_t row,
                              struct mr_arena *arena, struct mr_slice *payload,
                              struct mr_error *error)
{
    struct mr_json_encoder *encoder = self;
    struct mr_slice original = mr_slice_text("{}");
    if (encoder->from_payload) {
        original = batch->payloads[row];
        if (batch->payload_nulls[row]) {
            *payload = mr_slice_from(NULL, 0); /* a tombstone stays one */
            return MR_OK;
        }
    }
    size_t bound = original.size + WRITE_SLACK;
    uint32_t touched_count = 0;
    uint32_t placed_count = 0;
    for (uint32_t i = 0; i < encoder->parts_count; i++) {
        struct mr_json_action *action = &encoder->actions[i];
        bound += decide(&encoder->parts[i], batch, row, action);
        if (!encoder->from_payload)
            action->span.value_size = 0;
        bool there = action->span.value_size != 0;
        if (action->kind == ACTION_LEAVE || (action->kind == ACTION_REMOVE && !there))
            continue;
        touched_count++;
        if (there)
            place(encoder, placed_count++, i);
    }
    if (touched_count == 0) {
        *payload = original;
        return MR_OK;
    }
    const uint8_t *body_end = find_body_end(original);
    if (body_end == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "The payload is not a JSON object.");
    uint8_t *output = mr_arena_take(arena, bound);
    struct writer writer = {
        .encoder = encoder, .batch = batch, .row = row, .arena = arena, .cursor = output};
    enum mr_status status = write_body(&writer, original, body_end, placed_count, error);
    if (status == MR_OK)
        status = write_added(&writer, error);
    if (status != MR_OK) {
        mr_arena_give_back(arena, output, bound, 0);
        return status;
    }
    writer.cursor = copy(writer.cursor, body_end, original.data + original.size);
    *payload = mr_slice_from(output, (size_t)(writer.cursor - output));
    mr_arena_give_back(arena, output, bound, payload->size);
    return MR_OK;
}
