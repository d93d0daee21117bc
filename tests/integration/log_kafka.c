/* tests/integration/log_kafka.c — the log suite (tests/conformance) over a real Kafka. */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/connector.h"
#include "tests/conformance/log_conformance.h"

static enum mr_status create(struct mr_log **log, struct mr_error *error)
{
    return mr_kafka_log_create(&(struct mr_kafka_log_open){.brokers = getenv("MILLRACE_KAFKA"),
                                                           .client_id = "conformance"},
                               log, error);
}

int main(void)
{
    if (getenv("MILLRACE_KAFKA") == NULL) {
        printf("SKIPPED: MILLRACE_KAFKA names no broker; run it by tests/integration/with_kafka\n");
        return 77;
    }
    return mr_log_conformance_run(&(struct mr_log_conformance){
        .name = "kafka", .create = create, .patience_ms = 20000, .stress_transactions = 100});
}
