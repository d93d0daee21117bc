/* formats/json_decode.h — the JSON decoder behind mr_format_json.
 * Private to formats/. */
#ifndef MR_FORMATS_JSON_DECODE_H
#define MR_FORMATS_JSON_DECODE_H

#include "formats/format.h"
#include "record/json_scan.h"

struct mr_json_node;
struct mr_json_field;

struct mr_json_decoder {
    struct mr_json_node *nodes; /* the trie of what is read; the first is the record itself */
    uint32_t nodes_count;
    struct mr_json_field *fields;
    uint32_t fields_count;
    uint32_t spans_count;
    /* Of the batch that is being decoded. */
    struct mr_value **columns; /* one per field */
    struct mr_span **spans;
    uint32_t row;
    uint64_t record; /* counts records, so that a node knows whether it was met in this one */
    struct mr_json_scan scan;
};

enum mr_status mr_json_decoder_open(void *self, const struct mr_decoder_open *open,
                                    struct mr_error *error);
void mr_json_decode(void *self, struct mr_batch *batch, struct mr_row_error *errors,
                    uint32_t *errors_count);
void mr_json_decoder_close(void *self);

#endif
