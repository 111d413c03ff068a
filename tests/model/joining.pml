/* Two branches, the links behind them, and what joins them: Zip makes one item of an answer of each branch, FirstAnswer
 * takes the answer of the branch that is the first to give some. As in worker/zip, worker/first_answer, worker/inputs,
 * worker/committer, worker/segment_runner and worker/room_wait. The worker that joins is killed at any instant, also
 * during a recovery. See link.pml for what stands for what, and collecting.pml for links that are read in turn.
 *
 * No branch dies here; that each answers an item once is the subject of dealing.pml. What it answers is chosen when it
 * does: nothing, or an output or two. In front of each record there may be a mark, as what joins within a branch gives
 * one when it has nothing else to commit with (mode 4: in one branch only). Both take their items from one link, which
 * holds FRONT of them. A waiter goes on as soon as it can; in mode 4 the joiner sleeps and is woken, and a branch
 * without room still goes on by itself.
 *
 * So that there are fewer states, positions begin again at 0 after LAP, what a dead joiner announced is taken back, and
 * the journal is one entry that changes in one step with the write position: what is written into the entry that does
 * not count nobody sees (link.pml).
 *
 * MODE: 0 zip; 1 zip, and two outputs are made of an item, more than the output link holds;
 *   2 first answer, of one output or none; 3 of none, one or two, closed by the last or by a tombstone behind it;
 *   4 as 2, and a joiner that finds nothing sleeps on all links that it awaits something from.
 * BREAK: what is left out, to show that it is missed:
 *  20 the journal has the number of one input link only
 *  31 answers are released before the item is done that they are part of
 *  32 marks are not committed and released before that item is done
 *  33 the journal does not say which branch was the first
 *  34 the journal does not say how many items each branch has answered
 *  35 what is stepped over is released before the commit
 *  36 it ends at the first end that it reads
 *  37 it sleeps on one link only
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
#if BREAK == 0 && MODE <= 2
#define ITEMS 3
#else
#define ITEMS 2
#endif
#endif
#ifndef ROOM
#define ROOM 1          /* of each link from a branch */
#endif
#ifndef FRONT
#define FRONT 1
#endif
#define OUT_ROOM 1
#define END 99
#define TOMBSTONE 98
#define GONE 97         /* what was released is overwritten at once */

#define ZIP (MODE <= 1)
#if MODE == 1
#define MAKES 2
#else
#define MAKES 1
#endif

#ifndef LAP
#if BREAK == 0
#define LAP (2 * ROOM)
#else
#define LAP (4 * ROOM)   /* so that what is behind is told from what is in front */
#endif
#endif
#define BEHIND(position) (((position) + 1) % LAP)
#define DISTANCE(from, to) (((to) + LAP - (from)) % LAP)
#define IS_WITHIN(k, position) (DISTANCE(in[k].read, position) <= DISTANCE(in[k].read, in[k].written))

#include "waiting.pml"

typedef Input { byte written; byte read; byte slot[ROOM]; bool closes[ROOM] };
Input in[2];
Waiter reader[2];       /* the joiner, as each branch sees it */
byte unit[2];           /* items that each branch has answered: what it has released in the link in front */

byte written;           /* the output link */
byte read;
byte slot[OUT_ROOM];
typedef Entry { byte number[2]; byte answered[2]; byte item; byte winner; byte parts; bool ended };
Entry journal;          /* the joiner's */
bool killed;
byte finished;

/* In no memory: the item that the sink expects, and, from there on, 1 + how many outputs each branch gave to each. */
byte expected;
byte gave[2 * ITEMS];

#define OUTPUT(k) ((unit[k] * 2 + k) * 2 + part)   /* from 0 */

inline put(k, value, last) {
  in[k].slot[in[k].written % ROOM] = value;
  in[k].closes[in[k].written % ROOM] = last;
  in[k].written = BEHIND(in[k].written)   /* COMMIT */
}

