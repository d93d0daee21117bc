/* tests/conformance/log_memory.c — the log suite over the memory log. */
#include "connectors/connector.h"
#include "tests/conformance/log_conformance.h"

static enum mr_status create(struct mr_log **log, struct mr_error *error)
{
    return mr_memory_log_create(&(struct mr_memory_log_open){0}, log, error);
}

int main(void)
{
    return mr_log_conformance_run(&(struct mr_log_conformance){.name = "memory",
                                                               .create = create,
                                                               .patience_ms = 5000,
                                                               .stress_transactions = 2000,
                                                               .acknowledged_is_all = true});
}
