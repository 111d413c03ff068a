/* A stage in two replicas, the links behind it: a collector reads the replicas' output links in turn, one unit from
 * each, and gives what it makes of them into a link of its own. As in worker/collector, worker/committer and
 * worker/room_wait. A kill at any instant, also during a recovery. See link.pml for what stands for what. How the two
 * ends of a link wait for one another is its subject too: here a waiter goes on as soon as it can. A replica always has
 * input and answers each unit once.
 *
 * MODE: 0 a unit gives one output or none, so that a tombstone closes it, in every possible sequence; 1 one;
 *   2 two, more than the link holds, and every second unit is closed by a tombstone behind them;
 *   3 one, of which the collector makes two, more than its link holds (else it makes one of one).
 * BREAK: what is left out, to show that it is missed:
 *   4 the inputs are released before the commit
 *  11 a replica does not answer a unit that gives nothing
 *  20 the journal has the number of one input link only
 *  22 inputs without output are committed by stores into the entry that counts
 *  26 the journal does not say whose turn it is
 *  28 a collector without room releases inputs that it could not commit
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
#define ITEMS 4
#endif
#ifndef ROOM
#define ROOM 1          /* of the collector's output link */
#endif
#define IN_ROOM 1       /* of each link from a replica */
#define END 99
#define TOMBSTONE 98

#if MODE == 0
#define GIVES(unit) ((gives >> (unit)) & 1)
#define RECORDS(unit) 1
#elif MODE == 2
#define GIVES(unit) 2
#define RECORDS(unit) (2 + (unit) % 2)
#else
#define GIVES(unit) 1
#define RECORDS(unit) 1
#endif
#if MODE == 3
#define MAKES 2
#else
#define MAKES 1
#endif

typedef Input { byte written; byte read; byte slot[IN_ROOM]; bool closes[IN_ROOM] };
Input in[2];
typedef Answered { byte unit; byte part };
Answered next[2];       /* the replicas' journals: valid with in[k].written */
byte gives;             /* a bit for each unit: it gives an output */

byte written;           /* the collector's output link */
byte read;
byte slot[ROOM];
typedef Entry { byte position; byte number[2]; bit turn; byte parts; bool ended };
Entry journal[2];       /* the collector's: the entry that matches `written` counts */
bool killed[3];         /* the replicas, then the collector */
byte finished;

#define COLLECTOR 2

proctype Replica(bit k) {
  byte at;
life:
  {
    do
    :: next[k].unit > ITEMS + 1 -> goto out
#if BREAK == 11
    :: next[k].unit < ITEMS && GIVES(next[k].unit) == 0 -> next[k].unit = next[k].unit + 2
    :: next[k].unit <= ITEMS + 1 && (next[k].unit >= ITEMS || GIVES(next[k].unit) != 0) &&
       in[k].written - in[k].read < IN_ROOM ->
#else
    :: next[k].unit <= ITEMS + 1 && in[k].written - in[k].read < IN_ROOM ->
#endif
       d_step {
         at = in[k].written % IN_ROOM;
         in[k].closes[at] = (next[k].unit >= ITEMS || next[k].part + 1 == RECORDS(next[k].unit));
         if
         :: next[k].unit >= ITEMS -> in[k].slot[at] = END
         :: next[k].unit < ITEMS && next[k].part == GIVES(next[k].unit) -> in[k].slot[at] = TOMBSTONE
         :: else -> in[k].slot[at] = 2 * next[k].unit + next[k].part
         fi;
         at = 0
       };
       d_step {
         if
         :: in[k].closes[in[k].written % IN_ROOM] -> next[k].unit = next[k].unit + 2; next[k].part = 0
         :: else -> next[k].part++
         fi;
         in[k].written++   /* COMMIT */
       }
    od
  } unless { killed[k] };
  killed[k] = false;
  goto life;
out:
  finished++
}

inline release() {
  if
  :: in[0].read = number[0]; in[1].read = number[1]
  :: in[1].read = number[1]; in[0].read = number[0]
  fi
}

/* With the inputs that were stepped over, and `made` outputs of the next one. */
inline publish(made) {
  d_step {
    entry = 1 - entry;
    journal[entry].number[0] = number[0];
    journal[entry].number[1] = number[1];
#if BREAK != 26
    journal[entry].turn = turn;
#endif
    journal[entry].parts = made;
    journal[entry].ended = ended;
    journal[entry].position = head
  };
  d_step { written = head; published = head }   /* COMMIT */
}

