/* coordinator/lead.c — who leads: the election's commands on the control thread, and back.
 * Design: everything that touches the control topic is an item for the control thread, in order, so
 * that what an item's result tells the core thread is preceded by every record that was read before
 * it. Between items a follower follows; a leader does not, since nobody else can write: when it
 * steps down it goes on reading where its lead began and reads its own records, which change
 * nothing. Items of an earlier lead are void. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "coordinator/internal.h"
#include "proto/codec.h"

#include <stdio.h>

enum { FOLLOW_WAIT_MS = 50, IDLE_WAIT_MS = 200, FAILED_PAUSE_MS = 500, RESIGN_MS_MAX = 8000 };

struct written {
    struct mr_core_record *records;
    uint32_t records_count;
};

struct read_record {
    struct mr_slice key;
    struct mr_slice value;
};

/* ---- The control thread ---- */

static void finish_record(struct mr_coordinator *coordinator, struct mr_work *work,
                          uint64_t now_ms);

/* A record of the topic goes to the core thread; waits where that is busy. */
static enum mr_status visit(void *argument, struct mr_slice key, struct mr_slice value,
                            int64_t written_ms, struct mr_error *error)
{
    struct mr_coordinator *coordinator = argument;
    struct mr_work *work = mr_work_create(NULL, finish_record);
    struct read_record *record = mr_arena_new(&work->arena, 1, sizeof(*record));
    (void)written_ms;
    (void)error;
    record->key = mr_arena_copy(&work->arena, key);
    record->value = mr_arena_copy(&work->arena, value);
    work->data = record;
    mr_work_report(coordinator, work);
    return MR_OK;
}

static void follow(struct mr_coordinator *coordinator)
{
    struct mr_error error;
    if (mr_control_log_follow(coordinator->control, FOLLOW_WAIT_MS, visit, coordinator, &error) ==
        MR_OK)
        return;
    MR_LOG_AT(MR_LOG_WARNING, "coordinator", NULL, "the control topic cannot be followed: %s",
              error.message);
    mr_clock_sleep_ms(FAILED_PAUSE_MS);
}

void mr_lead_control_loop(struct mr_coordinator *coordinator)
{
    coordinator->following = true;
    for (;;) {
        void *item;
        enum mr_status status = mr_ring_pop(coordinator->control_ring, &item,
                                            coordinator->following ? 0 : IDLE_WAIT_MS);
        if (status == MR_CLOSED)
            return;
        if (status == MR_OK) {
            struct mr_work *work = item;
            work->run(coordinator, work);
            mr_work_report(coordinator, work);
        } else if (coordinator->following) {
            follow(coordinator);
        }
    }
}

static void run_read(struct mr_coordinator *coordinator, struct mr_work *work)
{
    work->status =
        mr_control_log_read_to_end(coordinator->control, visit, coordinator, &work->error);
}

static void run_initialise(struct mr_coordinator *coordinator, struct mr_work *work)
{
    work->status = mr_control_log_initialise(coordinator->control, &work->error);
}

static void run_write(struct mr_coordinator *coordinator, struct mr_work *work)
{
    const struct written *written = work->data;
    work->status = mr_control_log_write(coordinator->control, written->records,
                                        written->records_count, &work->error);
    if (work->status != MR_OK)
        return;
    mr_metric_add(coordinator->series.control_writes, 1);
    if (coordinator->following) { /* the first of a lead: nobody else writes from here on */
        coordinator->following = false;
        mr_control_log_rest(coordinator->control);
    }
}

static void run_resign(struct mr_coordinator *coordinator, struct mr_work *work)
{
    (void)work;
    mr_control_log_resign(coordinator->control);
    coordinator->following = true;
}

/* ---- The core thread ---- */

static void perform(struct mr_coordinator *coordinator, uint64_t now_ms);

void mr_lead_open(struct mr_coordinator *coordinator)
{
    const struct mr_election_options options = {.candidate = coordinator->candidate,
                                                .seed = mr_clock_monotonic_ns() ^
                                                        coordinator->candidate,
                                                .address = coordinator->advertise,
                                                .http = coordinator->http_address};
    coordinator->election = mr_election_create(&options);
}

void mr_lead_close(struct mr_coordinator *coordinator)
{
    mr_election_destroy(coordinator->election);
}

static void note_leader(struct mr_coordinator *coordinator, const struct mr_leader_record *leader)
{
    (void)pthread_mutex_lock(&coordinator->mutex);
    coordinator->known_term = leader->term;
    (void)snprintf(coordinator->known_address, sizeof(coordinator->known_address), "%s",
                   leader->resigned ? "" : leader->address);
    (void)snprintf(coordinator->known_http, sizeof(coordinator->known_http), "%s",
                   leader->resigned ? "" : leader->http);
    (void)pthread_mutex_unlock(&coordinator->mutex);
}

