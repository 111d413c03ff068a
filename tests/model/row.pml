/* A serial row with a parallel child: one process runs segment A (row's input -> child) and segment B (child -> row's
 * output), each with a journal of its own, and hands the child one item at a time (worker/row, worker/segment_runner). A kill
 * at any instant, also during a recovery. The row's own input is all there from the start and its output link has room
 * for all: those two ends are link.pml's subject.
 *
 * MODE: what the child makes of an item: 0 every second gives none, so that a tombstone answers; 1 one output.
 * BREAK: what is left out, to show that it is missed:
 *   1 the coordinator wakes nobody after a death
 *  11 the child does not answer an item that gives nothing
 *  12 a restarted row begins with segment A, whatever the journals say
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
#define ROOM 1
#endif
#define TOMBSTONE 255

#if MODE == 0
#define ANSWER(item) ((item) % 2 == 1 -> (item) : TOMBSTONE)
#define EXPECTED(n) (2 * (n) + 1)
#define TOTAL (ITEMS / 2)
#else
#define ANSWER(item) (item)
#define EXPECTED(n) (n)
#define TOTAL ITEMS
#endif

#include "waiting.pml"

Link to_child;
Link from_child;
byte out[ITEMS];        /* the row's output link */
byte out_written;       /* its write position */

typedef Entry { byte position; byte done };
Entry journal_a[2];     /* matches to_child.written */
Entry journal_b[2];     /* matches out_written */
Entry journal_c[2];     /* the child's; matches from_child.written */
bool killed_row, killed_child;
byte finished;

inline wake_both(one, other) {
#if BREAK != 1
  one.in_kernel = false;
  other.in_kernel = false
#else
  skip
#endif
}

active proctype Row() {
  byte done_a, done_b, head_a, head_b, seen, value, entry_a, entry_b;
life:
  {
    head_a = to_child.written;
    entry_a = (journal_a[0].position == head_a -> 0 : 1);
    assert(journal_a[entry_a].position == head_a);
    done_a = journal_a[entry_a].done;
    head_b = out_written;
    entry_b = (journal_b[0].position == head_b -> 0 : 1);
    assert(journal_b[entry_b].position == head_b);
    done_b = journal_b[entry_b].done;
    from_child.read = done_b;   /* what was done and not released */
    wake(from_child.writer, from_child.read);
#if BREAK == 12
    goto segment_a;
#endif
    do
    :: done_b == ITEMS -> goto done
    :: done_b < ITEMS && done_a == done_b ->
segment_a:
       if :: done_a == ITEMS -> goto segment_b :: else fi;
       seen = to_child.read;
       do
       :: head_a - seen < ROOM -> break
       :: else -> sleep(to_child.writer, to_child.read, seen); seen = to_child.read
       od;
       to_child.slot[head_a % ROOM] = done_a;
       head_a++;
       entry_a = 1 - entry_a;
       journal_a[entry_a].done = done_a + 1;
       journal_a[entry_a].position = head_a;
       to_child.written = head_a;   /* COMMIT */
       wake(to_child.reader, to_child.written);
       done_a++;
       assert(done_a - done_b <= 1)
    :: done_b < ITEMS && done_a > done_b ->
segment_b:
       do
       :: from_child.written != done_b -> break
       :: else -> sleep(from_child.reader, from_child.written, done_b)
       od;
       value = from_child.slot[done_b % ROOM];
       assert(value == ANSWER(done_b));
       if
       :: value == TOMBSTONE -> journal_b[entry_b].done = done_b + 1
       :: else ->
          out[head_b] = value;
          head_b++;
          entry_b = 1 - entry_b;
          journal_b[entry_b].done = done_b + 1;
          journal_b[entry_b].position = head_b;
          out_written = head_b   /* COMMIT */
       fi;
       value = 0;
       done_b++;
       from_child.read = done_b;   /* RELEASE */
       wake(from_child.writer, from_child.read)
    od
  } unless { killed_row };
  d_step {
    done_a = 0; done_b = 0; head_a = 0; head_b = 0; seen = 0; value = 0; entry_a = 0; entry_b = 0
  };
  atomic {   /* reaped */
    killed_row = false;
    to_child.writer.in_kernel = false;
    forget(to_child.reader);
    from_child.reader.in_kernel = false;
    forget(from_child.writer)
  };
  wake_both(to_child.reader, from_child.writer);
  goto life;
done:
  finished++
}

active proctype Child() {
  byte done_c, head, seen, item, entry;
life:
  {
    head = from_child.written;
    entry = (journal_c[0].position == head -> 0 : 1);
    assert(journal_c[entry].position == head);
    done_c = journal_c[entry].done;
    to_child.read = done_c;
    wake(to_child.writer, to_child.read);
    do
    :: done_c == ITEMS -> goto done
    :: else ->
       do
       :: to_child.written != done_c -> break
       :: else -> sleep(to_child.reader, to_child.written, done_c)
       od;
       item = to_child.slot[done_c % ROOM];
       assert(item == done_c);
#if BREAK == 11
       if
       :: ANSWER(item) == TOMBSTONE -> journal_c[entry].done = done_c + 1
       :: else ->
#endif
       seen = from_child.read;
       do
       :: head - seen < ROOM -> break
       :: else -> sleep(from_child.writer, from_child.read, seen); seen = from_child.read
       od;
       from_child.slot[head % ROOM] = ANSWER(item);
       head++;
       entry = 1 - entry;
       journal_c[entry].done = done_c + 1;
       journal_c[entry].position = head;
       from_child.written = head;   /* COMMIT */
       wake(from_child.reader, from_child.written);
#if BREAK == 11
       fi;
#endif
       item = 0;
       done_c++;
       to_child.read = done_c;   /* RELEASE */
       wake(to_child.writer, to_child.read)
    od
  } unless { killed_child };
  d_step { done_c = 0; head = 0; seen = 0; item = 0; entry = 0 };
  atomic {
    killed_child = false;
    to_child.reader.in_kernel = false;
    forget(to_child.writer);
    from_child.writer.in_kernel = false;
    forget(from_child.reader)
  };
  wake_both(to_child.writer, from_child.reader);
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
     :: killed_row = true
     :: killed_child = true
     fi
  :: break
  od
}

active proctype End() {
  byte n;
  finished == 2;
  assert(out_written == TOTAL);
  do
  :: n == TOTAL -> break
  :: else -> assert(out[n] == EXPECTED(n)); n++
  od
}