inline answer(k, outputs) {
  if :: unit[k] >= expected -> gave[k * ITEMS + unit[k]] = outputs + 1 :: else fi;
  part = 0;
  unit[k]++
}

proctype Branch(bit k) {
  byte part;
  bool marked;
  do
  :: unit[k] > ITEMS -> break
  :: atomic {
       unit[k] <= ITEMS && unit[k] < unit[1 - k] + FRONT && DISTANCE(in[k].read, in[k].written) < ROOM ->
       if
#if MODE == 3
       :: unit[k] < ITEMS && part == 0 -> marked = false; put(k, OUTPUT(k), false); part++
#endif
       :: !marked && (MODE != 4 || k == 1) -> marked = true; put(k, TOMBSTONE, false)
       :: unit[k] == ITEMS -> marked = false; put(k, END, false); unit[k]++
       :: unit[k] < ITEMS -> marked = false; put(k, TOMBSTONE, true); answer(k, part)
       :: unit[k] < ITEMS -> marked = false; put(k, OUTPUT(k), true); answer(k, part + 1)
       fi
     };
#if MODE == 4
     wake(reader[k], in[k].written)
#endif
  od;
  finished++
}

inline release_up_to(k, position) {
  d_step {
    assert(IS_WITHIN(k, position));
    do
    :: in[k].read == position -> break
    :: else ->
       in[k].slot[in[k].read % ROOM] = GONE;
       in[k].closes[in[k].read % ROOM] = false;
       in[k].read = BEHIND(in[k].read)
    od;
    skip
  }
}

inline release() {
#if BREAK == 31
  release_up_to(0, place[0]);
  release_up_to(1, place[1])
#else
  release_up_to(0, number[0]);
  release_up_to(1, number[1])
#endif
}

/* With the inputs that were stepped over, and `made` outputs of the next one. */
inline publish(made) {
  d_step {
    journal.number[0] = number[0];
    journal.number[1] = number[1];
    journal.answered[0] = answered[0];
    journal.answered[1] = answered[1];
    journal.item = item;
    journal.winner = winner;
    journal.parts = made;
    journal.ended = ended;
    written = head   /* COMMIT */
  }
}

#define UNCOMMITTED (number[0] != journal.number[0] || number[1] != journal.number[1] || ended != journal.ended)
#define IS_ROOM (DISTANCE(read, head) < OUT_ROOM)

/* A commit without output gives a tombstone, so that all that the entry holds becomes valid by one store. Where there
 * is no room for it, the inputs stay uncommitted, and so are not released. While outputs are out of an item that is not
 * done, nothing else is committed. */
inline commit() {
  d_step {
    UNCOMMITTED && (head != written || IS_ROOM) ->
    assert(already == 0);
    if :: head == written -> slot[head % OUT_ROOM] = TOMBSTONE; head = BEHIND(head) :: else fi
  };
  publish(0);
  release()
}

#define NEXT(k) in[k].slot[place[k] % ROOM]
#define CLOSES(k) in[k].closes[place[k] % ROOM]
#define IS_MORE(k) (in[k].written != place[k])

#if ZIP

#define READY (at == 2)
#define LAST(k) in[k].slot[(place[k] + LAP - 1) % ROOM]

/* Zip::take_answer(), of the link `at`. */
inline look() {
  d_step {
    !ended && at < 2 && IS_MORE(at) ->
    if
#if BREAK == 36
    :: NEXT(at) == END -> over[at] = true; at = 2
#else
    :: NEXT(at) == END -> over[at] = true; at++
#endif
    :: NEXT(at) == TOMBSTONE && !CLOSES(at) && !given[at] ->
       place[at] = BEHIND(place[at]);
#if BREAK != 32
       number[at] = place[at]
#endif
    :: else ->
       if :: NEXT(at) != TOMBSTONE -> assert(!given[at]); given[at] = true :: else fi;
       if
       :: CLOSES(at) -> place[at] = BEHIND(place[at]); at++
       :: else -> place[at] = BEHIND(place[at])
       fi
    fi
  }
}

