/* docs/models/worker.pml — what a worker does, step by step: the lane with its two data producers,
 * and the claimer, which runs beside it. The guard that a rule of DESIGN section 4 asks for is a
 * macro here, and a mutation (-D) redefines it. Included by exactly_once.pml. */

/* ---- Steps of a worker ---- */

#define ME worker[w]
#define MINE(s) PID(ME.incarnation, s)
#define CLAIMER_IDLE 0
#define INIT 1
#define CHECK 2
#define FENCE_0 3
#define FENCE_1 4
#define WRITE 5
#define COMMIT 6
#define TAKE 7
#define RELEASE_INIT 8
#define RELEASE_CHECK 9
#define RELEASE_WRITE 10
#define RELEASE_COMMIT 11

inline drop_slot(s) {
    ME.slot[s].phase = EMPTY;
    ME.slot[s].dirty = false;
    for (k : 0 .. TASKS - 1) {
        ME.slot[s].record[k] = 0;
        ME.slot[s].sent[k] = 0
    };
    DONE
}

/* The claimer has finished, well or not. Its producer is destroyed: it holds no epoch. */
inline rest() {
    if
    :: ME.step != CLAIMER_IDLE && holder[ME.task] == w + 1 -> holder[ME.task] = 0
    :: else
    fi;
    ME.step = CLAIMER_IDLE;
    ME.task = 0;
    ME.epoch = 0;
    ME.victim = 0;
    ME.left = 0;
    ME.reading = 0
}

/* All memory is gone. A fresh incarnation that has claimed nothing is as good as none, so the next
 * one starts at once. */
inline die() {
    SAY("incarnation %d of worker %d ends\n", ME.incarnation, w);
    if /* nobody is left to use its ids; a held EndTxn is noted apart */
    :: ME.incarnation != 0 -> epoch[MINE(0)] = FENCED; epoch[MINE(1)] = FENCED
    :: else
    fi;
    ME.incarnation = 0;
    ME.ready = false;
#ifdef KEEP_STAGED
    if
    :: ME.slot[1 - ME.older].phase == STAGED -> drop_slot(ME.older); ME.older = 1 - ME.older
    :: else -> drop_slot(0); drop_slot(1); ME.older = 0
    fi;
#else
    ME.older = 0;
    drop_slot(0);
    drop_slot(1);
#endif
    for (k : 0 .. TASKS - 1) {
        ME.own[k] = NONE;
        ME.next[k] = 0
    }
    rest();
    if
    :: ME.starts < (w == 0 -> STARTS_0 : STARTS_1) && !CALM -> start()
    :: else
    fi
}

/* Rule 1: the data ids are initialised once, before any claim names them. */
inline start() {
    ME.incarnation = w * STARTS_0 + ME.starts + 1;
    SAY("incarnation %d of worker %d starts\n", ME.incarnation, w);
    ME.starts++;
#ifndef CLAIM_BEFORE_INIT
    ME.ready = true;
    epoch[2 * (ME.incarnation - 1)] = VALID;
    epoch[2 * (ME.incarnation - 1) + 1] = VALID
#endif
}

/* Transaction N while it takes records, else N+1. */
#define STAGE_SLOT (ME.slot[ME.older].phase <= STAGED -> ME.older : 1 - ME.older)
#define CAN_STAGE(t) \
    (ME.own[t] == RUNNING && ME.ready && ME.next[t] < OFFSETS && \
     (ME.slot[ME.older].phase <= STAGED || \
      (SLOTS == 2 && ME.slot[1 - ME.older].phase <= STAGED)) && \
     ME.slot[STAGE_SLOT].record[t] == 0)

inline stage(t) {
    SAY("worker %d takes offset %d", w, ME.next[t]);
    SAY_TASK(t);
    v = STAGE_SLOT;
    ME.slot[v].phase = STAGED;
    ME.slot[v].record[t] = 1 + ME.next[t];
    ME.next[t]++
}

