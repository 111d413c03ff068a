/* Source -> stage -> sink over two links: commit, wake-up, release, sleep and recovery as in shm/ring_writer,
 * shm/ring_reader, shm/waiting and worker/segment_runner, with a kill at any instant, also during a recovery.
 * scripts/check_model.sh has SPIN look at every interleaving. Memory is sequentially consistent here; where the code
 * needs that, it has fences. One statement is one access to shared memory.
 *
 * MODE: outputs of an item: 0 every second gives none, 1 one, 2 two (more than the link holds), 3 one, which refers to
 *   the input's bytes where they lie: the sink reads them there, and the stage gives the input back once it has.
 * BREAK: what is left out, to show that it is missed:
 *   1 the coordinator wakes nobody after a death   2 a journal entry is filled in place
 *   3 no look between "I sleep" and the sleep (a futex that does not compare)
 *   4 the input is released before the commit      5 a successor does not swallow what is already out
 *   6 a waiter says that it sleeps, and not on what
 *   7 a sleep counts as ended once a request for room woke it
 *   8 a stage that waits for input does not look at releases of what it refers to
 *   9 a stage looks at releases once more before it sleeps for room, and sleeps on what it saw then
 *  10 an input is given back though an output refers to it
 *  13 a source without room wakes nobody to ask for it
 *  14 a stage that sleeps for input alone does not look whether the source lacks room
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
#define ROOM 1          /* of link 0; with 2 a stage that refers may find its output full while the source goes on */
#endif
#define OUT_ROOM 1      /* of link 1 */

#if MODE == 0
#define OUTS(item) ((item) % 2)
#define VALUE(item, part) (item)
#define EXPECTED(n) (2 * (n) + 1)
#define TOTAL (ITEMS / 2)
#elif MODE == 1 || MODE == 3
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

Link link[2];           /* 0: source -> stage, 1: stage -> sink */

/* The stage's journal: the entry that matches link[1].written counts. */
typedef Entry { byte position; byte done; byte parts };
Entry journal[2];
byte sink_done;         /* the sink's journal, one store */
bool lacks_room;        /* of the source; only where inputs are kept for others */
bool killed[3];
byte finished;

/* On two words at once (futex_waitv). */
inline sleep_on_either(one, word, seen_word, other, other_word, seen_other) {
  announce(one, seen_word);
  announce(other, seen_other);
  if
  :: word != seen_word
  :: else ->
     if
     :: other_word != seen_other
     :: else ->
        atomic {
          if
          :: word == seen_word && other_word == seen_other -> one.in_kernel = true; other.in_kernel = true
          :: else
          fi
        };
        !(one.in_kernel && other.in_kernel)
     fi
  fi;
  atomic { one.in_kernel = false; rise(one) };
  atomic { other.in_kernel = false; rise(other) }
}

/* For more input, or until the source lacks room: one waiter, two words. */
inline sleep_unless_asked(waiter, word, seen_word) {
  announce(waiter, seen_word);
  if
  :: word != seen_word
  :: else ->
#if BREAK == 14
     atomic { if :: word == seen_word -> waiter.in_kernel = true :: else fi };
     !waiter.in_kernel
#else
     if
     :: lacks_room
     :: else ->
        atomic { if :: word == seen_word && !lacks_room -> waiter.in_kernel = true :: else fi };
        !waiter.in_kernel
     fi
#endif
  fi;
  rise(waiter)
}

/* REQUIRES: all before `position` is committed. With references, output n refers to input n. */
inline give_back(position) {
#if MODE == 3 && BREAK != 10
  released = link[1].read;
  link[0].read = released;
  released = 0;
#else
  link[0].read = position;
#endif
  wake(link[0].writer, link[0].read)
}

/* Reaped: nothing of it sleeps, nothing is remembered. Then both neighbours are woken. */
inline bury(worker) {
  atomic {
    killed[worker] = false;
    if
    :: worker > 0 ->
       link[worker - 1].reader.in_kernel = false;
       forget(link[worker - 1].writer)
    :: else
    fi;
    if
    :: worker < 2 ->
       link[worker].writer.in_kernel = false;
       forget(link[worker].reader)
    :: else
    fi
  };
#if BREAK != 1
  if :: worker > 0 -> link[worker - 1].writer.in_kernel = false :: else fi;
  if :: worker < 2 -> link[worker].reader.in_kernel = false :: else fi
#endif
}

