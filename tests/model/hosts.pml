/* A part and its twin that write one log, or read one, alive at the same time: workers/nats/log_writer, log_reader and
 * the verbs of log.hpp. A request may take effect late, also behind the death of its sender; replies may be lost. See
 * link.pml for how kills and BREAKs work.
 *
 * A parcel holds the items [from, upto). Where a writer cuts depends on time, so two writers cut differently. What the
 * readers have done is the last parcel of their own output, which is written as the writers here write theirs; `done`
 * stands for it.
 *
 * MODE: 0 two writers of a stateless part   1 of a part with state, which claims the log by a higher epoch
 *   2 two writers and a reader, of a log that goes back once: the servers lose the last parcel that they acknowledged,
 *     and use its number again
 *   3 two readers, of whose own log that goes back once, to what its server has synced
 * BREAK: what is left out, 50 + the rule in src/docs/log.md:
 *  51 two parcels are in flight             52 what was not acknowledged is sent again, behind what the log holds now
 *  53 a reader trusts the log's numbers, and not those of the items
 *  54 a writer that sees a higher epoch goes on
 *  55 the last parcel may vanish, and an empty log is taken for a new one
 *  56 input is released before the server has synced the output
 *  57 input that is gone is an error, without a look at what a twin has done
 */
#ifndef MODE
#define MODE 0
#endif
#ifndef BREAK
#define BREAK 0
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef ITEMS
#if MODE < 2
#define ITEMS 2
#else
#define ITEMS 3
#endif
#endif
#define PARCELS 10

/* The log: parcels (purged, last] are there. */
byte last, purged;
byte from[PARCELS], upto[PARCELS], epoch[PARCELS];
bool may_go_back = (MODE >= 2);

/* Requests to append, two of each writer. */
#define idle 0
#define sent 1
#define acked 2
#define refused 3
#define forgotten 4   /* nobody waits for the reply */
typedef Request { byte is; byte expected; byte from; byte upto; byte epoch };
Request request[4];

byte done;      /* the last parcel of the readers' output: items before it are done */
byte synced;    /* as far as its server has synced it */
bool killed[2]; /* the writers; a reader keeps nothing that a kill could take: see Reader */
byte finished;

inline append(start, stop, its) {
  last++;
  assert(last < PARCELS);
  from[last] = start;
  upto[last] = stop;
  epoch[last] = its;
  /* Nothing lost, nothing twice. A log that goes back uses a number again, which no comparison of numbers can see: then
   * it is the reader who finds it. */
  assert(MODE == 2 || from[last] == upto[last - 1]);
  assert(MODE != 1 || epoch[last] >= epoch[last - 1])    /* no state of two lives */
}

inline clear(r) {
  r.is = idle; r.expected = 0; r.from = 0; r.upto = 0; r.epoch = 0
}

/* The request takes effect, or is lost; so is its reply, if the writer's time runs out. */
#define PENDING(r) (r.is == sent || r.is == forgotten)
inline serve(r) {
  if
  :: r.is == forgotten -> clear(r)
  :: r.expected == last ->
     append(r.from, r.upto, r.epoch);
     if
     :: r.is == forgotten -> clear(r)
     :: r.is == sent -> r.is = acked
     fi
  :: r.is == sent && r.expected != last -> r.is = refused
  fi
}

active proctype Server() {
end:
  do
  :: atomic { PENDING(request[0]) -> serve(request[0]) }
  :: atomic { PENDING(request[1]) -> serve(request[1]) }
  :: atomic { PENDING(request[2]) -> serve(request[2]) }
  :: atomic { PENDING(request[3]) -> serve(request[3]) }
  od
}

inline send(r, expecting, start, stop) {
  r.expected = expecting; r.from = start; r.upto = stop; r.epoch = mine; r.is = sent
}

/* Nobody waits for it any more. */
inline forget(r) {
  if
  :: r.is == sent -> r.is = forgotten
  :: r.is == forgotten
  :: else -> clear(r)
  fi
}

/* The verb last(): what the part did last is its journal. */
inline look() {
  number = last;
  if
  :: last == 0 -> position = 0
  :: last > 0 && last == purged ->
#if BREAK == 55
     position = 0
#else
     assert(false)
#endif
  :: else -> position = upto[last]
  fi;
  held = (last > purged -> epoch[last] : 0)
}

#define ONE request[2 * me]
#define OTHER request[2 * me + 1]