#if TASKS == 1
#define ALL_SENT(s) (ME.slot[s].phase >= SENDING && ME.slot[s].sent[0] == PIECES)
#else
#define ALL_SENT(s) \
    (ME.slot[s].phase >= SENDING && \
     (ME.slot[s].record[0] == 0 || ME.slot[s].sent[0] == PIECES) && \
     (ME.slot[s].record[1] == 0 || ME.slot[s].sent[1] == PIECES))
#endif

/* Rule 6: a record of N+1 reaches a producer only after all of N are acknowledged. */
#ifdef SEND_EARLY
#define MAY_SEND(s) true
#else
#define MAY_SEND(s) (ME.older == (s) || ALL_SENT(ME.older))
#endif
#define CAN_SEND(s, t) \
    (ME.slot[s].record[t] != 0 && ME.slot[s].sent[t] < PIECES && MAY_SEND(s) && \
     (transaction[MINE(s)] != PREPARED || epoch[MINE(s)] != VALID))

inline send(s, t) {
    if
    :: epoch[MINE(s)] == VALID ->
        v = (ME.slot[s].record[t] - 1) * PIECES + ME.slot[s].sent[t];
        SAY("incarnation %d, producer %d: a record", ME.incarnation, s);
        SAY_TASK(t);
        append(PARTITION(t), MINE(s), t, v);
        ME.slot[s].phase = SENDING;
        ME.slot[s].sent[t]++
    :: else -> die()
    fi
}

/* Rule 6: EndTxn of N+1 goes out only after N's success. */
#ifdef END_EARLY
#define MAY_END(s) true
#else
#define MAY_END(s) (ME.older == (s))
#endif
#define CAN_END(s) (ME.slot[s].phase == SENDING && ALL_SENT(s) && MAY_END(s))

/* Rule 5: the outcome is certain only when every request was answered once. */
#ifdef UNCLEAN
#define CLEAN(s) true
#else
#define CLEAN(s) (!ME.slot[s].dirty)
#endif

inline end_transaction(s) {
    if
    :: epoch[MINE(s)] == VALID ->
        if
        :: transaction[MINE(s)] == ONGOING ->
            SAY("incarnation %d, producer %d: EndTxn, committed\n", ME.incarnation, s);
            decide(MINE(s))
        :: else /* carried out before: the log says so */
        fi;
        if
        :: CLEAN(s) ->
            drop_slot(s);
            if
            :: ME.older == s && SLOTS == 2 -> ME.older = 1 - s
            :: else
            fi
        :: else ->
#ifdef OUTCOME_FROM_MEMORY
            ME.resume = ME.slot[s].record[0]; /* not answered: surely it failed */
#endif
            die()
        fi
    :: else -> die()
    fi
}

#ifdef FENCE_ONE_ID
#define FENCES(s) ((s) == 0)
#else
#define FENCES(s) true
#endif
#define VICTIM(s) PID(ME.victim, s)
#define HOLDS(t) (ME.slot[0].record[t] != 0 || ME.slot[1].record[t] != 0)
#define CLAIM_ID CLAIM(ME.task)
#define HAS_CLAIM_ID (holder[ME.task] == w + 1)
#define LAST claims[ME.task]
/* The order of the claimer's steps, and the two that read ahead when they are done. */
#if defined(CLAIM_READ_FIRST)
#define AFTER_INIT FENCE_0
#define AFTER_CHECK INIT
#else
#define AFTER_INIT CHECK
#define AFTER_CHECK FENCE_0
#endif
#ifdef FENCE_AFTER_CLAIM
#define AFTER_COMMIT FENCE_0
#define AFTER_FENCES
#define AFTER_FENCE_1 TAKE
#else
#define AFTER_COMMIT TAKE
#define AFTER_FENCES read_progress()
#define AFTER_FENCE_1 WRITE
#endif
#ifdef NO_EPOCHS
#define EPOCH_TOO_LOW false
#else
#define EPOCH_TOO_LOW (CLAIM_EPOCH(LAST) > ME.epoch)
#endif


