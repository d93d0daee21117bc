/* coordinator/election.c — when a coordinator tries to lead, and when it gives up.
 *   STARTING -> WATCHING -silence-> LOOKING -> INITIALISING -> CATCHING_UP -> TAKING -> LEADING
 * and back to WATCHING when somebody was heard after all, or when anything fails. LEADING and
 * SUSPENDED follow each other while the log is slow.
 * Design: one state, left by one kind of event each; every other event only notes what it says. A
 * heartbeat's age is counted from when its write was asked for, so a leader falls silent before the
 * others, who see it later, begin to try. */
#include "coordinator/election.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"

enum { COMMANDS_MAX = 8 };

enum election_state {
    STARTING,     /* reads the topic for the first time */
    WATCHING,     /* somebody leads, or will */
    LOOKING,      /* silence: reads to the end, to be sure */
    INITIALISING, /* fences the leader before */
    CATCHING_UP,  /* reads what that one wrote last */
    TAKING,       /* commits the new term */
    LEADING,
    SUSPENDED, /* its heartbeat takes too long */
    RESIGNING, /* commits that it leads no more */
    ENDED
};

struct mr_election {
    struct mr_election_options options;
    char *address;
    char *http;
    struct mr_random random;
    enum election_state state;
    bool resign_wanted;
    /* The newest record. */
    bool known;
    bool resigned;
    uint64_t term;
    uint64_t beat;
    uint64_t heard_ms; /* when a record last said something new */
    /* Attempts. */
    uint64_t patience_ms;   /* with the present silence */
    uint64_t not_before_ms; /* after a lead or an attempt that failed */
    /* The own lead. */
    uint64_t own_term;
    uint64_t own_beat;
    uint64_t asked_ms; /* when the last heartbeat that is committed was asked for */
    uint64_t suspended_ms;
    /* The command under way. */
    uint64_t next_id;
    uint64_t waiting_id; /* 0: none */
    uint64_t begun_ms;   /* when it was asked for */
    struct mr_election_command commands[COMMANDS_MAX];
    uint32_t commands_count;
    uint32_t commands_taken;
};

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

struct mr_election *mr_election_create(const struct mr_election_options *options)
{
    struct mr_election *election = mr_memory_new(1, sizeof(*election));
    election->options = *options;
    election->options.beat_ms = or_default(options->beat_ms, 500);
    election->options.silence_ms = or_default(options->silence_ms, 2000);
    election->options.spread_ms = or_default(options->spread_ms, 1000);
    election->options.cool_ms = or_default(options->cool_ms, 3000);
    election->options.give_up_ms = or_default(options->give_up_ms, 30000);
    election->address = mr_memory_copy_text(options->address);
    election->http = mr_memory_copy_text(options->http);
    mr_random_init(&election->random, options->seed, options->candidate);
    return election;
}

void mr_election_destroy(struct mr_election *election)
{
    if (election == NULL)
        return;
    mr_memory_free(election->address);
    mr_memory_free(election->http);
    mr_memory_free(election);
}

bool mr_election_command(struct mr_election *election, struct mr_election_command *command)
{
    if (election->commands_taken == election->commands_count) {
        election->commands_taken = 0;
        election->commands_count = 0;
        return false;
    }
    *command = election->commands[election->commands_taken++];
    return true;
}

static struct mr_election_command *tell(struct mr_election *election,
                                        enum mr_election_command_kind kind)
{
    MR_ASSERT(election->commands_count < COMMANDS_MAX);
    struct mr_election_command *command = &election->commands[election->commands_count++];
    *command = (struct mr_election_command){.kind = kind,
                                            .leader = {.term = election->own_term,
                                                       .address = election->address,
                                                       .http = election->http,
                                                       .candidate = election->options.candidate,
                                                       .beat = election->own_beat}};
    return command;
}

/* A command whose end is waited for. */
static struct mr_election_command *ask(struct mr_election *election,
                                       enum mr_election_command_kind kind, uint64_t now_ms)
{
    MR_ASSERT(election->waiting_id == 0);
    struct mr_election_command *command = tell(election, kind);
    election->waiting_id = ++election->next_id;
    election->begun_ms = now_ms;
    command->id = election->waiting_id;
    return command;
}

/* From now on somebody else's silence is waited for. */
static void watch(struct mr_election *election, uint64_t now_ms)
{
    election->state = WATCHING;
    election->waiting_id = 0;
    election->patience_ms =
        election->options.silence_ms +
        mr_random_below(&election->random, (uint64_t)election->options.spread_ms + 1);
    election->heard_ms = now_ms;
}

static void finish(struct mr_election *election)
{
    election->state = ENDED;
    election->waiting_id = 0;
    tell(election, MR_ELECTION_FOLLOW);
    tell(election, MR_ELECTION_GONE);
}

/* Its writes fail, or somebody else leads. */
static void step_down(struct mr_election *election, uint64_t now_ms)
{
    if (election->resign_wanted) {
        finish(election);
        return;
    }
    tell(election, MR_ELECTION_FOLLOW);
    watch(election, now_ms);
    election->not_before_ms = now_ms + election->options.cool_ms;
}

static bool leads(const struct mr_election *election)
{
    return election->state == LEADING || election->state == SUSPENDED ||
           election->state == RESIGNING;
}

static bool silent(const struct mr_election *election, uint64_t now_ms)
{
    if (now_ms < election->not_before_ms)
        return false;
    return !election->known || election->resigned ||
           now_ms >= election->heard_ms + election->patience_ms;
}

/* ---- Events ---- */

