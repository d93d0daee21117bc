/* proto/binding_codec.c — a topology's binding to the cluster, in messages and records. */
#include "proto/internal.h"

#include "base/assert.h"

static Millrace__BoundTopic *topic_fields(const struct mr_bound_topic *topic,
                                          Millrace__BoundTopic *fields)
{
    millrace__bound_topic__init(fields);
    fields->name = mr_field_text(topic->name, MR_MESSAGE_NAME_MAX);
    fields->topic_id = mr_field_text(topic->topic_id, MR_MESSAGE_NAME_MAX);
    fields->partitions_count = topic->partitions_count;
    fields->message_bytes_max = topic->message_bytes_max;
    fields->delete_retention_ms = topic->delete_retention_ms;
    return fields;
}

static Millrace__BoundNode **node_fields(const struct mr_bound_node *nodes, uint32_t count,
                                         struct mr_arena *scratch)
{
    Millrace__BoundNode **pointers = mr_arena_take(scratch, count * sizeof(Millrace__BoundNode *));
    Millrace__BoundNode *all = mr_arena_take(scratch, count * sizeof(*all));
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_bound_node *node = &nodes[index];
        Millrace__BoundNode *fields = &all[index];
        millrace__bound_node__init(fields);
        fields->name = mr_field_text(node->name, MR_MESSAGE_NAME_MAX);
        fields->partitions_count = node->partitions_count;
        fields->n_topics = node->topics_count;
        fields->topics =
            mr_arena_take(scratch, node->topics_count * sizeof(Millrace__BoundTopic *));
        Millrace__BoundTopic *topics =
            mr_arena_take(scratch, node->topics_count * sizeof(Millrace__BoundTopic));
        for (uint32_t topic = 0; topic < node->topics_count; topic++)
            fields->topics[topic] = topic_fields(&node->topics[topic], &topics[topic]);
        pointers[index] = fields;
    }
    return pointers;
}

static Millrace__BoundSubtopology **
subtopology_fields(const struct mr_bound_subtopology *subtopologies, uint32_t count,
                   struct mr_arena *scratch)
{
    Millrace__BoundSubtopology **pointers =
        mr_arena_take(scratch, count * sizeof(Millrace__BoundSubtopology *));
    Millrace__BoundSubtopology *all = mr_arena_take(scratch, count * sizeof(*all));
    Millrace__BoundTopic *topics = mr_arena_take(scratch, count * sizeof(*topics));
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_bound_subtopology *subtopology = &subtopologies[index];
        Millrace__BoundSubtopology *fields = &all[index];
        millrace__bound_subtopology__init(fields);
        fields->name = mr_field_text(subtopology->name, MR_MESSAGE_NAME_MAX);
        fields->tasks_count = subtopology->tasks_count;
        fields->tasks_before = subtopology->tasks_before;
        fields->log_topic = topic_fields(&subtopology->log_topic, &topics[index]);
        fields->stateful = subtopology->stateful;
        pointers[index] = fields;
    }
    return pointers;
}

static uint64_t topics_count(const struct mr_binding *binding)
{
    uint64_t count = binding->nodes_count;
    count += binding->repartitions_count;
    count += binding->subtopologies_count;
    for (uint32_t index = 0; index < binding->nodes_count; index++)
        count += binding->nodes[index].topics_count;
    for (uint32_t index = 0; index < binding->repartitions_count; index++)
        count += binding->repartitions[index].topics_count;
    return count;
}

Millrace__Binding *mr_binding_fields(const struct mr_binding *binding, struct mr_arena *scratch)
{
    MR_ASSERT(topics_count(binding) <= MR_MESSAGE_TOPICS_MAX);
    Millrace__Binding *fields = mr_arena_take(scratch, sizeof(*fields));
    millrace__binding__init(fields);
    fields->cluster_id = mr_field_text(binding->cluster_id, MR_MESSAGE_NAME_MAX);
    fields->n_nodes = binding->nodes_count;
    fields->nodes = node_fields(binding->nodes, binding->nodes_count, scratch);
    fields->n_subtopologies = binding->subtopologies_count;
    fields->subtopologies =
        subtopology_fields(binding->subtopologies, binding->subtopologies_count, scratch);
    fields->n_repartitions = binding->repartitions_count;
    fields->repartitions = node_fields(binding->repartitions, binding->repartitions_count, scratch);
    fields->dead_letters =
        topic_fields(&binding->dead_letters, mr_arena_take(scratch, sizeof(Millrace__BoundTopic)));
    fields->claims =
        topic_fields(&binding->claims, mr_arena_take(scratch, sizeof(Millrace__BoundTopic)));
    return fields;
}