/* The end of partition q is asked for; reading has ended when all that was there is passed. The
 * step before asks: so the end is known as early as it can be, and the reader may read on. */
inline read_begin(q) {
    ME.left = log[q].count;
    ME.reading = q;
#ifdef READ_CLAIMS_STABLE
    if
    :: q == CLAIMS -> ME.left = 0
    :: else
    fi;
#endif
#ifdef READ_PROGRESS_STABLE
    if
    :: q != CLAIMS -> ME.left = 0
    :: else
    fi;
#endif
    if
    :: ME.left == 0 -> ME.reading = 0
    :: else
    fi
}

inline read_progress() {
#ifndef PROGRESS_FIRST
    read_begin(PARTITION(ME.task))
#else
    skip
#endif
}

/* To own a task, rule 2. Two mutations begin with another step. */
inline assign(t, e) {
    ME.task = t;
    ME.epoch = e;
    SAY("incarnation %d shall own task %d\n", ME.incarnation, t);
#if defined(PROGRESS_FIRST)
    ME.next[t] = progress[t];
    ME.step = INIT
#elif defined(CLAIM_READ_FIRST)
    ME.step = CHECK;
    read_begin(CLAIMS)
#else
    ME.step = INIT
#endif
}

inline claim_init(after) {
    SAY("incarnation %d initialises the claim id of task %d\n", ME.incarnation, ME.task);
    abort(CLAIM_ID);
    holder[ME.task] = w + 1;
    ME.step = after;
#ifdef CLAIM_READ_FIRST
    if
    :: after == RELEASE_CHECK -> read_begin(CLAIMS)
    :: else
    fi
#else
    read_begin(CLAIMS)
#endif
}

/* An owner that the last claim names is fenced unless it has released the task or is this one. */
inline claim_check() {
    if
    :: EPOCH_TOO_LOW -> rest() /* the assignment is stale */
    :: else ->
        SAY("incarnation %d reads a claim of incarnation %d\n", ME.incarnation,
            CLAIM_INCARNATION(LAST));
        ME.victim = CLAIM_INCARNATION(LAST);
        ME.step = AFTER_CHECK;
#ifdef NO_FENCE
        ME.victim = 0;
#endif
        if
        :: ME.victim == ME.incarnation -> ME.victim = 0
        :: else
        fi;
#ifdef FENCE_AFTER_CLAIM
        ME.step = WRITE
#else
        if
        :: ME.victim == 0 && ME.step == FENCE_0 -> ME.step = WRITE
        :: else
        fi
#endif
    fi
}

inline claim_fence(s) {
    if
    :: ME.victim != 0 && FENCES(s) ->
        SAY("incarnation %d is fenced, producer %d\n", ME.victim, s);
        initialise(VICTIM(s), FENCED)
    :: else
    fi;
#if defined(FENCE_AFTER_CLAIM)
    if
    :: s == 1 -> read_progress()
    :: else
    fi;
#endif
    ME.step = (s == 0 -> FENCE_1 : AFTER_FENCE_1);
    ME.victim = (s == 0 -> ME.victim : 0)
}

inline claim_write(released) {
    if
    :: HAS_CLAIM_ID ->
        v = (released -> CLAIM_OF(0, CLAIM_EPOCH(LAST)) : CLAIM_OF(ME.incarnation, ME.epoch));
        any = ME.task;
        append(CLAIMS, CLAIM_ID, any, v);
        ME.step++
    :: else -> rest()
    fi
}

#define CAN_COMMIT (HAS_CLAIM_ID && transaction[CLAIM_ID] == ONGOING)

