/* docs/models/exactly_once.pml — the claim, fence and commit protocol, for Spin.
 * What is modelled, what is left out and why that is sound: README.md here. Bounds and mutations
 * are macros (-D); tests/model/run_models.py holds the table of those that are run.
 *
 * Shape: two workers, a log (Kafka) and a coordinator that is not there at all: a worker may claim
 * any task at any time, as if somebody had assigned it. Each alternative of a loop is one atomic
 * step; between two steps anything may happen elsewhere, so a worker that takes no step is a paused
 * one. A failure of any kind (crash, refused request, doubtful commit) is `die`: all memory of the
 * incarnation is gone, what it has sent stays at the log. */

/* ---- Bounds ---- */

#ifndef TASKS
#define TASKS 1
#endif
#ifndef OFFSETS
#define OFFSETS 2 /* input offsets of each task */
#endif
#ifndef STARTS_0
#define STARTS_0 2 /* incarnations of worker 0, one after the other */
#endif
#ifndef STARTS_1
#define STARTS_1 1
#endif
#ifndef EPOCHS
#define EPOCHS 1 /* epochs that an assignment may carry */
#endif
#ifndef SLOTS
#define SLOTS 2 /* data producers of an incarnation: 1 is a lane without a pipeline */
#endif
#ifndef QUEUE
#define QUEUE 6 /* undecided records in a partition; an overflow is an error of the model */
#endif

/* ---- Switches: what can happen besides claims and commits ---- */

/* RELEASE: tasks are given back. HELD: an EndTxn may be held on its connection, repeated, and
 * arrive later. TIMEOUT: the log aborts open transactions by itself. PIECES: records that a task
 * has in a transaction; with 2 the effect and the progress are apart, with 1 they are one. */
#ifndef PIECES
#define PIECES 1
#endif

/* LIVENESS: at some moment faults stop. Worker 0 has died for good, worker 1 has just started, all
 * assignments are to it and have the highest epoch, nothing is released. What was sent is where it
 * was. From then on everything must be processed. */
#ifdef LIVENESS
#define INCARNATIONS (STARTS_0 + STARTS_1 + 1)
#define CALM calm
#define AWAKE (!calm || ME.calm)
bool calm;
bool complete;
ltl recovers { [] (calm -> <> complete) }
#else
#define INCARNATIONS (STARTS_0 + STARTS_1)
#define CALM false
#define AWAKE true
#endif

#define DATA (2 * INCARNATIONS)     /* data producers come first, then a claim producer per task */
#define PRODUCERS (DATA + TASKS)
#define CLAIM(t) (DATA + (t))
#define PID(i, s) (2 * ((i) - 1) + (s))
#define OWNER(p) ((p) / 2 + 1)
#ifdef SHARED_PROGRESS
#define PARTITION(t) 0
#define CLAIMS 1
#else
#define PARTITION(t) (t)
#define CLAIMS TASKS /* the claims of all tasks are in one partition */
#endif
#define PARTITIONS (CLAIMS + 1)

/* ---- The log ---- */

#define IDLE 0    /* a producer's transaction: none, or complete */
#define ONGOING 1
#define PREPARED 2 /* decided: it will be committed, its markers are on the way */

#define UNBORN 0  /* a data producer's epoch: nobody has initialised it */
#define VALID 1   /* its owner holds the newest epoch */
#define FENCED 2  /* somebody else does */

#define OPEN 0    /* a record in a partition */
#define COMMITTED 1
#define ABORTED 2

/* The records of a partition that a read_committed reader has not passed, oldest first. value is an
 * input offset and a piece, or a claim. */
typedef Partition {
    byte count;
    byte producer[QUEUE];
    byte key[QUEUE];
    byte value[QUEUE];
    byte fate[QUEUE]
};

Partition log[PARTITIONS];
byte transaction[PRODUCERS];
byte epoch[DATA];
bool held[DATA];    /* an EndTxn of the present epoch is on its way */
byte holder[TASKS]; /* 1 + the worker whose claim producer has the newest epoch; 0: nobody */

/* What a read_committed reader has seen: effects and progress of each task, its last claim. */
byte effects[TASKS];
byte progress[TASKS];
byte claims[TASKS];

/* A claim in a byte: incarnation and epoch. A claim that is released, and one that was never made,
 * has incarnation 0: nobody asks who released it. */
