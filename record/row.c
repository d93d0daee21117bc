/* record/row.c — see row.h.
 * Design: two passes over the cells, one that counts and one that writes without checks. Reading
 * trusts no size; texts are not checked to be UTF-8 again. */
#include "record/row.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"

enum {
    HEAD_BYTES = 13,
    FLAG_PAYLOAD_NULL = 1,
    FLAG_KEY_NULL = 2,
    FLAGS_ALL = 3,
    TAG_UNDECLARED = 0x80,
    VARINT_BYTES_MAX = 10
};

uint32_t mr_row_fingerprint(const char *const *names, uint32_t names_count, bool whole,
                            bool message)
{
    uint64_t hash = (uint64_t)names_count << 2 | (uint64_t)whole << 1 | message;
    for (uint32_t index = 0; index < names_count; index++)
        hash = mr_hash64_seeded(mr_slice_text(names[index]), hash);
    return (uint32_t)(hash ^ hash >> 32);
}

uint32_t mr_row_fingerprint_spans(uint32_t fingerprint, const char *const *names,
                                  uint32_t names_count)
{
    for (uint32_t index = 0; index < names_count; index++)
        fingerprint = (uint32_t)mr_hash64_seeded(mr_slice_text(names[index]), fingerprint);
    return fingerprint;
}

/* ---- Integers ---- */

static size_t varint_size(uint64_t value)
{
    return (size_t)(63 - __builtin_clzll(value | 1)) / 7 + 1;
}

static uint8_t *put_varint(uint8_t *output, uint64_t value)
{
    while (value >= 0x80) {
        *output++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *output++ = (uint8_t)value;
    return output;
}

static uint64_t read_varint(struct mr_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        uint8_t byte = mr_read_u8(reader);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            /* One way to write each number: no empty last byte, no bits behind the 64th. */
            if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1))
                reader->bad = true;
            return value;
        }
    }
    reader->bad = true;
    return 0;
}

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

/* Size and bytes; borrowed. */
static struct mr_slice read_bytes(struct mr_reader *reader)
{
    uint64_t size = read_varint(reader);
    if (size > (size_t)(reader->end - reader->cursor))
        reader->bad = true;
    const uint8_t *bytes = mr_read_bytes(reader, reader->bad ? 0 : (size_t)size);
    return mr_slice_from(bytes, reader->bad ? 0 : (size_t)size);
}

static uint8_t *put_bytes(uint8_t *output, const uint8_t *bytes, size_t size)
{
    output = put_varint(output, size);
    if (size > 0)
        memcpy(output, bytes, size);
    return output + size;
}

static size_t bytes_size(size_t size)
{
    return varint_size(size) + size;
}

/* ---- Cells ---- */

/* How a kind's content is stored. */
enum form {
    FORM_UNKNOWN,
    FORM_NOTHING,
    FORM_BOOL,
    FORM_SIGNED,
    FORM_UNSIGNED,
    FORM_FIXED, /* 8 bytes */
    FORM_TEXT,
    FORM_LIST,
    FORM_MAP
};

static enum form form_of(uint8_t kind)
{
    static const uint8_t forms[MR_KIND_COUNT] = {
        [MR_KIND_ABSENT] = FORM_NOTHING,  [MR_KIND_REMOVED] = FORM_NOTHING,
        [MR_KIND_ERROR] = FORM_TEXT,      [MR_KIND_NULL] = FORM_NOTHING,
        [MR_KIND_BOOL] = FORM_BOOL,       [MR_KIND_INT] = FORM_SIGNED,
        [MR_KIND_UINT] = FORM_UNSIGNED,   [MR_KIND_DOUBLE] = FORM_FIXED,
        [MR_KIND_STRING] = FORM_TEXT,     [MR_KIND_BYTES] = FORM_TEXT,
        [MR_KIND_TIMESTAMP] = FORM_FIXED, [MR_KIND_DURATION] = FORM_SIGNED,
        [MR_KIND_LIST] = FORM_LIST,       [MR_KIND_MAP] = FORM_MAP,
        [MR_KIND_JSON] = FORM_TEXT,       [MR_KIND_TYPE] = FORM_TEXT,
    };
    return kind < MR_KIND_COUNT ? (enum form)forms[kind] : FORM_UNKNOWN;
}

