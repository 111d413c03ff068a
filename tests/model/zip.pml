/* A diamond: a producer, a link whose two consumers take every item, a branch behind each, and a zip that makes one
 * item of an answer of each branch. It shows when they cannot come to a standstill. How the ends of a link wait for one
 * another is the subject of link.pml and fan.pml: here a waiter goes on as soon as it can. A kill at any instant. See
 * link.pml for what stands for what.
 *
 * Branch A answers each input. Branch B gathers: before it answers an input it takes the NEEDS - 1 behind it too, or
 * the end. C_0 is what the link in front holds (ROOM), C_A and C_B what those to the zip hold, in records.
 * MODE: 0 B gathers nothing: one record each is enough.
 *   1 B gathers, and releases what it has taken, as a stage does that keeps it in a checkpoint: C_A + C_0 >= NEEDS.
 *   2 B gathers, and releases what it has answered, as an asynchronous stage does: C_0 >= NEEDS, whatever C_A is.
 *   3 as 1, but A's answers refer to their inputs, which stay until the zip has released the answers: C_0 >= NEEDS.
 * BREAK: 30 a link holds one record less than that.
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
#define ITEMS 5
#endif
#ifndef ROOM
#define ROOM 1
#endif
#ifndef C_A
#define C_A 1
#endif
#define C_B 1
#define END ITEMS

#if MODE == 0
#define CONDITION 1
#elif MODE == 1
#define CONDITION (C_A + ROOM)
#else
#define CONDITION ROOM
#endif
#if BREAK == 30
#define NEEDS (CONDITION + 1)
#else
#define NEEDS CONDITION
#endif

byte written;           /* the link in front */
byte slot[ROOM];
byte read[2];
byte taken;             /* of B, in its checkpoint: valid by one store */

/* To the zip. An answer is a record, so the write position is the journal, too. */
byte answers[2];        /* write positions */
byte answer_a[C_A];
byte answer_b[C_B];
byte released[2];       /* read positions */
byte tuples;            /* the zip's write position, and so its journal: as many of each link are done */
bool killed[4];         /* the branches, the producer, the zip */
byte finished;

#define PRODUCER 2
#define ZIP 3

active proctype Producer() {
life:
  {
    do
    :: written == END + 1 -> break
    :: written <= END && written - read[0] < ROOM && written - read[1] < ROOM ->
       slot[written % ROOM] = written;
       written++   /* COMMIT */
    od;
    goto out
  } unless { killed[PRODUCER] };
  killed[PRODUCER] = false;
  goto life;
out:
  finished++
}

active proctype A() {
life:
  {
    do
    :: read[0] != (MODE == 3 -> released[0] : answers[0]) -> read[0] = (MODE == 3 -> released[0] : answers[0])
    :: answers[0] <= END && answers[0] != written && answers[0] - released[0] < C_A ->
       assert(slot[answers[0] % ROOM] == answers[0]);
       answer_a[answers[0] % C_A] = slot[answers[0] % ROOM];
       answers[0]++   /* COMMIT */
    :: answers[0] == END + 1 && read[0] == END + 1 -> break
    od;
    goto out
  } unless { killed[0] };
  killed[0] = false;
  goto life;
out:
  finished++
}

#if MODE == 2 || MODE == 0
#define DONE_B answers[1]
#else
#define DONE_B taken
#endif

/* An asynchronous stage of which the successor gets what is not answered once more. */
active proctype B() {
life:
  {
#if MODE == 2 || MODE == 0
    taken = answers[1];
#endif
    do
    :: read[1] != DONE_B -> read[1] = DONE_B
    :: taken <= END && taken != written && taken - answers[1] < NEEDS ->
       assert(slot[taken % ROOM] == taken);
       taken++
    :: answers[1] < taken && (taken - answers[1] >= NEEDS || taken == END + 1) && answers[1] - released[1] < C_B ->
       answer_b[answers[1] % C_B] = answers[1];
       answers[1]++   /* COMMIT */
    :: answers[1] == END + 1 && read[1] == END + 1 -> break
    od;
    goto out
  } unless { killed[1] };
  killed[1] = false;
  goto life;
out:
  finished++
}

/* Neither answer is released before the tuple is committed. */
active proctype Zip() {
life:
  {
    do
    :: released[0] != tuples -> released[0] = tuples
    :: released[1] != tuples -> released[1] = tuples
    :: tuples <= END && answers[0] > tuples && answers[1] > tuples ->
       assert(answer_a[tuples % C_A] == tuples && answer_b[tuples % C_B] == tuples);
#if MODE == 3
       assert(slot[tuples % ROOM] == tuples);
#endif
       tuples++   /* COMMIT */
    :: tuples == END + 1 && released[0] == tuples && released[1] == tuples -> break
    od;
    goto out
  } unless { killed[ZIP] };
  killed[ZIP] = false;
  goto life;
out:
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
       :: killed[PRODUCER] = true
       :: killed[ZIP] = true
       :: kills = KILLS
       fi
     }
  od
}

active proctype End() {
  finished == 4
}
