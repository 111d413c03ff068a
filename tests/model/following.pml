/* A stage in two replicas, whose inputs are dealt by key or by load, and not in turn: a collector behind them follows
 * the dealing. It is one more consumer of the link that deals, its guide: the next record there names the replica whose
 * answer is next. It takes the records of that replica's output link up to the one that closes, and only then steps
 * over that record of the guide. It gives what it makes of them into a link of its own. Replicas and collector are
 * killed at any instant, also during a recovery. See link.pml for what stands for what, dealing.pml for the producer,
 * and how it and its consumers wait for one another, collecting.pml for links that are read in turn.
 *
 * The producer chooses for whom a record is when it writes it; a replica chooses what it answers when it does. A waiter
 * goes on as soon as what it waits for is there. The collector waits for answers only, and never for the guide: whoever
 * answers has seen the record there. In mode 4 it sleeps and is woken.
 *
 * In modes 3 and 4 there may be a mark in front of each answer, as what joins within a replica gives one when it has
 * nothing else to commit with; in mode 4 from one replica only. A mark belongs to no unit, and may come before the unit
 * that it stands in front of is dealt. Where the guide shows no unit, the collector steps over marks in any link.
 *
 * As in joining.pml, positions begin again at 0 after LAP, except in the link that deals; what a dead collector
 * announced is taken back; and the journal is one entry that changes in one step with the write position.
 *
 * MODE: 0 a unit gives one output or none, so that a tombstone closes it;
 *   1 none, one or two, closed by the last or by a tombstone behind it;
 *   2 one, of which the collector makes two, more than its link holds (else it makes one of one);
 *   3 as 0, and there are marks;
 *   4 one output and marks, and the collector sleeps and is woken.
 * BREAK: what is left out, to show that it is missed:
 *   1 the coordinator wakes nobody after a death   4 the guide is released before the commit   6 (waiting.pml)
 *  11 a replica does not answer a unit that gives nothing
 *  17 what the replicas have released is free, whether or not the collector has
 *  18 the collector does not release the guide
 *  20 the journal has the number of one input link only
 *  37 where the guide shows nothing, the collector sleeps on one link only
 *  38 the journal does not have the number of the guide
 *  39 the guide is stepped over with the first record of a unit
 *  40 the collector takes the units in turn
 *  41 the collector sleeps on the link that deals
 *  42 where the guide shows nothing, marks are left where they are, and the collector sleeps behind them
 *  43 the collector ends at the first end that it reads
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
#if MODE <= 2
#define ITEMS 3
#else
#define ITEMS 2
#endif
#endif
#ifndef ROOM
#define ROOM 1          /* of the collector's output link */
#endif
#ifndef ROOM_D
#define ROOM_D 1        /* of the link that deals */
#endif
#define IN_ROOM 1       /* of each link from a replica */
#define END 99
#define TOMBSTONE 98
#define GONE 97         /* what was released is overwritten at once */

#if MODE == 2
#define MAKES 2
#else
#define MAKES 1
#endif

#define GIVES_NONE (MODE != 2 && MODE != 4)

#ifndef LAP
#if BREAK == 0
#define LAP (2 * ROOM)
#else
#define LAP (4 * ROOM)   /* so that what is behind is told from what is in front */
#endif
#endif
#define BEHIND(position) (((position) + 1) % LAP)
#define DISTANCE(from, to) (((to) + LAP - (from)) % LAP)

#include "waiting.pml"

byte dealt;             /* the write position of the link that deals */
byte record[ROOM_D];    /* the number in its header; ITEMS is the end, which is for all */
bit to[ROOM_D];         /* for which replica it is */
byte released[3];       /* the read positions there: the replicas, then the collector */

typedef Input { byte written; byte read; byte slot[IN_ROOM]; bool closes[IN_ROOM] };
Input in[2];
typedef Answered { byte done; byte parts; bool marked };
Answered answered[2];   /* the replicas' journals: valid with in[k].written; `done` is behind the last unit done */
Waiter reader[2];       /* the collector, as each replica sees it */

byte written;           /* the collector's output link */
byte read;
byte slot[ROOM];
typedef Entry { byte number[3]; byte parts; bool ended };
Entry journal;          /* the collector's */
bool killed[3];         /* the replicas, then the collector */
byte finished;

/* In no memory: the unit that the sink expects, and, from there on, 1 + how many outputs were given for each. */
byte expected;
byte gave[ITEMS];

#define COLLECTOR 2
#define GUIDE 2         /* number[GUIDE]: of the next record of the link that deals */

#if BREAK == 17
#define IS_FREE (dealt - released[0] < ROOM_D && dealt - released[1] < ROOM_D)
#else
#define IS_FREE \
  (dealt - released[0] < ROOM_D && dealt - released[1] < ROOM_D && dealt - released[COLLECTOR] < ROOM_D)
