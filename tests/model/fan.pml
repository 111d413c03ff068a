/* A link with two consumers that both take every item, as in shm/ring_writer, shm/consumers and shm/ring_reader: what is
 * free is the least of their positions, both sleep on one word, and the producer sleeps on the word of one that has not
 * released enough. A kill at any instant. See link.pml for what stands for what.
 *
 * BREAK: 15 the producer always sleeps on the word of the first consumer   16 its call wakes one of them
 *   17 what the first consumer has released is free   6 (waiting.pml)
 */
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
#define ROOM 2
#endif

#include "waiting.pml"

byte written;
byte slot[ROOM];
byte read[2];
byte done[2];           /* the consumers' journals */
Waiter reader[2];
Waiter writer[2];       /* the producer as each consumer sees it */
bool killed[3];         /* the consumers, then the producer */
byte finished;

/* One call wakes all that sleep on the word. */
inline wake_readers() {
  atomic { if :: MUST_WAKE(reader[0], written) -> reader[0].looked_at = reader[0].asleep_at :: else fi };
  atomic { if :: MUST_WAKE(reader[1], written) -> reader[1].looked_at = reader[1].asleep_at :: else fi };
  atomic {
    if
    :: reader[0].looked_at != 0 || reader[1].looked_at != 0 ->
#if BREAK == 16
       if :: reader[0].in_kernel -> reader[0].in_kernel = false :: else -> reader[1].in_kernel = false fi;
#else
       reader[0].in_kernel = false;
       reader[1].in_kernel = false;
#endif
       if :: reader[0].looked_at != 0 -> reader[0].ended = reader[0].looked_at :: else fi;
       if :: reader[1].looked_at != 0 -> reader[1].ended = reader[1].looked_at :: else fi;
       reader[0].looked_at = 0;
       reader[1].looked_at = 0
    :: else
    fi
  }
}

active proctype Producer() {
  byte head, seen0, seen1;
life:
  {
    head = written;
    do
    :: head == ITEMS -> goto out
    :: else ->
       do
       :: seen0 = read[0];
          seen1 = read[1];
#if BREAK == 17
          seen1 = seen0;
#endif
          if
          :: head - seen0 < ROOM && head - seen1 < ROOM -> break
#if BREAK == 15
          :: else -> sleep(writer[0], read[0], seen0)
#else
          :: head - seen0 >= ROOM -> sleep(writer[0], read[0], seen0)
          :: head - seen1 >= ROOM -> sleep(writer[1], read[1], seen1)
#endif
          fi
       od;
       atomic { seen0 = 0; seen1 = 0 };
       slot[head % ROOM] = head;
       head++;
       written = head;   /* COMMIT */
       wake_readers()
    od
  } unless { killed[2] };
  d_step { head = 0; seen0 = 0; seen1 = 0 };
  atomic {
    killed[2] = false;
    writer[0].in_kernel = false;
    writer[1].in_kernel = false;
    forget(reader[0]);
    forget(reader[1])
  };
  atomic { reader[0].in_kernel = false; reader[1].in_kernel = false };   /* the coordinator wakes both */
  goto life;
out:
  finished++
}

proctype Consumer(byte k) {
  byte position;
life:
  {
    position = done[k];
    read[k] = position;
    wake(writer[k], read[k]);
    do
    :: position == ITEMS -> goto out
    :: position < ITEMS && written == position -> sleep(reader[k], written, position)
    :: position < ITEMS && written != position ->
       assert(slot[position % ROOM] == position);
       position++;
       done[k] = position;
       read[k] = position;   /* RELEASE */
       wake(writer[k], read[k])
    od
  } unless { killed[k] };
  position = 0;
  atomic { killed[k] = false; reader[k].in_kernel = false; forget(writer[k]) };
  writer[k].in_kernel = false;   /* the coordinator wakes the producer */
  goto life;
out:
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

init {
  atomic { run Consumer(0); run Consumer(1) }
}

active proctype End() {
  finished == 3;
  assert(written == ITEMS && done[0] == ITEMS && done[1] == ITEMS)
}
