/* The lease protocol: one plane, two agents with one slot each, two attempts, a network that loses, delays, repeats and
 * reorders. `make model` searches every state (seconds), then breaks one rule at a time and expects to be told.
 *
 * A request, once sent, stays on the way for ever and may arrive any number of times, in any order, or never: that is
 * loss, delay, repetition and reordering in one. So are answers, until the process they are for is gone. Agents crash and
 * lose their memory but not their disk. The plane gives an agent up whenever it likes, so clocks need no model.
 *
 * What must hold (adr/0006 says it in words):
 *   S1  user code of an attempt starts once at most, anywhere, ever
 *   S2  an attempt gets one outcome at most, and an agent's own only after its code ended
 *   S3  what is offered or running is leased to a session that lives: nothing waits for somebody who is gone
 *   S4  what runs on the plane is known to the process it was granted to: nothing waits for somebody who does not know
 *   S5  an agent never holds more than its slots
 *
 * -DMUTANT=n breaks a rule, at the place where it is applied. 0 is the protocol as it is. -DREDUCED drops requests that can
 * change nothing any more: of a session that is over, and of an epoch that is not the present one or not on offer any more.
 * Neither comes back, so nothing is missed; the rules that make it so (2, 3 and 6) are broken without it.
 * Not here: silence of a process that lives and forgot what it was granted, revoking, more than one kind of work.
 */

#ifndef MUTANT
#define MUTANT 0
#endif

#define AGENTS   2
#define ATTEMPTS 2
#define SLOTS    1
/* The second of each has one less, which keeps the search at seconds; whoever has time asks for 2 and 2. */
#define EPOCHS(w)   (2 - (w))    /* offers of one attempt */
#define SESSIONS(a) (2 - (a))    /* of one agent: one loss or one restart */

#define QUEUED   0
#define OFFERED  1
#define RUNNING  2
#define FINISHED 3

#define NOTHING    0  /* what a process remembers of an attempt */
#define HELD       1  /* offered, nobody has asked for the grant */
#define CONFIRMING 2  /* asked for; from here on the plane may think that it runs */
#define ALIVE      3  /* granted: user code */

/* a set of (attempt, epoch, session), and of (attempt, epoch), in one byte */
#define M(w, e, s) (1 << ((w) * 4 + ((e) - 1) * 2 + (s) - 1))
#define N(w, e)    (1 << ((w) * 2 + (e) - 1))

/* ---- the plane's rows */
byte state[ATTEMPTS], epoch[ATTEMPTS];
byte holder[ATTEMPTS], lease[ATTEMPTS];   /* agent and session; lease 0: nobody */
byte newest[AGENTS];                      /* the session last opened */
bool live[AGENTS];                        /* and whether it has ended */

typedef Agent {
    byte session;                         /* the one it believes in; 0: it has to open one */
    byte phase[ATTEMPTS], epoch[ATTEMPTS];
    byte outbox[ATTEMPTS];                /* on disk: the epoch that ended and was not acknowledged; 0: none */
    /* on the way to the plane */
    byte starts, backs, finishes;
    byte poll, free, names;               /* a poll: its session (0: none), its room, the attempts it names */
    /* on the way back */
    byte offers, grants;
};
Agent agent[AGENTS];

/* ---- what happened, for the assertions */
byte started[ATTEMPTS], outcomes[ATTEMPTS];
bool ended[ATTEMPTS];

hidden byte a, w, e, s, i, room;

#define live_session(a, s) (live[a] && newest[a] == (s))
#define holds(w, a, s)     (lease[w] == (s) && holder[w] == (a))
#define taken(a)           ((agent[a].phase[0] != NOTHING) + (agent[a].phase[1] != NOTHING))
#define known(w, a) \
    ((agent[a].phase[w] >= CONFIRMING && agent[a].epoch[w] == epoch[w]) || agent[a].outbox[w] == epoch[w])

