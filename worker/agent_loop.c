/* worker/agent_loop.c — turns of the agent. */
#include "worker/agent_loop.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "proto/codec.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    WAIT_MS = 20,
    BUSY_WAIT_MS = 5, /* while something is on its way: a release, a standby that leaves */
    ARENA_CHUNK_BYTES = 1 << 16,
    SILENCE_SAID_MS = 10000
};

struct mr_agent_loop {
    struct mr_agent *agent;
    struct mr_host *host;
    struct mr_transport_client *client;
    struct mr_arena arena; /* of one turn: answer and request */
    bool broken;           /* the last request could not be sent */
    bool busy;
    bool reached; /* the last answer counted not long ago */
    uint64_t silence_said_ms;
    _Atomic uint32_t leave_ms;  /* 0: stay */
    _Atomic uint32_t drain_ms;  /* of the leave */
    _Atomic uint64_t turned_ms; /* monotonic */
    pthread_mutex_t mutex;      /* guards contact */
    struct mr_agent_loop_contact contact;
};

enum mr_status mr_agent_loop_create(const struct mr_agent_loop_open *open,
                                    struct mr_agent_loop **loop, struct mr_error *error)
{
    struct mr_transport_client *client;
    enum mr_status status =
        open->transport->ops->client_create(open->transport, open->tls, &client, error);
    if (status != MR_OK)
        return status;
    struct mr_agent_loop *made = mr_memory_new(1, sizeof(*made));
    made->agent = mr_agent_create(&open->agent);
    made->host = open->host;
    made->client = client;
    atomic_store(&made->turned_ms, mr_clock_monotonic_ms());
    mr_arena_init(&made->arena, ARENA_CHUNK_BYTES);
    (void)pthread_mutex_init(&made->mutex, NULL);
    *loop = made;
    return MR_OK;
}

void mr_agent_loop_destroy(struct mr_agent_loop *loop)
{
    if (loop == NULL)
        return;
    loop->client->transport->ops->client_destroy(loop->client);
    mr_agent_destroy(loop->agent);
    mr_arena_deinit(&loop->arena);
    (void)pthread_mutex_destroy(&loop->mutex);
    mr_memory_free(loop);
}

void mr_agent_loop_leave(struct mr_agent_loop *loop, uint32_t deadline_ms, uint32_t drain_ms)
{
    atomic_store(&loop->drain_ms, drain_ms);
    atomic_store(&loop->leave_ms, deadline_ms > 0 ? deadline_ms : 1);
    loop->client->transport->ops->client_wake(loop->client);
}

uint64_t mr_agent_loop_silence_ms(const struct mr_agent_loop *loop)
{
    return mr_clock_monotonic_ms() - atomic_load(&loop->turned_ms);
}

void mr_agent_loop_contact(struct mr_agent_loop *loop, struct mr_agent_loop_contact *contact)
{
    (void)pthread_mutex_lock(&loop->mutex);
    *contact = loop->contact;
    (void)pthread_mutex_unlock(&loop->mutex);
}

/* Wait for what happens next. reply is in the loop's arena. */
static struct mr_agent_event next_event(struct mr_agent_loop *loop, struct mr_reply *reply)
{
    struct mr_slice bytes;
    struct mr_error error;
    struct mr_agent_event event = {.kind = MR_AGENT_EVENT_TICK};
    if (loop->broken) {
        loop->broken = false;
        event.kind = MR_AGENT_EVENT_BROKEN;
        return event;
    }
    enum mr_status status = loop->client->transport->ops->client_wait(
        loop->client, loop->busy ? BUSY_WAIT_MS : WAIT_MS, &loop->arena, &bytes, &error);
    uint32_t leave_ms = atomic_exchange(&loop->leave_ms, 0);
    if (status == MR_OK)
        status = mr_reply_decode(bytes, &loop->arena, reply, &error);
    if (leave_ms > 0) { /* an answer that is lost for it is asked for again */
        event.kind = MR_AGENT_EVENT_LEAVE;
        event.deadline_ms = leave_ms;
        event.drain_ms = atomic_load(&loop->drain_ms);
        return event;
    }
    if (status == MR_OK) {
        event.kind = MR_AGENT_EVENT_REPLY;
        event.reply = reply;
        return event;
    }
    if (status == MR_AGAIN || status == MR_NOT_FOUND)
        return event;
    if (status != MR_CLOSED)
        MR_LOG_AT(MR_LOG_WARNING, "agent", NULL, "an answer cannot be used: %s", error.message);
    event.kind = MR_AGENT_EVENT_BROKEN;
    return event;
}