inline take() {
  if
  :: over[0] || over[1] -> value = END
  :: else -> value = (given[0] && given[1] -> LAST(0) : TOMBSTONE)
  fi
}

/* The answers are still there, and are those to one item. */
inline advance() {
  assert(value >= TOMBSTONE || (LAST(0) == value && LAST(1) == value + 2));
  number[0] = place[0];
  number[1] = place[1];
  given[0] = false;
  given[1] = false;
  at = 0
}

#else

#if BREAK == 36
#define OVER (over[0] || over[1])
#else
#define OVER (over[0] && over[1])
#endif
#define READY (winner == 0 && OVER || winner != 0 && IS_MORE(winner - 1))
#define SOUGHT(k) (winner == 0 && !over[k] && answered[k] <= item)
#define OTHER_ANSWERED(k) (over[1 - k] || answered[1 - k] > item)

inline step_over(k) {
  if :: CLOSES(k) -> answered[k]++ :: else fi;
  place[k] = BEHIND(place[k]);
  number[k] = place[k]
}

/* FirstAnswer::seek() */
inline seek(k) {
  d_step {
    !ended && SOUGHT(k) && IS_MORE(k) ->
    if
    :: NEXT(k) == END -> over[k] = true
    :: NEXT(k) != END && answered[k] == item &&
       (NEXT(k) != TOMBSTONE || (CLOSES(k) && OTHER_ANSWERED(k))) -> winner = k + 1
    :: else ->
       step_over(k);
#if BREAK == 35
       in[k].read = number[k]
#endif
    fi
  }
}

inline look() {
  if
  :: seek(0)
  :: seek(1)
  fi
}

inline take() {
  value = (winner == 0 -> END : NEXT(winner - 1))
}

inline advance() {
  if
  :: winner != 0 ->
     assert(NEXT(winner - 1) == value);
     at = winner - 1;
     if :: CLOSES(at) -> item++; winner = 0 :: else fi;
     step_over(at);
     at = 0
  :: else
  fi
}

#endif

#if MODE == 4

/* FirstAnswer::more(), Inputs::wait(). */
#if BREAK == 37
#define AWAITED(k) (k == 0)
#else
#define AWAITED(k) (winner != 0 -> winner == k + 1 : SOUGHT(k))
#endif
#define CHANGED(k) (AWAITED(k) && IS_MORE(k))

inline announce_place(k) {
  if :: AWAITED(k) -> announce(reader[k], place[k]) :: else fi
}

inline enter_kernel(k) {
  d_step { if :: AWAITED(k) && !IS_MORE(k) -> reader[k].in_kernel = true :: else fi }
}

inline rise_from(k) {
  if :: AWAITED(k) -> reader[k].asleep_at = 0; reader[k].in_kernel = false; forget(reader[k]) :: else fi
}

inline sleep_on_all() {
  !ended && !UNCOMMITTED && !READY && !(SOUGHT(0) && IS_MORE(0)) && !(SOUGHT(1) && IS_MORE(1)) ->
  d_step { announce_place(0); announce_place(1) };
  if
  :: CHANGED(0) || CHANGED(1)
  :: else ->
     enter_kernel(0);
     enter_kernel(1);   /* it returns at once if this word has changed, or if it was woken on the other */
     (AWAITED(0) && !reader[0].in_kernel) || (AWAITED(1) && !reader[1].in_kernel)
  fi;
  d_step { rise_from(0); rise_from(1) }
}

#endif