#define sound(w) \
    (outcomes[w] <= 1 && started[w] <= 1 && (state[w] != FINISHED || outcomes[w] == 1) && \
     (state[w] != OFFERED && state[w] != RUNNING || lease[w] != 0 && live_session(holder[w], lease[w])) && \
     (state[w] != RUNNING || agent[holder[w]].session != lease[w] || known(w, holder[w])))

/* `spin -t lease.pml` tells the story of an error */
#define done(what) printf(what); printf(" (agent %d, attempt %d, epoch %d, session %d)\n", a, w, e, s); check()

inline check() {
    assert(sound(0)); assert(sound(1));               /* S1 S2 S3 S4 */
    assert(taken(0) <= SLOTS && taken(1) <= SLOTS);   /* S5 */
#ifdef REDUCED
    for (a : 0 .. AGENTS - 1) {
        if
        :: agent[a].poll != 0 && !live_session(a, agent[a].poll) ->
               agent[a].poll = 0; agent[a].free = 0; agent[a].names = 0
        :: else -> skip
        fi;
        e = 0;
        for (w : 0 .. ATTEMPTS - 1) {
            if
            :: lease[w] != 0 && holder[w] == a && live_session(a, lease[w]) -> e = e | M(w, epoch[w], lease[w])
            :: else -> skip
            fi
        }
        agent[a].starts = agent[a].starts & e; agent[a].backs = agent[a].backs & e; agent[a].finishes = agent[a].finishes & e
    }
#endif
    a = 0; w = 0; e = 0; s = 0; i = 0; room = 0
}

inline any_agent()   { if :: a = 0 :: a = 1 fi }
inline any_attempt() { if :: w = 0 :: w = 1 fi }
inline any_epoch()   { if :: e = 1 :: e = 2 fi }
inline any_session() { if :: s = 1 :: s = 2 fi }

inline offer_it(i) { agent[a].offers = agent[a].offers | N(i, epoch[i]) }

inline finished(i) { state[i] = FINISHED; outcomes[i]++; lease[i] = 0; holder[i] = 0 }
inline requeued(i) { state[i] = QUEUED; lease[i] = 0; holder[i] = 0 }

/* Whoever asked for a grant is gone, and an answer finds nobody but who asked. */
inline forget(i) {
    agent[a].phase[i] = NOTHING; agent[a].grants = agent[a].grants & ~(N(i, 1) | N(i, 2)); agent[a].epoch[i] = 0
}

/* A session is over: its offers are free; what it runs is reported lost, but for what is named as unreported. */
inline release(keep) {
    for (i : 0 .. ATTEMPTS - 1) {
        if
        :: lease[i] != 0 && holder[i] == a && state[i] == OFFERED -> requeued(i)
        :: lease[i] != 0 && holder[i] == a && state[i] == RUNNING && keep && agent[a].outbox[i] == epoch[i] ->
               lease[i] = newest[a]
#if MUTANT == 1   /* running work of a lost agent goes back into the queue */
        :: lease[i] != 0 && holder[i] == a && state[i] == RUNNING && !(keep && agent[a].outbox[i] == epoch[i]) ->
               requeued(i)
#else
        :: lease[i] != 0 && holder[i] == a && state[i] == RUNNING && !(keep && agent[a].outbox[i] == epoch[i]) ->
               finished(i)
#endif
        :: else -> skip
        fi
    }
}

#if MUTANT == 2   /* a session that ended is served like any other */
#define accepted(a, s) (true)
#else
#define accepted(a, s) live_session(a, s)
#endif

#if MUTANT == 3   /* the epoch is not looked at */
#define current(w, e) (true)
#else
#define current(w, e) (epoch[w] == (e))
#endif

