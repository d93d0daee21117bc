/* tests/support/drift_operator.h — a change detector as an operator of a topology: opening, refused
 * options, stored bytes that stay readable, what it says of fields of errors. */
#ifndef MR_TESTS_SUPPORT_DRIFT_OPERATOR_H
#define MR_TESTS_SUPPORT_DRIFT_OPERATOR_H

#include "tests/support/operator_harness.h"

/* type over the fields k and value; options begin with ", " or are "". Alerts are read. */
void drift_operator_open(struct harness *harness, const char *type, const char *options);
/* A record of the key a. */
void drift_operator_feed(struct harness *harness, struct mr_value value);
/* The text is not valid, and a finding has the sentence. */
void drift_operator_refuses(const char *type, const char *options, const char *sentence);
/* After 70 records the stored pairs equal the golden file; loaded from it the detector goes on as
 * one that was never interrupted. */
void drift_operator_golden(const char *type, const char *options, const char *name);
/* Fields that are no errors are reported: allowed is 0.5's fate. */
void drift_operator_reads_errors(const char *type, bool half_is_fine);

#endif