/* The claim's commit, and the end that progress will be read to. */
inline claim_commit() {
    if
    :: CAN_COMMIT ->
        SAY("incarnation %d commits its claim of task %d\n", ME.incarnation, ME.task);
        decide(CLAIM_ID);
        ME.step = AFTER_COMMIT;
        AFTER_FENCES
    :: else -> rest()
    fi
}

inline take() {
#ifndef PROGRESS_FIRST
    ME.next[ME.task] = progress[ME.task];
#endif
#ifdef OUTCOME_FROM_MEMORY
    ME.next[ME.task] = (ME.resume != 0 -> ME.resume - 1 : ME.next[ME.task]);
    ME.resume = 0;
#endif
    SAY("incarnation %d owns the task from offset %d\n", ME.incarnation, ME.next[ME.task]);
    ME.own[ME.task] = RUNNING;
    rest()
}

/* Rule 7. Whatever ends a release early leaves the task to the successor, who fences. */
inline release_check() {
#ifdef RELEASE_UNCHECKED
    ME.step = RELEASE_WRITE
#else
    if
    :: CLAIM_INCARNATION(LAST) == ME.incarnation ->
        ME.step = RELEASE_WRITE
    :: else -> rest()
    fi
#endif
}

inline release_commit() {
    if
    :: CAN_COMMIT ->
        SAY("incarnation %d releases task %d\n", ME.incarnation, ME.task);
        decide(CLAIM_ID)
    :: else
    fi;
    rest()
}

#ifdef RELEASE_UNDRAINED
#define DRAINED(t) true
#else
#define DRAINED(t) (!HOLDS(t))
#endif

/* A crash of a worker that does nothing changes nothing. */
#if TASKS == 1
#define BUSY (ME.step != CLAIMER_IDLE || ME.own[0] != NONE || HOLDS(0))
#else
#define BUSY \
    (ME.step != CLAIMER_IDLE || ME.own[0] != NONE || ME.own[1] != NONE || HOLDS(0) || HOLDS(1))
#endif
#define UP (ME.incarnation != 0 && AWAKE)
/* Readers that do not wait for an open claim let records pile up behind it. */
#ifdef READ_CLAIMS_STABLE
#define CLAIMS_HAVE_ROOM (log[CLAIMS].count < QUEUE)
#else
#define CLAIMS_HAVE_ROOM true
#endif
#define AT(s) (ME.step == (s) && AWAKE)

#define TASK_STEPS(t) \
    :: d_step { UP && AT(CLAIMER_IDLE) && ME.own[t] == NONE && !HOLDS(t) && \
        !(CALM && EPOCHS > 1) -> assign(t, 1) } \
    :: d_step { UP && CAN_STAGE(t) -> stage(t) } \
    :: d_step { UP && CAN_SEND(0, t) -> send(0, t) } \
    :: d_step { UP && SLOTS == 2 && CAN_SEND(1, t) -> send(1, t) }

#define LATER_EPOCH(t) \
    :: d_step { UP && AT(CLAIMER_IDLE) && ME.own[t] == NONE && !HOLDS(t) -> assign(t, 2) }

/* Draining is to take no more records: nothing that a step is needed for. */
#define RELEASE_STEPS(t) \
    :: d_step { UP && AT(CLAIMER_IDLE) && ME.own[t] == RUNNING && DRAINED(t) && !CALM -> \
        ME.own[t] = NONE; ME.next[t] = 0; ME.task = t; ME.step = RELEASE_INIT }

#define SLOT_STEPS(s) \
    :: d_step { UP && CAN_END(s) -> end_transaction(s) }

#define HELD_STEP(s) \
    :: d_step { UP && CAN_END(s) && epoch[MINE(s)] == VALID && !ME.slot[s].dirty && !CALM -> \
        SAY("incarnation %d, producer %d: EndTxn is held, and repeated\n", ME.incarnation, s); \
        ME.slot[s].dirty = true; held[MINE(s)] = true }