#if MODE != 3
active [2] proctype Writer() {
  byte number, position, to, mine, held;
  byte me = _pid - 1;
  bool first_sent;
life:
  {
    atomic {
      look();
      mine = (MODE == 1 -> held + 1 : 0);
      to = position
    };
    if
    :: MODE == 1 -> goto put   /* claims with an empty parcel */
    :: else
    fi;
next:
    atomic {
      if
      :: position == ITEMS && !may_go_back ->
         look();
         if :: position == ITEMS -> goto out :: else fi
      :: position == ITEMS && may_go_back -> (!may_go_back || last != number); look(); goto next
      :: position < ITEMS
      fi;
      if
      :: to = position + 1
      :: position + 2 <= ITEMS -> to = position + 2
      fi;
put:
      if
      :: ONE.is == idle -> send(ONE, number, position, to); first_sent = true
#if BREAK != 51
      :: ONE.is == forgotten && OTHER.is == idle -> send(OTHER, number, position, to); first_sent = false
#endif
      fi;
#if BREAK == 51
      if
      :: to < ITEMS && OTHER.is == idle -> send(OTHER, number + 1, to, to + 1)
      :: else
      fi
#endif
    };
    atomic {
      if
#if BREAK == 51
      :: ONE.is == acked && OTHER.is == acked -> number = number + 2; position = to + 1
      :: ONE.is == acked && OTHER.is == idle -> number++; position = to
#else
      :: first_sent && ONE.is == acked -> number++; position = to
      :: !first_sent && OTHER.is == acked -> number++; position = to
#endif
      /* refused, or the time runs out; where requests are late only behind a death, there is less to explore */
      :: MODE == 0 || (first_sent -> ONE.is : OTHER.is) == refused ->
#if BREAK == 52
         if
         :: number != last -> number = last; forget(ONE); forget(OTHER); goto put
         :: else -> look()
         fi
#else
         look()
#endif
      fi;
      forget(ONE);
      forget(OTHER);
      to = position;
      if
      :: MODE == 1 && BREAK != 54 && held > mine -> goto out   /* another one has taken over */
      :: else
      fi
    };
    goto next
  } unless { killed[me] };
  d_step {
    killed[me] = false;
    forget(ONE);
    forget(OTHER);
    number = 0; position = 0; to = 0; mine = 0; held = 0; first_sent = false
  };
  goto life;
out:
  finished++
}
#endif

#if MODE >= 2
/* Its death takes nothing that a look at `done` does not give back, so each look stands for one. */
#if MODE == 2
active proctype Reader() {
#else
active [2] proctype Reader() {
#endif
  byte position, to, k, next, before;
  do
  :: done == ITEMS && !may_go_back -> break
  :: done < ITEMS || may_go_back ->
     atomic {   /* read(): the parcel with the next item */
       k = purged + 1;
       do
       :: k <= last && upto[k] <= position -> k++
       :: else -> break
       od;
#if BREAK == 53
       k = (next > k -> next : k);
#endif
       to = position;
       if
       :: k > last   /* nothing yet */
       :: k <= last && from[k] <= position && upto[k] > position -> to = upto[k]; next = k + 1
#if BREAK == 53
       :: k <= last && (from[k] > position || upto[k] <= position) -> assert(false)
#else
       :: k <= last && from[k] > position ->   /* input is gone */
#if BREAK == 57
          assert(false);
#endif
          before = position;
          position = done;
          if
          :: position != before   /* a twin has moved on */
          :: else -> assert(MODE == 2); goto told   /* an error that says what is missing */
          fi;
          before = 0;
          to = position
#endif
       fi;
       k = 0
     };
     atomic {   /* append() to the own output, by compare-and-swap */
       if
       :: to > position && done == position -> done = to
       :: else
       fi;
       position = done;
       to = 0
     };
#if MODE == 3
#if BREAK == 56
#define KEPT done
#else
#define KEPT synced
#endif
     atomic {   /* release() */
       do
       :: purged + 1 < last && upto[purged + 1] <= KEPT -> purged++
       :: else -> break
       od
     }
#endif
  od;
told:
  finished++
}
#endif

#if MODE == 3
active proctype Input() {
  do
  :: atomic { upto[last] < ITEMS -> append(upto[last - 1], upto[last - 1] + 1, 0) }
  :: upto[last] == ITEMS -> break
  od
}
#endif

active proctype Faults() {
  byte kills;
end:
  do
#if MODE < 2
  :: kills < KILLS -> kills++; if :: killed[0] = true :: killed[1] = true fi
#if BREAK == 55
  :: purged < last -> purged = last
#elif MODE == 0
  :: purged + 1 < last -> purged = last - 1
#endif
#elif MODE == 2
  :: atomic { may_go_back && last > 0 -> last--; may_go_back = false }
#else
  :: synced != done -> synced = done
  :: atomic { may_go_back -> done = synced; may_go_back = false }
#endif
  :: atomic { may_go_back -> may_go_back = false }
  od
}

active proctype End() {
  finished == (MODE == 2 -> 3 : 2);
  assert(MODE != 3 || done == ITEMS);
  assert(MODE >= 2 || upto[last] == ITEMS)
}