#define CLAIM_OF(i, e) ((i) + 8 * (e))
#define CLAIM_INCARNATION(c) ((c) & 7)
#define CLAIM_EPOCH(c) ((c) >> 3)

/* ---- Workers ---- */

#define EMPTY 0   /* a slot: nothing */
#define STAGED 1  /* records in memory, none sent */
#define SENDING 2 /* sealed: some or all records sent and acknowledged */

typedef Slot {
    byte phase;
    bool dirty;
    byte record[TASKS]; /* 1 + input offset; 0: the transaction has nothing of this task */
    byte sent[TASKS]
};

#define NONE 0
#define RUNNING 1

typedef Worker {
    byte starts;
#ifdef LIVENESS
    bool calm;        /* what calm demands is done */
#endif
    byte incarnation; /* 0: down */
    bool ready;       /* data producers are initialised */
    byte own[TASKS];
    byte next[TASKS]; /* input offset */
    Slot slot[2];
#ifdef OUTCOME_FROM_MEMORY
    byte resume;      /* 1 + input offset that the lane believes to be the next */
#endif
    byte older;       /* slot of transaction N; the other one has N+1 */
    /* The claimer, which runs beside the task thread. */
    byte step;
    byte task;
    byte epoch;
    byte victim;      /* incarnation to fence */
    byte left;        /* records to pass until the end of the partition that is read */
    byte reading
};

Worker worker[2];

/* Scratch of atomic steps, no part of the state. */
hidden byte i, j, k, v, any;

/* Steps tell what they do when a counterexample is replayed; a search prints nothing. */
#define DONE any = 0 /* Spin does not let an atomic step end in a loop */
#define SAY(text, x, y) printf(text, x, y)
#define SAY_TASK(t) printf(" of task %d\n", t)

#include "log.pml"
#include "worker.pml"

proctype Work(byte w) {
    d_step { start() };
end:
    do
    :: d_step { UP && BUSY && !CALM -> die() }
#ifdef CLAIM_BEFORE_INIT
    :: d_step { UP && !ME.ready && transaction[MINE(0)] != PREPARED &&
                transaction[MINE(1)] != PREPARED ->
        initialise(MINE(0), VALID); initialise(MINE(1), VALID); ME.ready = true }
#endif
#ifdef LIVENESS
    :: d_step { calm && !ME.calm ->
        die();
        ME.starts = (w == 0 -> STARTS_0 : STARTS_1 + 1);
        ME.calm = true;
        if
        :: w == 1 ->
            ME.incarnation = INCARNATIONS;
            ME.ready = true;
            epoch[DATA - 2] = VALID;
            epoch[DATA - 1] = VALID
        :: else
        fi }
#endif
#ifdef INIT_AGAIN
    /* abort_transaction: initialises the ids again, goes on from what is committed. */
    :: d_step { UP && transaction[MINE(0)] != PREPARED && transaction[MINE(1)] != PREPARED &&
                (epoch[MINE(0)] != VALID || epoch[MINE(1)] != VALID) ->
        initialise(MINE(0), VALID);
        initialise(MINE(1), VALID);
        drop_slot(0);
        drop_slot(1);
        for (k : 0 .. TASKS - 1) {
            ME.next[k] = (ME.own[k] == NONE -> 0 : progress[k])
        };
        DONE }
#endif
    TASK_STEPS(0)
    SLOT_STEPS(0)
#if SLOTS == 2
    SLOT_STEPS(1)
#endif
#if TASKS == 2
    TASK_STEPS(1)
#endif
#if EPOCHS == 2
    LATER_EPOCH(0)
#if TASKS == 2
    LATER_EPOCH(1)
#endif
#endif
#ifdef HELD
    HELD_STEP(0)
#if SLOTS == 2
    HELD_STEP(1)
#endif
#endif
    /* The claimer. Initialising waits for the markers of a decided transaction. */
    :: d_step { AT(INIT) && transaction[CLAIM_ID] != PREPARED -> claim_init(AFTER_INIT) }
    :: d_step { AT(CHECK) && ME.left == 0 -> claim_check() }
    :: d_step { AT(FENCE_0) && (ME.victim == 0 || transaction[VICTIM(0)] != PREPARED) ->
        claim_fence(0) }
    :: d_step { AT(FENCE_1) && (ME.victim == 0 || transaction[VICTIM(1)] != PREPARED) ->
        claim_fence(1) }
    :: d_step { AT(WRITE) && CLAIMS_HAVE_ROOM -> claim_write(0) }
    :: d_step { AT(COMMIT) -> claim_commit() }
    :: d_step { AT(TAKE) && ME.left == 0 -> take() }
#ifdef RELEASE
    RELEASE_STEPS(0)
#if TASKS == 2
    RELEASE_STEPS(1)
#endif
    :: d_step { AT(RELEASE_INIT) && transaction[CLAIM_ID] != PREPARED ->
        claim_init(RELEASE_CHECK) }
    :: d_step { AT(RELEASE_CHECK) && ME.left == 0 -> release_check() }
    :: d_step { AT(RELEASE_WRITE) -> claim_write(1) }
    :: d_step { AT(RELEASE_COMMIT) -> release_commit() }
#endif
    od
}

