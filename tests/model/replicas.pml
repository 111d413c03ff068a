/* A stage in two replicas: a producer deals its records by turn into one link, each replica takes those that are for it and
 * steps over the others, and a collector reads their output links in turn. As in shm/ring_writer, shm/ring_reader,
 * shm/consumers, worker/inputs and worker/committer. A kill at any instant, also during a recovery. See link.pml for what
 * stands for what. The collector's own output has room for all. How the two ends of a link with one consumer wait for one
 * another is link.pml's subject: on the links to the collector a waiter here goes on as soon as it can.
 *
 * A draft: nothing in the code deals yet, and scripts/check_model.sh does not run it. Three items with one kill are 72 M
 * states; it has to be divided before what it leaves out (19, 20, 22, 23, 25, 26) can be shown.
 *
 * MODE: what a replica makes of an item: 0 every second gives none, so that a tombstone closes its unit; 1 one output;
 *   2 two (more than the link to the collector holds).
 * BREAK: what is left out, to show that it is missed:
 *   1 the coordinator wakes nobody after a death   6 (waiting.pml)
 *  18 what a replica steps over is not released before it sleeps
 *  19 it is released, and not in the journal
 *  20 the collector's journal has the number of one input link only
 *  21 the end wakes the replica whose turn it is
 *  22 the collector commits inputs without output by stores into the entry that counts
 *  23 a successor of the producer deals from the first replica on
 *  24 a producer without room does not wake the replicas that sleep behind the write position
 *  25 the successor of a replica forgets what it stepped over
 *  26 the collector's journal does not say whose turn it is
 */
#ifndef MODE
#define MODE 1
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
#define ROOM 1          /* of the link that deals */
#endif
#define OUT_ROOM 1      /* of each link to the collector */
#define END 99
#define TOMBSTONE 98

#if MODE == 0
#define OUTS(item) ((item) % 2)
#define VALUE(item, part) (item)
#define EXPECTED(n) (2 * (n) + 1)
#define TOTAL (ITEMS / 2)
#elif MODE == 1
#define OUTS(item) 1
#define VALUE(item, part) (item)
#define EXPECTED(n) (n)
#define TOTAL ITEMS
#else
#define OUTS(item) 2
#define VALUE(item, part) (2 * (item) + (part))
#define EXPECTED(n) (n)
#define TOTAL (2 * ITEMS)
#endif

#include "waiting.pml"

/* The link that deals. */
byte written;
byte slot[ROOM];
bit to[ROOM];
byte read[2];
Waiter reader[2];       /* the replicas */
Waiter writer[2];       /* the producer, as each replica sees it */
typedef Dealt { byte position; bit to };
Dealt dealt[2];         /* the producer's journal: matches `written` */

/* From the replicas to the collector. */
typedef OutLink { byte written; byte read; byte slot; bool closes };
OutLink out[2];
typedef Entry { byte position; byte done; byte stepped; byte parts };
typedef Journal { Entry entry[2] };
Journal journal[2];     /* matches out[k].written */

typedef Collected { byte position; byte number[2]; bit turn; byte outs; bool ended };
Collected collected[2]; /* matches `result` */
byte result;            /* the collector's write position */

bool killed[4];         /* the replicas, the producer, the collector */
byte finished;

#define PRODUCER 2
#define COLLECTOR 3

/* Reaped: nothing of it sleeps, nothing is remembered. Then its neighbours are woken. */
inline bury_producer() {
  atomic {
    killed[PRODUCER] = false;
    writer[0].in_kernel = false;
    writer[1].in_kernel = false;
    forget(reader[0]);
    forget(reader[1])
  };
#if BREAK != 1
  reader[0].in_kernel = false;
  reader[1].in_kernel = false
#endif
}

inline bury_replica(k) {
  atomic {
    killed[k] = false;
    reader[k].in_kernel = false;
    forget(writer[k])
  };
#if BREAK != 1
  writer[k].in_kernel = false
#endif
}

