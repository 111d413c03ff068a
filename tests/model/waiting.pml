/* Links, and how their two ends wait for one another: what the models share. REQUIRES: ROOM, BREAK.
 *
 * Values of the words that are slept on only grow, so a sleep is named by the value that the waiter saw before it. */

/* One end of a link as a waiter, and what the other end, its waker, makes of it. */
typedef Waiter {
  byte asleep_at;   /* what it saw before its sleep, + 1; 0: awake */
  bool in_kernel;
  byte looked_at;   /* the asleep_at that the waker has loaded */
  byte ended        /* the asleep_at that the waker remembers as ended */
#if BREAK == 27
  ;
  byte sleeps
#endif
};

typedef Link {
  byte written;     /* write_position, in records: the commit word */
  byte read;        /* read_position */
  byte slot[ROOM];  /* the ring */
  Waiter reader;
  Waiter writer
};

/* The waker died. */
inline forget(waiter) {
  waiter.looked_at = 0;
  waiter.ended = 0
}

inline announce(waiter, seen) {
#if BREAK == 6
  waiter.asleep_at = 99
#elif BREAK == 27
  waiter.sleeps++;
  waiter.asleep_at = waiter.sleeps
#else
  waiter.asleep_at = seen + 1
#endif
}

/* What the waker has loaded or remembers of this sleep is dropped: fewer states. In the code it is kept, and matters only
 * to a waiter that announces the same value again. The word has passed that value, so such a waiter does not sleep. */
inline rise(waiter) {
  atomic {
    waiter.asleep_at = 0;
#if BREAK != 6 && BREAK != 7 && BREAK != 27
    forget(waiter)
#endif
  }
}

inline sleep(waiter, word, seen) {
  announce(waiter, seen);
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
  rise(waiter)
}

#if BREAK == 27
#define MUST_WAKE(waiter, word) (waiter.asleep_at != 0 && waiter.asleep_at != waiter.ended)
#else
#define MUST_WAKE(waiter, word) \
  (waiter.asleep_at != 0 && waiter.asleep_at != word + 1 && waiter.asleep_at != waiter.ended)
#endif

/* After the store of `word`. The sleep is over whether or not the waiter was in the kernel yet: it compares there. */
inline wake(waiter, word) {
  if
  :: atomic { MUST_WAKE(waiter, word) -> waiter.looked_at = waiter.asleep_at };
     atomic {
#if BREAK == 27
       if :: waiter.in_kernel -> waiter.ended = waiter.looked_at :: else fi;
#else
       waiter.ended = waiter.looked_at;
#endif
       waiter.in_kernel = false;
       waiter.looked_at = 0
     }
  :: else
  fi
}

/* The same for another word on which the waiter may sleep. It sleeps again on what it saw, so nothing is remembered. */
inline call(waiter) {
  if
  :: atomic { waiter.asleep_at != 0 -> waiter.looked_at = waiter.asleep_at };
     atomic {
       waiter.in_kernel = false;
#if BREAK == 7
       waiter.ended = waiter.looked_at;
#endif
       waiter.looked_at = 0
     }
  :: else
  fi
}
