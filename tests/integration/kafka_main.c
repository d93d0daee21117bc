/* tests/integration/kafka_main.c — all groups that share one undisturbed broker. */
#include "tests/integration/kafka_support.h"

int main(void)
{
    support_brokers(); /* ends here, skipped, when there is none */
    int failed_count = run_admin_tests();
    failed_count += run_offsets_tests();
    failed_count += run_log_tests();
    failed_count += run_producer_tests();
    failed_count += run_consumer_tests();
    failed_count += run_examine_tests();
    return failed_count == 0 ? 0 : 1;
}