static void on_record(struct mr_election *election, const struct mr_leader_record *leader,
                      uint64_t now_ms)
{
    bool news = !election->known || leader->term > election->term ||
                (leader->term == election->term &&
                 (leader->beat > election->beat || leader->resigned != election->resigned));
    if (!news)
        return;
    election->known = true;
    election->term = leader->term;
    election->beat = leader->beat;
    election->resigned = leader->resigned;
    election->heard_ms = now_ms;
    if (leads(election) && leader->candidate != election->options.candidate &&
        leader->term >= election->own_term)
        step_down(election, now_ms);
}

static void beat(struct mr_election *election, uint64_t now_ms)
{
    election->own_beat++;
    ask(election, MR_ELECTION_WRITE, now_ms);
}

static bool is_stale(const struct mr_election *election, uint64_t now_ms)
{
    return now_ms >= election->asked_ms + election->options.silence_ms;
}

static void tick_leading(struct mr_election *election, uint64_t now_ms)
{
    if (is_stale(election, now_ms)) {
        election->state = SUSPENDED;
        election->suspended_ms = now_ms;
        tell(election, MR_ELECTION_SUSPEND);
    }
    if (election->waiting_id == 0 && now_ms >= election->begun_ms + election->options.beat_ms)
        beat(election, now_ms);
}

static void tick_suspended(struct mr_election *election, uint64_t now_ms)
{
    if (now_ms >= election->suspended_ms + election->options.give_up_ms)
        step_down(election, now_ms);
    else if (election->waiting_id == 0)
        beat(election, now_ms);
}

/* A heartbeat is committed: nobody had taken over by then. */
static void on_beat(struct mr_election *election, uint64_t now_ms)
{
    election->asked_ms = election->begun_ms;
    if (election->state != SUSPENDED || is_stale(election, now_ms))
        return;
    election->state = LEADING;
    tell(election, MR_ELECTION_RESUME);
}

static void on_tick(struct mr_election *election, uint64_t now_ms)
{
    if (election->state == STARTING && election->waiting_id == 0) {
        ask(election, MR_ELECTION_READ_TO_END, now_ms);
    } else if (election->state == WATCHING && silent(election, now_ms)) {
        election->state = LOOKING;
        ask(election, MR_ELECTION_READ_TO_END, now_ms);
    } else if (election->state == LEADING) {
        tick_leading(election, now_ms);
    } else if (election->state == SUSPENDED) {
        tick_suspended(election, now_ms);
    } else if (election->state == RESIGNING && is_stale(election, now_ms)) {
        finish(election); /* the others hear its silence */
    }
}

static void on_failed(struct mr_election *election, uint64_t now_ms)
{
    if (election->state == LOOKING)
        watch(election, now_ms);
    else if (election->state != STARTING) /* that one reads again with the next tick */
        step_down(election, now_ms);
}

static void on_success(struct mr_election *election, uint64_t now_ms)
{
    switch (election->state) {
    case STARTING:
        watch(election, now_ms);
        break;
    case LOOKING:
        if (!silent(election, now_ms)) { /* somebody was heard after all */
            election->state = WATCHING;
            break;
        }
        election->state = INITIALISING;
        ask(election, MR_ELECTION_INITIALISE, now_ms);
        break;
    case INITIALISING:
        election->state = CATCHING_UP;
        ask(election, MR_ELECTION_READ_TO_END, now_ms);
        break;
    case CATCHING_UP:
        election->state = TAKING;
        election->own_term = election->term + 1;
        election->own_beat = 1;
        ask(election, MR_ELECTION_WRITE, now_ms);
        break;
    case TAKING:
        election->state = LEADING;
        election->asked_ms = election->begun_ms;
        tell(election, MR_ELECTION_LEAD);
        break;
    case LEADING:
    case SUSPENDED:
        on_beat(election, now_ms);
        break;
    case RESIGNING:
        finish(election);
        break;
    case WATCHING:
    case ENDED:
        break;
    }
}

static void on_done(struct mr_election *election, const struct mr_election_event *event,
                    uint64_t now_ms)
{
    if (event->id == 0) { /* the core's; a success says nothing that others see */
        if (event->failed && leads(election))
            step_down(election, now_ms);
        return;
    }
    if (event->id != election->waiting_id)
        return; /* of an attempt or a lead that is over */
    election->waiting_id = 0;
    if (event->failed)
        on_failed(election, now_ms);
    else
        on_success(election, now_ms);
}

/* A term or a heartbeat that is being written is waited for: one command at a time. */
static void hand_over(struct mr_election *election, uint64_t now_ms)
{
    if (election->state == ENDED || election->state == RESIGNING || election->state == TAKING)
        return;
    if (election->state != LEADING) {
        finish(election);
    } else if (election->waiting_id == 0) {
        election->state = RESIGNING;
        election->own_beat++;
        ask(election, MR_ELECTION_WRITE, now_ms)->leader.resigned = true;
    }
}

void mr_election_step(struct mr_election *election, const struct mr_election_event *event,
                      uint64_t now_ms)
{
    if (election->state == ENDED)
        return;
    switch (event->kind) {
    case MR_ELECTION_TICK:
        on_tick(election, now_ms);
        break;
    case MR_ELECTION_RECORD:
        on_record(election, event->leader, now_ms);
        break;
    case MR_ELECTION_DONE:
        on_done(election, event, now_ms);
        break;
    case MR_ELECTION_RESIGN:
        election->resign_wanted = true;
        break;
    }
    if (election->resign_wanted)
        hand_over(election, now_ms);
}
