/* The lease protocol of one plane, two agents and two attempts over a network that loses, delays, repeats and reorders.
 *
 * Check it (exhaustive, a few seconds; `make model`):
 *   spin -a lease.pml && cc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m200000
 *
 * What is modelled: offer, confirm (start), grant, hand back, outcome, offer expiry, loss of an agent, restart of an agent
 * (a new session fences the old one). Every message an agent sends may be handled never, once or twice: the plane acts on
 * `request` channels whose messages are copied back nondeterministically. Every answer may be lost.
 * What is checked, as assertions where the thing happens:
 *   1. user code of an attempt is started at most once (the plane grants one epoch, to one session);
 *   2. an attempt gets exactly one outcome, and only from the holder of the grant or from the plane itself;
 *   3. an agent never starts user code for an epoch the plane has taken back;
 *   4. the plane never counts more leases for a session than the session's slots.
 */

#define AGENTS   2
#define ATTEMPTS 2
#define SLOTS    1
#define EPOCHS   2   /* bound on offers of one attempt */
#define LIVES    2   /* sessions per agent: one restart each */

mtype = { QUEUED, OFFERED, RUNNING, FINISHED };
mtype = { START, FINISH, HANDBACK };

/* scratch, used and forgotten inside one atomic step: not part of the state */
hidden byte w, a, e, l, i, n;
hidden mtype kind;

/* the plane's rows */
mtype state[ATTEMPTS];
byte  epoch[ATTEMPTS];          /* grows with every offer */
byte  holder[ATTEMPTS];         /* agent + 1, 0: nobody */
byte  holder_life[ATTEMPTS];
byte  life[AGENTS];             /* the session the plane accepts; a newer one fences the older */
bool  lost[AGENTS];             /* that session has been given up */

/* what happened, for the assertions */
byte  grants[ATTEMPTS];
byte  started[ATTEMPTS];
byte  outcomes[ATTEMPTS];

/* kind, attempt, epoch, agent, life */
chan request = [2] of { mtype, byte, byte, byte, byte };
/* an agent's view of each attempt: 0 nothing, 1 offered, 2 asked to start, 3 running, 4 ended and not acknowledged */
typedef View { byte phase[ATTEMPTS]; byte epoch[ATTEMPTS]; byte life };
View agent[AGENTS];
bool granted[ATTEMPTS];         /* an answer on its way: grant of the current epoch */

inline leases_of(a, count) {
    count = 0;
    for (i : 0 .. ATTEMPTS - 1) {
        if
        :: holder[i] == a + 1 && holder_life[i] == life[a] && (state[i] == OFFERED || state[i] == RUNNING) -> count++
        :: else -> skip
        fi
    }
}

active proctype Plane() {
    do
    /* offer: a poll of a live session with room is answered; the answer may be lost */
    :: atomic {
         select (w : 0 .. ATTEMPTS - 1); select (a : 0 .. AGENTS - 1);
         leases_of(a, n);
         if
         :: state[w] == QUEUED && !lost[a] && n < SLOTS && epoch[w] < EPOCHS && agent[a].life == life[a] ->
              state[w] = OFFERED; epoch[w]++; holder[w] = a + 1; holder_life[w] = life[a];
              leases_of(a, n); assert(n <= SLOTS);                                   /* 4 */
              if
              :: agent[a].phase[w] == 0 -> agent[a].phase[w] = 1; agent[a].epoch[w] = epoch[w]
              :: skip                                                                /* lost, or the agent is busy with it */
              fi
         :: else -> skip
         fi
       }
    /* a request arrives; it may arrive again later */
    :: atomic {
         request?[kind, w, e, a, l] -> request?kind, w, e, a, l;
         if
         :: nfull(request) -> request!kind, w, e, a, l                               /* repeated */
         :: true -> skip
         fi;
         if
         :: l != life[a] || lost[a] -> skip                                          /* fenced: 401/409, nothing changes */
         :: else ->
            if
            :: holder[w] != a + 1 || holder_life[w] != l || epoch[w] != e -> skip    /* not the holder: 409 */
            :: else ->
               if
               :: kind == START && state[w] == OFFERED -> state[w] = RUNNING; grants[w]++; assert(grants[w] == 1); granted[w] = true /* 1 */
               :: kind == START && state[w] == RUNNING -> granted[w] = true           /* the same answer again */
               :: kind == HANDBACK && state[w] == OFFERED -> state[w] = QUEUED; holder[w] = 0
               :: kind == FINISH && state[w] == RUNNING -> state[w] = FINISHED; outcomes[w]++; assert(outcomes[w] == 1) /* 2 */
               :: else -> skip
               fi
            fi
         fi
       }
    /* an offer ends unconfirmed */
    :: atomic {
         select (w : 0 .. ATTEMPTS - 1);
         if
         :: state[w] == OFFERED -> state[w] = QUEUED; holder[w] = 0
         :: else -> skip
         fi
       }
    /* three beats missed: the session is over, what it ran is reported failed, what it was offered is free */
    :: atomic {
         select (a : 0 .. AGENTS - 1);
         if
         :: !lost[a] ->
              lost[a] = true;
              for (i : 0 .. ATTEMPTS - 1) {
                  if
                  :: holder[i] == a + 1 && state[i] == OFFERED -> state[i] = QUEUED; holder[i] = 0
                  :: holder[i] == a + 1 && state[i] == RUNNING -> state[i] = FINISHED; outcomes[i]++; assert(outcomes[i] == 1) /* 2 */
                  :: else -> skip
                  fi
              }
         :: else -> skip
         fi
       }
    :: (state[0] == FINISHED && state[1] == FINISHED) -> break
    od
}

