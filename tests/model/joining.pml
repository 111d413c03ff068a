/* Two branches, the links behind them, and what joins them: Zip makes one item of an answer of each branch, FirstAnswer
 * takes the answer of the branch that is the first to give some. As in worker/zip, worker/first_answer, worker/inputs,
 * worker/committer, worker/segment_runner and worker/room_wait. The worker that joins is killed at any instant, also
 * during a recovery. See link.pml for what stands for what, and collecting.pml for branches that are merged: they are
 * collected from in turn.
 *
 * Branches live for ever here; that they answer each item once is the subject of dealing.pml. What a branch answers is
 * chosen when it does: nothing, or an output or two. In front of each record there may be a mark, as what joins within
 * a branch gives one when it has nothing else to commit with. Both branches take their items from one link, which holds
 * FRONT of them. A waiter goes on as soon as it can, but for mode 4. A producer without room never sleeps here.
 *
 * MODE: 0 zip; 1 zip, and two outputs are made of an item, more than the output link holds;
 *   2 first answer, of one output or none; 3 of none, one or two, closed by the last or by a tombstone behind it;
 *   4 as 2, and a worker that finds nothing sleeps on all links that it awaits something from.
 * BREAK: what is left out, to show that it is missed:
 *   4 the inputs are released before the commit
 *  20 the journal has the number of one input link only
 *  22 inputs without output are committed by stores into the entry that counts
 *  28 without room for output, inputs are released that could not be committed
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
#define ITEMS 3
#endif
#ifndef ROOM
#define ROOM 1          /* of each link from a branch */
#endif
#ifndef FRONT
#define FRONT 1
#endif
#ifndef MARKS
#define MARKS 1         /* in front of each record */
#endif
#define OUT_ROOM 1
#define END 99
#define TOMBSTONE 98

#define ZIP (MODE <= 1)
#if MODE == 1
#define MAKES 2
#else
#define MAKES 1
#endif

#include "waiting.pml"

typedef Input { byte written; byte read; byte slot[ROOM]; bool closes[ROOM] };
Input in[2];
Waiter reader[2];       /* what joins, as each branch sees it */
byte unit[2];           /* items that each branch has answered: what it releases in the link in front */

byte written;           /* the output link */
byte read;
byte slot[OUT_ROOM];
typedef Entry { byte position; byte number[2]; byte answered[2]; byte item; byte winner; byte parts; bool ended };
Entry journal[2];       /* the entry that matches `written` counts */
bool killed;
byte finished;

/* In no memory: the item that the sink expects, and, from there on, 1 + how many outputs each branch gave to each. */
byte expected;
byte gave[2 * ITEMS];

#define OUTPUT(k) ((unit[k] * 2 + k) * 2 + part)   /* from 0 */

inline put(k, value, last) {
  in[k].slot[in[k].written % ROOM] = value;
  in[k].closes[in[k].written % ROOM] = last;
  in[k].written++   /* COMMIT */
}

inline answer(k, outputs) {
  if :: unit[k] >= expected -> gave[k * ITEMS + unit[k]] = outputs + 1 :: else fi;
  part = 0;
  unit[k]++
}

proctype Branch(bit k) {
  byte part, marks;
  do
  :: unit[k] > ITEMS -> break
  :: unit[k] <= ITEMS && unit[k] < unit[1 - k] + FRONT && in[k].written - in[k].read < ROOM ->
     atomic {
       if
       :: marks < MARKS -> marks++; put(k, TOMBSTONE, false)
       :: unit[k] == ITEMS -> marks = 0; put(k, END, false); unit[k]++
       :: unit[k] < ITEMS -> marks = 0; put(k, TOMBSTONE, true); answer(k, part)
       :: unit[k] < ITEMS -> marks = 0; put(k, OUTPUT(k), true); answer(k, part + 1)
#if MODE == 3
       :: unit[k] < ITEMS && part == 0 -> marks = 0; put(k, OUTPUT(k), false); part++
#endif
       fi
     };
#if MODE == 4
     wake(reader[k], in[k].written)
#endif
  od;
  finished++
}

inline release() {
#if BREAK == 31
  in[0].read = place[0];
  in[1].read = place[1]
#else
  in[0].read = number[0];
  in[1].read = number[1]
#endif
}