active proctype Producer() {
  byte head, seen0, seen1;
  bit turn, entry;
life:
  {
    head = written;
    entry = (dealt[0].position == head -> 0 : 1);
    assert(dealt[entry].position == head);
#if BREAK == 23
    turn = 0;
#else
    turn = dealt[entry].to;
#endif
    do
    :: head == ITEMS + 1 -> goto out_of_items
    :: else ->
       do
       :: seen0 = read[0];
          seen1 = read[1];
          if
          :: head - seen0 < ROOM && head - seen1 < ROOM -> break
          :: else
          fi;
#if BREAK != 24
          /* They may have to step over records of the other one. */
          wake(reader[0], written);
          wake(reader[1], written);
#endif
          if
          :: head - seen0 >= ROOM -> sleep(writer[0], read[0], seen0)
          :: head - seen1 >= ROOM -> sleep(writer[1], read[1], seen1)
          fi
       od;
       atomic { seen0 = 0; seen1 = 0 };
       atomic { slot[head % ROOM] = (head == ITEMS -> END : head); to[head % ROOM] = turn };
       d_step { head++; entry = 1 - entry; dealt[entry].to = 1 - turn; dealt[entry].position = head };
       written = head;   /* COMMIT */
       /* Only the one that it is for; the end is for both. */
       if
#if BREAK != 21
       :: head == ITEMS + 1 ->
          wake(reader[0], written);
          wake(reader[1], written)
#else
       :: false
#endif
       :: else ->
          if
          :: turn == 0 -> wake(reader[0], written)
          :: else -> wake(reader[1], written)
          fi
       fi;
       turn = 1 - turn
    od
  } unless { killed[PRODUCER] };
  d_step { head = 0; seen0 = 0; seen1 = 0; turn = 0; entry = 0 };
  bury_producer();
  goto life;
out_of_items:
  finished++
}

/* In the midst of an item, or behind it. */
inline commit_out(k, done_now, parts_now) {
  d_step {
    entry = 1 - entry;
    journal[k].entry[entry].done = done_now;
    journal[k].entry[entry].parts = parts_now;
    journal[k].entry[entry].position = head
  };
  d_step { out[k].written = head; published = head }   /* COMMIT */
}

inline room_out(k, done_now, parts_now) {
  do
  :: head - out[k].read < OUT_ROOM -> break
  :: else ->
     if
     :: head != published -> commit_out(k, done_now, parts_now)
     :: else
     fi;
     /* Before any sleep. */
     if
     :: read[k] != position -> step_and_release(k)
     :: else
     fi;
     head - out[k].read < OUT_ROOM
  od
}

/* Everything before `position` is committed or another's. */
inline step_and_release(k) {
#if BREAK != 18
#if BREAK != 19
  journal[k].entry[entry].stepped = position;   /* one store into the entry that counts */
#endif
  read[k] = position;
  wake(writer[k], read[k])
#else
  skip
#endif
}

proctype Replica(bit k) {
  byte position, item, emitted, already, head, published;
  bit entry;
life:
  {
    published = out[k].written;
    head = published;
    entry = (journal[k].entry[0].position == published -> 0 : 1);
    assert(journal[k].entry[entry].position == published);
    position = journal[k].entry[entry].done;
#if BREAK != 25
    if
    :: journal[k].entry[entry].stepped > position -> position = journal[k].entry[entry].stepped
    :: else
    fi;
#endif
    already = journal[k].entry[entry].parts;
    assert(read[k] <= position);   /* else it finds its input released that is not done */
    read[k] = position;
    wake(writer[k], read[k]);
    do
    :: position == ITEMS + 1 -> goto out_of_items
    :: position != ITEMS + 1 && written == position ->
       if
       :: read[k] != position -> step_and_release(k)
       :: else
       fi;
       sleep(reader[k], written, position)
    :: position != ITEMS + 1 && written != position && slot[position % ROOM] != END && to[position % ROOM] != k ->
       position++   /* not its own */
    :: position != ITEMS + 1 && written != position && (slot[position % ROOM] == END || to[position % ROOM] == k) ->
       item = slot[position % ROOM];
       assert(item == END && position == ITEMS || item == position);
       emitted = 0;
       if
       :: item == END ->
          room_out(k, position, 0);
          out[k].slot = END;
          head++
       :: else ->
          do
          :: emitted == OUTS(item) -> break
          :: emitted < OUTS(item) && emitted < already -> emitted++
          :: else ->
             room_out(k, position, emitted);
             atomic { out[k].slot = VALUE(item, emitted); out[k].closes = (emitted + 1 == OUTS(item)) };
             head++;
             emitted++
          od;
          if
          :: OUTS(item) == 0 || head == published ->   /* its last output was published by a predecessor, or there is none */
             room_out(k, position, emitted);
             atomic { out[k].slot = TOMBSTONE; out[k].closes = true };
             head++
          :: else
          fi
       fi;
       already = 0;
       commit_out(k, position + 1, 0);
       atomic { item = 0; emitted = 0 };
       position++;
       read[k] = position;   /* RELEASE, of what was stepped over before it too */
       wake(writer[k], read[k])
    od
  } unless { killed[k] };
  d_step { position = 0; item = 0; emitted = 0; already = 0; head = 0; published = 0; entry = 0 };
  bury_replica(k);
  goto life;
out_of_items:
  finished++
}