#endif

/* Where both replicas do the same, the first record is for the first of them: fewer states. */
#define MAY_BE_FOR_1 (dealt < ITEMS && (dealt > 0 || MODE == 4))

active proctype Producer() {
  do
  :: dealt > ITEMS -> break
  :: atomic {
       dealt <= ITEMS && IS_FREE ->
       record[dealt % ROOM_D] = dealt;
       if
       :: to[dealt % ROOM_D] = 0
       :: MAY_BE_FOR_1 -> to[dealt % ROOM_D] = 1
       fi;
       dealt++   /* COMMIT */
     }
  od;
  finished++
}

#define IS_OWN (record[position % ROOM_D] == ITEMS || to[position % ROOM_D] == k)

inline put(k, value, last) {
  in[k].slot[in[k].written % IN_ROOM] = value;
  in[k].closes[in[k].written % IN_ROOM] = last;
  in[k].written = BEHIND(in[k].written)   /* COMMIT, with answered[k] */
}

inline close(k, outputs) {
  gave[position] = outputs + 1;
  answered[k].parts = 0;
  position++;
  answered[k].done = position
}

proctype Replica(bit k) {
  byte position;
life:
  {
    do
    :: position > ITEMS && released[k] == position -> goto out
    :: released[k] != position -> released[k] = position   /* what is done, and what is stepped over */
    :: d_step {
         position <= ITEMS && dealt != position && !IS_OWN ->
         assert(record[position % ROOM_D] == position);
         position++
       }
#if MODE == 3 || MODE == 4
    :: d_step {
         position <= ITEMS && !answered[k].marked && (MODE == 3 || k == 1) &&
         DISTANCE(in[k].read, in[k].written) < IN_ROOM ->
         answered[k].marked = true;
         put(k, TOMBSTONE, false)
       };
#if MODE == 4
       wake(reader[k], in[k].written)
#endif
#endif
    :: atomic {
         position <= ITEMS && dealt != position && IS_OWN && DISTANCE(in[k].read, in[k].written) < IN_ROOM ->
         assert(record[position % ROOM_D] == position);
         answered[k].marked = false;
         if
         :: position == ITEMS -> put(k, END, false); position++; answered[k].done = position
#if BREAK == 11
         :: position < ITEMS && GIVES_NONE -> close(k, 0)
#else
         :: position < ITEMS && GIVES_NONE -> put(k, TOMBSTONE, true); close(k, answered[k].parts)
#endif
         :: position < ITEMS ->
            put(k, 2 * position + answered[k].parts, true);
            close(k, answered[k].parts + 1)
#if MODE == 1
         :: position < ITEMS && answered[k].parts == 0 ->
            put(k, 2 * position, false);
            answered[k].parts = 1
#endif
         fi
       };
#if MODE == 4
       wake(reader[k], in[k].written)
#endif
    od
  } unless { killed[k] };
  d_step {
    position = (released[k] > answered[k].done -> released[k] : answered[k].done);
    forget(reader[k]);
    killed[k] = false
  };
#if MODE == 4 && BREAK != 1
  reader[k].in_kernel = false;   /* the coordinator wakes the collector */
#endif
  goto life;
out:
  finished++
}

inline release_up_to(k, position) {
  d_step {
    assert(DISTANCE(in[k].read, position) <= DISTANCE(in[k].read, in[k].written));
    do
    :: in[k].read == position -> break
    :: else ->
       in[k].slot[in[k].read % IN_ROOM] = GONE;
       in[k].closes[in[k].read % IN_ROOM] = false;
       in[k].read = BEHIND(in[k].read)
    od;
    skip
  }
}

#if BREAK == 18
#define KEEPS_GUIDE true
#else
#define KEEPS_GUIDE (released[COLLECTOR] == number[GUIDE])
#endif

/* In any sequence. */
inline release() {
  do
  :: in[0].read != number[0] -> release_up_to(0, number[0])
  :: in[1].read != number[1] -> release_up_to(1, number[1])
  :: !KEEPS_GUIDE ->
     d_step { assert(released[COLLECTOR] <= number[GUIDE]); released[COLLECTOR] = number[GUIDE] }
  :: in[0].read == number[0] && in[1].read == number[1] && KEEPS_GUIDE -> break
  od
}

/* With the inputs that were stepped over, and `made` outputs of the next one. */
inline publish(made) {
  d_step {
    journal.number[0] = number[0];
    journal.number[1] = number[1];
    journal.number[GUIDE] = number[GUIDE];
    journal.parts = made;
    journal.ended = ended;
    written = head   /* COMMIT */
  }
}

#define UNCOMMITTED \
  (number[0] != journal.number[0] || number[1] != journal.number[1] || number[GUIDE] != journal.number[GUIDE] || \
   ended != journal.ended)