static void take_topic(struct mr_decoder *decoder, const Millrace__BoundTopic *fields,
                       struct mr_bound_topic *topic)
{
    *topic = (struct mr_bound_topic){.name = "", .topic_id = ""};
    if (!mr_take_present(decoder, fields, "a bound topic"))
        return;
    topic->name = mr_take_text(decoder, fields->name, MR_MESSAGE_NAME_MAX, "a topic's name");
    topic->topic_id = mr_take_text(decoder, fields->topic_id, MR_MESSAGE_NAME_MAX, "a topic's id");
    topic->partitions_count =
        mr_take_natural(decoder, fields->partitions_count, "a topic's partition count");
    topic->message_bytes_max = fields->message_bytes_max;
    topic->delete_retention_ms = fields->delete_retention_ms;
}

/* topics_left: how many nodes and topics the binding may still have. */
static const struct mr_bound_node *take_nodes(struct mr_decoder *decoder,
                                              Millrace__BoundNode *const *fields,
                                              size_t fields_count, uint32_t *topics_left,
                                              uint32_t *count)
{
    *count = mr_take_count(decoder, fields_count, *topics_left, "bound nodes");
    *topics_left -= *count;
    struct mr_bound_node *nodes = mr_arena_take(decoder->arena, *count * sizeof(*nodes));
    for (uint32_t index = 0; index < *count; index++) {
        const Millrace__BoundNode *from = fields[index];
        uint32_t topics_count_here =
            mr_take_count(decoder, from->n_topics, *topics_left, "bound topics");
        *topics_left -= topics_count_here;
        struct mr_bound_topic *topics =
            mr_arena_take(decoder->arena, topics_count_here * sizeof(*topics));
        for (uint32_t topic = 0; topic < topics_count_here; topic++)
            take_topic(decoder, from->topics[topic], &topics[topic]);
        nodes[index] = (struct mr_bound_node){
            .name = mr_take_text(decoder, from->name, MR_MESSAGE_NAME_MAX, "a bound node's name"),
            .partitions_count =
                mr_take_natural(decoder, from->partitions_count, "a node's partition count"),
            .topics = topics,
            .topics_count = topics_count_here};
    }
    return nodes;
}

static const struct mr_bound_subtopology *take_subtopologies(struct mr_decoder *decoder,
                                                             const Millrace__Binding *fields,
                                                             uint32_t *topics_left, uint32_t *count)
{
    *count = mr_take_count(decoder, fields->n_subtopologies, *topics_left, "subtopologies");
    *topics_left -= *count;
    struct mr_bound_subtopology *subtopologies =
        mr_arena_take(decoder->arena, *count * sizeof(*subtopologies));
    for (uint32_t index = 0; index < *count; index++) {
        const Millrace__BoundSubtopology *from = fields->subtopologies[index];
        struct mr_bound_subtopology *subtopology = &subtopologies[index];
        subtopology->name =
            mr_take_text(decoder, from->name, MR_MESSAGE_NAME_MAX, "a subtopology's name");
        subtopology->tasks_count =
            mr_take_natural(decoder, from->tasks_count, "a subtopology's task count");
        subtopology->tasks_before = from->tasks_before;
        take_topic(decoder, from->log_topic, &subtopology->log_topic);
        subtopology->stateful = from->stateful;
    }
    return subtopologies;
}

void mr_binding_take(struct mr_decoder *decoder, const Millrace__Binding *fields,
                     struct mr_binding *binding)
{
    uint32_t topics_left = MR_MESSAGE_TOPICS_MAX;
    binding->cluster_id =
        mr_take_text(decoder, fields->cluster_id, MR_MESSAGE_NAME_MAX, "the cluster's id");
    binding->nodes =
        take_nodes(decoder, fields->nodes, fields->n_nodes, &topics_left, &binding->nodes_count);
    binding->subtopologies =
        take_subtopologies(decoder, fields, &topics_left, &binding->subtopologies_count);
    binding->repartitions = take_nodes(decoder, fields->repartitions, fields->n_repartitions,
                                       &topics_left, &binding->repartitions_count);
    take_topic(decoder, fields->dead_letters, &binding->dead_letters);
    take_topic(decoder, fields->claims, &binding->claims);
}
