/* docs/models/log.pml — Kafka as far as the protocol sees it: partitions with open, committed and
 * aborted records, transactions that are decided first and marked later, one partition after the
 * other, and a read_committed reader that checks every promise as it passes records. Included by
 * exactly_once.pml, which declares the state. */

/* ---- Steps of the log ---- */

#if TASKS == 1
#define ALL_SEEN (progress[0] == OFFSETS)
#else
#define ALL_SEEN (progress[0] == OFFSETS && progress[1] == OFFSETS)
#endif

/* REACH asks for a run to the end: its error is the proof that there is one. */
inline note_end() {
#ifdef LIVENESS
    complete = ALL_SEEN;
#endif
#ifdef REACH
    assert(!ALL_SEEN);
#endif
    DONE
}

/* The reader passes what is decided at the front of partition q. Every promise is checked here:
 * effects and progress come once, in order, without a gap. */
inline pass(q) {
    do
    :: log[q].count > 0 && log[q].fate[0] != OPEN ->
        if
        :: log[q].fate[0] == COMMITTED && q == CLAIMS ->
#ifndef EFFECTS_ONLY
            assert(CLAIM_EPOCH(log[q].value[0]) >= CLAIM_EPOCH(claims[log[q].key[0]]));
#endif
            claims[log[q].key[0]] = log[q].value[0]
        :: log[q].fate[0] == COMMITTED && q != CLAIMS ->
            v = log[q].value[0];
            k = log[q].key[0];
            if
            :: v % PIECES == 0 ->
                SAY("readers see the effect of task %d, offset %d\n", k, v / PIECES);
                assert(v / PIECES == effects[k]); /* effect: once, in order, no gap */
                effects[k]++
            :: else
            fi;
            if
            :: v % PIECES == PIECES - 1 ->
                assert(v / PIECES == progress[k]);
                progress[k]++;
                assert(progress[k] == effects[k]);
                note_end()
            :: else
            fi
        :: else
        fi;
        for (k : 0 .. QUEUE - 2) {
            log[q].producer[k] = log[q].producer[k + 1];
            log[q].key[k] = log[q].key[k + 1];
            log[q].value[k] = log[q].value[k + 1];
            log[q].fate[k] = log[q].fate[k + 1]
        }
        log[q].producer[QUEUE - 1] = 0;
        log[q].key[QUEUE - 1] = 0;
        log[q].value[QUEUE - 1] = 0;
        log[q].fate[QUEUE - 1] = 0;
        log[q].count--;
        for (k : 0 .. 1) {
            if
            :: worker[k].reading == q && worker[k].left > 0 ->
                worker[k].left--;
                worker[k].reading = (worker[k].left == 0 -> 0 : q)
            :: else
            fi
        }
    :: else -> break
    od;
    DONE
}

inline append(q, p, t, x) {
    assert(log[q].count < QUEUE);
    log[q].producer[log[q].count] = p;
    log[q].key[log[q].count] = t;
    log[q].value[log[q].count] = x;
    log[q].fate[log[q].count] = OPEN;
    log[q].count++;
    transaction[p] = ONGOING
}

/* Producer p's open transaction is aborted, markers included. */
inline abort(p) {
    if
    :: transaction[p] == ONGOING ->
        transaction[p] = IDLE;
        for (i : 0 .. PARTITIONS - 1) {
            for (j : 0 .. QUEUE - 1) {
                if
                :: j < log[i].count && log[i].producer[j] == p && log[i].fate[j] == OPEN ->
                    log[i].fate[j] = ABORTED
                :: else
                fi
            }
            pass(i)
        };
        DONE
    :: else
    fi
}

/* The claim that is decided for task t, whether or not its marker is written: into v. */
inline decided_claim(t) {
    v = claims[t];
    for (k : 0 .. QUEUE - 1) {
        if
        :: k < log[CLAIMS].count && log[CLAIMS].key[k] == t &&
            (log[CLAIMS].fate[k] == COMMITTED ||
             (log[CLAIMS].fate[k] == OPEN && transaction[CLAIM(t)] == PREPARED)) ->
            v = log[CLAIMS].value[k]
        :: else
        fi
    }
}

/* EndTxn is carried out. In the design only the owner that the last claim names ever decides a
 * transaction with records of a task, and never after it has released that task. */
inline decide(p) {
    transaction[p] = PREPARED;
#ifndef EFFECTS_ONLY
    if
    :: p < DATA ->
        for (i : 0 .. CLAIMS - 1) {
            for (j : 0 .. QUEUE - 1) {
                if
                :: j < log[i].count && log[i].producer[j] == p && log[i].fate[j] == OPEN ->
                    any = log[i].key[j];
                    decided_claim(any);
                    assert(CLAIM_INCARNATION(v) == OWNER(p))
                :: else
                fi
            }
        };
        DONE
    :: else
    fi
#endif
}

/* The marker of p's committed transaction is written to partition q. */
inline mark(q, p) {
    SAY("marker of producer %d in partition %d\n", p, q);
    for (j : 0 .. QUEUE - 1) {
        if
        :: j < log[q].count && log[q].producer[j] == p && log[q].fate[j] == OPEN ->
            log[q].fate[j] = COMMITTED
        :: else
        fi
    }
    any = false;
    for (i : 0 .. PARTITIONS - 1) {
        for (j : 0 .. QUEUE - 1) {
            any = any || (j < log[i].count && log[i].producer[j] == p && log[i].fate[j] == OPEN)
        }
    }
    if
    :: !any -> transaction[p] = IDLE
    :: else
    fi;
    pass(q)
}

/* init_transactions by the owner, or by one who fences: every earlier transaction has ended. */
inline initialise(p, state) {
    abort(p);
    epoch[p] = state;
    held[p] = false
}
