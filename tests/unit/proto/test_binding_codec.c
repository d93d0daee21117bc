/* tests/unit/proto/test_binding_codec.c — the bounds of a topology's binding. Round trips and
 * golden bytes of messages with bindings are in test_codec.c. */
#include "proto/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct mr_arena arena;
static struct mr_error error;

static int setup(void **state)
{
    (void)state;
    mr_arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

static enum mr_status decode(Millrace__Binding *binding)
{
    static const uint8_t layout = 2;
    Millrace__VersionRecord fields = MILLRACE__VERSION_RECORD__INIT;
    struct mr_version_record record;
    fields.binding = binding;
    struct mr_slice bytes = mr_message_pack(mr_slice_from(&layout, 1), &fields.base, &arena);
    return mr_version_record_decode(bytes, &arena, &record, &error);
}

static void test_required_parts(void **state)
{
    Millrace__Binding binding = MILLRACE__BINDING__INIT;
    Millrace__BoundTopic topic = MILLRACE__BOUND_TOPIC__INIT;
    Millrace__BoundSubtopology subtopology = MILLRACE__BOUND_SUBTOPOLOGY__INIT;
    Millrace__BoundSubtopology *subtopologies[] = {&subtopology};
    (void)state;
    assert_int_equal(decode(NULL), MR_CORRUPT);
    assert_int_equal(decode(&binding), MR_CORRUPT);
    binding.dead_letters = &topic;
    assert_int_equal(decode(&binding), MR_CORRUPT);
    binding.claims = &topic;
    assert_int_equal(decode(&binding), MR_OK);
    binding.subtopologies = subtopologies;
    binding.n_subtopologies = 1;
    assert_int_equal(decode(&binding), MR_CORRUPT); /* without a log topic */
    subtopology.log_topic = &topic;
    assert_int_equal(decode(&binding), MR_OK);
    subtopology.tasks_count = -1;
    assert_int_equal(decode(&binding), MR_CORRUPT);
    subtopology.tasks_count = 1;
    topic.partitions_count = -1;
    assert_int_equal(decode(&binding), MR_CORRUPT);
    assert_non_null(strstr(error.message, "negative"));
}

/* The bound is on topics, nodes and subtopologies together. */
static void test_topics_have_a_bound(void **state)
{
    enum { TOPICS = MR_MESSAGE_TOPICS_MAX - 2 };
    Millrace__Binding binding = MILLRACE__BINDING__INIT;
    Millrace__BoundTopic topic = MILLRACE__BOUND_TOPIC__INIT;
    Millrace__BoundNode node = MILLRACE__BOUND_NODE__INIT;
    Millrace__BoundNode *nodes[] = {&node};
    (void)state;
    topic.name = mr_field_text("topic-of-a-usual-length", MR_MESSAGE_NAME_MAX);
    topic.topic_id = topic.name;
    node.topics = mr_arena_new(&arena, TOPICS + 1, sizeof(*node.topics));
    for (size_t index = 0; index <= TOPICS; index++)
        node.topics[index] = &topic;
    binding.dead_letters = &topic;
    binding.claims = &topic;
    binding.nodes = nodes;
    binding.n_nodes = 1;
    binding.repartitions = nodes;
    node.n_topics = TOPICS;
    assert_int_equal(decode(&binding), MR_OK);
    node.n_topics = TOPICS + 1;
    assert_int_equal(decode(&binding), MR_OK);
    node.n_topics = 1;
    binding.n_repartitions = 1;
    assert_int_equal(decode(&binding), MR_OK);
    node.n_topics = TOPICS;
    assert_int_equal(decode(&binding), MR_CORRUPT);
    assert_non_null(strstr(error.message, "allowed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_required_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_topics_have_a_bound, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