/* Returns SIZE_MAX when the cell is nested too deep. */
static size_t cell_size(const struct mr_value *cell, uint32_t depth)
{
    size_t size = 1;
    switch (form_of(cell->kind)) {
    case FORM_UNKNOWN:
    case FORM_NOTHING:
        return 1;
    case FORM_BOOL:
        return 2;
    case FORM_SIGNED:
        return 1 + varint_size(zigzag(cell->integer));
    case FORM_UNSIGNED:
        return 1 + varint_size(cell->unsigned_integer);
    case FORM_FIXED:
        return 9;
    case FORM_TEXT:
        return 1 + bytes_size(cell->size);
    case FORM_LIST:
        if (depth == MR_ROW_DEPTH_MAX)
            return SIZE_MAX;
        size += varint_size(cell->size);
        for (uint32_t index = 0; index < cell->size; index++) {
            size_t item = cell_size(&cell->items[index], depth + 1);
            if (item == SIZE_MAX)
                return SIZE_MAX;
            size += item;
        }
        return size;
    case FORM_MAP:
        break;
    }
    if (depth == MR_ROW_DEPTH_MAX)
        return SIZE_MAX;
    size += varint_size(cell->size);
    for (uint32_t index = 0; index < cell->size; index++) {
        size_t key = cell_size(&cell->entries[index].key, depth + 1);
        size_t value = cell_size(&cell->entries[index].value, depth + 1);
        if (key == SIZE_MAX || value == SIZE_MAX)
            return SIZE_MAX;
        size += key + value;
    }
    return size;
}

static uint8_t *put_cell(uint8_t *output, const struct mr_value *cell)
{
    *output++ =
        (uint8_t)(cell->kind | ((cell->flags & MR_VALUE_UNDECLARED) != 0 ? TAG_UNDECLARED : 0));
    switch (form_of(cell->kind)) {
    case FORM_UNKNOWN:
    case FORM_NOTHING:
        return output;
    case FORM_BOOL:
        *output = cell->boolean;
        return output + 1;
    case FORM_SIGNED:
        return put_varint(output, zigzag(cell->integer));
    case FORM_UNSIGNED:
        return put_varint(output, cell->unsigned_integer);
    case FORM_FIXED:
        mr_put_u64le(output, cell->unsigned_integer); /* the bits of a double */
        return output + 8;
    case FORM_TEXT:
        return put_bytes(output, cell->text, cell->size);
    case FORM_LIST:
        output = put_varint(output, cell->size);
        for (uint32_t index = 0; index < cell->size; index++)
            output = put_cell(output, &cell->items[index]);
        return output;
    case FORM_MAP:
        break;
    }
    output = put_varint(output, cell->size);
    for (uint32_t index = 0; index < cell->size; index++) {
        output = put_cell(output, &cell->entries[index].key);
        output = put_cell(output, &cell->entries[index].value);
    }
    return output;
}

/* Cells being read. Each takes a byte at least: what lists and maps promise is compared with what
 * is left, so that bytes ask for no more memory than they could fill. */
struct cells {
    struct mr_reader reader;
    struct mr_arena *arena;
    size_t promised; /* cells of lists and maps that are not read yet */
};

static struct mr_value read_cell(struct cells *cells, uint32_t depth);

/* How many lists' items or maps' entries follow, of so many cells each. */
static uint32_t read_count(struct cells *cells, uint32_t depth, uint32_t cells_each)
{
    struct mr_reader *reader = &cells->reader;
    uint64_t count = read_varint(reader);
    size_t left = (size_t)(reader->end - reader->cursor);
    if (depth == MR_ROW_DEPTH_MAX || cells->promised > left ||
        count > (left - cells->promised) / cells_each)
        reader->bad = true;
    if (reader->bad)
        return 0;
    cells->promised += (size_t)count * cells_each;
    return (uint32_t)count;
}

