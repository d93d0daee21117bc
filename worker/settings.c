/* worker/settings.c — client settings of a topology, gathered from its sources and sinks. */
#include "connectors/kafka/kafka.h"
#include "worker/internal.h"

enum { SETTINGS_MAX = 128 };

/* Add pairs to all; the same name must say the same. */
static enum mr_status merge(const char **all, uint32_t *count, const char *const *pairs,
                            const struct mr_plan_node *node, struct mr_error *error)
{
    for (; pairs != NULL && pairs[0] != NULL; pairs += 2) {
        uint32_t index = 0;
        while (index < *count && strcmp(all[index], pairs[0]) != 0)
            index += 2;
        if (index < *count && strcmp(all[index + 1], pairs[1]) != 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "\"%s\" sets %s differently than another entry of the topology; its "
                           "clients are shared, so the value must be the same.",
                           node->name, pairs[0]);
        if (index < *count)
            continue;
        if (*count + 2 >= SETTINGS_MAX)
            return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                           "A topology can pass at most %d settings to its clients.",
                           SETTINGS_MAX / 2);
        all[(*count)++] = pairs[0];
        all[(*count)++] = pairs[1];
    }
    all[*count] = NULL;
    return MR_OK;
}

enum mr_status mr_running_settings(struct mr_running *running, struct mr_error *error)
{
    const struct mr_plan *plan = running->deployment->plan;
    const char **consumer = mr_arena_new(&running->arena, SETTINGS_MAX + 1, sizeof(*consumer));
    const char **producer = mr_arena_new(&running->arena, SETTINGS_MAX + 1, sizeof(*producer));
    uint32_t consumer_count = 0;
    uint32_t producer_count = 0;
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        const struct mr_plan_node *node = &plan->nodes[index];
        enum mr_status status = MR_OK;
        if (node->type == &mr_kafka_source_spec) {
            const char *group = mr_options_text(&node->options, "group");
            if (group != NULL)
                running->group = group;
            status = merge(consumer, &consumer_count,
                           mr_kafka_source_settings(&node->options, &running->arena), node, error);
        } else if (node->type == &mr_kafka_sink_spec) {
            const struct mr_option_value *options = mr_options_get(&node->options, "producer");
            uint64_t bytes = options->present
                                 ? (uint64_t)mr_options_integer(options->objects, "buffer_memory")
                                 : MR_PRODUCER_QUEUE_BYTES;
            if (bytes > running->producer_queue_bytes)
                running->producer_queue_bytes = bytes;
            status = merge(producer, &producer_count,
                           mr_kafka_sink_settings(&node->options, &running->arena), node, error);
        }
        if (status != MR_OK)
            return status;
    }
    running->consumer_settings = consumer;
    running->producer_settings = producer;
    if (running->producer_queue_bytes == 0)
        running->producer_queue_bytes = MR_PRODUCER_QUEUE_BYTES;
    return MR_OK;
}
