/* coordinator/election.h — who leads: a pure step machine, event + now -> commands.
 * Why: safety rests on the control id's initialisation alone (it fences every earlier writer); what
 * is decided here is only when to try, in which order, and when to give up. So it can be tested
 * without a log, and the simulation runs it as it is.
 * Model: the leader commits a heartbeat record every beat_ms; candidates watch it. After silence_ms
 * and a random part of spread_ms without a new one (at once when the last leader has resigned or
 * there never was one) a candidate reads to the end, initialises the control id, reads to the end
 * again, commits term + 1, and only then leads. A leader that has not committed a heartbeat for
 * silence_ms is suspended, since another may lead by now: it answers nobody and decides nothing
 * until a heartbeat is committed in less time than that, which proves that nobody has taken over.
 * So a slow log costs no term, and what the core knows stays. A leader that was fenced, whose write
 * failed, or who is suspended for give_up_ms, follows, and tries again cool_ms later at the
 * earliest. Threads: one at a time. Time: monotonic milliseconds; the election is safe whatever
 * they are. */
#ifndef MR_COORDINATOR_ELECTION_H
#define MR_COORDINATOR_ELECTION_H

#include "proto/messages.h"

struct mr_election;

struct mr_election_options {
    uint64_t candidate;  /* random id of the process */
    uint64_t seed;       /* of waiting times */
    const char *address; /* of the transport; copied */
    const char *http;    /* HOST:PORT; copied */
    uint32_t beat_ms;    /* between heartbeats; 0: 500 */
    uint32_t silence_ms; /* 0: 2000 */
    uint32_t spread_ms;  /* 0: 1000 */
    uint32_t cool_ms;    /* 0: 3000 */
    uint32_t give_up_ms; /* 0: 30000 */
};

enum mr_election_event_kind {
    MR_ELECTION_TICK,   /* at least every 100 ms */
    MR_ELECTION_RECORD, /* a leader record of the control topic, in order */
    MR_ELECTION_DONE,   /* the command `id` has ended; id 0: a write that the core wanted */
    MR_ELECTION_RESIGN  /* the process ends: hand over, and never lead again */
};

struct mr_election_event {
    enum mr_election_event_kind kind;
    const struct mr_leader_record *leader; /* RECORD */
    uint64_t id;                           /* DONE */
    bool failed;                           /* DONE */
};

/* At most one of the first three is under way at a time. */
enum mr_election_command_kind {
    MR_ELECTION_READ_TO_END, /* each leader record is told as RECORD before DONE */
    MR_ELECTION_INITIALISE,  /* the control id: become the topic's only writer */
    MR_ELECTION_WRITE,       /* commit `leader`, in order with the core's writes */
    MR_ELECTION_LEAD,        /* `leader` says the term */
    MR_ELECTION_SUSPEND,     /* answer nobody and decide nothing: the lead may be another's */
    MR_ELECTION_RESUME,      /* it is not: go on, with the same term */
    MR_ELECTION_FOLLOW,      /* lead no more: write nothing, whatever is under way */
    MR_ELECTION_GONE         /* handed over, or there was nothing to hand over */
};

struct mr_election_command {
    enum mr_election_command_kind kind;
    uint64_t id; /* READ_TO_END, INITIALISE, WRITE: for DONE */
    struct mr_leader_record leader;
};

struct mr_election *mr_election_create(const struct mr_election_options *options);
void mr_election_destroy(struct mr_election *election); /* accepts NULL */
void mr_election_step(struct mr_election *election, const struct mr_election_event *event,
                      uint64_t now_ms);
/* The next command, in order; false: there is none. Take all of them after each step. Texts are the
 * election's own. */
bool mr_election_command(struct mr_election *election, struct mr_election_command *command);

#endif