bool mr_lead_known(struct mr_coordinator *coordinator, char address[MR_SHELL_TEXT_MAX],
                   char http[MR_SHELL_TEXT_MAX], uint64_t *term)
{
    (void)pthread_mutex_lock(&coordinator->mutex);
    memcpy(address, coordinator->known_address, MR_SHELL_TEXT_MAX);
    memcpy(http, coordinator->known_http, MR_SHELL_TEXT_MAX);
    *term = coordinator->known_term;
    (void)pthread_mutex_unlock(&coordinator->mutex);
    return address[0] != '\0';
}

static void finish_record(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct read_record *record = work->data;
    if (!mr_slice_equal(record->key, mr_slice_text("leader"))) {
        const struct mr_core_event event = {
            .kind = MR_CORE_RECORD, .key = record->key, .value = record->value};
        if (!atomic_load(&coordinator->in_term))
            mr_shell_step(coordinator, &event, now_ms);
        return;
    }
    struct mr_leader_record leader;
    struct mr_error error;
    if (record->value.size == 0 ||
        mr_leader_record_decode(record->value, &work->arena, &leader, &error) != MR_OK)
        return;
    const struct mr_election_event event = {.kind = MR_ELECTION_RECORD, .leader = &leader};
    note_leader(coordinator, &leader);
    mr_election_step(coordinator->election, &event, now_ms);
    perform(coordinator, now_ms);
}

/* What an item of the election has come to. */
static void finish_item(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct mr_election_event event = {
        .kind = MR_ELECTION_DONE, .id = work->id, .failed = work->status != MR_OK};
    if (work->status != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "coordinator", NULL, "%s", work->error.message);
    else if (work->run == run_read)
        atomic_store(&coordinator->warm, true);
    mr_election_step(coordinator->election, &event, now_ms);
    perform(coordinator, now_ms);
}

static void send_item(struct mr_coordinator *coordinator, mr_work_run_fn run, uint64_t id)
{
    struct mr_work *work = mr_work_create(run, finish_item);
    work->id = id;
    if (mr_work_send(coordinator->control_ring, work))
        return;
    work->status = MR_FAIL(&work->error, MR_LIMIT, MR_RECOVERY_RETRY,
                           "More than %d items wait for the control topic.", MR_WORK_RING);
    mr_work_later(coordinator, work);
}

static void send_leader_record(struct mr_coordinator *coordinator,
                               const struct mr_election_command *command)
{
    struct mr_work *work = mr_work_create(run_write, finish_item);
    struct written *written = mr_arena_new(&work->arena, 1, sizeof(*written));
    written->records = mr_arena_new(&work->arena, 1, sizeof(*written->records));
    written->records_count = 1;
    written->records[0] =
        (struct mr_core_record){.key = mr_slice_text("leader"),
                                .value = mr_leader_record_encode(&command->leader, &work->arena)};
    work->data = written;
    work->id = command->id;
    if (mr_work_send(coordinator->control_ring, work))
        return;
    work->status = MR_FAIL(&work->error, MR_LIMIT, MR_RECOVERY_RETRY,
                           "More than %d items wait for the control topic.", MR_WORK_RING);
    mr_work_later(coordinator, work);
}

static void begin_lead(struct mr_coordinator *coordinator,
                       const struct mr_election_command *command, uint64_t now_ms)
{
    const struct mr_core_event event = {.kind = MR_CORE_LEAD, .term = command->leader.term};
    MR_LOG_AT(MR_LOG_INFO, "coordinator", MR_LOG_FIELDS("http", coordinator->http_address),
              "this coordinator leads, term %llu", (unsigned long long)command->leader.term);
    note_leader(coordinator, &command->leader);
    coordinator->leads_count++;
    atomic_store(&coordinator->in_term, true);
    atomic_store(&coordinator->leads, true);
    mr_shell_step(coordinator, &event, now_ms);
}

/* Whoever asks from now on is told that nobody leads. */
static void fall_silent(struct mr_coordinator *coordinator, enum mr_core_event_kind kind,
                        uint64_t now_ms)
{
    const struct mr_core_event event = {.kind = kind};
    static const struct mr_leader_record nobody = {.address = "", .http = ""};
    atomic_store(&coordinator->leads, false);
    if (coordinator->leads_count > 0)
        note_leader(coordinator, &nobody);
    mr_shell_step(coordinator, &event, now_ms);
}

