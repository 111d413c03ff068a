/* A stage in two replicas, the link in front of it: a producer deals its records by turn into one ring; each replica
 * takes those that are for it and steps over the others. Or two branches, which both take every record. As in
 * shm/ring_writer, shm/consumers and shm/ring_reader. A kill at any instant, also during a recovery. See link.pml for
 * what stands for what.
 *
 * What a replica makes of a record is one store (`done`), and `owed` shows that it does so once. It waits before that
 * as if its output link held one record and a collector read these links in turn (COLLECTED). collecting.pml has the
 * other end of them.
 *
 * MODE: 0 dealt by turn, 1 branches.
 * BREAK: what is left out, to show that it is missed:
 *   1 the coordinator wakes nobody after a death   4 a record is released before the commit   6 (waiting.pml)
 *  15 the producer always sleeps on the word of the first replica
 *  18 what a replica steps over is not released before it sleeps
 *  21 the end wakes the replica whose turn it is
 *  23 a successor of the producer deals from the first replica on
 *  24 a producer without room does not wake the replicas that sleep behind the write position
 *  25 the successor of a replica forgets what it stepped over: it takes its first record for the one behind its last
 *     own
 *  27 a sleep is named by its count, and ended for all that were looked at once the kernel has woken one of them
 *  29 a producer without room wakes those behind the write position first, and then commits
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
#define ROOM 1
#endif
#define END ITEMS       /* the number of the end mark; it is for all */

#include "waiting.pml"

byte written;
byte slot[ROOM];        /* the number of the record, as its header has it */
bit to[ROOM];           /* for which replica it is */
byte read[2];
byte read_number[2];    /* of the record at read[k]; stored before */
Waiter reader[2];       /* the replicas */
Waiter writer[2];       /* the producer, as each replica sees it */

typedef Dealt { byte position; bit turn };
Dealt dealt[2];         /* the producer's journal: the entry that matches `written` counts */
byte done[2];           /* the replicas' journals: the number behind the last record done of its own */
byte owed[2];           /* in no memory: what was published for each and is not done, a bit for a record */
bool killed[3];         /* the replicas, then the producer */
byte finished;

#define PRODUCER 2
#define BIT(number) (1 << (number))
#define BEFORE(number) (BIT(number) - 1)

#if MODE == 0
#define OWN(k) (slot[position % ROOM] == END || to[position % ROOM] == k)
/* Its last output is no longer in its link, as nothing of the other replica comes before it. */
#define COLLECTED(k) (done[k] == 0 || (owed[1 - k] & BEFORE(done[k] - 1)) == 0)
#else
#define OWN(k) true
#define COLLECTED(k) true
#endif

#define CALLS_FOR(k) (wakes[k] && MUST_WAKE(reader[k], written))

inline look_at(k) {
  atomic {
    if
    :: CALLS_FOR(k) -> reader[k].looked_at = reader[k].asleep_at
    :: else
    fi
  }
}

#define WOKEN(k) (reader[k].looked_at != 0 && reader[k].in_kernel)

inline end_sleep(k) {
  if
  :: reader[k].looked_at != 0 ->
#if BREAK == 27
     if :: WOKEN(0) || WOKEN(1) -> reader[k].ended = reader[k].looked_at :: else fi;
#else
     reader[k].ended = reader[k].looked_at;
#endif
  :: else
  fi
}

inline stop_sleep(k) {
  if :: reader[k].looked_at != 0 -> reader[k].in_kernel = false; reader[k].looked_at = 0 :: else fi
}

/* Of those that `wakes` names. One call wakes all that were looked at: each sleeps with a bit of its own. */
inline wake_sleepers() {
  look_at(0);
  if
  :: atomic { reader[0].looked_at == 0 && !CALLS_FOR(1) -> wakes[0] = false; wakes[1] = false }
  :: else ->
     look_at(1);
     atomic {
       end_sleep(0);
       end_sleep(1);
       stop_sleep(0);
       stop_sleep(1);
       wakes[0] = false;
       wakes[1] = false
     }
  fi
}

#if BREAK == 21
#define CONCERNED(k) ((fresh[k] & BEFORE(END)) != 0 || (fresh[k] != 0 && turn == k))
#else
#define CONCERNED(k) (fresh[k] != 0)
#endif

/* Wakes those only that there is something for. */
inline commit() {
  d_step {
    entry = 1 - entry;
    dealt[entry].turn = turn;
    dealt[entry].position = head
  };
  atomic {
    written = head;   /* COMMIT */
    published = head;
    owed[0] = owed[0] | fresh[0];
    owed[1] = owed[1] | fresh[1];
    wakes[0] = CONCERNED(0);
    wakes[1] = CONCERNED(1);
    fresh[0] = 0;
    fresh[1] = 0
  };
  wake_sleepers()
}

