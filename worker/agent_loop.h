/* worker/agent_loop.h — the control thread's work: the agent with a real clock, a real transport
 * and the process's own tasks. Model: a turn waits for an answer of the coordinator, at most 20 ms,
 * looks at what there is, lets the agent decide and carries out what it says. Nothing in a turn
 * waits for the log or the disk. Threads: one, but mr_agent_loop_contact and mr_agent_loop_leave:
 * any. */
#ifndef MR_WORKER_AGENT_LOOP_H
#define MR_WORKER_AGENT_LOOP_H

#include "proto/transport.h"
#include "worker/host.h"

struct mr_agent_loop;

enum mr_agent_loop_state {
    MR_AGENT_LOOP_GOES_ON,
    MR_AGENT_LOOP_FINISHED,  /* everything was released, or the worker is drained */
    MR_AGENT_LOOP_UNFINISHED /* the deadline passed; the next owners fence */
};

struct mr_agent_loop_open {
    struct mr_agent_options agent;
    struct mr_host *host;               /* borrowed */
    struct mr_transport *transport;     /* borrowed */
    const struct mr_transport_tls *tls; /* NULL: none */
};

enum mr_status mr_agent_loop_create(const struct mr_agent_loop_open *open,
                                    struct mr_agent_loop **loop,
                                    struct mr_error *error) MR_NODISCARD;
void mr_agent_loop_destroy(struct mr_agent_loop *loop); /* accepts NULL */
enum mr_agent_loop_state mr_agent_loop_turn(struct mr_agent_loop *loop);
/* Ask whether this worker's name is coming back. If it is: release everything, tell the
 * coordinator, and finish within deadline_ms. If not: finish when the coordinator has moved the
 * tasks, or release what is left after drain_ms. drain_ms 0: nobody is asked, it is coming back. */
void mr_agent_loop_leave(struct mr_agent_loop *loop, uint32_t deadline_ms, uint32_t drain_ms);

/* Milliseconds since the last turn. Any thread. */
uint64_t mr_agent_loop_silence_ms(const struct mr_agent_loop *loop);

/* How the coordinator is reached; address is copied. */
struct mr_agent_loop_contact {
    bool more; /* tasks are on their way to it */
    bool answered;
    bool leaving;
    uint64_t silent_ms;
    uint64_t term;
    char address[MR_TRANSPORT_ADDRESS_SIZE];
};
void mr_agent_loop_contact(struct mr_agent_loop *loop, struct mr_agent_loop_contact *contact);

#endif