#define IS_ROOM (DISTANCE(read, head) < ROOM)

/* A commit without output gives a tombstone, so that all that the entry holds becomes valid by one store. Where there
 * is no room for it, the inputs stay uncommitted, and so are not released. */
inline commit() {
  d_step {
    UNCOMMITTED && (head != written || IS_ROOM) ->
    assert(already == 0);
    if :: head == written -> slot[head % ROOM] = TOMBSTONE; head = BEHIND(head) :: else fi
  };
#if BREAK == 4
  released[COLLECTOR] = number[GUIDE];
#endif
  publish(0);
  release()
}

#define NEXT(k) in[k].slot[number[k] % IN_ROOM]
#define CLOSES(k) in[k].closes[number[k] % IN_ROOM]
#define IS_MORE(k) (in[k].written != number[k])
#define IS_MARK(k) (IS_MORE(k) && NEXT(k) == TOMBSTONE && !CLOSES(k))
#define IS_END(k) (IS_MORE(k) && NEXT(k) == END)

#define SHOWN record[number[GUIDE] % ROOM_D]
#if BREAK == 39
#define SHOWS_UNIT (within || (number[GUIDE] != dealt && SHOWN != ITEMS))
#define SHOWS_END (!within && number[GUIDE] != dealt && SHOWN == ITEMS)
#define SOURCE (within -> from : to[number[GUIDE] % ROOM_D])
#else
#define SHOWS_UNIT (number[GUIDE] != dealt && SHOWN != ITEMS)
#define SHOWS_END (number[GUIDE] != dealt && SHOWN == ITEMS)
#if BREAK == 40
#define SOURCE (number[GUIDE] % 2)
#else
#define SOURCE to[number[GUIDE] % ROOM_D]
#endif
#endif

/* It may do so in any link at any time, and does so before it sleeps if the guide shows no unit: else a replica without
 * room behind a mark and a collector without a unit wait for one another. While outputs are out of an input that is not
 * done, nothing else is committed. */
#if BREAK == 42
#define IS_STEPPED_OVER(k) (IS_MARK(k) && SHOWS_END)
#else
#define IS_STEPPED_OVER(k) (IS_MARK(k) && already == 0)
#endif

inline step_over_mark(k) {
  d_step { !ended && IS_STEPPED_OVER(k) -> number[k] = BEHIND(number[k]) }
}

#if BREAK == 43
#define OVER (IS_END(0) || IS_END(1))
#else
#define OVER (IS_END(0) && IS_END(1))
#endif

#define IS_INPUT (SHOWS_UNIT && IS_MORE(SOURCE) || SHOWS_END && OVER)

inline take() {
  d_step {
    !ended && IS_INPUT ->
    if
    :: SHOWS_END -> value = END; made = MAKES - 1
    :: else ->
#if BREAK != 39
       assert(SHOWN == number[GUIDE]);
#endif
       from = SOURCE;
       value = NEXT(from);
       assert(value != END);
       made = (value == TOMBSTONE -> MAKES : already)
    fi
  }
}

inline advance() {
  if
  :: value != END ->
     assert(NEXT(from) == value);
#if BREAK == 39
     if :: !within -> number[GUIDE]++ :: else fi;
     within = !CLOSES(from);
     number[from] = BEHIND(number[from]);
     from = (within -> from : 0)
#else
     if :: CLOSES(from) -> number[GUIDE]++ :: else fi;
     number[from] = BEHIND(number[from]);
     from = 0
#endif
  :: else
  fi;
  already = 0;
  made = 0;
  value = 0
}

#if BREAK == 42
#define CAN_GO_ON(k) (IS_MORE(k) && !IS_MARK(k))
#else
#define CAN_GO_ON(k) IS_MORE(k)
#endif
#if BREAK == 37
#define ALL 1
#else
#define ALL 3
#endif

#define AWAITED(k) ((awaits >> k) & 1)
#define CHANGED(k) (AWAITED(k) && CAN_GO_ON(k))

inline announce_place(k) {
  if :: AWAITED(k) -> announce(reader[k], number[k]) :: else fi
}

inline enter_kernel(k) {
  d_step { if :: AWAITED(k) && !IS_MORE(k) -> reader[k].in_kernel = true :: else fi }
}

inline rise_from(k) {
  if :: AWAITED(k) -> reader[k].asleep_at = 0; reader[k].in_kernel = false; forget(reader[k]) :: else fi
}