active proctype Producer() {
  byte head, published, seen0, seen1;
  byte fresh[2];   /* what is not published yet for each, a bit for a record */
  bool wakes[2];
  bit turn, entry;
life:
  {
    published = written;
    head = published;
    entry = (dealt[0].position == head -> 0 : 1);
    assert(dealt[entry].position == head);
#if BREAK != 23
    turn = dealt[entry].turn;
#endif
    do
    :: published == END + 1 -> goto out
    :: head != published -> commit()
    :: head <= END ->
       do
       :: seen0 = read[0];
          seen1 = read[1];
          if
          :: head - seen0 < ROOM && head - seen1 < ROOM -> break
          :: else ->
#if BREAK == 29
             atomic { wakes[0] = true; wakes[1] = true };
             wake_sleepers();
#endif
             if :: head != published -> commit() :: else fi;
#if MODE == 0 && BREAK != 24 && BREAK != 29
             atomic { wakes[0] = true; wakes[1] = true };   /* they may have to step over what is for the other one */
             wake_sleepers();
#endif
             if
#if BREAK == 15
             :: true -> sleep(writer[0], read[0], seen0)
#else
             :: head - seen0 >= ROOM -> sleep(writer[0], read[0], seen0)
             :: head - seen1 >= ROOM -> sleep(writer[1], read[1], seen1)
#endif
             fi
          fi
       od;
       atomic {
         seen0 = 0;
         seen1 = 0;
         slot[head % ROOM] = head;
         to[head % ROOM] = turn;
         if :: MODE == 1 || head == END || turn == 0 -> fresh[0] = fresh[0] | BIT(head) :: else fi;
         if :: MODE == 1 || head == END || turn == 1 -> fresh[1] = fresh[1] | BIT(head) :: else fi;
         if :: MODE == 0 && head != END -> turn = 1 - turn :: else fi;
         head++
       }
    od
  } unless { killed[PRODUCER] };
  d_step {
    head = 0; published = 0; seen0 = 0; seen1 = 0; fresh[0] = 0; fresh[1] = 0; wakes[0] = false; wakes[1] = false;
    turn = 0; entry = 0
  };
  atomic {   /* reaped: nothing of it sleeps, nothing is remembered */
    killed[PRODUCER] = false;
    writer[0].in_kernel = false;
    writer[1].in_kernel = false;
    forget(reader[0]);
    forget(reader[1])
  };
#if BREAK != 1
  atomic { reader[0].in_kernel = false; reader[1].in_kernel = false };
#endif
  goto life;
out:
  finished++
}

/* What is released was done or is another's. REQUIRES: all of its own before `position` is committed. */
inline release(k) {
  atomic {
    assert((owed[k] & BEFORE(position)) == 0);
    read_number[k] = number
  };
  read[k] = position;   /* RELEASE */
  wake(writer[k], read[k])
}

proctype Replica(bit k) {
  byte position, number;
life:
  {
    position = read[k];
    if
#if BREAK == 25
    :: written == position -> number = done[k]
#else
    :: written == position -> number = read_number[k]   /* what was stepped over is not in the journal */
#endif
    :: else -> number = slot[position % ROOM]
    fi;
    atomic {
      if :: number < done[k] -> position = position + done[k] - number; number = done[k] :: else fi
    };
    if :: read[k] != position -> release(k) :: else fi;   /* what was done and not released */
    do
    :: number == END + 1 -> goto out
    :: number <= END && written == position ->
#if BREAK != 18
       if
       :: read[k] != position -> release(k)
       :: else
       fi;
#endif
       sleep(reader[k], written, position)
    :: number <= END && written != position && !OWN(k) ->
       atomic { assert(slot[position % ROOM] == number); position++; number++ }
    :: number <= END && written != position && OWN(k) ->
#if BREAK == 4
       position++;
       number++;
       release(k);
       atomic { position--; number-- };
#endif
       atomic {
         COLLECTED(k) ->
         assert(slot[position % ROOM] == number);
         assert(number == END || MODE == 1 || number % 2 == k);
         assert((owed[k] & BIT(number)) != 0);
         owed[k] = owed[k] & ~BIT(number);
         done[k] = number + 1;   /* COMMIT */
         position++;
         number++
       };
       release(k)   /* also what was stepped over before it */
    od
  } unless { killed[k] };
  atomic {
    position = 0;
    number = 0;
    killed[k] = false;
    reader[k].in_kernel = false;
    forget(writer[k])
  };
#if BREAK != 1
  writer[k].in_kernel = false;   /* the coordinator wakes the producer */
#endif
  goto life;
out:
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
       :: killed[0] = true
       :: killed[1] = true
       :: killed[PRODUCER] = true
       :: kills = KILLS
       fi
     }
  od
}

init {
  atomic { run Replica(0); run Replica(1) }
}

active proctype End() {
  finished == 3;
  assert(written == END + 1 && owed[0] == 0 && owed[1] == 0 && done[0] == END + 1 && done[1] == END + 1)
}