#define UNCOMMITTED (number[0] != journal[entry].number[0] || number[1] != journal[entry].number[1])

/* Inputs without output stay uncommitted here, and so are not released. */
inline make_room(made) {
  do
  :: head - read < ROOM -> break
  :: else ->
     if
     :: head != published -> publish(made); release()
     :: else ->
#if BREAK == 28
        release()
#else
        skip
#endif
     fi;
     head - read < ROOM
  od
}

/* Without output it gives a tombstone, so that all that the entry holds becomes valid by one store. */
inline commit() {
#if BREAK == 4
  release();
#endif
#if BREAK == 22
  if
  :: head == published ->
     journal[entry].number[0] = number[0];
     journal[entry].number[1] = number[1];
     journal[entry].turn = turn
  :: else -> publish(0)
  fi;
#else
  if
  :: head == published -> make_room(0); slot[head % ROOM] = TOMBSTONE; head++
  :: else
  fi;
  publish(0);
#endif
  release()
}

active proctype Collector() {
  byte number[2];
  byte head, published, made, already, value;
  bit turn, entry;
  bool ended;
life:
  {
    published = written;
    head = published;
    entry = (journal[0].position == published -> 0 : 1);
    assert(journal[entry].position == published);
    d_step {
      number[0] = journal[entry].number[0];
      number[1] = journal[entry].number[1];
      turn = journal[entry].turn;
      already = journal[entry].parts;
      ended = journal[entry].ended
    };
#if BREAK == 20
    number[1] = in[1].read;
#endif
    assert(in[0].read <= number[0] && in[1].read <= number[1]);
    release();   /* what was done and not released */
    do
    :: ended -> goto out
    :: !ended && UNCOMMITTED -> commit()   /* sooner or later, and before a sleep */
    :: !ended && !UNCOMMITTED && in[turn].written == number[turn] -> in[turn].written != number[turn]
    :: !ended && in[turn].written != number[turn] ->
       value = in[turn].slot[number[turn] % IN_ROOM];
       made = 0;
       if
       :: value == TOMBSTONE
       :: value == END -> make_room(0); slot[head % ROOM] = END; head++; ended = true
       :: else ->
          do
          :: made == MAKES -> break
          :: made < MAKES && made < already -> made++
          :: else ->
             make_room(made);
             slot[head % ROOM] = MAKES * value + made;
             head++;
             made++
          od
       fi;
       atomic {
         assert(in[turn].slot[number[turn] % IN_ROOM] == value);
         already = 0;
         made = 0;
         value = 0;
         number[turn]++;
         if
         :: in[turn].closes[(number[turn] - 1) % IN_ROOM] -> turn = 1 - turn
         :: else
         fi
       };
       if :: ended -> commit() :: else fi
    od
  } unless { killed[COLLECTOR] };
  d_step {
    number[0] = 0; number[1] = 0; head = 0; published = 0; made = 0; already = 0; value = 0; turn = 0; entry = 0;
    ended = false; killed[COLLECTOR] = false
  };
  goto life;
out:
  finished++
}

/* Each output once, and in their sequence. */
active proctype Sink() {
  byte expected, unit, value;
  do
  :: written != read ->
     d_step {
       value = slot[read % ROOM];
       do
       :: unit < ITEMS && expected == MAKES * (2 * unit + GIVES(unit)) -> unit++; expected = MAKES * 2 * unit
       :: else -> break
       od;
       assert(value == TOMBSTONE || value == (unit == ITEMS -> END : expected));
       if :: value < TOMBSTONE -> expected++ :: else fi;
       read++
     };
     if :: value == END -> break :: else -> value = 0 fi
  od;
  finished++
}

active proctype Killer() {
  byte kills;
end:
  do
  :: atomic {
       kills < KILLS ->
       kills++;
       if
       :: killed[0] = true
       :: killed[1] = true
       :: killed[COLLECTOR] = true
       :: kills = KILLS
       fi
     }
  od
}

init {
  atomic {
#if MODE == 0
    do
    :: gives < (1 << ITEMS) - 1 -> gives++
    :: break
    od;
#endif
    next[1].unit = 1;
    run Replica(0);
    run Replica(1)
  }
}

active proctype End() {
  finished == 4
}