proctype Agent(byte me) {
    do
    /* ask to start what was offered */
    :: atomic { select (w : 0 .. ATTEMPTS - 1);
         if
         :: agent[me].phase[w] == 1 && nfull(request) -> request!START, w, agent[me].epoch[w], me, agent[me].life; agent[me].phase[w] = 2
         :: agent[me].phase[w] == 1 && nfull(request) -> request!HANDBACK, w, agent[me].epoch[w], me, agent[me].life; agent[me].phase[w] = 0
         /* no answer: the same question again */
         :: agent[me].phase[w] == 2 && nfull(request) -> request!START, w, agent[me].epoch[w], me, agent[me].life
         /* the answer was a refusal, or never came and a poll says the attempt is not ours */
         :: agent[me].phase[w] == 2 && !(holder[w] == me + 1 && epoch[w] == agent[me].epoch[w]) -> agent[me].phase[w] = 0
         /* the grant arrived: only now may user code run */
         :: agent[me].phase[w] == 2 && granted[w] && holder[w] == me + 1 && holder_life[w] == agent[me].life && epoch[w] == agent[me].epoch[w] && (state[w] == RUNNING) ->
                started[w]++; assert(started[w] == 1);                                /* 1 */
                assert(epoch[w] == agent[me].epoch[w]);                               /* 3 */
                agent[me].phase[w] = 3
         :: agent[me].phase[w] == 3 -> agent[me].phase[w] = 4
         :: agent[me].phase[w] == 4 && nfull(request) -> request!FINISH, w, agent[me].epoch[w], me, agent[me].life
         :: agent[me].phase[w] == 4 && state[w] == FINISHED -> agent[me].phase[w] = 0
         :: true -> skip   /* or wait */
         fi }
    /* crash and restart: nothing is remembered, the new session fences the old one */
    :: atomic { (agent[me].life < LIVES) ->
         for (i : 0 .. ATTEMPTS - 1) { agent[me].phase[i] = 0 }
         agent[me].life++;
         for (i : 0 .. ATTEMPTS - 1) {
             if
             :: holder[i] == me + 1 && state[i] == OFFERED -> state[i] = QUEUED; holder[i] = 0
             :: holder[i] == me + 1 && state[i] == RUNNING -> state[i] = FINISHED; outcomes[i]++; assert(outcomes[i] == 1) /* 2 */
             :: else -> skip
             fi
         }
         life[me] = agent[me].life; lost[me] = false }
    :: (state[0] == FINISHED && state[1] == FINISHED) -> break
    od
}

init {
    atomic {
        for (i : 0 .. ATTEMPTS - 1) { state[i] = QUEUED }
        for (i : 0 .. AGENTS - 1) { life[i] = 1; agent[i].life = 1 }
        run Agent(0); run Agent(1)
    }
}
