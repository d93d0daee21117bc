/* operators/evaluation_entry.h — what evaluate.detection keeps of a record or an alert while it
 * waits for its time.
 * Stored, version 1 (little-endian)
 *   0  uint8   1: labelled, 2: flagged
 *   1  int64   event time in ms
 *   9  uint16  size of the series' text, and the text
 *      uint8   size of the kind, and the kind
 *      uint8   size of the id, and the id
 * Internal to evaluate_detection.c. */
#ifndef MR_OPERATORS_EVALUATION_ENTRY_H
#define MR_OPERATORS_EVALUATION_ENTRY_H

#include "operators/evaluation_rows.h"
#include "operators/operator.h"

enum { MR_EVALUATION_SERIES_MAX = 256 }; /* bytes of a series' text */

/* Where the fields of records and alerts are. */
struct mr_evaluation_reader {
    uint32_t truth_slot;
    uint32_t kind_slot; /* MR_SLOT_NONE: no such option */
    uint32_t id_slot;
    uint32_t flag_slot;
    const struct mr_option_value *series;
    const struct mr_plan_alerts *alerts; /* NULL: there are none */
};

void mr_evaluation_reader_open(struct mr_evaluation_reader *reader,
                               const struct mr_plan_node *node);

/* The entry of a row of the records, or of the alerts; arena is the context's. False: the row was
 * reported, or is an alert that is resolved. */
bool mr_evaluation_read_record(const struct mr_evaluation_reader *reader,
                               struct mr_operator_context *context, struct mr_batch *batch,
                               uint32_t row, struct mr_slice *entry);
bool mr_evaluation_read_alert(const struct mr_evaluation_reader *reader,
                              struct mr_operator_context *context, struct mr_batch *batch,
                              uint32_t row, struct mr_slice *entry);

/* An entry again; moment without its key. The texts are borrowed from bytes. False: these are none.
 */
bool mr_evaluation_entry_decode(struct mr_slice bytes, bool is_record,
                                struct mr_evaluation_moment *moment,
                                struct mr_evaluation_entry *entry);

#endif
