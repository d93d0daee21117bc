/* worker/lane_inputs.c — what a lane's consumer reads for its tasks, and whose a message is.
 * Design: a consumer takes a partition once. A table that every task reads (a broadcast input) is
 * therefore one assignment for all tasks of the lane, under the tag of one of them, at the lowest
 * of their positions: a record goes to all, and who has it already drops it (rule 8). Whenever a
 * task comes or goes the assignment starts over, and what was fetched before is forgotten: a task
 * whose first record came from the middle of the partition would miss those before it. */
#include "worker/internal.h"

#include "base/log.h"
#include "worker/failpoint.h"

bool mr_lane_find_input(const struct mr_lane *lane, uint32_t tag, struct mr_task_input **input,
                        struct mr_task **task)
{
    uint32_t slot = tag & (MR_LANE_INPUTS_MAX - 1);
    if (slot >= lane->slots_count || lane->slots[slot].input == NULL ||
        lane->slots[slot].input->tag != tag)
        return false;
    *input = lane->slots[slot].input;
    *task = lane->slots[slot].task;
    return true;
}

static bool is_shared_with(const struct mr_task_input *input, const struct mr_task_input *other)
{
    return other->assigned && other->broadcast && other->node == input->node &&
           other->partition == input->partition && strcmp(other->topic, input->topic) == 0;
}

bool mr_lane_next_reader(const struct mr_lane *lane, const struct mr_task_input *input,
                         uint32_t *slot)
{
    if (!input->broadcast) {
        uint32_t own = input->tag & (MR_LANE_INPUTS_MAX - 1);
        bool first = *slot <= own;
        *slot = own;
        return first;
    }
    for (; *slot < lane->slots_count; (*slot)++) {
        const struct mr_task_input *other = lane->slots[*slot].input;
        if (other != NULL && (other == input || is_shared_with(input, other)))
            return true;
    }
    return false;
}

/* What was fetched for the partition and not fed belongs to nobody any more. */
static void forget_fetched(struct mr_lane *lane, uint32_t tag)
{
    for (uint32_t index = lane->fetch_next; lane->fetch_held && index < lane->fetch.messages_count;
         index++)
        if (lane->fetch.messages[index].tag == tag)
            lane->fetch.messages[index].tag = MR_LANE_NO_TAG;
}

static void unassign(struct mr_lane *lane, struct mr_task_input *input)
{
    struct mr_error error;
    struct mr_log_assignment assignment = {
        .topic = input->topic, .partition = input->partition, .tag = input->tag};
    if (lane->log->ops->consumer_remove(lane->consumer, &assignment, 1, &error) != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", input->topic),
                  "a partition was not removed: %s", error.message);
}

/* The other readers of a shared partition: the first of them, NULL: there is none. *offset becomes
 * the lowest of their positions and of its own. They are to be read under another tag. */
static struct mr_task_input *leave_to_others(struct mr_lane *lane,
                                             const struct mr_task_input *input, int64_t *offset)
{
    struct mr_task_input *first = NULL;
    for (uint32_t slot = 0; input->broadcast && mr_lane_next_reader(lane, input, &slot); slot++) {
        struct mr_task_input *other = lane->slots[slot].input;
        forget_fetched(lane, other->tag);
        if (other == input)
            continue;
        if (other->next_offset < *offset)
            *offset = other->next_offset;
        other->paused = false; /* the lane's next look pauses it where that is wanted */
        if (first == NULL)
            first = other;
    }
    return first;
}

static enum mr_status assign(struct mr_lane *lane, const struct mr_task_input *input,
                             int64_t offset, struct mr_error *error)
{
    struct mr_log_assignment assignment = {
        .topic = input->topic, .partition = input->partition, .offset = offset, .tag = input->tag};
    return lane->log->ops->consumer_add(lane->consumer, &assignment, 1, error);
}

enum mr_status mr_lane_add_input(struct mr_lane *lane, struct mr_task_input *input,
                                 struct mr_error *error)
{
    int64_t again = mr_failpoint_value("rewind"); /* records that are fetched a second time */
    int64_t offset = input->next_offset > again ? input->next_offset - again : 0;
    if (input->kind != MR_INPUT_LOG || input->ended)
        return MR_OK;
    struct mr_task_input *other = leave_to_others(lane, input, &offset);
    if (other != NULL)
        unassign(lane, other);
    enum mr_status status = assign(lane, input, offset, error);
    input->assigned = status == MR_OK;
    input->paused = false; /* as above */
    return status;
}

enum mr_status mr_lane_remove_input(struct mr_lane *lane, struct mr_task_input *input,
                                    struct mr_error *error)
{
    int64_t offset = INT64_MAX;
    if (!input->assigned)
        return MR_OK;
    struct mr_task_input *other = leave_to_others(lane, input, &offset);
    input->assigned = false;
    unassign(lane, input);
    return other == NULL ? MR_OK : assign(lane, other, offset, error);
}