/* It takes several units before it commits where they are there. Taking without output leaves a tombstone. */
inline commit_collected() {
#if BREAK == 22
  if
  :: !gave && !ended ->
     collected[entry].number[0] = number[0];
     collected[entry].number[1] = number[1];
     collected[entry].turn = turn
  :: else ->
#endif
  d_step {
    entry = 1 - entry;
    collected[entry].number[0] = number[0];
#if BREAK != 20
    collected[entry].number[1] = number[1];
#endif
#if BREAK != 26
    collected[entry].turn = turn;
#endif
    collected[entry].outs = outs;
    collected[entry].ended = ended;
    position++;
    collected[entry].position = position
  };
  result = position;   /* COMMIT */
#if BREAK == 22
  fi;
#endif
  atomic { gave = false; took = 0 };
  /* Each page by itself, in any order. */
  out[0].read = number[0];
  out[1].read = number[1]
}

active proctype Collector() {
  byte number[2];
  byte position, outs, took, value;
  bit turn, entry;
  bool gave, ended, closed;
life:
  {
    position = result;
    entry = (collected[0].position == position -> 0 : 1);
    assert(collected[entry].position == position);
    number[0] = collected[entry].number[0];
    number[1] = collected[entry].number[1];
    turn = collected[entry].turn;
    atomic { outs = collected[entry].outs; ended = collected[entry].ended };
#if BREAK == 20
    number[1] = out[1].read;
#endif
    assert(out[0].read <= number[0] && out[1].read <= number[1]);
    out[0].read = number[0];
    out[1].read = number[1];
    do
    :: ended -> goto out_of_items
    :: !ended && took > 0 -> commit_collected()
    :: !ended && took == 0 && out[turn].written == number[turn] ->
       out[turn].written != number[turn]
    :: !ended && took < 2 && out[turn].written != number[turn] ->
       atomic {
         value = out[turn].slot;
         closed = out[turn].closes;
         number[turn]++;
         took++;
         if
         :: value == END -> ended = true
         :: else ->
            if
            :: value != TOMBSTONE -> assert(value == EXPECTED(outs)); outs++; gave = true
            :: else
            fi;
            if :: closed -> turn = 1 - turn :: else fi
         fi;
         value = 0;
         closed = false
       };
       if :: ended -> commit_collected() :: else fi
    od
  } unless { killed[COLLECTOR] };
  d_step {
    number[0] = 0; number[1] = 0; position = 0; outs = 0; took = 0; value = 0; turn = 0; entry = 0;
    gave = false; ended = false; closed = false
  };
  killed[COLLECTOR] = false;
  goto life;
out_of_items:
  atomic { finished++; assert(outs == TOTAL) }
}

active proctype Killer() {
  byte kills;
  do
  :: kills < KILLS ->
     kills++;
     if
     :: killed[0] = true
     :: killed[1] = true
     :: killed[PRODUCER] = true
     :: killed[COLLECTOR] = true
     fi
  :: break
  od
}

init {
  atomic { dealt[1].position = 255; journal[0].entry[1].position = 255; journal[1].entry[1].position = 255;
           collected[1].position = 255; run Replica(0); run Replica(1) }
}

active proctype End() {
  finished == 4
}