/* With the inputs that were stepped over, and `made` outputs of the next one. */
inline publish(made) {
  d_step {
    entry = 1 - entry;
    journal[entry].number[0] = number[0];
    journal[entry].number[1] = number[1];
    journal[entry].answered[0] = answered[0];
    journal[entry].answered[1] = answered[1];
    journal[entry].item = item;
    journal[entry].winner = winner;
    journal[entry].parts = made;
    journal[entry].ended = ended;
    journal[entry].position = head
  };
  d_step {
    written = head;   /* COMMIT */
    published = head;
    /* The other entry can never count again: fewer states. */
    journal[1 - entry].number[0] = 0;
    journal[1 - entry].number[1] = 0;
    journal[1 - entry].answered[0] = 0;
    journal[1 - entry].answered[1] = 0;
    journal[1 - entry].item = 0;
    journal[1 - entry].winner = 0;
    journal[1 - entry].parts = 0;
    journal[1 - entry].position = 0
  }
}

#define UNCOMMITTED (number[0] != journal[entry].number[0] || number[1] != journal[entry].number[1])

/* Inputs without output stay uncommitted here, and so are not released. */
inline make_room(made) {
  do
  :: head - read < OUT_ROOM -> break
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
     head - read < OUT_ROOM
  od
}

/* Without output it gives a tombstone, so that all that the entry holds becomes valid by one store. Of an item of which
 * outputs are out, nothing else is committed before it is done. */
inline commit() {
  assert(already == 0);
#if BREAK == 4
  release();
#endif
#if BREAK == 22
  if
  :: head == published ->
     journal[entry].number[0] = number[0];
     journal[entry].number[1] = number[1];
     journal[entry].answered[0] = answered[0];
     journal[entry].answered[1] = answered[1];
     journal[entry].item = item;
     journal[entry].winner = winner
  :: else -> publish(0)
  fi;
#else
  if
  :: head == published -> make_room(0); slot[head % OUT_ROOM] = TOMBSTONE; head++
  :: else
  fi;
  publish(0);
#endif
  release()
}

#define NEXT(k) in[k].slot[place[k] % ROOM]
#define CLOSES(k) in[k].closes[place[k] % ROOM]

#if ZIP

/* Zip::take_answer(), of the link `at`. */
#define MORE (at < 2 && in[at].written != place[at])
#define READY (at == 2)

inline look() {
  d_step {
    if
#if BREAK == 36
    :: NEXT(at) == END -> over[at] = true; at = 2
#else
    :: NEXT(at) == END -> over[at] = true; at++
#endif
    :: NEXT(at) == TOMBSTONE && !CLOSES(at) && !given[at] ->
       place[at]++;
#if BREAK != 32
       number[at] = place[at]
#endif
    :: else ->
       if :: NEXT(at) != TOMBSTONE -> assert(!given[at]); given[at] = true :: else fi;
       place[at]++;
       if :: in[at].closes[(place[at] - 1) % ROOM] -> at++ :: else fi
    fi
  }
}

#define LAST(k) in[k].slot[(place[k] - 1) % ROOM]

inline take() {
  if
  :: over[0] || over[1] -> value = END
  :: else -> value = (given[0] && given[1] -> LAST(0) : TOMBSTONE)
  fi
}

/* The answers are still there, and are those to one item. */
inline advance() {
  atomic {
    assert(value >= TOMBSTONE || (LAST(0) == value && LAST(1) == value + 2));
    number[0] = place[0];
    number[1] = place[1];
    given[0] = false;
    given[1] = false;
    at = 0
  }
}

#else

/* FirstAnswer::seek(), of one link or the other. */
#define SOUGHT(k) (!over[k] && answered[k] <= item)
#define IS_MORE(k) (SOUGHT(k) && in[k].written != place[k])
#define MORE (winner == 0 && (IS_MORE(0) || IS_MORE(1)))
#if BREAK == 36
#define OVER (over[0] || over[1])
#else
#define OVER (over[0] && over[1])
#endif
#define READY (winner == 0 && OVER || winner != 0 && in[winner - 1].written != place[winner - 1])
#define OTHER_ANSWERED(k) (over[1 - k] || answered[1 - k] > item)

inline step_over(k) {
  if :: CLOSES(k) -> answered[k]++ :: else fi;
  place[k]++;
  number[k] = place[k]
}