static struct mr_value read_list(struct cells *cells, uint32_t depth)
{
    uint32_t count = read_count(cells, depth, 1);
    struct mr_value *items = mr_arena_take(cells->arena, count * sizeof(*items));
    for (uint32_t index = 0; index < count; index++)
        items[index] = read_cell(cells, depth + 1);
    return (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
}

static struct mr_value read_map(struct cells *cells, uint32_t depth)
{
    uint32_t count = read_count(cells, depth, 2);
    struct mr_map_entry *entries = mr_arena_take(cells->arena, count * sizeof(*entries));
    for (uint32_t index = 0; index < count; index++) {
        entries[index].key = read_cell(cells, depth + 1);
        entries[index].value = read_cell(cells, depth + 1);
    }
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

static struct mr_value read_text(struct mr_reader *reader, uint8_t kind)
{
    struct mr_slice text = read_bytes(reader);
    return (struct mr_value){.kind = kind, .size = (uint32_t)text.size, .text = text.data};
}

static struct mr_value read_cell(struct cells *cells, uint32_t depth)
{
    struct mr_reader *reader = &cells->reader;
    uint8_t tag = mr_read_u8(reader);
    cells->promised -= depth > 0;
    struct mr_value cell = {.kind = tag & (TAG_UNDECLARED - 1)};
    switch (form_of(cell.kind)) {
    case FORM_UNKNOWN:
        reader->bad = true;
        cell.kind = MR_KIND_ABSENT;
        break;
    case FORM_NOTHING:
        break;
    case FORM_BOOL: {
        uint8_t byte = mr_read_u8(reader);
        reader->bad = reader->bad || byte > 1;
        cell.boolean = byte == 1;
        break;
    }
    case FORM_SIGNED:
        cell.integer = unzigzag(read_varint(reader));
        break;
    case FORM_UNSIGNED:
        cell.unsigned_integer = read_varint(reader);
        break;
    case FORM_FIXED:
        cell.unsigned_integer = mr_read_u64(reader);
        break;
    case FORM_TEXT:
        cell = read_text(reader, cell.kind);
        break;
    case FORM_LIST:
        cell = read_list(cells, depth);
        break;
    case FORM_MAP:
        cell = read_map(cells, depth);
        break;
    }
    if ((tag & TAG_UNDECLARED) != 0)
        cell.flags = MR_VALUE_UNDECLARED;
    return cell;
}

/* ---- Rows ---- */

static const struct mr_value *cell_at(const struct mr_batch *batch, uint32_t slot, uint32_t row)
{
    static const struct mr_value absent = {.kind = MR_KIND_ABSENT};
    return slot == MR_SLOT_NONE || batch->columns[slot] == NULL ? &absent
                                                                : &batch->columns[slot][row];
}

static struct mr_span span_at(const struct mr_batch *batch, uint32_t span, uint32_t row)
{
    return span == MR_SLOT_NONE || batch->spans[span] == NULL ? (struct mr_span){0}
                                                              : batch->spans[span][row];
}

static bool has_key(const struct mr_row_shape *shape, const struct mr_batch *batch, uint32_t row)
{
    return shape->message && !batch->key_nulls[row];
}

static bool has_payload(const struct mr_row_shape *shape, const struct mr_batch *batch,
                        uint32_t row)
{
    return shape->whole && !batch->payload_nulls[row];
}

enum mr_status mr_row_size(const struct mr_row_shape *shape, const struct mr_batch *batch,
                           uint32_t row, size_t *size, struct mr_error *error)
{
    size_t sum = HEAD_BYTES;
    if (shape->message)
        sum += 8 + varint_size(zigzag(batch->offsets[row]));
    if (has_key(shape, batch, row))
        sum += bytes_size(batch->message_keys[row].size);
    if (has_payload(shape, batch, row))
        sum += bytes_size(batch->payloads[row].size);
    for (uint32_t index = 0; shape->whole && index < shape->spans_count; index++) {
        struct mr_span span = span_at(batch, shape->spans[index], row);
        sum += varint_size(span.name_offset) + varint_size(span.value_offset) +
               varint_size(span.value_size);
    }
    for (uint32_t index = 0; index < shape->slots_count; index++) {
        size_t cell = cell_size(cell_at(batch, shape->slots[index], row), 0);
        if (cell == SIZE_MAX)
            return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                           "a field of the record nests more than %d lists and objects, more than "
                           "can be kept: take the part that is needed by a map before",
                           MR_ROW_DEPTH_MAX);
        sum += cell;
    }
    if (sum > MR_LIMIT_ROW_BYTES)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                       "the record takes %zu bytes, more than the %d that can be kept: keep only "
                       "the fields that are needed by a map before",
                       sum, MR_LIMIT_ROW_BYTES);
    *size = sum;
    return MR_OK;
}