active proctype Everybody() {
    d_step { newest[0] = 1; newest[1] = 1; live[0] = true; live[1] = true; agent[0].session = 1; agent[1].session = 1 }
    do
    /* ---- the plane */

    :: atomic {  /* a poll arrives */
           any_agent(); agent[a].poll != 0 && accepted(a, agent[a].poll);
           s = agent[a].poll; room = agent[a].free;
           /* offers whose answer was lost are made again, under the epoch they have */
           for (i : 0 .. ATTEMPTS - 1) {
               if
               :: state[i] == OFFERED && holds(i, a, s) && !(agent[a].names & (1 << i)) ->
                      offer_it(i); room = (room > 0 -> room - 1 : 0)
               :: else -> skip
               fi
           }
           if
           :: room > 0 -> any_attempt();
              if
              :: state[w] == QUEUED && epoch[w] < EPOCHS(w) ->
                     state[w] = OFFERED; epoch[w]++; holder[w] = a; lease[w] = s; offer_it(w)
              :: else -> skip
              fi
           :: else -> skip
           fi;
           done("a poll arrives") }

    :: atomic {  /* a start arrives: the grant, or the same grant again */
           any_agent(); any_attempt(); any_epoch(); any_session();
           (agent[a].starts & M(w, e, s)) && accepted(a, s);
           holds(w, a, s) && current(w, e) && (state[w] == OFFERED || state[w] == RUNNING);
           state[w] = RUNNING;
           if
           :: agent[a].phase[w] == CONFIRMING && agent[a].epoch[w] == e ->
                  agent[a].grants = agent[a].grants | N(w, e)
           :: else -> skip
           fi;
           done("a start arrives") }

    :: atomic {  /* an offer is handed back */
           any_agent(); any_attempt(); any_epoch(); any_session();
           (agent[a].backs & M(w, e, s)) && accepted(a, s);
           holds(w, a, s) && current(w, e);
#if MUTANT == 5   /* also one that was granted meanwhile */
           state[w] == OFFERED || state[w] == RUNNING;
#else
           state[w] == OFFERED;
#endif
           requeued(w); done("a hand-back arrives") }

    :: atomic {  /* an outcome arrives: the first counts */
           any_agent(); any_attempt(); any_epoch(); any_session();
           (agent[a].finishes & M(w, e, s)) && accepted(a, s);
#if MUTANT == 6   /* the last counts */
           state[w] == RUNNING && holds(w, a, s) && current(w, e) || state[w] == FINISHED;
#else
           state[w] == RUNNING && holds(w, a, s) && current(w, e);
#endif
           assert(ended[w]);                                         /* S2 */
           finished(w); done("an outcome arrives") }

    :: atomic {  /* an offer was not confirmed in time */
           any_attempt(); state[w] == OFFERED; requeued(w); done("an offer ends") }

    :: atomic {  /* an agent was silent for too long; it may be alive */
           any_agent(); live[a]; live[a] = false; release(false); done("the agent is given up") }

    /* ---- an agent's process */

    :: atomic {  /* its session is over, or it has none: it opens another, which fences the one before */
           any_agent(); newest[a] < SESSIONS(a) && (agent[a].session == 0 || !live_session(a, agent[a].session));
           newest[a]++; live[a] = true; release(true); agent[a].session = newest[a]; done("it opens a session") }

    :: atomic {  /* it polls: room, and everything it knows of */
           any_agent(); agent[a].session != 0;
           agent[a].poll = agent[a].session; agent[a].free = SLOTS - taken(a); agent[a].names = 0;
           for (i : 0 .. ATTEMPTS - 1) {
               if
               :: agent[a].phase[i] != NOTHING || agent[a].outbox[i] != 0 -> agent[a].names = agent[a].names | (1 << i)
               :: else -> skip
               fi
           }
           done("it polls") }

    :: atomic {  /* it hears an offer: the same again is ignored, what has no place here is handed back */
           any_agent(); any_attempt(); any_epoch(); (agent[a].offers & N(w, e)) && agent[a].session != 0;
           if
           :: agent[a].phase[w] != NOTHING && agent[a].epoch[w] == e -> skip
#if MUTANT != 7   /* an offer of what has ended here, its outcome not delivered, is taken for a new one */
           :: agent[a].outbox[w] == e -> skip
#endif
           :: agent[a].phase[w] != NOTHING && agent[a].epoch[w] != e ->
                  agent[a].backs = agent[a].backs | M(w, e, agent[a].session)
#if MUTANT == 8   /* slots are not counted */
           :: agent[a].phase[w] == NOTHING ->
#else
           :: agent[a].phase[w] == NOTHING && agent[a].outbox[w] != e && taken(a) >= SLOTS ->
                  agent[a].backs = agent[a].backs | M(w, e, agent[a].session)
           :: agent[a].phase[w] == NOTHING && (MUTANT == 7 || agent[a].outbox[w] != e) && taken(a) < SLOTS ->
#endif
                  agent[a].phase[w] = HELD; agent[a].epoch[w] = e
           fi;
           done("it hears an offer") }

    :: atomic {  /* it asks for the grant, and again until there is an answer */
           any_agent(); any_attempt(); agent[a].session != 0;
           agent[a].phase[w] == HELD || agent[a].phase[w] == CONFIRMING;
           agent[a].phase[w] = CONFIRMING;
           agent[a].starts = agent[a].starts | M(w, agent[a].epoch[w], agent[a].session); done("it asks for the grant") }

    :: atomic {  /* it hears that the offer is gone, and asks no more */
           any_agent(); any_attempt(); live_session(a, agent[a].session) && agent[a].phase[w] == CONFIRMING;
           e = agent[a].epoch[w];
           !(holds(w, a, agent[a].session) && epoch[w] == e && (state[w] == OFFERED || state[w] == RUNNING));
           forget(w); done("it is refused") }

    :: atomic {  /* it changes its mind: only before it has asked */
           any_agent(); any_attempt(); agent[a].session != 0;
#if MUTANT == 9   /* or after, since no answer came */
           agent[a].phase[w] == HELD || agent[a].phase[w] == CONFIRMING;
#else
           agent[a].phase[w] == HELD;
#endif
           agent[a].backs = agent[a].backs | M(w, agent[a].epoch[w], agent[a].session);
           forget(w); done("it hands back") }

    :: atomic {  /* the grant arrives: user code starts */
           any_agent(); any_attempt(); agent[a].phase[w] == CONFIRMING;
#if MUTANT != 4   /* or is believed in without one */
           agent[a].grants & N(w, agent[a].epoch[w]);
#endif
           agent[a].phase[w] = ALIVE; started[w]++; done("user code starts") }

    :: atomic {  /* user code ends: to disk first */
           any_agent(); any_attempt(); agent[a].phase[w] == ALIVE;
           ended[w] = true; agent[a].outbox[w] = agent[a].epoch[w]; forget(w); done("user code ends") }

    :: atomic {  /* the outbox is sent, and again until it is acknowledged */
           any_agent(); any_attempt(); agent[a].session != 0 && agent[a].outbox[w] != 0;
           agent[a].finishes = agent[a].finishes | M(w, agent[a].outbox[w], agent[a].session); done("the outbox is sent") }

    :: atomic {  /* it hears that the outcome is known, or not wanted */
           any_agent(); any_attempt(); live_session(a, agent[a].session) && agent[a].outbox[w] != 0;
           !(holds(w, a, agent[a].session) && epoch[w] == agent[a].outbox[w] && state[w] == RUNNING);
           agent[a].outbox[w] = 0; done("it is acknowledged") }

    :: atomic {  /* it crashes: memory is gone, and answers find nobody */
           any_agent(); agent[a].session != 0 && newest[a] < SESSIONS(a);
           forget(0); forget(1); agent[a].offers = 0; agent[a].session = 0; done("it crashes") }
    od
}
