/* connectors/kafka/offsets.c — admin requests about offsets: find, delete below, mirror.
 * Design: LATEST is asked with READ_UNCOMMITTED, since "the end" must lie behind open transactions
 * and behind trailing control records (DESIGN section 4 rule 2); the watermark queries of a
 * read_committed client return the last stable offset instead. Mirrored offsets go to a consumer
 * group without members, for lag tools; nothing here reads them back. */
#include "connectors/kafka/internal.h"

#include <stdio.h>

#include "base/clock.h"

/* A request about a partition failed. librdkafka says "no leader" both when the partition has none
 * now and when it does not exist: ask which. */
static enum mr_status explain(struct kafka_log *log, const char *topic, int32_t partition,
                              struct mr_error *error)
{
    if (error->origin_code != RD_KAFKA_RESP_ERR__NOENT) {
        mr_error_context(error, "%s[%d]", topic, (int)partition);
        return error->status;
    }
    struct mr_log_topic described;
    enum mr_status status = mr_kafka_topic_describe(&log->base, topic, &described, error);
    if (status != MR_OK)
        return status;
    if (partition >= described.partitions_count)
        return mr_kafka_fail(error, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, NULL,
                             "%s[%d] of a topic with %d partitions", topic, (int)partition,
                             (int)described.partitions_count);
    return mr_kafka_fail(error, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, NULL, "%s[%d]", topic,
                         (int)partition);
}

/* Leaders of a new topic, or after a broker's end, are unknown for a moment: worth trying again
 * here instead of in every caller. */
static bool try_again(enum mr_status status, const struct mr_error *error, uint64_t deadline_ms)
{
    if (status == MR_OK || mr_clock_monotonic_ms() >= deadline_ms)
        return false;
    if (error->origin_code != RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION &&
        error->origin_code != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        return false;
    mr_clock_sleep_ms(20);
    return true;
}

/* ---- Find ---- */

static void send_list_offsets(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                              rd_kafka_queue_t *queue, void *argument)
{
    rd_kafka_error_t *refusal = rd_kafka_AdminOptions_set_isolation_level(
        options, RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED);
    if (refusal != NULL)
        rd_kafka_error_destroy(refusal); /* it is the default; this call only says so */
    rd_kafka_ListOffsets(handle, argument, options, queue);
}

/* What came for one partition. librdkafka 2.8 reports a request to a leader that failed on its way
 * as a success without an offset; taken for the end of a log, nothing of it would be read. */
static enum mr_status check_found(const rd_kafka_topic_partition_t *found, const char *what,
                                  const char *topic, struct mr_error *error)
{
    rd_kafka_resp_err_t code = found->err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && found->offset == RD_KAFKA_OFFSET_INVALID)
        code = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return MR_OK;
    return mr_kafka_fail(error, code, NULL, "%s of %s[%d]", what, topic, (int)found->partition);
}

static enum mr_status list_offset_once(struct kafka_log *log, const char *topic, int32_t partition,
                                       int64_t specification, int64_t *offset,
                                       struct mr_error *error)
{
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, topic, partition)->offset = specification;
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request(log, RD_KAFKA_ADMIN_OP_LISTOFFSETS, send_list_offsets, partitions,
                               "Finding an offset", &event, error);
    rd_kafka_topic_partition_list_destroy(partitions);
    if (status != MR_OK)
        return explain(log, topic, partition, error);
    size_t count = 0;
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    const rd_kafka_topic_partition_t *found =
        count == 1 ? rd_kafka_ListOffsetsResultInfo_topic_partition(infos[0]) : NULL;
    if (found == NULL)
        status = MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_RETRY, "Kafka listed no offset of %s[%d].",
                         topic, (int)partition);
    else
        status = check_found(found, "Finding an offset", topic, error);
    if (status == MR_OK)
        *offset = found->offset;
    rd_kafka_event_destroy(event);
    return status;
}

static enum mr_status list_offset(struct kafka_log *log, const char *topic, int32_t partition,
                                  int64_t specification, int64_t *offset, struct mr_error *error)
{
    uint64_t deadline_ms = mr_clock_monotonic_ms() + KAFKA_ADMIN_WAIT_MS;
    enum mr_status status = list_offset_once(log, topic, partition, specification, offset, error);
    while (try_again(status, error, deadline_ms)) {
        mr_kafka_admin_refresh(log, topic);
        status = list_offset_once(log, topic, partition, specification, offset, error);
    }
    return status;
}

/* The metadata names a leader before that broker takes requests for the partition; what comes in
 * between is refused (see ledger.c for what that can lead to). */
static enum mr_status ask_leaders(struct kafka_log *log, const char *topic,
                                  int32_t partitions_count, struct mr_error *error)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new(partitions_count);
    for (int32_t partition = 0; partition < partitions_count; partition++)
        rd_kafka_topic_partition_list_add(partitions, topic, partition)->offset =
            RD_KAFKA_OFFSET_SPEC_EARLIEST;
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request(log, RD_KAFKA_ADMIN_OP_LISTOFFSETS, send_list_offsets, partitions,
                               "Waiting for a new topic's leaders", &event, error);
    rd_kafka_topic_partition_list_destroy(partitions);
    if (status != MR_OK)
        return explain(log, topic, partitions_count - 1, error);
    size_t count = 0;
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    for (size_t index = 0; index < count && status == MR_OK; index++)
        status = check_found(rd_kafka_ListOffsetsResultInfo_topic_partition(infos[index]),
                             "The leader", topic, error);
    rd_kafka_event_destroy(event);
    return status;
}

