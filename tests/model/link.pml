/* Source -> stage -> sink over two links: commit, wake-up, release, sleep and recovery as in shm/ring_writer,
 * shm/ring_reader, shm/waiting and worker/segment_runner, with a kill at any instant, also during a recovery.
 * scripts/check_model.sh has SPIN look at every interleaving. Memory is sequentially consistent here; where the code
 * needs that, it has fences. One statement is one access to shared memory.
 *
 * MODE: outputs of an item: 0 every second gives none, 1 one, 2 two (more than the link holds).
 * BREAK: what is left out, to show that it is missed:
 *   1 the coordinator wakes nobody after a death   2 a journal entry is filled in place
 *   3 no look between "I sleep" and the sleep (a futex that does not compare)
 *   4 the input is released before the commit      5 a successor does not swallow what is already out
 *   6 a successor sleeps under its predecessor's number
 *   7 a sleep counts as ended though nobody was in the kernel yet
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
#define ROOM 1

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

/* One end of a link as a waiter, and what the other end, its waker, makes of it. The code counts sleeps (odd: asleep)
 * and its waker remembers a number; here is all that a comparison of the two can tell. */
typedef Waiter {
  bool asleep;      /* its counter is odd */
  bool in_kernel;
  bool looked_at;   /* the number that the waker has loaded is the present one */
  bool ended        /* the number that the waker remembers as ended is the present one */
};

typedef Link {
  byte written;     /* write_position, in records: the commit word */
  byte read;        /* read_position */
  byte slot[ROOM];  /* the ring */
  Waiter reader;
  Waiter writer
};
Link link[2];           /* 0: source -> stage, 1: stage -> sink */

/* The stage's journal: the entry that matches link[1].written counts. */
typedef Entry { byte position; byte done; byte parts };
Entry journal[2];
byte sink_done;         /* the sink's journal, one store */
bool killed[3];
byte finished;

inline new_number(waiter) {
  waiter.looked_at = false;
  waiter.ended = false
}

inline sleep(waiter, word, seen) {
  atomic {
#if BREAK == 6
    if :: waiter.asleep :: else -> new_number(waiter) fi;
#else
    new_number(waiter);
#endif
    waiter.asleep = true
  };
  if
  :: word != seen
  :: else ->
#if BREAK == 3
     waiter.in_kernel = true;
#else
     atomic { if :: word == seen -> waiter.in_kernel = true :: else fi };
#endif
     !waiter.in_kernel
  fi;
  atomic { new_number(waiter); waiter.asleep = false }
}

inline wake(waiter) {
  if
  :: atomic { waiter.asleep && !waiter.ended -> waiter.looked_at = true };
     atomic {   /* futex_wake, which says whether it woke somebody */
#if BREAK == 7
       if :: waiter.looked_at -> waiter.ended = true :: else fi;
#else
       if :: waiter.in_kernel && waiter.looked_at -> waiter.ended = true :: else fi;
#endif
       waiter.in_kernel = false
     }
  :: else
  fi
}

/* Reaped: nothing of it sleeps, nothing is remembered. Then both neighbours are woken. */
inline bury(worker) {
  atomic {
    killed[worker] = false;
    if
    :: worker > 0 ->
       link[worker - 1].reader.in_kernel = false;
       new_number(link[worker - 1].writer)
    :: else
    fi;
    if
    :: worker < 2 ->
       link[worker].writer.in_kernel = false;
       new_number(link[worker].reader)
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
life:
  {
    head = link[0].written;   /* its cursor is committed with the write position */
    do
    :: head == ITEMS -> goto done
    :: else ->
       seen = link[0].read;
       do
       :: head - seen < ROOM -> break
       :: else -> sleep(link[0].writer, link[0].read, seen); seen = link[0].read
       od;
       link[0].slot[head % ROOM] = head;
       head++;
       link[0].written = head;   /* COMMIT */
       wake(link[0].reader)
    od
  } unless { killed[0] };
  d_step { head = 0; seen = 0 };   /* memory of its own dies with it */
  bury(0);
  goto life;
done:
  finished++
}

active proctype Stage() {
  byte position, item, emitted, already, head, seen, entry, published;
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
    link[0].read = position;   /* what was done and not released */
    wake(link[0].writer);
    do
    :: position == ITEMS -> goto done
    :: else ->
       do
       :: link[0].written != position -> break
       :: else -> sleep(link[0].reader, link[0].written, position)
       od;
       item = link[0].slot[position % ROOM];
       assert(item == position);
#if BREAK == 4
       link[0].read = position + 1;
       wake(link[0].writer);
#endif
       emitted = 0;
       do
       :: emitted == OUTS(item) -> break
       :: emitted < OUTS(item) && emitted < already -> emitted++
       :: else ->
          seen = link[1].read;
          do
          :: head - seen < ROOM -> break
          :: else ->
             if
             :: head != published ->   /* part of an input */
                entry = 1 - entry;
                journal[entry].done = position;
                journal[entry].parts = emitted;
                journal[entry].position = head;
                link[1].written = head;   /* COMMIT */
                published = head;
                wake(link[1].reader)
             :: else
             fi;
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
          wake(link[1].reader)
       :: else ->
          /* Also `parts`, of which it is said in the code that it counts only with its input. */
          atomic { journal[entry].done = position + 1; journal[entry].parts = 0 }
       fi;
       position++;
       item = 0;
       link[0].read = position;   /* RELEASE */
       wake(link[0].writer)
    od
  } unless { killed[1] };
  d_step {
    position = 0; item = 0; emitted = 0; already = 0; head = 0; seen = 0; entry = 0; published = 0
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
    wake(link[1].writer);
    do
    :: position == TOTAL -> goto done
    :: else ->
       do
       :: link[1].written != position -> break
       :: else -> sleep(link[1].reader, link[1].written, position)
       od;
       value = link[1].slot[position % ROOM];
       assert(value == EXPECTED(position));
       value = 0;
       position++;
       sink_done = position;       /* its COMMIT */
       link[1].read = position;    /* RELEASE */
       wake(link[1].writer)
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