static uint8_t *put_payload(const struct mr_row_shape *shape, const struct mr_batch *batch,
                            uint32_t row, uint8_t *output)
{
    if (!batch->payload_nulls[row])
        output = put_bytes(output, batch->payloads[row].data, batch->payloads[row].size);
    for (uint32_t index = 0; index < shape->spans_count; index++) {
        struct mr_span span = span_at(batch, shape->spans[index], row);
        output = put_varint(output, span.name_offset);
        output = put_varint(output, span.value_offset);
        output = put_varint(output, span.value_size);
    }
    return output;
}

void mr_row_write(const struct mr_row_shape *shape, const struct mr_batch *batch, uint32_t row,
                  uint8_t *output)
{
    uint8_t flags = 0;
    if (shape->whole && batch->payload_nulls[row])
        flags |= FLAG_PAYLOAD_NULL;
    if (shape->message && batch->key_nulls[row])
        flags |= FLAG_KEY_NULL;
    output[0] = (uint8_t)(MR_ROW_VERSION << 4 | flags);
    mr_put_u32le(output + 1, shape->fingerprint);
    mr_put_u64le(output + 5, (uint64_t)batch->event_times_ms[row]);
    output += HEAD_BYTES;
    if (shape->message) {
        mr_put_u64le(output, (uint64_t)batch->timestamps_ms[row]);
        output = put_varint(output + 8, zigzag(batch->offsets[row]));
    }
    if (has_key(shape, batch, row))
        output = put_bytes(output, batch->message_keys[row].data, batch->message_keys[row].size);
    if (shape->whole)
        output = put_payload(shape, batch, row, output);
    for (uint32_t index = 0; index < shape->slots_count; index++)
        output = put_cell(output, cell_at(batch, shape->slots[index], row));
}

int64_t mr_row_event_time(struct mr_slice bytes)
{
    MR_ASSERT(bytes.size >= HEAD_BYTES);
    return (int64_t)mr_get_u64le(bytes.data + 5);
}

/* ---- Reading ---- */

static enum mr_status read_head(const struct mr_row_shape *shape, struct mr_reader *reader,
                                uint8_t *flags, int64_t *event_time_ms, struct mr_error *error)
{
    uint8_t first = mr_read_u8(reader);
    uint32_t fingerprint = mr_read_u32(reader);
    *event_time_ms = (int64_t)mr_read_u64(reader);
    *flags = first & 15;
    if (reader->bad)
        return MR_OK; /* said by the caller */
    if (first >> 4 != MR_ROW_VERSION)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a stored record has the layout %d, this program reads %d: run the program "
                       "that wrote it, or reset the topology",
                       first >> 4, MR_ROW_VERSION);
    if (fingerprint != shape->fingerprint)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a stored record was written for other fields or options than the topology "
                       "has now: undo the change of the topology, or reset it");
    unsigned known =
        (shape->whole ? FLAG_PAYLOAD_NULL : 0u) | (shape->message ? FLAG_KEY_NULL : 0u);
    reader->bad = (*flags & ~known) != 0;
    return MR_OK;
}