static void suspend_lead(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    MR_LOG_AT(
        MR_LOG_WARNING, "coordinator", NULL,
        "Kafka takes too long to commit a heartbeat: this coordinator answers nobody until it "
        "does");
    fall_silent(coordinator, MR_CORE_SUSPEND, now_ms);
}

static void resume_lead(struct mr_coordinator *coordinator,
                        const struct mr_election_command *command, uint64_t now_ms)
{
    const struct mr_core_event event = {.kind = MR_CORE_RESUME};
    MR_LOG_AT(MR_LOG_INFO, "coordinator", NULL, "this coordinator goes on leading, term %llu",
              (unsigned long long)command->leader.term);
    note_leader(coordinator, &command->leader);
    atomic_store(&coordinator->leads, true);
    mr_shell_step(coordinator, &event, now_ms);
}

static void end_lead(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    MR_LOG_AT(MR_LOG_WARNING, "coordinator", NULL, "this coordinator leads no more");
    atomic_store(&coordinator->in_term, false);
    fall_silent(coordinator, MR_CORE_FOLLOW, now_ms);
    mr_api_give_up(coordinator);
    mr_shell_warnings_clear(coordinator);
    send_item(coordinator, run_resign, 0);
}

static void perform(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    struct mr_election_command command;
    while (mr_election_command(coordinator->election, &command)) {
        switch (command.kind) {
        case MR_ELECTION_READ_TO_END:
            send_item(coordinator, run_read, command.id);
            break;
        case MR_ELECTION_INITIALISE:
            send_item(coordinator, run_initialise, command.id);
            break;
        case MR_ELECTION_WRITE:
            send_leader_record(coordinator, &command);
            break;
        case MR_ELECTION_LEAD:
            begin_lead(coordinator, &command, now_ms);
            break;
        case MR_ELECTION_SUSPEND:
            suspend_lead(coordinator, now_ms);
            break;
        case MR_ELECTION_RESUME:
            resume_lead(coordinator, &command, now_ms);
            break;
        case MR_ELECTION_FOLLOW:
            end_lead(coordinator, now_ms);
            break;
        case MR_ELECTION_GONE:
            coordinator->gone = true;
            break;
        }
    }
}

void mr_lead_step(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    const struct mr_election_event event = {.kind = MR_ELECTION_TICK};
    mr_election_step(coordinator->election, &event, now_ms);
    perform(coordinator, now_ms);
    if (coordinator->resigning && now_ms > coordinator->resigning_ms + RESIGN_MS_MAX)
        coordinator->gone = true; /* the log does not answer; silence will tell the others */
}

void mr_lead_resign(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    const struct mr_election_event event = {.kind = MR_ELECTION_RESIGN};
    coordinator->resigning_ms = now_ms;
    mr_election_step(coordinator->election, &event, now_ms);
    perform(coordinator, now_ms);
}

/* ---- The core's writes ---- */

static void finish_write(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct mr_core_event event = {.kind = MR_CORE_WRITTEN,
                                        .id = work->id,
                                        .failed = work->status != MR_OK,
                                        .text = work->error.message};
    if (work->handle != coordinator->leads_count || !atomic_load(&coordinator->in_term))
        return; /* of an earlier lead */
    if (work->status != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "coordinator", NULL, "a decision was not committed: %s",
                  work->error.message);
    mr_shell_step(coordinator, &event, now_ms);
    const struct mr_election_event done = {
        .kind = MR_ELECTION_DONE, .id = 0, .failed = work->status != MR_OK};
    mr_election_step(coordinator->election, &done, now_ms);
    perform(coordinator, now_ms);
}

void mr_lead_write(struct mr_coordinator *coordinator, uint64_t id,
                   const struct mr_core_record *records, uint32_t records_count, uint64_t now_ms)
{
    struct mr_work *work = mr_work_create(run_write, finish_write);
    struct written *written = mr_arena_new(&work->arena, 1, sizeof(*written));
    (void)now_ms;
    written->records = mr_arena_new(&work->arena, records_count, sizeof(*written->records));
    written->records_count = records_count;
    for (uint32_t index = 0; index < records_count; index++)
        written->records[index] =
            (struct mr_core_record){.key = mr_arena_copy(&work->arena, records[index].key),
                                    .value = mr_arena_copy(&work->arena, records[index].value)};
    work->data = written;
    work->id = id;
    work->handle = coordinator->leads_count;
    if (mr_work_send(coordinator->control_ring, work))
        return;
    work->status = MR_FAIL(&work->error, MR_LIMIT, MR_RECOVERY_RETRY,
                           "More than %d decisions wait for the control topic.", MR_WORK_RING);
    mr_work_later(coordinator, work);
}