/* What the guide shows it has seen before, and it does not look at it again before it sleeps. */
inline sleep_for_answer() {
  d_step {
    !ended && !UNCOMMITTED && !IS_INPUT && (SHOWS_UNIT || !IS_STEPPED_OVER(0) && !IS_STEPPED_OVER(1)) ->
    if
    :: SHOWS_UNIT -> awaits = 1 + SOURCE
    :: SHOWS_END -> awaits = (IS_END(0) -> 0 : 1) + (IS_END(1) -> 0 : 2)
    :: else ->
       assert(BREAK == 42 || !IS_MORE(0) && !IS_MORE(1));   /* who answers has seen what the guide shows */
       awaits = ALL
    fi
  };
#if BREAK == 41
  made = dealt;
  dealt != made;
  made = 0;
#elif MODE == 4
  d_step { announce_place(0); announce_place(1) };
  if
  :: CHANGED(0) || CHANGED(1)
  :: else ->
     enter_kernel(0);
     enter_kernel(1);   /* it returns at once if this word has changed, or if it was woken on the other */
     (AWAITED(0) && !reader[0].in_kernel) || (AWAITED(1) && !reader[1].in_kernel)
  fi;
  d_step { rise_from(0); rise_from(1) };
#else
  CHANGED(0) || CHANGED(1);
#endif
  awaits = 0
}

active proctype Collector() {
  byte number[3];     /* of the next record of each link, and of the guide */
  byte head, made, already, value, awaits;
  bit from;
  bool ended;
#if BREAK == 39
  bool within;
#endif
life:
  {
    d_step {
      head = written;
      number[0] = journal.number[0];
      number[1] = journal.number[1];
      number[GUIDE] = journal.number[GUIDE];
#if BREAK == 20
      number[1] = in[1].read;
#elif BREAK == 38
      number[GUIDE] = released[COLLECTOR];
#endif
      already = journal.parts;
      ended = journal.ended
    };
    release();   /* what was done and not released */
    do
    :: ended && !UNCOMMITTED -> goto out
    :: commit()   /* sooner or later, and before a sleep */
#if MODE == 3 || MODE == 4
    :: step_over_mark(0)
    :: step_over_mark(1)
#endif
    :: sleep_for_answer()
    :: take();
       do
       :: d_step { made == MAKES -> advance() }; break
       :: d_step {
            made < MAKES && IS_ROOM ->
            slot[head % ROOM] = (value == END -> END : MAKES * value + made);
            ended = (value == END);
            head = BEHIND(head);
            made++
          }
       :: made < MAKES && !IS_ROOM && head != written -> publish((value == END -> 0 : made)); release()
       od
    od
  } unless { killed[COLLECTOR] };
  d_step {
    number[0] = 0; number[1] = 0; number[GUIDE] = 0; head = 0; made = 0; already = 0; value = 0; awaits = 0; from = 0;
    ended = false; reader[0].in_kernel = false; reader[1].in_kernel = false; forget(reader[0]); forget(reader[1]);
    reader[0].asleep_at = 0; reader[1].asleep_at = 0;
#if BREAK == 39
    within = false;
#endif
    killed[COLLECTOR] = false
  };
  goto life;
out:
  finished++
}

/* Each output of each unit once, in the sequence of the dealing. */
active proctype Sink() {
  byte value, got;
  bool ended;
  do
  :: ended -> break
  :: d_step {
       !ended && written != read ->
       value = slot[read % ROOM];
       if
       :: value == TOMBSTONE
       :: else ->
          do
          :: expected < ITEMS && (value == END || value / MAKES / 2 > expected) ->
             assert(gave[expected] != 0 && got == MAKES * (gave[expected] - 1));
             got = 0;
             gave[expected] = 0;
             expected++
          :: else -> break
          od;
          ended = (value == END);
          if
          :: value != END -> assert(value == MAKES * 2 * expected + got); got++
          :: else
          fi
       fi;
       slot[read % ROOM] = GONE;
       read = BEHIND(read);
       value = 0
     }
  od;
  finished++
}

/* It may kill less often. Where it waits for nothing more is no deadlock. */
active proctype Killer() {
  byte kills;
end:
  do
  :: atomic {
       kills < KILLS ->
       kills++;
       if
       :: !killed[0] -> killed[0] = true
       :: !killed[1] -> killed[1] = true
       :: !killed[COLLECTOR] -> killed[COLLECTOR] = true
       :: kills = KILLS
       fi
     }
  od
}

init {
  atomic {
    run Replica(0);
    run Replica(1)
  }
}

#define ONLY_END_LEFT(k) (DISTANCE(in[k].read, in[k].written) == 1 && in[k].slot[in[k].read % IN_ROOM] == END)

/* Nothing but the ends is left in the links, and the replicas have released those of the link that deals. */
active proctype End() {
  finished == 5;
  assert(ONLY_END_LEFT(0) && ONLY_END_LEFT(1) && expected == ITEMS);
  assert(released[0] == ITEMS + 1 && released[1] == ITEMS + 1 && released[COLLECTOR] == ITEMS)
}
