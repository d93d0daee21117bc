/* tests/support/detector_parity.h — a detector beside its reference in Python.
 * The reference (detector_reference.py) is run with the same numbers; every score must agree to
 * 1e-9 of its size. Without Python the test prints so and is skipped. */
#ifndef MR_TESTS_SUPPORT_DETECTOR_PARITY_H
#define MR_TESTS_SUPPORT_DETECTOR_PARITY_H

/* type and options: of the operator, behind `key: [k], field: value`. arguments: of the reference.
 * first and second: the added members that the reference writes behind the score. */
void detector_parity(const char *type, const char *options, const char *arguments,
                     const char *first, const char *second);

#endif