active proctype Joiner() {
  byte number[2];     /* of the first record of each link that is not done */
  byte place[2];      /* of the first that was not looked at */
  byte answered[2];
  bool over[2], given[2];
  byte at, item, winner, head, made, already, value;
  bool ended;
life:
  {
    d_step {
      head = written;
      number[0] = journal.number[0];
      number[1] = journal.number[1];
#if BREAK == 20
      number[1] = in[1].read;
#endif
      place[0] = number[0];
      place[1] = number[1];
      item = journal.item;
#if BREAK == 34
      answered[0] = item;
      answered[1] = item;
#else
      answered[0] = journal.answered[0];
      answered[1] = journal.answered[1];
#endif
#if BREAK != 33
      winner = journal.winner;
#endif
      already = journal.parts;
      ended = journal.ended
    };
    release();   /* what was done and not released */
    do
    :: ended && !UNCOMMITTED -> goto out
    :: commit()   /* sooner or later, and before a sleep */
    :: look()
#if MODE == 4
    :: sleep_on_all()
#endif
    :: d_step {
         !ended && READY ->
         take();
         made = (value == TOMBSTONE -> MAKES : (value == END -> MAKES - 1 : already))
       };
       do
       :: d_step { made == MAKES -> advance(); already = 0; made = 0; value = 0 }; break
       :: d_step {
            made < MAKES && IS_ROOM ->
            slot[head % OUT_ROOM] = (value == END -> END : MAKES * value + made);
            ended = (value == END);
            head = BEHIND(head);
            made++
          }
       :: made < MAKES && !IS_ROOM && head != written -> publish((value == END -> 0 : made)); release()
       od
    od
  } unless { killed };
  d_step {
    number[0] = 0; number[1] = 0; place[0] = 0; place[1] = 0; answered[0] = 0; answered[1] = 0; over[0] = false;
    over[1] = false; given[0] = false; given[1] = false; at = 0; item = 0; winner = 0; head = 0; made = 0; already = 0;
    value = 0; ended = false; reader[0].in_kernel = false; reader[1].in_kernel = false; forget(reader[0]);
    forget(reader[1]); reader[0].asleep_at = 0; reader[1].asleep_at = 0; killed = false
  };
  goto life;
out:
  finished++
}

#define GAVE(k) gave[(k) * ITEMS + expected]   /* 0: not yet answered */

/* Nothing more comes for the expected item. */
inline complete() {
  if
  :: got == 0 && ZIP -> assert(GAVE(0) != 0 && GAVE(1) != 0 && (GAVE(0) == 1 || GAVE(1) == 1))
  :: got == 0 && !ZIP -> assert(GAVE(0) == 1 && GAVE(1) == 1)
  :: got != 0 && ZIP -> assert(got == MAKES && GAVE(0) == 2 && GAVE(1) == 2)
  :: else -> assert(got == GAVE(from) - 1)
  fi;
  got = 0;
  from = 0;
  GAVE(0) = 0;
  GAVE(1) = 0;
  expected++
}

/* Each item is answered once, by one branch or by both together, and in their sequence. */
active proctype Sink() {
  byte value, got;
  bit from;
  bool ended;
  do
  :: ended -> break
  :: d_step {
       !ended && written != read ->
       value = slot[read % OUT_ROOM];
       if
       :: value == TOMBSTONE
       :: else ->
          do
          :: expected < ITEMS && (value == END || value / MAKES / 4 > expected) -> complete()
          :: else -> break
          od;
          ended = (value == END);
          if
          :: value != END ->
             assert(value / MAKES / 4 == expected && value % (2 * MAKES) == got);
             assert(got == 0 || from == value / MAKES / 2 % 2);
             from = value / MAKES / 2 % 2;
             got++
          :: else
          fi
       fi;
       slot[read % OUT_ROOM] = GONE;
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
       kills < KILLS && !killed ->
       kills++;
       if
       :: killed = true
       :: kills = KILLS
       fi
     }
  od
}

init {
  atomic {
    run Branch(0);
    run Branch(1)
  }
}

/* Nothing but the ends is left in the links. */
active proctype End() {
  finished == 4;
  assert(DISTANCE(in[0].read, in[0].written) == 1 && in[0].slot[in[0].read % ROOM] == END);
  assert(DISTANCE(in[1].read, in[1].written) == 1 && in[1].slot[in[1].read % ROOM] == END)
}
