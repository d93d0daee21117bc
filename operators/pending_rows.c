/* operators/pending_rows.c — see pending_rows.h. */
#include "operators/pending_rows.h"

#include <string.h>

#include "base/endian.h"

enum tag { TAG_MISSING, TAG_FALSE, TAG_TRUE, TAG_NUMBER, TAG_TIMESTAMP, TAG_TEXT };

size_t mr_pending_write(struct mr_value cell, uint8_t *output)
{
    double number;
    if (cell.kind == MR_KIND_BOOL) {
        output[0] = cell.boolean ? TAG_TRUE : TAG_FALSE;
        return 1;
    }
    if (mr_value_as_double(cell, &number)) {
        output[0] = TAG_NUMBER;
        mr_put_double_le(output + 1, number);
        return 9;
    }
    if (cell.kind == MR_KIND_TIMESTAMP) {
        output[0] = TAG_TIMESTAMP;
        mr_put_u64le(output + 1, (uint64_t)cell.integer);
        return 9;
    }
    if (cell.kind != MR_KIND_STRING) {
        output[0] = TAG_MISSING;
        return 1;
    }
    uint32_t size = cell.size < MR_PENDING_TEXT_BYTES ? cell.size : MR_PENDING_TEXT_BYTES;
    output[0] = TAG_TEXT;
    output[1] = (uint8_t)size;
    if (size > 0)
        memcpy(output + 2, cell.text, size);
    return 2 + size;
}

bool mr_pending_read(struct mr_slice bytes, struct mr_value *cells, size_t cells_count)
{
    struct mr_reader reader = mr_reader_from(bytes);
    for (size_t at = 0; at < cells_count; at++) {
        uint8_t tag = mr_read_u8(&reader);
        switch (tag) {
        case TAG_FALSE:
        case TAG_TRUE:
            cells[at] = mr_value_bool(tag == TAG_TRUE);
            break;
        case TAG_NUMBER:
            cells[at] = mr_value_double(mr_get_double_le(mr_read_bytes(&reader, 8)));
            break;
        case TAG_TIMESTAMP:
            cells[at] = (struct mr_value){.kind = MR_KIND_TIMESTAMP,
                                          .integer = (int64_t)mr_read_u64(&reader)};
            break;
        case TAG_TEXT: {
            uint8_t size = mr_read_u8(&reader);
            if (reader.bad || reader.end - reader.cursor < size)
                return false;
            cells[at] = mr_value_string(mr_slice_from(reader.cursor, size));
            reader.cursor += size;
            break;
        }
        default:
            cells[at] = mr_value_null();
        }
        if (reader.bad || tag > TAG_TEXT)
            return false;
    }
    return reader.cursor == reader.end;
}
