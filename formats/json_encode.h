/* formats/json_encode.h — the JSON encoder behind mr_format_json.
 * Private to formats/. */
#ifndef MR_FORMATS_JSON_ENCODE_H
#define MR_FORMATS_JSON_ENCODE_H

#include "formats/format.h"

struct mr_json_part;
struct mr_json_action;

struct mr_json_encoder {
    bool from_payload;
    uint32_t parts_count;
    struct mr_json_part *parts;     /* one per edit */
    struct mr_json_action *actions; /* scratch of the row: what the edits do, one per edit */
    uint32_t *placed;               /* scratch: edits of members in the payload, by their place */
};

enum mr_status mr_json_encoder_open(void *self, const struct mr_encoder_open *open,
                                    struct mr_error *error);
enum mr_status mr_json_encode(void *self, const struct mr_batch *batch, uint32_t row,
                              struct mr_arena *arena, struct mr_slice *payload,
                              struct mr_error *error);
void mr_json_encoder_close(void *self);

#endif