static void read_message(struct mr_reader *reader, uint8_t flags, struct mr_batch *batch,
                         uint32_t row)
{
    batch->timestamps_ms[row] = (int64_t)mr_read_u64(reader);
    batch->offsets[row] = unzigzag(read_varint(reader));
    batch->key_nulls[row] = (flags & FLAG_KEY_NULL) != 0;
    batch->message_keys[row] = batch->key_nulls[row] ? (struct mr_slice){0} : read_bytes(reader);
}

/* A span names bytes of the payload: what points out of it is corrupt. */
static struct mr_span read_span(struct mr_reader *reader, size_t payload_size)
{
    uint64_t name_offset = read_varint(reader);
    uint64_t value_offset = read_varint(reader);
    uint64_t value_size = read_varint(reader);
    if (name_offset > payload_size || value_offset > payload_size ||
        value_size > payload_size - value_offset)
        reader->bad = true;
    if (reader->bad)
        return (struct mr_span){0};
    return (struct mr_span){(uint32_t)name_offset, (uint32_t)value_offset, (uint32_t)value_size};
}

static void read_payload(const struct mr_row_shape *shape, struct mr_reader *reader, uint8_t flags,
                         struct mr_batch *batch, uint32_t row)
{
    batch->payload_nulls[row] = (flags & FLAG_PAYLOAD_NULL) != 0;
    batch->payloads[row] = batch->payload_nulls[row] ? (struct mr_slice){0} : read_bytes(reader);
    for (uint32_t index = 0; index < shape->spans_count; index++) {
        struct mr_span span = read_span(reader, batch->payloads[row].size);
        if (shape->spans != NULL && shape->spans[index] != MR_SLOT_NONE)
            mr_batch_span(batch, shape->spans[index])[row] = span;
    }
}

enum mr_status mr_row_read(const struct mr_row_shape *shape, struct mr_slice bytes,
                           struct mr_batch *batch, uint32_t row, struct mr_error *error)
{
    MR_ASSERT(row < batch->rows_capacity);
    struct cells cells = {.reader = mr_reader_from(bytes), .arena = batch->arena};
    struct mr_reader *reader = &cells.reader;
    uint8_t flags = 0;
    enum mr_status status = read_head(shape, reader, &flags, &batch->event_times_ms[row], error);
    if (status != MR_OK)
        return status;
    if (shape->message)
        read_message(reader, flags, batch, row);
    if (shape->whole)
        read_payload(shape, reader, flags, batch, row);
    for (uint32_t index = 0; index < shape->slots_count && !reader->bad; index++) {
        struct mr_value cell = read_cell(&cells, 0);
        if (shape->slots[index] != MR_SLOT_NONE)
            mr_batch_column(batch, shape->slots[index])[row] = cell;
    }
    if (reader->bad || reader->cursor != reader->end)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "the bytes of a stored record are not what was written");
    return MR_OK;
}

/* ---- Single cells ---- */

size_t mr_row_cell_size(const struct mr_value *cell)
{
    return cell_size(cell, 0);
}

void mr_row_cell_write(const struct mr_value *cell, uint8_t *output)
{
    (void)put_cell(output, cell);
}

enum mr_status mr_row_cell_read(struct mr_slice bytes, struct mr_arena *arena,
                                struct mr_value *cell, struct mr_error *error)
{
    struct cells cells = {.reader = mr_reader_from(bytes), .arena = arena};
    *cell = read_cell(&cells, 0);
    if (cells.reader.bad || cells.reader.cursor != cells.reader.end)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "the bytes of a stored value are not what was written");
    return MR_OK;
}