inline seek(k) {
  d_step {
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
  :: IS_MORE(0) -> seek(0)
  :: IS_MORE(1) -> seek(1)
  fi
}

inline take() {
  value = (winner == 0 -> END : NEXT(winner - 1))
}

inline advance() {
  atomic {
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
}

#endif

#if MODE == 4

/* FirstAnswer::more(), Inputs::wait(). */
#if BREAK == 37
#define AWAITED(k) (k == 0)
#else
#define AWAITED(k) (winner != 0 -> winner == k + 1 : SOUGHT(k))
#endif
#define CHANGED(k) (AWAITED(k) && in[k].written != place[k])

inline announce_place(k) {
  if :: AWAITED(k) -> announce(reader[k], place[k]) :: else fi
}

inline enter_kernel(k) {
  atomic { if :: AWAITED(k) && in[k].written == place[k] -> reader[k].in_kernel = true :: else fi }
}

inline rise_from(k) {
  if :: AWAITED(k) -> rise(reader[k]); reader[k].in_kernel = false :: else fi
}

inline sleep_on_all() {
  announce_place(0);
  announce_place(1);
  if
  :: CHANGED(0) || CHANGED(1)
  :: else ->
     enter_kernel(0);
     enter_kernel(1);   /* it returns at once if the word has changed, or if it was woken on the other one */
     (AWAITED(0) && !reader[0].in_kernel) || (AWAITED(1) && !reader[1].in_kernel)
  fi;
  rise_from(0);
  rise_from(1)
}

#endif

active proctype Joiner() {
  byte number[2];     /* of the first record of each link that is not done */
  byte place[2];      /* of the first that was not looked at */
  byte answered[2];
  bool over[2], given[2];
  byte at, item, winner, head, published, made, already, value;
  bit entry;
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
#if BREAK == 20
      number[1] = in[1].read;
#endif
      place[0] = number[0];
      place[1] = number[1];
      item = journal[entry].item;
#if BREAK == 34
      answered[0] = item;
      answered[1] = item;
#else
      answered[0] = journal[entry].answered[0];
      answered[1] = journal[entry].answered[1];
#endif
#if BREAK != 33
      winner = journal[entry].winner;
#endif
      already = journal[entry].parts;
      ended = journal[entry].ended
    };
    assert(in[0].read <= number[0] && in[1].read <= number[1]);
    release();   /* what was done and not released */
    do
    :: ended -> goto out
    :: !ended && UNCOMMITTED -> commit()   /* sooner or later, and before a sleep */
    :: !ended && MORE -> look()
#if MODE == 4
    :: !ended && !UNCOMMITTED && !MORE && !READY -> sleep_on_all()
#endif
    :: !ended && READY ->
       take();
       made = 0;
       if
       :: value == TOMBSTONE
       :: value == END -> make_room(0); slot[head % OUT_ROOM] = END; head++; ended = true
       :: else ->
          do
          :: made == MAKES -> break
          :: made < MAKES && made < already -> made++
          :: else ->
             make_room(made);
             slot[head % OUT_ROOM] = MAKES * value + made;
             head++;
             made++
          od
       fi;
       advance();
       d_step { already = 0; made = 0; value = 0 };
       if :: ended -> commit() :: else fi
    od
  } unless { killed };
  d_step {
    number[0] = 0; number[1] = 0; place[0] = 0; place[1] = 0; answered[0] = 0; answered[1] = 0; over[0] = false;
    over[1] = false; given[0] = false; given[1] = false; at = 0; item = 0; winner = 0; head = 0; published = 0; made = 0;
    already = 0; value = 0; entry = 0; ended = false; reader[0].in_kernel = false; reader[1].in_kernel = false;
    killed = false
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
  :: else -> assert(got == MAKES * (GAVE(from) - 1))
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
  do
  :: written != read ->
     d_step {
       value = slot[read % OUT_ROOM];
       if
       :: value == TOMBSTONE
       :: else ->
          do
          :: expected < ITEMS && (value == END || value / MAKES / 4 > expected) -> complete()
          :: else -> break
          od;
          assert(value == END || value / MAKES / 4 == expected);
          if
          :: value != END ->
             assert(value % (2 * MAKES) == got && (got == 0 || from == value / MAKES / 2 % 2));
             from = value / MAKES / 2 % 2;
             got++
          :: else
          fi
       fi;
       read++
     };
     if :: value == END -> break :: else -> value = 0 fi
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
  assert(in[0].read + 1 == in[0].written && in[1].read + 1 == in[1].written);
  assert(in[0].slot[in[0].read % ROOM] == END && in[1].slot[in[1].read % ROOM] == END)
}