active proctype Source() {
  byte head, seen;
  bool asks;
life:
  {
    head = link[0].written;   /* its cursor is committed with the write position */
#if MODE == 3
    lacks_room = false;
#endif
    do
    :: head == ITEMS -> goto done
    :: else ->
       seen = link[0].read;
       do
       :: head - seen < ROOM -> break
       :: else ->
#if MODE == 3
          if
          :: asks
          :: else ->
             asks = true;
             lacks_room = true;
#if BREAK != 13
             call(link[0].reader)
#endif
          fi;
#endif
          sleep(link[0].writer, link[0].read, seen);
          seen = link[0].read
       od;
#if MODE == 3
       if :: asks -> asks = false; lacks_room = false :: else fi;
#endif
       link[0].slot[head % ROOM] = head;
       head++;
       link[0].written = head;   /* COMMIT */
       wake(link[0].reader, link[0].written)
    od
  } unless { killed[0] };
  d_step { head = 0; seen = 0; asks = false };   /* memory of its own dies with it */
  bury(0);
  goto life;
done:
  finished++
}

active proctype Stage() {
  byte position, item, emitted, already, head, seen, entry, published, released;
life:
  {
    published = link[1].written;
    head = published;
    entry = (journal[0].position == published -> 0 : 1);
    assert(journal[entry].position == published);
    position = journal[entry].done;
    already = journal[entry].parts;
#if BREAK == 5
    already = 0;
#endif
    give_back(position);   /* what was done and not released */
    do
    :: position == ITEMS -> goto done
    :: else ->
       do
       :: link[0].written != position -> break
       :: else ->
#if MODE == 3 && BREAK != 8
          seen = link[1].read;
          link[0].read = seen;
          wake(link[0].writer, link[0].read);
          if
          :: lacks_room ->
             sleep_on_either(link[0].reader, link[0].written, position, link[1].writer, link[1].read, seen);
             give_back(position)
          :: else -> sleep_unless_asked(link[0].reader, link[0].written, position)
          fi
#else
          sleep(link[0].reader, link[0].written, position)
#endif
       od;
       item = link[0].slot[position % ROOM];
       assert(item == position);
#if BREAK == 4
       link[0].read = position + 1;
       wake(link[0].writer, link[0].read);
#endif
       emitted = 0;
       do
       :: emitted == OUTS(item) -> break
       :: emitted < OUTS(item) && emitted < already -> emitted++
       :: else ->
          seen = link[1].read;
          do
          :: head - seen < OUT_ROOM -> break
          :: else ->
             if
             :: head != published ->   /* part of an input */
                entry = 1 - entry;
                journal[entry].done = position;
                journal[entry].parts = emitted;
                journal[entry].position = head;
                link[1].written = head;   /* COMMIT */
                published = head;
                wake(link[1].reader, link[1].written)
             :: else
             fi;
#if MODE == 3
             give_back(position);
#endif
#if BREAK == 9
             seen = link[1].read;
#endif
             sleep(link[1].writer, link[1].read, seen);
             seen = link[1].read
          od;
          link[1].slot[head % ROOM] = VALUE(item, emitted);
          head++;
          emitted++
       od;
       already = 0;
       if
       :: head != published ->
#if BREAK != 2
          entry = 1 - entry;
#endif
          journal[entry].done = position + 1;
          journal[entry].parts = 0;
          journal[entry].position = head;
          link[1].written = head;   /* COMMIT */
          published = head;
          wake(link[1].reader, link[1].written)
       :: else ->
          /* Also `parts`, of which it is said in the code that it counts only with its input. */
          atomic { journal[entry].done = position + 1; journal[entry].parts = 0 }
       fi;
       position++;
       item = 0;
       give_back(position)   /* RELEASE */
    od
  } unless { killed[1] };
  d_step {
    position = 0; item = 0; emitted = 0; already = 0; head = 0; seen = 0; entry = 0; published = 0; released = 0
  };
  bury(1);
  goto life;
done:
  finished++
}

active proctype Sink() {
  byte position, value;
life:
  {
    position = sink_done;
    link[1].read = position;
    wake(link[1].writer, link[1].read);
    do
    :: position == TOTAL -> goto done
    :: else ->
       do
       :: link[1].written != position -> break
       :: else -> sleep(link[1].reader, link[1].written, position)
       od;
       value = link[1].slot[position % ROOM];
#if MODE == 3
       value = link[0].slot[value % ROOM];
#endif
       assert(value == EXPECTED(position));
       value = 0;
       position++;
       sink_done = position;       /* its COMMIT */
       link[1].read = position;    /* RELEASE */
       wake(link[1].writer, link[1].read)
    od
  } unless { killed[2] };
  d_step { position = 0; value = 0 };
  bury(2);
  goto life;
done:
  finished++
}

active proctype Killer() {
  byte kills;
  do
  :: kills < KILLS ->
     kills++;
     if
     :: killed[0] = true
     :: killed[1] = true
     :: killed[2] = true
     fi
  :: break
  od
}

active proctype End() {
  finished == 3;
  assert(link[0].written == ITEMS && link[1].written == TOTAL && sink_done == TOTAL)
}