/* ---- What the log does by itself ---- */

inline end_by_itself(p) {
    SAY("time-out of producer %d (from %d on: of claims)\n", p, DATA);
    abort(p);
    if
    :: p < DATA -> epoch[p] = FENCED; held[p] = false
    :: else -> holder[p - DATA] = 0
    fi
}

inline arrive(p) {
    held[p] = false;
    SAY("a held EndTxn of incarnation %d, producer %d arrives\n", OWNER(p), p % 2);
    if
    :: transaction[p] == ONGOING -> decide(p)
    :: else
    fi
}

/* Has p records in partition q whose marker is to be written? */
#define HAS(q, n, p) \
    (log[q].count > (n) && log[q].producer[n] == (p) && log[q].fate[n] == OPEN)
#define CAN_MARK(q, p) \
    (transaction[p] == PREPARED && \
     (HAS(q, 0, p) || HAS(q, 1, p) || HAS(q, 2, p) || HAS(q, 3, p) || HAS(q, 4, p) || \
      HAS(q, 5, p)))

#if CLAIMS == 2
#define MARK(p) \
    :: d_step { CAN_MARK(0, p) -> mark(0, p) } \
    :: d_step { CAN_MARK(1, p) -> mark(1, p) } \
    :: d_step { CAN_MARK(2, p) -> mark(2, p) }
#else
#define MARK(p) \
    :: d_step { CAN_MARK(0, p) -> mark(0, p) } \
    :: d_step { CAN_MARK(1, p) -> mark(1, p) }
#endif

/* Once faults have stopped only what the dead have left open times out. */
#ifdef LIVENESS
#define MAY_TIME_OUT(p) (!calm || (worker[1].calm && !USED_BY_1(p)))
#define USED_BY_1(p) ((p) < DATA - 2 -> false : ((p) < DATA -> true : holder[(p) - DATA] == 2))
#else
#define MAY_TIME_OUT(p) true
#endif
#ifdef TIMEOUT
#define PRODUCER_STEPS(p) \
    MARK(p) \
    :: d_step { transaction[p] == ONGOING && MAY_TIME_OUT(p) -> end_by_itself(p) }
#else
#define PRODUCER_STEPS(p) MARK(p)
#endif

#ifdef HELD
#define DATA_STEPS(s) \
    PRODUCER_STEPS(s) \
    :: d_step { held[s] -> arrive(s) }
#else
#define DATA_STEPS(s) PRODUCER_STEPS(s)
#endif

proctype Kafka() {
end:
    do
    DATA_STEPS(0)
    DATA_STEPS(1)
    DATA_STEPS(2)
    DATA_STEPS(3)
#if INCARNATIONS > 2
    DATA_STEPS(4)
    DATA_STEPS(5)
#endif
#if INCARNATIONS > 3
    DATA_STEPS(6)
    DATA_STEPS(7)
#endif
#if INCARNATIONS > 4
#error "at most 4 incarnations"
#endif
#ifdef LIVENESS
    :: d_step { !calm -> calm = true }
#endif
    PRODUCER_STEPS(CLAIM(0))
#if TASKS == 2
    PRODUCER_STEPS(CLAIM(1))
#endif
    od
}

init {
    atomic {
        run Work(0);
        run Work(1);
        run Kafka()
    }
}
