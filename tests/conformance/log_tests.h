/* tests/conformance/log_tests.h — the suite's tests that live beside log_conformance.c. */
#ifndef MR_TESTS_LOG_TESTS_H
#define MR_TESTS_LOG_TESTS_H

#include "tests/conformance/log_fixture.h"

/* log_consumers.c */
void log_test_end_of_partition(void **state);
void log_test_no_end_events_unless_asked(void **state);
void log_test_add_and_remove(void **state);
void log_test_pause(void **state);
void log_test_two_consumers(void **state);
void log_test_lagging_consumer(void **state);
void log_test_latest(void **state);
void log_test_fetches_outlive_their_records(void **state);
void log_test_offset_that_is_not_there(void **state);
void log_test_poll_waits(void **state);
void log_test_read_to_end(void **state);
void log_test_write_once_and_fence(void **state);

/* log_threads.c */
void log_test_poll_wakes(void **state);
void log_test_threads(void **state);
void log_test_fencing_race(void **state);

#endif
