/* tests/support/harness_text.h — rows and values as text that runs are compared by: equal text
 * means equal bits. For the operator harness. */
#ifndef MR_TESTS_HARNESS_TEXT_H
#define MR_TESTS_HARNESS_TEXT_H

#include "base/buffer.h"
#include "record/batch.h"

void harness_append(struct mr_buffer *output, const char *format, ...) MR_PRINTF(2, 3);
void harness_append_text(struct mr_buffer *output, const char *text);
void harness_append_hex(struct mr_buffer *output, const uint8_t *bytes, size_t size);
/* In quotes; what is long as a hash. */
void harness_append_bytes(struct mr_buffer *output, struct mr_slice bytes);
void harness_print_value(struct mr_buffer *output, struct mr_value value);
/* A line. */
void harness_print_row(struct mr_buffer *output, const struct mr_batch *batch, uint32_t row);

#endif