enum mr_status mr_kafka_await_leaders(struct kafka_log *log, const char *topic,
                                      int32_t partitions_count, struct mr_error *error)
{
    uint64_t deadline_ms = mr_clock_monotonic_ms() + KAFKA_PROPAGATION_MS;
    enum mr_status status;
    do {
        status = ask_leaders(log, topic, partitions_count, error);
        /* Of several brokers one may not have heard of the topic yet. */
        if (status != MR_OK && error->origin_code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            error->origin_code = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    } while (try_again(status, error, deadline_ms));
    return status;
}

enum mr_status mr_kafka_offset_find(struct mr_log *log, const char *topic, int32_t partition,
                                    int64_t at, int64_t *offset, struct mr_error *error)
{
    struct kafka_log *kafka = (struct kafka_log *)log;
    int64_t specification = at;
    if (at == MR_LOG_OFFSET_EARLIEST)
        specification = RD_KAFKA_OFFSET_SPEC_EARLIEST;
    else if (at == MR_LOG_OFFSET_LATEST)
        specification = RD_KAFKA_OFFSET_SPEC_LATEST;
    enum mr_status status = list_offset(kafka, topic, partition, specification, offset, error);
    /* No record at or after a time: the end. */
    if (status == MR_OK && at >= 0 && *offset < 0)
        status = list_offset(kafka, topic, partition, RD_KAFKA_OFFSET_SPEC_LATEST, offset, error);
    return status;
}

/* ---- Delete ---- */

static void send_delete_records(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                                rd_kafka_queue_t *queue, void *argument)
{
    rd_kafka_DeleteRecords_t *request = argument;
    rd_kafka_DeleteRecords(handle, &request, 1, options, queue);
}

/* The first error of a list of partitions. */
static enum mr_status check_partitions(const rd_kafka_topic_partition_list_t *partitions,
                                       const char *what, struct mr_error *error)
{
    for (int index = 0; partitions != NULL && index < partitions->cnt; index++) {
        const rd_kafka_topic_partition_t *partition = &partitions->elems[index];
        if (partition->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return mr_kafka_fail(error, partition->err, NULL, "%s of %s[%d]", what,
                                 partition->topic, (int)partition->partition);
    }
    return MR_OK;
}

static enum mr_status delete_once(struct kafka_log *log, const char *topic, int32_t partition,
                                  int64_t offset, struct mr_error *error)
{
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request(log, RD_KAFKA_ADMIN_OP_DELETERECORDS, send_delete_records, request,
                               "Deleting records", &event, error);
    rd_kafka_DeleteRecords_destroy(request);
    if (status != MR_OK)
        return explain(log, topic, partition, error);
    status = check_partitions(
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event)),
        "Deleting records", error);
    rd_kafka_event_destroy(event);
    return status;
}

enum mr_status mr_kafka_records_delete(struct mr_log *log, const char *topic, int32_t partition,
                                       int64_t offset, struct mr_error *error)
{
    uint64_t deadline_ms = mr_clock_monotonic_ms() + KAFKA_PROPAGATION_MS;
    enum mr_status status;
    do {
        status = delete_once((struct kafka_log *)log, topic, partition, offset, error);
    } while (try_again(status, error, deadline_ms));
    return status;
}

/* ---- Mirror ---- */

static void send_alter_offsets(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                               rd_kafka_queue_t *queue, void *argument)
{
    rd_kafka_AlterConsumerGroupOffsets_t *request = argument;
    rd_kafka_AlterConsumerGroupOffsets(handle, &request, 1, options, queue);
}

enum mr_status mr_kafka_offsets_mirror(struct mr_log *log, const char *group,
                                       const struct mr_log_assignment *offsets, uint32_t count,
                                       struct mr_error *error)
{
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t index = 0; index < count; index++) {
        if (offsets[index].offset >= 0)
            rd_kafka_topic_partition_list_add(partitions, offsets[index].topic,
                                              offsets[index].partition)
                ->offset = offsets[index].offset;
    }
    if (partitions->cnt == 0) {
        rd_kafka_topic_partition_list_destroy(partitions);
        return MR_OK;
    }
    rd_kafka_AlterConsumerGroupOffsets_t *request =
        rd_kafka_AlterConsumerGroupOffsets_new(group, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request((struct kafka_log *)log, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
                               send_alter_offsets, request, "Mirroring offsets", &event, error);
    rd_kafka_AlterConsumerGroupOffsets_destroy(request);
    if (status != MR_OK)
        return status;
    size_t groups_count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(event), &groups_count);
    for (size_t index = 0; index < groups_count && status == MR_OK; index++) {
        const rd_kafka_error_t *refusal = rd_kafka_group_result_error(groups[index]);
        if (refusal != NULL)
            status =
                mr_kafka_fail(error, rd_kafka_error_code(refusal), rd_kafka_error_string(refusal),
                              "Mirroring offsets to '%s'", group);
        else
            status = check_partitions(rd_kafka_group_result_partitions(groups[index]),
                                      "Mirroring an offset", error);
    }
    rd_kafka_event_destroy(event);
    return status;
}