static void send(struct mr_agent_loop *loop, const struct mr_agent_command *command)
{
    struct mr_error error;
    struct mr_slice bytes = mr_request_encode(&command->request, &loop->arena);
    enum mr_status status =
        loop->client->transport->ops->client_send(loop->client, command->address, bytes, &error);
    if (status == MR_OK)
        return;
    loop->broken = true;
    MR_LOG_AT(MR_LOG_WARNING, "agent", MR_LOG_FIELDS("coordinator", command->address),
              "a request could not be sent: %s", error.message);
}

static enum mr_agent_loop_state obey(struct mr_agent_loop *loop,
                                     const struct mr_agent_command *command, uint64_t now_ms)
{
    switch ((int)command->kind) {
    case MR_AGENT_COMMAND_SEND:
        send(loop, command);
        break;
    case MR_AGENT_COMMAND_SAY:
        MR_LOG_AT(MR_LOG_WARNING, "agent", NULL, "%s", command->text);
        break;
    case MR_AGENT_COMMAND_EXIT:
        return command->unfinished ? MR_AGENT_LOOP_UNFINISHED : MR_AGENT_LOOP_FINISHED;
    case MR_AGENT_COMMAND_ANSWERED:
        mr_host_obey(loop->host, command, now_ms);
        break;
    default:
        loop->busy = true;
        mr_host_obey(loop->host, command, now_ms);
        break;
    }
    return MR_AGENT_LOOP_GOES_ON;
}

static void note_contact(struct mr_agent_loop *loop, uint64_t now_ms)
{
    struct mr_agent_contact now = mr_agent_contact(loop->agent, now_ms);
    (void)pthread_mutex_lock(&loop->mutex);
    loop->contact = (struct mr_agent_loop_contact){.answered = now.answered,
                                                   .leaving = now.leaving,
                                                   .more = now.more,
                                                   .silent_ms = now.silent_ms,
                                                   .term = now.term};
    (void)snprintf(loop->contact.address, sizeof(loop->contact.address), "%s", now.address);
    (void)pthread_mutex_unlock(&loop->mutex);
    bool reached = now.answered && now.silent_ms < SILENCE_SAID_MS;
    if (reached && !loop->reached)
        MR_LOG_AT(MR_LOG_INFO, "agent", MR_LOG_FIELDS("coordinator", now.address),
                  "the coordinator answers");
    if (!reached && now.silent_ms >= SILENCE_SAID_MS &&
        now_ms - loop->silence_said_ms >= SILENCE_SAID_MS) {
        loop->silence_said_ms = now_ms;
        MR_LOG_AT(MR_LOG_WARNING, "agent", MR_LOG_FIELDS("coordinator", now.address),
                  "no coordinator has answered for %llu s; tasks run on as they are",
                  (unsigned long long)(now.silent_ms / 1000));
    }
    loop->reached = reached;
}

enum mr_agent_loop_state mr_agent_loop_turn(struct mr_agent_loop *loop)
{
    struct mr_reply reply;
    mr_arena_reset(&loop->arena);
    struct mr_agent_event event = next_event(loop, &reply);
    uint64_t now_ms = mr_clock_monotonic_ms();
    struct mr_agent_commands commands =
        mr_agent_step(loop->agent, &event, mr_host_look(loop->host), now_ms);
    enum mr_agent_loop_state state = MR_AGENT_LOOP_GOES_ON;
    loop->busy = false;
    for (uint32_t index = 0; index < commands.items_count && state == MR_AGENT_LOOP_GOES_ON;
         index++)
        state = obey(loop, &commands.items[index], now_ms);
    note_contact(loop, now_ms);
    atomic_store(&loop->turned_ms, now_ms);
    return state;
}
